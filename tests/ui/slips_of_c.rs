//! Slips of a C programmer. Each comment names the cure, to which the compiler's message must lead.

use zmq::monitor::Events;
use zmq::{Context, Error, Message, PollEvents, PollItem, Pub, Pull, Push, Rep, Req, Router, Socket, poll, proxy};

/// `terminate(timeout)`, or dropping the context.
fn zmq_ctx_term(context: Context) {
    context.term();
}

/// `set_io_threads(4)`.
fn zmq_ctx_set(context: Context) {
    context.set(zmq::sys::ZMQ_IO_THREADS, 4);
}

/// `zmq::Context`.
fn zmq_ctx_new() {
    zmq::zmq_ctx_new();
}

/// `Rep`.
fn kind_by_its_number(context: Context) {
    context.socket(zmq::sys::ZMQ_REP);
}

/// `Rep`.
fn kind_by_its_c_name(context: Context) {
    context.socket(zmq::ZMQ_REP);
}

/// `rcvhwm()`.
fn zmq_getsockopt(socket: Socket<'_, Req>) {
    socket.getsockopt(zmq::sys::ZMQ_RCVHWM);
}

/// `set_rcvhwm(10)`.
fn zmq_setsockopt(socket: Socket<'_, Req>) {
    socket.setsockopt(zmq::sys::ZMQ_RCVHWM, 10);
}

/// `set_linger(Duration::ZERO)`.
fn linger_in_milliseconds(socket: Socket<'_, Req>) {
    socket.set_linger(0);
}

/// `set_rcvtimeo(None)`.
fn minus_one_for_a_time(socket: Socket<'_, Req>) {
    socket.set_rcvtimeo(-1);
}

/// `set_maxmsgsize(None)`: the first message proposes the second line.
fn minus_one_for_a_number(socket: Socket<'_, Req>) {
    socket.set_maxmsgsize(-1);
    socket.set_maxmsgsize(-1i64);
}

/// `poll(items, None)`.
fn poll_for_ever(items: &mut [PollItem<'_>]) {
    poll(items, -1);
}

/// `set_routing_id("A")`.
fn zmq_identity(socket: Socket<'_, Req>) {
    socket.set_identity("A");
}

/// `send_more("first")`. The compiler's other advice, to remove the argument, cannot be prevented.
fn zmq_sndmore(socket: Socket<'_, Push>) {
    socket.send("first", zmq::ZMQ_SNDMORE);
}

/// `now().recv_msg()`. The other advice cannot be prevented here either.
fn zmq_dontwait(socket: Socket<'_, Pull>) {
    socket.recv_msg(zmq::ZMQ_DONTWAIT);
}

/// A `Message`, or `recv_into(&mut buffer)`.
fn buffer_to_receive_into(socket: Socket<'_, Pull>) {
    let mut buffer = [0u8; 256];
    socket.recv(&mut buffer);
}

/// Bytes or a text, such as `5u32.to_be_bytes()`.
fn number_as_a_message(socket: Socket<'_, Push>) {
    socket.send(5u32);
}

/// `len()`.
fn zmq_msg_size(message: Message) {
    message.size();
}

/// `&message[..]`.
fn zmq_msg_data(message: Message) {
    message.data();
}

/// Nothing.
fn zmq_msg_close(message: Message) {
    message.close();
}

/// `PollEvents::POLLIN`.
fn zmq_pollin(socket: Socket<'_, Pull>) {
    PollItem::socket(&socket, zmq::ZMQ_POLLIN);
}

/// `revents().contains(PollEvents::POLLIN)`, or `is_readable()`: the first message proposes the second line.
fn bits_as_a_condition(item: PollItem<'_>) {
    if item.revents & PollEvents::POLLIN {}
    if item.revents() & PollEvents::POLLIN {}
}

/// `is_ok()`, `?` or `unwrap()`.
fn zero_is_success(socket: Socket<'_, Rep>) {
    assert!(socket.bind("tcp://*:5555") == 0);
}

/// `Errno::EAGAIN`.
fn number_of_an_error(error: Error) {
    assert!(error.errno() == zmq::EAGAIN);
}

/// `&capture`.
fn capture_in_some(frontend: Socket<'_, Router>, backend: Socket<'_, Router>, capture: Socket<'_, Pub>) {
    proxy(&frontend, &backend, Some(&capture));
}

/// `&Socket<'_, Rep>`, `SocketRef` or a type parameter.
fn serve(_: &Socket) {}
fn typed_socket_for_one_of_any_kind(socket: Socket<'_, Rep>) {
    serve(&socket);
}

/// `monitor(Events::ALL)`. The advice to remove the events, and not the endpoint, cannot be prevented.
fn endpoint_of_a_monitor(socket: Socket<'_, Rep>) {
    socket.monitor("inproc://monitor", Events::ALL);
}

/// `LazyLock`: the first message leads to the second line.
static CONTEXT: Context = Context::new();
static UNWRAPPED: Context = Context::new().unwrap();

fn main() {}
