//! The floors: the cryptography that records and handshakes cannot do without, as ring offers it, with prepared keys and
//! nothing around it. Knows nothing of drystone.

use core::ops::Range;

use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{self, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{self, ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

/// AES-128-GCM with a prepared key, nonces of 12 bytes and additional data of 13, as in DTLS 1.2.
#[derive(Debug)]
pub struct BareAead(LessSafeKey);

/// The length of a tag in bytes.
pub const TAG_LENGTH: usize = 16;

impl BareAead {
    /// Expands a key.
    ///
    /// # Panics
    /// Never: the key has the right length.
    pub fn new() -> Self {
        Self(LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[1; 16]).expect("a key of 16 bytes")))
    }

    /// Encrypts a part of `buffer` in place and writes the tag behind it.
    ///
    /// # Panics
    /// If there is no room for the tag.
    pub fn seal(&self, number: u64, buffer: &mut [u8], payload: Range<usize>) {
        let (text, rest) = buffer[payload.start..].split_at_mut(payload.len());
        let (nonce, data) = (nonce(number), Aad::from(data(number)));
        let tag = self.0.seal_in_place_separate_tag(nonce, data, text).expect("ring seals");
        rest[..TAG_LENGTH].copy_from_slice(tag.as_ref());
    }

    /// Decrypts in place what [`seal`](Self::seal) has made; the length of the plaintext.
    ///
    /// # Panics
    /// If the tag is wrong.
    pub fn open(&self, number: u64, buffer: &mut [u8], payload: Range<usize>) -> usize {
        let sealed = &mut buffer[payload.start..payload.end + TAG_LENGTH];
        self.0.open_in_place(nonce(number), Aad::from(data(number)), sealed).expect("ring opens").len()
    }
}

impl Default for BareAead {
    fn default() -> Self {
        Self::new()
    }
}

fn nonce(number: u64) -> Nonce {
    let mut bytes = [7; 12];
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

fn data(number: u64) -> [u8; 13] {
    let mut bytes = [23; 13];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// The group of a key exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// X25519.
    X25519,
    /// secp256r1.
    P256,
}

impl Group {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::X25519, Self::P256];

    fn algorithm(self) -> &'static agreement::Algorithm {
        match self {
            Self::X25519 => &agreement::X25519,
            Self::P256 => &agreement::ECDH_P256,
        }
    }
}

/// The public-key operations of one handshake, both ends: two key generations, two agreements, one P-256 signature with
/// a loaded key, and two verifications (the server's signature, and that of its certificate).
#[derive(Debug)]
pub struct BareHandshake {
    group: Group,
    random: SystemRandom,
    key: EcdsaKeyPair,
}

impl BareHandshake {
    /// Makes the key that signs.
    ///
    /// # Panics
    /// If the operating system has no random numbers.
    pub fn new(group: Group) -> Self {
        let random = SystemRandom::new();
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).expect("random numbers");
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random)
            .expect("the key just made");
        Self { group, random, key }
    }

    /// Does them all once.
    ///
    /// # Panics
    /// If the operating system has no random numbers.
    pub fn run(&self) {
        let share = || {
            let private =
                EphemeralPrivateKey::generate(self.group.algorithm(), &self.random).expect("random numbers");
            let public = private.compute_public_key().expect("a share");
            (private, UnparsedPublicKey::new(self.group.algorithm(), public))
        };
        let ((ours, our_share), (theirs, their_share)) = (share(), share());
        agree_ephemeral(ours, &their_share, <[u8]>::len).expect("a good share");
        agree_ephemeral(theirs, &our_share, <[u8]>::len).expect("a good share");
        let signature = self.key.sign(&self.random, b"message").expect("random numbers");
        let public = signature::UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, self.key.public_key());
        for _ in 0..2 {
            public.verify(b"message", signature.as_ref()).expect("a good signature");
        }
    }
}

/// HMAC-SHA256 with a prepared key.
#[derive(Debug)]
pub struct BareHmac(hmac::Key);

impl BareHmac {
    /// Prepares a key.
    pub fn new() -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]))
    }

    /// The HMAC of a message.
    pub fn sign(&self, message: &[u8]) -> hmac::Tag {
        hmac::sign(&self.0, message)
    }
}

impl Default for BareHmac {
    fn default() -> Self {
        Self::new()
    }
}
