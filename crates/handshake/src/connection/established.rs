//! An association once it is connected: small, and plain data but for the keys.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;

use drystone_x509::CertificateDer;

use super::last_flight::LastFlight;
use super::post_flights::PostFlights;
use super::post_handshake::PostHandshake;
use crate::config::MAX_PLAINTEXT;
use crate::message::registry::{ProtocolVersion, SrtpProfile};
use crate::time::Instant;
use crate::v12::MasterExporter;
use crate::v13::MainExporter;

/// Attempts to renegotiate that are answered in the life of an association (DTLS 1.2).
const MAX_RENEGOTIATIONS_REFUSED: u8 = 8;

/// What keying material is exported from.
#[derive(Debug)]
pub(crate) enum Exporter {
    Master(MasterExporter),
    Main(MainExporter),
}

#[derive(Debug)]
pub(crate) struct Established {
    version: ProtocolVersion,
    pub(super) exporter: Exporter,
    /// What only DTLS 1.3 needs.
    pub(super) post_handshake: Option<Box<PostHandshake>>,
    pub(super) srtp_profile: Option<SrtpProfile>,
    /// The most bytes in a record that the peer takes.
    max_payload: u16,
    /// The most bytes whose datagram the path carries at once, where that is known.
    path_limit: u16,
    /// Whether both sides have spoken of record_size_limit.
    limits_records: bool,
    warned_of_limit: bool,
    /// The message_seq of the peer's last message of the handshake.
    last_processed: u16,
    /// How many attempts to renegotiate were answered.
    renegotiations_refused: u8,
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
            post_handshake: None,
            srtp_profile,
            max_payload: peer_record_limit.map_or(most, |limit| limit.min(most)),
            path_limit: u16::MAX,
            limits_records: peer_record_limit.is_some(),
            warned_of_limit: false,
            last_processed: 0,
            renegotiations_refused: 0,
            last_flight: None,
            peer_chain: Vec::new(),
        }
    }

    pub(super) fn version(&self) -> ProtocolVersion {
        self.version
    }

    pub(super) fn client_random(&self) -> &[u8; 32] {
        match &self.exporter {
            Exporter::Master(exporter) => &exporter.randoms.client,
            Exporter::Main(exporter) => &exporter.client_random,
        }
    }

    /// The most bytes of a packet.
    #[inline]
    pub(super) fn max_payload(&self) -> usize {
        self.max_payload.min(self.path_limit).into()
    }

    /// The most bytes of a packet, whatever the path carries at once.
    pub(super) fn max_payload_of_peer(&self) -> usize {
        self.max_payload.into()
    }

    /// Packets whose datagrams the path does not carry at once are refused from now on.
    pub(super) fn limit_to_path(&mut self, most: usize) {
        self.path_limit = u16::try_from(most).unwrap_or(u16::MAX);
    }

    pub(super) fn is_limited_to_path(&self) -> bool {
        self.path_limit < u16::MAX
    }

    pub(super) fn limits_records(&self) -> bool {
        self.limits_records
    }

    /// Bytes beside the payload that a limit of records counts (RFC 8449 section 4): in DTLS 1.3 the content type.
    pub(super) fn inner_overhead(&self) -> usize {
        usize::from(self.post_handshake.is_some())
    }

    pub(super) fn peer_chain(&self) -> &[CertificateDer<'static>] {
        &self.peer_chain
    }

    pub(super) fn keep_peer_chain(&mut self, chain: Vec<CertificateDer<'static>>) {
        self.peer_chain = chain;
    }

    /// Whether data from the peer would change anything.
    #[inline]
    pub(super) fn listens(&self) -> bool {
        self.post_handshake.as_ref().is_some_and(|post| post.listens())
    }

    /// Whether to warn now; only once.
    pub(super) fn warn_of_limit(&mut self) -> bool {
        !mem::replace(&mut self.warned_of_limit, true)
    }

    /// Whether to answer an attempt to renegotiate. RFC 5246 section 7.4.1.1 lets us ignore it; a peer gets as many
    /// answers as loss may cost, and no more: its requests are no means to make us send.
    pub(super) fn refuses_renegotiation(&mut self) -> bool {
        let refuses = self.renegotiations_refused < MAX_RENEGOTIATIONS_REFUSED;
        self.renegotiations_refused = self.renegotiations_refused.saturating_add(1);
        refuses
    }

    pub(super) fn keep_last_flight(&mut self, flight: LastFlight) {
        self.last_flight = Some(Box::new(flight));
    }

    pub(super) fn keep_flights(&mut self, post_handshake: PostHandshake) {
        self.post_handshake = Some(Box::new(post_handshake));
    }

    /// The peer's last message of the handshake has this message_seq.
    pub(super) fn set_last_processed(&mut self, message_seq: u16) {
        self.last_processed = message_seq;
    }

    /// Whether the peer's message of this number is one of the handshake, all of which have been processed.
    pub(super) fn has_processed(&self, message_seq: u16) -> bool {
        message_seq <= self.last_processed
    }

    pub(super) fn last_flight(&mut self) -> Option<&mut LastFlight> {
        self.last_flight.as_deref_mut()
    }

    /// Whether our Finished has not gone out at all yet, so that the peer cannot read what we write in later epochs.
    pub(super) fn has_unsent_finished(&self) -> bool {
        self.post_handshake.as_ref().is_some_and(|post| !post.flights.finished_is_out())
    }

    /// The last flight if it has not gone out at all yet: without it the peer never connects.
    pub(super) fn take_unsent_flight(&mut self) -> Option<Unsent> {
        if let Some(last) = self.last_flight.take().filter(|flight| flight.is_unsent()) {
            return Some(Unsent::Implicit(last));
        }
        let mut flights = Box::new(self.post_handshake.take()?.flights);
        flights.keep_unsent_finished().then_some(Unsent::Acked(flights))
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let last_flight = self.last_flight.as_ref().map(|flight| flight.until());
        let post_handshake = self.post_handshake.as_ref().and_then(|post| post.next_timeout());
        [last_flight, post_handshake].into_iter().flatten().min()
    }

    /// Forgets the last flight when its time is over.
    pub(super) fn forget_last_flight(&mut self, now: Instant) {
        if self.last_flight.as_ref().is_some_and(|flight| flight.until() <= now) {
            self.last_flight = None;
        }
    }
}

/// A last flight that is still to be sent when the association is closed.
#[derive(Debug)]
pub(super) enum Unsent {
    Implicit(Box<LastFlight>),
    Acked(Box<PostFlights>),
}
