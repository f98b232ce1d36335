//! Chains and keys made by an attacker: refused, without a panic and before they cost anything.

mod chain;
#[path = "../../../tests/src/cpu.rs"]
#[allow(unreachable_pub, reason = "it is part of a library too")]
mod cpu;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chain::{Authority, RsaOfSize, certificate, now, tlv};
use cpu::thread_time;
use drystone_x509::{
    BadSignature, CertificateDer, CertificateError as E, DEFAULT_ALGORITHMS, Expected, Fingerprint, KeyKind,
    Policy, PublicKey, ServerName, TrustAnchors, certificates_from_pem_or_der, private_key_from_pem_or_der,
    subject_text,
};
use proptest::prelude::*;
use rcgen::{CertificateParams, GeneralSubtree, KeyPair, NameConstraints, PublicKeyData, SanType};
use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};

/// CVE-2022-0778: nothing computes with explicit curve parameters.
#[test]
fn threat_86_explicit_curve_parameters_are_no_curve() {
    let leaf = certificate("explicit-curve-leaf.pem");
    let key = PublicKey::of_certificate(&leaf).unwrap();
    assert_eq!(key.kind(), KeyKind::Other);
    assert_eq!(key.verify_signature(DEFAULT_ALGORITHMS, b"message", &[0x30; 70]), Err(BadSignature));
}

#[test]
fn threat_88_a_thousand_intermediates_are_refused_at_once() {
    let root = Authority::root("root");
    let middle = root.below("middle");
    let mut chain = vec![middle.leaf(&["a.example"])];
    chain.extend(std::iter::repeat_n(middle.der.clone(), 1000));
    let elapsed = mean(|| {
        let error = judge(&root, &chain).unwrap_err();
        assert_eq!(error, E::ChainTooLong { count: 1001, max: 10 });
    });
    assert!(elapsed < Duration::from_millis(50), "{elapsed:?}");
}

/// The most that the limit on the count lets through: every intermediate could have issued every other.
#[test]
fn threat_88_entangled_intermediates_are_refused_fast() {
    let root = Authority::root("same");
    let strangers: Vec<_> = (0..9).map(|_| Authority::root("same")).collect();
    let mut chain = vec![strangers[0].leaf(&["a.example"])];
    chain.extend(strangers.iter().map(|stranger| stranger.der.clone()));
    // With an anchor of that name webpki would check signatures; with another only follow paths, for 750 ms.
    for anchor in [root, Authority::root("other")] {
        let elapsed = mean(|| {
            assert_eq!(judge(&anchor, &chain).unwrap_err(), E::TooComplex);
        });
        assert!(elapsed < Duration::from_millis(50), "{elapsed:?}");
    }
}

/// What an authority presents that changes its key (RFC 4210 section 4.4), and a ladder of six, are no attack.
#[test]
fn honest_chains_of_many_certificates_are_followed() {
    let old = Authority::root("root");
    let new = Authority::root("root");
    let (new_with_old, old_with_new) = (old.cross_sign(&new, "root"), new.cross_sign(&old, "root"));
    let chain = [new.leaf(&["a.example"]), new.der.clone(), old_with_new, old.der.clone(), new_with_old];
    judge(&old, &chain).unwrap();

    let root = Authority::root("root");
    let mut ladder = vec![root.below("1")];
    for step in 2..=6 {
        let next = ladder[ladder.len() - 1].below(&step.to_string());
        ladder.push(next);
    }
    let mut chain = vec![ladder[5].leaf(&["a.example"])];
    chain.extend(ladder.iter().map(|each| each.der.clone()));
    judge(&root, &chain).unwrap();
}

/// Thousands of names against thousands of constraints: refused by counting, not by comparing.
#[test]
fn threat_90_constraints_and_names_are_multiplied_before_they_are_compared() {
    let many = |prefix: &str| (0..1000).map(|at| format!("{prefix}{at}.example")).collect::<Vec<_>>();
    let root = Authority::root("root");
    let middle = root.below_with("middle", |p| {
        let excluded_subtrees = many("c").into_iter().map(GeneralSubtree::DnsName).collect();
        p.name_constraints = Some(NameConstraints { permitted_subtrees: vec![], excluded_subtrees });
    });
    let leaf = middle.leaf_with(&["a.example"], |p: &mut CertificateParams| {
        let names = many("n").into_iter().map(|name| SanType::DnsName(name.try_into().unwrap()));
        p.subject_alt_names.extend(names);
    });
    let chain = [leaf, middle.der.clone()];
    let elapsed = mean(|| assert_eq!(judge(&root, &chain).unwrap_err(), E::TooComplex));
    assert!(elapsed < Duration::from_millis(10), "{elapsed:?}");

    // The same where the constraints are the configured authority's.
    let excluded_subtrees = many("c").into_iter().map(GeneralSubtree::DnsName).collect();
    let constrained = Authority::root_with("constrained", |p| {
        p.name_constraints = Some(NameConstraints { permitted_subtrees: vec![], excluded_subtrees });
    });
    let leaf = constrained.leaf_with(&["a.example"], |p: &mut CertificateParams| {
        let names = many("n").into_iter().map(|name| SanType::DnsName(name.try_into().unwrap()));
        p.subject_alt_names.extend(names);
    });
    assert_eq!(judge(&constrained, &[leaf]).unwrap_err(), E::TooComplex);

    // A few constraints and a few hundred names are in order.
    let few = root.below_with("few", |p| {
        let excluded_subtrees = vec![GeneralSubtree::DnsName("c.example".to_owned())];
        p.name_constraints = Some(NameConstraints { permitted_subtrees: vec![], excluded_subtrees });
    });
    let leaf = few.leaf_with(&["a.example"], |p| {
        let names = many("n").into_iter().map(|name| SanType::DnsName(name.try_into().unwrap()));
        p.subject_alt_names.extend(names.take(500));
    });
    judge(&root, &[leaf, few.der.clone()]).unwrap();
}

#[test]
fn threat_89_huge_rsa_keys_are_refused_before_arithmetic() {
    let root = Authority::root("root");
    let elapsed = mean(|| {
        let leaf = root.leaf_for(&RsaOfSize::bits(16_384), &["a.example"], |_| {});
        let error = judge(&root, &[leaf]).unwrap_err();
        assert!(matches!(error, E::KeyTooLarge { bits: 16_384, max: 8192, .. }), "{error:?}");
    });
    assert!(elapsed < Duration::from_millis(10), "{elapsed:?}");
    let key = rsa(16_384);
    assert_eq!(key.kind(), KeyKind::Rsa { bits: 16_384 });
    assert!(!Spy::reached(&key, 2048));
}

/// CVE-2021-43527: a signature longer than its key can make.
#[test]
fn threat_91_signature_length_is_held_against_the_key() {
    let (signing, key) = p256();
    let good = rcgen::SigningKey::sign(&signing, b"message").unwrap();
    key.verify_signature(DEFAULT_ALGORITHMS, b"message", &good).unwrap();
    let refused = |signature: &[u8]| {
        assert_eq!(key.verify_signature(DEFAULT_ALGORITHMS, b"message", signature), Err(BadSignature));
    };
    refused(&[]);
    refused(&[good.as_slice(), &[0]].concat());
    refused(&vec![0x30; 16_384]);
    refused(&tlv(0x30, &[tlv(2, &[1; 2000]), tlv(2, &[1])].concat()));
    for length in [0, 7, 73, 16_384] {
        assert!(!Spy::reached(&key, length), "P-256, {length} bytes");
    }
    assert!(Spy::reached(&key, 72));
    for size in [2048, 8192] {
        let key = rsa(size);
        for length in [0, size / 8 - 1, size / 8 + 1, 16_384] {
            assert!(!Spy::reached(&key, length), "{size} bits, {length} bytes");
        }
        assert!(Spy::reached(&key, size / 8), "{size} bits");
    }
    assert!(!Spy::reached(&rsa(1024), 128), "too small a key");
}

#[test]
fn a_signature_is_for_one_message_and_one_key() {
    let (signing, key) = p256();
    let signature = rcgen::SigningKey::sign(&signing, b"message").unwrap();
    key.verify_signature(DEFAULT_ALGORITHMS, b"message", &signature).unwrap();
    assert_eq!(key.verify_signature(DEFAULT_ALGORITHMS, b"other", &signature), Err(BadSignature));
    let (_, other) = p256();
    assert_eq!(other.verify_signature(DEFAULT_ALGORITHMS, b"message", &signature), Err(BadSignature));
    assert_eq!(key.verify_signature(&[], b"message", &signature), Err(BadSignature));
}

#[test]
fn threat_92_chains_are_capped_in_count_and_bytes() {
    let root = Authority::root("root");
    let leaf = root.leaf(&["a.example"]);
    let name = ServerName::try_from("a.example").unwrap();
    let judge = |policy: Policy, chain: &[CertificateDer<'_>]| {
        policy.verify(chain, Expected::Server(&name), now()).map(|_| ())
    };
    let two = [leaf.clone(), root.der.clone()];
    let bytes = leaf.len() + root.der.len();
    let policy = || Policy::new(root.anchors());
    assert_eq!(judge(policy(), &[]), Err(E::EmptyChain));
    assert_eq!(judge(policy().max_chain_length(2), &two), Ok(()));
    let long = E::ChainTooLong { count: 2, max: 1 };
    assert_eq!(judge(policy().max_chain_length(1), &two), Err(long));
    assert_eq!(judge(policy().max_chain_bytes(bytes), &two), Ok(()));
    let large = E::ChainTooLarge { bytes, max: bytes - 1 };
    assert_eq!(judge(policy().max_chain_bytes(bytes - 1), &two), Err(large));
    let padded = [leaf, vec![0; 65_536].into()];
    assert!(matches!(judge(policy(), &padded), Err(E::ChainTooLarge { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever is changed in a good chain, nothing panics, and no other leaf is accepted.
    #[test]
    fn changed_certificates_do_not_panic(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in proptest::option::of(any::<prop::sample::Index>()),
        target in 0_usize..3,
    ) {
        let good = good_chain();
        let mut der = good.chain[target.min(1)].to_vec();
        let original = der.clone();
        for (at, value) in edits {
            let place = at.index(der.len());
            der[place] = value;
        }
        if let Some(cut) = cut {
            der.truncate(cut.index(der.len()));
        }
        let changed = CertificateDer::from(der);
        exercise(&changed);
        let mut chain = good.chain.clone();
        chain[target.min(1)] = changed.clone();
        let name = ServerName::try_from("a.example").unwrap();
        let verdict = Policy::new(good.anchors.clone())
            .allow_common_name(true)
            .verify(&chain, Expected::Server(&name), now());
        prop_assert_eq!(verdict.is_ok(), changed.as_ref() == &original[..]);
        // The same as a configured certificate, where the signature does not matter.
        let mut own = TrustAnchors::new();
        if own.add(changed.clone()).is_ok() {
            let lenient = Policy::new(own).allow_common_name(true);
            let _ = lenient.verify(&[changed], Expected::Server(&name), now());
            let _ = lenient.verify(&chain, Expected::Client, now());
        }
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes: Vec<u8>) {
        exercise(&CertificateDer::from(bytes.as_slice()));
        let tagged = tlv(0x30, &tlv(0x30, bytes.get(..30_000).unwrap_or(&bytes)));
        exercise(&CertificateDer::from(tagged));
    }
}

/// Everything that takes bytes.
fn exercise(certificate: &CertificateDer<'_>) {
    let _ = subject_text(certificate);
    let _ = Fingerprint::sha256(certificate);
    let _ = TrustAnchors::new().add(certificate.clone());
    let _ = certificates_from_pem_or_der(certificate);
    let _ = private_key_from_pem_or_der(certificate);
    if let Ok(key) = PublicKey::of_certificate(certificate) {
        let _ = key.verify_signature(DEFAULT_ALGORITHMS, b"message", certificate);
    }
}

struct Good {
    anchors: TrustAnchors,
    chain: Vec<CertificateDer<'static>>,
}

fn good_chain() -> &'static Good {
    static GOOD: std::sync::OnceLock<Good> = std::sync::OnceLock::new();
    GOOD.get_or_init(|| {
        let root = Authority::root("root");
        let middle = root.below_with("middle", |p| {
            p.name_constraints = Some(NameConstraints {
                permitted_subtrees: vec![GeneralSubtree::DnsName("example".to_owned())],
                excluded_subtrees: vec![],
            });
        });
        let chain = vec![middle.leaf(&["a.example"]), middle.der.clone()];
        Good { anchors: root.anchors(), chain }
    })
}

fn judge(root: &Authority, chain: &[CertificateDer<'_>]) -> Result<(), E> {
    let name = ServerName::try_from("a.example").unwrap();
    let policy = Policy::new(root.anchors());
    policy.verify(chain, Expected::Server(&name), now()).map(|_| ())
}

/// Stands for every algorithm of a key and notes whether it was asked to compute.
#[derive(Debug)]
struct Spy {
    key: AlgorithmIdentifier,
    asked: AtomicBool,
}

impl Spy {
    /// Whether a signature of `length` bytes gets as far as arithmetic.
    fn reached(key: &PublicKey, length: usize) -> bool {
        let id = match key.kind() {
            KeyKind::Rsa { .. } => alg_id::RSA_ENCRYPTION,
            _ => alg_id::ECDSA_P256,
        };
        let spy = Self { key: id, asked: AtomicBool::new(false) };
        let verdict = key.verify_signature(&[&spy], b"message", &vec![1; length]);
        assert_eq!(verdict, Err(BadSignature));
        spy.asked.into_inner()
    }
}

impl SignatureVerificationAlgorithm for Spy {
    fn verify_signature(&self, _: &[u8], _: &[u8], _: &[u8]) -> Result<(), InvalidSignature> {
        self.asked.store(true, Ordering::Relaxed);
        Err(InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_PKCS1_SHA256
    }
}

fn rsa(bits: usize) -> PublicKey {
    PublicKey::from_spki(RsaOfSize::bits(bits).subject_public_key_info().into()).unwrap()
}

fn p256() -> (KeyPair, PublicKey) {
    let pair = KeyPair::generate().unwrap();
    let key = PublicKey::from_spki(pair.subject_public_key_info().into()).unwrap();
    (pair, key)
}

/// How long a run computes, of ten: the machine may be busy, and its count of time is coarse.
fn mean(run: impl Fn()) -> Duration {
    let start = thread_time();
    (0..10).for_each(|_| run());
    (thread_time() - start) / 10
}
