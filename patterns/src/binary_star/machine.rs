//! The state machine of a node.

use std::time::Instant;

use zmq::Multipart;

use super::ballot::Ballot;
use super::event::{Conflict, Event, Reason, Statistics};
use super::protocol::{self, Marked, Vote};
use super::{Role, State, Timing};

/// An action that the owner of a [`Machine`] must perform.
#[derive(Debug)]
#[non_exhaustive]
pub enum Action {
    /// Send this to the peer, by the PUB socket.
    Publish(Multipart),
    /// Send this to the witness.
    Ask(Multipart),
    /// Report this event.
    Report(Event),
}

/// The state machine of one node of a pair. It has no sockets and no clock: its owner passes it the time and the messages, and
/// performs the [`Action`]s that it appends. [`BinaryStar`](super::BinaryStar) is this machine with its sockets.
///
/// Every call takes the time of the call. A time that is earlier than that of the call before counts as that one.
#[derive(Debug, Clone)]
pub struct Machine {
    role: Role,
    timing: Timing,
    state: State,
    conflict: Option<Conflict>,
    /// Whether the node only listens, as every node does first, and publishes nothing.
    is_listening: bool,
    /// A message that arrives before may be old: it was on its way, or in the socket, while the node stood still. The node
    /// acts on none of those but that of an active peer.
    old_until: Instant,
    /// Whether the node was active or passive, so that it has what a server needs. A backup that was neither serves no one.
    was_in_pair: bool,
    /// When the peer was heard last, or when the node began to listen.
    heard: Instant,
    /// When the last heartbeat was due and done. The peer may take over if none comes for the expiry time.
    beat: Instant,
    next_beat: Instant,
    /// The time of the latest call.
    now: Instant,
    ballot: Option<Ballot>,
    statistics: Statistics,
}

impl Machine {
    /// A node that starts now.
    pub fn new(now: Instant, role: Role, timing: Timing) -> Machine {
        Machine {
            role,
            timing,
            state: role.waiting(),
            conflict: None,
            is_listening: true,
            old_until: now + timing.heartbeat(),
            was_in_pair: false,
            heard: now,
            beat: now,
            next_beat: now + timing.heartbeat(),
            now,
            ballot: None,
            statistics: Statistics::default(),
        }
    }

    /// Makes the node one of a pair with a witness. `incarnation` must be another number in each process that ever runs a node
    /// of the pair: a random number, for example.
    pub fn with_witness(mut self, incarnation: u64) -> Machine {
        self.ballot = Some(Ballot::new(self.now, incarnation, self.timing.expiry()));
        self
    }

    /// Starts anew, as after a conflict that was settled.
    pub fn restart(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.conflict = None;
        self.was_in_pair = false;
        self.listen();
    }

    /// The state that the node publishes to its peer.
    pub fn state(&self) -> State {
        self.state
    }

    /// The conflict that stopped the node.
    pub fn conflict(&self) -> Option<Conflict> {
        self.conflict
    }

    /// The numbers of messages so far.
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// Takes in a message from the peer.
    pub fn on_state(&mut self, now: Instant, message: &Multipart, actions: &mut Vec<Action>) {
        self.advance(now, actions);
        if self.conflict.is_some() {
            return;
        }
        let parsed = protocol::parse_state(message);
        let Some((peer, marked)) = parsed.filter(|(_, marked)| marked.is_some() == self.ballot.is_some()) else {
            self.statistics.malformed += 1;
            return actions.push(Action::Report(Event::MalformedState));
        };
        self.statistics.states += 1;
        self.heard = self.now;
        if let Some((ballot, vote)) = self.ballot.as_mut().zip(marked.and_then(|marked| marked.vote)) {
            ballot.count(vote);
        }
        // Only a silent peer is failed over from.
        self.drop_claims(|reason| !matches!(reason, Reason::Failover | Reason::Alone));
        self.follow_peer(peer, actions);
        if let Some(marked) = marked {
            self.vote(peer, marked, actions);
        }
        self.try_claim(actions);
    }

    /// The guide's transitions for the states of the peer.
    fn follow_peer(&mut self, peer: State, actions: &mut Vec<Action>) {
        let other = self.role.other();
        match (self.state, peer) {
            (State::Primary | State::Backup, State::Active) => {
                self.state = State::Passive;
                self.was_in_pair = true;
                self.is_listening = false;
                self.drop_claims(|_| false);
                actions.push(Action::Report(Event::Passive(other)));
                self.publish(actions);
            }
            (State::Passive, State::Active) => self.drop_claims(|_| false),
            (State::Passive, _) if self.now < self.old_until => {}
            (State::Primary | State::Backup, _) if self.is_listening => self.end_listening(true, actions),
            (State::Primary | State::Backup, same) if same == self.state => {
                self.fail(Conflict::SameRole(self.role), actions);
            }
            (State::Primary, State::Backup) => self.claim(Reason::BackupReady, actions),
            // The guide's machine does not look whether the peer has the same role, and neither does this: it is settled.
            (State::Passive, State::Primary) => self.claim(Reason::PeerRestarted(Role::Primary), actions),
            (State::Passive, State::Backup) => self.claim(Reason::PeerRestarted(Role::Backup), actions),
            // With a witness the lease decides, and the other's message is old, or it will find out that it has no lease.
            (State::Active, State::Active) if self.ballot.is_none() => self.fail(Conflict::BothActive, actions),
            (State::Passive, State::Passive) if self.ballot.is_none() => self.fail(Conflict::BothPassive, actions),
            (State::Passive, State::Passive) => self.step_down(actions),
            _ => {}
        }
    }

    /// Whether a request that arrived may be served. A request may make the node active: clients decide by it which server
    /// leads. If the answer is `false` the request must be dropped without an answer.
    pub fn on_request(&mut self, now: Instant, actions: &mut Vec<Action>) -> bool {
        self.advance(now, actions);
        let silence = self.now - self.heard;
        let (heartbeat, expiry) = (self.timing.heartbeat(), self.timing.expiry());
        match self.state {
            State::Primary if silence >= expiry => self.claim(Reason::Alone, actions),
            // A heartbeat longer than a primary that starts meanwhile, so that the two do not become active at once.
            State::Backup if self.is_listening && self.was_in_pair && silence >= expiry + heartbeat => {
                self.claim(Reason::Alone, actions);
            }
            State::Passive if silence >= expiry => self.claim(Reason::Failover, actions),
            _ => {}
        }
        let serves = self.state == State::Active && self.conflict.is_none();
        match serves {
            true => self.statistics.served += 1,
            false => self.statistics.refused += 1,
        }
        serves
    }

    /// Takes in a message from the witness.
    pub fn on_witness(&mut self, now: Instant, message: &Multipart, actions: &mut Vec<Action>) {
        self.advance(now, actions);
        let Some((mark, lease)) = protocol::parse_lease_answer(message) else {
            self.statistics.malformed += 1;
            return actions.push(Action::Report(Event::MalformedAnswer));
        };
        if let Some(ballot) = &mut self.ballot
            && !lease.is_zero()
        {
            self.statistics.leases += 1;
            ballot.count(Vote { mark, time: lease });
        }
        self.try_claim(actions);
    }

    /// Does what is due by now.
    pub fn on_tick(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.advance(now, actions);
        if self.conflict.is_some() {
            return;
        }
        if self.now >= self.next_beat {
            if self.is_listening {
                self.beat();
                self.end_listening(self.role == Role::Primary || !self.was_in_pair, actions);
            } else {
                self.publish(actions);
            }
            let claims = self.ballot.as_ref().is_some_and(|ballot| ballot.claim.is_some());
            if self.state == State::Active || claims {
                self.ask(actions);
            }
        }
        self.try_claim(actions);
    }

    /// When [`Machine::on_tick`] is due, at most a heartbeat from the last call. `None` after a conflict.
    pub fn next_tick(&self) -> Option<Instant> {
        if self.conflict.is_some() {
            return None;
        }
        let ballot = self.ballot.as_ref();
        let lease = ballot.filter(|_| self.state == State::Active).and_then(Ballot::lease_until);
        let claim = ballot.filter(|ballot| ballot.claim.is_some() && ballot.promised_until > self.now);
        let due = [Some(self.next_beat), lease, claim.map(|ballot| ballot.promised_until)];
        due.into_iter().flatten().min()
    }

    /// Advances the time, as each call does first. Steps down if the node stood still, or if its lease has ended.
    fn advance(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.now = self.now.max(now);
        if self.conflict.is_some() {
            return;
        }
        let stood_still = self.now - self.beat >= self.timing.lapse();
        let unleased =
            self.state == State::Active && self.ballot.as_ref().is_some_and(|ballot| !ballot.is_leased(self.now));
        if stood_still || unleased {
            return self.step_down(actions);
        }
        self.drop_claims(|_| true);
        // A backup that may lead without its peer must not tell the peer to lead at the same time, so it is quiet again.
        let waits = self.state == State::Backup && !self.is_listening && self.was_in_pair;
        if waits && self.now - self.heard >= self.timing.expiry() {
            self.listen();
        }
    }

    fn step_down(&mut self, actions: &mut Vec<Action>) {
        self.listen();
        actions.push(Action::Report(Event::SteppedDown));
    }

    fn listen(&mut self) {
        self.state = self.role.waiting();
        self.is_listening = true;
        self.old_until = self.now + self.timing.heartbeat();
        self.heard = self.now;
        self.drop_claims(|_| false);
        self.beat();
    }

    /// Ends the time of listening if it has lasted for a heartbeat, and if `may_end`.
    fn end_listening(&mut self, may_end: bool, actions: &mut Vec<Action>) {
        if may_end && self.is_listening && self.now >= self.old_until {
            self.is_listening = false;
            self.publish(actions);
        }
    }

    fn beat(&mut self) {
        self.beat = self.now;
        self.next_beat = self.now + self.timing.heartbeat();
    }

    /// Publishes the state: at each heartbeat, and at once when it changes.
    fn publish(&mut self, actions: &mut Vec<Action>) {
        self.beat();
        let marked = self.ballot.as_mut().map(|ballot| ballot.marked(self.now));
        actions.push(Action::Publish(protocol::state_message(self.state, marked)));
    }

    fn fail(&mut self, conflict: Conflict, actions: &mut Vec<Action>) {
        self.conflict = Some(conflict);
        self.drop_claims(|_| false);
        actions.push(Action::Report(Event::Conflict(conflict)));
    }

    /// Becomes active; with a witness, as soon as there is a lease.
    fn claim(&mut self, reason: Reason, actions: &mut Vec<Action>) {
        let Some(ballot) = &mut self.ballot else { return self.lead(reason, actions) };
        ballot.claim = Some((reason, self.now + self.timing.expiry()));
        self.try_claim(actions);
        if self.state != State::Active {
            self.ask(actions);
        }
    }

    fn try_claim(&mut self, actions: &mut Vec<Action>) {
        let Some(ballot) = &self.ballot else { return };
        if let Some((reason, _)) = ballot.claim
            && self.now >= ballot.promised_until
            && ballot.is_leased(self.now)
        {
            self.lead(reason, actions);
        }
    }

    fn lead(&mut self, reason: Reason, actions: &mut Vec<Action>) {
        self.state = State::Active;
        self.was_in_pair = true;
        self.is_listening = false;
        self.drop_claims(|_| false);
        if let Some(ballot) = &mut self.ballot {
            ballot.vote = None;
        }
        actions.push(Action::Report(Event::Active(reason)));
        self.publish(actions);
        self.ask(actions);
    }

    /// Asks the witness for the lease, or for more time; not more often than eight times in a heartbeat.
    fn ask(&mut self, actions: &mut Vec<Action>) {
        let Some(ballot) = &mut self.ballot else { return };
        if ballot.asked.is_none_or(|asked| self.now - asked >= self.timing.heartbeat() / 8) {
            ballot.asked = Some(self.now);
            actions.push(Action::Ask(protocol::lease_request(ballot.mark(self.now))));
        }
    }

    /// Drops the claim that is too old, or whose reason does not hold any longer.
    fn drop_claims(&mut self, holds: impl Fn(Reason) -> bool) {
        if let Some(ballot) = &mut self.ballot {
            ballot.claim = ballot.claim.filter(|(reason, until)| holds(*reason) && self.now < *until);
        }
    }

    /// Votes for a peer that is active, or that is the one of two which should become active.
    fn vote(&mut self, peer: State, Marked { mark, .. }: Marked, actions: &mut Vec<Action>) {
        let votes = match self.state {
            State::Primary => matches!(peer, State::Active | State::Passive),
            State::Backup => peer != State::Backup,
            State::Passive => peer == State::Active,
            State::Active => false,
        };
        if votes
            && !self.is_listening
            && self.conflict.is_none()
            && let Some(ballot) = &mut self.ballot
        {
            ballot.promise(self.now, mark, self.timing.expiry());
            self.publish(actions);
        }
    }
}
