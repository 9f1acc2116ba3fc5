//! Sending to a peer that is still on its way.

use std::time::Duration;

use zmq::{Errno, Multipart, Router, Socket, poll};

use super::Result;

/// Sends a message from a ROUTER, and waits until the peer that it is for is connected.
///
/// By default a ROUTER drops what it has no peer for. A mandatory one refuses it instead, and so the message can be
/// sent again.
pub fn send_when_there(router: &Socket<'_, Router>, message: &Multipart) -> Result {
    router.set_router_mandatory(true)?;
    loop {
        match router.send_multipart(message) {
            Err(failed) if failed.error().errno() == Errno::EHOSTUNREACH => {
                // A wait for nothing but Ctrl-C.
                poll(&mut [], Duration::from_millis(5))?;
            }
            sent => return Ok(sent?),
        }
    }
}
