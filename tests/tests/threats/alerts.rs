//! The right alert: what a peer is told when a record, a message of ours or the application ends an association.

use std::sync::Arc;
use std::task::Poll;

use drystone_handshake::crypto::Side;
use drystone_handshake::{
    AlertDescription, ClientAuth, ClientConfig, Credential, Credentials, Error, Misbehaviour,
    PeerCertificates, PeerVerifier, ServerConfig, VerifyError,
};
use drystone_record::ContentType;
use drystone_tests::identity::{Identity, settings, settings_of_both};
use drystone_tests::rogue::alert::{INTERNAL_ERROR, UNEXPECTED_MESSAGE};
use drystone_tests::rogue::{
    CLIENT_STEPS, CLIENT_STEPS_13, Duel, Heard, Rogue, SERVER_STEPS, SERVER_STEPS_13, Step, Victim, refused,
};
use drystone_tests::scenario::{VERSIONS, other_identity};
use drystone_x509::CertificateDer;

/// RFC 9846 section 5.4: "If a receiving implementation does not find a non-zero octet in the cleartext, it MUST
/// terminate the connection with an "unexpected_message" alert."
#[test]
fn a_record_of_zeros_is_an_unexpected_message() {
    for zeros in [0, 1, 20, 1000] {
        for mut duel in Duel::usual_connected_13() {
            let record = duel.rogue.record_in(3, ContentType(0), &vec![0; zeros]);
            duel.give(&record);
            assert_eq!(duel.victim.error(), Some(&Error::from(Misbehaviour::MissingContentType)));
            assert_eq!(duel.rogue.alerts(), [UNEXPECTED_MESSAGE], "{zeros} zeros");
        }
    }
    let mut duel = Duel::usual_client_13();
    duel.play(&SERVER_STEPS_13[..2]);
    let record = duel.rogue.record_in(2, ContentType(0), &[0; 20]);
    duel.give(&record);
    assert_eq!(duel.victim.error(), Some(&Error::from(Misbehaviour::MissingContentType)), "in the handshake");
}

/// The usual credential with a second certificate of that many bytes.
fn credential_of(length: usize) -> Credentials {
    let usual = Identity::p256().credential();
    let chain = vec![usual.chain()[0].clone(), CertificateDer::from(vec![0x30; length])];
    Credentials::single(Credential::with_signer(chain, Arc::clone(usual.key())).unwrap())
}

/// RFC 9846 section 6.2: internal_error is for what is "unrelated to the peer or the correctness of the protocol". What we
/// cannot send is our own fault: beyond the 24 bits of a length, and in DTLS 1.2 beyond what is kept for CertificateVerify.
#[test]
fn a_message_of_ours_that_is_too_long_is_an_internal_error() {
    for (version, length) in VERSIONS.into_iter().zip([300_000, 1 << 24]) {
        let settings = || drystone_tests::identity::settings_of(version);
        let is_12 = version == VERSIONS[0];
        let rogue = if is_12 { Rogue::new } else { Rogue::new_13 };

        let config = ServerConfig::new(settings(), credential_of(length)).unwrap();
        let config = config.with_client_auth(ClientAuth::Require(Arc::new(other_identity().policy())));
        let mut duel = Duel::between(rogue(Side::Client, Identity::p256()), Victim::server(Arc::new(config)));
        duel.greet();
        refused(&duel, INTERNAL_ERROR, "a server's chain");
        assert_eq!(duel.victim.error(), Some(&Error::OwnMessageTooLarge));

        let config = ClientConfig::new(settings(), Identity::p256().policy()).unwrap();
        let config = config.with_credentials(credential_of(length));
        let mut duel = Duel::between(rogue(Side::Server, Identity::p256()), Victim::client(Arc::new(config)));
        let steps: &[Step] = if is_12 { &SERVER_STEPS[..3] } else { &SERVER_STEPS_13[..2] };
        duel.play(steps);
        let rest: &[Step] = if is_12 {
            &[Step::CertificateRequest, Step::ServerHelloDone]
        } else {
            &[Step::CertificateRequest, Step::Certificate, Step::CertificateVerify, Step::Finished]
        };
        duel.play(rest);
        assert_eq!(duel.victim.error(), Some(&Error::OwnMessageTooLarge), "{version}");
        assert!(duel.rogue.alerts().contains(&INTERNAL_ERROR), "{version}: a client's chain");
    }
}

/// Refuses everybody for a reason that it finds at run time.
#[derive(Debug)]
struct Refuses(AlertDescription);

impl PeerVerifier for Refuses {
    fn verify(&self, peer: &PeerCertificates<'_>) -> Poll<Result<(), VerifyError>> {
        let reason = format!("a chain of {} is not on the list", peer.chain.len());
        Poll::Ready(Err(VerifyError::refused(self.0, reason)))
    }
}

#[test]
fn a_verifier_chooses_its_alert() {
    for (chosen, sent) in [
        (AlertDescription::CERTIFICATE_REVOKED, 44),
        (AlertDescription::UNKNOWN_CA, 48),
        (AlertDescription(200), 200),
        // These do not refuse: the peer would take the association for closed in good order, or for open.
        (AlertDescription::CLOSE_NOTIFY, 49),
        (AlertDescription::USER_CANCELED, 49),
        (AlertDescription::NO_RENEGOTIATION, 49),
    ] {
        let config = Arc::new(ClientConfig::new(settings(), Refuses(chosen)).unwrap());
        let mut client = Duel::with_client(Victim::client(config), Identity::p256());
        client.play(&SERVER_STEPS[..4]);
        let asks = ClientAuth::Require(Arc::new(Refuses(chosen)));
        let credentials = Credentials::single(Identity::p256().credential());
        let config = ServerConfig::new(settings(), credentials).unwrap().with_client_auth(asks);
        let mut server = Duel::with_server(Victim::server(Arc::new(config)), Identity::p256());
        server.greet();
        server.play(&[Step::Certificate]);
        server.play(&CLIENT_STEPS[..1]);
        server.play(&[Step::CertificateVerify]);
        server.play(&CLIENT_STEPS[1..]);
        for duel in [client, server] {
            refused(&duel, sent, "by its verifier");
            let error = duel.victim.error().unwrap();
            assert_eq!(error.to_string(), "refused by the application: a chain of 1 is not on the list");
        }
    }
}

/// An application that finds out late that its peer has no right to be here says so.
#[test]
fn an_association_is_closed_with_an_alert_of_the_applications_choice() {
    for (alert, level, sent) in [
        (AlertDescription::ACCESS_DENIED, 2, 49),
        (AlertDescription::CERTIFICATE_REVOKED, 2, 44),
        (AlertDescription::CLOSE_NOTIFY, 1, 0),
        (AlertDescription::USER_CANCELED, 1, 0),
        (AlertDescription::NO_RENEGOTIATION, 1, 0),
    ] {
        let duels = Duel::usual_connected().into_iter().chain(Duel::usual_connected_13());
        for (mut duel, epoch) in duels.zip([1, 1, 3, 3]) {
            let now = duel.victim.now();
            duel.victim.connection().close_with(now, alert);
            duel.listen();
            let said = Heard::Alert { epoch, level, description: sent };
            assert_eq!(duel.rogue.heard.last(), Some(&said), "{alert}");
            assert!(duel.victim.connection().is_closed() && duel.victim.error().is_none());
            // It is over: the peer's answer and a second close change nothing.
            duel.victim.connection().close_with(now, AlertDescription::ACCESS_DENIED);
            let data = duel.rogue.data(b"late");
            assert_eq!(duel.give(&data), 0);
            assert!(duel.victim.received.is_empty());
        }
    }
}

#[test]
fn a_handshake_is_given_up_with_an_alert_of_the_applications_choice() {
    let mut client = Duel::client_13(settings_of_both());
    client.play(&SERVER_STEPS_13[..2]);
    let mut server = Duel::server_12(settings());
    server.play(&CLIENT_STEPS[..1]);
    let mut late = Duel::server_13(settings_of_both());
    late.play(&CLIENT_STEPS_13[..0]);
    for mut duel in [client, server, late] {
        let now = duel.victim.now();
        duel.victim.connection().close_with(now, AlertDescription::INSUFFICIENT_SECURITY);
        duel.listen();
        assert_eq!(duel.rogue.alerts(), [71]);
    }
}
