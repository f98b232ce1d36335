//! Records, epochs and what is not authenticated in DTLS 1.2: nothing forged or damaged moves a window, ends an association
//! or is delivered (threats 17, 19 to 22, 31 and 34 to 43).

use core::time::Duration;
use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use drystone_handshake::crypto::prf12::MasterSecret;
use drystone_handshake::crypto::{Secret, SharedSecret};
use drystone_handshake::{Discard, HandshakeType};
use drystone_record::{ContentType, RecordNumber};
use drystone_tests::identity::Identity;
use drystone_tests::link::{Direction, Fate, LinkSettings};
use drystone_tests::random::SplitMix64;
use drystone_tests::rogue::{
    CLIENT_STEPS, Cut, Duel, Heard, SERVER_STEPS, Script, Step, connects_and_talks, cut, fragment_header,
    raw_record, seal,
};
use drystone_tests::scenario::Variant;

const MAX_SEQUENCE: u64 = (1 << 48) - 1;

#[test]
fn threat_17_forged_number_does_not_move_window() {
    for mut duel in Duel::usual_connected() {
        for sequence in [MAX_SEQUENCE, MAX_SEQUENCE - 1, 1_000_000, 200] {
            for content_type in [ContentType::APPLICATION_DATA, ContentType::ALERT, ContentType::HANDSHAKE] {
                duel.give(&raw_record(content_type, RecordNumber { epoch: 1, sequence }, &[7; 40]));
            }
        }
        assert_eq!(duel.victim.discards(Discard::AuthenticationFailed), 12);
        duel.talk();
    }
}

/// What passed a link: every record of both directions.
fn records_of(variant: Variant, seed: u64) -> [Vec<Cut>; 2] {
    let seen = Rc::new(RefCell::new([Vec::new(), Vec::new()]));
    let mut pair = variant.pair(seed, LinkSettings::lossy(0.15));
    let notes = Rc::clone(&seen);
    pair.link.add_hook(move |passing| {
        notes.borrow_mut()[passing.direction as usize].extend(cut(&passing.bytes));
        Fate::Pass
    });
    assert!(pair.connect());
    for packet in 0..50 {
        pair.send(Direction::ToServer, &[packet]).unwrap();
        pair.send(Direction::ToClient, &[packet]).unwrap();
    }
    pair.run_for(Duration::from_secs(5));
    drop(pair);
    Rc::try_unwrap(seen).unwrap().into_inner()
}

#[test]
fn threat_19_threat_20_no_record_number_is_used_twice_under_one_key() {
    for variant in Variant::ALL {
        for seed in 0..10 {
            for records in records_of(variant, seed) {
                let protected: Vec<_> = records.iter().filter(|cut| cut.number.epoch == 1).collect();
                let numbers: HashSet<_> = protected.iter().map(|cut| cut.number.sequence).collect();
                assert_eq!(numbers.len(), protected.len(), "{variant:?} seed {seed}");
                assert!(protected.len() > 50);
            }
        }
    }
}

#[test]
fn threat_19_two_handshakes_have_different_keys() {
    let masters: HashSet<Vec<u8>> = Duel::usual_connected()
        .iter()
        .chain(&Duel::usual_connected())
        .map(|duel| duel.rogue.master.as_ref().unwrap().secret().expose().to_vec())
        .collect();
    assert_eq!(masters.len(), 4);
}

#[test]
fn threat_21_the_explicit_nonce_on_the_wire_is_the_record_number() {
    for records in records_of(Variant::Small, 3) {
        let mut protected = 0;
        for cut in records.iter().filter(|cut| cut.number.epoch == 1) {
            let nonce = (1 << 48 | cut.number.sequence).to_be_bytes();
            assert_eq!(cut.body[..8], nonce);
            protected += 1;
        }
        assert!(protected > 50);
    }
}

/// Each flight is sent again after the keys have changed, and the peer opens all of it.
#[test]
fn threat_22_a_repeated_flight_keeps_the_keys_of_each_message() {
    let mut duel = Duel::usual_client();
    duel.play(&SERVER_STEPS[..4]);
    for _ in 0..4 {
        duel.pass(Duration::from_secs(4));
    }
    let repeats = |msg_type| {
        duel.rogue
            .heard
            .iter()
            .filter(|heard| matches!(heard, Heard::Repeat(found, _) if *found == msg_type))
            .count()
    };
    assert!(repeats(HandshakeType::CLIENT_KEY_EXCHANGE) >= 4);
    assert!(repeats(HandshakeType::FINISHED) >= 4);
    assert_eq!(duel.rogue.unopened(), 0);
    connects_and_talks(&mut duel, &SERVER_STEPS[4..], "client");

    let mut duel = Duel::usual_server();
    duel.play(&CLIENT_STEPS[..2]);
    let finished = duel.rogue.message(Step::Finished).to_bytes();
    for _ in 0..5 {
        let repeat = duel.rogue.handshake_record(&finished);
        duel.give(&repeat);
        duel.pass(Duration::from_secs(1));
    }
    let changes = duel.rogue.heard.iter().filter(|heard| **heard == Heard::ChangeCipherSpec).count();
    assert_eq!(changes, 5, "the last flight and four repeats");
    assert_eq!(duel.rogue.unopened(), 0);
    duel.talk();
}

#[test]
fn threat_31_records_of_every_epoch_without_keys_abort_nothing() {
    let mut random = SplitMix64::new(31);
    for (mut duel, rest) in Script::V12.states() {
        for _ in 0..3_000 {
            let epoch = random.below(4);
            let content_type = ContentType(random.below(256) as u8);
            let mut body = vec![0; random.below(64) as usize];
            random.fill(&mut body);
            if epoch == 0 && matches!(content_type, ContentType::HANDSHAKE | ContentType::ALERT) {
                // Anybody can write those; rule 1d and 1f have tests of their own.
                continue;
            }
            if epoch == 0 && content_type == ContentType::CHANGE_CIPHER_SPEC && body == [1] {
                continue;
            }
            duel.give(&raw_record(
                content_type,
                RecordNumber { epoch, sequence: random.below(1 << 48) },
                &body,
            ));
        }
        assert!(duel.victim.error().is_none(), "{rest:?}: {:?}", duel.victim.error());
        connects_and_talks(&mut duel, rest, "after noise");
    }
}

#[test]
fn threat_31_arbitrary_datagrams_abort_nothing() {
    let mut random = SplitMix64::new(13);
    for (mut duel, rest) in Script::V12.states() {
        for _ in 0..2_000 {
            let mut datagram = vec![0; random.below(100) as usize];
            random.fill(&mut datagram);
            duel.give(&datagram);
        }
        connects_and_talks(&mut duel, rest, "after noise");
    }
}

#[test]
fn threat_34_application_data_between_change_cipher_spec_and_finished_is_dropped() {
    for mut duel in Script::V12.before_finished() {
        let mut early: Vec<_> = (0..100).map(|_| duel.rogue.data(&[5; 900])).collect();
        let heap = duel.victim.flood(&mut early);
        assert_eq!(heap.live_bytes, 0, "nothing is kept");
        assert_eq!(duel.victim.discards(Discard::EarlyApplicationData), 100);
        assert!(duel.victim.received.is_empty());
        connects_and_talks(&mut duel, &[Step::Finished], "after early data");
    }
}

#[test]
fn threat_35_plaintext_alerts_are_ignored_once_connected() {
    for mut duel in Duel::usual_connected() {
        for level in [1, 2] {
            for description in 0..=255 {
                let alert = duel.rogue.plaintext(ContentType::ALERT, &[level, description]);
                assert_eq!(duel.give(&alert), 0);
            }
        }
        assert_eq!(duel.victim.discards(Discard::StaleAlert), 512);
        assert!(duel.victim.events.is_empty());
        duel.talk();
    }
}

#[test]
fn threat_36_threat_37_every_short_record_is_dropped_in_every_state() {
    for (mut duel, rest) in Script::V12.states() {
        for epoch in [0, 1] {
            for length in 0..=64 {
                for content_type in
                    [ContentType::HANDSHAKE, ContentType::APPLICATION_DATA, ContentType::ALERT]
                {
                    if epoch == 0 && content_type == ContentType::ALERT {
                        continue;
                    }
                    // In epoch 0 these are fragments of a message far ahead.
                    let number = RecordNumber { epoch, sequence: 100 + length as u64 };
                    duel.give(&raw_record(content_type, number, &vec![0x63; length]));
                }
            }
        }
        assert!(duel.victim.received.is_empty());
        connects_and_talks(&mut duel, rest, "after short records");
    }
}

#[test]
fn threat_39_threat_41_plaintext_handshakes_leave_an_established_association_alone() {
    for mut duel in Duel::usual_connected() {
        for (message_seq, step) in (0..8).cycle().zip([
            Step::ClientHello,
            Step::HelloVerifyRequest,
            Step::HelloRequest,
            Step::ServerHello,
            Step::Certificate,
            Step::ServerHelloDone,
            Step::ClientKeyExchange,
        ]) {
            for number in [message_seq, 2, 3, 4, 5, 100] {
                duel.rogue.next_message_seq = number;
                let bytes = duel.rogue.message(step).to_bytes();
                let record = duel.rogue.plaintext(ContentType::HANDSHAKE, &bytes);
                assert_eq!(duel.give(&record), 0, "{step:?}");
            }
        }
        let finished = fragment_header(HandshakeType::FINISHED, 12, 5, 0, 0);
        let record = duel.rogue.plaintext(ContentType::HANDSHAKE, &finished);
        duel.give(&record);
        assert_eq!(duel.victim.discards(Discard::PlaintextAfterKeys), 43);
        assert!(duel.victim.events.is_empty());
        duel.talk();
    }
}

/// A spoofed hello with suites that nobody has, to a server in the middle of a handshake.
#[test]
fn threat_39_a_spoofed_hello_leaves_a_half_open_association_alone() {
    let mut duel = Duel::usual_server();
    let hello = {
        let mut spoofed =
            drystone_tests::rogue::Rogue::new(drystone_handshake::crypto::Side::Client, Identity::p256());
        spoofed.alter(Step::ClientHello, |body| {
            // The list of suites stands behind version, random, session id and cookie.
            let suites = 2 + 32 + 1 + 1 + 2;
            body[suites..suites + 2].copy_from_slice(&[0x00, 0x05]);
        });
        spoofed.message(Step::ClientHello)
    };
    for (sequence, message_seq) in [0, 1].into_iter().cycle().take(50).enumerate() {
        let mut copy = hello.clone();
        copy.message_seq = message_seq;
        let number = RecordNumber { epoch: 0, sequence: sequence as u64 };
        duel.give(&raw_record(ContentType::HANDSHAKE, number, &copy.to_bytes()));
    }
    assert!(duel.victim.error().is_none());
    connects_and_talks(&mut duel, &CLIENT_STEPS, "after spoofed hellos");
}

#[test]
fn threat_42_an_early_or_repeated_change_cipher_spec_only_counts() {
    for (mut duel, rest) in Script::V12.states() {
        let awaits_it = rest.first() == Some(&Step::ChangeCipherSpec);
        let was_read = !rest.contains(&Step::ChangeCipherSpec);
        for _ in 0..10 {
            let record = duel.rogue.plaintext(ContentType::CHANGE_CIPHER_SPEC, &[1]);
            assert_eq!(duel.give(&record), 0);
        }
        let counted = duel.victim.discards(Discard::UnexpectedChangeCipherSpec);
        assert_eq!(counted, if awaits_it { 9 } else { 10 }, "{rest:?}, read: {was_read}");
        connects_and_talks(&mut duel, rest, "after ChangeCipherSpec");
    }
}

/// ChangeCipherSpec and Finished under a master secret that an attacker can guess, in place of a key exchange
/// (CVE-2014-0224).
#[test]
fn threat_42_no_finished_under_a_guessed_master_secret_is_accepted() {
    for place in 0..SERVER_STEPS.len() - 1 {
        guess_the_secret(|| {
            let mut duel = Duel::usual_client();
            duel.play(&SERVER_STEPS[..place]);
            duel
        });
    }
    for place in 0..CLIENT_STEPS.len() - 1 {
        guess_the_secret(|| {
            let mut duel = Duel::usual_server();
            duel.play(&CLIENT_STEPS[..place]);
            duel
        });
    }
}

fn guess_the_secret(duel: impl Fn() -> Duel) {
    for guess in 0..3 {
        let mut duel = duel();
        let hmac = duel.rogue.suite.hmac;
        let empty = SharedSecret::from_slice(&[]);
        duel.rogue.assume_master(match guess {
            0 => MasterSecret::from_secret(hmac, Secret::from_slice(&[0; 48])),
            1 => MasterSecret::from_randoms(hmac, &empty, &duel.rogue.randoms),
            _ => MasterSecret::from_randoms(hmac, &SharedSecret::from_slice(&[0; 32]), &duel.rogue.randoms),
        });
        duel.play(&[Step::ChangeCipherSpec, Step::Finished]);
        let data = duel.rogue.data(b"forged");
        duel.give(&data);
        assert!(!duel.victim.is_connected(), "guess {guess}");
        assert!(duel.victim.received.is_empty(), "guess {guess}");
        assert!(duel.victim.error().is_none(), "guess {guess}: only dropped");
    }
}

#[test]
fn threat_43_a_flood_of_change_cipher_specs_changes_and_keeps_nothing() {
    for mut duel in Duel::usual_connected() {
        let mut flood: Vec<_> = (0..1_000)
            .map(|sequence| {
                raw_record(ContentType::CHANGE_CIPHER_SPEC, RecordNumber { epoch: 0, sequence }, &[1])
            })
            .collect();
        let heap = duel.victim.flood(&mut flood);
        assert_eq!((heap.count, heap.live_bytes), (0, 0));
        assert_eq!(duel.victim.discards(Discard::UnexpectedChangeCipherSpec), 1_000);
        duel.talk();
    }
}

/// Numbers far apart in any order: what the window admits arrives, and nothing twice.
#[test]
fn threat_20_packets_with_gaps_up_to_the_last_number_arrive_once() {
    for mut duel in Duel::usual_connected() {
        let mut packets = Vec::new();
        for sequence in [10, 100, 1 << 32, MAX_SEQUENCE - 1, MAX_SEQUENCE] {
            let epoch = duel.rogue.protected_epoch();
            epoch.set_next_sequence(sequence).unwrap();
            packets.push(seal(epoch, ContentType::APPLICATION_DATA, &sequence.to_be_bytes()));
        }
        for packet in packets.iter().chain(&packets) {
            duel.give(packet);
        }
        assert_eq!(duel.victim.received.len(), 5);
        assert!(duel.victim.is_connected());
    }
}
