//! Why the command ends without success, in words and as an exit code.

use std::fmt;

use drystone::x509::CertificateError;
use drystone::{ClientError, Error};

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
        }
    }

    pub(crate) fn local(reason: impl fmt::Display) -> Self {
        Self::Local(reason.to_string())
    }
}

impl From<&Error> for Fault {
    fn from(error: &Error) -> Self {
        match error {
            Error::HandshakeTimeout => Self::TimedOut(error.to_string()),
            Error::Certificate(reason) => match **reason {
                CertificateError::NameMismatch { .. } => {
                    Self::NameMismatch(format!("{error}; give the name that it has with --name"))
                }
                CertificateError::UnknownIssuer { .. } => {
                    Self::Handshake(format!("{error}; give the certificate that vouches for it with --ca"))
                }
                _ => Self::Handshake(error.to_string()),
            },
            _ => Self::Handshake(error.to_string()),
        }
    }
}

impl From<ClientError> for Fault {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::Handshake(error) => error.into(),
            ClientError::Refused(_) | ClientError::Closed => Self::Handshake(error.to_string()),
            _ => Self::local(error),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Local(reason)
        | Self::Handshake(reason)
        | Self::NameMismatch(reason)
        | Self::TimedOut(reason)) = self;
        // Whatever a peer or a file put into the message: one line.
        for (index, word) in reason.split_whitespace().enumerate() {
            write!(f, "{}{word}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use drystone::x509::ServerName;

    use super::*;

    #[test]
    fn exit_codes() {
        let code = |error: Error| Fault::from(&error).exit_code();
        assert_eq!(code(Error::HandshakeTimeout), 4);
        assert_eq!(code(Error::BadFinished), 2);
        let mismatch = CertificateError::NameMismatch {
            expected: ServerName::try_from("a.example").unwrap(),
            presented: vec!["b.example".to_owned()],
        };
        assert_eq!(code(mismatch.into()), 3);
        assert_eq!(code(CertificateError::EmptyChain.into()), 2);
        assert_eq!(Fault::from(ClientError::NoAddress).exit_code(), 1);
        assert_eq!(Fault::from(ClientError::Refused(([127, 0, 0, 1], 1).into())).exit_code(), 2);
    }

    #[test]
    fn a_fault_is_one_line() {
        assert_eq!(Fault::local("two\nlines").to_string(), "two lines");
    }
}
