//! A cursor over borrowed bytes that cannot run past their end.
//!
//! Knows what it is reading by name, for the error; knows no message.

use super::vector::Width;
use super::{DecodeError, DecodeFault, Vector};

/// Reads a structure from the front of a slice, without copying.
///
/// ```
/// use drystone_handshake::codec::{Reader, Vector};
///
/// let (version, cookie) = Reader::all("HelloVerifyRequest", &[0xfe, 0xff, 2, 7, 8], |reader| {
///     Ok((reader.u16()?, reader.vector(Vector::u8(0, 255))?))
/// })?;
/// assert_eq!((version, cookie), (0xfeff, &[7, 8][..]));
/// # Ok::<(), drystone_handshake::codec::DecodeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    what: &'static str,
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader of `bytes`; `what` is named in errors.
    pub const fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, left: bytes }
    }

    /// Reads a structure that takes all of `bytes`.
    ///
    /// # Errors
    /// Whatever `read` returns, and [`DecodeFault::TrailingBytes`] if it leaves some.
    pub fn all<T>(
        what: &'static str,
        bytes: &'a [u8],
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let mut reader = Self::new(what, bytes);
        let value = read(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// [`DecodeFault::Truncated`] if there are fewer.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, left) = self.left.split_at_checked(count).ok_or(self.error(DecodeFault::Truncated))?;
        self.left = left;
        Ok(taken)
    }

    /// The next `N` bytes, as an array.
    ///
    /// # Errors
    /// [`DecodeFault::Truncated`] if there are fewer.
    pub fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], DecodeError> {
        let (taken, left) = self.left.split_first_chunk().ok_or(self.error(DecodeFault::Truncated))?;
        self.left = left;
        Ok(taken)
    }

    /// The content of a vector with its length in front.
    ///
    /// # Errors
    /// [`DecodeFault::LengthOutOfBounds`], or [`DecodeFault::Truncated`] if the length says more than there is.
    pub fn vector(&mut self, vector: Vector) -> Result<&'a [u8], DecodeError> {
        let length = match vector.width {
            Width::One => usize::from(self.u8()?),
            Width::Two => usize::from(self.u16()?),
            // At most 2^24 - 1, which fits wherever a vector of this size can be.
            Width::Three => self.u24()? as usize,
        };
        if !vector.admits(length) {
            return Err(self.error(DecodeFault::LengthOutOfBounds));
        }
        self.take(length)
    }

    /// A reader of the content of a vector; `what` is named in its errors.
    ///
    /// # Errors
    /// As [`Reader::vector`].
    pub fn sub(&mut self, what: &'static str, vector: Vector) -> Result<Self, DecodeError> {
        Ok(Self::new(what, self.vector(vector)?))
    }

    /// The next byte.
    ///
    /// # Errors
    /// [`DecodeFault::Truncated`] at the end.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(u8::from_be_bytes(*self.array()?))
    }

    /// The next two bytes as a number.
    ///
    /// # Errors
    /// [`DecodeFault::Truncated`] if there are fewer.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(*self.array()?))
    }

    /// The next three bytes as a number.
    ///
    /// # Errors
    /// [`DecodeFault::Truncated`] if there are fewer.
    pub fn u24(&mut self) -> Result<u32, DecodeError> {
        let &[high, middle, low] = self.array()?;
        Ok(u32::from_be_bytes([0, high, middle, low]))
    }

    /// The next four bytes as a number.
    ///
    /// # Errors
    /// [`DecodeFault::Truncated`] if there are fewer.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(*self.array()?))
    }

    /// The next eight bytes as a number.
    ///
    /// # Errors
    /// [`DecodeFault::Truncated`] if there are fewer.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(*self.array()?))
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.left)
    }

    /// Whether nothing is left.
    pub const fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`DecodeFault::TrailingBytes`] if something is left.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.is_empty() { Ok(()) } else { Err(self.error(DecodeFault::TrailingBytes)) }
    }

    /// What this reader reads, by its name in the RFC.
    pub const fn what(&self) -> &'static str {
        self.what
    }

    /// An error about what this reader reads.
    pub const fn error(&self, fault: DecodeFault) -> DecodeError {
        DecodeError { what: self.what, fault }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_big_endian() {
        let mut reader = Reader::new("test", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.u16(), Ok(0x0203));
        assert_eq!(reader.u32(), Ok(0x0405_0607));
        assert_eq!(reader.u64(), Ok(0x0809_0a0b_0c0d_0e0f));
        assert_eq!(Reader::new("test", &[1, 2, 3]).u24(), Ok(0x01_0203));
        assert_eq!(reader.rest(), &[16]);
        assert!(reader.is_empty());
        assert_eq!(reader.u8(), Err(DecodeError { what: "test", fault: DecodeFault::Truncated }));
    }

    #[test]
    fn a_failed_read_takes_nothing() {
        let mut reader = Reader::new("test", &[1, 2, 3]);
        assert!(reader.u32().is_err());
        assert!(reader.take(4).is_err());
        assert_eq!(reader.take(3), Ok(&[1, 2, 3][..]));
    }

    #[test]
    fn vectors_hold_their_bounds() {
        let read =
            |bytes: &'static [u8], vector| Reader::new("test", bytes).vector(vector).map_err(|e| e.fault);
        assert_eq!(read(&[2, 7, 8, 9], Vector::u8(0, 2)), Ok(&[7, 8][..]));
        assert_eq!(read(&[0, 2, 7, 8], Vector::u16(1, 9)), Ok(&[7, 8][..]));
        assert_eq!(read(&[0, 0, 2, 7, 8], Vector::u24(1, 9)), Ok(&[7, 8][..]));
        assert_eq!(read(&[3, 7, 8, 9], Vector::u8(0, 2)), Err(DecodeFault::LengthOutOfBounds));
        assert_eq!(read(&[0], Vector::u8(1, 2)), Err(DecodeFault::LengthOutOfBounds));
        assert_eq!(read(&[2, 7], Vector::u8(0, 2)), Err(DecodeFault::Truncated));
        assert_eq!(read(&[0xff, 0xff, 0xff, 7], Vector::u24(0, 0xff_ffff)), Err(DecodeFault::Truncated));
        assert_eq!(read(&[0, 0], Vector::u24(0, 1)), Err(DecodeFault::Truncated));
    }

    #[test]
    fn trailing_bytes_are_an_error() {
        let read = |bytes| Reader::all("test", bytes, Reader::u16);
        assert_eq!(read(&[1, 2]), Ok(0x0102));
        assert_eq!(read(&[1, 2, 3]), Err(DecodeError { what: "test", fault: DecodeFault::TrailingBytes }));
    }
}
