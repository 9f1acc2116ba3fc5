//! Pollers of thread-safe sockets that other threads use at the same time.

#![cfg(feature = "draft")]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use common::eventually;
use zmq::{Channel, Client, Context, Errno, Gather, Pair, PollEvents, Poller, Scatter, Server, Socket};
use zmq_patterns::{Ended, Reactor};

const MOMENT: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(3600);

fn channels<'ctx>(context: &'ctx Context, endpoint: &str) -> (Socket<'ctx, Channel>, Socket<'ctx, Channel>) {
    let (left, right) = (context.socket(Channel).unwrap(), context.socket(Channel).unwrap());
    left.bind(endpoint).unwrap();
    right.connect(endpoint).unwrap();
    (left, right)
}

fn ready(poller: &mut Poller<'_, char>, timeout: Duration) -> Vec<char> {
    let mut keys: Vec<char> = poller.wait(timeout).unwrap().iter().map(|event| event.key).collect();
    keys.sort_unstable();
    keys
}

#[deadline::test(patches = [13])]
fn poller_waits_for_thread_safe_sockets_beside_others() {
    let context = Context::new().unwrap();
    let (a, to_a) = channels(&context, "inproc://a");
    let (b, to_b) = channels(&context, "inproc://b");
    let (c, to_c) = (context.socket(Pair).unwrap(), context.socket(Pair).unwrap());
    c.bind("inproc://c").unwrap();
    to_c.connect("inproc://c").unwrap();
    let mut poller = Poller::new().unwrap();
    poller.add(&a, 'a', PollEvents::POLLIN).unwrap();
    poller.add(b, 'b', PollEvents::POLLIN).unwrap();
    poller.add(&c, 'c', PollEvents::POLLIN).unwrap();
    assert_eq!(poller.add(&a, 'd', PollEvents::POLLIN).unwrap_err().errno(), Errno::EINVAL);
    for _ in 0..10 {
        assert_eq!(ready(&mut poller, Duration::ZERO), []);
        to_a.send("x").unwrap();
        assert_eq!(ready(&mut poller, LONG), ['a']);
        to_b.send("x").unwrap();
        to_c.send("x").unwrap();
        while ready(&mut poller, LONG) != ['a', 'b', 'c'] {}
        assert_eq!(a.recv_msg().unwrap(), "x");
        assert_eq!(poller.socket('b').unwrap().recv_msg().unwrap(), "x");
        assert_eq!(c.recv_msg().unwrap(), "x");
        to_b.send("later").unwrap();
        assert_eq!(ready(&mut poller, LONG), ['b']);
        assert_eq!(poller.socket('b').unwrap().recv_msg().unwrap(), "later");
    }
    poller.modify('a', PollEvents::POLLOUT).unwrap();
    assert_eq!(ready(&mut poller, LONG), ['a']);
    poller.modify('a', PollEvents::NONE).unwrap();
    assert_eq!(ready(&mut poller, Duration::ZERO), []);
    let b = poller.remove('b').unwrap().into_socket().unwrap();
    to_b.send("kept").unwrap();
    assert_eq!(b.recv_msg().unwrap(), "kept");
    assert!(poller.remove('a').unwrap().into_socket().is_none());
    assert_eq!(poller.len(), 1);
    assert_eq!(ready(&mut poller, Duration::from_millis(5)), []);
}

#[deadline::test(patches = [13])]
fn wait_for_a_thread_safe_socket_ends_with_a_message_and_with_the_context() {
    let context = Context::new().unwrap();
    let (a, to_a) = channels(&context, "inproc://a");
    let mut poller = Poller::new().unwrap();
    poller.add(&a, 'a', PollEvents::POLLIN).unwrap();
    for _ in 0..100 {
        assert_eq!(ready(&mut poller, Duration::ZERO), []);
        thread::scope(|scope| {
            scope.spawn(|| to_a.send("x").unwrap());
            assert_eq!(ready(&mut poller, LONG), ['a']);
        });
        assert_eq!(a.recv_msg().unwrap(), "x");
    }
    context.shutdown().unwrap();
    assert_eq!(poller.wait(LONG).unwrap_err().errno(), Errno::ETERM);
    assert_eq!(poller.wait(LONG).unwrap_err().errno(), Errno::ETERM);
}

#[deadline::test(patches = [13])]
fn reactor_calls_handlers_of_thread_safe_sockets() {
    let context = Context::new().unwrap();
    let (a, to_a) = channels(&context, "inproc://a");
    let (b, to_b) = channels(&context, "inproc://b");
    let mut reactor = Reactor::new().unwrap();
    for socket in [&a, &b] {
        reactor
            .add(socket, PollEvents::POLLIN, |reactor, event| {
                assert_eq!(socket.recv_msg()?, "x");
                reactor.remove(event.key)?;
                Ok(())
            })
            .unwrap();
    }
    to_a.send("x").unwrap();
    to_b.send("x").unwrap();
    assert_eq!(reactor.run().unwrap(), Ended::Empty);
}

#[deadline::test(patches = [13])]
fn poller_misses_no_event_when_other_threads_use_the_socket() {
    const SENDERS: usize = 3;
    const EACH: usize = 3000;
    let context = Context::new().unwrap();
    let sink = context.socket(Gather).unwrap();
    sink.bind("inproc://sink").unwrap();
    let count = AtomicUsize::new(0);
    thread::scope(|scope| {
        let polling = scope.spawn(|| {
            let mut poller = Poller::new().unwrap();
            poller.add(&sink, 1, PollEvents::POLLIN).unwrap();
            let mut own = 0;
            loop {
                // Only an event or a signal ends this wait.
                poller.wait(None).unwrap();
                while let Some(message) = sink.now().recv_msg().unwrap() {
                    if message == "end" {
                        return own;
                    }
                    own += 1;
                    count.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        for _ in 0..SENDERS {
            scope.spawn(|| {
                let source = context.socket(Scatter).unwrap();
                source.connect("inproc://sink").unwrap();
                for number in 0..EACH {
                    source.send("x").unwrap();
                    if number % 100 == 0 {
                        thread::sleep(Duration::from_micros(200));
                    }
                }
            });
        }
        while count.load(Ordering::SeqCst) < SENDERS * EACH {
            if sink.within(MOMENT).recv_msg().unwrap().is_some() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        }
        let last = context.socket(Scatter).unwrap();
        last.connect("inproc://sink").unwrap();
        last.send("end").unwrap();
        polling.join().unwrap();
    });
    assert_eq!(count.load(Ordering::SeqCst), SENDERS * EACH);
}

#[deadline::test(patches = [13])]
fn poller_reports_room_at_the_high_water_mark() {
    const MESSAGES: usize = 3000;
    let context = Context::new().unwrap();
    let (source, sink) = (context.socket(Scatter).unwrap(), context.socket(Gather).unwrap());
    source.set_sndhwm(2).unwrap();
    sink.set_rcvhwm(2).unwrap();
    sink.bind("inproc://sink").unwrap();
    source.connect("inproc://sink").unwrap();
    thread::scope(|scope| {
        scope.spawn(|| (0..MESSAGES).for_each(|_| drop(sink.recv_msg().unwrap())));
        let mut poller = Poller::new().unwrap();
        poller.add(&source, 1, PollEvents::POLLOUT).unwrap();
        let mut sent = 0;
        while sent < MESSAGES {
            poller.wait(None).unwrap();
            while sent < MESSAGES && source.now().send("x").unwrap().is_sent() {
                sent += 1;
            }
        }
    });
}

#[deadline::test(patches = [13, 28])]
fn poller_reports_a_connection_that_another_thread_makes() {
    let context = Context::new().unwrap();
    let (source, sink) = (context.socket(Scatter).unwrap(), context.socket(Gather).unwrap());
    sink.bind("inproc://sink").unwrap();
    thread::scope(|scope| {
        let polling = scope.spawn(|| {
            let mut poller = Poller::new().unwrap();
            poller.add(&source, 1, PollEvents::POLLOUT).unwrap();
            poller.wait(None).unwrap().len()
        });
        thread::sleep(Duration::from_millis(50));
        source.connect("inproc://sink").unwrap();
        eventually("the wait ends", || polling.is_finished());
        assert_eq!(polling.join().unwrap(), 1);
    });
}

#[deadline::test(patches = [13])]
fn reactor_serves_kinds_that_libzmq_locks() {
    let context = Context::new().unwrap();
    let (server, client) = (context.socket(Server).unwrap(), context.socket(Client).unwrap());
    server.bind("inproc://server").unwrap();
    client.connect("inproc://server").unwrap();
    let (left, right) = (context.socket(Channel).unwrap(), context.socket(Channel).unwrap());
    left.bind("inproc://channel").unwrap();
    right.connect("inproc://channel").unwrap();
    let mut reactor = Reactor::new().unwrap();
    reactor.add(&server, PollEvents::POLLIN, |_, _| Ok(server.send(server.recv_msg()?)?)).unwrap();
    reactor
        .add(&client, PollEvents::POLLIN, |_, _| {
            assert_eq!(client.recv_msg()?, "Hello");
            Ok(left.send("done")?)
        })
        .unwrap();
    reactor
        .add(&right, PollEvents::POLLIN, |reactor, _| {
            assert_eq!(right.recv_msg()?, "done");
            reactor.stop();
            Ok(())
        })
        .unwrap();
    for _ in 0..100 {
        client.send("Hello").unwrap();
        assert_eq!(reactor.run().unwrap(), Ended::Stopped);
    }
}
