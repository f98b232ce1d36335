//! Changes of the rogue's messages field by field: decoded, changed and encoded anew, so that all lengths fit.

use drystone_handshake::SignatureScheme;
use drystone_handshake::message::{
    Certificate13, CertificateVerify, ClientHello, DigitallySigned, EncryptedExtensions, HelloRetryRequest,
    ServerHello,
};

use super::{Rogue, Step};

/// One method for each message.
macro_rules! alter {
    ($($(#[$doc:meta])* $method:ident: $step:ident, $message:ident;)*) => {
        impl Rogue {
            $(
                $(#[$doc])*
                pub fn $method(&mut self, change: impl Fn(&mut $message<'_>) + 'static) {
                    self.alter(Step::$step, move |body| {
                        let mut message = $message::decode(body).expect("what the rogue has written");
                        change(&mut message);
                        let mut altered = Vec::new();
                        message.encode(&mut altered).expect("a change that can be written");
                        *body = altered;
                    });
                }
            )*
        }
    };
}

alter! {
    /// Changes its ClientHello.
    alter_client_hello: ClientHello, ClientHello;
    /// Changes its ServerHello.
    alter_server_hello: ServerHello, ServerHello;
    /// Changes its HelloRetryRequest.
    alter_hello_retry_request: HelloRetryRequest, HelloRetryRequest;
    /// Changes its EncryptedExtensions.
    alter_encrypted_extensions: EncryptedExtensions, EncryptedExtensions;
    /// Changes its Certificate of DTLS 1.3.
    alter_certificate_13: Certificate, Certificate13;
}

impl Rogue {
    /// Changes scheme and signature of its CertificateVerify.
    pub fn alter_certificate_verify(
        &mut self,
        change: impl Fn(&mut SignatureScheme, &mut Vec<u8>) + 'static,
    ) {
        self.alter(Step::CertificateVerify, move |body| {
            let signed = CertificateVerify::decode(body).expect("what the rogue has written").signed;
            let (mut algorithm, mut signature) = (signed.algorithm, signed.signature.to_vec());
            change(&mut algorithm, &mut signature);
            let mut altered = Vec::new();
            CertificateVerify { signed: DigitallySigned { algorithm, signature: &signature } }
                .encode(&mut altered)
                .expect("a signature");
            *body = altered;
        });
    }
}
