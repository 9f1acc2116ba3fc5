//! A DISH only receives.

use zmq::{Context, Dish};

fn main() {
    let context = Context::new().unwrap();
    let dish = context.socket(Dish).unwrap();
    dish.send("no").unwrap();
}
