//! The server's states, in the order of the protocol.

mod answer;
mod choice;
mod cookie;
pub(crate) mod gate;
pub(crate) mod greeting;
pub(crate) mod hello;
pub(crate) mod partial;
pub(crate) mod retry;
mod v12;

use crate::Error;
use crate::config::ServerConfig;
use crate::event::Answer;
use crate::machine::{Context, Message, Next, unexpected};

pub(crate) use hello::ExpectClientHello;

/// Which message, or which answer of the application, a server waits for.
#[derive(Debug)]
pub(crate) enum ServerState {
    ClientHello(ExpectClientHello),
    Credential(v12::AwaitCredential),
    KeyExchangeSignature(v12::AwaitSignature),
    Certificate(v12::ExpectCertificate),
    ClientKeyExchange(v12::ExpectClientKeyExchange),
    CertificateVerify(v12::ExpectCertificateVerify),
    PeerVerification(v12::AwaitPeerVerification),
    Finished(v12::ExpectFinished),
}

impl ServerState {
    pub(crate) fn handle(
        self,
        message: Message<'_>,
        cx: &mut Context<'_, ServerConfig>,
    ) -> Result<Next, Error> {
        match self {
            Self::ClientHello(state) => state.handle(message, cx),
            Self::Certificate(state) => state.handle(message, cx),
            Self::ClientKeyExchange(state) => state.handle(message, cx),
            Self::CertificateVerify(state) => state.handle(message, cx),
            Self::Finished(state) => state.handle(message, cx),
            Self::Credential(_) | Self::KeyExchangeSignature(_) | Self::PeerVerification(_) => {
                Err(unexpected("an answer of the application", message))
            }
        }
    }

    pub(crate) fn answer(self, answer: Answer, cx: &mut Context<'_, ServerConfig>) -> Result<Next, Error> {
        match self {
            Self::Credential(state) => state.chosen(answer.into_credential()?, cx),
            Self::KeyExchangeSignature(state) => state.signed(&answer.into_signature()?, cx),
            Self::PeerVerification(state) => Ok(state.verified(answer.into_peer_verified()?)),
            Self::ClientHello(_)
            | Self::Certificate(_)
            | Self::ClientKeyExchange(_)
            | Self::CertificateVerify(_)
            | Self::Finished(_) => Err(Error::Refused("no request is open")),
        }
    }
}
