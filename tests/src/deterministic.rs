//! Runs that follow from a seed, byte for byte: cryptography, random numbers and certificates without chance. Owns the
//! sources of what would otherwise be random; knows no scenario.
//!
//! What draws random numbers in a handshake of DTLS is: the hellos and the cookie secret ([`SeededRandom`]), the key
//! shares ([`SeededX25519`]) and ECDSA signatures (Ed25519 signs without any: RFC 8032 section 5.1.6). The AEADs of
//! ring are functions of their input.

use std::sync::{Mutex, PoisonError};

use drystone_handshake::crypto::{
    CryptoProvider, KeyExchangeError, KeyExchangeGroup, PendingKeyExchange, SharedSecret, StartedKeyExchange,
    ring,
};
use drystone_handshake::{Error, NamedGroup, ProtocolVersion, SecureRandom, Settings};
use drystone_x509::PrivateKeyDer;
use rcgen::{KeyPair, PKCS_ED25519};
use rustls_pki_types::PrivatePkcs8KeyDer;
use x25519_dalek::{PublicKey, StaticSecret};

use crate::identity::{Identity, only};
use crate::random::SplitMix64;

/// Settings for DTLS 1.2 whose every random number follows from `seed`. Give each end a seed of its own: two ends with the same
/// seed would have the same key shares.
///
/// The identity must sign without random numbers too: [`identity`].
pub fn settings(seed: u64) -> Settings {
    let mut seeds = SplitMix64::new(seed);
    let provider = provider(seeds.next_u64());
    only(ProtocolVersion::DTLS_1_2, Settings::new(provider, SeededRandom::new(seeds.next_u64())))
}

/// ring's provider with X25519 from a seed as its only group.
///
/// A provider holds its groups as `&'static`, so this one is leaked: a few bytes per provider of a test process. The
/// other way, a group without state that reads a generator of the thread, would tie two ends on one thread to each
/// other: what one draws would change the other.
pub fn provider(seed: u64) -> CryptoProvider {
    CryptoProvider { groups: vec![Box::leak(Box::new(SeededX25519::new(seed)))], ..ring::provider() }
}

/// A leaf under a root with Ed25519 keys that follow from `seed`. The dates are rcgen's, 1975 to 4096, and the serial
/// numbers hashes of the keys: the same seed gives the same bytes.
pub fn identity(seed: u64) -> Identity {
    let mut seeds = SplitMix64::new(seed);
    let root_key = ed25519_key(&mut seeds);
    Identity::signed_by(&ed25519_key(&mut seeds), root_key)
}

/// An Ed25519 key in PKCS#8 around 32 bytes from the generator (RFC 8410 section 7).
fn ed25519_key(random: &mut SplitMix64) -> KeyPair {
    const HEADER: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    let mut der = HEADER.to_vec();
    der.resize(HEADER.len() + 32, 0);
    random.fill(&mut der[HEADER.len()..]);
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der));
    KeyPair::from_der_and_sign_algo(&der, &PKCS_ED25519).expect("every 32 bytes are an Ed25519 key")
}

/// A source of bytes that follow from a seed.
#[derive(Debug)]
pub struct SeededRandom(Mutex<SplitMix64>);

impl SeededRandom {
    /// The source for this seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(SplitMix64::new(seed)))
    }
}

impl SecureRandom for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill(bytes);
        Ok(())
    }
}

/// X25519 whose key pairs follow from a seed, in the order in which they are made.
#[derive(Debug)]
pub struct SeededX25519(Mutex<SplitMix64>);

impl SeededX25519 {
    /// The group for this seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(SplitMix64::new(seed)))
    }

    fn generate(&self) -> (Pending, Vec<u8>) {
        let mut scalar = [0; 32];
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill(&mut scalar);
        let secret = StaticSecret::from(scalar);
        let share = PublicKey::from(&secret).as_bytes().to_vec();
        (Pending(secret), share)
    }
}

impl KeyExchangeGroup for SeededX25519 {
    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }

    fn share_length(&self) -> usize {
        32
    }

    fn start(&self) -> Result<StartedKeyExchange, KeyExchangeError> {
        let (pending, share) = self.generate();
        Ok((Box::new(pending), share))
    }

    fn respond(&self, peer_share: &[u8]) -> Result<(Vec<u8>, SharedSecret), KeyExchangeError> {
        let (pending, share) = self.generate();
        Ok((share, pending.agree(peer_share)?))
    }
}

struct Pending(StaticSecret);

impl Pending {
    fn agree(&self, peer_share: &[u8]) -> Result<SharedSecret, KeyExchangeError> {
        let peer_share: [u8; 32] = peer_share.try_into().map_err(|_| KeyExchangeError::InvalidShare)?;
        let shared = self.0.diffie_hellman(&PublicKey::from(peer_share));
        // RFC 7748 section 6.1: the all-zero output is refused.
        if !shared.was_contributory() {
            return Err(KeyExchangeError::InvalidShare);
        }
        Ok(SharedSecret::from_slice(shared.as_bytes()))
    }
}

impl PendingKeyExchange for Pending {
    fn finish(self: Box<Self>, peer_share: &[u8]) -> Result<SharedSecret, KeyExchangeError> {
        self.agree(peer_share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seeded group and ring's must be the same group.
    #[test]
    fn agrees_with_the_x25519_of_ring() {
        let seeded = SeededX25519::new(1);
        let (pending, share) = seeded.start().unwrap();
        let (answer, secret) = ring::X25519.respond(&share).unwrap();
        assert_eq!(pending.finish(&answer).unwrap().expose(), secret.expose());
        let (pending, share) = ring::X25519.start().unwrap();
        let (answer, secret) = seeded.respond(&share).unwrap();
        assert_eq!(pending.finish(&answer).unwrap().expose(), secret.expose());
    }

    #[test]
    fn bad_shares_are_refused() {
        let group = SeededX25519::new(1);
        for share in [&[][..], &[9; 31], &[9; 33], &[0; 32]] {
            assert_eq!(group.respond(share).err(), Some(KeyExchangeError::InvalidShare), "{share:?}");
            let (pending, _) = group.start().unwrap();
            assert_eq!(pending.finish(share).err(), Some(KeyExchangeError::InvalidShare), "{share:?}");
        }
    }

    #[test]
    fn certificates_follow_from_the_seed() {
        let (one, same, other) = (identity(1), identity(1), identity(2));
        assert_eq!((&one.chain, &one.root), (&same.chain, &same.root));
        assert_eq!(one.key.secret_der(), same.key.secret_der());
        assert_ne!(one.chain, other.chain);
        assert_ne!(one.root, other.root);
    }
}
