//! Packets through `PacketPeerDtls` over loopback UDP, beside the same datagrams through bare sockets.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use std::net::{Ipv4Addr, UdpSocket};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use drystone::{PacketPeer, PacketPeerDtls, ProtocolVersion, UdpServer};
use drystone_benches::Setup;
use drystone_benches::bare::Group;

const SIZES: [usize; 2] = [64, 1200];

/// A packet to the server and back: put, polled and got twice.
fn round_trip(criterion: &mut Criterion) {
    let (mut client, mut server, mut udp) = Setup::new(ProtocolVersion::DTLS_1_3, Group::X25519).peers();
    let (ours, theirs) = sockets();
    let mut group = criterion.benchmark_group("packet there and back");
    for size in SIZES {
        group.throughput(Throughput::Bytes(2 * size as u64));
        let packet = vec![7; size];
        group.bench_function(BenchmarkId::new("PacketPeerDtls", size), |bencher| {
            bencher.iter(|| {
                client.put_packet(&packet).expect("connected");
                echo(&mut server, &mut udp);
                wait_for_packet(&mut client)
            });
        });
        let mut buffer = vec![0; 2048];
        group.bench_function(BenchmarkId::new("bare UDP", size), |bencher| {
            bencher.iter(|| {
                ours.send(&packet).expect("loopback");
                let length = receive(&theirs, &mut buffer);
                theirs.send(&buffer[..length]).expect("loopback");
                receive(&ours, &mut buffer)
            });
        });
    }
    group.finish();
}

/// The server's peer gets what the UDP server was polled for.
fn echo(server: &mut PacketPeerDtls, udp: &mut UdpServer) {
    let mut packet = [0; 2048];
    loop {
        udp.poll().expect("a socket");
        server.poll();
        if let Ok(received) = server.get_packet() {
            let packet = &mut packet[..received.len()];
            packet.copy_from_slice(received);
            return server.put_packet(packet).expect("connected");
        }
    }
}

fn wait_for_packet(peer: &mut PacketPeerDtls) -> usize {
    loop {
        peer.poll();
        if let Ok(packet) = peer.get_packet() {
            return packet.len();
        }
    }
}

/// Two connected sockets that do not block, as the peers' do not.
fn sockets() -> (UdpSocket, UdpSocket) {
    let [ours, theirs] = [(); 2].map(|()| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port"));
    for (from, to) in [(&ours, &theirs), (&theirs, &ours)] {
        from.connect(to.local_addr().expect("bound")).expect("loopback");
        from.set_nonblocking(true).expect("a socket");
    }
    (ours, theirs)
}

fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> usize {
    loop {
        if let Ok(length) = socket.recv(buffer) {
            return length;
        }
    }
}

criterion_group!(benches, round_trip);
criterion_main!(benches);
