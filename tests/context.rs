//! Contexts: their end, the handles that keep them alive, their threads, and sockets that are given to C.

mod common;
#[path = "context/inproc.rs"]
mod inproc;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Barrier, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use common::{DEADLINE, eventually, forget};
use zmq::{Context, Errno, Kind, Message, Pair, PollEvents, PollItem, Pub, Pull, Push, Rep, Req, Socket, poll};

const MOMENT: Duration = Duration::from_millis(50);

/// A directory that is removed when it is dropped.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let path = std::env::temp_dir().join(format!("zmq-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Directory(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A message, and a handle whose reference count falls to one when the message is freed, such as at the end of its context.
fn traced() -> (Message, Arc<()>) {
    struct Owner {
        _trace: Arc<()>,
    }
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            &[7; 100]
        }
    }
    let trace = Arc::new(());
    (Message::from_owner(Owner { _trace: trace.clone() }), trace)
}

#[deadline::test]
fn context_ends_at_once_without_sockets() {
    Context::new().unwrap().terminate(DEADLINE).unwrap();
    let used = Context::new().unwrap();
    drop(used.socket(Pub).unwrap());
    used.terminate(DEADLINE).unwrap();
}

#[deadline::test]
fn terminate_says_how_many_sockets_are_open_and_ends_when_they_are_gone() {
    if common::lacks_ipc() {
        return;
    }
    let context = Context::new().unwrap();
    let sink = context.owned_socket(Push).unwrap();
    sink.set_linger(Some(Duration::ZERO)).unwrap();
    sink.connect("ipc:///nowhere/nobody").unwrap();
    let (message, trace) = traced();
    sink.send(message).unwrap();
    let other = context.owned_socket(Rep).unwrap();

    let error = context.terminate(MOMENT).unwrap_err();
    assert_eq!(context.open_sockets().len(), 2);
    assert!(error.to_string().contains("2 sockets are still open"), "{error}");
    // The failed call has shut the context down.
    assert_eq!(other.now().recv_msg().unwrap_err().errno(), Errno::ETERM);
    drop(other);
    assert_eq!(Arc::strong_count(&trace), 2, "a socket is open, so the message is not freed");
    drop(sink);
    eventually("the context ends in the background", || Arc::strong_count(&trace) == 1);
}

#[deadline::test]
fn terminate_waits_for_sockets_that_other_threads_close() {
    let context = Context::new().unwrap();
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let socket = context.owned_socket(Pull).unwrap();
            thread::spawn(move || socket.recv_msg().unwrap_err().errno())
        })
        .collect();
    context.terminate(DEADLINE).unwrap();
    for worker in workers {
        assert_eq!(worker.join().unwrap(), Errno::ETERM);
    }
}

#[deadline::test]
fn terminate_times_out_while_a_message_lingers_and_the_message_arrives_later() {
    if common::lacks_ipc() {
        return;
    }
    let directory = Directory::new("linger");
    let endpoint = format!("ipc://{}/late", directory.0.display());
    let context = Context::new().unwrap();
    let push = context.socket(Push).unwrap();
    push.connect(&endpoint).unwrap();
    push.send("unsent").unwrap();
    drop(push);
    let start = Instant::now();
    let error = context.terminate(MOMENT).unwrap_err();
    assert!(start.elapsed() >= MOMENT);
    assert_eq!(context.open_sockets().len(), 0);
    assert!(error.to_string().contains("linger"), "{error}");
    assert_eq!(error.errno(), Errno::EAGAIN);

    let later = Context::new().unwrap();
    let pull = later.socket(Pull).unwrap();
    pull.bind(&endpoint).unwrap();
    assert_eq!(pull.within(DEADLINE).recv_msg().unwrap().unwrap(), "unsent");
}

#[deadline::test]
fn terminate_does_not_wait_for_other_handles() {
    static KEPT: LazyLock<Context> = LazyLock::new(|| Context::new().unwrap());
    let push = KEPT.socket(Push).unwrap();
    let pull = KEPT.socket(Pull).unwrap();
    push.connect(&pull.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    push.send("arrives").unwrap();
    assert_eq!(pull.recv_msg().unwrap(), "arrives");
    drop((push, pull));
    let clone = KEPT.clone();
    for _ in 0..2 {
        KEPT.terminate(DEADLINE).unwrap();
        clone.terminate(Duration::ZERO).unwrap();
    }
}

#[deadline::test]
fn context_answers_eterm_and_keeps_its_options_when_it_has_ended() {
    let context = Context::new().unwrap();
    context.set_io_threads(3).unwrap();
    context.set_blocky(false).unwrap();
    context.set_max_sockets(77).unwrap();
    context.terminate(DEADLINE).unwrap();
    assert_eq!(context.socket(Req).unwrap_err().errno(), Errno::ETERM);
    assert_eq!(context.set_max_sockets(78).unwrap_err().errno(), Errno::ETERM);
    assert_eq!((context.io_threads(), context.max_sockets(), context.blocky()), (3, 77, false));
    context.shutdown().unwrap();
    assert!(context.open_sockets().is_empty());
}

/// Calls on a context race with its end. None may use the C handle after libzmq has freed it.
#[deadline::test]
fn context_can_be_used_while_another_thread_terminates_it() {
    for _ in 0..50 {
        let context = Context::new().unwrap();
        drop(context.socket(Pull).unwrap());
        let start = Barrier::new(3);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    start.wait();
                    loop {
                        assert_eq!(context.io_threads(), 1);
                        match context.socket(Pull) {
                            Ok(socket) => drop(socket),
                            Err(error) => break assert_eq!(error.errno(), Errno::ETERM),
                        }
                    }
                });
            }
            start.wait();
            context.terminate(DEADLINE).unwrap();
        });
    }
}

#[deadline::test]
fn terminate_names_the_sockets_that_borrow_the_context() {
    let context = Context::new().unwrap();
    let server = context.socket(Rep).unwrap();
    server.bind("inproc://server").unwrap();
    let error = context.terminate(MOMENT).unwrap_err();
    assert!(error.to_string().contains("bound to inproc://server"), "{error}");
    assert_eq!(server.recv_msg().unwrap_err().errno(), Errno::ETERM);
    drop(server);
    context.terminate(DEADLINE).unwrap();
}

/// An owner whose destructor takes 50 ms.
struct Slow(Arc<AtomicBool>);

impl AsRef<[u8]> for Slow {
    fn as_ref(&self) -> &[u8] {
        &[7; 100]
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        thread::sleep(MOMENT);
        self.0.store(true, Ordering::SeqCst);
    }
}

#[deadline::test]
fn terminate_returns_when_every_owner_is_dropped() {
    if common::lacks_ipc() {
        return;
    }
    let context = Context::new().unwrap();
    let dropped = Arc::new(AtomicBool::new(false));
    let push = context.socket(Push).unwrap();
    push.set_linger(Some(Duration::ZERO)).unwrap();
    push.connect("ipc:///nowhere/nobody").unwrap();
    push.send(Message::from_owner(Slow(dropped.clone()))).unwrap();
    drop(push);
    context.terminate(DEADLINE).unwrap();
    assert!(dropped.load(Ordering::SeqCst));
}

/// An owner whose destructor ends its context, in the thread that drops owners.
struct Ends(Context, Sender<bool>);

impl AsRef<[u8]> for Ends {
    fn as_ref(&self) -> &[u8] {
        &[7; 100]
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.1.send(self.0.terminate(DEADLINE).is_ok());
    }
}

#[deadline::test]
fn terminate_returns_when_an_owner_calls_it() {
    let context = Context::new().unwrap();
    let (sender, ended) = channel();
    drop(Message::from_owner(Ends(context, sender)));
    assert!(ended.recv().unwrap());
}

#[deadline::test]
fn linger_bounds_the_end_of_the_context() {
    if common::lacks_ipc() {
        return;
    }
    let context = Context::new().unwrap();
    let push = context.socket(Push).unwrap();
    push.set_linger(Some(MOMENT)).unwrap();
    push.connect("ipc:///nowhere/nobody").unwrap();
    push.send("nobody takes it").unwrap();
    drop(push);
    context.terminate(DEADLINE).unwrap();

    let impatient = common::context();
    let push = impatient.socket(Push).unwrap();
    push.connect("ipc:///nowhere/nobody").unwrap();
    push.send("nobody takes it").unwrap();
    drop(push);
    drop(impatient);
}

#[deadline::test]
fn owned_sockets_keep_their_context() {
    let context = Context::new().unwrap();
    let server = context.owned_socket(Rep).unwrap();
    let client = context.owned_socket(Req).unwrap();
    drop(context);
    client.connect(&server.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    client.send("Hello").unwrap();
    assert_eq!(server.recv_msg().unwrap(), "Hello");
    // Every clone opens sockets, and the last handle that is dropped ends the context.
    let again = server.context();
    drop(server);
    drop(client);
    again.socket(Pub).unwrap().bind("inproc://late").unwrap();
}

#[deadline::test]
fn clones_are_the_same_context() {
    let context = Context::new().unwrap();
    let clone = context.clone();
    context.set_ipv6(true).unwrap();
    assert!(clone.ipv6());
    let pull = context.owned_socket(Pull).unwrap();
    pull.bind("inproc://shared").unwrap();
    drop(context);
    let push = clone.socket(Push).unwrap();
    push.connect("inproc://shared").unwrap();
    push.send("through the clone").unwrap();
    assert_eq!(pull.recv_msg().unwrap(), "through the clone");
}

#[deadline::test]
fn shutdown_ends_every_call_that_waits() {
    type Wait = fn(&Socket<'static>) -> Errno;
    let waits: [Wait; 6] = [
        |socket| socket.recv_msg().unwrap_err().errno(),
        |socket| socket.within(2 * DEADLINE).recv_msg().unwrap_err().errno(),
        |socket| socket.recv_multipart().unwrap_err().errno(),
        |socket| {
            let failed = socket.send("kept").unwrap_err();
            assert_eq!(failed.message(), "kept");
            failed.error().errno()
        },
        |socket| {
            let failed = socket.within(2 * DEADLINE).send_multipart(["a", "b"]).unwrap_err();
            assert_eq!(failed.message().len(), 2);
            failed.error().errno()
        },
        |socket| {
            let mut items = [PollItem::socket(socket, PollEvents::POLLIN)];
            match poll(&mut items, None) {
                // libzmq may report the end as an event. The next call on the socket then returns ETERM.
                Ok(_) => socket.now().recv_msg().unwrap_err().errno(),
                Err(error) => error.errno(),
            }
        },
    ];
    let context = Context::new().unwrap();
    let (ready, begun) = channel();
    let waiting: Vec<_> = waits
        .into_iter()
        .map(|wait| {
            let socket = context.owned_socket(Kind::Dealer).unwrap();
            let ready = ready.clone();
            thread::spawn(move || {
                ready.send(()).unwrap();
                wait(&socket)
            })
        })
        .collect();
    for _ in &waiting {
        begun.recv().unwrap();
    }
    // The outcome is the same for a thread that waits already and for one that begins to wait.
    thread::sleep(MOMENT);
    context.shutdown().unwrap();
    context.shutdown().unwrap();
    for (index, waiting) in waiting.into_iter().enumerate() {
        assert_eq!(waiting.join().unwrap(), Errno::ETERM, "{index}");
    }
}

#[deadline::test]
fn calls_fail_and_drop_works_after_shutdown() {
    let context = Context::new().unwrap();
    let socket = context.socket(Kind::Dealer).unwrap();
    socket.bind("inproc://before").unwrap();
    context.shutdown().unwrap();
    let failed = socket.send("kept").unwrap_err();
    assert_eq!(failed.error().errno(), Errno::ETERM);
    assert_eq!(failed.into_message(), "kept");
    assert_eq!(socket.now().send_multipart(["a", "b"]).unwrap_err().into_message(), ["a", "b"]);
    for error in [
        socket.recv_msg().unwrap_err(),
        socket.now().recv_msg().unwrap_err(),
        socket.bind("tcp://127.0.0.1:*").unwrap_err(),
        socket.connect("ipc:///nowhere/nobody").unwrap_err(),
        socket.connect("inproc://never").unwrap_err(),
        socket.unbind("inproc://before").unwrap_err(),
        socket.set_backlog(7).unwrap_err(),
        socket.linger().unwrap_err(),
        socket.events().unwrap_err(),
        context.socket(Req).unwrap_err(),
    ] {
        assert_eq!(error.errno(), Errno::ETERM, "{error}");
    }
    drop(socket);
    context.terminate(DEADLINE).unwrap();
}

#[deadline::test]
fn forgotten_socket_does_not_freeze_the_program() {
    let context = Context::new().unwrap();
    forget(context.socket(Rep).unwrap());
    drop(context);

    let context = Context::new().unwrap();
    forget(context.owned_socket(Rep).unwrap());
    assert_eq!(context.terminate(MOMENT).unwrap_err().errno(), Errno::EAGAIN);
    assert_eq!(context.open_sockets().len(), 1);
}

#[deadline::test]
fn sockets_move_between_threads() {
    let context = Context::new().unwrap();
    let mut pull = context.owned_socket(Pull).unwrap();
    let mut push = context.owned_socket(Push).unwrap();
    push.connect(&pull.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    for hop in 0..20_u32 {
        push = thread::spawn(move || {
            push.send(hop.to_be_bytes()).unwrap();
            push
        })
        .join()
        .unwrap();
        pull = thread::spawn(move || {
            assert_eq!(pull.recv_msg().unwrap(), hop.to_be_bytes());
            pull
        })
        .join()
        .unwrap();
    }
    // A borrowed socket moves too, into threads that end before its context.
    let borrowed = context.socket(Pair).unwrap();
    thread::scope(|scope| {
        scope.spawn(move || borrowed.bind("inproc://borrowed").unwrap());
    });
}

#[deadline::test]
fn several_threads_use_one_context() {
    const THREADS: usize = 8;
    let context = Context::new().unwrap();
    let barrier = Barrier::new(THREADS);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (context, barrier) = (&context, &barrier);
            scope.spawn(move || {
                for round in 0..20 {
                    let name = |owner: usize| format!("inproc://{round}-{}", owner % THREADS);
                    let pull = context.socket(Pull).unwrap();
                    let push = context.socket(Push).unwrap();
                    // Half of the sockets connect before the name is bound, the others after.
                    if number % 2 == 0 {
                        pull.bind(&name(number)).unwrap();
                    }
                    push.connect(&name(number + 1)).unwrap();
                    if number % 2 == 1 {
                        pull.bind(&name(number)).unwrap();
                    }
                    push.send("x").unwrap();
                    assert_eq!(pull.recv_msg().unwrap(), "x");
                    barrier.wait();
                }
            });
        }
    });
    context.terminate(DEADLINE).unwrap();
}

#[deadline::test]
fn socket_from_raw_takes_back_a_handle_of_into_raw() {
    let context = Context::new().unwrap();
    let pull = context.socket(Pull).unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").unwrap();
    let push = context.owned_socket(Push).unwrap();
    push.connect(&endpoint).unwrap();
    let (handle, kept) = push.into_raw();

    // SAFETY: an open socket that this thread alone uses, and three bytes.
    let sent = unsafe { zmq::sys::zmq_send(handle, b"raw".as_ptr().cast(), 3, 0) };
    assert_eq!(sent, 3);
    assert_eq!(pull.recv_msg().unwrap(), "raw");

    // SAFETY: as above; the handle stays ours except if the call succeeds.
    let refused = unsafe { kept.socket_from_raw(handle, Pub) }.unwrap_err();
    assert_eq!(refused.errno(), Errno::EINVAL);
    assert!(refused.to_string().contains("ZMQ_PUB"), "{refused}");
    // SAFETY: null is what is refused.
    let refused = unsafe { kept.socket_from_raw(std::ptr::null_mut(), Push) }.unwrap_err();
    assert_eq!(refused.errno(), Errno::ENOTSOCK);
    // SAFETY: the handle is open, of this context, and no other code uses it.
    let push = unsafe { kept.socket_from_raw(handle, Push) }.unwrap();
    push.send("safe again").unwrap();
    assert_eq!(pull.recv_msg().unwrap(), "safe again");
}

#[deadline::test]
fn adopted_socket_keeps_its_time_outs() {
    let context = Context::new().unwrap();
    // SAFETY: the context's handle is valid.
    let handle = unsafe { zmq::sys::zmq_socket(context.as_raw(), zmq::sys::ZMQ_PULL) };
    let milliseconds: i32 = 30;
    // SAFETY: an open socket and the option's type.
    let rc = unsafe {
        zmq::sys::zmq_setsockopt(handle, zmq::sys::ZMQ_RCVTIMEO, (&raw const milliseconds).cast(), size_of::<i32>())
    };
    assert_eq!(rc, 0);
    // SAFETY: the handle is open, of this context, and no other code uses it.
    let pull = unsafe { context.socket_from_raw(handle, Kind::Pull) }.unwrap();
    assert_eq!(pull.recv_msg().unwrap_err().errno(), Errno::EAGAIN);
    assert_eq!(pull.rcvtimeo().unwrap(), Some(Duration::from_millis(30)));
    drop(pull);
    context.terminate(DEADLINE).unwrap();
}

#[deadline::test]
fn handle_of_into_raw_keeps_its_context() {
    let context = Context::new().unwrap();
    let (handle, kept) = context.owned_socket(Pub).unwrap().into_raw();
    let error = context.terminate(MOMENT).unwrap_err();
    assert!(error.to_string().contains("C code"), "{error}");
    // SAFETY: the handle was given up, so it is this test's to close, once.
    assert_eq!(unsafe { zmq::sys::zmq_close(handle) }, 0);
    kept.terminate(DEADLINE).unwrap();
}

/// This library keeps its record of a socket while C code has the handle.
#[deadline::test]
fn record_of_a_socket_is_kept_while_c_has_its_handle() {
    let context = Context::new().unwrap();
    context.set_max_sockets(20).unwrap();
    let server = context.owned_socket(zmq::XPub).unwrap();
    server.set_xpub_manual(true).unwrap();
    server.bind("inproc://server").unwrap();
    let (handle, _) = server.into_raw();
    // The connection of a closed client does not count as waiting for the name.
    for _ in 0..100 {
        let mut client = None;
        eventually("the clients before are closed", || {
            // libzmq closes a connection after both sides have read their commands, which the server does here.
            // SAFETY: an open socket that this thread alone uses, and room for the four bytes of an int.
            unsafe { zmq::sys::zmq_recv(handle, [0_u8; 4].as_mut_ptr().cast(), 4, zmq::sys::ZMQ_DONTWAIT) };
            client = context.socket(zmq::Sub).ok();
            client.is_some()
        });
        client.unwrap().connect("inproc://server").unwrap();
    }
    // SAFETY: the handle was given up above, and no other code has it.
    let server = unsafe { context.socket_from_raw(handle, zmq::XPub) }.unwrap();
    assert_eq!(server.set_xpub_manual(false).unwrap_err().errno(), Errno::EINVAL, "libzmq would abort");
    assert_eq!(server.disconnect("inproc://server").unwrap_err().errno(), Errno::ENOENT);
    drop(server);
    // The reaper closes the last clients in the background. Until then the context may have no room for another socket.
    let mut next = None;
    eventually("there is a place for another socket", || {
        next = context.socket(Pull).ok();
        next.is_some()
    });
    next.unwrap().bind("inproc://server").unwrap();
}
