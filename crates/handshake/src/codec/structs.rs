//! Structures of the wire: one declaration of the fields and their formats, from which reading and writing follow.

/// Declares a structure whose fields lie on the wire in their order, each in the format after its `=`.
macro_rules! wire_struct {
    (
        $(#[$meta:meta])*
        pub struct $name:ident $(<$life:lifetime>)? {
            $( $(#[$field_meta:meta])* $field:ident: $type:ty = $format:expr, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name $(<$life>)? {
            $( $(#[$field_meta])* pub $field: $type, )*
        }

        impl<'a> $crate::codec::Element<'a> for $name $(<$life>)? {
            #[allow(unused_variables, reason = "some messages have no fields")]
            fn read(reader: &mut $crate::codec::Reader<'a>) -> Result<Self, $crate::codec::DecodeError> {
                Ok(Self { $( $field: $crate::codec::Format::read(const { $format }, reader)?, )* })
            }

            #[allow(unused_variables, reason = "some messages have no fields")]
            fn write(&self, writer: &mut $crate::codec::Writer<'_>) {
                $( $crate::codec::Format::write(const { $format }, &self.$field, writer); )*
            }
        }
    };
}

/// Gives an element the two methods of a message: `decode` of a whole body and `encode`.
macro_rules! message_methods {
    ($name:ident $(<$life:lifetime>)?, $what:literal) => {
        impl $(<$life>)? $name $(<$life>)? {
            #[doc = concat!("Reads the body of ", $what, ", whole: what follows the handshake or record header.")]
            ///
            /// # Errors
            /// If the body is cut short, has trailing bytes, or breaks a rule of the format; the error names the
            /// structure and knows its alert.
            pub fn decode(body: &$($life)? [u8]) -> Result<Self, $crate::codec::DecodeError> {
                $crate::codec::Reader::all($what, body, $crate::codec::Element::read)
            }

            /// Appends the body to `out`, without a header.
            ///
            /// # Errors
            /// If a field does not fit the format; `out` is then as it was before.
            pub fn encode(&self, out: &mut alloc::vec::Vec<u8>) -> Result<(), $crate::codec::EncodeError> {
                $crate::codec::Writer::encode($what, out, |writer| $crate::codec::Element::write(self, writer))
            }

            /// The body, without a header.
            ///
            /// # Errors
            /// If a field does not fit the format.
            pub fn to_vec(&self) -> Result<alloc::vec::Vec<u8>, $crate::codec::EncodeError> {
                // Most messages but certificates and hybrid hellos fit without growing.
                let mut body = alloc::vec::Vec::with_capacity(256);
                self.encode(&mut body)?;
                Ok(body)
            }

            /// Writes the body to the start of `out`, without a header and without allocating; its length in bytes.
            ///
            /// # Errors
            /// If a field does not fit the format, or `out` is too short.
            pub fn encode_to_slice(&self, out: &mut [u8]) -> Result<usize, $crate::codec::EncodeError> {
                $crate::codec::Writer::encode_to_slice($what, out, |writer| {
                    $crate::codec::Element::write(self, writer);
                })
            }
        }
    };
}

/// A `wire_struct!` that is a message: its name on the wire comes first.
macro_rules! message {
    (
        $what:literal;
        $(#[$meta:meta])*
        pub struct $name:ident $(<$life:lifetime>)? { $($fields:tt)* }
    ) => {
        $crate::codec::structs::wire_struct! {
            $(#[$meta])*
            pub struct $name $(<$life>)? { $($fields)* }
        }
        $crate::codec::structs::message_methods!($name $(<$life>)?, $what);
    };
}

pub(crate) use {message, message_methods, wire_struct};
