//! A PULL has no `send`, in none of its forms.

use zmq::{Context, Pull};

fn main() {
    let context = Context::new().unwrap();
    let socket = context.socket(Pull).unwrap();
    socket.send("job").unwrap();
    socket.now().send("job").unwrap();
    socket.send_multipart(["a", "job"]).unwrap();
}
