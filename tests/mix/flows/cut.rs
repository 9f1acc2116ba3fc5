//! Connections that end and are made again, and a proxy between the ends: messages stay whole and in order, and arrive in
//! the end.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use zmq::monitor::Events;
use zmq::{Context, Errno, Kind, Message, Multipart, Socket};

use super::ends::{Arrivals, Sender, receive, whole};
use super::relay::{self, Relay};
use super::{Flow, Result, Stop};
use crate::common::rng::Rng;
use crate::common::send_part;
use crate::content::{self, Stamp};
use crate::ops::is_thread_safe;
use crate::world::{start, within};

#[cfg(feature = "draft")]
const GROUP: &str = "a";
const A_MOMENT: Duration = Duration::from_millis(2);

/// The kinds of sender and receiver. A pair that is listed twice is chosen twice as often.
pub const PAIRS: &[(Kind, Kind)] = &[
    (Kind::Push, Kind::Pull),
    (Kind::Push, Kind::Pull),
    (Kind::Dealer, Kind::Dealer),
    (Kind::Dealer, Kind::Router),
    (Kind::Pair, Kind::Pair),
    (Kind::Pub, Kind::Sub),
    (Kind::XPub, Kind::XSub),
    (Kind::XSub, Kind::XPub),
    #[cfg(feature = "draft")]
    (Kind::Radio, Kind::Dish),
    #[cfg(feature = "draft")]
    (Kind::Scatter, Kind::Gather),
    #[cfg(feature = "draft")]
    (Kind::Client, Kind::Server),
    #[cfg(feature = "draft")]
    (Kind::Channel, Kind::Channel),
];

fn address(endpoint: &str) -> Result<SocketAddr> {
    let address = endpoint.trim_start_matches("tcp://").parse();
    address.map_err(|error| Stop::Fault(format!("{endpoint}: {error}")))
}

fn relay(
    server: &str,
    greeting: Option<fn(&mut std::net::TcpStream, &mut Rng) -> std::io::Result<()>>,
    rng: &mut Rng,
) -> Result<Relay> {
    Relay::start(address(server)?, greeting, rng).map_err(|_| Stop::Ended)
}

/// Connections break at any byte. Each message that arrives is whole, and arrives once. If the receiver has one pipe, messages
/// are in order. After the last break messages arrive again.
pub fn run(flow: &mut Flow<'_>) -> Result {
    let (from, to) = *flow.rng.pick(PAIRS);
    // A context of its own ends with its socket.
    let own = flow.rng.one_in(3).then(Context::new).transpose()?;
    let sender = flow.socket(from)?;
    let receiver = match &own {
        Some(context) => {
            start(context);
            context.owned_socket(to)?
        }
        None => flow.socket(to)?,
    };
    flow.tune(&sender)?;
    flow.tune(&receiver)?;
    subscribe(&receiver)?;
    let receiver_connects = flow.rng.coin();
    let (server, client) = if receiver_connects { (&sender, &receiver) } else { (&receiver, &sender) };
    client.set_reconnect_ivl(Some(Duration::from_millis(1)))?;
    if flow.rng.one_in(3) {
        client.set_immediate(true)?;
    }
    #[cfg(feature = "draft")]
    if flow.rng.coin() && receiver_connects {
        // Some kinds have no such option.
        let _ = client.set_hiccup_msg("hiccup");
    }
    if flow.heartbeats {
        for socket in [&sender, &receiver] {
            socket.set_heartbeat_ivl(Some(Duration::from_millis(5)))?;
            socket.set_heartbeat_timeout(Some(Duration::from_millis(30)))?;
        }
    }
    let relay = relay(&server.bind("tcp://127.0.0.1:*")?, None, &mut flow.rng)?;
    client.connect(&format!("tcp://{}", relay.address))?;
    let immediate = client.immediate()?;
    flow.world.note(format_args!(
        "{from} to {to}, receiver connects: {receiver_connects}, ZMQ_IMMEDIATE: {immediate}, own context: {}",
        own.is_some(),
    ));
    // Otherwise each connection has its own pipe.
    let ordered = receiver_connects && !immediate;
    let mut course = Course { flow, sender: &sender, receiver: &receiver, ordered, next: 0, all: BTreeSet::new() };
    for _ in 0..course.flow.rng.below(12) {
        course.send_some()?;
        course.receive_some()?;
        let action = course.flow.rng.below(4);
        course.flow.world.note(format_args!("cut, stall, go on, wait: {action}"));
        match action {
            0 => relay.cut(),
            1 => relay.set_stalls(true),
            2 => relay.set_stalls(false),
            _ => std::thread::sleep(Duration::from_millis(course.flow.rng.below(40) as u64)),
        }
    }
    relay.set_stalls(false);
    course.arrive()?;
    if let Some(context) = own {
        // The socket processes no commands of the connection that is made again.
        relay.cut();
        std::thread::sleep(Duration::from_millis(flow.rng.below(30) as u64));
        drop(receiver);
        if let Err(error) = context.terminate(within()) {
            return Err(Stop::Fault(format!("a context whose connections were cut does not end: {error}")));
        }
    }
    if flow.rng.one_in(3) { between_parts(flow) } else { Ok(()) }
}

/// The connection of an XSUB is made again between the parts of a message: the rest of it does not arrive as a message.
fn between_parts(flow: &mut Flow<'_>) -> Result {
    let (sender, receiver) = (flow.socket(Kind::XSub)?, flow.socket(Kind::XPub)?);
    sender.set_reconnect_ivl(Some(Duration::from_millis(1)))?;
    let monitor = sender.monitor(Events::HANDSHAKE_SUCCEEDED)?;
    let relay = relay(&receiver.bind("tcp://127.0.0.1:*")?, None, &mut flow.rng)?;
    sender.connect(&format!("tcp://{}", relay.address))?;
    let connected = || flow.wait("a connection is made", || Ok(monitor.next_event(A_MOMENT)?.is_some()));
    connected()?;
    sender.send_more("first part")?;
    relay.cut();
    connected()?;
    // The socket gets a new pipe when it processes its commands.
    sender.events()?;
    let _ = sender.send("second part");
    flow.wait("messages arrive over a connection that was made again", || {
        sender.send("next")?;
        match receiver.within(A_MOMENT).recv_multipart()? {
            Some(parts) if parts == ["next"] => Ok(true),
            Some(parts) => Err(Stop::Fault(format!("a message is torn by a reconnect: {parts:?} arrived"))),
            None => Ok(false),
        }
    })
}

fn subscribe(receiver: &Socket<'static>) -> Result {
    match receiver.kind() {
        Kind::Sub => receiver.subscribe("")?,
        Kind::XSub => receiver.send("\u{1}")?,
        #[cfg(feature = "draft")]
        Kind::Dish => receiver.join(GROUP)?,
        _ => {}
    }
    Ok(())
}

struct Course<'a, 'w> {
    flow: &'a mut Flow<'w>,
    sender: &'a Socket<'static>,
    receiver: &'a Socket<'static>,
    /// Whether the receiver has one pipe, whose messages are in order.
    ordered: bool,
    next: u32,
    all: BTreeSet<u32>,
}

impl Course<'_, '_> {
    fn send_some(&mut self) -> Result {
        for _ in 0..self.flow.rng.below(60) {
            self.send()?;
        }
        Ok(())
    }

    /// Sends the next message, if there is room.
    fn send(&mut self) -> Result {
        let single = is_thread_safe(self.sender.kind());
        let count = if single || self.flow.rng.coin() { 1 } else { 2 + self.flow.rng.below(2) as u8 };
        let mut parts = content::parts(&mut self.flow.rng, 1, self.next, count);
        self.next += 1;
        #[cfg(feature = "draft")]
        if self.sender.kind() == Kind::Radio {
            parts[0].set_group(GROUP)?;
        }
        if self.flow.rng.coin() || single {
            let sent = self.sender.now().send_multipart(parts)?.is_sent();
            self.flow.world.note(format_args!("message {}: {sent}", self.next - 1));
            return Ok(());
        }
        while let Some(part) = parts.pop_front() {
            let sent = match send_part(self.sender, part, !parts.is_empty()) {
                Ok(sent) => sent.is_sent(),
                // If the peer leaves between the parts, the message is given up.
                Err(failed) if failed.error().errno() == Errno::ECONNRESET => false,
                Err(failed) => return Err(failed.into()),
            };
            self.flow.world.note(format_args!("part of {}: {sent}", self.next - 1));
            if !sent {
                break;
            }
            if self.flow.rng.one_in(10) {
                self.receive_some()?;
            }
        }
        Ok(())
    }

    fn receive_some(&mut self) -> Result {
        for _ in 0..self.flow.rng.below(60) {
            let Some(parts) = self.receiver.now().recv_multipart()? else { break };
            self.check(&parts)?;
        }
        Ok(())
    }

    fn check(&mut self, parts: &Multipart) -> Result<Option<u32>> {
        let skipped = usize::from(self.receiver.kind() == Kind::Router);
        let Some(Stamp { number, .. }) = whole(parts.iter().skip(skipped))? else { return Ok(None) };
        let newest = self.all.last().copied();
        if !self.all.insert(number) {
            return Err(Stop::Fault(format!("message {number} arrived twice")));
        }
        match newest {
            Some(newest) if self.ordered && newest > number => {
                Err(Stop::Fault(format!("message {number} arrived after {newest}")))
            }
            _ => Ok(Some(number)),
        }
    }

    /// Sends until one of the messages that are sent from now on arrives.
    fn arrive(&mut self) -> Result {
        let (first, end) = (self.next, Instant::now() + within());
        loop {
            if self.flow.world.has_ended() {
                return Err(Stop::Ended);
            }
            if Instant::now() > end {
                return Err(Stop::Fault("nothing arrives over a connection that was made again".to_owned()));
            }
            self.send()?;
            while let Some(parts) = self.receiver.within(Duration::from_millis(1)).recv_multipart()? {
                if self.check(&parts)?.is_some_and(|number| number >= first) {
                    return Ok(());
                }
            }
        }
    }
}

/// A subscriber closes, and has not noticed that its connection was made again. Its context ends.
pub fn unnoticed_reconnect(flow: &mut Flow<'_>) -> Result {
    const PAIRS: &[(Kind, Kind)] = &[
        (Kind::Pub, Kind::Sub),
        (Kind::XPub, Kind::XSub),
        #[cfg(feature = "draft")]
        (Kind::Radio, Kind::Dish),
    ];
    let (from, to) = *flow.rng.pick(PAIRS);
    let context = Context::new()?;
    start(&context);
    let (publisher, subscriber) = (flow.socket(from)?, context.owned_socket(to)?);
    subscriber.set_reconnect_ivl(Some(Duration::from_millis(1)))?;
    subscribe(&subscriber)?;
    let relay = relay(&publisher.bind("tcp://127.0.0.1:*")?, None, &mut flow.rng)?;
    subscriber.connect(&format!("tcp://{}", relay.address))?;
    flow.wait("a subscriber receives", || {
        #[cfg_attr(not(feature = "draft"), allow(unused_mut, reason = "groups are of the draft API"))]
        let mut message = Message::from("news");
        #[cfg(feature = "draft")]
        if from == Kind::Radio {
            message.set_group(GROUP)?;
        }
        publisher.send(message)?;
        Ok(subscriber.within(Duration::from_millis(2)).recv_msg()?.is_some())
    })?;
    // With a linger period of 0, the default of SUB, the session does not wait for the end of the pipe.
    subscriber.set_linger(None)?;
    relay.cut();
    std::thread::sleep(Duration::from_millis(flow.rng.below(30) as u64));
    drop(subscriber);
    match context.terminate(within()) {
        Ok(()) => Ok(()),
        Err(error) => {
            Err(Stop::Fault(format!("a {to} has not noticed a reconnect, and its context does not end: {error}")))
        }
    }
}

/// A DEALER whose connections break receives its ZMQ_HICCUP_MSG each time, and after that messages again.
#[cfg(feature = "draft")]
pub fn hiccups(flow: &mut Flow<'_>) -> Result {
    let (server, client) = (flow.socket(Kind::Dealer)?, flow.socket(Kind::Dealer)?);
    client.set_rcvhwm(1 + flow.rng.below(3) as u32)?;
    client.set_hiccup_msg("hiccup")?;
    client.set_reconnect_ivl(Some(Duration::from_millis(1)))?;
    let relay = relay(&server.bind("tcp://127.0.0.1:*")?, None, &mut flow.rng)?;
    client.connect(&format!("tcp://{}", relay.address))?;
    let receives = |text: &str| -> Result<bool> {
        let received = client.within(Duration::from_millis(2)).recv_msg()?;
        Ok(received.is_some_and(|message| message == *text))
    };
    for _ in 0..2 + flow.rng.below(4) {
        flow.wait("messages arrive over a connection that was made again", || {
            let _ = server.now().send("news")?;
            receives("news")
        })?;
        relay.cut();
        flow.wait("a DEALER receives its hiccup message", || receives("hiccup"))?;
    }
    Ok(())
}

/// A client reaches its server through a SOCKS5 proxy, for all lengths of the proxy's replies.
pub fn through_socks(flow: &mut Flow<'_>) -> Result {
    let (sender, receiver) = (flow.socket(Kind::Push)?, flow.socket(Kind::Pull)?);
    let endpoint = receiver.bind("tcp://127.0.0.1:*")?;
    let proxy = relay(&endpoint, Some(relay::socks), &mut flow.rng)?;
    sender.set_socks_proxy(proxy.address.to_string().as_str())?;
    sender.set_reconnect_ivl(Some(Duration::from_millis(1)))?;
    // Only the proxy reads the name.
    let name = *flow.rng.pick(&["tcp://server:7", "tcp://127.0.0.1:7"]);
    sender.connect(name)?;
    let (number, count) = (flow.world.number(), 1 + flow.rng.below(10) as u32);
    let mut rng = flow.rng.fork();
    let mut sender = Sender { socket: &sender, number, next: 0, group: None };
    while sender.next < count {
        sender.send(&mut rng)?;
    }
    let mut arrivals = Arrivals::default();
    flow.wait("messages arrive through a SOCKS proxy", || {
        if let Some(parts) = receive(&receiver, &mut rng)? {
            whole(&parts)?.map_or(Ok(()), |stamp| arrivals.add(stamp))?;
        }
        Ok(arrivals.len() == count as usize)
    })
}
