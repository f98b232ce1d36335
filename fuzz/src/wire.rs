//! Datagrams that look honest: records and handshake messages with right lengths around wrong content.

use drystone_tests::null::OPEN_TAG;

use crate::Input;

const RECORD_HEADER: usize = 13;
const EXPLICIT_NONCE: usize = 8;
const MESSAGE_HEADER: usize = 12;

const HANDSHAKE: u8 = 22;

/// A record of DTLS 1.2 (RFC 6347 section 4.1); after epoch 0 with an explicit nonce and the tag of the open null AEAD.
pub(crate) fn record(content_type: u8, epoch: u16, sequence: u64, payload: &[u8]) -> Vec<u8> {
    let protected = epoch > 0;
    let length = payload.len() + if protected { EXPLICIT_NONCE + OPEN_TAG.len() } else { 0 };
    let mut record = vec![content_type, 0xfe, 0xfd];
    record.extend(epoch.to_be_bytes());
    record.extend(&sequence.to_be_bytes()[2..]);
    record.extend((length as u16).to_be_bytes());
    if protected {
        record.extend([9; EXPLICIT_NONCE]);
    }
    record.extend(payload);
    if protected {
        record.extend(OPEN_TAG);
    }
    record
}

/// A fragment of a handshake message (RFC 6347 section 4.2.2).
fn fragment(msg_type: u8, length: u32, message_seq: u16, offset: u32, payload: &[u8]) -> Vec<u8> {
    let mut fragment = vec![msg_type];
    fragment.extend(&length.to_be_bytes()[1..]);
    fragment.extend(message_seq.to_be_bytes());
    fragment.extend(&offset.to_be_bytes()[1..]);
    fragment.extend(&(payload.len() as u32).to_be_bytes()[1..]);
    fragment.extend(payload);
    fragment
}

/// A whole handshake message of the script's own.
pub(crate) fn message(input: &mut Input<'_>) -> Vec<u8> {
    let (msg_type, message_seq, epoch) = (input.u8(), input.u8(), input.u8() & 1);
    let body = input.string();
    let fragment = fragment(msg_type, body.len() as u32, message_seq.into(), 0, body);
    record(HANDSHAKE, epoch.into(), sequence(input), &fragment)
}

/// A fragment of a handshake message of the script's own.
pub(crate) fn piece(input: &mut Input<'_>) -> Vec<u8> {
    let (msg_type, message_seq, epoch) = (input.u8(), input.u8(), input.u8() & 1);
    let (length, offset) = (input.u16(), input.u16());
    let fragment = fragment(msg_type, length.into(), message_seq.into(), offset.into(), input.string());
    record(HANDSHAKE, epoch.into(), sequence(input), &fragment)
}

/// A record of any type with a payload of the script's own.
pub(crate) fn any_record(input: &mut Input<'_>) -> Vec<u8> {
    let (content_type, epoch) = (20 + input.u8() % 8, input.u8() & 3);
    let payload = input.string();
    record(content_type, epoch.into(), sequence(input), payload)
}

/// A sequence number that the replay window has not seen, most of the time.
fn sequence(input: &mut Input<'_>) -> u64 {
    100 + u64::from(input.u8())
}

/// Damages a datagram as a network or a clumsy attacker does.
pub(crate) fn mutate(datagram: &mut Vec<u8>, input: &mut Input<'_>) {
    let (how, at) = (input.u8(), usize::from(input.u16()) % datagram.len());
    match how & 3 {
        0 => datagram[at] ^= input.u8(),
        1 => datagram.truncate(at),
        2 => {
            let end = datagram.len().min(at + usize::from(input.u8()));
            datagram.drain(at..end);
        }
        _ => {
            datagram.splice(at..at, input.string().iter().copied());
        }
    }
}

/// Replaces a part of the body of the datagram's first whole handshake message, and corrects every length: what lies
/// behind the reading of headers sees the change. `None` if there is no such message.
pub(crate) fn rewrite(datagram: &[u8], input: &mut Input<'_>) -> Option<Vec<u8>> {
    let (which, at, drop) = (input.u8() & 7, usize::from(input.u8()), usize::from(input.u8() & 63));
    let insert = input.string();
    let (epoch, fragment) = handshake_fragments(datagram).into_iter().cycle().nth(which.into())?;
    let (header, body) = fragment.split_at_checked(MESSAGE_HEADER)?;
    let at = at.min(body.len());
    let end = body.len().min(at + drop);
    let body = [&body[..at], insert, &body[end..]].concat();
    let message_seq = u16::from_be_bytes([header[4], header[5]]);
    let fragment = self::fragment(header[0], body.len() as u32, message_seq, 0, &body);
    Some(record(HANDSHAKE, epoch, sequence(input), &fragment))
}

/// Epoch and bytes of each whole handshake message that has a place in one record. Honest datagrams only.
fn handshake_fragments(datagram: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut found = Vec::new();
    let mut rest = datagram;
    while let Some((header, after)) = rest.split_at_checked(RECORD_HEADER) {
        let length = usize::from(u16::from_be_bytes([header[11], header[12]]));
        let Some((body, after)) = after.split_at_checked(length) else { break };
        rest = after;
        let epoch = u16::from_be_bytes([header[3], header[4]]);
        let mut body = match epoch {
            0 => body,
            _ => body.get(EXPLICIT_NONCE..length.saturating_sub(OPEN_TAG.len())).unwrap_or_default(),
        };
        while header[0] == HANDSHAKE && body.len() >= MESSAGE_HEADER {
            let length = usize::from(u16::from_be_bytes([body[10], body[11]]));
            let Some((fragment, after)) = body.split_at_checked(MESSAGE_HEADER + length) else { break };
            found.push((epoch, fragment.to_vec()));
            body = after;
        }
    }
    found
}
