//! Credentials: a certificate chain with its signing key, and the choice among several.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Debug;
use core::task::Poll;

use drystone_x509::{CertificateDer, KeyKind, PrivateKeyDer, PublicKey};
use thiserror::Error as ThisError;

#[cfg(feature = "ring")]
use crate::crypto::ring;
use crate::crypto::{CryptoProvider, KeyError, SigningKey};
use crate::message::registry::{NamedGroup, SignatureScheme};

/// A certificate chain and the key that belongs to its leaf.
#[derive(Debug)]
pub struct Credential {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<dyn SigningKey>,
    kind: KeyKind,
}

/// Why a credential cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum CredentialError {
    /// The chain has no certificate.
    #[error("the chain holds no certificate")]
    EmptyChain,
    /// The leaf cannot be read.
    #[error("the certificate cannot be used: {0}")]
    Certificate(drystone_x509::CertificateError),
    /// The private key cannot be used.
    #[error("the private key cannot be used: {0}")]
    Key(#[from] KeyError),
    /// The private key does not belong to the certificate.
    #[error(
        "the private key does not belong to the (first) certificate: give the key of the leaf, and the leaf first"
    )]
    Mismatch,
}

impl Credential {
    /// A credential from a chain (leaf first, then its intermediates) and the leaf's private key. The file of an EC key may
    /// leave out the public key, or have it compressed (RFC 5915 section 3): the leaf has it.
    ///
    /// # Errors
    /// [`CredentialError`] if the chain is empty, the leaf or the key cannot be read, the key's kind or size is not
    /// supported, or the key does not belong to the leaf.
    #[cfg(feature = "ring")]
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: &PrivateKeyDer<'_>,
    ) -> Result<Self, CredentialError> {
        Self::with_provider(&ring::provider(), chain, key)
    }

    /// Like `new`, with the keys of another provider than ring.
    ///
    /// # Errors
    /// [`CredentialError`] if the chain is empty, the leaf or the key cannot be read, the provider does not support the
    /// key's kind or size, or the key does not belong to the leaf.
    pub fn with_provider(
        provider: &CryptoProvider,
        chain: Vec<CertificateDer<'static>>,
        key: &PrivateKeyDer<'_>,
    ) -> Result<Self, CredentialError> {
        let public_key = Self::public_key_of(&chain)?;
        let key = (provider.load_private_key)(key, Some(&public_key)).map_err(|error| match error {
            KeyError::Mismatch => CredentialError::Mismatch,
            error => error.into(),
        })?;
        Self::with_signer(chain, key)
    }

    /// A credential whose key lives elsewhere: in another provider, a hardware module, another process.
    ///
    /// # Errors
    /// [`CredentialError`] if the chain is empty, the leaf cannot be read, or the signer's public key (if it tells
    /// one) is not the leaf's.
    pub fn with_signer(
        chain: Vec<CertificateDer<'static>>,
        key: Arc<dyn SigningKey>,
    ) -> Result<Self, CredentialError> {
        let public_key = Self::public_key_of(&chain)?;
        if key.public_key().is_some_and(|own| own.as_ref() != public_key.spki()) {
            return Err(CredentialError::Mismatch);
        }
        Ok(Self { kind: public_key.kind(), chain, key })
    }

    fn public_key_of(chain: &[CertificateDer<'static>]) -> Result<PublicKey, CredentialError> {
        let leaf = chain.first().ok_or(CredentialError::EmptyChain)?;
        PublicKey::of_certificate(leaf).map_err(CredentialError::Certificate)
    }

    /// The chain, leaf first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The signer.
    pub fn key(&self) -> &Arc<dyn SigningKey> {
        &self.key
    }

    /// What kind of key it is.
    pub(crate) fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The first of the key's schemes that the peer can verify; `None` if it cannot verify signatures of this key.
    pub(crate) fn scheme_for(&self, offer: &CredentialOffer<'_>) -> Option<SignatureScheme> {
        let fits = |scheme: &SignatureScheme| {
            offer.signature_schemes.contains(scheme)
                && (!offer.ecdsa_fixes_curve || self.is_on_curve_of(*scheme))
        };
        self.key.schemes().iter().copied().find(fits).filter(|_| self.curve_is_admitted(offer))
    }

    /// Whether the curve that an ECDSA scheme names in DTLS 1.3 (RFC 9846 section 4.3.3) is the key's.
    fn is_on_curve_of(&self, scheme: SignatureScheme) -> bool {
        match scheme {
            SignatureScheme::ECDSA_SECP256R1_SHA256 => self.kind == KeyKind::EcP256,
            SignatureScheme::ECDSA_SECP384R1_SHA384 => self.kind == KeyKind::EcP384,
            _ => true,
        }
    }

    /// supported_groups also speaks of the curves of certificates in DTLS 1.2: the server's public key MUST be on one of
    /// them (RFC 8422 section 5.3). A list that has none of the curves for signatures is about key exchanges alone:
    /// such a client verifies P-256 signatures all the same, as its signature_algorithms say.
    fn curve_is_admitted(&self, offer: &CredentialOffer<'_>) -> bool {
        const FOR_SIGNATURES: [NamedGroup; 3] =
            [NamedGroup::SECP256R1, NamedGroup::SECP384R1, NamedGroup::SECP521R1];
        self.curve_is_named(offer)
            || offer.curves.is_none_or(|groups| !groups.iter().any(|group| FOR_SIGNATURES.contains(group)))
    }

    fn curve_is_named(&self, offer: &CredentialOffer<'_>) -> bool {
        let Some(groups) = offer.curves else { return true };
        match self.kind {
            KeyKind::EcP256 => groups.contains(&NamedGroup::SECP256R1),
            KeyKind::EcP384 => groups.contains(&NamedGroup::SECP384R1),
            _ => true,
        }
    }
}

/// What the peer asks of a credential.
#[derive(Clone, Copy, Debug)]
pub struct CredentialOffer<'a> {
    /// The name that the client asked for (server_name); `None` if it named none, and where a client chooses.
    pub server_name: Option<&'a str>,
    /// The schemes that the peer can verify and that fit a common cipher suite, in the peer's order.
    pub signature_schemes: &'a [SignatureScheme],
    /// The curves that the peer knows, where it said so (supported_groups of a client of DTLS 1.2).
    pub curves: Option<&'a [NamedGroup]>,
    /// Whether an ECDSA scheme also stands for a curve, as in DTLS 1.3 (RFC 9846 section 4.3.3). In DTLS 1.2 it does not: a
    /// P-384 key may sign with ecdsa_secp256r1_sha256.
    pub ecdsa_fixes_curve: bool,
    /// The distinguished names (DER) of the authorities that the peer trusts; empty if it named none, as clients of DTLS
    /// 1.2 cannot.
    pub authorities: &'a [&'a [u8]],
}

/// Chooses a credential for a peer.
pub trait CredentialResolver: Send + Sync + Debug {
    /// The credential to present: `Ready(None)` means none (a server then refuses with handshake_failure, a client
    /// sends an empty certificate list). `Pending` means that the answer comes later through
    /// [`Connection::answer`](crate::Connection::answer).
    fn resolve(&self, offer: &CredentialOffer<'_>) -> Poll<Option<Arc<Credential>>>;

    /// All credentials that can ever come of it, if they are known beforehand: a server's configuration is refused if
    /// none of them can work. Default: `None`, they are not.
    fn known(&self) -> Option<&[Arc<Credential>]> {
        None
    }
}

/// A fixed list of credentials: the first that the peer can verify is presented, those on curves that it names
/// before others.
#[derive(Debug, Default)]
pub struct Credentials(Vec<Arc<Credential>>);

impl Credentials {
    /// A list of one.
    pub fn single(credential: Credential) -> Self {
        Self(alloc::vec![Arc::new(credential)])
    }

    /// A list in the order of preference.
    pub fn new(credentials: Vec<Arc<Credential>>) -> Self {
        Self(credentials)
    }

    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl CredentialResolver for Credentials {
    fn resolve(&self, offer: &CredentialOffer<'_>) -> Poll<Option<Arc<Credential>>> {
        let verifiable = || self.0.iter().filter(|credential| credential.scheme_for(offer).is_some());
        let best =
            verifiable().find(|credential| credential.curve_is_named(offer)).or_else(|| verifiable().next());
        Poll::Ready(best.cloned())
    }

    fn known(&self) -> Option<&[Arc<Credential>]> {
        Some(&self.0)
    }
}
