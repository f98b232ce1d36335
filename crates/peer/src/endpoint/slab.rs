//! Values at fixed places, found without hashing. A place that is free again is given to another value, under another id.

use super::peer_id::PeerId;

/// The places of one page. Pages never move: growing costs no copy of what is there.
const PAGE: usize = 32;

/// Values by [`PeerId`].
#[derive(Debug)]
pub(super) struct Slab<T> {
    pages: Vec<Box<[Slot<T>]>>,
    /// Free places, the next one to be used last.
    free: Vec<u32>,
    len: usize,
    /// How many values there ever were.
    last: u64,
}

#[derive(Debug)]
struct Slot<T> {
    /// The number of the id that names this place at present; it stays when the value is gone.
    number: u64,
    value: Option<T>,
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self { pages: Vec::new(), free: Vec::new(), len: 0, last: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn get(&self, id: PeerId) -> Option<&T> {
        let (page, place) = position(id);
        let slot = self.pages.get(page)?.get(place)?;
        if slot.number == id.number() { slot.value.as_ref() } else { None }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: PeerId) -> Option<&mut T> {
        let (page, place) = position(id);
        let slot = self.pages.get_mut(page)?.get_mut(place)?;
        if slot.number == id.number() { slot.value.as_mut() } else { None }
    }

    pub(super) fn contains(&self, id: PeerId) -> bool {
        self.get(id).is_some()
    }

    /// The ids of all values, in the order of their places.
    pub(super) fn ids(&self) -> impl Iterator<Item = PeerId> {
        let slots = self.pages.iter().flat_map(|page| page.iter());
        slots.zip(0..).filter(|(slot, _)| slot.value.is_some()).map(|(slot, at)| PeerId::new(slot.number, at))
    }

    pub(super) fn insert(&mut self, value: T) -> PeerId {
        let at = self.free.pop().unwrap_or_else(|| self.grow());
        self.last = self.last.saturating_add(1);
        let id = PeerId::new(self.last, at);
        let (page, place) = position(id);
        if let Some(slot) = self.pages.get_mut(page).and_then(|page| page.get_mut(place)) {
            *slot = Slot { number: self.last, value: Some(value) };
            self.len += 1;
        }
        id
    }

    pub(super) fn remove(&mut self, id: PeerId) -> Option<T> {
        let (page, place) = position(id);
        let slot = self.pages.get_mut(page)?.get_mut(place)?;
        let value = slot.value.take_if(|_| slot.number == id.number())?;
        self.free.push(id.slot());
        self.len -= 1;
        if self.len == 0 {
            // What a crowd needed is free when the last of it is gone; no number comes twice.
            (self.pages, self.free) = (Vec::new(), Vec::new());
        }
        Some(value)
    }

    /// Makes a page, and gives its first place; the others are free.
    fn grow(&mut self) -> u32 {
        let first = self.pages.len().saturating_mul(PAGE);
        let first = u32::try_from(first).unwrap_or(u32::MAX);
        let slots = (0..PAGE).map(|_| Slot { number: 0, value: None });
        self.pages.push(slots.collect());
        self.free.extend((1..PAGE as u32).rev().map(|further| first.saturating_add(further)));
        first
    }
}

/// The page of an id, and the place there.
#[inline]
const fn position(id: PeerId) -> (usize, usize) {
    let slot = id.slot() as usize;
    (slot / PAGE, slot % PAGE)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_names_one_value_for_ever() {
        let mut slab = Slab::new();
        let first = slab.insert("a");
        let second = slab.insert("b");
        assert_eq!((slab.get(first), slab.get(second), slab.len()), (Some(&"a"), Some(&"b"), 2));
        assert_eq!(slab.remove(first), Some("a"));
        assert_eq!((slab.remove(first), slab.get(first)), (None, None));
        let third = slab.insert("c");
        assert_eq!((third.slot(), third.number()), (first.slot(), 3));
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.get_mut(third), Some(&mut "c"));
        assert!(first < second && second < third);
    }

    #[test]
    fn the_last_one_leaves_no_memory() {
        let mut slab = Slab::new();
        let ids: Vec<_> = (0..1_000).map(|value| slab.insert(value)).collect();
        assert_eq!(slab.ids().collect::<Vec<_>>(), ids);
        assert!(ids.iter().all(|id| slab.remove(*id).is_some()));
        assert_eq!((slab.pages.capacity(), slab.free.capacity(), slab.len()), (0, 0, 0));
        let again = slab.insert(7);
        assert!(ids.iter().all(|id| slab.get(*id).is_none()));
        assert_eq!((again.number(), slab.get(again)), (1_001, Some(&7)));
    }

    proptest! {
        #[test]
        fn agrees_with_a_map(script in prop::collection::vec(any::<u16>(), 0..400)) {
            let (mut slab, mut model, mut gone) = (Slab::new(), BTreeMap::new(), Vec::new());
            for value in script {
                if value % 3 == 0 && !model.is_empty() {
                    let id = *model.keys().nth(usize::from(value) % model.len()).unwrap();
                    prop_assert_eq!(slab.remove(id), model.remove(&id));
                    gone.push(id);
                } else {
                    model.insert(slab.insert(value), value);
                }
                prop_assert_eq!(slab.len(), model.len());
                prop_assert!(model.iter().all(|(id, value)| slab.get(*id) == Some(value)));
                prop_assert!(gone.iter().all(|id| !slab.contains(*id)));
                let mut ids: Vec<_> = slab.ids().collect();
                ids.sort();
                prop_assert!(ids.iter().eq(model.keys()));
            }
        }
    }
}
