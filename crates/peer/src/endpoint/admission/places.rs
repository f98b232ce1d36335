//! Places for half-open associations: how many each network has, and who gives way when there are too many. Every
//! operation is logarithmic in the number of places. It knows no addresses, only their networks.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use drystone_handshake::Instant;

use super::network::Network;
use crate::endpoint::PeerId;

/// How long a handshake has its place to itself: enough for its round trips and two retransmissions on a bad path, and
/// little for somebody who only wants to fill the places.
pub(crate) const FAIR_TIME: Duration = Duration::from_secs(2);

/// How many places there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PlaceLimits {
    pub(crate) total: usize,
    pub(crate) per_network: usize,
}

impl PlaceLimits {
    fn total(&self) -> usize {
        self.total.max(1)
    }

    fn per_network(&self) -> usize {
        self.per_network.clamp(1, self.total())
    }

    /// The places that no network gives up for another one. Eight, but where there are few places less, so that it takes
    /// 64 networks to hold all of them.
    fn share(&self) -> usize {
        const SHARE: usize = 8;
        const NETWORKS: usize = 64;
        (self.total() / NETWORKS).clamp(1, SHARE)
    }
}

/// Whether there is a place for a newcomer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    Free,
    /// If this one is given up.
    Instead(PeerId),
    None,
}

/// The half-open associations of all networks.
#[derive(Debug)]
pub(crate) struct Places {
    limits: PlaceLimits,
    networks: HashMap<Network, Tenants>,
    total: usize,
    /// Networks above their share whose oldest tenant has not had its fair time, by when that began.
    unripe: BTreeSet<(Instant, Network)>,
    /// Networks above their share whose oldest tenant has had its fair time, by their number of places; among equals the
    /// oldest tenant is last.
    ripe: BTreeSet<(usize, Reverse<PeerId>, Network)>,
}

/// The half-open associations of one network, oldest first, with the moments at which they began.
#[derive(Debug, Default)]
struct Tenants {
    ids: BTreeMap<PeerId, Instant>,
    rank: Option<Rank>,
}

/// Where a network stands among those above their share.
#[derive(Clone, Copy, Debug)]
enum Rank {
    Unripe(Instant),
    Ripe(usize, PeerId),
}

impl Tenants {
    fn oldest(&self) -> Option<(PeerId, Instant)> {
        self.ids.first_key_value().map(|(id, begun)| (*id, *begun))
    }

    /// The oldest, if it has had its fair time.
    fn oldest_ripe(&self, now: Instant) -> Option<PeerId> {
        self.oldest().filter(|(_, begun)| has_had_its_time(*begun, now)).map(|(id, _)| id)
    }
}

/// Whether a handshake that began then may be given up for another one.
pub(crate) fn has_had_its_time(begun: Instant, now: Instant) -> bool {
    now - begun >= FAIR_TIME
}

impl Places {
    pub(crate) fn new(limits: PlaceLimits) -> Self {
        let (unripe, ripe) = (BTreeSet::new(), BTreeSet::new());
        Self { limits, networks: HashMap::new(), total: 0, unripe, ripe }
    }

    pub(crate) fn set_limits(&mut self, limits: PlaceLimits) {
        if self.limits != limits {
            self.limits = limits;
            let networks: Vec<_> = self.networks.keys().copied().collect();
            networks.into_iter().for_each(|network| self.rank(network));
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.total
    }

    /// Whether a newcomer of this network finds a place. A network that has all that it may have gives up its own
    /// oldest; when all places are taken, the network with most of them does, but none within its share.
    pub(crate) fn find(&mut self, network: Network, now: Instant) -> Place {
        let own = self.networks.get(&network);
        let own_oldest = own.and_then(|tenants| tenants.oldest_ripe(now));
        let given_up = |id: Option<PeerId>| id.map_or(Place::None, Place::Instead);
        if own.is_some_and(|tenants| tenants.ids.len() >= self.limits.per_network()) {
            return given_up(own_oldest);
        }
        if self.total < self.limits.total() {
            return Place::Free;
        }
        self.ripen(now);
        let most = self.ripe.last().map(|(_, Reverse(oldest), _)| *oldest);
        given_up(most.or(own_oldest))
    }

    /// Whether this one has a place, and is of this network.
    pub(crate) fn has(&self, id: PeerId, network: Network) -> bool {
        self.networks.get(&network).is_some_and(|tenants| tenants.ids.contains_key(&id))
    }

    /// A half-open association takes a place.
    pub(crate) fn enter(&mut self, id: PeerId, network: Network, begun: Instant) {
        if self.networks.entry(network).or_default().ids.insert(id, begun).is_none() {
            self.total += 1;
        }
        self.rank(network);
    }

    /// A place falls free; false if this one had none.
    pub(crate) fn leave(&mut self, id: PeerId, network: Network) -> bool {
        let Some(tenants) = self.networks.get_mut(&network) else { return false };
        if tenants.ids.remove(&id).is_none() {
            return false;
        }
        self.total -= 1;
        self.rank(network);
        if self.networks.get(&network).is_some_and(|tenants| tenants.ids.is_empty()) {
            self.networks.remove(&network);
        }
        true
    }

    /// Puts a network where it belongs among those above their share.
    fn rank(&mut self, network: Network) {
        let Some(tenants) = self.networks.get_mut(&network) else { return };
        let above = tenants.ids.len() > self.limits.share();
        let rank = tenants.oldest().filter(|_| above).map(|(_, begun)| Rank::Unripe(begun));
        match std::mem::replace(&mut tenants.rank, rank) {
            Some(Rank::Unripe(begun)) => drop(self.unripe.remove(&(begun, network))),
            Some(Rank::Ripe(count, oldest)) => drop(self.ripe.remove(&(count, Reverse(oldest), network))),
            None => {}
        }
        if let Some(Rank::Unripe(begun)) = rank {
            self.unripe.insert((begun, network));
        }
    }

    /// Moves the networks whose oldest tenant has had its fair time by now.
    fn ripen(&mut self, now: Instant) {
        while let Some((begun, network)) = self.unripe.first().copied()
            && has_had_its_time(begun, now)
        {
            self.unripe.pop_first();
            let Some(tenants) = self.networks.get_mut(&network) else { continue };
            let Some((oldest, _)) = tenants.oldest() else { continue };
            let count = tenants.ids.len();
            tenants.rank = Some(Rank::Ripe(count, oldest));
            self.ripe.insert((count, Reverse(oldest), network));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;

    const fn at(milliseconds: u64) -> Instant {
        Instant::from_origin(Duration::from_millis(milliseconds))
    }

    fn network(number: u8) -> Network {
        Network::of(IpAddr::from([10, 0, number, 1]))
    }

    fn places(total: usize, per_network: usize) -> Places {
        Places::new(PlaceLimits { total, per_network })
    }

    /// So many of one network enter, numbered from `first` on.
    fn fill(places: &mut Places, first: u64, count: u64, of: u8, begun: Instant) {
        for id in first..first + count {
            places.enter(PeerId::numbered(id), network(of), begun);
        }
    }

    #[test]
    fn a_network_at_its_limit_gives_up_its_own_oldest_that_had_its_time() {
        let mut places = places(4096, 64);
        fill(&mut places, 1, 64, 1, at(0));
        assert_eq!(places.find(network(1), at(1999)), Place::None);
        assert_eq!(places.find(network(1), at(2000)), Place::Instead(PeerId::numbered(1)));
        assert_eq!(places.find(network(2), at(0)), Place::Free);
    }

    #[test]
    fn the_network_with_most_places_gives_way_and_its_oldest_goes() {
        let mut places = places(640, 600);
        fill(&mut places, 1, 12, 1, at(0));
        fill(&mut places, 100, 600, 2, at(100));
        fill(&mut places, 1000, 28, 3, at(50));
        assert_eq!(places.len(), 640);
        // Nobody has had its time, then only the smaller networks have.
        assert_eq!(places.find(network(4), at(1999)), Place::None);
        assert_eq!(places.find(network(4), at(2000)), Place::Instead(PeerId::numbered(1)));
        assert_eq!(places.find(network(4), at(2050)), Place::Instead(PeerId::numbered(1000)));
        assert_eq!(places.find(network(4), at(2100)), Place::Instead(PeerId::numbered(100)));
        assert!(places.leave(PeerId::numbered(100), network(2)));
        assert!(!places.leave(PeerId::numbered(100), network(2)));
        assert_eq!(places.find(network(4), at(2100)), Place::Free);
    }

    #[test]
    fn a_network_within_its_share_is_never_given_up_for_another() {
        let mut places = places(512, 64);
        for of in 0..64 {
            fill(&mut places, 1 + 8 * u64::from(of), 8, of, at(0));
        }
        assert_eq!(places.len(), 512);
        assert_eq!(places.find(network(100), at(1_000_000)), Place::None);
        // Its own newcomers may take its places.
        assert_eq!(places.find(network(3), at(2000)), Place::Instead(PeerId::numbered(25)));
    }

    #[test]
    fn few_places_have_a_smaller_share() {
        let mut places = places(3, 3);
        fill(&mut places, 1, 2, 1, at(0));
        fill(&mut places, 3, 1, 2, at(0));
        assert_eq!(places.find(network(3), at(2000)), Place::Instead(PeerId::numbered(1)));
        places.set_limits(PlaceLimits { total: 0, per_network: 0 });
        assert_eq!(places.find(network(3), at(2000)), Place::Instead(PeerId::numbered(1)));
    }

    /// The rule, said by searching.
    #[derive(Default)]
    struct Model(Vec<(PeerId, Network, Instant)>);

    impl Model {
        fn find(&self, limits: PlaceLimits, network: Network, now: Instant) -> Place {
            let mut counts: HashMap<Network, usize> = HashMap::new();
            self.0.iter().for_each(|(_, network, _)| *counts.entry(*network).or_default() += 1);
            let oldest =
                |of: Network| self.0.iter().filter(move |(_, network, _)| *network == of).min().copied();
            let ripe =
                |of| oldest(of).filter(|(_, _, begun)| has_had_its_time(*begun, now)).map(|(id, ..)| id);
            let own = counts.get(&network).copied().unwrap_or(0);
            if own >= limits.per_network() {
                return ripe(network).map_or(Place::None, Place::Instead);
            }
            if self.0.len() < limits.total() {
                return Place::Free;
            }
            let above = counts.iter().filter(|(_, count)| **count > limits.share());
            let most = above.filter_map(|(of, count)| Some((*count, Reverse(ripe(*of)?)))).max();
            most.map(|(_, Reverse(id))| id).or_else(|| ripe(network)).map_or(Place::None, Place::Instead)
        }
    }

    proptest! {
        #[test]
        fn it_decides_as_a_search_would(
            steps in proptest::collection::vec((0_u8..4, 0_u64..700, any::<bool>()), 1..200),
        ) {
            let limits = PlaceLimits { total: 20, per_network: 12 };
            let (mut places, mut model, mut now) = (Places::new(limits), Model::default(), 0);
            for (number, (of, step, leaves)) in (1..).zip(steps) {
                now += step;
                let found = places.find(network(of), at(now));
                prop_assert_eq!(found, model.find(limits, network(of), at(now)));
                if let Place::Instead(given_up) = found {
                    let index = model.0.iter().position(|(id, ..)| *id == given_up).unwrap();
                    let (id, network, _) = model.0.remove(index);
                    prop_assert!(places.leave(id, network));
                }
                if found != Place::None {
                    let id = PeerId::numbered(number);
                    places.enter(id, network(of), at(now));
                    model.0.push((id, network(of), at(now)));
                }
                if leaves && !model.0.is_empty() {
                    let (id, network, _) = model.0.remove(model.0.len() / 2);
                    prop_assert!(places.leave(id, network));
                }
                prop_assert_eq!(places.len(), model.0.len());
            }
        }
    }
}
