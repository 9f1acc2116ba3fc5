//! CURVE key generator: prints a new key pair, or writes it to disk as a certificate.
//!
//! Chapter: none, one of libzmq's own tools
//! Original: none
//! Teaches: to make the keys of an encrypted connection, and to keep them in files
//! Arguments: [PATH]
//! Other files: common/mod.rs
//! Ends: by itself
//! Test partners: none
//! Test prints: in order
//! - `The public key may be given to anybody who is to connect; the secret key stays with its owner.`
//! - `Both are printed as Z85, fit for configuration files and source code.`
//! - ``
//! - `== CURVE PUBLIC KEY ==`
//! - `<text>`
//! - ``
//! - `== CURVE SECRET KEY ==`
//! - `<text>`

mod common;

use clap::Parser;
use zmq::security::Certificate;

/// CURVE key generator: prints a new key pair, or writes it to disk as a certificate.
#[derive(Parser)]
struct Args {
    /// The file for the certificate; the secret one gets the same name with _secret behind it
    path: Option<String>,
}

fn main() -> common::Result {
    let args = Args::parse();
    let certificate = Certificate::generate()?;
    if let Some(path) = args.path {
        // Only its owner can read the secret file.
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
