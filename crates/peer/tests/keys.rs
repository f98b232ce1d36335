//! Keys and certificates against the `openssl` program: it reads what we write, we read what it writes, and it finds
//! our self-signed certificates good.
//!
//! Without the program the tests say so and pass; with `DRYSTONE_REQUIRE_PEERS=1` in the environment they fail.
#![cfg(feature = "generate")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, process};

use drystone::x509::KeyKind;
use drystone::{Crypto, CryptoKey, KeyAlgorithm, SelfSigned, X509Certificate};

/// A folder of one test, removed with its content on drop, in which `openssl` is run.
struct Folder(PathBuf);

impl Folder {
    /// `None`, said aloud, if there is no `openssl`.
    fn with_openssl() -> Option<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        if Command::new("openssl").arg("version").output().is_err() {
            let demanded = env::var("DRYSTONE_REQUIRE_PEERS").as_deref() == Ok("1");
            assert!(!demanded, "openssl not found, and DRYSTONE_REQUIRE_PEERS=1 demands it");
            println!("SKIPPED: openssl not found");
            return None;
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("drystone-openssl-{}-{number}", process::id()));
        fs::create_dir(&path).unwrap();
        Some(Self(path))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// What it prints; it must succeed.
    fn openssl(&self, arguments: &str) -> String {
        let output =
            Command::new("openssl").args(arguments.split_whitespace()).current_dir(&self.0).output().unwrap();
        let [printed, errors] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert!(output.status.success(), "openssl {arguments}\n{printed}{errors}");
        printed
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn load(path: &Path) -> CryptoKey {
    let mut key = CryptoKey::new();
    key.load(path, false).unwrap();
    key
}

#[test]
fn openssl_finds_a_self_signed_certificate_good_for_its_names() {
    let Some(folder) = Folder::with_openssl() else { return };
    folder.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pem");
    let crypto = Crypto::new();
    let generated = |algorithm| crypto.generate_key(algorithm).unwrap();
    for (key, algorithm) in [
        (generated(KeyAlgorithm::EcP256), "ecdsa-with-SHA256"),
        (generated(KeyAlgorithm::EcP384), "ecdsa-with-SHA384"),
        (generated(KeyAlgorithm::Ed25519), "ED25519"),
        (load(&folder.path("rsa.pem")), "sha256WithRSAEncryption"),
    ] {
        let names = ["game.example.org", "192.0.2.7"].map(str::to_owned);
        let wanted = SelfSigned { subject_alt_names: names.to_vec(), ..SelfSigned::default() };
        let certificate = crypto.generate_self_signed_certificate(&key, &wanted).unwrap();
        certificate.save(folder.path("cert.pem")).unwrap();
        key.save(folder.path("key.pem"), false).unwrap();

        for purpose in ["sslserver", "sslclient", "any"] {
            folder.openssl(&format!("verify -x509_strict -purpose {purpose} -CAfile cert.pem cert.pem"));
        }
        folder.openssl("verify -CAfile cert.pem -verify_hostname game.example.org cert.pem");
        folder.openssl("verify -CAfile cert.pem -verify_ip 192.0.2.7 cert.pem");
        let text = folder.openssl("x509 -in cert.pem -noout -text -nameopt RFC2253,-dn_rev");
        for expected in [
            "Version: 3 (0x2)",
            &format!("Signature Algorithm: {algorithm}"),
            "Issuer: CN=myserver,O=myorganisation,C=IT\n",
            "Subject: CN=myserver,O=myorganisation,C=IT\n",
            "CA:TRUE, pathlen:0",
            "Digital Signature, ",
            "Certificate Sign",
        ] {
            assert!(text.contains(expected), "no {expected:?} in {text}");
        }
        let public = folder.openssl("x509 -in cert.pem -noout -pubkey");
        assert_eq!(public, key.save_to_string(true).unwrap());
        assert_eq!(public, folder.openssl("pkey -in key.pem -pubout"), "the saved private key");
    }
}

#[test]
fn openssl_trusts_a_certificate_that_is_no_authority() {
    let Some(folder) = Folder::with_openssl() else { return };
    let crypto = Crypto::new();
    let key = crypto.generate_key(KeyAlgorithm::EcP256).unwrap();
    let wanted = SelfSigned { is_authority: false, ..SelfSigned::default() };
    crypto.generate_self_signed_certificate(&key, &wanted).unwrap().save(folder.path("cert.pem")).unwrap();
    folder.openssl(
        "verify -x509_strict -purpose sslserver -verify_hostname myserver -CAfile cert.pem cert.pem",
    );
    let text = folder.openssl("x509 -in cert.pem -noout -text");
    assert!(text.contains("CA:FALSE") && !text.contains("Certificate Sign"), "{text}");
}

#[test]
fn openssls_keys_are_read_and_written_as_it_does() {
    let Some(folder) = Folder::with_openssl() else { return };
    let p256 = "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem";
    let rsa = "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out key.pem";
    for (make, kind, traditional) in [
        (p256, KeyKind::EcP256, Some("EC PRIVATE KEY")),
        (rsa, KeyKind::Rsa { bits: 3072 }, Some("RSA PRIVATE KEY")),
        ("genpkey -algorithm ED25519 -out key.pem", KeyKind::Ed25519, None),
    ] {
        folder.openssl(make);
        let saved_by_openssl = fs::read_to_string(folder.path("key.pem")).unwrap();
        let key = load(&folder.path("key.pem"));
        assert_eq!(key.public_key().unwrap().kind(), kind);
        assert_eq!(key.save_to_string(false).unwrap(), saved_by_openssl);
        assert_eq!(key.save_to_string(true).unwrap(), folder.openssl("pkey -in key.pem -pubout"));
        let Some(label) = traditional else { continue };
        let traditional = folder.openssl("pkey -in key.pem -traditional");
        let mut same = CryptoKey::new();
        same.load_from_string(&traditional, false).unwrap();
        assert!(traditional.contains(&format!("-----BEGIN {label}-----")), "{label}");
        assert_eq!(same.save_to_string(false).unwrap(), traditional);
        assert_eq!(same.public_key(), key.public_key());
    }
}

#[test]
fn openssls_certificates_are_read_and_written_as_it_does() {
    let Some(folder) = Folder::with_openssl() else { return };
    let chain: String = ["/CN=one", "/CN=two"]
        .map(|subject| {
            let arguments = "req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout key.pem";
            folder.openssl(&format!("{arguments} -subj {subject} -days 2"))
        })
        .concat();
    let mut certificate = X509Certificate::new();
    certificate.load_from_string(&chain).unwrap();
    assert_eq!(format!("{certificate:?}"), r#"X509Certificate(["CN=one", "CN=two"])"#);
    assert_eq!(certificate.save_to_string().unwrap(), chain);
}
