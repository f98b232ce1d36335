//! The key schedule against the traces of RFC 8448 (TLS) and against a recorded DTLS 1.3 handshake: here the chain of
//! types, in the files below every field of the vectors.

mod fields;
mod illustrated;
mod rfc8448;

use std::vec::Vec;

use serde_json::Value;

use super::*;
use crate::crypto::ring::{HMAC_SHA_256, SHA_256};
use crate::crypto::test_support::{hex, vector};

/// One trace of RFC 8448: fields by the title of their step.
struct Trace<'a>(&'a Value);

impl Trace<'_> {
    /// The field of the first step with this title, by this side, that has it.
    fn field(&self, who: &str, title: &str, name: &str) -> Vec<u8> {
        let steps = self.0["steps"].as_array().unwrap();
        let of_step = |step: &&Value| {
            step["who"] == who
                && step["title"].as_str().unwrap().starts_with(title)
                && !step["fields"][name].is_null()
        };
        let step = steps.iter().find(of_step).unwrap_or_else(|| panic!("{who} {title} {name}"));
        hex(step["fields"][name]["hex"].as_str().unwrap())
    }

    fn expanded(&self, label: &str) -> Vec<u8> {
        self.derived(label, "expanded")
    }

    /// The transcript hash that the trace gives for this label.
    fn hash(&self, label: &str) -> Digest {
        Digest::from_slice(&self.derived(label, "hash")).unwrap()
    }

    /// A field of "derive secret", which each side has; the other side's copy is only a reference.
    fn derived(&self, label: &str, name: &str) -> Vec<u8> {
        let who = match label {
            "c e traffic" | "e exp master" | "res master" => "client",
            _ => "server",
        };
        self.field(who, &std::format!("derive secret \"tls13 {label}\""), name)
    }

    fn assert_keys(&self, who: &str, title: &str, secret: &TrafficSecret) {
        secret.use_keys_of(16, 16, |keys| {
            assert_eq!(keys.key, self.field(who, title, "key expanded"), "{who} {title}");
            assert_eq!(keys.iv[..], self.field(who, title, "iv expanded"), "{who} {title}");
        });
    }
}

fn tls13(psk: Option<&[u8]>) -> EarlySecret {
    EarlySecret::with_functions(Functions { hash: SHA_256, hkdf: Hkdf::tls13(HMAC_SHA_256) }, psk)
}

/// Checks everything from the Handshake Secret on.
fn check(trace: &Trace<'_>, early: EarlySecret) -> ResumptionSecret {
    let shared = SharedSecret::from_slice(&trace.field("server", "extract secret \"handshake\"", "IKM"));
    let (handshake, main) = early.into_handshake(&shared, &trace.hash("c hs traffic"));
    assert_eq!(handshake.client.secret().expose(), trace.expanded("c hs traffic"));
    assert_eq!(handshake.server.secret().expose(), trace.expanded("s hs traffic"));
    trace.assert_keys("server", "derive write traffic keys for handshake data", &handshake.server);

    let (application, awaiting) = main.into_application(&trace.hash("c ap traffic"));
    assert_eq!(application.client.secret().expose(), trace.expanded("c ap traffic"));
    assert_eq!(application.server.secret().expose(), trace.expanded("s ap traffic"));
    assert_eq!(application.exporter.secret().expose(), trace.expanded("exp master"));
    trace.assert_keys("client", "derive write traffic keys for application data", &application.client);
    trace.assert_keys("server", "derive write traffic keys for application data", &application.server);

    let resumption = awaiting.into_resumption(&trace.hash("res master"));
    assert_eq!(resumption.secret.expose(), trace.expanded("res master"));
    resumption
}

#[test]
fn rfc8448_full_handshakes() {
    let file = vector("rfc8448-traces.json");
    // Simple, HelloRetryRequest, client authentication, compatibility mode. Section 4 resumes, see below.
    for index in [0, 2, 3, 4] {
        check(&Trace(&file["sections"][index]), tls13(None));
    }
}

#[test]
fn rfc8448_resumption_with_early_data() {
    let file = vector("rfc8448-traces.json");
    let (first, resumed) = (Trace(&file["sections"][0]), Trace(&file["sections"][1]));
    let ticket = "generate resumption secret";
    let resumption = check(&first, tls13(None));
    let psk = resumption.psk(&first.field("server", ticket, "hash")).unwrap();
    assert_eq!(psk.expose(), first.field("server", ticket, "expanded"));

    let early = tls13(Some(psk.expose()));
    let binder_hash =
        Digest::from_slice(&resumed.field("client", "calculate PSK binder", "binder hash")).unwrap();
    let binder = resumed.field("client", "calculate PSK binder", "finished");
    assert_eq!(early.binder(PskKind::Resumption, &binder_hash).as_ref(), binder);
    assert_ne!(early.binder(PskKind::External, &binder_hash).as_ref(), binder);

    let hello_hash = resumed.hash("c e traffic");
    let traffic = early.client_early_traffic_secret(&hello_hash);
    assert_eq!(traffic.secret().expose(), resumed.expanded("c e traffic"));
    resumed.assert_keys("client", "derive write traffic keys for early application data", &traffic);
    assert_eq!(early.early_exporter_secret(&hello_hash).secret().expose(), resumed.expanded("e exp master"));
    check(&resumed, early);
}

/// Transcript hashes made here from the messages of the trace, and verify_data of both sides from them.
#[test]
fn rfc8448_finished() {
    let file = vector("rfc8448-traces.json");
    let trace = Trace(&file["sections"][0]);
    let message = |who: &str, name: &str| trace.field(who, "construct a", name);
    let hello = [message("client", "ClientHello"), message("server", "ServerHello")].concat();
    let shared = SharedSecret::from_slice(&trace.field("server", "extract secret \"handshake\"", "IKM"));
    let (handshake, _) = tls13(None).into_handshake(&shared, &SHA_256.hash(&[&hello]));

    let certificates: Vec<u8> = ["EncryptedExtensions", "Certificate", "CertificateVerify"]
        .into_iter()
        .flat_map(|name| message("server", name))
        .collect();
    let server = handshake.server.verify_data(&SHA_256.hash(&[&hello, &certificates]));
    assert_eq!(server.as_ref(), trace.field("server", "calculate finished", "finished"));
    let server_finished = message("server", "Finished");
    let client = handshake.client.verify_data(&SHA_256.hash(&[&hello, &certificates, &server_finished]));
    assert_eq!(client.as_ref(), trace.field("client", "calculate finished", "finished"));
}

#[test]
fn each_key_update_gives_another_secret() {
    let secret = TrafficSecret::from_secret(HMAC_SHA_256, Secret::from_slice(&[7; 32]));
    let next = secret.next();
    // HKDF-Expand-Label(secret, "traffic upd", "", 32), written out.
    let mut expected = [0; 32];
    let info = b"\x00\x20\x11dtls13traffic upd\x00";
    Hkdf::dtls13(HMAC_SHA_256).expand_from(&[7; 32], |secret| secret.expand(info, &mut expected)).unwrap();
    assert_eq!(next.secret().expose(), expected);
    assert!(!next.next().secret().ct_eq(next.secret().expose()));
}

#[test]
fn exporting_follows_the_rfc() {
    let functions = Functions { hash: SHA_256, hkdf: Hkdf::dtls13(HMAC_SHA_256) };
    let exporter = ExporterSecret { functions, secret: Secret::from_slice(&[9; 32]) };
    let mut out = [0; 40];
    exporter.export(b"EXPERIMENTAL", b"context", &mut out).unwrap();

    // RFC 9846 section 7.5, written out with HKDF-Expand.
    let hkdf = functions.hkdf;
    let empty = SHA_256.hash(&[]);
    let info = [b"\x00\x20\x12dtls13EXPERIMENTAL\x20", empty.as_ref()].concat();
    let derived = Secret::with(32, |derived| {
        hkdf.expand_from(&[9; 32], |secret| secret.expand(&info, derived)).unwrap();
    });
    let info = [b"\x00\x28\x0edtls13exporter\x20", SHA_256.hash(&[b"context"]).as_ref()].concat();
    let mut expected = [0; 40];
    hkdf.expand_from(derived.expose(), |secret| secret.expand(&info, &mut expected)).unwrap();
    assert_eq!(out, expected);

    assert_eq!(exporter.export(&[b'x'; 250], b"", &mut out), Err(ExpandError::LabelTooLong));
    assert_eq!(exporter.export(b"x", &[0; 70000], &mut out), Ok(()));
    assert_eq!(exporter.export(b"x", b"", &mut [0; 255 * 32 + 1]), Err(ExpandError::OutputTooLong));
}

#[test]
fn a_psk_changes_everything_below_it() {
    let shared = SharedSecret::from_slice(&[1; 32]);
    let hash = SHA_256.hash(&[b"hello"]);
    let secret = |psk| EarlySecret::new(SHA_256, HMAC_SHA_256, psk).into_handshake(&shared, &hash).0;
    assert!(!secret(None).client.secret().ct_eq(secret(Some(&[2; 32])).client.secret().expose()));
    // "0" is a string of zeros, so that no PSK equals a PSK of zeros (RFC 9846 section 7.1).
    assert!(secret(None).client.secret().ct_eq(secret(Some(&[0; 32])).client.secret().expose()));
}

/// A constant of the key schedule: what is written down is what the early secret gives.
#[test]
fn without_a_psk_the_early_secret_is_a_constant() {
    let suites = crate::crypto::ring::provider().cipher_suites;
    for suite in suites {
        let shared = SharedSecret::from_slice(&[7; 32]);
        let hello_hash = suite.hash.hash(&[b"hellos"]);
        let (hash, hmac) = (suite.hash, suite.hmac);
        let (derived, _) = EarlySecret::new(hash, hmac, None).into_handshake(&shared, &hello_hash);
        let (known, _) = EarlySecret::handshake_without_psk(hash, hmac, &shared, &hello_hash);
        assert_eq!(derived.client.secret().expose(), known.client.secret().expose(), "{}", suite.id);
        assert!(SALTS_WITHOUT_PSK.iter().any(|(empty, _)| *empty == hash.hash(&[]).as_ref()));
        let copy = |keys: &TrafficKeys<'_>| [keys.key, keys.iv, keys.sn_key].map(<[u8]>::to_vec);
        let (traffic, finished) = known.server.use_handshake_keys(suite, copy);
        assert_eq!(traffic, derived.server.use_keys(suite, copy));
        let finished = finished.verify_data(&hello_hash);
        assert_eq!(finished.as_ref(), derived.server.verify_data(&hello_hash).as_ref());
    }
}
