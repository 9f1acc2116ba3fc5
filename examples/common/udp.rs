//! A UDP socket for broadcasts: the guide's udplib.

#![allow(dead_code, reason = "udpping3 needs the address alone")]

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use socket2::{Domain, Socket, Type};

/// A UDP socket that sends to all hosts of a network, and receives from all.
pub struct Udp {
    socket: UdpSocket,
    broadcast: SocketAddrV4,
}

impl Udp {
    /// A socket that sends to this address, and receives what is sent to its port.
    pub fn new(broadcast: SocketAddrV4) -> io::Result<Udp> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
        // Several programs of a host may have the port, and each gets every broadcast.
        socket.set_reuse_address(true)?;
        socket.set_broadcast(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, broadcast.port())).into())?;
        Ok(Udp { socket: socket.into(), broadcast })
    }

    /// The descriptor, for a poll.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Sends a datagram to all.
    pub fn send(&self, datagram: &[u8]) -> io::Result<()> {
        self.socket.send_to(datagram, self.broadcast).map(drop)
    }

    /// Receives a datagram, with its sender. Gives `None` if none is there: a poll can be wrong about a UDP socket.
    pub fn recv<'b>(&self, buffer: &'b mut [u8]) -> io::Result<Option<(&'b [u8], SocketAddr)>> {
        match self.socket.recv_from(buffer) {
            Ok((len, sender)) => Ok(Some((&buffer[..len], sender))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The address that an argument such as `udp://255.255.255.255:9999` names.
pub fn address(text: &str) -> Result<SocketAddrV4, String> {
    let address = text.strip_prefix("udp://").and_then(|address| address.parse().ok());
    address.ok_or_else(|| format!("{text:?} is no udp://ADDRESS:PORT"))
}
