//! Helpers of the authenticator's tests: servers, clients, and the events of the authenticator.

use std::time::Duration;

use zmq::security::{AuthEvent, Authenticator, Security};
use zmq::{Context, Dealer, PublicKey, Socket};

use super::DEADLINE;

pub const ANY_PORT: &str = "tcp://127.0.0.1:*";
pub const HANDLER: &str = "inproc://zeromq.zap.01";

pub fn server<'a>(context: &'a Context, security: &Security) -> (Socket<'a, Dealer>, String) {
    let server = context.socket(Dealer).unwrap();
    server.set_linger(Some(Duration::ZERO)).unwrap();
    server.secure(security).unwrap();
    let endpoint = server.bind(ANY_PORT).unwrap();
    (server, endpoint)
}

/// A client that is refused tries again only after a minute, so each client causes one event.
pub fn client<'a>(context: &'a Context, security: &Security, endpoint: &str) -> Socket<'a, Dealer> {
    let client = context.socket(Dealer).unwrap();
    client.set_linger(Some(Duration::ZERO)).unwrap();
    client.set_reconnect_ivl(Some(Duration::from_secs(60))).unwrap();
    client.secure(security).unwrap();
    client.connect(endpoint).unwrap();
    // If the client is refused already, no peer takes the message.
    let _ = client.now().send("Hello").unwrap();
    client
}

/// An authenticator that lets in the user alice, and each CURVE client.
pub fn lets_in_alice_and_any_key(context: &Context) -> Authenticator {
    let authenticator = Authenticator::start(context).unwrap();
    authenticator
        .configure("*", |policy| {
            policy.allow_users([("alice", "open sesame")]);
            policy.allow_any_key();
        })
        .unwrap();
    authenticator
}

pub fn event(authenticator: &Authenticator) -> AuthEvent {
    authenticator.next_event(DEADLINE).unwrap().expect("an event")
}

/// The status that the next client gets, and the user id or the reason.
pub fn decision(authenticator: &Authenticator) -> (u16, String) {
    match event(authenticator) {
        AuthEvent::Allowed { user_id, .. } => (200, user_id),
        AuthEvent::Denied { status, reason, .. } => (status, reason),
        event => panic!("{event:?}"),
    }
}

/// Whether the authenticator lets a client in.
pub fn is_let_in(authenticator: &Authenticator, context: &Context, security: &Security, endpoint: &str) -> bool {
    let _client = client(context, security, endpoint);
    decision(authenticator).0 == 200
}

/// The next event that is not [`AuthEvent::Allowed`].
pub fn refusal(authenticator: &Authenticator) -> AuthEvent {
    loop {
        match authenticator.next_event(DEADLINE).unwrap().expect("an event") {
            AuthEvent::Allowed { .. } => {}
            event => return event,
        }
    }
}

/// The public key of a client, and the roles of a CURVE server and of that client.
pub fn keys() -> (PublicKey, Security, Security) {
    let (server_public, server_secret) = zmq::curve_keypair().unwrap();
    let (public, secret) = zmq::curve_keypair().unwrap();
    (public, Security::curve_server(&server_secret), Security::curve_client(&secret, &server_public))
}
