//! What an endpoint tells its owner.

use std::net::SocketAddr;

use drystone_handshake::{Error, Event};

use super::PeerId;

/// Something that happened; taken with [`Endpoint::poll_event`](crate::Endpoint::poll_event).
#[derive(Debug)]
#[non_exhaustive]
pub enum EndpointEvent {
    /// Something happened to a peer's connection. A peer exists for the caller from its [`Event::Connected`] (or
    /// [`Event::Request`], or [`Event::Failed`]) on, and is gone after [`Event::Closed`], [`Event::Failed`] or
    /// [`Event::AssociationReplaced`].
    Connection {
        /// Whose.
        peer: PeerId,
        /// The peer's address.
        remote: SocketAddr,
        /// What happened.
        event: Event,
    },
    /// The hello of somebody who is no peer was answered by an alert, since nothing can come of it: no common version, for
    /// example. Anybody can cause this, under any address.
    HelloRefused {
        /// Where the hello came from.
        address: SocketAddr,
        /// Why it was refused.
        error: Error,
    },
}
