//! From arguments to the library's configurations.

use std::sync::Arc;

use drystone::x509::{Policy, TrustAnchors};
use drystone::{
    ClientAuth, ClientConfig, Credentials, DangerouslyAcceptAnyCertificate, KeyLogFile, PeerVerifier,
    ServerConfig, Settings,
};

use crate::args::{ClientArgs, ClientAuthMode, CommonArgs, ServerArgs};
use crate::fault::Fault;
use crate::files;
use crate::report::Reporter;
use crate::watch::Watch;

pub(crate) fn client(arguments: &ClientArgs, reporter: Reporter) -> Result<ClientConfig, Fault> {
    let settings = common(&arguments.common, reporter)?;
    let config = if arguments.insecure {
        ClientConfig::new(settings, DangerouslyAcceptAnyCertificate)
    } else {
        let anchors = match &arguments.ca {
            Some(file) => files::anchors(file)?,
            None => TrustAnchors::system().map_err(Fault::local)?,
        };
        ClientConfig::new(settings, Policy::new(anchors))
    };
    let config = config.map_err(Fault::local)?;
    Ok(match (&arguments.cert, &arguments.key) {
        (Some(chain), Some(key)) => {
            config.with_credentials(Credentials::single(files::credential(chain, key)?))
        }
        _ => config,
    })
}

pub(crate) fn server(arguments: &ServerArgs, reporter: Reporter) -> Result<ServerConfig, Fault> {
    let client_auth = client_auth(arguments)?;
    let credential = match (&arguments.cert, &arguments.key, &arguments.self_signed) {
        (Some(chain), Some(key), _) => files::credential(chain, key)?,
        (_, _, Some(name)) => {
            let made = files::self_signed(name)?;
            if let Some(file) = &arguments.write_cert {
                made.certificate.save(file).map_err(Fault::local)?;
            }
            made.credential
        }
        _ => return Err(Fault::local("give --cert and --key, or --self-signed")),
    };
    let settings = common(&arguments.common, reporter)?;
    let config = ServerConfig::new(settings, Credentials::single(credential)).map_err(Fault::local)?;
    Ok(config.with_client_auth(client_auth))
}

fn client_auth(arguments: &ServerArgs) -> Result<ClientAuth, Fault> {
    let verifier: Arc<dyn PeerVerifier> = match (&arguments.client_ca, arguments.insecure_clients) {
        (Some(file), _) => Arc::new(Policy::new(files::anchors(file)?)),
        (None, true) => Arc::new(DangerouslyAcceptAnyCertificate),
        (None, false) if arguments.client_auth == ClientAuthMode::None => {
            return Ok(ClientAuth::None);
        }
        (None, false) => {
            return Err(Fault::local("--client-auth needs --client-ca or --insecure-clients"));
        }
    };
    match arguments.client_auth {
        ClientAuthMode::None => {
            Err(Fault::local("--client-ca and --insecure-clients need --client-auth request or require"))
        }
        ClientAuthMode::Request => Ok(ClientAuth::Request(verifier)),
        ClientAuthMode::Require => Ok(ClientAuth::Require(verifier)),
    }
}

fn common(arguments: &CommonArgs, reporter: Reporter) -> Result<Settings, Fault> {
    let mut settings = drystone::settings();
    settings.alpn = arguments.alpn.iter().map(|protocol| protocol.clone().into_bytes()).collect();
    settings.cipher_suites = (!arguments.cipher.is_empty()).then(|| arguments.cipher.clone());
    settings.groups = (!arguments.group.is_empty()).then(|| arguments.group.clone());
    settings.min_version = arguments.min.unwrap_or(settings.min_version);
    settings.max_version = arguments.max.unwrap_or(settings.max_version);
    settings.mtu = arguments.mtu.unwrap_or(settings.mtu);
    if let Some(file) = &arguments.keylog {
        let log = KeyLogFile::append(file)
            .map_err(|error| Fault::Local(format!("cannot write {}: {error}", file.display())))?;
        settings.key_log = Some(Arc::new(log));
    }
    if arguments.msg {
        settings.observer = Some(Arc::new(Watch::new(reporter)));
    }
    Ok(settings)
}
