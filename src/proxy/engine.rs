//! The loop that every proxy runs.
//!
//! `zmq_proxy` loses a part if a signal arrives while the part waits for room, and forwards the rest as another
//! message. `zmq_proxy_steerable` swaps PAUSE and RESUME. This loop waits in [`Engine::wait`] only, so it notices a
//! command or a signal at any time. It receives whole messages. It holds a message until there is room for it, because
//! a poll for POLLOUT before each message costs several times as much as forwarding it. A message that is still held at
//! the end is [`Unforwarded`].

use std::ffi::{c_long, c_short};
use std::time::Duration;

use super::outcome::Unforwarded;
use super::statistics::{ProxyStatistics, Traffic};
use crate::deadline::{Backoff, milliseconds};
use crate::error::{Errno, SendError};
use crate::kind::Kind;
use crate::message::Message;
use crate::multipart::Multipart;
use crate::poll_events::PollEvents;
use crate::process;
use crate::raw::{self, PollItem};
use crate::socket::{Core, Wait};
use crate::wake_up::WakeUp;

/// The number of messages that go in one direction before the other direction is served, as in libzmq.
const BURST: usize = 1000;
/// The interval at which a paused proxy polls sockets that have no descriptor to wait on.
const PAUSED_POLL: Duration = Duration::from_millis(50);

const POLLIN: c_short = zmq_sys::ZMQ_POLLIN as c_short;
const POLLOUT: c_short = zmq_sys::ZMQ_POLLOUT as c_short;

/// The sockets of a proxy, as errors name them.
pub(crate) const FRONTEND: &str = "the frontend";
pub(crate) const BACKEND: &str = "the backend";
pub(crate) const CAPTURE: &str = "the capture socket";

/// The state of a proxy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    Active,
    Paused,
    Terminated,
}

/// The source of a proxy's commands.
pub(super) trait Control {
    /// The item that becomes ready when a command arrives.
    fn item(&self) -> Option<PollItem<'_>>;

    /// Takes the command and answers it, without waiting, between two messages.
    fn poll_command(&mut self, mode: Mode, statistics: ProxyStatistics) -> Result<Mode, Errno>;
}

/// The control of a proxy that takes no commands.
pub(super) struct Uncontrolled;

impl Control for Uncontrolled {
    fn item(&self) -> Option<PollItem<'_>> {
        None
    }

    fn poll_command(&mut self, mode: Mode, _statistics: ProxyStatistics) -> Result<Mode, Errno> {
        Ok(mode)
    }
}

/// The error that ends a proxy, and the socket whose call failed. A wait is for all sockets.
struct Failure {
    errno: Errno,
    side: Option<&'static str>,
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Failure {
        Failure { errno, side: None }
    }
}

/// The failures of calls on this socket.
fn at(side: &'static str) -> impl Fn(Errno) -> Failure {
    move |errno| Failure { errno, side: Some(side) }
}

/// The event that a lane waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    ForMessage,
    ForRoom,
    ForCapture,
    /// No event can be polled for, so the lane tries again after the pause.
    Pause(Backoff),
}

/// One direction of the proxy.
struct Lane<'a> {
    from: &'a Core,
    to: &'a Core,
    from_side: &'static str,
    to_side: &'static str,
    waits: Waits,
    /// The parts of a message that was received and not forwarded yet. All messages use the same memory.
    parts: Multipart,
    received: Traffic,
    sent: Traffic,
}

pub(super) struct Engine<'a> {
    frontend: &'a Core,
    backend: &'a Core,
    capture: Option<&'a Core>,
    /// From the frontend to the backend, and back unless these are the same.
    lanes: [Lane<'a>; 2],
    directions: usize,
    mode: Mode,
}

/// The items of one wait: at most the two sides, the capture, the control and the wake-up.
struct Items<'a> {
    items: [PollItem<'a>; 5],
    count: usize,
}

impl<'a> Items<'a> {
    fn new(filler: PollItem<'a>) -> Items<'a> {
        Items { items: [filler; 5], count: 0 }
    }

    /// Adds an item, and returns its place.
    fn push(&mut self, item: PollItem<'a>) -> usize {
        self.items[self.count] = item;
        self.count += 1;
        self.count - 1
    }

    fn found(&self, place: Option<usize>) -> c_short {
        place.map_or(0, |place| self.items[place].raw_revents())
    }
}

impl<'a> Engine<'a> {
    pub(super) fn new(frontend: &'a Core, backend: &'a Core, capture: Option<&'a Core>) -> Engine<'a> {
        let directions = if std::ptr::eq(frontend, backend) { 1 } else { 2 };
        let (front, back) = ((frontend, FRONTEND), (backend, BACKEND));
        let lanes = [Lane::new(front, back), Lane::new(back, front)];
        Engine { frontend, backend, capture, lanes, directions, mode: Mode::Active }
    }

    /// Forwards until a command or an error ends the proxy. The outcome has the messages that were received and not forwarded.
    pub(super) fn run(
        &mut self,
        call: &'static str,
        control: &mut impl Control,
    ) -> Result<Unforwarded, SendError<Unforwarded>> {
        let outcome = self.forward(control);
        let [up, down] = &mut self.lanes;
        let unforwarded = Unforwarded { to_backend: up.take_unforwarded(), to_frontend: down.take_unforwarded() };
        match outcome {
            Ok(()) => Ok(unforwarded),
            Err(Failure { errno, side: Some(side) }) => Err(SendError::new(unforwarded, errno.with_detail(call, side))),
            Err(Failure { errno, side: None }) => Err(SendError::new(unforwarded, errno.for_call(call))),
        }
    }

    fn forward(&mut self, control: &mut impl Control) -> Result<(), Failure> {
        // A command from before the start is executed first.
        self.mode = control.poll_command(self.mode, self.statistics())?;
        while self.mode != Mode::Terminated {
            let ready = self.wait(control)?;
            if ready.control {
                self.mode = control.poll_command(self.mode, self.statistics())?;
            }
            if self.mode == Mode::Active {
                for way in (0..self.directions).filter(|way| ready.lanes[*way]) {
                    self.lanes[way].forward(self.capture)?;
                }
            }
            // If messages come all the time, no wait blocks, and a signal ends none.
            if process::interrupted() {
                return Err(Errno::EINTR.into());
            }
        }
        Ok(())
    }

    pub(super) fn statistics(&self) -> ProxyStatistics {
        let [up, down] = &self.lanes;
        // A single socket has one lane, which counts as frontend to backend.
        let (from_backend, to_frontend) =
            if self.directions == 2 { (down.received, down.sent) } else { Default::default() };
        ProxyStatistics { from_frontend: up.received, to_frontend, from_backend, to_backend: up.sent }
    }

    /// Waits until a lane can go on or a command arrives.
    fn wait(&self, control: &impl Control) -> Result<Ready, Errno> {
        if self.mode == Mode::Paused {
            return self.wait_paused(control);
        }
        let lanes = &self.lanes[..self.directions];
        let (mut front, mut back, mut capture) = (0, 0, 0);
        let mut timeout: Option<Duration> = None;
        for lane in lanes {
            let (from, to) =
                if std::ptr::eq(lane.from, self.frontend) { (&mut front, &mut back) } else { (&mut back, &mut front) };
            match lane.waits {
                Waits::ForMessage => *from |= POLLIN,
                // A single socket has one item, for both events.
                Waits::ForRoom if self.directions == 1 => *from |= POLLOUT,
                Waits::ForRoom => *to |= POLLOUT,
                Waits::ForCapture => capture |= POLLOUT,
                Waits::Pause(backoff) => {
                    timeout = Some(timeout.map_or(backoff.pause(), |timeout| timeout.min(backoff.pause())));
                }
            }
        }
        let wake_up = WakeUp::current();
        let mut items = Items::new(self.frontend.poll_item(0));
        let front_place = (front != 0).then(|| items.push(self.frontend.poll_item(front)));
        let back_place = (back != 0).then(|| items.push(self.backend.poll_item(back)));
        let capture_place = match self.capture {
            Some(socket) if capture != 0 => Some(items.push(socket.poll_item(capture))),
            _ => None,
        };
        let control_place = control.item().map(|item| items.push(item));
        if let Some(item) = wake_up.item() {
            items.push(item);
        }
        self.poll(&mut items, timeout, &wake_up)?;
        let found = |place| items.found(place);
        let ready = |lane: &Lane<'_>| {
            let (from, to) = if std::ptr::eq(lane.from, self.frontend) {
                (front_place, if self.directions == 1 { front_place } else { back_place })
            } else {
                (back_place, front_place)
            };
            match lane.waits {
                Waits::ForMessage => found(from) & POLLIN != 0,
                Waits::ForRoom => found(to) & POLLOUT != 0,
                Waits::ForCapture => found(capture_place) & POLLOUT != 0,
                Waits::Pause(_) => true,
            }
        };
        Ok(Ready {
            lanes: [ready(&self.lanes[0]), self.directions == 2 && ready(&self.lanes[1])],
            control: found(control_place) != 0,
        })
    }

    /// Waits for a command or the end of the context. Messages do not end the wait.
    fn wait_paused(&self, control: &impl Control) -> Result<Ready, Errno> {
        let mut timeout = None;
        let wake_up = WakeUp::current();
        let mut items = Items::new(self.frontend.poll_item(0));
        for socket in [self.frontend, self.backend] {
            // Reading ZMQ_EVENTS processes the pending commands, so the descriptor is silent until there are others.
            socket.raw().events()?;
            match socket.raw().notification_fd() {
                Ok(fd) => drop(items.push(PollItem::fd(fd, PollEvents::POLLIN))),
                Err(Errno::EINVAL) => timeout = Some(PAUSED_POLL),
                Err(errno) => return Err(errno),
            }
        }
        let control_place = control.item().map(|item| items.push(item));
        if let Some(item) = wake_up.item() {
            items.push(item);
        }
        self.poll(&mut items, timeout, &wake_up)?;
        Ok(Ready { lanes: [false; 2], control: items.found(control_place) != 0 })
    }

    fn poll(&self, items: &mut Items<'_>, timeout: Option<Duration>, wake_up: &WakeUp) -> Result<(), Errno> {
        let timeout: c_long = timeout.map_or(-1, milliseconds);
        let found = raw::poll(&mut items.items[..items.count], timeout).map(drop);
        wake_up.reset();
        if found.is_err() {
            // A poll that fails leaves events in the items that are not valid.
            items.items.iter_mut().for_each(|item| item.set_revents(0));
        }
        let sockets = [Some(self.frontend), Some(self.backend), self.capture];
        sockets.into_iter().flatten().try_fold((), |(), socket| socket.check_handler(found))
    }
}

/// The outcome of a wait.
struct Ready {
    lanes: [bool; 2],
    control: bool,
}

/// Whether sockets of this kind always report POLLOUT. If a peer has no room, the send drops the message or fails.
fn always_says_it_has_room(kind: Kind) -> bool {
    matches!(kind, Kind::Pub | Kind::XPub | Kind::XSub | Kind::Router | Kind::Stream)
}

fn has_room(socket: &Core) -> Result<bool, Errno> {
    if always_says_it_has_room(socket.kind()) {
        return Ok(true);
    }
    socket.raw().events().map(|events| events.contains(PollEvents::POLLOUT))
}

impl<'a> Lane<'a> {
    fn new((from, from_side): (&'a Core, &'static str), (to, to_side): (&'a Core, &'static str)) -> Lane<'a> {
        Lane {
            from,
            to,
            from_side,
            to_side,
            waits: Waits::ForMessage,
            parts: Multipart::new(),
            received: Traffic::default(),
            sent: Traffic::default(),
        }
    }

    /// Forwards messages while one can be received and finds room, up to `BURST`.
    fn forward(&mut self, capture: Option<&Core>) -> Result<(), Failure> {
        // A REP that is both sides has room once it has a request.
        if self.parts.is_empty() && !self.is_one_socket() && !has_room(self.to).map_err(at(self.to_side))? {
            self.waits = Waits::ForRoom;
            return Ok(());
        }
        for _ in 0..BURST {
            // Every message that is forwarded must be captured too, so the capture socket must have room.
            if let Some(capture) = capture
                && !has_room(capture).map_err(at(CAPTURE))?
            {
                self.waits = Waits::ForCapture;
                return Ok(());
            }
            let was_begun = !self.parts.is_empty();
            if !was_begun && !self.take_message().map_err(at(self.from_side))? {
                self.waits = Waits::ForMessage;
                return Ok(());
            }
            if !self.send_message(capture, was_begun)? {
                return Ok(());
            }
        }
        self.waits = Waits::ForMessage;
        Ok(())
    }

    fn is_one_socket(&self) -> bool {
        std::ptr::eq(self.from, self.to)
    }

    /// Takes out the message that was received and not forwarded.
    fn take_unforwarded(&mut self) -> Option<Multipart> {
        (!self.parts.is_empty()).then(|| std::mem::take(&mut self.parts))
    }

    /// Receives the next message with all its parts; false if none can be received.
    fn take_message(&mut self) -> Result<bool, Errno> {
        loop {
            let mut part = Message::new();
            // libzmq delivers messages whole, so the parts behind the first are there already.
            let wait = if self.parts.is_empty() { Wait::No } else { Wait::ByOption };
            match self.from.recv_part(part.raw_mut(), wait) {
                Ok(()) => {}
                Err(Errno::EAGAIN) if self.parts.is_empty() => return Ok(false),
                Err(Errno::EINTR) if !process::interrupted() => continue,
                Err(errno) => {
                    // The context has ended in the middle of the message.
                    self.parts.clear();
                    return Err(errno);
                }
            }
            let is_followed = self.from.is_followed(&mut part);
            self.parts.push_back(part);
            if !is_followed {
                return Ok(true);
            }
        }
    }

    /// Forwards the message that was received; false if it found no room and is held.
    fn send_message(&mut self, capture: Option<&Core>, was_begun: bool) -> Result<bool, Failure> {
        if self.is_one_socket() && self.to.kind() == Kind::Rep {
            return self.reply(capture).map(|()| true);
        }
        let received = Traffic::of(&self.parts);
        match send(self.to, &mut self.parts, capture.is_some()) {
            Ok(true) => self.sent += received,
            Ok(false) => {}
            Err(Errno::EAGAIN) => {
                self.waits = match self.waits {
                    _ if !was_begun => Waits::ForRoom,
                    // The socket reports POLLOUT, and has no room for this message.
                    Waits::Pause(backoff) => Waits::Pause(backoff.doubled()),
                    _ => Waits::Pause(Backoff::new()),
                };
                return Ok(false);
            }
            // The message is held, and goes to the caller of the proxy.
            Err(errno) => return Err(at(self.to_side)(errno)),
        }
        self.waits = Waits::ForMessage;
        self.received += received;
        let captured = capture.map_or(Ok(false), |capture| send(capture, &mut self.parts, false));
        // The message is forwarded, whether it is captured or not.
        self.parts.clear();
        match captured {
            // EAGAIN: the capture socket's peer has just gone, and this message is not captured.
            Ok(_) | Err(Errno::EAGAIN) => Ok(true),
            Err(errno) => Err(at(CAPTURE)(errno)),
        }
    }

    /// Answers the request of a REP that is both sides: the reply is the request itself.
    fn reply(&mut self, capture: Option<&Core>) -> Result<(), Failure> {
        let traffic = Traffic::of(&self.parts);
        if let Some(capture) = capture
            && let Err(failed) = capture.send_parts(self.parts.clone(), Wait::No)
            && failed.error().errno() != Errno::EAGAIN
        {
            return Err(at(CAPTURE)(failed.error().errno()));
        }
        match self.to.send_parts(std::mem::take(&mut self.parts), Wait::No) {
            // EAGAIN: the peer that asked has just gone.
            Err(failed) if failed.error().errno() != Errno::EAGAIN => {
                let (parts, error) = failed.into_parts();
                self.parts = parts;
                return Err(at(self.to_side)(error.errno()));
            }
            _ => {}
        }
        self.received += traffic;
        self.sent += traffic;
        Ok(())
    }
}

/// Sends a message if there is room for it; false if the socket drops it. `parts` keeps the message if the send fails, or if
/// `keep` is set.
pub(crate) fn send(to: &Core, parts: &mut Multipart, keep: bool) -> Result<bool, Errno> {
    to.check_parts(parts.len() > 1).map_err(|error| error.errno())?;
    if to.check_raw_parts(parts.len(), false).is_err() {
        // A STREAM drops a message that is not an id and data. The peer that sent it must not end the proxy for all.
        return Ok(false);
    }
    #[cfg(feature = "draft")]
    if let Err(error) = to.check_whole(parts) {
        // A RADIO drops a message without a group, or too long for a datagram, as libzmq does.
        return if to.kind() == Kind::Radio { Ok(false) } else { Err(error.errno()) };
    }
    match to.send_whole(parts, keep, Wait::No).map_err(|failed| failed.errno) {
        // An XSUB drops a subscription that is too long for libzmq. The peer that sent it must not end the proxy for all.
        Err(Errno::EMSGSIZE) if to.kind() == Kind::XSub => Ok(false),
        sent => sent.map(|()| true),
    }
}
