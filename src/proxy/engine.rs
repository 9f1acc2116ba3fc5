//! The loop that every proxy runs.
//!
//! It is our own: in libzmq's a signal that comes while a part waits for room loses it, and what is left of its message is
//! forwarded as a message of its own; and its commands PAUSE and RESUME are swapped. This one waits for nothing but in
//! [`Engine::wait`], so that a command or a signal is heard at any time. A message that it has taken and that finds no
//! room is held until there is some; asking before each costs several times what forwarding does. What is still held at
//! the end goes back to the socket that it came from, for whoever receives there next.

use std::ffi::{c_long, c_short};
use std::time::Duration;

use super::statistics::{ProxyStatistics, SideStatistics, Traffic};
use crate::deadline::{Backoff, milliseconds};
use crate::error::Errno;
use crate::kind::Kind;
use crate::message::Message;
use crate::poll_events::PollEvents;
use crate::raw::{self, PollItem};
use crate::socket::{Core, Flags};
use crate::wake_up::WakeUp;

/// How many messages go one way before the other way has its turn, as in libzmq.
const BURST: usize = 1000;
/// How often a paused proxy looks at sockets that have no descriptor to wait for.
const LOOK: Duration = Duration::from_millis(50);

const POLLIN: c_short = PollEvents::POLLIN.raw();
const POLLOUT: c_short = PollEvents::POLLOUT.raw();

/// What a proxy is to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    Active,
    Paused,
    Terminated,
}

/// Where a proxy gets its commands from.
pub(super) trait Control {
    /// What becomes ready when there is a command.
    fn item(&self) -> Option<PollItem<'_>>;

    /// Takes the command and answers it, without waiting, between two messages.
    fn obey(&mut self, mode: Mode, statistics: ProxyStatistics) -> Result<Mode, Errno>;
}

/// Nobody commands.
pub(super) struct Uncontrolled;

impl Control for Uncontrolled {
    fn item(&self) -> Option<PollItem<'_>> {
        None
    }

    fn obey(&mut self, mode: Mode, _statistics: ProxyStatistics) -> Result<Mode, Errno> {
        Ok(mode)
    }
}

/// What a lane waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    ForMessage,
    ForRoom,
    ForCapture,
    /// For nothing that can be polled: it tries again after the pause.
    Pause(Backoff),
}

/// One way through the proxy.
struct Lane<'a> {
    from: &'a Core,
    to: &'a Core,
    waits: Waits,
    /// The part that is being forwarded; the same memory for all.
    part: Message,
    /// Whether that is the first one of a message, which was taken and has found no room yet.
    holds: bool,
    received: Traffic,
    sent: Traffic,
}

pub(super) struct Engine<'a> {
    frontend: &'a Core,
    backend: &'a Core,
    capture: Option<&'a Core>,
    /// From the frontend to the backend, and back unless these are the same.
    lanes: [Lane<'a>; 2],
    ways: usize,
    mode: Mode,
}

/// The items of one wait; there are never more than the two sides, the capture, the control and the wake-up.
struct Items<'a> {
    items: [PollItem<'a>; 5],
    count: usize,
}

impl<'a> Items<'a> {
    fn new(filler: PollItem<'a>) -> Items<'a> {
        Items { items: [filler; 5], count: 0 }
    }

    /// Its place.
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
        let ways = if std::ptr::eq(frontend, backend) { 1 } else { 2 };
        let lanes = [Lane::new(frontend, backend), Lane::new(backend, frontend)];
        Engine { frontend, backend, capture, lanes, ways, mode: Mode::Active }
    }

    /// Forwards until a command or an error ends it.
    pub(super) fn run(&mut self, control: &mut impl Control) -> Result<(), Errno> {
        let outcome = self.forward(control);
        self.lanes.iter_mut().for_each(Lane::put_back);
        outcome
    }

    fn forward(&mut self, control: &mut impl Control) -> Result<(), Errno> {
        // What was commanded before the start comes first.
        self.mode = control.obey(self.mode, self.statistics())?;
        while self.mode != Mode::Terminated {
            let ready = self.wait(control)?;
            if ready.control {
                self.mode = control.obey(self.mode, self.statistics())?;
            }
            if self.mode == Mode::Active {
                for way in (0..self.ways).filter(|way| ready.lanes[*way]) {
                    self.lanes[way].forward(self.capture)?;
                }
            }
            // With messages coming in all the time, no wait is long enough to be ended.
            if raw::interrupted() {
                return Err(Errno::EINTR);
            }
        }
        Ok(())
    }

    pub(super) fn statistics(&self) -> ProxyStatistics {
        let [up, down] = &self.lanes;
        // The one lane of a single socket is both its sides.
        let (from_back, to_front) = if self.ways == 2 { (down.received, down.sent) } else { Default::default() };
        ProxyStatistics {
            frontend: SideStatistics { received: up.received, sent: to_front },
            backend: SideStatistics { received: from_back, sent: up.sent },
        }
    }

    /// Waits until a lane can go on or there is a command.
    fn wait(&self, control: &impl Control) -> Result<Ready, Errno> {
        if self.mode == Mode::Paused {
            return self.wait_paused(control);
        }
        let lanes = &self.lanes[..self.ways];
        let (mut front, mut back, mut capture) = (0, 0, 0);
        let mut timeout: Option<Duration> = None;
        for lane in lanes {
            let (from, to) =
                if std::ptr::eq(lane.from, self.frontend) { (&mut front, &mut back) } else { (&mut back, &mut front) };
            match lane.waits {
                Waits::ForMessage => *from |= POLLIN,
                // A single socket is looked at once, for both.
                Waits::ForRoom if self.ways == 1 => *from |= POLLOUT,
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
        poll(&mut items, timeout, &wake_up)?;
        let found = |place| items.found(place);
        let ready = |lane: &Lane<'_>| {
            let (from, to) = if std::ptr::eq(lane.from, self.frontend) {
                (front_place, if self.ways == 1 { front_place } else { back_place })
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
            lanes: [ready(&self.lanes[0]), self.ways == 2 && ready(&self.lanes[1])],
            control: found(control_place) != 0,
        })
    }

    /// Waits for a command or the end of the context, whatever messages come meanwhile.
    fn wait_paused(&self, control: &impl Control) -> Result<Ready, Errno> {
        let mut timeout = None;
        let wake_up = WakeUp::current();
        let mut items = Items::new(self.frontend.poll_item(0));
        for socket in [self.frontend, self.backend] {
            // Its news are looked at, so it is silent now until there are others.
            socket.raw().events()?;
            match socket.raw().notification_fd() {
                Ok(fd) => drop(items.push(PollItem::fd(fd, PollEvents::POLLIN))),
                Err(Errno::EINVAL) => timeout = Some(LOOK),
                Err(errno) => return Err(errno),
            }
        }
        let control_place = control.item().map(|item| items.push(item));
        if let Some(item) = wake_up.item() {
            items.push(item);
        }
        poll(&mut items, timeout, &wake_up)?;
        Ok(Ready { lanes: [false; 2], control: items.found(control_place) != 0 })
    }
}

/// What a wait has found.
struct Ready {
    lanes: [bool; 2],
    control: bool,
}

fn poll(items: &mut Items<'_>, timeout: Option<Duration>, wake_up: &WakeUp) -> Result<(), Errno> {
    let timeout: c_long = timeout.map_or(-1, milliseconds);
    let found = raw::poll(&mut items.items[..items.count], timeout);
    wake_up.reset();
    found.map(drop).or_else(|errno| {
        // What it has found is not to be believed then.
        items.items.iter_mut().for_each(|item| item.set_revents(0));
        unless_interrupted(errno).map(drop)
    })
}

/// A signal that is not caught ends nothing.
fn unless_interrupted(errno: Errno) -> Result<i32, Errno> {
    if errno == Errno::EINTR && !raw::interrupted() { Ok(0) } else { Err(errno) }
}

/// Whether sockets of this kind say that they have room whether they have or not: they drop, or fail, per peer.
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
    fn new(from: &'a Core, to: &'a Core) -> Lane<'a> {
        Lane {
            from,
            to,
            waits: Waits::ForMessage,
            part: Message::new(),
            holds: false,
            received: Traffic::default(),
            sent: Traffic::default(),
        }
    }

    /// Forwards what is there and finds room.
    fn forward(&mut self, capture: Option<&Core>) -> Result<(), Errno> {
        // A REP that is both sides has room once it has a request.
        if !self.holds && !std::ptr::eq(self.from, self.to) && !has_room(self.to)? {
            self.waits = Waits::ForRoom;
            return Ok(());
        }
        for _ in 0..BURST {
            // What was sent is to be captured too, so here room is asked for.
            if let Some(capture) = capture
                && !has_room(capture)?
            {
                self.waits = Waits::ForCapture;
                return Ok(());
            }
            if !self.holds {
                match self.from.recv(self.part.raw_mut(), zmq_sys::ZMQ_DONTWAIT) {
                    Ok(()) => {}
                    Err(Errno::EAGAIN) => {
                        self.waits = Waits::ForMessage;
                        return Ok(());
                    }
                    Err(Errno::EINTR) if !raw::interrupted() => continue,
                    Err(errno) => return Err(errno),
                }
            }
            if !self.forward_message(capture)? {
                return Ok(());
            }
        }
        self.waits = Waits::ForMessage;
        Ok(())
    }

    /// Gives back what is held.
    fn put_back(&mut self) {
        if std::mem::take(&mut self.holds) {
            self.from.put_back(std::mem::take(&mut self.part));
        }
    }

    /// Whether the part at hand is not the last one of its message.
    fn is_followed(&self) -> bool {
        self.part.more() && !self.from.conflates()
    }

    /// Forwards the message that begins with the part at hand; says whether it was taken.
    ///
    /// Once its first part is taken, it goes to its end, whatever becomes of the capture.
    fn forward_message(&mut self, capture: Option<&Core>) -> Result<bool, Errno> {
        if std::ptr::eq(self.from, self.to) && self.to.kind() == Kind::Rep {
            return self.reply(capture).map(|()| true);
        }
        let copy = capture.map(|capture| (capture, self.part.clone()));
        let (size, mut more) = (self.part.len(), self.is_followed());
        let mut to = Some(self.to);
        match send(self.to, &mut self.part, more) {
            Ok(()) => self.holds = false,
            // A subscription that is longer than libzmq bears: one peer's, which is not to end the proxy for all.
            Err(Errno::EMSGSIZE) if self.to.kind() == Kind::XSub => {
                self.holds = false;
                to = None;
            }
            Err(Errno::EAGAIN) => {
                self.waits = match (std::mem::replace(&mut self.holds, true), self.waits) {
                    (false, _) => Waits::ForRoom,
                    // The socket says that it has room, and has none for this message.
                    (true, Waits::Pause(backoff)) => Waits::Pause(backoff.doubled()),
                    (true, _) => Waits::Pause(Backoff::new()),
                };
                return Ok(false);
            }
            Err(errno) => {
                // Whoever gets the error finds the whole message where it came from.
                self.holds = true;
                return Err(errno);
            }
        }
        self.waits = Waits::ForMessage;
        self.received.add(size, more);
        if to.is_some() {
            self.sent.add(size, more);
        }
        // Where capturing fails, the message still passes whole, before that ends the proxy.
        let mut captured = Ok(());
        let mut capture = copy.and_then(|(capture, mut copy)| match send(capture, &mut copy, more) {
            Ok(()) => Some(capture),
            // Whoever captured has just gone: this message is not captured.
            Err(Errno::EAGAIN) => None,
            Err(errno) => {
                captured = Err(errno);
                None
            }
        });
        while more {
            // Messages come whole: there is nothing to wait for.
            self.from.recv(self.part.raw_mut(), 0)?;
            let size = self.part.len();
            more = self.is_followed();
            self.received.add(size, more);
            if capture.is_some()
                && let Err(errno) = go_on(&mut capture, &mut self.part.clone(), more)
            {
                captured = Err(errno);
                capture = None;
            }
            go_on(&mut to, &mut self.part, more)?;
            if to.is_some() {
                self.sent.add(size, more);
            }
        }
        captured?;
        Ok(true)
    }
}

impl Lane<'_> {
    /// Sends a REP its own request back, which it takes only once it has given all of it.
    fn reply(&mut self, capture: Option<&Core>) -> Result<(), Errno> {
        let parts = self.from.rest_of(std::mem::take(&mut self.part)).map_err(|error| error.errno())?;
        for (index, part) in parts.iter().enumerate() {
            self.received.add(part.len(), index + 1 < parts.len());
            self.sent.add(part.len(), index + 1 < parts.len());
        }
        let copy = parts.clone();
        for (socket, parts) in [(capture, copy), (Some(self.to), parts)] {
            let Some(socket) = socket else { continue };
            match socket.try_send_parts(parts) {
                // Whoever it was for has just gone.
                Err(failed) if failed.error().errno() != Errno::EAGAIN => return Err(failed.error().errno()),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Sends the first part of a message, if there is room for it.
fn send(socket: &Core, part: &mut Message, more: bool) -> Result<(), Errno> {
    socket.check_parts(more).map_err(|error| error.errno())?;
    send_on(socket, part, more)
}

fn send_on(socket: &Core, part: &mut Message, more: bool) -> Result<(), Errno> {
    loop {
        match socket.send(part.raw_mut(), (flags(more) | Flags::DONTWAIT).raw()) {
            Err(Errno::EINTR) if !raw::interrupted() => {}
            sent => return sent,
        }
    }
}

/// Sends a part behind one that was taken. libzmq has room for it unless its peer has gone, and what it had got of the
/// message with it: then the parts that are left are for nobody.
fn go_on(to: &mut Option<&Core>, part: &mut Message, more: bool) -> Result<(), Errno> {
    let Some(socket) = *to else { return Ok(()) };
    match send_on(socket, part, more) {
        // A REQ cannot begin again before it has ended.
        Err(Errno::EAGAIN) if socket.kind() == Kind::Req => Ok(()),
        Err(Errno::EAGAIN) => {
            socket.end_broken_message(flags(more).raw());
            *to = None;
            Ok(())
        }
        sent => sent,
    }
}

fn flags(more: bool) -> Flags {
    if more { Flags::SNDMORE } else { Flags::NONE }
}
