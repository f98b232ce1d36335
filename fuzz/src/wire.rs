//! Datagrams that look honest: records and handshake messages with right lengths around wrong content.

use drystone_tests::null::OPEN_TAG;

use crate::Input;

const RECORD_HEADER: usize = 13;
const EXPLICIT_NONCE: usize = 8;
const MESSAGE_HEADER: usize = 12;

const HANDSHAKE: u8 = 22;
const ACK: u8 = 26;

/// The first bits of a unified header (RFC 9147 section 4).
const UNIFIED: u8 = 0b0010_0000;
/// A sequence number of 16 bits, and a length: the form in which drystone writes by default.
const UNIFIED_FULL: u8 = UNIFIED | 0b1100;
const UNIFIED_HEADER: usize = 5;

/// How the records after epoch 0 look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As in DTLS 1.2 (RFC 6347 section 4.1), with an explicit nonce.
    Classic,
    /// As in DTLS 1.3 (RFC 9147 section 4), with record numbers in the clear.
    Unified,
}

impl Form {
    /// The epochs that a handshake message can be in: all of the form, and one that does not exist yet.
    fn epochs(self) -> u8 {
        match self {
            Self::Classic => 1,
            Self::Unified => 3,
        }
    }
}

/// A record; after epoch 0 with the tag of the open null AEAD.
pub(crate) fn record(form: Form, content_type: u8, epoch: u16, sequence: u64, payload: &[u8]) -> Vec<u8> {
    match form {
        Form::Unified if epoch > 0 => unified(content_type, epoch, sequence, payload),
        _ => classic(content_type, epoch, sequence, payload),
    }
}

fn unified(content_type: u8, epoch: u16, sequence: u64, payload: &[u8]) -> Vec<u8> {
    let length = payload.len() + 1 + OPEN_TAG.len();
    let mut record = vec![UNIFIED_FULL | (epoch & 3) as u8];
    record.extend((sequence as u16).to_be_bytes());
    record.extend((length as u16).to_be_bytes());
    record.extend(payload);
    record.push(content_type);
    record.extend(OPEN_TAG);
    record
}

fn classic(content_type: u8, epoch: u16, sequence: u64, payload: &[u8]) -> Vec<u8> {
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
pub(crate) fn message(form: Form, input: &mut Input<'_>) -> Vec<u8> {
    let (msg_type, message_seq, epoch) = (input.u8(), input.u8(), input.u8() & form.epochs());
    let body = input.string();
    let fragment = fragment(msg_type, body.len() as u32, message_seq.into(), 0, body);
    record(form, HANDSHAKE, epoch.into(), sequence(input), &fragment)
}

/// A fragment of a handshake message of the script's own.
pub(crate) fn piece(form: Form, input: &mut Input<'_>) -> Vec<u8> {
    let (msg_type, message_seq, epoch) = (input.u8(), input.u8(), input.u8() & form.epochs());
    let (length, offset) = (input.u16(), input.u16());
    let fragment = fragment(msg_type, length.into(), message_seq.into(), offset.into(), input.string());
    record(form, HANDSHAKE, epoch.into(), sequence(input), &fragment)
}

/// A record of any type with a payload of the script's own.
pub(crate) fn any_record(form: Form, input: &mut Input<'_>) -> Vec<u8> {
    let (content_type, epoch) = (20 + input.u8() % 8, input.u8() & 3);
    let payload = input.string();
    record(form, content_type, epoch.into(), sequence(input), payload)
}

/// An ACK (RFC 9147 section 7) of a run of record numbers of one epoch.
pub(crate) fn ack(form: Form, input: &mut Input<'_>) -> Vec<u8> {
    let (epoch, of, first, count) = (input.u8() & 3, input.u8() & 7, input.u8(), input.u8() & 15);
    let mut payload = (u16::from(count) * 16).to_be_bytes().to_vec();
    for sequence in (u64::from(first)..).take(count.into()) {
        payload.extend(u64::from(of).to_be_bytes());
        payload.extend(sequence.to_be_bytes());
    }
    record(form, ACK, epoch.into(), sequence(input), &payload)
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
pub(crate) fn rewrite(form: Form, datagram: &[u8], input: &mut Input<'_>) -> Option<Vec<u8>> {
    let (which, at, drop) = (input.u8() & 7, usize::from(input.u8()), usize::from(input.u8() & 63));
    let insert = input.string();
    let (epoch, fragment) = handshake_fragments(datagram).into_iter().cycle().nth(which.into())?;
    let (header, body) = fragment.split_at_checked(MESSAGE_HEADER)?;
    let at = at.min(body.len());
    let end = body.len().min(at + drop);
    let body = [&body[..at], insert, &body[end..]].concat();
    let message_seq = u16::from_be_bytes([header[4], header[5]]);
    let fragment = self::fragment(header[0], body.len() as u32, message_seq, 0, &body);
    Some(record(form, HANDSHAKE, epoch, sequence(input), &fragment))
}

/// Epoch and bytes of each whole handshake message that has a place in one record. Honest datagrams only.
fn handshake_fragments(datagram: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut found = Vec::new();
    let mut rest = datagram;
    while let Some((content_type, epoch, mut body)) = next_record(&mut rest) {
        while content_type == HANDSHAKE && body.len() >= MESSAGE_HEADER {
            let length = usize::from(u16::from_be_bytes([body[10], body[11]]));
            let Some((fragment, after)) = body.split_at_checked(MESSAGE_HEADER + length) else { break };
            found.push((epoch, fragment.to_vec()));
            body = after;
        }
    }
    found
}

/// Whether a record of a datagram has the header of protected records of DTLS 1.3.
pub(crate) fn has_unified_record(datagram: &[u8]) -> bool {
    let mut rest = datagram;
    while let Some(first) = rest.first() {
        if first & 0b1110_0000 == UNIFIED {
            return true;
        }
        let Some((header, after)) = rest.split_at_checked(RECORD_HEADER) else { break };
        let length = u16::from_be_bytes([header[11], header[12]]);
        rest = after.get(usize::from(length)..).unwrap_or_default();
    }
    false
}

/// Cuts a record off: its content type, its epoch and its payload.
fn next_record<'a>(rest: &mut &'a [u8]) -> Option<(u8, u16, &'a [u8])> {
    let first = *rest.first()?;
    let is_unified = first & 0b1110_0000 == UNIFIED;
    let (header, after) = rest.split_at_checked(if is_unified { UNIFIED_HEADER } else { RECORD_HEADER })?;
    let (_, length) = header.split_last_chunk()?;
    let (body, after) = after.split_at_checked(u16::from_be_bytes(*length).into())?;
    *rest = after;
    let text_end = body.len().saturating_sub(OPEN_TAG.len());
    if is_unified {
        // Zeros pad the inner text (RFC 9846 section 5.4).
        let end = body[..text_end].iter().rposition(|byte| *byte != 0)?;
        return Some((body[end], u16::from(first & 3), &body[..end]));
    }
    let epoch = u16::from_be_bytes([header[3], header[4]]);
    let payload = match epoch {
        0 => body,
        _ => body.get(EXPLICIT_NONCE..text_end).unwrap_or_default(),
    };
    Some((first, epoch, payload))
}
