//! A traffic secret and what is derived from it (RFC 9846 sections 4.5.3, 7.2 and 7.3, RFC 9147 section 4.2.3).
//! Knows neither the direction nor the epoch that it serves.

use crate::crypto::hkdf::{Expander, Hkdf};
use crate::crypto::{CipherSuite, Digest, Hmac, Secret};

/// Bytes of the nonce of every AEAD in use (iv_length, RFC 9846 section 5.3).
const IV_LENGTH: usize = 12;

/// The secret of one direction in one epoch. It is the "PRK" of its keys, of its Finished and of its successor.
#[derive(Debug)]
pub struct TrafficSecret {
    hkdf: Hkdf,
    secret: Secret,
}

impl TrafficSecret {
    pub(super) fn new(hkdf: Hkdf, secret: Secret) -> Self {
        Self { hkdf, secret }
    }

    /// A secret that was kept, of an association that moved.
    pub fn from_secret(hmac: &'static dyn Hmac, secret: Secret) -> Self {
        Self::new(Hkdf::dtls13(hmac), secret)
    }

    /// The keys that protect records.
    pub fn keys(&self, suite: &CipherSuite) -> TrafficKeys {
        self.keys_of(suite.aead.key_length(), suite.mask.key_length())
    }
    /// The same and the key of Finished, for a secret of the handshake: one preparation of the secret serves both.
    pub fn handshake_keys(&self, suite: &CipherSuite) -> (TrafficKeys, FinishedKey) {
        let secret = self.hkdf.expander(&self.secret);
        let keys = TrafficKeys::expand(&secret, suite.aead.key_length(), suite.mask.key_length());
        let key = secret.secret("finished", &[], self.hkdf.output_length());
        (keys, FinishedKey { hkdf: self.hkdf, key })
    }

    pub(super) fn keys_of(&self, key_length: usize, sn_key_length: usize) -> TrafficKeys {
        TrafficKeys::expand(&self.hkdf.expander(&self.secret), key_length, sn_key_length)
    }

    /// The verify_data of this side's Finished: under the key "finished" (RFC 9846 section 4.5.3). As long as a
    /// digest, and compared in constant time.
    pub fn verify_data(&self, transcript_hash: &Digest) -> Digest {
        self.hkdf.sign(&self.finished_key(), transcript_hash.as_ref())
    }

    fn finished_key(&self) -> Secret {
        self.hkdf.expander(&self.secret).secret("finished", &[], self.hkdf.output_length())
    }

    /// The secret after a KeyUpdate (RFC 9846 section 7.2).
    pub fn next(&self) -> Self {
        let next = self.hkdf.expander(&self.secret).secret("traffic upd", &[], self.hkdf.output_length());
        Self::new(self.hkdf, next)
    }

    /// The secret itself: for the key log, or to keep an association.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }
}

/// The keys of one direction in one epoch.
#[derive(Debug)]
pub struct TrafficKeys {
    /// The AEAD's key.
    pub key: Secret,
    /// The 12 bytes to which the record number is added, to make the nonce.
    pub iv: Secret,
    /// The key of the record-number mask.
    pub sn_key: Secret,
}

impl TrafficKeys {
    fn expand(secret: &Expander, key_length: usize, sn_key_length: usize) -> Self {
        Self {
            key: secret.secret("key", &[], key_length),
            iv: secret.secret("iv", &[], IV_LENGTH),
            sn_key: secret.secret("sn", &[], sn_key_length),
        }
    }
}

/// What one side's Finished is computed with (RFC 9846 section 4.5.3). Wiped when dropped.
#[derive(Debug)]
pub struct FinishedKey {
    hkdf: Hkdf,
    key: Secret,
}

impl FinishedKey {
    /// The `verify_data` of a Finished after messages with this hash.
    pub fn verify_data(&self, transcript_hash: &Digest) -> Digest {
        self.hkdf.sign(&self.key, transcript_hash.as_ref())
    }
}
