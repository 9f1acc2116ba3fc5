//! Chooses the libzmq to link, links it, makes the bindings that fit it, and reports its facts to dependents.

mod bindings;
mod docs_rs;
#[cfg(feature = "bindgen")]
mod generate;
mod system;
mod vendored;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The facts about the linked libzmq that dependents get.
struct Linked {
    /// "vendored" or "system".
    origin: &'static str,
    /// The set of patches that the linked libzmq has: "all", "safety" or "none".
    patches: &'static str,
    /// The directory that holds the include and the lib directory, as far as there is one.
    root: PathBuf,
    /// The directory of `zmq.h`.
    include: PathBuf,
    /// The directory of the library itself.
    lib: PathBuf,
    version: (u32, u32, u32),
    /// The names for which `zmq_has` answers 1.
    capabilities: Vec<String>,
    /// Everything a C program must link, in link order, libzmq first.
    libs: Vec<String>,
    /// The directories of those libraries that the linker does not search by itself.
    search: Vec<PathBuf>,
    /// The folder of `libsodium.c`, which a C program without Rust compiles with.
    sodium: Option<PathBuf>,
    /// Whether `src/curve.rs` defines the functions of `sodium.h`.
    dryoc: bool,
}

fn main() -> ExitCode {
    libzmq_vendor::intercept();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // A directive is one line.
            for line in message.lines().filter(|line| !line.is_empty()) {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    println!("cargo::rerun-if-env-changed=DOCS_RS");
    let linked = if env::var_os("DOCS_RS").is_some() {
        docs_rs::describe()
    } else if system_is_wanted()? {
        system::link()?
    } else {
        vendored::link()?
    };
    let origin = bindings::write(&linked.include, linked.version, &out_dir().join("bindings.rs"))?;
    println!("safe-zmq-sys: {} libzmq {}, {origin} bindings", linked.origin, dotted(linked.version));

    println!("cargo::rustc-check-cfg=cfg(curve_by_dryoc)");
    if linked.dryoc {
        println!("cargo::rustc-cfg=curve_by_dryoc");
    }
    constant("LINKED", linked.origin);
    constant("PATCHES", linked.patches);
    constant("BINDINGS", origin);
    constant("INCLUDE", &linked.include.display().to_string());
    constant("CAPABILITIES", &linked.capabilities.join(","));
    constant("TARGET", &variable("TARGET"));
    constant("HOST", &variable("HOST"));

    let (major, minor, patch) = linked.version;
    metadata("root", &linked.root.display().to_string());
    metadata("include", &linked.include.display().to_string());
    metadata("lib", &linked.lib.display().to_string());
    metadata("version_number", &(major * 10_000 + minor * 100 + patch).to_string());
    metadata("capabilities", &linked.capabilities.join(","));
    metadata("draft", if cfg!(feature = "draft") { "1" } else { "0" });
    metadata("linked", linked.origin);
    metadata("patches", linked.patches);
    metadata("bindings", origin);
    metadata("libs", &linked.libs.join(","));
    let search: Vec<String> = linked.search.iter().map(|path| path.display().to_string()).collect();
    metadata("search", &search.join(";"));
    let sodium = linked.sodium.map(|path| path.display().to_string());
    metadata("sodium", &sodium.unwrap_or_default());
    Ok(())
}

/// `LIBZMQ_SYSTEM` overrides the feature: any crate of a program can turn the feature on, and the person who builds the
/// program must be able to turn it off.
fn system_is_wanted() -> Result<bool, String> {
    println!("cargo::rerun-if-env-changed=LIBZMQ_SYSTEM");
    match env::var("LIBZMQ_SYSTEM").as_deref() {
        Ok("1") => Ok(true),
        Ok("0") => Ok(false),
        Ok("") | Err(env::VarError::NotPresent) => Ok(cfg!(feature = "system")),
        _ => Err("LIBZMQ_SYSTEM must be 1 (link the system's libzmq) or 0 (build the vendored one)".to_owned()),
    }
}

/// Reads the version that a `zmq.h` declares.
fn header_version(include: &Path) -> Result<(u32, u32, u32), String> {
    let path = include.join("zmq.h");
    let header = std::fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let number = |name: &str| {
        header
            .lines()
            .filter_map(|line| line.strip_prefix("#define ")?.strip_prefix(name)?.trim().parse().ok())
            .next()
            .ok_or_else(|| format!("{} does not define {name}", path.display()))
    };
    Ok((number("ZMQ_VERSION_MAJOR ")?, number("ZMQ_VERSION_MINOR ")?, number("ZMQ_VERSION_PATCH ")?))
}

fn dotted((major, minor, patch): (u32, u32, u32)) -> String {
    format!("{major}.{minor}.{patch}")
}

/// Makes a value visible to `env!` in the library and its tests.
fn constant(name: &str, value: &str) {
    println!("cargo::rustc-env=ZMQ_SYS_{name}={value}");
}

/// Makes a value visible to the build scripts of dependents, as `DEP_ZMQ_<KEY>`.
fn metadata(key: &str, value: &str) {
    println!("cargo::metadata={key}={value}");
}

fn out_dir() -> PathBuf {
    PathBuf::from(variable("OUT_DIR"))
}

/// A variable that Cargo sets for every build script.
fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("Cargo sets {name} for build scripts"))
}
