//! From arguments to the library's configurations.

use std::sync::Arc;

use drystone::x509::{Policy, TrustAnchors};
use drystone::{
    ClientAuth, ClientConfig, Credentials, DangerouslyAcceptAnyCertificate, FirstKeyShare, KeyLogFile,
    NamedGroup, PeerVerifier, ServerConfig, Settings,
};

use crate::args::{ClientArgs, ClientAuthMode, CommonArgs, ServerArgs};
use crate::fault::Fault;
use crate::files;
use crate::reporter::Reporter;
use crate::watch::Watch;

pub(crate) fn client(arguments: &ClientArgs, reporter: Reporter) -> Result<ClientConfig, Fault> {
    let mut settings = common(&arguments.common, reporter)?;
    if arguments.pq_share {
        send_hybrid_share(&mut settings)?;
    }
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

/// `--pq-share`, which must not be without effect: the share that is sent is that of the most preferred group.
fn send_hybrid_share(settings: &mut Settings) -> Result<(), Fault> {
    let preferred = match &settings.groups {
        Some(names) => names.first().and_then(|name| settings.provider.group(*name)),
        None => settings.provider.groups.first().copied(),
    };
    let hybrid = preferred.is_some_and(|group| {
        group.name() == NamedGroup::X25519MLKEM768 && group.min_version().is_at_most(settings.max_version)
    });
    if !hybrid {
        return Err(Fault::local("--pq-share needs X25519MLKEM768 as the first --group, and DTLS 1.3"));
    }
    settings.first_key_share = FirstKeyShare::Preferred;
    Ok(())
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
    settings.srtp_profiles.clone_from(&arguments.srtp);
    settings.min_version = arguments.min;
    settings.max_version = arguments.max;
    settings.mtu = arguments.mtu.into();
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Arguments, Command};

    fn client_of(arguments: &str) -> Result<ClientConfig, Fault> {
        let line = format!("drystone client h:1 --insecure {arguments}");
        match Arguments::try_parse_from(line.split_whitespace()).unwrap().command {
            Command::Client(arguments) => client(&arguments, Reporter::Text),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_hybrid_share_needs_its_group_and_its_version() {
        let accepted = |arguments| client_of(arguments).is_ok();
        assert_eq!(accepted("--pq-share --max 1.3"), cfg!(feature = "pq"));
        assert!(!accepted("--pq-share --max 1.2"));
        assert!(!accepted("--pq-share --max 1.3 --group x25519"));
        if cfg!(feature = "pq") {
            assert!(accepted("--pq-share --max 1.3 --group X25519MLKEM768 --group x25519"));
            assert!(!accepted("--pq-share --max 1.3 --group x25519 --group X25519MLKEM768"));
            // DTLS 1.2 has no hybrid group.
            assert!(accepted("--max 1.3 --group X25519MLKEM768"));
            assert!(!accepted("--max 1.2 --group X25519MLKEM768"));
        }
    }
}
