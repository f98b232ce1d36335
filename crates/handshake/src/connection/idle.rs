//! Peers that vanish: when the peer last proved that it is there, and the end of an association that is silent for too
//! long. Knows nothing of records but that one was authentic.

use core::time::Duration;

use super::Connection;
use crate::event::{CloseReason, Event};
use crate::time::Instant;

/// The silence of the peer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Idle {
    /// When the last authenticated record came.
    pub(super) last_received: Option<Instant>,
    timeout: Option<Duration>,
}

impl Idle {
    /// When the association has been silent for too long. Every handshake ends with an authenticated record, so that a
    /// connected association has a moment to count from.
    pub(super) fn deadline(&self) -> Option<Instant> {
        Some(self.last_received? + self.timeout?)
    }
}

impl Connection {
    /// When the last authenticated record came: application data, alerts, ACKs and protected handshake messages alike.
    /// `None` before the first one. What anybody can forge, such as plaintext, does not count.
    pub fn last_received(&self) -> Option<Instant> {
        self.idle.last_received
    }

    /// The silence of the peer after which a connected association ends: with close_notify to the peer and
    /// [`Event::Closed`] of [`CloseReason::IdleTimeout`]. `None`, the default, waits for ever.
    ///
    /// May be changed at any time; it counts from [`last_received`](Self::last_received). DTLS itself never notices that
    /// a peer has vanished. Before the connection is made the handshake's deadline does.
    pub fn set_idle_timeout(&mut self, timeout: Option<Duration>) {
        self.idle.timeout = timeout;
    }

    /// The peer was silent, and its place is needed for another one: ends a connected association with close_notify and
    /// [`Event::Closed`] of [`CloseReason::Displaced`]. Does nothing in any other state.
    pub fn displaced(&mut self, now: Instant) {
        self.close_for(now, CloseReason::Displaced);
    }

    /// Ends the association if the peer has been silent for too long.
    pub(super) fn check_idle(&mut self, now: Instant) {
        if let (Some(timeout), Some(deadline)) = (self.idle.timeout, self.idle.deadline())
            && deadline <= now
        {
            self.close_for(now, CloseReason::IdleTimeout(timeout));
        }
    }

    fn close_for(&mut self, now: Instant, reason: CloseReason) {
        if self.is_connected() {
            self.close(now);
            self.events.push_back(Event::Closed(reason));
        }
    }
}
