//! One identity per kind of key, made once per process.

use std::sync::OnceLock;

use rcgen::KeyPair;

use crate::identity::Identity;
use crate::interop::KeyKind;

/// The identity with a key of this kind: the ECDSA ones directly under their root, the others with an intermediate.
pub fn identity(kind: KeyKind) -> &'static Identity {
    static P384: OnceLock<Identity> = OnceLock::new();
    match kind {
        KeyKind::P256 => Identity::p256(),
        KeyKind::P384 => P384.get_or_init(|| {
            Identity::direct(&KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).expect("a key"))
        }),
        KeyKind::Rsa2048 => Identity::rsa_chain(),
        KeyKind::Ed25519 => Identity::ed25519_chain(),
    }
}
