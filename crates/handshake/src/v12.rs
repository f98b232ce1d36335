//! What both roles of DTLS 1.2 share: keys from the premaster secret, Finished, and the established part.

use alloc::boxed::Box;
use alloc::vec::Vec;

use drystone_record::{AdmittedTypes, ClassicNonce, Protection, ReadEpoch, WriteEpoch};
use drystone_x509::CertificateDer;

use crate::Error;
use crate::connection::{Established, Exporter};
use crate::crypto::prf12::{MasterSecret, Randoms};
use crate::crypto::{CipherSuite, Digest, KeyExchangeError, KeyLogLabel, SharedSecret, Side};
use crate::error::Misbehaviour;
use crate::facts::{Facts, FinishedVerified, PeerChain};
use crate::machine::{Context, Next, Outcome, PeerVerified};
use crate::message::Certificate12;
use crate::message::registry::{HandshakeType, ProtocolVersion};
use crate::signature::SignatureVerified;
use crate::transcript::Transcript;

/// The epoch of everything protected: DTLS 1.2 changes its keys once.
pub(crate) const PROTECTED_EPOCH: u64 = 1;

/// The keys of a session, from which everything else is derived.
#[derive(Debug)]
pub(crate) struct Keys {
    suite: &'static CipherSuite,
    master: MasterSecret,
    randoms: Randoms,
    extended: bool,
}

impl Keys {
    /// Derives the master secret. `session_hash` covers the messages up to ClientKeyExchange and is given if
    /// extended_master_secret was negotiated (RFC 7627 section 4).
    pub(crate) fn derive<C>(
        suite: &'static CipherSuite,
        randoms: Randoms,
        premaster: &SharedSecret,
        session_hash: Option<Digest>,
        cx: &Context<'_, C>,
    ) -> Self {
        let master = match &session_hash {
            Some(hash) => MasterSecret::extended(suite.hmac, premaster, hash),
            None => MasterSecret::from_randoms(suite.hmac, premaster, &randoms),
        };
        cx.log_key(KeyLogLabel::ClientRandom, &randoms.client, master.secret().expose());
        Self { suite, master, randoms, extended: session_hash.is_some() }
    }

    /// The keys of both directions: those of `own` for writing, the peer's for reading.
    pub(crate) fn epochs(&self, own: Side) -> Result<(ReadEpoch, WriteEpoch), Error> {
        let (client, server) = self.master.use_key_block(self.suite, &self.randoms, |block| {
            let client = self.protection(block.client_key, block.client_iv)?;
            Ok::<_, Error>((client, self.protection(block.server_key, block.server_iv)?))
        })?;
        let (write, read) = match own {
            Side::Client => (client, server),
            Side::Server => (server, client),
        };
        let read = ReadEpoch::new(PROTECTED_EPOCH, read, AdmittedTypes::CLASSIC);
        Ok((read, WriteEpoch::new(PROTECTED_EPOCH, write)))
    }

    fn protection(&self, key: &[u8], iv: &[u8]) -> Result<Protection, Error> {
        const BROKEN_PROVIDER: Error = Error::Internal("the provider refused keys of its own lengths");
        let key = self.suite.aead.key(key).map_err(|_| BROKEN_PROVIDER)?;
        let nonce = if self.suite.explicit_nonce {
            ClassicNonce::Explicit { salt: iv.try_into().map_err(|_| BROKEN_PROVIDER)? }
        } else {
            ClassicNonce::Implicit { iv: iv.try_into().map_err(|_| BROKEN_PROVIDER)? }
        };
        Ok(Protection::classic(key, self.suite.aead.tag_length(), nonce, self.suite.limits))
    }

    /// Adds our Finished to the flight and the transcript.
    pub(crate) fn send_finished<C>(
        &self,
        own: Side,
        transcript: &mut Transcript,
        cx: &mut Context<'_, C>,
    ) -> Result<(), Error> {
        let verify_data = self.verify_data(own, transcript);
        cx.send_change_cipher_spec();
        cx.send(transcript, PROTECTED_EPOCH, HandshakeType::FINISHED, verify_data.to_vec())
    }

    /// Sends our Finished as the last message of the handshake.
    pub(crate) fn send_last_finished<C>(
        &self,
        own: Side,
        transcript: &mut Transcript,
        cx: &mut Context<'_, C>,
    ) -> Result<(), Error> {
        let verify_data = self.verify_data(own, transcript);
        cx.send_last_flight(transcript, verify_data)
    }

    /// What this side's Finished says after the messages so far.
    fn verify_data(&self, sender: Side, transcript: &Transcript) -> [u8; 12] {
        self.master.verify_data(sender, &transcript.current_hash())
    }

    /// Checks the peer's Finished against the transcript before it (RFC 5246 section 7.4.9), in constant time.
    pub(crate) fn check_finished(
        &self,
        sender: Side,
        transcript: &Transcript,
        body: &[u8],
    ) -> Result<FinishedVerified, Error> {
        FinishedVerified::check(&self.verify_data(sender, transcript), body)
    }

    /// The connected association. Every proof is needed.
    pub(crate) fn connect(
        self,
        facts: Facts,
        _: PeerVerified,
        _: SignatureVerified,
        _: FinishedVerified,
    ) -> Next {
        let established = Established::new(
            ProtocolVersion::DTLS_1_2,
            Exporter::Master(MasterExporter {
                master: self.master,
                randoms: self.randoms,
                extended: self.extended,
            }),
            facts.srtp_profile,
            facts.peer_record_limit,
        );
        let connected = facts.into_connected(ProtocolVersion::DTLS_1_2, self.suite.id, self.extended);
        Next::Connected(Box::new(Outcome { connected, established, traffic: None }))
    }
}

/// What the exporter needs for the life of the association (RFC 5705).
#[derive(Debug)]
pub(crate) struct MasterExporter {
    pub(crate) master: MasterSecret,
    pub(crate) randoms: Randoms,
    /// RFC 7627 section 5.4: without it, exported keys are not bound to the handshake.
    pub(crate) extended: bool,
}

/// Reads a chain and its leaf's key. An empty chain is `None`.
pub(crate) fn read_chain(body: &[u8]) -> Result<Option<PeerChain>, Error> {
    let message = Certificate12::decode(body)?;
    PeerChain::new(message.certificate_list.iter().map(|entry| entry.cert_data))
}

/// The Certificate message with these certificates.
pub(crate) fn write_chain(chain: &[CertificateDer<'static>]) -> Result<Vec<u8>, Error> {
    let entries: Vec<_> = chain.iter().map(|cert_data| crate::message::Asn1Cert { cert_data }).collect();
    Ok(Certificate12 { certificate_list: entries.as_slice().into() }.to_vec()?)
}

impl From<KeyExchangeError> for Error {
    fn from(error: KeyExchangeError) -> Self {
        match error {
            KeyExchangeError::InvalidShare => Misbehaviour::KeyShare.into(),
            KeyExchangeError::RandomFailure => Self::RandomFailure,
        }
    }
}
