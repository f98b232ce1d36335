//! Under which keys DTLS 1.3 says that it fails (RFC 9846 appendix A): a server from its Finished on under those of application
//! data, a client that has not sent its Finished under those of the handshake. The peers here have no other keys.

use core::task::Poll;
use core::time::Duration;
use std::sync::Arc;

use drystone_handshake::crypto::Side;
use drystone_handshake::{
    AlertDescription, Answer, ClientAuth, ClientConfig, Credential, CredentialOffer, CredentialResolver,
    Error, Event,
};
use drystone_record::ContentType;
use drystone_tests::identity::{Identity, settings_of_both};
use drystone_tests::rogue::alert::{CERTIFICATE_REQUIRED, DECODE_ERROR, DECRYPT_ERROR, UNEXPECTED_MESSAGE};
use drystone_tests::rogue::{Duel, Heard, Rogue, SERVER_STEPS_13, Step, Victim};

/// The epochs of the alerts that came, and what they say.
fn alerts(duel: &Duel) -> Vec<(u64, u8)> {
    let alert = |heard: &Heard| match heard {
        Heard::Alert { epoch, description, .. } => Some((*epoch, *description)),
        _ => None,
    };
    duel.rogue.heard.iter().filter_map(alert).collect()
}

/// A client that has the whole of the server's flight needs the keys of the handshake no more to read.
fn server(asks: bool) -> Duel {
    let settings = settings_of_both();
    let mut duel =
        if asks { Duel::asking_server_13(settings, ClientAuth::Require) } else { Duel::server_13(settings) };
    assert!(duel.rogue.last(drystone_handshake::HandshakeType::FINISHED).is_some());
    duel.rogue.drop_read_keys(0);
    duel.rogue.drop_read_keys(2);
    duel
}

#[test]
fn a_server_tells_under_the_keys_of_data_why_it_refuses_the_clients_flight() {
    let mut duel = server(false);
    duel.rogue.alter(Step::Finished, |body| body[0] ^= 1);
    duel.play(&[Step::Finished]);
    assert_eq!(alerts(&duel), [(3, DECRYPT_ERROR)]);

    let mut duel = server(false);
    duel.play(&[Step::Certificate]);
    assert_eq!(alerts(&duel), [(3, UNEXPECTED_MESSAGE)]);

    let mut duel = server(true);
    duel.rogue.chain.clear();
    duel.play(&[Step::Certificate]);
    assert_eq!(alerts(&duel), [(3, CERTIFICATE_REQUIRED)]);

    let mut duel = server(true);
    duel.play(&[Step::Certificate]);
    duel.rogue.alter(Step::CertificateVerify, |body| *body.last_mut().unwrap() ^= 1);
    duel.play(&[Step::CertificateVerify]);
    assert_eq!(alerts(&duel), [(3, DECRYPT_ERROR)]);
}

/// ACKs too: of parts of the client's flight.
#[test]
fn a_server_acknowledges_under_the_keys_of_data() {
    let mut duel = server(true);
    let certificate = duel.rogue.message(Step::Certificate);
    let part = duel.rogue.record_in(2, ContentType::HANDSHAKE, &certificate.fragment(0, 100));
    duel.give(&part);
    duel.pass(Duration::from_millis(101));
    let acks = duel.rogue.acks();
    assert!(acks.len() == 1 && acks[0].0 == 3, "{acks:?}");
}

/// Its flight is sent again under its own keys all the same.
#[test]
fn a_servers_flight_keeps_its_keys() {
    let mut duel = Duel::usual_server_13();
    duel.pass(Duration::from_secs(1));
    let repeats = duel.rogue.handshakes_heard().iter().filter(|number| number.epoch == 2).count();
    assert!(repeats >= 2, "{:?}", duel.rogue.handshakes_heard());
    assert!(duel.rogue.handshakes_heard().iter().all(|number| number.epoch < 3));
    duel.play(&[Step::Finished]);
    assert!(duel.victim.is_connected());
    duel.talk();
}

/// A server that has no keys yet for what the client sends after its Finished.
fn client() -> Duel {
    let mut duel = Duel::usual_client_13();
    duel.rogue.drop_read_keys(3);
    duel
}

#[test]
fn a_client_that_fails_before_its_finished_tells_under_the_keys_of_the_handshake() {
    let mut duel = client();
    duel.play(&SERVER_STEPS_13[..4]);
    duel.rogue.alter(Step::Finished, |body| body[0] ^= 1);
    duel.play(&[Step::Finished]);
    assert_eq!(alerts(&duel), [(2, DECRYPT_ERROR)]);

    let mut duel = client();
    duel.rogue.alter(Step::Certificate, |body| body[60] ^= 1);
    duel.play(&SERVER_STEPS_13[..3]);
    if alerts(&duel).is_empty() {
        duel.play(&[Step::CertificateVerify]);
    }
    // Which of the reasons depends on where the damage is.
    assert!(matches!(alerts(&duel)[..], [(2, _)]), "{:?}", alerts(&duel));
}

/// The client has its keys for data, but what it says under them would come before its Finished.
#[test]
fn a_fault_behind_the_servers_finished_is_told_under_the_keys_of_the_handshake() {
    for is_sent in [false, true] {
        let mut duel = Duel::usual_client_13();
        duel.play(&SERVER_STEPS_13[..4]);
        let finished = duel.rogue.perform(Step::Finished);
        let fault = duel.rogue.record(ContentType::ACK, &[0, 17, 0]);
        if is_sent {
            duel.give(&finished);
            duel.give(&fault);
        } else {
            duel.give(&[finished, fault].concat());
        }
        assert_eq!(alerts(&duel), [(if is_sent { 3 } else { 2 }, DECODE_ERROR)]);
    }
}

/// Chooses later.
#[derive(Debug)]
struct LateResolver;

impl CredentialResolver for LateResolver {
    fn resolve(&self, _: &CredentialOffer<'_>) -> Poll<Option<Arc<Credential>>> {
        Poll::Pending
    }
}

/// A client that has the server's Finished, and waits for the application to choose its certificate.
fn choosing_client() -> Duel {
    let config = ClientConfig::new(settings_of_both(), Identity::p256().policy()).unwrap();
    let victim = Victim::client(Arc::new(config.with_credentials(LateResolver)));
    let mut duel = Duel::between(Rogue::new_13(Side::Server, Identity::p256()), victim);
    duel.play(&[
        Step::ServerHello,
        Step::EncryptedExtensions,
        Step::CertificateRequest,
        Step::Certificate,
        Step::CertificateVerify,
        Step::Finished,
    ]);
    assert!(matches!(duel.victim.events[..], [Event::Request(..)]), "{:?}", duel.victim.events);
    duel
}

#[test]
fn a_client_that_still_chooses_its_certificate_fails_under_the_keys_of_the_handshake() {
    let mut duel = choosing_client();
    duel.rogue.drop_read_keys(3);
    let second = duel.rogue.perform_in(2, Step::Finished);
    duel.give(&second);
    assert_eq!(alerts(&duel), [(2, UNEXPECTED_MESSAGE)]);
}

/// The server may give up meanwhile, under the only keys that it writes with now.
#[test]
fn a_client_that_still_chooses_its_certificate_hears_the_servers_alert() {
    let mut duel = choosing_client();
    let alert = duel.rogue.alert(2, 80);
    duel.give(&alert);
    let expected =
        Error::AlertReceived { description: AlertDescription::INTERNAL_ERROR, authenticated: true };
    assert_eq!(duel.victim.error(), Some(&expected));
}

/// What the server sends early is there when the client is done.
#[test]
fn a_ticket_and_a_key_update_wait_for_the_choice_of_a_certificate() {
    let mut duel = choosing_client();
    let early = [duel.rogue.perform(Step::NewSessionTicket), duel.rogue.key_update()];
    for record in &early {
        assert_eq!(duel.give(record), 0);
    }
    let Some(Event::Request(id, _)) = duel.victim.events.pop() else { panic!("a request") };
    let now = duel.victim.now();
    duel.victim.connection().answer(now, id, Answer::Credential(None)).unwrap();
    duel.listen();
    assert!(duel.victim.is_connected() && duel.rogue.peer_finished == Some(true));
    assert!(matches!(duel.victim.events[..], [Event::TicketReceived(_)]), "{:?}", duel.victim.events);
    duel.acknowledge();
    duel.rogue.next_keys();
    duel.talk();
}
