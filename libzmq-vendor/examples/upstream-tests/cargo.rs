//! What Cargo knows: where upstream's tests are, and what a program links to get the vendored libzmq.

use crate::Edition;
use serde_json::Value;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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
        let scripts: Vec<Value> = messages
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(|message: &Value| message["reason"] == "build-script-executed")
            .collect();
        let links = |name: &str| {
            let of = format!("static={name}");
            let has = |script: &&Value| {
                script["linked_libs"].as_array().is_some_and(|libs| libs.iter().any(|lib| *lib == of))
            };
            scripts
                .iter()
                .find(has)
                .ok_or_else(|| format!("no build script says that it links the static library {name}"))
        };
        let (zmq, sodium) = (links("zmq")?, links("sodium")?);

        let mut search = Vec::new();
        for path in strings(&zmq["linked_paths"]).chain(strings(&sodium["linked_paths"])) {
            search.push(format!("-L{}", path.rsplit_once('=').map_or(path, |(_, path)| path)));
        }
        // libzmq calls libsodium, so it comes first; the system's libraries come last.
        let (ours, systems): (Vec<_>, Vec<_>) =
            strings(&zmq["linked_libs"]).partition(|lib| lib.starts_with("static="));
        let libs = ours.into_iter().chain(strings(&sodium["linked_libs"])).chain(systems);
        let libs = libs.map(|lib| format!("-l{}", lib.rsplit_once('=').map_or(lib, |(_, name)| name)));
        let source = Path::new(text(&zmq["out_dir"])?).join("libzmq").join("source");
        Ok(Library { source, link: search.into_iter().chain(libs).collect() })
    }
}

fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|error| error.to_string())
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("Cargo says {value} where a string is expected"))
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}
