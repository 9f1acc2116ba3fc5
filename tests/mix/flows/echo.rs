//! Requests and replies: each reply equals its request, and replies arrive in the order of the requests.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use zmq::{Kind, Multipart, PollEvents, PollItem, Socket, TrySend};

use super::ends::{receive, whole};
use super::{Flow, Result, Stop};
use crate::common::rng::Rng;
use crate::content;
use crate::ops::is_thread_safe;
use crate::world::{World, within};

pub fn run(flow: &mut Flow<'_>, client: Kind, server: Kind) -> Result {
    let many = !matches!(client.c_name(), "ZMQ_PAIR" | "ZMQ_CHANNEL") && server != Kind::Dealer;
    let count = if many { 1 + flow.rng.below(3) } else { 1 };
    let hub = flow.socket(server)?;
    flow.tune(&hub)?;
    if server == Kind::Router {
        // Without ZMQ_ROUTER_MANDATORY, replies that have no room are dropped.
        hub.set_router_mandatory(true)?;
    }
    let mut clients = Vec::new();
    for number in 0..count {
        let socket = flow.socket(client)?;
        flow.tune(&socket)?;
        let id = id(&socket, &mut flow.rng, number as u8);
        clients.push((socket, id));
    }
    let leaves: Vec<_> = clients.iter().map(|(socket, _)| socket).collect();
    let endpoints = flow.link(&hub, &leaves)?;
    let failed: Arc<Mutex<Option<Stop>>> = Arc::default();
    let keep = |result: Result| {
        if let Err(stop) = result {
            failed.lock().unwrap().get_or_insert(stop);
        }
    };
    let (running, over) = (AtomicUsize::new(count), AtomicBool::new(false));
    let state = State { world: flow.world, running: &running, over: &over };
    let ids: Vec<_> = clients.iter().filter_map(|(_, id)| id.clone()).collect();
    let ids = (ids.len() == count && server == Kind::Router).then_some(ids);
    thread::scope(|scope| {
        let (state, keep) = (&state, &keep);
        let mut rng = flow.rng.fork();
        scope.spawn(move || {
            keep(serve(state, &hub, ids, &mut rng));
            state.over.store(true, Ordering::SeqCst);
        });
        for (socket, _) in clients {
            let mut rng = flow.rng.fork();
            scope.spawn(move || {
                keep(ask(state, &socket, &mut rng));
                state.running.fetch_sub(1, Ordering::SeqCst);
                // The server may still send, which fails if the client has left.
                while !state.over.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(1));
                }
            });
        }
        for endpoint in &endpoints {
            flow.knock(endpoint);
        }
    });
    let failed = failed.lock().unwrap().take();
    failed.map_or(Ok(()), Err)
}

/// Sets the routing id of a socket, or none, and returns it.
fn id(socket: &Socket<'static>, rng: &mut Rng, number: u8) -> Option<Vec<u8>> {
    let mut id = match rng.below(4) {
        0 => b"id".to_vec(),
        1 => vec![b'i'; 200],
        2 => vec![0, 1, 2, 3],
        _ => return None,
    };
    id.push(number);
    (!is_thread_safe(socket.kind()) && socket.set_routing_id(&id).is_ok()).then_some(id)
}

struct State<'a> {
    world: &'a World,
    running: &'a AtomicUsize,
    /// Whether the server has ended, by itself or by a fault.
    over: &'a AtomicBool,
}

/// Sends each message back unchanged, until all clients have their replies.
fn serve(state: &State<'_>, socket: &Socket<'static>, ids: Option<Vec<Vec<u8>>>, rng: &mut Rng) -> Result {
    while state.running.load(Ordering::SeqCst) > 0 {
        if state.world.has_ended() {
            return Err(Stop::Ended);
        }
        let Some(mut parts) = receive(socket, rng)? else { continue };
        if let Some(ids) = &ids {
            let id = parts.first().map(|id| id.to_vec()).unwrap_or_default();
            if !ids.contains(&id) {
                return Err(Stop::Fault(format!("a peer with an id of its own came as {id:?}")));
            }
        }
        let end = Instant::now() + within();
        loop {
            // The parts can be sent one by one too.
            if rng.one_in(4) && parts.len() > 1 && !is_thread_safe(socket.kind()) {
                let first = parts.pop_front().expect("two parts");
                match socket.now().send_more(first)? {
                    TrySend::Sent => {
                        while let Some(part) = parts.pop_front() {
                            if parts.is_empty() { socket.send(part)? } else { socket.send_more(part)? }
                        }
                        break;
                    }
                    TrySend::WouldBlock(first) => parts.push_front(first),
                }
            } else {
                match socket.now().send_multipart(parts)? {
                    TrySend::Sent => break,
                    TrySend::WouldBlock(unsent) => parts = unsent,
                }
            }
            if state.running.load(Ordering::SeqCst) == 0 || state.world.has_ended() {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(Stop::Fault("the server has no room for a reply".to_owned()));
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(())
}

/// Sends requests, some of them before earlier replies have arrived, and receives the replies.
fn ask(state: &State<'_>, socket: &Socket<'static>, rng: &mut Rng) -> Result {
    let single = is_thread_safe(socket.kind());
    let window = if socket.kind() == Kind::Req { 1 } else { 1 + rng.below(12) as u32 };
    let (number, count) = (state.world.number(), 1 + rng.below(60) as u32);
    let (mut sent, mut received) = (0, 0);
    let mut unsent: Option<Multipart> = None;
    let mut deadline = Instant::now() + within();
    let by_fd = !single && rng.coin();
    while received < count {
        if state.world.has_ended() || state.over.load(Ordering::SeqCst) {
            return Err(Stop::Ended);
        }
        if Instant::now() > deadline {
            return Err(Stop::Fault(format!("{sent} requests of {count} were sent, {received} replies came")));
        }
        let mut progress = false;
        if unsent.is_none() && sent < count && sent < received + window {
            let parts = if single { 1 } else { 1 + rng.below(3) as u8 };
            unsent = Some(content::parts(rng, number, sent, parts));
        }
        if let Some(parts) = unsent.take() {
            unsent = socket.now().send_multipart(parts)?.into_unsent();
            if unsent.is_none() {
                sent += 1;
                progress = true;
            }
        }
        while sent > received
            && let Some(parts) = socket.now().recv_multipart()?
        {
            let stamp = whole(&parts)?;
            let stamp = stamp.map(|stamp| (stamp.sender, stamp.number));
            if stamp != Some((number, received)) {
                return Err(Stop::Fault(format!("reply {received} to {number} is {stamp:?}")));
            }
            received += 1;
            progress = true;
        }
        if progress {
            deadline = Instant::now() + within();
            continue;
        }
        let wants = if unsent.is_some() { PollEvents::POLLIN | PollEvents::POLLOUT } else { PollEvents::POLLIN };
        // Long enough to show a wake-up that is lost.
        let time = Duration::from_secs(1);
        if by_fd {
            let events = socket.events()?;
            let ready = [PollEvents::POLLIN, PollEvents::POLLOUT]
                .iter()
                .any(|event| wants.contains(*event) && events.contains(*event));
            if !ready {
                zmq::poll(&mut [PollItem::fd(socket.fd()?, PollEvents::POLLIN)], time)?;
            }
        } else {
            zmq::poll(&mut [PollItem::socket(socket, wants)], time)?;
        }
    }
    Ok(())
}
