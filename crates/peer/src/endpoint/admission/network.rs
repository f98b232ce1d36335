//! Networks: what many addresses have in common if one attacker is behind them. Knows no associations.

use std::net::IpAddr;

/// The first 24 bits of an IPv4 address, or the first 56 of an IPv6 address, which is what a provider gives to a site.
/// An IPv4 address is of the same network in either form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Network([u8; 8]);

impl Network {
    pub(crate) fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                Self([4, a, b, c, 0, 0, 0, 0])
            }
            IpAddr::V6(v6) => {
                let [a, b, c, d, e, f, g, ..] = v6.octets();
                Self([6, a, b, c, d, e, f, g])
            }
        }
    }

    /// The network's name, for [`Stranger::network`](drystone_handshake::Stranger::network).
    pub(crate) const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::of(text.parse().unwrap())
    }

    #[test]
    fn neighbours_share_a_network() {
        let same = [
            ("10.0.0.1", "10.0.0.255"),
            ("10.0.0.1", "::ffff:10.0.0.7"),
            ("2001:db8:1:200::1", "2001:db8:1:2ff:ffff::"),
        ];
        for (one, other) in same {
            assert_eq!(network(one), network(other));
        }
        let different =
            [("10.0.0.1", "10.0.1.1"), ("2001:db8:1:200::1", "2001:db8:1:300::1"), ("0.0.0.1", "::1")];
        for (one, other) in different {
            assert_ne!(network(one), network(other));
        }
    }
}
