//! Messages: the types that they are made of, without a copy if the docs promise that, and how they are shared and freed.

mod common;

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use common::{eventually, wait_for_dropped_owners};
use zmq::{Context, Dealer, Message, Pair, Pull, Push, Rep, Req};

/// The longest content that is kept in the message itself.
const INLINE: usize = 33;

/// Sends a message over `inproc://`, and returns the received one.
fn through_inproc(message: Message) -> Message {
    let context = Context::new().unwrap();
    let (left, right) = (context.socket(Pair).unwrap(), context.socket(Pair).unwrap());
    left.bind("inproc://pair").unwrap();
    right.connect("inproc://pair").unwrap();
    left.send(message).unwrap();
    right.recv_msg().unwrap()
}

/// An owner of bytes that counts how often it is dropped.
struct Counted {
    bytes: Vec<u8>,
    dropped: Arc<AtomicUsize>,
}

impl Counted {
    fn new(size: usize) -> (Counted, Arc<AtomicUsize>) {
        let dropped = Arc::new(AtomicUsize::new(0));
        (Counted { bytes: vec![b'x'; size], dropped: dropped.clone() }, dropped)
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, SeqCst);
    }
}

#[deadline::test]
fn message_is_made_of_bytes_and_texts() {
    let text = String::from("Hello");
    let bytes = b"Hello".to_vec();
    for message in [
        Message::from("Hello"),
        Message::from(&text),
        Message::from(text.clone()),
        Message::from(&b"Hello"[..]),
        Message::from(b"Hello"),
        Message::from(*b"Hello"),
        Message::from(&bytes),
        Message::from(bytes.clone()),
        Message::from(bytes.clone().into_boxed_slice()),
        Message::from(Arc::<[u8]>::from(&bytes[..])),
        Message::from_static(b"Hello"),
        Message::from_owner(bytes.clone()),
        Message::from(&Message::from("Hello")),
        Message::fill(5, |content| content.copy_from_slice(&bytes)).unwrap(),
        through_inproc(Message::from("Hello")),
    ] {
        assert_eq!(&*message, b"Hello");
        assert_eq!(message.as_str(), Some("Hello"));
        assert_eq!(message.len(), 5);
        assert!(!message.more());
    }
}

#[deadline::test]
fn empty_message_is_made_of_every_type() {
    for message in [
        Message::new(),
        Message::default(),
        Message::from(""),
        Message::from(String::new()),
        Message::from(Vec::new()),
        Message::from(Vec::with_capacity(1000)),
        Message::from(Box::<[u8]>::default()),
        Message::from(Arc::<[u8]>::from(&[][..])),
        Message::from_static(b""),
        Message::from_owner(Vec::new()),
        Message::with_size(0).unwrap(),
        through_inproc(Message::new()),
        through_inproc(Message::from_owner(Vec::new())),
        through_inproc(Message::from_static(b"")),
    ] {
        assert!(message.is_empty());
        assert_eq!(message, "");
    }
}

#[deadline::test]
fn message_of_a_size_is_zero_or_filled_by_a_closure() {
    for size in [1, INLINE, INLINE + 1, 100_000] {
        assert_eq!(Message::with_size(size).unwrap(), vec![0; size]);
        let message = Message::fill(size, |content| {
            assert!(content.iter().all(|byte| *byte == 0));
            content[size - 1] = 7;
        });
        assert_eq!(message.unwrap()[size - 1], 7);
    }
    let error = Message::with_size(usize::MAX).unwrap_err();
    assert_eq!((error.errno(), error.call()), (zmq::Errno::ENOMEM, "zmq_msg_init_size"));
    assert!(error.to_string().contains(&usize::MAX.to_string()), "{error}");
}

#[deadline::test]
fn long_content_is_handed_over_without_a_copy() {
    for size in [INLINE + 1, 1000, 1 << 20] {
        let vec = vec![b'x'; size];
        let place = vec.as_ptr();
        assert_eq!(through_inproc(Message::from(vec)).as_ptr(), place, "Vec");

        let mut roomy = Vec::with_capacity(size * 2);
        roomy.resize(size, b'x');
        let place = roomy.as_ptr();
        assert_eq!(through_inproc(Message::from(roomy)).as_ptr(), place, "Vec with room to spare");

        let string = "x".repeat(size);
        let place = string.as_ptr();
        assert_eq!(through_inproc(Message::from(string)).as_ptr(), place, "String");

        let boxed = vec![b'x'; size].into_boxed_slice();
        let place = boxed.as_ptr();
        assert_eq!(through_inproc(Message::from(boxed)).as_ptr(), place, "Box");

        let arc: Arc<[u8]> = vec![b'x'; size].into();
        let message = through_inproc(Message::from(arc.clone()));
        assert_eq!(message.as_ptr(), arc.as_ptr(), "Arc");
        assert_eq!(Arc::strong_count(&arc), 2);
        drop(message);
        assert_eq!(Arc::strong_count(&arc), 1);
    }
}

#[deadline::test]
fn owners_and_constants_are_handed_over_at_any_size() {
    static CONSTANT: [u8; 100] = [b'x'; 100];
    for size in [1, INLINE, INLINE + 1, 100] {
        assert_eq!(through_inproc(Message::from_static(&CONSTANT[..size])).as_ptr(), CONSTANT.as_ptr());
        let (owner, dropped) = Counted::new(size);
        let place = owner.bytes.as_ptr();
        let message = through_inproc(Message::from_owner(owner));
        assert_eq!((message.as_ptr(), message.len()), (place, size));
        wait_for_dropped_owners();
        assert_eq!(dropped.load(SeqCst), 0);
        drop(message);
        wait_for_dropped_owners();
        assert_eq!(dropped.load(SeqCst), 1);
    }
}

#[deadline::test]
fn short_content_is_kept_in_the_message() {
    let inside = |message: &Message| {
        let (start, place) = (std::ptr::from_ref(message).addr(), message.as_ptr().addr());
        (start..start + size_of::<Message>()).contains(&place)
    };
    for (size, expected) in [(1, true), (INLINE, true), (INLINE + 1, false)] {
        let content = vec![b'x'; size];
        let arc: Arc<[u8]> = content.clone().into();
        for message in [
            Message::from(&content),
            Message::from(content.clone()),
            Message::from(String::from_utf8(content.clone()).unwrap()),
            Message::from(content.clone().into_boxed_slice()),
            Message::from(arc.clone()),
            Message::with_size(size).unwrap(),
        ] {
            assert_eq!(inside(&message), expected, "{size} bytes");
        }
        assert_eq!(Arc::strong_count(&arc), 1, "a copy does not keep the Arc");
    }
}

#[deadline::test]
fn slices_are_copied() {
    let content = vec![b'x'; 1000];
    for message in [Message::from(&content), Message::from(content.as_slice())] {
        assert_ne!(message.as_ptr(), content.as_ptr());
        assert_eq!(message, content);
    }
}

#[cfg(feature = "bytes")]
#[deadline::test]
fn bytes_go_in_and_out_without_a_copy() {
    use bytes::Bytes;

    let long = Bytes::from(vec![b'x'; 1000]);
    let message = through_inproc(Message::from(long.clone()));
    assert_eq!(message.as_ptr(), long.as_ptr());
    let back = Bytes::from(message);
    assert_eq!((back.as_ptr(), &back), (long.as_ptr(), &long));
    assert_eq!(back.slice(10..20).as_ptr(), long[10..].as_ptr());

    let short = Bytes::from(vec![b'x'; INLINE]);
    let message = Message::from(short.clone());
    assert_ne!(message.as_ptr(), short.as_ptr());
    assert!(short.is_unique());
    assert_eq!(Bytes::from(message), short);
    assert_eq!(Bytes::from(Message::new()), Bytes::new());
}

#[deadline::test]
fn clone_shares_long_content_and_copies_short_content() {
    let long = Message::from(vec![b'x'; INLINE + 1]);
    assert!(!long.is_shared());
    let clone = long.clone();
    assert_eq!(clone.as_ptr(), long.as_ptr());
    assert!(long.is_shared() && clone.is_shared());
    assert_eq!(Message::from(&long).as_ptr(), long.as_ptr());

    let short = Message::from(vec![b'x'; INLINE]);
    let clone = short.clone();
    assert_ne!(clone.as_ptr(), short.as_ptr());
    assert_eq!(clone, short);
    assert!(!short.is_shared());
    assert!(Message::from_static(b"for ever").is_shared());
}

#[deadline::test]
fn clones_of_a_message_go_to_many_sockets() {
    let context = Context::new().unwrap();
    let message = Message::from(vec![b'x'; 1000]);
    let source = context.socket(Push).unwrap();
    let sinks: Vec<_> = (0..3)
        .map(|number| {
            let sink = context.socket(Pull).unwrap();
            sink.bind(&format!("inproc://{number}")).unwrap();
            source.connect(&format!("inproc://{number}")).unwrap();
            sink
        })
        .collect();
    sinks.iter().for_each(|_| source.send(&message).unwrap());
    for sink in &sinks {
        assert_eq!(sink.recv_msg().unwrap().as_ptr(), message.as_ptr());
    }
    assert_eq!(message, vec![b'x'; 1000]);
}

#[deadline::test]
fn owners_are_dropped_once() {
    // The message is never sent, and its clones are dropped in any order.
    let (owner, dropped) = Counted::new(1000);
    let message = Message::from_owner(owner);
    let clones = [message.clone(), message.clone(), message.clone().clone()];
    drop(message);
    wait_for_dropped_owners();
    assert_eq!(dropped.load(SeqCst), 0);
    assert_eq!(clones[2], vec![b'x'; 1000]);
    drop(clones);
    wait_for_dropped_owners();
    assert_eq!(dropped.load(SeqCst), 1);

    // The message cannot be sent without a peer, and a received message replaces it.
    let context = Context::new().unwrap();
    let (owner, dropped) = Counted::new(1000);
    let source = context.socket(Push).unwrap();
    let mut message = source.now().send(Message::from_owner(owner)).unwrap().into_unsent().unwrap();
    wait_for_dropped_owners();
    assert_eq!(dropped.load(SeqCst), 0);
    let sink = context.socket(Pull).unwrap();
    source.connect(&sink.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    source.send("other content").unwrap();
    sink.recv(&mut message).unwrap();
    wait_for_dropped_owners();
    assert_eq!(dropped.load(SeqCst), 1);

    // Over tcp an I/O thread drops the owner when the message is written.
    let (owner, dropped) = Counted::new(100_000);
    source.send(Message::from_owner(owner)).unwrap();
    sink.recv_msg().unwrap();
    eventually("the owner is dropped", || dropped.load(SeqCst) == 1);
}

#[deadline::test]
fn owners_of_undelivered_messages_are_dropped_with_the_context() {
    let context = Context::new().unwrap();
    let source = context.socket(Push).unwrap();
    source.set_linger(Some(Duration::ZERO)).unwrap();
    let sink = context.socket(Pull).unwrap();
    sink.bind("inproc://sink").unwrap();
    source.connect("inproc://sink").unwrap();
    let (owner, dropped) = Counted::new(1000);
    source.send_multipart([Message::from_owner(owner)]).unwrap();
    let (begun, dropped_begun) = Counted::new(1000);
    source.send_more(Message::from_owner(begun)).unwrap();
    drop((source, sink));
    context.terminate(common::DEADLINE).unwrap();
    wait_for_dropped_owners();
    assert_eq!(dropped.load(SeqCst), 1);
    assert_eq!(dropped_begun.load(SeqCst), 1);
}

#[deadline::test]
fn panic_of_an_owner_is_contained() {
    struct Panics(Vec<u8>, Arc<AtomicUsize>);
    impl AsRef<[u8]> for Panics {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    impl Drop for Panics {
        fn drop(&mut self) {
            self.1.fetch_add(1, SeqCst);
            panic!("on purpose: the panic must not leave the drop of the owner");
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let message = Message::from_owner(Panics(vec![0; 100], dropped.clone()));
    drop(message);
    wait_for_dropped_owners();
    assert_eq!(dropped.load(SeqCst), 1);
}

#[deadline::test]
fn several_threads_clone_one_message_at_once() {
    const ROUNDS: usize = 20_000;
    let (owner, dropped) = Counted::new(1000);
    let message = Message::from_owner(owner);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut kept = Vec::new();
                for round in 0..ROUNDS {
                    let clone = message.clone();
                    assert_eq!(clone.as_ptr(), message.as_ptr());
                    assert!(!message.more() && message.is_shared() && clone.is_shared());
                    assert_eq!(message[round % 1000], b'x');
                    if round % 100 == 0 {
                        kept.push(clone);
                    }
                }
            });
        }
    });
    wait_for_dropped_owners();
    assert_eq!(dropped.load(SeqCst), 0);
    drop(message);
    wait_for_dropped_owners();
    assert_eq!(dropped.load(SeqCst), 1, "every share was counted");
}

#[deadline::test]
fn first_clones_of_a_message_may_race() {
    // libzmq counts the first share without an atomic operation. Here two threads make it at the same moment.
    const ROUNDS: usize = 5000;
    let (messages, counters): (Vec<_>, Vec<_>) = (0..ROUNDS)
        .map(|_| {
            let (owner, dropped) = Counted::new(100);
            (Message::from_owner(owner), dropped)
        })
        .unzip();
    let arrived = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for (round, message) in messages.iter().enumerate() {
                    arrived.fetch_add(1, SeqCst);
                    let mut spins = 0;
                    while arrived.load(SeqCst) < 2 * (round + 1) {
                        spins += 1;
                        if spins % 1000 == 0 {
                            thread::yield_now();
                        }
                        std::hint::spin_loop();
                    }
                    drop(message.clone());
                }
            });
        }
    });
    wait_for_dropped_owners();
    assert!(counters.iter().all(|dropped| dropped.load(SeqCst) == 0));
    drop(messages);
    wait_for_dropped_owners();
    assert!(counters.iter().all(|dropped| dropped.load(SeqCst) == 1));
}

#[deadline::test]
fn debug_shows_size_and_head() {
    for (message, text) in [
        (Message::new(), r#"Message(0 bytes, "")"#),
        (Message::from("Hello"), r#"Message(5 bytes, "Hello")"#),
        (Message::from(b"a\"b\\\x00\xff\n"), r#"Message(7 bytes, "a\"b\\\x00\xff\n")"#),
        (Message::from("x".repeat(32)), r#"Message(32 bytes, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")"#),
        (Message::from("x".repeat(33)), r#"Message(33 bytes, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"...)"#),
    ] {
        assert_eq!(format!("{message:?}"), text);
    }
}

#[deadline::test]
fn to_str_checks_that_the_content_is_utf8() {
    assert_eq!(Message::from("caf\u{e9}").to_str().unwrap(), "caf\u{e9}");
    let latin = Message::from(b"caf\xe9");
    assert_eq!(latin.as_str(), None);
    assert_eq!(latin.to_str().unwrap_err().valid_up_to(), 3);
}

#[deadline::test]
#[expect(clippy::mutable_key_type, reason = "what changes inside a message has no part in its hash")]
fn message_compares_and_hashes_as_its_bytes() {
    let hash = |value: &dyn Fn(&mut DefaultHasher)| {
        let mut hasher = DefaultHasher::new();
        value(&mut hasher);
        hasher.finish()
    };
    let (a, b) = (Message::from("a"), Message::from("b"));
    assert_eq!(a, Message::from(vec![b'a']));
    assert_ne!(a, b);
    assert_eq!(a.cmp(&b), Ordering::Less);
    let (longer, empty) = (Message::from("ab"), Message::new());
    assert!(longer > a && empty < a);
    assert_eq!(hash(&|hasher| a.hash(hasher)), hash(&|hasher| b"a"[..].hash(hasher)));
    assert_eq!(a, "a");
    assert_eq!(a, *"a");
    assert_eq!(a, String::from("a"));
    assert_eq!(a, b"a");
    assert_eq!(a, *b"a");
    assert_eq!(a, b"a"[..]);
    assert_eq!(a, vec![b'a']);

    // A map of messages can therefore be searched by bytes.
    let map = HashMap::from([(a.clone(), 1), (b.clone(), 2)]);
    assert_eq!(map.get(&b"b"[..]), Some(&2));
    assert_eq!(BTreeSet::from([b, a]).first().unwrap(), "a");
}

#[deadline::test]
fn received_messages_have_the_properties_of_their_connection() {
    if common::lacks_ipc() {
        return;
    }
    let directory = std::env::temp_dir().join(format!("safe-zmq-message-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let ipc = format!("ipc://{}", directory.join("socket").display());
    for endpoint in ["tcp://127.0.0.1:*", &ipc] {
        let context = Context::new().unwrap();
        let (server, client) = (context.socket(Dealer).unwrap(), context.socket(Dealer).unwrap());
        client.set_routing_id("alice").unwrap();
        client.connect(&server.bind(endpoint).unwrap()).unwrap();
        client.send_multipart(["part", "last"]).unwrap();
        for part in server.recv_multipart().unwrap() {
            assert_eq!(part.gets("Socket-Type").as_deref(), Some("DEALER"));
            assert_eq!(part.gets("Identity").as_deref(), Some("alice"));
            assert_eq!(part.clone().gets("Identity").as_deref(), Some("alice"), "a clone has them too");
            if endpoint.starts_with("tcp") {
                assert_eq!(part.gets("Peer-Address").as_deref(), Some("127.0.0.1"));
            }
            // musl's getnameinfo refuses a Unix address, and libzmq then gives the message neither descriptor nor address.
            let is_known = endpoint.starts_with("tcp") || cfg!(not(target_env = "musl"));
            assert_eq!(part.source_fd().is_some(), is_known);
            for missing in ["socket-type", "Routing-Id", "User-Id", "X-mine", "", "a\0b"] {
                assert_eq!(part.gets(missing), None, "{missing:?}");
            }
        }
    }
    std::fs::remove_dir_all(&directory).unwrap();
}

#[deadline::test]
fn messages_over_inproc_have_no_properties() {
    let received = through_inproc(Message::from(vec![0; 100]));
    for message in [received, Message::from("never sent")] {
        for property in ["Socket-Type", "Identity", "Peer-Address"] {
            assert_eq!(message.gets(property), None);
        }
        assert_eq!(message.source_fd(), None);
    }
}

#[deadline::test]
fn received_message_can_be_sent() {
    let context = Context::new().unwrap();
    let (client, server) = (context.socket(Req).unwrap(), context.socket(Rep).unwrap());
    client.connect(&server.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    client.send_multipart(["a", "b"]).unwrap();
    // A part that was received with MORE is sent without it if it is sent last.
    let first = server.recv_msg().unwrap();
    assert!(first.more());
    server.recv_msg().unwrap();
    server.send(first).unwrap();
    assert_eq!(client.recv_multipart().unwrap(), ["a"]);
}

#[cfg(feature = "draft")]
#[deadline::test]
fn group_is_set_once() {
    fn refused(message: &mut Message, group: &str, why: &str) {
        let error = message.set_group(group).unwrap_err();
        assert_eq!((error.errno(), error.call()), (zmq::Errno::EINVAL, "zmq_msg_set_group"), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
    // libzmq keeps up to 14 bytes in the message, and shares longer groups among copies.
    for first in ["g", &"g".repeat(14), &"g".repeat(15), &"g".repeat(255)] {
        let mut message = Message::from("news");
        assert_eq!(message.group(), "");
        refused(&mut message, "", "1 to 255 bytes");
        refused(&mut message, &"g".repeat(256), "1 to 255 bytes");
        refused(&mut message, "sports\0", "NUL");
        assert_eq!(message.group(), "", "a group that is refused changes nothing");
        message.set_group(first).unwrap();
        for second in ["other", &"o".repeat(100), first] {
            refused(&mut message, second, "a group already");
        }
        let clone = message.clone();
        assert_eq!(message.group(), first);
        drop(message);
        assert_eq!((clone.group().as_ref(), clone.as_str()), (first, Some("news")));
    }
}

#[cfg(feature = "draft")]
#[deadline::test]
fn routing_id_is_set_and_read() {
    use std::num::NonZeroU32;

    let mut message = Message::from("Hello");
    assert_eq!(message.routing_id(), None);
    for id in [NonZeroU32::MIN, NonZeroU32::MAX] {
        message.set_routing_id(id).unwrap();
        assert_eq!(message.routing_id(), Some(id));
    }
    assert_eq!(message.clone().routing_id(), message.routing_id());
    assert_eq!(message, "Hello");
}
