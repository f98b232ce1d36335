//! An attacker between an honest end and the one under test: sees everything, and sends what it likes.

use core::time::Duration;

use drystone_tests::null::Integrity;

use crate::{Input, Setup, Side, World, wire};

/// Operations of one script: more find nothing new, they are only slow.
const MOST_OPERATIONS: usize = 200;

/// Runs a script against the end `target`. Its peer is honest, and sees nothing but what the target really sent.
///
/// What must hold is said in [`End`](crate::End) and [`World`]; and where the record protection notices every change,
/// nothing that the attacker made ends a connected association.
pub fn attack(target: Side, script: &[u8]) {
    let mut input = Input::new(script);
    let setup = Setup::of(&mut input);
    let mut attack = Attack { world: World::new(setup), target, setup, seen: Vec::new() };
    for _ in 0..MOST_OPERATIONS {
        if input.is_empty() {
            break;
        }
        attack.step(&mut input);
    }
}

struct Attack {
    world: World,
    target: Side,
    setup: Setup,
    /// Every datagram that the honest end has sent to the target.
    seen: Vec<Vec<u8>>,
}

impl Attack {
    fn step(&mut self, input: &mut Input<'_>) {
        let form = self.setup.form();
        match input.u8() % 18 {
            0..=3 => self.pass_on(),
            4 => drop(self.hold_back()),
            5 => self.replay(input),
            6 => {
                if let Some(mut datagram) = self.choose(input) {
                    wire::mutate(&mut datagram, input);
                    self.forge(&datagram);
                }
            }
            7 | 8 => {
                let forged = self.choose(input).and_then(|datagram| wire::rewrite(form, &datagram, input));
                if let Some(forged) = forged {
                    self.forge(&forged);
                }
            }
            9 => self.forge(&wire::message(form, input)),
            10 => self.forge(&wire::piece(form, input)),
            11 => self.forge(&wire::any_record(form, input)),
            12 => {
                let raw = input.string();
                self.forge(raw);
            }
            13 => self.world.elapse(Duration::from_millis(u64::from(input.u8()) * 20)),
            14 => self.let_answer(input),
            15 => self.let_send(input),
            16 => self.forge(&wire::ack(form, input)),
            _ => self.let_update_keys(input),
        }
    }

    /// One datagram each way, as the network should.
    fn pass_on(&mut self) {
        if let Some(datagram) = self.hold_back() {
            self.world.deliver(self.target, &datagram);
        }
        let peer = self.target.peer();
        while let Some(datagram) = self.world.take_sent(self.target) {
            self.world.deliver(peer, &datagram);
        }
    }

    /// Takes a datagram of the honest end off the wire.
    fn hold_back(&mut self) -> Option<Vec<u8>> {
        let datagram = self.world.take_sent(self.target.peer())?;
        self.seen.push(datagram.clone());
        Some(datagram)
    }

    fn choose(&self, input: &mut Input<'_>) -> Option<Vec<u8>> {
        (!self.seen.is_empty()).then(|| self.seen[input.index(self.seen.len())].clone())
    }

    /// An honest datagram once more, or for the first time.
    fn replay(&mut self, input: &mut Input<'_>) {
        if let Some(datagram) = self.choose(input) {
            self.world.deliver(self.target, &datagram);
        }
    }

    /// A datagram of the attacker's.
    fn forge(&mut self, datagram: &[u8]) {
        let connected =
            |world: &mut World| world.end(self.target).is_some_and(|end| end.connection.is_connected());
        let peer_is_alive = self.world.end(self.target.peer()).is_some_and(|end| !end.connection.is_closed());
        let was_connected = connected(&mut self.world);
        self.world.deliver(self.target, datagram);
        // A peer that ended may have said so, in a record that the attacker did not touch.
        if was_connected && peer_is_alive && self.setup.integrity == Integrity::Checked {
            assert!(connected(&mut self.world), "ended by a forgery");
        }
    }

    fn let_answer(&mut self, input: &mut Input<'_>) {
        let side = if input.u8() & 1 == 0 { self.target } else { self.target.peer() };
        let well = input.u8() != 0xff;
        self.world.with(side, |end, now| end.answer(now, well));
    }

    fn let_send(&mut self, input: &mut Input<'_>) {
        let side = if input.u8() & 1 == 0 { self.target } else { self.target.peer() };
        let payload = input.string();
        self.world.with(side, |end, now| {
            let connected = end.connection.is_connected();
            let sent = end.send(now, payload);
            assert!(connected || sent.is_err());
        });
    }

    fn let_update_keys(&mut self, input: &mut Input<'_>) {
        let side = if input.u8() & 1 == 0 { self.target } else { self.target.peer() };
        let request_peer = input.u8() & 1 == 0;
        self.world.with(side, |end, now| end.update_keys(now, request_peer));
    }
}
