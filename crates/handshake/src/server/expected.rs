//! What each of the server's states expects from the client: messages in their order, with their greatest lengths. Owns no
//! state; what a message must say is the state's own question.

use super::ServerState;
use crate::flight::{Bound, Expectation, Expected};
use crate::message::registry::HandshakeType as T;

/// The longest ClientKeyExchange that is buffered: more than a point of any curve has.
const KEY_EXCHANGE: Bound = Bound::Fixed(1024);

/// The longest Finished that is buffered: more than any hash has.
const FINISHED: Bound = Bound::Fixed(64);

/// A ClientHello, the first or the second.
static HELLO: [Expected; 1] = [Expected::always(T::CLIENT_HELLO, Bound::Other)];

/// Flight 5 of DTLS 1.2 (RFC 6347 figure 1) of a client that was asked for a certificate: with an empty one it proves nothing.
static FLIGHT_12: [Expected; 4] = [
    Expected::always(T::CERTIFICATE, Bound::ClientCertificate),
    Expected::always(T::CLIENT_KEY_EXCHANGE, KEY_EXCHANGE),
    Expected::maybe(T::CERTIFICATE_VERIFY, Bound::Other),
    Expected::always(T::FINISHED, FINISHED),
];

/// The same of a client that has shown no certificate.
static ANONYMOUS_FLIGHT_12: [Expected; 2] =
    [Expected::always(T::CLIENT_KEY_EXCHANGE, KEY_EXCHANGE), Expected::always(T::FINISHED, FINISHED)];

/// The client's flight of DTLS 1.3 (RFC 9846 section 2), if it was asked for a certificate.
static FLIGHT_13: [Expected; 3] = [
    Expected::always(T::CERTIFICATE, Bound::ClientCertificate),
    Expected::maybe(T::CERTIFICATE_VERIFY, Bound::Other),
    Expected::always(T::FINISHED, FINISHED),
];

/// What a client may send after the handshake.
static AFTER_HANDSHAKE: [Expected; 1] = [
    // RFC 9846 section 4.7.3.
    Expected::always(T::KEY_UPDATE, Bound::Fixed(1)),
];

/// What the client may send after the handshake: any number of these, in any order.
pub(crate) fn after_handshake() -> Expectation {
    Expectation::AnyOf(&AFTER_HANDSHAKE)
}

impl ServerState {
    /// What the client may send now.
    pub(crate) fn expectation(&self) -> Expectation {
        match self {
            Self::ClientHello(_) | Self::SecondClientHello(_) => Expectation::from(&HELLO, T::CLIENT_HELLO),
            Self::Certificate12(_) => Expectation::from(&FLIGHT_12, T::CERTIFICATE),
            Self::ClientKeyExchange(state) if state.has_chain() => {
                Expectation::from(&FLIGHT_12, T::CLIENT_KEY_EXCHANGE)
            }
            Self::ClientKeyExchange(_) => Expectation::from(&ANONYMOUS_FLIGHT_12, T::CLIENT_KEY_EXCHANGE),
            Self::CertificateVerify12(_) => Expectation::from(&FLIGHT_12, T::CERTIFICATE_VERIFY),
            Self::PeerVerification12(_) | Self::Finished12(_) => Expectation::from(&FLIGHT_12, T::FINISHED),
            Self::Certificate13(_) => Expectation::from(&FLIGHT_13, T::CERTIFICATE),
            Self::CertificateVerify13(_) => Expectation::from(&FLIGHT_13, T::CERTIFICATE_VERIFY),
            Self::PeerVerification13(_) | Self::Finished13(_) => Expectation::from(&FLIGHT_13, T::FINISHED),
            // The client waits for our flight.
            Self::Credential12(_)
            | Self::KeyExchangeSignature(_)
            | Self::Credential13(_)
            | Self::Signature13(_) => Expectation::NOTHING,
        }
    }
}
