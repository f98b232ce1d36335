//! Which outer content types and headers an epoch admits. Owns the sets; knows neither keys nor what is inside a record.

use crate::header::Header;
use crate::{ContentType, Discard};
use core::fmt;

/// The outer content types and headers that an epoch admits, as data. What is not in the set is
/// [`Discard::UnexpectedContentType`], except that a connection id that is missing is
/// [`Discard::MissingConnectionId`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AdmittedTypes(u16);

impl AdmittedTypes {
    /// Epoch 0 of classic protocol, or while the protocol is not decided: ChangeCipherSpec, alert, handshake.
    pub const CLASSIC_PLAINTEXT: Self =
        Self::of(&[ContentType::CHANGE_CIPHER_SPEC, ContentType::ALERT, ContentType::HANDSHAKE]);
    /// Epoch 0 where later epochs have unified headers: alert, handshake, and ACK, which only counts (RFC 9147
    /// section 4.1).
    pub const UNIFIED_PLAINTEXT: Self =
        Self::of(&[ContentType::ALERT, ContentType::HANDSHAKE, ContentType::ACK]);
    /// Protected classic records.
    pub const CLASSIC: Self = Self::of(&[
        ContentType::ALERT,
        ContentType::HANDSHAKE,
        ContentType::APPLICATION_DATA,
        ContentType::RETURN_ROUTABILITY_CHECK,
    ]);
    /// Protected classic records that must have a connection id (RFC 9146 section 3).
    pub const CLASSIC_WITH_CONNECTION_ID: Self = Self::of(&[ContentType::TLS12_CID]);
    /// Unified headers without connection id.
    pub const UNIFIED: Self = Self(Self::UNIFIED_BIT);
    /// Unified headers that must have a connection id (RFC 9147 section 9).
    pub const UNIFIED_WITH_CONNECTION_ID: Self = Self(Self::UNIFIED_CONNECTION_ID_BIT);

    const UNIFIED_BIT: u16 = 1 << 8;
    const UNIFIED_CONNECTION_ID_BIT: u16 = 1 << 9;

    /// The set of these classic content types. Only 20 to 27 can start a classic record; others are left out.
    #[must_use]
    pub const fn of(types: &[ContentType]) -> Self {
        let mut bits = 0;
        let mut rest = types;
        while let [first, tail @ ..] = rest {
            bits |= Self::bit(*first);
            rest = tail;
        }
        Self(bits)
    }

    const fn bit(content_type: ContentType) -> u16 {
        match content_type.0 {
            20..=27 => 1 << (content_type.0 - 20),
            _ => 0,
        }
    }

    /// Whether a record with this header may be opened.
    #[inline]
    pub(crate) fn check(self, header: &Header) -> Result<(), Discard> {
        let (bit, sibling) = match *header {
            Header::Classic { content_type, .. } => {
                (Self::bit(content_type), Self::bit(ContentType::TLS12_CID))
            }
            Header::Unified { connection_id_length: 0, .. } => {
                (Self::UNIFIED_BIT, Self::UNIFIED_CONNECTION_ID_BIT)
            }
            Header::Unified { .. } => (Self::UNIFIED_CONNECTION_ID_BIT, 0),
        };
        if self.0 & bit != 0 {
            Ok(())
        } else if self.0 & sibling != 0 {
            Err(Discard::MissingConnectionId)
        } else {
            Err(Discard::UnexpectedContentType)
        }
    }
}

impl fmt::Debug for AdmittedTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut set = f.debug_set();
        for value in 20..=27 {
            if self.0 & Self::bit(ContentType(value)) != 0 {
                set.entry(&ContentType(value));
            }
        }
        if self.0 & Self::UNIFIED_BIT != 0 {
            set.entry(&"unified");
        }
        if self.0 & Self::UNIFIED_CONNECTION_ID_BIT != 0 {
            set.entry(&"unified with connection id");
        }
        set.finish()
    }
}
