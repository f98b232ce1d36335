//! The key exchange of every group alone: both sides, from the first share to both secrets.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use drystone::crypto::{KeyExchangeError, KeyExchangeGroup, SharedSecret, ring};

fn groups(criterion: &mut Criterion) {
    for group in ring::GROUPS {
        let mut measured = criterion.benchmark_group(format!("key exchange {}", group.name()));
        let share = group.start().expect("random numbers").1;
        measured.bench_function("start", |bencher| bencher.iter(|| group.start()));
        measured.bench_function("respond", |bencher| bencher.iter(|| group.respond(black_box(&share))));
        measured.bench_function("both sides", |bencher| bencher.iter(|| exchange(*group)));
        measured.finish();
    }
}

fn exchange(group: &dyn KeyExchangeGroup) -> Result<(SharedSecret, SharedSecret), KeyExchangeError> {
    let (pending, client_share) = group.start()?;
    let (server_share, server_secret) = group.respond(&client_share)?;
    Ok((pending.finish(&server_share)?, server_secret))
}

criterion_group!(benches, groups);
criterion_main!(benches);
