//! The client's hello: the version is decided here, and the hello handed to the states of that version.

use crate::Error;
use crate::codec::List;
use crate::config::{Common, ServerConfig};
use crate::error::{Incompatibility, Misbehaviour};
use crate::machine::{Context, Message, Next};
use crate::message::registry::{CipherSuiteId, HandshakeType, ProtocolVersion};
use crate::message::{ClientHello, DOWNGRADE_TO_1_2};
use crate::transcript::TranscriptBuffer;

use super::greeting::Proven;
use super::retry::Retry;
use super::{v12, v13};

/// Waits for the hello that the gate let in, whole.
#[derive(Debug)]
pub(crate) struct ExpectClientHello {
    /// The fields under the cookie, as they stood in the first fragment; `None` where no cookie was asked for.
    pub(super) proven: Option<Proven>,
}

impl ExpectClientHello {
    pub(crate) fn new(proven: Option<Proven>) -> Self {
        Self { proven }
    }

    pub(super) fn handle(
        self,
        message: Message<'_>,
        cx: &mut Context<'_, ServerConfig>,
    ) -> Result<Next, Error> {
        message.expect(HandshakeType::CLIENT_HELLO)?;
        let hello = ClientHello::decode(message.body)?;
        if self.proven.as_ref().is_some_and(|proven| !proven.covers(&hello)) {
            return Err(Misbehaviour::Cookie.into());
        }
        let version = choose_version(hello.client_version, hello.extensions.supported_versions, cx.common)?;
        if let Some(Proven::Retry(retry)) = &self.proven {
            return answered_retry(&hello, version, message, retry, cx);
        }
        check_fallback(&hello, version, cx.common)?;
        let mut transcript = TranscriptBuffer::new(cx.common.settings.limits.transcript());
        transcript.push(message.msg_type, message.message_seq, message.body)?;
        match version {
            ProtocolVersion::DTLS_1_3 => v13::first_hello(&hello, transcript, cx),
            _ => v12::begin(&hello, server_random(cx)?, transcript, cx),
        }
    }
}

/// Waits for the hello that answers a HelloRetryRequest of this association.
#[derive(Debug)]
pub(crate) struct ExpectSecondClientHello {
    client_random: [u8; 32],
    retried: v13::Retried,
}

impl ExpectSecondClientHello {
    pub(super) fn new(client_random: [u8; 32], retried: v13::Retried) -> Self {
        Self { client_random, retried }
    }

    pub(super) fn handle(
        self,
        message: Message<'_>,
        cx: &mut Context<'_, ServerConfig>,
    ) -> Result<Next, Error> {
        message.expect(HandshakeType::CLIENT_HELLO)?;
        let hello = ClientHello::decode(message.body)?;
        let version = choose_version(hello.client_version, hello.extensions.supported_versions, cx.common);
        // RFC 9846 section 4.2.2: the same hello but for what was asked.
        if version != Ok(ProtocolVersion::DTLS_1_3) || *hello.random != self.client_random {
            return Err(Misbehaviour::SecondHello.into());
        }
        v13::second_hello(&hello, message, self.retried, cx)
    }
}

/// The hello that answers the question of the gate, which kept nothing but the cookie.
fn answered_retry(
    hello: &ClientHello<'_>,
    version: ProtocolVersion,
    message: Message<'_>,
    retry: &Retry,
    cx: &mut Context<'_, ServerConfig>,
) -> Result<Next, Error> {
    // RFC 9846 section 4.2.2: the same hello but for what was asked.
    if version != ProtocolVersion::DTLS_1_3 {
        return Err(Misbehaviour::SecondHello.into());
    }
    let retried = v13::Retried::from_cookie(retry, cx)?;
    v13::second_hello(hello, message, retried, cx)
}

/// How a client is asked to prove its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// By a HelloVerifyRequest (RFC 6347 section 4.2.1).
    Verify,
    /// By a HelloRetryRequest (RFC 9147 section 5.1).
    Retry,
}

/// The question that goes with the version for this client.
pub(super) fn question(hello: &ClientHello<'_>, common: &Common) -> Result<Question, Error> {
    match choose_version(hello.client_version, hello.extensions.supported_versions, common)? {
        ProtocolVersion::DTLS_1_3 => Ok(Question::Retry),
        _ => Ok(Question::Verify),
    }
}

/// The version for this client: the highest that both have. supported_versions, where present, is the client's whole
/// word on versions; without it only 1.2 can be meant (RFC 9846 section 4.3.1).
pub(crate) fn choose_version(
    client_version: ProtocolVersion,
    offered: Option<List<'_, ProtocolVersion>>,
    common: &Common,
) -> Result<ProtocolVersion, Error> {
    let offers = |version: ProtocolVersion| match offered {
        Some(versions) => versions.contains(&version),
        None => version == ProtocolVersion::DTLS_1_2 && version.is_at_most(client_version),
    };
    common
        .versions
        .iter()
        .copied()
        .find(|version| offers(*version))
        .ok_or_else(|| Incompatibility::Version.into())
}

/// RFC 7507 section 3: the client tried a higher version before, and we would have taken it.
fn check_fallback(hello: &ClientHello<'_>, chosen: ProtocolVersion, common: &Common) -> Result<(), Error> {
    let fell_back = hello.cipher_suites.contains(&CipherSuiteId::TLS_FALLBACK_SCSV);
    if fell_back && common.versions.first() != Some(&chosen) {
        return Err(Misbehaviour::InappropriateFallback.into());
    }
    Ok(())
}

/// The random of a server of 1.2. If it could do more, its end says so to a client that could too (RFC 9846 section
/// 4.2.3).
fn server_random(cx: &Context<'_, ServerConfig>) -> Result<[u8; 32], Error> {
    let mut random: [u8; 32] = cx.random()?;
    if cx.common.offers(ProtocolVersion::DTLS_1_3)
        && let Some(end) = random.last_chunk_mut()
    {
        *end = DOWNGRADE_TO_1_2;
    }
    Ok(random)
}
