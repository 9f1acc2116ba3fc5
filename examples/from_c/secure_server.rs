//! A server that accepts known clients by CURVE and ZAP, and sees by a monitor which clients are refused.
//!
//! In C: options for the keys, each a `char[41]`; a REP at `inproc://zeromq.zap.01` in a thread, which parses seven frames and
//! answers with six (without it every client is accepted); `zmq_socket_monitor`, whose events are six bytes to parse.
//!
//! Here: `Socket::secure` sets all keys at once, an [`Authenticator`] is the ZAP handler with its thread, and a notice of a
//! monitor has an [`Event`] with its values. The server waits for its clients, its monitor and its keyboard in one poll.
//!
//! The compiler checks: a [`SecretKey`] cannot be passed as a public one. It is never printed, and is wiped when dropped. The
//! `Security` of a server takes the secret key, that of a client the server's key too, so no key can be forgotten.
//!
//! Usage: `from_c_secure_server server SECRETFILE CLIENTKEY`, and with the endpoint that it prints
//! `from_c_secure_server client SECRETFILE ENDPOINT SERVERKEY`. `curve_keygen` makes the files.

use std::error::Error;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use zmq::monitor::{Event, Events, Monitor};
use zmq::security::{Authenticator, Certificate, Security};
use zmq::{Context, Dealer, PollEvents, PollItem, PublicKey, Router, SecretKey, poll};

/// The events of a client that is refused.
fn refusals() -> Events {
    Events::HANDSHAKE_FAILED_AUTH | Events::HANDSHAKE_FAILED_PROTOCOL | Events::HANDSHAKE_FAILED_NO_DETAIL
}

fn print_refusals(monitor: &Monitor) -> zmq::Result<()> {
    while let Some(notice) = monitor.next_event(Duration::ZERO)? {
        match notice.event() {
            Event::HandshakeFailedAuth { status, .. } => println!("failed auth {status}"),
            event => println!("failed {event:?}"),
        }
    }
    Ok(())
}

fn serve(secret: &SecretKey, client: PublicKey) -> Result<(), Box<dyn Error>> {
    let context = Context::new()?;
    // The handler runs before the first server binds, so no client is accepted without being checked.
    let authenticator = Authenticator::start(&context)?;
    authenticator.configure("*", |policy| policy.allow_keys([client]))?;

    let server = context.socket(Router)?;
    server.secure(&Security::curve_server(secret))?;
    let monitor = server.monitor(refusals())?;
    println!("bound {}", server.bind("tcp://127.0.0.1:*")?);

    let stdin = io::stdin();
    let mut items = [
        PollItem::fd(stdin.as_fd(), PollEvents::POLLIN),
        PollItem::socket(&server, PollEvents::POLLIN),
        PollItem::fd(monitor.as_fd(), PollEvents::POLLIN),
    ];
    while items[0].revents().is_empty() {
        poll(&mut items, None)?;
        print_refusals(&monitor)?;
        while let Some(mut message) = server.now().recv_multipart()? {
            let (Some(id), Some(request)) = (message.pop_front(), message.last()) else { continue };
            // Each message carries the properties of its client that the handler has set.
            let user = request.gets("User-Id").unwrap_or_default();
            println!("{} from {user}", request.as_str().unwrap_or_default());
            server.send_multipart([id, "World".into()])?;
        }
    }
    Ok(())
}

fn ask(secret: &SecretKey, endpoint: &str, server: &PublicKey) -> Result<(), Box<dyn Error>> {
    let context = Context::new()?;
    let client = context.socket(Dealer)?;
    client.set_linger(Duration::ZERO)?;
    // A client that is refused does not connect again.
    client.set_reconnect_ivl(None)?;
    client.secure(&Security::curve_client(secret, server))?;
    let monitor = client.monitor(refusals())?;
    client.connect(endpoint)?;
    client.send("Hello")?;

    let mut items = [PollItem::socket(&client, PollEvents::POLLIN), PollItem::fd(monitor.as_fd(), PollEvents::POLLIN)];
    poll(&mut items, None)?;
    if items[0].is_readable() {
        println!("{}", client.recv_string()?);
    } else {
        print_refusals(&monitor)?;
    }
    Ok(())
}

/// The secret key of a certificate's file.
fn secret_of(file: &str) -> Result<SecretKey, Box<dyn Error>> {
    let certificate = Certificate::load(file)?;
    Ok(certificate.secret_key().ok_or("the file has no secret key")?.clone())
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["server", secret, client] => serve(&secret_of(secret)?, client.parse()?),
        ["client", secret, endpoint, server] => ask(&secret_of(secret)?, endpoint, &server.parse()?),
        _ => {
            Err("usage: from_c_secure_server server SECRETFILE CLIENTKEY | client SECRETFILE ENDPOINT SERVERKEY".into())
        }
    }
}
