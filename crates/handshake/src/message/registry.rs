//! Every code point of the protocol that drystone names, in one place (the IANA registries).

use crate::codec::points::code_points;

code_points! {
    /// The version on the wire (RFC 6347 section 4.1, RFC 9147 section 4).
    pub struct ProtocolVersion(u16);
    /// Only in HelloVerifyRequest and in the first record of a client; never negotiated.
    DTLS_1_0 = 0xfeff, "DTLS 1.0";
    /// RFC 6347.
    DTLS_1_2 = 0xfefd, "DTLS 1.2";
    /// RFC 9147.
    DTLS_1_3 = 0xfefc, "DTLS 1.3";
}

impl ProtocolVersion {
    /// Whether this version is `other` or an older one. Newer versions of DTLS have smaller numbers.
    pub const fn is_at_most(self, other: Self) -> bool {
        self.0 >= other.0
    }
}

code_points! {
    /// Handshake message types (RFC 9846 section 4, RFC 6347 section 4.2.2).
    pub struct HandshakeType(u8);
    HELLO_REQUEST = 0, "HelloRequest";
    CLIENT_HELLO = 1, "ClientHello";
    SERVER_HELLO = 2, "ServerHello";
    HELLO_VERIFY_REQUEST = 3, "HelloVerifyRequest";
    NEW_SESSION_TICKET = 4, "NewSessionTicket";
    ENCRYPTED_EXTENSIONS = 8, "EncryptedExtensions";
    REQUEST_CONNECTION_ID = 9, "RequestConnectionId";
    NEW_CONNECTION_ID = 10, "NewConnectionId";
    CERTIFICATE = 11, "Certificate";
    SERVER_KEY_EXCHANGE = 12, "ServerKeyExchange";
    CERTIFICATE_REQUEST = 13, "CertificateRequest";
    SERVER_HELLO_DONE = 14, "ServerHelloDone";
    CERTIFICATE_VERIFY = 15, "CertificateVerify";
    CLIENT_KEY_EXCHANGE = 16, "ClientKeyExchange";
    FINISHED = 20, "Finished";
    CERTIFICATE_STATUS = 22, "CertificateStatus";
    KEY_UPDATE = 24, "KeyUpdate";
    COMPRESSED_CERTIFICATE = 25, "CompressedCertificate";
    /// Synthetic: stands for ClientHello1 in the transcript after a HelloRetryRequest (RFC 9846 section 4.4.1).
    MESSAGE_HASH = 254, "message_hash";
}

code_points! {
    /// Extension types.
    pub struct ExtensionType(u16);
    SERVER_NAME = 0, "server_name";
    MAX_FRAGMENT_LENGTH = 1, "max_fragment_length";
    STATUS_REQUEST = 5, "status_request";
    SUPPORTED_GROUPS = 10, "supported_groups";
    EC_POINT_FORMATS = 11, "ec_point_formats";
    SIGNATURE_ALGORITHMS = 13, "signature_algorithms";
    USE_SRTP = 14, "use_srtp";
    APPLICATION_LAYER_PROTOCOL_NEGOTIATION = 16, "application_layer_protocol_negotiation";
    CLIENT_CERTIFICATE_TYPE = 19, "client_certificate_type";
    SERVER_CERTIFICATE_TYPE = 20, "server_certificate_type";
    PADDING = 21, "padding";
    ENCRYPT_THEN_MAC = 22, "encrypt_then_mac";
    EXTENDED_MASTER_SECRET = 23, "extended_master_secret";
    COMPRESS_CERTIFICATE = 27, "compress_certificate";
    RECORD_SIZE_LIMIT = 28, "record_size_limit";
    SESSION_TICKET = 35, "session_ticket";
    PRE_SHARED_KEY = 41, "pre_shared_key";
    EARLY_DATA = 42, "early_data";
    SUPPORTED_VERSIONS = 43, "supported_versions";
    COOKIE = 44, "cookie";
    PSK_KEY_EXCHANGE_MODES = 45, "psk_key_exchange_modes";
    CERTIFICATE_AUTHORITIES = 47, "certificate_authorities";
    OID_FILTERS = 48, "oid_filters";
    POST_HANDSHAKE_AUTH = 49, "post_handshake_auth";
    SIGNATURE_ALGORITHMS_CERT = 50, "signature_algorithms_cert";
    KEY_SHARE = 51, "key_share";
    CONNECTION_ID = 54, "connection_id";
    RRC = 61, "rrc";
    RENEGOTIATION_INFO = 0xff01, "renegotiation_info";
}

code_points! {
    /// Cipher suites that drystone implements or recognises.
    pub struct CipherSuiteId(u16);
    TLS_AES_128_GCM_SHA256 = 0x1301, "TLS_AES_128_GCM_SHA256";
    TLS_AES_256_GCM_SHA384 = 0x1302, "TLS_AES_256_GCM_SHA384";
    TLS_CHACHA20_POLY1305_SHA256 = 0x1303, "TLS_CHACHA20_POLY1305_SHA256";
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 = 0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 = 0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384";
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 = 0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 = 0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384";
    TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 = 0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256";
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 = 0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256";
    /// Signals secure renegotiation without the extension (RFC 5746 section 3.3).
    TLS_EMPTY_RENEGOTIATION_INFO_SCSV = 0x00ff, "TLS_EMPTY_RENEGOTIATION_INFO_SCSV";
    /// Sent by a client that lowered its version after a failure (RFC 7507).
    TLS_FALLBACK_SCSV = 0x5600, "TLS_FALLBACK_SCSV";
}

code_points! {
    /// Groups for the key exchange (supported_groups, RFC 8422, RFC 7748).
    pub struct NamedGroup(u16);
    SECP256R1 = 23, "secp256r1";
    SECP384R1 = 24, "secp384r1";
    SECP521R1 = 25, "secp521r1";
    X25519 = 29, "x25519";
    X448 = 30, "x448";
    X25519MLKEM768 = 4588, "X25519MLKEM768";
}

code_points! {
    /// Signature schemes (RFC 9846 section 4.2.3). In DTLS 1.2 the same values are hash and signature
    /// algorithm, and an ECDSA value does not fix the curve (RFC 5246 section 7.4.1.4.1).
    pub struct SignatureScheme(u16);
    RSA_PKCS1_SHA256 = 0x0401, "rsa_pkcs1_sha256";
    RSA_PKCS1_SHA384 = 0x0501, "rsa_pkcs1_sha384";
    RSA_PKCS1_SHA512 = 0x0601, "rsa_pkcs1_sha512";
    ECDSA_SECP256R1_SHA256 = 0x0403, "ecdsa_secp256r1_sha256";
    ECDSA_SECP384R1_SHA384 = 0x0503, "ecdsa_secp384r1_sha384";
    ECDSA_SECP521R1_SHA512 = 0x0603, "ecdsa_secp521r1_sha512";
    RSA_PSS_RSAE_SHA256 = 0x0804, "rsa_pss_rsae_sha256";
    RSA_PSS_RSAE_SHA384 = 0x0805, "rsa_pss_rsae_sha384";
    RSA_PSS_RSAE_SHA512 = 0x0806, "rsa_pss_rsae_sha512";
    ED25519 = 0x0807, "ed25519";
}

code_points! {
    /// Client certificate types in a DTLS 1.2 CertificateRequest (RFC 5246 section 7.4.4, RFC 8422 section 5.5).
    pub struct ClientCertificateType(u8);
    RSA_SIGN = 1, "rsa_sign";
    ECDSA_SIGN = 64, "ecdsa_sign";
}

code_points! {
    /// DTLS-SRTP protection profiles (RFC 5764 section 4.1.2, RFC 7714 section 14.2).
    pub struct SrtpProfile(u16);
    AES128_CM_HMAC_SHA1_80 = 0x0001, "SRTP_AES128_CM_HMAC_SHA1_80";
    AES128_CM_HMAC_SHA1_32 = 0x0002, "SRTP_AES128_CM_HMAC_SHA1_32";
    AEAD_AES_128_GCM = 0x0007, "SRTP_AEAD_AES_128_GCM";
    AEAD_AES_256_GCM = 0x0008, "SRTP_AEAD_AES_256_GCM";
}

code_points! {
    /// Alert descriptions (RFC 9846 section 6).
    pub struct AlertDescription(u8);
    CLOSE_NOTIFY = 0, "close_notify";
    UNEXPECTED_MESSAGE = 10, "unexpected_message";
    BAD_RECORD_MAC = 20, "bad_record_mac";
    RECORD_OVERFLOW = 22, "record_overflow";
    HANDSHAKE_FAILURE = 40, "handshake_failure";
    BAD_CERTIFICATE = 42, "bad_certificate";
    UNSUPPORTED_CERTIFICATE = 43, "unsupported_certificate";
    CERTIFICATE_REVOKED = 44, "certificate_revoked";
    CERTIFICATE_EXPIRED = 45, "certificate_expired";
    CERTIFICATE_UNKNOWN = 46, "certificate_unknown";
    ILLEGAL_PARAMETER = 47, "illegal_parameter";
    UNKNOWN_CA = 48, "unknown_ca";
    ACCESS_DENIED = 49, "access_denied";
    DECODE_ERROR = 50, "decode_error";
    DECRYPT_ERROR = 51, "decrypt_error";
    TOO_MANY_CIDS_REQUESTED = 52, "too_many_cids_requested";
    PROTOCOL_VERSION = 70, "protocol_version";
    INSUFFICIENT_SECURITY = 71, "insufficient_security";
    INTERNAL_ERROR = 80, "internal_error";
    INAPPROPRIATE_FALLBACK = 86, "inappropriate_fallback";
    USER_CANCELED = 90, "user_canceled";
    NO_RENEGOTIATION = 100, "no_renegotiation";
    MISSING_EXTENSION = 109, "missing_extension";
    UNSUPPORTED_EXTENSION = 110, "unsupported_extension";
    UNRECOGNIZED_NAME = 112, "unrecognized_name";
    BAD_CERTIFICATE_STATUS_RESPONSE = 113, "bad_certificate_status_response";
    UNKNOWN_PSK_IDENTITY = 115, "unknown_psk_identity";
    CERTIFICATE_REQUIRED = 116, "certificate_required";
    NO_APPLICATION_PROTOCOL = 120, "no_application_protocol";
}

impl AlertDescription {
    /// Whether it says that something went wrong: close_notify and user_canceled close an association in good order (RFC
    /// 9846 section 6.1), and no_renegotiation ends nothing (RFC 5246 section 7.2.2).
    pub const fn is_error(self) -> bool {
        !matches!(self, Self::CLOSE_NOTIFY | Self::USER_CANCELED | Self::NO_RENEGOTIATION)
    }
}

code_points! {
    /// Alert levels (RFC 9846 section 6). In DTLS 1.3 the level carries no meaning.
    pub struct AlertLevel(u8);
    WARNING = 1, "warning";
    FATAL = 2, "fatal";
}

code_points! {
    /// Formats of elliptic curve points (RFC 8422 section 5.1.2).
    pub struct EcPointFormat(u8);
    UNCOMPRESSED = 0, "uncompressed";
}

code_points! {
    /// How a pre-shared key is used (RFC 9846 section 4.3.9).
    pub struct PskKeyExchangeMode(u8);
    PSK_KE = 0, "psk_ke";
    PSK_DHE_KE = 1, "psk_dhe_ke";
}

code_points! {
    /// What a Certificate message carries (RFC 7250 section 3).
    pub struct CertificateType(u8);
    X509 = 0, "X509";
    RAW_PUBLIC_KEY = 2, "RawPublicKey";
}

code_points! {
    /// Kinds of certificate status (RFC 6066 section 8).
    pub struct CertificateStatusType(u8);
    OCSP = 1, "ocsp";
}
