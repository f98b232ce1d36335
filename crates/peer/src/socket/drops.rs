//! How many datagrams the operating system dropped for want of room in a socket's buffer. Linux tells it in a table of all
//! sockets; the call that tells it with each datagram cannot be reached without `unsafe`.

use std::net::UdpSocket;

/// Datagrams that arrived and found the socket's receive buffer full, since the socket was made. Zero where the system does
/// not tell it.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn dropped(socket: &UdpSocket) -> u64 {
    use std::fs;
    use std::os::fd::AsRawFd;

    let Ok(name) = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())) else { return 0 };
    let Some(inode) = name.to_str().and_then(inode_of) else { return 0 };
    let tables = ["/proc/thread-self/net/udp", "/proc/thread-self/net/udp6"];
    let found = tables.iter().find_map(|table| drops_in(&fs::read_to_string(table).ok()?, inode));
    found.unwrap_or(0)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn dropped(_: &UdpSocket) -> u64 {
    0
}

/// The number in `socket:[number]`.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn inode_of(name: &str) -> Option<&str> {
    name.strip_prefix("socket:[")?.strip_suffix(']')
}

/// What the table says of the socket with this inode (proc_net_udp of Linux: the tenth column is the inode, the thirteenth
/// the drops).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn drops_in(table: &str, inode: &str) -> Option<u64> {
    table.lines().find_map(|line| {
        let mut columns = line.split_whitespace();
        let is_ours = columns.nth(9) == Some(inode);
        columns.nth(2).filter(|_| is_ours)?.parse().ok()
    })
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_by_inode() {
        let table = "\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  108: 0100007F:1151 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 7
  109: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2 0000000000000000 0
";
        assert_eq!(drops_in(table, "4711"), Some(7));
        assert_eq!((drops_in(table, "4712"), drops_in(table, "471")), (Some(0), None));
        assert_eq!((inode_of("socket:[4711]"), inode_of("/dev/null")), (Some("4711"), None));
    }

    #[test]
    fn what_a_full_buffer_loses_is_counted() {
        let here = UdpSocket::bind("127.0.0.1:0").unwrap();
        let there = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sent = 4096;
        for _ in 0..sent {
            there.send_to(&[0; 1024], here.local_addr().unwrap()).unwrap();
        }
        here.set_nonblocking(true).unwrap();
        let received = std::iter::from_fn(|| here.recv(&mut [0; 2048]).ok()).count() as u64;
        assert!(received < sent);
        assert_eq!((dropped(&here), dropped(&there)), (sent - received, 0));
    }
}
