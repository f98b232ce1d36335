//! Which epoch a handshake message has to come in, as data of the version.

use drystone_record::Discard;

use super::fault::Verdict;
use crate::error::Misbehaviour;
use crate::message::registry::HandshakeType;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageEpochs {
    /// Finished is the one message under the new keys, and nothing else is (RFC 5246 section 7.4.9, threat 12). Also while
    /// the version is open: hellos are plaintext in all of them.
    Classic,
    /// The hellos are plaintext, and nothing else is (RFC 9147 section 6.1).
    Unified,
}

impl MessageEpochs {
    /// What a message of this type in this epoch amounts to during the handshake, if it must not be there.
    pub(super) fn check(self, epoch: u64, msg_type: HandshakeType) -> Result<(), Verdict> {
        let is_plaintext = match self {
            Self::Classic => msg_type != HandshakeType::FINISHED,
            Self::Unified => matches!(msg_type, HandshakeType::CLIENT_HELLO | HandshakeType::SERVER_HELLO),
        };
        match (epoch == 0, is_plaintext) {
            (true, true) | (false, false) => Ok(()),
            // Anybody can write so.
            (true, false) => Err(Verdict::Discard(Discard::PlaintextAfterKeys)),
            (false, true) => Err(Verdict::Fatal(Misbehaviour::CrossesKeyChange.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use HandshakeType as T;

    #[test]
    fn classic_protects_finished_alone() {
        let classic = MessageEpochs::Classic;
        assert_eq!(classic.check(0, T::CERTIFICATE), Ok(()));
        assert_eq!(classic.check(1, T::FINISHED), Ok(()));
        assert!(matches!(classic.check(0, T::FINISHED), Err(Verdict::Discard(_))));
        assert!(matches!(classic.check(1, T::CERTIFICATE), Err(Verdict::Fatal(_))));
    }

    #[test]
    fn unified_leaves_hellos_alone_in_plaintext() {
        let unified = MessageEpochs::Unified;
        for hello in [T::CLIENT_HELLO, T::SERVER_HELLO] {
            assert_eq!(unified.check(0, hello), Ok(()));
            assert!(matches!(unified.check(2, hello), Err(Verdict::Fatal(_))));
        }
        for protected in [T::ENCRYPTED_EXTENSIONS, T::CERTIFICATE, T::FINISHED] {
            assert_eq!(unified.check(2, protected), Ok(()));
            assert!(matches!(unified.check(0, protected), Err(Verdict::Discard(_))));
        }
    }
}
