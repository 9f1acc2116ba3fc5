//! The common part of peering2 and peering3: the two request flows of a broker, and the threads that make it busy.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use zmq::zhelpers::randof;
use zmq::{CanMultipart, CanRecv, Context, Errno, Message, Multipart, PollEvents, PollItem, Router, Socket, poll};
use zmq_patterns::{Actor, ActorPipe};

/// The first message of a worker.
pub const READY: [u8; 1] = [0x01];

/// The endpoint of a broker for one of its flows: a file in the directory that all brokers share.
pub fn endpoint(directory: &str, broker: &str, flow: &str) -> String {
    format!("ipc://{directory}/{broker}-{flow}.ipc")
}

/// A broker: it hands the requests of its own clients, and of its peers, to its own workers or to its peers.
pub struct Broker<'ctx> {
    /// Own clients ask here.
    pub localfe: Socket<'ctx, Router>,
    /// Own workers answer here.
    pub localbe: Socket<'ctx, Router>,
    /// Peers ask here.
    pub cloudfe: Socket<'ctx, Router>,
    /// Peers answer here.
    pub cloudbe: Socket<'ctx, Router>,
    pub peers: Vec<String>,
    /// The routing ids of the free workers, in any bytes. The worker that has been free for the longest time is first.
    pub workers: VecDeque<Message>,
}

impl<'ctx> Broker<'ctx> {
    /// Opens the sockets of both flows. The caller binds the cloud frontend: from then on peers may ask.
    pub fn prepare(context: &'ctx Context, directory: &str, name: &str, peers: &[String]) -> zmq::Result<Self> {
        println!("I: preparing broker at {name}...");

        // Brokers know one another by name, on the sockets of both sides.
        let cloudfe = context.socket(Router)?;
        cloudfe.set_routing_id(name)?;

        // A ROUTER drops messages for an unknown peer. With MANDATORY it gives them back. In C the request is lost, and
        // its client waits for ever.
        let cloudbe = context.socket(Router)?;
        cloudbe.set_routing_id(name)?;
        cloudbe.set_router_mandatory(true)?;
        for peer in peers {
            println!("I: connecting to cloud frontend at '{peer}'");
            cloudbe.connect(&endpoint(directory, peer, "cloud"))?;
        }

        let localfe = context.socket(Router)?;
        localfe.bind(&endpoint(directory, name, "localfe"))?;
        let localbe = context.socket(Router)?;
        localbe.set_router_mandatory(true)?;
        localbe.bind(&endpoint(directory, name, "localbe"))?;

        Ok(Broker { localfe, localbe, cloudfe, cloudbe, peers: peers.to_vec(), workers: VecDeque::new() })
    }

    /// Receives from a worker, which is then free. Gives its reply, or `None` if the worker only says that it is ready.
    pub fn recv_from_worker(&mut self) -> zmq::Result<Option<Multipart>> {
        // [worker][][READY] or [worker][][address][]...[body]
        let mut message = self.localbe.recv_multipart()?;
        let worker = message.pop_envelope();
        let is_reply = message.len() > 1;
        if (is_reply || message == [READY])
            && let Some(worker) = worker
        {
            self.workers.push_back(worker);
        }
        Ok(is_reply.then_some(message))
    }

    /// Receives the reply of a peer.
    pub fn recv_from_peer(&self) -> zmq::Result<Multipart> {
        // The message is [peer][client][][body]. The name of the peer is not needed.
        let mut message = self.cloudbe.recv_multipart()?;
        message.pop_front();
        Ok(message)
    }

    /// Sends a reply to its address: a peer, or one of the own clients. If the receiver has left, the ROUTER drops the
    /// reply.
    pub fn reply(&self, reply: Multipart) -> zmq::Result<(), zmq::SendError<Multipart>> {
        let is_for = |peer: &String| reply.first().is_some_and(|address| *address == *peer.as_str());
        let frontend = if self.peers.iter().any(is_for) { &self.cloudfe } else { &self.localfe };
        frontend.send_multipart(reply)
    }

    /// Sends a request to the worker that has been free for the longest time. Gives it back if no worker is free.
    pub fn offer_to_worker(&mut self, mut request: Multipart) -> crate::common::Result<Option<Multipart>> {
        while let Some(worker) = self.workers.pop_front() {
            request.push_envelope(worker);
            match offer(&self.localbe, request)? {
                None => return Ok(None),
                // This worker has left.
                Some(unsent) => request = unsent,
            }
            request.pop_envelope();
        }
        Ok(Some(request))
    }

    /// Sends a request to a random one of these peers. Gives it back if none of them is there.
    pub fn offer_to_peers<'p>(
        &self,
        peers: impl ExactSizeIterator<Item = &'p String> + Clone,
        mut request: Multipart,
    ) -> crate::common::Result<Option<Multipart>> {
        let count = peers.len();
        let first = randof(count.max(1) as u32) as usize;
        for peer in peers.cycle().skip(first).take(count) {
            request.push_front(peer);
            match offer(&self.cloudbe, request)? {
                None => return Ok(None),
                Some(unsent) => request = unsent,
            }
            request.pop_front();
        }
        Ok(Some(request))
    }
}

/// Sends a message. Gives it back if its peer is not there or has no room for it.
fn offer(router: &Socket<'_, Router>, message: Multipart) -> crate::common::Result<Option<Multipart>> {
    match router.now().send_multipart(message) {
        Ok(sent) => Ok(sent.into_unsent()),
        Err(failed) if failed.error().errno() == Errno::EHOSTUNREACH => Ok(Some(failed.into_message())),
        Err(failed) => Err(failed.into()),
    }
}

/// An item for a poll: it waits for messages if `look` is true, and for nothing otherwise.
pub fn readable<'a>(socket: &'a Socket<'_, Router>, look: bool) -> PollItem<'a> {
    PollItem::socket(socket, if look { PollEvents::POLLIN } else { PollEvents::NONE })
}

/// Starts the thread of a client or worker. It ends when the actor is dropped, and on Ctrl-C.
pub fn start(
    context: &Context,
    name: &str,
    body: impl FnOnce(&ActorPipe) -> crate::common::Result + Send + 'static,
) -> zmq::Result<Actor> {
    let body = move |pipe: &ActorPipe| {
        match crate::common::until_ctrl_c(|| body(pipe)) {
            // The actor must end: its pipe says so to calls that receive.
            Err(failure) if failure.errno() == Some(Errno::ECANCELED) => Ok(()),
            ended => Ok(ended.inspect_err(|failure| eprintln!("E: a thread has ended: {failure}"))?),
        }
    };
    Ok(Actor::spawn(context, name, body)?)
}

/// Receives in such a thread. Gives `None` if the time is over or the thread must end.
pub fn recv<T: CanRecv + CanMultipart>(
    pipe: &ActorPipe,
    socket: &Socket<'_, T>,
    timeout: Option<Duration>,
) -> zmq::Result<Option<Multipart>> {
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let end = PollItem::socket(pipe.as_ref(), PollEvents::POLLIN);
        let found = poll(&mut [end, PollItem::socket(socket, PollEvents::POLLIN)], left)?;
        if found == 0 || pipe.is_terminated() {
            return Ok(None);
        }
        // A REQ drops a message that is no reply to its request. Then it has nothing to receive.
        if let Some(message) = socket.now().recv_multipart()? {
            return Ok(Some(message));
        }
    }
}
