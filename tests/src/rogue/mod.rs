//! A scripted peer that speaks DTLS 1.2 or 1.3 and need not be honest. Owns the order and the content of its messages;
//! the protocol's states are deliberately missing, so that any step can be left out, repeated, swapped or altered.
//!
//! It is built from the public message formats, the key derivation and the record layer, not from the state machine
//! that it tests. Its Finished always fits what it has itself said and heard, so that a fault under test is the only
//! one.

mod accident;
pub mod alert;
mod alter;
mod duel;
mod explore;
mod messages;
mod messages13;
mod script;
mod v12;
mod v13;
mod verdict;
mod victim;
mod wire;

use core::ops::Range;
use std::sync::Arc;

use drystone_handshake::crypto::prf12::{MasterSecret, Randoms};
use drystone_handshake::crypto::{self, CipherSuite, KeyExchangeGroup, PendingKeyExchange, Side, SigningKey};
use drystone_handshake::message::{Ack, HelloVerifyRequest, KeyUpdateRequest};
use drystone_handshake::{CipherSuiteId, HandshakeType, NamedGroup, ProtocolVersion, SignatureScheme};
use drystone_record::{ContentType, RecordNumber, WriteEpoch};
use drystone_x509::CertificateDer;

use crate::identity::Identity;

pub use accident::{Accident, double, lose, swap};
pub use duel::Duel;
pub use explore::{explore, never_hangs};
pub use script::{Scene, Script};
pub use verdict::{Outcome, connects_and_talks, ended_by_forgeries, refused};
pub use victim::{Asks, Victim, start};
pub use wire::{Cut, Heard, Message, VERSION, cut, fragment_header, raw_record, raw_unified_record, seal};

/// Something that a rogue can do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Step {
    HelloRequest,
    ClientHello,
    HelloVerifyRequest,
    ServerHello,
    Certificate,
    ServerKeyExchange,
    CertificateRequest,
    ServerHelloDone,
    ClientKeyExchange,
    CertificateVerify,
    ChangeCipherSpec,
    Finished,
    HelloRetryRequest,
    EncryptedExtensions,
    KeyUpdate,
    NewSessionTicket,
}

/// What an honest server does after the client's hello.
pub const SERVER_STEPS: [Step; 6] = [
    Step::ServerHello,
    Step::Certificate,
    Step::ServerKeyExchange,
    Step::ServerHelloDone,
    Step::ChangeCipherSpec,
    Step::Finished,
];

/// What an honest client does after the server's flight, if it is not asked for a certificate.
pub const CLIENT_STEPS: [Step; 3] = [Step::ClientKeyExchange, Step::ChangeCipherSpec, Step::Finished];

/// What an honest client does that presents a certificate.
pub const CERTIFIED_CLIENT_STEPS: [Step; 5] = [
    Step::Certificate,
    Step::ClientKeyExchange,
    Step::CertificateVerify,
    Step::ChangeCipherSpec,
    Step::Finished,
];

/// What an honest server of DTLS 1.3 does after the client's hello.
pub const SERVER_STEPS_13: [Step; 5] = [
    Step::ServerHello,
    Step::EncryptedExtensions,
    Step::Certificate,
    Step::CertificateVerify,
    Step::Finished,
];

/// What an honest client of DTLS 1.3 does after the server's flight, if it is not asked for a certificate.
pub const CLIENT_STEPS_13: [Step; 1] = [Step::Finished];

/// What an honest client of DTLS 1.3 does that presents a certificate.
pub const CERTIFIED_CLIENT_STEPS_13: [Step; 3] = [Step::Certificate, Step::CertificateVerify, Step::Finished];

type Alteration = Box<dyn FnMut(&mut Vec<u8>)>;

/// The scripted peer. Its public fields are what it says of itself; change them before the step that says it.
pub struct Rogue {
    side: Side,
    version: ProtocolVersion,
    /// The suite that it offers, or chooses.
    pub suite: &'static CipherSuite,
    /// The group that it offers, or chooses.
    pub group: &'static dyn KeyExchangeGroup,
    /// The scheme that it signs with.
    pub scheme: SignatureScheme,
    /// The scheme that it claims to have signed with, if another.
    pub claimed_scheme: Option<SignatureScheme>,
    /// Whether it knows extended_master_secret.
    pub extended_master_secret: bool,
    /// The certificates that it presents.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key that it signs with.
    pub key: Arc<dyn SigningKey>,
    /// The cookie that it asks for, or answers with.
    pub cookie: Vec<u8>,
    /// The randoms of both sides.
    pub randoms: Randoms,
    /// The message_seq of its next message.
    pub next_message_seq: u16,
    /// All that it has heard, in order.
    pub heard: Vec<Heard>,
    /// Whether the victim's Finished, if it has come, was right.
    pub peer_finished: Option<bool>,
    /// The master secret of DTLS 1.2, once there is one.
    pub master: Option<MasterSecret>,
    /// What its KeyUpdates say.
    pub request_update: KeyUpdateRequest,
    /// The ticket in its NewSessionTicket.
    pub ticket: Vec<u8>,
    schedule: v13::Schedule,
    alterations: Vec<(Step, Alteration)>,
    transcript: Vec<u8>,
    pending: Option<Box<dyn PendingKeyExchange>>,
    own_share: Vec<u8>,
    peer_share: Vec<u8>,
    writer: wire::Writer,
    reader: wire::Reader,
}

impl core::fmt::Debug for Rogue {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Rogue")
            .field("side", &self.side)
            .field("suite", &self.suite.id)
            .field("heard", &self.heard)
            .field("peer_finished", &self.peer_finished)
            .finish_non_exhaustive()
    }
}

impl Rogue {
    /// A rogue of DTLS 1.2 that presents `identity`, whose key is ECDSA on P-256.
    pub fn new(side: Side, identity: &Identity) -> Self {
        let suite = CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
        Self::of_version(ProtocolVersion::DTLS_1_2, suite, side, identity)
    }

    /// A rogue of DTLS 1.3 that presents `identity`, whose key is ECDSA on P-256.
    pub fn new_13(side: Side, identity: &Identity) -> Self {
        Self::of_version(ProtocolVersion::DTLS_1_3, CipherSuiteId::TLS_AES_128_GCM_SHA256, side, identity)
    }

    fn of_version(version: ProtocolVersion, suite: CipherSuiteId, side: Side, identity: &Identity) -> Self {
        let provider = crypto::ring::provider();
        let credential = identity.credential();
        Self {
            side,
            version,
            suite: provider.cipher_suite(suite).expect("ring has it"),
            group: provider.group(NamedGroup::X25519).expect("ring has it"),
            scheme: SignatureScheme::ECDSA_SECP256R1_SHA256,
            claimed_scheme: None,
            extended_master_secret: true,
            chain: credential.chain().to_vec(),
            key: credential.key().clone(),
            cookie: Vec::new(),
            randoms: Randoms { client: [0xc1; 32], server: [0x5e; 32] },
            next_message_seq: 0,
            heard: Vec::new(),
            peer_finished: None,
            master: None,
            request_update: KeyUpdateRequest::NotRequested,
            ticket: vec![9; 32],
            schedule: v13::Schedule::default(),
            alterations: Vec::new(),
            transcript: Vec::new(),
            pending: None,
            own_share: Vec::new(),
            peer_share: Vec::new(),
            writer: wire::Writer::new(),
            reader: wire::Reader::new(),
        }
    }

    fn is_13(&self) -> bool {
        self.version == ProtocolVersion::DTLS_1_3
    }

    /// Changes the body of each message of this kind before it is sent. The rogue's own transcript has the changed
    /// one, as the victim's will.
    pub fn alter(&mut self, step: Step, alteration: impl FnMut(&mut Vec<u8>) + 'static) {
        self.alterations.push((step, Box::new(alteration)));
    }

    // ---- speaking ----

    /// Does a step; the datagram, of one record if that has room.
    pub fn perform(&mut self, step: Step) -> Vec<u8> {
        if step == Step::ChangeCipherSpec {
            let record = self.plaintext(ContentType::CHANGE_CIPHER_SPEC, &[1]);
            if !self.is_13() {
                self.use_keys(true);
            }
            return record;
        }
        // A message that makes keys cannot be under them.
        let epoch = self.epoch_of(step);
        let message = self.message(step);
        // A record takes 2^14 bytes; nobody asks a simulated datagram for its size.
        let pieces =
            if message.body.is_empty() { vec![message.to_bytes()] } else { message.fragments(16_000) };
        pieces.iter().flat_map(|bytes| self.record_in(epoch, ContentType::HANDSHAKE, bytes)).collect()
    }

    /// The epoch in which an honest peer sends this now.
    pub fn epoch_of(&self, step: Step) -> u64 {
        if self.is_13() {
            self.epoch_of_13(step)
        } else if self.master.is_some() {
            self.writer.present
        } else {
            0
        }
    }

    /// The steps one after the other in one datagram, each in a record of its own.
    pub fn perform_all(&mut self, steps: &[Step]) -> Vec<u8> {
        steps.iter().flat_map(|step| self.perform(*step)).collect()
    }

    /// Makes the message of a step and takes it into the transcript, without sending it.
    pub fn message(&mut self, step: Step) -> Message {
        if step == Step::ClientHello {
            self.forget_transcript();
        }
        let (msg_type, mut body) = if self.is_13() { self.build_13(step) } else { self.build(step) };
        for (_, alteration) in self.alterations.iter_mut().filter(|(altered, _)| *altered == step) {
            alteration(&mut body);
        }
        let message = Message { msg_type, message_seq: self.next_message_seq, body };
        self.next_message_seq = self.next_message_seq.wrapping_add(1);
        if self.is_13() {
            self.said_13(step, &message);
        } else {
            self.said_12(step, &message);
        }
        message
    }

    /// A hello begins the transcript, but for one that answers a HelloRetryRequest.
    fn forget_transcript(&mut self) {
        if self.transcript.first() != Some(&HandshakeType::MESSAGE_HASH.0) {
            self.transcript.clear();
        }
    }

    /// A record of handshake bytes in the present epoch.
    pub fn handshake_record(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.record(ContentType::HANDSHAKE, bytes)
    }

    /// A record in the present epoch.
    pub fn record(&mut self, content_type: ContentType, payload: &[u8]) -> Vec<u8> {
        self.record_in(self.writer.present, content_type, payload)
    }

    /// A record in this epoch: in plaintext if it has no keys for it.
    pub fn record_in(&mut self, epoch: u64, content_type: ContentType, payload: &[u8]) -> Vec<u8> {
        self.writer.record_in(epoch, content_type, payload)
    }

    /// Application data in the present epoch.
    pub fn data(&mut self, payload: &[u8]) -> Vec<u8> {
        self.record(ContentType::APPLICATION_DATA, payload)
    }

    /// An alert in the present epoch.
    pub fn alert(&mut self, level: u8, description: u8) -> Vec<u8> {
        self.record(ContentType::ALERT, &[level, description])
    }

    /// A record in plaintext, whatever the present epoch.
    pub fn plaintext(&mut self, content_type: ContentType, payload: &[u8]) -> Vec<u8> {
        self.record_in(0, content_type, payload)
    }

    /// An ACK in the present epoch, whatever it names.
    pub fn ack(&mut self, numbers: &[RecordNumber]) -> Vec<u8> {
        let body = ack_body(numbers);
        self.record(ContentType::ACK, &body)
    }

    /// Whether its next records are protected, if it has keys.
    pub fn use_keys(&mut self, yes: bool) {
        self.writer.present = if yes { self.writer.newest().max(1) } else { 0 };
    }

    /// Its protected epoch, for numbers out of order.
    pub fn protected_epoch(&mut self) -> &mut WriteEpoch {
        self.epoch(self.writer.newest())
    }

    /// One of its epochs, for numbers out of order.
    pub fn epoch(&mut self, epoch: u64) -> &mut WriteEpoch {
        self.writer.epoch(epoch)
    }

    // ---- listening ----

    /// The victim's first message has this message_seq.
    pub fn expect_message_seq(&mut self, message_seq: u16) {
        self.reader.next = message_seq;
    }

    /// Does without the keys of an epoch of the victim's from now on: its records are not opened.
    pub fn drop_read_keys(&mut self, epoch: u64) {
        self.reader.without_keys.push(epoch);
    }

    /// Takes in what the victim sent.
    pub fn hear(&mut self, datagrams: impl IntoIterator<Item = impl AsRef<[u8]>>) {
        for datagram in datagrams {
            let mut rest = datagram.as_ref().to_vec();
            while let Some((number, content_type, payload)) = self.reader.open_first(&mut rest) {
                self.take_in(number, content_type, &payload);
            }
        }
    }

    /// Takes in the first record of a datagram that it can open, and cuts that and what came before off.
    pub fn hear_first(&mut self, datagram: &mut Vec<u8>) {
        match self.reader.open_first(datagram) {
            Some((number, content_type, payload)) => self.take_in(number, content_type, &payload),
            None => datagram.clear(),
        }
    }

    /// The message_seq of the victim's next message.
    pub fn next_expected(&self) -> u16 {
        self.reader.next
    }

    fn take_in(&mut self, number: RecordNumber, content_type: ContentType, payload: &[u8]) {
        match (content_type, payload) {
            (ContentType::CHANGE_CIPHER_SPEC, _) => self.heard.push(Heard::ChangeCipherSpec),
            (ContentType::ALERT, &[level, description]) => {
                self.heard.push(Heard::Alert { epoch: number.epoch, level, description });
            }
            (ContentType::APPLICATION_DATA, data) => self.heard.push(Heard::Data(data.to_vec())),
            (ContentType::ACK, body) => {
                let list = Ack::decode(body).expect("a whole ACK").record_numbers;
                let record = |number: drystone_handshake::message::RecordNumber| RecordNumber {
                    epoch: number.epoch,
                    sequence: number.sequence,
                };
                let numbers = list.iter().map(record).collect();
                self.heard.push(Heard::Ack { epoch: number.epoch, numbers });
            }
            _ => self.handshake(number, payload),
        }
    }

    fn handshake(&mut self, number: RecordNumber, payload: &[u8]) {
        if payload.first() == Some(&HandshakeType::HELLO_VERIFY_REQUEST.0) && self.reader.next <= 1 {
            // All of them have message_seq 0. Once ServerHello is here, they are late.
            self.reader.next = 0;
        }
        let repeats = self.reader.fragments(number, payload);
        self.heard.extend(repeats);
        while let Some(message) = self.reader.next_message() {
            self.learn(&message);
            self.heard.push(Heard::Message(message));
        }
    }

    fn learn(&mut self, message: &Message) {
        if message.msg_type == HandshakeType::HELLO_VERIFY_REQUEST {
            let request = HelloVerifyRequest::decode(&message.body).expect("a question");
            self.cookie = request.cookie.to_vec();
        } else if self.is_13() {
            self.learn_13(message);
        } else {
            self.learn_12(message);
        }
    }

    /// Whether the victim has sent an alert of this description, in any epoch.
    pub fn heard_alert(&self, wanted: u8) -> bool {
        self.alerts().contains(&wanted)
    }

    /// The descriptions of all alerts heard.
    pub fn alerts(&self) -> Vec<u8> {
        self.heard
            .iter()
            .filter_map(|heard| match heard {
                Heard::Alert { description, .. } => Some(*description),
                _ => None,
            })
            .collect()
    }

    /// The application data heard.
    pub fn data_heard(&self) -> Vec<&[u8]> {
        self.heard
            .iter()
            .filter_map(|heard| match heard {
                Heard::Data(data) => Some(&**data),
                _ => None,
            })
            .collect()
    }

    /// The last message of this type that was heard.
    pub fn last(&self, msg_type: HandshakeType) -> Option<&Message> {
        self.heard.iter().rev().find_map(|heard| match heard {
            Heard::Message(message) if message.msg_type == msg_type => Some(message),
            _ => None,
        })
    }

    /// The KeyUpdates heard: what each says of request_update.
    pub fn key_updates(&self) -> Vec<u8> {
        self.heard
            .iter()
            .filter_map(|heard| match heard {
                Heard::Message(message) if message.msg_type == HandshakeType::KEY_UPDATE => {
                    Some(message.body[0])
                }
                _ => None,
            })
            .collect()
    }

    /// Numbers of all records heard that could be opened.
    pub fn numbers_heard(&self) -> &[RecordNumber] {
        &self.reader.numbers
    }

    /// The records heard that carried handshake messages.
    pub fn handshakes_heard(&self) -> &[RecordNumber] {
        &self.reader.handshakes
    }

    /// What each of those carried, in order: message_seq and bytes of the message.
    pub fn pieces_heard(&self) -> &[(RecordNumber, u16, Range<usize>)] {
        &self.reader.pieces
    }

    /// The ACKs heard: their epochs and what they name.
    pub fn acks(&self) -> Vec<(u64, Vec<RecordNumber>)> {
        self.heard
            .iter()
            .filter_map(|heard| match heard {
                Heard::Ack { epoch, numbers } => Some((*epoch, numbers.clone())),
                _ => None,
            })
            .collect()
    }

    /// Records heard that could not be opened.
    pub fn unopened(&self) -> usize {
        self.reader.unopened
    }
}

/// The body of an ACK that names these records.
pub fn ack_body(numbers: &[RecordNumber]) -> Vec<u8> {
    let record = |number: &RecordNumber| drystone_handshake::message::RecordNumber {
        epoch: number.epoch,
        sequence: number.sequence,
    };
    let numbers: Vec<_> = numbers.iter().map(record).collect();
    let mut body = Vec::new();
    Ack { record_numbers: numbers.as_slice().into() }.encode(&mut body).expect("at most 4,095 numbers");
    body
}
