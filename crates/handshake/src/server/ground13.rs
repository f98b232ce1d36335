//! What a server of DTLS 1.3 and its client have in common, before a credential is chosen.

use alloc::vec::Vec;

use super::choice;
use super::terms::Terms;
use crate::Error;
use crate::config::{Common, ServerConfig};
use crate::crypto::{CipherSuite, KeyExchangeGroup};
use crate::error::{Incompatibility, Misbehaviour};
use crate::message::registry::{ProtocolVersion, SignatureScheme};
use crate::message::{ClientHello, KeyShareEntry};
use crate::v13::handshake_schemes;

/// The suite and the group of a handshake.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    pub(super) suite: &'static CipherSuite,
    pub(super) group: &'static dyn KeyExchangeGroup,
}

impl Choice {
    /// Chooses by preference alone; whether there is a share of the group is another question.
    pub(super) fn find(hello: &ClientHello<'_>, common: &Common, by_client: bool) -> Result<Self, Error> {
        let ours = common.suites_of(ProtocolVersion::DTLS_1_3);
        let suite = choice::common_suites(ours, hello.cipher_suites, by_client).next();
        let groups = hello.extensions.supported_groups.ok_or(Misbehaviour::MissingExtension)?;
        let group = choice::common_group(&common.groups, groups, by_client);
        Ok(Self {
            suite: suite.ok_or(Incompatibility::CipherSuite)?,
            group: group.ok_or(Incompatibility::Group)?,
        })
    }
}

/// What both sides have.
#[derive(Debug)]
pub(super) struct CommonGround {
    pub(super) client_random: [u8; 32],
    pub(super) choice: Choice,
    /// The client's share of the chosen group.
    pub(super) client_share: Vec<u8>,
    /// In the client's order.
    pub(super) signature_schemes: Vec<SignatureScheme>,
    /// The names of the authorities that the client trusts (RFC 9846 section 4.3.4).
    pub(super) authorities: Vec<Vec<u8>>,
    pub(super) terms: Terms,
}

impl CommonGround {
    /// Needs a share of the chosen group.
    pub(super) fn find(
        hello: &ClientHello<'_>,
        choice: Choice,
        client_share: &[u8],
        config: &ServerConfig,
    ) -> Result<Self, Error> {
        let schemes = hello.extensions.signature_algorithms.ok_or(Misbehaviour::MissingExtension)?;
        Ok(Self {
            client_random: *hello.random,
            choice,
            client_share: client_share.to_vec(),
            signature_schemes: handshake_schemes(schemes.iter()).collect(),
            authorities: authorities(hello),
            terms: Terms::find(&hello.extensions, &config.common)?,
        })
    }
}

fn authorities(hello: &ClientHello<'_>) -> Vec<Vec<u8>> {
    let names = hello.extensions.certificate_authorities;
    names.into_iter().flat_map(|names| names.iter()).map(|authority| authority.name.to_vec()).collect()
}

/// The client's share of a group, if it sent one.
pub(super) fn share_of<'a>(hello: &ClientHello<'a>, group: &dyn KeyExchangeGroup) -> Option<&'a [u8]> {
    let shares = hello.extensions.key_share?;
    shares.iter().find(|share| share.group == group.name()).map(|share| share.key_exchange)
}

/// What every hello of 1.3 must say, and how (RFC 9846 sections 4.2.2, 4.3.8 and 9.2, RFC 9147 section 5.3).
pub(super) fn check_form(hello: &ClientHello<'_>) -> Result<(), Error> {
    if !hello.cookie.is_empty() {
        return Err(Misbehaviour::Cookie.into());
    }
    if hello.compression_methods != [0] {
        return Err(Misbehaviour::Compression.into());
    }
    let extensions = &hello.extensions;
    let (Some(groups), Some(shares), Some(_)) =
        (extensions.supported_groups, extensions.key_share, extensions.signature_algorithms)
    else {
        return Err(Misbehaviour::MissingExtension.into());
    };
    // Each share is of a group that is offered, and there is one of each at most. The number of groups that have a
    // share bounds the work.
    let doubled =
        |share: &KeyShareEntry<'_>| shares.iter().filter(|other| other.group == share.group).nth(1).is_some();
    if shares.iter().nth(MAX_SHARES).is_some()
        || shares.iter().any(|share| !groups.contains(&share.group) || doubled(&share))
    {
        return Err(Misbehaviour::KeyShare.into());
    }
    Ok(())
}

/// More shares than this no client sends: there are not so many groups.
const MAX_SHARES: usize = 16;
