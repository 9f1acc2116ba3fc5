//! norm_engine.cpp: sessions of norm://, and senders to them.

use std::net::Ipv4Addr;

use socket2::Type;
use zmq::Sub;

use crate::common::{DEADLINE, HeldPort, Process, c_program, context, skip_unless};
use crate::context_ends_if_the_port_is_taken;

/// libzmq asserts that a sender sends only streams.
#[deadline::test(patches = [80])]
fn norm_receiver_takes_streams_only() {
    if skip_unless(zmq::has("norm"), "this libzmq has no NORM") {
        return;
    }
    let program = c_program("norm_peer.c");
    let context = context();
    let port = HeldPort::new(Type::DGRAM, Ipv4Addr::LOCALHOST).address().port();
    let sub = context.socket(Sub).unwrap();
    sub.subscribe("").unwrap();
    sub.connect(&format!("norm://127.0.0.1:{port}")).unwrap();
    let _peer = Process::start(&program, &[&port.to_string(), "7"]);
    assert_eq!(sub.within(DEADLINE).recv_msg().unwrap().expect("a message"), "Hello");
}

/// libzmq asserts that NORM can open its sockets.
#[deadline::test(patches = [79])]
fn norm_session_ends_when_the_system_refuses_its_socket() {
    if skip_unless(zmq::has("norm"), "this libzmq has no NORM") {
        return;
    }
    context_ends_if_the_port_is_taken(|port| format!("norm://127.0.0.1:{port}"));
}
