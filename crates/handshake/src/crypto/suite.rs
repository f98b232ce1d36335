//! Cipher suites as records of data: choosing a suite chooses everything. Knows no state and no message.

use drystone_record::{Aead, Limits, Mask};

use crate::crypto::{Hash, Hmac};
use crate::message::registry::{CipherSuiteId, ProtocolVersion};

/// A cipher suite of one version, with all that it stands for.
///
/// ```
/// use drystone_handshake::crypto::{Authentication, ring};
/// use drystone_handshake::message::registry::CipherSuiteId;
///
/// let provider = ring::provider();
/// let suite = provider.cipher_suite(CipherSuiteId::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384).unwrap();
/// assert_eq!(suite.authentication, Authentication::Rsa);
/// assert_eq!(suite.aead.key_length(), 32);
/// assert_eq!(suite.hash.output_length(), 48);
/// ```
#[derive(Debug)]
pub struct CipherSuite {
    /// The code point.
    pub id: CipherSuiteId,
    /// The version that the suite belongs to: no suite serves both.
    pub version: ProtocolVersion,
    /// The keys with which a server may authenticate.
    pub authentication: Authentication,
    /// What protects records.
    pub aead: &'static dyn Aead,
    /// What hides record numbers. Not used in DTLS 1.2.
    pub mask: &'static dyn Mask,
    /// The hash of the transcript.
    pub hash: &'static dyn Hash,
    /// The function under the PRF (1.2) or HKDF (1.3), with the same hash.
    pub hmac: &'static dyn Hmac,
    /// Whether each record carries 8 bytes of its nonce: GCM in DTLS 1.2 (RFC 5288 section 3).
    pub explicit_nonce: bool,
    /// How much one key may protect, and how many forgeries it survives.
    pub limits: Limits,
}

impl CipherSuite {
    /// Bytes of the fixed IV that the DTLS 1.2 key block holds for each side: the salt of GCM (RFC 5288 section 3),
    /// or the whole nonce (RFC 7905 section 2).
    pub fn fixed_iv_length(&self) -> usize {
        if self.explicit_nonce { 4 } else { 12 }
    }
}

/// The kind of key that a suite authenticates with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// ECDSA and Ed25519 keys (RFC 8422 section 5.10).
    Ecdsa,
    /// RSA keys, with either padding.
    Rsa,
    /// Every kind: DTLS 1.3 negotiates it apart from the suite.
    Any,
}
