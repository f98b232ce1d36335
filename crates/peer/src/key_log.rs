//! A key log file, for tools that decrypt captures. It knows only the format of its lines.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use drystone_handshake::KeyLog;
use drystone_handshake::crypto::KeyLogLabel;

/// Appends secrets to a file in the format of RFC 9850, which Wireshark and others read.
///
/// Whoever can read the file can read the associations; on Unix it is made readable for its owner only.
///
/// ```
/// use std::sync::Arc;
///
/// # let path = std::env::temp_dir().join(format!("drystone-keys-{}.log", std::process::id()));
/// let mut settings = drystone::settings();
/// settings.key_log = Some(Arc::new(drystone::KeyLogFile::append(&path)?));
/// # drop(settings);
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct KeyLogFile {
    file: Mutex<File>,
}

impl KeyLogFile {
    /// Opens the file for appending and makes it if there is none.
    ///
    /// # Errors
    /// What the operating system says when the file cannot be opened.
    pub fn append(path: impl AsRef<Path>) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Self { file: Mutex::new(options.open(path)?) })
    }
}

impl KeyLog for KeyLogFile {
    /// A line that cannot be written is lost: a full disk must not end an association.
    fn log(&self, label: KeyLogLabel, client_random: &[u8; 32], secret: &[u8]) {
        let mut line = label.to_string().into_bytes();
        line.reserve_exact(2 * (client_random.len() + secret.len()) + 3);
        for bytes in [client_random.as_slice(), secret] {
            line.push(b' ');
            line.extend(bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]).map(hex_digit));
        }
        line.push(b'\n');
        // One write, so that lines of several processes do not mix.
        let _ = self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line);
    }
}

const fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_label_random_and_secret_in_hexadecimal() {
        let path = std::env::temp_dir().join(format!("drystone-key-log-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let log = KeyLogFile::append(&path).unwrap();
        log.log(KeyLogLabel::ClientRandom, &[0xab; 32], &[0x00, 0x19, 0xff]);
        log.log(KeyLogLabel::ServerTrafficSecret(7), &[0x01; 32], &[0xf0]);
        let text = std::fs::read_to_string(&path).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        std::fs::remove_file(&path).unwrap();
        let expected = format!(
            "CLIENT_RANDOM {} 0019ff\nSERVER_TRAFFIC_SECRET_7 {} f0\n",
            "ab".repeat(32),
            "01".repeat(32)
        );
        assert_eq!(text, expected);
    }
}
