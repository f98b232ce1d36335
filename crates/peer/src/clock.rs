//! The clock: the one place in drystone that asks the operating system what time it is. It knows nothing of
//! connections beyond the two forms of time that they take.

use std::time::{SystemTime, UNIX_EPOCH};

use drystone_handshake::{Instant, Start};
use drystone_x509::UnixTime;

/// The operating system's monotonic clock, counted from the moment at which this value was made.
///
/// Copies share the origin, so that moments of all copies can be compared. All connections of one socket should
/// use one clock.
///
/// ```
/// use drystone::Clock;
///
/// let clock = Clock::new();
/// let earlier = clock.now();
/// assert!(clock.now() >= earlier);
/// assert!(clock.start().unix.is_some());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: std::time::Instant,
}

impl Clock {
    /// A clock whose origin is now.
    pub fn new() -> Self {
        Self { origin: std::time::Instant::now() }
    }

    /// The present moment.
    pub fn now(&self) -> Instant {
        Instant::from_origin(self.origin.elapsed())
    }

    /// The moment of this clock at which the standard library's clock shows `instant`; one before the origin counts as the origin.
    ///
    /// ```
    /// # use drystone::Clock;
    /// let (clock, now) = (Clock::new(), std::time::Instant::now());
    /// assert_eq!(clock.to_std(clock.from_std(now)), now);
    /// ```
    #[allow(
        clippy::wrong_self_convention,
        reason = "the counterpart of `to_std`; the clock is what converts"
    )]
    pub fn from_std(&self, instant: std::time::Instant) -> Instant {
        Instant::from_origin(instant.saturating_duration_since(self.origin))
    }

    /// What the standard library's clock shows at a moment of this clock: for event loops that wait until then.
    pub fn to_std(&self, moment: Instant) -> std::time::Instant {
        self.origin + moment.since_origin()
    }

    /// The present moment with the date, as a new connection or a gate wants it.
    ///
    /// A system whose date lies before 1970 has no date: certificates can then not be verified, which ends a
    /// handshake with [`Error::DateMissing`](crate::Error::DateMissing) instead of a wrong verdict.
    pub fn start(&self) -> Start {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).ok().map(UnixTime::since_unix_epoch);
        Start { now: self.now(), unix }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
