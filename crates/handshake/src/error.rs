//! The three families of faults: discards (counted elsewhere), fatal errors with their alerts, and misuse.

use alloc::borrow::Cow;
use alloc::boxed::Box;

use drystone_x509::CertificateError;
use thiserror::Error as ThisError;

use crate::codec::{DecodeError, DecodeFault, EncodeError};
use crate::flight::TooLong;
use crate::message::registry::{AlertDescription, HandshakeType};
use crate::transcript::TranscriptFull;
use crate::verify::VerifyError;

/// Why an association ended, or never came to be. Every value is final for its association.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// A message could not be decoded.
    #[error("the peer's message cannot be read: {0}")]
    Decode(DecodeError),
    /// A message arrived where another was expected.
    #[error("unexpected {received} while waiting for {expected}")]
    UnexpectedMessage {
        /// What the state machine was waiting for.
        expected: &'static str,
        /// What came.
        received: HandshakeType,
    },
    /// The peer broke a rule of the protocol.
    #[error("the peer broke the protocol: {0}")]
    Misbehaved(Misbehaviour),
    /// Both sides are honest but have nothing in common.
    #[error("nothing in common with the peer: {0}")]
    Incompatible(Incompatibility),
    /// The peer's certificate was refused.
    #[error("the peer's certificate was refused: {0}")]
    Certificate(Box<CertificateError>),
    /// The verifier needs a date and the caller gave none in [`Start::unix`](crate::Start::unix).
    #[error("certificates cannot be verified without the date: set `Start::unix`")]
    DateMissing,
    /// The verifier needs the server's name and [`Connection::client`](crate::Connection::client) was given none: one is needed
    /// unless the policy is of fingerprints.
    #[error("certificates cannot be verified without the server's name: give it to the client")]
    NameMissing,
    /// The client sent no certificate although one is required.
    #[error("the client sent no certificate although one is required")]
    CertificateRequired {
        /// certificate_required in DTLS 1.3 (RFC 9846 section 4.5.1.4), handshake_failure in 1.2 (RFC 5246 section
        /// 7.4.6).
        alert: AlertDescription,
    },
    /// The signature over the handshake does not fit the peer's certificate.
    #[error("the peer's handshake signature is wrong")]
    BadSignature,
    /// The peer's Finished does not fit the handshake: it was tampered with, or the keys differ.
    #[error("the peer's Finished is wrong")]
    BadFinished,
    /// The peer sent a fatal alert.
    #[error("the peer refused with alert {description}{}", if *.authenticated { "" } else { " (not authenticated)" })]
    AlertReceived {
        /// The alert's code.
        description: AlertDescription,
        /// Whether it came under the association's keys. A plaintext alert may be forged; it ends a handshake only
        /// after no acceptable message came before the next retransmission.
        authenticated: bool,
    },
    /// A ClientHello with a good cookie came again after it had begun three associations: it is replayed. No alert tells
    /// its sender.
    #[error("the client's hello has begun three associations already: it is replayed")]
    HelloReplayed,
    /// The handshake was not done within its deadline, or the peer was silent through all retransmissions.
    #[error("the handshake timed out: the peer is silent or unreachable")]
    HandshakeTimeout,
    /// A message of the peer's is longer than its limit. In a protected record it ends the handshake at once; without keys it is
    /// only dropped, since anybody may have sent it, and this is what the deadline of the handshake finds.
    #[error(
        "the peer's {message} has {length} bytes, and at most {limit} are accepted{}",
        Raise(*.setting)
    )]
    MessageTooLong {
        /// The message.
        message: HandshakeType,
        /// Its length in bytes.
        length: u32,
        /// The most bytes that are accepted.
        limit: u32,
        /// The field of [`Settings`](crate::Settings) that raises the limit; `None` where the protocol fixes the length.
        setting: Option<&'static str>,
    },
    /// A protected record was longer than 2^14 bytes or than the limit that we announced.
    #[error("the peer sent a record that is too long")]
    RecordOverflow,
    /// Too many forged records were seen under one key (RFC 9325 section 4.4).
    #[error("too many forged records under one key")]
    ForgeryLimit,
    /// The write key may protect no more records.
    #[error("the write key is used up")]
    KeyLimit,
    /// The credential's signer failed.
    #[error("signing failed: {0}")]
    Signing(&'static str),
    /// No random numbers could be had.
    #[error("the source of random numbers failed")]
    RandomFailure,
    /// The application's verifier refused the peer ([`VerifyError::refused`]).
    #[error("refused by the application: {reason}")]
    Refused {
        /// What the peer is told.
        alert: AlertDescription,
        /// The application's reason.
        reason: Cow<'static, str>,
    },
    /// A part of this side does not do what it promises: an implementation of the cryptography, for example.
    #[error("internal error: {0}")]
    Internal(&'static str),
    /// The peer's handshake needs more bytes than its limits allow.
    #[error("the handshake exceeds its size limit")]
    TooLarge,
    /// What this side has to send does not fit its wire format or the limits of a handshake: a certificate chain or a
    /// setting is too long, or the numbers of messages are used up.
    #[error(
        "our own handshake message exceeds what can be sent: shorten the certificate chain or the settings"
    )]
    OwnMessageTooLarge,
}

/// How to raise a limit, as the end of a sentence.
struct Raise(Option<&'static str>);

impl core::fmt::Display for Raise {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            Some(setting) => write!(f, ": `Settings::{setting}` raises that"),
            None => Ok(()),
        }
    }
}

/// A rule that the peer broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum Misbehaviour {
    /// The server chose a cipher suite that was not offered.
    #[error("it chose a cipher suite that was not offered")]
    UnofferedCipherSuite,
    /// supported_versions names a version that was not offered, or one before DTLS 1.3 (RFC 9846 section 4.3.1).
    #[error("it chose a version that was not offered")]
    UnofferedVersion,
    /// The version field of a ServerHello is none that this client can take (RFC 9846 section 4.2.3), or a server that
    /// sent a HelloVerifyRequest chose DTLS 1.3.
    #[error("it chose a version that is not acceptable")]
    UnacceptableVersion,
    /// The plaintext of a record is all zeros: it has no content type (RFC 9846 section 5.4).
    #[error("a record has no content type")]
    MissingContentType,
    /// The server chose a group that was not offered.
    #[error("it chose a group that was not offered")]
    UnofferedGroup,
    /// A signature was made with a scheme that was not offered, or that does not fit the suite or key.
    #[error("it signed with a scheme that was not offered or does not fit its key")]
    UnofferedSignatureScheme,
    /// An extension answered something that was not asked.
    #[error("it sent an extension that was not offered")]
    UnofferedExtension,
    /// An application protocol was chosen that was not offered.
    #[error("it chose an application protocol that was not offered")]
    UnofferedProtocol,
    /// A protection profile was chosen that was not offered.
    #[error("it chose an SRTP protection profile that was not offered")]
    UnofferedSrtpProfile,
    /// A compression method other than null was chosen, or null was not offered.
    #[error("compression is not null")]
    Compression,
    /// The uncompressed point format is missing from ec_point_formats (RFC 8422 section 5.1.2).
    #[error("the uncompressed point format is missing")]
    PointFormat,
    /// A key share is not a valid element of its group.
    #[error("its key share is not valid in its group")]
    KeyShare,
    /// renegotiation_info is not empty in a first handshake (RFC 5746 section 3).
    #[error("renegotiation_info does not fit a first handshake")]
    RenegotiationInfo,
    /// The record_size_limit is below 64 (RFC 8449 section 4).
    #[error("record_size_limit is below 64")]
    RecordSizeLimit,
    /// The server's random ends in the sentinel of a downgrade (RFC 9846 section 4.1.3).
    #[error("the server's random carries a downgrade sentinel")]
    Downgrade,
    /// More HelloVerifyRequests than allowed, or the same cookie again and again.
    #[error("it asked for too many cookies")]
    TooManyCookies,
    /// A hello of DTLS 1.3 has a legacy_cookie, or a cookie that is not good: foreign, damaged or expired (RFC 9147
    /// sections 5.1 and 5.3).
    #[error("its cookie is not good: foreign, damaged or expired")]
    BadCookie,
    /// The second hello's cookie is not ours although the first fragment's was.
    #[error("the cookie changed within one hello")]
    Cookie,
    /// Fragments of one message contradict each other.
    #[error("fragments of one message contradict each other")]
    ContradictingFragments,
    /// A server sent no certificate.
    #[error("its certificate list is empty")]
    EmptyCertificateList,
    /// Handshake data followed a message after which the keys change, or came in the wrong epoch.
    #[error("handshake data crosses a change of keys")]
    CrossesKeyChange,
    /// Application data came under the keys of the handshake (RFC 9147 section 6.1).
    #[error("it sent application data under the keys of the handshake")]
    DataInHandshakeEpoch,
    /// The server's session id is not the one that was offered: empty (RFC 9147 section 5).
    #[error("its session id is not the one that was offered")]
    SessionId,
    /// A HelloRetryRequest that changes nothing (RFC 9846 section 4.2.4).
    #[error("it asked for the same hello again")]
    NothingToRetry,
    /// A second ClientHello that is not what was asked for (RFC 9846 section 4.2.2).
    #[error("its second hello differs from the first in more than was asked for")]
    SecondHello,
    /// A mandatory extension of DTLS 1.3 is not there (RFC 9846 section 9.2).
    #[error("a mandatory extension is missing")]
    MissingExtension,
    /// A CertificateRequest of the handshake has a context (RFC 9846 section 4.4.2).
    #[error("its certificate request has a context")]
    RequestContext,
    /// More than 32 KeyUpdates without application data between them.
    #[error("it changed its keys again and again without sending anything")]
    TooManyKeyUpdates,
    /// The client fell back to an older version although both sides have a newer one (RFC 7507).
    #[error("it fell back to an older version without need")]
    InappropriateFallback,
}

/// What the two sides do not share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum Incompatibility {
    /// No version.
    #[error("no common version")]
    Version,
    /// No cipher suite that fits a credential.
    #[error("no common cipher suite")]
    CipherSuite,
    /// No group.
    #[error("no common group")]
    Group,
    /// No signature scheme, or no credential that the peer can verify.
    #[error("no credential that the peer can verify")]
    SignatureScheme,
    /// No application protocol (RFC 7301 section 3.2).
    #[error("no common application protocol")]
    ApplicationProtocol,
    /// The peer has no extended master secret and the configuration requires it (RFC 7627).
    #[error("the peer lacks extended_master_secret: `require_extended_master_secret` may be set to false")]
    ExtendedMasterSecret,
}

impl Error {
    /// The alert that tells the peer, or none where the peer must not or cannot be told.
    ///
    /// This table has no wildcard arm on purpose: a new error must choose its alert.
    pub const fn alert(&self) -> Option<AlertDescription> {
        Some(match self {
            Self::Decode(error) => error.alert(),
            Self::UnexpectedMessage { .. } => AlertDescription::UNEXPECTED_MESSAGE,
            Self::Misbehaved(misbehaviour) => misbehaviour.alert(),
            Self::Incompatible(incompatibility) => incompatibility.alert(),
            Self::Certificate(error) => certificate_alert(error),
            Self::DateMissing | Self::NameMissing => AlertDescription::INTERNAL_ERROR,
            Self::CertificateRequired { alert } | Self::Refused { alert, .. } => *alert,
            Self::BadSignature | Self::BadFinished => AlertDescription::DECRYPT_ERROR,
            Self::RecordOverflow => AlertDescription::RECORD_OVERFLOW,
            Self::ForgeryLimit => AlertDescription::BAD_RECORD_MAC,
            Self::KeyLimit => AlertDescription::CLOSE_NOTIFY,
            // RFC 9846 section 6.2: "an internal error unrelated to the peer".
            Self::Signing(_) | Self::RandomFailure | Self::OwnMessageTooLarge | Self::Internal(_) => {
                AlertDescription::INTERNAL_ERROR
            }
            Self::TooLarge | Self::MessageTooLong { .. } => AlertDescription::ILLEGAL_PARAMETER,
            Self::AlertReceived { .. } | Self::HandshakeTimeout | Self::HelloReplayed => return None,
        })
    }
}

impl Misbehaviour {
    const fn alert(self) -> AlertDescription {
        match self {
            Self::UnofferedExtension => AlertDescription::UNSUPPORTED_EXTENSION,
            Self::UnacceptableVersion => AlertDescription::PROTOCOL_VERSION,
            Self::RenegotiationInfo => AlertDescription::HANDSHAKE_FAILURE,
            Self::CrossesKeyChange
            | Self::DataInHandshakeEpoch
            | Self::MissingContentType
            | Self::TooManyCookies
            | Self::TooManyKeyUpdates => AlertDescription::UNEXPECTED_MESSAGE,
            Self::MissingExtension => AlertDescription::MISSING_EXTENSION,
            Self::InappropriateFallback => AlertDescription::INAPPROPRIATE_FALLBACK,
            Self::EmptyCertificateList => AlertDescription::DECODE_ERROR,
            Self::UnofferedCipherSuite
            | Self::UnofferedVersion
            | Self::UnofferedGroup
            | Self::UnofferedSignatureScheme
            | Self::UnofferedProtocol
            | Self::UnofferedSrtpProfile
            | Self::Compression
            | Self::PointFormat
            | Self::KeyShare
            | Self::RecordSizeLimit
            | Self::Downgrade
            | Self::BadCookie
            | Self::Cookie
            | Self::SessionId
            | Self::NothingToRetry
            | Self::SecondHello
            | Self::RequestContext
            | Self::ContradictingFragments => AlertDescription::ILLEGAL_PARAMETER,
        }
    }
}

impl Incompatibility {
    const fn alert(self) -> AlertDescription {
        match self {
            Self::Version => AlertDescription::PROTOCOL_VERSION,
            Self::ApplicationProtocol => AlertDescription::NO_APPLICATION_PROTOCOL,
            Self::CipherSuite | Self::Group | Self::SignatureScheme | Self::ExtendedMasterSecret => {
                AlertDescription::HANDSHAKE_FAILURE
            }
        }
    }
}

impl Error {
    /// Bytes that end too early or are not of their form.
    pub(crate) const fn malformed(what: &'static str) -> Self {
        Self::Decode(DecodeError { what, fault: DecodeFault::Truncated })
    }
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl Error {
    /// A message of this type exceeds its limit.
    pub(crate) const fn too_long(message: HandshakeType, fault: TooLong) -> Self {
        let TooLong { length, limit, setting } = fault;
        Self::MessageTooLong { message, length, limit, setting }
    }
}

/// What we send is too large for its wire format: only a credential or a setting beyond all measure does that.
impl From<EncodeError> for Error {
    fn from(_: EncodeError) -> Self {
        Self::OwnMessageTooLarge
    }
}

/// The peer's message; where it is our own, [`Context`](crate::machine::Context) says so.
impl From<TranscriptFull> for Error {
    fn from(_: TranscriptFull) -> Self {
        Self::TooLarge
    }
}

impl From<CertificateError> for Error {
    fn from(error: CertificateError) -> Self {
        Self::Certificate(Box::new(error))
    }
}

impl From<VerifyError> for Error {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Certificate(error) => Self::Certificate(error),
            VerifyError::DateMissing => Self::DateMissing,
            VerifyError::NameMissing => Self::NameMissing,
            VerifyError::Refused { alert, reason } => Self::Refused { alert, reason },
        }
    }
}

impl From<Misbehaviour> for Error {
    fn from(misbehaviour: Misbehaviour) -> Self {
        Self::Misbehaved(misbehaviour)
    }
}

impl From<Incompatibility> for Error {
    fn from(incompatibility: Incompatibility) -> Self {
        Self::Incompatible(incompatibility)
    }
}

/// The caller's mistake. Never produced by network input; changes no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum Misuse {
    /// The association is not connected: not yet, or no more.
    #[error("not connected")]
    NotConnected,
    /// The payload exceeds what one record may carry, or one datagram of a path that is known to carry less.
    #[error("the payload is longer than {limit} bytes")]
    PayloadTooLarge {
        /// The most bytes that one record to this peer may carry, or that one datagram of the path may where that is known to
        /// be less ([`Connection::max_payload`](crate::Connection::max_payload)).
        limit: usize,
    },
    /// The buffer has no room for the record around the payload. Given is what is enough for every payload; with padding
    /// [`Connection::overhead_of`](crate::Connection::overhead_of) is exact.
    #[error("the buffer needs {prefix} bytes before and {suffix} bytes after the payload")]
    NoRoom {
        /// Bytes needed before the payload.
        prefix: usize,
        /// Bytes needed after the payload.
        suffix: usize,
    },
    /// The range is not inside the buffer.
    #[error("the payload's range is not inside the buffer")]
    Range,
    /// The write key may protect no more records; the association is closed.
    #[error("the write key is used up")]
    KeyLimit,
    /// The negotiated version cannot change its keys: DTLS 1.2.
    #[error("DTLS 1.2 cannot change its keys: connect anew")]
    NoKeyUpdate,
    /// The present keys are the last that this association can have: its epochs are used up (RFC 9147 section 8).
    #[error("the epochs are used up: connect anew")]
    LastEpoch,
    /// The label of an exporter is one that the protocol itself uses (RFC 5705 section 4).
    #[error("the label is reserved by the protocol")]
    ReservedLabel,
    /// Exporting needs an extended master secret in DTLS 1.2 (RFC 7627 section 5.4).
    #[error("no exporter without extended master secret")]
    NoExtendedMasterSecret,
    /// The context or the output of an exporter is too long.
    #[error("the exporter's context or output is longer than 65,535 bytes")]
    ExporterLength,
    /// The answer's id is not that of the open request.
    #[error("no such request is open")]
    NoSuchRequest,
    /// The answer is not of the kind that was asked for.
    #[error("the answer does not fit the request")]
    WrongAnswer,
}

/// A configuration that cannot work, and what to change.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum ConfigError {
    /// No cipher suite is left after the settings.
    #[error("no cipher suite is left for the chosen versions: widen `cipher_suites` or the versions")]
    NoCipherSuite,
    /// No group is left after the settings.
    #[error("no group is left: widen `groups` or the versions")]
    NoGroup,
    /// No signature verifier.
    #[error("the provider verifies no signature scheme")]
    NoSignatureVerifier,
    /// An unknown name or one that this provider lacks.
    #[error("the provider has no {0}")]
    Unsupported(&'static str),
    /// The minimum version is above the maximum.
    #[error("the minimum version is above the maximum version")]
    Versions,
    /// The MTU must lie between 228 and 65,507 bytes, the most that a UDP datagram carries.
    #[error("the MTU is {0} bytes, but must lie between 228 and 65507")]
    Mtu(usize),
    /// Suites and groups are left, but no version has both.
    #[error(
        "no version has both a cipher suite and a group: widen `cipher_suites`, `groups` or the versions"
    )]
    NoUsableVersion,
    /// A setting is beyond its bounds: what peers may make us hold is limited whatever is configured.
    #[error("{name} is {given}, but must lie between {least} and {most}")]
    Limit {
        /// The setting.
        name: &'static str,
        /// What was given.
        given: u64,
        /// The least that works.
        least: u64,
        /// The most that is allowed.
        most: u64,
    },
    /// The deadline of a handshake is zero, or longer than a day.
    #[error("handshake_deadline must be longer than zero and at most a day; `None` sets no deadline")]
    Deadline,
    /// A limit of amplification serves DTLS 1.3 alone.
    #[error(
        "an amplification limit makes handshakes of DTLS 1.2 stall: ask for cookies (`Gate`) where nobody vouches \
         for addresses, or raise `min_version` to DTLS 1.3"
    )]
    AmplificationLimit,
    /// An application protocol is empty or longer than 255 bytes, or all together are too long.
    #[error("an application protocol must have 1 to 255 bytes, all together at most 65,535")]
    ApplicationProtocol,
    /// record_size_limit must lie between 64 and 16,384 (RFC 8449 section 4).
    #[error("record_size_limit is {0}, but must lie between 64 and 16384")]
    RecordSizeLimit(u16),
    /// A server needs a credential.
    #[error("a server needs at least one credential")]
    NoCredential,
    /// None of the server's keys can sign in any of the versions and suites.
    #[error(
        "no credential's key fits a cipher suite: widen `cipher_suites` or the versions, or add another key"
    )]
    UnusableCredential,
    /// The initial timeout must not be zero.
    #[error("the initial timeout must be at least 1 ms")]
    Timeout,
    /// The source of random numbers failed while a secret was made.
    #[error("the source of random numbers failed")]
    RandomFailure,
}

/// The alert for a refused certificate (RFC 5246 section 7.2.2). What has none of its own is bad_certificate, also a
/// name that does not fit.
const fn certificate_alert(error: &CertificateError) -> AlertDescription {
    match error {
        CertificateError::Expired { .. } | CertificateError::NotYetValid { .. } => {
            AlertDescription::CERTIFICATE_EXPIRED
        }
        CertificateError::UnknownIssuer { .. } => AlertDescription::UNKNOWN_CA,
        CertificateError::UnsupportedVersion { .. }
        | CertificateError::UnsupportedCriticalExtension { .. }
        | CertificateError::UnsupportedAlgorithm { .. }
        | CertificateError::UnsupportedPolicyMappings { .. }
        | CertificateError::WrongUsage { .. } => AlertDescription::UNSUPPORTED_CERTIFICATE,
        _ => AlertDescription::BAD_CERTIFICATE,
    }
}
