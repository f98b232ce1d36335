//! Servers that ask for no cookie: the caller vouches for the address, and how much may be sent to one that nobody vouches
//! for in DTLS 1.3.

use core::time::Duration;
use std::sync::Arc;

use drystone_handshake::crypto::Side;
use drystone_handshake::{
    AlertDescription, ClientConfig, ConfigError, Credential, Credentials, HandshakeType, ProtocolVersion,
    ServerConfig, Settings,
};
use drystone_record::ContentType;
use drystone_tests::identity::{Identity, name, settings, settings_of, settings_of_both};
use drystone_tests::link::{Link, LinkSettings};
use drystone_tests::pair::Pair;
use drystone_tests::rogue::{CLIENT_STEPS_13, Duel, Rogue, Step, Victim};
use drystone_tests::scenario::{VERSIONS, other_identity};
use drystone_x509::CertificateDer;

/// The usual credential, its chain made longer by certificates that lead nowhere, up to that many bytes.
fn credential_of(bytes: usize) -> Credential {
    let usual = Identity::p256().credential();
    let mut chain: Vec<CertificateDer<'static>> = usual.chain().to_vec();
    let length = |chain: &[CertificateDer<'_>]| chain.iter().map(|one| one.len() + 3).sum::<usize>();
    let further = &other_identity().chain[0];
    while length(&chain) + further.len() < bytes {
        chain.push(further.clone());
    }
    Credential::with_signer(chain, Arc::clone(usual.key())).unwrap()
}

fn pair(settings: impl Fn() -> Settings, chain: usize, link: Link) -> Pair {
    // Chains of any length are taken: what is tried is the way.
    let client = ClientConfig::new(settings(), drystone_handshake::DangerouslyAcceptAnyCertificate).unwrap();
    let server = ServerConfig::new(settings(), Credentials::single(credential_of(chain))).unwrap();
    Pair::new(Arc::new(client), Arc::new(server), name(), link)
}

/// How long the handshake takes.
fn time_of(mut pair: Pair, what: &str) -> Duration {
    assert!(pair.connect(), "{what}: {pair:?}");
    pair.clock.now()
}

fn link(loss: f64, seed: u64) -> Link {
    let settings = LinkSettings { loss_to_server: loss, loss_to_client: loss, ..LinkSettings::perfect() };
    Link::new(seed, settings)
}

/// On a path that loses nothing the handshake is done before the client would repeat its hello, whatever the chain. The
/// server was limited to three times the bytes received in DTLS 1.2 too, so that a chain of 12.6 kB took 14.8 s.
#[test]
fn a_large_flight_goes_out_at_once() {
    for version in VERSIONS {
        for chain in [1_400, 6_800, 12_600] {
            let what = format!("{version}, {chain} bytes");
            let begun = pair(|| settings_of(version), chain, link(0.0, 0)).clock.now();
            let took =
                time_of(pair(|| settings_of(version), chain, link(0.0, 0)).without_cookie(), &what) - begun;
            assert!(took < Duration::from_millis(400), "{what}: {took:?}");
        }
    }
}

/// With loss it is no slower than with a cookie, by the medians of many.
#[test]
fn loss_costs_no_more_than_with_a_cookie() {
    let median = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2]
    };
    for chain in [1_400, 6_800, 12_600] {
        let times = |cookie: bool| {
            let times = (0..60).map(|seed| {
                let pair = pair(|| settings_of(ProtocolVersion::DTLS_1_2), chain, link(0.05, seed));
                let pair = if cookie { pair } else { pair.without_cookie() };
                time_of(pair, &format!("{chain} bytes, seed {seed}"))
            });
            median(times.collect())
        };
        let (with, without) = (times(true), times(false));
        assert!(without <= with, "{chain} bytes: {without:?}, with a cookie {with:?}");
    }
}

/// RFC 9147 section 5.1, where the caller asks for it: an address that nobody vouches for gets three times what came from
/// it, until something protected comes.
#[test]
fn a_limit_of_dtls_13_holds_until_something_protected_comes() {
    let small = || {
        let mut settings = settings_of(ProtocolVersion::DTLS_1_3);
        settings.mtu = 300;
        settings
    };
    let config = ServerConfig::new(small(), Credentials::single(credential_of(6_800))).unwrap();
    let config = Arc::new(config.with_amplification_limit(3).unwrap());
    let rogue = Rogue::new_13(Side::Client, Identity::p256());
    let mut duel = Duel::between(rogue, Victim::server_without_cookie(config));
    let hello = duel.rogue.message(Step::ClientHello).to_bytes();
    let mut received = 0;
    let sent = |duel: &Duel| duel.datagrams.iter().map(Vec::len).sum::<usize>();
    for _ in 0..4 {
        let record = duel.rogue.plaintext(ContentType::HANDSHAKE, &hello);
        received += record.len();
        duel.give(&record);
        assert!(sent(&duel) <= 3 * received, "{} bytes for {received}", sent(&duel));
        duel.pass(Duration::from_millis(250));
        assert!(sent(&duel) <= 3 * received, "{} bytes for {received}", sent(&duel));
    }
    assert!(duel.rogue.last(HandshakeType::FINISHED).is_none());
    // An ACK shows that the address receives: the rest comes with it, ten records at a time (RFC 9147 section 5.8.3).
    for _ in 0..10 {
        duel.acknowledge();
    }
    assert!(sent(&duel) > 3 * received);
    duel.play(&CLIENT_STEPS_13);
    assert!(duel.victim.is_connected(), "{:?}", duel.victim.error());
    duel.talk();
}

/// The end of the handshake proves no address: neither the alert of a failure nor a close_notify goes beyond the limit.
#[test]
fn the_limit_holds_for_the_last_alert_too() {
    let config =
        ServerConfig::new(settings_of(ProtocolVersion::DTLS_1_3), Credentials::single(credential_of(6_800)));
    let config = Arc::new(config.unwrap().with_amplification_limit(3).unwrap());
    for alert in [AlertDescription::CLOSE_NOTIFY, AlertDescription::INTERNAL_ERROR] {
        let rogue = Rogue::new_13(Side::Client, Identity::p256());
        let mut duel = Duel::between(rogue, Victim::server_without_cookie(Arc::clone(&config)));
        let hello = duel.rogue.message(Step::ClientHello).to_bytes();
        let record = duel.rogue.plaintext(ContentType::HANDSHAKE, &hello);
        duel.give(&record);
        duel.pass(Duration::from_secs(5));
        let sent = |duel: &Duel| duel.datagrams.iter().map(Vec::len).sum::<usize>();
        // What is left of the limit is less than any datagram is given.
        let flight = sent(&duel);
        assert!((3 * record.len() - 228..=3 * record.len()).contains(&flight), "{flight}");
        let now = duel.victim.now();
        duel.victim.connection().close_with(now, alert);
        duel.pass(Duration::from_secs(1));
        assert_eq!(sent(&duel), flight, "{alert}");
    }
}

#[test]
fn a_limit_in_dtls_12_is_refused_and_names_cookies() {
    let server = |settings| {
        let credentials = Credentials::single(Identity::p256().credential());
        ServerConfig::new(settings, credentials).unwrap().with_amplification_limit(3)
    };
    for settings in [settings(), settings_of_both()] {
        let error = server(settings).unwrap_err();
        assert_eq!(error, ConfigError::AmplificationLimit);
        assert!(error.to_string().contains("ask for cookies (`Gate`)"), "{error}");
    }
    assert!(server(settings_of(ProtocolVersion::DTLS_1_3)).is_ok());
}
