//! How the values of options travel: the C type, its exact length, and what its special numbers mean.

use std::ffi::c_int;
use std::fmt;
use std::time::Duration;

use crate::error::LongId;
use crate::error::{Errno, Error, Result};
use crate::raw::{self, RawSocket};
use crate::security::keys::{PublicKey, SecretKey};
use crate::security::secret::SecretText;

/// What a codec needs to know of the option it serves.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) number: c_int,
}

impl Row {
    pub(crate) fn refused(self, value: impl fmt::Display, range: impl fmt::Display) -> Error {
        Errno::EINVAL.because(self.name, format_args!("{value} is not in {range}"))
    }

    /// Why this libzmq cannot have the option, if so.
    pub(crate) fn missing(self) -> Option<&'static str> {
        const FAMILIES: [(&str, &std::ffi::CStr, &str); 5] = [
            ("ZMQ_CURVE_", c"curve", "this libzmq was built without curve"),
            ("ZMQ_GSSAPI_", c"gssapi", "this libzmq was built without gssapi"),
            ("ZMQ_NORM_", c"norm", "this libzmq was built without norm"),
            ("ZMQ_VMCI_", c"vmci", "this libzmq was built without vmci"),
            ("ZMQ_WSS_", c"WSS", "this libzmq was built without WSS"),
        ];
        // The patch 0001-socks-handle-removed-twice.
        if self.name == "ZMQ_SOCKS_PROXY" && cfg!(not(zmq_patches = "safety")) {
            return Some("this libzmq aborts the process if a proxy refuses: it lacks the patch 0001");
        }
        let family = FAMILIES.iter().find(|(prefix, ..)| self.name.starts_with(prefix));
        family.filter(|(_, capability, _)| !raw::has(capability)).map(|(.., why)| *why)
    }

    /// The error of an option that libzmq refused, with the reason where it is the build's.
    pub(crate) fn failed(self, errno: Errno, value: impl fmt::Display) -> Error {
        match self.missing() {
            Some(why) if errno == Errno::EINVAL => errno.because(self.name, why),
            _ => errno.because(self.name, value),
        }
    }

    fn get_int(self, socket: &RawSocket) -> Result<c_int> {
        loop {
            match socket.get_int(self.number) {
                // ZMQ_EVENTS processes the socket's commands, which a signal may interrupt.
                Err(Errno::EINTR) if !raw::interrupted() => {}
                Err(errno) => return Err(self.failed(errno, "not readable")),
                Ok(value) => return Ok(value),
            }
        }
    }
}

/// A value that is an int in C.
pub(crate) trait IntCodec<T> {
    fn encode(row: Row, value: T) -> Result<c_int>;
    fn decode(row: Row, value: c_int) -> Result<T>;

    fn get(row: Row, socket: &RawSocket) -> Result<T> {
        Self::decode(row, row.get_int(socket)?)
    }

    fn set(row: Row, socket: &RawSocket, value: T) -> Result<c_int> {
        let value = Self::encode(row, value)?;
        socket.set_int(row.number, value).map_err(|errno| row.failed(errno, value))?;
        Ok(value)
    }
}

/// A number from `MIN` to `MAX`.
pub(crate) struct Number<const MIN: u32, const MAX: u32>;

impl<const MIN: u32, const MAX: u32> IntCodec<u32> for Number<MIN, MAX> {
    fn encode(row: Row, value: u32) -> Result<c_int> {
        if (MIN..=MAX).contains(&value) {
            Ok(value as c_int)
        } else {
            Err(row.refused(value, format!("{MIN}..={MAX}")))
        }
    }

    fn decode(row: Row, value: c_int) -> Result<u32> {
        u32::try_from(value).map_err(|_| row.refused(value, format!("{MIN}..={MAX}")))
    }
}

/// The largest number that an int option takes.
pub(crate) const MAX: u32 = c_int::MAX as u32;

/// A byte.
pub(crate) struct Byte;

impl IntCodec<u8> for Byte {
    fn encode(_row: Row, value: u8) -> Result<c_int> {
        Ok(c_int::from(value))
    }

    fn decode(row: Row, value: c_int) -> Result<u8> {
        u8::try_from(value).map_err(|_| row.refused(value, "0..=255"))
    }
}

/// Yes or no.
pub(crate) struct Flag;

impl IntCodec<bool> for Flag {
    fn encode(_row: Row, value: bool) -> Result<c_int> {
        Ok(c_int::from(value))
    }

    fn decode(_row: Row, value: c_int) -> Result<bool> {
        Ok(value != 0)
    }
}

/// A value of which -1 stands for none: the system's default, or no limit.
pub(crate) struct OrDefault<C>(std::marker::PhantomData<C>);

impl<T, C: IntCodec<T>> IntCodec<Option<T>> for OrDefault<C> {
    fn encode(row: Row, value: Option<T>) -> Result<c_int> {
        value.map_or(Ok(-1), |value| C::encode(row, value))
    }

    fn decode(row: Row, value: c_int) -> Result<Option<T>> {
        if value == -1 { Ok(None) } else { C::decode(row, value).map(Some) }
    }
}

/// A value of which 0 stands for none: off, or no limit.
pub(crate) struct OrOff<C>(std::marker::PhantomData<C>);

impl<T, C: IntCodec<T>> IntCodec<Option<T>> for OrOff<C> {
    fn encode(row: Row, value: Option<T>) -> Result<c_int> {
        value.map_or(Ok(0), |value| C::encode(row, value))
    }

    fn decode(row: Row, value: c_int) -> Result<Option<T>> {
        if value == 0 { Ok(None) } else { C::decode(row, value).map(Some) }
    }
}

/// A duration in units of `UNIT` microseconds, up to `MAX` units; what is less than a unit is rounded up.
pub(crate) struct Time<const UNIT: u32, const MAX: u32>;

/// A duration in milliseconds.
pub(crate) type Milliseconds = Time<1000, MAX>;
/// A duration in seconds.
pub(crate) type Seconds = Time<1_000_000, MAX>;

impl<const UNIT: u32, const LARGEST: u32> IntCodec<Duration> for Time<UNIT, LARGEST> {
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
}

/// The most probes that the system sends on an idle connection. With more, it takes no connection at all.
pub(crate) const MOST_PROBES: u32 = if cfg!(target_os = "linux") { 127 } else { MAX };

/// A time between such probes, in seconds: what the system takes of it.
pub(crate) struct ProbeTime;

impl ProbeTime {
    const LONGEST: Duration = Duration::from_secs(if cfg!(target_os = "linux") { 32_767 } else { MAX as u64 });
}

impl IntCodec<Duration> for ProbeTime {
    fn encode(row: Row, value: Duration) -> Result<c_int> {
        if value.is_zero() || value > Self::LONGEST {
            return Err(row.refused(format_args!("{value:?}"), format_args!("1s..={:?}", Self::LONGEST)));
        }
        Seconds::encode(row, value)
    }

    fn decode(row: Row, value: c_int) -> Result<Duration> {
        Seconds::decode(row, value)
    }
}

/// A number of 64 bits.
pub(crate) struct Wide;

impl Wide {
    fn read(row: Row, socket: &RawSocket) -> Result<[u8; 8]> {
        let mut value = [0; 8];
        socket.get_option(row.number, &mut value).map_err(|errno| row.failed(errno, "not readable"))?;
        Ok(value)
    }

    pub(crate) fn get(row: Row, socket: &RawSocket) -> Result<u64> {
        Wide::read(row, socket).map(u64::from_ne_bytes)
    }

    pub(crate) fn set(row: Row, socket: &RawSocket, value: u64) -> Result<()> {
        socket.set_option(row.number, Some(&value.to_ne_bytes())).map_err(|errno| row.failed(errno, value))
    }
}

/// A number of 64 bits with a sign, of which -1 stands for no limit.
pub(crate) struct WideOrNone;

impl WideOrNone {
    pub(crate) fn get(row: Row, socket: &RawSocket) -> Result<Option<u64>> {
        Wide::read(row, socket).map(|value| u64::try_from(i64::from_ne_bytes(value)).ok())
    }

    pub(crate) fn set(row: Row, socket: &RawSocket, value: Option<u64>) -> Result<()> {
        let number = match value.map(i64::try_from) {
            None => -1,
            Some(Ok(number)) => number,
            Some(Err(_)) => return Err(row.refused(value.unwrap_or_default(), format_args!("0..={}", i64::MAX))),
        };
        socket.set_option(row.number, Some(&number.to_ne_bytes())).map_err(|errno| row.failed(errno, number))
    }
}

/// Reads a value whose length is not known before, into a buffer that grows until libzmq is content.
fn read_bytes(row: Row, socket: &RawSocket) -> Result<Vec<u8>> {
    const LARGEST: usize = 1 << 20;
    let mut buffer = vec![0; 256];
    loop {
        match socket.get_option(row.number, &mut buffer) {
            Ok(len) => {
                buffer.truncate(len);
                return Ok(buffer);
            }
            Err(Errno::EINVAL) if buffer.len() < LARGEST => buffer.resize(buffer.len() * 4, 0),
            Err(errno) => return Err(row.failed(errno, "not readable")),
        }
    }
}

/// Bytes of which there are `MIN` to `MAX`.
pub(crate) struct Bytes<const MIN: usize, const MAX: usize>;

impl<const MIN: usize, const MAX: usize> Bytes<MIN, MAX> {
    pub(crate) fn set(row: Row, socket: &RawSocket, value: impl AsRef<[u8]>) -> Result<()> {
        let value = value.as_ref();
        if !(MIN..=MAX).contains(&value.len()) {
            return Err(row.refused(format_args!("a length of {}", value.len()), format_args!("{MIN}..={MAX}")));
        }
        socket
            .set_option(row.number, Some(value))
            .map_err(|errno| row.failed(errno, format_args!("{} bytes", value.len())))
    }
}

/// A routing id: 1 to 255 bytes.
pub(crate) struct Id;

impl Id {
    pub(crate) fn get(row: Row, socket: &RawSocket) -> Result<Vec<u8>> {
        read_bytes(row, socket)
    }

    pub(crate) fn set(row: Row, socket: &RawSocket, value: impl AsRef<[u8]>) -> Result<()> {
        let value = value.as_ref();
        if value.first() == Some(&0) {
            // A ROUTER makes such ids itself, and aborts where another peer has the one that is next.
            return Err(Errno::EINVAL.because(row.name, format_args!("{}: begins with a zero", LongId(value))));
        }
        Bytes::<1, 255>::set(row, socket, value)
    }
}

/// A text of 1 to `MAX` bytes, or none. It is not shown in errors: it may be a password.
pub(crate) struct Text<const MAX: usize>;

impl<const MAX: usize> Text<MAX> {
    pub(crate) fn get(row: Row, socket: &RawSocket) -> Result<Option<String>> {
        let mut text = read_bytes(row, socket)?;
        if text.last() == Some(&0) {
            text.pop();
        }
        Ok((!text.is_empty()).then(|| String::from_utf8_lossy(&text).into_owned()))
    }

    /// For a password: wherever it was on its way is wiped.
    pub(crate) fn get_secret(row: Row, socket: &RawSocket) -> Result<Option<SecretText>> {
        const { assert!(MAX <= 255, "the buffer is for a length of one byte, and a NUL") }
        let mut buffer = [0; 256];
        let outcome = socket.get_option(row.number, &mut buffer).map_err(|errno| row.failed(errno, "not readable"));
        // The length counts the NUL.
        let text = outcome.map(|length| {
            let text = &buffer[..length.saturating_sub(1)];
            (!text.is_empty()).then(|| SecretText::from(String::from_utf8_lossy(text).into_owned()))
        });
        raw::wipe(&mut buffer);
        text
    }

    fn check(row: Row, text: &str) -> Result<()> {
        if text.is_empty() || text.len() > MAX {
            return Err(row.refused(format_args!("a text of {} bytes", text.len()), format_args!("1..={MAX}")));
        }
        if text.contains('\0') {
            return Err(Errno::EINVAL.because(row.name, "the text contains a NUL"));
        }
        Ok(())
    }

    pub(crate) fn set(row: Row, socket: &RawSocket, text: &str) -> Result<()> {
        Self::check(row, text)?;
        Self::pass(row, socket, Some(text.as_bytes()))
    }

    pub(crate) fn set_or_clear(row: Row, socket: &RawSocket, text: Option<&str>) -> Result<()> {
        text.map_or(Ok(()), |text| Self::check(row, text))?;
        Self::pass(row, socket, text.map(str::as_bytes))
    }

    /// For the option that not every libzmq survives.
    pub(crate) fn set_proxy(row: Row, socket: &RawSocket, text: Option<&str>) -> Result<()> {
        if let (Some(text), Some(why)) = (text, row.missing()) {
            Self::check(row, text)?;
            return Err(Errno::EINVAL.because(row.name, why));
        }
        Self::set_or_clear(row, socket, text)
    }

    /// For the option whose code in libzmq reads up to a NUL.
    pub(crate) fn set_terminated(row: Row, socket: &RawSocket, text: Option<&str>) -> Result<()> {
        text.map_or(Ok(()), |text| Self::check(row, text))?;
        let terminated = text.map(|text| [text.as_bytes(), &[0]].concat());
        Self::pass(row, socket, terminated.as_deref())
    }

    fn pass(row: Row, socket: &RawSocket, text: Option<&[u8]>) -> Result<()> {
        let len = text.map_or(0, <[u8]>::len);
        socket.set_option(row.number, text).map_err(|errno| row.failed(errno, format_args!("a text of {len} bytes")))
    }
}

/// A number of the system's, such as a user id, that is added to a filter, or none, which clears the filter.
pub(crate) struct Filter;

impl Filter {
    pub(crate) fn set(row: Row, socket: &RawSocket, value: Option<u32>) -> Result<()> {
        let bytes = value.map(u32::to_ne_bytes);
        let shown = value.map_or("clearing the filter".to_owned(), |value| value.to_string());
        socket.set_option(row.number, bytes.as_ref().map(<[u8; 4]>::as_slice)).map_err(|errno| row.failed(errno, shown))
    }
}

/// A CURVE key.
pub(crate) trait KeyCodec: Sized {
    fn bytes(&self) -> &[u8; 32];
    fn from_bytes(bytes: [u8; 32]) -> Self;

    fn get(row: Row, socket: &RawSocket) -> Result<Self> {
        let mut bytes = [0; 32];
        socket.get_option(row.number, &mut bytes).map_err(|errno| row.failed(errno, "not readable"))?;
        let key = Self::from_bytes(bytes);
        raw::wipe(&mut bytes);
        Ok(key)
    }

    fn set(row: Row, socket: &RawSocket, key: &Self) -> Result<()> {
        socket.set_option(row.number, Some(key.bytes())).map_err(|errno| row.failed(errno, "a key of 32 bytes"))
    }
}

impl KeyCodec for PublicKey {
    fn bytes(&self) -> &[u8; 32] {
        self.as_bytes()
    }

    fn from_bytes(bytes: [u8; 32]) -> Self {
        PublicKey::from_bytes(bytes)
    }
}

impl KeyCodec for SecretKey {
    fn bytes(&self) -> &[u8; 32] {
        self.as_bytes()
    }

    fn from_bytes(bytes: [u8; 32]) -> Self {
        SecretKey::from_bytes(bytes)
    }
}

/// An enumeration whose numbers are C's.
macro_rules! enumeration {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $number:ident $c_name:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_meta])* #[doc(alias = $c_name)] $variant,)*
        }

        impl $crate::sockopt::codec::IntCodec<$name> for $name {
            fn encode(_row: $crate::sockopt::codec::Row, value: $name) -> $crate::error::Result<std::ffi::c_int> {
                Ok(match value { $($name::$variant => zmq_sys::$number,)* })
            }

            fn decode(row: $crate::sockopt::codec::Row, value: std::ffi::c_int) -> $crate::error::Result<$name> {
                match value {
                    $(zmq_sys::$number => Ok($name::$variant),)*
                    _ => Err(row.refused(value, stringify!($name))),
                }
            }
        }
    };
}
pub(crate) use enumeration;

/// A set of flags whose bits are C's.
#[cfg(feature = "draft")]
macro_rules! bits {
    ($(#[$meta:meta])* $name:ident { $($(#[$flag_meta:meta])* $flag:ident = $number:ident $c_name:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $name(std::ffi::c_int);

        impl $name {
            /// None of them.
            pub const NONE: $name = $name(0);
            $($(#[$flag_meta])* #[doc(alias = $c_name)] pub const $flag: $name = $name(zmq_sys::$number);)*

            /// Whether all of `other`'s are among these.
            pub const fn contains(self, other: $name) -> bool {
                self.0 & other.0 == other.0
            }
        }

        impl std::ops::BitOr for $name {
            type Output = $name;

            fn bitor(self, other: $name) -> $name {
                $name(self.0 | other.0)
            }
        }

        impl $crate::sockopt::codec::IntCodec<$name> for $name {
            fn encode(_row: $crate::sockopt::codec::Row, value: $name) -> $crate::error::Result<std::ffi::c_int> {
                Ok(value.0)
            }

            fn decode(_row: $crate::sockopt::codec::Row, value: std::ffi::c_int) -> $crate::error::Result<$name> {
                Ok($name(value))
            }
        }
    };
}
#[cfg(feature = "draft")]
pub(crate) use bits;
