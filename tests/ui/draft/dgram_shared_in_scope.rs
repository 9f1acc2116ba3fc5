//! A DGRAM is the one draft kind that libzmq does not lock.

use std::thread::{Scope, scope};
use zmq::{Context, Dgram};

/// `Scope::spawn`, whose place in the standard library must not be part of the recorded output.
fn spawn<'scope>(scope: &'scope Scope<'scope, '_>, task: impl FnOnce() + Send + 'scope) {
    scope.spawn(task);
}

fn main() {
    let context = Context::new().unwrap();
    let socket = context.socket(Dgram).unwrap();
    scope(|scope| {
        spawn(scope, || drop(socket.now().recv_msg()));
        drop(socket.now().recv_msg());
    });
}
