//! Records through `Connection`, beside the bare AEAD with a prepared key.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use drystone_benches::Setup;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

const SIZES: [usize; 2] = [64, 1200];

fn seal(criterion: &mut Criterion) {
    let setup = Setup::new();
    let (mut client, _) = setup.connect();
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[1; 16]).expect("a key"));
    let mut group = criterion.benchmark_group("seal AES-128-GCM");
    for size in SIZES {
        group.throughput(Throughput::Bytes(size as u64));
        let start = client.overhead().prefix;
        let mut buffer = [0; 1500];
        group.bench_function(BenchmarkId::new("connection", size), |bencher| {
            bencher.iter(|| client.seal(&mut buffer, start..start + size).expect("connected").len());
        });
        group.bench_function(BenchmarkId::new("bare", size), |bencher| {
            bencher.iter(|| {
                let nonce = Nonce::assume_unique_for_key([2; 12]);
                key.seal_in_place_separate_tag(nonce, Aad::from([0; 13]), &mut buffer[..size])
                    .expect("sealed")
            });
        });
    }
    group.finish();
}

fn open(criterion: &mut Criterion) {
    let setup = Setup::new();
    let (mut client, mut server) = setup.connect();
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[1; 16]).expect("a key"));
    let mut group = criterion.benchmark_group("open AES-128-GCM");
    for size in SIZES {
        group.throughput(Throughput::Bytes(size as u64));
        let mut out = [0; 1500];
        let payload = vec![7; size];
        group.bench_function(BenchmarkId::new("connection", size), |bencher| {
            let record = || {
                let length = client.send(&payload, &mut out).expect("connected");
                out[..length].to_vec()
            };
            bencher.iter_batched(
                record,
                |mut bytes| setup.open(&mut server, &mut bytes),
                BatchSize::SmallInput,
            );
        });
        group.bench_function(BenchmarkId::new("bare", size), |bencher| {
            let record = || {
                let mut bytes = payload.clone();
                let nonce = Nonce::assume_unique_for_key([2; 12]);
                key.seal_in_place_append_tag(nonce, Aad::from([0; 13]), &mut bytes).expect("sealed");
                bytes
            };
            let open = |mut bytes: Vec<u8>| {
                let nonce = Nonce::assume_unique_for_key([2; 12]);
                key.open_in_place(nonce, Aad::from([0; 13]), &mut bytes).expect("opened").len()
            };
            bencher.iter_batched(record, open, BatchSize::SmallInput);
        });
    }
    group.finish();
}

criterion_group!(benches, seal, open);
criterion_main!(benches);
