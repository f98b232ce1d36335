//! The server's states, in the order of the protocol.

mod answer;
mod begun;
mod choice;
pub(crate) mod cookie;
pub(crate) mod expected;
mod fragments;
pub(crate) mod gate;
pub(crate) mod greeting;
mod ground12;
mod ground13;
pub(crate) mod hello;
pub(crate) mod partial;
pub(crate) mod retry;
mod terms;
mod v12;
mod v13;

use crate::Error;
use crate::config::ServerConfig;
use crate::event::Answer;
use crate::machine::{Context, Message, Next, unexpected};

pub(crate) use hello::ExpectClientHello;

/// Which message, or which answer of the application, a server waits for.
#[derive(Debug)]
pub(crate) enum ServerState {
    ClientHello(ExpectClientHello),

    Credential12(v12::AwaitCredential),
    KeyExchangeSignature(v12::AwaitSignature),
    Certificate12(v12::ExpectCertificate),
    ClientKeyExchange(v12::ExpectClientKeyExchange),
    CertificateVerify12(v12::ExpectCertificateVerify),
    PeerVerification12(v12::AwaitPeerVerification),
    Finished12(v12::ExpectFinished),

    SecondClientHello(hello::ExpectSecondClientHello),
    Credential13(v13::AwaitCredential),
    Signature13(v13::AwaitSignature),
    Certificate13(v13::ExpectCertificate),
    CertificateVerify13(v13::ExpectCertificateVerify),
    PeerVerification13(v13::AwaitPeerVerification),
    Finished13(v13::ExpectFinished),
}

impl ServerState {
    /// Whether the next message is a hello.
    pub(crate) fn expects_client_hello(&self) -> bool {
        matches!(self, Self::ClientHello(_) | Self::SecondClientHello(_))
    }

    pub(crate) fn handle(
        self,
        message: Message<'_>,
        cx: &mut Context<'_, ServerConfig>,
    ) -> Result<Next, Error> {
        match self {
            Self::ClientHello(state) => state.handle(message, cx),
            Self::Certificate12(state) => state.handle(message, cx),
            Self::ClientKeyExchange(state) => state.handle(message, cx),
            Self::CertificateVerify12(state) => state.handle(message, cx),
            Self::Finished12(state) => state.handle(message, cx),
            Self::SecondClientHello(state) => state.handle(message, cx),
            Self::Certificate13(state) => state.handle(message, cx),
            Self::CertificateVerify13(state) => state.handle(message, cx),
            Self::Finished13(state) => state.handle(message, cx),
            Self::Credential12(_)
            | Self::KeyExchangeSignature(_)
            | Self::PeerVerification12(_)
            | Self::Credential13(_)
            | Self::Signature13(_)
            | Self::PeerVerification13(_) => Err(unexpected("an answer of the application", message)),
        }
    }

    pub(crate) fn answer(self, answer: Answer, cx: &mut Context<'_, ServerConfig>) -> Result<Next, Error> {
        match self {
            Self::Credential12(state) => state.chosen(answer.into_credential()?, cx),
            Self::KeyExchangeSignature(state) => state.signed(&answer.into_signature()?, cx),
            Self::PeerVerification12(state) => Ok(state.verified(answer.into_peer_verified()?)),
            Self::Credential13(state) => state.chosen(answer.into_credential()?, cx),
            Self::Signature13(state) => state.signed(&answer.into_signature()?, cx),
            Self::PeerVerification13(state) => Ok(state.verified(answer.into_peer_verified()?)),
            Self::ClientHello(_)
            | Self::Certificate12(_)
            | Self::ClientKeyExchange(_)
            | Self::CertificateVerify12(_)
            | Self::Finished12(_)
            | Self::SecondClientHello(_)
            | Self::Certificate13(_)
            | Self::CertificateVerify13(_)
            | Self::Finished13(_) => Err(Error::Internal("no request is open")),
        }
    }
}
