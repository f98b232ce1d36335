//! One end, and what must hold after every call, whatever the network does:
//!
//! * no datagram is empty or longer than the MTU and the buffer, and one input causes few of them;
//! * a timeout that is handled, and what it made due sent, lies in the past;
//! * an association ends at most once, with one event, after which there is none; it is connected at most once;
//! * the heap that it holds is bounded by what it received; what a peer makes it buffer has a bound of its own: 20 KiB on a server
//!   before the handshake is done, and 8 KiB beyond an idle association on either side afterwards.

use std::collections::VecDeque;

use drystone_handshake::crypto::Side;
use drystone_handshake::{
    AlertDescription, Answer, Connection, Datagram, Event, Instant, MIN_MTU, Misuse, Path, ProtocolVersion,
    Request, RequestId, VerifyError,
};
use drystone_tests::alloc::measure;
use drystone_tests::null;

use crate::setup::later_credential;

/// The most datagrams that one input may cause: a flight of two certificates of 400 bytes at the least MTU, twice over.
const MOST_DATAGRAMS: usize = 24;

/// What a connection may hold besides four times what it received: its own flights, their transcript and the epochs.
const OWN_HEAP: i64 = 16 * 1024;

/// What parts of messages a server may buffer before it is connected.
const HALF_OPEN_BUFFERED: usize = 20 * 1024;

/// What an idle association may hold: the budget of the benches.
const IDLE: i64 = 3 * 1024;

/// What a connected peer may make an association hold beyond that.
const CONNECTED: i64 = 8 * 1024;

/// One end of an association.
#[derive(Debug)]
pub struct End {
    /// The association. Call it through the methods of this type where there is one.
    pub connection: Connection,
    /// Datagrams to be sent, in order.
    pub outbox: VecDeque<Vec<u8>>,
    /// Application data received, in order.
    pub received: VecDeque<Vec<u8>>,
    /// Open requests.
    pub requests: VecDeque<(RequestId, Box<Request>)>,
    /// Bytes of all datagrams received.
    pub bytes_in: usize,
    /// Bytes of all datagrams sent.
    pub bytes_out: usize,
    /// Whether `Connected` was seen.
    pub was_connected: bool,
    side: Side,
    version: Option<ProtocolVersion>,
    /// What it held when it was connected: its last flight may not be acknowledged yet.
    held_when_connected: i64,
    ended: bool,
    held: i64,
}

impl End {
    /// An end that was just made.
    pub fn new(connection: Connection, side: Side) -> Self {
        Self {
            connection,
            outbox: VecDeque::new(),
            received: VecDeque::new(),
            requests: VecDeque::new(),
            bytes_in: 0,
            bytes_out: 0,
            was_connected: false,
            side,
            version: None,
            held_when_connected: 0,
            ended: false,
            held: 0,
        }
    }

    /// Hands over a datagram.
    pub fn receive(&mut self, now: Instant, bytes: &[u8]) {
        self.bytes_in += bytes.len();
        let mut bytes = bytes.to_vec();
        let mut datagram = Datagram::new(Path::default(), &mut bytes);
        loop {
            let before = datagram.remaining().len();
            let (data, heap) = measure(|| self.connection.receive(now, &mut datagram));
            self.held += heap.live_bytes;
            let Some(data) = data else { break };
            assert!(
                self.was_connected || self.connection.is_connected(),
                "data before the handshake is done"
            );
            self.received.push_back(data.payload.to_vec());
            assert!(datagram.remaining().len() < before, "no progress in a datagram");
        }
        assert!(datagram.remaining().is_empty(), "a datagram is not consumed");
        self.drain(now);
    }

    /// Lets time pass up to `now`, if something is due by then.
    pub fn handle_timeout(&mut self, now: Instant) {
        let due = self.connection.poll_timeout().is_some_and(|deadline| deadline <= now);
        let ((), heap) = measure(|| self.connection.handle_timeout(now));
        self.held += heap.live_bytes;
        // An ACK that is due goes out now.
        self.drain(now);
        let next = self.connection.poll_timeout();
        assert!(
            !due || next.is_none_or(|next| next > now),
            "a deadline stays in the past: {next:?} at {now:?}"
        );
    }

    /// Seals a copy of `payload` into the outbox.
    ///
    /// # Errors
    /// Those of [`Connection::send`].
    pub fn send(&mut self, now: Instant, payload: &[u8]) -> Result<(), Misuse> {
        let mut out = vec![0; payload.len() + self.connection.overhead_of(payload.len()).total()];
        let sent = self.connection.send(payload, &mut out);
        if let Ok(length) = sent {
            assert_eq!(length, out.len(), "the overhead is exact");
            self.outbox.push_back(out);
        }
        self.drain(now);
        sent.map(|_| ())
    }

    /// Changes the keys, where there is something to change.
    pub fn update_keys(&mut self, now: Instant, request_peer: bool) {
        let connected = self.connection.is_connected();
        let (updated, heap) = measure(|| self.connection.update_keys(now, request_peer));
        self.held += heap.live_bytes;
        match (connected, self.version) {
            (false, _) => assert_eq!(updated, Err(Misuse::NotConnected)),
            (true, Some(ProtocolVersion::DTLS_1_2)) => assert_eq!(updated, Err(Misuse::NoKeyUpdate)),
            (true, _) => assert_eq!(updated, Ok(())),
        }
        self.drain(now);
    }

    /// Answers the oldest open request: well, if `well`.
    pub fn answer(&mut self, now: Instant, well: bool) {
        let Some((id, request)) = self.requests.pop_front() else { return };
        let answer = answer_to(&request, well);
        let (answered, heap) = measure(|| self.connection.answer(now, id, answer));
        self.held += heap.live_bytes;
        // Of a handshake that failed meanwhile, nothing is open.
        assert!(answered.is_ok() || self.ended, "{answered:?}");
        self.drain(now);
    }

    /// Answers a request with what does not fit it, and an old request: misuse, which changes nothing.
    pub fn answer_wrongly(&mut self, now: Instant) {
        let Some((id, request)) = self.requests.front() else { return };
        let wrong = match **request {
            Request::Credential { .. } => Answer::PeerVerification(Ok(())),
            _ => Answer::Credential(None),
        };
        assert!(self.connection.answer(now, *id, wrong).is_err());
        self.drain(now);
    }

    /// Closes.
    pub fn close(&mut self, now: Instant) {
        let ((), heap) = measure(|| self.connection.close(now));
        self.held += heap.live_bytes;
        assert!(self.connection.is_closed());
        // The owner knows: there is no event. What is sent of the end is at most an alert.
        self.ended = true;
        self.drain(now);
    }

    /// Takes what the connection has to say.
    pub fn drain(&mut self, now: Instant) {
        let mut out = [0; 1500];
        let room = self.connection.mtu().min(out.len());
        assert!(self.connection.mtu() >= MIN_MTU);
        let mut datagrams = 0;
        loop {
            let (transmit, heap) = measure(|| self.connection.poll_transmit(now, &mut out));
            self.held += heap.live_bytes;
            let Some(transmit) = transmit else { break };
            assert!((1..=room).contains(&transmit.len), "a datagram of {} bytes", transmit.len);
            self.bytes_out += transmit.len;
            self.outbox.push_back(out[..transmit.len].to_vec());
            datagrams += 1;
            assert!(datagrams <= MOST_DATAGRAMS, "too many datagrams at once");
        }
        let ((), heap) = measure(|| self.take_events());
        self.held += heap.live_bytes;
        let bound = 4 * self.bytes_in as i64 + OWN_HEAP;
        assert!(self.held <= bound, "{} bytes held, {} received", self.held, self.bytes_in);
        self.check_buffered();
        assert_eq!(self.connection.is_closed(), self.ended, "the end is told by one event");
    }

    fn check_buffered(&self) {
        let buffered = self.connection.buffered_bytes();
        if self.connection.is_connected() {
            let bound = self.held_when_connected.max(IDLE) + CONNECTED;
            assert!(self.held <= bound, "{} bytes held by a connected peer", self.held);
            assert!(buffered as i64 <= CONNECTED, "{buffered} bytes buffered for a connected peer");
        } else if self.side == Side::Server {
            assert!(buffered <= HALF_OPEN_BUFFERED, "{buffered} bytes buffered for a half-open peer");
        }
    }

    fn take_events(&mut self) {
        while let Some(event) = self.connection.poll_event() {
            assert!(!self.ended, "an event after the end: {event:?}");
            match event {
                Event::Connected(connected) => {
                    assert!(!self.was_connected, "connected twice");
                    self.version = Some(connected.version);
                    self.was_connected = true;
                    self.held_when_connected = self.held;
                }
                Event::Request(id, request) => self.requests.push_back((id, request)),
                Event::Failed(error) => {
                    assert_eq!(self.connection.error(), Some(&error));
                    self.ended = true;
                }
                Event::Closed(_) | Event::AssociationReplaced => self.ended = true,
                _ => {}
            }
        }
    }
}

fn answer_to(request: &Request, well: bool) -> Answer {
    match request {
        Request::Credential { .. } if well => Answer::Credential(Some(later_credential())),
        Request::Credential { .. } => Answer::Credential(None),
        Request::Signature { .. } if well => Answer::Signature(Ok(null::SIGNATURE.to_vec())),
        Request::Signature { .. } => Answer::Signature(Err(drystone_handshake::crypto::SigningError::Failed)),
        _ if well => Answer::PeerVerification(Ok(())),
        _ => Answer::PeerVerification(Err(VerifyError::refused(AlertDescription::ACCESS_DENIED, "fuzz"))),
    }
}
