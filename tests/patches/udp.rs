//! udp_engine.cpp, dgram.cpp, session_base.cpp, socket_base.cpp: udp.

use std::ffi::{CStr, c_int, c_void};
use std::mem::MaybeUninit;
use std::thread;
use std::time::{Duration, Instant};

use zmq::monitor::Events;
use zmq::{Context, Dgram, Dish, Multipart, Push, Radio, sys};

use crate::RECV_TIMEOUT;
use crate::common::{DEADLINE, context, eventually, in_own_process};
use crate::datagrams::{dgram, dish, plain, port};

/// Sends a message by libzmq itself: the crate refuses messages that do not fit a datagram.
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

/// The message is copied to a buffer of 8192 bytes.
#[deadline::test(patches = [9])]
fn radio_and_dgram_drop_messages_larger_than_a_datagram() {
    in_own_process("udp::radio_and_dgram_drop_messages_larger_than_a_datagram", || {
        let large = vec![0; 16 << 20];
        let context = Context::new().unwrap();
        let peer = plain();
        let address = peer.local_addr().unwrap();
        let mut buffer = [0; 100];

        let radio = context.socket(Radio).unwrap();
        radio.connect(&format!("udp://{address}")).unwrap();
        send_raw(radio.as_raw(), &large, Some(c"news"), 0);
        radio.send_to_group("news", "small").unwrap();
        let (size, _) = peer.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..size], b"\x04newssmall");

        let port = port();
        let dgram = context.socket(Dgram).unwrap();
        dgram.bind(&format!("udp://{}", port.address())).unwrap();
        send_raw(dgram.as_raw(), address.to_string().as_bytes(), None, sys::ZMQ_SNDMORE);
        send_raw(dgram.as_raw(), &large, None, 0);
        dgram.send_to(address, "small").unwrap();
        let (size, _) = peer.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..size], b"small");
    });
}

/// The session asserts that the system gives it a socket.
#[deadline::test(patches = [11])]
fn radio_ends_after_the_system_refused_a_udp_socket() {
    in_own_process("udp::radio_ends_after_the_system_refused_a_udp_socket", || {
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
        for _ in 0..20 {
            // `Socket::connect` would refuse the call.
            // SAFETY: the socket is open and this thread's; the text ends with a zero byte.
            assert_eq!(unsafe { sys::zmq_connect(radio.as_raw(), c"udp://127.0.0.1:9".as_ptr()) }, 0);
            // The message is unsent when the session ends. The default of `ZMQ_LINGER` has no limit.
            radio.send_to_group("news", "it rains").unwrap();
        }
        // The I/O thread makes its attempts in this order.
        push.connect("tcp://127.0.0.1:9").unwrap();
        assert!(monitor.next_event(DEADLINE).unwrap().is_some());
        set(limit.rlim_cur);
        push.set_linger(Some(Duration::ZERO)).unwrap();
        drop((monitor, radio, push));
        context.terminate(DEADLINE).unwrap();
    });
}

/// After its pipe was full, the engine reads although no datagram has arrived, takes the error for a lost connection, and ends.
#[deadline::test(patches = [1002])]
fn dish_receives_after_its_pipe_was_full() {
    let context = Context::new().unwrap();
    let dish = context.socket(Dish).unwrap();
    dish.set_rcvhwm(4).unwrap();
    // An engine that ended is not replaced.
    dish.set_reconnect_ivl(None).unwrap();
    dish.join("news").unwrap();
    let port = port();
    dish.bind(&format!("udp://{}", port.address())).unwrap();
    let peer = plain();
    // One of these numbers of datagrams fills the pipe exactly.
    for count in (4..16).cycle().take(150) {
        for _ in 0..count {
            peer.send_to(b"\x04newsit rains", port.address()).unwrap();
        }
        // No event reports that the engine has read them.
        thread::sleep(Duration::from_millis(10));
        while dish.now().recv_msg().unwrap().is_some() {}
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < RECV_TIMEOUT, "nothing arrives after {count} datagrams");
            peer.send_to(b"\x04newsend", port.address()).unwrap();
            if dish.within(Duration::from_millis(10)).recv_msg().unwrap().is_some_and(|message| message == "end") {
                break;
            }
        }
    }
}

/// DGRAM refuses the new pipe while the old one ends. The socket sends and receives no more messages.
#[deadline::test(patches = [86])]
fn dgram_sends_when_it_is_bound_again_at_once() {
    let context = Context::new().unwrap();
    let dgram = context.socket(Dgram).unwrap();
    let peer = plain();
    let address = peer.local_addr().unwrap().to_string();
    for round in 0..20 {
        let port = port();
        let endpoint = format!("udp://{}", port.address());
        dgram.bind(&endpoint).unwrap();
        assert!(dgram.within(RECV_TIMEOUT).send_multipart([&*address, "x"]).unwrap().is_sent(), "{round}");
        peer.recv_from(&mut [0]).unwrap();
        dgram.unbind(&endpoint).unwrap();
    }
}

/// The length of the group is read as a signed number, and not compared with the datagram. libzmq aborts the process.
#[deadline::test(patches = [8, 13])]
fn dish_survives_every_datagram() {
    let context = Context::new().unwrap();
    let (dish, address) = dish(&context, &["news"]);
    let other = plain();
    let mut datagrams: Vec<Vec<u8>> = vec![vec![], b"\x04new".to_vec(), b"\0".to_vec(), b"\x04news".to_vec()];
    for first in 0..=255 {
        datagrams.push(vec![first]);
        datagrams.push(vec![first; 200]);
        datagrams.push(vec![first; 300]);
        datagrams.push(vec![first; 20_000]);
    }
    for datagram in &datagrams {
        other.send_to(datagram, address).unwrap();
        // The system drops some if they come too fast.
        let _ = dish.now().recv_msg().unwrap();
    }
    eventually("the DISH still receives", || {
        other.send_to(b"\x04newsend", address).unwrap();
        dish.within(Duration::from_millis(10)).recv_msg().unwrap().is_some_and(|message| message == "end")
    });
}

/// The processor time of this process.
fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The session makes the engine again at once and without end, and its thread is busy.
#[deadline::test(patches = [8, 9, 10, 12, 13])]
fn udp_sockets_do_not_retry_when_they_cannot_be_set_up() {
    in_own_process("udp::udp_sockets_do_not_retry_when_they_cannot_be_set_up", || {
        let context = context();
        // The device does not exist, and this machine may not reach the networks.
        let radio = context.socket(Radio).unwrap();
        radio.set_bindtodevice(Some("nosuchdev")).unwrap();
        radio.connect("udp://127.0.0.1:9").unwrap();
        let dish = context.socket(Dish).unwrap();
        dish.set_bindtodevice(Some("nosuchdev")).unwrap();
        dish.bind(&format!("udp://{}", port().address())).unwrap();
        let dgram = context.socket(Dgram).unwrap();
        dgram.set_bindtodevice(Some("nosuchdev")).unwrap();
        dgram.bind(&format!("udp://{}", port().address())).unwrap();
        for endpoint in
            ["udp://239.1.1.1:9", "udp://127.0.0.1;239.1.1.1:9", "udp://lo;239.1.1.1:9", "udp://255.255.255.255:9"]
        {
            let _ = radio.connect(endpoint);
            let _ = context.socket(Dish).unwrap().bind(endpoint);
            let _ = context.socket(Dgram).unwrap().bind(endpoint);
        }
        let before = processor_time();
        for _ in 0..20 {
            radio.send_to_group("g", "x").unwrap();
            let _ = dish.now().recv_msg().unwrap();
            let _ = dgram.now().recv_multipart().unwrap();
            thread::sleep(Duration::from_millis(10));
        }
        // An I/O thread that tries without end takes the whole 200 ms.
        assert!(processor_time() - before < Duration::from_millis(150), "{:?}", processor_time() - before);
        drop((radio, dish, dgram));
        context.terminate(DEADLINE).unwrap();
    });
}

/// A DGRAM without a pipe closes the message that it refuses.
#[deadline::test(patches = [9, 12])]
fn dgram_returns_its_messages_when_its_port_is_taken() {
    let context = Context::new().unwrap();
    // This socket has no SO_REUSEADDR, which libzmq's has.
    let taken = plain();
    let socket = context.socket(Dgram).unwrap();
    // libzmq binds in the background, and does not report the failure.
    socket.bind(&format!("udp://{}", taken.local_addr().unwrap())).unwrap();
    eventually("libzmq has given up", || {
        socket.now().send_multipart(["127.0.0.1:9", "x"]).unwrap().into_unsent().is_some()
    });
    for _ in 0..3 {
        let parts = Multipart::from(["127.0.0.1:9", "x"]);
        let outcome = socket.within(Duration::from_millis(5)).send_multipart(parts).unwrap();
        assert_eq!(outcome.into_unsent().unwrap(), ["127.0.0.1:9", "x"]);
    }
}

/// zmq_unbind does not find the endpoint, which stays bound.
#[deadline::test(patches = [9, 12, 50, 86])]
fn dgram_cannot_send_when_it_is_unbound() {
    let context = Context::new().unwrap();
    let socket = context.socket(Dgram).unwrap();
    let address = "127.0.0.1:9";
    let parts = || Multipart::from([address, "x"]);
    assert_eq!(socket.now().send_multipart(parts()).unwrap().into_unsent(), Some(parts()));
    let outcome = socket.within(Duration::from_millis(20)).send_multipart(parts()).unwrap();
    assert_eq!(outcome.into_unsent(), Some(parts()));
    assert_eq!(socket.now().send_more(address).unwrap().into_unsent().unwrap(), address);
    assert!(socket.now().recv_multipart().unwrap().is_none());
    // The same when it is unbound again.
    let (socket, _) = dgram(&context);
    let endpoint = socket.last_endpoint().unwrap().unwrap();
    socket.unbind(&format!("udp://{endpoint}")).unwrap();
    eventually("the socket is unbound", || {
        socket.now().send_multipart(parts()).unwrap().into_unsent() == Some(parts())
    });
    let port = port();
    socket.bind(&format!("udp://{}", port.address())).unwrap();
    eventually("the DGRAM sends again", || socket.now().send_multipart(parts()).unwrap().is_sent());
}

/// zmq_unbind does not find the endpoint. Each port keeps a descriptor until its socket is closed.
#[cfg(target_os = "linux")]
#[deadline::test(patches = [6, 8, 9, 13, 50])]
fn dish_keeps_no_descriptor_of_a_port_that_it_has_unbound() {
    in_own_process("udp::dish_keeps_no_descriptor_of_a_port_that_it_has_unbound", || {
        let context = Context::new().unwrap();
        let dish = context.socket(Dish).unwrap();
        let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let before = descriptors();
        for _ in 0..20 {
            let endpoint = dish.bind(&format!("udp://{}", port().address())).unwrap();
            dish.unbind(&endpoint).unwrap();
        }
        eventually("the descriptors are closed", || {
            dish.now().recv_msg().unwrap();
            descriptors() <= before
        });
    });
}
