//! A certificate, or a chain of them, that loads and saves files. It must not judge them.

use std::fmt;
use std::path::Path;

use drystone_x509::{
    CertificateDer, CertificateError, TrustAnchors, certificates_from_pem_or_der, subject_text,
};

use super::error::CryptoError;
use super::file::{self, Readers};
use super::pem;

/// One certificate or several: the chain that a server presents (its own first), or those that a client trusts.
///
/// Differences from Godot's class of this name: loading replaces what the object held instead of adding to it; a file
/// that cannot be loaded leaves it as it was; saving writes each certificate once, where Godot writes the first one
/// as many times as there are certificates; files may be DER too.
///
/// ```
/// use drystone::X509Certificate;
/// # const PEM: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/x509/rsa2048-root.pem"));
///
/// let mut trusted = X509Certificate::new();
/// trusted.load_from_string(PEM)?; // or from a file: trusted.load("ca.pem")?
/// assert_eq!(trusted.certificates().len(), 1);
/// assert_eq!(format!("{trusted:?}"), r#"X509Certificate(["CN=RSA root"])"#);
/// # Ok::<(), drystone::CryptoError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct X509Certificate {
    certificates: Vec<CertificateDer<'static>>,
}

impl X509Certificate {
    /// An empty object.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes all certificates of a PEM file, in its order, or the one of a DER file. Other sections of PEM, such as
    /// a private key, are passed over.
    ///
    /// # Errors
    /// [`CryptoError::Read`]; [`CryptoError::Content`] if there is no certificate or one is malformed. The object is
    /// then as it was.
    pub fn load(&mut self, path: impl AsRef<Path>) -> Result<(), CryptoError> {
        let path = path.as_ref();
        let content = file::read(path)?;
        self.take(&content).map_err(|error| error.in_file(path))
    }

    /// Takes all certificates of a PEM text, as [`load`](Self::load) does.
    ///
    /// # Errors
    /// [`CryptoError::Content`] as for [`load`](Self::load).
    pub fn load_from_string(&mut self, pem: &str) -> Result<(), CryptoError> {
        self.take(pem.as_bytes())
    }

    /// Writes all certificates to a PEM file. What is there is replaced at once, or stays if anything fails.
    ///
    /// # Errors
    /// [`CryptoError::Empty`], [`CryptoError::Create`], [`CryptoError::Write`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), CryptoError> {
        file::replace(path.as_ref(), &self.save_to_string()?, Readers::Usual)
    }

    /// All certificates as PEM.
    ///
    /// # Errors
    /// [`CryptoError::Empty`].
    pub fn save_to_string(&self) -> Result<String, CryptoError> {
        if self.certificates.is_empty() {
            return Err(CryptoError::Empty);
        }
        let mut text = String::new();
        for certificate in &self.certificates {
            pem::append(&mut text, "CERTIFICATE", certificate);
        }
        Ok(text)
    }

    /// The certificates in DER, in the order in which they were loaded.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }

    /// Whether nothing has been loaded.
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }

    /// Trust in each of the certificates, for a [`Policy`](drystone_x509::Policy).
    ///
    /// # Errors
    /// [`CertificateError::Malformed`] if one cannot be read as far as trust needs it.
    pub fn trust_anchors(&self) -> Result<TrustAnchors, CertificateError> {
        let mut anchors = TrustAnchors::new();
        for certificate in &self.certificates {
            anchors.add(certificate.clone())?;
        }
        Ok(anchors)
    }

    fn take(&mut self, content: &[u8]) -> Result<(), CryptoError> {
        self.certificates = certificates_from_pem_or_der(content)?;
        Ok(())
    }
}

/// From certificates in DER, which are not looked into: whoever uses them finds out whether they can be read.
impl From<Vec<CertificateDer<'static>>> for X509Certificate {
    fn from(certificates: Vec<CertificateDer<'static>>) -> Self {
        Self { certificates }
    }
}

/// Names the subjects.
impl fmt::Debug for X509Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = |certificate| subject_text(certificate).unwrap_or_else(|| "without subject".to_owned());
        let subjects: Vec<_> = self.certificates.iter().map(subject).collect();
        f.debug_tuple("X509Certificate").field(&subjects).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use drystone_x509::PemError;

    use super::super::test_support::{Folder, vector};
    use super::*;

    fn pem(name: &str) -> String {
        String::from_utf8(vector(&format!("x509/{name}"))).unwrap()
    }

    fn two() -> String {
        pem("rsa2048-root.pem") + &pem("v1-self-signed.pem")
    }

    #[test]
    fn a_chain_goes_through_a_file_and_each_certificate_is_written_once() {
        let folder = Folder::new();
        let (from, to) = (folder.path("from.pem"), folder.path("to.pem"));
        fs::write(&from, two()).unwrap();
        let mut chain = X509Certificate::new();
        chain.load(&from).unwrap();
        assert_eq!(format!("{chain:?}"), r#"X509Certificate(["CN=RSA root", "CN=godot.example"])"#);
        chain.save(&to).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), two());
        let mut again = X509Certificate::new();
        again.load(&to).unwrap();
        assert_eq!(again, chain);
        assert_eq!(chain.save_to_string().unwrap(), two());
    }

    #[test]
    fn loading_replaces_and_a_failure_changes_nothing() {
        let folder = Folder::new();
        let mut certificate = X509Certificate::new();
        certificate.load_from_string(&pem("rsa2048-root.pem")).unwrap();
        certificate.load_from_string(&pem("v1-self-signed.pem")).unwrap();
        assert_eq!(certificate.certificates().len(), 1);
        let before = certificate.clone();

        let missing = folder.path("missing.pem");
        let error = certificate.load(&missing).unwrap_err();
        assert!(matches!(&error, CryptoError::Read { path, .. } if *path == missing), "{error}");
        assert_eq!(error.godot_code(), 31);

        let damaged = folder.path("damaged.pem");
        fs::write(&damaged, pem("rsa2048-root.pem").replace("-----END", "")).unwrap();
        let error = certificate.load(&damaged).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{}: malformed PEM: a section does not end", damaged.display())
        );
        assert_eq!(error.godot_code(), 1);

        let error = certificate.load_from_string("hello").unwrap_err();
        assert_eq!(error.to_string(), "no certificate found");
        let no_certificate = |source: &PemError| matches!(source, PemError::NoCertificate { .. });
        assert!(matches!(&error, CryptoError::Content { path: None, source } if no_certificate(source)));
        assert_eq!(certificate, before);
    }

    #[test]
    fn der_files_are_taken_too() {
        let folder = Folder::new();
        let mut certificate = X509Certificate::new();
        certificate.load_from_string(&pem("rsa2048-root.pem")).unwrap();
        let path = folder.path("root.der");
        fs::write(&path, &certificate.certificates()[0]).unwrap();
        let mut other = X509Certificate::new();
        other.load(&path).unwrap();
        assert_eq!(other, certificate);
        assert_eq!(X509Certificate::from(other.certificates().to_vec()), certificate);
    }

    #[test]
    fn an_empty_object_is_not_saved() {
        let folder = Folder::new();
        let empty = X509Certificate::new();
        assert!(empty.is_empty());
        let error = empty.save(folder.path("x.pem")).unwrap_err();
        assert!(matches!(error, CryptoError::Empty));
        assert_eq!((error.godot_code(), error.to_string().as_str()), (3, "nothing has been loaded"));
        assert_eq!(folder.names(), [""; 0]);
        assert!(empty.trust_anchors().unwrap().is_empty());
    }

    #[test]
    fn all_of_them_are_trusted() {
        let mut certificate = X509Certificate::new();
        certificate.load_from_string(&two()).unwrap();
        assert_eq!(certificate.trust_anchors().unwrap().len(), 2);
        let nonsense = X509Certificate::from(vec![CertificateDer::from(vec![0x30, 0])]);
        assert!(nonsense.trust_anchors().is_err());
        assert_eq!(format!("{nonsense:?}"), r#"X509Certificate(["without subject"])"#);
    }
}
