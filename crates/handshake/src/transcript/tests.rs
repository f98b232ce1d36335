//! The transcript against recorded handshakes of both versions, and its limits.

use std::format;
use std::vec;

use serde_json::Value;

use super::*;
use crate::crypto::prf12::{MasterSecret, Randoms};
use crate::crypto::ring::{HMAC_SHA_256, SHA_256, SHA_384, SHA_512, provider};
use crate::crypto::test_support::{hex, vector};
use crate::crypto::{Secret, Side};
use crate::message::registry::CipherSuiteId;

/// A handshake message, whole, with its 12-byte header in front.
type Message = Vec<u8>;

fn message_seq(message: &[u8]) -> u16 {
    u16::from_be_bytes([message[4], message[5]])
}

fn push(transcript: &mut Transcript, message: &[u8]) {
    transcript.push(HandshakeType(message[0]), message_seq(message), &message[12..]).unwrap();
}

/// The records of a datagram: content type, epoch and sequence number, fragment.
fn records(datagram: &Value) -> Vec<(u8, [u8; 8], Vec<u8>)> {
    let bytes = hex(datagram["hex"].as_str().unwrap());
    let mut rest = bytes.as_slice();
    let mut records = Vec::new();
    while let [content_type, _, _, number_and_more @ ..] = rest {
        let number = number_and_more[..8].try_into().unwrap();
        let length = usize::from(u16::from_be_bytes([number_and_more[8], number_and_more[9]]));
        records.push((*content_type, number, number_and_more[10..10 + length].to_vec()));
        rest = &number_and_more[10 + length..];
    }
    records
}

/// Opens a record of AES-128-GCM in DTLS 1.2: RFC 5288 section 3, RFC 6347 section 4.1.2.1.
fn open(key: &[u8], salt: &[u8], (content_type, number, fragment): &(u8, [u8; 8], Vec<u8>)) -> Vec<u8> {
    let (explicit_nonce, rest) = fragment.split_at(8);
    let (ciphertext, tag) = rest.split_at(rest.len() - 16);
    let nonce = [salt, explicit_nonce].concat();
    let length = u16::try_from(ciphertext.len()).unwrap().to_be_bytes();
    let additional_data = [number.as_slice(), &[*content_type, 0xfe, 0xfd], &length].concat();
    let mut text = ciphertext.to_vec();
    let suite = provider().cipher_suite(CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256).unwrap();
    let aead = suite.aead.key(key).unwrap();
    aead.open(&nonce.try_into().unwrap(), &additional_data, &mut text, tag).expect("the record opens");
    text
}

/// From the first ClientHello to both Finished of a recorded handshake (OpenSSL), with the master secret of its key
/// log: transcript, key block and verify_data fit together.
#[test]
fn both_finished_of_a_recorded_dtls12_handshake() {
    let capture = vector("dtls12-captures/d12-ecdhe-aes128gcm.json");
    let log = capture["keylog"][0].as_str().unwrap();
    let master = Secret::from_slice(&hex(log.rsplit(' ').next().unwrap()));
    let master = MasterSecret::from_secret(HMAC_SHA_256, master);

    let mut plaintext: Vec<Message> = Vec::new();
    let mut finished = Vec::new();
    for datagram in capture["datagrams"].as_array().unwrap() {
        for record in records(datagram) {
            match record {
                (22, [0, 0, ..], message) => plaintext.push(message),
                (22, ..) => finished.push((plaintext.len(), record)),
                _ => {}
            }
        }
    }
    let types: Vec<u8> = plaintext.iter().map(|message| message[0]).collect();
    assert_eq!(types, [1, 3, 1, 2, 11, 12, 14, 16, 4]);

    let mut buffer = TranscriptBuffer::new(4096);
    for message in &plaintext[..2] {
        buffer.push(HandshakeType(message[0]), message_seq(message), &message[12..]).unwrap();
    }
    buffer.clear();
    for message in &plaintext[2..4] {
        buffer.push(HandshakeType(message[0]), message_seq(message), &message[12..]).unwrap();
    }
    let mut transcript = buffer.into_transcript(Framing::WithFragmentFields, SHA_256, true);
    plaintext[4..8].iter().for_each(|message| push(&mut transcript, message));
    assert_eq!(transcript.raw().unwrap(), plaintext[2..8].concat());

    let randoms = Randoms {
        client: plaintext[2][14..46].try_into().unwrap(),
        server: plaintext[3][14..46].try_into().unwrap(),
    };
    let suite = provider().cipher_suite(CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256).unwrap();
    let (client_finished, server_finished) = master.use_key_block(suite, &randoms, |keys| {
        let client = open(keys.client_key, keys.client_iv, &finished[0].1);
        (client, open(keys.server_key, keys.server_iv, &finished[1].1))
    });

    assert_eq!(master.verify_data(Side::Client, &transcript.current_hash()), client_finished[12..]);
    push(&mut transcript, &client_finished);
    push(&mut transcript, &plaintext[8]);
    assert_eq!(master.verify_data(Side::Server, &transcript.current_hash()), server_finished[12..]);
}

/// Both hashes that the recorded DTLS 1.3 key schedule was derived from.
#[test]
fn recorded_dtls13_handshake() {
    let schedule = vector("illustrated-dtls13/key-schedule.json");
    let values = &schedule["values"];
    let wire = vector("illustrated-dtls13/records.json");
    let hello = |name: &str| hex(wire["datagrams_on_wire"][name].as_str().unwrap())[13..].to_vec();

    let mut buffer = TranscriptBuffer::new(4096);
    let client_hello = hello("01-hello-c");
    buffer.push(HandshakeType::CLIENT_HELLO, message_seq(&client_hello), &client_hello[12..]).unwrap();
    let mut transcript = buffer.into_transcript(Framing::WithoutFragmentFields, SHA_256, false);
    push(&mut transcript, &hello("02-hello-s"));
    assert_eq!(transcript.current_hash(), *hex(values["hello_hash"].as_str().unwrap()).as_slice());

    for name in ["03-encext-shs-prot", "04-cert-shs-prot", "05-cverify-shs-prot", "06-fin-shs-prot"] {
        push(&mut transcript, &hex(values["protected_records"][name]["plaintext"].as_str().unwrap()));
    }
    let expected = hex(values["server_finished_hash"].as_str().unwrap());
    assert_eq!(transcript.current_hash(), *expected.as_slice());
    assert_eq!(transcript.raw(), None);
}

/// RFC 8448 section 5: the hash after the second hello, both as the client makes it and as a server does that kept
/// only the hash of the first.
#[test]
fn hello_retry_request() {
    let file = vector("rfc8448-traces.json");
    let steps = file["sections"][2]["steps"].as_array().unwrap();
    let messages = |name: &str| -> Vec<Vec<u8>> {
        let fields = steps.iter().filter(|step| step["title"].as_str().unwrap().starts_with("construct a"));
        fields.filter_map(|step| step["fields"][name]["hex"].as_str()).map(hex).collect()
    };
    let (client, server) = (messages("ClientHello"), messages("ServerHello"));
    let hash_of_label =
        steps.iter().find(|step| step["title"] == "derive secret \"tls13 c hs traffic\":").unwrap();
    let expected = hex(hash_of_label["fields"]["hash"]["hex"].as_str().unwrap());

    let finish = |mut transcript: Transcript| {
        // Bodies begin after type and length in TLS.
        transcript.push(HandshakeType::SERVER_HELLO, 0, &server[0][4..]).unwrap();
        transcript.push(HandshakeType::CLIENT_HELLO, 1, &client[1][4..]).unwrap();
        transcript.push(HandshakeType::SERVER_HELLO, 1, &server[1][4..]).unwrap();
        transcript.current_hash()
    };
    let mut buffer = TranscriptBuffer::new(4096);
    buffer.push(HandshakeType::CLIENT_HELLO, 0, &client[0][4..]).unwrap();
    let transcript = buffer.into_transcript(Framing::WithoutFragmentFields, SHA_256, false);
    assert_eq!(finish(transcript.replace_hello_with_message_hash()), *expected.as_slice());

    let hello1_hash = SHA_256.hash(&[&client[0]]);
    assert_eq!(finish(Transcript::after_stateless_retry(SHA_256, &hello1_hash)), *expected.as_slice());
}

#[test]
fn the_two_framings() {
    let transcript = |framing| {
        let mut transcript = TranscriptBuffer::new(100).into_transcript(framing, SHA_256, true);
        transcript.push(HandshakeType::FINISHED, 0x0102, &[7; 12]).unwrap();
        transcript.raw().unwrap().to_vec()
    };
    let body = [7; 12];
    let with = [&[20, 0, 0, 12, 1, 2, 0, 0, 0, 0, 0, 12][..], &body].concat();
    assert_eq!(transcript(Framing::WithFragmentFields), with);
    assert_eq!(transcript(Framing::WithoutFragmentFields), [&[20, 0, 0, 12][..], &body].concat());
}

#[test]
fn raw_messages_can_be_hashed_with_another_hash() {
    let mut transcript =
        TranscriptBuffer::new(1000).into_transcript(Framing::WithFragmentFields, SHA_256, true);
    transcript.push(HandshakeType::SERVER_HELLO_DONE, 4, &[]).unwrap();
    let raw = [14, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0];
    for hash in [SHA_256, SHA_384, SHA_512] {
        assert_eq!(transcript.hash_of_raw_with(hash), Some(hash.hash(&[&raw])));
    }
    transcript.forget_raw();
    assert_eq!((transcript.raw(), transcript.hash_of_raw_with(SHA_384)), (None, None));
    assert_eq!(transcript.current_hash(), SHA_256.hash(&[&raw]));
}

#[test]
fn no_more_is_kept_than_the_limit() {
    let body = [0; 50];
    let mut buffer = TranscriptBuffer::new(124);
    assert_eq!(buffer.push(HandshakeType::CLIENT_HELLO, 0, &body), Ok(()));
    assert_eq!(buffer.push(HandshakeType::CLIENT_HELLO, 1, &[0; 51]), Err(TranscriptFull));
    assert_eq!(buffer.push(HandshakeType::CLIENT_HELLO, 1, &body), Ok(()));
    assert_eq!(buffer.push(HandshakeType::CLIENT_HELLO, 2, &[]), Err(TranscriptFull));
    buffer.clear();
    assert_eq!(buffer.push(HandshakeType::CLIENT_HELLO, 1, &body), Ok(()));

    let mut transcript = buffer.into_transcript(Framing::WithFragmentFields, SHA_256, true);
    assert_eq!(transcript.push(HandshakeType::SERVER_HELLO, 1, &body), Ok(()));
    let before = transcript.current_hash();
    assert_eq!(transcript.push(HandshakeType::SERVER_HELLO_DONE, 2, &[]), Err(TranscriptFull));
    assert_eq!(transcript.current_hash(), before, "a message that was refused is not hashed");
    transcript.forget_raw();
    assert_eq!(transcript.push(HandshakeType::CERTIFICATE, 2, &vec![0; 100_000]), Ok(()));
}

#[test]
fn a_message_longer_than_its_length_field_is_refused() {
    let body = vec![0; 1 << 24];
    let mut transcript =
        TranscriptBuffer::new(0).into_transcript(Framing::WithoutFragmentFields, SHA_256, false);
    assert_eq!(transcript.push(HandshakeType::CERTIFICATE, 0, &body), Err(TranscriptFull));
    assert_eq!(transcript.push(HandshakeType::CERTIFICATE, 0, &body[1..]), Ok(()));
}

#[test]
fn debug_output_has_no_content() {
    let mut transcript =
        TranscriptBuffer::new(100).into_transcript(Framing::WithFragmentFields, SHA_256, true);
    transcript.push(HandshakeType::FINISHED, 3, &[7; 12]).unwrap();
    assert_eq!(
        format!("{transcript:?}"),
        "Transcript { framing: WithFragmentFields, kept_bytes: Some(24), .. }"
    );
}
