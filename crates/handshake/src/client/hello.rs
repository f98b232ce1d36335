//! The client's hello, the server's cookie question, and the server's choice of version, suite and extensions.
//!
//! ```text
//! --> ClientHello                        flight 1
//!         HelloVerifyRequest             <-- flight 2, perhaps
//! --> ClientHello (with cookie)          flight 3
//!         ServerHello, ...               <-- flight 4
//! ```

use alloc::vec::Vec;

use drystone_x509::ServerName;

use crate::Error;
use crate::client::v12::{ExpectCertificate, Negotiated, Session};
use crate::config::{ClientConfig, Common};
use crate::crypto::prf12::Randoms;
use crate::error::{Incompatibility, Misbehaviour};
use crate::machine::{Context, Message, Next, State, unexpected};
use crate::message::registry::{CipherSuiteId, EcPointFormat, HandshakeType, ProtocolVersion};
use crate::message::{
    ClientExtensions, ClientHello, Empty, HelloVerifyRequest, ProtocolName, RecordSizeLimit, ServerHello,
    ServerHelloExtensions, ServerNameList, UseSrtp,
};
use crate::transcript::{Framing, TranscriptBuffer};

use super::ClientState;

/// The cookies that a client answers with: more questions than this are an attack or a broken server (threat 57).
const MAX_COOKIES: u8 = 3;

/// What may be kept of a handshake's messages for the transcript, in bytes: far more than the largest chains take.
pub(crate) const TRANSCRIPT_LIMIT: usize = 256 * 1024;

/// Waits for the server's answer to the hello.
#[derive(Debug)]
pub(crate) struct ExpectServerHello {
    server_name: ServerName<'static>,
    random: [u8; 32],
    /// The last cookie that was answered with, and how many there were.
    cookie: Vec<u8>,
    cookies: u8,
    transcript: TranscriptBuffer,
}

/// Sends the first hello.
pub(crate) fn start(
    server_name: ServerName<'static>,
    cx: &mut Context<'_, ClientConfig>,
) -> Result<State, Error> {
    let mut state = ExpectServerHello {
        server_name,
        random: cx.random()?,
        cookie: Vec::new(),
        cookies: 0,
        transcript: TranscriptBuffer::new(TRANSCRIPT_LIMIT),
    };
    state.send_hello(cx)?;
    Ok(State::Client(ClientState::ServerHello(state)))
}

impl ExpectServerHello {
    /// How many cookies were answered with: a server may number its ServerHello by any of them.
    pub(crate) fn cookies(&self) -> u8 {
        self.cookies
    }

    pub(super) fn handle(
        self,
        message: Message<'_>,
        cx: &mut Context<'_, ClientConfig>,
    ) -> Result<Next, Error> {
        match message.msg_type {
            HandshakeType::HELLO_VERIFY_REQUEST => self.verify_request(message, cx),
            HandshakeType::SERVER_HELLO => self.server_hello(message, cx),
            _ => Err(unexpected("ServerHello", message)),
        }
    }

    /// RFC 6347 section 4.2.1: the same hello again, with the cookie. The version in the question means nothing.
    fn verify_request(
        mut self,
        message: Message<'_>,
        cx: &mut Context<'_, ClientConfig>,
    ) -> Result<Next, Error> {
        let request = HelloVerifyRequest::decode(message.body)?;
        if request.cookie == self.cookie {
            // A copy: the answer to a retransmission of ours.
            return Ok(Next::State(State::Client(ClientState::ServerHello(self))));
        }
        if self.cookies >= MAX_COOKIES {
            return Err(Misbehaviour::TooManyCookies.into());
        }
        self.cookies = self.cookies.saturating_add(1);
        self.cookie = request.cookie.to_vec();
        // Neither the first hello nor the question is part of the transcript.
        self.transcript.clear();
        self.send_hello(cx)?;
        Ok(Next::State(State::Client(ClientState::ServerHello(self))))
    }

    fn server_hello(
        mut self,
        message: Message<'_>,
        cx: &mut Context<'_, ClientConfig>,
    ) -> Result<Next, Error> {
        let hello = ServerHello::decode(message.body)?;
        if hello.server_version != ProtocolVersion::DTLS_1_2 || hello.extensions.supported_versions.is_some()
        {
            return Err(Misbehaviour::UnofferedVersion.into());
        }
        // RFC 9846 section 4.2.3: only a client that offered more than it got may be the victim of a downgrade.
        if cx.common.settings.max_version != ProtocolVersion::DTLS_1_2 && hello.has_downgrade_sentinel() {
            return Err(Misbehaviour::Downgrade.into());
        }
        if hello.compression_method != 0 {
            return Err(Misbehaviour::Compression.into());
        }
        let suite = cx.common.cipher_suite(hello.cipher_suite).ok_or(Misbehaviour::UnofferedCipherSuite)?;
        let facts = negotiated(&hello.extensions, &self.server_name, cx.common)?;
        let extended_master_secret = hello.extensions.extended_master_secret.is_some();
        if cx.common.settings.require_extended_master_secret && !extended_master_secret {
            return Err(Incompatibility::ExtendedMasterSecret.into());
        }
        let randoms = Randoms { client: self.random, server: *hello.random };
        self.transcript.push(message.msg_type, message.message_seq, message.body)?;
        Ok(Next::State(State::Client(ClientState::Certificate(ExpectCertificate {
            session: Session {
                server_name: self.server_name,
                suite,
                randoms,
                extended_master_secret,
                facts,
                // The raw messages are kept, for whether the server asks for a certificate is not known yet.
                transcript: self.transcript.into_transcript(Framing::WithFragmentFields, suite.hash, true),
            },
        }))))
    }

    fn send_hello(&mut self, cx: &mut Context<'_, ClientConfig>) -> Result<(), Error> {
        let body = hello_body(cx.common, &self.server_name, &self.random, &self.cookie)?;
        cx.send_hello(&mut self.transcript, body)?;
        cx.flush();
        Ok(())
    }
}

/// The body of the hello: everything that the configuration offers, and nothing that it cannot verify.
fn hello_body(
    common: &Common,
    server_name: &ServerName<'static>,
    random: &[u8; 32],
    cookie: &[u8],
) -> Result<Vec<u8>, Error> {
    let settings = &common.settings;
    let mut suites: Vec<_> = common.cipher_suites.iter().map(|suite| suite.id).collect();
    // RFC 5746 section 3.4: says as much as an empty renegotiation_info.
    suites.push(CipherSuiteId::TLS_EMPTY_RENEGOTIATION_INFO_SCSV);
    let groups: Vec<_> = common.groups.iter().map(|group| group.name()).collect();
    let schemes: Vec<_> =
        settings.provider.signature_verifiers.iter().map(|verifier| verifier.scheme).collect();
    let protocols: Vec<_> = settings.alpn.iter().map(|name| ProtocolName { name }).collect();
    let names = host_names(server_name);
    let hello = ClientHello {
        client_version: ProtocolVersion::DTLS_1_2,
        random,
        session_id: &[],
        cookie,
        cipher_suites: suites.as_slice().into(),
        compression_methods: &[0],
        extensions: ClientExtensions {
            server_name: (!names.is_empty())
                .then(|| ServerNameList { server_name_list: names.as_slice().into() }),
            supported_groups: Some(groups.as_slice().into()),
            ec_point_formats: Some((&[EcPointFormat::UNCOMPRESSED]).into()),
            signature_algorithms: Some(schemes.as_slice().into()),
            extended_master_secret: Some(Empty {}),
            alpn: (!protocols.is_empty()).then(|| protocols.as_slice().into()),
            use_srtp: (!settings.srtp_profiles.is_empty())
                .then(|| UseSrtp { profiles: settings.srtp_profiles.as_slice().into(), srtp_mki: &[] }),
            record_size_limit: settings.record_size_limit.and_then(RecordSizeLimit::new),
            ..ClientExtensions::default()
        },
    };
    let mut body = Vec::new();
    hello.encode(&mut body)?;
    Ok(body)
}

/// RFC 6066 section 3: DNS names only, never addresses.
fn host_names<'a>(server_name: &'a ServerName<'static>) -> Vec<crate::message::ServerName<'a>> {
    match server_name {
        ServerName::DnsName(name) => alloc::vec![crate::message::ServerName {
            name_type: crate::message::ServerName::HOST_NAME,
            name: name.as_ref().as_bytes(),
        }],
        _ => Vec::new(),
    }
}

/// Checks that every extension answers one of ours, with one of our values (RFC 5246 section 7.4.1.4).
fn negotiated(
    extensions: &ServerHelloExtensions<'_>,
    server_name: &ServerName<'static>,
    common: &Common,
) -> Result<Negotiated, Error> {
    let settings = &common.settings;
    let unoffered = (extensions.server_name.is_some() && !matches!(server_name, ServerName::DnsName(_)))
        || (extensions.alpn.is_some() && settings.alpn.is_empty())
        || (extensions.use_srtp.is_some() && settings.srtp_profiles.is_empty())
        || (extensions.record_size_limit.is_some() && settings.record_size_limit.is_none())
        || extensions.session_ticket.is_some()
        || extensions.status_request.is_some()
        || extensions.connection_id.is_some()
        || extensions.rrc.is_some()
        || extensions.client_certificate_type.is_some()
        || extensions.server_certificate_type.is_some()
        || extensions.others.iter().next().is_some();
    if unoffered {
        return Err(Misbehaviour::UnofferedExtension.into());
    }
    if extensions.renegotiation_info.is_some_and(|info| !info.is_empty()) {
        return Err(Misbehaviour::RenegotiationInfo.into());
    }
    if extensions.ec_point_formats.is_some_and(|formats| !formats.contains(&EcPointFormat::UNCOMPRESSED)) {
        return Err(Misbehaviour::PointFormat.into());
    }
    let alpn = extensions.alpn.map(|protocol| protocol.name.to_vec());
    if alpn.as_ref().is_some_and(|name| !settings.alpn.contains(name)) {
        return Err(Misbehaviour::UnofferedProtocol.into());
    }
    let srtp_profile = extensions.use_srtp.map(|answer| answer.profile);
    let srtp_unoffered = srtp_profile.is_some_and(|profile| !settings.srtp_profiles.contains(&profile))
        || extensions.use_srtp.is_some_and(|answer| !answer.srtp_mki.is_empty());
    if srtp_unoffered {
        return Err(Misbehaviour::UnofferedSrtpProfile.into());
    }
    Ok(Negotiated {
        alpn,
        srtp_profile,
        peer_record_limit: extensions.record_size_limit.map(RecordSizeLimit::get),
    })
}
