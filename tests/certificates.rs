//! Certificate files: their content and permissions. This library reads the files of czmq and pyzmq, and pyzmq reads those of
//! this library.

mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use common::{Process, in_own_process, lacks_curve, python_program};
use zmq::security::Certificate;
use zmq::{Errno, PublicKey};

/// A directory that is removed when it is dropped.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let path = std::env::temp_dir().join(format!("zmq-certificates-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Place(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn with(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.file(name), text).unwrap();
        self.file(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The example pair of `zmq_curve.txt`.
const PUBLIC: &str = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
const SECRET: &str = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";

/// A new certificate with metadata. It needs CURVE, which checks that the public key belongs to the secret key.
fn certificate() -> Certificate {
    let mut certificate = Certificate::generate().unwrap();
    certificate.set_metadata("name", "Alice, \"the\" first").unwrap();
    certificate.set_metadata("e-mail", "alice@example.org # not a comment").unwrap();
    certificate
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The reason why `load` refuses the file, without the path.
fn why(path: &Path) -> String {
    let error = Certificate::load(path).unwrap_err();
    assert_eq!(error.errno(), Errno::EINVAL);
    why_of(&error, path)
}

/// The detail of an error about a file, without the path.
fn why_of(error: &zmq::Error, path: &Path) -> String {
    let detail = error.detail().unwrap_or_default();
    detail.strip_prefix(&format!("{}:", path.display())).unwrap_or_else(|| panic!("{error}")).trim_start().to_owned()
}

#[deadline::test]
fn saved_certificate_is_loaded() {
    if lacks_curve() {
        return;
    }
    let place = Place::new("saved");
    let certificate = certificate();
    for name in ["alice", "alice.key", "with space", "\u{e9}t\u{e9}"] {
        certificate.save(place.file(name)).unwrap();
        let secret = place.file(&format!("{name}_secret"));
        assert!(Certificate::load(place.file(name)).unwrap() == certificate, "{name}");
        assert!(Certificate::load(&secret).unwrap() == certificate, "{name}");
        let public = Certificate::load_public(place.file(name)).unwrap();
        assert!(public.secret_key().is_none());
        assert_eq!(public.public_key(), certificate.public_key());
        assert_eq!(public.all_metadata().collect::<Vec<_>>(), certificate.all_metadata().collect::<Vec<_>>());
        assert!(Certificate::load_public(&secret).unwrap() == public, "the secret part is left out");
        let text = fs::read_to_string(place.file(name)).unwrap();
        assert!(!text.contains(&*certificate.secret_key().unwrap().to_z85()), "the public file has no secret");
        fs::remove_file(&secret).unwrap();
        assert!(
            Certificate::load(place.file(name)).unwrap() == public,
            "load returns the public certificate if no secret file exists"
        );
    }
    let left: Vec<_> = fs::read_dir(&place.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 4, "no other file is left: {left:?}");
}

#[deadline::test]
fn load_finds_files_of_pyzmq_without_their_ending() {
    let place = Place::new("names");
    let certificate = Certificate::from(PUBLIC.parse::<PublicKey>().unwrap());
    certificate.save(place.file("server.key")).unwrap();
    assert!(Certificate::load(place.file("server")).unwrap() == certificate);
    if !lacks_curve() {
        let pair = Certificate::generate().unwrap();
        pair.save(place.file("server.key")).unwrap();
        assert!(Certificate::load(place.file("server")).unwrap() == pair);
    }
    certificate.save(place.file("server")).unwrap();
    assert!(Certificate::load(place.file("server")).unwrap() == certificate, "the exact name comes first");
}

#[test]
fn secret_file_is_readable_by_its_owner_only() {
    in_own_process("secret_file_is_readable_by_its_owner_only", || {
        if lacks_curve() {
            return;
        }
        // SAFETY: takes a number. The process is this test's own.
        unsafe { libc::umask(0) };
        let place = Arc::new(Place::new("mode"));
        let path = place.file("alice");
        let secret = place.file("alice_secret");
        // `save` replaces the file. It does not write to one that others can read, or may have open.
        place.with("alice_secret", "old");
        fs::set_permissions(&secret, Permissions::from_mode(0o666)).unwrap();
        let old = fs::metadata(&secret).unwrap().ino();
        let certificate = certificate();
        certificate.save(&path).unwrap();
        assert_ne!(fs::metadata(&secret).unwrap().ino(), old);
        assert_eq!((mode(&secret), mode(&path)), (0o600, 0o644));

        // `save` replaces a link, and does not write to its target.
        let elsewhere = place.with("elsewhere", "untouched");
        fs::remove_file(&secret).unwrap();
        symlink(&elsewhere, &secret).unwrap();
        certificate.save(&path).unwrap();
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "untouched");
        assert_eq!(mode(&secret), 0o600);
        fs::remove_file(&elsewhere).unwrap();

        // No file that appears in the directory meanwhile may be readable by others.
        fs::remove_file(&path).unwrap();
        let (stop, looks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let watcher = thread::spawn({
            let (place, stop, looks) = (place.clone(), stop.clone(), looks.clone());
            move || {
                while !stop.load(Ordering::Relaxed) {
                    for entry in fs::read_dir(&place.0).unwrap().flatten() {
                        if let Ok(metadata) = entry.metadata() {
                            looks.fetch_add(1, Ordering::Relaxed);
                            assert_eq!(metadata.permissions().mode() & 0o077, 0, "{:?}", entry.file_name());
                        }
                    }
                }
            }
        });
        let mut rounds = 0;
        while looks.load(Ordering::Relaxed) < 2000 && !watcher.is_finished() || rounds < 100 {
            certificate.save_secret(&secret).unwrap();
            rounds += 1;
        }
        stop.store(true, Ordering::Relaxed);
        watcher.join().unwrap();
    });
}

#[deadline::test]
fn failed_save_returns_an_error_and_leaves_no_file() {
    let place = Place::new("unwritable");
    let public = Certificate::from(PUBLIC.parse::<PublicKey>().unwrap());
    let error = public.save_secret(place.file("alice")).unwrap_err();
    assert_eq!(error.errno(), Errno::EINVAL);
    assert!(error.to_string().ends_with("alice: there is no secret key to be written"), "{error}");
    let error = public.save(place.file("none/alice")).unwrap_err();
    assert_eq!(error.errno(), Errno::ENOENT);
    assert_eq!(error.detail(), Some(&*place.file("none/alice").display().to_string()));
    fs::create_dir(place.file("directory")).unwrap();
    assert!(public.save(place.file("directory")).is_err());
    assert!(public.save("/").is_err());
    assert_eq!(fs::read_dir(&place.0).unwrap().count(), 1);
}

/// If the name of the public file is invalid, no secret file is written before it.
#[test]
fn save_leaves_no_secret_file_if_the_name_is_invalid() {
    in_own_process("save_leaves_no_secret_file_if_the_name_is_invalid", || {
        if lacks_curve() {
            return;
        }
        let place = Place::new("nameless");
        std::env::set_current_dir(&place.0).unwrap();
        fs::create_dir("directory").unwrap();
        for name in ["", ".", "..", "directory/", "directory/.", "directory/..", "none/", "/"] {
            let error = certificate().save(name).unwrap_err();
            assert_eq!(error.detail(), Some(&*format!("{name}: it has no file name")));
        }
        assert_eq!(fs::read_dir("directory").unwrap().count(), 0);
        assert_eq!(fs::read_dir(".").unwrap().count(), 1);
    });
}

/// czmq writes comments, quotes of both kinds, and sections that this library does not need.
#[deadline::test]
fn certificate_reads_files_of_czmq() {
    let place = Place::new("czmq");
    let text = format!(
        "#   ****  Generated on 2026-01-02 03:04:05 by CZMQ  ****\n#   ZeroMQ CURVE Public Certificate\n\n\
         metadata\n    name = \"Alice\"\n    motto = 'she said \"no\"'\n    created = 2026-01-02   # by hand\n\
         curve\n    public-key = \"{PUBLIC}\"\nother\n    public-key = \"not this one\"\n        deeper = 1\n"
    );
    let certificate = Certificate::load(place.with("alice", text)).unwrap();
    assert_eq!(certificate.public_key().to_string(), PUBLIC);
    let expected = [("name", "Alice"), ("motto", "she said \"no\""), ("created", "2026-01-02")];
    assert_eq!(certificate.all_metadata().collect::<Vec<_>>(), expected);
    assert_eq!(certificate.metadata("motto"), Some("she said \"no\""));

    // The order of the sections and the ends of the lines do not matter.
    let text = format!("curve\r\n    public-key = '{PUBLIC}'\r\nmetadata\r\n    name = Bob\r\n");
    let certificate = Certificate::load(place.with("bob", text)).unwrap();
    assert_eq!((certificate.public_key().to_string().as_str(), certificate.metadata("name")), (PUBLIC, Some("Bob")));

    // A key may have no quotes, and may contain a #.
    let with_hash: PublicKey = "0000#".repeat(8).parse().unwrap();
    let text = format!("curve\n    public-key = {with_hash}\n");
    assert_eq!(Certificate::load(place.with("carol", text)).unwrap().public_key(), &with_hash);
}

/// A file that was written by hand may have values that are valid only without quotes.
#[deadline::test]
fn loaded_certificate_can_be_saved() {
    let place = Place::new("again");
    let text = format!(
        "metadata\n    motto = it's \"so\"   # by hand\n    tab = \"a\tb\"\n    two words = 'x'\n    none =\ncurve\n    public-key = {PUBLIC}\n"
    );
    let certificate = Certificate::load(place.with("alice", text)).unwrap();
    let expected = [("motto", "it's \"so\""), ("tab", "a\tb"), ("two words", "x"), ("none", "")];
    assert_eq!(certificate.all_metadata().collect::<Vec<_>>(), expected);
    certificate.save(place.file("bob")).unwrap();
    assert!(Certificate::load(place.file("bob")).unwrap() == certificate);
}

#[deadline::test]
fn load_names_the_line_of_a_malformed_file() {
    let place = Place::new("malformed");
    let key = |text: &str| format!("# a comment\nmetadata\ncurve\n    public-key = \"{text}\"\n");
    let cases: &[(Vec<u8>, &str)] = &[
        (Vec::new(), "there is no public-key in the section curve"),
        (b"curve\n".to_vec(), "there is no public-key in the section curve"),
        (format!("metadata\n    public-key = \"{PUBLIC}\"\n").into(), "there is no public-key in the section curve"),
        (key("").into(), "4: public-key: a key has 40 characters as text, not 0"),
        (key(&PUBLIC[1..]).into(), "4: public-key: a key has 40 characters as text, not 39"),
        (key(&format!("{PUBLIC}0")).into(), "4: public-key: a key has 40 characters as text, not 41"),
        (key(&"~".repeat(40)).into(), "4: public-key: not a Z85 text"),
        (key(&"0".repeat(40)).into(), "the public key is all zeros, which is none"),
        (key(&format!("{PUBLIC}\"\n    public-key = \"{PUBLIC}")).into(), "5: there is a public-key already"),
        (format!("curve\n    public-key = \"{PUBLIC}\n").into(), "2: a quote has no end"),
        (format!("    public-key = \"{PUBLIC}\"\n").into(), "1: it is indented, and no section has begun"),
        (format!("curve\npublic-key = \"{PUBLIC}\"\n").into(), "there is no public-key in the section curve"),
        (format!("curve\n    public-key \"{PUBLIC}\"\n").into(), "2: there is no = in it"),
        (b"#\n#\n\xff\xfe\n".to_vec(), "3: it is not UTF-8"),
        (b"curve\n    public-key = \"\0\"\n".to_vec(), "2: there is a NUL in it"),
        (vec![b'#'; 1 << 20], "it is longer than a certificate"),
        (b"-----BEGIN CERTIFICATE-----\nMIIB\n".to_vec(), "1: this is neither a section nor a comment"),
    ];
    for (text, expected) in cases {
        assert_eq!(
            &why(&place.with("bad", text)),
            expected,
            "{:?}",
            String::from_utf8_lossy(&text[..text.len().min(99)])
        );
    }
    fs::create_dir(place.file("directory")).unwrap();
    assert_eq!(why(&place.file("directory")), "it is not a file");
    assert_eq!(Certificate::load(place.file("none")).unwrap_err().errno(), Errno::ENOENT);
}

#[deadline::test]
fn load_does_not_show_a_malformed_secret() {
    let place = Place::new("secret");
    let secret = |text: &str| format!("curve\n    public-key = \"{PUBLIC}\"\n    secret-key = \"{text}\"\n");
    place.with("alice", format!("curve\n    public-key = \"{PUBLIC}\"\n"));
    let mut cases = vec![
        (SECRET[1..].to_owned(), "3: secret-key: a key has 40 characters as text, not 39"),
        (format!("~{}", &SECRET[1..]), "3: secret-key: not a Z85 text"),
        (format!("{SECRET}\" behind"), "3: there is something behind the quotes"),
        (format!("{SECRET}\"\n    secret-key = \"{SECRET}"), "4: there is a secret-key already"),
    ];
    if !lacks_curve() {
        let other = Certificate::generate().unwrap().secret_key().unwrap().to_z85();
        cases.push((other.to_string(), "the public key is not that of the secret key"));
        cases.push(("0".repeat(40), "the public key is not that of the secret key"));
    }
    for (text, expected) in cases {
        let path = place.with("alice_secret", secret(&text));
        let error = Certificate::load(place.file("alice")).unwrap_err();
        assert_eq!(why_of(&error, &path), expected);
        assert!(!format!("{error:?} {error}").contains(&SECRET[1..]), "{error:?}");
    }
}

#[deadline::test]
fn metadata_that_cannot_be_written_is_refused() {
    let mut certificate = Certificate::from(PUBLIC.parse::<PublicKey>().unwrap());
    for (name, value) in [("", "x"), ("a b", "x"), ("a=b", "x"), ("a", "two\nlines"), ("a", "'\""), ("a", "\0")] {
        assert_eq!(certificate.set_metadata(name, value).unwrap_err().errno(), Errno::EINVAL, "{name}={value}");
    }
    certificate.set_metadata("a", "1").unwrap();
    certificate.set_metadata("a", "2").unwrap();
    assert_eq!(certificate.all_metadata().collect::<Vec<_>>(), [("a", "2")]);
}

fn pyzmq(args: &[&str]) -> Vec<String> {
    let program = Process::spawn(python_program("certificates.py").args(args));
    let lines = program.rest();
    program.succeeds();
    lines
}

#[deadline::test]
fn pyzmq_reads_saved_certificates() {
    if lacks_curve() {
        return;
    }
    let place = Place::new("to-pyzmq");
    let certificate = certificate();
    certificate.save(place.file("alice.key")).unwrap();
    let public = certificate.public_key().to_string();
    let secret = certificate.secret_key().unwrap().to_z85();
    assert_eq!(pyzmq(&["load", place.file("alice.key").to_str().unwrap()]), [public.as_str(), "none"]);
    assert_eq!(pyzmq(&["load", place.file("alice.key_secret").to_str().unwrap()]), [&public, &*secret]);
    // pyzmq loads the files under czmq's names as well.
    certificate.save(place.file("alice")).unwrap();
    assert_eq!(pyzmq(&["load", place.file("alice").to_str().unwrap()]), [public.as_str(), "none"]);
    assert_eq!(pyzmq(&["load", place.file("alice_secret").to_str().unwrap()]), [&public, &*secret]);
    let other = Certificate::generate().unwrap();
    other.save_public(place.file("bob.key")).unwrap();
    let mut all = [public, other.public_key().to_string()];
    all.sort();
    assert_eq!(pyzmq(&["load-all", place.0.to_str().unwrap()]), all);
}

#[deadline::test]
fn certificate_reads_files_of_pyzmq() {
    if lacks_curve() {
        return;
    }
    let place = Place::new("of-pyzmq");
    let directory = place.0.to_str().unwrap();
    let files = pyzmq(&["create", directory, "alice", "email", "alice@example.org"]);
    assert_eq!(files, [place.file("alice.key"), place.file("alice.key_secret")].map(|path| path.display().to_string()));
    let keys = pyzmq(&["load", &files[1]]);
    for name in ["alice", "alice.key", "alice.key_secret"] {
        let certificate = Certificate::load(place.file(name)).unwrap();
        assert_eq!(certificate.public_key().to_string(), keys[0]);
        assert_eq!(&*certificate.secret_key().unwrap().to_z85(), keys[1]);
        assert_eq!(certificate.metadata("email"), Some("alice@example.org"));
    }
    // The secret file that pyzmq wrote was readable by everybody; saving makes it readable by its owner only.
    let certificate = Certificate::load(place.file("alice")).unwrap();
    certificate.save(place.file("alice.key")).unwrap();
    assert_eq!(mode(&place.file("alice.key_secret")), 0o600);
    assert_eq!(pyzmq(&["load", &files[1]]), keys);
}
