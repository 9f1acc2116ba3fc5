//! `Policy`: the clients that may connect.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroize;

use super::super::certificate::Certificate;
use super::super::keys::PublicKey;
use super::super::network::{Network, peer_address};
use super::super::secret::{SecretText, equal};
use super::directory::KeyDirectory;
use super::request::{Credentials, ZapRequest};
use super::verdict::{Verdict, is_metadata};

type Callback = Arc<dyn Fn(&ZapRequest) -> Verdict + Send + Sync>;

/// The clients that may connect to the sockets of a domain.
///
/// A client must pass two checks. The first is its address: an address in a network of [`Policy::deny`] is refused. If
/// networks are set with [`Policy::allow`], all other addresses are refused. The second check is for PLAIN, CURVE and
/// GSSAPI: the policy must know the client's credentials. NULL clients have none. A new policy knows no credentials, so
/// it accepts NULL clients of every address, and no others.
///
/// ```
/// use zmq::security::{Network, Policy};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut policy = Policy::new();
/// policy.allow("192.168.0.0/16".parse::<Network>()?);
/// policy.deny("192.168.1.13".parse::<Network>()?);
/// policy.allow_users([("alice", "open sesame")]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Policy {
    allowed: Vec<Network>,
    denied: Vec<Network>,
    local: bool,
    users: BTreeMap<String, SecretText>,
    password_check: Option<Callback>,
    keys: Vec<PublicKey>,
    directories: Vec<Arc<KeyDirectory>>,
    any_key: bool,
    key_check: Option<Callback>,
    principal_check: Option<Callback>,
}

impl Policy {
    /// A policy that accepts NULL clients, and no others.
    pub fn new() -> Policy {
        Policy::default()
    }

    /// Adds a network whose clients pass the check of the address. Clients of all other networks are then refused.
    /// Clients over `ipc://` have no address: see [`Policy::allow_local`].
    pub fn allow(&mut self, network: impl Into<Network>) {
        self.allowed.push(network.into());
    }

    /// Refuses clients of this network, even if [`Policy::allow`] names it too.
    pub fn deny(&mut self, network: impl Into<Network>) {
        self.denied.push(network.into());
    }

    /// Accepts clients over `ipc://` even if networks are set with [`Policy::allow`]. The system must report the
    /// client's process, as Linux does with glibc.
    pub fn allow_local(&mut self) {
        self.local = true;
    }

    /// Removes all networks that were allowed or denied.
    pub fn clear_networks(&mut self) {
        self.allowed.clear();
        self.denied.clear();
    }

    /// Accepts the PLAIN clients of these names and passwords. The password of a known name replaces the earlier one.
    ///
    /// ```
    /// use std::collections::HashMap;
    ///
    /// let mut policy = zmq::security::Policy::new();
    /// policy.allow_users([("alice", "open sesame"), ("bob", "hush")]);
    /// policy.allow_users(HashMap::from([("carol", "swordfish")]));
    /// ```
    pub fn allow_users<N: Into<String>, P: Into<SecretText>>(&mut self, users: impl IntoIterator<Item = (N, P)>) {
        self.users.extend(users.into_iter().map(|(name, password)| (name.into(), password.into())));
    }

    /// Removes the PLAIN client of this name.
    pub fn remove_user(&mut self, name: &str) {
        self.users.remove(name);
    }

    /// Sets a closure that decides on PLAIN clients that are not among the users. It runs in the authenticator's
    /// thread, and all connecting clients wait for it. If it panics, the client is refused.
    ///
    /// ```
    /// use zmq::security::{Credentials, Policy, Verdict};
    ///
    /// let mut policy = Policy::new();
    /// policy.check_passwords(|request| match &request.credentials {
    ///     Credentials::Plain { username, password } if password.as_str() == "open sesame" => Verdict::allow(username),
    ///     _ => Verdict::deny("who are you?"),
    /// });
    /// ```
    pub fn check_passwords(&mut self, check: impl Fn(&ZapRequest) -> Verdict + Send + Sync + 'static) {
        self.password_check = Some(Arc::new(check));
    }

    /// Accepts the CURVE clients of these keys.
    pub fn allow_keys(&mut self, keys: impl IntoIterator<Item = PublicKey>) {
        for key in keys {
            if !self.keys.contains(&key) {
                self.keys.push(key);
            }
        }
    }

    /// Removes the CURVE client of this key.
    pub fn remove_key(&mut self, key: &PublicKey) {
        self.keys.retain(|known| known != key);
    }

    /// Accepts the CURVE clients whose [certificates](super::super::Certificate) are files of this directory. The
    /// directory is checked for each client, so added and removed files count from the next client on. Secret files
    /// (`..._secret`) and hidden files are ignored. The clients' messages carry the certificates' metadata; for other
    /// metadata see [`Verdict::metadata`].
    ///
    /// A file that is no certificate is reported, and accepts no client. A directory that cannot be read is reported
    /// too: clients that the rest of the policy does not accept then get status 300, and try again.
    pub fn allow_keys_in(&mut self, directory: impl Into<PathBuf>) {
        self.directories.push(Arc::new(KeyDirectory::new(directory.into())));
    }

    /// Accepts every CURVE client. Connections are encrypted, and the user id is the client's key.
    pub fn allow_any_key(&mut self) {
        self.any_key = true;
    }

    /// Sets a closure that decides on CURVE clients that the rest of the policy does not accept. It runs in the
    /// authenticator's thread, and all connecting clients wait for it. If it panics, the client is refused.
    ///
    /// ```
    /// use zmq::security::{Credentials, Policy, Verdict};
    ///
    /// # let known = zmq::PublicKey::from_bytes([7; 32]);
    /// let mut policy = Policy::new();
    /// policy.check_keys(move |request| match request.credentials {
    ///     Credentials::Curve(key) if key == known => Verdict::allow("alice").metadata("X-Role", "admin"),
    ///     _ => Verdict::deny("unknown key"),
    /// });
    /// ```
    pub fn check_keys(&mut self, check: impl Fn(&ZapRequest) -> Verdict + Send + Sync + 'static) {
        self.key_check = Some(Arc::new(check));
    }

    /// Sets a closure that decides on GSSAPI clients, which Kerberos has authenticated. It runs in the authenticator's
    /// thread, and all connecting clients wait for it. If it panics, the client is refused.
    pub fn check_principals(&mut self, check: impl Fn(&ZapRequest) -> Verdict + Send + Sync + 'static) {
        self.principal_check = Some(Arc::new(check));
    }

    /// Decides on a client, and reports errors of the directories.
    pub(super) fn decide(&self, request: &ZapRequest, report: &mut dyn FnMut(String)) -> Verdict {
        if !self.admits(&request.address) {
            return Verdict::deny("its address may not connect");
        }
        match &request.credentials {
            Credentials::Null => Verdict::allow(""),
            Credentials::Plain { username, password } => {
                if self.knows(username, password) {
                    return Verdict::allow(username);
                }
                ask(&self.password_check, request, "unknown user or wrong password")
            }
            Credentials::Curve(key) => self.decide_on_key(key, request, report),
            Credentials::Gssapi(_) => ask(&self.principal_check, request, "no principal may connect"),
        }
    }

    fn admits(&self, address: &str) -> bool {
        match peer_address(address) {
            Some(address) => {
                let is_in = |networks: &[Network]| networks.iter().any(|network| network.contains(address));
                !is_in(&self.denied) && (self.allowed.is_empty() || is_in(&self.allowed))
            }
            // An unknown address may be a denied one.
            None if address.is_empty() => self.allowed.is_empty() && self.denied.is_empty(),
            // Network addresses are numeric. Other text is the system's description of a process.
            None => self.local || self.allowed.is_empty(),
        }
    }

    /// The check takes as long for unknown users as for known ones.
    fn knows(&self, username: &str, password: &SecretText) -> bool {
        let known = self.users.get(username);
        let expected = known.map_or("", SecretText::as_str);
        equal_padded(expected.as_bytes(), password.as_bytes()) & known.is_some()
    }

    fn decide_on_key(&self, key: &PublicKey, request: &ZapRequest, report: &mut dyn FnMut(String)) -> Verdict {
        let mut failed = false;
        for directory in &self.directories {
            match directory.find(key, report) {
                Ok(Some(certificate)) => return allow_certificate(&certificate),
                Ok(None) => {}
                Err(error) => {
                    report(error.to_string());
                    failed = true;
                }
            }
        }
        let is_known = self.keys.iter().fold(false, |found, known| found | equal(known.as_bytes(), key.as_bytes()));
        if is_known || self.any_key {
            return Verdict::allow(key.to_string());
        }
        if failed && self.key_check.is_none() {
            // The directory may be missing only for a moment, and a refused client would not try again.
            return Verdict::later("a directory of certificates cannot be read");
        }
        ask(&self.key_check, request, "unknown key")
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("allowed", &self.allowed)
            .field("denied", &self.denied)
            .field("users", &self.users.keys())
            .field("keys", &self.keys)
            .field("directories", &self.directories)
            .field("any_key", &self.any_key)
            .finish_non_exhaustive()
    }
}

fn ask(check: &Option<Callback>, request: &ZapRequest, otherwise: &str) -> Verdict {
    check.as_ref().map_or_else(|| Verdict::deny(otherwise), |check| check(request))
}

/// The verdict carries the certificate's metadata, as far as messages can carry them.
fn allow_certificate(certificate: &Certificate) -> Verdict {
    let metadata = certificate.all_metadata().filter(|(name, value)| is_metadata(name, value));
    let verdict = Verdict::allow(certificate.public_key().to_string());
    metadata.fold(verdict, |verdict, (name, value)| verdict.metadata(name, value))
}

/// Compares passwords in a time that does not depend on their lengths. PLAIN carries 255 bytes at most.
fn equal_padded(expected: &[u8], given: &[u8]) -> bool {
    let padded = |text: &[u8]| {
        let mut padded = [0u8; 256];
        let length = text.len().min(padded.len());
        padded[..length].copy_from_slice(&text[..length]);
        padded
    };
    let (mut left, mut right) = (padded(expected), padded(given));
    let same = equal(&left, &right) & (expected.len() == given.len()) & (given.len() <= left.len());
    left.zeroize();
    right.zeroize();
    same
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(address: &str, credentials: Credentials) -> ZapRequest {
        ZapRequest { domain: "global".to_owned(), address: address.to_owned(), routing_id: Vec::new(), credentials }
    }

    fn status(policy: &Policy, address: &str, credentials: Credentials) -> u16 {
        policy.decide(&request(address, credentials), &mut |report| panic!("{report}")).status()
    }

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    fn plain(username: &str, password: &str) -> Credentials {
        Credentials::Plain { username: username.to_owned(), password: password.into() }
    }

    #[test]
    fn policy_admits_addresses_by_its_lists() {
        let mut policy = Policy::new();
        let null = |policy: &Policy, address: &str| status(policy, address, Credentials::Null) == 200;
        for address in ["10.0.0.1", "::1", "localhost:0:0:77", ""] {
            assert!(null(&policy, address), "{address}");
        }
        policy.deny(network("10.0.0.0/24"));
        assert!(!null(&policy, "10.0.0.7"));
        assert!(!null(&policy, "::ffff:10.0.0.7"));
        assert!(null(&policy, "10.0.1.7"));
        assert!(null(&policy, "localhost:0:0:77"));
        assert!(!null(&policy, ""));

        policy.allow(network("10.0.0.0/8"));
        assert!(null(&policy, "10.0.1.7"));
        assert!(!null(&policy, "10.0.0.7"), "deny overrides allow");
        assert!(!null(&policy, "11.0.0.1"));
        assert!(!null(&policy, "::1"));
        assert!(!null(&policy, "localhost:0:0:77"));
        policy.allow_local();
        assert!(null(&policy, "localhost:0:0:77"));
        assert!(!null(&policy, ""));
        policy.clear_networks();
        assert!(null(&policy, "10.0.0.7"));
    }

    #[test]
    fn passwords_are_compared_whole() {
        let mut policy = Policy::new();
        let long = "x".repeat(255);
        policy.allow_users([("alice", "hush"), ("empty", ""), ("long", &long)]);
        let allowed = |policy: &Policy, name: &str, password: &str| status(policy, "::1", plain(name, password)) == 200;
        assert!(allowed(&policy, "alice", "hush"));
        assert!(allowed(&policy, "long", &long));
        assert!(allowed(&policy, "empty", ""));
        for (name, password) in [
            ("alice", "hus"),
            ("alice", "hush\0"),
            ("alice", "Hush"),
            ("alice", ""),
            ("bob", "hush"),
            ("bob", ""),
            ("empty", "\0"),
            ("long", &long[1..]),
            ("long", &format!("{long}x")),
            ("long", &format!("{long}xy")),
        ] {
            assert!(!allowed(&policy, name, password), "{name} {password}");
        }
        policy.remove_user("alice");
        assert!(!allowed(&policy, "alice", "hush"));
    }

    #[test]
    fn policy_refuses_unknown_credentials() {
        let policy = Policy::new();
        let key = PublicKey::from_bytes([7; 32]);
        for credentials in [plain("alice", ""), Credentials::Curve(key), Credentials::Gssapi("alice".to_owned())] {
            assert_eq!(status(&policy, "::1", credentials), 400);
        }
    }

    #[test]
    fn policy_asks_the_callback_about_unknown_keys() {
        let [known, other, asked] = [1, 2, 3].map(|byte| PublicKey::from_bytes([byte; 32]));
        let mut policy = Policy::new();
        policy.allow_keys([known]);
        policy.check_keys(move |request| match request.credentials {
            Credentials::Curve(key) if key == asked => Verdict::allow("asked"),
            _ => Verdict::later("ask again"),
        });
        let curve = |policy: &Policy, key| status(policy, "::1", Credentials::Curve(key));
        assert_eq!([known, other, asked].map(|key| curve(&policy, key)), [200, 300, 200]);
        policy.remove_key(&known);
        assert_eq!(curve(&policy, known), 300);
        policy.allow_any_key();
        assert_eq!(curve(&policy, other), 200);
    }

    #[test]
    fn verdict_becomes_a_refusal_when_it_cannot_be_sent() {
        for bad in [
            Verdict::allow("a\0b"),
            Verdict::allow("a").metadata("", "x"),
            Verdict::allow("a").metadata("x".repeat(256), "x"),
            Verdict::allow("a").metadata("user-id", "x"),
            Verdict::allow("a").metadata("Identity", "x"),
            Verdict::allow("a").metadata("X-A", "\0"),
            Verdict::allow("a").metadata("\0", "x"),
        ] {
            assert_eq!(bad.checked().status(), 500);
        }
        let good = Verdict::allow("a").metadata("X-A", "1");
        assert_eq!(good.clone().checked(), good);
        assert_eq!(good.encoded_metadata(), b"\x03X-A\0\0\0\x011");
    }
}
