//! ws_encoder.cpp: WebSockets.

use std::sync::Arc;

use zmq::{Message, Pull, Push};

use crate::common::{self, next, skip_unless};

/// The client masked frames in place, and the memory of an `Arc` changed under its other holders.
#[deadline::test(patches = [35])]
fn ws_client_leaves_memory_that_it_was_given_unchanged() {
    if skip_unless(zmq::has("WS"), "this libzmq has no WebSockets") {
        return;
    }
    let context = common::context();
    let pull = context.socket(Pull).unwrap();
    let push = context.socket(Push).unwrap();
    push.connect(&pull.bind("ws://127.0.0.1:*/path").unwrap()).unwrap();
    for size in [34, 1000, 100_000] {
        let shared: Arc<[u8]> = vec![1; size].into();
        push.send(shared.clone()).unwrap();
        assert_eq!(next(&pull), [vec![1; size]]);
        assert!(shared.iter().all(|&byte| byte == 1), "an Arc of {size} bytes has changed");
        // Content that libzmq allocated is masked in place.
        push.send(Message::from(&*shared)).unwrap();
        assert_eq!(next(&pull), [vec![1; size]]);
    }
}
