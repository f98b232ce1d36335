//! What is left without x509-parser: webpki's paths and names.
#![cfg(not(feature = "std"))]

mod chain;

use chain::{Authority, anchors, now, self_signed};
use drystone_x509::{CertificateError as E, Expected, How, Policy, ServerName, Which};
use rcgen::{BasicConstraints, IsCa};

#[test]
fn paths_and_names_are_checked() {
    let root = Authority::root("root");
    let policy = Policy::new(root.anchors());
    let chain = [root.leaf(&["a.example"])];
    let name = ServerName::try_from("a.example").unwrap();
    let verified = policy.verify(&chain, Expected::Server(&name), now()).unwrap();
    assert_eq!(verified.how(), How::Path { intermediates: 0 });
    let other = ServerName::try_from("b.example").unwrap();
    let error = policy.verify(&chain, Expected::Server(&other), now()).unwrap_err();
    assert!(matches!(error, E::NameMismatch { .. }), "{error:?}");
    let stranger = Policy::new(Authority::root("stranger").anchors());
    let error = stranger.verify(&chain, Expected::Server(&name), now()).unwrap_err();
    assert_eq!(error, E::UnknownIssuer { which: Which::Undetermined, issuer: None });
}

#[test]
fn a_configured_leaf_is_only_what_webpki_can_check() {
    let name = ServerName::try_from("a.example").unwrap();
    let authority = self_signed(&["a.example"], |p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    let policy = Policy::new(anchors(&[&authority]));
    let error = policy.verify(&[authority], Expected::Server(&name), now()).unwrap_err();
    assert!(matches!(error, E::AuthorityAsLeaf { .. }), "{error:?}");
}
