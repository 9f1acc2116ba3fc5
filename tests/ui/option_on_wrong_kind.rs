//! An option exists on the kinds that it applies to.

use zmq::{Context, Dealer, Pub, Rep, Req};

fn main() {
    let context = Context::new().unwrap();
    context.socket(Req).unwrap().set_router_mandatory(true).unwrap();
    context.socket(Pub).unwrap().subscribe("news").unwrap();
    context.socket(Dealer).unwrap().set_req_relaxed(true).unwrap();
    context.socket(Rep).unwrap().connect_with_routing_id("alice", "inproc://peer").unwrap();
}
