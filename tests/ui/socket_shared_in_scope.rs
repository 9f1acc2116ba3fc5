//! Two threads cannot use one socket at once by reference.

use std::thread::{Scope, scope};
use zmq::{Context, Push};

/// `Scope::spawn`, whose place in the standard library must not be part of the recorded output.
fn spawn<'scope>(scope: &'scope Scope<'scope, '_>, task: impl FnOnce() + Send + 'scope) {
    scope.spawn(task);
}

fn main() {
    let context = Context::new().unwrap();
    let socket = context.socket(Push).unwrap();
    scope(|scope| {
        spawn(scope, || socket.send("from there").unwrap());
        socket.send("from here").unwrap();
    });
}
