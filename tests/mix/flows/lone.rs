//! Flows that share no shape with others: they check promises of single calls and options.

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use zmq::{Kind, Message, Multipart, PollEvents, ProxyHandle, Socket};
use zmq_patterns::Actor;

use super::ends::{Arrivals, Sender, receive, whole};
use super::{Flow, Result, Stop};
use crate::content;
use crate::ops::under_signals;
use crate::world::{free_port, within};

/// A conflating receiver gets the newest message in the end, and none that is older than one before.
pub fn conflate(flow: &mut Flow<'_>) -> Result {
    if flow.rng.one_in(3) {
        return conflate_before_bind(flow);
    }
    let pairs = [(Kind::Push, Kind::Pull), (Kind::Dealer, Kind::Dealer), (Kind::Pub, Kind::Sub)];
    let (from, to) = *flow.rng.pick(&pairs);
    let (sender, receiver) = (flow.socket(from)?, flow.socket(to)?);
    receiver.set_conflate(true)?;
    if from != Kind::Pub && flow.rng.coin() {
        sender.set_conflate(true)?;
    }
    if to == Kind::Sub {
        let mut topics = ["", "another"];
        topics.rotate_left(flow.rng.below(2));
        topics.iter().try_for_each(|topic| receiver.subscribe(topic))?;
    }
    flow.link_one(&sender, &[&receiver])?;
    let (number, world) = (flow.world.number(), flow.world);
    let (expect, expected) = channel();
    let (tell, told) = channel();
    thread::scope(|scope| {
        let receiving = scope.spawn(move || -> Result {
            let mut last = 0;
            for newest in expected {
                let end = Instant::now() + within();
                while last < newest {
                    // A busy loop of single receives meets the moment of a write.
                    if let Some(message) = receiver.now().recv_msg()? {
                        let stamp = whole([&message])?.map_or(last, |stamp| stamp.number);
                        if stamp < last {
                            return Err(Stop::Fault(format!("message {stamp} came after {last}")));
                        }
                        last = stamp;
                    } else if world.has_ended() {
                        return Err(Stop::Ended);
                    } else if Instant::now() > end {
                        return Err(Stop::Fault(format!("the newest message is {newest}, and {last} was received")));
                    }
                }
                let _ = tell.send(());
            }
            Ok(())
        });
        let mut rng = flow.rng.fork();
        let mut send = |number_of_message| -> Result {
            let mut parts = content::parts(&mut rng, number, number_of_message, 1);
            Ok(sender.send(parts.pop_front().expect("one part"))?)
        };
        let closes = flow.rng.coin();
        let mut next = 1;
        let sending = (0..1 + flow.rng.below(40)).try_for_each(|_| -> Result {
            let newest = next + flow.rng.below(20) as u32;
            let _ = expect.send(newest);
            (next..=newest).try_for_each(&mut send)?;
            next = newest + 1;
            // A subscription may arrive after the first messages, so the newest is sent until it arrives.
            while told.recv_timeout(Duration::from_millis(5)).is_err() {
                if receiving.is_finished() {
                    return Err(Stop::Ended);
                }
                if from == Kind::Pub {
                    send(newest)?;
                }
            }
            Ok(())
        });
        // A socket that is closed still delivers the newest message.
        if sending.is_ok() && closes {
            let _ = expect.send(next);
            send(next)?;
            drop(sender);
        }
        drop(expect);
        receiving.join().expect("no panic")?;
        sending
    })
}

/// A conflating sender that connects before the name is bound keeps its newest message and its id, also if it is closed.
fn conflate_before_bind(flow: &mut Flow<'_>) -> Result {
    let pairs = [(Kind::Push, Kind::Pull), (Kind::Dealer, Kind::Dealer), (Kind::Dealer, Kind::Router)];
    let (from, to) = *flow.rng.pick(&pairs);
    let (sender, receiver) = (flow.socket(from)?, flow.socket(to)?);
    sender.set_conflate(true)?;
    if from == Kind::Dealer {
        sender.set_routing_id("early")?;
    }
    let name = format!("inproc://conflate-{}", flow.world.number());
    sender.connect(&name)?;
    let count = 1 + flow.rng.below(3);
    for number in 1..=count {
        sender.send(format!("{number}"))?;
    }
    // A closed socket waits until the name is bound.
    let _open = flow.rng.coin().then_some(sender);
    receiver.bind(&name)?;
    let mut expected = vec![format!("{count}")];
    if to == Kind::Router {
        expected.insert(0, "early".to_owned());
    }
    match receiver.within(within()).recv_multipart()? {
        Some(parts) if parts.iter().map(|part| part.to_vec()).eq(expected.iter().map(|part| part.as_bytes())) => Ok(()),
        parts => Err(Stop::Fault(format!("{parts:?} came instead of the newest message {expected:?}"))),
    }
}

/// A send that does not wait finds room when the receiver has received all messages.
pub fn room(flow: &mut Flow<'_>) -> Result {
    let pairs = [(Kind::Push, Kind::Pull), (Kind::Dealer, Kind::Dealer), (Kind::Pair, Kind::Pair)];
    let (from, to) = *flow.rng.pick(&pairs);
    let (sender, receiver) = (flow.socket(from)?, flow.socket(to)?);
    sender.set_sndhwm(1 + flow.rng.below(5) as u32)?;
    receiver.set_rcvhwm(1 + flow.rng.below(5) as u32)?;
    sender.set_sndbuf(Some(4096))?;
    receiver.set_rcvbuf(Some(4096))?;
    let endpoint = flow.link_one(&receiver, &[&sender])?;
    let inproc = endpoint.starts_with("inproc");
    for _ in 0..1 + flow.rng.below(20) {
        let mut sent = 0;
        while sent < 100_000 && sender.now().send(Message::from([7; 100]))?.is_sent() {
            sent += 1;
        }
        flow.wait("all messages arrive", || {
            while receiver.now().recv_msg()?.is_some() {
                sent -= 1;
            }
            Ok(sent == 0)
        })?;
        // Except over inproc, an I/O thread must process its commands first.
        let mut tried = 0;
        flow.wait("there is room", || {
            tried += 1;
            let is_sent = sender.now().send("once more")?.is_sent();
            if inproc && !is_sent {
                return Err(Stop::Fault("a send finds no room, and the receiver has taken everything".to_owned()));
            }
            Ok(is_sent)
        })?;
        flow.wait("the message arrives", || Ok(receiver.now().recv_msg()?.is_some()))?;
    }
    Ok(())
}

/// A client of a port without a listener waits, and reaches a server that binds the port later.
pub fn down_port(flow: &mut Flow<'_>) -> Result {
    let port = free_port();
    let (from, to) = *flow.rng.pick(&[(Kind::Push, Kind::Pull), (Kind::Dealer, Kind::Dealer)]);
    let (client, server) = (flow.socket(from)?, flow.socket(to)?);
    client.set_reconnect_ivl(Some(Duration::from_millis(2)))?;
    // A client that tries often enough gets the port of its target as its own port.
    if flow.rng.one_in(3) {
        return own_port(flow, port);
    }
    client.connect(&format!("tcp://127.0.0.1:{port}"))?;
    let mut sender = Sender { socket: &client, number: flow.world.number(), next: 0, group: None };
    let mut rng = flow.rng.fork();
    let count = 1 + flow.rng.below(10) as u32;
    while sender.next < count {
        sender.send(&mut rng)?;
    }
    thread::sleep(Duration::from_millis(flow.rng.below(20) as u64));
    server.bind(&format!("tcp://127.0.0.1:{port}"))?;
    let mut arrivals = Arrivals::default();
    let end = Instant::now() + within();
    while arrivals.len() < count as usize {
        if let Some(parts) = receive(&server, &mut rng)? {
            whole(&parts)?.map_or(Ok(()), |stamp| arrivals.add(stamp))?;
        } else if Instant::now() > end {
            return Err(Stop::Fault(format!("messages {:?} are missing", arrivals.missing(sender.number, count))));
        }
    }
    Ok(())
}

/// A client does not connect to itself if the system gives it the port of its target.
fn own_port(flow: &mut Flow<'_>, port: u16) -> Result {
    let client = flow.socket(Kind::Dealer)?;
    client.set_reconnect_ivl(Some(Duration::from_millis(2)))?;
    let monitor = client.monitor(zmq::monitor::Events::ALL)?;
    client.connect(&format!("tcp://127.0.0.1:{port};127.0.0.1:{port}"))?;
    while let Some(notice) = monitor.next_event(Duration::from_millis(30))? {
        match notice.event() {
            zmq::monitor::Event::HandshakeSucceeded => {
                return Err(Stop::Fault("a client is connected to itself".to_owned()));
            }
            zmq::monitor::Event::ConnectRetried { .. } => break,
            _ => {}
        }
    }
    Ok(())
}

/// If the conversion of a message uses the socket, a message arrives all the same.
pub fn reentrant(flow: &mut Flow<'_>) -> Result {
    struct Reentrant<'a>(&'a Socket<'static>);
    impl From<Reentrant<'_>> for Message {
        fn from(reentrant: Reentrant<'_>) -> Message {
            let _ = reentrant.0.now().send_more("head");
            "tail".into()
        }
    }
    impl From<Reentrant<'_>> for Multipart {
        fn from(reentrant: Reentrant<'_>) -> Multipart {
            Message::from(reentrant).into()
        }
    }
    let (sender, receiver) = (flow.socket(Kind::Push)?, flow.socket(Kind::Pull)?);
    let endpoint = format!("inproc://reentrant-{}", flow.world.number());
    receiver.bind(&endpoint)?;
    sender.connect(&endpoint)?;
    let message = Reentrant(&sender);
    match flow.rng.below(6) {
        0 => sender.send(message)?,
        1 => drop(sender.now().send(message)?),
        2 => drop(sender.within(within()).send(message)?),
        3 => sender.send_multipart(message)?,
        4 => drop(sender.now().send_multipart(message)?),
        _ => drop(sender.within(within()).send_multipart(message)?),
    }
    if receiver.within(within()).recv_multipart()?.is_none() {
        return Err(Stop::Fault("a message that was sent while another was converted did not arrive".to_owned()));
    }
    drop(receiver);
    // The sender has no peer once it has read that the receiver is gone.
    flow.wait("the sender has no peer", || Ok(!sender.events()?.contains(PollEvents::POLLOUT)))?;
    if sender.within(Duration::from_millis(5)).send("nobody is there")?.is_sent() {
        return Err(Stop::Fault("a message is accepted without a peer".to_owned()));
    }
    Ok(())
}

/// If a part of a message is refused, no part of it is sent.
pub fn refused_part(flow: &mut Flow<'_>) -> Result {
    let (publisher, subscriber) = (flow.socket(Kind::XPub)?, flow.socket(Kind::XSub)?);
    flow.link_one(&publisher, &[&subscriber])?;
    let long = [&[1], vec![b'x'; 9000].as_slice()].concat();
    let first = *flow.rng.pick(&["first", ""]);
    if subscriber.send_multipart([Message::from(first), Message::from(long)]).is_ok() {
        return Err(Stop::Fault("a subscription of 9000 bytes is accepted".to_owned()));
    }
    subscriber.send("next")?;
    let Some(parts) = publisher.within(within()).recv_multipart()? else {
        return Err(Stop::Fault("the message after one that was refused is lost".to_owned()));
    };
    if parts != ["next"] {
        return Err(Stop::Fault(format!("{parts:?} came instead of the message after one that was refused")));
    }
    Ok(())
}

/// A proxy loses nothing, whenever it ends: messages are forwarded, given back, or still in its frontend.
pub fn proxied(flow: &mut Flow<'_>) -> Result {
    let (source, sink) = (flow.socket(Kind::Push)?, flow.socket(Kind::Pull)?);
    let (front, back) = (flow.socket(Kind::Pull)?, flow.socket(Kind::Push)?);
    for socket in [&source, &sink, &front, &back] {
        flow.tune(socket)?;
    }
    flow.link_one(&front, &[&source])?;
    flow.link_one(&sink, &[&back])?;
    let (number, count) = (flow.world.number(), 1 + flow.rng.below(80) as u32);
    let pause = Duration::from_micros(flow.rng.below(5000) as u64);
    let world = flow.world;
    let (mut send_rng, mut receive_rng) = (flow.rng.fork(), flow.rng.fork());
    let handle = ProxyHandle::new()?;
    let (over, ended) = channel::<()>();
    thread::scope(|scope| -> Result {
        let sending = scope.spawn(move || -> Result {
            let mut sender = Sender { socket: &source, number, next: 0, group: None };
            while sender.next < count {
                sender.send(&mut send_rng)?;
            }
            // The sender stays until all messages are counted.
            let _ = ended.recv();
            Ok(())
        });
        let controller = handle.clone();
        let proxying = scope.spawn(move || (handle.run(&front, &back, None), front, back));
        let mut arrivals = Arrivals::default();
        let start = Instant::now();
        while start.elapsed() < pause {
            if let Some(parts) = receive(&sink, &mut receive_rng)? {
                whole(&parts)?.map_or(Ok(()), |stamp| arrivals.add(stamp))?;
            }
        }
        let _ = controller.terminate();
        let (outcome, front, back) = proxying.join().expect("no panic");
        let given_back = outcome.map_err(zmq::Error::from)?.to_backend;
        let mut after = Arrivals::default();
        let end = Instant::now() + within();
        if let Some(parts) = given_back {
            whole(&parts)?.map_or(Ok(()), |stamp| after.add(stamp))?;
        }
        // Forwarded messages may still be on their way. The other messages are in the frontend.
        loop {
            if let Some(parts) = receive(&sink, &mut receive_rng)? {
                whole(&parts)?.map_or(Ok(()), |stamp| arrivals.add(stamp))?;
            }
            if let Some(parts) = front.within(Duration::from_millis(5)).recv_multipart()? {
                whole(&parts)?.map_or(Ok(()), |stamp| after.add(stamp))?;
            }
            if arrivals.len() + after.len() >= count as usize {
                break;
            }
            if Instant::now() > end || world.has_ended() {
                break;
            }
        }
        drop((over, back));
        arrivals.merge(after)?;
        let missing = arrivals.missing(number, count);
        let sent = sending.join().expect("no panic");
        if missing.is_empty() { sent } else { Err(Stop::Fault(format!("messages {missing:?} are missing"))) }
    })
}

/// A socket that always has messages of one peer receives those of a peer that connects later, although signals interrupt
/// its calls.
pub fn late_peer(flow: &mut Flow<'_>) -> Result {
    /// Calls that receive while libzmq reads the commands of a socket several times.
    const CALLS: usize = 1000;
    let pairs = [(Kind::Push, Kind::Pull), (Kind::Dealer, Kind::Dealer), (Kind::Dealer, Kind::Router)];
    let (from, to) = *flow.rng.pick(&pairs);
    let (receiver, early, late) = (flow.socket(to)?, flow.socket(from)?, flow.socket(from)?);
    receiver.set_rcvhwm(0)?;
    early.set_sndhwm(0)?;
    let name = format!("inproc://late-{}", flow.world.number());
    receiver.bind(&name)?;
    early.connect(&name)?;
    for _ in 0..2 * CALLS {
        early.send("early")?;
    }
    let receive = || -> Result<bool> {
        match receiver.now().recv_multipart()? {
            Some(parts) => Ok(parts.last().is_some_and(|last| *last == "late")),
            None => Err(Stop::Fault("messages of the first peer are missing".to_owned())),
        }
    };
    let turns = 1 + flow.rng.below(20);
    under_signals(
        || (0..turns).for_each(|_| thread::yield_now()),
        || {
            for _ in 0..CALLS {
                receive()?;
            }
            late.connect(&name)?;
            late.send("late")?;
            for _ in 0..CALLS / 2 {
                if receive()? {
                    return Ok(());
                }
            }
            Err(Stop::Fault(format!("a {to} does not receive from a {from} that connected later")))
        },
    )
}

/// A socket that connects to the names that the pipe of the next actor could have does not take the pipe over.
pub fn guessed_pipe(flow: &mut Flow<'_>) -> Result {
    let context = &flow.world.context;
    let spawn = || {
        let spawned = Actor::spawn(context, "mix", |pipe| {
            loop {
                pipe.send_multipart(pipe.recv_multipart()?)?;
            }
        });
        spawned.map_err(zmq::Error::from)
    };
    let first = spawn()?;
    let guesser = flow.socket(Kind::Dealer)?;
    for pipe in context.open_sockets().iter().filter(|socket| socket.kind() == Kind::Pair) {
        for name in pipe.connected().filter(|name| name.starts_with("inproc://zmq-actor-")) {
            // Other threads have actors too.
            for next in 1..30 {
                guesser.connect(&successor(name, next))?;
            }
        }
    }
    let actor = spawn()?;
    for actor in [&first, &actor] {
        actor.send_multipart("for the actor")?;
        match actor.within(within()).recv_multipart()? {
            Some(parts) if parts == ["for the actor"] => {}
            other => return Err(Stop::Fault(format!("an actor gave {other:?} back"))),
        }
    }
    match guesser.now().recv_msg()? {
        Some(message) => Err(Stop::Fault(format!("another socket received {message:?}, which is for an actor"))),
        None => Ok(()),
    }
}

/// The name whose number is higher by `more`. The number of a name is the digits at its end.
fn successor(name: &str, more: u64) -> String {
    let stem = name.trim_end_matches(|character: char| character.is_ascii_digit());
    let number: u64 = name[stem.len()..].parse().unwrap_or_default();
    format!("{stem}{}", number.wrapping_add(more))
}
