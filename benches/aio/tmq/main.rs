//! tmq, over the libzmq of this library.

#[path = "../shared.rs"]
mod shared;

use futures::stream::BoxStream;
use futures::{SinkExt, StreamExt};
use shared::{DEALERS, Kind, Sockets, Work};
use tmq::request_reply::{RequestReceiver, RequestSender};
use tmq::{Context, Message, Multipart};

struct Tmq(Context);

enum Socket {
    Push(tmq::push::Push),
    /// It takes as many messages at once as are there, up to a number.
    Pull(BoxStream<'static, tmq::Result<Multipart>>),
    Dealer(tmq::dealer::Dealer),
    Router(tmq::router::Router),
    Sender(RequestSender),
    Receiver(RequestReceiver),
    /// While a call has the socket.
    Taken,
}

impl Sockets for Tmq {
    type Socket = Socket;

    async fn open(&self, kind: Kind, endpoint: &str) -> Socket {
        let Tmq(context) = self;
        match kind {
            Kind::Push => Socket::Push(tmq::push(context).connect(endpoint).expect("a socket")),
            Kind::Pull => Socket::Pull(tmq::pull(context).bind(endpoint).expect("a socket").buffered(1000).boxed()),
            Kind::Req => Socket::Sender(tmq::request(context).connect(endpoint).expect("a socket")),
            Kind::Rep => Socket::Receiver(tmq::reply(context).bind(endpoint).expect("a socket")),
            Kind::Dealer => Socket::Dealer(tmq::dealer(context).connect(endpoint).expect("a socket")),
            Kind::Router => {
                let router = tmq::router(context).set_backlog(2 * DEALERS as i32);
                Socket::Router(router.bind(endpoint).expect("a socket"))
            }
        }
    }

    async fn send(socket: &mut Socket, content: &[u8]) {
        let message = Multipart::from(Message::from(content));
        match socket {
            Socket::Push(push) => push.send(message).await.expect("sent"),
            Socket::Dealer(dealer) => dealer.send(message).await.expect("sent"),
            Socket::Sender(_) => send_back(socket, message).await,
            _ => unreachable!(),
        }
    }

    async fn recv(socket: &mut Socket) -> usize {
        let mut message = match socket {
            Socket::Pull(pull) => pull.next().await.expect("endless").expect("received"),
            Socket::Dealer(dealer) => dealer.next().await.expect("endless").expect("received"),
            Socket::Receiver(_) => recv_other(socket).await,
            _ => unreachable!(),
        };
        message.pop_back().expect("a part").len()
    }

    async fn echo(socket: &mut Socket) {
        if let Socket::Router(router) = socket {
            let message = router.next().await.expect("endless").expect("received");
            router.send(message).await.expect("sent");
        } else {
            let message = recv_other(socket).await;
            send_back(socket, message).await;
        }
    }
}

/// Sends by a REQ or a REP, which becomes a receiver.
async fn send_back(socket: &mut Socket, message: Multipart) {
    let Socket::Sender(sender) = std::mem::replace(socket, Socket::Taken) else { unreachable!() };
    *socket = Socket::Receiver(sender.send(message).await.expect("sent"));
}

/// Receives by a REQ or a REP, which becomes a sender.
async fn recv_other(socket: &mut Socket) -> Multipart {
    let Socket::Receiver(receiver) = std::mem::replace(socket, Socket::Taken) else { unreachable!() };
    let (message, sender) = receiver.recv().await.expect("received");
    *socket = Socket::Sender(sender);
    message
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    Work::new(&arguments).run(Tmq(Context::new()), |_| panic!("tmq needs Tokio"));
}
