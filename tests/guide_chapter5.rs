//! The programs of the guide's chapter 5 as processes, with native C peers in every role, and with peers that die.

#[path = "guide_chapter5/clone.rs"]
mod clone;
mod common;
#[path = "guide/peers.rs"]
mod peers;
