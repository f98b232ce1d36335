//! The two ends of a path.

use std::net::{IpAddr, SocketAddr};

/// The two ends of a path, as far as they are known. The local port is the socket's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct FourTuple {
    /// The other end, in the form in which the socket gave it.
    pub remote: SocketAddr,
    /// The address of ours that was called, from which the answer leaves. `None` where the system does not tell it: it then
    /// chooses the address.
    pub local_ip: Option<IpAddr>,
}

impl FourTuple {
    /// Of a remote address and, where it is known, the local one.
    pub const fn new(remote: SocketAddr, local_ip: Option<IpAddr>) -> Self {
        Self { remote, local_ip }
    }
}

impl From<SocketAddr> for FourTuple {
    fn from(remote: SocketAddr) -> Self {
        Self::new(remote, None)
    }
}
