//! Signatures of the handshake: who signs, what may be verified, and the content that DTLS 1.3 signs. Verifying
//! itself is the work of `drystone_x509::PublicKey`, which is given the algorithms named here.

use alloc::vec::Vec;
use core::fmt;
use core::task::Poll;

use rustls_pki_types::{SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer};

use crate::crypto::{Digest, Side};
use crate::message::registry::SignatureScheme;

/// A private key that signs for a certificate. May live elsewhere: in a security module, or behind the network.
///
/// ```
/// use core::task::Poll;
/// use drystone_handshake::crypto::ring;
/// use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let generated = rcgen::KeyPair::generate()?;
/// let key = ring::signing_key(&PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(generated.serialize_der())))?;
/// let scheme = key.schemes()[0];
/// assert_eq!(scheme.name(), Some("ecdsa_secp256r1_sha256"));
/// let Poll::Ready(signature) = key.sign(scheme, b"message") else { unreachable!("this key is at hand") };
/// assert!(!signature?.is_empty());
/// # Ok(())
/// # }
/// ```
pub trait SigningKey: Send + Sync + fmt::Debug {
    /// The public key, to check that key and certificate belong together; `None` if it is not known.
    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>>;

    /// The schemes in which this key signs, the preferred one first. In DTLS 1.2 an ECDSA scheme does not fix the
    /// curve; the key's own curve decides what is signed with.
    fn schemes(&self) -> &[SignatureScheme];

    /// Signs `message`, which is not hashed yet. [`Poll::Pending`] means that the answer will come later: the
    /// connection then goes on serving timers and repeats, and takes the signature as the answer to its request.
    ///
    /// # Errors
    ///
    /// [`SigningError::UnsupportedScheme`] if `scheme` is not one of [`schemes`](Self::schemes),
    /// [`SigningError::Failed`] if the key cannot be used now.
    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Poll<Result<Vec<u8>, SigningError>>;
}

/// Why there is no signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningError {
    /// The key does not sign in this scheme.
    #[error("the key does not sign with {0}")]
    UnsupportedScheme(SignatureScheme),
    /// The key failed to sign. No detail: the reason may say something about the key.
    #[error("signing failed")]
    Failed,
}

/// A signature scheme that we accept, and how it is verified.
#[derive(Clone, Copy, Debug)]
pub struct SignatureVerifier {
    /// The code point under which the scheme is offered.
    pub scheme: SignatureScheme,
    /// For ServerKeyExchange and CertificateVerify of DTLS 1.2. The ECDSA code points do not fix the curve there
    /// (RFC 5246 section 7.4.1.4.1), so that there is one algorithm per curve; the key chooses.
    pub algorithms: &'static [&'static dyn SignatureVerificationAlgorithm],
    /// For CertificateVerify of DTLS 1.3, where the code point fixes the curve. Empty if the scheme is only defined
    /// for signatures in certificates, as RSASSA-PKCS1-v1_5 is (RFC 9846 section 4.3.3).
    pub algorithms_fixed_curve: &'static [&'static dyn SignatureVerificationAlgorithm],
}

/// The content that CertificateVerify signs in DTLS 1.3 (RFC 9846 section 4.5.2): 64 spaces, a context string, a
/// zero byte, and the transcript hash up to and including Certificate.
pub fn certificate_verify_content(signer: Side, transcript_hash: &Digest) -> Vec<u8> {
    let context: &[u8] = match signer {
        Side::Client => b"TLS 1.3, client CertificateVerify",
        Side::Server => b"TLS 1.3, server CertificateVerify",
    };
    [&[0x20; 64], context, &[0], transcript_hash.as_ref()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::test_support::hex;

    /// The example of RFC 9846 section 4.5.2.
    #[test]
    fn certificate_verify_content_of_the_rfc() {
        let hash = Digest::from_slice(&[1; 32]).unwrap();
        let expected = hex(concat!(
            "2020202020202020202020202020202020202020202020202020202020202020",
            "2020202020202020202020202020202020202020202020202020202020202020",
            "544c5320312e332c207365727665722043657274696669636174655665726966",
            "7900",
            "0101010101010101010101010101010101010101010101010101010101010101",
        ));
        assert_eq!(certificate_verify_content(Side::Server, &hash), expected);
    }

    #[test]
    fn the_two_sides_sign_different_content_of_equal_shape() {
        let hash = Digest::from_slice(&[1; 32]).unwrap();
        let (client, server) =
            (certificate_verify_content(Side::Client, &hash), certificate_verify_content(Side::Server, &hash));
        assert_eq!(client.len(), server.len());
        assert_eq!(&client[73..79], b"client");
        assert_eq!(&server[73..79], b"server");
    }
}
