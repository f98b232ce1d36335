//! What is known of the other side of a connected socket, and so how much the socket's errors count. It knows nothing of
//! what the datagrams hold.

use std::io;
use std::time::Duration;

use super::{is_loss, is_refusal};

/// What is known of the other side of a connected socket, and so how much its errors count. Many of them come from ICMP
/// messages, which anybody can forge: they may end an attempt that nobody has answered, and nothing else.
#[derive(Debug, Default)]
pub(crate) struct Contact {
    heard: bool,
    /// Errors of the socket since it last worked.
    odd_errors: u32,
}

/// Errors of the socket in a row that are taken for consequences of ICMP messages. A socket that is really broken fails
/// again and again.
const MAX_ODD_ERRORS: u32 = 16;

/// Why an attempt is over.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Nothing listens there.
    Refused,
    Broken(io::Error),
}

impl Contact {
    /// A contact with somebody who has spoken first.
    pub(crate) fn heard() -> Self {
        Self { heard: true, odd_errors: 0 }
    }

    /// A datagram came.
    pub(crate) fn on_datagram(&mut self) {
        *self = Self::heard();
    }

    /// The socket works, and has nothing.
    pub(crate) fn on_nothing(&mut self) {
        self.odd_errors = 0;
    }

    /// An ICMP message says that nothing listens there.
    pub(crate) fn on_refusal(&mut self) -> Result<(), Trouble> {
        self.odd_errors = 0;
        if self.heard { Ok(()) } else { Err(Trouble::Refused) }
    }

    /// Receiving failed.
    pub(crate) fn on_receive_error(&mut self, error: io::Error) -> Result<(), Trouble> {
        if !self.heard || self.odd_errors >= MAX_ODD_ERRORS {
            return Err(Trouble::Broken(error));
        }
        self.odd_errors += 1;
        Ok(())
    }

    /// Sending failed. A network that is away for a moment must not end what is established; retransmission sees to
    /// the rest.
    pub(crate) fn on_send_error(&self, error: io::Error) -> Result<(), Trouble> {
        match self.heard {
            false if is_refusal(&error) => Err(Trouble::Refused),
            false if !is_loss(&error) => Err(Trouble::Broken(error)),
            _ => Ok(()),
        }
    }

    /// How long to wait for the next datagram. After an error not at all: an ICMP message is told once, so that the next
    /// look shows whether the socket works, and forged ones do not add up.
    pub(crate) fn wait(&self, most: Duration) -> Duration {
        if self.odd_errors > 0 { Duration::ZERO } else { most }
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    fn odd() -> io::Error {
        ErrorKind::HostUnreachable.into()
    }

    #[test]
    fn before_an_answer_every_error_counts() {
        assert!(matches!(Contact::default().on_refusal(), Err(Trouble::Refused)));
        assert!(matches!(Contact::default().on_receive_error(odd()), Err(Trouble::Broken(_))));
        assert!(matches!(Contact::default().on_send_error(odd()), Err(Trouble::Broken(_))));
        let refused = ErrorKind::ConnectionRefused.into();
        assert!(matches!(Contact::default().on_send_error(refused), Err(Trouble::Refused)));
        assert!(Contact::default().on_send_error(ErrorKind::WouldBlock.into()).is_ok());
    }

    /// Whoever forges ICMP messages ends nothing that was answered, however many they are.
    #[test]
    fn after_an_answer_only_a_socket_that_never_works_is_broken() {
        let mut contact = Contact::default();
        contact.on_datagram();
        for _ in 0..100 {
            assert!(contact.on_receive_error(odd()).is_ok());
            assert_eq!(contact.wait(Duration::from_secs(1)), Duration::ZERO);
            contact.on_nothing();
            assert_eq!(contact.wait(Duration::from_secs(1)), Duration::from_secs(1));
            assert!(contact.on_refusal().is_ok() && contact.on_send_error(odd()).is_ok());
        }
        for _ in 0..MAX_ODD_ERRORS {
            assert!(contact.on_receive_error(odd()).is_ok());
        }
        assert!(matches!(contact.on_receive_error(odd()), Err(Trouble::Broken(_))));
    }
}
