//! What a link does to datagrams, and what it has done. Owns numbers only.

use core::time::Duration;

use super::Direction;

/// How a link behaves. Probabilities are between 0.0 and 1.0 and independent of each other.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkSettings {
    /// Probability that a datagram to the server is lost.
    pub loss_to_server: f64,
    /// Probability that a datagram to the client is lost.
    pub loss_to_client: f64,
    /// Mean round trip; each direction takes half.
    pub round_trip: Duration,
    /// The round trip varies by this much up and down, uniformly; each direction by half. Drawn per datagram, so
    /// datagrams sent closer together than this overtake each other.
    pub jitter: Duration,
    /// Probability that a datagram arrives twice.
    pub duplicate: f64,
    /// Probability that a datagram arrives later by [`late_by`](Self::late_by): reordering.
    pub late: f64,
    /// See [`late`](Self::late).
    pub late_by: Duration,
    /// Largest datagram in bytes that the peers are allowed to send: a larger one is a failed assertion.
    pub mtu: usize,
    /// Largest datagram in bytes that gets through: a larger one vanishes without a word. `None`: every size does.
    pub path_mtu: Option<usize>,
}

impl LinkSettings {
    /// Nothing is lost, doubled or reordered; 60 ms round trip; datagrams of at most 1200 bytes.
    pub fn perfect() -> Self {
        Self {
            loss_to_server: 0.0,
            loss_to_client: 0.0,
            round_trip: Duration::from_millis(60),
            jitter: Duration::ZERO,
            duplicate: 0.0,
            late: 0.0,
            late_by: Duration::ZERO,
            mtu: 1200,
            path_mtu: None,
        }
    }

    /// A bad network: 60 ms +- 30 ms round trip, 2 % arrive twice, 5 % come 30 ms late, and each direction loses the
    /// share `loss`.
    pub fn lossy(loss: f64) -> Self {
        Self {
            loss_to_server: loss,
            loss_to_client: loss,
            jitter: Duration::from_millis(30),
            duplicate: 0.02,
            late: 0.05,
            late_by: Duration::from_millis(30),
            ..Self::perfect()
        }
    }

    /// The probability of loss in this direction.
    pub fn loss(&self, direction: Direction) -> f64 {
        match direction {
            Direction::ToServer => self.loss_to_server,
            Direction::ToClient => self.loss_to_client,
        }
    }
}

/// What happened in one direction of a link. Datagrams, unless it says bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Sent by the peer.
    pub sent: u64,
    /// Bytes in them.
    pub sent_bytes: u64,
    /// Bytes in the largest of them.
    pub largest: usize,
    /// Lost by chance.
    pub lost: u64,
    /// Dropped by index or by a hook.
    pub dropped: u64,
    /// Vanished because they were larger than the path allows.
    pub oversize: u64,
    /// Doubled by the network.
    pub duplicated: u64,
    /// Injected by the test.
    pub injected: u64,
    /// Handed out by [`Link::receive`](super::Link::receive).
    pub delivered: u64,
}

impl Statistics {
    pub(super) fn count_sent(&mut self, bytes: usize) {
        self.sent += 1;
        self.sent_bytes += bytes as u64;
        self.largest = self.largest.max(bytes);
    }
}
