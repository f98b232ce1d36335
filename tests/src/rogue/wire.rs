//! What the rogue puts on the wire and takes off it: records of any kind, messages in any pieces. Owns bytes and keys,
//! not the order of messages.

use core::ops::Range;
use core::time::Duration;
use std::collections::BTreeMap;

use drystone_handshake::HandshakeType;
use drystone_record::{
    AdmittedTypes, ContentType, Protection, ReadEpoch, ReadEpochs, RecordNumber, Records, WriteEpoch,
};

/// The version in the header of every classic record but that of the first hello.
pub const VERSION: u16 = 0xfefd;

/// A handshake message, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its type.
    pub msg_type: HandshakeType,
    /// Its message_seq.
    pub message_seq: u16,
    /// Its body.
    pub body: Vec<u8>,
}

impl Message {
    /// The message with its header, in one piece.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.fragment(0, self.body.len())
    }

    /// A piece of it, honestly labelled.
    pub fn fragment(&self, offset: usize, length: usize) -> Vec<u8> {
        let mut bytes = fragment_header(
            self.msg_type,
            self.body.len() as u32,
            self.message_seq,
            offset as u32,
            length as u32,
        )
        .to_vec();
        bytes.extend_from_slice(&self.body[offset..offset + length]);
        bytes
    }

    /// All its pieces of at most `size` bytes, in order.
    pub fn fragments(&self, size: usize) -> Vec<Vec<u8>> {
        (0..self.body.len())
            .step_by(size)
            .map(|offset| self.fragment(offset, size.min(self.body.len() - offset)))
            .collect()
    }
}

/// The 12 bytes before every fragment (RFC 6347 section 4.2.2), with any claim.
pub fn fragment_header(
    msg_type: HandshakeType,
    length: u32,
    message_seq: u16,
    offset: u32,
    fragment_length: u32,
) -> [u8; 12] {
    let [_, l2, l1, l0] = length.to_be_bytes();
    let [s1, s0] = message_seq.to_be_bytes();
    let [_, o2, o1, o0] = offset.to_be_bytes();
    let [_, f2, f1, f0] = fragment_length.to_be_bytes();
    [msg_type.0, l2, l1, l0, s1, s0, o2, o1, o0, f2, f1, f0]
}

/// A classic record with any header. The body goes out as it is, whatever the epoch.
pub fn raw_record(content_type: ContentType, number: RecordNumber, body: &[u8]) -> Vec<u8> {
    let epoch = u16::try_from(number.epoch).expect("classic headers have 16 bits for the epoch");
    let mut record = vec![content_type.0];
    record.extend(VERSION.to_be_bytes());
    record.extend(epoch.to_be_bytes());
    record.extend(&number.sequence.to_be_bytes()[2..]);
    record.extend(u16::try_from(body.len()).expect("a record's length").to_be_bytes());
    record.extend_from_slice(body);
    record
}

/// A record with a unified header with all that it can have but a connection id (RFC 9147 section 4). The number goes
/// out as it is, as if it were masked, and so does the body.
pub fn raw_unified_record(epoch: u64, masked_number: u16, body: &[u8]) -> Vec<u8> {
    let mut record = vec![0x2c | (epoch & 3) as u8];
    record.extend(masked_number.to_be_bytes());
    record.extend(u16::try_from(body.len()).expect("a record's length").to_be_bytes());
    record.extend_from_slice(body);
    record
}

/// A record as it lies in a datagram: what its header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The content type.
    pub content_type: u8,
    /// The version field.
    pub version: u16,
    /// The record number.
    pub number: RecordNumber,
    /// The body, protected or not.
    pub body: Vec<u8>,
}

/// Cuts a datagram into its classic records.
///
/// # Panics
/// If it is not made of whole classic records.
pub fn cut(datagram: &[u8]) -> Vec<Cut> {
    let mut records = Vec::new();
    let mut rest = datagram;
    while let [content_type, v1, v0, e1, e0, s5, s4, s3, s2, s1, s0, l1, l0, body @ ..] = rest {
        let (body, following) = body.split_at(usize::from(u16::from_be_bytes([*l1, *l0])));
        records.push(Cut {
            content_type: *content_type,
            version: u16::from_be_bytes([*v1, *v0]),
            number: RecordNumber {
                epoch: u16::from_be_bytes([*e1, *e0]).into(),
                sequence: u64::from_be_bytes([0, 0, *s5, *s4, *s3, *s2, *s1, *s0]),
            },
            body: body.to_vec(),
        });
        rest = following;
    }
    assert!(rest.is_empty(), "a whole number of records");
    records
}

/// The epochs of the rogue's own records: plaintext, and protected ones once it has keys.
#[derive(Debug)]
pub(super) struct Writer {
    /// By their numbers. None is ever forgotten.
    epochs: BTreeMap<u64, WriteEpoch>,
    /// The epoch that the next records are written in, if its keys are there.
    pub(super) present: u64,
}

impl Writer {
    pub(super) fn new() -> Self {
        let plain = WriteEpoch::new(0, Protection::plaintext());
        Self { epochs: BTreeMap::from([(0, plain)]), present: 0 }
    }

    pub(super) fn install(&mut self, epoch: u64, protection: Protection) {
        self.epochs.insert(epoch, WriteEpoch::new(epoch, protection));
    }

    /// A record of this epoch: in plaintext if there are no keys for it.
    pub(super) fn record_in(&mut self, epoch: u64, content_type: ContentType, payload: &[u8]) -> Vec<u8> {
        let epoch = if self.epochs.contains_key(&epoch) { epoch } else { 0 };
        seal(self.epoch(epoch), content_type, payload)
    }

    /// An epoch that has its keys.
    pub(super) fn epoch(&mut self, epoch: u64) -> &mut WriteEpoch {
        self.epochs.get_mut(&epoch).expect("keys")
    }

    /// The latest epoch that has keys.
    pub(super) fn newest(&self) -> u64 {
        self.epochs.keys().last().copied().unwrap_or_default()
    }
}

/// Seals a payload into a record of its own buffer.
pub fn seal(epoch: &mut WriteEpoch, content_type: ContentType, payload: &[u8]) -> Vec<u8> {
    let overhead = epoch.overhead_of(payload.len());
    let mut buffer = vec![0; overhead.total() + payload.len()];
    let range = overhead.prefix..overhead.prefix + payload.len();
    buffer[range.clone()].copy_from_slice(payload);
    let sealed = epoch.seal(content_type, &mut buffer, range).expect("the rogue's key is not used up");
    buffer[sealed.range].to_vec()
}

/// Something that came from the victim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A handshake message for the first time.
    Message(Message),
    /// A piece of a message that was whole before.
    Repeat(HandshakeType, u16),
    /// A ChangeCipherSpec.
    ChangeCipherSpec,
    /// An alert.
    Alert {
        /// The epoch it came in.
        epoch: u64,
        /// 1 is warning, 2 is fatal.
        level: u8,
        /// Its code.
        description: u8,
    },
    /// Application data.
    Data(Vec<u8>),
    /// An ACK.
    Ack {
        /// The epoch it came in.
        epoch: u64,
        /// The records that it names.
        numbers: Vec<RecordNumber>,
    },
}

/// Opens and puts together what the victim sends.
#[derive(Debug)]
pub(super) struct Reader {
    epochs: ReadEpochs,
    partials: BTreeMap<u16, Partial>,
    pub(super) next: u16,
    /// Records that could not be opened.
    pub(super) unopened: usize,
    /// The numbers of all records that could.
    pub(super) numbers: Vec<RecordNumber>,
    /// Those among them that carried handshake messages.
    pub(super) handshakes: Vec<RecordNumber>,
    /// What each of those carried: message_seq and bytes of the message.
    pub(super) pieces: Vec<(RecordNumber, u16, Range<usize>)>,
    /// Epochs whose keys are gone, or never came.
    pub(super) without_keys: Vec<u64>,
}

#[derive(Debug)]
struct Partial {
    msg_type: HandshakeType,
    bytes: Vec<Option<u8>>,
}

impl Reader {
    pub(super) fn new() -> Self {
        let plain = ReadEpoch::new(0, Protection::plaintext(), AdmittedTypes::CLASSIC_PLAINTEXT);
        Self {
            epochs: ReadEpochs::new(plain),
            partials: BTreeMap::new(),
            next: 0,
            unopened: 0,
            numbers: Vec::new(),
            handshakes: Vec::new(),
            pieces: Vec::new(),
            without_keys: Vec::new(),
        }
    }

    pub(super) fn install(&mut self, epoch: u64, protection: Protection, admitted: AdmittedTypes) {
        self.epochs.install(ReadEpoch::new(epoch, protection, admitted));
    }

    /// The newest epoch whose keys are there.
    pub(super) fn newest(&self) -> u64 {
        self.epochs.newest().unwrap_or_default()
    }

    /// Opens the records of a datagram one after the other, so that `take` may install keys in between.
    pub(super) fn open_first(
        &mut self,
        datagram: &mut Vec<u8>,
    ) -> Option<(RecordNumber, ContentType, Vec<u8>)> {
        loop {
            let mut bytes = datagram.clone();
            let mut records = Records::new(&mut bytes);
            let record = records.next_record(0)?;
            let rest = records.remaining().len();
            let opened = record.ok().map(|record| self.epochs.open(record, Duration::ZERO));
            datagram.drain(..datagram.len() - rest);
            match opened {
                Some(Ok(opened)) if !self.without_keys.contains(&opened.number.epoch) => {
                    self.numbers.push(opened.number);
                    if opened.content_type == ContentType::HANDSHAKE {
                        self.handshakes.push(opened.number);
                    }
                    return Some((opened.number, opened.content_type, opened.payload.to_vec()));
                }
                _ => self.unopened += 1,
            }
        }
    }

    /// Takes in the fragments of a record; repeats are told at once.
    pub(super) fn fragments(&mut self, number: RecordNumber, mut payload: &[u8]) -> Vec<Heard> {
        let mut repeats = Vec::new();
        while let [t, l2, l1, l0, s1, s0, o2, o1, o0, f2, f1, f0, rest @ ..] = payload {
            let value =
                |bytes: [&u8; 3]| bytes.iter().fold(0_usize, |sum, byte| sum * 256 + usize::from(**byte));
            let (length, offset, size) = (value([l2, l1, l0]), value([o2, o1, o0]), value([f2, f1, f0]));
            let (msg_type, message_seq) = (HandshakeType(*t), u16::from_be_bytes([*s1, *s0]));
            let (piece, following) = rest.split_at(size);
            payload = following;
            self.pieces.push((number, message_seq, offset..offset + size));
            if message_seq < self.next {
                repeats.push(Heard::Repeat(msg_type, message_seq));
                continue;
            }
            let partial = self
                .partials
                .entry(message_seq)
                .or_insert_with(|| Partial { msg_type, bytes: vec![None; length] });
            for (to, from) in partial.bytes[offset..offset + size].iter_mut().zip(piece) {
                *to = Some(*from);
            }
        }
        assert!(payload.is_empty(), "the victim's fragments are whole");
        repeats
    }

    /// The next message in order, if it is whole.
    pub(super) fn next_message(&mut self) -> Option<Message> {
        let partial = self.partials.get(&self.next)?;
        let body = partial.bytes.iter().copied().collect::<Option<Vec<u8>>>()?;
        let message = Message { msg_type: partial.msg_type, message_seq: self.next, body };
        self.partials.remove(&self.next);
        self.next += 1;
        Some(message)
    }
}
