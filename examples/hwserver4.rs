//! Hello World server with a ROUTER socket, which shows all frames that it receives and sends.
//!
//! Chapter: 1, Ask and Ye Shall Receive (a variant that the text does not show)
//! Original: hwserver4.c
//! Replaces it: in any pair
//! Teaches: a reply's frames are the request's, with another text in the last one
//! Arguments: --endpoint tcp://*:5555, --delay 1000, --linger 1000
//! Other files: common/mod.rs, common/frames.rs
//! Ends: on Ctrl-C
//! Test partners: hwclient4
//! Test run: --delay 5
//! Test prints: in order
//! - 10 x `[recv] frame1 = ZMQ`, `[recv] frame2 = `, `[recv] frame3 = Hello`, `[send] frame1 = ZMQ`, `[send] frame2 = `, `[send] frame3 = World`, ``

mod common;

use std::time::Duration;

use clap::Parser;
use common::frames::readable;
use zmq::{Context, Router, interrupt};

/// Hello World server with a ROUTER socket, which shows all frames that it receives and sends.
#[derive(Parser)]
struct Args {
    /// The endpoint of the server
    #[arg(long, default_value = "tcp://*:5555")]
    endpoint: String,

    /// How long the work for an answer takes, in milliseconds
    #[arg(long, default_value_t = 1000)]
    delay: u64,

    /// How long to wait at the end for clients that do not take their replies, in milliseconds
    #[arg(long, default_value_t = 1000)]
    linger: u64,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| serve(Args::parse()))
}

fn serve(args: Args) -> common::Result {
    let context = Context::new()?;
    let server = context.socket(Router)?;
    // After Ctrl-C, the program waits no longer than this for clients that do not take their replies.
    server.set_linger(Duration::from_millis(args.linger))?;
    server.bind(&args.endpoint)?;

    while !interrupt::interrupted() {
        let mut frames = server.recv_multipart()?;
        for (index, frame) in frames.iter().enumerate() {
            println!("[recv] frame{} = {}", index + 1, readable(frame));
        }
        // A peer can send any frames. C ends with an assertion if the second frame is not empty, and writes beyond its
        // buffer if the id has more than nine bytes.
        if frames.len() != 3 || !frames[1].is_empty() {
            eprintln!("not a request: {frames:?}");
            continue;
        }

        // A real server would work for its answer here.
        common::pause(args.delay)?;

        // The frames before the last are the envelope: the ROUTER finds the client by it.
        frames.pop_back();
        frames.push_back("World");
        for (index, frame) in frames.iter().enumerate() {
            println!("[send] frame{} = {}", index + 1, readable(frame));
        }
        println!();
        server.send_multipart(frames)?;
    }
    Ok(())
}
