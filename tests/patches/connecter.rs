//! socks_connecter.cpp: connections through a SOCKS proxy.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use zmq::monitor::{Event, Events};
#[cfg(feature = "draft")]
use zmq::sockopt::ReconnectStop;
use zmq::{Context, Kind, Push};

use crate::common::{DEADLINE, eventually, has_ipv6, in_own_process, skip_unless};
use crate::{SHORT, accept, endpoint, listener};

/// A refused connecter removes its poller handle at once, and again when its socket is closed. libzmq aborts the process.
#[deadline::test(patches = [1])]
fn socks_connecter_can_be_closed_after_its_proxy_refused() {
    in_own_process("connecter::socks_connecter_can_be_closed_after_its_proxy_refused", || {
        let proxy = listener();
        let address = endpoint(&proxy).replace("tcp://", "");
        for _ in 0..50 {
            let context = Context::new().unwrap();
            let socket = context.socket(Push).unwrap();
            socket.set_linger(Some(Duration::ZERO)).unwrap();
            socket.set_socks_proxy(address.as_str()).unwrap();
            socket.set_reconnect_ivl(Some(Duration::from_secs(60))).unwrap();
            socket.connect("tcp://127.0.0.1:9").unwrap();
            let mut stream = accept(&proxy);
            let mut greeting = [0; 3];
            stream.read_exact(&mut greeting).unwrap();
            assert_eq!(greeting[0], 5, "SOCKS 5");
            // The proxy accepts no method of authentication.
            stream.write_all(&[5, 0xff]).unwrap();
            assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0, "the connecter has closed its connection");
            drop(socket);
        }
    });
}

/// A connection of the socket to itself counts as one to a server, and the socket sends its messages over it.
#[deadline::test(patches = [1025])]
fn client_of_a_port_without_a_server_does_not_connect_to_itself() {
    let mut addresses = vec!["127.0.0.1"];
    if has_ipv6() {
        addresses.push("[::1]");
    } else {
        skip_unless(false, "a part, IPv6: this machine has none");
    }
    for (address, kind) in
        addresses.into_iter().flat_map(|address| [Kind::Dealer, Kind::Pair, Kind::Push].map(|kind| (address, kind)))
    {
        let port = TcpListener::bind(format!("{address}:0")).unwrap().local_addr().unwrap().port();
        let context = Context::new().unwrap();
        context.set_blocky(false).unwrap();
        context.set_ipv6(true).unwrap();
        let client = context.socket(kind).unwrap();
        client.set_reconnect_ivl(Some(Duration::from_millis(100))).unwrap();
        let monitor = client.monitor(Events::ALL).unwrap();
        // The source port is the target's. The system chooses such a port by chance. An endpoint of ws names no source.
        client.connect(&format!("tcp://{address}:{port};{address}:{port}")).unwrap();
        client.send("hello").unwrap();
        let mut retries = 0;
        while retries < 2 {
            match monitor.next_event(DEADLINE).unwrap().unwrap().event() {
                Event::ConnectRetried { .. } => retries += 1,
                Event::Connected { .. } => panic!("{address}, {kind}: connected to itself"),
                _ => {}
            }
        }
        drop(monitor);
        let server = context.socket(if kind == Kind::Push { Kind::Pull } else { kind }).unwrap();
        eventually("the port is free between two tries", || server.bind(&format!("tcp://{address}:{port}")).is_ok());
        // The client binds its source port, which is the server's now. The system refuses this, and the client keeps its
        // message.
        assert_eq!(server.within(SHORT).recv_msg().unwrap(), None);
    }
}

/// The ports that `connect` chooses from, unless it needs more than half of the range: those with the parity of the first one.
#[cfg(target_os = "linux")]
fn chosen_ports() -> impl Iterator<Item = u16> + Clone {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    let mut ends = range.split_whitespace().map(|port| port.parse::<u16>().unwrap());
    let (low, high) = (ends.next().unwrap(), ends.next().unwrap());
    (low..=high).step_by(2)
}

/// The same over ws, with a source port that the system chooses. Sooner or later it chooses the target's.
#[cfg(target_os = "linux")]
#[deadline::test(patches = [1025])]
fn ws_client_of_a_port_without_a_server_does_not_connect_to_itself() {
    const CLIENTS: usize = 32;
    if skip_unless(zmq::has("WS"), "this libzmq has no WebSockets") {
        return;
    }
    let ports = chosen_ports();
    let count = ports.clone().count();
    let begin = std::process::id() as usize % (count / 2);
    let port = ports.skip(begin).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port");
    let context = Context::new().unwrap();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let client = context.socket(Push).unwrap();
            client.set_reconnect_ivl(Some(Duration::from_millis(1))).unwrap();
            let monitor = client.monitor(Events::CONNECTED | Events::CONNECT_RETRIED).unwrap();
            client.connect(&format!("ws://127.0.0.1:{port}")).unwrap();
            (client, monitor)
        })
        .collect();
    let mut tries = 0;
    while tries < 4 * count {
        for (_, monitor) in &clients {
            let notice = monitor.next_event(DEADLINE).unwrap().expect("a client tries again");
            match notice.event() {
                Event::Connected { .. } => panic!("connected to itself after {tries} tries"),
                _ => tries += 1,
            }
        }
    }
}

/// libzmq reads a flag that it has not set yet: the connecter gives up.
#[cfg(all(feature = "draft", target_os = "linux", target_env = "gnu"))]
#[deadline::test(patches = [92])]
fn refused_ipc_connecter_tries_again_until_its_socket_disconnects() {
    in_own_process("connecter::refused_ipc_connecter_tries_again_until_its_socket_disconnects", || {
        // The allocator fills new memory with a byte that is not zero. Under a sanitizer the call does nothing: it fills itself.
        // SAFETY: has no preconditions.
        unsafe { libc::mallopt(libc::M_PERTURB, 0x55) };
        let context = Context::new().unwrap();
        let socket = context.socket(Push).unwrap();
        socket.set_reconnect_stop(ReconnectStop::AFTER_DISCONNECT).unwrap();
        socket.set_reconnect_ivl(Some(Duration::from_millis(1))).unwrap();
        let monitor = socket.monitor(Events::CONNECT_RETRIED).unwrap();
        // Nobody binds this name, so a connection to it is refused.
        let endpoint = format!("ipc://@zmq-nobody-{}", std::process::id());
        socket.connect(&endpoint).unwrap();
        let tries_again = || monitor.next_event(SHORT * 10).unwrap().is_some();
        assert!(tries_again() && tries_again());
        socket.disconnect(&endpoint).unwrap();
        eventually("the connecter has ended", || !tries_again());
    });
}
