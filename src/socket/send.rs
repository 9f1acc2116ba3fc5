//! Sending.

use std::ffi::c_int;

use super::precheck::LONGEST_PREFIX;
use super::wait::Wait;
use super::{Core, Socket};
use crate::error::LongId;
use crate::error::{Errno, Error, SendError};
use crate::kind::{CanMultipart, CanSend, Kind, SocketType};
use crate::message::{IntoMessage, Message};
use crate::multipart::{IntoMultipart, Multipart};
use crate::poll_events::PollEvents;
use crate::raw::{ByType, Contents, FastCalls, RawMessage, by_type, contents};

const CALL: &str = "zmq_msg_send";

/// The outcome of a send that does not wait, or waits until a deadline.
#[derive(Debug)]
#[must_use = "a message that was not sent is in here"]
pub enum TrySend<M = Message> {
    /// libzmq has accepted the message.
    Sent,
    /// No room was left for the message, which is in here.
    WouldBlock(M),
}

impl<M> TrySend<M> {
    /// Whether the message was sent.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Push)?;
    /// if !socket.now().send("status")?.is_sent() {
    ///     println!("nobody wants to know");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_sent(&self) -> bool {
        matches!(self, TrySend::Sent)
    }

    /// The message, if it was not sent.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Push)?;
    /// if let Some(message) = socket.now().send("job")?.into_unsent() {
    ///     println!("left to do: {message:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_unsent(self) -> Option<M> {
        match self {
            TrySend::Sent => None,
            TrySend::WouldBlock(message) => Some(message),
        }
    }

    pub(crate) fn from_outcome(outcome: Result<(), SendError<M>>) -> Result<TrySend<M>, SendError<M>> {
        match outcome {
            Ok(()) => Ok(TrySend::Sent),
            Err(failed) if failed.error().errno() == Errno::EAGAIN => Ok(TrySend::WouldBlock(failed.into_message())),
            Err(failed) => Err(failed),
        }
    }
}

/// # Sending
impl<T: SocketType> Socket<'_, T> {
    /// Sends a message: a text, bytes or a [`Message`]. PUSH, DEALER, REQ and PAIR wait for a peer with room; PUB, XPUB
    /// and ROUTER drop the message instead: see
    /// [surprises](crate::surprises#a-send-without-a-peer-waits-or-drops-the-message).
    ///
    /// A message is anything that is `Into<Message>`. Texts, slices and arrays are copied, as `zmq_send` does. A `Vec`,
    /// `String`, `Box<[u8]>` or `Arc<[u8]>` is handed over, and sent without a copy. `&mut message` takes the content of a
    /// [`Message`] and leaves it empty, so that one message serves for receiving and sending. It is empty after a failure
    /// too: the content is in the error.
    ///
    /// `Ok` means that the message is queued. A process that ends by [`std::process::exit`], or whose context is in a
    /// `static`, loses queued messages, except if it calls [`Context::terminate`](crate::Context::terminate) first.
    ///
    /// C's flags are methods: [`Socket::send_more`] for `ZMQ_SNDMORE`, [`Socket::now`] for `ZMQ_DONTWAIT`. If a flag is an
    /// argument, the compiler names the method, and also advises to remove the argument. The call would then compile, and end
    /// the message, or wait.
    ///
    /// # Errors
    ///
    /// The message comes back in the error. `EAGAIN` after [`Socket::set_sndtimeo`]'s time, `EFSM` on a REQ that awaits
    /// a reply or a REP without a request, `EHOSTUNREACH` on a ROUTER with `ZMQ_ROUTER_MANDATORY`, a STREAM, SERVER or
    /// PEER whose peer is unknown or has left, `EINVAL` on a RADIO without a group, a DGRAM without an address, or a STREAM
    /// for a message that is not an id and data, `ECONNRESET` if the peer of the parts before this one has left (see
    /// [`Socket::send_more`]), `ETERM` after the context was shut down, `EINTR` if a signal ended the wait
    /// ([`interrupt`](crate::interrupt)).
    ///
    /// ```
    /// # use zmq::{Context, Pair};
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// # let (left, right) = (context.socket(Pair)?, context.socket(Pair)?);
    /// # left.bind("inproc://pair")?;
    /// # right.connect("inproc://pair")?;
    /// left.send("text")?;
    /// left.send(vec![0; 100_000])?;
    /// # right.recv_msg()?;
    /// # right.recv_msg()?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_send")]
    #[doc(alias = "zmq_msg_send")]
    #[doc(alias = "zmq_sendmsg")]
    #[doc(alias = "zmq_send_const")]
    #[inline]
    pub fn send(&self, message: impl IntoMessage) -> Result<(), SendError>
    where
        T: CanSend,
    {
        self.core().send_fast(message)
    }

    /// Sends a part of a message. More parts follow it. Nothing travels before the last part is sent.
    /// [`Socket::send_multipart`] sends a whole message, and begins it again with another peer if the first one leaves.
    ///
    /// # Errors
    ///
    /// As [`Socket::send`]. `ECONNRESET` on PUSH, DEALER and PAIR if the peer of the parts before this one has left. The
    /// message is lost, and the next part begins another one: send the message again from its first part. A REQ returns
    /// no error, and its request is lost with the peer.
    ///
    /// ```
    /// # use zmq::{Context, Pair};
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// # let (left, right) = (context.socket(Pair)?, context.socket(Pair)?);
    /// # left.bind("inproc://pair")?;
    /// # right.connect("inproc://pair")?;
    /// left.send_more("header")?;
    /// left.send("body")?;
    /// assert_eq!(right.recv_multipart()?, ["header", "body"]);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_SNDMORE")]
    #[inline]
    pub fn send_more(&self, message: impl IntoMessage) -> Result<(), SendError>
    where
        T: CanSend + CanMultipart,
    {
        self.core().send_message(message.into(), true, Wait::ByOption)
    }

    /// Sends a multipart message as a whole: from an array or a `Vec` of parts, or a [`Multipart`].
    ///
    /// An array of up to four texts or byte slices, or a slice of any number of them, is sent part by part, without an allocation
    /// for a list. Other parts become a [`Multipart`] first.
    ///
    /// # Errors
    ///
    /// As [`Socket::send`], with all parts in the error; `EINVAL` for a message of no parts.
    ///
    /// ```
    /// # use zmq::{Context, Pair};
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// # let (left, right) = (context.socket(Pair)?, context.socket(Pair)?);
    /// # left.bind("inproc://pair")?;
    /// # right.connect("inproc://pair")?;
    /// left.send_multipart(["key", "value"])?;
    /// assert_eq!(right.recv_multipart()?.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_sendiov")]
    pub fn send_multipart(&self, parts: impl IntoMultipart) -> Result<(), SendError<Multipart>>
    where
        T: CanSend + CanMultipart,
    {
        self.core().send_multipart(parts, Wait::ByOption)
    }

    /// Has libzmq drop the rest of a message whose peer has left, as in C: a send that can wait returns `Ok`. One that does
    /// not wait returns `EAGAIN` once. For compat/zmq.
    #[doc(hidden)]
    pub fn leave_rest_to_libzmq(&self) {
        self.core().state.set_leaves_rest();
    }
}

impl Core {
    /// Sends without flags. If the fast path is allowed, libzmq gets bytes and messages without a move: moving a
    /// message costs some per cent of sending it. If libzmq refuses the message, `send_message` sends it.
    #[inline(always)]
    fn send_fast<M: IntoMessage>(&self, mut message: M) -> Result<(), SendError> {
        match by_type(&mut message) {
            ByType::Bytes(content) => {
                let Some(socket) = self.raw.fast_send() else { return self.send_slow(message.into(), Ok(())) };
                if socket.send_bytes(content, 0) {
                    return Ok(());
                }
                let checked = self.check_fast();
                self.send_slow(message.into(), checked)
            }
            ByType::Message(content) => {
                let Some(socket) = self.raw.fast_send() else { return self.send_slow(message.into(), Ok(())) };
                if socket.send(content.raw_mut(), 0) {
                    // The message is empty now and needs no `zmq_msg_close`.
                    std::mem::forget(message);
                    return Ok(());
                }
                let checked = self.check_fast();
                self.send_slow(message.into(), checked)
            }
            ByType::Other => {
                // `into` may use this socket, so it comes before the check.
                let mut message = message.into();
                let Some(socket) = self.raw.fast_send() else { return self.send_slow(message, Ok(())) };
                if socket.send(message.raw_mut(), 0) {
                    std::mem::forget(message);
                    return Ok(());
                }
                self.send_slow(message, self.check_fast())
            }
        }
    }

    /// Sends bytes or a message without a move and without a wait, if the fast path is allowed. A message is empty afterwards,
    /// and unsent after a failure.
    ///
    /// # Errors
    ///
    /// `EAGAIN`. After any other error [`Core::send_in_place`] sends the message, or has its error.
    #[inline]
    pub(crate) fn send_now<M: IntoMessage>(&self, message: &mut M) -> Result<(), Errno> {
        let socket = self.raw.fast_send().ok_or(Errno::ENOTSUP)?;
        match by_type(message) {
            ByType::Bytes(content) => socket.send_bytes_now(content),
            ByType::Message(message) => {
                socket.send_now(message.raw_mut()).inspect_err(|_| message.raw_mut().forget_followed())
            }
            ByType::Other => Err(Errno::ENOTSUP),
        }
    }

    /// Sends a message that was not sent on the fast path, unless a signal has ended the call there.
    #[cold]
    fn send_slow(&self, mut message: Message, fast: Result<(), Errno>) -> Result<(), SendError> {
        match fast {
            Ok(()) => self.send_message(message, false, Wait::ByOption),
            Err(errno) => {
                message.raw_mut().forget_followed();
                Err(SendError::new(message, self.failed(CALL, errno)))
            }
        }
    }

    /// Sends a message, or a part of one. With `more`, other parts follow it.
    pub(crate) fn send_message(&self, mut message: Message, more: bool, wait: Wait) -> Result<(), SendError> {
        self.send_in_place(&mut message, more, wait).map_err(|error| SendError::new(message, error))
    }

    /// As [`Core::send_message`]. The message is empty afterwards, and unsent after a failure.
    pub(crate) fn send_in_place(&self, message: &mut Message, more: bool, wait: Wait) -> Result<(), Error> {
        self.check_parts(more)?;
        self.check_raw_parts(1, more)?;
        #[cfg(feature = "draft")]
        self.check_part(message.raw(), more)?;
        self.send_part(message.raw_mut(), more, wait).map_err(|errno| {
            message.raw_mut().forget_followed();
            self.send_error(errno, message)
        })
    }

    /// Sends a part that was checked. `ECONNRESET` if the peer of the parts before it has gone: the message
    /// is lost, and the next part begins another.
    #[inline]
    pub(crate) fn send_part(&self, part: &mut RawMessage, more: bool, wait: Wait) -> Result<(), Errno> {
        if self.kind() == Kind::XSub && is_too_long(part) {
            return Err(Errno::EMSGSIZE);
        }
        if !self.has_chosen_peer() {
            return self.send_part_to_any(part, more, wait);
        }
        // The peer has room for the other parts, or has gone: waiting does not help.
        match self.send_part_to_any(part, more, Wait::No) {
            Err(Errno::EAGAIN) if self.state.leaves_rest() => self.leave_rest(part, more, wait),
            Err(Errno::EAGAIN) if self.kind() == Kind::Req => {
                // A REQ cannot begin its request again. The request is lost with the peer, as if the peer had gone a
                // moment later.
                *part = RawMessage::new();
                self.note_part(more);
                Ok(())
            }
            Err(Errno::EAGAIN) => {
                self.finish_aborted_message(more);
                Err(Errno::ECONNRESET)
            }
            sent => sent,
        }
    }

    /// Does as C with the part that libzmq refuses because the peer has gone: a call that can wait drops it. libzmq drops the
    /// parts behind it. A second try, after a wait for room, would send a last part as a message of its own.
    #[cold]
    fn leave_rest(&self, part: &mut RawMessage, more: bool, wait: Wait) -> Result<(), Errno> {
        self.note_part(more);
        if wait == Wait::No || self.state.sndtimeo() == 0 {
            return Err(Errno::EAGAIN);
        }
        *part = RawMessage::new();
        Ok(())
    }

    #[inline]
    fn send_part_to_any(&self, part: &mut RawMessage, more: bool, wait: Wait) -> Result<(), Errno> {
        let sndmore = if more { zmq_sys::ZMQ_SNDMORE } else { 0 };
        if let Some(flags) = self.flags_in_c(wait, self.state.sndtimeo()) {
            match self.raw().send(part, flags | sndmore) {
                Err(Errno::EINTR) if self.goes_on(flags) => {}
                Ok(()) => {
                    self.note_part(more);
                    return Ok(());
                }
                failed => return failed,
            }
        }
        self.wait(PollEvents::POLLOUT, wait.deadline(self.state.sndtimeo()), || {
            self.raw().send(part, sndmore | zmq_sys::ZMQ_DONTWAIT)
        })?;
        self.note_part(more);
        Ok(())
    }

    /// The error for a message that was not sent; `part` is its first part, or the one that is too long.
    #[cold]
    fn send_error(&self, errno: Errno, part: &Message) -> Error {
        #[cfg(feature = "draft")]
        {
            if self.kind() == Kind::Dgram && errno != Errno::EAGAIN {
                // libzmq has discarded the address that was sent before.
                self.note_part(false);
            }
            if let Some(error) = self.unreached(part).filter(|error| error.errno() == errno) {
                return error;
            }
        }
        match errno {
            Errno::EHOSTUNREACH if matches!(self.kind(), Kind::Router | Kind::Stream) => {
                errno.with_detail(CALL, format_args!("no peer has the id {}", LongId(part)))
            }
            Errno::EMSGSIZE if self.kind() == Kind::XSub => {
                let len = part.len() - 1;
                errno.with_detail(CALL, format_args!("a prefix of {len} bytes; the longest has {LONGEST_PREFIX}"))
            }
            Errno::ECONNRESET => errno
                .with_detail(CALL, "the peer has left in the middle of the message; send it again from its first part"),
            _ => self.failed(CALL, errno),
        }
    }

    /// Sends a multipart message whole. Bytes and texts go to libzmq one by one, without a list and without messages of this
    /// library: after a failure `parts` still has them.
    #[inline(always)]
    pub(crate) fn send_multipart<P: IntoMultipart>(&self, parts: P, wait: Wait) -> Result<(), SendError<Multipart>> {
        let sent = match contents(&parts) {
            Some(Contents::Bytes(contents)) => self.send_contents(contents, wait),
            Some(Contents::Texts(contents)) => self.send_contents(contents, wait),
            None => Ok(false),
        };
        match sent {
            Ok(true) => Ok(()),
            Ok(false) => self.send_parts(parts.into(), wait),
            Err(failed) if failed.begins_again(wait) => self.send_parts(parts.into(), wait),
            Err(failed) => Err(self.unsent(parts.into(), failed.errno)),
        }
    }

    /// Sends a multipart message whole.
    pub(crate) fn send_parts(&self, mut parts: Multipart, wait: Wait) -> Result<(), SendError<Multipart>> {
        if parts.is_empty() {
            return Err(SendError::new(parts, Errno::EINVAL.with_detail(CALL, "a message of no parts")));
        }
        if let Err(error) = self.check_parts(parts.len() > 1) {
            return Err(SendError::new(parts, error));
        }
        if let Err(error) = self.check_raw_parts(parts.len(), false) {
            return Err(SendError::new(parts, error));
        }
        #[cfg(feature = "draft")]
        if let Err(error) = self.check_whole(&parts) {
            return Err(SendError::new(parts, error));
        }
        match self.send_whole(&mut parts, false, wait) {
            Ok(()) => Ok(()),
            Err(failed) => self.send_again(parts, failed, wait),
        }
    }

    /// Sends a message that was not sent whole, unless its error is final.
    #[cold]
    #[inline(never)]
    fn send_again(&self, mut parts: Multipart, mut failed: PartFailed, wait: Wait) -> Result<(), SendError<Multipart>> {
        while failed.begins_again(wait) {
            match self.send_whole(&mut parts, false, wait) {
                Ok(()) => return Ok(()),
                Err(again) => failed = again,
            }
        }
        Err(self.unsent(parts, failed.errno))
    }

    /// The error for a multipart message that was not sent.
    #[cold]
    fn unsent(&self, parts: Multipart, errno: Errno) -> SendError<Multipart> {
        let named = parts.iter().find(|part| errno == Errno::EMSGSIZE && is_too_long(part.raw()));
        let error = self.send_error(errno, named.unwrap_or(&parts[0]));
        SendError::new(parts, error)
    }

    /// Checks that the socket may send a message of one part, or of several.
    #[inline(always)]
    pub(crate) fn check_parts(&self, several: bool) -> Result<(), Error> {
        if self.takes_parts(several) { Ok(()) } else { Err(self.refused_parts()) }
    }

    /// Whether the socket may send a message of one part, or of several. REQ and REP add a part of their own.
    #[inline(always)]
    fn takes_parts(&self, several: bool) -> bool {
        let goes_in_parts = several || matches!(self.kind(), Kind::Req | Kind::Rep);
        !(several && self.kind().is_thread_safe() || goes_in_parts && self.is_single_part_only())
    }

    #[cold]
    fn refused_parts(&self) -> Error {
        if self.kind().is_thread_safe() {
            return Errno::EINVAL.with_detail(CALL, format_args!("messages of a {} socket have one part", self.kind()));
        }
        let why = "a message of several parts, and ZMQ_CONFLATE, here or at a peer, keeps one part";
        Errno::EINVAL.with_detail(CALL, why)
    }

    /// Checks the number of `parts`. With `more`, others follow them. A message to a peer without ZMTP is an id and data.
    /// libzmq drops a message of fewer or more parts, and then takes data for an id.
    #[inline]
    pub(crate) fn check_raw_parts(&self, parts: usize, more: bool) -> Result<(), Error> {
        if !self.is_raw() {
            return Ok(());
        }
        let parts = usize::from(self.state.is_mid_message()) + parts;
        if parts == if more { 1 } else { 2 } {
            return Ok(());
        }
        let has = if more { "more than " } else { "" };
        let why = format_args!("a message of a {} socket is an id and data; this has {has}{parts} parts", self.kind());
        Err(Errno::EINVAL.with_detail(CALL, why))
    }

    /// Sends a message. `parts` is still whole after a failure, and with `keep`: parts that others follow are sent as copies,
    /// which share their content.
    #[inline(always)]
    pub(crate) fn send_whole(&self, parts: &mut [Message], keep: bool, wait: Wait) -> Result<(), PartFailed> {
        let Some((last, others)) = parts.split_last_mut() else { return Ok(()) };
        let copied = others.len() + usize::from(keep);
        let fast = self.fast_parts(wait);
        let mut sent = 0;
        if let Some(socket) = fast {
            let mut flags = Place::new(0, false, wait).flags();
            let all = others.iter_mut().all(|part| {
                let is_sent = part.raw_mut().send_copy(|copy| socket.send(copy, flags | zmq_sys::ZMQ_SNDMORE));
                sent += usize::from(is_sent);
                flags = zmq_sys::ZMQ_DONTWAIT;
                is_sent
            });
            let last = last.raw_mut();
            // libzmq takes the last part, and the message with it, or leaves it here.
            let send = |part: &mut RawMessage| socket.send(part, flags);
            if all && if keep { last.send_copy(send) } else { send(last) } {
                self.note_part(false);
                return Ok(());
            }
        }
        self.send_rest(parts, sent, copied, fast.is_some(), wait)
    }

    /// Sends the parts from `first` on, which the fast path did not send: as copies, up to the part `copied`. `is_refused` if its
    /// last call has refused the first of them.
    #[inline(never)]
    fn send_rest(
        &self,
        parts: &mut [Message],
        first: usize,
        copied: usize,
        mut is_refused: bool,
        wait: Wait,
    ) -> Result<(), PartFailed> {
        // After its first part a message cannot be taken back.
        if self.kind() == Kind::XSub && parts.iter().any(|part| is_too_long(part.raw())) {
            return Err(PartFailed { errno: Errno::EMSGSIZE, begun: false });
        }
        for index in first..parts.len() {
            let place = Place::new(index, index + 1 < parts.len(), wait);
            if index < copied {
                // The copy leaves the error number of the refused call as it is.
                self.send_refused(&mut parts[index].raw().copy(), is_refused, place)?;
            } else {
                let part = parts[index].raw_mut();
                self.send_refused(part, is_refused, place).inspect_err(|_| part.forget_followed())?;
            }
            is_refused = false;
        }
        self.note_part(false);
        Ok(())
    }

    /// Sends a message of bytes or texts, which libzmq copies. Returns false if it has sent no part and knows no error: then
    /// `send_parts` must send the message.
    #[inline(always)]
    fn send_contents<C: AsRef<[u8]>>(&self, parts: &[C], wait: Wait) -> Result<bool, PartFailed> {
        let Some(socket) = self.fast_parts(wait) else { return Ok(false) };
        if parts.is_empty() || !self.takes_parts(parts.len() > 1) {
            return Ok(false);
        }
        let last = parts.len() - 1;
        for (index, part) in parts.iter().enumerate() {
            // A closure, so that a `Place` is made in memory for the slow path alone.
            let place = || Place::new(index, index < last, wait);
            if !socket.send_bytes(part.as_ref(), place().flags()) {
                if index == 0 {
                    return match self.check_fast() {
                        // A signal does not end a call that does not wait.
                        Err(errno) if wait != Wait::No => Err(PartFailed { errno, begun: false }),
                        _ => Ok(false),
                    };
                }
                self.send_refused_bytes(part.as_ref(), place())?;
            }
        }
        self.note_part(false);
        Ok(true)
    }

    /// The fast path, if the parts of a message may take it. There the socket is not in the middle of a message, and no message
    /// needs a check, except `check_parts`.
    #[inline(always)]
    fn fast_parts(&self, wait: Wait) -> Option<FastCalls<'_>> {
        self.raw.fast_send().filter(|_| matches!(wait, Wait::ByOption | Wait::No))
    }

    /// Sends a part that the fast path did not send: it is not allowed, or its last call has refused the part.
    #[cold]
    #[inline(never)]
    fn send_refused(&self, part: &mut RawMessage, is_refused: bool, place: Place) -> Result<(), PartFailed> {
        let checked = if is_refused { self.check_refused(&place) } else { Ok(()) };
        self.send_checked(part, checked, place)
    }

    /// Sends a copy of a part that the fast path has refused.
    #[cold]
    #[inline(never)]
    fn send_refused_bytes(&self, part: &[u8], place: Place) -> Result<(), PartFailed> {
        // The copy allocates, which may change the error number.
        let checked = self.check_refused(&place);
        self.send_checked(&mut RawMessage::copy_of(part), checked, place)
    }

    fn send_checked(&self, part: &mut RawMessage, checked: Result<(), Errno>, place: Place) -> Result<(), PartFailed> {
        let Place { begun, more, wait } = place;
        match checked.and_then(|()| self.send_part(part, more, wait)) {
            Ok(()) => Ok(()),
            Err(Errno::ECONNRESET) if begun => Err(PartFailed { errno: Errno::EAGAIN, begun }),
            Err(Errno::EAGAIN) if begun => {
                self.finish_aborted_message(more);
                Err(PartFailed { errno: Errno::EAGAIN, begun })
            }
            Err(errno) => Err(PartFailed { errno, begun }),
        }
    }

    /// Checks the error of the fast path's last call, which has refused a part. `Ok` if the part may be sent again.
    fn check_refused(&self, place: &Place) -> Result<(), Errno> {
        let errno = self.raw.errno();
        if place.begun {
            // The fast path has left no note of the parts before.
            self.note_part(true);
        }
        match place.wait {
            // A second try is wrong here: libzmq says once that the peer has gone, and the next part begins a message.
            Wait::No if errno != Errno::EINTR => Err(errno),
            Wait::No => Ok(()),
            _ => self.check_fast(),
        }
    }

    /// Finishes a message whose peer has gone in the middle, for the kinds that discard its parts up to the last one.
    fn finish_aborted_message(&self, more: bool) {
        if more && self.discards_aborted_messages() {
            // The part is discarded. If the call fails, the context has ended, and the message with it.
            let _ = self.raw().send(&mut RawMessage::new(), zmq_sys::ZMQ_DONTWAIT);
        }
        self.note_part(false);
    }
}

/// Whether a message is a subscription, or the end of one, with a prefix longer than [`LONGEST_PREFIX`].
#[cold]
fn is_too_long(message: &RawMessage) -> bool {
    message.len() > 1 + LONGEST_PREFIX && message.content()[0] <= 1
}

/// The place of a part in its message, and how its send waits.
#[derive(Clone, Copy)]
struct Place {
    /// Whether libzmq has accepted parts before it.
    begun: bool,
    /// Whether parts follow.
    more: bool,
    wait: Wait,
}

impl Place {
    /// After an accepted first part the others have room, or the peer has gone: waiting does not help.
    #[inline(always)]
    fn new(index: usize, more: bool, wait: Wait) -> Place {
        let begun = index > 0;
        Place { begun, more, wait: if begun { Wait::No } else { wait } }
    }

    /// C's flags on the fast path.
    #[inline(always)]
    fn flags(self) -> c_int {
        let dontwait = if self.wait == Wait::No { zmq_sys::ZMQ_DONTWAIT } else { 0 };
        dontwait | if self.more { zmq_sys::ZMQ_SNDMORE } else { 0 }
    }
}

/// A message that was not sent whole.
pub(crate) struct PartFailed {
    pub(crate) errno: Errno,
    /// Whether libzmq accepted parts before the one that failed.
    begun: bool,
}

impl PartFailed {
    /// Whether the message begins again: its peer has gone in the middle, with the parts that it had received.
    fn begins_again(&self, wait: Wait) -> bool {
        self.errno == Errno::EAGAIN && self.begun && wait != Wait::No
    }
}
