//! Which faults end an association: the one place that decides between a discard and a fatal error.
//!
//! | what arrives | unauthenticated | authenticated |
//! | --- | --- | --- |
//! | a record that cannot be opened | discard | - |
//! | a fragment that is malformed, exceeds a limit or cannot come in this state | discard | fatal |
//! | a fragment that contradicts earlier ones | these are discarded | fatal |
//! | a fragment that is early, in too many pieces or without room | discard | discard |
//! | a new message under keys that the peer has left behind | discard | fatal |
//! | a fragment without a byte of its message | discard | passed over |
//! | a whole, expected message that offends, during the handshake | fatal | fatal |
//! | a handshake message or alert after the handshake | discard | fatal |
//! | a fatal alert during the handshake | waits for the next retransmission | fatal |
//!
//! Rows and reasons: RFC 6347 section 4.1.2.7, RFC 9147 section 4.5.2, RFC 9846 section 6. The fourth row is the
//! state machine's own verdict; the others are given here.

use drystone_record::{Discard, OpenError};

use crate::Error;
use crate::error::Misbehaviour;
use crate::flight::FragmentFault;

/// What a fault amounts to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Discard(Discard),
    Fatal(Error),
}

/// A record that could not be opened. Fatal are only faults that the peer itself made, inside its protection, and
/// the end of the key's endurance.
pub(super) fn of_record(error: OpenError) -> Verdict {
    match error {
        OpenError::Discard(reason) => Verdict::Discard(reason),
        OpenError::RecordOverflow => Verdict::Fatal(Error::RecordOverflow),
        // RFC 9846 section 5.4: "it MUST terminate the connection with an "unexpected_message" alert".
        OpenError::MissingContentType => Verdict::Fatal(Misbehaviour::MissingContentType.into()),
        OpenError::ForgeryLimit => Verdict::Fatal(Error::ForgeryLimit),
    }
}

/// A handshake fragment that was refused.
pub(super) fn of_fragment(fault: FragmentFault, authenticated: bool) -> Verdict {
    let fatal = match fault {
        // The network reorders; this is nobody's fault.
        FragmentFault::TooFarAhead | FragmentFault::TooManyPieces | FragmentFault::NoRoom => None,
        // It says nothing, and RFC 9147 section 5.5 does not forbid it.
        FragmentFault::Empty => None,
        // All that was written under the older keys has been processed: it is no straggler.
        FragmentFault::StaleEpoch => Some(Misbehaviour::CrossesKeyChange.into()),
        FragmentFault::Truncated | FragmentFault::BeyondMessage => {
            Some(Error::malformed("handshake fragment"))
        }
        FragmentFault::Contradiction => Some(Misbehaviour::ContradictingFragments.into()),
        FragmentFault::TooLong(message, fault) => Some(Error::too_long(message, fault)),
        FragmentFault::Unexpected { expected, received } => {
            Some(Error::UnexpectedMessage { expected, received })
        }
    };
    match fatal {
        Some(error) if authenticated => Verdict::Fatal(error),
        _ => Verdict::Discard(reason(fault)),
    }
}

/// Whether the record of a refused fragment may be acknowledged all the same: nothing of its message was in it.
pub(super) fn is_harmless(fault: FragmentFault) -> bool {
    fault == FragmentFault::Empty
}

fn reason(fault: FragmentFault) -> Discard {
    match fault {
        FragmentFault::Truncated | FragmentFault::BeyondMessage | FragmentFault::Empty => {
            Discard::MalformedFragment
        }
        FragmentFault::Contradiction => Discard::ContradictingFragment,
        FragmentFault::TooLong(..) | FragmentFault::TooManyPieces => Discard::FragmentBeyondLimit,
        FragmentFault::NoRoom => Discard::NoRoom,
        FragmentFault::TooFarAhead | FragmentFault::Unexpected { .. } => Discard::MessageOutsideWindow,
        FragmentFault::StaleEpoch => Discard::PlaintextAfterKeys,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flight::TooLong;
    use crate::message::registry::HandshakeType;

    const TOO_LONG: FragmentFault =
        FragmentFault::TooLong(HandshakeType::CERTIFICATE, TooLong { length: 2, limit: 1, setting: None });
    const UNEXPECTED: FragmentFault =
        FragmentFault::Unexpected { expected: "finished", received: HandshakeType::CERTIFICATE };

    const FAULTS: [FragmentFault; 10] = [
        FragmentFault::Truncated,
        FragmentFault::BeyondMessage,
        FragmentFault::Empty,
        FragmentFault::Contradiction,
        TOO_LONG,
        UNEXPECTED,
        FragmentFault::NoRoom,
        FragmentFault::TooFarAhead,
        FragmentFault::TooManyPieces,
        FragmentFault::StaleEpoch,
    ];

    #[test]
    fn no_unauthenticated_fragment_is_fatal() {
        for fault in FAULTS {
            assert!(matches!(of_fragment(fault, false), Verdict::Discard(_)), "{fault:?}");
        }
    }

    #[test]
    fn only_the_peers_own_faults_are_fatal() {
        let fatal: alloc::vec::Vec<_> = FAULTS
            .into_iter()
            .filter(|fault| matches!(of_fragment(*fault, true), Verdict::Fatal(_)))
            .collect();
        assert_eq!(
            fatal,
            [
                FragmentFault::Truncated,
                FragmentFault::BeyondMessage,
                FragmentFault::Contradiction,
                TOO_LONG,
                UNEXPECTED,
                FragmentFault::StaleEpoch
            ]
        );
    }

    #[test]
    fn no_record_that_fails_to_open_is_fatal_but_by_its_content() {
        for reason in Discard::ALL {
            assert_eq!(of_record(OpenError::Discard(*reason)), Verdict::Discard(*reason));
        }
        assert_eq!(of_record(OpenError::ForgeryLimit), Verdict::Fatal(Error::ForgeryLimit));
        assert_eq!(of_record(OpenError::RecordOverflow), Verdict::Fatal(Error::RecordOverflow));
        let zeros = Error::from(Misbehaviour::MissingContentType);
        assert_eq!(of_record(OpenError::MissingContentType), Verdict::Fatal(zeros));
    }
}
