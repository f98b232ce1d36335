//! What can go wrong with a packet peer, in words, and as the number that Godot has for it.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use drystone_handshake::{self as handshake, ConfigError, CredentialError};
use drystone_x509::CertificateError;
use thiserror::Error as ThisError;

/// Numbers of Godot's global `Error` enum.
pub(crate) mod code {
    pub(crate) const OK: i32 = 0;
    pub(crate) const FAILED: i32 = 1;
    pub(crate) const UNCONFIGURED: i32 = 3;
    pub(crate) const CANT_CREATE: i32 = 20;
    pub(crate) const ALREADY_IN_USE: i32 = 22;
    pub(crate) const LOCKED: i32 = 23;
    pub(crate) const CANT_RESOLVE: i32 = 26;
    pub(crate) const CONNECTION_ERROR: i32 = 27;
    pub(crate) const INVALID_PARAMETER: i32 = 31;
    pub(crate) const BUSY: i32 = 44;
}

/// Why a call failed, or why a connection is over. The text says what to change where something can be changed.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The object is busy: it connects or is connected, listens already, or was set up already.
    #[error("{0} is in use already: close or disconnect it first")]
    AlreadyInUse(&'static str),
    /// The UDP peer was born by a `UdpServer` and stays with its client.
    #[error("this UDP peer belongs to a UdpServer: it cannot be bound or connected elsewhere")]
    Locked,
    /// The UDP peer is not connected: `connect_to_host` comes first.
    #[error("the UDP peer has no connected socket: call connect_to_host first")]
    SocketNotConnected,
    /// The certificate is to be verified but there is no name to verify.
    #[error("validate_certs needs the server's name in for_hostname, or pass false to trust everybody")]
    NoHostname,
    /// The name is neither a DNS name nor an IP address.
    #[error("{0:?} is neither a DNS name nor an IP address")]
    InvalidHostname(String),
    /// The certificate is to be verified but there is nothing to trust.
    #[error(
        "validate_certs needs a certificate to trust: pass valid_certificate, or build with feature `system-roots`"
    )]
    NoTrustAnchors,
    /// A certificate to trust cannot be used.
    #[error("valid_certificate cannot be used: {0}")]
    Anchor(CertificateError),
    /// The server has no key or no certificate, or its key is only a public one.
    #[error("the server needs a private key and its certificate: {0}")]
    Incomplete(&'static str),
    /// The server's key and certificate cannot be used together.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The configuration cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// `setup`, `listen` or `bind` comes first.
    #[error("not set up: call {0} first")]
    Unconfigured(&'static str),
    /// The host has no address.
    #[error("the host {host:?} cannot be resolved: {reason}")]
    CantResolve {
        /// The host.
        host: String,
        /// What the resolver says.
        reason: String,
    },
    /// The operating system refuses the port or address.
    #[error("cannot listen on {address}: {source}")]
    CantListen {
        /// Where we wanted to listen.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The operating system's socket failed.
    #[error("the socket failed: {0}")]
    Socket(#[from] io::Error),
    /// An ICMP message says that no program listens there. Believed only as long as nothing came from there, since it
    /// can be forged.
    #[error("nothing listens there ({0})")]
    NothingListens(SocketAddr),
    /// The handshake failed, or the connection was ended by an error.
    #[error(transparent)]
    Handshake(#[from] handshake::Error),
    /// The handshake was not done in time.
    #[error("the handshake timed out after {0:?}: the peer is silent or unreachable")]
    HandshakeTimeout(Duration),
    /// Nothing came from the peer for this long.
    #[error("nothing came from the peer for {0:?}: it has vanished")]
    IdleTimeout(Duration),
    /// The other side said goodbye before the handshake was done.
    #[error("the other side closed the connection during the handshake")]
    ClosedInHandshake,
    /// The first hello of a client was answered with the question for a cookie, as every client's is, or only a part of
    /// that hello has come; this object is spent, the next one of that client will connect.
    #[error("the client was asked for a cookie: drop this object, the client comes again")]
    CookieAsked,
    /// What came first was not a client's hello.
    #[error("the first packet of this address is not the hello of a DTLS client")]
    NotAHello,
    /// The same client connected anew from the same address.
    #[error("the client connected anew from the same address")]
    Replaced,
    /// Newer clients needed the place of this handshake, which was not done.
    #[error("too many handshakes at once: the oldest had to go")]
    HandshakeEvicted,
    /// The table of peers was full, and this one had been silent for longest.
    #[error("the silent peer's place was needed for another one")]
    Displaced,
    /// The `UdpServer` of this peer was stopped or dropped.
    #[error("the UDP server of this peer was stopped")]
    ServerStopped,
}

impl Error {
    /// The number of Godot's `Error` enum that comes nearest.
    pub fn godot_code(&self) -> i32 {
        match self {
            Self::AlreadyInUse(_) => code::ALREADY_IN_USE,
            Self::Locked => code::LOCKED,
            Self::SocketNotConnected
            | Self::NoHostname
            | Self::InvalidHostname(_)
            | Self::Anchor(_)
            | Self::Incomplete(_)
            | Self::Credential(_)
            | Self::Config(_) => code::INVALID_PARAMETER,
            Self::NoTrustAnchors | Self::Unconfigured(_) => code::UNCONFIGURED,
            Self::CantResolve { .. } => code::CANT_RESOLVE,
            Self::CantListen { .. } => code::CANT_CREATE,
            Self::Socket(_) => code::FAILED,
            Self::NothingListens(_)
            | Self::Handshake(_)
            | Self::HandshakeTimeout(_)
            | Self::IdleTimeout(_)
            | Self::ClosedInHandshake
            | Self::CookieAsked
            | Self::NotAHello
            | Self::Replaced
            | Self::HandshakeEvicted
            | Self::Displaced
            | Self::ServerStopped => code::CONNECTION_ERROR,
        }
    }

    /// Whether the server's certificate is good, but for another name.
    pub(crate) fn is_name_mismatch(&self) -> bool {
        matches!(
            self,
            Self::Handshake(handshake::Error::Certificate(error))
                if matches!(**error, CertificateError::NameMismatch { .. })
        )
    }
}

/// Why there is no packet, or why one was not sent. Nothing here ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum PacketError {
    /// No packet waits. Not a fault: Godot gives an empty array and OK.
    #[error("no packet waits")]
    Empty,
    /// The peer is not connected, or the UDP peer has no destination.
    #[error("not connected")]
    NotConnected,
    /// The connection is over, and every packet of it was read.
    #[error("the connection is over")]
    Closed,
    /// The packet is too long; nothing was sent and nothing has changed.
    #[error("a packet of {length} bytes is too long, the most are {limit}")]
    TooLarge {
        /// Bytes of the packet.
        length: usize,
        /// The most bytes that this peer takes.
        limit: usize,
    },
    /// The operating system's queue is full: the packet was not sent, and may be sent again later.
    #[error("the socket's queue is full")]
    Busy,
    /// The operating system did not take the packet.
    #[error("not sent: {0}")]
    Socket(ErrorKind),
}

impl PacketError {
    /// The number of Godot's `Error` enum that comes nearest; 0 (`OK`) for [`Empty`](Self::Empty).
    pub const fn godot_code(self) -> i32 {
        match self {
            Self::Empty => code::OK,
            Self::NotConnected => code::UNCONFIGURED,
            Self::Closed | Self::TooLarge { .. } => code::CONNECTION_ERROR,
            Self::Busy => code::BUSY,
            Self::Socket(_) => code::FAILED,
        }
    }

    /// What a failed send means for the packet.
    pub(crate) fn of_send(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::WouldBlock => Self::Busy,
            kind => Self::Socket(kind),
        }
    }
}
