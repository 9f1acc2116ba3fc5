//! The vendored libzmq, compiled by `libzmq-vendor`.

use crate::Linked;
use std::path::{Path, PathBuf};

pub fn link() -> Result<Linked, String> {
    let mut build = libzmq_vendor::Build::new();
    build
        .draft(cfg!(feature = "draft"))
        .gssapi(cfg!(feature = "gssapi"))
        .pgm(cfg!(feature = "pgm"))
        .norm(cfg!(feature = "norm"))
        .vmci(cfg!(feature = "vmci"));
    let sodium = cfg!(feature = "curve").then(sodium);
    if sodium.is_some() {
        build.curve(sodium.clone());
    }
    let artifacts = build.compile().map_err(|error| format!("the vendored libzmq does not build: {error}"))?;

    println!("cargo::rustc-link-search=native={}", artifacts.lib_dir.display());
    println!("cargo::rustc-link-lib=static=zmq");
    for path in &artifacts.search {
        println!("cargo::rustc-link-search=native={}", path.display());
    }
    for lib in &artifacts.libs {
        println!("cargo::rustc-link-lib={lib}");
    }

    let mut libs = vec!["zmq".to_owned()];
    let mut search = vec![artifacts.lib_dir.clone()];
    libs.extend(artifacts.libs);
    search.extend(artifacts.search);

    Ok(Linked {
        origin: "vendored",
        patches: artifacts.patches.name(),
        root: artifacts.root,
        include: artifacts.include,
        lib: artifacts.lib_dir,
        version: artifacts.version,
        capabilities: artifacts.capabilities.into_iter().map(str::to_owned).collect(),
        libs,
        search,
        dryoc: sodium.is_some(),
        sodium,
    })
}

/// The folder of the `sodium.h` whose functions `src/curve.rs` defines.
fn sodium() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sodium");
    println!("cargo::rerun-if-changed={}", folder.display());
    folder
}
