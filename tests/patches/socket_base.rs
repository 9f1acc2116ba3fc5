//! socket_base.cpp: errors of monitored sockets, and commands between messages.

use zmq::monitor::{Event, Events};
use zmq::{Context, Errno, Monitor, Pull, Push, Rep};

use crate::common::DEADLINE;
#[cfg(target_os = "linux")]
use crate::common::descriptors::{POLL, fail_system_calls};
use crate::common::skip_unless;
use crate::{endpoint, listener};

/// The send of the monitor's event changes errno.
#[deadline::test(patches = [52])]
fn bind_on_a_monitored_socket_reports_its_own_errno() {
    let context = Context::new().unwrap();
    let taken = listener();
    let socket = context.socket(Rep).unwrap();
    let _monitor = socket.monitor(Events::BIND_FAILED).unwrap();
    assert_eq!(socket.bind(&endpoint(&taken)).unwrap_err().errno(), Errno::EADDRINUSE);
}

/// A PLAIN server without a ZAP handler refuses each client. The monitor event changes the errno of the refusal to EAGAIN. The
/// connection stays, and waits for ever.
#[deadline::test(patches = [52])]
fn monitored_server_ends_the_connection_of_a_client_that_it_refuses() {
    for events in [Events::HANDSHAKE_FAILED_NO_DETAIL, Events::ALL] {
        let context = Context::new().unwrap();
        let (server, client) = (context.socket(Pull).unwrap(), context.socket(Push).unwrap());
        server.set_plain_server(true).unwrap();
        client.set_plain_username(Some("alice")).unwrap();
        client.set_plain_password(Some("x")).unwrap();
        // Handshakes have no time-out.
        server.set_handshake_ivl(None).unwrap();
        client.set_handshake_ivl(None).unwrap();
        let at_server = server.monitor(events).unwrap();
        let at_client = client.monitor(Events::DISCONNECTED).unwrap();
        client.connect(&server.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
        let next = |monitor: &Monitor| monitor.next_event(DEADLINE).unwrap().expect("an event");
        while !matches!(next(&at_server).event(), Event::HandshakeFailedNoDetail { .. }) {}
        assert!(matches!(next(&at_client).event(), Event::Disconnected { .. }));
    }
}

/// While messages are there, each 100th call of `zmq_recv` reads commands. After a signal has interrupted that call, no other
/// call reads them.
#[cfg(target_os = "linux")]
#[deadline::test(patches = [67])]
fn recv_reads_commands_after_an_interrupted_call() {
    const MESSAGES: usize = 600;
    let context = Context::new().unwrap();
    let (sink, first) = (context.owned_socket(Pull).unwrap(), context.socket(Push).unwrap());
    sink.bind("inproc://sink").unwrap();
    first.connect("inproc://sink").unwrap();
    for _ in 0..MESSAGES {
        first.send("of the first peer").unwrap();
    }
    // A filter of system calls holds for one thread.
    let interrupted = std::thread::spawn(move || {
        assert_eq!(sink.recv_msg().unwrap(), "of the first peer");
        fail_system_calls(POLL, libc::EINTR).ok()?;
        let handle = sink.as_raw();
        let calls = (1..MESSAGES).find(|_| {
            // SAFETY: an open socket that this thread alone uses, and room for the four bytes of an int.
            let rc = unsafe { zmq::sys::zmq_recv(handle, [0_u8; 4].as_mut_ptr().cast(), 4, zmq::sys::ZMQ_DONTWAIT) };
            rc == -1
        });
        // With patch 2003 a look makes no call that can be interrupted.
        if let Some(calls) = calls {
            assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(libc::EINTR), "after {calls} calls");
        }
        Some(sink)
    });
    let Some(sink) = interrupted.join().unwrap() else {
        skip_unless(false, "this process may not filter its system calls");
        return;
    };
    let second = context.socket(Push).unwrap();
    second.connect("inproc://sink").unwrap();
    second.send("of the second peer").unwrap();
    assert!((0..MESSAGES / 2).any(|_| sink.recv_msg().unwrap() == "of the second peer"));
}
