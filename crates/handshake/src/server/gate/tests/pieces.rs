//! Hellos in fragments: held, put together, handed on, and no way to keep others out.

use proptest::prelude::*;

use super::*;

#[test]
fn threat_14_a_first_hello_in_pieces_is_asked_once_it_is_whole() {
    let body = Hello::large().body();
    for versions in [(V12, V13), (V13, V13)] {
        let gate = gate(versions);
        let mut pool = gate.partial_hellos();
        for pieces in 2..=8 {
            let size = body.len().div_ceil(pieces);
            let mut said = Said::Hold;
            for begin in (0..body.len()).step_by(size) {
                assert_eq!(said, Said::Hold, "{pieces} pieces");
                let datagram = piece(0, &body, begin..(begin + size).min(body.len()));
                said = ask(&gate, start_at(0), SENDER, &mut pool, &datagram);
            }
            let Said::Retry(_, None, cookie, _) = said else { panic!("{said:?}") };
            let again = Hello { cookie: Some(cookie), ..Hello::large() };
            let first = piece(1, &again.body(), 0..300);
            let said = ask(&gate, start_at(0), SENDER, &mut pool, &first);
            assert!(matches!(said, Said::Accept(Proven::Retry(_), None)), "its first piece is enough");
        }
    }
}

#[test]
fn a_second_hello_whose_cookie_comes_late_is_held_and_handed_on() {
    let gate = dual();
    let mut pool = gate.partial_hellos();
    let hello = Hello::large();
    let asked = ask(&gate, start_at(0), SENDER, &mut pool, &whole(0, &hello.body()));
    let second = Hello { cookie_last: true, shares: hello.shares.clone(), ..second(&hello, &asked) };
    let body = second.body();
    let mut give = |range| ask(&gate, start_at(0), SENDER, &mut pool, &piece(1, &body, range));
    assert_eq!(give(0..600), Said::Hold);
    assert_eq!(give(600..1200), Said::Hold);
    let Said::Accept(proven, Some(held)) = give(1200..body.len()) else { panic!("it is whole") };
    assert_eq!(held, body);
    assert!(proven.covers(&ClientHello::decode(&held).unwrap()));

    let forged = Hello { cookie: Some(vec![1; 57]), ..second };
    let body = forged.body();
    let mut give = |range| ask(&gate, start_at(0), SENDER, &mut pool, &piece(1, &body, range));
    assert_eq!(give(0..1200), Said::Hold);
    assert_eq!(give(1200..body.len()), ILLEGAL_PARAMETER);
    assert_eq!(say(&gate, &forged), ILLEGAL_PARAMETER, "also in one datagram");
}

#[test]
fn what_overtook_the_cookie_of_a_second_hello_is_handed_on() {
    let gate = dual();
    let mut pool = gate.partial_hellos();
    let hello = Hello::large();
    let asked = ask(&gate, start_at(0), SENDER, &mut pool, &whole(0, &hello.body()));
    let body = Hello { shares: hello.shares.clone(), ..second(&hello, &asked) }.body();
    let mut give = |range| ask(&gate, start_at(0), SENDER, &mut pool, &piece(1, &body, range));
    assert_eq!(give(600..body.len()), Said::Hold);
    let Said::Accept(proven, Some(held)) = give(0..600) else { panic!("it is whole") };
    assert_eq!(held, body);
    assert!(proven.covers(&ClientHello::decode(&held).unwrap()));
    assert_eq!(give(1200..body.len()), Said::Hold);
    assert!(
        matches!(give(0..600), Said::Accept(Proven::Retry(_), None)),
        "the association waits for the rest"
    );
}

/// A client that comes again at once over the same socket, whose second hello looks the same up to its key share.
#[test]
fn what_an_accepted_hello_left_behind_is_no_part_of_the_next_attempt() {
    let gate = dual();
    let mut pool = gate.partial_hellos();
    for random in [[1; 32], [2; 32]] {
        let hello = Hello { random, ..Hello::large() };
        let asked = ask(&gate, start_at(0), SENDER, &mut pool, &whole(0, &hello.body()));
        let body = Hello { shares: hello.shares.clone(), ..second(&hello, &asked) }.body();
        let mut give = |range| ask(&gate, start_at(0), SENDER, &mut pool, &piece(1, &body, range));
        assert!(matches!(give(0..600), Said::Accept(Proven::Retry(_), None)), "only its own pieces count");
        assert_eq!(give(600..body.len()), Said::Hold);
    }
}

#[test]
fn a_hello_of_1_2_in_pieces_is_asked_by_its_whole_where_1_3_is_admitted() {
    let hello = Hello { versions: None, ..Hello::new() };
    let body = hello.body();
    let gate_13 = dual();
    let mut pool = gate_13.partial_hellos();
    assert_eq!(ask(&gate_13, start_at(0), SENDER, &mut pool, &piece(0, &body, 0..80)), Said::Hold);
    let said = ask(&gate_13, start_at(0), SENDER, &mut pool, &piece(0, &body, 80..body.len()));
    let Said::Verify(legacy_cookie) = said else { panic!("{said:?}") };
    let body = Hello { legacy_cookie, ..hello }.body();
    let said = ask(&gate_13, start_at(0), SENDER, &mut pool, &piece(1, &body, 0..80));
    assert!(matches!(said, Said::Accept(Proven::Verify { .. }, None)), "from the first piece: {said:?}");
    // In a first piece that does not even hold the cookie.
    assert_eq!(ask(&gate_13, start_at(0), SENDER, &mut pool, &piece(1, &body, 0..40)), Said::Hold);
    let said = ask(&gate_13, start_at(0), SENDER, &mut pool, &piece(1, &body, 40..body.len()));
    assert!(matches!(&said, Said::Accept(Proven::Verify { .. }, Some(held)) if *held == body), "{said:?}");

    // A server of 1.2 alone holds nothing.
    let gate_12 = gate((V12, V12));
    let mut pool = gate_12.partial_hellos();
    let body = Hello::large().body();
    let said = ask(&gate_12, start_at(0), SENDER, &mut pool, &piece(0, &body, 0..80));
    assert!(matches!(said, Said::Verify(_)), "{said:?}");
    let said = ask(&gate_12, start_at(0), SENDER, &mut pool, &piece(0, &body, 80..200));
    assert_eq!(said, Said::Nothing(Discard::NotBeforeCookie));
}

#[test]
fn pieces_may_come_in_one_datagram() {
    let gate = dual();
    let mut pool = gate.partial_hellos();
    let body = Hello::new().body();
    let cut = |message_seq, body: &[u8]| {
        [0..50, 50..100, 100..body.len()].map(|range| piece(message_seq, body, range))
    };
    let said = ask(&gate, start_at(0), SENDER, &mut pool, &cut(0, &body).concat());
    assert!(matches!(said, Said::Retry(..)), "{said:?}");
    let body = second(&Hello::new(), &said).body();
    let said = ask(&gate, start_at(0), SENDER, &mut pool, &cut(1, &body).concat());
    assert!(matches!(&said, Said::Accept(_, Some(held)) if *held == body), "{said:?}");
    // What follows a part that is held does not undo it.
    let [first, ..] = cut(0, &body);
    let said = ask(&gate, start_at(0), SENDER, &mut pool, &[&first[..], &[22, 1, 2]].concat());
    assert_eq!(said, Said::Hold);
    // Not more than so many.
    let body = Hello::large().body();
    let crumbs: Vec<_> = (0..MAX_FRAGMENTS + 1).map(|at| piece(0, &body, at..at + 1)).collect();
    let from = Stranger { id: b"crumbs", ..SENDER };
    assert_eq!(ask(&gate, start_at(0), from, &mut pool, &crumbs.concat()), Said::Hold);
    assert_eq!(
        ask(&gate, start_at(0), from, &mut pool, &piece(0, &body, MAX_FRAGMENTS + 1..body.len())),
        Said::Hold
    );
    let said = ask(&gate, start_at(0), from, &mut pool, &crumbs[MAX_FRAGMENTS]);
    assert!(matches!(said, Said::Retry(..)), "{said:?}");
}

#[test]
fn without_a_pool_a_piece_is_dropped() {
    let gate = dual();
    let body = Hello::large().body();
    for range in [0..600, 600..1200] {
        let mut bytes = piece(0, &body, range);
        let mut datagram = Datagram::new(Path(0), &mut bytes);
        let verdict = gate.answer(start_at(0), b"client", &mut datagram, &mut [0; Gate::MAX_REPLY]);
        assert!(matches!(verdict, Verdict::Drop(Discard::NotBeforeCookie)), "{verdict:?}");
    }
}

/// The pool does not remember a flood, and hellos that fit a datagram do not notice it.
#[test]
fn threat_61_a_million_first_fragments_keep_nobody_out() {
    let gate = dual();
    let mut pool = gate.partial_hellos();
    let (large, small) = (Hello::large().body(), Hello::new().datagram());
    let mut first = piece(0, &large, 0..1100);
    let mut reply = [0; Gate::MAX_REPLY];
    for number in 0..1_000_000_u32 {
        let address = number.wrapping_mul(0x9e37_79b9).to_be_bytes();
        let start = start_at(u64::from(number) / 100);
        let from = Stranger { id: &address, network: &address[..3] };
        let mut datagram = Datagram::new(Path(0), &mut first);
        let verdict = gate.answer_or_hold(start, from, &mut datagram, &mut pool, &mut reply);
        assert!(matches!(verdict, Verdict::Hold), "{verdict:?}");
        if number % 10_000 == 0 {
            let said = ask(&gate, start, SENDER, &mut pool, &small);
            assert!(matches!(said, Said::Retry(..)), "{said:?}");
        }
    }
    // The flood has just stopped.
    let end = start_at(10_000);
    for (range, holds) in [(0..1100, true), (1100..large.len(), false)] {
        let said = ask(&gate, end, SENDER, &mut pool, &piece(0, &large, range));
        assert_eq!(matches!(said, Said::Hold), holds, "{said:?}");
        assert_eq!(matches!(said, Said::Retry(..)), !holds, "{said:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Damaged, cut and invented datagrams in any sequence: no panic, and nobody is let in.
    #[test]
    fn threat_08_no_datagram_makes_the_gate_panic(
        datagrams in proptest::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 0_u8..4, any::<u8>()), 1..12,
        ),
        noise in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let gate = dual();
        let mut pool = gate.partial_hellos();
        let body = Hello { cookie: Some(vec![3; 57]), ..Hello::large() }.body();
        ask_raw(&gate, &mut pool, noise, 0);
        for (place, end, value, kind, id) in datagrams {
            let mut bytes = match kind {
                0 => whole(0, &Hello::new().body()),
                1 => piece(0, &body, 0..end.index(body.len()) + 1),
                2 => piece(0, &body, end.index(body.len())..body.len()),
                _ => piece(u16::from(value % 2), &body, 0..body.len()),
            };
            let at = place.index(bytes.len());
            bytes[at] = value;
            ask_raw(&gate, &mut pool, bytes, id % 3);
        }
    }
}

fn ask_raw(gate: &Gate, pool: &mut PartialHellos, mut bytes: Vec<u8>, id: u8) {
    let from = Stranger { id: &[id], network: &[] };
    let length = bytes.len();
    let mut reply = [0; Gate::MAX_REPLY];
    let mut datagram = Datagram::new(Path(0), &mut bytes);
    match gate.answer_or_hold(start_at(0), from, &mut datagram, pool, &mut reply) {
        // A whole that was put together has had more bytes than this datagram.
        Verdict::Refuse { length: answer, .. } | Verdict::Reply(answer) => {
            assert!(answer <= 2 * length || answer <= 200, "{answer} for {length}");
        }
        Verdict::Accept(greeting) => panic!("no cookie was right: {greeting:?}"),
        Verdict::Hold | Verdict::Drop(_) => {}
    }
}

/// A datagram has room for many fragments, and the pool for many places: they are not multiplied.
#[test]
fn the_work_for_a_datagram_does_not_grow_with_the_fragments_in_it() {
    let (gate, body) = (dual(), Hello::large().body());
    for count in [1, 2, 8, 16, 40] {
        let mut pool = gate.partial_hellos();
        for other in 0..64_u8 {
            let from = Stranger { id: &[other], network: &[other] };
            assert_eq!(ask(&gate, start_at(0), from, &mut pool, &piece(0, &body, 900..1000)), Said::Hold);
        }
        pool.take_scans();
        let pieces = |offset: usize, step: usize| -> Vec<u8> {
            let ranges = (0..count).map(|index| offset + index * step..offset + index * step + 10);
            ranges.flat_map(|range| piece(0, &body, range)).collect()
        };
        // A newcomer is looked up, and room is made for it.
        assert_eq!(ask(&gate, start_at(0), SENDER, &mut pool, &pieces(100, 20)), Said::Hold);
        assert!(pool.take_scans() <= 2, "{count} fragments of a newcomer");
        assert_eq!(ask(&gate, start_at(0), SENDER, &mut pool, &pieces(110, 20)), Said::Hold);
        assert_eq!(pool.take_scans(), 1, "{count} fragments of one that is known");
        // Of fragments that begin a hello the first counts: each could have a cookie to check.
        assert_eq!(ask(&gate, start_at(0), SENDER, &mut pool, &pieces(0, 0)), Said::Hold);
        assert_eq!(pool.take_scans(), 1, "{count} beginnings");
    }
    // What a datagram without pieces costs: its sender may have left some.
    let mut pool = gate.partial_hellos();
    assert!(matches!(ask(&gate, start_at(0), SENDER, &mut pool, &Hello::new().datagram()), Said::Retry(..)));
    assert_eq!(pool.take_scans(), 1);
}
