//! Options from a file: the kind of a socket, its endpoints and every option that zmq.h names.
//!
//! In C: a table of names, numbers and C types, and a `switch` that converts each text to an `int`, an `int64_t` or bytes. An
//! option of the wrong size is EINVAL, and so are a value out of range, a kind that does not have the option, and a typing error:
//! `zmq_strerror` says "Invalid argument" for all of them.
//!
//! Here: the library has the table. `Socket::set_option` and `Context::set_option` take a name, or a number of zmq.h, and a
//! text; they convert it and check it as the typed method does (`set_linger`), and the error names the option and the value.
//! With the feature `serde` a map of options is deserialized from any format.
//!
//! The compiler checks nothing here: names and values come at run time. Options that the program knows have methods, which
//! exist only for the kinds that have the option, and take only values of its type.
//!
//! Usage: `from_c_options_file FILE NAME...` shows the options with these names. A PUSH then sends each line of standard input,
//! and an empty message at its end; a PULL prints what it receives up to that message. A file looks like this:
//!
//! ```text
//! [context]
//! io_threads = 2
//!
//! [socket]
//! type = PUSH
//! linger = 5s
//! ZMQ_SNDHWM = 7
//! connect = tcp://127.0.0.1:5555
//! ```

use std::error::Error;
use std::{fs, io};

use zmq::{Context, Kind, Socket};

/// Opens the socket that a file describes, line by line.
fn open<'a>(text: &str, context: &'a Context) -> Result<Socket<'a>, Box<dyn Error>> {
    let (mut section, mut socket) = ("", None);
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        match line {
            "" => {}
            "[context]" | "[socket]" => section = line,
            _ => apply(section, line, context, &mut socket).map_err(|error| format!("line {number}: {error}"))?,
        }
    }
    socket.ok_or_else(|| "the file has no socket".into())
}

/// Applies a line of a section.
fn apply<'a>(
    section: &str,
    line: &str,
    context: &'a Context,
    socket: &mut Option<Socket<'a>>,
) -> Result<(), Box<dyn Error>> {
    let (name, value) = line.split_once('=').ok_or_else(|| format!("{line:?} is not NAME = VALUE"))?;
    match (section, name.trim(), value.trim(), &socket) {
        ("[context]", name, value, _) => context.set_option(name, value)?,
        ("[socket]", "type", value, _) => *socket = Some(context.socket(kind(value)?)?),
        ("[socket]", "bind", value, Some(socket)) => println!("bound {}", socket.bind(value)?),
        ("[socket]", "connect", value, Some(socket)) => socket.connect(value)?,
        ("[socket]", name, value, Some(socket)) => socket.set_option(name, value)?,
        _ => return Err("[context] or [socket] comes first, and a socket's type before its options".into()),
    }
    Ok(())
}

fn kind(name: &str) -> Result<Kind, Box<dyn Error>> {
    let named = |kind: &&Kind| kind.c_name().strip_prefix("ZMQ_") == Some(name);
    Ok(*Kind::ALL.iter().find(named).ok_or_else(|| format!("{name:?} is no type of socket"))?)
}

fn talk(socket: &Socket<'_>) -> Result<(), Box<dyn Error>> {
    match socket.kind() {
        Kind::Push => {
            for line in io::stdin().lines() {
                socket.send(line?)?;
            }
            Ok(socket.send("")?)
        }
        Kind::Pull => loop {
            match socket.recv_string()? {
                end if end.is_empty() => return Ok(()),
                line => println!("{line}"),
            }
        },
        kind => Err(format!("what would a {kind} do here?").into()),
    }
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let file = args.next().ok_or("usage: from_c_options_file FILE NAME...")?;
    let text = fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?;
    let context = Context::new()?;
    let socket = open(&text, &context).map_err(|error| format!("{file}: {error}"))?;
    for name in args {
        println!("{name} is {:?}", socket.option(&name)?);
    }
    talk(&socket)
}
