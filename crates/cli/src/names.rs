//! Names of suites, groups and versions, as IANA writes them, in any case. What is known comes from the library, so
//! that nothing is offered here which it does not have.

use std::fmt::Display;

use drystone::crypto;
use drystone::message::registry::{CipherSuiteId, NamedGroup, ProtocolVersion};

/// The versions that the library speaks.
const VERSIONS: &[(&str, ProtocolVersion)] =
    &[("1.2", ProtocolVersion::DTLS_1_2), ("1.3", ProtocolVersion::DTLS_1_3)];

pub(crate) fn version(text: &str) -> Result<ProtocolVersion, String> {
    VERSIONS
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, version)| *version)
        .ok_or_else(|| unknown("version", VERSIONS.iter().map(|(name, _)| name)))
}

pub(crate) fn cipher_suite(text: &str) -> Result<CipherSuiteId, String> {
    named(text, "cipher suite", crypto::ring::provider().cipher_suites.iter().map(|suite| suite.id))
}

pub(crate) fn group(text: &str) -> Result<NamedGroup, String> {
    named(text, "group", crypto::ring::provider().groups.iter().map(|group| group.name()))
}

fn named<T: Copy + Display>(
    text: &str,
    what: &str,
    known: impl Iterator<Item = T> + Clone,
) -> Result<T, String> {
    known
        .clone()
        .find(|candidate| candidate.to_string().eq_ignore_ascii_case(text))
        .ok_or_else(|| unknown(what, known))
}

fn unknown<T: Display>(what: &str, known: impl Iterator<Item = T>) -> String {
    let known: Vec<_> = known.map(|name| name.to_string()).collect();
    format!("unknown {what}; known are {}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_any_case() {
        assert_eq!(
            cipher_suite("tls_ecdhe_ecdsa_with_aes_128_gcm_sha256"),
            Ok(CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256)
        );
        assert_eq!(cipher_suite("tls_aes_128_gcm_sha256"), Ok(CipherSuiteId::TLS_AES_128_GCM_SHA256));
        assert_eq!(group("X25519"), Ok(NamedGroup::X25519));
        assert_eq!(group("x25519mlkem768").ok(), cfg!(feature = "pq").then_some(NamedGroup::X25519MLKEM768));
        assert_eq!(group("SECP256r1"), Ok(NamedGroup::SECP256R1));
        assert_eq!(version("1.2"), Ok(ProtocolVersion::DTLS_1_2));
        assert_eq!(version("1.3"), Ok(ProtocolVersion::DTLS_1_3));
    }

    #[test]
    fn a_mistake_lists_what_is_known() {
        let message = cipher_suite("AES128-GCM").unwrap_err();
        assert!(message.contains("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"), "{message}");
        let message = group("curve25519").unwrap_err();
        assert!(message.contains("x25519") && message.contains("secp384r1"), "{message}");
        assert_eq!(version("1.1").unwrap_err(), "unknown version; known are 1.2, 1.3");
    }
}
