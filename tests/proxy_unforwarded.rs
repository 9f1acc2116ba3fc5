//! A message that a proxy has received and cannot send when it ends is handed to its caller.

mod common;

use std::thread;

use common::{DEADLINE, eventually};
use zmq::{
    Context, Dealer, Errno, Pair, Proxy, ProxyHandle, Pull, Push, Req, Router, Socket, SocketSpec, Unforwarded, proxy,
    proxy_steerable,
};

/// A PULL that a PUSH is connected to, and a PUSH whose peer has room for two messages and reads none.
struct Streamer<'ctx> {
    source: Socket<'ctx, Push>,
    frontend: Socket<'ctx, Pull>,
    backend: Socket<'ctx, Push>,
    sink: Socket<'ctx, Pull>,
}

impl<'ctx> Streamer<'ctx> {
    fn new(context: &'ctx Context) -> Streamer<'ctx> {
        let (frontend, source) = (context.socket(Pull).unwrap(), context.socket(Push).unwrap());
        frontend.bind("inproc://frontend").unwrap();
        source.connect("inproc://frontend").unwrap();
        let (backend, sink) = (context.socket(Push).unwrap(), context.socket(Pull).unwrap());
        backend.set_sndhwm(1).unwrap();
        sink.set_rcvhwm(1).unwrap();
        sink.bind("inproc://sink").unwrap();
        backend.connect("inproc://sink").unwrap();
        Streamer { source, frontend, backend, sink }
    }

    /// Sends three messages of three parts: the third finds no room.
    fn send_three(&self) {
        for name in ["one", "two", "three"] {
            self.source.send_multipart([name, "body", "tail"]).unwrap();
        }
    }

    /// The receiver has the first two messages, and `unforwarded` the third.
    fn check(&self, unforwarded: Unforwarded) {
        assert_eq!(unforwarded.to_frontend, None);
        assert_eq!(unforwarded.to_backend.unwrap(), ["three", "body", "tail"]);
        assert!(self.frontend.try_recv().unwrap().is_none());
        for name in ["one", "two"] {
            assert_eq!(self.sink.try_recv_multipart().unwrap().unwrap(), [name, "body", "tail"]);
        }
        assert!(self.sink.try_recv().unwrap().is_none());
    }
}

/// Waits until two messages are forwarded and the third has been taken.
fn wait_until_it_holds_the_third(handle: &ProxyHandle) {
    eventually("two were sent", || handle.statistics().unwrap().backend.sent.messages == 2);
    // Each command is taken between two messages: after this one the third has been tried.
    handle.statistics().unwrap();
}

#[deadline::test]
fn proxy_handle_hands_over_a_message_when_it_is_terminated() {
    let context = Context::new().unwrap();
    let streamer = Streamer::new(&context);
    // The sockets serve the next proxy as before.
    for _ in 0..3 {
        streamer.send_three();
        let handle = ProxyHandle::new().unwrap();
        let commands = handle.clone();
        let ending = thread::spawn(move || {
            wait_until_it_holds_the_third(&commands);
            commands.terminate().unwrap();
        });
        let unforwarded = handle.run(&streamer.frontend, &streamer.backend, None).unwrap();
        ending.join().unwrap();
        streamer.check(unforwarded);
    }
}

#[deadline::test]
fn proxy_handle_hands_over_a_message_when_it_is_terminated_while_paused() {
    let context = Context::new().unwrap();
    let streamer = Streamer::new(&context);
    streamer.send_three();
    let handle = ProxyHandle::new().unwrap();
    let commands = handle.clone();
    let ending = thread::spawn(move || {
        wait_until_it_holds_the_third(&commands);
        commands.pause().unwrap();
        commands.terminate().unwrap();
    });
    let unforwarded = handle.run(&streamer.frontend, &streamer.backend, None).unwrap();
    ending.join().unwrap();
    streamer.check(unforwarded);
}

#[deadline::test]
fn proxy_steerable_hands_over_a_message_when_it_is_terminated() {
    let context = Context::new().unwrap();
    let streamer = Streamer::new(&context);
    streamer.send_three();
    let control = context.socket(Pair).unwrap();
    control.bind("inproc://control").unwrap();
    let theirs = context.clone();
    let ending = thread::spawn(move || {
        let commander = theirs.socket(Pair).unwrap();
        commander.connect("inproc://control").unwrap();
        eventually("two were sent", || {
            commander.send("STATISTICS").unwrap();
            let parts_sent_by_backend = &commander.recv_multipart().unwrap()[6];
            **parts_sent_by_backend == 6_u64.to_ne_bytes()
        });
        commander.send("TERMINATE").unwrap();
        commander.recv().unwrap();
    });
    let unforwarded = proxy_steerable(&streamer.frontend, &streamer.backend, None, &control).unwrap();
    ending.join().unwrap();
    streamer.check(unforwarded);
}

#[deadline::test]
fn proxy_hands_over_a_message_when_its_context_is_shut_down() {
    let context = Context::new().unwrap();
    let streamer = Streamer::new(&context);
    streamer.send_three();
    let handle = ProxyHandle::new().unwrap();
    let (commands, theirs) = (handle.clone(), context.clone());
    let ending = thread::spawn(move || {
        wait_until_it_holds_the_third(&commands);
        theirs.shutdown().unwrap();
    });
    let failed = handle.run(&streamer.frontend, &streamer.backend, None).unwrap_err();
    ending.join().unwrap();
    assert_eq!(failed.unforwarded().to_backend.as_ref().unwrap().len(), 3);
    let (error, unforwarded) = failed.into_parts();
    assert_eq!((error.errno(), error.call()), (Errno::ETERM, "zmq_proxy_steerable"));
    assert_eq!(unforwarded.to_backend.unwrap(), ["three", "body", "tail"]);
    assert_eq!(unforwarded.to_frontend, None);
}

#[deadline::test]
fn proxy_in_a_thread_hands_over_a_message_when_it_is_terminated() {
    let context = Context::new().unwrap();
    let sink = context.socket(Pull).unwrap();
    sink.set_rcvhwm(1).unwrap();
    sink.bind("inproc://sink").unwrap();
    let frontend = SocketSpec::new(Pull).bind("inproc://frontend");
    let backend = SocketSpec::new(Push).with(|socket| socket.set_sndhwm(1)).connect("inproc://sink");
    let streamer = Proxy::builder(frontend, backend).start(&context).unwrap();
    let source = context.socket(Push).unwrap();
    source.connect("inproc://frontend").unwrap();
    for name in ["one", "two", "three"] {
        source.send(name).unwrap();
    }
    wait_until_it_holds_the_third(&streamer.handle());
    assert_eq!(streamer.terminate().unwrap().to_backend.unwrap(), ["three"]);
}

#[deadline::test]
fn proxy_hands_over_a_message_to_the_frontend() {
    let context = Context::new().unwrap();
    let (frontend, backend) = (context.socket(Router).unwrap(), context.socket(Dealer).unwrap());
    frontend.set_router_mandatory(true).unwrap();
    frontend.bind("inproc://frontend").unwrap();
    backend.bind("inproc://backend").unwrap();
    let server = context.socket(Dealer).unwrap();
    server.connect("inproc://backend").unwrap();
    server.send_multipart(["nobody", "", "reply"]).unwrap();
    let (error, unforwarded) = proxy(&frontend, &backend, None).unwrap_err().into_parts();
    assert_eq!((error.errno(), error.call()), (Errno::EHOSTUNREACH, "zmq_proxy"));
    assert_eq!(unforwarded.to_frontend.unwrap(), ["nobody", "", "reply"]);
    assert_eq!(unforwarded.to_backend, None);
    // The sockets serve the next proxy.
    let client = context.owned_socket(Req).unwrap();
    client.connect("inproc://frontend").unwrap();
    let handle = ProxyHandle::new().unwrap();
    let commands = handle.clone();
    let asking = thread::spawn(move || {
        client.send("request").unwrap();
        let reply = client.recv_timeout(DEADLINE).unwrap();
        commands.terminate().unwrap();
        reply
    });
    thread::scope(|scope| {
        scope.spawn(move || {
            let request = server.recv_multipart_timeout(DEADLINE).unwrap().unwrap();
            server.send_multipart(request).unwrap();
        });
        assert!(handle.run(&frontend, &backend, None).unwrap().is_empty());
    });
    assert_eq!(asking.join().unwrap().unwrap(), "request");
}

#[deadline::test]
fn proxy_error_drops_the_messages_when_it_becomes_an_error() {
    fn forward(context: &Context) -> zmq::Result<()> {
        let (frontend, backend) = (context.socket(Pull)?, context.socket(Push)?);
        Ok(proxy(&frontend, &backend, None)?)
    }
    let context = Context::new().unwrap();
    context.shutdown().unwrap();
    let error = forward(&context).unwrap_err();
    assert_eq!(error.errno(), Errno::ETERM);
    let context = Context::new().unwrap();
    let (frontend, backend) = (context.socket(Pull).unwrap(), context.socket(Push).unwrap());
    context.shutdown().unwrap();
    let failed = proxy(&frontend, &backend, None).unwrap_err();
    assert!(failed.unforwarded().is_empty());
    assert_eq!(failed.to_string(), failed.error().to_string());
    assert_eq!(std::io::Error::from(failed).kind(), std::io::ErrorKind::BrokenPipe);
}

#[cfg(all(feature = "draft", zmq_patches = "safety"))]
#[deadline::test]
fn proxy_hands_over_a_message_of_kinds_that_libzmq_locks() {
    use std::time::Duration;

    use zmq::{Gather, Scatter, Server};

    let context = Context::new().unwrap();
    let (frontend, source) = (context.socket(Gather).unwrap(), context.socket(Scatter).unwrap());
    frontend.bind("inproc://frontend").unwrap();
    source.connect("inproc://frontend").unwrap();
    // It has no routing id.
    source.send("nobody").unwrap();
    let backend = context.socket(Server).unwrap();
    let (error, unforwarded) = proxy(&frontend, &backend, None).unwrap_err().into_parts();
    assert_eq!(error.errno(), Errno::EHOSTUNREACH);
    assert_eq!(unforwarded.to_backend.unwrap(), ["nobody"]);
    assert!(frontend.recv_timeout(Duration::ZERO).unwrap().is_none());
}
