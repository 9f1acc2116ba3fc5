//! The freelance clients and their server: their machines, and over sockets.

#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "freelance/machine.rs"]
mod machine;

use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::{DEADLINE, TCP, bound, connected, eventually, in_own_process};
use zmq::{Context, Dealer, Errno, Error, Message, Multipart, Rep, Router, interrupt};
use zmq_patterns::freelance::{Client, Event, PING, PONG, RequestError, Server, Shotgun};

const MOMENT: Duration = Duration::from_millis(50);

/// A server of model three in a thread, which answers each request with its name and the request.
fn server(context: &Context, endpoint: &str, name: &'static str) -> (String, JoinHandle<(zmq::Result<()>, u64)>) {
    let socket = context.owned_socket(Router).unwrap();
    socket.set_linger(Duration::ZERO).unwrap();
    let endpoint = socket.bind(endpoint).unwrap();
    let serve = move |mut request: Multipart| {
        request.push_front(name);
        request
    };
    let thread = thread::spawn(move || {
        let mut server = Server::new(socket).unwrap();
        (server.run(serve, |_| {}), server.malformed())
    });
    (endpoint, thread)
}

/// A server of model two in a thread, which answers so many requests.
fn shotgun_server(context: &Context, name: &'static str, count: usize) -> (String, JoinHandle<()>) {
    let socket = context.owned_socket(Rep).unwrap();
    let endpoint = socket.bind(TCP).unwrap();
    let thread = thread::spawn(move || {
        for _ in 0..count {
            let mut request = socket.recv_multipart().unwrap();
            request.push_back(name);
            socket.send_multipart(request).unwrap();
        }
    });
    (endpoint, thread)
}

#[deadline::test]
fn shotgun_takes_the_first_reply_and_drops_the_others() {
    let context = Context::new().unwrap();
    let [(one, a), (other, b)] = ["a", "b"].map(|name| shotgun_server(&context, name, 100));
    let (sender, events) = channel();
    let mut client =
        Shotgun::new(&context).timeout(DEADLINE).on_event(move |event| sender.send(event.clone()).unwrap());
    client.connect(&one).unwrap();
    client.connect(&other).unwrap();
    for number in 0..100 {
        let text = number.to_string();
        let reply = client.request([&*text, "", "body"]).unwrap();
        assert_eq!(reply[..3], [&*text, "", "body"]);
        assert!(["a", "b"].contains(&reply[3].as_str().unwrap()));
    }
    // Both servers get every request.
    a.join().unwrap();
    b.join().unwrap();
    let statistics = client.statistics();
    assert_eq!((statistics.requests, statistics.replies, statistics.failed), (100, 100, 0));
    assert!(events.try_iter().all(|event| matches!(event, Event::LateReply(_))));
}

#[deadline::test]
fn caught_signal_ends_a_request_while_a_server_sends_without_a_pause() {
    in_own_process("caught_signal_ends_a_request_while_a_server_sends_without_a_pause", || {
        const COUNT: usize = 2000;
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        let context = Context::new().unwrap();
        let server = context.owned_socket(Router).unwrap();
        server.set_sndhwm(0).unwrap();
        server.bind("inproc://server").unwrap();
        let mut is_first = true;
        let (sender, reports) = channel();
        let mut client =
            Shotgun::new(&context).timeout(2 * DEADLINE).with(|socket| socket.set_rcvhwm(0)).on_event(move |_| {
                sender.send(()).unwrap();
                if std::mem::take(&mut is_first) {
                    common::signal(std::process::id(), libc::SIGINT);
                    eventually("the signal is caught", interrupt::interrupted);
                }
            });
        client.connect("inproc://server").unwrap();
        let flooding = thread::spawn(move || {
            let id = server.recv_multipart().unwrap().pop_front().unwrap();
            for _ in 0..COUNT {
                server.send_multipart([id.clone(), "none of the protocol".into()]).unwrap();
            }
            server
        });
        assert_eq!(client.request("request").unwrap_err().errno(), Errno::EINTR);
        assert!(reports.try_iter().count() < COUNT, "it waits for the end of the messages");
        drop(flooding.join().unwrap());
    });
}

#[deadline::test]
fn shotgun_needs_one_server_of_three() {
    let context = Context::new().unwrap();
    let _deaf = bound(&context, Router, "inproc://deaf");
    let (alive, serving) = shotgun_server(&context, "alive", 5);
    let mut client = Shotgun::new(&context).timeout(DEADLINE);
    for endpoint in ["inproc://deaf", &alive, "ipc:///tmp/nobody-is-there"] {
        client.connect(endpoint).unwrap();
    }
    for _ in 0..5 {
        assert_eq!(client.request("name").unwrap(), ["name", "alive"]);
    }
    serving.join().unwrap();
    let mut client = client.timeout(MOMENT);
    let failed = client.request("name").unwrap_err();
    assert_eq!((failed.errno(), failed.to_string()), (Errno::EAGAIN, "no reply within 50ms from 3 servers".to_owned()));
    assert_eq!(failed.into_request(), ["name"]);
}

/// Replies of the wrong form or number are dropped and counted.
#[deadline::test]
fn shotgun_drops_malformed_and_late_replies() {
    let context = Context::new().unwrap();
    let server = bound(&context, Router, "inproc://server");
    let (sender, events) = channel();
    let mut client =
        Shotgun::new(&context).timeout(DEADLINE).on_event(move |event| sender.send(event.clone()).unwrap());
    client.connect("inproc://server").unwrap();
    let asking = thread::spawn(move || (client.request("name").unwrap(), client));
    let request = server.recv_multipart().unwrap();
    assert_eq!(request[1..], ["", "1", "name"]);
    let answer = |frames: &[&str]| {
        let mut message = Multipart::from(frames);
        message.push_front(&request[0]);
        server.send_multipart(message).unwrap();
    };
    let malformed: [&[&str]; 4] = [&[""], &["", "1"], &["1", "OK"], &["x", "1", "OK"]];
    malformed.into_iter().for_each(answer);
    answer(&["", "0", "OK"]);
    answer(&["", "1", "OK", "", "more"]);
    let (reply, client) = asking.join().unwrap();
    assert_eq!(reply, ["OK", "", "more"]);
    let mut expected: Vec<_> = malformed.map(|frames| Event::Malformed(frames.into())).into();
    expected.push(Event::LateReply(["", "0", "OK"].into()));
    assert_eq!(events.try_iter().collect::<Vec<_>>(), expected);
    assert_eq!((client.statistics().malformed, client.statistics().late), (4, 1));
}

fn errno(outcome: Result<Multipart, RequestError>) -> Errno {
    outcome.unwrap_err().errno()
}

#[deadline::test]
fn freelance_clients_report_wrong_calls() {
    let context = Context::new().unwrap();
    let (mut shotgun, mut client) = (Shotgun::new(&context), Client::new(&context));
    assert_eq!(errno(shotgun.request("x")), Errno::EINVAL);
    assert_eq!(errno(client.request("x")), Errno::EINVAL);
    assert!(context.open_sockets().is_empty());
    let (one, other) = (shotgun.connect("nowhere").unwrap_err(), client.connect("nowhere").unwrap_err());
    assert_eq!((one.errno(), other.errno()), (Errno::EINVAL, Errno::EINVAL));
    assert!(other.to_string().contains("nowhere"), "{other}");
    let long = format!("ipc:///tmp/{}", "x".repeat(300));
    assert_ne!(client.connect(&long).unwrap_err().errno(), Errno::EAGAIN);
    shotgun.connect("inproc://x").unwrap();
    client.connect("tcp://127.0.0.1:9").unwrap();
    client.connect("tcp://127.0.0.1:9").unwrap();
    assert_eq!(errno(shotgun.request(Multipart::new())), Errno::EINVAL);
    assert_eq!(errno(client.request(Multipart::new())), Errno::EINVAL);
    context.shutdown().unwrap();
    assert_eq!(errno(shotgun.request("x")), Errno::ETERM);
    assert_eq!(errno(client.request("x")), Errno::ETERM);
}

#[deadline::test]
fn client_uses_one_server_until_it_does_not_answer() {
    let context = Context::new().unwrap();
    let deaf = bound(&context, Router, TCP);
    let deaf_at = deaf.last_endpoint().unwrap().unwrap();
    let [(a_at, _), (b_at, _)] = ["a", "b"].map(|name| server(&context, TCP, name));
    let mut client = Client::new(&context).timeout(DEADLINE).retry(MOMENT);
    for endpoint in [&deaf_at, &a_at, &b_at] {
        client.connect(endpoint).unwrap();
    }
    for number in 0..50 {
        let reply = client.request(["question", &*number.to_string()]).unwrap();
        assert_eq!(reply[1..], ["question".to_owned(), number.to_string()]);
    }
    // The deaf server has got one request, and pings.
    let mut requests = 0;
    while let Some(message) = deaf.within(MOMENT).recv_multipart().unwrap() {
        requests += usize::from(message[1] != PING);
    }
    assert_eq!(requests, 1);
    assert_eq!(client.statistics().replies, 50);
    context.shutdown().unwrap();
}

/// A server is killed and comes back: the client notices both without a request.
#[deadline::test]
fn client_notices_servers_that_die_and_come_back() {
    let (mine, theirs) = (Context::new().unwrap(), Context::new().unwrap());
    let (endpoint, first) = server(&theirs, TCP, "first");
    let (sender, events) = channel();
    let mut client = Client::new(&mine)
        .timeout(DEADLINE)
        .ping(MOMENT)
        .ttl(4 * MOMENT)
        .on_event(move |event| sender.send(event.clone()).unwrap());
    client.connect(&endpoint).unwrap();
    assert_eq!(client.request("x").unwrap(), ["first", "x"]);
    theirs.shutdown().unwrap();
    first.join().unwrap().0.unwrap();
    drop(theirs);
    let silent = Event::ServerSilent(endpoint.clone());
    let next = || events.recv_timeout(DEADLINE).unwrap();
    while next() != silent {}
    let theirs = Context::new().unwrap();
    let asking = thread::spawn(move || client.request("y").unwrap());
    let (_, second) = server(&theirs, &endpoint, "second");
    assert_eq!(asking.join().unwrap(), ["second", "y"]);
    assert_eq!(next(), Event::ServerAlive(endpoint));
    theirs.shutdown().unwrap();
    second.join().unwrap().0.unwrap();
}

#[deadline::test]
fn request_fails_when_no_server_answers() {
    let context = Context::new().unwrap();
    let mut client = Client::new(&context).timeout(2 * MOMENT);
    client.connect("tcp://127.0.0.1:9").unwrap();
    let start = Instant::now();
    let failed = client.request(["two", "parts"]).unwrap_err();
    assert!(start.elapsed() >= 2 * MOMENT, "{:?}", start.elapsed());
    assert_eq!((failed.errno(), failed.request()), (Errno::EAGAIN, &["two", "parts"].into()));
    assert!(failed.error().is_none());
    assert_eq!(std::io::Error::from(failed).kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!((client.statistics().failed, client.statistics().requests), (1, 1));
}

/// Nothing that a server sends ends a client, and nothing that a client sends ends a server.
#[deadline::test]
fn client_and_server_drop_malformed_messages() {
    let context = Context::new().unwrap();
    let (endpoint, serving) = server(&context, TCP, "server");
    let bad_client = connected(&context, Dealer, &endpoint);
    for message in [&[""][..], &["x"], &["PONG"], &["ping"]] {
        bad_client.send_multipart(message).unwrap();
    }
    bad_client.send_multipart([PING]).unwrap();
    assert_eq!(bad_client.recv_multipart().unwrap(), [PONG]);
    bad_client.send_multipart(["any number", "", "x"]).unwrap();
    assert_eq!(bad_client.recv_multipart().unwrap(), ["any number", "server", "", "x"]);

    let bad_server = context.socket(Router).unwrap();
    let at = bad_server.bind(TCP).unwrap();
    let (sender, events) = channel();
    let mut client = Client::new(&context).timeout(DEADLINE).on_event(move |event| sender.send(event.clone()).unwrap());
    client.connect(&at).unwrap();
    let asking = thread::spawn(move || (client.request("x").unwrap(), client));
    let ping = bad_server.recv_multipart().unwrap();
    assert_eq!(ping[1..], [PING]);
    let request = bad_server.recv_multipart().unwrap();
    assert_eq!(request[1..], ["1", "x"]);
    for frames in [&[""][..], &["x"], &["1"], &["2", "OK"], &["1", "OK"], &["1", "again"]] {
        let mut message = Multipart::from(frames);
        message.push_front(&ping[0]);
        bad_server.send_multipart(message).unwrap();
    }
    let (reply, client) = asking.join().unwrap();
    assert_eq!(reply, ["OK"]);
    eventually("the second reply has come", || client.statistics().late == 2);
    assert_eq!(client.statistics().malformed, 3);
    let malformed = |frame: &str| Event::Malformed([&*at, frame].into());
    let expected = [malformed(""), malformed("x"), malformed("1"), Event::LateReply(["2", "OK"].into())];
    assert_eq!(events.try_iter().take(4).collect::<Vec<_>>(), expected);
    context.shutdown().unwrap();
    let (ended, dropped) = serving.join().unwrap();
    ended.unwrap();
    assert_eq!(dropped, 4);
}

/// A client that does not read, and one that leaves.
#[deadline::test]
fn server_counts_and_reports_replies_that_do_not_reach_their_client() {
    let context = Context::new().unwrap();
    let socket = context.owned_socket(Router).unwrap();
    socket.set_sndhwm(1).unwrap();
    socket.bind("inproc://server").unwrap();
    let mut server = Server::new(socket).unwrap();
    let deaf = context.socket(Dealer).unwrap();
    deaf.set_rcvhwm(1).unwrap();
    deaf.connect("inproc://server").unwrap();
    let mut lost = Vec::new();
    for request in [&["1", "x"][..], &["2", "x"], &["3", "x"], &[PING]] {
        deaf.send_multipart(request).unwrap();
        server.run_once(|request| request, |event| lost.push(event.clone())).unwrap();
    }
    // Two replies have room.
    let [Event::ReplyLost(reply), Event::ReplyLost(pong)] = &lost[..] else { panic!("{lost:?}") };
    assert_eq!((&reply[1..], &pong[1..]), (&["3".into(), "x".into()][..], &[PONG.into()][..]));
    assert_eq!((server.lost_replies(), server.malformed()), (2, 0));
    for number in ["1", "2"] {
        assert_eq!(deaf.recv_multipart().unwrap(), [number, "x"]);
    }

    // libzmq may notice only after the reply that a client has left.
    while server.lost_replies() < 3 {
        let leaving = connected(&context, Dealer, "inproc://server");
        leaving.send_multipart(["4", "x"]).unwrap();
        drop(leaving);
        server.run_once(|request| request, |event| assert!(matches!(event, Event::ReplyLost(_)), "{event:?}")).unwrap();
    }
    deaf.send_multipart(["5", "x"]).unwrap();
    server.run_once(|request| request, |event| panic!("{event:?}")).unwrap();
    assert_eq!(deaf.recv_multipart().unwrap(), ["5", "x"]);
}

/// A request that a signal ends gives no reply to the next one. The agent is started again, with its servers.
#[deadline::test]
fn caught_signal_ends_a_request_and_not_the_client() {
    const ROUNDS: usize = 200;
    in_own_process("caught_signal_ends_a_request_and_not_the_client", || {
        interrupt::catch_signals(interrupt::TERMINATION).unwrap();
        let context = Context::new().unwrap();
        let server = context.owned_socket(Router).unwrap();
        let endpoint = server.bind(TCP).unwrap();
        let mut client = Client::new(&context).timeout(DEADLINE);
        client.connect(&endpoint).unwrap();
        let asking = thread::spawn(move || {
            for round in 0..ROUNDS {
                assert_eq!(errno(client.request(format!("first {round}"))), Errno::EINTR);
                interrupt::clear();
                // The agent may notice the signal only now.
                assert_eq!(client.request(format!("second {round}")).unwrap(), [format!("second {round}")]);
            }
        });
        // The agent is late more often on a busy machine. The threads end with the process.
        for _ in 0..8 {
            thread::spawn(|| {
                loop {
                    std::hint::spin_loop()
                }
            });
        }
        let request = |text: String| loop {
            match server.recv_multipart() {
                Ok(message) if *message.last().unwrap() == text => break message,
                Err(error) if error.errno() != Errno::EINTR => panic!("{error}"),
                _ => {}
            }
        };
        for round in 0..ROUNDS {
            let mut first = request(format!("first {round}"));
            common::signal(std::process::id(), libc::SIGINT);
            let second = request(format!("second {round}"));
            *first.last_mut().unwrap() = Message::from("late");
            server.send_multipart(first).unwrap();
            server.send_multipart(second).unwrap();
        }
        asking.join().unwrap();
    });
}

#[deadline::test]
fn client_sets_its_socket_up_in_the_thread_of_the_program() {
    let context = Context::new().unwrap();
    let this = thread::current().id();
    let mut client = Client::new(&context).with(move |_| {
        assert_eq!(thread::current().id(), this);
        Err(Error::new(Errno::EACCES, "set-up", "no key"))
    });
    assert_eq!(client.connect("tcp://127.0.0.1:9").unwrap_err(), Errno::EACCES);
    assert!(context.open_sockets().is_empty());
}

#[deadline::test]
fn dropped_client_ends_its_agent() {
    let context = Context::new().unwrap();
    let (endpoint, _) = server(&context, TCP, "server");
    let mut client = Client::new(&context).timeout(DEADLINE);
    client.connect(&endpoint).unwrap();
    client.request("x").unwrap();
    drop(client);
    assert_eq!(context.open_sockets().len(), 1);
    context.shutdown().unwrap();
}
