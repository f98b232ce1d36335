//! Lengths: of datagrams, of payloads, of what surrounds them, of padding. Owns how they depend on each other; seals nothing.

use drystone_record::Overhead;

use super::{Connection, Phase};
use crate::Misuse;
use crate::config::{MAX_MTU, MAX_PLAINTEXT, MIN_MTU};
use crate::v13::APPLICATION_EPOCH;

impl Connection {
    /// The most bytes of UDP payload in one datagram.
    pub fn mtu(&self) -> usize {
        self.mtu
    }

    /// Changes the MTU: bytes of UDP payload, 228 to 65,507 (less and more count as these). Takes effect with the next datagram;
    /// flights are cut anew when they are repeated.
    pub fn set_mtu(&mut self, mtu: usize) {
        self.mtu = mtu.clamp(MIN_MTU, MAX_MTU);
        self.limit_padding();
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

    /// The most bytes that one record may carry to this peer: 16,384, or less if it said so (record_size_limit).
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
        self.mtu.saturating_sub(around).min(self.max_payload())
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
