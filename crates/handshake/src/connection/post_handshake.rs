//! Handshake messages after the handshake, which only DTLS 1.3 has: KeyUpdate, NewSessionTicket, and what is left of the
//! handshake's own. Owns what each of the peer's messages means and the secrets for the next keys; when ours are sent again,
//! and what is acknowledged, is in `post_flights`, and the epochs themselves are the connection's.

use alloc::boxed::Box;

use drystone_record::{Discard, RecordNumber};

use super::flights::Flights;
use super::key_update::KeyUpdates;
use super::post_flights::PostFlights;
use super::{Config, fault};
use super::{Connection, Established, Phase};
use crate::event::{Event, SessionTicket};
use crate::flight::{Accepted, Arrival, Fragment, Incoming, Message};
use crate::message::registry::HandshakeType;
use crate::observe::{Direction, Observed};
use crate::time::Instant;
use crate::v13::Traffic;
use crate::{Error, client, server};

/// Tickets that wait for the application. A server may give as many as it likes, and a client may delete them as it likes
/// (RFC 9846 section 4.7.1): the oldest first, because the newest is good for longest.
const MAX_PENDING_TICKETS: usize = 8;

#[derive(Debug)]
pub(super) struct PostHandshake {
    /// The peer's messages on their way to being whole.
    pub(super) incoming: Incoming,
    pub(super) flights: PostFlights,
    pub(super) traffic: Traffic,
    pub(super) updates: KeyUpdates,
}

impl PostHandshake {
    /// Takes over from the handshake.
    pub(super) fn new(flights: Flights, traffic: Traffic) -> Self {
        let (flights, mut incoming) = PostFlights::new(flights);
        incoming.limit_to_post_handshake();
        Self { incoming, flights, traffic, updates: KeyUpdates::default() }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        if self.may_start_update() {
            // At once.
            return Some(Instant::default());
        }
        let forgetting = self.incoming.deadline().map(Instant::from_origin);
        [self.flights.next_timeout(), forgetting].into_iter().flatten().min()
    }

    /// What has been buffered for too long is forgotten, and our flights are sent again when their time has come.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        self.incoming.expire(now.since_origin());
        self.flights.handle_timeout(now)
    }

    /// Whether data from the peer would change anything here.
    pub(super) fn listens(&self) -> bool {
        self.updates.counts()
    }
}

impl Established {
    /// The part that only DTLS 1.3 has.
    pub(super) fn post_handshake(&mut self) -> Option<&mut PostHandshake> {
        self.post_handshake.as_deref_mut()
    }
}

impl Connection {
    fn post_handshake(&mut self) -> Option<&mut PostHandshake> {
        match &mut self.phase {
            Phase::Connected(established) => established.post_handshake(),
            _ => None,
        }
    }

    /// Application data came. It acknowledges nothing: a server may send it behind its Finished, before it has ours (RFC 9846
    /// section 2, RFC 9147 section 5.8.1).
    #[cold]
    pub(super) fn heard_data(&mut self) {
        if let Some(post) = self.post_handshake() {
            post.updates.heard_data();
        }
    }

    /// A fragment after the handshake, in an epoch above 0. Returns whether its record may be acknowledged.
    pub(super) fn post_handshake_fragment(
        &mut self,
        now: Instant,
        number: RecordNumber,
        fragment: Fragment<'_>,
    ) -> bool {
        let expectation = match self.config {
            Config::Client(_) => client::expected::after_handshake(),
            Config::Server(_) => server::expected::after_handshake(),
        };
        let Self { phase: Phase::Connected(established), config, .. } = self else { return false };
        let Some(post) = established.post_handshake() else { return false };
        let limits = &config.common().settings.limits;
        let arrival = Arrival { epoch: number.epoch, now: now.since_origin(), expectation, limits };
        // The ACK of a KeyUpdate lets the peer change its keys (RFC 9147 section 8). We have the next ones only when everything
        // before it has been processed.
        let is_early = post.incoming.next_message_seq().is_some_and(|next| fragment.message_seq > next);
        let waits = fragment.msg_type == HandshakeType::KEY_UPDATE && is_early;
        match post.incoming.accept(arrival, fragment) {
            Accepted::Whole(message) => self.late_message(now, message),
            Accepted::Kept => {}
            Accepted::Duplicate => return self.late_copy(now, number.epoch, &fragment) && !waits,
            Accepted::Dropped(fault) => {
                self.apply(now, fault::of_fragment(fault, true));
                return fault::is_harmless(fault);
            }
        }
        self.run_late(now);
        !waits
    }

    /// Acts on messages that were put together, or that came before this side was connected.
    pub(super) fn run_late(&mut self, now: Instant) {
        while let Some(message) = self.post_handshake().and_then(|post| post.incoming.take_ready()) {
            self.late_message(now, message.as_message());
        }
    }

    fn late_copy(&mut self, now: Instant, epoch: u64, fragment: &Fragment<'_>) -> bool {
        self.stats.count(Discard::DuplicateMessage);
        self.post_handshake().is_some_and(|post| post.flights.copy_arrived(epoch, fragment, now))
    }

    fn late_message(&mut self, now: Instant, message: Message<'_>) {
        let Message { msg_type, message_seq, body, epoch } = message;
        self.observe(Direction::Received, Observed::Handshake { msg_type, message_seq, body });
        let outcome = match (msg_type, &self.config) {
            (HandshakeType::KEY_UPDATE, _) => self.key_update_received(epoch, body),
            (HandshakeType::NEW_SESSION_TICKET, Config::Client(_)) => self.ticket_received(body),
            _ => Err(Error::UnexpectedMessage { expected: "application data", received: msg_type }),
        };
        if let Err(error) = outcome {
            self.fail(now, error);
        }
    }

    fn ticket_received(&mut self, body: &[u8]) -> Result<(), Error> {
        let ticket = SessionTicket::decode(body)?;
        if ticket.lifetime == 0 {
            // RFC 9846 section 4.7.1: to be discarded immediately.
            return Ok(());
        }
        let is_ticket = |event: &Event| matches!(event, Event::TicketReceived(_));
        if self.events.iter().filter(|event| is_ticket(event)).count() >= MAX_PENDING_TICKETS {
            let oldest = self.events.iter().position(is_ticket);
            let _ = oldest.and_then(|oldest| self.events.remove(oldest));
        }
        self.events.push_back(Event::TicketReceived(Box::new(ticket)));
        Ok(())
    }

    /// Lists a record whose fragments were all taken.
    pub(super) fn acknowledge_late(&mut self, now: Instant, number: RecordNumber) {
        if let Some(PostHandshake { incoming, flights, .. }) = self.post_handshake() {
            flights.acknowledge(number, incoming.held_bytes() == 0, now);
        }
    }
}
