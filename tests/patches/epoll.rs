//! epoll.cpp: a system without room for one more watch.

use std::ffi::{c_ulong, c_void};
use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, FromRawFd};
use std::sync::mpsc;
use std::{io, thread};

use zmq::{Dealer, PollEvents, PollItem, Pull, Push, Router, poll};

use crate::common::descriptors::filter_system_call;
use crate::common::{DEADLINE, TCP, context, next, skip_unless};

/// `SECCOMP_IOCTL_NOTIF_RECV` and `SECCOMP_IOCTL_NOTIF_SEND`.
const RECEIVE: c_ulong = 0xc050_2100;
const SEND: c_ulong = 0xc018_2101;

/// From now on this thread and those that it starts ask the returned file before each `epoll_ctl`.
fn ask_before_epoll_ctl() -> io::Result<File> {
    let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    let fd = filter_system_call(libc::SYS_epoll_ctl, None, libc::SECCOMP_RET_USER_NOTIF, flags)?;
    // SAFETY: the call has just opened the descriptor, and nothing else owns it.
    Ok(unsafe { File::from_raw_fd(fd as i32) })
}

/// Answers each call until the threads have ended. One `EPOLL_CTL_ADD` in `period` succeeds. Returns how many failed.
fn refuse_watches(calls: &File, period: usize) -> usize {
    let (mut adds, mut refused) = (0, 0);
    loop {
        let mut item = PollItem::fd(calls.as_fd(), PollEvents::POLLIN);
        poll(std::slice::from_mut(&mut item), None).unwrap();
        if !item.revents().contains(PollEvents::POLLIN) {
            return refused;
        }
        // SAFETY: all its fields are numbers.
        let mut call: libc::seccomp_notif = unsafe { MaybeUninit::zeroed().assume_init() };
        // SAFETY: the call writes one value of this type.
        if unsafe { libc::ioctl(calls.as_raw_fd(), RECEIVE as _, (&raw mut call).cast::<c_void>()) } == -1 {
            return refused;
        }
        let add = call.data.args[1] == libc::EPOLL_CTL_ADD as u64;
        adds += usize::from(add);
        let refuse = add && adds % period != 0;
        refused += usize::from(refuse);
        let answer = libc::seccomp_notif_resp {
            id: call.id,
            val: 0,
            error: if refuse { -libc::ENOSPC } else { 0 },
            flags: if refuse { 0 } else { libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32 },
        };
        // SAFETY: the call reads one value of this type.
        unsafe { libc::ioctl(calls.as_raw_fd(), SEND as _, (&raw const answer).cast::<c_void>()) };
    }
}

/// Uses sockets while the system refuses watches.
fn communicate(period: usize) {
    let (sender, receiver) = mpsc::channel();
    let sockets = thread::spawn(move || {
        let asking = ask_before_epoll_ctl();
        let asks = asking.is_ok();
        sender.send(asking.ok()).unwrap();
        if skip_unless(asks, "this process may not filter its system calls") {
            return;
        }
        let context = context();
        let (pull, push) = (context.socket(Pull).unwrap(), context.socket(Push).unwrap());
        push.connect(&pull.bind(TCP).unwrap()).unwrap();
        push.send("one way").unwrap();
        assert_eq!(next(&pull), [b"one way"]);
        let (router, dealer) = (context.socket(Router).unwrap(), context.socket(Dealer).unwrap());
        dealer.connect(&router.bind("ipc://*").unwrap()).unwrap();
        for _ in 0..3 {
            dealer.send("there").unwrap();
            router.send_multipart(next(&router)).unwrap();
            assert_eq!(next(&dealer), [b"there"]);
        }
        drop((pull, push, router, dealer));
        context.terminate(DEADLINE).unwrap();
    });
    let refused = receiver.recv().unwrap().map(|calls| refuse_watches(&calls, period));
    sockets.join().unwrap();
    assert!(refused.is_none_or(|refused| refused > 5), "{refused:?} were refused");
}

/// The mailboxes of libzmq's threads, listeners, and connections are refused.
#[deadline::test(patches = [91])]
fn descriptors_are_watched_as_soon_as_the_system_has_room() {
    communicate(2);
}

#[deadline::test(patches = [91])]
fn sockets_work_while_the_system_has_no_room_for_a_watch() {
    communicate(usize::MAX);
}
