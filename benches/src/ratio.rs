//! Ratios of times that hold on a busy machine: what is compared takes turns in short rounds, and the median of the
//! rounds' ratios counts.

use std::time::{Duration, Instant};

/// The time that `code` takes.
pub fn time(code: impl FnOnce()) -> Duration {
    let start = Instant::now();
    code();
    start.elapsed()
}

/// Times of two things that took turns.
#[derive(Clone, Debug, Default)]
pub struct Turns(Vec<[f64; 2]>);

impl Turns {
    /// Adds a round: how long ours took, and how long its floor.
    pub fn push(&mut self, ours: Duration, floor: Duration) {
        self.0.push([ours.as_secs_f64(), floor.as_secs_f64()]);
    }

    /// The median of the ratios of the rounds, not the ratio of two medians: what slows a round down slows both.
    ///
    /// # Panics
    /// If there was no round.
    pub fn ratio(&self) -> f64 {
        median(self.0.iter().map(|[ours, floor]| ours / floor))
    }

    /// The medians of ours and of the floor, in microseconds per item of rounds with `items` items.
    ///
    /// # Panics
    /// If there was no round.
    pub fn microseconds(&self, items: usize) -> [f64; 2] {
        [0, 1].map(|side| median(self.0.iter().map(|round| round[side])) * 1e6 / items as f64)
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_round_does_not_count() {
        let mut turns = Turns::default();
        for (ours, floor) in [(12, 10), (24, 20), (900, 10)] {
            turns.push(Duration::from_micros(ours), Duration::from_micros(floor));
        }
        assert!((turns.ratio() - 1.2).abs() < 1e-9, "{}", turns.ratio());
        let [ours, floor] = turns.microseconds(2);
        assert!((ours - 12.0).abs() < 1e-6 && (floor - 5.0).abs() < 1e-6, "{ours} {floor}");
    }
}
