//! The gate before a server's associations: strangers are answered from their own datagrams, without memory but for a
//! fixed pool.

use alloc::sync::Arc;

use drystone_record::Discard;

use super::answer;
use super::cookie::{Bound, Cookies};
use super::fragments::HelloFragments;
use super::greeting::{BoundFields, Greeting, Proven};
use super::ground13::{self, Choice};
use super::hello::{Question, question};
use super::partial::{PartialHellos, Sender, Stranger};
use super::retry::{Content, Retry};
use crate::codec::DecodeFault;
use crate::config::{Common, PartialHelloSettings, ServerConfig};
use crate::connection::{Datagram, Path};
use crate::error::Misbehaviour;
use crate::flight::Fragment;
use crate::message::registry::{AlertDescription, AlertLevel, HandshakeType, NamedGroup, ProtocolVersion};
use crate::message::{ClientHello, ClientHelloPrefix};
use crate::observe::{self, Direction, Observed};
use crate::time::{Instant, Start};
use crate::{ConfigError, Error, trace};

/// Answers datagrams of unknown senders (RFC 6347 section 4.2.1, RFC 9147 section 5.1): asks for a cookie, and lets a
/// hello with a good one through.
///
/// Nothing is allocated and no asymmetric operation is done before a good cookie. One gate serves all threads of a
/// server (`&self`), and gates of one configuration share its secret; servers that set the same
/// [`CookieSettings::secret`](crate::CookieSettings::secret) and whose clocks differ by at most 16 s accept each other's
/// cookies. A cookie that its own address repeats within its life is a retransmission, and good; but one that has begun
/// three associations of this configuration begins no more, for it is replayed.
///
/// A server of DTLS 1.2 alone asks from the first fragment of a hello. One that accepts DTLS 1.3 needs the whole of it:
/// to see the versions, and for its hash, which goes into the cookie. Hellos in pieces are therefore held, in
/// [`PartialHellos`]. A hello that nothing can come of (no common version, suite or group; a foreign or expired cookie
/// in DTLS 1.3, where a client may be asked but once) is answered with the fatal alert that says why; the caller learns it
/// from the verdict, and the [`observer`](crate::Settings::observer) sees both.
///
/// ```
/// use drystone_handshake::{Datagram, Gate, Path, ServerConfig, Start, Stranger, Verdict};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use drystone_handshake::{FromRng, Instant, Settings, crypto};
/// # let settings = Settings::new(crypto::ring::provider(), FromRng(getrandom::SysRng));
/// # #[derive(Debug)] struct Nobody;
/// # impl drystone_handshake::CredentialResolver for Nobody {
/// #     fn resolve(&self, _: &drystone_handshake::CredentialOffer<'_>)
/// #         -> std::task::Poll<Option<std::sync::Arc<drystone_handshake::Credential>>> { std::task::Poll::Pending }
/// # }
/// # let config = ServerConfig::new(settings, Nobody)?;
/// # let start = Start { now: Instant::default(), unix: None };
/// # let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
/// # let (from, bytes) = (socket.local_addr()?, &mut *b"no hello".to_vec());
/// let gate = Gate::new(&config)?;
/// let mut partial = gate.partial_hellos();
///
/// let sender = Stranger { id: b"192.0.2.1:4433", network: b"192.0.2" };
/// let mut reply = [0; Gate::MAX_REPLY];
/// match gate.answer_or_hold(start, sender, &mut Datagram::new(Path(1), bytes), &mut partial, &mut reply) {
///     Verdict::Drop(reason) => println!("dropped: {reason}"),
///     Verdict::Hold => println!("the rest of the hello will come"),
///     Verdict::Reply(length) => { socket.send_to(&reply[..length], from)?; }
///     Verdict::Refuse { length, error } => {
///         println!("refused: {error}");
///         socket.send_to(&reply[..length], from)?;
///     }
///     Verdict::Accept(greeting) => { /* Connection::server(config, greeting, start), then receive(..) */ }
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[doc(alias = "DTLSv1_listen")]
#[doc(alias = "HelloVerifyRequest")]
#[doc(alias = "HelloRetryRequest")]
#[doc(alias = "cookie")]
pub struct Gate {
    cookies: Arc<Cookies>,
    common: Common,
    by_client: bool,
    partial: PartialHelloSettings,
}

/// What to do with a stranger's datagram.
#[derive(Debug)]
pub enum Verdict {
    /// Nothing: it is not a hello, or damaged.
    Drop(Discard),
    /// Nothing yet: it is a part of a hello, and held until the rest is there. [`Gate::answer`] never says so.
    Hold,
    /// Send this many bytes of the reply buffer back: the request for a cookie.
    Reply(usize),
    /// Nothing can come of the hello: send this many bytes of the reply buffer back, the fatal alert that says why.
    Refuse {
        /// Bytes of the alert's datagram.
        length: usize,
        /// Why.
        error: Error,
    },
    /// Begin an association with [`Connection::server`](crate::Connection::server), then hand it the same datagram.
    Accept(Greeting),
}

/// A ClientHello, or a part of one, and where it came from.
struct Arrival<'a> {
    start: Start,
    peer_id: &'a [u8],
    path: Path,
    message_seq: u16,
    record_sequence: u64,
    /// The most bytes that may be answered.
    allowance: usize,
}

impl Gate {
    /// Bytes of the longest reply.
    pub const MAX_REPLY: usize = 192;

    /// A gate for servers with this configuration.
    ///
    /// # Errors
    /// None at present: what cannot work is refused when the configuration is built.
    pub fn new(config: &ServerConfig) -> Result<Self, ConfigError> {
        Ok(Self {
            cookies: Arc::clone(&config.cookies),
            common: config.common.clone(),
            by_client: config.prefer_client_order,
            partial: config.partial_hellos,
        })
    }

    /// Memory for hellos in pieces, as much as the configuration says; none for a server of DTLS 1.2 alone, which does
    /// not need it.
    pub fn partial_hellos(&self) -> PartialHellos {
        PartialHellos::new(
            Some(&self.partial).filter(|_| self.offers_13()),
            self.common.settings.provider.hash(),
        )
    }

    /// Looks at a stranger's datagram. `reply` needs [`MAX_REPLY`](Self::MAX_REPLY) bytes; what does not fit is not
    /// answered. The datagram is only looked at, not consumed.
    ///
    /// [`Stranger::id`] is what the cookie is bound to. `partial` keeps a part of a hello for the next call.
    pub fn answer_or_hold(
        &self,
        start: Start,
        stranger: Stranger<'_>,
        datagram: &mut Datagram<'_>,
        partial: &mut PartialHellos,
        reply: &mut [u8],
    ) -> Verdict {
        let mut sender = OneSender { partial, now: start.now, stranger, sender: None };
        let verdict = self.judge(start, stranger, datagram, Some(&mut sender), reply);
        // The hello that answers comes from now on: pieces that overtake its cookie are younger than the question, and
        // those that an accepted hello left behind are older.
        if let Ok(Verdict::Reply(_) | Verdict::Refuse { .. }) = verdict {
            sender.forget();
        }
        told(verdict.unwrap_or_else(Verdict::Drop))
    }

    /// Like [`answer_or_hold`](Self::answer_or_hold), but holds nothing: for servers of DTLS 1.2 alone, and where every
    /// hello fits one datagram. A server that accepts DTLS 1.3 drops the others.
    pub fn answer(
        &self,
        start: Start,
        peer_id: &[u8],
        datagram: &mut Datagram<'_>,
        reply: &mut [u8],
    ) -> Verdict {
        let stranger = Stranger { id: peer_id, network: &[] };
        told(self.judge(start, stranger, datagram, None, reply).unwrap_or_else(Verdict::Drop))
    }

    fn judge(
        &self,
        start: Start,
        stranger: Stranger<'_>,
        datagram: &Datagram<'_>,
        mut partial: Option<&mut OneSender<'_>>,
        reply: &mut [u8],
    ) -> Result<Verdict, Discard> {
        let (mut held, mut has_begun) = (false, false);
        for fragment in HelloFragments::new(datagram.remaining()).take(MAX_FRAGMENTS) {
            // A hello begins once. Each beginning may cost the check of a cookie.
            let begins = fragment.is_ok_and(|(fragment, _)| fragment.offset == 0);
            if begins && core::mem::replace(&mut has_begun, true) {
                break;
            }
            let verdict = fragment.and_then(|(fragment, record_sequence)| {
                let arrival = Arrival {
                    start,
                    peer_id: stranger.id,
                    path: datagram.path(),
                    message_seq: fragment.message_seq,
                    record_sequence,
                    allowance: allowance(datagram.length()),
                };
                self.judge_fragment(arrival, &fragment, partial.as_deref_mut(), reply)
            });
            match verdict {
                Ok(Verdict::Hold) => held = true,
                // Whatever follows a held part changes nothing about it.
                Err(_) if held => break,
                verdict => return verdict,
            }
        }
        if held { Ok(Verdict::Hold) } else { Err(Discard::NotBeforeCookie) }
    }

    fn judge_fragment(
        &self,
        mut arrival: Arrival<'_>,
        fragment: &Fragment<'_>,
        partial: Option<&mut OneSender<'_>>,
        reply: &mut [u8],
    ) -> Result<Verdict, Discard> {
        if fragment.length > self.common.settings.limits.other {
            return Err(Discard::MalformedHello);
        }
        let is_whole = fragment.is_whole();
        if fragment.offset == 0
            && let Some(verdict) = self.judge_beginning(&arrival, fragment.payload, is_whole, reply)?
        {
            return Ok(match verdict {
                // Fragments that overtook this one are not lost.
                Verdict::Accept(greeting) if !is_whole => {
                    let hello = partial.and_then(|partial| partial.complete(fragment));
                    Verdict::Accept(Greeting { hello: hello.map(Into::into), ..greeting })
                }
                verdict => verdict,
            });
        }
        if is_whole {
            return self.ask(&arrival, fragment.payload, reply);
        }
        // Later fragments alone prove nothing; of those of 1.2 the first one holds everything up to the cookie.
        let partial = partial.filter(|_| self.offers_13()).ok_or(Discard::NotBeforeCookie)?;
        let Some(body) = partial.insert(fragment)? else {
            return Ok(Verdict::Hold);
        };
        // At least so many bytes came.
        arrival.allowance = allowance(body.len());
        match self.judge_beginning(&arrival, body, true, reply)? {
            Some(Verdict::Accept(greeting)) => {
                Ok(Verdict::Accept(Greeting { hello: Some(body.into()), ..greeting }))
            }
            Some(verdict) => Ok(verdict),
            None => self.ask(&arrival, body, reply),
        }
    }

    /// The verdict, if what is there of the hello from its beginning is enough for one: it has a cookie, or no more is
    /// needed to ask for one.
    fn judge_beginning(
        &self,
        arrival: &Arrival<'_>,
        beginning: &[u8],
        is_whole: bool,
        reply: &mut [u8],
    ) -> Result<Option<Verdict>, Discard> {
        let hello = match ClientHelloPrefix::decode_prefix(beginning) {
            Ok(hello) => hello,
            Err(error) if error.fault == DecodeFault::Truncated && !is_whole && self.offers_13() => {
                return Ok(None);
            }
            Err(_) => return Err(Discard::MalformedHello),
        };
        let bound = Bound { peer_id: arrival.peer_id, hello };
        if self.common.offers(ProtocolVersion::DTLS_1_2)
            && self.cookies.open(&arrival.start, &bound, hello.cookie) == Some(&[])
        {
            let proven = Proven::Verify { hello: BoundFields::new(&hello), cookie: hello.cookie.into() };
            return self.accept(arrival, proven).map(Some);
        }
        if !self.offers_13() {
            // The first fragment is enough for a cookie of 1.2; a whole hello may tell that it is in vain.
            return if is_whole { Ok(None) } else { self.ask_to_verify(arrival, hello, reply).map(Some) };
        }
        let Some(cookie) = ClientHello::cookie_extension_of(beginning) else { return Ok(None) };
        // In 1.3 legacy_cookie is empty (RFC 9147 section 5.3), and a bad cookie ends it (section 5.1): a client would
        // not take a second HelloRetryRequest.
        let proven = Some(cookie)
            .filter(|_| hello.cookie.is_empty())
            .and_then(|cookie| self.cookies.open(&arrival.start, &bound, cookie))
            .and_then(|content| Retry::from_cookie(BoundFields::new(&hello), cookie, content));
        match proven {
            Some(retry) => self.accept(arrival, Proven::Retry(retry)).map(Some),
            None => {
                let whole = Some(beginning).filter(|_| is_whole);
                self.refuse(arrival, whole, Misbehaviour::BadCookie.into(), reply).map(Some)
            }
        }
    }

    /// Lets a hello with a good cookie in, unless the cookie has begun enough.
    fn accept(&self, arrival: &Arrival<'_>, proven: Proven) -> Result<Verdict, Discard> {
        if !self.cookies.may_begin(&arrival.start, proven.cookie()) {
            return Err(Discard::BadCookie);
        }
        let Arrival { path, message_seq, record_sequence, .. } = *arrival;
        Ok(Verdict::Accept(Greeting { path, message_seq, record_sequence, proven, hello: None }))
    }

    /// Tells the sender why nothing can come of its hello, of which `whole` is the body if all of it is here.
    fn refuse(
        &self,
        arrival: &Arrival<'_>,
        whole: Option<&[u8]>,
        error: Error,
        reply: &mut [u8],
    ) -> Result<Verdict, Discard> {
        let description = error.alert().unwrap_or(AlertDescription::HANDSHAKE_FAILURE);
        let length = arrival.reply(reply, |out| answer::alert(arrival.record_sequence, description, out))?;
        let observer = self.common.settings.observer.as_ref();
        if let Some(body) = whole {
            let (msg_type, message_seq) = (HandshakeType::CLIENT_HELLO, arrival.message_seq);
            observe::tell(observer, Direction::Received, Observed::Handshake { msg_type, message_seq, body });
        }
        let alert = Observed::Alert { level: AlertLevel::FATAL.0, description, epoch: 0 };
        observe::tell(observer, Direction::Sent, alert);
        Ok(Verdict::Refuse { length, error })
    }

    /// Asks the sender of a whole hello without a good cookie for one, in the way of the version that it will speak.
    fn ask(&self, arrival: &Arrival<'_>, body: &[u8], reply: &mut [u8]) -> Result<Verdict, Discard> {
        let hello = ClientHello::decode(body).map_err(|_| Discard::MalformedHello)?;
        let prefix = hello.prefix();
        let decided = question(&hello, &self.common).and_then(|question| match question {
            Question::Verify => Ok(None),
            Question::Retry => self.decide(&hello).map(Some),
        });
        match decided {
            Ok(None) => self.ask_to_verify(arrival, prefix, reply),
            Ok(Some(decision)) => self.ask_to_retry(arrival, prefix, &decision, body, reply),
            Err(error) => self.refuse(arrival, Some(body), error, reply),
        }
    }

    fn ask_to_verify(
        &self,
        arrival: &Arrival<'_>,
        hello: ClientHelloPrefix<'_>,
        reply: &mut [u8],
    ) -> Result<Verdict, Discard> {
        let bound = Bound { peer_id: arrival.peer_id, hello };
        let cookie = self.cookies.make(&arrival.start, &bound, &[]);
        let sequence = arrival.record_sequence;
        let length =
            arrival.reply(reply, |out| answer::hello_verify_request(sequence, cookie.as_ref(), out))?;
        Ok(Verdict::Reply(length))
    }

    fn ask_to_retry(
        &self,
        arrival: &Arrival<'_>,
        hello: ClientHelloPrefix<'_>,
        Decision { choice, group }: &Decision,
        body: &[u8],
        reply: &mut [u8],
    ) -> Result<Verdict, Discard> {
        let bound = Bound { peer_id: arrival.peer_id, hello };
        let (suite, sequence) = (choice.suite, arrival.record_sequence);
        let content = Content::new(suite, *group, body).ok_or(Discard::MalformedHello)?;
        let cookie = self.cookies.make(&arrival.start, &bound, content.as_ref());
        let write =
            |out: &mut [u8]| answer::hello_retry_request(sequence, suite.id, *group, cookie.as_ref(), out);
        Ok(Verdict::Reply(arrival.reply(reply, write)?))
    }

    /// What a HelloRetryRequest asks for, or why nothing can come of the hello.
    fn decide(&self, hello: &ClientHello<'_>) -> Result<Decision, Error> {
        ground13::check_form(hello)?;
        let choice = Choice::find(hello, &self.common, self.by_client)?;
        let has_share = ground13::share_of(hello, choice.group).is_some();
        Ok(Decision { choice, group: (!has_share).then_some(choice.group.name()) })
    }

    fn offers_13(&self) -> bool {
        self.common.offers(ProtocolVersion::DTLS_1_3)
    }
}

fn told(verdict: Verdict) -> Verdict {
    trace::verdict(&verdict);
    verdict
}

/// The pool as the fragments of one datagram need it: their sender is looked up when the first of them needs it, and not
/// again.
struct OneSender<'p> {
    partial: &'p mut PartialHellos,
    now: Instant,
    stranger: Stranger<'p>,
    sender: Option<Sender>,
}

impl OneSender<'_> {
    fn insert(&mut self, fragment: &Fragment<'_>) -> Result<Option<&[u8]>, Discard> {
        let sender = self.sender.get_or_insert_with(|| self.partial.sender(self.now, self.stranger));
        self.partial.insert(self.now, sender, fragment)
    }

    fn complete(&mut self, fragment: &Fragment<'_>) -> Option<&[u8]> {
        let sender = self.sender.get_or_insert_with(|| self.partial.sender(self.now, self.stranger));
        self.partial.complete(sender, fragment)
    }

    fn forget(&mut self) {
        let sender = self.sender.get_or_insert_with(|| self.partial.sender(self.now, self.stranger));
        self.partial.forget(sender);
    }
}

/// What a HelloRetryRequest asks for beside the cookie.
struct Decision {
    choice: Choice,
    /// `None` if there is a share of the chosen group already.
    group: Option<NamedGroup>,
}

/// More fragments of a hello in one datagram are not looked at.
const MAX_FRAGMENTS: usize = 16;

/// The most bytes that may answer a stranger's hello of so many: a forged sender gets no more than the forger sent, or
/// twice as much of very little (RFC 9147 section 5.1 would take three times).
fn allowance(hello_length: usize) -> usize {
    if hello_length >= 200 { hello_length } else { hello_length.saturating_mul(2) }
}

impl Arrival<'_> {
    /// Writes an answer and returns its length, if the sender may have so much.
    fn reply(
        &self,
        reply: &mut [u8],
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> Result<usize, Discard> {
        write(reply).filter(|length| *length <= self.allowance).ok_or(Discard::NoRoom)
    }
}

#[cfg(test)]
mod tests;
