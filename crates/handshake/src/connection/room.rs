//! Lengths: of datagrams, of payloads, of what surrounds them, of padding. Owns how they depend on each other; seals nothing.

use drystone_record::Overhead;

use super::{Connection, Phase};
use crate::Misuse;
use crate::config::{MAX_MTU, MAX_PLAINTEXT, MIN_MTU};
use crate::event::Event;
use crate::time::Instant;
use crate::v13::APPLICATION_EPOCH;

/// Sizes that the MTU falls to: what every IPv6 path carries (1,280 bytes less its headers), what every IPv4 host receives, and
/// the least.
const SIZES: [usize; 3] = [1_232, 508, MIN_MTU];

impl Connection {
    /// The most bytes of UDP payload in one datagram.
    pub fn mtu(&self) -> usize {
        self.mtu
    }

    /// Changes the MTU: bytes of UDP payload, 228 to 65,507 (less and more count as these). Takes effect with the next datagram;
    /// flights are cut to it when they are sent again. Where [`max_payload`](Self::max_payload) follows the path, it follows
    /// this.
    pub fn set_mtu(&mut self, mtu: usize) {
        self.mtu = mtu.clamp(MIN_MTU, MAX_MTU);
        self.limit_padding();
        if let Phase::Connected(established) = &self.phase
            && established.is_limited_to_path()
        {
            self.follow_path();
        }
    }

    /// The transport has refused a datagram of this many bytes since the path does not carry it (EMSGSIZE). The MTU falls at
    /// once, to 1,232, 508 or 228 bytes, whichever is less than both it and `length`; what is under way of our flights is cut
    /// anew and sent again. [`Event::MtuReduced`] tells the new size.
    ///
    /// A datagram longer than the MTU was a packet that IP should have fragmented and did not: the MTU stays, and
    /// [`max_payload`](Self::max_payload) is from now on what fits it. Nothing happens if no smaller size is left.
    pub fn datagram_too_large(&mut self, now: Instant, length: usize) {
        if length > self.mtu {
            self.refuse_fragmented_packets();
            return;
        }
        let smaller = |size: &usize| *size < length && *size < self.mtu;
        let Some(size) = SIZES.into_iter().find(smaller) else { return };
        self.learn_path_size(size);
        match &mut self.phase {
            Phase::Handshaking(handshaking) => handshaking.io.flights.send_again(now),
            Phase::Connected(established) => {
                if let Some(post) = established.post_handshake() {
                    post.flights.send_again();
                }
            }
            Phase::Draining { .. } | Phase::Closed(_) | Phase::Failed(..) => {}
        }
    }

    /// Takes over what flights have found out about the path: that only smaller datagrams get through.
    pub(super) fn learn_from_flights(&mut self) {
        let size = match &mut self.phase {
            Phase::Handshaking(handshaking) => handshaking.io.flights.timer.path_size(),
            Phase::Connected(established) => {
                established.post_handshake().and_then(|post| post.flights.path_size())
            }
            Phase::Draining { .. } | Phase::Closed(_) | Phase::Failed(..) => None,
        };
        if let Some(size) = size.filter(|size| *size < self.mtu) {
            self.learn_path_size(size);
        }
    }

    fn refuse_fragmented_packets(&mut self) {
        let is_news =
            matches!(&self.phase, Phase::Connected(established) if !established.is_limited_to_path());
        if is_news && !self.common().settings.ip_fragmentation {
            self.learn_path_size(self.mtu);
        }
    }

    fn learn_path_size(&mut self, size: usize) {
        self.mtu = size;
        self.path_is_narrow = true;
        self.tell_of_path();
    }

    /// An owner hears of the path once it knows of the association.
    pub(super) fn tell_of_path(&mut self) {
        if self.path_is_narrow && self.is_connected() {
            self.limit_padding();
            self.follow_path();
            let max_payload = self.max_unfragmented_payload();
            self.events.push_back(Event::MtuReduced { mtu: self.mtu, max_payload });
        }
    }

    /// Packets that the path does not carry at once are refused, unless IP is to fragment them.
    fn follow_path(&mut self) {
        if self.common().settings.ip_fragmentation {
            return;
        }
        let around = self.writes.current().overhead().total();
        let most = self.mtu.saturating_sub(around);
        if let Phase::Connected(established) = &mut self.phase {
            established.limit_to_path(most);
        }
    }

    /// The bytes that are enough before and after a payload of any length, to seal it. With
    /// [`padding`](crate::Settings::padding) long payloads need less: see [`overhead_of`](Self::overhead_of).
    pub fn overhead(&self) -> Overhead {
        // Nothing is padded by more than what is empty.
        self.overhead_of(0)
    }

    /// The bytes that sealing adds before and after a payload of so many bytes, exactly, with the
    /// [`padding`](crate::Settings::padding) of application data.
    pub fn overhead_of(&self, payload_length: usize) -> Overhead {
        self.writes.current().overhead_of(payload_length)
    }

    /// The most bytes of one packet: what one record may carry to this peer, 16,384 or less if it said so
    /// (record_size_limit).
    ///
    /// A packet whose record does not fit one datagram of the [MTU](Self::mtu) is left to IP to fragment; the MTU of the
    /// settings is a cautious guess, and many paths carry more. As soon as the path is known to carry less than that, because
    /// flights got through only when they were cut smaller or the transport said so
    /// ([`datagram_too_large`](Self::datagram_too_large)), this is
    /// [`max_unfragmented_payload`](Self::max_unfragmented_payload), and longer packets are refused, unless
    /// [`Settings::ip_fragmentation`](crate::Settings::ip_fragmentation) asks for fragments; [`Event::MtuReduced`] tells of it.
    pub fn max_payload(&self) -> usize {
        match &self.phase {
            Phase::Connected(established) => established.max_payload(),
            _ => MAX_PLAINTEXT,
        }
    }

    /// The most bytes whose record fits one datagram of the MTU.
    pub fn max_unfragmented_payload(&self) -> usize {
        // Padding goes that far at most.
        let around = self.writes.current().overhead().total();
        let most = match &self.phase {
            Phase::Connected(established) => established.max_payload_of_peer(),
            _ => MAX_PLAINTEXT,
        };
        self.mtu.saturating_sub(around).min(most)
    }

    /// Application data is padded as the settings say, within the datagram and what the peer takes: to be called when
    /// either changes, and with every new epoch of ours.
    pub(super) fn limit_padding(&mut self) {
        let most = self.max_unfragmented_payload();
        let padding = self.common().settings.padding.at_most(most);
        let epoch = self.writes.current_mut();
        // Data goes out in the newest epoch alone. In those of DTLS 1.2 and of the handshake there is none to pad.
        if epoch.epoch() >= APPLICATION_EPOCH {
            epoch.set_padding(padding);
        }
    }

    /// What is enough for a payload of any length: to keep its length at hand would cost every packet that has room.
    #[cold]
    pub(super) fn no_room(&self) -> Misuse {
        let Overhead { prefix, suffix } = self.overhead();
        Misuse::NoRoom { prefix, suffix }
    }
}
