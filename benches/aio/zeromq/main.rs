//! zeromq, which is in pure Rust. It has no inproc.

#[path = "../shared.rs"]
mod shared;

use bytes::Bytes;
use shared::{Kind, Sockets, Work};
use zeromq::{SocketRecv, SocketSend, ZmqMessage};

struct ZeroMq;

enum Socket {
    Push(zeromq::PushSocket),
    Pull(zeromq::PullSocket),
    Req(zeromq::ReqSocket),
    Rep(zeromq::RepSocket),
    Dealer(zeromq::DealerSocket),
    Router(zeromq::RouterSocket),
}

async fn opened<S: zeromq::Socket>(kind: Kind, endpoint: &str) -> S {
    let mut socket = S::new();
    if kind.binds() {
        socket.bind(endpoint).await.expect("an endpoint");
    } else {
        socket.connect(endpoint).await.expect("an endpoint");
    }
    socket
}

impl Sockets for ZeroMq {
    type Socket = Socket;

    async fn open(&self, kind: Kind, endpoint: &str) -> Socket {
        match kind {
            Kind::Push => Socket::Push(opened(kind, endpoint).await),
            Kind::Pull => Socket::Pull(opened(kind, endpoint).await),
            Kind::Req => Socket::Req(opened(kind, endpoint).await),
            Kind::Rep => Socket::Rep(opened(kind, endpoint).await),
            Kind::Dealer => Socket::Dealer(opened(kind, endpoint).await),
            Kind::Router => Socket::Router(opened(kind, endpoint).await),
        }
    }

    async fn send(socket: &mut Socket, content: &[u8]) {
        let message = ZmqMessage::from(Bytes::copy_from_slice(content));
        match socket {
            Socket::Push(push) => push.send(message).await.expect("sent"),
            Socket::Dealer(dealer) => dealer.send(message).await.expect("sent"),
            Socket::Req(req) => req.send(message).await.expect("sent"),
            _ => unreachable!(),
        }
    }

    async fn recv(socket: &mut Socket) -> usize {
        let message = match socket {
            Socket::Pull(pull) => pull.recv().await.expect("received"),
            Socket::Dealer(dealer) => dealer.recv().await.expect("received"),
            Socket::Req(req) => req.recv().await.expect("received"),
            _ => unreachable!(),
        };
        message.get(message.len() - 1).expect("a part").len()
    }

    async fn echo(socket: &mut Socket) {
        match socket {
            Socket::Rep(rep) => {
                let message = rep.recv().await.expect("received");
                rep.send(message).await.expect("sent");
            }
            Socket::Router(router) => {
                let message = router.recv().await.expect("received");
                router.send(message).await.expect("sent");
            }
            _ => unreachable!(),
        }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    Work::new(&arguments).run(ZeroMq, |_| panic!("zeromq needs Tokio here"));
}
