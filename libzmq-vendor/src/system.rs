//! The libraries of the system that optional features need.

use crate::Error;
use crate::probe::Probe;
use std::env;
use std::path::{Path, PathBuf};

/// The directories and libraries that a library of the system adds to the build.
#[derive(Debug, Default)]
pub struct System {
    pub includes: Vec<PathBuf>,
    pub libs: Vec<String>,
    pub search: Vec<PathBuf>,
}

impl System {
    /// Kerberos.
    pub fn gssapi() -> Result<System, Error> {
        pkg_config(&["krb5-gssapi", "mit-krb5-gssapi"])
            .map_err(|why| missing("gssapi", "MIT Kerberos", "libkrb5-dev", &why))
    }

    /// OpenPGM. Its pkg-config name contains its version.
    pub fn pgm() -> Result<System, Error> {
        const NAME: &str = "OPENPGM_PKGCONFIG_NAME";
        println!("cargo:rerun-if-env-changed={NAME}");
        let given = env::var(NAME).ok();
        let names = match &given {
            Some(name) => vec![name.as_str()],
            None => vec!["openpgm-5.3", "openpgm-5.2", "openpgm-5.1"],
        };
        pkg_config(&names).map_err(|why| missing("pgm", "OpenPGM", "libpgm-dev", &why))
    }

    /// NORM. It has a pkg-config file since 1.5.9 only.
    pub fn norm(compiler: &cc::Build, scratch: &Path) -> Result<System, Error> {
        match pkg_config(&["norm"]) {
            Ok(system) => Ok(system),
            Err(_) if Probe::Norm.ask(compiler, scratch) => {
                Ok(System { libs: vec!["norm".to_owned()], ..System::default() })
            }
            Err(why) => Err(missing("norm", "NORM", "libnorm-dev", &why)),
        }
    }

    /// VMware's socket header: VMCI needs no library.
    pub fn vmci(compiler: &cc::Build, scratch: &Path) -> Result<System, Error> {
        const DIRECTORIES: &str = "VMCI_INCLUDE_DIRS";
        println!("cargo:rerun-if-env-changed={DIRECTORIES}");
        let given = env::var_os(DIRECTORIES).unwrap_or_default();
        let includes: Vec<_> = env::split_paths(&given).filter(|path| !path.as_os_str().is_empty()).collect();
        let mut compiler = compiler.clone();
        if Probe::Vmci.ask(compiler.includes(&includes), scratch) {
            Ok(System { includes, ..System::default() })
        } else {
            Err(Error::new(format!(
                "the vmci feature needs vmci_sockets.h, which comes with VMware's products and in no Debian package: \
                 set {DIRECTORIES} to its directory"
            )))
        }
    }
}

fn pkg_config(names: &[&str]) -> Result<System, String> {
    let mut config = pkg_config::Config::new();
    config.cargo_metadata(false).env_metadata(true);
    // The compiler knows the system's own directories, and Clang's C++ headers break if they are named.
    config.print_system_cflags(false).print_system_libs(false);
    let mut failures = Vec::new();
    for name in names {
        match config.probe(name) {
            Ok(found) => {
                return Ok(System { includes: found.include_paths, libs: found.libs, search: found.link_paths });
            }
            Err(error) => failures.push(error.to_string()),
        }
    }
    Err(failures.join("\n"))
}

fn missing(feature: &str, library: &str, package: &str, why: &str) -> Error {
    Error::new(format!(
        "the {feature} feature needs {library}, which pkg-config does not find; \
         on Debian and Ubuntu: apt-get install {package} pkg-config\n{why}"
    ))
}
