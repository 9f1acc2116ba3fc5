#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![allow(non_camel_case_types, non_snake_case)]

#[cfg(curve_by_dryoc)]
mod curve;
mod types;

mod bindings {
    #![allow(missing_docs)]

    use crate::types::*;

    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}

pub use bindings::*;
pub use types::*;

/// The origin of the linked libzmq: `"vendored"` or `"system"`.
pub const LINKED: &str = env!("ZMQ_SYS_LINKED");

/// The set of [patches] that the linked libzmq has: `"all"`, `"safety"` or `"none"`; a system's libzmq has `"none"`.
///
/// The patches do not concern CURVE's cryptography: a vendored libzmq with `"none"` has the sources as released, and calls
/// the crate dryoc instead of libsodium.
///
/// [patches]: https://github.com/safe-zmq/safe-zmq/blob/main/libzmq-vendor/patches/README.md
pub const PATCHES: &str = env!("ZMQ_SYS_PATCHES");

/// The origin of these bindings: `"generated"` from the header of the linked library when this crate was built, or
/// `"shipped"` with this crate.
pub const BINDINGS: &str = env!("ZMQ_SYS_BINDINGS");

/// The version these bindings declare, as one number that can be compared.
pub const ZMQ_VERSION: i32 = ZMQ_MAKE_VERSION(ZMQ_VERSION_MAJOR, ZMQ_VERSION_MINOR, ZMQ_VERSION_PATCH);

/// Makes one number that can be compared out of the three of a version.
#[must_use]
pub const fn ZMQ_MAKE_VERSION(major: i32, minor: i32, patch: i32) -> i32 {
    major * 10_000 + minor * 100 + patch
}
