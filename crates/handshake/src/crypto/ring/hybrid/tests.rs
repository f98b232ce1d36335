//! The hybrid group: the order of its parts, shares that are refused, and a recorded one.

use proptest::prelude::*;

use super::*;
use crate::crypto::test_support::{hex, vector};
use crate::message::ClientHello;

const CLIENT_SHARE: usize = 1216;
const SERVER_SHARE: usize = 1120;

fn refused_by_server(share: &[u8]) -> bool {
    X25519MLKEM768.respond(share).err() == Some(KeyExchangeError::InvalidShare)
}

fn refused_by_client(share: &[u8]) -> bool {
    X25519MLKEM768.start().unwrap().0.finish(share).err() == Some(KeyExchangeError::InvalidShare)
}

#[test]
fn both_sides_agree() {
    let group = X25519MLKEM768;
    assert_eq!((group.name(), group.share_length()), (NamedGroup::X25519MLKEM768, CLIENT_SHARE));
    assert_eq!(group.min_version(), ProtocolVersion::DTLS_1_3);
    let (pending, client_share) = group.start().unwrap();
    let (server_share, server_secret) = group.respond(&client_share).unwrap();
    assert_eq!((client_share.len(), server_share.len()), (CLIENT_SHARE, SERVER_SHARE));
    let client_secret = pending.finish(&server_share).unwrap();
    assert_eq!(client_secret.expose(), server_secret.expose());
    assert_eq!(client_secret.expose().len(), 64);
    assert_ne!(client_secret.expose()[..32], client_secret.expose()[32..]);
}

#[test]
fn every_exchange_has_its_own_keys() {
    let [one, other] = [(); 2].map(|()| X25519MLKEM768.start().unwrap().1);
    assert_ne!(one[..1184], other[..1184]);
    assert_ne!(one[1184..], other[1184..]);
    let [(one, one_secret), (other, other_secret)] = [(); 2].map(|()| X25519MLKEM768.respond(&one).unwrap());
    assert_ne!(one[..1088], other[..1088]);
    assert_ne!(one[1088..], other[1088..]);
    for part in [0..32, 32..64] {
        assert_ne!(one_secret.expose()[part.clone()], other_secret.expose()[part]);
    }
}

/// The client's side by hand, from the two halves: ML-KEM first in both shares and in the secret.
#[test]
fn the_server_puts_ml_kem_first() {
    let (mlkem, encapsulation_key) = DecapsulationKey::from_seed(&[5; SEED_LENGTH]);
    let (x25519, x25519_share) = X25519.start().unwrap();
    let share = [encapsulation_key.as_slice(), &x25519_share].concat();
    let (answer, secret) = X25519MLKEM768.respond(&share).unwrap();
    let (ciphertext, x25519_answer) = answer.split_at(1088);
    assert_eq!(secret.expose()[..32], *mlkem.decapsulate(ciphertext.try_into().unwrap()));
    assert_eq!(secret.expose()[32..], *x25519.finish(x25519_answer).unwrap().expose());
}

/// The server's side by hand.
#[test]
fn the_client_puts_ml_kem_first() {
    let (pending, share) = X25519MLKEM768.start().unwrap();
    let (encapsulation_key, x25519_share) = share.split_at(1184);
    let encapsulation_key = EncapsulationKey::check(encapsulation_key.try_into().unwrap()).unwrap();
    let (ciphertext, mlkem_secret) = encapsulation_key.encapsulate(&[6; 32]);
    let (x25519_answer, x25519_secret) = X25519.respond(x25519_share).unwrap();
    let secret = pending.finish(&[ciphertext.as_slice(), &x25519_answer].concat()).unwrap();
    assert_eq!(secret.expose()[..32], *mlkem_secret);
    assert_eq!(secret.expose()[32..], *x25519_secret.expose());
}

#[test]
fn shares_of_every_wrong_length_are_refused() {
    let client_share = X25519MLKEM768.start().unwrap().1;
    let server_share = X25519MLKEM768.respond(&client_share).unwrap().0;
    for length in 0..=CLIENT_SHARE + 64 {
        let mut share = client_share.clone();
        share.resize(length, 0);
        assert_eq!(refused_by_server(&share), length != CLIENT_SHARE, "{length}");
    }
    let lengths = [0, 1, 31, 32, 33, 1087, 1088, 1089, SERVER_SHARE - 1, SERVER_SHARE + 1, CLIENT_SHARE];
    for length in lengths {
        let mut share = server_share.clone();
        share.resize(length, 0);
        assert!(refused_by_client(&share), "{length}");
    }
    assert!(!refused_by_client(&server_share));
}

#[test]
fn a_client_share_with_an_unreduced_coefficient_is_refused() {
    let good = X25519MLKEM768.start().unwrap().1;
    for at in [0, 600, 1149] {
        let mut share = good.clone();
        // Two coefficients of 4095; 3328 is the largest that there is.
        share[at..at + 3].fill(0xff);
        assert!(refused_by_server(&share), "{at}");
    }
    // The last 32 bytes of the key are a seed: any will do.
    let mut share = good;
    share[1152..1184].fill(0xff);
    assert!(!refused_by_server(&share));
}

#[test]
fn an_x25519_part_that_leads_to_zero_is_refused() {
    let mut client_share = X25519MLKEM768.start().unwrap().1;
    let mut server_share = X25519MLKEM768.respond(&client_share).unwrap().0;
    for low_order in [0, 1] {
        for share in [&mut client_share, &mut server_share] {
            let at = share.len() - 32;
            share[at..].fill(0);
            share[at] = low_order;
        }
        assert!(refused_by_server(&client_share), "{low_order}");
        assert!(refused_by_client(&server_share), "{low_order}");
    }
}

#[test]
fn a_server_share_for_another_client_gives_another_secret() {
    let (pending, own) = X25519MLKEM768.start().unwrap();
    let other = X25519MLKEM768.start().unwrap().1;
    // The other client's encapsulation key beside our X25519 share.
    let mixed = [&other[..1184], &own[1184..]].concat();
    let (answer, server_secret) = X25519MLKEM768.respond(&mixed).unwrap();
    let client_secret = pending.finish(&answer).unwrap();
    assert_ne!(client_secret.expose()[..32], server_secret.expose()[..32]);
    assert_eq!(client_secret.expose()[32..], server_secret.expose()[32..]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Implicit rejection (FIPS 203 section 7.3): no error, and a secret that nobody else has.
    #[test]
    fn a_changed_ciphertext_gives_another_secret(at in 0_usize..1088, bit in 0..8) {
        let (pending, share) = X25519MLKEM768.start().unwrap();
        let (mut answer, server_secret) = X25519MLKEM768.respond(&share).unwrap();
        answer[at] ^= 1_u8 << bit;
        let client_secret = pending.finish(&answer).unwrap();
        prop_assert_ne!(&client_secret.expose()[..32], &server_secret.expose()[..32]);
        prop_assert_eq!(&client_secret.expose()[32..], &server_secret.expose()[32..]);
    }

    #[test]
    fn no_share_panics(share in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..1300),
        prop::collection::vec(0_u8..13, CLIENT_SHARE),
    ]) {
        let _ = X25519MLKEM768.respond(&share);
        let _ = X25519MLKEM768.start().unwrap().0.finish(&share);
    }
}

/// The share of another implementation's second hello, which comes in two fragments.
fn recorded_share() -> Vec<u8> {
    let capture = vector("dtls13-captures/d13-mlkem.json");
    let mut body = Vec::new();
    for datagram in capture["datagrams"].as_array().unwrap() {
        if datagram["sender"] == "client" && datagram["info"].as_str().unwrap().starts_with("Client Hello (")
        {
            // A record's header has 13 bytes, a fragment's 12.
            body.extend_from_slice(&hex(datagram["hex"].as_str().unwrap())[25..]);
        }
    }
    let hello = ClientHello::decode(&body).unwrap();
    let shares = hello.extensions.key_share.unwrap();
    let share = shares.iter().find(|share| share.group == NamedGroup::X25519MLKEM768).unwrap();
    share.key_exchange.to_vec()
}

/// Only in the right order is the first part a valid encapsulation key.
#[test]
fn a_share_of_wolfssl_is_taken() {
    let mut share = recorded_share();
    assert!(X25519MLKEM768.respond(&share).is_ok());
    share.rotate_right(32);
    assert!(refused_by_server(&share));
}
