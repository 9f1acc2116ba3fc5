//! What Cargo knows: where upstream's tests are, and what a program links to get the vendored libzmq.

use crate::Edition;
use crate::command::{cargo, run, text};
use serde_json::Value;
use std::env;
use std::path::{Path, PathBuf};

/// Where things are.
pub struct Workspace {
    /// Upstream's tree, in the registry crate.
    pub upstream: PathBuf,
    /// Cargo's target directory.
    pub target: PathBuf,
}

impl Workspace {
    pub fn find() -> Result<Workspace, String> {
        let metadata = run(cargo().args(["metadata", "--format-version=1"]))?;
        let metadata: Value = serde_json::from_str(&metadata).map_err(|error| error.to_string())?;
        let packages = metadata["packages"].as_array().ok_or("cargo metadata lists no packages")?;
        let zeromq = packages.iter().find(|package| package["name"] == "zeromq-src").ok_or("no package zeromq-src")?;
        let manifest = Path::new(text(&zeromq["manifest_path"])?);
        let upstream = manifest.parent().ok_or("a manifest without a directory")?.join("vendor");
        Ok(Workspace { upstream, target: PathBuf::from(text(&metadata["target_directory"])?) })
    }
}

/// The vendored libzmq, as Cargo builds it for `safe-zmq-sys`.
pub struct Library {
    /// Its sources, where `platform.hpp` is.
    pub source: PathBuf,
    /// The linker's arguments, in link order.
    pub link: Vec<String>,
}

impl Library {
    /// Has Cargo build it.
    pub fn build(edition: Edition) -> Result<Library, String> {
        let features = match edition {
            Edition::Stable => "curve",
            Edition::Draft => "curve,draft",
        };
        let messages = run(cargo()
            .args(["build", "--release", "--package=safe-zmq-sys", "--no-default-features", "--features", features])
            .arg("--message-format=json-render-diagnostics"))?;
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

        // C programs have libsodium behind CURVE.
        let curve = Path::new(env!("CARGO_MANIFEST_DIR")).join("../zmq-sys/sodium/libsodium.c");
        let mut link = vec![curve.display().to_string()];
        link.extend(strings(&zmq["linked_paths"]).map(|path| format!("-L{}", name(path))));
        link.extend(strings(&zmq["linked_libs"]).map(|lib| format!("-l{}", name(lib))));
        link.push("-lsodium".to_owned());
        let source = Path::new(text(&zmq["out_dir"])?).join("libzmq").join("source");
        Ok(Library { source, link })
    }
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}
