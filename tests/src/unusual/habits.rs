//! What an honest peer is free to do in its own way, drawn from a seed. Owns the choices and their ranges; acts on none.

use core::time::Duration;

use drystone_handshake::ProtocolVersion;
use drystone_handshake::crypto::Side;

use crate::random::SplitMix64;

/// When handshake records are acknowledged that need no ACK (RFC 9147 section 7.1). Those that need one always get it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckHabit {
    /// Each datagram at once.
    Eager,
    /// After a wait.
    Late(Duration),
    /// Not at all.
    Never,
}

/// How a server makes sure of its client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieHabit {
    /// It does not ask.
    None,
    /// HelloVerifyRequest or HelloRetryRequest with a cookie of this length.
    Bytes(usize),
}

/// How messages become datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packing {
    /// The most bytes of a message in one fragment.
    pub fragment: usize,
    /// Whether each transmission cuts anew, so that fragments of different ones overlap.
    pub cuts_anew: bool,
    /// Fragments of one epoch that share a record, at most.
    pub fragments_per_record: usize,
    /// Records that share a datagram, at most.
    pub records_per_datagram: usize,
    /// The largest datagram.
    pub datagram: usize,
    /// Whether fragments of a message go out from its end.
    pub backwards: bool,
    /// Whether datagrams of a flight go out in any order.
    pub shuffles: bool,
    /// Record numbers that may be left out before each record.
    pub jump: u64,
    /// 8 bits of the sequence number in unified headers.
    pub short_sequence: bool,
}

/// What one peer does in its own way. Everything is legal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Habits {
    /// Its side.
    pub side: Side,
    /// Its version.
    pub version: ProtocolVersion,
    /// See [`Packing`].
    pub packing: Packing,
    /// The wait before a flight is sent again for the first time. It doubles.
    pub timeout: Duration,
    /// See [`AckHabit`].
    pub acks: AckHabit,
    /// Whether retransmissions leave out what is acknowledged (RFC 9147 section 7.2: SHOULD).
    pub omits_acknowledged: bool,
    /// Whether a repeat of the peer's flight brings its own at once (RFC 9147 section 5.8.1).
    pub answers_repeats: bool,
    /// It takes one record at each of these intervals, like programs that read one for each call; `None` takes all.
    pub read_interval: Option<Duration>,
    /// See [`CookieHabit`]; of servers.
    pub cookie: CookieHabit,
    /// Whether the server asks for a certificate.
    pub asks_for_certificate: bool,
    /// Extensions that nobody knows, in messages that may have them.
    pub unknown_extensions: bool,
    /// Packets that a server of DTLS 1.3 sends behind each transmission of its Finished.
    pub half_rtt_packets: usize,
    /// Tickets that a server of DTLS 1.3 sends behind its Finished, before it has the client's.
    pub early_tickets: usize,
    /// Whether it sends a KeyUpdate as early as it may.
    pub early_update: bool,
    /// Tickets and KeyUpdates after the handshake.
    pub late_tickets: usize,
    /// See [`late_tickets`](Self::late_tickets).
    pub late_updates: usize,
    /// Whether its KeyUpdates ask for ours.
    pub requests_updates: bool,
}

impl Habits {
    /// The habits that follow from a seed.
    pub fn draw(seed: u64, side: Side, version: ProtocolVersion) -> Self {
        let mut random = SplitMix64::new(seed ^ 0x756e_7573_7561_6c00);
        let mut chance = |probability| random.chance(probability);
        let [asks_for_certificate, omits_acknowledged, answers_repeats, unknown_extensions] =
            [0.3, 0.7, 0.6, 0.5].map(&mut chance);
        let [early_update, requests_updates, reads_slowly, asks_for_cookie] =
            [0.3, 0.5, 0.2, 0.5].map(&mut chance);
        let packing = Packing::draw(&mut random);
        let mut count = |most| random.below(most) as usize;
        let (half_rtt_packets, early_tickets) = (count(4), count(4));
        let (late_tickets, late_updates) = (count(4), count(3));
        let cookie_length = [8, 16, 32, 100][count(4)];
        let timeout = Duration::from_millis([100, 250, 400, 1000, 1000, 3000][count(6)]);
        let acks = match count(4) {
            0 => AckHabit::Eager,
            1 => AckHabit::Late(timeout / 4),
            2 => AckHabit::Late(timeout / 2),
            _ => AckHabit::Never,
        };
        let read_interval = reads_slowly.then(|| Duration::from_millis([1, 5, 20][count(3)]));
        // RFC 6347 section 4.2.1 allows an empty one; RFC 9846 section 4.2.2 does not.
        let is_empty = count(6) == 0 && version == ProtocolVersion::DTLS_1_2;
        let cookie_length = if is_empty { 0 } else { cookie_length };
        Self {
            side,
            version,
            packing,
            timeout,
            acks,
            omits_acknowledged,
            answers_repeats,
            read_interval,
            cookie: if asks_for_cookie { CookieHabit::Bytes(cookie_length) } else { CookieHabit::None },
            asks_for_certificate,
            unknown_extensions,
            half_rtt_packets,
            early_tickets,
            early_update,
            late_tickets,
            late_updates,
            requests_updates,
        }
    }
}

impl Packing {
    fn draw(random: &mut SplitMix64) -> Self {
        let [cuts_anew, backwards, shuffles, short_sequence] =
            [0.5, 0.2, 0.3, 0.3].map(|probability| random.chance(probability));
        let mut pick = |values: [usize; 4]| values[random.below(4) as usize];
        Self {
            fragment: pick([50, 100, 300, 1100]),
            fragments_per_record: pick([1, 1, 3, 20]),
            records_per_datagram: pick([1, 2, 10, 10]),
            datagram: pick([300, 600, 1200, 1200]),
            // Far below what an 8-bit number can tell apart.
            jump: pick([0, 0, 1, 3]) as u64,
            cuts_anew,
            backwards,
            shuffles,
            short_sequence,
        }
    }
}
