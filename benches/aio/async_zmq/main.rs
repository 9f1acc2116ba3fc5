//! async_zmq, over the libzmq of this library. It has a reactor of its own, in a thread, and runs in any runtime.

#[path = "../shared.rs"]
mod shared;

use async_zmq::{Context, Message, MultipartIter, SinkExt, StreamExt};
use shared::{DEALERS, Kind, Sockets, Work};

type Parts = std::vec::IntoIter<Message>;

struct AsyncZmq(Context);

enum Socket {
    Push(async_zmq::Push<Parts, Message>),
    Pull(async_zmq::Pull),
    /// Also a REQ and a REP: the futures of `Request` and `Reply` cannot be tasks of Tokio, and the calls below are the same.
    Dealer(async_zmq::Dealer<Parts, Message>),
    Router(async_zmq::Router<Parts, Message>),
}

impl Sockets for AsyncZmq {
    type Socket = Socket;

    async fn open(&self, kind: Kind, endpoint: &str) -> Socket {
        let AsyncZmq(context) = self;
        // The builders do not set options before they bind.
        let raw = |kind| {
            let socket = context.socket(kind).expect("a socket");
            socket.set_backlog(2 * DEALERS as i32).expect("an option");
            socket
        };
        let connected = |kind| {
            let socket = raw(kind);
            socket.connect(endpoint).expect("an endpoint");
            socket
        };
        let bound = |kind| {
            let socket = raw(kind);
            socket.bind(endpoint).expect("an endpoint");
            socket
        };
        match kind {
            Kind::Push => Socket::Push(connected(async_zmq::zmq::PUSH).into()),
            Kind::Pull => Socket::Pull(bound(async_zmq::zmq::PULL).into()),
            Kind::Req => Socket::Dealer(connected(async_zmq::zmq::REQ).into()),
            Kind::Rep => Socket::Dealer(bound(async_zmq::zmq::REP).into()),
            Kind::Dealer => Socket::Dealer(connected(async_zmq::zmq::DEALER).into()),
            Kind::Router => Socket::Router(bound(async_zmq::zmq::ROUTER).into()),
        }
    }

    async fn send(socket: &mut Socket, content: &[u8]) {
        let message = MultipartIter::from(Message::from(content));
        match socket {
            Socket::Push(push) => push.send(message).await.expect("sent"),
            Socket::Dealer(dealer) => dealer.send(message).await.expect("sent"),
            _ => unreachable!(),
        }
    }

    async fn recv(socket: &mut Socket) -> usize {
        let message = match socket {
            Socket::Pull(pull) => pull.next().await.expect("endless").expect("received"),
            Socket::Dealer(dealer) => dealer.next().await.expect("endless").expect("received"),
            _ => unreachable!(),
        };
        message.last().expect("a part").len()
    }

    async fn echo(socket: &mut Socket) {
        match socket {
            Socket::Dealer(rep) => {
                let message = rep.next().await.expect("endless").expect("received");
                rep.send(message.into()).await.expect("sent");
            }
            Socket::Router(router) => {
                let message = router.next().await.expect("endless").expect("received");
                router.send(message.into()).await.expect("sent");
            }
            _ => unreachable!(),
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    Work::new(&arguments).run(AsyncZmq(Context::new()), |_| panic!("Tokio runs it"));
}
