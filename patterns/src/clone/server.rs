//! `Server`: the machine with its sockets.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use zmq::{Context, Dealer, Errno, Multipart, PollEvents, Pull, Result, Router, Socket, Sub, XPub};

use super::event::{ServerEvent, ServerStatistics};
use super::machine::{Piece, ServerAction, ServerMachine};
use super::map::Map;
use super::message::Uuid;
use super::model::{Endpoints, Model};
use crate::binary_star::{BinaryStar, BinaryStarError, Role, Timing};
use crate::random::random_number;
use crate::reactor::TickTimer;
use crate::{Ended, HandlerId, Reactor};

/// The number of messages that one call of a handler receives or sends, so that no socket keeps the others waiting.
const BATCH: usize = 100;

/// The number of updates that wait for a client that reads slowly. If there are more, the client misses some, and asks for a
/// snapshot.
const HWM: u32 = 10_000;

type Setup = Arc<dyn Fn(&Socket<'static>) -> Result<()> + Send + Sync>;

/// A server: it has the map, numbers the updates, publishes them, and sends snapshots. See the [module](super).
///
/// ```no_run
/// use zmq_patterns::clone::{Endpoints, Model, Server};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let context = zmq::Context::new()?;
/// let mut server = Server::new(&context, Model::Five, Endpoints::of_ports("tcp://*", 5556));
/// server.run(|event| println!("{event:?}"))?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "clonesrv")]
pub struct Server {
    context: Context,
    model: Model,
    endpoints: Endpoints,
    setup: Vec<Setup>,
    pair: Option<Pair>,
    sockets: Option<Sockets>,
    machine: ServerMachine,
}

/// The other server, and which of the two this one is: see [`Server::pair`].
#[derive(Debug, Clone)]
pub struct Pair {
    role: Role,
    states: (String, String),
    updates: (String, String),
    timing: Timing,
    witness: Option<String>,
}

impl Pair {
    /// A server of this role. It publishes its state at an endpoint of `states`, as a [`BinaryStar`] does, and sends its
    /// updates to the other server at one of `updates`. The server binds the first endpoint of each, and
    /// connects to the second one, which is the other server's.
    pub fn new<E: Into<String>>(role: Role, states: (E, E), updates: (E, E)) -> Pair {
        let both = |(own, other): (E, E)| (own.into(), other.into());
        Pair { role, states: both(states), updates: both(updates), timing: Timing::default(), witness: None }
    }

    /// Sets the times of the pair, as [`BinaryStar::timing`]. Updates wait for the expiry time for a passive server that
    /// does not acknowledge them. The expiry time must be longer than the interval of [`Server::heartbeat`]: in a pair without
    /// updates, the passive server acknowledges only heartbeats.
    pub fn timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// Sets the endpoint of a witness, as [`BinaryStar::witness`]; none by default.
    pub fn witness(mut self, endpoint: impl Into<String>) -> Self {
        self.witness = Some(endpoint.into());
        self
    }
}

/// The sockets, bound and connected.
struct Sockets {
    snapshots: Socket<'static>,
    publisher: Socket<'static>,
    updates: Socket<'static>,
    /// A ROUTER for the passive server, and a DEALER to the active one.
    peer: Option<(Socket<'static>, Socket<'static>)>,
}

impl Server {
    /// A server that [`Server::run`] binds to these endpoints.
    pub fn new(context: &Context, model: Model, endpoints: Endpoints) -> Server {
        let machine = ServerMachine::new(model, Instant::now(), SystemTime::now(), new_id());
        Server { context: context.clone(), model, endpoints, setup: Vec::new(), pair: None, sockets: None, machine }
    }

    /// Makes the server one of two. The other one must be a server of this library, too.
    pub fn pair(mut self, pair: Pair) -> Self {
        let patience = pair.timing.expiry();
        self.machine = self.machine.in_pair(patience);
        self.pair = Some(pair);
        self
    }

    /// Sets the interval of the heartbeats, by which clients notice a dead server and a lost update; 1 second by default.
    /// `None` sends none.
    pub fn heartbeat(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.machine.set_heartbeat(Instant::now(), interval.into());
        self
    }

    /// Sets options on each socket before it binds or connects, for example its security. The linger period is always zero,
    /// and the marks of the publisher are 10,000 messages unless they are set.
    pub fn with(mut self, set: impl Fn(&Socket<'static>) -> Result<()> + Send + Sync + 'static) -> Self {
        self.setup.push(Arc::new(set));
        self
    }

    /// Binds the sockets, unless they are bound, and returns the endpoints as libzmq resolved them.
    ///
    /// # Errors
    ///
    /// The errors of opening, binding and connecting a socket: `EADDRINUSE`, for example.
    pub fn bind(&mut self) -> Result<&Endpoints> {
        if self.sockets.is_none() {
            self.sockets = Some(self.open()?);
        }
        Ok(&self.endpoints)
    }

    fn open(&mut self) -> Result<Sockets> {
        let router = || -> Result<_> {
            let socket = self.context.owned_socket(Router)?;
            socket.set_router_mandatory(true)?;
            Ok(socket.into_untyped())
        };
        let snapshots = self.bound(router()?, &self.endpoints.snapshots)?;
        let publisher = self.context.owned_socket(XPub)?;
        publisher.set_sndhwm(HWM)?;
        let publisher = self.bound(publisher.into_untyped(), &self.endpoints.publisher)?;
        let updates = if self.model.publishes() {
            let socket = self.context.owned_socket(Sub)?;
            socket.set_rcvhwm(HWM)?;
            socket.subscribe("")?;
            socket.into_untyped()
        } else {
            self.context.owned_socket(Pull)?.into_untyped()
        };
        let (updates, resolved) = self.bound(updates, &self.endpoints.updates)?;
        self.endpoints.updates = resolved;
        let peer = match &self.pair {
            None => None,
            Some(Pair { updates: (own, other), .. }) => {
                let leader = self.context.owned_socket(Dealer)?;
                // A request must not wait for a server that is not there: it would arrive too late.
                leader.set_immediate(true)?;
                let leader = self.set_up(leader.into_untyped())?;
                leader.connect(other)?;
                Some((self.bound(router()?, own)?.0, leader))
            }
        };
        let (snapshots, resolved) = snapshots;
        self.endpoints.snapshots = resolved;
        let (publisher, resolved) = publisher;
        self.endpoints.publisher = resolved;
        Ok(Sockets { snapshots, publisher, updates, peer })
    }

    fn bound(&self, socket: Socket<'static>, endpoint: &str) -> Result<(Socket<'static>, String)> {
        let socket = self.set_up(socket)?;
        let resolved = socket.bind(endpoint)?;
        Ok((socket, resolved))
    }

    fn set_up(&self, socket: Socket<'static>) -> Result<Socket<'static>> {
        socket.set_linger(Duration::ZERO)?;
        self.setup.iter().try_for_each(|set| set(&socket))?;
        Ok(socket)
    }

    /// The map, as it was published. A passive server has the map of the active one.
    pub fn map(&self) -> &Map {
        self.machine.map()
    }

    /// The counters since the server was made.
    pub fn statistics(&self) -> ServerStatistics {
        self.machine.statistics()
    }

    /// Serves until a signal is caught or the context is shut down. A server that is run again keeps its map. One of a pair
    /// begins as after a restart then, and asks the other one for a newer map.
    ///
    /// # Errors
    ///
    /// [`BinaryStarError::Setup`] as [`Server::bind`], [`BinaryStarError::Loop`] as
    /// [`Reactor::run`], and [`BinaryStarError::Conflict`] of a pair that cannot go on.
    pub fn run(&mut self, on_event: impl FnMut(&ServerEvent)) -> Result<Ended, BinaryStarError> {
        self.bind().map_err(BinaryStarError::Setup)?;
        let Server { machine, sockets: Some(sockets), pair, context, setup, .. } = self else {
            return Ok(Ended::Empty);
        };
        let core = Core {
            machine,
            sockets,
            actions: VecDeque::new(),
            timer: TickTimer::default(),
            updates: None,
            on_event: Box::new(on_event),
        };
        let core = Rc::new(RefCell::new(core));
        let ended = match pair {
            None => serve_alone(&core),
            Some(pair) => serve_in_pair(&core, context, pair, setup),
        };
        match ended {
            Err(BinaryStarError::Setup(error)) if error.errno() == Errno::ETERM => Ok(Ended::Terminated),
            ended => ended,
        }
    }
}

type Shared<'a> = Rc<RefCell<Core<'a>>>;

/// The state that the handlers share.
struct Core<'a> {
    machine: &'a mut ServerMachine,
    sockets: &'a Sockets,
    actions: VecDeque<ServerAction>,
    timer: TickTimer,
    /// The handler of updates, and whether it waits for room.
    updates: Option<(HandlerId, bool)>,
    on_event: Box<dyn FnMut(&ServerEvent) + 'a>,
}

fn serve_alone(core: &Shared<'_>) -> Result<Ended, BinaryStarError> {
    let mut reactor = Reactor::new().map_err(BinaryStarError::Setup)?;
    let sockets = core.borrow().sockets;
    let shared = core.clone();
    let added = reactor.add(&sockets.snapshots, PollEvents::POLLIN, move |reactor, _| {
        let requests = received(&sockets.snapshots)?;
        Ok(step(&shared, reactor, |machine, _, actions| {
            requests.into_iter().for_each(|request| machine.on_request(request, actions));
        })?)
    });
    added.and_then(|_| register(core, &mut reactor)).map_err(BinaryStarError::Setup)?;
    reactor.run().map_err(BinaryStarError::Loop)
}

fn serve_in_pair(core: &Shared<'_>, context: &Context, pair: &Pair, setup: &[Setup]) -> Result<Ended, BinaryStarError> {
    let sockets = core.borrow().sockets;
    let (own, other) = &pair.states;
    let mut star = BinaryStar::new(context, pair.role, own, other).map_err(BinaryStarError::Setup)?;
    star = star.timing(pair.timing);
    if let Some(witness) = &pair.witness {
        star = star.witness(witness);
    }
    for set in setup.iter().cloned() {
        star = star.with(move |socket| set(socket));
    }
    let shared = core.clone();
    let voter = star.voter(&sockets.snapshots, move |reactor, request| {
        Ok(step(&shared, reactor, |machine, _, actions| machine.on_request(request, actions))?)
    });
    let shared = core.clone();
    star.on_active(move |reactor| {
        Ok(step(&shared, reactor, |machine, now, actions| machine.on_active(now, new_id(), actions))?)
    });
    let shared = core.clone();
    star.on_passive(move |reactor| {
        Ok(step(&shared, reactor, |machine, now, actions| machine.on_passive(now, actions))?)
    });
    let shared = core.clone();
    star.on_event(move |event| (shared.borrow_mut().on_event)(&ServerEvent::Pair(*event)));
    voter.and_then(|_| register(core, star.reactor())).map_err(BinaryStarError::Setup)?;
    // Until the pair has decided, the server asks the other one for its map.
    step(core, star.reactor(), |machine, now, actions| machine.on_passive(now, actions))
        .map_err(BinaryStarError::Setup)?;
    let ended = star.run();
    // The next run makes another node.
    star.close();
    ended
}

/// Adds the handlers of all sockets except that of the requests.
fn register<'a>(core: &Shared<'a>, reactor: &mut Reactor<'a>) -> Result<()> {
    let sockets = core.borrow().sockets;
    let shared = core.clone();
    reactor.add(&sockets.publisher, PollEvents::POLLIN, move |reactor, _| {
        let subscriptions = received(&sockets.publisher)?;
        Ok(step(&shared, reactor, |machine, _, actions| {
            subscriptions.into_iter().for_each(|subscription| machine.on_subscription(subscription, actions));
        })?)
    })?;
    let shared = core.clone();
    let handler = reactor.add(&sockets.updates, PollEvents::POLLIN, move |reactor, _| {
        let updates = received(&sockets.updates)?;
        Ok(step(&shared, reactor, |machine, now, actions| {
            updates.into_iter().for_each(|update| machine.on_update(now, update, actions));
        })?)
    })?;
    core.borrow_mut().updates = Some((handler, false));
    if let Some((follower, leader)) = &sockets.peer {
        let shared = core.clone();
        reactor.add(follower, PollEvents::POLLIN, move |reactor, _| {
            let messages = received(follower)?;
            Ok(step(&shared, reactor, |machine, now, actions| {
                messages.into_iter().for_each(|message| machine.on_follower(now, message, actions));
            })?)
        })?;
        let shared = core.clone();
        reactor.add(leader, PollEvents::POLLIN, move |reactor, _| {
            let messages = received(leader)?;
            Ok(step(&shared, reactor, |machine, now, actions| {
                messages.into_iter().for_each(|message| machine.on_leader(now, message, actions));
                machine.acknowledge(actions);
            })?)
        })?;
    }
    set_timer(core, reactor);
    Ok(())
}

/// The messages that have arrived, up to a number.
fn received(socket: &Socket<'_>) -> Result<Vec<Multipart>> {
    let mut messages = Vec::new();
    while messages.len() < BATCH
        && let Some(message) = socket.now().recv_multipart()?
    {
        messages.push(message);
    }
    Ok(messages)
}

/// Calls the machine, performs its actions, sends a bounded number of pieces, and sets the timer of the next call.
fn step<'a>(
    core: &Shared<'a>,
    reactor: &mut Reactor<'a>,
    call: impl FnOnce(&mut ServerMachine, Instant, &mut VecDeque<ServerAction>),
) -> Result<()> {
    let mut borrowed = core.borrow_mut();
    let Core { machine, sockets, actions, updates, on_event, .. } = &mut *borrowed;
    call(machine, Instant::now(), actions);
    perform(sockets, actions, on_event)?;
    for _ in 0..BATCH {
        let now = Instant::now();
        let Some(piece) = machine.next_piece(now) else { break };
        machine.on_piece(now, deliver(&sockets.snapshots, piece)?);
    }
    if let Some((follower, _)) = &sockets.peer {
        for _ in 0..BATCH {
            let now = Instant::now();
            let Some(piece) = machine.next_peer_piece(now) else { break };
            machine.on_peer_piece(now, deliver(follower, piece)?, actions);
        }
        perform(sockets, actions, on_event)?;
    }
    if let Some((handler, waits)) = updates
        && *waits != machine.is_full()
    {
        *waits = machine.is_full();
        reactor.modify(*handler, if *waits { PollEvents::NONE } else { PollEvents::POLLIN })?;
    }
    drop(borrowed);
    set_timer(core, reactor);
    Ok(())
}

fn perform(
    sockets: &Sockets,
    actions: &mut VecDeque<ServerAction>,
    on_event: &mut dyn FnMut(&ServerEvent),
) -> Result<()> {
    while let Some(action) = actions.pop_front() {
        match action {
            // The XPUB drops the message for a client that reads too slowly, and the client notices the gap.
            ServerAction::Publish(message) => send(&sockets.publisher, message)?,
            // The machine repeats the message if no answer comes.
            ServerAction::SendToPeer(message) => {
                if let Some((_, leader)) = &sockets.peer {
                    send(leader, message)?;
                }
            }
            ServerAction::Report(event) => on_event(&event),
        }
    }
    Ok(())
}

/// Sends a message without waiting, and drops one that has no room.
fn send(socket: &Socket<'_>, message: Multipart) -> Result<()> {
    socket.now().send_multipart(message).map(drop).map_err(|failed| failed.into_parts().1)
}

/// Sends a message of a ROUTER without waiting.
fn deliver(router: &Socket<'_>, message: Multipart) -> Result<Piece> {
    match router.now().send_multipart(message) {
        Ok(sent) => Ok(if sent.into_unsent().is_none() { Piece::Sent } else { Piece::Refused }),
        Err(failed) if failed.errno() == Errno::EHOSTUNREACH => Ok(Piece::Unroutable),
        Err(failed) => Err(failed.into_parts().1),
    }
}

/// Sets the timer of the machine's next tick.
fn set_timer<'a>(core: &Shared<'a>, reactor: &mut Reactor<'a>) {
    let mut borrowed = core.borrow_mut();
    let Some(due) = borrowed.machine.next_tick() else { return };
    let shared = core.clone();
    borrowed.timer.set(reactor, due, move |reactor, _| {
        shared.borrow_mut().timer.has_run();
        Ok(step(&shared, reactor, |machine, now, actions| machine.on_tick(now, actions))?)
    });
}

/// An id that no other server has.
fn new_id() -> Uuid {
    let mut id = Uuid::default();
    let (one, other) = id.split_at_mut(8);
    one.copy_from_slice(&random_number().to_be_bytes());
    other.copy_from_slice(&random_number().to_be_bytes());
    id
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("model", &self.model)
            .field("endpoints", &self.endpoints)
            .field("pair", &self.pair)
            .finish_non_exhaustive()
    }
}
