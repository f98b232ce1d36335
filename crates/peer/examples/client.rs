//! A client that waits for what comes: see the README.

use drystone::x509::{Policy, ServerName, TrustAnchors};
use drystone::{Client, ClientConfig, ClientEvent};
use std::{sync::Arc, time::Duration};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = std::env::args().nth(1).unwrap_or("localhost:4433".to_owned());
    let anchors = TrustAnchors::from_pem(&std::fs::read("certificate.pem")?)?;
    let config = ClientConfig::new(drystone::settings(), Policy::new(anchors))?;
    let name = ServerName::try_from("localhost")?;
    let mut client = Client::new(server, name, Arc::new(config))?;
    client.connected(Duration::from_secs(10))?;
    client.send(b"hello")?;
    while let Some(event) = client.poll(Duration::from_secs(1))? {
        if let ClientEvent::Packet(packet) = event {
            println!("{} bytes came back", packet.payload.len());
        }
    }
    Ok(())
}
