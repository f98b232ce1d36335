//! The five states of a DTLS peer, with Godot's names and numbers.

/// Where a DTLS peer stands. The numbers are Godot's.
///
/// ```
/// use drystone::Status;
///
/// assert_eq!(Status::Connected as u8, 2);
/// assert!(Status::ErrorHostnameMismatch.is_error());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Status {
    /// Not connected: new, closed by either side. `STATUS_DISCONNECTED`.
    #[default]
    Disconnected = 0,
    /// The handshake goes on: keep polling. `STATUS_HANDSHAKING`.
    Handshaking = 1,
    /// Packets flow. `STATUS_CONNECTED`.
    Connected = 2,
    /// The handshake or the connection failed; the peer's `error()` says why. `STATUS_ERROR`.
    Error = 3,
    /// The server's certificate is good, but for another name. `STATUS_ERROR_HOSTNAME_MISMATCH`.
    ErrorHostnameMismatch = 4,
}

impl Status {
    /// Whether it is one of the two errors.
    pub const fn is_error(self) -> bool {
        matches!(self, Self::Error | Self::ErrorHostnameMismatch)
    }

    /// Whether a connection is there or being made.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Handshaking | Self::Connected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_godots() {
        let all = [
            Status::Disconnected,
            Status::Handshaking,
            Status::Connected,
            Status::Error,
            Status::ErrorHostnameMismatch,
        ];
        for (number, status) in (0_u8..).zip(all) {
            assert_eq!(status as u8, number);
            assert_eq!(status.is_active(), matches!(number, 1 | 2));
            assert_eq!(status.is_error(), number >= 3);
        }
        assert_eq!(Status::default(), Status::Disconnected);
    }
}
