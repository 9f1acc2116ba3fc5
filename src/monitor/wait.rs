//! Waiting for peers, against the slow joiner.

use std::net::IpAddr;
use std::time::Duration;

use super::{Event, Events, wait_readable};
use crate::deadline::{Backoff, Deadline};
use crate::endpoint;
use crate::error::{Errno, Result};
use crate::kind::SocketType;
use crate::kind::groups::{PublishingKind, XPubKind};
use crate::message::Message;
use crate::or_none::OrNone;
use crate::process;
use crate::socket::{Core, Socket, Wait, unless_again};
use crate::wake_up::WakeUp;

/// `ZMQ_TOPICS_COUNT`: declared in the draft API only, and answered by every libzmq from 4.3.5 on.
const TOPICS_COUNT: i32 = 116;

/// # Waiting for peers
impl<T: SocketType> Socket<'_, T> {
    /// Connects to an endpoint, waits up to `timeout` until the connection is ready, and returns whether it is.
    ///
    /// It is ready once the handshake is done: the peer speaks ZMTP, the two kinds are compatible, and neither side refuses
    /// the other. On a STREAM, and with `ZMQ_ROUTER_RAW`, it is ready once the transport is connected. Over
    /// `inproc://` it is ready once the name is bound. After the time-out, connecting goes on in the background as after
    /// [`Socket::connect`].
    ///
    /// DEALER, REQ, PUB and SUB connect to an endpoint once: a second connect makes no new connection to wait for.
    ///
    /// # Errors
    ///
    /// As [`Socket::connect`] and [`Socket::monitor`]: `EADDRINUSE` if the socket has a monitor, which reports the
    /// connection or waits for it with [`Monitor::wait_for_connections`](super::Monitor::wait_for_connections). `ENOTSUP`
    /// for `udp://`, `pgm://`, `epgm://` and `norm://`, which make no connections, `EINTR` if a signal ended the wait. If it
    /// fails after connecting, the connection goes on in the background.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let server = context.socket(zmq::Rep)?;
    /// let endpoint = server.bind("tcp://127.0.0.1:*")?;
    /// let client = context.socket(zmq::Req)?;
    /// assert!(client.connect_and_wait(&endpoint, Duration::from_secs(5))?);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_connect")]
    pub fn connect_and_wait(&self, endpoint: &str, timeout: impl OrNone<Duration>) -> Result<bool> {
        connect_and_wait(self.core(), endpoint, Deadline::after(timeout))
    }

    /// Waits up to `timeout` until peers have subscribed to `count` topics, and returns whether they have.
    ///
    /// A topic is a distinct prefix, whether one peer subscribes to it or many. The socket counts the topics that it holds
    /// at the moment: those of a peer that leaves no longer count, except with a libzmq 4.3.5 without the patches. For
    /// `count` 1 it waits for the first subscriber, which gets all messages sent from then on. To tell the subscribers of
    /// one topic apart, use an XPUB and [`Socket::wait_for_subscribers`].
    ///
    /// It takes no messages: an XPUB still receives its subscriptions.
    ///
    /// # Errors
    ///
    /// `ENOTSUP` with a libzmq before 4.3.5, `EINTR` if a signal ended the wait, `ETERM` after the context was shut down.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # if zmq::version() < (4, 3, 5) { return Ok(()) }
    /// # let context = zmq::Context::new()?;
    /// let publisher = context.socket(zmq::Pub)?;
    /// let endpoint = publisher.bind("tcp://127.0.0.1:*")?;
    /// let subscriber = context.socket(zmq::Sub)?;
    /// subscriber.connect(&endpoint)?;
    /// subscriber.subscribe("weather")?;
    ///
    /// assert!(publisher.wait_for_topics(1, Duration::from_secs(5))?);
    /// publisher.send("weather: fine")?;
    /// assert_eq!(subscriber.recv_msg()?, "weather: fine");
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait_for_topics(&self, count: u32, timeout: impl OrNone<Duration>) -> Result<bool>
    where
        T: PublishingKind,
    {
        wait_for_topics(self.core(), count, Deadline::after(timeout))
    }

    /// Waits up to `timeout` for `count` subscriptions, and returns whether they came. All messages that it receives
    /// meanwhile, subscriptions included, are put into `received`, also if it fails.
    ///
    /// It counts the subscriptions received by this call, minus the unsubscriptions. An XPUB receives repeated subscriptions
    /// to a topic only with [`Socket::set_xpub_verbose`], set before the peers come. With it, the count is the number of
    /// subscribers, if each subscribes to one topic. They get all messages sent from then on. The XPUB receives the
    /// unsubscription of a lost peer only if no other peer has its topic, or with [`Socket::set_xpub_verboser`].
    ///
    /// # Errors
    ///
    /// As [`Socket::recv_msg`], except `EAGAIN`.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let publisher = context.socket(zmq::XPub)?;
    /// publisher.set_xpub_verbose(true)?;
    /// let endpoint = publisher.bind("tcp://127.0.0.1:*")?;
    /// let subscribers = [context.socket(zmq::Sub)?, context.socket(zmq::Sub)?];
    /// for subscriber in &subscribers {
    ///     subscriber.subscribe("weather")?;
    ///     subscriber.connect(&endpoint)?;
    /// }
    ///
    /// let mut received = Vec::new();
    /// assert!(publisher.wait_for_subscribers(2, Duration::from_secs(5), &mut received)?);
    /// assert_eq!(received, ["\u{1}weather", "\u{1}weather"]);
    /// publisher.send("weather: fine")?;
    /// for subscriber in &subscribers {
    ///     assert_eq!(subscriber.recv_msg()?, "weather: fine");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait_for_subscribers(
        &self,
        count: usize,
        timeout: impl OrNone<Duration>,
        received: &mut Vec<Message>,
    ) -> Result<bool>
    where
        T: XPubKind,
    {
        wait_for_subscribers(self.core(), count, Deadline::after(timeout), received)
    }
}

fn connect_and_wait(core: &Core, text: &str, deadline: Deadline) -> Result<bool> {
    const CALL: &str = "zmq_connect";
    core.check_process(CALL)?;
    let transport = text.split_once("://").map_or("", |(transport, _)| transport);
    match transport {
        "inproc" => {
            core.connect(text)?;
            return wait_for_name(core, text, deadline);
        }
        "udp" | "pgm" | "epgm" | "norm" => {
            return Err(
                Errno::ENOTSUP.with_detail(CALL, format_args!("{text:?}: there are no connections to wait for"))
            );
        }
        _ => {}
    }
    let monitor = super::start(core, &Events::ALL.into())?;
    core.connect(text)?;
    let is_raw = core.is_raw();
    // libzmq reports a WebSocket twice, by the same event: before the ZMTP handshake and after it.
    let steps = if matches!(transport, "ws" | "wss") && !is_raw { 2 } else { 1 };
    let mut done = 0;
    loop {
        let Some(notice) = monitor.next_until(deadline)? else { return Ok(false) };
        match notice.event() {
            Event::MonitorStopped => return Err(Errno::ETERM.for_call(CALL)),
            _ if !is_same_target(text, &notice.endpoint()) => {}
            Event::HandshakeSucceeded => done += 1,
            Event::Connected { .. } if is_raw => done += 1,
            Event::Disconnected { .. } => done = 0,
            _ => {}
        }
        if done == steps {
            return Ok(true);
        }
    }
}

/// Whether an event's endpoint is the one that the socket connected to.
///
/// libzmq reports the text of the `connect`. After it has resolved a name and lost the connection, it reports the resolved
/// address.
fn is_same_target(given: &str, reported: &str) -> bool {
    let split = |endpoint: &'_ str| -> Option<(String, Option<IpAddr>, String)> {
        let (transport, address) = endpoint.split_once("://")?;
        let address = address.rsplit(';').next()?.split('/').next()?;
        let (host, port) = address.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']').split('%').next()?;
        Some((transport.to_owned(), host.parse().ok(), port.to_owned()))
    };
    if given == reported {
        return true;
    }
    match (split(given), split(reported)) {
        (Some((transport, host, port)), Some((other_transport, other_host, other_port))) => {
            transport == other_transport && port == other_port && (host.is_none() || host == other_host)
        }
        _ => false,
    }
}

/// Waits until an inproc name that the socket has connected to is bound.
fn wait_for_name(core: &Core, text: &str, deadline: Deadline) -> Result<bool> {
    const CALL: &str = "zmq_connect";
    let name = endpoint::c_text(CALL, text)?;
    // No descriptor signals that a name was bound.
    let mut backoff = Backoff::new();
    while core.waits_for_name(&name) {
        if deadline.has_passed() {
            return Ok(false);
        }
        if process::interrupted() {
            return Err(Errno::EINTR.for_call(CALL));
        }
        process_commands(core, CALL)?;
        let paused = WakeUp::current().pause(deadline.cap(backoff.pause()));
        core.check_handler(paused).map_err(|errno| errno.for_call(CALL))?;
        backoff = backoff.doubled();
    }
    // No connection waits for a name after the shutdown of the context, whether the name was bound or not.
    process_commands(core, CALL)?;
    Ok(true)
}

/// Has libzmq process the socket's commands.
fn process_commands(core: &Core, call: &'static str) -> Result<()> {
    core.raw().events().map(drop).map_err(|errno| core.failed(call, errno))
}

fn wait_for_topics(core: &Core, count: u32, deadline: Deadline) -> Result<bool> {
    const CALL: &str = "ZMQ_TOPICS_COUNT";
    core.check_process(CALL)?;
    let failed = |errno| match errno {
        Errno::EINVAL => Errno::ENOTSUP.with_detail(CALL, "libzmq counts them from 4.3.5 on, on PUB and XPUB"),
        _ => core.failed(CALL, errno),
    };
    loop {
        // libzmq reads subscriptions when it processes commands, as every use of the socket makes it do.
        process_commands(core, CALL)?;
        let topics = core.raw().get_int(TOPICS_COUNT).map_err(failed)?;
        if u32::try_from(topics).is_ok_and(|topics| topics >= count) {
            return Ok(true);
        }
        let commands = core.raw().notification_fd().map_err(|errno| core.failed("ZMQ_FD", errno))?;
        if !wait_readable(CALL, commands, deadline, core.interruptible())? {
            return Ok(false);
        }
    }
}

fn wait_for_subscribers(core: &Core, count: usize, deadline: Deadline, received: &mut Vec<Message>) -> Result<bool> {
    let mut subscribed = 0;
    let mut is_first = true;
    while subscribed < count {
        let Some(message) = unless_again(core.recv_message(Wait::Until(deadline)))? else { return Ok(false) };
        if is_first {
            match message.first() {
                Some(1) => subscribed += 1,
                Some(0) => subscribed = subscribed.saturating_sub(1),
                _ => {}
            }
        }
        is_first = !message.more();
        received.push(message);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::is_same_target;

    #[test]
    fn is_same_target_accepts_the_resolved_address() {
        for (given, reported) in [
            ("tcp://127.0.0.1:5555", "tcp://127.0.0.1:5555"),
            ("tcp://localhost:5555", "tcp://127.0.0.1:5555"),
            ("tcp://127.0.0.1:0;127.0.0.1:5555", "tcp://127.0.0.1:5555"),
            ("tcp://[0:0::1]:5555", "tcp://[::1]:5555"),
            ("ws://127.0.0.1:5555", "ws://127.0.0.1:5555/"),
            ("ipc:///tmp/one", "ipc:///tmp/one"),
        ] {
            assert!(is_same_target(given, reported), "{given} {reported}");
        }
        for (given, reported) in [
            ("tcp://127.0.0.1:5555", "tcp://127.0.0.1:5556"),
            ("tcp://127.0.0.1:5555", "tcp://127.0.0.2:5555"),
            ("tcp://localhost:5555", "tcp://127.0.0.1:5556"),
            ("tcp://localhost:5555", "ws://127.0.0.1:5555"),
            ("ipc:///tmp/one", "ipc:///tmp/two"),
            ("ipc:///tmp/one", ""),
        ] {
            assert!(!is_same_target(given, reported), "{given} {reported}");
        }
    }
}
