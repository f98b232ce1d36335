//! What the endpoint's task and its callers share under one lock: the sans-I/O endpoint, and to whom its output goes. It sends
//! without waiting, and never reads.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;

use drystone_handshake::{AlertDescription, Connection, Event, Instant, Misuse, Request, RequestId, Start};

use super::channel::Channel;
use super::error::ConnectionError;
use super::socket::TokioSocket;
use crate::endpoint::{Endpoint, EndpointEvent, EndpointTransmit, Incoming, PeerId};
use crate::socket::{self, Datagrams, MAX_DATAGRAM};

/// Questions of call-outs that wait to be taken; with more the oldest is lost, and its handshake ends by its deadline.
const MAX_REQUESTS: usize = 4_096;

/// A client whose handshake is done, until it is accepted.
pub(super) struct Accepted {
    pub(super) peer: PeerId,
    pub(super) remote: SocketAddr,
    pub(super) channel: Arc<Channel>,
}

/// A question of a call-out: of whose handshake, by which number.
pub(super) type Question = (PeerId, RequestId, Box<Request>);

/// See the module.
pub(super) struct State {
    pub(super) endpoint: Endpoint,
    channels: Channels,
    accepted: VecDeque<Accepted>,
    questions: VecDeque<Question>,
    /// For packets of callers.
    out: Box<[u8]>,
    /// For what the endpoint has to send, and what of it waits for room in the socket's queue.
    transmit: Box<[u8]>,
    held: Option<EndpointTransmit>,
    send_failures: u64,
    /// Handles of the endpoint that are left, and of its connections.
    pub(super) endpoints: usize,
    pub(super) connections: usize,
    /// Whether nobody may begin anything any more.
    is_stopping: bool,
    /// Why the endpoint's task has ended.
    ended: Option<ConnectionError>,
}

/// What there is to tell the callers after a turn.
#[derive(Clone, Copy, Default)]
pub(super) struct News {
    pub(super) accepted: bool,
    pub(super) questions: bool,
}

impl State {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            channels: Channels::default(),
            accepted: VecDeque::new(),
            questions: VecDeque::new(),
            out: vec![0; MAX_DATAGRAM].into_boxed_slice(),
            transmit: vec![0; MAX_DATAGRAM].into_boxed_slice(),
            held: None,
            send_failures: 0,
            endpoints: 1,
            connections: 0,
            is_stopping: false,
            ended: None,
        }
    }

    // ---- for the endpoint's task ----

    /// Hands the datagrams in `buffer` to the endpoint, and their packets to the connections.
    pub(super) fn take_in(&mut self, start: Start, datagrams: Datagrams, buffer: &mut [u8]) {
        let ends = datagrams.ends;
        for place in datagrams {
            let bytes = buffer.get_mut(place).unwrap_or_default();
            let mut incoming = Incoming::new(ends, bytes);
            while let Some((peer, data)) = self.endpoint.receive(start, &mut incoming) {
                // A client may send behind its Finished: its connection is there before its first packet.
                self.note_events(start.now);
                if let Some(channel) = self.channels.get(peer) {
                    channel.push(data.payload);
                }
            }
        }
    }

    /// Whether a datagram waits for room in the socket's queue.
    pub(super) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Whether the task has nothing to do any more: the last words are sent.
    pub(super) fn is_over(&self) -> bool {
        self.is_stopping && self.held.is_none()
    }

    /// The task ends: whoever waits hears of it.
    pub(super) fn end(&mut self, reason: ConnectionError) {
        self.is_stopping = true;
        self.channels.drain().for_each(|channel| channel.end(reason.clone()));
        self.accepted.clear();
        self.ended.get_or_insert(reason);
    }

    // ---- for both ----

    /// Sends what there is to send, as far as the socket takes it, and notes what happened.
    pub(super) fn flush(&mut self, now: Instant, socket: &TokioSocket) {
        while let Some(transmit) =
            self.held.take().or_else(|| self.endpoint.poll_transmit(now, &mut self.transmit))
        {
            let datagram = self.transmit.get(..transmit.len).unwrap_or_default();
            match socket.try_send(datagram, &transmit.ends) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.held = Some(transmit);
                    break;
                }
                Err(error) => {
                    self.send_failures += 1;
                    if let Some(peer) = transmit.peer
                        && socket::is_too_large(&error)
                    {
                        self.endpoint.datagram_too_large(now, peer, transmit.len);
                    }
                }
            }
        }
        self.note_events(now);
    }

    pub(super) fn news(&self) -> News {
        News { accepted: !self.accepted.is_empty(), questions: !self.questions.is_empty() }
    }

    fn note_events(&mut self, now: Instant) {
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                EndpointEvent::Connection { peer, remote, event } => self.note(now, peer, remote, event),
                // Counted by the endpoint.
                EndpointEvent::HelloRefused { .. } => {}
            }
        }
    }

    fn note(&mut self, now: Instant, peer: PeerId, remote: SocketAddr, event: Event) {
        let reason = match event {
            Event::Connected(connected) => match self.channels.get(peer) {
                Some(channel) => return channel.connected(connected),
                None if self.is_stopping || self.endpoints == 0 => return self.endpoint.close(now, peer),
                None => {
                    let channel = Arc::new(Channel::default());
                    channel.connected(connected);
                    self.channels.insert(peer, Arc::clone(&channel));
                    return self.accepted.push_back(Accepted { peer, remote, channel });
                }
            },
            Event::Request(id, request) => {
                if self.questions.len() >= MAX_REQUESTS {
                    self.questions.pop_front();
                }
                return self.questions.push_back((peer, id, request));
            }
            Event::Failed(error) => ConnectionError::Failed(error),
            Event::Closed(reason) => ConnectionError::Closed(reason),
            Event::AssociationReplaced => ConnectionError::Replaced,
            // What the connection's getters tell as well.
            _ => return,
        };
        self.forget(peer, reason);
    }

    fn forget(&mut self, peer: PeerId, reason: ConnectionError) {
        if let Some(channel) = self.channels.remove(peer) {
            channel.end(reason);
            self.accepted.retain(|accepted| accepted.peer != peer);
        }
    }

    // ---- for callers ----

    /// Whether something may begin.
    pub(super) fn check(&self) -> Result<(), ConnectionError> {
        match &self.ended {
            Some(reason) => Err(reason.clone()),
            None if self.is_stopping => Err(ConnectionError::Stopped),
            None => Ok(()),
        }
    }

    /// The endpoint has begun a connection for a caller.
    pub(super) fn begin(&mut self, peer: PeerId) -> Arc<Channel> {
        let channel = Arc::new(Channel::default());
        self.channels.insert(peer, Arc::clone(&channel));
        channel
    }

    pub(super) fn next_accepted(&mut self) -> Option<Accepted> {
        self.accepted.pop_front()
    }

    pub(super) fn next_question(&mut self) -> Option<Question> {
        self.questions.pop_front()
    }

    /// Sends one packet. `Ok(false)` if the socket's queue is full: nothing was sent.
    pub(super) fn send(
        &mut self,
        now: Instant,
        peer: PeerId,
        packet: &[u8],
        socket: &TokioSocket,
    ) -> Result<bool, ConnectionError> {
        let transmit = self.endpoint.send(peer, packet, &mut self.out)?;
        let datagram = self.out.get(..transmit.len).unwrap_or_default();
        match socket.try_send(datagram, &transmit.ends) {
            Ok(()) => Ok(true),
            // Its record number is spent, and no harm is done by that.
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) if socket::is_too_large(&error) => {
                self.endpoint.datagram_too_large(now, peer, transmit.len);
                let connection = self.endpoint.connection(peer);
                let limit = connection.map_or(0, Connection::max_unfragmented_payload);
                Err(Misuse::PayloadTooLarge { limit }.into())
            }
            // The peer may be gone, and that may be a forgery: the packet is lost, no more.
            Err(error) if socket::is_loss(&error) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends a connection at its owner's wish.
    pub(super) fn close(&mut self, now: Instant, peer: PeerId, alert: AlertDescription) {
        self.endpoint.close_with(now, peer, alert);
        self.forget(peer, ConnectionError::ClosedHere);
    }

    /// Nobody is left who could accept these clients.
    pub(super) fn refuse_accepted(&mut self, now: Instant) {
        while let Some(Accepted { peer, .. }) = self.accepted.pop_front() {
            self.close(now, peer, AlertDescription::CLOSE_NOTIFY);
        }
    }

    /// Whether the endpoint's task has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Closes all connections, and lets nobody begin a new one.
    pub(super) fn stop(&mut self, now: Instant) {
        self.is_stopping = true;
        self.endpoint.close_all(now);
        self.channels.drain().for_each(|channel| channel.end(ConnectionError::Stopped));
        self.accepted.clear();
    }

    /// Datagrams that the operating system did not take.
    pub(super) fn send_failures(&self) -> u64 {
        self.send_failures
    }
}

/// Channels by the ids of their peers, found without hashing.
#[derive(Default)]
struct Channels {
    places: Vec<Option<(PeerId, Arc<Channel>)>>,
}

impl Channels {
    fn get(&self, peer: PeerId) -> Option<&Arc<Channel>> {
        let (id, channel) = self.places.get(place(peer))?.as_ref()?;
        (*id == peer).then_some(channel)
    }

    fn insert(&mut self, peer: PeerId, channel: Arc<Channel>) {
        let place = place(peer);
        if self.places.len() <= place {
            self.places.resize_with(place + 1, || None);
        }
        if let Some(entry) = self.places.get_mut(place) {
            *entry = Some((peer, channel));
        }
    }

    fn remove(&mut self, peer: PeerId) -> Option<Arc<Channel>> {
        let entry = self.places.get_mut(place(peer))?;
        let (_, channel) = entry.take_if(|(id, _)| *id == peer)?;
        Some(channel)
    }

    fn drain(&mut self) -> impl Iterator<Item = Arc<Channel>> {
        self.places.drain(..).flatten().map(|(_, channel)| channel)
    }
}

fn place(peer: PeerId) -> usize {
    peer.slot() as usize
}
