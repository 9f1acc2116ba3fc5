//! A node with its sockets.

use std::cell::RefCell;
use std::error;
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use zmq::{CanMultipart, CanRecv, Context, Dealer, Error, Multipart, PollEvents, Pub, Result, Socket, SocketType, Sub};

use super::{Action, Conflict, Event, Machine, Role, State, Statistics, Timing};
use crate::random::random_number;
use crate::reactor::TickTimer;
use crate::{Ended, HandlerId, HandlerResult, Reactor, ReactorError};

/// The number of state messages that are read before a request is decided on.
const STATES_FIRST: usize = 16;

type Setup = Box<dyn Fn(&Socket<'static>) -> Result<()>>;
type Change<'a> = Box<dyn FnMut(&mut Reactor<'a>) -> HandlerResult + 'a>;
/// The place of one of the handlers of changes.
type Place<'a> = for<'c> fn(&'c mut Core<'a>) -> &'c mut Option<Change<'a>>;

/// One node of a pair: the guide's Binary Star reactor. See the [module](super).
///
/// ```no_run
/// use zmq::{Context, Router};
/// use zmq_patterns::binary_star::{BinaryStar, Role};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let context = Context::new()?;
/// let frontend = context.socket(Router)?;
/// frontend.bind("tcp://*:5001")?;
/// let mut node = BinaryStar::new(&context, Role::Primary, "tcp://*:5003", "tcp://backup:5004")?;
/// // Only the requests that this node may serve come here.
/// node.voter(&frontend, |_, request| Ok(frontend.send_multipart(request)?))?;
/// node.on_active(|_| {
///     println!("active");
///     Ok(())
/// });
/// node.run()?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "bstar_t")]
pub struct BinaryStar<'a> {
    reactor: Reactor<'a>,
    core: Rc<RefCell<Core<'a>>>,
    context: Context,
    role: Role,
    timing: Timing,
    local: String,
    remote: String,
    witness: Option<String>,
    setup: Vec<Setup>,
}

/// The state that the handlers share.
struct Core<'a> {
    machine: Machine,
    actions: Vec<Action>,
    sockets: Option<Sockets>,
    timer: TickTimer,
    is_active: bool,
    on_event: Box<dyn FnMut(&Event) + 'a>,
    /// `None` while it runs.
    on_active: Option<Change<'a>>,
    on_passive: Option<Change<'a>>,
}

/// The node's own sockets. The reactor owns those that it waits on.
struct Sockets {
    publisher: Socket<'static>,
    subscriber: HandlerId,
    witness: Option<HandlerId>,
}

impl<'a> BinaryStar<'a> {
    /// A node of this role. [`BinaryStar::run`] binds a PUB to `local`, for the peer, and connects a SUB to `remote`, the
    /// peer's `local`.
    ///
    /// # Errors
    ///
    /// As [`Reactor::new`].
    #[doc(alias = "bstar_new")]
    pub fn new(
        context: &Context,
        role: Role,
        local: impl Into<String>,
        remote: impl Into<String>,
    ) -> Result<BinaryStar<'a>> {
        let timing = Timing::default();
        let core = Core {
            machine: Machine::new(Instant::now(), role, timing),
            actions: Vec::new(),
            sockets: None,
            timer: TickTimer::default(),
            is_active: false,
            on_event: Box::new(|_| {}),
            on_active: None,
            on_passive: None,
        };
        Ok(BinaryStar {
            reactor: Reactor::new()?,
            core: Rc::new(RefCell::new(core)),
            context: context.clone(),
            role,
            timing,
            local: local.into(),
            remote: remote.into(),
            witness: None,
            setup: Vec::new(),
        })
    }

    /// Sets the times of the pair, which must be the same in both nodes: by default the guide's, a heartbeat each second and
    /// an expiry of two. It has no effect after the first [`BinaryStar::run`].
    pub fn timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// Sets the endpoint of the pair's [`Witness`](super::Witness); none by default. Both nodes must have the same one. It has no
    /// effect after the first [`BinaryStar::run`].
    pub fn witness(mut self, endpoint: impl Into<String>) -> Self {
        self.witness = Some(endpoint.into());
        self
    }

    /// Sets options of the node's own sockets before they bind and connect, for example their security: the PUB and the SUB
    /// for the peer, and the DEALER for the witness.
    pub fn with(mut self, set: impl Fn(&Socket<'static>) -> Result<()> + 'static) -> Self {
        self.setup.push(Box::new(set));
        self
    }

    /// Serves requests from a socket: `handler` gets each request that this node may serve. The requests are the clients'
    /// votes: one may make the node active. Requests that it may not serve are dropped, so that the client asks the other
    /// node. A node may have several such sockets.
    ///
    /// The node sends no heartbeat while a handler runs, so a handler must take much less time than a heartbeat.
    ///
    /// # Errors
    ///
    /// As [`Reactor::add`].
    #[doc(alias = "bstar_voter")]
    pub fn voter<T: SocketType + CanRecv + CanMultipart>(
        &mut self,
        socket: &'a Socket<'_, T>,
        mut handler: impl FnMut(&mut Reactor<'a>, Multipart) -> HandlerResult + 'a,
    ) -> Result<HandlerId> {
        let core = self.core.clone();
        self.reactor.add(socket, PollEvents::POLLIN, move |reactor, _| {
            let Some(request) = socket.now().recv_multipart()? else { return Ok(()) };
            read_states(&core, reactor, STATES_FIRST)?;
            let serves = with_machine(&core, reactor, |machine, actions| machine.on_request(Instant::now(), actions))?;
            if serves { handler(reactor, request) } else { Ok(()) }
        })
    }

    /// Calls `handler` when the node becomes active, before it serves.
    #[doc(alias = "bstar_new_active")]
    #[doc(alias = "bstar_new_master")]
    pub fn on_active(&mut self, handler: impl FnMut(&mut Reactor<'a>) -> HandlerResult + 'a) {
        self.core.borrow_mut().on_active = Some(Box::new(handler));
    }

    /// Calls `handler` when the node becomes passive, and when it was active and steps down
    /// ([`Event::SteppedDown`]).
    #[doc(alias = "bstar_new_passive")]
    #[doc(alias = "bstar_new_slave")]
    pub fn on_passive(&mut self, handler: impl FnMut(&mut Reactor<'a>) -> HandlerResult + 'a) {
        self.core.borrow_mut().on_passive = Some(Box::new(handler));
    }

    /// Calls `handler` with each event, before the handlers of [`BinaryStar::on_active`] and [`BinaryStar::on_passive`].
    pub fn on_event(&mut self, handler: impl FnMut(&Event) + 'a) {
        self.core.borrow_mut().on_event = Box::new(handler);
    }

    /// The node's reactor, for further handlers.
    #[doc(alias = "bstar_zloop")]
    pub fn reactor(&mut self) -> &mut Reactor<'a> {
        &mut self.reactor
    }

    /// The state of the node.
    pub fn state(&self) -> State {
        self.core.borrow().machine.state()
    }

    /// The numbers of messages so far.
    pub fn statistics(&self) -> Statistics {
        self.core.borrow().machine.statistics()
    }

    /// Runs the node until a handler stops the reactor, a signal is caught or the context is shut down. A node that is run
    /// again begins as after a restart.
    ///
    /// # Errors
    ///
    /// [`BinaryStarError::Conflict`], which the guide's nodes end by as well. A program whose other node keeps its data, and
    /// that has put its own right, may run the node again. [`BinaryStarError::Setup`] if a socket cannot be opened, bound or
    /// connected. [`BinaryStarError::Loop`] as [`Reactor::run`].
    #[doc(alias = "bstar_start")]
    pub fn run(&mut self) -> Result<Ended, BinaryStarError> {
        if self.core.borrow().sockets.is_none() {
            self.open().map_err(BinaryStarError::Setup)?;
            let mut machine = Machine::new(Instant::now(), self.role, self.timing);
            if self.witness.is_some() {
                machine = machine.with_witness(random_number());
            }
            self.core.borrow_mut().machine = machine;
        } else {
            let mut core = self.core.borrow_mut();
            core.machine.restart(Instant::now());
            core.is_active = false;
        }
        set_timer(&self.core, &mut self.reactor);
        let ended = self.reactor.run();
        self.core.borrow_mut().timer.remove(&mut self.reactor);
        match self.core.borrow().machine.conflict() {
            Some(conflict) => Err(BinaryStarError::Conflict(conflict)),
            None => ended.map_err(BinaryStarError::Loop),
        }
    }

    /// Closes the node's sockets, so that another node can bind to the same endpoint at once.
    pub(crate) fn close(self) {
        let sockets = self.core.borrow_mut().sockets.take();
        if let Some(Sockets { publisher, .. }) = sockets {
            publisher.close();
        }
    }

    fn open(&mut self) -> Result<()> {
        let publisher = self.set_up(self.context.owned_socket(Pub)?.into_untyped())?;
        publisher.bind(&self.local)?;
        let subscriber = self.context.owned_socket(Sub)?;
        subscriber.subscribe("")?;
        let subscriber = self.set_up(subscriber.into_untyped())?;
        subscriber.connect(&self.remote)?;
        let witness = match &self.witness {
            None => None,
            Some(endpoint) => {
                let witness = self.context.owned_socket(Dealer)?;
                // A request that waits for a witness which is not there would be too old when it comes.
                witness.set_immediate(true)?;
                let witness = self.set_up(witness.into_untyped())?;
                witness.connect(endpoint)?;
                Some(witness)
            }
        };

        let core = self.core.clone();
        let subscriber =
            self.reactor.add(subscriber, PollEvents::POLLIN, move |reactor, _| read_states(&core, reactor, 1))?;
        let witness = match witness {
            None => None,
            Some(witness) => {
                let core = self.core.clone();
                let added = self.reactor.add(witness, PollEvents::POLLIN, move |reactor, event| {
                    let Some(answer) = receive(reactor, event.key)? else { return Ok(()) };
                    with_machine(&core, reactor, |machine, actions| {
                        machine.on_witness(Instant::now(), &answer, actions)
                    })
                })?;
                Some(added)
            }
        };
        self.core.borrow_mut().sockets = Some(Sockets { publisher, subscriber, witness });
        Ok(())
    }

    fn set_up(&self, socket: Socket<'static>) -> Result<Socket<'static>> {
        socket.set_linger(Duration::ZERO)?;
        self.setup.iter().try_for_each(|set| set(&socket))?;
        Ok(socket)
    }
}

/// Hands up to `most` state messages that have arrived to the machine.
fn read_states<'a>(core: &Rc<RefCell<Core<'a>>>, reactor: &mut Reactor<'a>, most: usize) -> HandlerResult {
    for _ in 0..most {
        let subscriber = core.borrow().sockets.as_ref().map(|sockets| sockets.subscriber);
        let Some(subscriber) = subscriber else { break };
        let Some(message) = receive(reactor, subscriber)? else { break };
        with_machine(core, reactor, |machine, actions| machine.on_state(Instant::now(), &message, actions))?;
    }
    Ok(())
}

/// Receives a message from a socket that the reactor owns, if one has arrived.
fn receive(reactor: &Reactor<'_>, socket: HandlerId) -> Result<Option<Multipart>> {
    reactor.socket(socket).map_or(Ok(None), |socket| socket.now().recv_multipart())
}

/// Calls the machine, performs its actions, and sets the timer of the next call.
fn with_machine<'a, R>(
    core: &Rc<RefCell<Core<'a>>>,
    reactor: &mut Reactor<'a>,
    call: impl FnOnce(&mut Machine, &mut Vec<Action>) -> R,
) -> Result<R, Box<dyn error::Error + Send + Sync>> {
    let mut actions = std::mem::take(&mut core.borrow_mut().actions);
    let result = call(&mut core.borrow_mut().machine, &mut actions);
    for action in actions.drain(..) {
        act(core, reactor, action)?;
    }
    core.borrow_mut().actions = actions;
    set_timer(core, reactor);
    Ok(result)
}

fn act<'a>(core: &Rc<RefCell<Core<'a>>>, reactor: &mut Reactor<'a>, action: Action) -> HandlerResult {
    match action {
        // A PUB never waits. The peer notices that a heartbeat is missing.
        Action::Publish(message) => {
            if let Some(sockets) = &core.borrow().sockets {
                drop(sockets.publisher.now().send_multipart(message)?);
            }
        }
        // The witness is asked again at the next heartbeat.
        Action::Ask(message) => {
            let witness = core.borrow().sockets.as_ref().and_then(|sockets| sockets.witness);
            if let Some(socket) = witness.and_then(|id| reactor.socket(id)) {
                drop(socket.now().send_multipart(message)?);
            }
        }
        Action::Report(event) => report(core, reactor, &event)?,
    }
    Ok(())
}

fn report<'a>(core: &Rc<RefCell<Core<'a>>>, reactor: &mut Reactor<'a>, event: &Event) -> HandlerResult {
    let mut borrowed = core.borrow_mut();
    (borrowed.on_event)(event);
    let was_active = borrowed.is_active;
    let place: Place<'a> = match event {
        Event::Active(_) => |core| &mut core.on_active,
        Event::Passive(_) => |core| &mut core.on_passive,
        Event::SteppedDown if was_active => |core| &mut core.on_passive,
        Event::Conflict(_) => {
            reactor.stop();
            return Ok(());
        }
        _ => return Ok(()),
    };
    borrowed.is_active = matches!(event, Event::Active(_));
    let Some(mut handler) = place(&mut borrowed).take() else { return Ok(()) };
    drop(borrowed);
    let outcome = handler(reactor);
    *place(&mut core.borrow_mut()) = Some(handler);
    outcome
}

/// Sets the timer of the machine's next tick.
fn set_timer<'a>(core: &Rc<RefCell<Core<'a>>>, reactor: &mut Reactor<'a>) {
    let mut borrowed = core.borrow_mut();
    let Some(due) = borrowed.machine.next_tick() else { return };
    let shared = core.clone();
    borrowed.timer.set(reactor, due, move |reactor, _| {
        shared.borrow_mut().timer.has_run();
        with_machine(&shared, reactor, |machine, actions| machine.on_tick(Instant::now(), actions))
    });
}

impl fmt::Debug for BinaryStar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BinaryStar")
            .field("role", &self.role)
            .field("local", &self.local)
            .field("remote", &self.remote)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

/// The error of [`BinaryStar::run`].
#[derive(Debug)]
#[non_exhaustive]
pub enum BinaryStarError {
    /// A socket could not be opened, bound or connected.
    Setup(Error),
    /// The pair cannot go on.
    Conflict(Conflict),
    /// Waiting failed, or a handler did.
    Loop(ReactorError),
}

impl fmt::Display for BinaryStarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BinaryStarError::Setup(error) => error.fmt(f),
            BinaryStarError::Conflict(conflict) => conflict.fmt(f),
            BinaryStarError::Loop(error) => error.fmt(f),
        }
    }
}

impl error::Error for BinaryStarError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        // `Display` shows the error itself, so the source is the next one.
        match self {
            BinaryStarError::Setup(error) => error.source(),
            BinaryStarError::Conflict(_) => None,
            BinaryStarError::Loop(error) => error.source(),
        }
    }
}
