//! The socket options: the table that they are made from, and what it says of each.
//!
//! Every option of `zmq.h` is one row. A row makes the methods of [`crate::Socket`] that get and set it; the rows
//! themselves are [`OPTIONS`], for programs that list or check them.

pub(crate) mod codec;
mod special;
mod table;
#[cfg(feature = "draft")]
mod table_draft;
mod types;

pub(crate) use crate::kind::groups as kinds;
pub use crate::kind::groups::*;
pub use types::*;

use std::ffi::c_int;

use crate::error::{Errno, Result};
use crate::kind::Kind;
use crate::socket::Core;
use codec::Row;

/// What the table says of one option.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct OptionInfo {
    /// The option's name in C.
    pub name: &'static str,
    /// Its number.
    pub number: i32,
    /// Whether it can be read.
    pub get: bool,
    /// Whether it can be set.
    pub set: bool,
    /// The kinds that it applies to: those whose sockets have its methods.
    pub kinds: Kinds,
    /// The kinds on which libzmq accepts it, be it without effect.
    pub accepted: Kinds,
    /// Whether it is of the draft API.
    pub draft: bool,
}

/// Names that `zmq.h` keeps for options which have another name now.
pub const ALIASES: &[(&str, &str)] = &[
    ("ZMQ_IDENTITY", "ZMQ_ROUTING_ID"),
    ("ZMQ_CONNECT_RID", "ZMQ_CONNECT_ROUTING_ID"),
    ("ZMQ_DELAY_ATTACH_ON_CONNECT", "ZMQ_IMMEDIATE"),
    ("ZMQ_FAIL_UNROUTABLE", "ZMQ_ROUTER_MANDATORY"),
    ("ZMQ_ROUTER_BEHAVIOR", "ZMQ_ROUTER_MANDATORY"),
];

/// Every option of `zmq.h` that this build has, in the order of the table.
///
/// ```
/// use zmq::{Kind, sockopt};
///
/// let of_router = sockopt::OPTIONS.iter().copied().flatten().filter(|option| option.kinds.contains(Kind::Router));
/// assert!(of_router.into_iter().any(|option| option.name == "ZMQ_ROUTER_MANDATORY"));
/// ```
pub static OPTIONS: &[&[OptionInfo]] = &[
    table::ROWS,
    special::ROWS,
    #[cfg(feature = "draft")]
    table_draft::ROWS,
    #[cfg(feature = "draft")]
    special::DRAFT_ROWS,
];

impl OptionInfo {
    /// Whether the linked libzmq was built with what the option needs: CURVE, GSSAPI, NORM, VMCI or TLS. A SOCKS proxy is
    /// for the vendored libzmq alone.
    ///
    /// ```
    /// let option = zmq::sockopt::find("ZMQ_GSSAPI_SERVER").unwrap();
    /// assert_eq!(option.is_available(), zmq::has("gssapi"));
    /// ```
    pub fn is_available(&self) -> bool {
        Row { name: self.name, number: self.number }.missing().is_none()
    }
}

/// The option of that C name, if this build has it.
///
/// ```
/// let linger = zmq::sockopt::find("ZMQ_LINGER").unwrap();
/// assert_eq!(linger.number, 17);
/// assert!(linger.is_available());
/// ```
pub fn find(name: &str) -> Option<&'static OptionInfo> {
    let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| *name);
    OPTIONS.iter().copied().flatten().find(|option| option.name == name)
}

impl Core {
    /// The row of an option, for a socket of a kind that it applies to. The compiler has seen to that, but for sockets
    /// whose kind is known at run time only.
    #[inline]
    fn option(&self, name: &'static str, number: c_int, kinds: Kinds) -> Result<Row> {
        if kinds.contains(self.kind()) {
            self.check_process(name).map(|()| Row { name, number })
        } else {
            Err(not_for(name, self.kind()))
        }
    }

    /// As [`Core::option`], for setting it; `None` where it is to be skipped.
    #[inline]
    fn option_to_set(&self, name: &'static str, number: c_int, kinds: Kinds) -> Result<Option<Row>> {
        if self.skips_options() && !kinds.contains(self.kind()) {
            return Ok(None);
        }
        self.option(name, number, kinds).map(Some)
    }
}

#[cold]
fn not_for(name: &'static str, kind: Kind) -> crate::Error {
    Errno::EINVAL.because(name, format_args!("a {kind} socket has no such option"))
}

/// Makes methods and data of rows.
///
/// A row is: docs, `"C name" = constant: class, [getter] [setter], kinds (accepted on), sample => what it reads as;`
/// The classes are `int(Codec => Type)`, `wide()`, `wide_or_none()`, `bytes(MIN, MAX)`, `id()`, `text(MAX)`,
/// `text_or_none(MAX)`, `secret_or_none(MAX)`, `terminated(MAX)`, `proxy(MAX)`, `filter()`, `latch()` and `key(Type)`.
macro_rules! options {
    (
        draft: $draft:literal;
        $(
            $(#[$meta:meta])*
            $name:literal = $number:ident: $class:ident $codec:tt,
            [$($get:ident)?] [$($set:ident)?], $kinds:ident $(($accepted:expr))?, $sample:expr;
        )*
    ) => {
        $(
            impl<T: $crate::kind::SocketType> $crate::socket::Socket<'_, T> {
                options! { @get $class $codec [$($get)?] $name $number $kinds {
                    "```\n\
                    # fn main() -> zmq::Result<()> {\n\
                    # use std::time::Duration;\n\
                    # use zmq::{PublicKey, SecretKey, sockopt::*};\n\
                    # let context = zmq::Context::new()?;\n\
                    # let option = find(\"", $name, "\").unwrap();\n\
                    # if !option.is_available() { return Ok(()); }\n\
                    # let socket = context.socket(option.kinds.iter().next().unwrap())?;\n",
                    $("socket.", stringify!($set), "(", options!(@argument $class $sample), ")?;\n",)?
                    $("assert_eq!(socket.", stringify!($get), "()?, ", options!(@result $class $sample), ");\n",)?
                    "# Ok(())\n# }\n```"
                } $(#[$meta])* #[doc = options!(@range $codec)] }
                options! { @set $class $codec [$($set)?] $name $number $kinds {
                    "```\n\
                    # fn main() -> zmq::Result<()> {\n\
                    # use std::time::Duration;\n\
                    # use zmq::{PublicKey, SecretKey, sockopt::*};\n\
                    # let context = zmq::Context::new()?;\n\
                    # let option = find(\"", $name, "\").unwrap();\n\
                    # if !option.is_available() { return Ok(()); }\n\
                    # let socket = context.socket(option.kinds.iter().next().unwrap())?;\n",
                    $("socket.", stringify!($set), "(", options!(@argument $class $sample), ")?;\n",)?
                    $("assert_eq!(socket.", stringify!($get), "()?, ", options!(@result $class $sample), ");\n",)?
                    "# Ok(())\n# }\n```"
                } $(#[$meta])* #[doc = options!(@range $codec)] }
            }
        )*

        pub(crate) static ROWS: &[$crate::sockopt::OptionInfo] = &[$(
            $crate::sockopt::OptionInfo {
                name: $name,
                number: zmq_sys::$number,
                get: options!(@is $($get)?),
                set: options!(@is $($set)?),
                kinds: $crate::sockopt::kinds::$kinds,
                accepted: options!(@accepted $($accepted)?),
                draft: $draft,
            },
        )*];

        #[cfg(test)]
        mod round_trips {
            #[allow(unused_imports)]
            use super::*;

            $(options! { @test $kinds $class [$($get)?] [$($set)?] $name $sample })*
        }
    };

    (@is) => { false };
    (@is $method:ident) => { true };
    (@accepted) => { $crate::sockopt::Kinds::ALL };
    (@accepted $accepted:expr) => { $accepted };

    (@range (Milliseconds => $ty:ty)) => { "The range is 0 to 2,147,483,647 ms; fractions are rounded up." };
    (@range (OrDefault<Milliseconds> => $ty:ty)) => { options!(@range (Milliseconds => $ty)) };
    (@range (OrOff<Milliseconds> => $ty:ty)) => {
        "The range is 0 to 2,147,483,647 ms; fractions are rounded up, and zero is `None`."
    };
    (@range $codec:tt) => { "" };

    (@get $class:ident $codec:tt [] $($rest:tt)*) => {};
    (@get int ($codec:ty => $ty:ty) [$get:ident] $name:literal $number:ident $kinds:ident $example:tt $(#[$meta:meta])*) => {
        options! { @getter $get $ty, $name $number $kinds $example <$codec as IntCodec<$ty>>::get, $(#[$meta])* }
    };
    (@get wide () [$get:ident] $name:literal $number:ident $kinds:ident $example:tt $(#[$meta:meta])*) => {
        options! { @getter $get u64, $name $number $kinds $example Wide::get, $(#[$meta])* }
    };
    (@get wide_or_none () [$get:ident] $name:literal $number:ident $kinds:ident $example:tt $(#[$meta:meta])*) => {
        options! { @getter $get Option<u64>, $name $number $kinds $example WideOrNone::get, $(#[$meta])* }
    };
    (@get id () [$get:ident] $name:literal $number:ident $kinds:ident $example:tt $(#[$meta:meta])*) => {
        options! { @getter $get Vec<u8>, $name $number $kinds $example Id::get, $(#[$meta])* }
    };
    (@get text ($max:expr) [$get:ident] $name:literal $number:ident $kinds:ident $example:tt $(#[$meta:meta])*) => {
        options! { @getter $get Option<String>, $name $number $kinds $example Text::<{ $max }>::get, $(#[$meta])* }
    };
    (@get text_or_none ($max:expr) [$get:ident] $name:literal $number:ident $kinds:ident $example:tt $(#[$meta:meta])*) => {
        options! { @getter $get Option<String>, $name $number $kinds $example Text::<{ $max }>::get, $(#[$meta])* }
    };
    (@get secret_or_none ($max:expr) [$get:ident] $name:literal $number:ident $kinds:ident $example:tt $(#[$meta:meta])*) => {
        options! { @getter $get Option<SecretText>, $name $number $kinds $example Text::<{ $max }>::get_secret, $(#[$meta])* }
    };
    (@get proxy ($max:expr) [$get:ident] $name:literal $number:ident $kinds:ident $example:tt $(#[$meta:meta])*) => {
        options! { @getter $get Option<String>, $name $number $kinds $example Text::<{ $max }>::get, $(#[$meta])* }
    };
    (@get key ($key:ty) [$get:ident] $name:literal $number:ident $kinds:ident $example:tt $(#[$meta:meta])*) => {
        options! { @getter $get $key, $name $number $kinds $example <$key as KeyCodec>::get, $(#[$meta])* }
    };

    (@getter $get:ident $ty:ty, $name:literal $number:ident $kinds:ident $example:tt $how:expr, $(#[$meta:meta])*) => {
        $(#[$meta])*
        ///
        /// # Errors
        ///
        /// `EINVAL` where this build of libzmq does not have the option, or an untyped socket is of a kind without it;
        /// `ETERM` after the context was shut down.
        ///
        #[doc = concat! $example]
        #[doc(alias = $name)]
        #[doc(alias = "zmq_getsockopt")]
        pub fn $get(&self) -> $crate::error::Result<$ty>
        where
            T: $crate::sockopt::bound::$kinds,
        {
            let row = self.core().option($name, zmq_sys::$number, $crate::sockopt::kinds::$kinds)?;
            $how(row, self.core().raw())
        }
    };

    (@set $class:ident $codec:tt [] $($rest:tt)*) => {};
    (@set int ($codec:ty => $ty:ty) [$set:ident] $name:literal $number:ident $kinds:ident $example:tt $(#[$meta:meta])*) => {
        options! { @setter $set (value: $ty), $name $number $kinds $example $(#[$meta])*
            |core, row| {
                core.check_mark(row.name, row.number)?;
                core.remember(row.number, <$codec as IntCodec<$ty>>::set(row, core.raw(), value)?)
            } }
    };
    (@set wide () [$set:ident] $name:literal $number:ident $kinds:ident $example:tt $(#[$meta:meta])*) => {
        options! { @setter $set (value: u64), $name $number $kinds $example $(#[$meta])*
            |core, row| Wide::set(row, core.raw(), value)? }
    };
    (@set wide_or_none () [$set:ident] $name:literal $number:ident $kinds:ident $example:tt $(#[$meta:meta])*) => {
        options! { @setter $set (value: Option<u64>), $name $number $kinds $example $(#[$meta])*
            |core, row| WideOrNone::set(row, core.raw(), value)? }
    };
    (@set bytes ($min:expr, $max:expr) [$set:ident] $name:literal $number:ident $kinds:ident $example:tt $(#[$meta:meta])*) => {
        options! { @setter $set (value: impl AsRef<[u8]>), $name $number $kinds $example $(#[$meta])*
            |core, row| Bytes::<{ $min }, { $max }>::set(row, core.raw(), value)? }
    };
    (@set id () [$set:ident] $name:literal $number:ident $kinds:ident $example:tt $(#[$meta:meta])*) => {
        options! { @setter $set (value: impl AsRef<[u8]>), $name $number $kinds $example $(#[$meta])*
            |core, row| Id::set(row, core.raw(), value)? }
    };
    (@set text ($max:expr) [$set:ident] $name:literal $number:ident $kinds:ident $example:tt $(#[$meta:meta])*) => {
        options! { @setter $set (value: &str), $name $number $kinds $example $(#[$meta])*
            |core, row| Text::<{ $max }>::set(row, core.raw(), value)? }
    };
    (@set text_or_none ($max:expr) [$set:ident] $name:literal $number:ident $kinds:ident $example:tt $(#[$meta:meta])*) => {
        options! { @setter $set (value: Option<&str>), $name $number $kinds $example $(#[$meta])*
            |core, row| Text::<{ $max }>::set_or_clear(row, core.raw(), value)? }
    };
    (@set secret_or_none ($max:expr) [$set:ident] $name:literal $number:ident $kinds:ident $example:tt $(#[$meta:meta])*) => {
        options! { @setter $set (value: Option<&str>), $name $number $kinds $example $(#[$meta])*
            |core, row| Text::<{ $max }>::set_or_clear(row, core.raw(), value)? }
    };
    (@set terminated ($max:expr) [$set:ident] $name:literal $number:ident $kinds:ident $example:tt $(#[$meta:meta])*) => {
        options! { @setter $set (value: Option<&str>), $name $number $kinds $example $(#[$meta])*
            |core, row| Text::<{ $max }>::set_terminated(row, core.raw(), value)? }
    };
    (@set proxy ($max:expr) [$set:ident] $name:literal $number:ident $kinds:ident $example:tt $(#[$meta:meta])*) => {
        options! { @setter $set (value: Option<&str>), $name $number $kinds $example $(#[$meta])*
            |core, row| Text::<{ $max }>::set_proxy(row, core.raw(), value)? }
    };
    (@set latch () [$set:ident] $name:literal $number:ident $kinds:ident $example:tt $(#[$meta:meta])*) => {
        options! { @setter $set (value: bool), $name $number $kinds $example $(#[$meta])*
            |core, row| core.set_one_way(row.name, row.number, value)? }
    };
    (@set filter () [$set:ident] $name:literal $number:ident $kinds:ident $example:tt $(#[$meta:meta])*) => {
        options! { @setter $set (value: Option<u32>), $name $number $kinds $example $(#[$meta])*
            |core, row| Filter::set(row, core.raw(), value)? }
    };
    (@set key ($key:ty) [$set:ident] $name:literal $number:ident $kinds:ident $example:tt $(#[$meta:meta])*) => {
        options! { @setter $set (value: &$key), $name $number $kinds $example $(#[$meta])*
            |core, row| KeyCodec::set(row, core.raw(), value)? }
    };

    (@setter $set:ident ($value:ident: $ty:ty), $name:literal $number:ident $kinds:ident $example:tt $(#[$meta:meta])*
        |$core:ident, $row:ident| $body:expr) => {
        $(#[$meta])*
        ///
        /// # Errors
        ///
        /// `EINVAL` where the value is out of range, this build of libzmq does not have the option, or an untyped socket
        /// is of a kind without it; `ETERM` after the context was shut down.
        ///
        #[doc = concat! $example]
        #[doc(alias = $name)]
        #[doc(alias = "zmq_setsockopt")]
        pub fn $set(&self, $value: $ty) -> $crate::error::Result<()>
        where
            T: $crate::sockopt::bound::$kinds,
        {
            let $core = self.core();
            let row = $core.option_to_set($name, zmq_sys::$number, $crate::sockopt::kinds::$kinds)?;
            let Some($row) = row else { return Ok(()) };
            // No other thread sets an option, binds or connects between libzmq's call and what is kept of it.
            let _op = $core.op_lock();
            $body;
            Ok(())
        }
    };

    (@test $kinds:ident $class:ident [$get:ident] [$set:ident] $name:literal $sample:expr) => {
        #[test]
        #[allow(deprecated)]
        fn $set() {
            let context = crate::Context::new().unwrap();
            let socket = crate::sockopt::testing::socket(&context, crate::sockopt::kinds::$kinds);
            let set = options!(@try $class socket $set $sample);
            if !crate::sockopt::testing::is_there($name, &set) {
                return;
            }
            let fresh = crate::sockopt::testing::socket(&context, crate::sockopt::kinds::$kinds);
            let expected = options!(@expected $class $sample);
            assert_ne!(fresh.$get().unwrap(), expected, "the sample must differ from the initial value");
            set.unwrap();
            assert_eq!(socket.$get().unwrap(), expected);
        }
    };
    (@test $kinds:ident $class:ident [] [$set:ident] $name:literal $sample:expr) => {
        #[test]
        #[allow(deprecated)]
        fn $set() {
            let context = crate::Context::new().unwrap();
            let socket = crate::sockopt::testing::socket(&context, crate::sockopt::kinds::$kinds);
            let set = options!(@try $class socket $set $sample);
            if crate::sockopt::testing::is_there($name, &set) {
                set.unwrap();
            }
        }
    };
    (@test $kinds:ident $class:ident [$get:ident] [] $name:literal $sample:expr) => {
        #[test]
        fn $get() {
            let context = crate::Context::new().unwrap();
            let socket = crate::sockopt::testing::socket(&context, crate::sockopt::kinds::$kinds);
            assert_eq!(socket.$get().unwrap(), $sample);
        }
    };

    (@argument text_or_none $sample:expr) => { concat!("Some(", stringify!($sample), ")") };
    (@argument secret_or_none $sample:expr) => { concat!("Some(", stringify!($sample), ")") };
    (@argument terminated $sample:expr) => { concat!("Some(", stringify!($sample), ")") };
    (@argument proxy $sample:expr) => { concat!("Some(", stringify!($sample), ")") };
    (@argument key $sample:expr) => { concat!("&", stringify!($sample)) };
    (@argument $class:ident $sample:expr) => { stringify!($sample) };
    (@result text $sample:expr) => { concat!("Some(", stringify!($sample), ".to_owned())") };
    (@result text_or_none $sample:expr) => { concat!("Some(", stringify!($sample), ".to_owned())") };
    (@result secret_or_none $sample:expr) => { concat!("Some(", stringify!($sample), ".into())") };
    (@result proxy $sample:expr) => { concat!("Some(", stringify!($sample), ".to_owned())") };
    (@result $class:ident $sample:expr) => { stringify!($sample) };
    (@try text_or_none $socket:ident $set:ident $sample:expr) => { $socket.$set(Some($sample)) };
    (@try secret_or_none $socket:ident $set:ident $sample:expr) => { $socket.$set(Some($sample)) };
    (@try terminated $socket:ident $set:ident $sample:expr) => { $socket.$set(Some($sample)) };
    (@try proxy $socket:ident $set:ident $sample:expr) => { $socket.$set(Some($sample)) };
    (@try key $socket:ident $set:ident $sample:expr) => { $socket.$set(&$sample) };
    (@try $class:ident $socket:ident $set:ident $sample:expr) => { $socket.$set($sample) };
    (@expected text $sample:expr) => { Some(String::from($sample)) };
    (@expected text_or_none $sample:expr) => { Some(String::from($sample)) };
    (@expected secret_or_none $sample:expr) => { Some(SecretText::from($sample)) };
    (@expected proxy $sample:expr) => { Some(String::from($sample)) };
    (@expected id $sample:expr) => { Vec::from($sample) };
    (@expected $class:ident $sample:expr) => { $sample };
}
pub(crate) use options;

/// What bounds the methods of an option: the traits of `kinds`, and the one that every kind has.
pub(crate) mod bound {
    pub use super::kinds::*;
    pub use crate::kind::SocketType;
}

#[cfg(test)]
pub(crate) mod testing {
    use super::{Kinds, Row};
    use crate::{Context, Errno, Kind, Socket};

    /// A socket of a kind that an option applies to, and how to see whether this build has the option.
    pub(crate) fn socket(context: &Context, kinds: Kinds) -> Socket<'_> {
        let kind = *Kind::ALL.iter().find(|kind| kinds.contains(**kind)).unwrap();
        context.socket(kind).unwrap()
    }

    /// Whether this libzmq was built with what the option needs; if not, the error has to say so.
    pub(crate) fn is_there<V>(name: &'static str, outcome: &crate::Result<V>) -> bool {
        let Some(why) = (Row { name, number: 0 }).missing() else { return true };
        let Err(error) = outcome else { panic!("{name} is accepted by a libzmq that has it not") };
        assert_eq!(*error, Errno::EINVAL.because(name, why));
        false
    }
}
