//! Names of suites, groups, versions and SRTP profiles: IANA's, which the library displays, and OpenSSL's as aliases, in any
//! case. What is known comes from the library, so that nothing is offered here which it does not have.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use drystone::{CipherSuiteId, NamedGroup, ProtocolVersion, SrtpProfile, crypto};

/// What OpenSSL calls things: `ciphers`, `-groups`, `-use_srtp`. Its names for the suites of 1.3 are IANA's.
const ALIASES: &[(&str, &str)] = &[
    ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"),
    ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"),
    ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"),
    ("secp256r1", "P-256"),
    ("secp256r1", "prime256v1"),
    ("secp384r1", "P-384"),
    ("SRTP_AES128_CM_HMAC_SHA1_80", "SRTP_AES128_CM_SHA1_80"),
    ("SRTP_AES128_CM_HMAC_SHA1_80", "AES128_CM_HMAC_SHA1_80"),
    ("SRTP_AES128_CM_HMAC_SHA1_32", "SRTP_AES128_CM_SHA1_32"),
    ("SRTP_AES128_CM_HMAC_SHA1_32", "AES128_CM_HMAC_SHA1_32"),
    ("SRTP_AEAD_AES_128_GCM", "AEAD_AES_128_GCM"),
    ("SRTP_AEAD_AES_256_GCM", "AEAD_AES_256_GCM"),
];

/// The versions that the library speaks.
const VERSIONS: [(&str, ProtocolVersion); 2] =
    [("1.2", ProtocolVersion::DTLS_1_2), ("1.3", ProtocolVersion::DTLS_1_3)];

pub(crate) fn versions() -> impl TypedValueParser<Value = ProtocolVersion> {
    parser(VERSIONS.into())
}

pub(crate) fn cipher_suites() -> impl TypedValueParser<Value = CipherSuiteId> {
    let suites = crypto::ring::provider().cipher_suites;
    parser(suites.iter().filter_map(|suite| Some((suite.id.name()?, suite.id))).collect())
}

pub(crate) fn groups() -> impl TypedValueParser<Value = NamedGroup> {
    let groups = crypto::ring::provider().groups;
    parser(groups.iter().filter_map(|group| Some((group.name().name()?, group.name()))).collect())
}

pub(crate) fn srtp_profiles() -> impl TypedValueParser<Value = SrtpProfile> {
    parser(SrtpProfile::KNOWN.iter().filter_map(|profile| Some((profile.name()?, *profile))).collect())
}

/// Takes each of these names and its aliases. The names also stand in the help, in the message about a wrong one and in
/// the completions; the aliases do not.
fn parser<T>(known: Vec<(&'static str, T)>) -> impl TypedValueParser<Value = T>
where
    T: Copy + Send + Sync + 'static,
{
    let values = known.iter().map(|(name, _)| PossibleValue::new(*name).aliases(aliases(name)));
    PossibleValuesParser::new(values.collect::<Vec<_>>())
        .try_map(move |text| find(&known, &text).ok_or("this name is not known"))
}

fn find<T: Copy>(known: &[(&'static str, T)], text: &str) -> Option<T> {
    let is = |name: &str| name.eq_ignore_ascii_case(text);
    known.iter().find(|(name, _)| is(name) || aliases(name).any(is)).map(|(_, value)| *value)
}

fn aliases(name: &str) -> impl Iterator<Item = &'static str> {
    ALIASES.iter().filter(move |(iana, _)| *iana == name).map(|(_, alias)| *alias)
}

#[cfg(test)]
mod tests {
    use std::fmt::{Debug, Display};

    use clap::Command;

    use super::*;

    /// What an argument with this parser takes this text for.
    fn parse<T>(parser: impl TypedValueParser<Value = T>, text: &str) -> Result<T, String>
    where
        T: Clone + Send + Sync + Debug + 'static,
    {
        let argument = clap::Arg::new("name").ignore_case(true).value_parser(parser);
        let matches = Command::new("test").arg(argument).try_get_matches_from(["test", text]);
        matches.map(|mut matches| matches.remove_one("name").unwrap()).map_err(|error| error.to_string())
    }

    fn is<T>(parser: impl TypedValueParser<Value = T>, text: &str, value: T)
    where
        T: Clone + Send + Sync + Debug + Display + PartialEq + 'static,
    {
        assert_eq!(parse(parser, text), Ok(value), "{text}");
    }

    #[test]
    fn names_are_known_in_any_case() {
        let suite = CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
        is(cipher_suites(), "tls_ecdhe_ecdsa_with_aes_128_gcm_sha256", suite);
        is(cipher_suites(), "ecdhe-ECDSA-AES128-GCM-SHA256", suite);
        is(cipher_suites(), "tls_aes_128_gcm_sha256", CipherSuiteId::TLS_AES_128_GCM_SHA256);
        is(groups(), "X25519", NamedGroup::X25519);
        is(groups(), "SECP256r1", NamedGroup::SECP256R1);
        is(groups(), "p-256", NamedGroup::SECP256R1);
        is(groups(), "prime256v1", NamedGroup::SECP256R1);
        is(groups(), "P-384", NamedGroup::SECP384R1);
        is(srtp_profiles(), "SRTP_AES128_CM_SHA1_80", SrtpProfile::AES128_CM_HMAC_SHA1_80);
        is(srtp_profiles(), "aead_aes_256_gcm", SrtpProfile::AEAD_AES_256_GCM);
        is(versions(), "1.2", ProtocolVersion::DTLS_1_2);
        is(versions(), "1.3", ProtocolVersion::DTLS_1_3);
        assert_eq!(parse(groups(), "x25519mlkem768").is_ok(), cfg!(feature = "pq"));
    }

    /// An alias of a name that is misspelt here would be of no use.
    #[test]
    fn every_alias_leads_to_a_name() {
        for (name, alias) in ALIASES {
            let known = parse(cipher_suites(), alias).map(|suite| suite.to_string());
            let known = known.or_else(|_| parse(groups(), alias).map(|group| group.to_string()));
            let known = known.or_else(|_| parse(srtp_profiles(), alias).map(|profile| profile.to_string()));
            assert_eq!(known.as_deref(), Ok(*name), "{alias}");
        }
    }

    #[test]
    fn a_mistake_lists_what_is_known() {
        let message = parse(cipher_suites(), "AES128-GCM").unwrap_err();
        assert!(message.contains("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"), "{message}");
        let message = parse(groups(), "curve25519").unwrap_err();
        assert!(message.contains("x25519") && message.contains("secp384r1"), "{message}");
        assert!(parse(versions(), "1.1").unwrap_err().contains("1.2, 1.3"));
    }
}
