//! Extension blocks: duplicates, places, order, and the rules of single extensions.

use super::*;
use crate::codec::{DecodeFault, Element, Reader};
use crate::message::registry::*;
use proptest::prelude::*;

/// The types of a block with its length in front, as they stand; none if there is no block.
pub(super) fn types_on_the_wire(block: &[u8]) -> Vec<ExtensionType> {
    raw_extensions(block).iter().map(|extension| extension.extension_type).collect()
}

/// The extensions of a block with its length in front, as they stand.
pub(super) fn raw_extensions(block: &[u8]) -> Vec<RawExtension<'_>> {
    let mut reader = Reader::new("test", block.get(2..).unwrap_or_default());
    let mut found = Vec::new();
    while !reader.is_empty() {
        found.push(RawExtension::read(&mut reader).expect("a whole extension"));
    }
    found
}

/// Appends a block to the fixed part of a message and fits its length.
fn with_block(fixed: &[u8], extensions: &[(ExtensionType, &[u8])]) -> &'static [u8] {
    let mut block = Vec::new();
    for (extension_type, data) in extensions {
        block.extend(extension_type.0.to_be_bytes());
        block.extend(u16::try_from(data.len()).expect("small").to_be_bytes());
        block.extend(*data);
    }
    let length = u16::try_from(block.len()).expect("small").to_be_bytes();
    [fixed, &length, &block].concat().leak()
}

fn client_hello(extensions: &[(ExtensionType, &[u8])]) -> Result<ClientHello<'static>, DecodeFault> {
    let mut fixed = alloc::vec![7; 42];
    fixed[34..].copy_from_slice(&[0, 0, 0, 2, 0xc0, 0x2b, 1, 0]);
    ClientHello::decode(with_block(&fixed, extensions)).map_err(|error| error.fault)
}

fn server_hello(extensions: &[(ExtensionType, &[u8])]) -> Result<ServerHello<'static>, DecodeFault> {
    let mut fixed = alloc::vec![7; 38];
    fixed[34..].copy_from_slice(&[0, 0xc0, 0x2b, 0]);
    ServerHello::decode(with_block(&fixed, extensions)).map_err(|error| error.fault)
}

fn hello_retry(extensions: &[(ExtensionType, &[u8])]) -> Result<HelloRetryRequest<'static>, DecodeFault> {
    let fixed = [&[0xfe, 0xfd], &RETRY_RANDOM[..], &[0, 0x13, 0x01, 0]].concat();
    HelloRetryRequest::decode(with_block(&fixed, extensions)).map_err(|error| error.fault)
}

fn encrypted(extensions: &[(ExtensionType, &[u8])]) -> Result<EncryptedExtensions<'static>, DecodeFault> {
    EncryptedExtensions::decode(with_block(&[], extensions)).map_err(|error| error.fault)
}

fn request(extensions: &[(ExtensionType, &[u8])]) -> Result<CertificateRequest13<'static>, DecodeFault> {
    CertificateRequest13::decode(with_block(&[0], extensions)).map_err(|error| error.fault)
}

fn entry(extensions: &[(ExtensionType, &[u8])]) -> Result<CertificateEntry<'static>, DecodeFault> {
    let bytes = with_block(&[0, 0, 1, 9], extensions);
    Reader::all("test", bytes, CertificateEntry::read).map_err(|error| error.fault)
}

fn ticket(extensions: &[(ExtensionType, &[u8])]) -> Result<NewSessionTicket13<'static>, DecodeFault> {
    let fixed = [0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 1, 9];
    NewSessionTicket13::decode(with_block(&fixed, extensions)).map_err(|error| error.fault)
}

const VERSION: (ExtensionType, &[u8]) = (ExtensionType::SUPPORTED_VERSIONS, &[0xfe, 0xfc]);

/// A content that is well-formed for each extension in a ClientHello.
const CLIENT_SAMPLES: &[(ExtensionType, &[u8])] = &[
    (ExtensionType::SERVER_NAME, &[0, 4, 0, 0, 1, b'a']),
    (ExtensionType::MAX_FRAGMENT_LENGTH, &[1]),
    (ExtensionType::STATUS_REQUEST, &[1, 0, 0, 0, 0]),
    (ExtensionType::SUPPORTED_GROUPS, &[0, 2, 0, 29]),
    (ExtensionType::EC_POINT_FORMATS, &[1, 0]),
    (ExtensionType::SIGNATURE_ALGORITHMS, &[0, 2, 4, 3]),
    (ExtensionType::USE_SRTP, &[0, 2, 0, 7, 0]),
    (ExtensionType::APPLICATION_LAYER_PROTOCOL_NEGOTIATION, &[0, 2, 1, b'a']),
    (ExtensionType::CLIENT_CERTIFICATE_TYPE, &[1, 0]),
    (ExtensionType::SERVER_CERTIFICATE_TYPE, &[1, 0]),
    (ExtensionType::PADDING, &[0, 0]),
    (ExtensionType::ENCRYPT_THEN_MAC, &[]),
    (ExtensionType::EXTENDED_MASTER_SECRET, &[]),
    (ExtensionType::COMPRESS_CERTIFICATE, &[2, 0, 1]),
    (ExtensionType::RECORD_SIZE_LIMIT, &[0, 64]),
    (ExtensionType::SESSION_TICKET, &[]),
    (ExtensionType::EARLY_DATA, &[]),
    (ExtensionType::SUPPORTED_VERSIONS, &[2, 0xfe, 0xfc]),
    (ExtensionType::COOKIE, &[0, 1, 9]),
    (ExtensionType::PSK_KEY_EXCHANGE_MODES, &[1, 1]),
    (ExtensionType::CERTIFICATE_AUTHORITIES, &[0, 3, 0, 1, 9]),
    (ExtensionType::POST_HANDSHAKE_AUTH, &[]),
    (ExtensionType::SIGNATURE_ALGORITHMS_CERT, &[0, 2, 4, 3]),
    (ExtensionType::KEY_SHARE, &[0, 0]),
    (ExtensionType::CONNECTION_ID, &[0]),
    (ExtensionType::RRC, &[]),
    (ExtensionType::RENEGOTIATION_INFO, &[0]),
    (ExtensionType(0x0a0a), &[]),
];

#[test]
fn every_extension_of_a_client_hello_once_but_not_twice() {
    for sample in CLIENT_SAMPLES {
        let hello = client_hello(&[*sample]).unwrap_or_else(|fault| panic!("{}: {fault}", sample.0));
        assert!(hello.extensions.contains(sample.0), "{}", sample.0);
        assert_eq!(
            client_hello(&[*sample, *sample]).err(),
            Some(DecodeFault::DuplicateExtension),
            "{}",
            sample.0
        );
        let between = [*sample, (ExtensionType(0x1a1a), &[]), *sample];
        assert_eq!(client_hello(&between).err(), Some(DecodeFault::DuplicateExtension), "{}", sample.0);
    }
    let named = CLIENT_SAMPLES.len() - 1;
    // The two that are missing: oid_filters does not belong in a ClientHello, pre_shared_key has a test of its own.
    assert_eq!(named, ExtensionType::KNOWN.len() - 2);
    assert!(client_hello(CLIENT_SAMPLES).is_ok());
}

/// A well-formed content for a message other than ClientHello, where it differs.
fn answer_sample(extension_type: ExtensionType, place: &str) -> &'static [u8] {
    match (extension_type, place) {
        (ExtensionType::SERVER_NAME | ExtensionType::SESSION_TICKET, _) => &[],
        (ExtensionType::STATUS_REQUEST, "CT") => &[1, 0, 0, 1, 9],
        (ExtensionType::STATUS_REQUEST, _) => &[],
        (ExtensionType::CLIENT_CERTIFICATE_TYPE | ExtensionType::SERVER_CERTIFICATE_TYPE, _) => &[0],
        (ExtensionType::SUPPORTED_VERSIONS, _) => &[0xfe, 0xfc],
        (ExtensionType::KEY_SHARE, "HRR") => &[0, 29],
        (ExtensionType::KEY_SHARE, _) => &[0, 29, 0, 1, 9],
        (ExtensionType::PRE_SHARED_KEY, _) => &[0, 0],
        (ExtensionType::EARLY_DATA, "NST") => &[0, 0, 0, 9],
        (ExtensionType::OID_FILTERS, _) => &[0, 0],
        _ => CLIENT_SAMPLES.iter().find(|(known, _)| *known == extension_type).expect("a sample").1,
    }
}

/// Which extensions each message takes: RFC 9846 section 4.3 for 1.3, the defining RFCs for 1.2.
#[test]
fn threat_50_extensions_stand_only_where_they_belong() {
    let outcome = |place: &str, extension_type: ExtensionType| {
        let sample = &[(extension_type, answer_sample(extension_type, place))][..];
        let with_version = [VERSION, sample[0]];
        match place {
            "SH12" => server_hello(sample).err(),
            "SH13" => server_hello(&with_version).err(),
            "HRR" => hello_retry(&with_version).err(),
            "EE" => encrypted(sample).err(),
            "CR" => request(sample).err(),
            "CT" => entry(sample).err(),
            _ => ticket(sample).err(),
        }
    };
    let table: &[(&str, &[u16])] = &[
        ("SH12", &[0, 1, 5, 10, 11, 14, 16, 19, 20, 22, 23, 28, 35, 54, 61, 0xff01]),
        ("SH13", &[41, 51, 54, 61]),
        ("HRR", &[44, 51]),
        ("EE", &[0, 1, 10, 14, 16, 19, 20, 28, 42]),
        ("CR", &[0, 5, 13, 27, 47, 48, 50]),
        ("CT", &[5]),
        ("NST", &[42]),
    ];
    for (place, allowed) in table {
        for &known in ExtensionType::KNOWN {
            if known == ExtensionType::SUPPORTED_VERSIONS {
                continue; // it makes a ServerHello one of 1.3: see below
            }
            let fault = outcome(place, known);
            if allowed.contains(&known.0) {
                assert_eq!(fault, None, "{known} in {place}");
            } else {
                assert_eq!(fault, Some(DecodeFault::ExtensionNotAllowed), "{known} in {place}");
            }
        }
    }
    assert_eq!(
        client_hello(&[(ExtensionType::OID_FILTERS, &[0, 0])]).err(),
        Some(DecodeFault::ExtensionNotAllowed)
    );
    assert_eq!(encrypted(&[VERSION]).err(), Some(DecodeFault::ExtensionNotAllowed));
    assert!(server_hello(&[VERSION]).is_ok());
}

#[test]
fn duplicates_are_refused_in_every_block() {
    fn twice(extension_type: ExtensionType, data: &'static [u8]) -> [(ExtensionType, &'static [u8]); 2] {
        [(extension_type, data), (extension_type, data)]
    }
    let duplicate = Some(DecodeFault::DuplicateExtension);
    assert_eq!(server_hello(&twice(ExtensionType::EXTENDED_MASTER_SECRET, &[])).err(), duplicate);
    assert_eq!(server_hello(&[VERSION, VERSION]).err(), duplicate);
    assert_eq!(hello_retry(&[VERSION, VERSION]).err(), duplicate);
    assert_eq!(encrypted(&twice(ExtensionType::SERVER_NAME, &[])).err(), duplicate);
    assert_eq!(request(&twice(ExtensionType::SIGNATURE_ALGORITHMS, &[0, 2, 4, 3])).err(), duplicate);
    assert_eq!(entry(&twice(ExtensionType::STATUS_REQUEST, &[1, 0, 0, 1, 9])).err(), duplicate);
    assert_eq!(ticket(&twice(ExtensionType::EARLY_DATA, &[0, 0, 0, 9])).err(), duplicate);
    let unknown = twice(ExtensionType(0x0a0a), &[]);
    assert_eq!(server_hello(&unknown).err(), duplicate);
    assert_eq!(hello_retry(&unknown).err(), duplicate);
    assert_eq!(encrypted(&unknown).err(), duplicate);
    assert_eq!(request(&unknown).err(), duplicate);
    assert_eq!(entry(&unknown).err(), duplicate);
    assert_eq!(ticket(&unknown).err(), duplicate);
}

#[test]
fn unknown_extensions_are_listed_and_survive() {
    let hello = client_hello(&[
        (ExtensionType(0x0a0a), &[1]),
        (ExtensionType::SUPPORTED_GROUPS, &[0, 2, 0, 29]),
        (ExtensionType::PADDING, &[0]),
        (ExtensionType(0x1a1a), &[]),
    ])
    .expect("a valid hello");
    let others: Vec<_> = hello.extensions.others.iter().map(|extension| extension.extension_type.0).collect();
    assert_eq!(others, [0x0a0a, 21, 0x1a1a]);
    assert_eq!(ClientHello::decode(hello.encoded()), Ok(hello));
}

#[test]
fn an_extension_that_cannot_be_read_back_is_not_written() {
    let write = |items: &'static [RawExtension<'static>]| {
        EncryptedExtensions { others: items.into(), ..Default::default() }.encode(&mut Vec::new())
    };
    const GREASE: RawExtension<'_> = RawExtension { extension_type: ExtensionType(0x0a0a), data: &[] };
    const KNOWN: RawExtension<'_> = RawExtension { extension_type: ExtensionType::EARLY_DATA, data: &[] };
    assert!(write(&[GREASE]).is_ok());
    assert!(write(&[GREASE, GREASE]).is_err());
    assert!(write(&[KNOWN]).is_err());
}

#[test]
fn the_cookie_is_written_first_and_the_keys_last() {
    let psk = OfferedPsks {
        identities: (&[PskIdentity { identity: &[1], obfuscated_ticket_age: 2 }]).into(),
        binders: (&[PskBinder { binder: &[3; 32] }]).into(),
    };
    let hello = ClientHello {
        extensions: ClientExtensions {
            pre_shared_key: Some(psk),
            others: (&[RawExtension { extension_type: ExtensionType(0x0a0a), data: &[] }][..]).into(),
            cookie: Some(&[9]),
            early_data: Some(Empty {}),
            ..ClientExtensions::default()
        },
        ..client_hello(&[]).expect("a valid hello")
    };
    let types = types_on_the_wire(&hello.encoded()[42..]);
    let expected = [
        ExtensionType::COOKIE,
        ExtensionType::EARLY_DATA,
        ExtensionType(0x0a0a),
        ExtensionType::PRE_SHARED_KEY,
    ];
    assert_eq!(types, expected);
}

#[test]
fn pre_shared_keys_are_last_and_have_a_binder_each() {
    let mut psk = alloc::vec![0, 7, 0, 1, 9, 0, 0, 0, 0, 0, 33, 32];
    psk.extend([5; 32]);
    let psk: &'static [u8] = psk.leak();
    let last = (ExtensionType::PRE_SHARED_KEY, psk);
    let other = (ExtensionType::EARLY_DATA, &[][..]);
    assert!(client_hello(&[other, last]).is_ok());
    assert_eq!(client_hello(&[last, other]).err(), Some(DecodeFault::IllegalValue));
    assert_eq!(client_hello(&[last, (ExtensionType(0x0a0a), &[])]).err(), Some(DecodeFault::IllegalValue));
    assert_eq!(client_hello(&[last, last]).err(), Some(DecodeFault::DuplicateExtension));

    // Two binders for one identity.
    let mut unequal = psk[..9].to_vec();
    unequal.extend([0, 66]);
    unequal.extend([psk[11..].to_vec(), psk[11..].to_vec()].concat());
    let body = [(ExtensionType::PRE_SHARED_KEY, &unequal[..])];
    assert_eq!(client_hello(&body).err(), Some(DecodeFault::IllegalValue));
    // A binder shorter than any hash.
    let short = [0, 7, 0, 1, 9, 0, 0, 0, 0, 0, 33, 31];
    let mut short = short.to_vec();
    short.extend([5; 32]);
    let body = [(ExtensionType::PRE_SHARED_KEY, &short[..])];
    assert_eq!(client_hello(&body).err(), Some(DecodeFault::LengthOutOfBounds));
}

#[test]
fn an_empty_host_name_counts_as_absent() {
    let name = |data: &'static [u8]| {
        let hello = client_hello(&[(ExtensionType::SERVER_NAME, data)]).expect("a valid hello");
        hello.extensions.server_name.expect("the extension is there").host_name()
    };
    assert_eq!(name(&[0, 4, 0, 0, 1, b'a']), Some(&b"a"[..]));
    assert_eq!(name(&[0, 3, 0, 0, 0]), None);
    // Another name type first.
    assert_eq!(name(&[0, 8, 1, 0, 1, b'x', 0, 0, 1, b'a']), Some(&b"a"[..]));
    assert_eq!(client_hello(&[(ExtensionType::SERVER_NAME, &[])]).err(), Some(DecodeFault::Truncated));
    assert_eq!(
        client_hello(&[(ExtensionType::SERVER_NAME, &[0, 0])]).err(),
        Some(DecodeFault::LengthOutOfBounds)
    );
}

#[test]
fn an_answer_names_one_choice() {
    let alpn = |data| server_hello(&[(ExtensionType::APPLICATION_LAYER_PROTOCOL_NEGOTIATION, data)]);
    assert!(alpn(&[0, 2, 1, b'a']).is_ok());
    assert_eq!(alpn(&[0, 4, 1, b'a', 1, b'b']).err(), Some(DecodeFault::TrailingBytes));
    assert_eq!(alpn(&[0, 0]).err(), Some(DecodeFault::LengthOutOfBounds));
    assert_eq!(alpn(&[0, 2, 0, 0]).err(), Some(DecodeFault::LengthOutOfBounds));
    let srtp = |data| server_hello(&[(ExtensionType::USE_SRTP, data)]);
    assert!(srtp(&[0, 2, 0, 7, 0]).is_ok());
    assert_eq!(srtp(&[0, 4, 0, 7, 0, 8, 0]).err(), Some(DecodeFault::TrailingBytes));
}

#[test]
fn a_record_size_limit_below_64_is_illegal() {
    assert_eq!(
        client_hello(&[(ExtensionType::RECORD_SIZE_LIMIT, &[0, 63])]).err(),
        Some(DecodeFault::IllegalValue)
    );
    assert_eq!(RecordSizeLimit::new(63), None);
    assert_eq!(RecordSizeLimit::new(64).map(RecordSizeLimit::get), Some(64));
}

#[test]
fn a_hello_may_lack_a_block_and_an_empty_one_is_the_same() {
    let body = client_hello(&[]).expect("an empty block").encoded();
    assert_eq!(body.len(), 42, "an empty block is left out");
    assert_eq!(ClientHello::decode(body).map_err(|error| error.fault), client_hello(&[]));
}

#[test]
fn downgrade_sentinels_are_seen() {
    let hello = |end: [u8; 8]| {
        let mut random = [7; 32];
        random[24..].copy_from_slice(&end);
        let fixed = [&[0xfe, 0xfd], &random[..], &[0, 0xc0, 0x2b, 0]].concat();
        ServerHello::decode(fixed.leak()).expect("a valid hello").has_downgrade_sentinel()
    };
    assert!(hello(DOWNGRADE_TO_1_2));
    assert!(hello(DOWNGRADE_TO_1_1));
    assert!(hello([0x44, 0x4f, 0x57, 0x4e, 0x47, 0x52, 0x44, 0x01]));
    assert!(!hello([7; 8]));
    assert!(!hello(*b"DOWNGRD\x02"));
}

proptest! {
    /// The steps are bounded by the length: a full block of distinct unknown types, and one with a late duplicate.
    #[test]
    fn large_blocks_of_unknown_extensions(seed in any::<u16>()) {
        let distinct: Vec<(ExtensionType, &[u8])> = (0..16_000u16)
            .map(|step| (ExtensionType(seed.wrapping_add(step.wrapping_mul(3))), &[][..]))
            .filter(|(value, _)| value.name().is_none())
            .collect();
        prop_assert!(client_hello(&distinct).is_ok());
        let mut late = distinct.clone();
        late.push(distinct[0]);
        prop_assert_eq!(client_hello(&late).err(), Some(DecodeFault::DuplicateExtension));
    }
}
