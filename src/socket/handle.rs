//! `Socket` methods that concern the handle: its kind, its context, references, and handing it to C code and back.

use std::ffi::{c_int, c_void};
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::Arc;

use super::{Core, Socket, SocketRef};
use crate::context::{Context, Inner};
use crate::error::{Errno, Error, Result};
use crate::kind::{Kind, SocketType};
use crate::raw::{NotSync, RawSocket};

/// # The socket itself: its kind, its context, its C handle
impl<'ctx, T: SocketType> Socket<'ctx, T> {
    /// # Errors
    ///
    /// Those of [`NotSync::new`]; the core comes back.
    #[allow(clippy::result_large_err, reason = "it is the core itself that comes back")]
    pub(crate) fn new(
        raw: RawSocket,
        context: Arc<Inner>,
        kind: T,
        opened_at: &'static Location<'static>,
    ) -> Result<Self, (Core, Error)> {
        match NotSync::new(Core::new(raw, context, kind.kind(), opened_at)) {
            Ok(core) => Ok(Socket { core, _context: PhantomData }),
            Err((core, errno)) => Err((core, errno.for_call("ZMQ_THREAD_SAFE"))),
        }
    }

    /// A socket that C code opened and has perhaps used already.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the socket is not of `kind`, and those of reading its options. The socket is not closed then.
    #[track_caller]
    pub(crate) fn adopt(mut raw: RawSocket, context: &Context, kind: T) -> Result<Self> {
        let handle = raw.address();
        // If the socket is not adopted, the caller keeps the handle.
        let options = match read_adopted(&raw, kind.kind()) {
            Ok(options) => options,
            Err(error) => {
                raw.give_up();
                return Err(error);
            }
        };
        let socket = match Socket::new(raw, context.inner().clone(), kind, Location::caller()) {
            Ok(socket) => socket,
            Err((mut core, error)) => {
                core.raw.give_up();
                return Err(error);
            }
        };
        if let Some(record) = context.inner().take_record(handle, kind.kind()) {
            socket.core().restore(record);
        }
        // C code may have switched ZMQ_CONFLATE on after the record was made.
        for (option, value) in options {
            socket.core().remember(option, value);
        }
        // C code may have bound, connected or received already.
        let core = socket.core();
        {
            let mut known = core.known();
            known.is_used = true;
            known.routing_ids.others_possible = true;
        }
        core.state.set_has_inproc_name();
        #[cfg(feature = "draft")]
        core.state.set_has_datagrams();
        Ok(socket)
    }

    /// The socket's kind.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Sub)?;
    /// assert_eq!(socket.kind(), zmq::Kind::Sub);
    /// assert_eq!(socket.kind().c_name(), "ZMQ_SUB");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_TYPE")]
    pub fn kind(&self) -> Kind {
        self.core().kind
    }

    /// The context that this socket is in.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let front = context.owned_socket(zmq::Router)?;
    /// front.bind("inproc://front")?;
    /// let client = front.context().owned_socket(zmq::Dealer)?;
    /// client.connect("inproc://front")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn context(&self) -> Context {
        self.core().whole_context()
    }

    /// Converts this socket to the untyped `Socket`, whose kind is known at run time only. [`Socket::downcast`] converts it
    /// back.
    ///
    /// ```
    /// use zmq::{Pull, Socket, Sub};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let mut sockets: Vec<Socket<'_>> = Vec::new();
    /// sockets.push(context.socket(Pull)?.into_untyped());
    /// sockets.push(context.socket(Sub)?.into_untyped());
    /// assert!(sockets[0].now().recv_msg()?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_untyped(self) -> Socket<'ctx> {
        Socket { core: self.core.untyped(), _context: PhantomData }
    }

    /// This socket as one of kind `U`.
    ///
    /// # Errors
    ///
    /// The socket itself if it is of another kind.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// use zmq::{Context, Kind, Req, Rep};
    ///
    /// let context = Context::new()?;
    /// let socket = context.socket(Kind::Req)?;
    /// let socket = socket.downcast::<Rep>().unwrap_err();
    /// assert!(socket.downcast::<Req>().is_ok());
    /// # Ok(())
    /// # }
    /// ```
    #[allow(clippy::result_large_err, reason = "it is the socket itself that comes back")]
    pub fn downcast<U: SocketType>(self) -> Result<Socket<'ctx, U>, Self> {
        match self.core.of_kind() {
            Ok(core) => Ok(Socket { core, _context: PhantomData }),
            Err(core) => Err(Socket { core, _context: PhantomData }),
        }
    }

    /// A borrowed reference without the kind, for poll lists and proxies.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let jobs = context.socket(zmq::Pull)?;
    /// let news = context.socket(zmq::Sub)?;
    /// for socket in [jobs.as_ref(), news.as_ref()] {
    ///     println!("{}", socket.kind());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn as_ref(&self) -> SocketRef<'_> {
        SocketRef::new(self.core())
    }

    /// The C handle, for code that is half C. C code must not close it, and must leave `inproc://` names to
    /// [`Socket::bind`]: a socket that connects to a name bound by C code counts as waiting for the name, and is closed
    /// with the context.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Pub)?;
    /// // SAFETY: the socket is open as long as `socket` is, and this thread's.
    /// let rc = unsafe { zmq::sys::zmq_bind(socket.as_raw(), c"inproc://news".as_ptr()) };
    /// assert_eq!(rc, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn as_raw(&self) -> *mut c_void {
        self.core().untracked_handle()
    }

    #[inline]
    pub(crate) fn core(&self) -> &Core {
        self.core.get()
    }
}

/// The options of a socket that C code opened, if it is of `kind`.
fn read_adopted(raw: &RawSocket, kind: Kind) -> Result<[(c_int, c_int); 3]> {
    let number = raw.get_int(zmq_sys::ZMQ_TYPE).map_err(|errno| errno.for_call("ZMQ_TYPE"))?;
    if number != kind.raw() {
        return Err(Errno::EINVAL.with_detail("ZMQ_TYPE", format_args!("{number} is not that of {kind}")));
    }
    let mut options = [zmq_sys::ZMQ_RCVTIMEO, zmq_sys::ZMQ_SNDTIMEO, zmq_sys::ZMQ_CONFLATE].map(|option| (option, 0));
    for (option, value) in &mut options {
        *value = raw.get_int(*option).map_err(|errno| errno.for_call("zmq_getsockopt"))?;
    }
    Ok(options)
}

/// # Giving up the C handle
impl<T: SocketType> Socket<'static, T> {
    /// Gives up the C handle, together with the context. The caller closes the handle with `zmq_close`, and the context
    /// must live until then. The context keeps the socket's state for [`Context::socket_from_raw`].
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// let context = zmq::Context::new()?;
    /// let socket = context.owned_socket(zmq::Pub)?;
    /// let (handle, context) = socket.into_raw();
    /// // SAFETY: the handle was just given up and is of this context and kind.
    /// let socket = unsafe { context.socket_from_raw(handle, zmq::Pub)? };
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_raw(self) -> (*mut c_void, Context) {
        let context = self.context();
        let mut core = self.core.into_inner();
        let handle = core.raw.give_up().map_or(std::ptr::null_mut(), NonNull::as_ptr);
        let record = core.take_record();
        context.inner().keep_record(handle, record);
        (handle, context)
    }
}

impl<T: SocketType> fmt::Debug for Socket<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Socket").field(&self.core().kind).finish()
    }
}
