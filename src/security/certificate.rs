//! Certificates: CURVE keys on disk, as czmq and pyzmq write and read them.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use super::keys::{PublicKey, SecretKey, curve_keypair, curve_public};
use super::secret::{SecretBytes, SecretText};
use super::zpl::{self, BadLine, Entry};
use crate::error::{Errno, Error, Result};
use crate::raw::platform::{create_with_mode, read_at_once};

const LOAD: &str = "Certificate::load";
const SAVE: &str = "Certificate::save";

/// The largest certificate file in bytes. Longer files are refused.
const LONGEST: usize = 1 << 16;

/// A CURVE key pair, or a public key alone, with metadata about its owner.
///
/// A certificate is two files: `NAME`, which is public, and `NAME_secret` for its owner alone. czmq uses the same
/// names. pyzmq's `server.key` and `server.key_secret` have a `NAME` that ends in `.key`. czmq and pyzmq read the files
/// of this library, and this library reads theirs.
///
/// ```
/// use zmq::security::{Certificate, Security};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # if !zmq::has("curve") { return Ok(()); }
/// # let directory = std::env::temp_dir().join(format!("zmq-doc-certificate-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// let mut certificate = Certificate::generate()?;
/// certificate.set_metadata("email", "alice@example.org")?;
/// certificate.save(directory.join("alice.key"))?;
///
/// let loaded = Certificate::load(directory.join("alice.key"))?;
/// assert_eq!(loaded.public_key(), certificate.public_key());
/// assert_eq!(loaded.secret_key(), certificate.secret_key());
/// assert_eq!(loaded.metadata("email"), Some("alice@example.org"));
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    public: PublicKey,
    secret: Option<SecretKey>,
    metadata: Vec<(String, String)>,
}

impl Certificate {
    /// A certificate with a new key pair.
    ///
    /// # Errors
    ///
    /// `ENOTSUP` if libzmq was built without CURVE (feature `curve`).
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// # if !zmq::has("curve") { return Ok(()); }
    /// let certificate = zmq::security::Certificate::generate()?;
    /// assert!(certificate.secret_key().is_some());
    /// # Ok(())
    /// # }
    /// ```
    pub fn generate() -> Result<Certificate> {
        let (public, secret) = curve_keypair()?;
        Ok(Certificate { public, secret: Some(secret), metadata: Vec::new() })
    }

    /// The public key.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The secret key, if the certificate has it.
    pub fn secret_key(&self) -> Option<&SecretKey> {
        self.secret.as_ref()
    }

    /// The metadata under this name.
    pub fn metadata(&self, name: &str) -> Option<&str> {
        self.metadata.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All metadata, in the certificate's order.
    ///
    /// ```
    /// use zmq::{PublicKey, security::Certificate};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// let mut certificate = Certificate::from(PublicKey::from_bytes([7; 32]));
    /// certificate.set_metadata("name", "Alice")?;
    /// assert_eq!(certificate.all_metadata().collect::<Vec<_>>(), [("name", "Alice")]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn all_metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        self.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Sets the metadata under this name, and replaces an earlier value.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a name or value that cannot be written: a name that is empty, longer than 255 bytes or has other
    /// letters than `A-Z a-z 0-9 - $ _ @ . & + /`; a value with a control character or with both kinds of quotes.
    ///
    /// ```
    /// use zmq::{PublicKey, security::Certificate};
    ///
    /// # fn main() -> zmq::Result<()> {
    /// let mut certificate = Certificate::from(PublicKey::from_bytes([7; 32]));
    /// certificate.set_metadata("email", "alice@example.org")?;
    /// assert!(certificate.set_metadata("two words", "no").is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_metadata(&mut self, name: &str, value: &str) -> Result<()> {
        const CALL: &str = "set_metadata";
        if !zpl::is_name(name) || name.len() > 255 {
            return Err(Errno::EINVAL.with_detail(CALL, format_args!("{name:?} cannot be the name of a value")));
        }
        if !zpl::is_value(value) {
            return Err(Errno::EINVAL.with_detail(CALL, format_args!("{value:?} cannot be written as a value")));
        }
        self.metadata.retain(|(known, _)| known != name);
        self.metadata.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    /// Writes the public part to `path`. If the certificate has its secret key, writes both parts to `path` with the suffix
    /// `_secret`.
    ///
    /// The secret file has mode 0600 when it is created; on Windows it has the permissions of its directory. Existing files are
    /// replaced as a whole: a program that reads them meanwhile gets the old file or the new one.
    ///
    /// # Errors
    ///
    /// The system's error if a file cannot be written, `EINVAL` if the path does not end with the name of a file. The
    /// error's detail begins with the path.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        check_name(path)?;
        if self.secret.is_some() {
            self.save_secret(with_behind(path, "_secret"))?;
        }
        self.save_public(path)
    }

    /// Writes the public part to `path`, and nothing else.
    ///
    /// # Errors
    ///
    /// As [`Certificate::save`].
    ///
    /// ```
    /// use zmq::{PublicKey, security::Certificate};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let directory = std::env::temp_dir().join(format!("zmq-doc-public-{}", std::process::id()));
    /// # std::fs::create_dir_all(&directory)?;
    /// let certificate = Certificate::from(PublicKey::from_bytes([7; 32]));
    /// certificate.save_public(directory.join("bob"))?;
    /// assert!(Certificate::load(directory.join("bob"))? == certificate);
    /// # std::fs::remove_dir_all(&directory)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn save_public(&self, path: impl AsRef<Path>) -> Result<()> {
        let head = "# A public CURVE certificate of ZeroMQ. It may be given to anybody; who gets it should make sure\n\
                    # that it is the right one.\n";
        let text = self.text(head) + "\n";
        replace(path.as_ref(), 0o644, text.as_bytes())
    }

    /// Writes the public and the secret part to `path`, readable by its owner alone.
    ///
    /// # Errors
    ///
    /// As [`Certificate::save`]. `EINVAL` if the certificate has no secret key.
    pub fn save_secret(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let Some(secret) = &self.secret else {
            return Err(refused(SAVE, path, "there is no secret key to be written"));
        };
        let head = "# A SECRET CURVE certificate of ZeroMQ. It is for its owner alone: do not give it away, nor let\n\
                    # others read it.\n";
        let secret: SecretText = secret.to_z85();
        let text = zpl::concat_secret(&[&self.text(head), "\n    secret-key = \"", &secret, "\"\n"]);
        replace(path, 0o600, &text)
    }

    /// The text of both files up to the end of the line with the public key.
    fn text(&self, head: &str) -> String {
        let mut text = head.to_owned();
        zpl::write_section(&mut text, "metadata");
        self.metadata.iter().for_each(|(name, value)| zpl::write_entry(&mut text, name, value));
        zpl::write_section(&mut text, "curve");
        zpl::write_entry(&mut text, "public-key", &self.public.to_string());
        text.pop();
        text
    }

    /// Reads a certificate: with its secret key from `path` with the suffix `_secret` if that file exists, otherwise from
    /// `path`. If neither exists, `.key` is added to `path` as in pyzmq. `path` may also name a secret file itself.
    ///
    /// # Errors
    ///
    /// The system's error if the file does not exist or cannot be read, such as `ENOENT`. `EINVAL` if it is not a
    /// certificate, as a secret file without the public key of its secret key. The error's detail begins with the path and
    /// the line, and has no part of the file's content.
    pub fn load(path: impl AsRef<Path>) -> Result<Certificate> {
        let path = path.as_ref();
        let names = ["_secret", "", ".key_secret", ".key"];
        let found = names.iter().map(|behind| with_behind(path, behind)).find(|path| path.is_file());
        read(&found.unwrap_or_else(|| path.to_owned()), true)
    }

    /// Reads the public part of a certificate from `path`, and nothing else.
    ///
    /// # Errors
    ///
    /// As [`Certificate::load`].
    ///
    /// ```
    /// use zmq::{Errno, security::Certificate};
    ///
    /// let error = Certificate::load_public("/there/is/none").unwrap_err();
    /// assert_eq!(error.errno(), Errno::ENOENT);
    /// assert_eq!(error.detail(), Some("/there/is/none"));
    /// ```
    pub fn load_public(path: impl AsRef<Path>) -> Result<Certificate> {
        read(path.as_ref(), false)
    }
}

/// A certificate of this secret key and the public one that belongs to it. The error is `ENOTSUP` if libzmq was built without
/// CURVE (feature `curve`).
///
/// ```
/// use zmq::security::Certificate;
///
/// # fn main() -> zmq::Result<()> {
/// # if !zmq::has("curve") { return Ok(()); }
/// let (public, secret) = zmq::curve_keypair()?;
/// assert_eq!(Certificate::try_from(secret)?.public_key(), &public);
/// # Ok(())
/// # }
/// ```
impl TryFrom<SecretKey> for Certificate {
    type Error = Error;

    fn try_from(secret: SecretKey) -> Result<Certificate> {
        Ok(Certificate { public: curve_public(&secret)?, secret: Some(secret), metadata: Vec::new() })
    }
}

/// A certificate of a public key alone, without the secret one.
///
/// ```
/// use zmq::{PublicKey, security::Certificate};
///
/// let certificate = Certificate::from(PublicKey::from_bytes([7; 32]));
/// assert!(certificate.secret_key().is_none());
/// ```
impl From<PublicKey> for Certificate {
    fn from(public: PublicKey) -> Certificate {
        Certificate { public, secret: None, metadata: Vec::new() }
    }
}

/// Shows the public key and the metadata.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("public_key", &self.public)
            .field("has_secret_key", &self.secret.is_some())
            .field("metadata", &self.metadata)
            .finish()
    }
}

/// The error of a file that is not a certificate, or of a certificate that cannot be saved. The text has no part of a
/// file's content.
fn refused(call: &'static str, path: &Path, why: &str) -> Error {
    Errno::EINVAL.with_detail(call, format_args!("{}: {why}", path.display()))
}

/// The error of the system for a file or directory.
pub(super) fn io_failed(call: &'static str, path: &Path, error: &io::Error) -> Error {
    Errno::from_io(error, Errno::from_raw(libc::EIO)).with_detail(call, path.display())
}

/// Whether a path ends with the name of a file: a suffix after a slash or dots would become the whole name.
fn check_name(path: &Path) -> Result<()> {
    let name = path.file_name().map(OsStr::as_encoded_bytes);
    if name.is_some_and(|name| path.as_os_str().as_encoded_bytes().ends_with(name)) {
        return Ok(());
    }
    Err(refused(SAVE, path, "it has no file name"))
}

fn with_behind(path: &Path, behind: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(behind);
    PathBuf::from(name)
}

fn read(path: &Path, wants_secret: bool) -> Result<Certificate> {
    let bytes = read_bytes(path)?;
    let file = |why| refused(LOAD, path, why);
    let line = |line, why: String| Errno::EINVAL.with_detail(LOAD, format_args!("{}:{line}: {why}", path.display()));
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        line(before.split(|byte| *byte == b'\n').count(), "it is not UTF-8".to_owned())
    })?;
    let bad = |BadLine(number, why)| line(number, why.to_owned());
    let (mut public, mut secret, mut metadata) = (None, None, Vec::new());
    for entry in zpl::parse(text).map_err(bad)? {
        match (entry.section, entry.name) {
            ("metadata", name) => metadata.push((name.to_owned(), entry.value().map_err(bad)?.to_owned())),
            ("curve", "public-key") => set_once(&mut public, &entry).map_err(|(number, why)| line(number, why))?,
            ("curve", "secret-key") if wants_secret => {
                set_once(&mut secret, &entry).map_err(|(number, why)| line(number, why))?;
            }
            _ => {}
        }
    }
    let public: PublicKey = public.ok_or_else(|| file("there is no public-key in the section curve"))?;
    if public.as_bytes() == &[0; 32] {
        return Err(file("the public key is all zeros, which is none"));
    }
    if let Some(secret) = &secret {
        // Without CURVE the keys can neither be compared nor used.
        if curve_public(secret).is_ok_and(|own| own != public) {
            return Err(file("the public key is not that of the secret key"));
        }
    }
    Ok(Certificate { public, secret, metadata })
}

/// Reads the key of an entry, unless an earlier one had it.
fn set_once<K: FromStr<Err = Error>>(key: &mut Option<K>, entry: &Entry<'_>) -> Result<(), (usize, String)> {
    if key.is_some() {
        return Err((entry.line, format!("there is a {} already", entry.name)));
    }
    let text = entry.word().map_err(|BadLine(line, why)| (line, why.to_owned()))?;
    let bad = |error: Error| (entry.line, format!("{}: {}", entry.name, error.detail().unwrap_or_default()));
    *key = Some(text.parse().map_err(bad)?);
    Ok(())
}

/// Reads a file as a whole, into memory that is wiped.
fn read_bytes(path: &Path) -> Result<SecretBytes> {
    let failed = |error| io_failed(LOAD, path, &error);
    let mut file = read_at_once().open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(refused(LOAD, path, "it is not a file"));
    }
    let mut bytes = SecretBytes::new(vec![0; LONGEST + 1]);
    let mut length = 0;
    loop {
        match file.read(&mut bytes[length..]) {
            Ok(0) if length > LONGEST => return Err(refused(LOAD, path, "it is longer than a certificate")),
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// Writes a file under a temporary name and renames it: other programs never see a part of it, nor the new content with
/// the old permissions.
fn replace(path: &Path, mode: u32, content: &[u8]) -> Result<()> {
    check_name(path)?;
    let failed = |error| io_failed(SAVE, path, &error);
    let (new, mut file) = create_beside(path, mode).map_err(failed)?;
    let written = file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&new, path));
    written.map_err(|error| {
        // The unfinished file is of no use.
        let _ = fs::remove_file(&new);
        failed(error)
    })
}

/// Creates a new file with this mode in the directory of `path`. `path` ends with the name of a file.
fn create_beside(path: &Path, mode: u32) -> io::Result<(PathBuf, File)> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let new = path.with_file_name(format!(".zmq-{}-{number}", std::process::id()));
        match create_with_mode(mode).open(&new) {
            // An earlier process with the same id has left the file. The next name is tried.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return created.map(|file| (new, file)),
        }
    }
}
