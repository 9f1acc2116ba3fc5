//! Getting and setting an option that is known at run time: `Socket::option` and `Socket::set_option`.

use std::fmt;

use super::OptionInfo;
use super::codec::{
    Bytes, CText, Filter, Get, Id, IntCodec, Key, KeyBytes, Latch, Set, SocksProxy, Text, Wide, WideOrNone,
};
use super::row::Row;
use super::value::{OptionId, OptionValue};
use crate::error::{Errno, Error, Result};
use crate::kind::SocketType;
use crate::security::keys::{PublicKey, SecretKey};
use crate::socket::{Core, Socket};

/// Reads an option.
pub(crate) type Getter = fn(Row, &Core) -> Result<OptionValue>;
/// Writes an option.
pub(crate) type Setter = fn(Row, &Core, &OptionValue) -> Result<()>;

/// The functions that read and write the option of a row. An error has the reason why there is none.
#[derive(Clone, Copy)]
pub(crate) struct Access {
    pub(crate) get: Result<Getter, &'static str>,
    pub(crate) set: Result<Setter, &'static str>,
}

pub(crate) const NO_GET: Result<Getter, &str> = Err("it cannot be read");
pub(crate) const NO_SET: Result<Setter, &str> = Err("it cannot be set");

/// Shows no fields: the functions have no names.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

/// Reads an option by its codec, which makes a `V` of it.
pub(crate) fn get_dynamic<C: Get<V>, V: Into<OptionValue>>(row: Row, core: &Core) -> Result<OptionValue> {
    C::get(row, core.raw()).map(Into::into)
}

/// A codec that writes an option from a value whose type is known at run time.
pub(crate) trait SetDynamic {
    fn set_dynamic(row: Row, core: &Core, value: &OptionValue) -> Result<()>;
}

impl<C: IntCodec> SetDynamic for C {
    fn set_dynamic(row: Row, core: &Core, value: &OptionValue) -> Result<()> {
        C::set(row, core, C::from_value(row, &value.parsed())?)
    }
}

impl SetDynamic for Latch {
    fn set_dynamic(row: Row, core: &Core, value: &OptionValue) -> Result<()> {
        Latch::set(row, core, value.parsed().flag(row.name)?)
    }
}

impl SetDynamic for Wide {
    fn set_dynamic(row: Row, core: &Core, value: &OptionValue) -> Result<()> {
        Wide::set(row, core, number(row, &value.parsed())?)
    }
}

impl SetDynamic for WideOrNone {
    fn set_dynamic(row: Row, core: &Core, value: &OptionValue) -> Result<()> {
        let value = match value.parsed() {
            OptionValue::None | OptionValue::Int(-1) => None,
            value => Some(number(row, &value)?),
        };
        WideOrNone::set(row, core, value)
    }
}

impl SetDynamic for Filter {
    fn set_dynamic(row: Row, core: &Core, value: &OptionValue) -> Result<()> {
        let value = match value.parsed() {
            OptionValue::None => None,
            value => Some(number(row, &value)?),
        };
        Filter::set(row, core, value)
    }
}

/// A number from 0 to the largest of its type.
fn number<N: TryFrom<i128>>(row: Row, value: &OptionValue) -> Result<N> {
    let given = value.int(row.name, "a number")?;
    let largest = u128::MAX >> (128 - 8 * size_of::<N>());
    N::try_from(given).map_err(|_| row.refused(given, format_args!("0..={largest}")))
}

/// A text, or `None` if it is empty.
fn text(row: Row, value: &OptionValue) -> Result<Option<&str>> {
    let text = match value {
        OptionValue::None => "",
        OptionValue::Text(text) => text.as_str(),
        OptionValue::Bytes(bytes) => std::str::from_utf8(bytes).map_err(|_| {
            Errno::EINVAL.with_detail(row.name, format_args!("a value of {} bytes is no text", bytes.len()))
        })?,
        // The error does not show the value, which can be a password of digits.
        _ => return Err(Errno::EINVAL.with_detail(row.name, "the value is no text")),
    };
    Ok((!text.is_empty()).then_some(text))
}

/// Options that are texts.
macro_rules! texts {
    ($([$($generics:tt)*] $codec:ty;)*) => {$(
        impl<$($generics)*> SetDynamic for $codec {
            fn set_dynamic(row: Row, core: &Core, value: &OptionValue) -> Result<()> {
                <$codec as Set<Option<&str>>>::set(row, core, text(row, value)?)
            }
        }
    )*};
}

texts! { [const MAX: usize] Text<MAX>; [const MAX: usize] CText<MAX>; [] SocksProxy; }

/// The bytes of a value.
fn bytes(row: Row, value: &OptionValue) -> Result<&[u8]> {
    match value {
        OptionValue::Text(text) => Ok(text.as_bytes()),
        OptionValue::Bytes(bytes) => Ok(bytes),
        _ => Err(value.mismatch(row.name, "a text or bytes")),
    }
}

impl<const MIN: usize, const MAX: usize> SetDynamic for Bytes<MIN, MAX> {
    fn set_dynamic(row: Row, core: &Core, value: &OptionValue) -> Result<()> {
        Self::set(row, core, bytes(row, value)?)
    }
}

impl SetDynamic for Id {
    fn set_dynamic(row: Row, core: &Core, value: &OptionValue) -> Result<()> {
        Id::set(row, core, bytes(row, value)?)
    }
}

impl<K: KeyBytes> SetDynamic for Key<K>
where
    for<'a> &'a [u8]: TryInto<K, Error = Error>,
{
    fn set_dynamic(row: Row, core: &Core, value: &OptionValue) -> Result<()> {
        match value {
            OptionValue::Text(_) | OptionValue::Bytes(_) => {
                let key = bytes(row, value)?.try_into();
                Self::set(row, core, key.map_err(|error| error.for_call(row.name))?)
            }
            _ => Err(Errno::EINVAL.with_detail(row.name, "the value is no key")),
        }
    }
}

/// Keys become their texts, which are wiped when dropped.
macro_rules! keys {
    ($($key:ty: $text:ident;)*) => {$(
        impl From<$key> for OptionValue {
            fn from(key: $key) -> OptionValue {
                key.$text().into()
            }
        }
    )*};
}

keys! { PublicKey: to_string; &PublicKey: to_string; SecretKey: to_z85; &SecretKey: to_z85; }

/// # Options by name or number
impl<T: SocketType> Socket<'_, T> {
    /// Sets an option by its name or number, to a value of any type that fits: see [`OptionValue`]. The option's own method
    /// documents its effect, and this call makes the same checks. It also accepts the value that [`Socket::option`] reads,
    /// although the method refuses it, such as a routing id or a ZAP domain that is not set. Options that adopt a descriptor,
    /// or belong to one connection, have their method only.
    ///
    /// The last security option that is set chooses the mechanism, also if its value was read from another socket:
    /// `ZMQ_PLAIN_USERNAME` without a name, for example, ends CURVE. [`Security`](crate::security::Security) sets all of them
    /// at once.
    ///
    /// These options can be set here only, and take effect at the next bind or connect:
    ///
    #[doc = include_str!("by_name.md")]
    #[cfg_attr(feature = "draft", doc = include_str!("by_name_draft.md"))]
    /// # Errors
    ///
    /// `EINVAL` if there is no such option, if the value has another type or is out of range, or for a socket of a kind without
    /// the option: the text names the option and the value, except for passwords and keys. Otherwise the errors of the
    /// option's own method.
    ///
    /// ```
    /// # fn main() -> zmq::Result<()> {
    /// let file = "
    ///     linger = 250ms
    ///     ZMQ_RCVHWM = 7
    ///     immediate = yes";
    ///
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Pull)?;
    /// for (name, value) in file.lines().filter_map(|line| line.split_once('=')) {
    ///     socket.set_option(name.trim(), value.trim())?;
    /// }
    /// assert_eq!(socket.rcvhwm()?, 7);
    ///
    /// let error = socket.set_option("rcvhwm", "plenty").unwrap_err();
    /// assert!(error.to_string().ends_with(r#""plenty" is not a number"#), "{error}");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_setsockopt")]
    #[doc(alias(
        "ZMQ_VMCI_BUFFER_SIZE",
        "ZMQ_VMCI_BUFFER_MIN_SIZE",
        "ZMQ_VMCI_BUFFER_MAX_SIZE",
        "ZMQ_VMCI_CONNECT_TIMEOUT",
        "ZMQ_IPV4ONLY",
        "ZMQ_TCP_ACCEPT_FILTER",
        "ZMQ_IPC_FILTER_PID",
        "ZMQ_IPC_FILTER_UID",
        "ZMQ_IPC_FILTER_GID"
    ))]
    #[cfg_attr(
        feature = "draft",
        doc(alias(
            "ZMQ_WSS_KEY_PEM",
            "ZMQ_WSS_CERT_PEM",
            "ZMQ_WSS_TRUST_PEM",
            "ZMQ_WSS_HOSTNAME",
            "ZMQ_WSS_TRUST_SYSTEM",
            "ZMQ_NORM_MODE",
            "ZMQ_NORM_UNICAST_NACK",
            "ZMQ_NORM_BUFFER_SIZE",
            "ZMQ_NORM_SEGMENT_SIZE",
            "ZMQ_NORM_BLOCK_SIZE",
            "ZMQ_NORM_NUM_PARITY",
            "ZMQ_NORM_NUM_AUTOPARITY",
            "ZMQ_NORM_PUSH",
            "ZMQ_NORM_FIXED",
            "ZMQ_NORM_CC",
            "ZMQ_NORM_CCL",
            "ZMQ_NORM_CCE",
            "ZMQ_NORM_CCE_ECNONLY"
        ))
    )]
    pub fn set_option<'a>(&self, option: impl Into<OptionId<'a>>, value: impl Into<OptionValue>) -> Result<()> {
        self.core().set_by_id(option.into(), &value.into())
    }

    /// Reads an option by its name or number.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no such option, if it cannot be read, or for a socket of a kind without the option; `ETERM` after
    /// the context was shut down.
    ///
    /// ```
    /// use zmq::sockopt::OptionValue;
    ///
    /// # fn main() -> zmq::Result<()> {
    /// # let context = zmq::Context::new()?;
    /// let socket = context.socket(zmq::Pull)?;
    /// assert_eq!(socket.option("ZMQ_RCVHWM")?, OptionValue::Int(1000));
    /// assert_eq!(socket.option(zmq::sys::ZMQ_RCVTIMEO)?, OptionValue::None);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "zmq_getsockopt")]
    pub fn option<'a>(&self, option: impl Into<OptionId<'a>>) -> Result<OptionValue> {
        self.core().get_by_id(option.into())
    }
}

impl Core {
    fn set_by_id(&self, id: OptionId<'_>, value: &OptionValue) -> Result<()> {
        let option = OptionInfo::find(id).ok_or_else(|| id.unknown("zmq_setsockopt", "socket"))?;
        self.check_set(option.row(), option.kinds)?;
        let set = option.access.set.map_err(|why| Errno::EINVAL.with_detail(option.name, why))?;
        set(option.row(), self, value).or_else(|refused| {
            let current = option.access.get.ok().and_then(|get| get(option.row(), self).ok());
            value.is_kept_by(current.as_ref(), refused)
        })
    }

    fn get_by_id(&self, id: OptionId<'_>) -> Result<OptionValue> {
        let option = OptionInfo::find(id).ok_or_else(|| id.unknown("zmq_getsockopt", "socket"))?;
        self.check_option(option.row(), option.kinds)?;
        let get = option.access.get.map_err(|why| Errno::EINVAL.with_detail(option.name, why))?;
        get(option.row(), self)
    }
}

impl OptionInfo {
    pub(super) fn row(&self) -> Row {
        Row { name: self.name, number: self.number }
    }
}
