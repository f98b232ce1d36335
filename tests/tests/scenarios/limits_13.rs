//! The ends of a key's life in DTLS 1.3, with small limits (threat 77): new keys go on where they can, and where they cannot
//! the association ends and says so.

use drystone_handshake::message::KeyUpdateRequest;
use drystone_handshake::{CipherSuiteId, Discard, Error, HandshakeType, Misuse, Settings};
use drystone_record::{ConfidentialityLimit, Limits};
use drystone_tests::identity::settings_of_both;
use drystone_tests::rogue::{
    CLIENT_STEPS_13, Duel, Heard, SERVER_STEPS_13, Step, ended_by_forgeries, raw_unified_record,
};
use drystone_tests::scenario::{records, with_limits};

fn settings_with(limits: Limits) -> Settings {
    with_limits(settings_of_both(), CipherSuiteId::TLS_AES_128_GCM_SHA256, limits)
}

fn duels_with(limits: Limits) -> [Duel; 2] {
    Duel::connected_13(|| settings_with(limits))
}

fn forge(duel: &mut Duel, epoch: u64, count: u16) {
    for number in 0..count {
        duel.give(&raw_unified_record(epoch, number, &[3; 40]));
    }
}

#[test]
fn threat_77_half_of_the_forgeries_ask_for_new_keys_which_go_on_alone() {
    for mut duel in duels_with(Limits { forgeries: 16, ..Limits::NONE }) {
        forge(&mut duel, 3, 7);
        assert!(duel.rogue.key_updates().is_empty());
        forge(&mut duel, 3, 1);
        assert_eq!(duel.rogue.key_updates(), [1], "update_requested");
        forge(&mut duel, 3, 4);
        assert_eq!(duel.rogue.key_updates(), [1], "once");
        duel.acknowledge();
        duel.update_rogue();
        duel.talk();
        // The old key may be dropped at its limit; the new one has seen none.
        forge(&mut duel, 3, 100);
        assert!(duel.victim.error().is_none());
        duel.talk();
        // The next one counts anew.
        forge(&mut duel, 4, 8);
        assert_eq!(duel.rogue.key_updates(), [1, 1]);
        duel.acknowledge();
        duel.update_rogue();
        duel.talk();
    }
}

#[test]
fn threat_77_forgeries_end_an_association_whose_peer_keeps_its_keys() {
    for mut duel in duels_with(Limits { forgeries: 16, ..Limits::NONE }) {
        forge(&mut duel, 3, 15);
        assert!(duel.victim.error().is_none());
        duel.acknowledge();
        forge(&mut duel, 3, 1);
        ended_by_forgeries(&mut duel);
    }
}

/// During the handshake no keys can follow.
#[test]
fn threat_77_forgeries_end_a_handshake() {
    let limits = Limits { forgeries: 16, ..Limits::NONE };
    let mut client = Duel::client_13(settings_with(limits));
    client.play(&SERVER_STEPS_13[..2]);
    let server = Duel::server_13(settings_with(limits));
    for mut duel in [client, server] {
        forge(&mut duel, 2, 15);
        assert!(duel.victim.error().is_none());
        assert_eq!(duel.victim.discards(Discard::AuthenticationFailed), 15);
        forge(&mut duel, 2, 1);
        assert_eq!(duel.victim.error(), Some(&Error::ForgeryLimit));
    }
}

#[test]
fn threat_77_a_key_is_changed_at_seven_eighths_and_data_never_stops() {
    let blocks = Limits { confidentiality: ConfidentialityLimit::Blocks(128), ..Limits::NONE };
    for limits in [records(64), blocks] {
        for mut duel in duels_with(limits) {
            for packet in 0..1_000_u32 {
                let datagram = duel.victim.send(&packet.to_be_bytes());
                duel.rogue.hear([datagram]);
                assert_eq!(duel.rogue.heard.pop(), Some(Heard::Data(packet.to_be_bytes().to_vec())));
                let updates = duel.rogue.key_updates().len();
                duel.listen();
                if duel.rogue.key_updates().len() > updates {
                    assert_eq!(duel.rogue.key_updates().last(), Some(&0), "update_not_requested");
                    duel.acknowledge();
                }
            }
            let updates = duel.rogue.key_updates().len() as u64;
            assert!((16..=20).contains(&updates), "{updates} KeyUpdates for 1,000 packets");
            assert_eq!(duel.rogue.numbers_heard().last().unwrap().epoch, 3 + updates);
            assert!(duel.victim.events.is_empty());
        }
    }
}

/// A peer that never acknowledges the KeyUpdate: the key serves to its end, of which the peer is told.
#[test]
fn threat_77_a_key_that_cannot_be_changed_ends_the_association() {
    for mut duel in duels_with(records(64)) {
        let mut sent = 0;
        while duel.victim.connection().send(b"packet", &mut [0; 100]).is_ok() {
            sent += 1;
            duel.listen();
        }
        assert!((55..64).contains(&sent), "{sent}");
        duel.listen();
        assert_eq!(duel.victim.error(), Some(&Error::KeyLimit));
        assert_eq!(duel.rogue.alerts(), [0], "close_notify");
        assert_eq!(duel.victim.connection().send(b"packet", &mut [0; 100]), Err(Misuse::NotConnected));
    }
}

fn last_epoch(last_epoch: u64) -> Settings {
    let mut settings = settings_of_both();
    settings.limits.last_epoch = last_epoch;
    settings
}

/// RFC 9147 section 8: "sending implementations MUST NOT allow the epoch to exceed" the last.
#[test]
fn a_sender_stays_in_its_last_epoch() {
    for mut duel in Duel::connected_13(|| last_epoch(5)) {
        for _ in 0..2 {
            duel.victim.update_keys(false).unwrap();
            duel.listen();
            duel.acknowledge();
            duel.talk();
        }
        assert_eq!(duel.victim.update_keys(true), Err(Misuse::LastEpoch));
        // "and SHOULD instead ignore the "update_requested" flag".
        duel.rogue.request_update = KeyUpdateRequest::Requested;
        duel.update_rogue();
        assert_eq!(duel.pass(core::time::Duration::from_secs(100)), 0);
        assert_eq!(duel.rogue.key_updates().len(), 2);
        duel.talk();
        assert_eq!(duel.rogue.numbers_heard().last().unwrap().epoch, 5);
    }
}

/// "receiving implementations MUST NOT enforce this rule".
#[test]
fn a_receiver_follows_beyond_its_own_last_epoch() {
    for mut duel in Duel::connected_13(|| last_epoch(3)) {
        for _ in 0..10 {
            duel.update_rogue();
            duel.talk();
        }
        assert_eq!(duel.rogue.present_epoch(), 13);
    }
}

/// A used up key in the last epoch: nothing can follow it.
#[test]
fn a_key_of_the_last_epoch_ends_with_close_notify() {
    let settings = || {
        let mut settings = settings_with(records(64));
        settings.limits.last_epoch = 3;
        settings
    };
    for mut duel in Duel::connected_13(settings) {
        while duel.victim.connection().send(b"packet", &mut [0; 100]).is_ok() {
            duel.listen();
        }
        duel.listen();
        assert!(duel.rogue.key_updates().is_empty());
        assert_eq!(duel.victim.error(), Some(&Error::KeyLimit));
        assert_eq!(duel.rogue.alerts(), [0]);
    }
}

#[test]
fn an_association_ends_with_its_last_message_seq_and_never_wraps() {
    let settings = || {
        let mut settings = settings_of_both();
        settings.limits.last_message_seq = 8;
        settings
    };
    for mut duel in Duel::connected_13(settings) {
        let mut updates = 0;
        while duel.victim.error().is_none() {
            duel.victim.update_keys(false).unwrap();
            duel.listen();
            duel.acknowledge();
            updates += 1;
            assert!(updates < 20);
        }
        assert_eq!(duel.victim.error(), Some(&Error::KeyLimit));
        assert_eq!(duel.rogue.alerts(), [0], "close_notify");
        let last = duel.rogue.last(HandshakeType::KEY_UPDATE).unwrap();
        assert_eq!(last.message_seq, 8);
    }
}

/// A handshake that needs more numbers than there are fails, and neither wraps nor hangs.
#[test]
fn a_handshake_ends_with_the_last_message_seq() {
    let settings = |last| {
        let mut settings = settings_of_both();
        settings.limits.last_message_seq = last;
        settings
    };
    let server = Duel::server_13(settings(3));
    assert_eq!(server.victim.error(), Some(&Error::OwnMessageTooLarge));
    // Two hellos, and no number for Finished.
    let mut client = Duel::client_13(settings(0));
    client.play(&SERVER_STEPS_13);
    assert_eq!(client.victim.error(), Some(&Error::OwnMessageTooLarge));
    let mut enough = Duel::server_13(settings(5));
    enough.play(&CLIENT_STEPS_13);
    assert!(enough.victim.is_connected(), "{:?}", enough.victim.error());
}

/// The peer's numbers end where the field does.
#[test]
fn a_peers_message_seq_never_wraps() {
    for mut duel in Duel::usual_connected_13() {
        duel.rogue.next_message_seq = u16::MAX;
        let update = duel.rogue.perform_in(3, Step::KeyUpdate);
        duel.give(&update);
        assert_eq!(duel.victim.discards(Discard::MessageOutsideWindow), 1);
        duel.talk();
    }
}
