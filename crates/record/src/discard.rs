//! Why something from the network was dropped, and how often. One table for the whole stack: the record layer
//! counts its own reasons, the handshake counts the later ones. Nothing here decides what is dropped.

use core::fmt;

macro_rules! discards {
    ($( $(#[$doc:meta])* $reason:ident, $text:literal; )*) => {
        /// Why a datagram, record or handshake fragment was dropped.
        ///
        /// A discard never ends an association and never answers the sender (RFC 6347 section 4.1.2.7,
        /// RFC 9147 section 4.5.2): anybody can send such bytes. It moves one counter of [`Stats`].
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[non_exhaustive]
        pub enum Discard {
            $( $(#[$doc])* $reason, )*
        }

        impl Discard {
            /// Every reason, in the order of the table.
            pub const ALL: &'static [Self] = &[ $( Self::$reason ),* ];

            /// The reason in a few words.
            pub const fn text(self) -> &'static str {
                match self { $( Self::$reason => $text, )* }
            }
        }
    };
}

discards! {
    /// The datagram ends inside a header or before the length that a header gives.
    Truncated, "truncated record";
    /// The first byte starts neither a classic nor a unified header (RFC 9147 section 4.1).
    UnknownRecordType, "unknown record type";
    /// A connection id, though none was given to the peer: where it ends is unknown.
    UnexpectedConnectionId, "unexpected connection id";
    /// A later record of the datagram has another connection id (RFC 9147 section 4).
    OtherConnectionId, "other connection id in one datagram";
    /// No connection id, though the peer must write one (RFC 9146 section 3).
    MissingConnectionId, "missing connection id";
    /// The outer content type or header is not admitted in the record's epoch.
    UnexpectedContentType, "unexpected content type";
    /// No keys for the record's epoch: never there, or retired.
    UnknownEpoch, "unknown epoch";
    /// An epoch that is newer than all whose keys are installed. Such records are not kept.
    FutureEpoch, "future epoch";
    /// Shorter than nonce and tag, or than the 16 bytes that the record number's mask samples.
    TooShort, "record too short";
    /// A plaintext record of more than 2^14 bytes.
    TooLong, "plaintext record too long";
    /// A sequence number that was opened before.
    Replayed, "replayed record";
    /// A sequence number left of the replay window: too old to tell.
    TooOld, "record older than the replay window";
    /// The record does not authenticate: damaged or forged.
    AuthenticationFailed, "authentication failed";

    /// Bytes that are no handshake header, or a fragment that reaches beyond its message.
    MalformedFragment, "malformed handshake fragment";
    /// A fragment with another type or total length than earlier ones of its message.
    ContradictingFragment, "contradicting handshake fragment";
    /// A fragment of a message above the limits: length, pieces or memory.
    FragmentBeyondLimit, "handshake fragment beyond a limit";
    /// A message_seq too far ahead, or behind what is remembered.
    MessageOutsideWindow, "handshake message outside the window";
    /// A copy of a message, or of a part, that was already there.
    DuplicateMessage, "duplicate handshake message";
    /// A plaintext handshake message where only protected ones mean anything.
    PlaintextAfterKeys, "plaintext after keys";
    /// A ChangeCipherSpec at any time but the one when it is awaited.
    UnexpectedChangeCipherSpec, "unexpected ChangeCipherSpec";
    /// A plaintext alert that is no longer, or not yet, believed.
    StaleAlert, "stale plaintext alert";
    /// Bytes that are no alert, in plaintext.
    MalformedAlert, "malformed plaintext alert";
    /// An ACK in plaintext, or one that is not awaited.
    UnexpectedAck, "unexpected ACK";
    /// Application data before the handshake is done.
    EarlyApplicationData, "application data before the handshake is done";
    /// A record numbered after the peer's close_notify, or one for a closed association.
    AfterClose, "after close";
    /// Something else than a hello with a good cookie from a peer whose address is not proven.
    NotBeforeCookie, "not before a cookie";
    /// A hello whose cookie was good, but has begun as many handshakes as it may: it is replayed.
    BadCookie, "bad cookie";
    /// A hello that cannot be read, from a peer whose address is not proven.
    MalformedHello, "malformed hello";
    /// A limit on half-open associations, or on parts of hellos or other handshake messages, is reached.
    NoRoom, "no room";
    /// From another address than the association's.
    ForeignAddress, "foreign address";
}

impl fmt::Display for Discard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl core::error::Error for Discard {}

/// How often each [`Discard`] happened. Counters stop at `u32::MAX`.
///
/// ```
/// use drystone_record::{Discard, Stats};
///
/// let mut stats = Stats::default();
/// stats.count(Discard::Replayed);
/// assert_eq!(stats.get(Discard::Replayed), 1);
/// assert_eq!(stats.total(), 1);
/// ```
#[derive(Clone)]
pub struct Stats {
    counters: [u32; Discard::ALL.len()],
}

impl Stats {
    /// Counts one discard.
    pub fn count(&mut self, reason: Discard) {
        if let Some(counter) = self.counters.get_mut(reason as usize) {
            *counter = counter.saturating_add(1);
        }
    }

    /// How often this reason was counted.
    pub fn get(&self, reason: Discard) -> u32 {
        self.counters.get(reason as usize).copied().unwrap_or(0)
    }

    /// All reasons with their counters, in the order of [`Discard::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Discard, u32)> + '_ {
        Discard::ALL.iter().copied().zip(self.counters.iter().copied())
    }

    /// The sum of all counters.
    pub fn total(&self) -> u64 {
        self.counters.iter().fold(0, |sum, &counter| sum.saturating_add(u64::from(counter)))
    }
}

impl Default for Stats {
    fn default() -> Self {
        Self { counters: [0; Discard::ALL.len()] }
    }
}

impl fmt::Debug for Stats {
    /// Prints the counters that moved.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().filter(|&(_, counter)| counter > 0)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn every_reason_has_its_own_counter() {
        let mut stats = Stats::default();
        for (times, &reason) in Discard::ALL.iter().enumerate() {
            for _ in 0..=times {
                stats.count(reason);
            }
        }
        for (times, (reason, counter)) in stats.iter().enumerate() {
            assert_eq!(counter as usize, times + 1);
            assert_eq!(stats.get(reason), counter);
        }
    }

    #[test]
    fn counters_saturate() {
        let mut stats = Stats::default();
        stats.counters[Discard::TooShort as usize] = u32::MAX;
        stats.count(Discard::TooShort);
        assert_eq!(stats.get(Discard::TooShort), u32::MAX);
        assert_eq!(format!("{stats:?}"), "{TooShort: 4294967295}");
    }
}
