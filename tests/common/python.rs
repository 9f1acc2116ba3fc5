//! Peers in Python, which talk through pyzmq and the libzmq that comes with it.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// The command that runs a Python file of `tests/interop` in a process of its own; its output is not buffered. The first
/// call installs a Python with pyzmq, if `.ci/setup --tests` has not done so yet.
pub fn python_program(source: &str) -> Command {
    let mut command = Command::new(python());
    command.arg("-u").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(source));
    // Modules of another Python do not fit this one. No bytecode is written beside the sources.
    command.env_remove("PYTHONPATH").env_remove("PYTHONHOME").env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// The interpreter.
fn python() -> &'static str {
    static PYTHON: OnceLock<Result<String, String>> = OnceLock::new();
    let made = PYTHON.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/pyzmq");
        let output = Command::new(&script).output().map_err(|error| format!("{}: {error}", script.display()))?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
        } else {
            Err(format!("{}: {}\n{}", script.display(), output.status, String::from_utf8_lossy(&output.stderr)))
        }
    });
    made.as_deref().unwrap_or_else(|why| panic!("no Python with pyzmq: run `.ci/setup --tests`\n{why}"))
}
