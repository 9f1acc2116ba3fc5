//! `try_send`: a send by a ROUTER that does not wait.

use zmq::{Errno, Multipart, Result, Router, Socket};

/// Sends a message without waiting. Returns the message if its peer has left, or has no room for it.
pub(crate) fn try_send(router: &Socket<'_, Router>, message: Multipart) -> Result<Option<Multipart>> {
    match router.now().send_multipart(message) {
        Ok(sent) => Ok(sent.into_unsent()),
        // A ROUTER with ZMQ_ROUTER_MANDATORY reports a peer that it does not know.
        Err(failed) if failed.errno() == Errno::EHOSTUNREACH => Ok(Some(failed.into_message())),
        Err(failed) => Err(failed.into_parts().1),
    }
}
