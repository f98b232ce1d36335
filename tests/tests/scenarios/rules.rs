//! The protocol rules that decide what ends an association, what is repeated when, and how it closes.

use core::time::Duration;

use drystone_handshake::{
    AlertDescription, CloseReason, Connection, Discard, Error, Event, HandshakeType, Instant, Misuse, Path,
};
use drystone_record::{ContentType, RecordNumber};
use drystone_tests::clock::Clock;
use drystone_tests::identity::{Identity, client_config, server_config, settings};
use drystone_tests::link::{Direction, LinkSettings};
use drystone_tests::rogue::alert::UNEXPECTED_MESSAGE;
use drystone_tests::rogue::{
    CLIENT_STEPS, Duel, Heard, SERVER_STEPS, Script, Step, Victim, cut, fragment_header, raw_record, start,
};
use drystone_tests::scenario::Variant;

// ---- rule 1: which faults end an association ----

/// A fragment without a byte of its message says nothing (RFC 9147 section 5.5). What shares its record is taken, and the
/// record acknowledged.
#[test]
fn row_g_an_authenticated_empty_fragment_is_passed_over() {
    for mut duel in Duel::usual_connected_13() {
        let before = duel.rogue.acks().len();
        let update = duel.rogue.message(Step::KeyUpdate);
        let payload = [update.fragment(0, 0), update.to_bytes(), update.fragment(1, 0)].concat();
        let record = duel.rogue.record(ContentType::HANDSHAKE, &payload);
        duel.give(&record);
        assert_eq!(duel.rogue.acks().len(), before + 1);
        duel.rogue.next_keys();
        duel.talk();
    }
    for script in Script::BOTH {
        for mut duel in script.before_finished() {
            let epoch = duel.rogue.epoch_of(Step::Finished);
            let finished = duel.rogue.message(Step::Finished);
            for part in [finished.fragment(3, 0), finished.fragment(0, 0), finished.to_bytes()] {
                let record = duel.rogue.record_in(epoch, ContentType::HANDSHAKE, &part);
                duel.give(&record);
            }
            assert!(duel.victim.is_connected(), "{} {:?}", script.version, duel.victim.error());
        }
    }
}

/// A copy of Finished is a repeat; one with a number of its own is a second one.
#[test]
fn row_g_a_second_finished_is_unexpected() {
    for script in Script::BOTH {
        for mut duel in script.before_finished() {
            let epoch = duel.rogue.epoch_of(Step::Finished);
            let finished = duel.rogue.message(Step::Finished).to_bytes();
            for _ in 0..3 {
                let record = duel.rogue.record_in(epoch, ContentType::HANDSHAKE, &finished);
                duel.give(&record);
                assert!(duel.victim.is_connected(), "{} {:?}", script.version, duel.victim.error());
            }
            let second = duel.rogue.message(Step::Finished).to_bytes();
            let record = duel.rogue.record_in(epoch, ContentType::HANDSHAKE, &second);
            duel.give(&record);
            assert!(duel.victim.error().is_some(), "{}", script.version);
            assert_eq!(
                duel.rogue.alerts(),
                [UNEXPECTED_MESSAGE],
                "{} {:?}",
                script.version,
                duel.victim.error()
            );
        }
    }
}

#[test]
fn row_a_records_that_cannot_be_opened_are_discarded() {
    for mut duel in Duel::usual_connected() {
        let packet = duel.rogue.data(b"once");
        duel.give(&packet);
        let mut reasons = Vec::new();
        for (record, reason) in [
            (packet[..20].to_vec(), Discard::Truncated),
            (
                raw_record(ContentType(99), RecordNumber { epoch: 1, sequence: 50 }, &[1; 40]),
                Discard::UnknownRecordType,
            ),
            (
                raw_record(ContentType::HEARTBEAT, RecordNumber { epoch: 1, sequence: 50 }, &[1; 40]),
                Discard::UnexpectedContentType,
            ),
            (
                raw_record(ContentType::ALERT, RecordNumber { epoch: 2, sequence: 50 }, &[1; 40]),
                Discard::FutureEpoch,
            ),
            (
                raw_record(ContentType::ALERT, RecordNumber { epoch: 1, sequence: 50 }, &[1; 8]),
                Discard::TooShort,
            ),
            (
                raw_record(ContentType::ALERT, RecordNumber { epoch: 1, sequence: 50 }, &[1; 40]),
                Discard::AuthenticationFailed,
            ),
            (packet.clone(), Discard::Replayed),
        ] {
            let before = duel.victim.discards(reason);
            assert_eq!(duel.give(&record), 0, "{reason:?}");
            assert_eq!(duel.victim.discards(reason) - before, 1, "{reason:?}");
            reasons.push(reason);
        }
        assert_eq!(reasons.len(), 7);
        duel.victim.received.clear();
        duel.talk();
    }
}

#[test]
fn row_b_fragments_that_contradict_or_exceed_are_discarded() {
    let mut duel = Duel::usual_client();
    duel.play(&[Step::ServerHello]);
    let fragment = |msg_type, length, seq, offset, size: usize| {
        [&fragment_header(msg_type, length, seq, offset, size as u32)[..], &vec![0; size]].concat()
    };
    let certificate = HandshakeType::CERTIFICATE;
    for (bytes, reason) in [
        (fragment(certificate, 100, 1, 0, 10), None),
        // The pieces before it are.
        (fragment(certificate, 101, 1, 10, 10), Some(Discard::ContradictingFragment)),
        (fragment(HandshakeType::FINISHED, 100, 1, 10, 10), Some(Discard::PlaintextAfterKeys)),
        // Not in this place.
        (fragment(HandshakeType::SERVER_KEY_EXCHANGE, 100, 1, 10, 10), Some(Discard::MessageOutsideWindow)),
        (fragment(HandshakeType::CLIENT_KEY_EXCHANGE, 100, 3, 10, 10), Some(Discard::MessageOutsideWindow)),
        (fragment(certificate, 66_001, 1, 0, 10), Some(Discard::FragmentBeyondLimit)),
        (fragment(certificate, 20, 1, 15, 10), Some(Discard::MalformedFragment)),
        (fragment(certificate, 100, 9, 0, 10), Some(Discard::MessageOutsideWindow)),
    ] {
        let before = reason.map(|reason| duel.victim.discards(reason));
        let record = duel.rogue.handshake_record(&bytes);
        assert_eq!(duel.give(&record), 0);
        let after = before.map(|before| before + 1);
        assert_eq!(reason.map(|reason| duel.victim.discards(reason)), after, "{reason:?}");
    }
    assert!(duel.victim.error().is_none());
}

#[test]
fn row_c_a_server_without_a_good_cookie_discards_or_asks() {
    let identity = Identity::p256();
    let mut duel = Duel::with_server(Victim::server(server_config(settings(), identity)), identity);
    let number = RecordNumber { epoch: 0, sequence: 0 };
    for (content_type, body) in [
        (ContentType::ALERT, vec![2, 40]),
        (ContentType::CHANGE_CIPHER_SPEC, vec![1]),
        (ContentType::APPLICATION_DATA, vec![1; 50]),
        (ContentType::HANDSHAKE, fragment_header(HandshakeType::FINISHED, 12, 0, 0, 0).to_vec()),
        (ContentType::HANDSHAKE, vec![1; 100]),
    ] {
        assert_eq!(duel.give(&raw_record(content_type, number, &body)), 0);
    }
    duel.play(&[Step::ClientHello]);
    assert!(duel.victim.connection.is_none());
    assert!(duel.rogue.last(HandshakeType::HELLO_VERIFY_REQUEST).is_some());
}

#[test]
fn row_d_a_whole_expected_plaintext_message_that_offends_is_fatal() {
    // Of the wrong type, not decodable, and against a rule.
    let mut wrong_type = Duel::usual_client();
    wrong_type.play(&[Step::Certificate]);
    let mut undecodable = Duel::usual_client();
    undecodable.rogue.alter(Step::ServerHello, |body| body.truncate(20));
    undecodable.play(&[Step::ServerHello]);
    let mut offends = Duel::usual_client();
    offends.rogue.alter(Step::ServerHello, |body| body[0] = 1);
    offends.play(&[Step::ServerHello]);
    for (duel, alert) in [(wrong_type, 10), (undecodable, 50), (offends, 70)] {
        assert!(duel.victim.error().is_some());
        assert_eq!(duel.rogue.heard.last(), Some(&Heard::Alert { epoch: 0, level: 2, description: alert }));
        assert!(matches!(duel.victim.events[..], [Event::Failed(_)]));
    }
}

#[test]
fn row_e_plaintext_after_the_handshake_never_ends_it() {
    for mut duel in Duel::usual_connected() {
        let hello = duel.rogue.message(Step::ClientHello).to_bytes();
        for (content_type, payload) in [
            (ContentType::HANDSHAKE, hello),
            (ContentType::HANDSHAKE, vec![0xff; 30]),
            (ContentType::ALERT, vec![2, 40]),
            (ContentType::ALERT, vec![1, 0]),
            (ContentType::ALERT, vec![9]),
            (ContentType::CHANGE_CIPHER_SPEC, vec![1]),
        ] {
            let record = duel.rogue.plaintext(content_type, &payload);
            assert_eq!(duel.give(&record), 0, "{content_type:?}");
        }
        assert!(duel.victim.events.is_empty());
        duel.talk();
    }
}

#[test]
fn row_f_a_plaintext_alert_waits_for_the_next_retransmission() {
    let mut duel = Duel::usual_client();
    let alert = duel.rogue.alert(2, 40);
    duel.give(&alert);
    assert!(duel.victim.error().is_none(), "remembered, not obeyed");
    duel.pass(Duration::from_millis(399));
    assert!(duel.victim.error().is_none());
    duel.pass(Duration::from_millis(1));
    let expected =
        Error::AlertReceived { description: AlertDescription::HANDSHAKE_FAILURE, authenticated: false };
    assert_eq!(duel.victim.error(), Some(&expected));
    assert!(duel.rogue.alerts().is_empty(), "no alert answers an alert");
}

#[test]
fn row_f_any_accepted_message_clears_a_plaintext_alert() {
    for place in 0..4 {
        let mut duel = Duel::usual_client();
        duel.play(&SERVER_STEPS[..place]);
        let alert = duel.rogue.alert(2, 40);
        duel.give(&alert);
        duel.play(&SERVER_STEPS[place..=place]);
        duel.pass(Duration::from_secs(3));
        duel.play(&SERVER_STEPS[place + 1..]);
        assert!(duel.victim.is_connected(), "after step {place}: {:?}", duel.victim.error());
    }
}

#[test]
fn row_f_without_grace_a_plaintext_alert_is_obeyed_at_once() {
    let mut hasty = settings();
    hasty.plaintext_alert_grace = false;
    let mut duel = Duel::client_12(hasty);
    let alert = duel.rogue.alert(2, 40);
    duel.give(&alert);
    assert!(matches!(duel.victim.error(), Some(Error::AlertReceived { authenticated: false, .. })));
}

#[test]
fn row_f_plaintext_warnings_and_broken_alerts_only_count() {
    let mut duel = Duel::usual_client();
    for payload in [&[1, 90][..], &[1, 100], &[1, 112], &[2], &[2, 40, 0], &[]] {
        let record = duel.rogue.plaintext(ContentType::ALERT, payload);
        duel.give(&record);
    }
    duel.pass(Duration::from_secs(2));
    duel.play(&SERVER_STEPS);
    assert!(duel.victim.is_connected(), "{:?}", duel.victim.error());
}

/// Only a record that was opened proves that the peer has keys: a forged ChangeCipherSpec does not silence a server
/// that refuses us.
#[test]
fn row_f_a_forged_change_cipher_spec_does_not_silence_an_alert() {
    let mut duel = Duel::usual_client();
    duel.play(&SERVER_STEPS[..5]);
    let alert = duel.rogue.plaintext(ContentType::ALERT, &[2, 42]);
    duel.give(&alert);
    duel.pass(Duration::from_secs(2));
    assert!(matches!(duel.victim.error(), Some(Error::AlertReceived { authenticated: false, .. })));
}

#[test]
fn row_g_faults_inside_authenticated_records_are_fatal() {
    type Fault = fn(&mut Duel) -> Vec<u8>;
    let faults: [(Fault, u8); 5] = [
        (|duel| duel.rogue.alert(7, 40)[..].to_vec(), 0),
        (|duel| duel.rogue.record(ContentType::ALERT, &[2]), 50),
        (|duel| duel.rogue.record(ContentType::HANDSHAKE, &[1, 2, 3]), 50),
        (|duel| duel.rogue.record(ContentType::HANDSHAKE, &[]), 50),
        (|duel| duel.rogue.perform(Step::ServerHelloDone), 10),
    ];
    for (fault, alert) in faults {
        for mut duel in Duel::usual_connected() {
            let record = fault(&mut duel);
            duel.give(&record);
            if alert == 0 {
                // A level that is neither warning nor fatal is no warning to rely on; it ends nothing either.
                assert!(duel.victim.is_connected());
                continue;
            }
            assert!(duel.victim.error().is_some(), "alert {alert}");
            assert_eq!(duel.rogue.alerts(), [alert]);
        }
    }
}

#[test]
fn row_g_a_protected_fatal_alert_ends_the_association_without_an_answer() {
    for mut duel in Duel::usual_connected() {
        let alert = duel.rogue.alert(2, 80);
        assert_eq!(duel.give(&alert), 0);
        let expected =
            Error::AlertReceived { description: AlertDescription::INTERNAL_ERROR, authenticated: true };
        assert_eq!(duel.victim.error(), Some(&expected));
    }
}

#[test]
fn protected_warnings_end_nothing() {
    for mut duel in Duel::usual_connected() {
        for description in [90, 100, 112, 255] {
            let alert = duel.rogue.alert(1, description);
            assert_eq!(duel.give(&alert), 0);
        }
        duel.talk();
    }
}

/// A payload of more than 2^14 bytes under the right keys.
#[test]
fn row_g_an_oversized_record_is_record_overflow() {
    for mut duel in Duel::usual_connected() {
        let fits = duel.rogue.data(&vec![1; 1 << 14]);
        duel.give(&fits);
        assert_eq!(duel.victim.received.pop().map(|data| data.len()), Some(1 << 14));
        assert!(duel.victim.error().is_none());
    }
}

// ---- rule 4: HelloVerifyRequest, and servers without ----

#[test]
fn the_question_repeats_the_record_number_and_the_server_goes_on_from_the_second_hellos() {
    let identity = Identity::p256();
    let mut duel = Duel::with_server(Victim::server(server_config(settings(), identity)), identity);
    // Lost hellos: numbers 0 to 6 never arrive.
    for _ in 0..7 {
        duel.rogue.plaintext(ContentType::HANDSHAKE, &[1]);
    }
    duel.play(&[Step::ClientHello]);
    let question = cut(&duel.datagrams[0]);
    assert_eq!(question.len(), 1);
    assert_eq!(question[0].number, RecordNumber { epoch: 0, sequence: 7 });
    assert_eq!(question[0].version, 0xfeff);
    assert_eq!(question[0].body[4..6], [0, 0], "message_seq");
    assert_eq!(question[0].body[12..14], [0xfe, 0xff], "server_version");
    assert_eq!(duel.datagrams[0].len(), 49);
    duel.play(&[Step::ClientHello]);
    let hello = cut(&duel.datagrams[1]);
    assert_eq!(hello[0].number, RecordNumber { epoch: 0, sequence: 8 });
    assert_eq!(
        hello[0].body[..6],
        [2, hello[0].body[1], hello[0].body[2], hello[0].body[3], 0, 1],
        "ServerHello 1"
    );
    duel.play(&CLIENT_STEPS);
    assert!(duel.victim.is_connected());
}

/// Another server has asked for a cookie before: the hello that we see first has message_seq 1, and so has our answer
/// (RFC 6347 section 4.2.2).
#[test]
fn a_server_without_cookies_takes_the_hellos_number_as_it_comes() {
    let identity = Identity::p256();
    let config = server_config(settings(), identity);
    let mut duel = Duel::with_server(Victim::server_without_cookie(config), identity);
    duel.rogue.next_message_seq = 1;
    duel.rogue.expect_message_seq(1);
    duel.play(&[Step::ClientHello]);
    assert_eq!(duel.rogue.last(HandshakeType::SERVER_HELLO).map(|hello| hello.message_seq), Some(1));
    duel.play(&CLIENT_STEPS);
    assert!(duel.victim.is_connected(), "{:?}", duel.victim.error());
}

// ---- rule 7: flights and timers ----

#[test]
fn deadlines_double_from_400_ms_and_early_calls_do_nothing() {
    let mut patient = settings();
    patient.handshake_deadline = None;
    let mut duel = Duel::client_12(patient);
    let mut last = Duration::ZERO;
    let mut waits = Vec::new();
    while let Some(timeout) = duel.victim.connection().poll_timeout() {
        let due = timeout.since_origin();
        waits.push((due - last).as_millis());
        // A microsecond too early, and again: nothing.
        let early = Instant::from_origin(due - Duration::from_micros(1));
        duel.victim.clock.advance_to(due - Duration::from_micros(1));
        duel.victim.connection().handle_timeout(early);
        assert!(duel.victim.take_output().is_empty());
        assert_eq!(duel.victim.connection().poll_timeout(), Some(timeout));
        duel.victim.clock.advance_to(due);
        let now = duel.victim.now();
        duel.victim.connection().handle_timeout(now);
        let sent = duel.victim.take_output();
        assert_eq!(sent.is_empty(), duel.victim.error().is_some());
        last = due;
    }
    let mut expected: Vec<u128> = (0..8).map(|doubling| 400 << doubling).collect();
    expected.extend([60_000; 5]);
    assert_eq!(waits, expected);
    assert_eq!(duel.victim.error(), Some(&Error::HandshakeTimeout));
    assert!(duel.rogue.alerts().is_empty());
}

#[test]
fn the_handshake_ends_at_its_deadline() {
    let mut hurried = settings();
    hurried.handshake_deadline = Some(Duration::from_millis(1234));
    let mut duel = Duel::client_12(hurried);
    duel.pass(Duration::from_millis(1233));
    assert!(duel.victim.error().is_none());
    duel.pass(Duration::from_millis(1));
    assert_eq!(duel.victim.error(), Some(&Error::HandshakeTimeout));
}

#[test]
fn deadlines_are_whole_microseconds() {
    let mut odd = settings();
    odd.initial_timeout = Duration::from_nanos(1_234_567);
    let mut duel = Duel::client_12(odd);
    let timeout = duel.victim.connection().poll_timeout().unwrap().since_origin();
    assert_eq!(timeout, Duration::from_nanos(1_235_000), "rounded up");
}

#[test]
fn flights_are_cut_smaller_after_repeated_loss_unless_the_mtu_is_known() {
    let identity = Identity::rsa_chain();
    for (mtu_is_known, expected) in
        [(false, [1200, 1200, 1200, 508, 508, 228]), (true, [1200, 1200, 1200, 1200, 1200, 1200])]
    {
        let mut of_server = settings();
        of_server.mtu_is_known = mtu_is_known;
        let mut duel = Duel::with_server(Victim::server(server_config(of_server, identity)), identity);
        let suite = drystone_handshake::CipherSuiteId::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;
        duel.rogue.suite = drystone_handshake::crypto::ring::provider().cipher_suite(suite).unwrap();
        duel.greet();
        let mut largest = vec![duel.datagrams.drain(..).map(|datagram| datagram.len()).max().unwrap()];
        for expiry in 0..5 {
            duel.pass(Duration::from_millis(400 << expiry));
            largest.push(duel.datagrams.drain(..).map(|datagram| datagram.len()).max().unwrap());
        }
        assert_eq!(largest, expected, "known: {mtu_is_known}");
    }
}

/// The MTU may change at any time; the next datagram obeys it, and never goes below 228 bytes.
#[test]
fn a_new_mtu_holds_from_the_next_datagram_on() {
    let mut duel = Duel::usual_server();
    for (mtu, largest) in [(600, 600), (300, 300), (1, 228)] {
        duel.datagrams.clear();
        duel.victim.connection().set_mtu(mtu);
        assert_eq!(duel.victim.connection().mtu(), largest);
        duel.pass(Duration::from_secs(2));
        let sent = duel.datagrams.iter().map(Vec::len).max().unwrap_or(0);
        assert!((1..=largest).contains(&sent), "{sent} bytes with an MTU of {mtu}");
    }
    duel.play(&CLIENT_STEPS);
    assert!(duel.victim.is_connected());
    let connection = duel.victim.connection();
    assert_eq!(connection.max_unfragmented_payload(), 228 - connection.overhead().total());
}

#[test]
fn a_path_that_swallows_large_datagrams_is_found() {
    for path_mtu in [520, 250] {
        let link = LinkSettings { path_mtu: Some(path_mtu), ..LinkSettings::perfect() };
        let identity = Identity::rsa_chain();
        let mut pair = drystone_tests::pair::Pair::new(
            client_config(settings(), identity),
            server_config(settings(), identity),
            drystone_tests::identity::name(),
            drystone_tests::link::Link::new(0, link),
        );
        assert!(pair.connect(), "{path_mtu}: {pair:?}");
    }
}

#[test]
fn a_failed_handshake_repeats_its_alert_until_its_deadline() {
    let mut duel = Duel::usual_client();
    duel.play(&[Step::ServerHelloDone]);
    assert_eq!(duel.rogue.alerts(), [10]);
    for round in 2..=5 {
        duel.pass(Duration::from_millis(200));
        for _ in 0..10 {
            let again = duel.rogue.perform(Step::ServerHelloDone);
            duel.give(&again);
        }
        assert_eq!(duel.rogue.alerts().len(), round, "once per half of the initial timeout");
    }
    let deadline = duel.victim.connection().poll_timeout().unwrap().since_origin();
    assert_eq!(deadline, Duration::from_secs(30));
    duel.pass(Duration::from_secs(30));
    let again = duel.rogue.perform(Step::ServerHelloDone);
    assert_eq!(duel.give(&again), 0);
    assert_eq!(duel.victim.connection().poll_timeout(), None);
}

#[test]
fn an_established_client_has_no_timer_and_a_server_one_for_its_last_flight() {
    let [mut client, mut server] = Duel::usual_connected();
    assert_eq!(client.victim.connection().poll_timeout(), None);
    let until = server.victim.connection().poll_timeout().unwrap();
    assert_eq!(until.since_origin(), Duration::from_secs(240));
    server.pass(Duration::from_secs(240));
    assert_eq!(server.victim.connection().poll_timeout(), None);
    server.talk();
}

// ---- rule 10: closing and exporting ----

#[test]
fn packets_numbered_before_close_notify_are_still_delivered() {
    for mut duel in Duel::usual_connected() {
        let before = [duel.rogue.data(b"1"), duel.rogue.data(b"2")];
        let close = duel.rogue.alert(1, 0);
        let after = duel.rogue.data(b"3");
        duel.give(&before[0]);
        duel.give(&close);
        duel.give(&after);
        duel.give(&before[1]);
        assert_eq!(duel.victim.received, [b"1", b"2"]);
        assert_eq!(duel.victim.discards(Discard::AfterClose), 1);
        assert!(matches!(duel.victim.events[..], [Event::Closed(CloseReason::Peer)]));
    }
}

#[test]
fn close_notify_is_answered_once() {
    for mut duel in Duel::usual_connected() {
        for _ in 0..5 {
            let close = duel.rogue.alert(1, 0);
            duel.give(&close);
        }
        assert_eq!(duel.rogue.heard, {
            let mut expected = duel.rogue.heard.clone();
            expected.retain(|heard| !matches!(heard, Heard::Alert { .. }));
            expected.push(Heard::Alert { epoch: 1, level: 1, description: 0 });
            expected
        });
        assert!(duel.victim.connection().is_closed());
        assert!(duel.victim.error().is_none());
        let now = duel.victim.now();
        duel.victim.connection().close(now);
        duel.listen();
        assert_eq!(duel.rogue.alerts(), [0], "our own close says it no second time");
    }
}

#[test]
fn after_our_close_nothing_is_delivered_or_sent() {
    for mut duel in Duel::usual_connected() {
        let now = duel.victim.now();
        duel.victim.connection().close(now);
        duel.listen();
        assert_eq!(duel.rogue.alerts(), [0]);
        let data = duel.rogue.data(b"late");
        let close = duel.rogue.alert(1, 0);
        assert_eq!(duel.give(&data) + duel.give(&close), 0);
        assert!(duel.victim.received.is_empty());
        assert!(duel.victim.events.is_empty(), "we know that we closed");
        let mut out = [0; 100];
        assert_eq!(duel.victim.connection().send(b"more", &mut out), Err(Misuse::NotConnected));
        assert_eq!(duel.victim.connection().poll_timeout(), None);
    }
}

/// The server closes before its last flight has gone out: the client must still learn that it is connected, and then
/// that it is over.
#[test]
fn a_close_right_after_connecting_is_understood_by_the_peer() {
    let identity = Identity::p256();
    let mut duel = Duel::with_server(Victim::server(server_config(settings(), identity)), identity);
    duel.greet();
    duel.play(&CLIENT_STEPS[..2]);
    let finished = duel.rogue.perform(Step::Finished);
    let now = duel.victim.now();
    duel.victim.flood(&mut [finished]);
    duel.victim.connection().close(now);
    duel.listen();
    assert_eq!(duel.rogue.peer_finished, Some(true));
    assert_eq!(duel.rogue.alerts(), [0]);
}

#[test]
fn giving_up_a_handshake_tells_the_peer() {
    let mut pair = Variant::Small.pair(0, LinkSettings::perfect());
    pair.run_until(Duration::from_secs(1), |pair| pair.server.connection.is_some());
    let now = pair.now();
    pair.client.connection().close(now);
    pair.run_for(Duration::from_secs(2));
    assert!(pair.client.connection().is_closed());
    let told = pair.server.connection().error().cloned();
    let expected = Error::AlertReceived { description: AlertDescription::CLOSE_NOTIFY, authenticated: false };
    assert_eq!(told, Some(expected));
}

#[test]
fn exported_keys_are_equal_on_both_sides_and_follow_the_rules() {
    let mut pair = Variant::Small.pair(0, LinkSettings::perfect());
    let mut out = [0; 32];
    let early = pair.client.connection().export_keying_material(b"EXPERIMENTAL", None, &mut out);
    assert_eq!(early, Err(Misuse::NotConnected));
    assert!(pair.connect());
    let mut export = |direction, label: &[u8], context: Option<&[u8]>| {
        let end = if direction == Direction::ToServer { &mut pair.client } else { &mut pair.server };
        let mut out = [0; 32];
        end.connection().export_keying_material(label, context, &mut out).map(|()| out)
    };
    let mut seen = Vec::new();
    for (label, context) in [
        (&b"EXPERIMENTAL"[..], None),
        (b"EXPERIMENTAL", Some(&b""[..])),
        (b"EXPERIMENTAL", Some(b"x")),
        (b"OTHER", None),
    ] {
        let [client, server] = Direction::BOTH.map(|direction| export(direction, label, context).unwrap());
        assert_eq!(client, server);
        assert!(!seen.contains(&client), "an absent and an empty context differ");
        seen.push(client);
    }
    for reserved in [
        &b"client finished"[..],
        b"server finished",
        b"master secret",
        b"extended master secret",
        b"key expansion",
    ] {
        assert_eq!(export(Direction::ToServer, reserved, None), Err(Misuse::ReservedLabel));
    }
    assert_eq!(export(Direction::ToServer, b"EXPERIMENTAL", Some(&[0; 65_536])), Err(Misuse::ExporterLength));
    // For the life of the association.
    pair.run_for(Duration::from_secs(1000));
    let connection = pair.server.connection();
    connection.export_keying_material(b"EXPERIMENTAL", None, &mut out).unwrap();
    assert_eq!(out, seen[0]);
}

#[test]
fn commands_before_connecting_are_misuse_and_change_nothing() {
    let mut duel = Duel::usual_client();
    let mut out = [0; 200];
    let connection = duel.victim.connection();
    assert_eq!(connection.send(b"x", &mut out), Err(Misuse::NotConnected));
    assert_eq!(connection.seal(&mut out, 50..60).err(), Some(Misuse::NotConnected));
    assert_eq!(connection.srtp_profile(), None);
    assert!(connection.version().is_none() && connection.peer_chain().is_empty());
    duel.play(&SERVER_STEPS);
    assert!(duel.victim.is_connected());
    let connection = duel.victim.connection();
    assert!(matches!(connection.send(b"x", &mut [0; 10]), Err(Misuse::NoRoom { .. })));
    assert_eq!(
        connection.send(&[0; 20_000], &mut [0; 30_000]),
        Err(Misuse::PayloadTooLarge { limit: 16_384 })
    );
    assert!(matches!(connection.seal(&mut out, 0..10), Err(Misuse::NoRoom { .. })));
    assert_eq!(connection.seal(&mut out, 190..300).err(), Some(Misuse::Range));
    duel.talk();
}

#[test]
fn a_server_begins_only_with_a_hello() {
    let config = server_config(settings(), Identity::p256());
    let mut connection = Connection::server_without_cookie(config, Path(7), start(&Clock::new())).unwrap();
    assert_eq!(connection.path(), Path(7));
    assert!(connection.poll_transmit(Instant::default(), &mut [0; 2000]).is_none());
    assert!(connection.poll_event().is_none());
    assert!(!connection.is_connected() && !connection.is_closed());
}
