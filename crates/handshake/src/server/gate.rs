//! The gate before a server's associations: strangers are answered from their own datagram, without memory.

use alloc::vec::Vec;

use drystone_record::{ContentType, Discard, peek_plaintext};

use super::cookie::{self, Cookies};
use crate::ConfigError;
use crate::config::ServerConfig;
use crate::connection::{Datagram, Path};
use crate::flight::Fragment;
use crate::message::registry::{HandshakeType, ProtocolVersion};
use crate::message::{ClientHello, ClientHelloPrefix};
use crate::time::Start;

/// Answers datagrams of unknown senders (RFC 6347 section 4.2.1): asks for a cookie, and lets a hello with a good
/// one through.
///
/// Nothing is allocated and no asymmetric operation is done before a good cookie. One gate serves all threads of a
/// server (`&self`); servers that set the same [`CookieSettings::secret`](crate::CookieSettings::secret) and have
/// about the same clock accept each other's cookies. A cookie that its own address repeats within its life is a
/// retransmission, and good.
///
/// ```
/// use drystone_handshake::{Datagram, Gate, Path, ServerConfig, Start, Verdict};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use drystone_handshake::{Credentials, FromRng, Instant, Settings, crypto};
/// # let settings = Settings::new(crypto::ring::provider(), FromRng(getrandom::SysRng));
/// # let config = ServerConfig::new(settings, Credentials::new(Vec::new()))?;
/// # let start = Start { now: Instant::default(), unix: None };
/// # let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// # let (from, bytes) = (socket.local_addr()?, &mut *b"no hello".to_vec());
/// let gate = Gate::new(&config)?;
/// let mut reply = [0; 64];
/// match gate.answer(start, b"192.0.2.1:4433", &mut Datagram::new(Path(1), bytes), &mut reply) {
///     Verdict::Drop(reason) => println!("dropped: {reason}"),
///     Verdict::Reply(length) => { socket.send_to(&reply[..length], from)?; }
///     Verdict::Accept(greeting) => { /* Connection::server(config, greeting, start), then receive(..) */ }
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Gate {
    cookies: Cookies,
    limit: usize,
}

/// What to do with a stranger's datagram.
#[derive(Debug)]
pub enum Verdict {
    /// Nothing: it is not a hello, or damaged.
    Drop(Discard),
    /// Send this many bytes of the reply buffer back.
    Reply(usize),
    /// Begin an association with [`Connection::server`](crate::Connection::server), then hand it the same datagram.
    Accept(Greeting),
}

/// A hello whose sender has proved its address.
#[derive(Clone, Debug)]
pub struct Greeting {
    pub(crate) path: Path,
    pub(crate) message_seq: u16,
    pub(crate) record_sequence: u64,
    pub(crate) proven: Proven,
}

/// The fields of the hello that the cookie covers, and the cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proven {
    client_version: ProtocolVersion,
    random: [u8; 32],
    session_id: Vec<u8>,
    cookie: Vec<u8>,
}

/// Tells one hello of a client from another: its random and its message_seq.
///
/// For callers that keep associations where [`Connection::is_of`](crate::Connection::is_of) is out of reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HelloId {
    random: [u8; 32],
    message_seq: u16,
}

impl HelloId {
    /// Whether both hellos are of one attempt to connect, although perhaps not copies of each other: a client that
    /// answers two cookies sends two hellos with one random (RFC 6347 section 4.2.1).
    pub fn is_same_attempt(&self, other: &Self) -> bool {
        self.random == other.random
    }
}

impl Greeting {
    /// What tells this hello from others.
    pub fn hello_id(&self) -> HelloId {
        HelloId { random: *self.proven.client_random(), message_seq: self.message_seq }
    }
}

impl Proven {
    fn of(hello: &ClientHelloPrefix<'_>) -> Self {
        Self {
            client_version: hello.client_version,
            random: *hello.random,
            session_id: hello.session_id.to_vec(),
            cookie: hello.cookie.to_vec(),
        }
    }

    /// Whether the whole hello is the one that the cookie was checked for.
    pub(super) fn covers(&self, hello: &ClientHello<'_>) -> bool {
        self.client_version == hello.client_version
            && self.random == *hello.random
            && self.session_id == hello.session_id
            && self.cookie == hello.cookie
    }

    pub(crate) fn client_random(&self) -> &[u8; 32] {
        &self.random
    }
}

impl Gate {
    /// A gate for servers with this configuration.
    ///
    /// # Errors
    /// [`ConfigError::RandomFailure`] if no cookie secret was given and none could be drawn.
    pub fn new(config: &ServerConfig) -> Result<Self, ConfigError> {
        let cookies = Cookies::new(&config.cookies, &config.common.settings)?;
        Ok(Self { cookies, limit: config.common.settings.limits.other as usize })
    }

    /// Looks at a stranger's datagram. `peer_id` is what the cookie is bound to: address and port for UDP, as bytes
    /// of the caller's choice. `reply` needs 64 bytes; with fewer, nothing is answered.
    ///
    /// The datagram is only looked at, not consumed.
    pub fn answer(
        &self,
        start: Start,
        peer_id: &[u8],
        datagram: &mut Datagram<'_>,
        reply: &mut [u8],
    ) -> Verdict {
        self.judge(&start, peer_id, datagram, reply).unwrap_or_else(Verdict::Drop)
    }

    fn judge(
        &self,
        start: &Start,
        peer_id: &[u8],
        datagram: &Datagram<'_>,
        reply: &mut [u8],
    ) -> Result<Verdict, Discard> {
        let record = peek_plaintext(datagram.remaining()).ok_or(Discard::NotBeforeCookie)?;
        if record.content_type != ContentType::HANDSHAKE {
            return Err(Discard::NotBeforeCookie);
        }
        let (fragment, _) = Fragment::split_first(record.payload).map_err(|_| Discard::MalformedHello)?;
        if fragment.msg_type != HandshakeType::CLIENT_HELLO {
            return Err(Discard::NotBeforeCookie);
        }
        // Later fragments alone prove nothing; the first one holds everything up to the cookie.
        if fragment.offset != 0 || fragment.length as usize > self.limit {
            return Err(Discard::MalformedHello);
        }
        let hello =
            ClientHelloPrefix::decode_prefix(fragment.payload).map_err(|_| Discard::MalformedHello)?;
        if self.cookies.check(start, peer_id, &hello) {
            return Ok(Verdict::Accept(Greeting {
                path: datagram.path(),
                message_seq: fragment.message_seq,
                record_sequence: record.number.sequence,
                proven: Proven::of(&hello),
            }));
        }
        let cookie = self.cookies.make(start, peer_id, &hello);
        let request = verify_request(record.number.sequence, &cookie);
        // Nobody gains by a stranger's hello: the answer is shorter than any hello that can be read.
        let room = reply.get_mut(..request.len()).filter(|_| request.len() <= datagram.length());
        room.ok_or(Discard::NoRoom)?.copy_from_slice(&request);
        Ok(Verdict::Reply(request.len()))
    }
}

const RECORD_HEADER: usize = 13;
const HANDSHAKE_HEADER: usize = 12;
const BODY: usize = 3 + cookie::LENGTH;
const REQUEST: usize = RECORD_HEADER + HANDSHAKE_HEADER + BODY;

/// A HelloVerifyRequest in its record. The version is DTLS 1.0 whatever is negotiated, the record number is the
/// hello's and message_seq is 0 (RFC 6347 sections 4.2.1 and 4.2.2).
fn verify_request(record_sequence: u64, cookie: &[u8; cookie::LENGTH]) -> [u8; REQUEST] {
    let [_, _, s5, s4, s3, s2, s1, s0] = record_sequence.to_be_bytes();
    let [v1, v0] = ProtocolVersion::DTLS_1_0.0.to_be_bytes();
    const LENGTH: u8 = (HANDSHAKE_HEADER + BODY) as u8;
    const BODY_LENGTH: u8 = BODY as u8;
    const COOKIE_LENGTH: u8 = cookie::LENGTH as u8;
    let record = [ContentType::HANDSHAKE.0, v1, v0, 0, 0, s5, s4, s3, s2, s1, s0, 0, LENGTH];
    let message_type = HandshakeType::HELLO_VERIFY_REQUEST.0;
    let handshake = [message_type, 0, 0, BODY_LENGTH, 0, 0, 0, 0, 0, 0, 0, BODY_LENGTH];
    let body = [v1, v0, COOKIE_LENGTH];
    let mut request = [0; REQUEST];
    let parts = record.into_iter().chain(handshake).chain(body).chain(*cookie);
    for (to, from) in request.iter_mut().zip(parts) {
        *to = from;
    }
    request
}
