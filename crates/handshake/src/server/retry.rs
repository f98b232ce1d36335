//! The HelloRetryRequest: its one shape, what the cookie in it carries for a server that keeps nothing, and how the
//! message is made again from the cookie for the transcript (RFC 9846 sections 4.1 and 4.2.4).
//!
//! ```text
//! content of the cookie:  suite (2) | group (2, 0 if no share is asked for) | Hash(ClientHello1)
//! ```

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::Error;
use crate::codec::Reader;
use crate::crypto::{CipherSuite, Digest};
use crate::message::registry::{CipherSuiteId, HandshakeType, NamedGroup, ProtocolVersion};
use crate::message::{HelloRetryExtensions, HelloRetryRequest};

use super::cookie::MAX_CONTENT;
use super::greeting::BoundFields;

/// The body of a HelloRetryRequest.
///
/// # Errors
/// [`Error::OwnMessageTooLarge`] if the cookie is empty or longer than 65,535 bytes.
pub(crate) fn hello_retry_request(
    suite: CipherSuiteId,
    group: Option<NamedGroup>,
    cookie: Option<&[u8]>,
) -> Result<Vec<u8>, Error> {
    Ok(request(suite, group, cookie).to_vec()?)
}

/// A HelloRetryRequest for DTLS 1.3. The session id is not echoed (RFC 9147 section 5).
pub(super) fn request(
    suite: CipherSuiteId,
    group: Option<NamedGroup>,
    cookie: Option<&[u8]>,
) -> HelloRetryRequest<'_> {
    HelloRetryRequest {
        server_version: ProtocolVersion::DTLS_1_2,
        session_id: &[],
        cipher_suite: suite,
        extensions: HelloRetryExtensions {
            supported_versions: Some(ProtocolVersion::DTLS_1_3),
            key_share: group,
            cookie,
            ..HelloRetryExtensions::default()
        },
    }
}

/// What was decided at a first hello that nothing was kept of. Made from the good cookie of the second one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Retry {
    pub(super) hello: BoundFields,
    /// The suite, which the ServerHello must repeat (RFC 9846 section 4.2.4).
    pub(crate) suite: CipherSuiteId,
    /// The group that a share was asked for; `None` if the first hello had one of the wanted group.
    pub(crate) group: Option<NamedGroup>,
    /// Hash(ClientHello1), with the hash of the suite.
    pub(crate) hello1_hash: Digest,
    pub(super) cookie: Box<[u8]>,
}

impl Retry {
    /// The body of the HelloRetryRequest that the client was sent, byte for byte.
    pub(crate) fn message(&self) -> Vec<u8> {
        hello_retry_request(self.suite, self.group, Some(&self.cookie))
            .expect("a cookie that came in an extension fits into one")
    }

    /// Reads the content of a cookie that was found good.
    pub(super) fn from_cookie(hello: BoundFields, cookie: &[u8], content: &[u8]) -> Option<Self> {
        let mut reader = Reader::new("cookie", content);
        let suite = CipherSuiteId(reader.u16().ok()?);
        let group = Some(NamedGroup(reader.u16().ok()?)).filter(|group| *group != NO_GROUP);
        let hash = reader.rest();
        let hello1_hash = Digest::from_slice(hash).filter(|_| !hash.is_empty())?;
        Some(Self { hello, suite, group, hello1_hash, cookie: cookie.into() })
    }
}

/// A code point that no group has.
const NO_GROUP: NamedGroup = NamedGroup(0);

/// The content of a cookie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content {
    bytes: [u8; MAX_CONTENT],
    length: usize,
}

impl Content {
    /// For a first hello, given its whole body. The hash is that of the message without its fragment fields (RFC 9147
    /// section 5.2).
    pub(super) fn new(suite: &CipherSuite, group: Option<NamedGroup>, hello1: &[u8]) -> Option<Self> {
        let [0, l2, l1, l0] = u32::try_from(hello1.len()).ok()?.to_be_bytes() else { return None };
        let hash = suite.hash.hash(&[&[HandshakeType::CLIENT_HELLO.0, l2, l1, l0], hello1]);
        let group = group.unwrap_or(NO_GROUP);
        let head = suite.id.0.to_be_bytes().into_iter().chain(group.0.to_be_bytes());
        let mut content = Self { bytes: [0; MAX_CONTENT], length: 0 };
        for (to, from) in content.bytes.iter_mut().zip(head.chain(hash.as_ref().iter().copied())) {
            *to = from;
            content.length = content.length.saturating_add(1);
        }
        Some(content)
    }
}

impl AsRef<[u8]> for Content {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::ring;
    use crate::transcript::{Framing, TranscriptBuffer};

    fn fields() -> BoundFields {
        BoundFields { client_version: ProtocolVersion::DTLS_1_2, random: [3; 32], session_id: Box::default() }
    }

    #[test]
    fn a_cookie_brings_back_what_was_decided() {
        let hello1: &[u8] = &[5; 700];
        for suite in ring::provider().cipher_suites {
            for group in [None, Some(NamedGroup::X25519MLKEM768)] {
                let content = Content::new(suite, group, hello1).unwrap();
                let retry = Retry::from_cookie(fields(), b"cookie", content.as_ref()).unwrap();
                assert_eq!((retry.suite, retry.group), (suite.id, group));
                let mut transcript = TranscriptBuffer::new(4096);
                transcript.push(HandshakeType::CLIENT_HELLO, 0, hello1).unwrap();
                let transcript =
                    transcript.into_transcript(Framing::WithoutFragmentFields, suite.hash, false);
                assert_eq!(retry.hello1_hash, transcript.current_hash());
            }
        }
    }

    #[test]
    fn content_that_is_cut_short_is_none() {
        let suite = ring::provider().cipher_suites[0];
        let content = Content::new(suite, None, b"hello").unwrap();
        for length in 0..=4 {
            assert!(Retry::from_cookie(fields(), b"", &content.as_ref()[..length]).is_none(), "{length}");
        }
        assert!(Retry::from_cookie(fields(), b"", &[1; 4 + 65]).is_none());
    }

    /// RFC 9846 section 4.2.4, RFC 9147 section 5.
    #[test]
    fn the_message_on_the_wire() {
        let suite = CipherSuiteId::TLS_AES_128_GCM_SHA256;
        let body = hello_retry_request(suite, Some(NamedGroup::X25519), Some(&[0xcc; 3])).unwrap();
        let head = [&[0xfe, 0xfd][..], &crate::message::RETRY_RANDOM, &[0, 0x13, 0x01, 0]].concat();
        let extensions = [
            &[0, 21][..],
            &[0, 43, 0, 2, 0xfe, 0xfc],
            &[0, 51, 0, 2, 0, 29],
            &[0, 44, 0, 5, 0, 3, 0xcc, 0xcc, 0xcc],
        ]
        .concat();
        assert_eq!(body, [head.clone(), extensions].concat());
        let bare = hello_retry_request(suite, None, None).unwrap();
        assert_eq!(bare, [&head[..], &[0, 6, 0, 43, 0, 2, 0xfe, 0xfc]].concat());
        assert!(hello_retry_request(suite, None, Some(&[])).is_err(), "an empty cookie");
    }
}
