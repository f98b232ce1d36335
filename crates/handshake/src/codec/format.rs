//! How a field lies on the wire: one declaration that both reads and writes.

use super::{DecodeError, List, Reader, Vector, Writer};

/// A value that knows its own wire format: the integers, code points and structures of the RFCs.
///
/// A list of elements is only sound if each of them takes at least one byte.
pub trait Element<'a>: Copy {
    /// Reads one from the front.
    ///
    /// # Errors
    /// If the bytes are not one.
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError>;

    /// Appends it.
    fn write(&self, writer: &mut Writer<'_>);
}

macro_rules! integer {
    ($($int:ident),*) => { $(
        impl Element<'_> for $int {
            fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                reader.$int()
            }

            fn write(&self, writer: &mut Writer<'_>) {
                writer.$int(*self);
            }
        }
    )* };
}

integer!(u8, u16, u32, u64);

impl<'a, const N: usize> Element<'a> for &'a [u8; N] {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        reader.array()
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.bytes(self.as_slice());
    }
}

/// How a `T` lies on the wire. A [`Vector`] is the format of its bytes and of a [`List`] of elements.
pub trait Format<'a, T> {
    /// Reads a `T` from the front.
    ///
    /// # Errors
    /// If the bytes are not one.
    fn read(self, reader: &mut Reader<'a>) -> Result<T, DecodeError>;

    /// Appends it.
    fn write(self, value: &T, writer: &mut Writer<'_>);
}

/// The format of an [`Element`]: its own.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl<'a, T: Element<'a>> Format<'a, T> for Plain {
    fn read(self, reader: &mut Reader<'a>) -> Result<T, DecodeError> {
        T::read(reader)
    }

    fn write(self, value: &T, writer: &mut Writer<'_>) {
        value.write(writer);
    }
}

/// Bytes without a length of their own, up to the end of what holds them.
#[derive(Clone, Copy, Debug)]
pub struct Rest;

impl<'a> Format<'a, &'a [u8]> for Rest {
    fn read(self, reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
        Ok(reader.rest())
    }

    fn write(self, value: &&'a [u8], writer: &mut Writer<'_>) {
        writer.bytes(value);
    }
}

impl<'a> Format<'a, &'a [u8]> for Vector {
    fn read(self, reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
        reader.vector(self)
    }

    fn write(self, value: &&'a [u8], writer: &mut Writer<'_>) {
        writer.vector(self, |writer| writer.bytes(value));
    }
}

impl<'a, T: Element<'a>> Format<'a, List<'a, T>> for Vector {
    fn read(self, reader: &mut Reader<'a>) -> Result<List<'a, T>, DecodeError> {
        List::from_wire(reader.what(), reader.vector(self)?)
    }

    fn write(self, value: &List<'a, T>, writer: &mut Writer<'_>) {
        writer.vector(self, |writer| {
            value.iter().for_each(|element| element.write(writer));
        });
    }
}

/// A list that must hold exactly one element: an answer in the clothes of an offer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Single(pub(crate) Vector);

impl<'a, T: Element<'a>> Format<'a, T> for Single {
    fn read(self, reader: &mut Reader<'a>) -> Result<T, DecodeError> {
        Reader::all(reader.what(), reader.vector(self.0)?, T::read)
    }

    fn write(self, value: &T, writer: &mut Writer<'_>) {
        writer.vector(self.0, |writer| value.write(writer));
    }
}
