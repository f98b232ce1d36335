//! How much of a peer's handshake is accepted and buffered: the settings, and the bounds that follow from them. Knows no
//! message's content and no state.

use crate::crypto::Side;

/// Bytes that a server buffers beside the longest message that a client may send it: what overtakes that message, and the
/// book-keeping. By default that makes 18 KiB; with the records that may wait for their keys it is 20 KiB.
const BESIDE_LONGEST: u32 = 2 * 1024;

/// Bytes of heap for parts of messages after the handshake. With the numbers of records that wait to be acknowledged, the other
/// thing that a peer makes an idle association keep, that is less than 8 KiB.
pub(crate) const POST_HANDSHAKE_TOTAL: u32 = 7 * 1024;

/// Messages after the next expected one that are buffered after the handshake.
pub(crate) const POST_HANDSHAKE_AHEAD: u16 = 4;

/// The least transcript: far more than the largest chains take.
const TRANSCRIPT: u32 = 256 * 1024;

/// What a transcript has beside the peer's longest messages: hellos, and what this side says.
const BESIDE_PEERS: u32 = 64 * 1024;

/// How much of a peer's handshake is accepted at a time, and how far an association's numbers may go.
///
/// The state of the handshake decides which messages may come at all, and how long those of fixed length may be. Parts of
/// messages are buffered until the rest is there: on a client at most as many bytes as `certificate`,
/// `certificate_request` and `other` together, on a server at most the longer of `client_certificate` and `other` and 2 KiB
/// more, so 18 KiB by default; 7 KiB after the handshake, until 240 s after the newest piece. What is buffered is never more than four times
/// the bytes received and 512 more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of the Certificate message that a client accepts from its server. Default 66,000.
    pub certificate: u32,
    /// Bytes of the Certificate message that a server accepts from a client that it asked for one. Default 16 KiB.
    pub client_certificate: u32,
    /// Bytes of the CertificateRequest message that a client accepts. Default 66,000: room for as many names of authorities
    /// as the message can carry (RFC 5246 section 7.4.4, RFC 9846 section 4.3.4).
    pub certificate_request: u32,
    /// Bytes of any other message. Default 16 KiB.
    pub other: u32,
    /// How many messages after the next expected one may be buffered. Default 7: with the expected one that is
    /// room for the longest flight that either version has. After the handshake at most 4.
    pub messages_ahead: u16,
    /// Separate pieces in which one message may be buffered. Default 32: more pieces than datagrams in flight.
    pub pieces: usize,
    /// The greatest message_seq of our own messages. Default 65,535, the greatest there is: an association that comes so
    /// far ends.
    pub last_message_seq: u16,
    /// The greatest epoch of our own records (RFC 9147 section 8). Default 2^48 - 1: its key serves until its own limit, and
    /// is not followed by another.
    pub last_epoch: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What limits the length of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bound {
    Certificate,
    ClientCertificate,
    CertificateRequest,
    Other,
    /// The protocol knows how long it is: no setting changes that.
    Fixed(u32),
}

/// A message that is longer than its limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooLong {
    pub(crate) length: u32,
    pub(crate) limit: u32,
    /// The setting that raises the limit, if one does.
    pub(crate) setting: Option<&'static str>,
}

impl Limits {
    pub(crate) const DEFAULT: Self = Self {
        certificate: 66_000,
        client_certificate: 16 * 1024,
        certificate_request: 66_000,
        other: 16 * 1024,
        messages_ahead: 7,
        pieces: 32,
        last_message_seq: u16::MAX,
        last_epoch: (1 << 48) - 1,
    };

    /// The most bytes of a message with this bound.
    pub(crate) const fn most(&self, bound: Bound) -> u32 {
        match bound {
            Bound::Certificate => self.certificate,
            Bound::ClientCertificate => self.client_certificate,
            Bound::CertificateRequest => self.certificate_request,
            Bound::Other => self.other,
            Bound::Fixed(length) => length,
        }
    }

    /// Holds the length of a message against its bound.
    pub(crate) fn check(&self, bound: Bound, length: u32) -> Result<(), TooLong> {
        let limit = self.most(bound);
        if length <= limit {
            return Ok(());
        }
        let setting = match bound {
            Bound::Certificate => Some("limits.certificate"),
            Bound::ClientCertificate => Some("limits.client_certificate"),
            Bound::CertificateRequest => Some("limits.certificate_request"),
            Bound::Other => Some("limits.other"),
            Bound::Fixed(_) => None,
        };
        Err(TooLong { length, limit, setting })
    }

    /// The most bytes of heap in which an association of this side buffers parts of the peer's handshake.
    pub(crate) fn total(&self, side: Side) -> u32 {
        match side {
            Side::Client => {
                self.certificate.saturating_add(self.certificate_request).saturating_add(self.other)
            }
            Side::Server => self.client_certificate.max(self.other).saturating_add(BESIDE_LONGEST),
        }
    }

    /// The most bytes of messages that a transcript keeps: enough for all that the other limits accept.
    pub(crate) fn transcript(&self) -> usize {
        let largest = self.total(Side::Client).max(self.total(Side::Server));
        usize::try_from(largest.saturating_add(BESIDE_PEERS).max(TRANSCRIPT)).unwrap_or(usize::MAX)
    }
}
