//! Handshakes of other implementations, recorded: every plaintext message is read, and written as it was.
//!
//! Peers order their extensions as they like and drystone in one way, so that blocks are compared as sets.

use super::extensions::raw_extensions;
use super::*;
use crate::codec::{Element, Reader, Vector};
use crate::message::registry::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::string::String;

fn vector_file(path: &str) -> Value {
    let path = std::format!("{}/../../vectors/{path}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn unhex(value: &Value) -> Vec<u8> {
    let text = value.as_str().expect("a string");
    let digits = text.as_bytes().chunks(2).map(|pair| core::str::from_utf8(pair).expect("hexadecimal"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect()
}

/// How many messages of each type were seen.
type Counts = BTreeMap<HandshakeType, usize>;

/// Handshake messages of epoch 0 in the datagrams of one sender, put together from their fragments.
fn plaintext_messages(datagrams: &[Vec<u8>]) -> Vec<(HandshakeType, Vec<u8>)> {
    let mut whole = Vec::new();
    let mut partial: BTreeMap<(u16, HandshakeType, usize), BTreeMap<usize, u8>> = BTreeMap::new();
    for datagram in datagrams {
        let mut records = Reader::new("record", datagram);
        // 22 is handshake. A unified header, or a record with a connection id, is the end of the plaintext.
        while let Ok(content_type @ 20..=24) = records.u8() {
            records.u16().expect("version");
            let epoch = records.u16().expect("epoch");
            records.take(6).expect("sequence number");
            let mut fragments =
                Reader::new("fragment", records.vector(Vector::u16(0, 0xffff)).expect("record"));
            while content_type == 22 && epoch == 0 && !fragments.is_empty() {
                let msg_type = HandshakeType::read(&mut fragments).expect("type");
                let length = uint24(&mut fragments);
                let message_seq = fragments.u16().expect("message_seq");
                let offset = uint24(&mut fragments);
                let fragment_length = uint24(&mut fragments);
                let bytes = fragments.take(fragment_length).expect("fragment");
                let held = partial.entry((message_seq, msg_type, length)).or_default();
                held.extend((offset..).zip(bytes.iter().copied()));
                if held.len() == length {
                    whole.push((msg_type, held.values().copied().collect()));
                    partial.remove(&(message_seq, msg_type, length));
                }
            }
        }
    }
    assert!(partial.is_empty(), "a message is incomplete");
    whole
}

fn uint24(reader: &mut Reader<'_>) -> usize {
    let &[a, b, c] = reader.array().expect("three bytes");
    usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c)
}

/// Reads, writes, and compares byte by byte.
fn same_bytes<M: Body>(body: &[u8]) -> M {
    let body: &'static [u8] = body.to_vec().leak();
    let message = M::decode(body).unwrap_or_else(|error| panic!("{error}: {body:02x?}"));
    assert_eq!(message.encoded(), body);
    message
}

/// Reads, writes, and compares: what is before the block byte by byte, the block's extensions in any order.
fn same_but_for_order<M: Body>(body: &[u8], block_start: usize) -> M {
    let body: &'static [u8] = body.to_vec().leak();
    let message = M::decode(body).unwrap_or_else(|error| panic!("{error}: {body:02x?}"));
    let again = message.encoded();
    assert_eq!(again.len(), body.len());
    assert_eq!(again[..block_start], body[..block_start]);
    let sorted = |body: &'static [u8]| {
        let mut extensions = raw_extensions(&body[block_start..]);
        extensions.sort_by_key(|extension| extension.extension_type);
        extensions
    };
    assert_eq!(sorted(again), sorted(body));
    message
}

fn client_hello(body: &[u8]) -> ClientHello<'static> {
    let mut reader = Reader::new("test", body);
    reader.take(34).expect("version and random");
    for vector in [Vector::u8(0, 32), Vector::u8(0, 255), Vector::u16(2, 0xfffe), Vector::u8(1, 255)] {
        reader.vector(vector).expect("a vector");
    }
    same_but_for_order(body, body.len() - reader.rest().len())
}

fn server_hello(body: &[u8]) -> AnyServerHello<'static> {
    let block_start = 34 + 1 + usize::from(body[34]) + 3;
    let leaked: &'static [u8] = body.to_vec().leak();
    match AnyServerHello::decode(leaked).expect("a valid hello") {
        AnyServerHello::Hello(_) => AnyServerHello::Hello(same_but_for_order(body, block_start)),
        AnyServerHello::Retry(_) => AnyServerHello::Retry(same_but_for_order(body, block_start)),
    }
}

/// Checks one plaintext message of DTLS 1.2. `ecdhe` is false for key exchanges that drystone does not have.
fn check12(msg_type: HandshakeType, body: &[u8], ecdhe: bool) {
    match msg_type {
        HandshakeType::CLIENT_HELLO => {
            let hello = client_hello(body);
            assert!(hello.extensions.extended_master_secret.is_some());
        }
        HandshakeType::SERVER_HELLO => match server_hello(body) {
            AnyServerHello::Hello(hello) => assert_eq!(hello.extensions.supported_versions, None),
            AnyServerHello::Retry(retry) => panic!("{retry:?}"),
        },
        HandshakeType::HELLO_VERIFY_REQUEST => {
            same_bytes::<HelloVerifyRequest<'_>>(body);
        }
        HandshakeType::CERTIFICATE => {
            let certificate = same_bytes::<Certificate12<'_>>(body);
            assert!(certificate.certificate_list.iter().all(|entry| entry.cert_data[0] == 0x30));
        }
        HandshakeType::SERVER_KEY_EXCHANGE if ecdhe => {
            let exchange = same_bytes::<ServerKeyExchange<'_>>(body);
            assert!(exchange.params.named_group().name().is_some());
            assert_eq!(exchange.params.as_bytes(), &body[..4 + exchange.params.public().len()]);
        }
        HandshakeType::CLIENT_KEY_EXCHANGE if ecdhe => {
            same_bytes::<ClientKeyExchange<'_>>(body);
        }
        HandshakeType::SERVER_KEY_EXCHANGE | HandshakeType::CLIENT_KEY_EXCHANGE => {}
        HandshakeType::CERTIFICATE_REQUEST => {
            same_bytes::<CertificateRequest12<'_>>(body);
        }
        HandshakeType::CERTIFICATE_VERIFY => {
            same_bytes::<CertificateVerify<'_>>(body);
        }
        HandshakeType::SERVER_HELLO_DONE => {
            same_bytes::<ServerHelloDone>(body);
        }
        HandshakeType::NEW_SESSION_TICKET => {
            same_bytes::<NewSessionTicket12<'_>>(body);
        }
        other => panic!("{other} in plaintext"),
    }
}

fn check_capture(path: &str, counts: &mut Counts, check: impl Fn(HandshakeType, &[u8])) {
    let capture = vector_file(path);
    let datagrams = capture["datagrams"].as_array().expect("datagrams");
    for sender in ["client", "server"] {
        let sent = datagrams.iter().filter(|datagram| datagram["sender"] == sender);
        let sent: Vec<_> = sent.map(|datagram| unhex(&datagram["hex"])).collect();
        for (msg_type, body) in plaintext_messages(&sent) {
            check(msg_type, &body);
            *counts.entry(msg_type).or_default() += 1;
        }
    }
}

#[test]
fn dtls12_captures() {
    let ecdhe = [
        "d12-cid",
        "d12-ecdhe-aes128cbc-sha256",
        "d12-ecdhe-aes128ccm8",
        "d12-ecdhe-aes128gcm",
        "d12-ecdhe-chacha20",
        "d12-pion-cid-ecdhe",
        "d12-smallmtu-mutual-fragmented",
        "d12-wolf-chacha-mutual",
    ];
    let psk = ["d12-gnutls-ecdhepsk", "d12-psk-aes128ccm8", "d12-psk-cid"];
    let mut counts = Counts::new();
    for name in ecdhe {
        check_capture(&std::format!("dtls12-captures/{name}.json"), &mut counts, |msg_type, body| {
            check12(msg_type, body, true);
        });
    }
    for name in psk {
        check_capture(&std::format!("dtls12-captures/{name}.json"), &mut counts, |msg_type, body| {
            check12(msg_type, body, false);
        });
    }
    let expected = [
        (HandshakeType::CLIENT_HELLO, 22),
        (HandshakeType::SERVER_HELLO, 11),
        (HandshakeType::HELLO_VERIFY_REQUEST, 11),
        (HandshakeType::NEW_SESSION_TICKET, 10),
        (HandshakeType::CERTIFICATE, 10),
        (HandshakeType::SERVER_KEY_EXCHANGE, 10),
        (HandshakeType::CERTIFICATE_REQUEST, 2),
        (HandshakeType::SERVER_HELLO_DONE, 11),
        (HandshakeType::CERTIFICATE_VERIFY, 2),
        (HandshakeType::CLIENT_KEY_EXCHANGE, 11),
    ];
    assert_eq!(counts, Counts::from(expected));
}

#[test]
fn dtls13_captures() {
    let names = [
        "d13-0rtt-accepted",
        "d13-0rtt-psk",
        "d13-aes128ccm",
        "d13-aes128ccm8",
        "d13-aes128gcm-keyupdate",
        "d13-cid",
        "d13-hrr-p256-aes256gcm",
        "d13-mlkem",
        "d13-psk-dhe",
        "d13-ticket-resumption",
        "d13-x25519-chacha-mutual",
    ];
    let mut counts = Counts::new();
    for name in names {
        check_capture(&std::format!("dtls13-captures/{name}.json"), &mut counts, |msg_type, body| {
            match msg_type {
                HandshakeType::CLIENT_HELLO => {
                    let hello = client_hello(body);
                    let versions = hello.extensions.supported_versions.expect("an offer of 1.3");
                    assert!(versions.contains(&ProtocolVersion::DTLS_1_3));
                }
                HandshakeType::SERVER_HELLO => {
                    let version = match server_hello(body) {
                        AnyServerHello::Hello(hello) => hello.extensions.supported_versions,
                        AnyServerHello::Retry(retry) => retry.extensions.supported_versions,
                    };
                    assert_eq!(version, Some(ProtocolVersion::DTLS_1_3));
                }
                other => panic!("{other} in plaintext"),
            }
        });
    }
    let hellos: usize = counts.values().sum();
    assert_eq!(counts[&HandshakeType::CLIENT_HELLO], counts[&HandshakeType::SERVER_HELLO]);
    assert_eq!(hellos, DTLS13_HELLOS);
}

/// 11 captures, most with a retry, three with two connections.
const DTLS13_HELLOS: usize = 52;

/// Protected messages of DTLS 1.3, opened: the handshake header is followed by the body.
#[test]
fn illustrated_dtls13() {
    let records = vector_file("illustrated-dtls13/records.json");
    let body = |name: &str| {
        let plaintext = unhex(&records["record_plaintexts"][name]);
        // The inner content type ends the plaintext.
        plaintext[12..plaintext.len() - 1].to_vec()
    };
    let encrypted = same_bytes::<EncryptedExtensions<'_>>(&body("record-encext"));
    assert_eq!(encrypted.supported_groups.expect("groups").len(), 5);
    let certificate = same_bytes::<Certificate13<'_>>(&body("record-cert"));
    assert_eq!(certificate.certificate_list.first().expect("one").cert_data.len(), 805);
    let verify = same_bytes::<CertificateVerify<'_>>(&body("record-cverify"));
    assert_eq!(verify.signed.algorithm, SignatureScheme::RSA_PSS_RSAE_SHA256);
    assert_eq!(same_bytes::<Finished<'_>>(&body("record-sfin")).verify_data.len(), 32);
    assert_eq!(same_bytes::<Finished<'_>>(&body("record-cfin")).verify_data.len(), 32);

    let plaintext = unhex(&records["record_plaintexts"]["record-sack"]);
    let ack = same_bytes::<Ack<'_>>(&plaintext[..plaintext.len() - 1]);
    assert_eq!(ack.record_numbers, (&[RecordNumber { epoch: 2, sequence: 0 }]).into());
    let plaintext = unhex(&records["record_plaintexts"]["record-sbye"]);
    let alert = same_bytes::<Alert>(&plaintext[..2]);
    assert_eq!((alert.level, alert.description), (AlertLevel::WARNING, AlertDescription::CLOSE_NOTIFY));
}

/// The messages of TLS 1.3, which differ from those of DTLS in the ClientHello alone.
#[test]
fn rfc8448_traces() {
    let traces = vector_file("rfc8448-traces.json");
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for section in traces["sections"].as_array().expect("sections") {
        for step in section["steps"].as_array().expect("steps") {
            let title = step["title"].as_str().expect("a title");
            let Some(name) =
                title.strip_prefix("construct a").and_then(|rest| rest.strip_suffix(" handshake message:"))
            else {
                continue;
            };
            let name = name.trim_start_matches('n').trim();
            let message = unhex(&step["fields"][name]["hex"]);
            check_tls13(name, &message[4..]);
            *counts.entry(name.into()).or_default() += 1;
        }
    }
    let counts: Vec<_> = counts.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    let expected = [
        ("Certificate", 5),
        ("CertificateRequest", 1),
        ("CertificateVerify", 5),
        ("ClientHello", 6),
        ("EncryptedExtensions", 5),
        ("EndOfEarlyData", 1),
        ("Finished", 10),
        ("NewSessionTicket", 1),
        ("ServerHello", 6),
    ];
    assert_eq!(counts, expected);
}

fn check_tls13(name: &str, body: &[u8]) {
    match name {
        "ClientHello" => {
            // DTLS has a cookie after the session id (RFC 9147 section 5.3).
            let session_id_end = 35 + usize::from(body[34]);
            let body = [&body[..session_id_end], &[0], &body[session_id_end..]].concat();
            if body.len() == 474 {
                // Section 4 prints it without its binder, a SHA-256 HMAC.
                let whole = [&body[..], &[0, 33, 32], &[0; 32]].concat();
                assert_eq!(client_hello(&whole).binders_len(), 35);
            } else {
                assert_eq!(client_hello(&body).binders_len(), 0);
            }
        }
        "ServerHello" => {
            server_hello(body);
        }
        "EncryptedExtensions" => {
            same_but_for_order::<EncryptedExtensions<'_>>(body, 0);
        }
        "CertificateRequest" => {
            same_but_for_order::<CertificateRequest13<'_>>(body, 1);
        }
        "Certificate" => {
            same_bytes::<Certificate13<'_>>(body);
        }
        "CertificateVerify" => {
            same_bytes::<CertificateVerify<'_>>(body);
        }
        "Finished" => {
            same_bytes::<Finished<'_>>(body);
        }
        "NewSessionTicket" => {
            let ticket = same_bytes::<NewSessionTicket13<'_>>(body);
            assert_eq!(ticket.extensions.early_data, Some(1024));
        }
        "EndOfEarlyData" => assert!(body.is_empty()), // not in DTLS (RFC 9147 section 5.6)
        other => panic!("{other}"),
    }
}
