//! Fragments, reassembly and buffering, seen from outside: no sequence of fragments grows, stalls or ends a handshake
//! (threats 1 to 16).

use drystone_handshake::message::registry::ExtensionType;
use drystone_handshake::message::{ClientHello, RawExtension};
use drystone_handshake::{Discard, HandshakeType};
use drystone_record::{ContentType, RecordNumber};
use drystone_tests::identity::{Identity, server_config, settings};
use drystone_tests::random::SplitMix64;
use drystone_tests::rogue::{
    CLIENT_STEPS, Duel, Heard, Message, SERVER_STEPS, Step, Victim, fragment_header, raw_record,
};

fn handshake(epoch: u64, sequence: u64, bytes: &[u8]) -> Vec<u8> {
    raw_record(ContentType::HANDSHAKE, RecordNumber { epoch, sequence }, bytes)
}

/// A fragment with these claims and so many bytes of content.
fn claim(msg_type: HandshakeType, length: u32, message_seq: u16, offset: u32, content: usize) -> Vec<u8> {
    let mut bytes = fragment_header(msg_type, length, message_seq, offset, content as u32).to_vec();
    bytes.resize(bytes.len() + content, 0xaa);
    bytes
}

/// Finishes the honest handshake from the given step of the server on.
fn finishes_as_client(duel: &mut Duel, from: usize) {
    duel.play(&SERVER_STEPS[from..]);
    assert!(duel.victim.is_connected(), "{:?}", duel.victim.error());
    duel.talk();
}

/// Without keys nobody knows which of two fragments is the forged one: the newest starts anew, and the peer's retransmission
/// repairs what was lost.
#[test]
fn threat_01_without_keys_contradictions_cost_a_retransmission_at_most() {
    let mut duel = Duel::usual_client();
    duel.play(&[Step::ServerHello]);
    let certificate = duel.rogue.message(Step::Certificate);
    let (length, seq) = (certificate.body.len() as u32, certificate.message_seq);
    let lies = [
        claim(HandshakeType::CERTIFICATE, length + 1000, seq, 100, 200),
        claim(HandshakeType::CERTIFICATE, length + 1, seq, 0, 1),
        claim(HandshakeType::CERTIFICATE, 101, seq, 100, 1),
    ];
    for lie in &lies {
        let first = duel.rogue.handshake_record(&certificate.fragment(0, 100));
        duel.give(&first);
        let datagram = duel.rogue.handshake_record(lie);
        duel.give(&datagram);
    }
    // What the state does not expect displaces nothing.
    let first = duel.rogue.handshake_record(&certificate.fragment(0, 100));
    duel.give(&first);
    let other = claim(HandshakeType::SERVER_KEY_EXCHANGE, length, seq, 100, 50);
    let datagram = duel.rogue.handshake_record(&other);
    duel.give(&datagram);
    assert_eq!(duel.victim.discards(Discard::ContradictingFragment), 6);
    let rest = certificate.fragment(100, certificate.body.len() - 100);
    let rest = duel.rogue.handshake_record(&rest);
    duel.give(&rest);
    finishes_as_client(&mut duel, 2);
}

#[test]
fn threat_02_threat_05_any_claim_costs_at_most_four_times_what_was_received() {
    let mut random = SplitMix64::new(2);
    for (name, mut duel) in [("client", Duel::usual_client()), ("server", Duel::usual_server())] {
        let (mut received, mut held) = (0, 0);
        for sequence in 0..5_000 {
            let content = random.below(64) as usize;
            let [length, offset] = [24, 24].map(|bits| random.below(1 << bits) >> random.below(24));
            let types = [
                HandshakeType::CERTIFICATE,
                HandshakeType::SERVER_KEY_EXCHANGE,
                HandshakeType::CERTIFICATE_REQUEST,
                HandshakeType::FINISHED,
                HandshakeType(99),
            ];
            let msg_type = types[random.below(5) as usize];
            // Never the message that is expected: that one would be a forged message, not a forged fragment.
            let message_seq = if name == "client" { 1 } else { 3 } + random.below(6) as u16;
            let bytes = claim(msg_type, length as u32, message_seq, offset as u32, content);
            let mut datagrams = [handshake(0, 100 + sequence, &bytes)];
            received += datagrams[0].len() as i64;
            held += duel.victim.flood(&mut datagrams).live_bytes;
            assert!(held <= 4 * received + 512, "{name}: {held} bytes after {received}");
        }
        assert!(duel.victim.error().is_none(), "{name}: {:?}", duel.victim.error());
    }
}

#[test]
fn threat_03_empty_short_and_header_only_fragments_change_nothing() {
    let mut duel = Duel::usual_client();
    let mut sequence = 50;
    for length in 0..12 {
        duel.give(&handshake(0, sequence, &vec![HandshakeType::SERVER_HELLO.0; length]));
        sequence += 1;
    }
    for message_seq in 0..8 {
        for (length, offset) in [(100, 0), (100, 100), (100, 99), (0xff_ffff, 0), (0xff_ffff, 0xff_ffff)] {
            let bytes = claim(HandshakeType::SERVER_HELLO, length, message_seq, offset, 0);
            duel.give(&handshake(0, sequence, &bytes));
            sequence += 1;
        }
    }
    finishes_as_client(&mut duel, 0);
}

/// The server's first flight in pieces of 60 bytes, in any order, with every fourth piece doubled.
#[test]
fn threat_04_threat_10_any_permutation_with_duplicates_gives_the_same_result() {
    for seed in 0..40 {
        let mut random = SplitMix64::new(seed);
        let mut duel = Duel::usual_client();
        let mut pieces = Vec::new();
        for step in &SERVER_STEPS[..4] {
            let message = duel.rogue.message(*step);
            let mut fragments = message.fragments(60);
            if fragments.is_empty() {
                fragments.push(message.to_bytes());
            }
            pieces.extend(fragments);
        }
        pieces.extend(pieces.clone().into_iter().step_by(4));
        for place in (1..pieces.len()).rev() {
            pieces.swap(place, random.below(place as u64 + 1) as usize);
        }
        for piece in &pieces {
            let datagram = duel.rogue.handshake_record(piece);
            duel.give(&datagram);
        }
        duel.play(&SERVER_STEPS[4..]);
        assert!(duel.victim.is_connected(), "seed {seed}: {:?}", duel.victim.error());
        duel.talk();
    }
}

#[test]
fn threat_05_one_byte_fragments_that_claim_the_maximum_cost_what_they_weigh() {
    let mut duel = Duel::usual_client();
    let (mut received, mut held) = (0, 0);
    for message_seq in 0..2_000_u16 {
        let bytes = claim(HandshakeType::CERTIFICATE, 64 * 1024, message_seq, 0, 1);
        let mut datagrams = [handshake(0, 100 + u64::from(message_seq), &bytes)];
        received += datagrams[0].len() as i64;
        held += duel.victim.flood(&mut datagrams).peak_bytes as i64;
    }
    assert!(held <= 4 * received + 512, "{held} bytes after {received}");
}

/// Every second byte of a message: each piece is alone, and 32 of them are the most.
#[test]
fn threat_05_a_message_in_too_many_pieces_is_not_kept() {
    let mut duel = Duel::usual_client();
    duel.play(&[Step::ServerHello]);
    let certificate = duel.rogue.message(Step::Certificate);
    for piece in 0..40 {
        let record = duel.rogue.handshake_record(&certificate.fragment(2 * piece, 1));
        duel.give(&record);
    }
    assert_eq!(duel.victim.discards(Discard::FragmentBeyondLimit), 8);
    let whole = duel.rogue.handshake_record(&certificate.to_bytes());
    duel.give(&whole);
    finishes_as_client(&mut duel, 2);
}

#[test]
fn threat_06_sixteen_empty_fragments_of_16_mib_cost_nothing() {
    let datagram: Vec<u8> = {
        let empty = fragment_header(HandshakeType::SERVER_HELLO, 0xff_ffff, 0, 0, 0);
        handshake(0, 9, &empty.repeat(16))
    };
    assert_eq!(datagram.len(), 205);
    for mut duel in [Duel::usual_client(), Duel::usual_server()] {
        let heap = duel.victim.flood(&mut [datagram.clone()]);
        assert!(heap.peak_bytes < 1024, "{heap:?}");
        assert!(duel.victim.error().is_none());
    }
}

#[test]
fn threat_07_a_million_junk_fragments_leave_memory_flat() {
    for mut duel in [Duel::usual_client(), Duel::usual_server()] {
        let mut random = SplitMix64::new(7);
        let mut junk = || -> Vec<Vec<u8>> {
            (0..1000)
                .map(|sequence| {
                    let bytes = claim(
                        HandshakeType(random.below(30) as u8),
                        random.below(20_000) as u32,
                        3 + random.below(65_000) as u16,
                        random.below(20_000) as u32,
                        random.below(30) as usize,
                    );
                    handshake(0, sequence, &bytes)
                })
                .collect()
        };
        // What fits the window and the pieces is full soon.
        for _ in 0..100 {
            duel.victim.flood(&mut junk());
        }
        let mut grown = 0;
        for round in 0..900 {
            grown += duel.victim.flood(&mut junk()).live_bytes;
            assert!(grown < 200_000, "{grown} bytes in round {round}");
        }
        assert!(duel.victim.error().is_none(), "{:?}", duel.victim.error());
    }
}

/// What remains held at most is what the window holds, and that is freed with the handshake.
#[test]
fn threat_07_repeated_duplicates_are_not_kept() {
    let mut duel = Duel::usual_client();
    duel.play(&[Step::ServerHello]);
    let certificate = duel.rogue.message(Step::Certificate);
    let piece = certificate.fragment(10, 50);
    let warm = duel.victim.flood(&mut [handshake(0, 60, &piece)]).live_bytes;
    assert!(warm > 0, "a piece is kept");
    let mut copies: Vec<_> = (0..10_000).map(|sequence| handshake(0, 61 + sequence, &piece)).collect();
    assert_eq!(duel.victim.flood(&mut copies).live_bytes, 0);
}

#[test]
fn threat_08_a_datagram_of_empty_fragments_takes_one_step_for_each() {
    let mut duel = Duel::usual_client();
    let fragments = fragment_header(HandshakeType::CERTIFICATE, 100, 1, 0, 0).repeat(100);
    let before = duel.victim.discards(Discard::MalformedFragment);
    duel.give(&handshake(0, 9, &fragments));
    assert_eq!(duel.victim.discards(Discard::MalformedFragment) - before, 100);
    let records: Vec<u8> = (0..80).flat_map(|sequence| handshake(0, sequence, &[])).collect();
    duel.give(&records);
    assert_eq!(duel.victim.discards(Discard::MalformedFragment) - before, 180);
    finishes_as_client(&mut duel, 0);
}

#[test]
fn threat_09_a_claim_above_the_limit_is_refused_without_allocation() {
    let mut duel = Duel::usual_client();
    let kinds = [(HandshakeType::CERTIFICATE, 66_000), (HandshakeType::SERVER_KEY_EXCHANGE, 16 * 1024)];
    for (place, (msg_type, limit)) in kinds.into_iter().enumerate() {
        let message_seq = 1 + place as u16;
        for length in [limit + 1, 0xff_ffff] {
            let mut datagrams = [handshake(0, 100, &claim(msg_type, length, message_seq, 0, 20))];
            assert_eq!(duel.victim.flood(&mut datagrams).count, 0, "{msg_type:?} of {length}");
        }
        assert_eq!(duel.victim.discards(Discard::FragmentBeyondLimit), 2 * (place as u32 + 1));
        let fits = claim(msg_type, limit, message_seq, 0, 20);
        assert!(duel.victim.flood(&mut [handshake(0, 101, &fits)]).live_bytes > 0, "{msg_type:?} of {limit}");
    }
}

/// Three messages wait in the buffers when the handshake fails, or when it is done: nothing of them is left.
#[test]
fn threat_10_buffers_are_empty_after_failure_and_after_completion() {
    let mut duel = Duel::usual_client();
    let hello = duel.rogue.message(Step::ServerHello);
    let messages = [Step::Certificate, Step::ServerKeyExchange].map(|step| duel.rogue.message(step));
    let mut ahead = messages.clone().map(|message| handshake(0, 50, &message.to_bytes()));
    let held = duel.victim.flood(&mut ahead).live_bytes;
    assert!(held > 400, "{held} bytes wait");
    let bad = Message { body: hello.body[..40].to_vec(), ..hello };
    let freed = duel.victim.flood(&mut [handshake(0, 51, &bad.to_bytes())]).live_bytes;
    assert!(duel.victim.error().is_some());
    assert!(freed < -held, "{freed} bytes after {held} were held");

    let mut duel = Duel::usual_client();
    duel.play(&SERVER_STEPS[..5]);
    let finished = duel.rogue.perform(Step::Finished);
    let freed = duel.victim.flood(&mut [finished]).live_bytes;
    assert!(duel.victim.is_connected());
    assert!(freed < -1000, "{freed} bytes: the handshake's state is gone");
}

#[test]
fn threat_11_every_order_of_the_same_records_ends_the_same() {
    // A flight and what may get into its way: a ChangeCipherSpec that comes too early, and a forged Finished.
    let orders = permutations(6);
    for bad_signature in [false, true] {
        for order in &orders {
            let mut duel = Duel::usual_client();
            if bad_signature {
                duel.rogue.alter(Step::ServerKeyExchange, |body| *body.last_mut().unwrap() ^= 1);
            }
            let mut records: Vec<_> = SERVER_STEPS[..4]
                .iter()
                .map(|step| {
                    let message = duel.rogue.message(*step).to_bytes();
                    duel.rogue.handshake_record(&message)
                })
                .collect();
            records.push(raw_record(
                ContentType::CHANGE_CIPHER_SPEC,
                RecordNumber { epoch: 0, sequence: 70 },
                &[1],
            ));
            records.push(handshake(0, 71, &claim(HandshakeType::FINISHED, 12, 4, 0, 12)));
            for place in order {
                duel.give(&records[*place]);
            }
            if bad_signature {
                let error = duel.victim.error().cloned();
                assert_eq!(error, Some(drystone_handshake::Error::BadSignature), "{order:?}");
            } else {
                duel.play(&SERVER_STEPS[4..]);
                assert!(duel.victim.is_connected(), "{order:?}: {:?}", duel.victim.error());
            }
        }
    }
}

fn permutations(count: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for next in 0..count {
        all = all
            .iter()
            .flat_map(|shorter| {
                (0..=next).map(move |place| {
                    let mut longer = shorter.clone();
                    longer.insert(place, next);
                    longer
                })
            })
            .collect();
    }
    all
}

#[test]
fn threat_12_a_message_behind_finished_in_its_record_is_unexpected() {
    let mut duel = Duel::usual_client();
    duel.play(&SERVER_STEPS[..5]);
    let mut bytes = duel.rogue.message(Step::Finished).to_bytes();
    bytes.extend(duel.rogue.message(Step::ServerHelloDone).to_bytes());
    let record = duel.rogue.handshake_record(&bytes);
    duel.give(&record);
    assert!(duel.victim.error().is_some(), "{duel:?}");
    assert_eq!(duel.rogue.alerts(), [10], "unexpected_message");
}

#[test]
fn threat_12_only_finished_is_read_under_the_new_keys() {
    for step in [Step::ServerHelloDone, Step::Certificate, Step::HelloRequest] {
        let mut duel = Duel::usual_client();
        duel.play(&SERVER_STEPS[..5]);
        duel.play(&[step]);
        assert!(duel.victim.error().is_some(), "{step:?}");
        assert_eq!(duel.rogue.alerts(), [10], "{step:?}: unexpected_message");
    }
}

#[test]
fn threat_12_no_finished_is_put_together_across_the_key_change() {
    for protected_first in [false, true] {
        let mut duel = Duel::usual_client();
        duel.play(&SERVER_STEPS[..5]);
        let finished = duel.rogue.message(Step::Finished);
        let halves = [finished.fragment(0, 6), finished.fragment(6, 6)];
        for (half, protected) in halves.iter().zip([protected_first, !protected_first]) {
            duel.rogue.use_keys(protected);
            let record = duel.rogue.handshake_record(half);
            duel.give(&record);
        }
        assert!(!duel.victim.is_connected());
        assert!(duel.victim.error().is_none());
        assert_eq!(duel.victim.discards(Discard::PlaintextAfterKeys), 1);
        // Both halves under the keys connect.
        duel.rogue.use_keys(true);
        for half in halves {
            let record = duel.rogue.handshake_record(&half);
            duel.give(&record);
        }
        assert!(duel.victim.is_connected());
    }
}

#[test]
fn threat_12_a_change_cipher_spec_with_more_in_its_record_is_none() {
    let mut duel = Duel::usual_client();
    duel.play(&SERVER_STEPS[..4]);
    for payload in [&[1, 0][..], &[1, 1], &[0], &[2], &[]] {
        let record = duel.rogue.plaintext(ContentType::CHANGE_CIPHER_SPEC, payload);
        duel.give(&record);
    }
    assert_eq!(duel.victim.discards(Discard::UnexpectedChangeCipherSpec), 5);
    duel.rogue.use_keys(true);
    let finished = duel.rogue.message(Step::Finished).to_bytes();
    let early = duel.rogue.handshake_record(&finished);
    duel.give(&early);
    assert!(!duel.victim.is_connected());
    duel.play(&[Step::ChangeCipherSpec]);
    let record = duel.rogue.handshake_record(&finished);
    duel.give(&record);
    assert!(duel.victim.is_connected());
}

#[test]
fn threat_13_every_distance_of_message_seq_is_survived() {
    for (name, mut duel, next) in
        [("client", Duel::usual_client(), 0_u16), ("server", Duel::usual_server(), 2)]
    {
        // The client expects a Certificate next but one; nothing that may come in plaintext follows ClientKeyExchange.
        let held = |distance: u16| name == "client" && distance == 1;
        for distance in [1, 6, 7, 8, 31, 32, 33, 63, 64, 65, 255, 256, 32_767, 32_768, 65_535] {
            let message_seq = next.wrapping_add(distance);
            let bytes = claim(HandshakeType::CERTIFICATE, 40, message_seq, 0, 20);
            let before = duel.victim.discards(Discard::MessageOutsideWindow);
            let heap = duel.victim.flood(&mut [handshake(0, 100, &bytes)]);
            assert_eq!(heap.live_bytes > 0, held(distance), "{name}: distance {distance}, {heap:?}");
            let outside = duel.victim.discards(Discard::MessageOutsideWindow) - before;
            let behind = message_seq < next;
            assert_eq!(outside == 1, !held(distance) && !behind, "{name}: distance {distance}");
        }
        assert!(duel.victim.error().is_none(), "{name}: {:?}", duel.victim.error());
    }
}

/// A hello that a post-quantum key share makes as large as this comes in pieces.
#[test]
fn threat_14_a_hello_of_1600_bytes_in_2_to_8_fragments_completes_behind_a_cookie() {
    for pieces in 2..=8 {
        for reversed in [false, true] {
            let identity = Identity::p256();
            let config = server_config(settings(), identity);
            let mut duel = Duel::with_server(Victim::server(config), identity);
            duel.rogue.alter(Step::ClientHello, pad_to_1600);
            for round in 0..2 {
                let hello = duel.rogue.message(Step::ClientHello);
                assert_eq!(hello.body.len(), 1600);
                let mut fragments = hello.fragments(1600_usize.div_ceil(pieces));
                assert_eq!(fragments.len(), pieces);
                if reversed && round == 1 {
                    // The first fragment has the cookie; what came before it comes again.
                    fragments.reverse();
                    fragments.extend(fragments.clone());
                }
                for fragment in fragments {
                    let datagram = duel.rogue.handshake_record(&fragment);
                    duel.give(&datagram);
                }
            }
            duel.play(&CLIENT_STEPS);
            assert!(duel.victim.is_connected(), "{pieces} pieces: {duel:?}");
            duel.talk();
        }
    }
}

fn pad_to_1600(body: &mut Vec<u8>) {
    let hello = ClientHello::decode(&*body).unwrap();
    let padding = vec![0; 1600 - body.len() - 4];
    let extension = [RawExtension { extension_type: ExtensionType::PADDING, data: &padding }];
    let mut extensions = hello.extensions;
    extensions.others = extension.as_slice().into();
    let mut padded = Vec::new();
    ClientHello { extensions, ..hello }.encode(&mut padded).unwrap();
    *body = padded;
}

#[test]
fn threat_15_threat_16_of_records_of_a_future_epoch_two_are_kept() {
    for mut duel in [Duel::usual_client(), Duel::usual_server()] {
        let mut flood: Vec<_> = (0..10_000_u64)
            .map(|number| {
                let body = vec![0x55; 1 + (number as usize * 7) % 1100];
                let content_type =
                    [ContentType::HANDSHAKE, ContentType::APPLICATION_DATA][number as usize % 2];
                // Half of them repeat one number.
                let sequence = if number % 2 == 0 { 5 } else { number };
                raw_record(content_type, RecordNumber { epoch: 1, sequence }, &body)
            })
            .collect();
        let heap = duel.victim.flood(&mut flood);
        assert!(heap.live_bytes <= 2048 && heap.count <= 1, "{heap:?}");
        assert_eq!(duel.victim.discards(Discard::FutureEpoch), 9_998);
        assert!(duel.victim.error().is_none());
        assert!(!duel.rogue.heard.iter().any(|heard| matches!(heard, Heard::Alert { .. })));
    }
}
