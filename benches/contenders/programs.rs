//! The programs of the contenders, and the builds of their hello worlds.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::common::{self, text};
use crate::report::line;
use crate::runs::{self, Contender, cpu_of_children};

/// The argument that asks for the builds.
pub const BUILD: &str = "build";
/// The name of this library.
pub const OURS: &str = "this library";

/// A package of a crate's program.
struct Package {
    name: &'static str,
    /// Its package, whose programs have this name, and this name with `-hello`.
    package: &'static str,
    /// Its manifest in `benches/aio/`.
    manifest: &'static str,
    runtime: &'static str,
    features: &'static str,
}

const PACKAGES: [Package; 5] = [
    Package {
        name: "rust-zmq",
        package: "aio-zmq-alone",
        manifest: "zmq/alone/Cargo.toml",
        runtime: "threads",
        features: "",
    },
    Package {
        name: "rust-zmq over this library",
        package: "aio-zmq",
        manifest: "Cargo.toml",
        runtime: "threads",
        features: "",
    },
    Package {
        name: "arzmq",
        package: "aio-arzmq",
        manifest: "arzmq/Cargo.toml",
        runtime: "threads",
        features: "curve",
    },
    Package { name: "zeromq", package: "aio-zeromq", manifest: "Cargo.toml", runtime: "current", features: "" },
    Package { name: "rzmq", package: "aio-rzmq", manifest: "Cargo.toml", runtime: "current", features: "" },
];

impl Package {
    fn target(&self) -> PathBuf {
        let [_, target] = runs::folders();
        // A workspace of its own has a folder of its own: none waits for another's lock.
        if self.manifest == "Cargo.toml" { target } else { target.join(self.package) }
    }

    fn build(&self, target: &Path) -> Command {
        let [folder, _] = runs::folders();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--release", "--quiet", "--locked", "--manifest-path"]).arg(folder.join(self.manifest));
        cargo.arg("--target-dir").arg(target).args(["--package", self.package, "--features", self.features]);
        cargo
    }
}

/// All contenders that can be built here, C over the linked libzmq first.
pub fn contenders() -> Vec<Contender> {
    let mut contenders = Vec::new();
    for program in &common::programs("aio.c")[1..] {
        let (name, path) = (program.name.to_owned(), program.path.clone());
        contenders.push(Contender { name, path, arguments: Vec::new(), is_foreign: false });
    }
    contenders.push(Contender::ours(OURS, "blocking"));
    for package in &PACKAGES {
        let target = package.target();
        let built = package.build(&target).output().expect("cargo");
        if !built.status.success() {
            let errors = String::from_utf8_lossy(&built.stderr).into_owned();
            println!("No {}: it cannot be built here.\n{errors}", package.name);
            continue;
        }
        contenders.push(Contender {
            name: package.name.to_owned(),
            path: target.join("release").join(package.package),
            arguments: vec![package.runtime.to_owned()],
            is_foreign: true,
        });
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    match Command::new(root.join(".ci/pyzmq")).output() {
        Ok(output) if output.status.success() => contenders.push(Contender {
            name: "pyzmq".to_owned(),
            path: text(&output).trim().into(),
            arguments: vec![root.join("benches/aio/pyzmq.py").to_str().expect("text").to_owned()],
            is_foreign: true,
        }),
        _ => println!("No pyzmq: .ci/pyzmq cannot install it."),
    }
    contenders
}

/// The table of clean builds.
pub fn builds() -> String {
    let mut table = format!("### {BUILD}\n\n");
    let heads = ["hello world", "seconds of a clean build", "seconds of processor time", "KiB, stripped"];
    line(&mut table, heads.map(str::to_owned).into_iter(), true);
    for (name, flags) in [("C", Some(common::linked_library())), ("C, stock", common::stock_library())] {
        if let Some(flags) = flags {
            let program = common::compile("hello.c", name, &[flags, vec!["-s".to_owned()]].concat());
            let cells = [name.to_owned(), "-".to_owned(), "-".to_owned(), size(&program)];
            line(&mut table, cells.into_iter(), false);
        }
    }
    let mut ours = Command::new(env!("CARGO"));
    ours.args(["build", "--release", "--quiet", "--manifest-path"]);
    ours.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("contenders-build");
    ours.arg("--target-dir").arg(&target);
    measure(&mut table, OURS, ours, &target, "hello");
    for package in &PACKAGES {
        measure(&mut table, package.name, package.build(&target), &target, &format!("{}-hello", package.package));
    }
    println!("{table}");
    table
}

/// Adds the line of a program that is built from nothing.
fn measure(table: &mut String, name: &str, mut cargo: Command, target: &Path, program: &str) {
    let _ = std::fs::remove_dir_all(target);
    let (start, before) = (Instant::now(), cpu_of_children());
    let built = cargo.args(["--bin", program]).env("CARGO_PROFILE_RELEASE_STRIP", "symbols").output().expect("cargo");
    let cells = if built.status.success() {
        let (time, cpu) = (start.elapsed().as_secs_f64(), (cpu_of_children() - before) / 1e9);
        [format!("{time:.1}"), format!("{cpu:.1}"), size(&target.join("release").join(program))]
    } else {
        [(); 3].map(|()| "-".to_owned())
    };
    line(table, std::iter::once(name.to_owned()).chain(cells), false);
    let _ = std::fs::remove_dir_all(target);
}

fn size(program: &Path) -> String {
    (std::fs::metadata(program).expect("a program").len() >> 10).to_string()
}
