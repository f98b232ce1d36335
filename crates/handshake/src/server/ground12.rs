//! What a server of DTLS 1.2 and its client have in common, before a credential is chosen.

use alloc::vec::Vec;

use super::choice;
use super::terms::Terms;
use crate::Error;
use crate::config::ServerConfig;
use crate::crypto::prf12::Randoms;
use crate::crypto::{CipherSuite, KeyExchangeGroup};
use crate::error::{Incompatibility, Misbehaviour};
use crate::message::registry::{CipherSuiteId, EcPointFormat, NamedGroup, ProtocolVersion, SignatureScheme};
use crate::message::{ClientExtensions, ClientHello};

/// What both sides have.
#[derive(Debug)]
pub(super) struct CommonGround {
    pub(super) randoms: Randoms,
    /// By preference.
    pub(super) suites: Vec<&'static CipherSuite>,
    pub(super) group: &'static dyn KeyExchangeGroup,
    /// In the client's order; only those that authenticate one of `suites`.
    pub(super) signature_schemes: Vec<SignatureScheme>,
    /// The client's curves, which limit certificates too.
    pub(super) curves: Option<Vec<NamedGroup>>,
    pub(super) terms: Terms,
    pub(super) extended_master_secret: bool,
    /// Whether the client speaks of secure renegotiation at all, and of point formats: only then we may answer.
    pub(super) renegotiation_info: bool,
    pub(super) ec_point_formats: bool,
}

impl CommonGround {
    pub(super) fn find(
        hello: &ClientHello<'_>,
        server_random: [u8; 32],
        config: &ServerConfig,
    ) -> Result<Self, Error> {
        check_legacy_fields(hello)?;
        let common = &config.common;
        let extensions = &hello.extensions;
        let extended_master_secret = extensions.extended_master_secret.is_some();
        if common.settings.require_extended_master_secret && !extended_master_secret {
            return Err(Incompatibility::ExtendedMasterSecret.into());
        }
        let suites = common_suites(hello, config);
        let signature_schemes = common_schemes(extensions, &suites);
        if suites.is_empty() {
            return Err(Incompatibility::CipherSuite.into());
        }
        Ok(Self {
            randoms: Randoms { client: *hello.random, server: server_random },
            group: common_group(extensions, config)?,
            signature_schemes,
            curves: extensions.supported_groups.map(|groups| groups.iter().collect()),
            terms: Terms::find(extensions, common)?,
            extended_master_secret,
            renegotiation_info: extensions.renegotiation_info.is_some()
                || hello.cipher_suites.contains(&CipherSuiteId::TLS_EMPTY_RENEGOTIATION_INFO_SCSV),
            ec_point_formats: extensions.ec_point_formats.is_some(),
            suites,
        })
    }
}

fn check_legacy_fields(hello: &ClientHello<'_>) -> Result<(), Error> {
    let extensions = &hello.extensions;
    if !hello.compression_methods.contains(&0) {
        return Err(Misbehaviour::Compression.into());
    }
    if extensions.ec_point_formats.is_some_and(|formats| !formats.contains(&EcPointFormat::UNCOMPRESSED)) {
        return Err(Misbehaviour::PointFormat.into());
    }
    // RFC 5746 section 3.6: empty in a first handshake.
    if extensions.renegotiation_info.is_some_and(|info| !info.is_empty()) {
        return Err(Misbehaviour::RenegotiationInfo.into());
    }
    Ok(())
}

fn common_suites(hello: &ClientHello<'_>, config: &ServerConfig) -> Vec<&'static CipherSuite> {
    let ours = config.common.suites_of(ProtocolVersion::DTLS_1_2);
    choice::common_suites(ours, hello.cipher_suites, config.prefer_client_order).collect()
}

/// RFC 5246 section 7.4.1.4.1: without the extension only SHA-1 could be assumed, which we never sign with.
fn common_schemes(
    extensions: &ClientExtensions<'_>,
    suites: &[&'static CipherSuite],
) -> Vec<SignatureScheme> {
    let Some(schemes) = extensions.signature_algorithms else { return Vec::new() };
    let authenticates =
        |scheme: &SignatureScheme| suites.iter().any(|suite| suite.authentication.admits(*scheme));
    schemes.iter().filter(authenticates).collect()
}

/// RFC 8422 section 4: a client without the extension takes any group; P-256 is the one that all know.
fn common_group(
    extensions: &ClientExtensions<'_>,
    config: &ServerConfig,
) -> Result<&'static dyn KeyExchangeGroup, Error> {
    let common = &config.common;
    let found = match extensions.supported_groups {
        None => common.group_12(NamedGroup::SECP256R1).or_else(|| common.groups_12.first().copied()),
        Some(groups) => choice::common_group(&common.groups_12, groups, config.prefer_client_order),
    };
    found.ok_or_else(|| Incompatibility::Group.into())
}
