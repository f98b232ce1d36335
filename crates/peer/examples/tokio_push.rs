//! A server on tokio whose packets come from elsewhere: a clock pushes its ticks to every peer that is connected.
//! `cargo run --example tokio_push --features tokio -- 0.0.0.0:4433`

use std::sync::{Arc, Mutex};
use std::{error::Error, time::Duration};

use drystone::tokio::{Connection, Endpoint};
use drystone::x509::{certificates_from_pem, private_key_from_pem};
use drystone::{Credential, Credentials, ServerConfig, ServerOptions};

type Peers = Arc<Mutex<Vec<Arc<Connection>>>>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let chain = certificates_from_pem(&std::fs::read("certificate.pem")?)?;
    let key = private_key_from_pem(&std::fs::read("key.pem")?)?;
    let credentials = Credentials::single(Credential::new(chain, &key)?);
    let config = Arc::new(ServerConfig::new(drystone::settings(), credentials)?);

    let address = std::env::args().nth(1).unwrap_or("0.0.0.0:4433".to_owned());
    let endpoint = Endpoint::server(address.parse()?, config, ServerOptions::default())?;
    println!("listening on {}", endpoint.local_addr()?.port());
    let peers = Peers::default();
    tokio::spawn(tick(Arc::clone(&peers)));
    while let Some(connection) = endpoint.accept().await {
        let connection = Arc::new(connection);
        peers.lock().unwrap().push(Arc::clone(&connection));
        let peers = Arc::clone(&peers);
        tokio::spawn(async move {
            let reason = connection.closed().await;
            println!("{} is gone: {reason}", connection.remote_addr());
            peers.lock().unwrap().retain(|peer| !Arc::ptr_eq(peer, &connection));
        });
    }
    Ok(())
}

/// Sends from a task that receives nothing.
async fn tick(peers: Peers) {
    for number in 0_u64.. {
        let present = peers.lock().unwrap().clone();
        for peer in present {
            // One that is gone is told of by its own task.
            let _ = peer.send(format!("tick {number}").as_bytes()).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
