//! What is written is read as the same message; a body cut short or drawn out is an error.

use super::*;
use proptest::prelude::*;

/// Encodes, decodes, compares; then does the same with every prefix and with trailing bytes.
fn round_trip<M: Body>(message: &M) {
    let body = message.encoded();
    assert_eq!(M::decode(body).as_ref(), Ok(message));

    for length in 0..body.len() {
        let prefix = &body[..length];
        match M::decode(prefix) {
            Err(_) => {}
            // A prefix may be a message only where the format says so, and then it is that message exactly.
            Ok(shorter) => {
                assert!(M::OPEN_ENDED, "{length} of {} bytes were accepted", body.len());
                assert_eq!(shorter.encoded(), prefix);
            }
        }
    }

    if !M::OPEN_ENDED {
        let longer = [body, &[0]].concat().leak();
        assert!(M::decode(longer).is_err(), "a trailing byte was accepted");
    }
}

macro_rules! round_trips {
    ($($name:ident)*) => {
        proptest! { $(
            #[test]
            fn $name(message in strategies::$name()) {
                round_trip(&message);
            }
        )* }
    };
}

round_trips! {
    ack
    alert
    certificate12
    certificate13
    certificate_request12
    certificate_request13
    certificate_status
    certificate_verify
    client_hello
    client_key_exchange
    encrypted_extensions
    finished
    hello_request
    hello_retry_request
    hello_verify_request
    key_update
    new_connection_id
    new_session_ticket12
    new_session_ticket13
    request_connection_id
    server_hello
    server_hello_done
    server_key_exchange
}

proptest! {
    #[test]
    fn hellos_of_a_server_are_told_apart(
        hello in strategies::server_hello(), retry in strategies::hello_retry_request()
    ) {
        prop_assert_eq!(AnyServerHello::decode(hello.encoded()), Ok(AnyServerHello::Hello(hello)));
        prop_assert_eq!(AnyServerHello::decode(retry.encoded()), Ok(AnyServerHello::Retry(retry)));
        prop_assert!(HelloRetryRequest::decode(hello.encoded()).is_err());
    }

    #[test]
    fn the_prefix_of_a_hello_is_read_from_any_first_fragment(hello in strategies::client_hello()) {
        let body = hello.encoded();
        let end_of_cookie = 2 + 32 + 1 + hello.session_id.len() + 1 + hello.cookie.len();
        for length in 0..body.len() {
            let prefix = ClientHelloPrefix::decode_prefix(&body[..length]);
            prop_assert_eq!(prefix.is_ok(), length >= end_of_cookie);
            if let Ok(prefix) = prefix {
                prop_assert_eq!(
                    (prefix.client_version, prefix.random, prefix.session_id, prefix.cookie),
                    (hello.client_version, hello.random, hello.session_id, hello.cookie),
                );
            }
        }
    }

    #[test]
    fn binders_are_the_end_of_a_hello(hello in strategies::client_hello()) {
        let body = hello.encoded();
        let (truncated, binders) = body.split_at(body.len() - hello.binders_len());
        match hello.extensions.pre_shared_key {
            None => prop_assert!(binders.is_empty()),
            Some(psks) => {
                let lengths: usize = psks.binders.iter().map(|binder| 1 + binder.binder.len()).sum();
                prop_assert_eq!(&binders[..2], &u16::try_from(lengths).expect("small").to_be_bytes());
                prop_assert_eq!(binders.len(), 2 + lengths);
                prop_assert!(ClientHello::decode(truncated).is_err());
            }
        }
    }

    #[test]
    fn the_types_of_a_block_are_all_that_is_in_it(extensions in strategies::client_extensions()) {
        let hello = ClientHello {
            client_version: registry::ProtocolVersion::DTLS_1_2,
            random: &[7; 32],
            session_id: &[],
            cookie: &[],
            cipher_suites: (&[registry::CipherSuiteId(1)]).into(),
            compression_methods: &[0],
            extensions,
        };
        let block = hello.encoded().get(42..).unwrap_or_default();
        let mut expected = extensions::types_on_the_wire(block);
        let mut types: Vec<_> = extensions.types().collect();
        prop_assert!(types.iter().all(|&known| extensions.contains(known)));
        prop_assert_eq!(types.len(), expected.len());
        types.sort();
        expected.sort();
        prop_assert_eq!(types, expected);
    }
}
