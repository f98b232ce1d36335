//! A traffic secret and what is derived from it (RFC 9846 sections 4.5.3, 7.2 and 7.3, RFC 9147 section 4.2.3).
//! Knows neither the direction nor the epoch that it serves.

use core::fmt;

use zeroize::Zeroizing;

use crate::crypto::hkdf::{Expander, Hkdf};
use crate::crypto::{CipherSuite, Digest, Hmac, Secret, stack};

/// Bytes of the nonce of every AEAD in use (iv_length, RFC 9846 section 5.3).
const IV_LENGTH: usize = 12;

/// The longest key of any AEAD, in bytes: AES-256 in SIV mode.
const MAX_KEY: usize = 64;

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

    /// Derives the keys that protect records and lends them to `work`: they are wiped when it returns. Give back no secret but
    /// in a box.
    pub fn use_keys<T>(&self, suite: &CipherSuite, work: impl FnOnce(&TrafficKeys<'_>) -> T) -> T {
        self.use_keys_of(suite.aead.key_length(), suite.mask.key_length(), work)
    }

    /// The same with the key of Finished, for a secret of the handshake: one preparation of the secret serves both.
    pub fn use_handshake_keys<T>(
        &self,
        suite: &CipherSuite,
        work: impl FnOnce(&TrafficKeys<'_>) -> T,
    ) -> (T, FinishedKey) {
        let mut keys = KeyRoom::new(suite.aead.key_length(), suite.mask.key_length());
        let key = self.hkdf.expand_from(self.secret.expose(), |secret| {
            keys.fill(secret);
            secret.secret("finished", &[], self.hkdf.output_length())
        });
        (keys.lend(work), FinishedKey { hkdf: self.hkdf, key })
    }

    pub(super) fn use_keys_of<T>(
        &self,
        key_length: usize,
        sn_key_length: usize,
        work: impl FnOnce(&TrafficKeys<'_>) -> T,
    ) -> T {
        let mut keys = KeyRoom::new(key_length, sn_key_length);
        self.hkdf.expand_from(self.secret.expose(), |secret| keys.fill(secret));
        keys.lend(work)
    }

    /// The verify_data of this side's Finished: under the key "finished" (RFC 9846 section 4.5.3). As long as a
    /// digest, and compared in constant time.
    pub fn verify_data(&self, transcript_hash: &Digest) -> Digest {
        self.hkdf.sign(&self.finished_key(), transcript_hash.as_ref())
    }

    fn finished_key(&self) -> Secret {
        self.derived("finished")
    }

    /// The secret after a KeyUpdate (RFC 9846 section 7.2).
    pub fn next(&self) -> Self {
        Self::new(self.hkdf, self.derived("traffic upd"))
    }

    fn derived(&self, label: &'static str) -> Secret {
        let length = self.hkdf.output_length();
        self.hkdf.expand_from(self.secret.expose(), |secret| secret.secret(label, &[], length))
    }

    /// The secret itself: for the key log, or to keep an association.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }
}

/// The keys of one direction in one epoch, while they are lent.
pub struct TrafficKeys<'a> {
    /// The AEAD's key.
    pub key: &'a [u8],
    /// The 12 bytes to which the record number is added, to make the nonce.
    pub iv: &'a [u8; IV_LENGTH],
    /// The key of the record-number mask.
    pub sn_key: &'a [u8],
}

impl fmt::Debug for TrafficKeys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrafficKeys").finish_non_exhaustive()
    }
}

/// Room for keys in the frame of one function: filled in place, lent, and wiped. It is not moved while it holds any.
struct KeyRoom {
    key: Zeroizing<[u8; MAX_KEY]>,
    key_length: usize,
    iv: Zeroizing<[u8; IV_LENGTH]>,
    sn_key: Zeroizing<[u8; MAX_KEY]>,
    sn_key_length: usize,
}

impl KeyRoom {
    fn new(key_length: usize, sn_key_length: usize) -> Self {
        assert!(key_length.max(sn_key_length) <= MAX_KEY, "keys have at most 64 bytes");
        let (key, iv, sn_key) = ([0; MAX_KEY].into(), [0; IV_LENGTH].into(), [0; MAX_KEY].into());
        Self { key, key_length, iv, sn_key, sn_key_length }
    }

    fn fill(&mut self, secret: &Expander<'_>) {
        secret.expand_key("key", self.key.get_mut(..self.key_length).unwrap_or_default());
        secret.expand_key("iv", &mut *self.iv);
        secret.expand_key("sn", self.sn_key.get_mut(..self.sn_key_length).unwrap_or_default());
    }

    /// On a stack that is clean already: what `work` boxes may have gaps, which are copied with whatever lay there.
    fn lend<T>(&self, work: impl FnOnce(&TrafficKeys<'_>) -> T) -> T {
        let keys = TrafficKeys {
            key: self.key.get(..self.key_length).unwrap_or_default(),
            iv: &self.iv,
            sn_key: self.sn_key.get(..self.sn_key_length).unwrap_or_default(),
        };
        stack::wiping::<{ stack::SYMMETRIC }, _>(|| work(&keys))
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
