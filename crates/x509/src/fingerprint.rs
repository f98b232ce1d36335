//! Fingerprints of certificates, and their text in SDP (RFC 8122 section 5). It must not decide what a match is worth.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use ring::digest;
use rustls_pki_types::CertificateDer;
use thiserror::Error;

/// The hash of a certificate's DER, by which a peer is recognised: as WebRTC exchanges it in SDP.
///
/// ```
/// use drystone_x509::{CertificateDer, Fingerprint};
///
/// let certificate = CertificateDer::from(vec![0x30, 0]);
/// let fingerprint = Fingerprint::sha256(&certificate);
/// let text = fingerprint.to_string();
/// assert!(text.starts_with("sha-256 E4:F6:"));
/// assert_eq!(text.parse(), Ok(fingerprint));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    function: HashFunction,
    digest: Box<[u8]>,
}

/// The hash functions of RFC 8122 section 5 that are strong enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum HashFunction {
    Sha256,
    Sha384,
    Sha512,
}

/// Why a text is no fingerprint that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FingerprintError {
    /// It does not begin with the name of a hash function and a space.
    #[error("a fingerprint begins with its hash function: `sha-256 AB:CD:...`")]
    NoFunction,
    /// SHA-256, SHA-384 and SHA-512 are known. For SHA-1 and MD5 other certificates of the same fingerprint can be made.
    #[error("the hash function is none of sha-256, sha-384 and sha-512")]
    Function,
    /// What follows is not bytes in hexadecimal, separated by colons.
    #[error("not bytes in hexadecimal, separated by colons")]
    Hexadecimal,
    /// There are not as many bytes as the hash function gives.
    #[error("{found} bytes, and the hash function gives {expected}")]
    Length {
        /// Bytes in the text.
        found: usize,
        /// Bytes of the function's output.
        expected: usize,
    },
}

impl Fingerprint {
    /// The SHA-256 fingerprint of a certificate, which every implementation knows (RFC 8122 section 5).
    pub fn sha256(certificate: &CertificateDer<'_>) -> Self {
        Self::by(HashFunction::Sha256, certificate)
    }

    /// The SHA-384 fingerprint of a certificate.
    pub fn sha384(certificate: &CertificateDer<'_>) -> Self {
        Self::by(HashFunction::Sha384, certificate)
    }

    /// The SHA-512 fingerprint of a certificate.
    pub fn sha512(certificate: &CertificateDer<'_>) -> Self {
        Self::by(HashFunction::Sha512, certificate)
    }

    /// Whether it is the fingerprint of this certificate.
    pub fn matches(&self, certificate: &CertificateDer<'_>) -> bool {
        *self == self.of_another(certificate)
    }

    /// The fingerprint of another certificate by the same function.
    pub(crate) fn of_another(&self, certificate: &CertificateDer<'_>) -> Self {
        Self::by(self.function, certificate)
    }

    /// The bytes of the hash: 32, 48 or 64.
    pub fn as_bytes(&self) -> &[u8] {
        &self.digest
    }

    fn by(function: HashFunction, certificate: &CertificateDer<'_>) -> Self {
        let digest = digest::digest(function.algorithm(), certificate);
        Self { function, digest: digest.as_ref().into() }
    }
}

impl HashFunction {
    const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// The name in SDP, whose letter case does not matter.
    const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

impl fmt::Display for Fingerprint {
    /// As in SDP: `sha-256 AB:CD:...`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.function.name())?;
        let mut separator = ' ';
        for byte in &self.digest {
            write!(f, "{separator}{byte:02X}")?;
            separator = ':';
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    /// Reads the text of SDP (the value of `a=fingerprint:`), in either letter case.
    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let (name, digits) = text.trim().split_once(' ').ok_or(FingerprintError::NoFunction)?;
        let is_named = |function: &HashFunction| function.name().eq_ignore_ascii_case(name);
        let function = HashFunction::ALL.into_iter().find(is_named).ok_or(FingerprintError::Function)?;
        let bytes = digits.trim().split(':').map(byte).collect::<Option<Vec<u8>>>();
        let bytes = bytes.ok_or(FingerprintError::Hexadecimal)?;
        let (found, expected) = (bytes.len(), function.algorithm().output_len());
        if found != expected {
            return Err(FingerprintError::Length { found, expected });
        }
        Ok(Self { function, digest: bytes.into() })
    }
}

/// Two hexadecimal digits: `from_str_radix` alone takes a sign too.
fn byte(digits: &str) -> Option<u8> {
    let is_pair = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if is_pair { u8::from_str_radix(digits, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned;
    use alloc::format;
    use alloc::string::{String, ToString};
    use alloc::vec;

    use super::*;

    fn certificate() -> CertificateDer<'static> {
        CertificateDer::from(b"any bytes do".to_vec())
    }

    #[test]
    fn texts_come_back_in_either_letter_case() {
        let certificate = certificate();
        for made in [Fingerprint::sha256, Fingerprint::sha384, Fingerprint::sha512] {
            let fingerprint = made(&certificate);
            let text = fingerprint.to_string();
            for text in [text.clone(), text.to_lowercase(), text.to_uppercase(), format!(" {text}\r\n")] {
                assert_eq!(text.parse(), Ok(fingerprint.clone()), "{text}");
            }
            assert!(fingerprint.matches(&certificate));
            assert!(!fingerprint.matches(&CertificateDer::from(vec![1])));
        }
    }

    /// RFC 8122 section 5: "hash-func", "fingerprint".
    #[test]
    fn what_is_no_fingerprint_says_why() {
        let good = Fingerprint::sha256(&certificate()).to_string();
        let digits = &good["sha-256 ".len()..];
        for (text, expected) in [
            (String::new(), FingerprintError::NoFunction),
            (digits.to_owned(), FingerprintError::NoFunction),
            (format!("sha-1 {digits}"), FingerprintError::Function),
            (format!("md5 {digits}"), FingerprintError::Function),
            (format!("sha256 {digits}"), FingerprintError::Function),
            (format!("sha-384 {digits}"), FingerprintError::Length { found: 32, expected: 48 }),
            (good[..good.len() - 3].to_owned(), FingerprintError::Length { found: 31, expected: 32 }),
            (good[..good.len() - 1].to_owned(), FingerprintError::Hexadecimal),
            (good.replacen(':', "", 1), FingerprintError::Hexadecimal),
            (format!("{}+A", &good[..good.len() - 2]), FingerprintError::Hexadecimal),
            (format!("{good}:"), FingerprintError::Hexadecimal),
        ] {
            assert_eq!(text.parse::<Fingerprint>(), Err(expected), "{text}");
        }
    }
}
