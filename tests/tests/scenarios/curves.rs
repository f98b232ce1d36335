//! Which curves a certificate may be on: supported_groups says it in DTLS 1.2 (RFC 8422 section 5.3), the signature schemes in
//! DTLS 1.3 (RFC 9846 section 4.3.3).

use core::task::Poll;
use std::sync::{Arc, OnceLock};

use drystone_handshake::crypto::{SigningError, SigningKey};
use drystone_handshake::{
    AlertDescription, ClientConfig, Credential, Credentials, Error, Incompatibility, NamedGroup,
    ProtocolVersion, ServerConfig, Settings, SignatureScheme,
};
use drystone_tests::identity::{Identity, name, settings_of};
use drystone_tests::pair::{Pair, perfect_link};
use p384::ecdsa::signature::hazmat::PrehashSigner as _;
use p384::pkcs8::DecodePrivateKey as _;
use rustls_pki_types::SubjectPublicKeyInfoDer;

const P256: NamedGroup = NamedGroup::SECP256R1;
const P384: NamedGroup = NamedGroup::SECP384R1;
const P521: NamedGroup = NamedGroup::SECP521R1;
const X25519: NamedGroup = NamedGroup::X25519;
const BOTH: [ProtocolVersion; 2] = [ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_3];

fn p384() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    let key = || rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    IDENTITY.get_or_init(|| Identity::direct(&key()))
}

fn pair(client: Settings, policy_of: &Identity, server: Settings, credentials: Vec<Credential>) -> Pair {
    let client = ClientConfig::new(client, policy_of.policy()).unwrap();
    let credentials = Credentials::new(credentials.into_iter().map(Arc::new).collect());
    let server = ServerConfig::new(server, credentials).unwrap();
    Pair::new(Arc::new(client), Arc::new(server), name(), perfect_link())
}

/// The server says handshake_failure, for want of a credential that the client can verify.
fn is_refused(mut pair: Pair) {
    assert!(!pair.connect());
    let connection = |end: &drystone_tests::pair::End| {
        end.connection.as_ref().and_then(|connection| connection.error()).cloned()
    };
    let (server, client) = (connection(&pair.server), connection(&pair.client));
    assert_eq!(server, Some(Error::Incompatible(Incompatibility::SignatureScheme)));
    let told = AlertDescription::HANDSHAKE_FAILURE;
    assert!(
        matches!(client, Some(Error::AlertReceived { description, .. }) if description == told),
        "{client:?}"
    );
}

#[test]
fn a_client_of_1_2_is_not_shown_a_certificate_on_a_curve_that_it_does_not_list() {
    for (groups, admitted) in [
        (vec![P256], false),
        (vec![X25519, P256], false),
        (vec![P256, P384], true),
        (vec![X25519, P384], true),
        // About key exchanges alone: no curve of any certificate is in it.
        (vec![X25519], true),
    ] {
        for version in BOTH {
            let mut client = settings_of(version);
            client.groups = Some(groups.clone());
            let mut pair = pair(client, p384(), settings_of(version), vec![p384().credential()]);
            if admitted || version == ProtocolVersion::DTLS_1_3 {
                assert!(pair.connect(), "{version} {groups:?}");
            } else {
                is_refused(pair);
            }
        }
    }
}

/// P-521 is in no list of ours, but in those of others.
#[test]
fn every_curve_for_signatures_makes_a_list_speak_of_certificates() {
    use drystone_handshake::CredentialOffer;
    use drystone_handshake::CredentialResolver as _;
    let credentials = Credentials::single(p384().credential());
    let shown = |curves: &[NamedGroup]| {
        let offer = CredentialOffer {
            server_name: None,
            signature_schemes: &[SignatureScheme::ECDSA_SECP384R1_SHA384],
            curves: Some(curves),
            ecdsa_fixes_curve: false,
            authorities: &[],
        };
        matches!(credentials.resolve(&offer), Poll::Ready(Some(_)))
    };
    assert!(!shown(&[P521]) && !shown(&[X25519, P521]) && !shown(&[P256]));
    assert!(shown(&[P521, P384]) && shown(&[X25519]));
}

#[test]
fn another_credential_takes_its_place() {
    let mut client = settings_of(ProtocolVersion::DTLS_1_2);
    client.groups = Some(vec![P256]);
    for other in [Identity::p256(), Identity::rsa_chain()] {
        let credentials = vec![p384().credential(), other.credential()];
        let mut pair = pair(client.clone(), other, settings_of(ProtocolVersion::DTLS_1_2), credentials);
        assert!(pair.connect());
    }
}

/// A P-384 key that signs with either hash, as security modules do; ring's signs with SHA-384 alone.
#[derive(Debug)]
struct EitherHash {
    key: p384::ecdsa::SigningKey,
}

impl SigningKey for EitherHash {
    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        None
    }

    fn schemes(&self) -> &[SignatureScheme] {
        &[SignatureScheme::ECDSA_SECP256R1_SHA256, SignatureScheme::ECDSA_SECP384R1_SHA384]
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Poll<Result<Vec<u8>, SigningError>> {
        let hash = match scheme {
            SignatureScheme::ECDSA_SECP256R1_SHA256 => &ring::digest::SHA256,
            SignatureScheme::ECDSA_SECP384R1_SHA384 => &ring::digest::SHA384,
            other => return Poll::Ready(Err(SigningError::UnsupportedScheme(other))),
        };
        let digest = ring::digest::digest(hash, message);
        let signature: Result<p384::ecdsa::DerSignature, _> = self.key.sign_prehash(digest.as_ref());
        Poll::Ready(
            signature.map(|signature| signature.as_bytes().to_vec()).map_err(|_| SigningError::Failed),
        )
    }
}

/// In DTLS 1.2 "ecdsa_secp256r1_sha256" means ECDSA with SHA-256 on whatever curve the key is (RFC 5246 section 7.4.1.4.1), so
/// that a P-384 certificate serves a client that lists no other; in DTLS 1.3 the curve is part of it.
#[test]
fn p384_signs_with_sha256_in_1_2_only() {
    let credential = || {
        let key = p384::ecdsa::SigningKey::from_pkcs8_der(p384().key.secret_der()).unwrap();
        Credential::with_signer(p384().chain.clone(), Arc::new(EitherHash { key })).unwrap()
    };
    for version in BOTH {
        let mut narrow = settings_of(version);
        let only = SignatureScheme::ECDSA_SECP256R1_SHA256;
        narrow.provider.signature_verifiers.retain(|verifier| verifier.scheme == only);
        let mut with_sha256 = pair(narrow, p384(), settings_of(version), vec![credential()]);
        if version == ProtocolVersion::DTLS_1_3 {
            is_refused(with_sha256);
        } else {
            assert!(with_sha256.connect());
            assert_eq!(with_sha256.client.connected.as_ref().unwrap().signature_scheme, only);
        }
        // Where both are there, 1.3 takes the one that fits, though the key prefers the other.
        let mut usual = pair(settings_of(version), p384(), settings_of(version), vec![credential()]);
        assert!(usual.connect());
        let expected = match version {
            ProtocolVersion::DTLS_1_3 => SignatureScheme::ECDSA_SECP384R1_SHA384,
            _ => only,
        };
        assert_eq!(usual.client.connected.as_ref().unwrap().signature_scheme, expected);
    }
}
