//! Peers that vanish: the idle time-out of an association, and what counts as a sign of life.

use core::time::Duration;

use drystone_handshake::{CloseReason, Event, Instant};
use drystone_tests::identity::{Identity, client_config, name, server_config, settings_of};
use drystone_tests::link::Direction;
use drystone_tests::pair::{End, Pair, perfect_link};
use drystone_tests::rogue::Duel;
use drystone_tests::scenario::VERSIONS;

const TIMEOUT: Duration = Duration::from_secs(600);

/// A connected pair of each version whose last flights are forgotten: nothing of the handshake is left to be done.
fn quiet_pairs() -> impl Iterator<Item = Pair> {
    VERSIONS.into_iter().map(|version| {
        let client = client_config(settings_of(version), Identity::p256());
        let server = server_config(settings_of(version), Identity::p256());
        let mut pair = Pair::new(client, server, name(), perfect_link());
        assert!(pair.connect());
        pair.run_for(Duration::from_secs(300));
        pair
    })
}

fn silence(end: &mut End, now: Instant) -> Duration {
    now - end.connection().last_received().expect("a connected association has heard its peer")
}

fn is_closed_for(end: &End, reason: CloseReason) -> bool {
    matches!(end.events[..], [Event::Closed(told)] if told == reason)
}

/// The silent side's network is away, so that nobody hears of the end.
#[test]
fn a_vanished_peer_is_noticed_after_the_idle_timeout() {
    for mut pair in quiet_pairs() {
        pair.echoes();
        let now = pair.now();
        let heard = pair.server.connection().last_received().unwrap();
        assert!(now - heard <= Duration::from_secs(1));
        pair.server.connection().set_idle_timeout(Some(TIMEOUT));
        pair.client.connection = None;
        pair.run_for(TIMEOUT - (now - heard) - Duration::from_micros(1));
        assert!(pair.server.is_connected(), "not early");
        let sent = pair.server.datagrams;
        pair.run_for(Duration::from_micros(1));
        assert!(is_closed_for(&pair.server, CloseReason::IdleTimeout(TIMEOUT)), "{:?}", pair.server.events);
        assert!(pair.server.connection().is_closed() && pair.server.connection().error().is_none());
        assert_eq!((pair.server.datagrams, pair.server.connection().poll_timeout()), (sent + 1, None));
    }
}

/// close_notify reaches a peer that was there all the time.
#[test]
fn the_end_is_told_to_the_peer() {
    for mut pair in quiet_pairs() {
        pair.client.connection().set_idle_timeout(Some(Duration::from_secs(1)));
        pair.run_for(Duration::from_secs(1));
        assert!(is_closed_for(&pair.client, CloseReason::IdleTimeout(Duration::from_secs(1))));
        assert!(is_closed_for(&pair.server, CloseReason::Peer));
    }
}

#[test]
fn without_a_timeout_nothing_ends() {
    for mut pair in quiet_pairs() {
        pair.run_for(Duration::from_secs(1_000_000));
        pair.echoes();
        // It may be set and lifted again while connected.
        pair.client.connection().set_idle_timeout(Some(TIMEOUT));
        pair.run_for(TIMEOUT / 2);
        pair.client.connection().set_idle_timeout(None);
        pair.run_for(2 * TIMEOUT);
        pair.echoes();
    }
}

/// Packets in one direction alone keep both of its ends: the sender's are authenticated by the receiver, and the
/// receiver's ACKs and answers are not needed for that.
#[test]
fn each_packet_starts_the_timeout_anew() {
    for mut pair in quiet_pairs() {
        pair.server.connection().set_idle_timeout(Some(TIMEOUT));
        for _ in 0..10 {
            pair.send(Direction::ToServer, b"").unwrap();
            pair.run_for(TIMEOUT - Duration::from_secs(1));
        }
        assert!(pair.server.is_connected());
        let now = pair.now();
        assert!(silence(&mut pair.client, now) > 9 * TIMEOUT, "nothing was sent to the client");
        pair.run_for(Duration::from_secs(2));
        assert!(is_closed_for(&pair.server, CloseReason::IdleTimeout(TIMEOUT)));
    }
}

/// A KeyUpdate and its ACK, a warning: authentic records of every type are signs of life.
#[test]
fn every_authenticated_record_is_a_sign_of_life() {
    for mut duel in Duel::usual_connected_13() {
        let begin = duel.victim.now();
        duel.pass(Duration::from_secs(10));
        duel.update_rogue();
        assert_eq!(duel.victim.connection().last_received(), Some(duel.victim.now()));
        assert!(duel.victim.now() - begin >= Duration::from_secs(10));
        duel.pass(Duration::from_secs(10));
        let warning = duel.rogue.alert(1, 90);
        duel.give(&warning);
        assert_eq!(duel.victim.connection().last_received(), Some(duel.victim.now()));
    }
}

/// Nobody without the keys keeps an association alive, or renews it.
#[test]
fn forged_and_replayed_records_are_no_sign_of_life() {
    for mut duel in Duel::usual_connected() {
        let data = duel.rogue.data(b"once");
        duel.give(&data);
        let heard = duel.victim.connection().last_received();
        duel.pass(Duration::from_secs(10));
        let mut forged = duel.rogue.data(b"forged");
        *forged.last_mut().unwrap() ^= 1;
        let plaintext = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 1, 0];
        for datagram in [&data[..], &forged, &plaintext] {
            duel.give(datagram);
        }
        assert_eq!(duel.victim.connection().last_received(), heard);
        duel.victim.connection().set_idle_timeout(Some(Duration::from_secs(5)));
        duel.pass(Duration::ZERO);
        assert!(duel.victim.connection().is_closed());
    }
}

/// The place of a silent peer is needed: the same end, with a reason of its own.
#[test]
fn a_displaced_association_tells_both_sides() {
    for mut pair in quiet_pairs() {
        let now = pair.now();
        pair.server.connection().displaced(now);
        pair.server.connection().displaced(now);
        pair.run_for(Duration::from_secs(1));
        assert!(is_closed_for(&pair.server, CloseReason::Displaced), "{:?}", pair.server.events);
        assert!(is_closed_for(&pair.client, CloseReason::Peer));
    }
}

#[test]
fn a_handshake_has_its_deadline_and_no_idle_timeout() {
    for version in VERSIONS {
        let client = client_config(settings_of(version), Identity::p256());
        let server = server_config(settings_of(version), Identity::p256());
        let mut pair = Pair::new(client, server, name(), perfect_link());
        pair.client.connection().set_idle_timeout(Some(Duration::from_millis(1)));
        let now = pair.now();
        pair.client.connection().displaced(now);
        assert_eq!(pair.client.connection().last_received(), None);
        assert!(pair.run_until(Duration::from_secs(60), |pair| pair.client.connected.is_some()));
    }
}
