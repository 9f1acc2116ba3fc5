//! udp_engine.cpp and session_base.cpp: udp.

use std::ffi::{CStr, c_int, c_void};
use std::mem::MaybeUninit;
use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

use zmq::monitor::Events;
use zmq::{Context, Dgram, Dish, Push, Radio, sys};

use crate::RECV_TIMEOUT;
use crate::common::{DEADLINE, in_own_process};

fn plain() -> (UdpSocket, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    (socket, address)
}

/// Sends a message by libzmq itself: the crate refuses what does not fit a datagram.
fn send_raw(socket: *mut c_void, content: &[u8], group: Option<&CStr>, flags: c_int) {
    let mut message = MaybeUninit::<sys::zmq_msg_t>::uninit();
    let message = message.as_mut_ptr();
    // SAFETY: the pointer is to room for a message, and libzmq copies the content.
    assert_eq!(unsafe { sys::zmq_msg_init_buffer(message, content.as_ptr().cast(), content.len()) }, 0);
    if let Some(group) = group {
        // SAFETY: it is a message, and the group ends with NUL.
        assert_eq!(unsafe { sys::zmq_msg_set_group(message, group.as_ptr()) }, 0);
    }
    // SAFETY: it is a message, and the socket is open.
    assert_eq!(unsafe { sys::zmq_msg_send(message, socket, flags) }, content.len() as c_int);
}

/// The message was copied to a buffer of 8192 bytes.
#[deadline::test(patches = [9])]
fn radio_and_dgram_drop_messages_larger_than_a_datagram() {
    in_own_process("udp::radio_and_dgram_drop_messages_larger_than_a_datagram", || {
        let large = vec![0; 16 << 20];
        let context = Context::new().unwrap();
        let (peer, address) = plain();
        let mut buffer = [0; 100];

        let radio = context.socket(Radio).unwrap();
        radio.connect(&format!("udp://{address}")).unwrap();
        send_raw(radio.as_raw(), &large, Some(c"news"), 0);
        radio.send_to_group("news", "small").unwrap();
        let (size, _) = peer.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..size], b"\x04newssmall");

        let (reserved, own) = plain();
        drop(reserved);
        let dgram = context.socket(Dgram).unwrap();
        dgram.bind(&format!("udp://{own}")).unwrap();
        send_raw(dgram.as_raw(), address.as_bytes(), None, sys::ZMQ_SNDMORE);
        send_raw(dgram.as_raw(), &large, None, 0);
        dgram.send_to(address.parse().unwrap(), "small").unwrap();
        let (size, _) = peer.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..size], b"small");
    });
}

/// The session asserted that the system gives it a socket.
#[deadline::test(patches = [11])]
fn radio_survives_a_udp_socket_that_the_system_refuses() {
    in_own_process("udp::radio_survives_a_udp_socket_that_the_system_refuses", || {
        let context = Context::new().unwrap();
        let (radio, push) = (context.socket(Radio).unwrap(), context.socket(Push).unwrap());
        push.set_reconnect_ivl(Some(Duration::from_millis(1))).unwrap();
        let monitor = push.monitor(Events::CONNECT_RETRIED).unwrap();
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the pointer is to a limit.
        assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) }, 0);
        let set = |rlim_cur| {
            let limit = libc::rlimit { rlim_cur, ..limit };
            // SAFETY: the pointer is to a limit.
            assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
        };
        // The process gets no more descriptors.
        set(1);
        radio.connect("udp://127.0.0.1:9").unwrap();
        // The I/O thread makes its attempts in this order.
        push.connect("tcp://127.0.0.1:9").unwrap();
        assert!(monitor.recv_timeout(DEADLINE).unwrap().is_some());
        set(limit.rlim_cur);
        push.set_linger(Some(Duration::ZERO)).unwrap();
        drop((monitor, radio, push));
        context.terminate(DEADLINE).unwrap();
    });
}

/// After its pipe was full, the engine read a datagram that was not there, took that for a lost connection, and ended.
#[deadline::test(patches = [1002])]
fn dish_receives_after_its_pipe_was_full() {
    let context = Context::new().unwrap();
    let dish = context.socket(Dish).unwrap();
    dish.set_rcvhwm(4).unwrap();
    // An engine that ended is not replaced.
    dish.set_reconnect_ivl(None).unwrap();
    dish.join("news").unwrap();
    let (reserved, address) = plain();
    drop(reserved);
    dish.bind(&format!("udp://{address}")).unwrap();
    let (peer, _) = plain();
    // One of these numbers of datagrams fills the pipe exactly.
    for count in (4..16).cycle().take(150) {
        for _ in 0..count {
            peer.send_to(b"\x04newsit rains", &address).unwrap();
        }
        // No event tells that the engine has read them.
        thread::sleep(Duration::from_millis(10));
        while dish.try_recv().unwrap().is_some() {}
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < RECV_TIMEOUT, "nothing arrives after {count} datagrams");
            peer.send_to(b"\x04newsend", &address).unwrap();
            if dish.recv_timeout(Duration::from_millis(10)).unwrap().is_some_and(|message| message == "end") {
                break;
            }
        }
    }
}

/// The new pipe was refused while the old one ended. The socket sent and received nothing more.
#[deadline::test(patches = [1004])]
fn dgram_sends_when_it_is_bound_again_at_once() {
    let context = Context::new().unwrap();
    let dgram = context.socket(Dgram).unwrap();
    let (peer, address) = plain();
    for round in 0..20 {
        let (reserved, own) = plain();
        drop(reserved);
        let endpoint = format!("udp://{own}");
        dgram.bind(&endpoint).unwrap();
        assert!(dgram.send_multipart_timeout([&*address, "x"], RECV_TIMEOUT).unwrap().is_sent(), "{round}");
        peer.recv_from(&mut [0]).unwrap();
        dgram.unbind(&endpoint).unwrap();
    }
}
