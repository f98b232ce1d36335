//! Chains and keys as they are found with users: one handshake in each version for each line of `vectors/cases/*/expect`.
//!
//! A line is `VERDICT CERTIFICATES KEY AUTHORITY`. The verdict is `ok`, `refused` (by the client), or `refused-at-start`:
//! no credential can be made of it.

use std::path::PathBuf;
use std::sync::Arc;

use drystone_handshake::message::registry::ProtocolVersion;
use drystone_handshake::{ClientConfig, Credential, CredentialError, Credentials, Error, ServerConfig};
use drystone_tests::identity::settings_of;
use drystone_tests::pair::{Pair, perfect_link};
use drystone_x509::{
    CertificateError, Policy, ServerName, TrustAnchors, certificates_from_pem, private_key_from_pem,
};

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
    let client = ClientConfig::new(settings_of(version), Arc::new(policy)).unwrap();
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
