//! Reassembly against a model: for each message_seq a plain array of "byte, if it has arrived". Owns the script's meaning.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::input::Input;
use crate::flight::{Accepted, Arrival, Bound, Expectation, Expected, Fragment, Incoming, Limits, Message};
use crate::message::registry::HandshakeType;

/// The most bytes that are buffered: less than an attacker would like.
const TOTAL: u32 = 40_000;

static EXPECTED: [Expected; 2] = [
    Expected::always(HandshakeType::CERTIFICATE, Bound::Certificate),
    Expected::always(HandshakeType::FINISHED, Bound::Other),
];

/// Feeds [`Incoming`] a script of fragments, honest and hostile, and holds it against the model.
///
/// What must hold: messages come in order of message_seq, each once, and as soon as their last byte has arrived; every
/// byte of a message is the one that was accepted last at its place; memory is at most four times the bytes received
/// plus 512, and at most the total.
pub fn reassembly(script: &[u8]) {
    let mut input = Input::new(script);
    let mut bench = Bench::new(u16::from(input.u8() & 3));
    while !input.is_empty() {
        match input.u8() & 7 {
            0..=3 => bench.honest(&mut input),
            4 => bench.contradicting(&mut input),
            5 => bench.raw(&mut input),
            6 => bench.require_epoch(u64::from(input.u8() & 3)),
            _ => bench.skip_to(input.u16()),
        }
        bench.check_memory();
    }
}

/// The code under test and its model, side by side.
struct Bench {
    incoming: Incoming,
    model: BTreeMap<u16, Held>,
    next: u32,
    received: usize,
}

/// What the model knows of one message.
struct Held {
    epoch: u64,
    msg_type: HandshakeType,
    bytes: Vec<Option<u8>>,
}

impl Bench {
    fn new(next: u16) -> Self {
        let incoming = Incoming::new(next, TOTAL);
        Self { incoming, model: BTreeMap::new(), next: next.into(), received: 0 }
    }

    /// A fragment of the message that an honest peer sends under this message_seq; its content may vary, as that of an
    /// attacker would who only guesses the cut.
    fn honest(&mut self, input: &mut Input<'_>) {
        let message_seq = self.message_seq(input.u8());
        let lengths = [0_u32, 1, 40, 300, 1_100, 5_000, 16_384, 20_000];
        let length = lengths[usize::from(message_seq % 8)];
        let msg_type =
            if message_seq % 2 == 0 { HandshakeType::CERTIFICATE } else { HandshakeType::FINISHED };
        let offset = u32::from(input.u16()).min(length);
        let size = u32::from(input.u16()).min(length - offset);
        let variant = input.u8();
        let payload: Vec<u8> = (offset..offset + size).map(|at| (at as u8) ^ (variant & 3)).collect();
        let fragment = Fragment { msg_type, length, message_seq, offset, payload: &payload };
        self.accept(u64::from(variant >> 6), fragment);
    }

    /// A fragment with a type and length of its own.
    fn contradicting(&mut self, input: &mut Input<'_>) {
        let message_seq = self.message_seq(input.u8());
        let msg_type = HandshakeType(input.u8());
        let (length, offset) = (u32::from(input.u16()), u32::from(input.u16()));
        let size = usize::from(input.u8());
        let fragment = Fragment { msg_type, length, message_seq, offset, payload: input.bytes(size) };
        self.accept(0, fragment);
    }

    /// The payload of a record, as it came from the network.
    fn raw(&mut self, input: &mut Input<'_>) {
        let size = usize::from(input.u8());
        let mut rest = input.bytes(size);
        while let Ok((fragment, after)) = Fragment::split_first(rest) {
            assert!(after.len() + 12 <= rest.len(), "a fragment without a header");
            rest = after;
            self.accept(0, fragment);
        }
    }

    fn require_epoch(&mut self, epoch: u64) {
        self.incoming.require_epoch(epoch);
        self.model.retain(|_, held| held.epoch >= epoch);
    }

    fn skip_to(&mut self, message_seq: u16) {
        self.incoming.set_next_message_seq(message_seq);
        self.next = message_seq.into();
        self.model.retain(|seq, _| *seq >= message_seq);
        // What was held ahead may be the next message now.
        self.take_ready();
    }

    fn accept(&mut self, epoch: u64, fragment: Fragment<'_>) {
        self.received += 12 + fragment.payload.len();
        let old = u32::from(fragment.message_seq) < self.next;
        let expectation = Expectation::AnyOf(&EXPECTED);
        match self
            .incoming
            .accept(Arrival { epoch, now: Duration::ZERO, expectation, limits: &Limits::DEFAULT }, fragment)
        {
            Accepted::Whole(message) => {
                assert_eq!(message.body, fragment.payload);
                self.model.remove(&fragment.message_seq);
                self.delivered(&message, &fragment.payload.iter().copied().map(Some).collect::<Vec<_>>());
            }
            Accepted::Kept => self.store(epoch, &fragment),
            Accepted::Duplicate if !old => self.store(epoch, &fragment),
            Accepted::Duplicate => {}
            Accepted::Dropped(_) => assert!(!old, "a copy of an old message is not a fault"),
        }
        self.take_ready();
    }

    fn store(&mut self, epoch: u64, fragment: &Fragment<'_>) {
        let fresh =
            || Held { epoch, msg_type: fragment.msg_type, bytes: vec![None; fragment.length as usize] };
        let held = self.model.entry(fragment.message_seq).or_insert_with(fresh);
        // Later keys give a message anew; without keys the newest fragment does so.
        let differs = held.msg_type != fragment.msg_type || held.bytes.len() != fragment.length as usize;
        if epoch > held.epoch || (epoch == 0 && differs) {
            *held = fresh();
        }
        assert_eq!((held.epoch, held.msg_type), (epoch, fragment.msg_type), "two messages were mixed");
        assert_eq!(held.bytes.len(), fragment.length as usize, "two messages were mixed");
        let range = fragment.offset as usize..fragment.offset as usize + fragment.payload.len();
        for (place, byte) in held.bytes[range].iter_mut().zip(fragment.payload) {
            *place = Some(*byte);
        }
    }

    fn take_ready(&mut self) {
        while let Some(message) = self.incoming.take_ready() {
            let message = message.as_message();
            let held = self.model.remove(&message.message_seq).expect("the message never arrived");
            assert_eq!((message.epoch, message.msg_type), (held.epoch, held.msg_type));
            self.delivered(&message, &held.bytes);
        }
        let waiting = u16::try_from(self.next).ok().and_then(|next| self.model.get(&next));
        assert!(
            !waiting.is_some_and(|held| held.bytes.iter().all(Option::is_some)),
            "a whole message is held back"
        );
    }

    fn delivered(&mut self, message: &Message<'_>, expected: &[Option<u8>]) {
        assert_eq!(u32::from(message.message_seq), self.next, "out of order");
        assert!(
            message.body.iter().copied().map(Some).eq(expected.iter().copied()),
            "other bytes than were sent"
        );
        self.next += 1;
        assert_eq!(
            self.incoming.next_message_seq().map(u32::from),
            u16::try_from(self.next).ok().map(u32::from)
        );
    }

    fn check_memory(&self) {
        let held = self.incoming.held_bytes();
        assert!(held <= 4 * self.received + 512, "{held} bytes held, {} received", self.received);
        assert!(held <= TOTAL as usize, "{held} bytes held");
    }

    /// Message numbers near the expected one, below and above.
    fn message_seq(&self, choice: u8) -> u16 {
        (self.next as u16).wrapping_add(u16::from(choice % 12)).wrapping_sub(2)
    }
}
