//! What a proxy took and could not forward is seen by all that wait for its socket.

mod common;

use std::thread;
use std::time::Duration;

use common::eventually;
use zmq::{Context, PollEvents, PollItem, Poller, ProxyHandle, Pull, Push, Reactor, Socket, poll};

/// Long enough for what is ready to be seen.
const MOMENT: Duration = Duration::from_millis(50);

/// Has a proxy take a message of one part from `frontend` and put it back.
fn put_back(context: &Context, frontend: &Socket<'_, Pull>, source: &Socket<'_, Push>) {
    let (backend, sink) = (context.socket(Push).unwrap(), context.socket(Pull).unwrap());
    backend.set_sndhwm(1).unwrap();
    sink.set_rcvhwm(1).unwrap();
    sink.bind("inproc://sink").unwrap();
    backend.connect("inproc://sink").unwrap();
    // Two find room.
    for name in ["one", "two", "three"] {
        source.send(name).unwrap();
    }
    let handle = ProxyHandle::new().unwrap();
    let ends = handle.clone();
    let ending = thread::spawn(move || {
        eventually("two were sent", || ends.statistics().unwrap().backend.sent.messages == 2);
        ends.terminate().unwrap();
    });
    handle.run(frontend, &backend, None).unwrap();
    ending.join().unwrap();
}

fn ends(context: &Context) -> (Socket<'_, Pull>, Socket<'_, Push>) {
    let (frontend, source) = (context.socket(Pull).unwrap(), context.socket(Push).unwrap());
    frontend.bind("inproc://frontend").unwrap();
    source.connect("inproc://frontend").unwrap();
    (frontend, source)
}

#[deadline::test]
fn a_poll_item_sees_it_whenever_it_was_made() {
    let context = Context::new().unwrap();
    let (frontend, source) = ends(&context);
    let mut before = [PollItem::socket(&frontend, PollEvents::POLLIN)];
    for round in 0..3 {
        assert_eq!(poll(&mut before, Duration::ZERO).unwrap(), 0, "round {round}");
        put_back(&context, &frontend, &source);
        let mut meanwhile = [PollItem::socket(&frontend, PollEvents::POLLIN | PollEvents::POLLOUT)];
        assert_eq!(poll(&mut before, MOMENT).unwrap(), 1, "round {round}");
        assert!(before[0].is_readable());
        assert_eq!(poll(&mut meanwhile, MOMENT).unwrap(), 1);
        assert_eq!(meanwhile[0].revents(), PollEvents::POLLIN);
        let mut nothing = [PollItem::socket(&frontend, PollEvents::POLLOUT)];
        assert_eq!(poll(&mut nothing, Duration::ZERO).unwrap(), 0);
        assert_eq!(frontend.recv().unwrap(), "three");
        // Those who go on to wait with it would wait for ever in a receive.
        assert_eq!(poll(&mut meanwhile, Duration::ZERO).unwrap(), 0);
    }
}

#[deadline::test]
fn a_socket_in_its_place_does_not_have_it() {
    let context = Context::new().unwrap();
    for _ in 0..20 {
        let (frontend, source) = ends(&context);
        assert_eq!(poll(&mut [PollItem::socket(&frontend, PollEvents::POLLIN)], Duration::ZERO).unwrap(), 0);
        put_back(&context, &frontend, &source);
        assert_eq!(poll(&mut [PollItem::socket(&frontend, PollEvents::POLLIN)], MOMENT).unwrap(), 1);
    }
    // A handle that comes back from C has it still.
    let frontend = context.owned_socket(Pull).unwrap();
    frontend.bind("inproc://owned").unwrap();
    let source = context.socket(Push).unwrap();
    source.connect("inproc://owned").unwrap();
    put_back(&context, &frontend, &source);
    let (handle, _) = frontend.into_raw();
    // SAFETY: given up just now, of this context and kind.
    let frontend = unsafe { context.socket_from_raw(handle, Pull) }.unwrap();
    assert_eq!(poll(&mut [PollItem::socket(&frontend, PollEvents::POLLIN)], MOMENT).unwrap(), 1);
    assert_eq!(frontend.recv().unwrap(), "three");
}

#[deadline::test]
fn pollers_and_reactors_see_it() {
    let context = Context::new().unwrap();
    let (frontend, source) = ends(&context);
    let mut poller = Poller::new().unwrap();
    poller.add(&frontend, 1, PollEvents::POLLIN).unwrap();
    for _ in 0..3 {
        assert!(poller.wait(Duration::ZERO).unwrap().is_empty());
        put_back(&context, &frontend, &source);
        assert_eq!(poller.wait(MOMENT).unwrap().len(), 1);
        assert_eq!(frontend.recv().unwrap(), "three");
    }
    assert!(poller.wait(Duration::ZERO).unwrap().is_empty());
    drop(poller);

    let mut received = 0;
    let mut reactor = Reactor::new().unwrap();
    reactor.after(Duration::ZERO, |_, _| {
        put_back(&context, &frontend, &source);
        Ok(())
    });
    reactor
        .add(&frontend, PollEvents::POLLIN, |reactor, _| {
            assert_eq!(frontend.recv()?, "three");
            received += 1;
            reactor.stop();
            Ok(())
        })
        .unwrap();
    reactor.run().unwrap();
    drop(reactor);
    assert_eq!(received, 1);
}

#[cfg(all(feature = "draft", zmq_patches = "safety"))]
#[deadline::test]
fn it_is_seen_of_kinds_that_libzmq_locks() {
    use zmq::{Errno, Gather, Scatter, Server};

    let context = Context::new().unwrap();
    let (frontend, source) = (context.socket(Gather).unwrap(), context.socket(Scatter).unwrap());
    frontend.bind("inproc://frontend").unwrap();
    source.connect("inproc://frontend").unwrap();
    let mut item = [PollItem::socket(&frontend, PollEvents::POLLIN)];
    let mut poller = Poller::new().unwrap();
    poller.add(&frontend, 1, PollEvents::POLLIN).unwrap();
    for _ in 0..3 {
        assert!(poller.wait(Duration::ZERO).unwrap().is_empty());
        assert_eq!(poll(&mut item, Duration::ZERO).unwrap(), 0);
        // It has no number of a peer.
        source.send("nobody").unwrap();
        let backend = context.socket(Server).unwrap();
        assert_eq!(zmq::proxy(&frontend, &backend, None).unwrap_err().errno(), Errno::EHOSTUNREACH);
        assert_eq!(poller.wait(MOMENT).unwrap().len(), 1);
        assert_eq!(poll(&mut item, MOMENT).unwrap(), 1);
        assert_eq!(frontend.recv().unwrap(), "nobody");
    }
    assert!(poller.wait(Duration::ZERO).unwrap().is_empty());
}
