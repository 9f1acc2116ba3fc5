//! `Discovery`: a thread with the UDP socket and the machine.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use zmq::{Context, Errno, Error, Message, Multipart, PollEvents, PollItem, Result, SendError, SocketRef, poll};

use super::machine::PeersMachine;
use super::socket::{failed, open};
use super::{Event, PeerId, Statistics};
use crate::deadline::{SHORTEST_INTERVAL, later};
use crate::lock::lock;
use crate::platform::{AsFd, errno_of};
use crate::random::Random;
use crate::{Actor, ActorPipe};

/// The first frame of a message of the agent: `[JOINED][id][address]` or `[LEFT][id]`.
const JOINED: &str = "JOINED";
const LEFT: &str = "LEFT";

/// The number of datagrams that are read before the clock is read.
const BATCH: usize = 100;

/// A beacon: where it is sent, how often, and when a peer whose beacon does not come has left.
#[derive(Debug, Clone)]
#[must_use = "a beacon is sent after `start`"]
pub struct Beacon {
    broadcast: SocketAddrV4,
    interval: Duration,
    expiry: Duration,
    max_peers: usize,
}

impl Beacon {
    /// A beacon on port 9999 of all hosts of the local network, each second.
    pub fn new() -> Beacon {
        Beacon {
            broadcast: SocketAddrV4::new(Ipv4Addr::BROADCAST, 9999),
            interval: Duration::from_secs(1),
            expiry: Duration::from_secs(5),
            max_peers: 10_000,
        }
    }

    /// Sets the address to which beacons are sent; 255.255.255.255:9999 by default. A host that is in several networks sends
    /// to the broadcast address of one, such as 192.168.1.255. Beacons to its port are received over all networks.
    #[doc(alias = "PING_PORT_NUMBER")]
    pub fn broadcast(mut self, address: SocketAddrV4) -> Self {
        self.broadcast = address;
        self
    }

    /// Sets the time between two beacons; 1 second by default, 1 millisecond at least.
    #[doc(alias = "PING_INTERVAL")]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(SHORTEST_INTERVAL);
        self
    }

    /// Sets after which time without a beacon a peer has left; 5 seconds by default. It should be some of the peers'
    /// intervals, since datagrams get lost.
    #[doc(alias = "PEER_EXPIRY")]
    pub fn expiry(mut self, expiry: Duration) -> Self {
        self.expiry = expiry;
        self
    }

    /// Sets how many peers are known at most, and how many events wait; 10,000 by default. Further peers are ignored until
    /// others leave.
    pub fn max_peers(mut self, peers: usize) -> Self {
        self.max_peers = peers;
        self
    }

    /// Starts to send the beacon, and to look for peers.
    ///
    /// # Errors
    ///
    /// `EADDRINUSE` if a program has the port that does not share it, `ENETUNREACH` if the system knows no way to the
    /// address, `EACCES` if it is not allowed; `EMFILE` or `EAGAIN` if no descriptor or thread is left, `EINTR` after a
    /// caught signal, `ETERM` after the context was shut down.
    #[doc(alias = "interface_new")]
    pub fn start(self, context: &Context) -> Result<Discovery> {
        let id = Random::open().and_then(|random| random.uuid()).map(PeerId);
        let id = id.map_err(|error| {
            let errno = errno_of(&error, Errno::from_raw(libc::EIO));
            Error::new(errno, "open", "/dev/urandom")
        })?;
        let socket = open(self.broadcast)?;
        // A network that does not exist is an error now, and later a beacon that is not sent.
        send(&socket, id, self.broadcast).map_err(|error| failed(&error, "sendto", self.broadcast.into()))?;
        let mut machine = PeersMachine::new(id);
        machine.set_expiry(self.expiry);
        machine.set_max_peers(self.max_peers);
        machine.on_sent(true);
        let shared = Arc::new(Mutex::new(Shared { machine, ended: None }));
        let agent_shared = shared.clone();
        let actor = Actor::spawn(context, "zmq-discovery", move |pipe| {
            pipe.ready();
            let next_beacon = later(Instant::now(), self.interval);
            let mut agent = Agent { beacon: self, id, socket, shared: agent_shared, next_beacon };
            let ended = agent.run(pipe).map_err(|error| error.errno());
            lock(&agent.shared).ended = ended.err();
            Ok(())
        })?;
        Ok(Discovery { actor, id, shared })
    }
}

impl Default for Beacon {
    fn default() -> Self {
        Beacon::new()
    }
}

/// The peers on the network, as they come and go. See the [module](super).
///
/// A thread sends the beacon and receives those of others, until the value is dropped.
///
/// ```
/// use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
/// use std::time::Duration;
/// use zmq::Context;
/// use zmq_patterns::discovery::{Beacon, Event};
///
/// # fn main() -> zmq::Result<()> {
/// let context = Context::new()?;
/// # let free = UdpSocket::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port();
/// // Without `broadcast` it is the local network. This address reaches the programs of this host.
/// let local = SocketAddrV4::new(Ipv4Addr::new(127, 255, 255, 255), free);
/// let beacon = Beacon::new().broadcast(local).interval(Duration::from_millis(100));
/// let one = beacon.clone().start(&context)?;
/// let other = beacon.start(&context)?;
/// match one.next_event(None)? {
///     Some(Event::Joined { peer, address }) => {
///         assert_eq!(peer, other.id());
///         println!("{peer} is at {}", address.ip());
///     }
///     event => panic!("{event:?}"),
/// }
/// # Ok(())
/// # }
/// ```
#[doc(alias = "udpping3")]
pub struct Discovery {
    actor: Actor,
    id: PeerId,
    shared: Arc<Mutex<Shared>>,
}

/// The state of the thread that its owner can read.
struct Shared {
    machine: PeersMachine,
    /// The error with which the thread has ended.
    ended: Option<Errno>,
}

impl Discovery {
    /// The own id, as it is in the own beacon.
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// Waits up to `timeout` for the next event, or without end if it is `None`. `None` if the time has passed.
    ///
    /// # Errors
    ///
    /// `EINTR` after a caught signal, which ends the thread too; `ETERM` after the context was shut down.
    #[doc(alias = "interface_recv")]
    pub fn next_event(&self, timeout: impl Into<Option<Duration>>) -> Result<Option<Event>> {
        match self.actor.within(timeout).recv_multipart() {
            Ok(message) => Ok(message.as_ref().and_then(read)),
            // The thread may notice a signal or the end of the context first.
            Err(error) if error.errno() == Errno::ECANCELED => {
                let errno = lock(&self.shared).ended.unwrap_or(Errno::ECANCELED);
                Err(Error::new(errno, error.call(), "the thread of the discovery has ended"))
            }
            Err(error) => Err(error),
        }
    }

    /// The socket of the events, for polling it with others: it is readable if an event is there. The thread's end makes it
    /// readable too.
    pub fn as_ref(&self) -> SocketRef<'_> {
        self.actor.as_ref()
    }

    /// The number of peers that are known, without this one.
    pub fn peers(&self) -> usize {
        lock(&self.shared).machine.peers()
    }

    /// The counters since the start.
    pub fn statistics(&self) -> Statistics {
        lock(&self.shared).machine.statistics()
    }
}

impl fmt::Debug for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovery").field("id", &self.id).field("peers", &self.peers()).finish_non_exhaustive()
    }
}

/// The body of the thread.
struct Agent {
    beacon: Beacon,
    id: PeerId,
    socket: UdpSocket,
    shared: Arc<Mutex<Shared>>,
    next_beacon: Instant,
}

impl Agent {
    /// Runs until a call fails: with `ECANCELED` when the thread must end.
    fn run(&mut self, pipe: &ActorPipe) -> Result<()> {
        // One byte more than a beacon has, so that longer datagrams are noticed.
        let mut datagram = [0; size_of::<PeerId>() + 1];
        loop {
            let (tick, has_event) = {
                let shared = lock(&self.shared);
                (shared.machine.next_tick(), shared.machine.event().is_some())
            };
            let wake_at = tick.map_or(self.next_beacon, |tick| tick.min(self.next_beacon));
            // The owner of the pipe sends nothing: the pipe is readable once the thread must end.
            let owner = if has_event { PollEvents::POLLIN | PollEvents::POLLOUT } else { PollEvents::POLLIN };
            let mut items =
                [PollItem::socket(pipe.as_ref(), owner), PollItem::fd(self.socket.as_fd(), PollEvents::POLLIN)];
            poll(&mut items, wake_at.saturating_duration_since(Instant::now()))?;
            pipe.now().recv_multipart()?;

            let mut shared = lock(&self.shared);
            let machine = &mut shared.machine;
            for _ in 0..BATCH {
                match self.socket.recv_from(&mut datagram) {
                    Ok((len, address)) => machine.on_datagram(Instant::now(), &datagram[..len], address),
                    // `WouldBlock`, and errors of earlier datagrams that nobody has received.
                    Err(_) => break,
                }
            }
            let now = Instant::now();
            machine.on_tick(now);
            if self.next_beacon <= now {
                self.next_beacon = later(now, self.beacon.interval);
                machine.on_sent(send(&self.socket, self.id, self.beacon.broadcast).is_ok());
            }
            while let Some(event) = machine.event() {
                let sent = pipe.now().send_multipart(written(event));
                if sent.map_err(|failed: SendError<_>| failed.into_parts().1)?.into_unsent().is_some() {
                    break;
                }
                machine.take_event();
            }
        }
    }
}

fn send(socket: &UdpSocket, id: PeerId, to: SocketAddrV4) -> io::Result<()> {
    socket.send_to(&id.0, to).map(drop)
}

/// An event as a message of the pipe.
fn written(event: &Event) -> Multipart {
    match event {
        Event::Joined { peer, address } => {
            [Message::from(JOINED), Message::from(&peer.0[..]), Message::from(address.to_string())].into()
        }
        Event::Left { peer } => [Message::from(LEFT), Message::from(&peer.0[..])].into(),
    }
}

/// The event of a message of the pipe.
fn read(message: &Multipart) -> Option<Event> {
    let peer = || message.get(1).and_then(|id| id[..].try_into().ok()).map(PeerId);
    match &message[..] {
        [kind, _, address] if *kind == JOINED => {
            Some(Event::Joined { peer: peer()?, address: address.as_str()?.parse().ok()? })
        }
        [kind, _] if *kind == LEFT => Some(Event::Left { peer: peer()? }),
        _ => None,
    }
}
