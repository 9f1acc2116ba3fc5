//! Clients and servers over sockets.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use zmq::{Context, Dealer, Errno, Message, Multipart, Pub, Push, Router, Sub};
use zmq_patterns::binary_star::{BinaryStarError, Role, Timing};
use zmq_patterns::clone::{
    Client, ClientEvent, END, Endpoints, Format, HEARTBEAT, KvMsg, LONGEST_KEY, Model, Pair, REQUEST, Server,
    ServerEvent, ServerStatistics,
};

use crate::common::guide::Port;
use crate::common::{DEADLINE, TCP, connected, eventually};

const BEAT: Duration = Duration::from_millis(50);

/// A server in a thread with a context of its own, which ends when the context is shut down.
struct Serving {
    context: Context,
    endpoints: Endpoints,
    events: Receiver<ServerEvent>,
    thread: JoinHandle<ServerStatistics>,
}

impl Serving {
    fn start(model: Model, endpoints: Endpoints, set: impl FnOnce(Server) -> Server + Send + 'static) -> Serving {
        let context = Context::new().unwrap();
        let (bound, endpoint) = channel();
        let (sender, events) = channel();
        let own = context.clone();
        let thread = thread::spawn(move || {
            let mut server = set(Server::new(&own, model, endpoints).heartbeat(BEAT));
            bound.send(server.bind().unwrap().clone()).unwrap();
            server.run(|event| drop(sender.send(event.clone()))).unwrap();
            server.statistics()
        });
        let endpoints = endpoint.recv_timeout(DEADLINE).unwrap();
        Serving { context, endpoints, events, thread }
    }

    fn any(model: Model) -> Serving {
        Serving::start(model, Endpoints::new(TCP, TCP, TCP), |server| server)
    }

    fn until(&self, is_it: impl Fn(&ServerEvent) -> bool) {
        while !is_it(&self.events.recv_timeout(DEADLINE).unwrap()) {}
    }

    fn stop(self) -> ServerStatistics {
        self.context.shutdown().unwrap();
        self.thread.join().unwrap()
    }
}

fn client(context: &Context, model: Model, subtree: &str, servers: &[&Endpoints]) -> Client {
    let mut client = Client::new(context, model).subtree(subtree);
    servers.iter().for_each(|server| client.connect((*server).clone()).unwrap());
    client
}

/// Waits until a condition holds for a client.
fn wait_for(client: &mut Client, what: &str, holds: impl Fn(&Client) -> bool) {
    eventually(what, || {
        client.wait(Duration::from_millis(1)).unwrap();
        holds(client)
    });
}

fn same(one: &Client, other: &Client) -> bool {
    one.sequence().is_some() && other.sequence().is_some() && one.map().messages().eq(other.map().messages())
}

#[deadline::test]
fn clients_have_the_same_map_in_each_model() {
    for model in [Model::Three, Model::Four, Model::Five, Model::Six] {
        let server = Serving::any(model);
        let context = Context::new().unwrap();
        let mut early = client(&context, model, "", &[&server.endpoints]);
        wait_for(&mut early, "the snapshot", |client| client.sequence() == Some(0));
        for number in 0..20 {
            early.set(KvMsg::new(format!("/key/{number}"), "value"), None).unwrap();
        }
        early.set(KvMsg::new("/key/0", ""), None).unwrap();
        wait_for(&mut early, "the updates", |client| client.map().len() == 19 && client.get("/key/0").is_none());
        let mut late = client(&context, model, "", &[&server.endpoints]);
        wait_for(&mut late, "the late client's snapshot", |client| client.map().len() == 19);
        late.set(KvMsg::new("/key/1", "other"), None).unwrap();
        wait_for(&mut early, "the other's update", |client| client.get("/key/1").is_some_and(|body| *body == "other"));
        wait_for(&mut late, "its own update", |late| same(&early, late));
        assert_eq!(late.unconfirmed(), 0);
        let statistics = server.stop();
        assert!(statistics.published >= 22, "{statistics:?}");
    }
}

#[deadline::test]
fn client_of_a_subtree_has_its_keys_alone() {
    let server = Serving::any(Model::Six);
    let context = Context::new().unwrap();
    let mut all = client(&context, Model::Six, "", &[&server.endpoints]);
    let mut some = client(&context, Model::Six, "/a/", &[&server.endpoints]);
    for key in ["/a/1", "/b/1", "/a/2"] {
        all.set(KvMsg::new(key, key), None).unwrap();
    }
    wait_for(&mut all, "all keys", |client| client.map().len() == 3);
    wait_for(&mut some, "two keys", |client| client.map().len() == 2);
    assert!(some.get("/b/1").is_none());
    server.stop();
}

#[deadline::test]
fn client_of_a_subtree_does_not_ask_for_a_snapshot_at_each_heartbeat() {
    let longest = "s".repeat(LONGEST_KEY);
    for (model, subtree) in [(Model::Four, "/a/"), (Model::Five, "/a/"), (Model::Five, &longest)] {
        let server = Serving::any(model);
        let context = Context::new().unwrap();
        let mut client = client(&context, model, subtree, &[&server.endpoints]);
        wait_for(&mut client, "a snapshot", |client| client.sequence().is_some());
        let end = Instant::now() + 6 * BEAT;
        while Instant::now() < end {
            client.wait(BEAT).unwrap();
        }
        // The first snapshot may be older than the server's count of the subtree.
        assert!(client.statistics().gaps <= 1, "{model:?}: {:?}", client.statistics());
        assert_eq!(client.statistics().malformed, 0, "{model:?}, {subtree}");
    }
}

#[deadline::test]
fn connect_refuses_a_subtree_that_is_longer_than_all_keys() {
    let context = Context::new().unwrap();
    let mut client = Client::new(&context, Model::Six).subtree("s".repeat(LONGEST_KEY + 1));
    let endpoints = Endpoints::new("inproc://snapshots", "inproc://publisher", "inproc://updates");
    assert_eq!(client.connect(endpoints).unwrap_err().errno(), Errno::EINVAL);
}

/// A value with a time to live is deleted once, and its deletion has the next number.
#[deadline::test]
fn values_end_after_their_time_to_live() {
    let server = Serving::any(Model::Five);
    let context = Context::new().unwrap();
    let mut client = client(&context, Model::Five, "", &[&server.endpoints]);
    client.set(KvMsg::new("/key", "value"), Duration::from_millis(1)).unwrap();
    let mut updates = Vec::new();
    while updates.len() < 2 {
        if let Some(ClientEvent::Update { update, .. }) = client.wait(DEADLINE).unwrap() {
            updates.push(update);
        } else if client.sequence() == Some(1) && updates.is_empty() && client.get("/key").is_some() {
            // The snapshot had it.
            updates.push(client.map().message("/key").unwrap());
        }
    }
    let [set, deleted] = &updates[..] else { unreachable!() };
    assert_eq!((set.sequence(), &set.body()[..]), (1, &b"value"[..]));
    assert_eq!((deleted.sequence(), deleted.body().len(), deleted.uuid()), (2, 0, set.uuid()));
    assert!(client.map().is_empty());
    assert_eq!(server.stop().expired, 1);
}

/// The end of a snapshot comes, however small the queues are, and updates come meanwhile.
#[deadline::test]
fn snapshot_is_complete_through_queues_of_ten_messages() {
    const KEYS: usize = 3000;
    let small = |server: Server| {
        server.with(|socket| {
            socket.set_sndhwm(10)?;
            socket.set_rcvhwm(10)?;
            socket.set_sndbuf(4096)
        })
    };
    let server = Serving::start(Model::Three, Endpoints::new(TCP, TCP, TCP), small);
    let context = Context::new().unwrap();
    let updates = connected(&context, Push, &server.endpoints.updates);
    for number in 0..KEYS {
        let update = KvMsg::new(number.to_string(), "x".repeat(100));
        updates.send_multipart(update.into_multipart(Format::Simple)).unwrap();
    }
    server.until(|event| matches!(event, ServerEvent::Published(update) if update.sequence() == KEYS as u64));
    // A client that does not read has a snapshot under way.
    let lazy = context.socket(Dealer).unwrap();
    lazy.set_rcvhwm(1).unwrap();
    lazy.connect(&server.endpoints.snapshots).unwrap();
    lazy.send(REQUEST).unwrap();
    server.until(|event| matches!(event, ServerEvent::Snapshot { .. }));
    let mut client = Client::new(&context, Model::Three).with(|socket| socket.set_rcvhwm(10));
    client.connect(server.endpoints.clone()).unwrap();
    wait_for(&mut client, "the snapshot", |client| client.map().len() == KEYS);
    let end = (0..=KEYS).map(|_| lazy.within(DEADLINE).recv_multipart().unwrap().unwrap()).last().unwrap();
    assert_eq!(end, [&b"KTHXBAI"[..], &(KEYS as u64).to_be_bytes(), b""]);
    assert_eq!(END, "KTHXBAI");
    server.stop();
}

/// A client whose queue was too small for what came while it did not read asks for a snapshot, for all keys and for a subtree.
#[deadline::test]
fn client_that_missed_updates_notices_it() {
    for subtree in ["", "/key/"] {
        let small = |server: Server| server.with(|socket| socket.set_sndhwm(100));
        let server = Serving::start(Model::Six, Endpoints::new(TCP, TCP, TCP), small);
        let context = Context::new().unwrap();
        let mut slow = Client::new(&context, Model::Six).subtree(subtree).with(|socket| socket.set_rcvhwm(10));
        slow.connect(server.endpoints.clone()).unwrap();
        let mut quick = client(&context, Model::Six, "", &[&server.endpoints]);
        wait_for(&mut slow, "its snapshot", |slow| slow.sequence().is_some());
        // So many that libzmq and the system have no room for them either.
        let body = "x".repeat(10_000);
        for number in 0..5000 {
            quick.set(KvMsg::new(format!("/key/{}", number % 100), &*body), None).unwrap();
            quick.wait(Duration::ZERO).unwrap();
        }
        wait_for(&mut quick, "all its updates", |quick| quick.unconfirmed() == 0 && quick.sequence().is_some());
        wait_for(&mut slow, "the same map", |slow| same(slow, &quick));
        assert!(slow.statistics().gaps > 0, "{:?}", slow.statistics());
        server.stop();
    }
}

/// A server that was restarted has an empty map. Its clients get it.
#[deadline::test]
fn clients_get_the_map_of_a_restarted_server() {
    let ports = [Port::reserve(), Port::reserve(), Port::reserve()];
    let [snapshots, publisher, updates] = ports.each_ref().map(Port::bind);
    let own = Endpoints::new(snapshots, publisher, updates);
    let [snapshots, publisher, updates] = ports.each_ref().map(Port::connect);
    let endpoints = Endpoints::new(snapshots, publisher, updates);
    let context = Context::new().unwrap();
    let mut clients = ["", "/a/"].map(|subtree| client(&context, Model::Six, subtree, &[&endpoints]));
    for key in ["/a/1", "/a/2"] {
        let server = Serving::start(Model::Six, own.clone(), |server| server);
        clients[0].set(KvMsg::new(key, "value"), None).unwrap();
        for client in &mut clients {
            wait_for(client, key, |client| {
                client.map().iter().map(|(key, _)| key).eq([&Message::from(key)]) && client.sequence() == Some(1)
            });
        }
        server.stop();
    }
}

/// A wait ends in time while messages come that are no events.
#[deadline::test]
fn client_waits_no_longer_than_it_may_during_a_snapshot() {
    let context = Context::new().unwrap();
    let snapshots = context.socket(Router).unwrap();
    snapshots.set_sndhwm(1).unwrap();
    snapshots.set_router_mandatory(true).unwrap();
    let endpoint = snapshots.bind(TCP).unwrap();
    let mut client = Client::new(&context, Model::Six).with(|socket| socket.set_rcvhwm(0));
    client.connect(Endpoints::new(endpoint, "inproc://publisher", "inproc://updates")).unwrap();
    assert_eq!(client.wait(Duration::ZERO).unwrap(), Some(ClientEvent::Waiting { server: 0 }));
    let address = snapshots.within(DEADLINE).recv_multipart().unwrap().unwrap().pop_front().unwrap();
    // The client's queue has all of them but a few: the server's has room for one.
    for number in 0..5000 {
        let key = if number == 4999 { END.to_owned() } else { number.to_string() };
        let mut entry = KvMsg::new(key, "value").into_multipart(Format::Full);
        entry.push_front(&address);
        snapshots.send_multipart(entry).unwrap();
    }
    assert_eq!(client.wait(Duration::ZERO).unwrap(), None);
    assert_eq!(client.sequence(), None);
    wait_for(&mut client, "the rest of the snapshot", |client| client.map().len() == 4999);
}

#[deadline::test]
fn malformed_messages_are_counted_and_dropped() {
    let server = Serving::any(Model::Five);
    let context = Context::new().unwrap();
    let updates = connected(&context, Push, &server.endpoints.updates);
    let requests = connected(&context, Dealer, &server.endpoints.snapshots);
    let reserved = KvMsg::new(HEARTBEAT, "body").into_multipart(Format::Full);
    let mut endless = KvMsg::new("key", "body");
    endless.set_property("ttl", "never").unwrap();
    let malformed = [reserved, endless.into_multipart(Format::Full), "one".into(), ["key", "", "body"].into()];
    for message in malformed {
        updates.send_multipart(&message).unwrap();
        server.until(|event| matches!(event, ServerEvent::Malformed(dropped) if *dropped == message));
    }
    requests.send("ICANHAZ").unwrap();
    server.until(|event| matches!(event, ServerEvent::Malformed(dropped) if dropped[1] == "ICANHAZ"));
    requests.send_multipart([REQUEST, "/a/"]).unwrap();
    let end: Multipart = requests.within(DEADLINE).recv_multipart().unwrap().unwrap();
    assert_eq!(end[0], "KTHXBAI");
    assert_eq!(server.stop().malformed, 5);
}

#[deadline::test]
fn heartbeats_have_the_number_of_the_last_update() {
    let server = Serving::any(Model::Six);
    let context = Context::new().unwrap();
    let subscriber = context.socket(Sub).unwrap();
    subscriber.subscribe(HEARTBEAT).unwrap();
    subscriber.connect(&server.endpoints.publisher).unwrap();
    let heartbeat = subscriber.within(DEADLINE).recv_multipart().unwrap().unwrap();
    let heartbeat = KvMsg::from_multipart(Format::Full, heartbeat).unwrap();
    assert_eq!((heartbeat.sequence(), heartbeat.body().len()), (0, 0));
    server.stop();
}

#[deadline::test]
fn set_gives_an_update_back_that_cannot_be_made() {
    let context = Context::new().unwrap();
    let endpoints = Endpoints::new("inproc://snapshots", "inproc://publisher", "inproc://updates");
    let mut lonely = Client::new(&context, Model::Six);
    assert_eq!(lonely.set(KvMsg::new("key", "value"), None).unwrap_err().errno(), Errno::EINVAL);
    let mut four = client(&context, Model::Four, "", &[&endpoints]);
    let failed = four.set(KvMsg::new("key", "value"), Duration::from_secs(1)).unwrap_err();
    assert_eq!((failed.errno(), failed.into_update().ttl()), (Errno::EINVAL, Ok(Some(1))));
    let mut six = client(&context, Model::Six, "", &[&endpoints]);
    for key in ["", "HUGZ", "KTHXBAI", &"k".repeat(256)] {
        assert_eq!(six.set(KvMsg::new(key, "value"), None).unwrap_err().errno(), Errno::EINVAL, "{key}");
    }
    for number in 0..10_000 {
        six.set(KvMsg::new(number.to_string(), "value"), None).unwrap();
    }
    assert_eq!(six.set(KvMsg::new("one more", "value"), None).unwrap_err().errno(), Errno::EAGAIN);
    six.set(KvMsg::new("1", "other"), None).unwrap();
    assert_eq!(six.unconfirmed(), 10_000);
}

/// The ports of a pair: three of each server for clients, and two for the other server.
struct Ports([[Port; 5]; 2]);

impl Ports {
    fn new() -> Ports {
        let five = || [(); 5].map(|()| Port::reserve());
        Ports([five(), five()])
    }

    fn endpoints(&self, server: usize) -> Endpoints {
        let [snapshots, publisher, updates, ..] = self.0[server].each_ref().map(Port::connect);
        Endpoints::new(snapshots, publisher, updates)
    }

    fn start(&self, server: usize) -> Serving {
        let [snapshots, publisher, updates, state, replica] = self.0[server].each_ref().map(Port::bind);
        let [.., peer_state, peer_replica] = self.0[1 - server].each_ref().map(Port::connect);
        let role = [Role::Primary, Role::Backup][server];
        let pair = Pair::new(role, (state, peer_state), (replica, peer_replica)).timing(Timing::new(3 * BEAT));
        Serving::start(Model::Six, Endpoints::new(snapshots, publisher, updates), |server| server.pair(pair))
    }
}

/// A server of a pair binds its endpoints again: here after a conflict with another primary.
#[deadline::test]
fn server_of_a_pair_runs_again_after_a_conflict() {
    let context = Context::new().unwrap();
    let primary = context.socket(Pub).unwrap();
    let peer = primary.bind(TCP).unwrap();
    let state = Port::reserve();
    let pair = Pair::new(Role::Primary, (state.bind(), peer), (TCP.to_owned(), "inproc://nowhere".to_owned()));
    let server = Server::new(&context, Model::Six, Endpoints::new(TCP, TCP, TCP));
    let mut server = server.heartbeat(BEAT).pair(pair.timing(Timing::new(BEAT)));
    let (over, is_over) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            // The state of a primary that waits.
            while is_over.recv_timeout(BEAT / 2) == Err(RecvTimeoutError::Timeout) {
                primary.send("1").unwrap();
            }
        });
        for _ in 0..3 {
            let ended = server.run(|_| {});
            assert!(matches!(ended, Err(BinaryStarError::Conflict(_))), "{ended:?}");
        }
        drop(over);
    });
}

/// Servers die in turn, always when the other one has the map: no update is lost that a client has seen.
#[deadline::test]
fn pair_keeps_what_clients_have_seen() {
    let ports = Ports::new();
    let mut servers = [0, 1].map(|server| Some(ports.start(server)));
    let context = Context::new().unwrap();
    let endpoints = [0, 1].map(|server| ports.endpoints(server));
    let new = |subtree| {
        let quick = Client::new(&context, Model::Six).subtree(subtree).ttl(6 * BEAT).retry(3 * BEAT);
        endpoints.iter().fold(quick, |mut client, endpoints| {
            client.connect(endpoints.clone()).unwrap();
            client
        })
    };
    let (mut one, mut other) = (new(""), new(""));
    let mut seen = 0;
    for round in 0..4 {
        let (active, passive) = (round % 2, 1 - round % 2);
        servers[active].as_ref().unwrap().until(|event| *event == ServerEvent::PeerInSync);
        for number in 0..50 {
            let key = format!("/{round}/{number}");
            one.set(KvMsg::new(&*key, "value"), None).unwrap();
            other.set(KvMsg::new(format!("{key}/other"), "value"), None).unwrap();
        }
        // The server dies while updates are on their way.
        wait_for(&mut one, "some updates", |client| client.map().len() > seen + 20);
        let before: Vec<_> = one.map().iter().map(|(key, _)| key.clone()).collect();
        servers[active].take().unwrap().stop();
        wait_for(&mut one, "its updates", |client| client.unconfirmed() == 0 && client.map().len() == seen + 100);
        assert!(before.iter().all(|key| one.get(key).is_some()));
        wait_for(&mut other, "the same map", |other| other.unconfirmed() == 0 && same(&one, other));
        seen += 100;
        assert!(servers[passive].is_some());
        servers[active] = Some(ports.start(active));
    }
    servers.into_iter().flatten().for_each(|server| {
        server.stop();
    });
}
