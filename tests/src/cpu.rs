//! How long this thread has computed, whatever else the machine has to do: bounds on work are counted in it. It must not know
//! what is measured.

use std::fs;
use std::time::Duration;

/// The time that this thread has spent on a processor, without the time in which it waited for one. On Linux it grows in
/// steps of a few milliseconds; elsewhere it stands still, so that a bound on it holds nothing.
pub fn thread_time() -> Duration {
    // Linux: Documentation/scheduler/sched-stats.rst, "/proc/<pid>/schedstat": the first field is nanoseconds on a CPU.
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = stat.split_ascii_whitespace().next().and_then(|field| field.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::hint::black_box;

    use super::*;

    #[test]
    fn sleep_does_not_count_and_work_does() {
        let begin = thread_time();
        std::thread::sleep(Duration::from_millis(200));
        let slept = thread_time() - begin;
        assert!(slept < Duration::from_millis(150), "{slept:?}");
        let mut value = 1_u64;
        // A thread that is never given 20 ms would be waited for in vain: this ends with the work, not with the clock.
        while thread_time() - begin < Duration::from_millis(20) {
            value = black_box(value.wrapping_mul(6_364_136_223_846_793_005));
        }
    }
}
