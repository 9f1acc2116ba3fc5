//! arzmq, over its own libzmq.

#[path = "../shared.rs"]
mod shared;

use arzmq::prelude::{
    Context, Message, PullSocket, PushSocket, Receiver, RecvFlags, ReplySocket, RequestSocket, SendFlags, Sender,
    ZmqResult,
};
use arzmq::security::SecurityMechanism;
use shared::{Kind, Sockets, Work, keys, without_curve};

struct Arzmq(Context);

enum Socket {
    Push(PushSocket),
    Pull(PullSocket),
    Req(RequestSocket),
    Rep(ReplySocket),
}

/// Opens a socket by its own type: what the types have in common is no public trait.
macro_rules! opened {
    ($kind:ident, $type:ty, $context:expr, $binds:expr, $endpoint:expr) => {{
        let socket = <$type>::from_context($context)?;
        let curve = without_curve($endpoint);
        if curve.is_some() {
            socket.set_security_mechanism(&security($binds))?;
        }
        let endpoint = curve.as_deref().unwrap_or($endpoint);
        if $binds {
            socket.bind(endpoint)?
        } else {
            socket.connect(endpoint)?
        }
        Ok(Socket::$kind(socket))
    }};
}

fn security(is_server: bool) -> SecurityMechanism {
    let key = |text: &str| text.as_bytes().to_vec();
    if is_server {
        return SecurityMechanism::CurveServer { secret_key: key(keys::SERVER_SECRET) };
    }
    SecurityMechanism::CurveClient {
        server_key: key(keys::SERVER_PUBLIC),
        public_key: key(keys::CLIENT_PUBLIC),
        secret_key: key(keys::CLIENT_SECRET),
    }
}

fn open(context: &Context, kind: Kind, endpoint: &str) -> ZmqResult<Socket> {
    match kind {
        Kind::Push => opened!(Push, PushSocket, context, false, endpoint),
        Kind::Pull => opened!(Pull, PullSocket, context, true, endpoint),
        Kind::Req => opened!(Req, RequestSocket, context, false, endpoint),
        Kind::Rep => opened!(Rep, ReplySocket, context, true, endpoint),
        Kind::Dealer | Kind::Router => panic!("no such task"),
    }
}

impl Sockets for Arzmq {
    type Socket = Socket;

    async fn open(&self, kind: Kind, endpoint: &str) -> Socket {
        open(&self.0, kind, endpoint).expect("a socket")
    }

    async fn send(socket: &mut Socket, content: &[u8]) {
        let message = Message::from(content);
        match socket {
            Socket::Push(push) => push.send_msg(message, SendFlags::empty()).expect("sent"),
            Socket::Req(req) => req.send_msg(message, SendFlags::empty()).expect("sent"),
            _ => unreachable!(),
        }
    }

    async fn recv(socket: &mut Socket) -> usize {
        let message = match socket {
            Socket::Pull(pull) => pull.recv_msg(RecvFlags::empty()),
            Socket::Req(req) => req.recv_msg(RecvFlags::empty()),
            _ => unreachable!(),
        };
        message.expect("received").len()
    }

    async fn echo(socket: &mut Socket) {
        let Socket::Rep(rep) = socket else { unreachable!() };
        let message = rep.recv_msg(RecvFlags::empty()).expect("received");
        rep.send_msg(message, SendFlags::empty()).expect("sent");
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    Work::new(&arguments).run(Arzmq(Context::new().expect("a context")), |_| panic!("arzmq blocks here"));
}
