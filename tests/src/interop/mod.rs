//! Interop with programs of other people: starts them, talks through them, and says what happened.
//!
//! It knows programs, files and UDP ports. It must not know anything of drystone's inside: the drystone side is the
//! `drystone` command, driven like every other peer. Only against Godot it is the library, which a game uses in Godot's
//! place: that side is in the test itself.

mod conversation;
mod drystone;
mod failure;
mod gnutls;
mod godot;
mod lossy;
mod matrix;
mod openssl;
mod pki;
mod port;
mod process;
mod relay;
mod side;
mod stack;
mod table;
mod table_tests;

pub use conversation::{Conversation, Report};
pub use failure::{Failure, Told};
pub use godot::{Godot, GodotPeer, GodotProject, Script, godot_is_here};
pub use lossy::faults;
pub use matrix::Pair;
pub use pki::{Identity, Pki};
pub use process::{Exit, Process, Stream};
pub use relay::{Fault, Relay};
pub use side::{Group, KeyKind, SUITES, Side, Suite};
pub use stack::{Client, Echo, Server, Stack, peers_are_here, program_is_here};
pub use table::{Cell, Table};
