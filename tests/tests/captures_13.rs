//! Recorded DTLS 1.3 connections of another stack, read from end to end with our record layer, messages and key schedule:
//! every protected record opens, every message decodes, every Finished and CertificateVerify fits the transcript, ACKs
//! name records that were sent, and what we see in each datagram is what Wireshark saw.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use drystone_handshake::crypto::schedule13::TrafficSecret;
use drystone_handshake::crypto::{
    CipherSuite, Digest, KeyLogLabel, Secret, Side, certificate_verify_content, ring,
};
use drystone_handshake::message::{
    Ack, Alert, AnyServerHello, Certificate13, CertificateRequest13, CertificateVerify, ClientHello,
    EncryptedExtensions, Finished, HelloRetryRequest, KeyUpdate, NewSessionTicket13, ServerHello,
};
use drystone_handshake::{CipherSuiteId, HandshakeType, NamedGroup, ProtocolVersion};
use drystone_record::{
    AdmittedTypes, ContentType, Opened, Protection, ReadEpoch, ReadEpochs, RecordNumber, Records,
};
use drystone_tests::capture::{self, Capture, LoggedSecret, Message, Pieces, Recorded, names_in};
use drystone_x509::{CertificateDer, Expected, Policy, PublicKey, ServerName, TrustAnchors, UnixTime};

const FOLDER: &str = "dtls13-captures";

/// The captures with suites that we have, and what each of their connections is.
const OPENED: [(&str, &[Connection]); 9] = [
    ("d13-0rtt-accepted", &[FULL, Connection { identity: Identity::Ticket, early_data: 1, ..FULL }]),
    ("d13-0rtt-psk", &[RETRIED, Connection { identity: Identity::Ticket, early_data: 1, ..RETRIED }]),
    (
        "d13-aes128gcm-keyupdate",
        &[Connection { suite: CipherSuiteId::TLS_AES_128_GCM_SHA256, last_epochs: [4, 4], ..RETRIED }],
    ),
    ("d13-cid", &[Connection { id_lengths: [8, 5], ..RETRIED }]),
    ("d13-hrr-p256-aes256gcm", &[RETRIED]),
    ("d13-mlkem", &[Connection { group: NamedGroup::X25519MLKEM768, ..RETRIED }]),
    // An external key, which is not in the key log: its binder is not checked, all that follows is.
    (
        "d13-psk-dhe",
        &[Connection {
            suite: CipherSuiteId::TLS_AES_128_GCM_SHA256,
            identity: Identity::External,
            ..RETRIED
        }],
    ),
    ("d13-ticket-resumption", &[RETRIED, Connection { identity: Identity::Ticket, ..RETRIED }]),
    (
        "d13-x25519-chacha-mutual",
        &[Connection {
            suite: CipherSuiteId::TLS_CHACHA20_POLY1305_SHA256,
            group: NamedGroup::X25519,
            identity: Identity::BothCertificates,
            ..RETRIED
        }],
    ),
];

/// Those whose suites we do not have, and the suites: AES-CCM comes with the handshakes of constrained devices.
const OUT_OF_SCOPE: [(&str, CipherSuiteId); 2] = [
    // TLS_AES_128_CCM_SHA256
    ("d13-aes128ccm", CipherSuiteId(0x1304)),
    // TLS_AES_128_CCM_8_SHA256
    ("d13-aes128ccm8", CipherSuiteId(0x1305)),
];

/// What a connection turns out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Connection {
    suite: CipherSuiteId,
    group: NamedGroup,
    /// Whether there was a HelloRetryRequest.
    retried: bool,
    identity: Identity,
    /// Records of early data that were opened, whether the server took them or not.
    early_data: usize,
    /// The last epoch in which client and server sent.
    last_epochs: [u64; 2],
    /// The lengths of the connection ids that client and server write.
    id_lengths: [usize; 2],
}

/// How the ends proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identity {
    ServerCertificate,
    BothCertificates,
    /// A key from an earlier connection of the same capture.
    Ticket,
    /// A key from elsewhere.
    External,
}

const FULL: Connection = Connection {
    suite: CipherSuiteId::TLS_AES_256_GCM_SHA384,
    group: NamedGroup::SECP256R1,
    retried: false,
    identity: Identity::ServerCertificate,
    early_data: 0,
    last_epochs: [3, 3],
    id_lengths: [0, 0],
};

const RETRIED: Connection = Connection { retried: true, ..FULL };

#[test]
fn every_connection_with_a_suite_of_ours_is_read_to_its_end() {
    for (name, expected) in OPENED {
        let Capture { key_log, datagrams } = Capture::load(FOLDER, name);
        let mut readings: Vec<Reading> = Vec::new();
        for datagram in datagrams {
            if let Some(random) = client_random(&datagram)
                && readings.last().is_none_or(|reading| reading.client_random != random)
            {
                let earlier = readings.last().and_then(|reading| reading.suite);
                readings.push(Reading::new(name, random, SecretLog::of(&key_log, random), earlier));
            }
            readings.last_mut().expect("a hello comes first").datagram(datagram);
        }
        let connections: Vec<_> = readings.into_iter().map(Reading::end).collect();
        assert_eq!(connections, expected, "{name}");
    }
}

#[test]
fn the_other_connections_have_other_suites() {
    for (name, suite) in OUT_OF_SCOPE {
        let capture = Capture::load(FOLDER, name);
        let mut hellos = capture.datagrams.iter().filter_map(|datagram| plaintext(datagram, 2));
        let hello = hellos.next_back().expect("a ServerHello");
        let chosen = ServerHello::decode(&hello.body).unwrap().cipher_suite;
        assert_eq!(chosen, suite, "{name}");
        assert!(ring::provider().cipher_suite(chosen).is_none(), "{name} is in scope now: {chosen}");
    }
}

#[test]
fn no_connection_is_forgotten() {
    let opened = OPENED.map(|(name, _)| name);
    let listed: BTreeSet<_> =
        opened.into_iter().chain(OUT_OF_SCOPE.map(|(name, _)| name)).map(String::from).collect();
    assert_eq!(listed, capture::names(FOLDER));
}

/// A message of this type that is whole at the start of a plaintext datagram.
fn plaintext(datagram: &Recorded, msg_type: u8) -> Option<Message> {
    let is_of_type = datagram.bytes.first() == Some(&22) && datagram.bytes.get(13) == Some(&msg_type);
    is_of_type.then(|| Pieces::default().take(&datagram.bytes[13..]).0)?
}

/// The random of a hello that begins in this datagram, whole or not.
fn client_random(datagram: &Recorded) -> Option<[u8; 32]> {
    let is_hello = datagram.sender == Side::Client && datagram.bytes[0] == 22 && datagram.bytes[13] == 1;
    // Behind the headers of record and fragment, and the version; a later fragment has other bytes there.
    let is_start = datagram.bytes.get(19..22) == Some(&[0; 3]);
    (is_hello && is_start).then(|| datagram.bytes[27..59].try_into().expect("32 bytes"))
}

/// The secrets of one connection by their labels. Each is used.
struct SecretLog(BTreeMap<String, Vec<u8>>);

impl SecretLog {
    fn of(key_log: &[LoggedSecret], client_random: [u8; 32]) -> Self {
        let lines = key_log.iter().filter(|line| line.client_random == client_random);
        Self(lines.map(|line| (line.label.clone(), line.secret.clone())).collect())
    }

    fn take(&mut self, label: KeyLogLabel, suite: &CipherSuite) -> TrafficSecret {
        let secret = self.0.remove(&label.to_string()).unwrap_or_else(|| panic!("no {label}"));
        assert_eq!(secret.len(), suite.hash.output_length(), "{label}");
        TrafficSecret::from_secret(suite.hmac, Secret::from_slice(&secret))
    }

    fn take_handshake(&mut self, side: Side, suite: &CipherSuite) -> TrafficSecret {
        let label = match side {
            Side::Client => KeyLogLabel::ClientHandshakeTrafficSecret,
            Side::Server => KeyLogLabel::ServerHandshakeTrafficSecret,
        };
        self.take(label, suite)
    }

    fn take_application(&mut self, side: Side, suite: &CipherSuite) -> TrafficSecret {
        let label = match side {
            Side::Client => KeyLogLabel::ClientTrafficSecret(0),
            Side::Server => KeyLogLabel::ServerTrafficSecret(0),
        };
        self.take(label, suite)
    }
}

/// A connection while it is being read.
struct Reading {
    name: &'static str,
    client_random: [u8; 32],
    log: SecretLog,
    /// The suite of the connection before, in which early data is protected.
    earlier_suite: Option<&'static CipherSuite>,
    suite: Option<&'static CipherSuite>,
    group: Option<NamedGroup>,
    retried: bool,
    has_key_from_before: bool,
    early_data: usize,
    /// Every message as TLS has it (RFC 9147 section 5.2); the first hello as its hash if there was a retry.
    transcript: Vec<u8>,
    ends: [End; 2],
    finished: Vec<Side>,
}

/// What one end sent, and what is needed to read it.
struct End {
    epochs: ReadEpochs,
    /// The secret of its Finished.
    handshake: Option<TrafficSecret>,
    /// The secret of its newest epoch from 3 on, which Finished puts into use.
    newest: Option<TrafficSecret>,
    /// The length of the connection id that it was told to write.
    connection_id_length: usize,
    pieces: Pieces,
    /// Its messages by message_seq: type, epoch, body.
    messages: Vec<(HandshakeType, u64, Vec<u8>)>,
    /// The records that carried handshake messages.
    sent: BTreeSet<RecordNumber>,
    /// Those of them that the other end acknowledged.
    acknowledged: BTreeSet<RecordNumber>,
    /// The key in its certificate.
    public_key: Option<PublicKey>,
    has_proven_key: bool,
}

impl End {
    fn new() -> Self {
        let epoch = ReadEpoch::new(0, Protection::plaintext(), AdmittedTypes::UNIFIED_PLAINTEXT);
        Self {
            epochs: ReadEpochs::new(epoch),
            handshake: None,
            newest: None,
            connection_id_length: 0,
            pieces: Pieces::default(),
            messages: Vec::new(),
            sent: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            public_key: None,
            has_proven_key: false,
        }
    }

    fn install(&mut self, suite: &CipherSuite, epoch: u64, secret: &TrafficSecret) {
        let protection = secret.use_keys(suite, |keys| {
            Protection::unified(
                suite.aead.key(keys.key).unwrap(),
                suite.aead.tag_length(),
                *keys.iv,
                suite.mask.key(keys.sn_key).unwrap(),
                suite.limits,
            )
        });
        let admitted = match self.connection_id_length {
            0 => AdmittedTypes::UNIFIED,
            _ => AdmittedTypes::UNIFIED_WITH_CONNECTION_ID,
        };
        self.epochs.install(ReadEpoch::new(epoch, protection, admitted));
    }
}

impl Reading {
    fn new(
        name: &'static str,
        client_random: [u8; 32],
        log: SecretLog,
        earlier_suite: Option<&'static CipherSuite>,
    ) -> Self {
        Self {
            name,
            client_random,
            log,
            earlier_suite,
            suite: None,
            group: None,
            retried: false,
            has_key_from_before: false,
            early_data: 0,
            transcript: Vec::new(),
            ends: [End::new(), End::new()],
            finished: Vec::new(),
        }
    }

    fn end_of(&mut self, side: Side) -> &mut End {
        &mut self.ends[side as usize]
    }

    fn suite(&self) -> &'static CipherSuite {
        self.suite.expect("a suite was chosen")
    }

    fn hash(&self) -> Digest {
        self.suite().hash.hash(&[&self.transcript])
    }

    /// Reads a datagram, and compares what is in it with what Wireshark saw.
    fn datagram(&mut self, datagram: Recorded) {
        let Recorded { sender, info, mut bytes } = datagram;
        let mut records = Records::new(&mut bytes);
        let mut seen = Vec::new();
        loop {
            let end = self.end_of(sender);
            let Some(record) = records.next_record(end.connection_id_length) else { break };
            let record = record.unwrap_or_else(|reason| panic!("{info}: {reason}"));
            let opened = end.epochs.open(record, Duration::ZERO);
            let opened = opened.unwrap_or_else(|error| panic!("{}: {info}: {error}", self.name));
            self.record(sender, &opened, &mut seen);
        }
        assert_eq!(seen, names_in(&info), "{}: {info}", self.name);
    }

    fn record(&mut self, sender: Side, record: &Opened<'_>, seen: &mut Vec<&'static str>) {
        let epoch = record.number.epoch;
        match record.content_type {
            ContentType::APPLICATION_DATA => {
                assert!(record.payload.is_ascii() && !record.payload.is_empty(), "{}", self.name);
                assert!(epoch == 1 || epoch >= 3 && self.finished.contains(&sender), "{}", self.name);
                self.early_data += usize::from(epoch == 1);
                seen.push("Application Data");
            }
            ContentType::ALERT => {
                let Alert { description, .. } = Alert::decode(record.payload).unwrap();
                assert_eq!((description.0, epoch >= 3), (0, true), "{}: only close_notify", self.name);
                seen.push("Alert");
            }
            ContentType::ACK => {
                self.ack(sender, epoch, &Ack::decode(record.payload).unwrap());
                seen.push("Acknowledgement");
            }
            ContentType::HANDSHAKE => {
                self.end_of(sender).sent.insert(record.number);
                let mut rest = &*record.payload;
                while !rest.is_empty() {
                    let (message, after) = self.end_of(sender).pieces.take(rest);
                    seen.extend(message.map(|message| self.message(sender, epoch, &message)));
                    rest = after;
                }
            }
            other => panic!("{}: {other}", self.name),
        }
    }

    /// RFC 9147 section 7: an ACK names records of the other end that carried handshake messages, none of an epoch above
    /// its own.
    fn ack(&mut self, sender: Side, epoch: u64, ack: &Ack<'_>) {
        let name = self.name;
        let peer = self.end_of(sender.peer());
        assert!(ack.record_numbers.first().is_some(), "{name}: an empty ACK");
        for number in ack.record_numbers {
            let number = RecordNumber { epoch: number.epoch, sequence: number.sequence };
            assert!(peer.sent.contains(&number), "{name}: {number:?} was never sent");
            assert!((2..=epoch).contains(&number.epoch), "{name}: {number:?} in an ACK of epoch {epoch}");
            peer.acknowledged.insert(number);
        }
    }

    /// Decodes a message, acts on it, and gives Wireshark's name for it.
    fn message(&mut self, sender: Side, epoch: u64, message: &Message) -> &'static str {
        let Message { msg_type, ref body, .. } = *message;
        if self.is_repeat(sender, epoch, message) {
            assert_eq!(msg_type, HandshakeType::KEY_UPDATE, "{}: the only one that was repeated", self.name);
            return "Key Update";
        }
        assert_eq!(epoch, self.epoch_of(msg_type, sender), "{}: {msg_type}", self.name);
        let name = match msg_type {
            HandshakeType::CLIENT_HELLO => self.client_hello(&ClientHello::decode(body).unwrap()),
            HandshakeType::SERVER_HELLO => match AnyServerHello::decode(body).unwrap() {
                AnyServerHello::Retry(retry) => self.retry(&retry),
                AnyServerHello::Hello(hello) => {
                    self.add_to_transcript(message);
                    self.server_hello(&hello);
                    return "Server Hello";
                }
            },
            HandshakeType::ENCRYPTED_EXTENSIONS => {
                EncryptedExtensions::decode(body).unwrap();
                "Encrypted Extensions"
            }
            HandshakeType::CERTIFICATE_REQUEST => {
                CertificateRequest13::decode(body).unwrap();
                "Certificate Request"
            }
            HandshakeType::CERTIFICATE => {
                self.certificate(sender, &Certificate13::decode(body).unwrap());
                "Certificate"
            }
            HandshakeType::CERTIFICATE_VERIFY => {
                self.certificate_verify(sender, &CertificateVerify::decode(body).unwrap());
                "Certificate Verify"
            }
            HandshakeType::FINISHED => {
                self.finished(sender, &Finished::decode(body).unwrap());
                "Finished"
            }
            // What follows is no part of the handshake's transcript.
            HandshakeType::NEW_SESSION_TICKET => {
                NewSessionTicket13::decode(body).unwrap();
                return "New Session Ticket";
            }
            HandshakeType::KEY_UPDATE => {
                self.key_update(sender, &KeyUpdate::decode(body).unwrap());
                return "Key Update";
            }
            other => panic!("{}: {other}", self.name),
        };
        self.add_to_transcript(message);
        name
    }

    /// Whether the message was there before. Then nothing is new in it, and its epoch is the same (RFC 9147 section
    /// 4.2.1). Else it is the next one.
    fn is_repeat(&mut self, sender: Side, epoch: u64, message: &Message) -> bool {
        let messages = &mut self.ends[sender as usize].messages;
        let entry = (message.msg_type, epoch, message.body.clone());
        if let Some(earlier) = messages.get(usize::from(message.message_seq)) {
            assert_eq!(*earlier, entry, "{}", self.name);
            return true;
        }
        assert_eq!(usize::from(message.message_seq), messages.len(), "{}: {}", self.name, message.msg_type);
        messages.push(entry);
        false
    }

    /// The epoch in which a message belongs (RFC 9147 section 6.1).
    fn epoch_of(&self, msg_type: HandshakeType, sender: Side) -> u64 {
        match msg_type {
            HandshakeType::CLIENT_HELLO | HandshakeType::SERVER_HELLO => 0,
            HandshakeType::NEW_SESSION_TICKET => 3,
            HandshakeType::KEY_UPDATE => self.ends[sender as usize].epochs.current(),
            _ => 2,
        }
    }

    /// RFC 9147 section 5.2: without message_seq and fragments.
    fn add_to_transcript(&mut self, message: &Message) {
        self.transcript.extend(&message.header()[..4]);
        self.transcript.extend(&message.body);
    }

    fn client_hello(&mut self, hello: &ClientHello<'_>) -> &'static str {
        assert_eq!(*hello.random, self.client_random, "{}", self.name);
        assert!(hello.cookie.is_empty(), "{}: RFC 9147 section 5.3", self.name);
        let extensions = &hello.extensions;
        let versions = extensions.supported_versions.expect("supported_versions");
        assert!(versions.contains(&ProtocolVersion::DTLS_1_3), "{}", self.name);
        assert_eq!(extensions.cookie.is_some(), self.retried, "{}", self.name);
        // Each end says what the other shall write (RFC 9147 section 9).
        let id = extensions.connection_id.map(<[u8]>::len);
        self.end_of(Side::Server).connection_id_length = id.unwrap_or(0);
        if extensions.early_data.is_some() {
            let suite = self.earlier_suite.expect("a connection before");
            let secret = self.log.take(KeyLogLabel::ClientEarlyTrafficSecret, suite);
            self.end_of(Side::Client).install(suite, 1, &secret);
        }
        "Client Hello"
    }

    /// RFC 9846 section 4.1: the hash of the first hello takes its place, under the hash of the suite named here.
    fn retry(&mut self, retry: &HelloRetryRequest<'_>) -> &'static str {
        assert!(!self.retried, "{}: twice", self.name);
        self.retried = true;
        assert_eq!(retry.extensions.supported_versions, Some(ProtocolVersion::DTLS_1_3), "{}", self.name);
        assert!(retry.extensions.cookie.is_some(), "{}", self.name);
        self.suite = ring::provider().cipher_suite(retry.cipher_suite);
        let hash = self.hash();
        let length = u8::try_from(hash.as_ref().len()).unwrap();
        self.transcript = [&[HandshakeType::MESSAGE_HASH.0, 0, 0, length], hash.as_ref()].concat();
        "Hello Retry Request"
    }

    /// Suite and connection ids are known, and the log has the secrets: so are the keys.
    fn server_hello(&mut self, hello: &ServerHello<'_>) {
        let suite = ring::provider().cipher_suite(hello.cipher_suite).expect("a suite of ours");
        if self.retried {
            assert_eq!(suite.id, self.suite().id, "{}: the suite of the retry", self.name);
        }
        self.suite = Some(suite);
        assert!(hello.session_id.is_empty(), "{}: RFC 9147 section 5", self.name);
        let extensions = &hello.extensions;
        assert_eq!(extensions.supported_versions, Some(ProtocolVersion::DTLS_1_3), "{}", self.name);
        self.group = extensions.key_share.map(|share| share.group);
        self.has_key_from_before = extensions.pre_shared_key.is_some();
        let id = extensions.connection_id.map(<[u8]>::len);
        self.end_of(Side::Client).connection_id_length = id.unwrap_or(0);
        for side in [Side::Client, Side::Server] {
            let handshake = self.log.take_handshake(side, suite);
            let application = self.log.take_application(side, suite);
            let end = &mut self.ends[side as usize];
            end.install(suite, 2, &handshake);
            end.handshake = Some(handshake);
            end.newest = Some(application);
        }
    }

    /// The chain leads to the authority of the recordings, for the sender's role.
    fn certificate(&mut self, sender: Side, certificate: &Certificate13<'_>) {
        assert!(certificate.certificate_request_context.is_empty(), "{}", self.name);
        let chain = certificate.certificate_list.iter();
        let chain: Vec<_> = chain.map(|entry| CertificateDer::from(entry.cert_data)).collect();
        let authority = std::fs::read(capture::folder(FOLDER).join("ca.pem")).unwrap();
        let policy = Policy::new(TrustAnchors::from_pem(&authority).unwrap());
        let name = ServerName::try_from("localhost").unwrap();
        let expected = match sender {
            Side::Server => Expected::Server(&name),
            Side::Client => Expected::Client,
        };
        // The first of January 2027, a few weeks after the recording.
        let time = UnixTime::since_unix_epoch(Duration::from_secs(1_798_761_600));
        let verified = policy.verify(&chain, expected, time);
        let verified = verified.unwrap_or_else(|error| panic!("{}: {sender:?}: {error}", self.name));
        self.end_of(sender).public_key = Some(verified.public_key().clone());
    }

    /// RFC 9846 section 4.5.2.
    fn certificate_verify(&mut self, sender: Side, verify: &CertificateVerify<'_>) {
        let provider = ring::provider();
        let verifier = provider.signature_verifier(verify.signed.algorithm).expect("a scheme of ours");
        let content = certificate_verify_content(sender, &self.hash());
        let name = self.name;
        let end = self.end_of(sender);
        let public_key = end.public_key.as_ref().expect("Certificate before CertificateVerify");
        public_key
            .verify_signature(verifier.algorithms_fixed_curve, &content, verify.signed.signature)
            .unwrap_or_else(|error| panic!("{name}: {sender:?}: {error}"));
        end.has_proven_key = true;
    }

    /// RFC 9846 section 4.5.3.
    fn finished(&mut self, sender: Side, finished: &Finished<'_>) {
        let hash = self.hash();
        let suite = self.suite();
        let end = &mut self.ends[sender as usize];
        let secret = end.handshake.take().expect("keys before Finished");
        assert_eq!(secret.verify_data(&hash), *finished.verify_data, "{}: {sender:?}", self.name);
        let application = end.newest.take().expect("keys before Finished");
        end.install(suite, 3, &application);
        end.newest = Some(application);
        self.finished.push(sender);
    }

    /// RFC 9147 section 8: the next keys are there, and the first record under them puts them into use.
    fn key_update(&mut self, sender: Side, _: &KeyUpdate) {
        let suite = self.suite();
        let end = self.end_of(sender);
        let next = end.newest.take().expect("keys before KeyUpdate").next();
        let epoch = end.epochs.newest().expect("a newest epoch") + 1;
        end.install(suite, epoch, &next);
        end.newest = Some(next);
    }

    /// Checks that nothing is left, and sums up.
    fn end(self) -> Connection {
        let Self { name, log, .. } = self;
        // Of the exporter's secret nothing on the wire tells.
        let left: Vec<_> = log.0.into_keys().collect();
        assert_eq!(left, [KeyLogLabel::ExporterSecret.to_string()], "{name}");
        assert_eq!(self.finished, [Side::Server, Side::Client], "{name}");
        for end in &self.ends {
            assert!(end.pieces.is_empty(), "{name}: a message is not whole");
        }
        let [client, server] = self.ends;
        // What no flight answers was acknowledged: the client's last flight, and all that comes after the handshake.
        let unanswered = |end: &End, from: u64| -> BTreeSet<_> {
            end.sent.iter().copied().filter(|number| number.epoch >= from).collect()
        };
        assert_eq!(client.acknowledged, unanswered(&client, 2), "{name}");
        assert_eq!(server.acknowledged, unanswered(&server, 3), "{name}");
        let identity = match (server.has_proven_key, client.has_proven_key, self.has_key_from_before) {
            (true, false, false) => Identity::ServerCertificate,
            (true, true, false) => Identity::BothCertificates,
            (false, false, true) if self.earlier_suite.is_some() => Identity::Ticket,
            (false, false, true) => Identity::External,
            other => panic!("{name}: {other:?}"),
        };
        Connection {
            suite: self.suite.expect("a suite").id,
            group: self.group.expect("a key share"),
            retried: self.retried,
            identity,
            early_data: self.early_data,
            last_epochs: [client.epochs.current(), server.epochs.current()],
            id_lengths: [client.connection_id_length, server.connection_id_length],
        }
    }
}
