//! radio.cpp, dish.cpp, dist.cpp: RADIO and DISH.

#[cfg(target_os = "linux")]
use std::io::Read;
use std::io::Write;
#[cfg(target_os = "linux")]
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use zmq::{Context, Dish, Radio};
#[cfg(target_os = "linux")]
use zmq::{Monitor, Socket, monitor::Events};

#[cfg(target_os = "linux")]
use super::conflate::resident;
#[cfg(target_os = "linux")]
use crate::common::{DEADLINE, TCP, TRANSPORTS, context, eventually, wait_for_close};
#[cfg(target_os = "linux")]
use crate::common::{greet, in_own_process};
#[cfg(target_os = "linux")]
use crate::{connecting, endpoint, greeted};
use crate::{listener, peer};

/// The group is freed once for each DISH that gets the message.
#[deadline::test(patches = [6, 7, 13])]
fn long_group_reaches_several_dishes() {
    let group = "a group of more than fourteen bytes";
    for endpoint in TRANSPORTS {
        let context = Context::new().unwrap();
        let radios = [context.socket(Radio).unwrap(), context.socket(Radio).unwrap()];
        let dishes = [(); 3].map(|()| context.socket(Dish).unwrap());
        for (number, radio) in radios.iter().enumerate() {
            let name =
                if endpoint.starts_with("inproc") { format!("{endpoint}-{number}") } else { endpoint.to_owned() };
            let endpoint = radio.bind(&name).unwrap();
            dishes.iter().for_each(|dish| dish.connect(&endpoint).unwrap());
        }
        // Both radios get the JOIN.
        dishes.iter().for_each(|dish| dish.join(group).unwrap());
        let mut heard = [[false; 2]; 3];
        eventually("each DISH receives from both", || {
            for (number, radio) in radios.iter().enumerate() {
                for size in [1, 34, 5000] {
                    radio.send_to_group(group, vec![number as u8; size]).unwrap();
                }
            }
            for (dish, heard) in dishes.iter().zip(&mut heard) {
                while let Some(message) = dish.now().recv_msg().unwrap() {
                    assert_eq!(message.group(), group);
                    heard[usize::from(message[0])] = true;
                }
            }
            heard == [[true; 2]; 3]
        });
        dishes.iter().for_each(|dish| dish.leave(group).unwrap());
    }
}

/// The session asserts that the group in a JOIN or LEAVE command is not too long. libzmq aborts the process.
#[deadline::test(patches = [7, 13])]
fn radio_closes_a_connection_that_joins_a_group_of_more_than_255_bytes() {
    for name in ["JOIN", "LEAVE"] {
        let context = context();
        let radio = context.socket(Radio).unwrap();
        let listener = listener();
        let mut peer = peer(&radio, &listener, "DISH");
        let body = [&[name.len() as u8], name.as_bytes(), &[b'g'; 256]].concat();
        // The flags say that it is a command, and that the length has eight bytes.
        peer.write_all(&[&[6], &(body.len() as u64).to_be_bytes()[..], &body].concat()).unwrap();
        wait_for_close(&mut peer);
    }
}

/// A DISH takes a heartbeat for the frame that names a group, and ends the connection.
#[deadline::test(patches = [1024])]
fn heartbeats_end_no_connection_of_radio_and_dish() {
    let mut endpoints = vec![TCP, "ipc://*"];
    endpoints.extend(zmq::has("WS").then_some("ws://127.0.0.1:*"));
    for (endpoint, of_radio, of_dish) in endpoints.into_iter().flat_map(|endpoint| {
        [(true, false), (false, true), (true, true)].map(|(of_radio, of_dish)| (endpoint, of_radio, of_dish))
    }) {
        let context = Context::new().unwrap();
        let (radio, dish) = (context.socket(Radio).unwrap(), context.socket(Dish).unwrap());
        radio.set_heartbeat_ivl(of_radio.then_some(Duration::from_millis(2))).unwrap();
        dish.set_heartbeat_ivl(of_dish.then_some(Duration::from_millis(2))).unwrap();
        // The default is the interval, in which a busy machine may not answer.
        radio.set_heartbeat_timeout(Some(DEADLINE)).unwrap();
        dish.set_heartbeat_timeout(Some(DEADLINE)).unwrap();
        let endpoint = radio.bind(endpoint).unwrap();
        dish.join("group").unwrap();
        dish.connect(&endpoint).unwrap();
        eventually("the RADIO knows the group", || {
            radio.send_to_group("group", "first").unwrap();
            dish.now().recv_msg().unwrap().is_some()
        });
        while dish.within(Duration::from_millis(50)).recv_msg().unwrap().is_some() {}
        // Some twenty heartbeats come, some of them between two messages.
        for number in 0..50_u8 {
            radio.send_to_group("group", [number]).unwrap();
            let message = dish.within(DEADLINE).recv_msg().unwrap().expect("the message arrives");
            assert_eq!(message[..], [number], "{endpoint}, {of_radio}, {of_dish}");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// RADIO does not process the reports of what a DISH has read, and drops messages that have room.
#[deadline::test(patches = [6, 7, 13, 1009])]
fn radio_drops_only_messages_without_room() {
    let context = Context::new().unwrap();
    let (radio, dish) = (context.socket(Radio).unwrap(), context.socket(Dish).unwrap());
    radio.set_sndhwm(1).unwrap();
    dish.set_rcvhwm(1).unwrap();
    radio.bind("inproc://radio").unwrap();
    dish.connect("inproc://radio").unwrap();
    dish.join("news").unwrap();
    eventually("the group is joined", || {
        radio.send_to_group("news", "probe").unwrap();
        dish.now().recv_msg().unwrap().is_some()
    });
    while dish.now().recv_msg().unwrap().is_some() {}
    for number in 0..500_u16 {
        radio.send_to_group("news", number.to_be_bytes()).unwrap();
        assert_eq!(dish.now().recv_msg().unwrap().expect("a message"), number.to_be_bytes());
    }
    // A message without room is dropped as before.
    for _ in 0..10 {
        radio.send_to_group("news", "x").unwrap();
    }
    assert_eq!(std::iter::from_fn(|| dish.now().recv_msg().unwrap()).count(), 2);
}

/// DISH queues each join and each leave while it has no RADIO.
#[cfg(target_os = "linux")]
#[deadline::test(patches = [6, 7, 13, 1032])]
fn joins_and_leaves_take_no_memory_while_the_dish_has_no_radio() {
    in_own_process("radio::joins_and_leaves_take_no_memory_while_the_dish_has_no_radio", || {
        for late in ["inproc://late", "tcp://127.0.0.1:9", "ipc:///nowhere/at/all"] {
            let context = context();
            let dish = context.socket(Dish).unwrap();
            dish.connect(late).unwrap();
            let toggle = |count: u32| {
                for round in 0..count {
                    for group in ["again and again".to_owned(), format!("once {round}")] {
                        dish.join(&group).unwrap();
                        dish.leave(&group).unwrap();
                    }
                }
            };
            // The queue fills to the mark.
            toggle(5_000);
            let before = resident();
            toggle(20_000);
            let grown = resident().saturating_sub(before);
            // A message has 64 bytes: without a bound these are 5 MB.
            assert!(grown < 1 << 20, "{late}: {grown} bytes");
        }
    });
}

/// DISH drops joins and leaves beyond the mark. The RADIO then does not know the groups in force.
#[deadline::test(patches = [6, 7, 13, 1009, 1032])]
fn radio_knows_the_groups_in_force_after_many_changes() {
    const GROUPS: u32 = 1000;
    for (endpoint, mark) in TRANSPORTS.into_iter().flat_map(|endpoint| [(endpoint, 1), (endpoint, 100)]) {
        let context = context();
        let (radio, dish) = (context.socket(Radio).unwrap(), context.socket(Dish).unwrap());
        dish.set_sndhwm(mark).unwrap();
        dish.set_rcvhwm(0).unwrap();
        radio.set_rcvhwm(mark).unwrap();
        radio.set_sndhwm(0).unwrap();
        dish.connect(&radio.bind(endpoint).unwrap()).unwrap();
        let group = |number: u32| format!("group {number}");
        (0..GROUPS).for_each(|number| dish.join(&group(number)).unwrap());
        // Every other group is left again.
        (0..GROUPS).step_by(2).for_each(|number| dish.leave(&group(number)).unwrap());
        let expected: Vec<_> = (1..GROUPS).step_by(2).map(group).collect();
        let mut heard = Vec::new();
        eventually("the RADIO knows the groups in force", || {
            heard.clear();
            (0..GROUPS).for_each(|number| radio.send_to_group(&group(number), "news").unwrap());
            // When this message arrives, each of the others has arrived or was dropped.
            radio.send_to_group(expected.last().unwrap(), "end").unwrap();
            while let Some(message) = dish.within(Duration::from_millis(20)).recv_msg().unwrap() {
                if message == "end" {
                    break;
                }
                heard.push(message.group().into_owned());
            }
            heard == expected
        });
    }
}

/// Connects to a socket that is bound, as a peer of the kind `kind`. The buffer of the system is small.
#[cfg(target_os = "linux")]
fn client(endpoint: &str, kind: &str) -> TcpStream {
    let address: SocketAddr = endpoint.strip_prefix("tcp://").unwrap().parse().unwrap();
    let peer = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    peer.set_recv_buffer_size(4096).unwrap();
    peer.connect(&address.into()).unwrap();
    let mut peer = TcpStream::from(peer);
    peer.set_read_timeout(Some(DEADLINE)).unwrap();
    greet(&mut peer, &[("Socket-Type", kind.as_bytes())]);
    peer
}

/// The body of a message leaks at a RADIO, the group at a DISH.
#[cfg(target_os = "linux")]
#[deadline::test(patches = [6, 7, 13, 77])]
fn connections_that_end_between_group_and_body_leak_nothing() {
    in_own_process("radio::connections_that_end_between_group_and_body_leak_nothing", || {
        const COUNT: usize = 200;
        // More than the buffers of a connection take.
        const MARK: u32 = 12;
        // The engine writes 8192 bytes at once. This body and its group have 8191 as frames: each batch that a busy engine
        // writes ends in the frame of the next group.
        const BODY: usize = 8191 - 257 - 9;
        let group = "g".repeat(255);
        let context = context();
        let (radio, dish) = (context.socket(Radio).unwrap(), context.socket(Dish).unwrap());
        let limit = |radio: &Socket<'_, Radio>| {
            radio.set_sndbuf(Some(4096)).unwrap();
            radio.set_sndhwm(MARK).unwrap();
            radio.monitor(Events::DISCONNECTED).unwrap()
        };
        let monitor = limit(&radio);
        let (radio_endpoint, dish_endpoint) = (radio.bind(TCP).unwrap(), dish.bind(TCP).unwrap());

        // Each connection that is accepted has a new session. A connection that is made again keeps its session.
        let (connected_radio, dishes) = connecting(&context, Radio);
        let connected_monitor = limit(&connected_radio);
        connected_radio.connect(&endpoint(&dishes)).unwrap();
        socket2::SockRef::from(&dishes).set_recv_buffer_size(4096).unwrap();
        let (connected_dish, radios) = connecting(&context, Dish);
        connected_dish.connect(&endpoint(&radios)).unwrap();

        let play_dish = |radio: &Socket<'_, Radio>, monitor: &Monitor, mut peer: TcpStream| {
            // The flags say that it is a command, and that the length has eight bytes.
            let join = [b"\x04JOIN", group.as_bytes()].concat();
            peer.write_all(&[&[6], &(join.len() as u64).to_be_bytes()[..], &join].concat()).unwrap();
            peer.set_nonblocking(true).unwrap();
            eventually("the RADIO knows the group", || {
                radio.send_to_group(&group, vec![1; BODY]).unwrap();
                peer.read(&mut [0]).is_ok()
            });
            for _ in 0..MARK {
                radio.send_to_group(&group, vec![1; BODY]).unwrap();
            }
            drop(peer);
            monitor.next_event(DEADLINE).unwrap().expect("the connection ends");
        };
        let play_radio = |dish: &Socket<'_, Dish>, mut peer: TcpStream| {
            peer.write_all(&[&[1, 255], group.as_bytes()].concat()).unwrap();
            peer.shutdown(Shutdown::Write).unwrap();
            wait_for_close(&mut peer);
            // The socket frees its end of the connection.
            assert!(dish.now().recv_msg().unwrap().is_none());
        };
        let steps: [(&str, &dyn Fn()); 4] = [
            ("a RADIO that is bound", &|| play_dish(&radio, &monitor, client(&radio_endpoint, "DISH"))),
            ("a RADIO that connects", &|| play_dish(&connected_radio, &connected_monitor, greeted(&dishes, "DISH"))),
            ("a DISH that is bound", &|| play_radio(&dish, client(&dish_endpoint, "RADIO"))),
            ("a DISH that connects", &|| play_radio(&connected_dish, greeted(&radios, "RADIO"))),
        ];
        let grown = steps.map(|(what, step)| {
            (0..20).for_each(|_| step());
            let before = resident();
            (0..COUNT).for_each(|_| step());
            (what, resident().saturating_sub(before))
        });
        assert!(grown.iter().all(|&(_, bytes)| bytes < COUNT * BODY / 2), "{grown:?}");
    });
}

/// The session reads a frame that it has closed. libzmq aborts the process.
#[deadline::test(patches = [6, 7, 13, 77])]
fn dish_survives_messages_to_the_empty_group_at_its_mark() {
    let listener = listener();
    let context = context();
    let dish = context.socket(Dish).unwrap();
    dish.set_rcvhwm(1).unwrap();
    dish.join("news").unwrap();
    let mut peer = peer(&dish, &listener, "RADIO");
    for _ in 0..100 {
        peer.write_all(b"\x01\0\0\x04none").unwrap();
    }
    peer.write_all(b"\x01\x04news\0\x04some").unwrap();
    assert_eq!(dish.within(DEADLINE).recv_msg().unwrap().expect("a message"), "some");
}
