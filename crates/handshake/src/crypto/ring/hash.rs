//! SHA-2 and HMAC by ring.

use alloc::boxed::Box;

use ring::{digest, hmac};

use crate::crypto::hash::{SHA_256_OF_NOTHING, SHA_384_OF_NOTHING};
use crate::crypto::{Digest, Hash, HashContext, Hmac, HmacKey};

/// SHA-256.
pub static SHA_256: &dyn Hash = &RingHash(&digest::SHA256, Some(&SHA_256_OF_NOTHING));
/// SHA-384.
pub static SHA_384: &dyn Hash = &RingHash(&digest::SHA384, Some(&SHA_384_OF_NOTHING));
/// SHA-512. No suite has it; signatures of DTLS 1.2 may.
pub static SHA_512: &dyn Hash = &RingHash(&digest::SHA512, None);

/// HMAC with SHA-256.
pub static HMAC_SHA_256: &dyn Hmac = &RingHmac(&hmac::HMAC_SHA256);
/// HMAC with SHA-384.
pub static HMAC_SHA_384: &dyn Hmac = &RingHmac(&hmac::HMAC_SHA384);
/// HMAC with SHA-512.
pub static HMAC_SHA_512: &dyn Hmac = &RingHmac(&hmac::HMAC_SHA512);

/// The algorithm, and its digest of nothing where a key schedule asks for it.
#[derive(Debug)]
struct RingHash(&'static digest::Algorithm, Option<&'static [u8]>);

impl Hash for RingHash {
    fn output_length(&self) -> usize {
        self.0.output_len()
    }

    fn start(&self) -> Box<dyn HashContext> {
        Box::new(RingContext(digest::Context::new(self.0)))
    }

    fn hash(&self, data: &[&[u8]]) -> Digest {
        let mut context = digest::Context::new(self.0);
        data.iter().for_each(|part| context.update(part));
        to_digest(context.finish().as_ref())
    }

    fn of_nothing(&self) -> Digest {
        self.1.map_or_else(|| self.hash(&[]), to_digest)
    }
}

struct RingContext(digest::Context);

impl HashContext for RingContext {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn fork(&self) -> Box<dyn HashContext> {
        Box::new(Self(self.0.clone()))
    }

    fn finish(self: Box<Self>) -> Digest {
        to_digest(self.0.finish().as_ref())
    }

    fn current(&self) -> Digest {
        to_digest(self.0.clone().finish().as_ref())
    }
}

#[derive(Debug)]
struct RingHmac(&'static hmac::Algorithm);

impl Hmac for RingHmac {
    fn output_length(&self) -> usize {
        self.0.digest_algorithm().output_len()
    }

    fn use_key(&self, key: &[u8], work: &mut dyn FnMut(&dyn HmacKey)) {
        work(&RingHmacKey(hmac::Key::new(*self.0, key)));
    }

    fn key(&self, key: &[u8]) -> Box<dyn HmacKey> {
        Box::new(RingHmacKey(hmac::Key::new(*self.0, key)))
    }

    fn sign(&self, key: &[u8], data: &[&[u8]]) -> Digest {
        RingHmacKey(hmac::Key::new(*self.0, key)).sign(data)
    }
}

struct RingHmacKey(hmac::Key);

impl HmacKey for RingHmacKey {
    fn output_length(&self) -> usize {
        self.0.algorithm().digest_algorithm().output_len()
    }

    fn sign(&self, data: &[&[u8]]) -> Digest {
        if let [whole] = data {
            return to_digest(hmac::sign(&self.0, whole).as_ref());
        }
        let mut context = hmac::Context::with_key(&self.0);
        data.iter().for_each(|part| context.update(part));
        to_digest(context.sign().as_ref())
    }
}

fn to_digest(bytes: &[u8]) -> Digest {
    Digest::from_slice(bytes).expect("SHA-2 has at most 64 bytes of output")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::test_support::{hex, vector};

    /// FIPS 180-4 examples: the hash of "abc".
    #[test]
    fn known_answers() {
        let expected = [
            (SHA_256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                SHA_384,
                "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
                 8086072ba1e7cc2358baeca134c825a7",
            ),
            (
                SHA_512,
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                 2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
        ];
        for (hash, digest) in expected {
            assert_eq!(hash.hash(&[b"a", b"", b"bc"]).as_ref(), hex(digest));
            assert_eq!(hash.output_length(), digest.len() / 2);
        }
    }

    #[test]
    fn the_hash_of_nothing_is_known() {
        for hash in [SHA_256, SHA_384, SHA_512] {
            assert_eq!(hash.of_nothing(), hash.hash(&[]));
        }
    }

    #[test]
    fn a_fork_goes_its_own_way() {
        let mut context = SHA_256.start();
        context.update(b"ab");
        let mut fork = context.fork();
        fork.update(b"c");
        assert_eq!(fork.current(), SHA_256.hash(&[b"abc"]));
        context.update(b"d");
        assert_eq!(context.finish(), SHA_256.hash(&[b"abd"]));
        assert_eq!(fork.finish(), SHA_256.hash(&[b"abc"]));
    }

    fn wycheproof(hmac: &dyn Hmac, file: &str) {
        let mut passed = 0;
        for group in vector(file)["testGroups"].as_array().unwrap() {
            let tag_length = usize::try_from(group["tagSize"].as_u64().unwrap() / 8).unwrap();
            for test in group["tests"].as_array().unwrap() {
                let field = |name: &str| hex(test[name].as_str().unwrap());
                let (key, message) = (field("key"), field("msg"));
                let (first, rest) = message.split_at(message.len() / 3);
                let tag = hmac.sign(&key, &[first, rest]);
                hmac.use_key(&key, &mut |key| assert_eq!(tag, key.sign(&[&message])));
                let valid = test["result"] == "valid";
                assert_eq!(tag.as_ref()[..tag_length] == field("tag"), valid, "{}", test["tcId"]);
                passed += 1;
            }
        }
        assert!(passed > 100, "only {passed} vectors");
    }

    #[test]
    fn wycheproof_hmac_sha256() {
        wycheproof(HMAC_SHA_256, "wycheproof/hmac_sha256_test.json");
    }

    #[test]
    fn wycheproof_hmac_sha384() {
        wycheproof(HMAC_SHA_384, "wycheproof/hmac_sha384_test.json");
    }
}
