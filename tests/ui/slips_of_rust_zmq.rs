//! Slips of a programmer who knows rust-zmq 0.10. Each comment names the cure, to which the compiler's message must lead.

use zmq::{Context, Error, PollEvents, PollItem, Pub, Req, Result, Router, Socket, Sub};

/// `?` or `unwrap()`.
fn context_without_result() {
    Context::new().socket(Req);
}

/// `Sub`.
fn kind_in_capitals(context: Context) {
    context.socket(zmq::SUB);
}

/// `terminate(timeout)`.
fn destroy(context: Context) {
    context.destroy();
}

/// `send("text")`.
fn send_with_flags(socket: Socket<'_, Req>) {
    socket.send("text", 0);
}

/// `send_more("first")`. The compiler's other advice, to remove the argument, cannot be prevented.
fn sndmore(socket: Socket<'_, Req>) {
    socket.send("first", zmq::SNDMORE);
}

/// `now().recv_msg()`. The other advice cannot be prevented here either.
fn dontwait(socket: Socket<'_, Req>) {
    socket.recv_msg(zmq::DONTWAIT);
}

/// `send("text")`.
fn send_str(socket: Socket<'_, Req>) {
    socket.send_str("text", 0);
}

/// `recv_msg()`.
fn recv_bytes(socket: Socket<'_, Req>) {
    socket.recv_bytes(0);
}

/// `recv_string()`, with one `unwrap()`.
fn recv_string(socket: Socket<'_, Req>) {
    socket.recv_string(0).unwrap().unwrap();
}

/// `send_multipart(["key", "value"])`, `recv_multipart()`.
fn multipart_with_flags(socket: Socket<'_, Req>) {
    socket.send_multipart(["key", "value"], 0);
    socket.recv_multipart(0);
}

/// `Err(error) if error == Error::EAGAIN`.
fn error_as_a_pattern(socket: Socket<'_, Req>) {
    match socket.recv_msg() {
        Err(Error::EAGAIN) => {}
        _ => {}
    }
}

/// `errno()`.
fn to_raw(error: Error) {
    error.to_raw();
}

/// `Ok(socket.send("text")?)`.
fn send_as_the_result(socket: Socket<'_, Req>) -> Result<()> {
    socket.send("text")
}

/// `Duration::from_secs(1)`.
fn time_in_milliseconds(socket: Socket<'_, Req>) {
    socket.set_heartbeat_ivl(1000);
}

/// `within(time)`, or `zmq::poll`.
fn poll_one_socket(socket: Socket<'_, Req>) {
    socket.poll(PollEvents::POLLIN, 10);
}

/// `PollItem::socket(&socket, PollEvents::POLLIN | PollEvents::POLLOUT | PollEvents::POLLERR)`.
fn as_poll_item(socket: Socket<'_, Req>) {
    socket.as_poll_item(zmq::POLLIN | zmq::POLLOUT | zmq::POLLERR);
}

/// `Duration::from_millis(10)`; `revents()`.
fn poll(items: &mut [PollItem<'_>]) {
    zmq::poll(items, 10);
    items[0].get_revents();
}

/// `rcvmore()`, `linger()`, `routing_id()`, `kind()`, `last_endpoint()`, `io_threads()`.
fn getters(context: Context, socket: Socket<'_, Req>) {
    socket.get_rcvmore();
    socket.get_linger();
    socket.get_identity();
    socket.get_socket_type();
    socket.get_last_endpoint();
    context.get_io_threads();
}

/// `subscribe("news")`.
fn set_subscribe(socket: Socket<'_, Sub>) {
    socket.set_subscribe(b"news");
}

/// `proxy(&frontend, &backend, None)`; `proxy` with `&capture`.
fn proxies(frontend: Socket<'_, Router>, backend: Socket<'_, Router>, capture: Socket<'_, Pub>) {
    zmq::proxy(&frontend, &backend);
    zmq::proxy_with_capture(&frontend, &backend, &capture);
}

/// `curve_keypair()`.
fn curve_key_pair() {
    zmq::CurveKeyPair::new();
}

/// A `bool`.
fn has() {
    zmq::has("curve").unwrap();
}

/// `Socket<'_, Req>`.
fn open(context: &Context) -> Socket<'_> {
    context.socket(Req).unwrap()
}

fn main() {}
