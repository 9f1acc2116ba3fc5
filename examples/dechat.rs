//! Decentralised chat: prints what all peers of a network say, and tells them what is typed.
//!
//! Chapter: 8, A Self-Healing P2P Network in 30 Seconds
//! Original: dechat.c
//! Replaces it: in any pair
//! Teaches: peers that connect to every address of their network, so that no peer needs a list of the others; C aborts without input
//! Arguments: --interface tcp://127.0.0.1:9000, --network tcp://127.0.0.1:9000, --username guest
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: none
//! Test run: --username Joe
//! Test input: Hello | Is anybody there?
//! Test prints: in order
//! - 0+ x `Joe: <text>`

mod common;

use std::io::{self, BufRead, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use clap::Parser;
use zmq::zhelpers::s_send;
use zmq::{Context, PollEvents, PollItem, Pub, Socket, Sub, interrupt, poll};

/// Decentralised chat: prints what all peers of a network say, and tells them what is typed.
#[derive(Parser)]
struct Args {
    /// The endpoint of this peer: an address or the name of an interface, and the port
    #[arg(long, default_value = "tcp://127.0.0.1:9000")]
    interface: String,

    /// The endpoint of any peer: the last number of its address is replaced by 1 to 254
    #[arg(long, default_value = "tcp://127.0.0.1:9000")]
    network: String,

    /// The name that others see
    #[arg(long, default_value = "guest")]
    username: String,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| chat(&Args::parse()))
}

fn chat(args: &Args) -> common::Result {
    let context = Context::new()?;
    let publisher = context.socket(Pub)?;
    // The peers get what was said last before this one ends; C drops it.
    publisher.set_linger(Duration::from_secs(1))?;
    publisher.bind(&args.interface)?;

    // It is connected to those who are there and tries the others again and again, so that peers may come at any time.
    let subscriber = context.socket(Sub)?;
    subscriber.subscribe("")?;
    for endpoint in endpoints(&args.network)? {
        subscriber.connect(&endpoint)?;
    }

    // C has a thread for the messages of others. Here one poll waits for them and for what is typed.
    let (stdin, mut line) = (io::stdin(), Vec::new());
    let mut items =
        [PollItem::fd(stdin.as_fd(), PollEvents::POLLIN), PollItem::socket(&subscriber, PollEvents::POLLIN)];
    while !interrupt::interrupted() {
        poll(&mut items, None)?;
        // A peer that never stops keeps neither what is typed nor Ctrl-C waiting.
        for _ in 0..100 {
            let Some(message) = subscriber.now().recv_msg()? else { break };
            // The message has its own end of line.
            print!("{}", String::from_utf8_lossy(&message));
            io::stdout().flush()?;
        }
        // At the end of the input a pipe is not readable: it reports an error.
        if !items[0].revents().is_empty() && !say(&publisher, &args.username, &mut line)? {
            break;
        }
    }
    Ok(())
}

/// The endpoints of all hosts of a network of 254.
fn endpoints(network: &str) -> common::Result<Vec<String>> {
    let parts = network.rsplit_once('.').and_then(|(prefix, last)| Some((prefix, last.split_once(':')?.1)));
    let (prefix, port) = parts.ok_or_else(|| common::failure("--network is no tcp://A.B.C.D:PORT"))?;
    Ok((1..=254).map(|host| format!("{prefix}.{host}:{port}")).collect())
}

/// Publishes each line that was typed. `false` at the end of the input.
fn say(publisher: &Socket<'_, Pub>, name: &str, line: &mut Vec<u8>) -> common::Result<bool> {
    let mut input = io::stdin().lock();
    let typed = input.fill_buf()?;
    for &byte in typed {
        match byte {
            b'\n' => {
                s_send(publisher, &format!("{name}: {}\n", String::from_utf8_lossy(line)))?;
                line.clear();
            }
            _ => line.push(byte),
        }
    }
    let (len, is_end) = (typed.len(), typed.is_empty());
    input.consume(len);
    Ok(!is_end)
}
