//! The suicidal snail: suisnail, with a C peer in each role.

use super::*;

/// It takes the times of now, and ends at the old one.
#[deadline::test]
fn suisnail_ends_at_a_message_of_a_c_publisher_that_is_too_late() {
    let port = Port::reserve();
    let publisher = Process::start(c_program("suisnail.c"), &["pub", &port.bind(), "7200000"]);
    let args = format!("--no-publisher --subscriber {} --limit 3600000", port.connect());
    let lines = ended(start("suisnail", &args));
    let times: Vec<u64> = lines.iter().map(|line| line.parse().unwrap()).collect();
    assert!(times.len() == 4 && times[..3].is_sorted() && times[3] < times[0] - 3_600_000, "{times:?}");
    assert_eq!(ended(publisher), ["left"]);
}

#[deadline::test]
fn suisnail_publishes_the_time_for_a_c_subscriber() {
    let port = Port::reserve();
    let publisher = start("suisnail", &format!("--no-subscriber --publisher {}", port.bind()));
    assert_eq!(ended(Process::start(c_program("suisnail.c"), &["sub", &port.connect()])), ["5 times"]);
    assert_eq!(interrupt(publisher), NOTHING);
    let context = Context::new().unwrap();
    let holder = context.socket(Pub).unwrap();
    let taken = holder.bind("tcp://127.0.0.1:*").unwrap();
    names_taken_endpoint("suisnail", &["--publisher", &taken], &taken);
}

/// Texts that are no times are printed, and a time in the future is not late.
#[deadline::test]
fn suisnail_survives_nonsense() {
    let port = Port::reserve();
    let context = Context::new().unwrap();
    let publisher = context.socket(XPub).unwrap();
    publisher.bind(&port.bind()).unwrap();
    let snail = start("suisnail", &format!("--no-publisher --subscriber {}", port.connect()));
    assert_eq!(publisher.recv_msg().unwrap(), b"\x01");
    for text in ["nonsense", "", "-1", "99999999999999"] {
        publisher.send(text).unwrap();
        assert_eq!(snail.line(), text);
    }
    publisher.send("0").unwrap();
    assert_eq!(ended(snail), ["0"]);
}
