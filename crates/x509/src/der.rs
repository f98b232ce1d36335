//! Cuts DER values: tag, length, content. It must not know what they mean.
//!
//! For the few fixed shapes that webpki reads without giving them away. Nothing here recurses, and every loop consumes
//! input.

use alloc::vec::Vec;

/// Tags (X.680 section 8.4).
pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// One value with its tag, and the same with the header in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    pub(crate) whole: &'a [u8],
}

/// The value that `input` starts with, and what follows it.
///
/// Lengths above 65,535 are refused, like webpki does for whole certificates; longer forms than needed are not DER,
/// and tags of several bytes do not occur in certificates.
pub(crate) fn element(input: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (header, rest) = input.split_first_chunk::<2>()?;
    let [tag, first] = *header;
    let (content, rest) = match first {
        0..=0x7f => rest.split_at_checked(usize::from(first))?,
        0x81 => {
            let ([length], rest) = rest.split_first_chunk::<1>()?;
            (*length >= 0x80).then(|| rest.split_at_checked(usize::from(*length)))??
        }
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            let length = u16::from_be_bytes(*length);
            (length >= 0x100).then(|| rest.split_at_checked(usize::from(length)))??
        }
        _ => return None,
    };
    let (whole, _) = input.split_at_checked(input.len().checked_sub(rest.len())?)?;
    Some((Element { tag, content, whole }, rest))
}

/// The content of the value with tag `tag` that `input` starts with, and what follows it.
pub(crate) fn value(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = element(input)?;
    (found.tag == tag).then_some((found.content, rest))
}

/// The content of the only value in `input`, which must have this tag.
pub(crate) fn only(input: &[u8], tag: u8) -> Option<&[u8]> {
    let (content, rest) = value(input, tag)?;
    rest.is_empty().then_some(content)
}

/// Takes the value with this tag off the front of `input`. The outer `None` means that it is damaged.
pub(crate) fn optional<'a>(input: &mut &'a [u8], tag: u8) -> Option<Option<&'a [u8]>> {
    if input.first() != Some(&tag) {
        return Some(None);
    }
    let (content, rest) = value(input, tag)?;
    *input = rest;
    Some(Some(content))
}

/// The values that `input` consists of; the last item is `None` if it does not consist of values only.
pub(crate) fn elements(mut input: &[u8]) -> impl Iterator<Item = Option<Element<'_>>> {
    core::iter::from_fn(move || {
        if input.is_empty() {
            return None;
        }
        let Some((found, rest)) = element(input) else {
            input = &[];
            return Some(None);
        };
        input = rest;
        Some(Some(found))
    })
}

/// The contents of the values that `input` consists of, up to the first that is malformed.
pub(crate) fn values(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    elements(input).map_while(|found| found.map(|found| found.content))
}

/// A value with its header. Lengths that do not fit into two bytes are written too; nobody here reads them.
pub(crate) fn encode(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let zeros = length.iter().take_while(|byte| **byte == 0).count();
    let length = length.get(zeros..).unwrap_or_default();
    let mut out = Vec::with_capacity(content.len().saturating_add(2).saturating_add(length.len()));
    out.push(tag);
    match length {
        [] => out.push(0),
        [short @ ..=0x7f] => out.push(*short),
        long => {
            out.push(0x80 | u8::try_from(long.len()).expect("a length has at most 8 bytes"));
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn what_is_encoded_is_read() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff] {
            let content = vec![7; length];
            assert_eq!(only(&encode(SEQUENCE, &content), SEQUENCE), Some(&content[..]), "{length}");
        }
    }

    #[test]
    fn lengths_are_der() {
        assert_eq!(value(&[0x30, 0x81, 1, 0], 0x30), None, "long form of a short length");
        assert_eq!(value(&[0x30, 0x80], 0x30), None, "indefinite");
        assert_eq!(value(&[0x30, 2, 0], 0x30), None, "cut off");
        assert_eq!(value(&[0x30, 0x82, 0, 0xff], 0x30), None, "two bytes for one");
        assert_eq!(value(&[0x30, 1, 7, 9], 0x30), Some((&[7][..], &[9][..])));
        assert_eq!(value(&[0x31, 1, 7, 9], 0x30), None, "another tag");
        assert_eq!(only(&[0x30, 1, 7, 9], 0x30), None, "not the only one");
    }

    #[test]
    fn an_element_is_shown_with_its_header() {
        let (first, rest) = element(&[4, 1, 7, 5, 0]).unwrap();
        assert_eq!((first.tag, first.content, first.whole), (4, &[7][..], &[4, 1, 7][..]));
        assert_eq!(rest, [5, 0]);
    }

    #[test]
    fn values_end_at_the_first_malformed_one() {
        assert_eq!(values(&[4, 1, 7, 5, 0, 4, 9]).count(), 2);
        assert_eq!(values(&[]).count(), 0);
        let found: Vec<_> = elements(&[4, 1, 7, 4, 9]).map(|found| found.is_some()).collect();
        assert_eq!(found, [true, false]);
    }

    #[test]
    fn an_optional_value_is_taken_only_if_it_is_there() {
        let mut input: &[u8] = &[1, 1, 0xff, 4, 0];
        assert_eq!(optional(&mut input, INTEGER), Some(None));
        assert_eq!(optional(&mut input, BOOLEAN), Some(Some(&[0xff][..])));
        assert_eq!(input, [4, 0]);
        assert_eq!(optional(&mut &[1, 2, 0][..], BOOLEAN), None, "cut off");
    }
}
