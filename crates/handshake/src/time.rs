//! Time as an argument: drystone reads no clock.

use core::fmt;
use core::num::NonZero;
use core::ops::{Add, Sub};
use core::time::Duration;

use rustls_pki_types::UnixTime;

/// A moment on the caller's monotonic clock: the time since an origin that the caller chooses.
///
/// The clock may stand still between two calls, but it must not run backwards within one connection; if it does,
/// the moment counts as "not yet".
///
/// ```
/// use core::time::Duration;
/// use drystone_handshake::Instant;
///
/// let start = Instant::from_origin(Duration::from_millis(5));
/// assert_eq!((start + Duration::from_millis(400)) - start, Duration::from_millis(400));
/// ```
///
/// It takes 8 bytes, also as an `Option`: every association holds several. It counts nanoseconds, and ends 584 years after the
/// origin; later moments are that one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(
    /// Nanoseconds since the origin, and one more, so that zero is free for the `None` of an `Option`.
    NonZero<u64>,
);

impl Instant {
    /// The moment that lies `elapsed` after the caller's origin.
    pub const fn from_origin(elapsed: Duration) -> Self {
        const END: u128 = u64::MAX as u128 - 1;
        let nanoseconds = elapsed.as_nanos();
        Self::after_nanoseconds(if nanoseconds < END { nanoseconds } else { END } as u64)
    }

    /// The time since the caller's origin.
    pub const fn since_origin(self) -> Duration {
        Duration::from_nanos(self.0.get() - 1)
    }

    const fn after_nanoseconds(nanoseconds: u64) -> Self {
        Self(NonZero::<u64>::MIN.saturating_add(nanoseconds))
    }
}

impl Default for Instant {
    /// The origin.
    fn default() -> Self {
        Self::after_nanoseconds(0)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates at the end of time instead of wrapping.
    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(later.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub for Instant {
    type Output = Duration;

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    fn sub(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.get().saturating_sub(earlier.0.get()))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} after the origin", self.since_origin())
    }
}

/// What a connection is told about time when it starts.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// The present moment on the caller's monotonic clock.
    pub now: Instant,
    /// The present date, for the validity of certificates and the age of cookies. Without it no certificate can be
    /// verified by its dates, and cookies are dated by `now`.
    pub unix: Option<UnixTime>,
}

impl Start {
    /// The date at a later moment of the same clock.
    pub(crate) fn date_at(&self, now: Instant) -> Option<UnixTime> {
        let start = Duration::from_secs(self.unix?.as_secs());
        Some(UnixTime::since_unix_epoch(start.saturating_add(now - self.now)))
    }

    /// Whole seconds for dating cookies: of the date if there is one, else of the monotonic clock. Cut to the four
    /// bytes that a cookie has room for; ages are differences, so that the cut does not matter.
    pub(crate) fn cookie_seconds(&self) -> u64 {
        self.unix.map_or(self.now.since_origin().as_secs(), |date| date.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_saturate_at_both_ends() {
        let (origin, end) = (Instant::default(), Instant::from_origin(Duration::MAX));
        assert_eq!((origin - end, origin.since_origin()), (Duration::ZERO, Duration::ZERO));
        assert_eq!((end + Duration::MAX, origin + Duration::MAX), (end, end));
        assert_eq!(end - origin, Duration::from_nanos(u64::MAX - 1));
        let moment = Duration::new(3, 7);
        assert_eq!(Instant::from_origin(moment).since_origin(), moment);
        assert_eq!(size_of::<Option<Instant>>(), 8);
    }
}
