//! A client and a server, and every call that their owners may make, in any order, over a network that loses, repeats
//! and reorders, with garbage in between. The record protection notices every change.

use core::time::Duration;
use std::collections::HashSet;

use drystone_handshake::{Error, MIN_MTU, Misuse};

use crate::{End, Input, Setup, Side, World, wire};

/// Operations of one script: more find nothing new, they are only slow.
const MOST_OPERATIONS: usize = 200;

/// Rounds after which two ends that nobody disturbs any more are connected, or have given up.
const ROUNDS_TO_SETTLE: usize = 200;

/// Runs a script. What must hold besides what is said in [`End`]:
///
/// * garbage never ends a connected association;
/// * application data that arrives was sent by the other end, and arrives once;
/// * misuse changes nothing, and is reported exactly where the documentation says;
/// * both ends export the same keying material;
/// * left alone, both ends connect, unless time ran out or somebody forged, refused or closed.
pub fn operations(script: &[u8]) {
    let mut input = Input::new(script);
    let setup = Setup::of(&mut input).checked();
    let mut bench = Bench {
        world: World::new(setup),
        setup,
        sent: [HashSet::new(), HashSet::new()],
        seen: Vec::new(),
        counter: 0,
        disturbed: false,
    };
    for _ in 0..MOST_OPERATIONS {
        if input.is_empty() {
            break;
        }
        let side = if input.u8() & 1 == 0 { Side::Client } else { Side::Server };
        bench.step(side, &mut input);
        bench.check_received();
    }
    bench.settle();
}

struct Bench {
    world: World,
    setup: Setup,
    /// Payloads that the client and the server have sent, and that have not arrived.
    sent: [HashSet<Vec<u8>>; 2],
    /// Datagrams that were delivered.
    seen: Vec<Vec<u8>>,
    counter: u32,
    /// Somebody did what may prevent a connection.
    disturbed: bool,
}

impl Bench {
    fn step(&mut self, side: Side, input: &mut Input<'_>) {
        match input.u8() % 22 {
            0..=4 => self.pass_on(side, 1),
            5 => drop(self.world.take_sent(side)),
            6 => self.pass_on(side, 2),
            7 => self.reorder(side),
            8 => self.send(side, input.u16()),
            9 => self.seal(side, input),
            10 => self.close(side, input.u8()),
            11 => drop(self.world.with(side, |end, now| end.answer(now, true))),
            12 => self.answer_badly(side, input.u8()),
            13 => self.set_mtu(side, input.u16()),
            14 => self.world.elapse(Duration::from_millis(u64::from(input.u8()) * 20)),
            15 => self.wake_early(side),
            16 => self.export(input),
            17 => self.transmit_into_little_room(side, input.u8()),
            18 | 19 => self.disturb(side, input),
            20 => self.datagram_too_large(side, input.u16()),
            _ => self.update_keys(side, input.u8()),
        }
    }

    fn pass_on(&mut self, from: Side, times: usize) {
        if let Some(datagram) = self.world.take_sent(from) {
            for _ in 0..times {
                self.world.deliver(from.peer(), &datagram);
            }
            self.seen.push(datagram);
        }
    }

    fn reorder(&mut self, side: Side) {
        self.world.with(side, |end, _| {
            if let Some(datagram) = end.outbox.pop_front() {
                end.outbox.push_back(datagram);
            }
        });
    }

    fn send(&mut self, side: Side, length: u16) {
        self.counter += 1;
        let mut payload = self.counter.to_be_bytes().to_vec();
        payload.resize(payload.len() + usize::from(length), 0x33);
        let sent = self.world.with(side, |end, now| {
            let (connected, limit) = (end.connection.is_connected(), end.connection.max_payload());
            let sent = end.send(now, &payload);
            match sent {
                Ok(()) => assert!(connected && payload.len() <= limit),
                Err(Misuse::NotConnected) => assert!(!connected),
                Err(Misuse::PayloadTooLarge { limit: told }) => {
                    assert!(told == limit && payload.len() > limit)
                }
                Err(other) => panic!("{other}"),
            }
            sent.is_ok()
        });
        if sent == Some(true) {
            self.sent[side as usize].insert(payload);
        }
    }

    /// Any range in any buffer.
    fn seal(&mut self, side: Side, input: &mut Input<'_>) {
        let (size, start, end) = (input.u8(), input.u8(), input.u8());
        self.counter += 1;
        let counter = self.counter.to_be_bytes();
        let payload = self.world.with(side, |own, now| {
            let mut buffer = counter.iter().copied().cycle().take(size.into()).collect::<Vec<_>>();
            let (start, end) = (usize::from(start), usize::from(end));
            let payload = buffer.get(start..end).map(<[u8]>::to_vec);
            let overhead = own.connection.overhead_of(end.saturating_sub(start));
            let fits = payload.as_ref().is_some_and(|payload| payload.len() <= own.connection.max_payload())
                && start >= overhead.prefix
                && buffer.len() - end >= overhead.suffix;
            let (connected, length) = (own.connection.is_connected(), buffer.len());
            let sealed = own.connection.seal(&mut buffer, start..end).map(<[u8]>::to_vec);
            assert_eq!(sealed.is_ok(), connected && fits, "{sealed:?} {start}..{end} of {length}");
            own.drain(now);
            sealed.ok().and_then(|record| {
                own.outbox.push_back(record);
                payload
            })
        });
        if let Some(Some(payload)) = payload {
            self.sent[side as usize].insert(payload);
        }
    }

    fn close(&mut self, side: Side, how: u8) {
        // Half of the scripts shall come further than their first byte of this kind.
        if how & 7 != 0 {
            return;
        }
        let closed = self.world.with(side, |end, now| end.close(now));
        self.disturbed |= closed.is_some();
    }

    fn answer_badly(&mut self, side: Side, how: u8) {
        if how & 1 == 0 {
            self.world.with(side, |end, now| end.answer_wrongly(now));
            return;
        }
        let open = self.world.with(side, |end, now| {
            let open = !end.requests.is_empty();
            end.answer(now, false);
            open
        });
        self.disturbed |= open == Some(true);
    }

    fn update_keys(&mut self, side: Side, how: u8) {
        self.world.with(side, |end, now| end.update_keys(now, how & 1 == 0));
    }

    fn datagram_too_large(&mut self, side: Side, length: u16) {
        self.world.with(side, |end, now| {
            let before = end.connection.mtu();
            end.connection.datagram_too_large(now, length.into());
            assert!((MIN_MTU..=before).contains(&end.connection.mtu()));
            end.drain(now);
        });
    }

    fn set_mtu(&mut self, side: Side, mtu: u16) {
        self.world.with(side, |end, now| {
            end.connection.set_mtu(mtu.into());
            // UDP over IPv4 carries no more (RFC 768).
            assert_eq!(end.connection.mtu(), usize::from(mtu).clamp(MIN_MTU, 65_507));
            end.drain(now);
        });
    }

    /// An early `handle_timeout` does nothing.
    fn wake_early(&mut self, side: Side) {
        self.world.with(side, |end, now| {
            let before = end.connection.poll_timeout();
            if before.is_none_or(|deadline| deadline > now) {
                let sent = end.bytes_out;
                end.handle_timeout(now);
                assert_eq!((end.connection.poll_timeout(), end.bytes_out), (before, sent));
            }
        });
    }

    fn export(&mut self, input: &mut Input<'_>) {
        const LABELS: [&[u8]; 4] = [b"EXPORTER-fuzz", b"EXTRACTOR-dtls_srtp", b"master secret", b""];
        let label = LABELS[input.index(LABELS.len())];
        let context = (input.u8() & 1 == 0).then(|| input.string());
        let length = usize::from(input.u8());
        let exported = [Side::Client, Side::Server].map(|side| {
            let export = |end: &mut End, _| {
                let mut out = vec![0; length];
                let exported = end.connection.export_keying_material(label, context, &mut out);
                let connected = end.connection.is_connected();
                assert_eq!(exported == Err(Misuse::NotConnected), !connected);
                let keys = end.connection.srtp_keys();
                assert!(keys.is_none() || connected);
                let keys = keys.map(|keys| [keys.client_key(), keys.server_key()].concat());
                connected.then(|| (exported.map(|()| out), keys))
            };
            self.world.with(side, export).flatten()
        });
        if let [Some(client), Some(server)] = exported {
            assert_eq!(client, server);
        }
    }

    /// Nothing is written where the least datagram has no room.
    fn transmit_into_little_room(&mut self, side: Side, room: u8) {
        self.world.with(side, |end, now| {
            let mut out = vec![0; usize::from(room).min(MIN_MTU - 1)];
            assert_eq!(end.connection.poll_transmit(now, &mut out), None);
        });
    }

    /// Garbage of every kind. Before the handshake is done it may do harm: nothing is authenticated yet.
    fn disturb(&mut self, side: Side, input: &mut Input<'_>) {
        let form = self.setup.form();
        let garbage = match input.u8() % 6 {
            5 => wire::ack(form, input),
            0 => wire::message(form, input),
            1 => wire::piece(form, input),
            2 => wire::any_record(form, input),
            3 if !self.seen.is_empty() => {
                let mut datagram = self.seen[input.index(self.seen.len())].clone();
                wire::mutate(&mut datagram, input);
                datagram
            }
            _ => input.string().to_vec(),
        };
        let connected = |end: &mut End, _| end.connection.is_connected();
        let was_connected = self.world.with(side, connected) == Some(true);
        // A record of the peer's end that is intact inside a damaged datagram is no garbage.
        let peer_is_alive = self.world.with(side.peer(), |end, _| !end.connection.is_closed()) != Some(false);
        self.world.deliver(side, &garbage);
        if was_connected && peer_is_alive {
            assert_eq!(self.world.with(side, connected), Some(true), "ended by garbage");
        }
        self.disturbed |= !was_connected;
    }

    fn check_received(&mut self) {
        for side in [Side::Client, Side::Server] {
            let Some(end) = self.world.end(side) else { continue };
            while let Some(payload) = end.received.pop_front() {
                let known = self.sent[side.peer() as usize].remove(&payload);
                assert!(known || payload.is_empty(), "data that was not sent, or arrived before");
            }
        }
    }

    /// Everybody does what they should, and nothing is lost any more.
    fn settle(&mut self) {
        for _ in 0..ROUNDS_TO_SETTLE {
            let mut idle = true;
            for side in [Side::Client, Side::Server] {
                self.world.with(side, |end, now| {
                    while !end.requests.is_empty() {
                        end.answer(now, true);
                    }
                });
                while let Some(datagram) = self.world.take_sent(side) {
                    self.world.deliver(side.peer(), &datagram);
                    idle = false;
                }
            }
            self.check_received();
            if self.has_settled() {
                break;
            }
            if let Some(due) = self.world.next_timeout().filter(|_| idle) {
                self.world.elapse(due.saturating_sub(self.world.now().since_origin()));
            }
        }
        if !self.disturbed && self.setup.can_connect() {
            assert!(self.has_settled(), "neither connected nor over");
            for side in [Side::Client, Side::Server] {
                let error = self.world.with(side, |end, _| end.connection.error().cloned()).flatten();
                assert!(matches!(error, None | Some(Error::HandshakeTimeout)), "{side:?}: {error:?}");
            }
        }
    }

    /// Both are connected, or one of them has given up.
    fn has_settled(&mut self) -> bool {
        let [client, server] = [Side::Client, Side::Server].map(|side| {
            self.world.with(side, |end, _| (end.connection.is_connected(), end.connection.is_closed()))
        });
        let is = |end: Option<(bool, bool)>, which: fn((bool, bool)) -> bool| end.is_some_and(which);
        (is(client, |end| end.0) && is(server, |end| end.0))
            || is(client, |end| end.1)
            || is(server, |end| end.1)
    }
}
