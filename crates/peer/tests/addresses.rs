//! Which addresses the two ends of an association use, over real sockets on loopback. Every address of 127.0.0.0/8 is one of
//! the machine's own on Linux, so that it has as many as a test needs.
#![cfg(target_os = "linux")]

mod configs;
mod house;

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use drystone::{
    Client, ClientError, ClientEvent, ClientOptions, PacketPeerUdp, Server, ServerConfig, ServerEvent,
    ServerOptions, Status,
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

/// A socket that takes what comes and says nothing, and its address.
fn silent() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn echo_on_loopback(config: Arc<ServerConfig>) -> (Echo, SocketAddr) {
    let server = Echo::listen("127.0.0.1:0", config, ServerOptions::default()).unwrap();
    let address = ([127, 0, 0, 1], server.port).into();
    (server, address)
}

/// As when the IPv6 address of a host is reached by nothing (RFC 8305).
#[test]
fn the_next_address_is_tried_when_one_is_silent() {
    let (client_config, server_config) = configs();
    let (_server, address) = echo_on_loopback(server_config);
    let silent: Vec<_> = std::iter::repeat_with(silent).take(3).collect();
    for count in 0..=silent.len() {
        let before = silent.iter().take(count).map(|(_, address)| *address);
        let addresses: Vec<_> = before.chain([address]).chain(silent.last().map(|last| last.1)).collect();
        let mut client = Client::new(addresses.as_slice(), localhost(), Arc::clone(&client_config)).unwrap();
        expect_echo(&mut client);
        assert_eq!(client.server_addr(), address);
    }
}

#[test]
fn refused_and_silent_addresses_are_passed_over_in_any_order() {
    let (client_config, server_config) = configs();
    let (_server, good) = echo_on_loopback(server_config);
    let (_socket, silent) = silent();
    let refused = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for order in [[refused, silent, good], [silent, refused, good], [silent, good, refused]] {
        let mut client = Client::new(order.as_slice(), localhost(), Arc::clone(&client_config)).unwrap();
        expect_echo(&mut client);
        assert_eq!(client.server_addr(), good);
    }
    let mut nobody = Client::new([refused, refused].as_slice(), localhost(), client_config).unwrap();
    assert!(matches!(nobody.connected(PATIENCE), Err(ClientError::Refused(_))));
}

#[test]
fn a_client_that_is_closed_calls_no_further_address() {
    let (client_config, _) = configs();
    let [(_one, first), (other, second)] = [silent(), silent()];
    let mut client = Client::new([first, second].as_slice(), localhost(), client_config).unwrap();
    client.close();
    while client.poll(Duration::from_millis(600)).unwrap().is_some() {}
    other.set_nonblocking(true).unwrap();
    assert!(other.recv(&mut [0; 16]).is_err());
}

/// One socket calls one address at a time.
#[test]
fn the_callers_socket_and_a_chosen_port_are_used_for_all_addresses() {
    let (client_config, server_config) = configs();
    let (_server, good) = echo_on_loopback(server_config);
    let (_socket, silent) = silent();
    let addresses = [silent, good];

    let own = UdpSocket::bind("127.0.0.5:0").unwrap();
    let local = own.local_addr().unwrap();
    let mut client =
        Client::over(own, addresses.as_slice(), localhost(), Arc::clone(&client_config)).unwrap();
    expect_echo(&mut client);
    assert_eq!((client.local_addr().unwrap(), client.server_addr()), (local, good));
    drop(client);

    let mut options = ClientOptions::default();
    (options.local_address, options.attempt_delay) = (Some(local), Duration::from_millis(20));
    let mut client =
        Client::with_options(addresses.as_slice(), localhost(), Arc::clone(&client_config), options).unwrap();
    expect_echo(&mut client);
    assert_eq!((client.local_addr().unwrap(), client.server_addr()), (local, good));

    options.local_address = Some("[::1]:0".parse().unwrap());
    let none = Client::with_options(addresses.as_slice(), localhost(), client_config, options);
    assert!(matches!(none, Err(ClientError::NoAddress)));
}

#[test]
fn a_client_calls_from_the_address_that_was_chosen() {
    let (client_config, server_config) = configs();
    let (_server, good) = echo_on_loopback(server_config);
    let mut options = ClientOptions::default();
    options.local_address = Some("127.0.0.7:0".parse().unwrap());
    let mut client = Client::with_options(good, localhost(), client_config, options).unwrap();
    expect_echo(&mut client);
    assert_eq!(client.local_addr().unwrap().ip().to_string(), "127.0.0.7");
}
