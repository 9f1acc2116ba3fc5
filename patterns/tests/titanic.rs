//! Titanic: the store over its file, and the services over sockets.

#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "titanic/disk.rs"]
mod disk;
#[path = "titanic/mounts.rs"]
mod mounts;
#[path = "titanic/service.rs"]
mod service;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::{Process, TCP, alone, eventually, role, run_by};
use zmq::{Context, Multipart};
use zmq_patterns::majordomo::{self, Broker, Worker};
use zmq_patterns::titanic::{Client, ClientError, Event, RequestId, Service, Store, StoreError, Stored};

/// A directory that is removed when this is dropped.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("titanic-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Directory(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("requests")
    }

    fn store(&self) -> Store {
        Store::open(&self.0).unwrap()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn add(store: &Store, body: &str) -> RequestId {
    store.add("echo", &Multipart::from(body)).unwrap()
}

fn answered(body: &str) -> Stored {
    Stored::Answered(body.into())
}

#[deadline::test]
fn store_has_what_it_acknowledged_when_it_is_opened_again() {
    let directory = Directory::new("again");
    let store = directory.store();
    let [pending, done, closed] = ["pending", "done", "closed"].map(|body| add(&store, body));
    assert!(store.answer(done, &Multipart::from(["a", "", "b"])).unwrap());
    assert!(!store.answer(done, &Multipart::from("a later one")).unwrap());
    assert!(store.close(closed).unwrap());
    assert!(!store.close(closed).unwrap());
    assert!(!store.answer(closed, &Multipart::from("too late")).unwrap());
    let check = |store: &Store| {
        assert_eq!(store.pending(), [pending]);
        assert_eq!(store.request(pending).unwrap(), Some(("echo".into(), "pending".into())));
        assert_eq!(store.request(done).unwrap(), None);
        assert_eq!(store.get(pending).unwrap(), Stored::Pending);
        assert_eq!(store.get(done).unwrap(), Stored::Answered(["a", "", "b"].into()));
        assert_eq!(store.get(closed).unwrap(), Stored::Unknown);
    };
    check(&store);
    drop(store);
    check(&directory.store());
}

#[deadline::test]
fn store_waits_for_the_disk_once_for_several_threads() {
    const THREADS: usize = 16;
    const EACH: usize = 50;
    let directory = Directory::new("group");
    let store = directory.store();
    let ids: Vec<RequestId> = thread::scope(|scope| {
        let store = &store;
        let add = move |thread| (0..EACH).map(|at| add(store, &format!("{thread} {at}"))).collect::<Vec<_>>();
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || add(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let numbers = store.statistics();
    assert_eq!((numbers.records, numbers.pending), ((THREADS * EACH) as u64, THREADS * EACH));
    assert!(numbers.commits < numbers.records, "{numbers:?}");
    drop(store);
    let store = directory.store();
    for (at, id) in ids.into_iter().enumerate() {
        let body = format!("{} {}", at / EACH, at % EACH);
        assert_eq!(store.request(id).unwrap(), Some(("echo".into(), body.into())));
    }
}

#[deadline::test]
fn store_is_compacted_while_threads_use_it() {
    let directory = Directory::new("compact");
    let store = directory.store().compact_from(4096);
    let kept: Vec<_> = (0..20).map(|at| add(&store, &format!("kept {at}"))).collect();
    kept[..10].iter().for_each(|id| assert!(store.answer(*id, &Multipart::from(format!("reply to {id}"))).unwrap()));
    let check = |store: &Store| {
        for (at, id) in kept.iter().enumerate() {
            let expected = if at < 10 { answered(&format!("reply to {id}")) } else { Stored::Pending };
            assert_eq!(store.get(*id).unwrap(), expected);
        }
        assert!(store.pending().starts_with(&kept[10..]));
        assert_eq!(store.request(kept[19]).unwrap(), Some(("echo".into(), "kept 19".into())));
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let id = add(&store, &"x".repeat(100));
                    assert!(store.answer(id, &Multipart::from("y".repeat(100))).unwrap());
                    assert_eq!(store.get(id).unwrap(), answered(&"y".repeat(100)));
                    assert!(store.close(id).unwrap());
                    check(&store);
                }
            });
        }
    });
    let numbers = store.statistics();
    assert!(numbers.compactions > 1 && numbers.failed_compactions == 0 && numbers.bytes < 20_000, "{numbers:?}");
    assert_eq!(fs::metadata(directory.file()).unwrap().len(), numbers.bytes);
    drop(store);
    let store = directory.store();
    check(&store);
    assert_eq!(store.statistics().pending, 10);
}

#[deadline::test]
fn store_refuses_files_that_it_does_not_read_and_leaves_them_as_they_are() {
    let directory = Directory::new("refuse");
    let store = directory.store();
    assert!(matches!(Store::open(&directory.0).unwrap_err(), StoreError::Locked(_)));
    let first_batch = fs::metadata(directory.file()).unwrap().len() as usize;
    let (first, _) = (add(&store, "first"), add(&store, "second"));
    drop(store);
    let good = fs::read(directory.file()).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(directory.file(), bytes).unwrap();
        let error = Store::open(&directory.0).unwrap_err();
        assert_eq!(fs::read(directory.file()).unwrap(), bytes);
        error
    };

    let mut newer = good.clone();
    newer[8] = 7;
    let error = refused(&newer);
    assert!(matches!(error, StoreError::Newer { version: 7, .. }));
    assert!(error.to_string().contains("has version 7, and this program reads none after 1"), "{error}");
    assert!(matches!(refused(b"something else, and long enough for a header"), StoreError::NoStore(_)));
    assert!(matches!(refused(b""), StoreError::NoStore(_)));
    let mut corrupt = good.clone();
    corrupt[first_batch + 30] ^= 1;
    let error = refused(&corrupt);
    assert!(matches!(error, StoreError::Corrupt { place, .. } if place == first_batch as u64), "{error}");

    // The second write has not ended.
    fs::write(directory.file(), &good[..good.len() - 3]).unwrap();
    let store = directory.store();
    assert_eq!(store.pending(), [first]);
    assert_eq!(store.statistics().cut, (good.len() - 3 - first_batch) as u64 / 2 - 1);
    let third = add(&store, "third");
    drop(store);
    assert_eq!(directory.store().pending(), [first, third]);
}

/// A changed record is neither given to a client nor copied to a file whose checksums would make it a good one.
#[deadline::test]
fn store_notices_bytes_that_change_while_it_is_open() {
    let directory = Directory::new("changes");
    let store = directory.store().compact_from(2000);
    let ids = ["pending", "answered", "good"].map(|body| add(&store, body));
    assert!(store.answer(ids[1], &Multipart::from("reply")).unwrap());
    let mut bytes = fs::read(directory.file()).unwrap();
    for text in ["pending", "reply"] {
        let place = bytes.windows(text.len()).position(|at| at == text.as_bytes()).unwrap();
        bytes[place] ^= 1;
    }
    fs::write(directory.file(), &bytes).unwrap();
    for error in [store.request(ids[0]).unwrap_err(), store.get(ids[1]).unwrap_err()] {
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    }
    for _ in 0..30 {
        let id = add(&store, "x");
        assert!(store.close(id).unwrap());
    }
    let numbers = store.statistics();
    assert!(numbers.compactions == 0 && numbers.failed_compactions > 0, "{numbers:?}");
    assert_eq!(store.request(ids[2]).unwrap(), Some(("echo".into(), "good".into())));
    // They can be closed, and are then no longer in the way.
    ids[..2].iter().for_each(|id| assert!(store.close(*id).unwrap()));
    while store.statistics().compactions == 0 {
        let id = add(&store, "x");
        assert!(store.close(id).unwrap());
    }
    drop(store);
    assert_eq!(directory.store().pending(), [ids[2]]);
}

/// Ids are secrets, so no other user may read the files.
#[deadline::test]
fn store_has_files_that_only_their_owner_reads() {
    let directory = Directory::new("permissions");
    let store = directory.store().compact_from(0);
    let check = || {
        for file in [directory.file(), directory.0.join("lock")] {
            assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        }
    };
    check();
    let id = add(&store, "Hello");
    assert!(store.close(id).unwrap());
    assert_eq!(store.statistics().compactions, 1);
    check();
}

#[deadline::test]
fn store_tells_errors_of_the_file_system() {
    let directory = Directory::new("errors");
    fs::create_dir_all(&directory.0).unwrap();
    let file = directory.0.join("file");
    fs::write(&file, "text").unwrap();
    let error = Store::open(&file).unwrap_err();
    assert!(matches!(&error, StoreError::Io { .. }) && error.to_string().contains("cannot make"), "{error}");
    fs::create_dir(directory.file()).unwrap();
    let StoreError::Io { error, .. } = Store::open(&directory.0).unwrap_err() else { panic!() };
    assert_eq!(error.kind(), ErrorKind::IsADirectory);
}

/// A limit of the size of files is as good as a full disk.
#[deadline::test]
fn store_loses_nothing_when_the_disk_is_full() {
    const TEST: &str = "store_loses_nothing_when_the_disk_is_full";
    if role().is_none() {
        let mut limited = Command::new("sh");
        limited.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""]);
        return Process::spawn(&mut run_by(limited, &alone(TEST, "limited"))).succeeds();
    }
    let directory = Directory::new("full");
    let store = directory.store();
    let large = "x".repeat(1000);
    let mut stored = Vec::new();
    let error = loop {
        match store.add("echo", &Multipart::from(&*large)) {
            Ok(id) => stored.push(id),
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, StoreError::Io { doing: "write to", .. }), "{error}");
    assert!(stored.len() > 10);
    // It still has all of them, stores what is small enough, and goes on when there is room.
    let small = add(&store, "small");
    assert!(store.add("echo", &Multipart::from(&*large)).is_err());
    assert_eq!(store.pending().len(), stored.len() + 1);
    drop(store);
    let store = directory.store().compact_from(0);
    assert_eq!(store.statistics().cut, 0);
    assert_eq!(store.pending().len(), stored.len() + 1);
    assert_eq!(store.request(small).unwrap(), Some(("echo".into(), "small".into())));
    for id in &stored {
        assert_eq!(store.request(*id).unwrap(), Some(("echo".into(), (&*large).into())));
    }
}

/// A broker and a Titanic that serve in threads.
struct Serving {
    context: Context,
    endpoint: String,
    broker: JoinHandle<zmq::Result<()>>,
    titanic: JoinHandle<(zmq::Result<()>, zmq_patterns::titanic::Statistics)>,
}

impl Serving {
    fn start(directory: &Directory) -> Serving {
        Serving::start_with(directory, |_| ())
    }

    fn start_with(directory: &Directory, on_event: impl Fn(&Event) + Send + Sync + 'static) -> Serving {
        let context = Context::new().unwrap();
        let mut broker = Broker::new(&context).unwrap();
        let endpoint = broker.bind(TCP).unwrap();
        let broker = thread::spawn(move || broker.run(|_| ()));
        let mut titanic =
            Service::new(&context, &endpoint, directory.store()).pause(Duration::from_millis(50)).intake(2);
        let titanic = thread::spawn(move || {
            let ended = titanic.run(on_event);
            (ended, titanic.statistics())
        });
        Serving { context, endpoint, broker, titanic }
    }

    fn bare_client(&self) -> majordomo::Client {
        majordomo::Client::new(&self.context, &self.endpoint).timeout(Duration::from_secs(30)).retries(0)
    }

    fn client(&self) -> Client {
        Client::from(self.bare_client())
    }

    fn echo(&self) -> JoinHandle<zmq::Result<()>> {
        let mut worker = Worker::new(&self.context, &self.endpoint, "echo").unwrap();
        thread::spawn(move || worker.run(|request| request))
    }

    fn end(self) -> zmq_patterns::titanic::Statistics {
        self.context.shutdown().unwrap();
        self.broker.join().unwrap().unwrap();
        let (ended, statistics) = self.titanic.join().unwrap();
        ended.unwrap();
        statistics
    }
}

#[deadline::test]
fn service_answers_requests_that_a_service_before_it_has_stored() {
    let directory = Directory::new("service");
    let serving = Serving::start(&directory);
    let mut client = serving.client();
    let first = client.request("echo", ["Hello", "", "world"]).unwrap();
    let closed = client.request("echo", "closed").unwrap();
    assert_eq!(client.reply(first).unwrap(), Stored::Pending);
    client.close(closed).unwrap();
    client.close(closed).unwrap();
    assert_eq!(client.reply(closed).unwrap(), Stored::Unknown);
    let numbers = serving.end();
    assert_eq!((numbers.stored, numbers.closed, numbers.answered, numbers.failed), (2, 1, 0, 0));

    let serving = Serving::start(&directory);
    let mut client = serving.client();
    assert_eq!(client.reply(first).unwrap(), Stored::Pending);
    let second = client.request("echo", "second").unwrap();
    let echo = serving.echo();
    eventually("the replies", || [first, second].iter().all(|id| client.reply(*id).unwrap() != Stored::Pending));
    assert_eq!(client.reply(first).unwrap(), Stored::Answered(["Hello", "", "world"].into()));
    assert_eq!(client.reply(second).unwrap(), answered("second"));
    serving.end();
    echo.join().unwrap().unwrap();

    let serving = Serving::start(&directory);
    let mut client = serving.client();
    assert_eq!(client.reply(second).unwrap(), answered("second"));
    [first, second].iter().for_each(|id| client.close(*id).unwrap());
    assert_eq!(client.reply(second).unwrap(), Stored::Unknown);
    serving.end();
}

#[deadline::test]
fn service_refuses_what_is_malformed_and_goes_on() {
    let directory = Directory::new("malformed");
    let serving = Serving::start(&directory);
    let mut client = serving.bare_client();
    for (service, body, status) in [
        ("titanic.request", Multipart::from("echo"), "400"),
        ("titanic.request", Multipart::from(["", "Hello"]), "400"),
        ("titanic.request", Multipart::from(["\n", "Hello"]), "400"),
        ("titanic.reply", Multipart::from("0123456789ABCDEF0123456789ABCDEF"), "400"),
        ("titanic.reply", Multipart::from("no id"), "400"),
        ("titanic.reply", Multipart::from(["0123456789ABCDEF0123456789ABCDEF", ""]), "400"),
        ("titanic.close", Multipart::from("no id"), "200"),
        ("titanic.close", Multipart::from("0123456789ABCDEF0123456789ABCDEF"), "200"),
    ] {
        assert_eq!(client.request(service, body).unwrap(), [status], "{service}");
    }
    let stored = client.request("titanic.request", ["echo", "Hello"]).unwrap();
    assert_eq!((stored.len(), &*stored[0], stored[1].len()), (2, &b"200"[..], 32));
    assert!(stored[1].iter().all(|digit| b"0123456789ABCDEF".contains(digit)));
    assert_eq!(client.request("titanic.reply", stored[1].clone()).unwrap(), ["300"]);
    let refused = serving.client().request("", "Hello").unwrap_err();
    assert!(matches!(refused, ClientError::Refused), "{refused}");
    assert_eq!(serving.end().malformed, 7);
}
