//! `bit_set!`, which declares the sets of flags whose bits are C's.
//!
//! The crate `bitflags` would give each of them some 30 more public methods and seven operators, and another `Debug`.

/// Declares a set of flags. A row is: docs, `NAME = constant, "C name";`, with `if cfg-predicate` before the `;` for a flag
/// that not every build has.
macro_rules! bit_set {
    (
        $(#[$meta:meta])*
        $name:ident($bits:ty) {
            $(#[$none_meta:meta])*
            NONE;
            $($(#[$flag_meta:meta])* $flag:ident = $number:ident, $c_name:literal $(if $cfg:meta)?;)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $name($bits);

        impl $name {
            $(#[$none_meta])*
            pub const NONE: $name = $name(0);
            $(
                $(#[$flag_meta])*
                #[doc(alias = $c_name)]
                $(#[cfg($cfg)])?
                pub const $flag: $name = $name(zmq_sys::$number as $bits);
            )*
            const NAMES: &'static [($name, &'static str)] = &[$($(#[cfg($cfg)])? ($name::$flag, stringify!($flag)),)*];

            /// Whether this set contains all flags of `other`.
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

        impl std::ops::BitOrAssign for $name {
            fn bitor_assign(&mut self, other: $name) {
                self.0 |= other.0;
            }
        }

        /// The names of the flags with `|` between them, and unknown bits as a hexadecimal number.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let known = Self::NAMES.iter().filter(|(flag, _)| self.contains(*flag));
                let unknown = known.clone().fold(self.0, |rest, (flag, _)| rest & !flag.0);
                let mut names: Vec<String> = known.map(|(_, name)| (*name).to_owned()).collect();
                if unknown != 0 {
                    names.push(format!("{unknown:#x}"));
                }
                f.write_str(&if names.is_empty() { "NONE".to_owned() } else { names.join(" | ") })
            }
        }
    };
}
pub(crate) use bit_set;

#[cfg(test)]
mod tests {
    use std::ffi::c_int;

    bit_set! {
        /// Two flags.
        Two(c_int) {
            /// No flag.
            NONE;
            /// The first.
            FIRST = ZMQ_DONTWAIT, "first";
            /// The second.
            SECOND = ZMQ_SNDMORE, "second";
            /// No build has it.
            ABSENT = ZMQ_NO_SUCH_CONSTANT, "absent" if any();
        }
    }

    #[test]
    fn bit_set_combines_and_contains_flags() {
        let mut set = Two::FIRST;
        assert!(!set.contains(Two::SECOND));
        set |= Two::SECOND;
        assert_eq!(set, Two::FIRST | Two::SECOND);
        assert!(set.contains(Two::FIRST) && set.contains(Two::NONE));
        assert_eq!(Two::default(), Two::NONE);
    }

    #[test]
    fn debug_names_the_flags_and_shows_unknown_bits() {
        assert_eq!(format!("{:?}", Two::NONE), "NONE");
        assert_eq!(format!("{:?}", Two::FIRST | Two::SECOND), "FIRST | SECOND");
        assert_eq!(format!("{:?}", Two(0x12)), "SECOND | 0x10");
        assert_eq!(format!("{:?}", Two(0x20)), "0x20");
    }
}
