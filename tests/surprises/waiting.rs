//! Waiting and ending.

use std::os::fd::AsFd;
use std::sync::LazyLock;
use std::time::Duration;

use zmq::{Context, Pair, PollEvents, PollItem, Poller, Push, Socket, Sub, poll};

use crate::common::{DEADLINE, Process, alone, context, eventually, pair, role, text};
use crate::{SHORT, absent, transports};

/// The descriptor of a socket is not readable while messages are there
#[deadline::test]
fn descriptor_is_not_readable_while_messages_are_there() {
    for endpoint in transports() {
        let context = context();
        let (left, right): (Socket<'_, Pair>, _) = pair(&context, &endpoint);
        left.send("one").unwrap();
        left.send("two").unwrap();
        left.send("three").unwrap();
        assert_eq!(text(&right), "one");
        eventually("the other messages are there", || {
            right.events().unwrap().contains(PollEvents::POLLIN)
                && poll(&mut [PollItem::fd(right.fd().unwrap(), PollEvents::POLLIN)], SHORT).unwrap() == 0
        });
        assert_eq!((text(&right), text(&right)), ("two".to_owned(), "three".to_owned()));
    }
}

/// The end of a pipe is POLLERR without POLLIN
#[deadline::test]
fn end_of_a_pipe_is_an_error_without_input() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(writer);
    let mut items = [PollItem::fd(reader.as_fd(), PollEvents::POLLIN)];
    assert_eq!(poll(&mut items, DEADLINE).unwrap(), 1);
    assert_eq!(items[0].revents(), PollEvents::POLLERR);
    let mut poller = Poller::new().unwrap();
    poller.add(reader.as_fd(), 0, PollEvents::POLLIN).unwrap();
    let events = poller.wait(DEADLINE).unwrap();
    assert_eq!(events[0].revents, PollEvents::POLLERR);
    // A stream socket has both.
    let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    drop(far);
    let mut items = [PollItem::fd(near.as_fd(), PollEvents::POLLIN)];
    assert_eq!(poll(&mut items, DEADLINE).unwrap(), 1);
    assert_eq!(items[0].revents(), PollEvents::POLLIN | PollEvents::POLLERR);
}

/// The end of a context waits without end for unsent messages
#[deadline::test]
fn end_of_a_context_waits_for_unsent_messages() {
    static CONTEXT: LazyLock<Context> = LazyLock::new(|| Context::new().unwrap());
    if role().is_some() {
        let socket = CONTEXT.socket(Push).unwrap();
        socket.connect("tcp://127.0.0.1:9").unwrap();
        socket.send("lost").unwrap();
        drop(socket);
        // The exit of the process does not wait.
        std::process::exit(0);
    }
    Process::spawn(&mut alone("waiting::end_of_a_context_waits_for_unsent_messages", "exits")).succeeds();
    for (endpoint, _port) in absent() {
        for blocky in [true, false] {
            let context = Context::new().unwrap();
            context.set_blocky(blocky).unwrap();
            let push = context.socket(Push).unwrap();
            push.connect(&endpoint).unwrap();
            push.send("unsent").unwrap();
            assert_eq!(push.linger().unwrap(), (!blocky).then_some(Duration::ZERO));
            assert_eq!(context.socket(Sub).unwrap().linger().unwrap(), Some(Duration::ZERO));
            drop(push);
            assert_eq!(context.terminate(if blocky { SHORT } else { DEADLINE }).is_err(), blocky);
        }
    }
}
