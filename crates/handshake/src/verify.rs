//! Verifying the peer's certificates: the call-out and its usual implementation over a policy.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use core::fmt::Debug;
use core::task::Poll;
use core::time::Duration;

use drystone_x509::{CertificateDer, CertificateError, Expected, Policy, UnixTime};
use thiserror::Error as ThisError;

use crate::message::registry::AlertDescription;

/// Decides whether the peer's certificate chain is trusted.
///
/// Possession of the private key is proved by the handshake itself, whatever the verifier says.
#[doc(alias = "set_verify")]
#[doc(alias = "verify_callback")]
pub trait PeerVerifier: Send + Sync + Debug {
    /// `Ready(Ok(()))` trusts the peer, `Ready(Err(..))` ends the handshake with the alert of the [`VerifyError`].
    /// `Pending` means that the answer comes later: the connection then emits
    /// [`Event::Request`](crate::Event::Request) and waits for [`Connection::answer`](crate::Connection::answer).
    fn verify(&self, peer: &PeerCertificates<'_>) -> Poll<Result<(), VerifyError>>;
}

/// Why a [`PeerVerifier`] does not trust the peer. Becomes the [`Error`](crate::Error) of the association.
///
/// ```
/// use drystone_handshake::VerifyError;
/// use drystone_handshake::AlertDescription;
///
/// let serial = 4711;
/// let error = VerifyError::refused(AlertDescription::CERTIFICATE_REVOKED, format!("serial {serial} is on our list"));
/// assert_eq!(error.to_string(), "serial 4711 is on our list");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum VerifyError {
    /// The certificates are not good; the alert follows from the reason.
    #[error("{0}")]
    Certificate(Box<CertificateError>),
    /// The verifier needs a date and the caller gave none in [`Start::unix`](crate::Start::unix): internal_error.
    #[error("certificates cannot be verified without the date: set `Start::unix`")]
    DateMissing,
    /// The verifier needs the server's name and the client was given none: internal_error.
    #[error("certificates cannot be verified without the server's name: give it to the client")]
    NameMissing,
    /// A reason of the application's: see [`refused`](Self::refused).
    #[error("{reason}")]
    Refused {
        /// What the peer is told.
        alert: AlertDescription,
        /// For the log of this side; the peer does not see it.
        reason: Cow<'static, str>,
    },
}

impl VerifyError {
    /// Refuses the peer with an alert and a reason of the application's choice.
    ///
    /// close_notify, user_canceled and no_renegotiation refuse nothing (RFC 9846 section 6.1, RFC 5246 section 7.2.2):
    /// access_denied is sent in their place.
    pub fn refused(alert: AlertDescription, reason: impl Into<Cow<'static, str>>) -> Self {
        let alert = if alert.is_error() { alert } else { AlertDescription::ACCESS_DENIED };
        Self::Refused { alert, reason: reason.into() }
    }
}

impl From<CertificateError> for VerifyError {
    fn from(error: CertificateError) -> Self {
        Self::Certificate(Box::new(error))
    }
}

/// What the peer presented, and who it should be.
#[derive(Clone, Copy, Debug)]
pub struct PeerCertificates<'a> {
    /// The chain as sent, leaf first; never empty.
    pub chain: &'a [CertificateDer<'static>],
    /// Who it should be: a server of a name, a server whose name nobody knows ([`Connection::client`](crate::Connection::client)
    /// was given none), or a client.
    pub expected: Expected<'a>,
    /// The present date, if the caller gave one in [`Start::unix`](crate::Start::unix).
    pub date: Option<UnixTime>,
}

impl PeerVerifier for Policy {
    /// Verifies by chain, dates, usage and (for servers) name, or by fingerprint.
    fn verify(&self, peer: &PeerCertificates<'_>) -> Poll<Result<(), VerifyError>> {
        let date = match (peer.date, peer.expected) {
            // Neither matters.
            (date, _) if self.is_of_fingerprints() => {
                date.unwrap_or(UnixTime::since_unix_epoch(Duration::ZERO))
            }
            // Whoever holds any trusted certificate could pose as that server.
            (_, Expected::ServerUnnamed) => return Poll::Ready(Err(VerifyError::NameMissing)),
            (None, _) => return Poll::Ready(Err(VerifyError::DateMissing)),
            (Some(date), _) => date,
        };
        Poll::Ready(self.verify(peer.chain, peer.expected, date).map(|_| ()).map_err(VerifyError::from))
    }
}

/// Trusts every certificate, whoever made it: the peer is **not** authenticated.
///
/// For experiments, and for WebRTC-like uses where the application compares the fingerprint of the certificate in
/// [`Connected::peer_chain`](crate::Connected::peer_chain) itself before it trusts the association.
#[derive(Clone, Copy, Debug, Default)]
pub struct DangerouslyAcceptAnyCertificate;

impl PeerVerifier for DangerouslyAcceptAnyCertificate {
    fn verify(&self, _: &PeerCertificates<'_>) -> Poll<Result<(), VerifyError>> {
        Poll::Ready(Ok(()))
    }
}
