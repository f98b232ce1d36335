//! Instruction counts of our own code in the record layer, in flights and in the endpoint, under valgrind, against committed numbers.
//!
//! No cryptography is counted: records have the null AEAD of the test package, and the flights are of epoch 0. Under
//! valgrind ring would take other paths than on the bare machine, and others again on another machine.
//!
//! The numbers are those of Rust 1.95 on x86-64, for so many instructions in one call of a benchmark. Another compiler
//! generates other code: 5 % more fails, which is above what a patch release changes and below what a needless copy or
//! check costs. After a change that is worth its instructions, or a new compiler, commit what is printed.
#![allow(
    missing_docs,
    unused_qualifications,
    reason = "the macros make undocumented items, with whole paths"
)]

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;

use drystone::{
    Connection, Datagram, Endpoint, FourTuple, HandshakeType, Incoming, Instant, Path, ProtocolVersion,
    ServerOptions, Start, x509::ServerName,
};
use drystone_tests::null::{Integrity, configs};
use gungraun::prelude::*;
use gungraun::{Callgrind, EventKind};

/// Fails above 105 % of a committed number.
fn committed(instructions: u64) -> LibraryBenchmarkConfig {
    let limit = instructions + instructions / 20;
    let mut callgrind = Callgrind::default();
    callgrind.hard_limits([(EventKind::Ir, limit)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

const NOW: Instant = Instant::from_origin(core::time::Duration::ZERO);
const START: Start = Start { now: NOW, unix: None };
const ROOM: usize = 1300;
const RECORDS: usize = 100;

const V12: ProtocolVersion = ProtocolVersion::DTLS_1_2;
const V13: ProtocolVersion = ProtocolVersion::DTLS_1_3;

fn client(version: ProtocolVersion) -> Connection {
    let (config, _) = configs(version, Integrity::Open);
    let name = ServerName::try_from("server.test").expect("a DNS name");
    Connection::client(config, name, START).expect("a client")
}

fn server(version: ProtocolVersion) -> Connection {
    let (_, config) = configs(version, Integrity::Open);
    Connection::server_without_cookie(config, Path::default(), START).expect("a server")
}

/// Hands everything that one end has to say to the other.
fn deliver(from: &mut Connection, to: &mut Connection) {
    let mut out = [0; ROOM];
    while let Some(transmit) = from.poll_transmit(NOW, &mut out) {
        receive(to, &mut out[..transmit.len]);
    }
}

fn receive(connection: &mut Connection, bytes: &mut [u8]) -> usize {
    let mut datagram = Datagram::new(Path::default(), bytes);
    let mut received = 0;
    while let Some(data) = connection.receive(NOW, &mut datagram) {
        received += data.payload.len();
    }
    received
}

fn connected(version: ProtocolVersion) -> (Connection, Connection) {
    let (mut client, mut server) = (client(version), server(version));
    for _ in 0..2 {
        deliver(&mut client, &mut server);
        deliver(&mut server, &mut client);
    }
    assert!(client.is_connected() && server.is_connected(), "{client:?} {server:?}");
    (client, server)
}

/// A sender and buffers with room for records of `size` bytes.
fn to_seal(version: ProtocolVersion, size: usize) -> (Connection, Vec<u8>, usize) {
    (connected(version).0, vec![7; ROOM], size)
}

/// A receiver and sealed records.
fn to_open(version: ProtocolVersion, size: usize) -> (Connection, Vec<Vec<u8>>) {
    let (mut client, server) = connected(version);
    let mut out = [0; ROOM];
    let record = |_| {
        let length = client.send(&vec![7; size], &mut out).expect("connected");
        out[..length].to_vec()
    };
    (server, (0..RECORDS).map(record).collect())
}

/// A receiver that has had these records already.
fn replayed(version: ProtocolVersion, size: usize) -> (Connection, Vec<Vec<u8>>) {
    let (mut server, records) = to_open(version, size);
    for record in &records {
        assert_eq!(receive(&mut server, &mut record.clone()), size);
    }
    (server, records)
}

#[library_benchmark]
#[bench::dtls_1_2(args = (V12, 64), setup = to_seal, config = committed(28_717))]
#[bench::dtls_1_3(args = (V13, 64), setup = to_seal, config = committed(43_340))]
fn seal_100_records((mut client, mut buffer, size): (Connection, Vec<u8>, usize)) -> Connection {
    let start = client.overhead().prefix;
    for _ in 0..RECORDS {
        black_box(client.seal(black_box(&mut buffer), start..start + size).expect("connected"));
    }
    client
}

#[library_benchmark]
#[bench::dtls_1_2(args = (V12, 64), setup = to_open, config = committed(41_821))]
#[bench::dtls_1_3(args = (V13, 64), setup = to_open, config = committed(60_166))]
fn open_100_records((mut server, mut records): (Connection, Vec<Vec<u8>>)) -> (Connection, Vec<Vec<u8>>) {
    for record in &mut records {
        assert_eq!(receive(&mut server, black_box(record)), 64);
    }
    (server, records)
}

#[library_benchmark]
#[bench::dtls_1_2(args = (V12, 64), setup = replayed, config = committed(25_421))]
#[bench::dtls_1_3(args = (V13, 64), setup = replayed, config = committed(53_321))]
fn drop_100_replays((mut server, mut records): (Connection, Vec<Vec<u8>>)) -> (Connection, Vec<Vec<u8>>) {
    for record in &mut records {
        assert_eq!(receive(&mut server, black_box(record)), 0);
    }
    (server, records)
}

/// A server that has built its first flight, with a certificate, and an MTU that cuts it.
fn with_flight(version: ProtocolVersion, mtu: usize) -> Connection {
    let (mut client, mut server) = (client(version), server(version));
    deliver(&mut client, &mut server);
    server.set_mtu(mtu);
    server
}

#[library_benchmark]
#[bench::dtls_1_2(args = (V12, 228), setup = with_flight, config = committed(7_823))]
#[bench::dtls_1_3(args = (V13, 228), setup = with_flight, config = committed(9_214))]
fn write_a_flight(mut server: Connection) -> Connection {
    let mut out = [0; ROOM];
    let mut datagrams = 0;
    while let Some(transmit) = server.poll_transmit(NOW, black_box(&mut out)) {
        black_box(&out[..transmit.len]);
        datagrams += 1;
    }
    assert!(datagrams > 2, "{datagrams}");
    server
}

/// A client that waits for a ServerHello, and fragments of the message after it, last first.
fn to_reassemble(size: usize) -> (Connection, Vec<Vec<u8>>) {
    const FRAGMENTS: usize = 16;
    let mut client = client(V12);
    while client.poll_transmit(NOW, &mut [0; ROOM]).is_some() {}
    let fragment = |index: usize| {
        let [_, l2, l1, l0] = (FRAGMENTS as u32 * size as u32).to_be_bytes();
        let [_, o2, o1, o0] = (index as u32 * size as u32).to_be_bytes();
        let [_, f2, f1, f0] = (size as u32).to_be_bytes();
        let [r1, r0] = (12 + size as u16).to_be_bytes();
        let sequence = index as u8;
        let certificate = HandshakeType::CERTIFICATE.0;
        let record = [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, sequence, r1, r0];
        let header = [certificate, l2, l1, l0, 0, 1, o2, o1, o0, f2, f1, f0];
        [&record[..], &header, &vec![5; size]].concat()
    };
    (client, (0..FRAGMENTS).rev().map(fragment).collect())
}

#[library_benchmark(config = committed(50_519))]
#[bench::of_100_bytes(args = (100), setup = to_reassemble)]
fn reassemble_16_fragments(
    (mut client, mut fragments): (Connection, Vec<Vec<u8>>),
) -> (Connection, Vec<Vec<u8>>) {
    for fragment in &mut fragments {
        receive(&mut client, black_box(fragment));
    }
    assert_eq!(client.stats().total(), 0, "all of them are kept");
    (client, fragments)
}

/// An endpoint with so many connected peers, and a sealed packet of each of 100 of them.
fn to_echo(version: ProtocolVersion, peers: usize) -> (Endpoint, Vec<(FourTuple, Vec<u8>)>) {
    let (client, server) = configs(version, Integrity::Open);
    let mut server = Endpoint::server(server, ServerOptions::default()).expect("a configuration that works");
    let mut out = [0; ROOM];
    let mut packets = Vec::new();
    for peer in 0..peers {
        let [.., high, low] = peer.to_be_bytes();
        let ends = FourTuple::from(SocketAddr::from(([10, 0, high, low], 5)));
        let name = ServerName::try_from("server.test").expect("a DNS name");
        let mut client = Connection::client(Arc::clone(&client), name, START).expect("a client");
        for _ in 0..4 {
            while let Some(transmit) = client.poll_transmit(NOW, &mut out) {
                let mut incoming = Incoming::new(ends, &mut out[..transmit.len]);
                assert!(server.receive(START, &mut incoming).is_none());
            }
            server.handle_drained(NOW);
            while let Some(transmit) = server.poll_transmit(NOW, &mut out) {
                receive(&mut client, &mut out[..transmit.len]);
            }
        }
        // Those that talk are spread over all of them.
        if peer.is_multiple_of((peers / RECORDS).max(1)) {
            let length = client.send(&[7; 64], &mut out).expect("connected");
            packets.push((ends, out[..length].to_vec()));
            for _ in 1..RECORDS / peers.min(RECORDS) {
                let length = client.send(&[7; 64], &mut out).expect("connected");
                packets.push((ends, out[..length].to_vec()));
            }
        }
    }
    while server.poll_event().is_some() {}
    assert_eq!((server.peer_count(), packets.len()), (peers, RECORDS));
    (server, packets)
}

// Whom the datagram is for, the record opened, the answer sealed, and everything drained, as a server's loop does.
#[library_benchmark]
#[bench::dtls_1_2_of_10(args = (V12, 10), setup = to_echo, config = committed(246_107))]
#[bench::dtls_1_2_of_1000(args = (V12, 1000), setup = to_echo, config = committed(246_107))]
#[bench::dtls_1_3_of_10(args = (V13, 10), setup = to_echo, config = committed(294_388))]
#[bench::dtls_1_3_of_1000(args = (V13, 1000), setup = to_echo, config = committed(294_388))]
fn echo_100_packets(
    (mut server, mut packets): (Endpoint, Vec<(FourTuple, Vec<u8>)>),
) -> (Endpoint, Vec<(FourTuple, Vec<u8>)>) {
    let mut out = [0; ROOM];
    for (ends, packet) in &mut packets {
        server.handle_timeout(NOW);
        let mut incoming = Incoming::new(*ends, black_box(packet));
        let mut echoed = 0;
        while let Some((peer, data)) = server.receive(START, &mut incoming) {
            echoed = server.send(peer, data.payload, black_box(&mut out)).expect("connected").len;
        }
        assert!(echoed > 64);
        assert!(server.poll_transmit(NOW, &mut out).is_none() && server.poll_event().is_none());
        black_box(server.poll_timeout());
    }
    (server, packets)
}

library_benchmark_group!(name = endpoint, benchmarks = [echo_100_packets]);
library_benchmark_group!(name = record, benchmarks = [seal_100_records, open_100_records, drop_100_replays]);
library_benchmark_group!(name = flight, benchmarks = [write_a_flight, reassemble_16_fragments]);
main!(library_benchmark_groups = [record, flight, endpoint]);
