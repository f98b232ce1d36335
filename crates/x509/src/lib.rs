//! Which certificate chains to believe: chain, name, usage, validity and key policy; trust anchors; keys from files.
//!
//! ```text
//!  chain (DER, leaf first) --> limits --> form, keys --> byte identity? --yes--> dates, usage --> name --> Verified
//!  expected name, date            |                           |no                                  ^          |
//!                                 v                           v                                    |     public key,
//!                         CertificateError        webpki: path to an anchor -----------------------+     how, who
//!
//!  files (PEM, DER) --> TrustAnchors --> Policy        private key files --> PrivateKeyDer
//! ```
//!
//! This crate takes DER and gives a verdict. It knows nothing of TLS, sockets or clocks: the time is an argument.
//! Trust is decided in one of two ways, in this order:
//!
//! 1. **Byte identity**: the leaf equals a configured certificate, byte for byte. Dates, name and usage still count.
//! 2. **A path** to a configured certificate, built and checked by `rustls-webpki` (RFC 5280 section 6); [`Policy`] says what is
//!    added to it.
//!
//! What webpki does not give away (dates of anchors, key usage, the common name, version 1) is read here from the same
//! DER. What it does not process (other spellings of names, policies, constraints on directory names) it is not shown, and is
//! checked here. Every signature is checked by webpki's rules over the bytes that the peer presented.
//!
//! The features change no verdict: `std` only gives `Error` implementations of dependencies, `system-roots` a function more.
//!
//! # Example
//!
//! ```
//! use drystone_x509::{Expected, Policy, ServerName, TrustAnchors, UnixTime};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let made = rcgen::generate_simple_self_signed(["game.example.org".to_owned()])?.cert;
//! # let (ca_pem, chain, now) = (made.pem(), [made.der().clone()], UnixTime::now());
//! let anchors = TrustAnchors::from_pem(ca_pem.as_bytes())?;
//! let policy = Policy::new(anchors);
//! let name = ServerName::try_from("game.example.org")?;
//! let verified = policy.verify(&chain, Expected::Server(&name), now)?;
//! println!("trusted, key {:?}", verified.public_key().kind());
//! # Ok(()) }
//! ```
#![no_std]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

mod algorithms;
mod anchor;
mod candidate;
mod date;
mod der;
mod diagnose;
mod directory;
mod dn;
mod dn_match;
mod error;
#[cfg(feature = "ring")]
mod fingerprint;
mod identity;
mod key;
mod name;
mod oid;
mod path;
mod pem;
mod policies;
mod policy;
mod private_key;
mod public_key;
mod read;
mod section;
mod spki;
mod validity;
mod view;
mod work;

pub use algorithms::DEFAULT_ALGORITHMS;
#[cfg(feature = "system-roots")]
pub use anchor::SystemRootsError;
pub use anchor::TrustAnchors;
pub use error::{Algorithm, CertificateError, Usage, Which};
#[cfg(feature = "ring")]
pub use fingerprint::{Fingerprint, FingerprintError};
pub use key::{BadSignature, KeyKind, PublicKey};
pub use pem::{PemError, certificates_from_pem, certificates_from_pem_or_der};
pub use policy::{Expected, How, Policy, Verified};
pub use private_key::{private_key_from_pem, private_key_from_pem_or_der};
pub use public_key::{public_key_from_pem, public_key_from_pem_or_der};
pub use read::subject_text;
pub use rustls_pki_types::{
    CertificateDer, DnsName, IpAddr, PrivateKeyDer, ServerName, SignatureVerificationAlgorithm,
    SubjectPublicKeyInfoDer, UnixTime,
};
