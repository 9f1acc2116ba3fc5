//! The socket options, and the tables that their methods are made from.
//!
//! Every option of `zmq.h` is one row. A row makes the methods of [`Socket`](crate::Socket) that get and set the option.
//! [`OptionInfo::all`] lists the rows, for programs that show or check options.

mod codec;
#[cfg(feature = "serde")]
mod deserialize;
mod dynamic;
pub(crate) mod row;
mod special;
mod table;
#[cfg(feature = "draft")]
mod table_draft;
mod types;
pub(crate) mod value;

pub(crate) use crate::kind::groups as kinds;
use crate::kind::groups::Kinds;
pub use types::*;
pub use value::{OptionId, OptionValue};

use crate::error::{Errno, Result};
use crate::kind::Kind;
use crate::socket::Core;
use codec::{Get, Set};
use dynamic::Access;
use row::Row;

/// One row of the table.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct OptionInfo {
    /// The option's name in C.
    pub name: &'static str,
    /// Its number.
    pub number: i32,
    /// The type of its value in C.
    pub c_type: CType,
    /// Whether it can be read.
    pub get: bool,
    /// Whether it can be set.
    pub set: bool,
    /// Whether it belongs to the draft API.
    pub draft: bool,
    /// The kinds whose sockets have its methods.
    pub(crate) kinds: Kinds,
    /// The kinds on which libzmq accepts it.
    pub(crate) accepted: Kinds,
    pub(crate) access: Access,
}

/// The type that an option's value has in C.
///
/// ```
/// use zmq::sockopt::{CType, OptionInfo};
///
/// assert_eq!(OptionInfo::find("ZMQ_LINGER").unwrap().c_type, CType::Int);
/// assert_eq!(OptionInfo::find("ZMQ_PLAIN_USERNAME").unwrap().c_type, CType::Text(255));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CType {
    /// `int`.
    Int,
    /// `pid_t`, `uid_t` or `gid_t`: 32 bits. Null clears the option.
    Uint32,
    /// `int64_t`.
    Int64,
    /// `uint64_t`.
    Uint64,
    /// Bytes, up to this many.
    Bytes(usize),
    /// Characters, up to this many. `zmq_getsockopt` adds a NUL.
    Text(usize),
    /// A CURVE key: 32 bytes, or 40 characters of Z85 with or without a NUL.
    Key,
}

impl CType {
    /// `==` for constants.
    pub(crate) const fn is(self, other: CType) -> bool {
        match (self, other) {
            (CType::Int, CType::Int)
            | (CType::Uint32, CType::Uint32)
            | (CType::Int64, CType::Int64)
            | (CType::Uint64, CType::Uint64)
            | (CType::Key, CType::Key) => true,
            (CType::Bytes(one), CType::Bytes(other)) | (CType::Text(one), CType::Text(other)) => one == other,
            _ => false,
        }
    }
}

/// Old names that `zmq.h` keeps for options, each with the option's present name.
const ALIASES: &[(&str, &str)] = &[
    ("ZMQ_IDENTITY", "ZMQ_ROUTING_ID"),
    ("ZMQ_CONNECT_RID", "ZMQ_CONNECT_ROUTING_ID"),
    ("ZMQ_DELAY_ATTACH_ON_CONNECT", "ZMQ_IMMEDIATE"),
    ("ZMQ_FAIL_UNROUTABLE", "ZMQ_ROUTER_MANDATORY"),
    ("ZMQ_ROUTER_BEHAVIOR", "ZMQ_ROUTER_MANDATORY"),
];

/// The tables of this build.
static TABLES: &[&[OptionInfo]] = &[
    table::ROWS,
    special::ROWS,
    #[cfg(feature = "draft")]
    table_draft::ROWS,
    #[cfg(feature = "draft")]
    special::DRAFT_ROWS,
];

impl OptionInfo {
    /// Every socket option of `zmq.h` that this build has, in the order of the table.
    ///
    /// ```
    /// use zmq::{Kind, sockopt::OptionInfo};
    ///
    /// let mut of_router = OptionInfo::all().filter(|option| option.applies_to(Kind::Router));
    /// assert!(of_router.any(|option| option.name == "ZMQ_ROUTER_MANDATORY"));
    /// ```
    pub fn all() -> impl Iterator<Item = &'static OptionInfo> {
        TABLES.iter().copied().flatten()
    }

    /// Finds an option by its C name, an old name that `zmq.h` keeps for it, or its number. `None` if this build does not
    /// have it.
    ///
    /// ```
    /// use zmq::sockopt::OptionInfo;
    ///
    /// let linger = OptionInfo::find("ZMQ_LINGER").unwrap();
    /// assert_eq!(linger.number, 17);
    /// assert_eq!(OptionInfo::find(17).unwrap().name, "ZMQ_LINGER");
    /// assert!(linger.is_available());
    /// ```
    pub fn find<'a>(option: impl Into<OptionId<'a>>) -> Option<&'static OptionInfo> {
        let id = option.into();
        let alias = ALIASES.iter().find(|(alias, _)| matches!(id, OptionId::Name(_)) && id.is(alias, 0));
        let id = alias.map_or(id, |(_, name)| OptionId::Name(name));
        OptionInfo::all().find(|option| id.is(option.name, option.number))
    }

    /// Whether sockets of this kind have the option's methods.
    ///
    /// ```
    /// use zmq::{Kind, sockopt::OptionInfo};
    ///
    /// assert!(!OptionInfo::find("ZMQ_SUBSCRIBE").unwrap().applies_to(Kind::Pub));
    /// ```
    pub fn applies_to(&self, kind: Kind) -> bool {
        self.kinds.contains(kind)
    }

    /// Whether libzmq accepts the option on sockets of this kind, with or without effect.
    ///
    /// ```
    /// use zmq::{Kind, sockopt::OptionInfo};
    ///
    /// // REP is built on ROUTER.
    /// let mandatory = OptionInfo::find("ZMQ_ROUTER_MANDATORY").unwrap();
    /// assert!(mandatory.is_accepted_by(Kind::Rep) && !mandatory.applies_to(Kind::Rep));
    /// ```
    pub fn is_accepted_by(&self, kind: Kind) -> bool {
        self.accepted.contains(kind)
    }

    /// Whether the linked libzmq was built with the feature that the option needs: CURVE, GSSAPI, NORM, VMCI or TLS.
    /// `ZMQ_SOCKS_PROXY` and `ZMQ_HELLO_MSG` need the patches for safety.
    ///
    /// ```
    /// let option = zmq::sockopt::OptionInfo::find("ZMQ_GSSAPI_SERVER").unwrap();
    /// assert_eq!(option.is_available(), zmq::has("gssapi"));
    /// ```
    pub fn is_available(&self) -> bool {
        self.row().missing().is_none()
    }
}

impl Core {
    /// Checks that the socket is of one of `kinds`, and that it is open. The compiler has checked the kind already, except
    /// for an untyped socket.
    fn check_option(&self, row: Row, kinds: Kinds) -> Result<()> {
        if kinds.contains(self.kind()) { self.check_open(row.name) } else { Err(not_for(row.name, self.kind())) }
    }

    /// Gets an option as its codec reads it.
    fn get_option<C: Get<V>, V>(&self, row: Row, kinds: Kinds) -> Result<V> {
        self.check_option(row, kinds)?;
        C::get(row, self.raw())
    }

    /// As [`Core::check_option`], for setting the option.
    fn check_set(&self, row: Row, kinds: Kinds) -> Result<()> {
        match self.check_option(row, kinds) {
            // ZMQ_LINGER can be set after a shutdown.
            Err(error) if error.errno() == Errno::ETERM && row.number == zmq_sys::ZMQ_LINGER => Ok(()),
            checked => checked,
        }
    }

    /// Sets an option as its codec writes it.
    fn set_option<C: Set<V>, V>(&self, row: Row, kinds: Kinds, value: V) -> Result<()> {
        self.check_set(row, kinds)?;
        C::set(row, self, value)
    }
}

#[cold]
fn not_for(name: &'static str, kind: Kind) -> crate::Error {
    Errno::EINVAL.with_detail(name, format_args!("a {kind} socket has no such option"))
}

/// Makes the methods of each row, its [`OptionInfo`] and its test.
///
/// A row is:
///
/// ```text
/// /// Docs and other attributes of both methods.
/// "C name" = constant: C type by (Codec => Type, Argument), [getter] [setter], kinds (accepted), sample => read;
/// ```
///
/// - `C type` is a [`CType`]. A codec of another C type does not compile. tests/options_limits.rs tries the limits of the type.
/// - `Codec` converts the value. The getter returns `Type`, by `Codec: Get<Type>`. The setter takes `Argument`, by
///   `Codec: Set<Argument>`; without `, Argument` it takes `Type`. Instead of an `Option<V>` it takes an `impl OrNone<V>`. The
///   setter of a key converts its argument by `TryInto`, and an `impl AsRef<[u8]>` becomes a `&[u8]`, before the setter checks
///   the socket: these conversions run code of the user.
/// - `[]` stands for a getter or setter that the option does not have, and `[by_name]` for one that has no method of its own:
///   [`crate::Socket::option`] reads the option, [`crate::Socket::set_option`] sets it. tests/options_by_name.rs tries these.
/// - `kinds` is the trait that bounds the methods, and the set of the same name. `accepted` is the set of kinds on
///   which libzmq accepts the option; without `(accepted)` it is every kind.
/// - The example and the test pass `sample` to the setter, and expect `read` from the getter; without `=> read` they
///   expect `sample`.
macro_rules! options {
    (
        draft: $draft:tt;
        $(
            $(#[$meta:meta])*
            $name:literal = $number:ident: $c_type:ident $(($most:expr))? by $types:tt,
            [$($get:ident)?] [$($set:ident)?], $kinds:ident $(($accepted:expr))?, $sample:expr $(=> $read:expr)?;
        )*
    ) => {
        #[doc = options!(@heading $draft)]
        impl<T: $crate::kind::SocketType> $crate::socket::Socket<'_, T> {$(
            options! {
                @get [$($get)?] $types $name $number $kinds
                { options!(
                    @example $name [$($get)?] [$($set)?] $sample,
                    options!(@last stringify!($sample) $(, stringify!($read))?)
                ) }
                $(#[$meta])* #[doc = options!(@range $types)]
            }
            options! {
                @set [$($set)?] $types $name $number $kinds
                { options!(
                    @example $name [$($get)?] [$($set)?] $sample,
                    options!(@last stringify!($sample) $(, stringify!($read))?)
                ) }
                $(#[$meta])* #[doc = options!(@range $types)]
            }
        )*}

        $(options! { @c_type ($crate::sockopt::CType::$c_type $(($most))?) $types })*

        pub(crate) static ROWS: &[$crate::sockopt::OptionInfo] = &[$(
            $crate::sockopt::OptionInfo {
                name: $name,
                number: zmq_sys::$number,
                c_type: $crate::sockopt::CType::$c_type $(($most))?,
                get: options!(@is $($get)?),
                set: options!(@is $($set)?),
                kinds: $crate::sockopt::kinds::$kinds,
                accepted: options!(@last $crate::sockopt::kinds::Kinds::ALL $(, $accepted)?),
                draft: $draft,
                access: $crate::sockopt::dynamic::Access {
                    get: options!(@get_dynamic [$($get)?] $types),
                    set: options!(@set_dynamic [$($set)?] $types),
                },
            },
        )*];

        #[cfg(test)]
        mod round_trips {
            #[allow(unused_imports)]
            use super::*;
            use $crate::sockopt::{kinds, testing};

            $(options! { @test [$($get)?] [$($set)?] $name $kinds $sample, options!(@last $sample $(, $read)?) })*
        }
    };

    (@heading false) => { "# Options" };
    (@heading true) => { "# Draft options" };

    (@c_type ($c_type:expr) ($codec:ty => $($rest:tt)*)) => {
        const _: () = assert!(
            <$codec as $crate::sockopt::codec::InC>::C_TYPE.is($c_type),
            "the codec is of another C type than the row states"
        );
    };

    (@get_dynamic [] $($rest:tt)*) => { $crate::sockopt::dynamic::NO_GET };
    (@get_dynamic [$get:ident] ($codec:ty => $ty:ty $(, $argument:ty)?)) => {
        Ok($crate::sockopt::dynamic::get_dynamic::<$codec, $ty>)
    };

    (@set_dynamic [] $($rest:tt)*) => { $crate::sockopt::dynamic::NO_SET };
    (@set_dynamic [$set:ident] ($codec:ty => $($rest:tt)*)) => {
        Ok(<$codec as $crate::sockopt::dynamic::SetDynamic>::set_dynamic)
    };

    (@get [] $($rest:tt)*) => {};
    (@get [by_name] $($rest:tt)*) => {};
    (
        @get [$get:ident] ($codec:ty => $ty:ty $(, $argument:ty)?) $name:literal $number:ident $kinds:ident
        { $example:expr } $(#[$meta:meta])*
    ) => {
        $(#[$meta])*
        ///
        /// # Errors
        ///
        /// `EINVAL` if this build of libzmq does not have the option, or if an untyped socket is of a kind without it;
        /// `ETERM` after the context was shut down.
        ///
        #[doc = $example]
        #[doc(alias = $name)]
        #[doc(alias = "zmq_getsockopt")]
        pub fn $get(&self) -> $crate::error::Result<$ty>
        where
            T: $crate::sockopt::bound::$kinds,
        {
            let row = $crate::sockopt::Row { name: $name, number: zmq_sys::$number };
            self.core().get_option::<$codec, $ty>(row, $crate::sockopt::kinds::$kinds)
        }
    };

    (@set [] $($rest:tt)*) => {};
    (@set [by_name] $($rest:tt)*) => {};
    (@set [$set:ident] (Key<$key:ty> => $ty:ty, $argument:ty) $name:literal $($rest:tt)*) => {
        options! {
            @setter [$set] (Key<$key> => $key, $argument)
            [.try_into().map_err(|error| $crate::Error::from(error.into()).for_call($name))?]
            $name $($rest)*
        }
    };
    (@set [$set:ident] ($codec:ty => Option<&str>) $($rest:tt)*) => {
        options! {
            @setter [$set<'v>] ($codec => Option<&str>, impl $crate::or_none::OrNone<&'v str>) [.into()]
            $($rest)*
        }
    };
    (@set [$set:ident] ($codec:ty => Option<$some:ty>) $($rest:tt)*) => {
        options! {
            @setter [$set] ($codec => Option<$some>, impl $crate::or_none::OrNone<$some>) [.into()]
            $($rest)*
        }
    };
    (@set [$set:ident] ($codec:ty => impl AsRef<[u8]>) $($rest:tt)*) => {
        options! { @setter [$set] ($codec => &[u8], impl AsRef<[u8]>) [.as_ref()] $($rest)* }
    };
    (@set [$set:ident] ($codec:ty => $ty:ty, impl AsRef<[u8]>) $($rest:tt)*) => {
        options! { @set [$set] ($codec => impl AsRef<[u8]>) $($rest)* }
    };
    (@set [$set:ident] ($codec:ty => $ty:ty, Option<&str>) $($rest:tt)*) => {
        options! { @set [$set] ($codec => Option<&str>) $($rest)* }
    };
    (@set [$set:ident] ($codec:ty => $ty:ty, Option<$some:ty>) $($rest:tt)*) => {
        options! { @set [$set] ($codec => Option<$some>) $($rest)* }
    };
    (@set [$set:ident] ($codec:ty => $ty:ty, $argument:ty) $($rest:tt)*) => {
        options! { @set [$set] ($codec => $argument) $($rest)* }
    };
    (@set [$set:ident] ($codec:ty => $argument:ty) $($rest:tt)*) => {
        options! { @setter [$set] ($codec => _, $argument) [] $($rest)* }
    };
    (
        @setter [$set:ident $(<$life:lifetime>)?]
        ($codec:ty => $value:ty, $argument:ty) [$($into:tt)*]
        $name:literal $number:ident $kinds:ident { $example:expr } $(#[$meta:meta])*
    ) => {
        $(#[$meta])*
        ///
        /// # Errors
        ///
        /// `EINVAL` if the value is out of range, if this build of libzmq does not have the option, or if an untyped
        /// socket is of a kind without it; `ETERM` after the context was shut down.
        ///
        #[doc = $example]
        #[doc(alias = $name)]
        #[doc(alias = "zmq_setsockopt")]
        pub fn $set$(<$life>)?(&self, value: $argument) -> $crate::error::Result<()>
        where
            T: $crate::sockopt::bound::$kinds,
        {
            let row = $crate::sockopt::Row { name: $name, number: zmq_sys::$number };
            self.core().set_option::<$codec, $value>(row, $crate::sockopt::kinds::$kinds, value $($into)*)
        }
    };

    (@range (Milliseconds => $($rest:tt)*)) => { "The range is 0 to 2,147,483,647 ms; fractions are rounded up." };
    (@range (OrDefault<Milliseconds> => $($rest:tt)*)) => { options!(@range (Milliseconds =>)) };
    (@range (OrOff<Milliseconds> => $($rest:tt)*)) => {
        "The range is 0 to 2,147,483,647 ms; fractions are rounded up, and zero is `None`."
    };
    (@range $types:tt) => { "" };

    (@example $name:literal [$($get:ident)?] [$($set:ident)?] $sample:expr, $read:expr) => {
        concat!(
            "```\n\
            # fn main() -> zmq::Result<()> {\n\
            # use std::time::Duration;\n\
            # use zmq::{PublicKey, SecretKey, sockopt::*};\n\
            # let context = zmq::Context::new()?;\n\
            # let option = OptionInfo::find(\"", $name, "\").unwrap();\n\
            # if !option.is_available() { return Ok(()); }\n\
            # let socket = context.socket(zmq::Kind::ALL.iter().copied().find(|kind| option.applies_to(*kind)).unwrap())?;\n",
            $("socket.", stringify!($set), "(", stringify!($sample), ")?;\n",)?
            $("assert_eq!(socket.", stringify!($get), "()?, ", $read, ");\n",)?
            "# Ok(())\n# }\n```"
        )
    };

    (@is) => { false };
    (@is $method:ident) => { true };

    (@last $default:expr) => { $default };
    (@last $default:expr, $given:expr) => { $given };

    (@test [$($get:ident)?] [by_name] $($rest:tt)*) => {};
    (@test [$get:ident] [$set:ident] $name:literal $kinds:ident $sample:expr, $read:expr) => {
        #[test]
        fn $set() {
            testing::round_trip($name, kinds::$kinds, |socket| socket.$set($sample), |socket| socket.$get(), $read);
        }
    };
    (@test [] [$set:ident] $name:literal $kinds:ident $sample:expr, $read:expr) => {
        #[test]
        fn $set() {
            testing::sets($name, kinds::$kinds, |socket| socket.$set($sample), &$sample.into());
        }
    };
    (@test [$get:ident] [] $name:literal $kinds:ident $sample:expr, $read:expr) => {
        #[test]
        fn $get() {
            testing::gets($name, kinds::$kinds, |socket| socket.$get(), $read);
        }
    };
}
pub(crate) use options;

/// The traits that bound the methods of options: those of `kinds`, and the one that every kind has.
pub(crate) mod bound {
    pub use super::kinds::*;
    pub use crate::kind::SocketType;
}

#[cfg(test)]
pub(crate) mod testing {
    use std::fmt::Debug;

    use super::{Kinds, OptionId, OptionInfo, OptionValue, Row};
    use crate::{Context, Errno, Kind, Result, Socket};

    fn socket(context: &Context, kinds: Kinds) -> Socket<'_> {
        let kind = Kind::ALL.iter().find(|kind| kinds.contains(**kind)).unwrap();
        context.socket(*kind).unwrap()
    }

    /// Whether this libzmq has the option. If it lacks the option, the error must say why.
    fn is_there(name: &'static str, outcome: &Result<()>) -> bool {
        let Some(why) = (Row { name, number: 0 }).missing() else { return true };
        let Err(error) = outcome else { panic!("this libzmq lacks {name}, and accepts it") };
        assert_eq!(*error, Errno::EINVAL.with_detail(name, why));
        false
    }

    /// Sets the option and reads it back.
    pub(crate) fn round_trip<V: PartialEq<E> + Debug, E: Debug>(
        name: &'static str,
        kinds: Kinds,
        set: impl Fn(&Socket<'_>) -> Result<()>,
        get: impl Fn(&Socket<'_>) -> Result<V>,
        expected: E,
    ) {
        let context = Context::new().unwrap();
        let changed = socket(&context, kinds);
        let outcome = set(&changed);
        if is_there(name, &outcome) {
            outcome.unwrap();
            assert_eq!(get(&changed).unwrap(), expected);
            let fresh = get(&socket(&context, kinds)).unwrap();
            assert_ne!(fresh, expected, "the sample must differ from the initial value");
            by_name(name, &changed.option(name).unwrap(), kinds, |socket| {
                assert_eq!(get(socket).unwrap(), expected);
            });
            answers_eterm(kinds, &get);
            if name != "ZMQ_LINGER" {
                answers_eterm(kinds, &set);
            }
        }
    }

    /// Sets an option that cannot be read.
    pub(crate) fn sets(
        name: &'static str,
        kinds: Kinds,
        set: impl Fn(&Socket<'_>) -> Result<()>,
        sample: &OptionValue,
    ) {
        let context = Context::new().unwrap();
        let outcome = set(&socket(&context, kinds));
        assert_eq!(outcome, socket(&context, kinds).set_option(name, sample.clone()), "the same by name");
        if is_there(name, &outcome) {
            outcome.unwrap();
            by_name(name, sample, kinds, |_| {});
            answers_eterm(kinds, &set);
        }
    }

    /// Sets the option by its name and by its number, to the value and to a text of it.
    fn by_name(name: &'static str, value: &OptionValue, kinds: Kinds, check: impl Fn(&Socket<'_>)) {
        let context = Context::new().unwrap();
        let text = match value {
            OptionValue::None => "none".to_owned(),
            OptionValue::Bool(true) => "yes".to_owned(),
            OptionValue::Bool(false) => "no".to_owned(),
            OptionValue::Int(number) => number.to_string(),
            OptionValue::Duration(time) => format!("{} us", time.as_micros()),
            OptionValue::Text(text) => text.as_str().to_owned(),
            OptionValue::Bytes(bytes) => String::from_utf8(bytes.clone()).unwrap(),
        };
        let short = name.trim_start_matches("ZMQ_").to_ascii_lowercase();
        let number = OptionInfo::find(name).unwrap().number;
        for (id, value) in [
            (OptionId::Name(&short), value.clone()),
            (OptionId::Name(name), text.into()),
            (number.into(), value.clone()),
        ] {
            let socket = socket(&context, kinds);
            socket.set_option(id, value.clone()).unwrap_or_else(|error| panic!("{id:?} {value:?}: {error}"));
            check(&socket);
        }
    }

    /// Reads an option that cannot be set.
    pub(crate) fn gets<V: PartialEq<E> + Debug, E: Debug>(
        name: &'static str,
        kinds: Kinds,
        get: impl Fn(&Socket<'_>) -> Result<V>,
        expected: E,
    ) {
        let context = Context::new().unwrap();
        assert_eq!(get(&socket(&context, kinds)).unwrap(), expected);
        let error = socket(&context, kinds).set_option(name, 1).unwrap_err();
        assert_eq!(error, Errno::EINVAL.with_detail(name, "it cannot be set"));
        socket(&context, kinds).option(name).unwrap();
        answers_eterm(kinds, &get);
    }

    /// Calls a getter or setter after the shutdown of its context. Sockets of other kinds refuse the option.
    fn answers_eterm<R: Debug>(kinds: Kinds, call: &impl Fn(&Socket<'_>) -> Result<R>) {
        let context = Context::new().unwrap();
        let socket = socket(&context, kinds);
        context.shutdown().unwrap();
        assert_eq!(call(&socket).unwrap_err().errno(), Errno::ETERM);
    }
}
