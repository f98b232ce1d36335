//! A UDP socket whose waiting is bounded, and which knows to which of our addresses a datagram came. It knows what an
//! operating system's errors mean for datagrams, and nothing of what the datagrams hold.

mod contact;
mod datagrams;
mod drops;
#[cfg(test)]
pub(crate) mod narrow;
mod train;

use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{InterfaceIndexOrAddress, SockRef};

pub(crate) use contact::{Contact, Trouble};
pub(crate) use datagrams::Datagrams;
pub(crate) use train::{Train, room};

use crate::endpoint::FourTuple;

/// The size of a receive buffer: no UDP datagram is larger, and no series of datagrams that the system joined (GRO).
pub(crate) const MAX_DATAGRAM: usize = 65_536;

/// The longest single wait; whoever wants to wait longer waits again.
const MAX_WAIT: Duration = Duration::from_secs(3600);

/// A UDP socket, bound, and for a client also connected.
#[derive(Debug)]
pub(crate) struct Socket {
    udp: UdpSocket,
    /// What the system can do beyond the standard library: tell and choose our own address.
    state: UdpSocketState,
    /// Where the system counts what it drops.
    entry: drops::Entry,
    waiting: Waiting,
    /// Whether it is an IPv6 socket, which wants IPv4 addresses mapped.
    maps_ipv4: bool,
}

/// How the operating system was last told to wait, so that it is told again only when that changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    Never,
    AtMost(Duration),
}

/// What a bounded wait brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// One or several datagrams of one sender are in the buffer.
    Datagrams(Datagrams),
    /// An ICMP message says that nobody listens where we sent something. Anybody on the way can forge that.
    Refused,
    /// Nothing, or the wait was interrupted.
    Nothing,
}

impl Socket {
    /// A socket that takes datagrams of everybody. It does not wait until it is told to.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        Self::from_std(UdpSocket::bind(address)?)
    }

    /// A socket on a free port that takes datagrams of `remote` only, and learns of refusals.
    pub(crate) fn connect(remote: SocketAddr) -> io::Result<Self> {
        let socket = Self::bind(any_port(remote))?;
        socket.connect_to(remote)?;
        Ok(socket)
    }

    /// The caller's socket, bound to an address.
    pub(crate) fn from_std(udp: UdpSocket) -> io::Result<Self> {
        let maps_ipv4 = udp.local_addr()?.is_ipv6();
        // Makes the socket a nonblocking one.
        let state = UdpSocketState::new(UdpSockRef::from(&udp))?;
        let entry = drops::Entry::of(&udp);
        let socket = Self { udp, state, entry, waiting: Waiting::Never, maps_ipv4 };
        socket.leave_fragmentation_to_the_system()?;
        Ok(socket)
    }

    /// The socket itself.
    pub(crate) fn udp(&self) -> &UdpSocket {
        &self.udp
    }

    /// From now on takes datagrams of `remote` only, sends to it, and learns of refusals.
    pub(crate) fn connect_to(&self, remote: SocketAddr) -> io::Result<()> {
        self.udp.connect(remote)
    }

    /// The form in which this socket reaches an address.
    pub(crate) fn form_of(&self, remote: SocketAddr) -> SocketAddr {
        form_of(self.maps_ipv4, remote)
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.udp.local_addr()
    }

    /// Allows or forbids datagrams to broadcast addresses.
    pub(crate) fn set_broadcast(&self, allowed: bool) -> io::Result<()> {
        self.udp.set_broadcast(allowed)
    }

    /// Receives what is sent to a multicast group on an interface; 0 leaves the choice to the system.
    pub(crate) fn join_multicast(&self, group: IpAddr, interface: u32) -> io::Result<()> {
        match group {
            IpAddr::V4(v4) => {
                SockRef::from(&self.udp).join_multicast_v4_n(&v4, &InterfaceIndexOrAddress::Index(interface))
            }
            IpAddr::V6(v6) => self.udp.join_multicast_v6(&v6, interface),
        }
    }

    /// Receives it no more.
    pub(crate) fn leave_multicast(&self, group: IpAddr, interface: u32) -> io::Result<()> {
        match group {
            IpAddr::V4(v4) => {
                SockRef::from(&self.udp).leave_multicast_v4_n(&v4, &InterfaceIndexOrAddress::Index(interface))
            }
            IpAddr::V6(v6) => self.udp.leave_multicast_v6(&v6, interface),
        }
    }

    /// Datagrams that the system dropped since the socket's buffer was full, as far as it tells that.
    pub(crate) fn dropped(&self) -> u64 {
        self.entry.dropped()
    }

    /// Waits at most `wait` for a datagram, or not at all if that is zero. May return earlier with nothing.
    pub(crate) fn receive(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<Arrival> {
        self.tell(wait)?;
        self.try_receive(buffer)
    }

    /// Receives, waiting as the socket was last told to.
    pub(crate) fn try_receive(&self, buffer: &mut [u8]) -> io::Result<Arrival> {
        match receive_from(UdpSockRef::from(&self.udp), &self.state, buffer) {
            Ok(datagrams) => Ok(Arrival::Datagrams(datagrams)),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Ok(Arrival::Nothing),
                _ if is_refusal(&error) => Ok(Arrival::Refused),
                _ => Err(error),
            },
        }
    }

    /// Sends to the connected peer.
    pub(crate) fn send(&self, datagram: &[u8]) -> io::Result<()> {
        #[cfg(test)]
        narrow::check(datagram.len())?;
        once_more(|| self.udp.send(datagram).map(drop))
    }

    /// Sends to `to`, from the address that the system chooses.
    pub(crate) fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        #[cfg(test)]
        narrow::check(datagram.len())?;
        once_more(|| self.udp.send_to(datagram, to).map(drop))
    }

    /// Sends to the remote end, from the address of ours that it called: see [`answer_through`].
    pub(crate) fn answer(&self, datagram: &[u8], ends: &FourTuple) -> io::Result<()> {
        answer_through(|| UdpSockRef::from(&self.udp), &self.state, datagram, None, ends)
    }

    /// The same for several datagrams of this length, one after the other.
    pub(crate) fn answer_train(
        &self,
        datagrams: &[u8],
        segment: Option<usize>,
        ends: &FourTuple,
    ) -> io::Result<()> {
        answer_through(|| UdpSockRef::from(&self.udp), &self.state, datagrams, segment, ends)
    }

    /// Sends several datagrams of this length, one after the other, to the connected peer.
    pub(crate) fn send_train(
        &self,
        datagrams: &[u8],
        segment: Option<usize>,
        remote: SocketAddr,
    ) -> io::Result<()> {
        match segment {
            Some(_) => self.answer_train(datagrams, segment, &FourTuple::from(remote)),
            None => self.send(datagrams),
        }
    }

    /// How many datagrams the system takes in one call.
    pub(crate) fn max_segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    /// The socket and what is known of it, for an event loop that waits in its own way: it does not wait by itself. And whether
    /// it wants IPv4 addresses mapped.
    #[cfg(feature = "tokio")]
    pub(crate) fn into_parts(self) -> (UdpSocket, UdpSocketState, bool) {
        (self.udp, self.state, self.maps_ipv4)
    }

    /// `quinn-udp` forbids the system to fragment datagrams, as QUIC wants it. Whether a packet may be longer than the
    /// path carries at once is decided above, where its owner is known. IPv6 has no such switch that can be reached
    /// without `unsafe`: its datagrams stay within the interface's MTU.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn leave_fragmentation_to_the_system(&self) -> io::Result<()> {
        use rustix::net::sockopt::{self, Ipv4PathMtuDiscovery};
        Ok(sockopt::set_ip_mtu_discover(&self.udp, Ipv4PathMtuDiscovery::WANT)?)
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn leave_fragmentation_to_the_system(&self) -> io::Result<()> {
        Ok(())
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
            Waiting::Never => self.udp.set_nonblocking(true)?,
        }
        self.waiting = wanted;
        Ok(())
    }
}

/// Lends the operating system's handle of a type's socket, for loops that wait for several things at once.
macro_rules! lend_handle {
    ($owner:ty, $($socket:ident).+) => {
        #[cfg(unix)]
        impl std::os::fd::AsFd for $owner {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                std::os::fd::AsFd::as_fd(self.$($socket).+.udp())
            }
        }

        #[cfg(windows)]
        impl std::os::windows::io::AsSocket for $owner {
            fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
                std::os::windows::io::AsSocket::as_socket(self.$($socket).+.udp())
            }
        }
    };
}
pub(crate) use lend_handle;

/// The form in which a socket reaches an address: one of both families wants IPv4 addresses mapped (RFC 4291 section
/// 2.5.5.2).
pub(crate) fn form_of(maps_ipv4: bool, remote: SocketAddr) -> SocketAddr {
    match remote {
        SocketAddr::V4(v4) if maps_ipv4 => (v4.ip().to_ipv6_mapped(), v4.port()).into(),
        _ => remote,
    }
}

/// One look at a socket.
///
/// # Errors
/// What the operating system says: `WouldBlock` if nothing is there.
pub(crate) fn receive_from(
    socket: UdpSockRef<'_>,
    state: &UdpSocketState,
    buffer: &mut [u8],
) -> io::Result<Datagrams> {
    let mut meta = [RecvMeta::default()];
    match state.recv(socket, &mut [IoSliceMut::new(buffer)], &mut meta)? {
        0 => Err(ErrorKind::WouldBlock.into()),
        _ => Ok(Datagrams::new(&meta[0])),
    }
}

/// Sends a datagram, or several of a length one after the other, to the remote end, from the address of ours that it called (RFC
/// 1122 section 4.1.3.5). An address that was none of
/// one host (a broadcast), or that is ours no more, is left to the system to replace.
pub(crate) fn answer_through<'s>(
    socket: impl Fn() -> UdpSockRef<'s>,
    state: &UdpSocketState,
    contents: &[u8],
    segment_size: Option<usize>,
    ends: &FourTuple,
) -> io::Result<()> {
    #[cfg(test)]
    narrow::check(segment_size.unwrap_or(contents.len()))?;
    let from = |src_ip| {
        let transmit = Transmit { destination: ends.remote, ecn: None, contents, segment_size, src_ip };
        once_more(|| state.try_send(socket(), &transmit))
    };
    match from(ends.local_ip) {
        Err(error) if ends.local_ip.is_some() && is_unusable_source(&error) => from(None),
        sent => sent,
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

/// Whether a datagram is longer than the path carries (EMSGSIZE; on Windows WSAEMSGSIZE).
pub(crate) fn is_too_large(error: &io::Error) -> bool {
    #[cfg(unix)]
    const TOO_LARGE: i32 = libc::EMSGSIZE;
    #[cfg(not(unix))]
    const TOO_LARGE: i32 = 10_040;
    error.raw_os_error() == Some(TOO_LARGE)
}

/// Whether an error on sending means no more than that this datagram is lost, as any may be.
pub(crate) fn is_loss(error: &io::Error) -> bool {
    is_refusal(error) || matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Some systems report an earlier ICMP message instead of sending; by that the message is used up, and the datagram
/// is sent at the second try. A full queue stays full.
fn once_more(mut send: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    match send() {
        Err(error) if error.kind() != ErrorKind::WouldBlock => send(),
        sent => sent,
    }
}

/// Whether a datagram cannot be sent from the address that was asked for.
fn is_unusable_source(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::AddrNotAvailable | ErrorKind::InvalidInput | ErrorKind::NetworkUnreachable
    )
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
        let mut arrived = datagrams(listener.receive(&mut buffer, Duration::from_secs(5)).unwrap());
        assert_eq!(arrived.ends.remote, dialler.local_addr().unwrap());
        assert_eq!(&buffer[arrived.next().unwrap()], b"seven");
        assert_eq!(arrived.next(), None);
    }

    /// A socket of all addresses answers from the one that was called: the caller's socket takes nothing else.
    #[test]
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn answers_leave_from_the_address_that_was_called() {
        for everywhere in ["0.0.0.0:0", "[::]:0"] {
            let Ok(mut listener) = Socket::bind(everywhere.parse().unwrap()) else { continue };
            let port = listener.local_addr().unwrap().port();
            for called in [[127, 0, 0, 1], [127, 0, 0, 2], [127, 1, 2, 3]] {
                let mut caller = Socket::connect((called, port).into()).unwrap();
                caller.send(b"hello").unwrap();
                let mut buffer = [0; 16];
                let arrived = datagrams(listener.receive(&mut buffer, Duration::from_secs(5)).unwrap());
                listener.answer(b"answer", &arrived.ends).unwrap();
                let answer = caller.receive(&mut buffer, Duration::from_secs(5)).unwrap();
                assert_eq!(datagrams(answer).next(), Some(0..6), "{everywhere} called at {called:?}");
            }
        }
    }

    /// What no host can send from does not silence the server.
    #[test]
    fn an_unusable_source_is_left_to_the_system() {
        let (mut listener, dialler) = pair();
        let remote = listener.local_addr().unwrap();
        let elsewhere = FourTuple::new(remote, Some([192, 0, 2, 1].into()));
        let sender = Socket::bind(([127, 0, 0, 1], 0).into()).unwrap();
        sender.answer(b"answer", &elsewhere).unwrap();
        let mut buffer = [0; 16];
        datagrams(listener.receive(&mut buffer, Duration::from_secs(5)).unwrap());
        drop(dialler);
    }

    fn datagrams(arrival: Arrival) -> Datagrams {
        match arrival {
            Arrival::Datagrams(datagrams) => datagrams,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn waiting_is_bounded_and_can_be_none() {
        let (mut listener, dialler) = pair();
        let mut buffer = [0; 16];
        for wait in [Duration::ZERO, Duration::from_micros(1), Duration::from_millis(20), Duration::ZERO] {
            assert_eq!(listener.receive(&mut buffer, wait).unwrap(), Arrival::Nothing);
        }
        dialler.send(b"x").unwrap();
        let mut arrived = datagrams(listener.receive(&mut buffer, Duration::from_secs(5)).unwrap());
        assert_eq!((arrived.next(), arrived.next()), (Some(0..1), None));
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

    /// Longer than UDP over IPv4 can be, on every system.
    #[test]
    fn a_datagram_that_is_too_large_is_told_from_other_faults() {
        let (_listener, dialler) = pair();
        let error = dialler.send(&[0; 65_520]).unwrap_err();
        assert!(is_too_large(&error), "{error:?}");
        assert!(!is_too_large(&ErrorKind::ConnectionRefused.into()));
    }

    #[test]
    fn waits_are_rounded_up_and_capped() {
        assert_eq!(whole_milliseconds(Duration::from_nanos(1)), Duration::from_millis(1));
        assert_eq!(whole_milliseconds(Duration::from_micros(1_001)), Duration::from_millis(2));
        assert_eq!(whole_milliseconds(Duration::MAX), MAX_WAIT);
    }
}
