//! The client's states, in the order of the protocol.

pub(crate) mod expected;
mod grease;
pub(crate) mod hello;
mod offer;
mod v12;
mod v13;

use crate::Error;
use crate::config::ClientConfig;
use crate::event::Answer;
use crate::machine::{Context, Message, Next, unexpected};

pub(crate) use hello::ExpectServerHello;

/// Which message, or which answer of the application, a client waits for.
#[derive(Debug)]
pub(crate) enum ClientState {
    ServerHello(ExpectServerHello),

    Certificate12(v12::ExpectCertificate),
    ServerKeyExchange(v12::ExpectServerKeyExchange),
    ServerHelloDone(v12::ExpectServerHelloDone),
    PeerVerification12(v12::AwaitPeerVerification),
    Credential12(v12::AwaitCredential),
    Signature12(v12::AwaitSignature),
    Finished12(v12::ExpectFinished),

    EncryptedExtensions(v13::ExpectEncryptedExtensions),
    Certificate13(v13::ExpectCertificate),
    CertificateVerify(v13::ExpectCertificateVerify),
    PeerVerification13(v13::AwaitPeerVerification),
    Finished13(v13::ExpectFinished),
    Credential13(v13::AwaitCredential),
    Signature13(v13::AwaitSignature),
}

impl ClientState {
    pub(crate) fn handle(
        self,
        message: Message<'_>,
        cx: &mut Context<'_, ClientConfig>,
    ) -> Result<Next, Error> {
        match self {
            Self::ServerHello(state) => state.handle(message, cx),
            Self::Certificate12(state) => state.handle(message),
            Self::ServerKeyExchange(state) => state.handle(message),
            Self::ServerHelloDone(state) => state.handle(message, cx),
            Self::Finished12(state) => state.handle(message),
            Self::EncryptedExtensions(state) => state.handle(message, cx),
            Self::Certificate13(state) => state.handle(message),
            Self::CertificateVerify(state) => state.handle(message, cx),
            Self::Finished13(state) => state.handle(message, cx),
            Self::PeerVerification12(_)
            | Self::Credential12(_)
            | Self::Signature12(_)
            | Self::PeerVerification13(_)
            | Self::Credential13(_)
            | Self::Signature13(_) => Err(unexpected("an answer of the application", message)),
        }
    }

    pub(crate) fn answer(self, answer: Answer, cx: &mut Context<'_, ClientConfig>) -> Result<Next, Error> {
        match self {
            Self::PeerVerification12(state) => state.verified(answer.into_peer_verified()?, cx),
            Self::Credential12(state) => state.chosen(answer.into_credential()?, cx),
            Self::Signature12(state) => state.signed(&answer.into_signature()?, cx),
            Self::PeerVerification13(state) => Ok(state.verified(answer.into_peer_verified()?)),
            Self::Credential13(state) => state.chosen(answer.into_credential()?, cx),
            Self::Signature13(state) => state.signed(&answer.into_signature()?, cx),
            Self::ServerHello(_)
            | Self::Certificate12(_)
            | Self::ServerKeyExchange(_)
            | Self::ServerHelloDone(_)
            | Self::Finished12(_)
            | Self::EncryptedExtensions(_)
            | Self::Certificate13(_)
            | Self::CertificateVerify(_)
            | Self::Finished13(_) => Err(Error::Internal("no request is open")),
        }
    }
}
