//! What can go wrong around a connection: with the socket, with the address, with the caller's use of it.

use std::io;
use std::net::SocketAddr;

use drystone_handshake::{ConfigError, Error, Misuse, Request, RequestId};
use thiserror::Error as ThisError;

use crate::endpoint::EndpointError;

/// Why a client could not connect, or cannot go on.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum ClientError {
    /// The host's name cannot be looked up.
    #[error("the name cannot be resolved: {0}")]
    Lookup(#[source] io::Error),
    /// The host's name has no address.
    #[error("the name resolves to no address")]
    NoAddress,
    /// The operating system refused the socket, or cannot reach the address.
    #[error("cannot reach {address}: {source}")]
    Socket {
        /// Whom we wanted to reach.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// An ICMP message says that no program listens there. Believed only as long as nothing came from there, since it
    /// can be forged.
    #[error("nothing listens at {0}")]
    Refused(SocketAddr),
    /// The handshake failed.
    #[error(transparent)]
    Handshake(#[from] Error),
    /// The connection is over without an error.
    #[error("the connection is closed")]
    Closed,
    /// A call-out of the configuration wants an answer before the handshake can go on: give it to
    /// [`Client::answer`](crate::Client::answer).
    #[error("a call-out answers later: `Client::answer` takes its answer")]
    Request(RequestId, Box<Request>),
}

/// Why a server cannot be started.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum ServerError {
    /// The operating system refused the socket.
    #[error("cannot listen on {address}: {source}")]
    Socket {
        /// Where we wanted to listen.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The configuration cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Why a packet was not sent.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum SendError {
    /// The connection does not take it: not connected, or the packet is too long.
    #[error(transparent)]
    Misuse(#[from] Misuse),
    /// There is no such peer, or no more.
    #[error("no such peer")]
    NoSuchPeer,
    /// The operating system did not take the datagram. `WouldBlock` means that its queue is full: the packet is lost
    /// unless it is sent again, and the connection is none the worse for it.
    #[error("not sent: {0}")]
    Socket(#[from] io::Error),
}

impl From<EndpointError> for SendError {
    fn from(error: EndpointError) -> Self {
        match error {
            EndpointError::Misuse(misuse) => Self::Misuse(misuse),
            // The others are of commands that begin something.
            _ => Self::NoSuchPeer,
        }
    }
}
