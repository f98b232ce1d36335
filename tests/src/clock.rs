//! Simulated time. Owns one number: how long the simulation has run. It must not know links or connections.
//!
//! Nothing sleeps in a simulation: the loop asks everybody for the next instant at which something happens and
//! jumps there, so that minutes of retransmissions take milliseconds and every run sees the same instants.

use core::time::Duration;

use rustls_pki_types::UnixTime;

/// A clock that moves only when told to.
///
/// ```
/// use core::time::Duration;
/// use drystone_tests::clock::{Clock, earliest};
///
/// let mut clock = Clock::new();
/// let timer = Some(Duration::from_millis(400));
/// let arrival = Some(Duration::from_millis(30));
/// clock.advance_to(earliest([timer, arrival, None]).unwrap());
/// assert_eq!(clock.now(), Duration::from_millis(30));
/// ```
#[derive(Debug, Clone)]
pub struct Clock {
    now: Duration,
    unix_at_start: Duration,
}

impl Clock {
    /// A clock at zero whose calendar reads 2026-01-01 00:00 UTC.
    pub fn new() -> Self {
        Self::at_unix(UnixTime::since_unix_epoch(Duration::from_secs(1_767_225_600)))
    }

    /// A clock at zero whose calendar reads `unix`: for certificates with given dates.
    pub fn at_unix(unix: UnixTime) -> Self {
        Self { now: Duration::ZERO, unix_at_start: Duration::from_secs(unix.as_secs()) }
    }

    /// Time since the simulation began.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// The calendar's time now, in whole seconds.
    pub fn unix(&self) -> UnixTime {
        UnixTime::since_unix_epoch(self.unix_at_start + self.now)
    }

    /// Lets `step` pass.
    pub fn advance(&mut self, step: Duration) {
        self.now += step;
    }

    /// Jumps to `instant`. An instant in the past leaves the clock where it is: time never runs backwards.
    pub fn advance_to(&mut self, instant: Duration) {
        self.now = self.now.max(instant);
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// The earliest of several instants, or `None` if nobody waits for anything.
pub fn earliest(instants: impl IntoIterator<Item = Option<Duration>>) -> Option<Duration> {
    instants.into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_moves_only_forwards() {
        let mut clock = Clock::new();
        clock.advance(Duration::from_millis(7));
        clock.advance_to(Duration::from_millis(3));
        assert_eq!(clock.now(), Duration::from_millis(7));
        clock.advance_to(Duration::from_millis(9));
        assert_eq!(clock.now(), Duration::from_millis(9));
    }

    #[test]
    fn the_calendar_follows_the_clock() {
        let mut clock = Clock::at_unix(UnixTime::since_unix_epoch(Duration::from_secs(1_000)));
        clock.advance(Duration::from_millis(59_999));
        assert_eq!(clock.unix().as_secs(), 1_059);
        clock.advance(Duration::from_millis(1));
        assert_eq!(clock.unix().as_secs(), 1_060);
    }

    #[test]
    fn earliest_ignores_those_who_do_not_wait() {
        let instants = [None, Some(Duration::from_secs(2)), Some(Duration::from_secs(1)), None];
        assert_eq!(earliest(instants), Some(Duration::from_secs(1)));
        assert_eq!(earliest([None, None]), None);
    }
}
