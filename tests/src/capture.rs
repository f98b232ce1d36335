//! Recorded connections of other stacks, as the folders of `/vectors` hold them: datagrams in their order, the key log,
//! what Wireshark saw. Owns the files and the putting together of cut messages; knows no version and opens nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use drystone_handshake::HandshakeType;
use drystone_handshake::crypto::Side;
use serde_json::Value;

/// A file: one connection, or a few in a row.
#[derive(Debug)]
pub struct Capture {
    /// The lines of the key log.
    pub key_log: Vec<LoggedSecret>,
    /// In the order of sending.
    pub datagrams: Vec<Recorded>,
}

/// A line of a key log (RFC 9850 section 2).
#[derive(Debug)]
pub struct LoggedSecret {
    /// Which secret it is.
    pub label: String,
    /// Whose.
    pub client_random: [u8; 32],
    /// The secret.
    pub secret: Vec<u8>,
}

/// A datagram.
#[derive(Debug)]
pub struct Recorded {
    /// Who sent it.
    pub sender: Side,
    /// Wireshark's words for what is in it.
    pub info: String,
    /// The UDP payload.
    pub bytes: Vec<u8>,
}

impl Capture {
    /// Reads `name.json` in this folder of `/vectors`.
    ///
    /// # Panics
    /// If it is not there, or not of this form.
    pub fn load(folder: &str, name: &str) -> Self {
        let path = self::folder(folder).join(name).with_extension("json");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let file: Value = serde_json::from_str(&text).expect("JSON");
        let items = |name: &str| file[name].as_array().expect("a list").clone();
        Self {
            key_log: items("keylog").iter().map(LoggedSecret::of).collect(),
            datagrams: items("datagrams").iter().map(Recorded::of).collect(),
        }
    }
}

impl LoggedSecret {
    fn of(line: &Value) -> Self {
        let line = line.as_str().expect("a line");
        let [label, client_random, secret] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        Self {
            label: label.into(),
            client_random: hex(client_random).try_into().expect("32 bytes"),
            secret: hex(secret),
        }
    }
}

impl Recorded {
    fn of(datagram: &Value) -> Self {
        let text = |name: &str| datagram[name].as_str().expect("a text");
        let sender = match text("sender") {
            "client" => Side::Client,
            "server" => Side::Server,
            other => panic!("{other}"),
        };
        Self { sender, info: text("info").into(), bytes: hex(text("hex")) }
    }
}

/// The names of all captures in a folder of `/vectors`.
///
/// # Panics
/// If there is no such folder.
pub fn names(folder: &str) -> BTreeSet<String> {
    fs::read_dir(self::folder(folder))
        .expect("the folder")
        .filter_map(|entry| {
            Some(entry.expect("an entry").file_name().to_str()?.strip_suffix(".json")?.into())
        })
        .collect()
}

/// A folder of `/vectors`.
pub fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../vectors").join(name)
}

/// The bytes of a hexadecimal text.
///
/// # Panics
/// If it is none.
pub fn hex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2));
    let digits = (0..text.len()).step_by(2).map(|at| text.get(at..at + 2).expect("ASCII"));
    digits.map(|digits| u8::from_str_radix(digits, 16).expect("hexadecimal")).collect()
}

/// The names that Wireshark gives to the whole messages and records of a datagram. It does not open ChaCha20-Poly1305 of
/// DTLS 1.2; what is encrypted at its place in the handshake is Finished.
///
/// # Panics
/// If the words are not Wireshark's.
pub fn names_in(info: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = info;
    while !rest.is_empty() {
        let end = rest.find([',', '(']).unwrap_or(rest.len());
        let (name, mut after) = rest.split_at(end);
        if let Some(remark) = after.strip_prefix('(') {
            let (remark, behind) = remark.split_once(')').expect("a remark ends");
            after = behind;
            if remark == "Fragment" {
                rest = after.trim_start_matches(", ");
                continue;
            }
        }
        names.push(match name.trim_end() {
            "Encrypted Handshake Message" => "Finished",
            "Encrypted Alert" => "Alert",
            name => name,
        });
        rest = after.trim_start_matches(", ");
    }
    names
}

/// A handshake message, whole.
#[derive(Debug)]
pub struct Message {
    /// Its type.
    pub msg_type: HandshakeType,
    /// Its number.
    pub message_seq: u16,
    /// What follows the header.
    pub body: Vec<u8>,
}

impl Message {
    /// The header of a message that was not cut.
    pub fn header(&self) -> [u8; 12] {
        let [.., l2, l1, l0] = self.body.len().to_be_bytes();
        let [s1, s0] = self.message_seq.to_be_bytes();
        [self.msg_type.0, l2, l1, l0, s1, s0, 0, 0, 0, l2, l1, l0]
    }
}

/// The messages of one side that are not whole yet. Nothing was lost or reordered on the loopback.
#[derive(Debug, Default)]
pub struct Pieces(BTreeMap<u16, Vec<u8>>);

impl Pieces {
    /// Takes the fragment off the front of a record. Gives its message if that is whole now, and what follows.
    ///
    /// # Panics
    /// If there is no fragment, or not the next one of its message.
    pub fn take<'r>(&mut self, record: &'r [u8]) -> (Option<Message>, &'r [u8]) {
        let (header, rest) = record.split_first_chunk::<12>().expect("a header");
        let [msg_type, l2, l1, l0, s1, s0, o2, o1, o0, f2, f1, f0] = *header;
        let number = |bytes: [u8; 3]| bytes.into_iter().fold(0, |sum, byte| sum << 8 | usize::from(byte));
        let (payload, after) = rest.split_at(number([f2, f1, f0]));
        let message_seq = u16::from_be_bytes([s1, s0]);
        let body = self.0.entry(message_seq).or_default();
        assert_eq!(number([o2, o1, o0]), body.len(), "fragments in order");
        body.extend(payload);
        if body.len() < number([l2, l1, l0]) {
            return (None, after);
        }
        let body = self.0.remove(&message_seq).unwrap_or_default();
        (Some(Message { msg_type: HandshakeType(msg_type), message_seq, body }), after)
    }

    /// Whether no message waits for the rest of it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wiresharks_words_are_understood() {
        assert_eq!(
            names_in("Certificate (Fragment), Certificate (Reassembled), Server Key Exchange (Fragment)"),
            ["Certificate"]
        );
        assert_eq!(names_in("Alert (Level: Warning, Description: Close Notify)"), ["Alert"]);
        assert_eq!(
            names_in("Change Cipher Spec, Encrypted Handshake Message"),
            ["Change Cipher Spec", "Finished"]
        );
    }

    #[test]
    fn a_cut_message_is_put_together() {
        let mut pieces = Pieces::default();
        let record = b"\x01\0\0\x05\0\x07\0\0\0\0\0\x03abc\x01\0\0\x05\0\x07\0\0\x03\0\0\x02dex";
        let (none, rest) = pieces.take(record);
        assert!(none.is_none() && !pieces.is_empty());
        let (message, rest) = pieces.take(rest);
        let message = message.unwrap();
        assert_eq!((message.msg_type.0, message.message_seq, &message.body[..]), (1, 7, &b"abcde"[..]));
        assert_eq!(message.header(), *b"\x01\0\0\x05\0\x07\0\0\0\0\0\x05");
        assert!(rest == b"x" && pieces.is_empty());
    }
}
