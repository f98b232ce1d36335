//! The ends of a key's life: warnings, limits, and what the peer is told.

use std::sync::Arc;

use drystone_handshake::crypto::ring;
use drystone_handshake::{CipherSuiteId, Discard, Error, Event, Misuse, Settings};
use drystone_record::{ConfidentialityLimit, ContentType, Limits, RecordNumber};
use drystone_tests::identity::{Identity, server_config, settings};
use drystone_tests::rogue::{CLIENT_STEPS, Duel, Victim, ended_by_forgeries, raw_record};
use drystone_tests::scenario::{records, with_limits};

const SUITE: CipherSuiteId = CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;

fn settings_with(limits: Limits) -> Settings {
    with_limits(settings(), SUITE, limits)
}

fn duels_with(limits: Limits) -> [Duel; 2] {
    Duel::connected_12(|| settings_with(limits))
}

#[test]
fn a_key_warns_at_seven_eighths_and_ends_the_association_at_its_limit() {
    for mut duel in duels_with(records(80)) {
        let (mut sent, mut warned_at) = (0, None);
        let refusal = loop {
            if let Err(misuse) = duel.victim.connection().send(b"packet", &mut [0; 100]) {
                break misuse;
            }
            sent += 1;
            duel.victim.take_output();
            let warned = duel.victim.events.iter().any(|event| matches!(event, Event::KeysNearLimit));
            warned_at = warned_at.or(warned.then_some(sent));
        };
        // Finished was the first record, and the last is kept for close_notify.
        assert_eq!((refusal, sent, warned_at), (Misuse::KeyLimit, 78, Some(69)));
        let warnings =
            duel.victim.events.iter().filter(|event| matches!(event, Event::KeysNearLimit)).count();
        assert_eq!(warnings, 1, "once");
        duel.listen();
        assert_eq!(duel.victim.error(), Some(&Error::KeyLimit));
        assert_eq!(duel.victim.connection().send(b"packet", &mut [0; 100]), Err(Misuse::NotConnected));
    }
}

/// The key has room for the farewell: the peer is not left in the dark.
#[test]
fn the_peer_of_a_used_up_key_is_told_by_close_notify() {
    let blocks = Limits { confidentiality: ConfidentialityLimit::Blocks(100), ..Limits::NONE };
    for limits in [records(30), blocks] {
        for mut duel in duels_with(limits) {
            while duel.victim.connection().send(b"packet", &mut [0; 100]).is_ok() {}
            duel.listen();
            assert_eq!(duel.victim.error(), Some(&Error::KeyLimit));
            assert_eq!(duel.rogue.alerts(), [0]);
        }
    }
}

#[test]
fn too_many_forgeries_end_the_association() {
    let limits = Limits { forgeries: 16, ..Limits::NONE };
    for mut duel in duels_with(limits) {
        let forgery = |sequence| {
            raw_record(ContentType::APPLICATION_DATA, RecordNumber { epoch: 1, sequence }, &[3; 40])
        };
        for sequence in 100..115 {
            assert_eq!(duel.give(&forgery(sequence)), 0);
        }
        assert_eq!(duel.victim.discards(Discard::AuthenticationFailed), 15);
        duel.talk();
        duel.give(&forgery(115));
        ended_by_forgeries(&mut duel);
    }
}

/// What fails before authentication is no forgery: replays, unknown epochs, short records.
#[test]
fn only_failed_authentications_count_as_forgeries() {
    let limits = Limits { forgeries: 2, ..Limits::NONE };
    for mut duel in duels_with(limits) {
        let packet = duel.rogue.data(b"x");
        for sequence in 0..50 {
            duel.give(&packet);
            duel.give(&raw_record(
                ContentType::APPLICATION_DATA,
                RecordNumber { epoch: 2, sequence },
                &[3; 40],
            ));
            duel.give(&raw_record(
                ContentType::APPLICATION_DATA,
                RecordNumber { epoch: 1, sequence },
                &[3; 20],
            ));
            duel.give(&raw_record(ContentType::HEARTBEAT, RecordNumber { epoch: 1, sequence }, &[3; 40]));
        }
        duel.victim.received.clear();
        duel.talk();
    }
}

#[test]
fn the_limits_of_the_real_suites_are_those_of_the_rfcs() {
    for suite in ring::provider().cipher_suites.iter().filter(|suite| suite.fixed_iv_length() == 4) {
        // RFC 9325 section 4.4: 2^28 forgeries; RFC 9846 section 5.5: 2^24.5 full records.
        assert_eq!(suite.limits, Limits::AES_GCM_12, "{}", suite.id);
    }
    let chacha = ring::provider();
    let chacha = chacha.cipher_suite(CipherSuiteId::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256).unwrap();
    assert_eq!(chacha.limits, Limits::CHACHA20_POLY1305);
}

/// The configuration's limits bind its own keys only, and a server with them still serves many.
#[test]
fn each_association_has_limits_of_its_own() {
    let identity = Identity::p256();
    let config = server_config(settings_with(records(10)), identity);
    for _ in 0..3 {
        let mut duel = Duel::with_server(Victim::server(Arc::clone(&config)), identity);
        duel.greet();
        duel.play(&CLIENT_STEPS);
        for _ in 0..5 {
            duel.talk();
        }
    }
}
