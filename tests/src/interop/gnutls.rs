//! Drives `gnutls-serv --udp --echo` and `gnutls-cli --udp`.
//!
//! It knows their arguments and what they print.

use super::port;
use super::process::{Process, Stream};
use super::side::{SUITES, Side};
use super::stack::{Echo, PATIENCE, Server};
use std::process::Command;
use std::sync::OnceLock;

/// What `gnutls-cli` prints when the handshake and the certificate check are behind it.
pub(super) const CONNECTED: &str = "- Simple Client Mode:";

/// At this level both programs name the alerts that they receive.
const DEBUG_LEVEL: &str = "5";

pub(super) fn serve(side: &Side<'_>) -> Result<Server, String> {
    let port = port::free()?;
    let mut command = Command::new("gnutls-serv");
    command.args(["--udp", "--echo", "-d", DEBUG_LEVEL, "--port", &port.to_string()]);
    match side.trust {
        Some(file) => {
            command.args(["--require-client-cert", "--verify-client-cert", "--x509cafile"]).arg(file)
        }
        None => command.arg("--disable-client-cert"),
    };
    if side.alpn.is_some() {
        command.arg("--alpn-fatal");
    }
    add_common(&mut command, side);
    let mut process = Process::start(&mut command)?;
    process.expect(Stream::Err, "listening on IPv4", PATIENCE)?;
    process.expect(Stream::Err, "done", PATIENCE)?;
    Ok(Server { process, port, echo: Echo::Own })
}

pub(super) fn connect(side: &Side<'_>, port: u16) -> Result<Process, String> {
    let mut command = Command::new("gnutls-cli");
    command.args(["--udp", "-d", DEBUG_LEVEL, "-p", &port.to_string(), "127.0.0.1"]);
    if let Some(file) = side.trust {
        command.arg("--x509cafile").arg(file);
    }
    if let Some(name) = side.name {
        command.args(["--sni-hostname", name, "--verify-hostname", name]);
    }
    add_common(&mut command, side);
    Process::start(&mut command)
}

/// The whole text of `gnutls-cli --list`.
pub(super) fn list() -> &'static str {
    static LIST: OnceLock<String> = OnceLock::new();
    LIST.get_or_init(|| {
        let output = Command::new("gnutls-cli").arg("--list").output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
    })
}

pub(super) fn other_suites() -> Vec<String> {
    let has_counterpart = |name: &str| SUITES.iter().any(|suite| suite.gnutls == name);
    let aead = |name: &str| ["_GCM_", "_CCM", "_POLY1305"].iter().any(|part| name.contains(part));
    let names = list().lines().filter_map(|line| line.split_whitespace().next());
    let names = names.filter(|name| name.starts_with("TLS_ECDHE_") && aead(name));
    names.filter(|name| !has_counterpart(name)).map(ToOwned::to_owned).collect()
}

fn add_common(command: &mut Command, side: &Side<'_>) {
    if let Some(identity) = side.identity {
        command.arg("--x509certfile").arg(&identity.chain).arg("--x509keyfile").arg(&identity.key);
    }
    if side.suite.is_some() || !side.groups.is_empty() {
        command.args(["--priority", &priority(side)]);
    }
    if let Some(protocol) = side.alpn {
        command.args(["--alpn", protocol]);
    }
    if let Some(mtu) = side.mtu {
        command.args(["--mtu", &mtu.to_string()]);
    }
}

fn priority(side: &Side<'_>) -> String {
    let mut priority = String::from("NORMAL");
    if let Some(suite) = side.suite {
        let (key_exchange, cipher) = suite.gnutls_parts;
        priority += &format!(":-KX-ALL:+{key_exchange}:-CIPHER-ALL:+{cipher}");
    }
    if !side.groups.is_empty() {
        priority += ":-GROUP-ALL";
        for group in side.groups {
            priority += &format!(":+{}", group.gnutls());
        }
    }
    priority
}
