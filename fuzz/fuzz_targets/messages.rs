//! The first byte chooses a message, the rest is its body. What can be read can be written, in its one canonical form; that
//! form reads as the same message; and a cookie is found without reading the hello that carries it.
#![no_main]

use drystone_handshake::message::*;
use libfuzzer_sys::fuzz_target;

/// Calls `round_trip` for the type whose place in the list is `$choice`.
macro_rules! round_trip_one_of {
    ($choice:expr, $body:expr; $($message:ident)*) => {{
        let trips: &[fn(&[u8])] = &[$(|body| {
            let Ok(message) = $message::decode(body) else {
                return;
            };
            let mut canonical = Vec::new();
            message.encode(&mut canonical).expect("what was read can be written");
            let again = $message::decode(&canonical).expect("what was written can be read");
            let mut repeated = Vec::new();
            again.encode(&mut repeated).expect("what was read can be written");
            assert_eq!(canonical, repeated, concat!(stringify!($message), " has two canonical forms"));
            assert!(canonical.len() <= body.len(), concat!(stringify!($message), " grew"));
        }),*];
        trips[$choice % trips.len()]($body);
    }};
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else {
        return;
    };
    round_trip_one_of!(usize::from(*choice), body;
        ClientHello ServerHello HelloRetryRequest HelloVerifyRequest EncryptedExtensions
        Certificate12 Certificate13 CertificateRequest12 CertificateRequest13 CertificateVerify CertificateStatus
        ServerKeyExchange ServerHelloDone ClientKeyExchange Finished HelloRequest
        NewSessionTicket12 NewSessionTicket13 KeyUpdate NewConnectionId RequestConnectionId Ack Alert);
    hello(body);
    let _ = AnyServerHello::decode(body);
});

/// A stateless server reads a prefix; it must see what the whole says.
fn hello(body: &[u8]) {
    let Ok(hello) = ClientHello::decode(body) else {
        return;
    };
    assert!(hello.binders_len() <= body.len());
    let prefix = ClientHelloPrefix::decode_prefix(body).expect("the prefix of a hello");
    assert_eq!(
        (prefix.client_version, prefix.random, prefix.session_id, prefix.cookie),
        (hello.client_version, hello.random, hello.session_id, hello.cookie)
    );
}
