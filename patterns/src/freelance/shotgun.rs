//! `Shotgun`: a DEALER for each server around the machine.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use zmq::{Context, Dealer, Errno, Error, Multipart, PollEvents, PollItem, Result, SendError, Socket, poll};

use super::Event;
use super::error::{Reason, RequestError};
use super::machine::{ShotgunAction, ShotgunMachine, Statistics};
use crate::run::check_signals;
use crate::setup::Setup;

type Report = Box<dyn FnMut(&Event) + Send>;

/// The client of model two: a request goes to all servers at once, and the first reply counts. See the [module](super).
///
/// As long as one server answers, requests are as fast as the fastest server. Each request is served by every server,
/// so it must do no harm when it is served again. A server that is down gets up to ZMQ_SNDHWM old requests when it
/// comes back.
///
/// ```
/// use std::time::Duration;
/// use zmq::{Context, Rep};
/// use zmq_patterns::freelance::Shotgun;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let context = Context::new()?;
/// let server = context.owned_socket(Rep)?;
/// let endpoint = server.bind("tcp://127.0.0.1:*")?;
/// let serving = std::thread::spawn(move || -> zmq::Result<()> {
///     // The first frame is the number of the request.
///     let request = server.recv_multipart()?;
///     Ok(server.send_multipart([&*request[0], b"OK"])?)
/// });
///
/// let mut client = Shotgun::new(&context).timeout(Duration::from_secs(5));
/// client.connect("tcp://127.0.0.1:9")?; // Nobody is there.
/// client.connect(&endpoint)?;
/// assert_eq!(client.request("random name")?, ["OK"]);
/// serving.join().unwrap()?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "flclient2")]
#[doc(alias = "flclient_new")]
pub struct Shotgun {
    context: Context,
    timeout: Duration,
    setup: Vec<Setup<Dealer>>,
    report: Option<Report>,
    servers: Vec<Socket<'static, Dealer>>,
    machine: ShotgunMachine,
    actions: VecDeque<ShotgunAction>,
}

impl Shotgun {
    /// A client without servers, with a time-out of 2.5 seconds.
    pub fn new(context: &Context) -> Shotgun {
        Shotgun {
            context: context.clone(),
            timeout: Duration::from_millis(2500),
            setup: Vec::new(),
            report: None,
            servers: Vec::new(),
            machine: ShotgunMachine::new(),
            actions: VecDeque::new(),
        }
    }

    /// Sets how long a request waits for the first reply; 2.5 seconds by default.
    #[doc(alias = "GLOBAL_TIMEOUT")]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self.machine = self.machine.timeout(timeout);
        self
    }

    /// Sets options on each socket before it connects, for example its security. The linger period is always zero.
    pub fn with(mut self, set: impl Fn(&Socket<'static, Dealer>) -> Result<()> + Send + 'static) -> Self {
        self.setup.push(Box::new(set));
        self
    }

    /// Calls `report` for each message that is dropped.
    pub fn on_event(mut self, report: impl FnMut(&Event) + Send + 'static) -> Self {
        self.report = Some(Box::new(report));
        self
    }

    /// Adds a server, which may come later.
    ///
    /// # Errors
    ///
    /// Any error of opening a socket and connecting it.
    #[track_caller]
    #[doc(alias = "flclient_connect")]
    pub fn connect(&mut self, endpoint: &str) -> Result<()> {
        let socket = self.context.owned_socket(Dealer)?;
        self.setup.iter().try_for_each(|set| set(&socket))?;
        socket.set_linger(Duration::ZERO)?;
        socket.connect(endpoint)?;
        self.servers.push(socket);
        Ok(())
    }

    /// The counters since the client was made.
    pub fn statistics(&self) -> Statistics {
        self.machine.statistics()
    }

    /// Sends a request to all servers, and returns the body of the first reply.
    ///
    /// # Errors
    ///
    /// [`RequestError`], which contains the request: `EAGAIN` if no reply came in time, `EINVAL` for a request of no
    /// parts and without servers, `EINTR` after a caught signal, `ETERM` after the context was shut down.
    #[doc(alias = "flclient_request")]
    pub fn request(&mut self, request: impl Into<Multipart>) -> Result<Multipart, RequestError> {
        let request = request.into();
        match self.try_request(&request) {
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => {
                let reason = Reason::Unanswered { servers: self.servers.len(), timeout: self.timeout };
                Err(RequestError::new(request, reason))
            }
            Err(error) => Err(RequestError::new(request, Reason::Failed(error))),
        }
    }

    /// Gives the reply, or `None` if none has come in time.
    fn try_request(&mut self, request: &Multipart) -> Result<Option<Multipart>> {
        const CALL: &str = "zmq_msg_send";
        if request.is_empty() || self.servers.is_empty() {
            let what = if request.is_empty() { "the request has no parts" } else { "the client has no server" };
            return Err(Error::new(Errno::EINVAL, CALL, what));
        }
        // An error, or a panic of the report, may have left the reply to an earlier request.
        self.actions.clear();
        self.machine.on_request(Instant::now(), request.clone(), &mut self.actions);
        // The first action is the failure of a request that an error has ended.
        self.actions.retain(|action| *action != ShotgunAction::Fail);
        loop {
            while let Some(action) = self.actions.pop_front() {
                match action {
                    ShotgunAction::SendToAll(message) => self.send_to_all(&message)?,
                    ShotgunAction::Reply(reply) => return Ok(Some(reply)),
                    ShotgunAction::Fail => return Ok(None),
                    ShotgunAction::Report(event) => {
                        if let Some(report) = &mut self.report {
                            report(&event);
                        }
                    }
                }
            }
            let left = self.machine.next_tick().map(|tick| tick.saturating_duration_since(Instant::now()));
            let mut items: Vec<_> =
                self.servers.iter().map(|server| PollItem::socket(server, PollEvents::POLLIN)).collect();
            poll(&mut items, left)?;
            // Servers that send without a pause leave nothing to wait for.
            check_signals("zmq_poll")?;
            for (server, item) in self.servers.iter().zip(&items) {
                if item.is_readable()
                    && let Some(message) = server.now().recv_multipart()?
                {
                    self.machine.on_message(message, &mut self.actions);
                }
            }
            self.machine.on_tick(Instant::now(), &mut self.actions);
        }
    }

    /// Sends a message to each server. A server that has no room for it gets none.
    fn send_to_all(&self, message: &Multipart) -> Result<()> {
        self.servers.iter().try_for_each(|server| {
            let sent = server.now().send_multipart(message);
            sent.map(drop).map_err(|failed: SendError<Multipart>| failed.into_parts().1)
        })
    }
}

impl fmt::Debug for Shotgun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Shotgun");
        debug.field("servers", &self.servers.len()).field("machine", &self.machine).finish_non_exhaustive()
    }
}
