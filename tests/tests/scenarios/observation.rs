//! What the curious see: key logs, observers, and the memory that an association takes.

use core::time::Duration;
use std::sync::{Arc, Mutex};

use drystone_handshake::crypto::KeyLogLabel;
use drystone_handshake::{
    Connection, Datagram, Direction as Way, HandshakeType, Observed, Observer, Path, ProtocolVersion,
};
use drystone_record::{ContentType, Discard, RecordNumber};
use drystone_tests::alloc::measure;
use drystone_tests::identity::{name, settings, settings_of};
use drystone_tests::key_log::Lines;
use drystone_tests::link::{Direction, Link, LinkSettings};
use drystone_tests::pair::{End, Pair};
use drystone_tests::rogue::raw_record;
use drystone_tests::scenario::Variant;

#[derive(Debug, Default)]
struct Seen(Mutex<Vec<String>>);

impl Observer for Seen {
    fn observe(&self, direction: Way, item: Observed<'_>) {
        let what = match item {
            Observed::Handshake { msg_type, message_seq, body } => {
                format!("{msg_type} {message_seq} of {} bytes", body.len())
            }
            Observed::ChangeCipherSpec => "ChangeCipherSpec".to_owned(),
            Observed::Alert { level, description, epoch } => {
                format!("alert {level} {description} in {epoch}")
            }
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().push(format!("{direction:?} {what}"));
    }
}

#[test]
fn key_log_lines_are_equal_on_both_sides() {
    for variant in Variant::ALL {
        let [client, server] = [Arc::new(Lines::default()), Arc::new(Lines::default())];
        let [mut of_client, mut of_server] = [settings(), settings()];
        of_client.key_log = Some(client.clone());
        of_server.key_log = Some(server.clone());
        let (of_client, of_server) = variant.configs_with(of_client, of_server);
        let link = LinkSettings { mtu: variant.mtu(), ..LinkSettings::lossy(0.05) };
        let mut pair = Pair::new(of_client, of_server, name(), Link::new(3, link));
        assert!(pair.connect());
        let lines = client.all();
        assert_eq!(lines, server.all());
        assert_eq!(lines.len(), 1);
        assert_eq!((lines[0].0, lines[0].2.len()), (KeyLogLabel::ClientRandom, 48));
    }
}

/// What one side sends is what the other receives, once, whatever the network repeats.
#[test]
fn an_observer_sees_every_message_once_in_both_directions() {
    for variant in Variant::ALL {
        for seed in 0..5 {
            let [client, server] = [Arc::new(Seen::default()), Arc::new(Seen::default())];
            let [mut of_client, mut of_server] = [settings(), settings()];
            of_client.observer = Some(client.clone());
            of_server.observer = Some(server.clone());
            let (of_client, of_server) = variant.configs_with(of_client, of_server);
            let link = if seed == 0 { LinkSettings::perfect() } else { LinkSettings::lossy(0.1) };
            let link = LinkSettings { mtu: variant.mtu(), ..link };
            let mut pair = Pair::new(of_client, of_server, name(), Link::new(seed, link));
            assert!(pair.connect());
            let now = pair.now();
            pair.client.connection().close(now);
            pair.run_for(Duration::from_secs(2));
            let lines = |seen: &Seen, way: &str| -> Vec<String> {
                let lines = seen.0.lock().unwrap();
                lines.iter().filter_map(|line| line.strip_prefix(way).map(str::to_owned)).collect()
            };
            let closes = |lines: &[String]| lines.iter().any(|line| line.contains("close_notify"));
            // The gate asked for the cookie: the server's association has not seen the first hello.
            let sent = lines(&client, "Sent ");
            let received = lines(&server, "Received ");
            assert!(sent[0].starts_with("ClientHello 0"), "{sent:?}");
            let lost = if closes(&received) { 0 } else { 1 };
            assert_eq!(sent[1..sent.len() - lost], received[..], "{variant:?} seed {seed}");
            let sent: Vec<_> =
                lines(&server, "Sent ").into_iter().filter(|line| !line.contains("alert")).collect();
            let received = lines(&client, "Received ");
            assert!(received[0].starts_with("HelloVerifyRequest 0"), "{received:?}");
            let received: Vec<_> =
                received[1..].iter().filter(|line| !line.contains("alert")).cloned().collect();
            let questions = received.iter().take_while(|line| line.starts_with("HelloVerifyRequest")).count();
            assert_eq!(sent, received[questions..], "{variant:?} seed {seed}");
            assert_eq!(
                sent.iter().filter(|line| line.starts_with(&format!("{}", HandshakeType::FINISHED))).count(),
                1
            );
        }
    }
}

const VERSIONS: [ProtocolVersion; 2] = [ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_3];

fn pair(variant: Variant, version: ProtocolVersion) -> Pair {
    let (client, server) = variant.configs_with(settings_of(version), settings_of(version));
    let link = LinkSettings { mtu: variant.mtu(), ..LinkSettings::perfect() };
    Pair::new(client, server, name(), Link::new(0, link))
}

fn connected(version: ProtocolVersion) -> Pair {
    let mut pair = pair(Variant::Small, version);
    assert!(pair.connect());
    assert_eq!(pair.client.connected.as_ref().unwrap().version, version);
    pair.run_for(Duration::from_secs(1));
    pair
}

/// 10,000 packets each way through `seal` and `receive`, and no allocation.
fn exchange(pair: &mut Pair) {
    let now = pair.now();
    let mut buffer = vec![0; 1400];
    let (client, server) =
        (pair.client.connection.as_mut().unwrap(), pair.server.connection.as_mut().unwrap());
    let ((), heap) = measure(|| {
        for number in 0..10_000_u32 {
            packet(client, server, &mut buffer, number);
            packet(server, client, &mut buffer, number);
        }
    });
    assert_eq!(heap.count, 0, "{heap:?}");

    fn packet(from: &mut Connection, to: &mut Connection, buffer: &mut [u8], number: u32) {
        let overhead = from.overhead();
        let length = 4 + (number as usize * 37) % 1150;
        buffer[overhead.prefix..overhead.prefix + 4].copy_from_slice(&number.to_be_bytes());
        let length = from.seal(buffer, overhead.prefix..overhead.prefix + length).unwrap().len();
        let mut datagram = Datagram::new(Path::default(), &mut buffer[..length]);
        let data = to.receive(Default::default(), &mut datagram).unwrap();
        assert_eq!(data.payload[..4], number.to_be_bytes());
        assert!(to.receive(Default::default(), &mut datagram).is_none());
    }
    let _ = now;
}

#[test]
fn ten_thousand_packets_each_way_allocate_nothing() {
    for version in VERSIONS {
        exchange(&mut connected(version));
    }
}

/// A KeyUpdate of both sides, seen through to its end.
fn update_keys(pair: &mut Pair) {
    // The two low bits of an epoch are in every record (RFC 9147 section 4).
    let epochs = |pair: &mut Pair| {
        [&mut pair.client, &mut pair.server].map(|end| {
            let mut out = [0; 64];
            end.connection().send(b"x", &mut out).unwrap();
            out[0] & 3
        })
    };
    let before = epochs(pair);
    let now = pair.now();
    pair.client.connection().update_keys(now, true).unwrap();
    pair.run_for(Duration::from_secs(1));
    assert_eq!(epochs(pair), before.map(|epoch| (epoch + 1) & 3));
}

#[test]
fn after_a_key_update_packets_still_allocate_nothing() {
    let mut pair = connected(ProtocolVersion::DTLS_1_3);
    update_keys(&mut pair);
    exchange(&mut pair);
}

/// Records of the peer, damaged on their way, and records that the peer never sent.
fn forgeries(peer: &mut Connection) -> Vec<Vec<u8>> {
    let damaged = |_| {
        let mut out = vec![0; 256];
        let length = peer.send(&[7; 64], &mut out).unwrap();
        out[length - 1] ^= 1;
        out[..length].to_vec()
    };
    let mut forgeries: Vec<_> = (0..50).map(damaged).collect();
    forgeries.extend((0..50).map(|sequence| {
        let content_type = [ContentType::APPLICATION_DATA, ContentType::HANDSHAKE][sequence as usize % 2];
        raw_record(content_type, RecordNumber { epoch: 1, sequence: 50 + sequence }, &[7; 64])
    }));
    forgeries
}

#[test]
fn after_a_hundred_forgeries_packets_still_allocate_nothing() {
    for version in VERSIONS {
        let mut pair = connected(version);
        let now = pair.now();
        let from_server = forgeries(pair.server.connection());
        let from_client = forgeries(pair.client.connection());
        for (end, mut forgeries) in [(&mut pair.client, from_server), (&mut pair.server, from_client)] {
            let connection = end.connection();
            let before = connection.stats().get(Discard::AuthenticationFailed);
            let ((), heap) = measure(|| {
                for forgery in &mut forgeries {
                    assert!(connection.receive(now, &mut Datagram::new(Path::default(), forgery)).is_none());
                }
            });
            assert_eq!(heap.count, 0);
            assert!(connection.stats().get(Discard::AuthenticationFailed) >= before + 50);
        }
        exchange(&mut pair);
    }
}

/// The copying `send` allocates nothing either.
#[test]
fn sending_a_copy_allocates_nothing() {
    for version in VERSIONS {
        let mut pair = connected(version);
        let mut out = vec![0; 1400];
        let connection = pair.client.connection();
        let ((), heap) = measure(|| {
            for _ in 0..1_000 {
                connection.send(&[1; 1000], &mut out).unwrap();
            }
        });
        assert_eq!(heap.count, 0);
    }
}

/// The heap that an association holds is what its drop frees.
fn footprint(end: &mut End) -> i64 {
    let connection = end.connection.take().unwrap();
    let ((), heap) = measure(|| drop(connection));
    size_of::<Connection>() as i64 - heap.live_bytes
}

/// The configurations are shared by all associations and do not count.
fn footprints(variant: Variant, version: ProtocolVersion, life: impl FnOnce(&mut Pair)) -> [i64; 2] {
    let (client, server) = variant.configs_with(settings_of(version), settings_of(version));
    let link = LinkSettings { mtu: variant.mtu(), ..LinkSettings::perfect() };
    let mut pair = Pair::new(client.clone(), server.clone(), name(), Link::new(0, link));
    assert!(pair.connect());
    life(&mut pair);
    let bytes = [footprint(&mut pair.client), footprint(&mut pair.server)];
    drop((client, server));
    bytes
}

/// A while in which old keys and the last flight are kept, and one in which they go.
const AT_ONCE: Duration = Duration::from_secs(1);
const LATER: Duration = Duration::from_secs(300);

#[test]
fn an_idle_association_of_1_2_takes_at_most_2048_bytes() {
    for variant in Variant::ALL {
        let after = |idle| footprints(variant, ProtocolVersion::DTLS_1_2, |pair| pair.run_for(idle));
        let (early, late) = (after(AT_ONCE), after(LATER));
        println!("{variant:?}: client and server {early:?}; after 240 s {late:?}");
        let most = early.into_iter().chain(late).max().unwrap();
        assert!(most <= 2048, "{variant:?}: {early:?}, {late:?}");
    }
}

/// And 4,096 while keys of older epochs are kept, after connecting and after a change of keys.
#[test]
fn an_idle_association_of_1_3_takes_at_most_3072_bytes() {
    let data = |pair: &mut Pair| {
        pair.send(Direction::ToServer, b"there").unwrap();
        pair.send(Direction::ToClient, b"and back").unwrap();
    };
    println!("the Connection itself {}", size_of::<Connection>());
    for variant in Variant::ALL {
        let after = |idle, updates: usize| {
            footprints(variant, ProtocolVersion::DTLS_1_3, |pair| {
                data(pair);
                for _ in 0..updates {
                    pair.run_for(LATER);
                    update_keys(pair);
                    data(pair);
                }
                pair.run_for(idle);
            })
        };
        for updates in 0..3 {
            let (early, late) = (after(AT_ONCE, updates), after(LATER, updates));
            println!("{variant:?}, {updates} KeyUpdates: {early:?}; after 240 s {late:?}");
            assert!(early.into_iter().max() <= Some(4096), "{variant:?}, {updates}: {early:?}");
            assert!(late.into_iter().max() <= Some(3072), "{variant:?}, {updates}: {late:?}");
        }
    }
}

/// Nothing is left behind when associations come and go.
#[test]
fn associations_that_come_and_go_leave_nothing() {
    let round = || {
        for (variant, version) in
            Variant::ALL.into_iter().flat_map(|variant| VERSIONS.map(|of| (variant, of)))
        {
            let mut pair = pair(variant, version);
            assert!(pair.connect());
            pair.send(Direction::ToServer, b"x").unwrap();
            pair.run_for(Duration::from_secs(1));
        }
    };
    // What is made once per process.
    round();
    let ((), heap) = measure(round);
    assert_eq!(heap.live_bytes, 0, "{heap:?}");
}
