//! The limit on what an unproven address may be sent (RFC 9147 section 5.1).

use crate::config::MIN_MTU;

#[derive(Clone, Copy, Debug)]
pub(super) struct Amplification {
    times: u64,
    received: u64,
    sent: u64,
}

impl Amplification {
    pub(super) fn new(times: u32) -> Self {
        Self { times: times.into(), received: 0, sent: 0 }
    }

    pub(super) fn received(&mut self, bytes: usize) {
        self.received = self.received.saturating_add(bytes as u64);
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent = self.sent.saturating_add(bytes as u64);
    }

    /// The bytes that may still be sent.
    pub(super) fn allowance(&self) -> usize {
        let allowance = self.received.saturating_mul(self.times).saturating_sub(self.sent);
        usize::try_from(allowance).unwrap_or(usize::MAX)
    }
}

/// Whether the limit leaves no room for a datagram of any kind.
pub(super) fn is_exhausted(limit: Option<Amplification>) -> bool {
    limit.is_some_and(|limit| limit.allowance() < MIN_MTU)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_the_given_multiple_goes_out() {
        let mut limit = Amplification::new(3);
        assert_eq!(limit.allowance(), 0);
        limit.received(100);
        assert_eq!(limit.allowance(), 300);
        limit.sent(299);
        assert_eq!(limit.allowance(), 1);
        limit.sent(50);
        assert_eq!(limit.allowance(), 0);
        limit.received(100);
        assert_eq!(limit.allowance(), 251);
    }
}
