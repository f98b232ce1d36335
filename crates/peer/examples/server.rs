//! A server that waits for what comes: see the README.

use drystone::x509::{certificates_from_pem, private_key_from_pem};
use drystone::{Credential, Credentials, Server, ServerConfig, ServerEvent};
use std::{sync::Arc, time::Duration};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let chain = certificates_from_pem(&std::fs::read("certificate.pem")?)?;
    let key = private_key_from_pem(&std::fs::read("key.pem")?)?;
    let credentials = Credentials::single(Credential::new(chain, &key)?);
    let config = Arc::new(ServerConfig::new(drystone::settings(), credentials)?);
    let address = std::env::args().nth(1).unwrap_or("0.0.0.0:4433".to_owned());
    let mut server = Server::bind(address.parse()?, config)?;
    println!("listening on {}", server.local_addr()?.port());
    loop {
        let echo = match server.poll(Duration::from_secs(1))? {
            Some(ServerEvent::Packet(peer, packet)) => Some((peer, packet.payload.to_vec())),
            _ => None,
        };
        if let Some((peer, payload)) = echo {
            server.send(peer, &payload)?;
        }
    }
}
