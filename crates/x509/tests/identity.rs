//! A leaf that is byte for byte a configured certificate.

mod chain;

use chain::{anchors, at, certificate, common_name, now, self_signed};
use drystone_x509::{
    CertificateDer, CertificateError as E, Expected, How, KeyKind, Policy, ServerName, UnixTime, Usage,
    Verified, Which,
};
use rcgen::{
    BasicConstraints, CustomExtension, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, date_time_ymd,
};

#[test]
fn a_configured_leaf_is_trusted() {
    let leaf = self_signed(&["a.example"], |_| {});
    let verified = judge(&leaf, "a.example").unwrap();
    assert_eq!(verified.how(), How::ExactCertificate);
    assert_eq!(verified.anchor_subject(), Some("CN=leaf"));
    assert_eq!(verified.public_key().kind(), KeyKind::EcP256);
}

#[test]
fn a_configured_authority_is_trusted_as_a_leaf() {
    let leaf = self_signed(&["a.example"], |p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    assert_eq!(judge(&leaf, "a.example").unwrap().how(), How::ExactCertificate);
}

#[test]
fn a_configured_leaf_of_another_issuer_is_trusted_without_it() {
    let leaf = chain::Authority::root("absent").leaf(&["a.example"]);
    assert_eq!(judge(&leaf, "a.example").unwrap().how(), How::ExactCertificate);
}

#[test]
fn what_follows_a_configured_leaf_does_not_matter() {
    let leaf = self_signed(&["a.example"], |_| {});
    let name = ServerName::try_from("a.example").unwrap();
    let presented = [leaf.clone(), b"garbage".as_slice().into()];
    let policy = Policy::new(anchors(&[&leaf]));
    policy.verify(&presented, Expected::Server(&name), now()).unwrap();
}

#[test]
fn version_1_and_openssl_self_signed_are_trusted_by_common_name_if_allowed() {
    let name = ServerName::try_from("godot.example").unwrap();
    for file in ["v1-self-signed.pem", "v3-ca-common-name.pem"] {
        let leaf = certificate(file);
        let strict = Policy::new(anchors(&[&leaf]));
        let lenient = strict.clone().allow_common_name(true);
        let for_configured = strict.clone().allow_common_name_of_configured(true);
        let judge = |policy: &Policy, expected| {
            policy.verify(std::slice::from_ref(&leaf), expected, now()).map(|verified| verified.how())
        };
        assert_eq!(judge(&lenient, Expected::Server(&name)), Ok(How::ExactCertificate), "{file}");
        assert_eq!(judge(&for_configured, Expected::Server(&name)), Ok(How::ExactCertificate), "{file}");
        assert_eq!(judge(&strict, Expected::ServerUnnamed), Ok(How::ExactCertificate), "{file}");
        assert_eq!(judge(&strict, Expected::Client), Ok(How::ExactCertificate), "{file}");
        let refused = judge(&strict, Expected::Server(&name));
        assert!(matches!(refused, Err(E::NameMismatch { .. })), "{file}: {refused:?}");
        let other = ServerName::try_from("other.example").unwrap();
        let refused = judge(&lenient, Expected::Server(&other));
        assert!(matches!(refused, Err(E::NameMismatch { .. })), "{file}: {refused:?}");
    }
}

#[test]
fn one_changed_byte_is_not_the_same_certificate() {
    let leaf = self_signed(&["a.example"], |_| {});
    let policy = Policy::new(anchors(&[&leaf]));
    let name = ServerName::try_from("a.example").unwrap();
    for place in 0..leaf.len() {
        let mut changed = leaf.to_vec();
        changed[place] ^= 1;
        let verdict = policy.verify(&[changed.into()], Expected::Server(&name), now());
        assert!(verdict.is_err(), "byte {place}");
    }
}

#[test]
fn the_name_still_counts() {
    let leaf = self_signed(&["a.example"], |_| {});
    assert!(matches!(judge(&leaf, "b.example"), Err(E::NameMismatch { .. })));
}

#[test]
fn both_ends_of_the_validity_belong_to_it() {
    let leaf = self_signed(&["a.example"], |p| {
        p.not_before = date_time_ymd(2030, 1, 1);
        p.not_after = date_time_ymd(2030, 1, 2);
    });
    let (first, last) = (chain::NOW, chain::NOW + 86_400);
    assert!(judge_at(&leaf, "a.example", at(first)).is_ok());
    assert!(judge_at(&leaf, "a.example", at(last)).is_ok());
    let (not_before, not_after) = (at(first), at(last));
    let early = judge_at(&leaf, "a.example", at(first - 1)).unwrap_err();
    assert_eq!(early, E::NotYetValid { which: which(), not_before, time: at(first - 1) });
    let late = judge_at(&leaf, "b.example", at(last + 1)).unwrap_err();
    assert_eq!(late, E::Expired { which: which(), not_after, time: at(last + 1) });
}

#[test]
fn a_present_extended_key_usage_counts() {
    let client = self_signed(&["a.example"], |p| {
        p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    let error = judge(&client, "a.example").unwrap_err();
    assert_eq!(error, E::WrongUsage { which: which(), usage: Usage::ServerAuth });
    Policy::new(anchors(&[&client])).verify(std::slice::from_ref(&client), Expected::Client, now()).unwrap();
}

#[test]
fn a_present_key_usage_needs_digital_signature() {
    let with = |usages: Vec<KeyUsagePurpose>| self_signed(&["a.example"], |p| p.key_usages = usages);
    judge(&with(vec![KeyUsagePurpose::DigitalSignature]), "a.example").unwrap();
    let error = judge(&with(vec![KeyUsagePurpose::KeyCertSign]), "a.example").unwrap_err();
    assert_eq!(error, E::WrongUsage { which: which(), usage: Usage::DigitalSignature });
}

#[test]
fn a_malformed_key_usage_is_not_an_absent_one() {
    let leaf = self_signed(&["a.example"], |p| {
        p.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 15], vec![0x04, 0])];
    });
    assert_eq!(judge(&leaf, "a.example").unwrap_err(), E::Malformed { which: which() });
}

#[test]
fn key_size_and_kind_still_count() {
    let small = certificate("rsa1024-self-signed.pem");
    assert!(matches!(judge(&small, "small.example"), Err(E::KeyTooSmall { bits: 1024, .. })));
    for file in ["p521-leaf.pem", "explicit-curve-leaf.pem"] {
        let verdict = judge(&certificate(file), "leaf.example");
        assert!(matches!(verdict, Err(E::UnsupportedAlgorithm { .. })), "{file}: {verdict:?}");
    }
}

/// Whatever is expected of it: nobody here knows what the extension restricts.
#[test]
fn an_unknown_critical_extension_refuses_a_configured_leaf_too() {
    let leaf = self_signed(&["a.example"], |p| {
        let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
        extension.set_criticality(true);
        p.custom_extensions = vec![extension];
    });
    let policy = Policy::new(anchors(&[&leaf]));
    let name = ServerName::try_from("a.example").unwrap();
    for expected in [Expected::Server(&name), Expected::ServerUnnamed, Expected::Client] {
        let error = policy.verify(std::slice::from_ref(&leaf), expected, now()).unwrap_err();
        let extension = "1.2.3.4".to_owned();
        assert_eq!(error, E::UnsupportedCriticalExtension { which: which(), extension }, "{expected:?}");
    }
}

/// The signature of a configured certificate is never looked at.
#[test]
fn how_a_configured_certificate_is_signed_does_not_matter() {
    judge(&certificate("sha1-leaf.pem"), "leaf.example").unwrap();
}

#[test]
fn a_stranger_cannot_put_lines_into_messages() {
    let leaf = self_signed(&["a.example"], |p| {
        p.distinguished_name = common_name("a\nroot: trusted\u{1b}[2J");
        p.not_after = date_time_ymd(2021, 1, 1);
    });
    let message = judge(&leaf, "a.example").unwrap_err().to_string();
    assert!(!message.chars().any(char::is_control), "{message:?}");
    assert!(message.contains("root: trusted"), "{message:?}");
}

fn judge(leaf: &CertificateDer<'static>, name: &str) -> Result<Verified, E> {
    judge_at(leaf, name, now())
}

fn judge_at(leaf: &CertificateDer<'static>, name: &str, time: UnixTime) -> Result<Verified, E> {
    let name = ServerName::try_from(name).unwrap();
    let policy = Policy::new(anchors(&[leaf]));
    policy.verify(std::slice::from_ref(leaf), Expected::Server(&name), time)
}

fn which() -> Which {
    Which::Presented { index: 0, subject: Some("CN=leaf".to_owned()) }
}
