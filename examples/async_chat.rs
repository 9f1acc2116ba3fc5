//! Chat in a terminal: `select!` waits for the keyboard and for the others, and one program passes the lines on.
//!
//! Chapter: none, a chat with a terminal
//! Original: none
//! Teaches: standard input beside a socket, and a ROUTER that waits for none of its peers
//! Arguments: --bind tcp://*:5560, --connect tcp://localhost:5560, --name guest, --host
//! Other files: common/mod.rs
//! Features: tokio
//! Ends: by itself
//! Test partners: async_chat --host
//! Test input: Hello
//! Test prints: in order
//! - `(guest has joined)`

mod common;

use std::collections::BTreeMap;
use std::io;
use std::thread;
use std::time::Duration;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use zmq::aio::{AsyncSocket, Runtime};
use zmq::{Context, Dealer, Router};

/// Chat in a terminal: `select!` waits for the keyboard and for the others, and one program passes the lines on.
#[derive(Parser)]
struct Args {
    /// The endpoint of the host
    #[arg(long, default_value = "tcp://*:5560")]
    bind: String,

    /// The endpoint of the host, as the others connect to it
    #[arg(long, default_value = "tcp://localhost:5560")]
    connect: String,

    /// The name of the one who types here
    #[arg(long, default_value = "guest")]
    name: String,

    /// Passes the lines on, until the last one has left
    #[arg(long)]
    host: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    let context = Context::new()?;
    if args.host { host(&context, &args.bind).await } else { talk(&context, &args.connect, &args.name).await }
}

/// The names of all who are here, by their routing ids.
type People = BTreeMap<Vec<u8>, String>;

/// Passes each line on to all others. The messages to the host are `[join][name]`, `[say][line]` and `[leave]`.
async fn host(context: &Context, endpoint: &str) -> common::Result {
    let hub = context.owned_socket(Router)?;
    // At the end, the program waits this long for one who does not read.
    hub.set_linger(Duration::from_secs(1))?;
    // A send to one whose connection has ended fails.
    hub.set_router_mandatory(true)?;
    hub.bind(endpoint)?;
    let mut hub = AsyncSocket::new(hub, Runtime::Tokio)?;
    let mut people = People::new();
    let mut ctrl_c = signal(SignalKind::interrupt())?;
    loop {
        let message = tokio::select! {
            message = hub.recv_multipart() => message?,
            _ = ctrl_c.recv() => return Ok(()),
        };
        // The ROUTER has put the routing id in front.
        let [id, word, rest @ ..] = &message[..] else { continue };
        let text = rest.iter().map(|part| String::from_utf8_lossy(part)).collect::<String>();
        match (&word[..], people.get(&id[..]).cloned()) {
            (b"join", None) => {
                people.insert(id.to_vec(), text.clone());
                tell(&mut hub, &mut people, None, &format!("({text} has joined)"));
            }
            (b"say", Some(name)) => tell(&mut hub, &mut people, Some(id), &format!("{name}: {text}")),
            (b"leave", Some(name)) => {
                people.remove(&id[..]);
                tell(&mut hub, &mut people, None, &format!("({name} has left)"));
                // The farewell is an empty message. One who does not read, or whose connection has ended, misses it.
                hub.with(|hub| drop(hub.now().send_multipart([&id[..], b""])));
                if people.is_empty() {
                    return Ok(());
                }
            }
            _ => {}
        }
    }
}

/// Sends a line to all except one, and waits for no peer: a peer that does not read misses the line, and a peer whose
/// connection has ended is forgotten.
fn tell(hub: &mut AsyncSocket<Router>, people: &mut People, except: Option<&[u8]>, line: &str) {
    hub.with(|hub| {
        people.retain(|id, name| {
            let is_here = except == Some(&id[..]) || hub.now().send_multipart([&id[..], line.as_bytes()]).is_ok();
            if !is_here {
                println!("({name} is gone)");
            }
            is_here
        });
    });
}

/// Sends what is typed, and prints what the others say. The end of the input is the end of the talk.
async fn talk(context: &Context, endpoint: &str, name: &str) -> common::Result {
    let host = context.owned_socket(Dealer)?;
    // At the end, the program waits this long for a host that is gone.
    host.set_linger(Duration::from_secs(1))?;
    host.connect(endpoint)?;
    let mut host = AsyncSocket::new(host, Runtime::Tokio)?;
    host.send_multipart(["join", name]).await?;

    let mut typed = typed_lines();
    let mut is_typing = true;
    let mut ctrl_c = signal(SignalKind::interrupt())?;
    loop {
        tokio::select! {
            line = typed.recv(), if is_typing => match line {
                Some(line) => host.send_multipart(["say", &line]).await?,
                None => {
                    is_typing = false;
                    host.send("leave").await?;
                }
            },
            heard = host.recv_msg() => match heard?.as_str() {
                Some("") => return Ok(()),
                line => println!("{}", line.unwrap_or("(no text)")),
            },
            // Does not wait for the farewell: the host may be gone.
            _ = ctrl_c.recv() => return Ok(host.send("leave").await?),
        }
    }
}

/// The lines of standard input. A thread reads them, because the read of a terminal cannot be cancelled: the end of the runtime
/// would wait for one of Tokio's until Enter is pressed.
fn typed_lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(16);
    thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}
