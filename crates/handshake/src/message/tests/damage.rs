//! Damaged and arbitrary bodies never panic, and what can still be read is a message like any other.

use super::*;
use crate::codec::DecodeFault;
use crate::message::registry::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// Overwrites some bytes of a valid body.
fn damage(body: &[u8], changes: &[(prop::sample::Index, u8)]) -> &'static [u8] {
    let mut damaged = body.to_vec();
    for (index, value) in changes {
        if !damaged.is_empty() {
            let at = index.index(damaged.len());
            damaged[at] = *value;
        }
    }
    damaged.leak()
}

/// Values that are likely to be lengths, types, or their limits.
fn likely_byte() -> impl Strategy<Value = u8> {
    prop_oneof![0..=4u8, 30..=60u8, 253..=255u8, any::<u8>()]
}

fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    vec((any::<prop::sample::Index>(), likely_byte()), 1..4)
}

proptest! {
    #[test]
    fn arbitrary_bytes(bytes in vec(likely_byte(), 0..300)) {
        let bytes: &'static [u8] = bytes.leak();
        decode_as_everything(bytes);
        let _ = AnyServerHello::decode(bytes);
        let _ = ClientHelloPrefix::decode_prefix(bytes);
    }

    #[test]
    fn damaged_client_hello(message in strategies::client_hello(), changes in changes()) {
        decode_as_everything(damage(message.encoded(), &changes));
    }

    #[test]
    fn damaged_server_hello(message in strategies::server_hello(), changes in changes()) {
        decode_as_everything(damage(message.encoded(), &changes));
    }

    #[test]
    fn damaged_hello_retry_request(message in strategies::hello_retry_request(), changes in changes()) {
        decode_as_everything(damage(message.encoded(), &changes));
    }

    #[test]
    fn damaged_certificate13(message in strategies::certificate13(), changes in changes()) {
        decode_as_everything(damage(message.encoded(), &changes));
    }

    #[test]
    fn damaged_certificate_request12(message in strategies::certificate_request12(), changes in changes()) {
        decode_as_everything(damage(message.encoded(), &changes));
    }

    #[test]
    fn damaged_server_key_exchange(message in strategies::server_key_exchange(), changes in changes()) {
        decode_as_everything(damage(message.encoded(), &changes));
    }

    #[test]
    fn damaged_new_session_ticket13(message in strategies::new_session_ticket13(), changes in changes()) {
        decode_as_everything(damage(message.encoded(), &changes));
    }
}

fn fault<M: Body>(body: &'static [u8]) -> DecodeFault {
    M::decode(body).expect_err("a forbidden body").fault
}

#[test]
fn threat_86_explicit_curve_parameters_are_refused() {
    // explicit_prime, explicit_char2 (RFC 4492 section 5.4), and a value nobody defines.
    for curve_type in [1, 2, 0, 4, 255] {
        let body = [curve_type, 0, 23, 1, 4, 4, 3, 0, 0].to_vec().leak();
        assert_eq!(fault::<ServerKeyExchange<'_>>(body), DecodeFault::IllegalValue);
    }
    assert!(ServerKeyExchange::decode(&[3, 0, 23, 1, 4, 4, 3, 0, 0]).is_ok());
}

#[test]
fn values_that_are_always_illegal() {
    assert_eq!(fault::<KeyUpdate>(&[2]), DecodeFault::IllegalValue);
    assert_eq!(fault::<NewConnectionId<'_>>(&[0, 0, 2]), DecodeFault::IllegalValue);
    assert_eq!(fault::<CertificateStatus<'_>>(&[2, 0, 0, 1, 9]), DecodeFault::IllegalValue);
    assert_eq!(fault::<Finished<'_>>(&[]), DecodeFault::Truncated);
}

#[test]
fn lengths_outside_their_bounds() {
    let bounds = DecodeFault::LengthOutOfBounds;
    // A certificate without a byte, in both versions.
    assert_eq!(fault::<Certificate12<'_>>(&[0, 0, 3, 0, 0, 0]), bounds);
    assert_eq!(fault::<Certificate13<'_>>(&[0, 0, 0, 5, 0, 0, 0, 0, 0]), bounds);
    // No certificate type, no signature scheme, a name without a byte.
    assert_eq!(fault::<CertificateRequest12<'_>>(&[0, 0, 2, 4, 3, 0, 0]), bounds);
    assert_eq!(fault::<CertificateRequest12<'_>>(&[1, 64, 0, 0, 0, 0]), bounds);
    assert_eq!(fault::<CertificateRequest12<'_>>(&[1, 64, 0, 2, 4, 3, 0, 2, 0, 0]), bounds);
    assert_eq!(fault::<ClientKeyExchange<'_>>(&[0]), bounds);
    assert_eq!(fault::<NewSessionTicket13<'_>>(&[0; 13]), bounds);
    // A session id of 33 bytes.
    let mut hello = [7; 100];
    hello[34] = 33;
    assert_eq!(fault::<ClientHello<'_>>(hello.to_vec().leak()), bounds);
    assert_eq!(ClientHelloPrefix::decode_prefix(&hello).map_err(|error| error.fault), Err(bounds));
    assert_eq!(fault::<ServerHello<'_>>(hello.to_vec().leak()), bounds);
}

#[test]
fn threat_28_an_ack_that_does_not_fit_is_not_written() {
    let number = RecordNumber { epoch: 3, sequence: 9 };
    let most = alloc::vec![number; 4095];
    let mut out = Vec::new();
    assert!(Ack { record_numbers: most[..].into() }.encode(&mut out).is_ok());
    assert_eq!(out.len(), 2 + 4095 * 16);

    let too_many = alloc::vec![number; 10_000];
    let mut out = alloc::vec![1];
    let error = Ack { record_numbers: too_many[..].into() }.encode(&mut out).expect_err("160,000 bytes");
    assert_eq!((error.what, &out[..]), ("ACK", &[1][..]));
}

#[test]
fn half_a_record_number_is_an_error() {
    for missing in 1..16 {
        let mut body = alloc::vec![0; 2 + 32 - missing];
        body[1] = 32 - u8::try_from(missing).expect("small");
        assert_eq!(fault::<Ack<'_>>(body.leak()), DecodeFault::Truncated);
    }
}

#[test]
fn every_fault_has_its_alert() {
    let alert = |fault| DecodeError { what: "test", fault }.alert();
    for fault in [DecodeFault::Truncated, DecodeFault::TrailingBytes, DecodeFault::LengthOutOfBounds] {
        assert_eq!(alert(fault), AlertDescription::DECODE_ERROR);
    }
    for fault in
        [DecodeFault::DuplicateExtension, DecodeFault::ExtensionNotAllowed, DecodeFault::IllegalValue]
    {
        assert_eq!(alert(fault), AlertDescription::ILLEGAL_PARAMETER);
    }
}

#[test]
fn errors_name_what_was_read() {
    let error = KeyUpdate::decode(&[]).expect_err("no byte");
    assert_eq!(alloc::format!("{error}"), "KeyUpdate ends too early");
    let error = Certificate12::decode(&[0, 0, 1, 0]).expect_err("no certificate");
    assert_eq!(alloc::format!("{error}"), "Certificate ends too early");
}
