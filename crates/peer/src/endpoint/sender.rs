//! What tells senders of datagrams apart, and what a datagram of somebody unknown may be. It knows no associations.

use std::net::{IpAddr, SocketAddr};

use drystone_handshake::Stranger;

use super::admission::Network;

/// An address in the form in which two are the same peer if and only if they are equal: an IPv4 peer is the same
/// whether the socket is an IPv4 or an IPv6 one, the flow label does not matter, the scope of a link-local address does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Sender {
    ip: IpAddr,
    port: u16,
    scope: u32,
}

impl Sender {
    pub(crate) fn of(address: SocketAddr) -> Self {
        let scope = match address {
            SocketAddr::V6(v6) => v6.scope_id(),
            SocketAddr::V4(_) => 0,
        };
        Self { ip: address.ip().to_canonical(), port: address.port(), scope }
    }
}

/// What the gate is told of a sender.
pub(crate) struct SenderBytes {
    id: [u8; 18],
    network: Network,
}

impl SenderBytes {
    /// Cookies are bound to the address (IPv4 in its mapped form) and the port.
    pub(crate) fn of(address: SocketAddr) -> Self {
        let ip = match address.ip().to_canonical() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        let mut id = [0; 18];
        let (first, last) = id.split_at_mut(16);
        first.copy_from_slice(&ip.octets());
        last.copy_from_slice(&address.port().to_be_bytes());
        Self { id, network: Network::of(address.ip()) }
    }

    pub(crate) fn as_stranger(&self) -> Stranger<'_> {
        Stranger { id: &self.id, network: self.network.as_bytes() }
    }
}

/// Whether a datagram begins with a plaintext record (epoch 0, RFC 6347 section 4.1) that holds a ClientHello: keeps
/// everything else away from the gate and from new associations, at the cost of a look at four places.
pub(crate) fn may_be_client_hello(datagram: &[u8]) -> bool {
    const HANDSHAKE: u8 = 22;
    const CLIENT_HELLO: u8 = 1;
    datagram.first() == Some(&HANDSHAKE)
        && datagram.get(3..5) == Some(&[0, 0])
        && datagram.get(13) == Some(&CLIENT_HELLO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// Threat 67 of docs/threats.md.
    #[test]
    fn threat_67_addresses_are_compared_properly() {
        let same = [("10.0.0.1:5", "[::ffff:10.0.0.1]:5"), ("[fe80::1]:5", "[fe80::1%0]:5")];
        for (one, other) in same {
            assert_eq!(Sender::of(address(one)), Sender::of(address(other)));
        }
        let different = [
            ("10.0.0.1:5", "10.0.0.1:6"),
            ("10.0.0.1:5", "[::10.0.0.1]:5"),
            ("[fe80::1%1]:5", "[fe80::1%2]:5"),
        ];
        for (one, other) in different {
            assert_ne!(Sender::of(address(one)), Sender::of(address(other)));
        }
        let labelled = std::net::SocketAddrV6::new([0xfe80, 0, 0, 0, 0, 0, 0, 1].into(), 5, 99, 0);
        assert_eq!(Sender::of(labelled.into()), Sender::of(address("[fe80::1]:5")));
    }

    #[test]
    fn cookies_are_bound_to_address_and_port() {
        let bytes = |text| SenderBytes::of(address(text)).id;
        let expected = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1, 1, 2];
        assert_eq!(bytes("10.0.0.1:258"), expected);
        assert_eq!(bytes("[::ffff:10.0.0.1]:258"), expected);
    }

    #[test]
    fn only_plaintext_client_hellos_reach_the_gate() {
        let hello = [22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0, 12, 1, 0, 0];
        assert!(may_be_client_hello(&hello));
        for (place, other) in [(0, 23), (3, 1), (4, 1), (13, 2)] {
            let mut changed = hello;
            changed[place] = other;
            assert!(!may_be_client_hello(&changed));
        }
        for length in 0..14 {
            assert!(!may_be_client_hello(&hello[..length]));
        }
    }
}
