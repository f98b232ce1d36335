//! What the command says on standard output: one line per event, as text for people or as JSON for programs.

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;

use drystone::x509::{fingerprint_sha256, subject_text};
use drystone::{Connected, PeerId};
use serde::{Serialize, Serializer};

/// Writes reports in the form that was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reporter {
    json: bool,
}

/// One event.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Report<'a> {
    /// The server is ready.
    Listening { addr: SocketAddr },
    /// The state of a connection has changed.
    Status {
        #[serde(skip_serializing_if = "Option::is_none")]
        peer: Option<u64>,
        status: &'static str,
    },
    /// A handshake is done.
    Connected(&'a ConnectedReport),
    /// A packet came.
    Packet {
        #[serde(skip_serializing_if = "Option::is_none")]
        peer: Option<u64>,
        size: usize,
        #[serde(flatten)]
        content: Content<'a>,
    },
    /// Something passed outside of application data.
    Message {
        direction: &'static str,
        message: String,
        size: usize,
        #[serde(skip_serializing_if = "Option::is_none")]
        message_seq: Option<u16>,
        #[serde(skip_serializing_if = "Option::is_none")]
        level: Option<u8>,
        #[serde(skip_serializing_if = "Option::is_none")]
        epoch: Option<u64>,
    },
    /// All packets of an echo test came back.
    EchoTest { packets: u64, smallest: usize, largest: usize, microseconds: u128 },
    /// A connection was closed.
    Closed {
        #[serde(skip_serializing_if = "Option::is_none")]
        peer: Option<u64>,
    },
    /// A connection failed; without a peer: the command itself.
    Error {
        #[serde(skip_serializing_if = "Option::is_none")]
        peer: Option<u64>,
        reason: &'a str,
    },
}

/// A payload: as text if it is text, else in hexadecimal.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Content<'a> {
    Text(&'a str),
    #[serde(serialize_with = "as_hex")]
    Hex(&'a [u8]),
}

/// What a connection agreed on.
#[derive(Debug, Serialize)]
pub(crate) struct ConnectedReport {
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    addr: Option<SocketAddr>,
    version: String,
    cipher_suite: String,
    group: String,
    signature_scheme: String,
    alpn: Option<String>,
    server_name: Option<String>,
    peer_subject: Option<String>,
    /// SHA-256 of the peer's certificate, in the form of RFC 8122 section 5.
    peer_fingerprint: Option<String>,
}

impl Reporter {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) fn report(self, report: &Report<'_>) {
        if self.json {
            self.json_only(report);
        } else {
            write_line(report);
        }
    }

    /// For what is told to people on another way.
    pub(crate) fn json_only(self, report: &Report<'_>) {
        if self.json {
            // Nothing in a report can fail to serialise: no maps with odd keys, no failing serialisers.
            write_line(&serde_json::to_string(report).unwrap_or_default());
        }
    }
}

/// A reader that went away does not stop the run: peers may still be there.
fn write_line(line: &impl fmt::Display) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

impl ConnectedReport {
    pub(crate) fn new(connected: &Connected, peer: Option<(PeerId, Option<SocketAddr>)>) -> Self {
        let leaf = connected.peer_chain.first();
        Self {
            peer: peer.map(|(id, _)| id.number()),
            addr: peer.and_then(|(_, addr)| addr),
            version: connected.version.to_string(),
            cipher_suite: connected.cipher_suite.to_string(),
            group: connected.group.to_string(),
            signature_scheme: connected.signature_scheme.to_string(),
            alpn: connected.alpn.as_deref().map(|name| String::from_utf8_lossy(name).into_owned()),
            server_name: connected.server_name.clone(),
            peer_subject: leaf.and_then(subject_text),
            peer_fingerprint: leaf.map(|leaf| fingerprint(&fingerprint_sha256(leaf))),
        }
    }
}

impl<'a> Content<'a> {
    pub(crate) fn of(payload: &'a [u8]) -> Self {
        std::str::from_utf8(payload).map_or(Self::Hex(payload), Self::Text)
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listening { addr } => write!(f, "listening on {addr}"),
            Self::Status { peer, status } => write!(f, "{}{status}", Prefix(*peer)),
            Self::Connected(connected) => connected.fmt(f),
            Self::Packet { peer: Some(peer), size, .. } => write!(f, "peer {peer}: packet, {size} bytes"),
            Self::Packet { peer: None, content, .. } => content.fmt(f),
            Self::Message { direction, message, size, message_seq, level, epoch } => {
                write!(f, "{direction} {message}, {size} bytes")?;
                message_seq.map_or(Ok(()), |seq| write!(f, ", message_seq {seq}"))?;
                level.map_or(Ok(()), |level| write!(f, ", level {level}"))?;
                epoch.map_or(Ok(()), |epoch| write!(f, ", epoch {epoch}"))
            }
            Self::EchoTest { packets, smallest, largest, microseconds } => write!(
                f,
                "echo test: {packets} packets of {smallest} to {largest} bytes came back unchanged in {microseconds} us"
            ),
            Self::Closed { peer } => write!(f, "{}closed", Prefix(*peer)),
            Self::Error { peer, reason } => write!(f, "{}failed: {reason}", Prefix(*peer)),
        }
    }
}

impl fmt::Display for ConnectedReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}connected", Prefix(self.peer))?;
        if let Some(addr) = self.addr {
            write!(f, " from {addr}")?;
        }
        let Self { version, cipher_suite, group, signature_scheme, .. } = self;
        write!(f, ": {version}, {cipher_suite}, {group}, {signature_scheme}")?;
        let optional = [
            ("ALPN", &self.alpn),
            ("name", &self.server_name),
            ("peer", &self.peer_subject),
            ("SHA-256", &self.peer_fingerprint),
        ];
        for (label, value) in optional {
            if let Some(value) = value {
                write!(f, ", {label} {}", value.escape_debug())?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Content<'_> {
    /// Without the line end that a line has already.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text.strip_suffix('\n').unwrap_or(text)),
            Self::Hex(bytes) => f.write_str(&hex(bytes, "")),
        }
    }
}

/// Which peer a line is about, on a server.
struct Prefix(Option<u64>);

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |peer| write!(f, "peer {peer}: "))
    }
}

fn fingerprint(digest: &[u8]) -> String {
    hex(digest, ":").to_ascii_uppercase()
}

fn hex(bytes: &[u8], separator: &str) -> String {
    let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.join(separator)
}

fn as_hex<S: Serializer>(bytes: &&[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex(bytes, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_events_are_one_line_with_their_name() {
        let json = |report: &Report<'_>| serde_json::to_string(report).unwrap();
        assert_eq!(
            json(&Report::Listening { addr: ([127, 0, 0, 1], 4433).into() }),
            r#"{"event":"listening","addr":"127.0.0.1:4433"}"#
        );
        assert_eq!(
            json(&Report::Packet { peer: None, size: 3, content: Content::of(b"a\nb") }),
            r#"{"event":"packet","size":3,"text":"a\nb"}"#
        );
        assert_eq!(
            json(&Report::Packet { peer: Some(2), size: 2, content: Content::of(&[0xff, 0x0a]) }),
            r#"{"event":"packet","peer":2,"size":2,"hex":"ff0a"}"#
        );
        assert_eq!(json(&Report::Closed { peer: None }), r#"{"event":"closed"}"#);
    }

    #[test]
    fn text_is_for_people() {
        let packet = |content| Report::Packet { peer: None, size: 3, content }.to_string();
        assert_eq!(packet(Content::of(b"hi\n")), "hi");
        assert_eq!(packet(Content::of(&[0xff, 0x00])), "ff00");
        assert_eq!(Report::Error { peer: Some(1), reason: "no" }.to_string(), "peer 1: failed: no");
        assert_eq!(fingerprint(&[0xab, 0x01]), "AB:01");
    }
}
