//! Sending and receiving, in every form, without a model of what arrives: content must be whole.

use std::num::NonZeroU32;
use std::time::Duration;

use zmq::{Message, Multipart, Socket};

use super::{Row, Thread, row};
use crate::common::rng::Rng;
use crate::common::send_part;
use crate::content::{self, Owner, SIZES, Stamp};
use crate::world::fault;

const MILLISECOND: Duration = Duration::from_millis(1);

pub const ROWS: &[Row] = &[
    row("send", 40, |thread, rng| {
        let message = message(thread, rng);
        let _ = thread.socket(rng).map(|socket| socket.now().send(message));
    }),
    row("send-within", 8, |thread, rng| {
        let message = message(thread, rng);
        let _ = thread.socket(rng).map(|socket| socket.within(MILLISECOND).send(message));
    }),
    row("send-part", 8, |thread, rng| {
        let message = message(thread, rng);
        let _ = thread.socket(rng).map(|socket| match rng.coin() {
            true => socket.now().send_more(message),
            false => socket.within(MILLISECOND).send_more(message),
        });
    }),
    row("send-multipart", 25, send_multipart),
    row("send-odd", 10, send_odd),
    row("send-reentrant", 4, send_reentrant),
    row("send-group", 5, send_group),
    row("send-datagram", 2, send_datagram),
    row("recv", 40, |thread, rng| {
        let Some(socket) = thread.socket(rng) else { return };
        if let Ok(Some(message)) = socket.now().recv_msg() {
            check(&message);
            keep(thread, rng, message);
        }
    }),
    row("recv-within", 8, |thread, rng| {
        let received = thread.socket(rng).map(|socket| socket.within(MILLISECOND).recv_msg());
        if let Some(Ok(Some(message))) = received {
            check(&message);
        }
    }),
    row("recv-multipart", 25, |thread, rng| {
        let received = thread.socket(rng).map(|socket| match rng.coin() {
            true => socket.now().recv_multipart(),
            false => socket.within(MILLISECOND).recv_multipart(),
        });
        if let Some(Ok(Some(parts))) = received {
            parts.iter().for_each(check);
        }
    }),
    row("recv-into", 10, recv_into),
    row("recv-msg", 4, |thread, rng| {
        let Some(socket) = thread.socket(rng) else { return };
        let mut message = Message::from("before");
        let _ = socket.set_rcvtimeo(Some(MILLISECOND));
        let received = match rng.below(3) {
            0 => socket.recv(&mut message).map(|()| true),
            1 => socket.now().recv(&mut message),
            _ => socket.within(MILLISECOND).recv(&mut message),
        };
        match received {
            Ok(true) => check(&message),
            _ if message.is_empty() => {}
            _ => fault("a receive that got nothing left the old content in its message"),
        }
        let _ = match rng.below(3) {
            0 => socket.recv_string().map(Some),
            1 => socket.now().recv_string(),
            _ => socket.within(MILLISECOND).recv_string(),
        };
        let _ = socket.set_rcvtimeo(None);
    }),
    row("drain", 20, |thread, _| {
        for socket in thread.all() {
            for _ in 0..20 {
                let Ok(Some(message)) = socket.now().recv_msg() else { break };
                check(&message);
            }
        }
    }),
    row("forward", 8, forward),
    row("clear-messages", 4, |thread, _| thread.world.messages.lock().unwrap().clear()),
    row("look-at-message", 3, look),
];

/// Content that must not be written: it is in read-only memory.
static TEXT: &[u8] = b"a text in read-only memory, longer than the 33 bytes of an inline message";

/// Ends the process if the message has a stamp and is not whole.
fn check(message: &Message) {
    if let Err(wrong) = content::stamp(message) {
        fault(&format!("received {wrong}"));
    }
}

/// Keeps a message for sending it again.
fn keep(thread: &Thread<'_>, rng: &mut Rng, message: Message) {
    let mut messages = thread.world.messages.lock().unwrap();
    if messages.len() >= 20 {
        messages.clear();
    }
    if rng.one_in(3) {
        messages.push(message);
    }
}

/// A message of one part.
fn message(thread: &Thread<'_>, rng: &mut Rng) -> Message {
    let messages = thread.world.messages.lock().unwrap();
    match rng.below(12) {
        0 => Message::from(vec![rng.below(3) as u8; rng.below(3)]),
        1 => Message::from_static(TEXT),
        2 => Message::from_owner(TEXT),
        3 if !messages.is_empty() => rng.pick(&messages).clone(),
        4 => {
            let mut message = Message::from_owner(Owner::new(vec![b'r'; *rng.pick(&SIZES)]));
            set_properties(rng, &mut message);
            message
        }
        _ => {
            let stamp = Stamp { sender: thread.world.number(), number: 0, part: 0, parts: 1 };
            let bytes = content::content(stamp, *rng.pick(&SIZES));
            content::message(rng, bytes)
        }
    }
}

#[cfg(feature = "draft")]
const GROUPS: [&str; 4] = ["a", "b", "", "a group of more than fourteen bytes"];

#[cfg(feature = "draft")]
fn set_properties(rng: &mut Rng, message: &mut Message) {
    let group = *rng.pick(&GROUPS);
    let _ = message.set_group(group);
    let _ = message.set_routing_id(NonZeroU32::MIN.saturating_add(rng.below(5) as u32));
}

#[cfg(not(feature = "draft"))]
fn set_properties(_: &mut Rng, _: &mut Message) {
    let _ = NonZeroU32::MIN;
}

fn send_multipart(thread: &mut Thread<'_>, rng: &mut Rng) {
    let sender = thread.world.number();
    let count = 1 + rng.below(4) as u8;
    let mut parts = content::parts(rng, sender, 0, count);
    if rng.one_in(3) {
        parts.push_front("");
    }
    if rng.one_in(3) {
        parts.push_front(*rng.pick(&["x", "y", "p", "\0\0\0\0\x01"]));
    }
    let len = parts.len();
    let Some(socket) = thread.socket(rng) else { return };
    let unsent = match if rng.coin() {
        socket.now().send_multipart(parts)
    } else {
        socket.within(MILLISECOND).send_multipart(parts)
    } {
        Ok(sent) => sent.into_unsent(),
        Err(error) => Some(error.into_parts().0),
    };
    if let Some(unsent) = unsent
        && unsent.len() > len
    {
        fault(&format!("{} parts came back of {len}", unsent.len()));
    }
}

/// Messages that some kinds read as commands, subscriptions, ids and envelopes.
fn send_odd(thread: &mut Thread<'_>, rng: &mut Rng) {
    const ODD: [&[u8]; 12] = [
        b"",
        b"\0",
        b"\x01",
        b"\xff",
        b"\x01A",
        b"\0A",
        b"\x02A",
        b"x",
        b"\0\0\0\0\x01",
        b"\x05READY",
        b"\x04PING\0\0",
        &[7; 300],
    ];
    let Some(socket) = thread.socket(rng) else { return };
    let parts: Vec<Message> = (0..rng.below(4)).map(|_| Message::from(*rng.pick(&ODD))).collect();
    let _ = socket.now().send_multipart(parts);
    if rng.one_in(3) {
        let id = if rng.coin() { "x" } else { "\0\0\0\0\x01" };
        let _ = socket.now().send_multipart([id, ""]);
    }
}

/// A value that uses the socket while it is converted for sending on that socket.
fn send_reentrant(thread: &mut Thread<'_>, rng: &mut Rng) {
    struct Reentrant<'a>(&'a Socket<'static>, bool);
    impl From<Reentrant<'_>> for Message {
        fn from(reentrant: Reentrant<'_>) -> Message {
            let _ = send_part(reentrant.0, "sent while converting", reentrant.1);
            let _ = reentrant.0.now().recv_msg();
            Message::from("converted")
        }
    }
    let Some(socket) = thread.socket(rng) else { return };
    let value = Reentrant(socket, rng.coin());
    let _ = match rng.below(3) {
        0 => socket.now().send(value),
        1 => socket.within(MILLISECOND).send(value),
        _ => {
            let _ = socket.now().send_multipart([Message::from("first"), Message::from(value)]);
            return;
        }
    };
}

#[cfg(feature = "draft")]
fn send_group(thread: &mut Thread<'_>, rng: &mut Rng) {
    let Some(socket) = thread.socket(rng) else { return };
    let group = *rng.pick(&GROUPS);
    // Kinds without groups wait for room.
    let _ = socket.set_sndtimeo(Some(MILLISECOND));
    match rng.below(5) {
        0 => drop(socket.join(group)),
        1 => drop(socket.leave(group)),
        2 => drop(socket.peer_state(group)),
        3 => {
            let _ = socket.send_to_peer(NonZeroU32::MIN.saturating_add(rng.below(4) as u32), "to a peer");
        }
        _ => drop(socket.send_to_group(group, content::message(rng, vec![b'g'; 40]))),
    }
}

#[cfg(not(feature = "draft"))]
fn send_group(_: &mut Thread<'_>, _: &mut Rng) {}

#[cfg(feature = "draft")]
fn send_datagram(thread: &mut Thread<'_>, rng: &mut Rng) {
    let Some(endpoint) = thread.world.endpoint(rng) else { return };
    let Some(socket) = thread.socket(rng) else { return };
    let address = endpoint.split("://").nth(1).and_then(|address| address.parse().ok());
    let _ = socket.set_sndtimeo(Some(MILLISECOND));
    if let Some(address) = address {
        let _ = socket.send_to(address, vec![b'd'; *rng.pick(&SIZES)]);
    }
    let _ = socket.within(MILLISECOND).recv_from();
}

#[cfg(not(feature = "draft"))]
fn send_datagram(_: &mut Thread<'_>, _: &mut Rng) {}

/// Receives into a buffer that is too small, or large enough, and must not be written after the received bytes.
fn recv_into(thread: &mut Thread<'_>, rng: &mut Rng) {
    let Some(socket) = thread.socket(rng) else { return };
    let mut buffer = vec![0xee; *rng.pick(&[0, 1, 10, 33, 100, 80_000])];
    let received = match rng.coin() {
        true => socket.now().recv_into(&mut buffer),
        false => socket.within(MILLISECOND).recv_into(&mut buffer),
    };
    if let Ok(Some(received)) = received {
        let end = received.size.min(buffer.len());
        if buffer[end..].iter().any(|byte| *byte != 0xee) {
            fault(&format!("{received:?}: bytes after the message are written"));
        }
        if received.is_truncated() != (received.size > buffer.len()) {
            fault(&format!("{received:?} into {} bytes", buffer.len()));
        }
        if !received.is_truncated()
            && let Err(wrong) = content::stamp(&buffer[..end])
        {
            fault(&format!("received {wrong}"));
        }
    }
}

/// Receives from one socket and sends on another, part by part.
fn forward(thread: &mut Thread<'_>, rng: &mut Rng) {
    let (Some(from), Some(to)) = (thread.socket(rng), thread.socket(rng)) else { return };
    for _ in 0..4 {
        let Ok(Some(message)) = from.now().recv_msg() else { return };
        let more = message.more();
        let _ = send_part(to, message, more);
    }
}

/// The properties of a received message.
fn look(thread: &mut Thread<'_>, rng: &mut Rng) {
    let messages = thread.world.messages.lock().unwrap();
    let Some(message) = (!messages.is_empty()).then(|| rng.pick(&messages)) else { return };
    for name in ["Socket-Type", "Identity", "Peer-Address", "User-Id", "", "\0", "X-none"] {
        let _ = message.gets(name);
    }
    let _ = (message.more(), message.is_shared(), message.source_fd(), message.as_str());
    let _ = format!("{:?}", Multipart::from(vec![message.clone()]));
    #[cfg(feature = "draft")]
    let _ = (message.group(), message.routing_id());
}
