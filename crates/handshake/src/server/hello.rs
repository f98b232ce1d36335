//! The client's hello: version, extensions and what is common to both sides.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use crate::Error;
use crate::codec::List;
use crate::config::{Common, ServerConfig, Settings};
use crate::crypto::{CipherSuite, KeyExchangeGroup};
use crate::error::{Incompatibility, Misbehaviour};
use crate::machine::{Context, Message, Next, unexpected};
use crate::message::registry::{
    CipherSuiteId, EcPointFormat, HandshakeType, NamedGroup, ProtocolVersion, SignatureScheme, SrtpProfile,
};
use crate::message::{ClientExtensions, ClientHello, RecordSizeLimit};
use crate::transcript::TranscriptBuffer;

use super::greeting::Proven;
use super::{choice, v12};
use crate::client::hello::TRANSCRIPT_LIMIT;

/// Waits for the hello that the gate let in, whole.
#[derive(Debug)]
pub(crate) struct ExpectClientHello {
    /// The fields under the cookie, as they stood in the first fragment; `None` where no cookie was asked for.
    pub(super) proven: Option<Proven>,
}

impl ExpectClientHello {
    pub(crate) fn new(proven: Option<Proven>) -> Self {
        Self { proven }
    }

    pub(super) fn handle(
        self,
        message: Message<'_>,
        cx: &mut Context<'_, ServerConfig>,
    ) -> Result<Next, Error> {
        if message.msg_type != HandshakeType::CLIENT_HELLO {
            return Err(unexpected("ClientHello", message));
        }
        let hello = ClientHello::decode(message.body)?;
        // The whole may have been put together from other fragments than the first that the gate saw.
        if self.proven.is_some_and(|proven| !proven.covers(&hello)) {
            return Err(Misbehaviour::Cookie.into());
        }
        check_version(&hello, cx.common)?;
        check_legacy_fields(&hello)?;
        let mut transcript = TranscriptBuffer::new(TRANSCRIPT_LIMIT);
        transcript.push(message.msg_type, message.message_seq, message.body)?;
        let common_ground = CommonGround::find(&hello, cx.config)?;
        v12::choose_credential(common_ground, transcript, cx)
    }
}

/// The version for this client: the highest that both have. supported_versions, where present, is the client's whole
/// word on versions; without it only 1.2 can be meant (RFC 9846 section 4.3.1).
pub(crate) fn choose_version(
    client_version: ProtocolVersion,
    offered: Option<List<'_, ProtocolVersion>>,
    settings: &Settings,
) -> Result<ProtocolVersion, Error> {
    let offers = |version: ProtocolVersion| match offered {
        Some(versions) => versions.contains(&version),
        None => version == ProtocolVersion::DTLS_1_2 && version.is_at_most(client_version),
    };
    [ProtocolVersion::DTLS_1_3, ProtocolVersion::DTLS_1_2]
        .into_iter()
        .find(|version| settings.admits(*version) && offers(*version))
        .ok_or_else(|| Incompatibility::Version.into())
}

/// How a client is asked to prove its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// By a HelloVerifyRequest (RFC 6347 section 4.2.1).
    Verify,
    /// By a HelloRetryRequest (RFC 9147 section 5.1).
    Retry,
}

/// The question that goes with the version for this client.
pub(super) fn question(hello: &ClientHello<'_>, settings: &Settings) -> Result<Question, Error> {
    match choose_version(hello.client_version, hello.extensions.supported_versions, settings)? {
        ProtocolVersion::DTLS_1_3 => Ok(Question::Retry),
        _ => Ok(Question::Verify),
    }
}

/// RFC 9846 section 4.3.1: supported_versions, where present, is the client's whole word on versions.
fn check_version(hello: &ClientHello<'_>, common: &Common) -> Result<(), Error> {
    let offers_12 = match hello.extensions.supported_versions {
        Some(versions) => versions.contains(&ProtocolVersion::DTLS_1_2),
        None => ProtocolVersion::DTLS_1_2.is_at_most(hello.client_version),
    };
    if !offers_12 {
        return Err(Incompatibility::Version.into());
    }
    // RFC 7507 section 3: the client tried a higher version before, and we would have taken it.
    let fell_back = hello.cipher_suites.contains(&CipherSuiteId::TLS_FALLBACK_SCSV);
    if fell_back && !common.settings.max_version.is_at_most(hello.client_version) {
        return Err(Misbehaviour::InappropriateFallback.into());
    }
    Ok(())
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

/// What both sides have, before a credential is chosen.
#[derive(Debug)]
pub(super) struct CommonGround {
    pub(super) client_random: [u8; 32],
    /// By preference.
    pub(super) suites: Vec<&'static CipherSuite>,
    pub(super) group: &'static dyn KeyExchangeGroup,
    /// In the client's order; only those that authenticate one of `suites`.
    pub(super) signature_schemes: Vec<SignatureScheme>,
    /// The client's curves, which limit certificates too.
    pub(super) curves: Option<Vec<NamedGroup>>,
    pub(super) server_name: Option<String>,
    pub(super) alpn: Option<Vec<u8>>,
    pub(super) srtp_profile: Option<SrtpProfile>,
    pub(super) peer_record_limit: Option<u16>,
    pub(super) extended_master_secret: bool,
    /// Whether the client speaks of secure renegotiation at all, and of point formats: only then we may answer.
    pub(super) renegotiation_info: bool,
    pub(super) ec_point_formats: bool,
}

impl CommonGround {
    fn find(hello: &ClientHello<'_>, config: &ServerConfig) -> Result<Self, Error> {
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
            client_random: *hello.random,
            group: common_group(extensions, config)?,
            signature_schemes,
            curves: extensions.supported_groups.map(|groups| groups.iter().collect()),
            server_name: server_name(extensions),
            alpn: common_protocol(extensions, common)?,
            srtp_profile: common_srtp_profile(extensions, common),
            peer_record_limit: extensions.record_size_limit.map(RecordSizeLimit::get),
            extended_master_secret,
            renegotiation_info: extensions.renegotiation_info.is_some()
                || hello.cipher_suites.contains(&CipherSuiteId::TLS_EMPTY_RENEGOTIATION_INFO_SCSV),
            ec_point_formats: extensions.ec_point_formats.is_some(),
            suites,
        })
    }
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
        None => common.group(NamedGroup::SECP256R1).or_else(|| common.groups.first().copied()),
        Some(groups) => choice::common_group(&common.groups, groups, config.prefer_client_order),
    };
    found.ok_or_else(|| Incompatibility::Group.into())
}

/// A zero-length name counts as absent; one that is no text is nobody's.
fn server_name(extensions: &ClientExtensions<'_>) -> Option<String> {
    let name = extensions.server_name.as_ref()?.host_name()?;
    core::str::from_utf8(name).ok().map(ToOwned::to_owned)
}

/// RFC 7301 section 3.2: by our preference; having none in common is fatal, not to negotiate at all is not.
fn common_protocol(extensions: &ClientExtensions<'_>, common: &Common) -> Result<Option<Vec<u8>>, Error> {
    let Some(offered) = extensions.alpn.filter(|_| !common.settings.alpn.is_empty()) else { return Ok(None) };
    common
        .settings
        .alpn
        .iter()
        .find(|ours| offered.iter().any(|theirs| theirs.name == ours.as_slice()))
        .map(|name| Some(name.clone()))
        .ok_or_else(|| Incompatibility::ApplicationProtocol.into())
}

/// RFC 5764 section 4.1.1: without a common profile the extension is left out.
fn common_srtp_profile(extensions: &ClientExtensions<'_>, common: &Common) -> Option<SrtpProfile> {
    let offered = extensions.use_srtp?.profiles;
    common.settings.srtp_profiles.iter().copied().find(|profile| offered.contains(profile))
}
