//! Lets the zmsg class of the older editions of the guide test itself.
//!
//! Chapter: 3, Multipart message class
//! Original: zmsg_test.c
//! Teaches: the zmsg class, and under which names its methods are found today
//! Arguments: --endpoint ipc://zmsg_selftest.ipc
//! Partners: none
//! Ends: by itself
//! Prints: in order
//! - ` * zmsg: OK`

mod common;

use clap::Parser;

use common::zmsg::Zmsg;

/// Lets the zmsg class of the older editions of the guide test itself.
#[derive(Parser)]
struct Args {
    /// Where the test's two sockets meet
    #[arg(long, default_value = "ipc://zmsg_selftest.ipc")]
    endpoint: String,
}

fn main() -> common::Result {
    // The messages that it receives are printed to standard error.
    common::until_ctrl_c(|| Zmsg::test(&Args::parse().endpoint, true))
}
