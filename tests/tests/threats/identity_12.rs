//! Authentication in DTLS 1.2 against a peer that cheats: certificates without proof of possession, and proofs that do not
//! fit (threats 45 to 47).

use drystone_handshake::message::{DigitallySigned, ServerKeyExchange};
use drystone_handshake::{CipherSuiteId, ClientAuth, SignatureScheme, crypto};
use drystone_tests::identity::{Identity, client_config, settings};
use drystone_tests::rogue::alert::{DECODE_ERROR, DECRYPT_ERROR, ILLEGAL_PARAMETER};
use drystone_tests::rogue::{
    CERTIFIED_CLIENT_STEPS, CLIENT_STEPS, CLIENT_STEPS_13, Duel, SERVER_STEPS, SERVER_STEPS_13, Step, Victim,
    refused,
};
use drystone_tests::scenario::other_identity;

fn asking_server() -> Duel {
    Duel::asking_server_12(settings(), ClientAuth::Request)
}

/// RFC 9846 section 6.2, as RFC 5246 section 7.2.2: a message of the wrong length is decode_error, a wrong proof decrypt_error.
#[test]
fn threat_47_a_finished_of_the_wrong_length_is_no_wrong_proof() {
    type Change = fn(&mut Vec<u8>);
    type Begin = fn() -> Duel;
    let changes: [(&str, u8, Change); 5] = [
        ("empty", DECODE_ERROR, Vec::clear),
        ("short", DECODE_ERROR, |body| body.truncate(11)),
        ("long", DECODE_ERROR, |body| body.push(0)),
        ("very long", DECODE_ERROR, |body| body.resize(500, 0)),
        ("wrong", DECRYPT_ERROR, |body| body[11] ^= 0x80),
    ];
    let duels: [(Begin, &[Step]); 4] = [
        (Duel::usual_client, &SERVER_STEPS),
        (Duel::usual_server, &CLIENT_STEPS),
        (Duel::usual_client_13, &SERVER_STEPS_13),
        (Duel::usual_server_13, &CLIENT_STEPS_13),
    ];
    for (begin, steps) in duels {
        for (what, alert, change) in changes {
            let mut duel = begin();
            duel.rogue.alter(Step::Finished, change);
            duel.play(steps);
            refused(&duel, alert, what);
        }
    }
}

#[test]
fn threat_45_a_client_certificate_without_certificate_verify_is_refused() {
    let mut duel = asking_server();
    duel.play(&[Step::Certificate, Step::ClientKeyExchange, Step::ChangeCipherSpec, Step::Finished]);
    assert!(!duel.victim.is_connected());
    // The same with CertificateVerify connects, so that the reason is the right one.
    let mut duel = asking_server();
    duel.play(&CERTIFIED_CLIENT_STEPS);
    assert!(duel.victim.is_connected(), "{:?}", duel.victim.error());
    assert_eq!(duel.victim.connected.unwrap().peer_chain, other_identity().chain);
}

/// CertificateVerify by another key than the certificate's, or over other messages.
#[test]
fn threat_45_certificate_verify_must_fit_certificate_and_messages() {
    let mut duel = asking_server();
    duel.rogue.key = Identity::p256().credential().key().clone();
    duel.play(&CERTIFIED_CLIENT_STEPS[..3]);
    refused(&duel, DECRYPT_ERROR, "another key");

    let mut recorded = asking_server();
    recorded.play(&CERTIFIED_CLIENT_STEPS[..2]);
    let replayed = recorded.rogue.message(Step::CertificateVerify).body;
    let mut duel = asking_server();
    duel.rogue.alter(Step::CertificateVerify, move |body| body.clone_from(&replayed));
    duel.play(&CERTIFIED_CLIENT_STEPS[..3]);
    refused(&duel, DECRYPT_ERROR, "a signature of another handshake");
}

#[test]
fn threat_46_certificate_verify_in_a_scheme_that_does_not_fit_is_refused() {
    for claimed in [
        SignatureScheme(0x0201),
        SignatureScheme(0x0203),
        SignatureScheme(0x0101),
        SignatureScheme::ECDSA_SECP521R1_SHA512,
        SignatureScheme::RSA_PKCS1_SHA256,
        SignatureScheme::RSA_PSS_RSAE_SHA256,
        SignatureScheme::ED25519,
        SignatureScheme(0xfefe),
    ] {
        let mut duel = asking_server();
        duel.rogue.claimed_scheme = Some(claimed);
        duel.play(&CERTIFIED_CLIENT_STEPS[..3]);
        refused(&duel, ILLEGAL_PARAMETER, &format!("CertificateVerify with {claimed}"));

        let mut duel = Duel::usual_client();
        duel.rogue.claimed_scheme = Some(claimed);
        duel.play(&SERVER_STEPS[..4]);
        refused(&duel, ILLEGAL_PARAMETER, &format!("ServerKeyExchange with {claimed}"));
    }
}

/// A scheme that the provider has, but that this client's configuration does not offer.
#[test]
fn threat_46_a_scheme_that_was_not_offered_is_refused_although_it_is_known() {
    let mut settings = settings();
    let schemes = &mut settings.provider.signature_verifiers;
    schemes.retain(|verifier| verifier.scheme == SignatureScheme::ECDSA_SECP384R1_SHA384);
    let mut duel = Duel::client_12(settings);
    duel.play(&SERVER_STEPS[..4]);
    refused(&duel, ILLEGAL_PARAMETER, "ecdsa_secp256r1_sha256");
}

#[test]
fn threat_47_a_missing_empty_or_wrong_signature_fails_on_every_suite() {
    let ecdsa = [
        CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        CipherSuiteId::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ];
    let rsa = [
        CipherSuiteId::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        CipherSuiteId::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        CipherSuiteId::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ];
    let cases = [
        (ecdsa, Identity::p256(), SignatureScheme::ECDSA_SECP256R1_SHA256),
        (rsa, Identity::rsa_chain(), SignatureScheme::RSA_PSS_RSAE_SHA256),
    ];
    for (suites, identity, scheme) in cases {
        for suite in suites {
            for damage in Damage::ALL {
                let mut duel =
                    Duel::with_client(Victim::client(client_config(settings(), identity)), identity);
                duel.rogue.suite = crypto::ring::provider().cipher_suite(suite).unwrap();
                duel.rogue.scheme = scheme;
                duel.rogue.alter(Step::ServerKeyExchange, move |body| damage.apply(body));
                duel.play(&SERVER_STEPS);
                let honest = damage == Damage::None;
                assert_eq!(duel.victim.is_connected(), honest, "{suite}: {:?}", duel.victim.error());
                if !honest {
                    let alert = duel.rogue.alerts();
                    assert!(
                        [[DECRYPT_ERROR], [DECODE_ERROR]].map(Vec::from).contains(&alert),
                        "{suite}: {alert:?}"
                    );
                }
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    None,
    Missing,
    Empty,
    Flipped,
}

impl Damage {
    const ALL: [Self; 4] = [Self::None, Self::Missing, Self::Empty, Self::Flipped];

    /// Does it to a ServerKeyExchange.
    fn apply(self, body: &mut Vec<u8>) {
        let exchange = ServerKeyExchange::decode(body).unwrap();
        match self {
            Self::None => {}
            Self::Missing => {
                let params = exchange.params.as_bytes().len();
                body.truncate(params);
            }
            Self::Empty => {
                let signed = DigitallySigned { signature: &[], ..exchange.signed };
                let mut altered = Vec::new();
                ServerKeyExchange { signed, ..exchange }.encode(&mut altered).unwrap();
                *body = altered;
            }
            Self::Flipped => *body.last_mut().unwrap() ^= 1,
        }
    }
}

#[test]
fn threat_47_an_empty_certificate_verify_fails() {
    let mut duel = asking_server();
    duel.rogue.alter_certificate_verify(|_, signature| signature.clear());
    duel.play(&CERTIFIED_CLIENT_STEPS[..3]);
    refused(&duel, DECRYPT_ERROR, "an empty signature");
}

#[test]
fn threat_47_a_server_without_certificates_is_refused() {
    let mut duel = Duel::usual_client();
    duel.rogue.chain = Vec::new();
    duel.play(&SERVER_STEPS[..4]);
    refused(&duel, DECODE_ERROR, "an empty list");
}
