//! Drives `openssl s_server` and `openssl s_client`.
//!
//! It knows their arguments and what they print.

use super::port;
use super::process::{Process, Stream};
use super::side::{Group, SUITES, Side};
use super::stack::{Echo, PATIENCE, Server};
use std::process::Command;
use std::sync::OnceLock;

pub(super) fn serve(side: &Side<'_>) -> Result<Server, String> {
    let port = port::free()?;
    let mut command = Command::new("openssl");
    // `-listen` turns the cookie exchange on.
    command.args(["s_server", "-dtls1_2", "-listen", "-accept", &format!("127.0.0.1:{port}")]);
    if let Some(file) = side.trust {
        command.args(["-Verify", "4", "-verify_return_error", "-CAfile"]).arg(file);
    }
    add_common(&mut command, side);
    let mut process = Process::start(&mut command)?;
    process.expect(Stream::Out, "ACCEPT", PATIENCE)?;
    Ok(Server { process, port, echo: Echo::ByHand })
}

pub(super) fn connect(side: &Side<'_>, port: u16) -> Result<Process, String> {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-dtls1_2", "-verify_return_error", "-connect", &format!("127.0.0.1:{port}")]);
    if let Some(file) = side.trust {
        command.arg("-CAfile").arg(file);
    }
    if let Some(name) = side.name {
        command.args(["-servername", name, "-verify_hostname", name]);
    }
    add_common(&mut command, side);
    Process::start(&mut command)
}

/// Waits for the end of the handshake, which must have used the extended master secret (RFC 7627).
pub(super) fn expect_connected(process: &mut Process) -> Result<String, String> {
    let line = process.expect(Stream::Out, "Cipher is ", PATIENCE)?;
    if line.contains("(NONE)") {
        return Err(format!("the handshake failed\n{}", process.transcript()));
    }
    process.expect(Stream::Out, "Extended master secret: yes\n---\n", PATIENCE)?;
    Ok(line)
}

/// The IANA names of the suites for DTLS 1.2, one per line.
pub(super) fn suites() -> &'static str {
    static LIST: OnceLock<String> = OnceLock::new();
    LIST.get_or_init(|| {
        let listing = output(&["ciphers", "-s", "-tls1_2", "-stdname", "ALL"]);
        listing.lines().filter_map(|line| line.split_whitespace().next()).collect::<Vec<_>>().join("\n")
    })
}

pub(super) fn other_suites() -> Vec<String> {
    let has_counterpart = |name: &str| SUITES.iter().any(|suite| suite.iana == name);
    let aead = |name: &str| ["_GCM_", "_CCM", "_POLY1305"].iter().any(|part| name.contains(part));
    let names = suites().lines().filter(|name| name.starts_with("TLS_ECDHE_") && aead(name));
    names.filter(|name| !has_counterpart(name)).map(ToOwned::to_owned).collect()
}

pub(super) fn has_group(group: Group) -> bool {
    static LIST: OnceLock<String> = OnceLock::new();
    // No command lists the groups by their TLS names; these two list what they are made of.
    let list = LIST.get_or_init(|| {
        output(&["ecparam", "-list_curves"]) + &output(&["list", "-key-exchange-algorithms"])
    });
    list.contains(match group {
        Group::X25519 => "X25519",
        Group::P256 => "prime256v1",
        Group::P384 => "secp384r1",
    })
}

fn add_common(command: &mut Command, side: &Side<'_>) {
    if let Some(identity) = side.identity {
        command.arg("-cert").arg(&identity.chain).arg("-cert_chain").arg(&identity.chain);
        command.arg("-key").arg(&identity.key);
    }
    if let Some(suite) = side.suite {
        command.args(["-cipher", suite.openssl]);
    }
    if !side.groups.is_empty() {
        let groups: Vec<&str> = side.groups.iter().map(|group| openssl_group(*group)).collect();
        command.args(["-groups", &groups.join(":")]);
    }
    if let Some(protocol) = side.alpn {
        command.args(["-alpn", protocol]);
    }
    if let Some(mtu) = side.mtu {
        command.args(["-mtu", &mtu.to_string()]);
    }
}

const fn openssl_group(group: Group) -> &'static str {
    match group {
        Group::X25519 => "X25519",
        Group::P256 => "P-256",
        Group::P384 => "P-384",
    }
}

fn output(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}
