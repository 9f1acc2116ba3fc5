//! The frames of the Majordomo Protocol 0.1 (RFC 7).
//!
//! Functions here take the frames apart and put them together. Frames are moved, not copied.

use std::fmt;

use zmq::{Errno, Error, Message, Multipart, Result};

/// The header of a client's request and its reply.
pub const CLIENT: &[u8; 6] = b"MDPC01";

/// The header of all messages between a worker and the broker.
pub const WORKER: &[u8; 6] = b"MDPW01";

/// The name of the service that looks services up: the broker itself answers whether a service has workers.
pub const MMI_SERVICE: &str = "mmi.service";

/// The beginning of the names of services that the broker itself has. No worker gets such a name.
pub const MMI_PREFIX: &[u8] = b"mmi.";

/// The longest name of a service, in bytes.
pub const LONGEST_SERVICE: usize = 255;

/// The second frame of a message between a worker and the broker: one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    /// A worker registers for a service.
    Ready = 1,
    /// A request, from the broker to a worker.
    Request = 2,
    /// Its reply, from the worker to the broker.
    Reply = 3,
    /// A sign of life, in both directions.
    Heartbeat = 4,
    /// The registration of a worker has ended, in both directions.
    Disconnect = 5,
}

impl Command {
    fn from_frame(frame: &[u8]) -> Option<Command> {
        match frame {
            [1] => Some(Command::Ready),
            [2] => Some(Command::Request),
            [3] => Some(Command::Reply),
            [4] => Some(Command::Heartbeat),
            [5] => Some(Command::Disconnect),
            _ => None,
        }
    }

    fn frame(self) -> Message {
        Message::from([self as u8])
    }
}

/// The fault of a message that is not one of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Malformed {
    /// The empty frame before the header is missing.
    Envelope,
    /// The header is that of neither clients nor workers, or one that this side does not expect.
    Header,
    /// The command of a worker's message is missing, unknown, or one that this side does not expect.
    Command,
    /// The service is missing, or [is no name](check_service).
    Service,
    /// Frames are missing or left over.
    Frames,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Malformed::Envelope => "no empty frame before the header",
            Malformed::Header => "a wrong header",
            Malformed::Command => "a wrong command",
            Malformed::Service => "a wrong name of a service",
            Malformed::Frames => "frames are missing or left over",
        })
    }
}

/// Checks the name of a service: text in UTF-8 without control characters, of 1 to [`LONGEST_SERVICE`] bytes. The guide's C
/// programs read names as C strings, so one with a NUL could not travel through them. They have no other limits: a broker
/// here drops READY and requests with a name that this check refuses.
///
/// # Errors
///
/// `EINVAL`, with a text that names the fault.
///
/// ```
/// use zmq_patterns::majordomo::check_service;
///
/// assert!(check_service(b"echo").is_ok());
/// println!("{}", check_service(&[b'x'; 10240]).unwrap_err());
/// ```
pub fn check_service(name: &[u8]) -> Result<()> {
    let fault = match name {
        [] => "the name of the service is empty".to_owned(),
        name if name.len() > LONGEST_SERVICE => {
            format!("the name of the service has {} bytes, of at most {LONGEST_SERVICE}", name.len())
        }
        name => match std::str::from_utf8(name) {
            Ok(text) if !text.chars().any(char::is_control) => return Ok(()),
            Ok(_) => "the name of the service has a control character".to_owned(),
            Err(_) => "the name of the service is not text".to_owned(),
        },
    };
    Err(Error::new(Errno::EINVAL, "check_service", fault))
}

/// A message to the broker, without the address of its sender.
#[derive(Debug)]
pub(super) enum ToBroker {
    Request { service: Message, body: Multipart },
    Ready { service: Message },
    Reply { client: Message, body: Multipart },
    Heartbeat,
    Disconnect,
}

impl ToBroker {
    /// Parses what follows the sender's address.
    pub(super) fn parse(mut message: Multipart) -> std::result::Result<ToBroker, Malformed> {
        match header(&mut message)? {
            Header::Client => {
                let (service, body) = service_and_body(message)?;
                Ok(ToBroker::Request { service, body })
            }
            Header::Worker => match command(&mut message)? {
                Command::Ready => {
                    let service = message.pop_front().ok_or(Malformed::Service)?;
                    check_name(&service)?;
                    no_more(&message)?;
                    Ok(ToBroker::Ready { service })
                }
                Command::Reply => {
                    let (client, body) = client_and_body(message)?;
                    Ok(ToBroker::Reply { client, body })
                }
                Command::Heartbeat => no_more(&message).map(|()| ToBroker::Heartbeat),
                Command::Disconnect => no_more(&message).map(|()| ToBroker::Disconnect),
                Command::Request => Err(Malformed::Command),
            },
        }
    }
}

/// A message from the broker to a worker.
#[derive(Debug)]
pub(super) enum ToWorker {
    Request { client: Message, body: Multipart },
    Heartbeat,
    Disconnect,
}

impl ToWorker {
    pub(super) fn parse(mut message: Multipart) -> std::result::Result<ToWorker, Malformed> {
        match header(&mut message)? {
            Header::Client => Err(Malformed::Header),
            Header::Worker => match command(&mut message)? {
                Command::Request => {
                    let (client, body) = client_and_body(message)?;
                    Ok(ToWorker::Request { client, body })
                }
                Command::Heartbeat => no_more(&message).map(|()| ToWorker::Heartbeat),
                Command::Disconnect => no_more(&message).map(|()| ToWorker::Disconnect),
                Command::Ready | Command::Reply => Err(Malformed::Command),
            },
        }
    }
}

/// Takes a reply apart, as a REQ client receives it: `[MDPC01][service][body...]`.
pub(super) fn reply_to_client(mut message: Multipart) -> std::result::Result<(Message, Multipart), Malformed> {
    if message.pop_front().is_none_or(|header| header != *CLIENT) {
        return Err(Malformed::Header);
    }
    service_and_body(message)
}

/// The body of a reply of this service, as a REQ client receives it. Gives back a message that is none.
pub(super) fn reply_of_service(service: &[u8], mut message: Multipart) -> std::result::Result<Multipart, Multipart> {
    match &message[..] {
        [header, sender, _, ..] if *header == *CLIENT && sender[..] == *service => {
            (0..2).for_each(|_| drop(message.pop_front()));
            Ok(message)
        }
        _ => Err(message),
    }
}

/// Takes the empty frame off that a DEALER has in front of what a REQ receives.
pub(super) fn without_delimiter(mut message: Multipart) -> std::result::Result<Multipart, Malformed> {
    match message.pop_front() {
        Some(delimiter) if delimiter.is_empty() => Ok(message),
        _ => Err(Malformed::Envelope),
    }
}

/// A client's request as a REQ sends it.
pub(super) fn request(service: &[u8], mut body: Multipart) -> Multipart {
    body.push_front(service);
    body.push_front(CLIENT);
    body
}

/// The reply to a client, as the broker's ROUTER sends it.
pub(super) fn reply(client: Message, service: &Message, mut body: Multipart) -> Multipart {
    body.push_front(service);
    body.push_front(CLIENT);
    body.push_envelope(client);
    body
}

/// A worker's message as its DEALER sends it, without more frames.
pub(super) fn from_worker(command: Command) -> Multipart {
    Multipart::from([Message::new(), WORKER.into(), command.frame()])
}

/// A worker's READY.
pub(super) fn ready(service: &[u8]) -> Multipart {
    let mut message = from_worker(Command::Ready);
    message.push_back(service);
    message
}

/// A worker's REPLY.
pub(super) fn reply_of_worker(client: Message, mut body: Multipart) -> Multipart {
    body.push_envelope(client);
    body.push_front(Command::Reply.frame());
    body.push_front(WORKER);
    body.push_front(Message::new());
    body
}

/// A message of the broker to a worker, without more frames, as its ROUTER sends it.
pub(super) fn to_worker(worker: &Message, command: Command) -> Multipart {
    Multipart::from([worker.into(), Message::new(), WORKER.into(), command.frame()])
}

/// A request to a worker, as the broker's ROUTER sends it.
pub(super) fn request_to_worker(worker: &Message, client: Message, mut body: Multipart) -> Multipart {
    body.push_envelope(client);
    body.push_front(Command::Request.frame());
    body.push_front(WORKER);
    body.push_envelope(worker);
    body
}

/// Whether a message that the broker sends is a reply to a client.
pub(super) fn is_reply_to_client(message: &Multipart) -> bool {
    message.get(2).is_some_and(|header| *header == *CLIENT)
}

/// Whether a message that the broker sends is a request to a worker.
pub(super) fn is_request_to_worker(message: &Multipart) -> bool {
    message.len() > 4 && message[2] == *WORKER && Command::from_frame(&message[3]) == Some(Command::Request)
}

enum Header {
    Client,
    Worker,
}

/// Takes the empty frame and the header off.
fn header(message: &mut Multipart) -> std::result::Result<Header, Malformed> {
    if message.pop_front().is_none_or(|delimiter| !delimiter.is_empty()) {
        return Err(Malformed::Envelope);
    }
    match message.pop_front() {
        Some(header) if header == *CLIENT => Ok(Header::Client),
        Some(header) if header == *WORKER => Ok(Header::Worker),
        _ => Err(Malformed::Header),
    }
}

fn command(message: &mut Multipart) -> std::result::Result<Command, Malformed> {
    message.pop_front().and_then(|frame| Command::from_frame(&frame)).ok_or(Malformed::Command)
}

fn service_and_body(mut message: Multipart) -> std::result::Result<(Message, Multipart), Malformed> {
    let service = message.pop_front().ok_or(Malformed::Service)?;
    check_name(&service)?;
    if message.is_empty() { Err(Malformed::Frames) } else { Ok((service, message)) }
}

/// Takes the address of the client and the empty frame off.
fn client_and_body(mut message: Multipart) -> std::result::Result<(Message, Multipart), Malformed> {
    let client = message.pop_front().filter(|client| !client.is_empty()).ok_or(Malformed::Frames)?;
    let delimiter = message.pop_front().ok_or(Malformed::Frames)?;
    if delimiter.is_empty() && !message.is_empty() { Ok((client, message)) } else { Err(Malformed::Frames) }
}

fn check_name(service: &[u8]) -> std::result::Result<(), Malformed> {
    check_service(service).map_err(|_| Malformed::Service)
}

fn no_more(message: &Multipart) -> std::result::Result<(), Malformed> {
    if message.is_empty() { Ok(()) } else { Err(Malformed::Frames) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row of the table of frames: what one side writes, the other side reads.
    #[test]
    fn each_side_reads_what_the_other_writes() {
        let mut sent = request(b"echo", Multipart::from(["a", "b"]));
        assert_eq!(sent, ["MDPC01", "echo", "a", "b"]);
        // The REQ puts the empty frame in front.
        sent.push_front(Message::new());
        match ToBroker::parse(sent).unwrap() {
            ToBroker::Request { service, body } => assert!(service == "echo" && body == ["a", "b"]),
            other => panic!("{other:?}"),
        }
        match ToBroker::parse(ready(b"echo")).unwrap() {
            ToBroker::Ready { service } => assert_eq!(service, "echo"),
            other => panic!("{other:?}"),
        }
        match ToBroker::parse(reply_of_worker("cid".into(), "body".into())).unwrap() {
            ToBroker::Reply { client, body } => assert!(client == "cid" && body == ["body"]),
            other => panic!("{other:?}"),
        }
        assert!(matches!(ToBroker::parse(from_worker(Command::Heartbeat)), Ok(ToBroker::Heartbeat)));
        assert!(matches!(ToBroker::parse(from_worker(Command::Disconnect)), Ok(ToBroker::Disconnect)));

        let mut sent = request_to_worker(&"wid".into(), "cid".into(), "body".into());
        assert_eq!(sent, ["wid", "", "MDPW01", "\x02", "cid", "", "body"]);
        assert!(is_request_to_worker(&sent));
        sent.pop_front();
        match ToWorker::parse(sent).unwrap() {
            ToWorker::Request { client, body } => assert!(client == "cid" && body == ["body"]),
            other => panic!("{other:?}"),
        }
        let mut sent = to_worker(&"wid".into(), Command::Disconnect);
        assert_eq!(sent, ["wid", "", "MDPW01", "\x05"]);
        assert!(!is_request_to_worker(&sent));
        sent.pop_front();
        assert!(matches!(ToWorker::parse(sent), Ok(ToWorker::Disconnect)));

        let mut sent = reply("cid".into(), &"echo".into(), "body".into());
        assert_eq!(sent, ["cid", "", "MDPC01", "echo", "body"]);
        assert!(!is_request_to_worker(&sent));
        sent.pop_front();
        let (service, body) = reply_to_client(without_delimiter(sent).unwrap()).unwrap();
        assert!(service == "echo" && body == ["body"]);
    }

    #[test]
    fn malformed_messages_are_refused_with_their_fault() {
        let long = "x".repeat(10 * 1024);
        for (frames, fault) in [
            (&["x"][..], Malformed::Envelope),
            (&["", "MDPC02", "echo", "body"], Malformed::Header),
            (&[""], Malformed::Header),
            (&["", "MDPC01"], Malformed::Service),
            (&["", "MDPC01", "", "body"], Malformed::Service),
            (&["", "MDPC01", "a\nb", "body"], Malformed::Service),
            (&["", "MDPC01", &long, "body"], Malformed::Service),
            (&["", "MDPC01", "echo"], Malformed::Frames),
            (&["", "MDPW01"], Malformed::Command),
            (&["", "MDPW01", "\x06"], Malformed::Command),
            (&["", "MDPW01", "\x02", "cid", "", "body"], Malformed::Command),
            (&["", "MDPW01", "\x01"], Malformed::Service),
            (&["", "MDPW01", "\x01", "echo", "more"], Malformed::Frames),
            (&["", "MDPW01", "\x03", "cid", "body"], Malformed::Frames),
            (&["", "MDPW01", "\x03", "", "", "body"], Malformed::Frames),
            (&["", "MDPW01", "\x03", "cid", ""], Malformed::Frames),
            (&["", "MDPW01", "\x04", "more"], Malformed::Frames),
        ] {
            assert_eq!(ToBroker::parse(Multipart::from(frames)).unwrap_err(), fault, "{frames:?}");
        }
        assert_eq!(ToBroker::parse(Multipart::new()).unwrap_err(), Malformed::Envelope);
        let not_text = Multipart::from([&b""[..], CLIENT, b"\xff", b"body"]);
        assert_eq!(ToBroker::parse(not_text).unwrap_err(), Malformed::Service);
        assert_eq!(ToWorker::parse(ready(b"echo")).unwrap_err(), Malformed::Command);
        assert_eq!(reply_to_client(Multipart::from(["MDPW01", "echo", "body"])).unwrap_err(), Malformed::Header);
    }
}
