//! The DTLS protocol without I/O: messages, flights, cookies, key schedules, the states of client and server, and
//! [`Connection`], which ties them to the record layer.
//!
//! ```text
//!  datagram in -> records -> epochs (drystone-record) -> reassembly (flight) -> state machine (client, server)
//!                                    |                                              |          |
//!                             application data                                 call-outs     events
//!  datagram out <- records <- epochs <- flights, alerts <---------------------------+
//! ```
//!
//! * [`Connection`] is one association; its page says how to drive it.
//! * [`Gate`] stands before a server's associations and answers strangers without memory but for a fixed pool,
//!   [`PartialHellos`].
//! * [`Settings`], [`ClientConfig`] and [`ServerConfig`] configure both.
//! * [`PeerVerifier`], [`CredentialResolver`] and [`crypto::SigningKey`] are the call-outs; each may answer later.
//!
//! No socket, no clock, no global state; `no_std` with `alloc`. Time and datagrams are arguments, randomness is a
//! setting. Whoever wants sockets uses the crate `drystone`.
//!
//! The modules `codec` and `message`, and those of the key schedules in [`crypto`], are public for tests, benches and fuzz
//! targets, are not shown here, and promise nothing.
//!
//! The feature `pq` adds the post-quantum group X25519MLKEM768; `tracing` emits diagnostic events of handshakes, never of
//! application data, under the target `drystone_handshake`.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod client;
#[doc(hidden)]
pub mod codec;
mod config;
mod connection;
mod credential;
pub mod crypto;
mod error;
mod event;
mod facts;
mod flight;
#[cfg(fuzzing)]
pub mod fuzzing;
mod machine;
#[doc(hidden)]
pub mod message;
mod observe;
mod random;
mod server;
mod signature;
mod time;
mod trace;
mod transcript;
mod v12;
mod v13;
mod verify;

pub use config::{
    ClientAuth, ClientConfig, CookieSecret, CookieSettings, FirstKeyShare, MIN_MTU, PartialHelloSettings,
    ServerConfig, Settings,
};
pub use connection::{Connection, Data, Datagram, Path, SrtpKeys, Transmit};
pub use credential::{Credential, CredentialError, CredentialOffer, CredentialResolver, Credentials};
pub use error::{ConfigError, Error, Incompatibility, Misbehaviour, Misuse};
pub use event::{Answer, CloseReason, Connected, Event, Request, RequestId, SessionTicket};
pub use flight::Limits;
pub use message::registry::{
    AlertDescription, CipherSuiteId, HandshakeType, NamedGroup, ProtocolVersion, SignatureScheme, SrtpProfile,
};
pub use observe::{Direction, KeyLog, Observed, Observer};
pub use random::{FromRng, SecureRandom};
pub use server::gate::{Gate, Verdict};
pub use server::greeting::{Greeting, HelloId};
pub use server::partial::{PartialHellos, Stranger};
pub use time::{Instant, Start};
pub use verify::{DangerouslyAcceptAnyCertificate, PeerCertificates, PeerVerifier, VerifyError};

pub use drystone_record::{Discard, Overhead, Padding, RecordNumber, Stats};
