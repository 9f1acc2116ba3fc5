//! Programs that the compiler refuses, since they would crash, hang or fail in C, each with the compiler's message.
//!
//! Chapter: 2, Multithreading with ZeroMQ
//! Original: none
//! Teaches: no socket in two threads, none without its context, and none that does what its kind cannot
//! Arguments: none
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: none
//! Test prints: in order
//! - `=== A socket that two threads use at once ===`
//! - 20+ x `<text>`
//! - `=== A socket that is handed out to threads in an Arc ===`
//! - 20+ x `<text>`
//! - `=== A context that is dropped before its socket ===`
//! - 10+ x `<text>`
//! - `=== A SUB that sends ===`
//! - 10+ x `<text>`

mod common;

use clap::Parser;

/// Programs that the compiler refuses, since they would crash, hang or fail in C, each with the compiler's message.
#[derive(Parser)]
struct Args {}

/// A program that does not compile, and the compiler's message. The programs are tests: `tests/ui.rs` compiles each,
/// and compares the message with the one that is printed here.
macro_rules! case {
    ($name:literal) => {
        (include_str!(concat!("../tests/ui/", $name, ".rs")), include_str!(concat!("../tests/ui/", $name, ".stderr")))
    };
}

fn main() -> common::Result {
    let Args {} = Args::parse();

    // In C this corrupts the socket, sooner or later. Instead, give each thread a socket of its own, or one thread the
    // socket and the others a channel to it.
    show("A socket that two threads use at once", case!("socket_shared_in_scope"));
    show("A socket that is handed out to threads in an Arc", case!("socket_shared_in_arc"));

    // In C the end of the context waits for ever for a socket that is not closed. In Rust this needs no care: the
    // variable that is declared last is dropped first.
    show("A context that is dropped before its socket", case!("context_dropped_too_early"));

    // In C this fails at run time, with ENOTSUP.
    show("A SUB that sends", case!("sub_does_not_send"));
    Ok(())
}

fn show(what: &str, (program, message): (&str, &str)) {
    println!("=== {what} ===");
    // The compiler's message has the numbers of these lines.
    for (index, line) in program.lines().enumerate() {
        println!("{:>4}  {line}", index + 1);
    }
    println!("--- the compiler says ---");
    print!("{message}");
}
