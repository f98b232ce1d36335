//! One DTLS 1.3 connection with fixed keys, all of it: every secret and key from our schedule, every record with its mask,
//! nonce and additional data, every byte on the wire. No field of its files is left aside.

use std::format;
use std::string::String;
use std::vec::Vec;

use drystone_record::{
    AdmittedTypes, ContentType, Overhead, Protection, ReadEpoch, RecordNumber, Records, WriteEpoch,
};

use super::fields::Fields;
use super::*;
use crate::crypto::ring::{HMAC_SHA_256, SHA_256, provider};
use crate::crypto::test_support::vector;
use crate::crypto::{CipherSuite, KeyLogLabel};

/// The protected records in the order of sending; whose keys protect them, and their name as plaintext.
const PROTECTED: [(&str, &str, &str); 9] = [
    ("03-encext-shs-prot", "server_hs", "record-encext"),
    ("04-cert-shs-prot", "server_hs", "record-cert"),
    ("05-cverify-shs-prot", "server_hs", "record-cverify"),
    ("06-fin-shs-prot", "server_hs", "record-sfin"),
    ("07-fin-chs-prot", "client_hs", "record-cfin"),
    ("08-ack-sap-prot", "server_ap", "record-sack"),
    ("09-data-cap-prot", "client_ap", "record-cdata"),
    ("10-data-sap-prot", "server_ap", "record-sdata"),
    ("11-bye-sap-prot", "server_ap", "record-sbye"),
];

#[test]
fn threat_85_every_field_of_the_illustrated_connection() {
    let schedule = Fields::of(&vector("illustrated-dtls13/key-schedule.json"));
    let wire = Fields::of(&vector("illustrated-dtls13/records.json"));
    assert!(schedule.text("source").starts_with("syncsynchalt/illustrated-dtls"));
    assert!(wire.text("source").starts_with("syncsynchalt/illustrated-dtls"));

    let suite = suite(&schedule);
    let records: Vec<Record> =
        PROTECTED.into_iter().map(|names| Record::take(names, &schedule, &wire)).collect();
    let transcript = Messages::take(&wire, &records);
    let directions = check_schedule(suite, &schedule, &transcript);
    for (name, epoch, secret) in &directions {
        let of_direction = records.iter().filter(|record| record.direction == *name);
        check_records(suite, *epoch, secret, of_direction);
    }
    check_prefix(&schedule, &directions[0].2);
    check_key_log(&directions);
    schedule.end();
    wire.end();
}

/// A protected record, field by field.
struct Record {
    name: &'static str,
    direction: &'static str,
    epoch_low2: u64,
    header: Vec<u8>,
    mask: Vec<u8>,
    sequence: u64,
    additional_data: Vec<u8>,
    nonce: Vec<u8>,
    ciphertext: Vec<u8>,
    content_type: u8,
    plaintext: Vec<u8>,
}

impl Record {
    /// Takes its fields; its bytes on the wire and its inner plaintext stand a second time in the other file.
    fn take(
        (name, direction, plaintext): (&'static str, &'static str, &str),
        schedule: &Fields,
        wire: &Fields,
    ) -> Self {
        let path = |field: &str| format!("values.protected_records.{name}.{field}");
        let record = Self {
            name,
            direction,
            epoch_low2: schedule.number(&path("epoch_low2")),
            header: schedule.hex(&path("header_on_wire")),
            mask: schedule.hex(&path("mask_first2")),
            sequence: schedule.number(&path("sequence_number")),
            additional_data: schedule.hex(&path("aad")),
            nonce: schedule.hex(&path("nonce")),
            ciphertext: schedule.hex(&path("ciphertext")),
            content_type: schedule.number(&path("inner_type")).try_into().unwrap(),
            plaintext: schedule.hex(&path("plaintext")),
        };
        assert_eq!(record.on_the_wire(), wire.hex(&format!("datagrams_on_wire.{name}")), "{name}");
        assert_eq!(record.inner(), wire.hex(&format!("record_plaintexts.{plaintext}")), "{name}");
        record
    }

    fn on_the_wire(&self) -> Vec<u8> {
        [&self.header[..], &self.ciphertext].concat()
    }

    fn inner(&self) -> Vec<u8> {
        [&self.plaintext[..], &[self.content_type]].concat()
    }
}

/// The handshake messages in the order of the transcript, as they are hashed: type, length, body (RFC 9147 section 5.2).
struct Messages(Vec<Vec<u8>>);

impl Messages {
    fn take(wire: &Fields, records: &[Record]) -> Self {
        let hellos =
            [("01-hello-c", "record-chello"), ("02-hello-s", "record-shello")].map(|(name, copy)| {
                let datagram = wire.hex(&format!("datagrams_on_wire.{name}"));
                assert_eq!(datagram, wire.hex(&format!("record_plaintexts.{copy}")), "{name}");
                datagram[13..].to_vec()
            });
        let later = records.iter().filter(|record| record.content_type == ContentType::HANDSHAKE.0);
        let messages = hellos.into_iter().chain(later.map(|record| record.plaintext.clone()));
        Self(messages.map(|message| [&message[..4], &message[12..]].concat()).collect())
    }

    /// The hash of the first so many.
    fn hash(&self, count: usize) -> Digest {
        SHA_256.hash(&[&self.0[..count].concat()])
    }

    /// What the so many-th message carries, from 1.
    fn body(&self, count: usize) -> &[u8] {
        &self.0[count - 1][4..]
    }
}

fn suite(schedule: &Fields) -> &'static CipherSuite {
    let name = schedule.text("values.suite");
    let suites = provider().cipher_suites;
    suites.into_iter().find(|suite| suite.id.name() == Some(&name)).expect("a suite of ours")
}

/// From the shared secret to the last secret. Gives each direction's name, epoch and traffic secret.
fn check_schedule(
    suite: &CipherSuite,
    schedule: &Fields,
    messages: &Messages,
) -> [(&'static str, u64, TrafficSecret); 4] {
    let bytes = |name: &str| schedule.hex(&format!("values.{name}"));
    let (server_finished, client_finished) = (6, 7);
    let hello_hash = messages.hash(2);
    let server_finished_hash = messages.hash(server_finished);
    assert_eq!(hello_hash, *bytes("hello_hash"));
    assert_eq!(server_finished_hash, *bytes("server_finished_hash"));

    let early = EarlySecret::new(suite.hash, suite.hmac, None);
    let shared = SharedSecret::from_slice(&bytes("shared_secret"));
    check_extracted_secrets(schedule, &early, &shared);
    let (handshake, main) = early.into_handshake(&shared, &hello_hash);
    assert_eq!(handshake.server.verify_data(&messages.hash(5)), *messages.body(server_finished));
    // The client signs nothing here: its Finished covers the same messages as the application secrets.
    assert_eq!(handshake.client.verify_data(&server_finished_hash), *messages.body(client_finished));

    let (application, awaiting) = main.into_application(&server_finished_hash);
    assert_eq!(application.exporter.secret().expose(), bytes("exporter_master_secret"));
    let resumption = awaiting.into_resumption(&messages.hash(client_finished));
    assert_eq!(resumption.secret.expose(), bytes("resumption_master_secret"));

    let directions = [
        ("client_hs", 2, handshake.client),
        ("server_hs", 2, handshake.server),
        ("client_ap", 3, application.client),
        ("server_ap", 3, application.server),
    ];
    for (name, _, secret) in &directions {
        let field = |part: &str| bytes(&format!("{name}.{part}"));
        assert_eq!(secret.secret().expose(), field("secret"), "{name}");
        secret.use_keys(suite, |keys| {
            assert_eq!(keys.key, field("key"), "{name}");
            assert_eq!(keys.iv[..], field("iv"), "{name}");
            assert_eq!(keys.sn_key, field("sn_key"), "{name}");
        });
    }
    directions
}

/// The secrets that our schedule does not show: each step made once more, by the same functions.
fn check_extracted_secrets(schedule: &Fields, early: &EarlySecret, shared: &SharedSecret) {
    let secret = |name: &str| Secret::from_slice(&schedule.hex(&format!("values.{name}")));
    let Functions { hash: _, hkdf } = early.functions;
    let zeros = early.functions.zeros();
    let empty = early.functions.empty_hash();
    let same = |ours: &Secret, theirs: &Secret| assert_eq!(ours.expose(), theirs.expose());

    same(&early.secret, &secret("early_secret"));
    let handshake_secret = secret("handshake_secret");
    hkdf.expand_from(early.secret.expose(), |expander| {
        same(&expander.derive_secret("derived", &empty), &secret("derived1"));
        same(&early.functions.descend(expander, shared.expose()), &handshake_secret);
    });
    hkdf.expand_from(handshake_secret.expose(), |expander| {
        same(&expander.derive_secret("derived", &empty), &secret("derived2"));
        same(&early.functions.descend(expander, zeros), &secret("master_secret"));
    });
}

/// The records of one direction: mask, additional data, nonce and AEAD one by one, then the record layer as a whole,
/// both ways, with the keys of our schedule.
fn check_records<'a>(
    suite: &CipherSuite,
    epoch: u64,
    secret: &TrafficSecret,
    records: impl Iterator<Item = &'a Record>,
) {
    let (key, iv, sn_key) =
        secret.use_keys(suite, |keys| (keys.key.to_vec(), *keys.iv, keys.sn_key.to_vec()));
    let aead = suite.aead.key(&key).unwrap();
    let mask = suite.mask.key(&sn_key).unwrap();
    let protection = || {
        let (aead, mask) = (suite.aead.key(&key).unwrap(), suite.mask.key(&sn_key).unwrap());
        Protection::unified(aead, suite.aead.tag_length(), iv, mask, suite.limits)
    };
    let mut reader = ReadEpoch::new(epoch, protection(), AdmittedTypes::UNIFIED);
    let mut writer = WriteEpoch::new(epoch, protection());
    for record in records {
        let name = record.name;
        assert_eq!(record.epoch_low2, epoch & 3, "{name}");
        assert_eq!(mask.mask(record.ciphertext.first_chunk().unwrap())[..], record.mask, "{name}");
        let unmasked: Vec<u8> = record.header[1..3].iter().zip(&record.mask).map(|(a, b)| a ^ b).collect();
        let additional_data = [&record.header[..1], &unmasked, &record.header[3..]].concat();
        assert_eq!(additional_data, record.additional_data, "{name}");
        let mut nonce = iv.to_vec();
        nonce.iter_mut().rev().zip(record.sequence.to_le_bytes()).for_each(|(byte, n)| *byte ^= n);
        assert_eq!(nonce, record.nonce, "{name}");
        let mut text = record.inner();
        let mut tag = [0; 16];
        aead.seal(&nonce.try_into().unwrap(), &additional_data, &mut text, &mut tag).unwrap();
        assert_eq!([&text[..], &tag].concat(), record.ciphertext, "{name}");

        let mut datagram = record.on_the_wire();
        let opened = reader.open(Records::new(&mut datagram).next_record(0).unwrap().unwrap()).unwrap();
        assert_eq!(opened.number, RecordNumber { epoch, sequence: record.sequence }, "{name}");
        assert_eq!((opened.content_type.0, &*opened.payload), (record.content_type, &record.plaintext[..]));
        assert_eq!(writer.next_number(), opened.number, "{name}");
        let Overhead { prefix, suffix } = writer.overhead();
        let mut buffer = [&std::vec![0; prefix][..], &record.plaintext, &std::vec![0; suffix]].concat();
        let payload = prefix..prefix + record.plaintext.len();
        writer.seal(ContentType(record.content_type), &mut buffer, payload).unwrap();
        assert_eq!(buffer, record.on_the_wire(), "{name}");
    }
    assert!(writer.next_number().sequence > 0, "no record in epoch {epoch}");
}

/// The file's label prefix, written out into the info of HKDF-Expand, gives the key that our schedule gives.
fn check_prefix(schedule: &Fields, secret: &TrafficSecret) {
    let text = schedule.text("values.label_prefix");
    let (prefix, remark) = text.split_once(' ').unwrap();
    assert_eq!(remark, "(no space, as in RFC 9147 5.9)");
    let label = format!("{prefix}key");
    let info = [&[0, 16, u8::try_from(label.len()).unwrap()], label.as_bytes(), &[0]].concat();
    let mut key = [0; 16];
    let hkdf = Hkdf::dtls13(HMAC_SHA_256);
    hkdf.expand_from(secret.secret().expose(), |secret| secret.expand(&info, &mut key)).unwrap();
    secret.use_keys_of(16, 16, |keys| assert_eq!(keys.key, key));
}

/// The key log that a peer of the connection wrote holds the same secrets under our labels.
fn check_key_log(directions: &[(&str, u64, TrafficSecret); 4]) {
    let labels = [
        KeyLogLabel::ClientHandshakeTrafficSecret,
        KeyLogLabel::ServerHandshakeTrafficSecret,
        KeyLogLabel::ClientTrafficSecret(0),
        KeyLogLabel::ServerTrafficSecret(0),
    ];
    let log = include_str!("../../../../../../vectors/illustrated-dtls13/keylog.txt");
    assert_eq!(log.lines().count(), labels.len());
    for ((line, label), (_, _, secret)) in log.lines().zip(labels).zip(directions) {
        let secret: String = secret.secret().expose().iter().map(|byte| format!("{byte:02x}")).collect();
        let fields: Vec<_> = line.split(' ').collect();
        assert_eq!((fields[0], fields[2]), (&*format!("{label}"), &*secret));
    }
}
