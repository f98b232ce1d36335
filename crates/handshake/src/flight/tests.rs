//! Both directions together: what `Outgoing` cuts, `Incoming` puts together, over links of every kind.

use alloc::{vec, vec::Vec};
use core::time::Duration;

use proptest::prelude::*;

use super::fake::FakeSealer;
use super::sent::RecordNumber;
use super::*;
use crate::message::registry::HandshakeType;

/// The messages of a server's flight with a chain: epoch and length.
const SERVER_FLIGHT: [(u64, usize); 5] = [(0, 122), (2, 40), (2, 3210), (2, 76), (2, 36)];

/// What the flights of these tests are made of.
static CERTIFICATES: [Expected; 1] = [Expected::always(HandshakeType::CERTIFICATE, Bound::Certificate)];

fn body(length: usize, message_seq: u16) -> Vec<u8> {
    (0..length).map(|i| (i * 3 + i / 257) as u8 ^ message_seq as u8).collect()
}

fn flight(reliability: Reliability, messages: &[(u64, usize)]) -> Outgoing {
    let mut outgoing = Outgoing::new(reliability);
    for (message_seq, &(epoch, length)) in messages.iter().enumerate() {
        let message_seq = message_seq as u16;
        let body = body(length, message_seq);
        outgoing.push_message(epoch, HandshakeType::CERTIFICATE, message_seq, body).unwrap();
    }
    outgoing
}

fn sealer() -> FakeSealer {
    FakeSealer { padding: 3, suffix: 16, ..FakeSealer::default() }
}

/// A receiver that checks each message against the flight and remembers what to acknowledge.
struct Receiver {
    incoming: Incoming,
    messages: Vec<(u64, usize)>,
    done: usize,
    to_acknowledge: Vec<RecordNumber>,
    repeats: RepeatDetector,
    repeats_seen: usize,
}

impl Receiver {
    fn new(messages: &[(u64, usize)]) -> Self {
        Self {
            incoming: Incoming::new(0, u32::MAX),
            messages: messages.to_vec(),
            done: 0,
            to_acknowledge: Vec::new(),
            repeats: RepeatDetector::new(),
            repeats_seen: 0,
        }
    }

    fn receive(&mut self, sealer: &FakeSealer, datagram: &[u8]) {
        for record in sealer.open(datagram) {
            let mut rest = &record.payload[..];
            let mut keep = true;
            while !rest.is_empty() {
                let (fragment, after) = Fragment::split_first(rest).unwrap();
                let arrival = Arrival {
                    epoch: record.number.0,
                    now: Duration::ZERO,
                    expectation: Expectation::AnyOf(&CERTIFICATES),
                    limits: &Limits::DEFAULT,
                };
                match self.incoming.accept(arrival, fragment) {
                    Accepted::Whole(message) => self.process(message),
                    Accepted::Kept => {}
                    Accepted::Duplicate => {
                        self.repeats_seen += usize::from(self.repeats.observe(record.number.0, &fragment));
                    }
                    Accepted::Dropped(_) => keep = false,
                }
                while let Some(message) = self.incoming.take_ready() {
                    self.process(message.as_message());
                }
                rest = after;
            }
            if keep {
                self.to_acknowledge.push(record.number);
            }
        }
    }

    fn process(&mut self, message: Message<'_>) {
        let (epoch, length) = self.messages[self.done];
        assert_eq!((usize::from(message.message_seq), message.epoch), (self.done, epoch));
        assert!(message.body == body(length, message.message_seq));
        self.done += 1;
        if self.done == self.messages.len() {
            self.repeats.flight_ended(&message);
        }
    }

    fn is_done(&self) -> bool {
        self.done == self.messages.len()
    }
}

#[test]
fn every_mtu_from_228_to_1500_gives_the_same_messages() {
    let mut out = vec![0; 2000];
    for mtu in 228..=1500 {
        let (mut sealer, mut receiver) = (sealer(), Receiver::new(&SERVER_FLIGHT));
        let mut outgoing = flight(Reliability::Implicit, &SERVER_FLIGHT);
        loop {
            let length = outgoing.write_datagram(&mut sealer, &mut out, mtu, Duration::ZERO).unwrap();
            assert!(length <= mtu);
            if length == 0 {
                break;
            }
            receiver.receive(&sealer, &out[..length]);
        }
        assert!(receiver.is_done(), "{mtu}");
        assert_eq!(receiver.incoming.held_bytes(), 0);
    }
}

#[test]
fn each_whole_repeat_is_noticed_once() {
    let (mut sealer, mut receiver) = (sealer(), Receiver::new(&SERVER_FLIGHT));
    let mut outgoing = flight(Reliability::Implicit, &SERVER_FLIGHT);
    let mut out = vec![0; 2000];
    for (transmission, mtu) in [1200, 1200, 508, 228].into_iter().enumerate() {
        while let length @ 1.. = outgoing.write_datagram(&mut sealer, &mut out, mtu, Duration::ZERO).unwrap()
        {
            assert_eq!(receiver.repeats_seen, transmission.saturating_sub(1), "only at its end");
            receiver.receive(&sealer, &out[..length]);
        }
        assert_eq!(receiver.repeats_seen, transmission);
        outgoing.rewind();
    }
}

/// What a lossy link does to the datagrams that cross it, decided by one generator.
struct Link {
    state: u64,
    loss_percent: u64,
}

impl Link {
    fn random(&mut self, below: u64) -> u64 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % below
    }

    /// Loses, repeats and reorders.
    fn carry(&mut self, datagrams: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut arrived = Vec::new();
        for datagram in datagrams {
            if self.random(100) < self.loss_percent {
                continue;
            }
            for _ in 0..=self.random(10) / 9 {
                let place = self.random(arrived.len() as u64 + 1) as usize;
                arrived.insert(place, datagram.clone());
            }
        }
        arrived
    }
}

/// Sends the flight over the link until it has arrived. Returns how many times the timer ran out.
fn deliver(reliability: Reliability, messages: &[(u64, usize)], link: &mut Link, mtu: usize) -> usize {
    let (mut sealer, mut receiver) = (sealer(), Receiver::new(messages));
    let mut outgoing = flight(reliability, messages);
    let settings = TimerSettings { retransmissions: 1000, ..TimerSettings::default() };
    let mut timer = RetransmitTimer::new(settings);
    let mut out = vec![0; 2000];
    timer.start(Duration::ZERO);
    for expiries in 0..1000 {
        // Each ACK that says something new lets more go out at once, as often as there is news.
        loop {
            let mut datagrams = Vec::new();
            while let length @ 1.. = outgoing
                .write_datagram(&mut sealer, &mut out, timer.effective_mtu(mtu), Duration::ZERO)
                .unwrap()
            {
                datagrams.push(out[..length].to_vec());
            }
            for datagram in link.carry(&datagrams) {
                receiver.receive(&sealer, &datagram);
            }
            let newest = receiver.to_acknowledge.len().saturating_sub(32);
            let numbers = receiver.to_acknowledge.split_off(newest);
            let ack_arrives = link.random(100) >= link.loss_percent;
            if !(ack_arrives && outgoing.on_ack(numbers).is_some() && !outgoing.is_acked()) {
                break;
            }
            outgoing.rewind();
        }
        let finished = match reliability {
            Reliability::Implicit => receiver.is_done(),
            Reliability::Acked => outgoing.is_acked(),
        };
        if finished {
            assert!(receiver.is_done());
            assert_eq!(receiver.incoming.held_bytes(), 0);
            return expiries;
        }
        let deadline = timer.deadline().unwrap();
        assert_eq!(timer.expire(deadline), Some(Expired::Retransmit));
        outgoing.rewind();
    }
    panic!("the flight never arrived");
}

proptest! {
    #[test]
    fn a_lossy_link_delivers_in_the_end(
        state in any::<u64>(), loss_percent in 0u64..60, mtu in 228usize..1500, acked in any::<bool>(),
        lengths in proptest::collection::vec(0usize..6000, 0..4),
    ) {
        let reliability = if acked { Reliability::Acked } else { Reliability::Implicit };
        let mut messages = SERVER_FLIGHT.to_vec();
        messages.extend(lengths.into_iter().map(|length| (3, length)));
        let mut link = Link { state, loss_percent };
        let expiries = deliver(reliability, &messages, &mut link, mtu);
        if loss_percent == 0 {
            prop_assert_eq!(expiries, 0);
        }
    }
}

#[test]
fn a_certificate_of_64_kib_arrives_over_a_bad_link() {
    for reliability in [Reliability::Implicit, Reliability::Acked] {
        for state in 0..20 {
            deliver(
                reliability,
                &[(0, 122), (2, 65_536), (2, 36)],
                &mut Link { state, loss_percent: 20 },
                1200,
            );
        }
    }
}

/// RFC 9147 section 7.3: acknowledgements repair a flight without repeating it all.
#[test]
fn acknowledgements_spare_timer_rounds() {
    let rounds = |reliability| -> usize {
        (0..50)
            .map(|state| deliver(reliability, &SERVER_FLIGHT, &mut Link { state, loss_percent: 20 }, 300))
            .sum()
    };
    let (acked, implicit) = (rounds(Reliability::Acked), rounds(Reliability::Implicit));
    assert!(acked < implicit, "{acked} against {implicit}");
}
