//! The path-validation cases of C2SP/x509-limbo, with every disagreement and its reason.

#[path = "../../../tests/src/cpu.rs"]
#[allow(unreachable_pub, reason = "it is part of a library too")]
mod cpu;

use std::collections::BTreeMap;
use std::time::Duration;

use cpu::thread_time;
use drystone_x509::{
    CertificateDer, CertificateError, Expected, Policy, ServerName, TrustAnchors, UnixTime, Verified,
};
use rustls_pki_types::pem::PemObject;
use serde_json::Value;

/// Cases decided otherwise than the suite does. None is about a signature, a validity time, a CA bit, a path length,
/// an issuer's key usage, a name constraint that is not honoured, an unknown critical extension or a host name.
const DISAGREEMENTS: &[(&str, &str)] = &[
    // Refused here, accepted by the suite: stricter than needed, which is safe.
    (
        "pathlen::validation-ignores-pathlen-in-leaf",
        "an authority's certificate is no leaf unless configured itself",
    ),
    (
        "rfc5280::nc::permitted-self-issued",
        "webpki holds self-issued intermediates against name constraints too",
    ),
    ("rfc5280::nc::nc-permits-email-domain", "webpki refuses where e-mail names meet e-mail constraints"),
    (
        "rfc5280::nc::nc-permits-email-literal-mid-asterisk",
        "webpki refuses where e-mail names meet e-mail constraints",
    ),
    // Accepted here: rules for authorities on how to write certificates, which change nothing about who is believed.
    ("rfc5280::aki::leaf-missing-aki", "key identifiers help to find an issuer; the signature decides"),
    ("rfc5280::aki::cross-signed-root-missing-aki", "as above"),
    ("webpki::aki::root-with-aki-missing-keyidentifier", "as above"),
    ("webpki::aki::root-with-aki-authoritycertserialnumber", "as above"),
    ("webpki::aki::root-with-aki-all-fields", "as above"),
    ("rfc5280::pc::ica-noncritical-pc", "the criticality of a known extension changes nothing"),
    ("rfc5280::san::noncritical-with-empty-subject", "the criticality of a known extension changes nothing"),
    ("rfc5280::san::underscore-dns", "host names with underscores are in use"),
    ("rfc5280::serial::too-long", "serial numbers matter to revocation only"),
    (
        "rfc5280::ca-empty-subject",
        "names of authorities are compared, the empty one too; the signature decides",
    ),
    (
        "rfc5280::root-non-critical-basic-constraints",
        "the CA bit is set; older OpenSSL makes private roots so",
    ),
    // Accepted here: rules of the CA/Browser Forum for public web servers.
    (
        "webpki::cn::ipv6-uppercase-mismatch",
        "the common name is not looked at where there is a subjectAltName",
    ),
    ("webpki::cn::ipv6-non-rfc5952-mismatch", "as above"),
    ("webpki::cn::punycode-not-in-san", "as above"),
    ("webpki::cn::utf8-vs-punycode-mismatch", "as above"),
    ("webpki::cn::case-mismatch", "as above"),
    ("webpki::eku::ee-anyeku", "serverAuth is there as well"),
    ("webpki::eku::ee-critical-eku", "the criticality of a known extension changes nothing"),
    (
        "webpki::eku::ee-without-eku",
        "rfc5280::eku::ee-without-eku demands the opposite: an absent usage allows all",
    ),
    ("webpki::san::public-suffix-multi-label-wildcard-san", "there is no list of public suffixes"),
];

/// Revocation is not implemented yet; these cases need the list to be read.
const SKIPPED: &str = "needs revocation lists, which are not read yet";

#[test]
fn every_case_agrees_or_is_explained() {
    let reasons: BTreeMap<_, _> = DISAGREEMENTS.iter().copied().collect();
    assert_eq!(reasons.len(), DISAGREEMENTS.len(), "a case is listed twice");
    let (mut agreed, mut disagreed, mut skipped, mut wrong) = (0, 0, 0, Vec::new());
    for case in cases() {
        let id = case["id"].as_str().unwrap();
        if !case["crls"].as_array().unwrap().is_empty() {
            println!("skipped {id}: {SKIPPED}");
            skipped += 1;
            continue;
        }
        let verdict = judge(&case);
        let agrees = verdict.is_ok() == (case["expected_result"] == "SUCCESS");
        match (agrees, reasons.get(id)) {
            (true, None) => agreed += 1,
            (false, Some(reason)) => {
                println!("otherwise {id}: {reason}");
                disagreed += 1;
            }
            (true, Some(_)) => wrong.push(format!("{id}: agrees, but is listed")),
            (false, None) => wrong.push(format!("{id}: {verdict:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!((agreed, disagreed, skipped), (69, DISAGREEMENTS.len(), 5));
}

/// What each of these is refused for, so that no case passes for the wrong reason.
#[test]
fn refusals_have_the_right_reason() {
    use CertificateError as E;
    let right = |id: &str, error: &E| match id {
        "pathlen::intermediate-violates-pathlen-0" | "pathlen::intermediate-pathlen-too-long" => {
            matches!(error, E::PathLengthExceeded { .. })
        }
        "rfc5280::validity::expired-root"
        | "rfc5280::validity::expired-intermediate"
        | "rfc5280::validity::expired-leaf" => matches!(error, E::Expired { .. }),
        "rfc5280::validity::notbefore-fractional" => matches!(error, E::NotYetValid { .. }),
        "rfc5280::unknown-critical-extension-intermediate" => {
            matches!(error, E::UnsupportedCriticalExtension { .. })
        }
        "rfc5280::root-missing-basic-constraints" | "rfc5280::root-inconsistent-ca-extensions" => {
            matches!(error, E::UnknownIssuer { .. })
        }
        "rfc5280::eku::ee-wrong-eku" | "rfc5280::eku::ee-eku-empty" => {
            matches!(error, E::WrongUsage { .. })
        }
        "webpki::forbidden-weak-rsa-in-leaf" => matches!(error, E::KeyTooSmall { bits: 1024, .. }),
        "webpki::explicit-curve" | "webpki::forbidden-p192-root" | "webpki::forbidden-dsa-root" => {
            matches!(error, E::UnsupportedAlgorithm { .. })
        }
        _ if id.starts_with("webpki::san::") => matches!(error, E::NameMismatch { .. }),
        _ if id.starts_with("rfc5280::nc::") => {
            // Broken, or so malformed that it cannot be kept.
            matches!(error, E::NameConstraintViolated { .. } | E::Malformed { .. })
        }
        _ => true,
    };
    for case in cases() {
        let id = case["id"].as_str().unwrap();
        if case["expected_result"] == "SUCCESS" {
            continue;
        }
        if let Err(error) = judge(&case) {
            assert!(right(id, &error), "{id}: {error:?}");
        }
    }
}

/// Threat 87 and 88: chains made to be slow are refused fast.
#[test]
fn threat_87_pathological_chains_fail_within_50_ms() {
    for case in cases() {
        let id = case["id"].as_str().unwrap();
        if !id.starts_with("pathological::") {
            continue;
        }
        let start = thread_time();
        (0..5).for_each(|_| assert!(judge(&case).is_err(), "{id}"));
        let mean = (thread_time() - start) / 5;
        // Includes decoding the PEM of the case.
        assert!(mean < Duration::from_millis(50), "{id}: {mean:?}");
    }
}

fn judge(case: &Value) -> Result<Verified, CertificateError> {
    let list = |field: &str| case[field].as_array().unwrap().iter().map(certificate);
    let mut anchors = TrustAnchors::new();
    for anchor in list("trusted_certs") {
        anchors.add(anchor)?;
    }
    let mut chain = vec![certificate(&case["peer_certificate"])];
    chain.extend(list("untrusted_intermediates"));
    let name = case["expected_peer_name"]["value"].as_str().map(|n| ServerName::try_from(n).unwrap());
    let expected = match (case["validation_kind"].as_str().unwrap(), &name) {
        // E-mail names of clients are the caller's business; the path is judged.
        ("CLIENT", _) => Expected::Client,
        ("SERVER", Some(name)) => Expected::Server(name),
        _ => panic!("a kind of case that this test does not know"),
    };
    Policy::new(anchors).verify(&chain, expected, time(case))
}

fn cases() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/x509-limbo/limbo-dev.json");
    let mut limbo: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let Value::Array(cases) = limbo["testcases"].take() else { panic!("no cases") };
    cases
}

fn certificate(pem: &Value) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_str().unwrap().as_bytes()).unwrap()
}

/// `2024-03-01T00:00:00.999+00:00`; without one the suite means the present, here a fixed day of 2026.
fn time(case: &Value) -> UnixTime {
    let seconds = case["validation_time"].as_str().map_or(1_780_000_000, seconds);
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn seconds(text: &str) -> u64 {
    let field = |range: std::ops::Range<usize>| text[range].parse::<u64>().unwrap();
    let (year, month, day) = (field(0..4), field(5..7), field(8..10));
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let days = (1970..year).map(|year| 365 + u64::from(leap(year))).sum::<u64>()
        + lengths.iter().take(usize::try_from(month).unwrap() - 1).sum::<u64>()
        + day
        - 1;
    days * 86_400 + field(11..13) * 3600 + field(14..16) * 60 + field(17..19)
}
