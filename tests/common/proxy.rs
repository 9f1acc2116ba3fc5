//! The common part of the tests of proxies: a proxy that holds a message for which its sink has no room.

use zmq::{Context, ProxyHandle, Pull, Push, Socket};
use zmq_patterns::Proxy;

use super::{bound, eventually};

/// Waits until the proxy has forwarded two messages and holds the third.
pub fn wait_until_third_is_held(handle: &ProxyHandle) {
    eventually("two were sent", || handle.statistics().unwrap().to_backend.messages == 2);
    // The proxy executes a command between two messages, so after this one it has tried the third.
    handle.statistics().unwrap();
}

/// Starts a streamer in a thread. It has forwarded two of three messages of two parts to the sink, and holds the third.
pub fn streamer_that_holds_the_third(context: &Context) -> (Proxy, Socket<'_, Pull>) {
    let sink = context.socket(Pull).unwrap();
    sink.set_rcvhwm(1).unwrap();
    sink.bind("inproc://sink").unwrap();
    let backend = context.owned_socket(Push).unwrap();
    backend.set_sndhwm(1).unwrap();
    backend.connect("inproc://sink").unwrap();
    let streamer = Proxy::start(bound(context, Pull, "inproc://frontend"), backend, None).unwrap();
    let source = context.socket(Push).unwrap();
    source.connect("inproc://frontend").unwrap();
    // The proxy receives the third message only if it arrives before the second fills the sink.
    streamer.handle().pause().unwrap();
    for name in ["one", "two", "three"] {
        source.send_multipart([name, "body"]).unwrap();
    }
    streamer.handle().resume().unwrap();
    wait_until_third_is_held(streamer.handle());
    (streamer, sink)
}
