//! A whole handshake, both ends, beside the public-key operations that it cannot do without.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{Criterion, criterion_group, criterion_main};
use drystone_benches::Setup;
use ring::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use ring::rand::SystemRandom;
use ring::signature::{self, ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

fn full(criterion: &mut Criterion) {
    let setup = Setup::new();
    let mut group = criterion.benchmark_group("handshake P-256 X25519");
    group.bench_function("both ends", |bencher| bencher.iter(|| setup.connect()));
    group.bench_function("floor", |bencher| {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).expect("a key");
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random)
            .expect("a key");
        bencher.iter(|| floor(&random, &key));
    });
    group.finish();
}

/// Two key generations, two agreements, one signature and two verifications.
fn floor(random: &SystemRandom, key: &EcdsaKeyPair) {
    let share = || {
        let private = EphemeralPrivateKey::generate(&X25519, random).expect("a key");
        let public = private.compute_public_key().expect("a share");
        (private, UnparsedPublicKey::new(&X25519, public))
    };
    let ((ours, our_share), (theirs, their_share)) = (share(), share());
    agree_ephemeral(ours, &their_share, <[u8]>::len).expect("agreed");
    agree_ephemeral(theirs, &our_share, <[u8]>::len).expect("agreed");
    let signature = key.sign(random, b"message").expect("signed");
    let public = signature::UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.public_key());
    for _ in 0..2 {
        public.verify(b"message", signature.as_ref()).expect("verified");
    }
}

criterion_group!(benches, full);
criterion_main!(benches);
