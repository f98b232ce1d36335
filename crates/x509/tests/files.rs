//! Certificates and keys from files.

mod chain;

use chain::fixture;
use drystone_x509::{
    Fingerprint, KeyKind, PemError, PrivateKeyDer, TrustAnchors, certificates_from_pem,
    certificates_from_pem_or_der, private_key_from_pem, private_key_from_pem_or_der, public_key_from_pem,
    public_key_from_pem_or_der, subject_text,
};

#[test]
fn keys_of_every_form() {
    assert!(matches!(private_key_from_pem(&fixture("key-pkcs8.pem")), Ok(PrivateKeyDer::Pkcs8(_))));
    assert!(matches!(private_key_from_pem(&fixture("key-sec1.pem")), Ok(PrivateKeyDer::Sec1(_))));
    assert!(matches!(private_key_from_pem(&fixture("key-pkcs1.pem")), Ok(PrivateKeyDer::Pkcs1(_))));
    let after_parameters = private_key_from_pem(&fixture("key-sec1-with-parameters.pem"));
    assert!(matches!(after_parameters, Ok(PrivateKeyDer::Sec1(_))));
}

#[test]
fn der_is_told_from_pem() {
    for file in ["key-pkcs8.pem", "key-sec1.pem", "key-pkcs1.pem"] {
        let key = private_key_from_pem(&fixture(file)).unwrap();
        assert_eq!(private_key_from_pem_or_der(key.secret_der()).as_ref(), Ok(&key));
        assert_eq!(private_key_from_pem_or_der(&fixture(file)), Ok(key));
    }
    let pem = fixture("v1-self-signed.pem");
    let certificates = certificates_from_pem(&pem).unwrap();
    assert_eq!(certificates_from_pem_or_der(&pem).as_ref(), Ok(&certificates));
    assert_eq!(certificates_from_pem_or_der(&certificates[0]), Ok(certificates));
}

#[test]
fn encrypted_keys_are_named_so() {
    for file in ["key-encrypted-pkcs8.pem", "key-encrypted-sec1.pem", "key-encrypted-pkcs8.der"] {
        assert_eq!(private_key_from_pem_or_der(&fixture(file)), Err(PemError::EncryptedKey), "{file}");
    }
}

#[test]
fn errors_say_what_was_found() {
    let certificate = fixture("v1-self-signed.pem");
    let found = |label: &str| vec![label.to_owned()];
    let no_key = |label| Err(PemError::NoPrivateKey { found: found(label) });
    assert_eq!(private_key_from_pem(&certificate), no_key("CERTIFICATE"));
    let der = certificates_from_pem(&certificate).unwrap().remove(0);
    assert_eq!(private_key_from_pem_or_der(&der), no_key("a certificate in DER"));

    let error = certificates_from_pem(&fixture("key-pkcs8.pem")).unwrap_err();
    assert_eq!(error, PemError::NoCertificate { found: found("PRIVATE KEY") });
    assert_eq!(error.to_string(), "no certificate found; the file holds: PRIVATE KEY");
    let empty = PemError::NoCertificate { found: Vec::new() };
    assert_eq!(certificates_from_pem(b""), Err(empty.clone()));
    assert_eq!(certificates_from_pem_or_der(b"hello"), Err(empty));
}

#[test]
fn several_certificates_keep_their_order() {
    let both = [fixture("v1-self-signed.pem"), fixture("rsa2048-root.pem")].concat();
    let certificates = certificates_from_pem(&both).unwrap();
    let subjects: Vec<_> = certificates.iter().filter_map(subject_text).collect();
    assert_eq!(subjects, ["CN=godot.example", "CN=RSA root"]);
    assert_eq!(TrustAnchors::from_pem(&both).unwrap().len(), 2);
    assert_eq!(TrustAnchors::from_pem(&[both.clone(), both].concat()).unwrap().len(), 2);
}

#[test]
fn a_certificate_beside_its_key_is_found_and_so_is_the_key() {
    let both = [fixture("key-sec1.pem"), fixture("v1-self-signed.pem")].concat();
    assert_eq!(certificates_from_pem(&both).unwrap().len(), 1);
    assert!(private_key_from_pem(&both).is_ok());
}

#[test]
fn text_that_editors_and_tools_add_is_harmless() {
    let pem = fixture("v1-self-signed.pem");
    let plain = certificates_from_pem(&pem).unwrap();
    let text = String::from_utf8(pem.clone()).unwrap();
    let with_mark = [b"\xef\xbb\xbf".as_slice(), &pem].concat();
    let with_text = format!("Certificate:\n    Data:\n{text}");
    for file in [with_mark, text.replace('\n', "\r\n").into_bytes(), with_text.into_bytes()] {
        assert_eq!(certificates_from_pem(&file).as_ref(), Ok(&plain));
    }
}

/// Files that were joined without a line end, or by editors, shells and tools with habits of their own.
#[test]
fn sections_in_every_spelling_are_found() {
    let text = |name: &str| String::from_utf8(fixture(name)).unwrap();
    let (first, second, key) = (text("v1-self-signed.pem"), text("rsa2048-root.pem"), text("key-sec1.pem"));
    let subjects = |file: &[u8]| -> Vec<String> {
        certificates_from_pem(file).unwrap().iter().filter_map(subject_text).collect()
    };
    let both = ["CN=godot.example", "CN=RSA root"];
    let glued = [first.trim_end(), &second, key.trim_end(), "\u{feff}", &first].concat();
    assert_eq!(subjects(glued.as_bytes()), [both[0], both[1], both[0]]);
    assert_eq!(private_key_from_pem(glued.as_bytes()), private_key_from_pem(key.as_bytes()));
    let key_first = [key.trim_end(), &first].concat();
    assert_eq!(private_key_from_pem(key_first.as_bytes()), private_key_from_pem(key.as_bytes()));
    for file in [
        (first.clone() + &second).replace("CERTIFICATE", "X509 CERTIFICATE"),
        (first.clone() + &second).replace("CERTIFICATE", "X.509 CERTIFICATE"),
        (first.clone() + &second).replace("-----\n", "-----  \t\r\n"),
        (first.clone() + &second).replace('\n', " "),
        format!("issuer=CN = a {first}subject=CN = b{second}end"),
    ] {
        assert_eq!(subjects(file.as_bytes()), both, "{file}");
    }
    let utf16: Vec<u8> =
        format!("\u{feff}{first}{second}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(subjects(&utf16), both);
    assert_eq!(certificates_from_pem_or_der(&utf16).unwrap().len(), 2);
}

/// What OpenSSL trusts it for stands behind the certificate; passed over, it would be trusted for everything.
#[test]
fn openssls_trusted_certificates_are_refused_with_advice() {
    let text = String::from_utf8(fixture("rsa2048-root.pem")).unwrap();
    let trusted = text.replace("CERTIFICATE", "TRUSTED CERTIFICATE");
    let error = certificates_from_pem((text + &trusted).as_bytes()).unwrap_err();
    assert_eq!(error, PemError::TrustedCertificate);
    assert!(error.to_string().ends_with("openssl x509 -in FILE"), "{error}");
}

#[test]
fn broken_files_are_refused() {
    let text = String::from_utf8(fixture("v1-self-signed.pem")).unwrap();
    let malformed = |file: &str| certificates_from_pem(file.as_bytes());
    let cut = &text[..text.len() / 2];
    assert!(matches!(malformed(cut), Err(PemError::MalformedPem { .. })));
    assert!(matches!(malformed(&text.replacen('M', "!", 1)), Err(PemError::MalformedPem { .. })));
    let empty = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n";
    let index = 1;
    let second = [&text, empty].concat();
    assert_eq!(malformed(&second), Err(PemError::MalformedCertificate { index }));
    let mislabelled = String::from_utf8(fixture("key-sec1.pem")).unwrap().replace("EC PRIVATE", "PRIVATE");
    assert_eq!(private_key_from_pem(mislabelled.as_bytes()), Err(PemError::MalformedKey));
}

/// As `openssl x509 -fingerprint -sha256` prints it.
#[test]
fn the_fingerprint_is_openssls() {
    let certificate = chain::certificate("v1-self-signed.pem");
    let hex: String =
        Fingerprint::sha256(&certificate).as_bytes().iter().map(|byte| format!("{byte:02X}")).collect();
    assert_eq!(hex, "9602DAE4200FCFBB4FC507F509210CB81A814AD683731E14363842210CBBC9C1");
}

#[cfg(feature = "system-roots")]
#[test]
fn system_roots_load_or_say_why_not() {
    match TrustAnchors::system() {
        Ok(anchors) => assert!(!anchors.is_empty()),
        Err(error) => assert!(error.to_string().contains("trust anchor")),
    }
}

#[test]
fn public_keys_come_from_pem_and_der() {
    let spki = |name: &str| {
        std::fs::read(format!("{}/../../vectors/keys/{name}.spki.der", env!("CARGO_MANIFEST_DIR"))).unwrap()
    };
    for (name, kind, key_bytes) in [
        ("p256", KeyKind::EcP256, 65),
        ("p384", KeyKind::EcP384, 97),
        ("ed25519", KeyKind::Ed25519, 32),
        ("rsa2048", KeyKind::Rsa { bits: 2048 }, 270),
    ] {
        let key = public_key_from_pem_or_der(&spki(name)).unwrap();
        assert_eq!((key.kind(), key.spki()), (kind, &spki(name)[..]), "{name}");
        assert_eq!(key.key_bits().len(), key_bytes, "{name}");
        assert!(key.spki().ends_with(key.key_bits()), "{name}");
    }
    let found = vec!["PRIVATE KEY".to_owned()];
    assert_eq!(
        public_key_from_pem_or_der(&fixture("key-pkcs8.pem")),
        Err(PemError::NoPublicKey { found: found.clone() })
    );
    assert_eq!(
        PemError::NoPublicKey { found }.to_string(),
        "no public key found; the file holds: PRIVATE KEY"
    );
    assert_eq!(public_key_from_pem_or_der(b"hello"), Err(PemError::NoPublicKey { found: Vec::new() }));
    let longer = [&spki("p256")[..], &[0]].concat();
    assert_eq!(public_key_from_pem_or_der(&longer), Err(PemError::NoPublicKey { found: Vec::new() }));
    let malformed = b"-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n";
    assert_eq!(public_key_from_pem(malformed), Err(PemError::MalformedPublicKey));
}
