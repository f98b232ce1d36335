//! The bodies of the rogue's messages, honest unless its fields say otherwise.

use core::task::Poll;

use drystone_handshake::codec::List;
use drystone_handshake::crypto;
use drystone_handshake::message::registry::{
    CipherSuiteId, ClientCertificateType, EcPointFormat, HandshakeType, NamedGroup, ProtocolVersion,
    SignatureScheme,
};
use drystone_handshake::message::{
    Asn1Cert, Certificate12, CertificateRequest12, CertificateVerify, ClientExtensions, ClientHello,
    ClientKeyExchange, DigitallySigned, Empty, HelloVerifyRequest, ServerEcdhParams, ServerHello,
    ServerHelloExtensions, ServerKeyExchange,
};

use super::{Rogue, Step};

impl Rogue {
    pub(super) fn build(&mut self, step: Step) -> (HandshakeType, Vec<u8>) {
        let mut body = Vec::new();
        let msg_type = match step {
            Step::HelloRequest => HandshakeType::HELLO_REQUEST,
            Step::ServerHelloDone => HandshakeType::SERVER_HELLO_DONE,
            Step::ClientHello => {
                body = self.client_hello();
                HandshakeType::CLIENT_HELLO
            }
            Step::HelloVerifyRequest => {
                HelloVerifyRequest { server_version: ProtocolVersion::DTLS_1_0, cookie: &self.cookie }
                    .encode(&mut body)
                    .expect("a short cookie");
                HandshakeType::HELLO_VERIFY_REQUEST
            }
            Step::ServerHello => {
                body = self.server_hello();
                HandshakeType::SERVER_HELLO
            }
            Step::Certificate => {
                let entries: Vec<_> = self.chain.iter().map(|cert_data| Asn1Cert { cert_data }).collect();
                Certificate12 { certificate_list: List::from(entries.as_slice()) }
                    .encode(&mut body)
                    .expect("a chain of moderate length");
                HandshakeType::CERTIFICATE
            }
            Step::ServerKeyExchange => {
                body = self.server_key_exchange();
                HandshakeType::SERVER_KEY_EXCHANGE
            }
            Step::CertificateRequest => {
                CertificateRequest12 {
                    certificate_types: (&[ClientCertificateType::ECDSA_SIGN]).into(),
                    supported_signature_algorithms: (&[SignatureScheme::ECDSA_SECP256R1_SHA256]).into(),
                    certificate_authorities: (&[]).into(),
                }
                .encode(&mut body)
                .expect("a short request");
                HandshakeType::CERTIFICATE_REQUEST
            }
            Step::ClientKeyExchange => {
                let (pending, public) = self.group.start().expect("random numbers");
                self.pending = Some(pending);
                ClientKeyExchange { public: &public }.encode(&mut body).expect("a share");
                HandshakeType::CLIENT_KEY_EXCHANGE
            }
            Step::CertificateVerify => {
                body = self.certificate_verify(&self.transcript);
                HandshakeType::CERTIFICATE_VERIFY
            }
            Step::Finished => {
                body = self.verify_data(self.side);
                HandshakeType::FINISHED
            }
            Step::ChangeCipherSpec => unreachable!("not a handshake message"),
            Step::HelloRetryRequest
            | Step::EncryptedExtensions
            | Step::KeyUpdate
            | Step::NewSessionTicket => {
                unreachable!("not a message of DTLS 1.2")
            }
        };
        (msg_type, body)
    }

    fn client_hello(&self) -> Vec<u8> {
        let suites = [self.suite.id, CipherSuiteId::TLS_EMPTY_RENEGOTIATION_INFO_SCSV];
        let extensions = ClientExtensions {
            ec_point_formats: Some((&[EcPointFormat::UNCOMPRESSED]).into()),
            extended_master_secret: self.extended_master_secret.then_some(Empty {}),
            ..ClientExtensions::default()
        };
        self.client_hello_with(&self.cookie, &suites, extensions)
    }

    /// The hello of either version: groups and schemes are the same in both.
    pub(super) fn client_hello_with(
        &self,
        cookie: &[u8],
        suites: &[CipherSuiteId],
        extensions: ClientExtensions<'_>,
    ) -> Vec<u8> {
        let schemes: Vec<_> =
            crypto::ring::SIGNATURE_VERIFIERS.iter().map(|verifier| verifier.scheme).collect();
        let groups = [self.group.name(), NamedGroup::SECP256R1];
        let hello = ClientHello {
            client_version: ProtocolVersion::DTLS_1_2,
            random: &self.randoms.client,
            session_id: &[],
            cookie,
            cipher_suites: suites.into(),
            compression_methods: &[0],
            extensions: ClientExtensions {
                supported_groups: Some((&groups).into()),
                signature_algorithms: Some(schemes.as_slice().into()),
                ..extensions
            },
        };
        let mut body = Vec::new();
        hello.encode(&mut body).expect("a hello");
        body
    }

    fn server_hello(&self) -> Vec<u8> {
        self.server_hello_with(ServerHelloExtensions {
            extended_master_secret: self.extended_master_secret.then_some(Empty {}),
            renegotiation_info: Some(&[]),
            ..ServerHelloExtensions::default()
        })
    }

    /// The hello of either version.
    pub(super) fn server_hello_with(&self, extensions: ServerHelloExtensions<'_>) -> Vec<u8> {
        let hello = ServerHello {
            server_version: ProtocolVersion::DTLS_1_2,
            random: &self.randoms.server,
            session_id: &[],
            cipher_suite: self.suite.id,
            compression_method: 0,
            extensions,
        };
        let mut body = Vec::new();
        hello.encode(&mut body).expect("a hello");
        body
    }

    fn server_key_exchange(&mut self) -> Vec<u8> {
        let (pending, share) = self.group.start().expect("random numbers");
        self.pending = Some(pending);
        let mut params = Vec::new();
        ServerEcdhParams::write_to(&mut params, self.group.name(), &share).expect("a share");
        let signature = self.sign(&[&self.randoms.client[..], &self.randoms.server, &params].concat());
        let algorithm = self.claimed_scheme.unwrap_or(self.scheme);
        let mut body = Vec::new();
        ServerKeyExchange {
            params: ServerEcdhParams::decode(&params).expect("just written"),
            signed: DigitallySigned { algorithm, signature: &signature },
        }
        .encode(&mut body)
        .expect("a signature");
        body
    }

    /// A signature over what this version signs.
    pub(super) fn certificate_verify(&self, content: &[u8]) -> Vec<u8> {
        let signature = self.sign(content);
        let algorithm = self.claimed_scheme.unwrap_or(self.scheme);
        let mut body = Vec::new();
        CertificateVerify { signed: DigitallySigned { algorithm, signature: &signature } }
            .encode(&mut body)
            .expect("a signature");
        body
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self.key.sign(self.scheme, message) {
            Poll::Ready(signature) => signature.expect("the key signs with this scheme"),
            Poll::Pending => panic!("the rogue's key answers at once"),
        }
    }
}
