//! The policy in simulated time, with floods and crowds that only exist as numbers.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::*;
use crate::endpoint::table::Table;

const LIMITS: Limits = Limits {
    half_open: HALF_OPEN,
    half_open_per_network: HALF_OPEN_PER_NETWORK,
    peers: PEERS,
    peers_per_network: None,
    long_silence: LONG_SILENCE,
    newcomers: 16,
};

const fn at(microseconds: u64) -> Instant {
    Instant::from_origin(Duration::from_micros(microseconds))
}

const SECOND: u64 = 1_000_000;

/// An address of one of many networks.
fn address(network: u32, host: u32) -> SocketAddr {
    let [_, a, b, c] = network.to_be_bytes();
    let [.., high, low] = host.to_be_bytes();
    (std::net::Ipv4Addr::new(10 + a, b, c, 1 + (host >> 16) as u8), u16::from_be_bytes([high, low])).into()
}

/// A server that has nothing but its table; each association has the moment at which it was last heard once connected.
struct World {
    table: Table<Option<Instant>, u32>,
    now: u64,
    /// Associations whose handshake will be done then.
    finishing: BTreeMap<(u64, PeerId), ()>,
    /// Who came in, by the number of its hello.
    came: Vec<(u32, PeerId)>,
    displaced: Vec<PeerId>,
    evicted: usize,
    kept: usize,
    refused: usize,
    /// How long a handshake of honest clients takes, who have even numbers.
    handshake: u64,
}

impl World {
    fn new(limits: Limits) -> Self {
        Self {
            table: Table::new(limits),
            now: 0,
            finishing: BTreeMap::new(),
            came: Vec::new(),
            displaced: Vec::new(),
            evicted: 0,
            kept: 0,
            refused: 0,
            handshake: SECOND / 10,
        }
    }

    /// A hello with a good cookie. The server is busy: its budget is not renewed but by time.
    fn hello(&mut self, from: SocketAddr, number: u32) {
        match self.table.find_room(at(self.now), from) {
            Room::None => {
                let kept = self.table.admission.waiting.keep(at(self.now), from.into(), number, &[0; 200]);
                *if kept { &mut self.kept } else { &mut self.refused } += 1;
            }
            room => self.let_in(from, number, room),
        }
        self.let_waiting_in();
    }

    fn let_waiting_in(&mut self) {
        while let Some((waiter, room)) = self.table.next_waiting(at(self.now)) {
            self.let_in(waiter.ends.remote, waiter.greeting, room);
        }
    }

    fn let_in(&mut self, from: SocketAddr, number: u32, room: Room) {
        match room {
            Room::Instead(Victim::HalfOpen(id)) => {
                self.evicted += 1;
                self.table.remove(id).unwrap();
            }
            Room::Instead(Victim::Silent(id)) => {
                self.displaced.push(id);
                self.table.remove(id).unwrap();
            }
            Room::Free | Room::None => {}
        }
        let id = self.table.insert(from.into(), None, at(self.now));
        if number.is_multiple_of(2) {
            self.finishing.insert((self.now + self.handshake, id), ());
        }
        self.came.push((number, id));
    }

    /// Lets time pass, with everything that happens meanwhile; `busy` if the socket is never found empty.
    fn pass(&mut self, microseconds: u64, busy: bool) {
        self.now += microseconds;
        while let Some(entry) = self.finishing.first_entry()
            && entry.key().0 <= self.now
        {
            let ((_, id), ()) = entry.remove_entry();
            let now = at(self.now);
            if let Some(peer) = self.table.get_mut(id) {
                peer.state = Some(now);
                self.table.establish(id, now);
            }
        }
        if !busy {
            self.table.admission.renew_budget();
        }
        self.let_waiting_in();
    }

    fn connected(&self) -> usize {
        self.table.ids().filter(|id| self.table.get(*id).is_some_and(|peer| peer.state.is_some())).count()
    }

    fn has_come(&self, number: u32) -> bool {
        self.came.iter().any(|(came, _)| *came == number)
    }
}

/// One address with a thousand ports replays its second hellos, 5,000 a second, for a minute: whoever comes from
/// elsewhere is let in within 20 ms, and the flood costs few signatures.
#[test]
fn a_flood_of_one_network_keeps_nobody_else_out() {
    let mut world = World::new(LIMITS);
    let floods = 60 * 5_000;
    for number in 0..floods {
        world.hello(address(1, number % 1_000), 1);
        world.pass(SECOND / 5_000, true);
        if number.is_multiple_of(6_000) {
            world.hello(address(1_000 + number, 1), number + 2);
        }
        if number % 6_000 == 100 {
            assert!(world.has_come(number - 98), "{number}");
        }
    }
    let begun = world.came.iter().filter(|(number, _)| *number == 1).count();
    // A place is taken every 2 s.
    assert!(begun <= 64 * 31, "{begun}");
    // Those who came last are on their way.
    assert!(world.connected() >= 49, "{}", world.connected());
}

/// A flood of a hundred networks at 20,000 hellos a second, more than all places and all that may wait: a client of
/// another network waits for less than the fair time of those before it.
#[test]
fn a_flood_of_many_networks_lets_others_in() {
    let mut world = World::new(LIMITS);
    let mut asked: BTreeMap<u32, u64> = BTreeMap::new();
    for number in 0..20 * 20_000_u32 {
        // Networks come in bursts, so that the places of one are all of one age.
        let (network, host) = (number / 400 % 100, number % 400 + number / 40_000 % 7 * 1_000);
        world.hello(address(network, host), 1);
        world.pass(SECOND / 20_000, true);
        if number.is_multiple_of(10_000) && number >= 100_000 {
            asked.insert(number + 2, world.now);
            world.hello(address(1_000 + number, 1), number + 2);
        }
        let has_come = |number: &u32| world.has_come(*number);
        let come: Vec<u32> = if number.is_multiple_of(100) {
            asked.keys().copied().filter(has_come).collect()
        } else {
            Vec::new()
        };
        for number in come {
            let waited = world.now - asked.remove(&number).unwrap();
            assert!(waited < 2 * SECOND, "{waited}");
        }
    }
    assert!(asked.is_empty(), "{asked:?}");
    assert!(world.evicted > 1_000 && world.refused > 1_000);
}

/// Case 05: a thousand clients of one network at once, whose handshakes take 100 ms. None of them has to repeat its
/// hello.
#[test]
fn a_crowd_is_let_in_as_places_fall_free() {
    let mut world = World::new(LIMITS);
    for number in 0..1_000 {
        world.hello(address(7, number), 2 * number);
    }
    assert_eq!((world.came.len(), world.kept, world.refused), (16, 984, 0));
    for _ in 0..2_000 {
        world.pass(1_000, false);
    }
    assert_eq!((world.came.len(), world.connected(), world.evicted), (1_000, 1_000, 0));
    let in_order: Vec<u32> = (0..1_000).map(|number| 2 * number).collect();
    assert_eq!(world.came.iter().map(|(number, _)| *number).collect::<Vec<_>>(), in_order);
}

/// A place that falls free is filled at once.
#[test]
fn who_waits_comes_in_with_the_next_place() {
    let mut world = World::new(LIMITS);
    for number in 0..65 {
        world.hello(address(7, number), 2 * number);
        world.pass(100, false);
    }
    assert_eq!((world.came.len(), world.kept), (64, 1));
    let (_, first) = world.came[0];
    world.table.remove(first).unwrap();
    world.pass(0, false);
    assert!(world.has_come(128));
    assert!(world.table.admission.waiting.is_empty());
}

/// Nobody finds a place while none falls free, and all who wait are looked at again when those before them have had
/// their time: nothing else has to happen for that.
#[test]
fn places_fall_free_by_age_alone() {
    let mut world = World::new(LIMITS);
    for number in 0..128 {
        world.hello(address(7, number), 1);
        world.pass(1_000, false);
    }
    assert_eq!((world.came.len(), world.kept), (64, 64));
    while let Some(next) = world.table.admission.waiting.next_timeout() {
        assert!(next.since_origin() <= Duration::from_secs(3), "still waiting at {next:?}");
        let step = next - at(world.now);
        world.pass(u64::try_from(step.as_micros()).unwrap(), false);
    }
    assert_eq!((world.came.len(), world.evicted), (128, 64));
}

/// So many newcomers and no more between two looks at the socket, and so many every 10 ms however busy it is.
#[test]
fn newcomers_are_limited_while_there_is_something_else_to_do() {
    let mut world = World::new(LIMITS);
    for number in 0..100 {
        world.hello(address(number, 1), 1);
    }
    assert_eq!(world.came.len(), 16);
    world.pass(9_999, true);
    assert_eq!(world.came.len(), 16);
    world.pass(1, true);
    assert_eq!(world.came.len(), 32);
    world.pass(0, false);
    assert_eq!(world.came.len(), 48);
}

/// Must show 6: a full table of silent peers lets a newcomer in, and the one that was silent for longest goes.
#[test]
fn the_longest_silent_gives_way_in_a_full_table() {
    let mut world = World::new(Limits { peers: 300, ..LIMITS });
    for number in 0..300 {
        world.hello(address(number % 3, number), 2 * number);
        world.pass(100_000, false);
    }
    world.pass(SECOND, false);
    assert_eq!(world.connected(), 300);
    world.hello(address(50, 1), 1_000);
    assert!(!world.has_come(1_000), "nobody has been silent for 60 s");
    let longest = world.came[1].1;
    let (_, chatty) = world.came[0];
    world.table.get_mut(chatty).unwrap().state = Some(at(world.now));
    world.pass(31 * SECOND, false);
    world.hello(address(50, 1), 1_000);
    assert!(world.has_come(1_000));
    assert_eq!(world.displaced, [longest]);
    // Who is heard stays.
    let ids: Vec<_> = world.table.ids().collect();
    for id in ids {
        world.table.get_mut(id).unwrap().state = Some(at(world.now));
    }
    world.pass(60 * SECOND, false);
    world.hello(address(51, 1), 1_002);
    assert!(!world.has_come(1_002));
}

/// One network cannot have the whole table, however long it waits; a half-open neighbour that is given up makes room
/// within the network.
#[test]
fn a_network_has_its_share_of_the_table() {
    let limits = Limits { peers: 1_000, peers_per_network: Some(100), ..LIMITS };
    let mut world = World::new(limits);
    for number in 0..200 {
        world.hello(address(1, number), 2 * number);
        world.pass(SECOND / 5, false);
    }
    assert_eq!((world.connected(), world.came.len()), (100, 100));
    world.pass(1_000 * SECOND, false);
    world.hello(address(1, 999), 3);
    assert!(!world.has_come(3));
    world.hello(address(2, 1), 5);
    assert!(world.has_come(5));
    // A small table may be that of one house.
    assert_eq!(Limits { peers: 16, ..LIMITS }.peers_per_network(), 256);
    assert_eq!(LIMITS.peers_per_network(), 16_384);
}

/// Row L7 of what an attacker tried: old hellos of a client's address, replayed in turn, do not put its present
/// handshake out, and the client's own hello is not displaced by them while it waits.
#[test]
fn replayed_hellos_of_an_address_wait_for_its_challenger() {
    let mut world = World::new(LIMITS);
    let from = address(1, 1);
    world.hello(from, 2);
    world.pass(SECOND, false);
    assert_eq!(world.connected(), 1);
    world.handshake = SECOND;
    // A replayed hello takes the place beside the connected one, and the client comes back.
    world.hello(from, 1);
    world.pass(1_000, false);
    world.hello(from, 4);
    for _ in 0..3_000 {
        world.hello(from, 1);
        world.pass(1_000, false);
        world.hello(from, 3);
    }
    assert!(world.has_come(4));
    let (_, own) = *world.came.iter().find(|(number, _)| *number == 4).unwrap();
    assert!(world.table.get(own).unwrap().state.is_some(), "it had its time");
}
