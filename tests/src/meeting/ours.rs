//! drystone's side of a meeting: a [`Connection`], and for servers the [`Gate`] before it.

use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

use drystone_handshake::{
    CipherSuiteId, ClientAuth, ClientConfig, Connection, Credentials, Datagram, Event, Gate, Instant,
    NamedGroup, PartialHellos, Path, ProtocolVersion, ServerConfig, Settings, Start, Stranger, Verdict,
    crypto,
};

use super::{Facts, FirstAnswer, Maker, Party, Plan, Stack};
use crate::clock::Clock;
use crate::identity::{name, settings_of_both};
use crate::interop::KeyKind;

/// drystone itself.
#[derive(Clone, Copy, Debug)]
pub struct Drystone;

impl Stack for Drystone {
    fn name(&self) -> &'static str {
        "drystone"
    }

    fn client(&self, plan: &Plan) -> Result<Maker, String> {
        let trust = plan.trust.ok_or("a client needs somebody to trust")?;
        let config = ClientConfig::new(settings_of(plan), trust.policy());
        let mut config = config.map_err(|error| error.to_string())?;
        if let Some(identity) = plan.identity {
            config = config.with_credentials(Credentials::single(identity.credential()));
        }
        let config = Arc::new(config);
        Ok(Box::new(move |clock| {
            let connection = Connection::client(Arc::clone(&config), name(), start(clock));
            let connection = connection.expect("a source of random numbers");
            Box::new(Ours { connection: Some(connection), ..Ours::stranger(None, clock) })
        }))
    }

    fn server(&self, plan: &Plan) -> Result<Maker, String> {
        let identity = plan.identity.ok_or("a server needs a certificate")?;
        let credentials = Credentials::single(identity.credential());
        let config = ServerConfig::new(settings_of(plan), credentials);
        let mut config = config.map_err(|error| error.to_string())?;
        if let Some(trust) = plan.trust {
            config = config.with_client_auth(ClientAuth::Require(Arc::new(trust.policy())));
        }
        let config = Arc::new(config);
        Ok(Box::new(move |clock| {
            let gate = Gate::new(&config).expect("a source of random numbers");
            let partial = gate.partial_hellos();
            Box::new(Ours::stranger(Some(Door { gate, partial, config: Arc::clone(&config) }), clock))
        }))
    }

    fn has_suite(&self, suite: CipherSuiteId) -> bool {
        crypto::ring::provider().cipher_suite(suite).is_some()
    }

    fn has_group(&self, version: ProtocolVersion, group: NamedGroup) -> bool {
        crypto::ring::provider().group(group).is_some_and(|group| group.min_version().is_at_most(version))
    }

    fn has_key(&self, _: KeyKind) -> bool {
        true
    }

    fn has_chains(&self) -> bool {
        true
    }

    fn has_alpn(&self) -> bool {
        true
    }

    fn first_answer(&self, _: ProtocolVersion) -> FirstAnswer {
        FirstAnswer::Cookie
    }
}

fn settings_of(plan: &Plan) -> Settings {
    let mut settings = settings_of_both();
    (settings.min_version, settings.max_version) = (plan.min_version, plan.max_version);
    settings.cipher_suites = plan.suite.map(|suite| vec![suite]);
    settings.groups = (!plan.groups.is_empty()).then(|| plan.groups.clone());
    settings.alpn = plan.alpn.map(|name| name.as_bytes().to_vec()).into_iter().collect();
    settings.mtu = plan.mtu;
    // Whether a handshake completes is asked here, not how fast: the loss matrix bounds that.
    settings.handshake_deadline = None;
    settings
}

/// What stands before a server's association.
struct Door {
    gate: Gate,
    partial: PartialHellos,
    config: Arc<ServerConfig>,
}

struct Ours {
    connection: Option<Connection>,
    /// A server that has not let its client in yet.
    gate: Option<Door>,
    clock: Clock,
    /// Datagrams made outside of the connection: the gate's, and sealed application data.
    outgoing: VecDeque<Vec<u8>>,
    received: VecDeque<Vec<u8>>,
    facts: Option<Facts>,
    peer_has_closed: bool,
}

impl Ours {
    fn stranger(gate: Option<Door>, clock: &Clock) -> Self {
        Self {
            connection: None,
            gate,
            clock: clock.clone(),
            outgoing: VecDeque::new(),
            received: VecDeque::new(),
            facts: None,
            peer_has_closed: false,
        }
    }

    /// Lets the gate look at a stranger's datagram.
    fn greet(&mut self, now: Duration, datagram: &mut [u8]) {
        let Some(Door { gate, partial, config }) = &mut self.gate else { return };
        self.clock.advance_to(now);
        let start = start(&self.clock);
        let mut reply = [0; Gate::MAX_REPLY];
        let stranger = Stranger { id: b"peer", network: b"network" };
        let mut datagram = Datagram::new(Path::default(), datagram);
        match gate.answer_or_hold(start, stranger, &mut datagram, partial, &mut reply) {
            Verdict::Drop(_) | Verdict::Hold => {}
            Verdict::Reply(length) | Verdict::Refuse { length, .. } => {
                self.outgoing.push_back(reply[..length].to_vec());
            }
            Verdict::Accept(greeting) => {
                let connection = Connection::server(Arc::clone(config), greeting, start);
                self.connection = Some(connection.expect("a server begins"));
            }
        }
    }

    fn note_events(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        while let Some(event) = connection.poll_event() {
            match event {
                Event::Connected(connected) => {
                    let leaf = connected.peer_chain.first().map_or_else(Vec::new, |leaf| leaf.to_vec());
                    self.facts = Some(Facts {
                        version: Some(connected.version),
                        suite: Some(connected.cipher_suite),
                        group: Some(connected.group),
                        alpn: Some(connected.alpn.clone().unwrap_or_default()),
                        peer_certificate: Some(leaf),
                    });
                }
                Event::Closed(_) => self.peer_has_closed = true,
                _ => {}
            }
        }
    }
}

impl Party for Ours {
    fn receive(&mut self, now: Duration, datagram: &mut [u8]) {
        if self.connection.is_none() {
            self.greet(now, datagram);
        }
        let Some(connection) = &mut self.connection else { return };
        let mut datagram = Datagram::new(Path::default(), datagram);
        while let Some(data) = connection.receive(Instant::from_origin(now), &mut datagram) {
            self.received.push_back(data.payload.to_vec());
        }
        self.note_events();
    }

    fn poll_timeout(&mut self, _: Duration) -> Option<Duration> {
        self.connection.as_ref()?.poll_timeout().map(Instant::since_origin)
    }

    fn handle_timeout(&mut self, now: Duration) {
        if let Some(connection) = &mut self.connection {
            connection.handle_timeout(Instant::from_origin(now));
        }
        self.note_events();
    }

    fn poll_transmit(&mut self, now: Duration) -> Option<Vec<u8>> {
        if let Some(connection) = &mut self.connection {
            let mut out = [0; 2048];
            if let Some(transmit) = connection.poll_transmit(Instant::from_origin(now), &mut out) {
                return Some(out[..transmit.len].to_vec());
            }
        }
        self.note_events();
        self.outgoing.pop_front()
    }

    fn poll_received(&mut self) -> Option<Vec<u8>> {
        self.received.pop_front()
    }

    fn is_connected(&self) -> bool {
        self.connection.as_ref().is_some_and(Connection::is_connected)
    }

    fn peer_has_closed(&self) -> bool {
        self.peer_has_closed
    }

    fn failure(&self) -> Option<String> {
        self.connection.as_ref()?.error().map(ToString::to_string)
    }

    fn send(&mut self, _: Duration, payload: &[u8]) -> Result<(), String> {
        let connection = self.connection.as_mut().ok_or("no client has come")?;
        let mut out = vec![0; payload.len() + connection.overhead_of(payload.len()).total()];
        let length = connection.send(payload, &mut out).map_err(|misuse| misuse.to_string())?;
        out.truncate(length);
        self.outgoing.push_back(out);
        Ok(())
    }

    fn update_keys(&mut self, now: Duration, request_peer: bool) -> Result<(), String> {
        let connection = self.connection.as_mut().ok_or("no client has come")?;
        connection.update_keys(Instant::from_origin(now), request_peer).map_err(|misuse| misuse.to_string())
    }

    fn close(&mut self, now: Duration) -> Result<(), String> {
        self.connection.as_mut().ok_or("no client has come")?.close(Instant::from_origin(now));
        Ok(())
    }

    fn facts(&self) -> Option<Facts> {
        self.facts.clone()
    }

    fn export(&self, label: &str) -> Option<[u8; 32]> {
        let mut out = [0; 32];
        self.connection.as_ref()?.export_keying_material(label.as_bytes(), Some(b""), &mut out).ok()?;
        Some(out)
    }
}

fn start(clock: &Clock) -> Start {
    Start { now: Instant::from_origin(clock.now()), unix: Some(clock.unix()) }
}
