//! `Shared`: the socket that the halves of an `AsyncSocket` use in turn.

use std::io;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::task::{Context, Poll, Waker, ready};

use parking_lot::ReentrantMutex;

use super::readiness::{Device, Direction, Wakers, poll_call};
use super::registration::Registration;
use super::runtime::{Runtime, wait_failed};
use crate::error::{Errno, Error, Result};
use crate::kind::{Kind, SocketType};
use crate::poll_events::PollEvents;
use crate::process::Process;
use crate::raw::Signalled;
use crate::raw::platform::OwnedFd;
use crate::socket::Socket;

const NEW: &str = "AsyncSocket::new";

/// A socket and the tasks that wait for it.
pub(super) struct Shared<T: SocketType> {
    runtime: Runtime,
    process: Process,
    wakers: Arc<Wakers>,
    /// `wakers` as a waker, for the runtime.
    signal: Waker,
    /// Counts the calls of each direction: see [`Runtime::poll_turn`].
    in_a_row: [AtomicU32; 2],
    /// The lock lets its holder in again: the closure of `with` may use the other half.
    watched: ReentrantMutex<Watched<T>>,
}

/// A socket whose descriptor is registered.
struct Watched<T: SocketType> {
    // The registration is dropped before the socket closes: a runtime must not watch a closed descriptor.
    registration: Registration,
    signalled: Signalled<T>,
}

impl<T: SocketType> Shared<T> {
    /// # Errors
    ///
    /// The socket comes back with the error.
    #[allow(clippy::result_large_err, reason = "it is the socket itself that comes back")]
    pub(super) fn new(socket: Socket<'static, T>, runtime: Runtime) -> Result<Shared<T>, (Socket<'static, T>, Error)> {
        Self::registered(socket, runtime, |fd| runtime.register(fd, NEW))
    }

    /// [`Shared::new`] with a registration of the caller's.
    #[allow(clippy::result_large_err, reason = "as above")]
    pub(super) fn registered(
        socket: Socket<'static, T>,
        runtime: Runtime,
        register: impl FnOnce(OwnedFd) -> Result<Registration>,
    ) -> Result<Shared<T>, (Socket<'static, T>, Error)> {
        if let Err(error) = socket.core().check_process(NEW) {
            return Err((socket, error));
        }
        let signalled = Signalled::new(socket).map_err(|(socket, errno)| (socket, errno.for_call(NEW)))?;
        let fd = signalled.duplicate_fd().map_err(|errno| errno.for_call(NEW));
        let registration = match fd.and_then(register) {
            Ok(registration) => registration,
            Err(error) => return Err((signalled.into_socket(), error)),
        };
        let wakers = Arc::new(Wakers::default());
        Ok(Shared {
            runtime,
            process: Process::current(),
            signal: Waker::from(wakers.clone()),
            wakers,
            in_a_row: Default::default(),
            watched: ReentrantMutex::new(Watched { registration, signalled }),
        })
    }

    pub(super) fn runtime(&self) -> Runtime {
        self.runtime
    }

    pub(super) fn kind(&self) -> Kind {
        self.watched.lock().signalled.socket().kind()
    }

    /// Lends the socket, and wakes both tasks afterwards, also if the closure panics. In a forked child, the tasks are those of
    /// the parent.
    pub(super) fn with<R>(&self, closure: impl FnOnce(&Socket<'static, T>) -> R) -> R {
        struct WakeBoth<'a>(&'a Wakers, Process);
        impl Drop for WakeBoth<'_> {
            fn drop(&mut self) {
                if self.1.is_current() {
                    self.0.wake_both();
                }
            }
        }
        let _after_the_lock = WakeBoth(&self.wakers, self.process);
        closure(self.watched.lock().signalled.socket())
    }

    pub(super) fn into_socket(self) -> Socket<'static, T> {
        let Watched { registration, signalled } = self.watched.into_inner();
        drop(registration);
        signalled.into_socket()
    }
}

/// The use of a socket. An owner that shares the socket with no other half takes no lock.
pub(super) trait Access<T: SocketType> {
    /// Polls a call: `attempt` makes it without a wait, and is false if it would have to wait.
    ///
    /// # Errors
    ///
    /// `ENOTSOCK` in a forked child, and those of [`wait_failed`].
    fn poll(
        &mut self,
        direction: Direction,
        call: &'static str,
        cx: &mut Context<'_>,
        attempt: impl FnMut(&Socket<'static, T>) -> bool,
    ) -> Poll<Result<()>>;
}

impl<T: SocketType> Access<T> for Shared<T> {
    #[inline]
    fn poll(
        &mut self,
        direction: Direction,
        call: &'static str,
        cx: &mut Context<'_>,
        mut attempt: impl FnMut(&Socket<'static, T>) -> bool,
    ) -> Poll<Result<()>> {
        ready!(self.runtime.poll_turn(&self.in_a_row[direction as usize], cx));
        let watched = self.watched.get_mut();
        let attempt = || attempt(watched.signalled.socket());
        let (polled, other) = poll_call(watched, &self.wakers, &self.signal, direction, cx, attempt);
        if let Some(waker) = other {
            waker.wake();
        }
        polled.map_err(|error| wait_failed(&error, call))
    }
}

/// One of the two owners of a socket that was split. Its drop forgets the task that waited by it.
pub(super) struct Half<T: SocketType> {
    shared: Arc<Shared<T>>,
    direction: Direction,
}

impl<T: SocketType> Half<T> {
    pub(super) fn both(shared: Shared<T>) -> [Half<T>; 2] {
        let shared = Arc::new(shared);
        [Direction::Send, Direction::Recv].map(|direction| Half { shared: shared.clone(), direction })
    }

    /// The socket of two halves. They come back if they are of two sockets.
    pub(super) fn join(one: Half<T>, other: Half<T>) -> Result<Shared<T>, (Half<T>, Half<T>)> {
        if !Arc::ptr_eq(&one.shared, &other.shared) {
            return Err((one, other));
        }
        let shared = one.shared.clone();
        drop((one, other));
        Ok(Arc::into_inner(shared).unwrap_or_else(|| unreachable!("the two halves are the only owners")))
    }
}

impl<T: SocketType> Deref for Half<T> {
    type Target = Shared<T>;

    fn deref(&self) -> &Shared<T> {
        &self.shared
    }
}

impl<T: SocketType> Drop for Half<T> {
    fn drop(&mut self) {
        // In a forked child the task is the parent's.
        if self.process.is_current() {
            drop(self.wakers.take(self.direction));
        }
    }
}

impl<T: SocketType> Access<T> for Half<T> {
    #[inline]
    fn poll(
        &mut self,
        direction: Direction,
        call: &'static str,
        cx: &mut Context<'_>,
        attempt: impl FnMut(&Socket<'static, T>) -> bool,
    ) -> Poll<Result<()>> {
        (&*self.shared).poll(direction, call, cx, attempt)
    }
}

impl<T: SocketType> Access<T> for &Shared<T> {
    #[inline]
    fn poll(
        &mut self,
        direction: Direction,
        call: &'static str,
        cx: &mut Context<'_>,
        mut attempt: impl FnMut(&Socket<'static, T>) -> bool,
    ) -> Poll<Result<()>> {
        // The lock may be held by a thread of the parent, which a forked child does not have.
        self.process.check(Errno::ENOTSOCK, call, "socket")?;
        ready!(self.runtime.poll_turn(&self.in_a_row[direction as usize], cx));
        let (polled, other) = {
            let watched = self.watched.lock();
            let attempt = || attempt(watched.signalled.socket());
            poll_call(&*watched, &self.wakers, &self.signal, direction, cx, attempt)
        };
        if let Some(waker) = other {
            waker.wake();
        }
        polled.map_err(|error| wait_failed(&error, call))
    }
}

impl<T: SocketType> Device for Watched<T> {
    fn events(&self) -> Result<PollEvents, Errno> {
        self.signalled.events()
    }

    fn poll_signal(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.registration.poll_readable(cx)
    }

    fn forget_signals(&self) -> io::Result<()> {
        self.registration.forget_signals()
    }

    fn has_signalled(&self) -> io::Result<bool> {
        self.registration.has_signalled()
    }
}
