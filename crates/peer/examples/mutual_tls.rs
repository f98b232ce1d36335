//! A server that asks for its clients' certificates, and a client that has one, in one program; then a stranger, whom the server
//! refuses, and what both are told. `cargo run --example mutual_tls --features generate,tokio`

use std::{error::Error, net::SocketAddr, sync::Arc};

use drystone::tokio::{Connection, ConnectionError, Endpoint};
use drystone::x509::{Policy, ServerName, TrustAnchors};
use drystone::{ClientAuth, ClientConfig, Credential, Credentials, ServerConfig, ServerOptions, settings};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Real ones come from files: `x509::certificates_from_pem`, `x509::private_key_from_pem`.
    let [server, device, stranger] =
        ["localhost", "device-7", "stranger"].map(|name| drystone::self_signed([name]));
    let (server, device) = (server?, device?);
    let trusts_server = trust(&server)?;
    let config = ServerConfig::new(settings(), Credentials::single(server))?
        .with_client_auth(ClientAuth::Require(Arc::new(trust(&device)?)));
    let listener = Endpoint::server(([127, 0, 0, 1], 0).into(), Arc::new(config), ServerOptions::default())?;
    let remote = listener.local_addr()?;
    tokio::spawn(async move {
        while let Some(connection) = listener.accept().await {
            tokio::spawn(greet(connection));
        }
    });
    for credential in [device, stranger?] {
        match visit(remote, trusts_server.clone(), credential).await {
            Ok(greeting) => println!("the server said: {greeting}"),
            Err(error) => println!("refused: {error}"),
        }
    }
    Ok(())
}

fn trust(credential: &Credential) -> Result<Policy, Box<dyn Error>> {
    let mut anchors = TrustAnchors::new();
    anchors.add(credential.chain()[0].clone())?;
    Ok(Policy::new(anchors))
}

async fn greet(connection: Connection) -> Result<(), ConnectionError> {
    let certificates = &connection.connected().peer_chain;
    let subject = certificates.first().and_then(drystone::x509::subject_text).unwrap_or_default();
    connection.send(format!("hello, {subject}").as_bytes()).await?;
    Err(connection.closed().await)
}

async fn visit(remote: SocketAddr, trusted: Policy, own: Credential) -> Result<String, Box<dyn Error>> {
    let config = ClientConfig::new(settings(), trusted)?.with_credentials(Credentials::single(own));
    let name = ServerName::try_from("localhost")?;
    let endpoint = Endpoint::client(([127, 0, 0, 1], 0).into())?;
    let connection = endpoint.connect(remote, name, Arc::new(config)).await?;
    let mut buffer = [0; 2048];
    let length = connection.recv(&mut buffer).await?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}
