//! `Settings::padding`: which lengths application data has on the wire in DTLS 1.3, and that it comes out as it went in.

use core::num::NonZeroU16;
use core::ops::RangeInclusive;
use core::time::Duration;

use drystone::PacketPeer;
use drystone_handshake::{CipherSuiteId, Connection, Misuse, Overhead, Padding, ProtocolVersion, Settings};
use drystone_tests::alloc::measure;
use drystone_tests::identity::{Identity, client_config, name, server_config, settings_of};
use drystone_tests::link::Direction;
use drystone_tests::pair::{End, Pair, perfect_link};
use drystone_tests::peers::{Host, Relay};

const V12: ProtocolVersion = ProtocolVersion::DTLS_1_2;
const V13: ProtocolVersion = ProtocolVersion::DTLS_1_3;

/// A header of 5 bytes, the content type, a tag of 16: what every record of DTLS 1.3 has around its payload.
const AROUND: usize = 22;

fn multiple_of(bytes: u16) -> Padding {
    Padding::to_multiple_of(NonZeroU16::new(bytes).unwrap())
}

fn padded(version: ProtocolVersion, padding: Padding) -> Settings {
    let mut settings = settings_of(version);
    settings.padding = padding;
    settings
}

/// A pair that has not met yet.
fn pair_with(settings: impl Fn() -> Settings) -> Pair {
    let identity = Identity::p256();
    let (client, server) = (client_config(settings(), identity), server_config(settings(), identity));
    Pair::new(client, server, name(), perfect_link())
}

/// A connected pair, with nothing left to acknowledge.
fn connected(settings: impl Fn() -> Settings) -> Pair {
    let mut pair = pair_with(settings);
    assert!(pair.connect());
    pair.run_for(Duration::from_secs(1));
    pair
}

fn sender(pair: &mut Pair, direction: Direction) -> &mut Connection {
    let end: &mut End = match direction {
        Direction::ToServer => &mut pair.client,
        Direction::ToClient => &mut pair.server,
    };
    end.connection()
}

/// Sends a payload of so many bytes, checks that it arrives unchanged, and returns its record.
fn carry(pair: &mut Pair, direction: Direction, length: usize) -> Vec<u8> {
    let payload: Vec<u8> = (0..length).map(|index| (index * 7 + length) as u8).collect();
    let connection = sender(pair, direction);
    // Exactly what it needs.
    let mut out = vec![0xee; length + connection.overhead_of(length).total()];
    assert_eq!(connection.send(&payload, &mut out), Ok(out.len()));
    pair.deliver(direction, &mut out.clone());
    let receiver = match direction {
        Direction::ToServer => &mut pair.server,
        Direction::ToClient => &mut pair.client,
    };
    assert_eq!(receiver.received.pop_front(), Some(payload), "{direction:?} {length}");
    out
}

/// All payloads of these lengths look like one of so many bytes, both ways.
fn assert_alike(pair: &mut Pair, lengths: RangeInclusive<usize>, apparent: usize) {
    for direction in Direction::BOTH {
        for length in lengths.clone() {
            let record = carry(pair, direction, length);
            assert_eq!(record.len(), apparent + AROUND, "{direction:?} {length}");
        }
    }
}

fn set_mtu(pair: &mut Pair, mtu: usize) {
    for direction in Direction::BOTH {
        sender(pair, direction).set_mtu(mtu);
    }
}

/// Both sides write with their next keys.
fn update_keys(pair: &mut Pair) {
    let epochs = Direction::BOTH.map(|direction| carry(pair, direction, 1)[0] & 3);
    let now = pair.now();
    sender(pair, Direction::ToServer).update_keys(now, true).unwrap();
    pair.run_for(Duration::from_secs(1));
    for (direction, before) in Direction::BOTH.into_iter().zip(epochs) {
        // RFC 9147 section 4: the header has two bits of the epoch.
        assert_eq!(carry(pair, direction, 1)[0] & 3, (before + 1) & 3, "{direction:?}");
    }
}

#[test]
fn full_records_have_one_length() {
    let mut pair = connected(|| padded(V13, Padding::FULL));
    assert_alike(&mut pair, 0..=1200 - AROUND, 1200 - AROUND);
    update_keys(&mut pair);
    assert_alike(&mut pair, 0..=1200 - AROUND, 1200 - AROUND);
    for mtu in [700, 1350, 228] {
        set_mtu(&mut pair, mtu);
        assert_alike(&mut pair, 0..=mtu - AROUND, mtu - AROUND);
    }
    update_keys(&mut pair);
    assert_alike(&mut pair, 0..=228 - AROUND, 228 - AROUND);
    // What no datagram of the MTU holds stays as it is.
    assert_alike(&mut pair, 228..=228, 228);
    assert_alike(&mut pair, 16_384..=16_384, 16_384);
}

#[test]
fn multiples_have_one_length_each() {
    let mut pair = connected(|| padded(V13, multiple_of(256)));
    let steps = |pair: &mut Pair| {
        assert_alike(pair, 0..=256, 256);
        assert_alike(pair, 257..=512, 512);
        assert_alike(pair, 769..=1024, 1024);
        // The last step ends with the datagram.
        assert_alike(pair, 1025..=1200 - AROUND, 1200 - AROUND);
        assert_alike(pair, 1179..=1179, 1179);
    };
    steps(&mut pair);
    update_keys(&mut pair);
    steps(&mut pair);
    set_mtu(&mut pair, 600);
    assert_alike(&mut pair, 257..=512, 512);
    assert_alike(&mut pair, 513..=600 - AROUND, 600 - AROUND);
    set_mtu(&mut pair, 1200);
    steps(&mut pair);
}

/// Without the setting each record has the length of its payload.
#[test]
fn nothing_is_padded_by_default() {
    let mut pair = connected(|| settings_of(V13));
    for length in [0, 1, 100, 1178, 3000] {
        assert_alike(&mut pair, length..=length, length);
    }
}

/// The limit of the peer counts content type and padding (RFC 8449 section 4).
#[test]
fn padding_ends_at_the_peers_record_size_limit() {
    let settings = |limit| {
        let mut settings = padded(V13, Padding::FULL);
        settings.record_size_limit = Some(limit);
        settings
    };
    let identity = Identity::p256();
    let (client, server) = (client_config(settings(301), identity), server_config(settings(101), identity));
    let mut pair = Pair::new(client, server, name(), perfect_link());
    assert!(pair.connect());
    pair.run_for(Duration::from_secs(1));
    for _ in 0..2 {
        for (direction, apparent) in [(Direction::ToServer, 100), (Direction::ToClient, 300)] {
            for length in 0..=apparent {
                assert_eq!(
                    carry(&mut pair, direction, length).len(),
                    apparent + AROUND,
                    "{direction:?} {length}"
                );
            }
            let limit = Misuse::PayloadTooLarge { limit: apparent };
            assert_eq!(sender(&mut pair, direction).send(&vec![0; apparent + 1], &mut [0; 2000]), Err(limit));
        }
        update_keys(&mut pair);
        set_mtu(&mut pair, 1400);
    }
    // Where the MTU is less, it counts.
    set_mtu(&mut pair, 228);
    for (direction, apparent) in [(Direction::ToServer, 100), (Direction::ToClient, 228 - AROUND)] {
        assert_eq!(carry(&mut pair, direction, 0).len(), apparent + AROUND, "{direction:?}");
    }
}

#[test]
fn an_mtu_that_changes_during_the_handshake_counts() {
    let mut pair = pair_with(|| padded(V13, Padding::FULL));
    pair.client.connection().set_mtu(500);
    assert!(pair.connect());
    assert_eq!(carry(&mut pair, Direction::ToServer, 3).len(), 500);
    assert_eq!(carry(&mut pair, Direction::ToClient, 3).len(), 1200);
}

#[test]
fn dtls_1_2_ignores_it() {
    for suite in [
        CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        CipherSuiteId::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ] {
        let of = |padding| {
            let mut settings = padded(V12, padding);
            settings.cipher_suites = Some(vec![suite]);
            settings
        };
        let mut plain = connected(|| of(Padding::NONE));
        for padding in [Padding::FULL, multiple_of(256)] {
            let mut pair = connected(|| of(padding));
            for mtu in [1200, 700] {
                set_mtu(&mut plain, mtu);
                set_mtu(&mut pair, mtu);
                for direction in Direction::BOTH {
                    let [own, other] = [&mut pair, &mut plain].map(|pair| {
                        let connection = sender(pair, direction);
                        (connection.overhead(), connection.max_unfragmented_payload())
                    });
                    assert_eq!(own, other);
                    for length in [0, 1, 255, 256, 1000, 1400] {
                        let lengths =
                            [&mut pair, &mut plain].map(|pair| carry(pair, direction, length).len());
                        assert_eq!(lengths[0], lengths[1], "{suite:?} {direction:?} {length}");
                    }
                }
            }
        }
    }
}

/// `overhead` is enough for every payload, `overhead_of` is exact, and a byte less is refused and costs no number.
#[test]
fn the_room_for_padding_is_told() {
    for padding in [Padding::NONE, Padding::FULL, multiple_of(100), Padding::to_length(300)] {
        let mut pair = connected(|| padded(V13, padding));
        let enough = sender(&mut pair, Direction::ToServer).overhead();
        for length in [0, 1, 99, 100, 101, 299, 300, 301, 1178, 1179, 5000] {
            let first = carry(&mut pair, Direction::ToServer, length);
            let connection = sender(&mut pair, Direction::ToServer);
            assert_eq!(connection.max_unfragmented_payload(), 1200 - AROUND);
            let Overhead { prefix, suffix } = connection.overhead_of(length);
            assert!(prefix == enough.prefix && suffix <= enough.suffix, "{padding:?} {length}");
            let mut tight = vec![0; prefix + length + suffix - 1];
            let no_room = Err(Misuse::NoRoom { prefix: enough.prefix, suffix: enough.suffix });
            assert_eq!(connection.send(&vec![1; length], &mut tight), no_room);
            assert_eq!(connection.seal(&mut tight, prefix..prefix + length).map(<[u8]>::len), no_room);
            assert_eq!(connection.send(&vec![1; length], &mut []), no_room);
            let second = carry(&mut pair, Direction::ToServer, length);
            assert_eq!(first.len(), second.len());
        }
    }
}

/// Flights, ACKs and alerts are as long as without: they have to get through, whatever the path takes.
#[test]
fn the_protocol_itself_is_not_padded() {
    let told = |padding| {
        let mut pair = connected(|| padded(V13, padding));
        let now = pair.now();
        let mut lengths = Vec::new();
        let mut out = [0; 2000];
        pair.client.connection().update_keys(now, false).unwrap();
        let update = pair.client.connection().poll_transmit(now, &mut out).unwrap();
        lengths.push(update.len);
        pair.deliver(Direction::ToServer, &mut out[..update.len]);
        let ack = pair.server.connection().poll_transmit(now, &mut out).unwrap();
        lengths.push(ack.len);
        pair.deliver(Direction::ToClient, &mut out[..ack.len]);
        pair.client.connection().close(now);
        let alert = pair.client.connection().poll_transmit(now, &mut out).unwrap();
        lengths.push(alert.len);
        lengths
    };
    assert_eq!(told(Padding::FULL), told(Padding::NONE));
}

/// What keys may do and padding's own work on the way of each packet: nothing is allocated.
#[test]
fn padding_allocates_nothing() {
    let mut pair = connected(|| padded(V13, Padding::FULL));
    let connection = sender(&mut pair, Direction::ToServer);
    let mut out = vec![0; 1200];
    let ((), heap) = measure(|| {
        for length in 0..1000 {
            assert_eq!(connection.send(&[1; 1000][..length], &mut out), Ok(1200));
        }
    });
    assert_eq!(heap.count, 0);
}

/// Packet peers make room for it.
#[test]
fn packet_peers_pad() {
    let mut host = Host::with(|| padded(V13, multiple_of(512)));
    let mut relay = Relay::new(&host);
    let (mut client, mut peer) = host.connect(relay.address(), |direction| {
        relay.pass(direction, |_| {});
    });
    for (length, record) in [(1, 512), (512, 512), (513, 1024), (1025, 1178), (1178, 1178), (5000, 5000)] {
        let packet = vec![length as u8; length];
        client.put_packet(&packet).unwrap();
        let mut lengths = Vec::new();
        relay.pass(Direction::ToServer, |datagram| lengths.push(datagram.len()));
        assert_eq!(lengths.last(), Some(&(record + AROUND)), "{length}");
        assert!(host.dtls.accept(&mut host.udp).is_none());
        peer.poll();
        assert_eq!(peer.get_packet().unwrap(), packet);
    }
}
