//! What a connection tells its owner.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use drystone_x509::{CertificateDer, ServerName, UnixTime};

use crate::Error;
use crate::credential::Credential;
use crate::message::NewSessionTicket13;
use crate::message::registry::{CipherSuiteId, NamedGroup, ProtocolVersion, SignatureScheme, SrtpProfile};
use crate::verify::VerifyError;

/// Something that happened; taken with [`Connection::poll_event`](crate::Connection::poll_event).
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The handshake is done; application data may flow.
    Connected(Box<Connected>),
    /// A call-out answers later: hand the answer to [`Connection::answer`](crate::Connection::answer). Timers and
    /// repeats go on meanwhile.
    Request(RequestId, Box<Request>),
    /// The association ended without a fault, for this reason. Not told after [`Connection::close`](crate::Connection::close).
    Closed(CloseReason),
    /// The association ended with an error; also in [`Connection::error`](crate::Connection::error).
    Failed(Error),
    /// The write key has protected 7/8 of what it may: start a new association soon. Only in DTLS 1.2, which cannot change
    /// its keys; DTLS 1.3 does so by itself.
    KeysNearLimit,
    /// The path carries datagrams of at most `mtu` bytes of UDP payload: larger ones did not get through, or the transport
    /// refused them. Where it is concluded from losses, it can be an accident of a path that loses much:
    /// [`Connection::set_mtu`](crate::Connection::set_mtu) undoes it. Packets of more than `max_payload` bytes are refused from now on, unless
    /// [`Settings::ip_fragmentation`](crate::Settings::ip_fragmentation) is set.
    MtuReduced {
        /// Bytes of UDP payload.
        mtu: usize,
        /// Bytes of a packet.
        max_payload: usize,
    },
    /// A newer association of the same address took this one's place (RFC 6347 section 4.2.8).
    AssociationReplaced,
    /// The server gave a ticket for a later handshake (DTLS 1.3). At most 8 wait to be taken: a further one takes the place
    /// of the oldest.
    TicketReceived(Box<SessionTicket>),
}

/// Why an association ended without a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer sent close_notify.
    Peer,
    /// Nothing authentic came from the peer for this long
    /// ([`Connection::set_idle_timeout`](crate::Connection::set_idle_timeout)): it has vanished. close_notify was sent.
    IdleTimeout(Duration),
    /// The peer was silent while a newcomer needed a place ([`Connection::displaced`](crate::Connection::displaced)).
    /// close_notify was sent.
    Displaced,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer => f.write_str("the peer closed the connection"),
            Self::IdleTimeout(timeout) => {
                write!(f, "nothing came from the peer for {timeout:?}: it has vanished")
            }
            Self::Displaced => f.write_str("the silent peer's place was needed for another one"),
        }
    }
}

/// A ticket that a server gave (RFC 9846 section 4.7.1). Has no use yet but to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionTicket {
    /// How long the server takes it, in seconds: at least one.
    pub lifetime: u32,
    /// What is added to its age, in milliseconds, when it is used.
    pub age_add: u32,
    /// Tells this ticket's key from those of the others of this association.
    pub nonce: Vec<u8>,
    /// The ticket.
    pub ticket: Vec<u8>,
    /// Bytes of early data that it is good for; `None` for none.
    pub max_early_data: Option<u32>,
}

impl SessionTicket {
    pub(crate) fn decode(body: &[u8]) -> Result<Self, Error> {
        let message = NewSessionTicket13::decode(body)?;
        Ok(Self {
            lifetime: message.ticket_lifetime,
            age_add: message.ticket_age_add,
            nonce: message.ticket_nonce.to_vec(),
            ticket: message.ticket.to_vec(),
            max_early_data: message.extensions.early_data,
        })
    }
}

/// What was negotiated, and who the peer is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Connected {
    /// The version.
    pub version: ProtocolVersion,
    /// The cipher suite.
    pub cipher_suite: CipherSuiteId,
    /// The group of the key exchange.
    pub group: NamedGroup,
    /// The scheme of the server's handshake signature.
    pub signature_scheme: SignatureScheme,
    /// The application protocol, if one was negotiated.
    pub alpn: Option<Vec<u8>>,
    /// The DTLS-SRTP profile, if one was negotiated.
    pub srtp_profile: Option<SrtpProfile>,
    /// The DNS name that the client asked for, if any. Given on both sides.
    pub server_name: Option<String>,
    /// The peer's certificates, leaf first; empty if it presented none.
    #[doc(alias = "peer_certificates")]
    pub peer_chain: Vec<CertificateDer<'static>>,
    /// Whether the extended master secret is in use (always, unless the configuration admits peers without).
    pub extended_master_secret: bool,
}

/// Names one open request of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(pub(crate) u32);

/// A question whose answer the application gives later.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Request {
    /// Choose the credential to present.
    Credential {
        /// The name that the client asked for.
        server_name: Option<String>,
        /// The schemes that the peer can verify and that fit a common cipher suite, in the peer's order.
        signature_schemes: Vec<SignatureScheme>,
        /// The curves that the peer knows, where it said so.
        curves: Option<Vec<NamedGroup>>,
        /// The distinguished names (DER) of the authorities that the peer trusts; empty if it named none.
        authorities: Vec<Vec<u8>>,
    },
    /// Sign `message`.
    Signature {
        /// The credential whose key shall sign.
        credential: Arc<Credential>,
        /// The scheme to sign with.
        scheme: SignatureScheme,
        /// What to sign; the scheme includes the hash.
        message: Vec<u8>,
    },
    /// Verify the peer's certificates.
    PeerVerification {
        /// The chain as sent, leaf first; never empty.
        chain: Vec<CertificateDer<'static>>,
        /// The server's expected name; `None` where the peer is a client.
        server_name: Option<ServerName<'static>>,
        /// The present date, if the caller gave one.
        date: Option<UnixTime>,
    },
}

/// The answer to a [`Request`], of the same kind.
#[derive(Debug)]
#[non_exhaustive]
pub enum Answer {
    /// The credential to present, or none.
    Credential(Option<Arc<Credential>>),
    /// The signature, or a failure.
    Signature(Result<Vec<u8>, crate::crypto::SigningError>),
    /// Whether the peer is trusted.
    PeerVerification(Result<(), VerifyError>),
}
