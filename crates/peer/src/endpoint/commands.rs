//! What the owner of an endpoint tells it to do.

use std::ops::Range;
use std::sync::Arc;

use drystone_handshake::{AlertDescription, Answer, ClientConfig, Connection, Instant, RequestId, Start};
use drystone_x509::ServerName;

use super::table::Peer;
use super::{Association, Endpoint, EndpointError, EndpointTransmit, FourTuple, PeerId};

impl Endpoint {
    /// Begins an association with the server at `ends.remote`, which must prove that it is `name`. Its first datagram is
    /// ready for [`poll_transmit`](Self::poll_transmit). It takes the place of one with that address that is over, and has stayed
    /// to send its alert again.
    ///
    /// # Errors
    /// [`EndpointError::AddressInUse`] if there is an association with that address already; [`EndpointError::Handshake`] if
    /// the configuration has nothing to offer, or there are no random numbers.
    pub fn connect(
        &mut self,
        start: Start,
        ends: FourTuple,
        name: impl Into<Option<ServerName<'static>>>,
        config: Arc<ClientConfig>,
    ) -> Result<PeerId, EndpointError> {
        let mut connection = Connection::client(config, name, start)?;
        let known = self.table.route(ends.remote).map(|route| route.current);
        if let Some(over) = known.filter(|id| self.connection(*id).is_some_and(Connection::is_closed)) {
            self.forget(over);
        }
        connection.set_idle_timeout(self.options.idle_timeout);
        let id = self.table.insert_ours(ends, Association::new(connection), start.now);
        let id = id.ok_or(EndpointError::AddressInUse(ends.remote))?;
        self.note_input(id);
        Ok(id)
    }

    /// Writes one packet for a peer to the start of `out`: one record, which is one datagram.
    ///
    /// # Errors
    /// [`EndpointError::NoSuchPeer`], or [`EndpointError::Misuse`] if the peer is not connected, the packet is longer than
    /// [`Connection::max_payload`], or `out` has too little room ([`Connection::overhead_of`]).
    pub fn send(
        &mut self,
        peer: PeerId,
        payload: &[u8],
        out: &mut [u8],
    ) -> Result<EndpointTransmit, EndpointError> {
        let known = self.known(peer)?;
        let len = known.state.connection.send(payload, out);
        let ends = known.ends;
        self.note_input(peer);
        Ok(EndpointTransmit { len: len?, ends, peer: Some(peer) })
    }

    /// Seals a packet for a peer where it lies: see [`Connection::seal`]. Returns the datagram, a part of `buffer`, and its
    /// way.
    ///
    /// # Errors
    /// [`EndpointError::NoSuchPeer`], or [`EndpointError::Misuse`] as [`Connection::seal`] says.
    pub fn seal<'o>(
        &mut self,
        peer: PeerId,
        buffer: &'o mut [u8],
        payload: Range<usize>,
    ) -> Result<(&'o [u8], FourTuple), EndpointError> {
        let known = self.known(peer)?;
        let sealed = known.state.connection.seal(buffer, payload);
        let ends = known.ends;
        self.note_input(peer);
        Ok((sealed?, ends))
    }

    /// Changes the keys of what is sent to a peer (DTLS 1.3), and asks the peer to change its own too if `request_peer`:
    /// see [`Connection::update_keys`].
    ///
    /// # Errors
    /// [`EndpointError::NoSuchPeer`], or [`EndpointError::Misuse`] if the peer is not connected, or speaks DTLS 1.2.
    pub fn update_keys(
        &mut self,
        now: Instant,
        peer: PeerId,
        request_peer: bool,
    ) -> Result<(), EndpointError> {
        self.known(peer)?.state.connection.update_keys(now, request_peer)?;
        self.note_input(peer);
        Ok(())
    }

    /// Gives the answer to an [`Event::Request`](drystone_handshake::Event::Request).
    ///
    /// # Errors
    /// [`EndpointError::NoSuchPeer`], or [`EndpointError::Misuse`] if no such request is open or the answer is of another
    /// kind; nothing is changed then.
    pub fn answer(
        &mut self,
        now: Instant,
        peer: PeerId,
        id: RequestId,
        answer: Answer,
    ) -> Result<(), EndpointError> {
        self.known(peer)?.state.connection.answer(now, id, answer)?;
        self.note_input(peer);
        Ok(())
    }

    /// Sends close_notify to a peer, whose id means nothing once `poll_transmit` is drained. Unknown ids are ignored: the
    /// peer may have gone just before.
    pub fn close(&mut self, now: Instant, peer: PeerId) {
        self.close_with(now, peer, AlertDescription::CLOSE_NOTIFY);
    }

    /// Closes like [`close`](Self::close), but tells the peer with a fatal alert what is wrong: see
    /// [`Connection::close_with`].
    pub fn close_with(&mut self, now: Instant, peer: PeerId, alert: AlertDescription) {
        if let Ok(known) = self.known(peer) {
            known.state.connection.close_with(now, alert);
            self.note_input(peer);
        }
    }

    /// The transport has refused a datagram of this many bytes to a peer, since the path does not carry it: see
    /// [`Connection::datagram_too_large`]. Unknown ids are ignored.
    pub fn datagram_too_large(&mut self, now: Instant, peer: PeerId, length: usize) {
        if let Ok(known) = self.known(peer) {
            known.state.connection.datagram_too_large(now, length);
            self.note_input(peer);
        }
    }

    /// Closes all associations.
    pub fn close_all(&mut self, now: Instant) {
        let peers: Vec<_> = self.table.ids().collect();
        for peer in peers {
            self.close(now, peer);
        }
    }

    fn known(&mut self, peer: PeerId) -> Result<&mut Peer<Association>, EndpointError> {
        self.table.get_mut(peer).ok_or(EndpointError::NoSuchPeer)
    }
}
