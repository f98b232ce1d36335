//! A key log file, for tools that decrypt captures. It knows only the format of its lines.

#[cfg(unix)]
use std::fs::Permissions;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use drystone_handshake::KeyLog;
use drystone_handshake::crypto::KeyLogLabel;
use zeroize::Zeroizing;

/// Appends secrets to a file in the format of RFC 9850, which Wireshark and others read.
///
/// Whoever can read the file can read the associations. On Unix its mode is 0600, also if there was a file with another
/// one, and a symbolic link in its place is not followed. (A reader that has opened such a file before keeps it.) A device or
/// a FIFO keeps its mode. Lines are wiped from memory when they are written.
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
    /// What the operating system says when the file cannot be opened or its mode cannot be set, as in the case of a file
    /// of another user; on Unix [`io::ErrorKind::InvalidInput`] if `path` is a symbolic link.
    pub fn append(path: impl AsRef<Path>) -> io::Result<Self> {
        open(path.as_ref()).map(|file| Self { file: Mutex::new(file) })
    }
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
        .map_err(|error| match path.symlink_metadata() {
            // The number of the error differs between systems.
            Ok(metadata) if metadata.is_symlink() => io::Error::new(
                io::ErrorKind::InvalidInput,
                "a symbolic link: secrets are written to no file that the link's owner chose",
            ),
            _ => error,
        })?;
    // `mode` above counts only for a new file, and less the umask. By the descriptor: the path may have changed.
    let metadata = file.metadata()?;
    if metadata.is_file() && metadata.permissions().mode() & 0o7777 != 0o600 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

impl KeyLog for KeyLogFile {
    /// A line that cannot be written is lost: a full disk must not end an association.
    fn log(&self, label: KeyLogLabel, client_random: &[u8; 32], secret: &[u8]) {
        let label = label.to_string();
        // At once, so that growing leaves no copy of a secret behind.
        let length = label.len() + 2 * (client_random.len() + secret.len()) + 3;
        let mut line = Zeroizing::new(Vec::with_capacity(length));
        line.extend_from_slice(label.as_bytes());
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
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    /// A path of this test's own, without a file.
    fn path(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("drystone-key-log-{name}-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        path
    }

    #[test]
    fn lines_are_label_random_and_secret_in_hexadecimal() {
        let path = path("lines");
        let log = KeyLogFile::append(&path).unwrap();
        log.log(KeyLogLabel::ClientRandom, &[0xab; 32], &[0x00, 0x19, 0xff]);
        log.log(KeyLogLabel::ServerTrafficSecret(7), &[0x01; 32], &[0xf0]);
        let text = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let expected = format!(
            "CLIENT_RANDOM {} 0019ff\nSERVER_TRAFFIC_SECRET_7 {} f0\n",
            "ab".repeat(32),
            "01".repeat(32)
        );
        assert_eq!(text, expected);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_whatever_the_mode_was() {
        use std::os::unix::fs::PermissionsExt;

        for mode in [None, Some(0o666), Some(0o640), Some(0o4600)] {
            let path = path("mode");
            if let Some(mode) = mode {
                fs::write(&path, "kept\n").unwrap();
                fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            }
            KeyLogFile::append(&path).unwrap().log(KeyLogLabel::ClientRandom, &[0; 32], &[1]);
            let found = fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
            assert_eq!(found, 0o600, "was {mode:?}");
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(text.starts_with("kept\n"), mode.is_some(), "{text}");
            fs::remove_file(&path).unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_is_not_followed() {
        let (link, target) = (path("link"), path("target"));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        for exists in [false, true] {
            if exists {
                fs::write(&target, "").unwrap();
            }
            let error = KeyLogFile::append(&link).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
            assert_eq!(target.exists(), exists);
        }
        fs::remove_file(&link).unwrap();
        fs::remove_file(&target).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_device_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt;

        let mode = || fs::metadata("/dev/null").unwrap().permissions().mode();
        let before = mode();
        KeyLogFile::append("/dev/null").unwrap();
        assert_eq!(mode(), before);
    }
}
