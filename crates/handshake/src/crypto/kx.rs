//! Key exchange, shaped like a key encapsulation so that ML-KEM hybrids fit. Knows no message.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::crypto::SharedSecret;
use crate::message::registry::{NamedGroup, ProtocolVersion};

/// A group for the key exchange.
///
/// With Diffie-Hellman, [`start`](Self::start) and [`respond`](Self::respond) do the same on both sides. With a KEM
/// the side that starts sends an encapsulation key, the other side responds with a ciphertext. DTLS 1.2 uses the
/// same methods: the server starts, and finishes with the client's share.
///
/// ```
/// use drystone_handshake::crypto::ring;
///
/// # fn main() -> Result<(), drystone_handshake::crypto::KeyExchangeError> {
/// let (pending, client_share) = ring::X25519.start()?;
/// let (server_share, server_secret) = ring::X25519.respond(&client_share)?;
/// let client_secret = pending.finish(&server_share)?;
/// assert_eq!(client_secret.expose(), server_secret.expose());
/// # Ok(())
/// # }
/// ```
pub trait KeyExchangeGroup: Send + Sync + fmt::Debug {
    /// The code point under which the group is offered.
    fn name(&self) -> NamedGroup;

    /// Bytes of the share that [`start`](Self::start) gives: a client picks the share of its first hello by them. What
    /// [`respond`](Self::respond) gives may be of another length.
    fn share_length(&self) -> usize;

    /// The lowest version in which the group may be used. Every version, if an implementation does not say otherwise;
    /// a hybrid rests on the key schedule of DTLS 1.3 (draft-ietf-tls-ecdhe-mlkem section 6).
    fn min_version(&self) -> ProtocolVersion {
        ProtocolVersion::DTLS_1_2
    }

    /// Generates a key pair. Gives what is needed to finish, and the share to send.
    ///
    /// # Errors
    ///
    /// [`KeyExchangeError::RandomFailure`].
    fn start(&self) -> Result<StartedKeyExchange, KeyExchangeError>;

    /// Answers the peer's share. Gives the share to send, and the shared secret.
    ///
    /// # Errors
    ///
    /// [`KeyExchangeError::InvalidShare`] if the peer's share has the wrong length, is not a point of the curve or no
    /// reduced encapsulation key (FIPS 203 section 7.2), or leads to the all-zero secret (RFC 7748 section 6.1);
    /// [`KeyExchangeError::RandomFailure`].
    fn respond(&self, peer_share: &[u8]) -> Result<(Vec<u8>, SharedSecret), KeyExchangeError>;
}

/// What [`KeyExchangeGroup::start`] gives: the part that finishes, and the share to send.
pub type StartedKeyExchange = (Box<dyn PendingKeyExchange>, Vec<u8>);

/// A key exchange that waits for the peer's share.
pub trait PendingKeyExchange: Send + Sync {
    /// Takes the peer's share.
    ///
    /// # Errors
    ///
    /// [`KeyExchangeError::InvalidShare`], as for [`KeyExchangeGroup::respond`].
    fn finish(self: Box<Self>, peer_share: &[u8]) -> Result<SharedSecret, KeyExchangeError>;
}

/// Says nothing of what is pending: it is a secret.
impl fmt::Debug for dyn PendingKeyExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingKeyExchange").finish_non_exhaustive()
    }
}

/// Why a key exchange failed. Closed: a share is wrong, or there was nothing to make one from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyExchangeError {
    /// The peer's share is not acceptable: illegal_parameter (RFC 9846 section 4.3.8.2, RFC 8422 section 5.11).
    #[error("the peer's key share is not a valid public key of its group")]
    InvalidShare,
    /// No random numbers could be had.
    #[error("the source of random numbers failed")]
    RandomFailure,
}
