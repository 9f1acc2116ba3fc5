//! The system's libzmq, found by pkg-config.

use crate::{Linked, dotted, header_version, out_dir, variable};
use pkg_config::Library;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const OLDEST: &str = "4.3.4";
/// Drafts change from one release to the next: `ZMQ_RECONNECT_STOP_AFTER_DISCONNECT` had another value in 4.3.4.
const OLDEST_DRAFT: (u32, u32, u32) = (4, 3, 5);
const PROBE: &str = "build/capabilities.c";

pub fn link() -> Result<Linked, String> {
    let library = pkg_config::Config::new().atleast_version(OLDEST).probe("libzmq").map_err(|error| {
        format!(
            "the system's libzmq was asked for (feature `system` or LIBZMQ_SYSTEM=1), but pkg-config does not find \
             libzmq {OLDEST} or newer:\n{error}"
        )
    })?;
    let include = include_dir(&library)?;
    let version = header_version(&include)?;
    if dotted(version) != library.version {
        return Err(format!(
            "{} is the header of libzmq {}, but pkg-config finds libzmq {}",
            include.join("zmq.h").display(),
            dotted(version),
            library.version
        ));
    }
    println!("cargo::rerun-if-changed={}", include.join("zmq.h").display());
    println!("cargo::rerun-if-changed={PROBE}");

    let capabilities = capabilities(&library, &include, version)?;
    let lib = library.link_paths.first().cloned().or_else(|| pkg_config_dir("libdir")).unwrap_or_default();
    Ok(Linked {
        origin: "system",
        patches: "none",
        root: pkg_config_dir("prefix").or_else(|| include.parent().map(PathBuf::from)).unwrap_or_default(),
        include,
        lib,
        version,
        capabilities,
        libs: library.libs,
        search: library.link_paths,
        sodium: None,
        dryoc: false,
    })
}

/// The directory of `zmq.h`. Some pkg-configs leave out the compiler's default directory, which bindgen and dependents must
/// know.
fn include_dir(library: &Library) -> Result<PathBuf, String> {
    library
        .include_paths
        .iter()
        .cloned()
        .chain(pkg_config_dir("includedir"))
        .find(|path| path.join("zmq.h").is_file())
        .ok_or_else(|| {
            let version = &library.version;
            format!("pkg-config finds libzmq {version}, but no zmq.h with it; is its development package whole?")
        })
}

fn pkg_config_dir(variable: &str) -> Option<PathBuf> {
    pkg_config::get_variable("libzmq", variable).ok().filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// The capabilities that the library itself reports, if a program for the target runs here. Otherwise those that every libzmq
/// of the platform has, and `draft` if the feature is on.
fn capabilities(library: &Library, include: &Path, version: (u32, u32, u32)) -> Result<Vec<String>, String> {
    let draft = cfg!(feature = "draft");
    let no_drafts = || {
        format!(
            "feature `draft` is on, but the system's libzmq {} was built without drafts (ZMQ_BUILD_DRAFT_API); turn the \
             feature off, or build the vendored libzmq (without feature `system`, or with LIBZMQ_SYSTEM=0)",
            library.version
        )
    };
    if draft && version < OLDEST_DRAFT {
        return Err(format!(
            "feature `draft` binds the drafts of libzmq {}, but the system's libzmq is {}; turn the feature off, or build \
             the vendored libzmq (without feature `system`, or with LIBZMQ_SYSTEM=0)",
            dotted(OLDEST_DRAFT),
            library.version
        ));
    }

    let cross = variable("HOST") != variable("TARGET");
    let answer = match compile(library, include, false) {
        Ok(_) if cross && draft && compile(library, include, true).is_err() => return Err(no_drafts()),
        Ok(_) if cross => Err("a program for the target cannot run here".to_owned()),
        Ok(program) => run(&program, library),
        Err(error) => Err(error),
    };
    match answer {
        Ok(text) => {
            let mut lines = text.lines().map(str::to_owned);
            let linked = lines.next().unwrap_or_default();
            if linked != library.version {
                return Err(format!("pkg-config finds libzmq {}, but what is linked is {linked}", library.version));
            }
            let capabilities: Vec<String> = lines.collect();
            if draft && !capabilities.iter().any(|name| name == "draft") {
                return Err(no_drafts());
            }
            Ok(capabilities)
        }
        Err(reason) => {
            println!("safe-zmq-sys: the capabilities of the system's libzmq are not known: {reason}");
            let unix = env::var_os("CARGO_CFG_UNIX").is_some();
            let known = [("ipc", unix), ("draft", draft)].into_iter().filter(|(_, known)| *known);
            Ok(known.map(|(name, _)| name.to_owned()).collect())
        }
    }
}

fn compile(library: &Library, include: &Path, draft: bool) -> Result<PathBuf, String> {
    let program = out_dir().join(if draft { "capabilities-draft" } else { "capabilities" });
    let compiler = cc::Build::new().try_get_compiler().map_err(|error| error.to_string())?;
    if compiler.is_like_msvc() {
        return Err("the probe is written for compilers that take the options of Unix".to_owned());
    }
    let mut command = compiler.to_command();
    if draft {
        command.arg("-DZMQ_BUILD_DRAFT_API");
    }
    command.arg("-I").arg(include).arg(PROBE).arg("-o").arg(&program);
    command.args(library.link_paths.iter().map(|path| format!("-L{}", path.display())));
    command.args(library.libs.iter().map(|lib| format!("-l{lib}")));
    output(&mut command)?;
    Ok(program)
}

fn run(program: &Path, library: &Library) -> Result<String, String> {
    let name = if cfg!(target_os = "macos") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };
    let mut paths = library.link_paths.clone();
    paths.extend(env::var_os(name).iter().flat_map(env::split_paths));
    let mut command = Command::new(program);
    if let Ok(paths) = env::join_paths(paths) {
        command.env(name, paths);
    }
    output(&mut command).map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn output(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        Ok(output)
    } else {
        Err(format!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)))
    }
}
