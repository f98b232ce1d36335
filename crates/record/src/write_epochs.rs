//! Our own epochs that are alive: the current one, and older ones while messages sent in them may have to be sent again
//! (RFC 9147 section 4.2.1: retransmissions keep their epoch). Knows nothing of what sealing needs.

use crate::write_epoch::WriteEpoch;
use alloc::vec::Vec;

/// The epoch is not newer than the current one. Installing it could use record numbers a second time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the epoch is not newer than the current one")]
pub struct EpochNotNewer;

/// The write epochs of an association. There is always a current one.
///
/// ```
/// use drystone_record::{Protection, WriteEpoch, WriteEpochs};
///
/// let mut epochs = WriteEpochs::new(WriteEpoch::new(0, Protection::plaintext()));
/// assert_eq!(epochs.current().epoch(), 0);
/// assert!(epochs.get_mut(1).is_none());
/// ```
#[derive(Debug)]
pub struct WriteEpochs {
    current: WriteEpoch,
    /// In ascending order.
    older: Vec<WriteEpoch>,
}

impl WriteEpochs {
    /// Epochs that start with this one.
    pub fn new(first: WriteEpoch) -> Self {
        Self { current: first, older: Vec::new() }
    }

    /// The newest epoch.
    #[inline]
    pub fn current(&self) -> &WriteEpoch {
        &self.current
    }

    /// The newest epoch, to seal in it.
    #[inline]
    pub fn current_mut(&mut self) -> &mut WriteEpoch {
        &mut self.current
    }

    /// An epoch, if it is still there.
    pub fn get(&self, epoch: u64) -> Option<&WriteEpoch> {
        self.iter().find(|alive| alive.epoch() == epoch)
    }

    /// An epoch, if it is still there, to seal in it.
    pub fn get_mut(&mut self, epoch: u64) -> Option<&mut WriteEpoch> {
        if self.current.epoch() == epoch {
            return Some(&mut self.current);
        }
        self.older.iter_mut().find(|alive| alive.epoch() == epoch)
    }

    /// Makes a newer epoch the current one. The others stay until [`retain`](Self::retain) lets them go.
    ///
    /// # Errors
    /// [`EpochNotNewer`], and nothing changes.
    pub fn install(&mut self, epoch: WriteEpoch) -> Result<(), EpochNotNewer> {
        if epoch.epoch() <= self.current.epoch() {
            return Err(EpochNotNewer);
        }
        self.older.reserve_exact(1);
        self.older.push(core::mem::replace(&mut self.current, epoch));
        Ok(())
    }

    /// Drops the older epochs for which `keep` says no. The current one always stays.
    pub fn retain(&mut self, mut keep: impl FnMut(u64) -> bool) {
        self.older.retain(|old| keep(old.epoch()));
        self.older.shrink_to_fit();
    }

    /// All epochs, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &WriteEpoch> {
        self.older.iter().chain(core::iter::once(&self.current))
    }
}
