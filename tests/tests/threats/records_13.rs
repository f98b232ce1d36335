//! Records, epochs and what is not authenticated in DTLS 1.3: nothing forged moves a window, a timer or a state, ends an
//! association or is delivered (threats 16, 17, 19 to 22, 31, 34, 35, 37 and 43).

use core::time::Duration;
use std::collections::HashSet;

use drystone_handshake::message::{ClientHello, ServerHello};
use drystone_handshake::{ClientAuth, Discard, HandshakeType, Instant, Settings};
use drystone_record::{ContentType, RecordNumber};
use drystone_tests::identity::settings_of_both;
use drystone_tests::random::SplitMix64;
use drystone_tests::rogue::alert::UNEXPECTED_MESSAGE;
use drystone_tests::rogue::{
    CERTIFIED_CLIENT_STEPS_13, CLIENT_STEPS_13, Duel, Heard, Message, SERVER_STEPS_13, Scene, Script, Step,
    ack_body, connects_and_talks, fragment_header, raw_record, raw_unified_record,
};

/// Those that have opened a record under keys, which proves that somebody has them.
fn keyed_duels() -> Vec<Scene> {
    let mut duels = Script::V13.states();
    duels.retain(|(duel, rest)| duel.victim.is_connected() || (1..=3).contains(&rest.len()));
    // But not the server that has heard nothing but a hello.
    duels.retain(|(duel, _)| duel.victim.is_connected() || duel.victim.gate.is_none());
    let mut server = Duel::asking_server_13(settings_of_both(), ClientAuth::Require);
    server.play(&CERTIFIED_CLIENT_STEPS_13[..1]);
    duels.push((server, &CERTIFIED_CLIENT_STEPS_13[1..]));
    assert_eq!(duels.len(), 6);
    duels
}

#[test]
fn threat_16_of_records_of_epochs_without_keys_two_are_kept() {
    for (mut duel, rest) in Script::V13.states() {
        let mut flood: Vec<_> = (0..10_000_u16)
            .map(|number| raw_unified_record(u64::from(number % 4), number, &[5; 900]))
            .collect();
        let heap = duel.victim.flood(&mut flood);
        // A client before ServerHello: nobody else waits for the keys of the next epoch.
        let most = if rest.contains(&Step::ServerHello) { 2048 } else { 0 };
        assert!(heap.live_bytes <= most && heap.peak_bytes <= most as u64, "{rest:?}: {heap:?}");
        duel.listen();
        connects_and_talks(&mut duel, rest, "after a flood");
    }
}

#[test]
fn threat_17_forged_number_does_not_move_window() {
    for mut duel in Duel::usual_connected_13() {
        let mut random = SplitMix64::new(17);
        for _ in 0..1_000 {
            let mut body = [0; 60];
            random.fill(&mut body);
            duel.give(&raw_unified_record(3, random.next_u64() as u16, &body));
        }
        assert_eq!(duel.victim.discards(Discard::AuthenticationFailed), 1_000);
        duel.talk();
    }
}

/// With retransmissions, KeyUpdates and data on the way.
#[test]
fn threat_19_threat_20_no_record_number_is_used_twice_under_one_key() {
    for (mut duel, steps) in Script::V13.beginnings() {
        duel.pass(Duration::from_secs(2));
        duel.play(steps);
        duel.pass(Duration::from_secs(2));
        duel.acknowledge();
        for round in 0..8 {
            duel.talk();
            duel.victim.update_keys(false).unwrap();
            duel.listen();
            duel.pass(Duration::from_secs(1));
            duel.talk();
            duel.acknowledge();
            let epoch = 3 + round;
            let last = duel.rogue.numbers_heard().iter().map(|number| number.epoch).max();
            assert_eq!(last, Some(epoch), "the new keys come with the ACK");
        }
        let numbers = duel.rogue.numbers_heard();
        let protected: Vec<_> = numbers.iter().filter(|number| number.epoch > 0).collect();
        let distinct: HashSet<_> = protected.iter().map(|number| (number.epoch, number.sequence)).collect();
        assert_eq!(distinct.len(), protected.len());
        assert!(distinct.len() > 24, "{}", distinct.len());
        assert_eq!(duel.rogue.unopened(), 0);
    }
}

/// Neither what goes into the keys nor what comes of them.
#[test]
fn threat_19_two_handshakes_have_different_keys() {
    let mut drawn = HashSet::new();
    let mut exported = HashSet::new();
    for mut duel in Duel::usual_connected_13().into_iter().chain(Duel::usual_connected_13()) {
        let hello = |msg_type| duel.rogue.last(msg_type).map(|message| message.body.clone());
        if let Some(body) = hello(HandshakeType::CLIENT_HELLO) {
            let hello = ClientHello::decode(&body).unwrap();
            let share = hello.extensions.key_share.unwrap().iter().next().unwrap();
            drawn.extend([hello.random.to_vec(), share.key_exchange.to_vec()]);
        } else {
            let body = hello(HandshakeType::SERVER_HELLO).unwrap();
            let hello = ServerHello::decode(&body).unwrap();
            let share = hello.extensions.key_share.unwrap();
            drawn.extend([hello.random.to_vec(), share.key_exchange.to_vec()]);
        }
        let mut key = [0; 32];
        duel.victim.connection().export_keying_material(b"keys", None, &mut key).unwrap();
        exported.insert(key);
    }
    assert_eq!((drawn.len(), exported.len()), (8, 4));
}

/// RFC 9147 section 4.2.2: the nonce is the number, and the number is in the mask. The rogue opens with the same record layer,
/// whose own tests hold the nonce to its formula.
#[test]
fn threat_21_the_nonce_is_the_record_number() {
    for mut duel in Duel::usual_connected_13() {
        let before = duel.rogue.numbers_heard().len();
        let mut packets = HashSet::new();
        for _ in 0..500 {
            let packet = duel.victim.send(&[0; 64]);
            assert!(packets.insert(packet[5..].to_vec()), "the same plaintext never looks the same");
            duel.rogue.hear([packet]);
        }
        let numbers = &duel.rogue.numbers_heard()[before..];
        assert!(numbers.windows(2).all(|pair| pair[0].sequence + 1 == pair[1].sequence), "one by one");
        assert_eq!((numbers.len(), duel.rogue.unopened()), (500, 0));
    }
}

#[test]
fn threat_22_a_repeated_flight_keeps_the_keys_of_each_message() {
    // The server's flight crosses the change from plaintext to epoch 2.
    let mut server = Duel::usual_server_13();
    for round in 0..4 {
        let before = server.rogue.numbers_heard().len();
        assert!(server.pass(Duration::from_secs(1 << round)) > 0);
        let epochs: HashSet<_> =
            server.rogue.numbers_heard()[before..].iter().map(|number| number.epoch).collect();
        assert_eq!(epochs, HashSet::from([0, 2]));
    }
    server.play(&CLIENT_STEPS_13);
    assert!(server.victim.is_connected());
    // The client's Finished stays in epoch 2, while data goes out in epoch 3.
    let mut client = Duel::usual_client_13();
    client.play(&SERVER_STEPS_13);
    assert_eq!(client.rogue.peer_finished, Some(true));
    for packet in 0..5 {
        let datagram = client.victim.send(&[packet]);
        client.rogue.hear([datagram]);
        let before = client.rogue.handshakes_heard().len();
        assert!(client.pass(Duration::from_secs(2 << packet)) > 0);
        let repeated = &client.rogue.handshakes_heard()[before..];
        assert!(!repeated.is_empty() && repeated.iter().all(|number| number.epoch == 2), "{repeated:?}");
    }
    client.acknowledge();
    assert_eq!(client.pass(Duration::from_secs(60)), 0, "until it is acknowledged");
    // A KeyUpdate stays in the epoch that it ends.
    for mut duel in [client, server] {
        duel.acknowledge();
        duel.victim.update_keys(false).unwrap();
        let before = duel.rogue.handshakes_heard().len();
        duel.listen();
        duel.pass(Duration::from_secs(5));
        let epochs: HashSet<_> =
            duel.rogue.handshakes_heard()[before..].iter().map(|number| number.epoch).collect();
        assert_eq!(epochs, HashSet::from([3]));
        duel.acknowledge();
        duel.talk();
        assert_eq!(duel.rogue.unopened(), 0);
        assert_eq!(duel.rogue.numbers_heard().last().unwrap().epoch, 4);
    }
}

#[test]
fn threat_31_records_of_every_epoch_without_keys_abort_nothing() {
    for (mut duel, rest) in Script::V13.states() {
        let mut random = SplitMix64::new(31);
        for epoch in 0..4 {
            for first in (0..32).map(|bits| 0x20 | bits) {
                for length in [0, 1, 15, 16, 17, 40, 200] {
                    let mut record = raw_unified_record(epoch, 9, &vec![0; length]);
                    random.fill(&mut record[5..]);
                    record[0] = first;
                    duel.give(&record);
                }
            }
            for content_type in 0..=255 {
                let number = RecordNumber { epoch, sequence: 5 };
                duel.give(&raw_record(ContentType(content_type), number, &[0xff; 11]));
            }
        }
        assert!(duel.victim.events.is_empty(), "{rest:?}: {:?}", duel.victim.events);
        connects_and_talks(&mut duel, rest, "after records without keys");
    }
}

/// What comes under later keys may have overtaken Finished.
#[test]
fn threat_34_application_data_before_finished_is_dropped() {
    for mut duel in Script::V13.before_finished() {
        let finished = duel.rogue.perform(Step::Finished);
        let mut early: Vec<_> =
            (0..100).map(|_| duel.rogue.record_in(3, ContentType::APPLICATION_DATA, &[5; 900])).collect();
        let heap = duel.victim.flood(&mut early);
        assert_eq!(heap.live_bytes, 0, "nothing is kept");
        assert!(duel.victim.received.is_empty());
        duel.give(&finished);
        assert!(duel.victim.is_connected());
        duel.talk();
    }
}

/// The keys of the handshake protect the handshake alone: whoever writes data with them has them, and breaks the rule.
#[test]
fn threat_34_application_data_under_the_keys_of_the_handshake_is_unexpected() {
    for is_connected in [false, true] {
        let duels = if is_connected { Duel::usual_connected_13() } else { Script::V13.before_finished() };
        for mut duel in duels {
            let data = duel.rogue.record_in(2, ContentType::APPLICATION_DATA, b"too early");
            duel.give(&data);
            assert_eq!(duel.rogue.alerts(), [UNEXPECTED_MESSAGE], "{:?}", duel.victim.error());
            assert!(duel.victim.received.is_empty() && !duel.victim.is_connected());
        }
    }
    // Nobody can do so without the keys.
    for mut duel in Script::V13.before_finished() {
        duel.give(&raw_unified_record(2, 7, &[5; 60]));
        assert!(duel.rogue.alerts().is_empty() && duel.victim.error().is_none());
    }
}

/// All that moves by time and message; counters do not.
fn state(duel: &mut Duel) -> (String, Option<Instant>) {
    let connection = duel.victim.connection();
    (format!("{connection:?}"), connection.poll_timeout())
}

/// A message as anybody can write it, with this number.
fn forged(msg_type: HandshakeType, message_seq: u16, body: &[u8]) -> Vec<u8> {
    let message = Message { msg_type, message_seq, body: body.to_vec() };
    raw_record(ContentType::HANDSHAKE, RecordNumber { epoch: 0, sequence: 77 }, &message.to_bytes())
}

/// Hellos and questions that were right at some time, of the types that are in plaintext.
fn forged_messages() -> Vec<Vec<u8>> {
    let mut client = Duel::usual_server_13().rogue;
    let mut server = Duel::usual_client_13().rogue;
    server.cookie = vec![7; 16];
    let bodies = [
        (HandshakeType::CLIENT_HELLO, client.message(Step::ClientHello).body),
        (HandshakeType::SERVER_HELLO, server.message(Step::HelloRetryRequest).body),
        (HandshakeType::SERVER_HELLO, server.message(Step::ServerHello).body),
        (HandshakeType::HELLO_VERIFY_REQUEST, server.message(Step::HelloVerifyRequest).body),
        (HandshakeType::HELLO_REQUEST, Vec::new()),
        (HandshakeType::FINISHED, vec![1; 32]),
        (HandshakeType::KEY_UPDATE, vec![1]),
        (HandshakeType::CERTIFICATE, vec![0; 40]),
    ];
    let number =
        |message_seq| move |(msg_type, body): &(HandshakeType, Vec<u8>)| forged(*msg_type, message_seq, body);
    (0..12).flat_map(|message_seq| bodies.iter().map(number(message_seq)).collect::<Vec<_>>()).collect()
}

/// Alerts, ACKs, hellos, questions and ChangeCipherSpecs.
#[test]
fn threat_35_nothing_in_plaintext_moves_a_keyed_association() {
    let mut forgeries = forged_messages();
    let plain = |content_type, payload: &[u8]| {
        raw_record(content_type, RecordNumber { epoch: 0, sequence: 78 }, payload)
    };
    for level in [1, 2] {
        forgeries.extend((0..=255).map(|description| plain(ContentType::ALERT, &[level, description])));
    }
    let numbers: Vec<_> =
        (0..4).flat_map(|epoch| (0..8).map(move |sequence| RecordNumber { epoch, sequence })).collect();
    forgeries.push(plain(ContentType::ACK, &ack_body(&numbers)));
    forgeries.push(plain(ContentType::ACK, &ack_body(&[])));
    forgeries.push(plain(ContentType::CHANGE_CIPHER_SPEC, &[1]));
    forgeries.push(plain(ContentType::APPLICATION_DATA, b"forged"));
    forgeries.push(plain(ContentType::HANDSHAKE, &fragment_header(HandshakeType::FINISHED, 32, 5, 0, 0)));
    for (mut duel, rest) in keyed_duels() {
        let before = state(&mut duel);
        let counted = duel.victim.connection().stats().total();
        for forgery in &forgeries {
            assert_eq!(duel.give(forgery), 0, "{rest:?}: answered {forgery:02x?}");
            assert_eq!(state(&mut duel), before, "{rest:?}: moved by {forgery:02x?}");
        }
        let counted = duel.victim.connection().stats().total() - counted;
        assert_eq!(counted, forgeries.len() as u64, "each is counted");
        let heap = duel.victim.flood(&mut forgeries.clone());
        assert_eq!(heap.live_bytes, 0);
        assert!(duel.victim.events.is_empty(), "{:?}", duel.victim.events);
        connects_and_talks(&mut duel, rest, "after forgeries");
    }
}

#[test]
fn threat_37_every_short_record_is_dropped_in_every_state() {
    for (mut duel, rest) in Script::V13.states() {
        for epoch in 0..4 {
            for length in 0..=64 {
                let whole = raw_unified_record(epoch, 3, &vec![8; length]);
                let first = whole[0];
                // With the length left out, and with a short number: then what is left of the datagram is the record.
                let compact = [&[first & !0x04][..], &whole[1..3], &whole[5..]].concat();
                let shortest = [&[first & !0x0c][..], &whole[1..2], &whole[5..]].concat();
                for record in [whole, compact, shortest] {
                    for end in [record.len(), record.len() - 1, record.len().min(4)] {
                        duel.give(&record[..end]);
                    }
                }
            }
        }
        assert!(duel.victim.events.is_empty() && duel.victim.received.is_empty());
        connects_and_talks(&mut duel, rest, "after short records");
    }
}

#[test]
fn threat_43_a_flood_of_change_cipher_specs_changes_and_keeps_nothing() {
    for (mut duel, rest) in Script::V13.states() {
        let mut flood: Vec<_> =
            (0..1_000).map(|_| duel.rogue.plaintext(ContentType::CHANGE_CIPHER_SPEC, &[1])).collect();
        let before = state(&mut duel);
        let heap = duel.victim.flood(&mut flood);
        assert_eq!((heap.count, heap.live_bytes), (0, 0));
        assert_eq!(state(&mut duel), before);
        assert_eq!(duel.victim.connection().stats().total(), 1_000);
        connects_and_talks(&mut duel, rest, "after ChangeCipherSpecs");
    }
    // Once the version is decided, epoch 0 does not even admit them.
    for (mut duel, rest) in keyed_duels() {
        for _ in 0..10 {
            let record = duel.rogue.plaintext(ContentType::CHANGE_CIPHER_SPEC, &[1]);
            duel.give(&record);
        }
        assert_eq!(duel.victim.discards(Discard::UnexpectedContentType), 10, "{rest:?}");
    }
}

/// A plaintext alert before there are keys is remembered, and forgotten when the handshake goes on; alone, it ends the
/// handshake when the timer does.
#[test]
fn a_plaintext_alert_before_keys_waits_for_the_timer() {
    let mut believed = Duel::usual_client_13();
    let alert = believed.rogue.plaintext(ContentType::ALERT, &[2, 40]);
    believed.give(&alert);
    assert!(believed.victim.error().is_none());
    believed.pass(Duration::from_millis(500));
    assert!(believed.victim.error().is_some());
    let mut forgotten = Duel::usual_client_13();
    forgotten.give(&alert);
    connects_and_talks(&mut forgotten, &SERVER_STEPS_13, "after an alert that was none");
    let mut settings: Settings = settings_of_both();
    settings.plaintext_alert_grace = false;
    let mut at_once = Duel::client_13(settings);
    at_once.give(&alert);
    assert!(at_once.victim.error().is_some());
}

/// What the rogue hears of a connected victim that is left alone: nothing.
#[test]
fn an_acknowledged_association_is_silent() {
    for mut duel in Duel::usual_connected_13() {
        assert_eq!(duel.pass(Duration::from_secs(1_000)), 0);
        assert!(duel.victim.is_connected());
        assert!(!duel.rogue.heard.iter().any(|heard| matches!(heard, Heard::Alert { .. })));
    }
}
