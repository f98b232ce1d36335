//! Key exchange: shares of every shape, and Wycheproof.
#![allow(deprecated, reason = "ring takes a given private key only through its deprecated test module")]

use std::vec;

use ring::test::rand::FixedSliceRandom;

use super::*;
use crate::crypto::test_support::{hex, vector};
use crate::message::registry::ProtocolVersion;

static GROUPS: [&dyn KeyExchangeGroup; 3] = [X25519, SECP256R1, SECP384R1];

#[test]
fn every_version_may_use_them() {
    let lengths = GROUPS.map(|group| (group.name(), group.share_length()));
    assert_eq!(lengths, [(NamedGroup::X25519, 32), (NamedGroup::SECP256R1, 65), (NamedGroup::SECP384R1, 97)]);
    assert!(GROUPS.iter().all(|group| group.min_version() == ProtocolVersion::DTLS_1_2));
}

#[test]
fn both_sides_agree() {
    for group in GROUPS {
        let (pending, client_share) = group.start().unwrap();
        assert_eq!(client_share.len(), group.share_length());
        let (server_share, server_secret) = group.respond(&client_share).unwrap();
        assert_eq!(server_share.len(), group.share_length());
        let client_secret = pending.finish(&server_share).unwrap();
        assert_eq!(client_secret.expose(), server_secret.expose());
        assert!(client_secret.expose().iter().any(|byte| *byte != 0));
    }
}

#[test]
fn every_exchange_has_its_own_key() {
    for group in GROUPS {
        let (_, one) = group.start().unwrap();
        let (_, other) = group.start().unwrap();
        assert_ne!(one, other);
    }
}

#[test]
fn shares_of_every_wrong_length_are_refused() {
    for group in GROUPS {
        let good = group.start().unwrap().1;
        for length in (0..=good.len() + 1).filter(|length| *length != good.len()) {
            let mut share = good.clone();
            share.resize(length, 0);
            assert_eq!(
                group.respond(&share).err(),
                Some(KeyExchangeError::InvalidShare),
                "{group:?} {length}"
            );
            let (pending, _) = group.start().unwrap();
            assert_eq!(
                pending.finish(&share).err(),
                Some(KeyExchangeError::InvalidShare),
                "{group:?} {length}"
            );
        }
        assert!(group.respond(&good).is_ok());
    }
}

/// The points of order 1, 2, 4 and 8, with their non-canonical encodings: all lead to zero (RFC 7748 section 6.1).
#[test]
fn low_order_points_are_refused() {
    let points = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    for point in points {
        let mut share = hex(point);
        for top_bit in [0, 0x80] {
            // The top bit is not part of the coordinate (RFC 7748 section 5).
            share[31] |= top_bit;
            assert_eq!(X25519.respond(&share).err(), Some(KeyExchangeError::InvalidShare), "{point}");
            let (pending, _) = X25519.start().unwrap();
            assert_eq!(pending.finish(&share).err(), Some(KeyExchangeError::InvalidShare), "{point}");
        }
    }
}

#[test]
fn only_uncompressed_points_of_the_curve_are_accepted() {
    for group in [SECP256R1, SECP384R1] {
        let good = group.start().unwrap().1;
        for format in (0..=255).filter(|format| *format != 4) {
            let mut share = good.clone();
            share[0] = format;
            assert_eq!(group.respond(&share).err(), Some(KeyExchangeError::InvalidShare), "{format}");
        }
        let mut off_curve = good.clone();
        *off_curve.last_mut().unwrap() ^= 1;
        assert_eq!(group.respond(&off_curve).err(), Some(KeyExchangeError::InvalidShare));
        let mut infinity = vec![0; good.len()];
        infinity[0] = 4;
        assert_eq!(group.respond(&infinity).err(), Some(KeyExchangeError::InvalidShare));
    }
}

/// Agrees with a given private key, which ring only allows through its test random numbers.
fn agree(group: &RingGroup, private_key: &[u8], share: &[u8]) -> Result<SharedSecret, KeyExchangeError> {
    group.generate(&FixedSliceRandom { bytes: private_key })?.0.agree(share)
}

#[test]
fn wycheproof_x25519() {
    let group = RingGroup { name: NamedGroup::X25519, algorithm: &agreement::X25519, share_length: 32 };
    let (mut agreed, mut refused) = (0, 0);
    let file = vector("wycheproof/x25519_test.json");
    for test in file["testGroups"][0]["tests"].as_array().unwrap() {
        let field = |name: &str| hex(test[name].as_str().unwrap());
        let expected = field("shared");
        match agree(&group, &field("private"), &field("public")) {
            Ok(secret) => {
                assert_eq!(secret.expose(), expected, "{}", test["tcId"]);
                agreed += 1;
            }
            Err(error) => {
                assert_eq!(
                    (error, expected),
                    (KeyExchangeError::InvalidShare, vec![0; 32]),
                    "{}",
                    test["tcId"]
                );
                refused += 1;
            }
        }
    }
    assert!(agreed > 400 && refused > 10, "{agreed} agreed, {refused} refused");
}

#[test]
fn wycheproof_secp256r1() {
    let group = RingGroup { name: NamedGroup::SECP256R1, algorithm: &agreement::ECDH_P256, share_length: 65 };
    let (mut agreed, mut refused) = (0, 0);
    let file = vector("wycheproof/ecdh_secp256r1_ecpoint_test.json");
    for test in file["testGroups"][0]["tests"].as_array().unwrap() {
        let field = |name: &str| hex(test[name].as_str().unwrap());
        // The file writes small scalars short and some with a leading zero byte.
        let scalar = field("private");
        let significant = &scalar[scalar.iter().take_while(|byte| **byte == 0).count()..];
        let mut private_key = vec![0; 32 - significant.len()];
        private_key.extend_from_slice(significant);
        // "acceptable" are compressed points, which TLS does not have (RFC 8422 section 5.4.1).
        if test["result"] == "valid" {
            let secret = agree(&group, &private_key, &field("public")).unwrap();
            assert_eq!(secret.expose(), field("shared"), "{}", test["tcId"]);
            agreed += 1;
        } else {
            let error = agree(&group, &private_key, &field("public")).err();
            assert_eq!(error, Some(KeyExchangeError::InvalidShare), "{}", test["tcId"]);
            refused += 1;
        }
    }
    assert!(agreed > 300 && refused > 20, "{agreed} agreed, {refused} refused");
}
