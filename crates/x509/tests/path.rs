//! Paths to a configured authority: one test for each outcome.

mod chain;

use chain::{Authority, NOW, RsaOfSize, anchors, at, certificate, common_name, now};
use drystone_x509::{
    CertificateDer, CertificateError as E, Expected, How, KeyKind, Policy, ServerName, TrustAnchors, Usage,
    Verified, Which,
};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ED25519, date_time_ymd,
};

#[test]
fn a_chain_of_three_is_trusted() {
    let root = Authority::root("root");
    let middle = root.below("middle");
    let chain = [middle.leaf(&["a.example"]), middle.der.clone()];
    let verified = judge(root.anchors(), &chain, "a.example").unwrap();
    assert_eq!(verified.how(), How::Path { intermediates: 1 });
    assert_eq!(verified.anchor_subject(), Some("CN=root"));
    assert_eq!(verified.public_key().kind(), KeyKind::EcP256);
}

#[test]
fn an_intermediate_can_be_the_anchor() {
    let middle = Authority::root("root").below("middle");
    judge(middle.anchors(), &[middle.leaf(&["a.example"])], "a.example").unwrap();
}

#[test]
fn the_order_after_the_leaf_is_free() {
    let root = Authority::root("root");
    let upper = root.below("upper");
    let lower = upper.below("lower");
    let chain = [lower.leaf(&["a.example"]), upper.der.clone(), root.der.clone(), lower.der];
    judge(root.anchors(), &chain, "a.example").unwrap();
}

#[test]
fn a_wrong_name_is_a_name_mismatch() {
    let root = Authority::root("root");
    let error = refusal(root.anchors(), &[root.leaf(&["b.example", "192.0.2.7"])], "a.example");
    let E::NameMismatch { expected, presented } = &error else { panic!("{error:?}") };
    assert_eq!(*expected, ServerName::try_from("a.example").unwrap());
    assert_eq!(presented[..], ["b.example", "192.0.2.7"]);
    assert_eq!(error.to_string(), "the certificate is not for \"a.example\", but for b.example, 192.0.2.7");
}

#[test]
fn wildcards_stand_for_exactly_one_label() {
    let root = Authority::root("root");
    let chain = [root.leaf(&["*.wild.example"])];
    for good in ["a.wild.example", "A.Wild.Example", "a.wild.example."] {
        judge(root.anchors(), &chain, good).unwrap();
    }
    for bad in ["wild.example", "a.b.wild.example", "awild.example"] {
        assert!(matches!(refusal(root.anchors(), &chain, bad), E::NameMismatch { .. }), "{bad}");
    }
}

#[test]
fn addresses_match_as_addresses() {
    let root = Authority::root("root");
    let chain = [root.leaf(&["192.0.2.7", "2001:db8::7"])];
    judge(root.anchors(), &chain, "192.0.2.7").unwrap();
    judge(root.anchors(), &chain, "2001:db8:0:0::7").unwrap();
    assert!(matches!(refusal(root.anchors(), &chain, "192.0.2.8"), E::NameMismatch { .. }));
}

#[test]
fn an_unnamed_server_needs_no_name_but_the_rest() {
    let root = Authority::root("root");
    let policy = Policy::new(root.anchors());
    let leaf = root.leaf(&["b.example"]);
    policy.verify(std::slice::from_ref(&leaf), Expected::ServerUnnamed, now()).unwrap();
    let late = policy.verify(&[leaf], Expected::ServerUnnamed, at(4 * NOW));
    assert!(matches!(late, Err(E::Expired { .. })));
}

#[test]
fn dates_are_checked_and_the_certificate_is_named() {
    let root = Authority::root("root");
    let middle = root.below_with("middle", |p| p.not_after = date_time_ymd(2029, 12, 31));
    let chain = [middle.leaf(&["a.example"]), middle.der.clone()];
    let error = refusal(root.anchors(), &chain, "a.example");
    assert_eq!(
        error.to_string(),
        "certificate 1 (CN=middle) expired on 2029-12-31 00:00:00 UTC, and it is 2030-01-01 00:00:00 UTC"
    );
    let early = root.leaf_with(&["a.example"], |p| p.not_before = date_time_ymd(2030, 1, 2));
    let error = refusal(root.anchors(), &[early], "a.example");
    let not_before = at(NOW + 86_400);
    assert_eq!(error, E::NotYetValid { which: which(0, "leaf"), not_before, time: now() });
}

#[test]
fn an_expired_anchor_is_refused_unless_another_serves() {
    let old = Authority::root_with("root", |p| p.not_after = date_time_ymd(2025, 1, 1));
    let chain = [old.leaf(&["a.example"])];
    let error = refusal(old.anchors(), &chain, "a.example");
    let which = Which::Anchor { subject: Some("CN=root".to_owned()) };
    assert!(matches!(&error, E::Expired { which: found, .. } if *found == which), "{error:?}");

    // The same authority under an upper one that is good.
    let upper = Authority::root("upper");
    let bridged = upper.cross_sign(&old, "root");
    let both = anchors(&[&old.der, &upper.der]);
    judge(both, &[chain[0].clone(), bridged], "a.example").unwrap();
}

/// The same name and key in a newer certificate, whichever is configured first.
#[test]
fn a_renewed_anchor_serves_beside_the_expired_one() {
    let old = Authority::root_with("root", |p| p.not_after = date_time_ymd(2025, 1, 1));
    let renewed = old.cross_sign(&old, "root");
    let chain = [old.leaf(&["a.example"])];
    for order in [[&old.der, &renewed], [&renewed, &old.der]] {
        judge(anchors(&order), &chain, "a.example").unwrap();
    }
}

#[test]
fn the_earlier_check_wins() {
    let root = Authority::root("root");
    let stranger = Authority::root("stranger");
    let expire = |p: &mut CertificateParams| p.not_after = date_time_ymd(2025, 1, 1);
    let expired_and_unknown = stranger.leaf_with(&["a.example"], expire);
    let error = refusal(root.anchors(), &[expired_and_unknown], "a.example");
    assert!(matches!(error, E::Expired { .. }), "{error:?}");
    let expired_and_other = root.leaf_with(&["b.example"], expire);
    let error = refusal(root.anchors(), &[expired_and_other], "a.example");
    assert!(matches!(error, E::Expired { .. }), "{error:?}");
    let unknown_and_other = stranger.leaf(&["b.example"]);
    let error = refusal(root.anchors(), &[unknown_and_other], "a.example");
    assert!(matches!(error, E::UnknownIssuer { .. }), "{error:?}");
}

#[test]
fn unknown_issuers_are_named() {
    let root = Authority::root("root");
    let middle = root.below("middle");
    let stranger = Authority::root("stranger");
    let issuer = |name: &str| Some(format!("CN={name}"));
    let unknown = |which, issuer| E::UnknownIssuer { which, issuer, spelled_otherwise: false };

    let missing_intermediate = refusal(root.anchors(), &[middle.leaf(&["a.example"])], "a.example");
    let expected = unknown(which(0, "leaf"), issuer("middle"));
    assert_eq!(missing_intermediate, expected);

    let chain = [middle.leaf(&["a.example"]), middle.der.clone()];
    for anchors in [stranger.anchors(), TrustAnchors::new()] {
        let error = refusal(anchors, &chain, "a.example");
        let expected = unknown(which(1, "middle"), issuer("root"));
        assert_eq!(error, expected);
        assert_eq!(error.to_string(), "the issuer of certificate 1 (CN=middle) is not known (CN=root)");
    }
}

#[test]
fn an_authority_of_the_same_name_and_another_key_makes_a_bad_signature() {
    let (root, imposter) = (Authority::root("root"), Authority::root("root"));
    let error = refusal(root.anchors(), &[imposter.leaf(&["a.example"])], "a.example");
    assert_eq!(error, E::BadSignature { which: which(0, "leaf") });

    let middle = imposter.below("middle");
    let chain = [middle.leaf(&["a.example"]), middle.der.clone()];
    let error = refusal(root.anchors(), &chain, "a.example");
    assert_eq!(error, E::BadSignature { which: which(1, "middle") });
}

#[test]
fn no_changed_byte_of_a_leaf_is_accepted() {
    let root = Authority::root("root");
    let leaf = root.leaf(&["a.example"]);
    for place in 0..leaf.len() {
        let mut changed = leaf.to_vec();
        changed[place] ^= 1;
        let verdict = judge(root.anchors(), &[changed.into()], "a.example");
        assert!(verdict.is_err(), "byte {place}");
    }
}

#[test]
fn usages_of_the_leaf_are_checked() {
    let root = Authority::root("root");
    let purpose = |purposes: Vec<ExtendedKeyUsagePurpose>| {
        root.leaf_with(&["a.example"], |p| p.extended_key_usages = purposes)
    };
    let server = purpose(vec![ExtendedKeyUsagePurpose::ServerAuth]);
    let client = purpose(vec![ExtendedKeyUsagePurpose::ClientAuth]);
    let any = purpose(vec![ExtendedKeyUsagePurpose::Any]);
    let policy = Policy::new(root.anchors());
    let name = ServerName::try_from("a.example").unwrap();
    let wrong = |usage| Err(E::WrongUsage { which: which(0, "leaf"), usage });
    let judge = |leaf: &CertificateDer<'static>, expected| {
        policy.verify(std::slice::from_ref(leaf), expected, now()).map(|_| ())
    };
    assert_eq!(judge(&server, Expected::Server(&name)), Ok(()));
    assert_eq!(judge(&client, Expected::Client), Ok(()));
    assert_eq!(judge(&client, Expected::Server(&name)), wrong(Usage::ServerAuth));
    assert_eq!(judge(&server, Expected::Client), wrong(Usage::ClientAuth));
    assert_eq!(judge(&any, Expected::Client), wrong(Usage::ClientAuth));
}

#[test]
fn a_leaf_whose_key_usage_lacks_digital_signature_is_refused() {
    let root = Authority::root("root");
    let with = |usages: Vec<KeyUsagePurpose>| [root.leaf_with(&["a.example"], |p| p.key_usages = usages)];
    let both = with(vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyAgreement]);
    judge(root.anchors(), &both, "a.example").unwrap();
    let only_agreement = with(vec![KeyUsagePurpose::KeyAgreement]);
    let error = refusal(root.anchors(), &only_agreement, "a.example");
    let usage = Usage::DigitalSignature;
    assert_eq!(error, E::WrongUsage { which: which(0, "leaf"), usage });
}

#[test]
fn threat_96_only_authorities_issue() {
    let root = Authority::root("root");
    let no_authority = root.below_with("leaf as issuer", |p| p.is_ca = IsCa::ExplicitNoCa);
    let chain = [no_authority.leaf(&["a.example"]), no_authority.der.clone()];
    let error = refusal(root.anchors(), &chain, "a.example");
    assert_eq!(error, E::NotAnAuthority { which: which(1, "leaf as issuer") });
}

#[test]
fn threat_96_an_issuer_needs_key_cert_sign() {
    let root = Authority::root("root");
    let unfit = |p: &mut CertificateParams| p.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let middle = root.below_with("middle", unfit);
    let chain = [middle.leaf(&["a.example"]), middle.der.clone()];
    let error = refusal(root.anchors(), &chain, "a.example");
    assert_eq!(error, E::WrongUsage { which: which(1, "middle"), usage: Usage::KeyCertSign });

    let unfit_root = Authority::root_with("root", unfit);
    let error = refusal(unfit_root.anchors(), &[unfit_root.leaf(&["a.example"])], "a.example");
    assert!(matches!(error, E::UnknownIssuer { .. }), "{error:?}");
}

#[test]
fn threat_96_path_length_is_kept() {
    let root = Authority::root("root");
    let none_below = |p: &mut CertificateParams| p.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let upper = root.below_with("upper", none_below);
    let direct = [upper.leaf(&["a.example"]), upper.der.clone()];
    judge(root.anchors(), &direct, "a.example").unwrap();
    let lower = upper.below("lower");
    let chain = [lower.leaf(&["a.example"]), lower.der.clone(), upper.der.clone()];
    let error = refusal(root.anchors(), &chain, "a.example");
    assert!(matches!(error, E::PathLengthExceeded { .. }), "{error:?}");
}

#[test]
fn threat_96_a_configured_leaf_cannot_issue() {
    let holder = Authority::root_with("server", |p| p.is_ca = IsCa::ExplicitNoCa);
    let without_extension = Authority::root_with("server", |p| p.is_ca = IsCa::NoCa);
    for own in [holder, without_extension] {
        let error = refusal(own.anchors(), &[own.leaf(&["a.example"])], "a.example");
        assert!(matches!(error, E::UnknownIssuer { .. }), "{error:?}");
    }
}

#[test]
fn an_authority_is_no_leaf_unless_configured() {
    let root = Authority::root("root");
    let middle = root.below("middle");
    let error = refusal(root.anchors(), &[middle.der], "a.example");
    assert_eq!(error, E::AuthorityAsLeaf { which: which(0, "middle") });
}

#[test]
fn a_self_signed_authority_as_leaf_is_unknown_rather_than_misused() {
    let stranger = Authority::root("stranger");
    let error = refusal(Authority::root("root").anchors(), &[stranger.der], "a.example");
    assert!(matches!(&error, E::UnknownIssuer { which: of, .. } if *of == which(0, "stranger")), "{error:?}");
}

#[test]
fn threat_90_name_constraints_of_dns_names() {
    let permitted = constrained(vec![dns("good.example")], vec![]);
    let excluded = constrained(vec![], vec![dns("bad.example")]);
    let table = [
        (&permitted, "good.example", true),
        (&permitted, "a.good.example", true),
        (&permitted, "A.GOOD.EXAMPLE", true),
        (&permitted, "notgood.example", false),
        (&permitted, "other.example", false),
        (&permitted, "192.0.2.1", true), // no constraint on addresses
        (&excluded, "bad.example", false),
        (&excluded, "a.BAD.example", false),
        (&excluded, "other.example", true),
    ];
    check_constraints(&table);
}

#[test]
fn threat_90_name_constraints_of_addresses() {
    let net = |address: [u8; 4], prefix| {
        GeneralSubtree::IpAddress(rcgen::CidrSubnet::from_v4_prefix(address, prefix))
    };
    let permitted = constrained(vec![net([10, 1, 0, 0], 16)], vec![]);
    let excluded = constrained(vec![], vec![net([10, 1, 0, 0], 16)]);
    let table = [
        (&permitted, "10.1.255.9", true),
        (&permitted, "10.2.0.1", false),
        (&permitted, "2001:db8::1", false), // an address, and of no permitted net
        (&permitted, "a.example", true),
        (&excluded, "10.1.0.1", false),
        (&excluded, "10.2.0.1", true),
    ];
    check_constraints(&table);
}

/// Names that webpki does not compare are refused if there is a constraint of their kind.
#[test]
fn threat_90_constraints_that_cannot_be_compared_refuse() {
    let mail = constrained(vec![GeneralSubtree::Rfc822Name("good.example".into())], vec![]);
    let leaf = mail.leaf_with(&["a.example"], |p| {
        let address = rcgen::string::Ia5String::try_from("x@good.example").unwrap();
        p.subject_alt_names.push(rcgen::SanType::Rfc822Name(address));
    });
    let error = refusal(mail.anchors(), &[leaf], "a.example");
    assert!(matches!(error, E::NameConstraintViolated { .. }), "{error:?}");
}

#[test]
fn an_unknown_critical_extension_is_refused() {
    let root = Authority::root("root");
    let leaf = root.leaf_with(&["a.example"], |p| {
        let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
        extension.set_criticality(true);
        p.custom_extensions = vec![extension];
    });
    let error = refusal(root.anchors(), &[leaf], "a.example");
    let extension = "1.2.3.4".to_owned();
    assert_eq!(error, E::UnsupportedCriticalExtension { which: which(0, "leaf"), extension });
    let said = "certificate 0 (CN=leaf) has a critical extension that is not known (1.2.3.4)";
    assert_eq!(error.to_string(), said);
}

#[test]
fn ed25519_is_accepted() {
    let root = Authority::root("root");
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let verified = judge(root.anchors(), &[root.leaf_for(&key, &["a.example"], |_| {})], "a.example");
    assert_eq!(verified.unwrap().public_key().kind(), KeyKind::Ed25519);
}

#[test]
fn rsa_and_pss_signatures_are_accepted() {
    let root = certificate("rsa2048-root.pem");
    judge(anchors(&[&root]), &[certificate("pss-leaf.pem")], "leaf.example").unwrap();
}

#[test]
fn sha1_and_p521_and_explicit_curves_are_unsupported_and_named() {
    let root = certificate("rsa2048-root.pem");
    for (name, algorithm) in [
        ("sha1-leaf.pem", "is signed with sha1WithRSAEncryption"),
        ("p521-leaf.pem", "has a key of the kind P-521"),
        ("explicit-curve-leaf.pem", "has a key of the kind EC with explicit parameters"),
    ] {
        let error = refusal(anchors(&[&root]), &[certificate(name)], "leaf.example");
        assert!(matches!(error, E::UnsupportedAlgorithm { .. }), "{name}: {error:?}");
        let said = format!("certificate 0 (CN=leaf.example) {algorithm}, which is not accepted");
        assert_eq!(error.to_string(), said);
    }
}

#[test]
fn small_rsa_keys_are_too_small_wherever_they_are() {
    let small = certificate("rsa1024-self-signed.pem");
    let error = refusal(anchors(&[&small]), std::slice::from_ref(&small), "small.example");
    assert!(matches!(error, E::KeyTooSmall { bits: 1024, min: 2048, .. }), "leaf: {error:?}");

    let error = refusal(anchors(&[&small]), &[certificate("leaf-of-rsa1024.pem")], "leaf.example");
    let anchor = Which::Anchor { subject: Some("CN=small.example".to_owned()) };
    assert_eq!(error, E::KeyTooSmall { which: anchor, bits: 1024, min: 2048 });

    let root = Authority::root("root");
    let leaf = root.leaf_for(&RsaOfSize::bits(1024), &["a.example"], |_| {});
    let error = refusal(root.anchors(), &[leaf], "a.example");
    assert_eq!(error, E::KeyTooSmall { which: which(0, "leaf"), bits: 1024, min: 2048 });
}

#[test]
fn a_higher_rsa_minimum_holds_for_authorities_too() {
    let root = certificate("rsa2048-root.pem");
    let policy = Policy::new(anchors(&[&root])).min_rsa_bits(3072);
    let name = ServerName::try_from("leaf.example").unwrap();
    let verdict = policy.verify(&[certificate("pss-leaf.pem")], Expected::Server(&name), now());
    let error = verdict.unwrap_err();
    assert!(matches!(error, E::KeyTooSmall { bits: 2048, min: 3072, .. }), "{error:?}");
}

#[test]
fn version_1_needs_to_be_configured_itself() {
    let root = certificate("v1-self-signed.pem");
    judge(anchors(&[&root]), &[certificate("v3-leaf-of-v1.pem")], "leaf.example").unwrap();
    let error = refusal(anchors(&[&root]), &[certificate("v1-leaf-of-v1.pem")], "leaf.example");
    assert_eq!(error, E::UnsupportedVersion { which: which(0, "leaf.example") });
    // Not self-issued: an authority by nobody's word.
    let leaf = certificate("v1-leaf-of-v1.pem");
    let error = refusal(anchors(&[&leaf]), &[certificate("v3-leaf-of-v1.pem")], "leaf.example");
    assert!(matches!(error, E::UnknownIssuer { .. }), "{error:?}");
}

#[test]
fn the_common_name_counts_only_if_asked_for_and_alone() {
    let root = Authority::root("root");
    let named = |names: &[&str], common: &str| {
        let distinguished = common_name(common);
        [root.leaf_with(names, |p| p.distinguished_name = distinguished)]
    };
    let name = ServerName::try_from("a.example").unwrap();
    let strict = Policy::new(root.anchors());
    let lenient = strict.clone().allow_common_name(true);
    let judge = |policy: &Policy, chain: &[CertificateDer<'_>]| {
        policy.verify(chain, Expected::Server(&name), now()).map(|_| ())
    };
    let only_common = named(&[], "A.example");
    assert_eq!(judge(&lenient, &only_common), Ok(()));
    assert!(matches!(judge(&strict, &only_common), Err(E::NameMismatch { .. })));
    let for_configured = strict.clone().allow_common_name_of_configured(true);
    assert!(matches!(judge(&for_configured, &only_common), Err(E::NameMismatch { .. })));
    for other in ["b.example", "*.example", "a.example ", "xa.example", ""] {
        let verdict = judge(&lenient, &named(&[], other));
        assert!(matches!(verdict, Err(E::NameMismatch { .. })), "{other}: {verdict:?}");
    }
    // Any alternative name, of whatever kind, takes the common name's place.
    for alternative in ["b.example", "192.0.2.1"] {
        let verdict = judge(&lenient, &named(&[alternative], "a.example"));
        assert!(matches!(verdict, Err(E::NameMismatch { .. })), "{alternative}: {verdict:?}");
    }
}

#[test]
fn threat_90_a_common_name_does_not_get_around_name_constraints() {
    let name = ServerName::try_from("evil.example").unwrap();
    let root = constrained(vec![dns("good.example")], vec![]);
    let below_root = Authority::root("top");
    let middle = below_root.below_with("middle", |p| {
        p.name_constraints = Some(constraints(vec![dns("good.example")], vec![]));
    });
    let leaf =
        |issuer: &Authority| issuer.leaf_with(&[], |p| p.distinguished_name = common_name("evil.example"));
    let cases = [
        (root.anchors(), vec![leaf(&root)]),
        (below_root.anchors(), vec![leaf(&middle), middle.der.clone()]),
    ];
    for (anchors, chain) in cases {
        let policy = Policy::new(anchors).allow_common_name(true);
        let error = policy.verify(&chain, Expected::Server(&name), now()).unwrap_err();
        assert!(matches!(error, E::NameConstraintViolated { .. }), "{error:?}");
    }
}

#[test]
fn garbage_is_malformed() {
    let root = Authority::root("root");
    for garbage in [&b""[..], b"\x30\x00", b"hello", &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]] {
        let error = refusal(root.anchors(), &[garbage.into()], "a.example");
        let which = Which::Presented { index: 0, subject: None };
        assert_eq!(error, E::Malformed { which });
    }
}

fn judge(anchors: TrustAnchors, chain: &[CertificateDer<'_>], name: &str) -> Result<Verified, E> {
    let name = ServerName::try_from(name).unwrap();
    Policy::new(anchors).verify(chain, Expected::Server(&name), now())
}

fn refusal(anchors: TrustAnchors, chain: &[CertificateDer<'_>], name: &str) -> E {
    judge(anchors, chain, name).unwrap_err()
}

fn which(index: usize, name: &str) -> Which {
    Which::Presented { index, subject: Some(format!("CN={name}")) }
}

fn dns(name: &str) -> GeneralSubtree {
    GeneralSubtree::DnsName(name.to_owned())
}

fn constraints(permitted: Vec<GeneralSubtree>, excluded: Vec<GeneralSubtree>) -> NameConstraints {
    NameConstraints { permitted_subtrees: permitted, excluded_subtrees: excluded }
}

fn constrained(permitted: Vec<GeneralSubtree>, excluded: Vec<GeneralSubtree>) -> Authority {
    Authority::root_with("root", |p| p.name_constraints = Some(constraints(permitted, excluded)))
}

fn check_constraints(table: &[(&Authority, &str, bool)]) {
    for (root, name, good) in table {
        let verdict = judge(root.anchors(), &[root.leaf(&[name])], name);
        match (verdict, good) {
            (Ok(_), true) | (Err(E::NameConstraintViolated { .. }), false) => {}
            (other, _) => panic!("{name}: {other:?}"),
        }
    }
}
