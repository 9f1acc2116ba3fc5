//! The only place with `unsafe`: one owner per C handle, one method per C function, and one small function per way in
//! which C functions report failure.

mod context;
#[cfg(feature = "draft")]
mod draft;
mod fork;
mod handles;
#[cfg(feature = "draft")]
mod locked;
mod message;
mod monitor;
mod os;
mod owners;
mod poll;
#[cfg(feature = "draft")]
mod ppoll;
mod signal;
mod socket;
mod specialized;
mod timers;
mod unshared;
mod util;

pub(crate) use context::RawContext;
pub(crate) use fork::{catching, count_forks, forks, process_state};
pub(crate) use handles::Handles;
#[cfg(feature = "draft")]
pub(crate) use locked::LockedPoller;
pub(crate) use message::RawMessage;
pub(crate) use monitor::{Format, Tap, Watch};
#[cfg(feature = "draft")]
pub(crate) use os::probe_priority;
pub(crate) use os::{local_time, prepare_listener, probe_affinity, probe_scheduling, shield, wipe};
pub(crate) use owners::wait_elsewhere;
pub use poll::PollItem;
pub(crate) use poll::poll;
#[cfg(feature = "draft")]
pub use ppoll::SignalMask;
#[cfg(feature = "draft")]
pub(crate) use ppoll::{DESCRIPTORS, ppoll};
pub(crate) use signal::{catch_signals, clear_interrupt, interrupted, reset_wake_up, wake_fd};
pub(crate) use socket::RawSocket;
pub(crate) use specialized::{Specialized, specialized};
pub(crate) use timers::RawTimers;
pub(crate) use unshared::Unshared;
pub(crate) use util::{
    KeyText, curve_keypair, curve_public, decode_key, encode_key, has, strerror, version, z85_decode, z85_encode,
};

use std::ffi::c_int;

use crate::error::Errno;

/// The calling thread's error number, as libzmq sees it.
#[cold]
fn last_errno() -> Errno {
    // SAFETY: zmq_errno has no preconditions; it reads a thread-local.
    Errno::from_raw(unsafe { zmq_sys::zmq_errno() })
}

/// Reads the return code of a function that answers -1 on failure.
#[inline]
fn check(rc: c_int) -> Result<c_int, Errno> {
    if rc == -1 { Err(last_errno()) } else { Ok(rc) }
}
