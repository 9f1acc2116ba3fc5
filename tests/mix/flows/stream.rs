//! Messages in one direction: from one sender to some receivers, or from some senders to one receiver.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use zmq::{Kind, Message, Socket};
use zmq_patterns::SharedSocket;

use super::ends::{Arrivals, Sender, receive, whole};
use super::{Flow, MARKS, Result, Stop};
use crate::common::rng::Rng;
use crate::ops::is_thread_safe;
use crate::world::{World, within};

/// Two kinds, and the receivers that a message goes to.
pub struct Pattern {
    from: Kind,
    to: Kind,
    fan: Fan,
}

#[derive(Clone, Copy, PartialEq)]
enum Fan {
    /// One sender, and one receiver.
    One,
    /// Each message goes to one receiver.
    Spread,
    /// Each message goes to all receivers. Messages that have no room are dropped, so there are no marks.
    All,
}

const fn pattern(from: Kind, to: Kind, fan: Fan) -> Pattern {
    Pattern { from, to, fan }
}

pub const PUSH_PULL: Pattern = pattern(Kind::Push, Kind::Pull, Fan::Spread);
pub const PAIR_PAIR: Pattern = pattern(Kind::Pair, Kind::Pair, Fan::One);
pub const DEALER_DEALER: Pattern = pattern(Kind::Dealer, Kind::Dealer, Fan::Spread);
pub const DEALER_ROUTER: Pattern = pattern(Kind::Dealer, Kind::Router, Fan::Spread);
pub const PUB_SUB: Pattern = pattern(Kind::Pub, Kind::Sub, Fan::All);
pub const XPUB_XSUB: Pattern = pattern(Kind::XPub, Kind::XSub, Fan::All);
#[cfg(feature = "draft")]
pub const RADIO_DISH: Pattern = pattern(Kind::Radio, Kind::Dish, Fan::All);
#[cfg(feature = "draft")]
pub const SCATTER_GATHER: Pattern = pattern(Kind::Scatter, Kind::Gather, Fan::Spread);
#[cfg(feature = "draft")]
pub const CLIENT_SERVER: Pattern = pattern(Kind::Client, Kind::Server, Fan::Spread);
#[cfg(feature = "draft")]
pub const CHANNEL_CHANNEL: Pattern = pattern(Kind::Channel, Kind::Channel, Fan::One);

/// The first message to the receivers of a `Fan::All`. A receiver that has got it is subscribed.
const SYNC: &[u8] = b"\xf5mix sync";
const GROUP: &str = "a";

pub fn run(flow: &mut Flow<'_>, pattern: &Pattern) -> Result {
    exchange(flow, pattern, 0)
}

/// A flow that skips a message, which the model must find missing.
pub fn losing(flow: &mut Flow<'_>) -> Result {
    exchange(flow, &PUSH_PULL, 1)
}

fn exchange(flow: &mut Flow<'_>, pattern: &Pattern, skipped: u32) -> Result {
    let (senders, receivers) = match (pattern.fan, flow.rng.below(3)) {
        (Fan::One, _) | (_, 0) => (1, 1),
        (_, 1) => (1, 2 + flow.rng.below(2)),
        _ => (2 + flow.rng.below(2), 1),
    };
    let from = (0..senders).map(|_| prepare(flow, pattern.from, pattern.fan)).collect::<Result<Vec<_>>>()?;
    let to = (0..receivers).map(|_| prepare(flow, pattern.to, pattern.fan)).collect::<Result<Vec<_>>>()?;
    let (from_refs, to_refs) = (from.iter().collect::<Vec<_>>(), to.iter().collect::<Vec<_>>());
    let endpoints = if senders == 1 { flow.link(&from[0], &to_refs)? } else { flow.link(&to[0], &from_refs)? };
    // A flow with a monitor goes on as it does without one.
    let watched = flow.rng.one_in(4).then(|| from[0].monitor(zmq::monitor::Events::ALL)).transpose()?;

    let numbers: Vec<(u32, u32)> = from.iter().map(|_| (flow.world.number(), 1 + flow.rng.below(60) as u32)).collect();
    let resets = flow.heartbeats && endpoints.iter().any(|endpoint| !is_local(endpoint));
    let total = numbers.iter().map(|(_, count)| count - skipped).sum::<u32>() as usize;
    let state = State {
        world: flow.world,
        fan: pattern.fan,
        total,
        all: if pattern.fan == Fan::All { total * receivers } else { total },
        done: AtomicUsize::new(0),
        waiting: AtomicUsize::new(if pattern.fan == Fan::All { senders * receivers } else { 0 }),
        stays: resets && !cfg!(target_os = "linux"),
        expired: AtomicBool::new(false),
        failed: Mutex::new(None),
        arrivals: Mutex::new(Vec::new()),
    };
    let mut ends = Vec::new();
    for socket in to {
        if pattern.fan == Fan::Spread && !is_thread_safe(pattern.to) && flow.rng.one_in(4) {
            let shared = SharedSocket::new(socket)?;
            ends.extend([End::Shared(shared.clone()), End::Shared(shared)]);
        } else {
            ends.push(End::Own(Box::new(socket)));
        }
    }
    thread::scope(|scope| {
        let state = &state;
        for (socket, &(number, count)) in from.into_iter().zip(&numbers) {
            let mut rng = flow.rng.fork();
            scope.spawn(move || state.keep(state.send(socket, number, count, skipped, &mut rng)));
        }
        for end in ends {
            let mut rng = flow.rng.fork();
            scope.spawn(move || state.keep(state.receive(&end, &mut rng)));
        }
        for endpoint in &endpoints {
            flow.knock(endpoint);
        }
    });
    drop(watched);
    if let Some(stop) = state.failed.into_inner().unwrap() {
        return Err(stop);
    }
    let arrivals = state.arrivals.into_inner().unwrap();
    if pattern.fan == Fan::All {
        return arrivals.iter().try_for_each(|arrivals| complete(arrivals, &numbers));
    }
    let mut merged = Arrivals::default();
    arrivals.into_iter().try_for_each(|arrivals| merged.merge(arrivals))?;
    complete(&merged, &numbers)
}

/// Whether a peer can read the rest of a connection that was closed while bytes of the peer were unread. Over tcp and ws,
/// libzmq knows only on Linux when it can close.
fn is_local(endpoint: &str) -> bool {
    endpoint.starts_with("inproc") || endpoint.starts_with("ipc")
}

fn prepare(flow: &mut Flow<'_>, kind: Kind, fan: Fan) -> Result<Socket<'static>> {
    let socket = flow.socket(kind)?;
    flow.tune(&socket)?;
    if fan == Fan::All {
        socket.set_sndhwm(0)?;
        socket.set_rcvhwm(0)?;
    }
    match kind {
        Kind::Sub => socket.subscribe("")?,
        Kind::XSub => socket.send("\u{1}")?,
        #[cfg(feature = "draft")]
        Kind::Dish => socket.join(GROUP)?,
        _ => {}
    }
    Ok(socket)
}

/// Checks that every message of every sender arrived.
fn complete(arrivals: &Arrivals, numbers: &[(u32, u32)]) -> Result {
    for &(sender, count) in numbers {
        let missing = arrivals.missing(sender, count);
        if !missing.is_empty() {
            return Err(Stop::Fault(format!("of {count} messages of sender {sender} these are missing: {missing:?}")));
        }
    }
    Ok(())
}

/// A socket that receives, in one thread or in two.
enum End {
    Own(Box<Socket<'static>>),
    Shared(SharedSocket),
}

struct State<'a> {
    world: &'a World,
    fan: Fan,
    /// The number of messages that each receiver gets, or that all receivers get together.
    total: usize,
    /// The number of messages that all receivers get together.
    all: usize,
    /// The number of messages that have arrived at all receivers together.
    done: AtomicUsize,
    /// The number of pairs of a sender and a receiver that has not got the sender's first message yet.
    waiting: AtomicUsize,
    /// Whether senders stay until all messages have arrived.
    stays: bool,
    /// Whether a receiver has waited too long.
    expired: AtomicBool,
    failed: Mutex<Option<Stop>>,
    arrivals: Mutex<Vec<Arrivals>>,
}

impl State<'_> {
    fn keep(&self, result: Result) {
        if let Err(stop) = result {
            self.failed.lock().unwrap().get_or_insert(stop);
        }
    }

    fn goes_on(&self) -> Result {
        if self.world.has_ended() || self.failed.lock().unwrap().is_some() { Err(Stop::Ended) } else { Ok(()) }
    }

    fn send(&self, socket: Socket<'static>, number: u32, count: u32, skipped: u32, rng: &mut Rng) -> Result {
        let is_radio = socket.kind().c_name() == "ZMQ_RADIO";
        let end = Instant::now() + within();
        while self.waiting.load(Ordering::SeqCst) > 0 {
            self.goes_on()?;
            if Instant::now() > end {
                return Err(Stop::Fault("receivers got no first message".to_owned()));
            }
            let mut sync = Message::from([SYNC, &number.to_be_bytes()].concat());
            set_group(&mut sync)?;
            socket.send(sync)?;
            thread::sleep(Duration::from_millis(2));
        }
        let mut sender = Sender { socket: &socket, number, next: skipped, group: is_radio.then_some(GROUP) };
        while sender.next < count {
            sender.send(rng)?;
            if self.fan != Fan::All && rng.one_in(30) {
                // A libzmq without patches refuses a mark that changes.
                let _ = socket.set_sndhwm(*rng.pick(&MARKS));
            }
            if rng.one_in(50) {
                thread::sleep(Duration::from_millis(1));
            }
        }
        // A socket that is dropped at once still delivers what it has accepted.
        let drops = rng.coin() && !self.stays;
        while !drops && !self.expired.load(Ordering::SeqCst) && self.done.load(Ordering::SeqCst) < self.all {
            self.goes_on()?;
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn receive(&self, end: &End, rng: &mut Rng) -> Result {
        let mut arrivals = Arrivals::default();
        let mut greeted = BTreeSet::new();
        let mut deadline = Instant::now() + within();
        loop {
            let got_all = match self.fan {
                Fan::All => arrivals.len() >= self.total,
                _ => self.done.load(Ordering::SeqCst) >= self.total,
            };
            let received = match end {
                End::Own(socket) => receive(socket, rng)?,
                End::Shared(shared) => shared.within(Duration::from_millis(20)).recv_multipart()?,
            };
            let Some(parts) = received else {
                if got_all {
                    break;
                }
                self.goes_on()?;
                // The model says which messages are missing.
                if Instant::now() > deadline || self.expired.load(Ordering::SeqCst) {
                    self.expired.store(true, Ordering::SeqCst);
                    break;
                }
                continue;
            };
            deadline = Instant::now() + within();
            if let End::Own(socket) = end
                && self.fan != Fan::All
                && rng.one_in(30)
            {
                let _ = socket.set_rcvhwm(*rng.pick(&MARKS));
            }
            if let Some(number) = parts.last().and_then(|part| part.strip_prefix(SYNC)) {
                if greeted.insert(number.to_vec()) {
                    self.waiting.fetch_sub(1, Ordering::SeqCst);
                }
                continue;
            }
            let has_id = matches!(end, End::Own(socket) if socket.kind() == Kind::Router)
                || matches!(end, End::Shared(shared) if shared.kind() == Kind::Router);
            if let Some(stamp) = whole(parts.iter().skip(usize::from(has_id)))? {
                arrivals.add(stamp)?;
                self.done.fetch_add(1, Ordering::SeqCst);
            }
        }
        self.arrivals.lock().unwrap().push(arrivals);
        Ok(())
    }
}

#[cfg(feature = "draft")]
fn set_group(message: &mut Message) -> Result {
    Ok(message.set_group(GROUP)?)
}

#[cfg(not(feature = "draft"))]
fn set_group(_: &mut Message) -> Result {
    Ok(())
}
