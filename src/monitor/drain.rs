//! The thread that reads a monitor's events as they come, and what it keeps of them.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard};

use super::event::{Endpoints, Event, Events, Notice};
use crate::bell::Bell;
use crate::error::{Errno, Result};
use crate::lock::lock;
use crate::message::Message;
use crate::raw::{Format, MonitorReader, RawMessage};

/// What the thread and the monitor share.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Set while there is a notice to take, or none will come any more.
    ready: Bell,
    /// What of all that libzmq reports is to be kept.
    wanted: Events,
    /// What counts as a connection that is there.
    arrival: Events,
    capacity: usize,
}

#[derive(Debug, Default)]
struct State {
    notices: VecDeque<Notice>,
    lost: u64,
    arrivals: u64,
    ended: bool,
    waiting: Vec<Arc<Waiting>>,
}

/// Somebody who waits for connections.
#[derive(Debug)]
struct Waiting {
    arrivals: u64,
    enough: Bell,
}

impl State {
    fn is_ready(&self) -> bool {
        self.ended || !self.notices.is_empty()
    }

    fn wake_waiting(&self) {
        for waiting in self.waiting.iter().filter(|waiting| self.ended || self.arrivals == waiting.arrivals) {
            waiting.enough.ring();
        }
    }
}

impl Shared {
    pub(super) fn new(wanted: Events, arrival: Events, capacity: usize) -> io::Result<Shared> {
        Ok(Shared { state: Mutex::default(), ready: Bell::pair()?, wanted, arrival, capacity })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held, and if it did, every step leaves the state whole.
        lock(&self.state)
    }

    pub(super) fn ready(&self) -> BorrowedFd<'_> {
        self.ready.as_fd()
    }

    /// Takes the oldest notice. Once the monitoring has ended and the last one is taken, the end, again and again.
    pub(super) fn take(&self) -> Option<Notice> {
        let mut state = self.lock();
        match state.notices.pop_front() {
            Some(notice) => {
                if !state.is_ready() {
                    self.ready.hush();
                }
                Some(notice)
            }
            None => state.ended.then_some(Notice { event: Event::MonitorStopped, endpoints: Endpoints::None }),
        }
    }

    pub(super) fn lost(&self) -> u64 {
        self.lock().lost
    }

    pub(super) fn arrivals(&self) -> u64 {
        self.lock().arrivals
    }

    /// Waits, with `wait`, until there have been as many arrivals, and says whether that came true.
    pub(super) fn wait_for_arrivals(
        &self,
        arrivals: u64,
        wait: impl FnOnce(BorrowedFd<'_>) -> Result<()>,
    ) -> Result<bool> {
        let waiting = {
            let mut state = self.lock();
            if state.ended || state.arrivals >= arrivals {
                return Ok(state.arrivals >= arrivals);
            }
            let waiting = Arc::new(Waiting { arrivals, enough: Bell::pair().map_err(super::no_means)? });
            state.waiting.push(waiting.clone());
            waiting
        };
        let waited = wait(waiting.enough.as_fd());
        let mut state = self.lock();
        state.waiting.retain(|other| !Arc::ptr_eq(other, &waiting));
        waited.map(|()| state.arrivals >= arrivals)
    }

    fn put(&self, number: u64, values: &[u64], endpoints: Endpoints) {
        let event = Events::from_raw(number);
        let mut state = self.lock();
        let was_ready = state.is_ready();
        if self.arrival.contains(event) {
            state.arrivals += 1;
            state.wake_waiting();
        }
        if !self.wanted.contains(event) {
            return;
        }
        if state.notices.len() >= self.capacity {
            state.notices.pop_front();
            state.lost += 1;
        }
        if self.capacity != 0 {
            state.notices.push_back(Notice { event: Event::new(number, values), endpoints });
        }
        if !was_ready && state.is_ready() {
            self.ready.ring();
        }
    }

    fn end(&self) {
        let mut state = self.lock();
        if !state.is_ready() {
            self.ready.ring();
        }
        state.ended = true;
        state.wake_waiting();
    }
}

/// Reads events until the monitoring ends, which is what ends this thread: nobody has to wake it.
pub(super) fn drain(tap: &MonitorReader, format: Format, shared: &Shared) {
    let mut reader = Reader { tap, part: RawMessage::new(), values: Vec::new() };
    // A receive fails once the context has ended.
    while let Ok(Some((number, endpoints))) = reader.event(format) {
        shared.put(number, &reader.values, endpoints);
    }
    shared.end();
}

struct Reader<'a> {
    tap: &'a MonitorReader,
    /// The part received last, whose memory the next one takes.
    part: RawMessage,
    /// The values of the event received last.
    values: Vec<u64>,
}

impl Reader<'_> {
    /// The next event, but for its values, which are left in `self`; `None` for the end.
    fn event(&mut self, format: Format) -> Result<Option<(u64, Endpoints)>, Errno> {
        self.values.clear();
        let (number, endpoints) = match format {
            Format::One => self.one()?,
            #[cfg(feature = "draft")]
            Format::Two => self.two()?,
        };
        Ok((number != Events::MONITOR_STOPPED.raw()).then_some((number, endpoints)))
    }

    /// Two parts: 16 bits of event with 32 bits of value, and the endpoint.
    fn one(&mut self) -> Result<(u64, Endpoints), Errno> {
        self.tap.recv(&mut self.part)?;
        let head = self.part.content();
        let number = head.first_chunk().map_or(0, |event| u16::from_ne_bytes(*event).into());
        self.values.extend(head.last_chunk().map(|value| u64::from(u32::from_ne_bytes(*value))));
        Ok((number, Endpoints::One(self.endpoint()?)))
    }

    /// A part of 64 bits each for the event, the number of its values and every value; then the two endpoints.
    #[cfg(feature = "draft")]
    fn two(&mut self) -> Result<(u64, Endpoints), Errno> {
        let number = self.number()?;
        for _ in 0..self.number()? {
            let value = self.number()?;
            self.values.push(value);
        }
        Ok((number, Endpoints::Both { local: self.endpoint()?, remote: self.endpoint()? }))
    }

    #[cfg(feature = "draft")]
    fn number(&mut self) -> Result<u64, Errno> {
        self.tap.recv(&mut self.part)?;
        Ok(self.part.content().first_chunk().map_or(0, |number| u64::from_ne_bytes(*number)))
    }

    /// An endpoint, in the very message that libzmq sent.
    fn endpoint(&self) -> Result<Message, Errno> {
        let mut part = RawMessage::new();
        self.tap.recv(&mut part)?;
        Ok(Message::from_raw(part))
    }
}
