//! What can be wrong with a command to an endpoint.

use std::net::SocketAddr;

use drystone_handshake::{Error, Misuse};
use thiserror::Error as ThisError;

/// Why an [`Endpoint`](crate::Endpoint) did not do what it was told. Nothing is changed then.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum EndpointError {
    /// There is no such peer, or no more.
    #[error("no such peer")]
    NoSuchPeer,
    /// The connection does not take it: not connected, or the packet is too long, for example.
    #[error(transparent)]
    Misuse(#[from] Misuse),
    /// There is an association with this address already.
    #[error("there is an association with {0} already")]
    AddressInUse(SocketAddr),
    /// A client cannot begin: its configuration has nothing to offer, or there are no random numbers.
    #[error(transparent)]
    Handshake(#[from] Error),
}
