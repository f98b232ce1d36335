//! What can go wrong with the files of certificates and keys. It must not print their content.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use drystone_handshake::crypto::KeyError;
use drystone_x509::PemError;
use thiserror::Error;

/// Why a certificate or a key was not loaded or saved. The object is as it was before.
///
/// ```
/// use drystone::X509Certificate;
///
/// let error = X509Certificate::new().load("/nonexistent/ca.pem").unwrap_err();
/// assert!(error.to_string().starts_with("cannot read /nonexistent/ca.pem: "));
/// assert_eq!(error.godot_code(), 31);
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CryptoError {
    /// The file cannot be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// No file can be made where this one should be.
    #[error("cannot create {}: {source}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The content cannot be written, or not put in the place of what is there, which stays.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file or the text does not hold what it should.
    #[error("{}{source}", Before(path.as_deref()))]
    Content {
        /// The file; `None` for a text.
        path: Option<PathBuf>,
        /// What is wrong with it.
        source: PemError,
    },
    /// The private key is damaged or of a kind that is not supported.
    #[error("{}{source}", Before(path.as_deref()))]
    Key {
        /// The file; `None` for a text.
        path: Option<PathBuf>,
        /// What is wrong with it.
        source: KeyError,
    },
    /// There is nothing to save or to use: the object is empty.
    #[error("nothing has been loaded")]
    Empty,
    /// The private half is wanted of a key of which there is only the public one.
    #[error("only the public half of the key has been loaded")]
    PublicOnly,
}

impl CryptoError {
    /// The number of Godot's `Error` for it: 31 (`ERR_INVALID_PARAMETER`) for a file that cannot be opened, 3
    /// (`ERR_UNCONFIGURED`) for an empty object, else 1 (`FAILED`).
    pub fn godot_code(&self) -> i32 {
        match self {
            Self::Read { .. } | Self::Create { .. } => 31,
            Self::Empty => 3,
            Self::Write { .. } | Self::Content { .. } | Self::Key { .. } | Self::PublicOnly => 1,
        }
    }

    /// Says in which file the content is wrong.
    pub(super) fn in_file(self, file: &Path) -> Self {
        let path = Some(file.to_owned());
        match self {
            Self::Content { source, .. } => Self::Content { path, source },
            Self::Key { source, .. } => Self::Key { path, source },
            other => other,
        }
    }
}

impl From<PemError> for CryptoError {
    fn from(source: PemError) -> Self {
        Self::Content { path: None, source }
    }
}

impl From<KeyError> for CryptoError {
    fn from(source: KeyError) -> Self {
        Self::Key { path: None, source }
    }
}

/// `file: `, or nothing.
struct Before<'a>(Option<&'a Path>);

impl fmt::Display for Before<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |path| write!(f, "{}: ", path.display()))
    }
}
