//! Handshake messages, ACK and alert: one struct per wire message, borrowed from the bytes it was read from.
//!
//! Every message has `decode(body)` and `encode(&self, &mut Vec<u8>)`, both without the handshake header. Where the
//! versions differ there are two structs side by side, named `..12` and `..13`. The same struct serves both ways:
//! lists are [`List`](crate::codec::List)s, which lie on the wire or in memory.
//!
//! Owns the formats and what the RFCs say about one message taken alone. Knows no state, no negotiation and no
//! cryptography: whether a message is expected, and whether its values were offered, is decided elsewhere.
//!
//! ```
//! use drystone_handshake::message::{ClientHello, ClientExtensions, registry::*};
//!
//! let hello = ClientHello {
//!     client_version: ProtocolVersion::DTLS_1_2,
//!     random: &[7; 32],
//!     session_id: &[],
//!     cookie: &[],
//!     cipher_suites: (&[CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]).into(),
//!     compression_methods: &[0],
//!     extensions: ClientExtensions {
//!         supported_groups: Some((&[NamedGroup::X25519]).into()),
//!         ..ClientExtensions::default()
//!     },
//! };
//! let mut body = Vec::new();
//! hello.encode(&mut body)?;
//! assert_eq!(ClientHello::decode(&body)?, hello);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod ack;
mod alert;
mod certificate;
mod certificate_request;
mod certificate_status;
mod certificate_verify;
mod client_hello;
mod connection_id;
mod extension;
mod finished;
mod hello_verify_request;
mod key_exchange;
mod key_update;
mod new_session_ticket;
pub mod registry;
mod server_hello;
#[cfg(test)]
mod tests;

pub use ack::{Ack, RecordNumber};
pub use alert::Alert;
pub use certificate::{Asn1Cert, Certificate12, Certificate13, CertificateEntry};
pub use certificate_request::{CertificateRequest12, CertificateRequest13, DistinguishedName};
pub use certificate_status::CertificateStatus;
pub use certificate_verify::{CertificateVerify, DigitallySigned};
pub use client_hello::{ClientHello, ClientHelloPrefix};
pub use connection_id::{ConnectionId, ConnectionIdUsage, NewConnectionId, RequestConnectionId};
pub(crate) use extension::ExtensionSet;
pub use extension::{
    CertificateEntryExtensions, CertificateRequestExtensions, CertificateStatusRequest, ClientExtensions,
    Empty, EncryptedExtensions, HelloRetryExtensions, KeyShareEntry, NewSessionTicketExtensions, OfferedPsks,
    Others, OthersIter, ProtocolName, PskBinder, PskIdentity, RawExtension, RecordSizeLimit,
    ServerHelloExtensions, ServerName, ServerNameList, UseSrtp, UseSrtpAnswer,
};
pub use finished::Finished;
pub use hello_verify_request::HelloVerifyRequest;
pub use key_exchange::{
    ClientKeyExchange, HelloRequest, ServerEcdhParams, ServerHelloDone, ServerKeyExchange,
};
pub use key_update::{KeyUpdate, KeyUpdateRequest};
pub use new_session_ticket::{NewSessionTicket12, NewSessionTicket13};
pub use server_hello::{
    AnyServerHello, DOWNGRADE_TO_1_1, DOWNGRADE_TO_1_2, HelloRetryRequest, RETRY_RANDOM, ServerHello,
};
