//! Certificates and keys with Godot's names.

use drystone_x509::{CertificateDer, PemError, PrivateKeyDer, certificates_from_pem, private_key_from_pem};

/// Certificates.
#[derive(Clone, Debug, Default)]
pub struct X509Certificate(Vec<CertificateDer<'static>>);

impl X509Certificate {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// From PEM.
    ///
    /// # Errors
    /// Unreadable.
    pub fn load_from_string(&mut self, pem: &str) -> Result<(), PemError> {
        self.0 = certificates_from_pem(pem.as_bytes())?;
        Ok(())
    }

    /// From a PEM file.
    ///
    /// # Errors
    /// Unreadable.
    pub fn load(&mut self, path: impl AsRef<std::path::Path>) -> Result<(), Box<dyn std::error::Error>> {
        Ok(self.load_from_string(&std::fs::read_to_string(path)?)?)
    }

    /// The certificates.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.0
    }
}

/// A key.
#[derive(Debug, Default)]
pub struct CryptoKey(Option<PrivateKeyDer<'static>>);

impl CryptoKey {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// From PEM.
    ///
    /// # Errors
    /// Unreadable.
    pub fn load_from_string(&mut self, pem: &str, _public_only: bool) -> Result<(), PemError> {
        self.0 = Some(private_key_from_pem(pem.as_bytes())?);
        Ok(())
    }

    /// From a PEM file.
    ///
    /// # Errors
    /// Unreadable.
    pub fn load(
        &mut self,
        path: impl AsRef<std::path::Path>,
        public_only: bool,
    ) -> Result<(), Box<dyn std::error::Error>> {
        Ok(self.load_from_string(&std::fs::read_to_string(path)?, public_only)?)
    }

    /// The key.
    pub fn private_key(&self) -> Option<&PrivateKeyDer<'static>> {
        self.0.as_ref()
    }
}
