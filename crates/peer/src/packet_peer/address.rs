//! Addresses as Godot writes them: a host, and `*` for all of one's own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};

use super::error::Error;
use crate::socket::Socket;

/// The first address of a host: an IP address, or a name that the operating system resolves (which may take
/// seconds).
pub(super) fn resolve(host: &str, port: u16) -> Result<SocketAddr, Error> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok((ip, port).into());
    }
    let cannot = |reason: String| Error::CantResolve { host: host.to_owned(), reason };
    let mut addresses = (host, port).to_socket_addrs().map_err(|error| cannot(error.to_string()))?;
    addresses.next().ok_or_else(|| cannot("it has no address".to_owned()))
}

/// A socket on one of our own addresses; `*` means all IPv4 ones, `::` also all IPv6 ones where the operating system
/// joins the two.
pub(super) fn listen(port: u16, bind_address: &str) -> Result<Socket, Error> {
    let address = match bind_address {
        "*" => (Ipv4Addr::UNSPECIFIED, port).into(),
        host => resolve(host, port)?,
    };
    Socket::bind_nonblocking(address).map_err(|source| Error::CantListen { address, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_addresses_or_names() {
        assert_eq!(resolve("127.0.0.1", 5).unwrap(), ([127, 0, 0, 1], 5).into());
        assert_eq!(resolve("::1", 5).unwrap(), "[::1]:5".parse().unwrap());
        assert!(resolve("localhost", 5).unwrap().ip().is_loopback());
        let refused = resolve("no such host", 5).unwrap_err();
        assert_eq!(refused.godot_code(), 26);
    }

    #[test]
    fn a_taken_port_is_an_error() {
        let first = listen(0, "127.0.0.1").unwrap();
        let port = first.local_addr().unwrap().port();
        let refused = listen(port, "127.0.0.1").err().unwrap();
        assert_eq!(refused.godot_code(), 20);
        assert!(listen(0, "*").is_ok());
    }
}
