//! Options whose names and values a program learns at run time: from a table, a command line or a configuration file.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroize;

use crate::error::{Errno, Error, Result};
use crate::security::secret::SecretText;

/// The value of an option, of any of the types that options have.
///
/// [`Socket::set_option`](crate::Socket::set_option) and [`Context::set_option`](crate::Context::set_option) take it. They
/// convert it to the type of the option:
///
/// | type | accepted values |
/// | --- | --- |
/// | yes or no | `Bool`, the numbers 0 and 1, the texts `yes`, `on`, `true`, `no`, `off` and `false` |
/// | number | `Int`, a text of digits |
/// | time | `Duration`, `Int` in the unit that C has for the option, a text such as `50us`, `250ms`, `2s` or `250` |
/// | text | `Text`; an empty one is `None` |
/// | bytes | `Bytes`, `Text` |
/// | CURVE key | `Text` of 40 characters, `Bytes` that are 32 or such a text |
///
/// Numbers mean the same as in C: -1 is `None` if it is the number that C has for it. The text `none` is `None`, except for
/// options that are texts or bytes.
///
/// `{:?}` shows no text and no bytes, since they can be a password or a key. Both are wiped from memory when the value is dropped.
///
/// With the feature `serde` it can be deserialized: from a boolean, an integer, a text, bytes or nothing.
///
/// ```
/// use zmq::sockopt::OptionValue;
/// use std::time::Duration;
///
/// # fn main() -> zmq::Result<()> {
/// # let context = zmq::Context::new()?;
/// let socket = context.socket(zmq::Pull)?;
/// for value in [OptionValue::from("250ms"), OptionValue::Int(250), Duration::from_millis(250).into()] {
///     socket.set_option("ZMQ_LINGER", value)?;
///     assert_eq!(socket.linger()?, Some(Duration::from_millis(250)));
/// }
/// assert_eq!(format!("{:?}", OptionValue::from("open sesame")), "Text(..)");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionValue {
    /// Off, no limit, or the system's choice: `None` of the option's own methods.
    None,
    /// Yes or no.
    Bool(bool),
    /// A number, as C has it.
    Int(i128),
    /// A time.
    Duration(Duration),
    /// A text.
    Text(SecretText),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl OptionValue {
    /// The value that a text stands for, if the option is neither a text nor bytes.
    pub(crate) fn parsed(&self) -> OptionValue {
        let OptionValue::Text(text) = self else { return self.clone() };
        let text = text.trim();
        match text.to_ascii_lowercase().as_str() {
            "none" => return OptionValue::None,
            "yes" | "on" | "true" => return OptionValue::Bool(true),
            "no" | "off" | "false" => return OptionValue::Bool(false),
            _ => {}
        }
        if let Ok(number) = text.parse() {
            return OptionValue::Int(number);
        }
        let number = |unit| text.strip_suffix(unit).and_then(|number| number.trim_end().parse().ok());
        let time = (number("us").map(Duration::from_micros))
            .or_else(|| number("ms").map(Duration::from_millis))
            .or_else(|| number("s").map(Duration::from_secs));
        time.map_or_else(|| self.clone(), OptionValue::Duration)
    }

    /// Converts a parsed value to yes or no.
    pub(crate) fn flag(&self, option: &'static str) -> Result<bool> {
        match self {
            OptionValue::Bool(value) => Ok(*value),
            OptionValue::Int(0) => Ok(false),
            OptionValue::Int(1) => Ok(true),
            _ => Err(self.mismatch(option, "yes or no")),
        }
    }

    /// Converts a parsed value to a number. The option expects `expected`.
    pub(crate) fn int(&self, option: &'static str, expected: &str) -> Result<i128> {
        match self {
            OptionValue::Int(number) => Ok(*number),
            _ => Err(self.mismatch(option, expected)),
        }
    }

    /// The result of setting an option that has refused this value: `Ok` if the option has the value already. Some options have
    /// a value at first that they refuse, such as a routing id that is not set.
    pub(crate) fn is_kept_by(&self, current: Option<&OptionValue>, refused: Error) -> Result<()> {
        if current == Some(self) { Ok(()) } else { Err(refused) }
    }

    /// The error of a parsed value of a wrong type. It shows the value, so the option must not be a secret.
    pub(crate) fn mismatch(&self, option: &'static str, expected: &str) -> Error {
        let refused =
            |value: &dyn fmt::Display| Errno::EINVAL.with_detail(option, format_args!("{value} is not {expected}"));
        match self {
            OptionValue::None => refused(&"none"),
            OptionValue::Bool(value) => refused(value),
            OptionValue::Int(value) => refused(value),
            OptionValue::Duration(value) => refused(&format_args!("{value:?}")),
            OptionValue::Text(value) => refused(&format_args!("{:?}", value.as_str())),
            OptionValue::Bytes(value) => refused(&format_args!("a value of {} bytes", value.len())),
        }
    }
}

/// Wipes bytes. A text wipes itself.
impl Drop for OptionValue {
    fn drop(&mut self) {
        if let OptionValue::Bytes(bytes) = self {
            bytes.zeroize();
        }
    }
}

impl fmt::Debug for OptionValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OptionValue::None => f.write_str("None"),
            OptionValue::Bool(value) => f.debug_tuple("Bool").field(value).finish(),
            OptionValue::Int(value) => f.debug_tuple("Int").field(value).finish(),
            OptionValue::Duration(value) => f.debug_tuple("Duration").field(value).finish(),
            OptionValue::Text(_) => f.write_str("Text(..)"),
            OptionValue::Bytes(_) => f.write_str("Bytes(..)"),
        }
    }
}

macro_rules! values {
    ($($from:ty: |$value:ident| $made:expr;)*) => {$(
        impl From<$from> for OptionValue {
            fn from($value: $from) -> OptionValue {
                $made
            }
        }
    )*};
}

values! {
    bool: |value| OptionValue::Bool(value);
    u8: |value| OptionValue::Int(value.into());
    i32: |value| OptionValue::Int(value.into());
    u32: |value| OptionValue::Int(value.into());
    i64: |value| OptionValue::Int(value.into());
    u64: |value| OptionValue::Int(value.into());
    Duration: |value| OptionValue::Duration(value);
    SecretText: |value| OptionValue::Text(value);
    String: |value| OptionValue::Text(value.into());
    &str: |value| OptionValue::Text(value.into());
    &String: |value| OptionValue::Text(value.as_str().into());
    Vec<u8>: |value| OptionValue::Bytes(value);
    &[u8]: |value| OptionValue::Bytes(value.to_vec());
}

impl<const N: usize> From<&[u8; N]> for OptionValue {
    fn from(value: &[u8; N]) -> OptionValue {
        OptionValue::Bytes(value.to_vec())
    }
}

impl<T: Into<OptionValue>> From<Option<T>> for OptionValue {
    fn from(value: Option<T>) -> OptionValue {
        value.map_or(OptionValue::None, Into::into)
    }
}

/// The name of an option, or the number that `zmq.h` has for it.
///
/// The name is that in C. `ZMQ_` before it may be missing, and case does not matter: `ZMQ_RCVHWM` and `rcvhwm` are the same.
///
/// ```
/// use zmq::{sockopt, sys};
///
/// for id in ["ZMQ_RCVHWM", "rcvhwm"] {
///     assert_eq!(sockopt::OptionInfo::find(id).unwrap().number, sys::ZMQ_RCVHWM);
/// }
/// assert_eq!(sockopt::OptionInfo::find(sys::ZMQ_RCVHWM).unwrap().name, "ZMQ_RCVHWM");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionId<'a> {
    /// The option of this name.
    Name(&'a str),
    /// The option of this number.
    Number(i32),
}

impl OptionId<'_> {
    /// Whether it is the option of this name and number.
    pub(crate) fn is(self, name: &str, number: i32) -> bool {
        match self {
            OptionId::Name(given) => without_prefix(given).eq_ignore_ascii_case(without_prefix(name)),
            OptionId::Number(given) => given == number,
        }
    }

    /// The error of `call` for an option that a `thing` does not have.
    pub(crate) fn unknown(self, call: &'static str, thing: &str) -> Error {
        let refused =
            |id: &dyn fmt::Display| Errno::EINVAL.with_detail(call, format_args!("{id} is no option of a {thing}"));
        match self {
            OptionId::Name(name) => refused(&format_args!("{name:?}")),
            OptionId::Number(number) => refused(&format_args!("the number {number}")),
        }
    }
}

fn without_prefix(name: &str) -> &str {
    const PREFIX: &str = "ZMQ_";
    match name.get(..PREFIX.len()) {
        Some(prefix) if prefix.eq_ignore_ascii_case(PREFIX) => &name[PREFIX.len()..],
        _ => name,
    }
}

impl<'a> From<&'a str> for OptionId<'a> {
    fn from(name: &'a str) -> OptionId<'a> {
        OptionId::Name(name)
    }
}

impl<'a> From<&'a String> for OptionId<'a> {
    fn from(name: &'a String) -> OptionId<'a> {
        OptionId::Name(name)
    }
}

impl From<i32> for OptionId<'_> {
    fn from(number: i32) -> Self {
        OptionId::Number(number)
    }
}
