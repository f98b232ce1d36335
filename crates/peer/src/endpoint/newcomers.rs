//! For whom a datagram is, and whether it may begin an association: asks the gate and the policy of admission. It must not
//! know how either decides.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use drystone_handshake::{
    ConfigError, Connection, Datagram, Error, Gate, Instant, PartialHellos, Path, RecordNumber, ServerConfig,
    Start, Verdict,
};
use drystone_x509::UnixTime;

use super::admission::{Room, Victim};
use super::hello::{Decision, Greeted};
use super::incoming::{Opened, Stage};
use super::sender::{SenderBytes, may_be_client_hello};
use super::table::Route;
use super::{Association, Endpoint, EndpointEvent, FourTuple, MAX_REFUSALS, PeerId, mark_ready};
use crate::inbox::range_within;
use crate::trace;

/// What it takes to accept clients.
pub(super) struct Acceptor {
    config: Arc<ServerConfig>,
    gate: Gate,
    partial: PartialHellos,
}

impl Acceptor {
    pub(super) fn new(config: Arc<ServerConfig>) -> Result<Self, ConfigError> {
        let gate = Gate::new(&config)?;
        Ok(Self { partial: gate.partial_hellos(), config, gate })
    }
}

/// For whom a datagram is.
enum Receiver {
    Nobody,
    /// For the associations of its address.
    Known(Route),
    /// For this one, which it has just begun.
    New(PeerId),
}

impl Endpoint {
    /// Finds out for whom a datagram is.
    pub(super) fn find_receiver<'b>(
        &mut self,
        start: Start,
        ends: FourTuple,
        bytes: &'b mut [u8],
    ) -> Stage<'b> {
        let route = self.table.route(ends.remote);
        let is_ours = |route: Route| self.table.is_ours(route.current);
        let receiver = if may_be_client_hello(bytes) && self.acceptor.is_some() && !route.is_some_and(is_ours)
        {
            self.latest = start;
            self.handle_hello(start, ends, bytes)
        } else if let Some(route) = route {
            Receiver::Known(route)
        } else {
            self.stats.strangers_dropped += 1;
            Receiver::Nobody
        };
        match receiver {
            Receiver::New(id) | Receiver::Known(Route { current: id, challenger: None }) => {
                self.open(id, bytes)
            }
            Receiver::Known(Route { current, challenger: Some(challenger) }) => {
                self.offer_to_challenger(start.now, challenger, current, bytes)
            }
            Receiver::Nobody => Stage::Done,
        }
    }

    fn open<'b>(&mut self, id: PeerId, bytes: &'b mut [u8]) -> Stage<'b> {
        if let Some(known) = self.table.get_mut(id) {
            known.state.limit_buffer(&self.half_open_bytes);
            mark_ready(&mut self.ready, id, known);
        }
        Stage::Open(id, Datagram::new(Path::default(), bytes))
    }

    /// The address has two associations. The challenger sees the datagram first, so that it is the only one to see the
    /// datagram that connects it, and leaves it as it was if it is not.
    fn offer_to_challenger<'b>(
        &mut self,
        now: Instant,
        challenger: PeerId,
        current: PeerId,
        bytes: &'b mut [u8],
    ) -> Stage<'b> {
        let mut copy = std::mem::take(&mut self.copy);
        copy.clear();
        copy.extend_from_slice(bytes);
        let packets = self.open_copy(now, challenger, &mut copy);
        let is_connected = self.connection(challenger).is_some_and(Connection::is_connected);
        if is_connected {
            bytes.copy_from_slice(&copy);
        }
        self.copy = copy;
        if is_connected {
            Stage::Opened(challenger, Opened::new(bytes, packets))
        } else {
            self.open(current, bytes)
        }
    }

    /// Hands a datagram that lies in memory of ours to an association. Returns where its application data lies.
    fn open_copy(
        &mut self,
        now: Instant,
        id: PeerId,
        bytes: &mut [u8],
    ) -> VecDeque<(Range<usize>, RecordNumber)> {
        let mut packets = VecDeque::new();
        if let Some(known) = self.table.get_mut(id) {
            known.state.limit_buffer(&self.half_open_bytes);
            let _span = trace::peer(id, known.ends.remote);
            let origin = bytes.as_ptr().addr();
            let mut datagram = Datagram::new(Path::default(), bytes);
            while let Some(data) = known.state.connection.receive(now, &mut datagram) {
                packets.push_back((range_within(origin, data.payload), data.number));
            }
        }
        self.note_input(id);
        packets
    }

    /// What may be a hello.
    fn handle_hello(&mut self, start: Start, ends: FourTuple, bytes: &mut [u8]) -> Receiver {
        let decision = if self.options.cookies {
            let verdict = self.ask_gate(start, ends, bytes);
            self.table.decide(start.now, ends, bytes, verdict)
        } else {
            self.table.decide_without_cookie(start.now, ends, bytes)
        };
        match decision {
            Decision::Deliver(route) => return Receiver::Known(route),
            Decision::Begin(greeted, room) => {
                return self.begin(start, ends, *greeted, room).map_or(Receiver::Nobody, Receiver::New);
            }
            Decision::Reply(length) => {
                self.stats.cookies_asked += 1;
                self.replies.push(length, ends);
            }
            Decision::Refuse { length, error } => self.refuse(length, ends, error),
            Decision::Buffered => {}
            Decision::Waiting => self.stats.hellos_kept += 1,
            Decision::TurnedAway => self.stats.peers_refused += 1,
            Decision::Dropped => self.stats.strangers_dropped += 1,
        }
        Receiver::Nobody
    }

    /// The gate's verdict on a hello; its answer lies in the next place for replies.
    fn ask_gate(&mut self, start: Start, ends: FourTuple, bytes: &mut [u8]) -> Verdict {
        let Self { acceptor: Some(Acceptor { gate, partial, .. }), replies, .. } = self else {
            return Verdict::Hold;
        };
        let (mut datagram, sender) = (Datagram::new(Path::default(), bytes), SenderBytes::of(ends.remote));
        gate.answer_or_hold(start, sender.as_stranger(), &mut datagram, partial, replies.place())
    }

    /// Sends the alert that lies in the next place for replies.
    fn refuse(&mut self, length: usize, ends: FourTuple, error: Error) {
        self.stats.hellos_refused += 1;
        if self.refusals < MAX_REFUSALS {
            self.refusals += 1;
            self.events.push_back(EndpointEvent::HelloRefused { address: ends.remote, error });
        }
        self.replies.push(length, ends);
    }

    /// Begins associations with hellos that waited, as far as there is room.
    pub(super) fn admit_waiting(&mut self, now: Instant) {
        while let Some((mut waiter, room)) = self.table.next_waiting(now) {
            let start = self.start_at(now);
            let Some(id) = self.begin(start, waiter.ends, waiter.greeting, room) else { continue };
            for datagram in &mut waiter.datagrams {
                // A handshake that begins brings no application data.
                self.open_copy(now, id, datagram);
            }
        }
    }

    /// The date follows from that of the latest hello.
    fn start_at(&self, now: Instant) -> Start {
        let passed = now - self.latest.now;
        let date = |unix: UnixTime| Duration::from_secs(unix.as_secs()).saturating_add(passed);
        Start { now, unix: self.latest.unix.map(date).map(UnixTime::since_unix_epoch) }
    }

    fn make_room(&mut self, room: Room, now: Instant) {
        match room {
            Room::Instead(Victim::HalfOpen(id)) => {
                // In silence: the caller has not heard of it.
                self.stats.half_open_evicted += 1;
                trace::evicted(id);
                self.forget(id);
            }
            Room::Instead(Victim::Silent(id)) => {
                self.stats.silent_displaced += 1;
                if let Some(known) = self.table.get_mut(id) {
                    known.state.connection.displaced(now);
                }
                self.note_input(id);
            }
            Room::Free | Room::None => {}
        }
    }

    /// A new half-open association in this room, which wants the datagrams of its hello next.
    fn begin(&mut self, start: Start, ends: FourTuple, greeted: Greeted, room: Room) -> Option<PeerId> {
        let config = Arc::clone(&self.acceptor.as_ref()?.config);
        let connection = match greeted.greeting {
            Some(greeting) => Connection::server(config, greeting, start),
            None => Connection::server_without_cookie(config, Path::default(), start),
        };
        // A hello that is replayed, which the gate did not see yet when it let another copy in: nobody makes room for it.
        let mut connection = connection.ok()?;
        self.make_room(room, start.now);
        connection.set_idle_timeout(self.options.idle_timeout);
        self.stats.accepted += 1;
        Some(self.table.insert(ends, Association::new(connection), start.now))
    }
}
