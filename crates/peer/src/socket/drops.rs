//! How many datagrams the operating system dropped for want of room in a socket's buffer. Linux tells it in a table of all
//! sockets; the call that tells it with each datagram cannot be reached without `unsafe`.

use std::net::UdpSocket;

/// Names a socket in the system's table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry(Option<u64>);

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Entry {
    pub(super) fn of(socket: &UdpSocket) -> Self {
        use std::os::fd::AsRawFd;
        let name = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd()));
        Self(name.ok().and_then(|name| inode_of(name.to_str()?)))
    }

    /// Datagrams that arrived and found the socket's receive buffer full, since the socket was made. Allocates nothing, but
    /// reads a table of all sockets.
    pub(super) fn dropped(self) -> u64 {
        let tables = ["/proc/thread-self/net/udp", "/proc/thread-self/net/udp6"];
        self.0.and_then(|inode| tables.iter().find_map(|table| search(table, inode))).unwrap_or(0)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl Entry {
    pub(super) fn of(_: &UdpSocket) -> Self {
        Self(None)
    }

    /// Zero: the system does not tell it.
    pub(super) fn dropped(self) -> u64 {
        self.0.unwrap_or(0)
    }
}

/// Reads a table of sockets, a few lines at a time.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn search(table: &str, inode: u64) -> Option<u64> {
    use std::io::Read;
    let mut file = std::fs::File::open(table).ok()?;
    let (mut buffer, mut filled) = ([0; 4096], 0_usize);
    loop {
        let read = file.read(buffer.get_mut(filled..)?).ok()?;
        filled = filled.saturating_add(read);
        let lines = buffer.get(..filled)?;
        let end = lines.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place.saturating_add(1));
        let found = str::from_utf8(lines.get(..end)?).ok().and_then(|lines| drops_in(lines, inode));
        if found.is_some() || read == 0 {
            return found;
        }
        buffer.copy_within(end..filled, 0);
        filled = filled.saturating_sub(end);
    }
}

/// The number in `socket:[number]`.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn inode_of(name: &str) -> Option<u64> {
    name.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// What the table says of the socket with this inode (proc_net_udp of Linux: the tenth column is the inode, the thirteenth
/// the drops).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn drops_in(lines: &str, inode: u64) -> Option<u64> {
    lines.lines().find_map(|line| {
        let mut columns = line.split_whitespace();
        let is_ours = columns.nth(9).and_then(|column| column.parse().ok()) == Some(inode);
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
        assert_eq!(drops_in(table, 4711), Some(7));
        assert_eq!((drops_in(table, 4712), drops_in(table, 471)), (Some(0), None));
        assert_eq!((inode_of("socket:[4711]"), inode_of("/dev/null")), (Some(4711), None));
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
        assert_eq!((Entry::of(&here).dropped(), Entry::of(&there).dropped()), (sent - received, 0));
    }
}
