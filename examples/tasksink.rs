//! Task sink: collects the workers' results and tells how long all of them took.
//!
//! Chapter: 1, Divide and Conquer
//! Partners: taskvent, taskwork
//! Arguments: [ENDPOINT, default tcp://*:5558]
//! Prints: a mark per result, ":" for every tenth from the first on and "." for the others, then on the same line
//!         "Total elapsed time: N msec"

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::time::Instant;

use zmq::zhelpers::s_recv;
use zmq::{Context, Pull};

fn main() -> Result<(), Box<dyn Error>> {
    let endpoint = env::args().nth(1).unwrap_or("tcp://*:5558".into());

    let context = Context::new()?;
    let receiver = context.socket(Pull)?;
    eprintln!("Bound to {}", receiver.bind(&endpoint)?);

    // The ventilator's message says that the work begins.
    s_recv(&receiver)?;
    // Unlike the time of day, an Instant is not set back or forth while the work goes on.
    let start = Instant::now();

    for number in 0..100 {
        s_recv(&receiver)?;
        print!("{}", if number % 10 == 0 { ":" } else { "." });
        io::stdout().flush()?;
    }
    println!("Total elapsed time: {} msec", start.elapsed().as_millis());
    Ok(())
}
