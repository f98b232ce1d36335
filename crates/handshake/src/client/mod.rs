//! The client's states, in the order of the protocol.

pub(crate) mod hello;
mod v12;

use crate::Error;
use crate::config::ClientConfig;
use crate::event::Answer;
use crate::machine::{Context, Message, Next, unexpected};

pub(crate) use hello::ExpectServerHello;

/// Which message, or which answer of the application, a client waits for.
#[derive(Debug)]
pub(crate) enum ClientState {
    ServerHello(ExpectServerHello),
    Certificate(v12::ExpectCertificate),
    ServerKeyExchange(v12::ExpectServerKeyExchange),
    ServerHelloDone(v12::ExpectServerHelloDone),
    PeerVerification(v12::AwaitPeerVerification),
    Credential(v12::AwaitCredential),
    Signature(v12::AwaitSignature),
    Finished(v12::ExpectFinished),
}

impl ClientState {
    pub(crate) fn handle(
        self,
        message: Message<'_>,
        cx: &mut Context<'_, ClientConfig>,
    ) -> Result<Next, Error> {
        match self {
            Self::ServerHello(state) => state.handle(message, cx),
            Self::Certificate(state) => state.handle(message),
            Self::ServerKeyExchange(state) => state.handle(message),
            Self::ServerHelloDone(state) => state.handle(message, cx),
            Self::Finished(state) => state.handle(message),
            Self::PeerVerification(_) | Self::Credential(_) | Self::Signature(_) => {
                Err(unexpected("an answer of the application", message))
            }
        }
    }

    pub(crate) fn answer(self, answer: Answer, cx: &mut Context<'_, ClientConfig>) -> Result<Next, Error> {
        match self {
            Self::PeerVerification(state) => state.verified(answer.into_peer_verified()?, cx),
            Self::Credential(state) => state.chosen(answer.into_credential()?, cx),
            Self::Signature(state) => state.signed(&answer.into_signature()?, cx),
            Self::ServerHello(_)
            | Self::Certificate(_)
            | Self::ServerKeyExchange(_)
            | Self::ServerHelloDone(_)
            | Self::Finished(_) => Err(Error::Refused("no request is open")),
        }
    }
}
