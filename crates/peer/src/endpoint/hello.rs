//! What becomes of a datagram that may be a ClientHello: one answer for every kind of server. It must not know how the
//! gate and the policy of admission decide, nor what an association is made of.

use std::net::SocketAddr;

use drystone_handshake::{Datagram, Error, Greeting, HelloId, Instant, Path, Verdict};

use super::admission::{Kept, Room};
use super::four_tuple::FourTuple;
use super::table::{Member, Route, Table};

/// A new hello: what tells it from others, where that is known, and the gate's verdict, where a gate was asked.
#[derive(Debug)]
pub(crate) struct Greeted {
    pub(crate) hello: Option<HelloId>,
    pub(crate) greeting: Option<Greeting>,
}

impl Kept for Greeted {
    fn is_copy_of(&self, other: &Self) -> bool {
        self.hello.is_some() && self.hello == other.hello
    }

    fn bytes(&self) -> usize {
        self.greeting.as_ref().map_or(0, Greeting::held_bytes)
    }
}

/// What is to be done with it.
#[derive(Debug)]
pub(crate) enum Decision {
    /// Send the gate's answer of this many bytes, which asks for a cookie.
    Reply(usize),
    /// Send the gate's alert: nothing can come of the hello.
    Refuse { length: usize, error: Error },
    /// Hand it to the associations of its address.
    Deliver(Route),
    /// Begin an association with it, in this room.
    Begin(Box<Greeted>, Room),
    /// Nothing: it is a part of a hello, and buffered.
    Buffered,
    /// Nothing: it is a whole hello without a place, and waits for one.
    Waiting,
    /// Nothing: it has no place, and there is no room to wait.
    TurnedAway,
    /// Nothing: it means nothing.
    Dropped,
}

impl<C: Member> Table<C> {
    /// For a server that asks for cookies: `verdict` is its gate's.
    pub(crate) fn decide(
        &mut self,
        now: Instant,
        ends: FourTuple,
        bytes: &[u8],
        verdict: Verdict,
    ) -> Decision {
        match verdict {
            Verdict::Reply(length) => Decision::Reply(length),
            Verdict::Refuse { length, error } => Decision::Refuse { length, error },
            Verdict::Hold => self.decide_about_part(ends.remote, bytes, Decision::Buffered),
            Verdict::Drop(_) => self.decide_about_part(ends.remote, bytes, Decision::Dropped),
            Verdict::Accept(greeting) => {
                let hello = Some(greeting.hello_id());
                self.decide_about_hello(now, ends, bytes, Greeted { hello, greeting: Some(greeting) })
            }
        }
    }

    /// For a server whose clients' addresses are proved otherwise.
    pub(crate) fn decide_without_cookie(
        &mut self,
        now: Instant,
        ends: FourTuple,
        bytes: &mut [u8],
    ) -> Decision {
        let hello = HelloId::of_datagram(&Datagram::new(Path::default(), bytes));
        if hello.is_none() && self.route(ends.remote).is_some() {
            return self.decide_about_part(ends.remote, bytes, Decision::Buffered);
        }
        self.decide_about_hello(now, ends, bytes, Greeted { hello, greeting: None })
    }

    /// Perhaps a fragment of a hello that waits, or of the one that began an association.
    fn decide_about_part(&mut self, from: SocketAddr, bytes: &[u8], otherwise: Decision) -> Decision {
        let waits = self.admission.waiting.add(from, bytes);
        match self.route(from) {
            Some(route) => Decision::Deliver(route),
            None if waits => Decision::Buffered,
            None => otherwise,
        }
    }

    /// A hello that begins an association, at once if there is room, else later, unless it is a copy of one that has begun
    /// one.
    fn decide_about_hello(
        &mut self,
        now: Instant,
        ends: FourTuple,
        bytes: &[u8],
        greeted: Greeted,
    ) -> Decision {
        if let Some(route) = self.route(ends.remote)
            && let Some(hello) = greeted.hello
        {
            let is_of = |id| self.get(id).is_some_and(|peer| peer.state.is_of_hello(&hello));
            if is_of(route.current) || route.challenger.is_some_and(is_of) {
                return Decision::Deliver(route);
            }
        }
        match self.find_room(now, ends.remote) {
            Room::None => {
                let waits = self.admission.waiting.keep(now, ends, greeted, bytes);
                if waits { Decision::Waiting } else { Decision::TurnedAway }
            }
            room => Decision::Begin(Box::new(greeted), room),
        }
    }
}
