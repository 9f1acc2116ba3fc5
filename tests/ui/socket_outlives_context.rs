//! A socket cannot outlive the context that it borrows.

use zmq::{Context, Rep, Socket};

fn server() -> Socket<'static, Rep> {
    let context = Context::new().unwrap();
    context.socket(Rep).unwrap()
}

fn main() {
    server().bind("inproc://server").unwrap();
}
