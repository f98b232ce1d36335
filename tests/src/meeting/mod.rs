//! Two implementations of DTLS meet in one process: no sockets, simulated time, a simulated network. Owns the trait that
//! both sides of such a meeting speak, drystone's side of it, the network between, and the cells that are tried. It
//! must not know any other implementation: their adapters stand where their crates may be named (`tests/`, `interop/`).

mod cell;
mod identities;
mod matrix;
mod ours;
mod plan;
mod run;
mod table_tests;
mod wire;

use core::time::Duration;

use drystone_handshake::{CipherSuiteId, NamedGroup};

pub use drystone_handshake::ProtocolVersion;
pub use identities::identity;
pub use matrix::{Against, handshakes};
pub use ours::Drystone;
pub use plan::Plan;
pub use run::Meeting;
pub use wire::Wire;

use crate::clock::Clock;
use crate::interop::KeyKind;

/// One end of an association, of whatever implementation. Time is the simulation's.
///
/// What fails is state: [`failure`](Self::failure).
pub trait Party {
    /// A datagram has arrived.
    fn receive(&mut self, now: Duration, datagram: &mut [u8]);

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called; `None` for never.
    fn poll_timeout(&mut self, now: Duration) -> Option<Duration>;

    /// Acts on the passing of time.
    fn handle_timeout(&mut self, now: Duration);

    /// The next datagram to send.
    fn poll_transmit(&mut self, now: Duration) -> Option<Vec<u8>>;

    /// The next packet of application data that has arrived.
    fn poll_received(&mut self) -> Option<Vec<u8>>;

    /// Whether application data can be sent.
    fn is_connected(&self) -> bool;

    /// Whether the peer has closed with close_notify.
    fn peer_has_closed(&self) -> bool;

    /// Why the association ended, if it failed.
    fn failure(&self) -> Option<String>;

    /// Sends application data.
    ///
    /// # Errors
    /// What the implementation says.
    fn send(&mut self, now: Duration, payload: &[u8]) -> Result<(), String>;

    /// Changes the keys that it writes with (DTLS 1.3), and asks the peer to do the same if `request_peer`.
    ///
    /// An implementation without such a command was told so by [`Plan::rekey_early`], and does nothing here.
    ///
    /// # Errors
    /// What the implementation says.
    fn update_keys(&mut self, now: Duration, request_peer: bool) -> Result<(), String>;

    /// Says close_notify.
    ///
    /// # Errors
    /// What the implementation says.
    fn close(&mut self, now: Duration) -> Result<(), String>;

    /// What the handshake settled; `None` before it is done.
    fn facts(&self) -> Option<Facts>;

    /// Exports 32 bytes of keying material under this label (RFC 5705) with an empty context; `None` if the
    /// implementation cannot.
    fn export(&self, label: &str) -> Option<[u8; 32]>;
}

/// What a handshake settled. `None` where an implementation does not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The version.
    pub version: Option<ProtocolVersion>,
    /// The cipher suite.
    pub suite: Option<CipherSuiteId>,
    /// The group of the key exchange.
    pub group: Option<NamedGroup>,
    /// The application protocol; empty if none was negotiated.
    pub alpn: Option<Vec<u8>>,
    /// The peer's leaf certificate in DER; empty if it showed none.
    pub peer_certificate: Option<Vec<u8>>,
}

impl Facts {
    /// The first fact that this side tells otherwise than `expected`.
    ///
    /// # Errors
    /// The name of the fact, and both values.
    pub fn agree_with(&self, expected: &Self) -> Result<(), String> {
        fn agree<T: PartialEq + core::fmt::Debug>(
            name: &str,
            told: Option<&T>,
            expected: Option<&T>,
        ) -> Result<(), String> {
            match (told, expected) {
                (Some(told), Some(expected)) if told != expected => {
                    Err(format!("{name} is {told:?}, not {expected:?}"))
                }
                _ => Ok(()),
            }
        }
        agree("version", self.version.as_ref(), expected.version.as_ref())?;
        agree("cipher suite", self.suite.as_ref(), expected.suite.as_ref())?;
        agree("group", self.group.as_ref(), expected.group.as_ref())?;
        agree("ALPN", self.alpn.as_ref(), expected.alpn.as_ref())?;
        agree("peer certificate", self.peer_certificate.as_ref(), expected.peer_certificate.as_ref())
    }
}

/// Makes one end of an association, any number of times. The clock gives the present and the date.
pub type Maker = Box<dyn Fn(&Clock) -> Box<dyn Party>>;

/// An implementation of DTLS.
pub trait Stack: Sync {
    /// Its name in tables.
    fn name(&self) -> &'static str;

    /// Clients with these settings.
    ///
    /// # Errors
    /// What the implementation does not like about them.
    fn client(&self, plan: &Plan) -> Result<Maker, String>;

    /// Servers with these settings.
    ///
    /// # Errors
    /// What the implementation does not like about them.
    fn server(&self, plan: &Plan) -> Result<Maker, String>;

    /// Whether it has this suite.
    fn has_suite(&self, suite: CipherSuiteId) -> bool;

    /// Whether it has this group in this version.
    fn has_group(&self, version: ProtocolVersion, group: NamedGroup) -> bool;

    /// Whether it can show and check certificates with such keys.
    fn has_key(&self, key: KeyKind) -> bool;

    /// Whether it sends chains of more than one certificate.
    fn has_chains(&self) -> bool;

    /// Whether it negotiates application protocols.
    fn has_alpn(&self) -> bool;

    /// Whether its application can ask for a KeyUpdate; if not, see [`Plan::rekey_early`].
    fn updates_keys_on_command(&self) -> bool {
        true
    }

    /// How its servers answer a client's first hello in this version.
    fn first_answer(&self, version: ProtocolVersion) -> FirstAnswer;

    /// A fault of this implementation that its peers cannot make good, in meetings like this one over a bad network.
    fn fault_under_loss(&self, _version: ProtocolVersion, _serves: bool, _plan: &Plan) -> Option<Fault> {
        None
    }
}

/// What an implementation does wrong, and how often that may end a meeting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fault {
    /// What it does wrong.
    pub what: &'static str,
    /// The share of meetings that may fail.
    pub share: f64,
}

/// How a server answers a client's first hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstAnswer {
    /// It asks for a cookie: HelloVerifyRequest in DTLS 1.2, HelloRetryRequest in DTLS 1.3.
    Cookie,
    /// With a ServerHello, if the key share suits it.
    Hello,
}
