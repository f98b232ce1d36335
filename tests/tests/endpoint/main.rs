//! `Endpoint` over simulated links and simulated time: whom it lets in, whom it drops, and what it costs.

mod associations;
mod cost;
mod sources;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use drystone::{ClientConfig, ProtocolVersion, ServerConfig};
use drystone_tests::identity::{Identity, client_config, server_config, settings_of};

const VERSIONS: [ProtocolVersion; 2] = [ProtocolVersion::DTLS_1_2, ProtocolVersion::DTLS_1_3];

const SECOND: Duration = Duration::from_secs(1);

fn configs(version: ProtocolVersion) -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let identity = Identity::p256();
    (client_config(settings_of(version), identity), server_config(settings_of(version), identity))
}

/// One of 250 networks by the last digits of the number.
fn address(number: u16) -> SocketAddr {
    ([10, 0, (number % 250) as u8, 7], 10_000 + number).into()
}
