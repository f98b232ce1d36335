//! Counts what a chain would cost webpki, and refuses what no honest chain costs. It must not build a path or compare
//! a name.
//!
//! webpki has budgets of its own, but they are meant for connections that a client has paid for: 200,000 steps of
//! path building, for which 9 certificates of one name are enough, take most of a second; 250,000 comparisons of
//! names take 60 ms. A datagram server needs less.

use alloc::vec::Vec;

use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;

use crate::error::CertificateError;

/// How many certificates the path builder may read for one chain, each perhaps many times: about 10 ms. The four
/// certificates of an authority that changes its key (RFC 4210 section 4.4) need 5,824.
const READINGS: usize = 10_000;
/// webpki follows a path over at most this many authorities below the configured one.
const DEPTH: usize = 6;
/// A chain with fewer authorities is harmless in any arrangement.
const FEW: usize = 3;

/// Refuses authorities whose names lead to one another in more ways than a path can be sought in.
///
/// Counts the ways from the leaf upwards by names alone, loops included, so it never counts less than webpki follows.
pub(crate) fn check_path_steps(
    leaf: &EndEntityCert<'_>,
    intermediates: &[CertificateDer<'_>],
) -> Result<(), CertificateError> {
    if intermediates.len() <= FEW {
        return Ok(());
    }
    // Unreadable ones are steps without a way on.
    let authorities: Vec<_> =
        intermediates.iter().filter_map(|each| EndEntityCert::try_from(each).ok()).collect();
    // ways[i]: in how many ways authority i is reached in exactly the steps so far.
    let mut ways: Vec<usize> =
        authorities.iter().map(|each| usize::from(each.subject() == leaf.issuer())).collect();
    let mut visits = 1_usize;
    for _ in 0..DEPTH {
        visits = ways.iter().fold(visits, |sum, each| sum.saturating_add(*each));
        let upper = authorities.iter().enumerate().map(|(at, upper)| {
            let below = authorities.iter().zip(&ways).enumerate();
            let issued =
                below.filter(|(other, (lower, _))| *other != at && lower.issuer() == upper.subject());
            issued.fold(0_usize, |sum, (_, (_, ways))| sum.saturating_add(*ways))
        });
        ways = upper.collect();
    }
    // Each visit reads all of them, to find those of the right name.
    if visits.saturating_mul(intermediates.len()) > READINGS {
        return Err(CertificateError::TooComplex);
    }
    Ok(())
}

pub(crate) use constraints::{check_comparisons, subtrees};

mod constraints {
    use rustls_pki_types::CertificateDer;

    use crate::anchor::TrustAnchors;
    use crate::der::values;
    use crate::dn_match::Prepared;
    use crate::error::CertificateError;
    use crate::read::Reading;

    /// Comparisons of a name with a constraint that one chain may cost: some 20 ms.
    const COMPARISONS: usize = 100_000;
    /// The OBJECT IDENTIFIER of nameConstraints, 2.5.29.30, in DER.
    const NAME_CONSTRAINTS: &[u8] = &[6, 3, 0x55, 0x1d, 0x1e];

    /// Refuses a chain whose names times the constraints on it are more than a sane chain has.
    pub(crate) fn check_comparisons(
        anchors: &TrustAnchors,
        chain: &[CertificateDer<'_>],
    ) -> Result<(), CertificateError> {
        // Nearly all chains end here.
        let configured = anchors.authorities().any(|(own, _)| own.said.name_constraints.is_some());
        if !configured && !chain.iter().skip(1).any(|each| mentions_constraints(each)) {
            return Ok(());
        }
        let (mut names, mut own_constraints, mut above) = (0_usize, 0_usize, 0_usize);
        for certificate in chain {
            // What cannot be read costs no comparison: webpki refuses it.
            let Some(reading) = Reading::of(certificate) else { continue };
            let alternatives = reading.alternative_names().ok().flatten().map_or(0, listed);
            // The subject counts as a name.
            names = names.saturating_add(1).saturating_add(alternatives);
            let constraints = reading.name_constraints().ok().flatten().map_or(0, subtrees);
            own_constraints = own_constraints.saturating_add(constraints);
            above = above.max(configured_above(anchors, &reading));
        }
        if names.saturating_mul(own_constraints.saturating_add(above)) > COMPARISONS {
            return Err(CertificateError::TooComplex);
        }
        Ok(())
    }

    /// The constraints of a configured authority with the name of this certificate's issuer.
    fn configured_above(anchors: &TrustAnchors, reading: &Reading<'_>) -> usize {
        let Some(issuer) = Prepared::of(reading.issuer()) else { return 0 };
        let Some(spelling) = anchors.spelling(&issuer) else { return 0 };
        let named = anchors.authorities().filter(|(_, anchor)| anchor.subject.as_ref() == spelling);
        named.filter_map(|(own, _)| own.said.name_constraints).max().unwrap_or(0)
    }

    fn mentions_constraints(certificate: &[u8]) -> bool {
        certificate.windows(NAME_CONSTRAINTS.len()).any(|window| window == NAME_CONSTRAINTS)
    }

    /// GeneralNames: a SEQUENCE of names.
    fn listed(extension: &[u8]) -> usize {
        values(extension).flat_map(values).count()
    }

    /// NameConstraints: a SEQUENCE of up to two lists of subtrees.
    pub(crate) fn subtrees(extension: &[u8]) -> usize {
        values(extension).flat_map(values).flat_map(values).count()
    }
}
