//! The cells of the tables: what is tried between a server program and a client program.
//!
//! It knows which settings make which cell, and the cells that a program cannot fill. It must not know how a program
//! is driven.

use super::conversation::Conversation;
use super::drystone;
use super::failure::{Failure, Told};
use super::pki::Pki;
use super::side::{Group, KeyKind, SUITES, Side, Suite};
use super::stack::Stack;
use super::table::{Cell, Table};
use serde_json::Value;

/// Packets there and back in each conversation.
const PACKETS: usize = 200;
/// Fits a datagram of every program's default MTU.
const LONGEST: usize = 1000;
/// Fits a datagram of [`SMALL_MTU`] with room for the record's header and tag, and with its newline the 254 bytes
/// that gnutls-serv reads at a time: it sends back a longer packet in pieces.
const SHORT: usize = 180;
const SMALL_MTU: u16 = 256;
const PROTOCOL: &str = "drystone-interop";
const NAME: &str = "localhost";

/// A server program and a client program.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    /// Who serves.
    pub server: Stack,
    /// Who connects.
    pub client: Stack,
}

impl Pair {
    /// Our client with this server.
    pub fn with_our_client(server: Stack) -> Self {
        Self { server, client: Stack::Drystone }
    }

    /// Our server with this client.
    pub fn with_our_server(client: Stack) -> Self {
        Self { server: Stack::Drystone, client }
    }

    /// Each cipher suite with each group.
    pub fn suites_and_groups(self, pki: &Pki) -> Table {
        let mut cells = Vec::new();
        for suite in SUITES {
            for group in Group::ALL {
                cells.push(self.suite_cell(pki, suite, group));
            }
        }
        let peer = if self.server == Stack::Drystone { self.client } else { self.server };
        let others = peer.suites_without_counterpart().join(" ");
        Table::fill(self.title("cipher suites and groups"), cells)
            .note(format!("in {} and not in drystone: {others}", peer.name()))
    }

    /// Kinds of keys on either side, chains, ALPN, small datagrams.
    pub fn certificates_and_settings(self, pki: &Pki) -> Table {
        let mut cells = Vec::new();
        for kind in KeyKind::ALL {
            cells.push(self.server_key_cell(pki, kind));
            cells.push(self.client_key_cell(pki, kind));
        }
        cells.extend(self.setting_cells(pki));
        Table::fill(self.title("certificates and settings"), cells)
    }

    /// Handshakes that must fail, with the right alert and exit code and within a second.
    pub fn failures(self, pki: &Pki) -> Table {
        let mut cells = self.client_refuses(pki);
        cells.extend(self.server_refuses(pki));
        Table::fill(self.title("failures"), cells)
    }

    fn suite_cell(self, pki: &Pki, suite: Suite, group: Group) -> Cell<'_> {
        for stack in [self.server, self.client] {
            if !stack.has_suite(suite) || !stack.has_group(group) {
                return Cell::absent(suite.iana, group.iana(), format!("{} lacks it", stack.name()));
            }
        }
        Cell::new(suite.iana, group.iana(), move || {
            let (mut server, mut client) = (server_side(pki, suite.key), client_side(pki));
            // One side is restricted, the other has its defaults. A client that offers no secp256r1 says that it
            // takes no certificate with such a key either (RFC 8422 section 5.1.1): it comes last.
            let groups = match suite.key {
                KeyKind::P256 if group != Group::P256 && self.server != Stack::Drystone => {
                    vec![group, Group::P256]
                }
                _ => vec![group],
            };
            let restricted = if self.server == Stack::Drystone { &mut server } else { &mut client };
            restricted.suite = Some(suite);
            restricted.groups = &groups;
            let connected = self.talk(server, client)?;
            says(connected.as_ref(), "cipher_suite", suite.iana)?;
            says(connected.as_ref(), "group", group.iana())
        })
    }

    fn server_key_cell(self, pki: &Pki, kind: KeyKind) -> Cell<'_> {
        if self.server == Stack::OpenSsl && kind == KeyKind::Ed25519 {
            let reason = "OpenSSL 3.0 allows an Ed25519 server certificate in TLS 1.2 and not in DTLS 1.2";
            return Cell::absent("server certificate", kind.name(), reason);
        }
        Cell::new("server certificate", kind.name(), move || {
            self.talk(server_side(pki, kind), client_side(pki)).map(drop)
        })
    }

    fn client_key_cell(self, pki: &Pki, kind: KeyKind) -> Cell<'_> {
        Cell::new("client certificate too", kind.name(), move || {
            let server = Side { trust: Some(&pki.root), ..server_side(pki, KeyKind::P256) };
            let client = Side { identity: Some(pki.client(kind)), ..client_side(pki) };
            self.talk(server, client).map(drop)
        })
    }

    fn setting_cells(self, pki: &Pki) -> Vec<Cell<'_>> {
        let kind = KeyKind::P256.name();
        let mut cells = vec![
            Cell::new("chain with intermediate", kind, move || {
                let server = Side { identity: Some(&pki.with_intermediate), ..Side::default() };
                self.talk(server, client_side(pki)).map(drop)
            }),
            Cell::new("ALPN", kind, move || {
                let server = Side { alpn: Some(PROTOCOL), ..server_side(pki, KeyKind::P256) };
                let client = Side { alpn: Some(PROTOCOL), ..client_side(pki) };
                says(self.talk(server, client)?.as_ref(), "alpn", PROTOCOL)
            }),
        ];
        cells.push(Cell::new("client certificate of one of 151 authorities", kind, move || {
            let server = Side { trust: Some(&pki.many_roots), ..server_side(pki, KeyKind::P256) };
            let client = Side { identity: Some(pki.client(KeyKind::P256)), ..client_side(pki) };
            self.talk(server, client).map(drop)
        }));
        for kind in [KeyKind::P256, KeyKind::Rsa2048] {
            cells.push(Cell::new("MTU 256 on both sides, client certificate", kind.name(), move || {
                let server = Side { trust: Some(&pki.root), mtu: Some(SMALL_MTU), ..server_side(pki, kind) };
                let client =
                    Side { identity: Some(pki.client(kind)), mtu: Some(SMALL_MTU), ..client_side(pki) };
                self.talk(server, client).map(drop)
            }));
        }
        if self.client == Stack::Drystone {
            cells.push(self.echo_test_cell(pki));
        }
        if self.server == Stack::Drystone && self.client == Stack::OpenSsl {
            cells.extend(self.no_cookie_cells(pki));
        }
        cells
    }

    /// A client of DTLS 1.2 repeats its hello ever later: what waits for that comes seconds late or never.
    fn no_cookie_cells(self, pki: &Pki) -> [Cell<'_>; 2] {
        let large = ("RSA, intermediate of 12 kB", &pki.with_large_intermediate);
        [(KeyKind::P256.name(), pki.server(KeyKind::P256)), large].map(|(column, identity)| {
            Cell::new("no cookie asked for", column, move || {
                let server = Side { identity: Some(identity), no_cookie: true, ..Side::default() };
                self.talk(server, client_side(pki)).map(drop)
            })
        })
    }

    /// The command's own check, with every byte value and packets as long as a datagram holds; a small one, see
    /// [`SHORT`].
    fn echo_test_cell(self, pki: &Pki) -> Cell<'_> {
        let (row, column) = ("--echo-test in an MTU of 256", KeyKind::P256.name());
        if self.server == Stack::OpenSsl {
            return Cell::absent(row, column, "s_server does not echo, and its standard input is text");
        }
        Cell::new(row, column, move || {
            let server = self.server.serve(&server_side(pki, KeyKind::P256))?;
            let client = Side { mtu: Some(SMALL_MTU), ..client_side(pki) };
            drystone::echo_test(&client, server.port, PACKETS)
        })
    }

    fn client_refuses(self, pki: &Pki) -> Vec<Cell<'_>> {
        let kind = KeyKind::P256;
        let wrong_ca = Side { trust: Some(&pki.other_root), ..client_side(pki) };
        let wrong_name = Side { name: Some("other.example"), ..client_side(pki) };
        let expired = Side { identity: Some(&pki.expired), ..Side::default() };
        let faults = [
            ("wrong CA", Fault::WrongCa, server_side(pki, kind), wrong_ca),
            ("wrong name", Fault::WrongName, server_side(pki, kind), wrong_name),
            ("expired", Fault::Expired, expired, client_side(pki)),
        ];
        let cells = faults.into_iter().map(|(row, fault, server, client)| {
            let (alert, exit) = fault.refused_by(self.client);
            let (server, client) = ((self.server, server), (self.client, client));
            let failure = Failure { server, client, told: Told::Server, alert, exit: Some(exit) };
            Cell::new(row, COLUMN, move || failure.run())
        });
        cells.collect()
    }

    fn server_refuses(self, pki: &Pki) -> Vec<Cell<'_>> {
        let [ours, theirs] = [SUITES[0], SUITES[3]];
        let plain = server_side(pki, KeyKind::P256);
        let strict = Side { trust: Some(&pki.root), ..plain };
        let stranger = Side { identity: Some(&pki.stranger), ..client_side(pki) };
        let faults = [
            (
                "no common suite",
                Side { suite: Some(ours), ..plain },
                Side { suite: Some(theirs), ..client_side(pki) },
                40,
            ),
            (
                "no common ALPN",
                Side { alpn: Some("a"), ..plain },
                Side { alpn: Some("b"), ..client_side(pki) },
                120,
            ),
            ("client certificate missing", strict, client_side(pki), 40),
            ("client certificate of a wrong CA", strict, stranger, 48),
        ];
        let cells = faults.into_iter().map(|(row, server, client, alert)| {
            if self.server == Stack::GnuTls {
                return Cell::absent(
                    row,
                    COLUMN,
                    "gnutls-serv --udp sends no alert when it refuses a handshake",
                );
            }
            let exit = match self.client {
                Stack::Drystone => Some(2),
                Stack::OpenSsl => Some(1),
                // It logs a plaintext alert during the handshake and repeats its flight until its own time is over.
                Stack::GnuTls => None,
            };
            let alert = named(alert);
            let failure = Failure {
                server: (self.server, server),
                client: (self.client, client),
                told: Told::Client,
                alert,
                exit,
            };
            Cell::new(row, COLUMN, move || failure.run())
        });
        cells.collect()
    }

    fn talk(self, server: Side<'_>, client: Side<'_>) -> Result<Option<Value>, String> {
        let short = self.server == Stack::GnuTls || client.mtu == Some(SMALL_MTU);
        let conversation = Conversation {
            server: (self.server, server),
            client: (self.client, client),
            packets: PACKETS,
            longest: if short { SHORT } else { LONGEST },
        };
        conversation.run().map(|report| report.connected)
    }

    pub(super) fn title(self, what: &str) -> String {
        format!("{} client with {} server: {what}", self.client.name(), self.server.name())
    }
}

/// The one column of the table of failures.
const COLUMN: &str = "told";

/// What is wrong with a server, seen by its client.
#[derive(Clone, Copy)]
enum Fault {
    WrongCa,
    WrongName,
    Expired,
}

impl Fault {
    /// The alert that this client program sends, and its exit code.
    const fn refused_by(self, client: Stack) -> ((u8, &'static str), i32) {
        match (client, self) {
            // RFC 5246 section 7.2.2 has no alert for a wrong name; bad_certificate is what OpenSSL uses.
            (Stack::Drystone, Self::WrongName) => (named(42), 3),
            (Stack::Drystone, Self::WrongCa) => (named(48), 2),
            (Stack::Drystone, Self::Expired) => (named(45), 2),
            (Stack::OpenSsl, Self::WrongName) => (named(42), 1),
            (Stack::OpenSsl, Self::WrongCa) => (named(48), 1),
            (Stack::OpenSsl, Self::Expired) => (named(45), 1),
            // It does not tell them apart.
            (Stack::GnuTls, _) => (named(42), 1),
        }
    }
}

const fn named(alert: u8) -> (u8, &'static str) {
    let name = match alert {
        40 => "handshake_failure",
        42 => "bad_certificate",
        45 => "certificate_expired",
        48 => "unknown_ca",
        120 => "no_application_protocol",
        _ => panic!("an alert without a name here"),
    };
    (alert, name)
}

fn server_side(pki: &Pki, kind: KeyKind) -> Side<'_> {
    Side { identity: Some(pki.server(kind)), ..Side::default() }
}

fn client_side(pki: &Pki) -> Side<'_> {
    Side { trust: Some(&pki.root), name: Some(NAME), ..Side::default() }
}

/// Checks a field of drystone's `connected` event; without drystone in the pair there is none.
fn says(connected: Option<&Value>, field: &str, expected: &str) -> Result<(), String> {
    match connected {
        Some(event) if event[field].as_str() != Some(expected) => {
            Err(format!("{field} is not {expected}: {event}"))
        }
        _ => Ok(()),
    }
}
