//! What the fuzz targets found, once each, as the shortest story that shows it.

use core::task::Poll;
use core::time::Duration;
use std::sync::Arc;

use drystone_handshake::{
    AlertDescription, Answer, ClientAuth, ClientConfig, CloseReason, Credentials, Discard, Error, Event,
    Instant, Misuse, PeerCertificates, PeerVerifier, ProtocolVersion, Request, ServerConfig, VerifyError,
};
use drystone_tests::deterministic::{identity, settings};
use drystone_tests::identity::{client_config, name, server_config};
use drystone_tests::link::{Direction, Link, LinkSettings};
use drystone_tests::null::{self, Integrity, OPEN_TAG};
use drystone_tests::pair::{Pair, perfect_link};
use drystone_tests::scenario::Variant;

/// `connection_operations`: the round trip is longer than the first timeout, so that the hello goes out twice, and is
/// answered with two cookies, since a second begins between the two. A client that answered both went on with another
/// hello than the server, which failed with an unexpected ClientHello.
#[test]
fn a_second_cookie_for_the_first_hello_comes_too_late() {
    for milliseconds in [450, 700, 900, 1500, 3000] {
        let identity = identity(1);
        let client = client_config(settings(1), &identity);
        let server = server_config(settings(2), &identity);
        let round_trip = Duration::from_millis(milliseconds);
        let link = Link::new(0, LinkSettings { round_trip, ..LinkSettings::perfect() });
        let mut pair = Pair::new(client, server, name(), link);
        assert!(pair.connect(), "{milliseconds} ms: {:?} {:?}", pair.client.events, pair.server.events);
    }
}

/// `server_datagrams`: a peer that broke the protocol after its close_notify ended the association a second time, with a
/// second event.
#[test]
fn an_association_that_is_closed_does_not_fail() {
    let (client, server) = null::configs(ProtocolVersion::DTLS_1_2, Integrity::Open);
    let mut pair = Pair::new(client, server, name(), perfect_link());
    assert!(pair.connect(), "{pair:?}");
    let now = pair.now();
    pair.client.connection().close(now);
    pair.run_for(Duration::from_secs(1));
    assert!(matches!(pair.server.events[..], [Event::Closed(CloseReason::Peer)]), "{:?}", pair.server.events);

    let mut record = vec![22, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 1, 0, 0, 8 + 1 + 16];
    record.extend([9; 8]);
    // A handshake fragment of one byte: authenticated, and no fragment.
    record.push(1);
    record.extend(OPEN_TAG);
    pair.deliver(Direction::ToServer, &mut record);
    pair.flush();
    assert!(matches!(pair.server.events[..], [Event::Closed(CloseReason::Peer)]), "{:?}", pair.server.events);
    assert_eq!(pair.server.connection().error(), None);
    assert_eq!(pair.send(Direction::ToClient, b"late"), Err(Misuse::NotConnected));
}

/// Answers later.
#[derive(Debug)]
struct Later;

impl PeerVerifier for Later {
    fn verify(&self, _: &PeerCertificates<'_>) -> Poll<Result<(), VerifyError>> {
        Poll::Pending
    }
}

/// A pair whose server has just asked the application about the client.
fn pair_at_verification() -> Pair {
    let identity = identity(1);
    let client = ClientConfig::new(settings(1), identity.policy()).unwrap();
    let client = Arc::new(client.with_credentials(Credentials::single(identity.credential())));
    let server = ServerConfig::new(settings(2), Credentials::single(identity.credential())).unwrap();
    let server = Arc::new(server.with_client_auth(ClientAuth::Require(Arc::new(Later))));
    let mut pair = Pair::new(client, server, name(), perfect_link());
    assert!(pair.run_until(Duration::from_secs(1), |pair| !pair.server.events.is_empty()), "{pair:?}");
    pair
}

/// `server_datagrams`, by its seed: while a server waited for the application to trust the client, it threw the client's
/// ChangeCipherSpec away, and with it Finished, which come in the same datagram: each such handshake took a
/// retransmission.
#[test]
fn a_finished_waits_for_the_verdict_on_the_client() {
    let mut pair = pair_at_verification();
    let Some(Event::Request(id, request)) = pair.server.events.pop() else { panic!("{pair:?}") };
    assert!(matches!(*request, Request::PeerVerification { .. }), "{request:?}");
    assert!(!pair.server.is_connected());
    let now = pair.now();
    pair.server.connection().answer(now, id, Answer::PeerVerification(Ok(()))).unwrap();
    assert!(pair.connect(), "{pair:?}");
    assert_eq!(pair.server.connection().stats().get(Discard::UnexpectedChangeCipherSpec), 0);
    // Two round trips of 60 ms for the hellos, and one for the rest.
    assert_eq!(pair.now(), Instant::from_origin(Duration::from_millis(3 * 60)));
}

/// The same, and the verdict is bad.
#[test]
fn a_finished_does_not_stand_in_for_the_verdict() {
    let mut pair = pair_at_verification();
    let Some(Event::Request(id, _)) = pair.server.events.pop() else { panic!("{pair:?}") };
    // The Finished has come, perhaps more than once.
    pair.run_for(Duration::from_secs(2));
    assert!(!pair.server.is_connected() && !pair.client.is_connected());
    let now = pair.now();
    let refused = VerifyError::refused(AlertDescription::ACCESS_DENIED, "a stranger");
    let refusal = Answer::PeerVerification(Err(refused.clone()));
    pair.server.connection().answer(now, id, refusal).unwrap();
    assert_eq!(pair.server.connection().error(), Some(&Error::from(refused)));
}

/// `connection_operations`: flights and ACKs of DTLS 1.3 went beyond the peer's record_size_limit (RFC 8449 section 4). A
/// peer that was connected already failed when such a flight was repeated.
#[test]
fn protected_flights_keep_to_the_record_size_limit() {
    let limited = || {
        let mut settings = drystone_tests::identity::settings_of(ProtocolVersion::DTLS_1_3);
        settings.record_size_limit = Some(64);
        settings
    };
    for seed in 0..40 {
        let (client, server) = Variant::Mutual.configs_with(limited(), limited());
        let link = LinkSettings { mtu: Variant::Mutual.mtu(), ..LinkSettings::lossy(0.1) };
        let mut pair = Pair::new(client, server, name(), Link::new(seed, link));
        assert!(pair.connect(), "{seed}: {:?} {:?}", pair.client.events, pair.server.events);
        pair.run_for(Duration::from_secs(5));
        assert_eq!(
            (pair.client.connection().error(), pair.server.connection().error()),
            (None, None),
            "{seed}"
        );
    }
}
