//! The only place with `unsafe`: one owner per C handle, one method per C function, and in `outcome` one function for each
//! way in which C functions report failure.

mod adopt;
#[cfg(all(unix, feature = "tokio"))]
mod async_fd;
mod by_type;
mod context;
mod global;
mod handle;
#[cfg(feature = "draft")]
mod locked;
mod message;
mod not_sync;
mod outcome;
mod plain;
pub(crate) mod platform;
mod poll;
#[cfg(all(unix, feature = "draft"))]
mod ppoll;
mod process;
#[cfg(any(feature = "tokio", feature = "async-io"))]
mod signalled;
mod socket;
mod timers;

#[cfg(all(unix, feature = "tokio"))]
pub(crate) use async_fd::register_with_tokio;
pub(crate) use by_type::{ByType, Contents, by_type, contents, push_empty};
pub(crate) use context::RawContext;
pub(crate) use global::{KeyText, curve_keypair, curve_public, has, version, z85_decode, z85_encode};
pub(crate) use handle::{FastCalls, Format, MonitorHandle, OpLock, RawSocket};
#[cfg(feature = "draft")]
pub(crate) use locked::LockedPoller;
pub(crate) use message::{Fresh, MessageWriter, Owner, RawMessage};
pub(crate) use not_sync::NotSync;
pub use poll::PollItem;
pub(crate) use poll::poll;
#[cfg(all(unix, feature = "draft"))]
pub(crate) use ppoll::{SignalSet, ppoll};
pub(crate) use process::{PerProcess, catch_signal, count_forks};
#[cfg(any(feature = "tokio", feature = "async-io"))]
pub(crate) use signalled::Signalled;
pub(crate) use socket::RawValue;
pub(crate) use timers::RawTimers;
