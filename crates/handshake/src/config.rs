//! Configurations: what both sides share, and what only a client or a server has. Checked once, when built.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use drystone_record::Padding;
use zeroize::Zeroizing;

use crate::credential::CredentialResolver;
use crate::crypto::{CipherSuite, CryptoProvider, KeyExchangeGroup, KeyLogLabel};
use crate::flight::Limits;
use crate::message::registry::{CipherSuiteId, NamedGroup, ProtocolVersion, SignatureScheme, SrtpProfile};
use crate::observe::{KeyLog, Observer};
use crate::random::SecureRandom;
use crate::server::cookie::Cookies;
use crate::signature::key_fits_suite;
use crate::v13::handshake_schemes;
use crate::verify::PeerVerifier;
use crate::{ConfigError, Error};

/// The least MTU: room for every record of the handshake's smallest pieces (RFC 9147 section 4.4 takes 228 bytes of
/// payload as the floor after repeated loss).
pub const MIN_MTU: usize = 228;

/// The most bytes of UDP payload in a datagram: 65,535 without the headers of IPv4 and UDP.
pub(crate) const MAX_MTU: usize = 65_507;

/// The longest deadline of a handshake. Cookies live at least that long.
const MAX_DEADLINE: Duration = Duration::from_secs(24 * 3600);

/// The longest share, in bytes, that a first hello carries without being asked to: with all else that a
/// hello says it stays within one datagram of the usual sizes.
const SMALL_SHARE: usize = 256;

/// The least time until a retransmission.
pub(crate) const MIN_TIMEOUT: Duration = Duration::from_millis(1);

/// The most bytes of plaintext in a record (RFC 5246 section 6.2.1).
pub(crate) const MAX_PLAINTEXT: usize = 1 << 14;

/// Settings that both sides share. Make one with [`Settings::new`], change fields, hand it to a configuration.
///
/// ```
/// use drystone_handshake::{FromRng, Settings, crypto};
///
/// let mut settings = Settings::new(crypto::ring::provider(), FromRng(getrandom::SysRng));
/// settings.alpn = vec![b"game/1".to_vec()];
/// settings.mtu = 1350;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The implementations of the cryptography, in the order of preference.
    pub provider: CryptoProvider,
    /// The source of random bytes.
    pub random: Arc<dyn SecureRandom>,
    /// The lowest version to accept. Default: DTLS 1.2.
    pub min_version: ProtocolVersion,
    /// The highest version to accept. Default: DTLS 1.3.
    pub max_version: ProtocolVersion,
    /// The cipher suites to offer or accept, in the order of preference; `None` takes all of the provider's.
    pub cipher_suites: Option<Vec<CipherSuiteId>>,
    /// The groups to offer or accept, in the order of preference; `None` takes all of the provider's.
    pub groups: Option<Vec<NamedGroup>>,
    /// Which of the groups the first hello of a client has a share for. Default: the first small one.
    pub first_key_share: FirstKeyShare,
    /// Application protocols in the order of preference (RFC 7301); empty means that none is negotiated.
    pub alpn: Vec<Vec<u8>>,
    /// DTLS-SRTP protection profiles in the order of preference (RFC 5764); empty means that none is negotiated.
    pub srtp_profiles: Vec<SrtpProfile>,
    /// The most bytes of plaintext that the peer may put in one record, 64 to 16,384 (RFC 8449); `None` does not
    /// say and takes 16,384.
    pub record_size_limit: Option<u16>,
    /// Whether peers without extended_master_secret are refused in DTLS 1.2 (RFC 7627). Default: true.
    pub require_extended_master_secret: bool,
    /// The most bytes of UDP payload that a datagram may have. Default: 1200; 228 to 65,507.
    pub mtu: usize,
    /// Whether the path is known to carry datagrams of the [MTU](Self::mtu), so that nothing is cut smaller. Default:
    /// false: after the third expiry of a flight's timer its datagrams have at most 508 bytes, after the fifth 228
    /// (RFC 6347 section 4.1.1.1, RFC 9147 section 4.4). Peers that do not join fragments whose bounds change need this.
    pub mtu_is_known: bool,
    /// Whether packets are sent that the path is known not to carry at once, so that IP fragments them. Default: false: they
    /// are refused ([`Connection::max_payload`](crate::Connection::max_payload)). A fragmented packet is lost if one of its
    /// fragments is, and many networks drop all of them.
    pub ip_fragmentation: bool,
    /// How far application data is padded in DTLS 1.3, so that the lengths of records tell less about what is inside
    /// (RFC 9846 section 5.4). Default: not at all. No record grows beyond the [MTU](Self::mtu) or the peer's
    /// record_size_limit; payloads that reach beyond either stay as they are. The handshake is not padded, and DTLS 1.2
    /// has no place for padding: it ignores this.
    ///
    /// ```
    /// use core::num::NonZeroU16;
    /// use drystone_handshake::{FromRng, Padding, Settings, crypto};
    ///
    /// let mut settings = Settings::new(crypto::ring::provider(), FromRng(getrandom::SysRng));
    /// // All packets up to the MTU look alike,
    /// settings.padding = Padding::FULL;
    /// // or their lengths are only told to the next 128 bytes.
    /// settings.padding = Padding::to_multiple_of(NonZeroU16::new(128).expect("not zero"));
    /// ```
    pub padding: Padding,
    /// Whether hellos carry reserved values that every server must ignore (GREASE, RFC 8701). Default: true. Only
    /// clients that offer DTLS 1.3 do so.
    pub grease: bool,
    /// The time until the first retransmission of a flight, doubled for each further one. Default: 400 ms, a
    /// deliberate exception to the 1 s that RFC 6347 section 4.2.4.1 and RFC 9147 section 5.8.2 recommend: games
    /// and calls should not wait a second for one lost datagram. Once the round trip has been measured, flights begin with
    /// 1.5 times of it where that is longer; until then they keep the time that the flight before has come to.
    pub initial_timeout: Duration,
    /// The retransmissions of one flight after which the peer counts as unreachable. Default: 12.
    pub max_retransmissions: u8,
    /// The time after which an unfinished handshake fails; `None` waits as long as retransmissions go on. A server's runs
    /// from the client's first datagram. Default: 30 s; more than zero, and at most a day.
    pub handshake_deadline: Option<Duration>,
    /// Whether a fatal alert in plaintext waits for the next retransmission before it ends the handshake, because
    /// anybody can forge one. Default: true; false obeys it at once.
    pub plaintext_alert_grace: bool,
    /// Whether the peer's chain is kept for the life of the association and not only given in the Connected event.
    /// Default: false.
    pub keep_peer_chain: bool,
    /// Limits on the reassembly of handshake messages.
    pub limits: Limits,
    /// Receives secrets for decrypting captures. Default: none.
    pub key_log: Option<Arc<dyn KeyLog>>,
    /// Sees handshake messages, alerts and ChangeCipherSpec. Default: none.
    pub observer: Option<Arc<dyn Observer>>,
}

impl Settings {
    /// The defaults over these cryptographic implementations and this source of random bytes.
    pub fn new(provider: CryptoProvider, random: impl SecureRandom + 'static) -> Self {
        Self {
            provider,
            random: Arc::new(random),
            min_version: ProtocolVersion::DTLS_1_2,
            max_version: ProtocolVersion::DTLS_1_3,
            cipher_suites: None,
            groups: None,
            first_key_share: FirstKeyShare::default(),
            alpn: Vec::new(),
            srtp_profiles: Vec::new(),
            record_size_limit: None,
            require_extended_master_secret: true,
            mtu: 1200,
            mtu_is_known: false,
            ip_fragmentation: false,
            padding: Padding::NONE,
            grease: true,
            initial_timeout: Duration::from_millis(400),
            max_retransmissions: 12,
            handshake_deadline: Some(Duration::from_secs(30)),
            plaintext_alert_grace: true,
            keep_peer_chain: false,
            limits: Limits::default(),
            key_log: None,
            observer: None,
        }
    }
}

/// Which group a DTLS 1.3 client sends a key share for in its first hello; one share is sent. All groups are listed in
/// any case: a server that prefers another one asks for its share in the HelloRetryRequest that carries the cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FirstKeyShare {
    /// The most preferred group whose share has at most 256 bytes, so that the first hello fits one datagram; the most
    /// preferred group of all if there is none.
    #[default]
    Small,
    /// The most preferred group, however large its share is. With a hybrid group the hello becomes larger than most
    /// datagrams; that spares a round trip only with servers that ask for no cookie.
    Preferred,
}

/// Settings after their check, with suites and groups resolved.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    pub(crate) settings: Settings,
    pub(crate) cipher_suites: Vec<&'static CipherSuite>,
    pub(crate) groups: Vec<&'static dyn KeyExchangeGroup>,
    /// The versions that can be spoken, by preference: a suite of theirs is enabled.
    pub(crate) versions: Vec<ProtocolVersion>,
    /// Those of `groups` that DTLS 1.2 may use.
    pub(crate) groups_12: Vec<&'static dyn KeyExchangeGroup>,
}

impl Common {
    fn new(settings: Settings) -> Result<Self, ConfigError> {
        if !settings.min_version.is_at_most(settings.max_version) {
            return Err(ConfigError::Versions);
        }
        if !(MIN_MTU..=MAX_MTU).contains(&settings.mtu) {
            return Err(ConfigError::Mtu(settings.mtu));
        }
        if settings.initial_timeout < MIN_TIMEOUT {
            return Err(ConfigError::Timeout);
        }
        if settings.handshake_deadline.is_some_and(|deadline| deadline.is_zero() || deadline > MAX_DEADLINE) {
            return Err(ConfigError::Deadline);
        }
        check_limits(&settings.limits)?;
        if let Some(limit) = settings.record_size_limit
            && !(64..=MAX_PLAINTEXT).contains(&usize::from(limit))
        {
            return Err(ConfigError::RecordSizeLimit(limit));
        }
        let alpn_bytes: usize = settings.alpn.iter().map(|name| name.len().saturating_add(1)).sum();
        if settings.alpn.iter().any(|name| name.is_empty() || name.len() > 255) || alpn_bytes > 0xffff {
            return Err(ConfigError::ApplicationProtocol);
        }
        if settings.provider.signature_verifiers.is_empty() {
            return Err(ConfigError::NoSignatureVerifier);
        }
        let cipher_suites = Self::resolve_suites(&settings)?;
        let groups = Self::resolve_groups(&settings)?;
        let mut groups_12 = groups.clone();
        groups_12.retain(|group| group.min_version().is_at_most(ProtocolVersion::DTLS_1_2));
        let can_be_spoken = |version: &ProtocolVersion| {
            cipher_suites.iter().any(|suite| suite.version == *version)
                && groups.iter().any(|group| group.min_version().is_at_most(*version))
        };
        let versions = [ProtocolVersion::DTLS_1_3, ProtocolVersion::DTLS_1_2];
        let versions: Vec<_> = versions.into_iter().filter(can_be_spoken).collect();
        if versions.is_empty() {
            return Err(ConfigError::NoUsableVersion);
        }
        Ok(Self { settings, cipher_suites, groups, groups_12, versions })
    }

    fn resolve_suites(settings: &Settings) -> Result<Vec<&'static CipherSuite>, ConfigError> {
        let provided = &settings.provider.cipher_suites;
        let mut suites: Vec<_> = match &settings.cipher_suites {
            None => provided.to_vec(),
            Some(ids) => ids
                .iter()
                .map(|id| provided.iter().copied().find(|suite| suite.id == *id))
                .collect::<Option<_>>()
                .ok_or(ConfigError::Unsupported("implementation of one of `cipher_suites`"))?,
        };
        suites.retain(|suite| {
            settings.min_version.is_at_most(suite.version) && suite.version.is_at_most(settings.max_version)
        });
        if suites.is_empty() { Err(ConfigError::NoCipherSuite) } else { Ok(suites) }
    }

    fn resolve_groups(settings: &Settings) -> Result<Vec<&'static dyn KeyExchangeGroup>, ConfigError> {
        let provided = &settings.provider.groups;
        let mut groups: Vec<_> = match &settings.groups {
            None => provided.to_vec(),
            Some(names) => names
                .iter()
                .map(|name| provided.iter().copied().find(|group| group.name() == *name))
                .collect::<Option<_>>()
                .ok_or(ConfigError::Unsupported("implementation of one of `groups`"))?,
        };
        groups.retain(|group| group.min_version().is_at_most(settings.max_version));
        if groups.is_empty() { Err(ConfigError::NoGroup) } else { Ok(groups) }
    }

    /// Writes a line of the key log (RFC 9850), if there is one.
    pub(crate) fn log_key(&self, label: KeyLogLabel, client_random: &[u8; 32], secret: &[u8]) {
        if let Some(log) = &self.settings.key_log {
            log.log(label, client_random, secret);
        }
    }

    /// Whether a version may be offered or accepted.
    pub(crate) fn offers(&self, version: ProtocolVersion) -> bool {
        self.versions.contains(&version)
    }

    /// The signature schemes that the peer may use, by preference.
    pub(crate) fn signature_schemes(&self) -> impl Iterator<Item = SignatureScheme> + '_ {
        self.settings.provider.signature_verifiers.iter().map(|verifier| verifier.scheme)
    }

    /// The group whose share the first hello of a client carries.
    pub(crate) fn first_share_group(&self) -> &'static dyn KeyExchangeGroup {
        let small = |group: &&dyn KeyExchangeGroup| group.share_length() <= SMALL_SHARE;
        let chosen = match self.settings.first_key_share {
            FirstKeyShare::Small => self.groups.iter().copied().find(small),
            FirstKeyShare::Preferred => None,
        };
        chosen.or_else(|| self.groups.first().copied()).expect("a configuration without a group is refused")
    }

    /// The group with this name, if it is enabled and DTLS 1.2 may use it.
    pub(crate) fn group_12(&self, name: NamedGroup) -> Option<&'static dyn KeyExchangeGroup> {
        self.groups_12.iter().copied().find(|group| group.name() == name)
    }

    /// The group with this name, if it is enabled.
    pub(crate) fn group(&self, name: NamedGroup) -> Option<&'static dyn KeyExchangeGroup> {
        self.groups.iter().copied().find(|group| group.name() == name)
    }

    /// The enabled suites of a version, by preference.
    pub(crate) fn suites_of(
        &self,
        version: ProtocolVersion,
    ) -> impl Iterator<Item = &'static CipherSuite> + Clone + '_ {
        self.cipher_suites.iter().copied().filter(move |suite| suite.version == version)
    }

    /// The suite with this id, if it is enabled.
    pub(crate) fn cipher_suite(&self, id: CipherSuiteId) -> Option<&'static CipherSuite> {
        self.cipher_suites.iter().copied().find(|suite| suite.id == id)
    }
}

/// What a peer may make us hold is bounded, whatever the settings say.
fn check_limits(limits: &Limits) -> Result<(), ConfigError> {
    let check = |name, given: u64, least, most| {
        let fits = (least..=most).contains(&given);
        if fits { Ok(()) } else { Err(ConfigError::Limit { name, given, least, most }) }
    };
    check("Limits::certificate", limits.certificate.into(), MIN_MESSAGE, MAX_MESSAGE)?;
    check("Limits::other", limits.other.into(), MIN_MESSAGE, MAX_MESSAGE)?;
    check("Limits::messages_ahead", limits.messages_ahead.into(), 0, 64)?;
    check("Limits::pieces", u64::try_from(limits.pieces).unwrap_or(u64::MAX), 1, 4096)
}

/// The least limit on a message: no hello is shorter than 42 bytes.
const MIN_MESSAGE: u64 = 64;

/// The greatest limit on a message: the largest that its length field can say.
const MAX_MESSAGE: u64 = (1 << 24) - 1;

/// What a client needs. Shared by all its connections in an `Arc`.
///
/// It cannot be built without a way to authenticate the server: a [`Policy`](drystone_x509::Policy), a verifier of
/// one's own, or, loudly, [`DangerouslyAcceptAnyCertificate`](crate::DangerouslyAcceptAnyCertificate).
#[derive(Debug)]
#[doc(alias = "SSL_CTX")]
#[doc(alias = "connector")]
pub struct ClientConfig {
    pub(crate) common: Common,
    pub(crate) verifier: Arc<dyn PeerVerifier>,
    pub(crate) credentials: Option<Arc<dyn CredentialResolver>>,
}

impl ClientConfig {
    /// Checks the settings and builds a configuration.
    ///
    /// # Errors
    /// [`ConfigError`] says which setting cannot work and what to change.
    pub fn new(settings: Settings, verifier: impl PeerVerifier + 'static) -> Result<Self, ConfigError> {
        Ok(Self { common: Common::new(settings)?, verifier: Arc::new(verifier), credentials: None })
    }

    /// Presents a certificate to servers that ask for one; without credentials the list sent is empty.
    #[must_use]
    pub fn with_credentials(mut self, credentials: impl CredentialResolver + 'static) -> Self {
        self.credentials = Some(Arc::new(credentials));
        self
    }
}

/// Whether a server asks its clients for certificates.
#[derive(Clone, Debug, Default)]
pub enum ClientAuth {
    /// It does not ask.
    #[default]
    None,
    /// It asks; a client without one is accepted, a bad one is refused.
    Request(Arc<dyn PeerVerifier>),
    /// It asks, and refuses clients without one.
    Require(Arc<dyn PeerVerifier>),
}

impl ClientAuth {
    pub(crate) fn verifier(&self) -> Option<&Arc<dyn PeerVerifier>> {
        match self {
            Self::None => None,
            Self::Request(verifier) | Self::Require(verifier) => Some(verifier),
        }
    }
}

/// The root secret of a server's cookies: 32 random bytes. Wiped when its last copy is dropped, and never printed.
///
/// ```
/// use drystone_handshake::{CookieSecret, CookieSettings};
///
/// # fn from_a_safe_place() -> [u8; 32] { [1; 32] }
/// let mut cookies = CookieSettings::default();
/// // The caller wipes its own copy.
/// cookies.secret = Some(CookieSecret::from(from_a_safe_place()));
/// ```
#[derive(Clone)]
pub struct CookieSecret(Arc<Zeroizing<[u8; 32]>>);

impl CookieSecret {
    /// A fresh one.
    pub(crate) fn draw(settings: &Settings) -> Result<Self, ConfigError> {
        let mut secret = Arc::new(Zeroizing::new([0; 32]));
        // It is the only copy, filled where it lies.
        if let Some(bytes) = Arc::get_mut(&mut secret) {
            settings.random.fill(&mut **bytes).map_err(|_: Error| ConfigError::RandomFailure)?;
        }
        Ok(Self(secret))
    }

    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for CookieSecret {
    fn from(secret: [u8; 32]) -> Self {
        Self(Arc::new(Zeroizing::new(secret)))
    }
}

impl core::fmt::Debug for CookieSecret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CookieSecret").finish_non_exhaustive()
    }
}

/// How a server's cookies are made (rules for servers that share them stand on [`Gate`](crate::Gate)).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CookieSettings {
    /// The root secret; `None` draws a fresh one for this configuration, which all its gates share. Servers that share
    /// an address (or that restart) share the root so that they accept each other's cookies.
    pub secret: Option<CookieSecret>,
    /// How long a cookie is good. At least 60 s and never less than the handshake deadline, whatever is set here; at
    /// most a day.
    pub lifetime: Duration,
    /// How often the key that is derived from the root changes; the present and the previous key are good.
    pub rotation: Duration,
}

impl Default for CookieSettings {
    fn default() -> Self {
        Self { secret: None, lifetime: Duration::from_secs(60), rotation: Duration::from_secs(3600) }
    }
}

/// How a server holds the first hellos that come in pieces ([`PartialHellos`](crate::PartialHellos)). Only servers that
/// accept DTLS 1.3 do: the question of 1.3 needs the whole hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartialHelloSettings {
    /// How many hellos are held at a time; the oldest makes room for a newer one. Default: 64, at most 65,536. With 0
    /// a hello that does not fit one datagram cannot be answered.
    pub places: usize,
    /// Bytes of memory for each. About a seventh is book-keeping; a hello that is longer than the rest is dropped.
    /// Default: 4096, enough for hellos of 3,400 bytes; 1,024 to 65,536.
    pub place_bytes: usize,
    /// How many of them one network may have. Default: 4, at least 1.
    pub places_per_network: usize,
    /// How long an incomplete hello is kept after its last fragment. Default: 20 s: clients whose first timeout is the 1 s
    /// of the RFCs send it again after 1, 3, 7 and 15 s, and the fragments of all attempts count together.
    pub lifetime: Duration,
}

impl Default for PartialHelloSettings {
    fn default() -> Self {
        Self { places: 64, place_bytes: 4096, places_per_network: 4, lifetime: Duration::from_secs(20) }
    }
}

/// What a server needs. Shared by its gate and all its connections in an `Arc`.
#[derive(Debug)]
#[doc(alias = "SSL_CTX")]
#[doc(alias = "acceptor")]
pub struct ServerConfig {
    pub(crate) common: Common,
    pub(crate) credentials: Arc<dyn CredentialResolver>,
    pub(crate) client_auth: ClientAuth,
    pub(crate) cookies: Arc<Cookies>,
    pub(crate) partial_hellos: PartialHelloSettings,
    pub(crate) prefer_client_order: bool,
    pub(crate) amplification_limit: Option<u32>,
}

impl ServerConfig {
    /// Checks the settings and builds a configuration.
    ///
    /// # Errors
    /// [`ConfigError`] says which setting cannot work and what to change.
    pub fn new(
        settings: Settings,
        credentials: impl CredentialResolver + 'static,
    ) -> Result<Self, ConfigError> {
        let common = Common::new(settings)?;
        check_credentials(&credentials, &common)?;
        Ok(Self {
            cookies: Arc::new(Cookies::new(CookieSettings::default(), &common.settings)?),
            common,
            credentials: Arc::new(credentials),
            client_auth: ClientAuth::None,
            partial_hellos: PartialHelloSettings::default(),
            prefer_client_order: false,
            amplification_limit: None,
        })
    }

    /// Asks clients for certificates. Default: [`ClientAuth::None`].
    #[must_use]
    pub fn with_client_auth(mut self, client_auth: ClientAuth) -> Self {
        self.client_auth = client_auth;
        self
    }

    /// How cookies are made.
    ///
    /// # Errors
    /// [`ConfigError::Limit`] if cookies would be good for more than a day, [`ConfigError::RandomFailure`] if there is no
    /// secret and none can be drawn.
    pub fn with_cookies(mut self, cookies: CookieSettings) -> Result<Self, ConfigError> {
        self.cookies = Arc::new(Cookies::new(cookies, &self.common.settings)?);
        Ok(self)
    }

    /// How hellos that come in pieces are held.
    ///
    /// # Errors
    /// [`ConfigError::Limit`] if a setting is beyond its bounds.
    pub fn with_partial_hellos(mut self, partial_hellos: PartialHelloSettings) -> Result<Self, ConfigError> {
        let check = |name, given: usize, least, most| {
            let given = u64::try_from(given).unwrap_or(u64::MAX);
            let fits = (least..=most).contains(&given);
            if fits { Ok(()) } else { Err(ConfigError::Limit { name, given, least, most }) }
        };
        let PartialHelloSettings { places, place_bytes, places_per_network, .. } = partial_hellos;
        check("PartialHelloSettings::places", places, 0, 65_536)?;
        check("PartialHelloSettings::place_bytes", place_bytes, 1024, 65_536)?;
        check("PartialHelloSettings::places_per_network", places_per_network, 1, u64::MAX)?;
        self.partial_hellos = partial_hellos;
        Ok(self)
    }

    /// Chooses suites and groups by the client's order instead of the server's.
    #[must_use]
    pub fn prefer_client_order(mut self, yes: bool) -> Self {
        self.prefer_client_order = yes;
        self
    }

    /// How many times the bytes received may be sent when no cookie is asked for
    /// ([`Connection::server_without_cookie`](crate::Connection::server_without_cookie)), until something protected
    /// arrives. Default: no limit, since the caller vouches for the address. RFC 9147 section 5.1 takes 3.
    ///
    /// A client of DTLS 1.3 earns the rest of a large flight with its ACKs. A client of DTLS 1.2 has nothing to send but
    /// its hello, each time twice as late, and RFC 6347 has no such limit: addresses that nobody vouches for are proved
    /// by cookies there, with a [`Gate`](crate::Gate).
    ///
    /// # Errors
    /// [`ConfigError::AmplificationLimit`] if DTLS 1.2 can be negotiated, [`ConfigError::Limit`] if `times` is zero.
    pub fn with_amplification_limit(mut self, times: u32) -> Result<Self, ConfigError> {
        if self.common.offers(ProtocolVersion::DTLS_1_2) {
            return Err(ConfigError::AmplificationLimit);
        }
        if times == 0 {
            let (name, most) = ("the amplification limit", u32::MAX.into());
            return Err(ConfigError::Limit { name, given: 0, least: 1, most });
        }
        self.amplification_limit = Some(times);
        Ok(self)
    }
}

/// A server must be able to present something, if it is known beforehand what that can be: a key signs in DTLS 1.2 for
/// the suites of its kind, in 1.3 with a scheme that serves handshakes (RFC 9846 section 4.3.3).
fn check_credentials(credentials: &dyn CredentialResolver, common: &Common) -> Result<(), ConfigError> {
    let Some(known) = credentials.known() else { return Ok(()) };
    if known.is_empty() {
        return Err(ConfigError::NoCredential);
    }
    let usable = known.iter().any(|credential| {
        let schemes = || credential.key().schemes().iter().copied();
        common.versions.iter().any(|version| match *version {
            ProtocolVersion::DTLS_1_3 => handshake_schemes(schemes()).next().is_some(),
            _ => common.suites_of(*version).any(|suite| {
                key_fits_suite(credential.kind(), suite.authentication)
                    && schemes().any(|scheme| suite.authentication.admits(scheme))
            }),
        })
    });
    if usable { Ok(()) } else { Err(ConfigError::UnusableCredential) }
}

#[cfg(test)]
mod tests;
