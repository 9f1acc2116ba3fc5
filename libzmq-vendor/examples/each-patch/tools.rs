//! The C++ compiler and the linker for the build of the test programs: each writes down its arguments and runs the real tool.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The variable that names the directory for the notes. It is set while Cargo builds.
pub const NOTES: &str = "EACH_PATCH_NOTES";

/// The directory of the compiler's notes, one for each unit of libzmq.
pub const COMPILED: &str = "compiled";

/// Runs the compiler or the linker if Cargo's build started this program in place of it.
pub fn intercept() -> Option<ExitCode> {
    let notes = PathBuf::from(env::var_os(NOTES)?);
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    let unit = arguments.iter().map(Path::new).find(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("libzmq") && name.ends_with(".cpp")
    });
    let output = arguments.iter().zip(arguments.iter().skip(1)).find(|(flag, _)| *flag == "-o").map(|(_, file)| file);
    let output = output.and_then(|output| Path::new(output).file_name());
    let noted = match (unit.and_then(Path::file_name), output) {
        (Some(unit), _) => {
            let directory = notes.join(COMPILED);
            fs::create_dir_all(&directory).and_then(|()| note(&directory.join(unit), &arguments))
        }
        // A call of the linker: the name of a test program ends with a hash.
        (None, Some(program)) if arguments.iter().any(|argument| argument.to_string_lossy().ends_with(".rcgu.o")) => {
            keep(&notes.join(program), &arguments)
        }
        _ => Ok(()),
    };
    if let Err(error) = noted {
        eprintln!("each-patch cannot note how it was called: {error}");
        return Some(ExitCode::FAILURE);
    }
    // As the linker, `c++` would also link the C++ library.
    let tool = if arguments.iter().any(|argument| argument == "-c" || argument == "-E") { "c++" } else { "cc" };
    match Command::new(tool).args(&arguments).env_remove(NOTES).status() {
        Ok(status) if status.success() => Some(ExitCode::SUCCESS),
        Ok(_) => Some(ExitCode::FAILURE),
        Err(error) => {
            eprintln!("{tool}: {error}");
            Some(ExitCode::FAILURE)
        }
    }
}

/// Writes the arguments to a file, one a line.
fn note(file: &Path, arguments: &[OsString]) -> std::io::Result<()> {
    let lines: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
    fs::write(file, lines.join("\n"))
}

/// Copies the objects that rustc removes after the link, and writes down the arguments with the paths of the copies.
fn keep(directory: &Path, arguments: &[OsString]) -> std::io::Result<()> {
    fs::create_dir_all(directory)?;
    let mut kept = Vec::new();
    for argument in arguments {
        let path = Path::new(argument);
        let is_temporary = path.is_file() && path.extension().is_some_and(|extension| extension == "o");
        match path.file_name() {
            Some(name) if is_temporary => {
                let copy = directory.join(name);
                fs::copy(path, &copy)?;
                kept.push(copy.into());
            }
            _ => kept.push(argument.clone()),
        }
    }
    note(&directory.join("linked"), &kept)
}
