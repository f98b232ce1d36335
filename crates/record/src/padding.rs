//! How much longer than their payloads records are made, so that their lengths tell less about what is inside. Owns the
//! rule; knows neither keys nor the room in a datagram.

use core::num::NonZeroU16;

/// How far the application data of an epoch is padded (RFC 9846 section 5.4, RFC 9146 section 4).
///
/// Padding is for records that hide their content type: those with unified headers, and classic ones with a connection
/// id. The others have no place for it and stay as they are. It costs what it adds, on the wire and in the key's
/// limits. A fixed length hides most; multiples hide the exact length, and cost less.
///
/// Handshake messages, ACKs and alerts are not padded. Their lengths say nothing about the application, they are cut to
/// what a datagram has left, and they have to get through where larger datagrams do not.
///
/// ```
/// use core::num::NonZeroU16;
/// use drystone_record::{ContentType, Limits, Padding, Protection, WriteEpoch, ring};
///
/// let key = ring::AES_128_GCM.key(&[1; 16])?;
/// let mask = ring::MASK_AES_128.key(&[2; 16])?;
/// let mut epoch = WriteEpoch::new(3, Protection::unified(key, 16, [3; 12], mask, Limits::AES_GCM_13));
/// // Whatever fits a datagram of 1200 bytes; the peer's record_size_limit would lower it further.
/// let room = 1200 - epoch.overhead().total();
/// epoch.set_padding(Padding::to_multiple_of(NonZeroU16::new(256).ok_or("zero")?).at_most(room));
///
/// let unpadded = epoch.overhead().total();
/// assert_eq!(epoch.overhead_of(10).total() - unpadded, 256 - 10);
/// assert_eq!(epoch.overhead_of(257).total() - unpadded, 512 - 257);
/// assert_eq!(1100 + epoch.overhead_of(1100).total(), 1200);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Padding {
    /// Payloads appear to have a multiple of so many bytes; 0 if nothing is padded.
    step: u16,
    /// But not more than so many.
    at_most: u16,
}

impl Padding {
    /// No padding, except where the mask of a record number needs it (RFC 9147 section 4.2.3).
    pub const NONE: Self = Self { step: 0, at_most: u16::MAX };

    /// Every record is as long as [`at_most`](Self::at_most) lets it be, so that all look alike.
    pub const FULL: Self = Self::to_length(u16::MAX);

    /// Every record looks as if its payload had a multiple of so many bytes, and one such multiple at least: an empty
    /// payload looks like a short one.
    #[must_use]
    pub const fn to_multiple_of(bytes: NonZeroU16) -> Self {
        Self { step: bytes.get(), at_most: u16::MAX }
    }

    /// Every record looks as if its payload had so many bytes; longer payloads are left as they are.
    #[must_use]
    pub const fn to_length(bytes: u16) -> Self {
        // One step that reaches over every payload, cut off there.
        Self { step: u16::MAX, at_most: bytes }
    }

    /// The same, but no payload is made to look longer than so many bytes: what a datagram has room for, and what a
    /// peer takes that sent a record_size_limit (one less than that limit, which counts the content type too: RFC 8449
    /// section 4). Without this the limit of all records holds, 2^14 bytes.
    #[must_use]
    pub fn at_most(self, bytes: usize) -> Self {
        let bytes = u16::try_from(bytes).unwrap_or(u16::MAX);
        Self { at_most: self.at_most.min(bytes), ..self }
    }

    #[inline]
    pub(crate) fn is_none(self) -> bool {
        self.step == 0
    }

    /// The bytes that a payload of so many appears to have.
    pub(crate) fn apparent_length(self, payload: usize) -> usize {
        // None if nothing is padded, since 0 has no multiples.
        let multiple = payload.max(1).checked_next_multiple_of(self.step.into());
        multiple.map_or(payload, |multiple| multiple.min(self.at_most.into()).max(payload))
    }
}

impl Default for Padding {
    fn default() -> Self {
        Self::NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn multiple(bytes: u16) -> Padding {
        Padding::to_multiple_of(NonZeroU16::new(bytes).unwrap())
    }

    #[test]
    fn apparent_lengths() {
        let of = |padding: Padding| [0, 1, 63, 64, 65, 1000].map(|length| padding.apparent_length(length));
        assert_eq!(of(Padding::NONE), [0, 1, 63, 64, 65, 1000]);
        assert_eq!(of(multiple(64)), [64, 64, 64, 64, 128, 1024]);
        assert_eq!(of(multiple(1)), [1, 1, 63, 64, 65, 1000]);
        assert_eq!(of(Padding::to_length(64)), [64, 64, 64, 64, 65, 1000]);
        assert_eq!(of(multiple(64).at_most(100)), [64, 64, 64, 64, 100, 1000]);
        assert_eq!(of(Padding::to_length(64).at_most(10)), [10, 10, 63, 64, 65, 1000]);
        assert_eq!(of(Padding::to_length(64).at_most(100)), [64, 64, 64, 64, 65, 1000]);
        assert_eq!(of(multiple(64).at_most(100).at_most(999)), of(multiple(64).at_most(100)));
        assert_eq!(multiple(u16::MAX).at_most(usize::MAX).apparent_length(5), 65_535);
        assert_eq!(multiple(3).apparent_length(usize::MAX), usize::MAX);
    }

    proptest! {
        /// Padding never shortens, obeys its bound, and leaves nothing of the payload's length within a step.
        #[test]
        fn lengths_within_a_step_look_alike(
            bytes in 1_u16..2000, at_most in 0_usize..20_000, payload in 0_usize..20_000,
        ) {
            let padding = multiple(bytes).at_most(at_most);
            let apparent = padding.apparent_length(payload);
            prop_assert!(apparent >= payload);
            prop_assert!(apparent <= payload.max(at_most));
            prop_assert!(apparent - payload <= usize::from(bytes));
            if payload <= at_most {
                let longest_alike = apparent;
                prop_assert_eq!(padding.apparent_length(longest_alike), apparent);
                prop_assert!(apparent.is_multiple_of(bytes.into()) || apparent == at_most);
            }
        }
    }
}
