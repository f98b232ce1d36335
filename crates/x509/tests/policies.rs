//! Certificate policies that must be understood (RFC 5280 section 4.2): taken where nobody demands one, refused where one is
//! demanded and missing.

mod chain;

use chain::{Authority, anchors, common_name, now, tlv};
use drystone_x509::{
    CertificateDer, CertificateError as E, Expected, How, Policy, ServerName, Which, certificates_from_pem,
};
use rcgen::{CustomExtension, GeneralSubtree, NameConstraints};

const POLICIES: u64 = 32;
const MAPPINGS: u64 = 33;
const CONSTRAINTS: u64 = 36;
const INHIBIT_ANY: u64 = 54;

fn case(file: &str) -> Vec<CertificateDer<'static>> {
    let path = format!("{}/../../vectors/cases/certificate-policies/{file}", env!("CARGO_MANIFEST_DIR"));
    certificates_from_pem(&std::fs::read(path).unwrap()).unwrap()
}

fn judge(root: &CertificateDer<'static>, chain: &[CertificateDer<'_>], name: &str) -> Result<How, E> {
    let name = ServerName::try_from(name).unwrap();
    let policy = Policy::new(anchors(&[root]));
    policy.verify(chain, Expected::Server(&name), now()).map(|verified| verified.how())
}

fn critical(extension: u64, value: Vec<u8>) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, extension], value);
    extension.set_criticality(true);
    extension
}

/// certificatePolicies with the policies 1.2.n.
fn listed(policies: &[u8]) -> CustomExtension {
    let list: Vec<u8> = policies.iter().flat_map(|policy| tlv(0x30, &tlv(6, &[0x2a, *policy]))).collect();
    critical(POLICIES, tlv(0x30, &list))
}

fn demanded() -> CustomExtension {
    critical(CONSTRAINTS, tlv(0x30, &tlv(0x80, &[0])))
}

#[test]
fn critical_policies_are_taken_and_unknown_extensions_are_not() {
    let root = case("ca.crt").remove(0);
    for file in ["not-critical.crt", "any-policy.crt", "one-policy.crt"] {
        assert_eq!(judge(&root, &case(file), "leaf.example"), Ok(How::Path { intermediates: 0 }), "{file}");
    }
    let error = judge(&root, &case("explicit-policy-missing.crt"), "leaf.example").unwrap_err();
    let which = Which::Presented { index: 0, subject: Some("CN=leaf.example".to_owned()) };
    assert_eq!(error, E::PolicyMissing { which });
    let error = judge(&root, &case("unknown-critical.crt"), "leaf.example").unwrap_err();
    assert!(matches!(error, E::UnsupportedCriticalExtension { .. }), "{error:?}");
}

/// Configured itself, it is taken under every expectation.
#[test]
fn a_configured_leaf_may_have_critical_policies() {
    let leaf = case("one-policy.crt").remove(0);
    assert_eq!(judge(&leaf.clone(), &[leaf], "leaf.example"), Ok(How::ExactCertificate));
}

#[test]
fn a_demanded_policy_must_be_valid_all_along_the_path() {
    let root = Authority::root("root");
    let demanding = root.below_with("demanding", |p| p.custom_extensions = vec![listed(&[1, 2]), demanded()]);
    let chain = |policies: &[u8]| {
        let leaf = demanding.leaf_with(&["a.example"], |p| p.custom_extensions = vec![listed(policies)]);
        [leaf, demanding.der.clone()]
    };
    judge(&root.der, &chain(&[2, 3]), "a.example").unwrap();
    let error = judge(&root.der, &chain(&[3]), "a.example").unwrap_err();
    assert!(matches!(error, E::PolicyMissing { .. }), "{error:?}");
    let said = "a certificate policy is required above certificate 0 (CN=leaf), which has none that is valid";
    assert_eq!(error.to_string(), said);

    // Demanded by the configured authority itself.
    let strict = Authority::root_with("strict", |p| p.custom_extensions = vec![demanded()]);
    let error = judge(&strict.der, &[strict.leaf(&["a.example"])], "a.example").unwrap_err();
    assert!(matches!(error, E::PolicyMissing { .. }), "{error:?}");
}

#[test]
fn mappings_are_refused_only_where_a_policy_is_demanded() {
    let root = Authority::root("root");
    let mapping = |from: u8, to: u8| {
        let pair = [tlv(6, &[0x2a, from]), tlv(6, &[0x2a, to])].concat();
        critical(MAPPINGS, tlv(0x30, &tlv(0x30, &pair)))
    };
    for (demand, good) in [(false, true), (true, false)] {
        let middle = root.below_with("middle", |p| {
            p.custom_extensions = vec![listed(&[1]), mapping(1, 2), critical(INHIBIT_ANY, vec![2, 1, 0])];
            if demand {
                p.custom_extensions.push(demanded());
            }
        });
        let leaf = middle.leaf_with(&["a.example"], |p| p.custom_extensions = vec![listed(&[2])]);
        let verdict = judge(&root.der, &[leaf, middle.der.clone()], "a.example").map(|_| ());
        let which = Which::Presented { index: 1, subject: Some("CN=middle".to_owned()) };
        assert_eq!(verdict, if good { Ok(()) } else { Err(E::UnsupportedPolicyMappings { which }) });
    }
}

#[test]
fn policies_that_cannot_be_read_are_malformed() {
    let root = Authority::root("root");
    for odd in [
        critical(POLICIES, vec![5, 0]),
        critical(CONSTRAINTS, tlv(0x30, &tlv(0x82, &[0]))),
        critical(INHIBIT_ANY, vec![2, 1, 0xff]),
        critical(MAPPINGS, tlv(0x30, &tlv(0x30, &[6, 1, 0x2a]))),
    ] {
        let leaf = root.leaf_with(&["a.example"], |p| p.custom_extensions = vec![odd.clone()]);
        let error = judge(&root.der, &[leaf], "a.example").unwrap_err();
        assert!(matches!(error, E::Malformed { .. }), "{error:?}");
    }
    let twice = root.leaf_with(&["a.example"], |p| p.custom_extensions = vec![listed(&[1]), listed(&[2])]);
    let error = judge(&root.der, &[twice], "a.example").unwrap_err();
    assert!(matches!(error, E::Malformed { .. }), "{error:?}");
}

/// What webpki is shown rewritten is signed as it was presented: no change of any byte goes unnoticed.
#[test]
fn no_changed_byte_of_a_chain_with_policies_is_accepted() {
    let root = Authority::root("root");
    let middle = root.below_with("middle", |p| {
        let permitted_subtrees = vec![GeneralSubtree::DirectoryName(common_name("LEAF"))];
        p.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: vec![] });
        p.custom_extensions = vec![listed(&[1]), demanded()];
    });
    let leaf = middle.leaf_with(&["a.example"], |p| p.custom_extensions = vec![listed(&[1])]);
    let chain = [leaf, middle.der.clone()];
    judge(&root.der, &chain, "a.example").unwrap();
    for (index, certificate) in chain.iter().enumerate() {
        for place in 0..certificate.len() {
            let mut changed = certificate.to_vec();
            changed[place] ^= 0x01;
            let mut chain = chain.clone();
            chain[index] = changed.into();
            assert!(judge(&root.der, &chain, "a.example").is_err(), "byte {place} of {index}");
        }
    }
}

/// Threat 87: thousands of policies in every certificate cost what reading them costs.
#[test]
fn threat_87_many_policies_are_no_tree() {
    let many: Vec<u8> = (0..5000_u16)
        .flat_map(|n| tlv(0x30, &tlv(6, &[0x2a, 0x80 | (n >> 7) as u8, (n & 0x7f) as u8])))
        .collect();
    let many = || critical(POLICIES, tlv(0x30, &many));
    let root = Authority::root("root");
    let middle = root.below_with("middle", |p| p.custom_extensions = vec![many(), demanded()]);
    let leaf = middle.leaf_with(&["a.example"], |p| p.custom_extensions = vec![many()]);
    let name = ServerName::try_from("a.example").unwrap();
    let policy = Policy::new(root.anchors()).max_chain_bytes(1 << 20);
    policy.verify(&[leaf, middle.der], Expected::Server(&name), now()).unwrap();
}
