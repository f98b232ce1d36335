//! A thousand clients of one server, some of which are killed and come back on their ports.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use drystone::tokio::{Connection, ConnectionError, Endpoint};
use drystone::{
    ClientConfig, Clock, CloseReason, EndpointEvent, Event, FourTuple, Incoming, ProtocolVersion,
    ServerOptions,
};
use drystone_tests::identity::name;
use tokio::task::JoinSet;

use super::{LOOPBACK, PATIENCE, address, configs, echo, echoes, in_time};

const CLIENTS: usize = 900;
const MORTALS: usize = 100;
const PACKETS: u32 = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clients_echo_and_none_suffers_from_those_that_are_killed() {
    let (client_config, server_config) = configs(ProtocolVersion::DTLS_1_3);
    let mut options = ServerOptions::default();
    // All come from one network here.
    options.max_half_open_per_network = options.max_half_open;
    let server = Endpoint::server(LOOPBACK, server_config, options).unwrap();
    let remote = address(&server);
    let acceptor = server.clone();
    tokio::spawn(async move {
        while let Some(connection) = acceptor.accept().await {
            tokio::spawn(echo(connection));
        }
    });

    let mortals = tokio::task::spawn_blocking({
        let config = Arc::clone(&client_config);
        move || (0..MORTALS).map(|_| Mortal::born(LOOPBACK, remote, &config)).collect::<Vec<_>>()
    });
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let config = Arc::clone(&client_config);
        clients.spawn(async move {
            let endpoint = Endpoint::client(LOOPBACK).unwrap();
            let connection = endpoint.connect(remote, name(), config).await.expect("connected");
            let again = echoes(&connection, PACKETS).await;
            (connection, again)
        });
    }
    let connected = in_time(clients.join_all()).await;
    let again: usize = connected.iter().map(|(_, again)| again).sum();
    let mortals = in_time(mortals).await.unwrap();
    println!("{CLIENTS} clients: {} packets echoed, {again} sent again", CLIENTS * PACKETS as usize);
    assert_eq!(server.peer_count(), CLIENTS + MORTALS);

    // While the others go on, the mortals die without a word and come back on their ports.
    let reborn = tokio::task::spawn_blocking(move || {
        let mut reborn = Vec::new();
        for mortal in mortals {
            let port = mortal.die();
            reborn.push(Mortal::born(port, remote, &client_config));
        }
        reborn
    });
    let mut rounds = JoinSet::new();
    for (connection, _) in connected {
        rounds.spawn(async move {
            echoes(&connection, PACKETS).await;
            connection
        });
    }
    let connections: Vec<Connection> = in_time(rounds.join_all()).await;
    let reborn = in_time(reborn).await.unwrap();
    assert_eq!(server.peer_count(), CLIENTS + MORTALS, "each took the place of its earlier self");

    in_time(server.shutdown()).await;
    for connection in &connections {
        assert!(matches!(in_time(connection.closed()).await, ConnectionError::Closed(CloseReason::Peer)));
    }
    let told = tokio::task::spawn_blocking(|| {
        reborn.into_iter().map(Mortal::hears_of_the_end).filter(|told| *told).count()
    });
    assert_eq!(in_time(told).await.unwrap(), MORTALS);
}

/// A client that can vanish without a word, as a killed process does. Driven by hand.
struct Mortal {
    endpoint: drystone::Endpoint,
    socket: UdpSocket,
    clock: Clock,
    received: Vec<Vec<u8>>,
    events: Vec<Event>,
}

impl Mortal {
    /// Bound to this address, connected, and all its packets came back.
    fn born(bound: SocketAddr, remote: SocketAddr, config: &Arc<ClientConfig>) -> Self {
        let socket = UdpSocket::bind(bound).unwrap();
        socket.connect(remote).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let (mut endpoint, clock) = (drystone::Endpoint::client(), Clock::new());
        let peer = endpoint.connect(clock.start(), remote.into(), name(), Arc::clone(config)).unwrap();
        let mut mortal = Self { endpoint, socket, clock, received: Vec::new(), events: Vec::new() };
        mortal.turn_until(|mortal| {
            mortal.endpoint.connection(peer).is_some_and(drystone::Connection::is_connected)
        });
        for number in 0..PACKETS / 10 {
            let mut out = [0; 100];
            let mut sent = Instant::now() - PATIENCE;
            while mortal.received.last().is_none_or(|packet| packet[..] != number.to_be_bytes()) {
                if sent.elapsed() > Duration::from_secs(2) {
                    let transmit = mortal.endpoint.send(peer, &number.to_be_bytes(), &mut out).unwrap();
                    mortal.socket.send(&out[..transmit.len]).unwrap();
                    sent = Instant::now();
                }
                mortal.turn();
            }
        }
        mortal
    }

    /// Without a word; the address that it had.
    fn die(self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    fn hears_of_the_end(mut self) -> bool {
        let is_end = |event: &Event| matches!(event, Event::Closed(CloseReason::Peer));
        self.turn_until(|mortal| mortal.events.iter().any(is_end));
        true
    }

    fn turn_until(&mut self, done: impl Fn(&Self) -> bool) {
        let begin = Instant::now();
        while !done(self) {
            assert!(begin.elapsed() < PATIENCE, "in vain");
            self.turn();
        }
    }

    fn turn(&mut self) {
        let mut buffer = [0; 2048];
        self.endpoint.handle_timeout(self.clock.now());
        self.flush();
        let length = match self.socket.recv(&mut buffer) {
            Ok(length) => length,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return,
            Err(error) => panic!("{error}"),
        };
        let ends = FourTuple::from(self.socket.peer_addr().unwrap());
        let mut incoming = Incoming::new(ends, &mut buffer[..length]);
        while let Some((_, data)) = self.endpoint.receive(self.clock.start(), &mut incoming) {
            self.received.push(data.payload.to_vec());
        }
        self.flush();
    }

    fn flush(&mut self) {
        let mut out = [0; 2048];
        while let Some(transmit) = self.endpoint.poll_transmit(self.clock.now(), &mut out) {
            self.socket.send(&out[..transmit.len]).unwrap();
        }
        while let Some(event) = self.endpoint.poll_event() {
            if let EndpointEvent::Connection { event, .. } = event {
                self.events.push(event);
            }
        }
    }
}
