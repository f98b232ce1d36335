//! The floors: the cryptography that records and handshakes cannot do without, as ring (and libcrux) offer it, with prepared keys and
//! nothing around it. Of drystone it knows the versions' names.

use core::ops::Range;

use drystone::ProtocolVersion;
use libcrux_ml_kem::mlkem768;
use ring::aead::quic::{AES_128, HeaderProtectionKey};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{self, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{self, ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

/// AES-128-GCM with a prepared key and nonces of 12 bytes, as one version's records need it.
pub struct BareAead {
    key: LessSafeKey,
    shape: Shape,
}

/// What stands around the text.
enum Shape {
    /// 13 bytes of additional data.
    Classic,
    /// The 5 bytes of a unified header as additional data, a byte of content type in the text, and one mask.
    Unified(Box<HeaderProtectionKey>),
}

/// The length of a tag in bytes.
pub const TAG_LENGTH: usize = 16;

impl BareAead {
    /// Expands the keys that a version's records need.
    ///
    /// # Panics
    /// Never: the keys have the right length.
    pub fn new(version: ProtocolVersion) -> Self {
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[1; 16]).expect("a key of 16 bytes"));
        let mask = || HeaderProtectionKey::new(&AES_128, &[2; 16]).expect("a key of 16 bytes");
        let shape = match version {
            ProtocolVersion::DTLS_1_3 => Shape::Unified(Box::new(mask())),
            _ => Shape::Classic,
        };
        Self { key, shape }
    }

    /// What follows a payload: tag, and what is encrypted with it.
    pub fn suffix(&self) -> usize {
        TAG_LENGTH + self.inner()
    }

    fn inner(&self) -> usize {
        match self.shape {
            Shape::Classic => 0,
            Shape::Unified(_) => 1,
        }
    }

    /// Encrypts a part of `buffer` in place and writes the tag behind it.
    ///
    /// # Panics
    /// If there is no room for the suffix.
    pub fn seal(&self, number: u64, buffer: &mut [u8], payload: Range<usize>) {
        let (text, rest) = buffer[payload.start..].split_at_mut(payload.len() + self.inner());
        let (nonce, data) = (nonce(number), data(number));
        let data = Aad::from(self.data(&data));
        let tag = self.key.seal_in_place_separate_tag(nonce, data, text).expect("ring seals");
        rest[..TAG_LENGTH].copy_from_slice(tag.as_ref());
        self.mask(text);
    }

    /// Decrypts in place what [`seal`](Self::seal) has made; the length of the plaintext.
    ///
    /// # Panics
    /// If the tag is wrong.
    pub fn open(&self, number: u64, buffer: &mut [u8], payload: Range<usize>) -> usize {
        let sealed = &mut buffer[payload.start..payload.end + self.suffix()];
        self.mask(sealed);
        let data = data(number);
        let data = Aad::from(self.data(&data));
        self.key.open_in_place(nonce(number), data, sealed).expect("ring opens").len() - self.inner()
    }

    fn data<'a>(&self, data: &'a [u8; 13]) -> &'a [u8] {
        match self.shape {
            Shape::Classic => data,
            Shape::Unified(_) => &data[..5],
        }
    }

    /// The mask of a record number (RFC 9147 section 4.2.3), of the first 16 bytes of what is encrypted.
    fn mask(&self, text: &[u8]) {
        if let Shape::Unified(mask) = &self.shape {
            std::hint::black_box(mask.new_mask(&text[..16]).expect("a sample of 16 bytes"));
        }
    }
}

impl core::fmt::Debug for BareAead {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("BareAead").finish_non_exhaustive()
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
    /// X25519MLKEM768, which only DTLS 1.3 has.
    X25519MlKem768,
}

impl Group {
    /// Those of both versions.
    pub const SMALL: [Self; 2] = [Self::X25519, Self::P256];

    fn algorithm(self) -> &'static agreement::Algorithm {
        match self {
            Self::X25519 | Self::X25519MlKem768 => &agreement::X25519,
            Self::P256 => &agreement::ECDH_P256,
        }
    }
}

/// The public-key operations of one handshake, both ends: two key generations, two agreements, one P-256 signature with
/// a loaded key, and two verifications (the server's signature, and that of its certificate). With ML-KEM also a key
/// generation, the check of the key, an encapsulation and a decapsulation.
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
        if self.group == Group::X25519MlKem768 {
            self.encapsulate();
        }
        let signature = self.key.sign(&self.random, b"message").expect("random numbers");
        let public = signature::UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, self.key.public_key());
        for _ in 0..2 {
            public.verify(b"message", signature.as_ref()).expect("a good signature");
        }
    }
}

impl BareHandshake {
    fn encapsulate(&self) {
        let mut seed = [0; 64 + 32];
        self.random.fill(&mut seed).expect("random numbers");
        let (of_keys, of_secret) = seed.split_first_chunk().expect("96 bytes");
        let keys = mlkem768::generate_key_pair(*of_keys);
        assert!(mlkem768::validate_public_key(keys.public_key()));
        let of_secret = of_secret.try_into().expect("32 bytes");
        let (ciphertext, secret) = mlkem768::encapsulate(keys.public_key(), of_secret);
        assert_eq!(mlkem768::decapsulate(keys.private_key(), &ciphertext), secret);
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
