//! Peers that come and leave between the parts of a message, and sockets that disconnect or close soon after a send. A message
//! that was accepted arrives whole at a peer that stays.

use std::time::{Duration, Instant};

use zmq::{Errno, Kind, Multipart, Socket};

use super::ends::{Arrivals, receive, whole};
use super::{Flow, Result, Stop};
use crate::common::send_part;
use crate::content;
use crate::world::within;

/// Waits until the sockets that were dropped are closed, and makes this one process its commands.
fn settle(flow: &Flow<'_>, socket: &Socket<'static>) -> Result {
    let (closed, waiting) = (flow.socket(Kind::Pair)?, flow.socket(Kind::Pair)?);
    let endpoint = format!("inproc://settle-{}", flow.world.number());
    closed.bind(&endpoint)?;
    waiting.connect(&endpoint)?;
    // Sockets are closed in the order of their drops.
    drop(closed);
    flow.wait("the reaper has closed a socket", || Ok(waiting.events()?.is_empty()))?;
    socket.events()?;
    Ok(())
}

/// Peers of a sender leave between the parts of a message: it is refused and sent again, or it arrives at a peer that stays.
pub fn between_sent_parts(flow: &mut Flow<'_>) -> Result {
    let kinds = [(Kind::Push, Kind::Pull), (Kind::Dealer, Kind::Dealer), (Kind::Dealer, Kind::Router)];
    let (from, to) = *flow.rng.pick(&kinds);
    let sender = flow.socket(from)?;
    let mut receivers = Vec::new();
    for _ in 0..2 + flow.rng.below(3) {
        let receiver = flow.socket(to)?;
        let endpoint = format!("inproc://leaving-{}", flow.world.number());
        receiver.bind(&endpoint)?;
        sender.connect(&endpoint)?;
        receivers.push(receiver);
    }
    for number in 0..u32::MAX {
        if receivers.len() < 2 {
            break;
        }
        let count = 2 + flow.rng.below(3) as u8;
        let place = flow.rng.below(usize::from(count) - 1);
        let mut leaver = Some(receivers.swap_remove(flow.rng.below(receivers.len())));
        let mut rng = flow.rng.fork();
        let (mut refused, settles) = (false, rng.coin());
        for (part, message) in content::parts(&mut rng, 1, number, count).into_iter().enumerate() {
            refused = match send_part(&sender, message, part + 1 < usize::from(count)) {
                Ok(sent) => !sent.is_sent(),
                Err(failed) if failed.error().errno() == Errno::ECONNRESET => true,
                Err(failed) => return Err(failed.into()),
            };
            if refused {
                break;
            }
            if part == place {
                drop(leaver.take());
                if settles {
                    settle(flow, &sender)?;
                }
            }
        }
        if refused {
            // A receiver that left in an earlier round can be the reason. The message must not go to the last leaver.
            if !settles {
                settle(flow, &sender)?;
            }
            sender.send_multipart(content::parts(&mut rng, 1, number, count))?;
        }
        // Messages that were written before the sender read the end of the pipe are lost with the pipe.
        let mut found = !settles && !refused;
        let end = Instant::now() + within();
        while !found {
            for receiver in &receivers {
                let Some(parts) = receiver.now().recv_multipart()? else { continue };
                let stamp = whole(parts.iter().skip(usize::from(to == Kind::Router)))?;
                found = stamp.is_some_and(|stamp| stamp.number == number);
                // An earlier message that was not waited for may have arrived.
                if stamp.is_none_or(|stamp| stamp.number > number) {
                    return Err(Stop::Fault(format!("{stamp:?} arrived instead of message {number}")));
                }
            }
            if flow.world.has_ended() {
                return Err(Stop::Ended);
            }
            if Instant::now() > end {
                let how = if refused { "sent again" } else { "accepted" };
                return Err(Stop::Fault(format!(
                    "message {number} was {how}, and did not arrive at a peer that stays"
                )));
            }
        }
    }
    Ok(())
}

/// Peers of a receiver leave, come and are replaced between the parts that it reads: all messages are whole.
pub fn between_received_parts(flow: &mut Flow<'_>) -> Result {
    let kinds = [(Kind::Push, Kind::Pull), (Kind::Dealer, Kind::Dealer), (Kind::Dealer, Kind::Router)];
    let (from, to) = *flow.rng.pick(&kinds);
    let receiver = flow.socket(to)?;
    let _ = receiver.set_router_handover(true);
    let endpoint = format!("inproc://leaving-{}", flow.world.number());
    receiver.bind(&endpoint)?;
    // Peers with the same id replace each other, and messages on their way are lost.
    let replaced = flow.rng.one_in(3);
    let mut senders = Vec::new();
    let mut arrivals = Arrivals::default();
    let mut sent = 0;
    let mut rng = flow.rng.fork();
    for _ in 0..1 + flow.rng.below(40) {
        match flow.rng.below(3) {
            0 if senders.len() < 5 => {
                let sender = flow.socket(from)?;
                if replaced {
                    let _ = sender.set_routing_id(*flow.rng.pick(&["x", "y"]));
                }
                sender.connect(&endpoint)?;
                senders.push((sender, flow.world.number(), 0));
            }
            1 if !senders.is_empty() => {
                let place = flow.rng.below(senders.len());
                drop(senders.swap_remove(place));
            }
            _ if !senders.is_empty() => {
                let place = flow.rng.below(senders.len());
                let (sender, number, next) = &mut senders[place];
                let count = 1 + flow.rng.below(4) as u8;
                if sender.now().send_multipart(content::parts(&mut rng, *number, *next, count))?.is_sent() {
                    sent += 1;
                }
                *next += 1;
            }
            _ => {}
        }
        if flow.rng.coin() {
            continue;
        }
        // Receives part by part, while peers leave.
        let mut parts = Multipart::new();
        while let Some(part) = receiver.now().recv_msg()? {
            let more = part.more();
            parts.push_back(part);
            if !more {
                break;
            }
            if flow.rng.one_in(4) && !senders.is_empty() {
                let place = flow.rng.below(senders.len());
                drop(senders.swap_remove(place));
                settle(flow, &receiver)?;
            }
        }
        let skipped = usize::from(to == Kind::Router);
        whole(parts.iter().skip(skipped))?.map_or(Ok(()), |stamp| arrivals.add(stamp))?;
    }
    drop(senders);
    if replaced {
        return Ok(());
    }
    flow.wait("all messages arrive", || {
        if let Some(parts) = receive(&receiver, &mut rng)? {
            let skipped = usize::from(to == Kind::Router);
            whole(parts.iter().skip(skipped))?.map_or(Ok(()), |stamp| arrivals.add(stamp))?;
        }
        Ok(arrivals.len() == sent)
    })
}

/// A sender connects, sends, disconnects and closes in a hurry. All messages that it accepted arrive.
pub fn hasty(flow: &mut Flow<'_>) -> Result {
    let (from, to) = *flow.rng.pick(&[(Kind::Push, Kind::Pull), (Kind::Dealer, Kind::Dealer)]);
    let receivers = (0..1 + flow.rng.below(3)).map(|_| flow.socket(to)).collect::<Result<Vec<_>>>()?;
    let mut endpoints = Vec::new();
    for receiver in &receivers {
        let endpoint = match flow.rng.below(4) {
            0 => format!("ipc://{}/hasty-{}", flow.world.directory.display(), flow.world.number()),
            1 => "ws://127.0.0.1:*".to_owned(),
            2 => format!("inproc://hasty-{}", flow.world.number()),
            _ => "tcp://127.0.0.1:*".to_owned(),
        };
        endpoints.push(receiver.bind(&endpoint)?);
    }
    flow.world.note(format_args!("{from} to {to}: {endpoints:?}"));
    let number = flow.world.number();
    let mut arrivals = Arrivals::default();
    let mut next = 0;
    for _ in 0..1 + flow.rng.below(4) {
        let sender = flow.socket(from)?;
        if flow.rng.coin() {
            sender.set_immediate(true)?;
            flow.world.note(format_args!("immediate"));
        }
        for endpoint in &endpoints {
            sender.connect(endpoint)?;
            flow.world.note(format_args!("connects to {endpoint} at message {next}"));
            for _ in 0..flow.rng.below(12) {
                let parts = 1 + flow.rng.below(2) as u8;
                sender.send_multipart(content::parts(&mut flow.rng, number, next, parts))?;
                next += 1;
            }
            if flow.rng.one_in(3) {
                sender.disconnect(endpoint)?;
                flow.world.note(format_args!("disconnects from {endpoint} at message {next}"));
            }
        }
        flow.world.note(format_args!("closes at message {next}"));
    }
    // The order of messages over several connections is open.
    let mut last = Vec::new();
    last.resize_with(receivers.len(), Arrivals::default);
    let end = Instant::now() + within();
    let mut count = 0;
    while count < next {
        let before = count;
        for (receiver, arrivals) in receivers.iter().zip(&mut last) {
            let Some(parts) = receiver.now().recv_multipart()? else { continue };
            if let Some(stamp) = whole(&parts)? {
                arrivals.add_in_any_order(stamp)?;
                count += 1;
            }
        }
        if count == before {
            std::thread::sleep(Duration::from_millis(1));
        }
        if flow.world.has_ended() {
            return Err(Stop::Ended);
        }
        if Instant::now() > end {
            break;
        }
    }
    last.into_iter().try_for_each(|other| arrivals.merge(other))?;
    let missing = arrivals.missing(number, next);
    if !missing.is_empty() {
        return Err(Stop::Fault(format!("of {next} messages {missing:?} are missing")));
    }
    if flow.rng.coin() { to_a_full_receiver(flow) } else { Ok(()) }
}

/// A sender closes while its receiver is full and does not read. All messages that the sender accepted arrive.
fn to_a_full_receiver(flow: &mut Flow<'_>) -> Result {
    let (sender, receiver) = (flow.socket(Kind::Push)?, flow.socket(Kind::Pull)?);
    receiver.set_rcvhwm(1 + flow.rng.below(3) as u32)?;
    // The sender has a part of its last batch left when it closes.
    sender.set_sndbuf(Some(4096))?;
    let endpoint = *flow.rng.pick(&["ipc://*", "ipc://*", "tcp://127.0.0.1:*"]);
    let endpoint = receiver.bind(endpoint)?;
    sender.connect(&endpoint)?;
    let (count, size) = (40 + flow.rng.below(60), *flow.rng.pick(&[300, 1000, 4000]));
    flow.world.note(format_args!("{count} messages of {size} bytes to a full receiver at {endpoint}"));
    for number in 0..count {
        sender.send(vec![number as u8; size])?;
    }
    std::thread::sleep(Duration::from_millis(flow.rng.below(20) as u64));
    drop(sender);
    std::thread::sleep(Duration::from_millis(flow.rng.below(20) as u64));
    for number in 0..count {
        let Some(message) = receiver.within(within()).recv_msg()? else {
            return Err(Stop::Fault(format!("of {count} messages to a full receiver {number} arrived")));
        };
        if *message != *vec![number as u8; size] {
            return Err(Stop::Fault(format!("{message:?} came instead of message {number}")));
        }
        if count - number < 30 && flow.rng.one_in(3) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(())
}
