//! Bulk over loopback: packets of 1,200 bytes from `Client` to `Server` in trains (GSO, GRO), beside quinn-udp alone with the bare
//! AEAD. One thread does all of it and never waits, so that its time is the processor's, of both ends and the system. Prints a
//! table, and fails if the budget is broken; `send` stands beside `send_many` to show what the trains are worth.

use std::io::IoSliceMut;
use std::net::UdpSocket;
use std::process::ExitCode;
use std::time::Duration;

use drystone::{Client, ClientEvent, Event, ProtocolVersion, Server, ServerEvent};
use drystone_benches::bare::{BareAead, Group};
use drystone_benches::ratio::{Turns, time};
use drystone_benches::{Setup, VERSIONS};
use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};

const ROUNDS: usize = 600;
/// Packets in a round: what the receiving socket's buffer has room for.
const PACKETS: usize = 48;
const SIZE: usize = 1200;
/// Longer than the header of a record.
const PREFIX: usize = 16;

/// What a packet may cost in trains, beside the floor. Measured again if it is broken, since noise only ever does that.
const LIMIT: f64 = 1.5;
const ATTEMPTS: usize = 5;

fn main() -> ExitCode {
    println!("{:<34} {:>9} {:>9}   {:>5}   limit", "per packet of 1,200 bytes", "ours", "floor", "ratio");
    let mut holds = true;
    for version in VERSIONS {
        let mut floor = Floor::new(version);
        let (mut client, mut server) = connect(version);
        let packet = [7; SIZE];
        let packets = [&packet[..]; PACKETS];
        let mut measure = |name: &str, limit: &str, send: fn(&mut Client, [&[u8]; PACKETS])| {
            let mut turns = Turns::default();
            for _ in 0..ROUNDS {
                let ours = time(|| {
                    send(&mut client, packets);
                    receive(&mut server);
                });
                turns.push(ours, time(|| floor.pass()));
            }
            let ([ours, bare], ratio, name) =
                (turns.microseconds(PACKETS), turns.ratio(), format!("{version}, {name}"));
            println!("{name:<34} {ours:>6.2} us {bare:>6.2} us   {ratio:>5.2}   {limit}");
            ratio
        };
        let many = |client: &mut Client, packets: [&[u8]; PACKETS]| {
            assert_eq!(client.send_many(packets).expect("connected"), PACKETS);
        };
        holds &= (0..ATTEMPTS).any(|_| measure("send_many", "1.50", many) <= LIMIT);
        measure("send", "-", |client, packets| {
            packets.iter().for_each(|packet| client.send(packet).expect("connected"));
        });
    }
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn connect(version: ProtocolVersion) -> (Client, Server) {
    let (client_config, server_config, name) = Setup::new(version, Group::X25519).configs();
    let mut server = Server::bind(([127, 0, 0, 1], 0).into(), server_config).expect("a free port");
    let address = server.local_addr().expect("bound");
    let mut client = Client::new(address, name, client_config).expect("it begins");
    let (mut ready, mut accepted) = (false, false);
    while !(ready && accepted) {
        let event = server.poll(Duration::from_millis(1)).expect("a socket");
        accepted |= matches!(event, Some(ServerEvent::Connection(_, Event::Connected(_))));
        let event = client.poll(Duration::from_millis(1)).expect("a socket");
        ready |= matches!(event, Some(ClientEvent::Connection(Event::Connected(_))));
    }
    (client, server)
}

/// Takes all packets of a round. On loopback they are there when they are sent.
fn receive(server: &mut Server) {
    let mut received = 0;
    while received < PACKETS {
        match server.poll(Duration::ZERO).expect("a socket") {
            Some(ServerEvent::Packet(_, packet)) => received += usize::from(packet.payload.len() == SIZE),
            Some(_) => {}
            None => panic!("{received} of {PACKETS}"),
        }
    }
}

/// The same by quinn-udp alone, sealed and opened with prepared keys.
struct Floor {
    aead: BareAead,
    sender: (UdpSocket, UdpSocketState),
    receiver: (UdpSocket, UdpSocketState),
    sent: Vec<u8>,
    received: Vec<u8>,
}

impl Floor {
    fn new(version: ProtocolVersion) -> Self {
        let socket = || {
            let udp = UdpSocket::bind(("127.0.0.1", 0)).expect("a free port");
            let state = UdpSocketState::new(UdpSockRef::from(&udp)).expect("a socket");
            (udp, state)
        };
        let (sent, received) = (vec![0; 65_536], vec![0; 65_536]);
        Self { aead: BareAead::new(version), sender: socket(), receiver: socket(), sent, received }
    }

    fn pass(&mut self) {
        let Self { aead, sender, receiver, sent, received } = self;
        let segment = PREFIX + SIZE + aead.suffix();
        for (datagram, number) in sent.chunks_exact_mut(segment).take(PACKETS).zip(0..) {
            datagram[PREFIX..PREFIX + SIZE].fill(7);
            aead.seal(number, datagram, PREFIX..PREFIX + SIZE);
        }
        let transmit = Transmit {
            destination: receiver.0.local_addr().expect("bound"),
            ecn: None,
            contents: &sent[..PACKETS * segment],
            segment_size: Some(segment),
            src_ip: None,
        };
        sender.1.try_send(UdpSockRef::from(&sender.0), &transmit).expect("the system segments");
        let mut opened = 0;
        while opened < PACKETS {
            let mut meta = [RecvMeta::default()];
            let mut buffers = [IoSliceMut::new(received)];
            let count = receiver.1.recv(UdpSockRef::from(&receiver.0), &mut buffers, &mut meta);
            assert_eq!(count.expect("all is there"), 1);
            let [RecvMeta { len, stride, .. }] = meta;
            for datagram in received[..len].chunks_mut(stride) {
                assert_eq!(aead.open(opened as u64, datagram, PREFIX..PREFIX + SIZE), SIZE);
                opened += 1;
            }
        }
    }
}
