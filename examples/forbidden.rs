//! What the compiler forbids: programs that would crash, hang or fail in C, each with what the compiler says to it.
//!
//! Chapter: 2, Multithreading with ZeroMQ
//! Original: none
//! Teaches: no socket in two threads, none without its context, and none that does what its kind cannot
//! Arguments: none
//! Partners: none
//! Ends: by itself
//! Prints: in order
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

/// What the compiler forbids: programs that would crash, hang or fail in C, each with what the compiler says to it.
#[derive(Parser)]
struct Args {}

/// Programs that do not compile. They are tests: `tests/ui.rs` compiles each, and holds what the compiler says against
/// the text that is printed here.
macro_rules! case {
    ($name:literal) => {
        (include_str!(concat!("../tests/ui/", $name, ".rs")), include_str!(concat!("../tests/ui/", $name, ".stderr")))
    };
}

fn main() -> common::Result {
    let Args {} = Args::parse();

    // In C this corrupts the socket, sooner or later. What to do instead: give each thread a socket of its own, or one
    // thread the socket and the others a channel to it.
    show("A socket that two threads use at once", case!("socket_shared_in_scope"));
    show("A socket that is handed out to threads in an Arc", case!("socket_shared_in_arc"));

    // In C the end of the context waits for ever for the socket that nobody closes. What to do instead: nothing. What is
    // declared last is dropped first.
    show("A context that is dropped before its socket", case!("context_dropped_too_early"));

    // In C this fails when it runs, with ENOTSUP.
    show("A SUB that sends", case!("sub_does_not_send"));
    Ok(())
}

fn show(what: &str, (program, message): (&str, &str)) {
    println!("=== {what} ===");
    // The compiler speaks of these lines by their numbers.
    for (index, line) in program.lines().enumerate() {
        println!("{:>4}  {line}", index + 1);
    }
    println!("--- the compiler says ---");
    print!("{message}");
}
