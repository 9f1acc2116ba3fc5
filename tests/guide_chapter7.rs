//! The programs of the guide's chapter 7 as processes: fileio1 to fileio3 and mktestdata, each with native C peers in both
//! roles, and with peers that are killed.

mod common;
#[path = "guide/peers.rs"]
mod peers;

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use zmq::{Context, Router};

use common::guide::{Directory, NOTHING, Port, ended, example, interrupt, kill, names_taken_endpoint};
use common::{Process, eventually, signal, skip_unless};
use peers::Side::{C, Rust};
use peers::{Side, c, rust};

const CHUNK: u64 = 250_000;
const MODELS: [&str; 3] = ["fileio1", "fileio2", "fileio3"];

/// A directory with a file of so many bytes, which mktestdata has written.
struct Data {
    directory: Directory,
    size: u64,
}

impl Data {
    fn new(test: &str, size: u64) -> Data {
        let data = Data { directory: Directory::new(&format!("chapter7-{test}-{size}")), size };
        let made = rust("mktestdata", &["--file", &data.path("testdata"), "--size", &size.to_string()]);
        assert_eq!(ended(made), NOTHING);
        assert_eq!(fs::metadata(data.path("testdata")).unwrap().len(), size);
        data
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    fn copy(&self) -> PathBuf {
        self.directory.path().join("copy")
    }

    /// Compares the copy with the file, and removes it.
    fn check_copy(&self) {
        let (original, copy) = (fs::read(self.path("testdata")).unwrap(), fs::read(self.copy()).unwrap());
        assert_eq!(copy.len() as u64, self.size);
        assert!(copy == original, "the copy differs");
        fs::remove_file(self.copy()).unwrap();
    }

    /// The number of chunks that a client counts.
    fn chunks(&self, model: &str) -> u64 {
        if model == "fileio1" { self.size.div_ceil(CHUNK) + 1 } else { self.size / CHUNK + 1 }
    }

    fn printed(&self, side: Side, model: &str) -> String {
        let (chunks, size) = (self.chunks(model), self.size);
        match side {
            Rust => format!("{chunks} chunks received, {size} bytes"),
            C => format!("{chunks} chunks, {size} bytes"),
        }
    }

    fn server(&self, side: Side, model: &str, port: &Port) -> Process {
        let (bind, file) = (port.bind(), self.path("testdata"));
        match side {
            Rust => rust(model, &["--no-client", "--bind", &bind, "--file", &file]),
            C => {
                let server = c("fileio", &["server", &bind, &file]);
                assert_eq!(server.line(), "ready");
                server
            }
        }
    }

    fn client(&self, side: Side, model: &str, port: &Port, more: &[&str]) -> Process {
        let (connect, copy) = (port.connect(), self.path("copy"));
        match side {
            Rust => rust(model, &[&["--no-server", "--connect", &connect, "--output", &copy], more].concat()),
            C => {
                let credit = match model {
                    "fileio1" => "0",
                    "fileio2" => "1",
                    _ => "10",
                };
                c("fileio", &["client", &connect, credit, &copy])
            }
        }
    }
}

#[deadline::test]
fn fileio_programs_copy_files_of_all_sizes() {
    for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 600_001] {
        let data = Data::new("sizes", size);
        for model in MODELS {
            let port = Port::reserve();
            let mut command = Command::new(example(model));
            let (bind, connect) = (port.bind(), port.connect());
            // The name of the file is the default.
            command.current_dir(data.directory.path());
            command.args(["--bind", &bind, "--connect", &connect, "--output", "copy"]);
            assert_eq!(ended(Process::spawn(&mut command)), [data.printed(Rust, model)], "{model}, {size}");
            data.check_copy();
        }
    }
}

#[deadline::test]
fn fileio_clients_and_servers_of_rust_and_c_speak_to_each_other() {
    let data = Data::new("pairs", 5_000_001);
    for model in MODELS {
        for (client_side, server_side) in [(Rust, Rust), (Rust, C), (C, Rust), (C, C)] {
            let port = Port::reserve();
            let server = data.server(server_side, model, &port);
            let client = data.client(client_side, model, &port, &[]);
            assert_eq!(ended(client), [data.printed(client_side, model)], "{model}, {client_side:?}, {server_side:?}");
            data.check_copy();
            match server_side {
                Rust => assert_eq!(interrupt(server), NOTHING),
                C => drop(kill(server)),
            }
        }
    }
}

/// Each model's server has the others' requests too.
#[deadline::test]
fn fileio_servers_serve_the_clients_of_all_models_at_once() {
    let data = Data::new("all", 2_000_000);
    let port = Port::reserve();
    let server = data.server(Rust, "fileio2", &port);
    let connect = port.connect();
    let clients = MODELS.map(|model| (model, rust(model, &["--no-server", "--connect", &connect])));
    for (model, client) in clients {
        assert_eq!(ended(client), [data.printed(Rust, model)]);
    }
    assert_eq!(interrupt(server), NOTHING);
}

fn len(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |metadata| metadata.len())
}

/// Servers in Rust and in C are killed in the middle, and another one takes their place.
#[deadline::test]
fn fileio_clients_go_on_when_the_server_is_killed_and_restarted() {
    let data = Data::new("killed", 8_000_000);
    let in_small_chunks = ["--chunk", "1000"];
    for model in ["fileio2", "fileio3"] {
        let port = Port::reserve();
        let mut server = data.server(Rust, model, &port);
        let client = data.client(Rust, model, &port, &in_small_chunks);
        for (round, side) in [C, Rust, C].into_iter().enumerate() {
            eventually("a part is copied", || len(&data.copy()) > 500_000 * (round as u64 + 1));
            kill(server);
            server = data.server(side, model, &port);
        }
        assert_eq!(ended(client), ["8001 chunks received, 8000000 bytes"]);
        data.check_copy();
        kill(server);
    }
}

/// A client that is killed costs the server nothing, and another one gets the file.
#[deadline::test]
fn fileio_servers_go_on_when_a_client_is_killed() {
    let data = Data::new("left", 8_000_000);
    for model in MODELS {
        let port = Port::reserve();
        let server = data.server(Rust, model, &port);
        for _ in 0..3 {
            let client = data.client(Rust, model, &port, &[]);
            eventually("a part is copied", || len(&data.copy()) > 0);
            kill(client);
        }
        assert_eq!(ended(data.client(Rust, model, &port, &[])), [data.printed(Rust, model)]);
        data.check_copy();
        assert_eq!(interrupt(server), NOTHING);
    }
}

/// The most memory that a process has had, in MB.
fn most_memory(process: &Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    most.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1000
}

/// The most that a program may have in memory, in MB: its code, the chunks of a mark of 32, and buffers.
const MOST_MEMORY: u64 = 30;

/// A file of a GiB, for clients that write their copies into a pipe.
fn gib(test: &str) -> Data {
    // Each chunk has two numbers at least, so it differs from all others. The zeros between them have few blocks on the disk.
    const DISTANCE: u64 = 100_000;
    let data = Data { size: 1 << 30, ..Data::new(test, 0) };
    let file = File::options().write(true).open(data.path("testdata")).unwrap();
    file.set_len(data.size).unwrap();
    for number in 1..data.size / DISTANCE {
        file.write_all_at(&number.to_be_bytes(), number * DISTANCE).unwrap();
    }
    let made = Command::new("mkfifo").arg(data.copy()).status().unwrap();
    assert!(made.success());
    data
}

/// The end of a pipe into which a client writes its copy: a reader that is as slow as the test wants.
struct SlowReader {
    pipe: File,
    file: File,
    at: u64,
    /// Space for the bytes of the copy and of the file.
    buffers: [Vec<u8>; 2],
}

impl SlowReader {
    /// Waits until the client has opened the pipe.
    fn of(data: &Data) -> SlowReader {
        let [pipe, file] = [data.copy(), data.path("testdata").into()].map(|path| File::open(path).unwrap());
        SlowReader { pipe, file, at: 0, buffers: [(); 2].map(|()| vec![0; 1 << 16]) }
    }

    /// Reads up to this place at least, or to the end of the copy, and compares everything with the file.
    fn read_to(&mut self, place: u64) {
        let [copy, expected] = &mut self.buffers;
        while self.at < place {
            let len = self.pipe.read(copy).unwrap();
            if len == 0 {
                return;
            }
            self.file.read_exact(&mut expected[..len]).unwrap();
            assert!(copy[..len] == expected[..len], "wrong bytes after {}", self.at);
            self.at += len as u64;
        }
    }
}

/// Copies a GiB. The reader of the copy stops four times, and the client once. Clients, and servers if the model survives that,
/// are killed meanwhile. No program has a large part of the file in memory.
fn copies_a_gib(model: &str) {
    if skip_unless(Path::new("/proc/self/status").exists(), "no /proc") {
        return;
    }
    let data = gib(model);
    let quarter = data.size / 4;
    let port = Port::reserve();
    let mut server = data.server(Rust, model, &port);
    let check_memory = |what: &str, server: &Process, client: &Process| {
        // Meanwhile, programs without a bound would have most of the file in memory.
        assert_eq!(client.line_within(Duration::from_millis(700)), None, "{what}");
        let most = [server, client].map(most_memory);
        println!("{model}, {what}: at most {most:?} MB in the server and the client");
        assert!(most.iter().all(|most| *most < MOST_MEMORY), "{model}, {what}: {most:?} MB");
    };

    let killed = data.client(Rust, model, &port, &[]);
    let mut reader = SlowReader::of(&data);
    reader.read_to(quarter);
    check_memory("the reader of a client that will be killed has stopped", &server, &killed);
    kill(killed);
    reader.read_to(data.size);
    assert!((quarter..data.size).contains(&reader.at));

    let client = data.client(Rust, model, &port, &[]);
    let mut reader = SlowReader::of(&data);
    for (part, next) in [(1, C), (2, Rust), (3, C)] {
        reader.read_to(part * quarter);
        if part == 2 {
            // It reads nothing from the socket either.
            signal(client.id(), libc::SIGSTOP);
        }
        check_memory(&format!("stop {part}"), &server, &client);
        // The request of model one has no offset.
        if model != "fileio1" {
            kill(server);
            server = data.server(next, model, &port);
        }
        signal(client.id(), libc::SIGCONT);
    }
    reader.read_to(data.size);
    assert_eq!(reader.at, data.size);
    assert_eq!(ended(client), [data.printed(Rust, model)]);
    assert_eq!(reader.pipe.read(&mut [0]).unwrap(), 0, "bytes after the end of the file");
    assert!(most_memory(&server) < MOST_MEMORY);
    kill(server);
}

#[deadline::test]
fn fileio1_copies_a_gib_to_a_slow_reader_and_after_a_killed_client() {
    copies_a_gib("fileio1");
}

#[deadline::test]
fn fileio2_copies_a_gib_to_a_slow_reader_and_past_killed_peers() {
    copies_a_gib("fileio2");
}

#[deadline::test]
fn fileio3_copies_a_gib_to_a_slow_reader_and_past_killed_peers() {
    copies_a_gib("fileio3");
}

/// The reader takes longer than the server, so that the client has the next chunk already, and never waits.
#[deadline::test]
fn ctrl_c_ends_fileio_clients_in_the_middle() {
    for model in MODELS {
        let data = gib("ctrl-c");
        let port = Port::reserve();
        let server = data.server(Rust, model, &port);
        let client = data.client(Rust, model, &port, &[]);
        let size = data.size;
        let mut reader = SlowReader::of(&data);
        reader.read_to(size / 64);
        let reading = thread::spawn(move || {
            let mut before = 0;
            while before < reader.at {
                before = reader.at;
                thread::sleep(Duration::from_millis(2));
                reader.read_to(before + 1);
            }
            reader.at
        });
        assert_eq!(interrupt(client), NOTHING);
        assert!(reading.join().unwrap() < size, "{model} has read the whole file");
        assert_eq!(interrupt(server), NOTHING);
    }
}

#[deadline::test]
fn ctrl_c_ends_fileio_clients_without_a_server() {
    let data = Data::new("nobody", 0);
    for model in MODELS {
        assert_eq!(interrupt(data.client(Rust, model, &Port::reserve(), &[])), NOTHING);
    }
}

#[deadline::test]
fn fileio_programs_name_a_missing_file_and_a_port_that_is_taken() {
    let data = Data::new("errors", 1);
    let context = Context::new().unwrap();
    let holder = context.socket(Router).unwrap();
    let taken = holder.bind("tcp://127.0.0.1:*").unwrap();
    for model in MODELS {
        names_taken_endpoint(model, &["--bind", &taken, "--file", &data.path("testdata")], &taken);
        let output = Command::new(example(model)).args(["--file", "not there"]).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && errors.contains("not there: No such file"), "{errors}");
    }
}
