//! What each of the client's states expects from the server: messages in their order, with their greatest lengths. Owns no
//! state; what a message must say is the state's own question.

use super::ClientState;
use crate::flight::{Bound, Expectation, Expected};
use crate::message::registry::HandshakeType as T;

/// The longest Finished that is buffered: more than any hash has.
const FINISHED: Bound = Bound::Fixed(64);

/// Flight 4 of DTLS 1.2 (RFC 6347 figure 1). A ServerHello, or HelloRetryRequest, of DTLS 1.3 is alone in plaintext.
static FLIGHT_12: [Expected; 5] = [
    Expected::always(T::SERVER_HELLO, Bound::Other),
    Expected::always(T::CERTIFICATE, Bound::Certificate),
    Expected::always(T::SERVER_KEY_EXCHANGE, Bound::Other),
    Expected::maybe(T::CERTIFICATE_REQUEST, Bound::CertificateRequest),
    Expected::always(T::SERVER_HELLO_DONE, Bound::Fixed(0)),
];

/// Flight 6 of DTLS 1.2.
static LAST_FLIGHT_12: [Expected; 1] = [Expected::always(T::FINISHED, FINISHED)];

/// What follows ServerHello in DTLS 1.3 (RFC 9846 section 2).
static FLIGHT_13: [Expected; 5] = [
    Expected::always(T::ENCRYPTED_EXTENSIONS, Bound::Other),
    Expected::maybe(T::CERTIFICATE_REQUEST, Bound::CertificateRequest),
    Expected::always(T::CERTIFICATE, Bound::Certificate),
    Expected::always(T::CERTIFICATE_VERIFY, Bound::Other),
    Expected::always(T::FINISHED, FINISHED),
];

/// What a server may send after the handshake. A ticket names a session that the server has kept, or has the session in itself: with
/// a long chain of certificates it does not fit.
static AFTER_HANDSHAKE: [Expected; 2] = [
    // RFC 9846 section 4.7.3.
    Expected::always(T::KEY_UPDATE, Bound::Fixed(1)),
    Expected::always(T::NEW_SESSION_TICKET, Bound::Fixed(4 * 1024)),
];

/// What the server may send after the handshake: any number of these, in any order.
pub(crate) fn after_handshake() -> Expectation {
    Expectation::AnyOf(&AFTER_HANDSHAKE)
}

impl ClientState {
    /// What the server may send now.
    pub(crate) fn expectation(&self) -> Expectation {
        match self {
            Self::ServerHello(state) => {
                Expectation::InOrder { messages: &FLIGHT_12, skipped: state.cookies().into() }
            }
            Self::Certificate12(_) => Expectation::from(&FLIGHT_12, T::CERTIFICATE),
            Self::ServerKeyExchange(_) => Expectation::from(&FLIGHT_12, T::SERVER_KEY_EXCHANGE),
            Self::ServerHelloDone(state) if state.is_asked() => {
                Expectation::from(&FLIGHT_12, T::SERVER_HELLO_DONE)
            }
            Self::ServerHelloDone(_) => Expectation::from(&FLIGHT_12, T::CERTIFICATE_REQUEST),
            Self::Finished12(_) => Expectation::from(&LAST_FLIGHT_12, T::FINISHED),
            Self::EncryptedExtensions(_) => Expectation::from(&FLIGHT_13, T::ENCRYPTED_EXTENSIONS),
            Self::Certificate13(state) if state.is_asked() => Expectation::from(&FLIGHT_13, T::CERTIFICATE),
            Self::Certificate13(_) => Expectation::from(&FLIGHT_13, T::CERTIFICATE_REQUEST),
            Self::CertificateVerify(_) => Expectation::from(&FLIGHT_13, T::CERTIFICATE_VERIFY),
            Self::PeerVerification13(_) | Self::Finished13(_) => Expectation::from(&FLIGHT_13, T::FINISHED),
            // The server has finished, and waits for our flight or does not (RFC 9846 section 4.7.1).
            Self::Credential13(_) | Self::Signature13(_) => after_handshake(),
            // The server waits for our flight.
            Self::PeerVerification12(_) | Self::Credential12(_) | Self::Signature12(_) => {
                Expectation::NOTHING
            }
        }
    }
}
