//! dimpl as a party of a meeting.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dimpl::crypto::{Dtls12CipherSuite, Dtls13CipherSuite};
use dimpl::{Config, Dtls, DtlsCertificate, NamedGroup as DimplGroup, Output};
use drystone_handshake::{CipherSuiteId, NamedGroup, ProtocolVersion};
use drystone_tests::clock::Clock;
use drystone_tests::interop::KeyKind;
use drystone_tests::meeting::{Facts, Fault, FirstAnswer, Maker, Party, Plan, Stack, identity};

/// What drystone has no counterpart for.
pub(crate) const OTHERS: &str = "in dimpl and not in drystone: PSK_AES128_CCM_8";

/// Records after which it changes its keys by itself, where it is to do so early; it takes 75 to 100 % of that.
const EARLY: u64 = 4;

/// The pause between two looks at its timer. While a message has a gap it wants to send an ACK now, and now again, for as
/// long as the gap is there; an event loop with a timer of finite precision slows that down.
const PRECISION: Duration = Duration::from_millis(10);

/// dimpl 0.9 over its RustCrypto back end.
pub(crate) struct Dimpl;

impl Stack for Dimpl {
    fn name(&self) -> &'static str {
        "dimpl"
    }

    fn client(&self, plan: &Plan) -> Result<Maker, String> {
        maker(plan, true)
    }

    fn server(&self, plan: &Plan) -> Result<Maker, String> {
        maker(plan, false)
    }

    fn has_suite(&self, suite: CipherSuiteId) -> bool {
        suite_12(suite).is_some() || suite_13(suite).is_some()
    }

    fn has_group(&self, _: ProtocolVersion, group: NamedGroup) -> bool {
        matches!(group, NamedGroup::X25519 | NamedGroup::SECP256R1 | NamedGroup::SECP384R1)
    }

    fn has_key(&self, key: KeyKind) -> bool {
        matches!(key, KeyKind::P256 | KeyKind::P384)
    }

    fn has_chains(&self) -> bool {
        false
    }

    fn has_alpn(&self) -> bool {
        false
    }

    fn updates_keys_on_command(&self) -> bool {
        false
    }

    fn first_answer(&self, _: ProtocolVersion) -> FirstAnswer {
        FirstAnswer::Cookie
    }

    fn fault_under_loss(&self, version: ProtocolVersion, serves: bool, plan: &Plan) -> Option<Fault> {
        let share = |what, share| Some(Fault { what, share });
        match version {
            // Three of 60,000 meetings seen.
            ProtocolVersion::DTLS_1_2 if !serves => share(
                "its client waits for ever if our flight and parts of its repeat come in a certain order",
                0.005,
            ),
            // One of twenty.
            ProtocolVersion::DTLS_1_3 if !serves && plan.mtu < 1200 => {
                share("its client acknowledges records without keeping all that was in them", 0.1)
            }
            // One of a thousand.
            ProtocolVersion::DTLS_1_3 if plan.mtu < 1200 => {
                share("its server may end with records of an earlier epoch in its queue", 0.005)
            }
            _ => None,
        }
    }
}

fn suite_12(suite: CipherSuiteId) -> Option<Dtls12CipherSuite> {
    Some(match suite {
        CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => {
            Dtls12CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256
        }
        CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => {
            Dtls12CipherSuite::ECDHE_ECDSA_AES256_GCM_SHA384
        }
        CipherSuiteId::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => {
            Dtls12CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256
        }
        _ => return None,
    })
}

fn suite_13(suite: CipherSuiteId) -> Option<Dtls13CipherSuite> {
    Some(match suite {
        CipherSuiteId::TLS_AES_128_GCM_SHA256 => Dtls13CipherSuite::AES_128_GCM_SHA256,
        CipherSuiteId::TLS_AES_256_GCM_SHA384 => Dtls13CipherSuite::AES_256_GCM_SHA384,
        CipherSuiteId::TLS_CHACHA20_POLY1305_SHA256 => Dtls13CipherSuite::CHACHA20_POLY1305_SHA256,
        _ => return None,
    })
}

fn group(group: NamedGroup) -> Result<DimplGroup, String> {
    match group {
        NamedGroup::X25519 => Ok(DimplGroup::X25519),
        NamedGroup::SECP256R1 => Ok(DimplGroup::Secp256r1),
        NamedGroup::SECP384R1 => Ok(DimplGroup::Secp384r1),
        other => Err(format!("dimpl has no {other}")),
    }
}

fn maker(plan: &Plan, is_client: bool) -> Result<Maker, String> {
    let config = Arc::new(config(plan)?);
    // It always has a certificate, and shows it when asked.
    let own = plan.identity.unwrap_or_else(|| identity(KeyKind::P256));
    let certificate =
        DtlsCertificate { certificate: own.chain[0].to_vec(), private_key: own.key.secret_der().to_vec() };
    let trusted = plan.trust.map(|peer| peer.chain[0].to_vec());
    let versions = (plan.min_version, plan.max_version);
    Ok(Box::new(move |clock: &Clock| {
        let origin = Instant::now();
        let (config, certificate) = (Arc::clone(&config), certificate.clone());
        let now = origin + clock.now();
        let mut dtls = match versions {
            (_, ProtocolVersion::DTLS_1_2) => Dtls::new_12(config, certificate, now),
            (ProtocolVersion::DTLS_1_3, _) => Dtls::new_13(config, certificate, now),
            _ => Dtls::new_auto(config, certificate, now),
        };
        dtls.set_active(is_client);
        Box::new(Theirs {
            dtls,
            origin,
            trusted: trusted.clone(),
            timeout: None,
            looked_at: None,
            outgoing: VecDeque::new(),
            received: VecDeque::new(),
            peer_certificate: Vec::new(),
            connected: false,
            closed: false,
            failure: None,
            fresh: true,
        })
    }))
}

fn config(plan: &Plan) -> Result<Config, String> {
    let mut builder = Config::builder()
        .mtu(plan.mtu)
        .require_client_certificate(plan.trust.is_some())
        // A flight of many small datagrams must find room.
        .max_queue_tx(100)
        .max_queue_rx(100)
        .flight_start_rto(Duration::from_millis(400))
        .flight_retries(12)
        .handshake_timeout(Duration::from_secs(3600));
    if plan.rekey_early {
        builder = builder.aead_encryption_limit(EARLY);
    }
    if let Some(suite) = plan.suite {
        builder = builder
            .dtls12_cipher_suites(suite_12(suite).as_slice())
            .dtls13_cipher_suites(suite_13(suite).as_slice());
    }
    if !plan.groups.is_empty() {
        let groups: Result<Vec<_>, _> = plan.groups.iter().copied().map(group).collect();
        builder = builder.kx_groups(&groups?);
    }
    builder.build().map_err(|error| error.to_string())
}

struct Theirs {
    dtls: Dtls,
    /// The simulation's beginning on dimpl's clock.
    origin: Instant,
    trusted: Option<Vec<u8>>,
    timeout: Option<Duration>,
    /// When its timer was last seen to.
    looked_at: Option<Duration>,
    outgoing: VecDeque<Vec<u8>>,
    received: VecDeque<Vec<u8>>,
    peer_certificate: Vec<u8>,
    connected: bool,
    closed: bool,
    failure: Option<String>,
    /// Nothing has been polled yet.
    fresh: bool,
}

impl Theirs {
    /// Does something to dimpl at this time, and takes what it has to say about that.
    fn act(&mut self, now: Duration, action: impl FnOnce(&mut Dtls) -> Result<(), dimpl::Error>) {
        if self.failure.is_some() {
            return;
        }
        let instant = self.origin + now;
        // Its clock moves by timeouts only, due or not.
        let mut outcome = self.dtls.handle_timeout(instant);
        if outcome.is_ok() {
            // Without a look at what it has to say, what is due now might be forgotten.
            self.drain();
            outcome = action(&mut self.dtls);
        }
        if let Err(error) = outcome {
            self.failure = Some(error.to_string());
        }
        self.drain();
    }

    fn drain(&mut self) {
        let mut buffer = vec![0; 4096];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(datagram) => self.outgoing.push_back(datagram.to_vec()),
                Output::ApplicationData(data) => self.received.push_back(data.to_vec()),
                Output::PeerCert(leaf) => self.peer_certificate = leaf.to_vec(),
                Output::Connected => self.connected = true,
                Output::CloseNotify => self.closed = true,
                Output::BufferTooSmall { needed } => buffer.resize(needed, 0),
                Output::Timeout(at) => {
                    let at = at.saturating_duration_since(self.origin);
                    // What it calls idle lies years ahead.
                    self.timeout = (at < Duration::from_secs(100 * 24 * 3600)).then_some(at);
                    break;
                }
                _ => {}
            }
        }
        // It checks signatures; whose certificate it is, is the application's affair.
        if self.connected && self.trusted.as_ref().is_some_and(|leaf| *leaf != self.peer_certificate) {
            self.failure.get_or_insert_with(|| "the peer is somebody else".to_owned());
        }
    }
}

impl Party for Theirs {
    fn receive(&mut self, now: Duration, datagram: &mut [u8]) {
        self.act(now, |dtls| dtls.handle_packet(datagram));
    }

    fn poll_timeout(&mut self, _: Duration) -> Option<Duration> {
        if self.failure.is_some() {
            return None;
        }
        let earliest = self.looked_at.map_or(Duration::ZERO, |at| at + PRECISION);
        self.timeout.map(|timeout| timeout.max(earliest))
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.looked_at = Some(now);
        self.act(now, |_| Ok(()));
    }

    fn poll_transmit(&mut self, now: Duration) -> Option<Vec<u8>> {
        if core::mem::take(&mut self.fresh) {
            self.act(now, |_| Ok(()));
        }
        self.outgoing.pop_front()
    }

    fn poll_received(&mut self) -> Option<Vec<u8>> {
        self.received.pop_front()
    }

    fn is_connected(&self) -> bool {
        self.connected
    }

    fn peer_has_closed(&self) -> bool {
        self.closed
    }

    fn failure(&self) -> Option<String> {
        self.failure.clone()
    }

    fn send(&mut self, now: Duration, payload: &[u8]) -> Result<(), String> {
        self.act(now, |dtls| dtls.send_application_data(payload).map(drop));
        self.failure.clone().map_or(Ok(()), Err)
    }

    fn update_keys(&mut self, _: Duration, _: bool) -> Result<(), String> {
        // By itself, see `Plan::rekey_early`.
        Ok(())
    }

    fn close(&mut self, now: Duration) -> Result<(), String> {
        self.act(now, Dtls::close);
        self.failure.clone().map_or(Ok(()), Err)
    }

    fn facts(&self) -> Option<Facts> {
        let version = self.dtls.protocol_version().map(|version| match version {
            dimpl::ProtocolVersion::DTLS1_3 => ProtocolVersion::DTLS_1_3,
            _ => ProtocolVersion::DTLS_1_2,
        });
        self.connected.then(|| Facts {
            version,
            peer_certificate: Some(self.peer_certificate.clone()),
            ..Facts::default()
        })
    }

    fn export(&self, _: &str) -> Option<[u8; 32]> {
        None
    }
}
