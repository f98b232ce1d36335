//! The arguments of `connect_to_peer`, as Godot has them, made into a configuration that cannot be silently unsafe.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use drystone_handshake::{ClientConfig, DangerouslyAcceptAnyCertificate, Settings};
use drystone_x509::{Policy, ServerName, TrustAnchors};

use super::error::Error;
use super::udp::PacketPeerUdp;
use crate::X509Certificate;

/// Whom to trust.
#[derive(Clone, Copy)]
pub(super) struct Trust<'a> {
    pub(super) validate_certs: bool,
    pub(super) for_hostname: &'a str,
    pub(super) valid_certificate: Option<&'a X509Certificate>,
}

impl Trust<'_> {
    /// The configuration, and the name that the server must prove.
    pub(super) fn configure(
        self,
        settings: Settings,
        remote: SocketAddr,
    ) -> Result<(Arc<ClientConfig>, ServerName<'static>), Error> {
        let name = self.server_name(remote)?;
        let config = if self.validate_certs {
            ClientConfig::new(settings, self.policy()?)?
        } else {
            ClientConfig::new(settings, DangerouslyAcceptAnyCertificate)?
        };
        Ok((Arc::new(config), name))
    }

    /// Without validation the name is only asked for (SNI); none asks for none, as an address does.
    fn server_name(self, remote: SocketAddr) -> Result<ServerName<'static>, Error> {
        if self.for_hostname.is_empty() {
            return if self.validate_certs { Err(Error::NoHostname) } else { Ok(remote.ip().into()) };
        }
        ServerName::try_from(self.for_hostname.to_owned())
            .map_err(|_| Error::InvalidHostname(self.for_hostname.to_owned()))
    }

    /// Certificates that Godot makes have a common name and no alternative ones. RFC 9525 section 2 forbids to go by
    /// that; for a certificate that the game brings itself, byte for byte, it says what the game's author read there.
    fn policy(self) -> Result<Policy, Error> {
        let Some(certificate) = self.valid_certificate else { return system_anchors().map(Policy::new) };
        let anchors = certificate.trust_anchors().map_err(Error::Anchor)?;
        if anchors.is_empty() {
            return Err(Error::NoTrustAnchors);
        }
        Ok(Policy::new(anchors).allow_common_name_of_configured(true))
    }
}

#[cfg(feature = "system-roots")]
fn system_anchors() -> Result<TrustAnchors, Error> {
    TrustAnchors::system().map_err(|_| Error::NoTrustAnchors)
}

#[cfg(not(feature = "system-roots"))]
fn system_anchors() -> Result<TrustAnchors, Error> {
    Err(Error::NoTrustAnchors)
}

/// Why [`connect_to_peer`](super::PacketPeerDtls::connect_to_peer) refused. It gives the UDP peer back.
pub struct ConnectError(Box<Refused>);

struct Refused {
    error: Error,
    packet_peer: PacketPeerUdp,
}

impl ConnectError {
    pub(crate) fn new(error: Error, packet_peer: PacketPeerUdp) -> Self {
        Self(Box::new(Refused { error, packet_peer }))
    }

    /// The reason.
    pub fn error(&self) -> &Error {
        &self.0.error
    }

    /// The number of Godot's `Error` enum that comes nearest.
    pub fn godot_code(&self) -> i32 {
        self.0.error.godot_code()
    }

    /// The UDP peer that was handed in, as it was.
    pub fn into_packet_peer(self) -> PacketPeerUdp {
        self.0.packet_peer
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.error.fmt(f)
    }
}

impl fmt::Debug for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectError").field("error", &self.0.error).finish_non_exhaustive()
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0.error)
    }
}
