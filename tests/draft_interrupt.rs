//! Ctrl-C ends calls on sockets that any thread may use, in every thread.

#![cfg(feature = "draft")]

mod common;

use std::num::NonZeroU32;
use std::sync::mpsc::channel;
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::Duration;

use common::{ThreadId, eventually, in_own_process};
use zmq::{Client, Context, Errno, Peer, PollEvents, PollItem, Poller, Socket, interrupt, poll};

fn press_ctrl_c() {
    // SAFETY: no preconditions. The process catches the signal.
    let rc = unsafe { libc::raise(libc::SIGINT) };
    assert_eq!(rc, 0);
}

extern "C" fn handle(_signal: std::ffi::c_int) {}

/// Starts calls that wait, in a thread each: on a CLIENT without a peer, and on a PEER whose peer `full` has no room.
fn wait_in_threads<'scope>(
    scope: &'scope Scope<'scope, '_>,
    client: &'scope Socket<'_, Client>,
    peer: &'scope Socket<'_, Peer>,
    full: NonZeroU32,
) -> Vec<(ScopedJoinHandle<'scope, Errno>, ThreadId)> {
    type Wait<'a> = Box<dyn FnOnce() -> Errno + Send + 'a>;
    let waits: [Wait<'scope>; 7] = [
        Box::new(move || client.recv_msg().map(drop).unwrap_err().errno()),
        Box::new(move || client.within(Duration::from_secs(600)).recv_msg().map(drop).unwrap_err().errno()),
        Box::new(move || client.send("nobody").unwrap_err().error().errno()),
        Box::new(move || peer.send_to_peer(full, "full").unwrap_err().error().errno()),
        Box::new(move || {
            let waits = peer.within(Duration::from_secs(600));
            waits.send_to_peer(full, "full").unwrap_err().error().errno()
        }),
        Box::new(move || {
            poll(&mut [PollItem::socket(client, PollEvents::POLLIN)], None).map(drop).unwrap_err().errno()
        }),
        Box::new(move || {
            let mut poller = Poller::new().unwrap();
            poller.add(client, 1, PollEvents::POLLIN).unwrap();
            poller.wait(None).unwrap_err().errno()
        }),
    ];
    let (tell, told) = channel();
    let start = |wait: Wait<'scope>| {
        let tell = tell.clone();
        let thread = scope.spawn(move || {
            tell.send(ThreadId::current()).unwrap();
            wait()
        });
        (thread, told.recv().unwrap())
    };
    waits.into_iter().map(start).collect()
}

/// Opens the sockets of [`wait_in_threads`], runs `signal` while all wait, and expects that all calls end with EINTR.
fn all_end_with_eintr(context: &Context, mut signal: impl FnMut(ThreadId)) {
    let client = context.socket(Client).unwrap();
    let peer = context.socket(Peer).unwrap();
    peer.set_sndhwm(1).unwrap();
    let full = peer.connect_peer("inproc://nobody").unwrap();
    let mut message = zmq::Message::from("x");
    message.set_routing_id(full).unwrap();
    while peer.now().send(&message).unwrap().is_sent() {}
    thread::scope(|scope| {
        let waiting = wait_in_threads(scope, &client, &peer, full);
        thread::sleep(Duration::from_millis(100));
        assert!(waiting.iter().all(|(thread, _)| !thread.is_finished()));
        for (thread, number) in waiting {
            eventually("the call ends", || {
                if !thread.is_finished() {
                    signal(number);
                }
                thread.is_finished()
            });
            assert_eq!(thread.join().unwrap(), Errno::EINTR);
        }
    });
    interrupt::clear();
    assert!(client.now().recv_msg().unwrap().is_none());
}

#[deadline::test(patches = [13])]
fn ctrl_c_ends_calls_that_wait_in_every_thread() {
    in_own_process("ctrl_c_ends_calls_that_wait_in_every_thread", || {
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        let context = common::context();
        all_end_with_eintr(&context, |_| {
            if !interrupt::interrupted() {
                press_ctrl_c();
            }
        });
    });
}

#[deadline::test(patches = [13])]
fn any_handler_ends_calls_that_wait_in_an_interruptible_context() {
    in_own_process("any_handler_ends_calls_that_wait_in_an_interruptible_context", || {
        // SAFETY: the handler does nothing.
        unsafe { libc::signal(libc::SIGUSR1, handle as *const () as usize) };
        let context = common::context();
        context.set_interruptible(true);
        all_end_with_eintr(&context, |thread| thread.signal(libc::SIGUSR1));
    });
}
