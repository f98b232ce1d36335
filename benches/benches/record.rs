//! Records through `Connection`, beside the bare AEAD with a prepared key.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use drystone::ProtocolVersion;
use drystone_benches::bare::{BareAead, Group};
use drystone_benches::{Setup, VERSIONS};

const SIZES: [usize; 2] = [64, 1200];

fn seal(criterion: &mut Criterion) {
    VERSIONS.into_iter().for_each(|version| seal_in(version, criterion));
}

fn seal_in(version: ProtocolVersion, criterion: &mut Criterion) {
    let (mut client, _) = Setup::new(version, Group::X25519).connect();
    let bare = BareAead::new(version);
    let mut group = criterion.benchmark_group(format!("seal AES-128-GCM, {version}"));
    for size in SIZES {
        group.throughput(Throughput::Bytes(size as u64));
        let start = client.overhead().prefix;
        let mut buffer = [0; 1500];
        group.bench_function(BenchmarkId::new("connection", size), |bencher| {
            bencher.iter(|| client.seal(&mut buffer, start..start + size).expect("connected").len());
        });
        group.bench_function(BenchmarkId::new("bare", size), |bencher| {
            bencher.iter(|| bare.seal(1, &mut buffer, start..start + size));
        });
    }
    group.finish();
}

fn open(criterion: &mut Criterion) {
    VERSIONS.into_iter().for_each(|version| open_in(version, criterion));
}

fn open_in(version: ProtocolVersion, criterion: &mut Criterion) {
    let setup = Setup::new(version, Group::X25519);
    let (mut client, mut server) = setup.connect();
    let bare = BareAead::new(version);
    let mut group = criterion.benchmark_group(format!("open AES-128-GCM, {version}"));
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
                let mut bytes = vec![7; size + bare.suffix()];
                bare.seal(1, &mut bytes, 0..size);
                bytes
            };
            bencher.iter_batched(
                record,
                |mut bytes| bare.open(1, &mut bytes, 0..size),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, seal, open);
criterion_main!(benches);
