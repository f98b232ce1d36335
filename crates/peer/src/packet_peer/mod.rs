//! Godot's packet peers over UDP and DTLS, with Godot's names, statuses and rules.

mod address;
mod connect;
mod dtls;
mod dtls_server;
mod error;
mod exchange;
mod link;
mod peer;
mod queue;
mod status;
mod udp;
mod udp_server;

pub use connect::ConnectError;
pub use dtls::PacketPeerDtls;
pub use dtls_server::DtlsServer;
pub use error::{Error, PacketError};
pub use peer::PacketPeer;
pub use status::Status;
pub use udp::PacketPeerUdp;
pub use udp_server::UdpServer;
