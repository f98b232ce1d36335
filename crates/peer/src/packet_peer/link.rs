//! An association over a UDP peer: carries datagrams between the two and watches the time. It knows the statuses of
//! no game.

use std::sync::Arc;
use std::time::Duration;

use drystone_handshake::{
    AlertDescription, Answer, Connection, Datagram, Error as HandshakeError, Event, Gate, Instant, Misuse,
    Path, RequestId, ServerConfig, Verdict,
};

use super::error::{Error, PacketError};
use super::exchange::{DATAGRAMS_PER_POLL, Doorman, Fate};
use super::udp::{PacketPeerUdp, Received};
use crate::clock::Clock;
use crate::packet_queue::PacketQueue;
use crate::socket::{self, Contact, Trouble};

pub(super) struct Link {
    pub(super) connection: Connection,
    pub(super) udp: PacketPeerUdp,
    clock: Clock,
    begun: Instant,
    contact: Contact,
}

/// Packets for the application, and what became of those that had no room.
#[derive(Default)]
pub(super) struct Inbox {
    pub(super) queue: PacketQueue,
    pub(super) dropped: u64,
}

/// The parts of a server that all its peers share.
pub(super) struct ServerSide {
    pub(super) config: Arc<ServerConfig>,
    pub(super) doorman: Doorman,
    pub(super) clock: Clock,
}

impl Link {
    /// Begins an association with the server that the UDP peer is connected to, perhaps not for the first time.
    /// `begun` is when the connection was made.
    pub(super) fn client(
        connection: Connection,
        mut udp: PacketPeerUdp,
        clock: Clock,
        begun: Instant,
    ) -> Self {
        udp.discard_received();
        Self::new(connection, udp, clock, begun, Contact::default())
    }

    /// Begins an association with the first hello with a good cookie that a UDP peer has. Otherwise the client was asked
    /// for one, or it is no client; the UDP peer is then dropped, so that the client's next datagram finds its address
    /// unknown.
    pub(super) fn server(
        mut udp: PacketPeerUdp,
        side: &ServerSide,
        inbox: &mut Inbox,
    ) -> Result<Self, Error> {
        let remote = udp.remote().ok_or(Error::SocketNotConnected)?;
        let mut greeting = udp.seat().and_then(|(exchange, id)| exchange.take_greeting(id));
        let mut reply = [0; Gate::MAX_REPLY];
        let mut otherwise = Error::NotAHello;
        for _ in 0..DATAGRAMS_PER_POLL {
            let Received::Datagram(bytes) = udp.receive() else { break };
            let mut datagram = Datagram::new(Path::default(), bytes);
            let verdict = match greeting.take() {
                Some(greeting) => Verdict::Accept(greeting),
                None => side.doorman.ask(remote, &mut datagram, &mut reply),
            };
            match verdict {
                Verdict::Drop(_) => {}
                Verdict::Hold => otherwise = Error::CookieAsked,
                Verdict::Reply(length) => {
                    // A lost answer is asked for again.
                    let _ = udp.send(reply.get(..length).unwrap_or_default());
                    return Err(Error::CookieAsked);
                }
                Verdict::Refuse { length, error } => {
                    let _ = udp.send(reply.get(..length).unwrap_or_default());
                    return Err(error.into());
                }
                Verdict::Accept(greeting) => {
                    let (hello, start) = (greeting.hello_id(), side.clock.start());
                    let mut connection = Connection::server(Arc::clone(&side.config), greeting, start)?;
                    offer(&mut connection, start.now, &mut datagram, inbox);
                    if let Some((exchange, id)) = udp.seat() {
                        exchange.begun(id, hello);
                    }
                    return Ok(Self::new(connection, udp, side.clock, start.now, Contact::heard()));
                }
            }
        }
        Err(otherwise)
    }

    fn new(
        connection: Connection,
        udp: PacketPeerUdp,
        clock: Clock,
        begun: Instant,
        contact: Contact,
    ) -> Self {
        Self { connection, udp, clock, begun, contact }
    }

    /// Does all that is due: takes in what arrived, acts on the time, sends.
    ///
    /// # Errors
    /// What ends the association beside the protocol itself, whose end is an event of the connection.
    pub(super) fn run(&mut self, out: &mut Vec<u8>, inbox: &mut Inbox) -> Result<(), Error> {
        if let Some(heard) = self.connection.last_received() {
            self.udp.note_silence(self.clock.now() - heard);
        }
        let outcome = self.take_in(out, inbox);
        let now = self.clock.now();
        if self.connection.poll_timeout().is_some_and(|at| at <= now) {
            self.connection.handle_timeout(now);
        }
        outcome.and(self.transmit(out))
    }

    /// The next thing that happened to the association.
    pub(super) fn poll_event(&mut self) -> Option<Event> {
        let event = self.connection.poll_event()?;
        if let Event::Connected(_) = event
            && let Some((exchange, id)) = self.udp.seat()
        {
            exchange.established(id);
        }
        Some(event)
    }

    /// How the game hears of a failure: one that is a matter of time tells how much of it has passed, and a goodbye
    /// is told apart from a refusal (once connected it is no failure at all).
    pub(super) fn explain(&self, error: HandshakeError) -> Error {
        match error {
            HandshakeError::HandshakeTimeout => {
                let passed = (self.clock.now() - self.begun).as_millis();
                Error::HandshakeTimeout(Duration::from_millis(u64::try_from(passed).unwrap_or(u64::MAX)))
            }
            HandshakeError::AlertReceived { description: AlertDescription::CLOSE_NOTIFY, .. } => {
                Error::ClosedInHandshake
            }
            error => error.into(),
        }
    }

    /// Gives the answer to a request, which the next [`run`](Self::run) acts upon.
    pub(super) fn answer(&mut self, id: RequestId, answer: Answer) -> Result<(), Misuse> {
        self.connection.answer(self.clock.now(), id, answer)
    }

    /// Sends one packet.
    pub(super) fn send(&mut self, packet: &[u8], out: &mut Vec<u8>) -> Result<(), PacketError> {
        let needed = packet.len().saturating_add(self.connection.overhead_of(packet.len()).total());
        // Longer ones are refused below, before they are copied anywhere.
        if needed > out.len() && packet.len() <= self.connection.max_payload() {
            out.resize(needed, 0);
        }
        let length = self.connection.send(packet, out).map_err(|misuse| of_misuse(misuse, packet.len()))?;
        match self.udp.send(out.get(..length).unwrap_or_default()) {
            // The peer may be gone, and it may be a forgery: the packet is lost, no more.
            Err(error) if socket::is_refusal(&error) => Ok(()),
            Err(error) if socket::is_too_large(&error) => {
                self.connection.datagram_too_large(self.clock.now(), length);
                let limit = self.connection.max_unfragmented_payload();
                Err(PacketError::TooLarge { length: packet.len(), limit })
            }
            sent => sent.map_err(|error| PacketError::of_send(&error)),
        }
    }

    /// Tells the peer that it is over.
    pub(super) fn close(&mut self, out: &mut Vec<u8>) {
        self.close_with(AlertDescription::CLOSE_NOTIFY, out);
    }

    /// Tells the peer what is wrong.
    pub(super) fn close_with(&mut self, alert: AlertDescription, out: &mut Vec<u8>) {
        self.connection.close_with(self.clock.now(), alert);
        // The peer learns of the end by the goodbye or not at all: there is nothing to do about a failure.
        let _ = self.transmit(out);
    }

    fn take_in(&mut self, out: &mut Vec<u8>, inbox: &mut Inbox) -> Result<(), Error> {
        for _ in 0..DATAGRAMS_PER_POLL {
            let now = self.clock.now();
            let was_connected = self.connection.is_connected();
            if !was_connected && let Some(grant) = self.udp.buffer_grant() {
                self.connection.limit_buffered_bytes(grant);
            }
            let outcome = match self.udp.receive() {
                Received::Nothing => {
                    self.contact.on_nothing();
                    break;
                }
                Received::Datagram(bytes) => {
                    let mut datagram = Datagram::new(Path::default(), bytes);
                    offer(&mut self.connection, now, &mut datagram, inbox);
                    self.contact.on_datagram();
                    Ok(())
                }
                Received::Refused => self.contact.on_refusal(),
                Received::Failed(error) => self.contact.on_receive_error(error),
                Received::Ended(fate) => return Err(self.ended(fate, out)),
            };
            if !was_connected {
                self.note_buffered();
            }
            outcome.map_err(|trouble| self.explain_trouble(trouble))?;
        }
        Ok(())
    }

    /// Tells the server what the handshake buffers: nothing once it is done.
    fn note_buffered(&mut self) {
        let bytes = if self.connection.is_connected() { 0 } else { self.connection.buffered_bytes() };
        self.udp.note_buffered(bytes);
    }

    fn transmit(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        if out.len() < self.connection.mtu() {
            out.resize(self.connection.mtu(), 0);
        }
        let now = self.clock.now();
        while let Some(transmit) = self.connection.poll_transmit(now, out) {
            let sent = self.udp.send(out.get(..transmit.len).unwrap_or_default());
            if sent.as_ref().is_err_and(socket::is_too_large) {
                self.connection.datagram_too_large(now, transmit.len);
                continue;
            }
            sent.or_else(|error| self.contact.on_send_error(error))
                .map_err(|trouble| self.explain_trouble(trouble))?;
        }
        Ok(())
    }

    fn ended(&mut self, fate: Fate, out: &mut Vec<u8>) -> Error {
        match fate {
            Fate::Replaced => {
                self.connection.replaced(self.clock.now());
                Error::Replaced
            }
            Fate::Evicted => Error::HandshakeEvicted,
            Fate::Displaced => {
                self.connection.displaced(self.clock.now());
                Error::Displaced
            }
            Fate::Stopped => {
                self.close(out);
                Error::ServerStopped
            }
        }
    }

    fn explain_trouble(&self, trouble: Trouble) -> Error {
        match trouble {
            Trouble::Refused => self.udp.remote().map_or(Error::SocketNotConnected, Error::NothingListens),
            Trouble::Broken(error) => error.into(),
        }
    }
}

/// Hands a datagram to the connection and its packets to the inbox, but for empty ones, since Godot knows none.
fn offer(connection: &mut Connection, now: Instant, datagram: &mut Datagram<'_>, inbox: &mut Inbox) {
    while let Some(data) = connection.receive(now, datagram) {
        if !data.payload.is_empty() && !inbox.queue.push(data.payload) {
            inbox.dropped += 1;
        }
    }
}

fn of_misuse(misuse: Misuse, length: usize) -> PacketError {
    match misuse {
        Misuse::PayloadTooLarge { limit } => PacketError::TooLarge { length, limit },
        Misuse::KeyLimit => PacketError::Closed,
        _ => PacketError::NotConnected,
    }
}
