//! Arbitrary messages, valid by construction.

use super::super::registry::*;
use super::super::*;
use crate::codec::{Element, List};
use core::fmt::Debug;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// Reserved by RFC 8701, so that drystone knows none of them.
const GREASE: [u16; 5] = [0x0a0a, 0x1a1a, 0x2a2a, 0x7a7a, 0xfafa];

fn bytes(length: impl Into<proptest::collection::SizeRange>) -> impl Strategy<Value = &'static [u8]> {
    vec(any::<u8>(), length).prop_map(|bytes| &*bytes.leak())
}

fn list<T: Element<'static> + Debug + 'static>(
    element: impl Strategy<Value = T>,
    length: impl Into<proptest::collection::SizeRange>,
) -> impl Strategy<Value = List<'static, T>> {
    vec(element, length).prop_map(|items| List::from(&*items.leak()))
}

fn random() -> impl Strategy<Value = &'static [u8; 32]> {
    bytes(32).prop_map(|bytes| bytes.try_into().expect("32 bytes"))
}

fn point<T>(new: impl Fn(u16) -> T) -> impl Strategy<Value = T>
where
    T: Debug,
{
    any::<u16>().prop_map(new)
}

fn small_point<T: Debug>(new: impl Fn(u8) -> T) -> impl Strategy<Value = T> {
    any::<u8>().prop_map(new)
}

fn others() -> impl Strategy<Value = Others<'static>> {
    (proptest::sample::subsequence(GREASE.to_vec(), 0..=GREASE.len()), bytes(0..9)).prop_map(
        |(types, data)| {
            let items =
                types.into_iter().map(|value| RawExtension { extension_type: ExtensionType(value), data });
            Others::from(&*items.collect::<alloc::vec::Vec<_>>().leak())
        },
    )
}

fn versions() -> impl Strategy<Value = List<'static, ProtocolVersion>> {
    list(point(ProtocolVersion), 1..5)
}

fn schemes() -> impl Strategy<Value = List<'static, SignatureScheme>> {
    list(point(SignatureScheme), 1..9)
}

fn groups() -> impl Strategy<Value = List<'static, NamedGroup>> {
    list(point(NamedGroup), 1..9)
}

fn key_share() -> impl Strategy<Value = KeyShareEntry<'static>> {
    (point(NamedGroup), bytes(1..99)).prop_map(|(group, key_exchange)| KeyShareEntry { group, key_exchange })
}

fn protocol_name() -> impl Strategy<Value = ProtocolName<'static>> {
    bytes(1..=255).prop_map(|name| ProtocolName { name })
}

fn server_names() -> impl Strategy<Value = ServerNameList<'static>> {
    let name = (0..3u8, bytes(0..40)).prop_map(|(name_type, name)| ServerName { name_type, name });
    list(name, 1..3).prop_map(|server_name_list| ServerNameList { server_name_list })
}

fn names() -> impl Strategy<Value = List<'static, DistinguishedName<'static>>> {
    list(bytes(1..40).prop_map(|name| DistinguishedName { name }), 1..4)
}

fn certificate_types() -> impl Strategy<Value = List<'static, CertificateType>> {
    list(small_point(CertificateType), 1..4)
}

fn record_size_limit() -> impl Strategy<Value = RecordSizeLimit> {
    (64..=u16::MAX).prop_map(|bytes| RecordSizeLimit::new(bytes).expect("not below 64"))
}

fn use_srtp() -> impl Strategy<Value = UseSrtp<'static>> {
    (list(point(SrtpProfile), 1..4), bytes(0..9))
        .prop_map(|(profiles, srtp_mki)| UseSrtp { profiles, srtp_mki })
}

fn srtp_answer() -> impl Strategy<Value = UseSrtpAnswer<'static>> {
    (point(SrtpProfile), bytes(0..9)).prop_map(|(profile, srtp_mki)| UseSrtpAnswer { profile, srtp_mki })
}

fn status_request() -> impl Strategy<Value = CertificateStatusRequest<'static>> {
    (small_point(CertificateStatusType), bytes(0..9))
        .prop_map(|(status_type, request)| CertificateStatusRequest { status_type, request })
}

fn psks() -> impl Strategy<Value = OfferedPsks<'static>> {
    let psk = (bytes(1..99), any::<u32>(), bytes(32..49));
    vec(psk, 1..4).prop_map(|psks| {
        let identities: alloc::vec::Vec<_> = psks
            .iter()
            .map(|&(identity, obfuscated_ticket_age, _)| PskIdentity { identity, obfuscated_ticket_age })
            .collect();
        let binders: alloc::vec::Vec<_> = psks.iter().map(|&(_, _, binder)| PskBinder { binder }).collect();
        OfferedPsks { identities: List::from(&*identities.leak()), binders: List::from(&*binders.leak()) }
    })
}

fn empty() -> impl Strategy<Value = Empty> {
    Just(Empty {})
}

pub(super) fn client_extensions() -> impl Strategy<Value = ClientExtensions<'static>> {
    let for_both = (
        option::of(bytes(1..99)),
        option::of(versions()),
        option::of(server_names()),
        option::of(groups()),
        option::of(list(key_share(), 0..3)),
        option::of(schemes()),
        option::of(schemes()),
        option::of(list(small_point(EcPointFormat), 1..3)),
        option::of(empty()),
        option::of(bytes(0..=255)),
        option::of(list(protocol_name(), 1..3)),
        option::of(use_srtp()),
    );
    let for_some = (
        option::of(bytes(0..=255)),
        option::of(empty()),
        option::of(record_size_limit()),
        option::of(bytes(0..99)),
        option::of(status_request()),
        option::of(names()),
        option::of(certificate_types()),
        option::of(certificate_types()),
        option::of(empty()),
        option::of(list(small_point(PskKeyExchangeMode), 1..3)),
        option::of(empty()),
        option::of(psks()),
    );
    (for_both, for_some, others()).prop_map(|(both, some, others)| ClientExtensions {
        cookie: both.0,
        supported_versions: both.1,
        server_name: both.2,
        supported_groups: both.3,
        key_share: both.4,
        signature_algorithms: both.5,
        signature_algorithms_cert: both.6,
        ec_point_formats: both.7,
        extended_master_secret: both.8,
        renegotiation_info: both.9,
        alpn: both.10,
        use_srtp: both.11,
        connection_id: some.0,
        rrc: some.1,
        record_size_limit: some.2,
        session_ticket: some.3,
        status_request: some.4,
        certificate_authorities: some.5,
        client_certificate_type: some.6,
        server_certificate_type: some.7,
        post_handshake_auth: some.8,
        psk_key_exchange_modes: some.9,
        early_data: some.10,
        pre_shared_key: some.11,
        others,
    })
}

pub(super) fn client_hello() -> impl Strategy<Value = ClientHello<'static>> {
    (
        point(ProtocolVersion),
        random(),
        bytes(0..=32),
        bytes(0..=255),
        list(point(CipherSuiteId), 1..9),
        bytes(1..4),
        client_extensions(),
    )
        .prop_map(
            |(client_version, random, session_id, cookie, cipher_suites, compression_methods, extensions)| {
                ClientHello {
                    client_version,
                    random,
                    session_id,
                    cookie,
                    cipher_suites,
                    compression_methods,
                    extensions,
                }
            },
        )
}

fn server_extensions12() -> impl Strategy<Value = ServerHelloExtensions<'static>> {
    let fields = (
        option::of(bytes(0..=255)),
        option::of(empty()),
        option::of(empty()),
        option::of(list(small_point(EcPointFormat), 1..3)),
        option::of(empty()),
        option::of(bytes(0..=255)),
        option::of(protocol_name()),
        option::of(srtp_answer()),
        option::of(record_size_limit()),
        option::of(empty()),
        option::of(empty()),
        option::of((small_point(CertificateType), small_point(CertificateType))),
    );
    (fields, others()).prop_map(|(fields, others)| ServerHelloExtensions {
        connection_id: fields.0,
        rrc: fields.1,
        server_name: fields.2,
        ec_point_formats: fields.3,
        extended_master_secret: fields.4,
        renegotiation_info: fields.5,
        alpn: fields.6,
        use_srtp: fields.7,
        record_size_limit: fields.8,
        session_ticket: fields.9,
        status_request: fields.10,
        client_certificate_type: fields.11.map(|(client, _)| client),
        server_certificate_type: fields.11.map(|(_, server)| server),
        others,
        ..ServerHelloExtensions::default()
    })
}

fn server_extensions13() -> impl Strategy<Value = ServerHelloExtensions<'static>> {
    (
        point(ProtocolVersion),
        option::of(key_share()),
        option::of(any::<u16>()),
        option::of(bytes(0..=255)),
        option::of(empty()),
        others(),
    )
        .prop_map(|(version, key_share, pre_shared_key, connection_id, rrc, others)| {
            ServerHelloExtensions {
                supported_versions: Some(version),
                key_share,
                pre_shared_key,
                connection_id,
                rrc,
                others,
                ..ServerHelloExtensions::default()
            }
        })
}

pub(super) fn server_hello() -> impl Strategy<Value = ServerHello<'static>> {
    let extensions = prop_oneof![server_extensions12().boxed(), server_extensions13().boxed()];
    (point(ProtocolVersion), random(), bytes(0..=32), point(CipherSuiteId), any::<u8>(), extensions).prop_map(
        |(server_version, random, session_id, cipher_suite, compression_method, extensions)| ServerHello {
            server_version,
            random,
            session_id,
            cipher_suite,
            compression_method,
            extensions,
        },
    )
}

pub(super) fn hello_retry_request() -> impl Strategy<Value = HelloRetryRequest<'static>> {
    let extensions =
        (point(ProtocolVersion), option::of(point(NamedGroup)), option::of(bytes(1..300)), others())
            .prop_map(|(version, key_share, cookie, others)| HelloRetryExtensions {
                supported_versions: Some(version),
                key_share,
                cookie,
                others,
            });
    (point(ProtocolVersion), bytes(0..=32), point(CipherSuiteId), extensions).prop_map(
        |(server_version, session_id, cipher_suite, extensions)| HelloRetryRequest {
            server_version,
            session_id,
            cipher_suite,
            extensions,
        },
    )
}

pub(super) fn hello_verify_request() -> impl Strategy<Value = HelloVerifyRequest<'static>> {
    (point(ProtocolVersion), bytes(0..=255))
        .prop_map(|(server_version, cookie)| HelloVerifyRequest { server_version, cookie })
}

pub(super) fn encrypted_extensions() -> impl Strategy<Value = EncryptedExtensions<'static>> {
    let fields = (
        option::of(empty()),
        option::of(groups()),
        option::of(protocol_name()),
        option::of(srtp_answer()),
        option::of(record_size_limit()),
        option::of(small_point(CertificateType)),
        option::of(small_point(CertificateType)),
        option::of(empty()),
        others(),
    );
    fields.prop_map(|fields| EncryptedExtensions {
        server_name: fields.0,
        supported_groups: fields.1,
        alpn: fields.2,
        use_srtp: fields.3,
        record_size_limit: fields.4,
        client_certificate_type: fields.5,
        server_certificate_type: fields.6,
        early_data: fields.7,
        others: fields.8,
    })
}

pub(super) fn certificate_status() -> impl Strategy<Value = CertificateStatus<'static>> {
    bytes(1..99).prop_map(|ocsp_response| CertificateStatus { ocsp_response })
}

pub(super) fn certificate12() -> impl Strategy<Value = Certificate12<'static>> {
    list(bytes(1..400).prop_map(|cert_data| Asn1Cert { cert_data }), 0..5)
        .prop_map(|certificate_list| Certificate12 { certificate_list })
}

pub(super) fn certificate13() -> impl Strategy<Value = Certificate13<'static>> {
    let entry = (bytes(1..400), option::of(certificate_status()), others()).prop_map(
        |(cert_data, status_request, others)| CertificateEntry {
            cert_data,
            extensions: CertificateEntryExtensions { status_request, others },
        },
    );
    (bytes(0..=255), list(entry, 0..5)).prop_map(|(certificate_request_context, certificate_list)| {
        Certificate13 { certificate_request_context, certificate_list }
    })
}

pub(super) fn certificate_request12() -> impl Strategy<Value = CertificateRequest12<'static>> {
    (list(small_point(ClientCertificateType), 1..4), schemes(), names()).prop_map(
        |(certificate_types, supported_signature_algorithms, certificate_authorities)| CertificateRequest12 {
            certificate_types,
            supported_signature_algorithms,
            certificate_authorities,
        },
    )
}

pub(super) fn certificate_request13() -> impl Strategy<Value = CertificateRequest13<'static>> {
    (
        bytes(0..=255),
        option::of(schemes()),
        option::of(schemes()),
        option::of(names()),
        option::of(empty()),
        others(),
    )
        .prop_map(|fields| CertificateRequest13 {
            certificate_request_context: fields.0,
            extensions: CertificateRequestExtensions {
                signature_algorithms: fields.1,
                signature_algorithms_cert: fields.2,
                certificate_authorities: fields.3,
                status_request: fields.4,
                others: fields.5,
            },
        })
}

fn digitally_signed() -> impl Strategy<Value = DigitallySigned<'static>> {
    (point(SignatureScheme), bytes(0..300))
        .prop_map(|(algorithm, signature)| DigitallySigned { algorithm, signature })
}

pub(super) fn certificate_verify() -> impl Strategy<Value = CertificateVerify<'static>> {
    digitally_signed().prop_map(|signed| CertificateVerify { signed })
}

pub(super) fn server_key_exchange() -> impl Strategy<Value = ServerKeyExchange<'static>> {
    (point(NamedGroup), bytes(1..=255), digitally_signed()).prop_map(|(named_group, public, signed)| {
        let wire = alloc::boxed::Box::leak(alloc::boxed::Box::default());
        let params = ServerEcdhParams::write_to(wire, named_group, public).expect("1 to 255 bytes");
        ServerKeyExchange { params, signed }
    })
}

pub(super) fn client_key_exchange() -> impl Strategy<Value = ClientKeyExchange<'static>> {
    bytes(1..=255).prop_map(|public| ClientKeyExchange { public })
}

pub(super) fn finished() -> impl Strategy<Value = Finished<'static>> {
    bytes(1..65).prop_map(|verify_data| Finished { verify_data })
}

pub(super) fn new_session_ticket12() -> impl Strategy<Value = NewSessionTicket12<'static>> {
    (any::<u32>(), bytes(0..300))
        .prop_map(|(ticket_lifetime_hint, ticket)| NewSessionTicket12 { ticket_lifetime_hint, ticket })
}

pub(super) fn new_session_ticket13() -> impl Strategy<Value = NewSessionTicket13<'static>> {
    (any::<u32>(), any::<u32>(), bytes(0..=255), bytes(1..300), option::of(any::<u32>()), others()).prop_map(
        |(ticket_lifetime, ticket_age_add, ticket_nonce, ticket, early_data, others)| NewSessionTicket13 {
            ticket_lifetime,
            ticket_age_add,
            ticket_nonce,
            ticket,
            extensions: NewSessionTicketExtensions { early_data, others },
        },
    )
}

pub(super) fn key_update() -> impl Strategy<Value = KeyUpdate> {
    prop_oneof![Just(KeyUpdateRequest::NotRequested), Just(KeyUpdateRequest::Requested)]
        .prop_map(|request_update| KeyUpdate { request_update })
}

pub(super) fn ack() -> impl Strategy<Value = Ack<'static>> {
    let number = (any::<u64>(), any::<u64>()).prop_map(|(epoch, sequence)| RecordNumber { epoch, sequence });
    list(number, 0..33).prop_map(|record_numbers| Ack { record_numbers })
}

pub(super) fn alert() -> impl Strategy<Value = Alert> {
    (small_point(AlertLevel), small_point(AlertDescription))
        .prop_map(|(level, description)| Alert { level, description })
}

pub(super) fn new_connection_id() -> impl Strategy<Value = NewConnectionId<'static>> {
    let usage = prop_oneof![Just(ConnectionIdUsage::Immediate), Just(ConnectionIdUsage::Spare)];
    (list(bytes(0..=255).prop_map(|cid| ConnectionId { cid }), 0..5), usage)
        .prop_map(|(cids, usage)| NewConnectionId { cids, usage })
}

pub(super) fn request_connection_id() -> impl Strategy<Value = RequestConnectionId> {
    any::<u8>().prop_map(|num_cids| RequestConnectionId { num_cids })
}

pub(super) fn hello_request() -> impl Strategy<Value = HelloRequest> {
    Just(HelloRequest {})
}

pub(super) fn server_hello_done() -> impl Strategy<Value = ServerHelloDone> {
    Just(ServerHelloDone {})
}
