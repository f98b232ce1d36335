//! X25519MLKEM768 (draft-ietf-tls-ecdhe-mlkem): ring's X25519 beside ML-KEM-768, which holds as long as either does.
//! Knows how shares and secrets are put together, and nothing of what is inside them.

use alloc::boxed::Box;
use alloc::vec::Vec;

use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::X25519;
use crate::crypto::mlkem::{
    CIPHERTEXT_LENGTH, DecapsulationKey, ENCAPSULATION_KEY_LENGTH, EncapsulationKey, SECRET_LENGTH,
    SEED_LENGTH,
};
use crate::crypto::{
    KeyExchangeError, KeyExchangeGroup, PendingKeyExchange, SharedSecret, StartedKeyExchange, stack,
};
use crate::message::registry::{NamedGroup, ProtocolVersion};

/// X25519 with ML-KEM-768, safe against quantum computers; feature `pq`. A client's share is 1216 bytes, a server's
/// 1120. Only for DTLS 1.3.
pub static X25519MLKEM768: &dyn KeyExchangeGroup = &Hybrid;

const X25519_LENGTH: usize = 32;

#[derive(Debug)]
struct Hybrid;

impl KeyExchangeGroup for Hybrid {
    fn name(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }

    fn share_length(&self) -> usize {
        ENCAPSULATION_KEY_LENGTH + X25519_LENGTH
    }

    fn min_version(&self) -> ProtocolVersion {
        ProtocolVersion::DTLS_1_3
    }

    /// The draft's section 4.1.
    fn start(&self) -> Result<StartedKeyExchange, KeyExchangeError> {
        stack::wiping::<{ stack::KEM }, _>(|| {
            let (mlkem, encapsulation_key) = DecapsulationKey::from_seed(&*random::<SEED_LENGTH>()?);
            let (x25519, x25519_share) = X25519.start()?;
            let share = [encapsulation_key.as_slice(), &x25519_share].concat();
            Ok((Box::new(Pending { mlkem, x25519 }) as Box<dyn PendingKeyExchange>, share))
        })
    }

    /// The draft's section 4.2. What is cheap to refuse is refused first.
    fn respond(&self, peer_share: &[u8]) -> Result<(Vec<u8>, SharedSecret), KeyExchangeError> {
        let (encapsulation_key, peer_x25519) = split::<ENCAPSULATION_KEY_LENGTH>(peer_share)?;
        let encapsulation_key =
            EncapsulationKey::check(encapsulation_key).ok_or(KeyExchangeError::InvalidShare)?;
        stack::wiping::<{ stack::KEM }, _>(|| {
            let (x25519_share, x25519_secret) = X25519.respond(peer_x25519)?;
            let (ciphertext, mlkem_secret) = encapsulation_key.encapsulate(&*random::<SECRET_LENGTH>()?);
            let share = [ciphertext.as_slice(), &x25519_share].concat();
            Ok((share, join(&mlkem_secret, &x25519_secret)))
        })
    }
}

struct Pending {
    mlkem: DecapsulationKey,
    x25519: Box<dyn PendingKeyExchange>,
}

impl PendingKeyExchange for Pending {
    fn finish(self: Box<Self>, peer_share: &[u8]) -> Result<SharedSecret, KeyExchangeError> {
        let (ciphertext, peer_x25519) = split::<CIPHERTEXT_LENGTH>(peer_share)?;
        stack::wiping::<{ stack::KEM }, _>(|| {
            let Self { mlkem, x25519 } = *self;
            let x25519_secret = x25519.finish(peer_x25519)?;
            Ok(join(&mlkem.decapsulate(ciphertext), &x25519_secret))
        })
    }
}

/// A share's two parts: ML-KEM's comes first, for historical reasons (the draft's section 4.1).
fn split<const MLKEM_LENGTH: usize>(
    share: &[u8],
) -> Result<(&[u8; MLKEM_LENGTH], &[u8; X25519_LENGTH]), KeyExchangeError> {
    let (mlkem, x25519) = share.split_first_chunk().ok_or(KeyExchangeError::InvalidShare)?;
    Ok((mlkem, x25519.try_into().map_err(|_| KeyExchangeError::InvalidShare)?))
}

/// The draft's section 4.3: the same order as in the shares.
fn join(mlkem: &[u8; SECRET_LENGTH], x25519: &SharedSecret) -> SharedSecret {
    SharedSecret::from_parts(&[mlkem, x25519.expose()])
}

fn random<const LENGTH: usize>() -> Result<Zeroizing<[u8; LENGTH]>, KeyExchangeError> {
    let mut bytes = Zeroizing::new([0; LENGTH]);
    SystemRandom::new().fill(bytes.as_mut_slice()).map_err(|_| KeyExchangeError::RandomFailure)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
