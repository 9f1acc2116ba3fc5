//! A socket whose kind is known only at run time is for one thread at a time, also if its kind is thread-safe.

use std::thread::{Scope, scope};
use zmq::{Context, Kind};

/// `Scope::spawn`, whose place in the standard library must not be part of the recorded output.
fn spawn<'scope>(scope: &'scope Scope<'scope, '_>, task: impl FnOnce() + Send + 'scope) {
    scope.spawn(task);
}

fn main() {
    let context = Context::new().unwrap();
    let socket = context.socket(Kind::Client).unwrap();
    scope(|scope| {
        spawn(scope, || drop(socket.now().recv_msg()));
        drop(socket.now().recv_msg());
    });
}
