//! Codecs: how an option's value in Rust becomes its value in C, and back.

use std::ffi::c_int;
use std::marker::PhantomData;
use std::time::Duration;

use zeroize::Zeroize;

use super::CType;
use super::row::Row;
use super::value::OptionValue;
use crate::error::{Errno, LongId, Result};
use crate::raw::{RawSocket, RawValue};
use crate::security::keys::{PublicKey, SecretKey};
use crate::security::secret::SecretText;
use crate::socket::Core;

/// The C type of the options that a codec is for.
pub(crate) trait InC {
    const C_TYPE: CType;
}

macro_rules! in_c {
    ($($codec:ty = $c_type:expr;)*) => {$(
        impl InC for $codec {
            const C_TYPE: CType = $c_type;
        }
    )*};
}

in_c! {
    Latch = CType::Int;
    Filter = CType::Uint32;
    Wide = CType::Uint64;
    WideOrNone = CType::Int64;
    Id = CType::Bytes(255);
    SocksProxy = CType::Text(4096);
}

impl<K> InC for Key<K> {
    const C_TYPE: CType = CType::Key;
}

impl<const MIN: usize, const MAX: usize> InC for Bytes<MIN, MAX> {
    const C_TYPE: CType = CType::Bytes(MAX);
}

impl<const MAX: usize> InC for Text<MAX> {
    const C_TYPE: CType = CType::Text(MAX);
}

impl<const MAX: usize> InC for CText<MAX> {
    const C_TYPE: CType = CType::Text(MAX);
}

impl<C: IntCodec> InC for C {
    const C_TYPE: CType = CType::Int;
}

/// A codec that reads an option as a `T`.
pub(crate) trait Get<T> {
    fn get(row: Row, socket: &RawSocket) -> Result<T>;
}

/// A codec that writes an option from a `T`.
pub(crate) trait Set<T> {
    fn set(row: Row, core: &Core, value: T) -> Result<()>;
}

/// A codec of an option that is an int in C.
pub(crate) trait IntCodec {
    type Value;

    fn encode(row: Row, value: Self::Value) -> Result<c_int>;
    fn decode(row: Row, value: c_int) -> Result<Self::Value>;

    /// Converts a parsed value whose type is known at run time. A number means the same as in C.
    fn from_value(row: Row, value: &OptionValue) -> Result<Self::Value> {
        from_int::<Self>(row, value, "a number")
    }
}

/// Converts a number that means the same as in C.
fn from_int<C: IntCodec + ?Sized>(row: Row, value: &OptionValue, expected: &str) -> Result<C::Value> {
    let number = value.int(row.name, expected)?;
    match c_int::try_from(number) {
        Ok(number) => C::decode(row, number),
        Err(_) => Err(row.refused(number, format_args!("{}..={}", c_int::MIN, c_int::MAX))),
    }
}

impl<C: IntCodec> Get<C::Value> for C {
    fn get(row: Row, socket: &RawSocket) -> Result<C::Value> {
        C::decode(row, row.get_int(socket)?)
    }
}

impl<C: IntCodec> Set<C::Value> for C {
    fn set(row: Row, core: &Core, value: C::Value) -> Result<()> {
        let value = C::encode(row, value)?;
        // No other thread sets an option, binds or connects between libzmq's call and the update of this library's copy.
        let _op = core.op_lock();
        core.check_mark(row.name, row.number)?;
        row.set_int(core.raw(), value)?;
        core.remember(row.number, value);
        Ok(())
    }
}

/// A number from `MIN` to `MAX`.
pub(crate) struct Number<const MIN: u32, const MAX: u32>;

impl<const MIN: u32, const MAX: u32> IntCodec for Number<MIN, MAX> {
    type Value = u32;

    fn encode(row: Row, value: u32) -> Result<c_int> {
        if (MIN..=MAX).contains(&value) {
            Ok(value as c_int)
        } else {
            Err(row.refused(value, format_args!("{MIN}..={MAX}")))
        }
    }

    fn decode(row: Row, value: c_int) -> Result<u32> {
        u32::try_from(value).map_err(|_| row.refused(value, format_args!("{MIN}..={MAX}")))
    }
}

/// The largest number that an int option takes.
pub(crate) const MAX: u32 = c_int::MAX as u32;

/// A byte.
pub(crate) struct Byte;

impl IntCodec for Byte {
    type Value = u8;

    fn encode(_row: Row, value: u8) -> Result<c_int> {
        Ok(c_int::from(value))
    }

    fn decode(row: Row, value: c_int) -> Result<u8> {
        u8::try_from(value).map_err(|_| row.refused(value, "0..=255"))
    }
}

/// Yes or no.
pub(crate) struct Flag;

impl IntCodec for Flag {
    type Value = bool;

    fn encode(_row: Row, value: bool) -> Result<c_int> {
        Ok(c_int::from(value))
    }

    fn decode(_row: Row, value: c_int) -> Result<bool> {
        Ok(value != 0)
    }

    fn from_value(row: Row, value: &OptionValue) -> Result<bool> {
        value.flag(row.name)
    }
}

/// Yes or no, for an option that must not be switched off again, or that excludes another one.
pub(crate) struct Latch;

impl Set<bool> for Latch {
    fn set(row: Row, core: &Core, value: bool) -> Result<()> {
        core.set_one_way(row.name, row.number, value)
    }
}

/// A value of `C`, or -1 for `None`: the system's default, or no limit.
pub(crate) struct OrDefault<C>(PhantomData<C>);

impl<C: IntCodec> IntCodec for OrDefault<C> {
    type Value = Option<C::Value>;

    fn encode(row: Row, value: Option<C::Value>) -> Result<c_int> {
        value.map_or(Ok(-1), |value| C::encode(row, value))
    }

    fn decode(row: Row, value: c_int) -> Result<Option<C::Value>> {
        if value == -1 { Ok(None) } else { C::decode(row, value).map(Some) }
    }

    fn from_value(row: Row, value: &OptionValue) -> Result<Option<C::Value>> {
        match value {
            OptionValue::None | OptionValue::Int(-1) => Ok(None),
            _ => C::from_value(row, value).map(Some),
        }
    }
}

/// A value of `C`, or 0 for `None`: off, or no limit.
pub(crate) struct OrOff<C>(PhantomData<C>);

impl<C: IntCodec> IntCodec for OrOff<C> {
    type Value = Option<C::Value>;

    fn encode(row: Row, value: Option<C::Value>) -> Result<c_int> {
        value.map_or(Ok(0), |value| C::encode(row, value))
    }

    fn decode(row: Row, value: c_int) -> Result<Option<C::Value>> {
        if value == 0 { Ok(None) } else { C::decode(row, value).map(Some) }
    }

    fn from_value(row: Row, value: &OptionValue) -> Result<Option<C::Value>> {
        match value {
            OptionValue::None | OptionValue::Int(0) => Ok(None),
            _ => C::from_value(row, value).map(Some),
        }
    }
}

/// Converts a time, or a number in C's unit.
fn from_time<C: IntCodec<Value = Duration>>(row: Row, value: &OptionValue) -> Result<Duration> {
    match value {
        OptionValue::Duration(time) => Ok(*time),
        _ => from_int::<C>(row, value, "a time such as 250ms, nor a number"),
    }
}

/// A duration in units of `UNIT` microseconds, up to `MAX` units. Fractions of a unit are rounded up.
pub(crate) struct Time<const UNIT: u32, const MAX: u32>;

/// A duration in milliseconds.
pub(crate) type Milliseconds = Time<1000, MAX>;
/// A duration in seconds.
pub(crate) type Seconds = Time<1_000_000, MAX>;

impl<const UNIT: u32, const LARGEST: u32> IntCodec for Time<UNIT, LARGEST> {
    type Value = Duration;

    fn encode(row: Row, value: Duration) -> Result<c_int> {
        let units = value.as_nanos().div_ceil(u128::from(UNIT) * 1000);
        if units <= u128::from(LARGEST) {
            return Ok(units as c_int);
        }
        let largest = Duration::from_micros(u64::from(LARGEST) * u64::from(UNIT));
        Err(row.refused(format_args!("{value:?}"), format_args!("0..={largest:?}")))
    }

    fn decode(row: Row, value: c_int) -> Result<Duration> {
        match u64::try_from(value) {
            Ok(value) => Ok(Duration::from_micros(value * u64::from(UNIT))),
            Err(_) => Err(row.refused(value, "0..")),
        }
    }

    fn from_value(row: Row, value: &OptionValue) -> Result<Duration> {
        from_time::<Self>(row, value)
    }
}

/// The time of `ZMQ_HEARTBEAT_TTL`: milliseconds in C, tenths of a second in the PING. Fractions are rounded up.
pub(crate) struct TimeToLive;

impl IntCodec for TimeToLive {
    type Value = Duration;

    fn encode(row: Row, value: Duration) -> Result<c_int> {
        // A libzmq peer multiplies the tenths by 100 in 16 bits.
        Time::<100_000, 655>::encode(row, value).map(|tenths| tenths * 100)
    }

    fn decode(row: Row, value: c_int) -> Result<Duration> {
        Milliseconds::decode(row, value)
    }

    fn from_value(row: Row, value: &OptionValue) -> Result<Duration> {
        from_time::<Self>(row, value)
    }
}

/// The largest number of keepalive probes that the system accepts. It refuses connections that ask for more.
pub(crate) const MOST_PROBES: u32 = if cfg!(target_os = "linux") { 127 } else { MAX };

/// The time between keepalive probes, in seconds.
pub(crate) struct ProbeTime;

impl ProbeTime {
    /// The longest time that the system accepts.
    const LONGEST: Duration = Duration::from_secs(if cfg!(target_os = "linux") { 32_767 } else { MAX as u64 });
}

impl IntCodec for ProbeTime {
    type Value = Duration;

    fn encode(row: Row, value: Duration) -> Result<c_int> {
        if value.is_zero() || value > Self::LONGEST {
            return Err(row.refused(format_args!("{value:?}"), format_args!("1s..={:?}", Self::LONGEST)));
        }
        Seconds::encode(row, value)
    }

    fn decode(row: Row, value: c_int) -> Result<Duration> {
        Seconds::decode(row, value)
    }

    fn from_value(row: Row, value: &OptionValue) -> Result<Duration> {
        from_time::<Self>(row, value)
    }
}

/// A `uint64_t`.
pub(crate) struct Wide;

impl Get<u64> for Wide {
    fn get(row: Row, socket: &RawSocket) -> Result<u64> {
        row.get_wide(socket)
    }
}

impl Set<u64> for Wide {
    fn set(row: Row, core: &Core, value: u64) -> Result<()> {
        row.set(core.raw(), &RawValue::Wide(value), value)
    }
}

/// An `int64_t`, of which -1 is `None`: no limit.
pub(crate) struct WideOrNone;

impl Get<Option<u64>> for WideOrNone {
    fn get(row: Row, socket: &RawSocket) -> Result<Option<u64>> {
        Ok(u64::try_from(row.get_wide(socket)?.cast_signed()).ok())
    }
}

impl Set<Option<u64>> for WideOrNone {
    fn set(row: Row, core: &Core, value: Option<u64>) -> Result<()> {
        let number = match value.map(i64::try_from) {
            None => -1,
            Some(Ok(number)) => number,
            Some(Err(_)) => return Err(row.refused(value.unwrap_or_default(), format_args!("0..={}", i64::MAX))),
        };
        row.set(core.raw(), &RawValue::Wide(number.cast_unsigned()), number)
    }
}

/// `MIN` to `MAX` bytes.
pub(crate) struct Bytes<const MIN: usize, const MAX: usize>;
/// Any number of bytes.
pub(crate) type AnyBytes = Bytes<0, { usize::MAX }>;

impl<const MIN: usize, const MAX: usize> Set<&[u8]> for Bytes<MIN, MAX> {
    fn set(row: Row, core: &Core, value: &[u8]) -> Result<()> {
        if !(MIN..=MAX).contains(&value.len()) {
            return Err(row.refused(format_args!("a length of {}", value.len()), format_args!("{MIN}..={MAX}")));
        }
        if let Some(why) = row.missing() {
            return Err(Errno::EINVAL.with_detail(row.name, why));
        }
        row.set(core.raw(), &RawValue::Bytes(value), format_args!("{} bytes", value.len()))
    }
}

/// A routing id: 1 to 255 bytes.
pub(crate) struct Id;

impl Get<Vec<u8>> for Id {
    fn get(row: Row, socket: &RawSocket) -> Result<Vec<u8>> {
        row.get_bytes(socket)
    }
}

impl Set<&[u8]> for Id {
    fn set(row: Row, core: &Core, value: &[u8]) -> Result<()> {
        if value.len() == 5 && value[0] == 0 {
            // A ROUTER makes such ids itself, and aborts if another peer has the id that it makes next.
            let id = LongId(value);
            let why = format_args!("{id}: 5 bytes that begin with a zero are an id of libzmq's own");
            return Err(Errno::EINVAL.with_detail(row.name, why));
        }
        Bytes::<1, 255>::set(row, core, value)
    }
}

/// A text of 1 to `MAX` bytes. `None` is null, which clears the option. Errors do not show the text, since it may be a
/// password.
pub(crate) struct Text<const MAX: usize>;

impl<const MAX: usize> Text<MAX> {
    fn check(row: Row, text: &str) -> Result<()> {
        if text.is_empty() || text.len() > MAX {
            return Err(row.refused(format_args!("a text of {} bytes", text.len()), format_args!("1..={MAX}")));
        }
        if text.contains('\0') {
            return Err(Errno::EINVAL.with_detail(row.name, "the text contains a NUL"));
        }
        Ok(())
    }
}

/// Writes a text that a codec has checked.
fn set_text(row: Row, core: &Core, text: Option<&[u8]>) -> Result<()> {
    row.set(
        core.raw(),
        &text.map_or(RawValue::Null, RawValue::Bytes),
        format_args!("a text of {} bytes", text.map_or(0, <[u8]>::len)),
    )
}

impl<const MAX: usize> Get<Option<String>> for Text<MAX> {
    fn get(row: Row, socket: &RawSocket) -> Result<Option<String>> {
        row.get_text(socket)
    }
}

/// For a password: the buffer is wiped afterwards.
impl<const MAX: usize> Get<Option<SecretText>> for Text<MAX> {
    fn get(row: Row, socket: &RawSocket) -> Result<Option<SecretText>> {
        const { assert!(MAX <= 255, "the buffer has room for 255 bytes and a NUL") }
        let mut buffer = [0; 256];
        // The length counts the NUL.
        let text = row.get(socket, &mut buffer).map(|length| {
            let text = &buffer[..length.saturating_sub(1)];
            (!text.is_empty()).then(|| SecretText::from(String::from_utf8_lossy(text).into_owned()))
        });
        buffer.zeroize();
        text
    }
}

impl<const MAX: usize> Set<&str> for Text<MAX> {
    fn set(row: Row, core: &Core, text: &str) -> Result<()> {
        Self::set(row, core, Some(text))
    }
}

impl<const MAX: usize> Set<Option<&str>> for Text<MAX> {
    fn set(row: Row, core: &Core, text: Option<&str>) -> Result<()> {
        text.map_or(Ok(()), |text| Self::check(row, text))?;
        set_text(row, core, text.map(str::as_bytes))
    }
}

/// A [`Text`] with a NUL at its end: libzmq reads the value as a C string.
pub(crate) struct CText<const MAX: usize>;

impl<const MAX: usize> Set<Option<&str>> for CText<MAX> {
    fn set(row: Row, core: &Core, text: Option<&str>) -> Result<()> {
        text.map_or(Ok(()), |text| Text::<MAX>::check(row, text))?;
        set_text(row, core, text.map(|text| [text.as_bytes(), &[0]].concat()).as_deref())
    }
}

/// The [`Text`] of `ZMQ_SOCKS_PROXY`, which is refused if a proxy can abort this libzmq or overrun its memory.
pub(crate) struct SocksProxy;

impl Get<Option<String>> for SocksProxy {
    fn get(row: Row, socket: &RawSocket) -> Result<Option<String>> {
        row.get_text(socket)
    }
}

impl Set<Option<&str>> for SocksProxy {
    fn set(row: Row, core: &Core, text: Option<&str>) -> Result<()> {
        if let (Some(text), Some(why)) = (text, row.missing()) {
            Text::<4096>::check(row, text)?;
            return Err(Errno::EINVAL.with_detail(row.name, why));
        }
        Text::<4096>::set(row, core, text)
    }
}

/// A number that the system gives, such as a user id. It is added to a filter; `None` clears the filter.
pub(crate) struct Filter;

impl Set<Option<u32>> for Filter {
    fn set(row: Row, core: &Core, value: Option<u32>) -> Result<()> {
        match value {
            Some(value) => row.set(core.raw(), &RawValue::Int(value.cast_signed()), value),
            None => row.set(core.raw(), &RawValue::Null, "clearing the filter"),
        }
    }
}

/// A CURVE key, as 32 bytes.
pub(crate) struct Key<K>(PhantomData<K>);

/// The types of CURVE keys.
pub(crate) trait KeyBytes {
    fn as_bytes(&self) -> &[u8; 32];
    fn from_bytes(bytes: [u8; 32]) -> Self;
}

impl KeyBytes for PublicKey {
    fn as_bytes(&self) -> &[u8; 32] {
        self.as_bytes()
    }

    fn from_bytes(bytes: [u8; 32]) -> Self {
        PublicKey::from_bytes(bytes)
    }
}

impl KeyBytes for SecretKey {
    fn as_bytes(&self) -> &[u8; 32] {
        self.as_bytes()
    }

    fn from_bytes(bytes: [u8; 32]) -> Self {
        SecretKey::from(bytes)
    }
}

impl<K: KeyBytes> Get<K> for Key<K> {
    fn get(row: Row, socket: &RawSocket) -> Result<K> {
        let mut bytes = [0; 32];
        row.get(socket, &mut bytes)?;
        let key = K::from_bytes(bytes);
        bytes.zeroize();
        Ok(key)
    }
}

impl<K: KeyBytes> Set<K> for Key<K> {
    fn set(row: Row, core: &Core, key: K) -> Result<()> {
        row.set(core.raw(), &RawValue::Bytes(key.as_bytes()), "a key of 32 bytes")
    }
}

/// An enumeration with the numbers of `zmq.h`.
macro_rules! enumeration {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $number:ident $c_name:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_meta])* #[doc(alias = $c_name)] $variant,)*
        }

        /// The number that C has for it.
        impl From<$name> for $crate::sockopt::value::OptionValue {
            fn from(value: $name) -> $crate::sockopt::value::OptionValue {
                match value { $($name::$variant => zmq_sys::$number.into(),)* }
            }
        }

        impl $crate::sockopt::codec::IntCodec for $name {
            type Value = $name;

            fn encode(_row: $crate::sockopt::row::Row, value: $name) -> $crate::error::Result<std::ffi::c_int> {
                Ok(match value { $($name::$variant => zmq_sys::$number,)* })
            }

            fn decode(row: $crate::sockopt::row::Row, value: std::ffi::c_int) -> $crate::error::Result<$name> {
                match value {
                    $(zmq_sys::$number => Ok($name::$variant),)*
                    _ => Err(row.refused(value, stringify!($name))),
                }
            }
        }
    };
}
pub(crate) use enumeration;
