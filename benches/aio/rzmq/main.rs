//! rzmq, which is in pure Rust.

#[path = "../shared.rs"]
mod shared;

use rzmq::socket::options::{CURVE_SECRET_KEY, CURVE_SERVER, CURVE_SERVER_KEY};
use rzmq::{Context, Msg, Socket, SocketType, ZmqError};
use shared::{Kind, Sockets, Work, keys, without_curve};

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
        let curve = without_curve(endpoint);
        if curve.is_some() {
            set_keys(&socket, kind.binds()).await.expect("CURVE");
        }
        let endpoint = curve.as_deref().unwrap_or(endpoint);
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

async fn set_keys(socket: &Socket, is_server: bool) -> Result<(), ZmqError> {
    let key = |text: &str| rzmq::security::z85::decode(text).expect("a key");
    if is_server {
        socket.set_option(CURVE_SERVER, true).await?;
        return socket.set_option_raw(CURVE_SECRET_KEY, &key(keys::SERVER_SECRET)).await;
    }
    socket.set_option_raw(CURVE_SECRET_KEY, &key(keys::CLIENT_SECRET)).await?;
    socket.set_option_raw(CURVE_SERVER_KEY, &key(keys::SERVER_PUBLIC)).await
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    Work::new(&arguments).run(Rzmq(Context::new().expect("a context")), |_| panic!("rzmq needs Tokio"));
}
