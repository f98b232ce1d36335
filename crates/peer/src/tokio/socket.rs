//! The endpoint's UDP socket in tokio's event loop. It never waits by itself, and knows nothing of what datagrams hold.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::task::{Context, Poll};

use quinn_udp::{UdpSockRef, UdpSocketState};
use tokio::io::Interest;
use tokio::runtime;

use crate::endpoint::FourTuple;
use crate::socket::{self, Datagrams, Socket};

/// A UDP socket whose readiness tokio knows.
#[derive(Debug)]
pub(super) struct TokioSocket {
    io: ::tokio::net::UdpSocket,
    state: UdpSocketState,
    /// Whether it is an IPv6 socket, which wants IPv4 addresses mapped.
    maps_ipv4: bool,
}

impl TokioSocket {
    /// The caller's socket, bound and not connected.
    ///
    /// # Errors
    /// What the operating system says; [`io::ErrorKind::Other`] outside of a tokio runtime.
    pub(super) fn from_std(udp: UdpSocket) -> io::Result<Self> {
        runtime::Handle::try_current().map_err(io::Error::other)?;
        let (udp, state, maps_ipv4) = Socket::from_std(udp)?.into_parts();
        Ok(Self { io: ::tokio::net::UdpSocket::from_std(udp)?, state, maps_ipv4 })
    }

    /// The form in which this socket reaches an address.
    pub(super) fn form_of(&self, remote: SocketAddr) -> SocketAddr {
        socket::form_of(self.maps_ipv4, remote)
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.local_addr()
    }

    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_recv_ready(cx)
    }

    pub(super) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_send_ready(cx)
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        self.io.writable().await
    }

    /// One look at the socket.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if nothing is there; [`poll_readable`](Self::poll_readable) waits then.
    pub(super) fn try_receive(&self, buffer: &mut [u8]) -> io::Result<Datagrams> {
        self.io.try_io(Interest::READABLE, || {
            socket::receive_from(UdpSockRef::from(&self.io), &self.state, buffer)
        })
    }

    /// Sends to the remote end, from the address of ours that it called.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if the socket's queue is full; [`writable`](Self::writable) waits then.
    pub(super) fn try_send(&self, datagram: &[u8], ends: &FourTuple) -> io::Result<()> {
        self.io.try_io(Interest::WRITABLE, || {
            socket::answer_through(|| UdpSockRef::from(&self.io), &self.state, datagram, None, ends)
        })
    }
}
