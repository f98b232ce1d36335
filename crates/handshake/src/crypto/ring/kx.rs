//! Key exchange by ring: X25519 and the two NIST curves.

use alloc::boxed::Box;
use alloc::vec::Vec;

use ring::agreement::{self, EphemeralPrivateKey, UnparsedPublicKey};
use ring::rand::{SecureRandom, SystemRandom};

use crate::crypto::{
    KeyExchangeError, KeyExchangeGroup, PendingKeyExchange, SharedSecret, StartedKeyExchange, stack,
};
use crate::message::registry::NamedGroup;

/// X25519 (RFC 7748). A share is 32 bytes.
pub static X25519: &dyn KeyExchangeGroup =
    &RingGroup { name: NamedGroup::X25519, algorithm: &agreement::X25519, share_length: 32 };

/// NIST P-256. A share is an uncompressed point: 65 bytes.
pub static SECP256R1: &dyn KeyExchangeGroup =
    &RingGroup { name: NamedGroup::SECP256R1, algorithm: &agreement::ECDH_P256, share_length: 65 };

/// NIST P-384. A share is an uncompressed point: 97 bytes.
pub static SECP384R1: &dyn KeyExchangeGroup =
    &RingGroup { name: NamedGroup::SECP384R1, algorithm: &agreement::ECDH_P384, share_length: 97 };

#[derive(Debug)]
struct RingGroup {
    name: NamedGroup,
    algorithm: &'static agreement::Algorithm,
    share_length: usize,
}

impl RingGroup {
    fn generate(&self, random: &dyn SecureRandom) -> Result<(RingPending, Vec<u8>), KeyExchangeError> {
        let private_key = EphemeralPrivateKey::generate(self.algorithm, random)
            .map_err(|_| KeyExchangeError::RandomFailure)?;
        let share = private_key.compute_public_key().map_err(|_| KeyExchangeError::RandomFailure)?;
        Ok((RingPending { private_key, share_length: self.share_length }, share.as_ref().to_vec()))
    }
}

impl KeyExchangeGroup for RingGroup {
    fn name(&self) -> NamedGroup {
        self.name
    }

    fn share_length(&self) -> usize {
        self.share_length
    }

    fn start(&self) -> Result<StartedKeyExchange, KeyExchangeError> {
        stack::wiping::<{ stack::PUBLIC_KEY }, _>(|| {
            let (pending, share) = self.generate(&SystemRandom::new())?;
            Ok((Box::new(pending) as Box<dyn PendingKeyExchange>, share))
        })
    }

    fn respond(&self, peer_share: &[u8]) -> Result<(Vec<u8>, SharedSecret), KeyExchangeError> {
        // A share of a wrong length must not cost us a key pair.
        check_length(peer_share, self.share_length)?;
        stack::wiping::<{ stack::PUBLIC_KEY }, _>(|| {
            let (pending, share) = self.generate(&SystemRandom::new())?;
            Ok((share, pending.agree(peer_share)?))
        })
    }
}

struct RingPending {
    private_key: EphemeralPrivateKey,
    share_length: usize,
}

impl RingPending {
    /// ring checks that the share is an uncompressed point of the curve (RFC 8422 section 5.11), and refuses the
    /// all-zero output of X25519 (RFC 7748 section 6.1).
    fn agree(self, peer_share: &[u8]) -> Result<SharedSecret, KeyExchangeError> {
        check_length(peer_share, self.share_length)?;
        let peer = UnparsedPublicKey::new(self.private_key.algorithm(), peer_share);
        agreement::agree_ephemeral(self.private_key, &peer, SharedSecret::from_slice)
            .map_err(|_| KeyExchangeError::InvalidShare)
    }
}

impl PendingKeyExchange for RingPending {
    fn finish(self: Box<Self>, peer_share: &[u8]) -> Result<SharedSecret, KeyExchangeError> {
        stack::wiping::<{ stack::PUBLIC_KEY }, _>(|| self.agree(peer_share))
    }
}

fn check_length(share: &[u8], length: usize) -> Result<(), KeyExchangeError> {
    if share.len() == length { Ok(()) } else { Err(KeyExchangeError::InvalidShare) }
}

#[cfg(test)]
mod tests;
