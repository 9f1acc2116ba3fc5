//! signaler_t: the wake-ups of mailboxes.

use std::thread;

use zmq::{Dealer, Message};

use crate::common::descriptors::fail_system_call;
use crate::common::{DEADLINE, context, skip_unless};

/// `getpid` fails in this thread. Without the patch, libzmq then believes that it is in a forked child, and wakes nobody.
#[deadline::test(patches = [2002])]
fn messages_are_exchanged_without_calls_of_getpid() {
    let context = context();
    let (client, server) = (context.socket(Dealer).unwrap(), context.socket(Dealer).unwrap());
    client.connect(&server.bind("inproc://echo").unwrap()).unwrap();
    let refused = thread::scope(|scope| {
        let echo = scope.spawn(move || {
            while let Some(message) = server.within(DEADLINE / 4).recv_msg().unwrap() {
                if message.is_empty() {
                    return;
                }
                server.send(message).unwrap();
            }
        });
        let ask = scope.spawn(move || {
            let refused = fail_system_call(libc::SYS_getpid, None, libc::EPERM);
            if refused.is_ok() {
                for _ in 0..100 {
                    client.send("ping").unwrap();
                    let answer = client.within(DEADLINE / 4).recv_msg().unwrap();
                    assert_eq!(answer.expect("an answer").to_vec(), b"ping");
                }
            }
            client.send(Message::new()).unwrap();
            refused
        });
        echo.join().unwrap();
        ask.join().unwrap()
    });
    skip_unless(refused.is_ok(), "this process may not filter its system calls");
}
