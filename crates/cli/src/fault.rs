//! Why the command ends without success, in words and as an exit code.

use std::fmt;
use std::io;

use drystone::x509::CertificateError;
use drystone::{ClientError, Error};

use crate::args::ClientArgs;
use crate::signals::Signal;

/// What went wrong. The text is one line that says what to change, where something can be changed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// A mistake in the arguments, or something on this machine.
    Local(String),
    /// No association came about, or it broke.
    Handshake(String),
    /// The server's certificate is good, but for another name.
    NameMismatch(String),
    /// It took too long.
    TimedOut(String),
    /// A signal asked for the end.
    Ended(Signal),
}

/// Who vouches for a server: what can be done about an unknown one depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The certificates of `--ca`.
    File,
    /// Those of `--system-roots`.
    System,
    /// Nobody.
    Anybody,
}

impl Trust {
    pub(crate) const fn of(arguments: &ClientArgs) -> Self {
        match (arguments.system_roots, arguments.insecure) {
            (true, _) => Self::System,
            (_, true) => Self::Anybody,
            _ => Self::File,
        }
    }
}

impl Fault {
    /// The exit code for a mistake in the arguments.
    pub(crate) const USAGE: u8 = 1;

    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Local(_) => Self::USAGE,
            Self::Handshake(_) => 2,
            Self::NameMismatch(_) => 3,
            Self::TimedOut(_) => 4,
            Self::Ended(signal) => signal.exit_code(),
        }
    }

    pub(crate) fn local(reason: impl fmt::Display) -> Self {
        Self::Local(reason.to_string())
    }
}

impl Fault {
    /// Data cannot be written to standard output.
    pub(crate) fn output(error: &io::Error) -> Self {
        Self::Local(format!("cannot write to standard output: {error}"))
    }

    /// Why a client's association failed.
    pub(crate) fn of(error: &Error, trust: Trust) -> Self {
        let Error::Certificate(reason) = error else {
            return match error {
                Error::HandshakeTimeout => Self::TimedOut(error.to_string()),
                _ => Self::Handshake(error.to_string()),
            };
        };
        let advice = match (&**reason, trust) {
            (CertificateError::NameMismatch { .. }, _) => {
                return Self::NameMismatch(format!("{error}; give the name that it has with --name"));
            }
            (CertificateError::UnknownIssuer { spelled_otherwise: false, .. }, Trust::File) => {
                "; the file of --ca must hold the certificate that vouches for it"
            }
            (CertificateError::UnknownIssuer { spelled_otherwise: false, .. }, Trust::System) => {
                "; give the certificate that vouches for it with --ca, instead of --system-roots"
            }
            _ => "",
        };
        Self::Handshake(format!("{error}{advice}"))
    }

    /// Why a client cannot go on.
    pub(crate) fn of_client(error: ClientError, trust: Trust) -> Self {
        match &error {
            ClientError::Handshake(error) => Self::of(error, trust),
            ClientError::Refused(_) | ClientError::Closed => Self::Handshake(error.to_string()),
            _ => Self::local(error),
        }
    }
}

/// Without advice about arguments.
impl From<&Error> for Fault {
    fn from(error: &Error) -> Self {
        Self::of(error, Trust::Anybody)
    }
}

impl From<ClientError> for Fault {
    fn from(error: ClientError) -> Self {
        Self::of_client(error, Trust::Anybody)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match self {
            Self::Local(reason)
            | Self::Handshake(reason)
            | Self::NameMismatch(reason)
            | Self::TimedOut(reason) => reason,
            Self::Ended(signal) => return write!(f, "ended by {}", signal.name()),
        };
        // Whatever a peer or a file put into the message: one line.
        for (index, word) in reason.split_whitespace().enumerate() {
            write!(f, "{}{word}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use drystone::x509::{ServerName, Which};

    use super::*;

    #[test]
    fn exit_codes() {
        let code = |error: Error| Fault::of(&error, Trust::File).exit_code();
        assert_eq!(code(Error::HandshakeTimeout), 4);
        assert_eq!(code(Error::BadFinished), 2);
        let mismatch = CertificateError::NameMismatch {
            expected: ServerName::try_from("a.example").unwrap(),
            presented: vec!["b.example".to_owned()],
        };
        assert_eq!(code(mismatch.into()), 3);
        assert_eq!(code(CertificateError::EmptyChain.into()), 2);
        let code = |error| Fault::of_client(error, Trust::Anybody).exit_code();
        assert_eq!(code(ClientError::NoAddress), 1);
        assert_eq!(code(ClientError::Refused(([127, 0, 0, 1], 1).into())), 2);
        assert_eq!(Fault::Ended(Signal::Interrupt).exit_code(), 130);
        assert_eq!(Fault::Ended(Signal::Terminate).exit_code(), 143);
    }

    #[test]
    fn advice_does_not_name_an_option_that_was_given_or_that_it_excludes() {
        let unknown = Error::from(CertificateError::UnknownIssuer {
            which: Which::Presented { index: 0, subject: None },
            issuer: None,
            spelled_otherwise: false,
        });
        let advice = |trust| Fault::of(&unknown, trust).to_string();
        assert!(advice(Trust::System).contains("with --ca, instead of --system-roots"));
        assert!(advice(Trust::File).contains("the file of --ca must hold"));
        assert!(!advice(Trust::Anybody).contains("--ca"));
    }

    #[test]
    fn a_fault_is_one_line() {
        assert_eq!(Fault::local("two\nlines").to_string(), "two lines");
    }
}
