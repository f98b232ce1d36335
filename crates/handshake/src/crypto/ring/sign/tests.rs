//! Signing keys: every kind, every file format, every scheme, and every reason to refuse a key.

use std::collections::BTreeSet;
use std::format;

use super::*;
use crate::crypto::ring::{SIGNATURE_VERIFIERS, provider};
use proptest::prelude::*;

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../vectors/keys/{name}.der", env!("CARGO_MANIFEST_DIR"))).expect(name)
}

/// The key file of this name; the last part of the name is its format.
fn private_key(name: &str) -> PrivateKeyDer<'static> {
    from_bytes(name, file(name))
}

fn from_bytes(name: &str, bytes: Vec<u8>) -> PrivateKeyDer<'static> {
    match name.rsplit('.').next() {
        Some("pkcs8") => PrivateKeyDer::Pkcs8(bytes.into()),
        Some("sec1") => PrivateKeyDer::Sec1(bytes.into()),
        Some("pkcs1") => PrivateKeyDer::Pkcs1(bytes.into()),
        other => panic!("unknown format {other:?}"),
    }
}

fn refusal(name: &str) -> KeyError {
    signing_key(&private_key(name)).expect_err(name)
}

fn sign(key: &dyn SigningKey, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, SigningError> {
    match key.sign(scheme, message) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("a key in memory answers at once"),
    }
}

/// The subjectPublicKey of an SPKI, for webpki's algorithms: what follows the fixed head that OpenSSL wrote.
fn raw_public_key(spki: &[u8], algorithm: AlgorithmName) -> Vec<u8> {
    match algorithm {
        AlgorithmName::P256 => spki[spki.len() - 65..].to_vec(),
        AlgorithmName::P384 => spki[spki.len() - 97..].to_vec(),
        AlgorithmName::Ed25519 => spki[spki.len() - 32..].to_vec(),
        // SEQUENCE (4), AlgorithmIdentifier (15), BIT STRING (4), no unused bits (1).
        AlgorithmName::Rsa => spki[24..].to_vec(),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum AlgorithmName {
    P256,
    P384,
    Ed25519,
    Rsa,
}

const KEYS: &[(&str, &str, AlgorithmName)] = &[
    ("p256.pkcs8", "p256.spki", AlgorithmName::P256),
    ("p256.sec1", "p256.spki", AlgorithmName::P256),
    ("p384.pkcs8", "p384.spki", AlgorithmName::P384),
    ("p384.sec1", "p384.spki", AlgorithmName::P384),
    ("ed25519.pkcs8", "ed25519.spki", AlgorithmName::Ed25519),
    ("rsa2048.pkcs8", "rsa2048.spki", AlgorithmName::Rsa),
    ("rsa2048.pkcs1", "rsa2048.spki", AlgorithmName::Rsa),
    ("rsa4096.pkcs8", "rsa4096.spki", AlgorithmName::Rsa),
];

#[test]
fn the_public_key_is_the_one_that_openssl_wrote() {
    for (name, spki, _) in KEYS {
        let key = signing_key(&private_key(name)).unwrap();
        assert_eq!(key.public_key().unwrap().as_ref(), file(spki), "{name}");
    }
}

#[test]
fn every_key_signs_in_each_of_its_schemes() {
    let mut schemes_seen = BTreeSet::new();
    for (name, spki, algorithm) in KEYS {
        let key = signing_key(&private_key(name)).unwrap();
        let public_key = raw_public_key(&file(spki), *algorithm);
        for scheme in key.schemes() {
            let signature = sign(&*key, *scheme, b"message").unwrap();
            let verifier = provider().signature_verifier(*scheme).copied().expect("we accept what we sign");
            let verifies = |message: &[u8], signature: &[u8]| {
                let accepts = |algorithm: &&dyn rustls_pki_types::SignatureVerificationAlgorithm| {
                    algorithm.verify_signature(&public_key, message, signature).is_ok()
                };
                verifier.algorithms.iter().filter(|algorithm| accepts(algorithm)).count()
            };
            assert_eq!(verifies(b"message", &signature), 1, "{name} {scheme}");
            assert_eq!(verifies(b"massage", &signature), 0, "{name} {scheme}");
            let mut damaged = signature.clone();
            *damaged.last_mut().unwrap() ^= 1;
            assert_eq!(verifies(b"message", &damaged), 0, "{name} {scheme}");
            schemes_seen.insert(*scheme);
        }
    }
    let accepted: BTreeSet<_> = SIGNATURE_VERIFIERS.iter().map(|verifier| verifier.scheme).collect();
    assert_eq!(schemes_seen, accepted);
}

#[test]
fn a_key_signs_in_no_other_scheme() {
    for (name, _, _) in KEYS {
        let key = signing_key(&private_key(name)).unwrap();
        for scheme in SignatureScheme::KNOWN {
            if !key.schemes().contains(scheme) {
                assert_eq!(
                    sign(&*key, *scheme, b""),
                    Err(SigningError::UnsupportedScheme(*scheme)),
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn rsa_prefers_pss() {
    let key = signing_key(&private_key("rsa2048.pkcs8")).unwrap();
    let names: Vec<_> = key.schemes().iter().map(|scheme| scheme.name().unwrap()).collect();
    assert!(names[..3].iter().all(|name| name.starts_with("rsa_pss")));
    assert!(names[3..].iter().all(|name| name.starts_with("rsa_pkcs1")));
}

#[test]
fn refused_keys_say_why() {
    assert_eq!(refusal("rsa1024.pkcs8"), KeyError::RsaKeySize { bits: 1024 });
    assert_eq!(refusal("rsa5120.pkcs8"), KeyError::RsaKeySize { bits: 5120 });
    assert_eq!(refusal("rsa-pss2048.pkcs8"), KeyError::UnsupportedAlgorithm);
    assert_eq!(refusal("ed448.pkcs8"), KeyError::UnsupportedAlgorithm);
    assert_eq!(refusal("p521.pkcs8"), KeyError::UnsupportedCurve);
    assert_eq!(refusal("p256k1.pkcs8"), KeyError::UnsupportedCurve);
    assert_eq!(refusal("p256-no-public.sec1"), KeyError::PublicKeyMissing);
}

#[test]
fn a_key_in_the_wrong_format_is_malformed() {
    let refuse = |name, bytes| signing_key(&from_bytes(name, bytes)).expect_err(name);
    assert_eq!(refuse("pkcs8", file("p256.sec1")), KeyError::Malformed("PrivateKeyInfo"));
    assert_eq!(refuse("sec1", file("p256.pkcs8")), KeyError::Malformed("ECPrivateKey"));
    assert_eq!(refuse("pkcs1", file("p256.pkcs8")), KeyError::Malformed("RSAPrivateKey"));
    assert_eq!(refuse("pkcs8", file("rsa2048.spki")), KeyError::Malformed("PrivateKeyInfo"));
}

/// Every form in which a file may lack the uncompressed public key, with the certificate's key at hand and without.
#[test]
fn the_public_key_is_taken_from_the_certificate_where_the_file_lacks_it() {
    let spki = |name: &str| PublicKey::from_spki(file(name).as_slice().into()).unwrap();
    for (name, length) in [("p256", 32), ("p384", 48)] {
        let (own, other) =
            (spki(&format!("{name}.spki")), spki(if length == 32 { "p384.spki" } else { "p256.spki" }));
        let whole = file(&format!("{name}.sec1"));
        let header = if length == 32 { 2 } else { 3 };
        let scalar = whole[header + 5..header + 5 + length].to_vec();
        let (x, y) = own.key_bits()[1..].split_at(length);
        let form = 2 + (y[length - 1] & 1);
        let sec1 = |scalar: &[u8], point: Option<&[u8]>| {
            let point = point.map(|point| tlv(0xa1, &[&tlv(3, &[&[0], point])]));
            let oid = whole.windows(2).position(|pair| pair[0] == 0xa0).unwrap();
            let oid = &whole[oid..oid + 2 + usize::from(whole[oid + 1])];
            tlv(0x30, &[&[2, 1, 1], &tlv(4, &[scalar]), oid, &point.unwrap_or_default()])
        };
        let try_with = |der: Vec<u8>, known: &PublicKey| {
            let key = from_bytes("sec1", der);
            assert_eq!(signing_key(&key).map(|_| ()), Err(KeyError::PublicKeyMissing), "{name}");
            load(&key, Some(known)).map(|key| key.public_key().unwrap().as_ref() == known.spki())
        };
        let compressed = |form: u8| [&[form], x].concat();
        assert_eq!(try_with(sec1(&scalar, None), &own), Ok(true));
        assert_eq!(try_with(sec1(&scalar, Some(&compressed(form))), &own), Ok(true));
        // Zeros in front left out (here: none to leave out) or one too many.
        assert_eq!(try_with(sec1(&[&[0], &scalar[..]].concat(), None), &own), Ok(true));
        for (wrong, known) in [
            (sec1(&scalar, None), &other),
            (sec1(&scalar, Some(&compressed(form ^ 1))), &own),
            (sec1(&scalar, Some(&compressed(0))), &own),
            (sec1(&scalar, Some(&[&[form], y].concat())), &own),
            (sec1(&vec![7; length], None), &own),
            (sec1(&vec![0; length], None), &own),
            (sec1(&vec![0xff; length], None), &own),
            (sec1(&vec![7; length + 1], None), &own),
        ] {
            assert_eq!(try_with(wrong, known), Err(KeyError::Mismatch), "{name}");
        }
    }
}

/// A scalar of which a tool has left out the zeros in front.
#[test]
fn short_scalars_get_their_zeros_back() {
    assert_eq!(full_length(&[1, 2], 4)[..], [0, 0, 1, 2]);
    assert_eq!(full_length(&[0, 0, 0, 1, 2], 4)[..], [0, 0, 1, 2]);
    assert_eq!(full_length(&[1, 2, 3, 4, 5], 4)[..], [1, 2, 3, 4, 5], "too long whatever is done");
}

/// PKCS#8 version 2 (RFC 5958) has a place for the public key outside of the ECPrivateKey too.
#[test]
fn the_public_key_may_stand_beside_the_ec_private_key() {
    let own = PublicKey::from_spki(file("p256.spki").as_slice().into()).unwrap();
    let scalar = &file("p256.sec1")[7..39];
    let algorithm = own.spki()[2..23].to_vec();
    let inner = tlv(0x30, &[&[2, 1, 1], &tlv(4, &[scalar])]);
    let outer = tlv(0x81, &[&[0], own.key_bits()]);
    let document = tlv(0x30, &[&[2, 1, 1], &algorithm, &tlv(4, &[&inner]), &tlv(0xa0, &[]), &outer]);
    let key = signing_key(&from_bytes("pkcs8", document)).unwrap();
    assert_eq!(key.public_key().unwrap().as_ref(), own.spki());
}

fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    super::super::key_file::element(tag, parts)
}

/// A file whose public key belongs to another private key would sign what nobody can verify.
#[test]
fn a_public_key_that_does_not_belong_is_refused() {
    let mut bytes = file("p256.sec1");
    bytes[10] ^= 1;
    let error = signing_key(&from_bytes("sec1", bytes)).unwrap_err();
    assert_eq!(error, KeyError::Rejected("InconsistentComponents".into()));
}

/// Without parameters the length of the scalar names the curve.
#[test]
fn sec1_without_parameters() {
    // Where OpenSSL put [0] parameters, and how long they are.
    for (name, at, length) in [("p256.sec1", 39, 12), ("p384.sec1", 56, 9)] {
        let mut bytes = file(name);
        let removed: Vec<u8> = bytes.drain(at..at + length).collect();
        assert_eq!(removed[0], 0xa0);
        let length_at = if bytes[1] == 0x81 { 2 } else { 1 };
        bytes[length_at] -= u8::try_from(length).unwrap();
        let key = signing_key(&from_bytes("sec1", bytes)).unwrap();
        assert_eq!(key.schemes(), signing_key(&private_key(name)).unwrap().schemes());
    }
}

/// PKCS#8 version 2, with the public key in it (RFC 5958).
#[test]
fn ed25519_with_its_public_key() {
    use rcgen::PublicKeyData as _;
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let document = pair.serialize_der();
    assert!(document.len() > file("ed25519.pkcs8").len());
    let key = signing_key(&from_bytes("pkcs8", document.clone())).unwrap();
    assert_eq!(key.public_key().unwrap().as_ref(), pair.subject_public_key_info());
    let mut damaged = document;
    *damaged.last_mut().unwrap() ^= 1;
    assert!(matches!(signing_key(&from_bytes("pkcs8", damaged)), Err(KeyError::Rejected(_))));
}

#[test]
fn debug_output_has_no_key() {
    let key = signing_key(&private_key("p256.pkcs8")).unwrap();
    assert_eq!(format!("{key:?}"), "RingSigningKey { schemes: [ecdsa_secp256r1_sha256], .. }");
}

#[test]
fn only_schemes_that_can_be_verified_are_accepted() {
    let never = ["ecdsa_secp521r1_sha512"];
    for verifier in SIGNATURE_VERIFIERS {
        let name = verifier.scheme.name().unwrap();
        assert!(!never.contains(&name) && !name.contains("sha1"));
        assert!(!verifier.algorithms.is_empty());
        let in_13 = if name.starts_with("rsa_pkcs1") { 0 } else { 1 };
        assert_eq!(verifier.algorithms_fixed_curve.len(), in_13, "{name}");
        let in_12 = if name.starts_with("ecdsa") { 2 } else { 1 };
        assert_eq!(verifier.algorithms.len(), in_12, "{name}");
    }
}

proptest! {
    #[test]
    fn damaged_files_never_panic(which in 0..KEYS.len(), at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>()) {
        let name = KEYS[which].0;
        let mut bytes = file(name);
        // The head, where the structure is.
        let head = bytes.len().min(64);
        bytes[at.index(head)] = byte;
        let _ = signing_key(&from_bytes(name, bytes.clone()));
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(signing_key(&from_bytes(name, bytes)).is_err());
    }
}
