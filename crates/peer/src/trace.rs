//! Diagnostic events for the crate `tracing`, with the feature of that name; without it these functions are empty. This is
//! the only file of the crate that knows `tracing`. Nothing here is called for a packet of a connected peer.

#[cfg(not(feature = "tracing"))]
pub(crate) use disabled::{calling, event, evicted, failed, peer};
#[cfg(feature = "tracing")]
pub(crate) use enabled::{calling, event, evicted, failed, peer};

#[cfg(feature = "tracing")]
mod enabled {
    use std::fmt::Debug;
    use std::net::SocketAddr;

    use drystone_handshake::Event;
    use tracing::span::EnteredSpan;
    use tracing::{debug, debug_span};

    use crate::PeerId;

    /// The target of all events, whatever file they come from.
    const TARGET: &str = "drystone";

    /// A client sends its first hello to this address of the server.
    pub(crate) fn calling(address: SocketAddr) {
        debug!(target: TARGET, %address, "calling");
    }

    /// A client gives this address of the server up.
    pub(crate) fn failed(address: SocketAddr, why: &impl Debug) {
        debug!(target: TARGET, %address, "given up: {why:?}");
    }

    /// Names the peer of a server in the events of the handshake, as long as the span lives.
    pub(crate) fn peer(id: PeerId, address: SocketAddr) -> EnteredSpan {
        debug_span!(target: TARGET, "peer", %id, %address).entered()
    }

    /// Something happened to a peer of a server.
    pub(crate) fn event(id: PeerId, address: SocketAddr, event: &Event) {
        let what = match event {
            Event::Connected(_) => "connected",
            Event::Closed(_) => "closed",
            Event::Failed(_) => "failed",
            Event::AssociationReplaced => "replaced",
            _ => return,
        };
        debug!(target: TARGET, %id, %address, "peer {what}");
    }

    /// A half-open association made room for a newer one.
    pub(crate) fn evicted(id: PeerId) {
        debug!(target: TARGET, %id, "half-open peer evicted");
    }
}

#[cfg(not(feature = "tracing"))]
mod disabled {
    use std::fmt::Debug;
    use std::net::SocketAddr;

    use drystone_handshake::Event;

    use crate::PeerId;

    /// Stands for a span.
    pub(crate) struct NoSpan;

    pub(crate) const fn calling(_: SocketAddr) {}
    pub(crate) const fn failed(_: SocketAddr, _: &impl Debug) {}
    pub(crate) const fn peer(_: PeerId, _: SocketAddr) -> NoSpan {
        NoSpan
    }
    pub(crate) const fn event(_: PeerId, _: SocketAddr, _: &Event) {}
    pub(crate) const fn evicted(_: PeerId) {}
}
