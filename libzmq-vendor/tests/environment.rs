//! A build uses the compilers, flags and patches that the environment names, and only a change of them builds libzmq again.
//! The tests have Cargo build a small package that builds libzmq. Its compilers write down their arguments, and compile an
//! empty file in place of each large unit, so a build takes seconds.

#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::thread;
use std::time::Duration;

/// Longer than the five builds take on a slow machine.
const DEADLINE: Duration = Duration::from_secs(600);

/// Has the package's build script call `Build::patches`.
const METHOD: &str = "PACKAGE_PATCHES";

/// A package in a directory of its own, which is removed with it.
struct Package {
    root: PathBuf,
}

impl Package {
    fn new(name: &str) -> Package {
        let name = format!("environment-{name}-{}", std::process::id());
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(root.join("src")).unwrap();
        let vendor = Path::new(env!("CARGO_MANIFEST_DIR"));
        let manifest = format!(
            "[package]\nname = \"package\"\nedition = \"2024\"\n[workspace]\n\
             [build-dependencies]\nlibzmq-vendor = {{ path = {vendor:?} }}\n"
        );
        fs::write(root.join("Cargo.toml"), manifest).unwrap();
        // The versions of this workspace's Cargo.lock are downloaded already.
        let _ = fs::copy(vendor.join("../Cargo.lock"), root.join("Cargo.lock"));
        fs::copy(vendor.join("tests/environment/build.rs"), root.join("build.rs")).unwrap();
        fs::write(root.join("src/lib.rs"), "").unwrap();
        Package { root }
    }

    /// Builds the package with these variables, and the tools. Gives Cargo's output and the calls of the tools.
    fn build(&self, variables: &[(&str, &str)]) -> (String, Vec<String>) {
        let (succeeds, said, calls) = self.try_build(variables);
        assert!(succeeds, "{said}");
        (said, calls)
    }

    /// As [`Package::build`], and gives whether Cargo succeeds.
    fn try_build(&self, variables: &[(&str, &str)]) -> (bool, String, Vec<String>) {
        let calls = self.root.join("calls");
        let _ = fs::remove_file(&calls);
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/environment");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--offline", "--verbose", "--color=never", "--target-dir", "target"]);
        cargo
            .current_dir(&self.root)
            .env("CALLS", &calls)
            .env_remove("LIBZMQ_VENDOR_SPLIT")
            .env_remove("LIBZMQ_VENDOR_PATCHES")
            .env_remove(METHOD);
        for (variable, tool) in [("CC", "cc"), ("CXX", "c++"), ("AR", "ar")] {
            cargo.env(variable, tools.join(tool));
        }
        for name in ["CFLAGS", "CXXFLAGS", "ARFLAGS"] {
            cargo.env_remove(name);
        }
        let output = cargo.envs(variables.iter().copied()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let calls = fs::read_to_string(&calls).unwrap_or_default();
        (output.status.success(), said, calls.lines().map(str::to_owned).collect())
    }

    /// The files of libzmq that were built.
    fn sources(&self) -> PathBuf {
        let builds = fs::read_dir(self.root.join("target/debug/build")).unwrap();
        let mut sources = builds.map(|build| build.unwrap().path().join("out/libzmq/source/src"));
        sources.find(|path| path.is_dir()).unwrap()
    }
}

impl Drop for Package {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// The calls of a tool that have all of these in them.
fn of<'a>(calls: &'a [String], tool: &str, parts: &[&str]) -> Vec<&'a String> {
    let has = |call: &&String| call.starts_with(&format!("{tool} ")) && parts.iter().all(|part| call.contains(part));
    calls.iter().filter(has).collect()
}

/// Ends the process if the test takes too long.
fn start_deadline() {
    thread::spawn(|| {
        thread::sleep(DEADLINE);
        eprintln!("hung: not done within {DEADLINE:?}");
        exit(1);
    });
}

/// `Build::patches` chooses, unless the variable is set.
#[test]
fn environment_and_method_choose_the_patches() {
    const VARIABLE: &str = "LIBZMQ_VENDOR_PATCHES";
    const CHOICES: [(&[(&str, &str)], &str); 9] = [
        (&[], "all"),
        (&[(VARIABLE, "none")], "none"),
        (&[(VARIABLE, "safety")], "safety"),
        (&[(VARIABLE, "all")], "all"),
        (&[(METHOD, "none")], "none"),
        (&[(METHOD, "safety"), (VARIABLE, "")], "safety"),
        (&[(METHOD, "none"), (VARIABLE, "all")], "all"),
        (&[(METHOD, "all"), (VARIABLE, "none")], "none"),
        (&[(METHOD, "all"), (VARIABLE, "safety")], "safety"),
    ];
    start_deadline();
    let package = Package::new("patches");
    // A line of the patch 0014, and one of 1009.
    let applied = || {
        let sources = package.sources();
        let has = |file: &str, line: &str| fs::read_to_string(sources.join(file)).unwrap().contains(line);
        (has("pipe.hpp", "bool is_ending ()"), has("dist.hpp", "bool has_room ()"))
    };
    for (variables, patches) in CHOICES {
        let (said, _) = package.build(variables);
        assert_eq!(applied(), (patches != "none", patches == "all"), "{variables:?}");
        assert!(said.contains(&format!("the patches are {patches}\n")), "{variables:?}: {said}");
    }
    let (succeeds, said, _) = package.try_build(&[(VARIABLE, "some")]);
    assert!(!succeeds && said.contains("LIBZMQ_VENDOR_PATCHES must be none, safety or all"), "{said}");
}

/// The two units hide that a file lacks an include: `patched_files_compile_by_themselves` finds that.
#[test]
fn split_build_compiles_each_file_by_itself() {
    start_deadline();
    let package = Package::new("split");
    let (_, calls) = package.build(&[("LIBZMQ_VENDOR_SPLIT", "1")]);
    let names = fs::read_dir(package.sources()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    // These need GnuTLS.
    let files: Vec<_> = names.filter(|name| name.ends_with(".cpp") && !name.starts_with("wss_")).collect();
    assert!(files.len() > 100, "{files:?}");
    for file in files {
        assert_eq!(of(&calls, "c++", &[&format!("/source/src/{file} ")]).len(), 1, "{file}: {calls:#?}");
    }
    for unit in ["libzmq.cpp", "libzmq_aside.cpp"] {
        assert!(of(&calls, "c++", &[unit]).is_empty(), "{calls:#?}");
    }
}

#[test]
fn environment_chooses_the_tools() {
    start_deadline();
    let package = Package::new("tools");
    let flags = [("CFLAGS", "-DIN_C"), ("CXXFLAGS", "-DIN_CXX"), ("ARFLAGS", "v")];
    let (_, calls) = package.build(&flags);
    for unit in ["libzmq.cpp", "libzmq_aside.cpp"] {
        assert_eq!(of(&calls, "c++", &[unit, "-DIN_CXX", "-O1"]).len(), 1, "{calls:#?}");
    }
    assert_eq!(of(&calls, "cc", &["sha1.c", "-DIN_C", "-O1"]).len(), 1, "{calls:#?}");
    assert!(of(&calls, "c++", &["-DIN_C "]).is_empty() && of(&calls, "cc", &["-DIN_CXX"]).is_empty(), "{calls:#?}");
    assert!(!of(&calls, "ar", &["libzmq.a", "libzmq.o", "libzmq_aside.o"]).is_empty(), "{calls:#?}");
    assert_eq!(of(&calls, "ar", &["libzmq.a"]).len(), of(&calls, "ar", &["libzmq.a", " v "]).len(), "{calls:#?}");

    // Nothing has changed, or only a variable that the build does not read.
    for more in [&[][..], &[("UNRELATED", "1")]] {
        let (said, calls) = package.build(&[&flags, more].concat());
        assert_eq!(calls, [""; 0]);
        for package in ["libzmq-vendor", "package"] {
            assert!(said.contains(&format!("Fresh {package} ")), "{said}");
        }
        assert!(!said.contains("Dirty") && !said.contains("Running"), "{said}");
    }

    // A flag has changed: only libzmq is built again.
    let (said, calls) = package.build(&[("CFLAGS", "-DIN_C"), ("CXXFLAGS", "-DOTHER"), ("ARFLAGS", "v")]);
    assert_eq!(of(&calls, "c++", &["libzmq.cpp", "-DOTHER"]).len(), 1, "{calls:#?}");
    assert!(of(&calls, "c++", &["-DIN_CXX"]).is_empty(), "{calls:#?}");
    assert!(said.contains("Fresh libzmq-vendor ") && !said.contains("Fresh package "), "{said}");

    // A changed opt-level compiles libzmq again.
    let (_, calls) = package.build(&[("CARGO_PROFILE_DEV_OPT_LEVEL", "1")]);
    assert_eq!(of(&calls, "c++", &["libzmq.cpp", "-O3"]).len(), 1, "{calls:#?}");
}
