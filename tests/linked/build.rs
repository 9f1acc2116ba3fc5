//! Passes on the facts of the linked libzmq that safe-zmq-sys gives as `DEP_ZMQ_*`, which only build scripts see.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for name in ["DRAFT", "INCLUDE", "LIB", "LIBS", "SEARCH", "SODIUM", "VERSION_NUMBER"] {
        println!("cargo::rustc-env=ZMQ_{name}={}", env::var(format!("DEP_ZMQ_{name}")).unwrap_or_default());
    }
}
