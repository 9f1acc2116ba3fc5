//! Building and running one of upstream's test programs.

use crate::Edition;
use crate::command::failed;
use crate::library::Library;
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The longest time that a program may run. Upstream gives most programs 10 seconds, and slow ones 60.
const DEADLINE: Duration = Duration::from_secs(60);

/// The exit code of a program that cannot run here.
const SKIPPED: i32 = 77;

/// The outcome of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    Failed,
    Skipped,
}

/// Compiles upstream's tests against one edition of the library.
pub struct Builder<'a> {
    upstream: &'a Path,
    library: &'a Library,
    edition: Edition,
    directory: PathBuf,
    common: Vec<PathBuf>,
}

impl<'a> Builder<'a> {
    /// Compiles the files that all programs share.
    pub fn new(upstream: &'a Path, library: &'a Library, edition: Edition, directory: &Path) -> Result<Self, String> {
        let directory = directory.join(edition.name());
        fs::create_dir_all(&directory).map_err(|error| failed(&directory, error))?;
        let mut builder = Builder { upstream, library, edition, directory, common: Vec::new() };
        for name in ["testutil", "testutil_monitoring", "testutil_security", "testutil_unity"] {
            let source = upstream.join("tests").join(name).with_extension("cpp");
            builder.common.push(builder.object(builder.compiler("CXX", "c++"), name, &source)?);
        }
        let unity = upstream.join("external").join("unity").join("unity.c");
        builder.common.push(builder.object(builder.compiler("CC", "cc"), "unity", &unity)?);
        Ok(builder)
    }

    /// Builds the program `name`.
    pub fn build(&self, name: &str) -> Result<PathBuf, String> {
        let program = self.directory.join(name);
        let mut compiler = self.compiler("CXX", "c++");
        compiler.arg(self.upstream.join("tests").join(name).with_extension("cpp"));
        compiler.args(&self.common).args(self.library.of_program()).arg("-o").arg(&program);
        finish(compiler)?;
        Ok(program)
    }

    fn object(&self, mut compiler: Command, name: &str, source: &Path) -> Result<PathBuf, String> {
        let object = self.directory.join(name).with_extension("o");
        compiler.arg("-c").arg(source).arg("-o").arg(&object);
        finish(compiler)?;
        Ok(object)
    }

    fn compiler(&self, variable: &str, usual: &str) -> Command {
        let mut command = Command::new(env::var_os(variable).unwrap_or_else(|| usual.into()));
        command.args([
            "-w",
            "-DZMQ_CUSTOM_PLATFORM_HPP",
            "-DZMQ_STATIC",
            "-DUNITY_EXCLUDE_MATH_H",
            "-DUNITY_EXCLUDE_FLOAT",
        ]);
        command.args(["-D_GNU_SOURCE", "-D_REENTRANT", "-D_THREAD_SAFE", "-DUNITY_USE_COMMAND_LINE_ARGS"]);
        if self.edition == Edition::Draft {
            command.arg("-DZMQ_BUILD_DRAFT_API");
        }
        // The directory of the sources has the platform.hpp that the library was built with.
        command.arg("-I").arg(self.library.source().join("src"));
        command.arg("-I").arg(self.upstream.join("external").join("unity"));
        command
    }
}

fn finish(mut compiler: Command) -> Result<(), String> {
    let output = compiler.output().map_err(|error| format!("{compiler:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{compiler:?}\n{}", String::from_utf8_lossy(&output.stderr)))
}

/// Runs `program` in its own directory. Gives its outcome and its output.
pub fn run(program: &Path) -> Result<(Outcome, String), String> {
    let directory = program.with_extension("run");
    let log = program.with_extension("log");
    fs::create_dir_all(&directory).map_err(|error| failed(&directory, error))?;
    let file = File::create(&log).map_err(|error| failed(&log, error))?;
    let errors = file.try_clone().map_err(|error| failed(&log, error))?;
    let mut command = Command::new(program);
    command.current_dir(&directory).stdin(Stdio::null()).stdout(file).stderr(errors);
    own_group(&mut command);
    let mut child = command.spawn().map_err(|error| failed(program, error))?;
    let status = wait(&mut child);
    // Ends the processes that the program left running.
    kill_group(child.id());

    let mut printed = fs::read(&log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let outcome = match status {
        None => {
            printed.push_str(&format!("\nkilled after {} s", DEADLINE.as_secs()));
            Outcome::Failed
        }
        Some(status) if status.code() == Some(SKIPPED) => Outcome::Skipped,
        Some(status) if status.success() => match counts(&printed) {
            Some((tests, ignored)) if tests == ignored => Outcome::Skipped,
            _ => Outcome::Passed,
        },
        Some(status) => {
            printed.push_str(&format!("\n{status}"));
            Outcome::Failed
        }
    };
    Ok((outcome, printed))
}

/// The number of tests that the program reports, and the number of those that it left out.
pub fn counts(printed: &str) -> Option<(u32, u32)> {
    let mut words = printed.lines().rev().find(|line| line.contains(" Failures "))?.split_whitespace();
    Some((words.next()?.parse().ok()?, words.nth(3)?.parse().ok()?))
}

/// Waits for the child, and kills its group after the deadline.
fn wait(child: &mut Child) -> Option<ExitStatus> {
    let start = Instant::now();
    while start.elapsed() < DEADLINE {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(20));
    }
    kill_group(child.id());
    // For systems without process groups.
    let _ = child.kill();
    let _ = child.wait();
    None
}

#[cfg(unix)]
fn own_group(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

#[cfg(not(unix))]
fn own_group(_command: &mut Command) {}

fn kill_group(id: u32) {
    if cfg!(unix) {
        // The `kill` of the shell: not every machine has a program `kill`.
        let kill = format!("kill -KILL -- -{id}");
        let _ = Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status();
    }
}
