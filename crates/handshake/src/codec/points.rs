//! Code points: newtypes over the wire's integers, so that unknown values survive a round trip.

/// Declares a code point type with named constants.
///
/// The type prints its IANA name where it is known and its hexadecimal value otherwise, and converts from the
/// IANA name without regard to case.
macro_rules! code_points {
    (
        $(#[$meta:meta])*
        pub struct $type:ident($int:ty);
        $( $(#[$item:meta])* $constant:ident = $value:literal, $name:literal; )*
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(pub $int);

        impl $type {
            $( #[doc = concat!("`", $name, "`")] #[doc = ""] $(#[$item])* pub const $constant: Self = Self($value); )*

            /// Every value that has a name here.
            pub const KNOWN: &'static [Self] = &[ $( Self::$constant ),* ];

            /// The name in the IANA registry, if drystone knows the value.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $( $value => Some($name), )*
                    _ => None,
                }
            }

            /// The value with this IANA name, without regard to case.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::KNOWN.iter().copied().find(|point| {
                    point.name().is_some_and(|known| known.eq_ignore_ascii_case(name))
                })
            }
        }

        impl $crate::codec::Element<'_> for $type {
            fn read(reader: &mut $crate::codec::Reader<'_>) -> Result<Self, $crate::codec::DecodeError> {
                $crate::codec::Element::read(reader).map(Self)
            }

            fn write(&self, writer: &mut $crate::codec::Writer<'_>) {
                $crate::codec::Element::write(&self.0, writer);
            }
        }

        impl core::fmt::Display for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{:#06x}", self.0),
                }
            }
        }

        impl core::fmt::Debug for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Display::fmt(self, f)
            }
        }
    };
}

pub(crate) use code_points;
