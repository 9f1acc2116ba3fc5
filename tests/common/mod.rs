//! Helpers of several test files: deadlines, child processes that end with their test, peers in C and in Python.

#![allow(dead_code, reason = "every test file uses its own part")]

#[cfg(unix)]
pub mod breaking;
pub mod counting;
#[cfg(unix)]
pub mod descriptors;
#[cfg(unix)]
pub mod forked;
#[cfg(unix)]
pub mod guide;
#[cfg(target_os = "linux")]
pub mod namespaces;
pub mod proxy;
mod python;
pub mod rng;
pub mod zap;

use std::collections::BTreeSet;
use std::ffi::{OsStr, c_int};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Type};
use zmq::{
    CanMultipart, CanRecv, CanSend, Context, Errno, Kind, Message, Pair, SendError, Socket, SocketType, TrySend,
};

#[allow(unused_imports, reason = "as above")]
pub use python::python_program;

/// The factor for the times of tests, for programs that are slow, as with a sanitizer.
pub const PATIENCE: u32 = match option_env!("ZMQ_TEST_PATIENCE") {
    Some(factor) => match u32::from_str_radix(factor, 10) {
        Ok(factor) => factor,
        Err(_) => panic!("ZMQ_TEST_PATIENCE is not a number"),
    },
    None => 1,
};

/// The time after which a test counts as hung.
pub const DEADLINE: Duration = Duration::from_secs(60 * PATIENCE as u64);

/// Reads the return code of a C function that returns 0 or -1.
pub fn outcome(rc: c_int) -> Result<(), Errno> {
    // SAFETY: no preconditions.
    if rc == 0 { Ok(()) } else { Err(Errno::from_raw(unsafe { zmq::sys::zmq_errno() })) }
}

/// The number of rounds in which a test tries a race.
pub fn rounds() -> u32 {
    variable("ZMQ_ROUNDS").map_or(FEW_ROUNDS, |rounds| rounds as u32)
}

/// The number of rounds without the variable.
const FEW_ROUNDS: u32 = 20;

/// The time that each test of `tests/endurance.rs` must run, if it is not the usual one.
pub fn length() -> Option<Duration> {
    variable("ZMQ_ENDURANCE_SECONDS").map(Duration::from_secs)
}

/// Runs a test that must end by itself within [`DEADLINE`], in a thread with the test's name. With more rounds or a greater
/// length than usual, the deadline is longer.
pub fn within_deadline<R: Send + 'static, T: FnOnce() -> R + Send + 'static>(test: T) -> R {
    let (done, outcome) = channel();
    let run = move || {
        let result = test();
        // The receiver is gone if the deadline has passed.
        let _ = done.send(());
        result
    };
    let worker = thread::Builder::new().name(name_of_test::<T>()).spawn(run).unwrap();
    let deadline = DEADLINE * rounds().div_ceil(FEW_ROUNDS) + length().unwrap_or_default();
    match outcome.recv_timeout(deadline) {
        Err(RecvTimeoutError::Timeout) => {
            kill_children();
            panic!("hung: not done within {deadline:?}");
        }
        Ok(()) | Err(RecvTimeoutError::Disconnected) => match worker.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        },
    }
}

/// The name that the test harness gives the test whose body is this closure. The harness's own thread has it too, except with
/// one test thread.
fn name_of_test<T>() -> String {
    let path = std::any::type_name::<T>().trim_end_matches("::{{closure}}");
    path.split_once("::").map_or(path, |(_, path)| path).to_owned()
}

/// Checks `condition` again and again until it holds; panics after [`DEADLINE`].
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "never came true: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Forgets a value as [`std::mem::forget`] does, except that LeakSanitizer does not take it for a leak: a list names it.
pub fn forget<T>(value: T) {
    static FORGOTTEN: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    FORGOTTEN.lock().unwrap().push(Box::into_raw(Box::new(value)) as usize);
}

/// An endpoint of tcp with a port that the system chooses.
pub const TCP: &str = "tcp://127.0.0.1:*";

/// An endpoint of ipc with a path that libzmq chooses. libzmq on Windows has no ipc: tcp takes its place.
pub const IPC: &str = if cfg!(windows) { TCP } else { "ipc://*" };

/// An endpoint of each transport of the draft kinds that libzmq locks, for a bind that gives the endpoint to connect to.
pub const TRANSPORTS: [&str; 3] = ["inproc://bound", TCP, IPC];

/// A port that the system gives to no other program while this value exists. A second socket may bind it, since both have
/// SO_REUSEADDR and this one does not listen.
pub struct HeldPort(socket2::Socket);

impl HeldPort {
    pub fn new(kind: Type, address: Ipv4Addr) -> HeldPort {
        let holder = socket2::Socket::new(Domain::IPV4, kind, None).unwrap();
        holder.set_reuse_address(true).unwrap();
        holder.bind(&SocketAddr::from((address, 0)).into()).unwrap();
        HeldPort(holder)
    }

    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap().as_socket().unwrap()
    }
}

/// A context whose end does not wait for unsent messages.
pub fn context() -> Context {
    let context = Context::new().unwrap();
    context.set_blocky(false).unwrap();
    context
}

/// Receives the next message within [`DEADLINE`], as bytes.
#[track_caller]
pub fn next<T: CanRecv + CanMultipart>(socket: &Socket<'_, T>) -> Vec<Vec<u8>> {
    let message = socket.within(DEADLINE).recv_multipart().unwrap().expect("a message");
    message.iter().map(|part| part.to_vec()).collect()
}

/// Sends a part of a message without waiting. `more` says whether other parts follow it.
pub fn send_part<T: CanSend + CanMultipart>(
    socket: &Socket<'_, T>,
    part: impl Into<Message>,
    more: bool,
) -> Result<TrySend, SendError> {
    if more { socket.now().send_more(part) } else { socket.now().send(part) }
}

/// Receives the next message within [`DEADLINE`], which must have one part, as text.
#[track_caller]
pub fn text<T: CanRecv + CanMultipart>(socket: &Socket<'_, T>) -> String {
    let [part]: [Vec<u8>; 1] = next(socket).try_into().expect("one part");
    String::from_utf8(part).unwrap()
}

/// A socket that is bound to an endpoint which needs no resolving.
pub fn bound<T: SocketType>(context: &Context, kind: T, endpoint: &str) -> Socket<'static, T> {
    let socket = context.owned_socket(kind).unwrap();
    socket.bind(endpoint).unwrap();
    socket
}

/// A socket that is connected to an endpoint.
pub fn connected<T: SocketType>(context: &Context, kind: T, endpoint: &str) -> Socket<'static, T> {
    let socket = context.owned_socket(kind).unwrap();
    socket.connect(endpoint).unwrap();
    socket
}

/// Two PAIR sockets that are connected: the one that binds, and the other.
pub fn pair<'ctx>(context: &'ctx Context, endpoint: &str) -> (Socket<'ctx, Pair>, Socket<'ctx, Pair>) {
    let (left, right) = (context.socket(Pair).unwrap(), context.socket(Pair).unwrap());
    right.connect(&left.bind(endpoint).unwrap()).unwrap();
    (left, right)
}

/// Two sockets of a kind, each bound to an inproc name of its own. `source` is connected to both.
pub fn two_sinks<'ctx, S: SocketType, K: SocketType + Copy>(
    context: &'ctx Context,
    source: &Socket<'_, S>,
    kind: K,
) -> [Socket<'ctx, K>; 2] {
    ["inproc://first", "inproc://second"].map(|name| {
        let sink = context.socket(kind).unwrap();
        sink.bind(name).unwrap();
        source.connect(name).unwrap();
        sink
    })
}

/// Does the handshake of a ZMTP 3 peer without security, with these properties.
pub fn greet(stream: &mut (impl Read + Write), properties: &[(&str, &[u8])]) {
    let ready = greet_without_ready(stream, properties);
    stream.write_all(&ready).unwrap();
}

/// Does the handshake as [`greet`], except that the READY with these properties is not sent: the caller does it.
#[must_use]
pub fn greet_without_ready(stream: &mut (impl Read + Write), properties: &[(&str, &[u8])]) -> Vec<u8> {
    let mut greeting = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL".to_vec();
    greeting.resize(64, 0);
    stream.write_all(&greeting).unwrap();
    stream.read_exact(&mut [0; 64]).unwrap();
    let mut header = [0; 2];
    stream.read_exact(&mut header).unwrap();
    stream.read_exact(&mut vec![0; header[1].into()]).unwrap();
    let mut ready = b"\x05READY".to_vec();
    for (name, value) in properties {
        ready.push(name.len() as u8);
        ready.extend(name.as_bytes());
        ready.extend((value.len() as u32).to_be_bytes());
        ready.extend(*value);
    }
    [&[4, ready.len() as u8], &ready[..]].concat()
}

/// Waits until the peer has closed the connection.
pub fn wait_for_close(stream: &mut impl Read) {
    match stream.read_to_end(&mut Vec::new()) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("the connection is open: {error}"),
        _ => {}
    }
}

/// The environment variable with the role of a test that runs alone.
const ROLE: &str = "ZMQ_TEST_ROLE";

/// The role in which this process runs a test alone; `None` in the process that runs all tests.
pub fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// The number in an environment variable.
pub fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value} is not a number")))
}

/// The command that runs a program: by the emulator and its arguments in `ZMQ_TEST_RUNNER`, if that is set.
pub fn command_of(program: &Path) -> Command {
    let runner = std::env::var("ZMQ_TEST_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace();
    let Some(emulator) = words.next() else { return Command::new(program) };
    let mut command = Command::new(emulator);
    command.args(words).arg(program);
    command
}

/// The command that runs this program again.
pub fn this_program() -> Command {
    command_of(&std::env::current_exe().unwrap())
}

/// `command`, with its arguments and environment, as the last arguments of `runner`.
pub fn run_by(mut runner: Command, command: &Command) -> Command {
    runner.arg(command.get_program()).args(command.get_args());
    runner.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    runner
}

/// The command that runs the named test of this file alone, in a process of its own. [`role`] returns `role` there.
pub fn alone(test: &str, role: &str) -> Command {
    let mut command = this_program();
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(ROLE, role);
    command
}

/// Runs a body that changes or checks the state of its whole process in a process of its own. `test` is the name of the test
/// that calls this.
pub fn in_own_process(test: &str, body: impl FnOnce()) {
    if role().is_some() {
        return body();
    }
    Process::spawn(&mut alone(test, "alone")).succeeds();
}

/// The child processes that have not ended yet. The values of a hung test are never dropped, so this list kills its children.
static CHILDREN: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

fn children() -> MutexGuard<'static, BTreeSet<u32>> {
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends a signal to a process.
#[cfg(unix)]
pub fn signal(process: u32, signal: c_int) {
    // SAFETY: no preconditions.
    unsafe { libc::kill(process as libc::pid_t, signal) };
}

/// A thread that signals can be sent to. It is a number, because musl names a thread by a pointer, which threads may not share.
#[cfg(unix)]
#[derive(Clone, Copy)]
pub struct ThreadId(usize);

#[cfg(unix)]
impl ThreadId {
    pub fn current() -> ThreadId {
        // SAFETY: no preconditions.
        ThreadId(unsafe { libc::pthread_self() } as usize)
    }

    /// Sends a signal to the thread, which must not have ended and been joined.
    pub fn signal(self, signal: c_int) {
        // SAFETY: the thread has not been joined.
        unsafe { libc::pthread_kill(self.0 as libc::pthread_t, signal) };
    }
}

fn kill_children() {
    for child in children().iter() {
        #[cfg(unix)]
        signal(*child, libc::SIGKILL);
        #[cfg(windows)]
        let _ = Command::new("taskkill").args(["/F", "/PID", &child.to_string()]).status();
    }
}

/// A child process whose output is read line by line, and which is killed when dropped.
pub struct Process {
    name: String,
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    /// Starts a program with its output and input piped. It shares the test's standard error.
    pub fn start(program: impl AsRef<OsStr>, args: &[&str]) -> Process {
        Process::spawn(Command::new(program).args(args))
    }

    /// As [`Process::start`], with a prepared command.
    pub fn spawn(command: &mut Command) -> Process {
        let name = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        children().insert(child.id());
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Process { name, child, lines }
    }

    /// The next line of output.
    pub fn line(&self) -> String {
        match self.lines.recv_timeout(DEADLINE) {
            Ok(line) => line,
            Err(error) => panic!("{}: no further line: {error}", self.name),
        }
    }

    /// The next line of output, or `None` if the program has closed its output.
    pub fn line_or_end(&self) -> Option<String> {
        match self.lines.recv_timeout(DEADLINE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("{}: no further line", self.name),
        }
    }

    /// The next line of output, if it comes within that time.
    pub fn line_within(&self, time: Duration) -> Option<String> {
        self.lines.recv_timeout(time).ok()
    }

    /// The lines that are left, until the program closes its output.
    pub fn rest(&self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => return lines,
                Err(RecvTimeoutError::Timeout) => panic!("{}: still running after {lines:?}", self.name),
            }
        }
    }

    /// Writes a line to the program's standard input.
    pub fn type_line(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        // One write: the program may end as soon as it has read a part of the line.
        if let Err(error) = input.write_all(format!("{line}\n").as_bytes()) {
            panic!("{}: {error}, {:?}", self.name, self.child.wait());
        }
    }

    /// Writes the text to the program's standard input, and closes it.
    pub fn type_all(&mut self, text: &str) {
        if let Some(mut input) = self.child.stdin.take() {
            // A program that does not read may have ended already.
            let _ = input.write_all(text.as_bytes());
        }
    }

    /// The program's process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the program ends by itself.
    pub fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < DEADLINE, "{}: still running", self.name);
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the program ends by itself, and expects it to have succeeded.
    pub fn succeeds(mut self) {
        let status = self.wait();
        assert!(status.success(), "{}: {status}", self.name);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        children().remove(&self.child.id());
    }
}

/// Compiles a C file, by its path from `tests/interop`, against the header and the library that it is linked to, and
/// gives the program. Each test binary has its own directory, and each test its own program file, so that tests
/// running side by side do not meet.
pub fn c_program(source: &str) -> PathBuf {
    let mut flags = linked::c_flags();
    if linked::DRAFT == "1" {
        flags.push("-DZMQ_BUILD_DRAFT_API".to_owned());
    }
    // A libzmq with a sanitizer needs it in the program too.
    flags.extend(std::env::var("CFLAGS").iter().flat_map(|own| own.split_whitespace()).map(str::to_owned));
    compile(source, &flags)
}

/// As [`c_program`], a shared library for LD_PRELOAD.
pub fn c_library(source: &str) -> PathBuf {
    compile(source, &["-shared", "-fPIC", "-ldl"].map(str::to_owned))
}

fn compile(source: &str, flags: &[String]) -> PathBuf {
    static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let directory =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{}", env!("CARGO_CRATE_NAME"), std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let stem = Path::new(source).file_stem().unwrap().to_str().unwrap();
    let program = directory.join(format!("{stem}-{number}"));

    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut command = Command::new(compiler);
    command.args(["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE"]);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(source));
    command.arg("-o").arg(&program).args(flags).args(["-lpthread", "-lm"]);
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    program
}

/// The test that this thread runs.
fn current_test() -> String {
    // With one test thread, as in the process of `alone`, the harness runs a `#[test]` in the main thread.
    let argument = role().and_then(|_| std::env::args().nth(1));
    argument.or_else(|| thread::current().name().map(str::to_owned)).unwrap_or_default()
}

/// Reports the test of this thread as skipped, and returns true, if the linked libzmq has no CURVE.
pub fn lacks_curve() -> bool {
    skip_unless(zmq::has("curve"), "this libzmq has no CURVE")
}

/// Reports the test as skipped, and returns true, if the linked libzmq has no ipc.
pub fn lacks_ipc() -> bool {
    skip_unless(zmq::has("ipc"), "this libzmq has no ipc")
}

/// Reports the test of this thread as skipped, and returns true, if `has_it` is false.
pub fn skip_unless(has_it: bool, why: &str) -> bool {
    if !has_it {
        // The harness hides the output of `eprintln!` if the test passes.
        let line = format!("skipped: {}: {why}\n", current_test());
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
    !has_it
}

/// Whether an option has no method of its own: `Socket::set_option` alone sets it.
pub fn has_no_method(option: &zmq::sockopt::OptionInfo) -> bool {
    ["ZMQ_VMCI_", "ZMQ_IPV4ONLY", "ZMQ_TCP_ACCEPT_FILTER", "ZMQ_IPC_FILTER_", "ZMQ_WSS_", "ZMQ_NORM_"]
        .iter()
        .any(|prefix| option.name.starts_with(prefix))
}

/// Whether the linked libzmq has the patch with this number. The patches for safety are those below 1000.
pub fn has_patch(number: u16) -> bool {
    match zmq::PATCHES {
        "all" => true,
        "safety" => number < 1000,
        _ => false,
    }
}

/// Reports the test as skipped, and returns true, if the linked libzmq lacks one of these patches.
pub fn skip_unless_patched(patches: &[u16]) -> bool {
    let lacking = lacking(patches);
    skip_unless(lacking.is_empty(), &format!("this libzmq lacks the patches {lacking:04?}"))
}

/// Reports a part of the test as skipped, and returns true, if the linked libzmq lacks one of these patches.
pub fn skip_part_unless_patched(part: &str, patches: &[u16]) -> bool {
    let lacking = lacking(patches);
    skip_unless(lacking.is_empty(), &format!("a part, {part}: this libzmq lacks the patches {lacking:04?}"))
}

fn lacking(patches: &[u16]) -> Vec<u16> {
    patches.iter().copied().filter(|&number| !has_patch(number)).collect()
}

/// The patches without which [`Context::socket`] refuses draft kinds. In a libzmq without them two sockets of these kinds can
/// block each other for ever, and peers and long groups abort the process.
const FOR_DRAFT_KINDS: [u16; 6] = [6, 7, 8, 9, 12, 13];

/// Whether [`Context::socket`] opens sockets of that kind.
pub fn opens(kind: Kind) -> bool {
    const FIRST_DRAFT: i32 = 12;
    kind.raw() < FIRST_DRAFT || lacking(&FOR_DRAFT_KINDS).is_empty()
}

/// The kinds whose sockets can be opened. If the linked libzmq lacks patches for the draft kinds, they are reported as a
/// skipped part of the test.
pub fn kinds() -> Vec<Kind> {
    let (kinds, refused): (Vec<_>, Vec<_>) = Kind::ALL.iter().partition(|kind| opens(**kind));
    if !refused.is_empty() {
        skip_part_unless_patched("the draft kinds", &FOR_DRAFT_KINDS);
    }
    kinds
}

/// The names of the threads of this process.
#[cfg(target_os = "linux")]
pub fn thread_names() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    // A thread may end between the list and the read of its name.
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.map(|name| name.trim_end().to_owned()).collect()
}

/// Reports the test as skipped, and returns true, if this machine has no IPv6.
pub fn lacks_ipv6() -> bool {
    skip_unless(has_ipv6(), "this machine has no IPv6")
}

/// Whether this machine has the IPv6 address of the loopback interface.
pub fn has_ipv6() -> bool {
    std::net::TcpListener::bind("[::1]:0").is_ok()
}

/// Waits until the owners of all messages that libzmq has freed so far are dropped. The end of a context waits for them.
pub fn wait_for_dropped_owners() {
    Context::new().unwrap().terminate(DEADLINE).unwrap();
}
