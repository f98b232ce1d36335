//! DTLS in pure Rust, no OpenSSL and no `unsafe`: the crate that programs depend on.
//!
//! | you want | reach for |
//! | --- | --- |
//! | what a game on Godot has, or five lines per frame | [`PacketPeerDtls`], [`DtlsServer`]: the module [`packet_peer`] |
//! | a client or a server over UDP that waits by itself | [`Client`], [`Server`] |
//! | connections in a program on tokio | the module `tokio` (feature `tokio`) |
//! | many peers over a transport or in a loop of your own | [`Endpoint`] |
//! | the protocol over a transport of your own (WebRTC, CoAP, a tunnel, a simulation) | [`Connection`] and [`Gate`] |
//! | to decide which certificates to trust | [`x509::Policy`] |
//! | certificates and keys in files | [`X509Certificate`], [`CryptoKey`] |
//!
//! Everything of the protocol is re-exported here; its core reads no clock and touches no socket. This crate adds
//! what a program on an operating system needs: sockets, [`Clock`], [`OsRandom`], [`settings()`], [`KeyLogFile`].
//!
//! ```text
//!  Client        Server        PacketPeerDtls    DtlsServer + UdpServer      a program's own transport
//!     |             |                |                    |                              |
//!     +-- socket, clock, randomness, inbox, routes -------+                              |
//!                            |                                                           |
//!                            v                                                           v
//!          datagrams and time in --> Connection, Gate (drystone-handshake) --> datagrams, deadlines, events out
//! ```
//!
//! # Features
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `ring` (on by default) | the cryptography of ring, `settings()`, keys and certificates in files, and the module `packet_peer`; without it a program brings a `crypto::CryptoProvider` of its own |
//! | `pq` (on by default) | the post-quantum group X25519MLKEM768 of DTLS 1.3, first in the order of preference |
//! | `system-roots` | the operating system's trust anchors (`x509::TrustAnchors::system`) |
//! | `generate` | new keys and self-signed certificates (`Crypto`) |
//! | `tokio` | the module `tokio`: an endpoint and its connections in programs on tokio |
//! | `variant` | Godot's values on the wire (`Variant`), and its `put_var` and `get_var` on every [`PacketPeer`] |
//! | `tracing` | diagnostic events for the crate `tracing`, targets `drystone` and `drystone_handshake`: messages, alerts, retransmissions, ends; never packets |

// Tests that are compiled with the crate use modules that are written for its users.
#[cfg(test)]
extern crate self as drystone;

mod client;
mod clock;
#[cfg_attr(not(feature = "ring"), allow(dead_code, reason = "parts are for `packet_peer` alone"))]
mod endpoint;
mod error;
mod inbox;
mod key_log;
#[cfg(feature = "ring")]
mod keys;
#[cfg(all(test, feature = "ring"))]
mod narrow_path;
#[cfg(feature = "ring")]
pub mod packet_peer;
#[cfg(any(feature = "ring", feature = "tokio"))]
mod packet_queue;
mod random;
mod server;
#[cfg_attr(not(feature = "ring"), allow(dead_code, reason = "parts are for `packet_peer` alone"))]
mod socket;
#[cfg(feature = "tokio")]
pub mod tokio;
mod trace;
#[cfg(feature = "variant")]
pub mod variant;

pub use client::{Client, ClientEvent, ClientOptions};
pub use clock::Clock;
pub use drystone_handshake::crypto;
#[doc(inline)]
pub use drystone_handshake::{
    AlertDescription, Answer, CipherSuiteId, ClientAuth, ClientConfig, CloseReason, ConfigError, Connected,
    Connection, CookieSecret, CookieSettings, Credential, CredentialError, CredentialOffer,
    CredentialResolver, Credentials, DangerouslyAcceptAnyCertificate, Data, Datagram, Direction, Discard,
    Error, Event, FirstKeyShare, FromRng, Gate, Greeting, HandshakeType, HelloId, Incompatibility, Instant,
    KeyLog, Limits, MIN_MTU, Misbehaviour, Misuse, NamedGroup, Observed, Observer, Overhead, Padding,
    PartialHelloSettings, PartialHellos, Path, PeerCertificates, PeerVerifier, ProtocolVersion, RecordNumber,
    Request, RequestId, SecureRandom, ServerConfig, SessionTicket, Settings, SignatureScheme, SrtpKeys,
    SrtpProfile, Start, Stats, Stranger, Transmit, Verdict, VerifyError,
};
pub use drystone_x509 as x509;
pub use endpoint::{
    Endpoint, EndpointError, EndpointEvent, EndpointTransmit, FourTuple, Incoming, PeerId, ServerOptions,
    ServerStats,
};
pub use error::{ClientError, SendError, ServerError};
pub use inbox::Packet;
pub use key_log::KeyLogFile;
#[cfg(feature = "generate")]
pub use keys::{Crypto, GenerateError, KeyAlgorithm, SelfSigned, self_signed};
#[cfg(feature = "ring")]
pub use keys::{CryptoError, CryptoKey, X509Certificate};
#[cfg(feature = "ring")]
pub use packet_peer::{
    ConnectError, DtlsServer, PacketError, PacketPeer, PacketPeerDtls, PacketPeerUdp, Status, UdpServer,
};
pub use random::OsRandom;
#[cfg(feature = "ring")]
pub use random::settings;
pub use server::{Server, ServerEvent, ServerHandle};
#[cfg(feature = "variant")]
pub use variant::{PacketPeerVariant, VarError, Variant, VariantError, VariantFormat};

/// The README's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
