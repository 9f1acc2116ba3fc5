//! The directories that Cargo knows.

#![allow(dead_code, reason = "each example uses its own part")]

use crate::command::{cargo, run, text};
use serde_json::Value;
use std::path::{Path, PathBuf};

pub struct Places {
    /// libzmq's tree in the registry crate, without patches.
    pub upstream: PathBuf,
    /// Cargo's target directory.
    pub target: PathBuf,
}

impl Places {
    pub fn find() -> Result<Places, String> {
        let metadata = run(cargo().args(["metadata", "--format-version=1"]))?;
        let metadata: Value = serde_json::from_str(&metadata).map_err(|error| error.to_string())?;
        let packages = metadata["packages"].as_array().ok_or("cargo metadata lists no packages")?;
        let zeromq = packages.iter().find(|package| package["name"] == "zeromq-src").ok_or("no package zeromq-src")?;
        let manifest = Path::new(text(&zeromq["manifest_path"])?);
        let upstream = manifest.parent().ok_or("a manifest without a directory")?.join("vendor");
        Ok(Places { upstream, target: PathBuf::from(text(&metadata["target_directory"])?) })
    }
}
