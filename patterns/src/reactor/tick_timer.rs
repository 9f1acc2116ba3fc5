//! `TickTimer`: the timer of a state machine in a reactor.

use std::time::Instant;

use super::{HandlerId, HandlerResult, Reactor};

/// The timer of a machine's next tick, if one is set. A timer that is too early does no harm.
#[derive(Default)]
pub(crate) struct TickTimer(Option<(HandlerId, Instant)>);

impl TickTimer {
    /// Has the reactor call `tick` at the time `due`, except if an earlier call is set. `tick` must begin with
    /// [`TickTimer::has_run`].
    pub(crate) fn set<'a>(
        &mut self,
        reactor: &mut Reactor<'a>,
        due: Instant,
        tick: impl FnOnce(&mut Reactor<'a>, HandlerId) -> HandlerResult + 'a,
    ) {
        if self.0.is_some_and(|(_, at)| at <= due) {
            return;
        }
        self.remove(reactor);
        let timer = reactor.after(due.saturating_duration_since(Instant::now()), tick);
        self.0 = Some((timer, due));
    }

    /// The reactor has called the timer, and has removed it.
    pub(crate) fn has_run(&mut self) {
        self.0 = None;
    }

    pub(crate) fn remove(&mut self, reactor: &mut Reactor<'_>) {
        if let Some((timer, _)) = self.0.take() {
            // It fails only if the reactor has dropped the timer already.
            let _ = reactor.remove(timer);
        }
    }
}
