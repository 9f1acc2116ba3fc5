//! The code that differs between systems: descriptors, error numbers, signals, files, and queries for conditions under which
//! libzmq would abort. Each system has a module, and all modules have the same names. A name that one of them lacks is absent
//! there, by a `cfg` at its use.
//!
//! rustix has most of these calls without `unsafe`. It would add three crates on Linux: itself, bitflags and linux-raw-sys.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;
