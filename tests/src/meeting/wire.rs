//! What anybody on the path sees of a meeting, without keys: retries, epochs, sizes. Owns counters, so that no side has
//! to be believed about itself.

use drystone_handshake::HandshakeType;

use crate::link::Direction;

/// The random of a ServerHello that is a HelloRetryRequest: SHA-256 of "HelloRetryRequest" (RFC 9846 section 4.2.4).
const RETRY_RANDOM: [u8; 32] = *b"\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91\
    \xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c";

/// Bytes of a record's header in plaintext (RFC 9147 section 4).
const HEADER: usize = 13;

/// Bytes of a handshake message's header (RFC 9147 section 5.2).
const HANDSHAKE_HEADER: usize = 12;

/// An observer of both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wire {
    /// HelloVerifyRequests that the server sent.
    pub verify_requests: u32,
    /// HelloRetryRequests that the server sent.
    pub retry_requests: u32,
    ways: [Way; 2],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Way {
    epoch: u64,
    largest: usize,
}

impl Wire {
    /// Notes a datagram as it was sent.
    pub fn note(&mut self, direction: Direction, datagram: &[u8]) {
        let way = &mut self.ways[direction as usize];
        way.largest = way.largest.max(datagram.len());
        let mut rest = datagram;
        while let [first, ..] = *rest {
            // A unified header begins with 001 and ends with two bits of the epoch (RFC 9147 section 4).
            if first >> 5 == 0b001 {
                way.note_epoch_bits(first & 0b11);
                break;
            }
            let Some(length) = rest.get(11..HEADER).map(|two| usize::from(two[0]) << 8 | usize::from(two[1]))
            else {
                break;
            };
            let Some(payload) = rest.get(HEADER..HEADER + length) else { break };
            if rest[..5] == [22, 0xfe, rest[2], 0, 0] {
                match payload.first().map(|first| HandshakeType(*first)) {
                    Some(HandshakeType::HELLO_VERIFY_REQUEST) => self.verify_requests += 1,
                    Some(HandshakeType::SERVER_HELLO) if is_retry(payload) => self.retry_requests += 1,
                    _ => {}
                }
            }
            rest = &rest[HEADER + length..];
        }
    }

    /// The highest epoch of DTLS 1.3 in which something was sent; 0 if none was.
    pub fn epoch(&self, direction: Direction) -> u64 {
        self.ways[direction as usize].epoch
    }

    /// Bytes in the largest datagram.
    pub fn largest(&self, direction: Direction) -> usize {
        self.ways[direction as usize].largest
    }
}

impl Way {
    /// Epochs come one after the other, the first protected one is 2, and nobody is four of them behind.
    fn note_epoch_bits(&mut self, bits: u8) {
        if self.epoch == 0 {
            self.epoch = 2;
        }
        if u64::from(bits) == (self.epoch + 1) & 0b11 {
            self.epoch += 1;
        }
    }
}

/// Whether this first fragment of a ServerHello is a HelloRetryRequest.
fn is_retry(fragment: &[u8]) -> bool {
    // After the handshake header and the legacy version.
    fragment.get(HANDSHAKE_HEADER + 2..).is_some_and(|body| body.starts_with(&RETRY_RANDOM))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plaintext(handshake: &[u8]) -> Vec<u8> {
        let mut record = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0];
        record.extend_from_slice(&(handshake.len() as u16).to_be_bytes());
        record.extend_from_slice(handshake);
        record
    }

    fn server_hello(random: &[u8; 32]) -> Vec<u8> {
        let mut hello = vec![2; HANDSHAKE_HEADER];
        hello.extend_from_slice(&[0xfe, 0xfd]);
        hello.extend_from_slice(random);
        plaintext(&hello)
    }

    #[test]
    fn the_magic_random_is_what_the_standard_says() {
        let digest = ring::digest::digest(&ring::digest::SHA256, b"HelloRetryRequest");
        assert_eq!(digest.as_ref(), RETRY_RANDOM);
    }

    #[test]
    fn retries_are_told_from_hellos_also_behind_other_records() {
        let mut wire = Wire::default();
        wire.note(Direction::ToClient, &server_hello(&[7; 32]));
        assert_eq!((wire.retry_requests, wire.verify_requests), (0, 0));
        let both = [plaintext(&[3; 20]), server_hello(&RETRY_RANDOM)].concat();
        wire.note(Direction::ToClient, &both);
        assert_eq!((wire.retry_requests, wire.verify_requests), (1, 1));
        assert_eq!(wire.largest(Direction::ToClient), both.len());
        assert_eq!(wire.largest(Direction::ToServer), 0);
        // Cut short, or in an epoch with keys, it is nothing.
        wire.note(Direction::ToClient, &both[..HEADER]);
        let mut keyed = plaintext(&[3; 20]);
        keyed[4] = 1;
        wire.note(Direction::ToClient, &keyed);
        assert_eq!(wire.verify_requests, 1);
    }

    #[test]
    fn epochs_follow_each_other() {
        let mut wire = Wire::default();
        for (bits, expected) in [(2, 2), (3, 3), (2, 3), (0, 4), (3, 4), (1, 5), (0, 5)] {
            wire.note(Direction::ToServer, &[0b0010_1100 | bits, 0, 0]);
            assert_eq!(wire.epoch(Direction::ToServer), expected);
        }
        assert_eq!(wire.epoch(Direction::ToClient), 0);
    }
}
