//! Flows: operations with a model. A flow opens its own sockets in the program's context, sends numbered messages through
//! them while the other threads run their operations, and knows which must arrive, and in which order.

mod cut;
mod echo;
mod endings;
mod ends;
mod greetings;
mod heartbeats;
mod leaving;
mod lone;
mod relay;
mod routing;
mod stream;
#[cfg(any(feature = "tokio", feature = "async-io"))]
mod tasks;
mod topics;

use std::time::{Duration, Instant};

use zmq::security::Security;
use zmq::{Errno, Error, Kind, SecretKey, SendError, Socket};

use crate::common::rng::Rng;
use crate::ops::{Row, Thread, hostile};
use crate::world::{World, fault, free_port, within};

macro_rules! flow {
    ($name:literal, $weight:literal, $run:expr) => {
        Row { name: $name, weight: $weight, run: |thread, rng| start(thread, rng, $name, $run) }
    };
}

pub const ROWS: &[Row] = &[
    flow!("push-pull", 6, |flow| stream::run(flow, &stream::PUSH_PULL)),
    flow!("pair-pair", 3, |flow| stream::run(flow, &stream::PAIR_PAIR)),
    flow!("dealer-dealer", 3, |flow| stream::run(flow, &stream::DEALER_DEALER)),
    flow!("dealer-router", 3, |flow| stream::run(flow, &stream::DEALER_ROUTER)),
    flow!("pub-sub", 3, |flow| stream::run(flow, &stream::PUB_SUB)),
    flow!("xpub-xsub", 2, |flow| stream::run(flow, &stream::XPUB_XSUB)),
    #[cfg(feature = "draft")]
    flow!("radio-dish", 3, |flow| stream::run(flow, &stream::RADIO_DISH)),
    #[cfg(feature = "draft")]
    flow!("scatter-gather", 3, |flow| stream::run(flow, &stream::SCATTER_GATHER)),
    #[cfg(feature = "draft")]
    flow!("client-server", 2, |flow| stream::run(flow, &stream::CLIENT_SERVER)),
    #[cfg(feature = "draft")]
    flow!("channel-channel", 2, |flow| stream::run(flow, &stream::CHANNEL_CHANNEL)),
    flow!("echo-req-rep", 3, |flow| echo::run(flow, Kind::Req, Kind::Rep)),
    flow!("echo-req-router", 2, |flow| echo::run(flow, Kind::Req, Kind::Router)),
    flow!("echo-dealer-router", 6, |flow| echo::run(flow, Kind::Dealer, Kind::Router)),
    flow!("echo-dealer-dealer", 2, |flow| echo::run(flow, Kind::Dealer, Kind::Dealer)),
    flow!("echo-pair-pair", 2, |flow| echo::run(flow, Kind::Pair, Kind::Pair)),
    #[cfg(feature = "draft")]
    flow!("echo-client-server", 3, |flow| echo::run(flow, Kind::Client, Kind::Server)),
    #[cfg(feature = "draft")]
    flow!("echo-channel-channel", 2, |flow| echo::run(flow, Kind::Channel, Kind::Channel)),
    flow!("conflate", 4, lone::conflate),
    flow!("room", 4, lone::room),
    flow!("down-port", 3, lone::down_port),
    flow!("reentrant", 2, lone::reentrant),
    flow!("refused-part", 2, lone::refused_part),
    flow!("terminate", 3, endings::terminate),
    flow!("last-events", 3, endings::last_events),
    flow!("owner-of-shared", 2, endings::owner_of_shared),
    flow!("panicking-capture", 2, endings::panicking_capture),
    flow!("proxied", 3, lone::proxied),
    flow!("late-peer", 2, lone::late_peer),
    flow!("guessed-pipe", 2, lone::guessed_pipe),
    flow!("topics", 4, topics::run),
    #[cfg(feature = "draft")]
    flow!("groups", 2, topics::groups),
    flow!("cut", 4, cut::run),
    flow!("unnoticed-reconnect", 2, cut::unnoticed_reconnect),
    #[cfg(feature = "draft")]
    flow!("hiccups", 2, cut::hiccups),
    flow!("through-socks", 2, cut::through_socks),
    flow!("between-sent-parts", 3, leaving::between_sent_parts),
    flow!("between-received-parts", 3, leaving::between_received_parts),
    flow!("hasty", 4, leaving::hasty),
    flow!("greetings", 4, greetings::run),
    flow!("heartbeats", 3, heartbeats::run),
    flow!("announced-ttl", 2, heartbeats::announced_ttl),
    flow!("heartbeats-at-mark", 2, heartbeats::at_mark),
    flow!("stream-clients", 4, routing::stream_clients),
    flow!("handover", 2, routing::handover),
    flow!("server-comes-back", 2, routing::server_comes_back),
    #[cfg(any(feature = "tokio", feature = "async-io"))]
    flow!("async-echo", 4, tasks::echo),
    #[cfg(any(feature = "tokio", feature = "async-io"))]
    flow!("async-end", 2, tasks::end),
    Row { name: "fault-lost", weight: 0, run: |thread, rng| start(thread, rng, "fault-lost", stream::losing) },
];

/// Why a flow ends early.
pub enum Stop {
    /// The context was shut down, or the flow lacks something that it needs.
    Ended,
    Fault(String),
}

pub type Result<T = ()> = std::result::Result<T, Stop>;

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        match error.errno() {
            // The port that was free is taken, or the context has no room for another socket.
            Errno::EADDRINUSE | Errno::EMFILE => Stop::Ended,
            _ => Stop::Fault(error.to_string()),
        }
    }
}

impl<M> From<SendError<M>> for Stop {
    fn from(error: SendError<M>) -> Stop {
        error.into_parts().1.into()
    }
}

fn start(thread: &mut Thread<'_>, rng: &mut Rng, name: &'static str, run: fn(&mut Flow<'_>) -> Result) {
    let world = thread.world;
    let mut rng = rng.fork();
    let mut flow = Flow { world, heartbeats: rng.one_in(4), rng };
    if let Err(Stop::Fault(text)) = run(&mut flow)
        && !world.has_ended()
    {
        fault(&format!("{name}: {text}"));
    }
}

pub struct Flow<'a> {
    pub world: &'a World,
    pub rng: Rng,
    /// Whether sockets may send heartbeats.
    pub heartbeats: bool,
}

/// High-water marks of sockets whose messages wait for room.
const MARKS: [u32; 7] = [0, 1, 2, 3, 5, 10, 1000];

impl Flow<'_> {
    pub fn socket(&self, kind: Kind) -> Result<Socket<'static>> {
        Ok(self.world.socket(kind)?)
    }

    /// Options that change how messages travel, and not whether they arrive.
    pub fn tune(&mut self, socket: &Socket<'static>) -> Result {
        let rng = &mut self.rng;
        if rng.coin() {
            socket.set_sndhwm(*rng.pick(&MARKS))?;
            socket.set_rcvhwm(*rng.pick(&MARKS))?;
        }
        if self.heartbeats && rng.coin() {
            socket.set_heartbeat_ivl(Some(Duration::from_millis(5)))?;
            socket.set_heartbeat_timeout(Some(within()))?;
            if rng.coin() {
                // The most that the option takes is 65.5 s.
                socket.set_heartbeat_ttl(within().min(Duration::from_secs(60)))?;
            }
        }
        if rng.one_in(4) {
            socket.set_reconnect_ivl(Some(Duration::from_millis(2)))?;
        }
        if rng.one_in(6) {
            socket.set_immediate(true)?;
        }
        if rng.one_in(6) {
            socket.set_sndbuf(Some(4096))?;
            socket.set_rcvbuf(Some(4096))?;
        }
        #[cfg(feature = "draft")]
        if rng.one_in(4) {
            socket.set_in_batch_size(*rng.pick(&[64, 100, 8192]))?;
            socket.set_out_batch_size(*rng.pick(&[1, 64, 8192]))?;
        }
        self.world.note(format_args!(
            "{}: marks {} and {}, buffers {:?}, heartbeat {:?}",
            socket.kind(),
            socket.sndhwm()?,
            socket.rcvhwm()?,
            socket.sndbuf()?,
            socket.heartbeat_ivl()?,
        ));
        #[cfg(feature = "draft")]
        self.world.note(format_args!("batches {} and {}", socket.in_batch_size()?, socket.out_batch_size()?));
        Ok(())
    }

    /// Connects the leaves to the hub, which is bound before or after, or connects the hub to each leaf.
    pub fn link(&mut self, hub: &Socket<'static>, leaves: &[&Socket<'static>]) -> Result<Vec<String>> {
        // A server whose clients an authenticator checks must bind.
        if !self.secure(hub, leaves)? && self.rng.one_in(3) {
            // Each leaf has its own endpoint.
            return leaves.iter().map(|leaf| self.link_one(leaf, &[hub])).collect();
        }
        Ok(vec![self.link_one(hub, leaves)?])
    }

    /// Binds one socket, and connects the others to it.
    pub fn link_one(&mut self, server: &Socket<'static>, clients: &[&Socket<'static>]) -> Result<String> {
        let (number, late) = (self.world.number(), self.rng.one_in(3));
        let endpoint = match self.rng.below(6) {
            0 | 1 => format!("inproc://flow-{number}"),
            2 => format!("ipc://{}/flow-{number}", self.world.directory.display()),
            5 if late => format!("ws://127.0.0.1:{}/flow", free_port()),
            5 => "ws://127.0.0.1:*/flow".to_owned(),
            _ if late => format!("tcp://127.0.0.1:{}", free_port()),
            _ => "tcp://127.0.0.1:*".to_owned(),
        };
        let kinds = clients.iter().map(|client| client.kind().to_string()).collect::<Vec<_>>();
        let when = if late { "after" } else { "before" };
        self.world.note(format_args!("{} binds {endpoint} {when} {kinds:?} connect", server.kind()));
        let connect = |endpoint: &str| clients.iter().try_for_each(|client| client.connect(endpoint));
        if late {
            connect(&endpoint)?;
            std::thread::sleep(Duration::from_millis(self.rng.below(3) as u64));
            return Ok(server.bind(&endpoint)?);
        }
        let bound = server.bind(&endpoint)?;
        connect(&bound)?;
        Ok(bound)
    }

    /// Sets PLAIN or CURVE on all, rarely, and returns whether it did.
    fn secure(&mut self, hub: &Socket<'static>, leaves: &[&Socket<'static>]) -> Result<bool> {
        let secret = SecretKey::from([5; 32]);
        let (server, client) = match self.rng.below(12) {
            // PLAIN refuses all clients without an authenticator.
            0 if self.world.authenticator.is_some() => {
                (Security::plain_server(), Security::plain_client("alice", "secret"))
            }
            1 if zmq::has("curve") => {
                let public = zmq::curve_public(&secret)?;
                (Security::curve_server(&secret), Security::curve_client(&secret, &public))
            }
            _ => return Ok(false),
        };
        self.world.note(format_args!("{server:?}"));
        hub.secure(&server)?;
        leaves.iter().try_for_each(|leaf| leaf.secure(&client))?;
        Ok(true)
    }

    /// Connects peers to an endpoint that leave before they complete a handshake.
    pub fn knock(&mut self, endpoint: &str) {
        for _ in 0..self.rng.below(3) {
            hostile::knock(endpoint, &mut self.rng);
        }
    }

    /// Waits until `condition` holds.
    pub fn wait(&self, what: &str, mut condition: impl FnMut() -> Result<bool>) -> Result {
        let end = Instant::now() + within();
        while !condition()? {
            if self.world.has_ended() {
                return Err(Stop::Ended);
            }
            if Instant::now() > end {
                return Err(Stop::Fault(format!("never came true: {what}")));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}
