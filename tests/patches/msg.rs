//! msg.cpp, decoder_allocators.cpp: the content of a message, and its reference counter.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use zmq::sys;
#[cfg(feature = "draft")]
use zmq::{Pull, Push};

#[cfg(feature = "draft")]
use crate::common::{TCP, context};
use crate::common::{alone, role};

const NAME: &str = "msg::content_with_too_many_copies_aborts_the_process";

/// The counter wraps round, and the content is freed while copies use it. 2^31 copies take long, so the test sets the counter
/// of the content.
#[deadline::test(patches = [5])]
fn content_with_too_many_copies_aborts_the_process() {
    if role().is_none() {
        let mut copies = alone(NAME, "copies");
        let status = copies.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert_eq!(status.signal(), Some(libc::SIGABRT), "{status}");
        return;
    }
    let copy = |message: *mut sys::zmq_msg_t| {
        let mut copy = MaybeUninit::<sys::zmq_msg_t>::uninit();
        // SAFETY: the pointer is to room for a message.
        assert_eq!(unsafe { sys::zmq_msg_init(copy.as_mut_ptr()) }, 0);
        // SAFETY: both are messages.
        assert_eq!(unsafe { sys::zmq_msg_copy(copy.as_mut_ptr(), message) }, 0);
    };
    let mut message = MaybeUninit::<sys::zmq_msg_t>::uninit();
    // SAFETY: the pointer is to room for a message.
    assert_eq!(unsafe { sys::zmq_msg_init_size(message.as_mut_ptr(), 1000) }, 0);
    copy(message.as_mut_ptr());
    // A zmq_msg_t begins with the pointers to its metadata and its content. The content has four words and the counter.
    let second = message.as_ptr().cast::<*mut c_void>().wrapping_add(1);
    // SAFETY: the message is large, so it has a content, and its second word is the pointer to that.
    let content = unsafe { *second };
    let counter = content.cast::<*mut c_void>().wrapping_add(4).cast::<u32>();
    // SAFETY: the counter is behind the four words, and no other thread has the content.
    let counter = unsafe { &mut *counter };
    assert_eq!(*counter, 2, "the message and its copy");
    *counter = 0x7fff_fffe;
    copy(message.as_mut_ptr());
    copy(message.as_mut_ptr());
}

/// The decoder puts the contents behind its buffer, at an odd address if the buffer has an odd size.
#[cfg(feature = "draft")]
#[deadline::test(patches = [66])]
fn content_of_a_received_message_is_aligned() {
    let context = context();
    let (pull, push) = (context.socket(Pull).unwrap(), context.socket(Push).unwrap());
    pull.set_in_batch_size(8191).unwrap();
    push.connect(&pull.bind(TCP).unwrap()).unwrap();
    for _ in 0..100 {
        push.send(vec![0; 100]).unwrap();
        let mut message = pull.recv_msg().unwrap();
        let second = message.as_raw().cast::<*mut *mut c_void>().wrapping_add(1);
        // SAFETY: the message is large, so its second word is the pointer to its content.
        let content = unsafe { *second };
        assert!(content.is_aligned(), "{content:?}");
    }
}
