//! The server of DTLS 1.2 from its choice of a credential to its Finished (RFC 5246 section 7.3, RFC 6347 figure 1):
//!
//! ```text
//!     ServerHello, Certificate, ServerKeyExchange, [CertificateRequest], ServerHelloDone   --> flight 4
//! <-- [Certificate], ClientKeyExchange, [CertificateVerify], ChangeCipherSpec, Finished    flight 5
//!                                                            ChangeCipherSpec, Finished    --> flight 6
//! ```

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use drystone_record::WriteEpoch;

use drystone_x509::Expected;

use crate::Error;
use crate::config::{ClientAuth, ServerConfig};
use crate::credential::{Credential, CredentialOffer};
use crate::crypto::prf12::Randoms;
use crate::crypto::{CipherSuite, PendingKeyExchange, Side, server_key_exchange_content};
use crate::error::Incompatibility;
use crate::facts::{Facts, PeerChain};
use crate::machine::{Context, Message, Next, PeerVerified, State, call_out};
use crate::message::registry::{
    AlertDescription, ClientCertificateType, EcPointFormat, HandshakeType, ProtocolVersion, SignatureScheme,
};
use crate::message::{
    CertificateRequest12, CertificateVerify, ClientHello, ClientKeyExchange, DigitallySigned, Empty,
    ServerEcdhParams, ServerHello, ServerHelloDone, ServerHelloExtensions, ServerKeyExchange,
};
use crate::signature::{self, SignatureVerified};
use crate::transcript::{Framing, Transcript, TranscriptBuffer};
use crate::v12::{Keys, read_chain, write_chain};

use super::ServerState;
use super::ground12::CommonGround;

/// Finds what both sides have, and asks which credential to present.
pub(super) fn begin(
    hello: &ClientHello<'_>,
    server_random: [u8; 32],
    transcript: TranscriptBuffer,
    cx: &mut Context<'_, ServerConfig>,
) -> Result<Next, Error> {
    let ground = CommonGround::find(hello, server_random, cx.config)?;
    let outcome = call_out::credential(&*cx.config.credentials, &offer(&ground));
    let state = AwaitCredential { ground, transcript };
    match outcome {
        Ok(credential) => state.chosen(credential, cx),
        Err(request) => Ok(Next::Request(State::Server(ServerState::Credential12(state)), request)),
    }
}

/// A client of 1.2 has no way to name its authorities that we know (trusted_ca_keys of RFC 6066 is not spoken).
fn offer(ground: &CommonGround) -> CredentialOffer<'_> {
    CredentialOffer {
        server_name: ground.terms.server_name.as_deref(),
        signature_schemes: &ground.signature_schemes,
        curves: ground.curves.as_deref(),
        ecdsa_fixes_curve: false,
        authorities: &[],
    }
}

/// Waits for the application to choose the server's credential.
#[derive(Debug)]
pub(crate) struct AwaitCredential {
    ground: CommonGround,
    transcript: TranscriptBuffer,
}

impl AwaitCredential {
    pub(super) fn chosen(
        self,
        credential: Option<Arc<Credential>>,
        cx: &mut Context<'_, ServerConfig>,
    ) -> Result<Next, Error> {
        let credential = credential.ok_or(Incompatibility::SignatureScheme)?;
        let scheme = credential.scheme_for(&offer(&self.ground)).ok_or(Incompatibility::SignatureScheme)?;
        let suite = self
            .ground
            .suites
            .iter()
            .copied()
            .find(|suite| signature::key_fits_suite(credential.kind(), suite.authentication))
            .ok_or(Incompatibility::CipherSuite)?;
        let keep_raw = cx.config.client_auth.verifier().is_some();
        let mut transcript =
            self.transcript.into_transcript(Framing::WithFragmentFields, suite.hash, keep_raw);
        let hello = server_hello(&self.ground, suite, cx)?;
        cx.send(&mut transcript, 0, HandshakeType::SERVER_HELLO, hello)?;
        cx.send(&mut transcript, 0, HandshakeType::CERTIFICATE, write_chain(credential.chain())?)?;
        let (pending, share) = self.ground.group.start()?;
        let mut params = Vec::new();
        ServerEcdhParams::write_to(&mut params, self.ground.group.name(), &share)?;
        let message = server_key_exchange_content(&self.ground.randoms, &params);
        let state = AwaitSignature { ground: self.ground, suite, transcript, pending, params, scheme };
        match call_out::signature(&credential, scheme, message) {
            Ok(signature) => state.signed(&signature?, cx),
            Err(request) => {
                Ok(Next::Request(State::Server(ServerState::KeyExchangeSignature(state)), request))
            }
        }
    }
}

fn server_hello(
    ground: &CommonGround,
    suite: &'static CipherSuite,
    cx: &Context<'_, ServerConfig>,
) -> Result<Vec<u8>, Error> {
    let hello = ServerHello {
        server_version: ProtocolVersion::DTLS_1_2,
        random: &ground.randoms.server,
        session_id: &[],
        cipher_suite: suite.id,
        compression_method: 0,
        extensions: ServerHelloExtensions {
            server_name: ground.terms.server_name.is_some().then_some(Empty {}),
            ec_point_formats: ground.ec_point_formats.then(|| (&[EcPointFormat::UNCOMPRESSED]).into()),
            extended_master_secret: ground.extended_master_secret.then_some(Empty {}),
            renegotiation_info: ground.renegotiation_info.then_some(&[]),
            alpn: ground.terms.alpn(),
            use_srtp: ground.terms.use_srtp(),
            record_size_limit: ground.terms.record_size_limit(cx.common),
            ..ServerHelloExtensions::default()
        },
    };
    Ok(hello.to_vec()?)
}

/// Waits for the signature under the key share.
#[derive(Debug)]
pub(crate) struct AwaitSignature {
    ground: CommonGround,
    suite: &'static CipherSuite,
    transcript: Transcript,
    pending: Box<dyn PendingKeyExchange>,
    params: Vec<u8>,
    scheme: SignatureScheme,
}

impl AwaitSignature {
    /// The rest of flight 4.
    pub(super) fn signed(
        mut self,
        signature: &[u8],
        cx: &mut Context<'_, ServerConfig>,
    ) -> Result<Next, Error> {
        let transcript = &mut self.transcript;
        let body = ServerKeyExchange {
            params: ServerEcdhParams::decode(&self.params)?,
            signed: DigitallySigned { algorithm: self.scheme, signature },
        }
        .to_vec()?;
        cx.send(transcript, 0, HandshakeType::SERVER_KEY_EXCHANGE, body)?;
        let asks = cx.config.client_auth.verifier().is_some();
        if asks {
            let body = certificate_request(cx)?;
            cx.send(transcript, 0, HandshakeType::CERTIFICATE_REQUEST, body)?;
        }
        let body = ServerHelloDone {}.to_vec()?;
        cx.send(transcript, 0, HandshakeType::SERVER_HELLO_DONE, body)?;
        cx.flush();
        let session = Session {
            suite: self.suite,
            randoms: self.ground.randoms,
            extended_master_secret: self.ground.extended_master_secret,
            transcript: self.transcript,
            pending: self.pending,
            facts: self.ground.terms.into_facts(self.ground.group.name(), self.scheme),
        };
        Ok(next(if asks {
            ServerState::Certificate12(ExpectCertificate { session })
        } else {
            ServerState::ClientKeyExchange(ExpectClientKeyExchange { session, chain: None })
        }))
    }
}

/// RFC 5246 section 7.4.4. No authorities are named: a client that has one certificate shall send it.
fn certificate_request(cx: &Context<'_, ServerConfig>) -> Result<Vec<u8>, Error> {
    let schemes: Vec<_> = cx.common.signature_schemes().collect();
    Ok(CertificateRequest12 {
        certificate_types: (&[ClientCertificateType::ECDSA_SIGN, ClientCertificateType::RSA_SIGN]).into(),
        supported_signature_algorithms: schemes.as_slice().into(),
        certificate_authorities: (&[]).into(),
    }
    .to_vec()?)
}

/// RFC 5246 section 7.4.6: "a fatal handshake_failure alert".
const CERTIFICATE_REQUIRED: Error = Error::CertificateRequired { alert: AlertDescription::HANDSHAKE_FAILURE };

/// What flight 4 settled.
#[derive(Debug)]
struct Session {
    suite: &'static CipherSuite,
    randoms: Randoms,
    extended_master_secret: bool,
    transcript: Transcript,
    pending: Box<dyn PendingKeyExchange>,
    facts: Facts,
}

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
        let chain = read_chain(message.body)?;
        if chain.is_none() && matches!(cx.config.client_auth, ClientAuth::Require(_)) {
            return Err(CERTIFICATE_REQUIRED);
        }
        self.session.transcript.add(message)?;
        Ok(next(ServerState::ClientKeyExchange(ExpectClientKeyExchange { session: self.session, chain })))
    }
}

/// Waits for the client's key share.
#[derive(Debug)]
pub(crate) struct ExpectClientKeyExchange {
    session: Session,
    chain: Option<PeerChain>,
}

impl ExpectClientKeyExchange {
    /// Whether the client has shown a certificate, whose key it has to prove.
    pub(super) fn has_chain(&self) -> bool {
        self.chain.is_some()
    }

    pub(super) fn handle(
        self,
        message: Message<'_>,
        cx: &mut Context<'_, ServerConfig>,
    ) -> Result<Next, Error> {
        message.expect(HandshakeType::CLIENT_KEY_EXCHANGE)?;
        let key_exchange = ClientKeyExchange::decode(message.body)?;
        let Session { suite, randoms, extended_master_secret, mut transcript, pending, facts } = self.session;
        let premaster = pending.finish(key_exchange.public)?;
        transcript.add(message)?;
        let session_hash = extended_master_secret.then(|| transcript.current_hash());
        let keys = Keys::derive(suite, randoms, &premaster, session_hash, cx);
        let keyed = Keyed { keys, transcript, facts };
        match self.chain {
            None => {
                let ready = keyed.expect_change_cipher_spec(cx)?;
                Ok(ready.expect_finished(PeerVerified::not_required(), SignatureVerified::not_required()))
            }
            Some(chain) => {
                Ok(next(ServerState::CertificateVerify12(ExpectCertificateVerify { keyed, chain })))
            }
        }
    }
}

/// The handshake once the keys are known.
#[derive(Debug)]
struct Keyed {
    keys: Keys,
    transcript: Transcript,
    facts: Facts,
}

impl Keyed {
    /// From here on the client's ChangeCipherSpec means something (rule 3).
    fn expect_change_cipher_spec(mut self, cx: &mut Context<'_, ServerConfig>) -> Result<Ready, Error> {
        self.transcript.forget_raw();
        let (read, write) = self.keys.epochs(Side::Server)?;
        cx.expect_change_cipher_spec(read);
        Ok(Ready { keyed: self, write })
    }
}

/// The handshake once the client's protected records can be read.
#[derive(Debug)]
struct Ready {
    keyed: Keyed,
    write: WriteEpoch,
}

impl Ready {
    fn expect_finished(self, peer: PeerVerified, signature: SignatureVerified) -> Next {
        next(ServerState::Finished12(ExpectFinished { ready: self, peer, signature }))
    }
}

/// Waits for the proof that the client holds the key of its certificate.
#[derive(Debug)]
pub(crate) struct ExpectCertificateVerify {
    keyed: Keyed,
    chain: PeerChain,
}

impl ExpectCertificateVerify {
    pub(super) fn handle(
        mut self,
        message: Message<'_>,
        cx: &mut Context<'_, ServerConfig>,
    ) -> Result<Next, Error> {
        message.expect(HandshakeType::CERTIFICATE_VERIFY)?;
        let verify = CertificateVerify::decode(message.body)?;
        let signed = self.keyed.transcript.raw().ok_or(Error::OwnMessageTooLarge)?;
        let signature = signature::verify_12(cx.common, &self.chain.public_key, &verify.signed, signed)?;
        self.keyed.transcript.add(message)?;
        // ChangeCipherSpec and Finished come in the same datagram as this message: Finished waits for the verdict.
        let ready = self.keyed.expect_change_cipher_spec(cx)?;
        let state = AwaitPeerVerification { ready, chain: self.chain, signature };
        let client_auth = &cx.config.client_auth;
        let verifier = client_auth.verifier().ok_or(CERTIFICATE_REQUIRED)?;
        match call_out::verification(&**verifier, &state.chain.certificates, Expected::Client, cx) {
            Ok(verdict) => Ok(state.verified(verdict?)),
            Err(request) => Ok(Next::Request(State::Server(ServerState::PeerVerification12(state)), request)),
        }
    }
}

/// Waits until the application trusts the client's certificates.
#[derive(Debug)]
pub(crate) struct AwaitPeerVerification {
    ready: Ready,
    chain: PeerChain,
    signature: SignatureVerified,
}

impl AwaitPeerVerification {
    pub(super) fn verified(mut self, peer: PeerVerified) -> Next {
        self.ready.keyed.facts.peer_chain = self.chain.certificates;
        self.ready.expect_finished(peer, self.signature)
    }
}

/// Waits for the proof that the client saw the same handshake, and answers with ours.
#[derive(Debug)]
pub(crate) struct ExpectFinished {
    ready: Ready,
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
        let Ready { keyed: Keyed { keys, mut transcript, facts }, write } = self.ready;
        let finished = keys.check_finished(Side::Client, &transcript, message.body)?;
        transcript.add(message)?;
        keys.send_last_finished(Side::Server, &mut transcript, cx)?;
        cx.install_write(write);
        Ok(keys.connect(facts, self.peer, self.signature, finished))
    }
}

fn next(state: ServerState) -> Next {
    Next::State(State::Server(state))
}
