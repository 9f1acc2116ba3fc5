//! Descriptors that are used up or lent, and system calls that fail: the address resolver, the listeners, the connecters,
//! the signaler.

use std::collections::BTreeSet;
use std::ffi::c_int;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use zmq::monitor::{Event, Events};
use zmq::{Context, Errno, Monitor, PollEvents, PollItem, Pull, Push, Rep, Req, Socket, SocketType, poll};

use crate::common::descriptors::{cpu_time_of_rest, fail_system_call, limit_descriptors, use_up_descriptors};
use crate::common::{
    DEADLINE, Process, TCP, alone, context, eventually, in_own_process, pair, role, skip_unless, text,
};
use crate::{endpoint, listener};

/// The most time on a processor that a process at rest spends in 300 ms. A loop of one thread spends 200 ms and more.
const AT_REST: Duration = Duration::from_millis(100);

/// The endpoints of a listener that a test can connect to without libzmq.
fn endpoints() -> impl Iterator<Item = &'static str> {
    let ws = zmq::has("WS").then_some("ws://127.0.0.1:*");
    [TCP, "ipc://*"].into_iter().chain(ws)
}

/// A client that sends nothing.
fn silent_client(endpoint: &str) -> OwnedFd {
    let (transport, address) = endpoint.split_once("://").unwrap();
    if transport == "ipc" {
        return UnixStream::connect(address).unwrap().into();
    }
    TcpStream::connect(address.trim_end_matches('/')).unwrap().into()
}

/// Waits for an event that `wanted` accepts.
fn wait_for(monitor: &Monitor, mut wanted: impl FnMut(&Event) -> bool) {
    let start = Instant::now();
    while !monitor.next_event(DEADLINE).unwrap().is_some_and(|notice| wanted(notice.event())) {
        assert!(start.elapsed() < DEADLINE, "the event does not come");
    }
}

fn accept_failed(wanted: Errno) -> impl FnMut(&Event) -> bool {
    move |event| matches!(event, Event::AcceptFailed { errno } if *errno == wanted)
}

/// Sends a message between two sockets of the context, which needs its I/O thread.
fn assert_io_thread_works(context: &Context) {
    let (left, right) = pair(context, TCP);
    left.send("still here").unwrap();
    assert_eq!(text(&right), "still here");
}

/// Runs `body` in another process for each error of a system call. `fail` makes the call fail.
fn for_each_failure(
    test: &str,
    failures: &[Errno],
    fail: impl FnOnce(c_int) -> std::io::Result<()>,
    body: impl FnOnce(Errno),
) {
    let Some(errno) = role() else {
        return failures.iter().for_each(|errno| Process::spawn(&mut alone(test, &errno.raw().to_string())).succeeds());
    };
    let errno: c_int = errno.parse().unwrap();
    if !skip_unless(fail(errno).is_ok(), "this process may not filter its system calls") {
        body(Errno::from_raw(errno));
    }
}

/// `getifaddrs` fails, and libzmq aborts the process.
#[deadline::test(patches = [44])]
fn bind_reports_used_up_descriptors() {
    in_own_process("descriptors::bind_reports_used_up_descriptors", || {
        let context = context();
        let socket = context.socket(Rep).unwrap();
        let held = use_up_descriptors(0);
        // `Socket::bind` looks for a descriptor first. Another thread may take it before libzmq does.
        for endpoint in [c"tcp://127.0.0.1:*", c"tcp://lo:*", c"ws://127.0.0.1:*"] {
            // SAFETY: the socket is open and belongs to this thread, the text ends with a NUL.
            assert_eq!(unsafe { zmq::sys::zmq_bind(socket.as_raw(), endpoint.as_ptr()) }, -1);
            // SAFETY: has no preconditions.
            assert_eq!(Errno::from_raw(unsafe { zmq::sys::zmq_errno() }), Errno::EMFILE, "{endpoint:?}");
        }
        drop(held);
        socket.bind(TCP).unwrap();
    });
}

/// A connecter looks up its source address in the I/O thread, and libzmq aborts the process.
#[deadline::test(patches = [44])]
fn connecter_with_a_source_address_waits_for_a_descriptor() {
    in_own_process("descriptors::connecter_with_a_source_address_waits_for_a_descriptor", || {
        let context = context();
        let server = context.socket(Pull).unwrap();
        let target = server.bind(TCP).unwrap();
        let client = context.socket(Push).unwrap();
        let monitor = client.monitor(Events::ALL).unwrap();
        let held = use_up_descriptors(0);
        client.connect(&target.replace("tcp://", "tcp://127.0.0.1:0;")).unwrap();
        wait_for(&monitor, |event| matches!(event, Event::ConnectRetried { .. }));
        drop(held);
        client.send("connected").unwrap();
        assert_eq!(text(&server), "connected");
    });
}

/// libzmq aborts the process in a sandbox without netlink.
#[deadline::test(patches = [44])]
fn bind_works_if_the_interfaces_cannot_be_listed() {
    const TEST: &str = "descriptors::bind_works_if_the_interfaces_cannot_be_listed";
    let forbid = |errno| fail_system_call(libc::SYS_socket, Some((0, libc::AF_NETLINK as u32)), errno);
    let errnos = [libc::EACCES, libc::EAFNOSUPPORT, libc::EPERM].map(Errno::from_raw);
    for_each_failure(TEST, &errnos, forbid, |_| {
        let context = context();
        let socket = context.socket(Rep).unwrap();
        socket.bind(TCP).unwrap();
        assert_eq!(socket.bind("tcp://no-such-interface:*").unwrap_err().errno(), Errno::ENODEV);
        assert_io_thread_works(&context);
    });
}

/// A listener that has no descriptor for its client.
struct Paused<'a> {
    server: Socket<'a, Rep>,
    endpoint: String,
    monitor: Monitor,
    held: Vec<OwnedFd>,
    client: OwnedFd,
}

fn paused_listener<'a>(context: &'a Context, endpoint: &str) -> Paused<'a> {
    let server = context.socket(Rep).unwrap();
    let endpoint = server.bind(endpoint).unwrap();
    let monitor = server.monitor(Events::ALL).unwrap();
    let held = use_up_descriptors(1);
    let client = silent_client(&endpoint);
    wait_for(&monitor, accept_failed(Errno::EMFILE));
    Paused { server, endpoint, monitor, held, client }
}

/// Over ipc libzmq aborts the process, and over tcp and ws its I/O thread tries again without end.
#[deadline::test(patches = [45])]
fn listener_waits_for_descriptors_and_serves_its_backlog() {
    in_own_process("descriptors::listener_waits_for_descriptors_and_serves_its_backlog", || {
        for endpoint in endpoints() {
            let context = context();
            let Paused { server, endpoint, monitor, held, client } = paused_listener(&context, endpoint);
            assert!(cpu_time_of_rest() < AT_REST, "{endpoint}: the listener does not pause");
            drop(held);
            wait_for(&monitor, |event| matches!(event, Event::Accepted { .. }));
            let other = context.socket(Req).unwrap();
            other.connect(&endpoint).unwrap();
            other.send("Hello").unwrap();
            assert_eq!(text(&server), "Hello", "{endpoint}");
            drop((client, server, other, monitor));
            // The next round counts descriptors.
            context.terminate(DEADLINE).unwrap();
        }
    });
}

/// A listener that pauses has no handle in its poller, and its end must not remove one.
#[deadline::test(patches = [45])]
fn listener_can_be_unbound_and_closed_while_it_waits_for_descriptors() {
    in_own_process("descriptors::listener_can_be_unbound_and_closed_while_it_waits_for_descriptors", || {
        for endpoint in endpoints() {
            for unbinds in [true, false] {
                let context = context();
                let Paused { server, endpoint, monitor, held, client } = paused_listener(&context, endpoint);
                if unbinds {
                    server.unbind(&endpoint).unwrap();
                    wait_for(&monitor, |event| matches!(event, Event::Closed { .. }));
                }
                drop((server, monitor));
                context.terminate(DEADLINE).unwrap();
                drop((held, client));
            }
        }
    });
}

/// libzmq aborts the process if `accept` fails with an errno that it does not list.
#[deadline::test(patches = [45])]
fn listener_survives_every_failure_of_accept() {
    const TEST: &str = "descriptors::listener_survives_every_failure_of_accept";
    let passing = [libc::EAGAIN, libc::EINTR, libc::ECONNABORTED, libc::EPROTO];
    let lasting = [
        libc::EMFILE,
        libc::ENFILE,
        libc::ENOBUFS,
        libc::ENOMEM,
        libc::EINVAL,
        libc::EPERM,
        libc::EOPNOTSUPP,
        libc::ENETDOWN,
        libc::ENOSYS,
    ];
    let errnos: Vec<_> = passing.into_iter().chain(lasting).map(Errno::from_raw).collect();
    let fail = |errno| fail_system_call(libc::SYS_accept4, None, errno);
    for_each_failure(TEST, &errnos, fail, |errno| {
        let context = context();
        let mut clients = Vec::new();
        let mut servers = Vec::new();
        for endpoint in endpoints() {
            let server = context.socket(Rep).unwrap();
            let endpoint = server.bind(endpoint).unwrap();
            let monitor = server.monitor(Events::ACCEPT_FAILED).unwrap();
            clients.push(silent_client(&endpoint));
            wait_for(&monitor, accept_failed(errno));
            servers.push(server);
        }
        // The filter takes no connection from the queue, so the other failures never end.
        if lasting.contains(&errno.raw()) {
            assert!(cpu_time_of_rest() < AT_REST, "{errno}: a listener does not pause");
        }
        drop(servers);
        let (left, right) = pair(&context, "inproc://pair");
        left.send("still here").unwrap();
        assert_eq!(text(&right), "still here");
    });
}

/// The listeners of a test, each with a duplicate.
fn listeners() -> Vec<(&'static str, OwnedFd, OwnedFd)> {
    let tcp = |transport| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        (transport, listener.try_clone().unwrap().into(), listener.into())
    };
    let path = std::env::temp_dir().join(format!("zmq-listener-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let unix = UnixListener::bind(&path).unwrap();
    let ws = zmq::has("WS").then(|| tcp("ws://127.0.0.1:*"));
    let ipc = ("ipc://listener", unix.try_clone().unwrap().into(), unix.into());
    [tcp(TCP), ipc].into_iter().chain(ws).collect()
}

/// `accept` fails with EINVAL, and libzmq aborts the process.
#[deadline::test(patches = [45])]
fn listener_survives_the_shutdown_of_a_duplicate() {
    in_own_process("descriptors::listener_survives_the_shutdown_of_a_duplicate", || {
        let context = context();
        let mut servers = Vec::new();
        for (transport, duplicate, fd) in listeners() {
            let server = context.socket(Rep).unwrap();
            let monitor = server.monitor(Events::ACCEPT_FAILED).unwrap();
            server.bind_fd(transport, fd).unwrap();
            TcpStream::from(duplicate).shutdown(std::net::Shutdown::Both).unwrap();
            // Over ipc the errno is EAGAIN.
            wait_for(&monitor, |event| matches!(event, Event::AcceptFailed { .. }));
            servers.push(server);
        }
        assert!(cpu_time_of_rest() < AT_REST, "a listener does not pause");
        assert_io_thread_works(&context);
        drop(servers);
        context.terminate(DEADLINE).unwrap();
    });
}

/// Makes the descriptor and its duplicates blocking, and gives `accept` no time-out.
fn make_blocking(listener: &TcpListener) {
    listener.set_nonblocking(false).unwrap();
    socket2::SockRef::from(listener).set_read_timeout(None).unwrap();
}

/// The duplicate accepts the connection that epoll has reported to the I/O thread, and `accept` in that thread waits for the
/// next one.
#[deadline::test(patches = [46])]
fn duplicate_of_a_bound_descriptor_cannot_stop_the_io_thread() {
    in_own_process("descriptors::duplicate_of_a_bound_descriptor_cannot_stop_the_io_thread", || {
        let context = context();
        let listener = listener();
        let (duplicate, thief) = (listener.try_clone().unwrap(), listener.try_clone().unwrap());
        let target = endpoint(&listener);
        let server = context.socket(Rep).unwrap();
        server.bind_fd(&target, listener.into()).unwrap();
        let (left, right) = pair(&context, TCP);
        let ends = Arc::new(AtomicBool::new(false));
        let ended = ends.clone();
        let thread = thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                drop(thief.accept());
            }
        });
        for _ in 0..300 {
            make_blocking(&duplicate);
            drop(silent_client(&target));
            left.send("still here").unwrap();
            let message = right.within(Duration::from_secs(5)).recv_msg().unwrap();
            assert_eq!(message.expect("the I/O thread waits in accept"), "still here");
        }
        ends.store(true, Ordering::Relaxed);
        // The thread may wait in its accept.
        while !thread.is_finished() {
            drop(TcpStream::connect(target.trim_start_matches("tcp://")));
        }
    });
}

/// The reaper thread has no descriptor for the signaler of the closed socket, and libzmq aborts the process.
#[cfg(feature = "draft")]
#[deadline::test(patches = [47])]
fn thread_safe_sockets_close_without_descriptors() {
    use zmq::{Channel, Client, Dish, Gather, Peer, Radio, Scatter, Server};

    fn close<T: SocketType>(kind: T) {
        let context = context();
        let socket = context.socket(kind).unwrap();
        let held = use_up_descriptors(0);
        let error = context.socket(kind).unwrap_err();
        assert_eq!((error.errno(), error.call()), (Errno::EMFILE, "zmq_socket"));
        drop(socket);
        context.terminate(DEADLINE).unwrap();
        drop(held);
    }

    in_own_process("descriptors::thread_safe_sockets_close_without_descriptors", || {
        close(Client);
        close(Server);
        close(Radio);
        close(Dish);
        close(Gather);
        close(Scatter);
        close(Peer);
        close(Channel);
    });
}

/// `poll` refuses every descriptor, and libzmq aborts the process.
#[deadline::test(patches = [48])]
fn sockets_work_while_the_limit_of_descriptors_is_zero() {
    in_own_process("descriptors::sockets_work_while_the_limit_of_descriptors_is_zero", || {
        let context = context();
        let (left, right) = pair(&context, TCP);
        left.send("connected").unwrap();
        assert_eq!(text(&right), "connected");
        limit_descriptors(0);
        // A wait that is bounded polls the socket.
        let error = right.within(Duration::from_millis(50)).recv_msg().unwrap_err();
        assert_eq!((error.errno(), error.call()), (Errno::EINVAL, "zmq_msg_recv"));
        let sender = thread::scope(|scope| {
            let waits = scope.spawn(move || right.recv_msg().unwrap());
            left.send("Hello").unwrap();
            waits.join().unwrap()
        });
        assert_eq!(sender, "Hello");
        let error = context.socket(Rep).unwrap_err();
        assert_eq!(error.errno(), Errno::EMFILE);
        left.set_linger(Some(Duration::ZERO)).unwrap();
        drop(left);
        context.terminate(DEADLINE).unwrap();
        // LeakSanitizer opens files when the process ends.
        limit_descriptors(300);
    });
}

/// `poll` refuses more items than the limit, and libzmq aborts the process.
#[deadline::test(patches = [48])]
fn poll_reports_more_items_than_the_limit_of_descriptors() {
    fn poll_all<T: SocketType>(sockets: &[Socket<'_, T>]) -> zmq::Result<usize> {
        let mut items: Vec<_> = sockets.iter().map(|socket| PollItem::socket(socket, PollEvents::POLLIN)).collect();
        poll(&mut items, Duration::from_millis(1))
    }

    in_own_process("descriptors::poll_reports_more_items_than_the_limit_of_descriptors", || {
        let context = context();
        let sockets: Vec<_> = (0..4).map(|_| context.socket(Pull).unwrap()).collect();
        assert_eq!(poll_all(&sockets).unwrap(), 0);
        limit_descriptors(3);
        let error = poll_all(&sockets).unwrap_err();
        assert_eq!((error.errno(), error.call()), (Errno::EINVAL, "zmq_poll"));
        assert_eq!(poll_all(&sockets[1..]).unwrap(), 0);
        // LeakSanitizer opens files when the process ends.
        limit_descriptors(300);
    });
}

/// libzmq aborts the process if a connect fails with an errno that the connecter does not list.
#[deadline::test(patches = [49])]
fn connecters_survive_every_failure_of_a_connection() {
    const TEST: &str = "descriptors::connecters_survive_every_failure_of_a_connection";
    let errnos = [libc::ENOPROTOOPT, libc::ENOBUFS, libc::EHOSTDOWN, libc::ENOMEM, libc::ENONET];
    let errnos = errnos.map(Errno::from_raw);
    // The connecters read the errno of a failed connect from SO_ERROR.
    let fail = |errno| fail_system_call(libc::SYS_getsockopt, Some((2, libc::SO_ERROR as u32)), errno);
    for_each_failure(TEST, &errnos, fail, |errno| {
        let context = context();
        let mut retried = BTreeSet::new();
        for bound in endpoints().chain(["socks"]) {
            let server = context.socket(Pull).unwrap();
            let client = context.socket(Push).unwrap();
            let monitor = client.monitor(Events::CONNECT_RETRIED).unwrap();
            let endpoint = server.bind(if bound == "socks" { TCP } else { bound }).unwrap();
            if bound == "socks" {
                client.set_socks_proxy(Some(endpoint.trim_start_matches("tcp://"))).unwrap();
            }
            // ipc_connecter_t takes ENOPROTOOPT of getsockopt for success.
            if bound == "ipc://*" && errno.raw() == libc::ENOPROTOOPT {
                continue;
            }
            client.connect(&endpoint).unwrap();
            for _ in 0..2 {
                wait_for(&monitor, |event| matches!(event, Event::ConnectRetried { .. }));
            }
            retried.insert(bound);
        }
        assert!(retried.len() >= 2);
    });
}

/// libzmq aborts the process if `send` fails with an errno that it does not list.
#[deadline::test(patches = [57])]
fn engines_survive_every_failure_of_send() {
    const TEST: &str = "descriptors::engines_survive_every_failure_of_send";
    let errnos = [libc::EACCES, libc::EOPNOTSUPP, libc::ENOMEM, libc::EPERM, libc::EMSGSIZE];
    let errnos = errnos.map(Errno::from_raw);
    for_each_failure(
        TEST,
        &errnos,
        |errno| fail_system_call(libc::SYS_sendto, None, errno),
        |_| {
            let context = context();
            // A bind to another address asks the system for its interfaces, by `sendto`.
            for bound in ["tcp://*:*", "ipc://*"] {
                let (server, client) = (context.socket(Pull).unwrap(), context.socket(Push).unwrap());
                let monitor = client.monitor(Events::CONNECTED).unwrap();
                // An engine that could not send waits for its peer.
                client.set_handshake_ivl(Some(Duration::from_millis(50))).unwrap();
                client.connect(&server.bind(bound).unwrap().replace("0.0.0.0", "127.0.0.1")).unwrap();
                // The second connection is made after the first has failed. A wait for the monitor would need `send`.
                for _ in 0..2 {
                    eventually("the client is connected", || monitor.next_event(Duration::ZERO).unwrap().is_some());
                }
            }
        },
    );
}
