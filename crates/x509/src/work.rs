//! Counts the comparisons that name constraints would cost, before they are made. It must not make one.

use rustls_pki_types::CertificateDer;

use crate::der::values;
use crate::read::Reading;

/// Comparisons of a name with a constraint that one chain may cost: some milliseconds. webpki stops at 250,000, which
/// is 60 ms, too long for a datagram server.
const COMPARISONS: usize = 20_000;
/// The OBJECT IDENTIFIER of nameConstraints, 2.5.29.30, in DER.
const NAME_CONSTRAINTS: &[u8] = &[6, 3, 0x55, 0x1d, 0x1e];

/// Whether the names of the chain times its constraints are more than a sane chain has.
///
/// The constraints of configured authorities are the user's own and are not counted.
pub(crate) fn is_excessive(
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> bool {
    // Nearly all chains end here.
    if !intermediates.iter().any(|each| mentions_constraints(each)) {
        return false;
    }
    let (mut names, mut constraints) = (0_usize, 0_usize);
    for certificate in core::iter::once(leaf).chain(intermediates) {
        // What cannot be read costs no comparison: webpki refuses it.
        let Some(reading) = Reading::of(certificate) else {
            continue;
        };
        // The subject counts as a name.
        names = names
            .saturating_add(1)
            .saturating_add(reading.alternative_names().map_or(0, count));
        constraints = constraints.saturating_add(reading.name_constraints().map_or(0, subtrees));
    }
    names.saturating_mul(constraints) > COMPARISONS
}

fn mentions_constraints(certificate: &[u8]) -> bool {
    certificate
        .windows(NAME_CONSTRAINTS.len())
        .any(|window| window == NAME_CONSTRAINTS)
}

/// GeneralNames: a SEQUENCE of names.
fn count(extension: &[u8]) -> usize {
    values(extension).flat_map(values).count()
}

/// NameConstraints: a SEQUENCE of up to two lists of subtrees.
fn subtrees(extension: &[u8]) -> usize {
    values(extension).flat_map(values).flat_map(values).count()
}
