//! The client's hello, the server's questions, and the server's choice of version, suite and extensions.
//!
//! ```text
//! --> ClientHello                                       flight 1
//!         HelloVerifyRequest or HelloRetryRequest       <-- flight 2, perhaps
//! --> ClientHello (with the answer)                     flight 3
//!         ServerHello, ...                              <-- flight 4
//! ```

use alloc::boxed::Box;
use alloc::vec::Vec;

use drystone_x509::ServerName;

use super::offer::{Offer, Varying};
use super::{ClientState, v12, v13};
use crate::Error;
use crate::config::{ClientConfig, Common};
use crate::crypto::prf12::Randoms;
use crate::crypto::{CipherSuite, KeyExchangeGroup, PendingKeyExchange};
use crate::error::{Incompatibility, Misbehaviour};
use crate::machine::{Context, Message, Next, State, unexpected};
use crate::message::registry::{
    EcPointFormat, ExtensionType, HandshakeType, NamedGroup, ProtocolVersion, SrtpProfile,
};
use crate::message::{
    AnyServerHello, ExtensionSet, HelloRetryRequest, HelloVerifyRequest, RecordSizeLimit, ServerHello,
    ServerHelloExtensions, UseSrtpAnswer,
};
use crate::transcript::{Framing, Transcript, TranscriptBuffer};

/// The cookies that a client answers with: more questions than this are an attack or a broken server (threat 57).
const MAX_COOKIES: u8 = 3;

/// Waits for the server's answer to the hello.
#[derive(Debug)]
pub(crate) struct ExpectServerHello {
    offer: Offer,
    /// Our half of a key exchange, if DTLS 1.3 is offered.
    share: Option<Share>,
    asked: Asked,
}

/// A key share that was sent, and what finishes its exchange.
#[derive(Debug)]
struct Share {
    group: &'static dyn KeyExchangeGroup,
    public: Vec<u8>,
    pending: Box<dyn PendingKeyExchange>,
}

impl Share {
    fn new(group: &'static dyn KeyExchangeGroup) -> Result<Self, Error> {
        let (pending, public) = group.start()?;
        Ok(Self { group, public, pending })
    }
}

/// What the server wanted to know before it answers.
#[derive(Debug)]
enum Asked {
    /// Nothing, or cookies: the last one that was answered with, and how many there were. A server of 1.2 asks so.
    Verify { cookie: Option<Vec<u8>>, cookies: u8, transcript: TranscriptBuffer },
    /// A cookie, or a share of another group, or both. A server of 1.3 asks so, once.
    Retry { suite: &'static CipherSuite, transcript: Transcript },
}

/// Sends the first hello.
pub(crate) fn start(
    server_name: Option<ServerName<'static>>,
    cx: &mut Context<'_, ClientConfig>,
) -> Result<State, Error> {
    let offer = Offer::new(server_name, cx)?;
    let share = if cx.common.offers(ProtocolVersion::DTLS_1_3) {
        Some(Share::new(cx.common.first_share_group())?)
    } else {
        None
    };
    let transcript = TranscriptBuffer::new(cx.common.settings.limits.transcript());
    let asked = Asked::Verify { cookie: None, cookies: 0, transcript };
    let mut state = ExpectServerHello { offer, share, asked };
    state.send_first_hello(cx)?;
    Ok(State::Client(ClientState::ServerHello(state)))
}

impl ExpectServerHello {
    /// How many HelloVerifyRequests were answered: a server may number its ServerHello by any of them.
    pub(crate) fn cookies(&self) -> u8 {
        match &self.asked {
            Asked::Verify { cookies, .. } => *cookies,
            Asked::Retry { .. } => 0,
        }
    }

    pub(super) fn handle(
        self,
        message: Message<'_>,
        cx: &mut Context<'_, ClientConfig>,
    ) -> Result<Next, Error> {
        match message.msg_type {
            HandshakeType::HELLO_VERIFY_REQUEST => self.verify_request(message, cx),
            HandshakeType::SERVER_HELLO => match AnyServerHello::decode(message.body)? {
                AnyServerHello::Retry(request) => self.retry_request(message, &request, cx),
                AnyServerHello::Hello(hello) => self.server_hello(message, &hello, cx),
            },
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
        // RFC 9147 section 5.1: servers of 1.3 do not ask so.
        if !cx.common.offers(ProtocolVersion::DTLS_1_2) {
            return Err(Incompatibility::Version.into());
        }
        let Asked::Verify { cookie, cookies, transcript } = &mut self.asked else {
            return Err(unexpected("ServerHello", message));
        };
        if cookie.as_deref() == Some(request.cookie) {
            // A copy: the answer to a retransmission of ours.
            return Ok(Next::State(State::Client(ClientState::ServerHello(self))));
        }
        if *cookies >= MAX_COOKIES {
            return Err(Misbehaviour::TooManyCookies.into());
        }
        *cookies = cookies.saturating_add(1);
        // An empty one is a cookie too (RFC 6347 section 4.3.2: `opaque cookie<0..2^8-1>`).
        *cookie = Some(request.cookie.to_vec());
        // Neither the first hello nor the question is part of the transcript.
        transcript.clear();
        self.send_first_hello(cx)?;
        Ok(Next::State(State::Client(ClientState::ServerHello(self))))
    }

    /// A hello before anything that binds its hash.
    fn send_first_hello(&mut self, cx: &mut Context<'_, ClientConfig>) -> Result<(), Error> {
        let key_share = self.share.as_ref().map(|share| (share.group.name(), share.public.as_slice()));
        if let Asked::Verify { cookie, transcript, .. } = &mut self.asked {
            let legacy_cookie = cookie.as_deref().unwrap_or_default();
            let varying = Varying { legacy_cookie, cookie: None, key_share };
            let body = self.offer.hello(varying, cx.common)?;
            cx.send_hello(transcript, body)?;
            cx.flush();
        }
        Ok(())
    }

    /// RFC 9846 section 4.2.4: the same hello again, with what the server asks for.
    fn retry_request(
        mut self,
        message: Message<'_>,
        request: &HelloRetryRequest<'_>,
        cx: &mut Context<'_, ClientConfig>,
    ) -> Result<Next, Error> {
        // Only a first hello may be answered so, and only from a server that did not ask as one of 1.2 does.
        let Asked::Verify { cookies: 0, transcript, .. } = self.asked else {
            return Err(unexpected("ServerHello", message));
        };
        let suite = check_retry(request, self.offer.offered, cx.common)?;
        let share = self.share.ok_or(Misbehaviour::UnofferedVersion)?;
        let share = match request.extensions.key_share {
            None => share,
            Some(name) => Share::new(retry_group(name, &share, cx.common)?)?,
        };
        let transcript = transcript.into_transcript(Framing::WithoutFragmentFields, suite.hash, false);
        let mut transcript = transcript.replace_hello_with_message_hash();
        transcript.add(message)?;
        cx.acknowledge_flights();
        let varying = Varying {
            cookie: request.extensions.cookie,
            key_share: Some((share.group.name(), &share.public)),
            ..Varying::default()
        };
        let body = self.offer.hello(varying, cx.common)?;
        cx.send(&mut transcript, 0, HandshakeType::CLIENT_HELLO, body)?;
        cx.flush();
        Ok(Next::State(State::Client(ClientState::ServerHello(Self {
            offer: self.offer,
            share: Some(share),
            asked: Asked::Retry { suite, transcript },
        }))))
    }

    /// The version is decided here (RFC 9846 section 4.3.1).
    fn server_hello(
        self,
        message: Message<'_>,
        hello: &ServerHello<'_>,
        cx: &mut Context<'_, ClientConfig>,
    ) -> Result<Next, Error> {
        let version = hello.extensions.supported_versions.unwrap_or(hello.server_version);
        let may_be_13 = hello.server_version == ProtocolVersion::DTLS_1_2 && self.cookies() == 0;
        let may_be_12 =
            hello.extensions.supported_versions.is_none() && matches!(self.asked, Asked::Verify { .. });
        if hello.compression_method != 0 {
            return Err(Misbehaviour::Compression.into());
        }
        match version {
            ProtocolVersion::DTLS_1_3 if may_be_13 && cx.common.offers(version) => {
                self.server_hello_13(message, hello, cx)
            }
            ProtocolVersion::DTLS_1_2 if may_be_12 && cx.common.offers(version) => {
                self.server_hello_12(message, hello, cx)
            }
            _ => Err(self.refused_version(hello, cx.common).into()),
        }
    }

    /// Which rule a version that is not taken breaks.
    fn refused_version(&self, hello: &ServerHello<'_>, common: &Common) -> Misbehaviour {
        let selected = hello.extensions.supported_versions;
        let names_13 =
            selected == Some(ProtocolVersion::DTLS_1_3) && common.offers(ProtocolVersion::DTLS_1_3);
        match self.asked {
            // RFC 9846 section 4.3.1: what the extension names was offered, and is not older than 1.3.
            _ if selected.is_some() && !names_13 => Misbehaviour::UnofferedVersion,
            // RFC 9846 section 4.2.4: the ServerHello keeps the version of the HelloRetryRequest.
            Asked::Retry { .. } if !names_13 => Misbehaviour::UnofferedVersion,
            // RFC 9846 section 4.2.3: legacy_version. After a HelloVerifyRequest only 1.2 is acceptable (RFC 9147
            // section 5.1).
            Asked::Retry { .. } | Asked::Verify { .. } => Misbehaviour::UnacceptableVersion,
        }
    }

    fn server_hello_12(
        self,
        message: Message<'_>,
        hello: &ServerHello<'_>,
        cx: &mut Context<'_, ClientConfig>,
    ) -> Result<Next, Error> {
        // RFC 9846 section 4.2.3: only a client that offered more than it got may be the victim of a downgrade.
        if cx.common.offers(ProtocolVersion::DTLS_1_3) && hello.has_downgrade_sentinel() {
            return Err(Misbehaviour::Downgrade.into());
        }
        let suite = offered_suite(hello, ProtocolVersion::DTLS_1_2, cx.common)?;
        let facts = negotiated_12(&hello.extensions, self.offer.offered, cx.common)?;
        let extended_master_secret = hello.extensions.extended_master_secret.is_some();
        if cx.common.settings.require_extended_master_secret && !extended_master_secret {
            return Err(Incompatibility::ExtendedMasterSecret.into());
        }
        let randoms = Randoms { client: self.offer.random, server: *hello.random };
        let Asked::Verify { mut transcript, .. } = self.asked else {
            return Err(Misbehaviour::UnofferedVersion.into());
        };
        transcript.push(message.msg_type, message.message_seq, message.body)?;
        Ok(Next::State(State::Client(ClientState::Certificate12(v12::ExpectCertificate {
            session: v12::Session {
                server_name: self.offer.server_name,
                suite,
                randoms,
                extended_master_secret,
                facts,
                // The raw messages are kept, for whether the server asks for a certificate is not known yet.
                transcript: transcript.into_transcript(Framing::WithFragmentFields, suite.hash, true),
            },
        }))))
    }

    fn server_hello_13(
        self,
        message: Message<'_>,
        hello: &ServerHello<'_>,
        cx: &mut Context<'_, ClientConfig>,
    ) -> Result<Next, Error> {
        let suite = offered_suite(hello, ProtocolVersion::DTLS_1_3, cx.common)?;
        // RFC 9147 section 5: nothing is echoed, and ours was empty.
        if !hello.session_id.is_empty() {
            return Err(Misbehaviour::SessionId.into());
        }
        let extensions = &hello.extensions;
        check_offered(self.offer.offered, extensions.types())?;
        let mut transcript = match self.asked {
            Asked::Verify { transcript, .. } => {
                transcript.into_transcript(Framing::WithoutFragmentFields, suite.hash, false)
            }
            // RFC 9846 section 4.2.4: the suite was settled by the question.
            Asked::Retry { suite: settled, .. } if settled.id != suite.id => {
                return Err(Misbehaviour::UnofferedCipherSuite.into());
            }
            Asked::Retry { transcript, .. } => transcript,
        };
        let share = self.share.ok_or(Misbehaviour::UnofferedVersion)?;
        let answer = extensions.key_share.ok_or(Misbehaviour::MissingExtension)?;
        if answer.group != share.group.name() {
            return Err(Misbehaviour::UnofferedGroup.into());
        }
        let shared_secret = share.pending.finish(answer.key_exchange)?;
        transcript.add(message)?;
        cx.acknowledge_flights();
        v13::begin(
            v13::Hellos {
                server_name: self.offer.server_name,
                offered: self.offer.offered,
                client_random: self.offer.random,
                suite,
                group: answer.group,
                shared_secret,
                transcript,
            },
            cx,
        )
    }
}

/// The suite that the server chose, if it is one of ours and of that version.
fn offered_suite(
    hello: &ServerHello<'_>,
    version: ProtocolVersion,
    common: &Common,
) -> Result<&'static CipherSuite, Error> {
    common
        .cipher_suite(hello.cipher_suite)
        .filter(|suite| suite.version == version)
        .ok_or_else(|| Misbehaviour::UnofferedCipherSuite.into())
}

/// RFC 9846 section 4.2.4: a question is of 1.3, names a suite of ours, and asks for something.
fn check_retry(
    request: &HelloRetryRequest<'_>,
    offered: ExtensionSet,
    common: &Common,
) -> Result<&'static CipherSuite, Error> {
    let extensions = &request.extensions;
    // RFC 9846 section 4.3.1.
    let names_13 = extensions.supported_versions == Some(ProtocolVersion::DTLS_1_3);
    if extensions.supported_versions.is_some() && !(names_13 && common.offers(ProtocolVersion::DTLS_1_3)) {
        return Err(Misbehaviour::UnofferedVersion.into());
    }
    // RFC 9846 section 4.2.3.
    if request.server_version != ProtocolVersion::DTLS_1_2 || !names_13 {
        return Err(Misbehaviour::UnacceptableVersion.into());
    }
    if !request.session_id.is_empty() {
        return Err(Misbehaviour::SessionId.into());
    }
    // RFC 9846 section 4.3: the cookie alone answers nothing.
    check_offered(offered, extensions.types().filter(|answered| *answered != ExtensionType::COOKIE))?;
    if extensions.cookie.is_none() && extensions.key_share.is_none() {
        return Err(Misbehaviour::NothingToRetry.into());
    }
    common
        .cipher_suite(request.cipher_suite)
        .filter(|suite| suite.version == ProtocolVersion::DTLS_1_3)
        .ok_or_else(|| Misbehaviour::UnofferedCipherSuite.into())
}

/// RFC 9846 section 4.3.8: a group that was offered, and of which no share was sent.
fn retry_group(
    name: NamedGroup,
    sent: &Share,
    common: &Common,
) -> Result<&'static dyn KeyExchangeGroup, Error> {
    if name == sent.group.name() {
        return Err(Misbehaviour::NothingToRetry.into());
    }
    common.group(name).ok_or_else(|| Misbehaviour::UnofferedGroup.into())
}

/// RFC 5246 section 7.4.1.4, RFC 9846 section 4.3: a server answers only extensions that the hello had. What answers
/// one of ours and has no use in that message, as supported_groups in a ServerHello of DTLS 1.2, is not looked at.
pub(super) fn check_offered(
    offered: ExtensionSet,
    answered: impl Iterator<Item = ExtensionType>,
) -> Result<(), Error> {
    if offered.contains_all(answered) { Ok(()) } else { Err(Misbehaviour::UnofferedExtension.into()) }
}

/// What the server's extensions settled, of either version.
#[derive(Debug)]
pub(super) struct Negotiated {
    pub(super) alpn: Option<Vec<u8>>,
    pub(super) srtp_profile: Option<SrtpProfile>,
    pub(super) peer_record_limit: Option<u16>,
}

/// The answers that both versions have, in ServerHello or in EncryptedExtensions.
pub(super) struct Answers<'a> {
    pub(super) alpn: Option<&'a [u8]>,
    pub(super) use_srtp: Option<UseSrtpAnswer<'a>>,
    pub(super) record_size_limit: Option<RecordSizeLimit>,
}

impl Answers<'_> {
    /// Checks that each has one of the values that we offered.
    pub(super) fn check(self, common: &Common) -> Result<Negotiated, Error> {
        let settings = &common.settings;
        let alpn = self.alpn.map(<[u8]>::to_vec);
        if alpn.as_ref().is_some_and(|name| !settings.alpn.contains(name)) {
            return Err(Misbehaviour::UnofferedProtocol.into());
        }
        let srtp_unoffered = self.use_srtp.is_some_and(|answer| {
            !settings.srtp_profiles.contains(&answer.profile) || !answer.srtp_mki.is_empty()
        });
        if srtp_unoffered {
            return Err(Misbehaviour::UnofferedSrtpProfile.into());
        }
        Ok(Negotiated {
            alpn,
            srtp_profile: self.use_srtp.map(|answer| answer.profile),
            peer_record_limit: self.record_size_limit.map(RecordSizeLimit::get),
        })
    }
}

/// What a ServerHello of 1.2 settles beside the suite.
fn negotiated_12(
    extensions: &ServerHelloExtensions<'_>,
    offered: ExtensionSet,
    common: &Common,
) -> Result<Negotiated, Error> {
    check_offered(offered, extensions.types())?;
    if extensions.renegotiation_info.is_some_and(|info| !info.is_empty()) {
        return Err(Misbehaviour::RenegotiationInfo.into());
    }
    if extensions.ec_point_formats.is_some_and(|formats| !formats.contains(&EcPointFormat::UNCOMPRESSED)) {
        return Err(Misbehaviour::PointFormat.into());
    }
    let answers = Answers {
        alpn: extensions.alpn.map(|protocol| protocol.name),
        use_srtp: extensions.use_srtp,
        record_size_limit: extensions.record_size_limit,
    };
    answers.check(common)
}
