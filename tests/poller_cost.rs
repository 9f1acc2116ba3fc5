//! The cost of a wait does not depend on the number of sockets.

mod common;

use std::time::{Duration, Instant};

use zmq::{Context, PollEvents, PollItem, Poller, Pull, Push, Socket, poll};
use zmq_patterns::{Ended, Reactor};

const LONG: Duration = Duration::from_secs(3600);
const ROUNDS: usize = 200;
const FEW: usize = 4;
const MANY: usize = 800;

/// `count` sockets, and one that sends to the last of them.
fn sockets(context: &Context, count: usize) -> (Vec<Socket<'_, Pull>>, Socket<'_, Push>) {
    let sinks: Vec<_> = (0..count).map(|_| context.socket(Pull).unwrap()).collect();
    let source = context.socket(Push).unwrap();
    sinks[count - 1].bind("inproc://last").unwrap();
    source.connect("inproc://last").unwrap();
    (sinks, source)
}

/// The shortest of many rounds. Other load of the machine makes no round shorter.
fn shortest(mut round: impl FnMut() -> Duration) -> Duration {
    (0..ROUNDS).map(|_| round()).min().unwrap()
}

fn of_a_poller(count: usize) -> Duration {
    let context = Context::new().unwrap();
    let (sinks, source) = sockets(&context, count);
    let mut poller = Poller::new().unwrap();
    for (number, sink) in sinks.iter().enumerate() {
        poller.add(sink, number, PollEvents::POLLIN).unwrap();
    }
    assert!(poller.wait(Duration::ZERO).unwrap().is_empty());
    shortest(|| {
        source.send("x").unwrap();
        let start = Instant::now();
        assert_eq!(poller.wait(LONG).unwrap().len(), 1);
        sinks[count - 1].recv_msg().unwrap();
        start.elapsed()
    })
}

fn of_a_reactor(count: usize) -> Duration {
    let context = Context::new().unwrap();
    let (sinks, source) = sockets(&context, count);
    let mut reactor = Reactor::new().unwrap();
    for sink in &sinks {
        let handler = reactor.add(sink, PollEvents::POLLIN, |reactor, _| {
            sink.recv_msg()?;
            reactor.stop();
            Ok(())
        });
        handler.unwrap();
    }
    source.send("x").unwrap();
    assert_eq!(reactor.run().unwrap(), Ended::Stopped);
    shortest(|| {
        source.send("x").unwrap();
        let start = Instant::now();
        assert_eq!(reactor.run().unwrap(), Ended::Stopped);
        start.elapsed()
    })
}

fn of_poll(count: usize) -> Duration {
    let context = Context::new().unwrap();
    let (sinks, source) = sockets(&context, count);
    let mut items: Vec<_> = sinks.iter().map(|sink| PollItem::socket(sink, PollEvents::POLLIN)).collect();
    shortest(|| {
        source.send("x").unwrap();
        let start = Instant::now();
        assert_eq!(poll(&mut items, LONG).unwrap(), 1);
        sinks[count - 1].recv_msg().unwrap();
        start.elapsed()
    })
}

#[deadline::test]
fn wait_costs_as_much_with_many_sockets_as_with_few() {
    // zmq_poll queries every socket in each call, so the measurement must show the difference.
    let (few, many) = (of_poll(FEW), of_poll(MANY));
    assert!(many > few * 10, "zmq_poll: {few:?} for {FEW}, {many:?} for {MANY}");
    for (what, of) in [("poller", of_a_poller as fn(usize) -> Duration), ("reactor", of_a_reactor)] {
        let (few, many) = (of(FEW), of(MANY));
        assert!(many < few * 5, "{what}: {few:?} for {FEW}, {many:?} for {MANY}");
    }
}
