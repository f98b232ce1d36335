//! Lists of elements that lie on the wire or in memory, with one face: so that one struct per message serves decoding
//! without allocation and encoding from whatever slice the caller has.

use core::fmt;

use super::{DecodeError, Element, Reader};

/// A list of `T`: checked bytes of a message, or a slice of values. Both compare equal if their values do.
///
/// ```
/// use drystone_handshake::{codec::List, message::registry::NamedGroup};
///
/// let wire = List::from_wire("NamedGroupList", &[0, 29, 0, 23])?;
/// let items = List::from(&[NamedGroup::X25519, NamedGroup::SECP256R1]);
/// assert_eq!(wire, items);
/// assert!(wire.contains(&NamedGroup::SECP256R1));
/// # Ok::<(), drystone_handshake::codec::DecodeError>(())
/// ```
#[derive(Clone, Copy)]
pub struct List<'a, T>(Source<'a, T>);

#[derive(Clone, Copy)]
enum Source<'a, T> {
    /// Whole elements, one after the other: `from_wire` is the only way in.
    Wire(&'a [u8]),
    Items(&'a [T]),
}

impl<'a, T: Element<'a>> List<'a, T> {
    /// A list of the elements that take all of `bytes`; `what` is named in errors.
    ///
    /// # Errors
    /// The error of the first element that cannot be read.
    pub fn from_wire(what: &'static str, bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(what, bytes);
        while !reader.is_empty() {
            T::read(&mut reader)?;
        }
        Ok(Self(Source::Wire(bytes)))
    }

    /// The elements in their order.
    pub fn iter(self) -> ListIter<'a, T> {
        ListIter(match self.0 {
            Source::Wire(bytes) => Cursor::Wire(Reader::new("list element", bytes)),
            Source::Items(items) => Cursor::Items(items.iter()),
        })
    }

    /// How many elements there are; counts them.
    pub fn len(self) -> usize {
        self.iter().count()
    }

    /// The first element.
    pub fn first(self) -> Option<T> {
        self.iter().next()
    }

    /// Whether an element is in the list.
    pub fn contains(self, wanted: &T) -> bool
    where
        T: PartialEq,
    {
        self.iter().any(|element| element == *wanted)
    }
}

impl<T: Copy> List<'_, T> {
    /// Whether there is no element.
    pub const fn is_empty(self) -> bool {
        match self.0 {
            Source::Wire(bytes) => bytes.is_empty(),
            Source::Items(items) => items.is_empty(),
        }
    }
}

impl<T> Default for List<'_, T> {
    fn default() -> Self {
        Self(Source::Items(&[]))
    }
}

impl<'a, T> From<&'a [T]> for List<'a, T> {
    fn from(items: &'a [T]) -> Self {
        Self(Source::Items(items))
    }
}

impl<'a, T, const N: usize> From<&'a [T; N]> for List<'a, T> {
    fn from(items: &'a [T; N]) -> Self {
        Self(Source::Items(items))
    }
}

impl<'a, T: Element<'a> + PartialEq> PartialEq for List<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<'a, T: Element<'a> + Eq> Eq for List<'a, T> {}

impl<'a, T: Element<'a> + fmt::Debug> fmt::Debug for List<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a, T: Element<'a>> IntoIterator for List<'a, T> {
    type Item = T;
    type IntoIter = ListIter<'a, T>;

    fn into_iter(self) -> ListIter<'a, T> {
        self.iter()
    }
}

/// The elements of a [`List`].
#[derive(Clone, Debug)]
pub struct ListIter<'a, T>(Cursor<'a, T>);

#[derive(Clone, Debug)]
enum Cursor<'a, T> {
    Wire(Reader<'a>),
    Items(core::slice::Iter<'a, T>),
}

impl<'a, T: Element<'a>> Iterator for ListIter<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match &mut self.0 {
            Cursor::Wire(reader) if reader.is_empty() => None,
            // `from_wire` has read every element once, so that this reading does not fail.
            Cursor::Wire(reader) => T::read(reader).ok(),
            Cursor::Items(items) => items.next().copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::DecodeFault;
    use alloc::{format, vec::Vec};

    #[test]
    fn wire_and_items_are_the_same_list() {
        let wire = List::<u16>::from_wire("test", &[0, 1, 0, 2, 0, 3]).expect("whole elements");
        let items = List::from(&[1u16, 2, 3]);
        assert_eq!(wire, items);
        assert_eq!(wire.iter().collect::<Vec<_>>(), items.into_iter().collect::<Vec<_>>());
        assert_eq!(format!("{wire:?}"), "[1, 2, 3]");
        assert_eq!((wire.len(), wire.first(), wire.is_empty()), (3, Some(1), false));
        assert!(wire.contains(&3) && !wire.contains(&4));
        assert_ne!(wire, List::from(&[1u16, 2]));
        assert_ne!(wire, List::from(&[1u16, 2, 4]));
    }

    #[test]
    fn an_empty_list_has_nothing() {
        let wire = List::<u16>::from_wire("test", &[]).expect("no elements");
        assert_eq!(wire, List::default());
        assert_eq!((wire.len(), wire.first(), wire.is_empty()), (0, None, true));
    }

    #[test]
    fn half_an_element_is_an_error() {
        let error = List::<u16>::from_wire("test", &[0, 1, 0]).expect_err("three bytes");
        assert_eq!(error, DecodeError { what: "test", fault: DecodeFault::Truncated });
    }
}
