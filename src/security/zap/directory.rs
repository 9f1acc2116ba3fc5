//! A directory of certificates. Only changed files are read again.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::super::certificate::{Certificate, io_failed};
use super::super::keys::PublicKey;
use super::super::secret::equal;
use crate::error::{Errno, Result};
use crate::lock::lock;
use crate::raw::platform::Stamp;

/// A file that was read less than this after its last change may have changed again with the same times: file systems
/// record times in ticks.
const TICK: Duration = Duration::from_secs(2);

struct KnownFile {
    stamp: Stamp,
    /// Every later change of the file changes the stamp, so that an equal stamp means an unchanged file.
    shows_changes: bool,
    certificate: Option<Certificate>,
}

pub(super) struct KeyDirectory {
    path: PathBuf,
    known: Mutex<BTreeMap<OsString, KnownFile>>,
}

impl KeyDirectory {
    pub(super) fn new(path: PathBuf) -> KeyDirectory {
        KeyDirectory { path, known: Mutex::default() }
    }

    /// The certificate of a key, as the directory is now. Files that are no certificates are reported once.
    pub(super) fn find(&self, key: &PublicKey, report: &mut dyn FnMut(String)) -> Result<Option<Certificate>> {
        let mut known = lock(&self.known);
        self.read(&mut known, report).map_err(|error| io_failed("Policy::allow_keys_in", &self.path, &error))?;
        let certificates = known.values().filter_map(|known| known.certificate.as_ref());
        let found = certificates.fold(None, |found, certificate| {
            if equal(certificate.public_key().as_bytes(), key.as_bytes()) { Some(certificate) } else { found }
        });
        Ok(found.cloned())
    }

    /// If the directory cannot be read to its end, the certificates that are known already stay.
    fn read(&self, known: &mut BTreeMap<OsString, KnownFile>, report: &mut dyn FnMut(String)) -> io::Result<()> {
        let mut new = BTreeMap::new();
        let outcome = self.read_into(&mut new, known, report);
        if outcome.is_ok() {
            known.clear();
        }
        known.append(&mut new);
        outcome
    }

    fn read_into(
        &self,
        new: &mut BTreeMap<OsString, KnownFile>,
        old: &mut BTreeMap<OsString, KnownFile>,
        report: &mut dyn FnMut(String),
    ) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            if name.as_encoded_bytes().starts_with(b".") || name.as_encoded_bytes().ends_with(b"_secret") {
                continue;
            }
            let path = self.path.join(&name);
            // Entries that have gone meanwhile or are no files are skipped.
            let Some(metadata) = fs::metadata(&path).ok().filter(fs::Metadata::is_file) else { continue };
            let stamp = Stamp::of(&metadata);
            let before = old.remove(&name).filter(|known| known.stamp == stamp);
            let known = match before {
                Some(known) if known.shows_changes => known,
                before => {
                    let mut shows_changes = shows_changes(&stamp);
                    let certificate = match Certificate::load_public(&path) {
                        Ok(certificate) => Some(certificate),
                        Err(error) => {
                            // The next attempt may succeed: descriptors may have run out.
                            shows_changes &= error == Errno::EINVAL;
                            if before.is_none_or(|known| known.certificate.is_some()) {
                                report(error.to_string());
                            }
                            None
                        }
                    };
                    KnownFile { stamp, shows_changes, certificate }
                }
            };
            new.insert(name, known);
        }
        Ok(())
    }
}

/// Whether the last change is older than a tick of the file system's clock, so that a later one has another time.
fn shows_changes(stamp: &Stamp) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    stamp.last_change().checked_add(TICK).is_some_and(|safe| safe < now)
}

impl fmt::Debug for KeyDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Place {
            let path = std::env::temp_dir().join(format!("zmq-directory-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Place(path)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn key(byte: u8) -> PublicKey {
        PublicKey::from_bytes([byte; 32])
    }

    #[test]
    fn directory_is_read_again_when_it_changes() {
        let place = Place::new("changes");
        let directory = KeyDirectory::new(place.0.clone());
        let mut reports = Vec::new();
        let mut knows = |byte| directory.find(&key(byte), &mut |report| reports.push(report)).unwrap().is_some();
        assert!(!knows(1));
        let file = place.0.join("alice.key");
        Certificate::from(key(1)).save_public(&file).unwrap();
        assert!(knows(1) && !knows(2));
        // A change in place, at once and of the same size: only the content shows it.
        let text = fs::read_to_string(&file).unwrap();
        for byte in [2, 3, 4] {
            fs::write(&file, text.replace(&key(1).to_string(), &key(byte).to_string())).unwrap();
            assert!(knows(byte) && !knows(byte - 1));
        }
        Certificate::from(key(5)).save_public(place.0.join("bob")).unwrap();
        assert!(knows(4) && knows(5));
        fs::remove_file(&file).unwrap();
        assert!(!knows(4) && knows(5));
        assert!(reports.is_empty());
    }

    #[test]
    fn malformed_certificate_is_reported_once() {
        let place = Place::new("reports");
        fs::write(place.0.join("bad"), "curve\n    public-key = \"short\"\n").unwrap();
        fs::write(place.0.join(".hidden"), "not for us").unwrap();
        fs::write(place.0.join("bad_secret"), "not for us").unwrap();
        fs::create_dir(place.0.join("directory")).unwrap();
        let directory = KeyDirectory::new(place.0.clone());
        let mut reports = Vec::new();
        for _ in 0..3 {
            assert!(directory.find(&key(0), &mut |report| reports.push(report)).unwrap().is_none());
        }
        // The file is not reported again after the directory was missing.
        let away = place.0.with_extension("away");
        fs::rename(&place.0, &away).unwrap();
        assert!(directory.find(&key(0), &mut |report| reports.push(report)).is_err());
        fs::rename(&away, &place.0).unwrap();
        assert!(directory.find(&key(0), &mut |report| reports.push(report)).unwrap().is_none());
        let expected =
            format!("{}:2: public-key: a key has 40 characters as text, not 5", place.0.join("bad").display());
        assert_eq!(reports.len(), 1);
        assert!(reports[0].ends_with(&expected), "{reports:?}");
    }

    #[test]
    fn find_fails_when_the_directory_does_not_exist() {
        let directory = KeyDirectory::new("/there/is/none".into());
        let error = directory.find(&key(1), &mut |_| {}).unwrap_err();
        assert_eq!(error.errno(), Errno::ENOENT);
        assert_eq!(error.detail(), Some("/there/is/none"));
    }

    /// Opening the pipe would wait for a writer.
    #[cfg(unix)]
    #[test]
    fn pipe_in_a_directory_is_not_opened() {
        let place = Place::new("pipe");
        let pipe = place.0.join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let directory = KeyDirectory::new(place.0.clone());
        assert!(directory.find(&key(1), &mut |report| panic!("{report}")).unwrap().is_none());
        assert!(Certificate::load(&pipe).unwrap_err().to_string().ends_with("it is not a file"));
    }
}
