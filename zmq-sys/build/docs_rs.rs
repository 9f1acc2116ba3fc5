//! The libzmq of the docs that docs.rs builds. Nothing is compiled and nothing is linked: rustdoc only needs the bindings.

use crate::{Linked, bindings};
use std::path::PathBuf;

/// The facts of the vendored libzmq with the features that are on.
pub fn describe() -> Linked {
    let features = [
        ("curve", cfg!(feature = "curve")),
        ("draft", cfg!(feature = "draft")),
        ("gssapi", cfg!(feature = "gssapi")),
        ("pgm", cfg!(feature = "pgm")),
        ("norm", cfg!(feature = "norm")),
        ("vmci", cfg!(feature = "vmci")),
    ];
    let on = features.iter().filter(|(_, on)| *on).map(|(name, _)| (*name).to_owned());
    Linked {
        origin: "vendored",
        patches: libzmq_vendor::Patches::default().name(),
        root: PathBuf::new(),
        include: PathBuf::new(),
        lib: PathBuf::new(),
        version: bindings::shipped_version(),
        capabilities: on.collect(),
        libs: Vec::new(),
        search: Vec::new(),
        sodium: None,
        // The checks that set DOCS_RS compile all Rust code.
        dryoc: cfg!(feature = "curve"),
    }
}
