//! One peer's connection, as its owner sees it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use drystone_handshake::{AlertDescription, Connected, Connection as Protocol};

use super::channel::Channel;
use super::error::ConnectionError;
use super::shared::Keeper;
use crate::endpoint::PeerId;

/// A connection to one peer. All methods take `&self`: put it into an [`Arc`] to send and receive in different tasks.
///
/// Dropping it closes it. What can be asked of the protocol (counters, exporter, SRTP keys) is asked through
/// [`inspect`](Self::inspect).
///
/// For an example see [the module](super).
pub struct Connection {
    link: Link,
    connected: Box<Connected>,
}

/// A connection whose handshake need not be done; dropping it closes it.
pub(super) struct Link {
    pub(super) shared: Keeper,
    pub(super) peer: PeerId,
    pub(super) remote: SocketAddr,
    pub(super) channel: Arc<Channel>,
}

impl Connection {
    pub(super) async fn after_handshake(link: Link) -> Result<Self, ConnectionError> {
        let connected = link.channel.wait_until_connected().await?;
        Ok(Self { link, connected })
    }

    /// Waits for the next packet and copies it to the start of `buffer`; its length in bytes. Packets may arrive in another
    /// order than they were sent, and some never.
    ///
    /// Up to 64 KiB wait, each packet counted with 24 bytes more than it has; further ones are dropped and
    /// [counted](Self::dropped_packet_count). May be cancelled: no packet is lost by that.
    ///
    /// # Errors
    /// [`ConnectionError::BufferTooShort`], which leaves the packet where it is: 16,384 bytes are enough for every packet. Else
    /// why the connection is over, when all packets that came before are read.
    pub async fn recv(&self, buffer: &mut [u8]) -> Result<usize, ConnectionError> {
        self.link.channel.receive(buffer).await
    }

    /// Sends one packet: one record in one datagram. Waits while the socket's queue is full. May be cancelled: the packet is
    /// not sent then.
    ///
    /// # Errors
    /// [`ConnectionError::Misuse`] if the packet is longer than [`max_payload`](Self::max_payload);
    /// [`ConnectionError::Socket`] if the operating system does not take the datagram; else why the connection is over.
    pub async fn send(&self, packet: &[u8]) -> Result<(), ConnectionError> {
        let Link { shared, peer, channel, .. } = &self.link;
        // A task that does nothing but send leaves room for others.
        ::tokio::task::coop::consume_budget().await;
        loop {
            let sent = shared.with(|state, now| state.send(now, *peer, packet, &shared.socket));
            match sent {
                Ok(true) => return Ok(()),
                Ok(false) => shared.socket.writable().await?,
                Err(error) => return Err(channel.reason().unwrap_or(error)),
            }
        }
    }

    /// The most bytes of one packet: see [`drystone_handshake::Connection::max_payload`]. 0 when the connection is over.
    pub fn max_payload(&self) -> usize {
        self.inspect(Protocol::max_payload).unwrap_or_default()
    }

    /// What was negotiated, and who the peer is.
    pub fn connected(&self) -> &Connected {
        &self.connected
    }

    /// The peer's address.
    pub fn remote_addr(&self) -> SocketAddr {
        self.link.remote
    }

    /// Its number at its endpoint, for logs.
    pub fn id(&self) -> PeerId {
        self.link.peer
    }

    /// Asks the protocol's state, under the endpoint's lock: counters, exporter, SRTP keys. `None` when the connection is over.
    pub fn inspect<T>(&self, look: impl FnOnce(&Protocol) -> T) -> Option<T> {
        self.link.shared.look(|state| state.endpoint.connection(self.link.peer).map(look))
    }

    /// Changes the keys of what is sent (DTLS 1.3), and asks the peer to change its own too if `request_peer`: see
    /// [`drystone_handshake::Connection::update_keys`].
    ///
    /// # Errors
    /// [`ConnectionError::Misuse`] if the peer speaks DTLS 1.2; else why the connection is over.
    pub fn update_keys(&self, request_peer: bool) -> Result<(), ConnectionError> {
        let Link { shared, peer, channel, .. } = &self.link;
        let updated = shared.with(|state, now| state.endpoint.update_keys(now, *peer, request_peer));
        updated.map_err(|error| channel.reason().unwrap_or_else(|| error.into()))
    }

    /// Packets that were dropped since too many waited to be received.
    pub fn dropped_packet_count(&self) -> u64 {
        self.link.channel.dropped()
    }

    /// Waits until the connection is over, and tells why.
    pub async fn closed(&self) -> ConnectionError {
        self.link.channel.wait_until_over().await
    }

    /// Sends close_notify. Packets that wait can still be received.
    pub fn close(&self) {
        self.close_with(AlertDescription::CLOSE_NOTIFY);
    }

    /// Closes like [`close`](Self::close), but tells the peer with a fatal alert what is wrong: see
    /// [`drystone_handshake::Connection::close_with`].
    pub fn close_with(&self, alert: AlertDescription) {
        self.link.close_with(alert);
    }
}

impl Link {
    fn close_with(&self, alert: AlertDescription) {
        self.shared.with(|state, now| state.close(now, self.peer, alert));
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.close_with(AlertDescription::CLOSE_NOTIFY);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("id", &self.link.peer)
            .field("remote", &self.link.remote)
            .finish_non_exhaustive()
    }
}
