//! `OptionValue` from a configuration file of any format (feature `serde`).

use std::{fmt, mem};

use serde_core::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use zeroize::Zeroizing;

use super::value::OptionValue;

/// From a boolean, an integer, a text, bytes, an array of bytes, or nothing, in a format that says which it is: JSON, TOML,
/// YAML and the like. A map of names and values, such as a `BTreeMap<String, OptionValue>`, is the options of a socket or a
/// context; a `Vec` of pairs keeps their order.
///
/// ```
/// use std::collections::BTreeMap;
/// use zmq::sockopt::OptionValue;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let file = r#"{"ZMQ_RCVHWM": 7, "linger": "250ms", "immediate": true, "rcvtimeo": null}"#;
/// let options: BTreeMap<String, OptionValue> = serde_json::from_str(file)?;
///
/// # let context = zmq::Context::new()?;
/// let socket = context.socket(zmq::Pull)?;
/// for (name, value) in options {
///     socket.set_option(&name, value)?;
/// }
/// assert_eq!((socket.rcvhwm()?, socket.immediate()?, socket.rcvtimeo()?), (7, true, None));
/// # Ok(())
/// # }
/// ```
impl<'de> Deserialize<'de> for OptionValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<OptionValue, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = OptionValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a boolean, an integer, a text, bytes or nothing")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<OptionValue, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<OptionValue, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<OptionValue, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<OptionValue, E> {
        Ok(value.into())
    }

    /// Takes the text over, so that no copy of a password is left behind.
    fn visit_string<E: Error>(self, value: String) -> Result<OptionValue, E> {
        Ok(value.into())
    }

    fn visit_bytes<E: Error>(self, value: &[u8]) -> Result<OptionValue, E> {
        Ok(value.into())
    }

    /// Takes the bytes over, so that no copy of a key is left behind.
    fn visit_byte_buf<E: Error>(self, value: Vec<u8>) -> Result<OptionValue, E> {
        Ok(value.into())
    }

    fn visit_unit<E: Error>(self) -> Result<OptionValue, E> {
        Ok(OptionValue::None)
    }

    fn visit_none<E: Error>(self) -> Result<OptionValue, E> {
        Ok(OptionValue::None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<OptionValue, D::Error> {
        Deserialize::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<OptionValue, A::Error> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(64));
        while let Some(byte) = sequence.next_element::<u8>()? {
            if bytes.len() == bytes.capacity() {
                // `Vec` does not wipe the memory that it leaves when it grows.
                let mut larger = Vec::with_capacity(2 * bytes.len());
                larger.extend_from_slice(&bytes);
                bytes = Zeroizing::new(larger);
            }
            bytes.push(byte);
        }
        Ok(mem::take(&mut *bytes).into())
    }
}
