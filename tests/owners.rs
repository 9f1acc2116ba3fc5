//! The threads that drop the owners of messages.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

#[cfg(target_os = "linux")]
use common::thread_names;
use common::{DEADLINE, TCP, in_own_process};
use zmq::{Context, Message, Pull, Push};
use zmq_patterns::SharedSocket;

/// An owner whose drop calls a function.
struct Owner<F: FnMut() + Send>(F);

impl<F: FnMut() + Send> AsRef<[u8]> for Owner<F> {
    fn as_ref(&self) -> &[u8] {
        &[b'o'; 100]
    }
}

impl<F: FnMut() + Send> Drop for Owner<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn owned(drop: impl FnMut() + Send + 'static) -> Message {
    Message::from_owner(Owner(drop))
}

/// A message whose owner's drop waits until the sender is dropped, and then counts.
fn blocking(count: &Arc<AtomicUsize>) -> (Message, Sender<()>) {
    let (release, released) = channel::<()>();
    let count = count.clone();
    let drop = move || {
        released.recv().unwrap_err();
        count.fetch_add(1, SeqCst);
    };
    (owned(drop), release)
}

/// If one thread dropped all owners, an owner that blocks would hold up all later ones.
#[deadline::test]
fn owners_that_block_do_not_hold_up_the_others() {
    let context = Context::new().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let blocking: Vec<_> = (0..5).map(|_| blocking(&count)).collect();
    let releases: Vec<_> = blocking
        .into_iter()
        .map(|(message, release)| {
            drop(message);
            release
        })
        .collect();
    let (dropped, told) = channel();
    drop(owned(move || dropped.send(()).unwrap()));
    told.recv_timeout(DEADLINE).expect("the owner behind them is dropped");
    assert_eq!(count.load(SeqCst), 0);

    // The context has ended, but the owners are not dropped yet.
    context.terminate(Duration::from_millis(50)).unwrap_err();
    drop(releases);
    context.terminate(DEADLINE).unwrap();
    assert_eq!(count.load(SeqCst), 5);
}

#[deadline::test]
fn terminate_waits_for_the_owners_of_every_thread() {
    for round in 0..5 {
        let context = Context::new().unwrap();
        let count = Arc::new(AtomicUsize::new(0));
        for number in 0..20 {
            let count = count.clone();
            // Some drops take longer than an owner may hold up the others.
            let time = Duration::from_millis(if number % 8 == round { 150 } else { 0 });
            drop(owned(move || {
                thread::sleep(time);
                count.fetch_add(1, SeqCst);
            }));
        }
        context.terminate(DEADLINE).unwrap();
        assert_eq!(count.load(SeqCst), 20);
    }
}

/// The drop of the last handle of a shared socket ends the context of the socket. The end waits here for a message that is
/// never sent.
#[test]
fn owner_that_closes_a_lingering_socket_does_not_hold_up_the_others() {
    in_own_process("owner_that_closes_a_lingering_socket_does_not_hold_up_the_others", || {
        let context = Context::new().unwrap();
        let socket = context.owned_socket(Push).unwrap();
        socket.connect("tcp://127.0.0.1:1").unwrap();
        socket.send("unsent").unwrap();
        let mut shared = Some(SharedSocket::new(socket).unwrap());
        drop(context);
        drop(owned(move || drop(shared.take())));
        let (dropped, told) = channel();
        drop(owned(move || dropped.send(()).unwrap()));
        told.recv_timeout(DEADLINE).expect("the owner behind it is dropped");
    });
}

/// Threads beyond the first end when they have nothing to do.
#[cfg(target_os = "linux")]
#[test]
fn threads_of_owners_end_after_a_spell_of_blocking() {
    in_own_process("threads_of_owners_end_after_a_spell_of_blocking", || {
        let threads = || thread_names().into_iter().filter(|name| name == "zmq-owners").count();
        drop(owned(|| {}));
        common::wait_for_dropped_owners();
        assert_eq!(threads(), 1);
        let count = Arc::new(AtomicUsize::new(0));
        let releases: Vec<_> = (0..3).map(|_| blocking(&count)).map(|(_, release)| release).collect();
        common::eventually("there is a thread for each", || threads() == 3);
        drop(releases);
        common::eventually("one thread is left", || threads() == 1);
        drop(owned(|| {}));
        common::wait_for_dropped_owners();
        assert_eq!(threads(), 1);
    });
}

/// A thread that each owner wakes costs more than a small message.
#[cfg(target_os = "linux")]
#[test]
fn owners_in_quick_succession_do_not_each_wake_their_thread() {
    const OWNERS: u32 = 2000;
    in_own_process("owners_in_quick_succession_do_not_each_wake_their_thread", || {
        drop(owned(|| {}));
        common::wait_for_dropped_owners();
        let before = waits_of("zmq-owners");
        let start = std::time::Instant::now();
        let count = Arc::new(AtomicUsize::new(0));
        for _ in 0..OWNERS {
            let count = count.clone();
            drop(owned(move || {
                count.fetch_add(1, SeqCst);
            }));
            // Time enough for the thread to drop it.
            thread::sleep(Duration::from_micros(50));
        }
        common::wait_for_dropped_owners();
        assert_eq!(count.load(SeqCst), OWNERS as usize);
        let waits = waits_of("zmq-owners") - before;
        // About one in a millisecond, and some for the lock of the queue.
        assert!(waits < 100 + 2 * start.elapsed().as_millis() as u64, "{waits} waits in {:?}", start.elapsed());
    });
}

/// The number of waits of the thread of that name.
#[cfg(target_os = "linux")]
fn waits_of(name: &str) -> u64 {
    let threads = std::fs::read_dir("/proc/self/task").unwrap().map(|thread| thread.unwrap().path());
    let thread = threads
        .into_iter()
        .find(|thread| std::fs::read_to_string(thread.join("comm")).unwrap().trim() == name)
        .expect("the thread runs");
    let status = std::fs::read_to_string(thread.join("status")).unwrap();
    let waits = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    waits.unwrap().trim().parse().unwrap()
}

/// The drops of these owners run no code of the program.
#[cfg(target_os = "linux")]
#[test]
fn vecs_and_the_like_need_no_thread() {
    in_own_process("vecs_and_the_like_need_no_thread", || {
        let content = vec![b'x'; 100];
        let messages = vec![
            Message::from_owner(content.clone()),
            Message::from_owner(String::from_utf8(content.clone()).unwrap()),
            Message::from_owner(content.clone().into_boxed_slice()),
            Message::from_owner(Arc::<[u8]>::from(content.clone())),
            Message::from_owner([b'x'; 100]),
        ];
        #[cfg(feature = "bytes")]
        let messages = {
            let mut rest = bytes::Bytes::from([&b"y"[..], &content].concat());
            drop(rest.split_to(1));
            let of_bytes = [Message::from(bytes::Bytes::from(content.clone())), Message::from(rest)];
            messages.into_iter().chain(of_bytes).collect::<Vec<_>>()
        };
        assert!(messages.iter().all(|message| **message == content));
        drop(messages);
        common::wait_for_dropped_owners();
        let threads = thread_names();
        assert!(!threads.iter().any(|name| name.starts_with("zmq-owner")), "{threads:?}");
    });
}

/// The `Bytes` is not shared, and its owner is of the program.
#[cfg(feature = "bytes")]
#[deadline::test]
fn owner_of_bytes_is_dropped_in_a_thread_of_its_own() {
    let (dropped, told) = channel();
    let drop_it = move || dropped.send(thread::current().name().map(str::to_owned)).unwrap();
    drop(Message::from(bytes::Bytes::from_owner(Owner(drop_it))));
    assert_eq!(told.recv_timeout(DEADLINE).unwrap().as_deref(), Some("zmq-owners"));
}

/// The first owner is released by an I/O thread. A thread that it starts would inherit its signal mask and processors.
#[cfg(target_os = "linux")]
#[test]
fn owners_are_dropped_with_the_signal_mask_and_processors_of_the_program() {
    fn status() -> Vec<String> {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let is_wanted = |line: &&str| line.starts_with("SigBlk") || line.starts_with("Cpus_allowed_list");
        status.lines().filter(is_wanted).map(str::to_owned).collect()
    }
    in_own_process("owners_are_dropped_with_the_signal_mask_and_processors_of_the_program", || {
        let context = Context::new().unwrap();
        context.add_thread_affinity_cpu(0).unwrap();
        let (pull, push) = (context.socket(Pull).unwrap(), context.socket(Push).unwrap());
        push.connect(&pull.bind(TCP).unwrap()).unwrap();
        let (dropped, told) = channel();
        // Another thread is started if the first one blocks.
        let count = Arc::new(AtomicUsize::new(0));
        let (message, release) = blocking(&count);
        for message in [Some(message), None, None] {
            let dropped = dropped.clone();
            let message = message.unwrap_or_else(|| owned(move || dropped.send(status()).unwrap()));
            push.send(message).unwrap();
            pull.recv_msg().unwrap();
        }
        for _ in 0..2 {
            assert_eq!(told.recv_timeout(DEADLINE).unwrap(), status());
        }
        drop(release);
    });
}
