//! Cryptography that costs nothing and protects nothing, for fuzzing: what is mutated on the wire gets past the record
//! protection, the signatures and the key exchange, to the code behind them. Owns the null algorithms; knows no
//! scenario. The hashes are ring's: nothing is gained by bending the transcript.

use std::sync::{Arc, LazyLock};
use std::task::Poll;

use drystone_handshake::crypto::{
    Authentication, CipherSuite, CryptoProvider, KeyError, KeyExchangeError, KeyExchangeGroup,
    PendingKeyExchange, SharedSecret, SignatureVerifier, SigningError, SigningKey, StartedKeyExchange, ring,
};
use drystone_handshake::{
    CipherSuiteId, ClientAuth, ClientConfig, Credential, Credentials, DangerouslyAcceptAnyCertificate,
    NamedGroup, ProtocolVersion, ServerConfig, Settings, SignatureScheme,
};
use drystone_record::{
    Aead, AeadFailure, AeadKey, InvalidKey, Limits, Mask, MaskKey, NONCE_LENGTH, SAMPLE_LENGTH,
};
use rustls_pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer, alg_id,
};

use crate::deterministic::{self, SeededRandom};
use crate::identity::only;

/// What a null AEAD notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// Nothing: any record with the tag [`OPEN_TAG`] opens.
    Open,
    /// Every change: the tag is a fingerprint of the key, the nonce, the additional data and the text.
    Checked,
}

/// The tag of every record under [`Integrity::Open`].
pub const OPEN_TAG: [u8; TAG_LENGTH] = *b"null AEAD's tag.";

/// The signature of every null key.
pub const SIGNATURE: [u8; 64] = [0x5a; 64];

const KEY_LENGTH: usize = 16;
const TAG_LENGTH: usize = 16;

/// Settings over the null algorithms for DTLS 1.2, with random numbers that follow from `seed`.
pub fn settings(integrity: Integrity, seed: u64) -> Settings {
    only(ProtocolVersion::DTLS_1_2, Settings::new(provider(integrity), SeededRandom::new(seed)))
}

/// A client and a server over the null algorithms, of this version alone, who both present [`credential`] and trust
/// everybody.
pub fn configs(version: ProtocolVersion, integrity: Integrity) -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let credentials = || Credentials::new(vec![credential()]);
    let settings = |seed| only(version, settings(integrity, seed));
    let client = ClientConfig::new(settings(1), DangerouslyAcceptAnyCertificate);
    let server = ServerConfig::new(settings(2), credentials());
    let client_auth = ClientAuth::Require(Arc::new(DangerouslyAcceptAnyCertificate));
    let client = client.expect("settings that work").with_credentials(credentials());
    let server = server.expect("settings that work").with_client_auth(client_auth);
    (Arc::new(client), Arc::new(server))
}

/// The null algorithms under the names of real ones: one suite of each version, X25519, Ed25519.
pub fn provider(integrity: Integrity) -> CryptoProvider {
    let cipher_suites = match integrity {
        Integrity::Open => vec![&OPEN_13, &OPEN_12],
        Integrity::Checked => vec![&CHECKED_13, &CHECKED_12],
    };
    let verifier = SignatureVerifier {
        scheme: SignatureScheme::ED25519,
        algorithms: &[&NullVerification],
        algorithms_fixed_curve: &[&NullVerification],
    };
    CryptoProvider {
        cipher_suites,
        groups: vec![&SMALL_GROUP],
        signature_verifiers: vec![verifier],
        load_private_key: |_, _| Err(KeyError::UnsupportedAlgorithm),
    }
}

/// A group with shares so large that a hello does not fit one datagram. No provider has it until it is added.
pub static LARGE_GROUP: &dyn KeyExchangeGroup =
    &NullGroup { name: NamedGroup::X25519MLKEM768, share: &[0x24; 1216] };

/// A real Ed25519 certificate, made once, whose key signs with [`SIGNATURE`].
pub fn credential() -> Arc<Credential> {
    static CREDENTIAL: LazyLock<Arc<Credential>> = LazyLock::new(|| {
        let chain = deterministic::identity(1).chain;
        Arc::new(Credential::with_signer(chain, Arc::new(NullKey)).expect("a leaf that can be read"))
    });
    CREDENTIAL.clone()
}

// The suites. DTLS 1.2 has the explicit nonce of AES-GCM.

static OPEN_12: CipherSuite = suite_12(&NullAead(Integrity::Open));
static OPEN_13: CipherSuite = suite_13(&NullAead(Integrity::Open));
static CHECKED_12: CipherSuite = suite_12(&NullAead(Integrity::Checked));
static CHECKED_13: CipherSuite = suite_13(&NullAead(Integrity::Checked));

const fn suite_12(aead: &'static NullAead) -> CipherSuite {
    CipherSuite {
        id: CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        version: ProtocolVersion::DTLS_1_2,
        authentication: Authentication::Ecdsa,
        aead,
        mask: &NullMask,
        hash: ring::SHA_256,
        hmac: ring::HMAC_SHA_256,
        explicit_nonce: true,
        limits: Limits::AES_GCM_12,
    }
}

const fn suite_13(aead: &'static NullAead) -> CipherSuite {
    CipherSuite {
        id: CipherSuiteId::TLS_AES_128_GCM_SHA256,
        version: ProtocolVersion::DTLS_1_3,
        authentication: Authentication::Any,
        explicit_nonce: false,
        limits: Limits::AES_GCM_13,
        ..suite_12(aead)
    }
}

#[derive(Debug)]
struct NullAead(Integrity);

impl Aead for NullAead {
    fn key_length(&self) -> usize {
        KEY_LENGTH
    }

    fn tag_length(&self) -> usize {
        TAG_LENGTH
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, InvalidKey> {
        let key = key.try_into().map_err(|_| InvalidKey)?;
        Ok(Box::new(NullAeadKey { key, integrity: self.0 }))
    }
}

struct NullAeadKey {
    key: [u8; KEY_LENGTH],
    integrity: Integrity,
}

impl NullAeadKey {
    fn tag(&self, nonce: &[u8; NONCE_LENGTH], additional_data: &[u8], text: &[u8]) -> [u8; TAG_LENGTH] {
        if self.integrity == Integrity::Open {
            return OPEN_TAG;
        }
        let lengths = [additional_data.len() as u64, text.len() as u64].map(u64::to_le_bytes);
        let parts = [&self.key[..], nonce, &lengths[0], &lengths[1], additional_data, text];
        let print = fingerprint(parts).to_le_bytes();
        let mut tag = OPEN_TAG;
        tag[..print.len()].copy_from_slice(&print);
        tag
    }
}

/// FNV-1a, 64 bits: no attacker is kept out, but no mutation hits it by chance.
fn fingerprint<const N: usize>(parts: [&[u8]; N]) -> u64 {
    let add = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    parts.into_iter().flatten().fold(0xcbf2_9ce4_8422_2325, add)
}

impl AeadKey for NullAeadKey {
    fn seal(
        &self,
        nonce: &[u8; NONCE_LENGTH],
        additional_data: &[u8],
        in_out: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), AeadFailure> {
        let made = self.tag(nonce, additional_data, in_out);
        if tag.len() != made.len() {
            return Err(AeadFailure);
        }
        tag.copy_from_slice(&made);
        Ok(())
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LENGTH],
        additional_data: &[u8],
        in_out: &mut [u8],
        tag: &[u8],
    ) -> Result<(), AeadFailure> {
        if tag == self.tag(nonce, additional_data, in_out) { Ok(()) } else { Err(AeadFailure) }
    }
}

/// Record numbers of DTLS 1.3 in the clear.
#[derive(Debug)]
struct NullMask;

impl Mask for NullMask {
    fn key_length(&self) -> usize {
        KEY_LENGTH
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn MaskKey>, InvalidKey> {
        if key.len() == KEY_LENGTH { Ok(Box::new(Self)) } else { Err(InvalidKey) }
    }
}

impl MaskKey for NullMask {
    fn mask(&self, _: &[u8; SAMPLE_LENGTH]) -> [u8; 2] {
        [0; 2]
    }
}

/// A group in which every share is the same, and every share of the right length is a good one: the secret is the sum
/// (XOR) of both shares, so that ends agree exactly if both saw the same two.
#[derive(Clone, Copy, Debug)]
struct NullGroup {
    name: NamedGroup,
    share: &'static [u8],
}

static SMALL_GROUP: NullGroup = NullGroup { name: NamedGroup::X25519, share: &[0x42; 32] };

impl KeyExchangeGroup for NullGroup {
    fn name(&self) -> NamedGroup {
        self.name
    }

    fn share_length(&self) -> usize {
        self.share.len()
    }

    fn min_version(&self) -> ProtocolVersion {
        // The shares of DTLS 1.2 have at most 255 bytes (RFC 8422 section 5.4).
        if self.share.len() > 255 { ProtocolVersion::DTLS_1_3 } else { ProtocolVersion::DTLS_1_2 }
    }

    fn start(&self) -> Result<StartedKeyExchange, KeyExchangeError> {
        Ok((Box::new(*self), self.share.to_vec()))
    }

    fn respond(&self, peer_share: &[u8]) -> Result<(Vec<u8>, SharedSecret), KeyExchangeError> {
        Ok((self.share.to_vec(), Box::new(*self).finish(peer_share)?))
    }
}

impl PendingKeyExchange for NullGroup {
    fn finish(self: Box<Self>, peer_share: &[u8]) -> Result<SharedSecret, KeyExchangeError> {
        if peer_share.len() != self.share.len() {
            return Err(KeyExchangeError::InvalidShare);
        }
        let sum: Vec<_> = self.share.iter().zip(peer_share).map(|(own, peer)| own ^ peer).collect();
        Ok(SharedSecret::from_slice(&sum))
    }
}

#[derive(Debug)]
struct NullKey;

impl SigningKey for NullKey {
    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        None
    }

    fn schemes(&self) -> &[SignatureScheme] {
        &[SignatureScheme::ED25519]
    }

    fn sign(&self, _: SignatureScheme, _: &[u8]) -> Poll<Result<Vec<u8>, SigningError>> {
        Poll::Ready(Ok(SIGNATURE.to_vec()))
    }
}

/// Takes [`SIGNATURE`] for a signature of everything, with every Ed25519 key.
#[derive(Debug)]
struct NullVerification;

impl SignatureVerificationAlgorithm for NullVerification {
    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ED25519
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ED25519
    }

    fn verify_signature(&self, _: &[u8], _: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        if signature == SIGNATURE { Ok(()) } else { Err(InvalidSignature) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: [u8; NONCE_LENGTH] = [7; NONCE_LENGTH];

    fn sealed(integrity: Integrity) -> (Box<dyn AeadKey>, [u8; TAG_LENGTH]) {
        let key = NullAead(integrity).key(&[1; KEY_LENGTH]).unwrap();
        let (mut text, mut tag) = (*b"text", [0; TAG_LENGTH]);
        key.seal(&NONCE, b"data", &mut text, &mut tag).unwrap();
        assert_eq!(text, *b"text");
        assert!(key.open(&NONCE, b"data", &mut text, &tag).is_ok());
        (key, tag)
    }

    #[test]
    fn the_checked_aead_notices_every_part() {
        let (key, tag) = sealed(Integrity::Checked);
        assert!(key.open(&[8; NONCE_LENGTH], b"data", &mut b"text".to_vec(), &tag).is_err());
        assert!(key.open(&NONCE, b"date", &mut b"text".to_vec(), &tag).is_err());
        assert!(key.open(&NONCE, b"data", &mut b"test".to_vec(), &tag).is_err());
        assert!(key.open(&NONCE, b"datat", &mut b"ext".to_vec(), &tag).is_err());
        let other = NullAead(Integrity::Checked).key(&[2; KEY_LENGTH]).unwrap();
        assert!(other.open(&NONCE, b"data", &mut b"text".to_vec(), &tag).is_err());
        for byte in 0..TAG_LENGTH {
            let mut wrong = tag;
            wrong[byte] ^= 1;
            assert!(key.open(&NONCE, b"data", &mut b"text".to_vec(), &wrong).is_err(), "{byte}");
        }
    }

    #[test]
    fn the_open_aead_takes_its_tag_and_no_other() {
        let (key, tag) = sealed(Integrity::Open);
        assert!(key.open(&[8; NONCE_LENGTH], b"date", &mut b"test".to_vec(), &tag).is_ok());
        assert!(key.open(&NONCE, b"data", &mut b"text".to_vec(), &[0; TAG_LENGTH]).is_err());
    }

    #[test]
    fn ends_agree_if_they_saw_the_same_shares() {
        for group in [&SMALL_GROUP, LARGE_GROUP] {
            let (pending, share) = group.start().unwrap();
            assert_eq!(share.len(), group.share_length());
            let (answer, secret) = group.respond(&share).unwrap();
            assert_eq!(pending.finish(&answer).unwrap().expose(), secret.expose());
            let other = vec![1; share.len()];
            assert_ne!(group.respond(&other).unwrap().1.expose(), secret.expose());
            assert!(group.respond(&other[1..]).is_err());
        }
    }
}
