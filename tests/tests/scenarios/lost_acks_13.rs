//! Every single ACK of DTLS 1.3 dropped, and every single one copied: handshakes, KeyUpdates and tickets complete all the
//! same, and the time that a lost ACK costs is bounded.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use drystone_handshake::{
    ClientConfig, Connection, Event, HandshakeType, MIN_MTU, Observed, Observer, ProtocolVersion,
    ServerConfig, Settings,
};
use drystone_record::ContentType;
use drystone_tests::identity::{Identity, client_config, name, server_config, settings_of};
use drystone_tests::link::{Direction, Fate, Link, LinkSettings, Passing};
use drystone_tests::pair::Pair;
use drystone_tests::rogue::{Duel, Step};
use drystone_tests::scenario::Variant;

/// The link's delay each way.
const DELAY: Duration = Duration::from_millis(30);

/// What a lost ACK costs at most: the flight that it names is sent again after the initial timeout, and acknowledged
/// again a round trip later.
const COST: Duration = Duration::from_millis(400 + 2 * 30);

/// The same where a datagram of the flight is lost too: two more timeouts, twice as long. One would do if a server whose
/// first datagram is lost in a long flight did not send the rest of the flight first.
const COST_OF_TWO: Duration = Duration::from_millis(400 + 2 * 800);

/// Tells that the next datagram of a side is an ACK: one is written alone.
#[derive(Debug, Default)]
struct Mark(AtomicBool);

impl Observer for Mark {
    fn observe(&self, direction: drystone_handshake::Direction, item: Observed<'_>) {
        if direction == drystone_handshake::Direction::Sent && matches!(item, Observed::Ack { .. }) {
            assert!(!self.0.swap(true, Ordering::Relaxed), "an ACK was not sent");
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Usual(Variant),
    /// The server's flight has more records than may be sent before an ACK.
    RsaInManyDatagrams,
}

impl Case {
    const ALL: [Self; 4] = [
        Self::Usual(Variant::Small),
        Self::Usual(Variant::Rsa),
        Self::Usual(Variant::Mutual),
        Self::RsaInManyDatagrams,
    ];

    fn mtu(self) -> usize {
        match self {
            Self::Usual(variant) => variant.mtu(),
            Self::RsaInManyDatagrams => MIN_MTU,
        }
    }

    fn configs(self, mut client: Settings, mut server: Settings) -> (Arc<ClientConfig>, Arc<ServerConfig>) {
        match self {
            Self::Usual(variant) => variant.configs_with(client, server),
            Self::RsaInManyDatagrams => {
                (client.mtu, server.mtu) = (MIN_MTU, MIN_MTU);
                let identity = Identity::rsa_chain();
                (client_config(client, identity), server_config(server, identity))
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    Drop,
    /// A copy comes so much later.
    Copy(Duration),
}

/// What happens to one of the ACKs of a direction.
type Accident = Option<(Direction, usize, Harm)>;

#[derive(Debug, Default)]
struct Wire {
    /// ACKs sent in each direction.
    acks: [usize; 2],
    accident: Accident,
    /// ACKs dropped or copied.
    harmed: usize,
    copies: Vec<(Duration, Direction, Vec<u8>)>,
    /// A datagram to drop besides.
    lost: Option<(Direction, u64)>,
    /// When the last datagram of the protocol was sent, and how many there were.
    last: Duration,
    datagrams: [u64; 2],
}

impl Wire {
    fn pass(&mut self, passing: &Passing, is_ack: bool) -> Fate {
        let Passing { direction, sent_at, .. } = *passing;
        self.last = sent_at;
        self.datagrams[direction as usize] += 1;
        if self.lost == Some((direction, passing.index)) {
            return Fate::Drop;
        }
        if !is_ack {
            return Fate::Pass;
        }
        let index = self.acks[direction as usize];
        self.acks[direction as usize] += 1;
        match self.accident {
            Some((harmed, number, harm)) if (harmed, number) == (direction, index) => {
                self.harmed += 1;
                match harm {
                    Harm::Drop => return Fate::Drop,
                    Harm::Copy(later) => {
                        self.copies.push((sent_at + DELAY + later, direction, passing.bytes.clone()));
                    }
                }
            }
            _ => {}
        }
        Fate::Pass
    }
}

/// A pair whose ACKs are known on the wire.
struct Talk {
    pair: Pair,
    wire: Rc<RefCell<Wire>>,
}

impl Talk {
    fn new(case: Case, accident: Accident, lost: Option<(Direction, u64)>) -> Self {
        let marks = [Arc::new(Mark::default()), Arc::new(Mark::default())];
        let [client, server] = marks.clone().map(|mark| {
            let mut settings: Settings = settings_of(ProtocolVersion::DTLS_1_3);
            settings.observer = Some(mark);
            settings
        });
        let (client, server) = case.configs(client, server);
        let mut link = Link::new(0, LinkSettings { mtu: case.mtu(), ..LinkSettings::perfect() });
        let wire = Rc::new(RefCell::new(Wire { accident, lost, ..Wire::default() }));
        let seen = Rc::clone(&wire);
        link.add_hook(move |passing| {
            let is_ack = marks[passing.direction as usize].0.swap(false, Ordering::Relaxed);
            seen.borrow_mut().pass(passing, is_ack)
        });
        Self { pair: Pair::new(client, server, name(), link), wire }
    }

    /// Runs for so long, or until `done`; whether it was.
    fn run(&mut self, time: Duration, done: impl Fn(&Pair) -> bool) -> bool {
        let limit = self.pair.clock.now() + time;
        self.pair.flush();
        loop {
            for (at, direction, bytes) in self.wire.borrow_mut().copies.drain(..) {
                self.pair.link.inject(at, direction, bytes);
            }
            if done(&self.pair) {
                return true;
            }
            if !self.pair.step(limit) {
                self.pair.clock.advance_to(limit);
                return false;
            }
        }
    }

    fn connect(&mut self) -> Duration {
        let both = |pair: &Pair| pair.client.is_connected() && pair.server.is_connected();
        assert!(self.run(Duration::from_secs(60), both), "{:?} {:?}", self.pair, self.wire);
        self.pair.clock.now()
    }

    /// Lets everything come to rest. Returns when the last datagram of the protocol was sent.
    fn settle(&mut self) -> Duration {
        self.run(Duration::from_secs(60), |_| false);
        let Wire { last, datagrams, .. } = *self.wire.borrow();
        self.run(Duration::from_secs(300), |_| false);
        assert_eq!(self.wire.borrow().datagrams, datagrams, "somebody still repeats something");
        last
    }

    fn sender(&mut self, direction: Direction) -> &mut Connection {
        match direction {
            Direction::ToServer => self.pair.client.connection(),
            Direction::ToClient => self.pair.server.connection(),
        }
    }

    /// A packet each way arrives, and nothing went wrong. Returns the epochs as the headers show them.
    fn talk(&mut self) -> [u8; 2] {
        let epochs = Direction::BOTH.map(|direction| {
            let mut out = [0; 100];
            let length = self.sender(direction).send(b"well", &mut out).expect("connected");
            let epoch = out[0] & 3;
            self.pair.deliver(direction, &mut out[..length]);
            epoch
        });
        for end in [&mut self.pair.client, &mut self.pair.server] {
            assert_eq!(end.received.pop_front().as_deref(), Some(&b"well"[..]));
            assert!(end.events.is_empty(), "{:?}", end.events);
        }
        epochs
    }
}

/// When both were connected, when the protocol was done, how many ACKs each direction saw.
#[derive(Debug)]
struct Handshake {
    connected: Duration,
    settled: Duration,
    acks: [usize; 2],
    datagrams: [u64; 2],
}

fn handshake(case: Case, accident: Accident, lost: Option<(Direction, u64)>) -> Handshake {
    let mut talk = Talk::new(case, accident, lost);
    let connected = talk.connect();
    let settled = talk.settle();
    let Wire { acks, datagrams, harmed, .. } = *talk.wire.borrow();
    assert_eq!(harmed, usize::from(accident.is_some()), "{case:?} {accident:?} {lost:?}");
    talk.talk();
    Handshake { connected, settled, acks, datagrams }
}

fn each_ack(acks: [usize; 2], harm: Harm) -> impl Iterator<Item = (Direction, usize, Harm)> {
    let of = move |direction: Direction| (0..acks[direction as usize]).map(move |ack| (direction, ack, harm));
    Direction::BOTH.into_iter().flat_map(of)
}

#[test]
fn each_single_ack_of_a_handshake_is_lost() {
    for case in Case::ALL {
        let usual = handshake(case, None, None);
        let [of_client, of_server] = usual.acks;
        assert!(of_server > 0, "of the client's last flight: {case:?}: {usual:?}");
        assert_eq!(of_client > 0, case == Case::RsaInManyDatagrams, "of a burst: {case:?}: {usual:?}");
        for accident in each_ack(usual.acks, Harm::Drop) {
            let run = handshake(case, Some(accident), None);
            assert!(run.connected <= usual.connected + COST, "{case:?} {accident:?} {run:?} {usual:?}");
            assert!(run.settled <= usual.settled + COST, "{case:?} {accident:?} {run:?} {usual:?}");
        }
    }
}

/// ACKs of parts: a datagram of the handshake is lost, and one of the ACKs that follow from it.
#[test]
fn each_ack_is_lost_after_each_lost_datagram() {
    for case in Case::ALL {
        let usual = handshake(case, None, None);
        let mut tried = 0;
        for direction in Direction::BOTH {
            for datagram in 0..usual.datagrams[direction as usize] {
                let lost = Some((direction, datagram));
                let acks = handshake(case, None, lost).acks;
                for accident in each_ack(acks, Harm::Drop) {
                    let run = handshake(case, Some(accident), lost);
                    let what = format!("{case:?} {lost:?} {accident:?} {run:?} {usual:?}");
                    assert!(run.connected <= usual.connected + COST_OF_TWO, "{what}");
                    assert!(run.settled <= usual.settled + COST_OF_TWO, "{what}");
                    tried += 1;
                }
            }
        }
        assert!(tried > 5, "{case:?}: {tried}");
    }
}

/// A copy says nothing new, early or late.
#[test]
fn each_single_ack_of_a_handshake_comes_twice() {
    for case in Case::ALL {
        let usual = handshake(case, None, None);
        for later in [0, 10, 450, 5000] {
            for accident in each_ack(usual.acks, Harm::Copy(Duration::from_millis(later))) {
                let run = handshake(case, Some(accident), None);
                assert_eq!(run.connected, usual.connected, "{case:?} {accident:?}");
                assert_eq!((run.settled, run.datagrams), (usual.settled, usual.datagrams), "{accident:?}");
            }
        }
    }
}

/// When both sides were done after the command, and how many ACKs each direction saw meanwhile.
fn key_update(direction: Direction, request_peer: bool, accident: Accident) -> (Duration, [usize; 2]) {
    let mut talk = Talk::new(Case::Usual(Variant::Small), None, None);
    talk.connect();
    talk.settle();
    let before = talk.talk();
    {
        let mut wire = talk.wire.borrow_mut();
        (wire.acks, wire.accident) = ([0; 2], accident);
    }
    let begin = talk.pair.clock.now();
    let now = talk.pair.now();
    talk.sender(direction).update_keys(now, request_peer).unwrap();
    talk.pair.flush();
    // Data flows meanwhile, all of it.
    for _ in 0..40 {
        talk.talk();
        talk.run(Duration::from_millis(50), |_| false);
    }
    let settled = talk.settle() - begin;
    let after = talk.talk();
    for (way, (before, after)) in Direction::BOTH.into_iter().zip(before.into_iter().zip(after)) {
        let changes = u8::from(way == direction || request_peer);
        assert_eq!(after, (before + changes) & 3, "{direction:?} {request_peer} {accident:?} {way:?}");
    }
    let Wire { acks, harmed, .. } = *talk.wire.borrow();
    assert_eq!(harmed, usize::from(accident.is_some()), "{direction:?} {request_peer} {accident:?}");
    (settled, acks)
}

#[test]
fn each_single_ack_of_a_key_update_is_lost_or_comes_twice() {
    for direction in Direction::BOTH {
        for request_peer in [false, true] {
            let (usual, acks) = key_update(direction, request_peer, None);
            let back = direction.opposite() as usize;
            assert!(acks[back] > 0 && (acks[1 - back] > 0) == request_peer, "{acks:?}");
            for accident in each_ack(acks, Harm::Drop) {
                let (settled, _) = key_update(direction, request_peer, Some(accident));
                assert!(settled <= usual + COST, "{accident:?}: {settled:?}, not {usual:?}");
            }
            for later in [0, 10, 450] {
                for accident in each_ack(acks, Harm::Copy(Duration::from_millis(later))) {
                    let (settled, copied) = key_update(direction, request_peer, Some(accident));
                    assert_eq!((settled, copied), (usual, acks), "{accident:?}");
                }
            }
        }
    }
}

/// The server repeats its ticket until it hears of it; the client says so each time, and has the ticket once.
#[test]
fn the_ack_of_a_ticket_is_lost() {
    let [mut duel, _] = Duel::usual_connected_13();
    let message = duel.rogue.message(Step::NewSessionTicket);
    assert_eq!(message.msg_type, HandshakeType::NEW_SESSION_TICKET);
    for repeat in 1..=4 {
        let record = duel.rogue.record(ContentType::HANDSHAKE, &message.to_bytes());
        // Nobody acts on these ACKs: as good as lost.
        assert_eq!(duel.give(&record), 1, "{repeat}: at once");
        assert_eq!(duel.rogue.acks().len(), repeat);
        duel.talk();
        duel.pass(Duration::from_millis(400 << repeat));
    }
    let tickets = duel.victim.events.iter().filter(|event| matches!(event, Event::TicketReceived(_)));
    assert_eq!(tickets.count(), 1);
    assert_eq!(duel.pass(Duration::from_secs(100)), 0);
}
