//! What the handshake's states act upon: flights, and keys in waiting. Dropped with the handshake, but for the flights of
//! DTLS 1.3.

use alloc::vec::Vec;
use core::mem;

use drystone_record::{ReadEpoch, WriteEpoch};

use super::LastFinished;
use super::epochs::MessageEpochs;
use super::flights::Flights;
use crate::config::Settings;
use crate::crypto::Side;
use crate::flight::{Outgoing, Reliability};
use crate::message::registry::AlertDescription;

#[derive(Debug)]
pub(crate) struct Io {
    pub(crate) flights: Flights,
    /// The flight that is being built; it replaces the one in force when it is complete.
    pub(crate) staged: Outgoing,
    /// Which epoch each message has to come in.
    pub(crate) message_epochs: MessageEpochs,
    /// Keys for the peer's records, waiting for its ChangeCipherSpec.
    pub(crate) pending_read: Option<ReadEpoch>,
    /// Keys for the peer's records, to be installed after this step.
    pub(crate) new_reads: Vec<ReadEpoch>,
    /// Keys for our records, to be installed after this step.
    pub(crate) new_writes: Vec<WriteEpoch>,
    /// A fatal alert that came in plaintext: obeyed at the next retransmission unless an acceptable message comes
    /// first (rule 1f).
    pub(crate) plaintext_alert: Option<AlertDescription>,
    /// Our Finished if it ends the handshake.
    pub(crate) last_finished: Option<LastFinished>,
}

impl Io {
    pub(crate) fn new(settings: &Settings, side: Side) -> Self {
        Self {
            flights: Flights::new(settings, side),
            staged: Outgoing::new(Reliability::Implicit),
            message_epochs: MessageEpochs::Classic,
            pending_read: None,
            new_reads: Vec::new(),
            new_writes: Vec::new(),
            plaintext_alert: None,
            last_finished: None,
        }
    }

    /// The staged flight replaces the one in force: the peer has answered that one.
    pub(crate) fn flush(&mut self) {
        self.flights.flush(&mut self.staged);
    }

    /// Takes the flights out of the handshake, which is done.
    pub(super) fn take_flights(&mut self, settings: &Settings) -> Flights {
        // What stands in their place is dropped with the handshake.
        mem::replace(&mut self.flights, Flights::new(settings, Side::Client))
    }

    /// The version is one with ACKs.
    pub(crate) fn acknowledge_flights(&mut self) {
        self.flights.expect_acks();
        self.staged.set_reliability(Reliability::Acked);
        self.message_epochs = MessageEpochs::Unified;
    }
}
