//! A publisher whose named subscribers miss no update, even if they were away.
//!
//! A subscriber subscribes to its own name. By that the publisher knows that it is there, for the first time or again.
//! Updates are `[name][number][content]`, one at a time. The subscriber acknowledges `[name][number]` over the other
//! socket, and then gets the next one. The publisher keeps updates that are not acknowledged, and sends them again when
//! the subscriber comes back.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use zmq::zhelpers::s_clock;
use zmq::{Context, PollEvents, PollItem, Pull, Socket, XPub, interrupt, poll};

use super::Result;

/// The publisher ignores subscriptions to longer names.
const LONGEST_NAME: usize = 255;

/// The updates that one subscriber has not acknowledged, the oldest first.
pub trait Backlog {
    /// Adds an update. Gives whether it fits.
    fn push(&mut self, update: &[u8]) -> Result<bool>;

    /// The oldest update.
    fn front(&self) -> Option<&[u8]>;

    /// Removes the oldest update. Gives whether there was one.
    fn pop(&mut self) -> Result<bool>;
}

/// A backlog that keeps all updates in memory.
impl Backlog for VecDeque<Vec<u8>> {
    fn push(&mut self, update: &[u8]) -> Result<bool> {
        self.push_back(update.to_vec());
        Ok(true)
    }

    fn front(&self) -> Option<&[u8]> {
        VecDeque::front(self).map(Vec::as_slice)
    }

    fn pop(&mut self) -> Result<bool> {
        Ok(self.pop_front().is_some())
    }
}

/// The publisher. Ctrl-C ends its methods, also while messages arrive all the time.
pub struct DurablePublisher<'a, B> {
    publisher: Socket<'a, XPub>,
    sync: Socket<'a, Pull>,
    /// Makes the backlog of the new subscriber with this number.
    new_backlog: Box<dyn Fn(usize) -> B>,
    subscribers: BTreeMap<Vec<u8>, Subscriber<B>>,
}

struct Subscriber<B> {
    /// The number of the oldest update.
    first: u64,
    backlog: B,
}

impl<'a, B: Backlog> DurablePublisher<'a, B> {
    /// Opens both sockets. `new_backlog` makes the backlog of the subscriber with that number, counted from 0.
    pub fn new(
        context: &'a Context,
        publisher: &str,
        sync: &str,
        new_backlog: impl Fn(usize) -> B + 'static,
    ) -> Result<Self> {
        let acknowledgements = context.socket(Pull)?;
        acknowledgements.bind(sync)?;

        // An XPUB receives subscriptions as messages. A verbose XPUB also receives a subscription to a name that is
        // subscribed to already: a subscriber can come back before the end of its old connection is known.
        let updates = context.socket(XPub)?;
        updates.set_xpub_verbose(true)?;
        // At the end, the updates in this socket are acknowledged or given up.
        updates.set_linger(Duration::ZERO)?;
        updates.bind(publisher)?;
        Ok(DurablePublisher {
            publisher: updates,
            sync: acknowledgements,
            new_backlog: Box::new(new_backlog),
            subscribers: BTreeMap::new(),
        })
    }

    /// Waits until `count` subscribers have come.
    pub fn wait_for_subscribers(&mut self, count: usize) -> Result {
        while !interrupt::interrupted() && self.subscribers.len() < count {
            self.serve(None)?;
        }
        Ok(())
    }

    /// Keeps an update for all subscribers that have ever come, and sends it to those that wait for one.
    pub fn publish(&mut self, update: &str) -> Result {
        for (name, subscriber) in &mut self.subscribers {
            let waits = subscriber.backlog.front().is_none();
            if !subscriber.backlog.push(update.as_bytes())? {
                eprintln!("No room left for {}: {update} is dropped", String::from_utf8_lossy(name));
            } else if waits {
                subscriber.send_first(name, &self.publisher)?;
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

    /// Serves subscribers until they have acknowledged all updates. Those that are away must come back for that.
    pub fn finish(&mut self) -> Result {
        while !interrupt::interrupted() && self.is_owed() {
            self.serve(None)?;
        }
        Ok(())
    }

    /// Waits for messages, and receives at most one from each socket, so that neither starves the other.
    fn serve(&mut self, timeout: Option<Duration>) -> Result {
        let mut items =
            [PollItem::socket(&self.sync, PollEvents::POLLIN), PollItem::socket(&self.publisher, PollEvents::POLLIN)];
        poll(&mut items, timeout)?;

        // Only an acknowledgement of the oldest update counts. Earlier updates are acknowledged already.
        if let Some(message) = self.sync.now().recv_multipart()?
            && let [name, number, ..] = &message[..]
            && let Some(subscriber) = self.subscribers.get_mut(&**name)
            && number.as_str().and_then(|number| number.parse().ok()) == Some(subscriber.first)
            && subscriber.backlog.pop()?
        {
            subscriber.first += 1;
            subscriber.send_first(name, &self.publisher)?;
        }
        // A subscription is the byte 1 and the name.
        if let Some(message) = self.publisher.now().recv_multipart()?
            && message.len() == 1
            && let [1, name @ ..] = &*message[0]
            && (1..=LONGEST_NAME).contains(&name.len())
        {
            let number = self.subscribers.len();
            let subscriber = self.subscribers.entry(name.to_vec()).or_insert_with(|| Subscriber {
                // Numbers begin with the time: after a restart they must differ from those before it.
                first: s_clock().unsigned_abs(),
                backlog: (self.new_backlog)(number),
            });
            subscriber.send_first(name, &self.publisher)?;
        }
        Ok(())
    }

    /// Whether a subscriber has not acknowledged all updates.
    fn is_owed(&self) -> bool {
        self.subscribers.values().any(|subscriber| subscriber.backlog.front().is_some())
    }
}

impl<B: Backlog> Subscriber<B> {
    /// Sends the oldest update, if there is one. While the subscriber is away, the socket drops it.
    fn send_first(&self, name: &[u8], publisher: &Socket<'_, XPub>) -> Result {
        if let Some(update) = self.backlog.front() {
            publisher.send_multipart([name, self.first.to_string().as_bytes(), update])?;
        }
        Ok(())
    }
}
