//! The machines of client and server, over a network that loses connections and a server whose queues are full at times.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use zmq::{Message, Multipart};
use zmq_patterns::file_transfer::machine::{ClientAction, ClientMachine, Failure, ServerMachine};
use zmq_patterns::file_transfer::{ClientEvent, FETCH, ServerEvent};

/// One step of a run.
#[derive(Debug, Clone)]
enum Step {
    /// The oldest request reaches the server.
    ToServer,
    /// The server sends a chunk.
    Serve,
    /// The server has no room for its chunk.
    Full,
    /// The oldest chunk reaches the client.
    ToClient,
    /// The connection is lost; the client notices it if the flag is set.
    Cut(bool),
    /// The server sends these frames in between.
    Frames(Vec<Vec<u8>>),
    Pass(u16),
}

fn step() -> impl Strategy<Value = Step> {
    let frames = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2), 0..3);
    prop_oneof![
        8 => Just(Step::ToServer),
        8 => Just(Step::Serve),
        2 => Just(Step::Full),
        8 => Just(Step::ToClient),
        1 => any::<bool>().prop_map(Step::Cut),
        1 => frames.prop_filter("no chunk", |frames| frames.len() != 1).prop_map(Step::Frames),
        4 => (0..2000_u16).prop_map(Step::Pass),
    ]
}

/// A client and a server, and the messages between them.
struct World {
    client: ClientMachine,
    server: ServerMachine,
    file: Vec<u8>,
    credit: usize,
    now: Instant,
    /// The number of the connection, which is the client's routing id.
    connection: Option<u64>,
    connections: u64,
    to_server: VecDeque<Multipart>,
    to_client: VecDeque<Multipart>,
    written: Vec<u8>,
    outcome: Option<ClientAction>,
    /// Whether the server loses every third chunk.
    is_lossy: bool,
    served: u64,
}

impl World {
    fn new(file: Vec<u8>, chunk: usize, credit: u32, is_lossy: bool) -> World {
        let now = Instant::now();
        let (timeout, patience) = (Duration::from_millis(2500), Duration::from_secs(100_000));
        World {
            client: ClientMachine::new(now, 0, chunk, credit, timeout, patience),
            server: ServerMachine::new(),
            file,
            credit: credit as usize,
            now,
            connection: None,
            connections: 0,
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            written: Vec::new(),
            outcome: None,
            is_lossy,
            served: 0,
        }
    }

    fn client_does(&mut self, call: impl FnOnce(&mut ClientMachine, Instant, &mut VecDeque<ClientAction>)) {
        let mut actions = VecDeque::new();
        call(&mut self.client, self.now, &mut actions);
        while let Some(action) = actions.pop_front() {
            assert!(self.outcome.is_none(), "{action:?} after the end");
            match action {
                ClientAction::Connect => {
                    self.disconnect();
                    self.connections += 1;
                    self.connection = Some(self.connections);
                    self.client.on_connected(self.now, &mut actions);
                }
                ClientAction::Disconnect => self.disconnect(),
                ClientAction::Send(mut request) => {
                    request.push_front(self.connection.expect("a connection").to_string());
                    self.to_server.push_back(request);
                    assert!(self.to_server.len() + self.to_client.len() <= self.credit, "more than the credit");
                }
                ClientAction::Write(chunk) => self.written.extend(&chunk[..]),
                ClientAction::Report(ClientEvent::Malformed(frames)) => assert_ne!(frames.len(), 1),
                ClientAction::Report(ClientEvent::Reconnecting(received)) => {
                    assert_eq!(received.bytes, self.written.len() as u64);
                }
                ClientAction::Done | ClientAction::Fail(_) => self.outcome = Some(action),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(self.client.next_tick().is_none(), self.outcome.is_some());
    }

    /// The server still has the requests that have reached it.
    fn disconnect(&mut self) {
        self.connection = None;
        self.to_server.clear();
        self.to_client.clear();
    }

    fn serve(&mut self, has_room: bool) {
        let Some(chunk) = self.server.next_chunk() else { return };
        let connection = self.connection.map(|connection| Message::from(connection.to_string()));
        if connection.is_none_or(|connection| connection != chunk.client) {
            let mut events = VecDeque::new();
            self.server.on_gone(&mut events);
            return assert_eq!(events, [ServerEvent::ClientGone(chunk.client)]);
        }
        let rest = self.file.get(chunk.offset as usize..).unwrap_or_default();
        let content = &rest[..rest.len().min(chunk.size as usize)];
        assert!(chunk.unsent.is_none_or(|unsent| unsent == content));
        if has_room {
            self.served += 1;
            self.server.on_sent(content.len() as u64);
            if !self.is_lossy || !self.served.is_multiple_of(3) {
                self.to_client.push_back(content.into());
            }
        } else {
            self.server.on_full(self.now, content.into());
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::ToServer => {
                if let Some(request) = self.to_server.pop_front() {
                    let mut events = VecDeque::new();
                    self.server.on_message(request, &mut events);
                    assert!(events.is_empty());
                }
            }
            Step::Serve => self.serve(true),
            Step::Full => self.serve(false),
            Step::ToClient => {
                if let Some(chunk) = self.to_client.pop_front() {
                    self.client_does(|client, now, actions| client.on_message(now, chunk, actions));
                }
            }
            Step::Cut(is_noticed) => {
                self.to_server.clear();
                self.to_client.clear();
                // The server has another client then, and replies to this one are lost.
                self.connections += 1;
                self.connection = self.connection.map(|_| self.connections);
                if *is_noticed {
                    self.client_does(|client, now, actions| client.on_lost(now, actions));
                }
            }
            Step::Frames(frames) => {
                let frames = Multipart::from(frames);
                self.client_does(|client, now, actions| client.on_message(now, frames, actions));
            }
            Step::Pass(milliseconds) => {
                self.now += Duration::from_millis((*milliseconds).into());
                self.server.on_tick(self.now);
                self.client_does(ClientMachine::on_tick);
                assert!(self.client.next_tick().is_none_or(|tick| tick > self.now), "it would tick for ever");
            }
        }
        assert_eq!(self.written, self.file[..self.written.len().min(self.file.len())]);
    }
}

/// Steps that bring everything forward.
const FORWARD: [Step; 4] = [Step::ToServer, Step::Serve, Step::ToClient, Step::Pass(10)];

proptest! {
    #[deadline::test]
    fn transfer_gives_the_bytes_of_the_file_whatever_the_network_does(
        file in prop::collection::vec(any::<u8>(), 0..60),
        chunk in 1..20_usize,
        credit in 1..6_u32,
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut world = World::new(file, chunk, credit, false);
        steps.iter().for_each(|step| world.step(step));
        // From now on the network works.
        for round in 0.. {
            if world.outcome.is_some() {
                break;
            }
            assert!(round < 100_000, "it does not end");
            FORWARD.iter().for_each(|step| world.step(step));
        }
        prop_assert_eq!(world.outcome, Some(ClientAction::Done));
        prop_assert_eq!(&world.written, &world.file);
        prop_assert_eq!(world.client.received().bytes, world.file.len() as u64);
        prop_assert_eq!(world.client.received().chunks, (world.file.len() / chunk + 1) as u64);
    }

    /// A lost chunk is never unnoticed: the client fails, or the file has only the chunks that were there.
    #[deadline::test]
    fn transfer_from_a_server_that_drops_chunks_fails(
        file in prop::collection::vec(any::<u8>(), 0..60),
        chunk in 1..20_usize,
        credit in 1..6_u32,
    ) {
        let mut world = World::new(file, chunk, credit, true);
        world.file.iter_mut().enumerate().for_each(|(place, byte)| *byte = place as u8);
        while world.outcome.is_none() {
            // When a chunk is missing the written part is wrong, so `step` cannot be used: it checks that.
            if let Some(request) = world.to_server.pop_front() {
                world.server.on_message(request, &mut VecDeque::new());
            }
            world.serve(true);
            if let Some(chunk) = world.to_client.pop_front() {
                world.client_does(|client, now, actions| client.on_message(now, chunk, actions));
            }
            world.now += Duration::from_millis(10);
            world.client_does(ClientMachine::on_tick);
        }
        if world.outcome == Some(ClientAction::Done) {
            prop_assert_eq!(&world.written, &world.file);
        } else {
            prop_assert_eq!(&world.outcome, &Some(ClientAction::Fail(Failure::Incomplete)));
        }
    }
}

fn request(client: &str, frames: &[&str]) -> Multipart {
    let mut message = Multipart::from(frames);
    message.push_front(client);
    message
}

#[deadline::test]
fn server_machine_drops_malformed_requests_and_serves_clients_in_turn() {
    let mut server = ServerMachine::new();
    server.set_max_chunk(100);
    let mut events = VecDeque::new();
    let malformed: [&[&str]; 9] = [
        &[],
        &[""],
        &["FETCH"],
        &[FETCH, "0"],
        &[FETCH, "", "1"],
        &[FETCH, "0", "0"],
        &[FETCH, "+1", "1"],
        &[FETCH, "0", "101"],
        &[FETCH, "0", "1", ""],
    ];
    for frames in malformed {
        server.on_message(request("a", frames), &mut events);
    }
    server.on_message(request("a", &[FETCH, "18446744073709551616", "1"]), &mut events);
    server.on_message(Multipart::new(), &mut events);
    assert_eq!((server.statistics().malformed, events.len(), server.has_chunk()), (11, 11, false));
    events.clear();
    for client in ["a", "b"] {
        for offset in ["0", "18446744073709551615"] {
            server.on_message(request(client, &[FETCH, offset, "100"]), &mut events);
        }
    }
    for (client, offset) in [("a", 0), ("b", 0), ("a", u64::MAX), ("b", u64::MAX)] {
        let chunk = server.next_chunk().unwrap();
        assert_eq!((chunk.client, chunk.offset, chunk.size), (client.into(), offset, 100));
        server.on_sent(100);
    }
    assert!(server.next_chunk().is_none() && events.is_empty());
}

#[deadline::test]
fn server_machine_bounds_the_requests_of_a_client_and_keeps_their_order() {
    let mut server = ServerMachine::new();
    let mut events = VecDeque::new();
    for offset in 0..1500 {
        server.on_message(request("a", &[FETCH, &offset.to_string(), "1"]), &mut events);
    }
    assert_eq!(events, vec![ServerEvent::TooManyRequests("a".into()); 500]);
    assert_eq!((server.statistics().requests, server.statistics().refused), (1500, 500));
    let now = Instant::now();
    for offset in 0..1000 {
        let chunk = server.next_chunk().unwrap();
        assert_eq!((chunk.offset, chunk.unsent), (offset, None));
        server.on_full(now, "x".into());
        assert!(server.next_chunk().is_none());
        server.on_tick(now);
        assert!(server.next_chunk().is_none(), "the retry is not due");
        server.on_tick(server.next_tick().unwrap());
        assert_eq!(server.next_chunk().unwrap().unsent, Some("x".into()));
        server.on_sent(1);
    }
    assert!(server.next_chunk().is_none() && server.next_tick().is_none());
}

#[deadline::test]
fn server_machine_sends_a_whole_file_up_to_an_empty_chunk() {
    let mut server = ServerMachine::new();
    let mut events = VecDeque::new();
    server.on_message(request("a", &[FETCH]), &mut events);
    for (offset, len) in [(0, 250_000), (250_000, 1000), (251_000, 0)] {
        let chunk = server.next_chunk().unwrap();
        assert_eq!((chunk.offset, chunk.size), (offset, 250_000));
        server.on_sent(len);
    }
    assert!(!server.has_chunk() && events.is_empty());
    assert_eq!((server.statistics().chunks, server.statistics().bytes), (3, 251_000));
    server.on_message(request("a", &[FETCH, "0", "1"]), &mut events);
    assert!(server.has_chunk());
    server.on_gone(&mut events);
    assert!(!server.has_chunk());
    assert_eq!((events, server.statistics().gone), ([ServerEvent::ClientGone("a".into())].into(), 1));
}

/// A client that has room again says so by its next request, and is not offered its chunk twice.
#[deadline::test]
fn server_machine_offers_a_chunk_again_with_the_next_request() {
    let mut server = ServerMachine::new();
    let mut events = VecDeque::new();
    let now = Instant::now();
    for offset in ["0", "1"] {
        server.on_message(request("a", &[FETCH, offset, "1"]), &mut events);
        assert!(server.next_chunk().is_some());
        server.on_full(now, "x".into());
        assert!(server.next_chunk().is_none());
    }
    server.on_message(request("a", &[FETCH, "2", "1"]), &mut events);
    server.on_tick(server.next_tick().unwrap());
    for offset in 0..3 {
        assert_eq!(server.next_chunk().unwrap().offset, offset);
        server.on_sent(1);
    }
    assert!(server.next_chunk().is_none() && server.next_tick().is_none() && events.is_empty());
}

#[deadline::test]
fn client_machine_gives_up_after_its_patience_and_waits_longer_each_time() {
    let start = Instant::now();
    let at = |milliseconds| start + Duration::from_millis(milliseconds);
    let times = [Duration::from_millis(300), Duration::from_millis(1500)];
    let mut client = ClientMachine::new(start, 0, 10, 2, times[0], times[1]);
    let mut connects = Vec::new();
    let mut last = None;
    while let Some(tick) = client.next_tick() {
        let mut actions = VecDeque::new();
        client.on_tick(tick, &mut actions);
        if actions.contains(&ClientAction::Connect) {
            connects.push(tick);
        }
        last = actions.pop_back();
    }
    assert_eq!(connects, [0, 100, 300, 600, 900, 1200].map(at));
    assert_eq!(last, Some(ClientAction::Fail(Failure::Silent)));
    for time in [Duration::ZERO, Duration::MAX] {
        let mut client = ClientMachine::new(start, u64::MAX, usize::MAX, u32::MAX, time, time);
        client.on_tick(start, &mut VecDeque::new());
        assert!(client.next_tick().is_none_or(|tick| tick > start));
    }
}
