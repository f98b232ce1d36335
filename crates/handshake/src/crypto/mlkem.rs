//! ML-KEM-768 (FIPS 203) by libcrux, with the checks that libcrux leaves to its callers and keys that are wiped. Random
//! numbers are arguments. Knows no source of them, no group and no message.

use alloc::boxed::Box;

use libcrux_ml_kem::mlkem768::{self, MlKem768Ciphertext, MlKem768PrivateKey, MlKem768PublicKey};
use zeroize::{Zeroize, Zeroizing};

/// Bytes of an encapsulation key.
pub(super) const ENCAPSULATION_KEY_LENGTH: usize = 1184;

/// Bytes of a ciphertext.
pub(super) const CIPHERTEXT_LENGTH: usize = 1088;

/// Random bytes for a pair of keys: `d` and `z` of FIPS 203 section 7.1.
pub(super) const SEED_LENGTH: usize = 64;

/// Random bytes for an encapsulation, and bytes of the secret that it gives.
pub(super) const SECRET_LENGTH: usize = 32;

/// What an encapsulation gives both sides.
pub(super) type Secret = Zeroizing<[u8; SECRET_LENGTH]>;

/// The private key. libcrux does not wipe it: this does. It is boxed, so that a move leaves no copy behind.
pub(super) struct DecapsulationKey(Box<MlKem768PrivateKey>);

impl DecapsulationKey {
    /// The private key, and the encapsulation key that goes with it (FIPS 203 section 7.1).
    pub(super) fn from_seed(seed: &[u8; SEED_LENGTH]) -> (Self, [u8; ENCAPSULATION_KEY_LENGTH]) {
        // Copied and wiped instead of moved: a move would leave the old bytes on the stack.
        let (mut private, public) = mlkem768::generate_key_pair(*seed).into_parts();
        let key = Self(Box::new(private.clone()));
        private[0..].zeroize();
        (key, public.into())
    }

    /// FIPS 203 section 7.3. It does not fail: a ciphertext that nobody made for this key leads to a secret that
    /// nobody knows (implicit rejection), and the handshake ends at its first protected record.
    pub(super) fn decapsulate(&self, ciphertext: &[u8; CIPHERTEXT_LENGTH]) -> Secret {
        Zeroizing::new(mlkem768::decapsulate(&self.0, &MlKem768Ciphertext::from(ciphertext)))
    }
}

impl Drop for DecapsulationKey {
    fn drop(&mut self) {
        self.0[0..].zeroize();
    }
}

/// A peer's public key that has passed the check.
pub(super) struct EncapsulationKey(MlKem768PublicKey);

impl EncapsulationKey {
    /// The modulus check of FIPS 203 section 7.2: every coefficient must be below 3329. `None` if one is not.
    pub(super) fn check(bytes: &[u8; ENCAPSULATION_KEY_LENGTH]) -> Option<Self> {
        let key = MlKem768PublicKey::from(bytes);
        mlkem768::validate_public_key(&key).then_some(Self(key))
    }

    /// FIPS 203 section 7.2. The random bytes must be used once.
    pub(super) fn encapsulate(&self, random: &[u8; SECRET_LENGTH]) -> ([u8; CIPHERTEXT_LENGTH], Secret) {
        let (ciphertext, secret) = mlkem768::encapsulate(&self.0, *random);
        (ciphertext.into(), Zeroizing::new(secret))
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::crypto::test_support::{hex, vector};

    /// The tests of all groups of a Wycheproof file.
    fn wycheproof(file: &str) -> Vec<serde_json::Value> {
        let file = vector(&std::format!("wycheproof/{file}"));
        let groups = file["testGroups"].as_array().unwrap();
        groups.iter().flat_map(|group| group["tests"].as_array().unwrap().clone()).collect()
    }

    fn field<const N: usize>(test: &serde_json::Value, name: &str) -> Option<[u8; N]> {
        hex(test[name].as_str()?).try_into().ok()
    }

    /// Keys from seeds, and decapsulation, ciphertexts that are rejected implicitly among them.
    #[test]
    fn wycheproof_decapsulation() {
        let (mut agreed, mut misshapen) = (0, 0);
        for test in wycheproof("mlkem_768_test.json") {
            // Wrong lengths cannot be expressed in our types.
            let (Some(seed), Some(ciphertext)) = (field(&test, "seed"), field(&test, "c")) else {
                assert_eq!(test["result"], "invalid", "{}", test["tcId"]);
                misshapen += 1;
                continue;
            };
            assert_eq!(test["result"], "valid", "{}", test["tcId"]);
            let (private, public) = DecapsulationKey::from_seed(&seed);
            assert_eq!(Some(public), field(&test, "ek"), "{}", test["tcId"]);
            assert_eq!(Some(*private.decapsulate(&ciphertext)), field(&test, "K"), "{}", test["tcId"]);
            agreed += 1;
        }
        assert_eq!((agreed, misshapen), (153, 40));
    }

    /// Encapsulation, and keys whose coefficients are not reduced.
    #[test]
    fn wycheproof_encapsulation() {
        let (mut agreed, mut unreduced, mut misshapen) = (0, 0, 0);
        for test in wycheproof("mlkem_768_encaps_test.json") {
            let valid = test["result"] == "valid";
            let Some(public) = field(&test, "ek") else {
                assert!(!valid, "{}", test["tcId"]);
                misshapen += 1;
                continue;
            };
            let key = EncapsulationKey::check(&public);
            assert_eq!(key.is_some(), valid, "{}", test["tcId"]);
            let Some(key) = key else {
                unreduced += 1;
                continue;
            };
            let (ciphertext, secret) = key.encapsulate(&field(&test, "m").unwrap());
            assert_eq!(Some(ciphertext), field(&test, "c"), "{}", test["tcId"]);
            assert_eq!(Some(*secret), field(&test, "K"), "{}", test["tcId"]);
            agreed += 1;
        }
        assert_eq!((agreed, unreduced, misshapen), (133, 112, 20));
    }

    /// The first value that is too large, at every coefficient alone.
    #[test]
    fn each_coefficient_is_checked() {
        let (_, good) = DecapsulationKey::from_seed(&[7; SEED_LENGTH]);
        assert!(EncapsulationKey::check(&good).is_some());
        for coefficient in 0..3 * 256 {
            for (value, accepted) in [(3328_u16, true), (3329, false)] {
                let mut key = good;
                // Two coefficients of 12 bits in three bytes, the low bits first (FIPS 203 algorithm 5).
                let [low, high] = value.to_le_bytes();
                let at = coefficient / 2 * 3;
                if coefficient % 2 == 0 {
                    key[at] = low;
                    key[at + 1] = key[at + 1] & 0xf0 | high;
                } else {
                    key[at + 1] = key[at + 1] & 0x0f | low << 4;
                    key[at + 2] = high << 4 | low >> 4;
                }
                assert_eq!(EncapsulationKey::check(&key).is_some(), accepted, "{coefficient} {value}");
            }
        }
    }

    #[test]
    fn a_private_key_is_wiped() {
        let mut key = DecapsulationKey::from_seed(&[7; SEED_LENGTH]).0;
        assert!(key.0.as_slice().iter().any(|byte| *byte != 0));
        assert!(core::mem::needs_drop::<DecapsulationKey>());
        key.0[0..].zeroize();
        assert!(key.0.as_slice().iter().all(|byte| *byte == 0));
    }
}
