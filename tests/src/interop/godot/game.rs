//! A Godot that plays: one of the scripts `client.gd` and `server.gd`, under a test's orders.
//!
//! It knows the scripts' orders and events, and nothing of what a test is about. It does not wait: whoever waits for
//! Godot has peers of his own to poll meanwhile.

use super::super::port;
use super::super::process::{Process, Stream};
use super::super::stack::PATIENCE;
use super::GodotProject;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// What both scripts extend.
const PEERS: &str = "peers.gd";

/// Which part Godot plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// `PacketPeerDTLS` objects that connect.
    Client,
    /// A `DTLSServer` behind a `UDPServer`.
    Server,
}

/// A running Godot. Dropping it kills it, without a goodbye to its peers.
#[derive(Debug)]
pub struct Godot {
    process: Process,
    orders: File,
    peers: BTreeMap<String, GodotPeer>,
    /// Statuses of the server's objects that did not become connections, in order.
    pub spent: Vec<u8>,
    /// What `UDPServer.listen` returned.
    pub listening: Option<i32>,
    /// What saving a new key and certificate returned.
    pub generated: Option<i32>,
}

/// What the script has told of one `PacketPeerDTLS`, each list in order. Numbers are Godot's.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct GodotPeer {
    /// Its statuses, from the first one on; one that repeats is told once.
    pub statuses: Vec<u8>,
    /// What `connect_to_peer` returned.
    pub connects: Vec<i32>,
    /// The packets that `get_packet` gave.
    pub packets: Vec<Vec<u8>>,
    /// Whether it has begun to read values.
    pub reads_vars: bool,
    /// The values that `get_var` gave, as `var2bytes` writes them.
    pub vars: Vec<Vec<u8>>,
    /// What `get_packet_error` was when it was not OK.
    pub packet_errors: Vec<i32>,
    /// What `put_packet` and `put_var` returned.
    pub sent: Vec<i32>,
}

impl Godot {
    /// Starts a script in a project of its own below `folder`, and waits until it takes orders.
    ///
    /// # Errors
    /// If the project cannot be written or the program does not start, with what it said.
    pub fn start(script: Script, folder: &Path) -> Result<Self, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let project = GodotProject::make(&folder.join(format!("godot-{number}")))?;
        project.add_script(PEERS)?;
        let orders = project.create("orders")?;
        let mut process = project.start(script.file(), &[])?;
        process.expect(Stream::Out, "ready\n", PATIENCE)?;
        Ok(Self {
            process,
            orders,
            peers: BTreeMap::new(),
            spent: Vec::new(),
            listening: None,
            generated: None,
        })
    }

    /// Starts a server with a key and a certificate from PEM files, and gives its port on 127.0.0.1. It listens
    /// when [`listening`](Self::listening) is there.
    ///
    /// # Errors
    /// As [`start`](Self::start), or if there is no free port.
    pub fn serve(folder: &Path, key: &Path, certificate: &Path) -> Result<(Self, u16), String> {
        let port = port::free()?;
        let mut server = Self::start(Script::Server, folder)?;
        server.listen(port, key, certificate)?;
        Ok((server, port))
    }

    /// Makes a server listen on a port of 127.0.0.1.
    ///
    /// # Errors
    /// If the order cannot be written.
    pub fn listen(&mut self, port: u16, key: &Path, certificate: &Path) -> Result<(), String> {
        let (key, certificate) = (key.display().to_string(), certificate.display().to_string());
        self.order(&["listen", &port.to_string(), &key, &certificate])
    }

    /// Gives an order; the scripts list them.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn order(&mut self, words: &[&str]) -> Result<(), String> {
        let line = words.join("\t") + "\n";
        self.orders.write_all(line.as_bytes()).map_err(|error| format!("an order: {error}"))
    }

    /// Makes a peer send a packet.
    ///
    /// # Errors
    /// If the order cannot be written.
    pub fn send(&mut self, peer: &str, packet: &[u8]) -> Result<(), String> {
        self.order(&["send", peer, &hex(packet)])
    }

    /// Makes a peer send a value, which is given as `var2bytes` writes it, with `put_var`.
    ///
    /// # Errors
    /// If the order cannot be written.
    pub fn put_var(&mut self, peer: &str, value: &[u8]) -> Result<(), String> {
        self.order(&["put_var", peer, &hex(value)])
    }

    /// Makes a peer read its packets with `get_var` from now on.
    ///
    /// # Errors
    /// If the order cannot be written.
    pub fn get_vars(&mut self, peer: &str) -> Result<(), String> {
        self.order(&["vars", peer])
    }

    /// Takes in what the script has printed.
    ///
    /// # Errors
    /// If the script is wrong, or printed something that it should not.
    pub fn take_in(&mut self) -> Result<(), String> {
        while let Some(line) = self.process.next_line(Stream::Err) {
            if line.starts_with("SCRIPT ERROR") || line.starts_with("cannot") || line.starts_with("unknown") {
                return Err(format!("the script failed: {line}\n{}", self.process.transcript()));
            }
        }
        while let Some(line) = self.process.next_line(Stream::Out) {
            self.note(&line).ok_or_else(|| format!("not an event: {line}"))?;
        }
        Ok(())
    }

    /// What is known of a peer.
    pub fn peer(&self, id: &str) -> &GodotPeer {
        static UNKNOWN: OnceLock<GodotPeer> = OnceLock::new();
        self.peers.get(id).unwrap_or_else(|| UNKNOWN.get_or_init(GodotPeer::default))
    }

    /// The end of what it printed, for a message to a person.
    pub fn transcript(&self) -> String {
        self.process.transcript()
    }

    /// Files a line; none if it is none of the events. Godot's libraries print lines of their own in between.
    fn note(&mut self, line: &str) -> Option<()> {
        const OF_A_PEER: [&str; 7] = ["status", "connect", "packet", "vars", "var", "packet_error", "sent"];
        let (event, rest) = line.split_once(' ').unwrap_or((line, ""));
        match event {
            "listening" => self.listening = Some(rest.parse().ok()?),
            "generated" => self.generated = Some(rest.parse().ok()?),
            "spent" => self.spent.push(rest.parse().ok()?),
            _ if OF_A_PEER.contains(&event) => {
                let (id, what) = rest.split_once(' ')?;
                self.peers.entry(id.to_owned()).or_default().note(event, what)?;
            }
            _ => {}
        }
        Some(())
    }
}

impl GodotPeer {
    fn note(&mut self, event: &str, what: &str) -> Option<()> {
        match event {
            "status" => self.statuses.push(what.parse().ok()?),
            "connect" => self.connects.push(what.parse().ok()?),
            "packet" => self.packets.push(from_hex(what)?),
            "vars" => self.reads_vars = true,
            "var" => self.vars.push(from_hex(what)?),
            "packet_error" => self.packet_errors.push(what.parse().ok()?),
            "sent" => self.sent.push(what.parse().ok()?),
            _ => return None,
        }
        Some(())
    }
}

impl Script {
    const fn file(self) -> &'static str {
        match self {
            Self::Client => "client.gd",
            Self::Server => "server.gd",
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    text.as_bytes().chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_read_as_they_are_printed() {
        assert_eq!(from_hex("00ff7f"), Some(vec![0, 255, 127]));
        assert_eq!(hex(&[0, 255, 127]), "00ff7f");
        assert_eq!(from_hex(""), Some(Vec::new()));
        assert_eq!(from_hex("0g"), None);
    }
}
