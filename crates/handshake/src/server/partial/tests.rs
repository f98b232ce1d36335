use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::message::registry::HandshakeType;

const SETTINGS: PartialHelloSettings = PartialHelloSettings {
    places: 64,
    place_bytes: 4096,
    places_per_network: 4,
    lifetime: Duration::from_secs(20),
};

impl PartialHellos {
    /// A fragment that is alone in its datagram.
    fn put(
        &mut self,
        now: Instant,
        stranger: Stranger<'_>,
        fragment: &Fragment<'_>,
    ) -> Result<Option<&[u8]>, Discard> {
        let mut sender = self.sender(now, stranger);
        self.insert(now, &mut sender, fragment)
    }

    /// A first fragment with a good cookie that is alone in its datagram.
    fn fill(&mut self, now: Instant, stranger: Stranger<'_>, fragment: &Fragment<'_>) -> Option<&[u8]> {
        let mut sender = self.sender(now, stranger);
        self.complete(&mut sender, fragment)
    }

    /// How often all places were looked at, since the last call.
    pub(in super::super) fn take_scans(&self) -> usize {
        self.scans.take()
    }
}

fn pool() -> PartialHellos {
    PartialHellos::new(Some(&SETTINGS), Some(crate::crypto::ring::SHA_256))
}

fn at(milliseconds: u64) -> Instant {
    Instant::from_origin(Duration::from_millis(milliseconds))
}

/// A sender of its own network.
fn stranger(id: &[u8]) -> Stranger<'_> {
    Stranger { id, network: id }
}

fn fragment(message_seq: u16, whole: &[u8], range: Range<usize>) -> Fragment<'_> {
    Fragment {
        msg_type: HandshakeType::CLIENT_HELLO,
        length: whole.len() as u32,
        message_seq,
        offset: range.start as u32,
        payload: &whole[range],
    }
}

fn hello(seed: u8, length: usize) -> Vec<u8> {
    (0..length).map(|index| (index as u8).wrapping_mul(31).wrapping_add(seed)).collect()
}

#[test]
fn the_memory_is_at_most_256_kib_by_default() {
    let pool = PartialHellos::new(Some(&PartialHelloSettings::default()), None);
    let bytes: usize = pool
        .places
        .iter()
        .map(|place| size_of::<Place>() + place.bytes.len() + size_of_val(&*place.come))
        .sum();
    assert_eq!(pool.places.len(), 64);
    assert!(bytes <= 256 * 1024, "{bytes}");
    assert!(pool.places[0].bytes.len() >= 3400, "{}", pool.places[0].bytes.len());
    assert!(PartialHellos::new(None, None).places.is_empty());
}

#[test]
fn pieces_in_any_order_make_the_whole_and_the_place_is_free_again() {
    let mut pool = pool();
    let whole = hello(1, 1600);
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let ranges = [0..600, 600..1200, 1200..1600];
        for (count, index) in order.into_iter().enumerate() {
            let piece = fragment(0, &whole, ranges[index].clone());
            let result = pool.put(at(0), stranger(b"a"), &piece);
            assert_eq!(result, Ok((count == 2).then_some(&whole[..])), "{order:?}");
        }
        assert!(pool.places.iter().all(|place| place.tenant.is_none()));
    }
}

#[test]
fn a_first_fragment_completes_what_overtook_it_or_ends_the_waiting() {
    let whole = hello(1, 1600);
    let first = fragment(1, &whole, 0..600);
    let mut pool = pool();
    assert_eq!(pool.fill(at(0), stranger(b"a"), &first), None, "nobody is there");
    assert!(pool.places.iter().all(|place| place.tenant.is_none()), "and no place is taken");
    for (overtaking, seq, other, expected) in [
        (600..1600, 1, &b"a"[..], true),
        (700..1600, 1, b"a", false),
        (600..1600, 0, b"a", false),
        (600..1600, 1, b"b", false),
    ] {
        let piece = fragment(seq, &whole, overtaking.clone());
        assert_eq!(pool.put(at(0), stranger(other), &piece), Ok(None));
        let completed = pool.fill(at(0), stranger(b"a"), &first);
        assert_eq!(completed, expected.then_some(&whole[..]), "{overtaking:?} {seq} {other:?}");
        let tenants = pool.places.iter().filter(|place| place.tenant.is_some()).count();
        assert_eq!(tenants, usize::from(other == b"b"), "{overtaking:?} {seq} {other:?}");
    }
    let piece = fragment(1, &whole, 600..1600);
    assert_eq!(pool.put(at(0), stranger(b"c"), &piece), Ok(None));
    assert_eq!(pool.fill(at(20_001), stranger(b"c"), &first), None, "its time is over");
}

#[test]
fn what_is_forgotten_is_one_senders() {
    let (whole, mut pool) = (hello(1, 300), pool());
    for id in [b"a", b"b"] {
        assert_eq!(pool.put(at(0), stranger(id), &fragment(0, &whole, 200..300)), Ok(None));
    }
    let mut sender = pool.sender(at(0), stranger(b"a"));
    pool.forget(&mut sender);
    assert_eq!(pool.fill(at(0), stranger(b"a"), &fragment(0, &whole, 0..200)), None);
    assert_eq!(pool.fill(at(0), stranger(b"b"), &fragment(0, &whole, 0..200)), Some(&whole[..]));
}

#[test]
fn names_of_any_length_differ() {
    let names: Vec<_> =
        (0..64).map(|length| Name::of(&vec![0; length], Some(crate::crypto::ring::SHA_256))).collect();
    for (length, name) in names.iter().enumerate() {
        assert!(!names[..length].contains(name), "{length}");
        assert_eq!(*name, Name::of(&vec![0; length], Some(crate::crypto::ring::SHA_256)));
    }
}

#[test]
fn copies_are_nothing_new() {
    let mut pool = pool();
    let whole = hello(1, 300);
    for _ in 0..10 {
        assert_eq!(pool.put(at(0), stranger(b"a"), &fragment(0, &whole, 0..200)), Ok(None));
        assert_eq!(pool.put(at(0), stranger(b"a"), &fragment(0, &whole, 100..250)), Ok(None));
    }
    assert_eq!(pool.put(at(0), stranger(b"a"), &fragment(0, &whole, 250..300)), Ok(Some(&whole[..])));
}

#[test]
fn contradicting_pieces_are_dropped_and_a_new_beginning_replaces_the_old_one() {
    let mut pool = pool();
    let (whole, other, longer) = (hello(1, 300), hello(2, 300), hello(1, 301));
    let from = stranger(b"a");
    assert_eq!(pool.put(at(0), from, &fragment(1, &whole, 0..200)), Ok(None));
    for forged in
        [fragment(1, &other, 150..300), fragment(1, &longer, 200..301), fragment(0, &whole, 200..300)]
    {
        assert_eq!(pool.put(at(0), from, &forged), Err(Discard::ContradictingFragment), "{forged:?}");
    }
    assert_eq!(pool.put(at(0), from, &fragment(1, &whole, 200..300)), Ok(Some(&whole[..])));

    assert_eq!(pool.put(at(0), from, &fragment(0, &whole, 0..200)), Ok(None));
    assert_eq!(pool.put(at(0), from, &fragment(0, &other, 0..200)), Ok(None), "the client began anew");
    assert_eq!(pool.put(at(0), from, &fragment(0, &whole, 150..300)), Err(Discard::ContradictingFragment));
    assert_eq!(pool.put(at(0), from, &fragment(0, &other, 200..300)), Ok(Some(&other[..])));
}

#[test]
fn what_makes_no_sense_is_dropped() {
    let mut pool = pool();
    let whole = hello(1, 300);
    let from = stranger(b"a");
    assert_eq!(
        pool.put(at(0), from, &fragment(0, &whole, 5..5)),
        Err(Discard::MalformedFragment),
        "nothing in it"
    );
    let beyond = Fragment { offset: 200, ..fragment(0, &whole, 0..200) };
    assert_eq!(pool.put(at(0), from, &beyond), Err(Discard::MalformedFragment));
    let longest = hello(1, pool.places[0].bytes.len());
    assert_eq!(pool.put(at(0), from, &fragment(0, &longest, 0..longest.len())), Ok(Some(&longest[..])));
    let too_long = hello(1, longest.len() + 1);
    assert_eq!(pool.put(at(0), from, &fragment(0, &too_long, 0..100)), Err(Discard::FragmentBeyondLimit));
    assert!(pool.places.iter().all(|place| place.tenant.is_none()));
}

#[test]
fn pieces_of_a_second_hello_overtake_each_other_too() {
    let mut pool = pool();
    let (first, second) = (hello(1, 300), hello(2, 400));
    let from = stranger(b"a");
    // A copy of the first hello is still on its way when the second comes.
    assert_eq!(pool.put(at(0), from, &fragment(0, &first, 0..200)), Ok(None));
    assert_eq!(pool.put(at(0), from, &fragment(1, &second, 300..400)), Ok(None));
    assert_eq!(
        pool.put(at(0), from, &fragment(0, &first, 200..300)),
        Err(Discard::ContradictingFragment),
        "too late"
    );
    assert_eq!(pool.put(at(0), from, &fragment(1, &second, 100..300)), Ok(None));
    assert_eq!(pool.put(at(0), from, &fragment(1, &second, 0..100)), Ok(Some(&second[..])));
    // With no place of its own either.
    assert_eq!(pool.put(at(1), from, &fragment(1, &second, 100..400)), Ok(None));
    assert_eq!(pool.put(at(1), from, &fragment(1, &second, 0..100)), Ok(Some(&second[..])));
}

/// The fragments of attempts after 1, 3, 7 and 15 s count together: each attempt brings one more here.
#[test]
fn fragments_are_kept_for_twenty_seconds_after_the_last_one() {
    let mut pool = pool();
    let whole = hello(1, 500);
    let from = stranger(b"a");
    for (attempt, second) in [0, 1, 3, 7].into_iter().enumerate() {
        let piece = fragment(0, &whole, attempt * 100..(attempt + 1) * 100);
        assert_eq!(pool.put(at(second * 1000), from, &piece), Ok(None), "{second}");
    }
    assert_eq!(pool.put(at(15_000), from, &fragment(0, &whole, 400..500)), Ok(Some(&whole[..])));

    assert_eq!(pool.put(at(0), from, &fragment(0, &whole, 0..200)), Ok(None));
    assert_eq!(
        pool.put(at(20_000), from, &fragment(0, &whole, 200..450)),
        Ok(None),
        "until then it is there"
    );
    assert_eq!(pool.put(at(40_001), from, &fragment(0, &whole, 450..500)), Ok(None), "a new place");
    assert_eq!(pool.put(at(40_001), from, &fragment(0, &whole, 0..200)), Ok(None));
    assert_eq!(pool.put(at(40_001), from, &fragment(0, &whole, 200..450)), Ok(Some(&whole[..])));
}

#[test]
fn a_network_has_few_places_and_its_own_oldest_makes_room() {
    let mut pool = pool();
    let whole = hello(1, 300);
    let other = stranger(b"elsewhere");
    assert_eq!(pool.put(at(0), other, &fragment(0, &whole, 0..200)), Ok(None));
    for id in 0..100_u8 {
        let from = Stranger { id: &[id], network: b"crowd" };
        assert_eq!(pool.put(at(1), from, &fragment(0, &whole, 0..200)), Ok(None));
    }
    assert_eq!(pool.places.iter().filter(|place| place.tenant.is_some()).count(), 5);
    for id in 0..100_u8 {
        let name = Name::of(&[id], None);
        let has_place =
            pool.places.iter().any(|place| place.tenant.as_ref().is_some_and(|tenant| tenant.peer == name));
        assert_eq!(has_place, id >= 96, "{id}");
    }
    assert_eq!(pool.put(at(1), other, &fragment(0, &whole, 200..300)), Ok(Some(&whole[..])));
}

#[test]
fn the_oldest_of_all_makes_room_where_the_clock_stands_still() {
    let mut pool = pool();
    let whole = hello(1, 300);
    for id in 0..65_u8 {
        assert_eq!(pool.put(at(0), stranger(&[id]), &fragment(0, &whole, 0..200)), Ok(None));
    }
    for id in (1..65_u8).rev() {
        let rest = fragment(0, &whole, 200..300);
        assert_eq!(pool.put(at(0), stranger(&[id]), &rest), Ok(Some(&whole[..])), "{id}");
    }
    assert_eq!(pool.put(at(0), stranger(&[0]), &fragment(0, &whole, 200..300)), Ok(None), "it was put out");
}

#[test]
fn without_places_nothing_is_held() {
    let mut pool = PartialHellos::new(None, None);
    let whole = hello(1, 300);
    let result = pool.put(at(0), stranger(b"a"), &fragment(0, &whole, 0..200));
    assert_eq!(result, Err(Discard::FragmentBeyondLimit));
    for places_per_network in [0, 1] {
        let mut pool =
            PartialHellos::new(Some(&PartialHelloSettings { places_per_network, ..SETTINGS }), None);
        let expected = if places_per_network == 0 { Err(Discard::NoRoom) } else { Ok(None) };
        assert_eq!(pool.put(at(0), stranger(b"a"), &fragment(0, &whole, 0..200)), expected);
    }
}

proptest! {
    #[test]
    fn words_have_exactly_the_bits_of_the_range(start in 0_usize..300, length in 1_usize..300) {
        let mut bits: Vec<usize> = Vec::new();
        for (word, mask) in words(start..start + length) {
            bits.extend((0..64).filter(|bit| mask >> bit & 1 == 1).map(|bit| word * 64 + bit));
        }
        prop_assert_eq!(bits, (start..start + length).collect::<Vec<_>>());
    }

    /// Against a model that keeps everything: what comes out is always a whole that the sender's pieces make up, and with
    /// one honest message per sender it comes out exactly when its last byte does.
    #[test]
    fn honest_pieces_come_out_whole(
        pieces in proptest::collection::vec((0_u8..3, 0_usize..150, 1_usize..150), 1..60),
    ) {
        let mut pool = pool();
        let wholes: Vec<_> = (0..3).map(|sender| hello(sender, 150)).collect();
        let mut come: HashMap<u8, [bool; 150]> = HashMap::new();
        for (sender, start, length) in pieces {
            let range = start..(start + length).min(150);
            let model = come.entry(sender).or_insert([false; 150]);
            model[range.clone()].fill(true);
            let is_whole = model.iter().all(|come| *come);
            let whole = &wholes[usize::from(sender)];
            let result = pool.put(at(0), stranger(&[sender]), &fragment(0, whole, range));
            prop_assert_eq!(result, Ok(is_whole.then_some(&whole[..])));
            if is_whole {
                come.remove(&sender);
            }
        }
    }

    #[test]
    fn hostile_pieces_never_panic(
        pieces in proptest::collection::vec(
            (any::<u8>(), any::<u16>(), 0_u32..400, 0_u32..400, proptest::collection::vec(any::<u8>(), 0..100), 0_u64..50_000),
            0..60,
        ),
    ) {
        let mut pool = PartialHellos::new(Some(&PartialHelloSettings { places: 3, place_bytes: 700, ..SETTINGS }), None);
        for (id, message_seq, length, offset, payload, time) in &pieces {
            let fragment = Fragment {
                msg_type: HandshakeType::CLIENT_HELLO,
                length: *length,
                message_seq: message_seq % 3,
                offset: *offset,
                payload,
            };
            let from = Stranger { id: &[id % 8], network: &[id % 2] };
            if let Ok(Some(whole)) = pool.put(at(*time), from, &fragment) {
                prop_assert_eq!(whole.len(), *length as usize);
            }
        }
    }
}
