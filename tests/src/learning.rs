//! Cryptography that tells a [`Learnt`] its secrets: what a key exchange agrees on, every key of HMAC, which are the secrets
//! of both key schedules, Finished keys among them, and the keys of records. It must not do anything else with them.

use std::sync::Arc;

use drystone_handshake::crypto::{
    CipherSuite, CryptoProvider, Hmac, HmacKey, KeyExchangeError, KeyExchangeGroup, PendingKeyExchange,
    SharedSecret, StartedKeyExchange, ring,
};
use drystone_handshake::{NamedGroup, ProtocolVersion};

use drystone_record::{Aead, AeadKey, InvalidKey, Mask, MaskKey};

use crate::memory::Learnt;

/// ring's provider, in which everything tells.
pub fn telling_provider(learnt: &Arc<Learnt>) -> CryptoProvider {
    let mut provider = ring::provider();
    // A provider's parts live as long as the program; a test leaks a few bytes.
    for group in &mut provider.groups {
        *group = Box::leak(Box::new(TellingGroup { group: *group, learnt: Arc::clone(learnt) }));
    }
    for suite in &mut provider.cipher_suites {
        let hmac = Box::leak(Box::new(TellingHmac { hmac: suite.hmac, learnt: Arc::clone(learnt) }));
        let aead = Box::leak(Box::new(TellingAead { aead: suite.aead, learnt: Arc::clone(learnt) }));
        let mask = Box::leak(Box::new(TellingMask { mask: suite.mask, learnt: Arc::clone(learnt) }));
        *suite = Box::leak(Box::new(CipherSuite { hmac, aead, mask, ..**suite }));
    }
    provider
}

#[derive(Debug)]
struct TellingHmac {
    hmac: &'static dyn Hmac,
    learnt: Arc<Learnt>,
}

impl Hmac for TellingHmac {
    fn output_length(&self) -> usize {
        self.hmac.output_length()
    }

    fn use_key(&self, key: &[u8], work: &mut dyn FnMut(&dyn HmacKey)) {
        self.learnt.note("HMAC key", key);
        self.hmac.use_key(key, work);
    }

    fn key(&self, key: &[u8]) -> Box<dyn HmacKey> {
        self.learnt.note("HMAC key", key);
        self.hmac.key(key)
    }
}

#[derive(Debug)]
struct TellingAead {
    aead: &'static dyn Aead,
    learnt: Arc<Learnt>,
}

impl Aead for TellingAead {
    fn key_length(&self) -> usize {
        self.aead.key_length()
    }

    fn tag_length(&self) -> usize {
        self.aead.tag_length()
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, InvalidKey> {
        self.learnt.note("AEAD key", key);
        self.aead.key(key)
    }
}

#[derive(Debug)]
struct TellingMask {
    mask: &'static dyn Mask,
    learnt: Arc<Learnt>,
}

impl Mask for TellingMask {
    fn key_length(&self) -> usize {
        self.mask.key_length()
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn MaskKey>, InvalidKey> {
        self.learnt.note("mask key", key);
        self.mask.key(key)
    }
}

#[derive(Debug)]
struct TellingGroup {
    group: &'static dyn KeyExchangeGroup,
    learnt: Arc<Learnt>,
}

impl KeyExchangeGroup for TellingGroup {
    fn name(&self) -> NamedGroup {
        self.group.name()
    }

    fn share_length(&self) -> usize {
        self.group.share_length()
    }

    fn min_version(&self) -> ProtocolVersion {
        self.group.min_version()
    }

    fn start(&self) -> Result<StartedKeyExchange, KeyExchangeError> {
        let (pending, share) = self.group.start()?;
        Ok((Box::new(TellingPending { pending, learnt: Arc::clone(&self.learnt) }), share))
    }

    fn respond(&self, peer_share: &[u8]) -> Result<(Vec<u8>, SharedSecret), KeyExchangeError> {
        let (share, secret) = self.group.respond(peer_share)?;
        self.learnt.note("shared secret", secret.expose());
        Ok((share, secret))
    }
}

struct TellingPending {
    pending: Box<dyn PendingKeyExchange>,
    learnt: Arc<Learnt>,
}

impl PendingKeyExchange for TellingPending {
    fn finish(self: Box<Self>, peer_share: &[u8]) -> Result<SharedSecret, KeyExchangeError> {
        let secret = self.pending.finish(peer_share)?;
        self.learnt.note("shared secret", secret.expose());
        Ok(secret)
    }
}
