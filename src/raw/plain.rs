//! Messages that are their 64 bytes and nothing else.

use std::ffi::c_void;
use std::mem::MaybeUninit;

use super::RawMessage;

/// The head of libzmq's `msg_t` (`msg.hpp`), whose fields are at the same places on all platforms.
#[repr(C)]
struct Fields {
    metadata: *const c_void,
    content: [MaybeUninit<u8>; 42 - size_of::<*const c_void>()],
    kind: u8,
    flags: u8,
    routing_id: u32,
    group_kind: u8,
}

/// `type_vsm`: the content is inside the message.
const INSIDE: u8 = 101;
/// `msg_t::more`: other parts follow.
const MORE: u8 = 1;
/// `group_type_short`: the group is inside the message.
const SHORT: u8 = 0;

impl RawMessage {
    /// Whether the message refers to no other memory. Such a message needs no `zmq_msg_close`, and a copy of its bytes is a
    /// message of its own. False if unknown: the fields are known for the vendored libzmq alone.
    #[inline(always)]
    pub(super) fn is_plain(&mut self) -> bool {
        if cfg!(not(zmq_vendored)) {
            return false;
        }
        let fields = self.fields();
        fields.kind == INSIDE && fields.metadata.is_null() && fields.group_kind == SHORT
    }

    /// Whether more parts follow the message, which was received and not changed since.
    #[inline(always)]
    pub(crate) fn has_more(&mut self) -> bool {
        if cfg!(zmq_vendored) {
            return self.fields().flags & MORE != 0;
        }
        // SAFETY: the message is initialised (type invariant).
        unsafe { zmq_sys::zmq_msg_more(self.as_mut_ptr()) == 1 }
    }

    /// The fields of a message of the vendored libzmq. An exclusive reference keeps out the threads that copy a message, which
    /// writes its flags.
    #[inline(always)]
    fn fields(&mut self) -> &Fields {
        // SAFETY: the message is initialised (type invariant), and every function that does so writes these fields. The tests
        // compare them with libzmq's.
        unsafe { &*self.as_mut_ptr().cast::<Fields>() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::context::Context;
    use crate::kind::Dealer;
    use crate::message::Message;

    fn is_plain(message: impl Into<Message>) -> bool {
        message.into().raw_mut().is_plain()
    }

    /// Fails if the fields of the vendored libzmq are at other places.
    #[test]
    fn plain_messages_refer_to_no_other_memory() {
        if cfg!(not(zmq_vendored)) {
            return eprintln!(
                "skipped: plain_messages_refer_to_no_other_memory: the fields of this libzmq are unknown"
            );
        }
        assert!(is_plain(Message::new()));
        for len in 0..=33 {
            assert!(is_plain(vec![b'e'; len]) && is_plain(vec![0; len]), "{len}");
        }
        // With short pointers 37 bytes fit.
        for len in [38, 101, 1000, 1 << 20] {
            assert!(!is_plain(vec![b'e'; len].as_slice()) && !is_plain(vec![b'e'; len]), "{len}");
            assert!(!is_plain(Arc::from(vec![b'e'; len])), "{len}");
        }
        assert!(!is_plain(Message::from_static(b"constant")));
        assert!(!is_plain(Message::from_owner("an owner")));

        let mut long = Message::from(vec![b'e'; 1000]);
        assert!(!is_plain(long.clone()) && !is_plain(&mut long) && long.raw_mut().is_plain());
    }

    /// The metadata is counted, and has the flag that others follow beside it.
    #[test]
    fn message_with_metadata_is_not_plain() -> crate::error::Result<()> {
        let context = Context::new()?;
        let (server, client) = (context.socket(Dealer)?, context.socket(Dealer)?);
        client.connect(&server.bind("tcp://127.0.0.1:*")?)?;
        client.send_multipart(["one", "two"])?;
        let mut parts = server.recv_multipart()?;
        for (part, more) in parts.iter_mut().zip([true, false]) {
            assert_eq!(part.gets("Socket-Type").as_deref(), Some("DEALER"));
            assert!(!part.raw_mut().is_plain());
            assert_eq!((part.raw_mut().has_more(), part.more()), (more, more));
        }
        Ok(())
    }

    /// A long group is counted memory of its own.
    #[cfg(feature = "draft")]
    #[test]
    fn message_with_a_long_group_is_not_plain() -> crate::error::Result<()> {
        if cfg!(not(zmq_vendored)) {
            eprintln!("skipped: message_with_a_long_group_is_not_plain: the fields of this libzmq are unknown");
            return Ok(());
        }
        let mut message = Message::from("news");
        message.set_group("short")?;
        assert!(message.raw_mut().is_plain());
        let mut message = Message::from("news");
        message.set_group("a group with a long name")?;
        assert!(!message.raw_mut().is_plain());
        Ok(())
    }
}
