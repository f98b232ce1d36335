//! Hooks for the curious: handshake messages as they pass, and the key log.

use alloc::sync::Arc;
use core::fmt::Debug;

use crate::crypto::KeyLogLabel;
use crate::message::AnyServerHello;
use crate::message::registry::{AlertDescription, HandshakeType};
use crate::trace;

/// Sees what passes on the wire outside of application data. For logs and tools; it cannot change anything.
pub trait Observer: Send + Sync + Debug {
    /// Called once for every item, in the order of processing: for incoming ones when they are processed, for
    /// outgoing ones when they are first queued (repeats are not shown).
    fn observe(&self, direction: Direction, item: Observed<'_>);
}

/// Tells everybody who wants to know.
pub(crate) fn tell(observer: Option<&Arc<dyn Observer>>, direction: Direction, item: Observed<'_>) {
    trace::item(direction, &item);
    if let Some(observer) = observer {
        observer.observe(direction, item);
    }
}

/// Who sent an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The peer.
    Received,
    /// This side.
    Sent,
}

/// An item that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Observed<'a> {
    /// A whole handshake message.
    Handshake {
        /// Its type.
        msg_type: HandshakeType,
        /// Its message_seq.
        message_seq: u16,
        /// Its body without the 12-byte header.
        body: &'a [u8],
    },
    /// A ChangeCipherSpec that took effect (DTLS 1.2).
    ChangeCipherSpec,
    /// An alert, authenticated or not.
    Alert {
        /// 1 is warning, 2 is fatal.
        level: u8,
        /// Its code.
        description: AlertDescription,
        /// The epoch it came in or leaves in.
        epoch: u64,
    },
    /// An ACK (DTLS 1.3, RFC 9147 section 7).
    Ack {
        /// The epoch it came in or leaves in.
        epoch: u64,
        /// The numbers of the acknowledged records, as they stand in the record.
        body: &'a [u8],
    },
}

impl Observed<'_> {
    /// Whether this is a HelloRetryRequest, which has the type of a ServerHello (RFC 9846 section 4.2.3) and means something
    /// else to a reader.
    pub fn is_hello_retry_request(&self) -> bool {
        matches!(self, Self::Handshake { msg_type: HandshakeType::SERVER_HELLO, body, .. }
            if matches!(AnyServerHello::decode(body), Ok(AnyServerHello::Retry(_))))
    }
}

/// Receives secrets for tools that decrypt captures (RFC 9850). Whoever has them can read the association.
#[doc(alias = "SSLKEYLOGFILE")]
pub trait KeyLog: Send + Sync + Debug {
    /// One line of a key log file is `label` (as it displays itself), the client's random and the secret, the latter two
    /// in hexadecimal.
    fn log(&self, label: KeyLogLabel, client_random: &[u8; 32], secret: &[u8]);
}
