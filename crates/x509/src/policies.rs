//! Certificate policies (RFC 5280 sections 4.2.1.4, 4.2.1.5, 4.2.1.11, 4.2.1.14), as far as they decide whether a path is
//! valid. It must not know how the path was found.
//!
//! Nobody here asks for a policy (RFC 5280 section 6.1.1: the user-initial-policy-set is any-policy, nothing is inhibited or
//! required). So policies matter only where an authority demands one with requireExplicitPolicy. Then some policy must be
//! valid all along the path. Without policy mappings that is so exactly if one policy stands in every certificate of it, or
//! anyPolicy in its place: a set, no tree (the trees of RFC 5280 grow exponentially, RFC 9618 section 3.1). Where a policy is
//! demanded of a path with mappings, the path is refused.

use alloc::collections::BTreeSet;

use crate::der::{INTEGER, OBJECT_IDENTIFIER, SEQUENCE, elements, only, optional, value};
use crate::oid;
use crate::read::{Reading, Unreadable, natural};

const REQUIRE_EXPLICIT_POLICY: u8 = 0x80;
const INHIBIT_POLICY_MAPPING: u8 = 0x81;

/// What the four extensions of one certificate say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Policies<'a> {
    /// `None` without certificatePolicies.
    listed: Option<BTreeSet<&'a [u8]>>,
    has_mappings: bool,
    /// After how many certificates below a policy is demanded; `None` for never.
    require_explicit: Option<usize>,
    /// After how many certificates below anyPolicy counts no more; `None` for never.
    inhibit_any: Option<usize>,
}

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A policy is demanded, and from this certificate on (counted from the top) none is valid.
    Missing(usize),
    /// A policy is demanded, and this certificate (counted from the top) maps policies.
    Mapped(usize),
}

impl<'a> Policies<'a> {
    pub(crate) fn of(reading: &Reading<'a>) -> Result<Self, Unreadable> {
        let decode = |oid| reading.extension(oid);
        let mut policies = Self::default();
        if let Some(value) = decode(oid::CERTIFICATE_POLICIES)? {
            policies.listed = Some(listed(value).ok_or(Unreadable)?);
        }
        if let Some(value) = decode(oid::POLICY_MAPPINGS)? {
            policies.has_mappings = true;
            maps_known_policies(value).ok_or(Unreadable)?;
        }
        if let Some(value) = decode(oid::POLICY_CONSTRAINTS)? {
            policies.require_explicit = require_explicit(value).ok_or(Unreadable)?;
        }
        if let Some(value) = decode(oid::INHIBIT_ANY_POLICY)? {
            policies.inhibit_any = Some(only(value, INTEGER).and_then(natural).ok_or(Unreadable)?);
        }
        Ok(policies)
    }
}

/// Whether a certificate may demand a policy: only then there is anything to check.
pub(crate) fn may_demand(reading: &Reading<'_>) -> bool {
    reading.extension(oid::POLICY_CONSTRAINTS) != Ok(None)
}

/// PolicyInformation: the policy, and qualifiers that are for people.
fn listed(value: &[u8]) -> Option<BTreeSet<&[u8]>> {
    let list = elements(only(value, SEQUENCE)?);
    list.map(|item| {
        let item = item.filter(|item| item.tag == SEQUENCE)?;
        self::value(item.content, OBJECT_IDENTIFIER).map(|(policy, _)| policy)
    })
    .collect()
}

/// RFC 5280 section 6.1.4 (a): anyPolicy is not mapped. `None` if it is, or if this is no PolicyMappings.
fn maps_known_policies(value: &[u8]) -> Option<()> {
    elements(only(value, SEQUENCE)?).try_for_each(|pair| {
        let (from, rest) = self::value(pair.filter(|pair| pair.tag == SEQUENCE)?.content, OBJECT_IDENTIFIER)?;
        let to = only(rest, OBJECT_IDENTIFIER)?;
        (from != oid::ANY_POLICY && to != oid::ANY_POLICY).then_some(())
    })
}

fn require_explicit(value: &[u8]) -> Option<Option<usize>> {
    let mut fields = only(value, SEQUENCE)?;
    let require = match optional(&mut fields, REQUIRE_EXPLICIT_POLICY)? {
        Some(number) => Some(natural(number)?),
        None => None,
    };
    if let Some(number) = optional(&mut fields, INHIBIT_POLICY_MAPPING)? {
        natural(number)?;
    }
    fields.is_empty().then_some(require)
}

/// One certificate of a path, from the top.
#[derive(Clone, Debug)]
pub(crate) struct Step<'a> {
    pub(crate) policies: Policies<'a>,
    pub(crate) is_self_issued: bool,
}

/// Policies along a path, from the certificate below the anchor to the leaf (RFC 5280 sections 6.1.3 (d) to (f), 6.1.4 (a), (b),
/// (h) to (j), 6.1.5 (a), (b), (g)). `anchor` is what the configured certificate says, which demands and restricts as any
/// other.
pub(crate) fn check(anchor: &Policies<'_>, path: &[Step<'_>]) -> Result<(), Refusal> {
    let mapped = path.iter().position(|step| step.policies.has_mappings);
    // `None`: any policy is still valid.
    let mut valid = anchor.listed.clone().filter(|listed| !listed.contains(oid::ANY_POLICY));
    let (mut explicit, mut inhibit_any) = (anchor.require_explicit, anchor.inhibit_any);
    for (place, step) in path.iter().enumerate() {
        let is_leaf = place.saturating_add(1) == path.len();
        let Step { policies, is_self_issued } = step;
        let any_counts = inhibit_any != Some(0) || (*is_self_issued && !is_leaf);
        valid = match (valid, &policies.listed) {
            (_, None) => Some(BTreeSet::new()),
            (valid, Some(listed)) if any_counts && listed.contains(oid::ANY_POLICY) => valid,
            (None, Some(listed)) => {
                Some(listed.iter().copied().filter(|policy| *policy != oid::ANY_POLICY).collect())
            }
            (Some(valid), Some(listed)) => {
                Some(valid.into_iter().filter(|policy| listed.contains(policy)).collect())
            }
        };
        if is_leaf {
            // Section 6.1.5 (a) and (b): the leaf counts itself, and may demand a policy of itself.
            explicit = explicit.map(|count| count.saturating_sub(1));
            if policies.require_explicit == Some(0) {
                explicit = Some(0);
            }
        }
        if explicit == Some(0) {
            if let Some(place) = mapped {
                return Err(Refusal::Mapped(place));
            }
            if valid.as_ref().is_some_and(BTreeSet::is_empty) {
                return Err(Refusal::Missing(place));
            }
        }
        let lowered = |counter: Option<usize>, own: Option<usize>| {
            let counter = counter.map(|count| count.saturating_sub(usize::from(!is_self_issued)));
            match (counter, own) {
                (Some(count), Some(own)) => Some(count.min(own)),
                (count, own) => count.or(own),
            }
        };
        explicit = lowered(explicit, policies.require_explicit);
        inhibit_any = lowered(inhibit_any, policies.inhibit_any);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    const P: &[u8] = &[1];
    const Q: &[u8] = &[2];
    const ANY: &[u8] = oid::ANY_POLICY;

    fn step(listed: &[&'static [u8]]) -> Step<'static> {
        let listed = (!listed.is_empty()).then(|| listed.iter().copied().collect());
        Step { policies: Policies { listed, ..Policies::default() }, is_self_issued: false }
    }

    fn demanding(mut step: Step<'static>, after: usize) -> Step<'static> {
        step.policies.require_explicit = Some(after);
        step
    }

    fn without_any(mut step: Step<'static>, after: usize) -> Step<'static> {
        step.policies.inhibit_any = Some(after);
        step
    }

    fn self_issued(mut step: Step<'static>) -> Step<'static> {
        step.is_self_issued = true;
        step
    }

    fn judge(path: &[Step<'static>]) -> Result<(), Refusal> {
        check(&Policies::default(), path)
    }

    #[test]
    fn nothing_matters_unless_a_policy_is_demanded() {
        for path in [
            Vec::new(),
            [step(&[])].into(),
            [step(&[P]), step(&[Q])].into(),
            [step(&[ANY]), step(&[])].into(),
        ] {
            assert_eq!(judge(&path), Ok(()), "{path:?}");
        }
    }

    #[test]
    fn a_demanded_policy_stands_in_every_certificate() {
        let demand = |listed| demanding(step(listed), 0);
        assert_eq!(judge(&[demand(&[P]), step(&[P])]), Ok(()));
        assert_eq!(judge(&[demand(&[P, Q]), step(&[Q])]), Ok(()));
        assert_eq!(judge(&[demand(&[ANY]), step(&[Q])]), Ok(()));
        assert_eq!(judge(&[demand(&[P]), step(&[ANY])]), Ok(()));
        assert_eq!(judge(&[demand(&[P]), step(&[ANY]), step(&[P])]), Ok(()));
        assert_eq!(judge(&[demand(&[P]), step(&[ANY]), step(&[Q])]), Err(Refusal::Missing(2)));
        assert_eq!(judge(&[demand(&[P]), step(&[Q])]), Err(Refusal::Missing(1)));
        assert_eq!(judge(&[demand(&[P]), step(&[])]), Err(Refusal::Missing(1)));
        assert_eq!(judge(&[demand(&[]), step(&[P])]), Err(Refusal::Missing(1)));
        assert_eq!(
            judge(&[step(&[P]), demand(&[])]),
            Err(Refusal::Missing(1)),
            "the leaf demands it of itself"
        );
    }

    #[test]
    fn a_demand_takes_effect_after_as_many_certificates_as_it_says() {
        let path = |after| [demanding(step(&[P]), after), step(&[P]), step(&[])];
        assert_eq!(judge(&path(0)), Err(Refusal::Missing(2)));
        assert_eq!(judge(&path(1)), Err(Refusal::Missing(2)));
        assert_eq!(judge(&path(2)), Err(Refusal::Missing(2)), "the leaf counts itself");
        assert_eq!(judge(&path(3)), Ok(()));
        let with_self_issued = [demanding(step(&[P]), 2), self_issued(step(&[P])), step(&[])];
        assert_eq!(judge(&with_self_issued), Ok(()), "self-issued certificates do not count");
        let twice = [demanding(step(&[P]), 9), demanding(step(&[P]), 0), step(&[])];
        assert_eq!(judge(&twice), Err(Refusal::Missing(2)));
        let weaker = [demanding(step(&[P]), 0), demanding(step(&[P]), 9), step(&[])];
        assert_eq!(judge(&weaker), Err(Refusal::Missing(2)));
    }

    #[test]
    fn any_policy_can_be_inhibited() {
        let top = |after| without_any(demanding(step(&[P]), 0), after);
        assert_eq!(judge(&[top(0), step(&[ANY])]), Err(Refusal::Missing(1)));
        assert_eq!(judge(&[top(1), step(&[ANY]), step(&[P])]), Ok(()));
        assert_eq!(judge(&[top(1), step(&[P]), step(&[ANY])]), Err(Refusal::Missing(2)));
        assert_eq!(judge(&[top(0), self_issued(step(&[ANY])), step(&[P])]), Ok(()));
        assert_eq!(
            judge(&[top(0), self_issued(step(&[ANY]))]),
            Err(Refusal::Missing(1)),
            "a leaf is no authority"
        );
    }

    #[test]
    fn mappings_are_not_followed_where_a_policy_is_demanded() {
        let mut mapping = step(&[P]);
        mapping.policies.has_mappings = true;
        assert_eq!(judge(&[mapping.clone(), step(&[Q])]), Ok(()));
        assert_eq!(judge(&[demanding(step(&[P]), 0), mapping, step(&[P])]), Err(Refusal::Mapped(1)));
    }

    #[test]
    fn an_anchor_demands_as_any_other() {
        let anchor = demanding(step(&[P]), 0).policies;
        assert_eq!(check(&anchor, &[step(&[P])]), Ok(()));
        assert_eq!(check(&anchor, &[step(&[Q])]), Err(Refusal::Missing(0)));
    }
}
