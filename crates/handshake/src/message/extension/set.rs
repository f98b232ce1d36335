//! A set of extension types: what a message asked for, so that the answer can be held against it. Knows no extension's
//! content.

use crate::message::registry::ExtensionType;

/// The extension types that have a name in the registry and stand in some message. Types without a name, GREASE among
/// them (RFC 8701 section 3.1), are never in it: nobody may answer them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExtensionSet(u64);

const _: () = assert!(ExtensionType::KNOWN.len() <= 64, "a bit for each named type");

impl ExtensionSet {
    /// No extension at all.
    pub(crate) const EMPTY: Self = Self(0);

    /// Whether a type is in the set.
    pub(crate) fn contains(self, extension_type: ExtensionType) -> bool {
        Self::bit(extension_type).is_some_and(|bit| self.0 & bit != 0)
    }

    /// Whether all of these are in the set.
    pub(crate) fn contains_all(self, types: impl IntoIterator<Item = ExtensionType>) -> bool {
        types.into_iter().all(|extension_type| self.contains(extension_type))
    }

    fn bit(extension_type: ExtensionType) -> Option<u64> {
        let place = ExtensionType::KNOWN.iter().position(|known| *known == extension_type)?;
        1_u64.checked_shl(u32::try_from(place).ok()?)
    }
}

impl Extend<ExtensionType> for ExtensionSet {
    fn extend<T: IntoIterator<Item = ExtensionType>>(&mut self, types: T) {
        self.0 |= types.into_iter().filter_map(Self::bit).fold(0, |set, bit| set | bit);
    }
}

impl FromIterator<ExtensionType> for ExtensionSet {
    fn from_iter<T: IntoIterator<Item = ExtensionType>>(types: T) -> Self {
        let mut set = Self::EMPTY;
        set.extend(types);
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_exactly_the_named_types_that_were_put_in() {
        for named in ExtensionType::KNOWN {
            let set: ExtensionSet = [*named, ExtensionType(0x1a1a)].into_iter().collect();
            for other in ExtensionType::KNOWN {
                assert_eq!(set.contains(*other), other == named, "{other} in the set of {named}");
            }
            assert!(!set.contains(ExtensionType(0x1a1a)), "GREASE is not to be answered");
            assert!(set.contains_all([*named, *named]) && !set.contains_all([*named, ExtensionType(0xffff)]));
        }
    }
}
