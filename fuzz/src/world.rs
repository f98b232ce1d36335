//! A client and a server with nothing between them but two queues, in simulated time.

use core::time::Duration;
use std::sync::Arc;

use drystone_handshake::crypto::Side;
use drystone_handshake::{
    Connection, Datagram, Gate, Instant, PartialHellos, Path, ServerConfig, Start, Stranger, Verdict,
};
use drystone_tests::alloc::measure;
use rustls_pki_types::{ServerName, UnixTime};

use crate::{End, Setup, wire};

/// Both ends.
pub struct World {
    now: Duration,
    client: End,
    server: Option<End>,
    server_config: Arc<ServerConfig>,
    gate: Option<(Gate, PartialHellos)>,
    /// Answers of the gate that are under way.
    greetings: Vec<Vec<u8>>,
    /// Whether the server has seen a protected record of DTLS 1.3. Whoever makes one has had the ServerHello, at the
    /// address that it went to; a null AEAD that opens anything believes everybody.
    protected_record_came: bool,
    /// What may be sent to an address that has not proved itself, times what it sent (RFC 9147 section 5.1).
    amplification_limit: Option<usize>,
}

impl World {
    /// A client that has sent its hello, and a server that has not seen it.
    pub fn new(setup: Setup) -> Self {
        let now = Duration::from_secs(1000);
        let server_config = setup.server();
        let gate = setup.cookie.then(|| {
            let gate = Gate::new(&server_config).expect("random numbers");
            let partial = gate.partial_hellos();
            (gate, partial)
        });
        let name = ServerName::try_from("server.test").expect("a name");
        let connection = Connection::client(setup.client(), name, start(now)).expect("random numbers");
        let mut client = End::new(connection, Side::Client);
        client.drain(Instant::from_origin(now));
        let (server, greetings) = (None, Vec::new());
        let amplification_limit = setup.amplification_limit().map(|times| times as usize);
        let protected_record_came = false;
        Self {
            now,
            client,
            server,
            server_config,
            gate,
            greetings,
            protected_record_came,
            amplification_limit,
        }
    }

    /// The present.
    pub fn now(&self) -> Instant {
        Instant::from_origin(self.now)
    }

    /// An end; a server exists once it was greeted.
    pub fn end(&mut self, side: Side) -> Option<&mut End> {
        match side {
            Side::Client => Some(&mut self.client),
            Side::Server => self.server.as_mut(),
        }
    }

    /// Calls an end, if there is one, at the present time.
    pub fn with<T>(&mut self, side: Side, call: impl FnOnce(&mut End, Instant) -> T) -> Option<T> {
        let now = self.now();
        self.end(side).map(|end| call(end, now))
    }

    /// Takes the next datagram that this end has sent.
    pub fn take_sent(&mut self, side: Side) -> Option<Vec<u8>> {
        if side == Side::Server && !self.greetings.is_empty() {
            return Some(self.greetings.remove(0));
        }
        self.end(side)?.outbox.pop_front()
    }

    /// Hands a datagram to an end.
    pub fn deliver(&mut self, to: Side, bytes: &[u8]) {
        if to == Side::Server && self.server.is_none() && !self.greet(bytes) {
            return;
        }
        self.protected_record_came |= to == Side::Server && wire::has_unified_record(bytes);
        self.with(to, |end, now| end.receive(now, bytes));
        if let Some(server) = self.server.as_ref().filter(|server| !server.was_connected) {
            let proven = self.gate.is_some() || self.protected_record_came;
            let most = self.amplification_limit.map_or(usize::MAX, |times| server.bytes_in * times);
            assert!(proven || server.bytes_out <= most, "{} bytes for {}", server.bytes_out, server.bytes_in);
        }
    }

    /// Shows a datagram to the gate; whether there is a server for it now.
    fn greet(&mut self, bytes: &[u8]) -> bool {
        let start = start(self.now);
        let config = self.server_config.clone();
        let connection = match &mut self.gate {
            None => Connection::server_without_cookie(config, Path::default(), start),
            Some((gate, partial)) => {
                let mut copy = bytes.to_vec();
                let mut reply = [0; Gate::MAX_REPLY];
                let sender = Stranger { id: b"client", network: &[] };
                let mut datagram = Datagram::new(Path::default(), &mut copy);
                let (verdict, heap) =
                    measure(|| gate.answer_or_hold(start, sender, &mut datagram, partial, &mut reply));
                match verdict {
                    Verdict::Accept(greeting) => Connection::server(config, greeting, start),
                    Verdict::Reply(length) | Verdict::Refuse { length, .. } => {
                        assert_eq!(heap.count, 0, "memory for a stranger");
                        // Of a hello in pieces more has come than the last of them.
                        assert!(length <= bytes.len().max(200), "{length} bytes for {}", bytes.len());
                        self.greetings.push(reply[..length].to_vec());
                        return false;
                    }
                    Verdict::Drop(_) | Verdict::Hold => {
                        assert_eq!(heap.count, 0, "memory for a stranger");
                        return false;
                    }
                }
            }
        };
        self.server = Some(End::new(connection.expect("a server begins"), Side::Server));
        true
    }

    /// Lets time pass, every timer at its time.
    pub fn elapse(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.next_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            for side in [Side::Client, Side::Server] {
                self.with(side, |end, now| {
                    if end.connection.poll_timeout().is_some_and(|due| due <= now) {
                        end.handle_timeout(now);
                    }
                });
            }
        }
        self.now = until;
    }

    /// When the next timer runs out.
    pub fn next_timeout(&self) -> Option<Duration> {
        let client = self.client.connection.poll_timeout();
        let server = self.server.as_ref().and_then(|end| end.connection.poll_timeout());
        [client, server].into_iter().flatten().min().map(Instant::since_origin)
    }
}

fn start(now: Duration) -> Start {
    let unix = UnixTime::since_unix_epoch(Duration::from_secs(1_767_225_600) + now);
    Start { now: Instant::from_origin(now), unix: Some(unix) }
}
