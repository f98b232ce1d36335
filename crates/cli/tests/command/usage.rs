//! Help, mistakes, completions and manual pages.

use std::process::{Command, Stdio};

use super::process::{client, client_arguments, drystone, scratch, server};

#[test]
fn a_bare_command_shows_the_help_and_exits_1() {
    let bare = drystone(&[], "");
    assert_eq!((bare.code, bare.out.as_str()), (1, ""), "{bare:?}");
    for part in ["Usage: drystone", "client", "server", "completions", "Exit codes:"] {
        assert!(bare.err.contains(part), "{part} is missing: {bare:?}");
    }
}

#[test]
fn the_version_is_told_everywhere() {
    for arguments in [["--version"].as_slice(), &["client", "--version"], &["server", "-V"]] {
        let shown = drystone(arguments, "");
        assert!(shown.code == 0 && shown.out.contains(env!("CARGO_PKG_VERSION")), "{shown:?}");
    }
}

#[test]
fn mistakes_are_json_if_that_is_asked_for() {
    let mistaken = drystone(&["client", "localhost:1", "--json"], "");
    assert_eq!(mistaken.code, 1, "{mistaken:?}");
    let events = mistaken.events();
    assert_eq!((events.len(), &events[0]["event"]), (1, &"error".into()), "{mistaken:?}");
    assert!(events[0]["reason"].as_str().unwrap().contains("--insecure"), "{mistaken:?}");
}

#[test]
fn addresses_that_do_not_exist_or_are_not_addresses_are_named() {
    let ipv6 = drystone(&["client", "127.0.0.1:1", "--insecure", "-6"], "");
    assert!(ipv6.code == 1 && ipv6.err.contains("'127.0.0.1' has no IPv6 address"), "{ipv6:?}");
    for listen in ["localhost:0", "4433"] {
        let server = drystone(&["server", "--listen", listen, "--self-signed", "localhost"], "");
        assert!(server.code == 1 && server.err.contains("0.0.0.0:4433"), "{server:?}");
    }
}

#[test]
fn shells_are_given_their_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = drystone(&["completions", shell], "");
        assert_eq!((script.code, script.err.as_str()), (0, ""), "{shell}");
        for part in ["echo-test", "self-signed", "completions"] {
            assert!(script.out.contains(part), "{part} is missing for {shell}");
        }
    }
}

/// Bash itself completes a subcommand, an option and the name of a group.
#[test]
fn the_completions_of_bash_work() {
    if Command::new("bash").arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("skipped: bash is not installed");
        return;
    }
    let script = scratch("completions").join("drystone.bash");
    std::fs::write(&script, drystone(&["completions", "bash"], "").out).unwrap();
    for (words, expected) in [
        ("drystone cli", "client"),
        ("drystone client --system", "--system-roots"),
        ("drystone server --group secp3", "secp384r1"),
    ] {
        let test = format!(
            "source {}; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _drystone drystone \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; \
             echo \"${{COMPREPLY[*]}}\"",
            script.display()
        );
        let output = Command::new("bash").args(["-c", &test]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected, "{words}: {output:?}");
    }
}

#[test]
fn manual_pages_are_printed_or_written() {
    let page = drystone(&["man"], "");
    assert!(page.code == 0 && page.out.contains(".TH drystone 1") && page.out.contains("143"), "{page:?}");
    let folder = scratch("man");
    let written = drystone(&["man", "--dir", folder.to_str().unwrap()], "");
    assert_eq!((written.code, written.out.as_str()), (0, ""), "{written:?}");
    let client = std::fs::read_to_string(folder.join("drystone-client.1")).unwrap();
    assert!(client.contains(r"\-\-packet\-size") && client.contains("1200"), "{client}");
    let refused = drystone(&["man", "--dir", "/nonexistent"], "");
    assert!(refused.code == 1 && refused.err.contains("/nonexistent"), "{refused:?}");
}

#[test]
fn diagnostics_go_to_standard_error_if_asked_for() {
    let (_server, address, certificate) = server("log", &[]);
    let told = client(&address, &certificate, &["--log", "drystone_handshake=debug", "--quiet"], "hi\n");
    assert_eq!((told.code, told.out.as_str()), (0, "hi"), "{told:?}");
    assert!(told.err.contains("DEBUG drystone_handshake: sent ClientHello"), "{told:?}");
    assert!(!told.err.contains("TRACE"), "{told:?}");
    let silent = client(&address, &certificate, &[], "hi\n");
    assert_eq!((silent.code, silent.err.as_str()), (0, ""), "{silent:?}");
}

/// As with other programs in Rust, the variable counts where there is no argument.
#[test]
fn the_filter_of_the_environment_counts() {
    let (_server, address, certificate) = server("log-variable", &[]);
    let run = |filter: &str, more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_drystone"))
            .args(client_arguments(&address, &certificate, &[&["--echo-test", "0"], more].concat()))
            .env("RUST_LOG", filter)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(run("drystone=debug", &[]).contains("DEBUG drystone_handshake: connected"));
    assert!(run("drystone=debug", &["--log", "off"]).is_empty());
    assert!(run("", &[]).is_empty());
    assert!(run("drystone=loud", &[]).starts_with("drystone: RUST_LOG is ignored: give a level"));
}
