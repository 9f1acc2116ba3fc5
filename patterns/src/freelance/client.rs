//! `Client`: the program's side of the agent, which has the ROUTER and the machine.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use zmq::interrupt::interrupted;
use zmq::{Context, Errno, Error, Message, Multipart, PollEvents, PollItem, Result, Router, SendError, Socket, poll};

use super::Event;
use super::error::{Reason, RequestError};
use super::machine::{ClientAction, ClientMachine, Statistics};
use crate::lock::lock;
use crate::router::try_send;
use crate::run::BATCH;
use crate::setup::Setup;
use crate::{Actor, ActorError, ActorPipe, ActorResult};

type Report = Box<dyn FnMut(&Event) + Send>;

/// The commands to the agent, `[command][number]...`, and its answers, `[answer][number]...`.
const CONNECT: &str = "CONNECT";
const REQUEST: &str = "REQUEST";
const OK: &str = "OK";
const FAILED: &str = "FAILED";

/// The longest wait for the outcome of an agent that has ended.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// The client of model three: a request goes to one server that lives, and to the next one if no reply comes. See the
/// [module](super).
///
/// A thread, the agent, has one ROUTER for all servers. It sends a PING to servers that are quiet, also while the
/// program makes no requests, so the client knows which servers live. Dropping the client ends the agent.
///
/// ```
/// use zmq::{Context, Router};
/// use zmq_patterns::freelance::{Client, Server};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let context = Context::new()?;
/// let socket = context.owned_socket(Router)?;
/// let endpoint = socket.bind("tcp://127.0.0.1:*")?;
/// let serving = std::thread::spawn(move || Server::new(socket)?.run(|_request| "OK".into(), |_| {}));
///
/// let mut client = Client::new(&context);
/// client.connect(&endpoint)?;
/// client.connect("tcp://127.0.0.1:9")?; // Nobody is there.
/// assert_eq!(client.request("random name")?, ["OK"]);
/// context.shutdown()?;
/// serving.join().unwrap()?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "flcliapi")]
#[doc(alias = "flclient3")]
pub struct Client {
    context: Context,
    timeout: Duration,
    endpoints: Vec<String>,
    setup: Vec<Setup<Router>>,
    /// The number of the last command.
    number: u64,
    agent: Option<Actor>,
    shared: Arc<Mutex<AgentState>>,
}

/// The state of the agent. The client keeps it for the next agent, if a signal ends this one.
struct AgentState {
    machine: ClientMachine,
    report: Option<Report>,
}

impl Client {
    /// A client without servers. Its agent starts with the first call.
    #[doc(alias = "flcliapi_new")]
    pub fn new(context: &Context) -> Client {
        let shared = AgentState { machine: ClientMachine::new(), report: None };
        Client {
            context: context.clone(),
            timeout: Duration::from_secs(3),
            endpoints: Vec::new(),
            setup: Vec::new(),
            number: 0,
            agent: None,
            shared: Arc::new(Mutex::new(shared)),
        }
    }

    /// Sets how long a request waits for a reply, from all servers together; 3 seconds by default.
    #[doc(alias = "GLOBAL_TIMEOUT")]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self.set(|machine| machine.timeout(timeout))
    }

    /// Sets how long a request waits for one server before the next one gets it too; 1 second by default.
    pub fn retry(self, retry: Duration) -> Self {
        self.set(|machine| machine.retry(retry))
    }

    /// Sets how long a server is quiet before it gets a PING; 2 seconds by default.
    #[doc(alias = "PING_INTERVAL")]
    pub fn ping(self, interval: Duration) -> Self {
        self.set(|machine| machine.ping(interval))
    }

    /// Sets how long a server may be silent before it gets no more requests; 6 seconds by default. It gets requests
    /// again after a message of it has come.
    #[doc(alias = "SERVER_TTL")]
    pub fn ttl(self, ttl: Duration) -> Self {
        self.set(|machine| machine.ttl(ttl))
    }

    /// Sets options on the ROUTER before it connects, for example its security, in the thread of the call that starts the
    /// agent. The linger period is always zero.
    pub fn with(mut self, set: impl Fn(&Socket<'static, Router>) -> Result<()> + Send + 'static) -> Self {
        self.setup.push(Box::new(set));
        self
    }

    /// Calls `report` for each event, in the agent's thread.
    pub fn on_event(self, report: impl FnMut(&Event) + Send + 'static) -> Self {
        // The drop of the old function runs code of the program, so the lock is released before.
        let old = lock(&self.shared).report.replace(Box::new(report));
        drop(old);
        self
    }

    /// Changes a time of the machine.
    fn set(self, set: impl FnOnce(ClientMachine) -> ClientMachine) -> Self {
        let mut shared = lock(&self.shared);
        shared.machine = set(mem::take(&mut shared.machine));
        drop(shared);
        self
    }

    /// Adds a server, which may come later. A server that was added already is not added again.
    ///
    /// # Errors
    ///
    /// As [`Socket::connect_with_routing_id`], `EINVAL` for an endpoint of more than 255 bytes; `EMFILE` or `EAGAIN` if
    /// the agent cannot be started, `EINTR` after a caught signal, `ETERM` after the context was shut down.
    #[doc(alias = "flcliapi_connect")]
    pub fn connect(&mut self, endpoint: &str) -> Result<()> {
        if self.endpoints.iter().any(|other| other == endpoint) {
            return Ok(());
        }
        is_connected(self.command(CONNECT, &endpoint.into())?)?;
        self.endpoints.push(endpoint.to_owned());
        Ok(())
    }

    /// Sends a request to a server that lives, and to others if it does not answer, and returns the body of the reply.
    ///
    /// # Errors
    ///
    /// [`RequestError`], which contains the request: `EAGAIN` if no reply came in time, `EINVAL` for a request of no
    /// parts and without servers, `EMFILE` or `EAGAIN` if the agent cannot be started, `EINTR` after a caught signal,
    /// `ETERM` after the context was shut down.
    #[doc(alias = "flcliapi_request")]
    pub fn request(&mut self, request: impl Into<Multipart>) -> Result<Multipart, RequestError> {
        const CALL: &str = "zmq_msg_send";
        let request = request.into();
        if request.is_empty() || self.endpoints.is_empty() {
            let what = if request.is_empty() { "the request has no parts" } else { "the client has no server" };
            return Err(RequestError::new(request, Reason::Failed(Error::new(Errno::EINVAL, CALL, what))));
        }
        match self.command(REQUEST, &request) {
            Ok((true, reply)) => Ok(reply),
            Ok((false, _)) => {
                let reason = Reason::Unanswered { servers: self.endpoints.len(), timeout: self.timeout };
                Err(RequestError::new(request, reason))
            }
            Err(error) => Err(RequestError::new(request, Reason::Failed(error))),
        }
    }

    /// The counters since the client was made, over all its agents.
    pub fn statistics(&self) -> Statistics {
        lock(&self.shared).machine.statistics()
    }

    /// Starts the agent if none runs. Returns whether it is a new one.
    fn start(&mut self) -> Result<bool> {
        if self.agent.as_ref().is_some_and(Actor::is_running) {
            return Ok(false);
        }
        let router = self.context.owned_socket(Router)?;
        self.setup.iter().try_for_each(|set| set(&router))?;
        router.set_linger(Duration::ZERO)?;
        let agent = Agent { router, shared: Arc::clone(&self.shared), actions: VecDeque::new() };
        lock(&self.shared).machine.on_disconnect();
        self.agent = Some(Actor::spawn(&self.context, "zmq-freelance", move |pipe| agent.run(pipe))?);
        for endpoint in self.endpoints.clone() {
            let answer = self.command_agent(CONNECT, endpoint.into());
            if let Err(error) = answer.and_then(is_connected) {
                // The next call starts an agent that has all servers.
                self.agent = None;
                return Err(error);
            }
        }
        Ok(true)
    }

    /// Gives the agent a command, and waits for its answer: whether it is `OK`, and the frames behind its number.
    fn command(&mut self, command: &str, frames: &Multipart) -> Result<(bool, Multipart)> {
        loop {
            let is_new = self.start()?;
            match self.command_agent(command, frames.clone()) {
                // The agent noticed a signal when the program had cleared it already.
                Err(error) if !is_new && self.agent.is_none() && error.errno() == Errno::EINTR && !interrupted() => {}
                answer => return answer,
            }
        }
    }

    /// As [`Client::command`], for an agent that was started. If the agent ends, there is none afterwards.
    fn command_agent(&mut self, command: &str, mut frames: Multipart) -> Result<(bool, Multipart)> {
        let Some(agent) = &self.agent else { return Err(self.ended()) };
        self.number += 1;
        let number = Message::from(self.number.to_string());
        frames.push_front(&number);
        frames.push_front(command);
        match agent.send_multipart(frames).map_err(SendError::into_parts) {
            Err((_, error)) if error.errno() == Errno::ECANCELED => return Err(self.ended()),
            sent => sent.map_err(|(_, error)| error)?,
        }
        // The answer to a command that a signal has ended may come first.
        loop {
            let mut answer = match agent.recv_multipart() {
                Err(error) if error.errno() == Errno::ECANCELED => return Err(self.ended()),
                answer => answer?,
            };
            let status = answer.pop_front();
            if answer.pop_front().as_ref() == Some(&number) {
                return Ok((status.is_some_and(|status| status == OK), answer));
            }
        }
    }

    /// The error with which the agent has ended.
    fn ended(&mut self) -> Error {
        let outcome = self.agent.take().map(|agent| agent.terminate(END_TIMEOUT));
        match outcome {
            Some(Err(ActorError::Failed(source))) => match source.downcast::<Error>() {
                Ok(error) => *error,
                Err(source) => Error::from(ActorError::Failed(source)),
            },
            Some(Err(failed)) => failed.into(),
            Some(Ok(())) | None => Error::new(Errno::ECANCELED, "Actor::terminate", "the agent has ended"),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}

/// The body of the agent's thread.
struct Agent {
    router: Socket<'static, Router>,
    shared: Arc<Mutex<AgentState>>,
    actions: VecDeque<ClientAction>,
}

impl Agent {
    fn run(mut self, pipe: &ActorPipe) -> ActorResult {
        pipe.ready();
        loop {
            let due = self.machine(|machine, _| machine.next_tick());
            let due = due.map(|tick| tick.saturating_duration_since(Instant::now()));
            let commands = PollItem::socket(pipe.as_ref(), PollEvents::POLLIN);
            poll(&mut [commands, PollItem::socket(&self.router, PollEvents::POLLIN)], due)?;

            while let Some(command) = pipe.now().recv_multipart()? {
                self.on_command(pipe, command)?;
            }
            for _ in 0..BATCH {
                let Some(message) = self.router.now().recv_multipart()? else { break };
                self.machine(|machine, actions| machine.on_message(Instant::now(), message, actions));
                self.perform(pipe)?;
            }
            self.machine(|machine, actions| machine.on_tick(Instant::now(), actions));
            self.perform(pipe)?;
        }
    }

    fn machine<R>(&mut self, use_it: impl FnOnce(&mut ClientMachine, &mut VecDeque<ClientAction>) -> R) -> R {
        let mut shared = lock(&self.shared);
        use_it(&mut shared.machine, &mut self.actions)
    }

    fn on_command(&mut self, pipe: &ActorPipe, mut command: Multipart) -> ActorResult {
        let (Some(name), Some(number)) = (command.pop_front(), command.pop_front()) else { return Ok(()) };
        let now = Instant::now();
        if name == REQUEST {
            let number = number.as_str().and_then(|number| number.parse().ok()).unwrap_or_default();
            self.machine(|machine, actions| machine.on_request(now, number, command, actions));
            return self.perform(pipe);
        }
        let endpoint = command.first().and_then(Message::as_str).unwrap_or_default();
        // The routing id is known before the server's greeting has come, so requests can be sent at once.
        if let Err(error) = self.router.connect_with_routing_id(endpoint, endpoint) {
            let errno = error.errno().raw().to_string();
            return answer(pipe, FAILED, number, [errno, error.to_string()].into());
        }
        self.machine(|machine, actions| machine.on_connect(now, endpoint, actions));
        answer(pipe, OK, number, Multipart::new())?;
        self.perform(pipe)
    }

    fn perform(&mut self, pipe: &ActorPipe) -> ActorResult {
        while let Some(action) = self.actions.pop_front() {
            match action {
                // A message that has no room is dropped.
                ClientAction::Send(message) => drop(try_send(&self.router, message)?),
                ClientAction::Reply { number, reply } => answer(pipe, OK, number.to_string().into(), reply)?,
                ClientAction::Fail { number, .. } => answer(pipe, FAILED, number.to_string().into(), Multipart::new())?,
                ClientAction::Report(event) => self.report(&event),
            }
        }
        Ok(())
    }

    /// Calls the function of [`Client::on_event`]. The lock is not held meanwhile: the function may wait for a thread that
    /// reads the counters.
    fn report(&self, event: &Event) {
        let shared = || lock(&self.shared);
        let report = shared().report.take();
        if let Some(mut report) = report {
            report(event);
            // The program may have set another function. This one is then dropped after the lock is released.
            let mut shared = shared();
            if shared.report.is_none() {
                shared.report = Some(report);
            }
        }
    }
}

/// The outcome of [`CONNECT`].
fn is_connected((is_ok, why): (bool, Multipart)) -> Result<()> {
    if is_ok {
        return Ok(());
    }
    let errno = why.first().and_then(|errno| errno.as_str()?.parse().ok());
    let detail = why.last().map(|text| String::from_utf8_lossy(text).into_owned());
    Err(Error::new(errno.map_or(Errno::EINVAL, Errno::from_raw), "zmq_connect", detail.unwrap_or_default()))
}

/// Answers a command. [`Client::ended`] needs the [`Error`] itself.
fn answer(pipe: &ActorPipe, status: &str, number: Message, mut frames: Multipart) -> ActorResult {
    frames.push_front(number);
    frames.push_front(status);
    Ok(pipe.send_multipart(frames).map_err(|failed| failed.into_parts().1)?)
}
