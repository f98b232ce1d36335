//! What can be set for a server, and what it counts. Does nothing.

use std::time::Duration;

use super::admission::{self, Limits};

/// How a server treats strangers, and peers that are silent.
///
/// ```
/// let mut options = drystone::ServerOptions::default();
/// options.max_peers = 1024;
/// options.idle_timeout = None; // the program has heartbeats of its own
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ServerOptions {
    /// Whether a client must prove its address by a cookie first. Default: true. Without, each ClientHello makes an
    /// association at once, which saves a round trip and lets anybody fill the half-open places with forged
    /// addresses. Only for networks whose addresses are proved otherwise.
    pub cookies: bool,
    /// The most associations whose handshake is not done. Default: 4,096.
    ///
    /// When all places are taken the network (/24 of IPv4, /56 of IPv6) with most of them gives up its oldest that had
    /// 2 s; one with at most 8 (fewer where there are fewer than 512 places) is never given up for another network. A
    /// hello that finds no place is kept, and answered when one falls free: at most 1,024 of them, 4 KiB each and 2 MiB in
    /// all.
    pub max_half_open: usize,
    /// The most of them in one network, whose newcomers then take the place of its own oldest that had 2 s, or wait.
    /// Default: 64.
    pub max_half_open_per_network: usize,
    /// Bytes of heap in which all half-open associations together buffer parts of handshake messages. Default: 16 MiB. Where
    /// they are used up, messages still arrive that come whole and in order, as nearly all do.
    pub max_half_open_bytes: usize,
    /// The most associations in all. Default: 65,536. When there are so many, a newcomer takes the place of the connected
    /// one that has been silent for longest, if that is more than [`displaced_after`](Self::displaced_after).
    pub max_peers: usize,
    /// The most associations of one network. Default: `None`, a quarter of [`max_peers`](Self::max_peers), and at least 256.
    pub max_peers_per_network: Option<usize>,
    /// The silence beyond which a peer may lose its place in a full table; its association ends with
    /// [`CloseReason::Displaced`](crate::CloseReason::Displaced). Default: 60 s.
    pub displaced_after: Duration,
    /// The most associations that are begun, each with a signature and a key exchange, while datagrams of other peers
    /// may wait in the socket; renewed after 10 ms. Further newcomers wait. Default: 16.
    pub max_newcomers_at_once: usize,
    /// The silence of a peer after which its association ends with
    /// [`CloseReason::IdleTimeout`](crate::CloseReason::IdleTimeout); `None` for never. Default: 10 minutes. Peers that are
    /// silent for longer on purpose send something now and then.
    pub idle_timeout: Option<Duration>,
}

/// The silence after which a peer of a `Server` or `Client` counts as gone.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(600);

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            cookies: true,
            max_half_open: admission::HALF_OPEN,
            max_half_open_per_network: admission::HALF_OPEN_PER_NETWORK,
            max_half_open_bytes: admission::HALF_OPEN_BYTES,
            max_peers: admission::PEERS,
            max_peers_per_network: None,
            displaced_after: admission::LONG_SILENCE,
            max_newcomers_at_once: 16,
            idle_timeout: Some(IDLE_TIMEOUT),
        }
    }
}

impl ServerOptions {
    pub(super) const fn limits(&self) -> Limits {
        Limits {
            half_open: self.max_half_open,
            half_open_per_network: self.max_half_open_per_network,
            peers: self.max_peers,
            peers_per_network: self.max_peers_per_network,
            long_silence: self.displaced_after,
            newcomers: self.max_newcomers_at_once,
        }
    }
}

/// What a server counts beside what its connections count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// Hellos without a good cookie that were answered by asking for one.
    pub cookies_asked: u64,
    /// Hellos that were answered by the alert that says why nothing can come of them.
    pub hellos_refused: u64,
    /// Associations that were begun.
    pub accepted: u64,
    /// Datagrams of strangers that were dropped without an answer.
    pub strangers_dropped: u64,
    /// Half-open associations that made room for newer ones.
    pub half_open_evicted: u64,
    /// Connected associations that made room for newer ones, since they had been silent for long.
    pub silent_displaced: u64,
    /// Hellos, and copies of them, that found no place at once, and were kept until one falls free.
    pub hellos_kept: u64,
    /// Hellos that got no answer because there were too many peers or handshakes, and too many of those waited already.
    pub peers_refused: u64,
    /// Datagrams that the operating system did not take.
    pub send_failures: u64,
}
