//! Reading private keys: PKCS#8 (RFC 5958), SEC1 (RFC 5915) and PKCS#1 (RFC 8017 appendix A.1.2), as far as needed
//! to choose the algorithm and to say what is wrong. Does no cryptography.

use alloc::vec::Vec;

use rustls_pki_types::{AlgorithmIdentifier, PrivateKeyDer, alg_id};

use crate::crypto::KeyError;

/// A private key, cut into its parts but not checked.
pub(super) enum Parts<'a> {
    /// RSAPrivateKey, and the bits of its modulus.
    Rsa { der: &'a [u8], bits: usize },
    /// The scalar, and the point where the file has it (RFC 5915 section 3: it may leave it out, or compress it).
    Ec { curve: Curve, private_key: &'a [u8], public_key: Option<&'a [u8]> },
    /// The whole PKCS#8 document: the public key in it is optional.
    Ed25519 { pkcs8: &'a [u8] },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
}

impl Curve {
    const ALL: [Self; 2] = [Self::P256, Self::P384];

    pub(super) fn algorithm(self) -> AlgorithmIdentifier {
        match self {
            Self::P256 => alg_id::ECDSA_P256,
            Self::P384 => alg_id::ECDSA_P384,
        }
    }

    /// The object identifier, as an element.
    fn oid(self) -> &'static [u8] {
        match self {
            Self::P256 => &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
            Self::P384 => &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22],
        }
    }

    pub(super) fn scalar_length(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }
}

/// Cuts a private key of any of the three formats.
pub(super) fn parts<'a>(key: &'a PrivateKeyDer<'_>) -> Result<Parts<'a>, KeyError> {
    match key {
        PrivateKeyDer::Pkcs8(key) => pkcs8(key.secret_pkcs8_der()),
        PrivateKeyDer::Sec1(key) => ec(key.secret_sec1_der(), None),
        PrivateKeyDer::Pkcs1(key) => rsa(key.secret_pkcs1_der()),
        _ => Err(KeyError::UnsupportedFormat),
    }
}

fn pkcs8(document: &[u8]) -> Result<Parts<'_>, KeyError> {
    const MALFORMED: KeyError = KeyError::Malformed("PrivateKeyInfo");
    let cut = || {
        let mut fields = Der(Der(document).whole(SEQUENCE)?);
        fields.element(INTEGER)?;
        let (algorithm, private_key) = (fields.element(SEQUENCE)?, fields.element(OCTET_STRING)?);
        // Of version 2 (RFC 5958 section 2): attributes, and a public key beside the private one.
        fields.optional(EXPLICIT_0)?;
        Some((algorithm, private_key, fields.optional(IMPLICIT_1)?))
    };
    let (algorithm, private_key, public_key) = cut().ok_or(MALFORMED)?;
    if algorithm == &*alg_id::RSA_ENCRYPTION {
        rsa(private_key)
    } else if algorithm == &*alg_id::ED25519 {
        Ok(Parts::Ed25519 { pkcs8: document })
    } else if let Some(curve) = Curve::ALL.into_iter().find(|curve| algorithm == &*curve.algorithm()) {
        let mut parts = ec(private_key, Some(curve))?;
        if let (Parts::Ec { public_key: inner @ None, .. }, Some(outer)) = (&mut parts, public_key) {
            *inner = Some(outer.strip_prefix(&[0]).ok_or(MALFORMED)?);
        }
        Ok(parts)
    } else if algorithm.starts_with(EC_PUBLIC_KEY) {
        Err(KeyError::UnsupportedCurve)
    } else {
        Err(KeyError::UnsupportedAlgorithm)
    }
}

fn rsa(der: &[u8]) -> Result<Parts<'_>, KeyError> {
    let cut = || {
        let mut fields = Der(Der(der).whole(SEQUENCE)?);
        fields.element(INTEGER)?;
        fields.element(INTEGER)
    };
    let modulus = cut().ok_or(KeyError::Malformed("RSAPrivateKey"))?;
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let significant = modulus.get(zeros..).unwrap_or_default();
    let top_zeros = significant.first().map_or(0, |byte| byte.leading_zeros());
    let bits = significant
        .len()
        .saturating_mul(8)
        .saturating_sub(usize::try_from(top_zeros).expect("a byte has at most 8 zeros"));
    Ok(Parts::Rsa { der, bits })
}

/// ECPrivateKey. The curve is named around it, in it, or (in neither place) by the length of the scalar.
fn ec(der: &[u8], outer_curve: Option<Curve>) -> Result<Parts<'_>, KeyError> {
    const MALFORMED: KeyError = KeyError::Malformed("ECPrivateKey");
    let mut fields = Der(Der(der).whole(SEQUENCE).ok_or(MALFORMED)?);
    let mut cut = || {
        fields.element(INTEGER)?;
        Some((fields.element(OCTET_STRING)?, fields.optional(EXPLICIT_0)?, fields.optional(EXPLICIT_1)?))
    };
    let (private_key, parameters, public_key) = cut().ok_or(MALFORMED)?;
    let inner_curve = match parameters {
        Some(oid) => {
            Some(Curve::ALL.into_iter().find(|curve| oid == curve.oid()).ok_or(KeyError::UnsupportedCurve)?)
        }
        None => None,
    };
    if let (Some(outer), Some(inner)) = (outer_curve, inner_curve)
        && outer != inner
    {
        return Err(MALFORMED);
    }
    let curve = outer_curve
        .or(inner_curve)
        .or_else(|| Curve::ALL.into_iter().find(|curve| private_key.len() == curve.scalar_length()))
        .ok_or(KeyError::UnsupportedCurve)?;
    let public_key = match public_key {
        // The first byte counts the unused bits of the last.
        Some(bits) => {
            Some(Der(bits).whole(BIT_STRING).and_then(|bits| bits.strip_prefix(&[0])).ok_or(MALFORMED)?)
        }
        None => None,
    };
    Ok(Parts::Ec { curve, private_key, public_key })
}

/// SubjectPublicKeyInfo (RFC 5280 section 4.1) of a public key.
pub(super) fn subject_public_key_info(algorithm: AlgorithmIdentifier, public_key: &[u8]) -> Vec<u8> {
    let algorithm = element(SEQUENCE, &[&algorithm]);
    let public_key = element(BIT_STRING, &[&[0], public_key]);
    element(SEQUENCE, &[&algorithm, &public_key])
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
const EXPLICIT_0: u8 = 0xa0;
const EXPLICIT_1: u8 = 0xa1;
const IMPLICIT_1: u8 = 0x81;

/// The object identifier id-ecPublicKey, as an element (RFC 5480 section 2.1.1).
const EC_PUBLIC_KEY: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

/// The elements that are left in a piece of DER.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The value of the next element, which must have this tag.
    fn element(&mut self, tag: u8) -> Option<&'a [u8]> {
        let rest = self.0.strip_prefix(&[tag])?;
        // Definite lengths of up to two bytes: no key is longer.
        let (length, rest) = match rest {
            [0x82, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
            [0x81, length, rest @ ..] => (usize::from(*length), rest),
            [length @ ..=0x7f, rest @ ..] => (usize::from(*length), rest),
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(value)
    }

    /// The value of the next element if it has this tag. The outer `None` means that it is damaged.
    fn optional(&mut self, tag: u8) -> Option<Option<&'a [u8]>> {
        if self.0.first() == Some(&tag) { self.element(tag).map(Some) } else { Some(None) }
    }

    /// The value of the only element there is.
    fn whole(mut self, tag: u8) -> Option<&'a [u8]> {
        let value = self.element(tag)?;
        self.0.is_empty().then_some(value)
    }
}

/// An element with the concatenation of `parts` as its value.
pub(super) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let value = parts.concat();
    let length = value.len().to_be_bytes();
    let zeros = length.iter().take_while(|byte| **byte == 0).count();
    let length = length.get(zeros..).unwrap_or_default();
    let mut out = Vec::with_capacity(value.len().saturating_add(2).saturating_add(length.len()));
    out.push(tag);
    match length {
        [] => out.push(0),
        [short @ ..=0x7f] => out.push(*short),
        long => {
            out.push(0x80 | u8::try_from(long.len()).expect("a length has at most 8 bytes"));
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(&value);
    out
}
