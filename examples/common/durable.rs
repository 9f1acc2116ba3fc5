//! A publisher of which named subscribers miss nothing, not even what is published while they are away.
//!
//! A subscriber subscribes to its own name, by which the publisher knows that it is there, for the first time or again.
//! Updates come to it as `[name][number][content]`, one at a time: the next is sent when it says `[name][number]` over
//! the other socket. So what it has not acknowledged is still here, and is sent again when it comes back.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use zmq::zhelpers::s_clock;
use zmq::{Context, PollEvents, PollItem, Pull, Socket, XPub, interrupt, poll};

use super::Result;
use super::swap::Swap;

/// A longer name is none.
const LONGEST_NAME: usize = 255;

/// The publisher. Ctrl-C ends its waits, also where messages come in all the time.
pub struct DurablePublisher<'a> {
    publisher: Socket<'a, XPub>,
    sync: Socket<'a, Pull>,
    limits: Option<Limits>,
    subscribers: BTreeMap<Vec<u8>, Backlog>,
}

/// How much is kept for each subscriber.
pub struct Limits {
    /// How many updates in memory.
    pub hwm: usize,
    /// How many bytes in a file, where there are more updates than that.
    pub swap: u64,
    /// Where such files are made.
    pub directory: PathBuf,
}

/// What one subscriber has not acknowledged, the oldest first: in memory, and behind that in the swap.
struct Backlog {
    /// The number of the first update.
    first: u64,
    memory: VecDeque<Vec<u8>>,
    hwm: usize,
    swap: Option<Swap>,
}

impl<'a> DurablePublisher<'a> {
    /// Opens both sockets. Without limits all that is not acknowledged stays in memory.
    pub fn new(context: &'a Context, publisher: &str, sync: &str, limits: Option<Limits>) -> Result<Self> {
        let acknowledgements = context.socket(Pull)?;
        acknowledgements.bind(sync)?;

        // An XPUB receives subscriptions as messages; a verbose one also those to a name that somebody has already, as
        // when a subscriber is back before its old connection is known to be dead.
        let updates = context.socket(XPub)?;
        updates.set_xpub_verbose(true)?;
        // Whatever is still in this socket in the end is either acknowledged or given up.
        updates.set_linger(Some(Duration::ZERO))?;
        updates.bind(publisher)?;
        Ok(DurablePublisher { publisher: updates, sync: acknowledgements, limits, subscribers: BTreeMap::new() })
    }

    /// Waits until so many subscribers have come.
    pub fn wait_for_subscribers(&mut self, count: usize) -> Result {
        while !interrupt::interrupted() && self.subscribers.len() < count {
            self.serve(None)?;
        }
        Ok(())
    }

    /// Keeps an update for all subscribers that were ever there, and sends it to those that wait for one.
    pub fn publish(&mut self, update: &str) -> Result {
        for (name, backlog) in &mut self.subscribers {
            if !backlog.push(update.as_bytes())? {
                eprintln!("No room left for {}: {update} is dropped", String::from_utf8_lossy(name));
            } else if backlog.memory.len() == 1 {
                backlog.send_first(name, &self.publisher)?;
            }
        }
        Ok(())
    }

    /// Serves subscribers for a time.
    pub fn serve_for(&mut self, time: Duration) -> Result {
        let end = Instant::now() + time;
        while !interrupt::interrupted()
            && let Some(left) = end.checked_duration_since(Instant::now())
        {
            self.serve(Some(left))?;
        }
        Ok(())
    }

    /// Serves subscribers until they have everything, for which those that are away have to come back.
    pub fn finish(&mut self) -> Result {
        while !interrupt::interrupted() && self.subscribers.values().any(|backlog| !backlog.memory.is_empty()) {
            self.serve(None)?;
        }
        Ok(())
    }

    /// Waits for something to come, and takes one message of each kind, so that neither keeps the other waiting.
    fn serve(&mut self, timeout: Option<Duration>) -> Result {
        let mut items =
            [PollItem::socket(&self.sync, PollEvents::POLLIN), PollItem::socket(&self.publisher, PollEvents::POLLIN)];
        poll(&mut items, timeout)?;

        // An acknowledgement of the first update. Of others nothing is to be learned: those before it have had theirs.
        if let Some(message) = self.sync.try_recv_multipart()?
            && let (Some(name), Some(number)) = (message.get(0), message.get(1))
            && let Some(backlog) = self.subscribers.get_mut(&**name)
            && number.as_str().and_then(|number| number.parse().ok()) == Some(backlog.first)
            && backlog.pop()?
        {
            backlog.send_first(name, &self.publisher)?;
        }
        // A subscription is the byte 1 and what is subscribed to.
        if let Some(message) = self.publisher.try_recv_multipart()?
            && message.len() == 1
            && let [1, name @ ..] = &*message[0]
            && (1..=LONGEST_NAME).contains(&name.len())
        {
            let number = self.subscribers.len();
            let limits = &self.limits;
            let backlog =
                self.subscribers.entry(name.to_vec()).or_insert_with(|| Backlog::new(limits.as_ref(), number));
            backlog.send_first(name, &self.publisher)?;
        }
        Ok(())
    }
}

impl Backlog {
    fn new(limits: Option<&Limits>, number: usize) -> Backlog {
        // No name of the subscriber's choosing becomes a file's.
        let name = format!("durable-{}-{number}.swap", std::process::id());
        Backlog {
            // Not 0, so that updates of a publisher that was started again are not taken for those of the one before.
            first: s_clock().unsigned_abs(),
            memory: VecDeque::new(),
            hwm: limits.map_or(usize::MAX, |limits| limits.hwm.max(1)),
            swap: limits.map(|limits| Swap::new(limits.directory.join(name), limits.swap)),
        }
    }

    /// Adds an update; says whether there was room for it. Behind what is in the swap it has to go to the swap.
    fn push(&mut self, update: &[u8]) -> Result<bool> {
        match &mut self.swap {
            Some(swap) if self.memory.len() >= self.hwm || !swap.is_empty() => Ok(swap.push(update)?),
            _ => {
                self.memory.push_back(update.to_vec());
                Ok(true)
            }
        }
    }

    /// Forgets the first update, which leaves room for one from the swap; says whether there was one to forget.
    fn pop(&mut self) -> Result<bool> {
        if self.memory.pop_front().is_none() {
            return Ok(false);
        }
        self.first += 1;
        if let Some(swap) = &mut self.swap {
            self.memory.extend(swap.pop()?);
        }
        Ok(true)
    }

    /// Sends the first update, if there is one. Nothing comes of it while the subscriber is away.
    fn send_first(&self, name: &[u8], publisher: &Socket<'_, XPub>) -> Result {
        if let Some(update) = self.memory.front() {
            publisher.send_multipart([name, self.first.to_string().as_bytes(), update])?;
        }
        Ok(())
    }
}
