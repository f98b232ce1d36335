//! The key schedule of DTLS 1.3 (RFC 9846 section 7.1) as a chain of types, so that the wrong secret cannot be asked
//! for: [`EarlySecret`], then [`HandshakeSecrets`] and [`MainSecret`], then [`ApplicationSecrets`] and at last
//! [`ResumptionSecret`]. Each step consumes the one before, which wipes it. Knows no message: transcript hashes are
//! given.
//!
//! ```
//! use drystone_handshake::crypto::{SharedSecret, ring, schedule13::EarlySecret};
//!
//! let hash = |messages: &[u8]| ring::SHA_256.hash(&[messages]);
//! let early = EarlySecret::new(ring::SHA_256, ring::HMAC_SHA_256, None);
//! let shared = SharedSecret::from_slice(&[1; 32]);
//! let (handshake, main) = early.into_handshake(&shared, &hash(b"ClientHello ServerHello"));
//! let verify_data = handshake.server.verify_data(&hash(b"ClientHello .. CertificateVerify"));
//! let (application, awaiting) = main.into_application(&hash(b"ClientHello .. server Finished"));
//! let next_keys_of_the_server = application.server.next();
//! let resumption = awaiting.into_resumption(&hash(b"ClientHello .. client Finished"));
//! # let _ = (verify_data, next_keys_of_the_server, resumption);
//! ```

mod traffic;

pub use traffic::{FinishedKey, TrafficKeys, TrafficSecret};
use zeroize::Zeroizing;

use crate::crypto::hash::{SHA_256_OF_NOTHING, SHA_384_OF_NOTHING};
use crate::crypto::hkdf::{ExpandError, Expander, Hkdf};
use crate::crypto::{Digest, Hash, Hmac, Secret, SharedSecret};

/// What every step of the schedule needs.
#[derive(Clone, Copy, Debug)]
struct Functions {
    hash: &'static dyn Hash,
    hkdf: Hkdf,
}

impl Functions {
    /// One arrow of the schedule: the secret below this one. The salt does not leave this frame, which is wiped.
    fn descend(&self, secret: &Expander<'_>, input_keying_material: &[u8]) -> Secret {
        let mut salt = Zeroizing::new([0; Digest::CAPACITY]);
        let salt = salt.get_mut(..self.hkdf.output_length()).expect("a digest has at most 64 bytes");
        secret.derive_secret_into("derived", &self.empty_hash(), salt);
        self.hkdf.extract(salt, input_keying_material)
    }

    /// From the salt that the early secret gives to the secrets of the handshake and the main secret.
    fn into_handshake(
        self,
        salt: &[u8],
        shared_secret: &SharedSecret,
        hello_hash: &Digest,
    ) -> (HandshakeSecrets, MainSecret) {
        let mut handshake = Zeroizing::new([0; Digest::CAPACITY]);
        let handshake =
            handshake.get_mut(..self.hkdf.output_length()).expect("a digest has at most 64 bytes");
        self.hkdf.extract_into(salt, shared_secret.expose(), handshake);
        self.hkdf.expand_from(handshake, |handshake| {
            let secrets = HandshakeSecrets {
                client: self.traffic(handshake, "c hs traffic", hello_hash),
                server: self.traffic(handshake, "s hs traffic", hello_hash),
            };
            let main = self.descend(handshake, self.zeros());
            (secrets, MainSecret { functions: self, secret: main })
        })
    }

    fn traffic(&self, secret: &Expander<'_>, label: &'static str, transcript_hash: &Digest) -> TrafficSecret {
        TrafficSecret::new(self.hkdf, secret.derive_secret(label, transcript_hash))
    }

    fn empty_hash(&self) -> Digest {
        self.hash.of_nothing()
    }

    /// The "0" of the figure: as many zeros as a digest has bytes.
    fn zeros(&self) -> &'static [u8] {
        ZEROS.get(..self.hkdf.output_length()).unwrap_or(&ZEROS)
    }
}

static ZEROS: [u8; Digest::CAPACITY] = [0; Digest::CAPACITY];

/// The Early Secret: of a PSK, or of none.
#[derive(Debug)]
pub struct EarlySecret {
    functions: Functions,
    secret: Secret,
}

impl EarlySecret {
    /// Begins the schedule of a suite with this hash.
    pub fn new(hash: &'static dyn Hash, hmac: &'static dyn Hmac, psk: Option<&[u8]>) -> Self {
        Self::with_functions(Functions { hash, hkdf: Hkdf::dtls13(hmac) }, psk)
    }

    fn with_functions(functions: Functions, psk: Option<&[u8]>) -> Self {
        let zeros = functions.zeros();
        Self { functions, secret: functions.hkdf.extract(zeros, psk.unwrap_or(zeros)) }
    }

    fn traffic(&self, label: &'static str, transcript_hash: &Digest) -> TrafficSecret {
        let Self { functions, secret } = self;
        functions.hkdf.expand_from(secret.expose(), |early| functions.traffic(early, label, transcript_hash))
    }

    /// The binder that proves knowledge of the PSK (RFC 9846 section 4.3.11.2). `transcript_hash` covers the hellos
    /// up to the list of binders.
    pub fn binder(&self, kind: PskKind, transcript_hash: &Digest) -> Digest {
        let label = match kind {
            PskKind::External => "ext binder",
            PskKind::Resumption => "res binder",
        };
        self.traffic(label, &self.functions.empty_hash()).verify_data(transcript_hash)
    }

    /// client_early_traffic_secret. `client_hello_hash` covers the ClientHello.
    pub fn client_early_traffic_secret(&self, client_hello_hash: &Digest) -> TrafficSecret {
        self.traffic("c e traffic", client_hello_hash)
    }

    /// early_exporter_secret. `client_hello_hash` covers the ClientHello.
    pub fn early_exporter_secret(&self, client_hello_hash: &Digest) -> ExporterSecret {
        let Self { functions, secret } = self;
        let secret = functions
            .hkdf
            .expand_from(secret.expose(), |early| early.derive_secret("e exp master", client_hello_hash));
        ExporterSecret { functions: *functions, secret }
    }

    /// Adds the shared secret of the key exchange. `hello_hash` covers ClientHello to ServerHello.
    pub fn into_handshake(
        self,
        shared_secret: &SharedSecret,
        hello_hash: &Digest,
    ) -> (HandshakeSecrets, MainSecret) {
        let Self { functions, secret } = self;
        let derived = |early: &Expander<'_>| early.derive_secret("derived", &functions.empty_hash());
        let salt = functions.hkdf.expand_from(secret.expose(), derived);
        functions.into_handshake(salt.expose(), shared_secret, hello_hash)
    }

    /// The same in a handshake without a pre-shared key, whose early secret is a constant of the hash: what is derived
    /// from it for the usual hashes is known.
    pub fn handshake_without_psk(
        hash: &'static dyn Hash,
        hmac: &'static dyn Hmac,
        shared_secret: &SharedSecret,
        hello_hash: &Digest,
    ) -> (HandshakeSecrets, MainSecret) {
        let functions = Functions { hash, hkdf: Hkdf::dtls13(hmac) };
        let empty_hash = functions.empty_hash();
        match SALTS_WITHOUT_PSK.iter().find(|(empty, _)| *empty == empty_hash.as_ref()) {
            Some((_, salt)) => functions.into_handshake(salt, shared_secret, hello_hash),
            None => Self::with_functions(functions, None).into_handshake(shared_secret, hello_hash),
        }
    }
}

/// Where a PSK comes from. Closed: RFC 9846 section 7.1 has these. The two have different binder labels, so that one cannot pass for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PskKind {
    /// Provisioned outside of the protocol.
    External,
    /// From the resumption secret of an earlier handshake.
    Resumption,
}

/// The secrets that protect the rest of the handshake (epoch 2).
#[derive(Debug)]
pub struct HandshakeSecrets {
    /// client_handshake_traffic_secret.
    pub client: TrafficSecret,
    /// server_handshake_traffic_secret.
    pub server: TrafficSecret,
}

/// The Main Secret, waiting for the server's Finished.
#[derive(Debug)]
pub struct MainSecret {
    functions: Functions,
    secret: Secret,
}

impl MainSecret {
    /// Derives what protects application data. `transcript_hash` covers ClientHello to the server's Finished.
    pub fn into_application(self, transcript_hash: &Digest) -> (ApplicationSecrets, AwaitingClientFinished) {
        let Self { functions, secret } = self;
        let secrets = functions.hkdf.expand_from(secret.expose(), |main| {
            let exporter = main.derive_secret("exp master", transcript_hash);
            ApplicationSecrets {
                client: functions.traffic(main, "c ap traffic", transcript_hash),
                server: functions.traffic(main, "s ap traffic", transcript_hash),
                exporter: ExporterSecret { functions, secret: exporter },
            }
        });
        (secrets, AwaitingClientFinished { functions, secret })
    }
}

/// The secrets of the connected state.
#[derive(Debug)]
pub struct ApplicationSecrets {
    /// client_application_traffic_secret_0.
    pub client: TrafficSecret,
    /// server_application_traffic_secret_0.
    pub server: TrafficSecret,
    /// exporter_secret.
    pub exporter: ExporterSecret,
}

/// The Main Secret, waiting for the client's Finished, the last input of the schedule.
#[derive(Debug)]
pub struct AwaitingClientFinished {
    functions: Functions,
    secret: Secret,
}

impl AwaitingClientFinished {
    /// resumption_secret. `transcript_hash` covers ClientHello to the client's Finished.
    pub fn into_resumption(self, transcript_hash: &Digest) -> ResumptionSecret {
        let hkdf = self.functions.hkdf;
        let secret =
            hkdf.expand_from(self.secret.expose(), |main| main.derive_secret("res master", transcript_hash));
        ResumptionSecret { hkdf, secret }
    }
}

/// exporter_secret (RFC 9846 section 7.5).
#[derive(Debug)]
pub struct ExporterSecret {
    functions: Functions,
    secret: Secret,
}

impl ExporterSecret {
    /// Exported keying material: fills `out`. No context is the same as an empty one.
    ///
    /// # Errors
    ///
    /// [`ExpandError::LabelTooLong`] above 249 bytes of label, [`ExpandError::OutputTooLong`] above 255 digests.
    pub fn export(&self, label: &[u8], context: &[u8], out: &mut [u8]) -> Result<(), ExpandError> {
        let Functions { hash, hkdf } = self.functions;
        let no_context = self.functions.empty_hash();
        let secret = hkdf.expand_from(self.secret.expose(), |exporter| {
            exporter.try_secret(label, no_context.as_ref(), hkdf.output_length())
        })?;
        let context = hash.hash(&[context]);
        hkdf.expand_from(secret.expose(), |exporter| {
            exporter.expand_label(b"exporter", context.as_ref(), out)
        })
    }

    /// The secret itself, for the key log.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }
}

/// resumption_secret, from which each ticket's PSK comes.
#[derive(Debug)]
pub struct ResumptionSecret {
    hkdf: Hkdf,
    secret: Secret,
}

impl ResumptionSecret {
    /// The PSK of the ticket with this nonce (RFC 9846 section 4.7.1).
    ///
    /// # Errors
    ///
    /// [`ExpandError::ContextTooLong`] if the nonce has more than 255 bytes, which its field cannot hold.
    pub fn psk(&self, ticket_nonce: &[u8]) -> Result<Secret, ExpandError> {
        let length = self.hkdf.output_length();
        self.hkdf.expand_from(self.secret.expose(), |resumption| {
            resumption.try_secret(b"resumption", ticket_nonce, length)
        })
    }
}

/// The hash of nothing, and `Derive-Secret(Early Secret, "derived", "")` where there is no pre-shared key, for SHA-256 and
/// SHA-384. No secrets: constants of the key schedule, which a test derives anew.
#[rustfmt::skip]
const SALTS_WITHOUT_PSK: [(&[u8], &[u8]); 2] = [
    (
        &SHA_256_OF_NOTHING,
        &[0xb1, 0x7b, 0xce, 0x94, 0x51, 0xee, 0x8b, 0xc6, 0xe8, 0xae, 0xbc, 0x0a, 0xa9, 0xe9, 0x82, 0x95, 0x67, 0x7a, 0x4a, 0x6a, 0x91, 0xf7, 0x84, 0x40, 0x83, 0x31, 0x46, 0xe4, 0x65, 0xf2, 0xff, 0x95],
    ),
    (
        &SHA_384_OF_NOTHING,
        &[0x27, 0x00, 0x86, 0x05, 0xd3, 0x39, 0x6f, 0x88, 0x44, 0x19, 0x75, 0x65, 0xca, 0xec, 0xc5, 0x92, 0xb3, 0xe5, 0x8f, 0x2e, 0xae, 0x55, 0xf8, 0x41, 0xb5, 0x77, 0xcf, 0xbc, 0xab, 0xb4, 0x7e, 0x22, 0x1f, 0x67, 0x4e, 0xd3, 0xa6, 0x8a, 0xa8, 0x93, 0x43, 0x9c, 0xf5, 0x57, 0xf1, 0x11, 0xc0, 0xfc],
    ),
];

#[cfg(test)]
mod tests;
