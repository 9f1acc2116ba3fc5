//! The frames of the file transfer.
//!
//! | message | frames, as the DEALER sends or receives them |
//! | --- | --- |
//! | request for a chunk | `[fetch][offset][size]`, both decimal texts |
//! | request for the whole file, in chunks of 250,000 bytes | `[fetch]` |
//! | chunk | `[bytes]`: as many as requested, fewer at the end of the file, none after it |
//!
//! Chunks come in the order of the requests. The whole file ends with an empty chunk.

use zmq::{Message, Multipart};

/// The first frame of a request.
pub const FETCH: &str = "fetch";

/// A request of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    Chunk { offset: u64, size: u64 },
    WholeFile,
}

/// Reads a request, without the client's routing id.
pub(super) fn read_request(frames: &[Message]) -> Option<Request> {
    match frames {
        [fetch] if *fetch == FETCH => Some(Request::WholeFile),
        [fetch, offset, size] if *fetch == FETCH => {
            let (offset, size) = (number(offset)?, number(size)?);
            (size > 0).then_some(Request::Chunk { offset, size })
        }
        _ => None,
    }
}

/// The request for a chunk.
pub(super) fn chunk_request(offset: u64, size: usize) -> Multipart {
    [FETCH.to_owned(), offset.to_string(), size.to_string()].into()
}

/// A decimal number without sign.
fn number(frame: &Message) -> Option<u64> {
    let text = frame.as_str()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}
