//! The transcript of the handshake: which bytes of which messages are hashed, and with what. Knows no message's
//! content, and asks for no version: the framing is given when the hash becomes known.

#![cfg_attr(not(test), allow(dead_code, reason = "the framing and the retries of DTLS 1.3 wait for it"))]

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::crypto::{Digest, Hash, HashContext};
use crate::flight::Message;
use crate::message::registry::HandshakeType;

/// How a message's header enters the transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// DTLS 1.2: all 12 bytes, as if the message had not been fragmented (RFC 6347 section 4.2.6).
    WithFragmentFields,
    /// DTLS 1.3: type and length only, as in TLS (RFC 9147 section 5.2).
    WithoutFragmentFields,
}

/// More bytes were to be kept than the limit allows, or a message is longer than its length field can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TranscriptFull;

/// The messages before the suite is chosen, and with it hash and framing. Kept raw.
#[derive(Debug)]
pub(crate) struct TranscriptBuffer {
    messages: Vec<(HandshakeType, u16, Vec<u8>)>,
    /// Bytes that may still be kept, headers included.
    remaining: usize,
    limit: usize,
}

impl TranscriptBuffer {
    /// An empty transcript that keeps at most `limit` bytes, headers included, here and in the [`Transcript`].
    pub(crate) fn new(limit: usize) -> Self {
        Self { messages: Vec::new(), remaining: limit, limit }
    }

    /// Appends a whole message.
    pub(crate) fn push(
        &mut self,
        msg_type: HandshakeType,
        message_seq: u16,
        body: &[u8],
    ) -> Result<(), TranscriptFull> {
        length_field(body)?;
        let size = body.len().checked_add(12).ok_or(TranscriptFull)?;
        self.remaining = self.remaining.checked_sub(size).ok_or(TranscriptFull)?;
        self.messages.push((msg_type, message_seq, body.to_vec()));
        Ok(())
    }

    /// Forgets everything: a ClientHello that a HelloVerifyRequest answers is not part of the transcript, nor is
    /// the HelloVerifyRequest (RFC 6347 section 4.2.1).
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.limit);
    }

    /// Begins to hash, with what was kept. `keep_raw`: whether the bytes are kept too, because the hash of a
    /// CertificateVerify in DTLS 1.2 is not known before its signature scheme is.
    pub(crate) fn into_transcript(
        self,
        framing: Framing,
        hash: &'static dyn Hash,
        keep_raw: bool,
    ) -> Transcript {
        let mut transcript = Transcript::new(framing, hash, keep_raw.then_some(self.limit));
        for (msg_type, message_seq, body) in &self.messages {
            transcript
                .push(*msg_type, *message_seq, body)
                .expect("the same messages were within the same limit when they were kept");
        }
        transcript
    }
}

/// The transcript once its hash is known.
pub(crate) struct Transcript {
    framing: Framing,
    hash: &'static dyn Hash,
    context: Box<dyn HashContext>,
    raw: Option<Raw>,
}

/// The bytes that were hashed.
#[derive(Debug)]
struct Raw {
    bytes: Vec<u8>,
    limit: usize,
}

impl Transcript {
    fn new(framing: Framing, hash: &'static dyn Hash, raw_limit: Option<usize>) -> Self {
        let raw = raw_limit.map(|limit| Raw { bytes: Vec::new(), limit });
        Self { framing, hash, context: hash.start(), raw }
    }

    /// The transcript of a server that kept nothing of ClientHello1 but its hash, in the cookie. Begins with the
    /// message_hash that stands for that message (RFC 9846 section 4.1); HelloRetryRequest comes next.
    pub(crate) fn after_stateless_retry(hash: &'static dyn Hash, hello1_hash: &Digest) -> Self {
        let mut transcript = Self::new(Framing::WithoutFragmentFields, hash, None);
        let hello1_hash = hello1_hash.as_ref();
        let length = u8::try_from(hello1_hash.len()).expect("a digest has at most 64 bytes");
        transcript.context.update(&[HandshakeType::MESSAGE_HASH.0, 0, 0, length]);
        transcript.context.update(hello1_hash);
        transcript
    }

    /// Puts the message_hash of RFC 9846 section 4.1 in the place of everything so far, which must be exactly
    /// ClientHello1: a client calls this when it receives HelloRetryRequest, before it appends that message.
    pub(crate) fn replace_hello_with_message_hash(self) -> Self {
        Self::after_stateless_retry(self.hash, &self.current_hash())
    }

    /// Appends a whole message. An error only arises while the bytes are kept.
    pub(crate) fn push(
        &mut self,
        msg_type: HandshakeType,
        message_seq: u16,
        body: &[u8],
    ) -> Result<(), TranscriptFull> {
        let length = length_field(body)?;
        let [a, b, c] = length;
        let [d, e] = message_seq.to_be_bytes();
        // message_seq, fragment_offset 0, fragment_length: the whole.
        let header = [msg_type.0, a, b, c, d, e, 0, 0, 0, a, b, c];
        let header = match self.framing {
            Framing::WithFragmentFields => header.as_slice(),
            Framing::WithoutFragmentFields => header.first_chunk::<4>().map_or(&[][..], |short| short),
        };
        if let Some(raw) = &mut self.raw {
            raw.append(&[header, body])?;
        }
        self.context.update(header);
        self.context.update(body);
        Ok(())
    }

    /// Appends a message of the peer's.
    pub(crate) fn add(&mut self, message: Message<'_>) -> Result<(), TranscriptFull> {
        self.push(message.msg_type, message.message_seq, message.body)
    }

    /// The hash of the messages so far.
    pub(crate) fn current_hash(&self) -> Digest {
        self.context.current()
    }

    /// The messages so far as they were hashed, if they are kept: what CertificateVerify signs in DTLS 1.2
    /// (RFC 5246 section 7.4.8).
    pub(crate) fn raw(&self) -> Option<&[u8]> {
        self.raw.as_ref().map(|raw| raw.bytes.as_slice())
    }

    /// The hash of the messages so far under another hash, if they are kept.
    pub(crate) fn hash_of_raw_with(&self, hash: &dyn Hash) -> Option<Digest> {
        Some(hash.hash(&[self.raw()?]))
    }

    /// Keeps only the hash from now on.
    pub(crate) fn forget_raw(&mut self) {
        self.raw = None;
    }
}

impl core::fmt::Debug for Transcript {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let kept = self.raw().map(<[u8]>::len);
        f.debug_struct("Transcript")
            .field("framing", &self.framing)
            .field("kept_bytes", &kept)
            .finish_non_exhaustive()
    }
}

impl Raw {
    fn append(&mut self, parts: &[&[u8]; 2]) -> Result<(), TranscriptFull> {
        let [header, body] = parts;
        let room = self.limit.saturating_sub(self.bytes.len());
        if header.len().saturating_add(body.len()) > room {
            return Err(TranscriptFull);
        }
        self.bytes.extend_from_slice(header);
        self.bytes.extend_from_slice(body);
        Ok(())
    }
}

/// The 24-bit length of a message.
fn length_field(body: &[u8]) -> Result<[u8; 3], TranscriptFull> {
    match u32::try_from(body.len()).map(u32::to_be_bytes) {
        Ok([0, a, b, c]) => Ok([a, b, c]),
        _ => Err(TranscriptFull),
    }
}

#[cfg(test)]
mod tests;
