//! What the targets share that run whole connections: a client and a server over null cryptography, in simulated time,
//! and an attacker between them. Every call of a connection goes through [`End`], which checks what must always hold.

mod attack;
mod end;
mod input;
mod operations;
mod setup;
mod wire;
mod world;

pub use attack::attack;
pub use drystone_handshake::crypto::Side;
pub use end::End;
pub use input::Input;
pub use operations::operations;
pub use setup::Setup;
pub use world::World;
