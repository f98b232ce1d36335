//! The epochs of the peer's records that are alive: which one a record names, when a new one takes over, when an old
//! one goes. Knows nothing of what a record needs to be opened.

use crate::Discard;
use crate::datagram::Protected;
use crate::header::Header;
use crate::read_epoch::{OpenError, Opened, ReadEpoch};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// How long the keys of an epoch stay after a newer one took over: twice the two minutes that RFC 9293 gives as
/// maximum segment lifetime (RFC 6347 section 4.2.4, RFC 9147 sections 4.2.1 and 5.8.1).
pub const RETENTION: Duration = Duration::from_secs(240);

/// In this epoch DTLS 1.3 sends its handshake (RFC 9147 section 6.1). The peer repeats its last flight in it until our
/// ACK arrives, so that it outlives one change of keys more than others.
const HANDSHAKE_EPOCH: u64 = 2;

/// The read epochs of an association.
///
/// At most one of them answers to a record, since an AEAD may destroy what it fails to open.
///
/// ```
/// use core::time::Duration;
/// use drystone_record::{AdmittedTypes, Discard, OpenError, Protection, ReadEpoch, ReadEpochs, Records};
///
/// let mut epochs =
///     ReadEpochs::new(ReadEpoch::new(0, Protection::plaintext(), AdmittedTypes::CLASSIC_PLAINTEXT));
/// let mut datagram = *b"\x17\xfe\xfd\0\x01\0\0\0\0\0\0\0\x02hi";
/// let record = Records::new(&mut datagram).next_record(0).unwrap().unwrap();
/// assert_eq!(epochs.open(record, Duration::ZERO), Err(OpenError::Discard(Discard::FutureEpoch)));
/// ```
pub struct ReadEpochs {
    /// In ascending order of epochs, at most four: no two share the two low bits.
    slots: Vec<Slot>,
    current: u64,
}

struct Slot {
    epoch: ReadEpoch,
    retire_at: Option<Duration>,
}

impl ReadEpochs {
    /// Epochs that start with this one, which is the current one.
    pub fn new(first: ReadEpoch) -> Self {
        let current = first.epoch();
        let slots = vec![Slot { epoch: first, retire_at: None }];
        Self { slots, current }
    }

    /// The largest epoch from which a record has been opened.
    pub fn current(&self) -> u64 {
        self.current
    }

    /// The newest epoch installed; it is [`current`](Self::current), or takes over with its first record.
    pub fn newest(&self) -> Option<u64> {
        self.slots.last().map(|slot| slot.epoch.epoch())
    }

    /// Adds the keys of a new epoch. It becomes the current one when its first record has been opened.
    ///
    /// Epochs two and more behind are retired, except for epoch 0, which ends by [`retire`](Self::retire), and epoch
    /// 2, which lives until epoch 5. So is every epoch with the same two low bits, which could not be told apart.
    pub fn install(&mut self, epoch: ReadEpoch) {
        let new = epoch.epoch();
        self.slots.retain(|slot| {
            let old = slot.epoch.epoch();
            let behind = old.saturating_add(2) <= new;
            let kept = old == 0 || (old == HANDSHAKE_EPOCH && new < HANDSHAKE_EPOCH + 3);
            old & 3 != new & 3 && (!behind || kept)
        });
        self.slots.reserve_exact(1);
        let position = self.slots.partition_point(|slot| slot.epoch.epoch() < new);
        self.slots.insert(position, Slot { epoch, retire_at: None });
    }

    /// Drops the keys of an epoch at once, if they are there.
    pub fn retire(&mut self, epoch: u64) {
        self.slots.retain(|slot| slot.epoch.epoch() != epoch);
        self.slots.shrink_to_fit();
    }

    /// Drops the keys whose time is over, and gives the memory back.
    pub fn retire_expired(&mut self, now: Duration) {
        self.slots.retain(|slot| slot.retire_at.is_none_or(|at| now < at));
        self.slots.shrink_to_fit();
    }

    /// When [`retire_expired`](Self::retire_expired) next has something to do.
    pub fn next_retirement(&self) -> Option<Duration> {
        self.slots.iter().filter_map(|slot| slot.retire_at).min()
    }

    /// An epoch's state, if it is alive.
    pub fn get(&self, epoch: u64) -> Option<&ReadEpoch> {
        self.slots.iter().map(|slot| &slot.epoch).find(|alive| alive.epoch() == epoch)
    }

    /// An epoch's state, if it is alive.
    pub fn get_mut(&mut self, epoch: u64) -> Option<&mut ReadEpoch> {
        self.slots.iter_mut().map(|slot| &mut slot.epoch).find(|alive| alive.epoch() == epoch)
    }

    /// Whether it is time to ask the peer for new keys: half of the forgeries that the newest epoch's key may bear have
    /// happened (RFC 9147 section 4.5.3). Older keys do not count, since new ones are on the way already.
    pub fn nears_forgery_limit(&self) -> bool {
        self.slots.last().is_some_and(|slot| slot.epoch.nears_forgery_limit())
    }

    /// Finds the epoch that the record names and opens the record in it. The first record opened in a newer epoch
    /// makes it the current one, and gives the older protected ones [`RETENTION`] from `now` on.
    ///
    /// An older epoch whose key bears no more forgeries opens nothing more, as if it were retired, and that is all:
    /// "Once a key update has been initiated, the previous keys can be dropped when the limit is reached rather than
    /// closing the connection" (RFC 9147 section 4.5.3).
    ///
    /// # Errors
    /// Those of [`ReadEpoch::open`]; [`Discard::UnknownEpoch`] and [`Discard::FutureEpoch`] if no epoch answers.
    #[inline]
    pub fn open<'d>(&mut self, record: Protected<'d>, now: Duration) -> Result<Opened<'d>, OpenError> {
        let named = |slot: &&mut Slot| slot.epoch.is_named_by(record.header());
        // The newest first: it is the one in use.
        let Some(slot) = self.slots.iter_mut().rev().find(named) else {
            return Err(self.no_epoch(record.header()).into());
        };
        // Its timer may be late; its time is over all the same.
        if slot.retire_at.is_some_and(|at| at <= now) {
            return Err(Discard::UnknownEpoch.into());
        }
        let epoch = slot.epoch.epoch();
        let opened = slot.epoch.open_named(record);
        if epoch > self.current && opened.is_ok() {
            self.promote(epoch, now);
        }
        opened
    }

    #[cold]
    fn promote(&mut self, epoch: u64, now: Duration) {
        self.current = epoch;
        let retire_at = now.saturating_add(RETENTION);
        for slot in &mut self.slots {
            if slot.epoch.epoch() < epoch && !slot.epoch.is_plaintext() {
                slot.retire_at.get_or_insert(retire_at);
                slot.epoch.set_dispensable();
            }
        }
    }

    #[cold]
    fn no_epoch(&self, header: &Header) -> Discard {
        match header {
            Header::Classic { epoch, .. }
                if self.newest().is_none_or(|newest| u64::from(*epoch) > newest) =>
            {
                Discard::FutureEpoch
            }
            _ => Discard::UnknownEpoch,
        }
    }
}

impl fmt::Debug for ReadEpochs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadEpochs")
            .field("current", &self.current)
            .field("epochs", &Alive(&self.slots))
            .finish()
    }
}

struct Alive<'a>(&'a [Slot]);

impl fmt::Debug for Alive<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|slot| &slot.epoch)).finish()
    }
}
