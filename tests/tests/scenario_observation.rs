//! What the curious see: key logs, observers, and the memory that an association takes.

use core::time::Duration;
use std::sync::{Arc, Mutex};

use drystone_handshake::crypto::KeyLogLabel;
use drystone_handshake::message::registry::HandshakeType;
use drystone_handshake::{Connection, Datagram, Direction as Way, KeyLog, Observed, Observer, Path};
use drystone_record::{ContentType, RecordNumber};
use drystone_tests::alloc::measure;
use drystone_tests::identity::{name, settings};
use drystone_tests::link::{Direction, Link, LinkSettings};
use drystone_tests::pair::{End, Pair};
use drystone_tests::rogue::raw_record;
use drystone_tests::scenario::Variant;

type Line = (KeyLogLabel, [u8; 32], Vec<u8>);

#[derive(Debug, Default)]
struct Lines(Mutex<Vec<Line>>);

impl KeyLog for Lines {
    fn log(&self, label: KeyLogLabel, client_random: &[u8; 32], secret: &[u8]) {
        self.0.lock().unwrap().push((label, *client_random, secret.to_vec()));
    }
}

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
        let lines = client.0.lock().unwrap().clone();
        assert_eq!(lines, *server.0.lock().unwrap());
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

fn connected() -> Pair {
    let mut pair = Variant::Small.pair(0, LinkSettings::perfect());
    assert!(pair.connect());
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
    let mut pair = connected();
    exchange(&mut pair);
}

#[test]
fn after_a_hundred_forgeries_packets_still_allocate_nothing() {
    let mut pair = connected();
    let now = pair.now();
    for end in [&mut pair.client, &mut pair.server] {
        let connection = end.connection();
        let mut forgeries: Vec<_> = (0..100)
            .map(|sequence| {
                let content_type =
                    [ContentType::APPLICATION_DATA, ContentType::HANDSHAKE][sequence as usize % 2];
                raw_record(content_type, RecordNumber { epoch: 1, sequence: 50 + sequence }, &[7; 64])
            })
            .collect();
        let ((), heap) = measure(|| {
            for forgery in &mut forgeries {
                assert!(connection.receive(now, &mut Datagram::new(Path::default(), forgery)).is_none());
            }
        });
        assert_eq!(heap.count, 0);
    }
    exchange(&mut pair);
}

/// The copying `send` allocates nothing either.
#[test]
fn sending_a_copy_allocates_nothing() {
    let mut pair = connected();
    let mut out = vec![0; 1400];
    let connection = pair.client.connection();
    let ((), heap) = measure(|| {
        for _ in 0..1_000 {
            connection.send(&[1; 1000], &mut out).unwrap();
        }
    });
    assert_eq!(heap.count, 0);
}

/// The heap that an association holds is what its drop frees.
fn footprint(end: &mut End) -> i64 {
    let connection = end.connection.take().unwrap();
    let ((), heap) = measure(|| drop(connection));
    size_of::<Connection>() as i64 - heap.live_bytes
}

/// The configurations are shared by all associations and do not count.
fn footprints(variant: Variant, idle: Duration) -> [i64; 2] {
    let (client, server) = variant.configs();
    let link = LinkSettings { mtu: variant.mtu(), ..LinkSettings::perfect() };
    let mut pair = Pair::new(client.clone(), server.clone(), name(), Link::new(0, link));
    assert!(pair.connect());
    pair.run_for(idle);
    let bytes = [footprint(&mut pair.client), footprint(&mut pair.server)];
    drop((client, server));
    bytes
}

#[test]
fn an_idle_association_takes_at_most_2048_bytes() {
    for variant in Variant::ALL {
        // While the server keeps its last flight, and after.
        let early = footprints(variant, Duration::from_secs(1));
        let late = footprints(variant, Duration::from_secs(300));
        println!(
            "{variant:?}: client and server {early:?}; after 240 s {late:?}; the Connection itself {}",
            size_of::<Connection>()
        );
        let most = early.into_iter().chain(late).max().unwrap();
        assert!(most <= IDLE_BUDGET, "{variant:?}: {early:?}, {late:?}");
    }
}

const IDLE_BUDGET: i64 = 2048;

/// Nothing is left behind when associations come and go.
#[test]
fn associations_that_come_and_go_leave_nothing() {
    let round = || {
        for variant in Variant::ALL {
            let mut pair = variant.pair(0, LinkSettings::perfect());
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
