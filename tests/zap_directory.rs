//! A directory of certificates while the process has no descriptors left. A client that is refused then is let in later.

mod common;

use std::fs::File;
use std::thread;
use std::time::Duration;

use common::{DEADLINE, in_own_process};
use zmq::security::{AuthEvent, Authenticator, Certificate};
use zmq::{Context, Dealer, Multipart, PublicKey};

#[test]
fn directory_rereads_a_file_that_was_unreadable() {
    in_own_process("directory_rereads_a_file_that_was_unreadable", || {
        let path = std::env::temp_dir().join(format!("zmq-zap-descriptors-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let key = PublicKey::from_bytes([7; 32]);
        Certificate::from(key).save_public(path.join("alice.key")).unwrap();
        // After this time the times of the file show whether it has changed.
        thread::sleep(Duration::from_millis(2500));

        let context = Context::new().unwrap();
        let authenticator = Authenticator::start(&context).unwrap();
        authenticator.configure("*", |policy| policy.allow_keys_in(&path)).unwrap();
        let asker = context.socket(Dealer).unwrap();
        asker.connect("inproc://zeromq.zap.01").unwrap();
        let ask = || {
            let head = ["", "1.0", "1", "global", "127.0.0.1", "", "CURVE"];
            let mut request: Multipart = head.into();
            request.push_back(key.as_bytes().as_slice());
            asker.send_multipart(request).unwrap();
            asker.within(DEADLINE).recv_multipart().unwrap().expect("an answer").get(3).unwrap().to_vec()
        };
        let limit = libc::rlimit { rlim_cur: 200, rlim_max: 200 };
        // SAFETY: a valid pointer. The process is this test's own.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
        let mut taken: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        // One descriptor is left for the directory, and none for its files.
        taken.pop();
        assert_eq!(ask(), b"400");
        let AuthEvent::BadCertificate { reason } = authenticator.next_event(DEADLINE).unwrap().unwrap() else {
            panic!()
        };
        assert!(reason.contains("EMFILE") && reason.ends_with("alice.key"), "{reason}");
        drop(taken);
        assert_eq!(ask(), b"200");
        std::fs::remove_dir_all(&path).unwrap();
    });
}
