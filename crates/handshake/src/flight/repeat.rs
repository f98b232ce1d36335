//! Recognises that the peer sends its previous flight again, which means that it has not seen our answer
//! (RFC 6347 section 4.2.4, RFC 9147 section 5.8.1). Owns the mark where that flight ended; decides nothing.

use super::fragment::Fragment;
use super::incoming::Message;
use crate::message::registry::HandshakeType;

/// Watches for the end of the peer's previous flight.
///
/// A repeat counts when the last fragment of the flight's last message arrives again: senders keep their order,
/// so this comes once per repeat and after the rest of it, and whatever is lost of a repeat is not missed, since
/// the flight was processed before. It must come in the same epoch: where that was a protected one, the repeat
/// is authentic. The limit on how often to answer is [`RetransmitTimer::may_answer_repeat`].
///
/// A peer that knows from an ACK that the end of its flight arrived does not send it again. It has an answer
/// then, or waits for our timer.
///
/// [`RetransmitTimer::may_answer_repeat`]: super::RetransmitTimer::may_answer_repeat
#[derive(Debug)]
pub(crate) struct RepeatDetector {
    /// Whether there is a flight to watch for, whose last message the rest describes. Not an `Option` around the rest:
    /// that would take half as much memory again, of every idle association.
    watches: bool,
    msg_type: HandshakeType,
    message_seq: u16,
    length: u32,
    epoch: u64,
}

impl Default for RepeatDetector {
    fn default() -> Self {
        Self::new()
    }
}

impl RepeatDetector {
    /// Has no flight to watch for.
    pub(crate) const fn new() -> Self {
        Self { watches: false, msg_type: HandshakeType(0), message_seq: 0, length: 0, epoch: 0 }
    }

    /// The peer's flight ended with this message, which has been processed and is being answered.
    pub(crate) fn flight_ended(&mut self, last: &Message<'_>) {
        *self = Self {
            watches: true,
            msg_type: last.msg_type,
            message_seq: last.message_seq,
            // A message that came over the wire has a 24-bit length.
            length: u32::try_from(last.body.len()).unwrap_or(u32::MAX),
            epoch: last.epoch,
        };
    }

    /// Whether this fragment, a duplicate, ends a repeat of that flight.
    pub(crate) fn observe(&self, epoch: u64, fragment: &Fragment<'_>) -> bool {
        let says_something = !fragment.payload.is_empty() || fragment.length == 0;
        let ends_its_message = fragment.end() == Ok(fragment.length);
        says_something
            && ends_its_message
            && self.watches
            && self.epoch == epoch
            && self.message_seq == fragment.message_seq
            && self.msg_type == fragment.msg_type
            && self.length == fragment.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment(offset: u32, payload: &[u8]) -> Fragment<'_> {
        Fragment { msg_type: HandshakeType::FINISHED, length: 12, message_seq: 5, offset, payload }
    }

    #[test]
    fn only_the_end_of_the_flight_in_its_epoch_counts() {
        let mut detector = RepeatDetector::new();
        assert!(!detector.observe(1, &fragment(0, &[0; 12])), "nothing to watch for yet");
        detector.flight_ended(&Message {
            epoch: 1,
            msg_type: HandshakeType::FINISHED,
            message_seq: 5,
            body: &[0; 12],
        });
        assert!(detector.observe(1, &fragment(0, &[0; 12])));
        assert!(detector.observe(1, &fragment(11, &[0])), "cut in another way");
        assert!(!detector.observe(0, &fragment(0, &[0; 12])), "not authenticated");
        assert!(!detector.observe(1, &fragment(0, &[0; 11])));
        assert!(!detector.observe(1, &fragment(12, &[])), "an empty fragment says nothing");
        assert!(!detector.observe(1, &Fragment { message_seq: 4, ..fragment(0, &[0; 12]) }));
        assert!(
            !detector.observe(1, &Fragment { msg_type: HandshakeType::CERTIFICATE, ..fragment(0, &[0; 12]) })
        );
        assert!(!detector.observe(1, &Fragment { length: 13, ..fragment(1, &[0; 12]) }));
    }

    #[test]
    fn an_empty_last_message_counts() {
        let mut detector = RepeatDetector::new();
        let done = Fragment {
            msg_type: HandshakeType::SERVER_HELLO_DONE,
            length: 0,
            message_seq: 4,
            offset: 0,
            payload: &[],
        };
        detector.flight_ended(&Message {
            epoch: 0,
            msg_type: HandshakeType::SERVER_HELLO_DONE,
            message_seq: 4,
            body: &[],
        });
        assert!(detector.observe(0, &done));
    }
}
