//! Builds libzmq 4.3.5 from source, in a build script.
//!
//! The sources are those of the registry crate `zeromq-src`; the recipe is this crate's own. It configures libzmq for
//! the target at least as completely as upstream's CMake does, optimises it in dev builds too, and compiles the files that
//! a message passes through as one translation unit. It links nothing: [`Build::compile`] returns the libraries to
//! link.
//!
//! ```no_run
//! fn main() -> Result<(), libzmq_vendor::Error> {
//!     libzmq_vendor::intercept();
//!     let zmq = libzmq_vendor::Build::new().draft(true).compile()?;
//!     println!("cargo:rustc-link-search=native={}", zmq.lib_dir.display());
//!     println!("cargo:rustc-link-lib=static=zmq");
//!     for path in &zmq.search {
//!         println!("cargo:rustc-link-search=native={}", path.display());
//!     }
//!     for lib in &zmq.libs {
//!         println!("cargo:rustc-link-lib={lib}");
//!     }
//!     Ok(())
//! }
//! ```

#![forbid(unsafe_code)]

mod compile;
mod macros;
mod patch;
mod patches;
mod probe;
mod system;
mod target;
#[cfg(test)]
mod tests;
mod unpack;

#[doc(hidden)]
pub use patch::{FilePatch, Patch, Test};
pub use patches::Patches;
#[doc(hidden)]
pub use patches::all as all_patches;
pub use unpack::intercept;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The choices for a build of libzmq.
#[derive(Clone, Debug, Default)]
pub struct Build {
    draft: bool,
    curve: bool,
    sodium_include: Option<PathBuf>,
    gssapi: bool,
    pgm: bool,
    norm: bool,
    vmci: bool,
    patches: Patches,
}

/// A built libzmq, and what a program has to link with it.
#[derive(Clone, Debug)]
pub struct Artifacts {
    /// The directory that holds the others.
    pub root: PathBuf,
    /// The directory of `zmq.h`.
    pub include: PathBuf,
    /// The directory of the static library `zmq`.
    pub lib_dir: PathBuf,
    /// The version that `zmq.h` states.
    pub version: (u32, u32, u32),
    /// The patches that were applied.
    pub patches: Patches,
    /// The names for which `zmq_has` returns 1.
    pub capabilities: Vec<&'static str>,
    /// The libraries to link after libzmq, in link order. The library that defines the functions of `sodium.h` is not
    /// among them.
    pub libs: Vec<String>,
    /// The directories of those libraries that the linker does not search by itself.
    pub search: Vec<PathBuf>,
}

impl Build {
    /// A libzmq with the stable API, the transports that the target has, and NULL and PLAIN security.
    pub fn new() -> Build {
        Build::default()
    }

    /// Whether the draft API is there.
    pub fn draft(&mut self, on: bool) -> &mut Build {
        self.draft = on;
        self
    }

    /// Turns CURVE security on. `sodium_include` is the directory of `sodium.h`: libsodium's, or one with the functions that
    /// libzmq calls. `None` if the compiler finds it by itself.
    pub fn curve(&mut self, sodium_include: Option<PathBuf>) -> &mut Build {
        self.curve = true;
        self.sodium_include = sodium_include;
        self
    }

    /// Whether GSSAPI (Kerberos) security is there; it needs the system's MIT Kerberos.
    pub fn gssapi(&mut self, on: bool) -> &mut Build {
        self.gssapi = on;
        self
    }

    /// Whether the transports pgm and epgm are there; they need the system's OpenPGM.
    pub fn pgm(&mut self, on: bool) -> &mut Build {
        self.pgm = on;
        self
    }

    /// Whether the transport norm is there; it needs the system's NORM library.
    pub fn norm(&mut self, on: bool) -> &mut Build {
        self.norm = on;
        self
    }

    /// Whether the transport vmci is there; it needs VMware's `vmci_sockets.h`.
    pub fn vmci(&mut self, on: bool) -> &mut Build {
        self.vmci = on;
        self
    }

    /// The patches to apply; the default is all. The variable `LIBZMQ_VENDOR_PATCHES` in the environment (`none`,
    /// `safety` or `all`) overrides it: a program's builder can set the environment, but cannot change the build script
    /// that calls this.
    pub fn patches(&mut self, patches: Patches) -> &mut Build {
        self.patches = patches;
        self
    }

    /// Compiles libzmq into `OUT_DIR`, for the target that Cargo names.
    ///
    /// It prints `cargo:rerun-if-env-changed` lines for what it reads of the environment, and no other instruction to
    /// Cargo.
    ///
    /// # Errors
    ///
    /// A library that a feature needs is missing, the compiler fails, `LIBZMQ_VENDOR_PATCHES` has another value than
    /// `none`, `safety` and `all`, or libzmq's configuration for the target is not known. The text says what to do.
    pub fn compile(&self) -> Result<Artifacts, Error> {
        compile::run(self)
    }
}

/// Why libzmq could not be built.
#[derive(Clone, Debug)]
pub struct Error {
    text: String,
}

impl Error {
    fn new(text: String) -> Error {
        Error { text }
    }

    fn io(what: &str, path: &Path, error: &io::Error) -> Error {
        Error::new(format!("cannot {what} {}: {error}", path.display()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}
