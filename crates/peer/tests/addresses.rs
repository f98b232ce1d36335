//! Which addresses the two ends of an association use, over real sockets on loopback. Every address of 127.0.0.0/8 is one of
//! the machine's own on Linux, so that it has as many as a test needs.
#![cfg(target_os = "linux")]

mod configs;
mod house;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use drystone::{
    Client, ClientEvent, PacketPeerUdp, Server, ServerConfig, ServerEvent, ServerOptions, Status,
};

use configs::{configs, localhost};
use house::House;

/// How long to wait before giving up: long enough for a machine that is very busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that echoes on a thread of its own until it is dropped.
struct Echo {
    port: u16,
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Echo {
    fn listen(address: &str, config: Arc<ServerConfig>, options: ServerOptions) -> Option<Self> {
        let mut server = Server::bind_with(address.parse().unwrap(), config, options).ok()?;
        let port = server.local_addr().unwrap().port();
        let done = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&done);
        let thread = thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let echo = match server.poll(Duration::from_millis(20)).unwrap() {
                    Some(ServerEvent::Packet(peer, packet)) => Some((peer, packet.payload.to_vec())),
                    _ => None,
                };
                if let Some((peer, payload)) = echo {
                    server.send(peer, &payload).unwrap();
                }
            }
        });
        Some(Self { port, done, thread: Some(thread) })
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        let ended = self.thread.take().unwrap().join();
        assert!(thread::panicking() || ended.is_ok());
    }
}

fn expect_echo(client: &mut Client) {
    client.connected(PATIENCE).unwrap();
    client.send(b"hello").unwrap();
    match client.poll(PATIENCE).unwrap() {
        Some(ClientEvent::Packet(packet)) => assert_eq!(packet.payload, b"hello"),
        other => panic!("unexpected {other:?}"),
    }
}

/// The client's socket is connected: it hears only what comes from the address that it called.
#[test]
fn a_server_on_all_addresses_answers_from_the_one_that_was_called() {
    let (client_config, server_config) = configs();
    for everywhere in ["0.0.0.0:0", "[::]:0"] {
        for cookies in [true, false] {
            let mut options = ServerOptions::default();
            options.cookies = cookies;
            let Some(server) = Echo::listen(everywhere, Arc::clone(&server_config), options) else {
                continue; // a machine without IPv6
            };
            for called in [[127, 0, 0, 1], [127, 0, 0, 2], [127, 9, 8, 7]] {
                let mut client = Client::new(
                    SocketAddr::from((called, server.port)),
                    localhost(),
                    Arc::clone(&client_config),
                )
                .unwrap();
                expect_echo(&mut client);
            }
        }
    }
}

/// `UdpServer` shares one socket among its peers, and answers for each from the address that the peer called.
#[test]
fn a_udp_server_on_all_addresses_answers_from_the_one_that_was_called() {
    for everywhere in ["0.0.0.0", "*"] {
        let mut house = House::listening_on(everywhere, |_, _| {});
        for called in ["127.0.0.1", "127.0.0.2", "127.9.8.7"] {
            let mut socket = PacketPeerUdp::new();
            socket.connect_to_host(called, house.port()).unwrap();
            let mut client = house.visitor_through(socket);
            house.settle(&mut client);
            assert_eq!(client.get_status(), Status::Connected, "{everywhere} called at {called}");
        }
    }
}
