//! Time as an argument: drystone reads no clock.

use core::fmt;
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
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(Duration);

impl Instant {
    /// The moment that lies `elapsed` after the caller's origin.
    pub const fn from_origin(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// The time since the caller's origin.
    pub const fn since_origin(self) -> Duration {
        self.0
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates at the end of time instead of wrapping.
    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }
}

impl Sub for Instant {
    type Output = Duration;

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} after the origin", self.0)
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
