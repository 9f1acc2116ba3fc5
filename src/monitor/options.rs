//! The options of a monitor.

use super::Events;

use crate::raw::Format;

/// [`Events`] or [`Options`], by `Into<Options>`.
///
/// The trait exists for its error message: C programs and rust-zmq's give a monitor an endpoint. The compiler then also reports
/// the second argument, and advises to remove that one.
#[diagnostic::on_unimplemented(
    message = "a monitor has no endpoint, and `{Self}` is neither `Events` nor `Options`",
    label = "pass the events alone: `monitor(Events::ALL)`"
)]
pub trait IntoOptions: Into<Options> {}

#[diagnostic::do_not_recommend]
impl<T: Into<Options>> IntoOptions for T {}

/// The events that a monitor reports, and how many of them it keeps. [`Events`] convert into it.
///
/// ```
/// use zmq::monitor::{Events, Options};
///
/// # fn main() -> zmq::Result<()> {
/// # let context = zmq::Context::new()?;
/// let socket = context.socket(zmq::Router)?;
/// let monitor = socket.monitor(Options::from(Events::DISCONNECTED).capacity(100))?;
/// assert!(monitor.next_event(std::time::Duration::ZERO)?.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "options do nothing by themselves"]
pub struct Options {
    pub(super) events: Events,
    pub(super) capacity: usize,
    #[cfg(feature = "draft")]
    version: Version,
}

/// The format in which libzmq reports events.
#[cfg(feature = "draft")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Version {
    /// One endpoint and one value for each event.
    #[default]
    #[doc(alias = "ZMQ_CURRENT_EVENT_VERSION")]
    One,
    /// The local and the remote endpoint, and [`Event::PipesStats`](super::Event::PipesStats).
    #[doc(alias = "ZMQ_CURRENT_EVENT_VERSION_DRAFT")]
    Two,
}

impl Options {
    /// Sets the number of events that are kept for the reader: 10,000 unless set. If more come, the oldest are dropped, and
    /// [`Monitor::lost`](super::Monitor::lost) counts them. A kept event takes some 200 bytes. The end is always reported.
    pub fn capacity(self, capacity: usize) -> Options {
        Options { capacity, ..self }
    }

    /// Sets the format in which libzmq reports events.
    ///
    /// ```
    /// use zmq::monitor::{Event, Options, Version};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let server = context.socket(zmq::Rep)?;
    /// let monitor = server.monitor(Options::default().version(Version::Two))?;
    /// let endpoint = server.bind("tcp://127.0.0.1:*")?;
    /// assert_eq!(monitor.next_event(None)?.unwrap().local().as_deref(), Some(&*endpoint));
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "draft")]
    #[doc(alias = "zmq_socket_monitor_versioned")]
    pub fn version(self, version: Version) -> Options {
        Options { version, ..self }
    }

    pub(super) fn format(&self) -> Format {
        #[cfg(feature = "draft")]
        if self.version == Version::Two {
            return Format::Two;
        }
        Format::One
    }
}

/// All events of the first format.
impl Default for Options {
    fn default() -> Options {
        Events::ALL.into()
    }
}

/// These events, in the first format.
impl From<Events> for Options {
    fn from(events: Events) -> Options {
        Options {
            events,
            capacity: 10_000,
            #[cfg(feature = "draft")]
            version: Version::One,
        }
    }
}
