//! Hello World server with a ROUTER socket, which shows the frames that a REP socket hides.
//!
//! Chapter: 1, Ask and Ye Shall Receive (a variant that the text does not show)
//! Original: hwserver3.c
//! Replaces it: in any pair
//! Teaches: what a REP socket keeps for the reply: the envelope of routing id and empty frame
//! Arguments: --endpoint tcp://*:5555, --delay 1000, --linger 1000
//! Other files: common/mod.rs, common/frames.rs
//! Ends: on Ctrl-C
//! Test partners: hwclient3
//! Test run: --delay 5
//! Test prints: in order
//! - 10 x `[Frame_1] identity = ZMQ`, `[Frame_2] string = `, `[Frame_3] Received request msg: Hello`, `Send respond msg: World`, ``

mod common;

use std::time::Duration;

use clap::Parser;
use common::frames::readable;
use zmq::{Context, Message, Multipart, Router, interrupt};

/// Hello World server with a ROUTER socket, which shows the frames that a REP socket hides.
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
        // C receives the frames one by one, as C strings. It answers only clients whose id is a text. If a message does
        // not have three frames, C mixes up its frames with those of the next. Here ids are bytes, and a message is
        // received whole.
        let Some(client) = receive_request(server.recv_multipart()?) else {
            println!("Discard the ZMQ message!");
            continue;
        };

        // A real server would work for its answer here.
        common::pause(args.delay)?;

        println!("Send respond msg: World\n");
        let mut reply = Multipart::from(["World"]);
        // The ROUTER finds the client by the id, which comes first. An empty frame separates it from the reply.
        reply.push_envelope(client);
        server.send_multipart(reply)?;
    }
    Ok(())
}

/// Shows the frames of a message, and gives the id of the client if it is a request.
fn receive_request(mut frames: Multipart) -> Option<Message> {
    let identity = frames.pop_front()?;
    println!("[Frame_1] identity = {}", readable(&identity));

    let string = frames.pop_front()?;
    println!("[Frame_2] string = {}", readable(&string));

    let content = frames.pop_front().filter(|_| string.is_empty() && frames.is_empty())?;
    println!("[Frame_3] Received request msg: {}", readable(&content));
    Some(identity)
}
