//! The path-building cases of Netflix/bettertls: a good path among expired, mis-named and unfit ones.

use std::time::Duration;

use drystone_x509::{CertificateDer, Expected, Policy, ServerName, TrustAnchors, UnixTime};
use rustls_pki_types::pem::PemObject;
use serde_json::Value;

/// All certificates of the suite but the deliberately expired ones are valid then (2023-10-01).
const DAY: u64 = 1_696_118_400;

#[test]
fn every_path_is_found_or_refused_as_expected() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/bettertls/pathbuilding.json");
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut anchors = TrustAnchors::new();
    anchors.add(certificate(&file["trustRoot"])).unwrap();
    // The suite presents up to 36 certificates, far more than the default allows.
    let policy = Policy::new(anchors).max_chain_length(36);
    let (mut accepted, mut refused) = (0, 0);
    for case in file["suites"]["pathbuilding"]["testCases"].as_array().unwrap() {
        let chain: Vec<_> = case["certificates"].as_array().unwrap().iter().map(certificate).collect();
        let name = ServerName::try_from(case["hostname"].as_str().unwrap()).unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(DAY));
        let verdict = policy.verify(&chain, Expected::Server(&name), now);
        match case["expected"].as_str().unwrap() {
            "ACCEPT" => {
                assert!(verdict.is_ok(), "case {}: {verdict:?}", case["id"]);
                accepted += 1;
            }
            "REJECT" => {
                assert!(verdict.is_err(), "case {}: {verdict:?}", case["id"]);
                refused += 1;
            }
            other => panic!("unknown expectation {other}"),
        }
    }
    assert_eq!((accepted, refused), (45, 36));
}

fn certificate(base64: &Value) -> CertificateDer<'static> {
    let pem =
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", base64.as_str().unwrap());
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}
