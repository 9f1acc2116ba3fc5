use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;
use zmq::{CanMultipart, CanRecv, CanSend, HasFd, Multipart, PollEvents, Socket};

/// A socket for the tasks of one thread.
pub struct AsyncSocket<T: HasFd> {
    socket: Socket<'static, T>,
    fd: AsyncFd<OwnedFd>,
    readable: Notify,
    writable: Notify,
}

impl<T: HasFd> AsyncSocket<T> {
    pub fn new(socket: Socket<'static, T>) -> io::Result<Self> {
        let descriptor = socket.fd()?.try_clone_to_owned()?;
        // SAFETY: `AsyncFd` owns the descriptor, so it stays open and the same until it is deregistered.
        let fd = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }?;
        Ok(AsyncSocket { socket, fd, readable: Notify::new(), writable: Notify::new() })
    }

    /// Wakes the tasks that wait for one of the socket's events: a call on the socket may have taken their wake-up from the
    /// descriptor.
    fn events(&self) -> io::Result<PollEvents> {
        let events = self.socket.events()?;
        if events.contains(PollEvents::POLLIN) {
            self.readable.notify_waiters();
        }
        if events.contains(PollEvents::POLLOUT) {
            self.writable.notify_waiters();
        }
        Ok(events)
    }

    async fn wait_for(&self, event: PollEvents) -> io::Result<()> {
        loop {
            let woken = if event == PollEvents::POLLIN { self.readable.notified() } else { self.writable.notified() };
            if self.events()?.contains(event) {
                return Ok(());
            }
            tokio::select! {
                guard = self.fd.readable() => {
                    guard?.clear_ready();
                }
                () = woken => {}
            }
        }
    }

    pub async fn recv(&self) -> io::Result<Multipart>
    where
        T: CanRecv + CanMultipart,
    {
        loop {
            let received = self.socket.now().recv_multipart();
            // A failure must not lose the message. The next call fails again.
            let _ = self.events();
            if let Some(message) = received? {
                return Ok(message);
            }
            self.wait_for(PollEvents::POLLIN).await?;
        }
    }

    pub async fn send(&self, mut message: Multipart) -> io::Result<()>
    where
        T: CanSend + CanMultipart,
    {
        loop {
            let sent = self.socket.now().send_multipart(message);
            // A failure must not hide that the message was sent. The next call fails again.
            let _ = self.events();
            match sent.map_err(zmq::Error::from)?.into_unsent() {
                None => return Ok(()),
                Some(unsent) => message = unsent,
            }
            self.wait_for(PollEvents::POLLOUT).await?;
        }
    }
}
