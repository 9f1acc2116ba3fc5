//! `Edge`: whether a source must be looked at before its descriptor is waited for.
//!
//! libzmq's descriptor for a socket signals that the socket has commands to process, not that it is ready, and it signals each
//! command once. Any call on the socket may process the commands, after which the descriptor is silent; and some calls make the
//! socket ready without any command: a REQ that has sent its request, a PUSH that has connected. So the events are read again after
//! each signal, after each use of the socket, and for as long as the socket is ready. [`Poller`](crate::Poller) and the sockets
//! of async runtimes wait by these rules.

use std::mem;

use crate::error::Errno;
use crate::poll_events::PollEvents;

pub(crate) struct Edge {
    must_look: bool,
}

impl Edge {
    /// A source that was looked at, or that will be disturbed before it is waited for.
    pub(crate) fn waiting() -> Edge {
        Edge { must_look: false }
    }

    /// The source must be looked at: its descriptor has signalled, or it was used. False if it had to be looked at before.
    pub(crate) fn disturb(&mut self) -> bool {
        !mem::replace(&mut self.must_look, true)
    }

    /// Reads the events of the source with `query`, which processes all commands, and returns those that are `wanted`. If there
    /// are some, or the query fails, the source must be looked at again.
    pub(crate) fn look(
        &mut self,
        wanted: PollEvents,
        query: impl FnOnce() -> Result<PollEvents, Errno>,
    ) -> Result<PollEvents, Errno> {
        let ready = query()? & wanted;
        self.must_look = !ready.is_empty();
        Ok(ready)
    }

    /// Whether the descriptor signals everything that is still to come.
    pub(crate) fn may_wait(&self) -> bool {
        !self.must_look
    }
}
