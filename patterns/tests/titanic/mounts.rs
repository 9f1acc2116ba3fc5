//! The store and the service on a small file system, which gets full, and on one that is read-only.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use zmq_patterns::titanic::{ClientError, Store, StoreError, Stored};

use crate::common::{Process, alone, role, run_by, skip_unless};
use crate::{Directory, Serving, add, answered};

/// Runs the body in a process of its own, with a file system of 256 KiB that it alone has.
fn on_small_disk(test: &str, body: impl FnOnce(&Directory)) {
    if let Some(path) = role() {
        return body(&Directory(path.into()));
    }
    let place = Directory::new(test.rsplit(':').next().unwrap());
    fs::create_dir_all(&place.0).unwrap();
    let mounted = || {
        let mut command = Command::new("unshare");
        let mount = "mount -t tmpfs -o size=256k tmpfs \"$0\" && exec \"$@\"";
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", mount]).arg(&place.0);
        command
    };
    let can_mount = mounted().arg("true").stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if skip_unless(can_mount, "the system lets no user mount a file system") {
        return;
    }
    let this = alone(test, place.0.join("store").to_str().unwrap());
    Process::spawn(&mut run_by(mounted(), &this)).succeeds();
}

/// A file that takes up the disk until so many bytes are left.
fn fill(directory: &Directory, left: usize) {
    let ballast = directory.0.with_extension("ballast");
    let mut size = 256 << 10;
    while fs::write(&ballast, vec![1; size]).is_err() {
        size -= 1 << 10;
    }
    fs::write(&ballast, vec![1; size - left]).unwrap();
}

fn make_room(directory: &Directory) {
    fs::remove_file(directory.0.with_extension("ballast")).unwrap();
}

#[deadline::test]
fn service_on_a_full_disk_serves_what_it_has_and_stores_again_when_there_is_room() {
    const TEST: &str = "mounts::service_on_a_full_disk_serves_what_it_has_and_stores_again_when_there_is_room";
    on_small_disk(TEST, |directory| {
        let store = directory.store();
        let done = add(&store, "done");
        assert!(store.answer(done, &"reply".into()).unwrap());
        fill(directory, 20 << 10);
        let large = "x".repeat(3000);
        let mut stored = Vec::new();
        let error = loop {
            match store.add("nobody", &(&*large).into()) {
                Ok(id) => stored.push(id),
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains("No space left"), "{error}");
        assert!(stored.len() > 3);
        assert_eq!(store.pending(), stored);
        drop(store);

        let serving = Serving::start(directory);
        let mut client = serving.client();
        let failed = client.request("echo", &*large).unwrap_err();
        assert!(matches!(failed, ClientError::Failed), "{failed}");
        assert_eq!(client.reply(done).unwrap(), answered("reply"));
        assert_eq!(client.reply(stored[0]).unwrap(), Stored::Pending);
        make_room(directory);
        let last = client.request("echo", &*large).unwrap();
        serving.end();
        let store = directory.store();
        assert_eq!(store.pending(), [&stored[..], &[last]].concat());
        for id in stored {
            assert_eq!(store.request(id).unwrap(), Some(("nobody".into(), (&*large).into())));
        }
        assert_eq!((store.get(done).unwrap(), store.statistics().cut), (answered("reply"), 0));
    });
}

#[deadline::test]
fn compaction_on_a_full_disk_leaves_the_room_that_is_left() {
    const TEST: &str = "mounts::compaction_on_a_full_disk_leaves_the_room_that_is_left";
    on_small_disk(TEST, |directory| {
        let open = || directory.store().compact_from(16 << 10);
        let store = open();
        let large = "x".repeat(1000);
        let kept: Vec<_> = (0..40).map(|_| add(&store, &large)).collect();
        let closed: Vec<_> = (0..60).map(|_| add(&store, &large)).collect();
        fill(directory, 20 << 10);
        closed.into_iter().for_each(|id| assert!(store.close(id).unwrap()));
        let numbers = store.statistics();
        assert_eq!((numbers.compactions, numbers.failed_compactions), (0, 1), "{numbers:?}");
        // The room that it has used is there again.
        let last = add(&store, &"x".repeat(12 << 10));
        make_room(directory);
        drop(store);
        let store = open();
        assert!(store.close(last).unwrap());
        let numbers = store.statistics();
        assert!(numbers.compactions == 1 && numbers.bytes < 50_000, "{numbers:?}");
        assert_eq!(store.pending(), kept);
    });
}

#[deadline::test]
fn store_on_a_read_only_disk_is_not_opened_and_is_as_before() {
    const TEST: &str = "mounts::store_on_a_read_only_disk_is_not_opened_and_is_as_before";
    on_small_disk(TEST, |directory| {
        let store = directory.store();
        let id = add(&store, "Hello");
        drop(store);
        let remount = |how: &str| {
            let mut mount = Command::new("mount");
            assert!(mount.args(["-o", how]).arg(directory.0.parent().unwrap()).status().unwrap().success());
        };
        remount("remount,ro");
        let refused = |path: &Path, text: &str| {
            let error = Store::open(path).unwrap_err();
            assert!(matches!(error, StoreError::Io { .. }), "{error}");
            let error = error.to_string();
            assert!(error.contains(text) && error.contains("Read-only file system"), "{error}");
        };
        refused(&directory.0, "cannot open");
        refused(&directory.0.join("new"), "cannot make");
        remount("remount,rw");
        assert_eq!(directory.store().pending(), [id]);
    });
}
