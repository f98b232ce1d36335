//! Why a connection cannot be made, or cannot go on.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use drystone_handshake::{CloseReason, Error, Misuse};
use thiserror::Error as ThisError;

use crate::endpoint::EndpointError;

/// Why a [`Connection`](super::Connection) cannot be made, does not take a packet, or is over.
#[derive(Clone, Debug, ThisError)]
#[non_exhaustive]
pub enum ConnectionError {
    /// It ended with an error: of the handshake, or a fatal alert later.
    #[error(transparent)]
    Failed(Error),
    /// It ended without an error.
    #[error("{0}")]
    Closed(CloseReason),
    /// This program closed it.
    #[error("the connection was closed here")]
    ClosedHere,
    /// A client connected anew from the same address, and this connection was its earlier one (RFC 6347 section 4.2.8).
    #[error("a newer association of the same address took this one's place")]
    Replaced,
    /// The endpoint was shut down, or all its handles are gone.
    #[error("the endpoint has stopped")]
    Stopped,
    /// There is a connection with this address already: it needs an endpoint of its own.
    #[error("there is an association with {0} already")]
    AddressInUse(SocketAddr),
    /// The connection does not take it: the packet is too long, for example. Nothing is changed.
    #[error(transparent)]
    Misuse(#[from] Misuse),
    /// The buffer is shorter than the next packet, which stays.
    #[error("the buffer is too short: the packet has {needed} bytes")]
    BufferTooShort {
        /// The packet's length in bytes.
        needed: usize,
    },
    /// The operating system's socket failed.
    #[error("the socket failed: {0}")]
    Socket(#[source] Arc<io::Error>),
}

impl From<io::Error> for ConnectionError {
    fn from(error: io::Error) -> Self {
        Self::Socket(Arc::new(error))
    }
}

impl From<EndpointError> for ConnectionError {
    fn from(error: EndpointError) -> Self {
        match error {
            EndpointError::NoSuchPeer => Self::ClosedHere,
            EndpointError::Misuse(misuse) => Self::Misuse(misuse),
            EndpointError::AddressInUse(address) => Self::AddressInUse(address),
            EndpointError::Handshake(error) => Self::Failed(error),
        }
    }
}
