//! Authentication in DTLS 1.3 against a peer that cheats: certificates without proof of possession, and proofs that do not
//! fit (threats 45 to 47).

use core::task::Poll;

use drystone_handshake::crypto::{self, Side, certificate_verify_content};
use drystone_handshake::{CipherSuiteId, ClientAuth, SignatureScheme};
use drystone_tests::identity::{Identity, client_config, settings_of_both};
use drystone_tests::rogue::alert::{
    CERTIFICATE_REQUIRED, DECODE_ERROR, DECRYPT_ERROR, ILLEGAL_PARAMETER, UNEXPECTED_MESSAGE,
};
use drystone_tests::rogue::{
    Asks, CERTIFIED_CLIENT_STEPS_13, Duel, Rogue, SERVER_STEPS_13, Step, Victim, refused,
};
use drystone_tests::scenario::other_identity;

fn asking_server(auth: Asks) -> Duel {
    Duel::asking_server_13(settings_of_both(), auth)
}

#[test]
fn threat_45_a_client_certificate_without_certificate_verify_is_refused() {
    for auth in [ClientAuth::Request as Asks, ClientAuth::Require] {
        let mut duel = asking_server(auth);
        duel.play(&[Step::Certificate, Step::Finished]);
        refused(&duel, UNEXPECTED_MESSAGE, "without CertificateVerify");
        let mut honest = asking_server(auth);
        honest.play(&CERTIFIED_CLIENT_STEPS_13);
        assert!(honest.victim.is_connected(), "{:?}", honest.victim.error());
        assert_eq!(honest.victim.connected.as_ref().unwrap().peer_chain.len(), other_identity().chain.len());
    }
}

#[test]
fn threat_45_a_client_without_certificate_is_let_in_only_where_none_is_required() {
    let mut required = asking_server(ClientAuth::Require);
    required.rogue.chain = Vec::new();
    required.play(&[Step::Certificate, Step::Finished]);
    refused(&required, CERTIFICATE_REQUIRED, "no certificate");
    let mut requested = asking_server(ClientAuth::Request);
    requested.rogue.chain = Vec::new();
    requested.play(&[Step::Certificate, Step::Finished]);
    assert!(requested.victim.is_connected(), "{:?}", requested.victim.error());
    assert!(requested.victim.connected.as_ref().unwrap().peer_chain.is_empty());
    // A proof without a certificate is one too many.
    let mut proof = asking_server(ClientAuth::Request);
    proof.rogue.chain = Vec::new();
    proof.play(&[Step::Certificate, Step::CertificateVerify]);
    refused(&proof, UNEXPECTED_MESSAGE, "a proof of nothing");
}

#[test]
fn threat_45_certificate_verify_must_fit_certificate_and_messages() {
    let mut other_key = asking_server(ClientAuth::Require);
    other_key.rogue.key = Identity::p256().credential().key().clone();
    other_key.play(&CERTIFIED_CLIENT_STEPS_13);
    refused(&other_key, DECRYPT_ERROR, "another key");
    let mut other_messages = asking_server(ClientAuth::Require);
    other_messages.rogue.alter(Step::CertificateVerify, |body| *body.last_mut().unwrap() ^= 1);
    other_messages.play(&CERTIFIED_CLIENT_STEPS_13);
    refused(&other_messages, DECRYPT_ERROR, "a damaged signature");
    // A server's proof turned around: the content names the signer (RFC 9846 section 4.5.2).
    let mut turned = asking_server(ClientAuth::Require);
    turned.play(&[Step::Certificate]);
    let content = certificate_verify_content(Side::Server, &turned.rogue.transcript_hash());
    let Poll::Ready(Ok(signature)) = turned.rogue.key.sign(SignatureScheme::ECDSA_SECP256R1_SHA256, &content)
    else {
        panic!("the rogue's key answers at once")
    };
    turned.rogue.alter_certificate_verify(move |_, old| old.clone_from(&signature));
    turned.play(&[Step::CertificateVerify]);
    refused(&turned, DECRYPT_ERROR, "the other side's content");
}

#[test]
fn threat_46_a_scheme_that_was_not_offered_or_does_not_fit_is_refused() {
    let schemes = [
        // RSA-PKCS1 signs certificates only (RFC 9846 section 4.3.3).
        SignatureScheme::RSA_PKCS1_SHA256,
        SignatureScheme::RSA_PSS_RSAE_SHA256,
        SignatureScheme::ED25519,
        SignatureScheme::ECDSA_SECP521R1_SHA512,
        SignatureScheme(0x0203),
        SignatureScheme(0xfefe),
    ];
    for scheme in schemes {
        let mut client = Duel::usual_client_13();
        client.rogue.claimed_scheme = Some(scheme);
        client.play(&SERVER_STEPS_13);
        refused(&client, ILLEGAL_PARAMETER, &format!("server: {scheme}"));
        let mut server = asking_server(ClientAuth::Require);
        server.rogue.claimed_scheme = Some(scheme);
        server.play(&CERTIFIED_CLIENT_STEPS_13);
        refused(&server, ILLEGAL_PARAMETER, &format!("client: {scheme}"));
    }
    // In 1.3 the scheme fixes the curve: P-384's does not fit a key on P-256.
    let mut curve = Duel::usual_client_13();
    curve.rogue.claimed_scheme = Some(SignatureScheme::ECDSA_SECP384R1_SHA384);
    curve.play(&SERVER_STEPS_13);
    refused(&curve, DECRYPT_ERROR, "another curve");
}

#[test]
fn threat_46_rsa_signs_with_pss_alone() {
    let identity = Identity::rsa_chain();
    for (scheme, connects) in
        [(SignatureScheme::RSA_PKCS1_SHA256, false), (SignatureScheme::RSA_PSS_RSAE_SHA256, true)]
    {
        let rogue = Rogue::new_13(Side::Server, identity);
        let mut duel = Duel::between(rogue, Victim::client(client_config(settings_of_both(), identity)));
        duel.rogue.scheme = scheme;
        duel.play(&SERVER_STEPS_13);
        assert_eq!(duel.victim.is_connected(), connects, "{scheme}: {:?}", duel.victim.error());
        if !connects {
            refused(&duel, ILLEGAL_PARAMETER, "PKCS1");
        }
    }
}

#[test]
fn threat_47_a_missing_empty_or_wrong_signature_fails_on_every_suite() {
    for suite in [
        CipherSuiteId::TLS_AES_128_GCM_SHA256,
        CipherSuiteId::TLS_AES_256_GCM_SHA384,
        CipherSuiteId::TLS_CHACHA20_POLY1305_SHA256,
    ] {
        let with_suite = || {
            let mut duel = Duel::usual_client_13();
            duel.rogue.suite = crypto::ring::provider().cipher_suite(suite).unwrap();
            duel
        };
        let mut honest = with_suite();
        honest.play(&SERVER_STEPS_13);
        assert!(honest.victim.is_connected(), "{suite}: {:?}", honest.victim.error());
        honest.talk();
        let mut skipped = with_suite();
        skipped.play(&SERVER_STEPS_13[..3]);
        skipped.play(&[Step::Finished]);
        refused(&skipped, UNEXPECTED_MESSAGE, "without CertificateVerify");
        let mut missing = with_suite();
        missing.rogue.alter(Step::CertificateVerify, |body| body.truncate(2));
        missing.play(&SERVER_STEPS_13);
        refused(&missing, DECODE_ERROR, "no signature");
        let mut empty = with_suite();
        empty.rogue.alter_certificate_verify(|_, signature| signature.clear());
        empty.play(&SERVER_STEPS_13);
        refused(&empty, DECRYPT_ERROR, "an empty signature");
        let mut flipped = with_suite();
        flipped.rogue.alter_certificate_verify(|_, signature| signature[9] ^= 1);
        flipped.play(&SERVER_STEPS_13);
        refused(&flipped, DECRYPT_ERROR, "a wrong signature");
        let mut finished = with_suite();
        finished.rogue.alter(Step::Finished, |body| body[0] ^= 1);
        finished.play(&SERVER_STEPS_13);
        refused(&finished, DECRYPT_ERROR, "a wrong Finished");
        let mut short = with_suite();
        short.rogue.alter(Step::Finished, |body| body.truncate(12));
        short.play(&SERVER_STEPS_13);
        refused(&short, DECODE_ERROR, "a short Finished");
    }
}

#[test]
fn threat_47_a_server_without_certificates_is_refused() {
    let mut duel = Duel::usual_client_13();
    duel.rogue.chain = Vec::new();
    duel.play(&SERVER_STEPS_13[..3]);
    refused(&duel, DECODE_ERROR, "an empty list");
}

#[test]
fn threat_47_a_certificate_for_another_request_is_refused() {
    for (mut duel, steps) in [
        (Duel::usual_client_13(), &SERVER_STEPS_13[..3]),
        (asking_server(ClientAuth::Require), &CERTIFIED_CLIENT_STEPS_13[..1]),
    ] {
        duel.rogue.alter_certificate_13(|message| message.certificate_request_context = b"other");
        duel.play(steps);
        refused(&duel, ILLEGAL_PARAMETER, "a context");
    }
}
