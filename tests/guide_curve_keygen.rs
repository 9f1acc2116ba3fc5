//! `curve_keygen` makes valid keys, and a new pair each time.

mod common;

use common::guide::{Directory, ended, example};
use common::{Process, skip_unless};
use zmq::security::Certificate;

fn pair() -> (String, String) {
    let lines = ended(Process::start(example("curve_keygen"), &[]));
    let after = |heading: &str| {
        let place = lines.iter().position(|line| line == heading).expect(heading);
        lines[place + 1].clone()
    };
    (after("== CURVE PUBLIC KEY =="), after("== CURVE SECRET KEY =="))
}

#[deadline::test]
fn curve_keygen_makes_pairs() {
    if skip_unless(zmq::has("curve"), "this libzmq has no CURVE") {
        return;
    }
    let (public, secret) = pair();
    assert_eq!(zmq::curve_public(&secret.parse().unwrap()).unwrap().to_string(), public);
    assert_ne!(pair().1, secret);

    let directory = Directory::new("keygen");
    let path = directory.path().join("server.key");
    let lines = ended(Process::start(example("curve_keygen"), &[path.to_str().unwrap()]));
    assert_eq!(lines, [path.display().to_string(), format!("{}_secret", path.display())]);
    assert!(Certificate::load(&path).unwrap().secret_key().is_some());
}
