//! The sections of a PEM file (RFC 7468), as they are found in the wild. It must not know what is in them.
//!
//! Read more leniently than RFC 7468 section 3 writes: markers may stand anywhere in a line, beside text or another
//! section; white space of every kind is passed over; there may be headers (RFC 1421 section 4.6) and marks of byte order.
//! A section itself is held to its label and to base64.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::pem::PemError;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";
/// A label longer than this is no label.
const MAX_LABEL: usize = 64;

/// One section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Section<'a> {
    /// What stands after `BEGIN`, without white space around it.
    pub(crate) label: &'a str,
    /// All between the two markers.
    body: &'a [u8],
}

/// What a file holds, in ASCII: a file in UTF-16, as some shells on Windows write, is narrowed.
pub(crate) fn text(file: &[u8]) -> Zeroizing<Vec<u8>> {
    let (units, join): (_, fn([u8; 2]) -> u16) = match file {
        [0xff, 0xfe, units @ ..] => (units, u16::from_le_bytes),
        [0xfe, 0xff, units @ ..] => (units, u16::from_be_bytes),
        _ => return Zeroizing::new(file.to_vec()),
    };
    let mut narrow = Zeroizing::new(Vec::with_capacity(units.len() / 2));
    // What is not ASCII becomes what no section holds.
    let units = units.as_chunks::<2>().0.iter();
    narrow.extend(units.map(|unit| u8::try_from(join(*unit)).ok().filter(u8::is_ascii).unwrap_or(b'?')));
    narrow
}

/// Whether there is a section, or the start of one.
pub(crate) fn is_pem(text: &[u8]) -> bool {
    find(text, BEGIN).is_some()
}

/// The sections of a text, in order. The last item is an error if one does not end.
pub(crate) fn sections(text: &[u8]) -> impl Iterator<Item = Result<Section<'_>, PemError>> {
    let mut rest = text;
    core::iter::from_fn(move || {
        let (section, after) = next(rest)?;
        rest = after;
        Some(section)
    })
}

/// The next section and what follows it; `None` if there is no other.
fn next(mut text: &[u8]) -> Option<(Result<Section<'_>, PemError>, &[u8])> {
    let malformed = |reason| Some((Err(PemError::MalformedPem { reason }), &[][..]));
    loop {
        let start = find(text, BEGIN)?;
        let (before, marker) = text.split_at_checked(start)?;
        let Some((label, inside)) = label(marker.get(BEGIN.len()..)?) else {
            return malformed("a section does not start properly");
        };
        let another = find(inside, BEGIN);
        let (own, rest) = inside.split_at_checked(another.unwrap_or(inside.len()))?;
        let Some(end) = find(own, END) else {
            // Perhaps a line of text that only speaks of sections.
            if another.is_some() && !is_at_start(before) {
                text = rest;
                continue;
            }
            return malformed("a section does not end");
        };
        let (body, marker) = inside.split_at_checked(end)?;
        return match self::label(marker.get(END.len()..)?) {
            Some((closing, rest)) if closing == label => Some((Ok(Section { label, body }), rest)),
            Some(_) => malformed("a section ends with another label than it starts with"),
            None => malformed("a section does not end"),
        };
    }
}

/// Whether nothing but white space or a mark of byte order stands before in the line.
fn is_at_start(before: &[u8]) -> bool {
    let line = before.rsplit(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    line.trim_ascii().is_empty()
}

/// The label that `text` starts with, and what follows its dashes.
fn label(text: &[u8]) -> Option<(&str, &[u8])> {
    let length = find(text.get(..MAX_LABEL + DASHES.len()).unwrap_or(text), DASHES)?;
    let (label, rest) = text.split_at_checked(length)?;
    let is_label = label.iter().all(|byte| matches!(byte, b' '..=b'~'));
    let label = is_label.then(|| core::str::from_utf8(label).ok())??;
    Some((label.trim(), rest.get(DASHES.len()..)?))
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

impl<'a> Section<'a> {
    /// Whether the headers say that the content is encrypted (RFC 1421 section 4.6.1.1), as OpenSSL writes it into PKCS#1
    /// and SEC1 sections.
    pub(crate) fn is_encrypted(&self) -> bool {
        let (headers, _) = self.split();
        find(headers, b"ENCRYPTED").is_some()
    }

    /// The content. It may be a private key: nothing of it stays behind.
    ///
    /// # Errors
    ///
    /// [`PemError::MalformedPem`] if it is not base64.
    pub(crate) fn decode(&self) -> Result<Zeroizing<Vec<u8>>, PemError> {
        decode(self.split().1).ok_or(PemError::MalformedPem { reason: "a section is not base64" })
    }

    /// Headers and base64. Headers are the lines up to the last that has a colon, which base64 does not have.
    fn split(&self) -> (&'a [u8], &'a [u8]) {
        let colon = self.body.iter().rposition(|byte| *byte == b':');
        let from_colon = colon.and_then(|at| self.body.get(at..)).unwrap_or_default();
        let line =
            from_colon.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(from_colon.len());
        self.body.split_at_checked(colon.unwrap_or(0).saturating_add(line)).unwrap_or((self.body, &[]))
    }
}

/// RFC 4648 section 4, without white space; `None` for anything else. The time does not depend on the characters of a line.
fn decode(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    // At once, so that growing leaves no copy of a private key behind.
    let mut out = Zeroizing::new(Vec::with_capacity(text.len().div_ceil(4).checked_mul(3)?));
    let (mut group, mut digits, mut padding, mut wrong) = (0_u32, 0_u8, 0_u8, 0_u8);
    for byte in text.iter().filter(|byte| !byte.is_ascii_whitespace()) {
        let digit = if *byte == b'=' {
            padding = padding.saturating_add(1);
            0
        } else {
            wrong |= u8::from(padding > 0); // a digit after the end
            let digit = digit(*byte);
            wrong |= digit >> 6;
            digit & 0x3f
        };
        group = (group << 6) | u32::from(digit);
        digits = (digits + 1) % 4;
        if digits == 0 {
            let [_, bytes @ ..] = group.to_be_bytes();
            out.extend_from_slice(&bytes);
            group = 0;
        }
    }
    let kept = out.len().checked_sub(usize::from(padding))?;
    if wrong != 0 || digits != 0 || padding > 2 {
        return None;
    }
    out.truncate(kept);
    Some(out)
}

/// The six bits of a character; 0xff if it is none. Without a branch or a table: the time tells nothing of a private key.
const fn digit(character: u8) -> u8 {
    let c = character;
    let upper = in_range(c, b'A', b'Z') & (c.wrapping_sub(b'A').wrapping_add(1));
    let lower = in_range(c, b'a', b'z') & (c.wrapping_sub(b'a').wrapping_add(27));
    let number = in_range(c, b'0', b'9') & (c.wrapping_sub(b'0').wrapping_add(53));
    let plus = in_range(c, b'+', b'+') & 63;
    let slash = in_range(c, b'/', b'/') & 64;
    // Each is one more than the bits, so that nothing found is zero, which becomes 0xff.
    (upper | lower | number | plus | slash).wrapping_sub(1)
}

/// All ones if `first <= byte <= last`, else zero.
const fn in_range(byte: u8, first: u8, last: u8) -> u8 {
    let above = (byte as u16).wrapping_sub(first as u16);
    let below = (last as u16).wrapping_sub(byte as u16);
    // The sign of either difference stands in the upper byte.
    !(((above | below) >> 8) as u8)
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    fn all(text: &str) -> Vec<Result<(String, Vec<u8>), &'static str>> {
        let read = |section: Result<Section<'_>, PemError>| {
            let section = section?;
            Ok((String::from(section.label), section.decode()?.to_vec()))
        };
        let reason = |error| match error {
            PemError::MalformedPem { reason } => reason,
            other => panic!("{other:?}"),
        };
        sections(text.as_bytes()).map(|section| read(section).map_err(reason)).collect()
    }

    fn one(label: &str, content: &[u8]) -> Vec<Result<(String, Vec<u8>), &'static str>> {
        vec![Ok((String::from(label), content.to_vec()))]
    }

    #[test]
    fn sections_are_found_however_they_are_laid_out() {
        for text in [
            "-----BEGIN A-----\nAQID\n-----END A-----\n",
            "-----BEGIN A-----\nAQID\n-----END A-----",
            "-----BEGIN A-----AQID-----END A-----",
            "-----BEGIN A----- AQID -----END A-----",
            "-----BEGIN A-----\rAQID\r-----END A-----\r",
            "-----BEGIN A-----\r\nAQ\r\nID\r\n-----END A-----\r\n",
            "-----BEGIN A-----  \t\n  AQID \n\n -----END A-----   \n",
            "\u{feff}-----BEGIN A-----\nAQID\n-----END A-----\n",
            "text: \u{feff}-----BEGIN A-----\nAQID\n-----END A-----\n",
            "Bag Attributes\n    friendlyName: a\n-----BEGIN A-----\nAQID\n-----END A-----text",
            "put -----BEGIN A----- here:\n-----BEGIN A-----\nAQID\n-----END A-----\n",
            "-----BEGIN A-----\nComment: a\nSubject: b\n\nAQID\n-----END A-----\n",
            "-----BEGIN A-----\r\nComment: a\r\nAQID\r\n-----END A-----\r\n",
            "-----BEGIN A -----\nAQID\n-----END  A-----\n",
        ] {
            assert_eq!(all(text), one("A", &[1, 2, 3]), "{text:?}");
        }
    }

    #[test]
    fn sections_may_touch_each_other() {
        let section =
            |label, base64| alloc::format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----");
        let text = [section("A", "AQID"), section("B", "BA=="), section("A", "BQY=")].concat();
        let expected = [("A", &[1_u8, 2, 3][..]), ("B", &[4]), ("A", &[5, 6])];
        let expected = expected.map(|(label, content)| Ok((String::from(label), content.to_vec())));
        assert_eq!(all(&text), expected);
    }

    #[test]
    fn what_is_no_section_is_said() {
        for (text, expected) in [
            ("-----BEGIN A-----\nAQID\n", "a section does not end"),
            ("-----BEGIN A-----\nAQID\n-----END A---", "a section does not end"),
            ("-----BEGIN A\nAQID\n-----END A-----\n", "a section does not start properly"),
            (
                "-----BEGIN A-----\nAQID\n-----END B-----\n",
                "a section ends with another label than it starts with",
            ),
            ("-----BEGIN A-----\nAQID\n-----BEGIN A-----\nAQID\n-----END A-----", "a section does not end"),
            ("-----BEGIN A-----\nAQI\n-----END A-----\n", "a section is not base64"),
            ("-----BEGIN A-----\nAQ=D\n-----END A-----\n", "a section is not base64"),
            ("-----BEGIN A-----\nA===\n-----END A-----\n", "a section is not base64"),
            ("-----BEGIN A-----\nAQ!D\n-----END A-----\n", "a section is not base64"),
            ("-----BEGIN A-----\nAQ\\nID\n-----END A-----\n", "a section is not base64"),
        ] {
            assert_eq!(all(text), [Err(expected)], "{text:?}");
        }
        assert_eq!(all("no section ----- END"), []);
    }

    #[test]
    fn headers_of_encrypted_sections_are_seen() {
        let text = b"-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: X,00\n\nAQID\n-----END A-----\n";
        assert!(sections(text).next().unwrap().unwrap().is_encrypted());
        let text = b"-----BEGIN ENCRYPTED A-----\nAQID\n-----END ENCRYPTED A-----\n";
        assert!(!sections(text).next().unwrap().unwrap().is_encrypted());
    }

    #[test]
    fn utf_16_is_narrowed() {
        let plain = "-----BEGIN A-----\r\nAQID\r\n-----END A-----\r\n";
        let units = || plain.encode_utf16();
        let little: Vec<u8> = [0xfeff].into_iter().chain(units()).flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = [0xfeff].into_iter().chain(units()).flat_map(u16::to_be_bytes).collect();
        for file in [little, big] {
            assert_eq!(text(&file)[..], *plain.as_bytes());
        }
        assert_eq!(text(&[0xff, 0xfe, 0x41, 0, 0xac, 0x20, 7])[..], *b"A?");
    }

    #[test]
    fn every_character_is_its_digit() {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for byte in 0..=u8::MAX {
            let place = alphabet.iter().position(|each| *each == byte);
            assert_eq!(digit(byte), place.map_or(0xff, |place| u8::try_from(place).unwrap()), "{byte}");
        }
    }

    /// RFC 4648 section 10.
    #[test]
    fn padding_is_rfc_4648s() {
        for (text, length) in
            [("", 0), ("Zg==", 1), ("Zm8=", 2), ("Zm9v", 3), ("Zm9vYg==", 4), ("Zm9vYmFy", 6)]
        {
            assert_eq!(decode(text.as_bytes()).unwrap()[..], b"foobar"[..length]);
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_does_not_panic(parts in prop::collection::vec(0_usize..9, 0..20), tail: Vec<u8>) {
            let pieces = ["-----BEGIN ", "-----END ", "-----", "A", ":", "\n", "AQID", " ", "="];
            let mut text = parts.iter().map(|part| pieces[*part]).collect::<String>().into_bytes();
            text.extend(tail);
            for section in sections(&text).flatten() {
                let _ = (section.decode(), section.is_encrypted());
            }
        }
    }
}
