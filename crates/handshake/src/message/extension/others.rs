//! Extensions that a block has no field for: unknown to drystone, or known and of no use in that message.
//!
//! A receiver ignores them (a server in a ClientHello) or refuses them (a client that did not offer them), so that
//! their types can be listed; a sender puts GREASE there (RFC 8701).

use core::fmt;

use crate::codec::structs::wire_struct;
use crate::codec::{DecodeError, DecodeFault, Element, Plain, Reader, Vector};
use crate::message::registry::ExtensionType;

wire_struct! {
    /// An extension as it lies on the wire (RFC 9846 section 4.3).
    pub struct RawExtension<'a> {
        /// What it is.
        extension_type: ExtensionType = Plain,
        /// Its content, not looked at.
        data: &'a [u8] = Vector::u16(0, 0xffff),
    }
}

/// The extensions of a block that have no field in its struct, in their order.
#[derive(Clone, Copy)]
pub struct Others<'a>(Source<'a>);

#[derive(Clone, Copy)]
enum Source<'a> {
    /// A whole block, in which the types with fields are passed over.
    Wire {
        block: &'a [u8],
        fields: &'static [ExtensionType],
    },
    Items(&'a [RawExtension<'a>]),
}

impl<'a> Others<'a> {
    /// What is in a block besides the types in `fields`.
    ///
    /// # Errors
    /// If a type occurs twice.
    pub(super) fn from_block(
        what: &'static str,
        block: &'a [u8],
        fields: &'static [ExtensionType],
    ) -> Result<Self, DecodeError> {
        let others = Self(Source::Wire { block, fields });
        if others.has_duplicate() {
            return Err(DecodeError { what, fault: DecodeFault::DuplicateExtension });
        }
        Ok(others)
    }

    /// The extensions in their order.
    pub fn iter(self) -> OthersIter<'a> {
        OthersIter(match self.0 {
            Source::Wire { block, fields } => {
                Cursor::Wire { reader: Reader::new("Extension", block), fields }
            }
            Source::Items(items) => Cursor::Items(items.iter()),
        })
    }

    /// Whether a type occurs twice ("There MUST NOT be more than one extension of the same type in a given
    /// extension block", RFC 9846 section 4.3).
    pub(super) fn has_duplicate(self) -> bool {
        // Most blocks have at most one, and then there is nothing to compare.
        self.iter().nth(1).is_some() && self.has_duplicate_of_many()
    }

    /// One pass over one bit per type, so that a block of 16,000 extensions costs no more per byte than a small one.
    #[inline(never)]
    fn has_duplicate_of_many(self) -> bool {
        let mut seen = [0u64; 1024];
        self.iter().any(|extension| {
            let value = extension.extension_type.0;
            let bit = 1u64 << (value & 63);
            let Some(word) = seen.get_mut(usize::from(value >> 6)) else {
                return false;
            };
            let again = *word & bit != 0;
            *word |= bit;
            again
        })
    }
}

impl Default for Others<'_> {
    fn default() -> Self {
        Self(Source::Items(&[]))
    }
}

impl<'a> From<&'a [RawExtension<'a>]> for Others<'a> {
    fn from(items: &'a [RawExtension<'a>]) -> Self {
        Self(Source::Items(items))
    }
}

impl PartialEq for Others<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Others<'_> {}

impl fmt::Debug for Others<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for Others<'a> {
    type Item = RawExtension<'a>;
    type IntoIter = OthersIter<'a>;

    fn into_iter(self) -> OthersIter<'a> {
        self.iter()
    }
}

/// The extensions of [`Others`].
#[derive(Clone, Debug)]
pub struct OthersIter<'a>(Cursor<'a>);

#[derive(Clone, Debug)]
enum Cursor<'a> {
    Wire { reader: Reader<'a>, fields: &'static [ExtensionType] },
    Items(core::slice::Iter<'a, RawExtension<'a>>),
}

impl<'a> Iterator for OthersIter<'a> {
    type Item = RawExtension<'a>;

    fn next(&mut self) -> Option<RawExtension<'a>> {
        match &mut self.0 {
            Cursor::Wire { reader, fields } => loop {
                // The block was read once before, so that an error here is its end.
                let extension = RawExtension::read(reader).ok()?;
                if !fields.contains(&extension.extension_type) {
                    return Some(extension);
                }
            },
            Cursor::Items(items) => items.next().copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn items(types: impl Iterator<Item = u16>) -> Vec<RawExtension<'static>> {
        types.map(|value| RawExtension { extension_type: ExtensionType(value), data: &[] }).collect()
    }

    #[test]
    fn a_duplicate_is_found_wherever_it_stands() {
        let distinct = items(0..=u16::MAX);
        assert!(!Others::from(&distinct[..]).has_duplicate());
        for again in [0, 63, 64, 0x0a0a, u16::MAX] {
            let twice = items((0..=u16::MAX).chain([again]));
            assert!(Others::from(&twice[..]).has_duplicate(), "{again}");
        }
        assert!(Others::from(&items([7, 7].into_iter())[..]).has_duplicate());
        assert!(!Others::default().has_duplicate());
    }

    #[test]
    fn types_with_fields_are_passed_over() {
        let block = [0, 10, 0, 0, 0x1a, 0x1a, 0, 1, 9, 0, 44, 0, 0];
        let fields = &[ExtensionType::SUPPORTED_GROUPS, ExtensionType::COOKIE];
        let others = Others::from_block("test", &block, fields).expect("no duplicates");
        let grease = [RawExtension { extension_type: ExtensionType(0x1a1a), data: &[9] }];
        assert_eq!(others, Others::from(&grease[..]));
    }
}
