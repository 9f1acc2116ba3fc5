//! Addresses: why libzmq refuses one or never reaches it, the texts that stand for an endpoint, whether a socket listens at
//! one, and the wait until the address of a listener is free.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs};
use std::thread;
use std::time::Duration;

use socket2::{SockAddr, Type};

use super::Core;
use crate::deadline::{Backoff, Deadline};
use crate::endpoint::{self, Host};
use crate::error::{Errno, Error, Result};
use crate::known::{EndpointTexts, Known, LocalEnd};
use crate::raw::platform::{self, errno_of};

/// The longest wait of `unbind` and `close` for the I/O thread to close the listeners.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

impl Core {
    /// The error of a bind or connect that libzmq refused.
    #[cold]
    pub(super) fn refused(&self, call: &'static str, errno: Errno, endpoint: &str, binds: bool) -> Error {
        let why = match errno {
            Errno::EINVAL | Errno::ENODEV => self.fault(endpoint, binds),
            Errno::EADDRNOTAVAIL if binds => Some("no interface of this machine has the address".to_owned()),
            _ => None,
        };
        // A host name that tcp could not look up, or that ws does not look up.
        let no_interface = || match endpoint::hosts(endpoint).last() {
            Some(host) if binds && errno == Errno::ENODEV && host.name.parse::<IpAddr>().is_err() => {
                let family = if self.has_ipv6() { "IPv6" } else { "IPv4" };
                Some(format!("{:?} is neither a network interface with an {family} address nor an address", host.name))
            }
            _ => None,
        };
        match why.or_else(no_interface) {
            Some(why) => errno.with_detail(call, format_args!("{endpoint:?}: {why}")),
            None => errno.with_detail(call, format_args!("{endpoint:?}")),
        }
    }

    /// Refuses an address over tcp that can never be reached. libzmq resolves it in the I/O thread, again and again, and
    /// reports nothing. A SOCKS proxy resolves it elsewhere.
    pub(super) fn check_address(&self, call: &'static str, endpoint: &str) -> Result<()> {
        if !endpoint.starts_with("tcp://") {
            return Ok(());
        }
        match self.fault(endpoint, false) {
            Some(why) if !self.has_proxy()? => {
                Err(Errno::EINVAL.with_detail(call, format_args!("{endpoint:?}: {why}")))
            }
            _ => Ok(()),
        }
    }

    /// The first fault of the hosts in an endpoint.
    fn fault(&self, endpoint: &str, binds: bool) -> Option<String> {
        let hosts: Vec<_> = endpoint::hosts(endpoint).collect();
        let fault = |(index, Host { name, scope, .. }): (usize, &Host<'_>)| match *name {
            "" if binds => Some("no interface before the port; * is all interfaces".to_owned()),
            "" => Some("no host before the port".to_owned()),
            "*" if !binds => Some("the host * is for binding".to_owned()),
            // The label of the interface to connect from, such as eth0:1.
            _ if index + 1 < hosts.len() && name.parse::<Ipv6Addr>().is_err() => None,
            _ if name.contains(':') && name.parse::<Ipv6Addr>().is_err() => {
                Some("not an IPv6 address; with a port, one is [address]:port".to_owned())
            }
            _ if name.contains(':') && !self.has_ipv6() => Some("an IPv6 address needs ZMQ_IPV6".to_owned()),
            _ => {
                let scope = scope.filter(|scope| is_missing(scope))?;
                Some(format!("no network interface has the name or number {scope:?}"))
            }
        };
        hosts.iter().enumerate().find_map(fault)
    }

    fn has_ipv6(&self) -> bool {
        self.raw().get_int(zmq_sys::ZMQ_IPV6) != Ok(0)
    }

    /// Keeps the two texts of an endpoint that the socket has just bound.
    pub(super) fn note_bound(&self, given: &str, bound: &str, end: LocalEnd) {
        if !endpoint::has_listener(given) {
            return;
        }
        // A wildcard stands for another port or path each time.
        let other = if endpoint::is_wildcard(given) { bound } else { given };
        self.known().note_texts(EndpointTexts { kept: bound.into(), other: other.into(), end });
    }

    /// Keeps the two texts of an endpoint that the socket has just connected to. They differ over ws.
    pub(super) fn note_connected(&self, given: &str) {
        if !given.starts_with("ws://") || self.known().endpoints.iter().any(|known| *known.kept == *given) {
            // libzmq ignores the second connect of a DEALER, REQ, PUB or SUB: ZMQ_LAST_ENDPOINT may be of another endpoint.
            return;
        }
        if let Ok(last) = self.last_endpoint() {
            self.known().note_texts(EndpointTexts {
                kept: given.into(),
                other: last.into(),
                end: LocalEnd::Connection,
            });
        }
    }

    /// Ends the endpoints that `text` stands for with `end`, and returns the addresses of their listeners.
    ///
    /// # Errors
    ///
    /// Those of `end`; `ENOENT` if libzmq has none of the endpoints.
    pub(super) fn end_endpoints(
        &self,
        text: &str,
        is_bound: bool,
        end: impl Fn(&CStr) -> Result<(), Errno>,
    ) -> Result<Vec<ListenAddress>, Errno> {
        let mut addresses = Vec::new();
        let mut outcome = Err(Errno::ENOENT);
        let kept_texts = self.known().kept_texts(text, is_bound);
        for kept in kept_texts {
            let Ok(c_text) = CString::new(&*kept) else { return Err(Errno::EINVAL) };
            let ended = end(&c_text);
            match ended {
                Ok(()) => outcome = Ok(()),
                // The socket does not have the endpoint, or has ended it under another spelling.
                Err(Errno::ENOENT) => {}
                Err(errno) => return Err(errno),
            }
            let is_noted = self.known().is_noted(&kept);
            let kept = match ended {
                Ok(()) if is_bound && !is_noted => self.other_spelling(&kept).unwrap_or(kept),
                _ => kept,
            };
            let known = self.known().forget_texts(&kept);
            if ended.is_ok() || known.is_some() {
                self.forget_endpoint(&kept);
            }
            if known == Some(LocalEnd::Listener) {
                addresses.extend(listen_address(&kept));
            }
        }
        outcome.map(|()| addresses)
    }

    /// The text under which libzmq kept the listener that it has found by `text`. Over tcp it resolves the text, such as
    /// `tcp://localhost:5555`.
    fn other_spelling(&self, text: &str) -> Option<Box<str>> {
        let Host { name, port, .. } = endpoint::hosts(text).last().filter(|_| text.starts_with("tcp://"))?;
        let resolved: Vec<_> = (name, port.parse().ok()?).to_socket_addrs().ok()?.map(ListenAddress::Ip).collect();
        let known = self.known();
        let is_meant =
            |known: &&EndpointTexts| listen_address(&known.kept).is_some_and(|address| resolved.contains(&address));
        known.endpoints.iter().find(is_meant).map(|known| known.kept.clone())
    }

    /// The addresses of the socket's listeners.
    pub(super) fn listen_addresses(&self) -> Vec<ListenAddress> {
        let known = self.known();
        let listeners = known.endpoints.iter().filter(|known| known.end == LocalEnd::Listener);
        listeners.filter_map(|known| listen_address(&known.kept)).collect()
    }
}

impl Known {
    fn note_texts(&mut self, texts: EndpointTexts) {
        if !self.endpoints.contains(&texts) {
            self.endpoints.push(texts);
        }
    }

    /// The texts under which libzmq keeps the endpoints that `text` stands for.
    fn kept_texts(&self, text: &str, is_bound: bool) -> BTreeSet<Box<str>> {
        let is_meant = |known: &&EndpointTexts| {
            (*known.kept == *text || *known.other == *text) && is_bound == (known.end != LocalEnd::Connection)
        };
        let mut kept: BTreeSet<_> = self.endpoints.iter().filter(is_meant).map(|known| known.kept.clone()).collect();
        if kept.is_empty() {
            kept.insert(text.into());
        }
        kept
    }

    fn is_noted(&self, kept: &str) -> bool {
        self.endpoints.iter().any(|known| *known.kept == *kept)
    }

    /// Forgets an endpoint, and returns the socket's side of it.
    fn forget_texts(&mut self, kept: &str) -> Option<LocalEnd> {
        let end = self.endpoints.iter().find(|known| *known.kept == *kept).map(|known| known.end);
        self.endpoints.retain(|known| *known.kept != *kept);
        end
    }
}

/// Whether no network interface has this name or number.
fn is_missing(scope: &str) -> bool {
    let errno = platform::interface_number(scope).err().and_then(|error| errno_of(&error));
    matches!(errno, Some(libc::ENODEV | libc::ENXIO))
}

/// An address that one socket at a time listens at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ListenAddress {
    Ip(SocketAddr),
    /// The name of an `AF_UNIX` socket in Linux's abstract namespace, without the first byte, which is 0.
    Abstract(String),
}

impl ListenAddress {
    /// Whether no socket listens there, tried by a socket that binds and does not listen. If the try fails for another reason,
    /// such as `EACCES` or `EMFILE`, a listener could not bind either, and the answer is yes.
    fn is_free(&self) -> bool {
        let errno = self.try_bind().err().and_then(|error| errno_of(&error));
        errno != Some(libc::EADDRINUSE)
    }

    /// Binds a socket so that only a listener makes it fail.
    fn try_bind(&self) -> io::Result<()> {
        let address = match self {
            ListenAddress::Ip(address) => SockAddr::from(*address),
            ListenAddress::Abstract(name) => SockAddr::unix(format!("\0{name}"))?,
        };
        let socket = socket2::Socket::new(address.domain(), Type::STREAM, None)?;
        platform::share_address(&socket)?;
        socket.bind(&address)
    }
}

/// Checks that no socket listens at the path of an ipc endpoint, tried by a connection that ends at once.
///
/// # Errors
///
/// `EADDRINUSE` if a socket listens there, or may listen; `EMFILE` or `ENFILE` if no descriptor is left for the try.
pub(super) fn check_ipc_unused(call: &'static str, endpoint: &str) -> Result<()> {
    let Some(path) = endpoint.strip_prefix("ipc://").filter(|path| !path.starts_with(['*', '@'])) else {
        return Ok(());
    };
    let in_use = |why: &str| Err(Errno::EADDRINUSE.with_detail(call, format_args!("{endpoint:?}: {why}")));
    let Err(error) = try_connect(path) else { return in_use("a socket listens at that path") };
    match errno_of(&error) {
        // An error without an errno: the path is too long for a socket address, and the bind refuses it.
        // EAFNOSUPPORT: the system has no such sockets.
        None | Some(libc::ENOENT | libc::ENOTDIR | libc::ECONNREFUSED | libc::EAFNOSUPPORT) => Ok(()),
        Some(errno @ (libc::EMFILE | libc::ENFILE)) => {
            Err(Errno::from_raw(errno).with_detail(call, format_args!("{endpoint:?}")))
        }
        Some(libc::EAGAIN) => in_use("a socket listens at that path, and has no room for another connection"),
        // Such as EACCES.
        _ => in_use(&format!("a socket may listen at that path: {error}")),
    }
}

fn try_connect(path: &str) -> io::Result<()> {
    let address = SockAddr::unix(path)?;
    let socket = socket2::Socket::new(address.domain(), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&address)
}

/// The address of a listener, from the text that libzmq gave it. `None` for the file of `ipc://`, which a bind takes over.
fn listen_address(kept: &str) -> Option<ListenAddress> {
    if let Some(name) = kept.strip_prefix("ipc://@") {
        return cfg!(target_os = "linux").then(|| ListenAddress::Abstract(name.into()));
    }
    let Host { name, scope, port } = endpoint::hosts(kept).last()?;
    let ip: IpAddr = name.parse().ok()?;
    let address = SocketAddr::new(ip, port.parse().ok()?);
    let scope = scope.and_then(|scope| platform::interface_number(scope).ok());
    Some(ListenAddress::Ip(match (address, scope) {
        (SocketAddr::V6(address), Some(scope)) => SocketAddrV6::new(*address.ip(), address.port(), 0, scope).into(),
        _ => address,
    }))
}

/// Waits until the I/O thread has closed the listeners at these addresses. The I/O thread does so after the call that ends
/// them has returned.
pub(super) fn wait_until_free(addresses: &[ListenAddress]) {
    let deadline = Deadline::after(LONGEST_WAIT);
    let mut backoff = Backoff::new();
    let mut taken: Vec<_> = addresses.iter().collect();
    loop {
        taken.retain(|address| !address.is_free());
        if taken.is_empty() || deadline.has_passed() {
            break;
        }
        thread::sleep(deadline.cap(backoff.pause()));
        backoff = backoff.doubled();
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn address_is_free_when_no_socket_listens_there() {
        for text in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(text) else { continue };
            let address = ListenAddress::Ip(listener.local_addr().unwrap());
            assert!(!address.is_free(), "{address:?}");
            drop(listener);
            assert!(address.is_free(), "{address:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn abstract_name_is_free_when_no_socket_listens_there() {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::net::{SocketAddr, UnixListener};

        let name = format!("safe-zmq-free-{}", std::process::id());
        let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let address = ListenAddress::Abstract(name);
        assert!(!address.is_free());
        drop(listener);
        assert!(address.is_free());
        assert!(ListenAddress::Abstract("x".repeat(1000)).is_free());
    }
}
