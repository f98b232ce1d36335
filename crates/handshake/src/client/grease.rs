//! GREASE (RFC 8701): reserved values among the offers, so that servers do not learn to choke on what they do not know.

use crate::message::registry::{CipherSuiteId, ExtensionType, NamedGroup, ProtocolVersion};

/// One reserved value for each list of the hello. A second hello repeats them (RFC 9846 section 4.2.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Grease {
    pub(super) cipher_suite: CipherSuiteId,
    pub(super) group: NamedGroup,
    pub(super) version: ProtocolVersion,
    pub(super) extension: ExtensionType,
}

impl Grease {
    /// Values chosen by random bytes, which need not be secret.
    pub(super) fn new([suite, group, version, extension]: [u8; 4]) -> Self {
        Self {
            cipher_suite: CipherSuiteId(value(suite)),
            group: NamedGroup(value(group)),
            version: ProtocolVersion(value(version)),
            extension: ExtensionType(value(extension)),
        }
    }
}

/// 0x0a0a, 0x1a1a, .. 0xfafa.
fn value(random: u8) -> u16 {
    u16::from_be_bytes([random & 0xf0 | 0x0a; 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_value_is_one_of_the_sixteen() {
        let values: BTreeSet<_> = (0..=255).map(value).collect();
        let reserved: BTreeSet<_> = (0..16).map(|high| (high * 16 + 10) * 0x0101).collect();
        assert_eq!(values, reserved);
    }
}
