//! Keys and their text form.

mod keys;
mod z85;

pub use keys::{PublicKey, SecretKey, curve_keypair, curve_public};
pub use z85::{Z85Error, z85_decode, z85_encode};
