//! Which message may carry which extension: the one table.
//!
//! For 1.3 it is the table of RFC 9846 section 4.3 and of the RFCs that define the other extensions; for 1.2 the
//! defining RFCs speak of a ClientHello and a ServerHello only. "If an implementation receives an extension which it
//! recognizes and which is not specified for the message in which it appears, it MUST abort the handshake with an
//! "illegal_parameter" alert" (RFC 9846 section 4.3).

use crate::message::registry::ExtensionType;

/// A message with an extension block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Either version: it offers both at once.
    ClientHello,
    ServerHello12,
    ServerHello13,
    HelloRetryRequest,
    EncryptedExtensions,
    CertificateRequest,
    CertificateEntry,
    NewSessionTicket,
}

use Place::{
    CertificateEntry as CT, CertificateRequest as CR, ClientHello as CH, EncryptedExtensions as EE,
    HelloRetryRequest as HRR, NewSessionTicket as NST, ServerHello12 as SH12, ServerHello13 as SH,
};

use ExtensionType as E;

/// The places of every extension type that has a name in the registry.
const TABLE: &[(ExtensionType, &[Place])] = &[
    (E::SERVER_NAME, &[CH, SH12, EE, CR]),
    (E::MAX_FRAGMENT_LENGTH, &[CH, SH12, EE]),
    (E::STATUS_REQUEST, &[CH, SH12, CR, CT]),
    // Not specified for a ServerHello (RFC 8422 section 5.2), but some 1.2 servers send it there; no client minds.
    (E::SUPPORTED_GROUPS, &[CH, SH12, EE]),
    (E::EC_POINT_FORMATS, &[CH, SH12]),
    (E::SIGNATURE_ALGORITHMS, &[CH, CR]),
    (E::USE_SRTP, &[CH, SH12, EE]),
    (E::APPLICATION_LAYER_PROTOCOL_NEGOTIATION, &[CH, SH12, EE]),
    (E::CLIENT_CERTIFICATE_TYPE, &[CH, SH12, EE]),
    (E::SERVER_CERTIFICATE_TYPE, &[CH, SH12, EE]),
    (E::PADDING, &[CH]),
    (E::ENCRYPT_THEN_MAC, &[CH, SH12]),
    (E::EXTENDED_MASTER_SECRET, &[CH, SH12]),
    (E::COMPRESS_CERTIFICATE, &[CH, CR]),
    (E::RECORD_SIZE_LIMIT, &[CH, SH12, EE]),
    (E::SESSION_TICKET, &[CH, SH12]),
    (E::PRE_SHARED_KEY, &[CH, SH]),
    (E::EARLY_DATA, &[CH, EE, NST]),
    (E::SUPPORTED_VERSIONS, &[CH, SH, HRR]),
    (E::COOKIE, &[CH, HRR]),
    (E::PSK_KEY_EXCHANGE_MODES, &[CH]),
    (E::CERTIFICATE_AUTHORITIES, &[CH, CR]),
    (E::OID_FILTERS, &[CR]),
    (E::POST_HANDSHAKE_AUTH, &[CH]),
    (E::SIGNATURE_ALGORITHMS_CERT, &[CH, CR]),
    (E::KEY_SHARE, &[CH, SH, HRR]),
    // "used in ClientHello and ServerHello messages", in both versions (RFC 9146 section 3, RFC 9147 section 9.1).
    (E::CONNECTION_ID, &[CH, SH12, SH]),
    (E::RRC, &[CH, SH12, SH]),
    (E::RENEGOTIATION_INFO, &[CH, SH12]),
];

/// Whether an extension may stand in a message. A type that drystone does not know may stand anywhere.
pub(crate) fn is_allowed(extension_type: ExtensionType, place: Place) -> bool {
    TABLE.iter().find(|(known, _)| *known == extension_type).is_none_or(|(_, places)| places.contains(&place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_extension_has_one_row() {
        for known in ExtensionType::KNOWN {
            assert_eq!(TABLE.iter().filter(|(row, _)| row == known).count(), 1, "{known}");
        }
        assert_eq!(TABLE.len(), ExtensionType::KNOWN.len());
    }

    /// Table 1 of RFC 9846 section 4.3, as far as drystone knows the extensions.
    #[test]
    fn agrees_with_rfc9846() {
        let table: &[(&str, &[Place])] = &[
            ("server_name", &[CH, EE, CR]),
            ("status_request", &[CH, CR, CT]),
            ("supported_groups", &[CH, EE]),
            ("signature_algorithms", &[CH, CR]),
            ("use_srtp", &[CH, EE]),
            ("application_layer_protocol_negotiation", &[CH, EE]),
            ("client_certificate_type", &[CH, EE]),
            ("server_certificate_type", &[CH, EE]),
            ("padding", &[CH]),
            ("compress_certificate", &[CH, CR]),
            ("record_size_limit", &[CH, EE]),
            ("pre_shared_key", &[CH, SH]),
            ("early_data", &[CH, EE, NST]),
            ("supported_versions", &[CH, SH, HRR]),
            ("cookie", &[CH, HRR]),
            ("psk_key_exchange_modes", &[CH]),
            ("certificate_authorities", &[CH, CR]),
            ("oid_filters", &[CR]),
            ("post_handshake_auth", &[CH]),
            ("signature_algorithms_cert", &[CH, CR]),
            ("key_share", &[CH, SH, HRR]),
        ];
        for (name, places) in table {
            let extension_type = ExtensionType::from_name(name).expect("a known name");
            for place in [CH, SH, HRR, EE, CR, CT, NST] {
                assert_eq!(is_allowed(extension_type, place), places.contains(&place), "{name} in {place:?}");
            }
        }
    }

    #[test]
    fn unknown_extensions_are_not_judged() {
        for place in [CH, SH12, SH, HRR, EE, CR, CT, NST] {
            assert!(is_allowed(ExtensionType(0x0a0a), place));
        }
    }
}
