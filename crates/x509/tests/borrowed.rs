//! Certificates that look alike once they are shown to webpki rewritten: none may borrow the signature of another.

mod chain;

use chain::{Authority, common_name, now, self_signed, tlv};
use drystone_x509::{CertificateDer, CertificateError, Expected, Policy, ServerName};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, GeneralSubtree, IsCa,
    NameConstraints,
};

/// AlgorithmIdentifier of ecdsa-with-SHA256 (RFC 5758 section 3.2).
const ALGORITHM: [u8; 12] = [0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];

/// The same with parameters that it must not have.
const ODD_ALGORITHM: [u8; 14] = [0x30, 12, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2, 5, 0];

fn judge(root: &Authority, chain: &[CertificateDer<'_>]) -> Result<(), CertificateError> {
    let name = ServerName::try_from("a.example").unwrap();
    Policy::new(root.anchors()).verify(chain, Expected::Server(&name), now()).map(drop)
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).rposition(|window| window == from).expect("it is there");
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

/// The certificate as it is signed, with an algorithm behind the signed part that makes webpki pass it over.
fn spoiled(certificate: &CertificateDer<'_>) -> CertificateDer<'static> {
    let content = &certificate[4..];
    tlv(0x30, &replaced(content, &ALGORITHM, &ODD_ALGORITHM)).into()
}

/// A sub-authority that says something which its holder does not like, and bytes that he would rather have there.
struct Attempt {
    limited: Authority,
    own: Vec<u8>,
    wished: Vec<u8>,
    leaf: fn(&Authority) -> Vec<CertificateDer<'static>>,
}

fn attempts(root: &Authority) -> [Attempt; 3] {
    let organization = |name: &str| {
        let mut distinguished = DistinguishedName::new();
        distinguished.push(DnType::OrganizationName, name);
        distinguished
    };
    let no_authority = |p: &mut CertificateParams| p.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let only_acme = |p: &mut CertificateParams| {
        p.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DirectoryName(organization("Acme"))],
            excluded_subtrees: vec![],
        });
    };
    let policy_needed = |p: &mut CertificateParams| {
        let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 36], vec![0x30, 3, 0x80, 1, 0]);
        extension.set_criticality(true);
        p.custom_extensions.push(extension);
    };
    [
        Attempt {
            limited: root.below_with("limited", no_authority),
            own: vec![0x30, 6, 1, 1, 0xff, 2, 1, 0],
            wished: vec![0x30, 6, 1, 1, 0xff, 2, 1, 9],
            leaf: |limited| {
                let further = limited.below("further");
                vec![further.leaf(&["a.example"]), further.der]
            },
        },
        Attempt {
            limited: root.below_with("limited", only_acme),
            own: b"Acme".to_vec(),
            wished: b"Evil".to_vec(),
            leaf: |limited| {
                let mut name = DistinguishedName::new();
                name.push(DnType::OrganizationName, "Evil");
                vec![limited.leaf_with(&["a.example"], |p| p.distinguished_name = name)]
            },
        },
        Attempt {
            limited: root.below_with("limited", policy_needed),
            own: vec![0x30, 3, 0x80, 1, 0],
            wished: vec![0x30, 3, 0x80, 1, 9],
            leaf: |limited| vec![limited.leaf(&["a.example"])],
        },
    ]
}

/// Limits are hidden from webpki and checked here: on the certificate that was signed, not on one that looks like it.
#[test]
fn a_forged_limit_borrows_no_signature() {
    let root = Authority::root("root");
    let junk = self_signed(&[], |p| p.distinguished_name = common_name("junk"));
    for Attempt { limited, own, wished, leaf } in attempts(&root) {
        let real = limited.der.clone();
        let forged = CertificateDer::from(replaced(&real, &own, &wished));
        let chain = leaf(&limited);
        judge(&root, &[&chain[..], std::slice::from_ref(&real)].concat()).expect_err("the limit holds");
        for pair in [
            [spoiled(&real), forged.clone()],
            [forged.clone(), spoiled(&real)],
            [real.clone(), forged.clone()],
            [forged.clone(), real.clone()],
            [spoiled(&forged), real.clone()],
        ] {
            let presented = [&chain[..], &pair, std::slice::from_ref(&junk)].concat();
            judge(&root, &presented).expect_err("nobody has signed the forged limit");
        }
    }
}
