//! Programs that are compared: their start, the meeting of their two sides, and their times.

use std::io::Read;
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The first argument of a run of the benchmark's own program.
pub const WORK: &str = "work";

/// A program with its first arguments.
pub struct Contender {
    pub name: String,
    pub path: PathBuf,
    pub arguments: Vec<String>,
    /// Whether it is of another crate, which may fail: it would say so once for each of a thousand sockets.
    pub is_foreign: bool,
}

impl Contender {
    /// The command of one side.
    pub fn command(&self, mode: &str) -> Command {
        let mut command = Command::new(&self.path);
        self.complete(&mut command, mode);
        command
    }

    /// Adds its arguments, for a mode, to a command.
    pub fn complete(&self, command: &mut Command, mode: &str) {
        command.args(&self.arguments).arg(mode);
        if self.is_foreign {
            command.stderr(Stdio::null());
        }
    }

    /// This program, by the argument for one of its runtimes.
    pub fn ours(name: &str, runtime: &str) -> Contender {
        let path = std::env::current_exe().expect("this program's own file");
        let arguments = vec![WORK.to_owned(), runtime.to_owned()];
        Contender { name: name.to_owned(), path, arguments, is_foreign: false }
    }
}

/// The folder of the crates' programs, and that of their builds.
pub fn folders() -> [PathBuf; 2] {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/aio");
    [folder, Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("aio")]
}

/// A row of the table: work that each contender does.
pub struct Row {
    pub name: String,
    pub transport: &'static str,
    /// The modes of the two sides, of which the first binds. One if both are in one process.
    pub sides: &'static [&'static str],
    /// The mode that prints the time.
    pub timed: &'static str,
    pub size: usize,
    #[allow(dead_code, reason = "a benchmark may choose it for each contender")]
    pub count: usize,
}

/// The times of one run.
#[derive(Clone, Copy)]
pub struct Taken {
    pub nanoseconds: f64,
    /// The nanoseconds of the round trip at 50, 99 and 99.9 % of all by their time, if round trips were timed.
    #[allow(dead_code, reason = "not every benchmark shows it")]
    pub trips: [f64; 3],
    /// The processor time of all processes.
    pub cpu: f64,
}

/// The processes of one run: they end with it.
struct Processes(Vec<Child>);

impl Drop for Processes {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Runs the sides of a row by the commands for their modes. `None` if a program fails, or hangs for longer than the limit.
pub fn run_as(command: impl Fn(&str) -> Command, row: &Row, count: usize, limit: Duration) -> Option<Taken> {
    let place = Place::new(row.transport);
    let before = cpu_of_children();
    let mut processes = Processes(Vec::new());
    let mut printed = None;
    for side in row.sides {
        let mut command = command(side);
        command.arg(&place.endpoint).args([row.size.to_string(), count.to_string()]).stdin(Stdio::piped());
        if *side == row.timed {
            command.stdout(Stdio::piped());
        }
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        if let Some(mut stdout) = child.stdout.take() {
            let (sender, receiver) = mpsc::channel();
            thread::spawn(move || {
                let mut text = String::new();
                stdout.read_to_string(&mut text).expect("text");
                let _ = sender.send(text);
            });
            printed = Some(receiver);
        }
        processes.0.push(child);
        if row.sides.len() > 1 && processes.0.len() == 1 {
            place.wait_for_listener(processes.0.last_mut().expect("a process"), limit)?;
        }
    }
    let text = printed.expect("a timed side").recv_timeout(limit).ok().filter(|text| !text.is_empty())?;
    // The other side ends with its standard input.
    for child in &mut processes.0 {
        drop(child.stdin.take());
        child.wait().expect("the child's end");
    }
    drop(processes);
    let mut numbers = text.split_whitespace().map(|number| number.parse().expect("nanoseconds"));
    let nanoseconds = numbers.next().unwrap_or_else(|| panic!("{}: {text:?} is no time", row.name));
    let trips = [(); 3].map(|()| numbers.next().unwrap_or(f64::NAN));
    Some(Taken { nanoseconds, trips, cpu: cpu_of_children() - before })
}

/// The endpoint of one run.
struct Place {
    endpoint: String,
    port: u16,
    path: Option<PathBuf>,
}

impl Place {
    fn new(transport: &str) -> Place {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        match transport {
            "inproc" => Place { endpoint: "inproc://bench".to_owned(), port: 0, path: None },
            "ipc" => {
                let name = format!("zmq-bench-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
                let path = std::env::temp_dir().join(name);
                Place { endpoint: format!("ipc://{}", path.display()), port: 0, path: Some(path) }
            }
            transport => {
                let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
                let port = listener.local_addr().expect("its address").port();
                Place { endpoint: format!("{transport}://127.0.0.1:{port}"), port, path: None }
            }
        }
    }

    /// Waits until a program listens: zeromq connects once. `None` if it ends, or does not listen within the limit.
    fn wait_for_listener(&self, process: &mut Child, limit: Duration) -> Option<()> {
        let start = Instant::now();
        while !self.is_heard() {
            if start.elapsed() > limit || process.try_wait().expect("the child's state").is_some() {
                return None;
            }
            thread::sleep(Duration::from_millis(2));
        }
        Some(())
    }

    fn is_heard(&self) -> bool {
        let read = |file| std::fs::read_to_string(file).expect("the system's sockets");
        match &self.path {
            // The flag of a socket that listens stands before the path.
            Some(path) => {
                let path = path.to_str().expect("text");
                read("/proc/net/unix").lines().any(|line| line.contains(" 00010000 ") && line.ends_with(path))
            }
            None => read("/proc/net/tcp").contains(&format!("0100007F:{:04X} 00000000:0000 0A", self.port)),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The nanoseconds of processor time of all children that have ended.
pub fn cpu_of_children() -> f64 {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: a valid pointer.
    unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr()) };
    // SAFETY: zeros are valid numbers.
    let usage = unsafe { usage.assume_init() };
    let nanoseconds = |time: libc::timeval| time.tv_sec as f64 * 1e9 + time.tv_usec as f64 * 1e3;
    nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime)
}

/// Whether perf counts system calls here, which needs its permission.
pub fn can_count_system_calls() -> bool {
    let mut perf = Command::new("perf");
    perf.args(["stat", "-e", "raw_syscalls:sys_enter", "true"]).output().is_ok_and(|output| output.status.success())
}

/// The system calls of all sides in a run.
pub fn system_calls(contender: &Contender, row: &Row, count: usize, limit: Duration) -> Option<f64> {
    let log = |mode: &str| Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("runs-{mode}.perf"));
    let command = |mode: &str| {
        let mut command = Command::new("perf");
        command.args(["stat", "-x,", "-e", "raw_syscalls:sys_enter", "-o"]).arg(log(mode)).arg("--");
        contender.complete(command.arg(&contender.path), mode);
        command
    };
    run_as(command, row, count, limit)?;
    let calls = |mode: &&str| {
        let log = std::fs::read_to_string(log(mode)).ok()?;
        log.lines().find_map(|line| line.split_once(",,raw_syscalls")?.0.parse::<f64>().ok())
    };
    row.sides.iter().map(calls).sum()
}
