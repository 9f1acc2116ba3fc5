//! Signals, raw pointers, the numbers of options, and the differences from rust-zmq, which rust-zmq's own tests do not
//! cover.

use std::ffi::CStr;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use zmq::{Context, CurveKeyPair, DecodeError, Error, Message, PollItem, Socket, SocketType};

fn within_a_minute(test: impl FnOnce() + Send + 'static) {
    timebomb::timeout_ms(test, 60_000);
}

extern "C" fn do_nothing(_signal: i32) {}

/// Runs `call`, which waits without end, in a thread, and sends that thread signals until the call has ended.
fn interrupted<R: Send>(call: impl FnOnce() -> R + Send) -> R {
    let handler = do_nothing as extern "C" fn(i32);
    // SAFETY: the handler does nothing.
    unsafe { libc::signal(libc::SIGUSR1, handler as usize) };
    let (tell, told) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            // SAFETY: no preconditions.
            tell.send(unsafe { libc::pthread_self() }).unwrap();
            call()
        });
        let thread = told.recv().unwrap();
        while !waiting.is_finished() {
            // SAFETY: the thread was not joined.
            unsafe { libc::pthread_kill(thread, libc::SIGUSR1) };
            thread::sleep(Duration::from_millis(10));
        }
        waiting.join().unwrap()
    })
}

fn pair(context: &Context, endpoint: &str) -> (Socket, Socket) {
    let (left, right) = (context.socket(zmq::PAIR).unwrap(), context.socket(zmq::PAIR).unwrap());
    left.bind(endpoint).unwrap();
    right.connect(endpoint).unwrap();
    (left, right)
}

#[test]
fn waits_end_with_eintr_when_a_handler_has_run() {
    within_a_minute(|| {
        let context = Context::new();
        let socket = |kind| context.socket(kind).unwrap();
        let (pull, push) = (socket(zmq::PULL), socket(zmq::PUSH));
        let dealer = socket(zmq::DEALER);
        dealer.set_rcvtimeo(600_000).unwrap();
        let router = socket(zmq::ROUTER);
        let (left, right) = (socket(zmq::PULL), socket(zmq::PUSH));
        let (end, _other) = UnixStream::pair().unwrap();
        type Wait = Box<dyn FnOnce() -> zmq::Result<()> + Send>;
        let sub = socket(zmq::SUB);
        let rep = socket(zmq::REP);
        let waits: [(&str, Wait); 7] = [
            ("recv_msg", Box::new(move || pull.recv_msg(0).map(drop))),
            ("send", Box::new(move || push.send("nobody", 0))),
            (
                "send more",
                Box::new(move || dealer.send("nobody", zmq::SNDMORE).and_then(|()| dealer.recv_msg(0).map(drop))),
            ),
            ("recv_multipart", Box::new(move || router.recv_multipart(0).map(drop))),
            ("poll", Box::new(move || sub.poll(zmq::POLLIN, -1).map(drop))),
            (
                "descriptor",
                Box::new(move || zmq::poll(&mut [PollItem::from_fd(end.as_raw_fd(), zmq::POLLIN)], -1).map(drop)),
            ),
            ("proxy", Box::new(move || zmq::proxy(&left, &right))),
        ];
        for (name, wait) in waits {
            assert_eq!(interrupted(wait), Err(Error::EINTR), "{name}");
        }
        assert_eq!(interrupted(move || rep.recv_into(&mut [0; 10], 0)), Err(Error::EINTR));
    });
}

#[test]
fn socket_comes_back_from_its_pointer() {
    within_a_minute(|| {
        let context = Context::new();
        let (left, right) = pair(&context, "inproc://pair");
        let pointer = left.into_raw();
        // SAFETY: `into_raw` has given it away.
        let left = unsafe { Socket::from_raw(pointer) };
        right.send("still here", 0).unwrap();
        assert_eq!(left.recv_bytes(0).unwrap(), b"still here");
    });
}

#[test]
fn socket_comes_back_from_its_pointer_when_its_context_is_ending() {
    within_a_minute(|| {
        let context = Context::new();
        let pointer = context.socket(zmq::PAIR).unwrap().into_raw();
        let ending = thread::spawn(move || drop(context));
        let has_ended = || {
            let (mut events, mut size) = (0i32, size_of::<i32>());
            let option = zmq_sys::ZMQ_EVENTS as i32;
            // SAFETY: the socket is open, and the place has the size of the number.
            let rc = unsafe { zmq_sys::zmq_getsockopt(pointer, option, (&raw mut events).cast(), &raw mut size) };
            rc == -1
        };
        while !has_ended() {
            thread::sleep(Duration::from_millis(1));
        }
        // SAFETY: `into_raw` has given it away.
        let socket = unsafe { Socket::from_raw(pointer) };
        assert_eq!(socket.send("too late", 0), Err(Error::ETERM));
        drop(socket);
        ending.join().unwrap();
    });
}

#[test]
fn options_have_the_numbers_of_c() {
    within_a_minute(|| {
        let context = Context::new();
        let socket = context.socket(zmq::DEALER).unwrap();
        macro_rules! keeps {
            ($($get:ident $set:ident: $($value:expr => $read:expr),*;)*) => {$($(
                socket.$set($value).unwrap();
                assert_eq!(socket.$get().unwrap(), $read, stringify!($get));
            )*)*};
        }
        keeps! {
            get_linger set_linger: -1 => -1, 0 => 0, 1 => 1;
            get_rcvtimeo set_rcvtimeo: 0 => 0, -1 => -1;
            get_sndtimeo set_sndtimeo: 0 => 0, -1 => -1;
            get_reconnect_ivl set_reconnect_ivl: -1 => -1, 0 => 0;
            get_reconnect_ivl_max set_reconnect_ivl_max: 5 => 5, 0 => 0;
            get_connect_timeout set_connect_timeout: 5 => 5, 0 => 0;
            get_handshake_ivl set_handshake_ivl: 5 => 5, 0 => 0;
            get_heartbeat_ivl set_heartbeat_ivl: 5 => 5, 0 => 0;
            get_heartbeat_timeout set_heartbeat_timeout: 0 => 0, 5 => 5;
            get_heartbeat_ttl set_heartbeat_ttl: 1299 => 1200, 0 => 0;
            get_sndbuf set_sndbuf: 5 => 5, -1 => -1;
            get_tcp_keepalive set_tcp_keepalive: 1 => 1, 0 => 0, -1 => -1;
            get_tcp_keepalive_idle set_tcp_keepalive_idle: 7 => 7, -1 => -1;
            get_sndhwm set_sndhwm: 0 => 0, 5 => 5;
            get_maxmsgsize set_maxmsgsize: 5 => 5, -1 => -1;
            get_affinity set_affinity: u64::MAX => u64::MAX;
        }
        assert_eq!(socket.get_heartbeat_timeout(), Ok(5));
        assert_eq!(socket.set_linger(-2), Err(Error::EINVAL));
        assert_eq!(socket.set_sndhwm(-1), Err(Error::EINVAL));
        assert_eq!(socket.set_tos(-1), Err(Error::EINVAL));
        assert_eq!(socket.set_tcp_keepalive(2), Err(Error::EINVAL));
        assert_eq!(socket.is_router_mandatory(), Err(Error::EINVAL));
        assert_eq!(socket.get_last_endpoint(), Ok(Ok(String::new())));
    });
}

#[test]
fn key_is_bytes_or_z85() {
    within_a_minute(|| {
        let context = Context::new();
        let socket = context.socket(zmq::DEALER).unwrap();
        let pair = CurveKeyPair::new().unwrap();
        let text = zmq::z85_encode(&pair.public_key).unwrap();
        for value in [&pair.public_key[..], text.as_bytes(), &[text.as_bytes(), &[0]].concat()] {
            socket.set_curve_serverkey(value).unwrap();
            assert_eq!(socket.get_curve_serverkey().unwrap(), pair.public_key);
        }
        assert_eq!(socket.set_curve_serverkey(&text.as_bytes()[1..]), Err(Error::EINVAL));
        assert!(matches!(zmq::z85_decode("~~~~~"), Err(DecodeError::BadLength)));
    });
}

#[test]
fn error_has_the_number_and_the_text_of_libzmq() {
    within_a_minute(|| {
        for error in [Error::EAGAIN, Error::EINTR, Error::ENOTSUP, Error::EADDRINUSE, Error::EFSM, Error::ETERM] {
            assert_eq!(Error::from_raw(error.to_raw()), error);
            // SAFETY: no preconditions.
            let text = unsafe { zmq_sys::zmq_strerror(error.to_raw()) };
            // SAFETY: libzmq returns a C string, which no call changes for these numbers.
            let text = unsafe { CStr::from_ptr(text) };
            assert_eq!(text.to_str().unwrap(), error.message());
            assert_eq!(format!("{error} {error:?}"), format!("{0} {0}", error.message()));
        }
    });
}

#[test]
fn flags_of_sends_and_receives_are_those_of_c() {
    within_a_minute(|| {
        let context = Context::new();
        let (left, right) = pair(&context, "inproc://pair");
        let mut message = Message::new();
        assert_eq!(right.recv(&mut message, zmq::DONTWAIT), Err(Error::EAGAIN));
        assert_eq!(right.recv_into(&mut [0], zmq::DONTWAIT), Err(Error::EAGAIN));
        assert_eq!(right.recv_multipart(zmq::DONTWAIT), Err(Error::EAGAIN));
        left.send("a", zmq::SNDMORE | zmq::DONTWAIT).unwrap();
        left.send_multipart(["b", "c"], zmq::SNDMORE).unwrap();
        left.send_multipart(["d"], zmq::DONTWAIT).unwrap();
        assert_eq!(right.recv_multipart(zmq::DONTWAIT).unwrap(), [b"a", b"b", b"c", b"d"]);
        left.send_multipart(Vec::<Message>::new(), 0).unwrap();
        left.send(vec![7; 100], 0).unwrap();
        // An empty buffer takes nothing of a message, and the message is gone.
        assert_eq!(right.recv_into(&mut [], 0), Ok(100));
        left.send(vec![7; 100], 0).unwrap();
        right.recv(&mut message, 0).unwrap();
        message[0] = 8;
        assert_eq!((message[0], message[1], message.len()), (8, 7, 100));
        let full = context.socket(zmq::PUSH).unwrap();
        assert_eq!(full.send("nobody", zmq::DONTWAIT), Err(Error::EAGAIN));
    });
}

fn connected_peer(context: &Context, kind: SocketType) -> Socket {
    let peer = context.socket(kind).unwrap();
    peer.connect("inproc://socket").unwrap();
    peer
}

/// Drops the peer of `socket`, and waits until libzmq has read the end of its connection. A send reads it only now and then.
fn leave(peer: Socket, socket: &Socket) {
    drop(peer);
    zmq::poll(&mut [PollItem::from_fd(socket.get_fd().unwrap(), zmq::POLLIN)], -1).unwrap();
    socket.get_events().unwrap();
}

/// libzmq drops the rest of a message whose peer has left. safe-zmq begins a new message instead.
#[test]
fn rest_of_a_message_is_dropped_when_its_peer_has_left() {
    within_a_minute(|| {
        for (sends, receives) in [(zmq::PUSH, zmq::PULL), (zmq::DEALER, zmq::DEALER), (zmq::PAIR, zmq::PAIR)] {
            for (flags, refused) in [(0, Ok(())), (zmq::DONTWAIT, Err(Error::EAGAIN))] {
                let context = Context::new();
                let socket = context.socket(sends).unwrap();
                socket.bind("inproc://socket").unwrap();
                let peer = connected_peer(&context, receives);
                socket.send("1", zmq::SNDMORE | flags).unwrap();
                while socket.get_events().unwrap().is_empty() {}
                leave(peer, &socket);
                let peer = connected_peer(&context, receives);
                assert_eq!(socket.send("2", zmq::SNDMORE | flags), refused, "{sends:?}");
                assert!(socket.get_events().unwrap().contains(zmq::POLLOUT), "{sends:?}");
                assert_eq!(socket.poll(zmq::POLLOUT, 0), Ok(1), "{sends:?}");
                socket.send("3", zmq::SNDMORE | flags).unwrap();
                socket.send("4", flags).unwrap();
                socket.send_multipart(["whole", "message"], flags).unwrap();
                assert_eq!(peer.recv_multipart(0).unwrap(), [&b"whole"[..], b"message"], "{sends:?}");
            }
        }
    });
}

/// A send with a time-out waits for room. The last part of a lost message must not wait for it: another peer would receive the
/// part as a message of its own.
#[test]
fn last_part_of_a_message_is_dropped_when_its_peer_has_left_and_sends_have_a_time_out() {
    within_a_minute(|| {
        for (sends, receives) in [(zmq::PUSH, zmq::PULL), (zmq::DEALER, zmq::DEALER), (zmq::PAIR, zmq::PAIR)] {
            for (timeout, sent) in [(1000, Ok(())), (0, Err(Error::EAGAIN))] {
                let context = Context::new();
                let socket = context.socket(sends).unwrap();
                socket.set_sndtimeo(timeout).unwrap();
                socket.bind("inproc://socket").unwrap();
                let peer = connected_peer(&context, receives);
                // With this call libzmq reads that the peer is there.
                socket.get_events().unwrap();
                socket.send("lost", zmq::SNDMORE).unwrap();
                leave(peer, &socket);
                let peer = connected_peer(&context, receives);
                assert_eq!(socket.send("last", 0), sent, "{sends:?}");
                socket.get_events().unwrap();
                socket.send_multipart(["whole", "message"], 0).unwrap();
                assert_eq!(peer.recv_multipart(0).unwrap(), [&b"whole"[..], b"message"], "{sends:?}");
            }
        }
    });
}

#[test]
fn rest_of_a_message_is_dropped_if_its_peer_leaves() {
    within_a_minute(|| {
        let context = Context::new();
        let (push, stays) = (context.socket(zmq::PUSH).unwrap(), context.socket(zmq::PULL).unwrap());
        push.bind("inproc://jobs").unwrap();
        stays.connect("inproc://jobs").unwrap();
        stays.set_rcvtimeo(200).unwrap();
        // `ZMQ_SNDTIMEO`, the flags, and the number of messages that were reported as lost.
        let mut modes = [(-1, 0, 0), (-1, zmq::DONTWAIT, 0), (0, 0, 0)];
        for round in 0..30 {
            let (timeout, flags, lost) = &mut modes[round % 3];
            let flags = *flags;
            push.set_sndtimeo(*timeout).unwrap();
            let leaves = context.socket(zmq::PULL).unwrap();
            leaves.connect("inproc://jobs").unwrap();
            // The socket processes the peer's connection. Of two messages in a row, each peer gets one.
            push.get_events().unwrap();
            for part in ["a", "b", "c"] {
                push.send(part, if part == "c" { flags } else { flags | zmq::SNDMORE }).unwrap();
            }
            push.send("d", flags | zmq::SNDMORE).unwrap();
            drop(leaves);
            // The end of the peer arrives meanwhile.
            thread::sleep(Duration::from_millis(20));
            push.get_events().unwrap();
            *lost += i32::from(push.send("e", flags | zmq::SNDMORE) == Err(Error::EAGAIN));
            assert_eq!(push.send("f", flags), Ok(()));
        }
        let [waits, now, at_once] = modes.map(|(.., lost)| lost);
        assert!(waits == 0 && now > 0 && at_once > 0, "{modes:?}");
        while let Ok(parts) = stays.recv_multipart(0) {
            assert!(parts == [b"a", b"b", b"c"] || parts == [b"d", b"e", b"f"], "{parts:?}");
        }
    });
}

#[test]
fn proxy_ends_when_its_control_socket_receives_terminate() {
    within_a_minute(|| {
        let context = Context::new();
        let (control, theirs) = pair(&context, "inproc://control");
        let (mut frontend, mut backend) = (context.socket(zmq::PULL).unwrap(), context.socket(zmq::PUSH).unwrap());
        let mut capture = context.socket(zmq::PUB).unwrap();
        let proxy = thread::spawn(move || {
            let mut theirs = theirs;
            zmq::proxy_steerable_with_capture(&mut frontend, &mut backend, &mut capture, &mut theirs)
        });
        control.send("TERMINATE", 0).unwrap();
        assert_eq!(proxy.join().unwrap(), Ok(()));
    });
}

#[test]
fn context_ends_by_destroy() {
    within_a_minute(|| {
        let mut context = Context::new();
        let socket = context.socket(zmq::PULL).unwrap();
        let waiting = thread::spawn(move || socket.recv_msg(0).map(drop));
        context.destroy().unwrap();
        assert_eq!(waiting.join().unwrap(), Err(Error::ETERM));
        assert_eq!(context.socket(zmq::PULL).map(drop), Err(Error::ETERM));
    });
}
