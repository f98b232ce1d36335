//! Names of issuers and subjects that are equal without being equal in bytes (RFC 5280 section 7.1), and constraints on
//! directory names (section 4.2.1.10).

mod chain;

use chain::{Authority, anchors, now, tlv};
use drystone_x509::{
    CertificateDer, CertificateError as E, Expected, How, Policy, ServerName, TrustAnchors, Which,
    certificates_from_pem,
};
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue, GeneralSubtree, NameConstraints,
    SanType,
};

fn case(folder: &str, file: &str) -> Vec<CertificateDer<'static>> {
    let path = format!("{}/../../vectors/cases/{folder}/{file}", env!("CARGO_MANIFEST_DIR"));
    certificates_from_pem(&std::fs::read(path).unwrap()).unwrap()
}

fn judge(anchors: TrustAnchors, chain: &[CertificateDer<'_>], name: &str) -> Result<How, E> {
    let name = ServerName::try_from(name).unwrap();
    Policy::new(anchors).verify(chain, Expected::Server(&name), now()).map(|verified| verified.how())
}

fn named(value: impl Into<DnValue>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, value);
    name
}

fn printable(text: &str) -> DnValue {
    DnValue::PrintableString(text.try_into().unwrap())
}

#[test]
fn an_authority_is_found_under_every_spelling_of_its_name() {
    let leaf = case("issuer-names", "leaf.crt");
    for (file, good) in [
        ("same.ca", true),
        ("printable.ca", true),
        ("upper.ca", true),
        ("spaces.ca", true),
        ("other.ca", false),
    ] {
        let authority = case("issuer-names", file).remove(0);
        let verdict = judge(anchors(&[&authority]), &leaf, "leaf.example");
        if good {
            assert_eq!(verdict, Ok(How::Path { intermediates: 0 }), "{file}");
        } else {
            assert!(matches!(verdict, Err(E::UnknownIssuer { spelled_otherwise: false, .. })), "{verdict:?}");
        }
    }
    // Two spellings side by side, and one of them of another key.
    let all =
        ["other.ca", "upper.ca", "same.ca", "spaces.ca"].map(|file| case("issuer-names", file).remove(0));
    judge(anchors(&all.each_ref()), &leaf, "leaf.example").unwrap();
    let stranger = Authority::root("CASE authority");
    judge(anchors(&[&stranger.der, &all[1]]), &leaf, "leaf.example").unwrap();
    let error = judge(stranger.anchors(), &leaf, "leaf.example").unwrap_err();
    assert!(matches!(error, E::BadSignature { .. }), "{error:?}");
}

/// Between presented certificates too, in every place, with several authorities of one name.
#[test]
fn issuers_below_the_anchor_are_found_under_every_spelling() {
    let root = Authority::root("Root");
    let upper = root.below_with("Upper", |p| p.distinguished_name = named(printable("UPPER  authority")));
    // The same authority and key, as its own certificates spell it.
    let issuing = upper.named(named("Upper Authority"));
    let lower = issuing.below("Lower");
    let leaf = lower.named(named(printable("LOWER"))).leaf(&["a.example"]);
    let namesake = root.below_with("x", |p| p.distinguished_name = named("upper authority"));
    let chain = [leaf.clone(), lower.der.clone(), namesake.der, upper.der.clone()];
    assert_eq!(judge(root.anchors(), &chain, "a.example"), Ok(How::Path { intermediates: 2 }));
    assert_eq!(judge(issuing.anchors(), &chain, "a.example"), Ok(How::Path { intermediates: 1 }));
    let error = judge(root.anchors(), &[leaf, lower.der, upper.der], "b.example").unwrap_err();
    assert!(matches!(error, E::NameMismatch { .. }), "{error:?}");
}

/// Nothing may be gained by presenting what a rewritten certificate looks like, or by changing a byte of one.
#[test]
fn signatures_are_over_the_certificates_as_they_were_presented() {
    let authority = case("issuer-names", "upper.ca").remove(0);
    let leaf = case("issuer-names", "leaf.crt").remove(0);
    for place in 0..leaf.len() {
        for bit in [1, 0x20] {
            let mut changed = leaf.to_vec();
            changed[place] ^= bit;
            let verdict = judge(anchors(&[&authority]), &[changed.into()], "leaf.example");
            assert!(verdict.is_err(), "byte {place}");
        }
    }
    // The leaf with its issuer spelled as the authority spells it: nobody has signed that.
    let respelled = String::from_utf8_lossy(&leaf).into_owned();
    assert!(respelled.contains("Case Authority"));
    let mut forged = leaf.to_vec();
    let at = forged.windows(14).position(|window| window == b"Case Authority").unwrap();
    forged[at..at + 14].copy_from_slice(b"CASE AUTHORITY");
    let error = judge(anchors(&[&authority]), &[forged.clone().into()], "leaf.example").unwrap_err();
    assert!(matches!(error, E::BadSignature { .. }), "{error:?}");
    // Nor does it become good beside the true one.
    let (leaf, forged) = (&leaf, &CertificateDer::from(forged));
    for chain in [[forged.clone(), leaf.clone()], [leaf.clone(), forged.clone()]] {
        judge(anchors(&[&authority]), &chain, "leaf.example").unwrap_err();
    }
}

#[test]
fn a_name_that_cannot_be_compared_is_said() {
    let teletex = DnValue::TeletexString("Authority".try_into().unwrap());
    let root = Authority::root_with("x", |p| p.distinguished_name = named(teletex));
    let leaf = root.named(named("Authority")).leaf(&["a.example"]);
    let error = judge(root.anchors(), &[leaf], "a.example").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the issuer of certificate 0 (CN=leaf) is not known (CN=Authority); a certificate has that name in an encoding \
         that cannot be compared"
    );
}

fn constrained(permitted: &[DistinguishedName], excluded: &[DistinguishedName]) -> Option<NameConstraints> {
    let subtrees =
        |names: &[DistinguishedName]| names.iter().cloned().map(GeneralSubtree::DirectoryName).collect();
    Some(NameConstraints { permitted_subtrees: subtrees(permitted), excluded_subtrees: subtrees(excluded) })
}

fn below(organization: &str, common_name: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, organization);
    if let Some(common_name) = common_name {
        name.push(DnType::CommonName, common_name);
    }
    name
}

#[test]
fn threat_90_name_constraints_of_directory_names() {
    let own = below("Own", None);
    let leaf_named = |name: &DistinguishedName| {
        let name = name.clone();
        move |p: &mut CertificateParams| p.distinguished_name = name
    };
    let violated = |which: Which| Err(E::NameConstraintViolated { which });
    let leaf_at = |subject: &str| Which::Presented { index: 0, subject: Some(subject.to_owned()) };
    for (permitted, excluded, subject, good) in [
        (vec![own.clone()], vec![], below("Own", Some("leaf")), true),
        (vec![own.clone()], vec![], below("OWN ", Some("leaf")), true),
        (vec![own.clone()], vec![], below("Other", Some("leaf")), false),
        (vec![below("Other", None), own.clone()], vec![], below("Own", Some("leaf")), true),
        (vec![], vec![own.clone()], below("own", Some("leaf")), false),
        (vec![], vec![own.clone()], below("Other", Some("leaf")), true),
        (vec![own.clone()], vec![below("Own", Some("bad"))], below("Own", Some("bad")), false),
        (vec![own.clone()], vec![], DistinguishedName::new(), true),
    ] {
        let text = format!("{permitted:?} {excluded:?} {subject:?}");
        let constrain = |p: &mut CertificateParams| p.name_constraints = constrained(&permitted, &excluded);
        // By the configured authority, and by one below it.
        let root = Authority::root_with("root", constrain);
        let chain = [root.leaf_with(&["a.example"], leaf_named(&subject))];
        let top = Authority::root("top");
        let middle = top.below_with("middle", constrain);
        let longer = [middle.leaf_with(&["a.example"], leaf_named(&subject)), middle.der.clone()];
        for (anchors, chain) in [(root.anchors(), &chain[..]), (top.anchors(), &longer[..])] {
            let verdict = judge(anchors, chain, "a.example").map(|_| ());
            let subject = drystone_x509::subject_text(&chain[0]).unwrap_or_default();
            assert_eq!(verdict, if good { Ok(()) } else { violated(leaf_at(&subject)) }, "{text}");
        }
    }
}

#[test]
fn threat_90_directory_names_among_the_alternative_names_and_of_authorities_are_constrained() {
    let root = Authority::root_with("root", |p| p.name_constraints = constrained(&[below("Own", None)], &[]));
    let leaf = |alternative: DistinguishedName| {
        root.leaf_with(&["a.example"], |p| {
            p.distinguished_name = below("Own", Some("leaf"));
            p.custom_extensions = vec![alternative_names(&alternative)];
            p.subject_alt_names.clear();
        })
    };
    judge(root.anchors(), &[leaf(below("Own", Some("x")))], "a.example").unwrap();
    let error = judge(root.anchors(), &[leaf(below("Other", None))], "a.example").unwrap_err();
    assert!(matches!(error, E::NameConstraintViolated { .. }), "{error:?}");

    let stranger = root.below("stranger");
    let chain = [
        stranger.leaf_with(&["a.example"], |p| p.distinguished_name = below("Own", None)),
        stranger.der.clone(),
    ];
    let error = judge(root.anchors(), &chain, "a.example").unwrap_err();
    let which = Which::Presented { index: 1, subject: Some("CN=stranger".to_owned()) };
    assert_eq!(error, E::NameConstraintViolated { which });
}

/// A dNSName and a directoryName, which rcgen does not write.
fn alternative_names(directory: &DistinguishedName) -> CustomExtension {
    let mut attributes = Vec::new();
    for (kind, value) in directory.iter() {
        let oid: &[u8] = match kind {
            DnType::OrganizationName => &[0x55, 4, 10],
            _ => &[0x55, 4, 3],
        };
        let DnValue::Utf8String(text) = value else { panic!("{value:?}") };
        let attribute = [tlv(6, oid), tlv(0x0c, text.as_bytes())].concat();
        attributes.extend(tlv(0x31, &tlv(0x30, &attribute)));
    }
    let names = [tlv(0x82, b"a.example"), tlv(0xa4, &tlv(0x30, &attributes))].concat();
    CustomExtension::from_oid_content(&[2, 5, 29, 17], tlv(0x30, &names))
}

/// An address in the subject is constrained where there are no alternative names (RFC 5280 section 4.2.1.10).
#[test]
fn threat_90_addresses_in_subjects_are_constrained() {
    let address = DnType::CustomDnType(vec![1, 2, 840, 113_549, 1, 9, 1]);
    let root = Authority::root_with("root", |p| {
        let mut constraints = constrained(&[below("Own", None)], &[]).unwrap();
        constraints.permitted_subtrees.push(GeneralSubtree::Rfc822Name("example.org".to_owned()));
        p.name_constraints = Some(constraints);
    });
    for (names, with_address, good) in
        [(&[][..], true, false), (&[], false, true), (&["a.example"], true, true)]
    {
        let leaf = root.leaf_with(names, |p| {
            p.distinguished_name = below("Own", None);
            if with_address {
                p.distinguished_name
                    .push(address.clone(), DnValue::Ia5String("x@example.com".try_into().unwrap()));
            }
        });
        let verdict = Policy::new(root.anchors()).verify(&[leaf], Expected::Client, now()).map(|_| ());
        match verdict {
            Ok(()) => assert!(good, "{names:?}"),
            Err(E::NameConstraintViolated { .. }) => assert!(!good, "{names:?}"),
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// The reason is not hidden behind another certificate with the authority's name (PKITS 4.13.28).
#[test]
fn a_constraint_is_told_beside_a_self_issued_certificate_of_the_same_name() {
    let root = Authority::root("root");
    let constrain = |p: &mut CertificateParams| {
        let dns = vec![GeneralSubtree::DnsName("good.example".to_owned())];
        p.name_constraints = Some(NameConstraints { permitted_subtrees: dns, excluded_subtrees: vec![] });
    };
    let old = root.below_with("middle", constrain);
    let new = Authority::root("middle");
    let new_with_old = old.cross_sign(&new, "middle");
    let chain = [new.leaf(&["bad.example"]), new_with_old, old.der.clone()];
    let error = judge(root.anchors(), &chain, "bad.example").unwrap_err();
    assert!(matches!(error, E::NameConstraintViolated { .. }), "{error:?}");
}

/// Constraints on other names, beside those on directory names, stay in force.
#[test]
fn threat_90_constraints_of_both_kinds_count() {
    let root = Authority::root_with("root", |p| {
        let mut constraints = constrained(&[below("Own", None)], &[]).unwrap();
        constraints.permitted_subtrees.push(GeneralSubtree::DnsName("good.example".to_owned()));
        p.name_constraints = Some(constraints);
    });
    let own = |p: &mut CertificateParams| p.distinguished_name = below("Own", None);
    judge(root.anchors(), &[root.leaf_with(&["good.example"], own)], "good.example").unwrap();
    for (names, change) in [(["bad.example"], true), (["good.example"], false)] {
        let leaf = root.leaf_with(&names, |p| {
            if change {
                own(p);
            }
        });
        let error = judge(root.anchors(), &[leaf], names[0]).unwrap_err();
        assert!(matches!(error, E::NameConstraintViolated { .. }), "{error:?}");
    }
    // An alternative name of its own kind is no way around them, nor is a common name.
    let leaf = root.leaf_with(&[], |p| {
        p.distinguished_name = below("Own", Some("bad.example"));
        p.subject_alt_names = Vec::<SanType>::new();
    });
    let name = ServerName::try_from("bad.example").unwrap();
    let policy = Policy::new(root.anchors()).allow_common_name(true);
    let error = policy.verify(&[leaf], Expected::Server(&name), now()).unwrap_err();
    assert!(matches!(error, E::NameConstraintViolated { .. }), "{error:?}");
}
