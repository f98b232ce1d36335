//! A scripted peer that speaks DTLS 1.2 and need not be honest. Owns the order and the content of its messages; the
//! protocol's states are deliberately missing, so that any step can be left out, repeated, swapped or altered.
//!
//! It is built from the public message formats, the key derivation and the record layer, not from the state machine
//! that it tests. Its Finished always fits what it has itself said and heard, so that a fault under test is the only
//! one.

mod duel;
mod messages;
mod victim;
mod wire;

use std::sync::Arc;

use drystone_handshake::crypto::prf12::{MasterSecret, Randoms};
use drystone_handshake::crypto::{self, CipherSuite, KeyExchangeGroup, PendingKeyExchange, Side, SigningKey};
use drystone_handshake::message::registry::{CipherSuiteId, HandshakeType, NamedGroup, SignatureScheme};
use drystone_handshake::message::{
    ClientHello, ClientKeyExchange, HelloVerifyRequest, ServerHello, ServerKeyExchange,
};
use drystone_record::{ClassicNonce, ContentType, Protection, RecordNumber, WriteEpoch};
use drystone_x509::CertificateDer;

use crate::identity::Identity;

pub use duel::Duel;
pub use victim::{Victim, start};
pub use wire::{Cut, Heard, Message, VERSION, cut, fragment_header, raw_record, seal};

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

type Alteration = Box<dyn FnMut(&mut Vec<u8>)>;

/// The scripted peer. Its public fields are what it says of itself; change them before the step that says it.
pub struct Rogue {
    side: Side,
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
    /// The master secret, once there is one.
    pub master: Option<MasterSecret>,
    alterations: Vec<(Step, Alteration)>,
    transcript: Vec<u8>,
    pending: Option<Box<dyn PendingKeyExchange>>,
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
    /// A rogue that presents `identity`, whose key is ECDSA on P-256.
    pub fn new(side: Side, identity: &Identity) -> Self {
        let provider = crypto::ring::provider();
        let credential = identity.credential();
        let suite = CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
        Self {
            side,
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
            alterations: Vec::new(),
            transcript: Vec::new(),
            pending: None,
            peer_share: Vec::new(),
            writer: wire::Writer::new(),
            reader: wire::Reader::new(),
        }
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
            self.writer.use_keys = true;
            return record;
        }
        // A ClientKeyExchange makes the keys, so that it cannot be under them.
        let has_keys = self.master.is_some();
        let message = self.message(step);
        // A record takes 2^14 bytes; nobody asks a simulated datagram for its size.
        let pieces =
            if message.body.is_empty() { vec![message.to_bytes()] } else { message.fragments(16_000) };
        let mut record = |bytes: &Vec<u8>| {
            if has_keys {
                self.handshake_record(bytes)
            } else {
                self.plaintext(ContentType::HANDSHAKE, bytes)
            }
        };
        pieces.iter().flat_map(&mut record).collect()
    }

    /// The steps one after the other in one datagram, each in a record of its own.
    pub fn perform_all(&mut self, steps: &[Step]) -> Vec<u8> {
        steps.iter().flat_map(|step| self.perform(*step)).collect()
    }

    /// Makes the message of a step and takes it into the transcript, without sending it.
    pub fn message(&mut self, step: Step) -> Message {
        if step == Step::ClientHello {
            self.transcript.clear();
        }
        let (msg_type, mut body) = self.build(step);
        for (_, alteration) in self.alterations.iter_mut().filter(|(altered, _)| *altered == step) {
            alteration(&mut body);
        }
        let message = Message { msg_type, message_seq: self.next_message_seq, body };
        self.next_message_seq += 1;
        if !matches!(step, Step::HelloVerifyRequest | Step::HelloRequest) {
            self.transcript.extend(message.to_bytes());
        }
        if step == Step::ClientKeyExchange
            && self.master.is_none()
            && let Some(pending) = self.pending.take()
        {
            self.agree(pending);
        }
        message
    }

    /// A record of handshake bytes in the present epoch.
    pub fn handshake_record(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.writer.record(ContentType::HANDSHAKE, bytes)
    }

    /// A record in the present epoch.
    pub fn record(&mut self, content_type: ContentType, payload: &[u8]) -> Vec<u8> {
        self.writer.record(content_type, payload)
    }

    /// Application data in the present epoch.
    pub fn data(&mut self, payload: &[u8]) -> Vec<u8> {
        self.writer.record(ContentType::APPLICATION_DATA, payload)
    }

    /// An alert in the present epoch.
    pub fn alert(&mut self, level: u8, description: u8) -> Vec<u8> {
        self.writer.record(ContentType::ALERT, &[level, description])
    }

    /// A record in plaintext, whatever the present epoch.
    pub fn plaintext(&mut self, content_type: ContentType, payload: &[u8]) -> Vec<u8> {
        seal(self.writer.plain(), content_type, payload)
    }

    /// Whether its next records are protected, if it has keys.
    pub fn use_keys(&mut self, yes: bool) {
        self.writer.use_keys = yes;
    }

    /// Its protected epoch, for numbers out of order.
    pub fn protected_epoch(&mut self) -> &mut WriteEpoch {
        self.writer.sealed()
    }

    // ---- listening ----

    /// The victim's first message has this message_seq.
    pub fn expect_message_seq(&mut self, message_seq: u16) {
        self.reader.next = message_seq;
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

    fn take_in(&mut self, number: RecordNumber, content_type: ContentType, payload: &[u8]) {
        match (content_type, payload) {
            (ContentType::CHANGE_CIPHER_SPEC, _) => self.heard.push(Heard::ChangeCipherSpec),
            (ContentType::ALERT, &[level, description]) => {
                self.heard.push(Heard::Alert { epoch: number.epoch, level, description });
            }
            (ContentType::APPLICATION_DATA, data) => self.heard.push(Heard::Data(data.to_vec())),
            _ => self.handshake(payload),
        }
    }

    fn handshake(&mut self, payload: &[u8]) {
        if payload.first() == Some(&HandshakeType::HELLO_VERIFY_REQUEST.0) {
            // All of them have message_seq 0.
            self.reader.next = 0;
        }
        let repeats = self.reader.fragments(payload);
        self.heard.extend(repeats);
        while let Some(message) = self.reader.next_message() {
            self.learn(&message);
            self.heard.push(Heard::Message(message));
        }
    }

    fn learn(&mut self, message: &Message) {
        let body = &message.body;
        match message.msg_type {
            HandshakeType::HELLO_VERIFY_REQUEST => {
                self.cookie = HelloVerifyRequest::decode(body).expect("a question").cookie.to_vec();
                return;
            }
            HandshakeType::CLIENT_HELLO => {
                self.transcript.clear();
                self.randoms.client = *ClientHello::decode(body).expect("a hello").random;
            }
            HandshakeType::SERVER_HELLO => {
                let hello = ServerHello::decode(body).expect("a hello");
                self.randoms.server = *hello.random;
                let chosen = crypto::ring::provider().cipher_suite(hello.cipher_suite);
                self.suite = chosen.expect("a suite that was offered");
            }
            HandshakeType::SERVER_KEY_EXCHANGE => {
                let params = ServerKeyExchange::decode(body).expect("a key exchange").params;
                self.group =
                    crypto::ring::provider().group(params.named_group()).expect("a group that was offered");
                self.peer_share = params.public().to_vec();
            }
            HandshakeType::CLIENT_KEY_EXCHANGE => {
                self.peer_share = ClientKeyExchange::decode(body).expect("a key exchange").public.to_vec();
            }
            HandshakeType::FINISHED => {
                let expected = self.verify_data(self.side.peer());
                self.peer_finished = Some(expected == **body);
            }
            _ => {}
        }
        self.transcript.extend(message.to_bytes());
        if message.msg_type == HandshakeType::CLIENT_KEY_EXCHANGE
            && let Some(pending) = self.pending.take()
        {
            self.agree(pending);
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

    /// Numbers of all records heard that could be opened.
    pub fn numbers_heard(&self) -> &[RecordNumber] {
        &self.reader.numbers
    }

    /// Records heard that could not be opened.
    pub fn unopened(&self) -> usize {
        self.reader.unopened
    }

    // ---- keys ----

    fn agree(&mut self, pending: Box<dyn PendingKeyExchange>) {
        let Ok(premaster) = pending.finish(&self.peer_share) else { return };
        let hash = self.suite.hash.hash(&[&self.transcript]);
        self.assume_master(if self.extended_master_secret {
            MasterSecret::extended(self.suite.hmac, &premaster, &hash)
        } else {
            MasterSecret::from_randoms(self.suite.hmac, &premaster, &self.randoms)
        });
    }

    /// Takes this for the master secret and derives all keys from it.
    pub fn assume_master(&mut self, master: MasterSecret) {
        let block = master.key_block(self.suite, &self.randoms);
        let client = protection(self.suite, block.client_key.expose(), block.client_iv.expose());
        let server = protection(self.suite, block.server_key.expose(), block.server_iv.expose());
        let (own, peer) = if self.side == Side::Client { (client, server) } else { (server, client) };
        self.writer.install(own);
        self.reader.install(peer);
        self.master = Some(master);
    }

    /// What Finished of this side says of the transcript so far.
    pub fn verify_data(&self, side: Side) -> Vec<u8> {
        let hash = self.suite.hash.hash(&[&self.transcript]);
        self.master.as_ref().map_or(vec![0; 12], |master| master.verify_data(side, &hash).to_vec())
    }
}

/// Classic protection with these keys.
pub fn protection(suite: &CipherSuite, key: &[u8], iv: &[u8]) -> Protection {
    let nonce = if suite.explicit_nonce {
        ClassicNonce::Explicit { salt: iv.try_into().expect("4 bytes") }
    } else {
        ClassicNonce::Implicit { iv: iv.try_into().expect("12 bytes") }
    };
    let key = suite.aead.key(key).expect("a key of the right length");
    Protection::classic(key, suite.aead.tag_length(), nonce, suite.limits)
}
