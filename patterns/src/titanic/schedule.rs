//! `Schedule`: the order of deliveries, without the store, the broker and the clock.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::id::RequestId;
use crate::deadline::later;

/// A request that is to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) id: RequestId,
    pub(super) service: Arc<[u8]>,
    /// The service has not answered the last request, or none yet: the broker is asked whether it is there.
    pub(super) is_doubtful: bool,
}

/// The result of the delivery of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    /// The service has replied. The request needs no further delivery.
    Done,
    /// The request is closed, and was not delivered. The service may be there or not, as before.
    Closed,
    /// The service is not there. The request is the next one, after a pause.
    Unavailable,
    /// No reply came. The requests behind it go first, after a pause: it may be the cause.
    Unanswered,
}

/// A closed request takes up memory until the schedule is swept. That is not done for fewer than these.
const FEW_CLOSED: usize = 1000;

/// The requests that wait, by service. Services take turns. A service that does not answer gets one request at a time, with
/// a pause between them, so that it does not take the dispatchers from the others.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    services: HashMap<Arc<[u8]>, Queue>,
    /// The services that may get a request: those that may get one now, in turn, and then those that pause, by the time.
    due: BTreeMap<(Option<Instant>, u64), Arc<[u8]>>,
    turn: u64,
    /// The requests that wait.
    waiting: usize,
    /// The requests that were closed since the last sweep.
    closed: usize,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<RequestId>,
    under_way: usize,
    is_up: bool,
    not_before: Option<Instant>,
    /// Its place among those that are due.
    due: Option<(Option<Instant>, u64)>,
}

impl Schedule {
    pub(super) fn push(&mut self, service: &[u8], id: RequestId) {
        let service = match self.services.get_key_value(service) {
            Some((service, _)) => Arc::clone(service),
            None => Arc::from(service),
        };
        self.services.entry(Arc::clone(&service)).or_default().waiting.push_back(id);
        self.waiting += 1;
        self.enlist(&service);
    }

    /// The next request. The error is the time at which one may be due; `None` if a push or a finished task must come first.
    pub(super) fn take(&mut self, now: Instant) -> Result<Task, Option<Instant>> {
        // A service whose pause is over takes its turn behind those that wait for theirs.
        while let Some((&place, _)) = self.due.range((None, u64::MAX)..).next()
            && place.0 <= Some(now)
            && let Some(service) = self.due.remove(&place)
            && let Some(queue) = self.services.get_mut(&service)
        {
            queue.not_before = None;
            queue.due = None;
            self.enlist(&service);
        }
        let Some(first) = self.due.first_entry() else { return Err(None) };
        if first.key().0.is_some() {
            return Err(first.key().0);
        }
        let service = first.remove();
        let queue = self.services.entry(Arc::clone(&service)).or_default();
        queue.due = None;
        let Some(id) = queue.waiting.pop_front() else { return Err(None) };
        self.waiting -= 1;
        queue.under_way += 1;
        let is_doubtful = !queue.is_up;
        self.enlist(&service);
        Ok(Task { id, service, is_doubtful })
    }

    /// The end of a task that [`Schedule::take`] gave.
    pub(super) fn finish(&mut self, now: Instant, pause: Duration, task: Task, delivery: Delivery) {
        let Some(queue) = self.services.get_mut(&task.service) else { return };
        queue.under_way -= 1;
        if delivery != Delivery::Closed {
            queue.is_up = delivery == Delivery::Done;
            queue.not_before = (!queue.is_up).then(|| later(now, pause));
        }
        match delivery {
            Delivery::Done | Delivery::Closed => {}
            Delivery::Unavailable => queue.waiting.push_front(task.id),
            Delivery::Unanswered => queue.waiting.push_back(task.id),
        }
        self.waiting += usize::from(matches!(delivery, Delivery::Unavailable | Delivery::Unanswered));
        if let Some(place) = queue.due.take() {
            self.due.remove(&place);
        }
        if queue.waiting.is_empty() && queue.under_way == 0 {
            self.services.remove(&task.service);
        } else {
            self.enlist(&task.service);
        }
    }

    /// Takes in that a request was closed, which may wait for a service that never comes. When half as many were closed as
    /// wait, those that are not pending are dropped.
    pub(super) fn on_close(&mut self, is_pending: impl Fn(RequestId) -> bool) {
        self.closed += 1;
        if self.closed < (self.waiting / 2).max(FEW_CLOSED) {
            return;
        }
        (self.closed, self.waiting) = (0, 0);
        self.services.retain(|_, queue| {
            queue.waiting.retain(|id| is_pending(*id));
            queue.waiting.shrink_to_fit();
            self.waiting += queue.waiting.len();
            if queue.waiting.is_empty()
                && let Some(place) = queue.due.take()
            {
                self.due.remove(&place);
            }
            !queue.waiting.is_empty() || queue.under_way > 0
        });
    }

    /// Adds a service to those that are due, if it may get a request and is not among them.
    fn enlist(&mut self, service: &Arc<[u8]>) {
        let Some(queue) = self.services.get_mut(service) else { return };
        if queue.due.is_none() && !queue.waiting.is_empty() && (queue.is_up || queue.under_way == 0) {
            let place = (queue.not_before, self.turn);
            self.turn += 1;
            queue.due = Some(place);
            self.due.insert(place, Arc::clone(service));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const PAUSE: Duration = Duration::from_secs(1);

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever becomes of the deliveries, each request waits or is under way once, a service in doubt has one under way at
        /// most, and all are delivered in the end.
        #[test]
        fn schedule_delivers_each_request(steps in vec((0..6u8, 0..4u8, 0..1500u64), 1..200)) {
            let mut now = Instant::now();
            let (mut schedule, mut under_way) = (Schedule::default(), Vec::<Task>::new());
            let (mut pushed, mut done) = (0u8, 0u8);
            for (step, which, milliseconds) in steps {
                match step {
                    0 | 1 => {
                        schedule.push(&[which], RequestId([pushed; 16]));
                        pushed += 1;
                    }
                    2 | 3 => match schedule.take(now) {
                        Ok(task) => {
                            prop_assert!(under_way.iter().all(|other| other.id != task.id));
                            let others = under_way.iter().filter(|other| other.service == task.service).count();
                            prop_assert!(!task.is_doubtful || others == 0);
                            under_way.push(task);
                        }
                        Err(at) => prop_assert!(at.is_none_or(|at| at > now)),
                    },
                    4 if !under_way.is_empty() => {
                        let task = under_way.remove(usize::from(which) % under_way.len());
                        let delivery = match which {
                            0 => Delivery::Done,
                            1 => Delivery::Closed,
                            2 => Delivery::Unavailable,
                            _ => Delivery::Unanswered,
                        };
                        done += u8::from(which < 2);
                        schedule.finish(now, PAUSE, task, delivery);
                    }
                    _ => now += Duration::from_millis(milliseconds),
                }
            }
            now += PAUSE;
            for task in under_way {
                schedule.finish(now, PAUSE, task, Delivery::Done);
                done += 1;
            }
            while let Ok(task) = schedule.take(now) {
                schedule.finish(now, PAUSE, task, Delivery::Done);
                done += 1;
            }
            prop_assert_eq!(done, pushed);
            prop_assert!(schedule.services.is_empty() && schedule.due.is_empty());
            prop_assert_eq!(schedule.waiting, 0);
        }
    }

    fn id(number: u16) -> RequestId {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&number.to_le_bytes());
        RequestId(id)
    }

    #[test]
    fn service_stays_in_doubt_when_its_request_is_closed() {
        let now = Instant::now();
        let mut schedule = Schedule::default();
        (0..4).for_each(|number| schedule.push(b"down", id(number)));
        let task = schedule.take(now).unwrap();
        schedule.finish(now, PAUSE, task, Delivery::Unavailable);
        let later = now + PAUSE;
        let closed = schedule.take(later).unwrap();
        assert_eq!(closed.id, id(0));
        schedule.finish(later, PAUSE, closed, Delivery::Closed);
        // The next one needs no other pause, and goes alone.
        let next = schedule.take(later).unwrap();
        assert_eq!((next.id, next.is_doubtful), (id(1), true));
        assert_eq!(schedule.take(later), Err(None));
    }

    #[test]
    fn service_whose_pause_is_over_takes_its_turn_with_a_busy_one() {
        let now = Instant::now();
        let mut schedule = Schedule::default();
        schedule.push(b"back", id(100));
        let back = schedule.take(now).unwrap();
        (0..10).for_each(|number| schedule.push(b"busy", id(number)));
        schedule.finish(now, PAUSE, back, Delivery::Unavailable);
        let later = now + PAUSE;
        let taken: Vec<_> = (0..4)
            .map(|_| {
                let task = schedule.take(later).unwrap();
                let id = task.id;
                schedule.finish(later, PAUSE, task, Delivery::Done);
                id
            })
            .collect();
        assert!(taken.contains(&id(100)), "{taken:?}");
    }

    #[test]
    fn schedule_forgets_closed_requests_of_services_that_never_come() {
        let now = Instant::now();
        let mut schedule = Schedule::default();
        let kept = |id: RequestId| id.0[0] == 0 && id.0[1] < 2;
        for number in 0..10_000 {
            schedule.push(if number % 2 == 0 { b"one" } else { b"two" }, id(number));
            if !kept(id(number)) {
                schedule.on_close(kept);
            }
        }
        let waiting: usize = schedule.services.values().map(|queue| queue.waiting.len()).sum();
        assert!(schedule.waiting == waiting && waiting < 2 * FEW_CLOSED, "{waiting}");
        (0..FEW_CLOSED).for_each(|_| schedule.on_close(kept));
        assert_eq!((schedule.waiting, schedule.services.len(), schedule.due.len()), (2, 1, 1));
        assert_eq!(schedule.take(now).unwrap().id, id(0));
        // A request that is under way keeps its service.
        (0..FEW_CLOSED).for_each(|_| schedule.on_close(|_| false));
        assert_eq!((schedule.waiting, schedule.services.len(), schedule.due.len()), (0, 1, 0));
        assert_eq!(schedule.take(now), Err(None));
    }

    #[test]
    fn schedule_lets_services_take_turns_and_pause() {
        let now = Instant::now();
        let mut schedule = Schedule::default();
        let ids = [1, 2, 3, 4].map(|byte| RequestId([byte; 16]));
        schedule.push(b"down", ids[0]);
        schedule.push(b"down", ids[1]);
        schedule.push(b"up", ids[2]);
        schedule.push(b"up", ids[3]);
        let down = schedule.take(now).unwrap();
        let up = schedule.take(now).unwrap();
        assert_eq!((down.id, up.id, up.is_doubtful), (ids[0], ids[2], true));
        assert_eq!(schedule.take(now), Err(None));
        schedule.finish(now, PAUSE, up, Delivery::Done);
        schedule.finish(now, PAUSE, down, Delivery::Unanswered);
        let up = schedule.take(now).unwrap();
        assert_eq!((up.id, up.is_doubtful), (ids[3], false));
        assert_eq!(schedule.take(now), Err(Some(now + PAUSE)));
        assert_eq!(schedule.take(now + PAUSE).unwrap().id, ids[1]);
    }
}
