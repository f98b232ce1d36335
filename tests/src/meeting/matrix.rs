//! The tables of a meeting between drystone and another implementation. Owns which cells there are and which of them the
//! other one cannot fill.

use drystone_handshake::{CipherSuiteId, NamedGroup, ProtocolVersion};

use super::cell::{Act, Encounter};
use super::{Drystone, Facts, FirstAnswer, Plan, Stack, identity};
use crate::interop::{Cell, KeyKind, Table};
use crate::link::Direction;

const PROTOCOL: &str = "drystone-interop";

/// Every group that one of the two may have, in the order of the tables.
const GROUPS: [NamedGroup; 4] =
    [NamedGroup::X25519, NamedGroup::SECP256R1, NamedGroup::SECP384R1, NamedGroup::X25519MLKEM768];

/// The suites of DTLS 1.2, with the kind of key that each is tried with.
const SUITES_12: [(CipherSuiteId, KeyKind); 6] = [
    (CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, KeyKind::P256),
    (CipherSuiteId::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, KeyKind::P256),
    (CipherSuiteId::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, KeyKind::P256),
    (CipherSuiteId::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, KeyKind::Rsa2048),
    (CipherSuiteId::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, KeyKind::Rsa2048),
    (CipherSuiteId::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, KeyKind::Rsa2048),
];

/// The suites of DTLS 1.3. RFC 9846 takes the kind of key out of them.
const SUITES_13: [(CipherSuiteId, KeyKind); 3] = [
    (CipherSuiteId::TLS_AES_128_GCM_SHA256, KeyKind::P256),
    (CipherSuiteId::TLS_AES_256_GCM_SHA384, KeyKind::P256),
    (CipherSuiteId::TLS_CHACHA20_POLY1305_SHA256, KeyKind::P256),
];

/// Handshakes per cell over the bad network: `DRYSTONE_INTEROP_HANDSHAKES`, or `default`.
///
/// # Panics
/// If the variable is not a number.
pub fn handshakes(default: u64) -> u64 {
    std::env::var("DRYSTONE_INTEROP_HANDSHAKES")
        .map_or(default, |text| text.parse().expect("DRYSTONE_INTEROP_HANDSHAKES is a number"))
}

/// drystone in one role, another implementation in the other, one version.
#[derive(Clone, Copy)]
pub struct Against<'a> {
    /// The other implementation.
    pub peer: &'a dyn Stack,
    /// The version that both speak.
    pub version: ProtocolVersion,
    /// drystone serves; otherwise it connects.
    pub we_serve: bool,
    /// Handshakes per cell over the bad network.
    pub count: u64,
}

/// A cell before it runs.
struct Planned<'a> {
    row: String,
    column: String,
    /// Or why it cannot be filled.
    encounter: Result<Encounter<'a>, String>,
}

impl<'a> Planned<'a> {
    fn new(row: impl Into<String>, column: impl Into<String>, encounter: Encounter<'a>) -> Self {
        Self { row: row.into(), column: column.into(), encounter: Ok(encounter) }
    }

    fn absent(row: impl Into<String>, column: impl Into<String>, reason: String) -> Self {
        Self { row: row.into(), column: column.into(), encounter: Err(reason) }
    }
}

impl core::fmt::Debug for Against<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", self.title("meetings"))
    }
}

impl<'a> Against<'a> {
    /// Each suite with each group.
    pub fn suites_and_groups(self) -> Table {
        let mut cells = Vec::new();
        for &(suite, key) in self.suites() {
            for group in GROUPS {
                cells.push(self.suite_cell(suite, key, group));
            }
        }
        self.fill("cipher suites and groups", cells)
    }

    /// Certificates on one or both sides, small datagrams, ALPN, retries, changes of keys.
    pub fn settings(self) -> Table {
        let mut cells = Vec::new();
        for key in KeyKind::ALL {
            cells.push(self.key_cell("server certificate", key, 1200, false));
            cells.push(self.key_cell("client certificate too", key, 1200, true));
            for (row, mtu) in [("client certificate, MTU 256", 256), ("client certificate, MTU 300", 300)] {
                cells.push(self.key_cell(row, key, mtu, true));
            }
        }
        cells.push(self.alpn_cell());
        cells.extend(self.cells_of_13());
        self.fill("certificates and settings", cells)
    }

    fn suite_cell(self, suite: CipherSuiteId, key: KeyKind, group: NamedGroup) -> Planned<'a> {
        let (row, column) = (suite.to_string(), group.to_string());
        for stack in [&Drystone as &dyn Stack, self.peer] {
            let lacks = if !stack.has_suite(suite) {
                "that suite"
            } else if !stack.has_group(self.version, group) {
                "that group in this version"
            } else if !stack.has_key(key) {
                "certificates for that suite"
            } else {
                continue;
            };
            return Planned::absent(row, column, format!("{} lacks {lacks}", stack.name()));
        }
        let (mut client, mut server) = self.plans(key);
        (client.suite, server.suite) = (Some(suite), Some(suite));
        server.groups = vec![group];
        client.groups = vec![group];
        // In DTLS 1.2 a client that offers no secp256r1 says that it takes no certificate with such a key either
        // (RFC 8422 section 5.1.1): it comes last.
        if self.is_12() && key == KeyKind::P256 && group != NamedGroup::SECP256R1 {
            client.groups.push(NamedGroup::SECP256R1);
        }
        let expected = Facts { suite: Some(suite), group: Some(group), ..Facts::default() };
        Planned::new(row, column, Encounter { expected, ..self.encounter(client, server) })
    }

    fn key_cell(self, row: &str, key: KeyKind, mtu: usize, mutual: bool) -> Planned<'a> {
        let column = key.name();
        let has_chain = identity(key).chain.len() > 1;
        if !self.peer.has_key(key) {
            return Planned::absent(row, column, format!("{} lacks such keys", self.peer.name()));
        }
        if has_chain && !self.peer.has_chains() {
            return Planned::absent(row, column, format!("{} sends one certificate only", self.peer.name()));
        }
        let mut encounter = self.mutual(key);
        if !mutual {
            (encounter.client.1.identity, encounter.server.1.trust) = (None, None);
        }
        (encounter.client.1.mtu, encounter.server.1.mtu) = (mtu, mtu);
        Planned::new(row, column, encounter)
    }

    fn alpn_cell(self) -> Planned<'a> {
        let (row, column) = ("ALPN", KeyKind::P256.name());
        if !self.peer.has_alpn() {
            return Planned::absent(row, column, format!("{} lacks it", self.peer.name()));
        }
        let (mut client, mut server) = self.plans(KeyKind::P256);
        (client.alpn, server.alpn) = (Some(PROTOCOL), Some(PROTOCOL));
        let expected = Facts { alpn: Some(PROTOCOL.as_bytes().to_vec()), ..Facts::default() };
        Planned::new(row, column, Encounter { expected, ..self.encounter(client, server) })
    }

    /// What DTLS 1.2 does not have.
    fn cells_of_13(self) -> Vec<Planned<'a>> {
        if self.is_12() {
            return Vec::new();
        }
        let mut cells = Vec::new();
        for group in [NamedGroup::SECP384R1, NamedGroup::X25519MLKEM768] {
            cells.push(self.retry_cell(group));
        }
        for sender in Direction::BOTH {
            for request_peer in [false, true] {
                cells.push(self.rekey_cell(sender, request_peer));
            }
        }
        cells.extend(self.version_cells());
        cells
    }

    /// The server has one group, and the client prefers another.
    fn retry_cell(self, group: NamedGroup) -> Planned<'a> {
        let (mut client, mut server) = self.plans(KeyKind::P256);
        client.groups = vec![NamedGroup::X25519, group];
        server.groups = vec![group];
        let expected = Facts { group: Some(group), ..Facts::default() };
        let encounter = Encounter { expected, other_group: true, ..self.encounter(client, server) };
        let with_cookie = match encounter.server.0.first_answer(self.version) {
            FirstAnswer::Cookie => " and a cookie",
            FirstAnswer::Hello => "",
        };
        let (row, column) = (format!("HelloRetryRequest for {group}{with_cookie}"), KeyKind::P256.name());
        if !self.peer.has_group(self.version, group) {
            return Planned::absent(row, column, format!("{} lacks that group", self.peer.name()));
        }
        Planned::new(row, column, encounter)
    }

    fn rekey_cell(self, sender: Direction, request_peer: bool) -> Planned<'a> {
        let (mut client, mut server) = self.plans(KeyKind::P256);
        client.rekey_early = sender == Direction::ToServer;
        server.rekey_early = sender == Direction::ToClient;
        let encounter =
            Encounter { act: Act::Rekey { sender, request_peer }, ..self.encounter(client, server) };
        let (who, stack) = match sender {
            Direction::ToServer => ("client", encounter.client.0),
            Direction::ToClient => ("server", encounter.server.0),
        };
        let how = if request_peer { ", which asks for one" } else { "" };
        let (row, column) = (format!("KeyUpdate by the {who}{how}"), KeyKind::P256.name());
        if request_peer && !stack.updates_keys_on_command() {
            return Planned::absent(
                row,
                column,
                format!("the application of {} cannot say that", stack.name()),
            );
        }
        Planned::new(row, column, encounter)
    }

    /// One side has both versions, or both have.
    fn version_cells(self) -> Vec<Planned<'a>> {
        let both = [("client", true, false), ("server", false, true), ("both sides", true, true)];
        let cells = both.into_iter().map(|(who, client_has_both, server_has_both)| {
            let (mut client, mut server) = self.plans(KeyKind::P256);
            for (plan, has_both) in [(&mut client, client_has_both), (&mut server, server_has_both)] {
                if has_both {
                    plan.min_version = ProtocolVersion::DTLS_1_2;
                }
            }
            Planned::new(
                format!("both versions: {who}"),
                KeyKind::P256.name(),
                self.encounter(client, server),
            )
        });
        cells.collect()
    }

    /// A client that trusts a server with such a key.
    fn plans(self, key: KeyKind) -> (Plan, Plan) {
        let plan = Plan::only(self.version);
        let client = Plan { trust: Some(identity(key)), ..plan.clone() };
        (client, Plan { identity: Some(identity(key)), ..plan })
    }

    /// Both show certificates.
    fn mutual(self, key: KeyKind) -> Encounter<'a> {
        let (client, server) = self.plans(key);
        let (client, server) =
            (Plan { identity: Some(identity(key)), ..client }, Plan { trust: Some(identity(key)), ..server });
        self.encounter(client, server)
    }

    fn encounter(self, client: Plan, server: Plan) -> Encounter<'a> {
        let (ours, theirs): (&dyn Stack, &dyn Stack) = (&Drystone, self.peer);
        let (client_stack, server_stack) = if self.we_serve { (theirs, ours) } else { (ours, theirs) };
        Encounter {
            client: (client_stack, client),
            server: (server_stack, server),
            version: self.version,
            expected: Facts::default(),
            other_group: false,
            act: Act::Talk,
        }
    }

    /// Fills the table, and names the faults that its cells bear with.
    fn fill(self, what: &str, cells: Vec<Planned<'a>>) -> Table {
        let mut notes: Vec<(String, Vec<String>)> = Vec::new();
        for cell in &cells {
            let Some((who, fault)) = cell.encounter.as_ref().ok().and_then(Encounter::fault) else {
                continue;
            };
            let note = format!("{:.1} % may fail, {who}: {}", fault.share * 100.0, fault.what);
            match notes.iter_mut().find(|(other, _)| *other == note) {
                Some((_, rows)) if rows.contains(&cell.row) => {}
                Some((_, rows)) => rows.push(cell.row.clone()),
                None => notes.push((note, vec![cell.row.clone()])),
            }
        }
        let count = self.count;
        let cells = cells.into_iter().map(|Planned { row, column, encounter }| match encounter {
            Ok(encounter) => Cell::new(row, column, move || encounter.run(count)),
            Err(reason) => Cell::absent(row, column, reason),
        });
        let table = Table::fill(self.title(what), cells.collect());
        notes
            .into_iter()
            .fold(table, |table, (note, rows)| table.note(format!("{}: {note}", rows.join("; "))))
    }

    fn suites(self) -> &'static [(CipherSuiteId, KeyKind)] {
        if self.is_12() { &SUITES_12 } else { &SUITES_13 }
    }

    fn is_12(self) -> bool {
        self.version.is_at_most(ProtocolVersion::DTLS_1_2)
    }

    fn title(self, what: &str) -> String {
        let (ours, theirs) = (Drystone.name(), self.peer.name());
        let (client, server) = if self.we_serve { (theirs, ours) } else { (ours, theirs) };
        format!(
            "{}, {client} client with {server} server: {what}, {} handshakes each",
            self.version, self.count
        )
    }
}
