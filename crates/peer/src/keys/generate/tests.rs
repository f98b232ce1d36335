//! What `Crypto` makes, with our own policy as the judge.

use std::collections::BTreeSet;
use std::time::Duration;

use drystone_handshake::Credential;
use drystone_x509::{CertificateError, Expected, How, KeyKind, Policy, ServerName, UnixTime};

use super::super::error::CryptoError;
use super::super::test_support::vector;
use super::*;

const ALGORITHMS: [KeyAlgorithm; 3] = [KeyAlgorithm::EcP256, KeyAlgorithm::EcP384, KeyAlgorithm::Ed25519];

fn now() -> UnixTime {
    Clock::new().start().unix.unwrap()
}

fn verify(
    certificate: &X509Certificate,
    name: &str,
    time: UnixTime,
) -> Result<drystone_x509::Verified, CertificateError> {
    let policy = Policy::new(certificate.trust_anchors().unwrap());
    let name = ServerName::try_from(name.to_owned()).unwrap();
    policy.verify(certificate.certificates(), Expected::Server(&name), time)
}

fn named(names: &[&str]) -> SelfSigned {
    SelfSigned {
        subject_alt_names: names.iter().map(|name| (*name).to_owned()).collect(),
        ..SelfSigned::default()
    }
}

#[test]
fn keys_are_of_the_kind_asked_for_and_new_each_time() {
    for (algorithm, kind) in ALGORITHMS.into_iter().zip([KeyKind::EcP256, KeyKind::EcP384, KeyKind::Ed25519])
    {
        let keys: BTreeSet<_> = (0..4)
            .map(|_| Crypto::new().generate_key(algorithm).unwrap())
            .inspect(|key| assert_eq!(key.public_key().unwrap().kind(), kind))
            .map(|key| key.public_key().unwrap().spki().to_vec())
            .collect();
        assert_eq!(keys.len(), 4);
    }
    assert_eq!(KeyAlgorithm::default(), KeyAlgorithm::EcP256);
}

/// Generated keys, and loaded ones in every format: rcgen itself would take PKCS#8 alone.
#[test]
fn the_certificate_is_identity_and_anchor_for_its_names_only() {
    let generated = ALGORITHMS.map(|algorithm| Crypto::new().generate_key(algorithm).unwrap());
    let loaded = ["rsa2048.pkcs1", "rsa4096.pkcs8", "p256.sec1", "p384.sec1"].map(|name| {
        let der = vector(&format!("keys/{name}.der"));
        CryptoKey::try_from(PrivateKeyDer::try_from(der).unwrap()).unwrap()
    });
    for key in generated.iter().chain(&loaded) {
        let wanted = named(&["localhost", "*.example.org", "127.0.0.1", "::1"]);
        let certificate = Crypto::new().generate_self_signed_certificate(key, &wanted).unwrap();
        Credential::new(certificate.certificates().to_vec(), key.private_key().unwrap()).unwrap();
        for name in ["localhost", "game.example.org", "127.0.0.1", "::1"] {
            let verified =
                verify(&certificate, name, now()).unwrap_or_else(|error| panic!("{key:?}: {error}"));
            assert_eq!(verified.how(), How::ExactCertificate);
            assert_eq!(verified.public_key(), key.public_key().unwrap());
            assert_eq!(verified.anchor_subject(), Some("CN=myserver, O=myorganisation, C=IT"));
        }
        for name in ["myserver", "example.org", "a.b.example.org", "127.0.0.2", "::2"] {
            let error = verify(&certificate, name, now()).unwrap_err();
            assert!(matches!(error, CertificateError::NameMismatch { .. }), "{name}: {error}");
        }
        let policy = Policy::new(certificate.trust_anchors().unwrap());
        assert!(policy.verify(certificate.certificates(), Expected::Client, now()).is_ok());
    }
}

/// A leaf issued with the key and name of a self-signed certificate.
fn issued_by(key: &CryptoKey, issuer_name: &str) -> drystone_x509::CertificateDer<'static> {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = name::Subject::parse(issuer_name).unwrap().distinguished_name;
    let issuer_key = rcgen::KeyPair::try_from(key.private_key().unwrap()).unwrap();
    let issuer = rcgen::Issuer::new(params, issuer_key);
    let leaf_key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(["leaf.example".to_owned()]).unwrap();
    leaf.signed_by(&leaf_key, &issuer).unwrap().der().clone()
}

#[test]
fn an_authority_issues_leaves_and_another_certificate_does_not() {
    let key = Crypto::new().generate_key(KeyAlgorithm::EcP256).unwrap();
    for is_authority in [true, false] {
        let wanted = SelfSigned { is_authority, ..named(&["localhost"]) };
        let made = Crypto::new().generate_self_signed_certificate(&key, &wanted).unwrap();
        assert_eq!(verify(&made, "localhost", now()).unwrap().how(), How::ExactCertificate);
        let policy = Policy::new(made.trust_anchors().unwrap());
        let name = ServerName::try_from("leaf.example").unwrap();
        let leaf = issued_by(&key, &wanted.issuer_name);
        let verdict = policy.verify(&[leaf], Expected::Server(&name), now()).map(|verified| verified.how());
        assert_eq!(verdict.ok(), is_authority.then_some(How::Path { intermediates: 0 }));
    }
}

#[test]
fn without_alternative_names_the_common_name_is_one_if_it_can_be() {
    let key = Crypto::new().generate_key(KeyAlgorithm::EcP256).unwrap();
    let made = |issuer_name: &str| {
        let wanted = SelfSigned { issuer_name: issuer_name.to_owned(), ..SelfSigned::default() };
        Crypto::new().generate_self_signed_certificate(&key, &wanted).unwrap()
    };
    assert!(verify(&made("CN=game.example.org"), "game.example.org", now()).is_ok());
    assert!(verify(&made("O=Example,CN=192.0.2.7"), "192.0.2.7", now()).is_ok());
    for without in ["CN=My Server", "O=Example"] {
        let error = verify(&made(without), "game.example.org", now()).unwrap_err();
        let CertificateError::NameMismatch { presented, .. } = error else { panic!("{error}") };
        assert_eq!(presented, [""; 0]);
    }
}

#[test]
fn the_dates_are_those_asked_for() {
    let key = Crypto::new().generate_key(KeyAlgorithm::EcP256).unwrap();
    let wanted = SelfSigned {
        not_before: Some("20140101000000".to_owned()),
        // Behind 2049, where the form of a date in a certificate changes.
        not_after: Some("20510607080910".to_owned()),
        ..named(&["localhost"])
    };
    let certificate = Crypto::new().generate_self_signed_certificate(&key, &wanted).unwrap();
    let at =
        |seconds| verify(&certificate, "localhost", UnixTime::since_unix_epoch(Duration::from_secs(seconds)));
    let (first, last) = (1_388_534_400, 2_569_738_150);
    assert!(matches!(at(first - 1), Err(CertificateError::NotYetValid { .. })));
    assert!(at(first).is_ok() && at(last).is_ok());
    assert!(matches!(at(last + 1), Err(CertificateError::Expired { .. })));
}

#[test]
fn a_request_that_cannot_be_met_is_refused() {
    let crypto = Crypto::new();
    let key = crypto.generate_key(KeyAlgorithm::EcP256).unwrap();
    let error = crypto.generate_self_signed_certificate(&key, &named(&["a b"])).unwrap_err();
    assert_eq!(error.to_string(), "\"a b\" is neither a DNS name nor an IP address");
    let wanted = SelfSigned { issuer_name: "myserver".to_owned(), ..SelfSigned::default() };
    let error = crypto.generate_self_signed_certificate(&key, &wanted).unwrap_err();
    assert_eq!(error.to_string(), "the name \"myserver\" cannot be used: \"myserver\" is not NAME=VALUE");

    let error = crypto.generate_self_signed_certificate(&CryptoKey::new(), &named(&[])).unwrap_err();
    assert!(matches!(error, GenerateError::Key(CryptoError::Empty)));
    assert_eq!(
        (error.godot_code(), error.to_string().as_str()),
        (3, "the key cannot sign: nothing has been loaded")
    );
    let mut public = CryptoKey::new();
    public.load_from_string(&key.save_to_string(true).unwrap(), true).unwrap();
    let error = crypto.generate_self_signed_certificate(&public, &named(&[])).unwrap_err();
    assert!(matches!(error, GenerateError::Key(CryptoError::PublicOnly)));
    assert_eq!(error.godot_code(), 1);
    // The operating system does not fail at will.
    let error = failed("no entropy");
    assert_eq!((error.godot_code(), error.to_string().as_str()), (1, "failed: no entropy"));
}

#[test]
fn random_bytes_are_as_many_as_asked_for() {
    let crypto = Crypto::new();
    assert_eq!(crypto.generate_random_bytes(0).unwrap(), [0; 0]);
    let (one, other) = (crypto.generate_random_bytes(32).unwrap(), crypto.generate_random_bytes(32).unwrap());
    assert_eq!((one.len(), other.len()), (32, 32));
    assert_ne!(one, other);
}
