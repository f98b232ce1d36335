//! Keys of every kind and form through files and texts, and every reason to refuse one.

use std::fs;

use super::super::test_support::{Folder, vector};
use super::*;

/// Every key of `vectors/keys` that is supported: file, its public half, its kind, its label.
const KEYS: &[(&str, &str, KeyKind, &str)] = &[
    ("p256.pkcs8", "p256.spki", KeyKind::EcP256, "PRIVATE KEY"),
    ("p256.sec1", "p256.spki", KeyKind::EcP256, "EC PRIVATE KEY"),
    ("p384.pkcs8", "p384.spki", KeyKind::EcP384, "PRIVATE KEY"),
    ("p384.sec1", "p384.spki", KeyKind::EcP384, "EC PRIVATE KEY"),
    ("ed25519.pkcs8", "ed25519.spki", KeyKind::Ed25519, "PRIVATE KEY"),
    ("rsa2048.pkcs1", "rsa2048.spki", KeyKind::Rsa { bits: 2048 }, "RSA PRIVATE KEY"),
    ("rsa2048.pkcs8", "rsa2048.spki", KeyKind::Rsa { bits: 2048 }, "PRIVATE KEY"),
    ("rsa4096.pkcs8", "rsa4096.spki", KeyKind::Rsa { bits: 4096 }, "PRIVATE KEY"),
];

fn der(name: &str) -> Vec<u8> {
    vector(&format!("keys/{name}.der"))
}

fn text(name: &str) -> String {
    String::from_utf8(vector(&format!("x509/{name}"))).unwrap()
}

fn loaded(name: &str) -> CryptoKey {
    CryptoKey::try_from(PrivateKeyDer::try_from(der(name)).unwrap()).unwrap()
}

#[test]
fn every_kind_goes_through_files_in_both_forms() {
    let folder = Folder::new();
    let path = folder.path("key");
    for &(name, spki, kind, label) in KEYS {
        fs::write(&path, der(name)).unwrap();
        let mut key = CryptoKey::new();
        key.load(&path, false).unwrap();
        assert_eq!(key.public_key().unwrap().spki(), der(spki), "{name}");
        assert_eq!(key.public_key().unwrap().kind(), kind, "{name}");

        key.save(&path, false).unwrap();
        let saved = fs::read_to_string(&path).unwrap();
        assert!(saved.starts_with(&format!("-----BEGIN {label}-----\n")), "{name}: {saved}");
        assert_eq!(saved, key.save_to_string(false).unwrap());
        let mut again = CryptoKey::new();
        again.load(&path, false).unwrap();
        assert_eq!(again.private_key().unwrap().secret_der(), der(name), "{name}");
        assert_eq!(again.private_key(), key.private_key(), "{name}");

        // The public half: of the private key's file, and by itself.
        let mut public = CryptoKey::new();
        public.load(&path, true).unwrap();
        public.save(&path, true).unwrap();
        assert!(fs::read_to_string(&path).unwrap().starts_with("-----BEGIN PUBLIC KEY-----\n"));
        let mut again = CryptoKey::new();
        again.load(&path, true).unwrap();
        fs::write(&path, der(spki)).unwrap();
        let mut from_der = CryptoKey::new();
        from_der.load(&path, true).unwrap();
        for half in [&public, &again, &from_der] {
            assert!(half.is_public_only() && half.private_key().is_none(), "{name}");
            assert_eq!(half.public_key().unwrap().spki(), der(spki), "{name}");
        }
    }
    assert_eq!(folder.names(), ["key"]);
}

/// Byte for byte what OpenSSL writes.
#[test]
fn texts_come_back_as_they_were() {
    for name in ["key-pkcs8.pem", "key-sec1.pem", "key-pkcs1.pem"] {
        let mut key = CryptoKey::new();
        key.load_from_string(&text(name), false).unwrap();
        assert_eq!(key.save_to_string(false).unwrap(), text(name), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn a_private_key_is_saved_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = Folder::new();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let (path, usual) = (folder.path("key.pem"), folder.path("usual"));
    fs::write(&usual, "").unwrap();
    let key = loaded("p256.pkcs8");
    key.save(&path, true).unwrap();
    assert_eq!(mode(&path), mode(&usual), "a public key is no secret");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    key.save(&path, false).unwrap();
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_failure_leaves_the_key_and_the_file_as_they_were() {
    let folder = Folder::new();
    let path = folder.path("key.pem");
    let mut key = loaded("p256.pkcs8");
    key.save(&path, false).unwrap();
    let before = fs::read_to_string(&path).unwrap();

    key.load(folder.path("missing.pem"), false).unwrap_err();
    key.load_from_string("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n", false)
        .unwrap_err();
    assert_eq!(key.public_key().unwrap().spki(), der("p256.spki"));

    key.load_from_string(&before, true).unwrap();
    let error = key.save(&path, false).unwrap_err();
    assert!(matches!(error, CryptoError::PublicOnly));
    assert_eq!(error.godot_code(), 1);
    assert_eq!(error.to_string(), "only the public half of the key has been loaded");
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
}

#[test]
fn an_empty_object_has_nothing() {
    let empty = CryptoKey::new();
    assert!(empty.is_empty() && !empty.is_public_only());
    assert!(empty.private_key().is_none() && empty.public_key().is_none());
    for public_only in [false, true] {
        let error = empty.save_to_string(public_only).unwrap_err();
        assert!(matches!(error, CryptoError::Empty));
        assert_eq!(error.godot_code(), 3);
    }
    assert_eq!(format!("{empty:?}"), "CryptoKey { kind: None, is_public_only: false }");
}

#[test]
fn unsupported_keys_are_refused_when_they_are_loaded() {
    let folder = Folder::new();
    let path = folder.path("key.der");
    for (name, reason) in [
        ("rsa1024.pkcs8", "RSA key of 1024 bits, where 2048 to 4096 are supported"),
        ("rsa5120.pkcs8", "RSA key of 5120 bits, where 2048 to 4096 are supported"),
        ("rsa-pss2048.pkcs8", "private key of an unsupported algorithm"),
        ("ed448.pkcs8", "private key of an unsupported algorithm"),
        ("p521.pkcs8", "private key on an unsupported elliptic curve"),
    ] {
        fs::write(&path, der(name)).unwrap();
        for public_only in [false, true] {
            let error = CryptoKey::new().load(&path, public_only).unwrap_err();
            assert!(matches!(&error, CryptoError::Key { path: Some(named), .. } if *named == path), "{name}");
            assert_eq!(error.to_string(), format!("{}: {reason}", path.display()));
            assert_eq!(error.godot_code(), 1);
        }
    }
}

/// It is whole with its certificate only; what has to be known of it before says what to do.
#[test]
fn a_key_file_without_the_public_key_is_loaded_but_has_no_public_half() {
    let folder = Folder::new();
    let path = folder.path("key.der");
    fs::write(&path, der("p256-no-public.sec1")).unwrap();
    let mut key = CryptoKey::new();
    key.load(&path, false).unwrap();
    assert!(key.private_key().is_some() && key.public_key().is_none() && !key.is_public_only());
    let advice = "openssl ec -in FILE -conv_form uncompressed -out NEW";
    let error = key.save_to_string(true).unwrap_err();
    assert!(matches!(error, CryptoError::Key { source: KeyError::PublicKeyMissing, .. }), "{error}");
    assert!(error.to_string().ends_with(advice), "{error}");
    let error = CryptoKey::new().load(&path, true).unwrap_err();
    assert!(
        error.to_string().starts_with(&format!("{}: private key file without", path.display())),
        "{error}"
    );
    key.save(&path, false).unwrap();
    let mut again = CryptoKey::new();
    again.load(&path, false).unwrap();
    assert_eq!(again.private_key(), key.private_key());
}

#[test]
fn wrong_content_is_named() {
    let refusal = |text: &str, public_only| {
        let error = CryptoKey::new().load_from_string(text, public_only).unwrap_err();
        assert_eq!(error.godot_code(), 1);
        assert!(matches!(error, CryptoError::Content { path: None, .. }));
        error.to_string()
    };
    let certificate = text("v1-self-signed.pem");
    assert_eq!(refusal(&certificate, false), "no private key found; the file holds: CERTIFICATE");
    assert_eq!(refusal(&certificate, true), "no public key found; the file holds: CERTIFICATE");
    let encrypted = text("key-encrypted-pkcs8.pem");
    assert_eq!(refusal(&encrypted, false), "the private key is encrypted; decrypt it first");
    assert_eq!(refusal(&encrypted, true), "the private key is encrypted; decrypt it first");
    let public = loaded("p256.pkcs8").save_to_string(true).unwrap();
    assert_eq!(refusal(&public, false), "no private key found; the file holds: PUBLIC KEY");
    let malformed = "-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n";
    assert_eq!(refusal(malformed, true), "the public key is malformed");
}

#[test]
fn nothing_of_a_private_key_is_printed() {
    let shown = format!("{:?}", loaded("rsa2048.pkcs1"));
    assert_eq!(shown, "CryptoKey { kind: Some(Rsa { bits: 2048 }), is_public_only: false }");
}
