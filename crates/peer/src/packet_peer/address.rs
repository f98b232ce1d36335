//! Addresses as Godot writes them: a host, and `*` for all of one's own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use super::error::Error;
use crate::socket::Socket;

/// The first address of a host: an IP address, or a name that the operating system resolves (which may take
/// seconds), or a link-local address with its zone, as in `fe80::1%eth0`.
pub(super) fn resolve(host: &str, port: u16) -> Result<SocketAddr, Error> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok((ip, port).into());
    }
    let cannot = |reason: String| Error::CantResolve { host: host.to_owned(), reason };
    let mut addresses = (host, port).to_socket_addrs().map_err(|error| cannot(error.to_string()))?;
    addresses.next().ok_or_else(|| cannot("it has no address".to_owned()))
}

/// A socket on one of our own addresses; `*` means all of them.
pub(super) fn listen(port: u16, bind_address: &str) -> Result<Socket, Error> {
    if bind_address == "*" {
        return listen_everywhere(port);
    }
    bind(resolve(bind_address, port)?)
}

/// Whether a socket on `::` takes IPv4 as well unless told otherwise, which the standard library cannot.
const JOINS_FAMILIES: bool =
    cfg!(any(target_os = "linux", target_os = "android", target_os = "macos", target_os = "ios"));

/// Both families where one socket can serve them, else IPv4, as on machines without IPv6.
fn listen_everywhere(port: u16) -> Result<Socket, Error> {
    if JOINS_FAMILIES && let Ok(socket) = bind((Ipv6Addr::UNSPECIFIED, port).into()) {
        return Ok(socket);
    }
    bind((Ipv4Addr::UNSPECIFIED, port).into())
}

fn bind(address: SocketAddr) -> Result<Socket, Error> {
    Socket::bind(address).map_err(|source| Error::CantListen { address, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::Arrival;

    #[test]
    fn hosts_are_addresses_or_names() {
        assert_eq!(resolve("127.0.0.1", 5).unwrap(), ([127, 0, 0, 1], 5).into());
        assert_eq!(resolve("::1", 5).unwrap(), "[::1]:5".parse().unwrap());
        assert!(resolve("localhost", 5).unwrap().ip().is_loopback());
        #[cfg(target_os = "linux")]
        assert_eq!(resolve("fe80::1%lo", 5).unwrap(), "[fe80::1%1]:5".parse().unwrap());
        let refused = resolve("no such host", 5).unwrap_err();
        assert_eq!(refused.godot_code(), 26);
    }

    #[test]
    fn a_taken_port_is_an_error() {
        let first = listen(0, "127.0.0.1").unwrap();
        let port = first.local_addr().unwrap().port();
        let refused = listen(port, "127.0.0.1").err().unwrap();
        assert_eq!(refused.godot_code(), 20);
    }

    #[test]
    fn everywhere_means_every_family_that_there_is() {
        let everywhere = listen(0, "*").unwrap();
        let port = everywhere.local_addr().unwrap().port();
        for host in ["127.0.0.1", "::1"] {
            let Ok(socket) = listen(0, host) else { continue };
            if host == "127.0.0.1" || JOINS_FAMILIES {
                socket.send_to(b"hello", resolve(host, port).unwrap()).unwrap();
                let mut buffer = [0; 16];
                let arrived = (0..1000).any(|_| {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                    matches!(everywhere.try_receive(&mut buffer), Ok(Arrival::Datagrams(_)))
                        && &buffer[..5] == b"hello"
                });
                assert!(arrived, "{host}");
            }
        }
    }
}
