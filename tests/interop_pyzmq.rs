//! Conversations with pyzmq, which brings its own libzmq, as a process.

mod common;

use common::{Process, python_program, within_deadline};

#[test]
fn pyzmq_is_there() {
    within_deadline(|| {
        let peer = Process::spawn(&mut python_program("version.py"));
        assert_eq!(peer.rest(), ["4.3.5"]);
        peer.succeeds();
    });
}
