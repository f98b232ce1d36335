//! What both roles of DTLS 1.3 share: epochs from traffic secrets, certificates, Finished, and the established part.

use alloc::boxed::Box;
use alloc::vec::Vec;

use drystone_record::{AdmittedTypes, Protection, ReadEpoch, WriteEpoch};
use drystone_x509::CertificateDer;

use crate::Error;
use crate::codec::{DecodeError, DecodeFault};
use crate::config::Common;
use crate::connection::{Established, Exporter};
use crate::crypto::schedule13::{
    ApplicationSecrets, EarlySecret, ExporterSecret, FinishedKey, MainSecret, TrafficKeys, TrafficSecret,
};
use crate::crypto::{
    CipherSuite, Digest, KeyLogLabel, SharedSecret, Side, certificate_verify_content,
    signs_certificate_verify13,
};
use crate::error::Misbehaviour;
use crate::facts::{Facts, FinishedVerified, PeerChain};
use crate::machine::{Context, Message, Next, Outcome, PeerVerified};
use crate::message::registry::{HandshakeType, ProtocolVersion, SignatureScheme};
use crate::message::{
    Certificate13, CertificateEntry, CertificateEntryExtensions, CertificateVerify, DigitallySigned,
    ExtensionSet,
};
use crate::signature::{self, SignatureVerified};
use crate::transcript::Transcript;

/// The epoch of the handshake after the hellos (RFC 9147 section 6.1).
pub(crate) const HANDSHAKE_EPOCH: u64 = 2;

/// The first epoch of application data.
pub(crate) const APPLICATION_EPOCH: u64 = 3;

/// The handshake once the hellos have settled its keys. `S` is the next step of the key schedule: the main secret until
/// the server's Finished, then the secrets of application data.
#[derive(Debug)]
pub(crate) struct Keyed<S> {
    own: Side,
    suite: &'static CipherSuite,
    client_random: [u8; 32],
    /// The client's key of Finished, and the server's.
    finished: [FinishedKey; 2],
    transcript: Transcript,
    schedule: S,
}

impl Keyed<MainSecret> {
    /// Derives the secrets of the handshake from the key exchange, and installs the keys of epoch 2. The transcript
    /// ends with ServerHello.
    pub(crate) fn derive<C>(
        own: Side,
        suite: &'static CipherSuite,
        client_random: [u8; 32],
        shared_secret: &SharedSecret,
        transcript: Transcript,
        cx: &mut Context<'_, C>,
    ) -> Result<Self, Error> {
        let (secrets, schedule) = EarlySecret::handshake_without_psk(
            suite.hash,
            suite.hmac,
            shared_secret,
            &transcript.current_hash(),
        );
        cx.log_secret(KeyLogLabel::ClientHandshakeTrafficSecret, &client_random, &secrets.client);
        cx.log_secret(KeyLogLabel::ServerHandshakeTrafficSecret, &client_random, &secrets.server);
        let protection = |secret: &TrafficSecret| {
            let (protection, finished) = secret.use_handshake_keys(suite, |keys| protection(suite, keys));
            protection.map(|protection| (protection, finished))
        };
        let (client, client_finished) = protection(&secrets.client)?;
        let (server, server_finished) = protection(&secrets.server)?;
        let (read, write) = match own {
            Side::Client => (server, client),
            Side::Server => (client, server),
        };
        cx.install_read(ReadEpoch::new(HANDSHAKE_EPOCH, read, AdmittedTypes::UNIFIED));
        cx.install_write(WriteEpoch::new(HANDSHAKE_EPOCH, write));
        let finished = [client_finished, server_finished];
        let keyed = Self { own, suite, client_random, finished, transcript, schedule };
        Ok(keyed)
    }

    /// Derives the secrets of application data, and installs the keys for what the server sends from its Finished on: data,
    /// alerts and ACKs (RFC 9846 appendix A). The transcript ends with the server's Finished; a server's flight is complete.
    pub(crate) fn into_application<C>(
        self,
        cx: &mut Context<'_, C>,
    ) -> Result<Keyed<ApplicationSecrets>, Error> {
        let Self { own, suite, client_random, finished, transcript, schedule } = self;
        let (schedule, _) = schedule.into_application(&transcript.current_hash());
        cx.log_secret(KeyLogLabel::ClientTrafficSecret(0), &client_random, &schedule.client);
        cx.log_secret(KeyLogLabel::ServerTrafficSecret(0), &client_random, &schedule.server);
        cx.log_key(KeyLogLabel::ExporterSecret, &client_random, schedule.exporter.secret().expose());
        match own {
            Side::Client => cx.install_read(read_epoch(suite, APPLICATION_EPOCH, &schedule.server)?),
            Side::Server => cx.install_write(write_epoch(suite, APPLICATION_EPOCH, &schedule.server)?),
        }
        Ok(Keyed { own, suite, client_random, finished, transcript, schedule })
    }
}

impl<S> Keyed<S> {
    /// What this side's Finished says after the messages so far.
    fn verify_data(&self, sender: Side) -> Digest {
        let [client, server] = &self.finished;
        let key = match sender {
            Side::Client => client,
            Side::Server => server,
        };
        key.verify_data(&self.transcript.current_hash())
    }

    /// Appends a message of the peer's to the transcript.
    pub(crate) fn add(&mut self, message: Message<'_>) -> Result<(), Error> {
        Ok(self.transcript.add(message)?)
    }

    /// Adds a message to our flight and to the transcript.
    pub(crate) fn send<C>(
        &mut self,
        msg_type: HandshakeType,
        body: Vec<u8>,
        cx: &mut Context<'_, C>,
    ) -> Result<(), Error> {
        cx.send(&mut self.transcript, HANDSHAKE_EPOCH, msg_type, body)
    }

    /// Adds our certificates, or none, to the flight.
    pub(crate) fn send_certificate<C>(
        &mut self,
        chain: &[CertificateDer<'static>],
        request_context: &[u8],
        cx: &mut Context<'_, C>,
    ) -> Result<(), Error> {
        self.send(HandshakeType::CERTIFICATE, write_chain(chain, request_context)?, cx)
    }

    /// What CertificateVerify of this side signs after the messages so far (RFC 9846 section 4.5.2).
    pub(crate) fn signed_content(&self, signer: Side) -> Vec<u8> {
        certificate_verify_content(signer, &self.transcript.current_hash())
    }

    /// Adds the proof that we hold the certificate's key.
    pub(crate) fn send_certificate_verify<C>(
        &mut self,
        algorithm: SignatureScheme,
        signature: &[u8],
        cx: &mut Context<'_, C>,
    ) -> Result<(), Error> {
        let body = CertificateVerify { signed: DigitallySigned { algorithm, signature } }.to_vec()?;
        self.send(HandshakeType::CERTIFICATE_VERIFY, body, cx)
    }

    /// Checks the peer's proof that it holds the key of its certificate.
    pub(crate) fn check_certificate_verify(
        &mut self,
        chain: &PeerChain,
        message: Message<'_>,
        common: &Common,
    ) -> Result<(SignatureVerified, SignatureScheme), Error> {
        let verify = CertificateVerify::decode(message.body)?;
        let content = self.signed_content(self.own.peer());
        let verified = signature::verify_13(common, &chain.public_key, &verify.signed, &content)?;
        let scheme = verify.signed.algorithm;
        self.add(message)?;
        Ok((verified, scheme))
    }

    /// Adds our Finished to the flight.
    pub(crate) fn send_finished<C>(&mut self, cx: &mut Context<'_, C>) -> Result<(), Error> {
        let verify_data = self.verify_data(self.own);
        self.send(HandshakeType::FINISHED, verify_data.as_ref().to_vec(), cx)
    }

    /// Checks the peer's Finished against the transcript before it (RFC 9846 section 4.5.3), in constant time.
    pub(crate) fn check_finished(&mut self, message: Message<'_>) -> Result<FinishedVerified, Error> {
        let expected = self.verify_data(self.own.peer());
        let verified = FinishedVerified::check(expected.as_ref(), message.body)?;
        self.add(message)?;
        Ok(verified)
    }
}

impl Keyed<ApplicationSecrets> {
    /// The connected association, with the keys for what the client sends from its Finished on. Every proof is needed.
    pub(crate) fn connect<C>(
        self,
        facts: Facts,
        _: PeerVerified,
        _: SignatureVerified,
        _: FinishedVerified,
        cx: &mut Context<'_, C>,
    ) -> Result<Next, Error> {
        let Self { own, suite, client_random, schedule, .. } = self;
        let ApplicationSecrets { client, server, exporter } = schedule;
        match own {
            Side::Client => cx.install_write(write_epoch(suite, APPLICATION_EPOCH, &client)?),
            Side::Server => cx.install_read(read_epoch(suite, APPLICATION_EPOCH, &client)?),
        }
        let (read, write) = match own {
            Side::Client => (server, client),
            Side::Server => (client, server),
        };
        let established = Established::new(
            ProtocolVersion::DTLS_1_3,
            Exporter::Main(MainExporter { secret: exporter, client_random }),
            facts.srtp_profile,
            // RFC 8449 section 4: in DTLS 1.3 the limit includes the content type.
            facts.peer_record_limit.map(|limit| limit.saturating_sub(1)),
        );
        let connected = facts.into_connected(ProtocolVersion::DTLS_1_3, suite.id, true);
        let traffic = Some(Traffic { own, suite, read, write });
        Ok(Next::Connected(Box::new(Outcome { connected, established, traffic })))
    }
}

/// The keys that protect a direction's records (RFC 9846 section 7.3, RFC 9147 section 4.2.3).
fn protection(suite: &'static CipherSuite, keys: &TrafficKeys<'_>) -> Result<Protection, Error> {
    const BROKEN_PROVIDER: Error = Error::Internal("the provider refused keys of its own lengths");
    let key = suite.aead.key(keys.key).map_err(|_| BROKEN_PROVIDER)?;
    let mask = suite.mask.key(keys.sn_key).map_err(|_| BROKEN_PROVIDER)?;
    Ok(Protection::unified(key, suite.aead.tag_length(), *keys.iv, mask, suite.limits))
}

/// An epoch of the peer's records under this secret.
pub(crate) fn read_epoch(
    suite: &'static CipherSuite,
    epoch: u64,
    secret: &TrafficSecret,
) -> Result<ReadEpoch, Error> {
    let protection = secret.use_keys(suite, |keys| protection(suite, keys))?;
    Ok(ReadEpoch::new(epoch, protection, AdmittedTypes::UNIFIED))
}

/// An epoch of our records under this secret.
pub(crate) fn write_epoch(
    suite: &'static CipherSuite,
    epoch: u64,
    secret: &TrafficSecret,
) -> Result<WriteEpoch, Error> {
    let protection = secret.use_keys(suite, |keys| protection(suite, keys))?;
    Ok(WriteEpoch::new(epoch, protection))
}

/// Reads a chain and its leaf's key. An empty chain is `None`. In the main handshake the context is empty (RFC 9846
/// section 4.5.1); what stands beside a certificate answers extensions of our ClientHello or CertificateRequest.
pub(crate) fn read_chain(body: &[u8], asked: ExtensionSet) -> Result<Option<PeerChain>, Error> {
    let message = Certificate13::decode(body)?;
    if !message.certificate_request_context.is_empty() {
        return Err(DecodeError { what: "Certificate", fault: DecodeFault::IllegalValue }.into());
    }
    let unasked = |entry: CertificateEntry<'_>| !asked.contains_all(entry.extensions.types());
    if message.certificate_list.iter().any(unasked) {
        return Err(Misbehaviour::UnofferedExtension.into());
    }
    PeerChain::new(message.certificate_list.iter().map(|entry| entry.cert_data))
}

fn write_chain(
    chain: &[CertificateDer<'static>],
    certificate_request_context: &[u8],
) -> Result<Vec<u8>, Error> {
    let entries: Vec<_> = chain
        .iter()
        .map(|cert_data| CertificateEntry { cert_data, extensions: CertificateEntryExtensions::default() })
        .collect();
    Ok(Certificate13 { certificate_request_context, certificate_list: entries.as_slice().into() }.to_vec()?)
}

/// The schemes that may sign in the handshake, of these: RSA-PKCS1 signs certificates only (RFC 9846 section 4.3.3).
pub(crate) fn handshake_schemes(
    schemes: impl Iterator<Item = SignatureScheme>,
) -> impl Iterator<Item = SignatureScheme> {
    schemes.filter(|scheme| signs_certificate_verify13(*scheme))
}

/// What the exporter needs for the life of the association (RFC 9846 section 7.5).
#[derive(Debug)]
pub(crate) struct MainExporter {
    pub(crate) secret: ExporterSecret,
    pub(crate) client_random: [u8; 32],
}

/// The secrets of application data, from which a KeyUpdate makes the next ones.
#[derive(Debug)]
pub(crate) struct Traffic {
    own: Side,
    suite: &'static CipherSuite,
    read: TrafficSecret,
    write: TrafficSecret,
}

impl Traffic {
    /// The peer's next keys, for this epoch (RFC 9846 section 7.2). The key log names them by the client's random.
    pub(crate) fn next_read(
        &mut self,
        epoch: u64,
        client_random: &[u8; 32],
        common: &Common,
    ) -> Result<ReadEpoch, Error> {
        self.read = self.read.next();
        self.log(self.own.peer(), epoch, &self.read, client_random, common);
        read_epoch(self.suite, epoch, &self.read)
    }

    /// Our next keys, for this epoch.
    pub(crate) fn next_write(
        &mut self,
        epoch: u64,
        client_random: &[u8; 32],
        common: &Common,
    ) -> Result<WriteEpoch, Error> {
        self.write = self.write.next();
        self.log(self.own, epoch, &self.write, client_random, common);
        write_epoch(self.suite, epoch, &self.write)
    }

    fn log(&self, side: Side, epoch: u64, secret: &TrafficSecret, client_random: &[u8; 32], common: &Common) {
        let number = epoch.saturating_sub(APPLICATION_EPOCH);
        let label = match side {
            Side::Client => KeyLogLabel::ClientTrafficSecret(number),
            Side::Server => KeyLogLabel::ServerTrafficSecret(number),
        };
        common.log_key(label, client_random, secret.secret().expose());
    }
}
