//! What a client's hello offers: everything that the configuration allows, and nothing that it cannot verify. Owns the
//! body of the hello; knows neither answers nor transcripts.

use alloc::vec::Vec;

use drystone_x509::ServerName;

use super::grease::Grease;
use crate::Error;
use crate::config::{ClientConfig, Common};
use crate::machine::Context;
use crate::message::registry::{
    CipherSuiteId, EcPointFormat, ExtensionType, NamedGroup, ProtocolVersion, SignatureScheme,
};
use crate::message::{
    ClientExtensions, ClientHello, Empty, ExtensionSet, KeyShareEntry, ProtocolName, RawExtension,
    RecordSizeLimit, ServerNameList, UseSrtp,
};
use crate::v13::handshake_schemes;

/// What every hello of one handshake has in common.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) server_name: Option<ServerName<'static>>,
    pub(super) random: [u8; 32],
    /// The extensions of the hellos sent so far, which a server may answer.
    pub(super) offered: ExtensionSet,
    grease: Option<Grease>,
    lists: Lists,
}

/// What differs between the hellos of one handshake.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Varying<'a> {
    /// Of a HelloVerifyRequest.
    pub(super) legacy_cookie: &'a [u8],
    /// Of a HelloRetryRequest.
    pub(super) cookie: Option<&'a [u8]>,
    /// The group and the share, if DTLS 1.3 is offered.
    pub(super) key_share: Option<(NamedGroup, &'a [u8])>,
}

impl Offer {
    pub(super) fn new(
        server_name: Option<ServerName<'static>>,
        cx: &Context<'_, ClientConfig>,
    ) -> Result<Self, Error> {
        let random: [u8; 32] = cx.random()?;
        let greases = cx.common.settings.grease && cx.common.offers(ProtocolVersion::DTLS_1_3);
        // What is not secret may choose what need not be.
        let grease = random.first_chunk().filter(|_| greases).copied().map(Grease::new);
        let lists = Lists::new(grease, cx.common);
        Ok(Self { server_name, random, offered: ExtensionSet::EMPTY, grease, lists })
    }

    /// The body of a hello.
    pub(super) fn hello(&mut self, varying: Varying<'_>, common: &Common) -> Result<Vec<u8>, Error> {
        let lists = &self.lists;
        let settings = &common.settings;
        let offers_12 = common.offers(ProtocolVersion::DTLS_1_2);
        let offers_13 = common.offers(ProtocolVersion::DTLS_1_3);
        let protocols: Vec<_> = settings.alpn.iter().map(|name| ProtocolName { name }).collect();
        let names = host_names(self.server_name.as_ref());
        let shares: Vec<_> = varying
            .key_share
            .map(|(group, key_exchange)| KeyShareEntry { group, key_exchange })
            .into_iter()
            .collect();
        let others: Vec<_> = self
            .grease
            .map(|grease| RawExtension { extension_type: grease.extension, data: &[] })
            .into_iter()
            .collect();
        let hello = ClientHello {
            // RFC 9147 section 5.3: legacy_version; the word on 1.3 is supported_versions.
            client_version: ProtocolVersion::DTLS_1_2,
            random: &self.random,
            session_id: &[],
            cookie: varying.legacy_cookie,
            cipher_suites: lists.cipher_suites.as_slice().into(),
            compression_methods: &[0],
            extensions: ClientExtensions {
                cookie: varying.cookie,
                supported_versions: offers_13.then(|| lists.versions.as_slice().into()),
                server_name: (!names.is_empty())
                    .then(|| ServerNameList { server_name_list: names.as_slice().into() }),
                supported_groups: Some(lists.groups.as_slice().into()),
                key_share: offers_13.then(|| shares.as_slice().into()),
                signature_algorithms: Some(lists.signature_algorithms.as_slice().into()),
                signature_algorithms_cert: lists
                    .signature_algorithms_cert
                    .as_ref()
                    .map(|schemes| schemes.as_slice().into()),
                ec_point_formats: offers_12.then(|| (&[EcPointFormat::UNCOMPRESSED]).into()),
                extended_master_secret: offers_12.then_some(Empty {}),
                alpn: (!protocols.is_empty()).then(|| protocols.as_slice().into()),
                use_srtp: (!settings.srtp_profiles.is_empty())
                    .then(|| UseSrtp { profiles: settings.srtp_profiles.as_slice().into(), srtp_mki: &[] }),
                record_size_limit: settings.record_size_limit.and_then(RecordSizeLimit::new),
                others: others.as_slice().into(),
                ..ClientExtensions::default()
            },
        };
        self.offered.extend(hello.extensions.types());
        if offers_12 {
            // RFC 5746 section 3.4: TLS_EMPTY_RENEGOTIATION_INFO_SCSV asks for the extension too.
            self.offered.extend([ExtensionType::RENEGOTIATION_INFO]);
        }
        Ok(hello.to_vec()?)
    }
}

/// The lists of the hello, by preference; GREASE comes first.
#[derive(Debug)]
struct Lists {
    versions: Vec<ProtocolVersion>,
    cipher_suites: Vec<CipherSuiteId>,
    groups: Vec<NamedGroup>,
    signature_algorithms: Vec<SignatureScheme>,
    /// Of DTLS 1.3 alone.
    signature_algorithms_cert: Option<Vec<SignatureScheme>>,
}

impl Lists {
    fn new(grease: Option<Grease>, common: &Common) -> Self {
        let offers_12 = common.offers(ProtocolVersion::DTLS_1_2);
        // RFC 5746 section 3.4: says as much as an empty renegotiation_info.
        let renegotiation_info = offers_12.then_some(CipherSuiteId::TLS_EMPTY_RENEGOTIATION_INFO_SCSV);
        let spoken = common.cipher_suites.iter().filter(|suite| common.offers(suite.version));
        let cipher_suites = spoken.map(|suite| suite.id).chain(renegotiation_info);
        // What verifies certificates. A client of 1.2 has one list for both purposes; in 1.3 the second extension
        // tells them apart (RFC 9846 section 4.3.3).
        let certificates = common.signature_schemes();
        let (signature_algorithms, signature_algorithms_cert) = if offers_12 {
            (certificates.collect(), None)
        } else {
            let certificates: Vec<_> = certificates.collect();
            (handshake_schemes(certificates.iter().copied()).collect(), Some(certificates))
        };
        Self {
            versions: led_by(grease.map(|grease| grease.version), common.versions.iter().copied()),
            cipher_suites: led_by(grease.map(|grease| grease.cipher_suite), cipher_suites),
            groups: led_by(grease.map(|grease| grease.group), common.groups.iter().map(|group| group.name())),
            signature_algorithms,
            signature_algorithms_cert,
        }
    }
}

fn led_by<T>(first: Option<T>, rest: impl Iterator<Item = T>) -> Vec<T> {
    // Its length is not known beforehand where something is left out; this is more than any list has by default.
    let mut list = Vec::with_capacity(16);
    list.extend(first.into_iter().chain(rest));
    list
}

/// RFC 6066 section 3: DNS names only, never addresses.
fn host_names<'a>(server_name: Option<&'a ServerName<'static>>) -> Vec<crate::message::ServerName<'a>> {
    match server_name {
        Some(ServerName::DnsName(name)) => alloc::vec![crate::message::ServerName {
            name_type: crate::message::ServerName::HOST_NAME,
            name: name.as_ref().as_bytes(),
        }],
        _ => Vec::new(),
    }
}
