//! Task worker: takes tasks, works for as long as each says, and tells the sink that it is done.
//!
//! Chapter: 1, Divide and Conquer
//! Partners: taskvent, tasksink
//! Arguments: [ENDPOINT of the ventilator, default tcp://localhost:5557]
//!            [ENDPOINT of the sink, default tcp://localhost:5558]
//! Prints: every task's milliseconds and a dot, all on one line; runs until Ctrl-C

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::time::Duration;

use zmq::zhelpers::{s_recv, s_send, s_sleep};
use zmq::{Context, Errno, Pull, Push, interrupt};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let tasks = args.next().unwrap_or("tcp://localhost:5557".into());
    let results = args.next().unwrap_or("tcp://localhost:5558".into());

    interrupt::catch_signals()?;

    let context = Context::new()?;
    let receiver = context.socket(Pull)?;
    receiver.connect(&tasks)?;
    let sender = context.socket(Push)?;
    // After Ctrl-C, a sink that is gone is waited for no longer than this.
    sender.set_linger(Some(Duration::from_secs(1)))?;
    sender.connect(&results)?;

    loop {
        let task = match s_recv(&receiver) {
            Ok(task) => task,
            Err(error) if error.errno() == Errno::EINTR => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        // Without the flush the line would only show at its end, and it has none.
        print!("{task}.");
        io::stdout().flush()?;

        s_sleep(task.parse()?);

        // That something arrives is all the sink wants to know.
        s_send(&sender, "")?;
    }
}
