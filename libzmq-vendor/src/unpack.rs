//! Gets libzmq's sources out of the registry crate `zeromq-src`.
//!
//! That crate unpacks them only while it compiles them with its own recipe. So its recipe runs in a child process, for a
//! fixed target and with a compiler and an archiver that do nothing. These are the build script's own executable:
//! [`intercept`] recognises by the environment that it must do nothing.

use crate::Error;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{self, Command};

/// Set in the child, and in the stand-in compilers that it starts.
const ROLE: &str = "LIBZMQ_VENDOR_UNPACK";

/// The first argument of the child. The stand-in compilers get a compiler's arguments.
const UNPACK: &str = "libzmq-vendor-unpack";

/// The variables that the child inherits: those that it needs to start programs and to write temporary files.
const INHERITED: &[&str] = &["PATH", "TMPDIR", "TMP", "TEMP", "SystemRoot", "SYSTEMROOT", "windir", "LD_LIBRARY_PATH"];

/// A target that `zeromq-src` knows. The unpacked files do not depend on it.
const TARGET: &str = "x86_64-unknown-linux-musl";

/// Must be the first call in the `main` of a build script that calls [`Build::compile`](crate::Build::compile).
///
/// `compile` starts the build script's executable again, in two roles: as the process that unpacks the sources, and as the
/// compiler and archiver of that process. In the first role this function unpacks the sources, in the second it does
/// nothing; then it exits the process. In the build script itself it returns.
pub fn intercept() {
    if env::var_os(ROLE).is_none() {
        return;
    }
    if env::args_os().nth(1).is_some_and(|argument| argument == UNPACK) {
        zeromq_src::Build::new().build();
    }
    process::exit(0);
}

/// Unpacks `include`, `src` and `external` into `directory`, which is replaced.
pub fn unpack(directory: &Path) -> Result<(), Error> {
    let scratch = directory.with_extension("unpack");
    remove(&scratch)?;
    remove(directory)?;
    fs::create_dir_all(&scratch).map_err(|error| Error::io("create", &scratch, &error))?;

    let myself = env::current_exe()
        .map_err(|error| Error::new(format!("the build script's own executable cannot be found: {error}")))?;
    let inherited = INHERITED.iter().filter_map(|name| Some((OsString::from(name), env::var_os(name)?)));
    let output = Command::new(&myself)
        .arg(UNPACK)
        .env_clear()
        .envs(inherited)
        .env(ROLE, "1")
        .envs([("CC", &myself), ("CXX", &myself), ("AR", &myself), ("RANLIB", &myself), ("OUT_DIR", &scratch)])
        .envs([("TARGET", TARGET), ("HOST", TARGET), ("OPT_LEVEL", "0"), ("DEBUG", "false")])
        .envs([("CARGO_CFG_TARGET_OS", "linux"), ("CARGO_CFG_TARGET_ENV", "musl")])
        .envs([("CARGO_CFG_TARGET_ARCH", "x86_64"), ("CARGO_CFG_TARGET_FEATURE", "")])
        .output()
        .map_err(|error| Error::new(format!("{} cannot be run: {error}", myself.display())))?;

    let unpacked = scratch.join("source");
    if !unpacked.join("src").join("zmq.cpp").is_file() {
        return Err(Error::new(format!(
            "zeromq-src did not unpack libzmq ({}); does the build script call libzmq_vendor::intercept() first?\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )));
    }
    fs::rename(&unpacked, directory).map_err(|error| Error::io("create", directory, &error))?;
    remove(&scratch)
}

fn remove(directory: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(directory) {
        Err(error) if directory.exists() => Err(Error::io("remove", directory, &error)),
        _ => Ok(()),
    }
}
