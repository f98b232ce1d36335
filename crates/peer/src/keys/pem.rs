//! Writes PEM (RFC 7468). Reading it is the work of `drystone_x509`.

/// Bytes in a full line: 64 characters.
const LINE: usize = 48;

/// Appends one section.
pub(super) fn append(out: &mut String, label: &str, der: &[u8]) {
    // At once, so that growing leaves no copy of a private key behind.
    out.reserve_exact(length(label, der));
    for part in ["-----BEGIN ", label, "-----\n"] {
        out.push_str(part);
    }
    for line in der.chunks(LINE) {
        out.extend(line.chunks(3).flat_map(quantum));
        out.push('\n');
    }
    for part in ["-----END ", label, "-----\n"] {
        out.push_str(part);
    }
}

/// The length of a section in bytes.
fn length(label: &str, der: &[u8]) -> usize {
    let markers = "-----BEGIN -----\n-----END -----\n".len() + 2 * label.len();
    markers + 4 * der.len().div_ceil(3) + der.len().div_ceil(LINE)
}

/// The four characters of up to three bytes (RFC 4648 section 4).
fn quantum(bytes: &[u8]) -> [char; 4] {
    let byte = |index: usize| bytes.get(index).copied().unwrap_or(0);
    let (first, second, third) = (byte(0), byte(1), byte(2));
    let digits =
        [first >> 2, (first << 4 | second >> 4) & 0x3f, (second << 2 | third >> 6) & 0x3f, third & 0x3f];
    let mut characters = digits.map(|digit| char::from(character(digit)));
    characters.iter_mut().skip(bytes.len() + 1).for_each(|padding| *padding = '=');
    characters
}

/// The character for six bits, without a branch or a table: the time tells nothing of a private key.
const fn character(digit: u8) -> u8 {
    b'A'.wrapping_add(digit)
        .wrapping_add(6 & ones_if_above(25, digit))
        .wrapping_sub(75 & ones_if_above(51, digit))
        .wrapping_sub(15 & ones_if_above(61, digit))
        .wrapping_add(3 & ones_if_above(62, digit))
}

/// All ones if `digit`, which is below 64, is above `limit`; else zero.
const fn ones_if_above(limit: u8, digit: u8) -> u8 {
    0u8.wrapping_sub(limit.wrapping_sub(digit) >> 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(label: &str, der: &[u8]) -> String {
        let mut out = String::new();
        append(&mut out, label, der);
        out
    }

    #[test]
    fn the_alphabet_is_rfc_4648s() {
        let expected = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        assert_eq!((0..64).map(character).collect::<Vec<_>>(), expected);
    }

    /// RFC 4648 section 10.
    #[test]
    fn padding_is_rfc_4648s() {
        let cases = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        for (length, expected) in cases.into_iter().enumerate() {
            let text: String = b"foobar"[..length].chunks(3).flat_map(quantum).collect();
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn lines_have_64_characters_and_no_byte_is_reserved_in_vain() {
        for bytes in [0, 1, 47, 48, 49, 96, 1000] {
            let text = section("X", &vec![0x5a; bytes]);
            let lines: Vec<_> = text.lines().collect();
            assert_eq!((lines[0], *lines.last().unwrap()), ("-----BEGIN X-----", "-----END X-----"));
            let body = &lines[1..lines.len() - 1];
            assert_eq!(body.len(), bytes.div_ceil(48), "{bytes}");
            assert!(body.iter().rev().skip(1).all(|line| line.len() == 64), "{bytes}");
            assert_eq!((text.len(), text.capacity()), (length("X", &vec![0; bytes]), text.len()), "{bytes}");
        }
    }
}
