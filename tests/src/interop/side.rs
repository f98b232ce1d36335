//! What one side of a conversation is told to use, in terms that every program understands.
//!
//! It knows names only; each driver turns them into its program's arguments.

use super::pki::Identity;
use std::path::Path;

/// The settings of one side. The default trusts nobody, shows no certificate and leaves all choices to the program.
#[derive(Debug, Clone, Copy, Default)]
pub struct Side<'a> {
    /// Certificate chain and key to show.
    pub identity: Option<&'a Identity>,
    /// PEM file of the trust anchors. A server that has one requires a client certificate.
    pub trust: Option<&'a Path>,
    /// The name that a client demands of the server's certificate.
    pub name: Option<&'a str>,
    /// The only cipher suite to use.
    pub suite: Option<Suite>,
    /// The groups to use, best first; empty: the program's default.
    pub groups: &'a [Group],
    /// The application protocol to offer or to accept.
    pub alpn: Option<&'a str>,
    /// Largest datagram, in bytes of UDP payload.
    pub mtu: Option<u16>,
    /// Whether a server of ours asks for no cookie.
    pub no_cookie: bool,
}

/// A cipher suite of DTLS 1.2, by its name in each program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suite {
    /// The name in the IANA registry; drystone's name too.
    pub iana: &'static str,
    /// OpenSSL's name.
    pub openssl: &'static str,
    /// The name in the list of `gnutls-cli --list`.
    pub gnutls: &'static str,
    /// The key exchange and the cipher in a GnuTLS priority string.
    pub gnutls_parts: (&'static str, &'static str),
    /// The kind of certificate key that it is tried with.
    pub key: KeyKind,
}

/// The kinds of certificate keys that are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA, 2048 bits.
    Rsa2048,
    /// ECDSA on secp256r1.
    P256,
    /// ECDSA on secp384r1.
    P384,
    /// Ed25519.
    Ed25519,
}

/// The groups that drystone has for DTLS 1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// x25519.
    X25519,
    /// secp256r1.
    P256,
    /// secp384r1.
    P384,
}

impl KeyKind {
    /// Every kind, in the order of the tables.
    pub const ALL: [Self; 4] = [Self::Rsa2048, Self::P256, Self::P384, Self::Ed25519];

    /// The name in tables and file names.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rsa2048 => "RSA-2048",
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::Ed25519 => "Ed25519",
        }
    }
}

impl Group {
    /// Every group, in the order of the tables.
    pub const ALL: [Self; 3] = [Self::X25519, Self::P256, Self::P384];

    /// The name in the IANA registry; OpenSSL knows it too.
    pub const fn iana(self) -> &'static str {
        match self {
            Self::X25519 => "x25519",
            Self::P256 => "secp256r1",
            Self::P384 => "secp384r1",
        }
    }

    /// The name in a GnuTLS priority string.
    pub const fn gnutls(self) -> &'static str {
        match self {
            Self::X25519 => "GROUP-X25519",
            Self::P256 => "GROUP-SECP256R1",
            Self::P384 => "GROUP-SECP384R1",
        }
    }
}

/// The cipher suites that drystone has for DTLS 1.2.
pub const SUITES: [Suite; 6] = [
    Suite {
        iana: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        openssl: "ECDHE-ECDSA-AES128-GCM-SHA256",
        gnutls: "TLS_ECDHE_ECDSA_AES_128_GCM_SHA256",
        gnutls_parts: ("ECDHE-ECDSA", "AES-128-GCM"),
        key: KeyKind::P256,
    },
    Suite {
        iana: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        openssl: "ECDHE-ECDSA-AES256-GCM-SHA384",
        gnutls: "TLS_ECDHE_ECDSA_AES_256_GCM_SHA384",
        gnutls_parts: ("ECDHE-ECDSA", "AES-256-GCM"),
        key: KeyKind::P256,
    },
    Suite {
        iana: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        openssl: "ECDHE-ECDSA-CHACHA20-POLY1305",
        gnutls: "TLS_ECDHE_ECDSA_CHACHA20_POLY1305",
        gnutls_parts: ("ECDHE-ECDSA", "CHACHA20-POLY1305"),
        key: KeyKind::P256,
    },
    Suite {
        iana: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        openssl: "ECDHE-RSA-AES128-GCM-SHA256",
        gnutls: "TLS_ECDHE_RSA_AES_128_GCM_SHA256",
        gnutls_parts: ("ECDHE-RSA", "AES-128-GCM"),
        key: KeyKind::Rsa2048,
    },
    Suite {
        iana: "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        openssl: "ECDHE-RSA-AES256-GCM-SHA384",
        gnutls: "TLS_ECDHE_RSA_AES_256_GCM_SHA384",
        gnutls_parts: ("ECDHE-RSA", "AES-256-GCM"),
        key: KeyKind::Rsa2048,
    },
    Suite {
        iana: "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        openssl: "ECDHE-RSA-CHACHA20-POLY1305",
        gnutls: "TLS_ECDHE_RSA_CHACHA20_POLY1305",
        gnutls_parts: ("ECDHE-RSA", "CHACHA20-POLY1305"),
        key: KeyKind::Rsa2048,
    },
];
