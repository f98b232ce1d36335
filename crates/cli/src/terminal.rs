//! Text that a peer chose, made harmless for a terminal. It must not know where the text came from.

use std::fmt::{self, Write};

/// Displays text with every character escaped that a terminal could obey instead of show: control characters (C0, DEL and
/// C1: escape sequences begin with one), line ends, and what changes the direction or the breaking of the text around it.
/// A tab stays. The result is one line, so that a peer's text cannot pass for a line of the command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printable<'a>(pub(crate) &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if is_harmless(character) {
                f.write_char(character)?;
            } else {
                write!(f, "{}", character.escape_default())?;
            }
        }
        Ok(())
    }
}

fn is_harmless(character: char) -> bool {
    // Unicode's Bidi_Control, the separators of lines and paragraphs, and format characters that are not seen at all.
    let is_unseen = matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    );
    character == '\t' || !character.is_control() && !is_unseen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        Printable(text).to_string()
    }

    #[test]
    fn text_stays_as_it_is() {
        for text in ["", "plain", "a\tb", "naïve – 日本語 🦀", "back\\slash and \"quotes\"", "e\u{301}"]
        {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        assert_eq!(shown("\x1b]0;title\x07\x1b[2J"), "\\u{1b}]0;title\\u{7}\\u{1b}[2J");
        assert_eq!(shown("a\u{9b}31m\x7f\0"), "a\\u{9b}31m\\u{7f}\\u{0}");
        let controls = (0..=0x9f).filter_map(char::from_u32).filter(|c| c.is_control() && *c != '\t');
        for control in controls {
            assert!(!shown(&control.to_string()).contains(char::is_control), "{control:?}");
        }
    }

    #[test]
    fn a_text_is_one_line_and_keeps_its_direction() {
        assert_eq!(shown("one\r\ntwo\u{2028}"), "one\\r\\ntwo\\u{2028}");
        assert_eq!(shown("\u{202e}abc\u{2066}"), "\\u{202e}abc\\u{2066}");
    }
}
