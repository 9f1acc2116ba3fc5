//! A monitor never blocks its context: if it is not read, and if monitor, socket and context are dropped in any order.

mod common;

use std::io::Read;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use common::{DEADLINE, eventually, in_own_process};
use zmq::monitor::{Event, Events};
use zmq::{Context, Dealer, Errno, Pull, Push, Rep, Req, Router, Socket};

/// Connects as a peer, waits until libzmq has noticed it, and leaves.
fn visit(endpoint: &str) {
    let address = endpoint.trim_start_matches("tcp://");
    let mut peer = TcpStream::connect(address).unwrap();
    // libzmq sends its greeting when it has accepted the connection.
    peer.read_exact(&mut [0; 10]).unwrap();
}

/// One round trip through the context's I/O thread.
fn round_trip(context: &Context) {
    let (server, client) = (context.socket(Rep).unwrap(), context.socket(Req).unwrap());
    client.connect(&server.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    client.send("Hello").unwrap();
    assert_eq!(server.within(DEADLINE).recv_msg().unwrap().expect("the context has not frozen"), "Hello");
}

#[deadline::test]
fn context_does_not_freeze_if_its_monitor_is_not_read() {
    let context = Context::new().unwrap();
    let server = context.socket(Router).unwrap();
    let monitor = server.monitor(zmq::monitor::Options::default().capacity(1000)).unwrap();
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    for _ in 0..3000 {
        visit(&endpoint);
    }
    round_trip(&context);
    // The events: listening, and for each peer accepted, handshake failed and disconnected.
    let all = 1 + 3 * 3000;
    eventually("all lost events are counted", || monitor.lost() == all - 1000);
    monitor.stop();
    assert_eq!(monitor.iter().count(), 1000);
    drop(server);
    context.terminate(DEADLINE).unwrap();
}

#[deadline::test]
fn slow_reader_receives_the_events_of_three_thousand_peers() {
    let context = Context::new().unwrap();
    let server = context.socket(Router).unwrap();
    let monitor = server.monitor(Events::ACCEPTED | Events::DISCONNECTED).unwrap();
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    for _ in 0..3000 {
        visit(&endpoint);
    }
    // The notices that fit the queue are there, in order.
    let mut open = std::collections::BTreeSet::new();
    let mut gone = 0;
    while gone < 3000 {
        match *monitor.next_event(DEADLINE).unwrap().expect("a notice").event() {
            Event::Accepted { fd } => assert!(open.insert(fd)),
            Event::Disconnected { fd } => {
                assert!(open.remove(&fd));
                gone += 1;
            }
            ref other => panic!("{other:?}"),
        }
    }
    assert_eq!(monitor.lost(), 0);
}

type Thing = Box<dyn Send>;

/// A monitor, its socket and their context, in owned form, to be dropped; a peer of the socket, and another handle.
fn things() -> ([Option<Thing>; 3], Socket<'static, Dealer>, Context) {
    let context = Context::new().unwrap();
    let server = context.owned_socket(Router).unwrap();
    let monitor = server.monitor(Events::ALL).unwrap();
    let client = context.owned_socket(Dealer).unwrap();
    client.connect(&server.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    client.send("Hello").unwrap();
    server.recv_multipart().unwrap();
    let handle = context.clone();
    ([Some(Box::new(monitor)), Some(Box::new(server)), Some(Box::new(context))], client, handle)
}

const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

#[deadline::test]
fn monitor_socket_and_context_are_dropped_in_every_order() {
    for order in ORDERS {
        for elsewhere in [false, true] {
            let (mut things, client, context) = things();
            for place in order {
                let thing = things[place].take();
                if elsewhere {
                    thread::spawn(move || drop(thing)).join().unwrap();
                } else {
                    drop(thing);
                }
                // The other sockets of the context go on. The peer reconnects meanwhile, which a monitor would report.
                round_trip(&context);
            }
            drop(client);
            context.terminate(DEADLINE).unwrap_or_else(|error| panic!("{order:?}: {error}"));
        }
    }
}

#[deadline::test]
fn monitor_outlives_a_borrowed_socket_and_its_context() {
    let monitor;
    {
        let context = Context::new().unwrap();
        {
            let server = context.socket(Router).unwrap();
            monitor = server.monitor(Events::ALL).unwrap();
            let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
            visit(&endpoint);
            drop(server);
            // The name can be bound again, so the socket is closed.
            let again = context.socket(Router).unwrap();
            eventually("the listener is closed", || again.bind(&endpoint).is_ok());
        }
        round_trip(&context);
        context.terminate(DEADLINE).unwrap();
    }
    // The notices outlive the socket and the context.
    let reported: Vec<_> = monitor.iter().map(Result::unwrap).collect();
    assert!(matches!(reported[0].event(), Event::Listening { .. }));
    assert_eq!(*monitor.next_event(None).unwrap().unwrap().event(), Event::MonitorStopped);
}

/// Peers that keep coming and going as long as the guard lives.
struct Crowd {
    stop: std::sync::mpsc::Sender<()>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Crowd {
    fn at(endpoint: &str) -> Crowd {
        let (stop, stopped) = std::sync::mpsc::channel();
        let address = endpoint.trim_start_matches("tcp://").to_owned();
        let visitor = thread::spawn(move || {
            while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                if let Ok(mut peer) = TcpStream::connect(&address) {
                    // The port may belong to another program by now, which may wait for the client to send first.
                    peer.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
                    let _ = peer.read(&mut [0; 10]);
                }
            }
        });
        Crowd { stop, threads: vec![visitor] }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let _ = self.stop.send(());
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[deadline::test]
fn monitor_is_dropped_while_peers_come_and_go() {
    let context = Context::new().unwrap();
    let server = context.socket(Router).unwrap();
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    let crowd = Crowd::at(&endpoint);
    let start = Instant::now();
    let mut rounds = 0;
    while start.elapsed() < Duration::from_secs(1) {
        let monitor = server.monitor(Events::ALL).unwrap();
        if rounds % 2 == 0 {
            monitor.next_event(DEADLINE).unwrap().expect("a notice");
            thread::spawn(move || drop(monitor));
            eventually("the monitor is gone", || server.monitor(Events::ALL).is_ok());
        }
        rounds += 1;
    }
    round_trip(&context);
    drop(crowd);
}

#[deadline::test]
fn socket_is_closed_while_another_thread_reads_its_monitor() {
    let context = Context::new().unwrap();
    for _ in 0..20 {
        let server = context.socket(Router).unwrap();
        let monitor = server.monitor(Events::ALL).unwrap();
        let crowd = Crowd::at(&server.bind("tcp://127.0.0.1:*").unwrap());
        let reader = thread::spawn(move || monitor.iter().map(Result::unwrap).count());
        thread::sleep(Duration::from_millis(2));
        drop(server);
        assert!(reader.join().unwrap() >= 1);
        drop(crowd);
    }
    round_trip(&context);
    context.terminate(DEADLINE).unwrap();
}

#[deadline::test]
fn monitor_ends_when_its_context_is_shut_down() {
    for _ in 0..20 {
        let context = Context::new().unwrap();
        let server = context.owned_socket(Router).unwrap();
        let monitor = server.monitor(Events::ALL).unwrap();
        let crowd = Crowd::at(&server.bind("tcp://127.0.0.1:*").unwrap());
        monitor.next_event(None).unwrap().unwrap();
        context.shutdown().unwrap();
        // The iterator ends although the socket is open.
        assert!(monitor.iter().all(|notice| notice.is_ok()));
        assert_eq!(*monitor.next_event(None).unwrap().unwrap().event(), Event::MonitorStopped);
        assert_eq!(server.recv_msg().unwrap_err().errno(), Errno::ETERM);
        drop(server);
        context.terminate(DEADLINE).unwrap();
        drop(crowd);
    }
}

/// A socket that is dropped is monitored until its last connection has ended.
#[deadline::test]
fn monitor_ends_when_a_dropped_socket_has_sent_its_messages() {
    for how in ["sent", "stopped", "dropped", "shut down"] {
        let endpoint = format!("ipc://@zmq-lingers-{}-{}", std::process::id(), how.len());
        let context = common::context();
        let source = context.owned_socket(Push).unwrap();
        // The end of the context waits for the linger period.
        source.set_linger((how == "shut down").then_some(Duration::from_millis(500))).unwrap();
        let monitor = source.monitor(Events::DISCONNECTED).unwrap();
        source.connect(&endpoint).unwrap();
        source.send("lingers").unwrap();
        drop(source);
        assert!(monitor.next_event(Duration::from_millis(20)).unwrap().is_none(), "the message lingers");
        let end = || assert!(monitor.iter().all(|notice| notice.is_ok()));
        match how {
            "stopped" => {
                monitor.stop();
                assert_eq!(*monitor.next_event(None).unwrap().unwrap().event(), Event::MonitorStopped);
            }
            "shut down" => {
                context.shutdown().unwrap();
                end();
                continue;
            }
            "dropped" => {}
            _ => {
                let sink = context.socket(Pull).unwrap();
                sink.bind(&endpoint).unwrap();
                assert_eq!(sink.recv_msg().unwrap(), "lingers");
                end();
                continue;
            }
        }
        drop(monitor);
        let sink = context.socket(Pull).unwrap();
        sink.bind(&endpoint).unwrap();
        assert_eq!(sink.recv_msg().unwrap(), "lingers", "the I/O thread is not blocked");
    }
}

#[deadline::test]
fn terminate_does_not_wait_for_a_monitor() {
    let context = Context::new().unwrap();
    let server = context.owned_socket(Router).unwrap();
    let monitor = server.monitor(Events::ALL).unwrap();
    context.terminate(Duration::from_millis(50)).unwrap_err();
    assert_eq!(context.open_sockets().len(), 1, "the sockets of a monitor are not counted");
    drop(server);
    context.terminate(DEADLINE).unwrap();
    assert_eq!(*monitor.next_event(None).unwrap().unwrap().event(), Event::MonitorStopped);
}

#[deadline::test]
fn socket_given_to_c_is_no_longer_monitored() {
    let context = Context::new().unwrap();
    let socket = context.owned_socket(Router).unwrap();
    let monitor = socket.monitor(Events::ALL).unwrap();
    let (handle, context) = socket.into_raw();
    assert_eq!(*monitor.next_event(None).unwrap().unwrap().event(), Event::MonitorStopped);
    drop(monitor);
    // SAFETY: the handle was just given up and is of this context and kind.
    let socket = unsafe { context.socket_from_raw(handle, Router).unwrap() };
    let monitor = socket.monitor(Events::LISTENING).unwrap();
    socket.bind("tcp://127.0.0.1:*").unwrap();
    assert!(matches!(monitor.next_event(None).unwrap().unwrap().event(), Event::Listening { .. }));
}

#[test]
fn forked_child_leaves_the_monitor_of_its_parent_alone() {
    in_own_process("forked_child_leaves_the_monitor_of_its_parent_alone", || {
        let context = Context::new().unwrap();
        let server = context.owned_socket(Router).unwrap();
        let monitor = server.monitor(Events::ALL).unwrap();
        let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
        for _ in 0..5 {
            // SAFETY: the child uses what it inherited in ways that need no lock which another thread may hold.
            let pid = unsafe { libc::fork() };
            assert!(pid >= 0);
            if pid == 0 {
                let refused = [
                    monitor.next_event(None).map(drop),
                    monitor.next_event(Duration::ZERO).map(drop),
                    monitor.next_event(Duration::from_secs(1)).map(drop),
                    monitor.wait_for_connections(1, None).map(drop),
                    monitor.iter().next().unwrap().map(drop),
                    server.monitor(Events::ALL).map(drop),
                    server.connect_and_wait("tcp://127.0.0.1:1", None).map(drop),
                ];
                let all = refused.into_iter().all(|call| call.is_err_and(|error| error.errno() == Errno::ENOTSOCK));
                let none = monitor.lost() == 0 && monitor.connections() == 0;
                monitor.stop();
                drop((monitor, server, context));
                // SAFETY: has no preconditions.
                unsafe { libc::_exit(if all && none { 7 } else { 1 }) };
            }
            let mut status = 0;
            eventually("the forked child ends", || {
                // SAFETY: a child of this process, and a valid pointer.
                unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) == pid }
            });
            assert!(libc::WIFEXITED(status), "the child died of signal {}", libc::WTERMSIG(status));
            assert_eq!(libc::WEXITSTATUS(status), 7);
            visit(&endpoint);
        }
        let mut visits = 0;
        while visits < 5 {
            let notice = monitor.next_event(DEADLINE).unwrap().expect("the parent's monitor goes on");
            visits += usize::from(matches!(notice.event(), Event::Disconnected { .. }));
        }
        round_trip(&context);
    });
}
