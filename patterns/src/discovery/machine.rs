//! `PeersMachine`: the peers that are there, and the events that were not taken yet.
//!
//! The machine has no sockets and no clock. Its caller gives it datagrams and times, and takes the events.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{Event, PeerId, Statistics};
use crate::deadline::{SHORTEST_INTERVAL, later};
use crate::order::Order;
use crate::places::Places;

/// The peers of a [`Discovery`](super::Discovery). The time per beacon does not grow with the number of peers, except while
/// events are not taken.
#[derive(Debug)]
pub struct PeersMachine {
    own: PeerId,
    expiry: Duration,
    max_peers: usize,
    peers: Places<Peer>,
    /// The place of each peer.
    places: HashMap<PeerId, usize>,
    /// The places in the order of their last beacons.
    heard: Order,
    events: VecDeque<Event>,
    statistics: Statistics,
}

#[derive(Debug)]
struct Peer {
    id: PeerId,
    heard_at: Instant,
}

impl PeersMachine {
    /// Without peers: see [`Beacon`](super::Beacon) for the defaults. Beacons of `own` are ignored.
    pub fn new(own: PeerId) -> PeersMachine {
        PeersMachine {
            own,
            expiry: Duration::from_secs(5),
            max_peers: 10_000,
            peers: Places::new(),
            places: HashMap::new(),
            heard: Order::default(),
            events: VecDeque::new(),
            statistics: Statistics::default(),
        }
    }

    /// Sets how long a peer may be silent.
    pub fn set_expiry(&mut self, expiry: Duration) {
        self.expiry = expiry.max(SHORTEST_INTERVAL);
    }

    /// Sets how many peers are known, and how many events wait. Further peers are ignored.
    pub fn set_max_peers(&mut self, peers: usize) {
        self.max_peers = peers;
    }

    /// The counters since the machine was made.
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// The number of peers that are known.
    pub fn peers(&self) -> usize {
        self.peers.len()
    }

    /// The own beacon was sent, or not.
    pub fn on_sent(&mut self, is_sent: bool) {
        *if is_sent { &mut self.statistics.sent } else { &mut self.statistics.unsent } += 1;
    }

    /// A datagram has come from this address.
    pub fn on_datagram(&mut self, now: Instant, datagram: &[u8], address: SocketAddr) {
        let Ok(id) = datagram.try_into().map(PeerId) else {
            self.statistics.malformed += 1;
            return;
        };
        if id == self.own {
            return;
        }
        self.statistics.received += 1;
        if let Some(&place) = self.places.get(&id) {
            self.peers[place].heard_at = now;
            self.heard.push_back(place);
        } else if self.peers() >= self.max_peers || self.events.len() >= self.max_peers {
            self.statistics.refused += 1;
        } else {
            let place = self.peers.insert(Peer { id, heard_at: now });
            self.places.insert(id, place);
            self.heard.push_back(place);
            self.events.push_back(Event::Joined { peer: id, address });
        }
    }

    /// Notes the peers that were silent for too long. The caller first reads the datagrams that have arrived.
    pub fn on_tick(&mut self, now: Instant) {
        while let Some(place) = self.heard.front()
            && self.expires_at(place) <= now
            && let Some(Peer { id, .. }) = self.peers.take(place)
        {
            self.heard.remove(place);
            self.places.remove(&id);
            // If its coming was not taken, neither is an event any more.
            let is_of_peer = |event: &Event| matches!(event, Event::Joined { peer, .. } if *peer == id);
            match self.events.iter().rposition(is_of_peer) {
                Some(untaken) => drop(self.events.remove(untaken)),
                None => self.events.push_back(Event::Left { peer: id }),
            }
        }
    }

    /// When [`PeersMachine::on_tick`] must be called next; `None` without peers.
    pub fn next_tick(&self) -> Option<Instant> {
        self.heard.front().map(|place| self.expires_at(place))
    }

    /// The oldest event, which stays until it is taken.
    pub fn event(&self) -> Option<&Event> {
        self.events.front()
    }

    /// Takes the oldest event.
    pub fn take_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn expires_at(&self, place: usize) -> Instant {
        later(self.peers[place].heard_at, self.expiry)
    }
}
