//! Cuts DER values: tag, length, content. It must not know what they mean.
//!
//! For the few fixed shapes that are read without x509-parser. Nothing here recurses, and every loop consumes input.

/// Tag of a SEQUENCE.
pub(crate) const SEQUENCE: u8 = 0x30;

/// The tag and content of the value that `input` starts with, and what follows it.
///
/// Lengths above 65,535 are refused, like webpki does for whole certificates; longer forms than needed are not DER,
/// and tags of several bytes do not occur in certificates.
fn any(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
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
    Some((tag, content, rest))
}

/// The content of the value with tag `tag` that `input` starts with, and what follows it.
pub(crate) fn value(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = any(input)?;
    (found == tag).then_some((content, rest))
}

/// The values that `input` consists of, up to the first that is malformed.
#[cfg(feature = "std")]
pub(crate) fn values(mut input: &[u8]) -> impl Iterator<Item = &[u8]> {
    core::iter::from_fn(move || {
        let (_, content, rest) = any(input)?;
        input = rest;
        Some(content)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_der() {
        assert_eq!(value(&[0x30, 0x81, 1, 0], 0x30), None, "long form of a short length");
        assert_eq!(value(&[0x30, 0x80], 0x30), None, "indefinite");
        assert_eq!(value(&[0x30, 2, 0], 0x30), None, "cut off");
        assert_eq!(value(&[0x30, 0x82, 0, 0xff], 0x30), None, "two bytes for one");
        assert_eq!(value(&[0x30, 1, 7, 9], 0x30), Some((&[7][..], &[9][..])));
        assert_eq!(value(&[0x31, 1, 7, 9], 0x30), None, "another tag");
    }

    #[cfg(feature = "std")]
    #[test]
    fn values_end_at_the_first_malformed_one() {
        assert_eq!(values(&[4, 1, 7, 5, 0, 4, 9]).count(), 2);
        assert_eq!(values(&[]).count(), 0);
    }
}
