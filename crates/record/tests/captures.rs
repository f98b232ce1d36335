//! Connections of other stacks, opened record by record with keys from their key logs. The few lines of key derivation
//! here stand on ring alone, so that the record layer is tested apart from our own key schedules.

use ::ring::{hkdf, hmac};
use drystone_record::*;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

fn load(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors").join(path);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    serde_json::from_str(&text).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// The secret of a key-log line, which is `LABEL client_random secret`.
fn logged(capture: &Value, label: &str) -> Vec<u8> {
    let lines = capture["keylog"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
    let line = lines.into_iter().find(|line| line.split(' ').next() == Some(label)).unwrap();
    hex(line.split(' ').nth(2).unwrap())
}

/// A suite as the record layer sees it, with its hash.
struct Suite {
    aead: &'static dyn Aead,
    mask: &'static dyn Mask,
    explicit_nonce: bool,
    hash: (hmac::Algorithm, hkdf::Algorithm),
    limits: Limits,
}

const SHA_256: (hmac::Algorithm, hkdf::Algorithm) = (hmac::HMAC_SHA256, hkdf::HKDF_SHA256);
const SHA_384: (hmac::Algorithm, hkdf::Algorithm) = (hmac::HMAC_SHA384, hkdf::HKDF_SHA384);

fn aes_128() -> Suite {
    let (aead, mask) = (ring::AES_128_GCM, ring::MASK_AES_128);
    Suite { aead, mask, explicit_nonce: true, hash: SHA_256, limits: Limits::AES_GCM_12 }
}

fn aes_256() -> Suite {
    let (aead, mask) = (ring::AES_256_GCM, ring::MASK_AES_256);
    Suite { aead, mask, explicit_nonce: true, hash: SHA_384, limits: Limits::AES_GCM_12 }
}

fn chacha20() -> Suite {
    let (aead, mask) = (ring::CHACHA20_POLY1305, ring::MASK_CHACHA20);
    Suite { aead, mask, explicit_nonce: false, hash: SHA_256, limits: Limits::CHACHA20_POLY1305 }
}

/// What one side's protected records held.
#[derive(Default)]
struct Inside {
    data: Vec<String>,
    alerts: Vec<Vec<u8>>,
    /// Handshake types of records that start a message.
    messages: Vec<u8>,
}

/// Opens every record that one side sent; all must open. At the first KeyUpdate `update` installs the next epoch.
fn open_all(
    capture: &Value,
    sender: &str,
    own: usize,
    epochs: &mut ReadEpochs,
    mut update: impl FnMut(&mut ReadEpochs),
) -> Inside {
    let mut inside = Inside::default();
    let datagrams = capture["datagrams"].as_array().unwrap();
    for datagram in datagrams.iter().filter(|datagram| datagram["sender"] == sender) {
        let mut bytes = hex(datagram["hex"].as_str().unwrap());
        let mut records = Records::new(&mut bytes);
        while let Some(record) = records.next_record(own) {
            let opened = epochs
                .open(record.unwrap(), Duration::ZERO)
                .unwrap_or_else(|error| panic!("{}: {error}", datagram["info"]));
            if opened.number.epoch == 0 {
                continue;
            }
            match opened.content_type {
                ContentType::APPLICATION_DATA => {
                    inside.data.push(String::from_utf8(opened.payload.to_vec()).unwrap());
                }
                ContentType::HANDSHAKE => {
                    if opened.payload[0] == KEY_UPDATE && !inside.messages.contains(&KEY_UPDATE) {
                        update(epochs);
                    }
                    inside.messages.push(opened.payload[0]);
                }
                ContentType::ALERT => inside.alerts.push(opened.payload.to_vec()),
                ContentType::ACK => {}
                other => panic!("{}: {other}", datagram["info"]),
            }
        }
    }
    inside
}

/// What both captures of both versions have in common: a Finished and a close_notify each way, data from the client.
fn check_inside(name: &str, [client, server]: &[Inside; 2]) {
    for inside in [client, server] {
        assert!(inside.messages.contains(&FINISHED), "{name}: no Finished");
        assert_eq!(inside.alerts, [[1, 0]], "{name}: close_notify");
        assert!(inside.data.iter().all(|text| !text.is_empty()));
    }
    assert!(!client.data.is_empty(), "{name}: no data");
}

const FINISHED: u8 = 20;
const KEY_UPDATE: u8 = 24;

mod classic {
    use super::*;

    /// P_hash of RFC 5246 section 5.
    fn prf(algorithm: hmac::Algorithm, secret: &[u8], label: &str, seed: &[u8], out: &mut [u8]) {
        let key = hmac::Key::new(algorithm, secret);
        let seed = [label.as_bytes(), seed].concat();
        let mut a = hmac::sign(&key, &seed);
        for chunk in out.chunks_mut(algorithm.digest_algorithm().output_len()) {
            let block = hmac::sign(&key, &[a.as_ref(), &seed].concat());
            chunk.copy_from_slice(&block.as_ref()[..chunk.len()]);
            a = hmac::sign(&key, a.as_ref());
        }
    }

    /// The read epochs for what the client and what the server sent (RFC 5246 section 6.3).
    fn read_epochs(capture: &Value, suite: &Suite, ids: [bool; 2]) -> [ReadEpochs; 2] {
        let mut randoms = Vec::new();
        // ServerHello, then ClientHello: type 2 and 1 of a first handshake record.
        for kind in [2, 1] {
            let datagrams = capture["datagrams"].as_array().unwrap();
            let hello = datagrams.iter().map(|datagram| hex(datagram["hex"].as_str().unwrap()));
            let hello = hello.into_iter().find(|bytes| bytes[0] == 22 && bytes[13] == kind).unwrap();
            randoms.extend_from_slice(&hello[27..59]);
        }
        let master_secret = logged(capture, "CLIENT_RANDOM");
        let key_length = suite.aead.key_length();
        let iv_length = if suite.explicit_nonce { 4 } else { 12 };
        let mut block = vec![0; 2 * (key_length + iv_length)];
        prf(suite.hash.0, &master_secret, "key expansion", &randoms, &mut block);
        let (keys, ivs) = block.split_at(2 * key_length);
        [0, 1].map(|side| {
            let key = suite.aead.key(&keys[side * key_length..][..key_length]).unwrap();
            let iv = &ivs[side * iv_length..][..iv_length];
            let nonce = match suite.explicit_nonce {
                true => ClassicNonce::Explicit { salt: iv.try_into().unwrap() },
                false => ClassicNonce::Implicit { iv: iv.try_into().unwrap() },
            };
            let protection = Protection::classic(key, 16, nonce, suite.limits);
            let admitted = match ids[side] {
                true => AdmittedTypes::CLASSIC_WITH_CONNECTION_ID,
                false => AdmittedTypes::CLASSIC,
            };
            let plaintext = AdmittedTypes::CLASSIC_PLAINTEXT;
            let mut epochs = ReadEpochs::new(ReadEpoch::new(0, Protection::plaintext(), plaintext));
            epochs.install(ReadEpoch::new(1, protection, admitted));
            epochs
        })
    }

    fn check(name: &str, suite: &Suite, id_lengths: [usize; 2]) {
        let capture = load(&format!("dtls12-captures/{name}.json"));
        let [mut client, mut server] = read_epochs(&capture, suite, id_lengths.map(|length| length > 0));
        let no_update = |_: &mut ReadEpochs| panic!("a KeyUpdate");
        let inside = [
            open_all(&capture, "client", id_lengths[0], &mut client, no_update),
            open_all(&capture, "server", id_lengths[1], &mut server, no_update),
        ];
        check_inside(name, &inside);
        assert_eq!([client.current(), server.current()], [1, 1]);
    }

    #[test]
    fn openssl_aes_128_gcm() {
        check("d12-ecdhe-aes128gcm", &aes_128(), [0, 0]);
    }

    #[test]
    fn openssl_chacha20() {
        check("d12-ecdhe-chacha20", &chacha20(), [0, 0]);
    }

    #[test]
    fn wolfssl_chacha20_mutual() {
        check("d12-wolf-chacha-mutual", &chacha20(), [0, 0]);
    }

    /// RFC 9146: the client writes the server's id of 8 bytes, the server the client's of 5.
    #[test]
    fn wolfssl_connection_ids() {
        check("d12-cid", &aes_256(), [8, 5]);
    }

    #[test]
    fn pion_connection_ids_and_random_nonces() {
        check("d12-pion-cid-ecdhe", &aes_128(), [8, 8]);
    }
}

mod unified {
    use super::*;

    struct Length(usize);

    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }

    /// HKDF-Expand-Label with the prefix of RFC 9147 section 5.9 and an empty context.
    fn expand(suite: &Suite, secret: &[u8], label: &str, length: usize) -> Vec<u8> {
        let label = format!("dtls13{label}");
        let [_, _, .., high, low] = length.to_be_bytes();
        let info: [&[u8]; 4] = [&[high, low], &[label.len() as u8], label.as_bytes(), &[0]];
        let secret = hkdf::Prk::new_less_safe(suite.hash.1, secret);
        let mut out = vec![0; length];
        secret.expand(&info, Length(length)).unwrap().fill(&mut out).unwrap();
        out
    }

    fn read_epoch(suite: &Suite, epoch: u64, secret: &[u8], id: bool) -> ReadEpoch {
        let key = expand(suite, secret, "key", suite.aead.key_length());
        let iv = expand(suite, secret, "iv", NONCE_LENGTH).try_into().unwrap();
        let mask = expand(suite, secret, "sn", suite.mask.key_length());
        let protection = Protection::unified(
            suite.aead.key(&key).unwrap(),
            suite.aead.tag_length(),
            iv,
            suite.mask.key(&mask).unwrap(),
            suite.limits,
        );
        let admitted = match id {
            true => AdmittedTypes::UNIFIED_WITH_CONNECTION_ID,
            false => AdmittedTypes::UNIFIED,
        };
        ReadEpoch::new(epoch, protection, admitted)
    }

    /// Opens what one side sent, whose last epoch is `last`: 3, or 4 after a KeyUpdate.
    fn open_side(capture: &Value, suite: &Suite, sender: &str, own: usize, last: u64) -> Inside {
        let plaintext = AdmittedTypes::UNIFIED_PLAINTEXT;
        let mut epochs = ReadEpochs::new(ReadEpoch::new(0, Protection::plaintext(), plaintext));
        let side = sender.to_uppercase();
        let handshake = logged(capture, &format!("{side}_HANDSHAKE_TRAFFIC_SECRET"));
        let application = logged(capture, &format!("{side}_TRAFFIC_SECRET_0"));
        epochs.install(read_epoch(suite, 2, &handshake, own > 0));
        epochs.install(read_epoch(suite, 3, &application, own > 0));
        let inside = open_all(capture, sender, own, &mut epochs, |epochs| {
            let updated = expand(suite, &application, "traffic upd", application.len());
            epochs.install(read_epoch(suite, 4, &updated, own > 0));
        });
        assert_eq!(epochs.current(), last, "{sender}");
        inside
    }

    fn check(name: &str, suite: &Suite, id_lengths: [usize; 2], last: u64) {
        let capture = load(&format!("dtls13-captures/{name}.json"));
        let [client, server] = id_lengths;
        let inside = [
            open_side(&capture, suite, "client", client, last),
            open_side(&capture, suite, "server", server, last),
        ];
        check_inside(name, &inside);
    }

    #[test]
    fn wolfssl_aes_256_gcm() {
        check("d13-hrr-p256-aes256gcm", &aes_256(), [0, 0], 3);
    }

    #[test]
    fn wolfssl_chacha20_mutual() {
        check("d13-x25519-chacha-mutual", &chacha20(), [0, 0], 3);
    }

    #[test]
    fn wolfssl_key_update() {
        check("d13-aes128gcm-keyupdate", &aes_128(), [0, 0], 4);
    }

    #[test]
    fn wolfssl_connection_ids() {
        check("d13-cid", &aes_256(), [8, 5], 3);
    }
}
