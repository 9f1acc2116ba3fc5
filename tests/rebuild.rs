//! Cargo builds nothing again if nothing has changed.

#[path = "common/cargo.rs"]
mod cargo;

use cargo::{cargo, run};

#[test]
fn second_build_builds_nothing() {
    let build = || {
        let mut cargo = cargo("build", cfg!(feature = "draft"));
        cargo.args(["--lib", "--verbose", "--color=never"]);
        run(cargo)
    };
    build();
    let said = build();
    for package in ["libzmq-vendor", "safe-zmq-sys", "safe-zmq"] {
        assert!(said.contains(&format!("Fresh {package} ")), "{package} is built again:\n{said}");
    }
    assert!(!said.contains("Dirty") && !said.contains("Running"), "{said}");
}
