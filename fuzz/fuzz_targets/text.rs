//! Texts: Z85, keys, networks, certificate files, and the printing of frames.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use zmq::security::{Certificate, Network, PublicKey, SecretKey};
use zmq::{Multipart, z85_decode, z85_encode};
use zmq_fuzz::Input;

fn certificate(content: &[u8]) {
    let path = std::env::temp_dir().join(format!("zmq-fuzz-{}", std::process::id()));
    fs::write(&path, content).unwrap();
    if let Ok(loaded) = Certificate::load_public(&path) {
        // What can be loaded can be saved, and is the same then.
        loaded.save_public(&path).unwrap();
        let again = Certificate::load_public(&path).unwrap();
        assert_eq!(again.public_key(), loaded.public_key());
        assert!(again.all_metadata().eq(loaded.all_metadata()));
    }
    let _ = Certificate::load(&path);
    fs::remove_file(&path).unwrap();
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    match input.byte() % 5 {
        0 => {
            let text = String::from_utf8_lossy(input.0);
            if let Ok(decoded) = z85_decode(&text) {
                assert_eq!(z85_encode(&decoded).unwrap(), text);
            }
            if let Ok(encoded) = z85_encode(input.0) {
                assert_eq!(z85_decode(&encoded).unwrap(), input.0);
            }
        }
        1 => {
            let text = input.text();
            if let Ok(key) = PublicKey::try_from(text.as_str()) {
                assert_eq!(key.to_string(), text);
            }
            if let Ok(key) = SecretKey::try_from(text.as_str()) {
                assert_eq!(key.to_z85().as_str(), text);
            }
            let _ = (PublicKey::try_from(input.0), SecretKey::try_from(input.0));
        }
        2 => {
            if let Ok(network) = input.text().parse::<Network>() {
                assert_eq!(network.to_string().parse::<Network>().unwrap(), network);
            }
        }
        3 => certificate(input.0),
        _ => {
            let parts: Multipart = input.parts();
            let _ = (parts.to_string(), format!("{parts:?}"));
        }
    }
});
