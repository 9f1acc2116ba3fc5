//! The thread that receives a monitor's events from libzmq, and the queue that it fills.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use super::event::{Endpoints, Event, Events, Notice};
use super::reader::MonitorReader;
use crate::error::{Errno, Error, Result};
use crate::lock::lock;
use crate::message::Message;
use crate::raw::platform::{AsFd, BorrowedFd, OwnedFd};
use crate::raw::{Format, RawMessage};
use crate::waker::Waker;

/// The queue that the thread fills and the monitor reads.
#[derive(Debug)]
pub(super) struct NoticeQueue {
    state: Mutex<NoticeQueueState>,
    /// Readable while a notice can be taken, and after the end.
    ready: Waker,
    /// The relay of `ready` that is lent to users.
    lent: OwnedFd,
    /// The events that are kept.
    wanted: Events,
    /// The events that count as a new connection.
    arrival: Events,
    capacity: usize,
}

#[derive(Debug, Default)]
struct NoticeQueueState {
    notices: VecDeque<Notice>,
    lost: u64,
    arrivals: u64,
    ended: bool,
    waiting: Vec<Arc<ArrivalWait>>,
}

/// One call that waits for connections.
#[derive(Debug)]
struct ArrivalWait {
    arrivals: u64,
    enough: Waker,
}

impl NoticeQueueState {
    fn is_ready(&self) -> bool {
        self.ended || !self.notices.is_empty()
    }

    fn wake_waiting(&self) {
        for waiting in self.waiting.iter().filter(|waiting| self.ended || self.arrivals == waiting.arrivals) {
            waiting.enough.wake();
        }
    }
}

fn waker() -> Result<Waker> {
    Waker::pair().map_err(no_descriptor)
}

fn no_descriptor(error: io::Error) -> Error {
    super::no_means(Errno::from_io(&error, Errno::EMFILE))
}

impl NoticeQueue {
    pub(super) fn new(wanted: Events, arrival: Events, capacity: usize) -> Result<NoticeQueue> {
        let ready = waker()?;
        let lent = ready.relay().map_err(no_descriptor)?;
        Ok(NoticeQueue { state: Mutex::default(), ready, lent, wanted, arrival, capacity })
    }

    fn lock(&self) -> MutexGuard<'_, NoticeQueueState> {
        lock(&self.state)
    }

    pub(super) fn ready(&self) -> BorrowedFd<'_> {
        self.ready.as_fd()
    }

    pub(super) fn lent(&self) -> BorrowedFd<'_> {
        self.lent.as_fd()
    }

    /// Takes the oldest notice. Once the monitoring has ended and the queue is empty, every call returns the end.
    pub(super) fn take(&self) -> Option<Notice> {
        let mut state = self.lock();
        match state.notices.pop_front() {
            Some(notice) => {
                if !state.is_ready() {
                    self.ready.reset();
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

    /// Waits, with `wait`, until `arrivals` connections were made, and returns whether they were.
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
            let waiting = Arc::new(ArrivalWait { arrivals, enough: waker()? });
            state.waiting.push(waiting.clone());
            waiting
        };
        let waited = wait(waiting.enough.as_fd());
        let mut state = self.lock();
        state.waiting.retain(|other| !Arc::ptr_eq(other, &waiting));
        waited.map(|()| state.arrivals >= arrivals)
    }

    fn put(&self, number: u64, values: &[u64], endpoints: Endpoints) {
        let event = Events::from(number);
        let mut state = self.lock();
        if state.ended {
            return;
        }
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
            self.ready.wake();
        }
    }

    /// Ends the queue. Events that are put into it later are dropped.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        if !state.is_ready() {
            self.ready.wake();
        }
        state.ended = true;
        state.wake_waiting();
    }
}

/// Receives events until the monitor stops. libzmq reports the stop as an event, so the thread needs no waker.
pub(super) fn drain(reader: &MonitorReader, format: Format, queue: &NoticeQueue) {
    let mut decoder = EventDecoder { reader, part: RawMessage::new(), values: Vec::new() };
    // A receive fails once the context has ended.
    while let Ok(Some((number, endpoints))) = decoder.event(format) {
        queue.put(number, &decoder.values, endpoints);
    }
    queue.end();
}

struct EventDecoder<'a> {
    reader: &'a MonitorReader,
    /// The part received last. The next part reuses its memory.
    part: RawMessage,
    /// The values of the event received last.
    values: Vec<u64>,
}

impl EventDecoder<'_> {
    /// The next event, without its values, which stay in `self.values`; `None` for the end.
    fn event(&mut self, format: Format) -> Result<Option<(u64, Endpoints)>, Errno> {
        self.values.clear();
        let (number, endpoints) = match format {
            Format::One => self.one()?,
            #[cfg(feature = "draft")]
            Format::Two => self.two()?,
        };
        Ok((number != u64::from(Events::MONITOR_STOPPED)).then_some((number, endpoints)))
    }

    /// Two parts: 16 bits of event with 32 bits of value, and the endpoint.
    fn one(&mut self) -> Result<(u64, Endpoints), Errno> {
        self.reader.recv(&mut self.part)?;
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
        self.reader.recv(&mut self.part)?;
        Ok(self.part.content().first_chunk().map_or(0, |number| u64::from_ne_bytes(*number)))
    }

    /// An endpoint, as the message that libzmq sent.
    fn endpoint(&self) -> Result<Message, Errno> {
        let mut part = RawMessage::new();
        self.reader.recv(&mut part)?;
        Ok(Message::from_raw(part))
    }
}
