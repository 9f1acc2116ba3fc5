//! Ending a context in bounded time, and the report of the sockets that are still open.

mod common;
#[path = "terminate/drops.rs"]
mod drops;
#[path = "terminate/eterm.rs"]
mod eterm;

use std::os::fd::OwnedFd;
use std::panic::Location;
use std::thread;
use std::time::Duration;

use common::DEADLINE;
use zmq::{Context, Kind, OpenSocket, Pair, Pull, Push, Req, Result, Router, Socket};
use zmq_patterns::EndpointGuard;

const MOMENT: Duration = Duration::from_millis(20);

fn ends_of(socket: &OpenSocket) -> (Vec<&str>, Vec<&str>) {
    (socket.bound().collect(), socket.connected().collect())
}

#[deadline::test]
fn report_names_open_sockets_and_the_places_that_opened_them() {
    let context = Context::new().unwrap();
    let (router, line) = (context.owned_socket(Router).unwrap(), line!());
    let tcp = router.bind("tcp://127.0.0.1:*").unwrap();
    router.bind("inproc://front").unwrap();
    let req = context.owned_socket(Kind::Req).unwrap();
    req.connect(&tcp).unwrap();
    req.connect("inproc://front").unwrap();
    drop(context.owned_socket(Push).unwrap());
    let idle = context.owned_socket(Pull).unwrap();

    let error = context.terminate(MOMENT).unwrap_err();
    let sockets = context.open_sockets();
    assert_eq!(sockets.len(), 3);
    let kinds: Vec<_> = sockets.iter().map(OpenSocket::kind).collect();
    assert_eq!(kinds, [Kind::Router, Kind::Req, Kind::Pull]);
    let [first, second, third] = &sockets[..] else { unreachable!() };
    assert_eq!(ends_of(first), (vec!["inproc://front", &tcp], vec![]));
    assert_eq!(ends_of(second), (vec![], vec!["inproc://front", &tcp]));
    assert_eq!(ends_of(third), (vec![], vec![]));
    assert_eq!((first.opened_at().file(), first.opened_at().line()), (file!(), line));

    let text = error.to_string();
    let expected = format!("ZMQ_ROUTER opened at {}, bound to inproc://front and {tcp}; ZMQ_REQ", first.opened_at());
    assert!(text.contains("3 sockets are still open: ") && text.contains(&expected), "{text}");
    drop((router, req, idle));
}

#[deadline::test]
fn endpoints_leave_the_report_with_their_bindings_and_connections() {
    let context = Context::new().unwrap();
    let sink = context.socket(Pull).unwrap();
    let bound = sink.bind("tcp://127.0.0.1:*").unwrap();
    let source = context.socket(Push).unwrap();
    source.connect(&bound).unwrap();
    source.connect(&bound).unwrap();
    assert!(source.connect("tcp://").is_err());
    let open = context.open_sockets();
    assert_eq!(ends_of(&open[0]), (vec![&*bound], vec![]));
    assert_eq!(ends_of(&open[1]), (vec![], vec![&*bound]));
    source.disconnect(&bound).unwrap();
    sink.unbind(&bound).unwrap();
    sink.bind("inproc://sink").unwrap();
    drop(EndpointGuard::connect(&source, "inproc://sink").unwrap());
    sink.unbind("inproc://sink").unwrap();
    for socket in context.open_sockets() {
        assert_eq!(ends_of(&socket), (vec![], vec![]), "{socket}");
    }
    // An endpoint bound by `bind_fd` is listed too.
    let listener: OwnedFd = std::net::TcpListener::bind("127.0.0.1:0").unwrap().into();
    let adopted = sink.bind_fd("tcp://127.0.0.1:*", listener).unwrap();
    assert_eq!(ends_of(&context.open_sockets()[0]), (vec![&*adopted], vec![]));
    drop((sink, source));
    assert!(context.open_sockets().is_empty());
}

#[deadline::test]
fn every_way_to_open_a_socket_records_the_caller() {
    #[track_caller]
    fn opened_here(context: &Context) -> (Socket<'static, Req>, &'static Location<'static>) {
        (context.owned_socket(Req).unwrap(), Location::caller())
    }
    let context = Context::new().unwrap();
    let mut lines = Vec::new();
    let typed = context.socket(Pair).unwrap();
    lines.push(line!() - 1);
    let owned = context.owned_socket(Kind::Pair).unwrap().into_untyped();
    lines.push(line!() - 1);
    let (helped, caller) = opened_here(&context);
    lines.push(caller.line());
    let (handle, _context) = owned.into_raw();
    // SAFETY: the handle was just given up and is of this context and kind.
    let adopted = unsafe { context.socket_from_raw(handle, Pair).unwrap() };
    lines.push(line!() - 1);
    // The raw handle is not listed.
    lines.remove(1);
    let found: Vec<_> = context.open_sockets().iter().map(|socket| socket.opened_at().line()).collect();
    assert_eq!(found, lines);
    assert!(context.open_sockets().iter().all(|socket| socket.opened_at().file() == file!()));
    drop((typed, helped, adopted));
}

#[deadline::test]
fn open_sockets_are_listed_while_sockets_open_and_close() {
    let context = Context::new().unwrap();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let socket = context.socket(Pull).unwrap();
                    let endpoint = socket.bind("tcp://127.0.0.1:*").unwrap();
                    socket.unbind(&endpoint).unwrap();
                }
            });
        }
        for _ in 0..200 {
            for socket in context.open_sockets() {
                assert_eq!(socket.kind(), Kind::Pull);
                assert!(socket.to_string().starts_with("ZMQ_PULL opened at "));
            }
        }
    });
    context.terminate(DEADLINE).unwrap();
}

#[deadline::test]
fn terminate_prints_nothing() {
    // The test runs in its own process, because it checks all output of the process.
    if common::role().is_some() {
        let context = Context::new().unwrap();
        let held = context.owned_socket(Push).unwrap();
        held.connect("tcp://127.0.0.1:1").unwrap();
        assert!(held.send("never arrives").is_ok());
        let _ = context.terminate(MOMENT).unwrap_err();
        std::process::exit(0);
    }
    let output = common::alone("terminate_prints_nothing", "alone").output().unwrap();
    assert!(output.status.success());
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[deadline::test]
fn terminate_error_keeps_the_report_when_it_is_converted() {
    fn leaks() -> Result<()> {
        let context = Context::new()?;
        let socket = context.owned_socket(Pull)?;
        context.terminate(MOMENT)?;
        drop(socket);
        Ok(())
    }
    let error = leaks().unwrap_err();
    assert_eq!((error.errno(), error.call()), (zmq::Errno::EAGAIN, "zmq_ctx_term"));
    assert!(error.detail().unwrap().contains("ZMQ_PULL opened at"), "{error}");
}

/// If the thread counted as started, a later call would wait for it, and blame unsent messages.
#[cfg(target_os = "linux")]
#[deadline::test]
fn terminate_ends_the_context_after_the_system_refused_a_thread() {
    const TEST: &str = "terminate_ends_the_context_after_the_system_refused_a_thread";
    common::in_own_process(TEST, || {
        for ends_by_drop in [false, true] {
            let context = common::context();
            let open = context.owned_socket(Pull).unwrap();
            let refused = common::descriptors::without_threads(|| {
                for _ in 0..2 {
                    let error = context.terminate(MOMENT).unwrap_err();
                    assert!(error.to_string().contains("no thread could be started"), "{error}");
                    assert_eq!(context.open_sockets().len(), 1);
                }
            });
            if !refused {
                return;
            }
            if ends_by_drop {
                let before = common::thread_names().len();
                drop((context, open));
                common::eventually("the threads of the context end", || common::thread_names().len() < before);
            } else {
                drop(open);
                context.terminate(DEADLINE).unwrap();
                context.terminate(DEADLINE).unwrap();
            }
        }
    });
}
