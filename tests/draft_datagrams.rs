//! Over udp: DGRAM, RADIO and DISH, with plain UDP sockets of the standard library on the other side.

#![cfg(feature = "draft")]

mod common;

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use common::{DEADLINE, eventually, in_own_process};
use zmq::{Context, Dgram, Dish, Errno, Flags, Kind, Message, Multipart, Radio, Socket};

/// A port that nobody has: libzmq does not say which one the system would choose.
fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A plain socket that does not wait for ever.
fn plain() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket
}

/// A DGRAM socket that is bound, and where. libzmq binds in the background, and what comes before is lost.
fn dgram(context: &Context) -> (Socket<'_, Dgram>, SocketAddr) {
    let socket = context.socket(Dgram).unwrap();
    let port = free_port();
    let endpoint = format!("udp://127.0.0.1:{port}");
    assert_eq!(socket.bind(&endpoint).unwrap(), endpoint);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let probe = plain();
    eventually("the socket is bound", || {
        probe.send_to(b"probe", address).unwrap();
        socket.recv_from_timeout(Duration::from_millis(10)).unwrap().is_some()
    });
    // Behind it nothing of the probing is left.
    probe.send_to(b"end", address).unwrap();
    while socket.recv_from().unwrap().1 != "end" {}
    (socket, address)
}

#[deadline::test(patches = [9, 12])]
fn datagrams_go_there_and_back() {
    let context = Context::new().unwrap();
    let (socket, address) = dgram(&context);
    let other = plain();
    let mut buffer = [0; 9000];
    for size in [0, 1, 33, 34, 8192] {
        let body: Vec<u8> = (0..size).map(|byte| byte as u8).collect();
        other.send_to(&body, address).unwrap();
        let (from, received) = socket.recv_from().unwrap();
        assert_eq!((from, &*received), (other.local_addr().unwrap(), &*body));
        socket.send_to(from, received).unwrap();
        let (len, from) = other.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..len], from), (&*body, address));
    }
    assert_eq!(socket.recv_from_timeout(Duration::from_millis(10)).unwrap(), None);
}

/// What was not received as a datagram is not lost as one either.
#[deadline::test(patches = [9, 12])]
fn no_message_is_lost_for_want_of_an_address() {
    let context = Context::new().unwrap();
    let (socket, address) = dgram(&context);
    plain().send_to(b"body", address).unwrap();
    assert!(socket.recv().unwrap().more());
    let errors = [socket.recv_from().unwrap_err(), socket.recv_from_timeout(Duration::ZERO).unwrap_err()];
    assert_eq!(errors.map(|error| error.errno()), [Errno::EFSM; 2]);
    assert_eq!(socket.recv().unwrap(), "body");

    let (left, right) = (context.socket(Kind::Pair).unwrap(), context.socket(Kind::Pair).unwrap());
    left.bind("inproc://pair").unwrap();
    right.connect("inproc://pair").unwrap();
    let failed = left.send_to(address, "body").unwrap_err();
    assert_eq!((failed.error().errno(), failed.into_parts().0.len()), (Errno::ENOTSUP, 2));
    left.send("message").unwrap();
    assert_eq!(right.recv_from().unwrap_err().errno(), Errno::ENOTSUP);
    assert_eq!(right.recv().unwrap(), "message");
}

/// They would go by what is set, and whoever has set it would take them for secured.
#[deadline::test(patches = [7, 8, 9, 13])]
fn no_datagram_travels_where_security_is_set() {
    let context = Context::new().unwrap();
    let (radio, dish) = (context.socket(Radio).unwrap(), context.socket(Dish).unwrap());
    radio.secure(&zmq::security::Security::plain_client("alice", "hush")).unwrap();
    dish.set_zap_domain("lan").unwrap();
    let endpoint = format!("udp://127.0.0.1:{}", free_port());
    for error in [radio.connect(&endpoint).unwrap_err(), dish.bind(&endpoint).unwrap_err()] {
        assert_eq!(error.errno(), Errno::EINVAL);
        assert!(error.to_string().contains("cannot be secured"), "{error}");
    }
    dish.bind("tcp://127.0.0.1:*").unwrap();
    radio.secure(&zmq::security::Security::null()).unwrap();
    radio.connect(&endpoint).unwrap();
}

#[deadline::test(patches = [9, 12])]
fn two_dgrams_talk_in_parts() {
    let context = Context::new().unwrap();
    let ((left, _), (right, address)) = (dgram(&context), dgram(&context));
    left.send_multipart([address.to_string(), "as a whole".to_owned()]).unwrap();
    let parts = right.recv_multipart().unwrap();
    assert_eq!(parts.len(), 2);
    assert_eq!(parts[1], "as a whole");
    // The address serves as it came, with libzmq's NUL.
    assert_eq!(parts[0].last(), Some(&0));
    right.send_more(parts[0].clone()).unwrap();
    right.send("in parts").unwrap();
    let mut parts = left.recv_multipart().unwrap().into_iter();
    assert_eq!(parts.next().unwrap().to_vec(), format!("{address}\0").into_bytes());
    assert_eq!(parts.next().unwrap(), "in parts");
}

#[deadline::test(patches = [9, 12])]
fn a_datagram_is_an_address_and_a_body() {
    let context = Context::new().unwrap();
    let (socket, address) = dgram(&context);
    let refused = |error: &zmq::Error, errno: Errno, why: &str| {
        assert_eq!((error.errno(), error.call()), (errno, "zmq_msg_send"), "{error}");
        assert!(error.detail().unwrap().contains(why), "{error}");
    };
    let text = address.to_string();
    let failed = socket.send("lonely").unwrap_err();
    refused(failed.error(), Errno::EINVAL, "one part");
    assert_eq!(failed.into_message(), "lonely");
    refused(socket.try_send("lonely").unwrap_err().error(), Errno::EINVAL, "one part");
    refused(socket.send_timeout("lonely", DEADLINE).unwrap_err().error(), Errno::EINVAL, "one part");
    refused(socket.send_multipart([&*text]).unwrap_err().error(), Errno::EINVAL, "one part");
    let failed = socket.send_multipart([&*text, "a", "b"]).unwrap_err();
    refused(failed.error(), Errno::EINVAL, "more parts");
    assert_eq!(failed.into_message(), [&*text, "a", "b"]);
    for bad in ["", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "[::1]:9", "localhost:9"] {
        refused(socket.send_multipart([bad, "x"]).unwrap_err().error(), Errno::EINVAL, "IPv4");
        refused(socket.send_more(bad).unwrap_err().error(), Errno::EINVAL, "IPv4");
    }
    refused(socket.send_multipart(["255.255.255.255:9", "x"]).unwrap_err().error(), Errno::EINVAL, "IPv4");
    let failed = socket.send_to("[::1]:9".parse().unwrap(), "x").unwrap_err();
    refused(failed.error(), Errno::EINVAL, "IPv4");
    assert_eq!(failed.into_message(), ["[::1]:9", "x"]);

    let long = || Message::from(vec![0; 8193]);
    let failed = socket.send_to(address, long()).unwrap_err();
    refused(failed.error(), Errno::EMSGSIZE, "8193");
    assert_eq!(failed.into_message()[1].len(), 8193);
    // In parts: the body that does not fit can be replaced, and no other datagram comes between.
    socket.send_more(&*text).unwrap();
    refused(socket.send(long()).unwrap_err().error(), Errno::EMSGSIZE, "8193");
    refused(socket.send_more("body").unwrap_err().error(), Errno::EINVAL, "more parts");
    refused(socket.send_multipart([&*text, "x"]).unwrap_err().error(), Errno::EINVAL, "begun");
    socket.send("short").unwrap();
    assert_eq!(socket.recv_from().unwrap(), (address, "short".into()));
}

#[deadline::test(patches = [9, 12, 50, 1004])]
fn dgram_cannot_send_when_it_is_unbound() {
    let context = Context::new().unwrap();
    let socket = context.socket(Dgram).unwrap();
    let address = "127.0.0.1:9";
    let parts = || Multipart::from([address, "x"]);
    assert_eq!(socket.try_send_multipart(parts()).unwrap().into_unsent(), Some(parts()));
    let outcome = socket.send_multipart_timeout(parts(), Duration::from_millis(20)).unwrap();
    assert_eq!(outcome.into_unsent(), Some(parts()));
    let failed = socket.send_with(address, Flags::SNDMORE | Flags::DONTWAIT).unwrap_err();
    assert_eq!(failed.error().errno(), Errno::EAGAIN);
    assert_eq!(failed.into_message(), address);
    assert!(socket.try_recv_multipart().unwrap().is_none());
    // And after it was bound.
    let (socket, _) = dgram(&context);
    let endpoint = socket.last_endpoint().unwrap().unwrap();
    socket.unbind(&format!("udp://{endpoint}")).unwrap();
    eventually("the socket is unbound", || socket.try_send_multipart(parts()).unwrap().into_unsent() == Some(parts()));
    // The first part may be gone before: then the second is none.
    let port = free_port();
    socket.bind(&format!("udp://127.0.0.1:{port}")).unwrap();
    eventually("it sends again", || socket.try_send_multipart(parts()).unwrap().is_sent());
}

/// What was bound over udp could not be unbound: each port kept a descriptor until its socket was closed.
#[cfg(target_os = "linux")]
#[deadline::test(patches = [6, 8, 9, 13, 50])]
fn dish_keeps_no_descriptor_of_a_port_that_it_has_unbound() {
    in_own_process("dish_keeps_no_descriptor_of_a_port_that_it_has_unbound", || {
        let context = Context::new().unwrap();
        let dish = context.socket(Dish).unwrap();
        let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let before = descriptors();
        for _ in 0..20 {
            let endpoint = dish.bind(&format!("udp://127.0.0.1:{}", free_port())).unwrap();
            dish.unbind(&endpoint).unwrap();
        }
        eventually("the descriptors are closed", || {
            dish.try_recv().unwrap();
            descriptors() <= before
        });
    });
}

#[deadline::test(patches = [9, 12])]
fn dgram_returns_its_messages_when_its_port_is_taken() {
    let context = Context::new().unwrap();
    // Without SO_REUSEADDR, which libzmq sets.
    let taken = plain();
    let socket = context.socket(Dgram).unwrap();
    // libzmq binds in the background, and does not say that it could not.
    socket.bind(&format!("udp://{}", taken.local_addr().unwrap())).unwrap();
    eventually("libzmq has given up", || {
        socket.try_send_multipart(["127.0.0.1:9", "x"]).unwrap().into_unsent().is_some()
    });
    for _ in 0..3 {
        let parts = Multipart::from(["127.0.0.1:9", "x"]);
        let outcome = socket.send_multipart_timeout(parts, Duration::from_millis(5)).unwrap();
        assert_eq!(outcome.into_unsent().unwrap(), ["127.0.0.1:9", "x"]);
    }
}

#[deadline::test(patches = [6, 7, 8, 9, 12, 13])]
fn endpoints_that_make_no_sense_are_refused() {
    let context = Context::new().unwrap();
    let fails = |outcome: zmq::Result<()>, errno: Errno, why: &str| {
        let error = outcome.unwrap_err();
        assert_eq!(error.errno(), errno, "{error}");
        assert!(error.detail().unwrap().contains(why), "{error}");
    };
    let dgram = context.socket(Dgram).unwrap();
    for endpoint in ["tcp://127.0.0.1:*", "inproc://x", "ipc://*", "ws://127.0.0.1:*"] {
        fails(dgram.bind(endpoint).map(drop), Errno::ENOCOMPATPROTO, "binds to udp");
    }
    for endpoint in ["udp://127.0.0.1:9", "tcp://127.0.0.1:9", "inproc://x"] {
        fails(dgram.connect(endpoint), Errno::ENOCOMPATPROTO, "binds to udp");
    }
    for endpoint in ["udp://127.0.0.1:*", "udp://*:*"] {
        fails(dgram.bind(endpoint).map(drop), Errno::EINVAL, "which port");
    }
    fails(dgram.bind("udp://127.0.0.1:0").map(drop), Errno::EINVAL, "port 0");
    fails(dgram.bind("udp://127.0.0.1:65536").map(drop), Errno::EINVAL, "port 65536");
    dgram.set_ipv6(true).unwrap();
    fails(dgram.bind("udp://127.0.0.1:9999").map(drop), Errno::EINVAL, "ZMQ_IPV6");

    // RADIO connects, DISH binds, the others do neither.
    for &kind in Kind::ALL.iter().filter(|&&kind| kind != Kind::Dgram) {
        let socket = context.socket(kind).unwrap();
        if kind != Kind::Dish {
            fails(socket.bind("udp://127.0.0.1:9").map(drop), Errno::ENOCOMPATPROTO, "udp://127.0.0.1:9");
        }
        if kind != Kind::Radio {
            fails(socket.connect("udp://127.0.0.1:9"), Errno::ENOCOMPATPROTO, "udp://127.0.0.1:9");
        }
    }
}

/// A DISH that is bound, and where.
fn dish<'a>(context: &'a Context, groups: &[&str]) -> (Socket<'a, Dish>, SocketAddr) {
    let dish = context.socket(Dish).unwrap();
    groups.iter().for_each(|group| dish.join(group).unwrap());
    dish.join("probe").unwrap();
    let port = free_port();
    dish.bind(&format!("udp://127.0.0.1:{port}")).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let probe = plain();
    eventually("the socket is bound", || {
        probe.send_to(b"\x05probe", address).unwrap();
        dish.recv_timeout(Duration::from_millis(10)).unwrap().is_some()
    });
    // Behind it nothing of the probing is left.
    probe.send_to(b"\x05probeend", address).unwrap();
    while dish.recv().unwrap() != "end" {}
    dish.leave("probe").unwrap();
    (dish, address)
}

#[deadline::test(patches = [6, 8, 9, 13])]
fn a_radio_reaches_a_dish_by_datagrams() {
    let long = "g".repeat(255);
    let context = Context::new().unwrap();
    let (dish, address) = dish(&context, &["news", &long]);
    let radio = context.socket(Radio).unwrap();
    radio.connect(&format!("udp://{address}")).unwrap();
    for group in ["news", &*long] {
        for size in [0, 33, 34, 8192 - 1 - group.len()] {
            radio.send_to_group("music", "not joined").unwrap();
            radio.send_to_group(group, vec![7; size]).unwrap();
            let message = dish.recv().unwrap();
            assert_eq!((message.group(), message.len()), (group.into(), size));
        }
        let failed = radio.send_to_group(group, vec![7; 8192 - group.len()]).unwrap_err();
        assert_eq!(failed.error().errno(), Errno::EMSGSIZE);
        assert!(failed.error().detail().unwrap().contains("8193"), "{failed}");
        assert_eq!(failed.into_message().len(), 8192 - group.len());
    }
}

#[deadline::test(patches = [9, 13])]
fn radio_sends_its_message_as_a_datagram() {
    let context = Context::new().unwrap();
    let other = plain();
    let radio = context.socket(Radio).unwrap();
    radio.connect(&format!("udp://{}", other.local_addr().unwrap())).unwrap();
    radio.send_to_group("news", "it rains").unwrap();
    let mut buffer = [0; 100];
    let (size, _) = other.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..size], b"\x04newsit rains");
}

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
        // Some are lost where they come too fast for the system.
        let _ = dish.try_recv().unwrap();
    }
    eventually("it still receives", || {
        other.send_to(b"\x04newsend", address).unwrap();
        dish.recv_timeout(Duration::from_millis(10)).unwrap().is_some_and(|message| message == "end")
    });
}

#[deadline::test(patches = [9, 12, 1002])]
fn a_burst_leaves_the_sockets_as_they_are() {
    let context = Context::new().unwrap();
    let (socket, address) = dgram(&context);
    let other = plain();
    // More than fits: the rest is lost, and what comes afterwards is not.
    for _ in 0..5000 {
        other.send_to(b"burst", address).unwrap();
    }
    while socket.recv_from_timeout(Duration::from_millis(100)).unwrap().is_some() {}
    for _ in 0..3 {
        other.send_to(b"after", address).unwrap();
        assert_eq!(socket.recv_from().unwrap().1, "after");
    }
    // And the same the other way.
    let target = plain();
    for _ in 0..5000 {
        let _ = socket.send_multipart_timeout([target.local_addr().unwrap().to_string(), "x".into()], DEADLINE);
    }
    let mut buffer = [0; 10];
    target.recv_from(&mut buffer).unwrap();
    socket.send_to(other.local_addr().unwrap(), "end").unwrap();
    let (size, _) = other.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..size], b"end");
}

/// How long this process has kept processors busy.
fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[deadline::test(patches = [8, 9, 10, 12, 13])]
fn udp_sockets_do_not_retry_when_they_cannot_be_set_up() {
    in_own_process("udp_sockets_do_not_retry_when_they_cannot_be_set_up", || {
        let context = Context::builder().set_blocky(false).build().unwrap();
        // A device that is not there, and networks that this machine may not reach.
        let radio = context.socket(Radio).unwrap();
        radio.set_bindtodevice(Some("nosuchdev")).unwrap();
        radio.connect("udp://127.0.0.1:9").unwrap();
        let dish = context.socket(Dish).unwrap();
        dish.set_bindtodevice(Some("nosuchdev")).unwrap();
        dish.bind(&format!("udp://127.0.0.1:{}", free_port())).unwrap();
        let dgram = context.socket(Dgram).unwrap();
        dgram.set_bindtodevice(Some("nosuchdev")).unwrap();
        dgram.bind(&format!("udp://127.0.0.1:{}", free_port())).unwrap();
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
            let _ = dish.try_recv().unwrap();
            let _ = dgram.try_recv_multipart().unwrap();
            std::thread::sleep(Duration::from_millis(10));
        }
        // Nothing is tried again and again: two tenths of a second would be gone with that.
        assert!(processor_time() - before < Duration::from_millis(150), "{:?}", processor_time() - before);
        drop((radio, dish, dgram));
        context.terminate(DEADLINE).unwrap();
    });
}
