//! Sending to a peer that is not connected yet.

use zmq::{Errno, Multipart, Router, Socket, interrupt};

use super::Result;

/// Sends a message from a ROUTER, and waits until its peer is connected. Ctrl-C ends the wait.
///
/// A ROUTER drops a message for an unknown peer. A mandatory ROUTER refuses it, so the message can be sent again.
pub fn send_when_there(router: &Socket<'_, Router>, message: &Multipart) -> Result {
    router.set_router_mandatory(true)?;
    while !interrupt::interrupted() {
        match router.send_multipart(message) {
            Err(failed) if failed.error().errno() == Errno::EHOSTUNREACH => super::pause(5)?,
            sent => return Ok(sent?),
        }
    }
    Ok(())
}
