//! Options whose values are handles, or that must not be set alone.

use std::ffi::c_short;

use super::dynamic::{Access, Getter, NO_SET};
use super::kinds::{self, Kinds, accepted};
use super::row::Row;
use super::{CType, OptionInfo};
use crate::error::Result;
use crate::kind::{HasFd, SocketType};
use crate::poll_events::PollEvents;
use crate::raw::platform::BorrowedFd;
use crate::socket::{Core, LAST_ENDPOINT, Socket};

/// A row of an int that every socket has, and that can be read.
const INT: OptionInfo = OptionInfo {
    name: "",
    number: 0,
    c_type: CType::Int,
    get: true,
    set: false,
    kinds: Kinds::ALL,
    accepted: Kinds::ALL,
    draft: false,
    access: by_method(""),
};

/// The access of an option that has a method only, because reading or setting it takes more than a value. `why` is the text
/// of the error.
const fn by_method(why: &'static str) -> Access {
    Access { get: Err(why), set: Err(why) }
}

const fn read_only(get: Getter) -> Access {
    Access { get: Ok(get), set: NO_SET }
}

pub(crate) static ROWS: &[OptionInfo] = &[
    OptionInfo {
        name: "ZMQ_FD",
        number: zmq_sys::ZMQ_FD,
        kinds: kinds::HasFd,
        accepted: kinds::HasFd,
        access: by_method("its value is a descriptor, which Socket::fd lends"),
        ..INT
    },
    OptionInfo {
        name: "ZMQ_EVENTS",
        number: zmq_sys::ZMQ_EVENTS,
        access: read_only(|row, core| core.ready_events(row).map(|events| i32::from(c_short::from(events)).into())),
        ..INT
    },
    OptionInfo {
        name: "ZMQ_TYPE",
        number: zmq_sys::ZMQ_TYPE,
        access: read_only(|_row, core| Ok(core.kind().raw().into())),
        ..INT
    },
    OptionInfo {
        name: "ZMQ_LAST_ENDPOINT",
        number: zmq_sys::ZMQ_LAST_ENDPOINT,
        c_type: CType::Text(usize::MAX),
        access: read_only(|row, core| row.get_text(core.raw()).map(Into::into)),
        ..INT
    },
    OptionInfo {
        name: "ZMQ_USE_FD",
        number: zmq_sys::ZMQ_USE_FD,
        set: true,
        access: by_method("its value is a descriptor, which Socket::bind_fd adopts"),
        ..INT
    },
    OptionInfo {
        name: "ZMQ_CONNECT_ROUTING_ID",
        number: zmq_sys::ZMQ_CONNECT_ROUTING_ID,
        c_type: CType::Bytes(255),
        get: false,
        set: true,
        kinds: kinds::RoutingKind,
        accepted: accepted::ROUTING,
        access: by_method("Socket::connect_with_routing_id sets it for its connection"),
        ..INT
    },
    // zmq.h lists this context option among the socket options. Every socket refuses it.
    OptionInfo {
        name: "ZMQ_BLOCKY",
        number: zmq_sys::ZMQ_BLOCKY,
        get: false,
        kinds: Kinds::NONE,
        accepted: Kinds::NONE,
        access: by_method("an option of contexts"),
        ..INT
    },
];

impl Core {
    fn ready_events(&self, row: Row) -> Result<PollEvents> {
        self.raw().events().map_err(|errno| row.failed(errno, "not readable"))
    }
}

/// # What the socket reports
impl<T: SocketType> Socket<'_, T> {
    /// The operations that the socket can do now without waiting: receive, send, both or none.
    ///
    /// `POLLOUT` of a STREAM, SERVER or PEER, and of a socket with [`Socket::set_xpub_nodrop`], is always set. That of a ROUTER
    /// with [`Socket::set_router_mandatory`] is set if any peer has room. A send may find no room all the same. A loop that
    /// tries it again at once takes a whole processor: wait by [`Socket::within`], or for the next signal of [`Socket::fd`].
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
        self.core().ready_events(row)
    }

    /// The descriptor that becomes readable when [`Socket::events`] may have changed, for the program's own event loop.
    ///
    /// The descriptor is edge-triggered, and readable does not mean that a message is there. Call [`Socket::events`]
    /// when it was readable, and after *every* send, receive and change of subscriptions; otherwise a wake-up is lost:
    /// see [surprises](crate::surprises#the-descriptor-of-a-socket-is-not-readable-while-messages-are-there).
    /// If several tasks wait for one socket, a call of one of them can take the wake-up of another: after each call, wake the
    /// tasks that wait for the events of [`Socket::events`]. The sockets of the [features](crate#features) `tokio` and
    /// `async-io` do.
    ///
    /// The descriptor is for waiting only. If the system has epoll, it is an epoll descriptor that watches libzmq's
    /// own. Otherwise it is libzmq's own: never read from it or write to it, because a byte written to it aborts the
    /// process.
    ///
    /// On Linux, `fs.epoll.max_user_watches` bounds the number of descriptors that all epoll descriptors of a user watch. This
    /// one watches one descriptor, and libzmq watches each listener and each connection. At the limit this call fails with
    /// `ENOSPC`, and libzmq polls what it cannot watch every 10 ms; without the patch 0091 it aborts the process.
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

    use super::{Access, CType, Core, INT, OptionInfo, Row};
    use crate::error::{Errno, Result};
    use crate::kind::SocketType;
    use crate::raw::RawValue;
    use crate::socket::Socket;
    use crate::sockopt::codec::{Get, IntCodec, MAX, Number, Set};
    use crate::sockopt::dynamic::{NO_GET, get_dynamic};
    use crate::sockopt::value::OptionValue;

    pub(crate) static ROWS: &[OptionInfo] = &[
        OptionInfo {
            name: "ZMQ_METADATA",
            number: zmq_sys::ZMQ_METADATA,
            c_type: CType::Bytes(usize::MAX),
            get: false,
            set: true,
            draft: true,
            access: Access { get: NO_GET, set: Ok(set_metadata_dynamic) },
            ..INT
        },
        OptionInfo {
            name: "ZMQ_PRIORITY",
            number: zmq_sys::ZMQ_PRIORITY,
            set: true,
            draft: true,
            access: Access {
                get: Ok(get_dynamic::<Priority, u32>),
                set: Ok(|row, core, value| core.set_priority(Priority::from_value(row, &value.parsed())?)),
            },
            ..INT
        },
    ];

    type Priority = Number<0, MAX>;

    /// Sets a property from a text in C's format: name, colon, value.
    fn set_metadata_dynamic(row: Row, core: &Core, value: &OptionValue) -> Result<()> {
        let OptionValue::Text(text) = value else { return Err(value.mismatch(row.name, "a text")) };
        match text.split_once(':') {
            Some((name, value)) => core.set_metadata(name, value),
            None => Err(value.mismatch(row.name, "a text such as X-name:value")),
        }
    }

    impl Core {
        fn set_metadata(&self, name: &str, value: &str) -> Result<()> {
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
            self.raw()
                .set_option(OPTION.number, &RawValue::Bytes(text.as_bytes()))
                .map_err(|errno| OPTION.failed(errno, shown))
        }

        fn set_priority(&self, priority: u32) -> Result<()> {
            // libzmq sets the priority on Linux only.
            #[cfg(any(target_os = "linux", target_os = "android"))]
            check_priority(priority)?;
            Priority::set(PRIORITY, self, priority)
        }
    }

    /// # Draft options of connections
    impl<T: SocketType> Socket<'_, T> {
        /// Adds a property to the handshake of connections made from now on; the peer reads it with
        /// [`Message::gets`](crate::Message::gets). The name begins with `X-` and has up to 255 bytes. Of two properties with
        /// the same name the first counts. Draft.
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
            self.core().set_metadata(name, value)
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
            Priority::get(PRIORITY, self.core().raw())
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
            self.core().set_priority(priority)
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
