//! Lost reply: a REQ client whose reply never comes can do nothing any more; then three clients that can.
//!
//! Chapter: 1, Ask and Ye Shall Receive
//! Original: none
//! Teaches: a REQ socket has to send and receive in turn; how a client goes on after a lost reply
//! Arguments: --endpoint tcp://127.0.0.1:5555, --timeout 100, --retries 100
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: none
//! Test prints: in order
//! - `A REQ: no reply to Hello 1 within <n> ms`
//! - `A REQ: Hello 2 cannot be sent: <text>EFSM<text>`
//! - `RELAXED alone: the reply to Hello 2 is World 1`
//! - `RELAXED and CORRELATE: the reply to Hello 2 is World 2`
//! - `A new socket for each try: the reply to Hello is World`

mod common;

use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use clap::Parser;
use zmq::{Context, Multipart, Req, Router, Socket};
use zmq_patterns::LazyPirate;

/// Lost reply: a REQ client whose reply never comes can do nothing any more; then three clients that can.
#[derive(Parser)]
struct Args {
    /// The endpoint of the server
    #[arg(long, default_value = "tcp://127.0.0.1:5555")]
    endpoint: String,

    /// How long a client waits for a reply, in milliseconds
    #[arg(long, default_value_t = 100)]
    timeout: u64,

    /// How often the last client tries again at most
    #[arg(long, default_value_t = 100)]
    retries: u32,
}

fn main() -> common::Result {
    let args = Args::parse();
    let context = Context::new()?;
    // A REP must reply before it takes the next request. A ROUTER, as here, can lose replies or send them late.
    let server = context.socket(Router)?;
    server.bind(&args.endpoint)?;

    lose(&context, &server, &args)?;

    // With RELAXED the client may ask again. But it takes the late reply to the first request for one to the second.
    let relaxed = context.socket(Req)?;
    relaxed.set_req_relaxed(true)?;
    relaxed.connect(&args.endpoint)?;
    println!("RELAXED alone: the reply to Hello 2 is {}", ask_twice(&relaxed, &server)?);

    // With CORRELATE each request has a number, which comes back with its reply. A late reply is recognized and
    // dropped.
    let correlated = context.socket(Req)?;
    correlated.set_req_relaxed(true)?;
    correlated.set_req_correlate(true)?;
    correlated.connect(&args.endpoint)?;
    println!("RELAXED and CORRELATE: the reply to Hello 2 is {}", ask_twice(&correlated, &server)?);

    // A late reply does not reach a new socket. LazyPirate has a time-out, opens a new socket for the next try, and
    // gives up after a number of tries.
    let reply = thread::scope(|scope| {
        let serving = scope.spawn(move || serve_the_second(server));
        let mut client = LazyPirate::new(&context, &args.endpoint)
            .timeout(Duration::from_millis(args.timeout))
            .retries(args.retries);
        let reply = client.request("Hello");
        serving.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        common::Result::Ok(reply?)
    })?;
    println!("A new socket for each try: the reply to Hello is {}", text(reply));
    Ok(())
}

/// Shows the fault: the client cannot receive, because no reply comes, and cannot send, because it has not received.
fn lose(context: &Context, server: &Socket<'_, Router>, args: &Args) -> common::Result {
    let client = context.socket(Req)?;
    client.connect(&args.endpoint)?;
    client.send("Hello 1")?;
    // The server receives the request, and never replies.
    server.recv_multipart()?;

    let timeout = Duration::from_millis(args.timeout);
    if client.within(timeout).recv_msg()?.is_none() {
        println!("A REQ: no reply to Hello 1 within {} ms", args.timeout);
    }
    if let Err(failed) = client.send("Hello 2") {
        // The error has the message that was not sent.
        let message = String::from_utf8_lossy(failed.message());
        println!("A REQ: {message} cannot be sent: {}", failed.error());
    }
    Ok(())
}

/// Asks again before the reply has arrived. Then both replies arrive. Gives the one that the client receives.
fn ask_twice(client: &Socket<'_, Req>, server: &Socket<'_, Router>) -> common::Result<String> {
    client.send("Hello 1")?;
    let first = server.recv_multipart()?;
    client.send("Hello 2")?;
    let second = server.recv_multipart()?;
    for (mut request, reply) in [(first, "World 1"), (second, "World 2")] {
        // The reply has the request's envelope: all of its frames except the last.
        request.pop_back();
        request.push_back(reply);
        server.send_multipart(request)?;
    }
    Ok(text(client.recv_multipart()?))
}

/// Receives the first request and does not reply. Replies to the second.
fn serve_the_second(server: Socket<'_, Router>) -> common::Result {
    server.recv_multipart()?;
    let mut request = server.recv_multipart()?;
    request.pop_back();
    request.push_back("World");
    Ok(server.send_multipart(request)?)
}

fn text(message: Multipart) -> String {
    message.iter().map(|frame| String::from_utf8_lossy(frame)).collect()
}
