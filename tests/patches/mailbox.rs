//! mailbox_t: the commands of a socket or of a thread of libzmq.

use std::ffi::c_int;
use std::thread;

use zmq::sys;

use crate::common::descriptors::{POLL, fail_system_calls};
use crate::common::{context, outcome, pair, skip_unless};

/// Without the patch the look polls, and fails if that call does.
#[deadline::test(patches = [2003])]
fn look_for_commands_makes_no_system_call_when_there_are_none() {
    let context = context();
    let (one, _other) = pair(&context, "inproc://pair");
    // This reads the commands that making the pair has sent.
    one.events().unwrap();
    let look = move || {
        let socket = one;
        let refused = fail_system_calls(POLL, libc::EINTR);
        if refused.is_ok() {
            let (mut events, mut size): (c_int, usize) = (0, size_of::<c_int>());
            let (events, size) = ((&raw mut events).cast(), &raw mut size);
            // SAFETY: the socket is open, and the pointers are to a value of the option's type and to its size.
            outcome(unsafe { sys::zmq_getsockopt(socket.as_raw(), sys::ZMQ_EVENTS as c_int, events, size) }).unwrap();
        }
        refused
    };
    let refused = thread::scope(|scope| scope.spawn(look).join().unwrap());
    skip_unless(refused.is_ok(), "this process may not filter its system calls");
}
