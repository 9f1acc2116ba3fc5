//! A reference for poll lists stays in its thread, even if any thread may use its socket.

use std::thread::{Scope, scope};
use zmq::{Client, Context};

/// `Scope::spawn`, whose place in the standard library must not be part of the recorded output.
fn spawn<'scope>(scope: &'scope Scope<'scope, '_>, task: impl FnOnce() + Send + 'scope) {
    scope.spawn(task);
}

fn main() {
    let context = Context::new().unwrap();
    let socket = context.socket(Client).unwrap();
    let reference = socket.as_ref();
    scope(|scope| spawn(scope, move || println!("{}", reference.kind())));
}
