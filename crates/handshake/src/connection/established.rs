//! An association once it is connected: small, and plain data but for the keys.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use drystone_x509::CertificateDer;

use super::io::Io;
use crate::config::MAX_PLAINTEXT;
use crate::flight::{Fragment, Outgoing, Reliability, RepeatDetector, RetransmitTimer};
use crate::message::registry::{ProtocolVersion, SrtpProfile};
use crate::time::Instant;
use crate::v12::Exporter;

/// How long the last flight is kept for a peer that has not seen it: twice the 2 minutes of RFC 6347 section 4.2.4
/// ("the 2MSL defined for TCP").
const LAST_FLIGHT_LIFE: Duration = Duration::from_secs(240);

#[derive(Debug)]
pub(crate) struct Established {
    version: ProtocolVersion,
    pub(super) exporter: Exporter,
    pub(super) srtp_profile: Option<SrtpProfile>,
    max_payload: u16,
    /// Whether both sides have spoken of record_size_limit.
    limits_records: bool,
    warned_of_limit: bool,
    last_flight: Option<Box<LastFlight>>,
    peer_chain: Vec<CertificateDer<'static>>,
}

impl Established {
    pub(crate) fn new(
        version: ProtocolVersion,
        exporter: Exporter,
        srtp_profile: Option<SrtpProfile>,
        peer_record_limit: Option<u16>,
    ) -> Self {
        // 2^14 fits 16 bits.
        let most = MAX_PLAINTEXT as u16;
        Self {
            version,
            exporter,
            srtp_profile,
            max_payload: peer_record_limit.map_or(most, |limit| limit.min(most)),
            limits_records: peer_record_limit.is_some(),
            warned_of_limit: false,
            last_flight: None,
            peer_chain: Vec::new(),
        }
    }

    pub(super) fn version(&self) -> ProtocolVersion {
        self.version
    }

    pub(super) fn client_random(&self) -> &[u8; 32] {
        &self.exporter.randoms.client
    }

    pub(super) fn max_payload(&self) -> usize {
        self.max_payload.into()
    }

    pub(super) fn limits_records(&self) -> bool {
        self.limits_records
    }

    pub(super) fn peer_chain(&self) -> &[CertificateDer<'static>] {
        &self.peer_chain
    }

    pub(super) fn keep_peer_chain(&mut self, chain: Vec<CertificateDer<'static>>) {
        self.peer_chain = chain;
    }

    /// Whether to warn now; only once.
    pub(super) fn warn_of_limit(&mut self) -> bool {
        !mem::replace(&mut self.warned_of_limit, true)
    }

    pub(super) fn keep_last_flight(&mut self, flight: LastFlight) {
        self.last_flight = Some(Box::new(flight));
    }

    pub(super) fn last_flight(&mut self) -> Option<&mut LastFlight> {
        self.last_flight.as_deref_mut()
    }

    /// The last flight if it has not gone out at all yet: without it the peer never connects.
    pub(super) fn take_unsent_flight(&mut self) -> Option<Box<LastFlight>> {
        self.last_flight.take().filter(|flight| flight.outgoing.has_unsent())
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.last_flight.as_ref().map(|flight| flight.until)
    }

    /// Forgets the last flight when its time is over; whether it did.
    pub(super) fn forget_last_flight(&mut self, now: Instant) -> bool {
        let over = self.last_flight.as_ref().is_some_and(|flight| flight.until <= now);
        if over {
            self.last_flight = None;
        }
        over
    }
}

/// The flight after which nothing comes: repeated whenever the peer shows by repeating its own that ours was lost.
#[derive(Debug)]
pub(super) struct LastFlight {
    pub(super) outgoing: Outgoing,
    /// Only for its limit on answers to repeats.
    timer: RetransmitTimer,
    repeats: RepeatDetector,
    until: Instant,
}

impl LastFlight {
    pub(super) fn new(io: &mut Io, now: Instant) -> Self {
        io.timer.stop();
        Self {
            outgoing: mem::replace(&mut io.outgoing, Outgoing::new(Reliability::Implicit)),
            timer: io.timer.clone(),
            repeats: mem::take(&mut io.repeats),
            until: now + LAST_FLIGHT_LIFE,
        }
    }

    /// Sends the flight again if this fragment, which is authenticated, ends a repeat of the peer's last flight.
    /// Returns whether the fragment is part of such a repeat at all.
    pub(super) fn answer_repeat(&mut self, now: Instant, epoch: u64, fragment: &Fragment<'_>) -> bool {
        let repeated = self.repeats.observe(epoch, fragment);
        if repeated && !self.outgoing.has_unsent() && self.timer.may_answer_repeat(now.since_origin()) {
            self.outgoing.rewind();
        }
        repeated
    }
}
