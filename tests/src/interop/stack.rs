//! The three programs behind one face: start as server, start as client, say how an alert is reported.
//!
//! It must not know what a conversation is about.

use super::process::{Process, Stream};
use super::side::{Group, Side, Suite};
use super::{drystone, gnutls, openssl};
use std::process::{Command, Stdio};
use std::time::Duration;

/// How long a program may take for one step. Far more than a step needs, so that only a hang runs into it.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// A DTLS program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stack {
    /// The `drystone` command of this workspace.
    Drystone,
    /// `openssl s_client` and `s_server`.
    OpenSsl,
    /// `gnutls-cli` and `gnutls-serv`.
    GnuTls,
}

/// A server that is ready for clients.
#[derive(Debug)]
pub struct Server {
    /// The program.
    pub process: Process,
    /// Its UDP port on 127.0.0.1.
    pub port: u16,
    /// Who sends back what it receives.
    pub echo: Echo,
}

/// Who answers a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    /// The server does.
    Own,
    /// The server prints what it gets and sends its standard input: the test carries the text over.
    ByHand,
}

/// A client whose handshake has begun.
#[derive(Debug)]
pub struct Client {
    /// The program.
    pub process: Process,
}

impl Stack {
    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Drystone => "drystone",
            Self::OpenSsl => "OpenSSL",
            Self::GnuTls => "GnuTLS",
        }
    }

    /// Starts a server and waits until it is ready.
    ///
    /// # Errors
    /// If it does not start, with what it said.
    pub fn serve(self, side: &Side<'_>) -> Result<Server, String> {
        match self {
            Self::Drystone => drystone::serve(side),
            Self::OpenSsl => openssl::serve(side),
            Self::GnuTls => gnutls::serve(side),
        }
    }

    /// Starts a client towards 127.0.0.1 without waiting for its handshake.
    ///
    /// # Errors
    /// If the program does not start.
    pub fn connect(self, side: &Side<'_>, port: u16) -> Result<Client, String> {
        let process = match self {
            Self::Drystone => drystone::connect(side, port),
            Self::OpenSsl => openssl::connect(side, port),
            Self::GnuTls => gnutls::connect(side, port),
        }?;
        Ok(Client { process })
    }

    /// Waits until the client says that its handshake is complete, and returns the line that says so.
    ///
    /// # Errors
    /// If it fails or takes too long, with what the client said.
    pub fn expect_connected(self, client: &mut Client) -> Result<String, String> {
        match self {
            Self::Drystone => client.process.expect(Stream::Out, drystone::CONNECTED, PATIENCE),
            Self::OpenSsl => openssl::expect_connected(&mut client.process),
            Self::GnuTls => client.process.expect(Stream::Out, gnutls::CONNECTED, PATIENCE),
        }
    }

    /// How many lines its client can be given before their echoes are back. The other programs make one packet of
    /// everything that they read from standard input at once.
    pub(super) const fn lines_at_once(self) -> usize {
        match self {
            Self::Drystone => 8,
            Self::OpenSsl | Self::GnuTls => 1,
        }
    }

    /// Whether the program has this cipher suite.
    pub fn has_suite(self, suite: Suite) -> bool {
        match self {
            Self::Drystone => true,
            Self::OpenSsl => openssl::suites().lines().any(|name| name == suite.iana),
            Self::GnuTls => {
                gnutls::list().lines().any(|line| line.split_whitespace().next() == Some(suite.gnutls))
            }
        }
    }

    /// Whether the program has this group.
    pub fn has_group(self, group: Group) -> bool {
        match self {
            Self::Drystone => true,
            Self::OpenSsl => openssl::has_group(group),
            Self::GnuTls => gnutls::list().contains(group.gnutls()),
        }
    }

    /// Suites with ECDHE and an AEAD that the program has and drystone has not, by the program's names.
    pub fn suites_without_counterpart(self) -> Vec<String> {
        match self {
            Self::Drystone => Vec::new(),
            Self::OpenSsl => openssl::other_suites(),
            Self::GnuTls => gnutls::other_suites(),
        }
    }

    /// What the program writes when it receives this alert (to either stream).
    pub(super) fn alert_received(self, number: u8, name: &str) -> String {
        match self {
            Self::Drystone => name.to_owned(),
            Self::OpenSsl => format!("SSL alert number {number}\n"),
            Self::GnuTls => format!("Alert[2|{number}]"),
        }
    }

    const fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Drystone => &[],
            Self::OpenSsl => &["openssl"],
            // Its keys are made with openssl.
            Self::GnuTls => &["gnutls-cli", "gnutls-serv", "openssl"],
        }
    }
}

/// Whether all programs of these peers are installed. A missing one is said aloud.
///
/// # Panics
/// If one is missing and the environment has `DRYSTONE_REQUIRE_PEERS=1`.
pub fn peers_are_here(stacks: &[Stack]) -> bool {
    stacks.iter().flat_map(|stack| stack.programs()).all(|program| program_is_here(program))
}

/// As [`peers_are_here`], for one program.
///
/// # Panics
/// If it is missing and the environment has `DRYSTONE_REQUIRE_PEERS=1`.
pub fn program_is_here(program: &str) -> bool {
    if is_installed(program) {
        return true;
    }
    assert!(
        std::env::var("DRYSTONE_REQUIRE_PEERS").as_deref() != Ok("1"),
        "{program} not found, and DRYSTONE_REQUIRE_PEERS=1 demands it"
    );
    println!("SKIPPED: {program} not found");
    false
}

fn is_installed(program: &str) -> bool {
    let version = if program == "openssl" { "version" } else { "--version" };
    Command::new(program).arg(version).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}
