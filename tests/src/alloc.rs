//! Counts heap allocations. Owns the measure in which tests state a memory budget; it must not know what is measured.
//!
//! The counting allocator is the crate `allocation-counter`: replacing the global allocator needs `unsafe`, which this
//! workspace forbids. It counts per thread, so tests may run side by side, and what other threads do is not seen.
//! It is the global allocator of every test binary that links this package: measure speed elsewhere.

/// What a piece of code did with the heap, on the thread that ran it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Allocations {
    /// How many allocations were made. Growing a `Vec` counts as one.
    pub count: u64,
    /// Bytes asked for in all these allocations together.
    pub bytes: u64,
    /// Most bytes held at one moment, above what was held before.
    pub peak_bytes: u64,
    /// Bytes held at the end, less bytes held before: negative if more was freed than allocated.
    pub live_bytes: i64,
}

/// Runs `code` and returns its result with what it did with the heap.
///
/// ```
/// use drystone_tests::alloc::measure;
///
/// let (buffer, heap) = measure(|| vec![0_u8; 1200]);
/// assert_eq!((heap.count, heap.live_bytes), (1, 1200));
/// let ((), heap) = measure(|| drop(buffer));
/// assert_eq!((heap.count, heap.live_bytes), (0, -1200));
/// ```
pub fn measure<T>(code: impl FnOnce() -> T) -> (T, Allocations) {
    let mut result = None;
    let info = allocation_counter::measure(|| result = Some(code()));
    let allocations = Allocations {
        count: info.count_total,
        bytes: info.bytes_total,
        peak_bytes: info.bytes_max,
        live_bytes: info.bytes_current,
    };
    (result.expect("measure has run the closure"), allocations)
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::sync::{Arc, Barrier};

    use super::*;

    #[test]
    fn code_without_heap_counts_nothing() {
        let mut buffer = [0_u8; 1200];
        let ((), heap) = measure(|| black_box(&mut buffer).fill(7));
        assert_eq!(heap, Allocations::default());
    }

    #[test]
    fn peak_and_live_bytes_differ() {
        let (kept, heap) = measure(|| {
            drop(black_box(vec![1_u8; 10_000]));
            black_box(vec![2_u8; 300])
        });
        assert_eq!(kept.len(), 300);
        assert_eq!(heap, Allocations { count: 2, bytes: 10_300, peak_bytes: 10_000, live_bytes: 300 });
    }

    #[test]
    fn other_threads_are_not_counted() {
        let barrier = Arc::new(Barrier::new(2));
        let theirs = Arc::clone(&barrier);
        let other = std::thread::spawn(move || {
            theirs.wait();
            drop(black_box(vec![0_u8; 4096]));
            theirs.wait();
        });
        let (kept, heap) = measure(|| {
            barrier.wait();
            barrier.wait();
            black_box(Box::new(1_u64))
        });
        other.join().expect("the thread only allocates");
        assert_eq!((*kept, heap.count, heap.bytes), (1, 1, 8));
    }
}
