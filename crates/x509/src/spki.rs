//! Cuts a SubjectPublicKeyInfo into algorithm and key bits, and counts the bits of an RSA modulus.
//!
//! It reads these two fixed shapes and nothing else, and
//! decides nothing: signatures are checked by webpki over the same bytes.

use crate::der::{BIT_STRING, INTEGER, SEQUENCE, value};

/// The content of the AlgorithmIdentifier and the bytes of the key (RFC 5280 section 4.1).
///
/// `None` if `spki` is not exactly one DER SubjectPublicKeyInfo, or if the key has unused bits.
pub(crate) fn split(spki: &[u8]) -> Option<(&[u8], &[u8])> {
    let (body, rest) = value(spki, SEQUENCE)?;
    let (algorithm, after) = value(body, SEQUENCE)?;
    let (bits, end) = value(after, BIT_STRING)?;
    let (unused, key) = bits.split_first()?;
    (rest.is_empty() && end.is_empty() && *unused == 0).then_some((algorithm, key))
}

/// The size of an RSA modulus in bits, from an RSAPublicKey (RFC 8017 appendix A.1.1).
///
/// `None` if it is not DER or the modulus is not positive.
pub(crate) fn rsa_modulus_bits(key: &[u8]) -> Option<usize> {
    let (body, rest) = value(key, SEQUENCE)?;
    let (modulus, after) = value(body, INTEGER)?;
    let (_exponent, end) = value(after, INTEGER)?;
    if !rest.is_empty() || !end.is_empty() {
        return None;
    }
    let magnitude = match modulus {
        // DER: a zero in front only to keep the sign bit clear.
        [0, tail @ ..] if tail.first()? & 0x80 != 0 => tail,
        [first, ..] if *first != 0 && first & 0x80 == 0 => modulus,
        _ => return None,
    };
    let leading = usize::try_from(magnitude.first()?.leading_zeros()).ok()?;
    magnitude.len().checked_mul(8)?.checked_sub(leading)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::der::encode as tlv;

    fn rsa_key(modulus: &[u8]) -> Vec<u8> {
        let modulus = tlv(INTEGER, modulus);
        tlv(SEQUENCE, &[&modulus[..], &[2, 3, 1, 0, 1]].concat())
    }

    #[test]
    fn counts_modulus_bits() {
        assert_eq!(rsa_modulus_bits(&rsa_key(&[1])), Some(1));
        assert_eq!(rsa_modulus_bits(&rsa_key(&[0x7f; 4])), Some(31));
        assert_eq!(rsa_modulus_bits(&rsa_key(&[&[0], &[0xff; 128][..]].concat())), Some(1024));
        assert_eq!(rsa_modulus_bits(&rsa_key(&[&[0], &[0x80; 1025][..]].concat())), Some(8200));
    }

    #[test]
    fn refuses_what_is_not_der() {
        assert_eq!(rsa_modulus_bits(&rsa_key(&[0x80])), None, "negative");
        assert_eq!(rsa_modulus_bits(&rsa_key(&[0, 0x7f])), None, "padded");
        assert_eq!(rsa_modulus_bits(&rsa_key(&[0])), None, "zero");
        assert_eq!(rsa_modulus_bits(&rsa_key(&[])), None, "empty");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(bytes: Vec<u8>) {
            let _ = split(&bytes);
            let _ = rsa_modulus_bits(&bytes);
        }

        #[test]
        fn splits_what_was_joined(algorithm: Vec<u8>, key: Vec<u8>) {
            let bits = [&[0][..], &key].concat();
            let spki = tlv(SEQUENCE, &[tlv(SEQUENCE, &algorithm), tlv(BIT_STRING, &bits)].concat());
            prop_assert_eq!(split(&spki), Some((&algorithm[..], &key[..])));
        }
    }
}
