//! From C to Rust: every function and constant of `zmq.h`, and the items that stand for it.
//!
//! This page has no items of its own. What only exists with the feature `draft` is listed where that is on.
//!
#![doc = include_str!("stable.md")]
#![cfg_attr(feature = "draft", doc = include_str!("draft.md"))]
