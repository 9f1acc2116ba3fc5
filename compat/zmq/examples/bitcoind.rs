//! Publishes as Bitcoin Core does, at the endpoint in its argument: the hash of a block, again and again.

use std::thread::sleep;
use std::time::Duration;

fn main() {
    let endpoint = std::env::args().nth(1).expect("an endpoint");
    let publisher = zmq::Context::new().socket(zmq::PUB).unwrap();
    publisher.bind(&endpoint).unwrap();
    for sequence in 0u32.. {
        publisher.send_multipart([&b"hashblock"[..], &[7; 32], &sequence.to_le_bytes()], 0).unwrap();
        sleep(Duration::from_millis(100));
    }
}
