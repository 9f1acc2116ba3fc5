//! A chat of two: one poll waits for the keyboard and for the other side.
//!
//! In C: `zmq_poll` over the descriptor 0 and a PAIR. `fgets` can read more than one line into its buffer, so that `zmq_poll`
//! then waits although a line is there. `zmq_recv` into a `char[256]` truncates a longer line, and does not end it with a NUL.
//!
//! Here: [`PollItem::fd`] takes standard input as it is. `fill_buf` returns all bytes that were read, so no line is left when
//! the poll waits again. A message has any length, and `as_str` is `None` if it is no text.
//!
//! The compiler checks: an item borrows its socket and its descriptor, so neither can be closed while it is polled. In C the
//! number of a closed descriptor can belong to another file by then.
//!
//! Usage: `from_c_chat bind ENDPOINT`, and with the endpoint that it prints `from_c_chat connect ENDPOINT`

use std::error::Error;
use std::io::{self, BufRead};
use std::os::fd::AsFd;
use std::time::Duration;

use zmq::{Context, Pair, PollEvents, PollItem, Socket, poll};

/// Sends each line that was typed. `false` at the end of the input.
fn send_lines(line: &mut Vec<u8>, other: &Socket<'_, Pair>) -> Result<bool, Box<dyn Error>> {
    let mut input = io::stdin().lock();
    let typed = input.fill_buf()?;
    for &byte in typed {
        match byte {
            b'\n' => other.send(std::mem::take(line))?,
            _ => line.push(byte),
        }
    }
    let (len, is_end) = (typed.len(), typed.is_empty());
    input.consume(len);
    Ok(!is_end)
}

fn chat(other: &Socket<'_, Pair>) -> Result<(), Box<dyn Error>> {
    let (stdin, mut line) = (io::stdin(), Vec::new());
    let mut items = [PollItem::fd(stdin.as_fd(), PollEvents::POLLIN), PollItem::socket(other, PollEvents::POLLIN)];
    loop {
        poll(&mut items, None)?;
        if items[1].is_readable() {
            // Receives all messages that are there. One message would do too: the next poll reports the rest.
            while let Some(message) = other.now().recv_msg()? {
                if message.is_empty() {
                    println!("(the other has left)");
                    return Ok(());
                }
                println!("> {}", message.as_str().unwrap_or("(no text)"));
            }
        }
        // At the end of the input a pipe is not readable: it reports an error.
        if !items[0].revents().is_empty() && !send_lines(&mut line, other)? {
            other.send("")?;
            return Ok(());
        }
    }
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let context = Context::new()?;
    let other = context.socket(Pair)?;
    // At the end, the program waits this long until the last lines are sent, also if the other side is gone.
    other.set_linger(Duration::from_secs(5))?;
    match args[..] {
        ["bind", endpoint] => println!("bound {}", other.bind(endpoint)?),
        ["connect", endpoint] => other.connect(endpoint)?,
        _ => return Err("usage: from_c_chat bind ENDPOINT | connect ENDPOINT".into()),
    }
    chat(&other)
}
