//! What a server takes of a client's suites and groups, by whose order it likes: one place for the gate, which chooses
//! before it keeps anything, and for the states, which choose the same again. Allocates nothing; knows no version: the
//! suites that it is given are those of one.

use crate::codec::List;
use crate::crypto::{CipherSuite, KeyExchangeGroup};
use crate::message::registry::{CipherSuiteId, NamedGroup};

/// The suites that both sides have, by preference: ours, or `by_client` the client's.
pub(super) fn common_suites<'a>(
    ours: impl Iterator<Item = &'static CipherSuite> + Clone + 'a,
    offered: List<'a, CipherSuiteId>,
    by_client: bool,
) -> impl Iterator<Item = &'static CipherSuite> + 'a {
    let in_client_order = by_client.then(|| {
        let ours = ours.clone();
        offered.iter().filter_map(move |id| ours.clone().find(|suite| suite.id == id))
    });
    let in_our_order = (!by_client).then(|| ours.filter(move |suite| offered.contains(&suite.id)));
    in_client_order.into_iter().flatten().chain(in_our_order.into_iter().flatten())
}

/// The group that both sides have and prefer, as for [`common_suites`].
pub(super) fn common_group(
    ours: &[&'static dyn KeyExchangeGroup],
    offered: List<'_, NamedGroup>,
    by_client: bool,
) -> Option<&'static dyn KeyExchangeGroup> {
    if by_client {
        offered.iter().find_map(|name| ours.iter().copied().find(|group| group.name() == name))
    } else {
        ours.iter().copied().find(|group| offered.contains(&group.name()))
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::crypto::ring;
    use crate::message::registry::{CipherSuiteId as Id, NamedGroup as Group};

    #[test]
    fn suites_by_either_order() {
        let ours = [Id::TLS_AES_128_GCM_SHA256, Id::TLS_AES_256_GCM_SHA384];
        let theirs = [
            Id(0x0a0a),
            Id::TLS_CHACHA20_POLY1305_SHA256,
            Id::TLS_AES_256_GCM_SHA384,
            Id::TLS_AES_128_GCM_SHA256,
        ];
        let provider = ring::provider();
        let choose = |by_client| -> Vec<_> {
            let ours = ours.iter().filter_map(|id| provider.cipher_suite(*id));
            common_suites(ours, List::from(&theirs), by_client).map(|suite| suite.id).collect()
        };
        assert_eq!(choose(false), [Id::TLS_AES_128_GCM_SHA256, Id::TLS_AES_256_GCM_SHA384]);
        assert_eq!(choose(true), [Id::TLS_AES_256_GCM_SHA384, Id::TLS_AES_128_GCM_SHA256]);
    }

    #[test]
    fn groups_by_either_order() {
        let provider = ring::provider();
        let ours = &[ring::X25519, ring::SECP256R1];
        let choose = |offered: &[Group], by_client| {
            common_group(ours, List::from(offered), by_client).map(|group| group.name())
        };
        let both = [Group(0x2a2a), Group::SECP384R1, Group::SECP256R1, Group::X25519];
        assert_eq!(choose(&both, false), Some(Group::X25519));
        assert_eq!(choose(&both, true), Some(Group::SECP256R1));
        assert_eq!(choose(&[Group::SECP384R1], false), None);
        assert_eq!(choose(&[], true), None);
        assert!(provider.group(Group::SECP384R1).is_some(), "it was left out on purpose");
    }
}
