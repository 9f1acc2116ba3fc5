//! Options whose values are handles, or that must not be set alone.

use std::os::fd::BorrowedFd;

use super::kinds::{self, Kinds, accepted};
use super::row::Row;
use super::{CType, OptionInfo};
use crate::error::Result;
use crate::kind::{HasFd, SocketType};
use crate::poll_events::PollEvents;
use crate::socket::{LAST_ENDPOINT, Socket};

const fn row(
    name: &'static str,
    number: i32,
    c_type: CType,
    get: bool,
    set: bool,
    kinds: Kinds,
    accepted: Kinds,
) -> OptionInfo {
    OptionInfo { name, number, c_type, get, set, kinds, accepted, draft: false }
}

pub(crate) static ROWS: &[OptionInfo] = &[
    row("ZMQ_FD", zmq_sys::ZMQ_FD, CType::Int, true, false, kinds::HasFd, kinds::HasFd),
    row("ZMQ_EVENTS", zmq_sys::ZMQ_EVENTS, CType::Int, true, false, Kinds::ALL, Kinds::ALL),
    row("ZMQ_TYPE", zmq_sys::ZMQ_TYPE, CType::Int, true, false, Kinds::ALL, Kinds::ALL),
    row("ZMQ_LAST_ENDPOINT", zmq_sys::ZMQ_LAST_ENDPOINT, CType::Text(usize::MAX), true, false, Kinds::ALL, Kinds::ALL),
    row("ZMQ_USE_FD", zmq_sys::ZMQ_USE_FD, CType::Int, true, true, Kinds::ALL, Kinds::ALL),
    row(
        "ZMQ_CONNECT_ROUTING_ID",
        zmq_sys::ZMQ_CONNECT_ROUTING_ID,
        CType::Bytes(255),
        false,
        true,
        kinds::RoutingKind,
        accepted::ROUTING,
    ),
    // zmq.h lists this context option among the socket options. Every socket refuses it.
    row("ZMQ_BLOCKY", zmq_sys::ZMQ_BLOCKY, CType::Int, false, false, Kinds::NONE, Kinds::NONE),
];

impl<T: SocketType> Socket<'_, T> {
    /// The operations that the socket can do now without waiting: receive, send, both or none.
    ///
    /// # Errors
    ///
    /// `ETERM` after the context was shut down.
    ///
    /// ```
    /// use zmq::PollEvents;
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let publisher = context.socket(zmq::Pub)?;
    /// assert_eq!(publisher.events()?, PollEvents::POLLOUT);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_EVENTS")]
    #[doc(alias = "zmq_getsockopt")]
    pub fn events(&self) -> Result<PollEvents> {
        let row = Row { name: "ZMQ_EVENTS", number: zmq_sys::ZMQ_EVENTS };
        self.core().raw().events().map_err(|errno| row.failed(errno, "not readable"))
    }

    /// The descriptor that becomes readable when [`Socket::events`] may have changed, for the program's own event loop.
    ///
    /// The descriptor is edge-triggered, and readable does not mean that a message is there. Call [`Socket::events`]
    /// when it was readable, and after *every* send, receive and change of subscriptions; otherwise a wake-up is lost:
    /// see [surprises](crate::surprises#the-descriptor-of-a-socket-is-not-readable-while-messages-are-there).
    /// If several tasks wait for one socket, a call of one of them can take the wake-up of another: after each call, wake the
    /// tasks that wait for what [`Socket::events`] returns, as [the recipe for Tokio](crate::cookbook#a-socket-in-tokio)
    /// does.
    ///
    /// The descriptor is for waiting only. If the system has epoll, it is an epoll descriptor that watches libzmq's
    /// own. Otherwise it is libzmq's own: never read from it or write to it, because a byte written to it aborts the
    /// process.
    ///
    /// Linux bounds what all epoll descriptors of a user watch by `fs.epoll.max_user_watches`. This one watches one
    /// descriptor, and libzmq watches each listener and each connection. At the limit this call fails with `ENOSPC`, and
    /// libzmq aborts the process when it makes a connection.
    ///
    /// # Errors
    ///
    /// `ETERM` after the context was shut down; `EMFILE`, `ENFILE`, `ENOMEM` or `ENOSPC` if the first
    /// call cannot create the descriptor.
    ///
    /// ```
    /// use zmq::{PollEvents, PollItem, poll};
    /// # use zmq::{Context, Pair};
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// # let (left, right) = (context.socket(Pair)?, context.socket(Pair)?);
    /// # left.bind("inproc://pair")?;
    /// # right.connect("inproc://pair")?;
    /// # left.send("Hello")?;
    /// while !right.events()?.contains(PollEvents::POLLIN) {
    ///     // An event loop would wait for the descriptor among its others.
    ///     let mut items = [PollItem::fd(right.fd()?, PollEvents::POLLIN)];
    ///     poll(&mut items, None)?;
    /// }
    /// assert_eq!(right.now().recv_msg()?, Some("Hello".into()));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_FD")]
    #[doc(alias = "zmq_getsockopt")]
    pub fn fd(&self) -> Result<BorrowedFd<'_>>
    where
        T: HasFd,
    {
        let row = Row { name: "ZMQ_FD", number: zmq_sys::ZMQ_FD };
        self.core().check_option(row, kinds::HasFd)?;
        self.core().lent_fd().map_err(|errno| row.failed(errno, "not readable"))
    }

    /// The endpoint of the last [`Socket::bind`] as libzmq resolved it, or of the last [`Socket::connect`] as given.
    /// `None` before the first of them.
    ///
    /// # Errors
    ///
    /// `ETERM` after the context was shut down.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Pull)?;
    /// assert_eq!(socket.last_endpoint()?, None);
    /// let endpoint = socket.bind("tcp://127.0.0.1:*")?;
    /// assert_eq!(socket.last_endpoint()?, Some(endpoint));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_LAST_ENDPOINT")]
    #[doc(alias = "zmq_getsockopt")]
    pub fn last_endpoint(&self) -> Result<Option<String>> {
        LAST_ENDPOINT.get_text(self.core().raw())
    }
}

#[cfg(feature = "draft")]
pub(crate) use draft::ROWS as DRAFT_ROWS;

#[cfg(feature = "draft")]
mod draft {
    use std::ffi::CString;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    use std::{io, os::unix::net::UnixDatagram};

    #[cfg(any(target_os = "linux", target_os = "android"))]
    use socket2::SockRef;

    use super::{CType, Kinds, OptionInfo, Row};
    use crate::error::{Errno, Result};
    use crate::kind::SocketType;
    use crate::raw::OptionValue;
    use crate::socket::Socket;
    use crate::sockopt::codec::{Get, MAX, Number, Set};

    const fn row(name: &'static str, number: i32, c_type: CType, get: bool) -> OptionInfo {
        OptionInfo { name, number, c_type, get, set: true, kinds: Kinds::ALL, accepted: Kinds::ALL, draft: true }
    }

    pub(crate) static ROWS: &[OptionInfo] = &[
        row("ZMQ_METADATA", zmq_sys::ZMQ_METADATA, CType::Bytes(usize::MAX), false),
        row("ZMQ_PRIORITY", zmq_sys::ZMQ_PRIORITY, CType::Int, true),
    ];

    impl<T: SocketType> Socket<'_, T> {
        /// Adds a property to the handshake of connections made from now on; the peer reads it with
        /// [`crate::Message::gets`]. The name begins with `X-` and has up to 255 bytes. Of two properties with the same
        /// name the first counts. Draft.
        ///
        /// # Errors
        ///
        /// `EINVAL` for another name, an empty value, a NUL or a colon in the name, and if name, colon and value have 4
        /// bytes together: libzmq refuses that size.
        ///
        /// ```
        /// # fn main() -> zmq::Result<()> {
        /// # let context = zmq::Context::new()?;
        /// let socket = context.socket(zmq::Dealer)?;
        /// socket.set_metadata("X-Version", "7")?;
        /// assert!(socket.set_metadata("Version", "7").is_err());
        /// # Ok(())
        /// # }
        /// ```
        #[doc(alias = "ZMQ_METADATA")]
        #[doc(alias = "zmq_setsockopt")]
        pub fn set_metadata(&self, name: &str, value: &str) -> Result<()> {
            const OPTION: Row = Row { name: "ZMQ_METADATA", number: zmq_sys::ZMQ_METADATA };
            let shown = format!("{name:?}");
            if !name.starts_with("X-") || !(3..=255).contains(&name.len()) || name.contains(':') {
                return Err(OPTION.refused(shown, "X- and 1 to 253 bytes without a colon"));
            }
            let text = CString::new(format!("{name}:{value}"))
                .map_err(|_| Errno::EINVAL.with_detail(OPTION.name, "the text contains a NUL"))?;
            if value.is_empty() {
                return Err(Errno::EINVAL.with_detail(OPTION.name, format_args!("{shown}: the value is empty")));
            }
            self.core()
                .raw()
                .set_option(OPTION.number, &OptionValue::Bytes(text.as_bytes()))
                .map_err(|errno| OPTION.failed(errno, shown))
        }

        /// The priority that the socket's packets have inside this machine: 0 unless set. Draft.
        ///
        /// # Errors
        ///
        /// `ETERM` after the context was shut down.
        ///
        /// ```
        /// # fn main() -> zmq::Result<()> {
        /// # let context = zmq::Context::new()?;
        /// let socket = context.socket(zmq::Pub)?;
        /// assert_eq!(socket.priority()?, 0);
        /// # Ok(())
        /// # }
        /// ```
        #[doc(alias = "ZMQ_PRIORITY")]
        #[doc(alias = "zmq_getsockopt")]
        pub fn priority(&self) -> Result<u32> {
            Number::<0, MAX>::get(PRIORITY, self.core().raw())
        }

        /// Sets the priority that the socket's packets have inside this machine (`SO_PRIORITY`), for connections made
        /// from now on. Draft.
        ///
        /// # Errors
        ///
        /// The system's error for the priority, such as `EPERM` above 6 without the privilege. Without this check
        /// libzmq would abort the process later.
        ///
        /// ```
        /// # fn main() -> zmq::Result<()> {
        /// # let context = zmq::Context::new()?;
        /// let socket = context.socket(zmq::Dealer)?;
        /// socket.set_priority(5)?;
        /// assert_eq!(socket.priority()?, 5);
        /// # Ok(())
        /// # }
        /// ```
        #[doc(alias = "ZMQ_PRIORITY")]
        #[doc(alias = "zmq_setsockopt")]
        pub fn set_priority(&self, priority: u32) -> Result<()> {
            // libzmq sets it on Linux only.
            #[cfg(any(target_os = "linux", target_os = "android"))]
            check_priority(priority)?;
            Number::<0, MAX>::set(PRIORITY, self.core(), priority)
        }
    }

    /// Tries a priority on a socket.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn check_priority(priority: u32) -> Result<()> {
        let tried = match i32::try_from(priority) {
            Ok(_) => UnixDatagram::unbound().and_then(|socket| SockRef::from(&socket).set_priority(priority)),
            Err(_) => Err(io::Error::from_raw_os_error(libc::EINVAL)),
        };
        tried.map_err(|error| {
            let errno = Errno::from_io(&error, Errno::EINVAL);
            errno.with_detail(PRIORITY.name, format_args!("{priority}: the system refuses it to this process"))
        })
    }

    const PRIORITY: Row = Row { name: "ZMQ_PRIORITY", number: zmq_sys::ZMQ_PRIORITY };
}
