//! The vendored libzmq, as Cargo builds it for `safe-zmq-sys`, and the linker's arguments for a C program.

#![allow(dead_code, reason = "each example uses its own part")]

use crate::command::{cargo, run, text};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A built library.
pub struct Library {
    /// The directory that holds the others.
    pub root: PathBuf,
    /// The directories of the libraries.
    search: Vec<String>,
    /// The libraries, in link order. The first is the static libzmq.
    libs: Vec<String>,
}

impl Library {
    /// Has Cargo build it with these features, and with these variables of the environment.
    pub fn build(features: &str, variables: &[(&str, &str)]) -> Result<Library, String> {
        let messages = run(cargo()
            .args(["build", "--release", "--package=safe-zmq-sys", "--no-default-features", "--features", features])
            .arg("--message-format=json-render-diagnostics")
            .envs(variables.iter().copied()))?;
        let links_zmq = |script: &Value| {
            script["reason"] == "build-script-executed"
                && strings(&script["linked_libs"]).any(|lib| lib == "static=zmq")
        };
        let zmq: Value = messages
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .find(links_zmq)
            .ok_or("no build script says that it links the static library zmq")?;
        let name = |lib: &str| lib.rsplit_once('=').map_or(lib, |(_, name)| name).to_owned();
        Ok(Library {
            root: Path::new(text(&zmq["out_dir"])?).join("libzmq"),
            search: strings(&zmq["linked_paths"]).map(|path| format!("-L{}", name(path))).collect(),
            libs: strings(&zmq["linked_libs"]).map(|lib| format!("-l{}", name(lib))).collect(),
        })
    }

    /// The sources, with `platform.hpp` in `src`.
    pub fn source(&self) -> PathBuf {
        self.root.join("source")
    }

    /// The linker's arguments for a program, in link order.
    pub fn of_program(&self) -> Vec<String> {
        let mut arguments = vec![curve()];
        arguments.extend(self.search.iter().chain(&self.libs).cloned());
        arguments.push("-lsodium".to_owned());
        arguments
    }

    /// The linker's arguments for a shared library that has all of the static one.
    pub fn of_shared(&self) -> Vec<String> {
        let mut arguments = vec!["-shared".to_owned(), "-Wl,-z,defs".to_owned(), "-fPIC".to_owned(), curve()];
        arguments.extend(self.search.iter().cloned());
        for lib in &self.libs {
            match lib.as_str() {
                "-lzmq" => arguments.push("-Wl,--whole-archive,-lzmq,--no-whole-archive".to_owned()),
                lib => arguments.push(lib.to_owned()),
            }
        }
        arguments.push("-lsodium".to_owned());
        arguments
    }
}

/// The C file through which CURVE calls libsodium.
fn curve() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../zmq-sys/sodium/libsodium.c").display().to_string()
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}
