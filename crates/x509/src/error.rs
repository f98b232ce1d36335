//! Why a chain is refused: which check, which certificate, which name. It must not know how the checks are made.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use rustls_pki_types::{CertificateDer, IpAddr, ServerName, UnixTime};
use thiserror::Error;

use crate::date::Date;
use crate::read::subject_text;

/// Names listed in a message; a certificate can carry thousands.
const NAMES_SHOWN: usize = 8;

/// Why a certificate or chain is refused.
///
/// Where several checks fail, the first in this order is reported: limits on the chain; form, key kind and key size
/// of the leaf; the path (signatures, dates, usage, constraints); the name last. So `NameMismatch` means that
/// everything else was in order, and an expired certificate of another name is reported as expired: the name says
/// something only about a certificate that can be believed. Within the path the most specific fault wins as webpki
/// ranks them, a date before all others.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The peer presented no certificate.
    #[error("no certificate was presented")]
    EmptyChain,
    /// More certificates than [`Policy::max_chain_length`](crate::Policy::max_chain_length); none was looked at.
    #[error("{count} certificates were presented, at most {max} are accepted")]
    ChainTooLong {
        /// Certificates presented.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// More bytes than [`Policy::max_chain_bytes`](crate::Policy::max_chain_bytes); none was looked at.
    #[error("the certificates presented have {bytes} bytes, at most {max} are accepted")]
    ChainTooLarge {
        /// Bytes of DER presented, all certificates together.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The leaf's fingerprint is none of those of the policy
    /// (`Policy::fingerprint`).
    #[error("the certificate's fingerprint is {presented}, which is not expected")]
    FingerprintMismatch {
        /// That of the leaf, as in SDP, by the hash function of the first expected one.
        presented: String,
    },
    /// Not a DER certificate, or a part of it that is needed cannot be read.
    #[error("{which} is malformed")]
    Malformed {
        /// The certificate.
        which: Which,
    },
    /// Not version 3, and not byte for byte a configured certificate.
    #[error("{which} is not of version 3")]
    UnsupportedVersion {
        /// The certificate.
        which: Which,
    },
    /// An extension that must be understood (RFC 5280 section 4.2) is not.
    #[error("{which} has a critical extension that is not known ({extension})")]
    UnsupportedCriticalExtension {
        /// The certificate.
        which: Which,
        /// The numbers of its OBJECT IDENTIFIER, such as `1.2.3.4`.
        extension: String,
    },
    /// The kind of key or of signature is not among the policy's algorithms.
    #[error("{which} {algorithm}, which is not accepted")]
    UnsupportedAlgorithm {
        /// The certificate.
        which: Which,
        /// The algorithm, and what it is used for.
        algorithm: Algorithm,
    },
    /// An RSA modulus below [`Policy::min_rsa_bits`](crate::Policy::min_rsa_bits).
    #[error("{which} has an RSA key of {bits} bits, at least {min} are needed")]
    KeyTooSmall {
        /// The certificate.
        which: Which,
        /// Size of the modulus in bits.
        bits: usize,
        /// The limit in bits.
        min: usize,
    },
    /// An RSA modulus above 8192 bits.
    #[error("{which} has an RSA key of {bits} bits, at most {max} are accepted")]
    KeyTooLarge {
        /// The certificate.
        which: Which,
        /// Size of the modulus in bits.
        bits: usize,
        /// The limit in bits.
        max: usize,
    },
    /// The time is after notAfter.
    #[error("{which} expired on {}, and it is {}", Date(*not_after), Date(*time))]
    Expired {
        /// The certificate.
        which: Which,
        /// Its last valid second.
        not_after: UnixTime,
        /// The time that was given.
        time: UnixTime,
    },
    /// The time is before notBefore.
    #[error("{which} is not valid before {}, and it is {}", Date(*not_before), Date(*time))]
    NotYetValid {
        /// The certificate.
        which: Which,
        /// Its first valid second.
        not_before: UnixTime,
        /// The time that was given.
        time: UnixTime,
    },
    /// No configured certificate, and no presented one that leads to one, has issued `which`.
    #[error(
        "the issuer of {which} is not known{}{}",
        Quoted(issuer.as_deref()),
        if *spelled_otherwise { "; a certificate has that name in an encoding that cannot be compared" } else { "" }
    )]
    UnknownIssuer {
        /// The certificate where the path ends.
        which: Which,
        /// The issuer's name as `which` states it.
        issuer: Option<String>,
        /// Whether a configured or presented certificate has a subject that reads the same, but is not equal by RFC 5280
        /// section 7.1: a TeletexString, for instance. Then it is not the user who has to give another certificate.
        spelled_otherwise: bool,
    },
    /// The signature in `which` was not made by the key of its issuer.
    #[error("the signature of {which} is not its issuer's")]
    BadSignature {
        /// The certificate.
        which: Which,
    },
    /// A certificate that is no authority (basicConstraints) was used as an issuer.
    #[error("{which} is not a certificate authority, but issued another certificate")]
    NotAnAuthority {
        /// The certificate.
        which: Which,
    },
    /// A certificate authority's certificate was presented as a leaf, and is not byte for byte a configured one.
    #[error("{which} is a certificate authority's, which is accepted only if it is configured itself")]
    AuthorityAsLeaf {
        /// The certificate.
        which: Which,
    },
    /// More authorities below one than its path length constraint allows.
    #[error("{which} breaks a path length constraint")]
    PathLengthExceeded {
        /// The certificate.
        which: Which,
    },
    /// An authority demands a certificate policy (requireExplicitPolicy, RFC 5280 section 4.2.1.11), and down to this
    /// certificate none is left that is valid all along the path.
    #[error("a certificate policy is required above {which}, which has none that is valid")]
    PolicyMissing {
        /// The certificate.
        which: Which,
    },
    /// An authority demands a certificate policy, and this certificate maps policies (RFC 5280 section 4.2.1.5): mappings are
    /// not followed.
    #[error("{which} has policy mappings, which are not supported where a certificate policy is required")]
    UnsupportedPolicyMappings {
        /// The certificate.
        which: Which,
    },
    /// A name is outside the name constraints of an authority.
    #[error("{which} breaks a name constraint")]
    NameConstraintViolated {
        /// The certificate.
        which: Which,
    },
    /// Key usage or extended key usage does not allow what the certificate is used for.
    #[error("{which} does not allow {usage}")]
    WrongUsage {
        /// The certificate.
        which: Which,
        /// What it was used for.
        usage: Usage,
    },
    /// Everything else is in order, but the leaf is not for the expected name.
    #[error("the certificate is not for \"{}\"{}", Name(expected), Names(presented))]
    NameMismatch {
        /// The name that was asked for.
        expected: ServerName<'static>,
        /// The names in the certificate; at most 64 of them.
        presented: Vec<String>,
    },
    /// Building the path took more steps than a sane chain needs.
    #[error("the certificates presented are too entangled to check")]
    TooComplex,
}

/// An algorithm that is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Algorithm {
    /// The certificate's own key.
    Key {
        /// The kind of key, such as `P-521`.
        name: String,
    },
    /// The signature in the certificate.
    Signature {
        /// Its algorithm, such as `ecdsa-with-SHA512`.
        name: String,
        /// The kind of key that it was made with, if that could be found out.
        key: Option<String>,
    },
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { name } => write!(f, "has a key of the kind {name}"),
            Self::Signature { name, key: None } => write!(f, "is signed with {name}"),
            Self::Signature { name, key: Some(key) } => {
                write!(f, "is signed with {name} by a key of the kind {key}")
            }
        }
    }
}

/// The certificate that an error is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Which {
    /// One that the peer presented.
    Presented {
        /// Its place in the chain, the leaf being 0.
        index: usize,
        /// Its subject, if it can be read; one line, at most 256 characters.
        subject: Option<String>,
    },
    /// A configured one.
    Anchor {
        /// Its subject, as above.
        subject: Option<String>,
    },
    /// It could not be found out which.
    Undetermined,
}

impl Which {
    pub(crate) fn presented(index: usize, certificate: &CertificateDer<'_>) -> Self {
        Self::Presented { index, subject: subject_text(certificate) }
    }

    pub(crate) fn anchor(certificate: &CertificateDer<'_>) -> Self {
        Self::Anchor { subject: subject_text(certificate) }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Presented { index, subject } => {
                write!(f, "certificate {index}{}", Quoted(subject.as_deref()))
            }
            Self::Anchor { subject } => write!(f, "trust anchor{}", Quoted(subject.as_deref())),
            Self::Undetermined => f.write_str("a certificate of the chain"),
        }
    }
}

/// What a certificate is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Usage {
    /// Extended key usage serverAuth.
    ServerAuth,
    /// Extended key usage clientAuth.
    ClientAuth,
    /// Key usage digitalSignature, which every handshake with ephemeral keys needs.
    DigitalSignature,
    /// Key usage keyCertSign, which an issuer needs.
    KeyCertSign,
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ServerAuth => "server authentication",
            Self::ClientAuth => "client authentication",
            Self::DigitalSignature => "digital signatures",
            Self::KeyCertSign => "signing certificates",
        })
    }
}

/// ` (text)`, or nothing.
struct Quoted<'a>(Option<&'a str>);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |text| write!(f, " ({text})"))
    }
}

/// The expected name in words; `ServerName` itself says them with std only.
struct Name<'a>(&'a ServerName<'a>);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ServerName::DnsName(name) => f.write_str(name.as_ref()),
            ServerName::IpAddress(IpAddr::V4(address)) => {
                fmt::Display::fmt(&core::net::Ipv4Addr::from(*address.as_ref()), f)
            }
            ServerName::IpAddress(IpAddr::V6(address)) => {
                fmt::Display::fmt(&core::net::Ipv6Addr::from(*address.as_ref()), f)
            }
            _ => Ok(()),
        }
    }
}

/// `, but for a, b and 3 more`.
struct Names<'a>(&'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("; it carries no name that counts");
        }
        for (place, name) in self.0.iter().take(NAMES_SHOWN).enumerate() {
            f.write_str(if place == 0 { ", but for " } else { ", " })?;
            f.write_str(name)?;
        }
        match self.0.len().saturating_sub(NAMES_SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
