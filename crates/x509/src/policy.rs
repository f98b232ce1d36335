//! What is demanded of a chain, and the order in which it is checked. It must not know how a path is built.

use alloc::borrow::Cow;
#[cfg(feature = "ring")]
use alloc::string::ToString;
use alloc::sync::Arc;
#[cfg(feature = "ring")]
use alloc::vec::Vec;

use rustls_pki_types::{CertificateDer, ServerName, SignatureVerificationAlgorithm, UnixTime};

use crate::algorithms::DEFAULT_ALGORITHMS;
use crate::anchor::TrustAnchors;
use crate::error::{Algorithm, CertificateError, Usage, Which};
#[cfg(feature = "ring")]
use crate::fingerprint::{Fingerprint, FingerprintError};
use crate::key::{MIN_RSA_BITS, PublicKey};
use crate::path;

/// Which chains to trust. Build it once and share it. One of [fingerprints](Self::fingerprint) trusts certificates without chains.
///
/// # What is checked
///
/// A chain whose leaf is a configured certificate, byte for byte: its dates, usage, critical extensions, key and name. Any
/// other needs a path to a configured authority, which `rustls-webpki` builds and checks by RFC 5280 section 6, with these
/// additions:
///
/// * **Names of issuers** are compared as RFC 5280 section 7.1 says, without regard to string type, letter case and white space.
///   The public web demands equal bytes; private authorities often do not have them. What decides is the signature. Unicode is not
///   normalised, and TeletexString is compared by bytes: then the error says that the name is there in another encoding.
/// * **Name constraints** on DNS names, addresses and directory names are compared. Where a name of another kind (e-mail, URI)
///   meets a constraint of its kind, the chain is refused.
/// * **Certificate policies** may be critical. Nobody asks for a policy here; where an authority demands one, it must be valid all
///   along the path. Policy mappings are not followed: such a path is refused if a policy is demanded.
/// * **Path lengths** do not count self-issued certificates; **key usage** is checked of every issuer and the leaf.
/// * A **configured authority** is held to its dates, path length, extended key usage, name constraints and critical extensions.
///
/// # What is not
///
/// Revocation; key identifiers (the signature decides); serial numbers; the rules of the CA/Browser Forum. Self-issued
/// intermediates are held to name constraints on DNS names and addresses too, where RFC 5280 exempts them. Version 1 is accepted
/// for configured certificates only.
///
/// ```
/// use drystone_x509::{CertificateError, Expected, Policy, ServerName, TrustAnchors, UnixTime};
/// use core::time::Duration;
///
/// let policy = Policy::new(TrustAnchors::new()).max_chain_length(4);
/// let name = ServerName::try_from("example.org").unwrap();
/// let now = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
/// let verdict = policy.verify(&[], Expected::Server(&name), now);
/// assert_eq!(verdict.unwrap_err(), CertificateError::EmptyChain);
/// ```
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) anchors: TrustAnchors,
    pub(crate) algorithms: Cow<'static, [&'static dyn SignatureVerificationAlgorithm]>,
    pub(crate) common_name: CommonName,
    pub(crate) min_rsa_bits: usize,
    max_chain_length: usize,
    max_chain_bytes: usize,
    /// If there are any, the leaf is recognised by them alone.
    #[cfg(feature = "ring")]
    fingerprints: Option<Vec<Fingerprint>>,
}

/// Whose common names count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommonName {
    Never,
    OfConfigured,
    Always,
}

/// Who the peer should be.
#[derive(Clone, Copy, Debug)]
pub enum Expected<'a> {
    /// A server with this DNS name or IP address.
    Server(&'a ServerName<'a>),
    /// A server of any name: **whoever holds any trusted certificate can pose as it**. For configured certificates
    /// of single servers, and for systems without names.
    ServerUnnamed,
    /// A client. Clients have no name to check; the caller reads the certificate.
    Client,
}

impl Expected<'_> {
    pub(crate) fn usage(&self) -> Usage {
        match self {
            Self::Server(_) | Self::ServerUnnamed => Usage::ServerAuth,
            Self::Client => Usage::ClientAuth,
        }
    }

    pub(crate) fn name(&self) -> Option<&ServerName<'_>> {
        match self {
            Self::Server(name) => Some(name),
            Self::ServerUnnamed | Self::Client => None,
        }
    }
}

/// A chain that is trusted.
#[derive(Clone, Debug)]
pub struct Verified {
    pub(crate) how: How,
    pub(crate) anchor_subject: Option<Arc<str>>,
    pub(crate) public_key: PublicKey,
}

/// Why a chain is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum How {
    /// The leaf is a configured certificate, byte for byte.
    ExactCertificate,
    /// The leaf has a fingerprint that is trusted.
    Fingerprint,
    /// A path leads from the leaf to a configured authority.
    Path {
        /// Authorities between the leaf and the configured one.
        intermediates: usize,
    },
}

impl Verified {
    /// Why it is trusted.
    pub fn how(&self) -> How {
        self.how
    }

    /// The subject of the configured certificate that trust comes from, for messages.
    pub fn anchor_subject(&self) -> Option<&str> {
        self.anchor_subject.as_deref()
    }

    /// The key of the leaf. The peer must still prove that it holds it.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }
}

impl Policy {
    /// Trusts `anchors`, with the defaults named at each setter.
    pub fn new(anchors: TrustAnchors) -> Self {
        Self {
            anchors,
            algorithms: Cow::Borrowed(DEFAULT_ALGORITHMS),
            common_name: CommonName::Never,
            min_rsa_bits: MIN_RSA_BITS,
            max_chain_length: 10,
            max_chain_bytes: 64 * 1024,
            #[cfg(feature = "ring")]
            fingerprints: None,
        }
    }

    /// Trusts the peer whose certificate has this fingerprint, and nobody else: WebRTC's way (RFC 8827 section 5), where the
    /// fingerprint came by the signalling channel. Only the kind and size of its key are checked beside: no path, no name, no
    /// dates, no usage.
    ///
    /// ```
    /// use drystone_x509::Policy;
    ///
    /// let from_sdp = "sha-256 \
    ///     12:DF:3E:9A:5B:66:D9:38:40:0C:77:2D:71:0E:08:5F:50:12:DF:3E:9A:5B:66:D9:38:40:0C:77:2D:71:0E:08";
    /// let policy = Policy::fingerprint(from_sdp)?;
    /// # Ok::<(), drystone_x509::FingerprintError>(())
    /// ```
    ///
    /// # Errors
    /// [`FingerprintError`] if the text is none.
    #[cfg(feature = "ring")]
    pub fn fingerprint(text: &str) -> Result<Self, FingerprintError> {
        Ok(Self::fingerprints([text.parse()?]))
    }

    /// Like [`fingerprint`](Self::fingerprint), where one of several must match: of one certificate by several hash functions, or
    /// of several certificates.
    #[cfg(feature = "ring")]
    pub fn fingerprints(fingerprints: impl IntoIterator<Item = Fingerprint>) -> Self {
        let fingerprints = Some(fingerprints.into_iter().collect());
        Self { fingerprints, ..Self::new(TrustAnchors::new()) }
    }

    /// Whether it recognises peers by their fingerprints, so that neither a name nor the date matters.
    pub fn is_of_fingerprints(&self) -> bool {
        #[cfg(feature = "ring")]
        return self.fingerprints.is_some();
        #[cfg(not(feature = "ring"))]
        false
    }

    /// How many certificates a peer may present, the leaf included. Default 10. A path uses at most 6 authorities
    /// below the configured one, whatever this says.
    #[must_use]
    pub fn max_chain_length(mut self, certificates: usize) -> Self {
        self.max_chain_length = certificates;
        self
    }

    /// How many bytes of DER a peer may present, all certificates together. Default 65,536.
    #[must_use]
    pub fn max_chain_bytes(mut self, bytes: usize) -> Self {
        self.max_chain_bytes = bytes;
        self
    }

    /// Whether the common name of the subject counts as the certificate's name where there is no subjectAltName at
    /// all. Default no: RFC 9525 section 2 forbids it, but tools of game engines make such certificates.
    ///
    /// The name must then be equal, letter case apart; no wildcards. An authority with name constraints cannot vouch
    /// for a common name.
    #[must_use]
    pub fn allow_common_name(mut self, allow: bool) -> Self {
        self.common_name = if allow { CommonName::Always } else { CommonName::Never };
        self
    }

    /// Like [`allow_common_name`](Self::allow_common_name), but only for certificates that are configured themselves,
    /// byte for byte: what they say, the user has seen. No authority can vouch for a common name then.
    #[must_use]
    pub fn allow_common_name_of_configured(mut self, allow: bool) -> Self {
        self.common_name = if allow { CommonName::OfConfigured } else { CommonName::Never };
        self
    }

    /// The smallest RSA modulus in bits, for the leaf and for every authority. Default 2048, which is also the least:
    /// lower values count as 2048.
    #[must_use]
    pub fn min_rsa_bits(mut self, bits: usize) -> Self {
        self.min_rsa_bits = bits.max(MIN_RSA_BITS);
        self
    }

    /// The algorithms that certificates may be signed with, and whose kinds of key a leaf may have. Default
    /// [`DEFAULT_ALGORITHMS`].
    ///
    /// They may come from anywhere: what ring does not have (ECDSA with SHA-512, P-521) another library may.
    #[must_use]
    pub fn signature_algorithms(
        mut self,
        algorithms: impl Into<Cow<'static, [&'static dyn SignatureVerificationAlgorithm]>>,
    ) -> Self {
        self.algorithms = algorithms.into();
        self
    }

    /// More algorithms, beside those so far.
    ///
    /// A leaf's own key also signs the handshake; a key of a new kind needs a verifier there too.
    #[must_use]
    pub fn add_signature_algorithms(
        mut self,
        algorithms: impl IntoIterator<Item = &'static dyn SignatureVerificationAlgorithm>,
    ) -> Self {
        self.algorithms.to_mut().extend(algorithms);
        self
    }

    /// What is trusted.
    pub fn anchors(&self) -> &TrustAnchors {
        &self.anchors
    }

    /// Whether to trust `chain` (leaf first, the rest in any order) at `time`.
    ///
    /// This is everything but the proof that the peer holds the leaf's key: check its handshake signature with
    /// [`Verified::public_key`].
    ///
    /// # Errors
    ///
    /// The reason to refuse it; [`CertificateError`] says which wins if there are several.
    pub fn verify(
        &self,
        chain: &[CertificateDer<'_>],
        expected: Expected<'_>,
        time: UnixTime,
    ) -> Result<Verified, CertificateError> {
        let leaf = chain.first().ok_or(CertificateError::EmptyChain)?;
        self.check_limits(chain)?;
        #[cfg(feature = "ring")]
        if let Some(fingerprints) = &self.fingerprints {
            return self.recognise(leaf, fingerprints);
        }
        if let Some(configured) = self.anchors.find(leaf) {
            return crate::identity::verify(self, configured, expected, time);
        }
        path::verify(self, chain, expected, time)
    }

    #[cfg(feature = "ring")]
    fn recognise(
        &self,
        leaf: &CertificateDer<'_>,
        fingerprints: &[Fingerprint],
    ) -> Result<Verified, CertificateError> {
        if !fingerprints.iter().any(|fingerprint| fingerprint.matches(leaf)) {
            let of_leaf = |expected: &Fingerprint| expected.of_another(leaf);
            let presented = fingerprints.first().map_or_else(|| Fingerprint::sha256(leaf), of_leaf);
            return Err(CertificateError::FingerprintMismatch { presented: presented.to_string() });
        }
        let public_key = PublicKey::of_certificate(leaf)?;
        self.check_leaf_key(&public_key, leaf)?;
        Ok(Verified { how: How::Fingerprint, anchor_subject: None, public_key })
    }

    /// Size and kind of the leaf's key, before any arithmetic with it.
    pub(crate) fn check_leaf_key(
        &self,
        key: &PublicKey,
        leaf: &CertificateDer<'_>,
    ) -> Result<(), CertificateError> {
        let (min, which) = (self.min_rsa_bits, || Which::presented(0, leaf));
        key.check_size(min).map_err(|size| size.error(which(), min))?;
        if key.is_supported_by(&self.algorithms) {
            Ok(())
        } else {
            let algorithm = Algorithm::Key { name: key.name() };
            Err(CertificateError::UnsupportedAlgorithm { which: which(), algorithm })
        }
    }

    /// Before anything is parsed.
    fn check_limits(&self, chain: &[CertificateDer<'_>]) -> Result<(), CertificateError> {
        let (count, max) = (chain.len(), self.max_chain_length);
        if count > max {
            return Err(CertificateError::ChainTooLong { count, max });
        }
        let bytes = chain.iter().fold(0, |sum: usize, each| sum.saturating_add(each.len()));
        let max = self.max_chain_bytes;
        if bytes > max {
            return Err(CertificateError::ChainTooLarge { bytes, max });
        }
        Ok(())
    }
}
