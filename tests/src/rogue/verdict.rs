//! How a duel has ended, and what tests ask of its end.

use drystone_handshake::Error;

use super::alert::BAD_RECORD_MAC;
use super::{Duel, Step};

/// Where a handshake stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The victim waits for more.
    Open,
    /// A message was dropped whose number all later ones follow: nothing can come of it any more. The victim does not know
    /// it, so that this is only ever expected, and seen as [`Open`](Self::Open).
    Stalled,
    /// It is connected.
    Connected,
    /// It has failed.
    Failed,
}

impl Outcome {
    /// Where the victim stands.
    pub fn of(duel: &Duel) -> Self {
        match (duel.victim.is_connected(), duel.victim.error().is_some()) {
            (true, _) => Self::Connected,
            (false, true) => Self::Failed,
            (false, false) => Self::Open,
        }
    }

    /// Whether the victim may be seen so where the handshake stands like this.
    pub fn looks_like(self, seen: Self) -> bool {
        seen == self || (self == Self::Stalled && seen == Self::Open)
    }
}

/// The victim has failed before it was connected, and has said why by this alert and no other.
///
/// # Panics
/// If not.
pub fn refused(duel: &Duel, alert: u8, what: &str) {
    assert!(duel.victim.error().is_some(), "{what}: not refused");
    assert_eq!(duel.rogue.alerts(), [alert], "{what}: {:?}", duel.victim.error());
    assert!(!duel.victim.is_connected() && duel.victim.connected.is_none());
}

/// The rest of the handshake connects the victim, and data passes in both directions.
///
/// # Panics
/// If not.
pub fn connects_and_talks(duel: &mut Duel, steps: &[Step], what: &str) {
    duel.play(steps);
    assert!(duel.victim.is_connected(), "{what}: {:?}", duel.victim.error());
    duel.talk();
}

/// Forgeries have ended the association: the peer is told, and what it sends is not delivered any more.
///
/// # Panics
/// If not.
pub fn ended_by_forgeries(duel: &mut Duel) {
    assert_eq!(duel.victim.error(), Some(&Error::ForgeryLimit));
    assert_eq!(duel.rogue.alerts(), [BAD_RECORD_MAC]);
    let genuine = duel.rogue.data(b"too late");
    duel.give(&genuine);
    assert!(duel.victim.received.is_empty());
}
