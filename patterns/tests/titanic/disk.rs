//! The store on a disk that fails, and one whose power fails: a library records what the store does with its files, and has
//! calls fail.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;

use zmq::Multipart;
use zmq_patterns::majordomo::{self, Worker};
use zmq_patterns::titanic::{ClientError, Event, RequestId, Store, StoreError, Stored};

use crate::common::rng::{Rng, seed};
use crate::common::{DEADLINE, Process, alone, c_library, eventually, role, skip_unless};
use crate::{Directory, Serving, add, answered};

/// The files beside the directory: what the disk has done, and the calls that fail.
fn beside(directory: &Path, extension: &str) -> PathBuf {
    directory.with_extension(extension)
}

/// Reports the test as skipped, and returns true, on a system without the calls that the library watches.
fn cannot_be_watched() -> bool {
    skip_unless(cfg!(target_os = "linux"), "the library watches the calls of Linux")
}

/// The command that runs the named test with this role on a watched disk.
fn watched(test: &str, role: &str, library: &Path, directory: &Path) -> Command {
    let mut command = alone(test, role);
    command.env("LD_PRELOAD", library).env("DISK", directory);
    command
}

/// The directory of a process that [`watched`] has started.
fn watched_directory() -> PathBuf {
    std::env::var_os("DISK").unwrap().into()
}

/// Reports the test as skipped, and returns true, if the library watches nothing: this program is linked statically, for example.
fn is_not_watched(directory: &Path) -> bool {
    skip_unless(beside(directory, "log").exists(), "no library can be preloaded")
}

/// A directory in the memory, if the system has one: there a thousand stores are opened quickly.
fn in_memory(name: &str) -> Directory {
    let memory = Path::new("/dev/shm");
    let path = memory.join(format!("titanic-{name}-{}", std::process::id()));
    if fs::create_dir(&path).is_err() {
        return Directory::new(name);
    }
    Directory(path)
}

/// Runs the body on a disk that fails on command, in a process of its own.
fn on_failing_disk(test: &str, body: impl FnOnce(&Path, &dyn Fn(&str))) {
    if role().is_some() {
        let directory = watched_directory();
        // The calls that fail from now on, as the library reads them.
        let fail = |calls: &str| fs::write(beside(&directory, "fail"), calls).unwrap();
        let probe = Store::open(&directory);
        if is_not_watched(&directory) {
            return;
        }
        drop(probe.unwrap());
        return body(&directory, &fail);
    }
    if cannot_be_watched() {
        return;
    }
    let place = Directory::new(test.rsplit(':').next().unwrap());
    fs::create_dir_all(&place.0).unwrap();
    let library = c_library("disk.c");
    Process::spawn(&mut watched(test, "failing", &library, &place.0.join("disk"))).succeeds();
}

const ENOSPC: i32 = libc::ENOSPC;
const EROFS: i32 = libc::EROFS;
const EIO: i32 = libc::EIO;

#[deadline::test]
fn store_is_broken_after_a_failed_fsync_and_keeps_what_it_acknowledged() {
    const TEST: &str = "disk::store_is_broken_after_a_failed_fsync_and_keeps_what_it_acknowledged";
    on_failing_disk(TEST, |directory, fail| {
        let store = Store::open(directory).unwrap();
        let [pending, done] = ["pending", "done"].map(|body| add(&store, body));
        assert!(store.answer(done, &"reply".into()).unwrap());
        let size = fs::metadata(directory.join("requests")).unwrap().len();
        fail(&format!("fdatasync {EIO} 0"));
        let error = store.add("echo", &"lost".into()).unwrap_err();
        assert!(matches!(&error, StoreError::Io { doing: "synchronize", .. }), "{error}");
        // The disk works again, and nobody knows what it has.
        fail("");
        for error in [store.add("echo", &"x".into()).unwrap_err(), store.close(done).unwrap_err()] {
            assert!(matches!(&error, StoreError::Broken(_)), "{error}");
        }
        let check = |store: &Store| {
            assert_eq!(store.pending(), [pending]);
            assert_eq!(store.get(done).unwrap(), answered("reply"));
        };
        check(&store);
        // The system may show data that the disk does not have. No later batch may come behind it.
        assert_eq!(fs::metadata(directory.join("requests")).unwrap().len(), size);
        drop(store);
        let store = Store::open(directory).unwrap();
        assert_eq!(store.statistics().cut, 0);
        check(&store);
        assert!(store.close(done).unwrap());
    });
}

#[deadline::test]
fn store_goes_on_when_a_failed_write_has_left_nothing() {
    const TEST: &str = "disk::store_goes_on_when_a_failed_write_has_left_nothing";
    on_failing_disk(TEST, |directory, fail| {
        let store = Store::open(directory).unwrap();
        let first = add(&store, "first");
        // A disk that is read-only for a while refuses to cut the file, too.
        fail(&format!("pwrite {EROFS} 0\nftruncate {EROFS} 0"));
        let error = store.add("echo", &"second".into()).unwrap_err();
        assert!(error.to_string().contains("Read-only file system"), "{error}");
        fail("");
        let third = add(&store, "third");
        // A full disk has taken a part.
        fail(&format!("pwrite {ENOSPC} 30"));
        let error = store.add("echo", &"fourth".into()).unwrap_err();
        assert!(matches!(&error, StoreError::Io { doing: "write to", .. }), "{error}");
        assert_eq!(fs::metadata(directory.join("requests")).unwrap().len(), store.statistics().bytes);
        fail("");
        let fifth = add(&store, "fifth");
        drop(store);
        let store = Store::open(directory).unwrap();
        assert_eq!((store.pending(), store.statistics().cut), (vec![first, third, fifth], 0));
        // The part cannot be removed: the next batch would come behind it.
        fail(&format!("pwrite {EIO} 30\nftruncate {EIO} 0"));
        store.add("echo", &"sixth".into()).unwrap_err();
        fail("");
        assert!(matches!(store.add("echo", &"x".into()).unwrap_err(), StoreError::Broken(_)));
        drop(store);
        let store = Store::open(directory).unwrap();
        assert_eq!((store.pending(), store.statistics().cut), (vec![first, third, fifth], 30));
    });
}

#[deadline::test]
fn store_keeps_all_when_a_compaction_fails() {
    const TEST: &str = "disk::store_keeps_all_when_a_compaction_fails";
    on_failing_disk(TEST, |directory, fail| {
        let new = directory.join("requests.new");
        let store = Store::open(directory).unwrap().compact_from(300);
        let kept = add(&store, "kept");
        let compact = |store: &Store| {
            let closed: Vec<_> = (0..20).map(|_| add(store, "closed")).collect();
            closed.into_iter().for_each(|id| assert!(store.close(id).unwrap()));
        };
        let mut failed = 0;
        for call in ["rename", "fsync"] {
            fail(&format!("{call} {EIO} 0"));
            compact(&store);
            let numbers = store.statistics();
            assert!(numbers.failed_compactions > failed && numbers.compactions == 0, "{call}: {numbers:?}");
            assert!(!new.exists(), "{call}");
            failed = numbers.failed_compactions;
        }
        fail("");
        (0..10).for_each(|_| compact(&store));
        let numbers = store.statistics();
        assert!(numbers.failed_compactions == failed && numbers.compactions > 0, "{numbers:?}");

        // The name of the file may be the new one's or the old one's.
        fail(&format!("fsync-directory {EIO} 0"));
        let broken = (0..1000).find_map(|_| store.close(store.add("echo", &"closed".into()).ok()?).err());
        assert!(broken.is_none_or(|error| matches!(error, StoreError::Broken(_))));
        assert!(matches!(store.add("echo", &"x".into()).unwrap_err(), StoreError::Broken(_)));
        assert_eq!(store.pending()[..1], [kept]);
        fail("");
        drop(store);
        // A compaction that was killed has left a file.
        fs::write(&new, "half").unwrap();
        let store = Store::open(directory).unwrap();
        assert_eq!(store.request(kept).unwrap(), Some(("echo".into(), "kept".into())));
        assert!(!new.exists());
    });
}

#[deadline::test]
fn store_is_not_opened_if_the_disk_fails() {
    const TEST: &str = "disk::store_is_not_opened_if_the_disk_fails";
    on_failing_disk(TEST, |directory, fail| {
        let refused = |directory: &Path| Store::open(directory).unwrap_err().to_string();
        for call in ["fsync", "fsync-directory"] {
            fail(&format!("{call} {EIO} 0"));
            assert!(refused(directory).contains("cannot synchronize"));
            fail("");
        }
        // A directory that is new must reach the disk with its parents, and they with theirs.
        let log = || fs::read_to_string(beside(directory, "log")).unwrap();
        let before = log().len();
        drop(Store::open(directory.join("a/b")).unwrap());
        for parent in [directory, &directory.join("a"), &directory.join("a/b")] {
            let line = format!("sync {}\n", parent.display());
            assert!(log()[before..].contains(&line), "{line}");
        }
    });
}

/// Clients get the status 500 and the replies that are there. No worker works in vain: its reply could not be stored.
#[deadline::test]
fn service_with_a_broken_store_gives_replies_and_delivers_nothing() {
    const TEST: &str = "disk::service_with_a_broken_store_gives_replies_and_delivers_nothing";
    on_failing_disk(TEST, |path, fail| {
        let directory = Directory(path.to_owned());
        let store = directory.store();
        let [done, pending] = ["done", "pending"].map(|body| add(&store, body));
        assert!(store.answer(done, &"reply".into()).unwrap());
        drop(store);
        let (sender, events) = channel();
        let serving = Serving::start_with(&directory, move |event| drop(sender.send(event.clone())));
        let mut client = serving.client();
        let mut fails = |_| {
            let failed = client.request("echo", "new").unwrap_err();
            assert!(matches!(failed, ClientError::Failed), "{failed}");
            assert_eq!(client.reply(done).unwrap(), answered("reply"));
            assert_eq!(client.reply(pending).unwrap(), Stored::Pending);
        };
        fail(&format!("fdatasync {EIO} 0"));
        fails(0);
        fail("");
        fails(1);
        let mut worker = Worker::new(&serving.context, &serving.endpoint, "echo").unwrap();
        let (works, requests) = channel();
        let working = thread::spawn(move || {
            worker.run(|request| {
                works.send(request.clone()).unwrap();
                request
            })
        });
        let is_registered = |client: &mut majordomo::Client| client.request("mmi.service", "echo").unwrap() == ["200"];
        let mut asking = serving.bare_client();
        eventually("the worker", || is_registered(&mut asking));
        // These are the attempts to deliver.
        events.try_iter().for_each(drop);
        for _ in 0..3 {
            let event = events.recv_timeout(DEADLINE).unwrap();
            assert!(matches!(event, Event::Failed(StoreError::Broken(_))), "{event}");
        }
        assert_eq!(serving.end().answered, 0);
        working.join().unwrap().unwrap();
        assert_eq!(requests.try_iter().next(), None);

        let serving = Serving::start(&directory);
        let echo = serving.echo();
        let mut client = serving.client();
        eventually("the reply", || client.reply(pending).unwrap() == answered("pending"));
        serving.end();
        echo.join().unwrap().unwrap();
    });
}

/// The content of a file, and the changes that the disk need not have.
#[derive(Default, Clone)]
struct Inode {
    synchronized: Vec<u8>,
    changes: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Cut(usize),
}

/// The disk, from the lines of its log.
#[derive(Default)]
struct Disk {
    inodes: BTreeMap<u64, Inode>,
    names: BTreeMap<String, u64>,
    /// The names after each change of a name that the disk need not have.
    later: Vec<BTreeMap<String, u64>>,
}

impl Disk {
    fn apply(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let mut names = self.later.last().unwrap_or(&self.names).clone();
        let inode = words[1].parse().unwrap_or(0);
        let mut change = |change| self.inodes.entry(inode).or_default().changes.push(change);
        match (words[0], &words[2..]) {
            ("link", [name]) => drop(names.insert((*name).to_owned(), inode)),
            ("rename", [to]) => {
                let inode = names.remove(words[1]).unwrap();
                names.insert((*to).to_owned(), inode);
            }
            ("remove", []) => drop(names.remove(words[1])),
            ("write", [place, hex]) => {
                let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
                let bytes = (0..hex.len()).step_by(2).map(byte).collect();
                return change(Change::Write(place.parse().unwrap(), bytes));
            }
            ("cut", [size]) => return change(Change::Cut(size.parse().unwrap())),
            ("sync", _) if inode == 0 => {
                self.names = names;
                self.later.clear();
                return;
            }
            ("sync", _) => {
                let Inode { synchronized, changes } = self.inodes.entry(inode).or_default();
                changes.drain(..).for_each(|change| change.apply(synchronized));
                return;
            }
            _ => panic!("{line}"),
        }
        self.later.push(names);
    }

    /// Writes what the disk may have after the power has failed: a part of what was not synchronized.
    fn write_to(&self, directory: &Path, rng: &mut Rng) {
        fs::create_dir_all(directory).unwrap();
        let reached = rng.below(self.later.len() + 1);
        let names = if reached == 0 { &self.names } else { &self.later[reached - 1] };
        for (name, inode) in names {
            let Inode { synchronized: mut content, changes } = self.inodes.get(inode).cloned().unwrap_or_default();
            for change in changes {
                match change {
                    Change::Write(place, bytes) if rng.coin() => tear(place, &bytes, &mut content, rng),
                    change if rng.coin() => change.apply(&mut content),
                    _ => {}
                }
            }
            fs::write(directory.join(name), content).unwrap();
        }
    }
}

impl Change {
    fn apply(self, content: &mut Vec<u8>) {
        match self {
            Change::Write(place, bytes) => {
                content.resize(content.len().max(place + bytes.len()), 0);
                content[place..][..bytes.len()].copy_from_slice(&bytes);
            }
            Change::Cut(size) => content.resize(size, 0),
        }
    }
}

/// Applies some of the sectors of a write, and only the size for the others. Sectors are small, so that a batch has several.
fn tear(place: usize, bytes: &[u8], content: &mut Vec<u8>, rng: &mut Rng) {
    const SECTOR: usize = 16;
    let sectors: Vec<usize> = (0..bytes.len()).step_by(SECTOR).filter(|_| rng.coin()).collect();
    if rng.coin() {
        content.resize(content.len().max(place + bytes.len()), 0);
    }
    for at in sectors {
        let sector = &bytes[at..bytes.len().min(at + SECTOR)];
        Change::Write(place + at, sector.to_vec()).apply(content);
    }
}

/// The state of a request, as far as its client knows it from the lines of the log.
#[derive(Default)]
struct Known {
    is_answered: bool,
    is_closing: bool,
    is_closed: bool,
}

/// The power fails at each moment of a store's life: while threads store, answer and close, while the file is compacted, and
/// after a process was killed before it waited for the disk. Whatever the disk then has of what was not synchronized, the store
/// opens, and has all that was acknowledged.
///
/// `ZMQ_DISK_SEED` is the seed, which the test prints.
#[deadline::test]
fn store_has_what_it_acknowledged_after_the_power_fails_at_any_moment() {
    const TEST: &str = "disk::store_has_what_it_acknowledged_after_the_power_fails_at_any_moment";
    match role().as_deref() {
        Some("lives") => return live(false),
        Some("is killed") => return live(true),
        Some(_) => return look(),
        None if cannot_be_watched() => return,
        None => {}
    }
    let seed = seed("ZMQ_DISK_SEED");
    println!("ZMQ_DISK_SEED={seed}");
    let mut rng = Rng::new(seed);
    let library = c_library("disk.c");
    for roles in [&["lives"][..], &["is killed", "looks", "lives"]] {
        let place = in_memory("power");
        fs::create_dir_all(&place.0).unwrap();
        let disk = place.0.join("disk");
        fs::create_dir(&disk).unwrap();
        for role in roles {
            let status = Process::spawn(&mut watched(TEST, role, &library, &disk)).wait();
            assert_eq!(status.success(), *role != "is killed", "{role}: {status}");
            if is_not_watched(&disk) {
                return;
            }
            fs::write(beside(&disk, "fail"), "").unwrap();
        }
        let log = fs::read_to_string(beside(&disk, "log")).unwrap();
        let (mut model, mut known) = (Disk::default(), BTreeMap::<&str, Known>::new());
        let mut images = 0;
        for (number, line) in log.lines().enumerate() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["ack", "add", id] => drop(known.entry(id).or_default()),
                ["ack", "answer", id] => known.get_mut(id).unwrap().is_answered = true,
                ["try", "close", id] => known.get_mut(id).unwrap().is_closing = true,
                ["ack", "close", id] => known.get_mut(id).unwrap().is_closed = true,
                _ => model.apply(line),
            }
            for _ in 0..2 {
                let image = place.0.join(format!("image-{number}"));
                model.write_to(&image, &mut rng);
                let opened = Store::open(&image);
                let store = opened.unwrap_or_else(|error| panic!("{error}, at line {number}, ZMQ_DISK_SEED={seed}"));
                check(&store, &known, &format!("line {number}, ZMQ_DISK_SEED={seed}"));
                drop(store);
                fs::remove_dir_all(&image).unwrap();
                images += 1;
            }
        }
        println!("{} lines, {images} disks, {} requests", log.lines().count(), known.len());
        assert!(known.values().any(|known| known.is_answered) && log.contains("rename"));
    }
}

fn check(store: &Store, known: &BTreeMap<&str, Known>, at: &str) {
    for (id, known) in known {
        let stored = store.get(RequestId::parse(id.as_bytes()).unwrap()).unwrap();
        let is_right = match &stored {
            Stored::Unknown => known.is_closing,
            Stored::Pending => !known.is_answered && !known.is_closed,
            Stored::Answered(reply) => !known.is_closed && *reply == [*id],
        };
        assert!(is_right, "{id} is {stored:?}, at {at}");
    }
}

/// Writes a line among those of the disk.
fn note(log: &Mutex<File>, what: &str, id: RequestId) {
    log.lock().unwrap().write_all(format!("{what} {id}\n").as_bytes()).unwrap();
}

fn log() -> Mutex<File> {
    Mutex::new(OpenOptions::new().append(true).create(true).open(beside(&watched_directory(), "log")).unwrap())
}

/// Three threads store, answer and close. If the process is to be killed, that happens behind a write without `fdatasync`.
fn live(is_killed: bool) {
    let directory = watched_directory();
    let store = &Store::open(&directory).unwrap().compact_from(2000);
    let log = &log();
    thread::scope(|scope| {
        for thread in 0..3 {
            scope.spawn(move || {
                for number in 0..15 {
                    let id = add(store, &"x".repeat(20 * thread + number));
                    note(log, "ack add", id);
                    if number % 3 > 0 {
                        assert!(store.answer(id, &Multipart::from(id.to_string())).unwrap());
                        note(log, "ack answer", id);
                    }
                    if number % 5 > 0 {
                        note(log, "try close", id);
                        assert!(store.close(id).unwrap());
                        note(log, "ack close", id);
                    }
                }
            });
        }
    });
    if is_killed {
        let id = add(store, "last");
        note(log, "ack add", id);
        fs::write(beside(&directory, "fail"), "pwrite -1 0").unwrap();
        let _ = store.answer(id, &Multipart::from(id.to_string()));
        unreachable!("the library ends the process");
    }
}

/// A client fetches all replies: from now on they must stay.
fn look() {
    let store = Store::open(watched_directory()).unwrap();
    let lines = fs::read_to_string(beside(&watched_directory(), "log")).unwrap();
    let log = log();
    for id in lines.lines().filter_map(|line| line.strip_prefix("ack add ")) {
        let id = RequestId::parse(id.as_bytes()).unwrap();
        if matches!(store.get(id).unwrap(), Stored::Answered(_)) {
            note(&log, "ack answer", id);
        }
    }
}
