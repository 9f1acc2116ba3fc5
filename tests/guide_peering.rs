//! The guide's peering brokers: among native C peers, among one another, without peers, and with peers that leave.

mod common;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::guide::{Directory, NOTHING, ended, example, interrupt};
use common::{Process, c_program};
use zmq::{Context, Dealer, Pub, Push, Req, Router, Socket, Sub};

const PROMPT: &str = "Press Enter when all brokers are started: ";
const SECOND: Duration = Duration::from_secs(1);

/// The directory in which the brokers of a test find one another.
struct Place(Directory);

impl Place {
    fn new(test: &str) -> Place {
        Place(Directory::new(test))
    }

    fn start(&self, program: &Path, args: &str) -> Process {
        Process::spawn(Command::new(program).args(args.split_whitespace()).current_dir(self.0.path()))
    }

    /// Starts one of the examples, and types Enter.
    fn broker(&self, program: &str, args: &str) -> Process {
        let mut broker = self.start(&example(program), args);
        broker.type_all("\n");
        broker
    }

    fn endpoint(&self, broker: &str, flow: &str) -> String {
        format!("ipc://{}/{broker}-{flow}.ipc", self.0.path().display())
    }
}

/// Ends a C peer, which succeeds only if all its checks passed.
fn dismiss(mut peer: Process) -> Vec<String> {
    peer.type_all("\n");
    ended(peer)
}

/// The next lines that a broker prints, until `is_such` holds for `count` of them, without those that begin with `I: `.
fn lines_until(broker: &Process, count: usize, is_such: impl Fn(&str) -> bool) -> Vec<String> {
    let (mut lines, mut found) = (Vec::new(), 0);
    while found < count {
        let line = broker.line();
        let line = line.strip_prefix(PROMPT).unwrap_or(&line);
        found += usize::from(is_such(line));
        if !line.starts_with("I: ") {
            lines.push(line.to_owned());
        }
    }
    lines
}

/// The next line of a C peer that is not the state of its peer.
fn word(peer: &Process) -> String {
    std::iter::repeat_with(|| peer.line()).find(|line| !line.starts_with("state ")).unwrap()
}

fn count(lines: &[String], wanted: &str) -> usize {
    lines.iter().filter(|line| line.strip_prefix(PROMPT).unwrap_or(line) == wanted).count()
}

fn is_task(line: &str) -> bool {
    line.len() == 4 && line.bytes().all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte))
}

#[deadline::test]
fn peering_programs_print_their_syntax_without_names() {
    for name in ["peering1", "peering2", "peering3"] {
        let broker = Process::start(example(name), &[]);
        assert_eq!(broker.rest(), [format!("syntax: {name} me {{you}}...")]);
        broker.succeeds();
    }
}

#[deadline::test]
fn ctrl_c_ends_peering_programs_whose_peers_are_not_there() {
    let place = Place::new("absent-peers");
    for name in ["peering1", "peering2", "peering3"] {
        let broker = place.broker(name, "DC1 DC2 DC3");
        assert_eq!(broker.line(), "I: preparing broker at DC1...");
        for peer in ["DC2", "DC3"] {
            let flow = if name == "peering1" { "state backend" } else { "cloud frontend" };
            assert_eq!(broker.line(), format!("I: connecting to {flow} at '{peer}'"));
        }
        interrupt(broker);
    }
    // This broker has a peer that does not answer.
    let context = Context::new().unwrap();
    let silent = context.socket(Router).unwrap();
    silent.set_routing_id("DC2").unwrap();
    silent.bind(&place.endpoint("DC2", "cloud")).unwrap();
    let broker = place.broker("peering2", "DC1 DC2 --workers 0");
    assert_eq!(silent.recv_multipart().unwrap().len(), 4);
    interrupt(broker);
    // This broker waits for Enter.
    let broker = place.start(&example("peering2"), "DC1");
    assert_eq!(broker.line(), "I: preparing broker at DC1...");
    assert!(broker.line_within(SECOND / 4).is_none());
    assert_eq!(interrupt(broker), [PROMPT]);
}

#[deadline::test]
fn peering1_exchanges_states_with_a_c_broker_that_sends_without_a_pause() {
    let place = Place::new("peering1-c");
    let peer = place.start(&c_program("peering_state.c"), "DC2 DC1 5");
    let broker = place.broker("peering1", "DC1 DC2 --pause 50");
    assert_eq!(peer.line(), "heard");
    lines_until(&broker, 20, |line| line == "DC2 - 7 workers free");
    assert_eq!(dismiss(peer), NOTHING);
    interrupt(broker);
}

#[deadline::test]
fn peering1_receives_the_states_of_two_others() {
    let place = Place::new("peering1-three");
    let names = ["DC1", "DC2", "DC3"];
    let brokers = [0, 1, 2].map(|own| {
        let (name, one, other) = (names[own], names[(own + 1) % 3], names[(own + 2) % 3]);
        (own, place.broker("peering1", &format!("{name} {one} {other} --pause 20")))
    });
    for (own, broker) in &brokers {
        for (_, peer) in names.iter().enumerate().filter(|(other, _)| other != own) {
            let news = format!("{peer} - ");
            lines_until(broker, 3, |line| line.starts_with(&news) && line.ends_with(" workers free"));
        }
    }
    for (_, broker) in brokers {
        interrupt(broker);
    }
}

#[deadline::test]
fn peering2_serves_the_clients_of_a_c_broker() {
    let place = Place::new("peering2-serves");
    let peer = place.start(&c_program("peering_cloud.c"), "DC2 DC1 30 0 OK");
    let broker = place.broker("peering2", "DC1 DC2 --clients 0");
    assert_eq!(peer.line(), "asked");
    assert_eq!(dismiss(peer), ["0"]);
    let lines = interrupt(broker);
    assert_eq!(count(&lines, "Worker: [005] HELLO"), 30);
}

#[deadline::test]
fn peering2_is_served_by_a_c_broker() {
    let place = Place::new("peering2-asks");
    // The broker starts before its peer, and waits for it.
    let broker = place.broker("peering2", "DC1 DC2 --clients 4 --workers 0 --pause 0 --requests 5");
    assert_eq!(broker.line(), "I: preparing broker at DC1...");
    let peer = place.start(&c_program("peering_cloud.c"), "DC2 DC1 0 20 OK");
    assert_eq!(lines_until(&broker, 20, |line| line == "Client: OK").len(), 20);
    assert_eq!(peer.line(), "served");
    assert_eq!(dismiss(peer), ["20"]);
    assert_eq!(interrupt(broker), NOTHING);
}

#[deadline::test]
fn peering2_shares_work_with_a_c_broker_in_both_directions() {
    let place = Place::new("peering2-both");
    let peer = place.start(&c_program("peering_cloud.c"), "DC2 DC1 20 1 OK");
    let broker = place.broker("peering2", "DC1 DC2 --pause 25 --requests 20");
    let lines = lines_until(&broker, 200, |line| line == "Client: OK");
    let mut said = [peer.line(), peer.line()];
    said.sort();
    assert_eq!(said, ["asked", "served"]);
    let served = dismiss(peer).pop().unwrap().parse::<usize>().unwrap();
    let done = count(&lines, "Worker: [005] HELLO") + count(&interrupt(broker), "Worker: [005] HELLO");
    // About one in five of its own 200 goes away, and 20 come in.
    assert_eq!(done, 200 - served + 20);
    assert!((1..120).contains(&served), "{served}");
}

#[deadline::test]
fn peering2_and_3_serve_c_workers_and_c_clients() {
    let place = Place::new("peering-local");
    let program = c_program("peering_local.c");
    for (broker, body) in [("peering2", "OK"), ("peering3", "task")] {
        let broker = place.broker(broker, "DC1 --clients 0 --workers 0");
        let clients = [(); 2].map(|()| place.start(&program, &format!("client DC1 20 {body}")));
        let workers = [(); 3].map(|()| place.start(&program, &format!("worker DC1 0 {body}")));
        for client in clients {
            assert_eq!(client.rest(), ["done"]);
            client.succeeds();
        }
        let mut requests = 0;
        for worker in workers {
            let lines = dismiss(worker);
            requests += count(&lines, "3");
            assert_eq!(lines.last().unwrap(), "done");
        }
        assert_eq!(requests, 40);
        interrupt(broker);
    }
}

#[deadline::test]
fn peering2_and_3_let_a_c_worker_work_for_peers() {
    let place = Place::new("peering-worker");
    let program = c_program("peering_local.c");
    let cloud = c_program("peering_cloud.c");
    for (broker, body) in [("peering2", "OK"), ("peering3", "task")] {
        let broker = place.broker(broker, "DC1 DC2 --clients 0 --workers 0");
        let worker = place.start(&program, &format!("worker DC1 10 {body}"));
        let peer = place.start(&cloud, &format!("DC2 DC1 10 0 {body}"));
        assert_eq!(peer.line(), "asked");
        dismiss(peer);
        // [DC2][client][][body]
        assert_eq!(count(&dismiss(worker), "4"), 10);
        interrupt(broker);
    }
}

#[deadline::test]
fn peering2_without_workers_leaves_its_work_to_its_peer() {
    let place = Place::new("peering2-two");
    let other = place.broker("peering2", "DC2 DC1 --pause 40 --requests 12");
    let own = place.broker("peering2", "DC1 DC2 --workers 0 --pause 0 --requests 12");
    assert_eq!(lines_until(&own, 120, |line| line == "Client: OK").len(), 120);
    let mut lines = lines_until(&other, 120, |line| line == "Client: OK");
    assert_eq!(interrupt(own), NOTHING);
    lines.extend(interrupt(other));
    assert_eq!(count(&lines, "Worker: [005] HELLO"), 240);
}

#[deadline::test]
fn peering2_answers_every_request_in_a_cluster_of_three() {
    let place = Place::new("peering2-three");
    let names = ["DC1 DC2 DC3 --workers 0", "DC2 DC3 DC1", "DC3 DC1 DC2"];
    let brokers = names.map(|names| place.broker("peering2", &format!("{names} --pause 40 --requests 12")));
    let mut done = [0; 3];
    let mut lines = brokers.each_ref().map(|broker| lines_until(broker, 120, |line| line == "Client: OK"));
    for (number, broker) in brokers.into_iter().enumerate() {
        lines[number].extend(interrupt(broker));
        assert_eq!(count(&lines[number], "Client: OK"), 120);
        done[number] = count(&lines[number], "Worker: [005] HELLO");
    }
    assert_eq!(done[0], 0);
    assert_eq!(done[1] + done[2], 360);
}

#[deadline::test]
fn peering2_and_3_go_on_when_clients_workers_and_peers_leave() {
    for name in ["peering2", "peering3"] {
        let place = Place::new(&format!("gone-{name}"));
        let broker = place.broker(name, "DC1 DC2 --clients 0 --workers 0");
        let context = Context::new().unwrap();
        let client = || {
            let client = context.socket(Req).unwrap();
            client.set_linger(Some(Duration::ZERO)).unwrap();
            client.connect(&place.endpoint("DC1", "localfe")).unwrap();
            client.send("HELLO").unwrap();
            client
        };
        // Each worker and peer that leaves has its own context, because dropping a context waits until its connections
        // are closed.
        let worker = |context: &Context| {
            let worker = context.owned_socket(Dealer).unwrap();
            worker.set_linger(Some(Duration::ZERO)).unwrap();
            worker.connect(&place.endpoint("DC1", "localbe")).unwrap();
            worker
        };
        let answer = |worker: &Socket<'_, Dealer>, client: &Socket<'_, Req>| {
            worker.send_multipart(worker.recv_multipart().unwrap()).unwrap();
            assert_eq!(client.recv_msg().unwrap(), "HELLO");
        };

        // A client and a peer do not wait for their replies, which then have no receiver.
        let leaving = Context::new().unwrap();
        let first = worker(&leaving);
        first.send_multipart([&b""[..], &[1]]).unwrap();
        let gone = client();
        let request = first.recv_multipart().unwrap();
        drop(gone);
        first.send_multipart(request).unwrap();
        let peer = context.socket(Router).unwrap();
        peer.set_routing_id("DC2").unwrap();
        peer.set_router_mandatory(true).unwrap();
        peer.connect(&place.endpoint("DC1", "cloud")).unwrap();
        common::eventually("the peer is connected", || peer.send_multipart(["DC1", "c", "", "HELLO"]).is_ok());
        let request = first.recv_multipart().unwrap();
        assert_eq!(request, ["", "DC2", "c", "", "HELLO"]);
        drop(peer);
        first.send_multipart(request).unwrap();
        answer(&first, &client());

        // The first worker leaves while it is free, and the broker skips it. The next worker sends malformed messages
        // before it works; the last of them is a reply to an unknown client.
        drop(first);
        drop(leaving);
        let leaving = Context::new().unwrap();
        let second = worker(&leaving);
        for parts in [&[""][..], &["", ""], &["READY"], &["", "x"], &["", "nobody", "", ""]] {
            second.send_multipart(parts.to_vec()).unwrap();
        }
        answer(&second, &client());

        // The second worker leaves too, and a request waits for the next worker.
        drop(second);
        drop(leaving);
        let waiting = client();
        assert!(waiting.within(SECOND / 5).recv_msg().unwrap().is_none());
        let third = worker(&context);
        third.send_multipart([&b""[..], &[1]]).unwrap();
        answer(&third, &waiting);
        drop(third);
        drop(waiting);
        interrupt(broker);
    }
}

#[deadline::test]
fn peering_programs_survive_nonsense() {
    let nonsense = [&["DC2"][..], &[""], &["", ""], &["DC2", "many"], &["DC2", "-1"], &["DC2", "9", ""], &["DC4", "9"]];
    let place = Place::new("nonsense");
    let context = Context::new().unwrap();
    let news = context.socket(Pub).unwrap();
    news.bind(&place.endpoint("DC2", "state")).unwrap();
    let say = || nonsense.iter().for_each(|parts| news.send_multipart(parts.to_vec()).unwrap());
    let broker = place.broker("peering1", "DC1 DC2");
    common::eventually("the broker receives a state", || {
        say();
        broker.line_within(SECOND / 100).is_some_and(|line| line == "DC4 - 9 workers free")
    });
    interrupt(broker);

    let peer = context.socket(Router).unwrap();
    peer.set_routing_id("DC2").unwrap();
    peer.bind(&place.endpoint("DC2", "cloud")).unwrap();
    for name in ["peering2", "peering3"] {
        let more = if name == "peering2" { "--requests 3" } else { "--tasks 3 --burst 3 --timeout 50000" };
        let broker = place.broker(name, &format!("DC1 DC2 --clients 1 --workers 0 --pause 0 {more}"));
        for _ in 0..3 {
            let mut request = None;
            common::eventually("the broker asks its peer", || {
                say();
                news.send_multipart(["DC2", "1"]).unwrap();
                request = peer.within(SECOND / 100).recv_multipart().unwrap();
                request.is_some()
            });
            let request = request.unwrap();
            assert_eq!(request.len(), 4);
            for parts in [&["DC1", ""][..], &["DC1", "x"], &["DC1", "", ""], &["DC1", "nobody", "", "OK"]] {
                peer.send_multipart(parts.to_vec()).unwrap();
            }
            peer.send_multipart(request).unwrap();
        }
        lines_until(&broker, 3, |line| line == "Client: HELLO" || is_task(line));
        interrupt(broker);
    }
}

#[deadline::test]
fn peering3_gives_tasks_to_the_c_broker_that_has_capacity() {
    let place = Place::new("peering3-asks");
    let program = c_program("peering_cloud.c");
    let rich = place.start(&program, "DC2 DC1 0 15 task 2");
    let poor = place.start(&program, "DC3 DC1 0 0 task 0");
    let broker = place.broker("peering3", "DC1 DC2 DC3 --clients 3 --workers 0 --pause 0 --timeout 50000 --tasks 5");
    lines_until(&broker, 15, is_task);
    assert_eq!(word(&rich), "served");
    assert_eq!(dismiss(rich).last().unwrap(), "15");
    assert_eq!(dismiss(poor).last().unwrap(), "0");
    assert_eq!(interrupt(broker), NOTHING);
}

#[deadline::test]
fn peering3_keeps_tasks_while_its_c_peer_has_no_capacity() {
    let place = Place::new("peering3-keeps");
    let program = c_program("peering_cloud.c");
    let broker =
        place.broker("peering3", "DC1 DC2 --clients 2 --workers 0 --pause 0 --burst 1 --timeout 50000 --tasks 2");
    let poor = place.start(&program, "DC2 DC1 0 0 task 0");
    lines_until(&broker, 1, |line| line == "I: connecting to state backend at 'DC2'");
    assert!(broker.line_within(SECOND / 2).is_none());
    assert_eq!(dismiss(poor).last().unwrap(), "0");
    // The peer comes back with workers.
    let rich = place.start(&program, "DC2 DC1 0 4 task 1");
    lines_until(&broker, 4, is_task);
    assert_eq!(word(&rich), "served");
    dismiss(rich);
    interrupt(broker);
}

#[deadline::test]
fn peering3_works_for_a_c_broker_and_tells_it_its_capacity() {
    let place = Place::new("peering3-serves");
    let broker = place.broker("peering3", "DC1 DC2 --clients 0 --workers 2 --work 0");
    let peer = place.start(&c_program("peering_cloud.c"), "DC2 DC1 20 0 task 0");
    let mut states = Vec::new();
    while let Some(state) = peer.line().strip_prefix("state ") {
        states.push(state.to_owned());
    }
    states.extend(dismiss(peer).iter().filter_map(|line| line.strip_prefix("state ").map(str::to_owned)));
    assert!(states.contains(&"1".to_owned()), "{states:?}");
    assert!(states.contains(&"2".to_owned()), "{states:?}");
    interrupt(broker);
}

/// The only worker is busy until twenty requests of a client and twenty of a peer wait.
#[deadline::test]
fn peering3_serves_its_own_clients_before_its_peers() {
    let place = Place::new("peering3-order");
    let broker = place.broker("peering3", "DC1 DC2 --clients 0 --workers 0");
    let context = Context::new().unwrap();
    let worker = context.socket(Req).unwrap();
    worker.connect(&place.endpoint("DC1", "localbe")).unwrap();
    worker.send([1_u8]).unwrap();
    let client = context.socket(Dealer).unwrap();
    client.connect(&place.endpoint("DC1", "localfe")).unwrap();
    let peer = context.socket(Router).unwrap();
    peer.set_routing_id("DC2").unwrap();
    peer.set_router_mandatory(true).unwrap();
    peer.connect(&place.endpoint("DC1", "cloud")).unwrap();
    let peer_asks = || peer.send_multipart(["DC1", "c", "", "BEEF"]);

    // One reply over each connection shows that both are established.
    client.send_multipart(["", "CAFE"]).unwrap();
    worker.send_multipart(worker.recv_multipart().unwrap()).unwrap();
    assert_eq!(client.recv_multipart().unwrap(), ["", "CAFE"]);
    common::eventually("the peer is connected", || peer_asks().is_ok());
    let mut request = worker.recv_multipart().unwrap();
    for _ in 0..20 {
        peer_asks().unwrap();
        client.send_multipart(["", "CAFE"]).unwrap();
    }
    let mut order = Vec::new();
    for _ in 0..40 {
        worker.send_multipart(request).unwrap();
        request = worker.recv_multipart().unwrap();
        order.push(request.last().unwrap().to_str().unwrap().to_owned());
    }
    // The first client may be served before all have connected.
    assert_eq!(order[30..], ["BEEF"; 10], "{order:?}");
    assert_eq!(count(&order, "CAFE"), 20);
    drop(worker);
    assert!(interrupt(broker).len() <= 3);
}

/// In a cluster of two, one of them in C, each broker works for the other.
#[deadline::test]
fn peering3_shares_work_with_a_c_broker_in_both_directions() {
    let place = Place::new("peering3-both");
    let peer = place.start(&c_program("peering_cloud.c"), "DC2 DC1 20 1 task 3");
    let args = "DC1 DC2 --workers 2 --pause 20 --work 5 --timeout 50000 --tasks 20";
    let broker = place.broker("peering3", args);
    let lines = lines_until(&broker, 200, is_task);
    assert_eq!(lines.len(), 200, "{lines:?}");
    let mut said = [word(&peer), word(&peer)];
    said.sort();
    assert_eq!(said, ["asked", "served"]);
    dismiss(peer);
    assert_eq!(interrupt(broker), NOTHING);
}

/// The worker has its next task before its capacity would be announced, so peers receive no announcement.
#[deadline::test]
fn peering3_announces_no_worker_that_has_its_next_task() {
    let place = Place::new("peering3-silent");
    let broker = place.broker("peering3", "DC1 --clients 0 --workers 0");
    let context = Context::new().unwrap();
    let news = context.socket(Sub).unwrap();
    news.subscribe("").unwrap();
    assert!(news.connect_and_wait(&place.endpoint("DC1", "state"), None).unwrap());
    assert_eq!(news.recv_multipart().unwrap(), ["DC1", "0"]);
    let client = context.socket(Dealer).unwrap();
    client.connect(&place.endpoint("DC1", "localfe")).unwrap();
    let worker = context.socket(Req).unwrap();
    worker.connect(&place.endpoint("DC1", "localbe")).unwrap();
    worker.send([1_u8]).unwrap();
    assert_eq!(news.recv_multipart().unwrap(), ["DC1", "1"]);
    for _ in 0..20 {
        client.send_multipart(["", "CAFE"]).unwrap();
    }
    let mut request = worker.recv_multipart().unwrap();
    assert_eq!(news.recv_multipart().unwrap(), ["DC1", "0"]);
    for _ in 0..19 {
        worker.send_multipart(request).unwrap();
        request = worker.recv_multipart().unwrap();
    }
    let heard = news.within(SECOND / 10).recv_msg().unwrap();
    assert!(heard.is_none(), "{heard:?}");
    worker.send_multipart(request).unwrap();
    assert_eq!(news.recv_multipart().unwrap(), ["DC1", "1"]);
    interrupt(broker);
}

#[deadline::test]
fn peering3_announces_its_capacity_to_new_peers_and_when_it_changes() {
    let place = Place::new("peering3-state");
    let broker = place.broker("peering3", "DC1 --clients 0 --workers 3 --work 0");
    let context = Context::new().unwrap();
    let news = || {
        let socket = context.socket(Sub).unwrap();
        socket.subscribe("").unwrap();
        socket.connect(&place.endpoint("DC1", "state")).unwrap();
        socket
    };
    let first = news();
    while first.recv_multipart().unwrap() != ["DC1", "3"] {}
    // The workers are idle, and the broker sends nothing; it sends its capacity to the next subscriber.
    assert!(first.within(SECOND / 3).recv_msg().unwrap().is_none());
    let second = news();
    assert_eq!(second.recv_multipart().unwrap(), ["DC1", "3"]);
    assert_eq!(first.recv_multipart().unwrap(), ["DC1", "3"]);

    let client = context.socket(Req).unwrap();
    client.connect(&place.endpoint("DC1", "localfe")).unwrap();
    client.send("0A1B").unwrap();
    assert_eq!(client.recv_msg().unwrap(), "0A1B");
    assert_eq!(second.recv_multipart().unwrap(), ["DC1", "2"]);
    assert_eq!(second.recv_multipart().unwrap(), ["DC1", "3"]);

    // Other work of the broker announces no capacity.
    let monitor = context.socket(Push).unwrap();
    monitor.connect(&place.endpoint("DC1", "monitor")).unwrap();
    monitor.send("FFFF").unwrap();
    lines_until(&broker, 1, |line| line == "FFFF");
    assert!(second.within(SECOND / 3).recv_msg().unwrap().is_none());
    interrupt(broker);
}

#[deadline::test]
fn peering3_without_workers_leaves_its_tasks_to_an_idle_peer() {
    let place = Place::new("peering3-two");
    let idle = place.broker("peering3", "DC2 DC1 --clients 0 --work 5");
    assert_eq!(idle.line(), "I: preparing broker at DC2...");
    let busy = place.broker("peering3", "DC1 DC2 --workers 0 --pause 10 --timeout 50000 --tasks 10");
    let lines = lines_until(&busy, 100, is_task);
    assert_eq!(lines.len(), 100, "{lines:?}");
    assert_eq!(interrupt(busy), NOTHING);
    let lines = interrupt(idle);
    assert!(lines.iter().all(|line| line.starts_with("I: ")), "{lines:?}");
}

#[deadline::test]
fn peering3_does_every_task_in_a_cluster_of_three() {
    let place = Place::new("peering3-three");
    let names = ["DC1 DC2 DC3 --workers 0", "DC2 DC3 DC1 --workers 1", "DC3 DC1 DC2"];
    let brokers = names
        .map(|names| place.broker("peering3", &format!("{names} --pause 50 --work 10 --timeout 50000 --tasks 20")));
    for broker in &brokers {
        let lines = lines_until(broker, 200, is_task);
        assert_eq!(lines.len(), 200, "{lines:?}");
    }
    for broker in brokers {
        assert_eq!(interrupt(broker), NOTHING);
    }
}

#[deadline::test]
fn peering3_reports_lost_tasks_and_goes_on() {
    let place = Place::new("peering3-lost");
    let broker = place.broker("peering3", "DC1 --clients 3 --workers 0 --pause 0 --timeout 50");
    let lines = lines_until(&broker, 3, |line| line.starts_with("E: "));
    assert_eq!(lines.len(), 3, "{lines:?}");
    for line in lines {
        assert!(line.strip_prefix("E: CLIENT EXIT - lost task ").is_some_and(is_task), "{line}");
    }
    // The first worker gets the three tasks, and then the requests of others.
    let program = c_program("peering_local.c");
    let worker = place.start(&program, "worker DC1 8 task");
    let client = place.start(&program, "client DC1 5 task");
    assert_eq!(client.rest(), ["done"]);
    client.succeeds();
    assert_eq!(count(&dismiss(worker), "3"), 8);
    assert_eq!(interrupt(broker), NOTHING);
}

#[deadline::test]
fn peering2_and_3_put_their_endpoints_in_the_given_directory() {
    let place = Place::new("elsewhere");
    let directory = place.0.path().display();
    let program = c_program("peering_local.c");
    for (broker, body) in [("peering2", "OK"), ("peering3", "task")] {
        let mut broker = Process::spawn(Command::new(example(broker)).args([
            "DC1",
            "--clients",
            "0",
            "--directory",
            &directory.to_string(),
        ]));
        broker.type_all("\n");
        let client = place.start(&program, &format!("client DC1 3 {body}"));
        assert_eq!(client.rest(), ["done"]);
        client.succeeds();
        interrupt(broker);
    }
}
