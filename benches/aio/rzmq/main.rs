//! rzmq, which is in pure Rust.

#[path = "../shared.rs"]
mod shared;

use rzmq::{Context, Msg, Socket, SocketType};
use shared::{Kind, Sockets, Work};

struct Rzmq(Context);

impl Sockets for Rzmq {
    type Socket = Socket;

    async fn open(&self, kind: Kind, endpoint: &str) -> Socket {
        let Rzmq(context) = self;
        let of = match kind {
            Kind::Push => SocketType::Push,
            Kind::Pull => SocketType::Pull,
            Kind::Req => SocketType::Req,
            Kind::Rep => SocketType::Rep,
            Kind::Dealer => SocketType::Dealer,
            Kind::Router => SocketType::Router,
        };
        let socket = context.socket(of).expect("a socket");
        if kind.binds() {
            socket.bind(endpoint).await.expect("an endpoint");
        } else {
            socket.connect(endpoint).await.expect("an endpoint");
        }
        socket
    }

    async fn send(socket: &mut Socket, content: &[u8]) {
        socket.send(Msg::from_vec(content.to_vec())).await.expect("sent");
    }

    async fn recv(socket: &mut Socket) -> usize {
        socket.recv().await.expect("received").size()
    }

    async fn echo(socket: &mut Socket) {
        let message = socket.recv_multipart().await.expect("received");
        socket.send_multipart(message).await.expect("sent");
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    Work::new(&arguments).run(Rzmq(Context::new().expect("a context")), |_| panic!("rzmq needs Tokio"));
}
