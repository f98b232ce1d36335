//! Verifying the peer's certificates: the call-out and its usual implementation over a policy.

use core::fmt::Debug;
use core::task::Poll;

use drystone_x509::{CertificateDer, Expected, Policy, ServerName, UnixTime};

use crate::Error;

/// Decides whether the peer's certificate chain is trusted.
///
/// Possession of the private key is proved by the handshake itself, whatever the verifier says.
pub trait PeerVerifier: Send + Sync + Debug {
    /// `Ready(Ok(()))` trusts the peer, `Ready(Err(..))` ends the handshake with the error's alert.
    /// `Pending` means that the answer comes later: the connection then emits
    /// [`Event::Request`](crate::Event::Request) and waits for [`Connection::answer`](crate::Connection::answer).
    fn verify(&self, peer: &PeerCertificates<'_>) -> Poll<Result<(), Error>>;
}

/// What the peer presented, and who it should be.
#[derive(Clone, Copy, Debug)]
pub struct PeerCertificates<'a> {
    /// The chain as sent, leaf first; never empty.
    pub chain: &'a [CertificateDer<'static>],
    /// The server's expected name; `None` where the peer is a client.
    pub server_name: Option<&'a ServerName<'static>>,
    /// The present date, if the caller gave one in [`Start::unix`](crate::Start::unix).
    pub date: Option<UnixTime>,
}

impl PeerVerifier for Policy {
    /// Verifies by chain, dates, usage and (for servers) name.
    fn verify(&self, peer: &PeerCertificates<'_>) -> Poll<Result<(), Error>> {
        let expected = peer.server_name.map_or(Expected::Client, Expected::Server);
        let Some(date) = peer.date else { return Poll::Ready(Err(Error::DateMissing)) };
        Poll::Ready(self.verify(peer.chain, expected, date).map(|_| ()).map_err(Error::from))
    }
}

/// Trusts every certificate, whoever made it: the peer is **not** authenticated.
///
/// For experiments, and for WebRTC-like uses where the application compares the fingerprint of the certificate in
/// [`Connected::peer_chain`](crate::Connected::peer_chain) itself before it trusts the association.
#[derive(Clone, Copy, Debug, Default)]
pub struct DangerouslyAcceptAnyCertificate;

impl PeerVerifier for DangerouslyAcceptAnyCertificate {
    fn verify(&self, _: &PeerCertificates<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }
}
