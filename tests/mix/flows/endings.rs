//! The ends of contexts, sockets, owners and shared sockets: each ends in time, and reports its end.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use zmq::monitor::{Event, Events};
use zmq::{Context, Kind, Message};
use zmq_patterns::SharedSocket;

use super::{Flow, Result, Stop};
use crate::content::Owner;
use crate::world::{free_port, start, within};

/// `Context::terminate` waits no longer than its time-out. The context ends at once when its last socket is dropped.
pub fn terminate(flow: &mut Flow<'_>) -> Result {
    let context = Context::new()?;
    start(&context);
    let (from, to) =
        *flow.rng.pick(&[(Kind::Push, Kind::Pull), (Kind::Dealer, Kind::Dealer), (Kind::Pair, Kind::Pair)]);
    let socket = context.owned_socket(from)?;
    let owned = || Message::from_owner(Owner::new(vec![1; 100]));
    if flow.rng.coin() {
        let receiver = context.owned_socket(to)?;
        let endpoint = *flow.rng.pick(&["tcp://127.0.0.1:*", "inproc://x", "ipc://*"]);
        socket.connect(&receiver.bind(endpoint)?)?;
        socket.send(owned())?;
        if receiver.within(within()).recv_msg()?.is_none() {
            return Err(Stop::Fault("a message did not arrive".to_owned()));
        }
        drop((receiver, socket));
        // Another handle does not count.
        let _other = flow.rng.coin().then(|| context.clone());
        return context.terminate(within()).map_err(|error| Stop::Fault(format!("nothing is open, and {error}")));
    }
    // The socket has no peer, and its linger period has no end.
    socket.connect(&format!("tcp://127.0.0.1:{}", free_port()))?;
    for _ in 0..1 + flow.rng.below(3) {
        socket.send(owned())?;
    }
    let other = flow.rng.coin().then(|| context.clone());
    if context.terminate(Duration::from_millis(flow.rng.below(30) as u64)).is_ok() {
        return Err(Stop::Fault("a context with an open socket ended".to_owned()));
    }
    if flow.rng.coin() {
        // The socket knows that its context has ended.
        let _ = (socket.events(), socket.now().send("refused"));
    }
    let start = Instant::now();
    if flow.rng.coin() {
        drop((socket, other));
        if let Err(error) = context.terminate(within()) {
            return Err(Stop::Fault(format!("the socket is dropped, and {error}")));
        }
    } else {
        drop((context, other, socket));
    }
    if start.elapsed() > within() / 2 {
        return Err(Stop::Fault(format!("the drop after terminate took {:?}", start.elapsed())));
    }
    Ok(())
}

/// The monitor of a socket that is dropped reports that the socket's listener is closed, and ends.
pub fn last_events(flow: &mut Flow<'_>) -> Result {
    let (server, client) = (flow.socket(Kind::Pull)?, flow.socket(Kind::Push)?);
    let endpoint = server.bind("tcp://127.0.0.1:*")?;
    let bound = flow.rng.coin();
    let monitor = if bound { &server } else { &client }.monitor(Events::ALL)?;
    client.connect(&endpoint)?;
    client.send("x")?;
    if server.within(within()).recv_msg()?.is_none() {
        return Err(Stop::Fault("a message did not arrive".to_owned()));
    }
    drop(if bound { server } else { client });
    let end = Instant::now() + within();
    let mut seen = Vec::new();
    while Instant::now() < end {
        let Some(notice) = monitor.next_event(Duration::from_millis(50))? else { continue };
        if *notice.event() == Event::MonitorStopped {
            let closed = seen.iter().any(|event| matches!(event, Event::Closed { .. }));
            return match closed || !bound {
                true => Ok(()),
                false => Err(Stop::Fault(format!("a monitor ends after {seen:?}"))),
            };
        }
        seen.push(notice.event().clone());
    }
    Err(Stop::Fault("a monitor does not end with its socket".to_owned()))
}

/// Neither an owner that has the last handle of a shared socket nor one whose drop blocks keeps other owners from being dropped.
pub fn owner_of_shared(flow: &mut Flow<'_>) -> Result {
    struct WithShared(Owner, #[allow(dead_code, reason = "it is dropped")] SharedSocket);
    impl AsRef<[u8]> for WithShared {
        fn as_ref(&self) -> &[u8] {
            self.0.as_ref()
        }
    }
    struct Tells(Sender<()>);
    impl AsRef<[u8]> for Tells {
        fn as_ref(&self) -> &[u8] {
            b"tells"
        }
    }
    impl Drop for Tells {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    struct Blocks(Receiver<()>);
    impl AsRef<[u8]> for Blocks {
        fn as_ref(&self) -> &[u8] {
            b"blocks"
        }
    }
    impl Drop for Blocks {
        fn drop(&mut self) {
            let _ = self.0.recv();
        }
    }
    let shared = {
        let kind = *flow.rng.pick(&[Kind::Pull, Kind::Dealer]);
        SharedSocket::new(flow.socket(kind)?)?
    };
    if flow.rng.coin() {
        let waiting = shared.clone();
        flow.world.help(move || drop(waiting.within(Duration::from_millis(5)).recv_multipart()));
    }
    drop(Message::from_owner(WithShared(Owner::new(vec![2; 100]), shared)));
    let (tell, told) = channel();
    // Dropped after the wait, which ends the drop of the owner.
    let (_release, released) = channel();
    if flow.rng.coin() {
        drop(Message::from_owner(Blocks(released)));
    }
    drop(Message::from_owner(Tells(tell)));
    told.recv_timeout(within()).map_err(|_| Stop::Fault("owners are no longer dropped".to_owned()))
}

/// Other users of a shared socket go on when the captures of a closure panic while they are dropped.
pub fn panicking_capture(flow: &mut Flow<'_>) -> Result {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            if !thread::panicking() {
                std::panic::resume_unwind(Box::new("a capture that panics"));
            }
        }
    }
    let context = Context::new()?;
    start(&context);
    let shared = SharedSocket::new(context.owned_socket(Kind::Pull)?)?;
    let (busy, receiving) = (shared.clone(), shared.clone());
    let shuts = flow.rng.coin();
    let first = thread::spawn(move || {
        busy.with(move |_| {
            thread::sleep(Duration::from_millis(20));
            shuts.then(|| context.shutdown().map(|()| context))
        })
    });
    thread::sleep(Duration::from_millis(5));
    let second = thread::spawn(move || {
        let capture = Panics;
        shared.with(move |_| {
            let _captured = &capture;
        })
    });
    thread::sleep(Duration::from_millis(5));
    let (done, outcome) = channel();
    let third = thread::spawn(move || {
        let time = if shuts { within() / 4 } else { Duration::from_millis(30) };
        let _ = receiving.within(time).recv_multipart();
        let _ = done.send(());
    });
    let returned = outcome.recv_timeout(within()).is_ok();
    let _ = (first.join(), second.join().is_err());
    if !returned {
        return Err(Stop::Fault("a receiver beside a closure that panicked waits".to_owned()));
    }
    let _ = third.join();
    Ok(())
}
