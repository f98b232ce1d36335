//! Content types: what a record carries, and the inner plaintext of records that hide it
//! (RFC 9147 section 4, RFC 9146 section 4). Knows no headers and no keys.

use core::fmt;

/// The largest payload of a record: 2^14 bytes (RFC 5246 section 6.2.1, RFC 9846 section 5.1).
pub const MAX_PAYLOAD: usize = 1 << 14;

/// The type of a record's content, as in the IANA registry "TLS ContentType".
///
/// Values without a constant here are carried unchanged.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentType(pub u8);

impl ContentType {
    /// change_cipher_spec: one byte that announces new keys (RFC 5246 section 7.1).
    pub const CHANGE_CIPHER_SPEC: Self = Self(20);
    /// alert.
    pub const ALERT: Self = Self(21);
    /// handshake.
    pub const HANDSHAKE: Self = Self(22);
    /// application_data.
    pub const APPLICATION_DATA: Self = Self(23);
    /// heartbeat (RFC 6520); never accepted.
    pub const HEARTBEAT: Self = Self(24);
    /// tls12_cid: the outer type of a classic record with a connection id (RFC 9146).
    pub const TLS12_CID: Self = Self(25);
    /// ACK (RFC 9147 section 7).
    pub const ACK: Self = Self(26);
    /// return_routability_check (RFC 9853).
    pub const RETURN_ROUTABILITY_CHECK: Self = Self(27);

    /// The name in the IANA registry, if the value has one here.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::CHANGE_CIPHER_SPEC => "change_cipher_spec",
            Self::ALERT => "alert",
            Self::HANDSHAKE => "handshake",
            Self::APPLICATION_DATA => "application_data",
            Self::HEARTBEAT => "heartbeat",
            Self::TLS12_CID => "tls12_cid",
            Self::ACK => "ACK",
            Self::RETURN_ROUTABILITY_CHECK => "return_routability_check",
            _ => return None,
        })
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Debug for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Completes an inner plaintext: its last `trailer` bytes become the type and zeros. `None` if they have no room.
pub(crate) fn end_inner_plaintext(inner: &mut [u8], content_type: ContentType, trailer: usize) -> Option<()> {
    let content = inner.len().checked_sub(trailer)?;
    let (first, zeros) = inner.get_mut(content..)?.split_first_mut()?;
    *first = content_type.0;
    zeros.fill(0);
    Some(())
}

/// Takes an inner plaintext apart: content, type, zeros. `None` if there is no type, only zeros.
pub(crate) fn split_inner_plaintext(inner: &mut [u8]) -> Option<(ContentType, &mut [u8])> {
    let position = inner.iter().rposition(|&byte| byte != 0)?;
    let (content, rest) = inner.split_at_mut_checked(position)?;
    let content_type = ContentType(*rest.first()?);
    Some((content_type, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_plaintext_ends_with_its_type_and_zeros() {
        let mut inner = [1, 2, 9, 9, 9];
        assert_eq!(end_inner_plaintext(&mut inner, ContentType::ALERT, 3), Some(()));
        assert_eq!(inner, [1, 2, 21, 0, 0]);
        assert_eq!(end_inner_plaintext(&mut inner, ContentType::ACK, 1), Some(()));
        assert_eq!(inner, [1, 2, 21, 0, 26]);
        for trailer in [0, 6] {
            assert_eq!(end_inner_plaintext(&mut inner, ContentType::ALERT, trailer), None);
        }
        assert_eq!(inner, [1, 2, 21, 0, 26]);
    }

    #[test]
    fn inner_plaintext_splits_at_the_last_byte_that_is_not_zero() {
        let mut inner = [1, 0, 2, 23, 0, 0];
        let (content_type, content) = split_inner_plaintext(&mut inner).unwrap();
        assert_eq!(content_type, ContentType::APPLICATION_DATA);
        assert_eq!(content, [1, 0, 2]);
        assert!(split_inner_plaintext(&mut [0, 0, 0]).is_none());
        assert!(split_inner_plaintext(&mut []).is_none());
    }
}
