//! What webpki leaves out, for each path whose signatures and dates it found good. It must not build a path.
//!
//! Key sizes, usage, path lengths and constraints on directory names as RFC 5280 section 6.1 has them, policies where an
//! authority demands one, and what the configured authority says about itself.

use alloc::vec::Vec;

use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::VerifiedPath;

use crate::anchor::Configured;
use crate::directory::{Constraints, Names};
use crate::error::{CertificateError, Usage, Which};
use crate::key;
use crate::policies::{self, Policies, Refusal, Step, may_demand};
use crate::policy::Policy;
use crate::read::Reading;
use crate::view::Chain;

/// A path, with its certificates as they were presented.
pub(crate) struct Candidate<'a> {
    policy: &'a Policy,
    path: &'a VerifiedPath<'a>,
    /// The configured certificate that it leads to.
    configured: &'a Configured,
    /// From the leaf upwards.
    certificates: Vec<Link<'a>>,
}

/// One certificate of a path.
struct Link<'a> {
    index: usize,
    der: &'a CertificateDer<'a>,
    reading: Reading<'a>,
    is_self_issued: bool,
}

impl Link<'_> {
    fn which(&self) -> Which {
        Which::presented(self.index, self.der)
    }

    fn malformed(&self) -> CertificateError {
        CertificateError::Malformed { which: self.which() }
    }
}

impl<'a> Candidate<'a> {
    pub(crate) fn new(
        policy: &'a Policy,
        path: &'a VerifiedPath<'a>,
        chain: &'a Chain<'a>,
    ) -> Result<Self, CertificateError> {
        let leaf = chain.originals().first().map(|leaf| (0, leaf));
        let leaf = core::iter::once((leaf, false));
        let issuers = path.intermediate_certificates().map(|issuer| {
            // Of the names as they are shown, equal ones are equal in bytes.
            (chain.find(&issuer.der()), issuer.subject() == issuer.issuer())
        });
        // webpki has been given these certificates and these anchors, so that none is missing.
        let missing = || CertificateError::Malformed { which: Which::Undetermined };
        let link = |(found, is_self_issued): (Option<(usize, &'a CertificateDer<'a>)>, bool)| {
            let (index, der) = found.ok_or_else(missing)?;
            let malformed = || CertificateError::Malformed { which: Which::presented(index, der) };
            Ok(Link { index, der, reading: Reading::of(der).ok_or_else(malformed)?, is_self_issued })
        };
        let certificates = leaf.chain(issuers).map(link).collect::<Result<_, _>>()?;
        let configured = policy.anchors.certificate_of(path.anchor()).ok_or_else(missing)?;
        Ok(Self { policy, path, configured, certificates })
    }

    /// All that does not depend on the expected name.
    pub(crate) fn check(&self, usage: Usage, time: UnixTime) -> Result<(), CertificateError> {
        self.check_keys()?;
        let mut below = 0_usize;
        for issuer in self.issuers() {
            issuer.reading.check_usage(Usage::KeyCertSign, || issuer.which())?;
            let constraints = issuer.reading.basic_constraints().map_err(|_| issuer.malformed())?;
            if constraints.path_length.is_some_and(|most| below > most) {
                return Err(CertificateError::PathLengthExceeded { which: issuer.which() });
            }
            // Self-issued ones do not count (RFC 5280 section 6.1.4 (l)).
            below = below.saturating_add(usize::from(!issuer.is_self_issued));
        }
        self.configured.check_issuer(usage, below, time)?;
        self.check_directory_names()?;
        self.check_policies()
    }

    /// Whether some authority of the path has name constraints, or some that cannot be read.
    pub(crate) fn is_constrained(&self) -> bool {
        self.configured.said.name_constraints.is_some()
            || self.issuers().any(|issuer| issuer.reading.name_constraints() != Ok(None))
    }

    /// The leaf.
    pub(crate) fn leaf(&self) -> Option<&Reading<'a>> {
        self.certificates.first().map(|leaf| &leaf.reading)
    }

    /// From the leaf upwards.
    fn issuers(&self) -> impl Iterator<Item = &Link<'a>> {
        self.certificates.iter().skip(1)
    }

    fn check_keys(&self) -> Result<(), CertificateError> {
        let min = self.policy.min_rsa_bits;
        if let Some(size) = key::odd_size(webpki::spki_for_anchor(self.path.anchor()), min) {
            return Err(size.error(self.configured.which(), min));
        }
        for (issuer, shown) in self.issuers().zip(self.path.intermediate_certificates()) {
            if let Some(size) = key::odd_size(shown.subject_public_key_info(), min) {
                return Err(size.error(issuer.which(), min));
            }
        }
        Ok(())
    }

    /// RFC 5280 section 6.1.3 (b) and (c), for directory names and for addresses in them.
    fn check_directory_names(&self) -> Result<(), CertificateError> {
        let read = |issuer: &Link<'_>| Constraints::of(&issuer.reading).map_err(|_| issuer.malformed());
        // For each certificate those of its issuer.
        let mut constraints: Vec<_> = self.issuers().map(read).collect::<Result<_, _>>()?;
        constraints.push(self.configured.said.constraints.clone());
        if constraints.iter().all(Constraints::is_empty) {
            return Ok(());
        }
        for (place, certificate) in self.certificates.iter().enumerate() {
            if certificate.is_self_issued {
                continue;
            }
            let names = Names::of(&certificate.reading).map_err(|_| certificate.malformed())?;
            if !constraints.iter().skip(place).all(|above| above.admit(&names)) {
                return Err(CertificateError::NameConstraintViolated { which: certificate.which() });
            }
        }
        Ok(())
    }

    fn check_policies(&self) -> Result<(), CertificateError> {
        let malformed = || CertificateError::Malformed { which: self.configured.which() };
        let anchor = Reading::of(&self.configured.der).ok_or_else(malformed)?;
        let mut readings = self.certificates.iter().map(|each| &each.reading).chain([&anchor]);
        if !readings.any(may_demand) {
            return Ok(());
        }
        let anchor = Policies::of(&anchor).map_err(|_| malformed())?;
        let step = |each: &Link<'a>| {
            let policies = Policies::of(&each.reading).map_err(|_| each.malformed())?;
            Ok(Step { policies, is_self_issued: each.is_self_issued })
        };
        let path: Vec<_> = self.certificates.iter().rev().map(step).collect::<Result<_, _>>()?;
        let from_top = |place: usize| {
            let found = self.certificates.iter().rev().nth(place);
            found.map_or(Which::Undetermined, Link::which)
        };
        policies::check(&anchor, &path).map_err(|refusal| match refusal {
            Refusal::Missing(place) => CertificateError::PolicyMissing { which: from_top(place) },
            Refusal::Mapped(place) => CertificateError::UnsupportedPolicyMappings { which: from_top(place) },
        })
    }
}
