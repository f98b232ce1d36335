//! What there is to say: one event each, as text for people or as JSON for programs. Where it goes, `reporter` knows.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use drystone::x509::{CertificateDer, Fingerprint, subject_text};
use drystone::{Connected, X509Certificate};
use serde::{Serialize, Serializer};

use crate::terminal::Printable;

/// One event.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Report<'a> {
    /// The server is ready.
    Listening { addr: SocketAddr },
    /// The state of a connection has changed.
    Status {
        #[serde(flatten)]
        who: Who,
        status: &'static str,
    },
    /// A handshake is done.
    Connected(&'a ConnectedReport),
    /// A certificate of the peer.
    Certificate {
        #[serde(flatten)]
        who: Who,
        index: usize,
        subject: Option<String>,
        fingerprint: String,
        pem: String,
    },
    /// Keying material of a connection.
    Exported {
        #[serde(flatten)]
        who: Who,
        label: &'a str,
        #[serde(serialize_with = "as_hex")]
        hex: &'a [u8],
    },
    /// A packet came.
    Packet {
        #[serde(flatten)]
        who: Who,
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
    EchoTest(&'a EchoReport),
    /// A connection was closed.
    Closed {
        #[serde(flatten)]
        who: Who,
    },
    /// Something went not as it may have been meant, and the run goes on.
    Warning { reason: &'a str },
    /// A connection failed; without a peer: the command itself.
    Error {
        #[serde(flatten)]
        who: Who,
        reason: &'a str,
    },
}

/// Whom an event is about: a client's server, or one of a server's peers.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Who {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) peer: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) addr: Option<SocketAddr>,
}

/// How an echo test went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct EchoReport {
    pub(crate) packets: u64,
    pub(crate) smallest: usize,
    pub(crate) largest: usize,
    pub(crate) microseconds: u128,
    /// How often a packet or its echo was lost, so that the packet was sent again.
    pub(crate) lost: u64,
    /// How often the echo came after all, of a packet that had been sent again.
    pub(crate) late: u64,
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
    #[serde(flatten)]
    who: Who,
    version: String,
    cipher_suite: String,
    group: String,
    signature_scheme: String,
    alpn: Option<String>,
    srtp_profile: Option<String>,
    server_name: Option<String>,
    peer_subject: Option<String>,
    /// SHA-256 of the peer's certificate, in the form of RFC 8122 section 5.
    peer_fingerprint: Option<String>,
}

impl ConnectedReport {
    pub(crate) fn new(connected: &Connected, who: Who) -> Self {
        let leaf = connected.peer_chain.first();
        Self {
            who,
            version: connected.version.to_string(),
            cipher_suite: connected.cipher_suite.to_string(),
            group: connected.group.to_string(),
            signature_scheme: connected.signature_scheme.to_string(),
            alpn: connected.alpn.as_deref().map(|name| String::from_utf8_lossy(name).into_owned()),
            srtp_profile: connected.srtp_profile.map(|profile| profile.to_string()),
            server_name: connected.server_name.clone(),
            peer_subject: leaf.and_then(subject_text),
            peer_fingerprint: leaf.map(fingerprint),
        }
    }
}

impl Report<'_> {
    /// The certificate at this place of a peer's chain.
    pub(crate) fn certificate(who: Who, index: usize, certificate: &CertificateDer<'static>) -> Self {
        Self::Certificate {
            who,
            index,
            subject: subject_text(certificate),
            fingerprint: fingerprint(certificate),
            // Only an empty list has no text.
            pem: X509Certificate::from(vec![certificate.clone()]).save_to_string().unwrap_or_default(),
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
            Self::Status { who, status } => write!(f, "{who}{status}"),
            Self::Connected(connected) => connected.fmt(f),
            Self::Certificate { who, index, subject, fingerprint, pem } => {
                write!(f, "{who}certificate {index}: ")?;
                if let Some(subject) = subject {
                    write!(f, "{}, ", Printable(subject))?;
                }
                write!(f, "SHA-256 {fingerprint}\n{}", pem.trim_end())
            }
            Self::Exported { who, label, hex: material } => {
                write!(f, "{who}exported {label}: {}", hex(material, ""))
            }
            Self::Packet { who: Who { peer: None, .. }, content, .. } => content.fmt(f),
            Self::Packet { who, size, .. } => write!(f, "{who}packet, {}", Bytes(*size)),
            Self::Message { direction, message, size, message_seq, level, epoch } => {
                write!(f, "{direction} {message}, {}", Bytes(*size))?;
                message_seq.map_or(Ok(()), |seq| write!(f, ", message_seq {seq}"))?;
                level.map_or(Ok(()), |level| write!(f, ", level {level}"))?;
                epoch.map_or(Ok(()), |epoch| write!(f, ", epoch {epoch}"))
            }
            Self::EchoTest(report) => report.fmt(f),
            Self::Closed { who } => write!(f, "{who}closed"),
            Self::Warning { reason } => f.write_str(reason),
            Self::Error { who, reason } => {
                write!(f, "{who}failed: {}", Printable(reason))?;
                who.addr.map_or(Ok(()), |addr| write!(f, " (at {addr})"))
            }
        }
    }
}

impl fmt::Display for EchoReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { packets, smallest, largest, microseconds, lost, late } = self;
        let duration = Duration::from_micros(u64::try_from(*microseconds).unwrap_or(u64::MAX));
        if *packets == 0 {
            return write!(f, "echo test: no packets");
        }
        write!(
            f,
            "echo test: {packets} packets of {smallest} to {largest} bytes came back unchanged in {duration:.3?}, \
             {lost} lost and sent again, {late} late"
        )
    }
}

impl fmt::Display for ConnectedReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}connected", self.who)?;
        if let Who { peer: Some(_), addr: Some(addr) } = self.who {
            write!(f, " from {addr}")?;
        }
        let Self { version, cipher_suite, group, signature_scheme, .. } = self;
        write!(f, ": {version}, {cipher_suite}, {group}, {signature_scheme}")?;
        let optional = [
            ("ALPN", &self.alpn),
            ("SRTP", &self.srtp_profile),
            ("name", &self.server_name),
            ("peer", &self.peer_subject),
            ("SHA-256", &self.peer_fingerprint),
        ];
        for (label, value) in optional {
            if let Some(value) = value {
                write!(f, ", {label} {}", Printable(value))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Content<'_> {
    /// Without the line end that a line has already.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => Printable(text.strip_suffix('\n').unwrap_or(text)).fmt(f),
            Self::Hex(bytes) => f.write_str(&hex(bytes, "")),
        }
    }
}

/// Which peer a line is about, on a server.
impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.peer.map_or(Ok(()), |peer| write!(f, "peer {peer}: "))
    }
}

/// A number of bytes.
struct Bytes(usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} byte{}", self.0, if self.0 == 1 { "" } else { "s" })
    }
}

/// In the form of RFC 8122 section 5.
fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    hex(Fingerprint::sha256(certificate).as_bytes(), ":").to_ascii_uppercase()
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

    const NOBODY: Who = Who { peer: None, addr: None };

    fn second() -> Who {
        Who { peer: Some(2), addr: Some(([127, 0, 0, 1], 4433).into()) }
    }

    #[test]
    fn json_events_are_one_line_with_their_name() {
        let json = |report: &Report<'_>| serde_json::to_string(report).unwrap();
        assert_eq!(
            json(&Report::Listening { addr: ([127, 0, 0, 1], 4433).into() }),
            r#"{"event":"listening","addr":"127.0.0.1:4433"}"#
        );
        assert_eq!(
            json(&Report::Packet { who: NOBODY, size: 3, content: Content::of(b"a\nb") }),
            r#"{"event":"packet","size":3,"text":"a\nb"}"#
        );
        assert_eq!(
            json(&Report::Packet { who: second(), size: 2, content: Content::of(&[0xff, 0x0a]) }),
            r#"{"event":"packet","peer":2,"addr":"127.0.0.1:4433","size":2,"hex":"ff0a"}"#
        );
        assert_eq!(json(&Report::Closed { who: NOBODY }), r#"{"event":"closed"}"#);
        assert_eq!(
            json(&Report::EchoTest(&EchoReport { packets: 3, lost: 1, ..EchoReport::default() })),
            r#"{"event":"echo_test","packets":3,"smallest":0,"largest":0,"microseconds":0,"lost":1,"late":0}"#
        );
    }

    #[test]
    fn text_is_for_people() {
        let packet = |content| Report::Packet { who: NOBODY, size: 3, content }.to_string();
        assert_eq!(packet(Content::of(b"hi\n")), "hi");
        assert_eq!(packet(Content::of(&[0xff, 0x00])), "ff00");
        assert_eq!(packet(Content::of(b"\x1b[2Jcleared\n")), "\\u{1b}[2Jcleared");
        let of_second = Report::Packet { who: second(), size: 1, content: Content::of(b"x") };
        assert_eq!(of_second.to_string(), "peer 2: packet, 1 byte");
        assert_eq!(
            Report::Error { who: second(), reason: "no" }.to_string(),
            "peer 2: failed: no (at 127.0.0.1:4433)"
        );
        let exported = Report::Exported { who: NOBODY, label: "label", hex: &[0xab, 0x01] };
        assert_eq!(exported.to_string(), "exported label: ab01");
        let report =
            EchoReport { packets: 9, smallest: 1, largest: 7, microseconds: 2_908_505, lost: 2, late: 0 };
        assert_eq!(
            report.to_string(),
            "echo test: 9 packets of 1 to 7 bytes came back unchanged in 2.909s, 2 lost and sent again, 0 late"
        );
    }
}
