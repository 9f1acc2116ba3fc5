//! The directory of the suites, and the shared library in it.

use crate::command::{failed, run};
use crate::library::Library;
use crate::places::Places;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The file name of the library of libzmq 4.3.5.
const FILE: &str = "libzmq.so.5.2.5";
const SONAME: &str = "libzmq.so.5";

pub struct Place {
    pub directory: PathBuf,
}

impl Place {
    pub fn new() -> Result<Place, String> {
        let directory = Places::find()?.target.join("other-suites");
        fs::create_dir_all(&directory).map_err(|error| failed(&directory, error))?;
        Ok(Place { directory })
    }

    /// The prefix against which the suites are built once. Libraries with different patches have the same interface.
    pub fn prefix(&self) -> PathBuf {
        self.directory.join("prefix")
    }

    /// A command that finds the library.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("LD_LIBRARY_PATH", self.prefix().join("lib"));
        command.env("PKG_CONFIG_PATH", self.prefix().join("lib").join("pkgconfig"));
        command
    }

    /// Builds libzmq with these patches as a shared library, and puts it into the prefix.
    pub fn install(&self, patches: &str) -> Result<(), String> {
        let target = self.directory.join("cargo").display().to_string();
        let variables = [("LIBZMQ_VENDOR_PATCHES", patches), ("CARGO_TARGET_DIR", target.as_str())];
        let library = Library::build("curve", &variables)?;
        let prefix = self.prefix();
        let (include, lib) = (prefix.join("include"), prefix.join("lib"));
        let pkg_config = lib.join("pkgconfig");
        for directory in [&include, &lib, &pkg_config] {
            fs::create_dir_all(directory).map_err(|error| failed(directory, error))?;
        }
        for header in ["zmq.h", "zmq_utils.h"] {
            let to = include.join(header);
            fs::copy(library.root.join("include").join(header), &to).map_err(|error| failed(&to, error))?;
        }
        let file = lib.join(FILE);
        run(Command::new("c++").arg(format!("-Wl,-soname,{SONAME}")).arg("-o").arg(&file).args(library.of_shared()))?;
        for link in [SONAME, "libzmq.so"] {
            let link = lib.join(link);
            match symlink(FILE, &link) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed(&link, error)),
                _ => {}
            }
        }
        let prefix = prefix.display();
        let description = format!(
            "Name: libzmq\nDescription: the vendored libzmq\nVersion: 4.3.5\n\
             Cflags: -I{prefix}/include\nLibs: -L{prefix}/lib -lzmq\n"
        );
        let file = pkg_config.join("libzmq.pc");
        fs::write(&file, description).map_err(|error| failed(&file, error))
    }

    /// `text` has the path of each loaded library. Fails unless it has the libzmq of the prefix, and no other libzmq.
    pub fn check_loaded(&self, text: &str) -> Result<(), String> {
        let own = self.prefix().join("lib").display().to_string();
        let mut loaded = text.lines().filter(|line| line.contains("libzmq.so")).peekable();
        if loaded.peek().is_none() || loaded.any(|line| !line.contains(&own)) {
            return Err(format!("another libzmq than {own}/{FILE} is loaded:\n{text}"));
        }
        Ok(())
    }

    /// Does `work` in the new directory `name`, unless it has succeeded before.
    pub fn once(&self, name: &str, work: impl FnOnce(&Path) -> Result<(), String>) -> Result<PathBuf, String> {
        let (directory, done) = (self.directory.join(name), self.directory.join(format!("{name}.done")));
        if !done.exists() {
            match fs::remove_dir_all(&directory) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(&directory, error)),
                _ => fs::create_dir_all(&directory).map_err(|error| failed(&directory, error))?,
            }
            println!("{name} is made in {}", directory.display());
            work(&directory)?;
            fs::write(&done, "").map_err(|error| failed(&done, error))?;
        }
        Ok(directory)
    }
}
