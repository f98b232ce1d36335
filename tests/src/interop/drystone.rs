//! Drives the `drystone` command, built from this workspace on first use.
//!
//! It knows the command's arguments and JSON events, and nothing of the library.

use super::process::{Process, Stream};
use super::side::Side;
use super::stack::{Echo, PATIENCE, Server};
use serde_json::Value;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// Stands in the JSON line of a finished handshake.
pub(super) const CONNECTED: &str = "\"event\":\"connected\"";

/// Seconds after which the command ends by itself; only a run that hangs gets there.
const TIMEOUT: &str = "20";

pub(super) fn serve(side: &Side<'_>) -> Result<Server, String> {
    let mut command = Command::new(binary()?);
    command.args(["server", "--listen", "127.0.0.1:0", "--peers", "1", "--json", "--timeout", TIMEOUT]);
    if let Some(file) = side.trust {
        command.args(["--client-auth", "require", "--client-ca"]).arg(file);
    }
    if side.no_cookie {
        command.arg("--no-cookie");
    }
    add_common(&mut command, side);
    let mut process = Process::start(&mut command)?;
    let line = process.expect(Stream::Out, "\"event\":\"listening\"", PATIENCE)?;
    let event: Value = serde_json::from_str(&line).map_err(|error| format!("{line}: {error}"))?;
    let address = event["addr"].as_str().and_then(|address| address.parse::<std::net::SocketAddr>().ok());
    let address = address.ok_or_else(|| format!("no address in {line}"))?;
    Ok(Server { process, port: address.port(), echo: Echo::Own })
}

pub(super) fn connect(side: &Side<'_>, port: u16) -> Result<Process, String> {
    // The servers of the other stacks read lines.
    Process::start(client_command(side, port)?.arg("--newline"))
}

/// Runs `drystone client --echo-test`: packets of all sizes, checked byte for byte by the command itself.
///
/// # Errors
/// If the command does not end with exit code 0, with what it said.
pub(super) fn echo_test(side: &Side<'_>, port: u16, packets: usize) -> Result<(), String> {
    let mut process =
        Process::start(client_command(side, port)?.args(["--echo-test", &packets.to_string()]))?;
    match process.wait(Duration::from_secs(10))?.code {
        Some(0) => Ok(()),
        code => Err(format!("--echo-test ended with exit code {code:?}\n{}", process.transcript())),
    }
}

fn client_command(side: &Side<'_>, port: u16) -> Result<Command, String> {
    let mut command = Command::new(binary()?);
    command.args(["client", &format!("127.0.0.1:{port}"), "--json", "--timeout", TIMEOUT]);
    if let Some(file) = side.trust {
        command.arg("--ca").arg(file);
    }
    if let Some(name) = side.name {
        command.args(["--name", name]);
    }
    add_common(&mut command, side);
    Ok(command)
}

fn add_common(command: &mut Command, side: &Side<'_>) {
    if let Some(identity) = side.identity {
        command.arg("--cert").arg(&identity.chain).arg("--key").arg(&identity.key);
    }
    if let Some(suite) = side.suite {
        command.args(["--cipher", suite.iana]);
    }
    for group in side.groups {
        command.args(["--group", group.iana()]);
    }
    if let Some(protocol) = side.alpn {
        command.args(["--alpn", protocol]);
    }
    if let Some(mtu) = side.mtu {
        command.args(["--mtu", &mtu.to_string()]);
    }
}

/// The command's path. `DRYSTONE_BIN` names another one, otherwise cargo builds it: the variable that cargo sets
/// for binaries reaches only the tests of their own package.
fn binary() -> Result<&'static Path, String> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built =
        BINARY.get_or_init(|| std::env::var_os("DRYSTONE_BIN").map_or_else(build, |path| Ok(path.into())));
    built.as_deref().map_err(Clone::clone)
}

/// Builds into the folder and with the profile of the running test, which is `TARGET/PROFILE/deps/NAME`.
fn build() -> Result<PathBuf, String> {
    let test = std::env::current_exe().map_err(|error| format!("the test's own path: {error}"))?;
    let folder = test.parent().and_then(Path::parent).ok_or("the test lies in no target folder")?;
    let target = folder.parent().ok_or("the test lies in no target folder")?;
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--package", "drystone-cli", "--bin", "drystone", "--profile", profile])
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .map_err(|error| format!("cargo build: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo build failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(folder.join("drystone").with_extension(std::env::consts::EXE_EXTENSION))
}
