//! The cipher suites as data, with ring behind them.

use drystone_record::Limits;
use drystone_record::ring::{
    AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305, MASK_AES_128, MASK_AES_256, MASK_CHACHA20,
};

use super::{HMAC_SHA_256, HMAC_SHA_384, SHA_256, SHA_384};
use crate::crypto::{Authentication, CipherSuite};
use crate::message::registry::{CipherSuiteId, ProtocolVersion};

/// Every suite, in order of preference: DTLS 1.3 before 1.2, AES-128 first, because ring is fastest with it and no
/// attack makes AES-256 the better choice; ECDSA before RSA, because the handshake is cheaper.
pub static CIPHER_SUITES: &[&CipherSuite] = &[
    &AES_128_GCM_SHA256,
    &AES_256_GCM_SHA384,
    &CHACHA20_POLY1305_SHA256,
    &ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    &ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    &ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    &ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    &ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    &ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

// DTLS 1.3 (RFC 9846 appendix B.4).

static AES_128_GCM_SHA256: CipherSuite = CipherSuite {
    id: CipherSuiteId::TLS_AES_128_GCM_SHA256,
    version: ProtocolVersion::DTLS_1_3,
    authentication: Authentication::Any,
    aead: AES_128_GCM,
    mask: MASK_AES_128,
    hash: SHA_256,
    hmac: HMAC_SHA_256,
    explicit_nonce: false,
    limits: Limits::AES_GCM_13,
};

static AES_256_GCM_SHA384: CipherSuite = CipherSuite {
    id: CipherSuiteId::TLS_AES_256_GCM_SHA384,
    version: ProtocolVersion::DTLS_1_3,
    authentication: Authentication::Any,
    aead: AES_256_GCM,
    mask: MASK_AES_256,
    hash: SHA_384,
    hmac: HMAC_SHA_384,
    explicit_nonce: false,
    limits: Limits::AES_GCM_13,
};

static CHACHA20_POLY1305_SHA256: CipherSuite = CipherSuite {
    id: CipherSuiteId::TLS_CHACHA20_POLY1305_SHA256,
    version: ProtocolVersion::DTLS_1_3,
    authentication: Authentication::Any,
    aead: CHACHA20_POLY1305,
    mask: MASK_CHACHA20,
    hash: SHA_256,
    hmac: HMAC_SHA_256,
    explicit_nonce: false,
    limits: Limits::CHACHA20_POLY1305,
};

// DTLS 1.2 (RFC 5289 section 3.2, RFC 7905 section 2). With RSA only the authentication differs.

static ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: CipherSuite = CipherSuite {
    id: CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    version: ProtocolVersion::DTLS_1_2,
    authentication: Authentication::Ecdsa,
    aead: AES_128_GCM,
    mask: MASK_AES_128,
    hash: SHA_256,
    hmac: HMAC_SHA_256,
    explicit_nonce: true,
    limits: Limits::AES_GCM_12,
};

static ECDHE_RSA_WITH_AES_128_GCM_SHA256: CipherSuite = CipherSuite {
    id: CipherSuiteId::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    authentication: Authentication::Rsa,
    ..ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
};

static ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: CipherSuite = CipherSuite {
    id: CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    version: ProtocolVersion::DTLS_1_2,
    authentication: Authentication::Ecdsa,
    aead: AES_256_GCM,
    mask: MASK_AES_256,
    hash: SHA_384,
    hmac: HMAC_SHA_384,
    explicit_nonce: true,
    limits: Limits::AES_GCM_12,
};

static ECDHE_RSA_WITH_AES_256_GCM_SHA384: CipherSuite = CipherSuite {
    id: CipherSuiteId::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    authentication: Authentication::Rsa,
    ..ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
};

static ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: CipherSuite = CipherSuite {
    id: CipherSuiteId::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    version: ProtocolVersion::DTLS_1_2,
    authentication: Authentication::Ecdsa,
    aead: CHACHA20_POLY1305,
    mask: MASK_CHACHA20,
    hash: SHA_256,
    hmac: HMAC_SHA_256,
    explicit_nonce: false,
    limits: Limits::CHACHA20_POLY1305,
};

static ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: CipherSuite = CipherSuite {
    id: CipherSuiteId::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    authentication: Authentication::Rsa,
    ..ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_suite_is_what_its_name_says() {
        for suite in CIPHER_SUITES {
            let name = suite.id.name().unwrap();
            let (hash, key) = match name {
                _ if name.ends_with("AES_256_GCM_SHA384") => (48, 32),
                _ if name.ends_with("AES_128_GCM_SHA256") => (32, 16),
                _ if name.ends_with("CHACHA20_POLY1305_SHA256") => (32, 32),
                _ => panic!("unexpected suite {name}"),
            };
            assert_eq!((suite.hash.output_length(), suite.hmac.output_length()), (hash, hash), "{name}");
            assert_eq!((suite.aead.key_length(), suite.mask.key_length()), (key, key), "{name}");
            assert_eq!(suite.aead.tag_length(), 16, "{name}");
            // hash and hmac have the same function underneath: HMAC with an empty key and message, from RFC 2104.
            let (inner, outer) = ([0x36_u8; 128], [0x5c_u8; 128]);
            let block = if hash == 48 { 128 } else { 64 };
            let inner = suite.hash.hash(&[&inner[..block]]);
            let expected = suite.hash.hash(&[&outer[..block], inner.as_ref()]);
            assert_eq!(suite.hmac.sign(&[], &[]), expected, "{name}");
            let authentication = match name {
                _ if name.contains("ECDHE_ECDSA") => (Authentication::Ecdsa, ProtocolVersion::DTLS_1_2),
                _ if name.contains("ECDHE_RSA") => (Authentication::Rsa, ProtocolVersion::DTLS_1_2),
                _ => (Authentication::Any, ProtocolVersion::DTLS_1_3),
            };
            assert_eq!((suite.authentication, suite.version), authentication, "{name}");
        }
    }

    #[test]
    fn only_gcm_of_dtls_1_2_has_an_explicit_nonce() {
        for suite in CIPHER_SUITES {
            let gcm12 =
                suite.version == ProtocolVersion::DTLS_1_2 && suite.id.name().unwrap().contains("GCM");
            assert_eq!(suite.explicit_nonce, gcm12, "{}", suite.id);
            assert_eq!(suite.fixed_iv_length(), if gcm12 { 4 } else { 12 }, "{}", suite.id);
        }
    }

    #[test]
    fn every_suite_is_listed_once() {
        let ids: BTreeSet<_> = CIPHER_SUITES.iter().map(|suite| suite.id).collect();
        assert_eq!((ids.len(), CIPHER_SUITES.len()), (9, 9));
    }
}
