//! Name constraints on directory names (RFC 5280 section 4.2.1.10), which webpki does not compare, and on e-mail addresses in
//! them. It must not know of names of other kinds.

use alloc::vec::Vec;

use crate::der::{SEQUENCE, elements, encode, only};
use crate::dn;
use crate::dn_match::{Prepared, is_plain};
use crate::oid;
use crate::read::{Reading, Unreadable};

const PERMITTED: u8 = 0xa0;
const EXCLUDED: u8 = 0xa1;
/// rfc822Name among the GeneralNames.
const RFC822_NAME: u8 = 0x81;
/// directoryName among the GeneralNames; explicit, since a Name is a CHOICE.
const DIRECTORY_NAME: u8 = 0xa4;

/// What an authority's certificate permits and excludes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Constraints {
    permitted: Vec<Prepared>,
    excluded: Vec<Prepared>,
    /// Whether an excluded name has more than printable ASCII, so that names may be equal to it that are not found to be.
    excludes_beyond_ascii: bool,
    /// Whether there are any on e-mail addresses, which nobody here compares.
    on_addresses: bool,
}

/// The names of a certificate that these constraints are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    /// The subject, and the directory names among the alternative names.
    directory: Vec<Prepared>,
    /// Whether one of them has more than printable ASCII.
    beyond_ascii: bool,
    /// Whether an address stands in the subject, and there are no alternative names: then constraints on addresses apply to
    /// it.
    has_address: bool,
}

/// Name constraints in two parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Split {
    pub(crate) constraints: Constraints,
    /// The DER of what is left without directory names; `None` if nothing is.
    pub(crate) others: Option<Vec<u8>>,
}

impl Split {
    /// Takes the directory names out of the DER of nameConstraints.
    pub(crate) fn of(name_constraints: &[u8]) -> Result<Self, Unreadable> {
        let mut constraints = Constraints::default();
        let mut others = Vec::new();
        for list in elements(only(name_constraints, SEQUENCE).ok_or(Unreadable)?) {
            let list = list.ok_or(Unreadable)?;
            let mut kept = Vec::new();
            for subtree in elements(list.content) {
                let subtree = subtree.filter(|subtree| subtree.tag == SEQUENCE).ok_or(Unreadable)?;
                constraints.on_addresses |= only(subtree.content, RFC822_NAME).is_some();
                let Some(name) = only(subtree.content, DIRECTORY_NAME) else {
                    kept.extend_from_slice(subtree.whole);
                    continue;
                };
                let prepared = Prepared::of(name).ok_or(Unreadable)?;
                match list.tag {
                    PERMITTED => constraints.permitted.push(prepared),
                    EXCLUDED => {
                        constraints.excluded.push(prepared);
                        constraints.excludes_beyond_ascii |= !is_plain(name);
                    }
                    _ => return Err(Unreadable),
                }
            }
            if !kept.is_empty() {
                others.extend(encode(list.tag, &kept));
            }
        }
        let others = (!others.is_empty()).then(|| encode(SEQUENCE, &others));
        Ok(Self { constraints, others })
    }
}

impl Constraints {
    /// Those in a certificate; none if it has none.
    pub(crate) fn of(reading: &Reading<'_>) -> Result<Self, Unreadable> {
        let split = reading.name_constraints()?.map(Split::of).transpose()?;
        Ok(split.map(|split| split.constraints).unwrap_or_default())
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether there are any on directory names.
    pub(crate) fn on_directory_names(&self) -> bool {
        !self.permitted.is_empty() || !self.excluded.is_empty()
    }

    /// Whether a certificate with these names may stand below. An empty subject may: RFC 5280 section 4.2.1.10 exempts it.
    /// Beside excluded names none may of which it is not certain that it is another.
    pub(crate) fn admit(&self, names: &Names) -> bool {
        let within = |name: &Prepared, bases: &[Prepared]| bases.iter().any(|base| name.is_within(base));
        let admitted = |name: &Prepared| {
            (self.permitted.is_empty() || within(name, &self.permitted)) && !within(name, &self.excluded)
        };
        let is_empty_subject = |place: usize, name: &Prepared| place == 0 && name.is_empty();
        let mut names_in_question = names.directory.iter().enumerate();
        let uncertain = !self.excluded.is_empty() && (self.excludes_beyond_ascii || names.beyond_ascii);
        !uncertain
            && names_in_question.all(|(place, name)| is_empty_subject(place, name) || admitted(name))
            && !(self.on_addresses && names.has_address)
    }
}

impl Names {
    pub(crate) fn of(reading: &Reading<'_>) -> Result<Self, Unreadable> {
        let mut directory = alloc::vec![Prepared::of(reading.subject()).ok_or(Unreadable)?];
        let mut beyond_ascii = !is_plain(reading.subject());
        let Some(alternatives) = reading.alternative_names()? else {
            let attributes = dn::relative_names(reading.subject()).flatten().flat_map(dn::attributes);
            let has_address = attributes.flatten().any(|attribute| attribute.kind == oid::EMAIL_ADDRESS);
            return Ok(Self { directory, beyond_ascii, has_address });
        };
        for name in elements(only(alternatives, SEQUENCE).ok_or(Unreadable)?) {
            let name = name.ok_or(Unreadable)?;
            if name.tag == DIRECTORY_NAME {
                directory.push(Prepared::of(name.content).ok_or(Unreadable)?);
                beyond_ascii |= !is_plain(name.content);
            }
        }
        Ok(Self { directory, beyond_ascii, has_address: false })
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::der::{OBJECT_IDENTIFIER, SET};

    fn name(parts: &[&str]) -> Vec<u8> {
        let relative = parts.iter().map(|part| {
            let attribute = [encode(OBJECT_IDENTIFIER, oid::COMMON_NAME), encode(0x0c, part.as_bytes())];
            encode(SET, &encode(SEQUENCE, &attribute.concat()))
        });
        encode(SEQUENCE, &relative.collect::<Vec<_>>().concat())
    }

    fn subtree(tag: u8, content: &[u8]) -> Vec<u8> {
        encode(SEQUENCE, &encode(tag, content))
    }

    fn prepared(parts: &[&str]) -> Prepared {
        Prepared::of(&name(parts)).unwrap()
    }

    #[test]
    fn directory_names_are_taken_out_and_the_rest_stays() {
        let (dns, directory) = (subtree(0x82, b"a.example"), subtree(DIRECTORY_NAME, &name(&["a"])));
        let permitted = [dns.clone(), directory.clone()].concat();
        let both = encode(SEQUENCE, &[encode(PERMITTED, &permitted), encode(EXCLUDED, &directory)].concat());
        let split = Split::of(&both).unwrap();
        assert_eq!(split.others, Some(encode(SEQUENCE, &encode(PERMITTED, &dns))));
        let a = || vec![prepared(&["a"])];
        let expected =
            Constraints { permitted: a(), excluded: a(), excludes_beyond_ascii: false, on_addresses: false };
        assert_eq!(split.constraints, expected);
        let only_directory = encode(SEQUENCE, &encode(EXCLUDED, &directory));
        assert_eq!(Split::of(&only_directory).unwrap().others, None);
        let without = encode(SEQUENCE, &encode(PERMITTED, &dns));
        assert_eq!(
            Split::of(&without),
            Ok(Split { constraints: Constraints::default(), others: Some(without.clone()) })
        );
        assert_eq!(Split::of(b"no constraints"), Err(Unreadable));
        assert_eq!(Split::of(&encode(SEQUENCE, &encode(0xa2, &directory))), Err(Unreadable));
        let damaged = encode(SEQUENCE, &encode(PERMITTED, &subtree(DIRECTORY_NAME, b"no name")));
        assert_eq!(Split::of(&damaged), Err(Unreadable));
    }

    #[test]
    fn names_are_admitted_by_subtree() {
        let permitted =
            Constraints { permitted: vec![prepared(&["a"]), prepared(&["b"])], ..Constraints::default() };
        let excluded = Constraints { excluded: vec![prepared(&["a", "x"])], ..Constraints::default() };
        for (directory, by_permitted, by_excluded) in [
            (vec![prepared(&["A"])], true, true),
            (vec![prepared(&["a", "X"])], true, false),
            (vec![prepared(&["b", "y"]), prepared(&["c"])], false, true),
            (vec![prepared(&[])], true, true),
            (vec![], true, true),
        ] {
            let names = Names { directory, beyond_ascii: false, has_address: false };
            assert_eq!(permitted.admit(&names), by_permitted, "{names:?}");
            assert_eq!(excluded.admit(&names), by_excluded, "{names:?}");
        }
    }

    #[test]
    fn an_address_in_a_subject_is_refused_where_addresses_are_constrained() {
        let list = encode(PERMITTED, &subtree(RFC822_NAME, b"example.org"));
        let on_addresses = Split::of(&encode(SEQUENCE, &list)).unwrap().constraints;
        assert!(on_addresses.on_addresses && !on_addresses.on_directory_names() && !on_addresses.is_empty());
        let names =
            |has_address| Names { directory: vec![prepared(&["a"])], beyond_ascii: false, has_address };
        assert!(on_addresses.admit(&names(false)) && !on_addresses.admit(&names(true)));
        assert!(Constraints::default().admit(&names(true)));
    }
}
