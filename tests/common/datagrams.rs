//! udp: plain sockets of the standard library, ports that no other program takes, and bound DGRAM and DISH sockets.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use socket2::Type;
use zmq::{Context, Dgram, Dish, Socket};

use crate::common::{DEADLINE, HeldPort, eventually};

/// A plain socket with a time-out.
pub fn plain() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket
}

/// A port for an endpoint of udp: libzmq has no wildcard for it. Of two sockets on one port, the one that was bound last
/// receives the datagrams.
pub fn port() -> HeldPort {
    HeldPort::new(Type::DGRAM, Ipv4Addr::LOCALHOST)
}

/// A DGRAM socket that is bound, and its address. libzmq binds in the background, and datagrams that arrive earlier are lost.
pub fn dgram(context: &Context) -> (Socket<'_, Dgram>, SocketAddr) {
    let socket = context.socket(Dgram).unwrap();
    let port = port();
    let endpoint = format!("udp://{}", port.address());
    assert_eq!(socket.bind(&endpoint).unwrap(), endpoint);
    let probe = plain();
    eventually("the socket is bound", || {
        probe.send_to(b"probe", port.address()).unwrap();
        socket.within(Duration::from_millis(10)).recv_from().unwrap().is_some()
    });
    // The other probes come before this datagram.
    probe.send_to(b"end", port.address()).unwrap();
    while socket.recv_from().unwrap().1 != "end" {}
    (socket, port.address())
}

/// A DISH socket that is bound, and its address.
pub fn dish<'a>(context: &'a Context, groups: &[&str]) -> (Socket<'a, Dish>, SocketAddr) {
    let dish = context.socket(Dish).unwrap();
    groups.iter().for_each(|group| dish.join(group).unwrap());
    dish.join("probe").unwrap();
    let port = port();
    dish.bind(&format!("udp://{}", port.address())).unwrap();
    let probe = plain();
    eventually("the socket is bound", || {
        probe.send_to(b"\x05probe", port.address()).unwrap();
        dish.within(Duration::from_millis(10)).recv_msg().unwrap().is_some()
    });
    // The other probes come before this datagram.
    probe.send_to(b"\x05probeend", port.address()).unwrap();
    while dish.recv_msg().unwrap() != "end" {}
    dish.leave("probe").unwrap();
    (dish, port.address())
}
