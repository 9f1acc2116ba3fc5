//! The programs of the guide's chapter 7 as processes: fileio1 to fileio3 and mktestdata, each with native C peers in both
//! roles, and with peers that are killed.

mod common;
#[path = "guide/peers.rs"]
mod peers;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
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

/// The client stops in the middle, and goes on a second later. Neither side has a large part of the file in memory.
#[deadline::test]
fn fileio_programs_have_a_bounded_part_of_the_file_in_memory() {
    if skip_unless(Path::new("/proc/self/status").exists(), "no /proc") {
        return;
    }
    let data = Data::new("memory", 0);
    // The file has no blocks on the disk.
    let size = 400_000_000;
    File::options().write(true).open(data.path("testdata")).unwrap().set_len(size).unwrap();
    let data = Data { size, ..data };
    for model in MODELS {
        let port = Port::reserve();
        let server = data.server(Rust, model, &port);
        let client = data.client(Rust, model, &port, &[]);
        eventually("a part is copied", || len(&data.copy()) > 0);
        signal(client.id(), libc::SIGSTOP);
        assert_eq!(client.line_within(Duration::from_secs(1)), None);
        let most = most_memory(&server);
        assert!(most < 60, "{model} has {most} MB for a client that has stopped");
        signal(client.id(), libc::SIGCONT);
        eventually("a large part is copied", || len(&data.copy()) > size / 4);
        signal(client.id(), libc::SIGSTOP);
        let most = most_memory(&client).max(most_memory(&server));
        assert!(most < 60, "{model} has {most} MB");
        signal(client.id(), libc::SIGCONT);
        assert_eq!(ended(client), [data.printed(Rust, model)]);
        assert_eq!(interrupt(server), NOTHING);
        fs::remove_file(data.copy()).unwrap();
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
