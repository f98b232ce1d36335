//! Godot's packet peers over UDP and DTLS, with Godot's names, statuses and rules.

mod error;
mod peer;
#[allow(dead_code, reason = "used by the peers, which come next")]
mod queue;
mod status;

pub use error::{Error, PacketError};
pub use peer::PacketPeer;
pub use status::Status;
