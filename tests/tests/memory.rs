//! What secrets leave in the process when those who had them are dropped, read as a core dump would show it: nothing.
//! Secrets are those of the key log, all others that a key schedule works with, and private keys of files. What ring keeps
//! in its own objects is not searched for; `crypto::ring` says what that is.

#![cfg(target_os = "linux")]

use core::ops::Range;
use core::time::Duration;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::task::Poll;

use drystone::{Crypto, CryptoKey, KeyAlgorithm, KeyLogFile, SelfSigned};
use drystone_handshake::crypto::{KeyLogLabel, ring};
use drystone_handshake::{
    CipherSuiteId, Datagram, Error, FromRng, Gate, Instant, KeyLog, NamedGroup, Path as DatagramPath,
    ProtocolVersion, SecureRandom, Settings, SrtpProfile, Start,
};
use drystone_tests::identity::{Identity, client_config, name, only, server_config};
use drystone_tests::learning::telling_provider;
use drystone_tests::memory::{Found, Learnt};
use drystone_tests::pair::{Pair, perfect_link};
use drystone_tests::scenario::Variant;
use drystone_x509::private_key_from_pem_or_der;
use zeroize::Zeroizing;

/// Settings of one version whose secrets are learnt.
fn settings(version: ProtocolVersion, learnt: &Arc<Learnt>) -> Settings {
    let mut settings = Settings::new(telling_provider(learnt), FromRng(getrandom::SysRng));
    settings.key_log = Some(Arc::clone(learnt) as _);
    settings.srtp_profiles = vec![SrtpProfile::AEAD_AES_128_GCM];
    only(version, settings)
}

/// A pair that has not begun, and tells this its secrets.
fn pair_of(version: ProtocolVersion, learnt: &Arc<Learnt>, adjust: impl Fn(&mut Settings)) -> Pair {
    let settings = || {
        let mut settings = settings(version, learnt);
        adjust(&mut settings);
        settings
    };
    let (client, server) = Variant::Mutual.configs_with(settings(), settings());
    Pair::new(client, server, name(), perfect_link())
}

/// The same, and what it will tell.
fn pair(version: ProtocolVersion, adjust: impl Fn(&mut Settings)) -> (Pair, Arc<Learnt>) {
    let learnt = Arc::new(Learnt::default());
    (pair_of(version, &learnt, adjust), learnt)
}

/// A whole life: handshake, data, exporters and, where there are any, KeyUpdates of both sides.
fn live(pair: &mut Pair, learnt: &Learnt) {
    assert!(pair.connect(), "{:?} {:?}", pair.client.events, pair.server.events);
    pair.echoes();
    for _ in 0..2 {
        let now = pair.now();
        if pair.client.connection().update_keys(now, true).is_ok() {
            pair.run_for(Duration::from_secs(5));
            pair.echoes();
        }
    }
    for end in [&mut pair.client, &mut pair.server] {
        let mut exported = Zeroizing::new(vec![0; 64]);
        let connection = end.connection();
        connection.export_keying_material(b"EXPERIMENTAL", None, &mut exported).expect("connected");
        learnt.note("exported", &exported);
        let keys = connection.srtp_keys().expect("a profile was agreed on");
        learnt.note("SRTP key", keys.client_key());
        learnt.note("SRTP key", keys.server_key());
    }
}

/// What is found after the life of a pair.
fn left_behind(version: ProtocolVersion, adjust: impl Fn(&mut Settings) + Sync) -> Vec<Found> {
    // Another life, of which only the constants are of interest: no secret, and in the memory for good.
    let (mut other, constants) = pair(version, &adjust);
    live(&mut other, &constants);
    drop(other);
    let learnt = Arc::new(Learnt::default());
    let mut found = learnt.find_after(|| {
        live(&mut pair_of(version, &learnt, &adjust), &learnt);
        learnt.forget_known_to(&constants);
    });
    let names = learnt.names();
    for (expected, least) in
        [("shared secret", 2), ("HMAC key", 8), ("AEAD key", 4), ("exported", 2), ("SRTP key", 4)]
    {
        let count = names.iter().filter(|name| *name == expected).count();
        assert!(count >= least, "{count} x {expected}: {names:?}");
    }
    found.sort_by(|one, other| one.secret.cmp(&other.secret));
    found
}

#[track_caller]
fn assert_nothing(found: &[Found]) {
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{} pieces found:\n{}", lines.len(), lines.join("\n"));
}

#[test]
fn no_secret_of_a_session_of_1_2_is_left() {
    assert_nothing(&left_behind(ProtocolVersion::DTLS_1_2, |_| {}));
}

#[test]
fn no_secret_of_a_session_of_1_3_is_left() {
    assert_nothing(&left_behind(ProtocolVersion::DTLS_1_3, |_| {}));
}

#[test]
fn no_group_leaves_a_secret() {
    for group in
        [NamedGroup::X25519, NamedGroup::SECP256R1, NamedGroup::SECP384R1, NamedGroup::X25519MLKEM768]
    {
        assert_nothing(&left_behind(ProtocolVersion::DTLS_1_3, |settings| {
            settings.groups = Some(vec![group]);
        }));
    }
}

#[test]
fn no_suite_leaves_a_secret() {
    for (version, suite) in [
        (ProtocolVersion::DTLS_1_2, CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
        (ProtocolVersion::DTLS_1_2, CipherSuiteId::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
        (ProtocolVersion::DTLS_1_3, CipherSuiteId::TLS_AES_256_GCM_SHA384),
        (ProtocolVersion::DTLS_1_3, CipherSuiteId::TLS_CHACHA20_POLY1305_SHA256),
    ] {
        let found = left_behind(version, |settings| {
            settings.provider.cipher_suites.retain(|known| known.id == suite);
        });
        assert_nothing(&found);
    }
}

/// A handshake that ends at the certificate has secrets already; in 1.2 the client's come after it, and no end has any.
#[test]
fn a_handshake_that_fails_leaves_no_secret() {
    let versions = [(ProtocolVersion::DTLS_1_2, 0), (ProtocolVersion::DTLS_1_3, 4)];
    for (version, least) in versions {
        let learnt = Arc::new(Learnt::default());
        let found = learnt.find_after(|| {
            let client = client_config(settings(version, &learnt), Identity::rsa_chain());
            let server = server_config(settings(version, &learnt), Identity::p256());
            assert!(!Pair::new(client, server, name(), perfect_link()).connect());
        });
        let of_key_log = |name: &str| name.contains("SECRET");
        assert!(learnt.names().iter().filter(|name| of_key_log(name)).count() >= least);
        let found: Vec<Found> = found.into_iter().filter(|found| of_key_log(&found.secret)).collect();
        assert_nothing(&found);
    }
}

/// While an association lives, the keys before its last KeyUpdate are gone, and so are those of its handshake.
#[test]
fn a_key_update_leaves_nothing_of_the_keys_before_it() {
    let learnt = Arc::new(Learnt::default());
    let found = learnt.find_after(|| {
        let mut pair = pair_of(ProtocolVersion::DTLS_1_3, &learnt, |_| {});
        live(&mut pair, &learnt);
        // What older keys protected may still arrive for a while.
        pair.run_for(Duration::from_secs(300));
        pair
    });
    let in_use = |name: &str| name.contains("EXPORTER_SECRET") || name.contains("_TRAFFIC_SECRET_2");
    let of_key_log = found.into_iter().filter(|found| found.secret.contains("SECRET"));
    let (new, old): (Vec<Found>, Vec<Found>) = of_key_log.partition(|found| in_use(&found.secret));
    assert_nothing(&old);
    assert!(!new.is_empty(), "those in use are somewhere");
}

/// Random numbers that are learnt.
#[derive(Debug)]
struct TellingRandom(Arc<Learnt>);

impl SecureRandom for TellingRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        getrandom::fill(bytes).map_err(|_| Error::RandomFailure)?;
        self.0.note("random", bytes);
        Ok(())
    }
}

#[test]
fn no_root_of_cookies_is_left() {
    let learnt = Arc::new(Learnt::default());
    let found = learnt.find_after(|| {
        let settings = Settings::new(ring::provider(), TellingRandom(Arc::clone(&learnt)));
        let config = server_config(settings, Identity::p256());
        let gate = Gate::new(&config).expect("random numbers");
        let mut reply = [0; Gate::MAX_REPLY];
        let start = Start { now: Instant::from_origin(Duration::ZERO), unix: None };
        let mut datagram = Datagram::new(DatagramPath::default(), &mut []);
        gate.answer(start, b"stranger", &mut datagram, &mut reply);
    });
    assert_eq!(learnt.names(), ["random"]);
    assert_nothing(&found);
}

/// A key in PKCS#8, and which part of it is private. It lies in the program's file, where the search does not look.
struct KeyFile {
    name: &'static str,
    der: &'static [u8],
    private: Range<usize>,
}

const KEY_FILES: [KeyFile; 4] = [
    KeyFile {
        name: "p256.pkcs8.der",
        der: include_bytes!("../../vectors/keys/p256.pkcs8.der"),
        private: 36..68,
    },
    KeyFile {
        name: "p384.pkcs8.der",
        der: include_bytes!("../../vectors/keys/p384.pkcs8.der"),
        private: 35..83,
    },
    KeyFile {
        name: "ed25519.pkcs8.der",
        der: include_bytes!("../../vectors/keys/ed25519.pkcs8.der"),
        private: 16..48,
    },
    // From the private exponent on; before it are the modulus and the public one.
    KeyFile {
        name: "rsa4096.pkcs8.der",
        der: include_bytes!("../../vectors/keys/rsa4096.pkcs8.der"),
        private: 570..2375,
    },
];

/// The characters of PEM for these bytes, one by one.
fn base64(bytes: &[u8]) -> impl Iterator<Item = u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes.chunks_exact(3).flat_map(|group| {
        let bits = group.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte));
        [18, 12, 6, 0].into_iter().map(move |shift| ALPHABET[bits >> shift & 63])
    })
}

/// A key is read from DER, written as PEM, read from that by both readers, and signs.
fn use_key(path: &Path, pem: &Path) {
    let mut key = CryptoKey::new();
    key.load(path, false).expect("a key");
    key.save(pem, false).expect("a folder for temporary files");
    key.load(pem, false).expect("the same key");
    let text = Zeroizing::new(fs::read(pem).expect("a file"));
    let read = Zeroizing::new(private_key_from_pem_or_der(&text).expect("the same key"));
    for private in [&*read, key.private_key().expect("a private key")] {
        let signing = ring::signing_key(private).expect("a key of a kind that signs");
        let scheme = signing.schemes()[0];
        assert!(matches!(signing.sign(scheme, b"message"), Poll::Ready(Ok(_))));
    }
}

#[test]
fn no_private_key_of_a_file_is_left() {
    for KeyFile { name, der, private } in KEY_FILES {
        let learnt = Learnt::default();
        learnt.note_bytes("DER", der[private.clone()].iter().copied());
        // Groups of three bytes begin at the start of the file.
        let (start, end) = (private.start.next_multiple_of(3), private.end / 3 * 3);
        learnt.note_bytes("PEM", base64(&der[start..end]));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/keys").join(name);
        let pem = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("memory-{name}.pem"));
        assert_nothing(&learnt.find_after(|| use_key(&path, &pem)));
        fs::remove_file(pem).expect("it was written");
    }
}

/// A new key signs a certificate, is written and read, and is gone.
#[test]
fn no_generated_key_is_left() {
    for (algorithm, private) in
        [(KeyAlgorithm::EcP256, 36..68), (KeyAlgorithm::EcP384, 35..83), (KeyAlgorithm::Ed25519, 16..48)]
    {
        let learnt = Learnt::default();
        let found = learnt.find_after(|| {
            let crypto = Crypto::new();
            let key = crypto.generate_key(algorithm).expect("random numbers");
            learnt.note("new key", &key.private_key().expect("it is private").secret_der()[private]);
            crypto
                .generate_self_signed_certificate(&key, &SelfSigned::default())
                .expect("a request that works");
            let text = Zeroizing::new(key.save_to_string(false).expect("it is private"));
            CryptoKey::new().load_from_string(&text, false).expect("the same key");
        });
        assert_nothing(&found);
    }
}

#[test]
fn a_key_log_keeps_no_line() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("memory-key.log");
    let learnt = Learnt::default();
    let found = learnt.find_after(|| {
        let log = KeyLogFile::append(&path).expect("a folder for temporary files");
        let mut secret = Zeroizing::new(vec![0; 48]);
        getrandom::fill(&mut secret).expect("random numbers");
        learnt.note("secret", &secret);
        let hex = |digit: u8| b"0123456789abcdef"[usize::from(digit)];
        learnt.note_bytes("line", secret.iter().flat_map(|byte| [hex(byte >> 4), hex(byte & 15)]));
        log.log(KeyLogLabel::ClientRandom, &[0; 32], &secret);
    });
    assert_nothing(&found);
    fs::remove_file(path).expect("it was written");
}
