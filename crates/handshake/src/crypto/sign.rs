//! Signatures of the handshake: who signs, what may be verified, and the content that DTLS 1.3 signs. Verifying
//! itself is the work of `drystone_x509::PublicKey`, which is given the algorithms named here.

use alloc::vec::Vec;
use core::fmt;
use core::task::Poll;

use rustls_pki_types::{SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer};

use crate::crypto::prf12::Randoms;
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
///
/// A key that answers later:
///
/// ```
/// use core::task::Poll;
/// use drystone_handshake::crypto::{SigningError, SigningKey};
/// use drystone_handshake::SignatureScheme;
/// use rustls_pki_types::SubjectPublicKeyInfoDer;
///
/// #[derive(Debug)]
/// struct Remote;
///
/// impl SigningKey for Remote {
///     fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
///         None
///     }
///     fn schemes(&self) -> &[SignatureScheme] {
///         &[SignatureScheme::ED25519]
///     }
///     fn sign(&self, _: SignatureScheme, _message: &[u8]) -> Poll<Result<Vec<u8>, SigningError>> {
///         // The message goes on its way to the module that holds the key.
///         Poll::Pending
///     }
/// }
///
/// assert!(Remote.sign(SignatureScheme::ED25519, b"message").is_pending());
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

/// Whether a scheme may be used in CertificateVerify of DTLS 1.3. RSASSA-PKCS1-v1_5 is only for signatures in
/// certificates (RFC 9846 section 4.3.3), SHA-1 for nothing (section 4.5.2); both may be offered for certificates.
pub fn signs_certificate_verify13(scheme: SignatureScheme) -> bool {
    const RSA_PKCS1_SHA1: SignatureScheme = SignatureScheme(0x0201);
    const ECDSA_SHA1: SignatureScheme = SignatureScheme(0x0203);
    !matches!(
        scheme,
        SignatureScheme::RSA_PKCS1_SHA256
            | SignatureScheme::RSA_PKCS1_SHA384
            | SignatureScheme::RSA_PKCS1_SHA512
            | RSA_PKCS1_SHA1
            | ECDSA_SHA1
    )
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

/// The content that ServerKeyExchange signs in DTLS 1.2 (RFC 8422 section 5.4): both randoms and the parameters as
/// they are on the wire.
pub fn server_key_exchange_content(randoms: &Randoms, params: &[u8]) -> Vec<u8> {
    [&randoms.client, &randoms.server, params].concat()
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::crypto::ring::provider;
    use crate::crypto::test_support::{hex, vector};
    use rustls_pki_types::CertificateDer;

    /// Whether exactly one of the algorithms accepts, with the key of this certificate.
    fn verifies(
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
        certificate: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        let certificate = CertificateDer::from(certificate);
        let certificate = webpki::EndEntityCert::try_from(&certificate).expect("certificate");
        let accepts = |algorithm: &&&'static dyn SignatureVerificationAlgorithm| {
            certificate.verify_signature(**algorithm, message, signature).is_ok()
        };
        algorithms.iter().filter(accepts).count() == 1
    }

    /// A scheme and a signature, as CertificateVerify and the end of ServerKeyExchange have them.
    fn scheme_and_signature(bytes: &[u8]) -> (SignatureScheme, &[u8]) {
        let length = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
        assert_eq!(bytes.len(), 4 + length);
        (SignatureScheme(u16::from_be_bytes([bytes[0], bytes[1]])), &bytes[4..])
    }

    /// The signature that OpenSSL made in ServerKeyExchange of a recorded DTLS 1.2 handshake.
    #[test]
    fn recorded_server_key_exchange() {
        let capture = vector("dtls12-captures/d12-ecdhe-aes128gcm.json");
        let datagram = |index: usize| hex(capture["datagrams"][index]["hex"].as_str().unwrap());
        let (client_hello, flight) = (datagram(2), datagram(3));
        // ServerHello, Certificate and ServerKeyExchange, each in a record of its own.
        let mut messages: Vec<&[u8]> = Vec::new();
        let mut rest = flight.as_slice();
        while !rest.is_empty() {
            let length = usize::from(u16::from_be_bytes([rest[11], rest[12]]));
            messages.push(&rest[25..13 + length]);
            rest = &rest[13 + length..];
        }
        let randoms = Randoms {
            client: client_hello[27..59].try_into().unwrap(),
            server: messages[0][2..34].try_into().unwrap(),
        };
        // One certificate, behind the lengths of the list and of itself.
        let certificate = &messages[1][6..];
        // named_curve, x25519, 32 bytes.
        let (params, signed) = messages[2].split_at(36);
        let (scheme, signature) = scheme_and_signature(signed);
        assert_eq!(scheme, SignatureScheme::ECDSA_SECP256R1_SHA256);
        let algorithms = provider().signature_verifier(scheme).unwrap().algorithms;
        let content = server_key_exchange_content(&randoms, params);
        assert!(verifies(algorithms, certificate, &content, signature));
        let swapped = Randoms { client: randoms.server, server: randoms.client };
        let content = server_key_exchange_content(&swapped, params);
        assert!(!verifies(algorithms, certificate, &content, signature));
    }

    /// CertificateVerify of a recorded DTLS 1.3 handshake.
    #[test]
    fn recorded_certificate_verify() {
        let file = vector("illustrated-dtls13/key-schedule.json");
        let record =
            |name: &str| hex(file["values"]["protected_records"][name]["plaintext"].as_str().unwrap());
        let wire = vector("illustrated-dtls13/records.json");
        let hello = |name: &str| hex(wire["datagrams_on_wire"][name].as_str().unwrap())[13..].to_vec();
        let messages = [
            hello("01-hello-c"),
            hello("02-hello-s"),
            record("03-encext-shs-prot"),
            record("04-cert-shs-prot"),
        ];
        let mut transcript = crate::crypto::ring::SHA_256.start();
        for message in &messages {
            transcript.update(&message[..4]);
            transcript.update(&message[12..]);
        }
        // No request context; behind the lengths of the list and of the certificate, before empty extensions.
        let certificate = &messages[3][12 + 1 + 3 + 3..messages[3].len() - 2];
        let certificate_verify = record("05-cverify-shs-prot");
        let (scheme, signature) = scheme_and_signature(&certificate_verify[12..]);
        assert_eq!(scheme, SignatureScheme::RSA_PSS_RSAE_SHA256);
        let algorithms = provider().signature_verifier(scheme).unwrap().algorithms_fixed_curve;
        let content = |signer| certificate_verify_content(signer, &transcript.current());
        assert!(verifies(algorithms, certificate, &content(Side::Server), signature));
        assert!(!verifies(algorithms, certificate, &content(Side::Client), signature));
    }

    #[test]
    fn schemes_of_dtls_1_3_are_those_with_a_verifier_for_it() {
        for verifier in &provider().signature_verifiers {
            let has_verifier = !verifier.algorithms_fixed_curve.is_empty();
            assert_eq!(signs_certificate_verify13(verifier.scheme), has_verifier, "{}", verifier.scheme);
        }
        assert!(!signs_certificate_verify13(SignatureScheme(0x0203)));
    }

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
        let (client, server) = (
            certificate_verify_content(Side::Client, &hash),
            certificate_verify_content(Side::Server, &hash),
        );
        assert_eq!(client.len(), server.len());
        assert_eq!(&client[73..79], b"client");
        assert_eq!(&server[73..79], b"server");
    }
}
