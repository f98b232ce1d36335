//! A packet costs no allocation: through `PacketPeerDtls`, `UdpServer` and the operating system's sockets, each way, also
//! after forgeries. Both ends run on one thread, since allocations are counted per thread.

use drystone::{Discard, PacketPeer, PacketPeerDtls, ProtocolVersion};
use drystone_tests::alloc::{Allocations, measure};
use drystone_tests::link::Direction;
use drystone_tests::peers::{Host, Relay};

/// How many packets each way.
const PACKETS: usize = 10_000;

/// How many of the longest packets each way make the buffers grow to their size before anything is counted. (A server's
/// peer has two queues, which change places.)
const WARM_UP: usize = 4;

/// The longest packet here: a datagram of the default MTU.
const LONGEST: usize = 1160;

/// How many forgeries each way.
const FORGERIES: usize = 100;

/// A connected pair with a relay between.
struct Room {
    host: Host,
    relay: Option<Relay>,
    client: PacketPeerDtls,
    peer: PacketPeerDtls,
}

impl Room {
    fn new(version: ProtocolVersion) -> Self {
        let mut host = Host::of(version);
        let (client, peer) = host.connect(host.address(), |_| {});
        assert_eq!(client.connected().unwrap().version, version);
        Self { host, relay: None, client, peer }
    }

    fn with_relay(version: ProtocolVersion) -> Self {
        let mut host = Host::of(version);
        let mut relay = Relay::new(&host);
        let (client, peer) = host.connect(relay.address(), |direction| {
            relay.pass(direction, |_| {});
        });
        Self { host, relay: Some(relay), client, peer }
    }

    fn pass(&mut self, direction: Direction) {
        if let Some(relay) = &mut self.relay {
            assert_eq!(relay.pass(direction, |_| {}), 1);
        }
    }

    /// Lets both ends do all that a frame of a game does.
    fn poll(&mut self) {
        assert!(self.host.dtls.accept(&mut self.host.udp).is_none());
        self.peer.poll();
        self.client.poll();
    }

    /// Packets of all lengths to the server and back.
    fn talk(&mut self) {
        self.echo((0..PACKETS).map(|number| LONGEST - number * 7 % LONGEST));
    }

    fn warm_up(&mut self) {
        self.echo([LONGEST; WARM_UP]);
    }

    fn echo(&mut self, lengths: impl IntoIterator<Item = usize>) {
        let mut packet = [7; LONGEST];
        for (number, length) in lengths.into_iter().enumerate() {
            packet[0] = number as u8;
            let packet = &packet[..length];
            self.client.put_packet(packet).unwrap();
            self.pass(Direction::ToServer);
            self.poll();
            assert_eq!(self.peer.get_available_packet_count(), 1);
            let arrived = self.peer.get_packet().unwrap();
            assert_eq!(arrived, packet);
            self.peer.put_packet(packet).unwrap();
            self.pass(Direction::ToClient);
            self.poll();
            assert_eq!(self.client.get_packet().unwrap(), packet);
        }
    }

    /// Genuine records, damaged on their way.
    fn forge(&mut self) {
        for _ in 0..FORGERIES {
            for direction in [Direction::ToServer, Direction::ToClient] {
                let end = match direction {
                    Direction::ToServer => &mut self.client,
                    Direction::ToClient => &mut self.peer,
                };
                end.put_packet(&[9; 300]).unwrap();
                let relay = self.relay.as_mut().unwrap();
                let mut forged = [0; 512];
                let record = relay.take(direction).unwrap();
                let length = record.len();
                forged[..length].copy_from_slice(record);
                forged[length - 1] ^= 1;
                relay.send(direction, &forged[..length]);
            }
            self.poll();
            assert_eq!(
                (self.client.get_available_packet_count(), self.peer.get_available_packet_count()),
                (0, 0)
            );
        }
    }

    fn forgeries(&self) -> [u32; 2] {
        [&self.client, &self.peer]
            .map(|end| end.connection().unwrap().stats().get(Discard::AuthenticationFailed))
    }
}

const VERSIONS: [ProtocolVersion; 2] = [ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_3];

/// No allocation per packet each way.
#[test]
fn packets_over_loopback_cost_no_allocation() {
    for version in VERSIONS {
        let mut room = Room::new(version);
        room.warm_up();
        let ((), heap) = measure(|| room.talk());
        assert_eq!(heap, Allocations::default(), "{version}");
    }
}

/// No allocation after discarded forgeries either, nor for them.
#[test]
fn forgeries_cost_no_allocation() {
    for version in VERSIONS {
        let mut room = Room::with_relay(version);
        room.warm_up();
        let ((), heap) = measure(|| room.forge());
        assert_eq!((heap, room.forgeries()), (Allocations::default(), [FORGERIES as u32; 2]), "{version}");
        let ((), heap) = measure(|| room.talk());
        assert_eq!(heap, Allocations::default(), "{version}");
    }
}

/// Nor do packets that pile up and are read late, once the queues have grown to what that needs.
#[test]
fn packets_in_bursts_cost_no_allocation() {
    for version in VERSIONS {
        bursts(Room::new(version));
    }
}

fn bursts(mut room: Room) {
    let burst = |room: &mut Room| {
        for _ in 0..50 {
            room.client.put_packet(&[5; LONGEST]).unwrap();
            room.peer.put_packet(&[6; LONGEST]).unwrap();
        }
        room.poll();
        for end in [&mut room.client, &mut room.peer] {
            for _ in 0..50 {
                assert_eq!(end.get_packet().unwrap().len(), LONGEST);
            }
            assert!(end.get_packet().is_err());
        }
    };
    for _ in 0..3 {
        burst(&mut room);
    }
    let ((), heap) = measure(|| (0..PACKETS / 50).for_each(|_| burst(&mut room)));
    assert_eq!(heap, Allocations::default());
}
