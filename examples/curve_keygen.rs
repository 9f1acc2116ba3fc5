//! CURVE key generator: prints a new key pair, or writes it to disk as a certificate.
//!
//! Chapter: none, it is one of libzmq's own tools
//! Partners: none
//! Arguments: [PATH of the certificate, default none: the keys are printed]
//! Prints: the public and the secret key as Z85 text, each under its heading; with a path the names of the files

use std::env;
use std::error::Error;

use zmq::security::Certificate;

fn main() -> Result<(), Box<dyn Error>> {
    let certificate = Certificate::generate()?;
    if let Some(path) = env::args().nth(1) {
        // The secret file is readable by its owner alone.
        certificate.save(&path)?;
        println!("{path}\n{path}_secret");
        return Ok(());
    }

    println!("The public key may be given to anybody who is to connect; the secret key stays with its owner.");
    println!("Both are printed as Z85, fit for configuration files and source code.");
    println!("\n== CURVE PUBLIC KEY ==\n{}", certificate.public_key());
    if let Some(secret) = certificate.secret_key() {
        println!("\n== CURVE SECRET KEY ==\n{}", &*secret.to_z85());
    }
    Ok(())
}
