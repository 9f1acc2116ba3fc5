//! Shows the addresses by which a ROUTER knows its peers: one that it made up, and one that the peer chose.
//!
//! Chapter: 3, Identities and Addresses
//! Original: identity.c
//! Replaces it: alone
//! Teaches: the routing id that a ROUTER puts in front of every message, generated or set by the peer
//! Arguments: --endpoint inproc://example
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: none
//! Test prints: in order
//! - `----------------------------------------`
//! - `[005] 00<hex>`
//! - `[000] `
//! - `[039] ROUTER uses a generated 5 byte identity`
//! - `----------------------------------------`
//! - `[005] PEER2`
//! - `[000] `
//! - `[040] ROUTER socket uses REQ's socket identity`

mod common;

use clap::Parser;
use zmq::zhelpers::{s_dump, s_send};
use zmq::{Context, Req, Router};

/// Shows the addresses by which a ROUTER knows its peers: one that it made up, and one that the peer chose.
#[derive(Parser)]
struct Args {
    /// The endpoint of the ROUTER
    #[arg(long, default_value = "inproc://example")]
    endpoint: String,
}

fn main() -> common::Result {
    common::until_ctrl_c(|| compare(&Args::parse()))
}

fn compare(args: &Args) -> common::Result {
    let context = Context::new()?;
    let sink = context.socket(Router)?;
    let endpoint = sink.bind(&args.endpoint)?;

    // The ROUTER generates a name for a peer without one: five bytes, of which the first is 0.
    let anonymous = context.socket(Req)?;
    anonymous.connect(&endpoint)?;
    s_send(&anonymous, "ROUTER uses a generated 5 byte identity")?;
    s_dump(&sink)?;

    // This peer has a name of its own, which it must set before it connects.
    let identified = context.socket(Req)?;
    identified.set_routing_id("PEER2")?;
    identified.connect(&endpoint)?;
    s_send(&identified, "ROUTER socket uses REQ's socket identity")?;

    // The REQ sends the empty frame between the address and the text.
    s_dump(&sink)?;
    Ok(())
}
