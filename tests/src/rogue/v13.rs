//! How the rogue of DTLS 1.3 gets its keys: by what it says and hears.

use core::mem;

use drystone_handshake::HandshakeType;
use drystone_handshake::crypto::schedule13::{EarlySecret, HandshakeSecrets, MainSecret, TrafficSecret};
use drystone_handshake::crypto::{self, CipherSuite, Digest, Side};
use drystone_handshake::message::{AnyServerHello, ClientHello};
use drystone_record::{AdmittedTypes, ContentType, Protection};

use super::{Message, Rogue, Step};

/// The epoch of the handshake after the hellos (RFC 9147 section 6.1).
const HANDSHAKE_EPOCH: u64 = 2;

/// The first epoch of application data.
const APPLICATION_EPOCH: u64 = 3;

/// How far the key schedule is.
#[derive(Default)]
pub(super) enum Schedule {
    #[default]
    Start,
    Handshake {
        secrets: HandshakeSecrets,
        main: MainSecret,
    },
    Application {
        secrets: HandshakeSecrets,
        read: TrafficSecret,
        write: TrafficSecret,
    },
}

impl Rogue {
    /// It has made this message.
    pub(super) fn said_13(&mut self, step: Step, message: &Message) {
        // The transcript is that of the handshake, and these are none of its messages.
        if matches!(step, Step::HelloVerifyRequest | Step::KeyUpdate | Step::NewSessionTicket) {
            return;
        }
        if step == Step::HelloRetryRequest {
            self.replace_hello_with_message_hash();
        }
        self.append(message);
        match step {
            Step::ServerHello => self.agree_13(),
            Step::Finished => {
                if self.side == Side::Server {
                    self.derive_application();
                }
                self.writer.present = self.writer.newest();
            }
            _ => {}
        }
    }

    /// It has heard this message.
    pub(super) fn learn_13(&mut self, message: &Message) {
        match message.msg_type {
            HandshakeType::CLIENT_HELLO => {
                self.forget_transcript();
                self.learn_client_hello(&message.body);
                self.append(message);
            }
            HandshakeType::SERVER_HELLO => self.learn_server_hello(message),
            HandshakeType::FINISHED => {
                let expected = self.verify_data_13(self.side.peer());
                self.peer_finished = Some(expected == message.body);
                self.append(message);
                if self.side == Side::Client {
                    self.derive_application();
                }
            }
            HandshakeType::KEY_UPDATE => self.next_read_keys(),
            _ => self.append(message),
        }
    }

    fn learn_client_hello(&mut self, body: &[u8]) {
        let hello = ClientHello::decode(body).expect("a hello");
        self.randoms.client = *hello.random;
        let shares = hello.extensions.key_share.into_iter().flat_map(|list| list.iter());
        let share = shares.into_iter().find(|share| share.group == self.group.name());
        self.peer_share = share.map_or(Vec::new(), |share| share.key_exchange.to_vec());
    }

    fn learn_server_hello(&mut self, message: &Message) {
        match AnyServerHello::decode(&message.body).expect("a hello") {
            AnyServerHello::Retry(request) => {
                self.assume_suite(request.cipher_suite);
                self.cookie = request.extensions.cookie.unwrap_or_default().to_vec();
                if let Some(group) = request.extensions.key_share {
                    self.group = crypto::ring::provider().group(group).expect("a group that was offered");
                    self.pending = None;
                }
                self.replace_hello_with_message_hash();
                self.append(message);
            }
            AnyServerHello::Hello(hello) => {
                self.randoms.server = *hello.random;
                self.assume_suite(hello.cipher_suite);
                self.peer_share = hello.extensions.key_share.expect("a share").key_exchange.to_vec();
                self.append(message);
                self.agree_13();
            }
        }
    }

    fn assume_suite(&mut self, id: drystone_handshake::CipherSuiteId) {
        self.suite = crypto::ring::provider().cipher_suite(id).expect("a suite that was offered");
    }

    /// The epoch in which an honest peer sends this now.
    pub(super) fn epoch_of_13(&self, step: Step) -> u64 {
        match step {
            Step::ClientHello | Step::ServerHello | Step::HelloRetryRequest | Step::HelloVerifyRequest => 0,
            Step::KeyUpdate | Step::NewSessionTicket => self.writer.present,
            _ => HANDSHAKE_EPOCH,
        }
    }

    // ---- transcript ----

    /// RFC 9147 section 5.2: type and length only, as in TLS.
    fn append(&mut self, message: &Message) {
        let bytes = message.to_bytes();
        self.transcript.extend_from_slice(&bytes[..4]);
        self.transcript.extend_from_slice(&message.body);
    }

    /// RFC 9846 section 4.1.
    fn replace_hello_with_message_hash(&mut self) {
        let hash = self.transcript_hash();
        let hash = hash.as_ref();
        self.transcript = [&[HandshakeType::MESSAGE_HASH.0, 0, 0, hash.len() as u8], hash].concat();
    }

    /// The hash of what it has said and heard.
    pub fn transcript_hash(&self) -> Digest {
        self.suite.hash.hash(&[&self.transcript])
    }

    /// What Finished of this side says of the transcript so far.
    pub(super) fn verify_data_13(&self, side: Side) -> Vec<u8> {
        let secrets = match &self.schedule {
            Schedule::Start => return vec![0; 32],
            Schedule::Handshake { secrets, .. } | Schedule::Application { secrets, .. } => secrets,
        };
        let secret = if side == Side::Client { &secrets.client } else { &secrets.server };
        secret.verify_data(&self.transcript_hash()).as_ref().to_vec()
    }

    // ---- keys ----

    /// The transcript ends with ServerHello: the keys of the handshake, if there are none yet.
    fn agree_13(&mut self) {
        let Some(pending) = self.pending.take() else { return };
        let Ok(shared_secret) = pending.finish(&self.peer_share) else { return };
        let early = EarlySecret::new(self.suite.hash, self.suite.hmac, None);
        let (secrets, main) = early.into_handshake(&shared_secret, &self.transcript_hash());
        let (own, peer) = match self.side {
            Side::Client => (&secrets.client, &secrets.server),
            Side::Server => (&secrets.server, &secrets.client),
        };
        self.writer.install(HANDSHAKE_EPOCH, protection(self.suite, own));
        self.writer.present = HANDSHAKE_EPOCH;
        self.reader.install(HANDSHAKE_EPOCH, protection(self.suite, peer), AdmittedTypes::UNIFIED);
        self.schedule = Schedule::Handshake { secrets, main };
    }

    /// The transcript ends with the server's Finished: the keys of application data, if there are none yet.
    fn derive_application(&mut self) {
        self.schedule = match mem::take(&mut self.schedule) {
            Schedule::Handshake { secrets, main } => {
                let (application, _) = main.into_application(&self.transcript_hash());
                let (write, read) = match self.side {
                    Side::Client => (application.client, application.server),
                    Side::Server => (application.server, application.client),
                };
                self.writer.install(APPLICATION_EPOCH, protection(self.suite, &write));
                let read_protection = protection(self.suite, &read);
                self.reader.install(APPLICATION_EPOCH, read_protection, AdmittedTypes::UNIFIED);
                Schedule::Application { secrets, read, write }
            }
            schedule => schedule,
        };
    }

    /// Writes with the next keys from now on (RFC 9846 section 7.2), whether or not it has said so.
    ///
    /// # Panics
    /// If it has no keys of application data.
    pub fn next_keys(&mut self) {
        let Schedule::Application { write, .. } = &mut self.schedule else { panic!("no keys to follow") };
        *write = write.next();
        let next = self.writer.newest() + 1;
        let protection = protection(self.suite, write);
        self.writer.install(next, protection);
        self.writer.present = next;
    }

    /// The next records are of this epoch, which has its keys.
    pub fn write_in(&mut self, epoch: u64) {
        self.writer.present = epoch;
    }

    /// The epoch of its next records.
    pub fn present_epoch(&self) -> u64 {
        self.writer.present
    }

    fn next_read_keys(&mut self) {
        let Schedule::Application { read, .. } = &mut self.schedule else { panic!("no keys to follow") };
        *read = read.next();
        let next = self.reader.newest() + 1;
        let protection = protection(self.suite, read);
        self.reader.install(next, protection, AdmittedTypes::UNIFIED);
    }

    /// A KeyUpdate in its record; the keys change with [`next_keys`](Self::next_keys).
    pub fn key_update(&mut self) -> Vec<u8> {
        self.perform(Step::KeyUpdate)
    }

    /// A handshake message in a record of this epoch, whatever an honest peer would do.
    pub fn perform_in(&mut self, epoch: u64, step: Step) -> Vec<u8> {
        let bytes = self.message(step).to_bytes();
        self.record_in(epoch, ContentType::HANDSHAKE, &bytes)
    }
}

/// Unified protection with the keys of this secret (RFC 9846 section 7.3, RFC 9147 section 4.2.3).
fn protection(suite: &'static CipherSuite, secret: &TrafficSecret) -> Protection {
    secret.use_keys(suite, |keys| {
        let key = suite.aead.key(keys.key).expect("a key of the right length");
        let mask = suite.mask.key(keys.sn_key).expect("a key of the right length");
        Protection::unified(key, suite.aead.tag_length(), *keys.iv, mask, suite.limits)
    })
}
