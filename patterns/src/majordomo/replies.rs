//! `Replies`: the bytes of the replies that wait for each client.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use zmq::{Message, Multipart};

use super::protocol::is_reply_to_client;

/// The length of a reply from which on it counts. Counting costs an allocation, and shorter replies take no more memory than
/// the receive buffers that their frames may point into.
const LONG: usize = 8 << 10;

/// The number of clients from which on the map is searched for clients without waiting replies.
const SMALL_MAP: usize = 64;

/// Counts the bytes of long replies from the send until libzmq frees them. libzmq itself limits the number of messages only.
pub(super) struct Replies {
    /// The bytes that may wait for one client.
    pub(super) limit: usize,
    /// The bytes that wait, by client.
    clients: HashMap<Box<[u8]>, Arc<AtomicUsize>>,
    tidy_at: usize,
}

/// A frame of a reply, for libzmq. Its drop takes the reply off those that wait.
struct Counted {
    frame: Message,
    bytes: usize,
    waiting: Arc<AtomicUsize>,
}

impl Replies {
    pub(super) fn new(limit: usize) -> Replies {
        Replies { limit, clients: HashMap::new(), tidy_at: SMALL_MAP }
    }

    /// Counts a message of the broker, if it is a long reply. Gives it back as an error if too many bytes wait for its
    /// client. A reply for which no other one waits is never too long.
    pub(super) fn count(&mut self, mut message: Multipart) -> Result<Multipart, Multipart> {
        let bytes: usize = message.iter().map(|frame| frame.len()).sum();
        if bytes < LONG || !is_reply_to_client(&message) {
            return Ok(message);
        }
        let waiting = self.waiting(&message[0]);
        let before = waiting.load(Ordering::Relaxed);
        if before > 0 && before.saturating_add(bytes) > self.limit {
            return Err(message);
        }
        waiting.fetch_add(bytes, Ordering::Relaxed);
        // libzmq frees the first frame, the id of the client, at once.
        if let Some(frame) = message.iter_mut().skip(1).max_by_key(|frame| frame.len()) {
            let counted = Counted { frame: mem::take(frame), bytes, waiting };
            *frame = Message::from_owner(counted);
        }
        Ok(message)
    }

    fn waiting(&mut self, client: &Message) -> Arc<AtomicUsize> {
        if let Some(waiting) = self.clients.get(&client[..]) {
            return Arc::clone(waiting);
        }
        if self.clients.len() >= self.tidy_at {
            self.clients.retain(|_, waiting| Arc::strong_count(waiting) > 1);
            self.tidy_at = SMALL_MAP.max(2 * self.clients.len());
        }
        Arc::clone(self.clients.entry(client[..].into()).or_default())
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.frame
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::super::protocol::reply;
    use super::*;

    /// The drop of an owner follows that of its message soon.
    #[test]
    fn replies_forget_clients_for_which_nothing_waits() {
        let mut replies = Replies::new(1 << 20);
        let mut send =
            |client: u32| replies.count(reply(client.to_string().into(), &"echo".into(), vec![0; LONG].into()));
        let kept: Vec<_> = (0..10).map(|client| send(client).unwrap()).collect();
        (10..1000).for_each(|client| drop(send(client).unwrap()));
        while Arc::strong_count(&replies.waiting(&"999".into())) > 2 {
            thread::sleep(Duration::from_millis(1));
        }
        replies.tidy_at = 0;
        replies.waiting(&"new".into());
        assert_eq!(replies.clients.len(), kept.len() + 1);
    }
}
