//! The wire format of requests and replies (RFC 27).

use super::super::keys::PublicKey;
use super::super::secret::SecretText;
use super::verdict::Verdict;
use crate::message::Message;
use crate::multipart::Multipart;

const VERSION: &[u8] = b"1.0";
/// The longest frame that the protocol allows, except for credentials.
const LONGEST: usize = 255;

/// The request of a server about a client that wants to connect.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ZapRequest {
    /// The domain of the server's socket; empty if it has none.
    pub domain: String,
    /// The client's address: an IP address for `tcp://` and `ws://`; the ids of the process for `ipc://`, as
    /// `localhost:UID:GID:PID`. Empty if nothing is known.
    pub address: String,
    /// The routing id of the server's socket; empty if none is set.
    pub routing_id: Vec<u8>,
    /// The credentials of the client.
    pub credentials: Credentials,
}

/// The credentials of a client, by mechanism.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Credentials {
    /// NULL has none.
    Null,
    /// PLAIN.
    Plain {
        /// The user name.
        username: String,
        /// The password.
        password: SecretText,
    },
    /// CURVE: the client's public key. The client has proved that it has the secret key.
    Curve(PublicKey),
    /// GSSAPI: the client's principal, which Kerberos vouches for.
    Gssapi(String),
}

impl Credentials {
    /// The mechanism's name as the protocol has it.
    ///
    /// ```
    /// assert_eq!(zmq::security::Credentials::Null.mechanism(), "NULL");
    /// ```
    pub fn mechanism(&self) -> &'static str {
        match self {
            Credentials::Null => "NULL",
            Credentials::Plain { .. } => "PLAIN",
            Credentials::Curve(_) => "CURVE",
            Credentials::Gssapi(_) => "GSSAPI",
        }
    }

    /// The identity that the client claims: user name, key as text, or principal; empty for NULL.
    ///
    /// ```
    /// use zmq::security::Credentials;
    ///
    /// let credentials = Credentials::Plain { username: "alice".into(), password: "hush".into() };
    /// assert_eq!(credentials.user(), "alice");
    /// ```
    pub fn user(&self) -> String {
        match self {
            Credentials::Null => String::new(),
            Credentials::Plain { username, .. } => username.clone(),
            Credentials::Curve(key) => key.to_string(),
            Credentials::Gssapi(principal) => principal.clone(),
        }
    }
}

/// The frames that a reply needs, even a reply to a malformed request.
pub(crate) struct Envelope {
    /// The frames up to the delimiter.
    address: Vec<Message>,
    id: Message,
}

/// A message that was received: its envelope, if it can be answered, and the request or the fault in it.
pub(crate) struct Incoming {
    pub(crate) envelope: Option<Envelope>,
    pub(crate) request: Result<ZapRequest, String>,
}

/// Reads a request, which follows the sender's routing id.
pub(crate) fn read(mut message: Multipart) -> Incoming {
    let Some(sender) = message.pop_front() else {
        return Incoming { envelope: None, request: Err("there is nothing in it".to_owned()) };
    };
    let Some(delimiter) = message.pop_front().filter(|frame| frame.is_empty()) else {
        return Incoming { envelope: None, request: Err("there is no delimiter before it".to_owned()) };
    };
    // Without a valid request id the reply has an empty one.
    let id = message.get(1).filter(|id| id.len() <= LONGEST).cloned().unwrap_or_default();
    let envelope = Some(Envelope { address: vec![sender, delimiter], id });
    let frames: Vec<&[u8]> = message.iter().map(|frame| &**frame).collect();
    Incoming { envelope, request: parse(&frames) }
}

fn parse(frames: &[&[u8]]) -> Result<ZapRequest, String> {
    let [version, id, domain, address, routing_id, mechanism, credentials @ ..] = frames else {
        return Err(format!("it has {} frames, not 6 and the credentials", frames.len()));
    };
    if *version != VERSION {
        return Err(format!("its version is \"{}\", not \"1.0\"", shown(version)));
    }
    for (what, frame) in [("request id", id), ("domain", domain), ("address", address), ("routing id", routing_id)] {
        if frame.len() > LONGEST {
            return Err(format!("its {what} has {} bytes, not {LONGEST} at most", frame.len()));
        }
    }
    let address = text("address", address)?;
    // The address helps to find the sender of malformed requests.
    let from = if address.is_empty() { String::new() } else { format!(" (from {address})") };
    let credentials = parse_credentials(mechanism, credentials).map_err(|why| why + &from)?;
    Ok(ZapRequest { domain: text("domain", domain)?, address, routing_id: routing_id.to_vec(), credentials })
}

fn parse_credentials(mechanism: &[u8], frames: &[&[u8]]) -> Result<Credentials, String> {
    let wrong = |count| Err(format!("it has {} frames of {} credentials, not {count}", frames.len(), shown(mechanism)));
    match (mechanism, frames) {
        (b"NULL", []) => Ok(Credentials::Null),
        (b"NULL", _) => wrong(0),
        (b"PLAIN", [username, password]) => {
            let username = text("user name", username)?;
            Ok(Credentials::Plain { username, password: SecretText::from(utf8("password", password)?) })
        }
        (b"PLAIN", _) => wrong(2),
        (b"CURVE", [key]) => match <[u8; 32]>::try_from(*key) {
            Ok(key) => Ok(Credentials::Curve(PublicKey::from_bytes(key))),
            Err(_) => Err(format!("its key has {} bytes, not 32", key.len())),
        },
        (b"CURVE", _) => wrong(1),
        (b"GSSAPI", [principal]) => Ok(Credentials::Gssapi(text("principal", principal)?)),
        (b"GSSAPI", _) => wrong(1),
        _ => Err(format!("its mechanism \"{}\" is not known", shown(mechanism))),
    }
}

fn text(what: &str, frame: &[u8]) -> Result<String, String> {
    utf8(what, frame).map(str::to_owned)
}

fn utf8<'a>(what: &str, frame: &'a [u8]) -> Result<&'a str, String> {
    std::str::from_utf8(frame).map_err(|_| format!("its {what} is not UTF-8"))
}

/// The first bytes of a frame, for an error's text.
fn shown(frame: &[u8]) -> String {
    frame[..frame.len().min(16)].escape_ascii().to_string()
}

/// The reply to a request.
pub(crate) fn reply(envelope: Envelope, verdict: &Verdict) -> Multipart {
    let mut reply: Multipart = envelope.address.into();
    reply.push_back(VERSION.to_vec());
    reply.push_back(envelope.id);
    reply.push_back(verdict.status().to_string());
    reply.push_back(verdict.text().to_owned());
    reply.push_back(verdict.user_id().to_owned());
    reply.push_back(verdict.encoded_metadata());
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: [&[u8]; 5] = [b"1.0", b"1", b"global", b"127.0.0.1", b""];

    fn request(mechanism: &'static [u8], credentials: &[&'static [u8]]) -> Result<ZapRequest, String> {
        let mut frames = HEAD.to_vec();
        frames.push(mechanism);
        frames.extend(credentials);
        parse(&frames)
    }

    #[test]
    fn parse_reads_the_credentials_of_each_mechanism() {
        let plain = request(b"PLAIN", &[b"alice", b"hush"]).unwrap();
        assert_eq!((plain.domain.as_str(), plain.address.as_str()), ("global", "127.0.0.1"));
        let Credentials::Plain { username, password } = plain.credentials else { panic!() };
        assert_eq!((username.as_str(), password.as_str()), ("alice", "hush"));
        assert!(matches!(request(b"NULL", &[]).unwrap().credentials, Credentials::Null));
        let curve = request(b"CURVE", &[&[7; 32]]).unwrap().credentials;
        assert!(matches!(curve, Credentials::Curve(key) if key == PublicKey::from_bytes([7; 32])));
        let gssapi = request(b"GSSAPI", &[b"alice@EXAMPLE.ORG"]).unwrap().credentials;
        assert_eq!((gssapi.mechanism(), gssapi.user()), ("GSSAPI", "alice@EXAMPLE.ORG".to_owned()));
    }

    #[test]
    fn parse_names_the_fault_of_a_malformed_request() {
        for (mechanism, credentials, why) in [
            (&b"NULL"[..], &[&b""[..]][..], "it has 1 frames of NULL credentials, not 0"),
            (b"PLAIN", &[b"alice"], "it has 1 frames of PLAIN credentials, not 2"),
            (b"PLAIN", &[b"alice", b"hush", b""], "it has 3 frames of PLAIN credentials, not 2"),
            (b"PLAIN", &[b"\xff", b"hush"], "its user name is not UTF-8"),
            (b"PLAIN", &[b"alice", b"\xff"], "its password is not UTF-8"),
            (b"CURVE", &[], "it has 0 frames of CURVE credentials, not 1"),
            (b"CURVE", &[&[7; 31]], "its key has 31 bytes, not 32"),
            (b"CURVE", &[&[7; 33]], "its key has 33 bytes, not 32"),
            (b"GSSAPI", &[], "it has 0 frames of GSSAPI credentials, not 1"),
            (b"null", &[], "its mechanism \"null\" is not known"),
            (b"", &[], "its mechanism \"\" is not known"),
            (&[0xff; 99], &[], &format!("its mechanism \"{}\" is not known", r"\xff".repeat(16))),
        ] {
            assert_eq!(request(mechanism, credentials).unwrap_err(), format!("{why} (from 127.0.0.1)"));
        }
        assert_eq!(parse(&HEAD).unwrap_err(), "it has 5 frames, not 6 and the credentials");
        assert_eq!(parse(&[]).unwrap_err(), "it has 0 frames, not 6 and the credentials");
        for (place, what) in [(1, "request id"), (2, "domain"), (3, "address"), (4, "routing id")] {
            let mut frames = HEAD.to_vec();
            frames[place] = &[b'x'; 256];
            frames.push(b"NULL");
            assert_eq!(parse(&frames).unwrap_err(), format!("its {what} has 256 bytes, not 255 at most"));
        }
        let mut frames = HEAD.to_vec();
        frames[0] = b"2.0";
        frames.push(b"NULL");
        assert_eq!(parse(&frames).unwrap_err(), "its version is \"2.0\", not \"1.0\"");
    }
}
