//! Hellos that may begin an association: asks the gate and the policy of admission, and begins it. It must not know how
//! either decides.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use drystone_handshake::{Connection, Datagram, Error, HelloId, Instant, Path, Verdict};

use super::{MAX_REFUSALS, Place, Server};
use crate::admission::{Room, Victim};
use crate::route::{Greeted, PeerId, Route, SenderBytes};
use crate::socket::FourTuple;
use crate::trace;

/// When a connected association was last heard.
fn last_received(connection: &Connection) -> Option<Instant> {
    connection.last_received().filter(|_| connection.is_connected())
}

impl Server {
    /// What may be a hello, of an address that has associations (`route`) or none.
    pub(super) fn handle_hello(
        &mut self,
        route: Option<Route>,
        from: FourTuple,
        at: Range<usize>,
        now: Instant,
    ) {
        let greeted = if self.options.cookies {
            match self.ask_gate(from.remote, at.clone()) {
                Verdict::Accept(greeting) => {
                    Greeted { hello: Some(greeting.hello_id()), greeting: Some(greeting) }
                }
                Verdict::Reply(length) => return self.ask_for_cookie(length, from),
                Verdict::Refuse { length, error } => return self.refuse(length, from, error),
                verdict => return self.handle_part(route, from, at, now, matches!(verdict, Verdict::Hold)),
            }
        } else {
            let datagram =
                Datagram::new(Path::default(), self.received.get_mut(at.clone()).unwrap_or_default());
            let hello = HelloId::of_datagram(&datagram);
            if hello.is_none() && route.is_some() {
                return self.handle_part(route, from, at, now, true);
            }
            Greeted { hello, greeting: None }
        };
        if let Some(route) = route
            && let Some(hello) = greeted.hello
        {
            let is_of = |id| self.table.get(id).is_some_and(|peer| peer.connection.is_of_hello(&hello));
            if is_of(route.current) || route.challenger.is_some_and(is_of) {
                return self.deliver(route, at, now);
            }
        }
        self.arrive(from, at, greeted, now);
    }

    /// Perhaps a fragment of a hello that waits, or of the one that began an association.
    fn handle_part(
        &mut self,
        route: Option<Route>,
        from: FourTuple,
        at: Range<usize>,
        now: Instant,
        held: bool,
    ) {
        let datagram = self.received.get(at.clone()).unwrap_or_default();
        let waits = self.table.admission.waiting.add(from.remote, datagram);
        match route {
            Some(route) => self.deliver(route, at, now),
            None => self.stats.strangers_dropped += u64::from(!held && !waits),
        }
    }

    /// The gate's verdict on the hello in `received`; its answer lies in `out`.
    fn ask_gate(&mut self, from: SocketAddr, at: Range<usize>) -> Verdict {
        let mut datagram = Datagram::new(Path::default(), self.received.get_mut(at).unwrap_or_default());
        let (start, sender) = (self.clock.start(), SenderBytes::of(from));
        self.gate.answer_or_hold(start, sender.as_stranger(), &mut datagram, &mut self.partial, &mut self.out)
    }

    fn ask_for_cookie(&mut self, length: usize, from: FourTuple) {
        self.stats.cookies_asked += 1;
        self.answer_stranger(length, from);
    }

    /// Sends the alert that lies in `out`.
    fn refuse(&mut self, length: usize, from: FourTuple, error: Error) {
        self.stats.hellos_refused += 1;
        if self.refusals.len() < MAX_REFUSALS {
            self.refusals.push_back((from.remote, error));
        }
        self.answer_stranger(length, from);
    }

    fn answer_stranger(&mut self, length: usize, from: FourTuple) {
        let answer = self.out.get(..length).unwrap_or_default();
        self.stats.send_failures += u64::from(self.socket.answer(answer, &from).is_err());
    }

    /// A hello that begins an association, at once if there is room, else later.
    fn arrive(&mut self, from: FourTuple, at: Range<usize>, greeted: Greeted, now: Instant) {
        match self.table.find_room(now, from.remote, last_received) {
            Room::None => {
                let datagram = self.received.get(at).unwrap_or_default();
                let kept = self.table.admission.waiting.keep(now, from, greeted, datagram);
                *if kept { &mut self.stats.hellos_kept } else { &mut self.stats.peers_refused } += 1;
            }
            room => {
                if let Some(id) = self.begin(from, greeted, room, now) {
                    self.offer(id, Place::Received, at, now);
                }
            }
        }
    }

    /// Begins associations with hellos that waited, as far as there is room. Nothing may lie in `received` that is
    /// still to be handed out.
    pub(super) fn begin_waiting(&mut self, now: Instant) {
        while self.queue.is_empty()
            && let Some((waiter, room)) = self.table.next_waiting(now, last_received)
        {
            let Some(id) = self.begin(waiter.ends, waiter.greeting, room, now) else { continue };
            for datagram in &waiter.datagrams {
                let place = 0..datagram.len();
                if let Some(room) = self.received.get_mut(place.clone()) {
                    room.copy_from_slice(datagram);
                    self.offer(id, Place::Received, place, now);
                }
            }
        }
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
                if let Some(peer) = self.table.get_mut(id) {
                    peer.connection.displaced(now);
                }
                self.settle(id, now);
            }
            Room::Free | Room::None => {}
        }
    }

    /// A new half-open association in this room, which wants the datagrams of its hello next.
    fn begin(&mut self, from: FourTuple, greeted: Greeted, room: Room, now: Instant) -> Option<PeerId> {
        let (config, start) = (Arc::clone(&self.config), self.clock.start());
        let connection = match greeted.greeting {
            Some(greeting) => Connection::server(config, greeting, start),
            None => Connection::server_without_cookie(config, Path::default(), start),
        };
        // A hello that is replayed, which the gate did not see yet when it let another copy in: nobody makes room for it.
        let mut connection = connection.ok()?;
        self.make_room(room, now);
        connection.set_idle_timeout(self.options.idle_timeout);
        self.stats.accepted += 1;
        Some(self.table.insert(from, connection, now))
    }
}
