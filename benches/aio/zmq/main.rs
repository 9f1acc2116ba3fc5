//! rust-zmq's interface. This package is it over this library, through `compat/`; the package in `alone/` is rust-zmq itself.

#[path = "../shared.rs"]
mod shared;

use shared::{Kind, Sockets, Work, keys, without_curve};

/// The largest message.
const BUFFER: usize = 1 << 20;

struct RustZmq(zmq::Context);

struct Socket {
    socket: zmq::Socket,
    buffer: Vec<u8>,
}

impl Sockets for RustZmq {
    type Socket = Socket;

    async fn open(&self, kind: Kind, endpoint: &str) -> Socket {
        let RustZmq(context) = self;
        let of = match kind {
            Kind::Push => zmq::PUSH,
            Kind::Pull => zmq::PULL,
            Kind::Req => zmq::REQ,
            Kind::Rep => zmq::REP,
            Kind::Dealer => zmq::DEALER,
            Kind::Router => zmq::ROUTER,
        };
        let socket = context.socket(of).expect("a socket");
        let curve = without_curve(endpoint);
        if curve.is_some() {
            set_keys(&socket, kind.binds()).expect("CURVE");
        }
        let endpoint = curve.as_deref().unwrap_or(endpoint);
        let opened = if kind.binds() { socket.bind(endpoint) } else { socket.connect(endpoint) };
        opened.expect("an endpoint");
        Socket { socket, buffer: vec![0; BUFFER] }
    }

    async fn send(socket: &mut Socket, content: &[u8]) {
        socket.socket.send(content, 0).expect("sent");
    }

    async fn recv(Socket { socket, buffer }: &mut Socket) -> usize {
        socket.recv_into(buffer, 0).expect("received")
    }

    async fn echo(Socket { socket, buffer }: &mut Socket) {
        let size = socket.recv_into(buffer, 0).expect("received");
        socket.send(&buffer[..size], 0).expect("sent");
    }
}

fn set_keys(socket: &zmq::Socket, is_server: bool) -> zmq::Result<()> {
    let key = |text: &str| zmq::z85_decode(text).expect("a key");
    if is_server {
        socket.set_curve_server(true)?;
        return socket.set_curve_secretkey(&key(keys::SERVER_SECRET));
    }
    socket.set_curve_serverkey(&key(keys::SERVER_PUBLIC))?;
    socket.set_curve_publickey(&key(keys::CLIENT_PUBLIC))?;
    socket.set_curve_secretkey(&key(keys::CLIENT_SECRET))
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    Work::new(&arguments).run(RustZmq(zmq::Context::new()), |_| panic!("rust-zmq needs no runtime"));
}
