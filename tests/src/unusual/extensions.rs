//! Extensions that nobody knows, in the messages in which a peer may send some that were not asked for: receivers must ignore
//! them (RFC 9846 section 4.3, RFC 5246 section 7.4.1.4).

use crate::rogue::{Rogue, Step};

/// A type that is neither assigned nor reserved, with a body of five bytes.
const UNKNOWN: [u8; 9] = [0x7a, 0x31, 0, 5, 1, 2, 3, 4, 5];

/// Has the rogue add one to each of these messages.
pub(super) fn add_to(rogue: &mut Rogue, is_13: bool) {
    rogue.alter(Step::ClientHello, |body| {
        let mut place = 2 + 32;
        // session_id, cookie, cipher_suites, compression_methods
        for width in [1, 1, 2, 1] {
            place = after_vector(body, place, width);
        }
        append(body, place);
    });
    if is_13 {
        rogue.alter(Step::CertificateRequest, |body| {
            let place = after_vector(body, 0, 1);
            append(body, place);
        });
        rogue.alter(Step::NewSessionTicket, |body| {
            // ticket_lifetime and ticket_age_add, then ticket_nonce and ticket
            let place = after_vector(body, 4 + 4, 1);
            let place = after_vector(body, place, 2);
            append(body, place);
        });
    }
}

/// Where the vector ends that begins here with a length of so many bytes.
fn after_vector(body: &[u8], place: usize, width: usize) -> usize {
    let length = body[place..place + width].iter().fold(0, |sum, byte| sum * 256 + usize::from(*byte));
    place + width + length
}

/// Appends to the extensions, which begin here with their length and end the message.
fn append(body: &mut Vec<u8>, place: usize) {
    body.extend(UNKNOWN);
    let length = u16::try_from(body.len() - place - 2).expect("a short message");
    body[place..place + 2].copy_from_slice(&length.to_be_bytes());
}
