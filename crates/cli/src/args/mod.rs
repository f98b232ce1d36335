//! The subcommands, what client and server have in common, and their help. It knows nothing of what they lead to.

mod client;
mod server;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use drystone::{CipherSuiteId, NamedGroup, ProtocolVersion, SrtpProfile};

use crate::diagnostics::Filter;
use crate::names;

pub(crate) use client::ClientArgs;
pub(crate) use server::{ClientAuthMode, ServerArgs};
pub(crate) use values::{Export, parse_name};

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    usage or local fault
  2    handshake failed, or the association broke; a server with --peers: every peer failed
  3    the certificate is for another name
  4    timed out
  130  ended by SIGINT (Ctrl-C), after close_notify
  143  ended by SIGTERM, after close_notify";

/// DTLS 1.3 and 1.2: client, server and demo
#[derive(Debug, Parser)]
#[command(name = "drystone", version, propagate_version = true)]
#[command(arg_required_else_help = true, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Writes diagnostics to standard error: a level (error, warn, info, debug, trace), or TARGET=LEVEL pairs with
    /// commas between, as in the variable RUST_LOG, which counts where this is absent
    #[arg(long, global = true, value_name = "FILTER")]
    pub(crate) log: Option<Filter>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs a server and a client against each other over loopback and shows what happens
    Demo,
    /// Listens and sends every packet of every peer back
    Server(Box<ServerArgs>),
    /// Connects; each line of standard input is sent as one packet, and what comes back is printed
    Client(Box<ClientArgs>),
    /// Prints a script that completes arguments in a shell
    #[command(after_help = "For example: drystone completions bash > /etc/bash_completion.d/drystone")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Prints the manual page, or writes that of each subcommand too
    #[command(after_help = "For example: drystone man | man -l -")]
    Man {
        /// Writes drystone.1, drystone-client.1 and so on into this folder
        #[arg(long, value_name = "FOLDER")]
        dir: Option<PathBuf>,
    },
}

/// What client and server have in common.
#[derive(Debug, Args)]
pub(crate) struct CommonArgs {
    /// Application protocol; may be repeated, most preferred first
    #[arg(long, value_name = "PROTOCOL")]
    pub(crate) alpn: Vec<String>,
    /// DTLS-SRTP protection profile (RFC 5764); may be repeated, most preferred first
    #[arg(long, value_name = "PROFILE", ignore_case = true, value_parser = names::srtp_profiles())]
    pub(crate) srtp: Vec<SrtpProfile>,
    /// Cipher suite by its IANA or OpenSSL name; may be repeated, most preferred first; all if absent
    #[arg(long, value_name = "NAME", ignore_case = true, value_parser = names::cipher_suites())]
    pub(crate) cipher: Vec<CipherSuiteId>,
    /// Key exchange group by its IANA or OpenSSL name; may be repeated, most preferred first; all if absent
    #[arg(long, value_name = "NAME", ignore_case = true, value_parser = names::groups())]
    pub(crate) group: Vec<NamedGroup>,
    /// Lowest version to accept
    #[arg(long, value_name = "VERSION", default_value = "1.2", value_parser = names::versions())]
    pub(crate) min: ProtocolVersion,
    /// Highest version to accept
    #[arg(long, value_name = "VERSION", default_value = "1.3", value_parser = names::versions())]
    pub(crate) max: ProtocolVersion,
    /// Renews the keys of both directions each time that N packets have been sent on a connection; needs DTLS 1.3
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) key_update_after: Option<u64>,
    /// Most bytes of UDP payload in one datagram
    #[arg(
        long, value_name = "BYTES", default_value = "1200",
        allow_negative_numbers = true, value_parser = values::mtu()
    )]
    pub(crate) mtu: u16,
    /// Appends secrets to this file, for Wireshark
    #[arg(long, value_name = "FILE")]
    pub(crate) keylog: Option<PathBuf>,
    /// Prints LEN bytes of keying material under this label (RFC 5705) of every connection, as hexadecimal; may be
    /// repeated
    #[arg(long, value_name = "LABEL:LEN", value_parser = Export::parse)]
    pub(crate) export: Vec<Export>,
    /// Prints the peer's certificates as PEM, its own first
    #[arg(long)]
    pub(crate) show_certs: bool,
    /// Prints each handshake message, alert, ChangeCipherSpec and ACK
    #[arg(long)]
    pub(crate) msg: bool,
    /// Prints one JSON object per line
    #[arg(long)]
    pub(crate) json: bool,
    /// Closes an association from which nothing authentic has come for so long; 0 never does
    #[arg(
        long, value_name = "SECONDS", default_value = "600",
        allow_negative_numbers = true, value_parser = values::parse_wait
    )]
    pub(crate) idle_timeout: Duration,
    /// Ends after this time at the latest [default: no limit; a handshake has 30 s]
    #[arg(
        long, value_name = "SECONDS",
        allow_negative_numbers = true, value_parser = values::parse_seconds
    )]
    pub(crate) timeout: Option<Duration>,
}

impl CommonArgs {
    /// The idle time-out in the library's form, if there is one.
    pub(crate) fn idle_timeout(&self) -> Option<Duration> {
        Some(self.idle_timeout).filter(|timeout| !timeout.is_zero())
    }
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
    fn what_excludes_or_needs_what() {
        let accepts = |line: &str| Arguments::try_parse_from(line.split(' ')).is_ok();
        for right in [
            "drystone demo",
            "drystone client h:1 --insecure",
            "drystone client h:1 --insecure --min 1.3 --max 1.3 --pq-share --key-update-after 1",
            "drystone client h:1 --insecure --echo-test 0 --idle-timeout 0",
            "drystone client h:1 --insecure -q --newline -4 --bind 127.0.0.1 --linger 0",
            "drystone client h:1 --insecure --raw --packet-size 1000",
            "drystone client h:1 --insecure --quiet --packet-size 1000 --timeout 3 --timeout 4",
            "drystone client h:1 --insecure --export a:b:32 --export c:1 --srtp aead_aes_128_gcm --show-certs",
            "drystone --log debug client h:1 --insecure",
            "drystone client h:1 --insecure --log drystone_handshake=trace,drystone=info",
            "drystone server --listen 127.0.0.1:0 --self-signed localhost --write-cert x",
            "drystone server --listen [::1]:0 --self-signed a --max 1.2 --key-update-after 9",
            "drystone completions zsh",
            "drystone man --dir x",
        ] {
            assert!(accepts(right), "{right}");
        }
        for wrong in [
            "drystone",
            "drystone client h:1",
            "drystone client h:1 --insecure --ca x",
            "drystone client h:1 --insecure --cert x",
            "drystone client h:1 --insecure --key x",
            "drystone client h:1 --insecure --max 1.1",
            "drystone client h:1 --insecure --mtu 227",
            "drystone client h:1 --insecure --mtu 65508",
            "drystone client h:1 --insecure --key-update-after 0",
            "drystone client h:1 --insecure --key-update-after",
            "drystone client h:1 --insecure --quiet --json",
            "drystone client h:1 --insecure --raw --newline",
            "drystone client h:1 --insecure --packet-size 0",
            "drystone client h:1 --insecure --packet-size 9 --newline",
            "drystone client h:1 --insecure --raw --echo-test 9",
            "drystone client h:1 --insecure -4 -6",
            "drystone client h:1 --insecure --export x",
            "drystone client h:1 --insecure --log drystone=loud",
            "drystone server --listen 127.0.0.1:0",
            "drystone server --listen 127.0.0.1 --self-signed a",
            "drystone server --listen 127.0.0.1:0 --self-signed a --pq-share",
            "drystone server --listen 127.0.0.1:0 --self-signed a --cert x --key y",
            "drystone server --listen 127.0.0.1:0 --cert x --key y --write-cert z",
            "drystone server --listen 127.0.0.1:0 --self-signed a --client-ca x --insecure-clients",
            "drystone completions tcsh",
        ] {
            assert!(!accepts(wrong), "{wrong}");
        }
    }

    /// The help is the only place where many look: it has the defaults, and the names that can be given.
    #[test]
    fn the_help_tells_defaults_and_names() {
        let help = |subcommand: &str| {
            let mut arguments = Arguments::command();
            let help = arguments.find_subcommand_mut(subcommand).unwrap().render_long_help().to_string();
            help.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        for subcommand in ["client", "server"] {
            let help = help(subcommand);
            for part in [
                "[default: 1200]",
                "[default: 1.2]",
                "[default: 1.3]",
                "TLS_CHACHA20_POLY1305_SHA256",
                "secp384r1",
                "SRTP_AEAD_AES_256_GCM",
                "[default: 600]",
                "a handshake has 30 s",
            ] {
                assert!(help.contains(part), "{part} is missing: {help}");
            }
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_library() {
        let settings = drystone::settings();
        let line = "drystone client h:1 --insecure".split(' ');
        let Command::Client(arguments) = Arguments::try_parse_from(line).unwrap().command else { panic!() };
        let common = arguments.common;
        assert_eq!(usize::from(common.mtu), settings.mtu);
        assert_eq!((common.min, common.max), (settings.min_version, settings.max_version));
        assert_eq!(common.idle_timeout(), drystone::ServerOptions::default().idle_timeout);
        assert_eq!(settings.handshake_deadline, Some(Duration::from_secs(30)));
    }
}
