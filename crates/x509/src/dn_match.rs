//! Whether two distinguished names are the same (RFC 5280 section 7.1). It must not know whose names they are.
//!
//! Names are brought into one form, which is compared byte by byte: strings are prepared as RFC 4518 says for
//! caseIgnoreMatch, so that PrintableString, UTF8String, BMPString and UniversalString, letter case and white space make no
//! difference. Left out is Unicode's normalisation (NFKC): a letter with an accent equals itself written in the same way.
//! TeletexString, whose character set nobody agrees on, and values that are no strings are equal if their bytes are.

use alloc::string::String;
use alloc::vec::Vec;

use crate::dn::{self, Attribute, IA5_STRING, PRINTABLE_STRING, TELETEX_STRING, UTF8_STRING};
use crate::oid;

/// A name in the form in which names are compared: for each relative distinguished name its attributes, in an order that
/// does not depend on how they were written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Prepared(Vec<Vec<PreparedAttribute>>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct PreparedAttribute {
    kind: Vec<u8>,
    value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Text(String),
    Bytes(Vec<u8>),
}

impl Prepared {
    /// `None` if `name` is not a whole Name.
    pub(crate) fn of(name: &[u8]) -> Option<Self> {
        let relative = |relative| {
            let attributes = dn::attributes(relative).map(|attribute| attribute.map(|each| prepare(&each)));
            let mut attributes: Vec<_> = attributes.collect::<Option<_>>()?;
            attributes.sort();
            Some(attributes)
        };
        dn::relative_names(name).map(|found| relative(found?)).collect::<Option<_>>().map(Self)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this name lies in the subtree of `base` (RFC 5280 section 4.2.1.10).
    pub(crate) fn is_within(&self, base: &Self) -> bool {
        self.0.starts_with(&base.0)
    }
}

/// Whether what this file leaves out (Unicode normalisation, characters that vanish, other kinds of strings) makes no
/// difference to a Name: whether it has nothing but printable ASCII. Only then it is certain that two names are *not* equal.
pub(crate) fn is_plain(name: &[u8]) -> bool {
    let attributes = dn::relative_names(name).map(|relative| Some(dn::attributes(relative?)));
    let is_plain = |attribute: &Attribute<'_>| {
        let is_compared = match attribute.value.tag {
            UTF8_STRING | PRINTABLE_STRING => true,
            IA5_STRING => ignores_case(attribute),
            _ => false,
        };
        is_compared && attribute.value.content.iter().all(|byte| matches!(byte, b' '..=b'~'))
    };
    attributes.into_iter().all(|relative| {
        relative
            .is_some_and(|mut relative| relative.all(|attribute| attribute.as_ref().is_some_and(is_plain)))
    })
}

/// IA5String is no DirectoryString; two attributes have it whose matching rules ignore case (RFC 5280 sections 4.1.2.6 and
/// 7.3).
fn ignores_case(attribute: &Attribute<'_>) -> bool {
    match attribute.value.tag {
        TELETEX_STRING => false,
        IA5_STRING => [oid::DOMAIN_COMPONENT, oid::EMAIL_ADDRESS].contains(&attribute.kind),
        _ => true,
    }
}

fn prepare(attribute: &Attribute<'_>) -> PreparedAttribute {
    let text = if ignores_case(attribute) { attribute.text() } else { None };
    PreparedAttribute {
        kind: attribute.kind.to_vec(),
        value: text.map_or_else(
            || Value::Bytes(attribute.value.whole.to_vec()),
            |text| Value::Text(prepared_text(&text)),
        ),
    }
}

/// RFC 4518 sections 2.2 (mapping) and 2.6.1 (insignificant spaces).
fn prepared_text(text: &str) -> String {
    let mut prepared = String::with_capacity(text.len());
    for word in text.split(char::is_whitespace).filter(|word| !word.is_empty()) {
        if !prepared.is_empty() {
            prepared.push(' ');
        }
        prepared.extend(word.chars().flat_map(folded).filter(|c| !is_mapped_to_nothing(*c)));
    }
    prepared
}

/// To upper case and back: some letters have several lower-case forms. A dotless i is none of i (RFC 3454 table B.2).
fn folded(c: char) -> impl Iterator<Item = char> {
    let is_dotless = c == '\u{131}';
    let others = c.to_uppercase().flat_map(char::to_lowercase).filter(move |_| !is_dotless);
    is_dotless.then_some(c).into_iter().chain(others)
}

/// Control characters, soft hyphen, joiners and marks that have no width (RFC 4518 section 2.2).
fn is_mapped_to_nothing(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2063}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der::{OBJECT_IDENTIFIER, SEQUENCE, SET, encode};
    use crate::dn::BMP_STRING;

    type Part<'a> = (&'a [u8], u8, &'a [u8]);

    fn name(relative_names: &[&[Part<'_>]]) -> Prepared {
        let attribute = |(kind, tag, content): &Part<'_>| {
            encode(SEQUENCE, &[encode(OBJECT_IDENTIFIER, kind), encode(*tag, content)].concat())
        };
        let relative =
            |parts: &&[Part<'_>]| encode(SET, &parts.iter().map(attribute).collect::<Vec<_>>().concat());
        Prepared::of(&encode(SEQUENCE, &relative_names.iter().map(relative).collect::<Vec<_>>().concat()))
            .unwrap()
    }

    fn common(tag: u8, content: &[u8]) -> Prepared {
        name(&[&[(oid::COMMON_NAME, tag, content)]])
    }

    #[test]
    fn names_beyond_printable_ascii_are_not_plain() {
        let name = |tag, content: &[u8]| {
            let attribute = [encode(OBJECT_IDENTIFIER, oid::COMMON_NAME), encode(tag, content)].concat();
            encode(SEQUENCE, &encode(SET, &encode(SEQUENCE, &attribute)))
        };
        assert!(is_plain(&name(UTF8_STRING, b"Acme Corp")) && is_plain(&name(PRINTABLE_STRING, b"Acme")));
        assert!(is_plain(&encode(SEQUENCE, &[])));
        for content in ["Acme \0", "Ac\u{202a}me", "\u{ff21}cme", "Acme\u{301}"] {
            assert!(!is_plain(&name(UTF8_STRING, content.as_bytes())), "{content:?}");
        }
        for tag in [TELETEX_STRING, IA5_STRING, BMP_STRING] {
            assert!(!is_plain(&name(tag, b"Acme")), "{tag}");
        }
    }

    #[test]
    fn string_types_case_and_white_space_make_no_difference() {
        let plain = common(UTF8_STRING, b"Case Authority");
        for (tag, content) in [
            (PRINTABLE_STRING, &b"Case Authority"[..]),
            (UTF8_STRING, b"CASE AUTHORITY"),
            (PRINTABLE_STRING, b"  case   authority "),
            (UTF8_STRING, b"Case\tAuthority"),
            (UTF8_STRING, "Case\u{a0}Authority".as_bytes()),
            (UTF8_STRING, "Ca\u{ad}se Authority".as_bytes()),
        ] {
            assert_eq!(common(tag, content), plain, "{content:?}");
        }
        let wide: Vec<u8> = "cASE Authority".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(common(BMP_STRING, &wide), plain);
        assert_ne!(common(UTF8_STRING, "S\u{131}g\u{131}".as_bytes()), common(UTF8_STRING, b"Sigi"));
        for content in ["CaseAuthority", "Case Authority 2", "Case_Authority", ""] {
            assert_ne!(common(UTF8_STRING, content.as_bytes()), plain, "{content}");
        }
        assert_eq!(common(UTF8_STRING, "STRASSE Σ".as_bytes()), common(UTF8_STRING, "straße ς".as_bytes()));
    }

    #[test]
    fn what_cannot_be_prepared_is_compared_as_it_is() {
        let teletex = common(TELETEX_STRING, b"A");
        assert_eq!(teletex, common(TELETEX_STRING, b"A"));
        assert_ne!(teletex, common(TELETEX_STRING, b"a"));
        assert_ne!(teletex, common(UTF8_STRING, b"A"));
        assert_ne!(common(UTF8_STRING, b"\xff"), common(PRINTABLE_STRING, b"\xff"));
        assert_ne!(common(IA5_STRING, b"A"), common(IA5_STRING, b"a"));
        let component = |content| name(&[&[(oid::DOMAIN_COMPONENT, IA5_STRING, content)]]);
        assert_eq!(component(b"Example"), component(b"example"));
    }

    #[test]
    fn types_and_order_count_but_not_the_order_within_a_set() {
        let [a, b]: [Part<'_>; 2] =
            [(&[0x55, 4, 10], UTF8_STRING, b"x"), (oid::COMMON_NAME, UTF8_STRING, b"y")];
        assert_ne!(name(&[&[a], &[b]]), name(&[&[b], &[a]]));
        assert_ne!(name(&[&[a], &[b]]), name(&[&[a, b]]));
        assert_eq!(name(&[&[a, b]]), name(&[&[b, a]]));
        assert_ne!(common(UTF8_STRING, b"x"), name(&[&[a]]));
        assert_ne!(name(&[]), name(&[&[a]]));
    }

    #[test]
    fn subtrees_are_prefixes() {
        let [a, b]: [Part<'_>; 2] =
            [(&[0x55, 4, 10], UTF8_STRING, b"X"), (oid::COMMON_NAME, UTF8_STRING, b"y")];
        let base = name(&[&[(&[0x55, 4, 10], PRINTABLE_STRING, b"x")]]);
        assert!(name(&[&[a], &[b]]).is_within(&base) && name(&[&[a]]).is_within(&base));
        assert!(!name(&[&[b], &[a]]).is_within(&base) && !name(&[]).is_within(&base));
        assert!(name(&[&[b]]).is_within(&name(&[])), "the empty name is everybody's base");
    }

    #[test]
    fn damaged_names_are_none() {
        for damaged in [&b""[..], b"x", &[0x30, 2, 0x31], &[0x30, 2, 0x30, 0], &[0x30, 4, 0x31, 2, 0x30, 0]] {
            assert_eq!(Prepared::of(damaged), None, "{damaged:?}");
        }
    }
}
