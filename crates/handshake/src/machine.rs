//! The handshake's state machine: what a state is given, and what it may answer.
//!
//! Every state is a struct that holds exactly what is valid while one message is expected. It is consumed by that
//! message and becomes the next state. This file knows roles, not versions.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::task::Poll;

use drystone_record::{ReadEpoch, WriteEpoch};
use drystone_x509::{CertificateDer, Expected, UnixTime};

use crate::client::ClientState;
use crate::config::Common;
use crate::connection::io::Io;
use crate::connection::{Config, Established, LastFinished};
use crate::credential::{Credential, CredentialOffer, CredentialResolver};
use crate::crypto::KeyLogLabel;
use crate::crypto::schedule13::TrafficSecret;
use crate::event::{Answer, Connected, Request};
use crate::flight::Expectation;
pub(crate) use crate::flight::Message;
use crate::message::registry::{HandshakeType, SignatureScheme};
use crate::observe::{self, Direction, Observed};
use crate::server::ServerState;
use crate::time::{Instant, Start};
use crate::transcript::{Transcript, TranscriptBuffer};
use crate::v13::Traffic;
use crate::verify::{PeerCertificates, PeerVerifier};
use crate::{Error, RequestId};

/// Where a handshake stands.
#[derive(Debug)]
pub(crate) enum State {
    Client(ClientState),
    Server(ServerState),
    /// A state is being run, or failed.
    Spent,
}

/// What moves a state.
#[derive(Debug)]
pub(crate) enum Input<'m> {
    Message(Message<'m>),
    Answer(Answer),
}

impl State {
    /// What the peer may send now.
    pub(crate) fn expectation(&self) -> Expectation {
        match self {
            Self::Client(state) => state.expectation(),
            Self::Server(state) => state.expectation(),
            Self::Spent => Expectation::NOTHING,
        }
    }

    /// Runs the state of a role with the configuration of that role.
    pub(crate) fn step(
        self,
        input: Input<'_>,
        config: &Config,
        start: &Start,
        now: Instant,
        io: &mut Io,
    ) -> Result<Next, Error> {
        match (self, config) {
            (Self::Client(state), Config::Client(config)) => {
                let cx = &mut Context { config: &**config, common: &config.common, start, now, io };
                match input {
                    Input::Message(message) => state.handle(message, cx),
                    Input::Answer(answer) => state.answer(answer, cx),
                }
            }
            (Self::Server(state), Config::Server(config)) => {
                let cx = &mut Context { config: &**config, common: &config.common, start, now, io };
                match input {
                    Input::Message(message) => state.handle(message, cx),
                    Input::Answer(answer) => state.answer(answer, cx),
                }
            }
            _ => Err(Error::Internal("the handshake is over")),
        }
    }
}

/// What follows a message or an answer.
pub(crate) enum Next {
    /// Wait for the next message.
    State(State),
    /// Wait for the answer to this request; messages wait too.
    Request(State, Request),
    /// The handshake is done.
    Connected(Box<Outcome>),
}

/// What a handshake leaves.
pub(crate) struct Outcome {
    pub(crate) connected: Connected,
    pub(crate) established: Established,
    /// The secrets of an association that can change its keys.
    pub(crate) traffic: Option<Traffic>,
}

/// What a state may use and cause. `C` is the configuration of its role.
pub(crate) struct Context<'a, C> {
    pub(crate) config: &'a C,
    pub(crate) common: &'a Common,
    pub(crate) start: &'a Start,
    pub(crate) now: Instant,
    pub(crate) io: &'a mut Io,
}

impl<C> Context<'_, C> {
    /// The present date, if the caller gave one.
    pub(crate) fn date(&self) -> Option<UnixTime> {
        self.start.date_at(self.now)
    }

    /// Random bytes.
    pub(crate) fn random<const N: usize>(&self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.common.settings.random.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// Adds a message to the flight that is being built and to the transcript.
    pub(crate) fn send(
        &mut self,
        transcript: &mut Transcript,
        epoch: u64,
        msg_type: HandshakeType,
        body: Vec<u8>,
    ) -> Result<(), Error> {
        let message_seq = self.io.flights.take_message_seq()?;
        transcript.push(msg_type, message_seq, &body).map_err(|_| Error::OwnMessageTooLarge)?;
        self.stage(epoch, msg_type, message_seq, body);
        Ok(())
    }

    /// Adds a hello, whose transcript has no hash yet.
    pub(crate) fn send_hello(
        &mut self,
        transcript: &mut TranscriptBuffer,
        body: Vec<u8>,
    ) -> Result<(), Error> {
        let message_seq = self.io.flights.take_message_seq()?;
        let pushed = transcript.push(HandshakeType::CLIENT_HELLO, message_seq, &body);
        pushed.map_err(|_| Error::OwnMessageTooLarge)?;
        self.stage(0, HandshakeType::CLIENT_HELLO, message_seq, body);
        Ok(())
    }

    fn stage(&mut self, epoch: u64, msg_type: HandshakeType, message_seq: u16, body: Vec<u8>) {
        self.observe(Direction::Sent, Observed::Handshake { msg_type, message_seq, body: &body });
        // Bodies are bounded by the transcript's limit, far below the 2^24 that a header can say.
        let _ = self.io.staged.push_message(epoch, msg_type, message_seq, body);
    }

    /// Adds a ChangeCipherSpec to the flight that is being built. Not in the transcript (RFC 5246 section 7.4.9).
    pub(crate) fn send_change_cipher_spec(&mut self) {
        self.observe(Direction::Sent, Observed::ChangeCipherSpec);
        self.io.staged.push_change_cipher_spec(0);
    }

    /// ChangeCipherSpec and Finished, if nothing is expected after them. They are not staged: what is needed to repeat
    /// them stays when the rest of the handshake goes.
    pub(crate) fn send_last_flight(
        &mut self,
        transcript: &mut Transcript,
        verify_data: [u8; 12],
    ) -> Result<(), Error> {
        let (msg_type, message_seq) = (HandshakeType::FINISHED, self.io.flights.take_message_seq()?);
        transcript.push(msg_type, message_seq, &verify_data).map_err(|_| Error::OwnMessageTooLarge)?;
        self.observe(Direction::Sent, Observed::ChangeCipherSpec);
        let body = &verify_data;
        self.observe(Direction::Sent, Observed::Handshake { msg_type, message_seq, body });
        self.io.last_finished = Some(LastFinished { message_seq, verify_data });
        Ok(())
    }

    /// The flight is complete: it replaces the previous one, which the peer has thereby answered.
    pub(crate) fn flush(&mut self) {
        self.io.flush();
    }

    /// Nothing of our flight is missing any more.
    pub(crate) fn flight_answered(&mut self) {
        self.io.flights.stop();
    }

    /// Keys for what we send in this epoch from now on.
    pub(crate) fn install_write(&mut self, epoch: WriteEpoch) {
        self.io.new_writes.push(epoch);
    }

    /// Keys for what we receive from now on. Nothing that was written without them counts any more.
    pub(crate) fn install_read(&mut self, epoch: ReadEpoch) {
        self.io.new_reads.push(epoch);
    }

    /// Keys for what we receive once the peer's ChangeCipherSpec has come (rule 3 of the protocol rules).
    pub(crate) fn expect_change_cipher_spec(&mut self, epoch: ReadEpoch) {
        self.io.pending_read = Some(epoch);
    }

    pub(crate) fn observe(&self, direction: Direction, item: Observed<'_>) {
        observe::tell(self.common.settings.observer.as_ref(), direction, item);
    }

    /// From here on flights are acknowledged, and epoch 0 admits what DTLS 1.3 writes in plaintext.
    pub(crate) fn acknowledge_flights(&mut self) {
        self.io.acknowledge_flights();
    }

    /// The peer has spoken of record_size_limit, or has not.
    pub(crate) fn limit_records(&mut self, record_size_limit: Option<u16>) {
        if let Some(limit) = record_size_limit {
            self.io.flights.limit_records(limit);
        }
    }

    /// Writes a line of the key log (RFC 9850).
    pub(crate) fn log_key(&self, label: KeyLogLabel, client_random: &[u8; 32], secret: &[u8]) {
        self.common.log_key(label, client_random, secret);
    }

    /// Writes a traffic secret to the key log.
    pub(crate) fn log_secret(&self, label: KeyLogLabel, client_random: &[u8; 32], secret: &TrafficSecret) {
        self.log_key(label, client_random, secret.secret().expose());
    }
}

/// The call-outs. Each is answered at once by a synchronous implementation, or becomes a [`Request`].
pub(crate) mod call_out {
    use super::{
        Answer, Arc, CertificateDer, Context, Credential, CredentialOffer, CredentialResolver, Error,
        Expected, PeerCertificates, PeerVerifier, Poll, Request, SignatureScheme, Vec,
    };
    use alloc::borrow::ToOwned;

    /// Asks for a credential.
    pub(crate) fn credential(
        resolver: &dyn CredentialResolver,
        offer: &CredentialOffer<'_>,
    ) -> Result<Option<Arc<Credential>>, Request> {
        match resolver.resolve(offer) {
            Poll::Ready(credential) => Ok(credential),
            Poll::Pending => Err(Request::Credential {
                server_name: offer.server_name.map(ToOwned::to_owned),
                signature_schemes: offer.signature_schemes.to_vec(),
                curves: offer.curves.map(<[_]>::to_vec),
                authorities: offer.authorities.iter().map(|name| name.to_vec()).collect(),
            }),
        }
    }

    /// Asks for a signature.
    pub(crate) fn signature(
        credential: &Arc<Credential>,
        scheme: SignatureScheme,
        message: Vec<u8>,
    ) -> Result<Result<Vec<u8>, Error>, Request> {
        match credential.key().sign(scheme, &message) {
            Poll::Ready(signature) => {
                Ok(signature.map_err(|_| Error::Signing("the credential's signer failed")))
            }
            Poll::Pending => Err(Request::Signature { credential: Arc::clone(credential), scheme, message }),
        }
    }

    /// Asks whether the peer is trusted.
    pub(crate) fn verification<C>(
        verifier: &dyn PeerVerifier,
        chain: &[CertificateDer<'static>],
        expected: Expected<'_>,
        cx: &Context<'_, C>,
    ) -> Result<Result<super::PeerVerified, Error>, Request> {
        let date = cx.date();
        match verifier.verify(&PeerCertificates { chain, expected, date }) {
            Poll::Ready(verdict) => Ok(verdict.map(super::PeerVerified).map_err(Error::from)),
            Poll::Pending => Err(Request::PeerVerification {
                chain: chain.to_vec(),
                server_name: match expected {
                    Expected::Server(name) => Some(name.to_owned()),
                    Expected::ServerUnnamed | Expected::Client => None,
                },
                date,
            }),
        }
    }

    impl Answer {
        pub(crate) fn into_credential(self) -> Result<Option<Arc<Credential>>, Error> {
            match self {
                Self::Credential(credential) => Ok(credential),
                Self::Signature(_) | Self::PeerVerification(_) => Err(WRONG_KIND),
            }
        }

        pub(crate) fn into_signature(self) -> Result<Vec<u8>, Error> {
            match self {
                Self::Signature(signature) => {
                    signature.map_err(|_| Error::Signing("the application's signer failed"))
                }
                Self::Credential(_) | Self::PeerVerification(_) => Err(WRONG_KIND),
            }
        }

        pub(crate) fn into_peer_verified(self) -> Result<super::PeerVerified, Error> {
            match self {
                Self::PeerVerification(verdict) => Ok(super::PeerVerified(verdict?)),
                Self::Credential(_) | Self::Signature(_) => Err(WRONG_KIND),
            }
        }

        /// Whether this answers that. Checked before any state is touched, so that a wrong answer is misuse.
        pub(crate) fn fits(&self, request: RequestKind) -> bool {
            matches!(
                (self, request),
                (Self::Credential(_), RequestKind::Credential)
                    | (Self::Signature(_), RequestKind::Signature)
                    | (Self::PeerVerification(_), RequestKind::PeerVerification)
            )
        }
    }

    const WRONG_KIND: Error = Error::Internal("the answer does not fit the request");

    /// The kinds of requests, for matching answers.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum RequestKind {
        Credential,
        Signature,
        PeerVerification,
    }

    impl Request {
        pub(crate) fn kind(&self) -> RequestKind {
            match self {
                Self::Credential { .. } => RequestKind::Credential,
                Self::Signature { .. } => RequestKind::Signature,
                Self::PeerVerification { .. } => RequestKind::PeerVerification,
            }
        }
    }
}

/// The request that a connection waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenRequest {
    pub(crate) id: RequestId,
    pub(crate) kind: call_out::RequestKind,
}

/// Proof that the application trusts the peer's certificates; needed to connect.
#[derive(Debug)]
pub(crate) struct PeerVerified(());

impl PeerVerified {
    /// The configuration does not ask this peer for a certificate, or admits that it has none.
    pub(crate) const fn not_required() -> Self {
        Self(())
    }
}

impl Message<'_> {
    /// Whether this is the one message that the state waits for.
    pub(crate) fn expect(&self, msg_type: HandshakeType) -> Result<(), Error> {
        if self.msg_type == msg_type {
            return Ok(());
        }
        let expected = msg_type.name().unwrap_or("a handshake message");
        Err(Error::UnexpectedMessage { expected, received: self.msg_type })
    }
}

/// The error for a message that the state does not expect.
pub(crate) fn unexpected(expected: &'static str, message: Message<'_>) -> Error {
    Error::UnexpectedMessage { expected, received: message.msg_type }
}
