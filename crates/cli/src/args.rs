//! The arguments, their relations and their help. It knows nothing of what they lead to.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use drystone::message::registry::{CipherSuiteId, NamedGroup, ProtocolVersion};
use drystone::x509::ServerName;

use crate::names;

/// DTLS client, server and demo.
///
/// Exit codes: 0 done, 1 usage or local fault, 2 handshake failed, 3 certificate name mismatch, 4 timed out.
#[derive(Debug, Parser)]
#[command(name = "drystone", version, arg_required_else_help = false)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs a server and a client against each other over loopback and shows what happens
    Demo,
    /// Listens and sends every packet of every peer back
    Server(ServerArgs),
    /// Connects; each line of standard input is sent as one packet, and what comes back is printed
    Client(ClientArgs),
}

impl Command {
    pub(crate) const fn json(&self) -> bool {
        match self {
            Self::Demo => false,
            Self::Server(arguments) => arguments.common.json,
            Self::Client(arguments) => arguments.common.json,
        }
    }
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("identity").required(true).args(["cert", "self_signed"]))]
pub(crate) struct ServerArgs {
    /// Where to listen; port 0 takes a free one, the ready line says which
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: SocketAddr,
    /// Certificate chain, PEM or DER, the server's own certificate first
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// Private key of the certificate, PEM or DER
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// Makes a fresh P-256 certificate for this DNS name or IP address
    #[arg(long, value_name = "NAME")]
    pub(crate) self_signed: Option<String>,
    /// Writes the fresh certificate here as PEM, to be given to clients with --ca
    #[arg(long, value_name = "FILE", requires = "self_signed", conflicts_with = "cert")]
    pub(crate) write_cert: Option<PathBuf>,
    /// Whether to ask clients for a certificate
    #[arg(long, value_enum, default_value_t = ClientAuthMode::None, value_name = "MODE")]
    pub(crate) client_auth: ClientAuthMode,
    /// Certificates, PEM or DER, that vouch for clients
    #[arg(long, value_name = "FILE")]
    pub(crate) client_ca: Option<PathBuf>,
    /// Takes any client certificate and prints its SHA-256 fingerprint, as WebRTC does
    #[arg(long, conflicts_with = "client_ca")]
    pub(crate) insecure_clients: bool,
    /// Answers a hello at once instead of proving the client's address first; only for trusted networks
    #[arg(long)]
    pub(crate) no_cookie: bool,
    /// Ends after this many peers have connected and gone
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) peers: Option<u64>,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// Whether a server asks its clients for certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClientAuthMode {
    /// Does not ask
    None,
    /// Asks; clients without one are accepted, a bad one is refused
    Request,
    /// Asks, and refuses clients without one
    Require,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("trust").required(true).args(["ca", "system_roots", "insecure"]))]
pub(crate) struct ClientArgs {
    /// The server; an IPv6 address stands in brackets
    #[arg(value_name = "HOST:PORT", value_parser = HostPort::parse)]
    pub(crate) server: HostPort,
    /// The DNS name or IP address that the server's certificate must carry, instead of HOST
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    pub(crate) name: Option<ServerName<'static>>,
    /// Certificates, PEM or DER, that vouch for the server: authorities, or the server's own
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// The operating system's authorities vouch for the server
    #[arg(long)]
    pub(crate) system_roots: bool,
    /// Takes any certificate: the server may be anybody
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Certificate chain to present if the server asks, PEM or DER
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// Private key of the certificate, PEM or DER
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// Sends the share of X25519MLKEM768 in the first hello already, which then needs several datagrams; without it, the
    /// share of the first small group goes first and the server asks for the large one together with the cookie
    #[arg(long)]
    pub(crate) pq_share: bool,
    /// Instead of reading standard input, sends N packets from 1 byte to the most that fits the MTU, and checks
    /// that each comes back unchanged
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(crate) echo_test: Option<u64>,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// What client and server have in common.
#[derive(Debug, Args)]
pub(crate) struct CommonArgs {
    /// Application protocol, most preferred first
    #[arg(long, value_name = "PROTOCOL")]
    pub(crate) alpn: Vec<String>,
    /// Cipher suite by its IANA name, most preferred first; all if none is given
    #[arg(long, value_name = "NAME", value_parser = names::cipher_suite)]
    pub(crate) cipher: Vec<CipherSuiteId>,
    /// Key exchange group by its IANA name, most preferred first; all if none is given
    #[arg(long, value_name = "NAME", value_parser = names::group)]
    pub(crate) group: Vec<NamedGroup>,
    /// Lowest version to accept, 1.2 if none is given
    #[arg(long, value_name = "VERSION", value_parser = names::version)]
    pub(crate) min: Option<ProtocolVersion>,
    /// Highest version to accept, 1.3 if none is given
    #[arg(long, value_name = "VERSION", value_parser = names::version)]
    pub(crate) max: Option<ProtocolVersion>,
    /// Renews the keys of both directions each time that N packets have been sent on a connection; needs DTLS 1.3
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) key_update_after: Option<u64>,
    /// Most bytes of UDP payload in one datagram
    #[arg(long, value_name = "BYTES")]
    pub(crate) mtu: Option<usize>,
    /// Appends secrets to this file, for Wireshark
    #[arg(long, value_name = "FILE")]
    pub(crate) keylog: Option<PathBuf>,
    /// Prints each handshake message, alert, ChangeCipherSpec and ACK
    #[arg(long)]
    pub(crate) msg: bool,
    /// Prints one JSON object per line
    #[arg(long)]
    pub(crate) json: bool,
    /// Ends after this time at the latest
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub(crate) timeout: Option<Duration>,
}

/// A host's name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostPort {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl HostPort {
    fn parse(text: &str) -> Result<Self, String> {
        let shape = || "give HOST:PORT, for example localhost:4433 or [::1]:4433".to_owned();
        let (host, port) = text.rsplit_once(':').ok_or_else(shape)?;
        let host = match host.strip_prefix('[') {
            Some(bracketed) => bracketed.strip_suffix(']').ok_or_else(shape)?,
            None if host.contains(':') => return Err(shape()),
            None => host,
        };
        let port =
            port.parse().ok().filter(|port| *port != 0).ok_or("the port is a number from 1 to 65535")?;
        if host.is_empty() { Err(shape()) } else { Ok(Self { host: host.to_owned(), port }) }
    }

    /// What a certificate is for: the host without the zone of a link-local address, which means something on this machine
    /// only (RFC 4007 section 11.2).
    pub(crate) fn name(&self) -> &str {
        self.host.split_once('%').map_or(&self.host, |(address, _zone)| address)
    }
}

pub(crate) fn parse_name(text: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(text.to_owned())
        .map_err(|_| "this is neither a DNS name nor an IP address".to_owned())
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "give a number of seconds")?;
    let duration = Duration::try_from_secs_f64(seconds).map_err(|_| "give a number of seconds")?;
    if duration.is_zero() { Err("give more than 0 seconds".to_owned()) } else { Ok(duration) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_relations_of_the_arguments_are_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn hosts_and_ports() {
        let parse = |text| HostPort::parse(text).map(|found| (found.host, found.port)).ok();
        assert_eq!(parse("localhost:4433"), Some(("localhost".to_owned(), 4433)));
        assert_eq!(parse("[::1]:1"), Some(("::1".to_owned(), 1)));
        let link_local = HostPort::parse("[fe80::1%eth0]:1").unwrap();
        assert_eq!((link_local.host.as_str(), link_local.name()), ("fe80::1%eth0", "fe80::1"));
        for wrong in ["localhost", "::1:1", "[::1:1", ":1", "host:", "host:0", "host:65536", "host:x"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn seconds() {
        assert_eq!(parse_seconds("1.5"), Ok(Duration::from_millis(1500)));
        for wrong in ["0", "-1", "nan", "soon", "1e30"] {
            assert!(parse_seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_excludes_or_needs_what() {
        let accepts = |line: &str| Arguments::try_parse_from(line.split(' ')).is_ok();
        assert!(accepts("drystone demo"));
        assert!(accepts("drystone client h:1 --insecure"));
        assert!(accepts("drystone server --listen 127.0.0.1:0 --self-signed localhost --write-cert x"));
        assert!(accepts(
            "drystone client h:1 --insecure --min 1.3 --max 1.3 --pq-share --key-update-after 1"
        ));
        assert!(accepts(
            "drystone server --listen 127.0.0.1:0 --self-signed a --max 1.2 --key-update-after 9"
        ));
        for wrong in [
            "drystone",
            "drystone client h:1",
            "drystone client h:1 --insecure --ca x",
            "drystone client h:1 --insecure --cert x",
            "drystone client h:1 --insecure --key x",
            "drystone client h:1 --insecure --echo-test 0",
            "drystone client h:1 --insecure --max 1.1",
            "drystone client h:1 --insecure --key-update-after 0",
            "drystone client h:1 --insecure --key-update-after",
            "drystone server --listen 127.0.0.1:0",
            "drystone server --listen 127.0.0.1 --self-signed a",
            "drystone server --listen 127.0.0.1:0 --self-signed a --pq-share",
            "drystone server --listen 127.0.0.1:0 --self-signed a --cert x --key y",
            "drystone server --listen 127.0.0.1:0 --cert x --key y --write-cert z",
            "drystone server --listen 127.0.0.1:0 --self-signed a --client-ca x --insecure-clients",
        ] {
            assert!(!accepts(wrong), "{wrong}");
        }
    }
}
