//! Waiting for sockets and descriptors: polls, pollers, reactors, timers, monitors, and the descriptors that are lent.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use zmq::monitor::{Events, Options};
use zmq::{PollEvents, PollItem, Poller, Socket, Timers};
use zmq_patterns::Reactor;

use super::{Row, SOCKETS, Thread, is_thread_safe, row};
use crate::common::rng::Rng;
use crate::world::fault;

const MILLISECOND: Duration = Duration::from_millis(1);
const EVENTS: [PollEvents; 2] = [PollEvents::POLLIN, PollEvents::POLLOUT];

pub const ROWS: &[Row] = &[
    row("poll", 15, poll),
    row("poller", 10, poller),
    row("poller-owned", 5, poller_owned),
    row("reactor", 5, reactor),
    row("timers", 2, timers),
    row("monitor", 12, monitor),
    row("monitor-recv", 12, monitor_recv),
    row("pipes-stats", 3, pipes_stats),
    row("misuse-fd", 4, misuse_fd),
];

fn events(rng: &mut Rng) -> PollEvents {
    match rng.below(3) {
        0 => PollEvents::POLLIN | PollEvents::POLLOUT,
        other => EVENTS[other - 1],
    }
}

/// Chooses the sockets for one wait: those that libzmq locks, the others, or both.
fn choice(rng: &mut Rng) -> impl Fn(&Socket<'static>) -> bool + use<> {
    let (safe, mixed) = (rng.coin(), rng.one_in(3));
    move |socket| mixed || is_thread_safe(socket.kind()) == safe
}

/// The sockets for one wait.
fn together<'a>(thread: &'a Thread<'_>, rng: &mut Rng) -> Vec<&'a Socket<'static>> {
    let chosen = choice(rng);
    thread.all().filter(|socket| chosen(socket)).collect()
}

fn poll(thread: &mut Thread<'_>, rng: &mut Rng) {
    let mut items: Vec<_> =
        together(thread, rng).into_iter().map(|socket| PollItem::socket(socket, events(rng))).collect();
    let Ok((left, _right)) = std::io::pipe() else { return };
    if rng.one_in(4) {
        items.push(PollItem::fd(left.as_fd(), PollEvents::POLLIN));
    }
    if let Ok(count) = zmq::poll(&mut items, if rng.coin() { MILLISECOND } else { Duration::ZERO }) {
        let ready = items.iter().filter(|item| !item.revents().is_empty()).count();
        if ready != count {
            fault(&format!("poll: {count} of its items are ready, and {ready} have events"));
        }
    }
}

fn poller(thread: &mut Thread<'_>, rng: &mut Rng) {
    let Ok((pipe, _other)) = std::io::pipe() else { return };
    let Ok(mut poller) = Poller::<usize>::new() else { return };
    for (place, socket) in together(thread, rng).into_iter().enumerate() {
        let _ = poller.add(socket, place, events(rng));
    }
    if poller.add(pipe.as_fd(), SOCKETS, PollEvents::POLLIN).is_ok() && rng.coin() {
        let _ = poller.remove(SOCKETS);
    }
    for _ in 0..3 {
        let _ = poller.wait(if rng.one_in(3) { MILLISECOND } else { Duration::ZERO }).map(<[_]>::len);
        for socket in thread.all() {
            let _ = socket.now().recv_msg();
        }
        let key = rng.below(SOCKETS);
        let _ = if rng.coin() { poller.modify(key, events(rng)) } else { poller.remove(key).map(drop) };
    }
}

/// A poller that owns sockets. It gives some of them back, and is dropped with the others.
fn poller_owned(thread: &mut Thread<'_>, rng: &mut Rng) {
    let Ok(mut poller) = Poller::<usize>::new() else { return };
    let chosen = choice(rng);
    for place in 0..SOCKETS {
        if rng.coin()
            && let Some(socket) = thread.sockets[place].take_if(|socket| chosen(socket))
        {
            let _ = poller.add(socket, place, events(rng));
        }
    }
    for _ in 0..2 {
        let _ = poller.wait(MILLISECOND).map(<[_]>::len);
        let _ =
            poller.socket(rng.below(SOCKETS)).map(|socket| (socket.now().recv_msg(), socket.now().send("x").map(drop)));
    }
    for place in 0..SOCKETS {
        if rng.coin()
            && let Ok(source) = poller.remove(place)
        {
            thread.sockets[place] = source.into_socket();
        }
    }
}

fn reactor(thread: &mut Thread<'_>, rng: &mut Rng) {
    let Ok(mut reactor) = Reactor::new() else { return };
    let stop = rng.below(4);
    for socket in together(thread, rng) {
        let mut calls = 0;
        let _ = reactor.add(socket, events(rng), move |reactor, _| {
            calls += 1;
            if calls > stop {
                reactor.stop();
            }
            Ok(())
        });
    }
    let _ = reactor.after(Duration::from_millis(2), |reactor, _| {
        reactor.stop();
        Ok(())
    });
    let _ = reactor.run();
}

fn timers(_: &mut Thread<'_>, rng: &mut Rng) {
    let Ok(mut timers) = Timers::new() else { return };
    for _ in 0..rng.below(4) {
        let again = rng.coin();
        let _ = timers.add(Duration::from_millis(rng.below(2) as u64), move |timers, id| {
            let _ = if again { timers.reset(id) } else { timers.cancel(id) };
        });
    }
    for _ in 0..3 {
        let _ = timers.timeout();
        let _ = timers.execute();
    }
}

fn monitor(thread: &mut Thread<'_>, rng: &mut Rng) {
    let Some(socket) = thread.socket(rng) else { return };
    let options = Options::from(*rng.pick(&[Events::ALL, Events::DISCONNECTED])).capacity(rng.below(50));
    #[cfg(feature = "draft")]
    let options = options.version(*rng.pick(&[zmq::monitor::Version::One, zmq::monitor::Version::Two]));
    let Ok(monitor) = socket.monitor(options) else { return };
    match rng.below(4) {
        0 => drop(monitor),
        1 => thread.world.help(move || drop(monitor.next_event(Duration::from_millis(3)))),
        2 => thread.world.forget(monitor),
        _ => thread.monitors.push(monitor),
    }
}

fn monitor_recv(thread: &mut Thread<'_>, rng: &mut Rng) {
    if thread.monitors.is_empty() {
        return;
    }
    let place = rng.below(thread.monitors.len());
    let monitor = &thread.monitors[place];
    for _ in 0..rng.below(10) {
        let Ok(Some(notice)) = monitor.next_event(Duration::ZERO) else { break };
        drop(format!("{notice:?}"));
    }
    let _ = (monitor.lost(), monitor.connections(), monitor.next_event(Duration::ZERO).map(drop));
    match rng.below(6) {
        0 => monitor.stop(),
        1 => drop(thread.monitors.swap_remove(place)),
        _ => {}
    }
}

#[cfg(not(feature = "draft"))]
fn pipes_stats(_: &mut Thread<'_>, _: &mut Rng) {}

#[cfg(feature = "draft")]
fn pipes_stats(thread: &mut Thread<'_>, rng: &mut Rng) {
    let _ = thread.socket(rng).map(|socket| socket.request_pipes_stats());
}

/// Safe code may duplicate a descriptor that is lent, and read from it, write into it, or make it blocking.
fn misuse_fd(thread: &mut Thread<'_>, rng: &mut Rng) {
    fn misuse(fd: BorrowedFd<'_>, how: usize) {
        let Ok(owned) = fd.try_clone_to_owned() else { return };
        match how {
            // A blocking descriptor would block the reader itself.
            0 => {
                let mut file = File::from(owned);
                let mut items = [PollItem::fd(fd, PollEvents::POLLIN)];
                if matches!(zmq::poll(&mut items, Duration::ZERO), Ok(1)) {
                    let _ = file.read(&mut [0; 64]);
                }
            }
            1 => drop(File::from(owned).write(&[1, 0, 0, 0, 0, 0, 0, 0])),
            2 => drop(std::os::unix::net::UnixStream::from(owned).set_nonblocking(false)),
            _ => drop(std::net::TcpStream::from(owned).shutdown(std::net::Shutdown::Both)),
        }
    }
    let how = rng.below(4);
    match rng.below(3) {
        0 => drop(thread.socket(rng).map(|socket| socket.fd().map(|fd| misuse(fd, how)))),
        1 => drop(thread.monitors.first().map(|monitor| misuse(monitor.as_fd(), how))),
        _ => {
            let Ok(mut poller) = Poller::<usize>::new() else { return };
            for (place, socket) in thread.all().enumerate() {
                let _ = poller.add(socket, place, PollEvents::POLLIN);
            }
            misuse(poller.wake_fd(), how);
            let _ = poller.wait(MILLISECOND).map(<[_]>::len);
        }
    }
}
