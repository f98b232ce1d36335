//! How the rogue of DTLS 1.2 gets its keys: by what it says and hears.

use drystone_handshake::HandshakeType;
use drystone_handshake::crypto::prf12::MasterSecret;
use drystone_handshake::crypto::{self, CipherSuite, PendingKeyExchange, Side};
use drystone_handshake::message::{ClientHello, ClientKeyExchange, ServerHello, ServerKeyExchange};
use drystone_record::{AdmittedTypes, ClassicNonce, Protection};

use super::{Message, Rogue, Step};

impl Rogue {
    /// It has made this message.
    pub(super) fn said_12(&mut self, step: Step, message: &Message) {
        if !matches!(step, Step::HelloVerifyRequest | Step::HelloRequest) {
            self.transcript.extend(message.to_bytes());
        }
        if step == Step::ClientKeyExchange
            && self.master.is_none()
            && let Some(pending) = self.pending.take()
        {
            self.agree(pending);
        }
    }

    /// It has heard this message.
    pub(super) fn learn_12(&mut self, message: &Message) {
        let body = &message.body;
        match message.msg_type {
            HandshakeType::CLIENT_HELLO => {
                self.forget_transcript();
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
        let (client, server) = master.use_key_block(self.suite, &self.randoms, |block| {
            let client = protection(self.suite, block.client_key, block.client_iv);
            (client, protection(self.suite, block.server_key, block.server_iv))
        });
        let (own, peer) = if self.side == Side::Client { (client, server) } else { (server, client) };
        self.writer.install(1, own);
        self.reader.install(1, peer, AdmittedTypes::CLASSIC);
        self.master = Some(master);
    }

    /// What Finished of this side says of the transcript so far.
    pub fn verify_data(&self, side: Side) -> Vec<u8> {
        let hash = self.suite.hash.hash(&[&self.transcript]);
        self.master.as_ref().map_or(vec![0; 12], |master| master.verify_data(side, &hash).to_vec())
    }
}

/// Classic protection with these keys.
fn protection(suite: &CipherSuite, key: &[u8], iv: &[u8]) -> Protection {
    let nonce = if suite.explicit_nonce {
        ClassicNonce::Explicit { salt: iv.try_into().expect("4 bytes") }
    } else {
        ClassicNonce::Implicit { iv: iv.try_into().expect("12 bytes") }
    };
    let key = suite.aead.key(key).expect("a key of the right length");
    Protection::classic(key, suite.aead.tag_length(), nonce, suite.limits)
}
