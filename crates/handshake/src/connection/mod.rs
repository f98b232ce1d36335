//! `Connection`: one association, without sockets, clocks or threads.

mod acknowledge;
mod alert;
mod amplification;
mod buffered;
mod datagram;
mod early;
mod epochs;
mod established;
mod export;
mod fault;
mod flights;
mod handshaking;
mod idle;
pub(crate) mod io;
mod key_update;
mod last_flight;
mod post_flights;
mod post_handshake;
mod receive;
mod room;
mod sent_hellos;
mod transmit;
mod verify_request;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::ops::Range;
use core::time::Duration;

use drystone_record::{
    AdmittedTypes, ContentType, Discard, Protection, ReadEpoch, ReadEpochs, SealError, Stats, WriteEpoch,
    WriteEpochs,
};
use drystone_x509::{CertificateDer, ServerName};

use crate::config::{ClientConfig, Common, MAX_PLAINTEXT, MIN_TIMEOUT, ServerConfig};
use crate::crypto::Side;
use crate::event::{Answer, Event, RequestId};
use crate::machine::Input;
use crate::message::registry::{AlertDescription, ProtocolVersion, SrtpProfile};
use crate::server::greeting::{Greeting, HelloId};
use crate::time::{Instant, Start};
use crate::{Error, Misuse, trace};

pub use datagram::{Data, Datagram, Path, Transmit};
pub use export::SrtpKeys;

use alert::PendingAlert;
use amplification::{Amplification, is_exhausted};
use established::Unsent;
pub(crate) use established::{Established, Exporter};
use handshaking::Handshaking;
use idle::Idle;
pub(crate) use last_flight::LastFinished;

/// One DTLS association, client or server, sans I/O: datagrams and time go in, datagrams, deadlines and events come
/// out.
///
/// There are four kinds of methods:
///
/// * **getters**: [`is_connected`](Self::is_connected), [`error`](Self::error), [`stats`](Self::stats), ...
/// * **the world in**: [`receive`](Self::receive) and [`handle_timeout`](Self::handle_timeout);
/// * **commands**: [`seal`](Self::seal), [`send`](Self::send), [`close`](Self::close), [`answer`](Self::answer), ...
/// * **the world out**: [`poll_transmit`](Self::poll_transmit), [`poll_event`](Self::poll_event),
///   [`poll_timeout`](Self::poll_timeout).
///
/// One sentence rules the caller's loop: **after any input, command or timeout, drain `poll_transmit` and
/// `poll_event`, then sleep until `poll_timeout`.**
///
/// Nothing that the network may do at will returns an error or panics: it is counted in [`stats`](Self::stats). An
/// error that ends the association is state: [`Event::Failed`] and [`error`](Self::error). Commands return
/// [`Misuse`], which changes nothing.
///
/// A plaintext handshake message that somebody forges in time, knowing addresses and message_seq, can make a
/// handshake fail; no version of DTLS prevents that before keys exist. Once keys are in use, nothing that is not
/// authenticated ends, stalls or grows an association.
///
/// ```
/// use std::sync::Arc;
/// use drystone_handshake::*;
/// use drystone_x509::{Policy, ServerName, TrustAnchors};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # fn clock() -> Instant { Instant::default() }
/// # let [socket, server] = [(); 2].map(|()| std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port"));
/// # socket.connect(server.local_addr()?)?;
/// # server.connect(socket.local_addr()?)?;
/// # server.send(b"not what a DTLS server says")?;
/// # let anchors = TrustAnchors::new();
/// let settings = Settings::new(crypto::ring::provider(), FromRng(getrandom::SysRng));
/// let config = Arc::new(ClientConfig::new(settings, Policy::new(anchors))?);
/// let name = ServerName::try_from("game.example.org")?;
/// let mut connection = Connection::client(config, name, Start { now: clock(), unix: None })?;
///
/// let mut buffer = [0; 2048];
/// while let Some(transmit) = connection.poll_transmit(clock(), &mut buffer) {
///     socket.send(&buffer[..transmit.len])?;
/// }
/// let length = socket.recv(&mut buffer)?;
/// let mut datagram = Datagram::new(Path::default(), &mut buffer[..length]);
/// while let Some(data) = connection.receive(clock(), &mut datagram) {
///     println!("{} bytes", data.payload.len());
/// }
/// assert_eq!(connection.stats().total(), 1); // garbage is counted, and harms nothing
/// # Ok(()) }
/// ```
#[doc(alias = "SSL")]
#[doc(alias = "session")]
pub struct Connection {
    config: Config,
    start: Start,
    path: Path,
    mtu: usize,
    /// Whether the MTU was found out to be less than the settings say.
    path_is_narrow: bool,
    /// What the handshake settled, and what is asked for after the end too.
    settled: Option<Settled>,
    reads: ReadEpochs,
    writes: WriteEpochs,
    stats: Stats,
    phase: Phase,
    events: VecDeque<Event>,
    alert: Option<PendingAlert>,
    requests: u32,
    idle: Idle,
}

/// The configuration of either role.
#[derive(Debug)]
pub(crate) enum Config {
    Client(Arc<ClientConfig>),
    Server(Arc<ServerConfig>),
}

impl Config {
    fn side(&self) -> Side {
        match self {
            Self::Client(_) => Side::Client,
            Self::Server(_) => Side::Server,
        }
    }

    fn common(&self) -> &Common {
        match self {
            Self::Client(config) => &config.common,
            Self::Server(config) => &config.common,
        }
    }
}

/// Where an association is in its life.
#[derive(Debug)]
enum Phase {
    Handshaking(Box<Handshaking>),
    Connected(Established),
    /// The peer has closed: what it numbered before its close_notify is still delivered.
    Draining {
        close_notify: drystone_record::RecordNumber,
    },
    /// We have closed; the flight that connects the peer may still have to go out.
    Closed(Option<Unsent>),
    Failed(Error, Option<Box<alert::Linger>>),
}

impl Phase {
    /// The limit on what is sent, of a server whose client has not proved its address.
    #[inline]
    fn amplification(&mut self) -> Option<&mut Amplification> {
        match self {
            Self::Handshaking(handshaking) => handshaking.amplification.as_mut(),
            Self::Failed(_, Some(linger)) => linger.amplification.as_mut(),
            _ => None,
        }
    }

    /// The message_seq with which the peer's present flight began, where there may be one to acknowledge.
    fn flight_start(&mut self) -> Option<u16> {
        match self {
            Self::Handshaking(handshaking) => Some(handshaking.io.flights.flight_start()),
            Self::Connected(established) => Some(established.post_handshake()?.flights.first_acknowledged()),
            Self::Draining { .. } | Self::Closed(_) | Self::Failed(..) => None,
        }
    }
}

/// See [`Connection::version`] and [`Connection::srtp_profile`].
#[derive(Clone, Copy, Debug)]
struct Settled {
    version: ProtocolVersion,
    srtp_profile: Option<SrtpProfile>,
}

impl Connection {
    /// A client that connects to the server of this name. The first datagram is ready for
    /// [`poll_transmit`](Self::poll_transmit).
    ///
    /// `None` for a server that is recognised by its [fingerprint](drystone_x509::Policy::fingerprint): no name is sent then, and
    /// every other policy refuses the server with [`Error::NameMissing`].
    ///
    /// # Errors
    /// [`Error::RandomFailure`] if there are no random numbers.
    pub fn client(
        config: Arc<ClientConfig>,
        server_name: impl Into<Option<ServerName<'static>>>,
        start: Start,
    ) -> Result<Self, Error> {
        let mut connection = Self::new(Config::Client(config), Path::default(), start);
        // RFC 9147 section 5.1, RFC 6347 section 4.2.1: the version of the first hello's record.
        connection.writes.current_mut().set_header_version(ProtocolVersion::DTLS_1_0.0);
        connection.begin_client(server_name.into())?;
        Ok(connection)
    }

    /// A server for a client that the [`Gate`](crate::Gate) let in. Hand it the datagram of the greeting next.
    ///
    /// # Errors
    /// [`Error::HelloReplayed`] if this hello has begun three associations of this configuration already.
    pub fn server(config: Arc<ServerConfig>, greeting: Greeting, start: Start) -> Result<Self, Error> {
        if !config.cookies.begin(&start, greeting.proven.cookie()) {
            return Err(Error::HelloReplayed);
        }
        let mut connection = Self::new(Config::Server(config), greeting.path, start);
        // RFC 6347 section 4.2.2: the ServerHello continues where the stateless HelloVerifyRequest left off.
        let _ = connection.writes.current_mut().set_next_sequence(greeting.record_sequence);
        connection.begin_server(Some(greeting));
        // The gate has the whole hello already if that came in pieces: the datagram then is one of them.
        connection.run_ready(start.now);
        Ok(connection)
    }

    /// A server that does not ask for a cookie: the caller vouches for the client's address, because ICE or a trusted
    /// network has proved it. Hand it the client's first datagram next.
    ///
    /// The whole flight is sent at once and repeated as any other, many times the bytes of the hello: who cannot vouch for
    /// the address uses a [`Gate`](crate::Gate), or in DTLS 1.3 alone an
    /// [amplification limit](ServerConfig::with_amplification_limit).
    ///
    /// A client that was killed and comes back to its address says a hello with another random:
    /// [`is_of_hello`](Self::is_of_hello) tells it from copies.
    ///
    /// It may be made long before its client comes: the
    /// [`handshake_deadline`](crate::Settings::handshake_deadline) runs from the first datagram.
    ///
    /// # Errors
    /// None at present; the result leaves room for configurations that can fail late.
    pub fn server_without_cookie(config: Arc<ServerConfig>, path: Path, start: Start) -> Result<Self, Error> {
        let amplification = config.amplification_limit.map(Amplification::new);
        let mut connection = Self::new(Config::Server(config), path, start);
        if let Phase::Handshaking(handshaking) = &mut connection.phase {
            handshaking.amplification = amplification;
        }
        connection.begin_server(None);
        Ok(connection)
    }

    fn new(config: Config, path: Path, start: Start) -> Self {
        let settings = &config.common().settings;
        let handshaking = Handshaking::new(settings, config.side(), &start);
        Self {
            mtu: settings.mtu,
            path_is_narrow: false,
            settled: None,
            config,
            start,
            path,
            reads: ReadEpochs::new(ReadEpoch::new(
                0,
                Protection::plaintext(),
                AdmittedTypes::CLASSIC_PLAINTEXT,
            )),
            writes: WriteEpochs::new(WriteEpoch::new(0, Protection::plaintext())),
            stats: Stats::default(),
            phase: Phase::Handshaking(Box::new(handshaking)),
            events: VecDeque::new(),
            alert: None,
            requests: 0,
            idle: Idle::default(),
        }
    }

    // ---- getters ----

    /// Whether application data can be sent and received.
    pub fn is_connected(&self) -> bool {
        matches!(self.phase, Phase::Connected(_))
    }

    /// Whether the association is over: closed by either side, replaced or failed. Drain `poll_transmit` and drop it;
    /// a failed one may be kept until its deadline, so that it repeats its alert to a peer that missed it.
    pub fn is_closed(&self) -> bool {
        match self.phase {
            Phase::Handshaking(_) | Phase::Connected(_) => false,
            Phase::Draining { .. } | Phase::Closed(_) | Phase::Failed(..) => true,
        }
    }

    /// Whether nothing is left of the association: it is over, its last words are sent, and no deadline is kept. Drop it.
    ///
    /// True only when `poll_transmit` is drained.
    pub fn is_drained(&self) -> bool {
        self.is_closed() && self.alert.is_none() && self.poll_timeout().is_none()
    }

    /// Why the association failed, if it did.
    pub fn error(&self) -> Option<&Error> {
        match &self.phase {
            Phase::Failed(error, _) => Some(error),
            _ => None,
        }
    }

    /// What was dropped, by reason. Nothing here is an error.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The path that datagrams are sent to.
    pub fn path(&self) -> Path {
        self.path
    }

    /// The peer's certificates, leaf first, if [`keep_peer_chain`](crate::Settings::keep_peer_chain) is set.
    pub fn peer_chain(&self) -> &[CertificateDer<'static>] {
        match &self.phase {
            Phase::Connected(established) => established.peer_chain(),
            _ => &[],
        }
    }

    /// Whether the greeting's hello is a copy of the one that began this association, so that it must not begin
    /// another.
    ///
    /// A client that answered a second cookie before it saw our first flight is not: its hello has another
    /// message_seq, and only the last one counts for it (RFC 6347 section 4.2.1).
    pub fn is_of(&self, greeting: &Greeting) -> bool {
        self.is_of_hello(&greeting.hello_id())
    }

    /// The same by what tells hellos apart: for servers that ask for no cookie, with [`HelloId::of_datagram`]. A
    /// ClientHello with another random, from the address of an association, begins another one beside it, and the first
    /// one ends by [`replaced`](Self::replaced) when the newcomer is connected (RFC 6347 section 4.2.8); every other
    /// datagram of that address goes to both.
    ///
    /// Without a cookie all hellos of one random are of one attempt: the second one may answer a HelloRetryRequest of
    /// this association. As long as no first fragment of a hello has come, any may be its own.
    pub fn is_of_hello(&self, hello: &HelloId) -> bool {
        match &self.phase {
            Phase::Handshaking(handshaking) => match handshaking.hello {
                Some((random, message_seq)) => random == hello.random && message_seq == hello.message_seq,
                None => {
                    matches!(self.config, Config::Server(_))
                        && handshaking.random.is_none_or(|random| random == hello.random)
                }
            },
            Phase::Connected(established) => *established.client_random() == hello.random,
            _ => false,
        }
    }

    // ---- commands ----

    /// Seals application data where it lies: `payload` is the range of the plaintext in `buffer`, with the bytes of
    /// [`overhead_of`](Self::overhead_of) free around it. Returns the record, a part of `buffer`; no copy, no
    /// allocation. One record is one datagram, unless the caller puts several together.
    ///
    /// # Errors
    /// [`Misuse`] if not connected, if the payload is longer than [`max_payload`](Self::max_payload), if the range or
    /// the room around it is wrong, or if the key is used up (the association then fails with
    /// [`Error::KeyLimit`]).
    pub fn seal<'o>(&mut self, buffer: &'o mut [u8], payload: Range<usize>) -> Result<&'o [u8], Misuse> {
        let Phase::Connected(established) = &mut self.phase else { return Err(Misuse::NotConnected) };
        let limit = established.max_payload();
        if payload.len() > limit {
            return Err(Misuse::PayloadTooLarge { limit });
        }
        let epoch = self.writes.current_mut();
        match epoch.seal(ContentType::APPLICATION_DATA, buffer, payload) {
            Ok(sealed) => {
                if epoch.nears_limit() {
                    self.near_key_limit();
                }
                buffer.get(sealed.range).ok_or(Misuse::Range)
            }
            Err(error) => Err(self.seal_failed(error)),
        }
    }

    /// Seals a copy of `payload` at the start of `out`, and returns the length of the record.
    ///
    /// # Errors
    /// Like [`seal`](Self::seal).
    pub fn send(&mut self, payload: &[u8], out: &mut [u8]) -> Result<usize, Misuse> {
        if !self.is_connected() {
            return Err(Misuse::NotConnected);
        }
        let limit = self.max_payload();
        if payload.len() > limit {
            return Err(Misuse::PayloadTooLarge { limit });
        }
        // The prefix is exactly the header's length, so that the record begins where the buffer does.
        let start = self.writes.current().overhead().prefix;
        let place = start..start.saturating_add(payload.len());
        let Some(copy) = out.get_mut(place.clone()) else { return Err(self.no_room()) };
        copy.copy_from_slice(payload);
        self.seal(out, place).map(<[u8]>::len)
    }

    /// Changes the keys where the version can, else says so once.
    #[cold]
    fn near_key_limit(&mut self) {
        if !self.want_new_write_key()
            && let Phase::Connected(established) = &mut self.phase
            && established.warn_of_limit()
        {
            self.events.push_back(Event::KeysNearLimit);
        }
    }

    fn seal_failed(&mut self, error: SealError) -> Misuse {
        match error {
            SealError::PayloadOutsideBuffer => Misuse::Range,
            SealError::PrefixTooSmall | SealError::SuffixTooSmall => self.no_room(),
            SealError::PayloadTooLarge => Misuse::PayloadTooLarge { limit: MAX_PLAINTEXT },
            SealError::SequenceExhausted
            | SealError::EpochExhausted
            | SealError::KeyLimit
            | SealError::Aead => {
                self.fail_now(Error::KeyLimit);
                Misuse::KeyLimit
            }
        }
    }

    /// Changes the time until the first retransmission of a flight ([`Settings::initial_timeout`](crate::Settings::initial_timeout)); a running timer is
    /// measured anew from its start. For callers that learn the path's round trip. Less than 1 ms counts as 1 ms.
    pub fn set_initial_timeout(&mut self, timeout: Duration) {
        let timeout = timeout.max(MIN_TIMEOUT);
        match &mut self.phase {
            Phase::Handshaking(handshaking) => handshaking.io.flights.timer.set_initial(timeout),
            Phase::Connected(established) => {
                if let Some(post) = established.post_handshake() {
                    post.flights.set_initial_timeout(timeout);
                }
            }
            Phase::Draining { .. } | Phase::Closed(_) | Phase::Failed(..) => {}
        }
    }

    /// Closes the association: tells the peer with close_notify and takes no more data. A handshake is given up.
    pub fn close(&mut self, now: Instant) {
        self.close_with(now, AlertDescription::CLOSE_NOTIFY);
    }

    /// Closes the association like [`close`](Self::close), but tells the peer with a fatal alert that something is wrong
    /// (RFC 9846 section 6.2): the application found out too late that the peer has no right to be here, for example.
    ///
    /// user_canceled and no_renegotiation end nothing at the peer; close_notify is sent in their place. An association
    /// that is over already stays as it is.
    pub fn close_with(&mut self, _now: Instant, alert: AlertDescription) {
        let is_silent = is_exhausted(self.phase.amplification().copied());
        let last_flight = match &mut self.phase {
            Phase::Handshaking(_) => None,
            Phase::Connected(established) => established.take_unsent_flight(),
            Phase::Draining { .. } | Phase::Closed(_) | Phase::Failed(..) => return,
        };
        self.phase = Phase::Closed(last_flight);
        let alert = if alert.is_error() { alert } else { AlertDescription::CLOSE_NOTIFY };
        self.alert = Some(PendingAlert::of_error(alert)).filter(|_| !is_silent);
    }

    /// A newer association of the same peer has taken this one's place (RFC 6347 section 4.2.8): ends it silently
    /// with [`Event::AssociationReplaced`].
    pub fn replaced(&mut self, _now: Instant) {
        if !self.is_closed() {
            self.phase = Phase::Closed(None);
            self.alert = None;
            self.events.push_back(Event::AssociationReplaced);
        }
    }

    /// Answers an [`Event::Request`].
    ///
    /// # Errors
    /// [`Misuse::NoSuchRequest`] if that request is not open (any more), [`Misuse::WrongAnswer`] if the answer is of
    /// another kind.
    pub fn answer(&mut self, now: Instant, id: RequestId, answer: Answer) -> Result<(), Misuse> {
        self.take_request(id, &answer)?;
        self.run(now, Input::Answer(answer));
        self.run_ready(now);
        self.open_early(now);
        Ok(())
    }

    // ---- the world out ----

    /// The next event, if any.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        if let Some(event) = &event {
            trace::event(matches!(self.config, Config::Client(_)), event);
        }
        if self.events.is_empty() {
            // Events are few and early; an idle association keeps no room for them.
            self.events = VecDeque::new();
        }
        event
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), in whole microseconds; `None` for never. Changes with
    /// every other call.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Handshaking(handshaking) => handshaking.next_timeout(),
            Phase::Connected(established) => {
                let retirement = self.reads.next_retirement().map(Instant::from_origin);
                [established.next_timeout(), retirement, self.idle.deadline()].into_iter().flatten().min()
            }
            Phase::Failed(_, Some(linger)) => Some(linger.until()),
            Phase::Draining { .. } | Phase::Closed(_) | Phase::Failed(_, None) => None,
        }
    }

    // ---- the world in ----

    /// Acts on the passing of time. Early calls do nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        let outcome = match &mut self.phase {
            Phase::Handshaking(handshaking) => {
                handshaking.handle_timeout(now, &self.config.common().settings.limits)
            }
            Phase::Connected(established) => {
                established.forget_last_flight(now);
                self.reads.retire_expired(now.since_origin());
                established.post_handshake().map_or(Ok(()), |post| post.handle_timeout(now))
            }
            Phase::Failed(_, linger) => {
                if linger.as_ref().is_some_and(|linger| linger.until() <= now) {
                    *linger = None;
                    self.alert = None;
                }
                Ok(())
            }
            Phase::Draining { .. } | Phase::Closed(_) => Ok(()),
        };
        match outcome {
            Err(error) => self.fail(now, error),
            Ok(()) => self.start_key_update(now),
        }
        self.check_idle(now);
    }

    // ---- shared by the parts ----

    fn common(&self) -> &Common {
        self.config.common()
    }

    /// Ends the association with an error, tells the peer if the error has an alert, and tells the owner. An
    /// association ends once: what the peer does wrong after its close_notify means nothing any more.
    fn fail(&mut self, now: Instant, error: Error) {
        if self.is_closed() {
            return self.stats.count(Discard::AfterClose);
        }
        let linger = match &self.phase {
            Phase::Handshaking(handshaking) => handshaking.linger(now, &self.common().settings),
            _ => None,
        };
        let mut pending = error.alert().map(PendingAlert::of_error);
        if let (Some(alert), Phase::Connected(established)) = (&mut pending, &self.phase) {
            alert.precedes_finished = established.has_unsent_finished();
        }
        let amplification = self.phase.amplification().copied();
        let lingers = linger.zip(pending);
        let linger = lingers.map(|(linger, alert)| Box::new(linger.repeating(alert, amplification)));
        self.alert = pending.filter(|_| linger.is_some() || !is_exhausted(amplification));
        self.events.push_back(Event::Failed(error.clone()));
        self.phase = Phase::Failed(error, linger);
    }

    /// Like [`fail`](Self::fail) where no time is at hand: only once connected, when nothing lingers.
    fn fail_now(&mut self, error: Error) {
        self.fail(self.start.now, error);
    }

    /// Forgets our epochs that nothing is sent in any more.
    fn retire_write_epochs(&mut self) {
        let Self { phase: Phase::Connected(established), writes, .. } = self else { return };
        let flights = established.post_handshake.as_ref().map(|post| &post.flights);
        let current = writes.current().epoch();
        writes.retain(|epoch| epoch == current || flights.is_some_and(|flights| flights.needs_epoch(epoch)));
    }
}

impl core::fmt::Debug for Connection {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Connection")
            .field("path", &self.path)
            .field("mtu", &self.mtu)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}
