//! A whole handshake, both ends, beside the public-key operations that it cannot do without.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use drystone::ProtocolVersion;
use drystone_benches::bare::{BareHandshake, Group};
use drystone_benches::{Setup, VERSIONS};

fn full(criterion: &mut Criterion) {
    let mut criterion_group = criterion.benchmark_group("full handshake");
    let versions = |group| VERSIONS.map(|version| (version, group));
    let hybrid = (ProtocolVersion::DTLS_1_3, Group::X25519MlKem768);
    for (version, group) in Group::SMALL.into_iter().flat_map(versions).chain([hybrid]) {
        let name = format!("{version} {group:?}");
        let (setup, bare) = (Setup::new(version, group), BareHandshake::new(group));
        criterion_group.bench_function(BenchmarkId::new("both ends", &name), |bencher| {
            bencher.iter(|| setup.connect());
        });
        criterion_group
            .bench_function(BenchmarkId::new("floor", &name), |bencher| bencher.iter(|| bare.run()));
    }
    criterion_group.finish();
}

criterion_group!(benches, full);
criterion_main!(benches);
