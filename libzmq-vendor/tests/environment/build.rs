//! Builds libzmq, as any build script that uses this crate does.

use libzmq_vendor::Patches;

/// Names the argument of `Build::patches`; without the variable, the method is not called.
const PATCHES: &str = "PACKAGE_PATCHES";

fn main() -> Result<(), libzmq_vendor::Error> {
    println!("cargo:rerun-if-env-changed={PATCHES}");
    libzmq_vendor::intercept();
    let mut build = libzmq_vendor::Build::new();
    if let Ok(name) = std::env::var(PATCHES) {
        let all = [Patches::None, Patches::Safety, Patches::All];
        build.patches(all.into_iter().find(|patches| patches.name() == name).expect("none, safety or all"));
    }
    let zmq = build.compile()?;
    println!("cargo:warning=the patches are {}", zmq.patches.name());
    Ok(())
}
