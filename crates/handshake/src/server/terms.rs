//! What a server of either version takes of a client's extensions: names, protocols, profiles, limits. Knows no keys.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use crate::Error;
use crate::config::Common;
use crate::error::Incompatibility;
use crate::facts::Facts;
use crate::message::registry::{NamedGroup, SignatureScheme, SrtpProfile};
use crate::message::{ClientExtensions, ProtocolName, RecordSizeLimit, UseSrtpAnswer};

/// What both sides agree on beside the keys.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) server_name: Option<String>,
    pub(super) alpn: Option<Vec<u8>>,
    pub(super) srtp_profile: Option<SrtpProfile>,
    pub(super) peer_record_limit: Option<u16>,
}

impl Terms {
    pub(super) fn find(extensions: &ClientExtensions<'_>, common: &Common) -> Result<Self, Error> {
        Ok(Self {
            server_name: server_name(extensions),
            alpn: common_protocol(extensions, common)?,
            srtp_profile: common_srtp_profile(extensions, common),
            peer_record_limit: extensions.record_size_limit.map(RecordSizeLimit::get),
        })
    }

    /// Our answer to application_layer_protocol_negotiation.
    pub(super) fn alpn(&self) -> Option<ProtocolName<'_>> {
        self.alpn.as_ref().map(|name| ProtocolName { name })
    }

    /// Our answer to use_srtp.
    pub(super) fn use_srtp(&self) -> Option<UseSrtpAnswer<'_>> {
        self.srtp_profile.map(|profile| UseSrtpAnswer { profile, srtp_mki: &[] })
    }

    /// Our answer to record_size_limit.
    pub(super) fn record_size_limit(&self, common: &Common) -> Option<RecordSizeLimit> {
        let own = common.settings.record_size_limit.filter(|_| self.peer_record_limit.is_some());
        own.and_then(RecordSizeLimit::new)
    }

    /// What the application will be told; the client's certificates come later.
    pub(super) fn into_facts(self, group: NamedGroup, signature_scheme: SignatureScheme) -> Facts {
        Facts {
            group,
            signature_scheme,
            alpn: self.alpn,
            srtp_profile: self.srtp_profile,
            server_name: self.server_name,
            peer_chain: Vec::new(),
            peer_record_limit: self.peer_record_limit,
        }
    }
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
