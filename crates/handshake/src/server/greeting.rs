//! Hellos whose sender has proved its address, on their way from the gate to the association that they begin.

use alloc::boxed::Box;

use crate::connection::{Datagram, Path};
use crate::flight::Fragment;
use crate::message::registry::{HandshakeType, ProtocolVersion};
use crate::message::{ClientHello, ClientHelloPrefix};

use super::fragments::HelloFragments;
use super::retry::Retry;

/// A hello whose sender has proved its address.
#[derive(Clone, Debug)]
pub struct Greeting {
    pub(crate) path: Path,
    pub(crate) message_seq: u16,
    pub(crate) record_sequence: u64,
    pub(crate) proven: Proven,
    /// The body of the hello, if it was put together from datagrams before the one that brought the verdict.
    pub(crate) hello: Option<Box<[u8]>>,
}

/// What the cookie was checked for, by the question that it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proven {
    /// HelloVerifyRequest, of which nothing is left (RFC 6347 section 4.2.1).
    Verify {
        /// What the cookie binds.
        hello: BoundFields,
        /// The cookie.
        cookie: Box<[u8]>,
    },
    /// HelloRetryRequest.
    Retry(Retry),
}

/// The fields of a hello that its cookie binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BoundFields {
    pub(super) client_version: ProtocolVersion,
    pub(super) random: [u8; 32],
    pub(super) session_id: Box<[u8]>,
}

/// Tells one hello of a client from another: its random and its message_seq.
///
/// For callers that keep associations where [`Connection::is_of`](crate::Connection::is_of) is out of reach, and for
/// servers that ask for no cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HelloId {
    pub(crate) random: [u8; 32],
    pub(crate) message_seq: u16,
}

impl HelloId {
    /// What tells the ClientHello in a datagram from others, from its first fragment; `None` if the datagram does not
    /// begin with one. The datagram is only looked at, and whatever it says may be forged: this is for servers whose
    /// clients need no cookie, and what the [`Gate`](crate::Gate) lets in has [`Greeting::hello_id`].
    pub fn of_datagram(datagram: &Datagram<'_>) -> Option<Self> {
        let (fragment, _) = HelloFragments::new(datagram.remaining()).next()?.ok()?;
        Some(Self { random: random_of(&fragment)?, message_seq: fragment.message_seq })
    }

    /// Whether both hellos are of one attempt to connect, although perhaps not copies of each other: a client that
    /// answers two cookies sends two hellos with one random (RFC 6347 section 4.2.1).
    pub fn is_same_attempt(&self, other: &Self) -> bool {
        self.random == other.random
    }
}

/// The random of a ClientHello, which follows client_version (RFC 5246 section 7.4.1.2), if this is its first fragment.
pub(crate) fn random_of(fragment: &Fragment<'_>) -> Option<[u8; 32]> {
    const START: usize = 2;
    let payload = Some(fragment.payload).filter(|_| fragment.offset == 0)?;
    payload.get(START..)?.first_chunk().copied()
}

impl Greeting {
    /// Bytes of a hello that was put together from datagrams before the one that brought the verdict: what a caller
    /// holds who keeps a greeting.
    pub fn held_bytes(&self) -> usize {
        self.hello.as_ref().map_or(0, |hello| hello.len())
    }

    /// What tells this hello from others.
    pub fn hello_id(&self) -> HelloId {
        HelloId { random: *self.proven.client_random(), message_seq: self.message_seq }
    }

    /// The whole hello, if it was put together before: the association cannot see its earlier datagrams.
    pub(crate) fn held_hello(&self) -> Option<Fragment<'_>> {
        let payload = self.hello.as_deref()?;
        let length = u32::try_from(payload.len()).ok()?;
        let (msg_type, message_seq) = (HandshakeType::CLIENT_HELLO, self.message_seq);
        Some(Fragment { msg_type, length, message_seq, offset: 0, payload })
    }
}

impl Proven {
    /// Whether the whole hello is the one that the cookie was checked for: it was perhaps put together from other
    /// fragments than the first, which the gate saw.
    pub(crate) fn covers(&self, hello: &ClientHello<'_>) -> bool {
        let cookies = match self {
            Self::Verify { cookie, .. } => hello.cookie == &**cookie,
            // RFC 9147 section 5.3: legacy_cookie is empty in 1.3.
            Self::Retry(retry) => hello.cookie.is_empty() && hello.extensions.cookie == Some(&*retry.cookie),
        };
        cookies && self.hello().are_of(hello)
    }

    /// The random of the hello, in 1.3 of both hellos.
    pub(crate) fn client_random(&self) -> &[u8; 32] {
        &self.hello().random
    }

    pub(crate) fn cookie(&self) -> &[u8] {
        match self {
            Self::Verify { cookie, .. } => cookie,
            Self::Retry(retry) => &retry.cookie,
        }
    }

    fn hello(&self) -> &BoundFields {
        match self {
            Self::Verify { hello, .. } => hello,
            Self::Retry(retry) => &retry.hello,
        }
    }
}

impl BoundFields {
    pub(super) fn new(hello: &ClientHelloPrefix<'_>) -> Self {
        Self {
            client_version: hello.client_version,
            random: *hello.random,
            session_id: hello.session_id.into(),
        }
    }

    fn are_of(&self, hello: &ClientHello<'_>) -> bool {
        self.client_version == hello.client_version
            && self.random == *hello.random
            && *self.session_id == *hello.session_id
    }
}
