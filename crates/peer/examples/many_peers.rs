//! A server and a thousand clients in one program on tokio, each with a socket of its own.
//! `cargo run --release --example many_peers --features generate,tokio -- 1000`

use std::{error::Error, net::SocketAddr, sync::Arc, time::Duration};

use drystone::tokio::{Connection, ConnectionError, Endpoint};
use drystone::x509::{Policy, ServerName, TrustAnchors};
use drystone::{ClientConfig, Credentials, ServerConfig, ServerOptions};
use tokio::{task::JoinSet, time::timeout};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let count: usize = std::env::args().nth(1).map_or(Ok(1000), |count| count.parse())?;
    let credential = drystone::self_signed(["localhost"])?;
    let mut anchors = TrustAnchors::new();
    anchors.add(credential.chain()[0].clone())?;
    let server_config = ServerConfig::new(drystone::settings(), Credentials::single(credential))?;
    let client_config = Arc::new(ClientConfig::new(drystone::settings(), Policy::new(anchors))?);

    let mut options = ServerOptions::default();
    options.max_half_open_per_network = options.max_half_open; // all come from one network here
    let server = Endpoint::server(([127, 0, 0, 1], 0).into(), Arc::new(server_config), options)?;
    let (remote, acceptor) = (server.local_addr()?, server.clone());
    tokio::spawn(async move {
        while let Some(connection) = acceptor.accept().await {
            tokio::spawn(async move { echo(&connection).await });
        }
    });
    let mut clients = JoinSet::new();
    for number in 0..count {
        clients.spawn(visit(remote, number, Arc::clone(&client_config)));
    }
    let visits = clients.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    println!("{} clients, {} peers, {:?}", visits.len(), server.peer_count(), server.stats());
    server.shutdown().await;
    Ok(())
}

async fn echo(connection: &Connection) -> Result<(), ConnectionError> {
    let mut buffer = [0; 2048];
    loop {
        let length = connection.recv(&mut buffer).await?;
        connection.send(&buffer[..length]).await?;
    }
}

/// Connects, and sends a packet until it comes back: a full socket loses some.
async fn visit(
    remote: SocketAddr,
    number: usize,
    config: Arc<ClientConfig>,
) -> Result<Connection, ConnectionError> {
    let endpoint = Endpoint::client(([127, 0, 0, 1], 0).into())?;
    let name = ServerName::try_from("localhost").expect("a name");
    let (connection, mut buffer) = (endpoint.connect(remote, name, config).await?, [0; 2048]);
    loop {
        connection.send(&number.to_be_bytes()).await?;
        if timeout(Duration::from_secs(1), connection.recv(&mut buffer)).await.is_ok() {
            return Ok(connection);
        }
    }
}
