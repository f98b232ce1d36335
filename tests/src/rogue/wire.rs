//! What the rogue puts on the wire and takes off it: records of any kind, messages in any pieces. Owns bytes and keys,
//! not the order of messages.

use core::time::Duration;
use std::collections::BTreeMap;

use drystone_handshake::message::registry::HandshakeType;
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

/// The epochs of the rogue's own records: plaintext, and protected once it has keys.
#[derive(Debug)]
pub(super) struct Writer {
    plain: WriteEpoch,
    sealed: Option<WriteEpoch>,
    pub(super) use_keys: bool,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self { plain: WriteEpoch::new(0, Protection::plaintext()), sealed: None, use_keys: false }
    }

    pub(super) fn install(&mut self, protection: Protection) {
        self.sealed = Some(WriteEpoch::new(1, protection));
    }

    /// A record of the present epoch: protected if the keys are there and in use.
    pub(super) fn record(&mut self, content_type: ContentType, payload: &[u8]) -> Vec<u8> {
        match &mut self.sealed {
            Some(epoch) if self.use_keys => seal(epoch, content_type, payload),
            _ => seal(&mut self.plain, content_type, payload),
        }
    }

    /// The protected epoch.
    pub(super) fn sealed(&mut self) -> &mut WriteEpoch {
        self.sealed.as_mut().expect("keys")
    }

    pub(super) fn plain(&mut self) -> &mut WriteEpoch {
        &mut self.plain
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
        }
    }

    pub(super) fn install(&mut self, protection: Protection) {
        self.epochs.install(ReadEpoch::new(1, protection, AdmittedTypes::CLASSIC));
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
                Some(Ok(opened)) => {
                    self.numbers.push(opened.number);
                    return Some((opened.number, opened.content_type, opened.payload.to_vec()));
                }
                _ => self.unopened += 1,
            }
        }
    }

    /// Takes in the fragments of a record; repeats are told at once.
    pub(super) fn fragments(&mut self, mut payload: &[u8]) -> Vec<Heard> {
        let mut repeats = Vec::new();
        while let [t, l2, l1, l0, s1, s0, o2, o1, o0, f2, f1, f0, rest @ ..] = payload {
            let number =
                |bytes: [&u8; 3]| bytes.iter().fold(0_usize, |sum, byte| sum * 256 + usize::from(**byte));
            let (length, offset, size) = (number([l2, l1, l0]), number([o2, o1, o0]), number([f2, f1, f0]));
            let (msg_type, message_seq) = (HandshakeType(*t), u16::from_be_bytes([*s1, *s0]));
            let (piece, following) = rest.split_at(size);
            payload = following;
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
