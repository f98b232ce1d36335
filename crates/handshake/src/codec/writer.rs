//! Appends a structure to a byte vector, or writes it to a slice, with length scopes that close themselves.
//!
//! A value that does not fit is remembered and reported once, at the end, and nothing of it counts as written: so the
//! code that writes messages has no error paths.

use alloc::vec::Vec;

use core::ops::Range;

use super::vector::Width;
use super::{EncodeError, Vector};

/// Writes one structure to the end of a `Vec<u8>`, or into a slice where nothing may be allocated.
///
/// ```
/// use drystone_handshake::codec::{Vector, Writer};
///
/// let mut out = Vec::new();
/// Writer::encode("HelloVerifyRequest", &mut out, |writer| {
///     writer.u16(0xfeff);
///     writer.vector(Vector::u8(0, 255), |writer| writer.bytes(&[7, 8]));
/// })?;
/// assert_eq!(out, [0xfe, 0xff, 2, 7, 8]);
/// # Ok::<(), drystone_handshake::codec::EncodeError>(())
/// ```
#[derive(Debug)]
pub struct Writer<'w> {
    what: &'static str,
    out: Output<'w>,
    error: Option<EncodeError>,
}

/// Where the bytes go.
#[derive(Debug)]
enum Output<'w> {
    End(&'w mut Vec<u8>),
    Slice { bytes: &'w mut [u8], written: usize },
}

impl<'w> Writer<'w> {
    /// Appends what `write` writes to `out`; `what` is named in errors.
    ///
    /// # Errors
    /// If a vector was outside its bounds or [`Writer::fail`] was called; `out` is then as it was before.
    pub fn encode(
        what: &'static str,
        out: &'w mut Vec<u8>,
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Result<(), EncodeError> {
        let start = out.len();
        let mut writer = Writer { what, out: Output::End(out), error: None };
        write(&mut writer);
        match writer.error {
            None => Ok(()),
            Some(error) => {
                out.truncate(start);
                Err(error)
            }
        }
    }

    /// Writes what `write` writes to the start of `out` and returns its length; `what` is named in errors. Allocates
    /// nothing.
    ///
    /// # Errors
    /// As [`Writer::encode`], or if `out` is too short; what `out` then holds means nothing.
    pub fn encode_to_slice(
        what: &'static str,
        out: &'w mut [u8],
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Result<usize, EncodeError> {
        let mut writer = Writer { what, out: Output::Slice { bytes: out, written: 0 }, error: None };
        write(&mut writer);
        match writer.error {
            None => Ok(writer.out.length()),
            Some(error) => Err(error),
        }
    }

    /// Appends a length and then what `write` writes; the length is filled in when `write` has returned.
    pub fn vector(&mut self, vector: Vector, write: impl FnOnce(&mut Self)) {
        let prefix: &[u8] = match vector.width {
            Width::One => &[0],
            Width::Two => &[0; 2],
            Width::Three => &[0; 3],
        };
        let prefix_start = self.out.length();
        self.bytes(prefix);
        let content_start = self.out.length();
        write(self);
        let length = self.out.length().saturating_sub(content_start);
        if !vector.admits(length) {
            return self.fail(self.what);
        }
        let (Ok(length), Some(prefix)) =
            (u32::try_from(length), self.out.written_mut(prefix_start..content_start))
        else {
            return self.fail(self.what);
        };
        // The bounds fit the width, so the bytes that `zip` leaves out are zero.
        for (byte, value) in prefix.iter_mut().rev().zip(length.to_be_bytes().into_iter().rev()) {
            *byte = value;
        }
    }

    /// Appends bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        if !self.out.append(bytes) {
            self.fail(self.what);
        }
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes(&value.to_be_bytes());
    }

    /// Appends two bytes.
    pub fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    /// Appends four bytes.
    pub fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    /// Appends eight bytes.
    pub fn u64(&mut self, value: u64) {
        self.bytes(&value.to_be_bytes());
    }

    /// Makes the whole encoding fail because of `what`. The first failure is the one reported.
    pub fn fail(&mut self, what: &'static str) {
        self.error.get_or_insert(EncodeError { what });
    }
}

impl Output<'_> {
    /// Bytes before the place where the next one goes.
    fn length(&self) -> usize {
        match self {
            Self::End(out) => out.len(),
            Self::Slice { written, .. } => *written,
        }
    }

    fn written_mut(&mut self, range: Range<usize>) -> Option<&mut [u8]> {
        match self {
            Self::End(out) => out.get_mut(range),
            Self::Slice { bytes, .. } => bytes.get_mut(range),
        }
    }

    /// Appends bytes; whether there was room.
    fn append(&mut self, bytes: &[u8]) -> bool {
        match self {
            Self::End(out) => {
                out.extend_from_slice(bytes);
                true
            }
            Self::Slice { bytes: out, written } => {
                let end = written.saturating_add(bytes.len());
                let Some(room) = out.get_mut(*written..end) else { return false };
                room.copy_from_slice(bytes);
                *written = end;
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn encode(write: impl FnOnce(&mut Writer<'_>)) -> Result<Vec<u8>, EncodeError> {
        let mut out = vec![9];
        let result = Writer::encode("test", &mut out, write);
        if result.is_err() {
            assert_eq!(out, [9], "a failed encoding leaves nothing behind");
        }
        result.map(|()| out)
    }

    #[test]
    fn lengths_of_every_width() {
        assert_eq!(encode(|w| w.vector(Vector::u8(0, 255), |w| w.u16(0x0102))), Ok(vec![9, 2, 1, 2]));
        assert_eq!(encode(|w| w.vector(Vector::u16(0, 255), |w| w.u16(0x0102))), Ok(vec![9, 0, 2, 1, 2]));
        assert_eq!(encode(|w| w.vector(Vector::u24(0, 255), |w| w.u16(0x0102))), Ok(vec![9, 0, 0, 2, 1, 2]));
        let long =
            encode(|w| w.vector(Vector::u24(0, 0xff_ffff), |w| w.bytes(&[0; 0x01_0203]))).expect("it fits");
        assert_eq!(long[..4], [9, 1, 2, 3]);
    }

    #[test]
    fn scopes_nest() {
        let nested = encode(|w| {
            w.vector(Vector::u16(0, 99), |w| {
                w.vector(Vector::u8(0, 9), |w| w.u8(7));
                w.u8(8);
            });
        });
        assert_eq!(nested, Ok(vec![9, 0, 3, 1, 7, 8]));
    }

    #[test]
    fn a_vector_outside_its_bounds_is_an_error() {
        for vector in [Vector::u8(0, 255), Vector::u16(0, 2), Vector::u24(0, 255), Vector::u16(257, 999)] {
            assert_eq!(
                encode(|w| w.vector(vector, |w| w.bytes(&[0; 256]))),
                Err(EncodeError { what: "test" })
            );
        }
    }

    #[test]
    fn the_first_failure_is_reported() {
        let result = encode(|w| {
            w.fail("first");
            w.fail("second");
        });
        assert_eq!(result, Err(EncodeError { what: "first" }));
    }

    #[test]
    fn a_slice_gets_the_same_bytes_if_there_is_room() {
        let write = |w: &mut Writer<'_>| {
            w.vector(Vector::u16(0, 99), |w| {
                w.vector(Vector::u8(0, 9), |w| w.u8(7));
                w.u32(8);
            });
        };
        let whole = encode(write).expect("it fits");
        let whole = &whole[1..];
        for room in 0..20 {
            let mut out = vec![0xee; room];
            let result = Writer::encode_to_slice("test", &mut out, write);
            if room < whole.len() {
                assert_eq!(result, Err(EncodeError { what: "test" }), "{room}");
            } else {
                assert_eq!(result, Ok(whole.len()), "{room}");
                assert_eq!(&out[..whole.len()], whole);
                assert!(out[whole.len()..].iter().all(|byte| *byte == 0xee), "nothing is written behind");
            }
        }
    }
}
