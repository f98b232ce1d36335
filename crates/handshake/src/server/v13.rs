//! The server of DTLS 1.3 from its client's hello to that client's Finished (RFC 9846 section 2, RFC 9147 figure 7):
//!
//! ```text
//! [HelloRetryRequest                                                                                -->]
//! [ClientHello                                                                                      <--]
//!  ServerHello, EncryptedExtensions, [CertificateRequest], Certificate, CertificateVerify, Finished -->
//!                                                     [Certificate, [CertificateVerify]], Finished  <--
//!  ACK                                                                                              -->
//! ```

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::ServerState;
use super::ground13::{Choice, CommonGround, check_form, share_of};
use super::hello::ExpectSecondClientHello;
use super::retry::{Retry, hello_retry_request};
use drystone_x509::Expected;

use crate::Error;
use crate::config::{ClientAuth, ServerConfig};
use crate::credential::{Credential, CredentialOffer};
use crate::crypto::schedule13::{ApplicationSecrets, MainSecret};
use crate::crypto::{CipherSuite, KeyExchangeGroup, Side};
use crate::error::{Incompatibility, Misbehaviour};
use crate::facts::{Facts, PeerChain};
use crate::machine::{Context, Message, Next, PeerVerified, State, call_out};
use crate::message::registry::{AlertDescription, HandshakeType, ProtocolVersion};
use crate::message::{
    CertificateRequest13, CertificateRequestExtensions, ClientHello, Empty, EncryptedExtensions,
    ExtensionSet, KeyShareEntry, ServerHello, ServerHelloExtensions,
};
use crate::signature::SignatureVerified;
use crate::transcript::{Framing, Transcript, TranscriptBuffer};
use crate::v13::{Keyed, handshake_schemes, read_chain};

/// The client's hello where nobody has asked it anything yet.
pub(super) fn first_hello(
    hello: &ClientHello<'_>,
    transcript: TranscriptBuffer,
    cx: &mut Context<'_, ServerConfig>,
) -> Result<Next, Error> {
    cx.acknowledge_flights();
    check_form(hello)?;
    let choice = Choice::find(hello, cx.common, cx.config.prefer_client_order)?;
    let hash = choice.suite.hash;
    let transcript = transcript.into_transcript(Framing::WithoutFragmentFields, hash, false);
    match share_of(hello, choice.group) {
        Some(share) => {
            let ground = CommonGround::find(hello, choice, share, cx.config)?;
            choose_credential(ground, transcript, cx)
        }
        None => ask_for_share(hello, choice, transcript, cx),
    }
}

/// RFC 9846 section 4.2.4: the client has the group, but did not send a share of it.
fn ask_for_share(
    hello: &ClientHello<'_>,
    choice: Choice,
    transcript: Transcript,
    cx: &mut Context<'_, ServerConfig>,
) -> Result<Next, Error> {
    let mut transcript = transcript.replace_hello_with_message_hash();
    let body = hello_retry_request(choice.suite.id, Some(choice.group.name()), None)?;
    cx.send(&mut transcript, 0, HandshakeType::SERVER_HELLO, body)?;
    cx.flush();
    let retried = Retried { suite: choice.suite, group: Some(choice.group), transcript };
    Ok(next(ServerState::SecondClientHello(ExpectSecondClientHello::new(*hello.random, retried))))
}

/// What a HelloRetryRequest settled.
#[derive(Debug)]
pub(super) struct Retried {
    pub(super) suite: &'static CipherSuite,
    /// The group that was asked for, if one was.
    pub(super) group: Option<&'static dyn KeyExchangeGroup>,
    /// Up to the request.
    pub(super) transcript: Transcript,
}

impl Retried {
    /// As it was when the gate asked.
    pub(super) fn from_cookie(retry: &Retry, cx: &Context<'_, ServerConfig>) -> Result<Self, Error> {
        // Servers that share their cookies share their settings too; if not, the hello answers something else.
        let suite = cx.common.cipher_suite(retry.suite).ok_or(Misbehaviour::Cookie)?;
        let group = match retry.group {
            None => None,
            Some(name) => Some(cx.common.group(name).ok_or(Misbehaviour::Cookie)?),
        };
        let mut transcript = Transcript::after_stateless_retry(suite.hash, &retry.hello1_hash);
        transcript.push(HandshakeType::SERVER_HELLO, 0, &retry.message())?;
        Ok(Self { suite, group, transcript })
    }
}

/// The hello that answers a HelloRetryRequest: with a share of the group that was asked for, and no other.
pub(super) fn second_hello(
    hello: &ClientHello<'_>,
    message: Message<'_>,
    retried: Retried,
    cx: &mut Context<'_, ServerConfig>,
) -> Result<Next, Error> {
    cx.acknowledge_flights();
    check_form(hello)?;
    let Retried { suite, group, mut transcript } = retried;
    if !hello.cipher_suites.contains(&suite.id) {
        return Err(Misbehaviour::SecondHello.into());
    }
    let choice = match group {
        Some(group) => Choice { suite, group },
        None => Choice { suite, ..Choice::find(hello, cx.common, cx.config.prefer_client_order)? },
    };
    let lone = hello.extensions.key_share.is_some_and(|shares| shares.len() == 1);
    let share = share_of(hello, choice.group).filter(|_| lone || group.is_none());
    let ground = CommonGround::find(hello, choice, share.ok_or(Misbehaviour::SecondHello)?, cx.config)?;
    transcript.add(message)?;
    choose_credential(ground, transcript, cx)
}

fn choose_credential(
    ground: CommonGround,
    transcript: Transcript,
    cx: &mut Context<'_, ServerConfig>,
) -> Result<Next, Error> {
    let authorities = authorities(&ground);
    let outcome = call_out::credential(&*cx.config.credentials, &offer(&ground, &authorities));
    let state = AwaitCredential { ground, transcript };
    match outcome {
        Ok(credential) => state.chosen(credential, cx),
        Err(request) => Ok(Next::Request(State::Server(ServerState::Credential13(state)), request)),
    }
}

/// The client's groups do not limit certificates in 1.3: its schemes fix the curves.
fn offer<'a>(ground: &'a CommonGround, authorities: &'a [&'a [u8]]) -> CredentialOffer<'a> {
    CredentialOffer {
        server_name: ground.terms.server_name.as_deref(),
        signature_schemes: &ground.signature_schemes,
        curves: None,
        ecdsa_fixes_curve: true,
        authorities,
    }
}

fn authorities(ground: &CommonGround) -> Vec<&[u8]> {
    ground.authorities.iter().map(Vec::as_slice).collect()
}

/// Waits for the application to choose the server's credential.
#[derive(Debug)]
pub(crate) struct AwaitCredential {
    ground: CommonGround,
    transcript: Transcript,
}

impl AwaitCredential {
    /// ServerHello, and all that comes before the signature.
    pub(super) fn chosen(
        self,
        credential: Option<Arc<Credential>>,
        cx: &mut Context<'_, ServerConfig>,
    ) -> Result<Next, Error> {
        let Self { ground, mut transcript } = self;
        let credential = credential.ok_or(Incompatibility::SignatureScheme)?;
        let scheme = credential.scheme_for(&offer(&ground, &[])).ok_or(Incompatibility::SignatureScheme)?;
        let Choice { suite, group } = ground.choice;
        let (share, shared_secret) = group.respond(&ground.client_share)?;
        let hello = server_hello(&ground, &share, cx)?;
        cx.send(&mut transcript, 0, HandshakeType::SERVER_HELLO, hello)?;
        let client_random = ground.client_random;
        let mut keyed = Keyed::derive(Side::Server, suite, client_random, &shared_secret, transcript, cx)?;
        let extensions = encrypted_extensions(&ground, cx)?;
        cx.limit_records(ground.terms.peer_record_limit);
        keyed.send(HandshakeType::ENCRYPTED_EXTENSIONS, extensions, cx)?;
        if cx.config.client_auth.verifier().is_some() {
            let request = certificate_request(cx)?;
            keyed.send(HandshakeType::CERTIFICATE_REQUEST, request, cx)?;
        }
        keyed.send_certificate(credential.chain(), &[], cx)?;
        let content = keyed.signed_content(Side::Server);
        let facts = ground.terms.into_facts(group.name(), scheme);
        let state = AwaitSignature { keyed, facts };
        match call_out::signature(&credential, scheme, content) {
            Ok(signature) => state.signed(&signature?, cx),
            Err(request) => Ok(Next::Request(State::Server(ServerState::Signature13(state)), request)),
        }
    }
}

fn server_hello(
    ground: &CommonGround,
    share: &[u8],
    cx: &Context<'_, ServerConfig>,
) -> Result<Vec<u8>, Error> {
    let hello = ServerHello {
        server_version: ProtocolVersion::DTLS_1_2,
        random: &cx.random()?,
        // RFC 9147 section 5: nothing is echoed.
        session_id: &[],
        cipher_suite: ground.choice.suite.id,
        compression_method: 0,
        extensions: ServerHelloExtensions {
            supported_versions: Some(ProtocolVersion::DTLS_1_3),
            key_share: Some(KeyShareEntry { group: ground.choice.group.name(), key_exchange: share }),
            ..ServerHelloExtensions::default()
        },
    };
    Ok(hello.to_vec()?)
}

fn encrypted_extensions(ground: &CommonGround, cx: &Context<'_, ServerConfig>) -> Result<Vec<u8>, Error> {
    let extensions = EncryptedExtensions {
        server_name: ground.terms.server_name.is_some().then_some(Empty {}),
        alpn: ground.terms.alpn(),
        use_srtp: ground.terms.use_srtp(),
        record_size_limit: ground.terms.record_size_limit(cx.common),
        ..EncryptedExtensions::default()
    };
    Ok(extensions.to_vec()?)
}

/// RFC 9846 section 4.4.2. No authorities are named: a client that has one certificate shall send it.
fn certificate_request(cx: &Context<'_, ServerConfig>) -> Result<Vec<u8>, Error> {
    let certificates: Vec<_> = cx.common.signature_schemes().collect();
    let handshakes: Vec<_> = handshake_schemes(certificates.iter().copied()).collect();
    let request = CertificateRequest13 {
        certificate_request_context: &[],
        extensions: CertificateRequestExtensions {
            signature_algorithms: Some(handshakes.as_slice().into()),
            signature_algorithms_cert: Some(certificates.as_slice().into()),
            ..CertificateRequestExtensions::default()
        },
    };
    Ok(request.to_vec()?)
}

/// Waits for the signature under the handshake.
#[derive(Debug)]
pub(crate) struct AwaitSignature {
    keyed: Keyed<MainSecret>,
    facts: Facts,
}

impl AwaitSignature {
    /// CertificateVerify and Finished.
    pub(super) fn signed(
        mut self,
        signature: &[u8],
        cx: &mut Context<'_, ServerConfig>,
    ) -> Result<Next, Error> {
        self.keyed.send_certificate_verify(self.facts.signature_scheme, signature, cx)?;
        self.keyed.send_finished(cx)?;
        cx.flush();
        let session = Session { keyed: self.keyed.into_application(cx)?, facts: self.facts };
        if cx.config.client_auth.verifier().is_some() {
            return Ok(next(ServerState::Certificate13(ExpectCertificate { session })));
        }
        Ok(session.expect_finished(PeerVerified::not_required(), SignatureVerified::not_required()))
    }
}

/// What every state after our flight has.
#[derive(Debug)]
struct Session {
    keyed: Keyed<ApplicationSecrets>,
    facts: Facts,
}

impl Session {
    fn expect_finished(self, peer: PeerVerified, signature: SignatureVerified) -> Next {
        next(ServerState::Finished13(ExpectFinished { session: self, peer, signature }))
    }
}

/// RFC 9846 section 4.5.1.4.
const CERTIFICATE_REQUIRED: Error =
    Error::CertificateRequired { alert: AlertDescription::CERTIFICATE_REQUIRED };

/// Waits for the client's certificates, which it was asked for.
#[derive(Debug)]
pub(crate) struct ExpectCertificate {
    session: Session,
}

impl ExpectCertificate {
    pub(super) fn handle(
        mut self,
        message: Message<'_>,
        cx: &mut Context<'_, ServerConfig>,
    ) -> Result<Next, Error> {
        message.expect(HandshakeType::CERTIFICATE)?;
        let chain = read_chain(message.body, ExtensionSet::EMPTY)?;
        self.session.keyed.add(message)?;
        match chain {
            Some(chain) => {
                let state = ExpectCertificateVerify { session: self.session, chain };
                Ok(next(ServerState::CertificateVerify13(state)))
            }
            None if matches!(cx.config.client_auth, ClientAuth::Require(_)) => Err(CERTIFICATE_REQUIRED),
            None => {
                let (peer, signature) = (PeerVerified::not_required(), SignatureVerified::not_required());
                Ok(self.session.expect_finished(peer, signature))
            }
        }
    }
}

/// Waits for the proof that the client holds the key of its certificate.
#[derive(Debug)]
pub(crate) struct ExpectCertificateVerify {
    session: Session,
    chain: PeerChain,
}

impl ExpectCertificateVerify {
    pub(super) fn handle(
        mut self,
        message: Message<'_>,
        cx: &mut Context<'_, ServerConfig>,
    ) -> Result<Next, Error> {
        message.expect(HandshakeType::CERTIFICATE_VERIFY)?;
        let (signature, _) = self.session.keyed.check_certificate_verify(&self.chain, message, cx.common)?;
        let verifier = cx.config.client_auth.verifier().ok_or(CERTIFICATE_REQUIRED)?;
        let outcome = call_out::verification(&**verifier, &self.chain.certificates, Expected::Client, cx);
        let state = AwaitPeerVerification { session: self.session, chain: self.chain, signature };
        match outcome {
            Ok(verdict) => Ok(state.verified(verdict?)),
            Err(request) => Ok(Next::Request(State::Server(ServerState::PeerVerification13(state)), request)),
        }
    }
}

/// Waits until the application trusts the client's certificates.
#[derive(Debug)]
pub(crate) struct AwaitPeerVerification {
    session: Session,
    chain: PeerChain,
    signature: SignatureVerified,
}

impl AwaitPeerVerification {
    pub(super) fn verified(mut self, peer: PeerVerified) -> Next {
        self.session.facts.peer_chain = self.chain.certificates;
        self.session.expect_finished(peer, self.signature)
    }
}

/// Waits for the proof that the client saw the same handshake.
#[derive(Debug)]
pub(crate) struct ExpectFinished {
    session: Session,
    peer: PeerVerified,
    signature: SignatureVerified,
}

impl ExpectFinished {
    pub(super) fn handle(
        self,
        message: Message<'_>,
        cx: &mut Context<'_, ServerConfig>,
    ) -> Result<Next, Error> {
        message.expect(HandshakeType::FINISHED)?;
        let Session { mut keyed, facts } = self.session;
        let finished = keyed.check_finished(message)?;
        cx.flight_answered();
        keyed.connect(facts, self.peer, self.signature, finished, cx)
    }
}

fn next(state: ServerState) -> Next {
    Next::State(State::Server(state))
}
