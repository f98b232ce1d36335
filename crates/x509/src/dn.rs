//! Distinguished names (RFC 5280 section 4.1.2.4): their attributes, and a line of text for messages. It must not
//! decide whether two names are the same.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;

use crate::der::{Element, OBJECT_IDENTIFIER, SEQUENCE, SET, element, elements, only, value};
use crate::oid;

/// Characters of a name that are shown in messages.
const TEXT_LIMIT: usize = 256;

/// String types (X.680 section 41).
pub(crate) const UTF8_STRING: u8 = 0x0c;
const NUMERIC_STRING: u8 = 0x12;
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
pub(crate) const TELETEX_STRING: u8 = 0x14;
pub(crate) const IA5_STRING: u8 = 0x16;
const UNIVERSAL_STRING: u8 = 0x1c;
pub(crate) const BMP_STRING: u8 = 0x1e;

/// One attribute of a name: its type (content of the OBJECT IDENTIFIER) and its value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attribute<'a> {
    pub(crate) kind: &'a [u8],
    pub(crate) value: Element<'a>,
}

/// The relative distinguished names in `name`, a whole Name. The last item is `None` if it is damaged.
pub(crate) fn relative_names(name: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    let content = only(name, SEQUENCE);
    // An unreadable name is one damaged item: not an empty name.
    let items = elements(content.unwrap_or(&[0]));
    items.map(|found| found.filter(|found| found.tag == SET).map(|found| found.content))
}

/// The attributes in the content of a relative distinguished name. The last item is `None` if it is damaged.
pub(crate) fn attributes(relative: &[u8]) -> impl Iterator<Item = Option<Attribute<'_>>> {
    elements(relative).map(|found| {
        let found = found.filter(|found| found.tag == SEQUENCE)?;
        let (kind, rest) = value(found.content, OBJECT_IDENTIFIER)?;
        let (value, end) = element(rest)?;
        end.is_empty().then_some(Attribute { kind, value })
    })
}

/// The common names in a whole Name; one that is not text is `None`.
pub(crate) fn common_names(name: &[u8]) -> impl Iterator<Item = Option<Cow<'_, str>>> {
    let attributes = relative_names(name).flatten().flat_map(attributes).flatten();
    attributes.filter(|attribute| attribute.kind == oid::COMMON_NAME).map(|attribute| attribute.text())
}

impl<'a> Attribute<'a> {
    /// The value as text, if it is of a string type and well formed.
    pub(crate) fn text(&self) -> Option<Cow<'a, str>> {
        let content = self.value.content;
        let ascii = || content.is_ascii().then(|| core::str::from_utf8(content).ok())?;
        match self.value.tag {
            UTF8_STRING => core::str::from_utf8(content).ok().map(Cow::Borrowed),
            NUMERIC_STRING | PRINTABLE_STRING | IA5_STRING => ascii().map(Cow::Borrowed),
            // T.61 in theory; in certificates it is Latin-1.
            TELETEX_STRING => Some(content.iter().map(|byte| char::from(*byte)).collect()),
            BMP_STRING => {
                let (units, []) = content.as_chunks::<2>() else { return None };
                let units = units.iter().map(|unit| u16::from_be_bytes(*unit));
                char::decode_utf16(units).collect::<Result<String, _>>().ok().map(Cow::Owned)
            }
            UNIVERSAL_STRING => {
                let (units, []) = content.as_chunks::<4>() else { return None };
                let characters = units.iter().map(|unit| char::from_u32(u32::from_be_bytes(*unit)));
                characters.collect::<Option<String>>().map(Cow::Owned)
            }
            _ => None,
        }
    }
}

/// A whole Name in one line, such as `C=XX, O=Example, CN=a.example`; `None` if it is empty or damaged.
///
/// It is a stranger's text made fit for a log: no control characters, not endless.
pub(crate) fn text(name: &[u8]) -> Option<String> {
    let mut line = String::new();
    for relative in relative_names(name) {
        for (place, attribute) in attributes(relative?).enumerate() {
            let attribute = attribute?;
            if !line.is_empty() {
                line.push_str(if place == 0 { ", " } else { " + " });
            }
            line.push_str(&oid::attribute_name(attribute.kind));
            line.push('=');
            match attribute.text() {
                Some(text) => line.push_str(&text),
                None => line.push_str(&format!("({} bytes)", attribute.value.content.len())),
            }
        }
        if line.len() > 4 * TEXT_LIMIT {
            break;
        }
    }
    one_line(&line)
}

fn one_line(text: &str) -> Option<String> {
    let printable = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut line: String = text.chars().take(TEXT_LIMIT).map(printable).collect();
    if text.chars().nth(TEXT_LIMIT).is_some() {
        line.pop();
        line.push('…');
    }
    (!line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::der::encode;

    fn name(attributes: &[(&[u8], u8, &[u8])]) -> Vec<u8> {
        let relative = attributes.iter().map(|(kind, tag, content)| {
            let parts = [encode(OBJECT_IDENTIFIER, kind), encode(*tag, content)].concat();
            encode(SET, &encode(SEQUENCE, &parts))
        });
        encode(SEQUENCE, &relative.collect::<Vec<_>>().concat())
    }

    #[test]
    fn text_is_one_bounded_line() {
        let line = |text: &str| one_line(text).unwrap();
        assert_eq!(line("CN=a\nERROR b\u{1b}[0m"), "CN=a\u{fffd}ERROR b\u{fffd}[0m");
        assert_eq!(line(&"x".repeat(1000)).chars().count(), TEXT_LIMIT);
        assert!(line(&"x".repeat(1000)).ends_with('…'));
        assert_eq!(line(&"y".repeat(TEXT_LIMIT)), "y".repeat(TEXT_LIMIT));
        assert_eq!(one_line(""), None);
    }

    #[test]
    fn string_types_are_decoded() {
        for (tag, content, expected) in [
            (UTF8_STRING, "Bücher".as_bytes(), "CN=Bücher"),
            (PRINTABLE_STRING, b"a", "CN=a"),
            (TELETEX_STRING, b"B\xfccher", "CN=Bücher"),
            (BMP_STRING, &[0, 0x42, 0, 0xfc], "CN=Bü"),
            (UNIVERSAL_STRING, &[0, 0, 0, 0x42], "CN=B"),
            (UTF8_STRING, b"\xff", "CN=(1 bytes)"),
            (PRINTABLE_STRING, b"\xff", "CN=(1 bytes)"),
            (BMP_STRING, &[0, 0x42, 0], "CN=(3 bytes)"),
            (0x04, b"ab", "CN=(2 bytes)"),
        ] {
            assert_eq!(text(&name(&[(oid::COMMON_NAME, tag, content)])).unwrap(), expected);
        }
    }

    #[test]
    fn attributes_have_their_usual_names() {
        let several = name(&[
            (&[0x55, 4, 6], PRINTABLE_STRING, b"XX"),
            (&[0x55, 4, 10], UTF8_STRING, b"Example"),
            (&[0x2a, 0x03, 0x04], UTF8_STRING, b"x"),
        ]);
        assert_eq!(text(&several).unwrap(), "C=XX, O=Example, 1.2.3.4=x");
        assert_eq!(text(&name(&[])), None);
        assert_eq!(text(&[0x30, 2, 0x31]), None, "damaged");
        assert_eq!(text(b"no name"), None);
    }

    #[test]
    fn every_common_name_is_found() {
        let two = name(&[
            (oid::COMMON_NAME, UTF8_STRING, b"a"),
            (&[0x55, 4, 10], UTF8_STRING, b"b"),
            (oid::COMMON_NAME, UTF8_STRING, b"\xff"),
        ]);
        assert_eq!(common_names(&two).collect::<Vec<_>>(), [Some("a".into()), None]);
    }
}
