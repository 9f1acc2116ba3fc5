//! The frames of the Titanic Service Protocol (RFC 9), which are the bodies of Majordomo's requests and replies.

use zmq::{Message, Multipart};

use super::id::RequestId;
use super::store::Stored;
use crate::majordomo::check_service;

/// Stores a request: `[service][body...]`, answered with `[200][id]`.
pub(super) const REQUEST: &str = "titanic.request";

/// Fetches a reply: `[id]`, answered with `[200][body...]`, `[300]` while it is pending, and `[400]` if the id is unknown.
pub(super) const REPLY: &str = "titanic.reply";

/// Closes a request: `[id]`, answered with `[200]`, also if the id is unknown.
pub(super) const CLOSE: &str = "titanic.close";

pub(super) const OK: &str = "200";
pub(super) const PENDING: &str = "300";
/// The id is unknown, or the message is malformed.
pub(super) const UNKNOWN: &str = "400";
/// The store has failed.
pub(super) const FAILED: &str = "500";

/// The service and the body of a request to be stored. `None` if the service is no name, or there is no body.
pub(super) fn service_and_body(mut request: Multipart) -> Option<(Message, Multipart)> {
    let service = request.pop_front()?;
    (check_service(&service).is_ok() && !request.is_empty()).then_some((service, request))
}

/// The id of a request for [`REPLY`] and [`CLOSE`].
pub(super) fn id(request: &Multipart) -> Option<RequestId> {
    match &request[..] {
        [id] => RequestId::parse(id),
        _ => None,
    }
}

/// The answer to a request for [`REPLY`].
pub(super) fn fetched(stored: Stored) -> Multipart {
    match stored {
        Stored::Answered(mut reply) => {
            reply.push_front(OK);
            reply
        }
        Stored::Pending => PENDING.into(),
        Stored::Unknown => UNKNOWN.into(),
    }
}
