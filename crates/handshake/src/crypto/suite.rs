//! Cipher suites as records of data: choosing a suite chooses everything. Knows no state and no message.

use drystone_record::{Aead, Limits, Mask};

use crate::crypto::{Hash, Hmac};
use crate::message::registry::{CipherSuiteId, ProtocolVersion, SignatureScheme};

/// A cipher suite of one version, with all that it stands for.
///
/// ```
/// use drystone_handshake::crypto::{Authentication, ring};
/// use drystone_handshake::CipherSuiteId;
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

/// The kind of key that a suite authenticates with. Closed: handshakes without certificates are not offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// ECDSA and Ed25519 keys (RFC 8422 section 5.10).
    Ecdsa,
    /// RSA keys, with either padding.
    Rsa,
    /// Every kind: DTLS 1.3 negotiates it apart from the suite.
    Any,
}

impl Authentication {
    /// Whether a server may sign in this scheme for the suite.
    pub fn admits(self, scheme: SignatureScheme) -> bool {
        match self {
            Self::Ecdsa => matches!(
                scheme,
                SignatureScheme::ECDSA_SECP256R1_SHA256
                    | SignatureScheme::ECDSA_SECP384R1_SHA384
                    | SignatureScheme::ECDSA_SECP521R1_SHA512
                    | SignatureScheme::ED25519
            ),
            Self::Rsa => matches!(
                scheme,
                SignatureScheme::RSA_PSS_RSAE_SHA256
                    | SignatureScheme::RSA_PSS_RSAE_SHA384
                    | SignatureScheme::RSA_PSS_RSAE_SHA512
                    | SignatureScheme::RSA_PKCS1_SHA256
                    | SignatureScheme::RSA_PKCS1_SHA384
                    | SignatureScheme::RSA_PKCS1_SHA512
            ),
            Self::Any => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheme_belongs_to_one_kind_of_key() {
        for scheme in SignatureScheme::KNOWN {
            let rsa = scheme.name().unwrap().starts_with("rsa");
            assert_eq!(Authentication::Rsa.admits(*scheme), rsa, "{scheme}");
            assert_eq!(Authentication::Ecdsa.admits(*scheme), !rsa, "{scheme}");
            assert!(Authentication::Any.admits(*scheme));
        }
        // An unknown scheme belongs to neither.
        let unknown = SignatureScheme(0xfe01);
        assert!(!Authentication::Rsa.admits(unknown) && !Authentication::Ecdsa.admits(unknown));
    }
}
