//! The labels of the key log (RFC 9850), under which secrets are given to tools that read captures. Knows neither
//! the secrets nor where the lines go.

use core::fmt;

/// A label of the key log: says which secret a line holds.
///
/// A line is the label, ClientHello.random and the secret, the latter two in hexadecimal, with single spaces
/// between (RFC 9850 section 2).
///
/// ```
/// use drystone_handshake::crypto::KeyLogLabel;
///
/// assert_eq!(KeyLogLabel::ClientTrafficSecret(2).to_string(), "CLIENT_TRAFFIC_SECRET_2");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyLogLabel {
    /// The master secret of DTLS 1.2.
    ClientRandom,
    /// client_early_traffic_secret.
    ClientEarlyTrafficSecret,
    /// early_exporter_secret.
    EarlyExporterSecret,
    /// client_handshake_traffic_secret.
    ClientHandshakeTrafficSecret,
    /// server_handshake_traffic_secret.
    ServerHandshakeTrafficSecret,
    /// client_application_traffic_secret_N; the number counts KeyUpdates.
    ClientTrafficSecret(u64),
    /// server_application_traffic_secret_N; the number counts KeyUpdates.
    ServerTrafficSecret(u64),
    /// exporter_secret.
    ExporterSecret,
}

impl fmt::Display for KeyLogLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientRandom => f.write_str("CLIENT_RANDOM"),
            Self::ClientEarlyTrafficSecret => f.write_str("CLIENT_EARLY_TRAFFIC_SECRET"),
            Self::EarlyExporterSecret => f.write_str("EARLY_EXPORTER_SECRET"),
            Self::ClientHandshakeTrafficSecret => f.write_str("CLIENT_HANDSHAKE_TRAFFIC_SECRET"),
            Self::ServerHandshakeTrafficSecret => f.write_str("SERVER_HANDSHAKE_TRAFFIC_SECRET"),
            Self::ClientTrafficSecret(number) => write!(f, "CLIENT_TRAFFIC_SECRET_{number}"),
            Self::ServerTrafficSecret(number) => write!(f, "SERVER_TRAFFIC_SECRET_{number}"),
            Self::ExporterSecret => f.write_str("EXPORTER_SECRET"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;
    use std::vec::Vec;

    use super::*;

    /// The labels of a key log that another stack wrote, in its order.
    #[test]
    fn labels_of_a_recorded_key_log() {
        let ours = [
            KeyLogLabel::ClientHandshakeTrafficSecret,
            KeyLogLabel::ServerHandshakeTrafficSecret,
            KeyLogLabel::ClientTrafficSecret(0),
            KeyLogLabel::ServerTrafficSecret(0),
        ];
        let log = include_str!("../../../../vectors/illustrated-dtls13/keylog.txt");
        let theirs: Vec<&str> = log.lines().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(ours.map(|label| label.to_string()).as_slice(), theirs);
    }
}
