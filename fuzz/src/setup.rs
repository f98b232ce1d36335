//! What the first bytes of a script choose: the configurations of both ends.

use std::sync::Arc;
use std::task::Poll;

use drystone_handshake::crypto::{Side, SigningError, SigningKey};
use drystone_handshake::{
    ClientAuth, ClientConfig, Credential, CredentialOffer, CredentialResolver, Credentials,
    DangerouslyAcceptAnyCertificate, FirstKeyShare, PeerCertificates, PeerVerifier, ProtocolVersion,
    ServerConfig, Settings, SignatureScheme, SrtpProfile, VerifyError,
};
use drystone_tests::null::{self, Integrity};
use rustls_pki_types::SubjectPublicKeyInfoDer;

use crate::Input;
use crate::wire::Form;

/// The choices.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// What the record protection notices.
    pub integrity: Integrity,
    /// Whether the server asks for a cookie.
    pub cookie: bool,
    /// Whether the server asks for a certificate, and refuses a client that has none.
    client_auth: Option<bool>,
    client_credential: bool,
    /// Whether each call-out is answered by an operation of the script.
    pub later: bool,
    alert_grace: bool,
    extensions: bool,
    record_size_limit: bool,
    small_mtu: bool,
    versions: Versions,
    /// Whether there is a group whose shares fill more than a datagram; in DTLS 1.3 the server has no other.
    large_group: bool,
    /// Whether the client's first hello has that share already; otherwise it is asked for it.
    first_share_is_large: bool,
}

/// What the two ends speak: always something that both do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Versions {
    Only12,
    Only13,
    Both,
    /// A client of both before a server of DTLS 1.2.
    ServerOf12,
}

impl Versions {
    fn of(bits: u16) -> Self {
        match bits & 3 {
            0 => Self::Only12,
            1 => Self::Only13,
            2 => Self::Both,
            _ => Self::ServerOf12,
        }
    }

    /// The lowest and the highest of one end.
    fn range(self, side: Side) -> [ProtocolVersion; 2] {
        const OLD: ProtocolVersion = ProtocolVersion::DTLS_1_2;
        const NEW: ProtocolVersion = ProtocolVersion::DTLS_1_3;
        match (self, side) {
            (Self::Only12, _) | (Self::ServerOf12, Side::Server) => [OLD, OLD],
            (Self::Only13, _) => [NEW, NEW],
            (Self::Both, _) | (Self::ServerOf12, Side::Client) => [OLD, NEW],
        }
    }
}

impl Setup {
    /// The choices of the next two bytes.
    pub fn of(input: &mut Input<'_>) -> Self {
        let bits = input.u16();
        let bit = |bit: u16| bits >> bit & 1 == 1;
        Self {
            integrity: if bit(0) { Integrity::Checked } else { Integrity::Open },
            cookie: !bit(1),
            client_auth: bit(2).then_some(bit(3)),
            client_credential: !bit(4),
            later: bit(5),
            alert_grace: !bit(6),
            extensions: bit(7),
            record_size_limit: bit(8),
            small_mtu: bit(9),
            versions: Versions::of(bits >> 10),
            large_group: bit(12),
            first_share_is_large: bit(13),
        }
    }

    /// The same with a record protection that notices every change.
    pub fn checked(self) -> Self {
        Self { integrity: Integrity::Checked, ..self }
    }

    /// Whether a handshake without an attacker, and with answered call-outs, ends well.
    pub fn can_connect(self) -> bool {
        self.client_auth != Some(true) || self.client_credential
    }

    /// How protected records look.
    pub(crate) fn form(self) -> Form {
        match self.versions {
            Versions::Only12 | Versions::ServerOf12 => Form::Classic,
            Versions::Only13 | Versions::Both => Form::Unified,
        }
    }

    fn settings(self, side: Side) -> Settings {
        let mut settings = null::settings(self.integrity, side as u64 + 1);
        [settings.min_version, settings.max_version] = self.versions.range(side);
        if self.large_group {
            settings.provider.groups.insert(0, null::LARGE_GROUP);
            // The shares of DTLS 1.2 have at most 255 bytes.
            if side == Side::Server && self.form() == Form::Unified {
                settings.groups = Some(vec![null::LARGE_GROUP.name()]);
            }
        }
        if self.first_share_is_large {
            settings.first_key_share = FirstKeyShare::Preferred;
        }
        settings.plaintext_alert_grace = self.alert_grace;
        if self.extensions {
            settings.alpn = vec![b"game".to_vec(), b"chat".to_vec()];
            settings.srtp_profiles = vec![SrtpProfile::AEAD_AES_128_GCM, SrtpProfile::AES128_CM_HMAC_SHA1_80];
        }
        settings.record_size_limit = self.record_size_limit.then_some(64);
        if self.small_mtu {
            settings.mtu = drystone_handshake::MIN_MTU;
        }
        settings
    }

    pub(crate) fn client(self) -> Arc<ClientConfig> {
        let settings = self.settings(Side::Client);
        let config = match self.later {
            true => ClientConfig::new(settings, Later),
            false => ClientConfig::new(settings, DangerouslyAcceptAnyCertificate),
        };
        let config = config.expect("settings that work");
        Arc::new(match (self.client_credential, self.later) {
            (false, _) => config,
            (true, false) => config.with_credentials(Credentials::new(vec![null::credential()])),
            (true, true) => config.with_credentials(Later),
        })
    }

    pub(crate) fn server(self) -> Arc<ServerConfig> {
        let settings = self.settings(Side::Server);
        let config = match self.later {
            true => ServerConfig::new(settings, Later),
            false => ServerConfig::new(settings, Credentials::new(vec![null::credential()])),
        };
        let verifier: Arc<dyn PeerVerifier> = match self.later {
            true => Arc::new(Later),
            false => Arc::new(DangerouslyAcceptAnyCertificate),
        };
        let client_auth = match self.client_auth {
            None => ClientAuth::None,
            Some(false) => ClientAuth::Request(verifier),
            Some(true) => ClientAuth::Require(verifier),
        };
        let config = config.expect("settings that work").with_client_auth(client_auth);
        Arc::new(match self.amplification_limit() {
            Some(times) => config.with_amplification_limit(times).expect("a server of DTLS 1.3 alone"),
            None => config,
        })
    }

    /// What a server that asks for no cookie may send, times what it received: in DTLS 1.3 alone there is such a limit.
    pub(crate) fn amplification_limit(self) -> Option<u32> {
        (self.versions == Versions::Only13).then_some(3)
    }
}

/// Answers every call-out later.
#[derive(Debug)]
struct Later;

impl PeerVerifier for Later {
    fn verify(&self, _: &PeerCertificates<'_>) -> Poll<Result<(), VerifyError>> {
        Poll::Pending
    }
}

impl CredentialResolver for Later {
    fn resolve(&self, _: &CredentialOffer<'_>) -> Poll<Option<Arc<Credential>>> {
        Poll::Pending
    }
}

impl SigningKey for Later {
    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        None
    }

    fn schemes(&self) -> &[SignatureScheme] {
        &[SignatureScheme::ED25519]
    }

    fn sign(&self, _: SignatureScheme, _: &[u8]) -> Poll<Result<Vec<u8>, SigningError>> {
        Poll::Pending
    }
}

/// A credential whose key signs later.
pub(crate) fn later_credential() -> Arc<Credential> {
    let chain = null::credential().chain().to_vec();
    Arc::new(Credential::with_signer(chain, Arc::new(Later)).expect("a leaf that can be read"))
}
