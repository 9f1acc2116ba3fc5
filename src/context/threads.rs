//! The threads of a context. libzmq starts them when the context opens its first socket, and aborts the process if the system
//! refuses their scheduling. Without its patches for safety it also aborts if the system refuses a thread.

use std::collections::BTreeSet;
use std::io;
use std::sync::mpsc::channel;

use crate::error::{Errno, Result};
use crate::raw::platform;
use crate::thread::spawn;

/// The value of a scheduling option that was not set.
pub(crate) const UNSET: i32 = -1;

/// The scheduling options of the context's threads.
#[derive(Clone)]
pub(crate) struct Threads {
    pub(crate) policy: i32,
    pub(crate) priority: i32,
    /// The processors that were added.
    pub(crate) cpus: BTreeSet<usize>,
}

impl Threads {
    pub(crate) fn new() -> Threads {
        Threads { policy: UNSET, priority: UNSET, cpus: BTreeSet::new() }
    }

    /// Checks that the system permits `count` threads with these options. The setters have checked the options too, but the
    /// process may have given up a privilege since.
    ///
    /// # Errors
    ///
    /// `EPERM` or `EINVAL` if the system refuses the options, `EAGAIN` if it refuses the threads.
    pub(crate) fn check(self, count: usize) -> Result<()> {
        // libzmq with the patch 0058 reports a thread that is refused.
        if cfg!(not(zmq_patches = "safety")) {
            check_count(count)?;
        }
        if self.policy == UNSET && self.priority == UNSET && self.cpus.is_empty() {
            return Ok(());
        }
        probe(move || {
            if self.policy != UNSET || self.priority != UNSET {
                platform::probe_scheduling(self.policy, self.priority)?;
            }
            if self.cpus.is_empty() { Ok(()) } else { platform::probe_affinity(&Vec::from_iter(self.cpus)) }
        })
        .map_err(|errno| errno.with_detail("zmq_socket", "the system refuses the scheduling of the context's threads"))
    }
}

/// Starts `count` threads at once, and ends them.
fn check_count(count: usize) -> Result<()> {
    let start = || {
        let (end, ended) = channel::<()>();
        // The receiver waits until the sender is dropped.
        spawn("zmq-probe", move || ended.recv().is_err()).map(|thread| (end, thread))
    };
    let started: Result<Vec<_>> = (0..count).map(|_| start()).collect();
    let (ends, threads): (Vec<_>, Vec<_>) = started?.into_iter().unzip();
    drop(ends);
    // The threads do not panic.
    threads.into_iter().for_each(|thread| drop(thread.join()));
    Ok(())
}

/// Tries a setting in a new thread, because the setting changes its thread.
pub(crate) fn probe(setting: impl FnOnce() -> io::Result<()> + Send + 'static) -> Result<(), Errno> {
    match spawn("zmq-probe", setting) {
        Ok(thread) => thread
            .join()
            .map_or(Err(Errno::EINVAL), |outcome| outcome.map_err(|error| Errno::from_io(&error, Errno::EINVAL))),
        Err(error) => Err(error.errno()),
    }
}
