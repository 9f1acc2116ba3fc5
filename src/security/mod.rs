//! Security: authentication of peers, and encryption.
//!
//! | mechanism | the client shows | encrypted | server and client |
//! | --- | --- | --- | --- |
//! | NULL | nothing; its address may be checked | no | [`Security::null`] |
//! | PLAIN | a user name and a password | no | [`Security::plain_server`], [`Security::plain_client`] |
//! | CURVE | that it has a secret key | yes | [`Security::curve_server`], [`Security::curve_client`] |
//! | GSSAPI | Kerberos tickets (feature `gssapi`) | yes | `Security::gssapi_server`, `Security::gssapi_client` |
//!
//! [`Socket::secure`](crate::Socket::secure) sets a socket up. Servers ask their context's [`Authenticator`] about each
//! client. It decides by the [`Policy`] of the server's domain. Keys are kept on disk as [`Certificate`]s, which czmq
//! and pyzmq read and write too. `message.gets("User-Id")` names a message's sender. Rely on it only if a handler
//! was asked: otherwise the peer itself can have set it.

mod certificate;
pub(crate) mod keys;
mod network;
pub(crate) mod secret;
mod setup;
mod z85;
pub(crate) mod zap;
mod zpl;

pub use certificate::Certificate;
pub use keys::{PublicKey, SecretKey, curve_keypair, curve_public};
pub use network::Network;
pub use secret::SecretText;
pub use setup::Security;
pub use z85::{z85_decode, z85_encode};
pub use zap::{AuthEvent, AuthStatistics, Authenticator, ClientInfo, Credentials, Policy, Verdict, ZapRequest};
