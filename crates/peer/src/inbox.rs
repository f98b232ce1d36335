//! What comes out of a connection, in the order in which it came: packets as ranges of the receive buffer, and events.

use std::ops::Range;

use drystone_handshake::{Connection, Datagram, Event, Instant, Path, RecordNumber};

/// One application packet.
///
/// The payload lies in the receive buffer, where it was decrypted, and may be changed there.
#[derive(Debug)]
pub struct Packet<'a> {
    /// What the peer sent.
    pub payload: &'a mut [u8],
    /// The number of the record that brought it: packets may arrive in another order than they were sent.
    pub number: RecordNumber,
}

/// Something that came out of a connection and waits for the caller.
#[derive(Debug)]
pub(crate) enum Arrived {
    Packet { range: Range<usize>, number: RecordNumber },
    Event(Event),
}

/// Offers the datagram that lies `at` a place of `buffer` to a connection and hands on what comes out, packets as ranges
/// of `buffer`: an event that precedes a packet goes first.
pub(crate) fn offer(
    connection: &mut Connection,
    now: Instant,
    buffer: &mut [u8],
    at: Range<usize>,
    mut arrived: impl FnMut(Arrived),
) {
    let origin = buffer.as_ptr().addr();
    let mut datagram = Datagram::new(Path::default(), buffer.get_mut(at).unwrap_or_default());
    while let Some(data) = connection.receive(now, &mut datagram) {
        while let Some(event) = connection.poll_event() {
            arrived(Arrived::Event(event));
        }
        let range = range_within(origin, data.payload);
        arrived(Arrived::Packet { range, number: data.number });
    }
}

/// Where `payload` lies in the buffer that begins at the address `origin`. A borrow cannot be kept while the buffer's
/// owner waits for the next call; two numbers can.
pub(crate) fn range_within(origin: usize, payload: &[u8]) -> Range<usize> {
    if payload.is_empty() {
        return 0..0;
    }
    let start = payload.as_ptr().addr().saturating_sub(origin);
    start..start.saturating_add(payload.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_point_into_the_buffer() {
        let buffer = [0_u8; 64];
        let origin = buffer.as_ptr().addr();
        assert_eq!(range_within(origin, &buffer[13..29]), 13..29);
        assert_eq!(range_within(origin, &buffer[..64]), 0..64);
        assert_eq!(range_within(origin, &[]), 0..0);
    }
}
