//! A UDP socket whose waiting is bounded. It knows what an operating system's errors mean for datagrams, and nothing
//! of what the datagrams hold.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// The size of a receive buffer: no UDP datagram is larger.
pub(crate) const MAX_DATAGRAM: usize = 65_536;

/// The longest single wait; whoever wants to wait longer waits again.
const MAX_WAIT: Duration = Duration::from_secs(3600);

/// A UDP socket, bound, and for a client also connected.
#[derive(Debug)]
pub(crate) struct Socket {
    udp: UdpSocket,
    waiting: Waiting,
}

/// How the operating system was last told to wait, so that it is told again only when that changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    Untold,
    Never,
    AtMost(Duration),
}

/// What a bounded wait brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// A datagram of this many bytes is in the buffer.
    Datagram { length: usize, from: SocketAddr },
    /// An ICMP message says that nobody listens where we sent something. Anybody on the way can forge that.
    Refused,
    /// Nothing, or the wait was interrupted.
    Nothing,
}

impl Socket {
    /// A socket that takes datagrams of everybody.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { udp: UdpSocket::bind(address)?, waiting: Waiting::Untold })
    }

    /// A socket on a free port that takes datagrams of `remote` only, and learns of refusals.
    pub(crate) fn connect(remote: SocketAddr) -> io::Result<Self> {
        let socket = Self::bind(any_port(remote))?;
        socket.connect_to(remote)?;
        Ok(socket)
    }

    /// A socket that never waits, for [`try_receive`](Self::try_receive).
    pub(crate) fn bind_nonblocking(address: SocketAddr) -> io::Result<Self> {
        let mut socket = Self::bind(address)?;
        socket.tell(Duration::ZERO)?;
        Ok(socket)
    }

    /// From now on takes datagrams of `remote` only, sends to it, and learns of refusals.
    pub(crate) fn connect_to(&self, remote: SocketAddr) -> io::Result<()> {
        self.udp.connect(remote)
    }

    /// The form in which this socket reaches an address: one of both families wants IPv4 addresses mapped (RFC 4291
    /// section 2.5.5.2).
    pub(crate) fn form_of(&self, remote: SocketAddr) -> SocketAddr {
        match (remote, self.local_addr()) {
            (SocketAddr::V4(v4), Ok(SocketAddr::V6(_))) => (v4.ip().to_ipv6_mapped(), v4.port()).into(),
            _ => remote,
        }
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.udp.local_addr()
    }

    /// Waits at most `wait` for a datagram, or not at all if that is zero. May return earlier with nothing.
    pub(crate) fn receive(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<Arrival> {
        self.tell(wait)?;
        self.try_receive(buffer)
    }

    /// Receives, waiting as the socket was last told to.
    pub(crate) fn try_receive(&self, buffer: &mut [u8]) -> io::Result<Arrival> {
        match self.udp.recv_from(buffer) {
            Ok((length, from)) => Ok(Arrival::Datagram { length, from }),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Ok(Arrival::Nothing),
                _ if is_refusal(&error) => Ok(Arrival::Refused),
                _ => Err(error),
            },
        }
    }

    /// Sends to the connected peer.
    pub(crate) fn send(&self, datagram: &[u8]) -> io::Result<()> {
        once_more(|| self.udp.send(datagram))
    }

    /// Sends to `to`.
    pub(crate) fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        once_more(|| self.udp.send_to(datagram, to))
    }

    /// Tells the operating system how to wait from now on.
    fn tell(&mut self, wait: Duration) -> io::Result<()> {
        let wanted = if wait.is_zero() { Waiting::Never } else { Waiting::AtMost(whole_milliseconds(wait)) };
        if wanted == self.waiting {
            return Ok(());
        }
        match wanted {
            Waiting::AtMost(limit) => {
                if !matches!(self.waiting, Waiting::AtMost(_)) {
                    self.udp.set_nonblocking(false)?;
                }
                self.udp.set_read_timeout(Some(limit))?;
            }
            Waiting::Never | Waiting::Untold => self.udp.set_nonblocking(true)?,
        }
        self.waiting = wanted;
        Ok(())
    }
}

/// Where to bind for a socket that will talk to `remote`: any address, a free port.
pub(crate) fn any_port(remote: SocketAddr) -> SocketAddr {
    if remote.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() }
}

/// Whether this is how an ICMP "port unreachable" shows (on Windows as a reset).
pub(crate) fn is_refusal(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset)
}

/// Whether an error on sending means no more than that this datagram is lost, as any may be.
pub(crate) fn is_loss(error: &io::Error) -> bool {
    is_refusal(error) || matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Some systems report an earlier ICMP message instead of sending; by that the message is used up, and the datagram
/// is sent at the second try. A full queue stays full.
fn once_more(mut send: impl FnMut() -> io::Result<usize>) -> io::Result<()> {
    match send() {
        Err(error) if error.kind() != ErrorKind::WouldBlock => send().map(drop),
        sent => sent.map(drop),
    }
}

/// Rounded up, so that a wait never ends just before its deadline, only to be followed by a tiny one.
fn whole_milliseconds(wait: Duration) -> Duration {
    let milliseconds = wait.min(MAX_WAIT).as_nanos().div_ceil(1_000_000);
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Socket, Socket) {
        let listener = Socket::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let dialler = Socket::connect(listener.local_addr().unwrap()).unwrap();
        (listener, dialler)
    }

    #[test]
    fn a_datagram_arrives_with_its_sender() {
        let (mut listener, dialler) = pair();
        dialler.send(b"seven").unwrap();
        let mut buffer = [0; 16];
        let arrival = listener.receive(&mut buffer, Duration::from_secs(5)).unwrap();
        assert_eq!(arrival, Arrival::Datagram { length: 5, from: dialler.local_addr().unwrap() });
        assert_eq!(&buffer[..5], b"seven");
    }

    #[test]
    fn waiting_is_bounded_and_can_be_none() {
        let (mut listener, dialler) = pair();
        let mut buffer = [0; 16];
        for wait in [Duration::ZERO, Duration::from_micros(1), Duration::from_millis(20), Duration::ZERO] {
            assert_eq!(listener.receive(&mut buffer, wait).unwrap(), Arrival::Nothing);
        }
        dialler.send(b"x").unwrap();
        assert!(matches!(
            listener.receive(&mut buffer, Duration::from_secs(5)).unwrap(),
            Arrival::Datagram { length: 1, .. }
        ));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn an_icmp_refusal_shows_as_such() {
        let (listener, mut dialler) = pair();
        drop(listener);
        dialler.send(b"anybody there?").unwrap();
        let arrival = dialler.receive(&mut [0; 16], Duration::from_secs(5)).unwrap();
        assert_eq!(arrival, Arrival::Refused);
    }

    #[test]
    fn waits_are_rounded_up_and_capped() {
        assert_eq!(whole_milliseconds(Duration::from_nanos(1)), Duration::from_millis(1));
        assert_eq!(whole_milliseconds(Duration::from_micros(1_001)), Duration::from_millis(2));
        assert_eq!(whole_milliseconds(Duration::MAX), MAX_WAIT);
    }
}
