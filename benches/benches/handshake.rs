//! A whole handshake, both ends, beside the public-key operations that it cannot do without.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use drystone_benches::Setup;
use drystone_benches::bare::{BareHandshake, Group};

fn full(criterion: &mut Criterion) {
    let mut criterion_group = criterion.benchmark_group("full handshake");
    for group in Group::ALL {
        let name = format!("{group:?}");
        let (setup, bare) = (Setup::new(group), BareHandshake::new(group));
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
