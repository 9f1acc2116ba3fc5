//! A PULL has no `send`, in none of its forms.

use zmq::{Context, Pull};

fn main() {
    let context = Context::new().unwrap();
    let socket = context.socket(Pull).unwrap();
    socket.try_send("job").unwrap();
    socket.send_multipart(["a", "job"]).unwrap();
}
