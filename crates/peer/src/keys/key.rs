//! A private key, or the public half of one, that loads and saves files. It must not use the key.

use std::fmt;
use std::path::Path;

use drystone_handshake::crypto::SigningKey;
use drystone_handshake::crypto::{KeyError, ring::signing_key};
use drystone_x509::{
    KeyKind, PemError, PrivateKeyDer, PublicKey, private_key_from_pem_or_der, public_key_from_pem_or_der,
};
use zeroize::Zeroizing;

use super::error::CryptoError;
use super::file::{self, Readers};
use super::pem;

/// A key: RSA of 2048 to 4096 bits, ECDSA on P-256 or P-384, or Ed25519. Private, or its public half alone.
///
/// Private keys are read as PKCS#8 (`PRIVATE KEY`), PKCS#1 (`RSA PRIVATE KEY`) and SEC1 (`EC PRIVATE KEY`), from PEM
/// or DER files, never encrypted; public ones as SubjectPublicKeyInfo (`PUBLIC KEY`). A private key is saved in the form in
/// which it was loaded. Godot reads all of these, but no Ed25519 key.
///
/// The file of an EC key may leave out the public half, or have it compressed (RFC 5915 section 3). Such a key is whole with
/// its certificate only: whether it belongs to it is found when both are used, and it has no public half to save.
///
/// The private half is wiped on drop, and for that reason cannot be cloned; share the object in an
/// [`Arc`](std::sync::Arc).
///
/// Differences from Godot's class of this name: a key is checked when it is loaded (its kind, its size, whether its
/// parts belong together); what cannot be loaded leaves the object as it was; `public_only` also takes the public
/// half out of the file of a private key; a private key's file is made readable for its owner only.
///
/// ```
/// use drystone::CryptoKey;
///
/// let mut key = CryptoKey::new();
/// key.load_from_string(
///     "-----BEGIN PRIVATE KEY-----
/// MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
/// -----END PRIVATE KEY-----
/// ",
///     false,
/// )?;
/// assert!(key.private_key().is_some());
/// assert_eq!(format!("{key:?}"), "CryptoKey { kind: Some(Ed25519), is_public_only: false }");
/// assert!(key.save_to_string(true)?.starts_with("-----BEGIN PUBLIC KEY-----\n"));
/// # Ok::<(), drystone::CryptoError>(())
/// ```
#[derive(Default)]
pub struct CryptoKey {
    halves: Option<Halves>,
}

struct Halves {
    /// `None` if the file of a private EC key leaves it out or has it compressed (RFC 5915 section 3).
    public: Option<PublicKey>,
    private: Option<Zeroizing<PrivateKeyDer<'static>>>,
}

impl CryptoKey {
    /// An empty object.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the first key of a PEM file, or the one of a DER file: the private key, or with `public_only` a public
    /// key, be it by itself or the half of a private one.
    ///
    /// # Errors
    /// [`CryptoError::Read`]; [`CryptoError::Content`] if there is no such key in the file, if it is encrypted or
    /// malformed; [`CryptoError::Key`] if it is damaged or of a kind that is not supported. The object is then as it
    /// was.
    pub fn load(&mut self, path: impl AsRef<Path>, public_only: bool) -> Result<(), CryptoError> {
        let path = path.as_ref();
        let content = file::read(path)?;
        self.take(&content, public_only).map_err(|error| error.in_file(path))
    }

    /// Takes the first key of a PEM text, as [`load`](Self::load) does. The text is the caller's to wipe.
    ///
    /// # Errors
    /// [`CryptoError::Content`] and [`CryptoError::Key`] as for [`load`](Self::load).
    pub fn load_from_string(&mut self, pem: &str, public_only: bool) -> Result<(), CryptoError> {
        self.take(pem.as_bytes(), public_only)
    }

    /// Writes a PEM file: the private key, or with `public_only` its public half. What is there is replaced at once,
    /// or stays if anything fails. On Unix the file of a private key is readable for its owner only (mode 0600),
    /// whatever the mode of a file that it replaces.
    ///
    /// # Errors
    /// [`CryptoError::Empty`], [`CryptoError::PublicOnly`], [`CryptoError::Key`] if there is no public half,
    /// [`CryptoError::Create`], [`CryptoError::Write`].
    pub fn save(&self, path: impl AsRef<Path>, public_only: bool) -> Result<(), CryptoError> {
        let text = Zeroizing::new(self.save_to_string(public_only)?);
        let readers = if public_only { Readers::Usual } else { Readers::Owner };
        file::replace(path.as_ref(), &text, readers)
    }

    /// The private key as PEM, or with `public_only` its public half. A private key's text is the caller's to wipe.
    ///
    /// # Errors
    /// [`CryptoError::Empty`], [`CryptoError::PublicOnly`]; [`CryptoError::Key`] if there is no public half.
    pub fn save_to_string(&self, public_only: bool) -> Result<String, CryptoError> {
        let mut text = String::new();
        if public_only {
            pem::append(&mut text, "PUBLIC KEY", self.public()?.spki());
        } else {
            let key = self.private()?;
            pem::append(&mut text, label(key)?, key.secret_der());
        }
        Ok(text)
    }

    /// Whether there is a public half, but no private one.
    pub fn is_public_only(&self) -> bool {
        matches!(self.private(), Err(CryptoError::PublicOnly))
    }

    /// Whether nothing has been loaded.
    pub fn is_empty(&self) -> bool {
        self.halves.is_none()
    }

    /// The private key in DER, as [`Credential::new`](drystone_handshake::Credential::new) takes it.
    pub fn private_key(&self) -> Option<&PrivateKeyDer<'static>> {
        self.private().ok()
    }

    /// The public half. `None` if nothing has been loaded, and if the file of a private EC key leaves it out or has it
    /// compressed.
    pub fn public_key(&self) -> Option<&PublicKey> {
        self.public().ok()
    }

    fn take(&mut self, content: &[u8], public_only: bool) -> Result<(), CryptoError> {
        let halves = if public_only { Halves::public(content)? } else { Halves::private(content)? };
        self.halves = Some(halves);
        Ok(())
    }

    fn halves(&self) -> Result<&Halves, CryptoError> {
        self.halves.as_ref().ok_or(CryptoError::Empty)
    }

    pub(super) fn public(&self) -> Result<&PublicKey, CryptoError> {
        self.halves()?.public.as_ref().ok_or(KeyError::PublicKeyMissing.into())
    }

    pub(super) fn private(&self) -> Result<&PrivateKeyDer<'static>, CryptoError> {
        self.halves()?.private.as_deref().ok_or(CryptoError::PublicOnly)
    }
}

impl Halves {
    fn public(content: &[u8]) -> Result<Self, CryptoError> {
        let error = match public_key_from_pem_or_der(content) {
            Ok(public) => return Ok(Self { public: Some(public), private: None }),
            Err(error @ PemError::NoPublicKey { .. }) => error,
            Err(error) => return Err(error.into()),
        };
        match Self::private(content) {
            Ok(Self { public: None, .. }) => Err(KeyError::PublicKeyMissing.into()),
            Ok(halves) => Ok(Self { private: None, ..halves }),
            Err(CryptoError::Content { source: PemError::NoPrivateKey { .. }, .. }) => Err(error.into()),
            Err(error) => Err(error),
        }
    }

    fn private(content: &[u8]) -> Result<Self, CryptoError> {
        Self::try_from(private_key_from_pem_or_der(content)?)
    }
}

impl TryFrom<PrivateKeyDer<'static>> for Halves {
    type Error = CryptoError;

    fn try_from(private: PrivateKeyDer<'static>) -> Result<Self, CryptoError> {
        let private = Zeroizing::new(private);
        let public = match signing_key(&private) {
            Ok(key) => Some(public_half(&*key)?),
            Err(KeyError::PublicKeyMissing) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Self { public, private: Some(private) })
    }
}

/// A private key in DER. It is checked as in [`load`](CryptoKey::load), and wiped if it is refused.
impl TryFrom<PrivateKeyDer<'static>> for CryptoKey {
    type Error = CryptoError;

    fn try_from(private: PrivateKeyDer<'static>) -> Result<Self, CryptoError> {
        Ok(Self { halves: Some(private.try_into()?) })
    }
}

fn public_half(key: &dyn SigningKey) -> Result<PublicKey, KeyError> {
    key.public_key()
        .and_then(|spki| PublicKey::from_spki(spki).ok())
        .ok_or(KeyError::Malformed("SubjectPublicKeyInfo"))
}

/// RFC 7468 section 10 for PKCS#8, RFC 5915 section 4 for SEC1; that of PKCS#1 is OpenSSL's.
fn label(key: &PrivateKeyDer<'_>) -> Result<&'static str, KeyError> {
    match key {
        PrivateKeyDer::Pkcs8(_) => Ok("PRIVATE KEY"),
        PrivateKeyDer::Sec1(_) => Ok("EC PRIVATE KEY"),
        PrivateKeyDer::Pkcs1(_) => Ok("RSA PRIVATE KEY"),
        _ => Err(KeyError::UnsupportedFormat),
    }
}

/// What kind of key it is; nothing of its content.
impl fmt::Debug for CryptoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind: Option<KeyKind> = self.public_key().map(PublicKey::kind);
        f.debug_struct("CryptoKey")
            .field("kind", &kind)
            .field("is_public_only", &self.is_public_only())
            .finish()
    }
}

#[cfg(test)]
mod tests;
