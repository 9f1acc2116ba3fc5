//! Writes the bindings: generated from the header in use if possible, otherwise those that are shipped with this crate.

use std::fs;
use std::path::Path;

const STABLE: &str = include_str!("../src/shipped/stable.rs");
const DRAFT: &str = include_str!("../src/shipped/draft.rs");

/// Writes the bindings for the `zmq.h` in `include` to `target`, and returns their origin.
/// An empty `include` stands for no header.
pub fn write(include: &Path, version: (u32, u32, u32), target: &Path) -> Result<&'static str, String> {
    let generated = if include.as_os_str().is_empty() { None } else { generated(include) };
    let (text, origin) = match generated {
        Some(text) => (text, "generated"),
        None => (shipped(version), "shipped"),
    };
    fs::write(target, text).map_err(|error| format!("cannot write {}: {error}", target.display()))?;
    Ok(origin)
}

#[cfg(feature = "bindgen")]
fn generated(include: &Path) -> Option<String> {
    use crate::generate;

    for variable in ["LIBCLANG_PATH", "LLVM_CONFIG_PATH", "CLANG_PATH", "BINDGEN_EXTRA_CLANG_ARGS"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    if let Err(error) = generate::load_libclang() {
        println!("safe-zmq-sys: no libclang, so the shipped bindings serve: {error}");
        return None;
    }
    match generate::generate(include, cfg!(feature = "draft"), &[]) {
        Ok(text) => Some(text),
        // A libclang without clang's own headers, as distributions have it for other tools.
        Err(error) if error.contains("file not found") => {
            println!("safe-zmq-sys: libclang lacks headers, so the shipped bindings serve: {error}");
            None
        }
        Err(error) => {
            let error = error.replace('\n', " ");
            println!("cargo::warning=bindgen failed, so the shipped bindings serve: {error}");
            None
        }
    }
}

#[cfg(not(feature = "bindgen"))]
fn generated(_include: &Path) -> Option<String> {
    None
}

/// The version that the shipped bindings declare.
pub fn shipped_version() -> (u32, u32, u32) {
    let number = |name: &str| {
        let value = STABLE.lines().find_map(|line| line.strip_prefix("pub const ZMQ_VERSION_")?.strip_prefix(name));
        value.and_then(|value| value.strip_suffix(';')?.parse().ok()).expect("the shipped bindings declare a version")
    };
    (number("MAJOR: i32 = "), number("MINOR: i32 = "), number("PATCH: i32 = "))
}

/// The shipped bindings, with the version of the linked libzmq. Every libzmq that may be linked has everything that they
/// declare.
fn shipped((major, minor, patch): (u32, u32, u32)) -> String {
    let text = if cfg!(feature = "draft") { DRAFT } else { STABLE };
    text.lines()
        .map(|line| {
            let number = match line.split(':').next() {
                Some("pub const ZMQ_VERSION_MAJOR") => major,
                Some("pub const ZMQ_VERSION_MINOR") => minor,
                Some("pub const ZMQ_VERSION_PATCH") => patch,
                _ => return format!("{line}\n"),
            };
            format!("{} = {number};\n", line.split(" = ").next().unwrap_or(line))
        })
        .collect()
}
