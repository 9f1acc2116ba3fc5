//! `Client`: stores requests at a Titanic, and fetches their replies.

use std::error;
use std::fmt;

use zmq::{Context, Multipart};

use super::id::RequestId;
use super::protocol::{CLOSE, OK, PENDING, REPLY, REQUEST, UNKNOWN};
use super::store::Stored;
use crate::{RequestError, majordomo};

/// A client of a Titanic: a [`majordomo::Client`] for its three services.
///
/// The answer to [`Client::request`] may be lost, and the client then asks again: a request may be stored twice. The request
/// whose id was lost is served, and stays in the store.
#[derive(Debug)]
#[doc(alias = "ticlient")]
pub struct Client(majordomo::Client);

/// The error of a [`Client`] that has no answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// No answer came. The request may be stored or not.
    Unanswered(RequestError),
    /// The service is no name, or the body has no frames.
    Refused,
    /// The store of the Titanic has failed: the status 500. The request is not stored, or not closed.
    Failed,
    /// The answer is not of the protocol.
    Malformed(Multipart),
}

impl Client {
    /// A client of the Titanic at the broker of an endpoint, with a time-out of 2.5 seconds and 2 retries.
    pub fn new(context: &Context, endpoint: impl Into<String>) -> Client {
        Client::from(majordomo::Client::new(context, endpoint))
    }

    /// Has a request for a service stored, and returns its id.
    ///
    /// # Errors
    ///
    /// [`ClientError`]. The request comes back in [`ClientError::Unanswered`], behind the name of its service.
    #[track_caller]
    pub fn request(&mut self, service: impl AsRef<[u8]>, body: impl Into<Multipart>) -> Result<RequestId, ClientError> {
        let mut request = body.into();
        request.push_front(service.as_ref());
        let answer = self.ask(REQUEST, request)?;
        match &answer[..] {
            [status, id] if *status == OK => RequestId::parse(id).ok_or(ClientError::Malformed(answer)),
            [status, ..] if *status == UNKNOWN => Err(ClientError::Refused),
            _ => Err(other(answer)),
        }
    }

    /// Asks for the reply to a request.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    #[track_caller]
    pub fn reply(&mut self, id: RequestId) -> Result<Stored, ClientError> {
        let mut answer = self.ask(REPLY, id.to_string().into())?;
        match &answer[0] {
            status if *status == OK => {
                drop(answer.pop_front());
                Ok(Stored::Answered(answer))
            }
            status if *status == PENDING => Ok(Stored::Pending),
            status if *status == UNKNOWN => Ok(Stored::Unknown),
            _ => Err(other(answer)),
        }
    }

    /// Closes a request: its reply is no longer needed. Nothing happens if the request is unknown.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    #[track_caller]
    pub fn close(&mut self, id: RequestId) -> Result<(), ClientError> {
        let answer = self.ask(CLOSE, id.to_string().into())?;
        if answer[0] == OK { Ok(()) } else { Err(other(answer)) }
    }

    /// An answer of at least one frame: Majordomo has no others.
    #[track_caller]
    fn ask(&mut self, service: &str, request: Multipart) -> Result<Multipart, ClientError> {
        let answer = self.0.request(service, request).map_err(ClientError::Unanswered)?;
        if answer.is_empty() { Err(ClientError::Malformed(answer)) } else { Ok(answer) }
    }
}

/// A client with other times, or with security.
impl From<majordomo::Client> for Client {
    fn from(client: majordomo::Client) -> Client {
        Client(client)
    }
}

fn other(answer: Multipart) -> ClientError {
    if answer.first().is_some_and(|status| status.starts_with(b"5")) {
        ClientError::Failed
    } else {
        ClientError::Malformed(answer)
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Unanswered(error) => write!(f, "no answer of the Titanic: {error}"),
            ClientError::Refused => f.write_str("the Titanic refuses the request"),
            ClientError::Failed => f.write_str("the store of the Titanic has failed"),
            ClientError::Malformed(answer) => write!(f, "the answer is not one of a Titanic: {answer}"),
        }
    }
}

impl error::Error for ClientError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            ClientError::Unanswered(error) => Some(error),
            _ => None,
        }
    }
}
