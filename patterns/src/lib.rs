#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(rust_2018_idioms)]

mod lazy_pirate;

pub use lazy_pirate::{LazyPirate, RequestError};
