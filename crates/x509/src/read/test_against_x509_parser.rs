//! Certificates as x509-parser reads them and as they are read here: the same fields, in every certificate of the vectors.

extern crate std;

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use std::fs;
use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, ParsedExtension, X509Certificate, X509Version};

use super::{BasicConstraints, Reading};

/// All files below a folder.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// The certificates in all vectors: files of DER, and PEM wherever it stands, in JSON too.
fn certificates() -> Vec<Vec<u8>> {
    let (mut paths, mut found) = (Vec::new(), Vec::new());
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors"), &mut paths);
    for path in paths {
        let bytes = fs::read(path).unwrap();
        if bytes.starts_with(&[0x30, 0x82]) {
            found.push(bytes);
            continue;
        }
        let text = String::from_utf8_lossy(&bytes).replace("\\n", "\n");
        for section in text.split("-----BEGIN CERTIFICATE-----").skip(1) {
            let Some((body, _)) = section.split_once("-----END CERTIFICATE-----") else { continue };
            let pem = std::format!("-----BEGIN CERTIFICATE-----{body}-----END CERTIFICATE-----\n");
            found.extend(CertificateDer::from_pem_slice(pem.as_bytes()).ok().map(|der| der.to_vec()));
        }
    }
    found.sort();
    found.dedup();
    found
}

fn compare(ours: &Reading<'_>, theirs: &X509Certificate<'_>) {
    assert_eq!(ours.subject(), theirs.subject().as_raw());
    assert_eq!(ours.issuer(), theirs.issuer().as_raw());
    assert_eq!(ours.spki(), theirs.public_key().raw);
    let validity = (ours.validity().not_before, ours.validity().not_after);
    let theirs_valid = theirs.validity();
    assert_eq!(validity, (theirs_valid.not_before.timestamp(), theirs_valid.not_after.timestamp()));
    assert_eq!(ours.is_old, theirs.version() != X509Version::V3);
    assert_eq!(ours.signature, theirs.signature_value.as_ref());
    assert_eq!(ours.signature_oid, theirs.signature_algorithm.algorithm.as_bytes());
    let extensions =
        |(oid, critical, value): (&[u8], bool, &[u8])| (oid.to_owned(), critical, value.to_owned());
    let ours_extensions: Vec<_> =
        ours.extensions().iter().map(|each| extensions((each.oid, each.critical, each.value))).collect();
    let theirs_extensions: Vec<_> = theirs
        .extensions()
        .iter()
        .map(|each| extensions((each.oid.as_bytes(), each.critical, each.value)))
        .collect();
    assert_eq!(ours_extensions, theirs_extensions);
    for extension in theirs.extensions() {
        if let ParsedExtension::BasicConstraints(constraints) = extension.parsed_extension()
            && let Ok(ours) = ours.basic_constraints()
        {
            let path_length = constraints.path_len_constraint.map(|length| length as usize);
            assert_eq!(ours, BasicConstraints { is_authority: constraints.ca, path_length });
        }
    }
    let common_names: Vec<_> = theirs
        .subject()
        .iter_common_name()
        .filter_map(|name| name.as_str().ok().map(str::to_owned))
        .collect();
    let ours_names: Vec<_> =
        ours.common_names().into_iter().flatten().map(|name| name.into_owned()).collect();
    if theirs.subject().iter_common_name().count() == common_names.len() {
        assert_eq!(ours_names, common_names);
    }
}

#[test]
fn both_read_the_same_of_every_certificate() {
    let (mut both, mut here_alone, mut there_alone) = (0, 0, 0);
    for der in certificates() {
        let theirs = X509Certificate::from_der(&der).ok().filter(|(rest, _)| rest.is_empty());
        match (Reading::of(&der), theirs) {
            (Some(ours), Some((_, theirs))) => {
                compare(&ours, &theirs);
                both += 1;
            }
            (Some(_), None) => here_alone += 1,
            (None, Some(_)) => there_alone += 1,
            (None, None) => {}
        }
    }
    std::println!("{both} read by both, {here_alone} here alone, {there_alone} there alone");
    assert!(both > 400 && here_alone == 0, "{both}, {here_alone}");
}
