//! Record numbers: the pair of epoch and sequence number that names a record, and how the few bits of it
//! that a unified header carries become the whole again. Knows neither headers nor keys.

/// The largest epoch in which records are sealed.
///
/// RFC 9147 section 6.1 forbids wrapping a 64-bit epoch; its revision caps the epoch at 2^48-1, which leaves room
/// for a limit that is really checked.
pub const MAX_EPOCH: u64 = (1 << 48) - 1;

/// The name of a record: the epoch of the keys that protect it and its number within that epoch.
///
/// This is `RecordNumber` of RFC 9147 section 4. It is ordered by epoch first.
///
/// ```
/// use drystone_record::RecordNumber;
///
/// let first = RecordNumber { epoch: 2, sequence: 9 };
/// assert!(first < RecordNumber { epoch: 3, sequence: 0 });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RecordNumber {
    /// The epoch; 0 is plaintext.
    pub epoch: u64,
    /// The number of the record within its epoch, from 0.
    pub sequence: u64,
}

impl RecordNumber {
    /// The largest sequence number that is ever sent: 2^48-1.
    ///
    /// Classic headers carry 48 bits (RFC 6347 section 4.1). The same limit for unified headers is far beyond
    /// every limit on the use of a key.
    pub const MAX_SEQUENCE: u64 = (1 << 48) - 1;
}

/// The sequence number that ends in the `bits` low bits `low` and is numerically closest to `expected`
/// (RFC 9147 section 4.2.2), where `expected` is one plus the largest number opened in this epoch.
///
/// Of two numbers equally close the larger one is taken. The result is at most
/// [`RecordNumber::MAX_SEQUENCE`] if `expected` is at most one more than that.
pub(crate) fn reconstruct(low: u16, bits: u32, expected: u64) -> u64 {
    let span = 1_u64 << bits;
    let half = span >> 1;
    let candidate = (expected & !span.wrapping_sub(1)) | u64::from(low);
    let above = candidate.saturating_add(span);
    if candidate.saturating_add(half) <= expected && above <= RecordNumber::MAX_SEQUENCE {
        return above;
    }
    if candidate > expected.saturating_add(half) || candidate > RecordNumber::MAX_SEQUENCE {
        return candidate.checked_sub(span).unwrap_or(candidate);
    }
    candidate
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn reconstruction_finds_every_number_within_half_the_span(
            expected in 0..=RecordNumber::MAX_SEQUENCE + 1,
            distance in -127_i64..=128,
            long in any::<bool>(),
        ) {
            let bits = if long { 16 } else { 8 };
            let distance = if long { distance * 256 } else { distance };
            let Some(sequence) = expected.checked_add_signed(distance) else { return Ok(()) };
            prop_assume!(sequence <= RecordNumber::MAX_SEQUENCE);
            let low = u16::try_from(sequence & ((1 << bits) - 1)).unwrap();
            prop_assert_eq!(reconstruct(low, bits, expected), sequence);
        }

        #[test]
        fn reconstruction_is_the_closest_number(
            low in any::<u16>(), expected in 0..=RecordNumber::MAX_SEQUENCE + 1, long in any::<bool>(),
        ) {
            let bits = if long { 16 } else { 8 };
            let span = 1_u64 << bits;
            let low = if long { low } else { low & 0xff };
            let found = reconstruct(low, bits, expected);
            prop_assert!(found <= RecordNumber::MAX_SEQUENCE);
            prop_assert_eq!(found & (span - 1), u64::from(low));
            let distance = found.abs_diff(expected);
            for other in [found.checked_sub(span), found.checked_add(span)].into_iter().flatten() {
                if other <= RecordNumber::MAX_SEQUENCE {
                    prop_assert!(distance <= other.abs_diff(expected));
                }
            }
        }
    }

    /// RFC 9147 section 4.2.2, word for word, at both ends of the number space: of all numbers that end in these bits the
    /// "numerically closest to one plus the sequence number of the highest successfully deprotected record".
    #[test]
    fn reconstruction_is_what_the_rfc_says() {
        let end = RecordNumber::MAX_SEQUENCE + 1;
        for expected in (0..700).chain(end - 700..=end) {
            for low in 0..=0xff_u16 {
                let from = expected.saturating_sub(600) & !0xff | u64::from(low);
                let numbers = (from..=RecordNumber::MAX_SEQUENCE).step_by(0x100).take(6);
                // The last of two at the same distance: the larger one.
                let closest = numbers.min_by_key(|number| (number.abs_diff(expected), u64::MAX - number));
                assert_eq!(Some(reconstruct(low, 8, expected)), closest, "{low} {expected}");
            }
        }
    }

    #[test]
    fn the_edges_of_the_number_space_do_not_wrap() {
        assert_eq!(reconstruct(0xff, 8, 0), 0xff);
        assert_eq!(reconstruct(0xffff, 16, 1), 0xffff);
        let end = RecordNumber::MAX_SEQUENCE + 1;
        assert_eq!(reconstruct(0xff, 8, end), RecordNumber::MAX_SEQUENCE);
        assert_eq!(reconstruct(0x00, 8, end), end - 0x100);
    }
}
