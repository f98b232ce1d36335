//! What the fuzz targets found, once each, as the shortest story that shows it.

use core::time::Duration;

use drystone_handshake::{Event, Misuse};
use drystone_tests::deterministic::{identity, settings};
use drystone_tests::identity::{client_config, name, server_config};
use drystone_tests::link::{Direction, Link, LinkSettings};
use drystone_tests::null::{self, Integrity, OPEN_TAG};
use drystone_tests::pair::{Pair, perfect_link};

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
    let (client, server) = null::configs(Integrity::Open);
    let mut pair = Pair::new(client, server, name(), perfect_link());
    assert!(pair.connect(), "{pair:?}");
    let now = pair.now();
    pair.client.connection().close(now);
    pair.run_for(Duration::from_secs(1));
    assert!(matches!(pair.server.events[..], [Event::Closed]), "{:?}", pair.server.events);

    let mut record = vec![22, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 1, 0, 0, 8 + 1 + 16];
    record.extend([9; 8]);
    // A handshake fragment of one byte: authenticated, and no fragment.
    record.push(1);
    record.extend(OPEN_TAG);
    pair.deliver(Direction::ToServer, &mut record);
    pair.flush();
    assert!(matches!(pair.server.events[..], [Event::Closed]), "{:?}", pair.server.events);
    assert_eq!(pair.server.connection().error(), None);
    assert_eq!(pair.send(Direction::ToClient, b"late"), Err(Misuse::NotConnected));
}
