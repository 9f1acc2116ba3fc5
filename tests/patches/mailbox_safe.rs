//! mailbox_safe.cpp, socket_base.cpp, server.cpp: sockets that several threads use.

use std::thread;
use std::time::Duration;

use zmq::{Channel, Client, Context, Errno, Gather, Message, Scatter, Server};

/// Each thread holds the lock of its own socket and waits for that of the other.
#[deadline::test(patches = [13])]
fn threads_do_not_deadlock_when_their_sockets_send_each_other_commands() {
    // Each socket has its own thread, and each message makes libzmq send the other socket a command.
    let context = Context::new().unwrap();
    let [left, right] = [(); 2].map(|()| context.socket(Channel).unwrap());
    left.bind("inproc://both").unwrap();
    right.connect("inproc://both").unwrap();
    thread::scope(|scope| {
        for socket in [&left, &right] {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    socket.send("x").unwrap();
                    socket.recv_msg().unwrap();
                }
            });
        }
    });
}

/// The thread that waits in the send is not notified of the new connection.
#[deadline::test(patches = [13, 28])]
fn send_waits_for_a_connection_that_another_thread_makes() {
    let context = Context::new().unwrap();
    for transport in ["inproc://sink", "tcp://127.0.0.1:*"] {
        let (source, sink) = (context.socket(Scatter).unwrap(), context.socket(Gather).unwrap());
        let endpoint = sink.bind(transport).unwrap();
        thread::scope(|scope| {
            let sending = scope.spawn(|| source.send("Hello"));
            thread::sleep(Duration::from_millis(50));
            source.connect(&endpoint).unwrap();
            sending.join().unwrap().unwrap();
        });
        assert_eq!(sink.recv_msg().unwrap(), "Hello");
    }
}

/// SERVER answers EAGAIN for a full peer that has left. A send then waits for ever.
#[deadline::test(patches = [13, 14])]
fn peer_is_unreachable_when_it_is_full_and_gone() {
    let context = Context::new().unwrap();
    let server = context.socket(Server).unwrap();
    server.set_sndhwm(1).unwrap();
    server.bind("inproc://full").unwrap();
    let client = context.socket(Client).unwrap();
    client.set_rcvhwm(1).unwrap();
    client.connect("inproc://full").unwrap();
    client.send("one").unwrap();
    let from = server.recv_msg().unwrap().routing_id().unwrap();
    // SERVER reads neither this message nor the end of the pipe behind it.
    client.send("two").unwrap();
    let mut message = Message::from("x");
    message.set_routing_id(from).unwrap();
    while server.now().send(&message).unwrap().is_sent() {}
    thread::scope(|scope| {
        let waits = scope.spawn(|| server.send(&message).unwrap_err().error().errno());
        thread::sleep(Duration::from_millis(20));
        drop(client);
        assert_eq!(waits.join().unwrap(), Errno::EHOSTUNREACH);
    });
}
