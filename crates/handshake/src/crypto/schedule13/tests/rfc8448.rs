//! The traces of RFC 8448, step by step: every input and output of HKDF, every message and every record. No field is left
//! aside; private keys are only counted, since no key exchange takes them.

use std::borrow::ToOwned;
use std::collections::BTreeSet;
use std::format;
use std::string::String;
use std::vec::Vec;

use drystone_record::{AeadKey, ring::AES_128_GCM};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};

use super::fields::Fields;
use super::*;
use crate::crypto::ring::{HMAC_SHA_256, SHA_256};
use crate::crypto::test_support::vector;
use crate::message::RETRY_RANDOM;

#[test]
fn every_field_of_rfc8448() {
    let file = vector("rfc8448-traces.json");
    let mut private_keys = 0;
    let sections = file["sections"].as_array().unwrap();
    for section in sections {
        let fields = Fields::of(section);
        let mut walk = Walk::new(&fields);
        for index in 0..section["steps"].as_array().unwrap().len() {
            walk.step(index);
        }
        private_keys += walk.end();
        fields.end();
    }
    assert_eq!((sections.len(), private_keys), (5, 9));
}

/// The way through one trace.
struct Walk<'a> {
    fields: &'a Fields,
    /// The messages so far, or the message_hash of the first and those after it (RFC 9846 section 4.1).
    transcript: Vec<u8>,
    /// Every secret so far: what later steps begin with.
    known: BTreeSet<Vec<u8>>,
    keys: Vec<RecordKeys>,
    /// Public keys that were made, and have to appear in a message.
    public_keys: Vec<Vec<u8>>,
    private_keys: usize,
}

/// The keys of one direction, with the number of the next record.
struct RecordKeys {
    key: std::boxed::Box<dyn AeadKey>,
    iv: Vec<u8>,
    next: u64,
}

/// A step: the fields that it has under `steps.N`.
struct Step<'a> {
    fields: &'a Fields,
    index: usize,
    title: String,
}

impl Step<'_> {
    fn take(&self, name: &str) -> Vec<u8> {
        let path = format!("steps.{}.fields.{name}", self.index);
        let bytes = self.fields.hex(&format!("{path}.hex"));
        assert_eq!(self.fields.number(&format!("{path}.octets")), bytes.len() as u64, "{path}");
        bytes
    }

    fn check(&self, name: &str, ours: &[u8]) {
        assert_eq!(self.take(name), ours, "step {}: {}: {name}", self.index, self.title);
    }

    /// What stands in quotes: a label.
    fn quoted(&self) -> &str {
        self.title.split('"').nth(1).unwrap()
    }
}

impl<'a> Walk<'a> {
    fn new(fields: &'a Fields) -> Self {
        assert!((3..=7).contains(&fields.number("section")));
        assert!(!fields.text("title").is_empty());
        Self {
            fields,
            transcript: Vec::new(),
            known: BTreeSet::new(),
            keys: Vec::new(),
            public_keys: Vec::new(),
            private_keys: 0,
        }
    }

    /// Every public key that was made was sent. Gives the number of private keys that no key exchange took.
    fn end(self) -> usize {
        assert_eq!(self.public_keys, [[0_u8; 0]; 0]);
        self.private_keys
    }

    fn step(&mut self, index: usize) {
        let who = self.fields.text(&format!("steps.{index}.who"));
        assert!(["client", "server"].contains(&&*who));
        let title = self.fields.text(&format!("steps.{index}.title"));
        let step = Step { fields: self.fields, index, title };
        match step.title.trim_end_matches(':') {
            // "same as client": a reference without fields, as the end of the test shows.
            title if title.contains("(same as ") => {}
            "create an ephemeral x25519 key pair" => self.x25519_key_pair(&step),
            "create an ephemeral P-256 key pair" => self.p256_key_pair(&step),
            "calculate PSK binder" => self.binder(&step),
            title if title.starts_with("construct a") => self.message(&step),
            title if title.starts_with("extract secret") => self.extract(&step),
            title if title.starts_with("derive secret") => self.derive_secret(&step),
            title if title.starts_with("generate resumption secret") => self.ticket(&step),
            title if title.starts_with("derive ") => self.traffic_keys(&step),
            title if title.starts_with("calculate finished") => self.finished(&step),
            title if title.starts_with("send ") => self.record(&step),
            other => panic!("step {index}: {other}"),
        }
    }

    /// The public key is checked by its appearance in a message; that it belongs to the private one, by the shared
    /// secret that the trace gives.
    fn x25519_key_pair(&mut self, step: &Step<'_>) {
        assert_eq!(step.take("private key").len(), 32);
        self.private_keys += 1;
        self.public_keys.push(step.take("public key"));
    }

    fn p256_key_pair(&mut self, step: &Step<'_>) {
        let (private, public) = (step.take("private key"), step.take("public key"));
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let random = SystemRandom::new();
        assert!(EcdsaKeyPair::from_private_key_and_public_key(algorithm, &private, &public, &random).is_ok());
        self.public_keys.push(public);
    }

    fn message(&mut self, step: &Step<'_>) {
        let name = step.title.split(' ').nth(2).unwrap();
        let message = step.take(name);
        let names = [
            (1, "ClientHello"),
            (2, "ServerHello"),
            (4, "NewSessionTicket"),
            (5, "EndOfEarlyData"),
            (8, "EncryptedExtensions"),
            (11, "Certificate"),
            (13, "CertificateRequest"),
            (15, "CertificateVerify"),
            (20, "Finished"),
        ];
        assert!(names.contains(&(message[0], name)), "{name}");
        self.public_keys.retain(|key| !message.windows(key.len()).any(|window| window == key));
        if name == "ServerHello" && message[6..38] == RETRY_RANDOM {
            let hash = SHA_256.hash(&[&self.transcript]);
            self.transcript = [&[254, 0, 0, 32], hash.as_ref()].concat();
        }
        // The ClientHello of the resumption is built before its binder: the record has it whole.
        self.transcript.extend(&message);
    }

    fn extract(&mut self, step: &Step<'_>) {
        let salt = match step.quoted() {
            "early" => std::vec![0; 32],
            _ => step.take("salt"),
        };
        let input = step.take("IKM");
        match step.quoted() {
            "early" => {}
            "handshake" => assert!(self.known.contains(&salt)),
            _ => assert!(self.known.contains(&salt) && input == [0; 32]),
        }
        let secret = Hkdf::tls13(HMAC_SHA_256).extract(&salt, &input);
        step.check("secret", secret.expose());
        self.known.insert(secret.expose().to_vec());
    }

    fn derive_secret(&mut self, step: &Step<'_>) {
        let label = step.quoted().strip_prefix("tls13 ").unwrap();
        let hash = match label {
            "derived" => SHA_256.hash(&[]),
            _ => SHA_256.hash(&[&self.transcript]),
        };
        step.check("hash", hash.as_ref());
        let secret = self.expand(step, label, hash.as_ref());
        self.known.insert(secret);
    }

    /// HKDF-Expand-Label in both of our forms: from the label, and from the info that it is made into.
    fn expand(&self, step: &Step<'_>, label: &str, context: &[u8]) -> Vec<u8> {
        let secret = step.take("PRK");
        assert!(self.known.contains(&secret), "{}: nobody made this secret", step.title);
        let (info, theirs) = (step.take("info"), step.take("expanded"));
        let (mut by_label, mut by_info) = (theirs.clone(), theirs.clone());
        by_label.fill(0);
        by_info.fill(0);
        Hkdf::tls13(HMAC_SHA_256).expand_from(&secret, |expander| {
            expander.expand_label(label.as_bytes(), context, &mut by_label).unwrap();
            expander.expand(&info, &mut by_info).unwrap();
        });
        assert_eq!((&by_label, &by_info), (&theirs, &theirs), "{}", step.title);
        theirs
    }

    fn ticket(&mut self, step: &Step<'_>) {
        let nonce = step.take("hash");
        assert_eq!(nonce, [0, 0]);
        self.expand(step, "resumption", &nonce);
    }

    fn traffic_keys(&mut self, step: &Step<'_>) {
        let secret = step.take("PRK");
        assert!(self.known.contains(&secret), "{}: nobody made this secret", step.title);
        let hkdf = Hkdf::tls13(HMAC_SHA_256);
        for (name, length) in [("key", 16), ("iv", 12)] {
            let mut by_info = std::vec![0; length];
            let info = step.take(&format!("{name} info"));
            hkdf.expand_from(&secret, |expander| expander.expand(&info, &mut by_info)).unwrap();
            let secret = TrafficSecret::new(hkdf, Secret::from_slice(&secret));
            let key = secret.use_keys_of(16, 16, |keys| {
                let ours = if name == "key" { keys.key } else { keys.iv };
                assert_eq!(ours, by_info, "{}", step.title);
                step.check(&format!("{name} expanded"), ours);
                AES_128_GCM.key(keys.key).unwrap()
            });
            if name == "iv" {
                self.keys.push(RecordKeys { key, iv: by_info, next: 0 });
            }
        }
    }

    fn finished(&mut self, step: &Step<'_>) {
        let hash = SHA_256.hash(&[&self.transcript]);
        self.verify_data(step, &hash);
    }

    fn binder(&mut self, step: &Step<'_>) {
        // RFC 9846 section 4.3.11.2: the hello up to the list of binders. It is the whole transcript so far.
        let prefix = step.take("ClientHello prefix");
        assert_eq!(prefix, self.transcript);
        let hash = SHA_256.hash(&[&prefix]);
        step.check("binder hash", hash.as_ref());
        // The trace does not show the step from the early secret to the binder's key.
        let [early] = self.known.iter().collect::<Vec<_>>()[..] else { panic!("only the early secret") };
        let binder_key = Hkdf::tls13(HMAC_SHA_256)
            .expand_from(early, |early| early.derive_secret("res binder", &SHA_256.hash(&[])));
        self.known.insert(binder_key.expose().to_vec());
        let binder = self.verify_data(step, &hash);
        // What the hello still lacks: a list of one binder.
        self.transcript.extend([0, 33, 32]);
        self.transcript.extend(binder);
    }

    fn verify_data(&self, step: &Step<'_>, transcript_hash: &Digest) -> Vec<u8> {
        assert!(step.take("hash").is_empty());
        let key = self.expand(step, "finished", &[]);
        let finished = HMAC_SHA_256.sign(&key, &[transcript_hash.as_ref()]);
        step.check("finished", finished.as_ref());
        finished.as_ref().to_vec()
    }

    fn record(&mut self, step: &Step<'_>) {
        let (payload, record) = (step.take("payload"), step.take("complete record"));
        let content_type = match step.title.split(' ').nth(1).unwrap() {
            "change_cipher_spec" => 20,
            "alert" => 21,
            "handshake" => 22,
            _ => 23,
        };
        let (header, body) = record.split_at(5);
        assert_eq!(usize::from(u16::from_be_bytes([header[3], header[4]])), body.len());
        if content_type == 22 {
            let sent = self.transcript.windows(payload.len()).any(|window| window == payload);
            assert!(sent, "{}: no message of ours", step.title);
        }
        if header[0] != 23 {
            assert_eq!((header[0], body), (content_type, &payload[..]));
            return;
        }
        let opened = self.keys.iter_mut().rev().find_map(|keys| keys.open(header, body));
        assert_eq!(opened.expect("keys that open the record"), [&payload[..], &[content_type]].concat());
    }
}

impl RecordKeys {
    /// Opens the next record of the direction, if it is one.
    fn open(&mut self, header: &[u8], body: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = self.iv.clone();
        nonce.iter_mut().rev().zip(self.next.to_le_bytes()).for_each(|(byte, n)| *byte ^= n);
        let (text, tag) = body.split_at(body.len() - AES_128_GCM.tag_length());
        let mut text = text.to_owned();
        self.key.open(&nonce.try_into().unwrap(), header, &mut text, tag).ok()?;
        self.next += 1;
        Some(text)
    }
}
