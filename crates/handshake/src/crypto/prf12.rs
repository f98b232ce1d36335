//! Key derivation of DTLS 1.2: the PRF of RFC 5246 section 5 and what is derived with it. Knows no message; takes
//! randoms and transcript hashes as given.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::crypto::{CipherSuite, Digest, Hmac, HmacKey, Secret, SharedSecret, Side, stack};

/// The randoms of both hellos, which enter every derivation in one order or the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Randoms {
    /// ClientHello.random.
    pub client: [u8; 32],
    /// ServerHello.random.
    pub server: [u8; 32],
}

/// PRF(secret, label, seeds) (RFC 5246 section 5): fills `out`, of any length.
///
/// ```
/// use drystone_handshake::crypto::{prf12::prf, ring};
///
/// let mut out = [0; 12];
/// prf(ring::HMAC_SHA_256, b"secret", b"test label", &[b"seed"], &mut out);
/// assert_ne!(out, [0; 12]);
/// ```
pub fn prf(hmac: &dyn Hmac, secret: &[u8], label: &[u8], seeds: &[&[u8]], out: &mut [u8]) {
    let length = seeds.iter().fold(label.len(), |length, seed| length.saturating_add(seed.len()));
    let mut seed = Vec::with_capacity(length);
    seed.extend_from_slice(label);
    seeds.iter().for_each(|part| seed.extend_from_slice(part));
    stack::wiping::<{ stack::SYMMETRIC }, _>(|| {
        hmac.use_key(secret, &mut |key| p_hash(key, &seed, out));
    });
}

/// P_hash(secret, seed): A(1) = HMAC(secret, seed), A(i) = HMAC(secret, A(i-1)); block i = HMAC(secret, A(i) + seed).
fn p_hash(key: &dyn HmacKey, seed: &[u8], out: &mut [u8]) {
    let mut previous: Option<Zeroizing<Digest>> = None;
    for piece in out.chunks_mut(key.output_length()) {
        let a = Zeroizing::new(match &previous {
            None => key.sign(&[seed]),
            Some(previous) => key.sign(&[previous.as_ref()]),
        });
        let block = Zeroizing::new(key.sign(&[a.as_ref(), seed]));
        // The last piece may be shorter than the digest, never longer.
        for (to, from) in piece.iter_mut().zip(block.as_ref()) {
            *to = *from;
        }
        previous = Some(a);
    }
}

/// The master secret (RFC 5246 section 8.1): 48 bytes, wiped on drop.
///
/// ```
/// use drystone_handshake::crypto::{Digest, SharedSecret, Side, prf12::MasterSecret, ring};
///
/// let pre_master_secret = SharedSecret::from_slice(&[1; 32]);
/// let session_hash = ring::SHA_256.hash(&[b"handshake messages up to ClientKeyExchange"]);
/// let master = MasterSecret::extended(ring::HMAC_SHA_256, &pre_master_secret, &session_hash);
/// let transcript_hash = ring::SHA_256.hash(&[b"handshake messages up to Finished"]);
/// let verify_data: [u8; 12] = master.verify_data(Side::Client, &transcript_hash);
/// assert_ne!(verify_data, master.verify_data(Side::Server, &transcript_hash));
/// ```
#[derive(Debug)]
pub struct MasterSecret {
    hmac: &'static dyn Hmac,
    secret: Secret,
}

impl MasterSecret {
    /// Bytes of a master secret.
    pub const LENGTH: usize = 48;

    /// The master secret without the extension extended_master_secret.
    pub fn from_randoms(
        hmac: &'static dyn Hmac,
        pre_master_secret: &SharedSecret,
        randoms: &Randoms,
    ) -> Self {
        Self::derive(hmac, pre_master_secret, b"master secret", &[&randoms.client, &randoms.server])
    }

    /// The extended master secret (RFC 7627 section 4). `session_hash` covers the handshake messages up to and
    /// including ClientKeyExchange.
    pub fn extended(
        hmac: &'static dyn Hmac,
        pre_master_secret: &SharedSecret,
        session_hash: &Digest,
    ) -> Self {
        Self::derive(hmac, pre_master_secret, b"extended master secret", &[session_hash.as_ref()])
    }

    /// A master secret that was kept: of a session that is resumed, or of an association that moved.
    pub fn from_secret(hmac: &'static dyn Hmac, secret: Secret) -> Self {
        Self { hmac, secret }
    }

    fn derive(
        hmac: &'static dyn Hmac,
        pre_master_secret: &SharedSecret,
        label: &[u8],
        seeds: &[&[u8]],
    ) -> Self {
        let secret = Secret::with(Self::LENGTH, |out| {
            prf(hmac, pre_master_secret.expose(), label, seeds, out);
        });
        Self { hmac, secret }
    }

    /// The secret itself: for the key log, or to keep a session.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Derives the keys of both directions (RFC 5246 section 6.3) and lends them to `work`: they are wiped when it returns.
    /// Give back no secret but in a box.
    pub fn use_key_block<T>(
        &self,
        suite: &CipherSuite,
        randoms: &Randoms,
        work: impl FnOnce(&KeyBlock<'_>) -> T,
    ) -> T {
        self.use_key_block_of(suite.aead.key_length(), suite.fixed_iv_length(), randoms, work)
    }

    fn use_key_block_of<T>(
        &self,
        key_length: usize,
        iv_length: usize,
        randoms: &Randoms,
        work: impl FnOnce(&KeyBlock<'_>) -> T,
    ) -> T {
        let length = key_length.saturating_add(iv_length).saturating_mul(2);
        let mut block = Zeroizing::new(vec![0; length]);
        // Here the server's random comes first.
        self.prf(b"key expansion", &[&randoms.server, &randoms.client], &mut block);
        // An AEAD has no MAC keys, so that the block begins with the write keys.
        let mut rest = block.as_slice();
        let mut take = |length: usize| {
            let (first, others) =
                rest.split_at_checked(length).expect("the block is as long as its four parts");
            rest = others;
            first
        };
        let block = KeyBlock {
            client_key: take(key_length),
            server_key: take(key_length),
            client_iv: take(iv_length),
            server_iv: take(iv_length),
        };
        // What is made of the keys passes over the stack.
        stack::wiping::<{ stack::SYMMETRIC }, _>(|| work(&block))
    }

    /// The verify_data of Finished (RFC 5246 section 7.4.9), as sent by `sender`. Compare it in constant time.
    pub fn verify_data(&self, sender: Side, transcript_hash: &Digest) -> [u8; 12] {
        let label: &[u8] = match sender {
            Side::Client => b"client finished",
            Side::Server => b"server finished",
        };
        let mut verify_data = [0; 12];
        self.prf(label, &[transcript_hash.as_ref()], &mut verify_data);
        verify_data
    }

    /// Exported keying material (RFC 5705 section 4): fills `out`. An absent context differs from an empty one.
    ///
    /// # Errors
    ///
    /// [`ExportError`], if the label is one of the protocol's own or the context has more than 65535 bytes.
    pub fn export(
        &self,
        label: &[u8],
        randoms: &Randoms,
        context: Option<&[u8]>,
        out: &mut [u8],
    ) -> Result<(), ExportError> {
        if is_reserved_label(label) {
            return Err(ExportError::ReservedLabel);
        }
        let Some(context) = context else {
            self.prf(label, &[&randoms.client, &randoms.server], out);
            return Ok(());
        };
        let length = u16::try_from(context.len()).map_err(|_| ExportError::ContextTooLong)?;
        self.prf(label, &[&randoms.client, &randoms.server, &length.to_be_bytes(), context], out);
        Ok(())
    }

    fn prf(&self, label: &[u8], seeds: &[&[u8]], out: &mut [u8]) {
        prf(self.hmac, self.secret.expose(), label, seeds, out);
    }
}

/// Labels that the protocol itself uses: exporting with one of them would give away its keys (RFC 5705 section 4,
/// RFC 7627 section 4).
const RESERVED_LABELS: &[&[u8]] =
    &[b"client finished", b"server finished", b"master secret", b"extended master secret", b"key expansion"];

/// Whether the protocol itself derives something under this label (RFC 5705 section 4).
pub(crate) fn is_reserved_label(label: &[u8]) -> bool {
    RESERVED_LABELS.contains(&label)
}

/// What cannot be exported. Closed: a label or a context may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// The label is one that the protocol itself uses.
    #[error("label reserved for the protocol")]
    ReservedLabel,
    /// The context has more than 65535 bytes.
    #[error("context longer than 65535 bytes")]
    ContextTooLong,
}

/// The write keys and fixed IVs of both sides, while they are lent.
pub struct KeyBlock<'a> {
    /// The client's write key.
    pub client_key: &'a [u8],
    /// The server's write key.
    pub server_key: &'a [u8],
    /// The client's fixed IV: the 4-byte salt of GCM (RFC 5288 section 3), or 12 bytes (RFC 7905 section 2).
    pub client_iv: &'a [u8],
    /// The server's fixed IV.
    pub server_iv: &'a [u8],
}

impl fmt::Debug for KeyBlock<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyBlock").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::crypto::ring::{HMAC_SHA_256, HMAC_SHA_384, HMAC_SHA_512};
    use crate::crypto::test_support::{hex, vector};

    struct Vector {
        hmac: &'static dyn Hmac,
        secret: Vec<u8>,
        label: std::string::String,
        seed: Vec<u8>,
        output: Vec<u8>,
    }

    fn vectors() -> Vec<Vector> {
        let file = vector("tls12-prf.json");
        let read = |value: &serde_json::Value| {
            let field = |name: &str| value[name].as_str().unwrap();
            Vector {
                hmac: match field("hash") {
                    "sha256" => HMAC_SHA_256,
                    "sha384" => HMAC_SHA_384,
                    "sha512" => HMAC_SHA_512,
                    other => panic!("unknown hash {other}"),
                },
                secret: hex(field("secret")),
                label: field("label").into(),
                seed: hex(field("seed")),
                output: hex(field("output")),
            }
        };
        let vectors: Vec<Vector> = file["vectors"].as_array().unwrap().iter().map(read).collect();
        assert_eq!(vectors.len(), 12);
        vectors
    }

    fn randoms(first: &[u8], second: &[u8]) -> Randoms {
        Randoms { client: first.try_into().unwrap(), server: second.try_into().unwrap() }
    }

    #[test]
    fn prf_vectors() {
        for vector in vectors() {
            let mut out = std::vec![0; vector.output.len()];
            let (one, two) = vector.seed.split_at(vector.seed.len() / 2);
            prf(vector.hmac, &vector.secret, vector.label.as_bytes(), &[one, two], &mut out);
            assert_eq!(out, vector.output, "{}", vector.label);
        }
    }

    /// Each derivation by name: the vectors fix labels, order of randoms and lengths.
    #[test]
    fn named_derivations() {
        let mut seen = Vec::new();
        for vector in vectors() {
            let pre_master_secret = SharedSecret::from_slice(&vector.secret);
            let master = MasterSecret::from_secret(vector.hmac, Secret::from_slice(&vector.secret));
            let output = vector.output.as_slice();
            match vector.label.as_str() {
                "master secret" => {
                    let (client, server) = vector.seed.split_at(32);
                    let derived =
                        MasterSecret::from_randoms(vector.hmac, &pre_master_secret, &randoms(client, server));
                    assert_eq!(derived.secret().expose(), output);
                }
                "extended master secret" => {
                    // The vectors have 64 bytes of seed where a real session hash is as long as the hash.
                    let hash = Digest::from_slice(&vector.seed).unwrap();
                    let derived = MasterSecret::extended(vector.hmac, &pre_master_secret, &hash);
                    assert_eq!(derived.secret().expose(), output);
                }
                "key expansion" => {
                    let (server, client) = vector.seed.split_at(32);
                    let key_length = output.len() / 2 - 4;
                    master.use_key_block_of(key_length, 4, &randoms(client, server), |block| {
                        let parts = [block.client_key, block.server_key, block.client_iv, block.server_iv];
                        assert_eq!(parts.concat(), output);
                        assert_eq!(parts.map(<[u8]>::len), [key_length, key_length, 4, 4]);
                    });
                }
                "client finished" => {
                    let hash = Digest::from_slice(&vector.seed).unwrap();
                    assert_eq!(&master.verify_data(Side::Client, &hash), output);
                }
                "server finished" => {
                    let hash = Digest::from_slice(&vector.seed).unwrap();
                    assert_eq!(&master.verify_data(Side::Server, &hash), output);
                }
                "EXTRACTOR-dtls_srtp" => {
                    let (client, server) = vector.seed.split_at(32);
                    let mut out = std::vec![0; output.len()];
                    master.export(b"EXTRACTOR-dtls_srtp", &randoms(client, server), None, &mut out).unwrap();
                    assert_eq!(out, output);
                }
                "test label" => continue,
                other => panic!("no derivation for {other}"),
            }
            seen.push(vector.label);
        }
        assert_eq!(seen.len(), 9);
    }

    #[test]
    fn exporting_tells_an_absent_context_from_an_empty_one() {
        let master = MasterSecret::from_secret(HMAC_SHA_256, Secret::from_slice(&[3; 48]));
        let randoms = Randoms { client: [1; 32], server: [2; 32] };
        let export = |context| {
            let mut out = [0; 32];
            master.export(b"EXPERIMENTAL-label", &randoms, context, &mut out).map(|()| out)
        };
        let mut expected = [0; 32];
        let seed = [&[1; 32][..], &[2; 32], &[0, 3], b"abc"];
        prf(HMAC_SHA_256, &[3; 48], b"EXPERIMENTAL-label", &seed, &mut expected);
        assert_eq!(export(Some(b"abc")), Ok(expected));
        assert_ne!(export(Some(b"")), export(None));
        assert!(export(Some(&[0; 65535])).is_ok());
        assert_eq!(export(Some(&[0; 65536])), Err(ExportError::ContextTooLong));
    }

    #[test]
    fn the_protocols_own_labels_are_not_exported() {
        let master = MasterSecret::from_secret(HMAC_SHA_256, Secret::from_slice(&[3; 48]));
        let randoms = Randoms { client: [1; 32], server: [2; 32] };
        for label in
            ["client finished", "server finished", "master secret", "extended master secret", "key expansion"]
        {
            let result = master.export(label.as_bytes(), &randoms, None, &mut [0; 16]);
            assert_eq!(result, Err(ExportError::ReservedLabel), "{label}");
        }
    }
}
