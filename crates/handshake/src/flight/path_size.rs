//! How small to cut datagrams, as far as losses tell it (RFC 6347 section 4.1.1.1, RFC 9147 section 4.4). Owns what is known of
//! the path's size; it knows no time.

/// The least MTU that a flight is ever cut to, in bytes of UDP payload: the setting's lower end as well.
const MINIMUM_MTU: u16 = 228;

/// What every IPv4 host must be able to receive (576 bytes) less the largest IP header and UDP's own.
const CAUTIOUS_MTU: u16 = 508;

/// Expiries of one flight after which its size is taken for the cause of the losses.
const CAUTIOUS_AFTER: u32 = 3;
const MINIMUM_AFTER: u32 = 5;

/// What is known of the size that a path carries.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathSize {
    /// The largest datagram of the present flight since its size was last changed, in bytes.
    largest: u16,
    /// The largest datagram of an answered flight: the path carries that.
    got_through: u16,
    /// What datagrams are cut to. It stays for the flights that follow if the peer was there when the flight began: silence
    /// before the first answer says nothing of sizes.
    cut: Option<u16>,
    /// Whether the peer was heard before the present flight.
    is_peer_there: bool,
}

impl PathSize {
    pub(super) const fn of_client() -> Self {
        Self { largest: 0, got_through: 0, cut: None, is_peer_there: false }
    }

    /// A server speaks only when it is spoken to.
    pub(super) const fn of_server() -> Self {
        Self { is_peer_there: true, ..Self::of_client() }
    }

    /// A flight begins; whether it follows one that was answered.
    pub(super) fn begin_flight(&mut self, follows_answer: bool) {
        self.cut = self.found();
        self.is_peer_there |= follows_answer;
        self.got_through = self.got_through.max(self.largest);
        self.largest = 0;
    }

    /// A datagram of so many bytes is sent.
    pub(super) fn sent(&mut self, length: usize) {
        self.largest = self.largest.max(u16::try_from(length).unwrap_or(u16::MAX));
    }

    /// After three expiries of a flight datagrams have at most 508 bytes, after five 228, but only if it had larger ones, and
    /// larger ones than have got through: else their size is not what loses them.
    pub(super) fn shrink(&mut self, expirations: u32) {
        let size = match expirations {
            MINIMUM_AFTER.. => MINIMUM_MTU,
            CAUTIOUS_AFTER.. => CAUTIOUS_MTU,
            _ => return,
        };
        if self.largest > size && self.largest > self.got_through {
            (self.cut, self.largest) = (Some(size), 0);
        }
    }

    /// The size to cut datagrams to, where the path is said to carry `mtu` bytes.
    pub(super) fn cut(&self, mtu: usize) -> usize {
        self.cut.map_or(mtu, |cut| mtu.min(cut.into()))
    }

    /// The size that got through where larger datagrams did not.
    pub(super) fn found(&self) -> Option<u16> {
        self.cut.filter(|_| self.is_peer_there)
    }
}
