//! `drystone::tokio` over real sockets on loopback.

mod connection;
mod hostile;
mod many;

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use drystone::tokio::{Connection, Endpoint};
use drystone::{ClientConfig, ProtocolVersion, ServerConfig, ServerOptions};
use drystone_tests::identity::{Identity, client_config, name, server_config, settings_of};

const VERSIONS: [ProtocolVersion; 2] = [ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_3];

const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Given up only when nothing moves: longer than anything here takes on a machine under load.
const PATIENCE: Duration = Duration::from_secs(300);

fn configs(version: ProtocolVersion) -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let mut settings = settings_of(version);
    // So that a machine under load does not fail a handshake.
    settings.handshake_deadline = Some(PATIENCE);
    let identity = Identity::p256();
    (client_config(settings.clone(), identity), server_config(settings, identity))
}

fn server(version: ProtocolVersion) -> Endpoint {
    Endpoint::server(LOOPBACK, configs(version).1, ServerOptions::default()).expect("a free port")
}

fn address(server: &Endpoint) -> SocketAddr {
    server.local_addr().expect("bound")
}

/// A client and the server's side of its connection.
async fn pair(server: &Endpoint, version: ProtocolVersion) -> (Endpoint, Connection, Connection) {
    let endpoint = Endpoint::client(LOOPBACK).expect("a free port");
    let (connected, accepted) = tokio::join!(
        in_time(endpoint.connect(address(server), name(), configs(version).0)),
        in_time(server.accept())
    );
    (endpoint, connected.expect("connected"), accepted.expect("accepted"))
}

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("it moves")
}

/// Sends back what comes, until the connection is over.
async fn echo(connection: Connection) {
    let mut buffer = vec![0; 16_384];
    while let Ok(length) = connection.recv(&mut buffer).await {
        if connection.send(&buffer[..length]).await.is_err() {
            break;
        }
    }
}

/// Sends packets one after the other, each until it comes back. How many were sent again.
async fn echoes(connection: &Connection, packets: u32) -> usize {
    let (mut buffer, mut again) = ([0; 2048], 0);
    for number in 0..packets {
        let packet = number.to_be_bytes();
        connection.send(&packet).await.expect("connected");
        loop {
            match tokio::time::timeout(Duration::from_secs(2), connection.recv(&mut buffer)).await {
                Ok(length) => {
                    // Else it is the echo of a packet that was sent twice.
                    if buffer[..length.expect("connected")] == packet {
                        break;
                    }
                }
                Err(_) => {
                    again += 1;
                    assert!(again < 1_000, "nothing comes back");
                    connection.send(&packet).await.expect("connected");
                }
            }
        }
    }
    again
}
