//! What the endpoint's task hands to one connection: packets, and how it stands. Bounded in memory; it knows no socket and no
//! protocol.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use drystone_handshake::Connected;
use tokio::sync::Notify;

use super::error::ConnectionError;
use crate::packet_queue::PacketQueue;

/// Between the endpoint's task and the owner of a connection.
#[derive(Default)]
pub(super) struct Channel {
    inbox: Mutex<Inbox>,
    /// A packet has come.
    packets: Notify,
    /// It is connected, or over.
    standing: Notify,
}

#[derive(Default)]
struct Inbox {
    queue: PacketQueue,
    dropped: u64,
    connected: Option<Box<Connected>>,
    end: Option<ConnectionError>,
}

impl Channel {
    // ---- the endpoint's side ----

    /// A packet has come. The newest is dropped if too much waits.
    pub(super) fn push(&self, packet: &[u8]) {
        let mut inbox = self.inbox();
        if !inbox.queue.push(packet) {
            inbox.dropped = inbox.dropped.saturating_add(1);
        }
        drop(inbox);
        self.packets.notify_one();
    }

    /// The handshake is done.
    pub(super) fn connected(&self, connected: Box<Connected>) {
        self.inbox().connected = Some(connected);
        self.standing.notify_waiters();
    }

    /// It is over, for the first of these reasons. Packets that wait stay readable.
    pub(super) fn end(&self, reason: ConnectionError) {
        self.inbox().end.get_or_insert(reason);
        self.standing.notify_waiters();
        self.packets.notify_waiters();
    }

    // ---- the owner's side ----

    /// Waits for the end of the handshake.
    pub(super) async fn wait_until_connected(&self) -> Result<Box<Connected>, ConnectionError> {
        wait(&self.standing, || {
            let mut inbox = self.inbox();
            match (inbox.connected.take(), &inbox.end) {
                (Some(connected), _) => Some(Ok(connected)),
                (None, Some(reason)) => Some(Err(reason.clone())),
                (None, None) => None,
            }
        })
        .await
    }

    /// Waits for a packet and copies it to the start of `buffer`.
    pub(super) async fn receive(&self, buffer: &mut [u8]) -> Result<usize, ConnectionError> {
        wait(&self.packets, || self.try_receive(buffer)).await
    }

    /// Waits for the end of the connection.
    pub(super) async fn wait_until_over(&self) -> ConnectionError {
        wait(&self.standing, || self.inbox().end.clone()).await
    }

    /// Why it is over, if it is.
    pub(super) fn reason(&self) -> Option<ConnectionError> {
        self.inbox().end.clone()
    }

    /// Packets that found the queue full.
    pub(super) fn dropped(&self) -> u64 {
        self.inbox().dropped
    }

    fn try_receive(&self, buffer: &mut [u8]) -> Option<Result<usize, ConnectionError>> {
        let mut inbox = self.inbox();
        let Some(needed) = inbox.queue.next_length() else { return inbox.end.clone().map(Err) };
        let Some(room) = buffer.get_mut(..needed) else {
            return Some(Err(ConnectionError::BufferTooShort { needed }));
        };
        room.copy_from_slice(inbox.queue.pop().unwrap_or_default());
        Some(Ok(needed))
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        // Nothing in here can panic half-way.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until there is a value. What changes it notifies afterwards, so that nothing is missed between two looks.
async fn wait<T>(changed: &Notify, mut look: impl FnMut() -> Option<T>) -> T {
    loop {
        let mut notified = pin!(changed.notified());
        notified.as_mut().enable();
        if let Some(value) = look() {
            return value;
        }
        notified.await;
    }
}
