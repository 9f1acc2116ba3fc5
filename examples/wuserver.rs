//! Weather update server: publishes made-up weather for made-up zip codes, as fast as it can.
//!
//! Chapter: 1, Getting the Message Out
//! Partners: wuclient
//! Arguments: [ENDPOINT, default tcp://*:5556]
//! Prints: nothing; runs until Ctrl-C

use std::env;
use std::error::Error;
use std::time::Duration;

use zmq::zhelpers::{randof, s_send};
use zmq::{Context, Pub, interrupt};

fn main() -> Result<(), Box<dyn Error>> {
    let endpoint = env::args().nth(1).unwrap_or("tcp://*:5556".into());

    interrupt::catch_signals()?;

    let context = Context::new()?;
    let publisher = context.socket(Pub)?;
    // Old weather is worth nothing: when the program ends, what a slow subscriber has not read is thrown away.
    publisher.set_linger(Some(Duration::ZERO))?;
    eprintln!("Bound to {}", publisher.bind(&endpoint)?);

    // Publishing never waits, so Ctrl-C has no call to end: the loop asks for it.
    while !interrupt::interrupted() {
        let zipcode = randof(100_000);
        let temperature = i64::from(randof(215)) - 80;
        let humidity = randof(50) + 10;

        // The zip code always has five digits and comes first: subscribers choose by how a message begins.
        s_send(&publisher, &format!("{zipcode:05} {temperature} {humidity}"))?;
    }
    Ok(())
}
