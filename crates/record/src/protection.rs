//! Protection as data: what turns payloads of one direction of one epoch into records and back, fixed when keys
//! are installed. Owns the choice between the shapes and the limits on keys; `classic.rs` and `unified.rs` own the
//! shapes. Nothing here knows a protocol version.

use crate::aead::{AeadKey, NONCE_LENGTH};
use crate::classic::{ClassicKeys, ClassicNonce};
use crate::content::MAX_PAYLOAD;
use crate::header::{CLASSIC_LENGTH, UnifiedForm};
use crate::mask::{MaskKey, SAMPLE_LENGTH};
use crate::number::MAX_EPOCH;
use crate::unified::UnifiedKeys;
use alloc::boxed::Box;
use core::fmt;
use zeroize::Zeroizing;

/// The protection of one direction of one epoch.
///
/// ```
/// use drystone_record::{ClassicNonce, Limits, Protection, ring};
///
/// // AES-128-GCM of DTLS 1.2: the salt is the "write IV" of the key block (RFC 5288 section 3).
/// let key = ring::AES_128_GCM.key(&[7; 16])?;
/// let nonce = ClassicNonce::Explicit { salt: [1, 2, 3, 4] };
/// let protection = Protection::classic(key, 16, nonce, Limits::AES_GCM_12);
/// # Ok::<(), drystone_record::InvalidKey>(())
/// ```
pub struct Protection {
    pub(crate) keys: Keys,
    pub(crate) limits: Limits,
}

impl Protection {
    /// No protection: classic headers, epoch 0.
    pub fn plaintext() -> Self {
        Self { keys: Keys::Plaintext, limits: Limits::NONE }
    }

    /// Classic headers with an AEAD (RFC 5246 section 6.2.3.3, RFC 6347 section 4.1.2.1).
    ///
    /// `tag_length` is the AEAD's, in bytes.
    pub fn classic(
        aead_key: Box<dyn AeadKey>,
        tag_length: usize,
        nonce: ClassicNonce,
        limits: Limits,
    ) -> Self {
        let keys = ClassicKeys { aead: aead_key, tag_length, nonce };
        Self { keys: Keys::Classic(Box::new(keys)), limits }
    }

    /// Unified headers with an AEAD and encrypted record numbers (RFC 9147 section 4).
    ///
    /// `tag_length` is the AEAD's, in bytes.
    pub fn unified(
        aead_key: Box<dyn AeadKey>,
        tag_length: usize,
        iv: [u8; NONCE_LENGTH],
        mask_key: Box<dyn MaskKey>,
        limits: Limits,
    ) -> Self {
        let keys = UnifiedKeys { aead: aead_key, tag_length, iv: Zeroizing::new(iv), mask: mask_key };
        Self { keys: Keys::Unified(Box::new(keys)), limits }
    }
}

impl fmt::Debug for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Protection")
            .field("shape", &self.keys.shape())
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// The shape of an epoch's records with the keys that it needs. Boxed: an epoch without keys stays small.
pub(crate) enum Keys {
    Plaintext,
    Classic(Box<ClassicKeys>),
    Unified(Box<UnifiedKeys>),
}

impl Keys {
    pub(crate) fn shape(&self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Classic(_) => "classic",
            Self::Unified(_) => "unified",
        }
    }

    /// The last epoch that a header can name, or that we let be.
    pub(crate) fn last_epoch(&self) -> u64 {
        match self {
            Self::Plaintext | Self::Classic(_) => u64::from(u16::MAX),
            Self::Unified(_) => MAX_EPOCH,
        }
    }

    /// What surrounds payloads, as long as connection id and form do not change.
    pub(crate) fn layout(&self, connection_id: usize, form: UnifiedForm) -> Layout {
        let (prefix, trailer, shortest_text, tag) = match self {
            Self::Plaintext => (CLASSIC_LENGTH, 0, 0, 0),
            Self::Classic(keys) => {
                let prefix = CLASSIC_LENGTH.saturating_add(keys.nonce.explicit_length());
                // RFC 9146 section 4: with a connection id the content type goes inside.
                (prefix, usize::from(connection_id > 0), 0, keys.tag_length)
            }
            Self::Unified(keys) => {
                // The content type, and zeros until the mask has its 16 bytes (RFC 9147 section 4.2.3).
                let shortest_text = SAMPLE_LENGTH.saturating_sub(keys.tag_length);
                (form.header_length(), 1, shortest_text, keys.tag_length)
            }
        };
        let connection_id = if matches!(self, Self::Plaintext) { 0 } else { connection_id };
        // RFC 9146 section 5: here the limit on payloads includes the inner content type.
        let counts_content_type = matches!(self, Self::Classic(_)) && connection_id > 0;
        Layout {
            // At most 255 bytes of connection id, and a header.
            prefix: prefix.saturating_add(connection_id) as u16,
            trailer: trailer as u8,
            shortest_text: shortest_text as u8,
            // An AEAD with a longer tag gets too little room, and refuses.
            tag: u8::try_from(tag).unwrap_or(u8::MAX),
            counts_content_type,
        }
    }
}

/// The lengths in bytes of what surrounds every payload of an epoch: computed once, and small.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    /// Header and explicit nonce.
    prefix: u16,
    /// The inner content type, if there is one.
    trailer: u8,
    /// Payload and trailer together have so many bytes at least: padding fills them up.
    shortest_text: u8,
    tag: u8,
    /// Whether the inner content type is part of the 2^14 bytes that a record may hold.
    counts_content_type: bool,
}

impl Layout {
    #[inline]
    pub(crate) fn prefix(self) -> usize {
        self.prefix.into()
    }

    /// Inner content type and padding of a payload of so many bytes.
    #[inline]
    pub(crate) fn trailer(self, payload: usize) -> usize {
        usize::from(self.trailer).max(usize::from(self.shortest_text).saturating_sub(payload))
    }

    #[inline]
    pub(crate) fn tag(self) -> usize {
        self.tag.into()
    }

    /// The longest payload.
    #[inline]
    pub(crate) fn longest_payload(self) -> usize {
        MAX_PAYLOAD.saturating_sub(usize::from(self.counts_content_type))
    }

    /// Whether payloads are followed by their content type, so that padding can follow that.
    #[inline]
    pub(crate) fn hides_content_type(self) -> bool {
        self.trailer > 0
    }
}

/// The bytes that sealing needs before and after a payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Overhead {
    /// Bytes before the payload.
    pub prefix: usize,
    /// Bytes after the payload.
    pub suffix: usize,
}

impl Overhead {
    /// Both together.
    pub const fn total(self) -> usize {
        self.prefix.saturating_add(self.suffix)
    }
}

/// How much one key may do. The confidentiality limit holds for sealing, the forgeries for opening.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// How much may be sealed.
    pub confidentiality: ConfidentialityLimit,
    /// How many records may fail authentication before nothing more is opened.
    pub forgeries: u64,
}

impl Limits {
    /// No limit but the sequence number: for plaintext and for tests.
    pub const NONE: Self = Self { confidentiality: ConfidentialityLimit::SequenceOnly, forgeries: u64::MAX };

    /// AES-GCM under unified headers: 2^24.5 full records (RFC 9846 section 5.5), which is 2^34.5 blocks, and 2^36
    /// forgeries (RFC 9147 section 4.5.3).
    pub const AES_GCM_13: Self =
        Self { confidentiality: ConfidentialityLimit::Blocks(TWO_TO_34_5), forgeries: 1 << 36 };

    /// AES-GCM under classic headers: 2^34.5 blocks, and 2^28 forgeries (RFC 9325 section 4.4).
    pub const AES_GCM_12: Self =
        Self { confidentiality: ConfidentialityLimit::Blocks(TWO_TO_34_5), forgeries: 1 << 28 };

    /// ChaCha20-Poly1305: the sequence number ends first (RFC 9846 section 5.5); 2^36 forgeries (RFC 9147
    /// section 4.5.3).
    pub const CHACHA20_POLY1305: Self =
        Self { confidentiality: ConfidentialityLimit::SequenceOnly, forgeries: 1 << 36 };

    /// AES-CCM: 2^23 records and 2^23.5 forgeries (RFC 9147 section 4.5.3, appendix B).
    pub const AES_CCM: Self =
        Self { confidentiality: ConfidentialityLimit::Records(1 << 23), forgeries: 11_863_283 };

    /// AES-CCM with 8-byte tags: 2^23 records and 2^7 forgeries, since a forger wins with 2^-64 each time and the
    /// RFC leaves the number to who knows the other safeguards (RFC 9147 appendix B.3).
    pub const AES_CCM_8: Self =
        Self { confidentiality: ConfidentialityLimit::Records(1 << 23), forgeries: 1 << 7 };
}

/// 2^34.5, rounded down.
const TWO_TO_34_5: u64 = 24_296_003_999;

/// How much may be sealed with one key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfidentialityLimit {
    /// So many blocks of 16 bytes: each record costs its plaintext, rounded up, and one block for the tag.
    Blocks(u64),
    /// So many records, whatever their length.
    Records(u64),
    /// As many records as there are sequence numbers.
    SequenceOnly,
}

impl ConfidentialityLimit {
    /// What a record with so many bytes of plaintext costs.
    #[inline]
    pub(crate) fn cost(self, plaintext: usize) -> u64 {
        match self {
            Self::Blocks(_) => (plaintext.div_ceil(16) as u64).saturating_add(1),
            Self::Records(_) | Self::SequenceOnly => 1,
        }
    }

    /// The sum of costs that may not be exceeded.
    #[inline]
    pub(crate) fn budget(self) -> u64 {
        match self {
            Self::Blocks(limit) | Self::Records(limit) => limit,
            Self::SequenceOnly => u64::MAX,
        }
    }
}

/// The per-record nonce of RFC 9846 section 5.3 and RFC 7905 section 2: the number, padded on the left with zeros
/// to the nonce's length, XORed with the IV.
#[inline]
pub(crate) fn xor_nonce(iv: &[u8; NONCE_LENGTH], number: u64) -> [u8; NONCE_LENGTH] {
    let [i0, i1, i2, i3, low @ ..] = *iv;
    let [n0, n1, n2, n3, n4, n5, n6, n7] = (u64::from_be_bytes(low) ^ number).to_be_bytes();
    [i0, i1, i2, i3, n0, n1, n2, n3, n4, n5, n6, n7]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn irrational_limits_are_rounded_down() {
        // x = 2^(n + 1/2) is right if x^2 <= 2^(2n+1) < (x+1)^2.
        for (x, power) in [(u128::from(TWO_TO_34_5), 69), (u128::from(Limits::AES_CCM.forgeries), 47)] {
            assert!(x * x <= 1 << power, "{x}");
            assert!((x + 1) * (x + 1) > 1 << power, "{x}");
        }
    }

    #[test]
    fn blocks_are_rounded_up_and_the_tag_costs_one() {
        let blocks = ConfidentialityLimit::Blocks(100);
        assert_eq!([0, 1, 16, 17].map(|length| blocks.cost(length)), [1, 2, 2, 3]);
        assert_eq!(ConfidentialityLimit::Records(100).cost(5000), 1);
    }
}
