//! Both ends of a flow: a message is sent and received in a random way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use zmq::{Message, Multipart, PollEvents, PollItem, Poller, Socket, TrySend};

use super::{Result, Stop};
use crate::common::rng::Rng;
use crate::content::{self, Stamp};
use crate::ops::is_thread_safe;
use crate::world::within;

/// Sends numbered messages.
pub struct Sender<'a> {
    pub socket: &'a Socket<'static>,
    /// The number of the sender, which is unique.
    pub number: u32,
    pub next: u32,
    /// The group of each message.
    #[cfg_attr(not(feature = "draft"), allow(dead_code, reason = "groups are of the draft API"))]
    pub group: Option<&'static str>,
}

impl Sender<'_> {
    /// Sends the next message, and waits for room.
    pub fn send(&mut self, rng: &mut Rng) -> Result {
        let single = is_thread_safe(self.socket.kind());
        let count = if single || rng.coin() { 1 } else { 2 + rng.below(3) as u8 };
        let parts = content::parts(rng, self.number, self.next, count);
        self.next += 1;
        #[cfg(feature = "draft")]
        if let Some(group) = self.group {
            let mut parts = parts;
            let mut message = parts.pop_front().expect("one part");
            if rng.coin() {
                return in_time("send_to_group", self.socket.within(within()).send_to_group(group, message)?);
            }
            message.set_group(group)?;
            return send(self.socket, rng, message.into());
        }
        send(self.socket, rng, parts)
    }
}

/// The outcome of a send that has waited for room.
fn in_time<M>(call: &str, sent: TrySend<M>) -> Result {
    match sent {
        TrySend::Sent => Ok(()),
        TrySend::WouldBlock(_) => Err(Stop::Fault(format!("{call}: there was no room"))),
    }
}

/// Sends a message in a random way, and waits for room.
pub fn send(socket: &Socket<'static>, rng: &mut Rng, mut parts: Multipart) -> Result {
    let end = Instant::now() + within();
    let count = parts.len();
    let single = count == 1;
    match rng.below(if single { 6 } else { 3 }) {
        0 => return in_time("send_multipart", socket.within(within()).send_multipart(parts)?),
        1 if !is_thread_safe(socket.kind()) => {
            while let Some(part) = parts.pop_front() {
                match (parts.is_empty(), rng.coin()) {
                    (false, true) => in_time("send_more", socket.within(within()).send_more(part)?)?,
                    (false, false) => {
                        if let TrySend::WouldBlock(part) = socket.now().send_more(part)? {
                            in_time("send_more", socket.within(within()).send_more(part)?)?;
                        }
                    }
                    (true, _) => in_time("send", socket.within(within()).send(part)?)?,
                }
            }
            return Ok(());
        }
        3 => {
            let part = parts.pop_front().expect("one part");
            return in_time("send", socket.within(within()).send(part)?);
        }
        _ => {}
    }
    let timed = rng.coin();
    loop {
        let sent = if single && rng.coin() {
            let part = parts.pop_front().expect("one part");
            let sent =
                if timed { socket.within(Duration::from_millis(3)).send(part)? } else { socket.now().send(part)? };
            sent.into_unsent().map(Multipart::from)
        } else if timed {
            socket.within(Duration::from_millis(3)).send_multipart(parts)?.into_unsent()
        } else {
            let sent: TrySend<Multipart> = socket.now().send_multipart(parts)?;
            sent.into_unsent()
        };
        let Some(unsent) = sent else { return Ok(()) };
        if unsent.len() != count {
            return Err(Stop::Fault(format!("{} of {count} parts came back", unsent.len())));
        }
        if Instant::now() > end {
            return Err(Stop::Fault("there was no room".to_owned()));
        }
        parts = unsent;
        zmq::poll(&mut [PollItem::socket(socket, PollEvents::POLLOUT)], Duration::from_millis(10))?;
    }
}

/// Receives a message in a random way. `None` after a short time.
pub fn receive(socket: &Socket<'static>, rng: &mut Rng) -> Result<Option<Multipart>> {
    let time = Duration::from_millis(20);
    let safe = is_thread_safe(socket.kind());
    match rng.below(if safe { 4 } else { 6 }) {
        0 if !safe => {
            let Some(first) = socket.within(time).recv_msg()? else { return Ok(None) };
            rest(socket, first).map(Some)
        }
        1 => {
            zmq::poll(&mut [PollItem::socket(socket, PollEvents::POLLIN)], time)?;
            Ok(socket.now().recv_multipart()?)
        }
        2 => {
            // Without a descriptor for the poller, the other ends of the flow go on.
            if let Ok(mut poller) = Poller::new()
                && poller.add(socket, 0, PollEvents::POLLIN).is_ok()
            {
                poller.wait(time)?;
            }
            Ok(socket.now().recv_multipart()?)
        }
        3 if !safe => {
            let mut buffer = vec![0; 80_000];
            let Some(received) = socket.within(time).recv_into(&mut buffer)? else { return Ok(None) };
            buffer.truncate(received.size);
            let first = Message::from(buffer);
            if socket.rcvmore()? { rest_after(socket, first).map(Some) } else { Ok(Some(first.into())) }
        }
        4 => by_fd(socket, time),
        _ => Ok(socket.within(time).recv_multipart()?),
    }
}

/// The recipe of `Socket::fd`: read the events until there are none, and then wait for the descriptor.
fn by_fd(socket: &Socket<'static>, time: Duration) -> Result<Option<Multipart>> {
    let end = Instant::now() + time;
    // Without a descriptor, the other ends of the flow go on.
    let Ok(fd) = socket.fd() else { return Ok(socket.now().recv_multipart()?) };
    while !socket.events()?.contains(PollEvents::POLLIN) {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        zmq::poll(&mut [PollItem::fd(fd, PollEvents::POLLIN)], left)?;
    }
    Ok(socket.now().recv_multipart()?)
}

/// Receives the parts after the first one. They have arrived if the first one has.
fn rest(socket: &Socket<'static>, first: Message) -> Result<Multipart> {
    if first.more() { rest_after(socket, first) } else { Ok(first.into()) }
}

fn rest_after(socket: &Socket<'static>, first: Message) -> Result<Multipart> {
    let mut parts = Multipart::from(first);
    loop {
        let Some(part) = socket.now().recv_msg()? else {
            return Err(Stop::Fault(format!("part {} of a message is not there", parts.len())));
        };
        let more = part.more();
        parts.push_back(part);
        if !more {
            return Ok(parts);
        }
    }
}

/// The stamp of a whole message. `None` if the message is not of a flow.
pub fn whole<'a>(parts: impl IntoIterator<Item = &'a Message>) -> Result<Option<Stamp>> {
    let mut first = None;
    let mut count = 0;
    for part in parts {
        let stamp = content::stamp(part).map_err(|wrong| Stop::Fault(format!("received {wrong}")))?;
        let Some(stamp) = stamp else {
            if count > 0 {
                return Err(Stop::Fault(format!("a message is torn: {first:?} is followed by {part:?}")));
            }
            return Ok(None);
        };
        let right = Stamp { part: count, ..*first.get_or_insert(stamp) };
        if stamp != right {
            return Err(Stop::Fault(format!("a message is torn: {stamp:?} stands for {right:?}")));
        }
        count += 1;
    }
    match first {
        Some(stamp) if stamp.parts != count => Err(Stop::Fault(format!("{stamp:?}: {count} parts are there"))),
        first => Ok(first),
    }
}

/// The messages that arrived at a receiver, or at several.
#[derive(Default)]
pub struct Arrivals {
    last: BTreeMap<u32, u32>,
    all: BTreeSet<(u32, u32)>,
}

impl Arrivals {
    /// Adds a message. Each message is expected once, and those of a sender in their order.
    pub fn add(&mut self, stamp: Stamp) -> Result {
        self.add_in_any_order(stamp)?;
        let last = self.last.insert(stamp.sender, stamp.number);
        match last {
            Some(last) if last > stamp.number => Err(Stop::Fault(format!("{stamp:?} arrived after {last}"))),
            _ => Ok(()),
        }
    }

    /// Adds a message of a sender whose messages go over several connections.
    pub fn add_in_any_order(&mut self, stamp: Stamp) -> Result {
        match self.all.insert((stamp.sender, stamp.number)) {
            true => Ok(()),
            false => Err(Stop::Fault(format!("{stamp:?} arrived twice"))),
        }
    }

    /// The numbers of a sender's messages, up to `count`, that did not arrive.
    pub fn missing(&self, sender: u32, count: u32) -> Vec<u32> {
        (0..count).filter(|number| !self.all.contains(&(sender, *number))).collect()
    }

    /// The arrivals at several receivers.
    pub fn merge(&mut self, other: Arrivals) -> Result {
        for (sender, number) in other.all {
            if !self.all.insert((sender, number)) {
                return Err(Stop::Fault(format!("message {number} of sender {sender} arrived at two receivers")));
            }
        }
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }
}
