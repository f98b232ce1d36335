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
    /// Whether it is an IPv6 socket, which wants IPv4 addresses mapped.
    maps_ipv4: bool,
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
        let udp = UdpSocket::bind(address)?;
        Ok(Self { udp, waiting: Waiting::Untold, maps_ipv4: address.is_ipv6() })
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
        match remote {
            SocketAddr::V4(v4) if self.maps_ipv4 => (v4.ip().to_ipv6_mapped(), v4.port()).into(),
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

/// What is known of the other side of a connected socket, and so how much its errors count. Many of them come from ICMP
/// messages, which anybody can forge: they may end an attempt that nobody has answered, and nothing else.
#[derive(Debug, Default)]
pub(crate) struct Contact {
    heard: bool,
    /// Errors of the socket since it last worked.
    odd_errors: u32,
}

/// Errors of the socket in a row that are taken for consequences of ICMP messages. A socket that is really broken fails
/// again and again.
const MAX_ODD_ERRORS: u32 = 16;

/// Why an attempt is over.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Nothing listens there.
    Refused,
    Broken(io::Error),
}

impl Contact {
    /// A contact with somebody who has spoken first.
    pub(crate) fn heard() -> Self {
        Self { heard: true, odd_errors: 0 }
    }

    /// A datagram came.
    pub(crate) fn on_datagram(&mut self) {
        *self = Self::heard();
    }

    /// The socket works, and has nothing.
    pub(crate) fn on_nothing(&mut self) {
        self.odd_errors = 0;
    }

    /// An ICMP message says that nothing listens there.
    pub(crate) fn on_refusal(&mut self) -> Result<(), Trouble> {
        self.odd_errors = 0;
        if self.heard { Ok(()) } else { Err(Trouble::Refused) }
    }

    /// Receiving failed.
    pub(crate) fn on_receive_error(&mut self, error: io::Error) -> Result<(), Trouble> {
        if !self.heard || self.odd_errors >= MAX_ODD_ERRORS {
            return Err(Trouble::Broken(error));
        }
        self.odd_errors += 1;
        Ok(())
    }

    /// Sending failed. A network that is away for a moment must not end what is established; retransmission sees to
    /// the rest.
    pub(crate) fn on_send_error(&self, error: io::Error) -> Result<(), Trouble> {
        match self.heard {
            false if is_refusal(&error) => Err(Trouble::Refused),
            false if !is_loss(&error) => Err(Trouble::Broken(error)),
            _ => Ok(()),
        }
    }

    /// How long to wait for the next datagram. After an error not at all: an ICMP message is told once, so that the next
    /// look shows whether the socket works, and forged ones do not add up.
    pub(crate) fn wait(&self, most: Duration) -> Duration {
        if self.odd_errors > 0 { Duration::ZERO } else { most }
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

    fn odd() -> io::Error {
        ErrorKind::HostUnreachable.into()
    }

    #[test]
    fn before_an_answer_every_error_counts() {
        assert!(matches!(Contact::default().on_refusal(), Err(Trouble::Refused)));
        assert!(matches!(Contact::default().on_receive_error(odd()), Err(Trouble::Broken(_))));
        assert!(matches!(Contact::default().on_send_error(odd()), Err(Trouble::Broken(_))));
        let refused = ErrorKind::ConnectionRefused.into();
        assert!(matches!(Contact::default().on_send_error(refused), Err(Trouble::Refused)));
        assert!(Contact::default().on_send_error(ErrorKind::WouldBlock.into()).is_ok());
    }

    /// Whoever forges ICMP messages ends nothing that was answered, however many they are.
    #[test]
    fn after_an_answer_only_a_socket_that_never_works_is_broken() {
        let mut contact = Contact::default();
        contact.on_datagram();
        for _ in 0..100 {
            assert!(contact.on_receive_error(odd()).is_ok());
            assert_eq!(contact.wait(Duration::from_secs(1)), Duration::ZERO);
            contact.on_nothing();
            assert_eq!(contact.wait(Duration::from_secs(1)), Duration::from_secs(1));
            assert!(contact.on_refusal().is_ok() && contact.on_send_error(odd()).is_ok());
        }
        for _ in 0..MAX_ODD_ERRORS {
            assert!(contact.on_receive_error(odd()).is_ok());
        }
        assert!(matches!(contact.on_receive_error(odd()), Err(Trouble::Broken(_))));
    }

    #[test]
    fn waits_are_rounded_up_and_capped() {
        assert_eq!(whole_milliseconds(Duration::from_nanos(1)), Duration::from_millis(1));
        assert_eq!(whole_milliseconds(Duration::from_micros(1_001)), Duration::from_millis(2));
        assert_eq!(whole_milliseconds(Duration::MAX), MAX_WAIT);
    }
}
