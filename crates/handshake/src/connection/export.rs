//! Keying material for other protocols (RFC 5705), and the keys of DTLS-SRTP (RFC 5764).

use super::{Connection, Exporter, Phase};
use crate::Misuse;
use crate::crypto::Secret;
use crate::crypto::prf12::{ExportError, is_reserved_label};
use crate::message::registry::{ProtocolVersion, SrtpProfile};

impl Connection {
    /// The negotiated version, once connected; after the end too.
    pub fn version(&self) -> Option<ProtocolVersion> {
        self.settled.map(|settled| settled.version)
    }

    /// Exports keying material (RFC 5705 section 4, RFC 9846 section 7.5): fills `out` with bytes that both sides, and
    /// nobody else, can derive. An absent and an empty context differ in DTLS 1.2 only. Works for the life of the
    /// association.
    ///
    /// # Errors
    /// [`Misuse`] before the association is connected, with a label that the protocol uses itself, with a context or
    /// an output of more than 65,535 bytes (in DTLS 1.3 an output of more than 255 digests of the suite's hash: 8,160
    /// bytes with SHA-256), and in DTLS 1.2 without extended master secret (RFC 7627 section 5.4).
    pub fn export_keying_material(
        &self,
        label: &[u8],
        context: Option<&[u8]>,
        out: &mut [u8],
    ) -> Result<(), Misuse> {
        let Phase::Connected(established) = &self.phase else { return Err(Misuse::NotConnected) };
        if out.len() > usize::from(u16::MAX) {
            return Err(Misuse::ExporterLength);
        }
        established.exporter.export(label, context, out)
    }

    /// The negotiated DTLS-SRTP profile, if any; after the end too.
    pub fn srtp_profile(&self) -> Option<SrtpProfile> {
        self.settled?.srtp_profile
    }

    /// The keys and salts for SRTP, split as RFC 5764 section 4.2 says; `None` if no profile was negotiated or it is
    /// unknown, or where nothing can be exported.
    #[doc(alias = "use_srtp")]
    pub fn srtp_keys(&self) -> Option<SrtpKeys> {
        let (key_length, salt_length) = self.srtp_profile()?.key_lengths()?;
        let length = key_length.saturating_add(salt_length).saturating_mul(2);
        let mut exported = Err(Misuse::NotConnected);
        let material = Secret::with(length, |out| {
            exported = self.export_keying_material(b"EXTRACTOR-dtls_srtp", None, out);
        });
        exported.ok().map(|()| SrtpKeys { material, key_length, salt_length })
    }
}

impl Exporter {
    fn export(&self, label: &[u8], context: Option<&[u8]>, out: &mut [u8]) -> Result<(), Misuse> {
        match self {
            Self::Master(exporter) if !exporter.extended => Err(Misuse::NoExtendedMasterSecret),
            Self::Master(exporter) => {
                let exported = exporter.master.export(label, &exporter.randoms, context, out);
                exported.map_err(|error| match error {
                    ExportError::ReservedLabel => Misuse::ReservedLabel,
                    ExportError::ContextTooLong => Misuse::ExporterLength,
                })
            }
            // What works with one version shall work with the other.
            Self::Main(_) if is_reserved_label(label) => Err(Misuse::ReservedLabel),
            Self::Main(_) if context.is_some_and(|context| context.len() > usize::from(u16::MAX)) => {
                Err(Misuse::ExporterLength)
            }
            Self::Main(exporter) => {
                let exported = exporter.secret.export(label, context.unwrap_or_default(), out);
                exported.map_err(|_| Misuse::ExporterLength)
            }
        }
    }
}

impl SrtpProfile {
    /// Bytes of a master key and of a master salt (RFC 5764 section 4.1.2, RFC 7714 section 12); `None` for unknown profiles.
    pub const fn key_lengths(self) -> Option<(usize, usize)> {
        match self {
            Self::AES128_CM_HMAC_SHA1_80 | Self::AES128_CM_HMAC_SHA1_32 => Some((16, 14)),
            Self::AEAD_AES_128_GCM => Some((16, 12)),
            Self::AEAD_AES_256_GCM => Some((32, 12)),
            _ => None,
        }
    }
}

/// Master keys and salts for SRTP, in a box of their own. Wiped when dropped.
pub struct SrtpKeys {
    /// client key, server key, client salt, server salt.
    material: Secret,
    key_length: usize,
    salt_length: usize,
}

impl SrtpKeys {
    /// All of it, as RFC 5764 section 4.2 exports it: client key, server key, client salt, server salt.
    pub fn as_bytes(&self) -> &[u8] {
        self.material.expose()
    }

    /// The key for what the client sends.
    pub fn client_key(&self) -> &[u8] {
        self.part(0, self.key_length)
    }

    /// The key for what the server sends.
    pub fn server_key(&self) -> &[u8] {
        self.part(self.key_length, self.key_length)
    }

    /// The salt for what the client sends.
    pub fn client_salt(&self) -> &[u8] {
        self.part(self.key_length.saturating_mul(2), self.salt_length)
    }

    /// The salt for what the server sends.
    pub fn server_salt(&self) -> &[u8] {
        self.part(self.key_length.saturating_mul(2).saturating_add(self.salt_length), self.salt_length)
    }

    fn part(&self, start: usize, length: usize) -> &[u8] {
        self.material.expose().get(start..start.saturating_add(length)).unwrap_or(&[])
    }
}

impl core::fmt::Debug for SrtpKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SrtpKeys").finish_non_exhaustive()
    }
}
