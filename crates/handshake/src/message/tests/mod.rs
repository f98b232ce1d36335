//! Tests of all messages together: round trips, damage, extension rules, and recorded handshakes.

mod damage;
mod extensions;
mod recorded;
mod round_trip;
mod strategies;

use super::*;
use crate::codec::{DecodeError, EncodeError};
use alloc::vec::Vec;
use core::fmt::Debug;

/// What every message can do. Bodies are leaked, so that one type stands for all of them.
trait Body: Sized + PartialEq + Debug {
    /// Whether a shorter or longer body may be a message too: one that ends with bytes without a length, or with an
    /// extension block that may be absent.
    const OPEN_ENDED: bool;

    fn decode(body: &'static [u8]) -> Result<Self, DecodeError>;
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError>;

    fn encoded(&self) -> &'static [u8] {
        let mut out = Vec::new();
        self.encode(&mut out).expect("a valid message");
        out.leak()
    }
}

macro_rules! body {
    ($($name:ident $(<$life:lifetime>)?: $open_ended:literal,)*) => {
        $(
            impl Body for $name $(<$life>)? {
                const OPEN_ENDED: bool = $open_ended;

                fn decode(body: &'static [u8]) -> Result<Self, DecodeError> {
                    $name::decode(body)
                }

                fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
                    $name::encode(self, out)
                }
            }
        )*

        /// Decodes bytes as every message, and holds each that can be read to [`canonical`].
        fn decode_as_everything(bytes: &'static [u8]) {
            $( canonical::<$name>(bytes); )*
        }
    };
}

body! {
    Ack<'static>: false,
    Alert: false,
    Certificate12<'static>: false,
    Certificate13<'static>: false,
    CertificateRequest12<'static>: false,
    CertificateRequest13<'static>: false,
    CertificateStatus<'static>: false,
    CertificateVerify<'static>: false,
    ClientHello<'static>: true,
    ClientKeyExchange<'static>: false,
    EncryptedExtensions<'static>: false,
    Finished<'static>: true,
    HelloRequest: false,
    HelloRetryRequest<'static>: false,
    HelloVerifyRequest<'static>: false,
    KeyUpdate: false,
    NewConnectionId<'static>: false,
    NewSessionTicket12<'static>: false,
    NewSessionTicket13<'static>: false,
    RequestConnectionId: false,
    ServerHello<'static>: true,
    ServerHelloDone: false,
    ServerKeyExchange<'static>: false,
}

/// Whatever can be read can be written, to the same length, and then read as the same message.
///
/// The bytes are the same except for the order of extensions, and an empty block of a hello, which is left out.
fn canonical<M: Body>(bytes: &'static [u8]) {
    let Ok(message) = M::decode(bytes) else {
        return;
    };
    let again = message.encoded();
    assert_eq!(M::decode(again), Ok(message));
    let empty_block = if M::OPEN_ENDED && bytes.ends_with(&[0, 0]) { 2 } else { 0 };
    assert!(again.len() == bytes.len() || again.len() + empty_block == bytes.len());
}
