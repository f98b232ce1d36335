//! The client of DTLS 1.3 from ServerHello to its Finished (RFC 9846 section 2, RFC 9147 figure 7):
//!
//! ```text
//!     ServerHello, EncryptedExtensions, [CertificateRequest], Certificate, CertificateVerify, Finished   <--
//! --> [Certificate, [CertificateVerify]], Finished
//!                                                                                                  ACK   <--
//! ```
//!
//! The client is connected when its flight is sent; the flight is repeated until the server acknowledges it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use drystone_x509::ServerName;

use super::ClientState;
use super::hello::{Answers, Negotiated, check_offered};
use crate::Error;
use crate::config::ClientConfig;
use crate::credential::{Credential, CredentialOffer};
use crate::crypto::schedule13::{ApplicationSecrets, MainSecret};
use crate::crypto::{CipherSuite, SharedSecret, Side};
use crate::error::Misbehaviour;
use crate::facts::{Facts, FinishedVerified, PeerChain, dns_name, expected_server};
use crate::machine::{Context, Message, Next, PeerVerified, State, call_out, unexpected};
use crate::message::registry::{HandshakeType, NamedGroup, SignatureScheme};
use crate::message::{CertificateRequest13, EncryptedExtensions, ExtensionSet};
use crate::signature::SignatureVerified;
use crate::transcript::Transcript;
use crate::v13::{Keyed, handshake_schemes, read_chain};

/// What the hellos settled.
pub(super) struct Hellos {
    pub(super) server_name: Option<ServerName<'static>>,
    /// The extensions that the server may answer.
    pub(super) offered: ExtensionSet,
    pub(super) client_random: [u8; 32],
    pub(super) suite: &'static CipherSuite,
    pub(super) group: NamedGroup,
    pub(super) shared_secret: SharedSecret,
    /// Up to ServerHello.
    pub(super) transcript: Transcript,
}

/// Derives the keys of the handshake.
pub(super) fn begin(hellos: Hellos, cx: &mut Context<'_, ClientConfig>) -> Result<Next, Error> {
    let Hellos { server_name, offered, client_random, suite, group, shared_secret, transcript } = hellos;
    let keyed = Keyed::derive(Side::Client, suite, client_random, &shared_secret, transcript, cx)?;
    let session = Session { keyed, server_name, offered, group };
    Ok(next(ClientState::EncryptedExtensions(ExpectEncryptedExtensions { session })))
}

/// What every state until the server's Finished has.
#[derive(Debug)]
struct Session {
    keyed: Keyed<MainSecret>,
    server_name: Option<ServerName<'static>>,
    offered: ExtensionSet,
    group: NamedGroup,
}

/// Waits for the server's answers to our extensions.
#[derive(Debug)]
pub(crate) struct ExpectEncryptedExtensions {
    session: Session,
}

impl ExpectEncryptedExtensions {
    pub(super) fn handle(
        mut self,
        message: Message<'_>,
        cx: &mut Context<'_, ClientConfig>,
    ) -> Result<Next, Error> {
        message.expect(HandshakeType::ENCRYPTED_EXTENSIONS)?;
        let extensions = EncryptedExtensions::decode(message.body)?;
        check_offered(self.session.offered, extensions.types())?;
        let answers = Answers {
            alpn: extensions.alpn.map(|protocol| protocol.name),
            use_srtp: extensions.use_srtp,
            record_size_limit: extensions.record_size_limit,
        };
        let negotiated = answers.check(cx.common)?;
        cx.limit_records(negotiated.peer_record_limit);
        self.session.keyed.add(message)?;
        let state = ExpectCertificate { session: self.session, negotiated, request: None };
        Ok(next(ClientState::Certificate13(state)))
    }
}

/// Waits for the server's certificates; a CertificateRequest may come before them.
#[derive(Debug)]
pub(crate) struct ExpectCertificate {
    session: Session,
    negotiated: Negotiated,
    /// The body of CertificateRequest.
    request: Option<Vec<u8>>,
}

impl ExpectCertificate {
    /// Whether the CertificateRequest has come.
    pub(super) fn is_asked(&self) -> bool {
        self.request.is_some()
    }

    pub(super) fn handle(mut self, message: Message<'_>) -> Result<Next, Error> {
        match message.msg_type {
            HandshakeType::CERTIFICATE_REQUEST if self.request.is_none() => {
                check_request(&CertificateRequest13::decode(message.body)?)?;
                self.session.keyed.add(message)?;
                self.request = Some(message.body.to_vec());
                Ok(next(ClientState::Certificate13(self)))
            }
            HandshakeType::CERTIFICATE => {
                let chain = read_chain(message.body, self.session.offered)?
                    .ok_or(Misbehaviour::EmptyCertificateList)?;
                self.session.keyed.add(message)?;
                let Self { session, negotiated, request } = self;
                let state = ExpectCertificateVerify { session, negotiated, request, chain };
                Ok(next(ClientState::CertificateVerify(state)))
            }
            _ => Err(unexpected("Certificate", message)),
        }
    }
}

/// RFC 9846 section 4.4.2: in the main handshake the context is empty, and signature_algorithms is mandatory.
fn check_request(request: &CertificateRequest13<'_>) -> Result<(), Error> {
    if !request.certificate_request_context.is_empty() {
        return Err(Misbehaviour::RequestContext.into());
    }
    if request.extensions.signature_algorithms.is_none() {
        return Err(Misbehaviour::MissingExtension.into());
    }
    Ok(())
}

/// Waits for the proof that the server holds the key of its certificate.
#[derive(Debug)]
pub(crate) struct ExpectCertificateVerify {
    session: Session,
    negotiated: Negotiated,
    request: Option<Vec<u8>>,
    chain: PeerChain,
}

impl ExpectCertificateVerify {
    pub(super) fn handle(
        mut self,
        message: Message<'_>,
        cx: &mut Context<'_, ClientConfig>,
    ) -> Result<Next, Error> {
        message.expect(HandshakeType::CERTIFICATE_VERIFY)?;
        let (signature, signature_scheme) =
            self.session.keyed.check_certificate_verify(&self.chain, message, cx.common)?;
        let Self { session, negotiated, request, chain } = self;
        // The name is the application's, never the network's; the verifier has it whole.
        let expected = expected_server(session.server_name.as_ref());
        let outcome = call_out::verification(&*cx.config.verifier, &chain.certificates, expected, cx);
        let facts = Facts {
            group: session.group,
            signature_scheme,
            alpn: negotiated.alpn,
            srtp_profile: negotiated.srtp_profile,
            server_name: dns_name(session.server_name.as_ref()),
            peer_chain: chain.certificates,
            peer_record_limit: negotiated.peer_record_limit,
        };
        let state = AwaitPeerVerification { keyed: session.keyed, facts, request, signature };
        match outcome {
            Ok(verdict) => Ok(state.verified(verdict?)),
            Err(request) => Ok(Next::Request(State::Client(ClientState::PeerVerification13(state)), request)),
        }
    }
}

/// Waits until the application trusts the server's certificates.
#[derive(Debug)]
pub(crate) struct AwaitPeerVerification {
    keyed: Keyed<MainSecret>,
    facts: Facts,
    request: Option<Vec<u8>>,
    signature: SignatureVerified,
}

impl AwaitPeerVerification {
    pub(super) fn verified(self, peer: PeerVerified) -> Next {
        let Self { keyed, facts, request, signature } = self;
        next(ClientState::Finished13(ExpectFinished {
            keyed,
            request,
            server: Server { facts, peer, signature },
        }))
    }
}

/// The server, authenticated but for its Finished.
#[derive(Debug)]
struct Server {
    facts: Facts,
    peer: PeerVerified,
    signature: SignatureVerified,
}

/// Waits for the proof that the server saw the same handshake.
#[derive(Debug)]
pub(crate) struct ExpectFinished {
    keyed: Keyed<MainSecret>,
    request: Option<Vec<u8>>,
    server: Server,
}

impl ExpectFinished {
    pub(super) fn handle(
        mut self,
        message: Message<'_>,
        cx: &mut Context<'_, ClientConfig>,
    ) -> Result<Next, Error> {
        message.expect(HandshakeType::FINISHED)?;
        let finished = self.keyed.check_finished(message)?;
        let flight = Flight { keyed: self.keyed.into_application(cx)?, server: self.server, finished };
        match self.request {
            None => flight.finish(cx),
            Some(request) => flight.choose_credential(&request, cx),
        }
    }
}

/// Our flight, when the server's is complete.
#[derive(Debug)]
struct Flight {
    keyed: Keyed<ApplicationSecrets>,
    server: Server,
    finished: FinishedVerified,
}

impl Flight {
    fn choose_credential(self, request: &[u8], cx: &mut Context<'_, ClientConfig>) -> Result<Next, Error> {
        let request = CertificateRequest13::decode(request)?;
        let extensions = &request.extensions;
        let offered = extensions.signature_algorithms.into_iter().flat_map(|list| list.iter());
        let schemes: Vec<_> = handshake_schemes(offered).collect();
        let authorities: Vec<_> = extensions
            .certificate_authorities
            .into_iter()
            .flat_map(|list| list.iter())
            .map(|authority| authority.name)
            .collect();
        let offer = CredentialOffer { authorities: &authorities, ..offer(&schemes) };
        let outcome = match &cx.config.credentials {
            None => Ok(None),
            Some(resolver) => call_out::credential(&**resolver, &offer),
        };
        let state = AwaitCredential { flight: self, schemes: schemes.clone() };
        match outcome {
            Ok(credential) => state.chosen(credential, cx),
            Err(request) => Ok(Next::Request(State::Client(ClientState::Credential13(state)), request)),
        }
    }

    /// Finished; and with it the association is connected.
    fn finish(mut self, cx: &mut Context<'_, ClientConfig>) -> Result<Next, Error> {
        self.keyed.send_finished(cx)?;
        cx.flush();
        let Server { facts, peer, signature } = self.server;
        self.keyed.connect(facts, peer, signature, self.finished, cx)
    }
}

fn offer(signature_schemes: &[SignatureScheme]) -> CredentialOffer<'_> {
    CredentialOffer {
        server_name: None,
        signature_schemes,
        curves: None,
        ecdsa_fixes_curve: true,
        authorities: &[],
    }
}

/// Waits for the application to choose the client's credential.
#[derive(Debug)]
pub(crate) struct AwaitCredential {
    flight: Flight,
    schemes: Vec<SignatureScheme>,
}

impl AwaitCredential {
    /// A credential that the server cannot verify is as good as none.
    pub(super) fn chosen(
        self,
        credential: Option<Arc<Credential>>,
        cx: &mut Context<'_, ClientConfig>,
    ) -> Result<Next, Error> {
        let Self { mut flight, schemes } = self;
        let usable = credential.and_then(|credential| {
            let scheme = credential.scheme_for(&offer(&schemes))?;
            Some((credential, scheme))
        });
        let Some((credential, scheme)) = usable else {
            flight.keyed.send_certificate(&[], &[], cx)?;
            return flight.finish(cx);
        };
        flight.keyed.send_certificate(credential.chain(), &[], cx)?;
        let content = flight.keyed.signed_content(Side::Client);
        let state = AwaitSignature { flight, scheme };
        match call_out::signature(&credential, scheme, content) {
            Ok(signature) => state.signed(&signature?, cx),
            Err(request) => Ok(Next::Request(State::Client(ClientState::Signature13(state)), request)),
        }
    }
}

/// Waits for the client's signature.
#[derive(Debug)]
pub(crate) struct AwaitSignature {
    flight: Flight,
    scheme: SignatureScheme,
}

impl AwaitSignature {
    pub(super) fn signed(
        mut self,
        signature: &[u8],
        cx: &mut Context<'_, ClientConfig>,
    ) -> Result<Next, Error> {
        self.flight.keyed.send_certificate_verify(self.scheme, signature, cx)?;
        self.flight.finish(cx)
    }
}

fn next(state: ClientState) -> Next {
    Next::State(State::Client(state))
}
