//! The system's view of addresses: whether a socket listens at one, and the numbers of network interfaces.

use std::ffi::{CString, c_int, c_uint};
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// An address that one socket at a time listens at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ListenAddress {
    Ip(SocketAddr),
    /// The name of an `AF_UNIX` socket in Linux's abstract namespace, without the first byte, which is 0.
    Abstract(Vec<u8>),
}

impl ListenAddress {
    /// Whether no socket listens there, tried by a socket that binds and does not listen. If the try fails for another reason,
    /// such as `EACCES`, a listener could not bind either, and the answer is yes. It is no if there is no descriptor.
    pub(crate) fn is_free(&self) -> bool {
        let bound = match self {
            ListenAddress::Ip(SocketAddr::V4(ip)) => {
                // SAFETY: a zeroed sockaddr_in is a valid one.
                let mut address: libc::sockaddr_in = unsafe { mem::zeroed() };
                address.sin_family = libc::AF_INET as libc::sa_family_t;
                address.sin_port = ip.port().to_be();
                address.sin_addr.s_addr = u32::from_ne_bytes(ip.ip().octets());
                bind(libc::AF_INET, &address, size_of_val(&address))
            }
            ListenAddress::Ip(SocketAddr::V6(ip)) => {
                // SAFETY: a zeroed sockaddr_in6 is a valid one.
                let mut address: libc::sockaddr_in6 = unsafe { mem::zeroed() };
                address.sin6_family = libc::AF_INET6 as libc::sa_family_t;
                address.sin6_port = ip.port().to_be();
                address.sin6_addr.s6_addr = ip.ip().octets();
                address.sin6_scope_id = ip.scope_id();
                bind(libc::AF_INET6, &address, size_of_val(&address))
            }
            ListenAddress::Abstract(name) => {
                // SAFETY: a zeroed sockaddr_un is a valid one.
                let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
                address.sun_family = libc::AF_UNIX as libc::sa_family_t;
                let Some(path) = address.sun_path.get_mut(1..=name.len()) else { return true };
                path.iter_mut().zip(name).for_each(|(to, from)| *to = *from as _);
                bind(libc::AF_UNIX, &address, mem::offset_of!(libc::sockaddr_un, sun_path) + 1 + name.len())
            }
        };
        let errno = bound.err().and_then(|error| error.raw_os_error());
        !matches!(errno, Some(libc::EADDRINUSE | libc::EMFILE | libc::ENFILE))
    }
}

/// Binds a stream socket to the first `len` bytes of `address`, and closes it. The socket has `SO_REUSEADDR`, as libzmq's
/// listeners have, so only a listener is in its way.
fn bind<A>(family: c_int, address: &A, len: usize) -> io::Result<()> {
    // A program that another thread starts meanwhile must not keep the address. Apple's systems have no such flag.
    #[cfg(not(target_vendor = "apple"))]
    const TYPE: c_int = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
    #[cfg(target_vendor = "apple")]
    const TYPE: c_int = libc::SOCK_STREAM;

    assert!(len <= size_of::<A>());
    // SAFETY: no preconditions.
    let fd = unsafe { libc::socket(family, TYPE, 0) };
    if fd == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `socket` returned a new descriptor, which has no other owner.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    let on: c_int = 1;
    // SAFETY: the descriptor is open, the length is that of the value.
    let rc = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_REUSEADDR,
            (&raw const on).cast(),
            size_of::<c_int>() as libc::socklen_t,
        )
    };
    if rc != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is open, and `address` has at least `len` bytes (asserted above).
    let rc = unsafe { libc::bind(fd.as_raw_fd(), (&raw const *address).cast(), len as libc::socklen_t) };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The number of the network interface that a scope of an IPv6 address names, by its name or its number.
///
/// # Errors
///
/// `ENODEV` or `ENXIO` if no interface has the name or number; `EMFILE` or `ENFILE` without a descriptor to ask with.
pub(crate) fn interface_number(scope: &str) -> io::Result<u32> {
    let missing = || io::Error::from_raw_os_error(libc::ENODEV);
    if let Ok(number) = scope.parse::<c_uint>() {
        let mut name = [0; libc::IF_NAMESIZE];
        // SAFETY: the buffer has IF_NAMESIZE bytes.
        let found = unsafe { libc::if_indextoname(number, name.as_mut_ptr()) };
        return if found.is_null() { Err(io::Error::last_os_error()) } else { Ok(number) };
    }
    let name = CString::new(scope).map_err(|_| missing())?;
    // SAFETY: the text ends with a NUL.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        number => Ok(number),
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
        let address = ListenAddress::Abstract(name.into_bytes());
        assert!(!address.is_free());
        drop(listener);
        assert!(address.is_free());
        assert!(ListenAddress::Abstract(vec![b'x'; 1000]).is_free());
    }

    #[test]
    fn interface_has_a_name_and_a_number() {
        let lo = ["lo", "lo0"].into_iter().find_map(|name| interface_number(name).ok()).unwrap();
        assert_eq!(interface_number(&lo.to_string()).unwrap(), lo);
        for scope in ["nope", "", "4000000000", "a-name-that-is-too-long-for-an-interface"] {
            let error = interface_number(scope).unwrap_err();
            assert!(matches!(error.raw_os_error(), Some(libc::ENODEV | libc::ENXIO)), "{scope:?}: {error}");
        }
    }
}
