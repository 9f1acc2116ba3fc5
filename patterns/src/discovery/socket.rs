//! The UDP socket of a beacon.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};
use zmq::{Errno, Error, Result};

use crate::platform::errno_of;

/// A socket that receives what is sent to the port of this address, and may send broadcasts. Several sockets of a host may
/// share the port: each gets every broadcast.
pub(super) fn open(broadcast: SocketAddrV4) -> Result<UdpSocket> {
    let bound = SocketAddr::from((Ipv4Addr::UNSPECIFIED, broadcast.port()));
    let open = || {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_reuse_address(true)?;
        socket.set_broadcast(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&bound.into())?;
        Ok(UdpSocket::from(socket))
    };
    open().map_err(|error: io::Error| failed(&error, "bind", bound))
}

/// The error of a call that concerns an address.
pub(super) fn failed(error: &io::Error, call: &'static str, address: SocketAddr) -> Error {
    let errno = errno_of(error, Errno::from_raw(libc::EIO));
    Error::new(errno, call, format_args!("the UDP address {address}"))
}
