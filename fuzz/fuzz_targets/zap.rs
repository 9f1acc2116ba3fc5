//! Requests to an authenticator, by a socket of the same context.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use zmq::security::Authenticator;
use zmq::{Context, Dealer, Socket};
use zmq_fuzz::{DEADLINE, Input};

struct World {
    asker: Socket<'static, Dealer>,
    number: u64,
    _authenticator: Authenticator,
}

impl World {
    fn new() -> World {
        let context = Context::new().unwrap();
        let authenticator = Authenticator::start(&context).unwrap();
        authenticator.configure("global", |policy| policy.allow_users([("alice", "secret")])).unwrap();
        let asker = context.owned_socket(Dealer).unwrap();
        asker.connect("inproc://zeromq.zap.01").unwrap();
        World { asker, number: 0, _authenticator: authenticator }
    }
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    WORLD.with_borrow_mut(|world| {
        while !input.is_empty() {
            let mut parts = input.parts();
            if parts.is_empty() {
                break;
            }
            // Half of the requests have the empty part of a REQ.
            if input.byte() % 2 == 0 {
                parts.push_front("");
            }
            world.asker.send_multipart(parts).unwrap();
        }
        world.number += 1;
        let id = format!("request {}", world.number);
        let request = ["", "1.0", &id, "global", "127.0.0.1", "", "PLAIN", "alice", "secret"];
        world.asker.send_multipart(request).unwrap();
        loop {
            let reply = world.asker.within(DEADLINE).recv_multipart().unwrap().expect("the reply to a good request");
            if reply.get(2).is_some_and(|answered| *answered == id) {
                assert_eq!((reply[1].as_str(), reply[3].as_str()), (Some("1.0"), Some("200")));
                break;
            }
        }
    });
});
