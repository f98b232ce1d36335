//! The bytes are a script for a sender, a network and a receiver of records: seal, keep, mutate, replay, change keys, or put
//! bytes of the script's own on the wire. Cutting must make progress; what is opened from a protected epoch was sealed so,
//! and is opened once; a record that arrives untouched and in order is opened.
//!
//! Half of the scripts run without cryptography, so that the fuzzer reaches what lies behind authentication.
#![no_main]

use core::ops::Range;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use drystone_record::*;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| {
    let mut input = Input(script);
    let mut bench = Bench::new(Setup::of(input.u8()));
    while !input.0.is_empty() {
        bench.step(&mut input);
    }
});

/// What the first byte of a script chooses.
#[derive(Clone, Copy)]
struct Setup {
    unified: bool,
    chacha: bool,
    real: bool,
    connection_id: &'static [u8],
    form: UnifiedForm,
    tag_length: usize,
}

impl Setup {
    fn of(byte: u8) -> Self {
        let bit = |bit: u8| byte >> bit & 1 == 1;
        Self {
            unified: bit(0),
            chacha: bit(1),
            real: bit(2),
            connection_id: if bit(3) { b"id" } else { b"" },
            form: if bit(4) { UnifiedForm::COMPACT } else { UnifiedForm::FULL },
            tag_length: if bit(2) || bit(5) { 16 } else { 4 },
        }
    }

    /// Keys follow from the epoch, so that both sides have the same.
    fn protection(self, epoch: u64) -> Protection {
        let secret = [epoch as u8; 32];
        let (aead, mask) = match self.chacha {
            true => (ring::CHACHA20_POLY1305, ring::MASK_CHACHA20),
            false => (ring::AES_128_GCM, ring::MASK_AES_128),
        };
        let key: Box<dyn AeadKey> = match self.real {
            true => aead.key(&secret[..aead.key_length()]).expect("a key of the right length"),
            false => Box::new(Unprotected),
        };
        if self.unified {
            let mask = mask.key(&secret[..mask.key_length()]).expect("a key of the right length");
            return Protection::unified(key, self.tag_length, [9; 12], mask, Limits::NONE);
        }
        let nonce = match self.chacha {
            true => ClassicNonce::Implicit { iv: [9; 12] },
            false => ClassicNonce::Explicit { salt: [9; 4] },
        };
        Protection::classic(key, self.tag_length, nonce, Limits::NONE)
    }

    fn admitted(self) -> AdmittedTypes {
        match (self.unified, self.connection_id.is_empty()) {
            (true, true) => AdmittedTypes::UNIFIED,
            (true, false) => AdmittedTypes::UNIFIED_WITH_CONNECTION_ID,
            (false, true) => AdmittedTypes::CLASSIC,
            (false, false) => AdmittedTypes::CLASSIC_WITH_CONNECTION_ID,
        }
    }
}

/// An AEAD that changes nothing and lets every other tag pass.
struct Unprotected;

impl AeadKey for Unprotected {
    fn seal(&self, _: &[u8; 12], _: &[u8], _: &mut [u8], tag: &mut [u8]) -> Result<(), AeadFailure> {
        tag.fill(0);
        Ok(())
    }

    fn open(&self, _: &[u8; 12], _: &[u8], _: &mut [u8], tag: &[u8]) -> Result<(), AeadFailure> {
        if tag.iter().fold(0, |sum, byte| sum ^ byte) & 1 == 0 { Ok(()) } else { Err(AeadFailure) }
    }
}

struct Bench {
    setup: Setup,
    writer: WriteEpoch,
    reader: ReadEpochs,
    now: Duration,
    kept: Vec<Vec<u8>>,
    sealed: BTreeMap<RecordNumber, (ContentType, Vec<u8>)>,
    opened: BTreeSet<RecordNumber>,
}

impl Bench {
    fn new(setup: Setup) -> Self {
        let plaintext = match setup.unified {
            true => AdmittedTypes::UNIFIED_PLAINTEXT,
            false => AdmittedTypes::CLASSIC_PLAINTEXT,
        };
        let mut bench = Self {
            setup,
            writer: WriteEpoch::new(0, Protection::plaintext()),
            reader: ReadEpochs::new(ReadEpoch::new(0, Protection::plaintext(), plaintext)),
            now: Duration::ZERO,
            kept: Vec::new(),
            sealed: BTreeMap::new(),
            opened: BTreeSet::new(),
        };
        bench.install(if setup.unified { 2 } else { 1 });
        bench
    }

    fn install(&mut self, epoch: u64) {
        self.writer = WriteEpoch::new(epoch, self.setup.protection(epoch));
        self.writer.set_unified_form(self.setup.form);
        self.writer.set_connection_id(self.setup.connection_id).expect("a short id");
        self.reader.install(ReadEpoch::new(epoch, self.setup.protection(epoch), self.setup.admitted()));
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.u8() & 7 {
            0 => {
                let (number, datagram) = self.seal(input);
                let ahead = number.sequence.checked_sub(self.largest_opened(number.epoch));
                self.deliver(datagram);
                // Further ahead, eight bits of a number do not tell it; behind it lies a forgery without cryptography.
                if ahead.is_some_and(|ahead| ahead < 100) {
                    assert!(self.opened.contains(&number), "{number:?} was not opened");
                }
            }
            1 => {
                let (_, datagram) = self.seal(input);
                self.kept.push(datagram);
            }
            // Lost on the way: so many numbers are never seen.
            2 => {
                let next = self.writer.next_number().sequence + u64::from(input.u8());
                self.writer.set_next_sequence(next).expect("a later number");
            }
            3 => {
                let (_, mut datagram) = self.seal(input);
                datagram.extend(self.seal(input).1);
                self.deliver(datagram);
            }
            4 => self.deliver_kept(input),
            5 => {
                let length = usize::from(input.u8());
                self.deliver(input.bytes(length).to_vec());
            }
            6 if self.setup.unified => self.install(self.writer.epoch() + 1),
            _ => {
                self.now += Duration::from_secs(u64::from(input.u8()));
                self.reader.retire_expired(self.now);
            }
        }
    }

    fn largest_opened(&self, epoch: u64) -> u64 {
        self.reader.get(epoch).and_then(ReadEpoch::largest_opened).unwrap_or(0)
    }

    /// Seals a payload that the script chooses, and remembers it.
    fn seal(&mut self, input: &mut Input<'_>) -> (RecordNumber, Vec<u8>) {
        let (length, value) = (usize::from(input.u8()), input.u8());
        let content_type =
            if value & 1 == 0 { ContentType::HANDSHAKE } else { ContentType::APPLICATION_DATA };
        let Overhead { prefix, suffix } = self.writer.overhead();
        let mut buffer = vec![value; prefix + length + suffix];
        let payload = prefix..prefix + length;
        let sealed = self.writer.seal(content_type, &mut buffer, payload).expect("far from every limit");
        self.sealed.insert(sealed.number, (content_type, vec![value; length]));
        (sealed.number, within(buffer, sealed.range))
    }

    /// Delivers an earlier datagram, as it was or with one byte changed, once more if the script says so.
    fn deliver_kept(&mut self, input: &mut Input<'_>) {
        let (which, at, change) = (input.u8(), input.u8(), input.u8());
        if self.kept.is_empty() {
            return;
        }
        let mut datagram = self.kept[usize::from(which) % self.kept.len()].clone();
        let at = usize::from(at) % datagram.len();
        datagram[at] ^= change;
        self.deliver(datagram);
    }

    fn deliver(&mut self, mut datagram: Vec<u8>) {
        let _ = peek_plaintext(&datagram);
        let mut records = Records::new(&mut datagram);
        loop {
            let before = records.remaining().len();
            let Some(cut) = records.next_record(self.setup.connection_id.len()) else {
                break;
            };
            assert!(records.remaining().len() < before, "no progress");
            if let Ok(record) = cut {
                let outcome = self.reader.open(record, self.now);
                check(self.setup, outcome, &self.sealed, &mut self.opened);
            }
        }
    }
}

/// What must hold for one record, whoever sent it.
fn check(
    setup: Setup,
    outcome: Result<Opened<'_>, OpenError>,
    sealed: &BTreeMap<RecordNumber, (ContentType, Vec<u8>)>,
    opened: &mut BTreeSet<RecordNumber>,
) {
    match outcome {
        Err(error) => {
            assert!(!setup.real || matches!(error, OpenError::Discard(_)), "a forgery is fatal: {error}")
        }
        Ok(record) => {
            assert!(record.payload.len() <= MAX_PAYLOAD, "too long");
            if record.number.epoch == 0 {
                return;
            }
            assert!(opened.insert(record.number), "{:?} was opened twice", record.number);
            if setup.real {
                let (content_type, payload) = &sealed[&record.number];
                assert_eq!(
                    (record.content_type, &*record.payload),
                    (*content_type, &payload[..]),
                    "a forgery"
                );
            }
        }
    }
}

fn within(mut buffer: Vec<u8>, range: Range<usize>) -> Vec<u8> {
    buffer.truncate(range.end);
    buffer.split_off(range.start)
}

/// The script: numbers are taken off the front, and past its end it reads as zeros.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn u8(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }
}
