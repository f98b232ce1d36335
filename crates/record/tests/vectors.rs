//! Known answers: record number masks, every protected record of a published DTLS 1.3 connection, and the AEADs behind
//! our trait.

mod support;

use drystone_record::*;
use serde_json::Value;
use std::path::Path;
use support::seal;

fn load(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors").join(path);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    serde_json::from_str(&text).unwrap()
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    assert!(text.len().is_multiple_of(2));
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn record_number_masks() {
    let file = load("record-number-mask/masks.json");
    let vectors = file["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 3);
    for vector in vectors {
        // Two bytes are all that a record number needs; the longer mask is the same one.
        let fields: Vec<_> = vector.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["algorithm", "key", "mask_first16", "mask_first5", "name", "sample"]);
        assert!(hex(&vector["mask_first16"]).starts_with(&hex(&vector["mask_first5"])));
        let algorithm = match vector["algorithm"].as_str().unwrap() {
            "aes" => ring::MASK_AES_128,
            "chacha20" => ring::MASK_CHACHA20,
            other => panic!("{other}"),
        };
        let key = algorithm.key(&hex(&vector["key"])).unwrap();
        let sample: [u8; SAMPLE_LENGTH] = hex(&vector["sample"]).try_into().unwrap();
        assert_eq!(key.mask(&sample)[..], hex(&vector["mask_first5"])[..2], "{}", vector["name"]);
    }
}

/// A ChaCha20 mask whose block counter is 2^32-1: the peer chooses the sample.
#[test]
fn a_mask_comes_from_every_sample() {
    let samples = [[0; 16], [0xff; 16]];
    let masks = [(ring::MASK_AES_128, 16), (ring::MASK_AES_256, 32), (ring::MASK_CHACHA20, 32)];
    for (algorithm, length) in masks {
        assert_eq!(algorithm.key_length(), length);
        let key = algorithm.key(&vec![1; length]).unwrap();
        assert_ne!(key.mask(&samples[0]), key.mask(&samples[1]));
        assert!(algorithm.key(&vec![1; length + 1]).is_err());
    }
}

/// Every protected record of the illustrated connection is opened, and sealing its plaintext gives the same bytes.
#[test]
fn the_illustrated_connection() {
    let file = load("illustrated-dtls13/key-schedule.json");
    let values = &file["values"];
    for keys in ["client_hs", "server_hs", "client_ap", "server_ap"] {
        let epoch = if keys.ends_with("hs") { 2 } else { 3 };
        let protection = || {
            let keys = &values[keys];
            let key = ring::AES_128_GCM.key(&hex(&keys["key"])).unwrap();
            let mask = ring::MASK_AES_128.key(&hex(&keys["sn_key"])).unwrap();
            let iv = hex(&keys["iv"]).try_into().unwrap();
            Protection::unified(key, 16, iv, mask, Limits::AES_GCM_13)
        };
        let mut reader = ReadEpoch::new(epoch, protection(), AdmittedTypes::UNIFIED);
        let mut writer = WriteEpoch::new(epoch, protection());
        // "chs", "shs", "cap", "sap" in the record's name say whose keys protect it.
        let short = format!("-{}{}-", &keys[..1], if epoch == 2 { "hs" } else { "ap" });
        let records = values["protected_records"].as_object().unwrap();
        let mut opened_records = 0;
        for (name, record) in records.iter().filter(|(name, _)| name.contains(&short)) {
            let wire = [hex(&record["header_on_wire"]), hex(&record["ciphertext"])].concat();
            let plaintext = hex(&record["plaintext"]);
            let (number, content_type, payload) = support::open(&mut reader, &wire, 0).unwrap();
            assert_eq!(payload, plaintext, "{name}");
            assert_eq!(number.sequence, record["sequence_number"].as_u64().unwrap());
            assert_eq!(u64::from(content_type.0), record["inner_type"].as_u64().unwrap());
            writer.set_next_sequence(number.sequence).unwrap();
            assert_eq!(seal(&mut writer, content_type, &plaintext).unwrap(), wire, "{name}");
            opened_records += 1;
        }
        let expected = [("client_hs", 1), ("server_hs", 4), ("client_ap", 1), ("server_ap", 3)];
        assert!(expected.contains(&(keys, opened_records)), "{keys}: {opened_records}");
    }
}

/// Wycheproof over our seam: valid vectors seal to the same bytes and open; the others do not open.
#[test]
fn wycheproof() {
    for (path, algorithms, least) in [
        ("aes_gcm_test.json", &[ring::AES_128_GCM, ring::AES_256_GCM][..], 60),
        ("chacha20_poly1305_test.json", &[ring::CHACHA20_POLY1305][..], 250),
    ] {
        let file = load(&format!("wycheproof/{path}"));
        let mut done = 0;
        for group in file["testGroups"].as_array().unwrap() {
            let key_length = group["keySize"].as_u64().unwrap() / 8;
            let algorithm = algorithms.iter().find(|aead| aead.key_length() as u64 == key_length);
            let Some(algorithm) = algorithm else { continue };
            if group["ivSize"] != 96 || group["tagSize"] != 128 {
                continue;
            }
            for test in group["tests"].as_array().unwrap() {
                wycheproof_case(*algorithm, test);
                done += 1;
            }
        }
        assert!(done >= least, "{path}: {done}");
    }
}

fn wycheproof_case(algorithm: &dyn Aead, test: &Value) {
    let key = algorithm.key(&hex(&test["key"])).unwrap();
    let nonce: [u8; NONCE_LENGTH] = hex(&test["iv"]).try_into().unwrap();
    let (data, message) = (hex(&test["aad"]), hex(&test["msg"]));
    let (ciphertext, tag) = (hex(&test["ct"]), hex(&test["tag"]));
    let mut text = ciphertext.clone();
    let opened = key.open(&nonce, &data, &mut text, &tag);
    if test["result"] != "valid" {
        assert_eq!(opened, Err(AeadFailure), "{test}");
        return;
    }
    assert_eq!(opened, Ok(()), "{test}");
    assert_eq!(text, message);
    let mut made = vec![0; algorithm.tag_length()];
    key.seal(&nonce, &data, &mut text, &mut made).unwrap();
    assert_eq!((text, made), (ciphertext, tag));
}
