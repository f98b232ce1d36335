//! BoringSSL as a party: contexts from plans, connections over pipes of datagrams.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::time::Duration;

use boring::error::ErrorStack;
use boring::pkey::PKey;
use boring::ssl::{
    AlpnError, ErrorCode, Ssl, SslContext, SslContextBuilder, SslMethod, SslSignatureAlgorithm, SslStream,
    SslVerifyMode, SslVersion, select_next_proto,
};
use boring::x509::X509;
use boring::x509::store::X509StoreBuilder;
use drystone_handshake::{CipherSuiteId, NamedGroup, ProtocolVersion};
use drystone_tests::clock::Clock;
use drystone_tests::identity::{Identity, NAME};
use drystone_tests::interop::KeyKind;
use drystone_tests::meeting::{Facts, FirstAnswer, Maker, Party, Plan, Stack};

use crate::raw;

/// What drystone has no counterpart for.
pub const OTHERS: &str = "in BoringSSL and not in drystone: suites with CBC or without forward secrecy, PSK with CBC; \
    groups P-521 and X25519Kyber768Draft00";

/// The largest datagram that is read.
const LARGEST: usize = 1 << 14;

/// The signature schemes that it shall accept: its default lacks Ed25519.
const SCHEMES: [SslSignatureAlgorithm; 9] = [
    SslSignatureAlgorithm::ED25519,
    SslSignatureAlgorithm::ECDSA_SECP256R1_SHA256,
    SslSignatureAlgorithm::ECDSA_SECP384R1_SHA384,
    SslSignatureAlgorithm::RSA_PSS_RSAE_SHA256,
    SslSignatureAlgorithm::RSA_PSS_RSAE_SHA384,
    SslSignatureAlgorithm::RSA_PSS_RSAE_SHA512,
    SslSignatureAlgorithm::RSA_PKCS1_SHA256,
    SslSignatureAlgorithm::RSA_PKCS1_SHA384,
    SslSignatureAlgorithm::RSA_PKCS1_SHA512,
];

/// The BoringSSL that the crate `boring` brings.
#[derive(Clone, Copy, Debug)]
pub struct Boring;

impl Stack for Boring {
    fn name(&self) -> &'static str {
        "BoringSSL"
    }

    fn client(&self, plan: &Plan) -> Result<Maker, String> {
        let context = context(plan, SslVerifyMode::PEER).map_err(|errors| errors.to_string())?;
        maker(context, plan, true)
    }

    fn server(&self, plan: &Plan) -> Result<Maker, String> {
        let verify = match plan.trust {
            Some(_) => SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT,
            None => SslVerifyMode::NONE,
        };
        let context = context(plan, verify).map_err(|errors| errors.to_string())?;
        maker(context, plan, false)
    }

    fn has_suite(&self, suite: CipherSuiteId) -> bool {
        // Those of DTLS 1.3 cannot be chosen: it always has all three.
        openssl_name(suite).is_some()
            || [
                CipherSuiteId::TLS_AES_128_GCM_SHA256,
                CipherSuiteId::TLS_AES_256_GCM_SHA384,
                CipherSuiteId::TLS_CHACHA20_POLY1305_SHA256,
            ]
            .contains(&suite)
    }

    fn has_group(&self, version: ProtocolVersion, group: NamedGroup) -> bool {
        let hybrid = group == NamedGroup::X25519MLKEM768;
        openssl_group(group).is_some() && (!hybrid || version == ProtocolVersion::DTLS_1_3)
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
        // It leaves the proof of addresses to its application.
        FirstAnswer::Hello
    }
}

fn openssl_name(suite: CipherSuiteId) -> Option<&'static str> {
    Some(match suite {
        CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        CipherSuiteId::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-ECDSA-CHACHA20-POLY1305",
        CipherSuiteId::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        CipherSuiteId::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        CipherSuiteId::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-RSA-CHACHA20-POLY1305",
        _ => return None,
    })
}

fn openssl_group(group: NamedGroup) -> Option<&'static str> {
    Some(match group {
        NamedGroup::X25519 => "X25519",
        NamedGroup::SECP256R1 => "P-256",
        NamedGroup::SECP384R1 => "P-384",
        NamedGroup::X25519MLKEM768 => "X25519MLKEM768",
        _ => return None,
    })
}

fn openssl_version(version: ProtocolVersion) -> Option<SslVersion> {
    Some(if version == ProtocolVersion::DTLS_1_3 { SslVersion::DTLS1_3 } else { SslVersion::DTLS1_2 })
}

fn context(plan: &Plan, verify: SslVerifyMode) -> Result<SslContext, ErrorStack> {
    let mut context = SslContextBuilder::new(SslMethod::dtls())?;
    raw::take_time_from_us(&mut context);
    context.set_min_proto_version(openssl_version(plan.min_version))?;
    context.set_max_proto_version(openssl_version(plan.max_version))?;
    context.set_verify_algorithm_prefs(&SCHEMES)?;
    context.set_grease_enabled(true);
    context.set_permute_extensions(true);
    // A server that asks for certificates must name what its sessions belong to.
    context.set_session_id_context(b"drystone-interop")?;
    if let Some(name) = plan.suite.and_then(openssl_name) {
        context.set_strict_cipher_list(name)?;
    }
    let groups: Vec<_> = plan.groups.iter().copied().filter_map(openssl_group).collect();
    if !groups.is_empty() {
        context.set_curves_list(&groups.join(":"))?;
    }
    if let Some(identity) = plan.identity {
        show(&mut context, identity)?;
    }
    if let Some(trust) = plan.trust {
        let mut store = X509StoreBuilder::new()?;
        store.add_cert(&X509::from_der(&trust.root)?)?;
        context.set_cert_store_builder(store);
    }
    context.set_verify(verify);
    if let Some(protocol) = plan.alpn {
        negotiate(&mut context, protocol)?;
    }
    Ok(context.build())
}

fn show(context: &mut SslContextBuilder, identity: &Identity) -> Result<(), ErrorStack> {
    let mut chain = identity.chain.iter();
    if let Some(leaf) = chain.next() {
        context.set_certificate(&*X509::from_der(leaf)?)?;
    }
    for certificate in chain {
        context.add_extra_chain_cert(X509::from_der(certificate)?)?;
    }
    context.set_private_key(&*PKey::private_key_from_pkcs8(identity.key.secret_der())?)
}

/// Offers this protocol as a client, takes it as a server.
fn negotiate(context: &mut SslContextBuilder, protocol: &'static str) -> Result<(), ErrorStack> {
    let mut list = vec![protocol.len() as u8];
    list.extend_from_slice(protocol.as_bytes());
    context.set_alpn_protos(&list)?;
    context.set_alpn_select_callback(move |_, offered| {
        select_next_proto(&list, offered)
            .filter(|chosen| *chosen == protocol.as_bytes())
            .and_then(|_| find(offered, protocol))
            .ok_or(AlpnError::ALERT_FATAL)
    });
    Ok(())
}

/// The place of `protocol` in a list of names with their lengths.
fn find<'a>(mut list: &'a [u8], protocol: &str) -> Option<&'a [u8]> {
    while let Some((length, rest)) = list.split_first() {
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        if name == protocol.as_bytes() {
            return Some(name);
        }
        list = rest;
    }
    None
}

fn maker(context: SslContext, plan: &Plan, is_client: bool) -> Result<Maker, String> {
    let mtu = u32::try_from(plan.mtu).map_err(|error| error.to_string())?;
    let connection = move || -> Result<SslStream<Pipe>, ErrorStack> {
        let mut ssl = Ssl::new(&context)?;
        ssl.set_mtu(mtu)?;
        if is_client {
            ssl.set_hostname(NAME)?;
            ssl.param_mut().set_host(NAME)?;
        }
        SslStream::new(ssl, Pipe::default())
    };
    Ok(Box::new(move |clock: &Clock| {
        let stream = connection().expect("a connection of a context that works");
        Box::new(Theirs {
            stream,
            is_client,
            clock: clock.clone(),
            received: VecDeque::new(),
            connected: false,
            closed: false,
            failure: None,
        })
    }))
}

/// Datagrams on their way into BoringSSL and out of it: each read and each write is one.
#[derive(Debug, Default)]
struct Pipe {
    incoming: VecDeque<Vec<u8>>,
    outgoing: VecDeque<Vec<u8>>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let datagram = self.incoming.pop_front().ok_or(io::ErrorKind::WouldBlock)?;
        let length = datagram.len().min(buffer.len());
        buffer[..length].copy_from_slice(&datagram[..length]);
        Ok(length)
    }
}

impl Write for Pipe {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        self.outgoing.push_back(datagram.to_vec());
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Theirs {
    stream: SslStream<Pipe>,
    is_client: bool,
    clock: Clock,
    received: VecDeque<Vec<u8>>,
    connected: bool,
    closed: bool,
    failure: Option<String>,
}

impl Theirs {
    fn set_time(&mut self, now: Duration) {
        self.clock.advance_to(now);
        let unix = Duration::from_secs(self.clock.unix().as_secs());
        // The calendar knows whole seconds, the timer wants more; both count from a whole second.
        raw::set_time(unix + Duration::from_nanos(self.clock.now().subsec_nanos().into()));
    }

    /// Goes on with the handshake, or reads what there is.
    fn work(&mut self, now: Duration) {
        self.set_time(now);
        if self.failure.is_some() || self.closed {
            return;
        }
        if !self.connected {
            let outcome = if self.is_client { self.stream.connect() } else { self.stream.accept() };
            match outcome {
                Ok(()) => self.connected = true,
                Err(error) => return self.note(&error),
            }
        }
        let mut buffer = vec![0; LARGEST];
        loop {
            match self.stream.ssl_read(&mut buffer) {
                Ok(length) => self.received.push_back(buffer[..length].to_vec()),
                Err(error) => return self.note(&error),
            }
        }
    }

    fn note(&mut self, error: &boring::ssl::Error) {
        match error.code() {
            ErrorCode::WANT_READ | ErrorCode::WANT_WRITE => {}
            ErrorCode::ZERO_RETURN => self.closed = true,
            _ => self.failure = Some(error.to_string()),
        }
    }
}

impl Party for Theirs {
    fn receive(&mut self, now: Duration, datagram: &mut [u8]) {
        self.stream.get_mut().incoming.push_back(datagram.to_vec());
        self.work(now);
    }

    fn poll_timeout(&mut self, now: Duration) -> Option<Duration> {
        if self.failure.is_some() || self.closed {
            return None;
        }
        self.set_time(now);
        raw::timeout(self.stream.ssl()).map(|left| now + left)
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.set_time(now);
        if !raw::handle_timeout(self.stream.ssl_mut()) {
            self.failure = Some(format!("the timer: {}", ErrorStack::get()));
        }
        self.work(now);
    }

    fn poll_transmit(&mut self, now: Duration) -> Option<Vec<u8>> {
        if self.is_client && !self.connected {
            self.work(now);
        }
        self.stream.get_mut().outgoing.pop_front()
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
        self.set_time(now);
        self.stream.ssl_write(payload).map(drop).map_err(|error| error.to_string())
    }

    fn update_keys(&mut self, now: Duration, request_peer: bool) -> Result<(), String> {
        self.set_time(now);
        if raw::key_update(self.stream.ssl_mut(), request_peer) {
            Ok(())
        } else {
            Err(ErrorStack::get().to_string())
        }
    }

    fn close(&mut self, now: Duration) -> Result<(), String> {
        self.set_time(now);
        self.stream.shutdown().map(drop).map_err(|error| error.to_string())
    }

    fn facts(&self) -> Option<Facts> {
        let ssl = self.stream.ssl();
        let version = match ssl.version2() {
            Some(SslVersion::DTLS1_3) => ProtocolVersion::DTLS_1_3,
            Some(SslVersion::DTLS1_2) => ProtocolVersion::DTLS_1_2,
            _ => return None,
        };
        let leaf = ssl.peer_certificate().map_or_else(|| Ok(Vec::new()), |leaf| leaf.to_der());
        self.connected.then(|| Facts {
            version: Some(version),
            suite: ssl.current_cipher().map(|cipher| CipherSuiteId(cipher.protocol_id())),
            group: ssl.curve().map(NamedGroup),
            alpn: Some(ssl.selected_alpn_protocol().unwrap_or_default().to_vec()),
            peer_certificate: leaf.ok(),
        })
    }

    fn export(&self, label: &str) -> Option<[u8; 32]> {
        let mut out = [0; 32];
        self.stream.ssl().export_keying_material(&mut out, label, Some(b"")).ok()?;
        Some(out)
    }
}
