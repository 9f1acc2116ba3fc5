//! Operations that run in other threads: sockets that move, shared sockets, proxies, actors. The faults of this tester's
//! own tests.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use zmq::{Kind, ProxyHandle, Socket};
use zmq_patterns::{Actor, Proxy, SharedSocket};

use super::{Row, SOCKETS, Thread, row};
use crate::common::rng::Rng;
use crate::content::{self, Owner};
use crate::world::fault;

const MILLISECOND: Duration = Duration::from_millis(1);

pub const ROWS: &[Row] = &[
    row("move", 8, |thread, rng| {
        let place = rng.below(SOCKETS);
        let Some(socket) = thread.sockets[place].take() else { return };
        let back = rng.coin();
        let bytes = vec![b'm'; 100];
        let message = content::message(rng, bytes);
        let moved = std::thread::spawn(move || {
            let _ = socket.now().recv_msg();
            let _ = socket.now().send(message);
            back.then_some(socket)
        });
        thread.sockets[place] = moved.join().ok().flatten();
    }),
    row("drop-elsewhere", 6, |thread, rng| {
        let taken = thread.sockets[rng.below(SOCKETS)].take();
        thread.world.help(move || drop(taken));
    }),
    row("drop-in-owner", 3, drop_in_owner),
    row("share", 5, share),
    row("use-shared", 15, use_shared),
    row("thread-safe", 6, thread_safe),
    row("proxy", 5, proxy),
    row("proxy-thread", 3, proxy_thread),
    row("actor", 5, actor),
    row("fault-abort", 0, |_, _| std::process::abort()),
    row("fault-panic", 0, |_, _| panic!("on purpose")),
    row("fault-hang", 0, |_, _| std::thread::sleep(Duration::from_secs(3600))),
    row("fault-owner", 0, |_, _| std::mem::forget(Owner::new(vec![0; 100]))),
    row("fault-write", 0, |_, rng| {
        let mut bytes = content::content(content::Stamp { sender: 1, number: 2, part: 0, parts: 1 }, 100);
        bytes[50 + rng.below(10)] ^= 1;
        if let Err(wrong) = content::stamp(&bytes) {
            fault(&format!("received {wrong}"));
        }
    }),
];

/// Content whose owner has a socket. The socket is used and closed when the owner is dropped.
fn drop_in_owner(thread: &mut Thread<'_>, rng: &mut Rng) {
    struct WithSocket(Owner, Socket<'static>);
    impl AsRef<[u8]> for WithSocket {
        fn as_ref(&self) -> &[u8] {
            self.0.as_ref()
        }
    }
    impl Drop for WithSocket {
        fn drop(&mut self) {
            let _ = self.1.now().recv_msg();
            let _ = self.1.now().send("from an owner");
        }
    }
    let Some(socket) = thread.sockets[rng.below(SOCKETS)].take() else { return };
    // The message is not sent: a socket in a message in the queues of its own context keeps the context from ending.
    let message = zmq::Message::from_owner(WithSocket(Owner::new(vec![b'o'; 100]), socket));
    let copy = message.clone();
    drop(message);
    thread.world.help(move || drop(copy));
}

fn share(thread: &mut Thread<'_>, rng: &mut Rng) {
    let Some(socket) = thread.sockets[rng.below(SOCKETS)].take() else { return };
    if thread.shared.len() < 3
        && let Ok(shared) = SharedSocket::new(socket)
    {
        thread.shared.push(shared);
    }
}

fn use_shared(thread: &mut Thread<'_>, rng: &mut Rng) {
    if thread.shared.is_empty() {
        return;
    }
    let place = rng.below(thread.shared.len());
    let shared = thread.shared[place].clone();
    let bytes = vec![b's'; 50];
    let message = content::message(rng, bytes);
    match rng.below(8) {
        0 => drop(shared.now().send_multipart(message)),
        1 => drop(shared.within(MILLISECOND).send_multipart(message)),
        2 => drop(shared.now().recv_multipart()),
        3 => drop(shared.within(MILLISECOND).recv_multipart()),
        4 => drop(shared.with(|socket| socket.events())),
        5 => {
            // The panic goes on in the caller.
            let panics = || shared.with(|_| -> () { std::panic::resume_unwind(Box::new("a closure that panics")) });
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics));
        }
        6 => thread.world.help(move || {
            let _ = shared.within(MILLISECOND).send_multipart(message);
            let _ = shared.within(MILLISECOND).recv_multipart();
        }),
        _ => drop(thread.shared.swap_remove(place)),
    }
}

/// One socket of a kind that libzmq locks, in three threads at once.
#[cfg(feature = "draft")]
fn thread_safe(thread: &mut Thread<'_>, rng: &mut Rng) {
    fn hammer<T: zmq::SocketType + zmq::ThreadSafe>(socket: Socket<'static, T>, calls: [fn(&Socket<'static, T>); 3]) {
        let socket = std::sync::Arc::new(socket);
        let threads = calls.map(|call| {
            let socket = socket.clone();
            std::thread::spawn(move || (0..10).for_each(|_| call(&socket)))
        });
        drop(socket);
        threads.into_iter().for_each(|thread| drop(thread.join()));
    }
    let endpoint = super::endpoints::endpoint(thread, rng);
    let context = &thread.world.context;
    if rng.coin() {
        let Ok(client) = context.owned_socket(zmq::Client) else { return };
        let _ = client.connect(&endpoint);
        hammer(
            client,
            [
                |client| drop(client.now().send("x")),
                |client| drop(client.now().recv_msg()),
                |client| drop((client.bind("inproc://3"), client.unbind("inproc://3"), client.set_sndhwm(2))),
            ],
        );
    } else {
        let Ok(server) = context.owned_socket(zmq::Server) else { return };
        let _ = server.bind(&format!("inproc://{}", rng.below(6)));
        hammer(
            server,
            [
                |server| {
                    if let Ok(Some(message)) = server.now().recv_msg() {
                        let _ = server.now().send(message);
                    }
                },
                |server| drop(server.within(MILLISECOND).recv_msg()),
                |server| drop((server.connect("inproc://2"), server.disconnect("inproc://2"), server.events())),
            ],
        );
    }
}

#[cfg(not(feature = "draft"))]
fn thread_safe(_: &mut Thread<'_>, _: &mut Rng) {}

fn proxy(thread: &mut Thread<'_>, rng: &mut Rng) {
    let (Some(front), Some(back)) = (thread.socket(rng), thread.socket(rng)) else { return };
    let capture = thread.socket(rng).filter(|_| rng.coin());
    let Ok(handle) = ProxyHandle::new() else { return };
    let other = handle.clone();
    let pauses = rng.coin();
    let controller = std::thread::spawn(move || {
        if pauses {
            let _ = (other.pause(), other.statistics(), other.resume());
        }
        std::thread::sleep(Duration::from_millis(2));
        let _ = other.terminate();
    });
    let _ = handle.run(front, back, capture.map(Socket::as_ref));
    // A proxy that was not accepted leaves the handle unserved.
    let _ = handle.terminate();
    let _ = controller.join();
}

fn proxy_thread(thread: &mut Thread<'_>, rng: &mut Rng) {
    let pairs = [(Kind::Router, Kind::Dealer), (Kind::XSub, Kind::XPub), (Kind::Pull, Kind::Push)];
    let (front, back) = *rng.pick(&pairs);
    let context = &thread.world.context;
    let (Ok(front), Ok(back)) = (context.owned_socket(front), context.owned_socket(back)) else { return };
    let _ = front.bind(&format!("inproc://{}", rng.below(6)));
    let _ = back.connect(&super::endpoints::endpoint(thread, rng));
    let Ok(proxy) = Proxy::start(front, back, None) else { return };
    std::thread::sleep(Duration::from_millis(rng.below(3) as u64));
    let handle = proxy.handle();
    let _ = (handle.pause(), handle.statistics(), handle.resume());
    if rng.coin() {
        let _ = proxy.terminate();
    }
}

/// An actor that echoes.
fn actor(thread: &mut Thread<'_>, rng: &mut Rng) {
    let ends = rng.below(4);
    let spawned = Actor::spawn(&thread.world.context, "mix", move |pipe| {
        pipe.ready();
        let mut count = 0;
        loop {
            pipe.send_multipart(pipe.recv_multipart()?)?;
            count += 1;
            match ends {
                0 if count == 3 => return Ok(()),
                1 if count == 3 => Err("an actor that fails")?,
                _ => {}
            }
        }
    });
    let Ok(actor) = spawned else { return };
    let (sent, received) = (AtomicUsize::new(0), AtomicUsize::new(0));
    for _ in 0..rng.below(6) {
        let parts = content::parts(rng, thread.world.number(), 0, 2);
        if actor.send_multipart(parts).is_ok() {
            sent.fetch_add(1, Ordering::Relaxed);
        }
        let stays = ends > 1 && !thread.world.has_ended();
        let timeout = if stays { crate::world::within() } else { MILLISECOND };
        match actor.within(timeout).recv_multipart() {
            Ok(Some(parts)) => {
                received.fetch_add(1, Ordering::Relaxed);
                parts.iter().for_each(|part| {
                    let _ = content::stamp(part).map_err(|wrong| fault(&format!("received from an actor {wrong}")));
                });
            }
            Ok(None) if stays && !thread.world.has_ended() => {
                fault(&format!("an actor got {sent:?} messages and gave {received:?} back"));
            }
            _ => {}
        }
    }
    if rng.coin() {
        let _ = actor.terminate(crate::world::within());
    }
}
