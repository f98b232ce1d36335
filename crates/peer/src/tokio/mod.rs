//! DTLS in programs on tokio: one [`Endpoint`] for each UDP socket, a [`Connection`] for each peer.
//!
//! An [`Endpoint`] has one task, which reads the socket, keeps the timers and hands out what arrives. There is no task and no
//! channel for each packet, and none for each peer: [`Connection::send`] seals and sends in the caller's task, and a packet that
//! arrives is copied once, into the bounded queue of its connection.
//!
//! Every method that waits may be cancelled, as `select!` and time-outs do it: no packet and no connection is lost by that.
//!
//! An echo server, with a task for each peer:
//!
//! ```no_run
//! use std::sync::Arc;
//! use drystone::{ServerConfig, ServerOptions, tokio::Endpoint};
//! # async fn run(config: Arc<ServerConfig>) -> Result<(), Box<dyn std::error::Error>> {
//! let endpoint = Endpoint::server(([0, 0, 0, 0], 4433).into(), config, ServerOptions::default())?;
//! while let Some(connection) = endpoint.accept().await {
//!     tokio::spawn(async move {
//!         let mut buffer = vec![0; 16_384];
//!         while let Ok(length) = connection.recv(&mut buffer).await {
//!             if connection.send(&buffer[..length]).await.is_err() {
//!                 break;
//!             }
//!         }
//!     });
//! }
//! # Ok(()) }
//! ```
//!
//! A client:
//!
//! ```no_run
//! use std::sync::Arc;
//! use drystone::{ClientConfig, tokio::Endpoint, x509::ServerName};
//! # async fn run(config: Arc<ClientConfig>) -> Result<(), Box<dyn std::error::Error>> {
//! let endpoint = Endpoint::client(([0, 0, 0, 0], 0).into())?;
//! let name = ServerName::try_from("game.example.org")?;
//! let connection = endpoint.connect("192.0.2.1:4433".parse()?, name, config).await?;
//! connection.send(b"ping").await?;
//! let mut buffer = [0; 2048];
//! let length = connection.recv(&mut buffer).await?;
//! println!("{:?}", &buffer[..length]);
//! endpoint.shutdown().await;
//! # Ok(()) }
//! ```

mod channel;
mod connection;
mod driver;
mod endpoint;
mod error;
mod shared;
mod socket;
mod state;

pub use connection::Connection;
pub use endpoint::Endpoint;
pub use error::ConnectionError;
