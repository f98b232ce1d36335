//! Certificates and configurations for the tests: made once per process, shared by all scenarios.

use std::sync::{Arc, OnceLock};

use drystone_handshake::{
    ClientConfig, Credential, Credentials, FromRng, ProtocolVersion, ServerConfig, Settings, crypto,
};
use drystone_x509::{CertificateDer, Policy, PrivateKeyDer, TrustAnchors};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls_pki_types::ServerName;

/// The name in every server certificate.
pub const NAME: &str = "server.test";

/// [`NAME`] as clients expect it.
pub fn name() -> ServerName<'static> {
    ServerName::try_from(NAME).expect("a DNS name")
}

/// A leaf with its chain, its key and the root that signed it.
#[derive(Debug)]
pub struct Identity {
    /// Leaf first; without the root.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's key.
    pub key: PrivateKeyDer<'static>,
    /// The trust anchor.
    pub root: CertificateDer<'static>,
}

impl Identity {
    /// A leaf under an intermediate under a root, all with this key: only their sizes matter.
    pub fn with_intermediate(key: fn() -> KeyPair) -> Self {
        let root = CertifiedIssuer::self_signed(authority("drystone test root"), key()).expect("a root");
        let intermediate = CertifiedIssuer::signed_by(authority("drystone test intermediate"), key(), &root)
            .expect("an intermediate");
        let leaf_key = key();
        let leaf = leaf_params().signed_by(&leaf_key, &intermediate).expect("a leaf");
        Self {
            chain: vec![leaf.der().clone(), intermediate.der().clone()],
            key: private_key(&leaf_key),
            root: root.der().clone(),
        }
    }

    /// An Ed25519 leaf under an intermediate, from a fixed key: the same bytes in every run.
    pub fn ed25519_chain() -> &'static Self {
        static IDENTITY: OnceLock<Identity> = OnceLock::new();
        IDENTITY.get_or_init(|| Self::with_intermediate(ed25519_key))
    }

    /// An RSA-2048 leaf under an intermediate, from a fixed key: the same bytes in every run.
    pub fn rsa_chain() -> &'static Self {
        static IDENTITY: OnceLock<Identity> = OnceLock::new();
        IDENTITY.get_or_init(|| Self::with_intermediate(rsa_key))
    }

    /// A leaf under a root.
    pub fn direct(leaf_key: &KeyPair) -> Self {
        Self::signed_by(leaf_key, new_key())
    }

    /// A leaf under a root with this key.
    pub fn signed_by(leaf_key: &KeyPair, root_key: KeyPair) -> Self {
        let root = CertifiedIssuer::self_signed(authority("drystone test root"), root_key).expect("a root");
        let leaf = leaf_params().signed_by(leaf_key, &root).expect("a leaf");
        Self { chain: vec![leaf.der().clone()], key: private_key(leaf_key), root: root.der().clone() }
    }

    /// A P-256 leaf under a P-256 root, made once.
    pub fn p256() -> &'static Self {
        static IDENTITY: OnceLock<Identity> = OnceLock::new();
        IDENTITY.get_or_init(|| Self::direct(&new_key()))
    }

    /// The credential.
    pub fn credential(&self) -> Credential {
        Credential::new(self.chain.clone(), &self.key).expect("the key fits the certificate")
    }

    /// A policy that trusts this identity's root.
    pub fn policy(&self) -> Policy {
        let mut anchors = TrustAnchors::new();
        anchors.add(self.root.clone()).expect("a root");
        Policy::new(anchors)
    }
}

/// Settings with ring and the operating system's random numbers, for DTLS 1.2 alone.
pub fn settings() -> Settings {
    settings_of(ProtocolVersion::DTLS_1_2)
}

/// Settings for one version.
pub fn settings_of(version: ProtocolVersion) -> Settings {
    only(version, settings_of_both())
}

/// These settings, for one version.
pub fn only(version: ProtocolVersion, mut settings: Settings) -> Settings {
    settings.min_version = version;
    settings.max_version = version;
    settings
}

/// Settings for both versions.
pub fn settings_of_both() -> Settings {
    Settings::new(crypto::ring::provider(), FromRng(getrandom::SysRng))
}

/// A client that trusts `identity`'s root.
pub fn client_config(settings: Settings, identity: &Identity) -> Arc<ClientConfig> {
    Arc::new(ClientConfig::new(settings, identity.policy()).expect("settings that work"))
}

/// A server that presents `identity`.
pub fn server_config(settings: Settings, identity: &Identity) -> Arc<ServerConfig> {
    let credentials = Credentials::single(identity.credential());
    Arc::new(ServerConfig::new(settings, credentials).expect("settings that work"))
}

fn new_key() -> KeyPair {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key")
}

fn ed25519_key() -> KeyPair {
    fixed_key(include_bytes!("../../vectors/keys/ed25519.pkcs8.der"), &rcgen::PKCS_ED25519)
}

fn rsa_key() -> KeyPair {
    fixed_key(include_bytes!("../../vectors/keys/rsa2048.pkcs8.der"), &rcgen::PKCS_RSA_SHA256)
}

fn fixed_key(pkcs8: &'static [u8], algorithm: &'static rcgen::SignatureAlgorithm) -> KeyPair {
    KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8.into(), algorithm).expect("a key of this kind")
}

fn private_key(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::try_from(key.serialize_der()).expect("a PKCS#8 key")
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf_params() -> CertificateParams {
    let mut params = CertificateParams::new(vec![NAME.to_owned()]).expect("parameters");
    params.distinguished_name.push(rcgen::DnType::CommonName, NAME);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params
}
