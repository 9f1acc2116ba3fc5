//! `bit_set!`, which declares the sets of flags whose bits are C's.
//!
//! The crate `bitflags` would give each of them some 25 more public methods, and another `Debug`.

/// Declares a set of flags. A row has docs and `NAME = constant, "C name";`. A flag that some builds lack has
/// `if cfg-predicate` before the `;`. The set has the bit operators, and converts from and to C's number.
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

            /// All flags that have a name in this build.
            const NAMED: $name = {
                let (mut named, mut at) = ($name(0), 0);
                while at < $name::NAMES.len() {
                    named.0 |= $name::NAMES[at].0.0;
                    at += 1;
                }
                named
            };

            /// Whether the set is empty.
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// Whether this set contains all flags of `other`.
            pub const fn contains(self, other: $name) -> bool {
                self.0 & other.0 == other.0
            }
        }

        /// The set of C's number, with the bits that have no name here.
        impl From<$bits> for $name {
            fn from(bits: $bits) -> $name {
                $name(bits)
            }
        }

        /// The set as C's number.
        impl From<$name> for $bits {
            fn from(set: $name) -> $bits {
                set.0
            }
        }

        $crate::bit_set::bit_set! { @operator
            $name
            /// The flags of either set.
            BitOr::bitor, BitOrAssign::bitor_assign: |left, right| left | right
        }

        $crate::bit_set::bit_set! { @operator
            $name
            /// The flags of both sets.
            BitAnd::bitand, BitAndAssign::bitand_assign: |left, right| left & right
        }

        $crate::bit_set::bit_set! { @operator
            $name
            /// The flags of the left set that the right set does not contain.
            Sub::sub, SubAssign::sub_assign: |left, right| left & !right
        }

        /// The named flags that the set does not contain.
        impl std::ops::Not for $name {
            type Output = $name;

            fn not(self) -> $name {
                $name::NAMED - self
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

    (
        @operator
        $name:ident
        $(#[$meta:meta])*
        $operator:ident::$method:ident, $assign:ident::$assign_method:ident: |$left:ident, $right:ident| $bits:expr
    ) => {
        $(#[$meta])*
        impl std::ops::$operator for $name {
            type Output = $name;

            fn $method(self, other: $name) -> $name {
                let ($left, $right) = (self.0, other.0);
                $name($bits)
            }
        }

        impl std::ops::$assign for $name {
            fn $assign_method(&mut self, other: $name) {
                *self = std::ops::$operator::$method(*self, other);
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
        assert!(Two::NONE.is_empty() && !set.is_empty());
        assert_eq!((Two::from(2), c_int::from(set)), (Two::SECOND, 3));
    }

    #[test]
    fn operators_keep_bits_without_a_name_except_not() {
        let all = Two::FIRST | Two::SECOND;
        let mut set = Two::from(0x13);
        assert_eq!((set & Two::SECOND, set - Two::SECOND), (Two::SECOND, Two::from(0x11)));
        assert_eq!((!set, !Two::FIRST, !Two::NONE), (Two::NONE, Two::SECOND, all));
        set -= Two::FIRST;
        assert_eq!(c_int::from(set), 0x12);
        set &= all;
        assert_eq!(set, Two::SECOND);
        set |= Two::from(0x10);
        assert_eq!(c_int::from(set), 0x12);
    }

    #[test]
    fn debug_names_the_flags_and_shows_unknown_bits() {
        assert_eq!(format!("{:?}", Two::NONE), "NONE");
        assert_eq!(format!("{:?}", Two::FIRST | Two::SECOND), "FIRST | SECOND");
        assert_eq!(format!("{:?}", Two::from(0x12)), "SECOND | 0x10");
        assert_eq!(format!("{:?}", Two::from(0x20)), "0x20");
    }
}
