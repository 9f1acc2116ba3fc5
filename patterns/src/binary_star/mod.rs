//! The guide's Binary Star: a pair of servers, of which one serves and the other takes over when the first one dies.
//!
//! ```text
//!                     clients
//!           requests |       : requests after a failover
//!                    v       v
//!  witness <~~~ primary <-> backup ~~~> witness
//!                 states, PUB to SUB
//! ```
//!
//! Each node publishes its state once in a heartbeat (1 second), and when the state changes. A passive node takes over if it
//! has not heard its peer for the expiry time (2 seconds) *and* a client asks it: clients ask the primary first, and the other
//! node when no reply comes ([`Client`]). So a failover takes about three seconds by default. A node that comes back is passive,
//! and the other one goes on.
//!
//! - [`BinaryStar`] is a node: a [`Reactor`](crate::Reactor) with the sockets of the pair, a voter socket for the requests, and
//!   handlers for becoming active and passive.
//! - [`Client`] asks both nodes in turn.
//! - [`Witness`] is an optional third process, which decides between nodes that do not hear each other.
//! - [`Machine`] and [`Lease`] are the state machines of a node and of the witness, without sockets and clocks.
//!
//! The messages are the guide's, so that a node here and one in C form a pair: one frame with a digit, 1 for a primary that
//! waits, 2 for a backup that waits, 3 for active and 4 for passive.
//!
//! # What it survives
//!
//! One node that dies, hangs or is restarted at any moment, the active one or the passive one; a node that stands still
//! and goes on, even for longer than the expiry time: it steps down, and finds out who leads. A peer that sends garbage: it is
//! counted, reported and dropped, and does not count as a sign of life.
//!
//! # What it does not survive
//!
//! - A lost request: the client must send it again, and it may be served twice.
//! - A failure while the first is not mended. The state of the servers is not copied from one to the other either: that is the
//!   program's task (the guide's Clone pattern does it).
//! - A backup that is started alone serves no client: its data may be old. Once it was in a pair it may serve alone.
//! - A request that is being handled while its process stands still: its reply may go out after the other node has taken over.
//!   What it changes elsewhere must be guarded there.
//! - Without a witness: a link between the nodes that is cut while clients reach both.
//!
//! # What it costs
//!
//! A second machine, which does no work until the first one dies. A state message of one byte each way for each heartbeat. A
//! failover takes the expiry time and a try of the client, and each client waits for it. A request is not sent to the other
//! node, so it costs no more than without a pair. The costs of a witness are [below](#with-a-witness).
//!
//! # Never two active nodes
//!
//! The guide asks for a dedicated link between the nodes. Exactly, with the heartbeat `h` and the expiry time `x`, both nodes
//! are never active at once, in whichever order nodes die, stand still and are started and clients ask, if
//!
//! 1. a node takes in a state message at most `h / 4` after the peer published it, in order; a node that stands still meanwhile,
//!    for however long, takes it in when it goes on, before it decides on a request, as [`BinaryStar`] does;
//! 2. at most `k` state messages in a row are lost while both nodes are there, with `x >= (3 k + 2) h`: none by the default of
//!    `x = 2 h`, one with `x = 5 h`;
//! 3. a node that died is started again no earlier than after `h / 4`;
//! 4. the nodes' monotonic clocks run equally fast.
//!
//! If these do not hold, for example because the link is cut, the second condition must: *no client reaches the passive node
//! while the active one serves*. Clients that ask the other node only when no reply comes keep it while they all reach the
//! active node. If some reach only the one node and some only the other, both nodes become active. When the link is back, a
//! node that hears the other ends with [`Conflict::BothActive`], as the guide's do. If their messages cross, or TCP has kept
//! some of the time without the link, both end.
//!
//! A link that is cut in one direction does less harm. A passive node that does not hear the active one becomes active when a
//! client asks it. The active node hears that at most `h / 4` later and ends with [`Conflict::BothActive`], and the other one
//! goes on. An active node that does not hear the passive one goes on. If it is started again and does not hear that the other
//! one has taken over, a client that asks it makes it active, and the other one ends.
//!
//! # With a witness
//!
//! Two nodes cannot tell a dead peer from a cut link. A third process can: [`BinaryStar::witness`] names the endpoint of a
//! [`Witness`], best on a third machine. A node is then active only while it has, besides its own vote, that of its peer or of the
//! witness. A vote is a lease: it holds for the expiry time, and no voter gives two at once. So two nodes are never active at
//! once, however late, lost, repeated or disordered messages are, and whichever process dies or stands still, if the monotonic clocks
//! run equally fast to within 3 %. (On Linux they stop while the whole machine is suspended: do not suspend one of three
//! machines.)
//!
//! | what is gone | what happens |
//! | --- | --- |
//! | nothing | the active node renews its lease with each heartbeat, from the peer and from the witness |
//! | the witness | the active node goes on by the votes of its peer |
//! | a node | the other goes on, or takes over, by the lease of the witness |
//! | the link between the nodes | the node with the witness's lease goes on, the other one stays passive |
//! | one direction of a link | the same as if the link were gone |
//! | the witness and a node, or all links of a node | the node that is left, or cut off, stops within the expiry time, and serves again when it has one of the two back |
//!
//! The cost: state messages of three frames, so both nodes must have a witness and a C node cannot have one; an answer of
//! the peer to each heartbeat; one request to the witness per heartbeat; and a node that was started serves after the expiry
//! time at the earliest.
//!
//! # Example
//!
//! Both nodes in one process; the heartbeat is short, so that the example is.
//!
//! ```
//! use std::thread;
//! use std::time::Duration;
//! use zmq::{Context, Router};
//! use zmq_patterns::binary_star::{BinaryStar, Client, Role, Timing};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let context = Context::new()?;
//! let serve = |role, local, remote, endpoint| {
//!     let context = context.clone();
//!     thread::spawn(move || {
//!         let frontend = context.socket(Router).unwrap();
//!         frontend.bind(endpoint).unwrap();
//!         let mut node = BinaryStar::new(&context, role, local, remote)
//!             .unwrap()
//!             .timing(Timing::new(Duration::from_millis(50)));
//!         node.voter(&frontend, |_, request| Ok(frontend.send_multipart(request)?)).unwrap();
//!         // The end of the context ends it.
//!         node.run().unwrap();
//!     })
//! };
//! let primary = serve(Role::Primary, "inproc://primary-state", "inproc://backup-state", "inproc://primary");
//! let backup = serve(Role::Backup, "inproc://backup-state", "inproc://primary-state", "inproc://backup");
//!
//! let mut client = Client::new(&context, "inproc://primary", "inproc://backup")
//!     .timeout(Duration::from_millis(100))
//!     .settle(Duration::from_millis(100));
//! assert_eq!(client.request("1")?, ["1"]);
//! drop(client);
//! context.shutdown()?;
//! # primary.join().unwrap();
//! # backup.join().unwrap();
//! # Ok(())
//! # }
//! ```

mod ballot;
mod client;
mod event;
mod machine;
mod protocol;
mod star;
mod witness;

use std::fmt;
use std::time::Duration;

use crate::deadline::SHORTEST_INTERVAL;
pub use client::Client;
pub use event::{Conflict, Event, Reason, Statistics};
pub use machine::{Action, Machine};
pub use star::{BinaryStar, BinaryStarError};
pub use witness::{Lease, Witness, WitnessEvent};

/// The role of a node: which of the two begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The node that serves first.
    Primary,
    /// The node that takes over.
    Backup,
}

impl Role {
    /// The role of the peer.
    pub fn other(self) -> Role {
        match self {
            Role::Primary => Role::Backup,
            Role::Backup => Role::Primary,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Primary => "primary",
            Role::Backup => "backup",
        })
    }
}

/// The state of a node, which it publishes to its peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// A primary that waits for its peer, the digit 1.
    Primary,
    /// A backup that waits for its peer, the digit 2.
    Backup,
    /// The node serves, the digit 3.
    Active,
    /// The peer serves, the digit 4.
    Passive,
}

/// The times of a pair. Both nodes must have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    heartbeat: Duration,
    expiry: Duration,
}

impl Timing {
    /// A heartbeat, which is a millisecond at least, and an expiry time of two heartbeats.
    pub fn new(heartbeat: Duration) -> Timing {
        let heartbeat = heartbeat.clamp(SHORTEST_INTERVAL, LONGEST_HEARTBEAT);
        Timing { heartbeat, expiry: 2 * heartbeat }
    }

    /// Sets after which silence the peer counts as dead: two heartbeats by default, and at least. With more heartbeats, a few
    /// state messages may be lost: see the [module](self).
    pub fn expires_after(self, expiry: Duration) -> Timing {
        Timing { expiry: expiry.clamp(2 * self.heartbeat, 100 * LONGEST_HEARTBEAT), ..self }
    }

    /// The interval of the state messages.
    pub fn heartbeat(self) -> Duration {
        self.heartbeat
    }

    /// The silence after which the peer counts as dead.
    pub fn expiry(self) -> Duration {
        self.expiry
    }

    /// The delay of a heartbeat after which the peer may have taken over: its message may take half a heartbeat.
    fn lapse(self) -> Duration {
        self.heartbeat * 3 / 2
    }
}

/// Times are added to an `Instant`, which must be able to express them.
const LONGEST_HEARTBEAT: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for Timing {
    /// The guide's times: a heartbeat of a second, and an expiry time of two.
    fn default() -> Timing {
        Timing::new(Duration::from_secs(1))
    }
}
