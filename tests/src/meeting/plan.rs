//! What one side of a meeting is told to use, in terms that every implementation understands. Owns values only.

use drystone_handshake::{CipherSuiteId, NamedGroup, ProtocolVersion};

use crate::identity::Identity;

/// The settings of one side.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The lowest version.
    pub min_version: ProtocolVersion,
    /// The highest version.
    pub max_version: ProtocolVersion,
    /// The only cipher suite; `None` for the implementation's choice.
    pub suite: Option<CipherSuiteId>,
    /// The groups, best first; empty for the implementation's choice.
    pub groups: Vec<NamedGroup>,
    /// Certificate chain and key to show.
    pub identity: Option<&'static Identity>,
    /// Whose root to trust. A server that has one requires a client certificate; an implementation without paths of
    /// its own compares the leaf.
    pub trust: Option<&'static Identity>,
    /// The only application protocol.
    pub alpn: Option<&'static str>,
    /// The largest datagram, in bytes of UDP payload.
    pub mtu: usize,
    /// Tells an implementation whose application cannot ask for a KeyUpdate to send one by itself after a few records.
    pub rekey_early: bool,
}

impl Plan {
    /// This version and nothing else.
    pub fn only(version: ProtocolVersion) -> Self {
        Self {
            min_version: version,
            max_version: version,
            suite: None,
            groups: Vec::new(),
            identity: None,
            trust: None,
            alpn: None,
            mtu: 1200,
            rekey_early: false,
        }
    }
}
