//! The client of DTLS 1.2 from the server's Certificate to its Finished (RFC 5246 section 7.3, RFC 6347 figure 1):
//!
//! ```text
//!        ServerHello, Certificate, ServerKeyExchange, [CertificateRequest], ServerHelloDone   <-- flight 4
//! --> [Certificate], ClientKeyExchange, [CertificateVerify], ChangeCipherSpec, Finished       flight 5
//!                                                            ChangeCipherSpec, Finished       <-- flight 6
//! ```
//!
//! The server is verified when its flight is complete, and nothing secret is computed before.

use alloc::sync::Arc;
use alloc::vec::Vec;

use drystone_x509::ServerName;

use crate::Error;
use crate::config::ClientConfig;
use crate::credential::{Credential, CredentialOffer};
use crate::crypto::prf12::Randoms;
use crate::crypto::{Authentication, CipherSuite, KeyExchangeGroup, Side, server_key_exchange_content};
use crate::error::Misbehaviour;
use crate::facts::{Facts, PeerChain, dns_name, expected_server};
use crate::machine::{Context, Message, Next, PeerVerified, State, call_out, unexpected};
use crate::message::registry::{ClientCertificateType, HandshakeType, SignatureScheme};
use crate::message::{
    CertificateRequest12, CertificateVerify, ClientKeyExchange, DigitallySigned, ServerHelloDone,
    ServerKeyExchange,
};
use crate::signature::{self, SignatureVerified};
use crate::transcript::Transcript;
use crate::v12::{Keys, read_chain, write_chain};

use super::ClientState;
use super::hello::Negotiated;

/// What the hellos settled.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) server_name: Option<ServerName<'static>>,
    pub(super) suite: &'static CipherSuite,
    pub(super) randoms: Randoms,
    pub(super) extended_master_secret: bool,
    pub(super) facts: Negotiated,
    pub(super) transcript: Transcript,
}

/// Waits for the server's certificates.
#[derive(Debug)]
pub(crate) struct ExpectCertificate {
    pub(super) session: Session,
}

impl ExpectCertificate {
    pub(super) fn handle(mut self, message: Message<'_>) -> Result<Next, Error> {
        message.expect(HandshakeType::CERTIFICATE)?;
        let chain = read_chain(message.body)?.ok_or(Misbehaviour::EmptyCertificateList)?;
        if !signature::key_fits_suite(chain.public_key.kind(), self.session.suite.authentication) {
            return Err(Misbehaviour::UnofferedSignatureScheme.into());
        }
        self.session.transcript.add(message)?;
        Ok(next(ClientState::ServerKeyExchange(ExpectServerKeyExchange { session: self.session, chain })))
    }
}

/// Waits for the server's signed key share.
#[derive(Debug)]
pub(crate) struct ExpectServerKeyExchange {
    session: Session,
    chain: PeerChain,
}

impl ExpectServerKeyExchange {
    pub(super) fn handle(mut self, message: Message<'_>) -> Result<Next, Error> {
        message.expect(HandshakeType::SERVER_KEY_EXCHANGE)?;
        // Read again when the flight is complete; a fault in it should show at once.
        ServerKeyExchange::decode(message.body)?;
        self.session.transcript.add(message)?;
        Ok(next(ClientState::ServerHelloDone(ExpectServerHelloDone {
            session: self.session,
            chain: self.chain,
            key_exchange: message.body.to_vec(),
            request: None,
        })))
    }
}

/// Waits for the end of the server's flight; a CertificateRequest may come before it.
#[derive(Debug)]
pub(crate) struct ExpectServerHelloDone {
    session: Session,
    chain: PeerChain,
    /// The body of ServerKeyExchange.
    key_exchange: Vec<u8>,
    /// The body of CertificateRequest.
    request: Option<Vec<u8>>,
}

impl ExpectServerHelloDone {
    /// Whether the CertificateRequest has come.
    pub(super) fn is_asked(&self) -> bool {
        self.request.is_some()
    }

    pub(super) fn handle(
        mut self,
        message: Message<'_>,
        cx: &mut Context<'_, ClientConfig>,
    ) -> Result<Next, Error> {
        match message.msg_type {
            HandshakeType::CERTIFICATE_REQUEST if self.request.is_none() => {
                CertificateRequest12::decode(message.body)?;
                self.session.transcript.add(message)?;
                self.request = Some(message.body.to_vec());
                Ok(next(ClientState::ServerHelloDone(self)))
            }
            HandshakeType::SERVER_HELLO_DONE => {
                ServerHelloDone::decode(message.body)?;
                self.session.transcript.add(message)?;
                self.verify(cx)
            }
            _ => Err(unexpected("ServerHelloDone", message)),
        }
    }

    fn verify(self, cx: &mut Context<'_, ClientConfig>) -> Result<Next, Error> {
        let await_verification = AwaitPeerVerification {
            session: self.session,
            chain: self.chain,
            key_exchange: self.key_exchange,
            request: self.request,
        };
        // The name is the application's, never the network's; the verifier has it whole.
        let outcome = call_out::verification(
            &*cx.config.verifier,
            &await_verification.chain.certificates,
            expected_server(await_verification.session.server_name.as_ref()),
            cx,
        );
        match outcome {
            Ok(verdict) => await_verification.verified(verdict?, cx),
            Err(request) => {
                let state = ClientState::PeerVerification12(await_verification);
                Ok(Next::Request(State::Client(state), request))
            }
        }
    }
}

/// Waits until the application trusts the server's certificates.
#[derive(Debug)]
pub(crate) struct AwaitPeerVerification {
    session: Session,
    chain: PeerChain,
    key_exchange: Vec<u8>,
    request: Option<Vec<u8>>,
}

impl AwaitPeerVerification {
    pub(super) fn verified(
        self,
        peer: PeerVerified,
        cx: &mut Context<'_, ClientConfig>,
    ) -> Result<Next, Error> {
        let key_exchange = ServerKeyExchange::decode(&self.key_exchange)?;
        let randoms = &self.session.randoms;
        let signed = server_key_exchange_content(randoms, key_exchange.params.as_bytes());
        let signature =
            signature::verify_12(cx.common, &self.chain.public_key, &key_exchange.signed, &signed)?;
        let group =
            cx.common.group_12(key_exchange.params.named_group()).ok_or(Misbehaviour::UnofferedGroup)?;
        let server = Server {
            facts: Facts {
                group: group.name(),
                signature_scheme: key_exchange.signed.algorithm,
                alpn: self.session.facts.alpn,
                srtp_profile: self.session.facts.srtp_profile,
                server_name: dns_name(self.session.server_name.as_ref()),
                peer_chain: self.chain.certificates,
                peer_record_limit: self.session.facts.peer_record_limit,
            },
            peer,
            signature,
        };
        let exchange = Exchange {
            suite: self.session.suite,
            randoms: self.session.randoms,
            extended_master_secret: self.session.extended_master_secret,
            transcript: self.session.transcript,
            group,
            server_share: key_exchange.params.public().to_vec(),
            server,
        };
        match self.request {
            None => exchange.send_key_exchange(ClientCertificate::NotRequested, cx),
            Some(request) => exchange.choose_credential(&request, cx),
        }
    }
}

/// The server, authenticated.
#[derive(Debug)]
struct Server {
    facts: Facts,
    peer: PeerVerified,
    signature: SignatureVerified,
}

/// Everything that flight 5 is made of.
#[derive(Debug)]
struct Exchange {
    suite: &'static CipherSuite,
    randoms: Randoms,
    extended_master_secret: bool,
    transcript: Transcript,
    group: &'static dyn KeyExchangeGroup,
    server_share: Vec<u8>,
    server: Server,
}

/// What the client has to say about itself.
#[derive(Debug)]
enum ClientCertificate {
    NotRequested,
    None,
    Some(Arc<Credential>, SignatureScheme),
}

impl Exchange {
    fn choose_credential(self, request: &[u8], cx: &mut Context<'_, ClientConfig>) -> Result<Next, Error> {
        let request = CertificateRequest12::decode(request)?;
        let schemes: Vec<_> = request
            .supported_signature_algorithms
            .iter()
            .filter(|scheme| {
                let wanted = if Authentication::Rsa.admits(*scheme) {
                    ClientCertificateType::RSA_SIGN
                } else {
                    ClientCertificateType::ECDSA_SIGN
                };
                request.certificate_types.contains(&wanted)
            })
            .collect();
        let authorities: Vec<_> =
            request.certificate_authorities.iter().map(|authority| authority.name).collect();
        let offer = CredentialOffer {
            server_name: None,
            signature_schemes: &schemes,
            curves: None,
            ecdsa_fixes_curve: false,
            authorities: &authorities,
        };
        let outcome = match &cx.config.credentials {
            None => Ok(None),
            Some(resolver) => call_out::credential(&**resolver, &offer),
        };
        let state = AwaitCredential { exchange: self, schemes: schemes.clone() };
        match outcome {
            Ok(credential) => state.chosen(credential, cx),
            Err(request) => Ok(Next::Request(State::Client(ClientState::Credential12(state)), request)),
        }
    }

    /// Certificate, ClientKeyExchange and, if there is something to prove, CertificateVerify.
    fn send_key_exchange(
        mut self,
        certificate: ClientCertificate,
        cx: &mut Context<'_, ClientConfig>,
    ) -> Result<Next, Error> {
        match &certificate {
            ClientCertificate::NotRequested => {}
            ClientCertificate::None => {
                cx.send(&mut self.transcript, 0, HandshakeType::CERTIFICATE, write_chain(&[])?)?;
            }
            ClientCertificate::Some(credential, _) => {
                let body = write_chain(credential.chain())?;
                cx.send(&mut self.transcript, 0, HandshakeType::CERTIFICATE, body)?;
            }
        }
        let (pending, public) = self.group.start()?;
        let premaster = pending.finish(&self.server_share)?;
        let body = ClientKeyExchange { public: &public }.to_vec()?;
        cx.send(&mut self.transcript, 0, HandshakeType::CLIENT_KEY_EXCHANGE, body)?;
        let session_hash = self.extended_master_secret.then(|| self.transcript.current_hash());
        let keys = Keys::derive(self.suite, self.randoms, &premaster, session_hash, cx);
        let flight = Flight { transcript: self.transcript, keys, server: self.server };
        match certificate {
            ClientCertificate::NotRequested | ClientCertificate::None => flight.finish(cx),
            ClientCertificate::Some(credential, scheme) => flight.prove(&credential, scheme, cx),
        }
    }
}

/// Waits for the application to choose the client's credential.
#[derive(Debug)]
pub(crate) struct AwaitCredential {
    exchange: Exchange,
    schemes: Vec<SignatureScheme>,
}

impl AwaitCredential {
    pub(super) fn chosen(
        self,
        credential: Option<Arc<Credential>>,
        cx: &mut Context<'_, ClientConfig>,
    ) -> Result<Next, Error> {
        let certificate = match credential {
            None => ClientCertificate::None,
            Some(credential) => {
                let offer = CredentialOffer {
                    server_name: None,
                    signature_schemes: &self.schemes,
                    curves: None,
                    ecdsa_fixes_curve: false,
                    authorities: &[],
                };
                // A credential that the server cannot verify is as good as none.
                credential
                    .scheme_for(&offer)
                    .map_or(ClientCertificate::None, |scheme| ClientCertificate::Some(credential, scheme))
            }
        };
        self.exchange.send_key_exchange(certificate, cx)
    }
}

/// Flight 5 once the keys are known.
#[derive(Debug)]
struct Flight {
    transcript: Transcript,
    keys: Keys,
    server: Server,
}

impl Flight {
    /// CertificateVerify signs the messages so far (RFC 5246 section 7.4.8).
    fn prove(
        self,
        credential: &Arc<Credential>,
        scheme: SignatureScheme,
        cx: &mut Context<'_, ClientConfig>,
    ) -> Result<Next, Error> {
        let message = self.transcript.raw().ok_or(Error::OwnMessageTooLarge)?.to_vec();
        let state = AwaitSignature { flight: self, scheme };
        match call_out::signature(credential, scheme, message) {
            Ok(signature) => state.signed(&signature?, cx),
            Err(request) => Ok(Next::Request(State::Client(ClientState::Signature12(state)), request)),
        }
    }

    /// ChangeCipherSpec and Finished.
    fn finish(mut self, cx: &mut Context<'_, ClientConfig>) -> Result<Next, Error> {
        self.transcript.forget_raw();
        self.keys.send_finished(Side::Client, &mut self.transcript, cx)?;
        let (read, write) = self.keys.epochs(Side::Client)?;
        cx.install_write(write);
        cx.flush();
        // The server's ChangeCipherSpec means something from here on (rule 3).
        cx.expect_change_cipher_spec(read);
        Ok(next(ClientState::Finished12(ExpectFinished {
            transcript: self.transcript,
            keys: self.keys,
            server: self.server,
        })))
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
        let body =
            CertificateVerify { signed: DigitallySigned { algorithm: self.scheme, signature } }.to_vec()?;
        cx.send(&mut self.flight.transcript, 0, HandshakeType::CERTIFICATE_VERIFY, body)?;
        self.flight.finish(cx)
    }
}

/// Waits for the proof that the server saw the same handshake.
#[derive(Debug)]
pub(crate) struct ExpectFinished {
    transcript: Transcript,
    keys: Keys,
    server: Server,
}

impl ExpectFinished {
    pub(super) fn handle(self, message: Message<'_>) -> Result<Next, Error> {
        message.expect(HandshakeType::FINISHED)?;
        let finished = self.keys.check_finished(Side::Server, &self.transcript, message.body)?;
        let Server { facts, peer, signature } = self.server;
        Ok(self.keys.connect(facts, peer, signature, finished))
    }
}

fn next(state: ClientState) -> Next {
    Next::State(State::Client(state))
}
