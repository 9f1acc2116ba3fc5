//! The syntax of endpoints, checked before libzmq's call: libzmq wraps a port number, deletes a file, aborts the process, or
//! refuses the text without a reason.

use std::ffi::{CStr, CString};
use std::net::IpAddr;

use crate::error::{Errno, Error, Result};
use crate::kind::Kind;
use crate::raw::platform::{LONGEST_IPC_PATH, is_socket_file};

/// The endpoint of the ZAP handler, by ZeroMQ's RFC 27.
const ZAP: &str = "inproc://zeromq.zap.01";

/// The transports of libzmq, including those that this build lacks.
const TRANSPORTS: [&str; 11] = ["tcp", "ipc", "inproc", "ws", "wss", "udp", "tipc", "vmci", "pgm", "epgm", "norm"];

/// The text as a C string.
pub(crate) fn c_text(call: &'static str, text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| invalid(call, text, "it contains a NUL"))
}

fn invalid(call: &'static str, endpoint: &str, why: &str) -> Error {
    Errno::EINVAL.with_detail(call, format_args!("{endpoint:?}: {why}"))
}

/// Checks an endpoint to bind to.
pub(crate) fn check_bind(call: &'static str, endpoint: &str, kind: Kind) -> Result<CString> {
    let text = c_text(call, endpoint)?;
    let (transport, address) = split(call, endpoint)?;
    check_datagrams(call, endpoint, transport, kind, true)?;
    match transport {
        "tcp" => check_port(call, endpoint, address, 0)?,
        "udp" => check_udp(call, endpoint, address)?,
        "ws" => {
            check_request(call, endpoint)?;
            check_port(call, endpoint, address, 0)?;
        }
        "ipc" => check_ipc_bind(call, endpoint, address)?,
        "pgm" | "epgm" | "norm" => check_multicast(call, endpoint, transport, address)?,
        "inproc" if endpoint == ZAP && !matches!(kind, Kind::Rep | Kind::Router) => {
            return Err(invalid(call, endpoint, "a ZAP handler is a REP or a ROUTER"));
        }
        "wss" => {
            let why = "binding wss is left out: libzmq aborts the process over a certificate it cannot load";
            return Err(Errno::EPROTONOSUPPORT.with_detail(call, format_args!("{endpoint:?}: {why}")));
        }
        _ => {}
    }
    Ok(text)
}

/// Checks an endpoint to bind a descriptor to. The address is ignored.
pub(crate) fn check_bind_fd(call: &'static str, endpoint: &str, kind: Kind) -> Result<CString> {
    let (transport, _) = split(call, endpoint)?;
    if matches!(transport, "tcp" | "ws") {
        let text = c_text(call, endpoint)?;
        return check_datagrams(call, endpoint, transport, kind, true).map(|()| text);
    }
    check_bind(call, endpoint, kind)
}

/// Checks an endpoint to connect to.
pub(crate) fn check_connect(call: &'static str, endpoint: &str, kind: Kind) -> Result<CString> {
    let text = c_text(call, endpoint)?;
    let (transport, address) = split(call, endpoint)?;
    check_datagrams(call, endpoint, transport, kind, false)?;
    match transport {
        "tcp" => {
            // The address before the semicolon is the source. Its port may be 0 or *.
            let (source, target) = address.split_once(';').map_or((None, address), |(from, to)| (Some(from), to));
            if let Some(source) = source {
                check_port(call, endpoint, source, 0)?;
            }
            check_port(call, endpoint, target, 1)?;
        }
        "udp" => check_udp(call, endpoint, address)?,
        "ws" | "wss" => {
            check_request(call, endpoint)?;
            check_port(call, endpoint, address, 1)?;
        }
        "ipc" => check_ipc_length(call, endpoint, address)?,
        "pgm" | "epgm" | "norm" => check_multicast(call, endpoint, transport, address)?,
        _ => {}
    }
    Ok(text)
}

/// Refuses endpoints of a DGRAM, except for a bind to `udp://`. A DGRAM does not connect, and its messages make no sense with
/// other transports.
#[cfg(feature = "draft")]
fn check_datagrams(call: &'static str, endpoint: &str, transport: &str, kind: Kind, binds: bool) -> Result<()> {
    if kind != Kind::Dgram || (binds && transport == "udp") {
        return Ok(());
    }
    let why = "a ZMQ_DGRAM socket binds to udp, and each message says where it goes";
    Err(Errno::ENOCOMPATPROTO.with_detail(call, format_args!("{endpoint:?}: {why}")))
}

#[cfg(not(feature = "draft"))]
fn check_datagrams(_: &'static str, _: &str, _: &str, _: Kind, _: bool) -> Result<()> {
    Ok(())
}

/// Checks the port of a `udp://` endpoint. `*` is refused, because libzmq does not report the port that the system chose.
fn check_udp(call: &'static str, endpoint: &str, address: &str) -> Result<()> {
    if address.rsplit_once(':').is_some_and(|(_, port)| port == "*") {
        return Err(invalid(call, endpoint, "udp has no way to say which port was chosen: name one"));
    }
    check_port(call, endpoint, address, 1)
}

/// Accepts `[interface;]address[,address...][;source]:port`, and for norm an id and a comma before it. libzmq aborts the
/// process if a multicast library refuses the address. The libraries accept this form.
fn check_multicast(call: &'static str, endpoint: &str, transport: &str, address: &str) -> Result<()> {
    let refused = || invalid(call, endpoint, "not [interface;]address:port with addresses in numbers");
    let (network, port) = address.rsplit_once(':').ok_or_else(refused)?;
    let is_number = |text: &str, highest: u32| {
        text.bytes().all(|byte| byte.is_ascii_digit())
            && text.parse().is_ok_and(|number| (1..=highest).contains(&number))
    };
    let network = match network.split_once(',') {
        Some((id, rest)) if transport == "norm" && is_number(id, u32::MAX - 1) => rest,
        _ => network,
    };
    let is_ip = |text: &str| text.parse::<IpAddr>().is_ok();
    let is_interface = |text: &str| {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        is_ip(text) || ((1..=15).contains(&text.len()) && text.bytes().all(is_name))
    };
    let groups = |text: &str| match transport {
        "norm" => is_ip(text),
        _ => text.split(',').all(|group| group.parse::<IpAddr>().is_ok_and(|group| group.is_multicast())),
    };
    let makes_sense = match *network.split(';').collect::<Vec<_>>() {
        [addresses] => groups(addresses),
        [interface, addresses] => is_interface(interface) && groups(addresses),
        [interface, addresses, source] if transport != "norm" => {
            (interface.is_empty() || is_interface(interface)) && groups(addresses) && is_ip(source)
        }
        _ => false,
    };
    if makes_sense && network.len() < 255 && is_number(port, 65535) { Ok(()) } else { Err(refused()) }
}

/// Checks the form of an endpoint that is unbound or disconnected.
pub(crate) fn check_form(call: &'static str, endpoint: &str) -> Result<CString> {
    let text = c_text(call, endpoint)?;
    split(call, endpoint)?;
    Ok(text)
}

fn split<'a>(call: &'static str, endpoint: &'a str) -> Result<(&'a str, &'a str)> {
    match endpoint.split_once("://") {
        Some((transport, address)) if !transport.is_empty() && !address.is_empty() => {
            check_transport(call, endpoint, transport)?;
            Ok((transport, address))
        }
        _ => Err(invalid(call, endpoint, "an endpoint is transport://address")),
    }
}

/// Refuses a known transport in capital letters or with blanks: libzmq compares the transport byte by byte.
fn check_transport(call: &'static str, endpoint: &str, transport: &str) -> Result<()> {
    let meant = transport.trim().to_ascii_lowercase();
    if meant == transport || !TRANSPORTS.contains(&meant.as_str()) {
        return Ok(());
    }
    let why = match transport.trim() {
        trimmed if trimmed == meant => "a blank before or after the transport",
        _ => "a transport is written in small letters",
    };
    Err(Errno::EPROTONOSUPPORT.with_detail(call, format_args!("{endpoint:?}: {why}")))
}

fn check_blanks(call: &'static str, endpoint: &str, address: &str) -> Result<()> {
    if address.contains(char::is_whitespace) {
        return Err(invalid(call, endpoint, "a blank in the address"));
    }
    Ok(())
}

/// Checks the endpoint of a WebSocket. libzmq formats its host and path into a buffer of 8192 bytes. If they do not fit, it
/// sends the memory behind the buffer. A line break in them would begin another header.
fn check_request(call: &'static str, endpoint: &str) -> Result<()> {
    const LONGEST: usize = 4096;
    if endpoint.len() > LONGEST {
        let why = format_args!("{endpoint:?}: {} bytes, a WebSocket's endpoint has {LONGEST} at most", endpoint.len());
        return Err(Errno::ENAMETOOLONG.with_detail(call, why));
    }
    if endpoint.bytes().any(|byte| byte.is_ascii_control() || byte == b' ') {
        return Err(invalid(call, endpoint, "a blank or control character"));
    }
    Ok(())
}

/// Checks that the port is a number from `lowest` to 65535, or `*` if `lowest` is 0. libzmq reads it with `atoi` and cuts it
/// to 16 bits.
fn check_port(call: &'static str, endpoint: &str, address: &str, lowest: u32) -> Result<()> {
    let authority = authority(address);
    check_blanks(call, endpoint, authority)?;
    let port = match authority.rsplit_once(':') {
        // `]` is the end of an IPv6 address.
        Some((_, port)) if !port.is_empty() && !port.ends_with(']') => port,
        _ => return Err(invalid(call, endpoint, "no port: the form is transport://address:port")),
    };
    if port == "*" {
        return match lowest {
            0 => Ok(()),
            _ => Err(invalid(call, endpoint, "the port * is for binding")),
        };
    }
    let number = port.parse::<u32>().ok().filter(|_| port.bytes().all(|byte| byte.is_ascii_digit()));
    match number {
        Some(number) if (lowest..=65535).contains(&number) => Ok(()),
        _ => Err(invalid(call, endpoint, &format!("port {port} is not in {lowest}..=65535"))),
    }
}

fn check_ipc_length(call: &'static str, endpoint: &str, path: &str) -> Result<()> {
    let limit = LONGEST_IPC_PATH;
    if path.len() <= limit {
        return Ok(());
    }
    let why = format_args!("{endpoint:?}: the path has {} bytes, this system's limit is {limit}", path.len());
    Err(Errno::ENAMETOOLONG.with_detail(call, why))
}

/// Checks a path to bind to. libzmq deletes any file at the path, to take over a socket file that was left behind. This check
/// refuses a path with a file that is not a socket.
fn check_ipc_bind(call: &'static str, endpoint: &str, path: &str) -> Result<()> {
    check_ipc_length(call, endpoint, path)?;
    if path == "*" || path.starts_with('@') {
        return Ok(());
    }
    match std::fs::symlink_metadata(path) {
        Ok(found) if !is_socket_file(&found) => {
            let why = format_args!("{endpoint:?}: something that is no socket is at that path");
            Err(Errno::EADDRINUSE.with_detail(call, why))
        }
        _ => Ok(()),
    }
}

/// Checks an endpoint of a socket that carries raw data. inproc and WebSockets carry messages, also of several parts. libzmq
/// aborts the process if such a socket gets one.
pub(crate) fn check_raw(call: &'static str, endpoint: &str) -> Result<()> {
    match split(call, endpoint)?.0 {
        "inproc" | "ws" | "wss" => {
            Err(Errno::ENOCOMPATPROTO
                .with_detail(call, format_args!("{endpoint:?}: raw data travels over tcp and ipc")))
        }
        _ => Ok(()),
    }
}

/// Whether an endpoint's transport has no security.
pub(crate) fn is_never_secured(endpoint: &str) -> bool {
    ["udp://", "pgm://", "epgm://", "norm://"].iter().any(|transport| endpoint.starts_with(transport))
}

/// Whether an endpoint is a name inside the context.
pub(crate) fn is_inproc(endpoint: &CStr) -> bool {
    endpoint.to_bytes().starts_with(b"inproc://")
}

/// Whether an endpoint's transport is udp.
pub(crate) fn is_udp(endpoint: &str) -> bool {
    endpoint.starts_with("udp://")
}

/// Whether a bind to an endpoint opens a socket that listens.
pub(crate) fn has_listener(endpoint: &str) -> bool {
    ["tcp://", "ws://", "ipc://"].iter().any(|transport| endpoint.starts_with(transport))
}

/// Whether the system chooses the port or the path of an endpoint.
pub(crate) fn is_wildcard(endpoint: &str) -> bool {
    match endpoint.split_once("://") {
        Some(("tcp" | "ws", address)) => matches!(authority(address).rsplit_once(':'), Some((_, "*" | "0"))),
        Some(("ipc", path)) => path.starts_with('*'),
        _ => false,
    }
}

/// A host of an endpoint, without the brackets of an IPv6 address.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Host<'a> {
    pub(crate) name: &'a str,
    /// The network interface of an IPv6 address, behind `%`.
    pub(crate) scope: Option<&'a str>,
    pub(crate) port: &'a str,
}

/// The hosts of an endpoint over tcp, ws or udp: the source of a connection, if the endpoint has one, and the host to connect
/// or bind to.
pub(crate) fn hosts(endpoint: &str) -> impl Iterator<Item = Host<'_>> {
    let address = match endpoint.split_once("://") {
        Some(("ws" | "wss", address)) => authority(address),
        Some(("tcp" | "udp", address)) => address,
        _ => "",
    };
    address.split(';').filter_map(|part| {
        let (host, port) = part.rsplit_once(':')?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let (name, scope) = host.rsplit_once('%').map_or((host, None), |(name, scope)| (name, Some(scope)));
        Some(Host { name, scope, port })
    })
}

/// The part of a WebSocket's address before its path.
fn authority(address: &str) -> &str {
    address.split_once('/').map_or(address, |(authority, _)| authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(endpoint: &str) -> Option<Errno> {
        check_bind("zmq_bind", endpoint, Kind::Pair).err().map(|error| error.errno())
    }

    fn connect(endpoint: &str) -> Option<Errno> {
        check_connect("zmq_connect", endpoint, Kind::Pair).err().map(|error| error.errno())
    }

    #[test]
    fn hosts_splits_endpoints_as_libzmq_does() {
        let read = |endpoint| hosts(endpoint).map(|Host { name, scope, port }| (name, scope, port)).collect::<Vec<_>>();
        assert_eq!(read("tcp://*:1"), [("*", None, "1")]);
        assert_eq!(read("tcp://[::1]:1"), [("::1", None, "1")]);
        assert_eq!(read("tcp://::1:1"), [("::1", None, "1")]);
        assert_eq!(read("ws://[fe80::1%eth0]:80/a:1/b"), [("fe80::1", Some("eth0"), "80")]);
        assert_eq!(read("tcp://lo:0;[::1]:2"), [("lo", None, "0"), ("::1", None, "2")]);
        assert_eq!(read("udp://239.0.0.1:1"), [("239.0.0.1", None, "1")]);
        for other in ["ipc://a:1", "inproc://a:1", "pgm://a:1", "tcp://a", "nonsense"] {
            assert_eq!(read(other), [], "{other}");
        }
    }

    #[test]
    fn is_wildcard_is_true_if_the_system_chooses_the_port_or_path() {
        for wildcard in ["tcp://*:*", "tcp://lo:0", "ws://127.0.0.1:*", "ws://[::1]:0/a:1/b", "ipc://*"] {
            assert!(is_wildcard(wildcard), "{wildcard}");
        }
        for other in ["tcp://*:1", "ws://*:80/a:*", "ipc://a*", "inproc://*", "udp://*:*"] {
            assert!(!is_wildcard(other), "{other}");
        }
    }

    #[test]
    fn endpoint_is_refused_without_a_port() {
        for bad in ["tcp://*", "tcp://127.0.0.1:", "tcp://[::1]", "ws://127.0.0.1/a:1", "udp://127.0.0.1"] {
            assert_eq!(bind(bad), Some(Errno::EINVAL), "{bad}");
            assert_eq!(connect(bad), Some(Errno::EINVAL), "{bad}");
        }
        assert_eq!(connect("tcp://localhost:*"), Some(Errno::EINVAL));
        let ignored = check_bind_fd("zmq_bind", "tcp://ignored", Kind::Pair);
        assert!(ignored.is_ok());
    }

    #[test]
    fn endpoint_is_refused_with_capitals_or_blanks_in_the_transport() {
        for bad in ["TCP://*:1", " tcp://*:1", "tcp ://*:1", "Ipc:///tmp/x", "INPROC://x", "\tws://*:80"] {
            assert_eq!(bind(bad), Some(Errno::EPROTONOSUPPORT), "{bad:?}");
            assert_eq!(connect(bad), Some(Errno::EPROTONOSUPPORT), "{bad:?}");
        }
        for bad in ["tcp://*:1 ", "tcp:// *:1", "tcp://*:1\n", "udp://*:1 "] {
            assert_eq!(bind(bad), Some(Errno::EINVAL), "{bad:?}");
            assert_eq!(connect(bad), Some(Errno::EINVAL), "{bad:?}");
        }
        for good in ["inproc:// name ", "ipc:///tmp/a b "] {
            assert_eq!(bind(good), None, "{good:?}");
            assert_eq!(connect(good), None, "{good:?}");
        }
    }

    #[test]
    fn endpoint_is_refused_if_malformed() {
        for text in ["", "tcp", "tcp:", "tcp://", "://x", "inproc://a\0b"] {
            assert_eq!(bind(text), Some(Errno::EINVAL), "{text:?}");
            assert_eq!(connect(text), Some(Errno::EINVAL), "{text:?}");
        }
    }

    #[test]
    fn port_is_refused_if_out_of_range() {
        for good in ["tcp://*:0", "tcp://*:65535", "tcp://*:*", "tcp://[::1]:5555", "ws://*:80/path", "tcp://lo:*"] {
            assert_eq!(bind(good), None, "{good}");
        }
        for bad in ["tcp://*:65536", "tcp://*:99999999999999999999", "ws://*:65536/path"] {
            assert_eq!(bind(bad), Some(Errno::EINVAL), "{bad}");
        }
        for good in ["tcp://localhost:1", "tcp://127.0.0.1:0;localhost:65535"] {
            assert_eq!(connect(good), None, "{good}");
        }
        for bad in ["tcp://localhost:0", "tcp://127.0.0.1:70000;localhost:1", "tcp://127.0.0.1:1;localhost:70000"] {
            assert_eq!(connect(bad), Some(Errno::EINVAL), "{bad}");
        }
    }

    #[test]
    fn websocket_endpoint_is_refused_if_too_long_or_with_blanks() {
        let long = format!("ws://localhost:80/{}", "x".repeat(4096));
        assert_eq!(bind(&long), Some(Errno::ENAMETOOLONG));
        assert_eq!(connect(&long), Some(Errno::ENAMETOOLONG));
        for bad in ["ws://localhost:80/a\r\nX: y", "ws://localhost:80/a b"] {
            assert_eq!(bind(bad), Some(Errno::EINVAL), "{bad:?}");
            assert_eq!(connect(bad), Some(Errno::EINVAL), "{bad:?}");
        }
    }

    #[test]
    fn multicast_endpoint_is_refused_without_numeric_addresses() {
        for good in [
            "pgm://239.1.1.1:5555",
            "epgm://eth0;239.1.1.1,239.1.1.2:5555",
            "epgm://192.168.1.1;239.1.1.1;192.168.1.2:5555",
            "epgm://;239.1.1.1;192.168.1.2:5555",
            "norm://239.1.1.1:5555",
            "norm://7,eth0;239.1.1.1:5555",
            "norm://127.0.0.1:5555",
        ] {
            assert_eq!(bind(good), None, "{good}");
        }
        for bad in [
            "pgm://x:1",
            "pgm://127.0.0.1:1",
            "pgm://239.1.1.1",
            "pgm://239.1.1.1:0",
            "epgm://a b;239.1.1.1:1",
            "norm://x,239.1.1.1:1",
        ] {
            assert_eq!(bind(bad), Some(Errno::EINVAL), "{bad}");
            assert_eq!(connect(bad), Some(Errno::EINVAL), "{bad}");
        }
    }

    #[test]
    fn ipc_path_above_the_limit_is_refused_with_the_limit() {
        let fits = format!("ipc://{}", "x".repeat(LONGEST_IPC_PATH));
        let long = format!("{fits}x");
        assert_eq!(connect(&fits), None);
        let error = check_connect("zmq_connect", &long, Kind::Pair).unwrap_err();
        assert_eq!(error.errno(), Errno::ENAMETOOLONG);
        assert!(error.to_string().contains(&format!("limit is {}", LONGEST_IPC_PATH)), "{error}");
    }

    #[test]
    fn check_bind_refuses_wss() {
        assert_eq!(bind("wss://*:1"), Some(Errno::EPROTONOSUPPORT));
        assert_eq!(connect("wss://localhost:1"), None);
    }

    #[test]
    fn check_bind_refuses_the_zap_endpoint_except_for_rep_and_router() {
        assert_eq!(bind(ZAP), Some(Errno::EINVAL));
        assert!(check_bind("zmq_bind", ZAP, Kind::Rep).is_ok());
        assert!(check_bind("zmq_bind", ZAP, Kind::Router).is_ok());
    }
}
