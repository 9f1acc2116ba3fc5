//! Messages that are written: in place if nothing else has the content, else in a copy. Messages that are filled.

mod common;

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use common::{TCP, pair};
use zmq::{Context, Errno, Message, Multipart, Pair, Socket};

/// The longest content that is kept in the message itself.
const INLINE: usize = 33;

/// Sizes in the message, in the buffer of a connection, and in memory of their own.
const SIZES: [usize; 6] = [1, INLINE, INLINE + 1, 1000, 10_000, 1_000_000];

/// Writes the last byte of a message, and returns whether `make_mut` returned the old place. The other bytes must stay.
fn is_written_in_place(message: &mut Message) -> bool {
    let (place, len) = (message.as_ptr(), message.len());
    let mut expected = message.to_vec();
    let content = message.make_mut();
    content[len - 1] = b'!';
    expected[len - 1] = b'!';
    assert_eq!(content, expected);
    let in_place = message.as_ptr() == place;

    // Once written, it is not copied again.
    let place = message.as_ptr();
    message.make_mut()[0] = b'?';
    expected[0] = b'?';
    assert!(*message == expected && message.as_ptr() == place);
    in_place
}

/// The content of a static.
static CONSTANT: [u8; 100] = [b'c'; 100];

/// An owner of bytes that other code reads too.
struct Owner(Arc<Vec<u8>>);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[deadline::test]
fn make_mut_writes_content_of_the_message_alone_in_place() {
    for size in SIZES {
        let bytes = vec![b'x'; size];
        for mut message in [
            Message::from(bytes.as_slice()),
            Message::from(bytes.clone()),
            Message::from(bytes.clone().into_boxed_slice()),
            Message::from("x".repeat(size)),
            Message::with_size(size).unwrap(),
            Message::fill(size, |content| content.fill(b'x')).unwrap(),
            Message::try_fill(size, |_| Ok::<_, zmq::Error>(())).unwrap(),
            Message::written_by(size, |content| content.write_all(&bytes)).unwrap(),
        ] {
            assert!(is_written_in_place(&mut message), "{size}");
        }
    }
    assert!(Message::new().make_mut().is_empty());
}

#[deadline::test]
fn make_mut_copies_content_of_clones_constants_and_owners() {
    for size in [INLINE + 1, 1000, 1_000_000] {
        let bytes = vec![b'x'; size];
        let mut message = Message::from(bytes.clone());
        let clone = message.clone();
        assert!(!is_written_in_place(&mut message));
        assert_eq!(clone, bytes);

        // libzmq does not tell that no clone is left.
        let mut message = Message::from(bytes.clone());
        drop(message.clone());
        assert!(!is_written_in_place(&mut message));

        let shared: Arc<[u8]> = bytes.clone().into();
        assert!(!is_written_in_place(&mut Message::from(shared.clone())));
        assert_eq!(*shared, *bytes);

        let shared = Arc::new(bytes.clone());
        let mut message = Message::from_owner(Owner(shared.clone()));
        assert!(!is_written_in_place(&mut message));
        assert_eq!(*shared, bytes);
    }
    for mut message in [Message::from_static(&CONSTANT), Message::from_owner(Owner(Arc::new(b"short".to_vec())))] {
        assert!(!is_written_in_place(&mut message));
    }
    assert_eq!(CONSTANT, [b'c'; 100]);
    assert!(Message::from_static(b"").make_mut().is_empty());
}

#[deadline::test]
fn make_mut_leaves_the_other_clone_alone_at_every_size() {
    for size in SIZES {
        let bytes = vec![b'x'; size];
        let mut message = Message::from(bytes.as_slice());
        let mut clone = message.clone();
        message.make_mut().fill(b'm');
        assert_eq!(clone, bytes);
        clone.make_mut().fill(b'c');
        assert!(message.iter().all(|byte| *byte == b'm') && clone.iter().all(|byte| *byte == b'c'));
    }
}

#[deadline::test]
fn make_mut_drops_the_owner_whose_content_it_copied() {
    struct Counted(Arc<AtomicUsize>);
    impl AsRef<[u8]> for Counted {
        fn as_ref(&self) -> &[u8] {
            &CONSTANT
        }
    }
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let mut message = Message::from_owner(Counted(dropped.clone()));
    assert!(!is_written_in_place(&mut message));
    common::eventually("the owner is dropped", || dropped.load(SeqCst) == 1);
    drop(message);
    common::wait_for_dropped_owners();
    assert_eq!(dropped.load(SeqCst), 1);
}

#[deadline::test]
fn make_mut_writes_messages_of_connections_in_place() {
    let context = Context::new().unwrap();
    for endpoint in [TCP, "ipc://*", "ws://127.0.0.1:*"] {
        if endpoint.starts_with("ws") && !zmq::has("ws") {
            continue;
        }
        let (left, right) = pair(&context, endpoint);
        for size in SIZES {
            left.send(Message::from(Arc::<[u8]>::from(vec![b'x'; size]))).unwrap();
            let mut message = right.recv_msg().unwrap();
            let fd = message.source_fd();
            assert!(fd.is_some(), "{endpoint}");
            assert!(is_written_in_place(&mut message), "{endpoint}, {size}");
            assert_eq!((message.source_fd(), message.gets("Socket-Type").as_deref()), (fd, Some("PAIR")));
            right.send(&message).unwrap();
            assert_eq!(left.recv_msg().unwrap(), message);
        }
    }
}

/// libzmq decodes several messages into one buffer.
#[deadline::test]
fn written_messages_leave_their_neighbours_in_the_buffer_alone() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, TCP);
    let sizes = |number: usize| INLINE + 1 + number % 300;
    for round in 0..10 {
        (0..200).for_each(|number| left.send(vec![number as u8; sizes(number)]).unwrap());
        let mut messages: Vec<Message> = (0..200).map(|_| right.recv_msg().unwrap()).collect();
        // More messages come into the same buffers meanwhile.
        (0..200).for_each(|_| left.send(vec![0xee; 100]).unwrap());
        messages.iter_mut().step_by(2).for_each(|message| message.make_mut().fill(0xff));
        (0..200).for_each(|_| assert_eq!(right.recv_msg().unwrap(), vec![0xee; 100]));
        for (number, message) in messages.iter().enumerate() {
            let expected = if number % 2 == 0 { 0xff } else { number as u8 };
            assert_eq!(*message, vec![expected; sizes(number)], "{round}, {number}");
        }
    }
}

/// Sends content that the sender keeps, and returns the sender's content and the received message.
fn received_from_owner(left: &Socket<'_, Pair>, right: &Socket<'_, Pair>) -> (Arc<[u8]>, Message) {
    let shared: Arc<[u8]> = vec![b'x'; 1000].into();
    left.send(shared.clone()).unwrap();
    (shared, right.recv_msg().unwrap())
}

#[deadline::test]
fn make_mut_copies_what_an_owner_sent_over_inproc() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, "inproc://owners");
    let (shared, mut message) = received_from_owner(&left, &right);
    assert!(!is_written_in_place(&mut message));
    assert_eq!(*shared, [b'x'; 1000]);
    left.send(Message::from_static(&CONSTANT)).unwrap();
    assert!(!is_written_in_place(&mut right.recv_msg().unwrap()));
    assert_eq!(CONSTANT, [b'c'; 100]);
    left.send("short").unwrap();
    assert!(is_written_in_place(&mut right.recv_msg().unwrap()));
}

/// A message that owned its content does not own content that is received into it.
#[deadline::test]
fn make_mut_copies_what_was_received_into_a_message_that_owned_its_content() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, "inproc://reused");
    let mut message = Message::from(vec![b'o'; 1000]);
    assert!(is_written_in_place(&mut message));
    let shared: Arc<[u8]> = vec![b'x'; 1000].into();
    left.send(shared.clone()).unwrap();
    right.recv(&mut message).unwrap();
    assert!(!is_written_in_place(&mut message));
    assert_eq!(*shared, [b'x'; 1000]);
}

/// A send that fails leaves the content, and one that succeeds leaves an empty message.
#[deadline::test]
fn make_mut_writes_a_message_that_was_not_sent() {
    let context = Context::new().unwrap();
    let socket = context.socket(zmq::Rep).unwrap();
    let mut message = socket.send(vec![b'x'; 1000]).unwrap_err().into_message();
    assert!(is_written_in_place(&mut message));
    let shared: Arc<[u8]> = vec![b'x'; 1000].into();
    let mut message = socket.send(shared.clone()).unwrap_err().into_message();
    assert!(!is_written_in_place(&mut message));
    assert_eq!(*shared, [b'x'; 1000]);
}

/// libzmq clears the MORE flag of a part that was not copied.
#[deadline::test]
fn copied_part_has_no_more_flag_after_a_failed_send() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, "inproc://followed");
    let socket = context.socket(zmq::Rep).unwrap();
    for copied in [true, false] {
        left.send_multipart([vec![b'x'; 1000], vec![]]).unwrap();
        let mut message = right.recv_msg().unwrap();
        if copied {
            assert!(!is_written_in_place(&mut message));
        }
        assert!(message.more() && right.recv_msg().unwrap().is_empty());
        assert!(!socket.send(message).unwrap_err().into_message().more());
    }
}

/// libzmq reads and writes the memory that C code has put into the message.
#[deadline::test]
fn make_mut_copies_what_c_code_has_put_into_a_message() {
    unsafe extern "C" fn free(_: *mut std::ffi::c_void, _: *mut std::ffi::c_void) {}
    let mut message = Message::from(vec![b'x'; 1000]);
    let raw = message.as_raw();
    // SAFETY: the structure is an initialised message.
    assert_eq!(unsafe { zmq::sys::zmq_msg_close(raw) }, 0);
    let content = CONSTANT.as_ptr().cast_mut().cast();
    // SAFETY: the structure is a closed message; the static lives for ever, and nothing frees it.
    assert_eq!(unsafe { zmq::sys::zmq_msg_init_data(raw, content, 100, Some(free), std::ptr::null_mut()) }, 0);
    assert!(!message.is_shared());
    assert!(!is_written_in_place(&mut message));
    assert_eq!(CONSTANT, [b'c'; 100]);
}

#[deadline::test]
fn copy_of_a_part_keeps_its_more_flag() {
    let context = Context::new().unwrap();
    let (left, right) = pair(&context, "inproc://parts");
    left.send_multipart(Multipart::from([vec![b'x'; 100], vec![b'y'; 100]])).unwrap();
    let mut part = right.recv_msg().unwrap();
    assert!(!is_written_in_place(&mut part) && part.more() && part.clone().more());
    // The next content is the last part, and has no MORE flag.
    right.recv(&mut part).unwrap();
    assert!(!part.more());
    assert!(!is_written_in_place(&mut part) && !part.more());
}

#[cfg(feature = "draft")]
#[deadline::test]
fn copy_keeps_routing_id_and_group() {
    let id = std::num::NonZeroU32::new(77).unwrap();
    for group in ["g", "a group with a long name, which is kept elsewhere"] {
        let mut message = Message::from(vec![b'x'; 1000]);
        message.set_routing_id(id).unwrap();
        message.set_group(group).unwrap();
        let clone = message.clone();
        assert!(!is_written_in_place(&mut message));
        assert_eq!((message.routing_id(), &*message.group()), (Some(id), group));
        assert_eq!((clone.routing_id(), &*clone.group()), (Some(id), group));
    }
}

#[deadline::test]
fn try_fill_returns_the_error_of_its_closure() {
    let filled = Message::try_fill(3, |content| {
        assert_eq!(content, [0; 3]);
        content[1] = 7;
        io::Result::Ok(())
    });
    assert_eq!(filled.unwrap(), [0, 7, 0]);
    let failed = Message::try_fill(1000, |_| Err(io::Error::from(ErrorKind::UnexpectedEof)));
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    let failed = Message::try_fill(usize::MAX, |_| Ok::<_, zmq::Error>(())).unwrap_err();
    assert_eq!((failed.errno(), failed.call()), (Errno::ENOMEM, "zmq_msg_init_size"));
}

#[deadline::test]
fn written_by_appends_and_leaves_zeros_at_the_end() {
    for size in SIZES {
        let bytes = vec![b'x'; size];
        for written in [0, 1, size / 2, size] {
            let message = Message::written_by(size, |content| {
                // In two steps.
                content.write_all(&bytes[..written / 2])?;
                content.write_all(&bytes[written / 2..written])
            });
            let expected = [&bytes[..written], &vec![0; size - written]].concat();
            assert_eq!(message.unwrap(), expected, "{size}, {written}");
        }
    }
    assert!(Message::written_by(0, |_| io::Result::Ok(())).unwrap().is_empty());
    let copied = Message::written_by(5, |content| io::copy(&mut &b"Hello"[..], content).map(drop));
    assert_eq!(copied.unwrap(), "Hello");
}

#[deadline::test]
fn written_by_refuses_more_than_the_size() {
    for size in SIZES {
        let bytes = vec![b'x'; size + 1];
        let failed = Message::written_by(size, |content| content.write_all(&bytes));
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::WriteZero);
        let message = Message::written_by(size, |content| {
            assert_eq!(content.write(&bytes)?, size);
            assert_eq!(content.write(&bytes)?, 0);
            content.flush()
        });
        assert_eq!(message.unwrap(), bytes[1..]);
    }
    let failed = Message::written_by(usize::MAX, |_| Ok::<_, zmq::Error>(())).unwrap_err();
    assert_eq!((failed.errno(), failed.call()), (Errno::ENOMEM, "zmq_msg_init_size"));
    let panic = std::panic::catch_unwind(|| Message::written_by(1000, |_| -> io::Result<()> { panic!("on purpose") }));
    panic.unwrap_err();
}
