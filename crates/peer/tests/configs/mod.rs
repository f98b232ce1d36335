//! A client's and a server's configuration that fit each other, with a fresh certificate for localhost.

use std::sync::Arc;

use drystone::x509::{Policy, PrivateKeyDer, ServerName, TrustAnchors};
use drystone::{ClientConfig, Credential, Credentials, ServerConfig};

pub(crate) fn configs() -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut anchors = TrustAnchors::new();
    anchors.add(made.cert.der().clone()).unwrap();
    let credential = Credential::new(vec![made.cert.der().clone()], &key).unwrap();
    let client = ClientConfig::new(drystone::settings(), Policy::new(anchors)).unwrap();
    let server = ServerConfig::new(drystone::settings(), Credentials::single(credential)).unwrap();
    (Arc::new(client), Arc::new(server))
}

pub(crate) fn localhost() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}
