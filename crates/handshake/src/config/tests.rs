//! Configurations that cannot work, and which share a first hello has.

use core::task::Poll;
use std::string::ToString;
use std::vec;

use super::*;
use crate::credential::{Credential, CredentialOffer, Credentials};
use crate::crypto::{KeyExchangeError, SharedSecret, StartedKeyExchange, ring};
use crate::random::FromRng;

/// A group that is only its data.
#[derive(Debug)]
struct Data(NamedGroup, usize, ProtocolVersion);

impl KeyExchangeGroup for Data {
    fn name(&self) -> NamedGroup {
        self.0
    }

    fn share_length(&self) -> usize {
        self.1
    }

    fn min_version(&self) -> ProtocolVersion {
        self.2
    }

    fn start(&self) -> Result<StartedKeyExchange, KeyExchangeError> {
        Err(KeyExchangeError::RandomFailure)
    }

    fn respond(&self, _: &[u8]) -> Result<(Vec<u8>, SharedSecret), KeyExchangeError> {
        Err(KeyExchangeError::RandomFailure)
    }
}

static HYBRID: Data = Data(NamedGroup::X25519MLKEM768, 1216, ProtocolVersion::DTLS_1_3);
static LARGE: Data = Data(NamedGroup(0xfe02), 257, ProtocolVersion::DTLS_1_2);
static LARGEST_SMALL: Data = Data(NamedGroup(0xfe01), 256, ProtocolVersion::DTLS_1_2);

fn common(
    groups: &[&'static dyn KeyExchangeGroup],
    change: impl FnOnce(&mut Settings),
) -> Result<Common, ConfigError> {
    let mut provider = ring::provider();
    provider.groups = groups.to_vec();
    let mut settings = Settings::new(provider, FromRng(getrandom::SysRng));
    settings.max_version = ProtocolVersion::DTLS_1_3;
    change(&mut settings);
    Common::new(settings)
}

fn first_share(groups: &[&'static dyn KeyExchangeGroup], choice: FirstKeyShare) -> NamedGroup {
    let common = common(groups, |settings| settings.first_key_share = choice).unwrap();
    common.first_share_group().name()
}

/// Whatever cannot work, or bounds nothing, is refused with what to change.
#[test]
fn settings_that_cannot_work_are_refused() {
    let refused = |change: &dyn Fn(&mut Settings)| {
        let error = common(&[ring::X25519], change).unwrap_err();
        assert!(!error.to_string().is_empty());
        error
    };
    let limit = |name, given, least, most| ConfigError::Limit { name, given, least, most };
    let only = |version| {
        move |settings: &mut Settings| (settings.min_version, settings.max_version) = (version, version)
    };
    for mtu in [0, MIN_MTU - 1, MAX_MTU + 1, usize::MAX] {
        assert_eq!(refused(&|settings| settings.mtu = mtu), ConfigError::Mtu(mtu));
    }
    for deadline in [Duration::ZERO, MAX_DEADLINE + Duration::from_nanos(1), Duration::MAX] {
        let change = |settings: &mut Settings| settings.handshake_deadline = Some(deadline);
        assert_eq!(refused(&change), ConfigError::Deadline);
    }
    let most = (1 << 24) - 1;
    let change = |settings: &mut Settings| settings.limits.certificate = u32::MAX;
    assert_eq!(refused(&change), limit("Limits::certificate", u32::MAX.into(), 64, most));
    let change = |settings: &mut Settings| settings.limits.other = 0;
    assert_eq!(refused(&change), limit("Limits::other", 0, 64, most));
    let change = |settings: &mut Settings| settings.limits.messages_ahead = u16::MAX;
    assert_eq!(refused(&change), limit("Limits::messages_ahead", u16::MAX.into(), 0, 64));
    let change = |settings: &mut Settings| settings.limits.pieces = usize::MAX;
    assert_eq!(refused(&change), limit("Limits::pieces", usize::MAX as u64, 1, 4096));
    // Suites of 1.2, and a group that is of 1.3 alone.
    let hybrid: &[&'static dyn KeyExchangeGroup] = &[&HYBRID];
    let change = |settings: &mut Settings| {
        settings.cipher_suites = Some(vec![CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]);
    };
    assert_eq!(common(hybrid, change).unwrap_err(), ConfigError::NoUsableVersion);
    let suites = |settings: &mut Settings| {
        only(ProtocolVersion::DTLS_1_3)(settings);
        change(settings);
    };
    assert_eq!(refused(&suites), ConfigError::NoCipherSuite);
}

fn server_settings() -> Settings {
    Settings::new(ring::provider(), FromRng(getrandom::SysRng))
}

fn credential(key: &rcgen::KeyPair) -> Credential {
    let params = rcgen::CertificateParams::new(vec!["server.test".into()]).unwrap();
    let chain = vec![params.self_signed(key).unwrap().der().clone()];
    let key = rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    Credential::new(chain, &key).unwrap()
}

#[test]
fn a_server_without_a_credential_that_can_work_is_refused() {
    let none = ServerConfig::new(server_settings(), Credentials::new(Vec::new()));
    assert_eq!(none.unwrap_err(), ConfigError::NoCredential);
    let key = |algorithm| rcgen::KeyPair::generate_for(algorithm).unwrap();
    let with = |ids: &[CipherSuiteId], algorithm| {
        let mut settings = server_settings();
        settings.cipher_suites = Some(ids.to_vec());
        ServerConfig::new(settings, Credentials::single(credential(&key(algorithm)))).map(|_| ())
    };
    let ecdsa = CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
    let rsa = CipherSuiteId::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;
    let of_13 = CipherSuiteId::TLS_AES_128_GCM_SHA256;
    let (p256, ed25519) = (&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ED25519);
    assert_eq!(with(&[ecdsa], p256), Ok(()));
    assert_eq!(with(&[ecdsa], ed25519), Ok(()));
    assert_eq!(with(&[rsa], p256), Err(ConfigError::UnusableCredential));
    assert_eq!(with(&[rsa, of_13], p256), Ok(()), "1.3 asks for no kind");
    // One that answers later may bring anything.
    let mut settings = server_settings();
    settings.cipher_suites = Some(vec![rsa]);
    assert!(ServerConfig::new(settings, Later).is_ok());
}

#[derive(Debug)]
struct Later;

impl CredentialResolver for Later {
    fn resolve(&self, _: &CredentialOffer<'_>) -> Poll<Option<Arc<Credential>>> {
        Poll::Pending
    }
}

#[test]
fn a_servers_settings_without_bounds_are_refused() {
    let server = || ServerConfig::new(server_settings(), Later).unwrap();
    let limit = |name, given, least, most| Some(ConfigError::Limit { name, given, least, most });
    let partial = PartialHelloSettings::default;
    let refused = |settings| server().with_partial_hellos(settings).err();
    assert_eq!(refused(partial()), None);
    assert_eq!(refused(PartialHelloSettings { places: 0, ..partial() }), None, "nothing is held");
    let name = "PartialHelloSettings::places";
    let most = usize::MAX as u64;
    assert_eq!(
        refused(PartialHelloSettings { places: usize::MAX, ..partial() }),
        limit(name, most, 0, 65_536)
    );
    let name = "PartialHelloSettings::place_bytes";
    for given in [0, 1023, 65_537] {
        let settings = PartialHelloSettings { place_bytes: given, ..partial() };
        assert_eq!(refused(settings), limit(name, given as u64, 1024, 65_536));
    }
    let name = "PartialHelloSettings::places_per_network";
    assert_eq!(
        refused(PartialHelloSettings { places_per_network: 0, ..partial() }),
        limit(name, 0, 1, u64::MAX)
    );
    let cookies = CookieSettings { lifetime: Duration::MAX, ..CookieSettings::default() };
    let name = "CookieSettings::lifetime";
    assert_eq!(server().with_cookies(cookies).err(), limit(name, u64::MAX, 0, 86_400));
    let mut settings = server_settings();
    settings.min_version = ProtocolVersion::DTLS_1_3;
    let of_13 = ServerConfig::new(settings, Later).unwrap();
    let name = "the amplification limit";
    assert_eq!(of_13.with_amplification_limit(0).err(), limit(name, 0, 1, u32::MAX.into()));
}

#[test]
fn a_cookie_secret_is_not_printed() {
    let secret = CookieSecret::from([0x5a; 32]);
    let cookies = CookieSettings { secret: Some(secret.clone()), ..CookieSettings::default() };
    let printed = std::format!("{cookies:?} {secret:?}").to_lowercase();
    assert!(!printed.contains("90") && !printed.contains("5a"), "{printed}");
    assert_eq!(secret.expose(), &[0x5a; 32]);
}

#[test]
fn the_first_share_is_the_first_small_one() {
    let small = |groups: &[&'static dyn KeyExchangeGroup]| first_share(groups, FirstKeyShare::default());
    assert_eq!(small(&[&HYBRID, ring::SECP256R1, ring::X25519]), NamedGroup::SECP256R1);
    assert_eq!(small(&[&LARGE, &LARGEST_SMALL, ring::X25519]), LARGEST_SMALL.0);
    // Where all are large there is no better choice than the preferred one.
    assert_eq!(small(&[&HYBRID, &LARGE]), NamedGroup::X25519MLKEM768);
}

#[test]
fn the_preferred_share_is_sent_at_once_if_told_so() {
    let preferred = |groups: &[_]| first_share(groups, FirstKeyShare::Preferred);
    assert_eq!(preferred(&[&HYBRID, ring::X25519]), NamedGroup::X25519MLKEM768);
    assert_eq!(preferred(&[ring::X25519, &HYBRID]), NamedGroup::X25519);
}

#[test]
fn dtls_12_has_no_hybrid() {
    let both = common(&[&HYBRID, ring::X25519, ring::SECP384R1], |_| ()).unwrap();
    assert!(both.group(NamedGroup::X25519MLKEM768).is_some());
    assert!(both.group_12(NamedGroup::X25519MLKEM768).is_none());
    assert!(both.group_12(NamedGroup::SECP384R1).is_some());
    let names: Vec<_> = both.groups_12.iter().map(|group| group.name()).collect();
    assert_eq!(names, [NamedGroup::X25519, NamedGroup::SECP384R1]);

    // Where DTLS 1.2 is the highest version it is not even listed.
    let only_12 = |settings: &mut Settings| settings.max_version = ProtocolVersion::DTLS_1_2;
    let old = common(&[&HYBRID, ring::X25519], only_12).unwrap();
    assert_eq!(old.groups.iter().map(|group| group.name()).collect::<Vec<_>>(), [NamedGroup::X25519]);
    let none = common(&[&HYBRID, ring::X25519], |settings| {
        only_12(settings);
        settings.groups = Some(vec![NamedGroup::X25519MLKEM768]);
    });
    assert_eq!(none.err(), Some(ConfigError::NoGroup));
}
