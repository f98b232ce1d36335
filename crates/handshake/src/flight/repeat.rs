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
#[derive(Default, Debug)]
pub(crate) struct RepeatDetector {
    last: Option<LastMessage>,
}

#[derive(PartialEq, Eq, Debug)]
struct LastMessage {
    epoch: u64,
    message_seq: u16,
    msg_type: HandshakeType,
    length: u32,
}

impl RepeatDetector {
    /// Has no flight to watch for.
    pub(crate) const fn new() -> Self {
        Self { last: None }
    }

    /// The peer's flight ended with this message, which has been processed and is being answered.
    pub(crate) fn flight_ended(&mut self, last: &Message<'_>) {
        self.last = Some(LastMessage {
            epoch: last.epoch,
            message_seq: last.message_seq,
            msg_type: last.msg_type,
            // A message that came over the wire has a 24-bit length.
            length: u32::try_from(last.body.len()).unwrap_or(u32::MAX),
        });
    }

    /// Stops watching: there is nothing to answer with any more.
    pub(crate) fn clear(&mut self) {
        self.last = None;
    }

    /// Whether this fragment, a duplicate, ends a repeat of that flight.
    pub(crate) fn observe(&self, epoch: u64, fragment: &Fragment<'_>) -> bool {
        let says_something = !fragment.payload.is_empty() || fragment.length == 0;
        let ends_its_message = fragment.end() == Ok(fragment.length);
        says_something
            && ends_its_message
            && self.last.as_ref().is_some_and(|last| {
                last.epoch == epoch
                    && last.message_seq == fragment.message_seq
                    && last.msg_type == fragment.msg_type
                    && last.length == fragment.length
            })
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
        detector.clear();
        assert!(!detector.observe(1, &fragment(0, &[0; 12])));
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
