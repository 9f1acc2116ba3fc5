//! Weather update client: collects a hundred updates for a zip code and averages their temperatures.
//!
//! Chapter: 1, Getting the Message Out
//! Partners: wuserver
//! Arguments: [FILTER, default "10001 " with a blank at its end] [ENDPOINT, default tcp://localhost:5556]
//! Prints: a line that it collects, then the average, a whole number, with the filter in single quotes

use std::env;
use std::error::Error;

use zmq::zhelpers::s_recv;
use zmq::{Context, Sub};

const UPDATES: i64 = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    // A filter is how a message begins, not a word: the blank makes sure that the zip code ends here.
    let filter = args.next().unwrap_or("10001 ".into());
    let endpoint = args.next().unwrap_or("tcp://localhost:5556".into());

    println!("Collecting updates from weather server...");
    let context = Context::new()?;
    let subscriber = context.socket(Sub)?;
    subscriber.connect(&endpoint)?;
    // Without a subscription a SUB socket receives nothing at all.
    subscriber.subscribe(&filter)?;

    let mut total = 0;
    for _ in 0..UPDATES {
        let update = s_recv(&subscriber)?;
        // An update is zip code, temperature and humidity.
        let temperature = update.split(' ').nth(1).ok_or("an update without a temperature")?;
        total += temperature.parse::<i64>()?;
    }
    println!("Average temperature for zipcode '{filter}' was {}F", total / UPDATES);
    Ok(())
}
