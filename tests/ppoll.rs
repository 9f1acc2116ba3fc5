//! [`ppoll`] waits under another signal mask. It is draft.
#![cfg(feature = "draft")]

mod common;

use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use common::in_own_process;
use zmq::{Context, Errno, Pair, PollEvents, PollItem, SignalMask, interrupt, ppoll};

const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(3600);

extern "C" fn nothing(_: libc::c_int) {}

fn handle(signal: i32) {
    // SAFETY: a handler that does nothing.
    unsafe { libc::signal(signal, nothing as extern "C" fn(libc::c_int) as libc::sighandler_t) };
}

#[deadline::test]
fn ready_items_have_revents() {
    let context = Context::new().unwrap();
    let (a, to_a) = (context.socket(Pair).unwrap(), context.socket(Pair).unwrap());
    a.bind("inproc://a").unwrap();
    to_a.connect("inproc://a").unwrap();
    let (near, mut far) = UnixStream::pair().unwrap();
    let mask = SignalMask::of_thread();
    let mut items = [
        PollItem::socket(&a, PollEvents::POLLIN),
        PollItem::fd(near.as_fd(), PollEvents::POLLIN),
        PollItem::socket(&a, PollEvents::POLLOUT),
    ];
    assert_eq!(ppoll(&mut items[..2], Duration::ZERO, &mask).unwrap(), 0);
    let start = Instant::now();
    assert_eq!(ppoll(&mut items[..2], SHORT, &mask).unwrap(), 0);
    assert!(start.elapsed() >= SHORT);
    to_a.send("x").unwrap();
    far.write_all(b"x").unwrap();
    assert_eq!(ppoll(&mut items, None, &mask).unwrap(), 3);
    let revents = items.map(|item| item.revents());
    assert_eq!(revents, [PollEvents::POLLIN, PollEvents::POLLIN, PollEvents::POLLOUT]);
    assert_eq!(ppoll(&mut [], SHORT, &mask).unwrap_err().errno(), Errno::EINVAL);
    context.shutdown().unwrap();
    assert_eq!(ppoll(&mut items, LONG, &mask).unwrap_err().errno(), Errno::ETERM);
}

#[deadline::test]
fn ppoll_ends_when_it_unblocks_a_pending_signal() {
    in_own_process("ppoll_ends_when_it_unblocks_a_pending_signal", || {
        handle(libc::SIGUSR1);
        let context = Context::new().unwrap();
        let socket = context.socket(Pair).unwrap();
        let mut items = [PollItem::socket(&socket, PollEvents::POLLIN)];
        let mut mask = SignalMask::of_thread();
        mask.add(libc::SIGUSR1).unwrap();
        let open = mask.set_for_thread();
        assert!(!open.contains(libc::SIGUSR1) && SignalMask::of_thread().contains(libc::SIGUSR1));
        // SAFETY: the signal is handled.
        unsafe { libc::raise(libc::SIGUSR1) };
        assert_eq!(ppoll(&mut items, SHORT, &mask).unwrap(), 0, "this mask blocks the signal too");
        assert_eq!(ppoll(&mut items, LONG, &open).unwrap_err().errno(), Errno::EINTR);
        assert!(SignalMask::of_thread().contains(libc::SIGUSR1), "ppoll restores the mask");
        assert_eq!(ppoll(&mut items, SHORT, &open).unwrap(), 0, "the signal is delivered once");
    });
}

#[deadline::test]
fn ppoll_ends_when_another_thread_catches_an_interrupt() {
    in_own_process("ppoll_ends_when_another_thread_catches_an_interrupt", || {
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        let context = Context::new().unwrap();
        let socket = context.socket(Pair).unwrap();
        let mut items = [PollItem::socket(&socket, PollEvents::POLLIN)];
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(SHORT);
                // SAFETY: raises a signal that is caught, in this thread.
                unsafe { libc::raise(libc::SIGINT) };
            });
            assert_eq!(ppoll(&mut items, LONG, &SignalMask::of_thread()).unwrap_err().errno(), Errno::EINTR);
        });
    });
}

#[deadline::test]
fn ppoll_refuses_descriptors_above_the_limit_of_select() {
    in_own_process("ppoll_refuses_descriptors_above_the_limit_of_select", || {
        let (near, _far) = UnixStream::pair().unwrap();
        let mut files = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: a valid pointer.
        unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut files) };
        if common::skip_unless(files.rlim_max > 1100, "no descriptor is that high here") {
            return;
        }
        files.rlim_cur = files.rlim_max;
        // SAFETY: a valid pointer.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const files) };
        // SAFETY: duplicates an open descriptor to the lowest free number from 1024 on.
        let high = unsafe { libc::fcntl(near.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 1024) };
        assert!(high >= 1024);
        // SAFETY: the descriptor was just opened, and no other code has it.
        let high = unsafe { OwnedFd::from_raw_fd(high) };
        let mut items = [PollItem::fd(high.as_fd(), PollEvents::POLLIN)];
        let mask = SignalMask::empty();
        let error = ppoll(&mut items, SHORT, &mask).unwrap_err();
        assert_eq!(error.errno(), Errno::EINVAL);
        assert!(error.to_string().contains(&high.as_raw_fd().to_string()), "{error}");
        // Sockets have descriptors too.
        let low: Vec<OwnedFd> = std::iter::from_fn(|| near.as_fd().try_clone_to_owned().ok())
            .take_while(|fd| fd.as_raw_fd() < 1023)
            .collect();
        let context = Context::new().unwrap();
        let socket = context.socket(Pair).unwrap();
        let mut items = [PollItem::socket(&socket, PollEvents::POLLIN)];
        assert_eq!(ppoll(&mut items, SHORT, &mask).unwrap_err().errno(), Errno::EINVAL);
        drop(low);
        let mut many = vec![PollItem::fd(near.as_fd(), PollEvents::POLLIN); 1025];
        assert_eq!(ppoll(&mut many, SHORT, &mask).unwrap_err().errno(), Errno::EINVAL);
    });
}

#[deadline::test]
fn signal_mask_adds_and_removes_signals() {
    let mut mask = SignalMask::empty();
    assert_eq!(format!("{mask:?}"), "{}");
    mask.add(libc::SIGTERM).unwrap();
    mask.add(libc::SIGINT).unwrap();
    assert_eq!(format!("{mask:?}"), "{2, 15}");
    mask.remove(libc::SIGTERM).unwrap();
    assert!(mask.contains(libc::SIGINT) && !mask.contains(libc::SIGTERM));
    assert!(SignalMask::full().contains(libc::SIGHUP));
    for wrong in [-1, 0, 1000] {
        assert_eq!(mask.add(wrong).unwrap_err().errno(), Errno::EINVAL);
        assert_eq!(mask.remove(wrong).unwrap_err().errno(), Errno::EINVAL);
        assert!(!mask.contains(wrong));
    }
}
