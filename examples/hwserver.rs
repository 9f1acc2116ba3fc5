//! Hello World server: answers every "Hello" with "World".
//!
//! Chapter: 1, Ask and Ye Shall Receive
//! Partners: hwclient
//! Arguments: [ENDPOINT, default tcp://*:5555] [DELAY in milliseconds, default 1000]
//! Prints: "Received Hello" for every request; runs until Ctrl-C

use std::env;
use std::error::Error;
use std::thread;
use std::time::Duration;

use zmq::{Context, Errno, Rep, interrupt};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let endpoint = args.next().unwrap_or("tcp://*:5555".into());
    let delay = Duration::from_millis(args.next().unwrap_or("1000".into()).parse()?);

    // From here on Ctrl-C does not kill the program: it ends the call that waits, and the loop below with it.
    interrupt::catch_signals()?;

    let context = Context::new()?;
    let server = context.socket(Rep)?;
    // bind gives back the endpoint as it came out: with its port, where tcp://127.0.0.1:* left that to the system.
    eprintln!("Bound to {}", server.bind(&endpoint)?);

    loop {
        let request = match server.recv() {
            Ok(request) => request,
            Err(error) if error.errno() == Errno::EINTR => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        println!("Received {}", String::from_utf8_lossy(&request));

        // A real server would work for its answer here.
        thread::sleep(delay);

        // A REP socket remembers whom it owes the answer; until it is sent, it takes no other request.
        server.send("World")?;
    }
}
