//! The version and the capabilities of the linked libzmq, and the texts of error numbers.

use std::ffi::CString;

use crate::error::Errno;
use crate::raw;

/// The version of the linked libzmq: major, minor, patch.
///
/// ```
/// assert!(zmq::version() >= (4, 3, 4));
/// ```
#[doc(alias = "zmq_version")]
#[doc(alias = "ZMQ_VERSION")]
#[doc(alias = "ZMQ_VERSION_MAJOR")]
#[doc(alias = "ZMQ_VERSION_MINOR")]
#[doc(alias = "ZMQ_VERSION_PATCH")]
#[doc(alias = "ZMQ_MAKE_VERSION")]
pub fn version() -> (u32, u32, u32) {
    raw::version()
}

/// Whether the linked libzmq has a capability: `ipc`, `curve`, `gssapi`, `pgm`, `tipc`, `norm`, `vmci`, `draft`, `WS`,
/// `WSS`. Names are case-sensitive. `false` for a name that libzmq does not know.
///
/// ```
/// assert!(zmq::has("ipc"));
/// assert!(!zmq::has("teleport"));
/// ```
#[doc(alias = "zmq_has")]
#[doc(alias = "ZMQ_HAS_CAPABILITIES")]
pub fn has(capability: &str) -> bool {
    CString::new(capability).is_ok_and(|capability| raw::has(&capability))
}

/// The text of an error number.
///
/// ```
/// assert_eq!(zmq::strerror(zmq::Errno::ETERM), "Context was terminated");
/// ```
#[doc(alias = "zmq_strerror")]
pub fn strerror(errno: Errno) -> String {
    errno.text().into_owned()
}
