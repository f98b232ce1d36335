//! Chains and keys as they are found with users: one handshake in each version for each line of `vectors/cases/*/expect`.
//!
//! A line is `VERDICT CERTIFICATES KEY AUTHORITY`. The verdict is `ok`, `refused` (by the client), or `refused-at-start`:
//! no credential can be made of it.

use std::path::PathBuf;
use std::sync::Arc;

use drystone_handshake::{
    ClientConfig, Credential, CredentialError, Credentials, Error, ProtocolVersion, ServerConfig,
};
use drystone_tests::identity::settings_of;
use drystone_tests::pair::{Pair, perfect_link};
use drystone_x509::{
    CertificateError, Policy, ServerName, SignatureVerificationAlgorithm, TrustAnchors,
    certificates_from_pem, private_key_from_pem,
};
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, alg_id};

/// How a line ended, one version after the other where there were handshakes.
#[derive(Debug)]
enum Ended {
    Connected,
    Refused(CertificateError),
    NoCredential(CredentialError),
}

/// One line of a table.
struct Line {
    folder: &'static str,
    verdict: String,
    certificates: String,
    key: String,
    authority: String,
}

impl Line {
    fn all(folder: &'static str) -> Vec<Self> {
        let table = String::from_utf8(read(folder, "expect")).unwrap();
        let lines = table.lines().map(|line| {
            let fields: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
            let [verdict, certificates, key, authority] = fields.try_into().expect("four fields");
            Self { folder, verdict, certificates, key, authority }
        });
        lines.collect()
    }

    fn run(&self, policy: impl Fn(Policy) -> Policy) -> Vec<Ended> {
        let chain = certificates_from_pem(&read(self.folder, &self.certificates)).unwrap();
        let key = private_key_from_pem(&read(self.folder, &self.key)).unwrap();
        let anchors = TrustAnchors::from_pem(&read(self.folder, &self.authority)).unwrap();
        let policy = policy(Policy::new(anchors));
        let credential = match Credential::new(chain, &key) {
            Ok(credential) => Arc::new(credential),
            Err(error) => return vec![Ended::NoCredential(error)],
        };
        let versions = [ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_3];
        versions.map(|version| connect(version, Arc::clone(&credential), policy.clone())).into()
    }
}

fn read(folder: &str, file: &str) -> Vec<u8> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../vectors/cases", folder, file].iter().collect();
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn connect(version: ProtocolVersion, credential: Arc<Credential>, policy: Policy) -> Ended {
    let client = ClientConfig::new(settings_of(version), policy).unwrap();
    let server = ServerConfig::new(settings_of(version), Credentials::new(vec![credential])).unwrap();
    let name = ServerName::try_from("leaf.example").unwrap();
    let mut pair = Pair::new(Arc::new(client), Arc::new(server), name, perfect_link());
    if pair.connect() {
        return Ended::Connected;
    }
    match pair.client.connection.as_ref().and_then(|connection| connection.error()) {
        Some(Error::Certificate(error)) => Ended::Refused((**error).clone()),
        other => panic!("{version}: {other:?}"),
    }
}

/// Runs all lines of a folder and returns each with its end, for what the verdict alone does not say.
fn check(folder: &'static str, policy: impl Fn(Policy) -> Policy) -> Vec<(Line, Vec<Ended>)> {
    let ended = |line: Line| {
        let ended = line.run(&policy);
        let right = |ended: &Ended| match ended {
            Ended::Connected => line.verdict == "ok",
            Ended::Refused(_) => line.verdict == "refused",
            Ended::NoCredential(_) => line.verdict == "refused-at-start",
        };
        assert!(ended.iter().all(right), "{folder}: {} {}: {ended:?}", line.certificates, line.key);
        (line, ended)
    };
    Line::all(folder).into_iter().map(ended).collect()
}

#[test]
fn ec_keys_without_or_with_a_compressed_public_key() {
    let lines = check("ec-keys", |policy| policy);
    assert_eq!(lines.len(), 10);
    for (line, ended) in lines {
        if let [Ended::NoCredential(error)] = ended.as_slice() {
            assert_eq!(*error, CredentialError::Mismatch, "{}", line.key);
        }
    }
}

#[test]
fn issuers_under_other_spellings_of_their_names() {
    let lines = check("issuer-names", |policy| policy);
    assert_eq!(lines.len(), 5);
    for (_, ended) in lines {
        for end in ended {
            if let Ended::Refused(error) = end {
                assert!(matches!(error, CertificateError::UnknownIssuer { .. }), "{error:?}");
            }
        }
    }
}

#[test]
fn critical_policies() {
    let lines = check("certificate-policies", |policy| policy);
    assert_eq!(lines.len(), 5);
    for (line, ended) in lines {
        for end in ended {
            match (line.certificates.as_str(), end) {
                ("explicit-policy-missing.crt", Ended::Refused(CertificateError::PolicyMissing { .. })) => {}
                (
                    "unknown-critical.crt",
                    Ended::Refused(CertificateError::UnsupportedCriticalExtension { extension, .. }),
                ) => assert!(!extension.is_empty()),
                (_, Ended::Connected) => {}
                (file, other) => panic!("{file}: {other:?}"),
            }
        }
    }
}

/// Checks a signature: public key, digest, signature.
type Verify = fn(&[u8], &[u8], &[u8]) -> Option<()>;

/// ECDSA with SHA-512, which ring does not have, by another library.
#[derive(Debug)]
struct EcdsaSha512 {
    curve: AlgorithmIdentifier,
    verify: Verify,
}

impl SignatureVerificationAlgorithm for EcdsaSha512 {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let digest = ring::digest::digest(&ring::digest::SHA512, message);
        (self.verify)(key, digest.as_ref(), signature).ok_or(InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.curve
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_SHA512
    }
}

/// An algorithm on the curve of this crate.
macro_rules! on_curve {
    ($curve:expr, $crate_name:ident) => {
        &EcdsaSha512 {
            curve: $curve,
            verify: |key, digest, signature| {
                let key = $crate_name::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
                let signature = $crate_name::ecdsa::Signature::from_der(signature).ok()?;
                key.verify_prehash(digest, &signature).ok()
            },
        }
    };
}

static FROM_ELSEWHERE: [&dyn SignatureVerificationAlgorithm; 3] = [
    on_curve!(alg_id::ECDSA_P256, p256),
    on_curve!(alg_id::ECDSA_P384, p384),
    on_curve!(alg_id::ECDSA_P521, p521),
];

/// ring has none of it: the error says which certificate and what; with algorithms from elsewhere all connect.
#[test]
fn certificates_signed_with_sha512() {
    let lines = check("ecdsa-sha512", |policy| policy.add_signature_algorithms(FROM_ELSEWHERE));
    assert_eq!(lines.len(), 4);
    for line in Line::all("ecdsa-sha512") {
        let expected = match line.certificates.as_str() {
            "p256-sha384.crt" => None,
            // What ring lacks there is any ECDSA with SHA-512, whatever the key.
            _ => Some(
                "certificate 0 (CN=leaf.example) is signed with ecdsa-with-SHA512, which is not accepted"
                    .to_owned(),
            ),
        };
        for end in line.run(|policy| policy) {
            let said = match end {
                Ended::Connected => None,
                Ended::Refused(error) => Some(error.to_string()),
                Ended::NoCredential(error) => panic!("{error}"),
            };
            assert_eq!(said, expected, "{}", line.certificates);
        }
    }
    // One curve of three: now the kind of the issuer's key is what is not accepted.
    let p256_only = |policy: Policy| policy.add_signature_algorithms([FROM_ELSEWHERE[0]]);
    for line in Line::all("ecdsa-sha512").iter().filter(|line| line.certificates == "p521-sha512.crt") {
        for end in line.run(p256_only) {
            let Ended::Refused(error) = end else { panic!("{end:?}") };
            let said = "is signed with ecdsa-with-SHA512 by a key of the kind P-521, which is not accepted";
            assert!(error.to_string().ends_with(said), "{error}");
        }
    }
}
