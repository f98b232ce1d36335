//! A fingerprint of everything that happened on a link. Owns the hash; it must not know why something happened.

use core::time::Duration;

use super::Direction;

/// FNV-1a, 64 bits: enough to see that two runs differ, with no dependency.
pub(super) struct Trace(u64);

impl Trace {
    pub(super) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(super) fn sent(&mut self, at: Duration, direction: Direction, bytes: &[u8]) {
        self.event(b'>', at, direction, bytes);
    }

    pub(super) fn delivered(&mut self, at: Duration, direction: Direction, bytes: &[u8]) {
        self.event(b'<', at, direction, bytes);
    }

    pub(super) fn value(&self) -> u64 {
        self.0
    }

    /// The length goes in too, so that no two sequences of events give the same bytes.
    fn event(&mut self, what: u8, at: Duration, direction: Direction, bytes: &[u8]) {
        self.add(&[what, direction as u8]);
        self.add(&at.as_nanos().to_le_bytes());
        self.add(&(bytes.len() as u64).to_le_bytes());
        self.add(bytes);
    }

    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        // From the test cases of the FNV reference code.
        for (input, expected) in
            [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)]
        {
            let mut trace = Trace::new();
            trace.add(input.as_bytes());
            assert_eq!(trace.value(), expected, "{input}");
        }
    }
}
