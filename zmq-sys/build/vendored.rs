//! The vendored libzmq, compiled by `libzmq-vendor`.

use crate::Linked;
use std::env;
use std::path::PathBuf;

pub fn link() -> Result<Linked, String> {
    let mut build = libzmq_vendor::Build::new();
    build
        .draft(cfg!(feature = "draft"))
        .gssapi(cfg!(feature = "gssapi"))
        .pgm(cfg!(feature = "pgm"))
        .norm(cfg!(feature = "norm"))
        .vmci(cfg!(feature = "vmci"));
    if cfg!(feature = "curve") {
        build.curve(sodium_include());
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

    // libsodium is linked by its own crate, which rustc puts behind this one; a C program has to name it.
    let mut libs = vec!["zmq".to_owned()];
    let mut search = vec![artifacts.lib_dir.clone()];
    if cfg!(feature = "curve") {
        libs.push(sodium_name().to_owned());
        search.extend(sodium_lib());
    }
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
    })
}

/// Where libsodium's crate says its headers are; it says nothing where the compiler finds them by itself.
fn sodium_include() -> Option<PathBuf> {
    env::var_os("DEP_SODIUM_INCLUDE").map(PathBuf::from)
}

/// Where libsodium's crate says the library is, or was told to look for it.
fn sodium_lib() -> Option<PathBuf> {
    env::var_os("DEP_SODIUM_LIB").or_else(|| env::var_os("SODIUM_LIB_DIR")).map(PathBuf::from)
}

fn sodium_name() -> &'static str {
    if crate::variable("CARGO_CFG_TARGET_ENV") == "msvc" { "libsodium" } else { "sodium" }
}
