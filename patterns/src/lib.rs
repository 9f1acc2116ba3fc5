#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(rust_2018_idioms)]

mod actor;
pub mod binary_star;
mod cause;
pub mod clone;
mod deadline;
pub mod discovery;
pub mod file_transfer;
mod frame;
pub mod freelance;
mod guard;
pub mod last_value;
mod lazy_pirate;
mod lock;
pub mod majordomo;
mod order;
pub mod pirate;
mod places;
mod platform;
mod proxy;
mod random;
mod reactor;
mod router;
mod run;
mod setup;
mod shared;
mod thread;
#[cfg(unix)]
pub mod titanic;

pub use actor::{Actor, ActorError, ActorPipe, ActorResult, PipeWithin};
pub use guard::EndpointGuard;
pub use lazy_pirate::{LazyPirate, LazyPirateAction, LazyPirateMachine, RequestError, TryEvent};
pub use proxy::Proxy;
pub use reactor::{Ended, HandlerId, HandlerResult, Reactor, ReactorError};
pub use shared::{SharedSocket, SharedWithin};
