//! Alerts on their way out, and the lingering end of a failed handshake.

use core::time::Duration;

use super::amplification::Amplification;
use crate::config::Settings;
use crate::message::registry::AlertDescription;
use crate::time::Instant;

/// An alert that waits for the next datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PendingAlert {
    pub(super) level: u8,
    pub(super) description: AlertDescription,
    /// Our Finished of DTLS 1.3 has not gone out: the peer reads only the keys of the handshake (RFC 9846 appendix A.1).
    pub(super) precedes_finished: bool,
}

pub(super) const WARNING: u8 = 1;
pub(super) const FATAL: u8 = 2;

impl PendingAlert {
    const fn new(level: u8, description: AlertDescription) -> Self {
        Self { level, description, precedes_finished: false }
    }

    pub(super) const fn close_notify() -> Self {
        Self::new(WARNING, AlertDescription::CLOSE_NOTIFY)
    }

    pub(super) const fn no_renegotiation() -> Self {
        Self::new(WARNING, AlertDescription::NO_RENEGOTIATION)
    }

    /// Errors are fatal (RFC 9846 section 6.2), but for the orderly close at the end of a key's life.
    pub(super) fn of_error(description: AlertDescription) -> Self {
        let level = if description == AlertDescription::CLOSE_NOTIFY { WARNING } else { FATAL };
        Self::new(level, description)
    }

    pub(super) fn to_bytes(self) -> [u8; 2] {
        [self.level, self.description.0]
    }
}

/// A failed handshake repeats its alert for each repeat of the offending flight until its deadline, at most once per
/// half of the initial timeout (RFC 6347 section 4.2.7).
#[derive(Debug)]
pub(super) struct Linger {
    until: Instant,
    alert: PendingAlert,
    interval: Duration,
    last: Instant,
    /// The address is not proved by a failure either.
    pub(super) amplification: Option<Amplification>,
}

/// How long a failed handshake lingers where it has no deadline.
const LINGER: Duration = Duration::from_secs(30);

impl Linger {
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// The alert, if it is time to repeat it.
    pub(super) fn repeat(&mut self, now: Instant) -> Option<PendingAlert> {
        if now >= self.until || now - self.last < self.interval {
            return None;
        }
        self.last = now;
        Some(self.alert)
    }
}

/// A [`Linger`] whose alert is not known yet.
#[derive(Debug)]
pub(super) struct LingerUntil {
    until: Instant,
    interval: Duration,
    now: Instant,
}

impl LingerUntil {
    pub(super) fn new(now: Instant, deadline: Option<Instant>, settings: &Settings) -> Self {
        Self { until: deadline.unwrap_or(now + LINGER), interval: settings.initial_timeout / 2, now }
    }

    pub(super) fn repeating(self, alert: PendingAlert, amplification: Option<Amplification>) -> Linger {
        Linger { until: self.until, alert, interval: self.interval, last: self.now, amplification }
    }
}
