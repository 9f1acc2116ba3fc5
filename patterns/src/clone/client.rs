//! `Client`: the machine with its sockets.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use zmq::interrupt::interrupted;
use zmq::{
    Context, Dealer, Errno, Error, Message, Multipart, PollEvents, PollItem, Pub, Push, Result, Socket, Sub, poll,
};

use super::event::{ClientEvent, ClientStatistics};
use super::machine::{ClientAction, ClientMachine, Refusal};
use super::map::Map;
use super::message::{KvMsg, LONGEST_KEY};
use super::model::{Endpoints, Model};
use crate::deadline::Deadline;
use crate::random::random_number;

/// The number of messages that are received from one socket before the next one.
const BATCH: usize = 100;

/// The number of updates that wait for the program to call [`Client::wait`]. If there are more, a snapshot is asked for.
const HWM: u32 = 10_000;

type Setup = Box<dyn Fn(&Socket<'static>) -> Result<()> + Send>;

/// A client: it has a copy of the map, or of a subtree, and makes updates. See the [module](super).
///
/// It has no thread: [`Client::wait`] keeps the copy up to date, and must be called all the time. A client that is not
/// called for long asks for a snapshot then.
///
/// ```
/// use std::time::Duration;
/// use zmq::Context;
/// use zmq_patterns::clone::{Client, Endpoints, KvMsg, Model, Server};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let context = Context::new()?;
/// let any = "tcp://127.0.0.1:*";
/// let (sender, endpoints) = std::sync::mpsc::channel();
/// let serving = std::thread::spawn({
///     let context = context.clone();
///     move || {
///         let mut server = Server::new(&context, Model::Six, Endpoints::new(any, any, any));
///         sender.send(server.bind().unwrap().clone()).unwrap();
///         server.run(|_| {}).unwrap();
///     }
/// });
///
/// let mut client = Client::new(&context, Model::Six).subtree("/client/");
/// client.connect(endpoints.recv()?)?;
/// client.set(KvMsg::new("/client/1", "value"), Duration::from_secs(30))?;
/// // The server has it when it comes back.
/// while client.get("/client/1").is_none() {
///     client.wait(None)?;
/// }
/// assert_eq!(client.get("/client/1").unwrap(), "value");
/// context.shutdown()?;
/// serving.join().unwrap();
/// # Ok(())
/// # }
/// ```
#[doc(alias = "clone_t")]
#[doc(alias = "clonecli")]
pub struct Client {
    context: Context,
    model: Model,
    machine: ClientMachine,
    setup: Vec<Setup>,
    servers: Vec<Server>,
    /// A PUB or a PUSH, which is connected to all servers.
    updates: Option<Socket<'static>>,
    actions: VecDeque<ClientAction>,
    events: VecDeque<ClientEvent>,
}

/// A server, and the sockets that are connected to it.
struct Server {
    endpoints: Endpoints,
    subscriber: Socket<'static>,
    /// The server was asked by it.
    snapshots: Option<Socket<'static>>,
}

impl Client {
    /// A client without servers.
    #[doc(alias = "clone_new")]
    pub fn new(context: &Context, model: Model) -> Client {
        Client {
            context: context.clone(),
            model,
            machine: ClientMachine::new(model, random_number()),
            setup: Vec::new(),
            servers: Vec::new(),
            updates: None,
            actions: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Sets the prefix of the keys that the client follows; it follows all by default. It has no effect after the first
    /// [`Client::connect`], which fails if the prefix has more than 255 bytes: no key has as many.
    #[doc(alias = "clone_subtree")]
    pub fn subtree(mut self, subtree: impl Into<Message>) -> Self {
        self.machine.set_subtree(subtree);
        self
    }

    /// Sets how long a server may be silent before the client turns to the next one: by default 5 seconds in model six, and
    /// `None`, for ever, in the others.
    #[doc(alias = "SERVER_TTL")]
    pub fn ttl(mut self, ttl: impl Into<Option<Duration>>) -> Self {
        self.machine.set_ttl(ttl.into());
        self
    }

    /// Sets how long the client waits for the next message of a snapshot before it asks again, and for an update to be
    /// published before it sends it again; 1 second by default. A server that does not answer two requests is left for the
    /// next one.
    pub fn retry(mut self, retry: Duration) -> Self {
        self.machine.set_retry(retry);
        self
    }

    /// Sets options on each socket before it connects, for example its security. The linger period is always zero, and the
    /// marks are 10,000 messages unless they are set.
    pub fn with(mut self, set: impl Fn(&Socket<'static>) -> Result<()> + Send + 'static) -> Self {
        self.setup.push(Box::new(set));
        self
    }

    /// Adds a server, which may come later. The client follows the first one, until it is silent.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the [subtree](Client::subtree) has more than [`LONGEST_KEY`] bytes, and the errors of opening a socket and
    /// connecting it.
    #[doc(alias = "clone_connect")]
    pub fn connect(&mut self, endpoints: Endpoints) -> Result<()> {
        if self.machine.subtree().len() > LONGEST_KEY {
            let what = "the subtree has more than 255 bytes, and so no key";
            return Err(Error::new(Errno::EINVAL, "zmq_setsockopt", what));
        }
        let subscriber = self.context.owned_socket(Sub)?;
        subscriber.set_rcvhwm(HWM)?;
        self.machine.topics().iter().try_for_each(|topic| subscriber.subscribe(topic))?;
        let subscriber = self.set_up(subscriber.into_untyped())?;
        subscriber.connect(&endpoints.publisher)?;
        if self.model.has_updates() {
            if self.updates.is_none() {
                let socket = if self.model.publishes() {
                    let publisher = self.context.owned_socket(Pub)?;
                    publisher.set_sndhwm(HWM)?;
                    publisher.into_untyped()
                } else {
                    self.context.owned_socket(Push)?.into_untyped()
                };
                self.updates = Some(self.set_up(socket)?);
            }
            if let Some(updates) = &self.updates {
                updates.connect(&endpoints.updates)?;
            }
        }
        self.servers.push(Server { endpoints, subscriber, snapshots: None });
        self.machine.on_connect(Instant::now(), &mut self.actions);
        self.perform()
    }

    fn set_up(&self, socket: Socket<'static>) -> Result<Socket<'static>> {
        socket.set_linger(Duration::ZERO)?;
        self.setup.iter().try_for_each(|set| set(&socket))?;
        Ok(socket)
    }

    /// The value of a key in the copy.
    #[doc(alias = "clone_get")]
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<&Message> {
        self.map().get(key)
    }

    /// The copy of the map: of the last snapshot, with the updates since.
    pub fn map(&self) -> &Map {
        self.machine.map()
    }

    /// The number of the last update in the copy; `None` while a snapshot comes.
    pub fn sequence(&self) -> Option<u64> {
        self.machine.sequence()
    }

    /// The number of updates of this client that no server has published yet. Only model six counts them.
    pub fn unconfirmed(&self) -> usize {
        self.machine.unconfirmed()
    }

    /// The counters since the client was made.
    pub fn statistics(&self) -> ClientStatistics {
        self.machine.statistics()
    }

    /// Sets the value of a key, for all clients, and for `ttl`: `None` is for ever; a fraction of a second, and zero, is a second.
    /// An empty value deletes the key.
    ///
    /// The copy has the update when the server has published it. In model six it is sent again until then, ten times at
    /// most, if the key is in the client's subtree; the last update of a key alone is sent again. In other models, and for
    /// other keys, an update may be lost if the server dies or is not there yet.
    ///
    /// # Errors
    ///
    /// [`SetError`], which contains the update. `EINVAL` for an empty key or one of more than 255 bytes, a key of the protocol, a
    /// property `ttl` that is no number, a time to live in a model of three frames, and any update in model two and
    /// without servers. `EAGAIN` if [`ClientMachine::MOST_UNCONFIRMED`] updates are not published yet, or if the servers
    /// take no more. `ETERM` after the context was shut down.
    #[doc(alias = "clone_set")]
    pub fn set(&mut self, mut update: KvMsg, ttl: impl Into<Option<Duration>>) -> Result<(), SetError> {
        if let Some(ttl) = ttl.into() {
            // 0 seconds is for ever on the wire.
            let seconds = ttl.as_secs().saturating_add(u64::from(ttl.subsec_nanos() != 0)).max(1);
            let set = update.set_property("ttl", &seconds.to_string());
            debug_assert_eq!(set, Ok(()));
        }
        let Some(updates) = &self.updates else {
            return Err(SetError::new(update, Errno::EINVAL, "the client has no server, or the model no updates"));
        };
        if !self.model.publishes() {
            match poll(&mut [PollItem::socket(updates, PollEvents::POLLOUT)], Duration::ZERO) {
                Err(error) => return Err(SetError { update: Box::new(update), error }),
                Ok(0) => return Err(SetError::new(update, Errno::EAGAIN, "the server takes no more updates")),
                Ok(_) => {}
            }
        }
        let copy = Box::new(update.clone());
        self.machine.on_update(Instant::now(), update, &mut self.actions).map_err(|(update, refusal)| {
            let (errno, what) = match refusal {
                Refusal::Malformed => (Errno::EINVAL, "the key cannot have a value, or the time to live is no number"),
                Refusal::Model => (Errno::EINVAL, "the model has no such updates"),
                Refusal::Full => (Errno::EAGAIN, "too many updates are not published yet"),
            };
            SetError::new(*update, errno, what)
        })?;
        self.perform().map_err(|error| SetError { update: copy, error })
    }

    /// Waits for the next event, for `timeout` at most; `None` waits for ever. Returns `None` if the time has passed. The
    /// copy is kept up to date meanwhile.
    ///
    /// # Errors
    ///
    /// `EINTR` after a caught signal, `ETERM` after the context was shut down, and the errors of opening a socket.
    pub fn wait(&mut self, timeout: impl Into<Option<Duration>>) -> Result<Option<ClientEvent>> {
        let deadline = Deadline::after(timeout);
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            // While messages come, no call waits, and none notices a signal.
            if interrupted() {
                return Err(Error::new(Errno::EINTR, "zmq_poll", "a signal was caught"));
            }
            let left = deadline.left();
            let any = self.receive()? | self.tick()?;
            // The messages of a snapshot are no events. They may come without end.
            if left == Some(Duration::ZERO) && self.events.is_empty() {
                return Ok(None);
            }
            if any {
                continue;
            }
            let due = self.machine.next_tick().map(|tick| tick.saturating_duration_since(Instant::now()));
            let time = [left, due].into_iter().flatten().min();
            let mut items: Vec<_> = self
                .servers
                .iter()
                .flat_map(|server| [Some(&server.subscriber), server.snapshots.as_ref()])
                .flatten()
                .map(|socket| PollItem::socket(socket, PollEvents::POLLIN))
                .collect();
            poll(&mut items, time)?;
        }
    }

    /// Reads the messages that have arrived. Returns whether there were any.
    fn receive(&mut self) -> Result<bool> {
        let mut any = false;
        for number in 0..self.servers.len() {
            for _ in 0..BATCH {
                let Some(message) = self.servers[number].subscriber.now().recv_multipart()? else { break };
                any = true;
                self.machine.on_published(Instant::now(), number, message, &mut self.actions);
                self.perform()?;
            }
            for _ in 0..BATCH {
                let Some(snapshots) = &self.servers[number].snapshots else { break };
                let Some(message) = snapshots.now().recv_multipart()? else { break };
                any = true;
                self.machine.on_snapshot(Instant::now(), number, message, &mut self.actions);
                self.perform()?;
            }
        }
        Ok(any)
    }

    /// Does what is due. Returns whether anything was.
    fn tick(&mut self) -> Result<bool> {
        let now = Instant::now();
        let is_due = self.machine.next_tick().is_some_and(|tick| tick <= now);
        if is_due {
            self.machine.on_tick(now, &mut self.actions);
            self.perform()?;
        }
        Ok(is_due)
    }

    fn perform(&mut self) -> Result<()> {
        while let Some(action) = self.actions.pop_front() {
            match action {
                ClientAction::Ask { server, request } => self.ask(server, request)?,
                ClientAction::Send(update) => {
                    // An update that has no room is sent again.
                    if let Some(updates) = &self.updates {
                        drop(updates.now().send_multipart(update).map_err(|failed| failed.into_parts().1)?);
                    }
                }
                ClientAction::Report(event) => self.events.push_back(event),
            }
        }
        Ok(())
    }

    /// Sends a request over a new connection, so that no answers to earlier ones come.
    fn ask(&mut self, server: usize, request: Multipart) -> Result<()> {
        self.servers.iter_mut().for_each(|server| server.snapshots = None);
        let socket = self.set_up(self.context.owned_socket(Dealer)?.into_untyped())?;
        socket.connect(&self.servers[server].endpoints.snapshots)?;
        // A new socket has room.
        drop(socket.now().send_multipart(request).map_err(|failed| failed.into_parts().1)?);
        self.servers[server].snapshots = Some(socket);
        Ok(())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints: Vec<_> = self.servers.iter().map(|server| &server.endpoints).collect();
        f.debug_struct("Client").field("model", &self.model).field("servers", &endpoints).finish_non_exhaustive()
    }
}

/// The error of [`Client::set`], with the update.
#[derive(Debug)]
pub struct SetError {
    update: Box<KvMsg>,
    error: Error,
}

impl SetError {
    fn new(update: KvMsg, errno: Errno, what: &str) -> SetError {
        SetError { update: Box::new(update), error: Error::new(errno, "zmq_msg_send", what) }
    }

    /// The errno of the error.
    pub fn errno(&self) -> Errno {
        self.error.errno()
    }

    /// The update.
    pub fn into_update(self) -> KvMsg {
        *self.update
    }
}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for SetError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}
