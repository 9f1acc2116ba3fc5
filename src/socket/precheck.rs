//! Checks before libzmq's call. They refuse endpoints, options and connections that make libzmq abort or hang, or that
//! bypass the socket's security.

use std::ffi::{CStr, c_int};

use zeroize::Zeroize;

use super::Core;
use crate::descriptors::check_spare;
use crate::endpoint;
use crate::error::{Errno, Result};
use crate::kind::Kind;
use crate::poll_events::PollEvents;
use crate::sockopt::row::Row;

/// The longest prefix of a subscription, in bytes: libzmq recurses once for each byte.
pub(crate) const LONGEST_PREFIX: usize = 8192;

const ZAP_DOMAIN: Row = Row { name: "ZMQ_ZAP_DOMAIN", number: zmq_sys::ZMQ_ZAP_DOMAIN };
pub(crate) const LAST_ENDPOINT: Row = Row { name: "ZMQ_LAST_ENDPOINT", number: zmq_sys::ZMQ_LAST_ENDPOINT };

impl Core {
    /// Whether the socket's connections carry raw bytes instead of ZMTP.
    pub(crate) fn is_raw(&self) -> bool {
        self.state.is_raw()
    }

    /// Whether more parts follow the last part received.
    pub(crate) fn is_half_received(&self) -> bool {
        self.raw().get_int(zmq_sys::ZMQ_RCVMORE) == Ok(1)
    }

    /// libzmq uses freed memory if a mark changes while a peer leaves, except with the patch 0022-commands-to-freed-pipe.
    pub(crate) fn check_mark(&self, name: &'static str, number: c_int) -> Result<()> {
        let is_mark = matches!(number, zmq_sys::ZMQ_SNDHWM | zmq_sys::ZMQ_RCVHWM);
        if cfg!(not(zmq_patches = "safety")) && is_mark && self.is_used() {
            let why = "this libzmq accepts a mark only before the socket binds or connects";
            return Err(Errno::EINVAL.with_detail(name, why));
        }
        Ok(())
    }

    /// Sets `ZMQ_ROUTER_RAW`, or one of [`known::OneWayOptions`](crate::known::OneWayOptions).
    pub(crate) fn set_one_way(&self, name: &'static str, number: c_int, value: bool) -> Result<()> {
        let _op = self.op_lock();
        let (is_used, mut options) = {
            let known = self.known();
            (known.is_used, known.one_way)
        };
        let refused = |why: &str| Err(Errno::EINVAL.with_detail(name, format_args!("{value}: {why}")));
        let stays = "it cannot be switched off again";
        let is_raw = self.is_raw();
        match number {
            zmq_sys::ZMQ_ROUTER_RAW if is_raw && !value => return refused(stays),
            zmq_sys::ZMQ_ROUTER_RAW if value && is_used => return refused("the socket has bound or connected"),
            zmq_sys::ZMQ_ROUTER_RAW if options.probe && value => return refused("ZMQ_PROBE_ROUTER is on"),
            zmq_sys::ZMQ_ROUTER_RAW => {}
            zmq_sys::ZMQ_PROBE_ROUTER if is_raw && value => return refused("ZMQ_ROUTER_RAW is on"),
            zmq_sys::ZMQ_PROBE_ROUTER => options.probe = value,
            _ if options.manual && !value => return refused(stays),
            _ => options.manual = value,
        }
        Row { name, number }.set_int(self.raw(), c_int::from(value))?;
        self.known().one_way = options;
        if number == zmq_sys::ZMQ_ROUTER_RAW && value {
            self.state.set_is_raw(true);
            self.update_fast_path();
        }
        Ok(())
    }

    /// Checks an endpoint before `zmq_bind`.
    pub(super) fn check_bind(&self, call: &'static str, endpoint: &str, text: &CStr) -> Result<()> {
        #[cfg(feature = "draft")]
        self.check_family(call, endpoint)?;
        self.check_raw(call, endpoint)?;
        self.check_security(call, endpoint)?;
        self.check_gssapi(call, endpoint)?;
        self.check_curve(call, endpoint, text)?;
        self.check_conflating(call, endpoint, text)
    }

    /// Checks an endpoint before `zmq_connect`.
    pub(super) fn check_connect(&self, call: &'static str, endpoint: &str, text: &CStr) -> Result<()> {
        self.check_raw(call, endpoint)?;
        self.check_security(call, endpoint)?;
        self.check_gssapi(call, endpoint)?;
        self.check_curve(call, endpoint, text)?;
        self.check_proxy(call, endpoint)?;
        self.check_address(call, endpoint)?;
        self.check_zap_client(call, endpoint)?;
        self.check_conflating(call, endpoint, text)
    }

    /// Checks that a descriptor is left for an endpoint. If none is left, a libzmq without the patch
    /// 0044-resolver-without-descriptors aborts the process while it looks up the interface, and udp reports nothing.
    pub(super) fn check_descriptor(&self, call: &'static str, endpoint: &str, text: &CStr) -> Result<()> {
        if endpoint::is_inproc(text) {
            return Ok(());
        }
        check_spare(1).map_err(|errno| errno.with_detail(call, format_args!("{endpoint:?}")))
    }

    /// Refuses a DGRAM with `ZMQ_IPV6`: its first datagram aborts the process.
    #[cfg(feature = "draft")]
    fn check_family(&self, call: &'static str, endpoint: &str) -> Result<()> {
        if self.kind() == Kind::Dgram && self.raw().get_int(zmq_sys::ZMQ_IPV6) == Ok(1) {
            let why = format_args!("{endpoint:?}: a ZMQ_DGRAM socket has IPv4 addresses alone; switch ZMQ_IPV6 off");
            return Err(Errno::EINVAL.with_detail(call, why));
        }
        Ok(())
    }

    /// STREAM data and datagrams bypass CURVE, PLAIN and ZAP: they are refused if security is set.
    fn check_raw(&self, call: &'static str, endpoint: &str) -> Result<()> {
        let is_raw = self.is_raw();
        if is_raw || endpoint::is_never_secured(endpoint) {
            self.check_unsecured(call, endpoint)?;
        }
        if is_raw { endpoint::check_raw(call, endpoint) } else { Ok(()) }
    }

    fn check_unsecured(&self, call: &'static str, endpoint: &str) -> Result<()> {
        let socket = self.raw();
        let has_mechanism =
            socket.get_int(zmq_sys::ZMQ_MECHANISM).is_ok_and(|mechanism| mechanism != zmq_sys::ZMQ_NULL);
        if !has_mechanism && ZAP_DOMAIN.get_text(socket)?.is_none() {
            return Ok(());
        }
        let why = "the transport cannot be secured, and a mechanism or a ZMQ_ZAP_DOMAIN is set";
        Err(Errno::EINVAL.with_detail(call, format_args!("{endpoint:?}: {why}")))
    }

    /// Refuses a server with `ZMQ_ZAP_ENFORCE_DOMAIN` and no domain: PLAIN aborts the process when the first peer
    /// connects, and CURVE accepts every peer without asking a ZAP handler.
    #[cfg(feature = "draft")]
    fn check_security(&self, call: &'static str, endpoint: &str) -> Result<()> {
        let socket = self.raw();
        let is_on = |option| socket.get_int(option).is_ok_and(|value| value != 0);
        if !is_on(zmq_sys::ZMQ_ZAP_ENFORCE_DOMAIN) {
            return Ok(());
        }
        let servers = [("PLAIN", zmq_sys::ZMQ_PLAIN_SERVER), ("CURVE", zmq_sys::ZMQ_CURVE_SERVER)];
        let Some((mechanism, _)) = servers.into_iter().find(|(_, option)| is_on(*option)) else { return Ok(()) };
        if ZAP_DOMAIN.get_text(socket)?.is_some() {
            return Ok(());
        }
        let why = format_args!("{endpoint:?}: a {mechanism} server with ZMQ_ZAP_ENFORCE_DOMAIN needs a ZMQ_ZAP_DOMAIN");
        Err(Errno::EINVAL.with_detail(call, why))
    }

    /// Checks nothing: `ZMQ_ZAP_ENFORCE_DOMAIN` belongs to the draft API.
    #[cfg(not(feature = "draft"))]
    #[allow(clippy::unused_self, reason = "as with drafts")]
    fn check_security(&self, _call: &'static str, _endpoint: &str) -> Result<()> {
        Ok(())
    }

    /// Refuses GSSAPI over a WebSocket: libzmq names no protocol for it, so no handshake succeeds. A libzmq that was built
    /// without `NDEBUG` aborts the process when such a socket has connected.
    fn check_gssapi(&self, call: &'static str, endpoint: &str) -> Result<()> {
        let is_websocket = endpoint.starts_with("ws://") || endpoint.starts_with("wss://");
        if !is_websocket || self.raw().get_int(zmq_sys::ZMQ_MECHANISM) != Ok(zmq_sys::ZMQ_GSSAPI) {
            return Ok(());
        }
        Err(Errno::ENOTSUP.with_detail(call, format_args!("{endpoint:?}: there is no GSSAPI over WebSockets")))
    }

    /// Refuses CURVE without one of its keys. Each of the options makes CURVE the mechanism, and without the others no
    /// handshake succeeds.
    fn check_curve(&self, call: &'static str, endpoint: &str, text: &CStr) -> Result<()> {
        const SECRET: (&str, c_int) = ("ZMQ_CURVE_SECRETKEY", zmq_sys::ZMQ_CURVE_SECRETKEY);
        const PUBLIC: (&str, c_int) = ("ZMQ_CURVE_PUBLICKEY", zmq_sys::ZMQ_CURVE_PUBLICKEY);
        const SERVER: (&str, c_int) = ("ZMQ_CURVE_SERVERKEY", zmq_sys::ZMQ_CURVE_SERVERKEY);
        let socket = self.raw();
        if endpoint::is_inproc(text) || socket.get_int(zmq_sys::ZMQ_MECHANISM) != Ok(zmq_sys::ZMQ_CURVE) {
            return Ok(());
        }
        let (role, keys): (_, &[_]) = match socket.get_int(zmq_sys::ZMQ_CURVE_SERVER) {
            Ok(1) => ("server", &[SECRET]),
            _ => ("client", &[SERVER, PUBLIC, SECRET]),
        };
        for (name, number) in keys {
            let mut key = [0; 32];
            let read = socket.get_option(*number, &mut key);
            let is_missing = key == [0; 32];
            key.zeroize();
            read.map_err(|errno| errno.for_call(name))?;
            if is_missing {
                let why = format_args!("{endpoint:?}: a CURVE {role} needs {name}, which is not set");
                return Err(Errno::EINVAL.with_detail(call, why));
            }
        }
        Ok(())
    }

    /// Whether connections over tcp go through a SOCKS proxy.
    pub(super) fn has_proxy(&self) -> Result<bool> {
        const PROXY: Row = Row { name: "ZMQ_SOCKS_PROXY", number: zmq_sys::ZMQ_SOCKS_PROXY };
        Ok(PROXY.get_text(self.raw())?.is_some())
    }

    /// Refuses a host name of more than 255 bytes, which the SOCKS protocol has no room for: libzmq aborts the process.
    fn check_proxy(&self, call: &'static str, endpoint: &str) -> Result<()> {
        let name =
            endpoint.strip_prefix("tcp://").and_then(|address| address.rsplit_once(':')).map_or("", |(name, _)| name);
        if name.len() <= 255 || !self.has_proxy()? {
            return Ok(());
        }
        let why = format_args!("{endpoint:?}: a name of {} bytes, a proxy takes 255", name.len());
        Err(Errno::EINVAL.with_detail(call, why))
    }

    /// Refuses a connection that asks a ZAP handler about its peer and reconnects: libzmq applies the handler's answer
    /// for the previous peer to the next one, or aborts the process.
    fn check_zap_client(&self, call: &'static str, endpoint: &str) -> Result<()> {
        let socket = self.raw();
        let is_on = |option| socket.get_int(option).is_ok_and(|value| value > 0);
        if endpoint.starts_with("inproc:") || !is_on(zmq_sys::ZMQ_RECONNECT_IVL) {
            return Ok(());
        }
        let asks = match socket.get_int(zmq_sys::ZMQ_MECHANISM) {
            Ok(zmq_sys::ZMQ_PLAIN) => is_on(zmq_sys::ZMQ_PLAIN_SERVER),
            Ok(zmq_sys::ZMQ_CURVE) => is_on(zmq_sys::ZMQ_CURVE_SERVER),
            Ok(zmq_sys::ZMQ_GSSAPI) => is_on(zmq_sys::ZMQ_GSSAPI_SERVER),
            _ => ZAP_DOMAIN.get_text(socket)?.is_some(),
        };
        if !asks {
            return Ok(());
        }
        let why = "a socket whose peers a ZAP handler checks must bind, or have ZMQ_RECONNECT_IVL off";
        Err(Errno::EINVAL.with_detail(call, format_args!("{endpoint:?}: {why}")))
    }

    /// A remote peer can send messages of several frames, and `ZMQ_CONFLATE` keeps one frame with its MORE flag. A SUB that
    /// discards the message looks for the other frames, and libzmq aborts, except with the patch 0003-conflate-more-flag.
    fn check_conflating(&self, call: &'static str, endpoint: &str, text: &CStr) -> Result<()> {
        if cfg!(zmq_patches = "safety") || self.kind() != Kind::Sub || !self.conflates() || endpoint::is_inproc(text) {
            return Ok(());
        }
        let why = format_args!("{endpoint:?}: with ZMQ_CONFLATE this libzmq aborts over messages of several parts");
        Err(Errno::ENOTSUP.with_detail(call, why))
    }

    /// Checks that `zmq_unbind` or `zmq_disconnect` can end an endpoint's connections now without an abort.
    pub(super) fn check_ending(&self, call: &'static str, endpoint: &str, text: &CStr) -> Result<()> {
        // libzmq discards the other parts with the connection, and aborts the process when it reads on.
        if self.is_half_received() {
            let why = format_args!("{endpoint:?}: a message is half received; receive its other parts first");
            return Err(Errno::EFSM.with_detail(call, why));
        }
        // If the name is bound later, libzmq sends an id or a welcome over the ended connection, and aborts, except with
        // the patches 0016-welcome-for-closed-connection and 0040-inproc-close-during-bind.
        if cfg!(not(zmq_patches = "safety")) && endpoint::is_inproc(text) && self.waits_for_name(text) {
            let why =
                format_args!("{endpoint:?}: the name is not bound yet; the connection ends when the socket is closed");
            return Err(Errno::EFSM.with_detail(call, why));
        }
        // These kinds read the first part of a message to answer `ZMQ_EVENTS`.
        let looks_ahead = matches!(self.kind(), Kind::Router | Kind::Rep | Kind::Sub | Kind::XSub | Kind::Stream);
        if looks_ahead && self.has_message()? {
            let why = format_args!("{endpoint:?}: a message is waiting; receive it first");
            return Err(Errno::EFSM.with_detail(call, why));
        }
        Ok(())
    }

    pub(super) fn has_message(&self) -> Result<bool> {
        let events = self.raw().events().map_err(|errno| errno.for_call("ZMQ_EVENTS"))?;
        Ok(events.contains(PollEvents::POLLIN))
    }

    /// The endpoint of a bind or connect that has just succeeded.
    pub(super) fn last_endpoint(&self) -> Result<String> {
        LAST_ENDPOINT.get_text(self.raw()).map(Option::unwrap_or_default)
    }
}
