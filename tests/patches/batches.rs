//! stream_engine_base_t and shared_message_memory_allocator: how much the I/O thread reads and writes at once.

use zmq::{Context, Message, Pull, Push, Socket};

use crate::common::{DEADLINE, TCP, context};

const COUNT: usize = 2000;
const SIZE: usize = 1000;
/// The flags and the length in front of a message of this size.
const HEADER: usize = 9;

/// A PUSH that has sent `COUNT` messages, and the PULL that it is connected to. The I/O thread stops reading at the mark, so
/// the system has more to read when it goes on.
fn stream(context: &Context) -> (Socket<'_, Push>, Socket<'_, Pull>) {
    let (push, pull) = (context.socket(Push).unwrap(), context.socket(Pull).unwrap());
    push.set_sndhwm(0).unwrap();
    pull.set_rcvhwm(10).unwrap();
    push.connect(&pull.bind(TCP).unwrap()).unwrap();
    for _ in 0..COUNT {
        push.send([0; SIZE]).unwrap();
    }
    (push, pull)
}

fn receive(pull: &Socket<'_, Pull>) -> Message {
    pull.within(DEADLINE / 4).recv_msg().unwrap().expect("a message")
}

/// Messages that came by one read lie in one buffer, one behind the other.
#[deadline::test(patches = [2004])]
fn stream_is_read_in_batches_of_64_kib() {
    let context = context();
    let (_push, pull) = stream(&context);
    let messages: Vec<Message> = (0..COUNT).map(|_| receive(&pull)).collect();
    let follows = |two: &[Message]| two[1].as_ptr().addr() == two[0].as_ptr().addr() + SIZE + HEADER;
    let pairs: Vec<&[Message]> = messages.windows(2).collect();
    let longest = pairs.split(|two| !follows(two)).map(<[_]>::len).max().unwrap_or_default();
    assert!(longest > 50, "{longest} messages of {SIZE} bytes came by one read");
}

/// Each write of 64 KiB fails here. Without the patch there is none.
#[cfg(target_os = "linux")]
#[deadline::test(patches = [2004])]
fn stream_is_written_in_batches_of_64_kib() {
    use std::thread;
    use std::time::Duration;

    use crate::common::descriptors::fail_system_call;
    use crate::common::skip_unless;

    // The I/O thread is started here, and has this thread's filter.
    let run = || {
        let refused = fail_system_call(libc::SYS_sendto, Some((2, 64 << 10)), libc::EPIPE);
        if skip_unless(refused.is_ok(), "this process may not filter its system calls") {
            return;
        }
        let context = context();
        let (_push, pull) = stream(&context);
        let received = (0..COUNT).take_while(|_| pull.within(Duration::from_secs(1)).recv_msg().unwrap().is_some());
        assert!(received.count() < COUNT);
    };
    thread::scope(|scope| scope.spawn(run).join().unwrap());
}

/// A message that comes alone after a stream keeps a buffer of 8 KiB alive, with the records of its messages.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[deadline::test]
fn message_that_comes_alone_keeps_no_large_batch() {
    crate::common::in_own_process("batches::message_that_comes_alone_keeps_no_large_batch", || {
        let context = context();
        let (push, pull) = stream(&context);
        (0..COUNT).for_each(|_| drop(receive(&pull)));
        let alone = || {
            push.send([0; SIZE]).unwrap();
            receive(&pull)
        };
        // The buffer of the stream is still in use.
        let _first = [alone(), alone()];
        // SAFETY: has no preconditions.
        let in_use = || unsafe { libc::mallinfo2() }.uordblks;
        let before = in_use();
        let messages: Vec<Message> = (0..100).map(|_| alone()).collect();
        let each = in_use().saturating_sub(before) / messages.len();
        assert!(each < 32 << 10, "{each} bytes for each message");
    });
}
