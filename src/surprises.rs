//! Surprises of libzmq: what a program sees, why, and what to do.
//!
//! Every libzmq behaves so, with and without the [patches](crate::PATCHES), except if an entry says otherwise. The
//! repository has a test of each entry, in `tests/surprises/`.
//!
//! Several entries have one cause. An I/O thread makes connections and moves bytes. All else that concerns a socket
//! (new peers, lost peers, subscriptions) waits in its mailbox until the program uses the socket: by a send, a receive,
//! a poll or [`Socket::events`].
//!
//! # Peers that are absent, or come back
//!
//! ## A connect succeeds without a peer, and messages queue for it
//!
//! [`Socket::connect`] returns `Ok` for a port that no socket listens at. A PUSH, DEALER, REQ or PAIR then accepts
//! messages up to its high-water mark.
//!
//! - Why: the connection is made in the background, and its queue exists from the connect on.
//! - Do: wait for the peer by [`Socket::connect_and_wait`], or see the attempts by [`Socket::monitor`]. With
//!   [`Socket::set_immediate`] a message waits until a connection is complete, except over inproc, which ignores the
//!   option.
//!
//! ```
//! # use std::time::Duration;
//! # fn main() -> zmq::Result<()> {
//! # let context = zmq::Context::new()?;
//! let push = context.socket(zmq::Push)?;
//! push.set_immediate(true)?;
//! push.set_linger(Duration::ZERO)?;
//! push.connect("tcp://127.0.0.1:9")?;
//! assert!(!push.now().send("job")?.is_sent());
//! # Ok(())
//! # }
//! ```
//!
//! ## A socket that was disconnected from an absent peer goes on connecting
//!
//! After [`Socket::disconnect`] the attempts go on, and a peer that comes is connected, until the socket is used.
//!
//! - Why: the I/O thread asks the socket to end its side of the queue, and the answer waits in the mailbox.
//! - Do: call [`Socket::events`] now and then after a disconnect, or drop the socket.
//!
//! ## The connections of an endpoint that is unbound or disconnected end when the socket is used
//!
//! [`Socket::unbind`] and [`Socket::disconnect`] return, and the peers stay connected.
//!
//! - Why: the end of each queue waits in the mailbox too.
//! - Do: call [`Socket::events`] now and then afterwards, or drop the socket.
//!
//! ## A SUB that is not used does not subscribe again
//!
//! The publisher comes back, and the connection is made again. A SUB or XSUB misses the messages that are published before
//! the program uses the socket. So does a DISH with its groups.
//!
//! - Why: the socket itself subscribes again.
//! - Do: poll the socket, or wait in [`Socket::recv_msg`]: both use it. In an event loop of your own, wait for
//!   [`Socket::fd`] and call [`Socket::events`] when it is readable.
//!
//! ## ZMQ_PROBE_ROUTER is silent when a connection is made again
//!
//! A ROUTER that was restarted gets no probe from a DEALER that had connected to it before, and does not know the
//! DEALER until a message comes.
//!
//! - Why: [`Socket::set_probe_router`] probes a new queue, and the queue outlives the connection.
//! - Do: set [`Socket::set_immediate`] too, with which each connection has a queue of its own, or send a message of
//!   your own when a monitor reports [`Event::HandshakeSucceeded`].
//!
//! ## An inproc name does not come back
//!
//! The socket that bound an `inproc://` name is dropped, another binds the name, and those that had connected have no
//! peer.
//!
//! - Why: an inproc connection joins two sockets directly, and is not made again. It has no monitor events, no
//!   security, no message properties ([`Message::gets`]) and no peers in other contexts.
//! - Do: connect again, or use `ipc://`.
//!
//! ## A REQ waits without end for the reply of a peer that is gone
//!
//! The peer took the request and left. A receive waits, and a send fails with `EFSM`, also after the peer has come
//! back.
//!
//! - Why: a REQ sends and receives in turns, and libzmq does not send a request twice.
//! - Do: set both of the options below and send again, or open a new socket.
//!
//! ```
//! # fn main() -> zmq::Result<()> {
//! # let context = zmq::Context::new()?;
//! # let server = context.socket(zmq::Router)?;
//! # server.bind("inproc://server")?;
//! let req = context.socket(zmq::Req)?;
//! req.set_req_relaxed(true)?; // A second send abandons the first request.
//! req.set_req_correlate(true)?; // A late reply to the first request is dropped.
//! req.connect("inproc://server")?;
//! req.send("request")?;
//! req.send("request")?;
//! # Ok(())
//! # }
//! ```
//!
//! ## A PAIR that never receives keeps its peer from coming back
//!
//! The peer of a PAIR or CHANNEL sends as many messages as the receive mark of the other end, leaves and comes back. The
//! new connection is made, and gets nothing that the other end sends.
//!
//! - Why: a connection at its receive mark is not read, so libzmq does not notice its end. The new connection waits for it.
//! - Do: receive the messages, also if the program needs none of them. If the peer never sends, use PUSH and PULL. A libzmq
//!   without the patch 0090 ignores the new connection for good.
//!
//! ## Heartbeats are answered by a program that hangs
//!
//! [`Socket::set_heartbeat_ivl`] reports no lost peer while the peer's program hangs or does not use its socket.
//!
//! - Why: the I/O thread of the peer answers. A heartbeat tests the network and the process.
//! - Do: exchange messages of your own if the program must answer. The unit of [`Socket::set_heartbeat_ttl`] is 100 ms,
//!   to which this crate rounds up; in C a TTL below 100 ms is off.
//!
//! # Messages that wait, or are dropped
//!
//! ## A send without a peer waits, or drops the message
//!
//! PUSH, DEALER, REQ and PAIR wait for a peer, by default without end. PUB, XPUB and ROUTER return `Ok` and drop the
//! message.
//!
//! - Why: each pattern has its rule, and neither is an error to libzmq.
//! - Do: bound the wait by [`Socket::within`], [`Socket::now`] or [`Socket::set_sndtimeo`].
//!
//! ## A PUB drops messages before the subscription arrives
//!
//! A SUB that has connected misses the first messages: the slow joiner.
//!
//! - Why: the PUB filters, and drops messages that match no subscription that has arrived.
//! - Do: [`Socket::wait_for_topics`] and [`Socket::wait_for_subscribers`] wait for subscriptions. A connection alone is
//!   not enough: see [the calls that wait for peers](crate::monitor#waiting-for-peers).
//!
//! ## A PUB drops messages for a subscriber that is slow
//!
//! Each send of a PUB or XPUB returns `Ok`, `POLLOUT` is always set, and the subscriber misses messages.
//!
//! - Why: a full queue loses messages, so that one subscriber cannot stop the others.
//! - Do: raise [`Socket::set_sndhwm`], or set [`Socket::set_xpub_nodrop`], with which sends wait for the slowest
//!   subscriber. Number the messages if gaps must be noticed.
//!
//! ## A ROUTER drops messages to peers that it does not know
//!
//! A message to an id without a connection, or to a peer whose queue is full, is gone, and the send returns `Ok`.
//!
//! - Why: a ROUTER must not wait for one peer of many. `POLLOUT` is always set.
//! - Do: set [`Socket::set_router_mandatory`]. A ROUTER that connects learns the new id of a server that came back when it
//!   receives, or sends to that id while no message waits: receive first. Without the patch 1030 it never learns the id.
//!
//! ```
//! # fn main() -> zmq::Result<()> {
//! # let context = zmq::Context::new()?;
//! let router = context.socket(zmq::Router)?;
//! router.send_multipart(["nobody", "dropped"])?;
//! router.set_router_mandatory(true)?;
//! let error = router.send_multipart(["nobody", "refused"]).unwrap_err();
//! assert_eq!(error.error().errno(), zmq::Errno::EHOSTUNREACH);
//! # Ok(())
//! # }
//! ```
//!
//! ## A ROUTER ignores a second peer with the same routing id
//!
//! The second peer connects, its handshake succeeds, and its messages never arrive.
//!
//! - Why: the ROUTER could not tell the two apart.
//! - Do: give each peer an id of its own, or none. With [`Socket::set_router_handover`] the second takes the place of
//!   the first.
//!
//! ## A ROUTER reads one of its two connections with a DEALER
//!
//! Each binds and connects to the other, and half of the messages of a DEALER with a routing id never arrive.
//!
//! - Why: the DEALER sends to its two connections in turn. To the ROUTER the second is another peer with the same id.
//! - Do: let one side bind and the other connect.
//!
//! ## Messages go to the peers that are connected at the moment
//!
//! A PUSH or DEALER gives all its messages to the worker that connects first.
//!
//! - Why: a message is assigned to a queue when it is sent, and stays there.
//! - Do: wait for all workers by [`Monitor::wait_for_connections`], or let workers ask for work, as the guide's
//!   load-balancing broker does.
//!
//! ## A high-water mark counts at each end of each connection
//!
//! A PUSH with [`Socket::set_sndhwm`] 10 accepts more than 10 messages that no peer has received.
//!
//! - Why: each connection has a queue at the sender and one at the receiver ([`Socket::set_rcvhwm`]), and buffers of
//!   the system in between. Over inproc the two marks add up.
//! - Do: let the receiver say when it wants more, if the number of messages on their way must be bounded.
//!
//! ## ZMQ_CONFLATE keeps one part, and no mark counts
//!
//! In C the last part of a message with several parts is kept, alone. This crate refuses such messages with `EINVAL`.
//!
//! - Why: the queue of [`Socket::set_conflate`] has one place, for one part. The marks are ignored.
//! - Do: send one part. Without the patch 1028 the newest message can be lost.
//!
//! ## Behind forwarders with ZMQ_XPUB_VERBOSE no end of a subscription arrives
//!
//! Two subscribers of a forwarder have one topic, and unsubscribe. The publisher behind the forwarder goes on sending it.
//!
//! - Why: with [`Socket::set_xpub_verbose`] an XPUB passes on each repeated subscription and only the last unsubscription.
//!   The XSUB of the forwarder counts both, and sends the unsubscription when its count is zero.
//! - Do: leave the option off in forwarders. [`Socket::set_xpub_verboser`] serves in a single forwarder, and not in a
//!   chain. With `ZMQ_XSUB_VERBOSE_UNSUBSCRIBE` (draft) each unsubscription arrives, and the first one ends the topic for
//!   all subscribers of the forwarder.
//!
//! ## A STREAM cannot close the connection of a client that does not read
//!
//! The empty message that ends a connection waits, as each message to that client does. The data that libzmq is writing when
//! it comes to the empty message has the time of [`Socket::handshake_ivl`].
//!
//! - Why: the end of a connection queues behind its data.
//! - Do: send by [`Socket::within`], and set [`Socket::set_tcp_maxrt`], after which the system ends the
//!   connection of a client that takes nothing.
//!
//! # Endpoints and options
//!
//! ## Options that are set after a connect do not change its connection
//!
//! A routing id, a security option or `ZMQ_CONFLATE` that is set after [`Socket::connect`] or [`Socket::bind`] changes
//! nothing.
//!
//! - Why: an endpoint copies the options when it is made. Each option's page says when the option takes effect.
//! - Do: set options first.
//!
//! ## A second connect to the same endpoint is ignored, or makes a second connection
//!
//! A DEALER, REQ, PUB or SUB has one connection after two connects over tcp, ipc or ws. Other kinds have two, and each
//! kind has two over inproc.
//!
//! - Why: libzmq ignores the repetition for these four kinds. Two connections take turns, and each has its own queue.
//! - Do: connect once. [`Socket::disconnect`] ends all connections of the endpoint.
//!
//! ## A bind takes an ipc path over from the socket that listens there
//!
//! The second [`Socket::bind`] to an `ipc://` path succeeds. The first socket keeps its connections and gets no new
//! ones.
//!
//! - Why: libzmq removes the file of the path, which a process that has ended may have left.
//! - Do: bind by [`Socket::bind_unused`], which fails with `EADDRINUSE` if a socket listens at the path.
//!
//! # Security
//!
//! ## CURVE without a ZAP handler lets every client in
//!
//! A CURVE server without a handler accepts each client that knows the server's public key, whatever its own key. A
//! PLAIN server without a handler refuses each client.
//!
//! - Why: CURVE itself encrypts, and leaves it to a handler to check who the client is.
//! - Do: start an [`Authenticator`] before the server binds.
//!
//! ## A client that a ZAP handler refuses never tries again
//!
//! The handler answers 400 to a PLAIN or CURVE client. The client stays without a connection, also when the handler
//! would accept it now, and a repeated connect is ignored.
//!
//! - Why: libzmq takes the refusal for final. A client without a mechanism (NULL) may try again, if its connection ends
//!   before it has read the refusal.
//! - Do: disconnect and connect again after [`Event::HandshakeFailedAuth`]. A handler that answers 300
//!   ([`Verdict::later`]) has the client try again.
//!
//! # Waiting and ending
//!
//! ## The descriptor of a socket is not readable while messages are there
//!
//! [`Socket::fd`] is readable once, and then not, although messages can be received.
//!
//! - Why: the descriptor signals the mailbox, and each use of the socket empties the mailbox.
//! - Do: after each use ask [`Socket::events`] before waiting again. In an async runtime take the sockets of the
//!   [features](crate#features) `tokio` and `async-io`, which do.
//!
//! ## The end of a pipe is POLLERR without POLLIN
//!
//! [`poll()`](crate::poll()) and [`Poller`] report `POLLERR` alone for a pipe whose writer has gone. A loop that reads
//! on `POLLIN` never sees the end. For the end of a stream socket both are set.
//!
//! - Why: the system reports `POLLHUP`, which ZeroMQ does not have.
//! - Do: read if either is set.
//!
//! ```ignore-windows
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::io::Read;
//! use std::os::fd::AsFd;
//! use zmq::{PollEvents, PollItem, poll};
//!
//! let (mut reader, writer) = std::io::pipe()?;
//! drop(writer);
//! let mut items = [PollItem::fd(reader.as_fd(), PollEvents::POLLIN)];
//! poll(&mut items, None)?;
//! if !items[0].revents().is_empty() {
//!     assert_eq!(reader.read(&mut [0; 64])?, 0);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! ## The end of a context waits without end for unsent messages
//!
//! A program that sent to an absent peer does not end: dropping the context waits. [`std::process::exit`] does not
//! wait, nor does the return from `main` if the context is in a `static`: unsent messages are lost.
//!
//! - Why: [`Socket::set_linger`] has no bound by default, except for SUB and XSUB.
//! - Do: end the context by [`Context::terminate`](crate::Context::terminate), which bounds the wait.
//!
//! ```
//! # use std::time::Duration;
//! # fn main() -> zmq::Result<()> {
//! let context = zmq::Context::new()?;
//! let push = context.socket(zmq::Push)?;
//! push.connect("tcp://127.0.0.1:9")?;
//! push.send("no peer is there")?;
//! drop(push);
//! assert!(context.terminate(Duration::from_millis(20)).is_err());
//! # Ok(())
//! # }
//! ```
//!
//! [`Authenticator`]: crate::security::Authenticator
//! [`Event::HandshakeFailedAuth`]: crate::monitor::Event::HandshakeFailedAuth
//! [`Event::HandshakeSucceeded`]: crate::monitor::Event::HandshakeSucceeded
//! [`Message::gets`]: crate::Message::gets
//! [`Monitor::wait_for_connections`]: crate::Monitor::wait_for_connections
//! [`Poller`]: crate::Poller
//! [`Socket::bind_unused`]: crate::Socket::bind_unused
//! [`Socket::bind`]: crate::Socket::bind
//! [`Socket::connect_and_wait`]: crate::Socket::connect_and_wait
//! [`Socket::connect`]: crate::Socket::connect
//! [`Socket::disconnect`]: crate::Socket::disconnect
//! [`Socket::events`]: crate::Socket::events
//! [`Socket::handshake_ivl`]: crate::Socket::handshake_ivl
//! [`Socket::fd`]: crate::Socket::fd
//! [`Socket::monitor`]: crate::Socket::monitor
//! [`Socket::recv_msg`]: crate::Socket::recv_msg
//! [`Socket::within`]: crate::Socket::within
//! [`Socket::set_conflate`]: crate::Socket::set_conflate
//! [`Socket::set_heartbeat_ivl`]: crate::Socket::set_heartbeat_ivl
//! [`Socket::set_heartbeat_ttl`]: crate::Socket::set_heartbeat_ttl
//! [`Socket::set_immediate`]: crate::Socket::set_immediate
//! [`Socket::set_linger`]: crate::Socket::set_linger
//! [`Socket::set_probe_router`]: crate::Socket::set_probe_router
//! [`Socket::set_rcvhwm`]: crate::Socket::set_rcvhwm
//! [`Socket::set_router_handover`]: crate::Socket::set_router_handover
//! [`Socket::set_router_mandatory`]: crate::Socket::set_router_mandatory
//! [`Socket::set_sndhwm`]: crate::Socket::set_sndhwm
//! [`Socket::set_sndtimeo`]: crate::Socket::set_sndtimeo
//! [`Socket::set_tcp_maxrt`]: crate::Socket::set_tcp_maxrt
//! [`Socket::set_xpub_nodrop`]: crate::Socket::set_xpub_nodrop
//! [`Socket::set_xpub_verbose`]: crate::Socket::set_xpub_verbose
//! [`Socket::set_xpub_verboser`]: crate::Socket::set_xpub_verboser
//! [`Socket::now`]: crate::Socket::now
//! [`Socket::unbind`]: crate::Socket::unbind
//! [`Socket::wait_for_subscribers`]: crate::Socket::wait_for_subscribers
//! [`Socket::wait_for_topics`]: crate::Socket::wait_for_topics
//! [`Verdict::later`]: crate::security::Verdict::later
