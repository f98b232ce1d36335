//! UDP ports for servers that cannot be given port 0.
//!
//! It knows ports only.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ephemeral range of Linux (32768 and up), so that no client of a parallel cell is given a port between
/// our look and the server's bind.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A UDP port that nothing on this machine uses now and that this process has not handed out lately.
///
/// # Errors
/// If no port in the range can be bound.
pub(super) fn free() -> Result<u16, String> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test programs that run at once start at different places.
    let start = (std::process::id() % u32::from(COUNT)) as u16;
    (0..COUNT)
        .map(|_| FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT)
        .find(|&port| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok())
        .ok_or_else(|| "no free UDP port".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_free_and_not_handed_out_twice() {
        let port = free().expect("a port");
        UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).expect("it is free");
        assert_ne!(free(), Ok(port));
    }
}
