//! HKDF (RFC 5869) and HKDF-Expand-Label (RFC 9846 section 7.1) over any [`Hmac`]. Knows no secret by name.

use zeroize::Zeroizing;

use crate::crypto::{Digest, Hmac, HmacKey, Secret, stack};

/// HKDF with one hash function and one label prefix.
///
/// ```
/// use drystone_handshake::crypto::{hkdf::Hkdf, ring};
///
/// # fn main() -> Result<(), drystone_handshake::crypto::hkdf::ExpandError> {
/// let hkdf = Hkdf::dtls13(ring::HMAC_SHA_256);
/// let secret = hkdf.extract(b"salt", b"input keying material");
/// let mut key = [0; 16];
/// hkdf.expand_from(secret.expose(), |expander| expander.expand_label(b"key", b"", &mut key))?;
/// assert_ne!(key, [0; 16]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Hkdf {
    hmac: &'static dyn Hmac,
    label_prefix: &'static LabelPrefix,
}

/// Begins every label. A reference to an array is half as long as one to a slice, and an association keeps several.
type LabelPrefix = [u8; 6];

impl Hkdf {
    /// HKDF as DTLS 1.3 uses it: labels begin with `dtls13`, without a space (RFC 9147 section 5.9).
    pub const fn dtls13(hmac: &'static dyn Hmac) -> Self {
        Self { hmac, label_prefix: b"dtls13" }
    }

    /// HKDF with the prefix of TLS 1.3, for the traces of RFC 8448.
    #[cfg(test)]
    pub(crate) const fn tls13(hmac: &'static dyn Hmac) -> Self {
        Self { hmac, label_prefix: b"tls13 " }
    }

    /// Bytes of an extracted secret, and of every secret of the key schedule.
    pub fn output_length(&self) -> usize {
        self.hmac.output_length()
    }

    /// HKDF-Extract (RFC 5869 section 2.2).
    pub fn extract(&self, salt: &[u8], input_keying_material: &[u8]) -> Secret {
        Secret::with(self.output_length(), |secret| self.extract_into(salt, input_keying_material, secret))
    }

    /// The same for a secret that does not leave its function.
    pub(crate) fn extract_into(&self, salt: &[u8], input_keying_material: &[u8], out: &mut [u8]) {
        stack::wiping::<{ stack::SYMMETRIC }, _>(|| {
            fill(out, &Zeroizing::new(self.hmac.sign(salt, &[input_keying_material])));
        });
    }

    /// Prepares a secret, and lends it to `work`, which derives several things from it. What that leaves on the stack is
    /// wiped: give back no secret but in a box, as [`Secret`] is.
    pub fn expand_from<T>(&self, secret: &[u8], work: impl FnOnce(&Expander<'_>) -> T) -> T {
        let mut work = Some(work);
        let mut result = None;
        stack::wiping::<{ stack::SYMMETRIC }, _>(|| {
            self.hmac.use_key(secret, &mut |key| {
                let expander = Expander { key, label_prefix: self.label_prefix };
                result = work.take().map(|work| work(&expander));
            });
        });
        result.expect("a provider lends the key once")
    }

    /// The tag under a key that is used once: the verify_data of Finished, a binder.
    pub(crate) fn sign(&self, key: &Secret, data: &[u8]) -> Digest {
        stack::wiping::<{ stack::SYMMETRIC }, _>(|| self.hmac.sign(key.expose(), &[data]))
    }
}

/// An HkdfLabel, and room for a counter behind it. Holds no secret.
struct Info {
    bytes: [u8; Self::CAPACITY],
    length: usize,
}

impl Info {
    /// A length of two bytes, two strings of at most 255 behind a length of one byte each, and the counter.
    const CAPACITY: usize = 2 + (1 + 255) + (1 + 255) + 1;

    fn new() -> Self {
        Self { bytes: [0; Self::CAPACITY], length: 0 }
    }

    #[inline]
    fn push(&mut self, part: &[u8]) {
        let end = self.length.saturating_add(part.len());
        let room = self.bytes.get_mut(self.length..end);
        room.expect("lengths were checked").copy_from_slice(part);
        self.length = end;
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// A secret from which things are derived (the "PRK" of RFC 5869).
pub struct Expander<'a> {
    key: &'a dyn HmacKey,
    label_prefix: &'static LabelPrefix,
}

impl Expander<'_> {
    /// HKDF-Expand (RFC 5869 section 2.3): fills `out`.
    ///
    /// # Errors
    ///
    /// [`ExpandError::OutputTooLong`].
    pub fn expand(&self, info: &[u8], out: &mut [u8]) -> Result<(), ExpandError> {
        let block_length = self.key.output_length();
        if out.len() > block_length.saturating_mul(255) {
            return Err(ExpandError::OutputTooLong);
        }
        let mut block = Zeroizing::new(Digest::default());
        for (counter, piece) in (1_u8..=255).zip(out.chunks_mut(block_length)) {
            // T(n) = HMAC(PRK, T(n-1) | info | n)
            *block = self.key.sign(&[block.as_ref(), info, &[counter]]);
            fill(piece, &block);
        }
        Ok(())
    }

    /// HKDF-Expand-Label (RFC 9846 section 7.1): fills `out`. The label is given without its prefix.
    ///
    /// # Errors
    ///
    /// Every [`ExpandError`]: label (with its prefix) and context have at most 255 bytes, `out` at most 255 digests.
    pub fn expand_label(&self, label: &[u8], context: &[u8], out: &mut [u8]) -> Result<(), ExpandError> {
        let length = u16::try_from(out.len()).map_err(|_| ExpandError::OutputTooLong)?;
        let label_length = self.label_prefix.len().saturating_add(label.len());
        let label_length = u8::try_from(label_length).map_err(|_| ExpandError::LabelTooLong)?;
        let context_length = u8::try_from(context.len()).map_err(|_| ExpandError::ContextTooLong)?;
        let mut info = Info::new();
        info.push(&length.to_be_bytes());
        info.push(&[label_length]);
        info.push(self.label_prefix);
        info.push(label);
        info.push(&[context_length]);
        info.push(context);
        if out.len() > self.key.output_length() {
            return self.expand(info.as_slice(), out);
        }
        // T(1) is all, and its input goes to the hash function in one piece: every piece costs it time.
        info.push(&[1]);
        let block = Zeroizing::new(self.key.sign(&[info.as_slice()]));
        fill(out, &block);
        Ok(())
    }

    /// Derive-Secret (RFC 9846 section 7.1) for the labels of the key schedule.
    pub(crate) fn derive_secret(&self, label: &'static str, transcript_hash: &Digest) -> Secret {
        self.secret(label, transcript_hash.as_ref(), self.key.output_length())
    }

    /// The same for a secret that does not leave its function.
    pub(crate) fn derive_secret_into(&self, label: &'static str, transcript_hash: &Digest, out: &mut [u8]) {
        self.expand_label(label.as_bytes(), transcript_hash.as_ref(), out).expect(OF_THE_RFC);
    }

    /// A key of the suite that does not leave its function (RFC 9846 section 7.3).
    pub(crate) fn expand_key(&self, label: &'static str, out: &mut [u8]) {
        self.expand_label(label.as_bytes(), &[], out).expect(OF_THE_RFC);
    }

    /// HKDF-Expand-Label for a label of the RFC and a length of the suite.
    pub(crate) fn secret(&self, label: &'static str, context: &[u8], length: usize) -> Secret {
        self.try_secret(label.as_bytes(), context, length).expect(OF_THE_RFC)
    }

    /// HKDF-Expand-Label into a secret, for a label or context that the caller chose.
    pub(crate) fn try_secret(
        &self,
        label: &[u8],
        context: &[u8],
        length: usize,
    ) -> Result<Secret, ExpandError> {
        let mut result = Ok(());
        let secret = Secret::with(length, |out| {
            result = self.expand_label(label, context, out);
        });
        result.map(|()| secret)
    }
}

/// Why labels of the RFC, digests and lengths of a suite always fit.
const OF_THE_RFC: &str =
    "the RFC's labels are short, contexts are digests, and a key is as long as two digests at most";

/// What is to be filled may be shorter than the digest, never longer.
fn fill(out: &mut [u8], block: &Digest) {
    for (to, from) in out.iter_mut().zip(block.as_ref()) {
        *to = *from;
    }
}

impl core::fmt::Debug for Expander<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Expander").finish_non_exhaustive()
    }
}

/// What HKDF cannot derive. Closed: one for each length that has a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// The label has more than 255 bytes, prefix included.
    #[error("label longer than 255 bytes")]
    LabelTooLong,
    /// The context has more than 255 bytes.
    #[error("context longer than 255 bytes")]
    ContextTooLong,
    /// More bytes are wanted than 255 digests.
    #[error("more output than 255 digests")]
    OutputTooLong,
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;
    use crate::crypto::ring::{HMAC_SHA_256, HMAC_SHA_384};
    use crate::crypto::test_support::{hex, vector};

    fn wycheproof(hmac: &'static dyn Hmac, file: &str) {
        let mut passed = 0;
        for group in vector(file)["testGroups"].as_array().unwrap() {
            for test in group["tests"].as_array().unwrap() {
                let field = |name: &str| hex(test[name].as_str().unwrap());
                let hkdf = Hkdf::dtls13(hmac);
                let secret = hkdf.extract(&field("salt"), &field("ikm"));
                let mut out = vec![0; usize::try_from(test["size"].as_u64().unwrap()).unwrap()];
                let info = field("info");
                let result = hkdf.expand_from(secret.expose(), |expander| expander.expand(&info, &mut out));
                match test["result"].as_str().unwrap() {
                    "valid" => {
                        assert_eq!((result, out), (Ok(()), field("okm")), "{}", test["tcId"]);
                    }
                    _ => assert_eq!(result, Err(ExpandError::OutputTooLong), "{}", test["tcId"]),
                }
                passed += 1;
            }
        }
        assert!(passed > 50, "only {passed} vectors");
    }

    #[test]
    fn wycheproof_sha256() {
        wycheproof(HMAC_SHA_256, "wycheproof/hkdf_sha256_test.json");
    }

    #[test]
    fn wycheproof_sha384() {
        wycheproof(HMAC_SHA_384, "wycheproof/hkdf_sha384_test.json");
    }

    #[test]
    fn lengths_that_do_not_fit_their_fields_are_refused() {
        Hkdf::dtls13(HMAC_SHA_256).expand_from(&[1; 32], |expander| {
            let expand =
                |label: &[u8], context: &[u8], out: &mut [u8]| expander.expand_label(label, context, out);
            let mut out = [0; 32];
            assert_eq!(expand(&[b'x'; 249], &[0; 255], &mut out), Ok(()));
            assert_eq!(expand(&[b'x'; 250], &[], &mut out), Err(ExpandError::LabelTooLong));
            assert_eq!(expand(b"x", &[0; 256], &mut out), Err(ExpandError::ContextTooLong));
            assert_eq!(expand(b"x", &[], &mut vec![0; 255 * 32]), Ok(()));
            assert_eq!(expand(b"x", &[], &mut vec![0; 255 * 32 + 1]), Err(ExpandError::OutputTooLong));
            assert_eq!(expand(b"x", &[], &mut vec![0; 65536]), Err(ExpandError::OutputTooLong));
        });
    }

    #[test]
    fn the_prefix_of_dtls_has_no_space() {
        let (mut by_label, mut by_info) = ([0; 16], [0; 16]);
        Hkdf::dtls13(HMAC_SHA_256).expand_from(&[1; 32], |expander| {
            expander.expand_label(b"key", b"", &mut by_label).unwrap();
            expander.expand(b"\x00\x10\x09dtls13key\x00", &mut by_info).unwrap();
        });
        assert_eq!(by_label, by_info);
    }
}
