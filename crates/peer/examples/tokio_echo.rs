//! An echo server on tokio: a task for each peer. `cargo run --example tokio_echo --features tokio -- 0.0.0.0:4433`

use std::{error::Error, sync::Arc};

use drystone::tokio::{Connection, Endpoint};
use drystone::x509::{certificates_from_pem, private_key_from_pem};
use drystone::{Credential, Credentials, ServerConfig, ServerOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let chain = certificates_from_pem(&std::fs::read("certificate.pem")?)?;
    let key = private_key_from_pem(&std::fs::read("key.pem")?)?;
    let credentials = Credentials::single(Credential::new(chain, &key)?);
    let config = Arc::new(ServerConfig::new(drystone::settings(), credentials)?);

    let address = std::env::args().nth(1).unwrap_or("0.0.0.0:4433".to_owned());
    let endpoint = Endpoint::server(address.parse()?, config, ServerOptions::default())?;
    println!("listening on {}", endpoint.local_addr()?.port());
    while let Some(connection) = endpoint.accept().await {
        tokio::spawn(async move {
            let reason = echo(&connection).await;
            println!("{} is gone: {reason:?}", connection.remote_addr());
        });
    }
    Ok(())
}

async fn echo(connection: &Connection) -> Result<(), drystone::tokio::ConnectionError> {
    let mut buffer = vec![0; 16_384];
    loop {
        let length = connection.recv(&mut buffer).await?;
        connection.send(&buffer[..length]).await?;
    }
}
