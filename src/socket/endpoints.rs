//! Binding and connecting.

use std::ffi::CStr;

use super::address::{check_ipc_unused, wait_until_free};
use super::{Core, Socket};
use crate::context::EndpointRole;
use crate::endpoint;
use crate::error::LongId;
use crate::error::{Errno, Error, Result};
use crate::kind::{Kind, SocketType};
use crate::known::{InprocConnection, LocalEnd};
use crate::process::uninterrupted;
use crate::raw::platform::{IntoRawFd, OwnedFd};
use crate::raw::{OpLock, RawValue};

/// # Binding and connecting
impl<T: SocketType> Socket<'_, T> {
    /// Accepts connections at an endpoint, and returns the endpoint as libzmq resolved it: `tcp://127.0.0.1:*` becomes
    /// `tcp://127.0.0.1:49152`. Peers connect to the resolved endpoint, and [`Socket::unbind`] takes it.
    ///
    /// Endpoints are `tcp://interface:port`, `ipc://path`, `inproc://name`, `ws://interface:port/path`, and further
    /// transports that [`has`](crate::has) reports. Draft kinds that send datagrams have `udp://interface:port` with a
    /// number for the port. `*` stands for all interfaces, a free port or a temporary path.
    ///
    /// An `ipc://` path takes over an existing socket file, as in C, even if another socket or another process listens there:
    /// new connections come to this socket, and neither side hears of it:
    /// see [surprises](crate::surprises#a-bind-takes-an-ipc-path-over-from-the-socket-that-listens-there).
    /// [`Socket::bind_unused`] refuses that.
    ///
    /// Over udp libzmq binds in the background: a port that is taken is no error, and nothing arrives.
    ///
    /// While the process has no descriptor for a new connection, the listener pauses, and tries again every 100 ms. It reports
    /// each try as [`monitor::Event::AcceptFailed`](crate::monitor::Event::AcceptFailed).
    ///
    /// # Errors
    ///
    /// They name the endpoint and its fault.
    ///
    /// - `EINVAL`: the text is no endpoint (empty, no `://`, a NUL, a blank, no port, a port above 65535), the scope of an
    ///   IPv6 address does not exist, or CURVE lacks one of its keys.
    /// - `EPROTONOSUPPORT`: an unknown transport, also one in capitals. `ENOCOMPATPROTO`: one that does not fit the kind.
    /// - `EADDRINUSE`: another socket is bound there, or was until it was dropped a moment ago; [`Socket::unbind`] and
    ///   [`Socket::close`] wait for that. `EADDRNOTAVAIL`: the address is not one of this machine's.
    /// - `ENODEV`: no interface has the name (only tcp looks up host names), or an IPv6 address while [`Socket::ipv6`] is off.
    /// - `ENAMETOOLONG`, `EACCES`, `ENOENT`: the path of `ipc://`. `ENOTSUP`: GSSAPI over `ws://`.
    /// - `EMFILE` or `ENFILE` without a file descriptor, `EMTHREAD` without an I/O thread, `ETERM`.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let server = context.socket(zmq::Rep)?;
    /// let endpoint = server.bind("tcp://127.0.0.1:*")?;
    /// let client = context.socket(zmq::Req)?;
    /// client.connect(&endpoint)?;
    /// server.unbind(&endpoint)?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_bind")]
    #[doc(alias = "ZMQ_LAST_ENDPOINT")]
    pub fn bind(&self, endpoint: &str) -> Result<String> {
        self.core().bind(endpoint)
    }

    /// Binds as [`Socket::bind`] does, except to an `ipc://` path at which a socket listens. The listener sees a connection
    /// that ends at once. If two sockets bind at the same moment, both may succeed, and the second one has the path.
    ///
    /// # Errors
    ///
    /// As [`Socket::bind`], and `EADDRINUSE` if a socket listens at the path, or if no connection can be tried, for example
    /// without the permission.
    ///
    /// ```ignore-windows
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let path = format!("ipc:///tmp/unused-{}.sock", std::process::id());
    /// let server = context.socket(zmq::Rep)?;
    /// server.bind_unused(&path)?;
    /// let error = context.socket(zmq::Rep)?.bind_unused(&path).unwrap_err();
    /// assert_eq!(error.errno(), zmq::Errno::EADDRINUSE);
    /// # let _ = std::fs::remove_file(path.trim_start_matches("ipc://"));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_bind")]
    pub fn bind_unused(&self, endpoint: &str) -> Result<String> {
        self.core().bind_unused(endpoint)
    }

    /// Connects to an endpoint, in the background: the peer need not be there yet, and a lost connection is made again,
    /// except over inproc.
    ///
    /// More in the page of surprises: [messages that queue for an absent
    /// peer](crate::surprises#a-connect-succeeds-without-a-peer-and-messages-queue-for-it), [options that are set too
    /// late](crate::surprises#options-that-are-set-after-a-connect-do-not-change-its-connection), [a second connect to
    /// the same
    /// endpoint](crate::surprises#a-second-connect-to-the-same-endpoint-is-ignored-or-makes-a-second-connection), and
    /// [inproc names that do not come back](crate::surprises#an-inproc-name-does-not-come-back).
    ///
    /// # Errors
    ///
    /// The errors of [`Socket::bind`], except those of listeners. A missing peer is no error, nor is a host name that
    /// cannot be looked up now. `EINVAL` for an IPv6 address while [`Socket::ipv6`] is off. `EINVAL` if a PLAIN,
    /// CURVE or GSSAPI server, or a NULL socket with a domain, connects while [`Socket::reconnect_ivl`] is not `None`:
    /// libzmq would apply the ZAP handler's answer for one peer to the next, or abort the process.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let client = context.socket(zmq::Req)?;
    /// client.connect("inproc://server")?;
    /// client.send("waits for the server to come")?;
    /// let server = context.socket(zmq::Rep)?;
    /// server.bind("inproc://server")?;
    /// assert_eq!(server.recv_msg()?, "waits for the server to come");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_connect")]
    pub fn connect(&self, endpoint: &str) -> Result<()> {
        self.core().connect(endpoint)
    }

    /// Connects to a peer that this socket knows under the given routing id, 1 to 255 bytes.
    ///
    /// Every id is allowed except a zero byte and 4 more, and `ZMQ_IMMEDIATE` must be off. Over a libzmq without the patches
    /// for safety, an id can be assigned once in a socket's life, and on a ROUTER only if it has neither bound nor connected
    /// otherwise: if a peer has the id, libzmq aborts the process.
    ///
    /// # Errors
    ///
    /// As [`Socket::connect`]; `EADDRINUSE` if a peer has the id; `EINVAL` for an id that cannot be assigned. If connecting
    /// itself fails, libzmq keeps the id for the socket's next connection.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let server = context.socket(zmq::Dealer)?;
    /// let endpoint = server.bind("tcp://127.0.0.1:*")?;
    /// let client = context.socket(zmq::Router)?;
    /// client.connect_with_routing_id("alice", &endpoint)?;
    /// client.send_multipart(["alice", "Hello"])?;
    /// assert_eq!(server.recv_msg()?.as_str(), Some("Hello"));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_CONNECT_ROUTING_ID")]
    #[doc(alias = "ZMQ_CONNECT_RID")]
    pub fn connect_with_routing_id(&self, id: impl AsRef<[u8]>, endpoint: &str) -> Result<()>
    where
        T: crate::kind::groups::RoutingKind,
    {
        self.core().connect_named(id.as_ref(), endpoint)
    }

    /// Stops accepting connections at an endpoint, and ends those that were made there; only the connections of
    /// `inproc://` go on. The text is the argument or the result of [`Socket::bind`]. If the argument had a wildcard for the
    /// port or the path, the text is the result.
    ///
    /// Messages that were not sent yet to the peers of these connections are lost, whatever the linger period.
    /// [`Socket::close`] and a drop send them first.
    ///
    /// libzmq closes the listener in an I/O thread. The call waits for that, at most a second, so that the address is
    /// free: any socket can bind to it at once. To bind to the address of a socket that is dropped, call `unbind` before the
    /// drop, or [`Socket::close`] instead. The call does not wait for a descriptor of [`Socket::bind_fd`], of which
    /// duplicates may be open. It takes the whole second if another socket listens at the address: one that has bound to it
    /// meanwhile, or a listener that a forked child has inherited.
    ///
    /// # Errors
    ///
    /// `ENOENT` if the socket is not bound to it under that text, `EINVAL`, `EPROTONOSUPPORT`, `ETERM`; `EFSM` as with
    /// [`Socket::disconnect`].
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Pull)?;
    /// let endpoint = socket.bind("tcp://127.0.0.1:*")?;
    /// socket.unbind(&endpoint)?;
    /// let error = socket.unbind("tcp://127.0.0.1:*").unwrap_err();
    /// assert_eq!(error.errno(), zmq::Errno::ENOENT);
    ///
    /// let other = context.socket(zmq::Pull)?;
    /// other.bind(&endpoint)?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_unbind")]
    pub fn unbind(&self, endpoint: &str) -> Result<()> {
        self.core().unbind(endpoint)
    }

    /// Closes the socket as a drop does, and then waits until the addresses of its endpoints are free, at most a second, so
    /// that another socket can bind to them at once, with the exceptions of [`Socket::unbind`]. Unsent messages linger as
    /// after a drop: if the socket is the last handle of its context, the call waits for them too.
    ///
    /// Unlike [`Socket::unbind`], it succeeds while a message is waiting; the message is lost.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let server = context.socket(zmq::Rep)?;
    /// let endpoint = server.bind("tcp://127.0.0.1:*")?;
    /// server.close();
    /// let next = context.socket(zmq::Rep)?;
    /// next.bind(&endpoint)?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_close")]
    pub fn close(self) {
        // A thread of the parent may hold a lock of the socket in a forked child.
        let is_own = self.core().check_process("zmq_close").is_ok();
        let addresses = if is_own { self.core().listen_addresses() } else { Vec::new() };
        drop(self);
        wait_until_free(&addresses);
    }

    /// Ends the connections that [`Socket::connect`] made with the same text; over ws, the text of [`Socket::last_endpoint`]
    /// ends them too. Unsent messages may be lost after the linger period.
    ///
    /// Until the socket is used,
    /// [connections](crate::surprises#the-connections-of-an-endpoint-that-is-unbound-or-disconnected-end-when-the-socket-is-used)
    /// and [attempts to reach an absent
    /// peer](crate::surprises#a-socket-that-was-disconnected-from-an-absent-peer-goes-on-connecting) go on.
    ///
    /// # Errors
    ///
    /// `ENOENT` without such a connection, `EINVAL`, `EPROTONOSUPPORT`, `ETERM`. `EFSM` while a message is half received, and
    /// on ROUTER, REP, SUB, XSUB and STREAM while a message is waiting: libzmq would abort the process if the message ended
    /// with its connection. With a libzmq without the patches for safety, `EFSM` also if an `inproc://` name is not bound
    /// yet.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// # let server = context.socket(zmq::Pull)?;
    /// # let endpoint = server.bind("tcp://127.0.0.1:*")?;
    /// let socket = context.socket(zmq::Push)?;
    /// socket.connect(&endpoint)?;
    /// socket.disconnect(&endpoint)?;
    /// assert!(!socket.now().send("nobody is there")?.is_sent());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_disconnect")]
    pub fn disconnect(&self, endpoint: &str) -> Result<()> {
        self.core().disconnect(endpoint)
    }
}

impl Core {
    fn bind(&self, endpoint: &str) -> Result<String> {
        self.check_process("zmq_bind")?;
        self.bind_locked(&self.op_lock(), endpoint, None)
    }

    fn bind_unused(&self, endpoint: &str) -> Result<String> {
        const CALL: &str = "zmq_bind";
        self.check_process(CALL)?;
        let op = self.op_lock();
        check_ipc_unused(CALL, endpoint)?;
        self.bind_locked(&op, endpoint, None)
    }

    /// Binds to `endpoint`, or with `fd` to the descriptor that `ZMQ_USE_FD` is set to.
    pub(super) fn bind_locked(&self, op: &OpLock<'_>, endpoint: &str, fd: Option<OwnedFd>) -> Result<String> {
        const CALL: &str = "zmq_bind";
        self.check_process(CALL)?;
        let (end, text) = match fd {
            None => (LocalEnd::Listener, endpoint::check_bind(CALL, endpoint, self.kind())?),
            Some(_) => (LocalEnd::Descriptor, endpoint::check_bind_fd(CALL, endpoint, self.kind())?),
        };
        self.check_bind(CALL, endpoint, &text)?;
        if fd.is_none() {
            self.check_descriptor(CALL, endpoint, &text)?;
        }
        self.bind_checked(&text, || {
            uninterrupted(|| op.bind(&text)).map_err(|errno| self.refused(CALL, errno, endpoint, true))
        })?;
        // The listener owns the descriptor now, and closes it, even if the context ends before this call does.
        let _ = fd.map(IntoRawFd::into_raw_fd);
        {
            let mut known = self.known();
            known.is_used = true;
            known.routing_ids.others_possible = true;
        }
        // libzmq keeps the text of a udp endpoint without its transport.
        let bound = if endpoint::is_udp(endpoint) { endpoint.to_owned() } else { self.last_endpoint()? };
        self.note_endpoint(EndpointRole::Bound, &bound);
        self.note_bound(endpoint, &bound, end);
        Ok(bound)
    }

    fn bind_checked(&self, text: &CStr, bind: impl FnOnce() -> Result<()>) -> Result<()> {
        if !endpoint::is_inproc(text) {
            return bind();
        }
        let single_part_only = self.context().inproc_bind(self.kind(), text, bind)?;
        let mut known = self.known();
        known.single_part_only.push(single_part_only);
        known.bound.push(text.into());
        drop(known);
        self.state.set_has_inproc_name();
        Ok(())
    }

    pub(crate) fn connect(&self, endpoint: &str) -> Result<()> {
        self.connect_by("zmq_connect", endpoint, |op, text| op.connect(text))
    }

    /// Connects by `connect`, which makes one of libzmq's calls that connect.
    pub(super) fn connect_by<R>(
        &self,
        call: &'static str,
        endpoint: &str,
        mut connect: impl FnMut(&OpLock<'_>, &CStr) -> Result<R, Errno>,
    ) -> Result<R> {
        self.check_process(call)?;
        let op = self.op_lock();
        let text = endpoint::check_connect(call, endpoint, self.kind())?;
        self.check_connect(call, endpoint, &text)?;
        #[cfg(feature = "draft")]
        if endpoint::is_udp(endpoint) {
            // The I/O thread does not try again.
            self.check_descriptor(call, endpoint, &text)?;
            self.state.set_has_datagrams();
        }
        let connected = self.connect_checked(&text, || {
            uninterrupted(|| connect(&op, &text)).map_err(|errno| self.refused(call, errno, endpoint, false))
        })?;
        self.note_endpoint(EndpointRole::Connected, endpoint);
        self.note_connected(endpoint);
        let mut known = self.known();
        known.is_used = true;
        if !std::mem::take(&mut known.routing_ids.next_assigned) {
            known.routing_ids.others_possible = true;
        }
        Ok(connected)
    }

    fn connect_checked<R>(&self, text: &CStr, connect: impl FnOnce() -> Result<R>) -> Result<R> {
        if !endpoint::is_inproc(text) {
            return connect();
        }
        let single_part_only = self.kind() == Kind::Sub && self.conflates();
        let has_its_peer = self.kind().has_one_peer() && self.is_used();
        let (connected, connection) =
            self.context().inproc_connect(text, self.kind(), single_part_only, has_its_peer, connect)?;
        self.known().connected.push(connection);
        Ok(connected)
    }

    fn connect_named(&self, id: &[u8], endpoint: &str) -> Result<()> {
        const CALL: &str = "ZMQ_CONNECT_ROUTING_ID";
        self.check_process(CALL)?;
        let refused = |why: &str| Errno::EINVAL.with_detail(CALL, format_args!("{}: {why}", LongId(id)));
        if !matches!(self.kind(), Kind::Router | Kind::Stream) {
            return Err(refused(&format!("{} has no such option", self.kind())));
        }
        if id.is_empty() || id.len() > 255 {
            return Err(refused("not 1 to 255 bytes long"));
        }
        // Check the endpoint before the option is set: an endpoint that cannot be connected to must leave no id behind.
        let text = endpoint::check_connect("zmq_connect", endpoint, self.kind())?;
        self.check_connect("zmq_connect", endpoint, &text)?;
        if id.len() == 5 && id[0] == 0 {
            return Err(refused("looks like an id that libzmq makes itself"));
        }
        // With the patch 0042-connect-routing-id-in-use, libzmq refuses an id that a peer has.
        if cfg!(not(zmq_patches = "safety")) {
            let known = self.known();
            if known.routing_ids.assigned.contains(id) {
                return Err(refused("given before"));
            }
            if self.kind() == Kind::Router && known.routing_ids.others_possible {
                return Err(refused("the socket may have peers under ids of their own, and one of them this id"));
            }
        }
        let immediate = self.raw().get_int(zmq_sys::ZMQ_IMMEDIATE).map_err(|errno| errno.for_call("ZMQ_IMMEDIATE"))?;
        if immediate != 0 {
            return Err(refused("with ZMQ_IMMEDIATE a peer comes back under an id of its own"));
        }
        self.raw()
            .set_option(zmq_sys::ZMQ_CONNECT_ROUTING_ID, &RawValue::Bytes(id))
            .map_err(|errno| errno.for_call(CALL))?;
        {
            let mut known = self.known();
            known.is_used = true;
            known.routing_ids.assigned.insert(id.into());
            known.routing_ids.next_assigned = true;
        }
        self.connect(endpoint).map_err(|error| match error.errno() {
            Errno::EADDRINUSE => Errno::EADDRINUSE.with_detail(CALL, format_args!("{}: a peer has the id", LongId(id))),
            _ => error,
        })
    }

    pub(super) fn unbind(&self, endpoint: &str) -> Result<()> {
        const CALL: &str = "zmq_unbind";
        self.check_process(CALL)?;
        let op = self.op_lock();
        let text = endpoint::check_form(CALL, endpoint)?;
        let own_names = self.own_names(&text);
        // Unbinding an inproc name ends no connection.
        if own_names.is_empty() {
            self.check_ending(CALL, endpoint, &text)?;
        }
        let unbind = |text: &CStr| uninterrupted(|| self.raw().unbind(text));
        let outcome = if !endpoint::is_inproc(&text) {
            self.end_endpoints(endpoint, true, unbind)
        } else if own_names.is_empty() {
            self.disconnect_inproc(&text, || unbind(&text)).map(|()| Vec::new())
        } else {
            let process_ended = |()| self.process_ended().map(|()| Vec::new());
            let outcome = self.context().inproc_unbind(&own_names, || unbind(&text).and_then(process_ended));
            self.known().bound.retain(|bound| **bound != *text);
            outcome
        };
        drop(op);
        let why = if endpoint::is_wildcard(endpoint) {
            "a wildcard; take the endpoint that bind gave back"
        } else {
            "not bound to it; take the text that bind was given, or the endpoint that bind gave back"
        };
        let addresses = outcome.map_err(|errno| missing(CALL, errno, endpoint, why))?;
        self.forget_endpoint(endpoint);
        wait_until_free(&addresses);
        Ok(())
    }

    /// `name` if this socket has bound it.
    fn own_names(&self, name: &CStr) -> Vec<Box<CStr>> {
        self.known().bound.iter().filter(|bound| ***bound == *name).cloned().collect()
    }

    pub(super) fn disconnect(&self, endpoint: &str) -> Result<()> {
        const CALL: &str = "zmq_disconnect";
        self.check_process(CALL)?;
        let _op = self.op_lock();
        let text = endpoint::check_form(CALL, endpoint)?;
        // libzmq would unbind it.
        if !self.own_names(&text).is_empty() {
            return Err(Errno::ENOENT.with_detail(CALL, format_args!("{endpoint:?}: bound, not connected; unbind it")));
        }
        self.check_ending(CALL, endpoint, &text)?;
        let disconnect = |text: &CStr| uninterrupted(|| self.raw().disconnect(text));
        let outcome = if endpoint::is_inproc(&text) {
            self.disconnect_inproc(&text, || disconnect(&text))
        } else {
            self.end_endpoints(endpoint, false, disconnect).map(drop)
        };
        if outcome.is_ok() {
            self.forget_endpoint(endpoint);
        }
        outcome.map_err(|errno| {
            missing(CALL, errno, endpoint, "not connected to it; take the text that connect was given")
        })
    }

    fn disconnect_inproc(&self, name: &CStr, disconnect: impl FnOnce() -> Result<(), Errno>) -> Result<(), Errno> {
        let linger = self.raw().linger()?;
        let connections = self.connections_to(name);
        self.context().inproc_disconnect(connections, linger, || disconnect().and_then(|()| self.process_ended()))?;
        let lingering = self.context().inproc_waiting(self.connections_to(name));
        let mut known = self.known();
        known.connected.retain(|connection| *connection.name != *name);
        known.connected.extend(lingering);
        Ok(())
    }

    fn connections_to(&self, name: &CStr) -> Vec<InprocConnection> {
        self.known().connected.iter().filter(|connection| *connection.name == *name).cloned().collect()
    }

    /// Whether a connection of this socket waits for the inproc name to be bound.
    pub(crate) fn waits_for_name(&self, name: &CStr) -> bool {
        !self.context().inproc_waiting(self.connections_to(name)).is_empty()
    }

    /// Processes the commands by which libzmq ends this side of a connection inside the context.
    fn process_ended(&self) -> Result<(), Errno> {
        self.has_message().map(drop).map_err(|error| error.errno())
    }
}

/// The error of an unbind or disconnect. `ENOENT` mostly means that libzmq keeps the endpoint under another text, so the
/// error then says `why`.
fn missing(call: &'static str, errno: Errno, endpoint: &str, why: &str) -> Error {
    if errno == Errno::ENOENT {
        return errno.with_detail(call, format_args!("{endpoint:?}: {why}"));
    }
    errno.with_detail(call, format_args!("{endpoint:?}"))
}
