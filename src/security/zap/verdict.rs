//! `Verdict`: the answer of an authenticator about a client.

/// The names of metadata that libzmq itself gives to messages.
const RESERVED: [&str; 5] = ["Identity", "Routing-Id", "Socket-Type", "User-Id", "Peer-Address"];

/// The answer to a client, and the metadata of its messages if it is let in.
///
/// ```
/// use zmq::security::{Policy, Verdict};
///
/// let mut policy = Policy::new();
/// policy.check_passwords(|request| match request.credentials.user().as_str() {
///     "alice" => Verdict::allow("alice").metadata("X-Role", "admin"),
///     _ => Verdict::deny("not today"),
/// });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    status: u16,
    text: String,
    user_id: String,
    metadata: Vec<(String, String)>,
}

impl Verdict {
    fn new(status: u16, text: impl Into<String>) -> Verdict {
        Verdict { status, text: text.into(), user_id: String::new(), metadata: Vec::new() }
    }

    /// Lets the client in (status 200). Its messages have this user id, which is read as `message.gets("User-Id")`.
    pub fn allow(user_id: impl Into<String>) -> Verdict {
        Verdict { user_id: user_id.into(), ..Verdict::new(200, "OK") }
    }

    /// Refuses the client (status 400). The reason appears in the authenticator's events only; the client does not
    /// get it. A client of PLAIN or CURVE then stays away until its program disconnects and connects it again; one of
    /// NULL may come back by itself. See
    /// [surprises](crate::surprises#a-client-that-a-zap-handler-refuses-never-tries-again).
    pub fn deny(reason: impl Into<String>) -> Verdict {
        Verdict::new(400, reason)
    }

    /// Puts the client off (status 300): it is disconnected without an error, and tries again after its
    /// [`reconnect_ivl`](crate::Socket::reconnect_ivl).
    pub fn later(reason: impl Into<String>) -> Verdict {
        Verdict::new(300, reason)
    }

    /// Refuses the client because of an error of the server (status 500). The effect on the client is that of
    /// [`Verdict::deny`].
    pub fn failed(reason: impl Into<String>) -> Verdict {
        Verdict::new(500, reason)
    }

    /// Adds a property to the client's messages, which [`Message::gets`](crate::Message::gets) reads.
    ///
    /// It overrides the client's own property of that name. Without it `gets` reads the client's own, so add a property
    /// that servers rely on for every client.
    ///
    /// The name has 1 to 255 bytes and is not one of libzmq's (`User-Id`, `Peer-Address`, `Socket-Type`, `Identity`,
    /// `Routing-Id`). Neither the name nor the value has a NUL. Otherwise the client is refused with status 500.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Verdict {
        self.metadata.push((name.into(), value.into()));
        self
    }

    /// 200, 300, 400 or 500.
    pub(super) fn status(&self) -> u16 {
        self.status
    }

    /// The reason.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The user id that messages have.
    pub(super) fn user_id(&self) -> &str {
        &self.user_id
    }

    /// Whether the client is let in.
    pub(super) fn is_allowed(&self) -> bool {
        self.status == 200
    }

    /// This verdict if it can be sent, otherwise a refusal with status 500.
    pub(crate) fn checked(self) -> Verdict {
        if self.user_id.contains('\0') {
            return Verdict::failed("there is a NUL in the user id");
        }
        match self.metadata.iter().find(|(name, value)| !is_metadata(name, value)) {
            Some((name, _)) => Verdict::failed(format!("{name:?} cannot be metadata of messages")),
            None => self,
        }
    }

    /// The metadata as the ZAP protocol encodes it: each length, then the name or value.
    pub(super) fn encoded_metadata(&self) -> Vec<u8> {
        let mut block = Vec::new();
        for (name, value) in &self.metadata {
            // Names have at most 255 bytes, and values of 4 GiB do not occur.
            block.push(name.len() as u8);
            block.extend_from_slice(name.as_bytes());
            block.extend_from_slice(&(value.len() as u32).to_be_bytes());
            block.extend_from_slice(value.as_bytes());
        }
        block
    }
}

/// Whether messages can have this metadata.
pub(super) fn is_metadata(name: &str, value: &str) -> bool {
    let is_reserved = RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name));
    (1..=255).contains(&name.len()) && !is_reserved && !name.contains('\0') && !value.contains('\0')
}
