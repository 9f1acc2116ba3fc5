//! Task ventilator: hands out a hundred tasks to whichever workers are there.
//!
//! Chapter: 1, Divide and Conquer
//! Partners: taskwork (one or more), tasksink
//! Arguments: [ENDPOINT for workers, default tcp://*:5557] [ENDPOINT of the sink, default tcp://localhost:5558]
//!            [LONGEST task in milliseconds, default 100]
//! Prints: a prompt and waits for Enter, then a line that it sends, then the sum of the tasks' milliseconds

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::num::NonZeroU32;

use zmq::zhelpers::{randof, s_send};
use zmq::{Context, Push};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let workers = args.next().unwrap_or("tcp://*:5557".into());
    let results = args.next().unwrap_or("tcp://localhost:5558".into());
    let longest: NonZeroU32 = args.next().unwrap_or("100".into()).parse()?;

    let context = Context::new()?;
    let sender = context.socket(Push)?;
    eprintln!("Bound to {}", sender.bind(&workers)?);
    let sink = context.socket(Push)?;
    sink.connect(&results)?;

    // Tasks are dealt out in turn to the workers that are connected. Started too early, the first worker to
    // connect would get most of them.
    print!("Press Enter when the workers are ready: ");
    io::stdout().flush()?;
    io::stdin().read_line(&mut String::new())?;
    println!("Sending tasks to workers...");

    // The sink starts its clock at the first message, whatever it says.
    s_send(&sink, "0")?;

    let mut total = 0_u64;
    for _ in 0..100 {
        let workload = randof(longest.get()) + 1;
        total += u64::from(workload);
        s_send(&sender, &workload.to_string())?;
    }
    println!("Total expected cost: {total} msec");

    // The context ends here, and that waits until the last task is handed over.
    Ok(())
}
