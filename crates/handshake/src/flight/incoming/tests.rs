//! Reassembly against a model that knows the whole messages, and the threat rows about fragments.

use alloc::{vec, vec::Vec};

use proptest::prelude::*;

use super::super::expectation::Expected;
use super::super::fragment::{HEADER_LEN, MAX_LENGTH};
use super::*;

/// A fragment of message `message_seq`, with the bytes that this message has in every test.
fn piece(bytes: &[u8], message_seq: u16, range: core::ops::Range<usize>) -> Fragment<'_> {
    Fragment {
        msg_type: HandshakeType::CERTIFICATE,
        length: bytes.len() as u32,
        message_seq,
        offset: range.start as u32,
        payload: &bytes[range],
    }
}

fn body(length: usize, message_seq: u16) -> Vec<u8> {
    (0..length).map(|i| (i * 7 + i / 251) as u8 ^ (message_seq as u8).wrapping_mul(31)).collect()
}

/// Messages of every length that the settings allow.
static ANY: [Expected; 3] = [
    Expected::always(HandshakeType::CERTIFICATE, Bound::Certificate),
    Expected::always(HandshakeType::SERVER_HELLO_DONE, Bound::Other),
    Expected::always(HandshakeType::FINISHED, Bound::Other),
];

static LIMITS: Limits = Limits::DEFAULT;

fn at(epoch: u64) -> Arrival<'static> {
    Arrival { epoch, now: Duration::ZERO, expectation: Expectation::AnyOf(&ANY), limits: &LIMITS }
}

fn new() -> Incoming {
    Incoming::new(0, u32::MAX)
}

/// Feeds a fragment of epoch 0 and collects every message that it completes.
fn feed(incoming: &mut Incoming, fragment: Fragment<'_>, messages: &mut Vec<OwnedMessage>) {
    if let Accepted::Whole(message) = incoming.accept(at(0), fragment) {
        messages.push(OwnedMessage {
            epoch: message.epoch,
            msg_type: message.msg_type,
            message_seq: message.message_seq,
            body: message.body.to_vec(),
        });
    }
    while let Some(message) = incoming.take_ready() {
        messages.push(message);
    }
}

fn assert_in_order(messages: &[OwnedMessage], bodies: &[Vec<u8>]) {
    assert_eq!(messages.len(), bodies.len());
    for (message_seq, (message, body)) in messages.iter().zip(bodies).enumerate() {
        assert_eq!(message.message_seq as usize, message_seq);
        assert!(message.body == *body, "message {message_seq} differs");
    }
}

/// A small generator for tests that need many fragments, so that failures repeat.
struct Lcg(u64);

impl Lcg {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }
}

proptest! {
    /// Any order, overlap, duplicate, second cut and empty fragment gives the same messages, each once and in
    /// order, and what is held follows what was received.
    #[test]
    fn threat_04_any_delivery_gives_the_same_messages(
        lengths in proptest::collection::vec(0usize..3000, 1..8),
        noise in proptest::collection::vec((any::<u16>(), any::<u16>(), any::<u16>()), 0..120),
        cuts in proptest::collection::vec(1usize..1400, 3),
        seed in any::<u64>(),
    ) {
        let bodies: Vec<_> = lengths.iter().enumerate().map(|(seq, length)| body(*length, seq as u16)).collect();
        let mut fragments = Vec::new();
        for (seq, at, length) in noise {
            let seq = seq as usize % bodies.len();
            let bytes = &bodies[seq];
            let start = at as usize % (bytes.len() + 1);
            let end = (start + length as usize % 1400).min(bytes.len());
            fragments.push(piece(bytes, seq as u16, start..end));
        }
        let mut random = Lcg(seed);
        for cut in cuts {
            let first = fragments.len();
            for (seq, bytes) in bodies.iter().enumerate() {
                for start in (0..bytes.len().max(1)).step_by(cut) {
                    fragments.push(piece(bytes, seq as u16, start..(start + cut).min(bytes.len())));
                }
            }
            // The last cut comes in order: with all pieces taken, disorder may need more than one repeat.
            for i in (first + 1..fragments.len()).rev() {
                fragments.swap(i, random.next(i + 1));
            }
        }
        let bytes_by_seq = bodies.iter().enumerate();
        let in_order: Vec<_> = bytes_by_seq.map(|(seq, bytes)| piece(bytes, seq as u16, 0..bytes.len())).collect();
        fragments.extend(in_order);

        let (mut incoming, mut messages, mut received) = (new(), Vec::new(), 0);
        for fragment in fragments {
            feed(&mut incoming, fragment, &mut messages);
            received += HEADER_LEN + fragment.payload.len();
            prop_assert!(incoming.held_bytes() <= 4 * received + 512);
        }
        assert_in_order(&messages, &bodies);
        prop_assert_eq!(incoming.held_bytes(), 0);
        prop_assert_eq!(incoming.next_message_seq(), Some(bodies.len() as u16));
    }

    /// The store against a plain array with a bitmap, byte by byte.
    #[test]
    fn behaves_like_an_array_with_a_bitmap(
        length in 1usize..400,
        ranges in proptest::collection::vec((any::<u16>(), any::<u16>(), any::<u8>()), 1..60),
    ) {
        let limits = Limits { pieces: 400, ..LIMITS };
        let mut incoming = new();
        let mut model = vec![None; length];
        for (start, size, fill) in ranges {
            let start = start as usize % length;
            let size = 1 + size as usize % 50;
            let end = (start + size).min(length);
            if (start, end) == (0, length) {
                continue;
            }
            let bytes = vec![fill; length];
            let known = model[start..end].iter().all(Option::is_some);
            let accepted = incoming.accept(Arrival { limits: &limits, ..at(0) }, piece(&bytes, 0, start..end));
            prop_assert_eq!(accepted, if known { Accepted::Duplicate } else { Accepted::Kept });
            // The newest copy stands.
            model[start..end].fill(Some(fill));
            if model.iter().all(Option::is_some) {
                let message = incoming.take_ready().unwrap();
                prop_assert_eq!(message.body, model.iter().flatten().copied().collect::<Vec<_>>());
                return Ok(());
            }
            prop_assert!(incoming.take_ready().is_none());
        }
    }

    #[test]
    fn threat_02_any_claim_is_checked_before_anything_is_kept(
        msg_type in any::<u8>(), length in any::<u32>(), offset in any::<u32>(), payload in 0usize..300,
        message_seq in any::<u16>(),
    ) {
        let mut incoming = new();
        let msg_type = HandshakeType(msg_type);
        let fragment = Fragment { msg_type, length, message_seq, offset, payload: &[1; 300][..payload] };
        let expected = Expectation::AnyOf(&ANY).bound_of(msg_type, 0).is_some();
        let limit = if msg_type == HandshakeType::CERTIFICATE { 66_000 } else { 16_384 };
        let within = length <= limit && u64::from(offset) + payload as u64 <= u64::from(length);
        let delivered = message_seq == 0 && fragment.is_whole();
        let accepted = incoming.accept(at(0), fragment);
        prop_assert_eq!(
            matches!(accepted, Accepted::Dropped(_)),
            !within || message_seq > 7 || (payload == 0 && length != 0) || !(expected || delivered)
        );
        prop_assert!(incoming.held_bytes() <= 4 * (HEADER_LEN + payload) + 512);
    }
}

#[test]
fn an_unfragmented_message_in_order_costs_nothing() {
    let bytes = body(500, 0);
    let mut incoming = new();
    match incoming.accept(at(0), piece(&bytes, 0, 0..500)) {
        Accepted::Whole(message) => assert!(core::ptr::eq(message.body, &bytes[..])),
        other => panic!("{other:?}"),
    }
    assert_eq!((incoming.held_bytes(), incoming.next_message_seq()), (0, Some(1)));
    assert_eq!(incoming.accept(at(0), piece(&bytes, 0, 0..500)), Accepted::Duplicate);
}

#[test]
fn a_whole_copy_overtakes_stored_pieces() {
    let bytes = body(500, 0);
    let mut incoming = new();
    assert_eq!(incoming.accept(at(0), piece(&bytes, 0, 100..200)), Accepted::Kept);
    assert!(matches!(incoming.accept(at(0), piece(&bytes, 0, 0..500)), Accepted::Whole(_)));
    assert_eq!(incoming.held_bytes(), 0);
}

#[test]
fn empty_messages_are_messages() {
    let done = |message_seq| Fragment {
        msg_type: HandshakeType::SERVER_HELLO_DONE,
        length: 0,
        message_seq,
        offset: 0,
        payload: &[],
    };
    let mut incoming = new();
    assert_eq!(incoming.accept(at(0), done(1)), Accepted::Kept);
    assert_eq!(incoming.accept(at(0), done(1)), Accepted::Duplicate);
    assert!(incoming.take_ready().is_none());
    assert!(matches!(incoming.accept(at(0), done(0)), Accepted::Whole(_)));
    assert_eq!(incoming.take_ready().unwrap().as_message().msg_type, HandshakeType::SERVER_HELLO_DONE);
    assert!(incoming.take_ready().is_none());
    assert_eq!(incoming.held_bytes(), 0);
}

/// A planted piece must not keep the genuine message out: without keys the newest fragment is as good as any.
#[test]
fn threat_01_without_keys_the_newest_fragment_starts_anew() {
    let bytes = body(100, 0);
    let genuine = piece(&bytes, 0, 40..100);
    let plants = [
        Fragment { length: 60_000, ..genuine },
        Fragment { length: 101, ..genuine },
        Fragment { msg_type: HandshakeType::FINISHED, ..genuine },
    ];
    for plant in plants {
        let mut incoming = new();
        assert_eq!(incoming.accept(at(0), plant), Accepted::Kept);
        assert!(!incoming.take_displaced());
        assert_eq!(incoming.accept(at(0), genuine), Accepted::Kept);
        assert!(incoming.take_displaced() && !incoming.take_displaced());
        assert_eq!(incoming.accept(at(0), piece(&bytes, 0, 0..40)), Accepted::Kept);
        assert_eq!(incoming.take_ready().unwrap().body, bytes);

        // A whole message does so too, the next one as well as one that is early.
        let mut incoming = new();
        let whole = piece(&bytes, 0, 0..100);
        let ahead = Fragment { message_seq: 1, ..whole };
        assert_eq!(incoming.accept(at(0), plant), Accepted::Kept);
        assert_eq!(incoming.accept(at(0), Fragment { message_seq: 1, ..plant }), Accepted::Kept);
        assert_eq!(incoming.accept(at(0), ahead), Accepted::Kept);
        assert!(matches!(incoming.accept(at(0), whole), Accepted::Whole(_)));
        assert_eq!(incoming.take_ready().unwrap().body, bytes);
        assert_eq!(incoming.held_bytes(), 0);
    }
    // What lies about its own bounds displaces nothing.
    let mut incoming = new();
    assert_eq!(incoming.accept(at(0), genuine), Accepted::Kept);
    let held = incoming.held_bytes();
    let beyond = Fragment { offset: 41, ..genuine };
    assert_eq!(incoming.accept(at(0), beyond), Accepted::Dropped(FragmentFault::BeyondMessage));
    assert_eq!((incoming.held_bytes(), incoming.take_displaced()), (held, false));
}

#[test]
fn threat_01_under_keys_a_contradiction_is_the_peers_own() {
    let bytes = body(100, 0);
    let mut incoming = new();
    let genuine = piece(&bytes, 0, 40..100);
    assert_eq!(incoming.accept(at(1), piece(&bytes, 0, 0..40)), Accepted::Kept);
    let contradiction = Accepted::Dropped(FragmentFault::Contradiction);
    assert_eq!(incoming.accept(at(1), Fragment { length: 101, ..genuine }), contradiction);
    assert_eq!(
        incoming.accept(at(1), Fragment { msg_type: HandshakeType::FINISHED, ..genuine }),
        contradiction
    );
    let whole = Fragment { length: 60, offset: 0, ..genuine };
    assert!(whole.is_whole());
    assert_eq!(incoming.accept(at(1), whole), contradiction, "nor does the fast path let it through");
    assert_eq!(incoming.accept(at(1), genuine), Accepted::Kept);
    assert_eq!(incoming.take_ready().unwrap().body, bytes);
}

#[test]
fn threat_03_empty_and_header_only_fragments_change_nothing() {
    let bytes = body(100, 0);
    let mut incoming = new();
    for offset in [0, 1, 99, 100] {
        let empty = piece(&bytes, 0, offset..offset);
        assert_eq!(incoming.accept(at(0), empty), Accepted::Dropped(FragmentFault::Empty));
    }
    assert_eq!(incoming.held_bytes(), 0);
    let beyond = Fragment { offset: u32::MAX, ..piece(&bytes, 0, 0..1) };
    assert_eq!(incoming.accept(at(0), beyond), Accepted::Dropped(FragmentFault::BeyondMessage));
}

#[test]
fn threat_05_memory_follows_the_bytes_received() {
    let mut incoming = new();
    let mut received = 0;
    for round in 0..40 {
        for message_seq in 0..8 {
            let fragment = Fragment {
                msg_type: HandshakeType::CERTIFICATE,
                length: 66_000,
                message_seq,
                offset: 65_535 - round * 1000,
                payload: &[0],
            };
            incoming.accept(at(0), fragment);
            received += HEADER_LEN + 1;
            assert!(incoming.held_bytes() <= 4 * received + 512, "{} for {received}", incoming.held_bytes());
        }
    }
    assert_eq!(incoming.partials.len(), 8);
    assert!(incoming.partials.iter().all(|partial| partial.bytes.len() == 32));
}

#[test]
fn threat_06_sixteen_empty_fragments_of_16_mib_cost_nothing() {
    let mut record = Vec::new();
    for message_seq in 0..16 {
        record.extend(super::super::fragment::header(
            HandshakeType::CERTIFICATE,
            MAX_LENGTH,
            message_seq,
            0,
            0,
        ));
    }
    assert_eq!(13 + record.len(), 205);
    let mut incoming = new();
    let mut rest = &record[..];
    while !rest.is_empty() {
        let (fragment, after) = Fragment::split_first(rest).unwrap();
        assert!(matches!(incoming.accept(at(0), fragment), Accepted::Dropped(_)));
        rest = after;
    }
    assert_eq!(incoming.held_bytes(), 0);
    // Nor when the limits would allow the length.
    let limits = Limits { certificate: MAX_LENGTH, ..LIMITS };
    let mut generous = new();
    let fragment = Fragment::split_first(&record).unwrap().0;
    assert_eq!(
        generous.accept(Arrival { limits: &limits, ..at(0) }, fragment),
        Accepted::Dropped(FragmentFault::Empty)
    );
    assert_eq!(generous.held_bytes(), 0);
}

#[test]
fn threat_07_a_million_junk_fragments_leave_memory_flat() {
    let (mut incoming, mut random) = (new(), Lcg(7));
    let payload = [0xaa; 16];
    for _ in 0..1_000_000 {
        // Three of four agree with each other and are kept; all lack the first byte, so that nothing completes.
        let agrees = random.next(4) != 0;
        let length = if agrees { 16_384 } else { random.next(20_000) as u32 };
        let fragment = Fragment {
            msg_type: HandshakeType(if agrees { 11 } else { random.next(30) as u8 }),
            length,
            message_seq: random.next(12) as u16,
            offset: 1 + random.next(length as usize + 1) as u32,
            payload: &payload[..random.next(17)],
        };
        // Under keys: without them what contradicts displaces what is held, and even less of it stays.
        incoming.accept(at(1), fragment);
        assert!(incoming.take_ready().is_none());
    }
    let held: usize = incoming.partials.iter().map(|partial| partial.bytes.len()).sum();
    assert!(held > 2 * 16_000, "some junk is held: {held}");
    assert!(incoming.held_bytes() <= 8 * 16_384 + 8 * 1024);
    incoming.require_epoch(2);
    assert_eq!(incoming.held_bytes(), 0);
}

#[test]
fn threat_09_a_claim_above_the_limit_is_refused_before_allocation() {
    let mut incoming = new();
    let certificate = Fragment {
        msg_type: HandshakeType::CERTIFICATE,
        length: 66_001,
        message_seq: 0,
        offset: 0,
        payload: &[0; 1000],
    };
    let too_long = |message, length, limit, setting| {
        FragmentFault::TooLong(message, TooLong { length, limit, setting: Some(setting) })
    };
    let fault = too_long(HandshakeType::CERTIFICATE, 66_001, 66_000, "limits.certificate");
    assert_eq!(incoming.accept(at(0), certificate), Accepted::Dropped(fault));
    let finished = Fragment { msg_type: HandshakeType::FINISHED, length: 16_385, ..certificate };
    let fault = too_long(HandshakeType::FINISHED, 16_385, 16_384, "limits.other");
    assert_eq!(incoming.accept(at(0), finished), Accepted::Dropped(fault));
    assert_eq!(incoming.held_bytes(), 0);
    assert_eq!(incoming.accept(at(0), Fragment { length: 66_000, ..certificate }), Accepted::Kept);
    let finished = Fragment { length: 16_384, message_seq: 1, ..finished };
    assert_eq!(incoming.accept(at(0), finished), Accepted::Kept);
}

/// What was refused is remembered until the peer gets the message across in another form.
#[test]
fn a_message_that_is_too_long_is_remembered_until_it_comes() {
    let bytes = body(100, 0);
    let mut incoming = new();
    let long = Fragment { length: 70_000, ..piece(&bytes, 0, 0..50) };
    assert_eq!(incoming.refused(&LIMITS), None);
    assert!(matches!(incoming.accept(at(0), long), Accepted::Dropped(_)));
    let (message, fault) = incoming.refused(&LIMITS).unwrap();
    assert_eq!((message, fault.length, fault.limit), (HandshakeType::CERTIFICATE, 70_000, 66_000));
    assert!(matches!(incoming.accept(at(0), piece(&bytes, 0, 0..100)), Accepted::Whole(_)));
    assert_eq!(incoming.refused(&LIMITS), None);
}

#[test]
fn threat_05_what_the_state_does_not_expect_costs_nothing() {
    let bytes = body(100, 0);
    let next = Arrival { expectation: Expectation::from(&ANY, HandshakeType::SERVER_HELLO_DONE), ..at(0) };
    let mut incoming = new();
    // Neither the type nor the place; only a whole message that is next is for the state to refuse.
    let unexpected = |received| FragmentFault::Unexpected { expected: "ServerHelloDone", received };
    let certificate = piece(&bytes, 0, 0..50);
    let refused = Accepted::Dropped(unexpected(HandshakeType::CERTIFICATE));
    assert_eq!(incoming.accept(next, certificate), refused);
    assert_eq!(incoming.accept(next, piece(&bytes, 1, 0..100)), refused);
    assert_eq!(incoming.hold(next, piece(&bytes, 0, 0..100)), refused);
    let finished = Fragment { msg_type: HandshakeType::FINISHED, ..certificate };
    let refused = Accepted::Dropped(unexpected(HandshakeType::FINISHED));
    assert_eq!(incoming.accept(next, finished), refused);
    assert_eq!(incoming.accept(next, Fragment { message_seq: 2, ..finished }), refused);
    assert_eq!(incoming.held_bytes(), 0);
    assert_eq!(incoming.accept(next, Fragment { message_seq: 1, ..finished }), Accepted::Kept);
    assert!(matches!(incoming.accept(next, piece(&bytes, 0, 0..100)), Accepted::Whole(_)));
}

/// However much comes early, and in whatever pieces, the message that is next becomes whole within the total.
#[test]
fn threat_05_the_total_holds_and_leaves_room_for_the_next_message() {
    static FLIGHT: [Expected; 3] = [
        Expected::always(HandshakeType::CERTIFICATE, Bound::Fixed(3_000)),
        Expected::always(HandshakeType::FINISHED, Bound::Other),
        Expected::always(HandshakeType::SERVER_HELLO_DONE, Bound::Other),
    ];
    let arrival = Arrival { expectation: Expectation::from(&FLIGHT, HandshakeType::CERTIFICATE), ..at(0) };
    let mut random = Lcg(11);
    for total in [4_000, 6_000, 8_192, 20_480] {
        let mut incoming = Incoming::new(0, total);
        let mut refused = 0;
        for _ in 0..3_000 {
            let message_seq = 1 + random.next(2) as u16;
            let (msg_type, length) = match message_seq {
                1 => (HandshakeType::FINISHED, 16_000),
                _ => (HandshakeType::SERVER_HELLO_DONE, 15_000),
            };
            let size = 1 + random.next(900);
            let offset = random.next(length - size + 1) as u32;
            let (length, payload) = (length as u32, &[7; 900][..size]);
            let fragment = Fragment { msg_type, length, message_seq, offset, payload };
            refused +=
                usize::from(incoming.accept(arrival, fragment) == Accepted::Dropped(FragmentFault::NoRoom));
            assert!(incoming.held_bytes() <= total as usize, "{} of {total}", incoming.held_bytes());
        }
        assert!(refused > 100, "{refused} of {total}");
        let bytes = body(3_000, 0);
        for start in (0..3_000).step_by(250).rev() {
            let accepted = incoming.accept(arrival, piece(&bytes, 0, start..start + 250));
            assert_eq!(accepted, Accepted::Kept, "{start} of {total}");
            assert!(incoming.held_bytes() <= total as usize, "{} of {total}", incoming.held_bytes());
        }
        assert_eq!(incoming.take_ready().unwrap().body, bytes);
    }
}

#[test]
fn threat_05_what_is_granted_limits_the_total_further() {
    let bytes = body(1_000, 0);
    let mut incoming = new();
    assert_eq!(incoming.accept(at(0), piece(&bytes, 0, 0..100)), Accepted::Kept);
    incoming.grant(0);
    let no_room = Accepted::Dropped(FragmentFault::NoRoom);
    assert_eq!(incoming.accept(at(0), piece(&bytes, 0, 200..300)), no_room);
    assert_eq!(incoming.accept(at(0), piece(&bytes, 1, 0..10)), no_room);
    incoming.grant(100_000);
    assert_eq!(incoming.accept(at(0), piece(&bytes, 0, 200..300)), Accepted::Kept);
    // A whole message in order needs no room.
    incoming.grant(0);
    assert!(matches!(incoming.accept(at(0), piece(&bytes, 0, 0..1_000)), Accepted::Whole(_)));
}

/// A fragment for which there is no room must not cost the message that it contradicts: found by fuzzing.
#[test]
fn threat_05_a_contradiction_without_room_displaces_nothing() {
    let bytes = body(500, 1);
    let mut incoming = Incoming::new(1, 1_400);
    assert_eq!(incoming.accept(at(0), piece(&bytes, 1, 0..250)), Accepted::Kept);
    assert_eq!(incoming.accept(at(0), piece(&bytes, 1, 300..500)), Accepted::Kept);
    let held = incoming.held_bytes();
    let large = body(1_500, 1);
    let no_room = Accepted::Dropped(FragmentFault::NoRoom);
    assert_eq!(incoming.accept(at(0), piece(&large, 1, 0..1_450)), no_room);
    assert_eq!((incoming.held_bytes(), incoming.take_displaced()), (held, false));
    assert_eq!(incoming.accept(at(0), piece(&bytes, 1, 250..300)), Accepted::Kept);
    assert_eq!(incoming.take_ready().unwrap().body, bytes);
}

#[test]
fn after_the_handshake_pieces_are_forgotten_in_time() {
    static SHORT: [Expected; 1] = [Expected::always(HandshakeType::CERTIFICATE, Bound::Fixed(1_000))];
    let bytes = body(100, 0);
    let seconds = |seconds| Arrival {
        epoch: 3,
        now: Duration::from_secs(seconds),
        expectation: Expectation::AnyOf(&SHORT),
        limits: &LIMITS,
    };
    let mut incoming = new();
    // What was granted to a half-open association ends with it.
    incoming.grant(0);
    incoming.limit_to_post_handshake();
    assert_eq!(incoming.deadline(), None);
    assert_eq!(incoming.accept(seconds(10), piece(&bytes, 0, 0..50)), Accepted::Kept);
    assert_eq!(incoming.accept(seconds(40), piece(&bytes, 1, 0..50)), Accepted::Kept);
    // More of a message prolongs its time, and what was there already does not.
    assert_eq!(incoming.accept(seconds(60), piece(&bytes, 0, 50..60)), Accepted::Kept);
    assert_eq!(incoming.accept(seconds(70), piece(&bytes, 1, 0..50)), Accepted::Duplicate);
    assert_eq!(incoming.deadline(), Some(Duration::from_secs(280)));
    incoming.expire(Duration::from_micros(279_999_999));
    assert_eq!(incoming.partials.len(), 2);
    incoming.expire(Duration::from_secs(280));
    assert_eq!((incoming.partials.len(), incoming.deadline()), (1, Some(Duration::from_secs(300))));
    incoming.expire(Duration::from_secs(300));
    assert_eq!((incoming.held_bytes(), incoming.deadline()), (0, None));
    let too_far = Accepted::Dropped(FragmentFault::TooFarAhead);
    assert_eq!(incoming.accept(seconds(0), piece(&bytes, 5, 0..50)), too_far);
    assert_eq!(incoming.accept(seconds(0), piece(&bytes, 4, 0..50)), Accepted::Kept);
}

/// Every permutation of a small flight, each fragment twice.
#[test]
fn threat_10_threat_11_every_order_ends_the_same_and_empty() {
    let bodies = [body(30, 0), body(0, 1), body(20, 2)];
    let fragments = [
        piece(&bodies[0], 0, 0..15),
        piece(&bodies[0], 0, 10..30),
        piece(&bodies[1], 1, 0..0),
        piece(&bodies[2], 2, 0..20),
        piece(&bodies[2], 2, 5..9),
    ];
    let mut order: Vec<usize> = (0..5).chain(0..5).collect();
    let mut random = Lcg(10);
    for _ in 0..5000 {
        for i in (1..order.len()).rev() {
            order.swap(i, random.next(i + 1));
        }
        let (mut incoming, mut messages) = (new(), Vec::new());
        for &index in &order {
            feed(&mut incoming, fragments[index], &mut messages);
        }
        assert_in_order(&messages, &bodies);
        assert_eq!(incoming.held_bytes(), 0);
    }
}

#[test]
fn threat_10_forgetting_frees_everything() {
    let bytes = body(100, 0);
    let hold = || {
        let mut incoming = new();
        for message_seq in 0..8 {
            assert_eq!(incoming.accept(at(0), piece(&bytes, message_seq, 0..50)), Accepted::Kept);
        }
        incoming
    };
    let mut incoming = hold();
    incoming.require_epoch(1);
    assert_eq!((incoming.held_bytes(), incoming.next_message_seq()), (0, Some(0)));
    let mut incoming = hold();
    incoming.set_next_message_seq(7);
    assert_eq!(incoming.partials.len(), 1);
    incoming.set_next_message_seq(8);
    assert_eq!((incoming.held_bytes(), incoming.next_message_seq()), (0, Some(8)));
}

#[test]
fn threat_12_no_message_is_put_together_across_a_key_change() {
    let bytes = body(100, 0);
    let forged = [0xee; 100];
    let mut incoming = new();
    // Written without keys, before they existed: gives way to the protected message.
    assert_eq!(incoming.accept(at(0), piece(&forged, 1, 0..60)), Accepted::Kept);
    assert_eq!(incoming.accept(at(0), piece(&forged, 2, 0..100)), Accepted::Kept);
    assert!(matches!(incoming.accept(at(0), piece(&bytes, 0, 0..100)), Accepted::Whole(_)));
    incoming.require_epoch(2);
    assert_eq!(incoming.held_bytes(), 0);
    assert_eq!(
        incoming.accept(at(0), piece(&forged, 1, 0..100)),
        Accepted::Dropped(FragmentFault::StaleEpoch)
    );
    assert_eq!(incoming.accept(at(0), piece(&bytes, 0, 0..100)), Accepted::Duplicate, "processed before");
    assert_eq!(incoming.accept(at(2), piece(&bytes, 1, 60..100)), Accepted::Kept);
    assert!(incoming.take_ready().is_none());
    assert_eq!(incoming.accept(at(2), piece(&bytes, 1, 0..60)), Accepted::Kept);
    let message = incoming.take_ready().unwrap();
    assert_eq!((message.as_message().epoch, message.as_message().body), (2, &bytes[..]));
}

#[test]
fn threat_12_a_later_epoch_replaces_and_an_earlier_one_is_refused() {
    let bytes = body(100, 0);
    let mut incoming = new();
    assert_eq!(incoming.accept(at(1), piece(&bytes, 0, 0..60)), Accepted::Kept);
    assert_eq!(
        incoming.accept(at(0), piece(&bytes, 0, 60..100)),
        Accepted::Dropped(FragmentFault::StaleEpoch)
    );
    let shorter = body(60, 9);
    assert_eq!(incoming.accept(at(2), piece(&shorter, 0, 0..40)), Accepted::Kept);
    assert_eq!(incoming.accept(at(2), piece(&shorter, 0, 40..60)), Accepted::Kept);
    assert_eq!(incoming.take_ready().unwrap().body, shorter);
}

#[test]
fn threat_13_every_distance_of_message_seq() {
    let bytes = body(10, 0);
    for first in [0, 1, 1000, 65_500, 65_535] {
        for distance in [0, 1, 7, 8, 31, 32, 33, 63, 64, 65_535] {
            let mut incoming = Incoming::new(first, u32::MAX);
            let Some(message_seq) = first.checked_add(distance) else {
                // Behind the sequence's end there is nothing: what wraps around is an old message.
                let wrapped = first.wrapping_add(distance);
                assert_eq!(incoming.accept(at(0), piece(&bytes, wrapped, 0..10)), Accepted::Duplicate);
                continue;
            };
            let accepted = incoming.accept(at(0), piece(&bytes, message_seq, 0..10));
            match distance {
                0 => assert!(matches!(accepted, Accepted::Whole(_))),
                1..=7 => assert_eq!(accepted, Accepted::Kept),
                _ => assert_eq!(accepted, Accepted::Dropped(FragmentFault::TooFarAhead)),
            }
        }
    }
}

#[test]
fn threat_13_message_seq_does_not_wrap() {
    let bytes = body(10, 0);
    let mut incoming = Incoming::new(u16::MAX, u32::MAX);
    assert!(matches!(incoming.accept(at(0), piece(&bytes, u16::MAX, 0..10)), Accepted::Whole(_)));
    assert_eq!(incoming.next_message_seq(), None);
    for message_seq in [0, 1, u16::MAX] {
        assert_eq!(incoming.accept(at(0), piece(&bytes, message_seq, 0..10)), Accepted::Duplicate);
    }
}

#[test]
fn too_many_pieces_delay_a_message_but_do_not_lose_it() {
    let bytes = body(1000, 0);
    let mut incoming = new();
    for island in 0..32 {
        assert_eq!(
            incoming.accept(at(0), piece(&bytes, 0, 300 + island * 20..310 + island * 20)),
            Accepted::Kept
        );
    }
    let too_many = Accepted::Dropped(FragmentFault::TooManyPieces);
    assert_eq!(incoming.accept(at(0), piece(&bytes, 0, 0..10)), too_many);
    let mut repeats = 0;
    let message = loop {
        repeats += 1;
        for start in (0..1000).step_by(50) {
            incoming.accept(at(0), piece(&bytes, 0, start..start + 50));
        }
        if let Some(message) = incoming.take_ready() {
            break message;
        }
    };
    assert_eq!((message.body, repeats), (bytes, 2));
}
