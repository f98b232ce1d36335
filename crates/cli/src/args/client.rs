//! The arguments of `drystone client`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};
use drystone::x509::ServerName;

use super::CommonArgs;
use super::values::{self, HostPort, parse_name};

const PIPES: &str = "\
In pipes:
  drystone client HOST:PORT --ca FILE --quiet <lines >answers
  drystone client HOST:PORT --ca FILE --raw --packet-size 1000 <bytes >bytes-of-the-answers

DTLS keeps packets apart and whole, but not in order, and it does not send lost ones again; neither does the client.
While a server answers, at most 16 packets wait for their answer, so that no socket buffer overflows; to a server that
does not, 16 packets go out every 20 ms. The client ends when standard input has ended and every packet has its answer,
or when --linger has passed without one.";

#[derive(Debug, Args)]
#[command(args_override_self = true, after_long_help = PIPES)]
#[command(group = ArgGroup::new("trust").required(true).args(["ca", "system_roots", "insecure"]))]
#[command(group = ArgGroup::new("form").args(["quiet", "raw", "json"]))]
#[command(group = ArgGroup::new("unit").args(["raw", "newline", "echo_test"]))]
#[command(group = ArgGroup::new("cut").args(["packet_size", "newline", "echo_test"]))]
pub(crate) struct ClientArgs {
    /// The server; an IPv6 address stands in brackets
    #[arg(value_name = "HOST:PORT", value_parser = HostPort::parse)]
    pub(crate) server: HostPort,
    /// The DNS name or IP address that the server's certificate must carry [default: HOST]
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
    /// Own address, with a port or without; a free port if it is 0 or absent
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = values::parse_bind)]
    pub(crate) bind: Option<SocketAddr>,
    /// Uses IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    pub(crate) ipv4: bool,
    /// Uses IPv6 only
    #[arg(short = '6', long)]
    pub(crate) ipv6: bool,
    /// Sends the share of X25519MLKEM768 in the first hello already, which then needs several datagrams; without it, the
    /// share of the first small group goes first and the server asks for the large one together with the cookie
    #[arg(long)]
    pub(crate) pq_share: bool,
    /// Writes to standard output the data of received packets only, byte for byte, with nothing between packets; status
    /// goes to standard error
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Like --quiet, and standard input is bytes too, not lines: each read of it is a packet, of --packet-size bytes if
    /// given, else of as many as there are and fit the MTU
    #[arg(long)]
    pub(crate) raw: bool,
    /// Cuts standard input into packets of N bytes instead of lines; the last one may be shorter
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=16384))]
    pub(crate) packet_size: Option<u16>,
    /// Sends each line with its newline, which otherwise is not part of the packet
    #[arg(long)]
    pub(crate) newline: bool,
    /// How long to wait for answers that are missing after the end of standard input, counted from the last packet
    #[arg(
        long, value_name = "SECONDS", default_value = "1",
        allow_negative_numbers = true, value_parser = values::parse_wait
    )]
    pub(crate) linger: Duration,
    /// Instead of reading standard input, sends N packets from 1 byte to the most that fits the MTU, and checks that
    /// each comes back unchanged; lost ones are sent again and counted; 0 only connects
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=10_000_000))]
    pub(crate) echo_test: Option<u64>,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

impl ClientArgs {
    /// Whether standard output is for the data of packets only.
    pub(crate) const fn data_only(&self) -> bool {
        self.quiet || self.raw
    }
}
