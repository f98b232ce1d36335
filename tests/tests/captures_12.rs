//! Recorded DTLS 1.2 connections of other stacks, read from end to end with our record layer, messages and key schedule:
//! every protected record opens, every handshake message decodes, both Finished fit the transcript, and what we see in
//! each datagram is what Wireshark saw.

use std::collections::BTreeSet;
use std::time::Duration;

use drystone_handshake::crypto::prf12::{MasterSecret, Randoms};
use drystone_handshake::crypto::{CipherSuite, Secret, Side, ring};
use drystone_handshake::message::{
    Alert, Certificate12, CertificateRequest12, CertificateVerify, ClientHello, ClientKeyExchange, Finished,
    HelloVerifyRequest, NewSessionTicket12, ServerHello, ServerHelloDone, ServerKeyExchange,
};
use drystone_handshake::{CipherSuiteId, HandshakeType};
use drystone_record::{
    AdmittedTypes, ClassicNonce, ContentType, Opened, Protection, ReadEpoch, ReadEpochs, Records,
};
use drystone_tests::capture::{self, Capture, Message, Pieces, Recorded, names_in};

const FOLDER: &str = "dtls12-captures";

/// The connections with suites that we have.
const OPENED: [&str; 6] = [
    "d12-cid",
    "d12-ecdhe-aes128gcm",
    "d12-ecdhe-chacha20",
    "d12-pion-cid-ecdhe",
    "d12-smallmtu-mutual-fragmented",
    "d12-wolf-chacha-mutual",
];

/// Those whose suites we do not have, and the suites.
const OUT_OF_SCOPE: [(&str, CipherSuiteId); 5] = [
    // TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256
    ("d12-ecdhe-aes128cbc-sha256", CipherSuiteId(0xc023)),
    // TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8
    ("d12-ecdhe-aes128ccm8", CipherSuiteId(0xc0ae)),
    // TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA
    ("d12-gnutls-ecdhepsk", CipherSuiteId(0xc035)),
    // TLS_PSK_WITH_AES_128_CCM_8
    ("d12-psk-aes128ccm8", CipherSuiteId(0xc0a8)),
    // TLS_DHE_PSK_WITH_AES_128_GCM_SHA256
    ("d12-psk-cid", CipherSuiteId(0x00aa)),
];

#[test]
fn every_connection_with_a_suite_of_ours_is_read_to_its_end() {
    for name in OPENED {
        let capture = Capture::load(FOLDER, name);
        let mut reading = Reading::of(name, &capture);
        for datagram in capture.datagrams {
            reading.datagram(datagram);
        }
        reading.check_end();
    }
}

#[test]
fn the_other_connections_have_other_suites() {
    for (name, suite) in OUT_OF_SCOPE {
        let chosen = chosen_suite(&Capture::load(FOLDER, name));
        assert_eq!(chosen, suite, "{name}");
        assert!(ring::provider().cipher_suite(chosen).is_none(), "{name} is in scope now: {chosen}");
    }
}

#[test]
fn no_connection_is_forgotten() {
    let listed: BTreeSet<_> =
        OPENED.into_iter().chain(OUT_OF_SCOPE.map(|(name, _)| name)).map(String::from).collect();
    assert_eq!(listed, capture::names(FOLDER));
}

/// A connection while it is being read.
struct Reading {
    name: &'static str,
    master_secret: Vec<u8>,
    ends: [Reader; 2],
    randoms: Randoms,
    suite: Option<&'static CipherSuite>,
    /// Every message but the first hello and the question for a cookie (RFC 6347 section 4.2.1), as if it had not been
    /// cut (section 4.2.6).
    transcript: Vec<u8>,
    finished: Vec<Side>,
}

/// What reads the datagrams that one end sent.
struct Reader {
    epochs: ReadEpochs,
    /// The keys that its ChangeCipherSpec puts into use.
    pending: Option<ReadEpoch>,
    /// The connection id that the end was told to write.
    connection_id_length: usize,
    pieces: Pieces,
}

impl Reader {
    fn new() -> Self {
        let epoch = ReadEpoch::new(0, Protection::plaintext(), AdmittedTypes::CLASSIC_PLAINTEXT);
        Self {
            epochs: ReadEpochs::new(epoch),
            pending: None,
            connection_id_length: 0,
            pieces: Pieces::default(),
        }
    }
}

impl Reading {
    fn of(name: &'static str, capture: &Capture) -> Self {
        let [line] = &capture.key_log[..] else { panic!("{name}: more than a master secret") };
        assert_eq!(line.label, "CLIENT_RANDOM", "{name}");
        Self {
            name,
            master_secret: line.secret.clone(),
            ends: [Reader::new(), Reader::new()],
            randoms: Randoms { client: line.client_random, server: [0; 32] },
            suite: None,
            transcript: Vec::new(),
            finished: Vec::new(),
        }
    }

    /// Reads a datagram, and compares what is in it with what Wireshark saw.
    fn datagram(&mut self, datagram: Recorded) {
        let Recorded { sender, info, mut bytes } = datagram;
        let mut records = Records::new(&mut bytes);
        let mut seen = Vec::new();
        loop {
            let end = &mut self.ends[sender as usize];
            let Some(record) = records.next_record(end.connection_id_length) else { break };
            let opened = end.epochs.open(record.unwrap(), Duration::ZERO);
            let opened = opened.unwrap_or_else(|error| panic!("{}: {info}: {error}", self.name));
            self.record(sender, &opened, &mut seen);
        }
        assert_eq!(seen, names_in(&info), "{}: {info}", self.name);
    }

    fn record(&mut self, sender: Side, record: &Opened<'_>, seen: &mut Vec<&'static str>) {
        match record.content_type {
            ContentType::APPLICATION_DATA => {
                assert!(record.payload.is_ascii() && !record.payload.is_empty(), "{}", self.name);
                seen.push("Application Data");
            }
            ContentType::ALERT => {
                let Alert { level, description } = Alert::decode(record.payload).unwrap();
                assert_eq!((level.0, description.0), (1, 0), "{}: only close_notify", self.name);
                seen.push("Alert");
            }
            ContentType::CHANGE_CIPHER_SPEC => {
                assert_eq!(*record.payload, [1]);
                let end = &mut self.ends[sender as usize];
                end.epochs.install(end.pending.take().expect("keys before ChangeCipherSpec"));
                seen.push("Change Cipher Spec");
            }
            ContentType::HANDSHAKE => {
                let mut rest = &*record.payload;
                while !rest.is_empty() {
                    let (message, after) = self.ends[sender as usize].pieces.take(rest);
                    if let Some(message) = message {
                        seen.push(self.message(sender, record.number.epoch, &message));
                    }
                    rest = after;
                }
            }
            other => panic!("{}: {other}", self.name),
        }
    }

    /// Decodes a message, acts on it, and gives Wireshark's name for it.
    fn message(&mut self, sender: Side, epoch: u64, message: &Message) -> &'static str {
        let Message { msg_type, ref body, .. } = *message;
        assert_eq!(epoch, u64::from(msg_type == HandshakeType::FINISHED), "{}: {msg_type}", self.name);
        let name = match msg_type {
            HandshakeType::CLIENT_HELLO => {
                let hello = ClientHello::decode(body).unwrap();
                assert_eq!(*hello.random, self.randoms.client, "{}: the key log", self.name);
                if !hello.cookie.is_empty() {
                    // Each end says what the other shall write (RFC 9146 section 3).
                    let id = hello.extensions.connection_id.map(<[u8]>::len);
                    self.ends[Side::Server as usize].connection_id_length = id.unwrap_or(0);
                    self.transcript.clear();
                }
                "Client Hello"
            }
            HandshakeType::HELLO_VERIFY_REQUEST => {
                HelloVerifyRequest::decode(body).unwrap();
                // Out of the transcript, with the hello before it.
                return "Hello Verify Request";
            }
            HandshakeType::SERVER_HELLO => {
                self.server_hello(&ServerHello::decode(body).unwrap());
                "Server Hello"
            }
            HandshakeType::CERTIFICATE => {
                let list = Certificate12::decode(body).unwrap();
                assert!(list.certificate_list.iter().next().is_some(), "{}", self.name);
                "Certificate"
            }
            HandshakeType::SERVER_KEY_EXCHANGE => {
                ServerKeyExchange::decode(body).unwrap();
                "Server Key Exchange"
            }
            HandshakeType::CERTIFICATE_REQUEST => {
                CertificateRequest12::decode(body).unwrap();
                "Certificate Request"
            }
            HandshakeType::SERVER_HELLO_DONE => {
                ServerHelloDone::decode(body).unwrap();
                "Server Hello Done"
            }
            HandshakeType::CLIENT_KEY_EXCHANGE => {
                ClientKeyExchange::decode(body).unwrap();
                "Client Key Exchange"
            }
            HandshakeType::CERTIFICATE_VERIFY => {
                CertificateVerify::decode(body).unwrap();
                "Certificate Verify"
            }
            HandshakeType::NEW_SESSION_TICKET => {
                NewSessionTicket12::decode(body).unwrap();
                "New Session Ticket"
            }
            HandshakeType::FINISHED => {
                self.check_finished(sender, &Finished::decode(body).unwrap());
                "Finished"
            }
            other => panic!("{}: {other}", self.name),
        };
        self.transcript.extend(message.header());
        self.transcript.extend(body);
        name
    }

    /// Suite and randoms are known: so are the keys.
    fn server_hello(&mut self, hello: &ServerHello<'_>) {
        let suite = ring::provider().cipher_suite(hello.cipher_suite).expect("a suite of ours");
        self.randoms.server = *hello.random;
        self.suite = Some(suite);
        let id = hello.extensions.connection_id.map(<[u8]>::len);
        let ids = [id.unwrap_or(0), self.ends[Side::Server as usize].connection_id_length];
        let keys = self.master().use_key_block(suite, &self.randoms, |block| {
            [(block.client_key, block.client_iv), (block.server_key, block.server_iv)]
                .map(|(key, iv)| (key.to_vec(), iv.to_vec()))
        });
        for ((end, (key, iv)), id) in self.ends.iter_mut().zip(keys).zip(ids) {
            let nonce = match suite.explicit_nonce {
                true => ClassicNonce::Explicit { salt: iv.try_into().unwrap() },
                false => ClassicNonce::Implicit { iv: iv.try_into().unwrap() },
            };
            let key = suite.aead.key(&key).unwrap();
            let protection = Protection::classic(key, suite.aead.tag_length(), nonce, suite.limits);
            let admitted = match id {
                0 => AdmittedTypes::CLASSIC,
                _ => AdmittedTypes::CLASSIC_WITH_CONNECTION_ID,
            };
            end.connection_id_length = id;
            end.pending = Some(ReadEpoch::new(1, protection, admitted));
        }
    }

    fn master(&self) -> MasterSecret {
        let suite = self.suite.expect("a suite was chosen");
        MasterSecret::from_secret(suite.hmac, Secret::from_slice(&self.master_secret))
    }

    /// RFC 5246 section 7.4.9.
    fn check_finished(&mut self, sender: Side, finished: &Finished<'_>) {
        let suite = self.suite.expect("a suite was chosen");
        let expected = self.master().verify_data(sender, &suite.hash.hash(&[&self.transcript]));
        assert_eq!(finished.verify_data, expected, "{}: {sender:?}", self.name);
        self.finished.push(sender);
    }

    fn check_end(&self) {
        assert_eq!(self.finished, [Side::Client, Side::Server], "{}", self.name);
        for end in &self.ends {
            assert!(end.pieces.is_empty(), "{}: a message is not whole", self.name);
            assert_eq!(end.epochs.current(), 1, "{}", self.name);
        }
    }
}

/// The suite in the ServerHello, which stands at the start of a datagram.
fn chosen_suite(capture: &Capture) -> CipherSuiteId {
    let mut datagrams = capture.datagrams.iter().map(|datagram| &datagram.bytes);
    let hello = datagrams.find(|bytes| (bytes[0], bytes[13]) == (22, 2)).expect("a ServerHello");
    let length = usize::from(u16::from_be_bytes([hello[23], hello[24]]));
    ServerHello::decode(&hello[25..25 + length]).unwrap().cipher_suite
}
