//! What a handshake of either version negotiates and learns on its way, and the proofs that it needs. Knows no message
//! and no state.

use alloc::string::String;
use alloc::vec::Vec;

use drystone_x509::{CertificateDer, Expected, PublicKey, ServerName};

use crate::codec::{DecodeError, DecodeFault};
use crate::message::registry::{CipherSuiteId, NamedGroup, ProtocolVersion, SignatureScheme, SrtpProfile};
use crate::{Connected, Error};

/// What was negotiated and learnt on the way.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) group: NamedGroup,
    pub(crate) signature_scheme: SignatureScheme,
    pub(crate) alpn: Option<Vec<u8>>,
    pub(crate) srtp_profile: Option<SrtpProfile>,
    pub(crate) server_name: Option<String>,
    pub(crate) peer_chain: Vec<CertificateDer<'static>>,
    pub(crate) peer_record_limit: Option<u16>,
}

impl Facts {
    /// What the application is told.
    pub(crate) fn into_connected(
        self,
        version: ProtocolVersion,
        cipher_suite: CipherSuiteId,
        extended_master_secret: bool,
    ) -> Connected {
        Connected {
            version,
            cipher_suite,
            group: self.group,
            signature_scheme: self.signature_scheme,
            alpn: self.alpn,
            srtp_profile: self.srtp_profile,
            server_name: self.server_name,
            peer_chain: self.peer_chain,
            extended_master_secret,
        }
    }
}

/// The peer's certificates, not yet trusted.
#[derive(Debug)]
pub(crate) struct PeerChain {
    pub(crate) certificates: Vec<CertificateDer<'static>>,
    pub(crate) public_key: PublicKey,
}

impl PeerChain {
    /// The chain of these certificates, leaf first. No certificate at all is `None`.
    pub(crate) fn new<'a>(certificates: impl Iterator<Item = &'a [u8]>) -> Result<Option<Self>, Error> {
        let certificates: Vec<_> = certificates.map(|data| CertificateDer::from(data.to_vec())).collect();
        let Some(leaf) = certificates.first() else { return Ok(None) };
        let public_key = PublicKey::of_certificate(leaf)?;
        Ok(Some(Self { certificates, public_key }))
    }
}

/// Proof that the peer's Finished fits the handshake; needed to connect.
#[derive(Debug)]
pub(crate) struct FinishedVerified(());

impl FinishedVerified {
    /// Compares in constant time. verify_data has a fixed length in either version (RFC 5246 section 7.4.9, RFC 9846 section
    /// 4.5.3), so that another one is a fault of the syntax and no wrong proof (RFC 9846 section 6.2).
    pub(crate) fn check(expected: &[u8], received: &[u8]) -> Result<Self, Error> {
        use subtle::ConstantTimeEq;
        if received.len() != expected.len() {
            let fault = if received.len() < expected.len() {
                DecodeFault::Truncated
            } else {
                DecodeFault::TrailingBytes
            };
            return Err(DecodeError { what: "Finished", fault }.into());
        }
        if bool::from(expected.ct_eq(received)) { Ok(Self(())) } else { Err(Error::BadFinished) }
    }
}

/// The name as DNS has it, if it is one.
pub(crate) fn dns_name(name: Option<&ServerName<'static>>) -> Option<String> {
    match name? {
        ServerName::DnsName(name) => Some(String::from(name.as_ref())),
        _ => None,
    }
}

/// Who the server should be.
pub(crate) fn expected_server<'a>(name: Option<&'a ServerName<'static>>) -> Expected<'a> {
    name.map_or(Expected::ServerUnnamed, Expected::Server)
}
