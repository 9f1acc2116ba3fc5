//! Turns the facts of the linked libzmq, which safe-zmq-sys relays as `DEP_ZMQ_*`, into cfgs.

use std::env;

/// The names that `zmq_has` knows. If the linked library has one, the cfg `zmq_has` has it too.
const CAPABILITIES: &[&str] = &["curve", "gssapi", "pgm", "norm", "vmci", "tipc", "ipc", "draft", "WS", "WSS"];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(zmq_vendored)");
    println!("cargo:rustc-check-cfg=cfg(zmq_patches, values(\"safety\", \"all\"))");
    println!("cargo:rustc-check-cfg=cfg(zmq_has, values(\"{}\"))", CAPABILITIES.join("\", \""));

    let fact = |name: &str| env::var(format!("DEP_ZMQ_{name}")).unwrap_or_default();
    if fact("LINKED") == "vendored" {
        println!("cargo:rustc-cfg=zmq_vendored");
    }
    // All patches include those for safety.
    let patches = fact("PATCHES");
    for (cfg, sets) in [("safety", &["safety", "all"][..]), ("all", &["all"])] {
        if sets.contains(&&*patches) {
            println!("cargo:rustc-cfg=zmq_patches=\"{cfg}\"");
        }
    }
    for capability in fact("CAPABILITIES").split(',').filter(|name| CAPABILITIES.contains(name)) {
        println!("cargo:rustc-cfg=zmq_has=\"{capability}\"");
    }
}
