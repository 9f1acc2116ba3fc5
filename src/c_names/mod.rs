//! From C to Rust: every function and constant of `zmq.h`, and the items that stand for it.
//!
//! This page has no items of its own. Names of the draft API are listed if the feature `draft` is on.
//!
#![doc = include_str!("stable.md")]
#![cfg_attr(feature = "draft", doc = include_str!("draft.md"))]
