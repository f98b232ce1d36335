//! A client's and a server's configuration that fit each other, with a fresh certificate for localhost.

use std::sync::Arc;

use drystone::x509::{Policy, PrivateKeyDer, ServerName, TrustAnchors};
use drystone::{ClientAuth, ClientConfig, Credential, Credentials, ProtocolVersion, ServerConfig, Settings};

#[allow(dead_code, reason = "each test file uses its part")]
pub(crate) fn configs() -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    configs_with(drystone::settings(), |_| ClientAuth::None)
}

/// The same of DTLS 1.2 alone, whose flights are plaintext, and with a server that asks its clients for certificates.
#[allow(dead_code, reason = "each test file uses its part")]
pub(crate) fn asking_configs_12() -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let mut settings = drystone::settings();
    settings.max_version = ProtocolVersion::DTLS_1_2;
    configs_with(settings, |policy| ClientAuth::Request(Arc::new(policy)))
}

/// The same of these settings.
#[allow(dead_code, reason = "each test file uses its part")]
pub(crate) fn of_settings(settings: Settings) -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    configs_with(settings, |_| ClientAuth::None)
}

fn configs_with(
    settings: Settings,
    client_auth: impl FnOnce(Policy) -> ClientAuth,
) -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut anchors = TrustAnchors::new();
    anchors.add(made.cert.der().clone()).unwrap();
    let credential = Credential::new(vec![made.cert.der().clone()], &key).unwrap();
    let policy = Policy::new(anchors);
    let client = ClientConfig::new(settings.clone(), policy.clone()).unwrap();
    let server = ServerConfig::new(settings, Credentials::single(credential)).unwrap();
    (Arc::new(client), Arc::new(server.with_client_auth(client_auth(policy))))
}

pub(crate) fn localhost() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}
