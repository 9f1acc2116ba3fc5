//! Signals: one that was not asked for disturbs no call. One that was ends every call that waits, in every thread.

mod common;
#[path = "interrupt/interruptible.rs"]
mod interruptible;

use std::ffi::c_int;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::{DEADLINE, ThreadId, eventually, in_own_process, within_deadline};
use zmq::zhelpers::s_sleep;
use zmq::{
    Context, Dealer, Errno, Kind, Pair, PollEvents, PollItem, Pull, Push, Router, Socket, SocketRef, Sub, XPub,
    interrupt, poll,
};

static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_signal: c_int) {
    HANDLED.fetch_add(1, Ordering::SeqCst);
}

/// Handles SIGUSR1, and lets it end system calls.
fn count_user_signals() {
    count_signals(libc::SIGUSR1, 0);
}

/// Handles a signal with the flags of `sigaction`.
fn count_signals(signal: c_int, flags: c_int) {
    // SAFETY: a zeroed sigaction is a valid one: no flags, empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_flags = flags;
    action.sa_sigaction = count as extern "C" fn(c_int) as usize;
    // SAFETY: the handler only counts.
    let rc = unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
    assert_eq!(rc, 0);
}

/// Starts a thread that waits, and returns its id and its handle.
fn waiting<R: Send + 'static>(wait: impl FnOnce() -> R + Send + 'static) -> (ThreadId, JoinHandle<R>) {
    let (tell, told) = channel();
    let thread = thread::spawn(move || {
        tell.send(ThreadId::current()).unwrap();
        wait()
    });
    (told.recv().unwrap(), thread)
}

/// Sends SIGUSR1 to a thread that has not been joined, until `times` signals were handled.
fn disturb(thread: ThreadId, times: usize) {
    let enough = HANDLED.load(Ordering::SeqCst) + times;
    eventually("the signals are handled", || {
        thread.signal(libc::SIGUSR1);
        HANDLED.load(Ordering::SeqCst) >= enough
    });
}

fn pair(context: &Context) -> (Socket<'static, Push>, Socket<'static, Pull>) {
    let (push, pull) = (context.owned_socket(Push).unwrap(), context.owned_socket(Pull).unwrap());
    push.connect(&pull.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    (push, pull)
}

/// A PUSH without a peer: every send must wait.
fn full(context: &Context) -> Socket<'static> {
    context.owned_socket(Kind::Push).unwrap()
}

#[test]
fn signal_that_was_not_asked_for_disturbs_no_call() {
    in_own_process("signal_that_was_not_asked_for_disturbs_no_call", || {
        count_user_signals();
        let context = Context::new().unwrap();
        type Receive = fn(&Socket<'static, Pull>) -> usize;
        let receives: [Receive; 5] = [
            |pull| pull.recv_msg().unwrap().len(),
            |pull| pull.within(2 * DEADLINE).recv_msg().unwrap().unwrap().len(),
            |pull| pull.recv_into(&mut [0; 64]).unwrap().size,
            |pull| pull.recv_multipart().unwrap()[0].len(),
            |pull| {
                let mut items = [PollItem::socket(pull, PollEvents::POLLIN)];
                assert_eq!(poll(&mut items, None).unwrap(), 1);
                pull.now().recv_msg().unwrap().unwrap().len()
            },
        ];
        for receive in receives {
            let (push, pull) = pair(&context);
            let (thread, receiver) = waiting(move || receive(&pull));
            disturb(thread, 5);
            push.send("here it is").unwrap();
            assert_eq!(receiver.join().unwrap(), 10);
        }

        let push = full(&context);
        let endpoint = push.bind("tcp://127.0.0.1:*").unwrap();
        let (thread, sender) = waiting(move || push.send("at last").map(|()| push).unwrap());
        disturb(thread, 5);
        let pull = context.socket(Pull).unwrap();
        pull.connect(&endpoint).unwrap();
        assert_eq!(pull.within(DEADLINE).recv_msg().unwrap().unwrap(), "at last");
        drop(sender.join().unwrap());

        let (frontend, backend) = (context.owned_socket(Pull).unwrap(), context.owned_socket(Push).unwrap());
        let entry = frontend.bind("tcp://127.0.0.1:*").unwrap();
        let exit = backend.bind("tcp://127.0.0.1:*").unwrap();
        let (thread, forwarder) = waiting(move || zmq::proxy(&frontend, &backend, None).unwrap_err().error().errno());
        disturb(thread, 5);
        let (push, pull) = (context.owned_socket(Push).unwrap(), context.owned_socket(Pull).unwrap());
        push.connect(&entry).unwrap();
        pull.connect(&exit).unwrap();
        push.send("forwarded").unwrap();
        assert_eq!(pull.within(DEADLINE).recv_msg().unwrap().unwrap(), "forwarded");
        context.shutdown().unwrap();
        assert_eq!(forwarder.join().unwrap(), Errno::ETERM);
    });
}

#[test]
fn catch_signals_catches_the_signals_of_its_list() {
    in_own_process("catch_signals_catches_the_signals_of_its_list", || {
        interrupt::catch_signals(&[libc::SIGUSR1]).unwrap();
        interrupt::catch_signals(&[libc::SIGHUP, libc::SIGUSR2]).unwrap();
        let context = Context::new().unwrap();
        let socket = context.socket(Pull).unwrap();
        for signal in [libc::SIGUSR1, libc::SIGUSR2, libc::SIGHUP] {
            // SAFETY: the signal is caught.
            unsafe { libc::raise(signal) };
            assert!(interrupt::interrupted(), "{signal}");
            assert_eq!(socket.recv_msg().unwrap_err().errno(), Errno::EINTR, "{signal}");
            interrupt::clear();
        }
        for refused in [libc::SIGKILL, libc::SIGSTOP, libc::SIGSEGV, libc::SIGABRT, 0, -1, 1000] {
            let error = interrupt::catch_signals(&[refused]).unwrap_err();
            assert_eq!(error.errno(), Errno::EINVAL);
            assert!(error.to_string().contains(&format!("signal {refused}")), "{error}");
        }
    });
}

#[test]
fn time_outs_are_kept_under_signals() {
    in_own_process("time_outs_are_kept_under_signals", || {
        const TIME: Duration = Duration::from_millis(300);
        count_user_signals();
        let context = Context::new().unwrap();
        type Wait = fn(&Socket<'static>, &Socket<'static>);
        let waits: [Wait; 7] = [
            |pull, _| assert_eq!(pull.recv_msg().unwrap_err().errno(), Errno::EAGAIN),
            |pull, _| assert_eq!(pull.recv_into(&mut [0; 8]).unwrap_err().errno(), Errno::EAGAIN),
            |pull, _| assert!(pull.within(TIME).recv_msg().unwrap().is_none()),
            |pull, _| assert_eq!(poll(&mut [PollItem::socket(pull, PollEvents::POLLIN)], TIME).unwrap(), 0),
            |_, push| assert_eq!(push.send("kept").unwrap_err().message(), "kept"),
            |_, push| assert_eq!(push.within(TIME).send("kept").unwrap().into_unsent().unwrap(), "kept"),
            |_, push| assert_eq!(push.send_multipart(["a", "b"]).unwrap_err().message(), &["a", "b"]),
        ];
        for (index, wait) in waits.into_iter().enumerate() {
            let pull = context.owned_socket(Kind::Pull).unwrap();
            let push = full(&context);
            pull.set_rcvtimeo(Some(TIME)).unwrap();
            push.set_sndtimeo(Some(TIME)).unwrap();
            let done = Arc::new(AtomicBool::new(false));
            let end = done.clone();
            let before = HANDLED.load(Ordering::SeqCst);
            let (thread, waiter) = waiting(move || {
                let start = Instant::now();
                wait(&pull, &push);
                end.store(true, Ordering::SeqCst);
                start.elapsed()
            });
            // The signals go on for as long as the call does: a call that began its time-out anew would never end.
            eventually("the call ends", || {
                thread::sleep(Duration::from_millis(5));
                thread.signal(libc::SIGUSR1);
                done.load(Ordering::SeqCst)
            });
            let took = waiter.join().unwrap();
            assert!(took >= TIME, "{index}: {took:?}");
            assert!(HANDLED.load(Ordering::SeqCst) > before + 2, "{index}: no signal came in time");
        }
    });
}

type Wait = Box<dyn FnOnce() -> zmq::Error + Send>;

/// Every way to wait, each on its own sockets. Each reports a caught signal as EINTR.
fn every_wait(context: &Context) -> Vec<(&'static str, Wait)> {
    let socket = |kind| context.owned_socket(kind).unwrap();
    let (a, b, c, d, e, f) = (
        socket(Kind::Pull),
        socket(Kind::Pull),
        socket(Kind::Pull),
        socket(Kind::Pull),
        socket(Kind::Pull),
        socket(Kind::Pull),
    );
    let (g, h, i, j) = (full(context), full(context), full(context), full(context));
    let (k, l, m) = (socket(Kind::Router), socket(Kind::Dealer), socket(Kind::Pub));
    let (n, o) = (socket(Kind::Pull), socket(Kind::Pull));
    n.set_rcvtimeo(Some(2 * DEADLINE)).unwrap();
    let (p, q) = (socket(Kind::Pull), full(context));
    let [r, s, t, u, v] = [(); 5].map(|()| socket(Kind::Pull));
    let (w, x) = (full(context), full(context));
    vec![
        ("recv_msg", Box::new(move || a.recv_msg().unwrap_err())),
        ("within().recv_msg", Box::new(move || b.within(2 * DEADLINE).recv_msg().unwrap_err())),
        ("recv_into", Box::new(move || c.recv_into(&mut [0; 8]).unwrap_err())),
        ("recv", Box::new(move || d.recv(&mut zmq::Message::new()).unwrap_err())),
        ("recv_multipart", Box::new(move || e.recv_multipart().unwrap_err())),
        ("poll", Box::new(move || poll(&mut [PollItem::socket(&f, PollEvents::POLLIN)], None).unwrap_err())),
        ("send", Box::new(move || kept(g.send("kept").unwrap_err()))),
        ("within().send", Box::new(move || kept(h.within(2 * DEADLINE).send("kept").unwrap_err()))),
        (
            "send_multipart",
            Box::new(move || {
                let (parts, error) = i.send_multipart(["a", "b"]).unwrap_err().into_parts();
                assert_eq!(parts, ["a", "b"]);
                error
            }),
        ),
        ("send_more", Box::new(move || kept(j.send_more("kept").unwrap_err()))),
        ("proxy", Box::new(move || zmq::proxy(&k, &l, Some(SocketRef::from(&m))).unwrap_err().into())),
        ("rcvtimeo", Box::new(move || n.recv_msg().unwrap_err())),
        (
            "poll with time",
            Box::new(move || poll(&mut [PollItem::socket(&o, PollEvents::POLLIN)], 2 * DEADLINE).unwrap_err()),
        ),
        ("sleep", Box::new(move || poll(&mut [], 2 * DEADLINE).unwrap_err())),
        ("streamer", Box::new(move || zmq::proxy(&p, &q, None).unwrap_err().into())),
        ("recv_string", Box::new(move || r.recv_string().unwrap_err().into())),
        ("within().recv", Box::new(move || s.within(2 * DEADLINE).recv(&mut zmq::Message::new()).unwrap_err())),
        ("within().recv_into", Box::new(move || t.within(2 * DEADLINE).recv_into(&mut [0; 8]).unwrap_err())),
        ("within().recv_string", Box::new(move || u.within(2 * DEADLINE).recv_string().unwrap_err().into())),
        ("within().recv_multipart", Box::new(move || v.within(None).recv_multipart().unwrap_err())),
        ("within().send_more", Box::new(move || kept(w.within(2 * DEADLINE).send_more("kept").unwrap_err()))),
        (
            "within().send_multipart",
            Box::new(move || {
                let (parts, error) = x.within(2 * DEADLINE).send_multipart(["a", "b"]).unwrap_err().into_parts();
                assert_eq!(parts, ["a", "b"]);
                error
            }),
        ),
    ]
}

fn kept(failed: zmq::SendError) -> zmq::Error {
    let (message, error) = failed.into_parts();
    assert_eq!(message, "kept");
    error
}

/// Waits in all ways, in a thread each, and returns the threads.
fn wait_everywhere(context: &Context, begun: &Sender<()>) -> Vec<(&'static str, JoinHandle<zmq::Error>)> {
    let start = |(name, wait): (_, Box<dyn FnOnce() -> zmq::Error + Send>)| {
        let begun = begun.clone();
        let thread = thread::spawn(move || {
            begun.send(()).unwrap();
            wait()
        });
        (name, thread)
    };
    every_wait(context).into_iter().map(start).collect()
}

fn all_interrupted(waiters: Vec<(&'static str, JoinHandle<zmq::Error>)>) {
    for (name, waiter) in waiters {
        eventually(name, || waiter.is_finished());
        let error = waiter.join().unwrap();
        assert_eq!(error.errno(), Errno::EINTR, "{name}: {error}");
    }
}

fn signal_process(signal: c_int) {
    let process = std::process::id() as libc::pid_t;
    // SAFETY: a signal to this very process, which catches it.
    let rc = unsafe { libc::kill(process, signal) };
    assert_eq!(rc, 0);
    eventually("the signal is caught", interrupt::interrupted);
}

#[test]
fn caught_signal_ends_every_wait_on_every_thread() {
    in_own_process("caught_signal_ends_every_wait_on_every_thread", || {
        assert!(interrupt::wake_fd().is_none());
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        let context = Context::new().unwrap();
        for signal in [libc::SIGINT, libc::SIGTERM] {
            assert!(!interrupt::interrupted());
            let (begun, begins) = channel();
            let waiters = wait_everywhere(&context, &begun);
            for _ in &waiters {
                begins.recv().unwrap();
            }
            // Threads that wait already and threads that only begin to wait must both end.
            thread::sleep(Duration::from_millis(50));
            assert!(!waiters.iter().any(|(_, waiter)| waiter.is_finished()));
            // One signal to the process is enough, whichever thread the system picks for it.
            signal_process(signal);
            all_interrupted(waiters);
            interrupt::clear();
        }
    });
}

#[test]
fn earlier_signal_ends_every_wait_at_once() {
    in_own_process("earlier_signal_ends_every_wait_at_once", || {
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        let context = Context::new().unwrap();
        signal_process(libc::SIGINT);
        let (begun, _begins) = channel();
        all_interrupted(wait_everywhere(&context, &begun));
        // The interrupt stays pending until it is cleared.
        all_interrupted(wait_everywhere(&context, &begun));
    });
}

#[test]
fn calls_that_need_not_wait_succeed_after_a_signal() {
    in_own_process("calls_that_need_not_wait_succeed_after_a_signal", || {
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        let context = Context::new().unwrap();
        let (left, right) = (context.socket(Pair).unwrap(), context.socket(Pair).unwrap());
        left.bind("inproc://pair").unwrap();
        right.connect("inproc://pair").unwrap();
        signal_process(libc::SIGINT);

        left.send("one").unwrap();
        assert_eq!(right.recv_msg().unwrap(), "one");
        left.send_multipart(["two", "parts"]).unwrap();
        assert_eq!(right.recv_multipart().unwrap(), ["two", "parts"]);
        assert!(left.now().send("three").unwrap().is_sent());
        let mut items = [PollItem::socket(&right, PollEvents::POLLIN)];
        assert_eq!(poll(&mut items, None).unwrap(), 1);
        assert_eq!(right.now().recv_msg().unwrap().unwrap(), "three");
        assert!(right.now().recv_msg().unwrap().is_none());
        assert!(right.within(Duration::ZERO).recv_msg().unwrap().is_none());
        assert_eq!(poll(&mut items, Duration::ZERO).unwrap(), 0);
        assert_eq!(full(&context).now().send("back").unwrap().into_unsent().unwrap(), "back");
        let other = context.socket(Pull).unwrap();
        let endpoint = other.bind("tcp://127.0.0.1:*").unwrap();
        right.disconnect("inproc://pair").unwrap();
        other.unbind(&endpoint).unwrap();
        assert!(other.events().unwrap().is_empty());

        assert_eq!(right.recv_msg().unwrap_err().errno(), Errno::EINTR);
        interrupt::clear();
        assert!(!interrupt::interrupted());
        assert!(other.within(Duration::from_millis(20)).recv_msg().unwrap().is_none());
    });
}

#[test]
fn proxy_forwards_while_signals_are_caught() {
    in_own_process("proxy_forwards_while_signals_are_caught", || {
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        let context = Context::new().unwrap();
        let socket = |kind| context.owned_socket(kind).unwrap();

        let (frontend, backend, capture) = (socket(Kind::Router), socket(Kind::Dealer), socket(Kind::Push));
        let (entry, exit) = (frontend.bind("tcp://127.0.0.1:*").unwrap(), backend.bind("inproc://exit").unwrap());
        let copies = socket(Kind::Pull);
        capture.connect(&copies.bind("inproc://copies").unwrap()).unwrap();
        let queue =
            thread::spawn(move || zmq::proxy(&frontend, &backend, Some(capture.as_ref())).unwrap_err().error().errno());
        let (client, server) = (socket(Kind::Req), socket(Kind::Rep));
        client.connect(&entry).unwrap();
        server.connect(&exit).unwrap();
        for _ in 0..3 {
            client.send_multipart(["a", "question"]).unwrap();
            assert_eq!(server.within(DEADLINE).recv_multipart().unwrap().unwrap(), ["a", "question"]);
            server.send("answer").unwrap();
            assert_eq!(client.within(DEADLINE).recv_msg().unwrap().unwrap(), "answer");
        }
        for round in 0..6 {
            let copy = copies.within(DEADLINE).recv_multipart().unwrap().unwrap();
            assert_eq!(copy.len(), if round % 2 == 0 { 4 } else { 3 });
            assert_eq!(copy.last().unwrap(), if round % 2 == 0 { "question" } else { "answer" });
        }

        // At first the backend has no peer. When it has one, all messages arrive in order.
        const COUNT: u32 = 5000;
        let (inlet, outlet) = (socket(Kind::Pull), socket(Kind::Push));
        outlet.set_sndhwm(10).unwrap();
        let (entry, exit) = (inlet.bind("inproc://inlet").unwrap(), outlet.bind("inproc://outlet").unwrap());
        let streamer = thread::spawn(move || zmq::proxy(&inlet, &outlet, None).unwrap_err().error().errno());
        let (source, sink) = (socket(Kind::Push), socket(Kind::Pull));
        source.set_sndhwm(0).unwrap();
        source.connect(&entry).unwrap();
        for number in 0..COUNT {
            source.send(number.to_be_bytes()).unwrap();
        }
        sink.connect(&exit).unwrap();
        for number in 0..COUNT {
            assert_eq!(sink.within(DEADLINE).recv_msg().unwrap().unwrap(), number.to_be_bytes());
        }

        // A socket that is both frontend and backend sends its messages back.
        let both = socket(Kind::Dealer);
        let mirror = both.bind("inproc://mirror").unwrap();
        let mirrored = thread::spawn(move || zmq::proxy(&both, &both, None).unwrap_err().error().errno());
        let viewer = socket(Kind::Dealer);
        viewer.connect(&mirror).unwrap();
        viewer.send("me").unwrap();
        assert_eq!(viewer.within(DEADLINE).recv_msg().unwrap().unwrap(), "me");

        signal_process(libc::SIGINT);
        for proxy in [queue, streamer, mirrored] {
            assert_eq!(proxy.join().unwrap(), Errno::EINTR);
        }
        interrupt::clear();
        let (frontend, backend) = (socket(Kind::Router), socket(Kind::Dealer));
        let ended = thread::spawn(move || zmq::proxy(&frontend, &backend, None).unwrap_err().error().errno());
        context.shutdown().unwrap();
        assert_eq!(ended.join().unwrap(), Errno::ETERM);
    });
}

#[test]
fn wake_fd_is_readable_while_an_interrupt_is_pending() {
    in_own_process("wake_fd_is_readable_while_an_interrupt_is_pending", || {
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        let readable = || {
            let fd = std::os::fd::AsRawFd::as_raw_fd(&interrupt::wake_fd().unwrap());
            let mut item = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
            // SAFETY: one valid structure.
            unsafe { libc::poll(&raw mut item, 1, 0) == 1 }
        };
        assert!(!readable());
        // More signals than the descriptor takes: the handler must not wait for room.
        for _ in 0..10_000 {
            // SAFETY: raises a signal that is caught.
            unsafe { libc::raise(libc::SIGINT) };
        }
        assert!(readable());
        interrupt::clear();
        assert!(!readable());
        assert!(!interrupt::interrupted());
    });
}

#[test]
fn signal_ends_the_wait_for_lingering_messages() {
    in_own_process("signal_ends_the_wait_for_lingering_messages", || {
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        let context = Context::new().unwrap();
        let source = context.socket(Push).unwrap();
        source.connect("tcp://127.0.0.1:1").unwrap();
        source.send("to nobody").unwrap();
        drop(source);
        // An earlier signal does not end the wait, so that messages are still sent.
        signal_process(libc::SIGINT);
        let (dropped, outcome) = channel();
        thread::spawn(move || {
            drop(context);
            dropped.send(()).unwrap();
        });
        assert!(outcome.recv_timeout(Duration::from_millis(200)).is_err(), "the end of the context waits, as in C");
        signal_process(libc::SIGTERM);
        outcome.recv_timeout(DEADLINE).unwrap();
    });
}

/// The signal arrives before the wait or during it.
#[test]
fn poll_can_wait_for_the_wake_fd() {
    in_own_process("poll_can_wait_for_the_wake_fd", || {
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        for _ in 0..200 {
            let (thread, waits) = waiting(|| {
                let mut items = [PollItem::fd(interrupt::wake_fd().unwrap(), PollEvents::POLLIN)];
                poll(&mut items, None).map(|_| items[0].is_readable())
            });
            thread.signal(libc::SIGINT);
            assert_eq!(waits.join().unwrap(), Ok(true));
            interrupt::clear();
        }
    });
}

/// ROUTER and XPUB report POLLOUT although a peer has no room. A send then waits for commands of the peers, and none of these
/// may be missed.
#[test]
fn send_goes_on_as_soon_as_a_peer_has_room() {
    in_own_process("send_goes_on_as_soon_as_a_peer_has_room", || {
        const COUNT: usize = 50_000;
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        within_deadline(|| {
            let context = Context::new().unwrap();
            let router = context.socket(Router).unwrap();
            router.set_sndhwm(1).unwrap();
            router.set_router_mandatory(true).unwrap();
            let publisher = context.socket(XPub).unwrap();
            publisher.set_sndhwm(1).unwrap();
            publisher.set_xpub_nodrop(true).unwrap();
            let endpoints = [router.bind("inproc://router").unwrap(), publisher.bind("inproc://publisher").unwrap()];
            thread::scope(|scope| {
                let (context, [router_at, publisher_at]) = (&context, &endpoints);
                scope.spawn(move || {
                    let dealer = context.socket(Dealer).unwrap();
                    dealer.set_rcvhwm(1).unwrap();
                    dealer.set_routing_id("dealer").unwrap();
                    dealer.connect(router_at).unwrap();
                    dealer.send("hello").unwrap();
                    (0..COUNT).for_each(|_| drop(dealer.recv_msg().unwrap()));
                });
                scope.spawn(move || {
                    let subscriber = context.socket(Sub).unwrap();
                    subscriber.set_rcvhwm(1).unwrap();
                    subscriber.subscribe("").unwrap();
                    subscriber.connect(publisher_at).unwrap();
                    (0..COUNT).for_each(|_| drop(subscriber.recv_msg().unwrap()));
                });
                router.recv_multipart().unwrap();
                publisher.recv_msg().unwrap();
                for _ in 0..COUNT {
                    router.send_multipart(["dealer", "x"]).unwrap();
                    publisher.send("x").unwrap();
                }
            });
        });
    });
}

/// Each signal once rounded the rest of the sleep up, so that the call took twice as long.
#[test]
fn poll_of_nothing_and_s_sleep_keep_their_time_under_signals() {
    const SLEEPS: [fn(Duration); 2] =
        [|time| assert_eq!(poll(&mut [], time).unwrap(), 0), |time| s_sleep(time.as_millis() as u64)];
    in_own_process("poll_of_nothing_and_s_sleep_keep_their_time_under_signals", || {
        count_user_signals();
        let times = [3, 500].map(Duration::from_millis);
        for (time, sleep) in times.into_iter().flat_map(|time| SLEEPS.map(|sleep| (time, sleep))) {
            let ended = Arc::new(AtomicBool::new(false));
            let (thread, poller) = waiting({
                let ended = ended.clone();
                move || {
                    let start = Instant::now();
                    sleep(time);
                    ended.store(true, Ordering::SeqCst);
                    start.elapsed()
                }
            });
            while !ended.load(Ordering::SeqCst) {
                thread.signal(libc::SIGUSR1);
                thread::sleep(Duration::from_micros(20));
            }
            let elapsed = poller.join().unwrap();
            assert!(elapsed >= time, "{elapsed:?}");
            assert!(elapsed < time + Duration::from_millis(100), "{time:?} took {elapsed:?}");
        }
    });
}
