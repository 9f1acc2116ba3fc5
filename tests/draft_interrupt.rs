//! Ctrl-C ends calls on sockets that any thread may use, in every thread.

#![cfg(feature = "draft")]

mod common;

use std::thread;
use std::time::Duration;

use common::{eventually, in_own_process};
use zmq::{Client, Context, Errno, Peer, PollEvents, PollItem, interrupt, poll};

fn press_ctrl_c() {
    // SAFETY: the signal is caught, and meant for this very process.
    let rc = unsafe { libc::raise(libc::SIGINT) };
    assert_eq!(rc, 0);
}

#[deadline::test(patches = [13])]
fn ctrl_c_ends_what_waits() {
    in_own_process("ctrl_c_ends_what_waits", || {
        interrupt::catch_signals().unwrap();
        let context = Context::builder().set_blocky(false).build().unwrap();
        let client = context.socket(Client).unwrap();
        let peer = context.socket(Peer).unwrap();
        peer.set_sndhwm(1).unwrap();
        let full = peer.connect_peer("inproc://nobody").unwrap();
        let mut message = zmq::Message::from("x");
        message.set_routing_id(full).unwrap();
        while peer.try_send(&message).unwrap().is_sent() {}
        thread::scope(|scope| {
            let polls = || poll(&mut [PollItem::socket(&client, PollEvents::POLLIN)], None).map(drop);
            let waiting = [
                scope.spawn(|| client.recv().map(drop).unwrap_err().errno()),
                scope.spawn(|| client.recv_timeout(Duration::from_secs(600)).map(drop).unwrap_err().errno()),
                scope.spawn(|| client.send("nobody").unwrap_err().error().errno()),
                scope.spawn(|| peer.send_to_peer(full, "full").unwrap_err().error().errno()),
                scope.spawn(move || polls().unwrap_err().errno()),
            ];
            thread::sleep(Duration::from_millis(100));
            assert!(waiting.iter().all(|thread| !thread.is_finished()));
            press_ctrl_c();
            eventually("all have ended", || waiting.iter().all(|thread| thread.is_finished()));
            for thread in waiting {
                assert_eq!(thread.join().unwrap(), Errno::EINTR);
            }
        });
        interrupt::clear();
        assert!(client.try_recv().unwrap().is_none());
    });
}
