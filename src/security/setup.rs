//! `Security`: the security of a socket's connections, set in one call.

use std::fmt;

use super::keys::{PublicKey, SecretKey, curve_public};
use super::secret::SecretText;
use crate::error::{Errno, Result};
use crate::kind::SocketType;
use crate::socket::Socket;
use crate::sockopt::OptionInfo;

/// The call that errors name.
const CALL: &str = "secure";

/// The security of a socket's connections: the mechanism, this side's role in it, and the role's parameters.
///
/// A *server* asks the context's ZAP handler about each client; [`Authenticator`](super::Authenticator) is one. A CURVE
/// *client* knows its server by the server's public key. The server is the side that binds. A server that connects, or
/// a NULL socket with a domain that connects, needs a [`reconnect_ivl`](Socket::reconnect_ivl) of `None`.
///
/// Without a handler in the server's context
///
/// - a PLAIN server refuses every client,
/// - a CURVE server encrypts, and accepts every client,
/// - a NULL socket with a domain accepts every client.
///
/// With a domain and the draft option `ZMQ_ZAP_ENFORCE_DOMAIN`, each of them refuses every client. If a handler has stopped
/// or is slow, a client waits [`handshake_ivl`](Socket::handshake_ivl) at most, 30 s unless set, and then tries again.
///
/// `inproc://` connections never have security: they stay in the process. Raw data of STREAM, and of ROUTER with
/// [`Socket::set_router_raw`], cannot be secured, nor can `udp://`, `pgm://`, `epgm://` and `norm://`: a socket with
/// security does not bind or connect there.
///
/// ```
/// use zmq::security::{Authenticator, Security};
/// use zmq::{Context, Dealer};
///
/// # fn main() -> zmq::Result<()> {
/// # if !zmq::has("curve") { return Ok(()); }
/// let (server_public, server_secret) = zmq::curve_keypair()?;
/// let (client_public, client_secret) = zmq::curve_keypair()?;
/// let context = Context::new()?;
/// let authenticator = Authenticator::start(&context)?;
/// authenticator.configure("*", |policy| policy.allow_keys([client_public]))?;
///
/// let server = context.socket(Dealer)?;
/// server.secure(&Security::curve_server(&server_secret))?;
/// let endpoint = server.bind("tcp://127.0.0.1:*")?;
/// let client = context.socket(Dealer)?;
/// client.secure(&Security::curve_client(&client_secret, &server_public))?;
/// client.connect(&endpoint)?;
///
/// client.send("Hello")?;
/// assert_eq!(server.recv_msg()?.gets("User-Id"), Some(client_public.to_string().into()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Security {
    role: Role,
    domain: Option<String>,
}

#[derive(Clone)]
enum Role {
    Null,
    PlainServer,
    PlainClient {
        username: String,
        password: SecretText,
    },
    CurveServer {
        secret: SecretKey,
    },
    CurveClient {
        secret: SecretKey,
        server: PublicKey,
    },
    #[cfg(feature = "gssapi")]
    GssapiServer {
        principal: String,
    },
    #[cfg(feature = "gssapi")]
    GssapiClient {
        principal: Option<String>,
        server: String,
    },
}

impl Security {
    fn new(role: Role) -> Security {
        Security { role, domain: None }
    }

    /// NULL: no encryption and no password. With a [domain](Security::domain) a handler is asked whether the peer's
    /// address may connect.
    ///
    /// ```
    /// use zmq::{Context, Rep, security::Security, sockopt::Mechanism};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// let server = context.socket(Rep)?;
    /// server.secure(&Security::null().domain("lan"))?;
    /// assert_eq!(server.mechanism()?, Mechanism::Null);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_NULL")]
    pub fn null() -> Security {
        Security::new(Role::Null)
    }

    /// The server of PLAIN: clients give a user name and a password, in clear, which a handler checks.
    ///
    /// ```
    /// use zmq::{Context, Rep, security::Security};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// let server = context.socket(Rep)?;
    /// server.secure(&Security::plain_server())?;
    /// assert!(server.plain_server()?);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_PLAIN")]
    #[doc(alias = "ZMQ_PLAIN_SERVER")]
    pub fn plain_server() -> Security {
        Security::new(Role::PlainServer)
    }

    /// A client of PLAIN with its user name and password, 1 to 255 bytes each.
    ///
    /// ```
    /// use zmq::{Context, Req, security::Security};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// let client = context.socket(Req)?;
    /// client.secure(&Security::plain_client("alice", "open sesame"))?;
    /// assert_eq!(client.plain_username()?.as_deref(), Some("alice"));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_PLAIN")]
    #[doc(alias = "ZMQ_PLAIN_USERNAME")]
    #[doc(alias = "ZMQ_PLAIN_PASSWORD")]
    pub fn plain_client(username: impl Into<String>, password: impl Into<SecretText>) -> Security {
        Security::new(Role::PlainClient { username: username.into(), password: password.into() })
    }

    /// The server of CURVE, with its secret key: clients know it by the public one.
    ///
    /// ```
    /// use zmq::{Context, Rep, security::Security};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # if !zmq::has("curve") { return Ok(()); }
    /// # let context = Context::new()?;
    /// let (public, secret) = zmq::curve_keypair()?;
    /// let server = context.socket(Rep)?;
    /// server.secure(&Security::curve_server(&secret))?;
    /// assert!(server.curve_server()?);
    /// assert_eq!(server.curve_publickey()?, public);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_CURVE")]
    #[doc(alias = "ZMQ_CURVE_SERVER")]
    pub fn curve_server(secret: &SecretKey) -> Security {
        Security::new(Role::CurveServer { secret: secret.clone() })
    }

    /// A client of CURVE, with its own secret key and the server's public one. Its own public key is derived.
    ///
    /// If the server's key is wrong, the server closes the connection, and the client tries again and again. Its monitor
    /// reports [`Event::HandshakeFailedNoDetail`](crate::monitor::Event::HandshakeFailedNoDetail), as for a peer that left.
    ///
    /// ```
    /// use zmq::{Context, Req, security::Security};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # if !zmq::has("curve") { return Ok(()); }
    /// # let context = Context::new()?;
    /// # let (server_public, _) = zmq::curve_keypair()?;
    /// let (_, secret) = zmq::curve_keypair()?;
    /// let client = context.socket(Req)?;
    /// client.secure(&Security::curve_client(&secret, &server_public))?;
    /// assert_eq!(client.curve_serverkey()?, server_public);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_CURVE")]
    #[doc(alias = "ZMQ_CURVE_SERVERKEY")]
    pub fn curve_client(secret: &SecretKey, server: &PublicKey) -> Security {
        Security::new(Role::CurveClient { secret: secret.clone(), server: *server })
    }

    /// The server of GSSAPI (Kerberos), under its principal, such as `host@server.example.org`: 1 to 255 bytes. Name
    /// types, and GSSAPI without encryption, are set with the single options. `ws://` has no GSSAPI. libzmq loses
    /// subscriptions over GSSAPI: a SUB or XSUB receives nothing.
    ///
    /// ```
    /// use zmq::{Context, Rep, security::Security, sockopt::Mechanism};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # if !zmq::has("gssapi") { return Ok(()); }
    /// # let context = Context::new()?;
    /// let server = context.socket(Rep)?;
    /// server.secure(&Security::gssapi_server("host@server.example.org"))?;
    /// assert_eq!(server.mechanism()?, Mechanism::Gssapi);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "gssapi")]
    #[doc(alias = "ZMQ_GSSAPI")]
    #[doc(alias = "ZMQ_GSSAPI_SERVER")]
    pub fn gssapi_server(principal: impl Into<String>) -> Security {
        Security::new(Role::GssapiServer { principal: principal.into() })
    }

    /// A client of GSSAPI (Kerberos), with its own principal and the server's: 1 to 255 bytes each. With `None` the
    /// client takes the principal of the available tickets.
    ///
    /// ```
    /// use zmq::{Context, Req, security::Security};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # if !zmq::has("gssapi") { return Ok(()); }
    /// # let context = Context::new()?;
    /// let client = context.socket(Req)?;
    /// client.secure(&Security::gssapi_client(None, "host@server.example.org"))?;
    /// assert!(!client.gssapi_server()?);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "gssapi")]
    #[doc(alias = "ZMQ_GSSAPI")]
    #[doc(alias = "ZMQ_GSSAPI_SERVICE_PRINCIPAL")]
    pub fn gssapi_client(principal: Option<&str>, server: impl Into<String>) -> Security {
        Security::new(Role::GssapiClient { principal: principal.map(str::to_owned), server: server.into() })
    }

    /// The ZAP domain of this socket's clients: 1 to 255 bytes. A handler may have a policy for it. Servers and NULL
    /// sockets use it; a NULL socket without a domain asks no handler. A socket keeps its domain until another is set.
    ///
    /// ```
    /// use zmq::{Context, Rep, security::Security};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// let server = context.socket(Rep)?;
    /// server.secure(&Security::plain_server().domain("accounts"))?;
    /// assert_eq!(server.zap_domain()?.as_deref(), Some("accounts"));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_ZAP_DOMAIN")]
    pub fn domain(mut self, domain: impl Into<String>) -> Security {
        self.domain = Some(domain.into());
        self
    }

    /// Checks all values before the first option is set, so that no socket gets only some of them.
    fn check(&self) -> Result<()> {
        check_text("the domain", self.domain.as_deref())?;
        match &self.role {
            Role::Null | Role::PlainServer => Ok(()),
            Role::PlainClient { username, password } => {
                check_text("the user name", Some(username))?;
                check_text("the password", Some(password))
            }
            Role::CurveServer { secret } => check_curve(secret, None),
            Role::CurveClient { secret, server } => check_curve(secret, Some(server)),
            #[cfg(feature = "gssapi")]
            Role::GssapiServer { principal } => {
                check_available("ZMQ_GSSAPI_SERVER", "gssapi")?;
                check_text("the principal", Some(principal))
            }
            #[cfg(feature = "gssapi")]
            Role::GssapiClient { principal, server } => {
                check_available("ZMQ_GSSAPI_SERVER", "gssapi")?;
                check_text("the principal", principal.as_deref())?;
                check_text("the server's principal", Some(server))
            }
        }
    }
}

/// Shows the mechanism and the role, but neither keys nor passwords.
impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            Role::Null => "Null",
            Role::PlainServer => "PlainServer",
            Role::PlainClient { .. } => "PlainClient",
            Role::CurveServer { .. } => "CurveServer",
            Role::CurveClient { .. } => "CurveClient",
            #[cfg(feature = "gssapi")]
            Role::GssapiServer { .. } => "GssapiServer",
            #[cfg(feature = "gssapi")]
            Role::GssapiClient { .. } => "GssapiClient",
        };
        f.debug_struct(role).field("domain", &self.domain).finish_non_exhaustive()
    }
}

/// The error does not show the text, which may be a password.
fn check_text(what: &str, text: Option<&str>) -> Result<()> {
    match text {
        Some(text) if text.is_empty() || text.len() > 255 => {
            Err(Errno::EINVAL.with_detail(CALL, format_args!("{what} has {} bytes, not 1 to 255", text.len())))
        }
        Some(text) if text.contains('\0') => {
            Err(Errno::EINVAL.with_detail(CALL, format_args!("{what} contains a NUL")))
        }
        _ => Ok(()),
    }
}

fn check_available(option: &str, what: &str) -> Result<()> {
    if OptionInfo::find(option).is_some_and(|option| option.is_available()) {
        return Ok(());
    }
    Err(Errno::ENOTSUP.with_detail(CALL, format_args!("this libzmq was built without {what}")))
}

fn check_curve(secret: &SecretKey, server: Option<&PublicKey>) -> Result<()> {
    check_available("ZMQ_CURVE_SERVER", "curve")?;
    let missing = |what: &str| Err(Errno::EINVAL.with_detail(CALL, format_args!("{what} is all zeros, which is none")));
    if *secret == SecretKey::from([0; 32]) {
        return missing("the secret key");
    }
    if server.is_some_and(|key| key.as_bytes() == &[0; 32]) {
        return missing("the server's public key");
    }
    Ok(())
}

/// # Security
impl<T: SocketType> Socket<'_, T> {
    /// Secures the connections of later calls of [`Socket::bind`] and [`Socket::connect`]. Existing connections and
    /// bound endpoints stay as they are. A later call replaces an earlier one. The call sets several options in turn,
    /// so only one of the threads that share a socket should make it.
    ///
    /// # Errors
    ///
    /// `ENOTSUP` if libzmq was built without the mechanism; `EINVAL` for a user name, password, domain or principal
    /// that is not of 1 to 255 bytes or contains a NUL, for a key of zeros, and on a STREAM, which has no security: in
    /// all these cases nothing was set. `ETERM` after the context was shut down.
    ///
    /// ```
    /// use zmq::{Context, Req, security::Security};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = Context::new()?;
    /// let client = context.socket(Req)?;
    /// client.secure(&Security::plain_client("alice", "open sesame"))?;
    /// client.connect("tcp://127.0.0.1:5555")?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "ZMQ_MECHANISM")]
    #[doc(alias = "zmq_setsockopt")]
    pub fn secure(&self, security: &Security) -> Result<()> {
        let socket = self.as_ref();
        let kind = socket.kind().c_name();
        if matches!(kind, "ZMQ_STREAM" | "ZMQ_DGRAM") {
            return Err(Errno::EINVAL.with_detail(CALL, format_args!("a {kind} socket has no security")));
        }
        security.check()?;
        let own = match &security.role {
            Role::CurveServer { secret } | Role::CurveClient { secret, .. } => Some(curve_public(secret)?),
            _ => None,
        };
        if let Some(domain) = &security.domain {
            self.set_zap_domain(domain)?;
        }
        // Each option changes the mechanism, and some change the role too. The option that determines both is set last.
        own.map_or(Ok(()), |own| self.set_curve_publickey(own))?;
        match &security.role {
            Role::Null => self.set_plain_server(false)?,
            Role::PlainServer => self.set_plain_server(true)?,
            Role::PlainClient { username, password } => {
                self.set_plain_username(username.as_str())?;
                self.set_plain_password(password.as_str())?;
            }
            Role::CurveServer { secret } => {
                self.set_curve_secretkey(secret)?;
                self.set_curve_server(true)?;
            }
            Role::CurveClient { secret, server } => {
                self.set_curve_secretkey(secret)?;
                self.set_curve_serverkey(server)?;
            }
            #[cfg(feature = "gssapi")]
            Role::GssapiServer { principal } => {
                self.set_gssapi_principal(principal)?;
                self.set_gssapi_server(true)?;
            }
            #[cfg(feature = "gssapi")]
            Role::GssapiClient { principal, server } => {
                if let Some(principal) = principal {
                    self.set_gssapi_principal(principal)?;
                }
                self.set_gssapi_service_principal(server)?;
            }
        }
        Ok(())
    }
}
