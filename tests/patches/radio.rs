//! radio.cpp, dish.cpp, dist.cpp: RADIO and DISH.

use std::io::Write;
use std::thread;
use std::time::Duration;

use zmq::{Context, Dish, Radio};

use crate::common::{DEADLINE, TRANSPORTS, context, eventually, wait_for_close};
use crate::{listener, peer};

/// The group was freed once for each DISH that got the message.
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
        eventually("all hear both", || {
            for (number, radio) in radios.iter().enumerate() {
                for size in [1, 34, 5000] {
                    radio.send_to_group(group, vec![number as u8; size]).unwrap();
                }
            }
            for (dish, heard) in dishes.iter().zip(&mut heard) {
                while let Some(message) = dish.try_recv().unwrap() {
                    assert_eq!(message.group(), group);
                    heard[usize::from(message[0])] = true;
                }
            }
            heard == [[true; 2]; 3]
        });
        dishes.iter().for_each(|dish| dish.leave(group).unwrap());
    }
}

/// The session asserted that the group in a JOIN or LEAVE command is not too long. libzmq aborted the process.
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

/// A DISH took a heartbeat for the frame that names a group, and ended the connection.
#[deadline::test(patches = [1024])]
fn heartbeats_end_no_connection_of_radio_and_dish() {
    for (of_radio, of_dish) in [(true, false), (false, true), (true, true)] {
        let context = Context::new().unwrap();
        let (radio, dish) = (context.socket(Radio).unwrap(), context.socket(Dish).unwrap());
        for (heartbeats, set) in [
            (of_radio, radio.set_heartbeat_ivl(of_radio.then_some(Duration::from_millis(5)))),
            (of_dish, dish.set_heartbeat_ivl(of_dish.then_some(Duration::from_millis(5)))),
        ] {
            set.unwrap_or_else(|error| panic!("{heartbeats}: {error}"));
        }
        // The default is the interval, in which a busy machine may not answer.
        radio.set_heartbeat_timeout(Some(DEADLINE)).unwrap();
        dish.set_heartbeat_timeout(Some(DEADLINE)).unwrap();
        let endpoint = radio.bind("tcp://127.0.0.1:*").unwrap();
        dish.join("group").unwrap();
        dish.connect(&endpoint).unwrap();
        eventually("the RADIO knows the group", || {
            radio.send_to_group("group", "first").unwrap();
            dish.try_recv().unwrap().is_some()
        });
        while dish.recv_timeout(Duration::from_millis(50)).unwrap().is_some() {}
        // About a hundred heartbeats come, some of them between two messages.
        for number in 0..500_u16 {
            radio.send_to_group("group", number.to_be_bytes().to_vec()).unwrap();
            let message = dish.recv_timeout(DEADLINE).unwrap().expect("the message arrives");
            assert_eq!(message[..], number.to_be_bytes(), "{of_radio}, {of_dish}");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// RADIO did not process the reports of what a DISH had read, and dropped messages that had room.
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
        dish.try_recv().unwrap().is_some()
    });
    while dish.try_recv().unwrap().is_some() {}
    for number in 0..500_u16 {
        radio.send_to_group("news", number.to_be_bytes()).unwrap();
        assert_eq!(dish.try_recv().unwrap().expect("a message"), number.to_be_bytes());
    }
    // A message without room is dropped as before.
    for _ in 0..10 {
        radio.send_to_group("news", "x").unwrap();
    }
    assert_eq!(std::iter::from_fn(|| dish.try_recv().unwrap()).count(), 2);
}
