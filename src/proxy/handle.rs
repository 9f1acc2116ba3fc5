//! Commanding a proxy from other threads.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::engine::{Control, Engine, Mode};
use super::outcome::Unforwarded;
use super::statistics::ProxyStatistics;
use crate::error::{Errno, Error, Result, SendError};
use crate::lock::lock;
use crate::or_none::OrNone;
use crate::raw::PollItem;
use crate::socket::SocketRef;
use crate::waker::Waker;

const CALL: &str = "zmq_proxy_steerable";

/// A handle by which other threads pause, resume and end a proxy and read its statistics, as by `zmq_proxy_steerable` in C.
///
/// One thread calls [`ProxyHandle::run`] and forwards; clones of the handle command it from any other. Every command waits
/// until the proxy has executed it, which it does between two messages: after [`ProxyHandle::pause`] nothing is forwarded
/// any more. Messages that come meanwhile stay in the queues of the sockets, up to their high-water marks, and stay there
/// when the proxy ends. [`ProxyHandle::run`] returns the messages that it has received and not sent.
///
/// ```
/// use zmq::{Context, ProxyHandle, Pull, Push};
///
/// # fn main() -> zmq::Result<()> {
/// let context = Context::new()?;
/// let (frontend, backend) = (context.socket(Pull)?, context.socket(Push)?);
/// frontend.bind("inproc://jobs")?;
/// backend.bind("inproc://workers")?;
/// let source = context.socket(Push)?;
/// source.connect("inproc://jobs")?;
/// let sink = context.socket(Pull)?;
/// sink.connect("inproc://workers")?;
///
/// let handle = ProxyHandle::new()?;
/// std::thread::scope(|scope| {
///     let forwarder = {
///         let handle = handle.clone();
///         scope.spawn(move || handle.run(&frontend, &backend, None))
///     };
///     source.send("job")?;
///     assert_eq!(sink.recv_msg()?, "job");
///     handle.pause()?;
///     source.send("next job")?;
///     assert_eq!(handle.statistics()?.to_backend.messages, 1);
///     handle.resume()?;
///     assert_eq!(sink.recv_msg()?, "next job");
///     handle.terminate()?;
///     assert!(forwarder.join().unwrap()?.is_empty());
///     Ok(())
/// })
/// # }
/// ```
#[doc(alias = "zmq_proxy_steerable")]
#[derive(Clone)]
pub struct ProxyHandle {
    commands: Arc<Commands>,
}

/// The commands of the handles, and the answers of the proxy.
struct Commands {
    waker: Waker,
    state: Mutex<ProxyState>,
    answered: Condvar,
}

struct ProxyState {
    phase: Phase,
    wanted: Mode,
    /// The number of commands that were given, and the number that the proxy has executed.
    asked: u64,
    taken: u64,
    /// The statistics at the last executed command, or at the end.
    statistics: ProxyStatistics,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Phase {
    NotStarted,
    Runs,
    Ended(Result<(), Error>),
}

impl ProxyHandle {
    /// A handle for a proxy that does not run yet. The proxy executes earlier commands when it starts.
    ///
    /// # Errors
    ///
    /// `EMFILE` or `ENFILE` if no file descriptor is left.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// let handle = zmq::ProxyHandle::new()?;
    /// handle.pause()?;
    /// assert!(handle.is_paused()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new() -> Result<ProxyHandle> {
        let state = ProxyState {
            phase: Phase::NotStarted,
            wanted: Mode::Active,
            asked: 0,
            taken: 0,
            statistics: ProxyStatistics::default(),
        };
        let commands = Commands { waker: Waker::new(CALL)?, state: Mutex::new(state), answered: Condvar::new() };
        Ok(ProxyHandle { commands: Arc::new(commands) })
    }

    /// Forwards as [`proxy`](crate::proxy()) does, in this thread, until [`ProxyHandle::terminate`], and returns the messages
    /// that it had received and not sent. A handle serves one run.
    ///
    /// # Errors
    ///
    /// As [`proxy`](crate::proxy()); `EINVAL` if the handle has served already.
    ///
    /// ```
    /// # use zmq::{Context, Dealer, ProxyHandle, Router};
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// # let (frontend, backend) = (context.socket(Router)?, context.socket(Dealer)?);
    /// let handle = ProxyHandle::new()?;
    /// let stop = handle.clone();
    /// std::thread::spawn(move || stop.terminate());
    /// let unforwarded = handle.run(&frontend, &backend, None)?;
    /// assert!(unforwarded.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_proxy_steerable")]
    pub fn run<'a>(
        &self,
        frontend: impl Into<SocketRef<'a>>,
        backend: impl Into<SocketRef<'a>>,
        capture: impl OrNone<SocketRef<'a>>,
    ) -> Result<Unforwarded, SendError<Unforwarded>> {
        let (frontend, backend) = (frontend.into().core(), backend.into().core());
        let capture = capture.into().map(SocketRef::core);
        super::check(CALL, frontend, backend, capture, None)?;
        self.commands.check_process()?;
        {
            let mut state = self.commands.lock();
            if state.phase != Phase::NotStarted {
                return Err(Errno::EINVAL.with_detail(CALL, "the handle has served a proxy already").into());
            }
            state.phase = Phase::Runs;
        }
        let mut run = Run {
            commands: &self.commands,
            statistics: ProxyStatistics::default(),
            // The outcome that is reported if the thread panics.
            outcome: Err(Errno::ECANCELED.with_detail(CALL, "the proxy's thread panicked")),
        };
        let mut engine = Engine::new(frontend, backend, capture);
        let outcome = engine.run(CALL, &mut &*self.commands);
        run.statistics = engine.statistics();
        run.outcome = outcome.as_ref().map(drop).map_err(|failed| failed.error().clone());
        outcome
    }

    /// Stops forwarding until [`ProxyHandle::resume`]. Pausing a paused proxy changes nothing.
    ///
    /// # Errors
    ///
    /// The error that the proxy has ended with, or `ECANCELED` if it was terminated; `EINVAL` in a forked child.
    pub fn pause(&self) -> Result<()> {
        self.command(Some(Mode::Paused)).map(drop)
    }

    /// Forwards again, beginning with the messages that have come in meanwhile.
    ///
    /// # Errors
    ///
    /// As [`ProxyHandle::pause`].
    pub fn resume(&self) -> Result<()> {
        self.command(Some(Mode::Active)).map(drop)
    }

    /// Ends the proxy: its [`ProxyHandle::run`] returns `Ok`. Ending it again changes nothing.
    ///
    /// # Errors
    ///
    /// The error that the proxy had already ended with; `EINVAL` in a forked child.
    pub fn terminate(&self) -> Result<()> {
        match self.command(Some(Mode::Terminated)) {
            Err(error) if error == terminated() => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// The messages and bytes that have passed so far, or until the end if the proxy has ended.
    ///
    /// # Errors
    ///
    /// `EINVAL` in a forked child.
    pub fn statistics(&self) -> Result<ProxyStatistics> {
        self.commands.check_process()?;
        // Only a proxy that has ended refuses the command, and its last numbers are kept.
        self.command(None).or_else(|_| Ok(self.commands.lock().statistics))
    }

    /// Whether the proxy is paused.
    ///
    /// # Errors
    ///
    /// `EINVAL` in a forked child.
    pub fn is_paused(&self) -> Result<bool> {
        self.commands.check_process()?;
        let state = self.commands.lock();
        Ok(state.wanted == Mode::Paused && !matches!(state.phase, Phase::Ended(_)))
    }

    /// Gives a command, or only asks for statistics, and waits until the proxy has executed it.
    fn command(&self, mode: Option<Mode>) -> Result<ProxyStatistics> {
        let commands = &self.commands;
        commands.check_process()?;
        let mut state = commands.lock();
        // A terminated proxy stays terminated.
        if state.wanted != Mode::Terminated {
            state.wanted = mode.unwrap_or(state.wanted);
        } else if mode.is_some_and(|mode| mode != Mode::Terminated) {
            return Err(terminated());
        }
        state.asked += 1;
        let own = state.asked;
        if state.phase == Phase::Runs {
            commands.waker.wake();
        }
        while state.phase == Phase::Runs && state.taken < own {
            state = commands.answered.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        match &state.phase {
            // The command may be the one that ended the proxy.
            Phase::Ended(Ok(())) if state.taken < own => Err(terminated()),
            Phase::Ended(Err(error)) if state.taken < own => Err(error.clone()),
            _ => Ok(state.statistics),
        }
    }
}

fn terminated() -> Error {
    Errno::ECANCELED.with_detail(CALL, "the proxy was terminated")
}

impl Commands {
    fn lock(&self) -> MutexGuard<'_, ProxyState> {
        lock(&self.state)
    }

    /// In a forked child the proxy does not run, and a thread that exists only in the parent may hold the lock.
    fn check_process(&self) -> Result<()> {
        if self.waker.is_inherited() {
            return Err(Errno::EINVAL.inherited(CALL, "proxy"));
        }
        Ok(())
    }
}

impl Control for &Commands {
    fn item(&self) -> Option<PollItem<'_>> {
        Some(self.waker.item())
    }

    fn poll_command(&mut self, _mode: Mode, statistics: ProxyStatistics) -> Result<Mode, Errno> {
        self.waker.reset();
        let mut state = self.lock();
        state.taken = state.asked;
        state.statistics = statistics;
        self.answered.notify_all();
        Ok(state.wanted)
    }
}

/// A run, which reports how it ended when it is dropped.
struct Run<'a> {
    commands: &'a Commands,
    statistics: ProxyStatistics,
    outcome: Result<()>,
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        let mut state = self.commands.lock();
        state.statistics = self.statistics;
        state.phase = Phase::Ended(self.outcome.clone());
        self.commands.answered.notify_all();
    }
}

impl fmt::Debug for ProxyHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.commands.waker.is_inherited() {
            return f.debug_struct("ProxyHandle").finish_non_exhaustive();
        }
        let state = self.commands.lock();
        f.debug_struct("ProxyHandle")
            .field("phase", &state.phase)
            .field("wanted", &state.wanted)
            .finish_non_exhaustive()
    }
}
