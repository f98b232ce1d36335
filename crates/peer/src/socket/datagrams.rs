//! Where the datagrams of one look at a socket lie, and between which addresses they travelled. It reads nothing of them.

use std::net::IpAddr;
use std::ops::Range;

use quinn_udp::RecvMeta;

use crate::endpoint::FourTuple;

/// The datagrams of one sender that one look at a socket brought: one after the other at the start of the buffer, all of
/// the same length but the last. An iterator over the places where they lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Datagrams {
    pub(crate) ends: FourTuple,
    /// How many are left, and where they lie.
    count: usize,
    left: Range<usize>,
    /// The length of each but the last, in bytes.
    stride: usize,
}

impl Datagrams {
    pub(super) fn new(meta: &RecvMeta) -> Self {
        let (local_ip, stride) = (meta.dst_ip.filter(is_of_one_host), meta.stride.max(1));
        Self {
            ends: FourTuple::new(meta.addr, local_ip),
            // A datagram may be empty.
            count: meta.len.div_ceil(stride).max(1),
            left: 0..meta.len,
            stride,
        }
    }

    /// Whether all were looked at.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl Iterator for Datagrams {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        self.count = self.count.checked_sub(1)?;
        let start = self.left.start;
        let end = start.saturating_add(self.stride).min(self.left.end);
        self.left.start = end;
        Some(start..end)
    }
}

/// Whether answers can come from this address.
fn is_of_one_host(ip: &IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => !v4.is_multicast() && !v4.is_broadcast() && !v4.is_unspecified(),
        IpAddr::V6(v6) => !v6.is_multicast() && !v6.is_unspecified(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(len: usize, stride: usize, dst: &str) -> Datagrams {
        let mut meta = RecvMeta::default();
        (meta.len, meta.stride, meta.dst_ip) = (len, stride, Some(dst.parse().unwrap()));
        Datagrams::new(&meta)
    }

    #[test]
    fn joined_datagrams_are_told_apart() {
        let places = |len, stride| {
            received(len, stride, "127.0.0.1").map(|place| (place.start, place.end)).collect::<Vec<_>>()
        };
        assert_eq!(places(5, 5), [(0, 5)]);
        assert_eq!(places(25, 10), [(0, 10), (10, 20), (20, 25)]);
        assert_eq!(places(20, 10), [(0, 10), (10, 20)]);
        assert_eq!(places(0, 0), [(0, 0)]);
        assert_eq!(places(2, 0), [(0, 1), (1, 2)]);
    }

    #[test]
    fn addresses_of_many_hosts_are_not_ours() {
        for ours in ["127.0.0.2", "fe80::1", "::ffff:10.0.0.1"] {
            assert_eq!(received(1, 1, ours).ends.local_ip, Some(ours.parse().unwrap()));
        }
        for shared in ["255.255.255.255", "224.0.0.251", "ff02::fb", "::ffff:224.0.0.1", "0.0.0.0"] {
            assert_eq!(received(1, 1, shared).ends.local_ip, None);
        }
    }
}
