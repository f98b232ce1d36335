//! The arguments of `drystone server`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};

use super::{CommonArgs, values};

const ENDS: &str = "\
A server ends by a signal, by --timeout (exit code 0; 4 if --peers is given and not reached), or by --peers.";

#[derive(Debug, Args)]
#[command(args_override_self = true, after_help = ENDS)]
#[command(group = ArgGroup::new("identity").required(true).args(["cert", "self_signed"]))]
pub(crate) struct ServerArgs {
    /// Where to listen; port 0 takes a free one, the ready line says which
    #[arg(long, value_name = "ADDR:PORT", value_parser = values::parse_listen)]
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
    /// Sends its whole flight to whoever says hello, instead of proving the client's address by a cookie first: only where
    /// something else vouches for addresses, such as ICE or a trusted network
    #[arg(long)]
    pub(crate) no_cookie: bool,
    /// Ends after N peers have come and gone; one whose handshake failed counts; exit code 2 if all of them failed
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
