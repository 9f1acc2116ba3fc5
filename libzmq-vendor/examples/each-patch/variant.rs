//! libzmq without one patch, compiled and linked with the arguments that Cargo used with all patches.

use crate::cargo::{Program, Workspace};
use crate::command::run;
use libzmq_vendor::Patch;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub struct Variant {
    directory: PathBuf,
    objects: Vec<PathBuf>,
}

impl Variant {
    /// Compiles libzmq with all patches except `without`, for `patch`.
    pub fn compile(
        workspace: &Workspace,
        all: &[Patch],
        patch: &Patch,
        without: &BTreeSet<u16>,
    ) -> Result<Variant, String> {
        let directory = workspace.directory.join("without").join(&patch.name);
        let source = directory.join("source");
        let fails = |error: std::io::Error| format!("{}: {error}", directory.display());
        if directory.exists() {
            fs::remove_dir_all(&directory).map_err(fails)?;
        }
        for part in ["src", "include", "external/sha1"] {
            copy(&workspace.upstream.join(part), &source.join(part)).map_err(fails)?;
        }
        // The build wrote these beside the sources.
        for part in ["src/platform.hpp"].into_iter().chain(workspace.units.iter().map(|(name, _)| &**name)) {
            fs::copy(workspace.source.join(part), source.join(part)).map_err(fails)?;
        }
        for patch in all.iter().filter(|patch| !without.contains(&patch.number)) {
            patch.apply(&source).map_err(|error| error.to_string())?;
        }

        let (from, to) = (workspace.source.display().to_string(), source.display().to_string());
        let mut objects = Vec::new();
        for (name, arguments) in &workspace.units {
            let object = directory.join(name).with_extension("o");
            let mut arguments: Vec<String> = arguments.iter().map(|argument| argument.replace(&from, &to)).collect();
            set_output(&mut arguments, &object)?;
            // The faults do not depend on the optimisation, and this takes half the time.
            arguments.push("-O1".to_owned());
            run(Command::new("c++").args(&arguments))?;
            objects.push(object);
        }
        Ok(Variant { directory, objects })
    }

    /// Links a test program with this variant. The linker takes these objects instead of those in Cargo's library,
    /// because they come first.
    pub fn link(&self, program: &Program) -> Result<Program, String> {
        let name = program.path.file_name().ok_or("a program without a name")?;
        let path = self.directory.join(name);
        let mut arguments = program.linker.clone();
        set_output(&mut arguments, &path)?;
        run(Command::new("cc").args(&self.objects).args(&arguments))?;
        Ok(Program { path, linker: arguments, source: self.directory.join("source") })
    }
}

/// Changes the argument that names the output.
fn set_output(arguments: &mut [String], output: &Path) -> Result<(), String> {
    let at = arguments.iter().position(|argument| argument == "-o").ok_or("a tool was called without -o")?;
    *arguments.get_mut(at + 1).ok_or("a tool was called with nothing behind -o")? = output.display().to_string();
    Ok(())
}

/// Copies the files of a directory, without its subdirectories.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        if path.is_file() {
            fs::copy(&path, to.join(path.file_name().unwrap_or(OsStr::new(""))))?;
        }
    }
    Ok(())
}
