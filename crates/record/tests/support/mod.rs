//! What the record layer's tests share: protections of every shape, sealing into a fresh buffer, cutting and opening
//! one datagram, and AEADs that encrypt nothing or remember their nonces.
#![allow(dead_code)] // Each test binary uses its part.

use drystone_record::*;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};

/// Every kind of protection that a pair of ends can share.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    Explicit,
    Implicit,
    Unified,
    UnifiedChaCha,
    /// The null AEAD with a tag of so many bytes.
    NullClassic(usize),
    NullUnified(usize),
}

pub(crate) const SHAPES: [Shape; 8] = [
    Shape::Explicit,
    Shape::Implicit,
    Shape::Unified,
    Shape::UnifiedChaCha,
    Shape::NullClassic(0),
    Shape::NullClassic(8),
    Shape::NullUnified(0),
    Shape::NullUnified(8),
];

/// The shapes whose AEAD notices every change.
pub(crate) const AUTHENTIC: [Shape; 4] =
    [Shape::Explicit, Shape::Implicit, Shape::Unified, Shape::UnifiedChaCha];

impl Shape {
    pub(crate) fn protection(self, limits: Limits) -> Protection {
        let aead = |aead: &dyn Aead| aead.key(&vec![7; aead.key_length()]).unwrap();
        let mask = |mask: &dyn Mask| mask.key(&vec![9; mask.key_length()]).unwrap();
        let salt = ClassicNonce::Explicit { salt: [1, 2, 3, 4] };
        match self {
            Self::Explicit => Protection::classic(aead(ring::AES_128_GCM), 16, salt, limits),
            Self::Implicit => {
                let nonce = ClassicNonce::Implicit { iv: [5; 12] };
                Protection::classic(aead(ring::CHACHA20_POLY1305), 16, nonce, limits)
            }
            Self::Unified => {
                let mask = mask(ring::MASK_AES_256);
                Protection::unified(aead(ring::AES_256_GCM), 16, [5; 12], mask, limits)
            }
            Self::UnifiedChaCha => {
                let mask = mask(ring::MASK_CHACHA20);
                Protection::unified(aead(ring::CHACHA20_POLY1305), 16, [5; 12], mask, limits)
            }
            Self::NullClassic(tag) => Protection::classic(Box::new(NullKey::default()), tag, salt, limits),
            Self::NullUnified(tag) => {
                let mask = mask(ring::MASK_AES_128);
                Protection::unified(Box::new(NullKey::default()), tag, [5; 12], mask, limits)
            }
        }
    }

    pub(crate) fn is_unified(self) -> bool {
        matches!(self, Self::Unified | Self::UnifiedChaCha | Self::NullUnified(_))
    }

    pub(crate) fn epoch(self) -> u64 {
        if self.is_unified() { 3 } else { 1 }
    }

    pub(crate) fn admitted(self, connection_id: bool) -> AdmittedTypes {
        match (self.is_unified(), connection_id) {
            (true, false) => AdmittedTypes::UNIFIED,
            (true, true) => AdmittedTypes::UNIFIED_WITH_CONNECTION_ID,
            (false, false) => AdmittedTypes::CLASSIC,
            (false, true) => AdmittedTypes::CLASSIC_WITH_CONNECTION_ID,
        }
    }

    pub(crate) fn reader(self) -> ReadEpoch {
        self.reader_with(Limits::NONE)
    }

    pub(crate) fn reader_with(self, limits: Limits) -> ReadEpoch {
        ReadEpoch::new(self.epoch(), self.protection(limits), self.admitted(false))
    }

    pub(crate) fn writer(self) -> WriteEpoch {
        self.writer_with(Limits::NONE)
    }

    pub(crate) fn writer_with(self, limits: Limits) -> WriteEpoch {
        WriteEpoch::new(self.epoch(), self.protection(limits))
    }
}

/// Seals a payload in a buffer that is exactly large enough.
pub(crate) fn seal(
    epoch: &mut WriteEpoch,
    content_type: ContentType,
    payload: &[u8],
) -> Result<Vec<u8>, SealError> {
    let Overhead { prefix, suffix } = epoch.overhead_of(payload.len());
    let mut buffer = vec![0xee; prefix + payload.len() + suffix];
    buffer[prefix..prefix + payload.len()].copy_from_slice(payload);
    let sealed = epoch.seal(content_type, &mut buffer, prefix..prefix + payload.len())?;
    assert_eq!(sealed.range, 0..buffer.len());
    Ok(buffer)
}

/// Seals application data.
pub(crate) fn seal_data(epoch: &mut WriteEpoch, payload: &[u8]) -> Vec<u8> {
    seal(epoch, ContentType::APPLICATION_DATA, payload).unwrap()
}

/// Cuts the only record of a datagram and opens it.
pub(crate) fn open(
    epoch: &mut ReadEpoch,
    datagram: &[u8],
    own_connection_id_length: usize,
) -> Result<(RecordNumber, ContentType, Vec<u8>), OpenError> {
    let mut datagram = datagram.to_vec();
    let mut records = Records::new(&mut datagram);
    let record = records.next_record(own_connection_id_length).expect("a record")?;
    let opened = epoch.open(record)?;
    Ok((opened.number, opened.content_type, opened.payload.to_vec()))
}

/// An AEAD that encrypts nothing. Its tag is a sum, so that damage is noticed, and every nonce may be remembered.
#[derive(Default)]
pub(crate) struct NullKey {
    pub(crate) nonces: Option<Arc<Mutex<HashSet<[u8; 12]>>>>,
    /// Whether it seals nothing after all.
    pub(crate) fails: bool,
}

impl NullKey {
    fn sum(nonce: &[u8; 12], additional_data: &[u8], text: &[u8]) -> u8 {
        nonce
            .iter()
            .chain(additional_data)
            .chain(text)
            .fold(0x5a, |sum: u8, &byte| sum.rotate_left(1).wrapping_add(byte))
    }
}

impl AeadKey for NullKey {
    fn seal(
        &self,
        nonce: &[u8; 12],
        additional_data: &[u8],
        in_out: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), AeadFailure> {
        if let Some(nonces) = &self.nonces {
            assert!(nonces.lock().unwrap().insert(*nonce), "nonce used twice: {nonce:?}");
        }
        if self.fails {
            return Err(AeadFailure);
        }
        tag.fill(Self::sum(nonce, additional_data, in_out));
        Ok(())
    }

    fn open(
        &self,
        nonce: &[u8; 12],
        additional_data: &[u8],
        in_out: &mut [u8],
        tag: &[u8],
    ) -> Result<(), AeadFailure> {
        let sum = Self::sum(nonce, additional_data, in_out);
        if tag.iter().all(|&byte| byte == sum) { Ok(()) } else { Err(AeadFailure) }
    }
}
