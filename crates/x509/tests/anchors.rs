//! What a configured authority's certificate says about itself is obeyed.

mod chain;

use chain::{Authority, anchors, now, self_signed};
use drystone_x509::{
    CertificateDer, CertificateError as E, Expected, How, Policy, ServerName, TrustAnchors, Usage, Which,
};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
};

#[test]
fn the_path_length_of_an_anchor_is_kept() {
    let root = Authority::root_with("root", |p| p.is_ca = IsCa::Ca(BasicConstraints::Constrained(1)));
    let upper = root.below("upper");
    let lower = upper.below("lower");
    judge(root.anchors(), &[root.leaf(&["a.example"])]).unwrap();
    judge(root.anchors(), &[upper.leaf(&["a.example"]), upper.der.clone()]).unwrap();
    let chain = [lower.leaf(&["a.example"]), lower.der.clone(), upper.der.clone()];
    assert_eq!(judge(root.anchors(), &chain).unwrap_err(), E::PathLengthExceeded { which: anchor("root") });

    // Self-issued certificates do not count (RFC 5280 section 4.2.1.9): the authority's own new key.
    let strict = Authority::root_with("root", |p| p.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    let renewed = Authority::root("root");
    let new_with_old = strict.cross_sign(&renewed, "root");
    judge(strict.anchors(), &[renewed.leaf(&["a.example"]), new_with_old]).unwrap();
    let below = strict.below("below");
    let error = judge(strict.anchors(), &[below.leaf(&["a.example"]), below.der.clone()]).unwrap_err();
    assert_eq!(error, E::PathLengthExceeded { which: anchor("root") });
}

/// RFC 5280 section 4.2.1.9: self-issued certificates, as of an authority that changes its key, do not count; what does
/// count is told as what it is (PKITS 4.6.15 to 4.6.17).
#[test]
fn self_issued_certificates_do_not_count_for_path_lengths() {
    let root = Authority::root("root");
    let none_below = |p: &mut CertificateParams| p.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let old = root.below_with("middle", none_below);
    let new = Authority::root("middle");
    let new_with_old = old.cross_sign(&new, "middle");
    let chain = [new.leaf(&["a.example"]), new_with_old.clone(), old.der.clone()];
    assert_eq!(judge(root.anchors(), &chain), Ok(How::Path { intermediates: 2 }));

    let lower = new.below("lower");
    let chain = [lower.leaf(&["a.example"]), lower.der.clone(), new_with_old, old.der.clone()];
    let which = Which::Presented { index: 3, subject: Some("CN=middle".to_owned()) };
    assert_eq!(judge(root.anchors(), &chain), Err(E::PathLengthExceeded { which }));
}

/// A company's authority for clients does not vouch for servers, and the other way round.
#[test]
fn the_extended_key_usage_of_an_anchor_is_kept() {
    use ExtendedKeyUsagePurpose as Purpose;
    let name = ServerName::try_from("a.example").unwrap();
    for (purposes, server, client) in [
        (vec![], true, true),
        (vec![Purpose::ServerAuth], true, false),
        (vec![Purpose::ClientAuth], false, true),
        (vec![Purpose::ClientAuth, Purpose::ServerAuth], true, true),
        (vec![Purpose::CodeSigning], false, false),
    ] {
        let root = Authority::root_with("root", |p| p.extended_key_usages.clone_from(&purposes));
        let chain = [root.leaf(&["a.example"])];
        let policy = Policy::new(root.anchors());
        for (expected, usage, good) in [
            (Expected::Server(&name), Usage::ServerAuth, server),
            (Expected::ServerUnnamed, Usage::ServerAuth, server),
            (Expected::Client, Usage::ClientAuth, client),
        ] {
            let verdict = policy.verify(&chain, expected, now()).map(|_| ());
            let wrong = Err(E::WrongUsage { which: anchor("root"), usage });
            assert_eq!(verdict, if good { Ok(()) } else { wrong }, "{purposes:?}");
        }
    }
}

#[test]
fn an_unknown_critical_extension_of_an_anchor_is_refused_unless_another_serves() {
    let odd = Authority::root_with("root", |p| p.custom_extensions = vec![unknown_critical()]);
    let chain = [odd.leaf(&["a.example"])];
    let extension = "1.2.3.4".to_owned();
    let refused = E::UnsupportedCriticalExtension { which: anchor("root"), extension };
    assert_eq!(judge(odd.anchors(), &chain).unwrap_err(), refused);
    let plain = odd.cross_sign(&odd, "root");
    judge(anchors(&[&odd.der, &plain]), &chain).unwrap();
}

/// RFC 5280 section 4.2.1.10: an empty sequence is not allowed. It would be read as no constraint at all.
#[test]
fn empty_name_constraints_are_malformed() {
    for empty in [&[0x30, 0][..], &[0x30, 4, 0xa0, 0, 0xa1, 0], &[0x30, 2, 0xa0, 0]] {
        for critical in [false, true] {
            let constrain = |p: &mut CertificateParams| {
                let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 30], empty.to_vec());
                extension.set_criticality(critical);
                p.custom_extensions = vec![extension];
            };
            let configured = Authority::root_with("odd", constrain);
            let refused = E::Malformed { which: anchor("odd") };
            assert_eq!(TrustAnchors::new().add(configured.der), Err(refused));

            let root = Authority::root("root");
            let middle = root.below_with("odd", constrain);
            let error = judge(root.anchors(), &[middle.leaf(&["a.example"]), middle.der.clone()]);
            let which = Which::Presented { index: 1, subject: Some("CN=odd".to_owned()) };
            assert_eq!(error.unwrap_err(), E::Malformed { which });
        }
    }
}

/// A configured server's certificate vouches for itself and for nobody else, with every choice of features.
#[test]
fn a_configured_leaf_vouches_for_itself_only() {
    let own = Authority::root_with("server", |p| {
        p.is_ca = IsCa::ExplicitNoCa;
        p.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    });
    let error = judge(own.anchors(), &[own.leaf(&["a.example"])]).unwrap_err();
    assert!(matches!(error, E::UnknownIssuer { .. }), "{error:?}");
    let leaf = self_signed(&["a.example"], |_| {});
    assert_eq!(judge(anchors(&[&leaf]), &[leaf]).unwrap(), How::ExactCertificate);
}

fn judge(anchors: TrustAnchors, chain: &[CertificateDer<'_>]) -> Result<How, E> {
    let name = ServerName::try_from("a.example").unwrap();
    Policy::new(anchors).verify(chain, Expected::Server(&name), now()).map(|verified| verified.how())
}

fn anchor(name: &str) -> Which {
    Which::Anchor { subject: Some(format!("CN={name}")) }
}

fn unknown_critical() -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
    extension.set_criticality(true);
    extension
}
