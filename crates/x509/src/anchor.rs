//! The certificates that the user trusts. It must not know what they will be used for.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};

use crate::der::{SEQUENCE, encode, only};
use crate::directory::{Constraints, Split};
use crate::dn_match::Prepared;
use crate::error::{CertificateError, Usage, Which};
use crate::pem::{PemError, certificates_from_pem};
use crate::read::{Reading, Unreadable};
use crate::validity::Validity;

/// Certificates that are trusted because the user says so.
///
/// Each is trusted as a leaf if exactly these bytes are presented. One that is a certificate authority is also
/// trusted to issue others: version 3 needs basicConstraints with the CA bit and, if there is a key usage, keyCertSign;
/// older versions must be self-issued. So a configured server certificate cannot vouch for other servers. An authority
/// is held to what its certificate says: dates, path length, extended key usage, name constraints and critical
/// extensions.
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
    /// How the subjects of `issuers` are spelled there: several spellings of one name (RFC 5280 section 7.1) became the first.
    /// The content of the Name, as webpki has it.
    spellings: BTreeMap<Prepared, Vec<u8>>,
}

/// One certificate, and what of it is needed in every handshake.
#[derive(Clone)]
pub(crate) struct Configured {
    pub(crate) der: CertificateDer<'static>,
    pub(crate) said: Said,
}

/// What a configured certificate says of itself.
#[derive(Clone)]
pub(crate) struct Said {
    pub(crate) subject: Option<Arc<str>>,
    /// How many subtrees its name constraints list; `None` if it has none.
    pub(crate) name_constraints: Option<usize>,
    /// Those of them that are checked here.
    pub(crate) constraints: Constraints,
    may_issue: bool,
    validity: Validity,
    /// How many authorities may stand between it and a leaf; `None` if it does not say.
    path_length: Option<usize>,
    /// What its extended key usage allows.
    server_auth: bool,
    client_auth: bool,
    unknown_critical_extension: Option<String>,
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
    /// [`CertificateError::Malformed`] if it is not a DER X.509 certificate, or has an extension that cannot be read and
    /// would have to be obeyed; the anchors are then unchanged.
    pub fn add(&mut self, certificate: CertificateDer<'_>) -> Result<(), CertificateError> {
        if self.find(&certificate).is_some() {
            return Ok(());
        }
        let anchor = webpki::anchor_from_trusted_cert(&certificate)
            .map_err(|_| CertificateError::Malformed { which: Which::anchor(&certificate) })?
            .to_owned();
        let said = Said::read(&certificate)?;
        if said.may_issue {
            let shown = self.shown(anchor);
            self.issuers.push(shown);
            self.issuer_certificates.push(self.certificates.len());
        }
        self.certificates.push(Configured { der: certificate.into_owned(), said });
        Ok(())
    }

    /// What webpki is shown of an authority: its name in the spelling that others had first, and no constraints on directory
    /// names, which are compared here.
    fn shown(&mut self, mut anchor: TrustAnchor<'static>) -> TrustAnchor<'static> {
        if let Some(prepared) = Prepared::of(&encode(SEQUENCE, &anchor.subject)) {
            let spelling = self.spellings.entry(prepared).or_insert_with(|| anchor.subject.to_vec());
            anchor.subject = spelling.clone().into();
        }
        let constraints = anchor.name_constraints.as_ref().map(|content| encode(SEQUENCE, content));
        let split = constraints.as_deref().and_then(|constraints| Split::of(constraints).ok());
        if let Some(split) = split.filter(|split| split.constraints.on_directory_names()) {
            let others = split.others.as_deref().and_then(|others| only(others, SEQUENCE));
            anchor.name_constraints = others.map(|content| content.to_vec().into());
        }
        anchor
    }

    /// How webpki is shown this name, if an authority has it. The content of the Name.
    pub(crate) fn spelling(&self, name: &Prepared) -> Option<&[u8]> {
        self.spellings.get(name).map(Vec::as_slice)
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
    pub(crate) fn authorities(&self) -> impl Iterator<Item = (&Configured, &TrustAnchor<'static>)> {
        let certificates = self.issuer_certificates.iter();
        certificates.filter_map(|at| self.certificates.get(*at)).zip(&self.issuers)
    }
}

impl Said {
    fn read(der: &CertificateDer<'_>) -> Result<Self, CertificateError> {
        let reading = Reading::of(der).ok_or(Unreadable);
        let said = reading.and_then(|reading| Self::of(&reading));
        said.map_err(|Unreadable| CertificateError::Malformed { which: Which::anchor(der) })
    }

    fn of(reading: &Reading<'_>) -> Result<Self, Unreadable> {
        Ok(Self {
            subject: reading.subject_text().map(Into::into),
            name_constraints: reading.name_constraints()?.map(crate::work::subtrees),
            constraints: Constraints::of(reading)?,
            may_issue: may_issue(reading)?,
            validity: reading.validity(),
            path_length: reading.basic_constraints()?.path_length,
            server_auth: reading.allows(Usage::ServerAuth)?,
            client_auth: reading.allows(Usage::ClientAuth)?,
            unknown_critical_extension: reading.unknown_critical_extension(),
        })
    }
}

impl Configured {
    pub(crate) fn which(&self) -> Which {
        Which::anchor(&self.der)
    }

    /// Whether it may vouch, at `time`, for a leaf that is used so, over `authorities` between them that are not
    /// self-issued.
    ///
    /// RFC 5280 section 6.2 leaves it to us whether a trust anchor is held to what its certificate says. It is: a
    /// company's authority for clients, or one that may have no others below it, says so there and nowhere else.
    pub(crate) fn check_issuer(
        &self,
        usage: Usage,
        authorities: usize,
        time: UnixTime,
    ) -> Result<(), CertificateError> {
        let said = &self.said;
        if let Some(extension) = &said.unknown_critical_extension {
            let extension = extension.clone();
            return Err(CertificateError::UnsupportedCriticalExtension { which: self.which(), extension });
        }
        said.validity.check(time).map_err(|outside| outside.error(self.which(), time))?;
        let allowed = match usage {
            Usage::ClientAuth => said.client_auth,
            _ => said.server_auth,
        };
        if !allowed {
            return Err(CertificateError::WrongUsage { which: self.which(), usage });
        }
        if said.path_length.is_some_and(|most| authorities > most) {
            return Err(CertificateError::PathLengthExceeded { which: self.which() });
        }
        Ok(())
    }
}

/// RFC 5280 section 6.1.4 (k) and (n); versions without extensions are known as authorities "through out-of-band
/// means" only, which is the user's word here, and only a self-issued one is meant as such.
fn may_issue(reading: &Reading<'_>) -> Result<bool, Unreadable> {
    if reading.is_old()? {
        return Ok(Prepared::of(reading.subject()) == Prepared::of(reading.issuer()));
    }
    Ok(reading.is_authority()? && reading.allows(Usage::KeyCertSign)?)
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
