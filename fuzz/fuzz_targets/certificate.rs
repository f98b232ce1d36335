//! The bytes are certificates, one DER after the other, the leaf first. Reading them must not panic, and trust must follow
//! its own rules: nobody is trusted without an anchor, a named peer would be trusted without its name too, a longer chain
//! than allowed never is.
#![no_main]

use core::time::Duration;

use drystone_x509::{CertificateDer, Expected, Policy, PublicKey, ServerName, TrustAnchors, UnixTime};
use libfuzzer_sys::fuzz_target;

/// Within the life of the seeds: 2030-01-01.
const NOW: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_893_456_000));

fuzz_target!(|data: &[u8]| {
    let chain = cut(data);
    for certificate in &chain {
        let _ = drystone_x509::subject_text(certificate);
        let _ = PublicKey::of_certificate(certificate);
        let _ = drystone_x509::certificates_from_pem_or_der(certificate);
    }
    let name = ServerName::try_from("localhost").expect("a DNS name");
    let trusts =
        |policy: &Policy, chain: &[CertificateDer<'_>], expected| policy.verify(chain, expected, NOW).is_ok();

    let nobody = Policy::new(TrustAnchors::new());
    assert!(!trusts(&nobody, &chain, Expected::ServerUnnamed), "trusted without an anchor");
    for anchor in [chain.first(), chain.last()].into_iter().flatten() {
        let mut anchors = TrustAnchors::new();
        if anchors.add(anchor.clone()).is_err() {
            continue;
        }
        let policy = Policy::new(anchors).max_chain_length(4).allow_common_name(true);
        let named = policy.verify(&chain, Expected::Server(&name), NOW);
        let unnamed = trusts(&policy, &chain, Expected::ServerUnnamed);
        assert!(named.is_err() || unnamed, "trusted for its name only");
        assert!(!unnamed || chain.len() <= 4, "a chain that is too long");
        if let Ok(verified) = named {
            let leaf = PublicKey::of_certificate(&chain[0]).expect("a trusted leaf has a key");
            assert_eq!(verified.public_key().spki(), leaf.spki(), "the key of another certificate");
        }
        let _ = policy.verify(&chain, Expected::Client, NOW);
    }
});

/// Cuts at the outer DER lengths; what is left over is the last certificate.
fn cut(mut data: &[u8]) -> Vec<CertificateDer<'_>> {
    let mut chain = Vec::new();
    while !data.is_empty() && chain.len() < 8 {
        let length = match *data {
            [0x30, 0x81, length, ..] => 3 + usize::from(length),
            [0x30, 0x82, high, low, ..] => 4 + usize::from(u16::from_be_bytes([high, low])),
            _ => data.len(),
        };
        let (certificate, rest) = data.split_at(length.min(data.len()));
        chain.push(CertificateDer::from(certificate));
        data = rest;
    }
    chain
}
