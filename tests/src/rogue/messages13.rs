//! The bodies of the rogue's messages in DTLS 1.3, honest unless its fields say otherwise.

use drystone_handshake::crypto::certificate_verify_content;
use drystone_handshake::message::{
    Certificate13, CertificateEntry, CertificateEntryExtensions, CertificateRequest13,
    CertificateRequestExtensions, ClientExtensions, EncryptedExtensions, HelloRetryExtensions,
    HelloRetryRequest, KeyShareEntry, KeyUpdate, NewSessionTicket13, NewSessionTicketExtensions,
    ServerHelloExtensions,
};
use drystone_handshake::{HandshakeType, ProtocolVersion};

use super::{Rogue, Step};

impl Rogue {
    /// What the two versions write alike is left to that of DTLS 1.2.
    pub(super) fn build_13(&mut self, step: Step) -> (HandshakeType, Vec<u8>) {
        let mut body = Vec::new();
        let msg_type = match step {
            Step::ClientHello => {
                body = self.client_hello_13();
                HandshakeType::CLIENT_HELLO
            }
            Step::ServerHello => {
                body = self.server_hello_13();
                HandshakeType::SERVER_HELLO
            }
            Step::HelloRetryRequest => {
                body = self.hello_retry_request();
                HandshakeType::SERVER_HELLO
            }
            Step::EncryptedExtensions => {
                EncryptedExtensions::default().encode(&mut body).expect("nothing");
                HandshakeType::ENCRYPTED_EXTENSIONS
            }
            Step::CertificateRequest => {
                body = self.certificate_request_13();
                HandshakeType::CERTIFICATE_REQUEST
            }
            Step::Certificate => {
                body = self.certificate_13();
                HandshakeType::CERTIFICATE
            }
            Step::CertificateVerify => {
                let content = certificate_verify_content(self.side, &self.transcript_hash());
                body = self.certificate_verify(&content);
                HandshakeType::CERTIFICATE_VERIFY
            }
            Step::Finished => {
                body = self.verify_data_13(self.side);
                HandshakeType::FINISHED
            }
            Step::KeyUpdate => {
                KeyUpdate { request_update: self.request_update }.encode(&mut body).expect("one byte");
                HandshakeType::KEY_UPDATE
            }
            Step::NewSessionTicket => {
                body = self.new_session_ticket();
                HandshakeType::NEW_SESSION_TICKET
            }
            step => return self.build(step),
        };
        (msg_type, body)
    }

    /// With a share of its group, the same one in every hello until it is asked for another group.
    fn client_hello_13(&mut self) -> Vec<u8> {
        if self.pending.is_none() {
            let (pending, share) = self.group.start().expect("random numbers");
            self.pending = Some(pending);
            self.own_share = share;
        }
        let shares = [KeyShareEntry { group: self.group.name(), key_exchange: &self.own_share }];
        let extensions = ClientExtensions {
            cookie: (!self.cookie.is_empty()).then_some(&*self.cookie),
            supported_versions: Some((&[ProtocolVersion::DTLS_1_3]).into()),
            key_share: Some((&shares).into()),
            ..ClientExtensions::default()
        };
        self.client_hello_with(&[], &[self.suite.id], extensions)
    }

    fn server_hello_13(&mut self) -> Vec<u8> {
        let (pending, share) = self.group.start().expect("random numbers");
        if self.writer.newest() == 0 {
            self.pending = Some(pending);
        }
        self.server_hello_with(ServerHelloExtensions {
            supported_versions: Some(ProtocolVersion::DTLS_1_3),
            key_share: Some(KeyShareEntry { group: self.group.name(), key_exchange: &share }),
            ..ServerHelloExtensions::default()
        })
    }

    /// Asks for a cookie if it has one, and for a share of its group if the client sent none.
    fn hello_retry_request(&self) -> Vec<u8> {
        let request = HelloRetryRequest {
            server_version: ProtocolVersion::DTLS_1_2,
            session_id: &[],
            cipher_suite: self.suite.id,
            extensions: HelloRetryExtensions {
                supported_versions: Some(ProtocolVersion::DTLS_1_3),
                key_share: self.peer_share.is_empty().then(|| self.group.name()),
                cookie: (!self.cookie.is_empty()).then_some(&*self.cookie),
                ..HelloRetryExtensions::default()
            },
        };
        let mut body = Vec::new();
        request.encode(&mut body).expect("a question");
        body
    }

    fn certificate_request_13(&self) -> Vec<u8> {
        let schemes = [self.scheme];
        let request = CertificateRequest13 {
            certificate_request_context: &[],
            extensions: CertificateRequestExtensions {
                signature_algorithms: Some((&schemes).into()),
                ..CertificateRequestExtensions::default()
            },
        };
        let mut body = Vec::new();
        request.encode(&mut body).expect("a short request");
        body
    }

    fn certificate_13(&self) -> Vec<u8> {
        let extensions = CertificateEntryExtensions::default();
        let entries: Vec<_> =
            self.chain.iter().map(|cert_data| CertificateEntry { cert_data, extensions }).collect();
        let message =
            Certificate13 { certificate_request_context: &[], certificate_list: entries.as_slice().into() };
        let mut body = Vec::new();
        message.encode(&mut body).expect("a chain of moderate length");
        body
    }

    fn new_session_ticket(&self) -> Vec<u8> {
        let message = NewSessionTicket13 {
            ticket_lifetime: 3600,
            ticket_age_add: 7,
            ticket_nonce: &self.next_message_seq.to_be_bytes(),
            ticket: &self.ticket,
            extensions: NewSessionTicketExtensions::default(),
        };
        let mut body = Vec::new();
        message.encode(&mut body).expect("a ticket");
        body
    }
}
