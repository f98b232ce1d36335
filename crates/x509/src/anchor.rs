//! The certificates that the user trusts. It must not know what they will be used for.

#[cfg(feature = "system-roots")]
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use rustls_pki_types::{CertificateDer, TrustAnchor};

use crate::diagnose;
use crate::error::{CertificateError, Which};
use crate::pem::{PemError, certificates_from_pem};
#[cfg(feature = "std")]
use crate::read::{Reading, Validity};

/// Certificates that are trusted because the user says so.
///
/// Each is trusted as a leaf if exactly these bytes are presented. One that is a certificate authority is also
/// trusted to issue others: version 3 needs basicConstraints with the CA bit and, if there is a key usage, keyCertSign;
/// older versions must be self-issued. So a configured server certificate cannot vouch for other servers.
///
/// ```
/// use drystone_x509::TrustAnchors;
/// let mut anchors = TrustAnchors::new();
/// assert!(anchors.is_empty());
/// assert!(anchors.add(b"not a certificate".as_slice().into()).is_err());
/// ```
#[derive(Clone, Default)]
pub struct TrustAnchors {
    certificates: Vec<Configured>,
    /// What webpki takes: the authorities among `certificates`.
    issuers: Vec<TrustAnchor<'static>>,
    /// For each of `issuers` the index of its certificate.
    issuer_certificates: Vec<usize>,
}

/// One certificate, and what of it is needed in every handshake.
#[derive(Clone)]
pub(crate) struct Configured {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) subject: Option<Arc<str>>,
    #[cfg(feature = "std")]
    pub(crate) validity: Validity,
    /// How many subtrees its name constraints list; `None` if it has none.
    #[cfg(feature = "std")]
    pub(crate) name_constraints: Option<usize>,
}

impl TrustAnchors {
    /// None: nothing is trusted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one certificate. A second copy changes nothing.
    ///
    /// # Errors
    ///
    /// [`CertificateError::Malformed`] if it is not a DER X.509 certificate; the anchors are then unchanged.
    pub fn add(&mut self, certificate: CertificateDer<'_>) -> Result<(), CertificateError> {
        if self.find(&certificate).is_some() {
            return Ok(());
        }
        let anchor = webpki::anchor_from_trusted_cert(&certificate)
            .map_err(|error| diagnose::unreadable(&error, Which::anchor(&certificate)))?
            .to_owned();
        let (configured, may_issue) = Configured::read(certificate.into_owned())?;
        if may_issue {
            self.issuers.push(anchor);
            self.issuer_certificates.push(self.certificates.len());
        }
        self.certificates.push(configured);
        Ok(())
    }

    /// All certificates of a PEM file; other sections are passed over.
    ///
    /// # Errors
    ///
    /// What [`certificates_from_pem`] says.
    pub fn from_pem(pem: &[u8]) -> Result<Self, PemError> {
        let mut anchors = Self::new();
        for (index, certificate) in certificates_from_pem(pem)?.into_iter().enumerate() {
            anchors.add(certificate).map_err(|_| PemError::MalformedCertificate { index })?;
        }
        Ok(anchors)
    }

    /// The trust anchors of the operating system. Certificates there that cannot be read are left out, as every such
    /// store has some.
    ///
    /// Reads files; call it once, not for each connection.
    ///
    /// # Errors
    ///
    /// [`SystemRootsError`] if there is not one usable certificate.
    #[cfg(feature = "system-roots")]
    pub fn system() -> Result<Self, SystemRootsError> {
        let found = rustls_native_certs::load_native_certs();
        let mut anchors = Self::new();
        for certificate in found.certs {
            // Unreadable: left out, see above.
            let _ = anchors.add(certificate);
        }
        if anchors.is_empty() {
            let reason = found.errors.first().map(alloc::string::ToString::to_string);
            return Err(SystemRootsError { reason: reason.unwrap_or_default() });
        }
        Ok(anchors)
    }

    /// Whether nothing is trusted.
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }

    /// How many certificates there are.
    pub fn len(&self) -> usize {
        self.certificates.len()
    }

    /// The configured certificate with exactly these bytes.
    pub(crate) fn find(&self, certificate: &CertificateDer<'_>) -> Option<&Configured> {
        self.certificates.iter().find(|configured| configured.der == *certificate)
    }

    pub(crate) fn issuers(&self) -> &[TrustAnchor<'static>] {
        &self.issuers
    }

    /// The certificate behind an element of [`Self::issuers`]: that very element, for a renewed authority has the
    /// same name and key as the old one.
    pub(crate) fn certificate_of(&self, anchor: &TrustAnchor<'_>) -> Option<&Configured> {
        let place = self.issuers.iter().position(|own| core::ptr::eq(own, anchor))?;
        self.certificates.get(*self.issuer_certificates.get(place)?)
    }

    /// The authorities' certificates, each with what webpki takes.
    #[cfg(feature = "std")]
    pub(crate) fn authorities(&self) -> impl Iterator<Item = (&Configured, &TrustAnchor<'static>)> {
        let certificates = self.issuer_certificates.iter();
        certificates.filter_map(|at| self.certificates.get(*at)).zip(&self.issuers)
    }
}

impl Configured {
    /// The certificate and whether it may issue others.
    #[cfg(feature = "std")]
    fn read(der: CertificateDer<'static>) -> Result<(Self, bool), CertificateError> {
        let malformed = || CertificateError::Malformed { which: Which::anchor(&der) };
        let reading = Reading::of(&der).ok_or_else(malformed)?;
        let may_issue = may_issue(&reading).map_err(|_| malformed())?;
        let name_constraints = reading.name_constraints().map_err(|_| malformed())?;
        let name_constraints = name_constraints.map(crate::work::subtrees);
        let subject = reading.subject_text().map(Into::into);
        let validity = reading.validity();
        drop(reading);
        Ok((Self { der, subject, validity, name_constraints }, may_issue))
    }

    #[cfg(not(feature = "std"))]
    fn read(der: CertificateDer<'static>) -> Result<(Self, bool), CertificateError> {
        Ok((Self { der, subject: None }, true))
    }
}

/// RFC 5280 section 6.1.4 (k) and (n); versions without extensions are known as authorities "through out-of-band
/// means" only, which is the user's word here, and only a self-issued one is meant as such.
#[cfg(feature = "std")]
fn may_issue(reading: &Reading<'_>) -> Result<bool, crate::read::Unreadable> {
    if reading.is_old()? {
        return Ok(reading.subject() == reading.issuer());
    }
    Ok(reading.is_authority()? && reading.allows(crate::error::Usage::KeyCertSign)?)
}

impl fmt::Debug for TrustAnchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustAnchors").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// The operating system's trust anchors could not be loaded.
#[cfg(feature = "system-roots")]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no usable trust anchor in the operating system's store: {reason}")]
pub struct SystemRootsError {
    reason: String,
}
