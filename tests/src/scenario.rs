//! What scenarios share: identities beyond the usual one, suites whose keys end soon, and the configurations that the
//! loss tests run in.

use std::sync::{Arc, OnceLock};

use drystone_handshake::crypto::CipherSuite;
use drystone_handshake::{
    CipherSuiteId, ClientAuth, ClientConfig, Credentials, ProtocolVersion, ServerConfig, Settings,
};
use drystone_record::{ConfidentialityLimit, Limits};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls_pki_types::PrivateKeyDer;

use crate::identity::{Identity, NAME, name, settings, settings_of};
use crate::link::{Link, LinkSettings};
use crate::pair::Pair;

/// Both versions, for what is the same in both.
pub const VERSIONS: [ProtocolVersion; 2] = [ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_3];

/// A second identity under another root, made once.
pub fn other_identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| identity_under("another test root"))
}

/// A P-256 identity under a root of this name.
pub fn identity_under(root_name: &str) -> Identity {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.distinguished_name.push(DnType::CommonName, root_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(params, p256_key()).expect("a root");
    let key = p256_key();
    let mut params = CertificateParams::new(vec![NAME.to_owned()]).expect("parameters");
    params.distinguished_name.push(DnType::CommonName, "leaf");
    let leaf = params.signed_by(&key, &root).expect("a leaf");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a PKCS#8 key");
    Identity { chain: vec![leaf.der().clone()], key, root: root.der().clone() }
}

/// A fresh key.
pub fn p256_key() -> KeyPair {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key")
}

/// These settings with this one suite, whose keys last for so much.
///
/// # Panics
/// If the provider does not have the suite.
pub fn with_limits(mut settings: Settings, suite: CipherSuiteId, limits: Limits) -> Settings {
    let suite = settings.provider.cipher_suite(suite).expect("a suite of the provider");
    let CipherSuite { id, version, authentication, aead, mask, hash, hmac, explicit_nonce, .. } = *suite;
    let limited = CipherSuite { id, version, authentication, aead, mask, hash, hmac, explicit_nonce, limits };
    // A provider's suites live as long as the program; a test leaks a few bytes.
    settings.provider.cipher_suites = vec![Box::leak(Box::new(limited))];
    settings
}

/// Keys that last for so many records.
pub fn records(count: u64) -> Limits {
    Limits { confidentiality: ConfidentialityLimit::Records(count), ..Limits::NONE }
}

/// The three settings in which handshakes are tried against every loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// A P-256 leaf under its root; datagrams of 1200 bytes.
    Small,
    /// An RSA leaf with its intermediate; datagrams of 512 bytes.
    Rsa,
    /// Both sides present P-256 certificates; datagrams of 256 bytes.
    Mutual,
}

impl Variant {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Small, Self::Rsa, Self::Mutual];

    /// The largest datagram.
    pub fn mtu(self) -> usize {
        match self {
            Self::Small => 1200,
            Self::Rsa => 512,
            Self::Mutual => 256,
        }
    }

    /// Both configurations.
    pub fn configs(self) -> (Arc<ClientConfig>, Arc<ServerConfig>) {
        self.configs_with(settings(), settings())
    }

    /// Both configurations over these settings.
    pub fn configs_with(
        self,
        mut client: Settings,
        mut server: Settings,
    ) -> (Arc<ClientConfig>, Arc<ServerConfig>) {
        client.mtu = self.mtu();
        server.mtu = self.mtu();
        let identity = if self == Self::Rsa { Identity::rsa_chain() } else { Identity::p256() };
        let mut client = ClientConfig::new(client, identity.policy()).expect("settings that work");
        let credentials = Credentials::single(identity.credential());
        let mut server = ServerConfig::new(server, credentials).expect("settings that work");
        if self == Self::Mutual {
            client = client.with_credentials(Credentials::single(other_identity().credential()));
            server = server.with_client_auth(ClientAuth::Require(Arc::new(other_identity().policy())));
        }
        (Arc::new(client), Arc::new(server))
    }

    /// A pair of DTLS 1.2 over a link with these settings.
    pub fn pair(self, seed: u64, link: LinkSettings) -> Pair {
        self.pair_of(ProtocolVersion::DTLS_1_2, seed, link)
    }

    /// A pair of one version over a link with these settings.
    pub fn pair_of(self, version: ProtocolVersion, seed: u64, mut link: LinkSettings) -> Pair {
        let (client, server) = self.configs_with(settings_of(version), settings_of(version));
        link.mtu = self.mtu();
        Pair::new(client, server, name(), Link::new(seed, link))
    }
}
