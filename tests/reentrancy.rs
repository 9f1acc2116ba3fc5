//! User code that uses the very sockets and contexts that call it: destructors of owners, conversions, and captures.

mod common;

use std::cell::{Cell, OnceCell};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

#[cfg(feature = "draft")]
use common::skip_part_unless_patched;
use common::{DEADLINE, eventually, wait_for_dropped_owners};
use zmq::monitor::Events;
use zmq::security::Authenticator;
use zmq::{
    Context, Errno, Kind, Message, Multipart, PollEvents, PollItem, Poller, Pull, Push, SendError, Socket, Stream, Sub,
    TrySend, XPub, poll,
};
use zmq_patterns::{Actor, SharedSocket};

/// Bytes with a destructor.
struct Owner {
    bytes: Vec<u8>,
    when_dropped: fn(),
}

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        (self.when_dropped)();
    }
}

fn owned(size: usize, when_dropped: fn()) -> Message {
    Message::from_owner(Owner { bytes: vec![b'x'; size], when_dropped })
}

#[deadline::test]
fn owner_receives_from_the_socket_that_receives_into_its_message() {
    thread_local! {
        static PUBLISHER: OnceCell<Socket<'static, XPub>> = const { OnceCell::new() };
    }
    fn receive() {
        PUBLISHER.with(|publisher| publisher.get().map(|publisher| publisher.now().recv_msg().unwrap()));
    }
    let context = Context::new().unwrap();
    let publisher = context.owned_socket(XPub).unwrap();
    publisher.bind("inproc://news").unwrap();
    let subscriber = context.socket(Sub).unwrap();
    subscriber.connect("inproc://news").unwrap();
    subscriber.subscribe("a topic that is longer than a short one").unwrap();
    PUBLISHER.with(|cell| assert!(cell.set(publisher).is_ok()));
    PUBLISHER.with(|cell| {
        let publisher = cell.get().unwrap();
        let mut message = owned(100, receive);
        publisher.recv(&mut message).unwrap();
        assert!(message.ends_with(b"a short one"));
        assert!(publisher.now().recv_msg().unwrap().is_none(), "there was one subscription");
    });
    wait_for_dropped_owners();
}

#[deadline::test]
fn owner_sends_on_the_socket_that_sends_its_message() {
    thread_local! {
        static SERVER: OnceCell<(Socket<'static, Stream>, Message)> = const { OnceCell::new() };
    }
    fn send() {
        SERVER.with(|cell| cell.get().map(|(server, id)| server.send_more(id)));
    }
    let context = Context::new().unwrap();
    let server = context.owned_socket(Stream).unwrap();
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    let _client = TcpStream::connect(endpoint.trim_start_matches("tcp://")).unwrap();
    let id = server.recv_msg().unwrap();
    server.recv_msg().unwrap();
    server.send_more(&id).unwrap();
    SERVER.with(|cell| assert!(cell.set((server, id)).is_ok()));
    SERVER.with(|cell| cell.get().unwrap().0.send(owned(0, send))).unwrap();
    wait_for_dropped_owners();
}

#[deadline::test]
fn owner_shuts_down_the_context_that_binds_a_name() {
    thread_local! {
        static CONTEXT: OnceCell<Context> = const { OnceCell::new() };
    }
    fn shut_down() {
        CONTEXT.with(|context| context.get().map(Context::shutdown));
    }
    let context = Context::new().unwrap();
    CONTEXT.with(|cell| cell.set(context.clone())).unwrap();
    let source = context.socket(Push).unwrap();
    source.bind("inproc://a").unwrap();
    let sink = context.socket(Pull).unwrap();
    sink.connect("inproc://a").unwrap();
    source.send(owned(100, shut_down)).unwrap();
    sink.disconnect("inproc://a").unwrap();
    source.events().unwrap();
    sink.bind("inproc://b").unwrap();
    wait_for_dropped_owners();
}

/// Calls a closure while it is converted to a message, or to the time that a call waits.
struct Calls<'a>(&'a dyn Fn(), &'static [u8]);

impl From<Calls<'_>> for Message {
    fn from(calls: Calls<'_>) -> Message {
        (calls.0)();
        Message::from_static(calls.1)
    }
}

impl From<Calls<'_>> for Multipart {
    fn from(calls: Calls<'_>) -> Multipart {
        Message::from(calls).into()
    }
}

impl From<Calls<'_>> for Option<Duration> {
    fn from(calls: Calls<'_>) -> Option<Duration> {
        (calls.0)();
        Some(Duration::from_millis(1))
    }
}

fn sent<M>(outcome: Result<(), SendError<M>>) -> Result<bool, Errno> {
    outcome.map(|()| true).map_err(|failed| failed.error().errno())
}

fn tried<M>(outcome: Result<TrySend<M>, SendError<M>>) -> Result<bool, Errno> {
    outcome.map(|outcome| outcome.is_sent()).map_err(|failed| failed.error().errno())
}

/// Sends a message, and returns whether it is sent.
type Send = fn(&Socket<'_>, Calls<'_>) -> Result<bool, Errno>;

/// The sends that wait as [`Socket::set_sndtimeo`] says.
const WAITING_SENDS: [(&str, Send); 7] = [
    ("send", |socket, calls| sent(socket.send(calls))),
    ("send_more", |socket, calls| sent(socket.send_more(calls))),
    ("send_multipart", |socket, calls| sent(socket.send_multipart(calls))),
    ("send_multipart of an array", |socket, calls| sent(socket.send_multipart([calls]))),
    ("send_multipart of a Vec", |socket, calls| sent(socket.send_multipart(vec![calls]))),
    ("send_multipart of a collected iterator", |socket, calls| {
        sent(socket.send_multipart(std::iter::once(calls).collect::<Multipart>()))
    }),
    ("send_multipart of appended parts", |socket, calls| {
        let mut parts = Multipart::new();
        parts.extend([calls]);
        sent(socket.send_multipart(parts))
    }),
];

/// The sends that do not wait, or that wait for a given time.
const BOUNDED_SENDS: [(&str, Send); 6] = [
    ("now().send", |socket, calls| tried(socket.now().send(calls))),
    ("now().send_more", |socket, calls| tried(socket.now().send_more(calls))),
    ("now().send_multipart", |socket, calls| tried(socket.now().send_multipart(calls))),
    ("within().send", |socket, calls| tried(socket.within(A_MOMENT).send(calls))),
    ("within().send_more", |socket, calls| tried(socket.within(A_MOMENT).send_more(calls))),
    ("within().send_multipart", |socket, calls| tried(socket.within(A_MOMENT).send_multipart(calls))),
];

const A_MOMENT: Duration = Duration::from_millis(1);

/// A send must choose between the fast path and the slow one after `into`. If it chose before, the socket would record that it
/// is in the middle of a message, and discard messages when its peer has left.
#[deadline::test]
fn every_send_decides_after_into_has_used_the_socket() {
    for ((name, send), (source, sink)) in WAITING_SENDS
        .into_iter()
        .chain(BOUNDED_SENDS)
        .flat_map(|send| [(Kind::Push, Kind::Pull), (Kind::Dealer, Kind::Dealer)].map(|kinds| (send, kinds)))
    {
        let context = Context::new().unwrap();
        let push = context.socket(source).unwrap();
        let pull = context.socket(sink).unwrap();
        pull.bind("inproc://pull").unwrap();
        push.connect("inproc://pull").unwrap();
        let call = || push.send_more("head").unwrap();
        assert_eq!(send(&push, Calls(&call, b"tail")), Ok(true), "{name}");
        let mut expected = Multipart::from(["head", "tail"]);
        if name.ends_with("send_more") {
            push.send("end").unwrap();
            expected.push_back("end");
        }
        assert_eq!(pull.recv_multipart().unwrap(), expected, "{name}");
        push.disconnect("inproc://pull").unwrap();
        assert_eq!(tried(push.now().send("nobody is there")), Ok(false), "{name}");
        assert_eq!(tried(push.within(A_MOMENT).send("still nobody")), Ok(false), "{name}");
        let pull = context.socket(sink).unwrap();
        pull.bind("inproc://next").unwrap();
        push.connect("inproc://next").unwrap();
        push.send("one").unwrap();
        push.send_multipart(["two", "parts"]).unwrap();
        assert_eq!(pull.recv_multipart().unwrap(), ["one"], "{name}");
        assert_eq!(pull.recv_multipart().unwrap(), ["two", "parts"], "{name}");
    }
}

/// A send must read `ZMQ_SNDTIMEO` after `into`. If it read the option before, it would wait without end.
#[deadline::test]
fn every_send_reads_sndtimeo_after_into_has_set_it() {
    for kind in [Kind::Push, Kind::Dealer, Kind::Pair, Kind::Req] {
        let context = Context::new().unwrap();
        let lonely = context.socket(kind).unwrap();
        for (name, send) in WAITING_SENDS {
            lonely.set_sndtimeo(None).unwrap();
            let call = || lonely.set_sndtimeo(Some(Duration::ZERO)).unwrap();
            assert_eq!(send(&lonely, Calls(&call, b"nobody is there")), Err(Errno::EAGAIN), "{kind}, {name}");
        }
        for (name, send) in BOUNDED_SENDS {
            let call = || lonely.set_sndtimeo(None).unwrap();
            assert_eq!(send(&lonely, Calls(&call, b"nobody is there")), Ok(false), "{kind}, {name}");
        }
    }
}

/// The peer that `into` connects gets the message.
#[deadline::test]
fn every_send_finds_the_peer_that_into_has_connected() {
    for (name, send) in WAITING_SENDS.into_iter().chain(BOUNDED_SENDS) {
        let context = Context::new().unwrap();
        let (push, pull) = (context.socket(Kind::Push).unwrap(), context.socket(Pull).unwrap());
        pull.bind("inproc://pull").unwrap();
        let call = || push.connect("inproc://pull").unwrap();
        assert_eq!(send(&push, Calls(&call, b"message")), Ok(true), "{name}");
        if name.ends_with("send_more") {
            push.send("end").unwrap();
        }
        assert_eq!(pull.recv_msg().unwrap(), "message", "{name}");
    }
}

#[deadline::test]
fn shared_socket_is_used_by_the_message_that_it_sends() {
    type Send = fn(&SharedSocket<Push>, Calls<'_>) -> Result<bool, Errno>;
    let sends: [Send; 3] = [
        |shared, calls| sent(shared.send_multipart(calls)),
        |shared, calls| tried(shared.now().send_multipart(calls)),
        |shared, calls| tried(shared.within(DEADLINE).send_multipart(calls)),
    ];
    let context = Context::new().unwrap();
    let pull = context.socket(Pull).unwrap();
    pull.bind("inproc://pull").unwrap();
    let shared = SharedSocket::new(context.owned_socket(Push).unwrap()).unwrap();
    shared.with(|push| push.connect("inproc://pull")).unwrap().unwrap();
    for send in sends {
        let call = || {
            shared.send_multipart(["inner", "parts"]).unwrap();
            shared.with(|push| push.set_linger(Some(DEADLINE))).unwrap().unwrap();
        };
        assert_eq!(send(&shared, Calls(&call, b"outer")), Ok(true));
        assert_eq!(pull.recv_multipart().unwrap(), ["inner", "parts"]);
        assert_eq!(pull.recv_multipart().unwrap(), ["outer"]);
    }
}

/// The socket's thread drops the values that the work has captured.
#[deadline::test]
fn shared_socket_refuses_calls_in_the_drop_of_values_that_its_work_has_captured() {
    struct SendsWhenDropped(SharedSocket<Push>, mpsc::Sender<Errno>);

    impl Drop for SendsWhenDropped {
        fn drop(&mut self) {
            let _ = self.1.send(self.0.send_multipart("from the drop").unwrap_err().error().errno());
        }
    }

    let context = Context::new().unwrap();
    let shared = SharedSocket::new(context.owned_socket(Push).unwrap()).unwrap();
    let (sender, dropped) = mpsc::channel();
    let captured = SendsWhenDropped(shared.clone(), sender);
    shared.with(move |_| drop(captured)).unwrap();
    assert_eq!(dropped.recv().unwrap(), Errno::from_raw(libc::EDEADLK));
    shared.with(|push| push.events().map(drop)).unwrap().unwrap();
}

#[deadline::test]
fn actor_and_its_pipe_are_used_by_the_messages_that_they_send() {
    let context = Context::new().unwrap();
    let actor = Actor::spawn(&context, "actor", |pipe| {
        let call = || pipe.send_multipart(["inner", "parts"]).unwrap();
        // The message before the first use of the pipe says that the actor is ready.
        pipe.send_multipart(Calls(&call, b"outer")).map_err(|failed| failed.into_parts().1)?;
        loop {
            let message = pipe.recv_multipart()?;
            if message == ["end"] {
                return Ok(());
            }
            pipe.send_multipart(message).map_err(|failed| failed.into_parts().1)?;
        }
    })
    .unwrap();
    let call = || actor.send_multipart(["inner", "parts"]).unwrap();
    actor.send_multipart(Calls(&call, b"outer")).unwrap();
    for _ in 0..2 {
        assert_eq!(actor.recv_multipart().unwrap(), ["inner", "parts"]);
        assert_eq!(actor.recv_multipart().unwrap(), ["outer"]);
    }
    let call = || {
        actor.send_multipart("end").unwrap();
        eventually("the actor has ended", || !actor.is_running());
    };
    assert_eq!(sent(actor.send_multipart(Calls(&call, b"too late"))), Err(Errno::ECANCELED));
}

/// Calls a closure each time that its bytes are asked for, and gives other bytes the second time.
struct Bytes<'a> {
    call: &'a dyn Fn(),
    count: Cell<u32>,
    first: &'a [u8],
}

impl AsRef<[u8]> for Bytes<'_> {
    fn as_ref(&self) -> &[u8] {
        (self.call)();
        if self.count.replace(self.count.get() + 1) == 0 { self.first } else { &[b'x'; 300] }
    }
}

/// Calls `set` with bytes that call `call` while they are read.
fn read_once(name: &str, call: &dyn Fn(), first: &[u8], set: impl FnOnce(&Bytes<'_>) -> zmq::Result<()>) {
    let bytes = Bytes { call, count: Cell::new(0), first };
    set(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(bytes.count.get(), 1, "{name} reads its bytes once");
}

#[deadline::test]
fn every_option_reads_its_bytes_once_and_may_be_set_meanwhile() {
    type Set = fn(&Socket<'_>, &dyn AsRef<[u8]>) -> zmq::Result<()>;
    let options: [(&str, Kind, Set); 4] = [
        ("set_routing_id", Kind::Dealer, |socket, bytes| socket.set_routing_id(bytes)),
        ("subscribe", Kind::Sub, |socket, bytes| socket.subscribe(bytes)),
        ("unsubscribe", Kind::Sub, |socket, bytes| socket.unsubscribe(bytes)),
        ("set_xpub_welcome_msg", Kind::XPub, |socket, bytes| socket.set_xpub_welcome_msg(bytes)),
    ];
    let options = options.into_iter();
    #[cfg(feature = "draft")]
    let options = options.chain([
        ("set_disconnect_msg", Kind::Router, (|socket, bytes| socket.set_disconnect_msg(bytes)) as Set),
        ("set_hiccup_msg", Kind::Dealer, |socket, bytes| socket.set_hiccup_msg(bytes)),
        ("set_hello_msg", Kind::Dealer, |socket, bytes| socket.set_hello_msg(bytes)),
    ]);
    // Without these patches the crate refuses the option, which is the last one.
    #[cfg(feature = "draft")]
    let options = options.take(if skip_part_unless_patched("ZMQ_HELLO_MSG", &[21, 37]) { 6 } else { 7 });
    for (name, kind, set) in options {
        let context = Context::new().unwrap();
        let socket = context.socket(kind).unwrap();
        let call = || {
            set(&socket, &"meanwhile").unwrap();
            socket.events().unwrap();
        };
        read_once(name, &call, b"bytes", |bytes| set(&socket, bytes));
        if name == "set_routing_id" {
            assert_eq!(socket.routing_id().unwrap(), b"bytes");
        }
    }
}

/// ZMQ_CONNECT_ROUTING_ID applies to the next connection. A connection that `as_ref` makes after the id is set would get it.
#[deadline::test]
fn connect_with_routing_id_reads_the_id_before_it_sets_it() {
    let context = Context::new().unwrap();
    let router = context.socket(Kind::Router).unwrap();
    router.set_router_mandatory(true).unwrap();
    let [first, second, third] = ["inproc://first", "inproc://second", "inproc://third"].map(|endpoint| {
        let dealer = context.socket(Kind::Dealer).unwrap();
        dealer.bind(endpoint).unwrap();
        dealer
    });
    let call = || router.connect_with_routing_id("second", "inproc://second").unwrap();
    read_once("connect_with_routing_id", &call, b"first", |id| router.connect_with_routing_id(id, "inproc://first"));
    for (id, dealer) in [("first", &first), ("second", &second)] {
        router.send_multipart([id, "to it"]).unwrap();
        assert_eq!(dealer.recv_msg().unwrap(), "to it");
    }
    #[cfg(feature = "draft")]
    read_once("peer_state", &|| drop(router.events()), b"first", |id| router.peer_state(id).map(drop));
    // A peer may have the id already.
    let call = || router.connect_with_routing_id("third", "inproc://third").unwrap();
    read_once("connect_with_routing_id", &call, b"third", |id| {
        let errno = if common::has_patch(42) { Errno::EADDRINUSE } else { Errno::EINVAL };
        assert_eq!(router.connect_with_routing_id(id, "inproc://first").unwrap_err().errno(), errno);
        Ok(())
    });
    third.send("hello").unwrap();
    assert_eq!(router.recv_multipart().unwrap(), ["third", "hello"]);
}

/// An owner's `as_ref` is called once. All copies of the message have the bytes that it returned.
#[deadline::test]
fn message_asks_its_owner_for_its_bytes_once() {
    static ASKED: AtomicU32 = AtomicU32::new(0);

    struct Changing(Vec<u8>);

    impl AsRef<[u8]> for Changing {
        fn as_ref(&self) -> &[u8] {
            if ASKED.fetch_add(1, Ordering::Relaxed) == 0 { &self.0[..3] } else { &self.0 }
        }
    }

    let message = Message::from_owner(Changing(vec![b'x'; 1000]));
    let copy = message.clone();
    assert_eq!((message.len(), &copy[..]), (3, &b"xxx"[..]));
    drop((message, copy));
    assert_eq!(ASKED.load(Ordering::Relaxed), 1);
}

/// The conversion of the time-out uses the socket, monitor or authenticator that waits.
#[deadline::test]
fn every_wait_converts_its_timeout_before_it_queries() {
    let context = Context::new().unwrap();
    let (publisher, pull) = (context.socket(XPub).unwrap(), context.socket(Pull).unwrap());
    let push = context.socket(Push).unwrap();
    pull.bind("inproc://pull").unwrap();
    push.connect("inproc://pull").unwrap();
    let receive = || assert!(pull.now().recv_msg().unwrap().is_some());
    let item = || [PollItem::socket(&pull, PollEvents::POLLIN)];
    push.send("message").unwrap();
    assert_eq!(poll(&mut item(), Calls(&receive, b"")).unwrap(), 0);
    let mut poller = Poller::new().unwrap();
    poller.add(&pull, 1, PollEvents::POLLIN).unwrap();
    push.send("message").unwrap();
    assert!(poller.wait(Calls(&receive, b"")).unwrap().is_empty());

    let monitor = pull.monitor(Events::ALL).unwrap();
    let (left, right) = (context.socket(Push).unwrap(), context.socket(Push).unwrap());
    let endpoint = pull.bind("tcp://127.0.0.1:*").unwrap();
    let take = || assert!(monitor.next_event(DEADLINE).unwrap().is_some());
    assert!(monitor.next_event(Calls(&take, b"")).unwrap().is_none());
    let connect = || {
        left.connect(&endpoint).unwrap();
        assert!(monitor.wait_for_connections(1, DEADLINE).unwrap());
    };
    assert!(monitor.wait_for_connections(1, Calls(&connect, b"")).unwrap());
    assert!(right.connect_and_wait("inproc://pull", Calls(&|| right.connect(&endpoint).unwrap(), b"")).unwrap());

    let subscriber = context.socket(Sub).unwrap();
    publisher.bind("inproc://publisher").unwrap();
    subscriber.connect("inproc://publisher").unwrap();
    let subscribe = || subscriber.subscribe("news").unwrap();
    let mut received = Vec::new();
    assert!(publisher.wait_for_subscribers(1, Calls(&subscribe, b""), &mut received).unwrap());
    assert_eq!(received, ["\u{1}news"]);

    let authenticator = Authenticator::start(&context).unwrap();
    let use_it = || assert_eq!(authenticator.next_event(A_MOMENT).unwrap(), None);
    assert_eq!(authenticator.next_event(Calls(&use_it, b"")).unwrap(), None);
}

#[cfg(feature = "draft")]
mod draft {
    use super::*;
    use zmq::{Client, Dish, Gather, Peer, Server};

    static LARGE: [u8; 9000] = [0; 9000];

    #[deadline::test(patches = [6, 7, 8, 9, 12, 13])]
    fn radio_is_used_by_the_message_that_it_sends_to_a_group() {
        let context = Context::new().unwrap();
        let (radio, dish) = (context.socket(Kind::Radio).unwrap(), context.socket(Dish).unwrap());
        radio.bind("inproc://radio").unwrap();
        dish.join("group").unwrap();
        dish.join("other").unwrap();
        dish.connect("inproc://radio").unwrap();
        let call = || radio.send_to_group("other", "inner").unwrap();
        let sends: [Send; 3] = [
            |radio, calls| sent(radio.send_to_group("group", calls)),
            |radio, calls| tried(radio.now().send_to_group("group", calls)),
            |radio, calls| tried(radio.within(A_MOMENT).send_to_group("group", calls)),
        ];
        for send in sends {
            assert_eq!(send(&radio, Calls(&call, b"outer")), Ok(true));
            for (group, content) in [("other", "inner"), ("group", "outer")] {
                let message = dish.recv_msg().unwrap();
                assert_eq!((&*message.group(), message.as_str()), (group, Some(content)));
            }
        }
        // A RADIO that has connected over udp refuses messages that fit no datagram.
        radio.send_to_group("group", &LARGE[..]).unwrap();
        let call = || radio.connect("udp://127.0.0.1:9").unwrap();
        assert_eq!(sent(radio.send_to_group("group", Calls(&call, &LARGE))), Err(Errno::EMSGSIZE));
    }

    #[deadline::test(patches = [6, 7, 8, 9, 12, 13])]
    fn server_and_peer_are_used_by_the_message_that_they_send() {
        let context = Context::new().unwrap();
        let (server, client) = (context.socket(Server).unwrap(), context.socket(Client).unwrap());
        server.bind("inproc://server").unwrap();
        client.connect("inproc://server").unwrap();
        client.send("hello").unwrap();
        let id = server.recv_msg().unwrap().routing_id().unwrap();
        let call = || server.send_to_peer(id, "inner").unwrap();
        for form in 0..3 {
            let calls = Calls(&call, b"outer");
            let outcome = match form {
                0 => sent(server.send_to_peer(id, calls)),
                1 => tried(server.now().send_to_peer(id, calls)),
                _ => tried(server.within(A_MOMENT).send_to_peer(id, calls)),
            };
            assert_eq!(outcome, Ok(true));
            assert_eq!([(); 2].map(|()| client.recv_msg().unwrap()), ["inner", "outer"]);
        }
        let call = || client.send("inner").unwrap();
        client.send(Calls(&call, b"outer")).unwrap();
        assert_eq!([(); 2].map(|()| server.recv_msg().unwrap()), ["inner", "outer"]);

        let [bound, peer] = [(); 2].map(|()| context.socket(Peer).unwrap());
        bound.bind("inproc://peer").unwrap();
        let id = peer.connect_peer("inproc://peer").unwrap();
        let call = || peer.send_to_peer(id, "inner").unwrap();
        peer.send_to_peer(id, Calls(&call, b"outer")).unwrap();
        assert_eq!([(); 2].map(|()| bound.recv_msg().unwrap()), ["inner", "outer"]);
    }

    #[deadline::test(patches = [6, 7, 8, 9, 12, 13])]
    fn every_send_of_one_part_is_used_by_its_message() {
        for (name, send) in WAITING_SENDS.into_iter().chain(BOUNDED_SENDS) {
            if name.contains("multipart") || name.ends_with("send_more") {
                continue;
            }
            let context = Context::new().unwrap();
            let (scatter, gather) = (context.socket(Kind::Scatter).unwrap(), context.socket(Gather).unwrap());
            gather.bind("inproc://gather").unwrap();
            let call = || {
                scatter.connect("inproc://gather").unwrap();
                scatter.send("inner").unwrap();
            };
            assert_eq!(send(&scatter, Calls(&call, b"outer")), Ok(true), "{name}");
            assert_eq!([(); 2].map(|()| gather.recv_msg().unwrap()), ["inner", "outer"], "{name}");
        }
    }

    /// A body that is sent alone would be taken for an address.
    #[deadline::test(patches = [9, 12])]
    fn dgram_is_used_by_the_body_that_it_sends() {
        let context = Context::new().unwrap();
        let port = common::HeldPort::new(socket2::Type::DGRAM, std::net::Ipv4Addr::LOCALHOST);
        let dgram = context.socket(Kind::Dgram).unwrap();
        dgram.bind(&format!("udp://{}", port.address())).unwrap();
        let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        peer.set_read_timeout(Some(DEADLINE)).unwrap();
        let address = peer.local_addr().unwrap();
        let mut buffer = [0; 100];
        let mut receives = |text: &str| {
            let (size, _) = peer.recv_from(&mut buffer).unwrap();
            assert_eq!(&buffer[..size], text.as_bytes());
        };
        let call = || dgram.send_to(address, "inner").unwrap();
        for form in 0..3 {
            let calls = Calls(&call, b"outer");
            let outcome = match form {
                0 => sent(dgram.send_to(address, calls)),
                1 => tried(dgram.now().send_to(address, calls)),
                _ => tried(dgram.within(A_MOMENT).send_to(address, calls)),
            };
            assert_eq!(outcome, Ok(true));
            receives("inner");
            receives("outer");
        }
        let call = || dgram.send_more(address.to_string()).unwrap();
        assert_eq!(sent(dgram.send_to(address, Calls(&call, b"outer"))), Err(Errno::EINVAL));
        dgram.send("body").unwrap();
        receives("body");
        dgram.send_to(address, "whole").unwrap();
        receives("whole");
    }
}
