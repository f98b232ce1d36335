//! What the handshake's states act upon: reassembly, flights, timers and keys in waiting. Dropped with the handshake.

use core::mem;

use drystone_record::{ReadEpoch, WriteEpoch};

use super::LastFinished;
use crate::Error;
use crate::config::Settings;
use crate::flight::{Incoming, Outgoing, Reliability, RepeatDetector, RetransmitTimer, TimerSettings};
use crate::message::registry::AlertDescription;
use crate::time::Instant;

#[derive(Debug)]
pub(crate) struct Io {
    /// The peer's messages on their way to being whole.
    pub(crate) incoming: Incoming,
    /// Our flight in force: sent, and repeated until the peer answers it.
    pub(crate) outgoing: Outgoing,
    /// The flight that is being built; it replaces `outgoing` when it is complete.
    pub(crate) staged: Outgoing,
    pub(crate) timer: RetransmitTimer,
    /// Sees when the peer repeats the flight that ours answers.
    pub(crate) repeats: RepeatDetector,
    /// Keys for the peer's records, waiting for its ChangeCipherSpec.
    pub(crate) pending_read: Option<ReadEpoch>,
    /// Keys for our records, to be installed with the flight that uses them.
    pub(crate) pending_write: Option<WriteEpoch>,
    /// A fatal alert that came in plaintext: obeyed at the next retransmission unless an acceptable message comes
    /// first (rule 1f).
    pub(crate) plaintext_alert: Option<AlertDescription>,
    /// Our Finished if it ends the handshake.
    pub(crate) last_finished: Option<LastFinished>,
    next_message_seq: u32,
}

impl Io {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            incoming: Incoming::new(settings.limits, 0),
            outgoing: Outgoing::new(Reliability::Implicit),
            staged: Outgoing::new(Reliability::Implicit),
            timer: RetransmitTimer::new(TimerSettings {
                initial: settings.initial_timeout,
                retransmissions: settings.max_retransmissions.into(),
                ..TimerSettings::default()
            }),
            repeats: RepeatDetector::new(),
            pending_read: None,
            pending_write: None,
            plaintext_alert: None,
            last_finished: None,
            next_message_seq: 0,
        }
    }

    /// The message_seq of our next message. It never wraps.
    pub(crate) fn take_message_seq(&mut self) -> Result<u16, Error> {
        let message_seq = u16::try_from(self.next_message_seq).map_err(|_| Error::TooLarge)?;
        self.next_message_seq = self.next_message_seq.saturating_add(1);
        Ok(message_seq)
    }

    /// A stateless HelloVerifyRequest used up the earlier numbers (RFC 6347 section 4.2.2).
    pub(crate) fn start_message_seq_at(&mut self, message_seq: u16) {
        self.next_message_seq = u32::from(message_seq);
    }

    /// The staged flight replaces the one in force: the peer has answered that one.
    pub(crate) fn flush(&mut self, now: Instant) {
        self.outgoing = mem::replace(&mut self.staged, Outgoing::new(Reliability::Implicit));
        self.timer.start(now.since_origin());
    }

    /// Sends the flight in force again, but not before it went out whole once: what an unproven address may not be
    /// sent yet comes first.
    pub(crate) fn repeat_flight(&mut self) {
        if !self.outgoing.has_unsent() {
            self.outgoing.rewind();
        }
    }
}
