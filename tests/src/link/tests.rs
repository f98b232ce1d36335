//! The simulator itself is tested: a link that loses nothing would make every loss test worthless.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;

const MILLI: Duration = Duration::from_millis(1);

/// Sends `count` datagrams each way, 1 ms apart, and returns what arrived: instant, direction, index.
fn run(link: &mut Link, count: u32) -> Vec<(Duration, Direction, u32)> {
    for index in 0..count {
        for direction in Direction::BOTH {
            link.send(MILLI * index, direction, &index.to_be_bytes());
        }
    }
    drain(link)
}

fn drain(link: &mut Link) -> Vec<(Duration, Direction, u32)> {
    let mut arrived = Vec::new();
    while let Some(at) = link.next_arrival() {
        let (direction, bytes) = link.receive(at).expect("something arrives now");
        let index = bytes.try_into().map_or(u32::MAX, u32::from_be_bytes);
        arrived.push((at, direction, index));
    }
    arrived
}

#[test]
fn a_perfect_link_delivers_all_in_order() {
    let mut link = Link::new(1, LinkSettings::perfect());
    let arrived = run(&mut link, 100);
    let expected: Vec<_> =
        (0..100).flat_map(|i| Direction::BOTH.map(|d| (MILLI * i + MILLI * 30, d, i))).collect();
    assert_eq!(arrived, expected);
    let expected =
        Statistics { sent: 100, sent_bytes: 400, largest: 4, delivered: 100, ..Statistics::default() };
    assert_eq!(link.statistics(Direction::ToClient), &expected);
}

#[test]
fn loss_is_independent_per_direction_and_within_bounds() {
    let settings = LinkSettings { loss_to_server: 0.3, loss_to_client: 0.05, ..LinkSettings::lossy(0.0) };
    let mut link = Link::new(2, settings);
    run(&mut link, 20_000);
    let to_server = *link.statistics(Direction::ToServer);
    let to_client = *link.statistics(Direction::ToClient);
    // Five standard deviations of the binomial distribution.
    assert!((5_676..6_324).contains(&to_server.lost), "{to_server:?}");
    assert!((846..1_154).contains(&to_client.lost), "{to_client:?}");
    for statistics in [to_server, to_client] {
        assert_eq!(statistics.delivered, statistics.sent - statistics.lost + statistics.duplicated);
    }
    // 2 % of those that were not lost, five standard deviations.
    assert!((198..363).contains(&to_server.duplicated), "{to_server:?}");
}

#[test]
fn both_directions_do_not_lose_the_same_datagrams() {
    let mut link = Link::new(3, LinkSettings::lossy(0.5));
    let arrived = run(&mut link, 1_000);
    let of = |wanted| -> BTreeSet<u32> {
        arrived.iter().filter(|(_, direction, _)| *direction == wanted).map(|&(_, _, index)| index).collect()
    };
    let (to_server, to_client) = (of(Direction::ToServer), of(Direction::ToClient));
    let agree = (0..1_000).filter(|index| to_server.contains(index) == to_client.contains(index)).count();
    assert!((400..600).contains(&agree), "{agree}");
}

#[test]
fn delays_stay_in_their_range_and_reach_both_ends() {
    let settings = LinkSettings { late: 0.0, ..LinkSettings::lossy(0.0) };
    let mut link = Link::new(4, settings);
    let delays: Vec<_> = run(&mut link, 5_000).into_iter().map(|(at, _, index)| at - MILLI * index).collect();
    let (least, most) = (delays.iter().min().unwrap(), delays.iter().max().unwrap());
    assert!((MILLI * 15..MILLI * 16).contains(least), "{least:?}");
    assert!((MILLI * 44..=MILLI * 45).contains(most), "{most:?}");
    let mean = delays.iter().sum::<Duration>() / delays.len() as u32;
    assert!((Duration::from_micros(29_500)..Duration::from_micros(30_500)).contains(&mean), "{mean:?}");
}

#[test]
fn late_datagrams_are_overtaken() {
    let settings = LinkSettings { late: 0.05, late_by: MILLI * 30, ..LinkSettings::perfect() };
    let mut link = Link::new(5, settings);
    let arrived = run(&mut link, 2_000);
    assert!(arrived.is_sorted_by_key(|&(at, _, _)| at), "arrivals are in order of time");
    let late = arrived.iter().filter(|&&(at, _, index)| at == MILLI * index + MILLI * 60).count();
    assert!((130..270).contains(&late), "5 % of 4,000, five standard deviations: {late}");
    assert!(!arrived.is_sorted_by_key(|&(_, _, index)| index), "somebody was overtaken");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let trace = |seed| {
        let mut link = Link::new(seed, LinkSettings::lossy(0.1));
        let arrived = run(&mut link, 500);
        (link.trace(), arrived)
    };
    assert_eq!(trace(6), trace(6));
    assert_ne!(trace(6).0, trace(7).0);
}

#[test]
fn the_trace_sees_every_byte_and_instant() {
    let trace = |at, bytes: &[u8]| {
        let mut link = Link::new(0, LinkSettings::perfect());
        link.send(at, Direction::ToServer, bytes);
        link.trace()
    };
    assert_ne!(trace(MILLI, b"ab"), trace(MILLI, b"ac"));
    assert_ne!(trace(MILLI, b"ab"), trace(MILLI * 2, b"ab"));
}

#[test]
fn dropping_one_datagram_changes_no_other_fate() {
    let arrivals = |dropped: Option<u64>| {
        let mut link = Link::new(8, LinkSettings::lossy(0.2));
        link.drop_datagrams(Direction::ToServer, dropped);
        run(&mut link, 300)
    };
    let all = arrivals(None);
    let (_, _, victim) =
        all.iter().copied().find(|(_, direction, _)| *direction == Direction::ToServer).unwrap();
    let expected: Vec<_> =
        all.into_iter().filter(|&(_, d, index)| !(d == Direction::ToServer && index == victim)).collect();
    assert_eq!(arrivals(Some(u64::from(victim))), expected);
}

#[test]
fn indices_count_per_direction() {
    let mut link = Link::new(9, LinkSettings::perfect());
    link.drop_datagrams(Direction::ToClient, [0, 2]);
    let arrived = run(&mut link, 4);
    let to_client: Vec<_> = arrived.iter().filter(|a| a.1 == Direction::ToClient).map(|a| a.2).collect();
    assert_eq!(to_client, [1, 3]);
    assert_eq!(link.statistics(Direction::ToClient).dropped, 2);
    assert_eq!(link.statistics(Direction::ToServer).delivered, 4);
}

#[test]
fn hooks_inspect_alter_drop_and_delay() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let mut link = Link::new(10, LinkSettings::perfect());
    let log = Rc::clone(&seen);
    link.add_hook(move |passing| {
        log.borrow_mut().push((passing.direction, passing.index));
        match passing.index {
            0 => Fate::Drop,
            1 => Fate::Delay(MILLI * 5),
            _ => Fate::Pass,
        }
    });
    link.add_hook(|passing| {
        passing.bytes[3] ^= 0x80;
        Fate::Delay(MILLI)
    });
    for index in 0..3_u32 {
        link.send(Duration::ZERO, Direction::ToServer, &index.to_be_bytes());
    }
    assert_eq!(
        drain(&mut link),
        [(MILLI * 31, Direction::ToServer, 0x82), (MILLI * 36, Direction::ToServer, 0x81),]
    );
    assert_eq!(*seen.borrow(), [0, 1, 2].map(|index| (Direction::ToServer, index)));
}

#[test]
fn injected_datagrams_arrive_untouched() {
    let mut link = Link::new(11, LinkSettings::lossy(1.0));
    link.send(Duration::ZERO, Direction::ToClient, b"lost");
    link.inject(MILLI * 3, Direction::ToClient, 5_u32.to_be_bytes().to_vec());
    assert_eq!(link.in_flight(), 1);
    assert_eq!(drain(&mut link), [(MILLI * 3, Direction::ToClient, 5)]);
    let statistics = link.statistics(Direction::ToClient);
    assert_eq!((statistics.sent, statistics.lost, statistics.injected, statistics.delivered), (1, 1, 1, 1));
}

#[test]
fn a_narrow_path_swallows_large_datagrams() {
    let mut link = Link::new(12, LinkSettings { path_mtu: Some(508), ..LinkSettings::perfect() });
    link.send(Duration::ZERO, Direction::ToServer, &[0; 509]);
    link.send(Duration::ZERO, Direction::ToServer, &[0; 508]);
    assert_eq!(link.receive(MILLI * 30).map(|(_, bytes)| bytes.len()), Some(508));
    assert_eq!(link.next_arrival(), None);
    assert_eq!(link.statistics(Direction::ToServer).oversize, 1);
}

#[test]
#[should_panic(expected = "has 1201 bytes, MTU 1200")]
fn a_datagram_above_the_mtu_fails_the_test() {
    Link::new(13, LinkSettings::perfect()).send(Duration::ZERO, Direction::ToServer, &[0; 1201]);
}
