//! Has Cargo build the test programs, and keeps the arguments of the compiler and the linker.

use crate::command::{cargo, failed, run, text};
use crate::places::Places;
use crate::tools;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than the deadline of any test.
const DEADLINE: Duration = Duration::from_secs(150);

/// The test programs and the libzmq that Cargo has built.
pub struct Workspace {
    /// See [`Places::upstream`].
    pub upstream: PathBuf,
    /// The sources that Cargo compiled, with all patches.
    pub source: PathBuf,
    /// The name of each unit of libzmq, and the arguments of the compiler for it.
    pub units: Vec<(String, Vec<String>)>,
    /// The directory of this program.
    pub directory: PathBuf,
    programs: BTreeMap<String, Program>,
}

/// A test program.
#[derive(Clone)]
pub struct Program {
    pub path: PathBuf,
    /// The arguments of the linker.
    pub linker: Vec<String>,
    /// The sources of its libzmq. A test of a patch may look at them instead of calling them.
    pub source: PathBuf,
}

impl Workspace {
    /// Has Cargo build the test programs with these names.
    pub fn build(programs: &BTreeSet<&str>) -> Result<Workspace, String> {
        let Places { upstream, target } = Places::find()?;
        let directory = target.join("each-patch");
        let notes = directory.join("notes");
        fs::create_dir_all(&notes).map_err(|error| failed(&notes, error))?;

        let myself = env::current_exe().map_err(|error| error.to_string())?;
        let host = run(Command::new("rustc").args(["--print", "host-tuple"]))?.trim().to_uppercase().replace('-', "_");
        let mut build = cargo();
        build.args(["test", "--package=safe-zmq", "--features=draft,gssapi,norm,pgm", "--no-run"]);
        build.arg("--message-format=json-render-diagnostics").arg("--target-dir").arg(&directory);
        build.args(programs.iter().map(|name| format!("--test={name}")));
        build.env("CXX", &myself).env(format!("CARGO_TARGET_{host}_LINKER"), &myself).env(tools::NOTES, &notes);
        for name in ["LIBZMQ_VENDOR_PATCHES", "LIBZMQ_VENDOR_SPLIT", "LIBZMQ_SYSTEM"] {
            build.env_remove(name);
        }
        let messages: Vec<Value> =
            run(&mut build)?.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();

        let links_zmq = |message: &&Value| {
            message["linked_libs"].as_array().is_some_and(|libs| libs.iter().any(|lib| lib == "static=zmq"))
        };
        let script = messages.iter().find(links_zmq).ok_or("no build script says that it links libzmq")?;
        let source = Path::new(text(&script["out_dir"])?).join("libzmq").join("source");
        let mut found = BTreeMap::new();
        // Cargo builds the package's program `hello` too.
        for message in messages.iter().filter(|message| message["target"]["kind"][0] == "test") {
            if let (Some(name), Some(path)) = (message["target"]["name"].as_str(), message["executable"].as_str()) {
                let path = PathBuf::from(path);
                let note = notes.join(path.file_name().ok_or("a program without a name")?).join("linked");
                found.insert(name.to_owned(), Program { linker: lines(&note)?, source: source.clone(), path });
            }
        }
        let mut units = Vec::new();
        let compiled = notes.join(tools::COMPILED);
        for entry in fs::read_dir(&compiled).map_err(|error| failed(&compiled, error))? {
            let path = entry.map_err(|error| error.to_string())?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // A unit of an earlier build may be gone.
            if source.join(&name).is_file() {
                units.push((name, lines(&path)?));
            }
        }
        Ok(Workspace { upstream, source, units, directory, programs: found })
    }

    pub fn program(&self, name: &str) -> Result<&Program, String> {
        self.programs.get(name).ok_or_else(|| format!("Cargo has not built the test program {name}"))
    }
}

impl Program {
    /// Runs one test. Gives how it failed, or `None` if it passed.
    pub fn fails(&self, test: &str) -> Result<Option<String>, String> {
        // Two threads may run the same program.
        let log = self.path.with_extension(format!("{:?}.log", thread::current().id()));
        let output = fs::File::create(&log).and_then(|file| Ok((file.try_clone()?, file)));
        let (stdout, stderr) = output.map_err(|error| failed(&log, error))?;
        let mut child = Command::new(&self.path)
            .args([test, "--exact", "--nocapture"])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
            // glibc then overwrites memory that is freed, which makes its use visible.
            .env("MALLOC_PERTURB_", "165")
            .env("LIBZMQ_SOURCE", &self.source)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0)
            .spawn()
            .map_err(|error| failed(&self.path, error))?;
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
                break status;
            }
            if start.elapsed() > DEADLINE {
                // A test has child processes too.
                run(Command::new("kill").args(["-KILL", "--", &format!("-{}", child.id())]))?;
                let _ = child.wait();
                return Ok(Some(format!("times out: ended after {DEADLINE:?}")));
            }
            thread::sleep(Duration::from_millis(10));
        };
        let said = fs::read(&log).map_err(|error| failed(&log, error))?;
        let said = String::from_utf8_lossy(&said);
        if !said.contains("running 1 test") || said.contains("skipped: ") {
            return Err(format!("{test} does not run:\n{said}"));
        }
        if status.success() {
            return Ok(None);
        }
        let line = |why: &[&str]| said.lines().find(|line| why.iter().any(|why| line.contains(why)));
        // If the test's own deadline passed, later messages are consequences of that.
        Ok(Some(match (line(&["hung: "]), line(&["Assertion failed", "panicked at"])) {
            (Some(hung), _) => format!("times out: {hung}"),
            (None, line) => format!("fails: {status}, {}", line.unwrap_or_default()),
        }))
    }

    /// Runs random programs for some time. Gives the first fault that they find, its seed, and the time that it took.
    pub fn hunt(&self, seconds: u32) -> Result<Option<String>, String> {
        let output = Command::new(&self.path)
            .args(["random_programs_find_no_fault", "--exact", "--nocapture"])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
            .env("MALLOC_PERTURB_", "165")
            .env("ZMQ_MIX_SECONDS", seconds.to_string())
            .envs([("ZMQ_MIX_SEED", "1"), ("ZMQ_MIX_SHRINK_SECONDS", "0")])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| failed(&self.path, error))?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        match said.lines().skip_while(|line| !line.contains("panicked at")).skip(1).take(2).collect::<Vec<_>>()[..] {
            _ if output.status.success() => Ok(None),
            [fault, seed] => Ok(Some(format!("{}\n    {fault}", seed.split(';').next().unwrap_or(seed)))),
            _ => Err(format!("{} says\n{said}", self.path.display())),
        }
    }
}

fn lines(file: &Path) -> Result<Vec<String>, String> {
    let text = fs::read_to_string(file).map_err(|error| failed(file, error))?;
    Ok(text.lines().map(str::to_owned).collect())
}
