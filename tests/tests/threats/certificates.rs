//! Certificates as weapons, in a handshake: refused with an alert, soon, and before anything expensive (threats 86 to
//! 92 and 96). The verdicts themselves have their tests in `drystone-x509`.

use std::sync::Arc;
use std::time::Duration;

use drystone_handshake::{
    ClientAuth, ClientConfig, Credentials, Discard, Error, Misbehaviour, ServerConfig, SignatureScheme,
};
use drystone_tests::cpu::thread_time;
use drystone_tests::identity::{Identity, NAME, client_config, settings};
use drystone_tests::rogue::{Duel, SERVER_STEPS, Step, Victim};
use drystone_tests::scenario::p256_key;
use drystone_x509::{CertificateDer, CertificateError, Policy, TrustAnchors};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, GeneralSubtree, IsCa, NameConstraints,
    PublicKeyData, SignatureAlgorithm,
};
use rustls_pki_types::pem::PemObject;

/// How long a client may compute over the worst chain. The table of threats says 50 ms, optimised; the tests may run
/// unoptimised.
const SOON: Duration = Duration::from_millis(500);

/// A rogue server that presents this chain to a client that trusts `root`. Plays its whole first flight.
fn present(chain: Vec<CertificateDer<'static>>, root: &CertificateDer<'static>) -> Duel {
    let mut anchors = TrustAnchors::new();
    anchors.add(root.clone()).expect("a root");
    let config = ClientConfig::new(settings(), Policy::new(anchors)).unwrap();
    let mut duel = Duel::with_client(Victim::client(Arc::new(config)), Identity::p256());
    duel.rogue.chain = chain;
    let begin = thread_time();
    duel.play(&SERVER_STEPS[..2]);
    if duel.victim.error().is_none() {
        duel.play(&SERVER_STEPS[2..4]);
    }
    let spent = thread_time() - begin;
    assert!(spent < SOON, "{spent:?}");
    duel
}

fn refused_for(duel: &Duel, alert: u8, reason: impl Fn(&CertificateError) -> bool) {
    let Some(Error::Certificate(error)) = duel.victim.error() else { panic!("{:?}", duel.victim.error()) };
    assert!(reason(error), "{error:?}");
    assert_eq!(duel.rogue.alerts(), [alert], "{error:?}");
}

const BAD_CERTIFICATE: u8 = 42;
const UNKNOWN_CA: u8 = 48;

fn vector(name: &str) -> CertificateDer<'static> {
    let path = format!("{}/../vectors/x509/{name}", env!("CARGO_MANIFEST_DIR"));
    CertificateDer::from_pem_file(path).expect("a certificate")
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn leaf() -> CertificateParams {
    CertificateParams::new(vec![NAME.to_owned()]).unwrap()
}

#[test]
fn threat_86_explicit_curve_parameters_are_refused() {
    let duel = present(vec![vector("explicit-curve-leaf.pem")], &Identity::p256().root);
    // The key is of no kind that signs for the suite; it is not looked at any further.
    assert_eq!(duel.victim.error(), Some(&Error::Misbehaved(Misbehaviour::UnofferedSignatureScheme)));
    assert_eq!(duel.rogue.alerts(), [47], "illegal_parameter");
}

#[test]
fn threat_87_threat_88_entangled_chains_are_refused_soon() {
    // Authorities of one name that could each have issued the other, under a root of that name.
    let root = CertifiedIssuer::self_signed(authority("maze"), p256_key()).unwrap();
    let walls: Vec<_> =
        (0..9).map(|_| CertifiedIssuer::self_signed(authority("maze"), p256_key()).unwrap()).collect();
    let leaf = leaf().signed_by(&p256_key(), &walls[0]).unwrap();
    let mut chain = vec![leaf.der().clone()];
    chain.extend(walls.iter().map(|wall| wall.der().clone()));
    let duel = present(chain, root.der());
    refused_for(&duel, BAD_CERTIFICATE, |_| true);
}

#[test]
fn threat_88_threat_92_too_many_certificates_are_refused_before_any_is_looked_at() {
    let chain = vec![Identity::p256().chain[0].clone(); 120];
    let duel = present(chain, &Identity::p256().root);
    refused_for(&duel, BAD_CERTIFICATE, |error| {
        matches!(error, CertificateError::ChainTooLong { count: 120, max: 10 })
    });
}

/// 64 KiB is the most that is put together at all.
#[test]
fn threat_92_a_chain_above_the_limit_is_not_even_buffered() {
    let mut duel = present(Vec::new(), &Identity::p256().root);
    assert!(duel.victim.error().is_some(), "an empty list");

    let config = client_config(settings(), Identity::p256());
    duel = Duel::with_client(Victim::client(config), Identity::p256());
    duel.play(&[Step::ServerHello]);
    duel.rogue.chain = vec![Identity::p256().chain[0].clone(); 200];
    let certificate = duel.rogue.message(Step::Certificate);
    assert!(certificate.body.len() > 64 * 1024);
    let mut pieces: Vec<_> =
        certificate.fragments(1_100).iter().map(|piece| duel.rogue.handshake_record(piece)).collect();
    let count = pieces.len() as u32;
    let heap = duel.victim.flood(&mut pieces);
    assert_eq!(heap.peak_bytes, 0, "nothing is kept");
    assert_eq!(duel.victim.discards(Discard::FragmentBeyondLimit), count);
}

/// A key as large as a certificate may claim, with no private key behind it.
#[derive(Debug)]
struct ClaimedKey(Vec<u8>);

impl PublicKeyData for ClaimedKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_RSA_SHA256
    }
}

impl ClaimedKey {
    /// RSAPublicKey with an odd modulus of so many bits, and exponent 65537 or a huge one.
    fn rsa(bits: usize, huge_exponent: bool) -> Self {
        let modulus = [&[0][..], &vec![0xff; bits / 8]].concat();
        let exponent = if huge_exponent { modulus.clone() } else { vec![1, 0, 1] };
        let integers = [integer(&modulus), integer(&exponent)].concat();
        Self(tagged(0x30, &integers))
    }
}

fn integer(bytes: &[u8]) -> Vec<u8> {
    tagged(0x02, bytes)
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut der = vec![tag];
    match length {
        0..0x80 => der.push(length as u8),
        0x80..0x100 => der.extend([0x81, length as u8]),
        _ => der.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    der.extend_from_slice(content);
    der
}

#[test]
fn threat_89_huge_rsa_keys_are_refused_before_any_arithmetic() {
    let root = CertifiedIssuer::self_signed(authority("root"), p256_key()).unwrap();
    for (bits, huge_exponent) in [(8200, false), (16_384, false), (65_536, true), (1024, false)] {
        let key = ClaimedKey::rsa(bits, huge_exponent);
        let certificate = leaf().signed_by(&key, &root).unwrap();
        let mut anchors = TrustAnchors::new();
        anchors.add(root.der().clone()).unwrap();
        let config = ClientConfig::new(settings(), Policy::new(anchors)).unwrap();
        let mut duel = Duel::with_client(Victim::client(Arc::new(config)), Identity::p256());
        let suite = drystone_handshake::CipherSuiteId::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;
        duel.rogue.suite = drystone_handshake::crypto::ring::provider().cipher_suite(suite).unwrap();
        duel.rogue.chain = vec![certificate.der().clone()];
        duel.rogue.claimed_scheme = Some(SignatureScheme::RSA_PSS_RSAE_SHA256);
        let begin = thread_time();
        duel.play(&SERVER_STEPS[..4]);
        let spent = thread_time() - begin;
        assert!(spent < SOON, "{bits} bits took {spent:?}");
        let reason = format!("{:?}", duel.victim.error());
        assert!(duel.victim.error().is_some(), "{bits} bits");
        let size =
            reason.contains("KeyTooLarge") || reason.contains("KeyTooSmall") || reason.contains("Malformed");
        assert!(size, "{bits} bits: {reason}");
        assert_eq!(duel.rogue.alerts(), [BAD_CERTIFICATE], "{bits} bits: {reason}");
    }
}

#[test]
fn threat_90_a_constrained_authority_does_not_vouch_for_other_names() {
    let mut params = authority("constrained");
    let permitted = vec![GeneralSubtree::DnsName("elsewhere.test".to_owned())];
    params.name_constraints =
        Some(NameConstraints { permitted_subtrees: permitted, excluded_subtrees: Vec::new() });
    let root = CertifiedIssuer::self_signed(authority("root"), p256_key()).unwrap();
    let constrained = CertifiedIssuer::signed_by(params, p256_key(), &root).unwrap();
    let certificate = leaf().signed_by(&p256_key(), &constrained).unwrap();
    let duel = present(vec![certificate.der().clone(), constrained.der().clone()], root.der());
    refused_for(&duel, BAD_CERTIFICATE, |error| {
        matches!(error, CertificateError::NameConstraintViolated { .. })
    });
}

/// Signatures much longer than the key can make, in ServerKeyExchange and in CertificateVerify.
#[test]
fn threat_91_oversized_signatures_are_refused() {
    for length in [73, 256, 1_024, 16_000] {
        let config = client_config(settings(), Identity::p256());
        let mut duel = Duel::with_client(Victim::client(config), Identity::p256());
        duel.rogue.alter(Step::ServerKeyExchange, move |body| oversize(body, length));
        duel.play(&SERVER_STEPS[..4]);
        assert_eq!(duel.victim.error(), Some(&Error::BadSignature), "{length} bytes");
        assert_eq!(duel.rogue.alerts(), [51], "decrypt_error");

        let identity = Identity::p256();
        let config = ServerConfig::new(settings(), Credentials::single(identity.credential()))
            .unwrap()
            .with_client_auth(ClientAuth::Require(Arc::new(identity.policy())));
        let mut duel = Duel::with_server(Victim::server(Arc::new(config)), identity);
        duel.rogue.alter(Step::CertificateVerify, move |body| oversize(body, length));
        duel.greet();
        duel.play(&[Step::Certificate, Step::ClientKeyExchange, Step::CertificateVerify]);
        assert_eq!(duel.victim.error(), Some(&Error::BadSignature), "{length} bytes");
    }
}

/// ECCurveType of ServerKeyExchange (RFC 8422 section 5.4); no scheme of a CertificateVerify begins with it.
const NAMED_CURVE: u8 = 3;

/// Replaces the signature, which ends the body, by one of that many bytes.
fn oversize(body: &mut Vec<u8>, length: usize) {
    // Of ServerKeyExchange the parameters come first: curve_type, namedcurve and the point with its length.
    let parameters = if body[0] == NAMED_CURVE { 4 + usize::from(body[3]) } else { 0 };
    // The scheme, then the length of the signature, which has any of a few lengths.
    let at = parameters + 2;
    let present = usize::from(u16::from_be_bytes([body[at], body[at + 1]]));
    assert_eq!(at + 2 + present, body.len(), "a signature");
    body.truncate(at);
    body.extend((length as u16).to_be_bytes());
    body.resize(at + 2 + length, 0x30);
}

#[test]
fn threat_96_a_leaf_does_not_issue() {
    let root = CertifiedIssuer::self_signed(authority("root"), p256_key()).unwrap();
    let mut params = leaf();
    params.distinguished_name.push(DnType::CommonName, "only a leaf");
    let issuer = CertifiedIssuer::signed_by(params, p256_key(), &root).unwrap();
    let forged = leaf().signed_by(&p256_key(), &issuer).unwrap();
    let duel = present(vec![forged.der().clone(), issuer.der().clone()], root.der());
    refused_for(&duel, BAD_CERTIFICATE, |error| matches!(error, CertificateError::NotAnAuthority { .. }));
}

#[test]
fn threat_96_a_self_signed_certificate_is_not_trusted_by_its_own_word() {
    let key = p256_key();
    let certificate = leaf().self_signed(&key).unwrap();
    let duel = present(vec![certificate.der().clone()], &Identity::p256().root);
    refused_for(&duel, UNKNOWN_CA, |error| matches!(error, CertificateError::UnknownIssuer { .. }));
}

#[test]
fn threat_96_a_path_longer_than_an_authority_allows_is_refused() {
    let mut params = authority("short");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let root = CertifiedIssuer::self_signed(authority("root"), p256_key()).unwrap();
    let short = CertifiedIssuer::signed_by(params, p256_key(), &root).unwrap();
    let below = CertifiedIssuer::signed_by(authority("below"), p256_key(), &short).unwrap();
    let certificate = leaf().signed_by(&p256_key(), &below).unwrap();
    let chain = [certificate.der(), below.der(), short.der()].map(Clone::clone).to_vec();
    let duel = present(chain, root.der());
    refused_for(&duel, BAD_CERTIFICATE, |error| matches!(error, CertificateError::PathLengthExceeded { .. }));
}

#[test]
fn threat_81_certificates_signed_with_sha_1_are_refused() {
    let duel =
        present(vec![vector("sha1-leaf.pem"), vector("rsa2048-root.pem")], &vector("rsa2048-root.pem"));
    assert!(duel.victim.error().is_some());
    assert!(!duel.victim.is_connected());
}

/// Certificates that are no certificates.
#[test]
fn garbage_in_the_place_of_a_certificate_is_refused() {
    let good = Identity::p256().chain[0].clone();
    for length in [1, 2, 50, good.len() - 1] {
        let chain = vec![CertificateDer::from(good[..length].to_vec())];
        let duel = present(chain, &Identity::p256().root);
        refused_for(&duel, BAD_CERTIFICATE, |error| matches!(error, CertificateError::Malformed { .. }));
    }
}
